/* cure.c - what helps where a unit never began to run */
#include "cli/cure.h"

#include "common/plan/plan.h"

#include <string.h>

/* "cannot be started: SUBJECT: WHY", as node/collect.c writes it: text and not a field, so what does not look so has no cure. */
static bool take_apart(struct rv_str error, struct rv_str *subject, struct rv_str *why)
{
	static const char begins[] = "cannot be started: ";
	size_t n = sizeof(begins) - 1, colon;

	if (error.bytes <= n || memcmp(error.at, begins, n) != 0)
		return false;
	*subject = rv_str(error.at + n, error.bytes - n);
	*why = rv_str(NULL, 0);
	for (colon = subject->bytes; colon > 1; colon--)
		if (subject->at[colon - 2] == ':' && subject->at[colon - 1] == ' ') {
			*why = rv_str(subject->at + colon, subject->bytes - colon);
			subject->bytes = colon - 2;
			break;
		}
	return true;
}

static bool has(struct rv_str s, char c)
{
	return s.bytes && memchr(s.at, c, s.bytes);
}

/* "echo hi" where ["echo", "hi"] was meant. */
static void put_line(struct rv_str line, struct rv_buf *out)
{
	if (plan_line_needs_shell(line)) {
		(void)rv_buf_puts(out, "with a shell: command: ");
		plan_put_shell(line, out);
	} else {
		(void)rv_buf_puts(out, "each word is an entry of its own: command: ");
		plan_put_words(line, out);
	}
}

static void put_program(struct rv_str program, struct rv_str why, struct rv_buf *out)
{
	if (rv_str_equal(why, RV_STR("Permission denied"))) {
		(void)rv_buf_printf(out, "`chmod +x %.*s`, if it is a program", RV_STR_ARGS(program));
	} else if (has(program, ' ')) {
		put_line(program, out);
	} else if (has(program, '/')) {
		(void)rv_buf_puts(out, "a path in `command` begins where the unit does, in its `cwd`, else in the workspace; or the program that its first line (#!) names is missing");
	} else {
		(void)rv_buf_printf(out, "no directory of PATH has it: install it, or give its path in `command` (./%.*s)", RV_STR_ARGS(program));
	}
}

enum cli_cure cli_put_cure(const struct cli_tally *t, uint32_t unit, struct rv_buf *out)
{
	const struct cli_unit *u = &t->units[unit];
	struct rv_str subject, why;
	struct cli_details d;

	cli_tally_details(t, unit, &d);
	if (take_apart(cli_error_without_unit(t, unit, d.error), &subject, &why)) {
		if (u->reason == PROTO_REASON_NOT_FOUND)
			put_program(subject, why, out);
		else if (u->reason == PROTO_REASON_WORKSPACE && rv_str_equal(why, RV_STR("No such file or directory")))
			(void)rv_buf_printf(out, has(subject, ' ') ? "`mkdir -p '%.*s'`, or another `cwd` in the plan" : "`mkdir -p %.*s`, or another `cwd` in the plan",
					    RV_STR_ARGS(subject));
		else
			return CLI_CURE_UNKNOWN;
		return CLI_CURE_KNOWN;
	}
	if (u->state == COORD_UNIT_FAILED && d.tail.kind == PROTO_VALUE_NONE && (u->class == PROTO_CLASS_AGENT || u->class == PROTO_CLASS_TIMEOUT || u->class == PROTO_CLASS_EVIDENCE))
		return CLI_CURE_SILENT;
	return CLI_CURE_LOGS;
}
