/* statusline.c - the line that shows how a run goes */
#include "cli/statusline.h"

#include "cli/out.h"
#include "cli/render.h"
#include "cli/text.h"
#include "cli/used.h"
#include "common/id.h"

#include <stdlib.h>
#include <unistd.h>

#define LIVE_US 100000u                /* between two drawings */
#define PLAIN_US (10 * RV_US_PER_S)    /* between two plain lines */
#define TICK_US RV_US_PER_S            /* the clock moves on although nothing happens */
#define WAITS_FROM_US RV_US_PER_S
#define SLOWEST_AFTER_US (2 * RV_US_PER_S)
#define CLEAR_LINE "\r\x1b[K"

int cli_statusline_init(struct cli_statusline *l, enum cli_statusline_mode mode, int fd, const struct cli_tally *tally,
			uint64_t now_us, uint64_t real_us, struct rv_err *err)
{
	uint32_t i;

	if (mode == CLI_LINE_LIVE && !cli_may_animate(fd))
		mode = CLI_LINE_PLAIN;
	*l = (struct cli_statusline){ .mode = mode, .fd = fd, .tally = tally, .start_us = now_us,
				      .next_us = now_us + (mode == CLI_LINE_LIVE ? LIVE_US : PLAIN_US),
				      .real_offset = real_us - now_us, .ended_before = cli_tally_ended(tally),
				      .ended = cli_tally_ended(tally), .end_us = now_us,
				      .waiting = COORD_NONE, .head = COORD_NONE, .tail = COORD_NONE };
	rv_buf_init(&l->buf, 0);
	if (mode != CLI_LINE_LIVE)
		return 0;
	l->next = malloc(((size_t)tally->count + 1) * sizeof(*l->next));
	l->prev = malloc(((size_t)tally->count + 1) * sizeof(*l->prev));
	if (!l->next || !l->prev)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a status line");
	for (i = 0; i <= tally->count; i++)
		l->next[i] = l->prev[i] = i; /* alone: in no list */
	return 0;
}

/* --- which unit runs longest ------------------------------------------------------------------------------------------ */

static bool listed(const struct cli_statusline *l, uint32_t unit)
{
	return l->next[unit] != unit;
}

static void list_append(struct cli_statusline *l, uint32_t unit)
{
	if (listed(l, unit))
		return;
	l->prev[unit] = l->tail;
	l->next[unit] = COORD_NONE;
	if (l->tail != COORD_NONE)
		l->next[l->tail] = unit;
	else
		l->head = unit;
	l->tail = unit;
}

static void list_remove(struct cli_statusline *l, uint32_t unit)
{
	uint32_t next = l->next[unit], prev = l->prev[unit];

	if (!listed(l, unit))
		return;
	*(prev == COORD_NONE ? &l->head : &l->next[prev]) = next;
	*(next == COORD_NONE ? &l->tail : &l->prev[next]) = prev;
	l->next[unit] = l->prev[unit] = unit;
}

void cli_statusline_feed(struct cli_statusline *l, const struct coord_transition *tr)
{
	uint32_t unit = tr->unit;

	if (tr->run != l->tally->run)
		return;
	l->changed = true;
	if (tr->kind == COORD_T_UNIT_RETRY_WAIT && l->waiting != COORD_NONE && tr->unit < l->tally->count &&
	    l->tally->units[tr->unit].due_us < l->tally->units[l->waiting].due_us)
		l->waiting = tr->unit;
	if (cli_tally_ended(l->tally) != l->ended) {
		l->ended = cli_tally_ended(l->tally);
		l->end_us = rv_max_u64(rv_sat_sub(tr->real_us, l->real_offset), l->start_us);
	}
	if (l->mode != CLI_LINE_LIVE || unit == COORD_NONE || unit > l->tally->count)
		return;
	if (tr->kind == COORD_T_UNIT_STARTED)
		list_append(l, unit);
	else if (l->tally->units[unit].state != COORD_UNIT_ACTIVE)
		list_remove(l, unit);
}

/* --- the text ----------------------------------------------------------------------------------------------------------- */

uint64_t cli_eta_us(uint64_t took_us, uint64_t since_us, uint32_t ended, uint32_t left)
{
	if (!ended || took_us + since_us < RV_US_PER_S)
		return 0;
	return rv_sat_sub((uint64_t)((double)took_us / ended * left), since_us); /* shown only */
}

static void put_eta(const struct cli_statusline *l, uint64_t now_us, struct rv_buf *out)
{
	uint32_t ended = cli_tally_ended(l->tally), here = ended - (uint32_t)rv_min_u64(ended, l->ended_before);
	uint64_t eta_us = cli_eta_us(rv_sat_sub(l->end_us, l->start_us), rv_sat_sub(now_us, l->end_us), here, l->tally->count - ended);

	if (!eta_us)
		return;
	(void)rv_buf_puts(out, " eta ~");
	cli_put_duration(out, eta_us);
}

/* What models were used, and who waits for a person: before the slowest, since it costs, or stands still. */
static void put_used(const struct cli_statusline *l, struct rv_buf *out)
{
	const struct cli_tally *t = l->tally;
	uint64_t tokens = rv_max_u64(t->running_tokens, proto_usage_tokens(&t->used));
	uint64_t cost = rv_max_u64(t->running_cost_microusd, proto_usage_cost(&t->used));
	uint32_t held = cli_tally_held(t);
	char room[COORD_UNIT_ID_BYTES];

	if (tokens || cost) {
		(void)rv_buf_puts(out, " | ");
		cli_put_used(out, tokens, cost);
	}
	if (held == COORD_NONE)
		return;
	(void)rv_buf_printf(out, " | held: reeve release %s/", rv_run_id_of(t->run).text);
	cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(t, held, room), out);
}

/* The first unit to be tried again; looked for only where the one that was found before waits no more. */
static uint32_t find_waiting(struct cli_statusline *l)
{
	const struct cli_tally *t = l->tally;

	if (!t->in_state[COORD_UNIT_RETRY_WAIT])
		return COORD_NONE;
	if (l->waiting < t->count && t->units[l->waiting].state == COORD_UNIT_RETRY_WAIT)
		return l->waiting;
	l->waiting = COORD_NONE;
	for (uint32_t i = 0; i < t->count; i++)
		if (t->units[i].state == COORD_UNIT_RETRY_WAIT && (l->waiting == COORD_NONE || t->units[i].due_us < t->units[l->waiting].due_us))
			l->waiting = i;
	return l->waiting;
}

/* Who is told to come back later, and when; what tries again in a moment is not worth a word. */
static void put_waiting(struct cli_statusline *l, uint64_t now_us, struct rv_buf *out)
{
	uint32_t unit = find_waiting(l), others = l->tally->in_state[COORD_UNIT_RETRY_WAIT] - 1;
	const struct cli_unit *u = &l->tally->units[unit == COORD_NONE ? 0 : unit];
	char room[COORD_UNIT_ID_BYTES];

	if (unit == COORD_NONE || u->due_us < now_us + l->real_offset + WAITS_FROM_US)
		return;
	(void)rv_buf_puts(out, " | ");
	cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(l->tally, unit, room), out);
	(void)rv_buf_puts(out, ": ");
	cli_put_retry_wait(u, now_us + l->real_offset, out);
	if (others)
		(void)rv_buf_printf(out, ", %u more wait%s", others, others == 1 ? "s" : "");
}

static void put_slowest(const struct cli_statusline *l, uint64_t now_us, struct rv_buf *out)
{
	const struct cli_unit *u;
	char room[COORD_UNIT_ID_BYTES];
	uint64_t age;

	if (l->mode != CLI_LINE_LIVE || l->head == COORD_NONE)
		return;
	u = &l->tally->units[l->head];
	age = rv_sat_sub(now_us + l->real_offset, u->start_us);
	if (age < SLOWEST_AFTER_US)
		return;
	(void)rv_buf_puts(out, " | slowest: ");
	cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(l->tally, l->head, room), out);
	(void)rv_buf_putc(out, ' ');
	cli_put_duration(out, age);
	if (cli_tally_node_name(l->tally, u->node).bytes) {
		(void)rv_buf_puts(out, " @");
		cli_text_safe(CLI_TEXT_CELL, cli_tally_node_name(l->tally, u->node), out);
	}
}

void cli_statusline_text(struct cli_statusline *l, uint64_t now_us, uint32_t columns, struct rv_buf *out)
{
	const struct cli_tally *t = l->tally;
	uint32_t run = t->in_state[COORD_UNIT_ACTIVE];
	size_t before = out->bytes;

	(void)rv_buf_printf(out, "[ %u/%u ok %u fail %u run %u wait ] ", t->in_state[COORD_UNIT_SUCCEEDED], t->count,
			    t->in_state[COORD_UNIT_FAILED], run, t->count - cli_tally_ended(t) - run);
	cli_put_duration(out, now_us - l->start_us);
	put_eta(l, now_us, out);
	put_used(l, out);
	put_waiting(l, now_us, out);
	put_slowest(l, now_us, out);
	if (columns && !out->failed) {
		struct rv_str line = rv_str(out->at + before, out->bytes - before);

		out->bytes = before + cli_text_cut(line, columns - 1);
		out->at[out->bytes] = '\0';
	}
}

/* --- drawing -------------------------------------------------------------------------------------------------------------- */

/* A job in the background, to which the prompt does not belong. A terminal that is nobody's (ENOTTY) may be drawn on. */
static bool in_background(const struct cli_statusline *l)
{
	pid_t front = l->mode == CLI_LINE_LIVE ? tcgetpgrp(l->fd) : -1;

	return front >= 0 && front != getpgrp();
}

static void draw(struct cli_statusline *l, uint64_t now_us)
{
	if (in_background(l)) {
		l->drawn = l->changed = false; /* what stood there has become the shell's */
		l->next_us = now_us + LIVE_US;
		return;
	}
	rv_buf_reset(&l->buf);
	if (l->mode == CLI_LINE_LIVE)
		(void)rv_buf_puts(&l->buf, CLEAR_LINE);
	cli_statusline_text(l, now_us, l->mode == CLI_LINE_LIVE ? cli_columns(l->fd) : 0, &l->buf);
	if (l->mode == CLI_LINE_PLAIN)
		(void)rv_buf_putc(&l->buf, '\n');
	(void)cli_write_all(l->fd, l->buf.at, l->buf.bytes); /* talk: nobody depends on it */
	l->drawn = l->mode == CLI_LINE_LIVE;
	l->changed = false;
	l->next_us = now_us + (l->mode == CLI_LINE_LIVE ? LIVE_US : PLAIN_US);
}

void cli_statusline_tick(struct cli_statusline *l, uint64_t now_us)
{
	if (l->mode == CLI_LINE_OFF || now_us < l->next_us)
		return;
	if (l->changed || (l->mode == CLI_LINE_LIVE && now_us >= l->next_us + TICK_US - LIVE_US))
		draw(l, now_us);
}

uint64_t cli_statusline_next(const struct cli_statusline *l)
{
	if (l->mode == CLI_LINE_OFF)
		return RV_NEVER;
	if (l->changed)
		return l->next_us;
	return l->mode == CLI_LINE_LIVE ? l->next_us + TICK_US - LIVE_US : RV_NEVER;
}

static void clear(struct cli_statusline *l)
{
	if (!in_background(l))
		(void)cli_write_all(l->fd, CLEAR_LINE, sizeof(CLEAR_LINE) - 1);
	l->drawn = false;
}

void cli_statusline_print(struct cli_statusline *l, int fd, struct rv_str lines)
{
	if (l->drawn) {
		clear(l);
		l->changed = true;
	}
	(void)cli_write_all(fd, lines.at, lines.bytes);
}

void cli_statusline_end(struct cli_statusline *l)
{
	if (l->drawn)
		clear(l);
	l->mode = CLI_LINE_OFF;
	free(l->next);
	free(l->prev);
	l->next = l->prev = NULL;
	rv_buf_release(&l->buf);
}
