/* dir.c - making and removing directories (file.h) */
#include "common/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_keep_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd); /* directories: nothing to lose */
	errno = saved;
}

/* --- mkdir -p ---------------------------------------------------------------------------------------------- */

/* One part at a time, each opened without following links: nothing is made elsewhere. */
int rv_dir_make_at(int dir, const char *path, mode_t mode, struct rv_err *err)
{
	const char *p = path;
	int at = dir;

	if (!*path || *path == '/')
		return rv_fail_errno(err, EXDEV, "%s leads out of its directory", path);
	while (*p) {
		char part[NAME_MAX + 1];
		size_t n = strcspn(p, "/");
		int fd;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			goto fail;
		}
		memcpy(part, p, n);
		part[n] = '\0';
		if (strcmp(part, "..") == 0) {
			errno = EXDEV;
			goto fail;
		}
		if (mkdirat(at, part, mode) < 0 && errno != EEXIST)
			goto fail;
		fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			goto fail;
		if (at != dir)
			close_keep_errno(at);
		at = fd;
		p += n;
		while (*p == '/')
			p++;
	}
	if (at != dir)
		close_keep_errno(at);
	return 0;
fail:
	if (at != dir)
		close_keep_errno(at);
	return rv_fail_errno(err, errno, "cannot make directory %s", path);
}

int rv_dir_make(const char *path, mode_t mode, struct rv_err *err)
{
	struct stat st;
	char *copy, *p;

	/* nearly always only the last part is missing, or nothing */
	if (mkdir(path, mode) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	copy = strdup(path);
	if (!copy)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a path");
	for (p = copy + (*copy == '/'); *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			goto fail;
		*p = '/';
	}
	if (mkdir(copy, mode) < 0) {
		int sys = errno;

		/* "a/" after its parts were made; links to directories are welcome here */
		if (stat(copy, &st) < 0 || !S_ISDIR(st.st_mode)) {
			errno = sys;
			goto fail;
		}
	}
	free(copy);
	return 0;
fail:
	rv_fail_errno(err, errno, "cannot make directory %s", path);
	free(copy);
	return -1;
}

/* --- rm -rf ------------------------------------------------------------------------------------------------
 *
 * Depth is a unit's to choose, so neither the stack nor descriptors may follow it: a directory found two levels down
 * is moved up beside the first level ("lifting"), until the tree is flat and empty.
 */

struct removal {
	int top;        /* the directory being emptied */
	uint64_t moved; /* for fresh names */
	uint64_t done;  /* names removed or moved: a pass that adds none is the last */
};

/* Gives us rights on a directory of ours that its maker closed; through a descriptor, so no link is followed. */
static int open_up(int at, const char *name)
{
	char proc[64];
	int fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -1;
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	rc = chmod(proc, 0700);
	close_keep_errno(fd);
	return rc;
}

static int open_dir(int at, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags);

	if (fd < 0 && errno == EACCES && open_up(at, name) == 0)
		fd = openat(at, name, flags);
	return fd;
}

/* A directory inside a first-level one moves up to the top under a name of ours. */
static int lift(struct removal *r, int from, const char *name)
{
	int tries;

	for (tries = 0; tries < 1000; tries++) {
		char fresh[32];

		(void)snprintf(fresh, sizeof(fresh), ".rv-rm-%llu", (unsigned long long)r->moved++);
		if (faccessat(r->top, fresh, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue; /* somebody's own name: rename could replace an empty directory only, yet skip it */
		if (renameat(from, name, r->top, fresh) == 0)
			goto moved;
		if (errno == EACCES && open_up(from, name) == 0 && renameat(from, name, r->top, fresh) == 0)
			goto moved; /* moving a directory rewrites its "..": it must be writable */
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -1;
	}
	return -1;
moved:
	r->done++;
	return 0;
}

/* Calls `each` for every name of the directory behind fd, which it takes; -1 with errno. */
static int each_name(int fd, struct removal *r, int (*each)(struct removal *r, int at, const char *name))
{
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	int rc = 0;

	if (!d) {
		close_keep_errno(fd);
		return -1;
	}
	while (rc == 0) {
		errno = 0;
		e = readdir(d);
		if (!e) {
			rc = errno ? -1 : 0;
			break;
		}
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		rc = each(r, fd, e->d_name);
	}
	{
		int saved = errno;

		(void)closedir(d);
		errno = saved;
	}
	return rc;
}

static bool gone(struct removal *r, int rc)
{
	r->done += rc == 0;
	return rc == 0 || errno == ENOENT;
}

/* Second level: files go, directories that are not empty move up. */
static int remove_or_lift(struct removal *r, int at, const char *name)
{
	if (gone(r, unlinkat(at, name, 0)))
		return 0;
	if (errno != EISDIR && errno != EPERM) /* EPERM: what POSIX says for a directory */
		return -1;
	if (gone(r, unlinkat(at, name, AT_REMOVEDIR)))
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
		return -1;
	return lift(r, at, name);
}

/* First level: files go, directories are emptied one level and go. */
static int remove_first_level(struct removal *r, int at, const char *name)
{
	if (gone(r, unlinkat(at, name, 0)))
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	/* more than one pass only if somebody writes meanwhile, or readdir missed names while we removed others */
	for (;;) {
		uint64_t before = r->done;
		int fd;

		if (gone(r, unlinkat(at, name, AT_REMOVEDIR)))
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
			return -1;
		fd = open_dir(at, name);
		if (fd < 0)
			return -1;
		if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
			(void)open_up(at, name); /* if it is not ours, the next call says so */
		if (each_name(fd, r, remove_or_lift))
			return -1;
		if (r->done == before) {
			errno = ENOTEMPTY;
			return -1;
		}
	}
}

/* A descriptor of `dir`'s last directory on the way to `path`, and the name in it. */
static int open_parent(int dir, const char *path, const char **name, struct rv_err *err)
{
	const char *slash = strrchr(path, '/');
	char *parent;
	int fd, rc;

	*name = slash ? slash + 1 : path;
	if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)
		return rv_fail_errno(err, EINVAL, "cannot remove %s", path);
	parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!parent)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a path");
	rc = rv_dir_open_at(dir, parent, &fd, err);
	free(parent);
	return rc ? -1 : fd;
}

int rv_tree_remove_at(int dir, const char *path, struct rv_err *err)
{
	struct removal r = { .top = -1 };
	struct rv_err local;
	const char *name;
	int at, rc = -1;

	at = open_parent(dir, path, &name, &local);
	if (at < 0) {
		if (local.code == RV_E_NOT_FOUND)
			return 0;
		if (err)
			*err = local;
		return -1;
	}
	if (gone(&r, unlinkat(at, name, 0))) {
		rc = 0;
		goto out;
	}
	if (errno != EISDIR && errno != EPERM)
		goto out;
	for (;;) {
		uint64_t before = r.done;
		int fd;

		if (gone(&r, unlinkat(at, name, AT_REMOVEDIR))) {
			rc = 0;
			break;
		}
		if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
			break;
		close_keep_errno(r.top);
		r.top = open_dir(at, name);
		if (r.top < 0)
			break;
		if (faccessat(r.top, ".", W_OK | X_OK, AT_EACCESS) < 0)
			(void)open_up(at, name);
		fd = fcntl(r.top, F_DUPFD_CLOEXEC, 0);
		if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0 || each_name(fd, &r, remove_first_level))
			break;
		if (r.done == before) {
			errno = ENOTEMPTY;
			break;
		}
	}
out:
	if (rc)
		rv_fail_errno(err, errno, "cannot remove %s", path);
	close_keep_errno(r.top);
	close_keep_errno(at);
	return rc;
}
