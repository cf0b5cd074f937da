/* rows.c - lists: a JSON object a row, a page a request (clients.h); which keys: proto/PROTOCOL.md, "Rows" */
#include "private.h"

#include "common/check.h"
#include "common/os/host.h"
#include "common/plan/plan.h"
#include "coordinator/access.h"
#include "coordinator/core/explain.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGE_BYTES ((size_t)512 << 10) /* of a page: the next row begins another */

struct page {
	struct rv_buf *text;
	size_t ends[PROTO_ROWS_MAX];
	uint32_t count, limit;
};

static bool page_full(const struct page *p)
{
	return p->count == p->limit || (p->count && p->text->bytes >= PAGE_BYTES);
}

static void row_done(struct page *p)
{
	p->ends[p->count++] = p->text->bytes;
}

static void put_text(struct rv_buf *b, const char *key, struct rv_str value)
{
	(void)rv_buf_printf(b, "\"%s\":", key);
	(void)rv_buf_put_json(b, value);
}

static void put_number(struct rv_buf *b, const char *key, uint64_t value)
{
	(void)rv_buf_printf(b, ",\"%s\":%llu", key, (unsigned long long)value);
}

static void put_more_text(struct rv_buf *b, const char *key, struct rv_str value)
{
	(void)rv_buf_putc(b, ',');
	put_text(b, key, value);
}

static void put_flag(struct rv_buf *b, const char *key, bool value)
{
	(void)rv_buf_printf(b, ",\"%s\":%s", key, value ? "true" : "false");
}

static void answer(struct coord_clients *c, struct asker to, const struct page *p, uint64_t next)
{
	struct proto_msg m = { .kind = PROTO_ROWS };
	struct rv_str *all = calloc(p->count ? p->count : 1, sizeof *all);
	struct rv_err err;
	size_t at = 0;

	if (!all || p->text->failed) {
		(void)rv_fail(&err, RV_E_NO_MEMORY, "no memory for a list");
		clients_refuse(c, to, &err);
	} else if (clients_may_say(c, to.peer, p->text->bytes + 64)) {
		for (uint32_t i = 0; i < p->count; at = p->ends[i++])
			all[i] = rv_str(p->text->at + at, p->ends[i] - at);
		m.rows = (struct proto_rows){ .request = to.request, .next = next, .rows = all, .row_count = p->count };
		coord_shell_say(c->shell, to.peer, &m, COORD_SAY_NOW);
	}
	free(all);
}

/* --- about ------------------------------------------------------------------------------------------------------------------- */

static void put_about(struct coord_clients *c, struct page *p)
{
	const struct coord *core = coord_shell_core(c->shell);
	const struct coord_runlist *runs = coord_shell_runs(c->shell);
	struct coord_shell_stats shell;
	struct coord_clients_stats stats;
	uint32_t live = 0, joined = 0;
	char host[RV_HOST_NAME_MAX + 1];

	coord_shell_stats(c->shell, &shell);
	coord_clients_stats(c, &stats);
	for (uint32_t i = 0; i < runs->count; i++)
		live += !runs->runs[i].finished_us;
	for (uint32_t i = 0; i < coord_node_count(core); i++)
		joined += coord_node_peer(core, i) != 0;
	rv_host_name(host);
	(void)rv_buf_putc(p->text, '{');
	put_text(p->text, "what", rv_str_of(c->cfg.what));
	put_more_text(p->text, "version", rv_str_of(c->cfg.version));
	put_more_text(p->text, "state", RV_STR("serving"));
	put_more_text(p->text, "cluster", coord_shell_cluster(c->shell));
	put_more_text(p->text, "host", rv_str_of(host));
	put_number(p->text, "epoch", coord_shell_epoch(c->shell));
	put_number(p->text, "runs", runs->count);
	put_number(p->text, "runs_live", live);
	put_number(p->text, "nodes", coord_node_count(core));
	put_number(p->text, "nodes_joined", joined);
	put_number(p->text, "frames_in", shell.frames_in);
	put_number(p->text, "frames_bad", shell.frames_bad);
	put_number(p->text, "frames_dropped", shell.frames_dropped);
	put_number(p->text, "messages_refused", shell.messages_refused);
	put_number(p->text, "requests", stats.requests);
	put_number(p->text, "requests_refused", stats.refused);
	put_number(p->text, "requests_waiting", stats.waiting);
	put_number(p->text, "uploads_begun", stats.uploads_begun);
	put_number(p->text, "uploads_taken", stats.uploads_taken);
	put_number(p->text, "uploads_expired", stats.uploads_expired);
	put_number(p->text, "results_kept", stats.results_kept);
	put_number(p->text, "results_dropped", stats.results_dropped);
	(void)rv_buf_putc(p->text, '}');
	row_done(p);
}

/* --- runs ---------------------------------------------------------------------------------------------------------------------- */

static void put_run(struct coord_clients *c, struct page *p, const struct journal_run *r)
{
	const struct coord *core = coord_shell_core(c->shell);
	uint64_t run = rv_run_id_number(rv_str_of(r->run.text));
	struct coord_run_counts n;

	(void)rv_buf_putc(p->text, '{');
	put_text(p->text, "run", rv_str_of(r->run.text));
	put_more_text(p->text, "name", r->name);
	put_more_text(p->text, "state", r->state);
	put_more_text(p->text, "reason", r->reason);
	put_number(p->text, "created_us", r->created_us);
	put_number(p->text, "finished_us", r->finished_us);
	put_number(p->text, "total", r->total);
	put_number(p->text, "succeeded", r->succeeded);
	put_number(p->text, "failed", r->failed);
	put_number(p->text, "skipped", r->skipped);
	put_number(p->text, "cancelled", r->cancelled);
	if (coord_run_graph(core, run)) {
		coord_run_counts(core, run, &n);
		put_number(p->text, "pending", n.pending);
		put_number(p->text, "ready", n.ready);
		put_number(p->text, "active", n.active);
		put_number(p->text, "retry_wait", n.retry_wait);
		put_number(p->text, "held", n.held);
		put_number(p->text, "retries", n.retries);
		put_number(p->text, "node_lost", n.node_lost);
	}
	put_flag(p->text, "in_memory", coord_run_graph(core, run) != NULL);
	(void)rv_buf_putc(p->text, '}');
	row_done(p);
}

static uint64_t put_runs(struct coord_clients *c, struct page *p, const struct proto_ask *m)
{
	const struct coord_runlist *runs = coord_shell_runs(c->shell);
	const struct journal_run *one = m->run ? coord_runlist_find(runs, m->run) : NULL;

	if (m->run) {
		if (one)
			put_run(c, p, one);
		return 0;
	}
	for (uint64_t i = m->cursor; i < runs->count; i++) {
		if (page_full(p))
			return i;
		put_run(c, p, &runs->runs[i]);
	}
	return 0;
}

/* --- nodes --------------------------------------------------------------------------------------------------------------------------- */

static void put_labels(struct rv_buf *b, const struct coord_node_view *v)
{
	const char *at = v->labels;

	(void)rv_buf_puts(b, ",\"labels\":{");
	for (uint32_t i = 0; i < v->label_count; i++) {
		if (i)
			(void)rv_buf_putc(b, ',');
		(void)rv_buf_put_json(b, rv_str_of(at));
		at += strlen(at) + 1;
		(void)rv_buf_putc(b, ':');
		(void)rv_buf_put_json(b, rv_str_of(at));
		at += strlen(at) + 1;
	}
	(void)rv_buf_putc(b, '}');
}

static void put_node(struct coord_clients *c, struct page *p, uint32_t node)
{
	static const char *const standing[] = { [COORD_NODE_AWAY] = "away", [COORD_NODE_JOINED] = "joined", [COORD_NODE_SUSPECT] = "suspect",
						[COORD_NODE_REMOVED] = "removed" };
	const struct coord *core = coord_shell_core(c->shell);
	uint8_t hash[PROTO_DIGEST_BYTES];
	char hex[2 * PROTO_DIGEST_BYTES + 1];
	struct coord_node_view v;

	coord_node_view(core, node, &v);
	coord_node_key(core, node, hash);
	rv_hex(hex, hash, sizeof hash);
	(void)rv_buf_putc(p->text, '{');
	put_text(p->text, "name", coord_node_name(core, node));
	put_more_text(p->text, "state", rv_str_of(standing[v.standing]));
	put_flag(p->text, "draining", v.draining);
	put_more_text(p->text, "health", rv_str_of(v.health));
	put_more_text(p->text, "key", rv_str_of(hex));
	put_number(p->text, "node", node);
	put_number(p->text, "slots", v.slots);
	put_number(p->text, "slots_used", v.slots_used);
	put_number(p->text, "agent_slots", v.agent_slots);
	put_number(p->text, "agent_slots_used", v.agent_used);
	put_number(p->text, "attempts", v.attempts);
	put_number(p->text, "failures_row", v.failures_row);
	put_number(p->text, "probes", v.probes);
	put_number(p->text, "heard_ago_us", v.heard_us);
	put_number(p->text, "heartbeat_us", v.heartbeat_us);
	put_number(p->text, "rtt_us", v.rtt_us);
	put_number(p->text, "incarnation", v.incarnation);
	put_number(p->text, "memory_bytes", v.memory_bytes);
	put_more_text(p->text, "kill_level", rv_str_of(v.kill_level));
	put_labels(p->text, &v);
	(void)rv_buf_putc(p->text, '}');
	row_done(p);
}

static uint64_t put_nodes(struct coord_clients *c, struct page *p, uint64_t cursor)
{
	uint32_t count = coord_node_count(coord_shell_core(c->shell));

	for (uint64_t i = cursor; i < count; i++) {
		if (page_full(p))
			return i;
		put_node(c, p, (uint32_t)i);
	}
	return 0;
}

/* --- explain: a row an obstacle ------------------------------------------------------------------------------------------------------------ */

struct explaining {
	struct coord_clients *c;
	struct page *p;
	uint64_t run;
};

static void put_unit(struct explaining *x, const char *key, uint64_t run, uint32_t unit)
{
	const struct coord_graph *g = coord_run_graph(coord_shell_core(x->c->shell), run);
	char room[COORD_UNIT_ID_BYTES];

	if (unit == COORD_NONE || !g)
		return;
	put_more_text(x->p->text, key, unit >= coord_graph_unit_count(g) ? RV_STR(PLAN_VERIFY_ID) : coord_graph_unit_id(g, unit, room));
	if (run != x->run)
		put_more_text(x->p->text, "of_run", rv_str_of(rv_run_id_of(run).text));
}

/* What a person reads of a node. */
static const char *node_sentence(enum coord_node_why why)
{
	static const char *const sentences[] = {
		[COORD_WHY_FITS] = "has room: the unit is its run's next in line, or another unit goes first",
		[COORD_WHY_REMOVED] = "was removed",
		[COORD_WHY_AWAY] = "is away",
		[COORD_WHY_SUSPECT] = "has not been heard for a while: nothing new for it",
		[COORD_WHY_DRAINING] = "is draining: nothing new for it (reeve undrain)",
		[COORD_WHY_QUARANTINED] = "failed three units in a row by its own fault: it is only probed",
		[COORD_WHY_GREETING] = "has just come: what it holds is being gone through",
		[COORD_WHY_REJECTS] = "said that it takes nothing for a moment",
		[COORD_WHY_WORKSPACE] = "does not have the run's workspace",
		[COORD_WHY_PIN] = "is not the node that the unit names",
		[COORD_WHY_LABELS] = "does not have the labels that the unit asks for",
		[COORD_WHY_TOO_SMALL] = "has fewer slots in all than the unit takes",
		[COORD_WHY_RESOURCES] = "has less of a resource in all than the unit takes",
		[COORD_WHY_RESOURCES_BUSY] = "has too little of a resource free",
		[COORD_WHY_FULL] = "is full",
		[COORD_WHY_CAREFUL] = "failed a unit by its own fault: one at a time until one succeeds",
		[COORD_WHY_KEPT_FREE] = "is kept free for a wide unit that waits longer",
		[COORD_WHY_AVOIDED] = "failed this unit by its own fault: another node goes first",
	};

	return (unsigned)why < RV_ARRAY_LEN(sentences) && sentences[why] ? sentences[why] : "?";
}

static struct rv_str unit_name(struct explaining *x, uint64_t run, uint32_t unit, char room[COORD_UNIT_ID_BYTES])
{
	const struct coord_graph *g = coord_run_graph(coord_shell_core(x->c->shell), run);

	if (unit == COORD_NONE || !g)
		return RV_STR("?");
	return unit >= coord_graph_unit_count(g) ? RV_STR(PLAN_VERIFY_ID) : coord_graph_unit_id(g, unit, room);
}

/* One sentence; gives its length. */
static size_t why_sentence(struct explaining *x, const struct coord_obstacle *o, char *out, size_t size)
{
	const unsigned long long limit = o->limit, used = o->used, amount = o->amount;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str other = unit_name(x, o->other_run, o->other, room), node = coord_node_name(coord_shell_core(x->c->shell), o->node);
	int n = 0;

	switch (o->kind) {
	case COORD_O_ENDED:
		n = o->reason ? snprintf(out, size, "it has ended: %s, %s", coord_unit_state_name(o->state), proto_reason_name(o->reason)) :
				snprintf(out, size, "it has ended: %s", coord_unit_state_name(o->state));
		break;
	case COORD_O_ACTIVE:
		n = snprintf(out, size, o->started ? "it runs on %.*s, attempt %u" : "it is on its way to %.*s, attempt %u", RV_STR_ARGS(node), o->attempt);
		break;
	case COORD_O_RUN_ENDED:
		n = snprintf(out, size, "its run has ended");
		break;
	case COORD_O_RUN_STOPPED:
		n = snprintf(out, size, "nothing new of its run starts: %s", proto_reason_name(o->reason));
		break;
	case COORD_O_RUN_PAUSED:
		n = snprintf(out, size, "its run is paused (reeve unpause)");
		break;
	case COORD_O_DEPENDENCY:
		n = snprintf(out, size, "it waits for %.*s, which is %s", RV_STR_ARGS(other), coord_unit_state_name(o->state));
		break;
	case COORD_O_DEPENDENCIES:
		n = snprintf(out, size, "and for %llu units more", amount);
		break;
	case COORD_O_HELD:
		n = snprintf(out, size, "a person holds it (reeve release)");
		break;
	case COORD_O_RETRY_WAIT:
		n = snprintf(out, size, "it failed and waits for its next try, %llu.%llu s more", amount / 1000000, amount / 100000 % 10);
		break;
	case COORD_O_MAX_WORKERS:
		n = snprintf(out, size, "%llu units of its run are out; max_workers is %llu", used, limit);
		break;
	case COORD_O_AGENT_LIMIT:
		n = snprintf(out, size, "%llu units of agent %.*s are out; its max_concurrent is %llu", used, RV_STR_ARGS(o->name), limit);
		break;
	case COORD_O_LOCK:
		n = snprintf(out, size, "lock %.*s is taken, %llu of %llu, among others by %.*s", RV_STR_ARGS(o->name), used, limit, RV_STR_ARGS(other));
		break;
	case COORD_O_DIRECTORY:
		n = o->other == COORD_NONE ? snprintf(out, size, "too many directories are held at once") :
					     snprintf(out, size, "%.*s works in a directory of it", RV_STR_ARGS(other));
		break;
	case COORD_O_NO_NODE:
		n = snprintf(out, size, "no node has ever joined (reeve node)");
		break;
	case COORD_O_NODE:
		n = snprintf(out, size, "%s", node_sentence(o->why));
		break;
	case COORD_O_QUEUE:
		n = snprintf(out, size, "%llu ready units of its run go first", amount);
		break;
	}
	return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

static void put_obstacle(void *arg, const struct coord_obstacle *o)
{
	struct explaining *x = arg;
	const struct coord *core = coord_shell_core(x->c->shell);
	struct rv_buf *b = x->p->text;
	struct rv_str sentence;
	char room[512];

	if (page_full(x->p))
		return;
	(void)rv_buf_putc(b, '{');
	put_text(b, "about", rv_str_of(coord_obstacle_name(o->kind)));
	if (o->kind == COORD_O_ENDED || o->kind == COORD_O_DEPENDENCY)
		put_more_text(b, "state", rv_str_of(coord_unit_state_name(o->state)));
	if (o->reason)
		put_more_text(b, "reason", rv_str_of(proto_reason_name(o->reason)));
	put_unit(x, "unit", o->other_run, o->other);
	put_unit(x, "root_cause", x->run, o->root_cause);
	if (o->name.bytes)
		put_more_text(b, "name", o->name);
	if (o->limit) {
		put_number(b, "limit", o->limit);
		put_number(b, "used", o->used);
	}
	if (o->kind == COORD_O_RETRY_WAIT)
		put_number(b, "left_us", o->amount);
	else if (o->amount)
		put_number(b, "count", o->amount);
	if (o->node != COORD_NONE)
		put_more_text(b, "node", coord_node_name(core, o->node));
	if (o->kind == COORD_O_NODE)
		put_more_text(b, "code", rv_str_of(coord_node_why_name(o->why)));
	sentence.at = room;
	sentence.bytes = why_sentence(x, o, room, sizeof room);
	put_more_text(b, "why", sentence);
	if (o->kind == COORD_O_ACTIVE) {
		put_number(b, "attempt", o->attempt);
		put_flag(b, "started", o->started);
	}
	(void)rv_buf_putc(b, '}');
	row_done(x->p);
}

static int put_explain(struct coord_clients *c, struct page *p, const struct proto_ask *m, struct rv_err *err)
{
	struct explaining x = { .c = c, .p = p, .run = m->run };
	uint32_t unit;

	if (!m->unit.bytes)
		return rv_fail(err, RV_E_USAGE, "a unit is missing: RUN/UNIT");
	if (!clients_find_unit(c, m->run, m->unit, &unit, err))
		return -1;
	coord_explain(coord_shell_core(c->shell), m->run, unit, put_obstacle, &x);
	return 0;
}

/* --- the request ----------------------------------------------------------------------------------------------------------------------- */

static int gather(struct coord_clients *c, const struct proto_ask *m, struct page *p, uint64_t real_us, uint64_t *next, struct rv_err *err)
{
	switch (m->what) {
	case PROTO_ASK_ABOUT:
		put_about(c, p);
		return 0;
	case PROTO_ASK_RUNS:
		if (m->run && !coord_runlist_find(coord_shell_runs(c->shell), m->run))
			return rv_fail(err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(m->run).text);
		*next = put_runs(c, p, m);
		return 0;
	case PROTO_ASK_NODES:
		*next = put_nodes(c, p, m->cursor);
		return 0;
	case PROTO_ASK_KEYS:
		if (c->cfg.access)
			*next = coord_access_keys(c->cfg.access, m->cursor, p->limit, p->text, p->ends, &p->count);
		return 0;
	case PROTO_ASK_TOKENS:
		if (c->cfg.access)
			*next = coord_access_tokens(c->cfg.access, m->cursor, p->limit, real_us, p->text, p->ends, &p->count);
		return 0;
	case PROTO_ASK_EXPLAIN:
		return put_explain(c, p, m, err);
	}
	return rv_fail(err, RV_E_UNSUPPORTED, "a list of a kind that this version does not know");
}

void rows_ask(struct coord_clients *c, uint64_t peer, const struct proto_ask *m, uint64_t real_us)
{
	struct asker from = { peer, m->request };
	struct page p = { .text = &c->text, .limit = m->limit };
	struct rv_err err = { 0 };
	uint64_t next = 0;

	rv_buf_reset(&c->text);
	if (m->what == PROTO_ASK_RUNS)
		coord_shell_fill_runs(c->shell);
	if (gather(c, m, &p, real_us, &next, &err) < 0)
		clients_refuse(c, from, &err);
	else
		answer(c, from, &p, next);
}
