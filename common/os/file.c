/* file.c - opening, reading, writing; directories are in dir.c */
#include "common/os/file.h"

#include "common/os/keys.h"
#include "common/id.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_TRIES 128 /* of openat2 while somebody renames (EAGAIN) */

static void close_keep_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* nothing was written through it, or the error is known already */
	errno = saved;
}

/* Relative, not empty, no "..": so that openat2 and the walk agree. */
static bool path_allowed(const char *path)
{
	const char *p = path;

	if (!*p || *p == '/')
		return false;
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += n;
		while (*p == '/')
			p++;
	}
	return true;
}

int rv_open_walk(int dir, const char *path, int flags, mode_t mode)
{
	int at = dir;
	const char *p = path;

	if (!path_allowed(path)) {
		errno = EXDEV;
		return -1;
	}
	for (;;) {
		char part[NAME_MAX + 1];
		size_t n = strcspn(p, "/");
		const char *rest = p + n;
		int fd;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			break;
		}
		memcpy(part, p, n);
		part[n] = '\0';
		while (*rest == '/')
			rest++;
		if (*rest) {
			fd = openat(at, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		} else {
			/* "dir/" asks for a directory */
			int more = p[n] == '/' ? O_DIRECTORY : 0;

			fd = openat(at, part, flags | more | O_NOFOLLOW | O_CLOEXEC, mode);
		}
		if (at != dir)
			close_keep_errno(at);
		if (fd < 0 || !*rest)
			return fd;
		at = fd;
		p = rest;
	}
	if (at != dir)
		close_keep_errno(at);
	return -1;
}

/* errno style. */
static int open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = (flags & (O_CREAT | O_TMPFILE)) ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int tries;

	if (!path_allowed(path)) {
		errno = EXDEV;
		return -1;
	}
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno == ENOSYS || errno == EPERM) /* old kernel, or a seccomp filter that knows it not */
			break;
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
	return rv_open_walk(dir, path, flags, mode);
}

static int fail_open(struct rv_err *err, const char *path)
{
	if (errno == ELOOP)
		return rv_fail_errno(err, ELOOP, "%s is or goes through a symlink", path);
	if (errno == EXDEV)
		return rv_fail_errno(err, EXDEV, "%s leads out of its directory", path);
	return rv_fail_errno(err, errno, "cannot open %s", path);
}

int rv_dir_open(const char *path, int *fd, struct rv_err *err)
{
	int got = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (got < 0)
		return rv_fail_errno(err, errno, "cannot open directory %s", path);
	*fd = got;
	return 0;
}

int rv_dir_open_at(int dir, const char *path, int *fd, struct rv_err *err)
{
	int got = open_beneath(dir, path, O_RDONLY | O_DIRECTORY, 0);

	if (got < 0)
		return fail_open(err, path);
	*fd = got;
	return 0;
}

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "something else";
	}
}

int rv_file_open_at(int dir, const char *path, int flags, mode_t mode, int *fd, struct rv_err *err)
{
	struct stat st;
	int got;

	/* O_NONBLOCK: a FIFO must not hold us; regular files do not mind it */
	got = open_beneath(dir, path, flags | O_NONBLOCK | O_NOCTTY, mode);
	if (got < 0) {
		if (errno == EISDIR)
			return rv_fail_errno(err, EISDIR, "%s is not a regular file", path);
		if (errno == ENXIO) /* a FIFO nobody reads, or a socket */
			return rv_fail(err, RV_E_DENIED, "%s is not a regular file", path);
		return fail_open(err, path);
	}
	if (fstat(got, &st) < 0) {
		close_keep_errno(got);
		return rv_fail_errno(err, errno, "cannot look at %s", path);
	}
	if (!S_ISREG(st.st_mode)) {
		close_keep_errno(got);
		return rv_fail(err, RV_E_DENIED, "%s is %s, not a regular file", path, kind_name(st.st_mode));
	}
	*fd = got;
	return 0;
}

int rv_file_read_fd(int fd, const char *name, size_t limit, struct rv_buf *out, struct rv_err *err)
{
	size_t before = out->bytes;
	struct stat st;
	size_t want = 64 << 10;

	if (limit > SIZE_MAX / 2)
		limit = SIZE_MAX / 2;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if ((uint64_t)st.st_size > limit)
			return rv_fail(err, RV_E_LIMIT, "%s has %llu bytes; the limit is %zu", name,
				       (unsigned long long)st.st_size, limit);
		want = st.st_size > 4096 ? (size_t)st.st_size + 1 : 4097; /* one more, to see the end; /proc says 0 */
	}
	for (;;) {
		size_t room = limit - (out->bytes - before) + 1;
		char *at;
		ssize_t n;

		if (want > room)
			want = room;
		at = rv_buf_reserve(out, want);
		if (!at) {
			out->bytes = before;
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for %s", name);
		}
		do
			n = read(fd, at, want);
		while (n < 0 && errno == EINTR);
		if (n <= 0) {
			if (n == 0)
				return 0;
			out->bytes = before;
			return rv_fail_errno(err, errno, "cannot read %s", name);
		}
		rv_buf_added(out, (size_t)n);
		if (out->bytes - before > limit) {
			out->bytes = before;
			return rv_fail(err, RV_E_LIMIT, "%s has more than %zu bytes", name, limit);
		}
		if (want < 64 << 10)
			want = 64 << 10;
	}
}

int rv_file_read_at(int dir, const char *path, size_t limit, struct rv_buf *out, struct rv_err *err)
{
	int fd = -1, rc;

	if (rv_file_open_at(dir, path, O_RDONLY, 0, &fd, err))
		return -1;
	rc = rv_file_read_fd(fd, path, limit, out, err);
	close_keep_errno(fd);
	return rc;
}

int rv_file_read(const char *path, size_t limit, struct rv_buf *out, struct rv_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot open %s", path);
	rc = rv_file_read_fd(fd, path, limit, out, err);
	close_keep_errno(fd);
	return rc;
}

int rv_file_put(int fd, const char *name, struct rv_str bytes, struct rv_err *err)
{
	size_t done = 0;

	while (done < bytes.bytes) {
		ssize_t n = write(fd, bytes.at + done, bytes.bytes - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_fail_errno(err, errno, "cannot write %s", name);
		done += (size_t)n;
	}
	return 0;
}

int rv_file_preallocate(int fd, const char *name, uint64_t bytes, struct rv_err *err)
{
	int sys;

	if (bytes == 0)
		return 0;
	do
		/* glibc writes zeros itself where the file system cannot reserve */
		sys = posix_fallocate(fd, 0, (off_t)bytes);
	while (sys == EINTR);
	if (sys)
		return rv_fail_errno(err, sys, "cannot reserve %llu bytes for %s", (unsigned long long)bytes, name);
	return 0;
}

/* --- atomic writes ----------------------------------------------------------------------------------------- */

#define TEMP_CHARS 24

static void temp_name(char out[TEMP_CHARS])
{
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1];

	rv_random(random, sizeof(random));
	rv_hex(hex, random, sizeof(random));
	(void)snprintf(out, TEMP_CHARS, ".rv-%s", hex); /* fits: 4 + 16 */
}

static int write_temp(int dir, const char *temp, const char *path, struct rv_str bytes, mode_t mode,
		      enum rv_file_sync sync, struct rv_err *err)
{
	int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot write beside %s", path);
	if (rv_file_put(fd, path, bytes, err))
		goto fail;
	if (sync == RV_FILE_SYNC && fsync(fd) < 0) {
		rv_fail_errno(err, errno, "cannot sync %s", path);
		goto fail;
	}
	if (close(fd) < 0)
		return rv_fail_errno(err, errno, "cannot write %s", path);
	return 0;
fail:
	close_keep_errno(fd);
	return -1;
}

enum there { REPLACED, STAYS }; /* what has the name already */

/* A link, not a rename, where what is there stays. */
static int name_it(int dir, const char *temp, const char *name, enum there there)
{
	if (there == REPLACED)
		return renameat(dir, temp, dir, name);
	if (linkat(dir, temp, dir, name, 0) < 0)
		return -1;
	(void)unlinkat(dir, temp, 0); /* left behind, it is in the way of nobody */
	return 0;
}

/* `dir` is the file's own directory, `name` one part, `path` for messages. */
static int write_in(int dir, const char *name, const char *path, struct rv_str bytes, mode_t mode,
		    enum rv_file_sync sync, enum there there, struct rv_err *err)
{
	char temp[TEMP_CHARS];

	temp_name(temp);
	if (write_temp(dir, temp, path, bytes, mode, sync, err))
		goto fail;
	if (name_it(dir, temp, name, there) < 0) {
		rv_fail_errno(err, errno, "cannot write %s", path);
		goto fail;
	}
	if (sync == RV_FILE_SYNC && fsync(dir) < 0)
		return rv_fail_errno(err, errno, "cannot sync the directory of %s", path);
	return 0;
fail:
	(void)unlinkat(dir, temp, 0); /* it may not be there */
	return -1;
}

static int write_at(int dir, const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync, enum there there, struct rv_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *parent;
	int at = -1, rc;

	if (!path_allowed(path) || !*name || strcmp(name, ".") == 0)
		return rv_fail_errno(err, EXDEV, "%s is no name for a file", path);
	parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!parent)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a path");
	rc = rv_dir_open_at(dir, parent, &at, err);
	free(parent);
	if (rc)
		return -1;
	rc = write_in(at, name, path, bytes, mode, sync, there, err);
	close_keep_errno(at);
	return rc;
}

int rv_file_write_at(int dir, const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync,
		     struct rv_err *err)
{
	return write_at(dir, path, bytes, mode, sync, REPLACED, err);
}

int rv_file_write_new_at(int dir, const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync, struct rv_err *err)
{
	return write_at(dir, path, bytes, mode, sync, STAYS, err);
}

int rv_file_write(const char *path, struct rv_str bytes, mode_t mode, enum rv_file_sync sync, struct rv_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *parent;
	int at = -1, rc;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return rv_fail_errno(err, EISDIR, "%s is no name for a file", path);
	if (!slash)
		parent = strdup(".");
	else
		parent = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (!parent)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a path");
	rc = rv_dir_open(parent, &at, err);
	free(parent);
	if (rc)
		return -1;
	rc = write_in(at, name, path, bytes, mode, sync, REPLACED, err);
	close_keep_errno(at);
	return rc;
}
