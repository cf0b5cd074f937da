/* attempt.c - the table of attempts, their deadlines, and what is done with one while it runs */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
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

void attempt_unqueue(struct warden *w, struct attempt *a)
{
	rv_list_remove(&a->link);
	w->queued--;
	w->queue_bytes -= a->bytes.bytes;
}

void attempt_free(struct warden *w, struct attempt *a)
{
	if (a->phase == ATTEMPT_QUEUED)
		attempt_unqueue(w, a);
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

void attempt_blame(struct attempt *a, enum warden_fault fault, int sys, const char *step)
{
	a->fault = fault;
	a->sys = sys;
	snprintf(a->detail, sizeof(a->detail), "%.120s: %s", culprit(a, fault, step), sys ? strerror(sys) : "not possible");
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

void attempt_arm(struct warden *w, struct attempt *a)
{
	uint64_t at = next_deadline(a);

	if (at == RV_NEVER)
		rv_heap_remove(&w->deadlines, a->index);
	else
		rv_heap_set(&w->deadlines, a->index, at, a->spec.key);
}

/* ---- while it runs ---- */

void attempt_freeze(struct warden *w, struct attempt *a)
{
	if (a->phase != ATTEMPT_RUNNING)
		return;
	tree_freeze(&w->trees, a->tree);
	a->phase = ATTEMPT_FROZEN;
	a->frozen_since = w->now;
	attempt_arm(w, a);
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
	attempt_arm(w, a);
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
	attempt_unwatch(w, a, stream);
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
		attempt_look(w, a);
		return;
	}
	if (a->phase != ATTEMPT_FREE && a->phase != ATTEMPT_OVER)
		attempt_arm(w, a);
}
