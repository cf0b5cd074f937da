/* caplog.h - reading a log file that is bounded (capture.h), while it grows and after
 *
 *	NAME        the first half of the cap; once the attempt has ended the marker line and the last half
 *	NAME.tail   meanwhile what came past the first half: struct caplog_head, then a ring as large as the half
 *
 * A position counts the bytes that the attempt wrote, whatever was kept of them: it means the same before and after the end. Where bytes are
 * not there any more the reader makes the marker line that says how many.
 */
#ifndef WARDEN_CAPLOG_H
#define WARDEN_CAPLOG_H

#include "common/base.h"

#define CAPLOG_TAIL_SUFFIX ".tail"
#define CAPLOG_MARKER_BYTES_MAX 64u
#define CAPLOG_READ_BYTES_MIN CAPLOG_MARKER_BYTES_MAX

/* At the start of the ring's file, in this machine's order: it lives as long as the warden that writes it, or nobody writes it any more.
 * `begun` is set before bytes are overwritten, `done` after they are there, each in one write of 8 bytes. */
struct caplog_head {
	char magic[8];        /* CAPLOG_MAGIC */
	uint64_t half;        /* bytes of the ring, and of NAME */
	uint64_t begun, done; /* positions */
};

#define CAPLOG_MAGIC "RVRING1"

struct caplog {
	int fd, ring_fd;      /* ring_fd -1: there is none */
	uint64_t half;
	uint64_t tail_from;   /* without a ring: what is kept again begins; == half: nothing is missing */
	uint64_t tail_at;     /* and where in the file */
	uint64_t end;         /* the position after the last byte, as it was at opening */
};

struct caplog_piece {
	struct rv_str bytes;  /* in the caller's room */
	uint64_t from, to;    /* positions */
	bool marker;          /* `bytes` is the line that says what is missing between from and to */
};

/* Gives a descriptor of NAME + suffix that is a plain file and does not block, -1: there is none. */
typedef int caplog_open_fn(void *arg, const char *suffix);

/* -1: there is no such log. */
int caplog_open(struct caplog *l, caplog_open_fn *open, void *arg);
void caplog_close(struct caplog *l);
/* What follows position `at`, at most room_bytes (>= CAPLOG_READ_BYTES_MIN). 1; 0: nothing now; -1: errno. */
int caplog_next(struct caplog *l, uint64_t at, char *room, size_t room_bytes, struct caplog_piece *out);
/* The marker line; gives its bytes. */
size_t caplog_marker(char room[CAPLOG_MARKER_BYTES_MAX], uint64_t missing);

#endif
