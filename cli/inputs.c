#include "cli/inputs.h"

#include "cli/text.h"
#include "common/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

_Static_assert(CLI_INPUTS_MAX == RV_UNITS_MAX, "an input is a unit");
_Static_assert(CLI_INPUT_BYTES_MAX == RV_ARG_BYTES_MAX, "an input is an argument");
_Static_assert(CLI_INPUTS_BYTES_MAX < UINT32_MAX, "ends are u32");

#define READ_BYTES ((size_t)64 << 10)

void cli_inputs_init(struct cli_inputs *in)
{
	in->count = 0;
	rv_buf_init(&in->bytes, 0);
	rv_buf_init(&in->ends, 0);
}

void cli_inputs_release(struct cli_inputs *in)
{
	rv_buf_release(&in->bytes);
	rv_buf_release(&in->ends);
}

static uint32_t end_of(const struct cli_inputs *in, uint32_t i)
{
	uint32_t end;

	memcpy(&end, in->ends.at + i * sizeof end, sizeof end);
	return end;
}

struct rv_str cli_inputs_get(const struct cli_inputs *in, uint32_t i)
{
	uint32_t from = i ? end_of(in, i - 1) : 0;

	return rv_str(in->bytes.at + from, end_of(in, i) - from);
}

/* The first byte that is no UTF-8, or is NUL; s.bytes: all is well. */
static size_t first_fault(struct rv_str s)
{
	size_t at = 0;

	while (at < s.bytes) {
		uint32_t cp, bytes;

		if (s.at[at] > 0) { /* ASCII */
			at++;
			continue;
		}
		bytes = s.at[at] ? cli_utf8_next(rv_str(s.at + at, s.bytes - at), &cp) : 0;
		if (!bytes)
			break;
		at += bytes;
	}
	return at;
}

/* `where` and `number` name it in messages: "words.txt: line 3". */
static int add(struct cli_inputs *in, struct rv_str s, const char *where, const char *what, uint64_t number, struct rv_err *err)
{
	size_t fault;
	uint32_t end;

	if (in->count == CLI_INPUTS_MAX)
		return rv_fail(err, RV_E_LIMIT, "%s: more than %u inputs", where, CLI_INPUTS_MAX);
	if (s.bytes >= CLI_INPUT_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "%s: %s %llu has %zu bytes or more; the limit is %zu", where, what, (unsigned long long)number, s.bytes,
			       CLI_INPUT_BYTES_MAX - 1);
	if (in->bytes.bytes + s.bytes > CLI_INPUTS_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "%s: more than %zu MiB of inputs", where, CLI_INPUTS_BYTES_MAX >> 20);
	fault = first_fault(s);
	if (fault < s.bytes && !s.at[fault]) {
		(void)rv_fail(err, RV_E_USAGE, "%s: %s %llu has a NUL byte, which no argument can have", where, what, (unsigned long long)number);
		return rv_hint(err, "-0 takes inputs that end with NUL");
	}
	if (fault < s.bytes) {
		(void)rv_fail(err, RV_E_USAGE, "%s: %s %llu is not UTF-8: byte 0x%02x at place %zu", where, what, (unsigned long long)number,
			      (unsigned char)s.at[fault], fault + 1);
		return rv_hint(err, "inputs are text; rename such a file, or hand over something that leads to it");
	}
	end = (uint32_t)(in->bytes.bytes + s.bytes);
	if (rv_buf_put_str(&in->bytes, s) || rv_buf_put(&in->ends, &end, sizeof end))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the inputs");
	in->count++;
	return 0;
}

int cli_inputs_words(struct cli_inputs *in, char *const *words, uint32_t count, struct rv_err *err)
{
	for (uint32_t i = 0; i < count; i++)
		if (add(in, rv_str_of(words[i]), ":::", "word", (uint64_t)i + 1, err) < 0)
			return -1;
	return 0;
}

/* --- a file ------------------------------------------------------------------------------------------------------------ */

struct reading {
	struct cli_inputs *in;
	const char *where;
	const char *what;    /* "line" */
	char end;
	uint64_t number;
	enum cli_input_blank blank;
	struct rv_buf held;  /* the beginning of an input whose end has not come */
};

static bool is_blank(struct rv_str s)
{
	for (size_t i = 0; i < s.bytes; i++)
		if (!strchr(" \t\r\f\v", s.at[i]))
			return false;
	return true;
}

static int take(struct reading *r, struct rv_str s, struct rv_err *err)
{
	r->number++;
	if (r->blank == CLI_BLANK_SKIPPED && is_blank(s))
		return 0;
	return add(r->in, s, r->where, r->what, r->number, err);
}

/* What has come, up to the last end in it. */
static int take_whole_ones(struct reading *r, struct rv_err *err)
{
	struct rv_str rest = rv_buf_str(&r->held);
	const char *end;

	while ((end = memchr(rest.at, r->end, rest.bytes))) {
		size_t bytes = (size_t)(end - rest.at);

		if (take(r, rv_str(rest.at, bytes), err) < 0)
			return -1;
		rest = rv_str(end + 1, rest.bytes - bytes - 1);
	}
	if (rest.bytes >= CLI_INPUT_BYTES_MAX)
		return take(r, rest, err); /* too long, and told so */
	rv_buf_consume(&r->held, r->held.bytes - rest.bytes);
	return 0;
}

static int read_all(struct reading *r, int fd, struct rv_err *err)
{
	for (;;) {
		char *room = rv_buf_reserve(&r->held, READ_BYTES);
		ssize_t got;

		if (!room)
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for the inputs");
		got = read(fd, room, READ_BYTES);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return rv_fail_errno(err, errno, "cannot read the inputs from %s", r->where);
		if (got == 0)
			break;
		rv_buf_added(&r->held, (size_t)got);
		if (take_whole_ones(r, err) < 0)
			return -1;
	}
	return r->held.bytes ? take(r, rv_buf_str(&r->held), err) : 0; /* the last line need not end */
}

int cli_inputs_read(struct cli_inputs *in, const char *name, enum cli_input_end end, enum cli_input_blank blank, struct rv_err *err)
{
	bool from_stdin = strcmp(name, "-") == 0;
	struct reading r = {
		.in = in,
		.where = from_stdin ? "standard input" : name,
		.what = end == CLI_INPUT_NULS ? "input" : "line",
		.end = end == CLI_INPUT_NULS ? '\0' : '\n',
		.blank = blank,
	};
	int fd = from_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot read the inputs from %s", name);
	rv_buf_init(&r.held, 0);
	rc = read_all(&r, fd, err);
	rv_buf_release(&r.held);
	if (!from_stdin)
		(void)close(fd);
	return rc;
}
