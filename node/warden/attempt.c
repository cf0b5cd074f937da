#include "state.h"

#include "clock.h"
#include "common/limits.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the table ---- */

static int grow(struct warden *w)
{
	uint32_t old = w->attempt_room, room = old ? old * 2 : 64;
	struct attempt **attempts = realloc(w->attempts, room * sizeof(*attempts));
	uint32_t *spare, *where;
	struct rv_heap_item *items;

	if (!attempts)
		return -1;
	w->attempts = attempts;
	spare = realloc(w->spare, room * sizeof(*spare));
	if (!spare)
		return -1;
	w->spare = spare;
	items = realloc(w->deadlines.items, room * sizeof(*items));
	if (!items)
		return -1;
	w->deadlines.items = items;
	where = realloc(w->deadlines.where, room * sizeof(*where));
	if (!where)
		return -1;
	w->deadlines.where = where;
	memset(where + old, 0, (room - old) * sizeof(*where));
	memset(attempts + old, 0, (room - old) * sizeof(*attempts));
	for (uint32_t i = room; i > old; i--)
		w->spare[w->spare_count++] = i - 1;
	w->attempt_room = w->deadlines.capacity = room;
	return 0;
}

struct attempt *attempt_find(struct warden *w, uint64_t key)
{
	uint32_t index = keymap_get(&w->by_key, key);

	return index == RV_MAP_NONE ? NULL : w->attempts[index];
}

/* Zeroes all but the place and the memory of `bytes`. */
static void wipe(struct attempt *a)
{
	uint32_t index = a->index;
	struct rv_buf bytes = a->bytes;

	memset(a, 0, sizeof(*a));
	a->index = index;
	a->bytes = bytes;
	a->record = RECORD_NONE;
	rv_list_init(&a->link);
	capture_init(&a->capture);
}

static struct attempt *take_place(struct warden *w)
{
	struct attempt *a;
	uint32_t index;

	if (!w->spare_count && grow(w))
		return NULL;
	index = w->spare[w->spare_count - 1];
	a = w->attempts[index];
	if (!a) {
		a = calloc(1, sizeof(*a));
		if (!a)
			return NULL;
		a->index = index;
		rv_buf_init(&a->bytes, WARDEN_FRAME_BYTES_MAX + 64);
		w->attempts[index] = a;
	}
	w->spare_count--;
	wipe(a);
	return a;
}

struct attempt *attempt_new(struct warden *w, const struct warden_spawn *spec, struct rv_str frame, struct rv_err *err)
{
	struct attempt *a;
	struct warden_frame f;
	size_t used;

	if (w->queued >= w->queue_max || w->queue_bytes + frame.bytes > w->queue_bytes_max) {
		rv_fail(err, RV_E_LIMIT, "queue full: %u attempts, %llu bytes", w->queued, (unsigned long long)w->queue_bytes);
		return NULL;
	}
	a = take_place(w);
	if (!a || rv_buf_put_str(&a->bytes, frame) || keymap_put(&w->by_key, spec->key, a->index)) {
		if (a)
			w->spare[w->spare_count++] = a->index;
		rv_fail(err, RV_E_NO_MEMORY, "no memory for an attempt");
		return NULL;
	}
	/* The same bytes decoded once more, so that the spec borrows from our copy. */
	(void)warden_frame_read(rv_buf_str(&a->bytes), &f, &used, NULL);
	a->spec = f.spawn;
	a->label = a->spec.label;
	if (!a->label.bytes) {
		int n = snprintf(a->label_room, sizeof(a->label_room), "%s-%016llx", w->label_prefix ? w->label_prefix : "reeve",
				 (unsigned long long)a->spec.key);

		a->label = rv_str(a->label_room, rv_min_u64((uint64_t)n, WARDEN_LABEL_BYTES_MAX));
	}
	a->phase = ATTEMPT_QUEUED;
	rv_list_append(&w->queue, &a->link);
	w->queued++;
	w->queue_bytes += a->bytes.bytes;
	w->live++;
	return a;
}

static void unqueue(struct warden *w, struct attempt *a)
{
	rv_list_remove(&a->link);
	w->queued--;
	w->queue_bytes -= a->bytes.bytes;
}

void attempt_free(struct warden *w, struct attempt *a)
{
	if (a->phase == ATTEMPT_QUEUED)
		unqueue(w, a);
	rv_list_remove(&a->link);
	rv_heap_remove(&w->deadlines, a->index);
	capture_release(&a->capture);
	keymap_remove(&w->by_key, a->spec.key);
	rv_buf_reset(&a->bytes);
	if (a->bytes.capacity > 65536) {
		rv_buf_release(&a->bytes);
		rv_buf_init(&a->bytes, WARDEN_FRAME_BYTES_MAX + 64);
	}
	a->phase = ATTEMPT_FREE;
	w->live--;
	w->spare[w->spare_count++] = a->index;
}

void attempts_release(struct warden *w)
{
	for (uint32_t i = 0; i < w->attempt_room; i++) {
		struct attempt *a = w->attempts[i];

		if (!a)
			continue;
		if (a->phase != ATTEMPT_FREE)
			attempt_free(w, a);
		rv_buf_release(&a->bytes);
		free(a);
	}
	free(w->attempts);
	free(w->spare);
	free(w->deadlines.items);
	free(w->deadlines.where);
	keymap_release(&w->by_key);
	keymap_release(&w->by_pid);
}

/* ---- deadlines ---- */

static uint64_t after_start(const struct attempt *a, uint64_t timeout_us)
{
	return timeout_us ? rv_sat_add(rv_sat_add(a->start_mono, timeout_us), a->frozen_us) : RV_NEVER;
}

static uint64_t next_deadline(const struct attempt *a)
{
	uint64_t at = a->adopted ? RV_NEVER : a->start_mono + ADOPT_US;

	switch (a->phase) {
	case ATTEMPT_RUNNING:
		at = rv_min_u64(at, after_start(a, a->spec.wall_us));
		if (!a->capture.bytes[0] && !a->capture.bytes[1])
			at = rv_min_u64(at, after_start(a, a->spec.start_us));
		return rv_min_u64(at, a->poll_at);
	case ATTEMPT_FROZEN:
		return at;
	case ATTEMPT_STOPPING:
		return rv_min_u64(at, rv_min_u64(a->stop_at, a->look_at));
	case ATTEMPT_KILLING:
	case ATTEMPT_UNKILLABLE:
		return rv_min_u64(at, a->look_at);
	default:
		return RV_NEVER;
	}
}

static void arm(struct warden *w, struct attempt *a)
{
	uint64_t at = next_deadline(a);

	if (at == RV_NEVER)
		rv_heap_remove(&w->deadlines, a->index);
	else
		rv_heap_set(&w->deadlines, a->index, at, a->spec.key);
}

/* ---- starting ---- */

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

/* What the sentence is about: the program or the directory where the fault is theirs, else the step. */
static const char *culprit(const struct attempt *a, enum warden_fault fault, const char *step)
{
	switch (fault) {
	case WARDEN_FAULT_NOT_FOUND:
	case WARDEN_FAULT_NOT_EXECUTABLE:
		return a->spec.argv.count ? a->spec.argv.bytes.at : step;
	case WARDEN_FAULT_CWD:
		return a->spec.cwd.bytes ? a->spec.cwd.at : step;
	default:
		return step;
	}
}

/* The attempt never ran: into `over` with why, unless it is a shortage that others' ends will cure. */
static bool spawn_failed(struct warden *w, struct attempt *a, enum warden_fault fault, int sys, const char *step)
{
	bool shortage = sys == EBUSY || sys == EMFILE || sys == ENFILE || sys == EAGAIN || sys == ENOMEM || sys == ENOSPC;

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
	a->fault = fault;
	a->sys = sys;
	a->start_mono = a->end_mono = w->now;
	a->start_real = a->end_real = clock_real_us();
	a->main_ended = true;
	snprintf(a->detail, sizeof(a->detail), "%.120s: %s", culprit(a, fault, step), sys ? strerror(sys) : "not possible");
	unqueue(w, a);
	a->phase = ATTEMPT_OVER;
	rv_list_append(&w->over, &a->link);
	return true;
}

static void started(struct warden *w, struct attempt *a, pid_t pid)
{
	uint64_t ignored;

	note_overtaken(w, a);
	unqueue(w, a);
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
	arm(w, a);
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

/* ---- ending ---- */

static void unwatch(struct warden *w, struct attempt *a, int stream)
{
	if (a->capture.watched && a->capture.fd[stream] >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, a->capture.fd[stream], NULL);
}

/* Gives back what a running attempt holds of others' things. */
static void leave(struct warden *w, struct attempt *a)
{
	unwatch(w, a, 0);
	unwatch(w, a, 1);
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

	unwatch(w, a, 0);
	unwatch(w, a, 1);
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
		unqueue(w, a);
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
	arm(w, a);
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
	a->fault = result->fault;
	a->sys = result->sys;
	snprintf(a->detail, sizeof(a->detail), "%.120s: %s", culprit(a, result->fault, result->step), strerror(result->sys));
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
	arm(w, a);
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
			arm(w, a);
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
static void look(struct warden *w, struct attempt *a)
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
	arm(w, a);
}

/* ---- while it runs ---- */

void attempt_freeze(struct warden *w, struct attempt *a)
{
	if (a->phase != ATTEMPT_RUNNING)
		return;
	tree_freeze(&w->trees, a->tree);
	a->phase = ATTEMPT_FROZEN;
	a->frozen_since = w->now;
	arm(w, a);
}

void attempt_thaw(struct warden *w, struct attempt *a)
{
	uint64_t stood;

	if (a->phase != ATTEMPT_FROZEN)
		return;
	stood = w->now - a->frozen_since;
	a->frozen_us += stood;
	a->active_at += stood;
	a->phase = ATTEMPT_RUNNING;
	tree_thaw(&w->trees, a->tree);
	if (a->poll_at != RV_NEVER) {
		a->poll_at = w->now + POLL_US / 10;
		a->poll_last = w->now;
	}
	arm(w, a);
}

/* It has lived long enough to be worth watching: pipes into the epoll set, STARTED told. */
static void adopt(struct warden *w, struct attempt *a)
{
	for (int s = 0; s < 2; s++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = ((uint64_t)a->index + 1) << 1 | (unsigned)s };

		if (a->capture.fd[s] >= 0)
			(void)epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, a->capture.fd[s], &ev);
	}
	a->capture.watched = a->adopted = true;
	capture_let_go(&a->capture);
	if (w->fd < 0)
		return;
	if (!warden_put_started(&w->out, &(struct warden_started){ .key = a->spec.key, .pid = (uint32_t)a->pid,
								    .mono_us = a->start_mono, .real_us = a->start_real }))
		tell(w);
}

void attempt_readable(struct warden *w, struct attempt *a, int stream)
{
	if (capture_read(&a->capture, stream, w->scratch, w->now) >= 0)
		return;
	unwatch(w, a, stream);
	close(a->capture.fd[stream]);
	a->capture.fd[stream] = -1;
}

/* Polled limits: idle, memory and CPU of the tree. */
static void poll_limits(struct warden *w, struct attempt *a)
{
	uint64_t cpu, rss, since = w->now - a->poll_last;

	tree_usage(&w->trees, a->tree, &cpu, &rss);
	/* Output, or one per cent of a core since the last look. A fall means that a busy process has ended. */
	if (a->capture.last_us >= a->poll_last || cpu < a->poll_cpu || (cpu - a->poll_cpu) * 100 >= since)
		a->active_at = w->now;
	a->poll_cpu = cpu;
	a->poll_last = w->now;
	a->poll_at = w->now + (a->spec.idle_us ? rv_min_u64(POLL_US, a->spec.idle_us / 8 + 1000) : POLL_US);
	if (a->spec.memory_bytes_max && rss > a->spec.memory_bytes_max)
		attempt_stop(w, a, WARDEN_WHY_MEMORY, RV_NEVER);
	else if (a->spec.cpu_us_max && rv_sat_sub(cpu, a->cpu_base) > a->spec.cpu_us_max)
		attempt_stop(w, a, WARDEN_WHY_CPU, RV_NEVER);
	else if (a->spec.idle_us && w->now - a->active_at >= a->spec.idle_us)
		attempt_stop(w, a, WARDEN_WHY_IDLE, RV_NEVER);
}

void attempt_tick(struct warden *w, struct attempt *a)
{
	if (!a->adopted && a->tree && w->now >= a->start_mono + ADOPT_US)
		adopt(w, a);
	if (a->phase == ATTEMPT_RUNNING) {
		if (w->now >= after_start(a, a->spec.wall_us))
			attempt_stop(w, a, WARDEN_WHY_TIMEOUT, RV_NEVER);
		else if (!a->capture.bytes[0] && !a->capture.bytes[1] && w->now >= after_start(a, a->spec.start_us))
			attempt_stop(w, a, WARDEN_WHY_START, RV_NEVER);
		else if (w->now >= a->poll_at)
			poll_limits(w, a);
	} else if (a->tree && a->phase >= ATTEMPT_STOPPING && (w->now >= a->look_at || w->now >= a->stop_at)) {
		look(w, a);
		return;
	}
	if (a->phase != ATTEMPT_FREE && a->phase != ATTEMPT_OVER)
		arm(w, a);
}
