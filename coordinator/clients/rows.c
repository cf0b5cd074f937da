/* rows.c - lists: a JSON object a row, a page a request (clients.h); which keys: proto/PROTOCOL.md, "Rows" */
#include "private.h"

#include "common/check.h"
#include "common/os/host.h"
#include "common/plan/plan.h"
#include "coordinator/access.h"
#include "coordinator/core/explain.h"

#include <stdlib.h>

#define PAGE_BYTES ((size_t)512 << 10) /* of a page: the next row begins another */
#define PLACES_A_PAGE 16384u           /* of attempts that are looked at for one page */

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
		(void)coord_shell_say(c->shell, to.peer, &m, COORD_SAY_AFTER_FACTS); /* it speaks of what was decided */
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
	put_number(p->text, "runs", runs->count - runs->removed);
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
		put_number(p->text, "tokens", n.tokens);
		put_number(p->text, "cost_microusd", n.cost_microusd);
	}
	if (coord_run_is_open(core, run))
		put_flag(p->text, "open", true);
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
		if (coord_runlist_shown(&runs->runs[i]))
			put_run(c, p, &runs->runs[i]);
	}
	return 0;
}

/* --- nodes --------------------------------------------------------------------------------------------------------------------------- */

static const char *put_pairs(struct rv_buf *b, const char *key, const char *at, uint32_t count)
{
	(void)rv_buf_printf(b, ",\"%s\":{", key);
	for (uint32_t i = 0; i < count; i++) {
		if (i)
			(void)rv_buf_putc(b, ',');
		(void)rv_buf_put_json(b, rv_str_of(at));
		at += strlen(at) + 1;
		(void)rv_buf_putc(b, ':');
		(void)rv_buf_put_json(b, rv_str_of(at));
		at += strlen(at) + 1;
	}
	(void)rv_buf_putc(b, '}');
	return at;
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
	if (v.last_class)
		put_more_text(p->text, "last_error", rv_str_of(proto_class_name(v.last_class)));
	put_number(p->text, "recoveries", v.recoveries);
	put_number(p->text, "stolen", v.stolen);
	put_number(p->text, "heard_ago_us", v.heard_us);
	put_number(p->text, "heartbeat_us", v.heartbeat_us);
	put_number(p->text, "rtt_us", v.rtt_us);
	put_number(p->text, "incarnation", v.incarnation);
	put_number(p->text, "memory_bytes", v.memory_bytes);
	put_more_text(p->text, "kill_level", rv_str_of(v.kill_level));
	(void)put_pairs(p->text, "agents", put_pairs(p->text, "labels", v.labels, v.label_count), v.agent_count);
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

/* --- explain: a row an obstacle, or what a run waits for ------------------------------------------------------------------------------------------------------------ */

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

/* Where the run's shared tree is: what --map is about. */
static void put_workspace(struct explaining *x)
{
	const struct coord_graph *g = coord_run_graph(coord_shell_core(x->c->shell), x->run);

	if (g && coord_graph_workspace(g).id.bytes)
		put_more_text(x->p->text, "workspace", coord_graph_workspace(g).root);
}

static void put_obstacle(void *arg, const struct coord_obstacle *o)
{
	struct explaining *x = arg;
	const struct coord *core = coord_shell_core(x->c->shell);
	struct rv_buf *b = x->p->text;

	if (page_full(x->p))
		return;
	(void)rv_buf_putc(b, '{');
	put_text(b, "what", rv_str_of(coord_obstacle_name(o->kind)));
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
	if (o->kind == COORD_O_RETRY_WAIT || (o->kind == COORD_O_NODE && o->amount))
		put_number(b, "left_us", o->amount);
	else if (o->amount)
		put_number(b, "count", o->amount);
	if (o->node != COORD_NONE)
		put_more_text(b, "node", coord_node_name(core, o->node));
	if (o->kind == COORD_O_NODE)
		put_more_text(b, "why", rv_str_of(coord_node_why_name(o->why)));
	if (o->lacks.bytes)
		put_more_text(b, "lacks", o->lacks);
	if (o->silent_us)
		put_number(b, "silent_us", o->silent_us);
	if (o->kind == COORD_O_NODE && (o->why == COORD_WHY_WORKSPACE || o->lacks.bytes))
		put_workspace(x);
	if (o->kind == COORD_O_ACTIVE) {
		put_number(b, "attempt", o->attempt);
		put_flag(b, "started", o->started);
	}
	(void)rv_buf_putc(b, '}');
	row_done(x->p);
}

/* Of a whole run: a row a class of ready units, what they wait for. */
static uint64_t put_waits(struct explaining *x, uint64_t cursor)
{
	const struct coord *core = coord_shell_core(x->c->shell);
	const struct coord_graph *g = coord_run_graph(core, x->run);
	uint32_t count = coord_wait_classes(core, x->run);
	struct rv_buf *b = x->p->text;
	char room[COORD_UNIT_ID_BYTES];
	struct coord_wait w;

	for (uint64_t i = cursor; i < count; i++) {
		if (page_full(x->p))
			return i;
		if (!coord_wait_of(core, x->run, (uint32_t)i, &w))
			continue;
		(void)rv_buf_putc(b, '{');
		put_text(b, "what", rv_str_of(coord_wait_name(w.why)));
		put_more_text(b, "ready", w.unit >= coord_graph_unit_count(g) ? RV_STR(PLAN_VERIFY_ID) : coord_graph_unit_id(g, w.unit, room));
		put_number(b, "count", w.units);
		if (w.name.bytes)
			put_more_text(b, "name", w.name);
		if (w.lacks_bytes)
			put_more_text(b, "lacks", rv_str(w.lacks, w.lacks_bytes));
		if (w.why == COORD_WAIT_NOT_HERE)
			put_more_text(b, "node", coord_node_name(core, w.node));
		(void)rv_buf_putc(b, '}');
		row_done(x->p);
	}
	return 0;
}

static int put_explain(struct coord_clients *c, uint64_t peer, struct page *p, const struct proto_ask *m, uint64_t *next, struct rv_err *err)
{
	struct explaining x = { .c = c, .p = p, .run = m->run };
	uint32_t unit;

	if (!clients_find_unit(c, peer, m->run, m->unit, &unit, err))
		return -1;
	if (unit == COORD_NONE)
		*next = put_waits(&x, m->cursor);
	else
		coord_explain(coord_shell_core(c->shell), m->run, unit, put_obstacle, &x);
	return 0;
}

/* --- active: what of a run is no fact, for those who fold its facts ---------------------------------------------------------------------- */

static uint64_t put_active(struct coord_clients *c, struct page *p, uint64_t run, uint64_t cursor)
{
	const struct coord *core = coord_shell_core(c->shell);
	uint32_t places = coord_active_places(core);
	struct coord_active a;

	for (uint64_t i = cursor; i < places; i++) {
		if (page_full(p) || i - cursor == PLACES_A_PAGE)
			return i;
		if (!coord_active_at(core, run, (uint32_t)i, &a))
			continue;
		(void)rv_buf_printf(p->text, "{\"unit\":%u", a.unit);
		put_number(p->text, "attempt", a.attempt);
		put_number(p->text, "try", a.try_number);
		put_number(p->text, "node", a.node);
		put_flag(p->text, "started", a.started);
		put_number(p->text, "start_us", a.start_us);
		(void)rv_buf_putc(p->text, '}');
		row_done(p);
	}
	return 0;
}

/* --- the plan of an open run, without its units: one row, the plan itself --------------------------------------------------------------- */

static int put_head(struct coord_clients *c, uint64_t peer, struct page *p, const struct proto_ask *m, struct rv_err *err)
{
	const struct coord_graph *g = clients_find_unit(c, peer, m->run, RV_STR(""), &(uint32_t){ 0 }, err);
	struct rv_str head;

	if (!g)
		return -1;
	if (!coord_graph_open(g)) {
		(void)rv_fail(err, RV_E_CONFLICT, "run %s is not open: it takes no more units", rv_run_id_of(m->run).text);
		return rv_hint(err, "`reeve submit --open` makes a run that does, until `reeve close`");
	}
	head = coord_graph_head(g);
	if (head.bytes > PAGE_BYTES)
		return rv_fail(err, RV_E_LIMIT, "the plan of run %s has %zu bytes beside its units; with more than %zu none can be added",
			       rv_run_id_of(m->run).text, head.bytes, PAGE_BYTES);
	while (head.bytes && head.at[head.bytes - 1] == '\n')
		head.bytes--;
	(void)rv_buf_put_str(p->text, head);
	row_done(p);
	return 0;
}

/* --- the request ----------------------------------------------------------------------------------------------------------------------- */

static int gather(struct coord_clients *c, uint64_t peer, const struct proto_ask *m, struct page *p, uint64_t real_us, uint64_t *next, struct rv_err *err)
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
	case PROTO_ASK_HEAD:
		return put_head(c, peer, p, m, err);
	case PROTO_ASK_EXPLAIN:
		return put_explain(c, peer, p, m, next, err);
	case PROTO_ASK_ACTIVE:
		if (!coord_runlist_find(coord_shell_runs(c->shell), m->run))
			return rv_fail(err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(m->run).text);
		*next = put_active(c, p, m->run, m->cursor);
		return 0;
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
	if (gather(c, peer, m, &p, real_us, &next, &err) < 0)
		clients_refuse(c, from, &err);
	else
		answer(c, from, &p, next);
}
