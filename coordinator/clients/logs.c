/* logs.c - pieces of logs, asked of the node that has them (clients.h)
 *
 *	LOG --> the attempt's node: LOG_WANTED --> LOG_CHUNK --> LOG_BYTES
 *	         nothing new yet: asked again every POLL_US until the client's wait is over
 *	         an attempt before the newest: every node that is here, one after the other, for nobody keeps where those ran
 *	         the node is here and has no log of it: it printed nothing, for only what prints has one, and logs are never removed
 *	         the node is gone, or does not answer: the tail that came with its result, if one did
 */
#include "private.h"

#include "common/check.h"
#include "common/os/blobs.h"
#include "common/plan/plan.h"
#include "coordinator/outputs.h"

#include <stdlib.h>

enum { POLL_US = 100000 };

enum log_state { LOG_FREE, LOG_ASKED, LOG_SLEEPS };

struct relay {
	enum log_state state;
	uint64_t number;      /* of our LOG_WANTED */
	struct asker asker;
	uint64_t run;
	uint32_t unit, attempt, stream, bytes_max;
	uint64_t offset;
	uint32_t node;        /* that was asked */
	uint32_t others;      /* of an old attempt: the next node to ask; COORD_NONE: only its own */
	uint64_t until_us;    /* the client waits */
	uint64_t due_us;      /* an answer, or the next look */
};

struct logs {
	struct coord_clients *c;
	struct coord_outputs *tails; /* of the newest attempts that failed */
	struct relay relays[RV_CLIENT_LOGS_MAX];
	uint32_t used;
	uint64_t numbers;
	bool no_memory;
};

int logs_create(struct coord_clients *c, struct logs **out, struct rv_err *err)
{
	struct logs *l = calloc(1, sizeof *l);

	if (l) {
		l->c = c;
		l->tails = coord_outputs_create();
	}
	if (!l || !l->tails) {
		logs_destroy(&l);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for passing logs on");
	}
	*out = l;
	return 0;
}

void logs_destroy(struct logs **lp)
{
	if (!*lp)
		return;
	coord_outputs_destroy(&(*lp)->tails);
	free(*lp);
	*lp = NULL;
}

static void note_tail(struct logs *l, struct proto_attempt_key key, const struct proto_result *r)
{
	struct coord_output tail = { .value = r->tail, .attempt = key.attempt };
	struct rv_err err;

	/* without it a departed node's last words cannot be shown: no reason to stop */
	if (r->tail.kind != PROTO_VALUE_NONE && coord_outputs_set(l->tails, key.run, key.unit, &tail, &err) < 0)
		l->no_memory = true;
}

void logs_on_fact(struct logs *l, const struct proto_fact *f)
{
	if (f->kind == PROTO_FACT_ENDED)
		note_tail(l, f->ended.key, &f->ended.result);
	else if (f->kind == PROTO_FACT_ATTEMPT_ENDED)
		note_tail(l, f->attempt_ended.key, &f->attempt_ended.result);
}

void logs_run_gone(struct logs *l, uint64_t run)
{
	coord_outputs_drop_run(l->tails, run);
}

/* --- answers ---------------------------------------------------------------------------------------------------------------------- */

static void say_piece(struct logs *l, const struct relay *r, const struct proto_log_piece *piece)
{
	struct proto_msg m = { .kind = PROTO_LOG_BYTES };

	m.log_piece = *piece;
	m.log_piece.request = r->asker.request;
	m.log_piece.attempt = r->attempt;
	if (clients_may_say(l->c, r->asker.peer, piece->bytes.bytes + 64))
		(void)coord_shell_say(l->c->shell, r->asker.peer, &m, COORD_SAY_NOW);
}

static void end(struct logs *l, struct relay *r)
{
	r->state = LOG_FREE;
	l->used--;
}

static int tail_bytes(struct logs *l, const struct coord_output *tail, struct rv_buf *out)
{
	struct rv_err err;

	if (tail->value.kind == PROTO_VALUE_INLINE)
		return rv_buf_put_str(out, tail->value.inline_bytes);
	return rv_blobs_get_all(l->c->cfg.blobs, tail->value.digest, RV_LOG_TAIL_BYTES, out, &err);
}

/* What is left of a log whose node cannot be asked. */
static void say_tail(struct logs *l, struct relay *r)
{
	const struct coord_output *tail = coord_outputs_get(l->tails, r->run, r->unit);
	struct proto_log_piece piece = { .ended = true, .tail_only = true };
	struct rv_buf *text = &l->c->text;
	size_t from, bytes;

	rv_buf_reset(text);
	if (tail && tail->attempt == r->attempt && tail_bytes(l, tail, text) == 0) {
		piece.known = true;
		if (r->offset == UINT64_MAX)
			from = text->bytes > r->bytes_max ? text->bytes - r->bytes_max : 0;
		else
			from = r->offset < text->bytes ? (size_t)r->offset : text->bytes;
		bytes = rv_min_u64(text->bytes - from, r->bytes_max);
		piece.offset = from;
		piece.next = from + bytes;
		piece.ended = piece.next == text->bytes;
		if (piece.ended && r->offset != UINT64_MAX && r->offset > text->bytes) /* who had read further on its node gets no more, and does not go back */
			piece.offset = piece.next = r->offset;
		piece.bytes = rv_str(text->at + from, bytes);
	}
	say_piece(l, r, &piece);
	end(l, r);
}

/* Nothing, of an attempt that has printed nothing. */
static void say_nothing(struct logs *l, struct relay *r, bool ended_too)
{
	struct proto_log_piece piece = { .known = true, .ended = ended_too, .offset = r->offset, .next = r->offset };

	if (r->offset == UINT64_MAX)
		piece.offset = piece.next = 0;
	say_piece(l, r, &piece);
	end(l, r);
}

/* --- asking -------------------------------------------------------------------------------------------------------------------------- */

static void ask_node(struct logs *l, struct relay *r, uint64_t peer, uint64_t now_us)
{
	const struct coord_graph *g = coord_run_graph(coord_shell_core(l->c->shell), r->run);
	struct proto_msg m = { .kind = PROTO_LOG_WANTED };
	char room[COORD_UNIT_ID_BYTES];

	r->number = ++l->numbers;
	r->state = LOG_ASKED;
	r->due_us = now_us + RV_CLIENT_LOG_US;
	m.log_wanted = (struct proto_log_wanted){ .request = r->number,
						  .run = r->run,
						  .unit = r->unit,
						  .attempt = r->attempt,
						  .stream = r->stream,
						  .offset = r->offset,
						  .bytes_max = r->bytes_max };
	if (g)
		m.log_wanted.unit_id = r->unit < coord_graph_unit_count(g) ? coord_graph_unit_id(g, r->unit, room) : RV_STR(PLAN_VERIFY_ID);
	(void)coord_shell_say(l->c->shell, peer, &m, COORD_SAY_NOW);
}

/* The next node that an old attempt may have run on; false: none is left. */
static bool ask_another(struct logs *l, struct relay *r, uint64_t now_us)
{
	const struct coord *core = coord_shell_core(l->c->shell);

	while (r->others != COORD_NONE && r->others < coord_node_count(core)) {
		uint32_t node = r->others++;
		uint64_t peer = coord_node_peer(core, node);

		if (!peer)
			continue;
		r->node = node;
		ask_node(l, r, peer, now_us);
		return true;
	}
	return false;
}

static void sleep_a_while(struct relay *r, uint64_t now_us)
{
	r->state = LOG_SLEEPS;
	r->due_us = rv_min_u64(r->until_us, now_us + POLL_US);
}

/* Looks where the attempt is now, and asks there. */
static void look(struct logs *l, struct relay *r, uint64_t now_us)
{
	const struct coord *core = coord_shell_core(l->c->shell);
	const struct coord_graph *g = coord_run_graph(core, r->run);
	struct proto_log_piece none = { .known = false };
	struct coord_unit_view v;
	uint64_t peer;

	if (!g) {
		say_tail(l, r);
		return;
	}
	coord_unit_view(core, r->run, r->unit, &v);
	if (r->attempt == 0 || r->attempt > v.attempt) {
		if (v.attempt) {
			r->attempt = v.attempt;
		} else if (now_us < r->until_us && v.state < COORD_UNIT_SUCCEEDED) {
			sleep_a_while(r, now_us); /* it has not begun */
			return;
		} else {
			none.ended = v.state >= COORD_UNIT_SUCCEEDED;
			say_piece(l, r, &none);
			end(l, r);
			return;
		}
	}
	if (r->attempt < v.attempt) {
		r->others = 0;
		if (!ask_another(l, r, now_us))
			say_tail(l, r);
		return;
	}
	r->node = v.node;
	peer = v.node == COORD_NONE ? 0 : coord_node_peer(core, v.node);
	if (peer)
		ask_node(l, r, peer, now_us);
	else if (v.state == COORD_UNIT_ACTIVE && now_us < r->until_us)
		sleep_a_while(r, now_us); /* its node may come back */
	else
		say_tail(l, r);
}

void logs_ask(struct logs *l, uint64_t peer, const struct proto_log *m, uint64_t now_us)
{
	struct asker from = { peer, m->request };
	struct relay *r = NULL;
	struct rv_err err = { 0 };
	uint32_t unit;

	if (!m->unit.bytes) {
		(void)rv_fail(&err, RV_E_USAGE, "a unit is missing: RUN/UNIT");
		clients_refuse(l->c, from, &err);
		return;
	}
	if (!clients_find_unit(l->c, peer, m->run, m->unit, &unit, &err)) {
		clients_refuse(l->c, from, &err);
		return;
	}
	for (uint32_t i = 0; i < RV_CLIENT_LOGS_MAX && !r; i++)
		if (l->relays[i].state == LOG_FREE)
			r = &l->relays[i];
	if (!r) {
		(void)rv_fail(&err, RV_E_BUSY, "%u logs are being asked for; that is the limit", RV_CLIENT_LOGS_MAX);
		(void)rv_hint(&err, "try again");
		clients_refuse(l->c, from, &err);
		return;
	}
	l->used++;
	*r = (struct relay){ .asker = from,
			     .run = m->run,
			     .unit = unit,
			     .attempt = m->attempt,
			     .stream = m->stream,
			     .bytes_max = m->bytes_max,
			     .offset = m->offset,
			     .others = COORD_NONE,
			     .until_us = now_us + (uint64_t)m->wait_ms * 1000 };
	r->state = LOG_SLEEPS;
	look(l, r, now_us);
}

/* Is every node here that an old attempt can have run on? */
static bool all_here(const struct coord *core)
{
	for (uint32_t i = 0; i < coord_node_count(core); i++)
		if (!coord_node_peer(core, i))
			return false;
	return true;
}

/* The node that was asked has no log of the attempt. */
static void unknown_there(struct logs *l, struct relay *r, uint64_t now_us)
{
	const struct coord *core = coord_shell_core(l->c->shell);
	struct coord_unit_view v;

	if (ask_another(l, r, now_us))
		return;
	if (r->others != COORD_NONE) {
		if (all_here(core))
			say_nothing(l, r, true);
		else
			say_tail(l, r);
		return;
	}
	if (!coord_run_graph(core, r->run)) {
		say_tail(l, r);
		return;
	}
	coord_unit_view(core, r->run, r->unit, &v);
	if (v.attempt != r->attempt || v.state != COORD_UNIT_ACTIVE)
		say_nothing(l, r, true);
	else if (now_us < r->until_us)
		sleep_a_while(r, now_us); /* on its way there, or it has not begun */
	else
		say_nothing(l, r, false);
}

void logs_chunk(struct logs *l, uint64_t peer, const struct proto_log_piece *m, uint64_t now_us)
{
	const struct coord *core = coord_shell_core(l->c->shell);
	struct relay *r = NULL;

	for (uint32_t i = 0; i < RV_CLIENT_LOGS_MAX && !r; i++)
		if (l->relays[i].state == LOG_ASKED && l->relays[i].number == m->request)
			r = &l->relays[i];
	if (!r || coord_peer_node(core, peer) != r->node)
		return; /* late, or of a node that was not asked */
	if (!m->known) {
		unknown_there(l, r, now_us);
		return;
	}
	if (m->bytes.bytes || m->ended || now_us >= r->until_us) {
		say_piece(l, r, m);
		end(l, r);
		return;
	}
	r->offset = m->next;
	sleep_a_while(r, now_us);
}

void logs_turn(struct logs *l, uint64_t now_us)
{
	for (uint32_t i = 0; i < RV_CLIENT_LOGS_MAX && l->used; i++) {
		struct relay *r = &l->relays[i];

		if (r->state == LOG_FREE || now_us < r->due_us)
			continue;
		if (r->state == LOG_ASKED)
			say_tail(l, r); /* the node has had its time */
		else
			look(l, r, now_us);
	}
}

uint64_t logs_next_deadline(const struct logs *l)
{
	uint64_t next = RV_NEVER;

	for (uint32_t i = 0; i < RV_CLIENT_LOGS_MAX && l->used; i++)
		if (l->relays[i].state != LOG_FREE)
			next = rv_min_u64(next, l->relays[i].due_us);
	return next;
}
