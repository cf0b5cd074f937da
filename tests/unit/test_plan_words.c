/* test_plan_words.c - a line that was meant as a command, said as a plan has it: read again it is what was meant */
#include "tests/lib/plan_case.h"

#include "common/buf.h"

static void is_said(const char *line, const char *want)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	plan_put_words(rv_str_of(line), &b);
	assert_string_equal(b.at, want);
	rv_buf_release(&b);
}

static void words_stand_bare_where_they_can(void **state)
{
	(void)state;
	is_said("echo hi", "[echo, hi]");
	is_said("  make -j  --quiet ./x ../y /z a.b-c_d+e ", "[make, -j, --quiet, ./x, ../y, /z, a.b-c_d+e]");
	is_said("sleep 1", "[sleep, \"1\"]");
	is_said("", "[]");
}

/* The unit's command where its `command:` is what the hint says. */
static void reads_as(const char *const *words, uint32_t count, void (*put)(struct rv_str, struct rv_buf *), const char *line)
{
	struct plan_case c = { 0 };
	const struct plan_argv *argv;
	struct rv_buf plan;

	rv_buf_init(&plan, 0);
	(void)rv_buf_puts(&plan, "version: 1\nunits:\n  - {id: a, command: ");
	put(rv_str_of(line), &plan);
	(void)rv_buf_puts(&plan, "}\n");
	if (plan_case_load(&c, plan.at, PLAN_FORMAT_YAML) < 0)
		fail_msg("not read: %s", plan.at);
	argv = c.plan->units[0].command;
	assert_int_equal(argv->count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_string_equal(argv->arg[i], words[i]);
	rv_buf_release(&plan);
	plan_case_release(&c);
}

static void every_word_is_read_as_it_was_meant(void **state)
{
	static const char *const tried[] = { "x",  "1",  "-1", "1e5",  "0x1", ".5",  ".inf", "-.inf", ".NaN", "true", "No",  "null", "~",	   "-",	       "--",	"---", "...", "!x", "@y",
					     "%z", "a!b", "a@b", "a%",	"-c",  "--x", "-.x",  ".x",    "./x",  "..",   "../x", ".",    "2026-11-29", "\xc3\xa9", "a\x1b[1m", "^", "+1", "NULL" };

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(tried); i++) {
		const char *const words[] = { "prog", tried[i], "last" };
		char line[64];

		(void)snprintf(line, sizeof line, "prog  %s last", tried[i]);
		reads_as(words, 3, plan_put_words, line);
	}
}

static void a_shell_reads_the_line_as_it_was_written(void **state)
{
	static const char line[] = "echo \"a b\" 'c' \\d | wc >x; true";
	static const char *const words[] = { "sh", "-c", line };

	(void)state;
	assert_true(plan_line_needs_shell(rv_str_of(line)));
	assert_false(plan_line_needs_shell(RV_STR("make -j 4 ../x")));
	reads_as(words, 3, plan_put_shell, line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_stand_bare_where_they_can),
		cmocka_unit_test(every_word_is_read_as_it_was_meant),
		cmocka_unit_test(a_shell_reads_the_line_as_it_was_written),
	};

	return RUN(tests);
}
