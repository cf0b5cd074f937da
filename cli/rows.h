/* rows.h - lists that a coordinator answers to ASK: all pages of one, and what is in a row */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/client.h"
#include "cli/render.h"
#include "common/buf.h"

/* Rows follow each other in `text`, each JSON on one line; `ends` holds the end of each (size_t). */
struct cli_rows {
	struct rv_buf text, ends;
	uint32_t count;
};

#define CLI_ROWS_MAX 1000000u

void cli_rows_init(struct cli_rows *r);
void cli_rows_release(struct cli_rows *r);
/* All pages. `run` and `unit`: of EXPLAIN (0, ""). RV_E_LIMIT: more than CLI_ROWS_MAX. */
int cli_rows_fetch(struct cli_rows *r, struct cli_client *c, enum proto_ask_what what, uint64_t run, struct rv_str unit, struct rv_err *err);
/* One more. RV_E_LIMIT, RV_E_NO_MEMORY. */
int cli_rows_add(struct cli_rows *r, struct rv_str row, struct rv_err *err);
struct rv_str cli_row(const struct cli_rows *r, uint32_t i);

/* A member of a row. Text: a string's characters, else its JSON; "" where there is none. Borrowed from `room`, emptied first. */
struct rv_str cli_row_text(struct rv_str row, const char *key, struct rv_buf *room);
uint64_t cli_row_uint(struct rv_str row, const char *key); /* 0: none */
bool cli_row_true(struct rv_str row, const char *key);

/* Its run as the coordinator lists it: the newest for prefix "", else the one that begins so. RV_E_NOT_FOUND with the nearest, RV_E_USAGE: several. */
int cli_rows_find_run(struct cli_client *c, struct rv_str prefix, struct rv_run_id *out, struct rv_err *err);

/* {"schema":SCHEMA,KEY:[row,...]} for json, a row a line for jsonl, the member `name` a line for name; false: it is for a table. */
bool cli_rows_plain(const struct cli_rows *r, enum cli_format format, const char *schema, const char *key, const char *name, struct rv_buf *out);

#endif
