/* file.h - files and directories, opened so that nobody can point us elsewhere
 *
 * The *_at functions take a directory descriptor and a relative path below it. No part of the path may be a symlink,
 * "..", or lead out of the directory, whatever others rename meanwhile: openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS),
 * or the same walk by hand where the kernel or a sandbox refuses that call. Everything is opened close-on-exec.
 * The functions that take a whole path are for words of the user: they follow links.
 */
#ifndef RV_OS_FILE_H
#define RV_OS_FILE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#include <sys/types.h>

enum rv_file_sync {
	RV_FILE_NOSYNC = 0, /* survives the end of every process, not power loss */
	RV_FILE_SYNC,       /* bytes and name are on the disk on return */
};

/* --- opening ----------------------------------------------------------------------------------------------- */

int rv_dir_open(const char *path, int *fd, struct rv_err *err);
int rv_dir_open_at(int dir, const char *path, int *fd, struct rv_err *err);
/* `flags` and `mode` as for open(2). Only regular files: a FIFO or device is refused (and does not block). */
int rv_file_open_at(int dir, const char *path, int flags, mode_t mode, int *fd, struct rv_err *err);
/* What rv_*_open_at() do without openat2: same rules, errno style (-1). For tests. */
int rv_open_walk(int dir, const char *path, int flags, mode_t mode);

/* --- whole files ------------------------------------------------------------------------------------------- */

/* Appends all bytes to `out`; more than `limit` is RV_E_LIMIT and leaves `out` as it was. `name` is for messages. */
int rv_file_read_fd(int fd, const char *name, size_t limit, struct rv_buf *out, struct rv_err *err);
int rv_file_read_at(int dir, const char *path, size_t limit, struct rv_buf *out, struct rv_err *err);
/* Follows links; pipes and devices are read to their end, too. */
int rv_file_read(const char *path, size_t limit, struct rv_buf *out, struct rv_err *err);

/* All or nothing: a temporary file beside it, then a rename over whatever was there. */
int rv_file_write_at(int dir, const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync,
		     struct rv_err *err);
/* The same, but what is there stays: RV_E_EXISTS. Of several that make one at once, one does. */
int rv_file_write_new_at(int dir, const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync, struct rv_err *err);
int rv_file_write(const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync, struct rv_err *err);

/* Writes all of it at the descriptor's place; goes on after EINTR and short writes. `name` is for messages. */
int rv_file_put(int fd, const char *name, struct rv_str bytes, struct rv_err *err);

/* Blocks for the first `bytes` are reserved, the size grows to them: a later write there cannot meet a full disk.
 * File systems that cannot reserve are given zeros. */
int rv_file_preallocate(int fd, const char *name, uint64_t bytes, struct rv_err *err);

/* --- directories ------------------------------------------------------------------------------------------- */

/* mkdir -p: makes what is missing with `mode`; all there already is fine. */
int rv_dir_make_at(int dir, const char *path, mode_t mode, struct rv_err *err);
int rv_dir_make(const char *path, mode_t mode, struct rv_err *err);

/* rm -rf: removes `path` (one name, or several parts) and all below it; links are removed, not followed; directories
 * without permissions are opened up if they are ours. Two descriptors however deep it goes. Not there: fine. */
int rv_tree_remove_at(int dir, const char *path, struct rv_err *err);

#endif
