/* err.c - errors that are answered */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Formats into out[room]; what does not fit is cut at a character's boundary and ends in "...". */
static void format_cut(char *out, size_t room, const char *fmt, va_list ap) RV_PRINTF(3, 0);

static void cut(char *out, size_t room)
{
	size_t end = room - 4;

	while (end > 0 && ((unsigned char)out[end] & 0xc0) == 0x80)
		end--;
	memcpy(out + end, "...", 4);
}

static void format_cut(char *out, size_t room, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, room, fmt, ap);

	if (n < 0)
		out[0] = '\0';
	else if ((size_t)n >= room)
		cut(out, room);
}

int rv_fail(struct rv_err *err, enum rv_code code, const char *fmt, ...)
{
	char msg[sizeof(err->msg)]; /* the arguments may point into err itself: "wrapping: %s", err->msg */
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	format_cut(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	err->code = code;
	err->sys = 0;
	memcpy(err->msg, msg, sizeof(msg));
	err->hint[0] = '\0';
	return -1;
}

static enum rv_code code_of_errno(int sys)
{
	switch (sys) {
	case ENOSPC:
	case EDQUOT:
		return RV_E_NO_SPACE;
	case ENOENT:
		return RV_E_NOT_FOUND;
	case EACCES:
	case EPERM:
		return RV_E_DENIED;
	case EEXIST:
		return RV_E_EXISTS;
	case ENOMEM:
		return RV_E_NO_MEMORY;
	default:
		return RV_E_IO;
	}
}

int rv_fail_errno(struct rv_err *err, int sys, const char *fmt, ...)
{
	char msg[sizeof(err->msg)], text[128];
	const char *why;
	size_t used, room;
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	format_cut(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	why = strerror_r(sys, text, sizeof(text));
	used = strlen(msg);
	room = sizeof(msg) - used;
	if ((size_t)snprintf(msg + used, room, ": %s", why) >= room)
		cut(msg, sizeof(msg));
	err->code = code_of_errno(sys);
	err->sys = sys;
	memcpy(err->msg, msg, sizeof(msg));
	err->hint[0] = '\0';
	return -1;
}

int rv_hint(struct rv_err *err, const char *fmt, ...)
{
	char hint[sizeof(err->hint)];
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	format_cut(hint, sizeof(hint), fmt, ap);
	va_end(ap);
	memcpy(err->hint, hint, sizeof(hint));
	return -1;
}

static const struct {
	const char *name;
	int exit;
} codes[] = {
	[RV_OK] = { "OK", 0 },
	[RV_E_USAGE] = { "E_USAGE", 2 },
	[RV_E_PLAN] = { "E_PLAN", 2 },
	[RV_E_LIMIT] = { "E_LIMIT", 2 },
	[RV_E_NOT_FOUND] = { "E_NOT_FOUND", 4 },
	[RV_E_EXISTS] = { "E_EXISTS", 2 },
	[RV_E_BUSY] = { "E_BUSY", 3 },
	[RV_E_UNREACHABLE] = { "E_UNREACHABLE", 5 },
	[RV_E_DENIED] = { "E_DENIED", 6 },
	[RV_E_CORRUPT] = { "E_CORRUPT", 3 },
	[RV_E_VERSION] = { "E_VERSION", 3 },
	[RV_E_STALE] = { "E_STALE", 3 },
	[RV_E_NO_SPACE] = { "E_NO_SPACE", 3 },
	[RV_E_NO_MEMORY] = { "E_NO_MEMORY", 3 },
	[RV_E_IO] = { "E_IO", 3 },
	[RV_E_UNSUPPORTED] = { "E_UNSUPPORTED", 2 },
	[RV_E_CONFLICT] = { "E_CONFLICT", 2 },
	[RV_E_INTERNAL] = { "E_INTERNAL", 3 },
};

const char *rv_code_name(enum rv_code code)
{
	return (size_t)code < RV_ARRAY_LEN(codes) ? codes[code].name : "E_INTERNAL";
}

int rv_code_exit(enum rv_code code)
{
	return (size_t)code < RV_ARRAY_LEN(codes) ? codes[code].exit : 3;
}
