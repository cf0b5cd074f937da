/* render.h - answers as people and programs want them
 *
 * -o table (default), wide, json, jsonl or name; REEVE_FORMAT sets the default. No colour or animation unless the stream
 * is a terminal and neither NO_COLOR, TERM=dumb nor CI says otherwise.
 */
#ifndef CLI_RENDER_H
#define CLI_RENDER_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

enum cli_format { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_JSONL, CLI_NAME };

/* `option` is the value of -o, NULL: not given, then REEVE_FORMAT, then table. RV_E_USAGE names the nearest. */
int cli_format_parse(const char *option, enum cli_format *out, struct rv_err *err);

/* Is `fd` a terminal that may be drawn on (colour, live line)? */
bool cli_is_tty(int fd);
bool cli_may_colour(int fd);
bool cli_may_animate(int fd);
uint32_t cli_columns(int fd); /* width of the terminal, 80 where unknown */

/* --- tables ------------------------------------------------------------------------------------------------------ */

#define CLI_TABLE_COLUMNS_MAX 20

enum cli_align { CLI_LEFT, CLI_RIGHT };

struct cli_column {
	const char *title;  /* "UNIT" */
	enum cli_align align;
	bool wide;          /* only with -o wide */
};

/* Cells are collected row by row, made harmless, and printed with aligned columns once the widths are known. */
struct cli_table {
	const struct cli_column *columns;
	uint32_t column_count;
	enum cli_format format;
	struct rv_buf text;      /* every cell, one after the other */
	struct rv_buf ends;      /* u64 end of each cell in text */
	uint32_t width[CLI_TABLE_COLUMNS_MAX];
	uint64_t cells;
};

void cli_table_init(struct cli_table *t, const struct cli_column *columns, uint32_t count, enum cli_format format);
void cli_table_release(struct cli_table *t);
/* The next cell of the row, left to right; the row is full after `count` cells. */
void cli_table_cell(struct cli_table *t, struct rv_str s);
void cli_table_cellf(struct cli_table *t, const char *fmt, ...) RV_PRINTF(2, 3);
/* A heading and the rows; nothing but the heading if there are no rows. */
void cli_table_print(const struct cli_table *t, struct rv_buf *out);

/* --- small texts --------------------------------------------------------------------------------------------------- */

/* What makes "unit" many: "1 unit", "2 units", "0 units". */
static inline const char *cli_s(uint64_t count)
{
	return count == 1 ? "" : "s";
}
/* 350ms 4.2s 12m04s 2h05m 3d04h */
void cli_put_duration(struct rv_buf *out, uint64_t us);
/* 2026-11-25T17:26:52.123456Z of CLOCK_REALTIME microseconds */
void cli_put_time(struct rv_buf *out, uint64_t real_us);
/* 812 B, 4.1 KiB, 3.0 MiB */
void cli_put_bytes(struct rv_buf *out, uint64_t bytes);

/* --- JSON, written by hand: keys are ours, values come through rv_buf_put_json() ---------------------------------------- */

/* `"key":` with a comma before it unless the last byte opened something. */
void cli_json_key(struct rv_buf *out, const char *key);
void cli_json_str(struct rv_buf *out, const char *key, struct rv_str s);
void cli_json_str_or_null(struct rv_buf *out, const char *key, struct rv_str s); /* "" becomes null */
void cli_json_uint(struct rv_buf *out, const char *key, uint64_t v);
void cli_json_int(struct rv_buf *out, const char *key, int64_t v);
void cli_json_bool(struct rv_buf *out, const char *key, bool v);
void cli_json_null(struct rv_buf *out, const char *key);
void cli_json_time(struct rv_buf *out, const char *key, uint64_t real_us); /* 0: null */
/* Milliseconds with up to three decimals, from microseconds. */
void cli_json_ms(struct rv_buf *out, const char *key, uint64_t us);
/* JSON text of others on one line: blanks outside strings go, what a terminal would act on is escaped. */
void cli_json_compact(struct rv_buf *out, struct rv_str json);
/* A comma unless the last byte opened something: before an element of an array. */
void cli_json_comma(struct rv_buf *out);

#endif
