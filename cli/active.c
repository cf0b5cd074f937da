#include "cli/active.h"

#include "cli/client.h"
#include "cli/rows.h"

#include <stdio.h>

/* A `run` that has just begun has no door yet, and one that is stopped does not answer: looking does not wait long for either. */
#define DOOR_US 300000u
#define ANSWER_US 2000000u

static void feed(struct cli_runview *v, struct rv_str row)
{
	struct coord_transition t = { .kind = COORD_T_UNIT_STARTED, .run = v->tally.run, .node = COORD_NONE, .root_cause = COORD_NONE,
				      .part = COORD_NONE, .state = COORD_UNIT_ACTIVE };
	uint64_t unit = cli_row_uint(row, "unit");
	const struct cli_unit *u;

	if (!cli_row_true(row, "started") || unit >= (uint64_t)v->tally.count + v->tally.has_verify)
		return;
	u = &v->tally.units[unit];
	t.unit = (uint32_t)unit;
	t.attempt = (uint32_t)rv_min_u64(cli_row_uint(row, "attempt"), UINT32_MAX);
	t.try_number = (uint32_t)rv_min_u64(cli_row_uint(row, "try"), UINT32_MAX);
	t.real_us = cli_row_uint(row, "start_us");
	if (u->state == COORD_UNIT_ACTIVE && u->attempt == t.attempt) /* else it has moved on since the facts were read */
		cli_tally_feed(&v->tally, &t, v->core);
}

static int open_run(const struct cli_runview *v, struct cli_client **out)
{
	static const struct cli_client_patience patience = { .connect_us = DOOR_US, .reconnect_us = DOOR_US, .answer_us = ANSWER_US, .resend_us = ANSWER_US };
	struct cli_place place = { .kind = CLI_PLACE_RUN, .run = v->id };
	struct rv_err err;

	(void)snprintf(place.dir, sizeof(place.dir), "%s", v->dir);
	(void)snprintf(place.shown, sizeof(place.shown), "run %s", v->id.text);
	if (cli_client_open(out, &place, &err))
		return -1;
	cli_client_set_patience(*out, &patience);
	return 0;
}

bool cli_active_fetch(struct cli_runview *v)
{
	struct cli_client *own = NULL, *c = v->remote.client;
	struct cli_rows rows;
	struct rv_err err;
	bool told;

	if (cli_runview_ended(v) || !v->tally.in_state[COORD_UNIT_ACTIVE])
		return true;
	if (!c && (!cli_runview_owned(v) || open_run(v, &own)))
		return false;
	cli_rows_init(&rows);
	told = cli_rows_fetch(&rows, c ? c : own, PROTO_ASK_ACTIVE, v->tally.run, RV_STR(""), &err) == 0;
	for (uint32_t i = 0; told && i < rows.count; i++)
		feed(v, cli_row(&rows, i));
	cli_rows_release(&rows);
	cli_client_close(&own);
	return told;
}
