/* client.h - the daemon's end of the warden channel
 *
 * warden_start() forks the warden while the calling process is still small (first thing in `reeve run`). All sends
 * gather in `out` and leave with warden_client_flush(), which never blocks; the loop watches `fd` for reading always
 * and for writing while warden_client_pending(). A dead warden shows as end of file (-1 RV_E_UNREACHABLE): then call
 * warden_reap_orphans(state_dir).
 */
#ifndef WARDEN_CLIENT_H
#define WARDEN_CLIENT_H

#include "channel.h"

#include <sys/types.h>

struct warden_client {
	int fd;             /* non-blocking, close-on-exec; -1: not connected */
	pid_t pid;
	struct rv_buf in;
	size_t in_at;       /* bytes of `in` already handed out */
	struct rv_buf out;  /* append with warden_put_*() */
	size_t out_at;
};

struct warden_options {
	enum warden_level level;  /* NONE: CONFIG decides */
	uint64_t unkillable_us;   /* after KILL; 0: WARDEN_UNKILLABLE_US (tests wish for less) */
	uint64_t daemon_end_us;   /* parent.h; 0: WARDEN_DAEMON_END_US (as well) */
};

/* A channel's two ends, close-on-exec and non-blocking: [0] the daemon's, [1] the warden's. */
int warden_channel_pair(int fds[2], struct rv_err *err);
/* A client on an end that is open already; its pid is 0. */
void warden_client_init(struct warden_client *c, int fd);
/* Forks; the child runs warden_main() and never returns. The parent must have no threads yet. */
int warden_start(struct warden_client *c, const struct warden_options *options, struct rv_err *err);
/* The same for a process that has grown or has threads: starts `program` (NULL: this one) as `reeve VERB`, whose subcommand calls
 * warden_main(WARDEN_EXEC_FD, ...). */
#define WARDEN_EXEC_FD 3
int warden_start_exec(struct warden_client *c, const char *program, const char *verb, struct rv_err *err);
/* Makes this process a warden on the channel `fd` (all other descriptors above 2 are closed) until SHUTDOWN or end of file;
 * gives the process exit status. */
int warden_main(int fd, const struct warden_options *options);

static inline bool warden_client_pending(const struct warden_client *c)
{
	return c->out.bytes > c->out_at;
}

/* Writes what the socket takes. 0 (perhaps some is left), or -1 when the warden is gone. */
int warden_client_flush(struct warden_client *c, struct rv_err *err);
/* Reads what there is. 1: there may be frames; 0: nothing new; -1: warden gone (frames read before it are still handed
 * out by warden_client_next()). */
int warden_client_read(struct warden_client *c, struct rv_err *err);
/* The next frame; 1, 0 (none whole) or -1 (garbage). Strings borrow until the next warden_client_read(). */
int warden_client_next(struct warden_client *c, struct warden_frame *frame, struct rv_err *err);
/* Waits (poll) until a frame is there or timeout_us is over (RV_NEVER: no limit); for tests and small programs. */
int warden_client_wait(struct warden_client *c, struct warden_frame *frame, uint64_t timeout_us, struct rv_err *err);
/* Closes the channel (the warden then kills all and ends) and, with WAIT, reaps the warden; one that stands still is killed, and what it
 * leaves is for warden_reap_orphans(). */
enum warden_close { WARDEN_CLOSE_DETACH, WARDEN_CLOSE_WAIT };
void warden_client_close(struct warden_client *c, enum warden_close how);

/* Ends what an earlier warden left of its trees in `state_dir` (same boot only); gives the number of processes ended. For whoever
 * owns the directory: an old warden that still lives there serves nobody. It is given WARDEN_LAST_US to end its units its own
 * way, unless it stands still (SIGSTOP), and is killed then. -1 RV_E_BUSY: it or a process of its units cannot be ended. Nothing
 * is done and 0 given where nothing is left. A new warden does it itself at CONFIG, before anything starts. */
#define WARDEN_LAST_US 3000000u
int warden_reap_orphans(const char *state_dir, struct rv_err *err);

#endif
