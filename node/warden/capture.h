/* capture.h - what a unit writes: from its pipes to the shared log or to files, bounded
 *
 * Nothing a unit writes can grow without bound here: of each stream the first half of the cap is kept as it came, then
 * the last half in a ring, with a marker line between (what lies in the shared log's chunks counts: then the cap is halved over the
 * rest); the last WARDEN_TAIL_BYTES_MAX stay in memory for EXITED. A full
 * disk truncates and is noted; it never fails the unit and never holds it up.
 */
#ifndef WARDEN_CAPTURE_H
#define WARDEN_CAPTURE_H

#include "channel.h"
#include "seglog.h"

struct warden;

#define CAPTURE_READ_BYTES ((size_t)64 << 10)
#define CAPTURE_DRAIN_BYTES ((size_t)4 << 20) /* at the end: a pipe holds at most 1 MiB, root's may hold more */

/* A file with a head, a ring for the tail, and a marker between once it is finished. */
struct capfile {
	int fd;          /* -1: not open */
	int ring_fd;     /* -1: nothing past the head yet */
	int dir_fd;      /* borrowed; of `name` */
	char *name;
	uint64_t half;   /* of the cap */
	uint64_t bytes;  /* written to it by the unit */
	bool lost;       /* disk full */
};

/* Pipes of units that ended within ADOPT_US, used again: making and closing two costs more than all else the warden does
 * for a short unit. Only where the tree's emptiness is certain (not at level subreaper) and the unit was not another
 * user's: nobody is left who could write into the next one's. */
#define CAPTURE_POOL_MAX 64u

struct pipe_pool {
	int ends[CAPTURE_POOL_MAX][2];
	uint32_t count;
};

struct capture {
	int fd[2];              /* read ends of stdout's and stderr's pipe; -1: closed */
	int write_fd[2];        /* the unit's ends, kept until it is watched; -1: closed */
	bool reusable;          /* set by the owner when its tree has ended by itself */
	bool watched;           /* in the epoll set */
	uint64_t bytes[2];      /* that the unit wrote */
	char *tail[2];          /* the last bytes, a ring of WARDEN_TAIL_BYTES_MAX; NULL: it wrote nothing */
	uint64_t credit;        /* live OUTPUT still wanted */
	uint64_t last_us;       /* when it last wrote */
	enum warden_output_kind kind;
	uint64_t cap;
	int dir_fd;             /* FILES: of logs_dir */
	struct capfile file[2]; /* FILES, or LOG past its inline bytes */
	struct seglog *log;     /* LOG; NULL: discard */
	struct seglog_attempt in_log;
	struct warden *owner;
	/* live output: called with each piece, before it is stored */
	void (*live)(void *arg, int stream, uint64_t offset, struct rv_str bytes);
	void *arg;
};

void pipe_pool_release(struct pipe_pool *pool);
/* Opens pipes and, for FILES, the files. -1: errno; nothing is left. */
int capture_open(struct capture *c, const struct warden_spawn *spec, struct seglog *log, struct pipe_pool *pool);
/* Closes our copies of the unit's ends, so that the pipes tell when it has closed its own. */
void capture_let_go(struct capture *c);
/* Reads once what is there; scratch has CAPTURE_READ_BYTES. 1: got some, 0: nothing now, -1: stream ended. */
int capture_read(struct capture *c, int stream, char *scratch, uint64_t now_us);
/* Reads what is left, finishes files and the log's entry, closes the pipes or gives them to the pool. */
void capture_finish(struct capture *c, struct pipe_pool *pool, char *scratch, uint64_t now_us, struct warden_output_place *place);
/* As if it had never been opened: no descriptors. */
void capture_init(struct capture *c);
/* Gives the tail of a stream as one piece; `room` has WARDEN_TAIL_BYTES_MAX. */
struct rv_str capture_tail(const struct capture *c, int stream, char *room);
/* Frees; also of a capture that was never opened (zeroed). */
void capture_release(struct capture *c);

#endif
