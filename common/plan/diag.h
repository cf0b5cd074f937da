/* diag.h - what is wrong with a plan: code, place, sentence, cure
 *
 * Up to RV_PLAN_DIAGS_MAX errors and as many warnings are kept, the first by position in the file; the rest are counted.
 * Rendering needs the plan's source lines, which are copied when a diagnostic is added, so that nothing has to outlive
 * the loader.
 */
#ifndef PLAN_DIAG_H
#define PLAN_DIAG_H

#include "common/base.h"
#include "common/buf.h"
#include "common/limits.h"

/* Every code of docs/plan.md: X(name). The warnings follow the errors. */
#define PLAN_ERROR_CODES(X)                                                                        \
	X(E_SYNTAX) X(E_TYPE) X(E_UNKNOWN_KEY) X(E_RANGE) X(E_ID_FORMAT) X(E_ID_DUPLICATE)         \
	X(E_ID_RESERVED) X(E_DEP_SELF) X(E_DEP_UNKNOWN) X(E_CYCLE) X(E_DIR_MISSING) X(E_DIR_FORM)  \
	X(E_DIR_RESERVED) X(E_DIR_OVERLAP) X(E_AGENT_UNKNOWN) X(E_COMMAND_EMPTY) X(E_CONTEXT_KEY)  \
	X(E_TEMPLATE) X(E_LIMIT) X(E_CONFLICT) X(E_ENV) X(E_UNSUPPORTED)
#define PLAN_WARNING_CODES(X)                                                                      \
	X(W_EMPTY_PLAN) X(W_DEP_DUPLICATE) X(W_CASE_OVERLAP) X(W_SHELL) X(W_ITEM_UNUSED)         \
	X(W_UNPLACEABLE)

enum plan_code {
#define X(name) PLAN_##name,
	PLAN_ERROR_CODES(X) PLAN_WARNING_CODES(X)
#undef X
	PLAN_CODES
};

#define PLAN_FIRST_WARNING PLAN_W_EMPTY_PLAN

struct plan_diag {
	enum plan_code code;
	uint32_t line, col;  /* from 1; col counts characters; line 0: no place (--set), col 0: JSON lines */
	uint32_t width;      /* characters to underline, >= 1 */
	uint64_t order;      /* position in the file, for sorting */
	uint32_t at, span;   /* bytes in the source at hand, until it is settled */
	bool unsettled;
	char *path;          /* key path ("units[3].retry.max"), or NULL */
	char *message;
	char *hint;          /* or NULL */
	char *source;        /* the line it stands on, shortened around the place; NULL: none */
	uint32_t source_col; /* where in `source` the place begins, from 0, in characters */
};

struct plan_diags {
	char *file;                  /* as shown */
	struct plan_diag error[RV_PLAN_DIAGS_MAX];
	struct plan_diag warning[RV_PLAN_DIAGS_MAX];
	uint32_t error_count, warning_count; /* kept */
	uint64_t errors_found, warnings_found;
	struct rv_str source;        /* what `at` of unsettled ones counts in; borrowed */
	uint32_t source_line;        /* the line that `source` begins with */
};

/* Where a diagnostic points. */
struct plan_spot {
	enum { PLAN_SPOT_NONE, PLAN_SPOT_SOURCE, PLAN_SPOT_LINE, PLAN_SPOT_KNOWN } kind;
	uint32_t at, span; /* SOURCE: bytes of the source at hand */
	uint32_t line;     /* LINE: of JSON lines, known without its text; KNOWN: found once the source is gone: after all that was found in it */
	uint32_t part;     /* LINE: breaks ties within a line; KNOWN: its column, 0 in JSON lines */
};

const char *plan_code_name(enum plan_code code); /* "E_CYCLE" */

void plan_diags_init(struct plan_diags *d);
void plan_diags_release(struct plan_diags *d);

/* Names the bytes that spots count in: a whole file from line 1, or one of JSON lines. What was found in the bytes before
 * gets its line, column and copy of the line. Call it with empty bytes before they go away. */
void plan_diags_source(struct plan_diags *d, struct rv_str source, uint32_t first_line);

/* Adds one. NULL when it is only counted (others come before it, or memory ran out); else valid until the next call, for
 * the two below, which accept NULL. */
struct plan_diag *plan_diag_add(struct plan_diags *d, enum plan_code code, struct plan_spot spot, const char *fmt, ...)
	RV_PRINTF(4, 5);
void plan_diag_hint(struct plan_diag *diag, const char *fmt, ...) RV_PRINTF(2, 3);
void plan_diag_path(struct plan_diag *diag, const char *fmt, ...) RV_PRINTF(2, 3);

/* A name for a sentence: in double quotes, control characters, quotes and invisible ones escaped, cut at 80 characters.
 * A ring of buffers is not needed: `out` has room for PLAN_QUOTED bytes. */
#define PLAN_QUOTED 512
const char *plan_quote(struct rv_str s, char out[PLAN_QUOTED]);

/* Line and column (characters) of a byte, counting on from a place before it: a cursor for many places in order. */
struct plan_cursor {
	size_t at;
	uint32_t line, col;
};
void plan_cursor_move(struct plan_cursor *c, struct rv_str source, size_t to);

/* The form of docs/plan.md: error[CODE]: message, --> file:line:col, the line, a caret, = help. */
int plan_diags_text(const struct plan_diags *d, struct rv_buf *out);
/* A JSON array of {"severity","code","file","line","col","path","message","hint"}. */
int plan_diags_json(const struct plan_diags *d, struct rv_buf *out);

#endif
