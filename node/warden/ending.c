/* ending.c - how an attempt ends: reaped, its tree emptied, recorded, told */
#include "state.h"

#include "clock.h"
#include "common/limits.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>

void attempt_unwatch(struct warden *w, struct attempt *a, int stream)
{
	if (a->capture.watched && a->capture.fd[stream] >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, a->capture.fd[stream], NULL);
}

/* Gives back what a running attempt holds of others' things. */
static void leave(struct warden *w, struct attempt *a)
{
	attempt_unwatch(w, a, 0);
	attempt_unwatch(w, a, 1);
	a->capture.watched = false;
	tree_give(&w->trees, a->tree);
	a->tree = NULL;
	w->slots_used -= a->spec.slots;
	w->agent_slots_used -= a->spec.agent_slots;
	w->running--;
	w->starved = false;
	rv_heap_remove(&w->deadlines, a->index);
}

/* Its tree is empty: slots and tree are free again at once, the telling can wait until the next one runs. */
static void over(struct warden *w, struct attempt *a)
{
	leave(w, a);
	if (a->phase == ATTEMPT_UNKILLABLE) {
		if (w->fd >= 0 && !warden_put_key(&w->out, WARDEN_TREE_GONE, a->spec.key))
			tell_now(w);
		attempt_free(w, a);
		return;
	}
	a->capture.reusable = a->phase == ATTEMPT_RUNNING;
	a->phase = ATTEMPT_OVER;
	rv_list_append(&w->over, &a->link);
}

static void fill_exited(struct warden *w, struct attempt *a, struct warden_exited *m)
{
	*m = (struct warden_exited){
		.key = a->spec.key,
		.cookie = a->spec.cookie,
		.log_id = a->spec.log_id,
		.why = a->why ? a->why : WARDEN_WHY_EXITED,
		.fault = a->fault,
		.sys = (uint32_t)a->sys,
		.code = -1,
		.level = w->trees.level,
		.stray_pids = a->strays,
		.pid = (uint32_t)a->pid,
		.start_mono_us = a->start_mono,
		.end_mono_us = a->end_mono,
		.start_real_us = a->start_real,
		.end_real_us = a->end_real,
		.frozen_us = a->frozen_us,
		.cpu_us = a->cpu_us,
		.maxrss_bytes = a->maxrss_bytes,
		.detail = rv_str_of(a->detail),
	};
	if (a->why == WARDEN_WHY_SPAWN_FAILED || !a->main_ended || !a->pid)
		return;
	if (WIFEXITED(a->status))
		m->code = WEXITSTATUS(a->status);
	else if (WIFSIGNALED(a->status))
		m->signal = WTERMSIG(a->status);
}

/* Records, then tells. */
static void complete(struct warden *w, struct attempt *a)
{
	char rooms[2][WARDEN_TAIL_BYTES_MAX];
	struct warden_exited m;

	attempt_unwatch(w, a, 0);
	attempt_unwatch(w, a, 1);
	a->capture.watched = false;
	fill_exited(w, a, &m);
	capture_finish(&a->capture, &w->pipes, w->scratch, w->now, &m.place);
	m.place.kind = a->spec.output;
	if (a->record != RECORD_NONE && records_write(&w->records, a->record, &m))
		m.place.truncated = 2; /* the disk fails: it is told, but a later daemon may not find it */
	if (w->fd < 0)
		return;
	m.stdout_tail = capture_tail(&a->capture, 0, rooms[0]);
	if (m.code != 0)
		m.stderr_tail = capture_tail(&a->capture, 1, rooms[1]);
	if (!warden_put_exited(&w->out, &m))
		tell(w);
}

void attempts_complete(struct warden *w)
{
	while (!rv_list_empty(&w->over)) {
		struct attempt *a = RV_CONTAINER_OF(w->over.next, struct attempt, link);

		complete(w, a);
		attempt_free(w, a);
	}
}

static void look_soon(struct attempt *a, uint64_t now)
{
	a->look_step = LOOK_AGAIN_US;
	a->look_at = now + a->look_step;
}

static void kill_now(struct warden *w, struct attempt *a)
{
	if (a->phase != ATTEMPT_KILLING)
		a->killed_at = w->now;
	a->phase = ATTEMPT_KILLING;
	tree_kill(&w->trees, a->tree);
	look_soon(a, w->now);
}

void attempt_stop(struct warden *w, struct attempt *a, enum warden_why why, uint64_t grace_us)
{
	uint64_t grace = grace_us == RV_NEVER ? a->spec.grace_us : rv_min_u64(grace_us, RV_GRACE_US_MAX);

	switch (a->phase) {
	case ATTEMPT_QUEUED:
		attempt_unqueue(w, a);
		a->why = why;
		a->start_mono = a->end_mono = w->now;
		a->start_real = a->end_real = clock_real_us();
		a->phase = ATTEMPT_OVER;
		rv_list_append(&w->over, &a->link);
		return;
	case ATTEMPT_FROZEN:
		a->frozen_us += w->now - a->frozen_since;
		/* fall through */
	case ATTEMPT_RUNNING:
		if (!a->main_ended && !a->why)
			a->why = why;
		a->stop_at = w->now + grace;
		if (!grace) {
			kill_now(w, a);
			break;
		}
		a->phase = ATTEMPT_STOPPING;
		tree_term(&w->trees, a->tree);
		look_soon(a, w->now);
		break;
	case ATTEMPT_STOPPING:
		a->stop_at = rv_min_u64(a->stop_at, w->now + grace);
		if (!grace)
			kill_now(w, a);
		break;
	default:
		return;
	}
	attempt_arm(w, a);
}

/* It ended without having become its program. false: it waits in front of the queue once more, since only the cached path
 * of its program was wrong. */
static bool exec_failed(struct warden *w, struct attempt *a, const struct spawn_result *result)
{
	if (result->stale_path && !a->retried && a->phase == ATTEMPT_RUNNING && w->life == WARDEN_SERVING) {
		a->retried = true;
		leave(w, a);
		capture_release(&a->capture);
		records_unreserve(&w->records, a->record);
		a->record = RECORD_NONE;
		a->main_ended = a->adopted = false;
		a->pid = 0;
		a->phase = ATTEMPT_QUEUED;
		rv_list_append(w->queue.next, &a->link); /* before the first */
		w->queued++;
		w->queue_bytes += a->bytes.bytes;
		return false;
	}
	if (!a->why)
		a->why = WARDEN_WHY_SPAWN_FAILED;
	attempt_blame(a, result->fault, result->sys, result->step);
	return true;
}

/* The main process has been reaped. What it left behind is ended as well. */
static void main_ended(struct warden *w, struct attempt *a, int status, const struct rusage *ru)
{
	struct spawn_result result;
	pid_t pid;
	int left;

	keymap_remove(&w->by_pid, (uint64_t)a->pid);
	tree_main_reaped(&w->trees, a->tree);
	a->main_ended = true;
	a->status = status;
	a->end_mono = clock_mono_us();
	a->end_real = clock_real_us();
	a->cpu_us = (uint64_t)(ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) * RV_US_PER_S +
		    (uint64_t)(ru->ru_utime.tv_usec + ru->ru_stime.tv_usec);
	a->maxrss_bytes = (uint64_t)ru->ru_maxrss * 1024;
	if (a->phase == ATTEMPT_FROZEN)
		a->frozen_us += a->end_mono - a->frozen_since;
	if (spawner_failed(&w->spawner, a->pid, &result) && !exec_failed(w, a, &result))
		return;
	if (tree_empty(&w->trees, a->tree)) {
		over(w, a);
		return;
	}
	left = tree_pids(&w->trees, a->tree, &pid, 1);
	a->strays = (uint8_t)rv_min_u64((uint64_t)left, 255);
	if (a->phase == ATTEMPT_RUNNING || a->phase == ATTEMPT_FROZEN)
		attempt_stop(w, a, WARDEN_WHY_EXITED, RV_NEVER);
	else
		look_soon(a, w->now);
	attempt_arm(w, a);
}

void attempts_reap(struct warden *w)
{
	struct rusage ru;
	int status;
	bool strangers = false;

	w->reap_again = false;
	for (uint32_t n = 0;; n++) {
		pid_t pid;
		uint32_t index;

		if (n == REAP_MAX) {
			w->reap_again = true;
			break;
		}
		pid = wait4(-1, &status, WNOHANG, &ru);
		if (pid <= 0)
			break;
		index = keymap_get(&w->by_pid, (uint64_t)pid);
		if (index != RV_MAP_NONE) {
			main_ended(w, w->attempts[index], status, &ru);
		} else if (pid == w->daemon_pid) {
			parent_reaped(w, status);
		} else {
			(void)trees_reaped(&w->trees, pid);
			strangers = true;
		}
	}
	if (!strangers)
		return;
	/* Somebody's orphan has ended: perhaps it was the last one of a tree. */
	for (uint32_t i = 0; i < w->attempt_room; i++) {
		struct attempt *a = w->attempts[i];

		if (a && a->tree && a->main_ended && a->look_at > w->now + LOOK_AGAIN_US) {
			look_soon(a, w->now);
			attempt_arm(w, a);
		}
	}
}

/* Not empty 30 s after KILL: told with what is left of it; the slot stays taken. */
static void tell_unkillable(struct warden *w, struct attempt *a)
{
	pid_t pids[12];
	int n = tree_pids(&w->trees, a->tree, pids, (int)RV_ARRAY_LEN(pids));
	size_t at = 0;

	at += (size_t)snprintf(a->detail, sizeof(a->detail), "%d processes live on after KILL:", n);
	for (int i = 0; i < n && i < (int)RV_ARRAY_LEN(pids) && at + 12 < sizeof(a->detail); i++)
		at += (size_t)snprintf(a->detail + at, sizeof(a->detail) - at, " %d", (int)pids[i]);
	a->why = WARDEN_WHY_UNKILLABLE;
	if (!a->main_ended) {
		a->end_mono = w->now;
		a->end_real = clock_real_us();
	}
	complete(w, a);
	a->phase = ATTEMPT_UNKILLABLE;
}

/* An ending attempt: is it empty by now? */
void attempt_look(struct warden *w, struct attempt *a)
{
	if (a->main_ended && tree_empty(&w->trees, a->tree)) {
		over(w, a);
		return;
	}
	a->look_step = rv_min_u64(a->look_step * 2, a->phase == ATTEMPT_UNKILLABLE ? RV_US_PER_S : LOOK_AGAIN_US_MAX);
	a->look_at = w->now + a->look_step;
	if (a->phase == ATTEMPT_STOPPING && w->now >= a->stop_at)
		kill_now(w, a);
	else if (a->phase == ATTEMPT_KILLING && w->now - a->killed_at >= w->unkillable_us)
		tell_unkillable(w, a);
	else if (a->phase == ATTEMPT_KILLING || a->phase == ATTEMPT_UNKILLABLE)
		tree_kill(&w->trees, a->tree); /* what forked away between two signals */
	attempt_arm(w, a);
}
