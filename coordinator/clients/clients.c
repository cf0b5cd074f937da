/* clients.c - life, messages to those who answer them, answers (clients.h) */
#include "private.h"

#include "common/check.h"
#include "common/map.h"
#include "common/os/clock.h"
#include "common/plan/plan.h"
#include "coordinator/access.h"

#include <stdlib.h>

enum {
	SAID_PEERS = 256,    /* a table of bytes said in this turn: peers that share a place share its bound, too */
	REQUEST_BYTES = 256, /* that a request counts for, however short its answer */
	SCAN_BYTES = 65536,  /* ... one that looks through rows of the journal */
	NAMED_BYTES = 1,     /* ... each template of a run that a unit is looked for among */
	BEGUN_BYTES = 4,     /* ... each unit of it, where only the beginning of an id can be meant */
};
_Static_assert((size_t)RV_UNITS_MAX * (NAMED_BYTES + BEGUN_BYTES) < RV_CLIENT_ANSWER_BYTES / 4 * 3, "the largest run can be looked through in a turn");

struct said {
	size_t bytes[SAID_PEERS];
	bool any;
};

struct clients {
	struct coord_clients c; /* first: what the other files see */
	struct said said;
};

int coord_clients_create(struct coord_clients **out, const struct coord_clients_config *cfg, struct rv_err *err)
{
	struct clients *all = calloc(1, sizeof *all);
	struct coord_clients *c = &all->c;

	if (!all)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for serving clients");
	c->cfg = *cfg;
	rv_buf_init(&c->text, 0);
	if ((cfg->duty == COORD_SERVES_ALL && intake_create(c, &c->intake, err) < 0) || facts_create(c, &c->facts, err) < 0 ||
	    pieces_create(c, &c->pieces, err) < 0 || logs_create(c, &c->logs, err) < 0) {
		coord_clients_destroy(&c);
		return -1;
	}
	*out = c;
	return 0;
}

int coord_clients_serve(struct coord_clients *c, struct coord_shell *shell, uint64_t now_us, struct rv_err *err)
{
	c->shell = shell;
	facts_durable(c->facts, journal_durable(coord_shell_journal(shell)));
	return c->intake ? intake_serve(c->intake, now_us, err) : 0;
}

void coord_clients_listening(struct coord_clients *c, const uint8_t *server_key, const char *const *endpoints, uint32_t endpoint_count)
{
	c->server_key = server_key;
	c->endpoints = endpoints;
	c->endpoint_count = endpoint_count;
}

void coord_clients_destroy(struct coord_clients **cp)
{
	struct coord_clients *c = *cp;

	if (!c)
		return;
	intake_destroy(&c->intake);
	facts_destroy(&c->facts);
	pieces_destroy(&c->pieces);
	logs_destroy(&c->logs);
	rv_buf_release(&c->text);
	free(c);
	*cp = NULL;
}

/* --- answers ---------------------------------------------------------------------------------------------------------------- */

void clients_refuse_text(struct coord_clients *c, struct asker to, enum rv_code code, struct rv_str message, struct rv_str hint)
{
	struct proto_msg m = { .kind = PROTO_REFUSED };

	if (message.bytes > PROTO_MESSAGE_BYTES_MAX) /* not within a character */
		for (message.bytes = PROTO_MESSAGE_BYTES_MAX; message.bytes && ((uint8_t)message.at[message.bytes] & 0xc0) == 0x80;)
			message.bytes--;
	m.refused = (struct proto_refused){ .request = to.request, .code = (uint32_t)code, .message = message, .hint = hint };
	c->stats.refused++;
	if (clients_may_say(c, to.peer, message.bytes + 64))
		(void)coord_shell_say(c->shell, to.peer, &m, COORD_SAY_NOW);
}

void clients_refuse(struct coord_clients *c, struct asker to, const struct rv_err *err)
{
	clients_refuse_text(c, to, err->code, rv_str_of(err->msg), rv_str_of(err->hint));
}

bool clients_may_say(struct coord_clients *c, uint64_t peer, size_t bytes)
{
	struct said *said = &((struct clients *)(void *)c)->said;
	size_t *place = &said->bytes[rv_hash_u64(0, peer) % SAID_PEERS];

	if (*place + bytes > RV_CLIENT_ANSWER_BYTES)
		return false;
	*place += bytes;
	said->any = true;
	return true;
}

/* How many units' ids begin so, 2: two or more; *unit is the one, where there is one. */
static uint32_t find_beginning(const struct coord_graph *g, struct rv_str id, uint32_t *unit)
{
	uint32_t units = coord_graph_unit_count(g), matches = 0;
	char room[COORD_UNIT_ID_BYTES];

	for (uint32_t i = 0; i < units && matches < 2; i++) {
		struct rv_str whole = coord_graph_unit_id(g, i, room);

		if (whole.bytes < id.bytes || memcmp(whole.at, id.at, id.bytes) != 0)
			continue;
		*unit = i;
		matches++;
	}
	if (matches != 1)
		*unit = COORD_NONE;
	return matches;
}

/* A frame has room for ten thousands of requests, and to look costs time even where there is nothing to tell: of one peer a bounded number
 * a turn. Whoever waits for its answers never has so many. */
static bool too_many(struct coord_clients *c, uint64_t peer, const struct proto_msg *m)
{
	if ((m->kind != PROTO_ASK && m->kind != PROTO_FACTS && m->kind != PROTO_LOG) ||
	    clients_may_say(c, peer, m->kind == PROTO_FACTS ? SCAN_BYTES : REQUEST_BYTES))
		return false;
	c->stats.refused++;
	return true;
}

static int may_look(struct coord_clients *c, uint64_t peer, size_t bytes, struct rv_err *err)
{
	if (clients_may_say(c, peer, bytes))
		return 0;
	(void)rv_fail(err, RV_E_BUSY, "too many units are being looked for at once");
	return rv_hint(err, "try again");
}

const struct coord_graph *clients_find_unit(struct coord_clients *c, uint64_t peer, uint64_t run, struct rv_str id, uint32_t *unit, struct rv_err *err)
{
	const struct coord_graph *g = coord_run_graph(coord_shell_core(c->shell), run);
	uint32_t count = 0;

	*unit = COORD_NONE;
	if (!g && coord_runlist_find(coord_shell_runs(c->shell), run)) {
		(void)rv_fail(err, RV_E_CONFLICT, "run %s ended long ago and is not in the coordinator's memory any more", rv_run_id_of(run).text);
		(void)rv_hint(err, "status and events still show it; submit the plan again to run it again");
		return NULL;
	}
	if (!g) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(run).text);
		return NULL;
	}
	if (!id.bytes)
		return g;
	if (rv_str_equal(id, RV_STR(PLAN_VERIFY_ID)) && coord_graph_verify_spec(g).bytes) {
		*unit = coord_graph_unit_count(g);
		return g;
	}
	if (!coord_graph_open(g) && may_look(c, peer, (size_t)coord_graph_template_count(g) * NAMED_BYTES, err) < 0)
		return NULL;
	*unit = coord_graph_find(g, id, &count);
	if (*unit == COORD_NONE && may_look(c, peer, (size_t)coord_graph_unit_count(g) * BEGUN_BYTES, err) < 0)
		return NULL;
	if (*unit == COORD_NONE && (count = find_beginning(g, id, unit)) > 1) {
		(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" could be more than one unit of run %s", RV_STR_ARGS(id), rv_run_id_of(run).text);
		return NULL;
	}
	if (*unit == COORD_NONE) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "there is no unit \"%.*s\" in run %s", RV_STR_ARGS(id), rv_run_id_of(run).text);
		(void)rv_hint(err, "`reeve status %s -o name` lists its units", rv_run_id_of(run).text);
		return NULL;
	}
	if (count > 1) {
		(void)rv_fail(err, RV_E_USAGE, "\"%.*s\" stands for %u units", RV_STR_ARGS(id), count);
		(void)rv_hint(err, "name one of them: `reeve status %s` lists them", rv_run_id_of(run).text);
		return NULL;
	}
	return g;
}

/* --- messages ------------------------------------------------------------------------------------------------------------------ */

static void not_served(struct coord_clients *c, struct asker to)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_UNSUPPORTED, "this is a `reeve run`, which runs one plan and lets nobody in");
	(void)rv_hint(&err, "`reeve coordinator` takes plans and nodes");
	clients_refuse(c, to, &err);
}

/* The request number of a message that is answered; false: none is. */
static bool asker_of(uint64_t peer, const struct proto_msg *m, struct asker *out)
{
	out->peer = peer;
	switch (m->kind) {
	case PROTO_ENROL:
	case PROTO_ASK:
	case PROTO_FACTS:
	case PROTO_ACT:
	case PROTO_SUBMIT_BEGIN:
	case PROTO_SUBMIT_DATA:
	case PROTO_SUBMIT_COMMIT:
	case PROTO_LOG:
	case PROTO_TOKEN_CREATE:
	case PROTO_REVOKE:
		/* `request` is the first member of all of them */
		out->request = m->ask.request;
		return true;
	default:
		return false;
	}
}

_Static_assert(offsetof(struct proto_enrol, request) == 0 && offsetof(struct proto_ask, request) == 0 && offsetof(struct proto_facts, request) == 0 &&
		       offsetof(struct proto_act, request) == 0 && offsetof(struct proto_submit_begin, request) == 0 &&
		       offsetof(struct proto_submit_data, request) == 0 && offsetof(struct proto_submit_commit, request) == 0 &&
		       offsetof(struct proto_log, request) == 0 && offsetof(struct proto_token_create, request) == 0 &&
		       offsetof(struct proto_revoke, request) == 0,
	       "asker_of() reads them alike");

void coord_clients_on_message(struct coord_clients *c, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	uint64_t now_us = rv_clock_boottime_us(), real_us = rv_clock_realtime_us();
	struct asker from;

	c->stats.requests++;
	if (too_many(c, peer, m))
		return;
	switch (m->kind) {
	case PROTO_ASK:
		rows_ask(c, peer, &m->ask, real_us);
		return;
	case PROTO_FACTS:
		facts_ask(c->facts, peer, &m->facts, now_us);
		return;
	case PROTO_ACT:
		act_do(c, peer, &m->act, now_us, real_us);
		return;
	case PROTO_LOG:
		logs_ask(c->logs, peer, &m->log, now_us);
		return;
	case PROTO_LOG_CHUNK:
		logs_chunk(c->logs, peer, &m->log_piece, now_us);
		return;
	case PROTO_BLOB_GET:
		pieces_get(c->pieces, peer, who, &m->blob_get);
		return;
	case PROTO_BLOB_CHUNK:
		pieces_chunk(c->pieces, peer, &m->blob, now_us);
		return;
	default:
		break;
	}
	if (c->cfg.duty == COORD_SERVES_ONE_RUN) {
		if (asker_of(peer, m, &from))
			not_served(c, from);
		return;
	}
	switch (m->kind) {
	case PROTO_SUBMIT_BEGIN:
		intake_begin(c->intake, peer, &m->submit_begin, now_us);
		return;
	case PROTO_SUBMIT_DATA:
		intake_data(c->intake, peer, &m->submit_data, now_us);
		return;
	case PROTO_SUBMIT_COMMIT:
		intake_commit(c->intake, peer, &m->submit_commit, now_us);
		return;
	case PROTO_TOKEN_CREATE:
		admit_token_create(c, peer, &m->token_create, real_us);
		return;
	case PROTO_REVOKE:
		admit_revoke(c, peer, &m->revoke, now_us, real_us);
		return;
	case PROTO_ENROL:
		admit_enrol(c, peer, who, &m->enrol, real_us);
		return;
	default:
		rv_check(!"a message of a kind that nobody serves");
	}
}

void coord_clients_on_denied(struct coord_clients *c, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	struct asker from;
	struct rv_err err;

	c->stats.denied++;
	if (!who->roles || !asker_of(peer, m, &from))
		return; /* whoever was revoked, or is no client, is told nothing */
	(void)rv_fail(&err, RV_E_DENIED, "%s is not for the role of this key", proto_msg_name(m->kind));
	clients_refuse(c, from, &err);
}

bool coord_clients_on_result(struct coord_clients *c, uint64_t peer, const struct proto_msg *m)
{
	return pieces_result(c->pieces, peer, m, rv_clock_boottime_us());
}

/* --- what the shell tells -------------------------------------------------------------------------------------------------------- */

void coord_clients_on_fact(struct coord_clients *c, const struct proto_fact *f, uint64_t real_us, bool replayed)
{
	(void)replayed;
	if (c->cfg.access)
		coord_access_apply(c->cfg.access, f, real_us);
	if (c->intake)
		intake_on_fact(c->intake, f);
	logs_on_fact(c->logs, f);
}

void coord_clients_on_transition(struct coord_clients *c, const struct coord_transition *t, uint64_t position, bool replayed)
{
	if (replayed)
		return;
	facts_note(c->facts, t, position);
	if (t->kind == COORD_T_NODE_JOINED || t->kind == COORD_T_NODE_LEFT || t->kind == COORD_T_NODE_LOST)
		pieces_nodes_changed(c->pieces);
}

void coord_clients_on_run_gone(struct coord_clients *c, uint64_t run)
{
	logs_run_gone(c->logs, run);
}

void coord_clients_on_reply(struct coord_clients *c, uint64_t client, bool done_before, uint32_t changed)
{
	(void)client; /* mutations are stepped one at a time, and answered in their step */
	act_replied(c, done_before, changed);
}

void coord_clients_durable(struct coord_clients *c, uint64_t position)
{
	facts_durable(c->facts, position);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------------------- */

void coord_clients_turn(struct coord_clients *c, uint64_t now_us, uint64_t real_us)
{
	struct said *said = &((struct clients *)(void *)c)->said;

	if (c->intake)
		intake_turn(c->intake, now_us, real_us);
	pieces_turn(c->pieces, now_us, real_us);
	logs_turn(c->logs, now_us);
	facts_turn(c->facts, now_us);
	if (said->any)
		*said = (struct said){ 0 };
}

uint64_t coord_clients_next_deadline(const struct coord_clients *c)
{
	uint64_t next = rv_min_u64(facts_next_deadline(c->facts), logs_next_deadline(c->logs));

	if (c->intake)
		next = rv_min_u64(next, intake_next_deadline(c->intake));
	return rv_min_u64(next, pieces_next_deadline(c->pieces));
}

int coord_clients_fd(const struct coord_clients *c)
{
	return c->intake ? intake_fd(c->intake) : -1;
}

void coord_clients_stats(const struct coord_clients *c, struct coord_clients_stats *out)
{
	*out = c->stats;
	out->waiting = facts_waiting(c->facts);
}
