/* queue.c - attempts that wait, and how one is started */
#include "state.h"

#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static uint32_t slots_of(const struct warden *w, const struct attempt *a)
{
	return a->spec.slots < w->slots ? a->spec.slots : w->slots;
}

static uint32_t agent_slots_of(const struct warden *w, const struct attempt *a)
{
	return a->spec.agent_slots < w->agent_slots ? a->spec.agent_slots : w->agent_slots;
}

static bool fits(const struct warden *w, const struct attempt *a)
{
	/* Slots may have been lowered under what runs. */
	return w->slots_used + slots_of(w, a) <= rv_max_u64(w->slots, w->slots_used) &&
	       w->agent_slots_used + agent_slots_of(w, a) <= rv_max_u64(w->agent_slots, w->agent_slots_used);
}

/* The first that fits; a wide one in front is passed by a bounded number of times, then everybody waits for it. */
static struct attempt *next_to_start(struct warden *w)
{
	uint32_t looked = 0;

	for (struct rv_list *l = w->queue.next; l != &w->queue && looked < QUEUE_LOOK_MAX; l = l->next, looked++) {
		struct attempt *a = RV_CONTAINER_OF(l, struct attempt, link);

		if (fits(w, a))
			return a;
		if (a->overtaken >= OVERTAKEN_MAX)
			return NULL;
	}
	return NULL;
}

static void note_overtaken(struct warden *w, const struct attempt *started)
{
	for (struct rv_list *l = w->queue.next; l != &started->link; l = l->next)
		RV_CONTAINER_OF(l, struct attempt, link)->overtaken++;
}

static void live_output(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	struct attempt *a = arg;
	struct warden *w = a->capture.owner;

	/* Output never holds up results: a daemon that does not read sees gaps in the offsets. */
	if (w->fd < 0 || w->out.bytes - w->out_at > OUT_BYTES_LIVE)
		return;
	if (!warden_put_output(&w->out, &(struct warden_output){ .key = a->spec.key, .stream = (uint8_t)(stream + 1),
								  .offset = offset, .bytes = bytes }))
		tell(w);
}

/* The attempt never ran: into `over` with why, unless it is a shortage that others' ends will cure. */
static bool spawn_failed(struct warden *w, struct attempt *a, enum warden_fault fault, int sys, const char *step)
{
	bool shortage = sys == EBUSY || sys == EMFILE || sys == ENFILE || sys == EAGAIN || sys == ENOMEM || sys == ENOSPC;

	if (a->tree && !strcmp(step, "clone") && sys != EAGAIN && sys != ENOMEM)
		a->tree->doomed = true; /* perhaps somebody removed its cgroup */
	if (a->tree)
		tree_give(&w->trees, a->tree);
	a->tree = NULL;
	capture_release(&a->capture);
	if (shortage && (fault == WARDEN_FAULT_RESOURCES || fault == WARDEN_FAULT_OUTPUT) && w->running > 0) {
		records_unreserve(&w->records, a->record);
		a->record = RECORD_NONE;
		w->starved = sys != EBUSY;
		w->retry_at = w->now + RETRY_US;
		return false;
	}
	a->why = WARDEN_WHY_SPAWN_FAILED;
	a->start_mono = a->end_mono = w->now;
	a->start_real = a->end_real = clock_real_us();
	a->main_ended = true;
	attempt_blame(a, fault, sys, step);
	attempt_unqueue(w, a);
	a->phase = ATTEMPT_OVER;
	rv_list_append(&w->over, &a->link);
	return true;
}

static void started(struct warden *w, struct attempt *a, pid_t pid)
{
	uint64_t ignored;

	note_overtaken(w, a);
	attempt_unqueue(w, a);
	a->pid = pid;
	a->phase = ATTEMPT_RUNNING;
	tree_started(&w->trees, a->tree, pid, a->label);
	w->slots_used += slots_of(w, a);
	w->agent_slots_used += agent_slots_of(w, a);
	a->spec.slots = slots_of(w, a); /* what it gives back */
	a->spec.agent_slots = agent_slots_of(w, a);
	w->running++;
	a->active_at = a->poll_last = a->start_mono;
	a->poll_at = RV_NEVER;
	if (a->spec.idle_us || a->spec.memory_bytes_max || a->spec.cpu_us_max) {
		uint64_t step = a->spec.idle_us ? rv_min_u64(POLL_US, a->spec.idle_us / 8 + 1000) : POLL_US;

		a->poll_at = a->start_mono + step;
		tree_usage(&w->trees, a->tree, &a->cpu_base, &ignored);
		a->poll_cpu = a->cpu_base;
	}
	attempt_arm(w, a);
}

/* false: nothing more can be started for now. */
static bool start(struct warden *w, struct attempt *a)
{
	struct spawn_place place;
	struct spawn_result result;

	a->record = records_reserve(&w->records);
	if (a->record == RECORD_NONE)
		return spawn_failed(w, a, WARDEN_FAULT_RESOURCES, ENOSPC, "exit record");
	a->tree = tree_take(&w->trees);
	if (!a->tree || tree_place(&w->trees, a->tree, &place)) {
		if (a->tree)
			a->tree->doomed = true;
		return spawn_failed(w, a, errno == EMFILE || errno == EAGAIN || errno == ENOMEM ? WARDEN_FAULT_RESOURCES :
				    WARDEN_FAULT_SETUP, errno, warden_level_name(w->trees.level));
	}
	if (capture_open(&a->capture, &a->spec, w->log_open ? &w->log : NULL, &w->pipes))
		return spawn_failed(w, a, WARDEN_FAULT_OUTPUT, errno, "output");
	a->capture.live = live_output;
	a->capture.arg = a;
	a->capture.owner = w;
	a->start_mono = w->now = clock_mono_us();
	a->start_real = clock_real_us();
	(void)spawner_start(&w->spawner, &a->spec, a->label, &place, a->capture.write_fd[0], a->capture.write_fd[1],
			    &result);
	if (w->trees.level == WARDEN_LEVEL_SUBREAPER || a->spec.uid != WARDEN_KEEP)
		capture_let_go(&a->capture);
	if (result.pid <= 0)
		return spawn_failed(w, a, result.fault, result.sys, result.step);
	if (keymap_put(&w->by_pid, (uint64_t)result.pid, a->index)) {
		/* No memory for one number: it must not run unknown. */
		kill(result.pid, SIGKILL);
		waitpid(result.pid, NULL, 0);
		(void)spawner_failed(&w->spawner, result.pid, &result);
		return spawn_failed(w, a, WARDEN_FAULT_RESOURCES, ENOMEM, "memory");
	}
	started(w, a, result.pid);
	return true;
}

void queue_start(struct warden *w)
{
	while (w->queued && !w->starved && w->now >= w->retry_at && w->life == WARDEN_SERVING && w->out.bytes - w->out_at < OUT_BYTES_HIGH) {
		struct attempt *a = next_to_start(w);

		if (!a || !start(w, a))
			return;
		attempts_complete(w);
		tell(w);
		if (w->running > 1)
			attempts_reap(w);
	}
}
