/* faultfs.h - a file layer for SQLite that fails on order: journal_options.vfs = FAULTFS
 *
 * It passes everything to SQLite's own layer, counts, and from the Nth write or sync on (of the files whose names end in
 * `suffix`) gives the error asked for. One at a time, process-wide; tests only.
 */
#ifndef TESTS_LIB_FAULTFS_H
#define TESTS_LIB_FAULTFS_H

#include <stdatomic.h>
#include <stdint.h>

#define FAULTFS "reeve-fault"

struct faultfs {
	const char *suffix; /* "" or NULL: all files */
	_Atomic int64_t writes_left; /* before writes fail; < 0: never */
	_Atomic int64_t syncs_left;
	_Atomic int64_t bytes_max;   /* a write past this place of a file gives SQLITE_FULL; < 0: none does */
	_Atomic int64_t reads_left;  /* a failed read is SQLITE_IOERR_READ */
	_Atomic int write_error;     /* an SQLITE_ code */
	_Atomic int sync_error;
	_Atomic uint64_t writes, syncs; /* so far, failures included */
	void (*on_sync)(void);       /* called before each sync; may wait */
	void (*after_sync)(const char *path); /* called after each that was done, by the thread that asked for it */
};

/* Registers it on the first call and forgets all orders. */
struct faultfs *faultfs(void);

#endif
