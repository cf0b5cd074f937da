#include "capture.h"

#include "caplog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a file with head, ring and marker ---- */

static int put_all(int fd, struct rv_str bytes, uint64_t at)
{
	while (bytes.bytes) {
		ssize_t n = pwrite(fd, bytes.at, bytes.bytes, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += (uint64_t)n;
		bytes = rv_str(bytes.at + n, bytes.bytes - (size_t)n);
	}
	return 0;
}

static int capfile_open(struct capfile *f, int dir_fd, const char *name, uint64_t cap)
{
	*f = (struct capfile){ .fd = -1, .ring_fd = -1, .dir_fd = dir_fd, .half = cap / 2 };
	f->name = strdup(name);
	if (f->name)
		f->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->fd >= 0)
		return 0;
	free(f->name);
	f->name = NULL;
	return -1;
}

static void ring_name(const struct capfile *f, char *out, size_t room)
{
	snprintf(out, room, "%s" CAPLOG_TAIL_SUFFIX, f->name);
}

/* For readers (caplog.h); false: the disk is full. */
static bool tell(struct capfile *f, size_t where, uint64_t position)
{
	return !put_all(f->ring_fd, rv_str((const char *)&position, sizeof(position)), where);
}

static bool open_ring(struct capfile *f)
{
	struct caplog_head head = { .magic = CAPLOG_MAGIC, .half = f->half, .begun = f->half, .done = f->half };
	char name[160];

	ring_name(f, name, sizeof(name));
	f->ring_fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return f->ring_fd >= 0 && !put_all(f->ring_fd, rv_str((const char *)&head, sizeof(head)), 0);
}

static void capfile_put(struct capfile *f, struct rv_str bytes)
{
	if (f->lost) {
		f->bytes += bytes.bytes;
		return;
	}
	if (f->bytes < f->half) {
		size_t n = rv_min_u64(bytes.bytes, f->half - f->bytes);

		f->lost = put_all(f->fd, rv_str(bytes.at, n), f->bytes);
		f->bytes += n;
		bytes = rv_str(bytes.at + n, bytes.bytes - n);
	}
	if (bytes.bytes && f->ring_fd < 0 && !f->lost)
		f->lost = !f->half || !open_ring(f);
	if (bytes.bytes && !f->lost)
		f->lost = !tell(f, offsetof(struct caplog_head, begun), f->bytes + bytes.bytes);
	while (bytes.bytes && !f->lost) {
		uint64_t at = (f->bytes - f->half) % f->half;
		size_t n = rv_min_u64(bytes.bytes, f->half - at);

		f->lost = put_all(f->ring_fd, rv_str(bytes.at, n), sizeof(struct caplog_head) + at);
		f->bytes += n;
		bytes = rv_str(bytes.at + n, bytes.bytes - n);
	}
	f->bytes += bytes.bytes;
	if (f->ring_fd >= 0 && !f->lost)
		f->lost = !tell(f, offsetof(struct caplog_head, done), f->bytes);
}

/* Copies [from, to) of the ring to the end of the file. */
static int copy_ring(struct capfile *f, uint64_t from, uint64_t to, uint64_t *at, char *scratch)
{
	while (from < to) {
		ssize_t n = pread(f->ring_fd, scratch, rv_min_u64(to - from, CAPTURE_READ_BYTES),
				  (off_t)(sizeof(struct caplog_head) + from));

		if (n <= 0 || put_all(f->fd, rv_str(scratch, (size_t)n), *at))
			return -1;
		from += (uint64_t)n;
		*at += (uint64_t)n;
	}
	return 0;
}

/* The ring's bytes in order behind the head, the marker between if anything is missing. Gives whether the cap (1) or the
 * disk (2) left something out. */
static int capfile_finish(struct capfile *f, char *scratch)
{
	char marker[CAPLOG_MARKER_BYTES_MAX], name[160];
	uint64_t past = rv_sat_sub(f->bytes, f->half), at = f->half;
	int cut = 0;

	if (f->ring_fd >= 0 && !f->lost) {
		if (past > f->half) {
			uint64_t split = past % f->half;

			size_t marker_bytes = caplog_marker(marker, past - f->half);

			cut = 1;
			f->lost = put_all(f->fd, rv_str(marker, marker_bytes), at);
			at += marker_bytes;
			f->lost = f->lost || copy_ring(f, split, f->half, &at, scratch) || copy_ring(f, 0, split, &at, scratch);
		} else {
			f->lost = copy_ring(f, 0, past, &at, scratch);
		}
	}
	if (f->ring_fd >= 0) {
		ring_name(f, name, sizeof(name));
		(void)unlinkat(f->dir_fd, name, 0);
		close(f->ring_fd);
		f->ring_fd = -1;
	}
	if (f->lost) {
		/* Room may be there again by now; if not, flags tell. */
		struct stat st;

		if (!fstat(f->fd, &st))
			(void)put_all(f->fd, RV_STR("\n[reeve: output lost here: the disk was full]\n"), (uint64_t)st.st_size);
		cut = 2;
	}
	close(f->fd);
	f->fd = -1;
	return cut;
}

static void capfile_release(struct capfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->ring_fd >= 0)
		close(f->ring_fd);
	free(f->name);
	*f = (struct capfile){ .fd = -1, .ring_fd = -1 };
}

/* ---- the streams of a unit ---- */

static int open_files(struct capture *c, const struct warden_spawn *spec)
{
	c->dir_fd = open(spec->logs_dir.at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0)
		return -1;
	return capfile_open(&c->file[0], c->dir_fd, "stdout.log", c->cap) ||
	       capfile_open(&c->file[1], c->dir_fd, "stderr.log", c->cap) ? -1 : 0;
}

void capture_init(struct capture *c)
{
	*c = (struct capture){ .fd = { -1, -1 }, .write_fd = { -1, -1 }, .dir_fd = -1 };
	c->file[0] = c->file[1] = (struct capfile){ .fd = -1, .ring_fd = -1 };
}

void pipe_pool_release(struct pipe_pool *pool)
{
	while (pool->count) {
		pool->count--;
		close(pool->ends[pool->count][0]);
		close(pool->ends[pool->count][1]);
	}
}

static int take_pipe(struct pipe_pool *pool, int ends[2])
{
	if (pool->count) {
		pool->count--;
		ends[0] = pool->ends[pool->count][0];
		ends[1] = pool->ends[pool->count][1];
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC))
		return -1;
	/* Only our end must not block: the unit's is an ordinary pipe. */
	return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

/* Into the pool if the pipe is as new: the last unit may have made its end non-blocking. */
static bool give_pipe(struct pipe_pool *pool, int read_fd, int write_fd)
{
	if (pool->count == CAPTURE_POOL_MAX || read_fd < 0 || write_fd < 0 || fcntl(write_fd, F_SETFL, 0))
		return false;
	pool->ends[pool->count][0] = read_fd;
	pool->ends[pool->count][1] = write_fd;
	pool->count++;
	return true;
}

void capture_let_go(struct capture *c)
{
	for (int s = 0; s < 2; s++) {
		if (c->write_fd[s] >= 0)
			close(c->write_fd[s]);
		c->write_fd[s] = -1;
	}
}

int capture_open(struct capture *c, const struct warden_spawn *spec, struct seglog *log, struct pipe_pool *pool)
{
	int ends[2], saved;

	capture_init(c);
	c->kind = spec->output;
	c->cap = spec->log_bytes_max ? spec->log_bytes_max : (uint64_t)50 << 20;
	c->credit = spec->output_credit;
	c->log = c->kind == WARDEN_OUTPUT_LOG ? log : NULL;
	c->in_log.entry.id = spec->log_id;
	if (c->kind == WARDEN_OUTPUT_FILES && open_files(c, spec))
		goto fail;
	for (int s = 0; s < 2; s++) {
		if (take_pipe(pool, ends))
			goto fail;
		c->fd[s] = ends[0];
		c->write_fd[s] = ends[1];
	}
	return 0;
fail:
	saved = errno;
	capture_release(c);
	errno = saved;
	return -1;
}

static void tail_put(struct capture *c, int stream, struct rv_str bytes)
{
	uint64_t at = c->bytes[stream];

	if (!c->tail[stream])
		c->tail[stream] = malloc(WARDEN_TAIL_BYTES_MAX);
	if (!c->tail[stream])
		return; /* no memory: EXITED goes without it */
	if (bytes.bytes > WARDEN_TAIL_BYTES_MAX) {
		at += bytes.bytes - WARDEN_TAIL_BYTES_MAX;
		bytes = rv_str(bytes.at + bytes.bytes - WARDEN_TAIL_BYTES_MAX, WARDEN_TAIL_BYTES_MAX);
	}
	while (bytes.bytes) {
		size_t place = at % WARDEN_TAIL_BYTES_MAX;
		size_t n = rv_min_u64(bytes.bytes, WARDEN_TAIL_BYTES_MAX - place);

		memcpy(c->tail[stream] + place, bytes.at, n);
		at += n;
		bytes = rv_str(bytes.at + n, bytes.bytes - n);
	}
}

struct rv_str capture_tail(const struct capture *c, int stream, char *room)
{
	uint64_t end = c->bytes[stream];
	size_t n = rv_min_u64(end, WARDEN_TAIL_BYTES_MAX), from = (end - n) % WARDEN_TAIL_BYTES_MAX;
	size_t first = rv_min_u64(n, WARDEN_TAIL_BYTES_MAX - from);

	if (!n || !c->tail[stream])
		return rv_str(NULL, 0);
	if (first == n)
		return rv_str(c->tail[stream] + from, n);
	memcpy(room, c->tail[stream] + from, first);
	memcpy(room + first, c->tail[stream], n - first);
	return rv_str(room, n);
}

/* The log's chunks first; what no longer fits goes to a file of the attempt's own. */
static void store_in_log(struct capture *c, int stream, struct rv_str bytes)
{
	struct seglog_entry *e = &c->in_log.entry;
	char name[96];

	if (!(e->flags & SEGLOG_BIG)) {
		if (e->flags & SEGLOG_LOST)
			return;
		/* At most half of the cap, so that there is room for a tail. */
		if (c->bytes[stream] + bytes.bytes <= c->cap / 2 &&
		    seglog_append(c->log, &c->in_log, stream, c->bytes[stream], bytes))
			return;
		if (e->flags & SEGLOG_LOST)
			return;
		if (seglog_dir(c->log) < 0 || (mkdirat(c->log->dir_fd, "big", 0700) && errno != EEXIST)) {
			e->flags |= SEGLOG_LOST;
			return;
		}
		e->flags |= SEGLOG_BIG;
	}
	if (c->file[stream].fd < 0 && !c->file[stream].name) {
		seglog_big_name(name, sizeof(name), e->id, stream);
		if (capfile_open(&c->file[stream], c->log->dir_fd, name, c->cap - rv_min_u64(c->cap, c->bytes[stream]))) {
			e->flags |= SEGLOG_LOST;
			return;
		}
	}
	if (c->file[stream].fd >= 0)
		capfile_put(&c->file[stream], bytes);
}

static void take(struct capture *c, int stream, struct rv_str bytes, uint64_t now_us)
{
	c->last_us = now_us;
	tail_put(c, stream, bytes);
	if (c->credit && c->live) {
		struct rv_str shown = rv_str(bytes.at, rv_min_u64(bytes.bytes, c->credit));

		c->credit -= shown.bytes;
		c->live(c->arg, stream, c->bytes[stream], shown);
	}
	if (c->log) {
		uint32_t flags = c->in_log.entry.flags;
		bool first = !c->in_log.index_at;

		store_in_log(c, stream, bytes);
		c->in_log.entry.bytes[stream] = c->bytes[stream] + bytes.bytes;
		if (c->watched && (first || flags != c->in_log.entry.flags || bytes.bytes >= 4096 || now_us - c->in_log.noted_us > 200000)) {
			seglog_note(c->log, &c->in_log); /* so that a reader can follow; at the end it is noted again */
			c->in_log.noted_us = now_us;
		}
	} else if (c->kind == WARDEN_OUTPUT_FILES && c->file[stream].fd >= 0) {
		capfile_put(&c->file[stream], bytes);
	}
	c->bytes[stream] += bytes.bytes;
}

int capture_read(struct capture *c, int stream, char *scratch, uint64_t now_us)
{
	ssize_t n;

	if (c->fd[stream] < 0)
		return -1;
	n = read(c->fd[stream], scratch, CAPTURE_READ_BYTES);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	take(c, stream, rv_str(scratch, (size_t)n), now_us);
	return 1;
}

void capture_finish(struct capture *c, struct pipe_pool *pool, char *scratch, uint64_t now_us, struct warden_output_place *place)
{
	struct seglog_entry *e = &c->in_log.entry;
	int cut = 0;

	for (int s = 0; s < 2; s++) {
		uint64_t until = c->bytes[s] + CAPTURE_DRAIN_BYTES;

		/* A short read means the pipe is empty: no second call to be told so. */
		while (c->bytes[s] < until) {
			uint64_t before = c->bytes[s];

			if (capture_read(c, s, scratch, now_us) <= 0 || c->bytes[s] - before < CAPTURE_READ_BYTES / 2)
				break;
		}
		if (c->reusable && give_pipe(pool, c->fd[s], c->write_fd[s]))
			c->fd[s] = c->write_fd[s] = -1;
		if (c->fd[s] >= 0)
			close(c->fd[s]);
		c->fd[s] = -1;
		if (c->file[s].fd >= 0) {
			int ret = capfile_finish(&c->file[s], scratch);

			cut = ret > cut ? ret : cut;
		}
	}
	if (c->log && (c->bytes[0] || c->bytes[1])) {
		e->flags |= SEGLOG_ENDED | (cut == 1 ? SEGLOG_TRUNCATED : cut == 2 ? SEGLOG_LOST : 0);
		seglog_note(c->log, &c->in_log);
		if (e->flags & SEGLOG_LOST)
			cut = 2;
	}
	capture_let_go(c);
	*place = (struct warden_output_place){
		.kind = c->kind,
		.truncated = (uint8_t)cut,
		.segment = e->first_segment,
		.offset = e->first_offset,
		.stdout_bytes = c->bytes[0],
		.stderr_bytes = c->bytes[1],
	};
}

void capture_release(struct capture *c)
{
	capture_let_go(c);
	for (int s = 0; s < 2; s++) {
		if (c->fd[s] >= 0)
			close(c->fd[s]);
		c->fd[s] = -1;
		free(c->tail[s]);
		c->tail[s] = NULL;
		capfile_release(&c->file[s]);
	}
	if (c->dir_fd >= 0)
		close(c->dir_fd);
	c->dir_fd = -1;
}
