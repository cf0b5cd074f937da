/* coordinator.c - the coordinator core as its shell drives it: frames in, turns, rows, frames out once durable, replay
 *
 * It may die between any two effects, before or after a row is appended, and between a commit and any of the frames that it
 * releases.
 */
#include "tests/lib/plan_slice.h"
#include "tests/sim/world.h"

#include "common/check.h"
#include "coordinator/wire.h"
#include "proto/record.h"

#include <stdlib.h>

#define EFFECTS 4096u
#define VERDICTS 4096u
#define SEC ((uint64_t)RV_US_PER_S)

uint64_t sim_coord_clock(const struct sim_world *w)
{
	const struct sim_coordinator *c = &w->coord;
	uint64_t up = w->now_us;

	return 5000 * SEC + up + c->jumped_us + (uint64_t)((int64_t)(up / 1000000) * c->clock_ppm);
}

uint64_t sim_coord_real(const struct sim_world *w)
{
	return (uint64_t)1700000000 * 1000000 + w->now_us;
}

static void wake_at(struct sim_world *w, uint64_t at_us)
{
	struct sim_coordinator *c = &w->coord;

	at_us = rv_max_u64(at_us, rv_max_u64(w->now_us, c->paused_until_us));
	if (c->alarm_at_us <= at_us && c->alarm_at_us >= w->now_us)
		return;
	c->alarm_at_us = at_us;
	sim_at(w, at_us, SIM_EV_COORD_WAKE, UINT32_MAX, ++c->alarm);
}

/* The key of a link is revoked: nothing is sent there but that it is shut out. */
static void check_revoked(struct sim_world *w, uint64_t peer)
{
	if (w->links[peer - 1].revoked)
		sim_broken(w, "I13: a message goes to node %u, whose key is revoked", w->links[peer - 1].node);
}

/* True: it has died here. */
static bool boundary(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;

	if (c->boundaries_left && --c->boundaries_left == 0)
		c->crashed = true;
	return c->crashed;
}

/* --- effects -------------------------------------------------------------------------------------------------------------- */

static void add_message(struct sim_world *w, uint64_t peer, const struct proto_msg *m)
{
	struct rv_err err;

	if (coord_outbox_add(w->coord.outbox, peer, m, &err) < 0)
		rv_check(!"a message of the coordinator that fits no frame");
}

static void send_dispatch(struct sim_world *w, const struct coord_effect *fx)
{
	uint32_t unit = fx->dispatch.key.unit;
	const struct coord_graph *g = coord_run_graph(w->coord.core, fx->dispatch.key.run);
	char id_room[COORD_UNIT_ID_BYTES], item_room[32];
	struct coord_wire_dispatch d = { .epoch = w->coord.epoch };
	struct proto_msg m;

	rv_check(g);
	if (unit == coord_graph_unit_count(g)) {
		d.unit_id = RV_STR(PLAN_VERIFY_ID);
		d.spec = coord_graph_verify_spec(g);
	} else {
		d.unit_id = coord_graph_unit_id(g, unit, id_room);
		d.item = coord_graph_item(g, unit, item_room);
		d.spec = coord_graph_spec(g, unit);
	}
	coord_wire_message(fx, &d, &m);
	add_message(w, fx->peer, &m);
}

static uint32_t send_message(struct sim_world *w, uint32_t i)
{
	struct sim_coordinator *c = &w->coord;
	const struct coord_effect *fx = &c->effects.items[i];
	uint32_t taken = 1;
	struct proto_msg m;
	struct rv_err err;

	c->rests_on_facts |= fx->needs_fact;
	if (fx->kind != COORD_FX_GOAWAY)
		check_revoked(w, fx->peer);
	if (fx->kind == COORD_FX_DISPATCH) {
		send_dispatch(w, fx);
		return 1;
	}
	if (fx->kind == COORD_FX_WELCOME || fx->kind == COORD_FX_VERDICT) {
		struct proto_welcome *last = &c->last_welcome[w->links[fx->peer - 1].node];

		taken = coord_wire_welcome(&c->effects, i, last, c->verdicts, VERDICTS, &m);
		*last = m.welcome;
	} else {
		coord_wire_message(fx, NULL, &m);
	}
	if (m.kind == PROTO_GOAWAY && m.goaway.why == PROTO_GOAWAY_REVOKED && coord_outbox_drop(c->outbox, fx->peer, &err) < 0)
		rv_check(!"no memory");
	if (!fx->needs_fact) {
		if (coord_outbox_add_free(c->outbox, fx->peer, &m, &err) < 0)
			rv_check(!"no memory");
		return taken;
	}
	add_message(w, fx->peer, &m);
	return taken;
}

/* Time decides nothing while messages wait that may say otherwise: only a TURN looks at deadlines. */
static void check_time(struct sim_world *w, const struct proto_fact *f)
{
	uint32_t ev = w->coord.stepping;
	bool lost = (f->kind == PROTO_FACT_ATTEMPT_ENDED && f->attempt_ended.result.class == PROTO_CLASS_NODE_LOST) ||
		    (f->kind == PROTO_FACT_ENDED && f->ended.result.class == PROTO_CLASS_NODE_LOST && f->ended.result.reason == PROTO_REASON_LOST);
	bool late = f->kind == PROTO_FACT_RUN_STOPPED && f->run_stopped.reason == PROTO_REASON_RUN_TIMEOUT;

	if ((late && ev != COORD_EV_TURN) || (lost && (ev == COORD_EV_HEARTBEAT || ev == COORD_EV_TAKEN || ev == COORD_EV_STARTED)))
		sim_broken(w, "a deadline was acted upon before the messages that waited were looked at");
}

static void perform(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;
	uint32_t i = 0;
	struct rv_err err;

	while (i < c->effects.count && !boundary(w)) {
		struct coord_effect *fx = &c->effects.items[i];

		sim_note(w, "coordinator effect", fx->kind, fx->peer, fx->kind == COORD_FX_FACT ? fx->fact->kind : 0);
		if (coord_wire_is_message(fx->kind)) {
			rv_check(!c->in_replay);
			i += send_message(w, i);
			continue;
		}
		i++;
		switch (fx->kind) {
		case COORD_FX_FACT:
			rv_check(!c->in_replay);
			check_time(w, fx->fact);
			if (proto_fact_encode(fx->fact, &c->row) < 0)
				rv_check(!"a fact that does not encode");
			c->row_facts++;
			break;
		case COORD_FX_RELEASE_RUN:
			coord_graph_destroy(&fx->release);
			break;
		case COORD_FX_LINK_OVER:
			if (coord_outbox_drop(c->outbox, fx->peer, &err) < 0)
				rv_check(!"no memory");
			break;
		default:
			break;
		}
	}
	/* A crash here gives no graph back: the core destroys what it holds, and this is no longer its own. */
	for (; i < c->effects.count; i++)
		if (c->effects.items[i].kind == COORD_FX_RELEASE_RUN)
			coord_graph_destroy(&c->effects.items[i].release);
}

static void step_once(struct sim_world *w, const struct coord_event *ev)
{
	struct sim_coordinator *c = &w->coord;

	c->effects.count = 0;
	c->effects.again = false;
	w->counts.coord_steps++;
	coord_step(c->core, ev, &c->effects);
	perform(w);
}

/* A step that ran out of room goes on before anything else. */
static void step(struct sim_world *w, struct coord_event *ev)
{
	struct sim_coordinator *c = &w->coord;
	struct coord_event again = { .kind = COORD_EV_AGAIN };

	if (c->crashed)
		return;
	c->stepping = ev->kind;
	ev->now_us = again.now_us = sim_coord_clock(w);
	ev->real_us = again.real_us = sim_coord_real(w);
	step_once(w, ev);
	while (c->effects.again && !c->crashed)
		step_once(w, &again);
}

/* --- facts into rows, frames out --------------------------------------------------------------------------------------------- */

static void check_row(struct sim_world *w, struct sim_row *row)
{
	struct rv_str at = rv_buf_str(&row->records);
	struct rv_arena arena;
	struct proto_fact f;
	struct rv_err err;
	int rc;

	rv_arena_init(&arena, 0);
	while ((rc = proto_fact_decode(&at, &arena, &f, &err)) == 1)
		sim_checker_fact(w, &f);
	rv_check(rc == 0);
	rv_arena_release(&arena);
}

void sim_coord_record(struct sim_world *w, const struct proto_fact *f)
{
	struct sim_coordinator *c = &w->coord;

	if (proto_fact_encode(f, &c->row) < 0)
		rv_check(!"a fact that does not encode");
	c->row_facts++;
	w->counts.enrolled += f->kind == PROTO_FACT_KEY && f->key.change == PROTO_KEY_ADMITTED;
	sim_access_fact(w, f, sim_coord_real(w));
	wake_at(w, w->now_us);
}

/* Appends the turn's facts; the frames that depend on them wait for it. */
static void commit(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;
	uint64_t position = 0;
	struct rv_err err;

	if (boundary(w))
		return;
	if (c->row_facts) {
		struct sim_row *row;

		if (w->disk.fails_next && !w->healed) {
			w->disk.fails_next = false;
			c->crashed = true; /* a failed write is never retried: stop, what is on disk counts */
			c->crash_how = SIM_CRASH_KILL;
			if (sim_below(&w->fault_prng, 2))
				return;
		}
		position = sim_disk_append(w, &c->row, c->row_facts, c->epoch, sim_coord_real(w));
		row = &w->disk.rows[position - 1];
		row->digest = c->crashed ? 0 : coord_digest(c->core);
		row->access_digest = c->access ? coord_access_digest(c->access) : 0;
		sim_note(w, "row", position, row->records.bytes, row->digest);
		c->row_facts = 0;
		check_row(w, row);
	}
	if (c->crashed || boundary(w))
		return;
	if (position == 0 && c->rests_on_facts)
		position = w->disk.count;
	c->rests_on_facts = false;
	if (coord_outbox_seal(c->outbox, position, &err) < 0)
		rv_check(!"no memory");
	coord_outbox_release(c->outbox, w->disk.durable);
}

/* What had been sealed before its key was revoked does not leave either. */
static void check_sent(struct sim_world *w, uint64_t peer, struct rv_str frame)
{
	struct proto_msg m;
	struct rv_err err;

	if (!w->links[peer - 1].revoked)
		return;
	if (proto_frame_open(w->coord.reader, frame, PROTO_TO_NODE, &err) < 0)
		rv_check(!"a frame of the coordinator that does not scan");
	while (proto_frame_next(w->coord.reader, &m, &err) > 0)
		if (m.kind != PROTO_GOAWAY)
			check_revoked(w, peer);
}

static int send_frame(void *arg, uint64_t peer, struct rv_str frame)
{
	struct sim_world *w = arg;

	if (boundary(w))
		return -1;
	check_sent(w, peer, frame);
	return sim_net_to_node(w, peer, frame);
}

static void die(struct sim_world *w, uint64_t for_us);

void sim_coord_released(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;

	if (!c->core)
		return;
	if (c->paused_until_us > w->now_us) {
		wake_at(w, c->paused_until_us);
		return;
	}
	coord_outbox_release(c->outbox, w->disk.durable);
	if (c->crashed)
		die(w, 1 + sim_below(&w->fault_prng, 5000000));
}

static void on_frame(struct sim_world *w, uint64_t peer, struct rv_str frame)
{
	struct sim_coordinator *c = &w->coord;
	struct coord_event ev;
	struct proto_msg m;
	struct rv_err err;
	int rc;

	if (!sim_access_admits(w, w->links[peer - 1].key)) { /* shut out, though its link lives */
		w->counts.denied++;
		return;
	}
	if (proto_frame_open(c->reader, frame, PROTO_TO_COORD, &err) < 0)
		rv_check(!"a frame of a node that does not scan");
	while (!c->crashed && (rc = proto_frame_next(c->reader, &m, &err)) != 0) {
		rv_check(rc > 0);
		rv_check(proto_msg_roles(m.kind) & PROTO_ROLE_NODE);
		if (coord_wire_event(&m, 0, 0, peer, &ev) < 0)
			rv_check(!"a message that no node sends");
		ev.admitted = c->access && m.kind == PROTO_HELLO;
		step(w, &ev);
	}
}

static bool mutate(struct sim_world *w, enum proto_mutation what, struct sim_run *r, uint32_t unit, uint32_t node, int64_t value);

static void submit_due(struct sim_world *w)
{
	uint32_t i;

	for (i = 0; i < w->spec->runs && !w->coord.crashed; i++) {
		struct sim_run *r = &w->runs[i];
		struct coord_event ev = { .kind = COORD_EV_RUN_ACCEPTED };
		struct proto_fact fact = { .kind = PROTO_FACT_RUN_ACCEPTED };
		struct coord_graph *g = NULL;
		struct rv_err err;

		if (r->accepted || r->submit_us > w->now_us)
			continue;
		if (coord_run_graph(w->coord.core, r->id))
			continue;
		fact.run_accepted.run = r->id;
		fact.run_accepted.name = r->plan->name;
		if (w->spec->open)
			g = plan_slice_graph(r->plan, 0, r->cuts[0], r->id);
		else if (coord_graph_build(r->plan, r->id, NULL, &g, &err) < 0)
			rv_check(!"a plan that is refused");
		fact.run_accepted.open = w->spec->open;
		fact.run_accepted.units = coord_graph_unit_count(g);
		if (coord_admit_run(w->coord.core, g, &err) < 0)
			rv_check(!"a plan that is refused");
		ev.run_accepted.graph = g;
		ev.run_accepted.fact = &fact;
		sim_note(w, "run submitted", i, 0, 0);
		step(w, &ev);
	}
}

/* How many slices of an open run the core has. */
static uint32_t slices_there(const struct sim_run *r, const struct coord_graph *g)
{
	uint32_t tmpls = coord_graph_template_count(g) - (coord_graph_verify_spec(g).bytes ? 1 : 0), n = 1;

	while (n < r->cut_count && r->cuts[n] <= tmpls)
		n++;
	return n;
}

static void add_slice(struct sim_world *w, struct sim_run *r, uint32_t slice, bool is_new)
{
	struct coord_graph *part = plan_slice_graph(r->plan, slice ? r->cuts[slice - 1] : 0, r->cuts[slice], r->id);
	struct coord_event ev = { .kind = COORD_EV_UNITS_ADDED };
	struct proto_fact fact = { .kind = PROTO_FACT_UNITS_ADDED };
	uint32_t there;
	struct rv_err err;

	fact.units_added.run = r->id;
	fact.units_added.submission = slice;
	fact.units_added.first = coord_graph_unit_count(coord_run_graph(w->coord.core, r->id));
	if (coord_admit_units(w->coord.core, r->id, part, &fact.units_added.units, &there, &err) == 0) {
		if (coord_part_is_new(part) != is_new)
			sim_broken(w, "I17: slice %u is %s, and was taken for the opposite", slice, is_new ? "new" : "there");
		ev.run_accepted.fact = &fact;
		ev.run_accepted.graph = part;
		if (is_new) {
			sim_note(w, "units added", (uint32_t)r->id, slice, fact.units_added.units);
			step(w, &ev);
		}
	}
	coord_graph_destroy(&part);
}

/* Slices in order, from time to time one that is there already, as of a client that did not hear of it; then no more. What a crash took away is
 * added again, since the core is asked what it has. */
static void add_due(struct sim_world *w)
{
	for (uint32_t i = 0; w->spec->open && i < w->spec->runs && !w->coord.crashed; i++) {
		struct sim_run *r = &w->runs[i];
		const struct coord_graph *g = coord_run_graph(w->coord.core, r->id);
		uint32_t slices;

		if (!g || !coord_run_is_open(w->coord.core, r->id))
			continue;
		slices = slices_there(r, g);
		if (sim_below(&w->fault_prng, 4) == 0)
			add_slice(w, r, (uint32_t)sim_below(&w->fault_prng, slices), false);
		else if (r->submit_us + slices * (w->spec->heal_us / 8) > w->now_us)
			continue;
		else if (slices < r->cut_count)
			add_slice(w, r, slices, true);
		else
			(void)mutate(w, PROTO_MUT_CLOSE, r, RV_MAP_NONE, RV_MAP_NONE, 0);
	}
}

/* Everything that waits, then the turn. */
void sim_coord_wake(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;
	struct coord_event turn = { .kind = COORD_EV_TURN };
	struct sim_inbox_item item;
	uint64_t at, shown;

	c->alarm_at_us = RV_NEVER;
	if (!c->core || c->paused_until_us > w->now_us)
		return;
	submit_due(w);
	add_due(w);
	while (!c->crashed && sim_inbox_take(&c->inbox, &item)) {
		if (item.is_word) {
			struct coord_event gone = { .kind = COORD_EV_NODE_GONE, .peer = item.link };

			step(w, &gone);
		} else {
			on_frame(w, item.link, rv_str(item.frame, item.bytes));
		}
		free(item.frame);
	}
	turn.turn.commit_us = w->spec->commit_us_max / 2;
	step(w, &turn);
	if (!c->crashed)
		commit(w);
	if (c->crashed) {
		die(w, 1 + sim_below(&w->fault_prng, 5000000));
		return;
	}
	at = coord_next_deadline(c->core);
	shown = sim_coord_clock(w);
	if (at != RV_NEVER)
		wake_at(w, w->now_us + (at > shown ? (at - shown) + (at - shown) / 1000 + 1 : 1));
}

/* --- life ------------------------------------------------------------------------------------------------------------------------- */

static struct coord *new_core(struct sim_world *w)
{
	struct coord_config cfg;
	struct coord *core;

	coord_config_init(&cfg);
	cfg.nodes_max = SIM_JOURNAL_NODES_MAX;
	cfg.attempts_max = w->spec->units > 400 ? 8192 : 512; /* audits walk the pool */
	cfg.runs_max = SIM_RUNS_MAX + 1;
	cfg.seed = w->spec->seed;
	cfg.prefetch_us = w->spec->prefetch_us;
	cfg.gather_us = w->spec->seed & 2 ? RV_GATHER_US : 0;
	core = coord_create(&cfg);
	rv_check(core);
	return core;
}

static struct coord_graph *added_part(struct sim_world *w, struct coord *core, const struct proto_fact *f)
{
	const struct sim_run *r = sim_run_of(w, f->units_added.run);
	uint64_t slice = f->units_added.submission;
	struct coord_graph *part = plan_slice_graph(r->plan, r->cuts[slice - 1], r->cuts[slice], r->id);
	uint32_t added, there;
	struct rv_err err;

	if (coord_admit_units(core, r->id, part, &added, &there, &err) < 0 || added != f->units_added.units || !coord_part_is_new(part))
		sim_broken(w, "I7: slice %u was added, and does not fit the same journal any more", (uint32_t)slice);
	return part;
}

/* Folds rows 1..count into a core. */
static void fold(struct sim_world *w, struct coord *core, struct coord_effects *out, uint32_t count)
{
	struct rv_arena arena;
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct sim_row *row = &w->disk.rows[i];
		struct rv_str at = rv_buf_str(&row->records);
		struct proto_fact f;
		uint32_t index = 0, k;
		struct coord_graph *part = NULL;
		struct rv_err err;

		rv_arena_init(&arena, 0);
		while (proto_fact_decode(&at, &arena, &f, &err) == 1) {
			struct coord_event ev = { .kind = COORD_EV_FACT, .real_us = row->real_us };

			if (core == w->coord.core) /* not in a replay beside it */
				sim_access_fact(w, &f, row->real_us);
			ev.fact.fact = &f;
			ev.fact.position = i + 1;
			ev.fact.index = index++;
			if (f.kind == PROTO_FACT_RUN_ACCEPTED) {
				struct sim_run *r = sim_run_of(w, f.run_accepted.run);

				if (f.run_accepted.open)
					ev.fact.graph = plan_slice_graph(r->plan, 0, r->cuts[0], r->id);
				else if (coord_graph_build(r->plan, r->id, NULL, &ev.fact.graph, &err) < 0)
					rv_check(!"a plan that is refused");
			} else if (f.kind == PROTO_FACT_UNITS_ADDED) {
				part = ev.fact.graph = added_part(w, core, &f);
			}
			do {
				out->count = 0;
				out->again = false;
				coord_step(core, &ev, out);
				for (k = 0; k < out->count; k++) {
					if (out->items[k].kind == COORD_FX_RELEASE_RUN)
						coord_graph_destroy(&out->items[k].release);
					rv_check(!coord_wire_is_message(out->items[k].kind)); /* replay decides nothing */
					rv_check(out->items[k].kind != COORD_FX_FACT);
				}
				ev = (struct coord_event){ .kind = COORD_EV_AGAIN, .real_us = row->real_us };
			} while (out->again);
			coord_graph_destroy(&part);
		}
		rv_arena_release(&arena);
	}
}

/* I7: what the rows fold to is what the core that wrote them believed. */
static void compare(struct sim_world *w, struct coord *core, uint32_t count)
{
	if (count && w->disk.rows[count - 1].digest && coord_digest(core) != w->disk.rows[count - 1].digest)
		sim_broken(w, "I7: after row %u the journal folds to another state than its writer's", count);
	w->counts.replays++;
}

void sim_coord_check_replay(struct sim_world *w)
{
	struct coord_effect items[EFFECTS / 8];
	struct coord_effects out = { .items = items, .capacity = EFFECTS / 8 };
	struct coord *core = new_core(w);

	fold(w, core, &out, w->disk.count);
	compare(w, core, w->disk.count);
	coord_audit(core);
	coord_destroy(&core);
}

void sim_coord_init(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;

	c->effects.capacity = EFFECTS;
	c->effects.items = malloc(EFFECTS * sizeof(*c->effects.items));
	c->verdicts = malloc(VERDICTS * sizeof(*c->verdicts));
	c->reader = proto_frame_reader_create();
	rv_check(c->effects.items && c->verdicts && c->reader);
	rv_buf_init(&c->row, 0);
	c->clock_ppm = w->spec->clock_ppm_max ? (int64_t)sim_below(&w->misc_prng, 2 * w->spec->clock_ppm_max + 1) - w->spec->clock_ppm_max : 0;
	c->life = 1;
	c->alarm_at_us = RV_NEVER;
	sim_at(w, 0, SIM_EV_COORD_START, UINT32_MAX, c->life);
}

void sim_coord_start(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;
	struct coord_event ev = { .kind = COORD_EV_SERVING };

	if (c->core)
		return;
	c->core = new_core(w);
	sim_access_create(w);
	c->outbox = coord_outbox_create(send_frame, w);
	rv_check(c->outbox);
	c->crashed = false;
	c->boundaries_left = 0;
	c->paused_until_us = 0;
	c->started_us = w->now_us;
	c->epoch = ++w->disk.epoch; /* claimed, synced */
	rv_buf_reset(&c->row);
	c->row_facts = 0;
	c->in_replay = true;
	fold(w, c->core, &c->effects, w->disk.count);
	c->in_replay = false;
	compare(w, c->core, w->disk.count);
	if (w->disk.count && c->access && w->disk.rows[w->disk.count - 1].access_digest &&
	    coord_access_digest(c->access) != w->disk.rows[w->disk.count - 1].access_digest)
		sim_broken(w, "I7: after row %u the journal folds to another list of keys than its writer's", w->disk.count);
	memcpy(c->replayed_cells, coord_unit_cells(c->core), sizeof(c->replayed_cells));
	sim_note(w, "coordinator serves", c->epoch, w->disk.count, 0);
	ev.serving.epoch = c->epoch;
	step(w, &ev);
	wake_at(w, w->now_us);
}

/* What the core did since it serves; what it did in replay, another had done before. */
static void count_cells(struct sim_world *w)
{
	const struct sim_coordinator *c = &w->coord;
	uint32_t i;

	for (i = 0; i < COORD_UNIT_STATE_COUNT * COORD_UNIT_EVENTS; i++)
		w->counts.unit_cells[i] += coord_unit_cells(c->core)[i] - c->replayed_cells[i];
}

static void die(struct sim_world *w, uint64_t for_us)
{
	struct sim_coordinator *c = &w->coord;

	count_cells(w);
	sim_note(w, "coordinator dies", c->epoch, c->crash_how, 0);
	coord_outbox_destroy(&c->outbox);
	coord_destroy(&c->core);
	sim_access_destroy(w);
	rv_buf_reset(&c->row);
	c->row_facts = 0;
	sim_inbox_clear(&c->inbox);
	c->life++;
	c->alarm++;
	c->alarm_at_us = RV_NEVER;
	c->crashed = false;
	c->boundaries_left = 0;
	sim_disk_crash(w, c->crash_how);
	c->crash_how = SIM_CRASH_KILL;
	sim_checker_refold(w);
	sim_net_coord_died(w);
	sim_at(w, w->now_us + for_us, SIM_EV_COORD_START, UINT32_MAX, c->life);
}

void sim_coord_kill(struct sim_world *w, enum sim_crash how, uint64_t for_us)
{
	if (!w->coord.core)
		return;
	w->coord.crash_how = how;
	die(w, for_us);
}

void sim_coord_release(struct sim_world *w)
{
	struct sim_coordinator *c = &w->coord;

	if (c->core)
		count_cells(w);
	coord_outbox_destroy(&c->outbox);
	coord_destroy(&c->core);
	sim_access_destroy(w);
	proto_frame_reader_destroy(&c->reader);
	rv_buf_release(&c->row);
	sim_inbox_release(&c->inbox);
	free(c->effects.items);
	free(c->verdicts);
}

/* --- operator acts -------------------------------------------------------------------------------------------------------------- */

static bool say(struct sim_world *w, const struct sim_request *q, uint64_t request)
{
	struct proto_fact f = { .kind = PROTO_FACT_MUTATION };
	struct coord_event ev = { .kind = COORD_EV_MUTATION };
	struct rv_err err;

	f.mutation.what = q->what;
	f.mutation.run = q->run;
	f.mutation.unit = q->unit;
	f.mutation.node = q->node;
	f.mutation.request = request;
	f.mutation.value = q->value;
	f.mutation.note = RV_STR("");
	if (coord_client_check(w->coord.core, &f, &err) < 0)
		return false;
	ev.mutation.fact = &f;
	ev.mutation.client = 1;
	sim_note(w, "operator", q->what, q->unit, q->node);
	step(w, &ev);
	return true;
}

/* Now and then the answer is lost and the client says it again, under the same number: at once, or once all has changed, the coordinator
 * too. */
static bool mutate(struct sim_world *w, enum proto_mutation what, struct sim_run *r, uint32_t unit, uint32_t node, int64_t value)
{
	struct sim_coordinator *c = &w->coord;
	struct sim_request q = { what, r ? r->id : 0, unit, node, value };
	uint64_t request = ++c->request;

	if (!say(w, &q, request))
		return false;
	if (w->healed || request > SIM_REQUESTS_MAX)
		return true;
	c->asked[request - 1] = q;
	if (!c->crashed && sim_below(&w->fault_prng, 4) == 0)
		(void)say(w, &q, request);
	if (c->crashed || sim_below(&w->fault_prng, 3) == 0)
		sim_at(w, w->now_us + 1 + sim_below(&w->fault_prng, 10 * SEC), SIM_EV_CLIENT_AGAIN, UINT32_MAX, request);
	return true;
}

void sim_coord_again(struct sim_world *w, uint64_t request)
{
	struct sim_coordinator *c = &w->coord;

	if (w->healed)
		return;
	if (!c->core || c->paused_until_us > w->now_us) {
		sim_at(w, w->now_us + SEC, SIM_EV_CLIENT_AGAIN, UINT32_MAX, request);
		return;
	}
	w->counts.repeats++;
	(void)say(w, &c->asked[request - 1], request);
	wake_at(w, w->now_us);
}

/* As coordinator/clients do it: whoever is removed is not let in again either. The node that can run whatever there is stays. */
static bool remove_node(struct sim_world *w, uint32_t node)
{
	uint32_t number = coord_node_find(w->coord.core, rv_str_of(w->nodes[node].name));

	if (node == 0 || number == COORD_NONE || !mutate(w, PROTO_MUT_REMOVE, NULL, RV_MAP_NONE, number, 0))
		return false;
	if (!w->coord.crashed)
		(void)sim_access_revoke(w, &w->nodes[node]);
	return true;
}

/* And the node of a key that is revoked is removed, in the same row. */
static bool revoke_node(struct sim_world *w, uint32_t node, uint64_t back_us)
{
	struct sim_node *n = &w->nodes[node];
	uint32_t number = coord_node_find(w->coord.core, rv_str_of(n->name));

	if (node == 0 || !sim_access_revoke(w, n))
		return false;
	sim_note(w, "key revoked", node, n->keys, number);
	if (number != COORD_NONE)
		(void)mutate(w, PROTO_MUT_REMOVE, NULL, RV_MAP_NONE, number, 0);
	if (back_us)
		sim_at(w, back_us, SIM_EV_NODE_ANEW, node, n->keys);
	return true;
}

/* Not one that is gone already. */
static bool has_ended(const struct coord *core, uint64_t run)
{
	return coord_run_graph(core, run) && coord_run_state(core, run, NULL) >= COORD_RUN_SUCCEEDED;
}

/* True: something was asked for. Waits for nothing: the turn follows. */
bool sim_coord_act(struct sim_world *w, const struct sim_fault *f)
{
	struct sim_coordinator *c = &w->coord;
	struct sim_run *r = &w->runs[f->run % w->spec->runs];
	uint32_t unit = r->unit_count ? f->target % r->unit_count : 0, node = f->target % w->spec->nodes;
	bool done = false;

	if (!c->core || c->crashed || c->paused_until_us > w->now_us)
		return false;
	switch (f->kind) {
	case SIM_F_CANCEL_RUN:
		done = r->accepted && mutate(w, PROTO_MUT_CANCEL, r, RV_MAP_NONE, RV_MAP_NONE, f->arg % 2 ? -1 : 500000);
		break;
	case SIM_F_CANCEL_UNIT:
		done = r->accepted && mutate(w, PROTO_MUT_CANCEL, r, unit, RV_MAP_NONE, f->arg % 2 ? -1 : 0);
		break;
	case SIM_F_RETRY_UNIT:
		done = r->accepted && mutate(w, PROTO_MUT_RETRY, r, f->arg % 4 ? unit : RV_MAP_NONE, RV_MAP_NONE, 0);
		break;
	case SIM_F_RESUME_RUN:
		done = r->accepted && mutate(w, PROTO_MUT_RESUME, r, RV_MAP_NONE, RV_MAP_NONE, 0);
		break;
	case SIM_F_PAUSE_RUN:
		done = r->accepted && mutate(w, f->arg % 2 ? PROTO_MUT_PAUSE : PROTO_MUT_UNPAUSE, r, RV_MAP_NONE, RV_MAP_NONE, 0);
		break;
	case SIM_F_HOLD_UNIT:
		done = r->accepted && mutate(w, f->arg % 2 ? PROTO_MUT_HOLD : PROTO_MUT_RELEASE, r, unit, RV_MAP_NONE, 0);
		break;
	case SIM_F_SKIP_UNIT:
		done = r->accepted && mutate(w, PROTO_MUT_SKIP, r, unit, RV_MAP_NONE, 0);
		break;
	case SIM_F_SET_WORKERS:
		done = r->accepted && mutate(w, PROTO_MUT_SET_MAX_WORKERS, r, RV_MAP_NONE, RV_MAP_NONE, 1 + f->arg % 8);
		break;
	case SIM_F_SET_PRIORITY:
		done = r->accepted && mutate(w, PROTO_MUT_SET_PRIORITY, r, RV_MAP_NONE, RV_MAP_NONE, f->arg % 30);
		break;
	case SIM_F_DRAIN:
		done = mutate(w, f->arg % 2 ? PROTO_MUT_DRAIN : PROTO_MUT_UNDRAIN, NULL, RV_MAP_NONE, node, f->arg % 4 == 1 ? (int64_t)f->for_us : 0);
		w->counts.drain_deadlines += done && f->arg % 4 == 1;
		break;
	case SIM_F_RM: /* as coordinator/clients do it: of a run that has ended */
		done = r->accepted && r->finished && has_ended(c->core, r->id) && mutate(w, PROTO_MUT_RM, r, RV_MAP_NONE, RV_MAP_NONE, 0);
		break;
	case SIM_F_REMOVE:
		done = remove_node(w, node);
		break;
	case SIM_F_REVOKE:
		done = revoke_node(w, node, f->arg % 2 ? w->now_us + f->for_us : 0);
		break;
	case SIM_F_STOP_RUN:
		if (r->accepted && coord_run_graph(c->core, r->id)) {
			struct coord_event ev = { .kind = COORD_EV_RUN_STOP };

			ev.run_stop.run = r->id;
			ev.run_stop.reason = f->arg % 2 ? PROTO_REASON_INTERRUPTED : PROTO_REASON_CANCELLED;
			ev.run_stop.grace_us = f->arg % 3 ? RV_NEVER : 0;
			step(w, &ev);
			done = true;
		}
		break;
	default:
		break;
	}
	wake_at(w, w->now_us);
	return done;
}
