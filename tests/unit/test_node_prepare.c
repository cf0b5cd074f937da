/* test_node_prepare.c - what of a unit's texts is checked once they are filled, and that nothing is cut where memory is short */
#include "tests/lib/test.h"

#include "node/agents/command.h"
#include "node/prepare.h"
#include "node/specs.h"
#include "proto/spec.h"
#include "tests/lib/scratch.h"

struct lab {
	struct node_daemon_config cfg;
	struct node_preparer p;
	struct node_specs specs;
	struct rv_buf bytes;
	struct node_scene scene;
	struct node_failure why;
	uint32_t attempt;
};

static void lab_open(struct lab *l)
{
	memset(l, 0, sizeof(*l));
	node_daemon_config_init(&l->cfg);
	l->cfg.workspace = rv_str_of(scratch_path());
	l->cfg.namespace_root = rv_str_of(scratch("root"));
	assert_int_equal(node_preparer_init(&l->p, &l->cfg, "label"), 0);
	node_specs_init(&l->specs);
	rv_buf_init(&l->bytes, 0);
}

static void lab_close(struct lab *l)
{
	node_specs_release(&l->specs);
	rv_buf_release(&l->bytes);
	node_preparer_release(&l->p);
}

static int set(struct lab *l, const struct proto_spec *s)
{
	struct proto_dispatch d = { .key = { 5, 0, ++l->attempt }, .unit_id = RV_STR("a"), .try_number = 1 };
	struct node_spec *spec;

	rv_buf_reset(&l->bytes);
	assert_int_equal(proto_spec_encode(s, &l->bytes), 0);
	node_specs_new_frame(&l->specs);
	spec = node_specs_get(&l->specs, rv_buf_str(&l->bytes), NULL);
	assert_non_null(spec);
	return node_scene_set(&l->p, spec, &d, 9, 0, &l->scene, &l->why);
}

static int prepare(struct lab *l, const struct proto_spec *s)
{
	int rc = set(l, s);

	if (rc == 0)
		node_scene_end(&l->scene);
	return rc;
}

static int with_directory(struct lab *l, const char *context)
{
	struct rv_str dirs[] = { RV_STR("src"), RV_STR("{{d}}") };
	struct proto_spec s;

	proto_spec_init(&s);
	s.flags = PROTO_SPEC_TEMPLATED | PROTO_SPEC_HAS_DIRS;
	s.context = rv_str_of(context);
	s.dirs = dirs;
	s.dir_count = 2;
	return prepare(l, &s);
}

static void a_directory_that_was_filled_in_is_held_to_the_rules(void **state)
{
	static const char *const bad[] = { "\"..\"",	      "\"a/../../b\"", "\"/etc\"",     "\"~/x\"",   "\"\"",	    "\".git\"",
					   "\"./.git/hooks\"", "\".reeve\"",	"\"a\\nb\"", "\"a\\u0000b\"", "\"a\\\\b\"", "\".agent/x\"" };
	struct lab l;
	char context[64];

	(void)state;
	lab_open(&l);
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		(void)snprintf(context, sizeof(context), "{\"d\":%s}", bad[i]);
		assert_int_equal(with_directory(&l, context), -1);
		assert_int_equal(l.why.class, PROTO_CLASS_CONFIG);
		assert_int_equal(l.why.reason, PROTO_REASON_TEMPLATE);
		assert_non_null(strstr(l.why.err.msg, "is not allowed"));
	}
	assert_int_equal(with_directory(&l, "{\"d\":\"./lib//deep/\"}"), 0);
	assert_str(l.scene.dirs, "src:lib/deep");
	assert_int_equal(with_directory(&l, "{\"d\":\"a/.git\"}"), 0); /* the first part only */
	assert_str(l.scene.dirs, "src:a/.git");
	lab_close(&l);
}

/* Nothing of it is left out without a word. */
static void what_memory_does_not_hold_is_no_unit(void **state)
{
	struct rv_str dirs[] = { RV_STR("src/one"), RV_STR("src/two") };
	struct proto_spec s;
	struct lab l;
	struct rv_buf *short_of[5];

	(void)state;
	lab_open(&l);
	short_of[0] = &l.p.dirs;
	short_of[1] = &l.p.cwd;
	short_of[2] = &l.p.namespace;
	short_of[3] = &l.p.file;
	short_of[4] = &l.p.path;
	proto_spec_init(&s);
	s.agent_kind = PROTO_AGENT_CLAUDE;
	s.flags = PROTO_SPEC_AGENT_UNIT | PROTO_SPEC_NAMESPACE | PROTO_SPEC_HAS_DIRS;
	s.prompt = RV_STR("Work.");
	s.dirs = dirs;
	s.dir_count = 2;
	for (int text = 0; text < 2; text++) {
		s.preamble = text ? PROTO_PREAMBLE_TEXT : PROTO_PREAMBLE_BUILT_IN;
		s.preamble_text = text ? RV_STR("The rules of the house.") : RV_STR("");
		assert_int_equal(prepare(&l, &s), 0);
		for (size_t i = 0; i < RV_ARRAY_LEN(short_of); i++) {
			if (text && short_of[i] == &l.p.path)
				continue; /* nothing is put there */
			rv_buf_release(short_of[i]);
			rv_buf_init(short_of[i], 9);
			memset(&l.why, 0xff, sizeof(l.why));
			assert_int_equal(prepare(&l, &s), -1);
			assert_int_equal(l.why.class, PROTO_CLASS_ENVIRONMENT);
			assert_int_equal(l.why.reason, PROTO_REASON_WORKSPACE);
			assert_int_equal(l.why.err.code, RV_E_NO_MEMORY);
			rv_buf_release(short_of[i]);
			rv_buf_init(short_of[i], 0);
		}
	}
	lab_close(&l);
}

/* Nor does a unit suffer for what another had no memory for. */
static void it_is_over_with_the_unit(void **state)
{
	struct rv_str argv[] = { RV_STR("true") };
	struct proto_spec s;
	struct lab l;

	(void)state;
	lab_open(&l);
	proto_spec_init(&s);
	s.argv = argv;
	s.argc = 1;
	s.flags = PROTO_SPEC_NAMESPACE;
	rv_buf_release(&l.p.namespace);
	rv_buf_init(&l.p.namespace, 9);
	assert_int_equal(prepare(&l, &s), -1);
	l.p.namespace.limit = RV_BUF_LIMIT_DEFAULT;
	s.flags = 0;
	assert_int_equal(prepare(&l, &s), 0);
	lab_close(&l);
}

static void what_memory_does_not_hold_is_not_spawned(void **state)
{
	struct rv_str accept[] = { RV_STR("make"), RV_STR("check-all") };
	struct proto_spec s;
	struct lab l;
	struct rv_buf *short_of[5];
	struct warden_spawn w;

	(void)state;
	lab_open(&l);
	l.cfg.program = RV_STR("/reeve");
	short_of[0] = &l.p.path;
	short_of[1] = &l.p.file;
	short_of[2] = &l.p.text;
	short_of[3] = &l.p.step[NODE_STEP_WORK];
	short_of[4] = &l.p.argv;
	proto_spec_init(&s);
	s.agent_kind = PROTO_AGENT_CLAUDE;
	s.flags = PROTO_SPEC_AGENT_UNIT | PROTO_SPEC_NAMESPACE;
	s.prompt = RV_STR("Work.");
	s.accept = accept;
	s.accept_count = 2;
	for (size_t i = 0; i <= RV_ARRAY_LEN(short_of); i++) {
		bool enough = i == RV_ARRAY_LEN(short_of);

		assert_int_equal(set(&l, &s), 0);
		if (!enough) {
			rv_buf_release(short_of[i]);
			rv_buf_init(short_of[i], 9);
			memset(&l.why, 0xff, sizeof(l.why));
		}
		assert_int_equal(node_command_spawn(&l.p, &l.scene, &w, &l.why), enough ? 0 : -1);
		node_scene_end(&l.scene);
		if (enough)
			break;
		assert_int_equal(l.why.class, PROTO_CLASS_ENVIRONMENT);
		assert_int_equal(l.why.err.code, RV_E_NO_MEMORY);
		short_of[i]->limit = RV_BUF_LIMIT_DEFAULT;
	}
	lab_close(&l);
}

#define IN_SCRATCH(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(a_directory_that_was_filled_in_is_held_to_the_rules),
		IN_SCRATCH(what_memory_does_not_hold_is_no_unit),
		IN_SCRATCH(it_is_over_with_the_unit),
		IN_SCRATCH(what_memory_does_not_hold_is_not_spawned),
	};

	return RUN(tests);
}
