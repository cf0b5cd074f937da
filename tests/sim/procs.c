/* procs.c - a warden: it keeps the queue of attempts, runs them as virtual processes, and remembers how they ended
 *
 * What it was told survives the daemon; nothing survives the host. A process that is frozen has its remaining time put by.
 */
#include "tests/sim/world.h"

#include "common/check.h"

#include <stdlib.h>

static struct sim_warden *warden_of(struct sim_world *w, uint32_t node)
{
	return &w->nodes[node].warden;
}

struct sim_proc *sim_warden_find(struct sim_warden *warden, uint64_t key)
{
	uint32_t i;

	for (i = 0; i < warden->count; i++)
		if (warden->procs[i].key == key)
			return &warden->procs[i];
	return NULL;
}

static void remove_proc(struct sim_warden *warden, struct sim_proc *p)
{
	uint32_t at = (uint32_t)(p - warden->procs);

	memmove(p, p + 1, (warden->count - at - 1) * sizeof(*p));
	warden->count--;
}

/* To the daemon, in order; lost if it has died by then. */
static void tell(struct sim_world *w, uint32_t node, enum node_event_kind kind, const struct sim_proc *p)
{
	struct sim_warden *warden = warden_of(w, node);
	struct sim_event ev = { .kind = SIM_EV_FROM_WARDEN, .node = node };

	warden->from_last_us = rv_max_u64(warden->from_last_us + 1, w->now_us + 20 + sim_below(&w->misc_prng, 200));
	if (sim_below(&w->misc_prng, 1000) < w->spec->slow_warden_pm)
		warden->from_last_us += sim_below(&w->misc_prng, w->spec->slow_local_us);
	ev.at_us = warden->from_last_us;
	ev.word = (struct sim_word){ .kind = kind, .slot = p ? p->slot : NODE_NONE, .key = p ? p->key : 0, .life = w->nodes[node].life };
	sim_schedule(w, ev);
}

static void run_until(struct sim_world *w, uint32_t node, struct sim_proc *p, uint64_t end_us)
{
	p->end_us = end_us;
	p->alarm = ++warden_of(w, node)->next_alarm;
	sim_schedule(w, (struct sim_event){ .at_us = end_us, .kind = SIM_EV_PROC_END, .node = node, .a = p->key, .b = p->alarm });
}

static void start_what_fits(struct sim_world *w, uint32_t node)
{
	struct sim_warden *warden = warden_of(w, node);
	uint32_t i;

	for (i = 0; i < warden->count; i++) {
		struct sim_proc *p = &warden->procs[i];

		if (p->state != SIM_P_QUEUED)
			continue;
		if (warden->used + p->cpus > warden->slots) {
			if (i % 3 == 2)
				return; /* a smaller one may overtake, a bounded number of times */
			continue;
		}
		if (p->doing.class == PROTO_CLASS_ENVIRONMENT) { /* could not be started at all */
			p->state = SIM_P_EXITED;
			tell(w, node, NODE_EV_EXITED, p);
			continue;
		}
		p->state = SIM_P_RUNNING;
		p->started = true;
		p->start_us = w->now_us;
		warden->used += p->cpus;
		w->counts.starts++;
		sim_note(w, "process starts", node, p->attempt.unit, p->attempt.attempt);
		run_until(w, node, p, w->now_us + p->doing.duration_us);
		sim_checker_start(w, node, p);
		tell(w, node, NODE_EV_STARTED, p);
	}
}

static void exited(struct sim_world *w, uint32_t node, struct sim_proc *p)
{
	struct sim_warden *warden = warden_of(w, node);

	if (p->state == SIM_P_RUNNING || p->state == SIM_P_FROZEN) {
		warden->used -= p->cpus;
		p->end_us = w->now_us;
		sim_checker_end(w, node, p);
	}
	p->state = SIM_P_EXITED;
	sim_note(w, "process over", node, p->attempt.unit, p->attempt.attempt);
	tell(w, node, NODE_EV_EXITED, p);
	start_what_fits(w, node);
}

void sim_warden_end(struct sim_world *w, uint32_t node, uint64_t key, uint64_t alarm)
{
	struct sim_proc *p = sim_warden_find(warden_of(w, node), key);

	if (p && p->alarm == alarm && p->state == SIM_P_RUNNING)
		exited(w, node, p);
}

static void spawn(struct sim_world *w, uint32_t node, const struct sim_word *word)
{
	struct sim_warden *warden = warden_of(w, node);
	const struct sim_attempt *a = &w->nodes[node].attempts[word->slot];
	struct sim_proc *p;
	uint32_t run;

	if (warden->count == warden->capacity) {
		warden->capacity = warden->capacity ? warden->capacity * 2 : 16;
		warden->procs = realloc(warden->procs, warden->capacity * sizeof(*warden->procs));
		rv_check(warden->procs);
	}
	p = &warden->procs[warden->count++];
	*p = (struct sim_proc){ .key = word->key, .attempt = a->key, .epoch = a->epoch, .lease_us = a->lease_us, .flags = a->flags, .try_number = a->try_number, .after = a->after,
				.cpus = rv_min_u64(a->cpus, warden->slots), .slot = word->slot };
	sim_checker_spawn(w, a);
	run = (uint32_t)(sim_run_of(w, a->key.run) - w->runs);
	sim_plan_doing(w->spec, run, a->key.unit, a->try_number, a->key.attempt, &p->doing);
	start_what_fits(w, node);
}

/* Most end at TERM, some only at KILL. */
static void kill_proc(struct sim_world *w, uint32_t node, struct sim_proc *p, uint64_t grace_us)
{
	uint64_t end;

	p->killed = true;
	if (p->state == SIM_P_QUEUED) {
		exited(w, node, p);
		return;
	}
	if (p->state == SIM_P_EXITED)
		return;
	if (grace_us == 0) {
		p->cut_short = true;
		exited(w, node, p);
		return;
	}
	if (grace_us == RV_NEVER)
		grace_us = 2 * (uint64_t)RV_US_PER_S;
	if (p->state == SIM_P_FROZEN) {
		p->state = SIM_P_RUNNING;
		p->end_us = w->now_us + p->left_us;
	}
	end = p->doing.ignores_term ? w->now_us + grace_us : w->now_us + rv_min_u64(grace_us, 1 + sim_below(&w->misc_prng, 20000));
	p->cut_short = end < p->end_us;
	p->kill_by_us = w->now_us + grace_us;
	run_until(w, node, p, rv_min_u64(p->end_us, end));
}

static void freeze(struct sim_world *w, struct sim_proc *p)
{
	if (p->state != SIM_P_RUNNING)
		return;
	p->state = SIM_P_FROZEN;
	p->left_us = p->end_us > w->now_us ? p->end_us - w->now_us : 1;
}

static void thaw(struct sim_world *w, uint32_t node, struct sim_proc *p)
{
	if (p->state != SIM_P_FROZEN)
		return;
	p->state = SIM_P_RUNNING;
	run_until(w, node, p, w->now_us + p->left_us);
	sim_checker_thaw(w, node, p);
}

void sim_warden_word(struct sim_world *w, uint32_t node, const struct sim_word *word)
{
	struct sim_warden *warden = warden_of(w, node);
	struct sim_proc *p;

	if (!warden->up || word->life != warden->life) /* it was written to one that has died */
		return;
	if (word->kind == NODE_FX_SPAWN) {
		spawn(w, node, word);
		return;
	}
	p = sim_warden_find(warden, word->key);
	if (!p)
		return;
	switch (word->kind) {
	case NODE_FX_WARDEN_RETRACT:
		if (p->state == SIM_P_QUEUED) {
			tell(w, node, NODE_EV_NOT_STARTED, p);
			remove_proc(warden, p);
		}
		break;
	case NODE_FX_KILL:
		kill_proc(w, node, p, word->grace_us);
		break;
	case NODE_FX_FREEZE:
		freeze(w, p);
		break;
	case NODE_FX_THAW:
		thaw(w, node, p);
		break;
	case NODE_FX_FORGET:
		if (p->state == SIM_P_EXITED)
			remove_proc(warden, p);
		break;
	default:
		rv_check(!"a word the warden does not know");
	}
}

/* Takes every word that is still on its way to it. */
void sim_warden_drain(struct sim_world *w, uint32_t node)
{
	for (;;) {
		uint32_t best = UINT32_MAX, i;
		struct sim_word word;

		for (i = 0; i < w->heap_count; i++)
			if (w->heap[i].kind == SIM_EV_TO_WARDEN && w->heap[i].node == node && !w->heap[i].b &&
			    (best == UINT32_MAX || w->heap[i].at_us < w->heap[best].at_us ||
			     (w->heap[i].at_us == w->heap[best].at_us && w->heap[i].number < w->heap[best].number)))
				best = i;
		if (best == UINT32_MAX)
			return;
		w->heap[best].b = 1; /* taken */
		word = w->heap[best].word;
		sim_warden_word(w, node, &word);
	}
}

static void end_all(struct sim_world *w, uint32_t node)
{
	struct sim_warden *warden = warden_of(w, node);
	uint32_t i;

	for (i = 0; i < warden->count; i++) {
		struct sim_proc *p = &warden->procs[i];

		if (p->state == SIM_P_RUNNING || p->state == SIM_P_FROZEN) {
			p->end_us = w->now_us;
			sim_checker_end(w, node, p);
		}
	}
	warden->used = 0;
}

/* Its units die with it; the records of what had ended stay. */
void sim_warden_die(struct sim_world *w, uint32_t node)
{
	struct sim_warden *warden = warden_of(w, node);
	uint32_t i, kept = 0;

	if (!warden->up)
		return;
	sim_warden_drain(w, node);
	end_all(w, node);
	for (i = 0; i < warden->count; i++)
		if (warden->procs[i].state == SIM_P_EXITED)
			warden->procs[kept++] = warden->procs[i];
	warden->count = kept;
	warden->up = false;
	warden->life++;
	tell(w, node, NODE_EV_WARDEN_LOST, NULL);
	sim_at(w, warden->from_last_us + 1 + sim_below(&w->fault_prng, 2000000), SIM_EV_WARDEN_UP, node, warden->life);
}

void sim_warden_clear(struct sim_world *w, uint32_t node)
{
	struct sim_warden *warden = warden_of(w, node);

	end_all(w, node);
	warden->count = 0;
	warden->life++;
	warden->up = true;
}
