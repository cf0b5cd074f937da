/* test_opts.c - command lines from tables */
#include "tests/lib/test.h"

#include "common/opts.h"

struct values {
	bool dry, quiet;
	uint64_t jobs;
	const char *state, *resume;
	struct rv_opt_list set;
	int words, after;
	char *argv[32];
	struct rv_err err;
};

/* Splits the line at blanks, parses it. */
static int parse(struct values *v, const char *line)
{
	static char text[2000];
	struct rv_opt table[] = {
		{ .name = "dry-run", .kind = RV_OPT_FLAG, .into = &v->dry, .help = "only say" },
		{ .name = "quiet", .letter = 'q', .kind = RV_OPT_FLAG, .into = &v->quiet },
		{ .name = "jobs", .letter = 'j', .kind = RV_OPT_UINT, .into = &v->jobs, .value = "N", .min = 1, .max = 64 },
		{ .name = "state", .kind = RV_OPT_STRING, .into = &v->state, .value = "DIR" },
		{ .name = "resume", .letter = 'r', .kind = RV_OPT_OPTIONAL, .into = &v->resume, .value = "RUN" },
		{ .name = "set", .kind = RV_OPT_LIST, .into = &v->set, .value = "KEY=VALUE" },
		{ .name = "http", .kind = RV_OPT_LATER, .help = "it waits for the HTTP API" },
		{ .name = "format", .letter = 'o', .kind = RV_OPT_NEVER, .help = "text is text" },
		{ .name = NULL },
	};
	int argc = 0;
	char *word;

	memset(v, 0, sizeof(*v));
	v->words = v->after = -7;
	(void)snprintf(text, sizeof(text), "prog %s", line);
	for (word = strtok(text, " "); word; word = strtok(NULL, " "))
		v->argv[argc++] = word;
	return rv_opts_parse(table, argc, v->argv, &v->words, &v->after, &v->err);
}

static void words(const struct values *v, const char *want)
{
	char got[2000] = "";
	int i;

	for (i = 0; i < v->words; i++)
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", i ? " " : "", v->argv[i]);
	assert_string_equal(got, want);
}

static void every_form_of_every_kind(void **state)
{
	struct values v;

	(void)state;
	assert_int_equal(parse(&v, "plan.yaml -j 4 --state d more --dry-run"), 0);
	words(&v, "plan.yaml more");
	assert_int_equal(v.after, 2);
	assert_int_equal(v.jobs, 4);
	assert_string_equal(v.state, "d");
	assert_true(v.dry);
	assert_false(v.quiet);
	assert_null(v.resume);

	assert_int_equal(parse(&v, "-qj8 --state= --resume=abc --set a=1 --set=b=2"), 0);
	assert_true(v.quiet);
	assert_int_equal(v.jobs, 8);
	assert_string_equal(v.state, "");
	assert_string_equal(v.resume, "abc");
	assert_int_equal(v.set.count, 2);
	assert_string_equal(v.set.item[0], "a=1");
	assert_string_equal(v.set.item[1], "b=2");
	words(&v, "");

	/* An optional value is never the next word. */
	assert_int_equal(parse(&v, "--resume plan"), 0);
	assert_string_equal(v.resume, "");
	words(&v, "plan");
	assert_int_equal(parse(&v, "-rabc"), 0);
	assert_string_equal(v.resume, "abc");
	assert_int_equal(parse(&v, ""), 0);
	assert_int_equal(v.words, 0);
}

static void two_dashes_end_options(void **state)
{
	struct values v;

	(void)state;
	assert_int_equal(parse(&v, "a -q -- CMD -j --x -- ::: b"), 0);
	words(&v, "a CMD -j --x -- ::: b");
	assert_int_equal(v.after, 1);
	assert_int_equal(parse(&v, "- --"), 0);
	words(&v, "-");
	assert_int_equal(v.after, 1);
}

static void refused(const char *line, enum rv_code code, const char *msg, const char *hint)
{
	struct values v;

	assert_int_equal(parse(&v, line), -1);
	assert_int_equal(v.err.code, code);
	assert_string_equal(v.err.msg, msg);
	assert_string_equal(v.err.hint, hint);
	assert_int_equal(v.words, -7);
}

static void refusals_say_what_is_allowed(void **state)
{
	(void)state;
	refused("--dryrun", RV_E_USAGE, "there is no option --dryrun", "did you mean --dry-run?");
	refused("--stat=x", RV_E_USAGE, "there is no option --stat", "did you mean --state?");
	refused("--zzzzzz", RV_E_USAGE, "there is no option --zzzzzz", "");
	refused("-x", RV_E_USAGE, "there is no option -x", "");
	refused("-qx", RV_E_USAGE, "there is no option -x", "");
	refused("--dry-run=yes", RV_E_USAGE, "--dry-run takes no value, but was given \"yes\"", "");
	refused("-j", RV_E_USAGE, "--jobs needs a value: --jobs N", "");
	refused("--state", RV_E_USAGE, "--state needs a value: --state DIR", "");
	refused("--state --dry-run", RV_E_USAGE, "--state needs a value: --state DIR", "");
	refused("--jobs 65", RV_E_USAGE, "--jobs: \"65\" is not a whole number from 1 to 64", "");
	refused("--jobs 0", RV_E_USAGE, "--jobs: \"0\" is not a whole number from 1 to 64", "");
	refused("--jobs -1", RV_E_USAGE, "--jobs: \"-1\" is not a whole number from 1 to 64", "");
	refused("--jobs 1e99", RV_E_USAGE, "--jobs: \"1e99\" is not a whole number from 1 to 64", "");
	refused("--jobs nan", RV_E_USAGE, "--jobs: \"nan\" is not a whole number from 1 to 64", "");
	refused("--jobs=", RV_E_USAGE, "--jobs: \"\" is not a whole number from 1 to 64", "");
	refused("--http 127.0.0.1:1", RV_E_UNSUPPORTED, "--http is not built yet: it waits for the HTTP API", "");
	refused("--format=json", RV_E_USAGE, "--format is not taken here: text is text", "");
	refused("-o json", RV_E_USAGE, "--format is not taken here: text is text", "");
	refused("-ojson", RV_E_USAGE, "--format is not taken here: text is text", "");
}

static void a_list_has_an_end(void **state)
{
	struct rv_opt_list list = { 0 };
	struct rv_opt table[] = { { .name = "set", .kind = RV_OPT_LIST, .into = &list }, { .name = NULL } };
	char *argv[RV_OPT_LIST_MAX + 2], option[] = "--set=x";
	struct rv_err err;
	int i, count;

	(void)state;
	for (i = 0; i < RV_OPT_LIST_MAX + 2; i++)
		argv[i] = option;
	assert_int_equal(rv_opts_parse(table, RV_OPT_LIST_MAX + 1, argv, &count, NULL, &err), 0);
	list.count = 0;
	assert_int_equal(rv_opts_parse(table, RV_OPT_LIST_MAX + 2, argv, &count, NULL, &err), -1);
	assert_string_equal(err.msg, "--set is given more than 256 times");
}

static void an_argument_of_64_kib_is_quoted_in_part(void **state)
{
	static char word[65536 + 3];
	char prog[] = "prog", *argv[] = { prog, word };
	struct rv_opt table[] = { { .name = "set", .kind = RV_OPT_FLAG }, { .name = NULL } };
	struct rv_err err;
	int count;

	(void)state;
	memset(word, 'x', sizeof(word) - 1);
	memcpy(word, "--", 2);
	assert_int_equal(rv_opts_parse(table, 2, argv, &count, NULL, &err), -1);
	assert_true(strlen(err.msg) < 100);
	memcpy(word, "--set=", 6);
	assert_int_equal(rv_opts_parse(table, 2, argv, &count, NULL, &err), -1);
	assert_true(strlen(err.msg) < 150);
}

static void whole_numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "+1", "-1", "0x10", "1.0", "1e3", "18446744073709551616",
					   "99999999999999999999999", "inf", "\xd9\xa1" };
	uint64_t v = 5;
	size_t i;

	(void)state;
	assert_int_equal(rv_parse_uint("18446744073709551615", 0, UINT64_MAX, &v, NULL), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(rv_parse_uint("007", 0, 10, &v, NULL), 0);
	assert_int_equal(v, 7);
	for (i = 0; i < RV_ARRAY_LEN(bad); i++)
		assert_int_equal(rv_parse_uint(bad[i], 0, UINT64_MAX, &v, NULL), -1);
	assert_int_equal(rv_parse_uint("4", 5, 6, &v, NULL), -1);
	assert_int_equal(rv_parse_uint("7", 5, 6, &v, NULL), -1);
	assert_int_equal(v, 7); /* untouched by failures */
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} good[] = {
		{ "0", 0 },	       { "90", 90000000 },	{ "1.5", 1500000 },
		{ "90s", 90000000 },   { "15m", 900000000 },	{ "2h", UINT64_C(7200000000) },
		{ "500ms", 500000 },   { "0.000001", 1 },	{ "1.5h", UINT64_C(5400000000) },
		{ "7d", UINT64_C(604800000000) }, { "0.1ms", 100 }, { "0.25m", 15000000 },
	};
	static const char *const bad[] = { "", "s", ".5", "1.", "1.0000001", "-1", "+1", "1e3", "nan", "inf", "1 s",
					   "1sec", "1S", "18446744073709551615", "99999999999999999999999", "213503983d" };
	uint64_t us = 1;
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(good); i++) {
		assert_int_equal(rv_parse_duration(good[i].text, &us, NULL), 0);
		assert_true(us == good[i].us);
	}
	us = 1;
	for (i = 0; i < RV_ARRAY_LEN(bad); i++)
		assert_int_equal(rv_parse_duration(bad[i], &us, NULL), -1);
	assert_int_equal(us, 1);
}

static void help_is_aligned_and_leaves_out_what_is_not_built(void **state)
{
	const struct rv_opt table[] = {
		{ .name = "jobs", .letter = 'j', .kind = RV_OPT_UINT, .value = "N", .help = "at once" },
		{ .name = "dry-run", .kind = RV_OPT_FLAG, .help = "only say" },
		{ .name = "resume", .kind = RV_OPT_OPTIONAL, .value = "RUN", .help = "go on" },
		{ .name = "http", .kind = RV_OPT_LATER, .help = "later" },
		{ .name = "format", .letter = 'o', .kind = RV_OPT_NEVER, .help = "never" },
		{ .name = "an-option-of-quite-some-length", .kind = RV_OPT_STRING, .help = "below" },
		{ .name = NULL },
	};
	struct rv_buf b;

	(void)state;
	rv_buf_init(&b, 0);
	rv_opts_help(table, &b);
	assert_string_equal(b.at, "  -j, --jobs N        at once\n"
				  "      --dry-run       only say\n"
				  "      --resume[=RUN]  go on\n"
				  "      --an-option-of-quite-some-length VALUE\n"
				  "                      below\n");
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_every_kind),
		cmocka_unit_test(two_dashes_end_options),
		cmocka_unit_test(refusals_say_what_is_allowed),
		cmocka_unit_test(a_list_has_an_end),
		cmocka_unit_test(an_argument_of_64_kib_is_quoted_in_part),
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(durations),
		cmocka_unit_test(help_is_aligned_and_leaves_out_what_is_not_built),
	};

	return RUN(tests);
}
