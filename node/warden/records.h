/* records.h - exit records: what the warden knows of attempts that ended and that nobody has confirmed yet
 *
 * STATE/exits.rec: a head of 64 bytes ("RVEX", version), then entries of RECORD_BYTES: "RVE1", u32 payload bytes, u64 hash of
 * the payload, then the EXITED frame without its tails. An entry is written before EXITED is told and its place is used
 * again after FORGET. The file grows ahead of its use (fallocate), so a disk that fills up later loses no record; while it
 * cannot grow, nothing new is started. Forgetting is not written: a reader may meet records that were confirmed long
 * ago, and whoever asks must know what it has confirmed.
 */
#ifndef WARDEN_RECORDS_H
#define WARDEN_RECORDS_H

#include "channel.h"
#include "table.h"

#define RECORD_BYTES 2048u
#define RECORD_HEAD_BYTES 64u
#define RECORD_STEP 64u       /* entries by which the file grows */
#define RECORDS_MAX 131072u
#define RECORD_NONE UINT32_MAX

struct records {
	char *path;
	int fd;               /* -1: kept in memory only (no state directory) */
	char **memory;        /* [place], RECORD_BYTES each, where fd is -1 */
	uint32_t room;        /* entries the file has */
	uint32_t *spare;      /* stack of free places, lowest on top at first */
	uint32_t spare_count;
	struct keymap by_key; /* key -> place, of records that are written and not forgotten */
	struct rv_buf frame;  /* scratch */
};

/* Opens or makes it (READ: only if it is there); existing records are indexed. `dir` empty: in memory. */
enum records_mode { RECORDS_WRITE, RECORDS_READ };
int records_open(struct records *r, const char *dir, enum records_mode mode, struct rv_err *err);
void records_close(struct records *r);
/* Removes the file if nothing in it waits to be forgotten; before records_close(). */
void records_remove_if_empty(struct records *r);
/* Takes a place before the attempt starts, so that its end can be recorded whatever the disk does. RECORD_NONE: no room. */
uint32_t records_reserve(struct records *r);
void records_unreserve(struct records *r, uint32_t place);
/* Writes; -1 when the disk refused (the record is then in memory only, and told all the same). */
int records_write(struct records *r, uint32_t place, const struct warden_exited *exited);
/* Appends the EXITED frame of this key, marked recovered, to `out`; -1: no such record. */
int records_tell(struct records *r, uint64_t key, struct rv_buf *out);
void records_forget(struct records *r, uint64_t key);
uint32_t records_count(const struct records *r);
/* Every record in the order of their places. */
int records_tell_all(struct records *r, struct rv_buf *out);

/* For `run --resume` without a warden: calls `each` for every record in `dir`; gives their number or -1. */
int records_read(const char *dir, void (*each)(void *arg, const struct warden_exited *exited), void *arg, struct rv_err *err);

#endif
