/* coord_driver.c - see coord_driver.h */
#include "tests/lib/plan_slice.h"
#include "tests/lib/coord_driver.h"

#include "common/check.h"
#include "proto/record.h"
#include "tests/lib/noalloc.h"
#include "tests/lib/test.h"

#define START_US 1000000000u

/* --- life --- */

void driver_init(struct driver *d, const struct coord_config *cfg)
{
	*d = (struct driver){ .now_us = START_US, .real_us = START_US, .show = SHOW_SENDS | SHOW_SHELL, .room = DRIVER_EFFECTS, .audit = true, .incarnation = 1 };
	if (cfg) {
		d->cfg = *cfg;
	} else {
		coord_config_init(&d->cfg);
		d->cfg.attempts_max = 4096;
		d->cfg.prefetch_us = 0;
	}
	d->c = coord_create(&d->cfg);
	d->items = calloc(DRIVER_EFFECTS, sizeof(*d->items));
	assert_non_null(d->c);
	assert_non_null(d->items);
	rv_buf_init(&d->lines, 0);
	rv_buf_init(&d->facts, 0);
}

void driver_release(struct driver *d)
{
	coord_destroy(&d->c);
	free(d->items);
	rv_buf_release(&d->lines);
	rv_buf_release(&d->facts);
}

void driver_show(struct driver *d, unsigned show)
{
	d->show = show;
	driver_forget_lines(d);
}

/* --- effects as text --- */

static const char *unit_name(struct driver *d, uint64_t run, uint32_t unit, char *out, size_t room)
{
	const struct coord_graph *g = coord_run_graph(d->c, run);
	char id_room[COORD_UNIT_ID_BYTES];
	bool known = g && unit < coord_graph_unit_count(g) + (coord_graph_verify_spec(g).bytes ? 1 : 0);
	struct rv_str id = known ? coord_graph_unit_id(g, unit, id_room) : RV_STR("?");

	if (run == 1)
		(void)snprintf(out, room, "%.*s", RV_STR_ARGS(id));
	else
		(void)snprintf(out, room, "%u/%.*s", (unsigned)run, RV_STR_ARGS(id));
	return out;
}

static const char *key_name(struct driver *d, struct proto_attempt_key k, char *out, size_t room)
{
	char name[256];

	(void)snprintf(out, room, "%s#%u", unit_name(d, k.run, k.unit, name, sizeof(name)), k.attempt);
	return out;
}

static void add_line(struct driver *d, const char *fmt, ...) RV_PRINTF(2, 3);
static void add_line(struct driver *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)rv_buf_vprintf(&d->lines, fmt, ap);
	va_end(ap);
	(void)rv_buf_putc(&d->lines, '\0');
}

static const char *node_name(struct driver *d, uint32_t node, char *out, size_t room)
{
	(void)snprintf(out, room, "%.*s", RV_STR_ARGS(coord_node_name(d->c, node)));
	return out;
}

static void show_transition(struct driver *d, const struct coord_transition *t)
{
	char name[256], node[80];

	if (t->run && t->unit != COORD_NONE) {
		unit_name(d, t->run, t->unit, name, sizeof(name));
		if (t->kind == COORD_T_UNIT_FINISHED && t->root_cause != COORD_NONE) {
			char root[256];

			add_line(d, "T %s %s %s %s root=%s", coord_transition_name(t->kind), name, coord_unit_state_name(t->state),
				 proto_reason_name(t->reason), unit_name(d, t->run, t->root_cause, root, sizeof(root)));
		} else if (t->kind == COORD_T_UNIT_FINISHED && t->reason) {
			add_line(d, "T %s %s %s %s", coord_transition_name(t->kind), name, coord_unit_state_name(t->state),
				 proto_reason_name(t->reason));
		} else if (t->kind == COORD_T_UNIT_FINISHED) {
			add_line(d, "T %s %s %s", coord_transition_name(t->kind), name, coord_unit_state_name(t->state));
		} else if (t->kind == COORD_T_UNIT_RETRY_WAIT) {
			add_line(d, "T %s %s %s %llu", coord_transition_name(t->kind), name, proto_class_name(t->class),
				 (unsigned long long)t->delay_us);
		} else if (t->attempt) {
			add_line(d, "T %s %s#%u", coord_transition_name(t->kind), name, t->attempt);
		} else {
			add_line(d, "T %s %s", coord_transition_name(t->kind), name);
		}
	} else if (t->run) {
		add_line(d, "T %s %u %s", coord_transition_name(t->kind), (unsigned)t->run, coord_run_state_name(t->run_state));
	} else {
		add_line(d, "T %s %s", coord_transition_name(t->kind), node_name(d, t->node, node, sizeof(node)));
	}
}

static const char *after(struct driver *d, const struct coord_effect *e, char room[320])
{
	struct proto_attempt_key first = { e->dispatch.key.run, e->dispatch.after.unit, e->dispatch.after.attempt };
	char key[300];

	room[0] = '\0';
	if (first.attempt)
		(void)snprintf(room, 320, " after %s", key_name(d, first, key, sizeof(key)));
	return room;
}

static const char *other_agent(struct driver *d, const struct coord_effect *e, char room[80])
{
	struct rv_str name = RV_STR("");

	if (e->dispatch.agent != COORD_NONE)
		name = coord_graph_agent_name(coord_run_graph(d->c, e->dispatch.key.run), e->dispatch.agent);
	(void)snprintf(room, 80, "%s%.*s", name.bytes ? " agent=" : "", RV_STR_ARGS(name));
	return room;
}

static void show_send(struct driver *d, const struct coord_effect *e)
{
	static const char *const acks[] = { "", "accepted", "duplicate", "fenced" };
	static const char *const verdicts[] = { "keep", "kill", "resend", "forget" };
	char key[300], node[80], agent[80], behind[320];

	if (e->peer <= d->node_count)
		node_name(d, (uint32_t)e->peer - 1, node, sizeof(node));
	else
		(void)snprintf(node, sizeof(node), "peer%u", (unsigned)e->peer);
	switch (e->kind) {
	case COORD_FX_WELCOME:
		if (e->peer <= RV_ARRAY_LEN(d->session))
			d->session[e->peer - 1] = e->welcome.session;
		add_line(d, "> %s WELCOME", node);
		break;
	case COORD_FX_VERDICT:
		add_line(d, "> %s VERDICT %s %s", node, key_name(d, e->verdict.key, key, sizeof(key)), verdicts[e->verdict.verdict]);
		break;
	case COORD_FX_HB_ACK:
		add_line(d, "> %s HB_ACK%s", node, e->hb_ack.want_table ? " want_table" : "");
		break;
	case COORD_FX_DISPATCH:
		add_line(d, "> %s DISPATCH %s try=%u%s%s", node, key_name(d, e->dispatch.key, key, sizeof(key)), e->dispatch.try_number,
			 other_agent(d, e, agent), after(d, e, behind));
		break;
	case COORD_FX_CANCEL:
		add_line(d, "> %s CANCEL %s %s", node, key_name(d, e->cancel.key, key, sizeof(key)), proto_reason_name(e->cancel.reason));
		break;
	case COORD_FX_RESULT_ACK:
		add_line(d, "> %s ACK %s %s", node, key_name(d, e->result_ack.key, key, sizeof(key)), acks[e->result_ack.ack]);
		break;
	case COORD_FX_RETRACT:
		add_line(d, "> %s RETRACT %s", node, key_name(d, e->retract, key, sizeof(key)));
		break;
	case COORD_FX_DRAIN:
		add_line(d, "> %s DRAIN", node);
		break;
	case COORD_FX_GOAWAY:
		add_line(d, "> %s GOAWAY %u", node, e->goaway.why);
		break;
	default:
		break;
	}
}

static void show(struct driver *d, const struct coord_effect *e)
{
	switch (e->kind) {
	case COORD_FX_FACT:
		rv_check(proto_fact_encode(e->fact, &d->facts) == 0);
		if (d->show & SHOW_FACTS)
			add_line(d, "F %s", proto_fact_name(e->fact->kind));
		break;
	case COORD_FX_TRANSITION:
		if (d->show & SHOW_TELLS)
			show_transition(d, e->transition);
		break;
	case COORD_FX_REPLY:
		if (d->show & SHOW_SHELL)
			add_line(d, "! reply %u changed=%u%s", (unsigned)e->reply.client, e->reply.changed,
				 e->reply.done_before ? " done before" : "");
		break;
	case COORD_FX_RUN_FINISHED:
		if (d->show & SHOW_SHELL)
			add_line(d, "! run %u %s %s", (unsigned)e->run_finished.run, coord_run_state_name(e->run_finished.state),
				 proto_reason_name(e->run_finished.reason));
		break;
	case COORD_FX_LINK_OVER:
		d->left_peer = e->peer;
		break;
	case COORD_FX_RELEASE_RUN: {
		struct coord_graph *g = e->release;

		if (d->show & SHOW_SHELL)
			add_line(d, "! release %u", (unsigned)coord_graph_run(g));
		coord_graph_destroy(&g);
		break;
	}
	default: {
		size_t before = d->lines.bytes;

		show_send(d, e);
		if (!(d->show & SHOW_SENDS))
			d->lines.bytes = before;
		break;
	}
	}
}

/* --- events --- */

static void step_on(struct driver *d, struct coord *c, struct coord_event *ev, bool listen)
{
	struct coord_effects out = { .items = d->items, .capacity = d->room };

	ev->now_us = d->now_us;
	ev->real_us = d->real_us;
	do {
		out.count = 0;
		noalloc_begin();
		coord_step(c, ev, &out);
		noalloc_end();
		for (uint32_t i = 0; listen && i < out.count; i++) {
			if (d->hook)
				d->hook(d, &out.items[i]);
			show(d, &out.items[i]);
		}
		for (uint32_t i = 0; !listen && i < out.count; i++)
			if (out.items[i].kind == COORD_FX_RELEASE_RUN)
				coord_graph_destroy(&out.items[i].release);
		if (d->audit)
			coord_audit(c);
		*ev = (struct coord_event){ .kind = COORD_EV_AGAIN, .now_us = d->now_us, .real_us = d->real_us };
	} while (out.again);
}

void driver_step(struct driver *d, struct coord_event *ev)
{
	step_on(d, d->c, ev, true);
}

void driver_turn(struct driver *d)
{
	struct coord_event ev = { .kind = COORD_EV_TURN };

	driver_step(d, &ev);
}

void driver_wait(struct driver *d, uint64_t us)
{
	d->now_us += us;
	d->real_us += us;
	driver_turn(d);
}

void driver_live(struct driver *d, uint64_t us)
{
	uint64_t until = d->now_us + us;

	while (d->now_us < until) {
		uint64_t next = rv_min_u64(rv_max_u64(coord_next_deadline(d->c), d->now_us + 1), until);

		next = rv_min_u64(next, d->now_us + 500000);
		d->real_us += next - d->now_us;
		d->now_us = next;
		for (uint32_t i = 0; i < d->node_count; i++)
			driver_beat(d, i);
		driver_turn(d);
	}
}

void driver_serve(struct driver *d)
{
	struct coord_event ev = { .kind = COORD_EV_SERVING, .serving = { .epoch = 1 } };

	driver_step(d, &ev);
}

void driver_hello(struct driver *d, uint32_t node, const char *name, uint8_t boot, uint64_t slots, uint64_t agent_slots,
		  const struct proto_held *held, uint32_t held_count)
{
	struct proto_hello h = { .last = true, .held = held, .held_count = held_count };
	struct coord_event ev = { .kind = COORD_EV_HELLO, .peer = node + 1, .hello = &h };
	struct proto_label program = { d->agent ? rv_str_of(d->agent) : RV_STR(""), RV_STR("1") };

	h.node.name = rv_str_of(name);
	memset(h.node.key, (int)node + 1, sizeof(h.node.key));
	memset(h.node.boot_id, boot, sizeof(h.node.boot_id));
	h.node.incarnation = d->incarnation;
	h.node.slots = slots;
	h.node.agent_slots = agent_slots;
	h.node.abilities = d->holds_nothing_behind ? 0 : PROTO_NODE_HOLDS_BEHIND;
	if (d->agent) {
		h.node.agents = &program;
		h.node.agent_count = 1;
	}
	driver_step(d, &ev);
	driver_turn(d);
}

uint32_t driver_join(struct driver *d, const char *name, uint64_t slots, uint64_t agent_slots)
{
	uint32_t node = d->node_count++;

	driver_hello(d, node, name, 1, slots, agent_slots, NULL, 0);
	return node;
}

void driver_gone(struct driver *d, uint32_t node)
{
	struct coord_event ev = { .kind = COORD_EV_NODE_GONE, .peer = node + 1 };

	driver_step(d, &ev);
	driver_turn(d);
}

void driver_beat(struct driver *d, uint32_t node)
{
	static uint64_t n;
	struct proto_heartbeat hb = { .session = d->session[node], .n = ++n, .received = UINT64_MAX };
	struct coord_event ev = { .kind = COORD_EV_HEARTBEAT, .peer = node + 1, .heartbeat = &hb };
	size_t before = d->lines.bytes;

	driver_step(d, &ev);
	d->lines.bytes = before;
}

void driver_submit(struct driver *d, struct plan_build *b)
{
	uint64_t run = d->run_count + 1;
	struct proto_fact f = { .kind = PROTO_FACT_RUN_ACCEPTED };
	struct coord_event ev = { .kind = COORD_EV_RUN_ACCEPTED };
	struct rv_err err;

	assert_true(d->run_count < DRIVER_RUNS);
	d->plans[d->run_count++] = b;
	f.run_accepted.run = run;
	f.run_accepted.name = RV_STR("test");
	f.run_accepted.units = (uint32_t)b->plan.instance_count;
	ev.run_accepted.fact = &f;
	ev.run_accepted.graph = plan_build_graph(b, run);
	if (coord_admit_run(d->c, ev.run_accepted.graph, &err) < 0)
		fail_msg("%s", err.msg);
	driver_step(d, &ev);
	driver_turn(d);
}

void driver_submit_open(struct driver *d, struct plan_build *b, uint32_t count)
{
	uint64_t run = d->run_count + 1;
	struct proto_fact f = { .kind = PROTO_FACT_RUN_ACCEPTED };
	struct coord_event ev = { .kind = COORD_EV_RUN_ACCEPTED };
	struct rv_err err;

	assert_true(d->run_count < DRIVER_RUNS);
	d->cuts[d->run_count][0] = count;
	d->cut_count[d->run_count] = 1;
	d->plans[d->run_count++] = b;
	ev.run_accepted.fact = &f;
	ev.run_accepted.graph = plan_slice_graph(&b->plan, 0, count, run);
	f.run_accepted.run = run;
	f.run_accepted.name = RV_STR("test");
	f.run_accepted.units = coord_graph_unit_count(ev.run_accepted.graph);
	f.run_accepted.open = true;
	if (coord_admit_run(d->c, ev.run_accepted.graph, &err) < 0)
		fail_msg("%s", err.msg);
	driver_step(d, &ev);
	driver_turn(d);
}

int driver_add_again(struct driver *d, uint64_t run, uint32_t from, uint32_t to)
{
	struct proto_fact f = { .kind = PROTO_FACT_UNITS_ADDED };
	struct coord_event ev = { .kind = COORD_EV_UNITS_ADDED };
	struct coord_graph *part = plan_slice_graph(&d->plans[run - 1]->plan, from, to, run);
	struct rv_err err;
	uint32_t there;
	int rc = coord_admit_units(d->c, run, part, &f.units_added.units, &there, &err);

	if (rc == 0 && coord_part_is_new(part)) {
		f.units_added.run = run;
		f.units_added.first = coord_graph_unit_count(coord_run_graph(d->c, run));
		f.units_added.submission = d->cut_count[run - 1];
		ev.run_accepted.fact = &f;
		ev.run_accepted.graph = part;
		driver_step(d, &ev);
		rc = 1;
	}
	coord_graph_destroy(&part);
	driver_turn(d);
	return rc;
}

int driver_add(struct driver *d, uint64_t run, uint32_t count)
{
	uint32_t *cuts = d->cuts[run - 1], *n = &d->cut_count[run - 1], from = cuts[*n - 1];
	int rc;

	assert_true(*n < DRIVER_SLICES);
	rc = driver_add_again(d, run, from, from + count);
	if (rc == 1)
		cuts[(*n)++] = from + count;
	return rc;
}

static void split(const char *unit, uint64_t *run, const char **id)
{
	const char *slash = strchr(unit, '/');

	*run = slash ? strtoull(unit, NULL, 10) : 1;
	*id = slash ? slash + 1 : unit;
}

struct proto_attempt_key driver_key(struct driver *d, const char *unit)
{
	struct proto_attempt_key k;
	struct coord_unit_view v;
	const char *id;
	uint32_t count;

	split(unit, &k.run, &id);
	k.unit = coord_graph_find(coord_run_graph(d->c, k.run), rv_str_of(id), &count);
	assert_int_not_equal(k.unit, COORD_NONE);
	coord_unit_view(d->c, k.run, k.unit, &v);
	k.attempt = v.attempt;
	return k;
}

static struct coord_event node_event(struct driver *d, const char *unit, enum coord_event_kind kind)
{
	struct proto_attempt_key k = driver_key(d, unit);
	struct coord_unit_view v;

	coord_unit_view(d->c, k.run, k.unit, &v);
	assert_int_not_equal(v.node, COORD_NONE);
	return (struct coord_event){ .kind = kind, .peer = v.node + 1, .key = k };
}

void driver_taken(struct driver *d, const char *unit)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_TAKEN);

	driver_step(d, &ev);
	driver_turn(d);
}

void driver_not_here(struct driver *d, const char *unit)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_NOT_HERE);

	driver_step(d, &ev);
	driver_turn(d);
}

void driver_retracted(struct driver *d, const char *unit)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_RETRACTED);

	driver_step(d, &ev);
	driver_turn(d);
}

void driver_started(struct driver *d, const char *unit)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_STARTED);
	struct proto_started s = { .key = driver_key(d, unit), .start_us = d->real_us };

	ev.started = &s;
	driver_step(d, &ev);
	driver_turn(d);
}

void driver_used(struct driver *d, const char *unit, uint64_t tokens, uint64_t cost_microusd)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_USAGE);
	struct proto_usage_report report = { .key = driver_key(d, unit), .usage = { .output_tokens = tokens, .cost_microusd = cost_microusd } };

	ev.usage = &report;
	driver_step(d, &ev);
	driver_turn(d);
}

void driver_reject(struct driver *d, const char *unit, enum proto_reject_why why)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_REJECTED);
	struct proto_rejected rej = { .key = driver_key(d, unit), .why = why };

	ev.rejected = &rej;
	driver_step(d, &ev);
	driver_turn(d);
}

void driver_result(struct driver *d, uint32_t node, const struct proto_result *res)
{
	struct coord_event ev = { .kind = COORD_EV_RESULT, .peer = node + 1, .result = res };

	driver_step(d, &ev);
	driver_turn(d);
}

static void result_of(struct driver *d, const char *unit, enum proto_outcome outcome, enum proto_class class, enum proto_reason reason)
{
	struct coord_event ev = node_event(d, unit, COORD_EV_RESULT);
	struct proto_result res = { .key = driver_key(d, unit), .epoch = 1, .outcome = outcome, .class = class, .reason = reason,
				    .flags = PROTO_RESULT_STARTED, .start_us = d->real_us, .end_us = d->real_us, .duration_us = 1000000 };

	driver_result(d, (uint32_t)ev.peer - 1, &res);
}

void driver_succeed(struct driver *d, const char *unit)
{
	result_of(d, unit, PROTO_SUCCEEDED, PROTO_CLASS_NONE, PROTO_REASON_NONE);
}

void driver_fail(struct driver *d, const char *unit, enum proto_class class, enum proto_reason reason)
{
	result_of(d, unit, PROTO_FAILED, class, reason);
}

void driver_cancelled(struct driver *d, const char *unit)
{
	result_of(d, unit, PROTO_CANCELLED, PROTO_CLASS_NONE, PROTO_REASON_CANCELLED);
}

static int act(struct driver *d, struct proto_fact *f)
{
	struct coord_event ev = { .kind = COORD_EV_MUTATION, .mutation = { .fact = f, .client = 0 } };
	static uint64_t request = 1000;

	f->kind = PROTO_FACT_MUTATION;
	f->mutation.request = ++request;
	if (coord_client_check(d->c, f, NULL) < 0)
		return -1;
	driver_step(d, &ev);
	driver_turn(d);
	return 0;
}

int driver_act(struct driver *d, enum proto_mutation what, const char *unit, int64_t value)
{
	struct proto_fact f = { 0 };

	f.mutation.what = what;
	f.mutation.run = 1;
	f.mutation.unit = RV_MAP_NONE;
	f.mutation.node = RV_MAP_NONE;
	f.mutation.value = value;
	if (unit && !strchr(unit, '*')) {
		struct proto_attempt_key k = driver_key(d, unit);

		f.mutation.run = k.run;
		f.mutation.unit = k.unit;
	} else if (unit) {
		f.mutation.run = strtoull(unit, NULL, 10); /* "2" and a star: the whole run */
	}
	return act(d, &f);
}

int driver_retry_by(struct driver *d, const char *unit, const char *agent)
{
	struct proto_attempt_key k = driver_key(d, unit);
	struct proto_fact f = { 0 };

	f.mutation.what = PROTO_MUT_RETRY;
	f.mutation.run = k.run;
	f.mutation.unit = k.unit;
	f.mutation.node = RV_MAP_NONE;
	f.mutation.agent = rv_str_of(agent);
	return act(d, &f);
}

int driver_act_node(struct driver *d, enum proto_mutation what, uint32_t node)
{
	return driver_drain(d, what, node, 0);
}

int driver_drain(struct driver *d, enum proto_mutation what, uint32_t node, int64_t within_us)
{
	struct proto_fact f = { 0 };

	f.mutation.what = what;
	f.mutation.unit = RV_MAP_NONE;
	f.mutation.node = node;
	f.mutation.value = within_us;
	return act(d, &f);
}

void driver_stop(struct driver *d, uint64_t run, enum proto_reason reason)
{
	struct coord_event ev = { .kind = COORD_EV_RUN_STOP, .run_stop = { .run = run, .reason = reason, .grace_us = RV_NEVER } };

	driver_step(d, &ev);
	driver_turn(d);
}

/* --- expectations --- */

void driver_forget_lines(struct driver *d)
{
	rv_buf_reset(&d->lines);
}

static void show_rest(struct driver *d)
{
	for (size_t at = 0; at < d->lines.bytes; at += strlen(d->lines.at + at) + 1)
		print_error("  next: %s\n", d->lines.at + at);
}

void expect_at(struct driver *d, const char *line, const char *file, int at)
{
	size_t bytes = strlen(line) + 1;

	if (d->lines.bytes < bytes || memcmp(d->lines.at, line, bytes) != 0) {
		print_error("  want: %s\n", line);
		show_rest(d);
		_fail(file, at);
	}
	rv_buf_consume(&d->lines, bytes);
}

void expect_nothing_at(struct driver *d, const char *file, int at)
{
	if (!d->lines.bytes)
		return;
	print_error("  want: nothing more\n");
	show_rest(d);
	_fail(file, at);
}

void expect_unit_at(struct driver *d, const char *unit, const char *state, const char *file, int at)
{
	struct proto_attempt_key k = driver_key(d, unit);
	struct coord_unit_view v;
	char got[600], root[256];

	coord_unit_view(d->c, k.run, k.unit, &v);
	(void)snprintf(got, sizeof(got), "%s%s%s%s%s%s%s", coord_unit_state_name(v.state), v.class ? " " : "",
		       v.class ? proto_class_name(v.class) : "", v.reason ? " " : "", v.reason ? proto_reason_name(v.reason) : "",
		       v.root_cause == COORD_NONE ? "" : " ",
		       v.root_cause == COORD_NONE ? "" : unit_name(d, k.run, v.root_cause, root, sizeof(root)));
	if (strcmp(got, state) != 0) {
		print_error("  unit %s is \"%s\", want \"%s\"\n", unit, got, state);
		_fail(file, at);
	}
}

/* --- replay --- */

/* The slice of that number, fitted. */
static struct coord_graph *added_part(struct driver *d, struct coord *c, const struct proto_fact *f)
{
	const uint32_t *cuts = d->cuts[f->units_added.run - 1];
	uint64_t n = f->units_added.submission;
	struct coord_graph *part = plan_slice_graph(&d->plans[f->units_added.run - 1]->plan, cuts[n - 1], cuts[n], f->units_added.run);
	uint32_t added, there;
	struct rv_err err;

	if (coord_admit_units(c, f->units_added.run, part, &added, &there, &err) < 0)
		fail_msg("what was added before is refused in a replay: %s", err.msg);
	assert_int_equal(added, f->units_added.units);
	return part;
}

static struct coord *replayed(struct driver *d)
{
	struct coord *c = coord_create(&d->cfg);
	struct rv_str at = rv_buf_str(&d->facts);
	struct rv_arena arena;
	struct proto_fact f;
	struct rv_err err;
	uint64_t position = 0, now_us = d->now_us;
	struct coord_graph *part = NULL;
	int rc;

	d->now_us = 0; /* as the shell does: facts happened at no time */

	assert_non_null(c);
	rv_arena_init(&arena, 0);
	while ((rc = proto_fact_decode(&at, &arena, &f, &err)) == 1) {
		struct coord_event ev = { .kind = COORD_EV_FACT, .fact = { .fact = &f, .position = ++position } };

		if (f.kind == PROTO_FACT_RUN_ACCEPTED && f.run_accepted.open)
			ev.fact.graph = plan_slice_graph(&d->plans[f.run_accepted.run - 1]->plan, 0, d->cuts[f.run_accepted.run - 1][0], f.run_accepted.run);
		else if (f.kind == PROTO_FACT_RUN_ACCEPTED)
			ev.fact.graph = plan_build_graph(d->plans[f.run_accepted.run - 1], f.run_accepted.run);
		else if (f.kind == PROTO_FACT_UNITS_ADDED)
			part = ev.fact.graph = added_part(d, c, &f);
		step_on(d, c, &ev, false);
		coord_graph_destroy(&part);
	}
	d->now_us = now_us;
	rv_arena_release(&arena);
	if (rc < 0)
		fail_msg("decode: %s", err.msg);
	return c;
}

void driver_check_replay(struct driver *d)
{
	struct coord *c = replayed(d);

	assert_int_equal(coord_digest(c), coord_digest(d->c));
	coord_destroy(&c);
}

void driver_restart(struct driver *d)
{
	struct coord *c = replayed(d);

	assert_int_equal(coord_digest(c), coord_digest(d->c));
	coord_destroy(&d->c);
	d->c = c;
	driver_serve(d);
}
