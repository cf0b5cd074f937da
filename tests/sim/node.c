/* node.c - a node's daemon around node/core: frames and the warden's words in, effects performed
 *
 * The daemon may die between any two effects. What it had told its warden by then happens; what it had not sent never was.
 */
#include "tests/sim/world.h"

#include "common/check.h"
#include "node/core/state.h"
#include "proto/spec.h"

#include <stdio.h>
#include <stdlib.h>

#define EFFECTS 256u

/* --- inboxes ----------------------------------------------------------------------------------------------------------- */

void sim_inbox_put(struct sim_inbox *in, struct sim_inbox_item item)
{
	if (in->first + in->count == in->capacity) {
		if (in->first > in->capacity / 2) {
			memmove(in->items, in->items + in->first, in->count * sizeof(*in->items));
		} else {
			in->capacity = in->capacity ? in->capacity * 2 : 32;
			in->items = realloc(in->items, in->capacity * sizeof(*in->items));
			rv_check(in->items);
			memmove(in->items, in->items + in->first, in->count * sizeof(*in->items));
		}
		in->first = 0;
	}
	in->items[in->first + in->count++] = item;
}

bool sim_inbox_take(struct sim_inbox *in, struct sim_inbox_item *out)
{
	if (!in->count)
		return false;
	*out = in->items[in->first++];
	if (--in->count == 0)
		in->first = 0;
	return true;
}

void sim_inbox_clear(struct sim_inbox *in)
{
	struct sim_inbox_item item;

	while (sim_inbox_take(in, &item))
		free(item.frame);
}

void sim_inbox_release(struct sim_inbox *in)
{
	sim_inbox_clear(in);
	free(in->items);
	*in = (struct sim_inbox){ 0 };
}

/* --- clocks and alarms ---------------------------------------------------------------------------------------------------- */

uint64_t sim_node_clock(const struct sim_world *w, const struct sim_node *n)
{
	uint64_t up = w->now_us - n->booted_us;

	return n->clock_base_us + up + (uint64_t)((int64_t)(up / 1000000) * n->clock_ppm);
}

/* The first world time at which the node's clock shows no less than `clock_us`. */
static uint64_t world_time(const struct sim_world *w, const struct sim_node *n, uint64_t clock_us)
{
	uint64_t shown = sim_node_clock(w, n);

	return clock_us <= shown ? w->now_us : w->now_us + (clock_us - shown) + (clock_us - shown) / 1000 + 1;
}

static void wake_at(struct sim_world *w, struct sim_node *n, uint64_t at_us)
{
	at_us = rv_max_u64(at_us, rv_max_u64(w->now_us, n->paused_until_us));
	if (n->alarm_at_us <= at_us && n->alarm_at_us >= w->now_us)
		return;
	n->alarm_at_us = at_us;
	sim_at(w, at_us, SIM_EV_NODE_WAKE, n->index, ++n->alarm);
}

static void later(struct sim_world *w, struct sim_node *n, enum node_event_kind kind, uint32_t slot, uint64_t delay_us)
{
	struct sim_event ev = { .at_us = w->now_us + delay_us, .kind = SIM_EV_NODE_LATER, .node = n->index };

	ev.word = (struct sim_word){ .kind = kind, .slot = slot, .life = n->life };
	sim_schedule(w, ev);
}

void sim_node_word(struct sim_world *w, uint32_t node, const struct sim_word *word)
{
	struct sim_node *n = &w->nodes[node];

	if (!n->core || word->life != n->life)
		return;
	sim_inbox_put(&n->inbox, (struct sim_inbox_item){ .is_word = true, .word = *word });
	wake_at(w, n, w->now_us);
}

bool sim_node_welcomed(const struct sim_node *n)
{
	return n->core && n->core->session == NODE_SESSION_UP;
}

/* Slots that mocks take: no process shows them. */
uint64_t sim_node_mocks(const struct sim_node *n)
{
	return n->core ? n->core->mock_slots : 0;
}

/* --- effects ------------------------------------------------------------------------------------------------------------------ */

static void step(struct sim_world *w, struct sim_node *n, struct node_event *ev);

static int send_frame(void *arg, struct rv_str frame);

struct sender {
	struct sim_world *w;
	uint32_t node;
};

static void to_warden(struct sim_world *w, struct sim_node *n, const struct node_effect *fx)
{
	struct sim_attempt *a = &n->attempts[fx->slot];
	struct sim_event ev = { .kind = SIM_EV_TO_WARDEN, .node = n->index };

	n->warden.to_last_us = rv_max_u64(n->warden.to_last_us + 1, w->now_us + 10 + sim_below(&n->prng, 150));
	if (sim_below(&n->prng, 1000) < w->spec->slow_warden_pm)
		n->warden.to_last_us += sim_below(&n->prng, w->spec->slow_local_us);
	ev.at_us = n->warden.to_last_us;
	ev.word = (struct sim_word){ .kind = fx->kind, .slot = fx->slot, .key = a->proc_key, .life = n->warden_life,
				     .grace_us = fx->kind == NODE_FX_KILL ? fx->kill.grace_us : 0 };
	sim_schedule(w, ev);
}

static void result_init(struct sim_world *w, struct sim_node *n, struct sim_attempt *a)
{
	a->has_result = true;
	a->result = (struct proto_result){ .key = a->key, .epoch = a->epoch, .outcome = PROTO_SUCCEEDED, .exit = 0 };
	a->result.end_us = a->result.start_us = sim_node_clock(w, n);
	a->result.error = a->result.enforcement = a->result.limits = RV_STR("");
	a->result.output.kind = a->result.tail.kind = PROTO_VALUE_NONE;
}

static void set_output(struct sim_attempt *a)
{
	(void)snprintf(a->output, sizeof(a->output), "unit %u attempt %u", a->key.unit, a->key.attempt);
	a->result.output.kind = PROTO_VALUE_INLINE;
	a->result.output.inline_bytes = rv_str_of(a->output);
}

static void fail_result(struct sim_attempt *a, enum proto_class class, enum proto_reason reason)
{
	a->result.outcome = PROTO_FAILED;
	a->result.class = class;
	a->result.reason = reason;
	a->result.exit = -1;
	a->result.error = RV_STR("made up");
}

/* Mocks tell what they use as agents do: while they run, and once more at their end. */
static void report(struct sim_node *n, const struct sim_attempt *a, uint64_t tokens)
{
	struct proto_msg m = { .kind = PROTO_USAGE, .usage = { .key = a->key, .usage = { .output_tokens = tokens } } };
	struct rv_err err;

	if (tokens && node_wire_say(&n->wire, &m, &err) < 0)
		rv_check(!"a report that fits no frame");
}

static void collect(struct sim_world *w, struct sim_node *n, struct sim_attempt *a)
{
	struct sim_proc *p;

	result_init(w, n, a);
	if (a->agent_kind != PROTO_AGENT_COMMAND) {
		a->result.flags |= PROTO_RESULT_STARTED;
		a->result.usage.output_tokens = a->mock_tokens;
		if (a->key.attempt % 2)
			report(n, a, a->mock_tokens);
		a->result.duration_us = a->agent_kind == PROTO_AGENT_MOCK ? a->mock_delay_us : 0;
		if (a->agent_kind == PROTO_AGENT_MOCK && a->try_number <= a->mock_fail)
			fail_result(a, PROTO_CLASS_AGENT, PROTO_REASON_MOCK);
		else
			set_output(a);
		return;
	}
	p = sim_warden_find(&n->warden, a->proc_key);
	rv_check(p);
	rv_check(p->state == SIM_P_EXITED);
	if (p->started) {
		a->result.flags |= PROTO_RESULT_STARTED;
		a->result.duration_us = p->end_us - p->start_us;
	}
	if (p->cut_short || (p->killed && !p->started)) {
		a->result.outcome = PROTO_CANCELLED;
		a->result.reason = a->kill_reason ? a->kill_reason : PROTO_REASON_CANCELLED;
		a->result.exit = -1;
		a->result.signal = p->started ? 15 : 0;
	} else if (p->doing.outcome == PROTO_FAILED) {
		fail_result(a, p->doing.class, p->doing.reason);
		a->result.exit = p->doing.exit;
	} else {
		set_output(a);
		sim_checker_well(w, n->index, a->key);
	}
}

static void reconnect_later(struct sim_world *w, struct sim_node *n, uint64_t base_us)
{
	sim_at(w, w->now_us + base_us + sim_below(&n->prng, 4 * base_us + 1), SIM_EV_NODE_CONNECT, n->index, n->life);
}

static void leave_link(struct sim_world *w, struct sim_node *n)
{
	if (n->link)
		sim_net_close(w, n->link);
	n->link = 0;
}

static bool slow(struct sim_world *w, struct sim_node *n)
{
	return sim_below(&n->prng, 1000) < w->spec->slow_daemon_pm;
}

static void prepare(struct sim_world *w, struct sim_node *n, const struct node_effect *fx)
{
	struct sim_attempt *a = &n->attempts[fx->slot];
	bool fails = !w->healed && sim_chance_ppm(&n->prng, w->spec->prepare_fail_ppm);

	rv_check(a->used);
	rv_check(node_core_find(n->core, a->key) == fx->slot);
	if (fails) {
		result_init(w, n, a);
		fail_result(a, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_WORKSPACE);
	}
	if (!fails)
		report(n, a, a->mock_tokens / 2);
	later(w, n, fails ? NODE_EV_PREPARE_FAILED : NODE_EV_PREPARED, fx->slot, slow(w, n) ? sim_below(&n->prng, w->spec->slow_local_us) : 0);
}

static void forget(struct sim_world *w, struct sim_node *n, const struct node_effect *fx)
{
	struct sim_attempt *a = &n->attempts[fx->slot];

	rv_check(a->used);
	if (a->spawned)
		to_warden(w, n, fx);
	*a = (struct sim_attempt){ 0 };
}

static void perform(struct sim_world *w, struct sim_node *n, const struct node_effect *fx)
{
	struct sim_attempt *a = fx->slot < SIM_NODE_ATTEMPTS ? &n->attempts[fx->slot] : NULL;
	struct rv_err err;

	sim_note(w, "node effect", n->index, fx->kind, (uint64_t)fx->key.unit << 32 | fx->key.attempt);
	if (n->hears_old && !node_wire_is_message(fx->kind) && fx->kind != NODE_FX_RECONNECT)
		sim_broken(w, "I10: node %u obeys a coordinator of the past: unit %u attempt %u", n->index, fx->key.unit, fx->key.attempt);
	if (node_wire_is_message(fx->kind)) {
		if (fx->kind == NODE_FX_RESULT) {
			rv_check(a && a->has_result);
			w->counts.results++;
		}
		n->greets |= fx->kind == NODE_FX_HELLO || fx->kind == NODE_FX_HELD;
		if (node_wire_put(&n->wire, fx, a ? &a->result : NULL, sim_node_clock(w, n), &err) < 0)
			rv_check(!"a message of the node that fits no frame");
		return;
	}
	switch (fx->kind) {
	case NODE_FX_PREPARE:
		prepare(w, n, fx);
		break;
	case NODE_FX_SPAWN:
		rv_check(a);
		if (!a->spawned)
			a->proc_key = ++n->warden.next_key;
		a->spawned = true;
		to_warden(w, n, fx);
		break;
	case NODE_FX_KILL:
		rv_check(a);
		a->kill_reason = fx->kill.reason;
		to_warden(w, n, fx);
		break;
	case NODE_FX_WARDEN_RETRACT:
	case NODE_FX_FREEZE:
	case NODE_FX_THAW:
		to_warden(w, n, fx);
		break;
	case NODE_FX_COLLECT:
		rv_check(a);
		collect(w, n, a);
		if (a->agent_kind == PROTO_AGENT_COMMAND)
			later(w, n, NODE_EV_COLLECTED, fx->slot, slow(w, n) ? sim_below(&n->prng, w->spec->slow_local_us) : 0);
		break;
	case NODE_FX_RESULT_OF:
		rv_check(a);
		result_init(w, n, a);
		a->result.outcome = fx->result_of.outcome;
		a->result.class = fx->result_of.class;
		a->result.reason = fx->result_of.reason;
		a->result.exit = -1;
		a->result.flags = fx->result_of.started ? PROTO_RESULT_STARTED : 0;
		break;
	case NODE_FX_FORGET:
		forget(w, n, fx);
		break;
	case NODE_FX_RECONNECT:
		leave_link(w, n);
		reconnect_later(w, n, 100000);
		break;
	case NODE_FX_STOPPED:
		n->stopping = true; /* node_turn() ends it */
		break;
	default:
		rv_check(!"an effect of the node core that nobody performs");
	}
}

/* True: the daemon has died here. */
static bool boundary(struct sim_node *n)
{
	if (n->boundaries_left && --n->boundaries_left == 0)
		n->crashed = true;
	return n->crashed;
}

static void step(struct sim_world *w, struct sim_node *n, struct node_event *ev)
{
	struct node_effect items[EFFECTS];
	struct node_effects out = { .items = items, .capacity = EFFECTS };
	uint32_t i;

	if (n->crashed)
		return;
	ev->now_us = sim_node_clock(w, n);
	w->counts.node_steps++;
	if (w->spec->nodes > 8 && w->counts.node_steps % 2) /* sizes of step rooms change nothing */
		out.capacity = NODE_EFFECTS_MIN;
	node_core_step(n->core, ev, &out);
	for (i = 0; i < out.count && !boundary(n); i++)
		perform(w, n, &items[i]);
	if (ev->kind == NODE_EV_TURN && out.again)
		step(w, n, ev);
}

/* --- frames -------------------------------------------------------------------------------------------------------------------- */

static int send_frame(void *arg, struct rv_str frame)
{
	struct sender *s = arg;
	struct sim_node *n = &s->w->nodes[s->node];

	if (boundary(n))
		return -1;
	if (!n->link)
		return -1;
	sim_net_to_coord(s->w, s->node, frame);
	return 0;
}

/* A DISPATCH may carry a slot's first word: the daemon keeps what it needs of it by the slot that the core will give it. */
static void note_dispatch(struct sim_world *w, struct sim_node *n, const struct proto_dispatch *d, const struct node_wire_spec *spec, uint32_t mock_fail, uint64_t mock_tokens)
{
	uint32_t slot = node_core_find(n->core, d->key);
	struct sim_attempt *a;

	(void)w;
	if (slot == NODE_NONE)
		return;
	a = &n->attempts[slot];
	if (a->used)
		return;
	*a = (struct sim_attempt){ .used = true, .key = d->key, .epoch = d->epoch, .lease_us = d->lease_us, .flags = spec->flags, .try_number = d->try_number, .after = d->after,
				   .cpus = spec->cpus, .agent_kind = spec->agent_kind, .mock_fail = mock_fail, .mock_delay_us = spec->mock_delay_us, .mock_tokens = mock_tokens };
}

static void read_spec(const struct proto_msg *m, struct node_wire_spec *spec, uint32_t *mock_fail, uint64_t *mock_tokens)
{
	struct rv_arena arena;
	struct proto_spec s;
	struct rv_err err;

	rv_arena_init(&arena, 0);
	proto_spec_init(&s);
	if (proto_spec_decode(m->dispatch.spec, &arena, &s, &err) < 0)
		rv_check(!"a spec that does not decode");
	*spec = (struct node_wire_spec){ .agent_kind = s.agent_kind, .flags = s.flags, .cpus = s.cpus, .mock_delay_us = s.mock_delay_us };
	*mock_fail = s.mock_fail;
	*mock_tokens = s.agent_kind == PROTO_AGENT_MOCK ? s.mock_tokens : 0;
	rv_arena_release(&arena);
}

/* The attempt's slot is known only after the step, so its effects are performed with what the step was given. */
static void step_dispatch(struct sim_world *w, struct sim_node *n, const struct proto_msg *m)
{
	struct node_effect items[EFFECTS];
	struct node_effects out = { .items = items, .capacity = EFFECTS };
	struct node_wire_spec spec;
	struct node_event ev;
	uint64_t mock_tokens;
	uint32_t mock_fail, i;

	sim_checker_dispatched(w, m->dispatch.key);
	read_spec(m, &spec, &mock_fail, &mock_tokens);
	node_wire_event(m, 0, &spec, sim_node_clock(w, n), &ev);
	w->counts.node_steps++;
	node_core_step(n->core, &ev, &out);
	note_dispatch(w, n, &m->dispatch, &spec, mock_fail, mock_tokens);
	for (i = 0; i < out.count && !boundary(n); i++)
		perform(w, n, &items[i]);
}

static bool holds(const struct sim_node *n, struct proto_attempt_key key)
{
	for (uint32_t i = 0; i < SIM_NODE_ATTEMPTS; i++)
		if (n->attempts[i].used && n->attempts[i].key.run == key.run && n->attempts[i].key.unit == key.unit && n->attempts[i].key.attempt == key.attempt)
			return true;
	return false;
}

/* A node that lies: of attempts that others hold it says that they were given back, are not here, began, or have succeeded. */
bool sim_node_forge(struct sim_world *w, uint32_t node)
{
	static const enum proto_msg_kind kinds[] = { PROTO_RESULT, PROTO_RETRACTED, PROTO_NOT_HERE, PROTO_STARTED };
	struct sim_node *n = &w->nodes[node];
	struct proto_frame_writer writer;
	struct rv_buf frame;
	uint32_t said = 0, number;

	if (!n->core || !n->link || !sim_node_welcomed(n) || !w->coord.core)
		return false;
	number = coord_node_find(w->coord.core, rv_str_of(n->name));
	proto_frame_writer_init(&writer);
	for (uint32_t i = 0; i < w->spec->runs; i++) {
		for (uint32_t k = 0; k < w->runs[i].unit_count && said < 16; k++) {
			const struct sim_unit *u = &w->runs[i].units[k];
			struct proto_attempt_key key = { w->runs[i].id, k, u->assigned };
			struct proto_msg m = { .kind = kinds[sim_below(&w->fault_prng, RV_ARRAY_LEN(kinds))] };
			struct rv_err err;

			if (!u->active || u->node == number)
				continue;
			if (m.kind == PROTO_RESULT) {
				m.result = (struct proto_result){ .key = key, .epoch = w->coord.epoch, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
				m.result.error = m.result.enforcement = m.result.limits = RV_STR("");
			} else if (m.kind == PROTO_STARTED) {
				m.started = (struct proto_started){ .key = key, .start_us = 1 };
			} else if (m.kind == PROTO_RETRACTED) {
				m.retracted = key;
			} else {
				m.not_here = key;
			}
			rv_check(proto_frame_add(&writer, &m, &err) == 0);
			said++;
		}
	}
	rv_buf_init(&frame, 0);
	if (said && proto_frame_finish(&writer, &frame) < 0)
		rv_check(!"no memory");
	if (said)
		sim_net_to_coord(w, node, rv_buf_str(&frame));
	w->counts.forged += said;
	rv_buf_release(&frame);
	proto_frame_writer_release(&writer);
	if (said)
		sim_node_link_lost(w, node, n->link);
	return said > 0;
}

static void on_message(struct sim_world *w, struct sim_node *n, const struct proto_msg *m)
{
	uint32_t i, count = node_wire_event_count(m);
	struct node_event ev;

	if (m->kind == PROTO_DISPATCH) {
		step_dispatch(w, n, m);
		return;
	}
	/* That of a forged result says nothing: it was never to be heard. */
	if (m->kind == PROTO_RESULT_ACK && m->result_ack.ack != PROTO_ACK_FENCED && !(w->counts.forged && !holds(n, m->result_ack.key)))
		sim_checker_acked(w, &m->result_ack);
	if (m->kind == PROTO_CANCEL && n->core->session == NODE_SESSION_UP) /* before, it will be said again */
		sim_checker_cancelled(w, n->index, &m->cancel);
	for (i = 0; i < count && !n->crashed; i++) {
		node_wire_event(m, i, NULL, sim_node_clock(w, n), &ev);
		step(w, n, &ev);
	}
}

/* What a coordinator of the past said with its epoch; all else of it is taken for lost. */
static bool is_from_the_past(const struct sim_node *n, const struct proto_msg *m)
{
	uint64_t epoch = m->kind == PROTO_WELCOME ? m->welcome.epoch : m->kind == PROTO_DISPATCH ? m->dispatch.epoch :
			 m->kind == PROTO_CANCEL ? m->cancel.epoch : 0;

	return epoch && epoch < n->epoch_seen;
}

static void on_frame(struct sim_world *w, struct sim_node *n, struct rv_str frame, bool late)
{
	struct proto_frame_reader *reader = w->coord.reader; /* any will do: one frame at a time */
	struct proto_msg m;
	struct rv_err err;
	int rc;

	if (proto_frame_open(reader, frame, PROTO_TO_NODE, &err) < 0)
		rv_check(!"a frame of the coordinator that does not scan");
	while (!n->crashed && (rc = proto_frame_next(reader, &m, &err)) != 0) {
		rv_check(rc > 0);
		n->hears_old = is_from_the_past(n, &m);
		if (n->hears_old || !late)
			on_message(w, n, &m);
		n->hears_old = false;
	}
}

static void on_word(struct sim_world *w, struct sim_node *n, const struct sim_word *word)
{
	struct node_event ev = { .kind = (enum node_event_kind)word->kind, .slot = word->slot };

	/* What the core has let go of, or given to another since, is dropped: the daemon knows its warden's keys. */
	if (word->key && (word->slot >= SIM_NODE_ATTEMPTS || !n->attempts[word->slot].used || n->attempts[word->slot].proc_key != word->key))
		return;
	if (ev.kind == NODE_EV_COLLECTED)
		ev.succeeded = n->attempts[word->slot].result.outcome == PROTO_SUCCEEDED;
	if (ev.kind == NODE_EV_WARDEN_UP)
		n->warden_life = n->warden.life;
	step(w, n, &ev);
}

static void die(struct sim_world *w, uint32_t node);

/* Everything that waits, then the turn. */
void sim_node_wake(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	struct sim_inbox_item item;
	struct node_event turn = { .kind = NODE_EV_TURN };
	uint64_t at;

	n->alarm_at_us = RV_NEVER;
	if (!n->core || n->paused_until_us > w->now_us)
		return;
	while (!n->crashed && sim_inbox_take(&n->inbox, &item)) {
		if (item.is_word)
			on_word(w, n, &item.word);
		else if (item.link == n->link)
			on_frame(w, n, rv_str(item.frame, item.bytes), item.late);
		free(item.frame);
	}
	step(w, n, &turn);
	if (!n->crashed)
		node_wire_flush(&n->wire);
	n->greets = false;
	if (n->crashed) {
		die(w, node);
		sim_at(w, w->now_us + 1 + sim_below(&w->fault_prng, 3000000), SIM_EV_NODE_START, node, n->life);
		return;
	}
	if (n->stopping) {
		n->stopping = false;
		die(w, node);
		sim_at(w, rv_max_u64(n->stop_back_us, w->now_us + 1), SIM_EV_NODE_START, node, n->life);
		return;
	}
	at = node_core_next_deadline(n->core);
	if (at != RV_NEVER)
		wake_at(w, n, rv_max_u64(world_time(w, n, at), w->now_us + 1));
}

/* --- life ------------------------------------------------------------------------------------------------------------------------ */

void sim_node_init(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	uint64_t h = rv_hash_u64(w->spec->seed, 50 + node);

	n->index = node;
	rv_prng_seed(&n->prng, h);
	(void)snprintf(n->name, sizeof(n->name), "n%u", node);
	n->slots = node ? 1 + h % w->spec->slots_max : w->spec->slots_max; /* one of them can run whatever there is */
	n->agent_slots = 1 + (h >> 8) % 4;
	n->clock_ppm = w->spec->clock_ppm_max ? (int64_t)(h % (2 * w->spec->clock_ppm_max + 1)) - w->spec->clock_ppm_max : 0;
	n->clock_base_us = 1000000 + (h >> 16) % 1000000000;
	n->warden = (struct sim_warden){ .slots = n->slots, .up = true, .next_key = 1 };
	n->info = (struct proto_node_info){ .slots = n->slots, .agent_slots = n->agent_slots, .memory_bytes = (uint64_t)1 << 30 };
	n->info.name = rv_str_of(n->name);
	n->info.kill_level = RV_STR("cgroup");
	n->info.abilities = PROTO_NODE_HOLDS_BEHIND;
	sim_access_new_key(w, n);
	memcpy(n->info.boot_id, &h, sizeof(h));
	n->attempts = calloc(SIM_NODE_ATTEMPTS, sizeof(*n->attempts));
	rv_check(n->attempts);
	n->life = 1;
	/* The first is there from the start: it can run whatever there is. */
	sim_at(w, sim_below(&w->misc_prng, node && (h >> 24) % 1000 < w->spec->join_pm ? w->spec->heal_us : 50000), SIM_EV_NODE_START, node, n->life);
}

static void recover(struct sim_world *w, struct sim_node *n)
{
	static const enum proto_held_state state_of[] = {
		[SIM_P_QUEUED] = PROTO_HELD_QUEUED, [SIM_P_RUNNING] = PROTO_HELD_RUNNING,
		[SIM_P_FROZEN] = PROTO_HELD_FROZEN, [SIM_P_EXITED] = PROTO_HELD_FINISHED,
	};
	struct node_effect items[EFFECTS];
	uint32_t i, k;

	for (i = 0; i < n->warden.count; i++) {
		struct node_effects out = { .items = items, .capacity = EFFECTS };
		struct sim_proc *p = &n->warden.procs[i];
		struct node_event ev = { .kind = NODE_EV_RECOVERED, .now_us = sim_node_clock(w, n) };
		struct sim_attempt *a;
		uint32_t slot;

		ev.recovered.key = p->attempt;
		ev.recovered.epoch = p->epoch;
		ev.recovered.state = state_of[p->state];
		ev.recovered.flags = p->flags;
		ev.recovered.cpus = p->cpus;
		ev.recovered.lease_us = p->lease_us;
		node_core_step(n->core, &ev, &out);
		slot = node_core_find(n->core, p->attempt);
		if (slot == NODE_NONE)
			continue;
		a = &n->attempts[slot];
		*a = (struct sim_attempt){ .used = true, .spawned = true, .key = p->attempt, .epoch = p->epoch, .lease_us = p->lease_us, .flags = p->flags,
					   .try_number = p->try_number, .cpus = p->cpus, .agent_kind = PROTO_AGENT_COMMAND, .proc_key = p->key };
		p->slot = slot;
		for (k = 0; k < out.count; k++)
			perform(w, n, &items[k]);
	}
}

/* In half of the worlds so little that a node is full now and then. */
uint32_t sim_node_ahead_max(const struct sim_world *w)
{
	return w->spec->seed & 2 ? 64 : 2;
}

void sim_node_start(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	struct node_core_config cfg;
	struct sender *sender = malloc(sizeof(*sender));

	if (n->core || n->removed) {
		free(sender);
		return;
	}
	rv_check(sender);
	n->info.incarnation++;
	node_core_config_init(&cfg);
	cfg.attempts_max = SIM_NODE_ATTEMPTS;
	cfg.slots = n->slots;
	cfg.agent_slots = n->agent_slots;
	cfg.prefetch_max = sim_node_ahead_max(w);
	cfg.tell_us = w->spec->seed & 1 ? 20000 : 0;
	cfg.gather_us = w->spec->seed & 2 ? RV_GATHER_US : 0;
	cfg.gather_max = w->spec->seed & 4 ? 3 : NODE_GATHER_MAX;
	cfg.seed = rv_hash_u64(w->spec->seed, n->info.incarnation << 8 | node);
	n->core = node_core_create(&cfg);
	rv_check(n->core);
	*sender = (struct sender){ .w = w, .node = node };
	rv_check(node_wire_init(&n->wire, &n->info, send_frame, sender) == 0);
	memset(n->attempts, 0, SIM_NODE_ATTEMPTS * sizeof(*n->attempts));
	n->crashed = false;
	n->boundaries_left = 0;
	n->alarm_at_us = RV_NEVER;
	n->paused_until_us = 0;
	n->unattended_us = w->now_us;
	sim_note(w, "node starts", node, n->info.incarnation, 0);
	sim_warden_drain(w, node);
	n->warden_life = n->warden.life;
	if (!n->warden.up) {
		struct node_event ev = { .kind = NODE_EV_WARDEN_LOST };

		step(w, n, &ev);
	}
	recover(w, n);
	reconnect_later(w, n, 1000);
	wake_at(w, n, w->now_us);
}

static void die(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];

	sim_note(w, "node dies", node, n->life, 0);
	sim_warden_drain(w, node); /* what it had written to the warden is read */
	for (uint32_t i = 0; i < n->warden.count; i++)
		if (!n->warden.procs[i].killed) /* a CANCEL that it had not passed on is said again, if it still holds */
			n->warden.procs[i].cancel_by_us = 0;
	leave_link(w, n);
	free(n->wire.arg);
	node_wire_release(&n->wire);
	for (uint32_t i = 0; i < NODE_CORE_STATES * NODE_CORE_EVENTS; i++)
		w->counts.node_cells[i] += node_core_cells(n->core)[i];
	node_core_destroy(&n->core);
	sim_inbox_clear(&n->inbox);
	n->life++;
	n->crashed = false;
	n->boundaries_left = 0;
	n->unattended_us = w->now_us;
	n->alarm++;
	n->alarm_at_us = RV_NEVER;
}

void sim_node_kill(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];

	if (!n->core)
		return;
	die(w, node);
	sim_at(w, w->now_us + 1 + sim_below(&w->fault_prng, 3000000), SIM_EV_NODE_START, node, n->life);
}

void sim_node_reboot(struct sim_world *w, uint32_t node, uint64_t for_us)
{
	struct sim_node *n = &w->nodes[node];
	uint64_t boot = rv_prng_next(&w->fault_prng);

	sim_warden_drain(w, node);
	if (n->core)
		die(w, node);
	sim_warden_clear(w, node);
	memcpy(n->info.boot_id, &boot, sizeof(boot));
	n->life++;
	n->booted_us = w->now_us;
	n->clock_base_us = 1000000;
	sim_at(w, w->now_us + 1 + for_us, SIM_EV_NODE_START, node, n->life);
}

/* Whoever was shut out is set up again: another key, the same name and the same state directory. Not before the revocation is answered, which
 * takes its row: were that lost, the name would be held by the key that the machine has no more. */
void sim_node_anew(struct sim_world *w, uint32_t node, uint64_t key)
{
	struct sim_node *n = &w->nodes[node];

	if (n->keys != key || !n->revoked)
		return;
	if (n->revoked_row > w->disk.durable) {
		sim_at(w, w->now_us + RV_US_PER_MS, SIM_EV_NODE_ANEW, node, key);
		return;
	}
	if (n->core)
		die(w, node);
	sim_access_new_key(w, n);
	sim_note(w, "node anew", node, n->keys, 0);
	sim_at(w, w->now_us + 1, SIM_EV_NODE_START, node, n->life);
}

void sim_node_stop(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	struct node_event ev = { .kind = NODE_EV_STOP };

	if (!n->core || n->paused_until_us > w->now_us)
		return;
	ev.stop.grace_us = sim_below(&w->fault_prng, 3000000);
	ev.stop.reason = PROTO_REASON_CANCELLED;
	step(w, n, &ev);
	wake_at(w, n, w->now_us);
}

void sim_node_connect(struct sim_world *w, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	struct node_event ev = { .kind = NODE_EV_CONNECTED };

	if (!n->core || n->link)
		return;
	if (n->paused_until_us > w->now_us) {
		reconnect_later(w, n, 200000);
		return;
	}
	n->link = sim_net_open(w, node);
	if (!n->link) {
		reconnect_later(w, n, 200000);
		return;
	}
	sim_note(w, "node connects", node, n->link, 0);
	step(w, n, &ev);
	wake_at(w, n, w->now_us);
}

void sim_node_link_lost(struct sim_world *w, uint32_t node, uint64_t link)
{
	struct sim_node *n = &w->nodes[node];
	struct node_event ev = { .kind = NODE_EV_DISCONNECTED };

	if (!n->core || n->link != link)
		return;
	leave_link(w, n);
	reconnect_later(w, n, 50000);
	if (n->paused_until_us > w->now_us) {
		struct sim_word word = { .kind = NODE_EV_DISCONNECTED, .slot = NODE_NONE, .life = n->life };

		sim_node_word(w, node, &word); /* it reads of it when it goes on */
		return;
	}
	step(w, n, &ev);
	wake_at(w, n, w->now_us);
}

void sim_node_release(struct sim_node *n)
{
	if (n->core) {
		free(n->wire.arg);
		node_wire_release(&n->wire);
		node_core_destroy(&n->core);
	}
	sim_inbox_release(&n->inbox);
	free(n->attempts);
	free(n->warden.procs);
}
