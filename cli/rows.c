/* rows.c - lists that a coordinator answers to ASK */
#include "cli/rows.h"

#include "cli/text.h"
#include "common/plan/template.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_SHOWN 5

void cli_rows_init(struct cli_rows *r)
{
	*r = (struct cli_rows){ .count = 0 };
	rv_buf_init(&r->text, 0);
	rv_buf_init(&r->ends, 0);
}

void cli_rows_release(struct cli_rows *r)
{
	rv_buf_release(&r->text);
	rv_buf_release(&r->ends);
	r->count = 0;
}

int cli_rows_add(struct cli_rows *r, struct rv_str row, struct rv_err *err)
{
	size_t end;

	if (r->count == CLI_ROWS_MAX)
		return rv_fail(err, RV_E_LIMIT, "a list of more than %u rows", CLI_ROWS_MAX);
	cli_json_compact(&r->text, row);
	end = r->text.bytes;
	if (r->text.failed || rv_buf_put(&r->ends, &end, sizeof(end)))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a list of %u rows", r->count);
	r->count++;
	return 0;
}

int cli_rows_fetch(struct cli_rows *r, struct cli_client *c, enum proto_ask_what what, uint64_t run, struct rv_str unit, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_ASK }, answer;
	uint64_t cursor = 0;
	uint32_t i;

	do {
		request.ask = (struct proto_ask){ .what = what, .run = run, .unit = unit, .cursor = cursor, .limit = PROTO_ROWS_MAX };
		if (cli_client_call(c, &request, PROTO_ROWS, &answer, err))
			return -1;
		for (i = 0; i < answer.rows.row_count; i++)
			if (cli_rows_add(r, answer.rows.rows[i], err))
				return -1;
		if (answer.rows.next && answer.rows.next == cursor)
			return rv_fail(err, RV_E_CORRUPT, "%s gives the same page twice", cli_client_shown(c));
		cursor = answer.rows.next;
	} while (cursor);
	return 0;
}

struct rv_str cli_row(const struct cli_rows *r, uint32_t i)
{
	size_t from = 0, to;

	if (i)
		memcpy(&from, r->ends.at + (i - 1) * sizeof(from), sizeof(from));
	memcpy(&to, r->ends.at + i * sizeof(to), sizeof(to));
	return rv_str(r->text.at + from, to - from);
}

struct rv_str cli_row_text(struct rv_str row, const char *key, struct rv_buf *room)
{
	struct rv_str value;

	rv_buf_reset(room);
	if (plan_json_member(row, rv_str_of(key), &value) == 1 && !rv_str_equal(value, RV_STR("null")))
		(void)plan_json_text(value, room);
	return rv_buf_str(room);
}

uint64_t cli_row_uint(struct rv_str row, const char *key)
{
	struct rv_str value;
	char text[24];

	if (plan_json_member(row, rv_str_of(key), &value) != 1 || value.bytes >= sizeof(text) || !value.bytes || !isdigit((unsigned char)value.at[0]))
		return 0;
	memcpy(text, value.at, value.bytes);
	text[value.bytes] = '\0';
	return strtoull(text, NULL, 10);
}

bool cli_row_true(struct rv_str row, const char *key)
{
	struct rv_str value;

	return plan_json_member(row, rv_str_of(key), &value) == 1 && rv_str_equal(value, RV_STR("true"));
}

/* --- runs ----------------------------------------------------------------------------------------------------------------- */

static bool begins(struct rv_str text, struct rv_str prefix)
{
	size_t i;

	for (i = 0; i < prefix.bytes; i++)
		if (i >= text.bytes || text.at[i] != tolower((unsigned char)prefix.at[i]))
			return false;
	return true;
}

/* By when it was accepted: of runs of one second the id says nothing. */
static bool is_newer(struct rv_str row, struct rv_str id, uint64_t *newest_us, const char *newest)
{
	uint64_t us = cli_row_uint(row, "created_us");

	if (newest[0] && (us < *newest_us || (us == *newest_us && strncmp(id.at, newest, RV_RUN_ID_CHARS) < 0)))
		return false;
	*newest_us = us;
	return true;
}

/* The newest run of this name. */
static bool newest_named(const struct cli_rows *r, struct rv_str name, char out[RV_RUN_ID_CHARS + 1])
{
	uint64_t newest_us = 0;
	struct rv_buf room, id;

	out[0] = '\0';
	rv_buf_init(&room, 0);
	rv_buf_init(&id, 0);
	for (uint32_t i = 0; i < r->count; i++) {
		if (!rv_str_equal(cli_row_text(cli_row(r, i), "name", &room), name))
			continue;
		if (rv_run_id_valid(cli_row_text(cli_row(r, i), "run", &id)) && is_newer(cli_row(r, i), rv_buf_str(&id), &newest_us, out))
			(void)snprintf(out, RV_RUN_ID_CHARS + 1, "%s", id.at);
	}
	rv_buf_release(&room);
	rv_buf_release(&id);
	return out[0] != '\0';
}

static int pick(const struct cli_rows *r, struct cli_client *c, struct rv_str prefix, struct rv_run_id *out, struct rv_err *err)
{
	char names[NAMES_SHOWN * (RV_RUN_ID_CHARS + 2) + 8] = "", newest[RV_RUN_ID_CHARS + 1] = "";
	uint64_t newest_us = 0;
	uint32_t i, matches = 0;
	struct rv_buf room;

	rv_buf_init(&room, 0);
	for (i = 0; i < r->count; i++) {
		struct rv_str id = cli_row_text(cli_row(r, i), "run", &room);

		if (!rv_run_id_valid(id))
			continue;
		if (is_newer(cli_row(r, i), id, &newest_us, newest))
			memcpy(newest, id.at, sizeof(newest));
		if (!begins(id, prefix))
			continue;
		if (matches < NAMES_SHOWN)
			(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s", matches ? ", " : "", RV_STR_ARGS(id));
		if (prefix.bytes)
			memcpy(out->text, id.at, sizeof(out->text));
		matches++;
	}
	rv_buf_release(&room);
	if (!newest[0])
		return rv_fail(err, RV_E_NOT_FOUND, "%s has no runs", cli_client_shown(c));
	if (!prefix.bytes) {
		memcpy(out->text, newest, sizeof(out->text));
		return 0;
	}
	if (matches == 1)
		return 0;
	if (matches)
		return rv_fail(err, RV_E_USAGE, "\"%.*s\" could be %u runs: %s%s", (int)rv_min_u64(prefix.bytes, 32), prefix.at, matches, names,
			       matches > NAMES_SHOWN ? ", ..." : "");
	(void)rv_fail(err, RV_E_NOT_FOUND, "there is no run \"%.*s\"", (int)rv_min_u64(prefix.bytes, 32), prefix.at);
	if (newest_named(r, prefix, names))
		return rv_hint(err, "a run is meant by its id: did you mean %s, the newest of that name?", names);
	return rv_hint(err, "the newest is %s; `reeve status` lists all", newest);
}

int cli_rows_find_run(struct cli_client *c, struct rv_str prefix, struct rv_run_id *out, struct rv_err *err)
{
	const struct cli_place *place = cli_client_place(c);
	struct cli_rows rows;
	int rc;

	if (place && place->kind == CLI_PLACE_RUN && begins(rv_str_of(place->run.text), prefix)) {
		*out = place->run;
		return 0;
	}
	if (rv_run_id_valid(prefix)) { /* a whole one is not looked up: whoever is asked knows it or not */
		memcpy(out->text, prefix.at, RV_RUN_ID_CHARS);
		out->text[RV_RUN_ID_CHARS] = '\0';
		return 0;
	}
	cli_rows_init(&rows);
	rc = cli_rows_fetch(&rows, c, PROTO_ASK_RUNS, 0, RV_STR(""), err);
	if (rc == 0)
		rc = pick(&rows, c, prefix, out, err);
	cli_rows_release(&rows);
	return rc;
}

/* --- answers -------------------------------------------------------------------------------------------------------------------- */

bool cli_rows_plain(const struct cli_rows *r, enum cli_format format, const char *schema, const char *key, const char *name, struct rv_buf *out)
{
	struct rv_buf room;
	uint32_t i;

	if (format == CLI_TABLE || format == CLI_WIDE)
		return false;
	rv_buf_init(&room, 0);
	if (format == CLI_JSON) {
		(void)rv_buf_putc(out, '{');
		cli_json_str(out, "schema", rv_str_of(schema));
		cli_json_key(out, key);
		(void)rv_buf_putc(out, '[');
	}
	for (i = 0; i < r->count; i++) {
		struct rv_str row = cli_row(r, i);

		if (format == CLI_NAME) {
			cli_text_safe(CLI_TEXT_CELL, cli_row_text(row, name, &room), out);
		} else {
			if (format == CLI_JSON)
				cli_json_comma(out);
			(void)rv_buf_put_str(out, row);
		}
		if (format != CLI_JSON)
			(void)rv_buf_putc(out, '\n');
	}
	if (format == CLI_JSON)
		(void)rv_buf_puts(out, "]}\n");
	rv_buf_release(&room);
	return true;
}
