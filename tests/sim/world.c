/* world.c - virtual time and what happens in it */
#include "tests/sim/world.h"

#include "common/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SEC ((uint64_t)RV_US_PER_S)

/* --- the heap of events ------------------------------------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->number < b->number;
}

void sim_schedule(struct sim_world *w, struct sim_event ev)
{
	uint32_t at;

	if (w->heap_count == w->heap_capacity) {
		w->heap_capacity = w->heap_capacity ? w->heap_capacity * 2 : 256;
		w->heap = realloc(w->heap, w->heap_capacity * sizeof(*w->heap));
		rv_check(w->heap);
	}
	ev.number = ++w->number;
	ev.at_us = rv_max_u64(ev.at_us, w->now_us);
	for (at = w->heap_count++; at > 0 && before(&ev, &w->heap[(at - 1) / 2]); at = (at - 1) / 2)
		w->heap[at] = w->heap[(at - 1) / 2];
	w->heap[at] = ev;
}

void sim_at(struct sim_world *w, uint64_t at_us, enum sim_event_kind kind, uint32_t node, uint64_t a)
{
	sim_schedule(w, (struct sim_event){ .at_us = at_us, .kind = kind, .node = node, .a = a });
}

static struct sim_event take_first(struct sim_world *w)
{
	struct sim_event first = w->heap[0], last = w->heap[--w->heap_count];
	uint32_t at = 0;

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= w->heap_count)
			break;
		if (child + 1 < w->heap_count && before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!before(&w->heap[child], &last))
			break;
		w->heap[at] = w->heap[child];
		at = child;
	}
	w->heap[at] = last;
	return first;
}

/* --- telling -------------------------------------------------------------------------------------------------------------- */

void sim_broken(struct sim_world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->broken)
		return;
	w->broken = true;
	va_start(ap, fmt);
	(void)vsnprintf(w->what, sizeof(w->what), fmt, ap);
	va_end(ap);
	if (w->trace)
		printf("%12.6f BROKEN %s\n", (double)w->now_us / 1e6, w->what);
}

void sim_note(struct sim_world *w, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
	w->hash = rv_hash_u64(rv_hash_u64(rv_hash_u64(w->hash ^ w->now_us, a), b), c ^ (uint64_t)what[0] << 56);
	if (w->trace)
		printf("%12.6f %s %llu %llu %llx\n", (double)w->now_us / 1e6, what, (unsigned long long)a, (unsigned long long)b, (unsigned long long)c);
}

/* --- faults --------------------------------------------------------------------------------------------------------------- */

static void pause_node(struct sim_world *w, uint32_t node, uint64_t for_us)
{
	struct sim_node *n = &w->nodes[node];

	if (!n->core)
		return;
	n->paused_until_us = w->now_us + for_us;
	n->unattended_us = n->paused_until_us;
	n->alarm++;
	n->alarm_at_us = RV_NEVER;
	sim_at(w, n->paused_until_us, SIM_EV_UNPAUSE, node, 0);
}

static void pause_coordinator(struct sim_world *w, uint64_t for_us)
{
	struct sim_coordinator *c = &w->coord;

	if (!c->core)
		return;
	c->paused_until_us = w->now_us + for_us;
	c->alarm++;
	c->alarm_at_us = RV_NEVER;
	sim_at(w, c->paused_until_us, SIM_EV_UNPAUSE, UINT32_MAX, 0);
}

static void cut(struct sim_world *w, const struct sim_fault *f, uint32_t node)
{
	struct sim_node *n = &w->nodes[node];
	uint64_t until = rv_min_u64(w->now_us + f->for_us, w->spec->heal_us);

	if (f->kind != SIM_F_CUT_FROM_COORD)
		n->cut_to_until_us = rv_max_u64(n->cut_to_until_us, until);
	if (f->kind != SIM_F_CUT_TO_COORD)
		n->cut_from_until_us = rv_max_u64(n->cut_from_until_us, until);
}

/* What may make a try vain: anything that ends or hides an attempt for longer than it may be silent. */
static bool is_harsh(const struct sim_world *w, const struct sim_fault *f)
{
	switch (f->kind) {
	case SIM_F_COORD_KILL:
	case SIM_F_COORD_POWER:
	case SIM_F_COORD_DISK:
	case SIM_F_COORD_PAUSE: /* who stands still declares nobody lost */
	case SIM_F_CLOCK_JUMP:
	case SIM_F_LINK_RESET:
	case SIM_F_FORGE:
	case SIM_F_RM:
	case SIM_F_SET_WORKERS:
	case SIM_F_SET_PRIORITY:
	case SIM_F_PAUSE_RUN:
	case SIM_F_HOLD_UNIT:
		return false;
	case SIM_F_NODE_KILL:
	case SIM_F_NODE_PAUSE:
	case SIM_F_CUT:
	case SIM_F_CUT_TO_COORD:
	case SIM_F_CUT_FROM_COORD:
		return f->for_us > w->spec->lost_after_us / 8;
	default:
		return true;
	}
}

static void fault(struct sim_world *w, const struct sim_fault *f)
{
	uint32_t node = f->target % w->spec->nodes;
	struct sim_node *n = &w->nodes[node];
	uint64_t for_us = rv_min_u64(f->for_us, w->spec->heal_us > w->now_us ? w->spec->heal_us - w->now_us : 1);
	bool done = true;

	sim_note(w, sim_fault_name(f->kind), node, f->for_us, f->arg);
	switch (f->kind) {
	case SIM_F_COORD_KILL:
	case SIM_F_COORD_POWER:
		w->coord.crash_how = f->kind == SIM_F_COORD_POWER && w->spec->power ? SIM_CRASH_POWER : SIM_CRASH_KILL;
		if (f->arg && w->coord.core)
			w->coord.boundaries_left = f->arg; /* somewhere in what it does next */
		else
			sim_coord_kill(w, w->coord.crash_how, rv_min_u64(for_us, 20 * SEC));
		break;
	case SIM_F_COORD_DISK:
		w->disk.fails_next = true;
		break;
	case SIM_F_COORD_PAUSE:
		pause_coordinator(w, for_us);
		break;
	case SIM_F_NODE_KILL:
		if (f->arg && n->core)
			n->boundaries_left = f->arg;
		else
			sim_node_kill(w, node);
		break;
	case SIM_F_NODE_FALL:
		sim_node_kill(w, node);
		sim_warden_die(w, node);
		break;
	case SIM_F_NODE_REBOOT:
		sim_node_reboot(w, node, for_us);
		break;
	case SIM_F_NODE_PAUSE:
		pause_node(w, node, for_us);
		break;
	case SIM_F_NODE_STOP:
		n->stop_back_us = w->now_us + for_us;
		sim_node_stop(w, node);
		break;
	case SIM_F_NODE_LEAVE:
		n->stop_back_us = w->spec->heal_us;
		sim_node_stop(w, node);
		break;
	case SIM_F_WARDEN_KILL:
		sim_warden_die(w, node);
		break;
	case SIM_F_CUT:
	case SIM_F_CUT_TO_COORD:
	case SIM_F_CUT_FROM_COORD:
		cut(w, f, node);
		break;
	case SIM_F_LINK_RESET:
		if (n->link)
			sim_node_link_lost(w, node, n->link);
		break;
	case SIM_F_FORGE:
		done = sim_node_forge(w, node);
		break;
	case SIM_F_CLOCK_JUMP: /* the host slept: its clock of leases went on, nobody was at work */
		w->coord.jumped_us += for_us;
		break;
	default:
		done = sim_coord_act(w, f);
	}
	w->counts.faults[f->kind] += done;
	w->harsh |= done && is_harsh(w, f);
}

/* Everybody gets well, and people end what they left open. */
static void heal(struct sim_world *w)
{
	uint32_t i, k;

	w->healed = true;
	w->disk.fails_next = false;
	w->coord.boundaries_left = 0;
	sim_note(w, "healed", 0, 0, 0);
	for (i = 0; i < w->spec->nodes; i++) {
		w->nodes[i].boundaries_left = 0;
		w->nodes[i].stop_back_us = w->now_us;
	}
	/* The acts need a coordinator: they are repeated until one takes them. */
	for (k = 0; k < 40; k++)
		sim_at(w, w->now_us + k * SEC, SIM_EV_HEAL, UINT32_MAX, k);
	/* A unit that was to be held is once its attempt is given up. */
	for (k = 0; k < 20; k++)
		sim_at(w, w->now_us + 40 * SEC + k * w->spec->lost_after_us / 4, SIM_EV_HEAL, UINT32_MAX, k);
}

static void heal_acts(struct sim_world *w)
{
	struct sim_fault f = { .kind = SIM_F_PAUSE_RUN };
	uint32_t i, u;

	if (!w->coord.core)
		return;
	for (i = 0; i < w->spec->runs; i++) {
		f.run = i;
		f.kind = SIM_F_PAUSE_RUN;
		f.arg = 0;
		(void)sim_coord_act(w, &f);
		f.kind = SIM_F_HOLD_UNIT;
		for (u = 0; u < w->runs[i].unit_count && !w->coord.crashed; u++) {
			struct coord_unit_view view;

			if (!w->runs[i].accepted || !coord_run_graph(w->coord.core, w->runs[i].id))
				break;
			if (u >= coord_graph_unit_count(coord_run_graph(w->coord.core, w->runs[i].id)))
				continue;
			coord_unit_view(w->coord.core, w->runs[i].id, u, &view);
			if (view.state != COORD_UNIT_HELD && !(view.state == COORD_UNIT_PENDING && w->counts.faults[SIM_F_HOLD_UNIT]))
				continue;
			f.target = u;
			(void)sim_coord_act(w, &f);
		}
	}
	f.kind = SIM_F_DRAIN;
	for (i = 0; w->counts.faults[SIM_F_DRAIN] && i < w->spec->nodes; i++) {
		f.target = i;
		(void)sim_coord_act(w, &f);
	}
}

/* --- what happens ------------------------------------------------------------------------------------------------------------- */

static void frame_to_coord(struct sim_world *w, struct sim_event *ev)
{
	if (!w->coord.core)
		return;
	if (w->links[ev->a - 1].gone) { /* nobody listens there: the host says so */
		if (w->nodes[ev->node].link == ev->a && w->nodes[ev->node].cut_from_until_us <= w->now_us)
			sim_at(w, w->now_us + 1 + w->spec->delay_us, SIM_EV_NODE_LINK_LOST, ev->node, ev->a);
		return;
	}
	sim_inbox_put(&w->coord.inbox, (struct sim_inbox_item){ .link = ev->a, .frame = ev->frame, .bytes = ev->frame_bytes });
	ev->frame = NULL;
	if (w->coord.paused_until_us <= w->now_us)
		sim_coord_wake(w);
}

#define ECHO_STEP_US 300000u
#define ECHO_STEPS 100u

/* A frame that was on its way when its coordinator died, on a link that is no more: is it read all the same, once the successor has
 * welcomed the daemon? Sockets that connect again by themselves may keep what they had received. */
static bool is_echo(struct sim_world *w, const struct sim_event *ev)
{
	const struct sim_link *l = &w->links[ev->a - 1];

	if (w->healed || l->coord_life == w->coord.life || l->node_life != w->nodes[ev->node].life || ev->b > ECHO_STEPS)
		return false;
	return ev->b || sim_chance_ppm(&w->net_prng, w->spec->echo_pm * 1000);
}

static void frame_to_node(struct sim_world *w, struct sim_event *ev)
{
	struct sim_node *n = &w->nodes[ev->node];
	bool late = n->core && n->link != ev->a;

	if (!n->core || (late && !is_echo(w, ev)))
		return;
	if (late && !(n->link && sim_node_welcomed(n))) {
		sim_schedule(w, (struct sim_event){ .at_us = w->now_us + ECHO_STEP_US, .kind = ev->kind, .node = ev->node, .a = ev->a, .b = ev->b + 1,
						    .frame = ev->frame, .frame_bytes = ev->frame_bytes });
		ev->frame = NULL;
		return;
	}
	w->counts.echoes += late;
	sim_inbox_put(&n->inbox, (struct sim_inbox_item){ .link = n->link, .late = late, .frame = ev->frame, .bytes = ev->frame_bytes });
	ev->frame = NULL;
	if (n->paused_until_us <= w->now_us)
		sim_node_wake(w, ev->node);
}

static void link_gone(struct sim_world *w, uint64_t link)
{
	if (w->links[link - 1].gone)
		return;
	w->links[link - 1].gone = true;
	if (!w->coord.core)
		return;
	sim_inbox_put(&w->coord.inbox, (struct sim_inbox_item){ .is_word = true, .link = link });
	if (w->coord.paused_until_us <= w->now_us)
		sim_coord_wake(w);
}

static void warden_up(struct sim_world *w, uint32_t node, uint64_t life)
{
	struct sim_node *n = &w->nodes[node];
	struct sim_word word = { .kind = NODE_EV_WARDEN_UP, .slot = NODE_NONE, .life = n->life };

	if (n->warden.life != life || n->warden.up)
		return;
	n->warden.up = true;
	sim_node_word(w, node, &word);
}

static void happen(struct sim_world *w, struct sim_event *ev)
{
	struct sim_node *n = ev->node < w->spec->nodes ? &w->nodes[ev->node] : NULL;

	switch (ev->kind) {
	case SIM_EV_FAULT:
		fault(w, &w->spec->faults[ev->a]);
		break;
	case SIM_EV_FRAME_TO_COORD:
		frame_to_coord(w, ev);
		break;
	case SIM_EV_FRAME_TO_NODE:
		frame_to_node(w, ev);
		break;
	case SIM_EV_LINK_GONE:
		link_gone(w, ev->a);
		break;
	case SIM_EV_COORD_WAKE:
		if (ev->a == w->coord.alarm)
			sim_coord_wake(w);
		break;
	case SIM_EV_COORD_START:
		if (ev->a == w->coord.life)
			sim_coord_start(w);
		break;
	case SIM_EV_COMMIT:
		if (ev->a == w->coord.life)
			sim_disk_commit(w, (uint32_t)ev->b);
		break;
	case SIM_EV_NODE_WAKE:
		if (ev->a == n->alarm)
			sim_node_wake(w, ev->node);
		break;
	case SIM_EV_NODE_START:
		if (ev->a == n->life)
			sim_node_start(w, ev->node);
		break;
	case SIM_EV_NODE_CONNECT:
		if (ev->a == n->life)
			sim_node_connect(w, ev->node);
		break;
	case SIM_EV_NODE_LINK_LOST:
		sim_node_link_lost(w, ev->node, ev->a);
		break;
	case SIM_EV_NODE_LATER:
	case SIM_EV_FROM_WARDEN:
		sim_node_word(w, ev->node, &ev->word);
		break;
	case SIM_EV_TO_WARDEN:
		if (!ev->b)
			sim_warden_word(w, ev->node, &ev->word);
		break;
	case SIM_EV_PROC_END:
		sim_warden_end(w, ev->node, ev->a, ev->b);
		break;
	case SIM_EV_WARDEN_UP:
		warden_up(w, ev->node, ev->a);
		break;
	case SIM_EV_CLIENT_AGAIN:
		sim_coord_again(w, ev->a);
		break;
	case SIM_EV_NODE_ANEW:
		sim_node_anew(w, ev->node, ev->a);
		break;
	case SIM_EV_UNPAUSE:
		if (n)
			sim_node_wake(w, ev->node);
		else
			sim_coord_wake(w);
		break;
	case SIM_EV_HEAL:
		heal_acts(w);
		break;
	}
}

/* --- a whole world ---------------------------------------------------------------------------------------------------------------- */

/* Generous, and finite: all the work one after another on one slot, every try of it failing, and the longest waits. */
static uint64_t end_by(const struct sim_spec *s)
{
	uint64_t work = (uint64_t)s->runs * s->units * 5 * (s->duration_us_max + 4 * SEC);

	return s->heal_us + 3600 * SEC + 3 * s->lost_after_us + work;
}

static void audit(struct sim_world *w, const struct sim_event *ev)
{
	uint32_t i;
	bool small = w->spec->units * w->spec->runs <= 60;

	if (w->coord.core && (small || w->counts.events % 64 == 0) &&
	    (ev->kind == SIM_EV_FRAME_TO_COORD || ev->kind == SIM_EV_COORD_WAKE || ev->kind == SIM_EV_COORD_START))
		coord_audit(w->coord.core);
	if (ev->node < w->spec->nodes && w->nodes[ev->node].core && ev->kind != SIM_EV_FRAME_TO_COORD)
		node_core_audit(w->nodes[ev->node].core);
	sim_checker_after(w);
	if (w->counts.events < w->next_replay)
		return;
	w->next_replay = w->counts.events + (small ? 1000 : 5000);
	for (i = 0; i < w->spec->nodes; i++)
		if (w->nodes[i].core)
			node_core_audit(w->nodes[i].core);
	sim_coord_check_replay(w);
}

static void create(struct sim_world *w)
{
	uint32_t i;

	rv_prng_seed(&w->net_prng, rv_hash_u64(w->spec->seed, 1));
	rv_prng_seed(&w->fault_prng, rv_hash_u64(w->spec->seed, 2));
	rv_prng_seed(&w->misc_prng, rv_hash_u64(w->spec->seed, 3));
	w->next_replay = 500;
	/* Where messages are lost, no node is sure to get a word through before its attempts are given up. */
	w->harsh = w->spec->loss_ppm && (w->spec->lost_after_us < 60 * SEC || w->spec->loss_ppm > 50000);
	/* A WELCOME may wait for two commits, the one under way and its own, and whoever has none says nothing. */
	w->harsh |= w->spec->power && 4 * w->spec->commit_us_max > w->spec->lost_after_us;
	/* A node knows the last 1,024 units that it is done with: a later copy of a DISPATCH runs again, and is fenced. */
	w->harsh |= w->spec->duplicate_ppm && w->spec->units * w->spec->runs > 1000;
	sim_checker_init(w);
	sim_coord_init(w);
	for (i = 0; i < w->spec->nodes; i++)
		sim_node_init(w, i);
	for (i = 0; i < w->spec->fault_count; i++)
		if (w->spec->faults[i].kind)
			sim_at(w, w->spec->faults[i].at_us, SIM_EV_FAULT, UINT32_MAX, i);
}

static void destroy(struct sim_world *w)
{
	uint32_t i, k;

	for (i = 0; i < w->spec->nodes; i++) {
		if (w->nodes[i].core)
			for (k = 0; k < NODE_CORE_STATES * NODE_CORE_EVENTS; k++)
				w->counts.node_cells[k] += node_core_cells(w->nodes[i].core)[k];
		sim_node_release(&w->nodes[i]);
	}
	sim_coord_release(w);
	sim_checker_release(w);
	sim_disk_release(&w->disk);
	for (i = 0; i < w->heap_count; i++)
		free(w->heap[i].frame);
	free(w->heap);
	free(w->links);
}

static void run(struct sim_world *w)
{
	uint64_t limit = end_by(w->spec);
	uint64_t settle_us = 0;

	while (w->heap_count && !w->broken) {
		struct sim_event ev = take_first(w);

		w->now_us = ev.at_us;
		if (!w->healed && w->now_us >= w->spec->heal_us)
			heal(w);
		w->counts.events++;
		happen(w, &ev);
		free(ev.frame);
		audit(w, &ev);
		if (w->healed && sim_checker_done(w)) {
			settle_us = settle_us ? settle_us : w->now_us + 5 * SEC;
			if (w->now_us >= settle_us)
				break;
		} else {
			settle_us = 0;
		}
		if (w->now_us > limit)
			sim_broken(w, "I4: not over %llu s after everybody got well", (unsigned long long)((limit - w->spec->heal_us) / SEC));
	}
	if (!w->broken && !sim_checker_done(w))
		sim_broken(w, "I4: nothing more happens, and not all has ended");
	if (w->broken && w->trace)
		sim_checker_explain(w);
	if (!w->broken)
		sim_checker_finish(w);
	if (!w->broken)
		sim_coord_check_replay(w);
}

enum sim_end sim_run_world(const struct sim_spec *spec, bool trace, struct sim_report *report)
{
	struct sim_world *w = calloc(1, sizeof(*w));
	enum sim_end end;

	rv_check(w);
	w->spec = spec;
	w->trace = trace;
	create(w);
	run(w);
	w->counts.virtual_us = w->now_us;
	end = w->broken ? SIM_BROKEN : SIM_FINE;
	destroy(w);
	*report = (struct sim_report){ .hash = w->hash, .counts = w->counts };
	memcpy(report->what, w->what, sizeof(report->what));
	free(w);
	return end;
}
