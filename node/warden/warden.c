/* warden.c - the loop: channel, signals, pipes, deadlines, in one thread that never waits for anybody else */
#include "client.h"
#include "clock.h"
#include "state.h"

#include "common/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Tags of the epoll set; pipes are (index + 1) << 1 | stream, so from 2 on. */
enum { TAG_CHANNEL = 0, TAG_SIGNAL = 1 };

/* ---- telling ---- */

void tell(struct warden *w)
{
	if (!w->out_since && w->out.bytes > w->out_at)
		w->out_since = w->now ? w->now : 1;
}

static void watch_channel(struct warden *w, bool for_writing)
{
	struct epoll_event ev = { .events = EPOLLIN | (for_writing ? EPOLLOUT : 0), .data.u64 = TAG_CHANNEL };

	if (w->watching_out == for_writing)
		return;
	w->watching_out = for_writing;
	epoll_ctl(w->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev);
}

/* The daemon is gone. First what has ended is reaped and recorded, then the rest is ended. */
static void daemon_gone(struct warden *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	close(w->fd);
	w->fd = -1;
	w->out.bytes = w->out_at = 0;
	w->out_since = 0;
	attempts_reap(w);
	attempts_complete(w);
}

static void stop_all(struct warden *w, uint64_t grace_us)
{
	for (uint32_t i = 0; i < w->attempt_room; i++)
		if (w->attempts[i] && w->attempts[i]->phase != ATTEMPT_FREE)
			attempt_stop(w, w->attempts[i], WARDEN_WHY_KILLED, grace_us);
}

static void begin_end(struct warden *w, uint64_t grace_us)
{
	if (w->life < WARDEN_ENDING)
		w->life = WARDEN_ENDING;
	stop_all(w, grace_us);
}

void warden_daemon_gone(struct warden *w)
{
	if (w->fd < 0)
		return;
	if (w->life < WARDEN_ENDING) {
		w->cut_off = true;
		w->units_cut = w->running + w->queued;
	}
	daemon_gone(w);
	begin_end(w, RV_NEVER);
}

static void flush(struct warden *w)
{
	while (w->fd >= 0 && w->out.bytes > w->out_at) {
		ssize_t n = send(w->fd, w->out.at + w->out_at, w->out.bytes - w->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			watch_channel(w, true);
			return;
		}
		if (n < 0) {
			warden_daemon_gone(w);
			return;
		}
		w->out_at += (size_t)n;
	}
	w->out_at = 0;
	rv_buf_reset(&w->out);
	w->out_since = 0;
	w->urgent = false;
	if (w->fd >= 0)
		watch_channel(w, false);
}

/* Batches while more is waiting to be started, at most WARDEN_BATCH_US. */
static void flush_if_due(struct warden *w)
{
	if (!w->out_since)
		return;
	if (w->urgent || !w->queued || w->starved || w->life != WARDEN_SERVING || w->now - w->out_since >= WARDEN_BATCH_US)
		flush(w);
}

/* ---- what the daemon says ---- */

static char *own(struct rv_str s)
{
	return strndup(s.bytes ? s.at : "", s.bytes);
}

static int open_state(struct warden *w, struct rv_err *err)
{
	char path[4096];

	if (records_open(&w->records, w->state_dir, RECORDS_WRITE, err))
		return -1;
	if (!w->state_dir[0])
		return 0;
	if (snprintf(path, sizeof(path), "%s/log", w->state_dir) >= (int)sizeof(path))
		return rv_fail(err, RV_E_LIMIT, "path too long: %s", w->state_dir);
	if (seglog_open(&w->log, path, w->log.segment_bytes, err))
		return -1;
	w->log_open = true;
	if (orphans_note(w->state_dir, &w->trees, w->label_prefix, err))
		return -1;
	w->noted = true;
	return 0;
}

static void set_limits(struct warden *w, const struct warden_config *c)
{
	w->slots = c->slots;
	w->agent_slots = c->agent_slots;
	w->queue_max = c->queue_max ? c->queue_max : 65536;
	w->queue_bytes_max = c->queue_bytes_max ? c->queue_bytes_max : (uint64_t)256 << 20;
	w->default_grace_us = c->default_grace_us ? c->default_grace_us : RV_GRACE_US_DEFAULT;
}

static int check_version(const struct warden_config *c, struct rv_err *err)
{
	if (c->version == WARDEN_VERSION)
		return 0;
	return rv_fail(err, RV_E_VERSION, "the daemon speaks version %u of the channel, this warden %u", c->version, WARDEN_VERSION);
}

/* The first one. -1: the warden is of no use and ends. */
static int configure(struct warden *w, const struct warden_config *c, uint32_t *orphans, struct rv_err *err)
{
	const char *env = getenv("REEVE_KILL_LEVEL");
	enum warden_level level = c->level ? c->level : w->forced ? w->forced : warden_level_of(env);
	int ended = 0, failed;

	w->trees.kept = w->daemon_pid; /* also when this fails: the daemon has to tell why, and is nobody's orphan */
	set_limits(w, c);
	w->state_dir = own(c->state_dir);
	w->label_prefix = own(c->label_prefix);
	w->log.segment_bytes = c->segment_bytes;
	if (check_version(c, err))
		return -1;
	if (!w->state_dir || !w->label_prefix)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	if (w->state_dir[0])
		ended = warden_reap_orphans(w->state_dir, err);
	if (ended < 0)
		return -1;
	failed = trees_init(&w->trees, level, err);
	w->trees.kept = w->daemon_pid;
	if (failed)
		return -1;
	*orphans = (uint32_t)ended;
	return open_state(w, err);
}

/* A further one, of a daemon that takes over. -1: nothing has changed. */
static int configure_again(struct warden *w, const struct warden_config *c, struct rv_err *err)
{
	if (check_version(c, err))
		return -1;
	if (w->life != WARDEN_SERVING)
		return rv_fail(err, RV_E_BUSY, "the warden is ending");
	if (!rv_str_equal(c->state_dir, rv_str_of(w->state_dir)))
		return rv_fail(err, RV_E_CONFLICT, "the warden works in %s, not in %.*s", w->state_dir, RV_STR_ARGS(c->state_dir));
	if (c->level && c->level != w->trees.level)
		return rv_fail(err, RV_E_CONFLICT, "the warden works at kill level %s, not %s", warden_level_name(w->trees.level),
			       warden_level_name(c->level));
	set_limits(w, c);
	return 0;
}

static void on_config(struct warden *w, const struct warden_config *c)
{
	struct rv_err err = { 0 };
	struct warden_hello hello = { .version = WARDEN_VERSION, .pid = (uint32_t)getpid() };
	bool first = w->life == WARDEN_WAITING;
	bool failed = first ? configure(w, c, &hello.orphans, &err) : configure_again(w, c, &err);

	if (first)
		w->life = failed ? WARDEN_ENDING : WARDEN_SERVING;
	if (!failed)
		hello.level = w->trees.level;
	hello.trouble = rv_str_of(err.msg);
	hello.label = w->label_prefix ? rv_str_of(w->label_prefix) : RV_STR("");
	hello.records = failed ? 0 : records_count(&w->records);
	(void)warden_put_hello(&w->out, &hello);
	if (!failed)
		(void)records_tell_all(&w->records, &w->out);
	tell_now(w);
}

static void answer(struct warden *w, enum warden_msg type, uint64_t key)
{
	(void)warden_put_key(&w->out, type, key);
	tell_now(w);
}

/* Refused before anything of it exists: no record, since nothing has run. */
static void refuse(struct warden *w, const struct warden_spawn *spec, enum warden_fault fault, const char *why)
{
	(void)warden_put_exited(&w->out, &(struct warden_exited){
		.key = spec->key, .cookie = spec->cookie, .log_id = spec->log_id, .why = WARDEN_WHY_SPAWN_FAILED, .fault = fault,
		.code = -1, .level = w->trees.level, .start_mono_us = w->now, .end_mono_us = w->now,
		.start_real_us = clock_real_us(), .end_real_us = clock_real_us(), .detail = rv_str_of(why) });
	tell(w);
}

static void on_spawn(struct warden *w, const struct warden_spawn *spec, struct rv_str frame)
{
	struct attempt *a = attempt_find(w, spec->key);
	struct rv_err err = { 0 };

	if (a) {
		if (a->pid && a->phase != ATTEMPT_OVER)
			(void)warden_put_started(&w->out, &(struct warden_started){ .key = spec->key, .pid = (uint32_t)a->pid,
				.mono_us = a->start_mono, .real_us = a->start_real });
		tell_now(w);
		return;
	}
	if (!records_tell(&w->records, spec->key, &w->out)) {
		tell_now(w);
		return;
	}
	if (w->life != WARDEN_SERVING)
		refuse(w, spec, WARDEN_FAULT_FULL, "the warden is ending");
	else if (!spec->argv.count || spec->cookie.bytes > WARDEN_COOKIE_BYTES_MAX || spec->label.bytes > WARDEN_LABEL_BYTES_MAX ||
		 spec->output > WARDEN_OUTPUT_DISCARD)
		refuse(w, spec, WARDEN_FAULT_REQUEST, "no command, or a text that is too long");
	else if (!attempt_new(w, spec, frame, &err))
		refuse(w, spec, WARDEN_FAULT_FULL, err.msg);
}

static void on_key(struct warden *w, const struct warden_frame *f)
{
	struct attempt *a = attempt_find(w, f->kill.key);

	if (!a) {
		answer(w, WARDEN_UNKNOWN_KEY, f->kill.key);
		return;
	}
	switch (f->type) {
	case WARDEN_RETRACT:
		if (a->phase == ATTEMPT_QUEUED) {
			attempt_free(w, a);
			answer(w, WARDEN_RETRACTED, f->kill.key);
		} else {
			answer(w, WARDEN_ALREADY_STARTED, f->kill.key);
		}
		break;
	case WARDEN_KILL:
		attempt_stop(w, a, WARDEN_WHY_KILLED, f->kill.grace_us);
		w->urgent = true;
		break;
	case WARDEN_FREEZE:
		attempt_freeze(w, a);
		answer(w, WARDEN_FROZEN, f->kill.key);
		break;
	case WARDEN_THAW:
		attempt_thaw(w, a);
		answer(w, WARDEN_THAWED, f->kill.key);
		break;
	default:
		break;
	}
}

static void on_table(struct warden *w)
{
	static const enum warden_state states[] = {
		[ATTEMPT_QUEUED] = WARDEN_STATE_QUEUED,
		[ATTEMPT_RUNNING] = WARDEN_STATE_RUNNING,
		[ATTEMPT_FROZEN] = WARDEN_STATE_FROZEN,
		[ATTEMPT_STOPPING] = WARDEN_STATE_STOPPING,
		[ATTEMPT_KILLING] = WARDEN_STATE_STOPPING,
		[ATTEMPT_UNKILLABLE] = WARDEN_STATE_STOPPING,
		[ATTEMPT_OVER] = WARDEN_STATE_STOPPING,
	};

	attempts_complete(w); /* then what has ended has been told, and no entry is needed */
	for (uint32_t i = 0; i < w->attempt_room; i++) {
		struct attempt *a = w->attempts[i];

		if (!a || a->phase == ATTEMPT_FREE)
			continue;
		(void)warden_put_table_entry(&w->out, &(struct warden_table_entry){
			.key = a->spec.key, .cookie = a->spec.cookie, .state = states[a->phase], .pid = (uint32_t)a->pid,
			.mono_us = a->start_mono, .real_us = a->start_real, .stdout_bytes = a->capture.bytes[0],
			.stderr_bytes = a->capture.bytes[1] });
	}
	(void)warden_put_empty(&w->out, WARDEN_TABLE_END);
	tell_now(w);
}

static void on_frame(struct warden *w, const struct warden_frame *f, struct rv_str bytes)
{
	struct attempt *a;

	if (w->life == WARDEN_WAITING && f->type != WARDEN_CONFIG)
		return;
	switch (f->type) {
	case WARDEN_CONFIG:
		on_config(w, &f->config);
		break;
	case WARDEN_ENV_BASE:
		(void)spawner_env(&w->spawner, &f->env_base); /* not taken: SPAWNs that name it are refused */
		break;
	case WARDEN_SPAWN:
		on_spawn(w, &f->spawn, bytes);
		break;
	case WARDEN_RETRACT:
	case WARDEN_KILL:
	case WARDEN_FREEZE:
	case WARDEN_THAW:
		on_key(w, f);
		break;
	case WARDEN_KILL_ALL:
		stop_all(w, f->kill.grace_us);
		break;
	case WARDEN_OUTPUT_CREDIT:
		if ((a = attempt_find(w, f->credit.key)))
			a->capture.credit = rv_sat_add(a->capture.credit, f->credit.bytes);
		break;
	case WARDEN_TABLE:
		on_table(w);
		break;
	case WARDEN_FORGET:
		for (uint32_t i = 0; i < f->forget.count; i++)
			records_forget(&w->records, warden_forget_key(f, i));
		w->starved = false; /* perhaps it was room for records that was missing */
		break;
	case WARDEN_SLOTS:
		w->slots = f->slots.slots;
		w->agent_slots = f->slots.agent_slots;
		break;
	case WARDEN_SHUTDOWN:
		begin_end(w, f->kill.grace_us);
		break;
	default:
		break; /* a message of the other direction: not for us */
	}
}

/* Frames that are whole; false: garbage, the channel is of no more use. */
static bool take_frames(struct warden *w)
{
	size_t at = 0, used;
	struct warden_frame f;
	int ret;

	while ((ret = warden_frame_read(rv_str(w->in.at + at, w->in.bytes - at), &f, &used, NULL)) == 1) {
		on_frame(w, &f, rv_str(w->in.at + at, used));
		at += used;
	}
	if (at == w->in.bytes)
		rv_buf_reset(&w->in);
	else if (at)
		rv_buf_consume(&w->in, at);
	return ret == 0;
}

static void on_channel(struct warden *w, uint32_t events)
{
	bool more = events & (EPOLLIN | EPOLLHUP | EPOLLERR);

	if (events & EPOLLOUT)
		flush(w);
	/* A few reads at most, so that a flood of SPAWNs does not keep exits waiting. */
	for (int reads = 0; more && w->fd >= 0 && reads < 4; reads++) {
		char *at = rv_buf_reserve(&w->in, (size_t)256 << 10);
		ssize_t n = at ? recv(w->fd, at, (size_t)256 << 10, MSG_DONTWAIT) : -1;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n > 0) {
			rv_buf_added(&w->in, (size_t)n);
			more = n == 256 << 10;
		}
		if (n <= 0 || !take_frames(w))
			warden_daemon_gone(w);
	}
}

void warden_drain_channel(struct warden *w)
{
	if (w->fd >= 0)
		on_channel(w, EPOLLIN);
}

/* ---- signals ---- */

static void on_signal(struct warden *w)
{
	struct signalfd_siginfo si[8];
	ssize_t n = read(w->signal_fd, si, sizeof(si));
	bool end = false;

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(si[0]); i++) {
		if (w->parent && si[i].ssi_signo != SIGCHLD)
			parent_on_signal(w, (int)si[i].ssi_signo);
		else
			end = end || si[i].ssi_signo == SIGTERM;
	}
	if (end)
		begin_end(w, RV_NEVER);
	attempts_reap(w);
}

/* Everything as a fresh program has it, then blocked: units get the empty mask and default actions back at exec. What a
 * terminal sends (INT, HUP, QUIT, TSTP) is for the others. */
static int set_signals(struct warden *w, struct rv_err *err)
{
	sigset_t all, wanted;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGTERM);
	if (w->parent)
		parent_add_signals(&wanted);
	w->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signal_fd < 0 ? rv_fail_errno(err, errno, "signalfd") : 0;
}

/* ---- life ---- */

#define CHANNEL_FD WARDEN_EXEC_FD

/* What was forked or exec'd becomes a warden: a session of its own, so that a terminal's Ctrl-C is not for it; the null device
 * as 0 and 1; no descriptor but the channel, so that units inherit nothing and pipes of others see their end. stderr
 * stays for the one line it may have to say. */
static void settle(int fd, bool parent)
{
	int null_fd;

	if (fd < CHANNEL_FD)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, CHANNEL_FD);
	if (!parent)
		setsid(); /* a parent is whom the terminal's Ctrl-C is for: it passes it on */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3 && null_fd >= 0; i++)
		if (null_fd != i && (i < 2 || fcntl(2, F_GETFD) < 0))
			dup2(null_fd, i);
	if (fd != CHANNEL_FD)
		dup2(fd, CHANNEL_FD);
	fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC);
	fcntl(CHANNEL_FD, F_SETFL, O_NONBLOCK);
	syscall(SYS_close_range, CHANNEL_FD + 1, ~0U, 0);
}

static int add(struct warden *w, int fd, uint64_t tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = tag };

	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static int warden_init(struct warden *w, int fd, pid_t daemon, struct rv_err *err)
{
	memset(w, 0, sizeof(*w));
	w->daemon_pid = daemon;
	w->parent = daemon > 0;
	w->fd = fd;
	w->epoll_fd = w->signal_fd = -1;
	rv_list_init(&w->queue);
	rv_list_init(&w->over);
	rv_list_init(&w->trees.all);
	rv_list_init(&w->trees.spare);
	w->trees.base_fd = w->trees.maker_fd = -1;
	rv_buf_init(&w->in, WARDEN_FRAME_BYTES_MAX + ((size_t)1 << 20));
	rv_buf_init(&w->out, 0);
	w->records.fd = -1;
	if (keymap_init(&w->by_key, 512) || keymap_init(&w->by_pid, 64) || !(w->scratch = malloc(CAPTURE_READ_BYTES)))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	if (set_signals(w, err) || spawner_init(&w->spawner, err))
		return -1;
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll_fd < 0 || add(w, w->fd, TAG_CHANNEL) || add(w, w->signal_fd, TAG_SIGNAL))
		return rv_fail_errno(err, errno, "epoll");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return rv_fail_errno(err, errno, "subreaper");
	prctl(PR_SET_NAME, "reeve-warden");
	return 0;
}

static void warden_release(struct warden *w)
{
	attempts_release(w);
	pipe_pool_release(&w->pipes);
	trees_release(&w->trees);
	if (w->noted)
		orphans_clear(w->state_dir);
	if (w->life == WARDEN_ENDING)
		records_remove_if_empty(&w->records);
	records_close(&w->records);
	if (w->log_open)
		seglog_close(&w->log);
	spawner_release(&w->spawner);
	rv_buf_release(&w->in);
	rv_buf_release(&w->out);
	free(w->scratch);
	free(w->state_dir);
	free(w->label_prefix);
	if (w->fd >= 0)
		close(w->fd);
	if (w->epoll_fd >= 0)
		close(w->epoll_fd);
	if (w->signal_fd >= 0)
		close(w->signal_fd);
}

/* Milliseconds until something is due, rounded up; -1: nothing. */
static int time_to_wait(struct warden *w)
{
	const struct rv_heap_item *first = rv_heap_first(&w->deadlines);
	uint64_t at = first ? first->key : RV_NEVER, now;

	if (w->reap_again || w->daemon_ended)
		return 0;
	if (w->out_since && !w->watching_out)
		at = rv_min_u64(at, w->out_since + WARDEN_BATCH_US);
	if (w->queued && w->retry_at > w->now)
		at = rv_min_u64(at, w->retry_at);
	if (at == RV_NEVER)
		return -1;
	now = clock_mono_us();
	return at <= now ? 0 : (int)rv_min_u64((at - now + 999) / 1000, 60000);
}

static void deadlines(struct warden *w)
{
	const struct rv_heap_item *first;

	/* Each tick moves its deadline on, so this ends; the bound is for a clock that does not. */
	for (uint32_t n = 0; n < 4096 && (first = rv_heap_first(&w->deadlines)) && first->key <= w->now; n++)
		attempt_tick(w, w->attempts[first->value]);
}

static void on_event(struct warden *w, const struct epoll_event *ev)
{
	uint64_t index = (ev->data.u64 >> 1) - 1;

	if (ev->data.u64 == TAG_CHANNEL) {
		if (w->fd >= 0)
			on_channel(w, ev->events);
	} else if (ev->data.u64 == TAG_SIGNAL) {
		on_signal(w);
	} else if (index < w->attempt_room && w->attempts[index]->phase != ATTEMPT_FREE) {
		attempt_readable(w, w->attempts[index], ev->data.u64 & 1);
	}
}

/* Nothing left to do: everything has ended, been recorded and (if somebody listens) told. */
static bool finished(const struct warden *w)
{
	if (w->life != WARDEN_ENDING || w->out.bytes > w->out_at)
		return false;
	for (uint32_t i = 0; i < w->attempt_room; i++)
		if (w->attempts[i] && w->attempts[i]->phase != ATTEMPT_FREE && w->attempts[i]->phase != ATTEMPT_UNKILLABLE)
			return false;
	return true;
}

static void loop(struct warden *w)
{
	struct epoll_event events[64];

	while (!finished(w)) {
		int n = epoll_wait(w->epoll_fd, events, RV_ARRAY_LEN(events), time_to_wait(w));

		w->now = clock_mono_us();
		for (int i = 0; i < n; i++)
			on_event(w, &events[i]);
		if (w->reap_again)
			attempts_reap(w);
		if (w->daemon_ended)
			parent_daemon_end(w);
		deadlines(w);
		queue_start(w);
		attempts_complete(w);
		w->now = clock_mono_us();
		flush_if_due(w);
	}
}

int warden_serve(int fd, const struct warden_options *options, pid_t daemon, const struct rv_log *log, struct warden_end *end)
{
	struct warden *w = malloc(sizeof(*w));
	struct rv_err err = { 0 };
	int failed;

	if (end)
		end->daemon_alive = true;
	if (!w)
		return 3;
	settle(fd, daemon > 0);
	failed = warden_init(w, CHANNEL_FD, daemon, &err);
	w->says = log;
	w->forced = options ? options->level : WARDEN_LEVEL_NONE;
	w->unkillable_us = options && options->unkillable_us ? options->unkillable_us : WARDEN_UNKILLABLE_US;
	if (failed)
		(void)!dprintf(2, "reeve: warden: %s\n", err.msg);
	else
		loop(w);
	warden_release(w);
	if (end) {
		end->daemon_alive = w->daemon_pid > 0;
		end->daemon_status = w->daemon_status;
		end->cut_off = w->cut_off;
		end->units_cut = w->units_cut;
	}
	free(w);
	return failed ? 3 : 0;
}

int warden_main(int fd, const struct warden_options *options)
{
	return warden_serve(fd, options, 0, NULL, NULL);
}
