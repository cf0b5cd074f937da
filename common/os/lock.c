#include "common/os/lock.h"

#include "common/buf.h"
#include "common/check.h"
#include "common/id.h"
#include "common/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TEXT_BYTES 512 /* written whole each time, so that a reader never sees half of two holders */
#define TAKE_TRIES 64  /* while others remove the file under us */

static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

/* --- the text ------------------------------------------------------------------------------------------------- */

static bool take_field(struct rv_str text, const char *key, char *out, size_t size)
{
	size_t n = strlen(key);

	while (text.bytes > 0) {
		const char *end = memchr(text.at, '\n', text.bytes);
		size_t line = end ? (size_t)(end - text.at) : text.bytes;

		if (end && line > n && text.at[n] == '=' && memcmp(text.at, key, n) == 0 && line - n - 1 < size) {
			memcpy(out, text.at + n + 1, line - n - 1);
			out[line - n - 1] = '\0';
			return strlen(out) == line - n - 1;
		}
		if (!end)
			return false;
		text.at += line + 1;
		text.bytes -= line + 1;
	}
	return false;
}

static bool take_number(struct rv_str text, const char *key, uint64_t *out)
{
	char digits[24];
	char *end;

	if (!take_field(text, key, digits, sizeof(digits)) || digits[0] < '0' || digits[0] > '9')
		return false;
	errno = 0;
	*out = strtoull(digits, &end, 10);
	return !*end && errno == 0;
}

static void parse_holder(struct rv_str text, struct rv_lock_holder *h)
{
	char hex[2 * RV_BOOT_ID_BYTES + 1];
	uint64_t pid = 0;

	memset(h, 0, sizeof(*h));
	if (!take_field(text, "host", h->host, sizeof(h->host)) || !h->host[0] ||
	    !take_field(text, "boot", hex, sizeof(hex)) ||
	    rv_unhex(h->boot_id, sizeof(h->boot_id), rv_str_of(hex)) || !take_number(text, "pid", &pid) ||
	    pid == 0 || pid > INT32_MAX || !take_number(text, "start", &h->start_ticks) ||
	    !take_field(text, "what", h->what, sizeof(h->what))) {
		memset(h, 0, sizeof(*h));
		return;
	}
	h->pid = (pid_t)pid;
	h->known = true;
}

static void read_holder(int fd, struct rv_lock_holder *h)
{
	char text[TEXT_BYTES];
	ssize_t n = pread(fd, text, sizeof(text), 0);

	parse_holder(rv_str(text, n > 0 ? (size_t)n : 0), h);
}

static int write_holder(int fd, const char *name, const struct rv_lock_holder *h, struct rv_err *err)
{
	char hex[2 * RV_BOOT_ID_BYTES + 1];
	char text[TEXT_BYTES];
	ssize_t n;
	int used;

	memset(text, '\n', sizeof(text));
	rv_hex(hex, h->boot_id, sizeof(h->boot_id));
	used = snprintf(text, sizeof(text), "host=%s\nboot=%s\npid=%d\nstart=%llu\nwhat=%s\n", h->host, hex,
			(int)h->pid, (unsigned long long)h->start_ticks, h->what);
	rv_check(used > 0 && (size_t)used < sizeof(text));
	text[used] = '\n';
	do
		n = pwrite(fd, text, sizeof(text), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(text))
		return rv_fail_errno(err, n < 0 ? errno : ENOSPC, "cannot write the lock file %s", name);
	return 0;
}

static void fill_self(struct rv_lock_holder *h, const char *what)
{
	char *c;

	memset(h, 0, sizeof(*h));
	h->known = true;
	rv_host_name(h->host);
	rv_host_boot_id(h->boot_id);
	h->pid = getpid();
	if (rv_host_process_start(h->pid, &h->start_ticks) != 1)
		h->start_ticks = 0;
	(void)snprintf(h->what, sizeof(h->what), "%s", what); /* cut: for people only */
	for (c = h->host; *c; c++)
		if (*c == '\n')
			*c = ' ';
	for (c = h->what; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

void rv_lock_holder_text(const struct rv_lock_holder *h, char *out, size_t size)
{
	if (!h->known)
		(void)snprintf(out, size, "a process that has not said who it is");
	else
		(void)snprintf(out, size, "%s (pid %d on %s)", h->what[0] ? h->what : "a process", (int)h->pid,
			       h->host);
}

/* --- the rule --------------------------------------------------------------------------------------------------- */

static bool boot_known(const uint8_t id[RV_BOOT_ID_BYTES])
{
	static const uint8_t zero[RV_BOOT_ID_BYTES];

	return memcmp(id, zero, sizeof(zero)) != 0;
}

bool rv_lock_may_live(const struct rv_lock_holder *old, const struct rv_lock_self *self)
{
	bool same_host;

	if (!old->known)
		return false;
	same_host = strcmp(old->host, self->host) == 0;
	if (boot_known(old->boot_id) && boot_known(self->boot_id)) {
		if (memcmp(old->boot_id, self->boot_id, RV_BOOT_ID_BYTES) != 0)
			return !same_host && !self->local;
	} else if (!same_host) {
		return !self->local;
	}
	/* the same kernel: is that process still there, and the same one? Ours: we forgot to release, no other has it */
	if (old->pid == self->pid || self->process == 0)
		return false;
	if (self->process == 1 && old->start_ticks && old->start_ticks != self->process_ticks)
		return false;
	return !self->local;
}

/* File systems that several kernels may have mounted at once, or that we do not know to be one kernel's own. */
static bool is_local(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* ext2 and ext3, too */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case 0x2fc12fc1UL: /* ZFS */
		return true;
	default:
		return false;
	}
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static int fail_busy(const char *name, const struct rv_lock_holder *h, struct rv_lock_holder *out, struct rv_err *err)
{
	char who[256];

	rv_lock_holder_text(h, who, sizeof(who));
	if (out)
		*out = *h;
	return rv_fail(err, RV_E_BUSY, "%s is held by %s", name, who);
}

/* 1: ours; 0: the file was removed or replaced meanwhile, try again; -1. */
static int try_take(int dir, const char *name, const char *what, int *out, struct rv_lock_holder *holder,
		    struct rv_err *err)
{
	struct flock want = whole_file;
	struct rv_lock_holder old, self;
	struct rv_lock_self me;
	struct stat mine, there;
	int fd, rc = -1;

	fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd < 0)
		return rv_fail_errno(err, errno, "cannot open the lock file %s", name);
	if (fstat(fd, &mine) < 0) {
		rv_fail_errno(err, errno, "cannot look at the lock file %s", name);
		goto fail;
	}
	if (!S_ISREG(mine.st_mode)) {
		rv_fail(err, RV_E_DENIED, "the lock file %s is not a regular file", name);
		goto fail;
	}
	if (fcntl(fd, F_OFD_SETLK, &want) < 0) {
		if (errno != EAGAIN && errno != EACCES) {
			rv_fail_errno(err, errno, "cannot lock %s", name);
			goto fail;
		}
		read_holder(fd, &old);
		fail_busy(name, &old, holder, err);
		goto fail;
	}
	if (fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) < 0 || there.st_ino != mine.st_ino ||
	    there.st_dev != mine.st_dev) {
		rc = 0; /* what we locked is no longer the lock */
		goto fail;
	}
	read_holder(fd, &old);
	fill_self(&self, what);
	me = (struct rv_lock_self){ .host = self.host, .boot_id = self.boot_id, .pid = self.pid,
				    .local = is_local(fd) };
	if (old.known)
		me.process = rv_host_process_start(old.pid, &me.process_ticks);
	if (rv_lock_may_live(&old, &me)) {
		fail_busy(name, &old, holder, err);
		if (strcmp(old.host, self.host) != 0)
			rv_hint(err, "if that host is gone for good, remove the lock file");
		goto fail;
	}
	if (write_holder(fd, name, &self, err)) {
		if (ftruncate(fd, 0) < 0) {
			/* then half of our text stays, which reads as nobody */
		}
		goto fail;
	}
	*out = fd;
	return 1;
fail:
	(void)close(fd); /* gives the lock back, if we had it */
	return rc;
}

int rv_lock_take(struct rv_lock *l, int dir, const char *name, const char *what, struct rv_lock_holder *holder,
		 struct rv_err *err)
{
	int tries;

	l->fd = -1;
	if (strlen(name) >= sizeof(l->name) || strchr(name, '/'))
		return rv_fail(err, RV_E_INTERNAL, "%s is no name for a lock file", name);
	for (tries = 0; tries < TAKE_TRIES; tries++) {
		int fd = -1;
		int got = try_take(dir, name, what, &fd, holder, err);

		if (got < 0)
			return -1;
		if (got == 0)
			continue;
		l->fd = fd;
		l->dir = dir;
		l->owner = getpid();
		(void)snprintf(l->name, sizeof(l->name), "%s", name);
		return 0;
	}
	return rv_fail(err, RV_E_BUSY, "the lock file %s is being removed again and again", name);
}

void rv_lock_release(struct rv_lock *l, enum rv_lock_end end)
{
	if (l->fd < 0)
		return;
	if (l->owner == getpid()) {
		/* best effort: what stays written names a process that is gone */
		if (end == RV_LOCK_REMOVE)
			(void)unlinkat(l->dir, l->name, 0);
		if (ftruncate(l->fd, 0) < 0) {
			/* as said */
		}
	}
	(void)close(l->fd);
	l->fd = -1;
}

int rv_lock_probe(int dir, const char *name, struct rv_lock_holder *holder, struct rv_err *err)
{
	struct flock test = whole_file;
	int fd, rc;

	memset(holder, 0, sizeof(*holder));
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno == ENOENT)
			return 0;
		return rv_fail_errno(err, errno, "cannot open the lock file %s", name);
	}
	rc = fcntl(fd, F_OFD_GETLK, &test);
	if (rc < 0) {
		rv_fail_errno(err, errno, "cannot test the lock of %s", name);
	} else if (test.l_type != F_UNLCK) {
		read_holder(fd, holder);
		rc = 1;
	}
	(void)close(fd);
	return rc;
}
