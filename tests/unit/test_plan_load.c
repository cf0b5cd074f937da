/* test_plan_load.c - JSON lines, --set, --context, formats, templates' units, digests */
#include "tests/lib/plan_case.h"

#include "common/buf.h"
#include "common/limits.h"
#include "common/os/file.h"

#include <errno.h>
#include <sys/stat.h>

static const char three[] = "{\"version\":1,\"name\":\"l\",\"defaults\":{\"timeout_s\":3}}\n"
			    "{\"id\":\"b\",\"command\":[\"x\"],\"depends_on\":[\"a\",\"c\"]}\n\n"
			    "  {\"id\":\"a\",\"command\":[\"x\"]}\r\n"
			    "{\"id\":\"c\",\"command\":[\"x\"],\"depends_on\":[\"a\"]}";

static void json_lines_are_a_plan_and_its_units(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	assert_int_equal(plan_case_lines(&c, three), 0);
	assert_int_equal(c.plan->unit_count, 3);
	assert_str(c.plan->name, "l");
	assert_int_equal(c.plan->units[0].dep_count, 2);
	assert_int_equal(c.plan->units[0].deps[0], 1);
	assert_int_equal(c.plan->units[0].deps[1], 2);
	assert_int_equal(c.plan->units[2].pos.line, 5);
	assert_int_equal(c.plan->units[1].pos.line, 4);
	assert_int_equal(c.plan->units[1].settings->timeout_us, 3000000);
	assert_int_equal(c.plan->edge_count, 3);
	plan_case_release(&c);
}

static void json_lines_tell_line_and_key_path(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	assert_int_equal(plan_case_lines(&c, "{\"version\":1}\n{\"id\":\"a\",\"command\":[\"x\"],\"retry\":{\"max\":-1}}\n"
					     "{\"id\":\"b\",\"command\":[\"x\"],\"depends_on\":[\"nope\"]}\n{\"id\":\"c\" \"d\"}\n"),
			 -1);
	assert_int_equal(c.diags.error_count, 3);
	assert_int_equal(c.diags.error[0].code, PLAN_E_RANGE);
	assert_int_equal(c.diags.error[0].line, 2);
	assert_int_equal(c.diags.error[0].col, 42);
	assert_string_equal(c.diags.error[0].path, "units[0].retry.max");
	assert_int_equal(c.diags.error[1].code, PLAN_E_DEP_UNKNOWN);
	assert_int_equal(c.diags.error[1].line, 3);
	assert_string_equal(c.diags.error[1].path, "units[1].depends_on");
	assert_int_equal(c.diags.error[2].code, PLAN_E_SYNTAX);
	assert_int_equal(c.diags.error[2].line, 4);
	plan_case_release(&c);
	assert_int_equal(plan_case_lines(&c, "\xef\xbb\xbf{\"version\":1}\n"), 0);
	plan_case_release(&c);
	assert_int_equal(plan_case_lines(&c, " \n\n"), -1);
	assert_int_equal(c.diags.error[0].code, PLAN_E_SYNTAX);
	plan_case_release(&c);
}

static long failing_read(void *arg, void *to, size_t room)
{
	(void)arg;
	(void)to;
	(void)room;
	errno = EIO;
	return -1;
}

static void a_stream_that_breaks_is_told(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_diags_init(&c.diags);
	assert_int_equal(plan_load_lines(failing_read, NULL, NULL, &c.plan, &c.diags, &c.err), -1);
	assert_non_null(strstr(c.diags.error[0].message, "Input/output error"));
	plan_case_release(&c);
}

static void set_overrides_the_plan(void **state)
{
	struct plan_case c = { .sets = { "limits.failed=20", "defaults.retry.max=3", "on_failure=finish", "name=12", "agents.m.model=7",
					 "verify.timeout_s=9", "defaults.env.X=y=z" },
			       .opt = { .set_count = 7 } };

	(void)state;
	plan_case_fine(&c, "version: 1\nlimits: {failed: 1, node_lost: 7}\ndefaults: {retry: {max: 1, base_s: 2}}\n"
			   "agents: {m: {command: [x, '{model}'], model: a, retry: {base_s: 5}}}\n"
			   "units: [{id: a}, {id: b, command: [x], retry: 8}]\nverify: {command: [x]}\n");
	assert_int_equal(c.plan->limits.failed, 20);
	assert_int_equal(c.plan->limits.node_lost, 7);
	assert_int_equal(c.plan->on_failure, PLAN_FINISH);
	assert_str(c.plan->name, "12");
	assert_int_equal(plan_case_unit(&c, "a")->settings->retry.max, 3);
	assert_int_equal(plan_case_unit(&c, "a")->settings->retry.base_us, 5000000);
	assert_str(plan_case_unit(&c, "a")->settings->env[0].value, "y=z");
	assert_int_equal(plan_case_unit(&c, "b")->settings->retry.max, 8);
	assert_str(c.plan->agents[0].model, "7");
	assert_int_equal(c.plan->verify->settings->timeout_us, 9000000);
	plan_case_release(&c);
}

static void a_wrong_set_is_told(void **state)
{
	static const struct {
		const char *set;
		enum rv_code err;
		enum plan_code code;
	} cases[] = {
		{ "limits", RV_E_USAGE, PLAN_CODES },
		{ "=3", RV_E_USAGE, PLAN_CODES },
		{ "units=3", RV_E_USAGE, PLAN_CODES },
		{ "limits.fialed=3", RV_E_PLAN, PLAN_E_UNKNOWN_KEY },
		{ "limits.failed=x", RV_E_PLAN, PLAN_E_TYPE },
		{ "max_workers=99999999", RV_E_PLAN, PLAN_E_RANGE },
		{ "a.b.c.d.e.f.g.h.i=1", RV_E_USAGE, PLAN_CODES },
	};
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct plan_case c = { .sets = { cases[i].set }, .opt = { .set_count = 1 } };

		assert_int_equal(plan_case_load(&c, "version: 1\nunits: []\n", PLAN_FORMAT_YAML), -1);
		if (c.err.code != cases[i].err)
			fail_msg("%s: %s", cases[i].set, c.err.msg);
		if (cases[i].code != PLAN_CODES) {
			assert_int_equal(c.diags.error[0].code, cases[i].code);
			assert_int_equal(c.diags.error[0].line, 0);
			assert_non_null(strstr(c.diags.error[0].path, "--set"));
		}
		plan_case_release(&c);
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A directory of this test's own, below the build's; each test starts from an empty one. */
static char *in_dir(const char *name, char out[512])
{
	static char dir[256];

	if (!*dir) {
		const char *base = getenv("TMPDIR");

		snprintf(dir, sizeof(dir), "%s/reeve-plan-XXXXXX", base ? base : "/tmp");
		assert_non_null(mkdtemp(dir));
	}
	snprintf(out, 512, "%s%s%s", dir, *name ? "/" : "", name);
	return out;
}

static void files_are_read_beside_the_plan(void **state)
{
	struct plan_case c = { 0 };
	char dir[512], path[512];
	const struct plan_unit *u;

	(void)state;
	write_file(in_dir("p.md", path), "Do {{item}} {{literal}}\n");
	write_file(in_dir("items.json", path), "[ {\"n\": 1}, 2 ]");
	write_file(in_dir("items.jsonl", path), "{\"n\":1}\n\n[2]\n\"three\"");
	write_file(in_dir("items.txt", path), "one\r\n\n \t \n  two\nthr\"ee");
	write_file(in_dir("ctx.yaml", path), "b: 3\nc: [x]\n");
	write_file(in_dir("plan.yaml", path),
		   "version: 1\ncontext: {a: 1, b: 2, literal: L}\nunits:\n"
		   "  - {id: a, prompt_file: p.md, for_each: {file: items.json}, command: [x]}\n"
		   "  - {id: b, prompt: '{{item}}', command: [x], for_each: {file: items.jsonl}}\n"
		   "  - {id: c, prompt: '{{item}}', command: [x], for_each: {file: ./items.txt}}\n"
		   "  - {id: d, prompt_file: p.md, command: [x]}\n");
	plan_diags_init(&c.diags);
	c.opt.context_file = in_dir("ctx.yaml", dir);
	if (plan_load_file(in_dir("plan.yaml", path), &c.opt, &c.plan, &c.diags, &c.err) != 0) {
		plan_case_show(&c);
		fail();
	}
	u = plan_case_unit(&c, "a");
	assert_str(u->prompt, "Do {{item}} {{literal}}\n");
	assert_int_equal(u->flags & (PLAN_UNIT_FILL_PROMPT | PLAN_UNIT_PROMPT_FILE), PLAN_UNIT_FILL_PROMPT | PLAN_UNIT_PROMPT_FILE);
	assert_int_equal(u->for_each->count, 2);
	assert_str(u->for_each->items[0], "{\"n\":1}");
	u = plan_case_unit(&c, "b");
	assert_int_equal(u->for_each->count, 3);
	assert_str(u->for_each->items[2], "\"three\"");
	u = plan_case_unit(&c, "c");
	assert_int_equal(u->for_each->count, 3);
	assert_str(u->for_each->items[1], "\"  two\"");
	assert_str(u->for_each->items[2], "\"thr\\\"ee\"");
	u = plan_case_unit(&c, "d");
	assert_int_equal(u->flags & (PLAN_UNIT_FILL_PROMPT | PLAN_UNIT_PROMPT_FILE), PLAN_UNIT_PROMPT_FILE);
	assert_str(c.plan->context, "{\"a\":1,\"b\":3,\"literal\":\"L\",\"c\":[\"x\"]}");
	assert_str(c.plan->name, "plan");
	assert_str(c.plan->dir, in_dir("", dir));
	plan_case_release(&c);
}

static void a_file_that_is_wrong_is_told_where_it_is_named(void **state)
{
	static const struct {
		const char *unit;
		enum plan_code code;
		const char *words;
	} cases[] = {
		{ "command: [x, '{item}'], for_each: {file: bad.json}", PLAN_E_SYNTAX, "bad.json:2:1" },
		{ "command: [x, '{item}'], for_each: {file: map.json}", PLAN_E_TYPE, "an array" },
		{ "command: [x, '{item}'], for_each: {file: bad.jsonl}", PLAN_E_SYNTAX, "bad.jsonl:2:3" },
		{ "command: [x, '{item}'], for_each: {file: none.txt}", PLAN_E_CONFLICT, "none.txt" },
		{ "command: [x], prompt_file: latin1.md", PLAN_E_SYNTAX, "UTF-8" },
		{ "command: [x], prompt_file: .", PLAN_E_CONFLICT, NULL },
	};
	char path[512];
	size_t i;

	(void)state;
	write_file(in_dir("bad.json", path), "[1,\n}");
	write_file(in_dir("map.json", path), "{}");
	write_file(in_dir("bad.jsonl", path), "1\n2 3\n");
	write_file(in_dir("latin1.md", path), "caf\xe9\n");
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct plan_case c = { 0 };
		char text[256], dir[512];

		snprintf(text, sizeof(text), "version: 1\nunits: [{id: a, %s}]\n", cases[i].unit);
		c.opt.dir = in_dir("", dir);
		assert_int_equal(plan_case_load(&c, text, PLAN_FORMAT_YAML), -1);
		if (c.diags.error[0].code != cases[i].code || c.diags.error[0].line != 2 ||
		    (cases[i].words && !strstr(c.diags.error[0].message, cases[i].words))) {
			plan_case_show(&c);
			fail_msg("%s", cases[i].unit);
		}
		plan_case_release(&c);
	}
}

static void directories_are_looked_at_where_they_are(void **state)
{
	static const struct {
		const char *dir;
		bool fine;
	} cases[] = {
		{ "tree", true }, { "tree/not/there", true }, { "tree/file", true }, { "tree/near", true }, { "tree/near/x", true },
		{ "tree/out", false }, { "tree/out/x/y", false }, { "tree/fifo", false }, { "tree/file/x", true }, { ".", true },
	};
	char path[512], dir[512];
	size_t i;

	(void)state;
	assert_int_equal(mkdir(in_dir("tree", path), 0755), 0);
	write_file(in_dir("tree/file", path), "");
	assert_int_equal(mkfifo(in_dir("tree/fifo", path), 0600), 0);
	assert_int_equal(symlink("/usr", in_dir("tree/out", path)), 0);
	assert_int_equal(symlink(".", in_dir("tree/near", path)), 0);
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct plan_case c = { .opt = { .dir = in_dir("", dir), .check_tree = true } };
		char text[256];
		int rc;

		snprintf(text, sizeof(text), "version: 1\nunits: [{id: a, command: [x], allowed_directories: [%s]}]\n", cases[i].dir);
		rc = plan_case_load(&c, text, PLAN_FORMAT_YAML);
		if ((rc == 0) != cases[i].fine || (rc && c.diags.error[0].code != PLAN_E_DIR_FORM))
			fail_msg("%s", cases[i].dir);
		plan_case_release(&c);
		c.opt.check_tree = false;
		assert_int_equal(plan_case_load(&c, text, PLAN_FORMAT_YAML), 0);
		plan_case_release(&c);
	}
}

static void a_template_stands_for_its_units(void **state)
{
	struct plan_case c = { 0 };
	const struct plan_unit *u;
	char id[RV_UNIT_ID_BYTES_MAX + 1], number[24];

	(void)state;
	plan_case_fine(&c, "version: 1\nunits:\n"
			   "  - {id: n, command: [x, '{item}'], for_each: {count: 12345}}\n"
			   "  - {id: 'fix-{{item.name}}', command: [x], for_each: [{name: a.b}, {name: c}]}\n"
			   "  - {id: s, command: [x, '{item}'], for_each: {same_as: 'fix-{{item.name}}'}, depends_on: [n]}\n"
			   "  - {id: j, command: [x], depends_on: [s, 'fix-{{item.name}}', n]}\n"
			   "  - {id: none, command: [x, '{item}'], for_each: []}\n");
	u = plan_case_unit(&c, "n");
	assert_int_equal(plan_unit_instances(u), 12345);
	assert_int_equal(plan_instance_id(u, 0, id), 7);
	assert_string_equal(id, "n-00001");
	plan_instance_id(u, 12344, id);
	assert_string_equal(id, "n-12345");
	assert_str(plan_instance_item(u, 41, number), "42");
	u = &c.plan->units[1];
	plan_instance_id(u, 0, id);
	assert_string_equal(id, "fix-a.b");
	u = plan_case_unit(&c, "s");
	assert_int_equal(u->for_each->same_as, 1);
	assert_str(plan_instance_item(u, 1, number), "{\"name\":\"c\"}");
	plan_instance_id(u, 1, id);
	assert_string_equal(id, "s-0002");
	assert_int_equal(plan_unit_edges(c.plan, u), 12346);
	assert_int_equal(plan_unit_edges(c.plan, plan_case_unit(&c, "j")), 2 + 2 + 12345);
	assert_int_equal(c.plan->instance_count, 12345 + 2 + 2 + 1);
	assert_int_equal(c.plan->edge_count, 2 * 12346 + 12349);
	plan_case_release(&c);
}

static void marks_line_ends_and_encodings(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, "\xef\xbb\xbfversion: 1\r\nunits:\r\n  - id: a\r\n    command: [x]\r\n");
	assert_int_equal(plan_case_unit(&c, "a")->pos.line, 3);
	assert_int_equal(plan_case_unit(&c, "a")->pos.col, 9);
	plan_case_release(&c);
	assert_int_equal(plan_case_load(&c, "\xef\xbb\xbf{\"version\":1,\r\n\"units\":[]}", PLAN_FORMAT_AUTO), 0);
	plan_case_release(&c);
	plan_diags_init(&c.diags);
	assert_int_equal(plan_load_bytes(rv_str("\xff\xfev\0e\0", 6), PLAN_FORMAT_AUTO, NULL, &c.plan, &c.diags, &c.err), -1);
	assert_non_null(strstr(c.diags.error[0].message, "UTF-16"));
	plan_case_release(&c);
	plan_diags_init(&c.diags);
	assert_int_equal(plan_load_bytes(rv_str("a\0b", 3), PLAN_FORMAT_AUTO, NULL, &c.plan, &c.diags, &c.err), -1);
	assert_int_equal(c.diags.error[0].col, 2);
	plan_case_release(&c);
	assert_int_equal(plan_case_load(&c, "version: 1\nname: \xc3\n", PLAN_FORMAT_YAML), -1);
	assert_int_equal(c.diags.error[0].code, PLAN_E_SYNTAX);
	assert_int_equal(c.diags.error[0].line, 2);
	assert_int_equal(c.diags.error[0].col, 7);
	plan_case_release(&c);
}

static void all_errors_at_once_in_order(void **state)
{
	struct plan_case c = { 0 };
	struct rv_buf b;
	uint32_t i;

	(void)state;
	rv_buf_init(&b, 0);
	(void)rv_buf_puts(&b, "version: 1\nunits:\n");
	for (i = 0; i < 100; i++)
		(void)rv_buf_printf(&b, "  - {id: u%u, command: [x], depends_on: [n%u], bad: 1}\n", i, i);
	(void)rv_buf_puts(&b, "max_workers: -1\n");
	assert_int_equal(plan_case_load(&c, b.at, PLAN_FORMAT_YAML), -1);
	assert_int_equal(c.diags.error_count, 20);
	assert_int_equal(c.diags.errors_found, 201);
	for (i = 0; i < 20; i++) {
		assert_int_equal(c.diags.error[i].line, 3 + i / 2);
		assert_int_equal(c.diags.error[i].code, i % 2 ? PLAN_E_UNKNOWN_KEY : PLAN_E_DEP_UNKNOWN);
	}
	plan_case_release(&c);
	rv_buf_release(&b);
}

/* ---- a run's defaults, for units that are added ---- */

static void defaults_of_a_run_are_kept_as_written(void **state)
{
	struct plan_case c = { .sets = { "defaults.retry.max=3" }, .opt = { .set_count = 1 } };

	(void)state;
	plan_case_fine(&c, "version: 1\ndefaults: {timeout_s: 5, prompt_file: /dev/null}\nunits: []\n");
	assert_true(rv_str_equal(c.plan->defaults, RV_STR("[{\"timeout_s\":5},{\"retry\":{\"max\":3}}]")));
	plan_case_release(&c);
	c = (struct plan_case){ 0 };
	plan_case_fine(&c, "version: 1\nunits: []\n");
	assert_int_equal(c.plan->defaults.bytes, 0);
	plan_case_release(&c);
}

static void added_units_get_the_defaults_of_their_run(void **state)
{
	static const char added[] = "defaults: {grace_s: 9}\nunits: [{id: a, command: [x]}, {id: b, command: [x], timeout_s: 0}]\n";
	struct plan_case c = { 0 };

	(void)state;
	c.opt = (struct plan_load_options){ .outer = true, .head_defaults = true,
					    .head = RV_STR("{\"version\":1,\"x-reeve-defaults\":[{\"timeout_s\":5,\"grace_s\":1},{\"retry\":{\"max\":3}}]}") };
	plan_case_fine(&c, added);
	assert_int_equal(plan_case_unit(&c, "a")->settings->timeout_us, 5000000);
	assert_int_equal(plan_case_unit(&c, "a")->settings->grace_us, 9000000);
	assert_int_equal(plan_case_unit(&c, "a")->settings->retry.max, 3);
	assert_int_equal(plan_case_unit(&c, "b")->settings->timeout_us, 0);
	plan_case_release(&c);
	/* the coordinator reads units that have them already */
	c.opt.head_defaults = false;
	plan_case_fine(&c, added);
	assert_int_equal(plan_case_unit(&c, "a")->settings->timeout_us, 0);
	plan_case_release(&c);
	/* whoever submitted the run is not to say which file of ours is read */
	c.opt.head_defaults = true;
	c.opt.head = RV_STR("{\"version\":1,\"x-reeve-defaults\":[{\"prompt_file\":\"/etc/passwd\"}]}");
	assert_int_equal(plan_case_load(&c, added, PLAN_FORMAT_YAML), -1);
	assert_int_equal(c.err.code, RV_E_PLAN);
	plan_case_release(&c);
}

/* ---- digests ---- */

static void digest_of(const char *text, uint8_t out[PLAN_DIGEST_BYTES])
{
	struct plan_case c = { 0 };

	plan_case_fine(&c, text);
	memcpy(out, c.plan->digest, PLAN_DIGEST_BYTES);
	plan_case_release(&c);
}

static void the_digest_covers_what_units_run_and_nothing_else(void **state)
{
	static const char base[] = "version: 1\nunits: [{id: a, command: [x]}, {id: b, command: [x], depends_on: [a]}]\n";
	static const char *const same[] = {
		"version: 1\nmax_workers: 3\nlimits: {failed: 2}\non_failure: finish\nunits:\n- {id: a, command: [x], timeout_s: 3, retry: 2}\n"
		"- {id: b, command: [x], depends_on: [a], priority: 3, resources: {gpus: 1}, labels: {a: b}, node: n, description: ''}\n",
		"version: 1\nname: other\nunits: {a: {command: [x]}, b: {depends_on: [a], command: [x], x-y: 1}}\n",
	};
	static const char *const other[] = {
		"version: 1\nunits: [{id: a, command: [y]}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, command: [x]}, {id: b, command: [x]}]\n",
		"version: 1\nunits: [{id: a, command: [x]}, {id: c, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, command: [x], env: {A: b}}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\ncontext: {a: 1}\nunits: [{id: a, command: [x]}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, command: [x], context: {a: 1}}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\ncompat_env: [ralph]\nunits: [{id: a, command: [x]}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, command: [x], prompt: p}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, command: [x], allowed_directories: [s]}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, agent: noop}, {id: b, command: [x], depends_on: [a]}]\n",
		"version: 1\nunits: [{id: a, command: [x], for_each: {count: 1}}, {id: b, command: [x], depends_on: [a]}]\n",
	};
	uint8_t d[PLAN_DIGEST_BYTES], e[PLAN_DIGEST_BYTES];
	size_t i;

	(void)state;
	digest_of(base, d);
	for (i = 0; i < RV_ARRAY_LEN(same); i++) {
		digest_of(same[i], e);
		assert_memory_equal(d, e, PLAN_DIGEST_BYTES);
	}
	for (i = 0; i < RV_ARRAY_LEN(other); i++) {
		digest_of(other[i], e);
		if (memcmp(d, e, PLAN_DIGEST_BYTES) == 0)
			fail_msg("%s", other[i]);
	}
}

static void a_units_digest_is_its_own(void **state)
{
	struct plan_case c = { 0 }, d = { 0 };
	uint8_t x[PLAN_DIGEST_BYTES], y[PLAN_DIGEST_BYTES];

	(void)state;
	plan_case_fine(&c, "version: 1\nunits: [{id: a, command: [x]}, {id: b, command: [x], depends_on: [a]}]\n");
	plan_case_fine(&d, "version: 1\nunits: [{id: a, command: [z]}, {id: b, command: [x], depends_on: [a]}]\n");
	plan_unit_digest(c.plan, plan_case_unit(&c, "b"), x);
	plan_unit_digest(d.plan, plan_case_unit(&d, "b"), y);
	assert_memory_equal(x, y, PLAN_DIGEST_BYTES);
	plan_unit_digest(c.plan, plan_case_unit(&c, "a"), x);
	plan_unit_digest(d.plan, plan_case_unit(&d, "a"), y);
	assert_memory_not_equal(x, y, PLAN_DIGEST_BYTES);
	plan_case_release(&c);
	plan_case_release(&d);
}

static void clear_dir(void)
{
	char dir[512];
	struct rv_err err;
	int at;

	if (rv_dir_open("/", &at, &err) == 0) {
		(void)rv_tree_remove_at(at, in_dir("", dir) + 1, &err);
		(void)close(at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_lines_are_a_plan_and_its_units),
		cmocka_unit_test(json_lines_tell_line_and_key_path),
		cmocka_unit_test(a_stream_that_breaks_is_told),
		cmocka_unit_test(set_overrides_the_plan),
		cmocka_unit_test(a_wrong_set_is_told),
		cmocka_unit_test(files_are_read_beside_the_plan),
		cmocka_unit_test(a_file_that_is_wrong_is_told_where_it_is_named),
		cmocka_unit_test(directories_are_looked_at_where_they_are),
		cmocka_unit_test(a_template_stands_for_its_units),
		cmocka_unit_test(marks_line_ends_and_encodings),
		cmocka_unit_test(all_errors_at_once_in_order),
		cmocka_unit_test(defaults_of_a_run_are_kept_as_written),
		cmocka_unit_test(added_units_get_the_defaults_of_their_run),
		cmocka_unit_test(the_digest_covers_what_units_run_and_nothing_else),
		cmocka_unit_test(a_units_digest_is_its_own),
	};

	int rc = RUN(tests);

	clear_dir();
	return rc;
}
