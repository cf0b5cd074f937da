/* seglog.h - the output log that all plain units of a state directory share
 *
 * Making a file costs more than starting a small process, so plain units get none. DIR (the state directory's log/):
 *
 *   NNNNNN.seg   chunks one after another: struct seglog_chunk (48 bytes), then its payload. A segment that has grown to
 *                segment_bytes is left and the next begun. Each chunk points back at the one before of the same attempt.
 *   index        "RVIX" and version (16 bytes), then struct seglog_entry (64 bytes) per attempt that wrote anything, in
 *                the order of their first output; rewritten in place when the attempt ends.
 *   big/RUN-UNIT-ATTEMPT.{out,err}   what an attempt wrote past SEGLOG_INLINE_BYTES: bytes as they came up to half the
 *                cap, then (once it ended) a marker line and the last half; meanwhile those are in a ring (caplog.h)
 *
 * Integers are little endian. Nothing is synced: the page cache survives a kill, and host loss costs output only. A torn
 * chunk (the warden was killed while it wrote) ends what can be read of that attempt; readers check every field.
 */
#ifndef WARDEN_SEGLOG_H
#define WARDEN_SEGLOG_H

#include "channel.h"

#define SEGLOG_INLINE_BYTES ((uint64_t)256 << 10) /* chunks of one attempt, heads included */
#define SEGLOG_CHUNK_MAGIC 0x31435652u             /* "RVC1" */
#define SEGLOG_INDEX_HEAD 16u
#define SEGLOG_ENTRY_BYTES 64u
#define SEGLOG_CHUNK_BYTES 48u

enum seglog_flag {
	SEGLOG_ENDED = 1,     /* absent: it still runs, or its warden was killed */
	SEGLOG_BIG = 2,       /* big/ files follow the chunks */
	SEGLOG_TRUNCATED = 4, /* the cap left something out of the middle */
	SEGLOG_LOST = 8,      /* the disk was full: something is missing */
};

struct seglog_entry {
	struct warden_log_id id;
	uint32_t first_segment, last_segment; /* 0: no chunk */
	uint64_t first_offset, last_offset;
	uint64_t bytes[2];    /* stdout, stderr: that the unit wrote */
	uint32_t flags;
};

/* ---- writing: the warden ---- */

struct seglog {
	char *dir;
	int dir_fd, segment_fd, index_fd; /* -1 until the first output: a run without output makes no file */
	uint32_t segment;
	uint64_t segment_at, segment_bytes, index_at;
};

/* What the log keeps of one attempt while it runs. */
struct seglog_attempt {
	struct seglog_entry entry;
	uint64_t index_at;    /* 0: no entry yet */
	uint64_t kept;        /* bytes of chunks, heads included */
	uint64_t noted_us;    /* when the entry was last written */
};

/* `dir` need not exist yet, its parent must. */
int seglog_open(struct seglog *log, const char *dir, uint64_t segment_bytes, struct rv_err *err);
void seglog_close(struct seglog *log);
/* Appends what `stream` (0 stdout, 1 stderr) said. false: nothing more fits inline (then use big/) or the disk is full
 * (SEGLOG_LOST is set). */
bool seglog_append(struct seglog *log, struct seglog_attempt *a, int stream, uint64_t stream_offset, struct rv_str bytes);
/* The entry as it is now, for attempts that wrote something. */
void seglog_note(struct seglog *log, struct seglog_attempt *a);
/* The log's directory, made if need be; -1: the disk does not let us. */
int seglog_dir(struct seglog *log);
#define SEGLOG_BIG_NAME_BYTES_MAX 96u
/* "big/RUN-UNIT-ATTEMPT.out" relative to the log's directory. */
void seglog_big_name(char *out, size_t room, struct warden_log_id id, int stream);

/* ---- reading: anybody ---- */

/* Gets the pieces in order; stream 0 stdout, 1 stderr; not 0 stops. `offset` counts within the stream, and the stream goes on at
 * offset + bytes. A piece that does not begin where the last one ended (modulo 2^64) is the line that says what was left out. */
typedef int seglog_piece_fn(void *arg, int stream, uint64_t offset, struct rv_str bytes);

/* Finds an attempt's entry. 1 found, 0 it wrote nothing (yet), -1 error. `dir` is the state directory's log/. */
int seglog_find(const char *dir, struct warden_log_id id, struct seglog_entry *entry, struct rv_err *err);
/* Entries by number, from 0, in the order of first outputs: for who reads many attempts. `index` is an open descriptor of DIR/index. 1; 0: there is
 * none yet (ask again); -1: errno. */
int seglog_entry_at(int index, uint64_t number, struct seglog_entry *entry);
/* All that is kept of it, chunks first, then big/ stdout, then big/ stderr. -1 on error; else 0, or what piece gave. */
int seglog_read(const char *dir, const struct seglog_entry *entry, seglog_piece_fn *piece, void *arg, struct rv_err *err);
/* Only pieces after what a reader has seen: `seen[2]` bytes of each stream, advanced; for `logs -f`. */
int seglog_follow(const char *dir, const struct seglog_entry *entry, uint64_t seen[2], seglog_piece_fn *piece, void *arg,
		  struct rv_err *err);
/* The last <= bytes_max bytes of one stream into `out` (appended). */
int seglog_tail(const char *dir, struct warden_log_id id, int stream, size_t bytes_max, struct rv_buf *out, struct rv_err *err);

#endif
