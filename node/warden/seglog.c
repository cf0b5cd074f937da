#include "seglog.h"

#include "caplog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void put32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static void put64(unsigned char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get32(const unsigned char *p)
{
	uint32_t v = 0;

	for (int i = 3; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

static uint64_t get64(const unsigned char *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* Entry, 64 bytes: run 0, unit 8, attempt 12, first segment 16, last segment 20, first offset 24, last offset 32, stdout 40,
 * stderr 48, flags 56, 60 unused. */
static void entry_write(unsigned char *p, const struct seglog_entry *e)
{
	memset(p, 0, SEGLOG_ENTRY_BYTES);
	put64(p, e->id.run);
	put32(p + 8, e->id.unit);
	put32(p + 12, e->id.attempt);
	put32(p + 16, e->first_segment);
	put32(p + 20, e->last_segment);
	put64(p + 24, e->first_offset);
	put64(p + 32, e->last_offset);
	put64(p + 40, e->bytes[0]);
	put64(p + 48, e->bytes[1]);
	put32(p + 56, e->flags);
}

static void entry_read(const unsigned char *p, struct seglog_entry *e)
{
	e->id = (struct warden_log_id){ .run = get64(p), .unit = get32(p + 8), .attempt = get32(p + 12) };
	e->first_segment = get32(p + 16);
	e->last_segment = get32(p + 20);
	e->first_offset = get64(p + 24);
	e->last_offset = get64(p + 32);
	e->bytes[0] = get64(p + 40);
	e->bytes[1] = get64(p + 48);
	e->flags = get32(p + 56);
}

static bool same_id(struct warden_log_id a, struct warden_log_id b)
{
	return a.run == b.run && a.unit == b.unit && a.attempt == b.attempt;
}

void seglog_big_name(char *out, size_t room, struct warden_log_id id, int stream)
{
	snprintf(out, room, "big/%016llx-%u-%u.%s", (unsigned long long)id.run, id.unit, id.attempt, stream ? "err" : "out");
}

static void segment_name(char *out, size_t room, uint32_t segment)
{
	snprintf(out, room, "%06u.seg", segment);
}

static int open_segment(struct seglog *log, uint32_t segment)
{
	char name[32];
	int fd;
	struct stat st;

	segment_name(name, sizeof(name), segment);
	fd = openat(log->dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (log->segment_fd >= 0)
		close(log->segment_fd);
	log->segment_fd = fd;
	log->segment = segment;
	log->segment_at = (uint64_t)st.st_size;
	return 0;
}

static bool segment_exists(struct seglog *log, uint32_t segment)
{
	char name[32];

	segment_name(name, sizeof(name), segment);
	return !faccessat(log->dir_fd, name, F_OK, 0);
}

static int open_index(struct seglog *log)
{
	unsigned char head[SEGLOG_INDEX_HEAD] = "RVIX\1";
	struct stat st;

	log->index_fd = openat(log->dir_fd, "index", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->index_fd < 0)
		return -1;
	if (fstat(log->index_fd, &st) || (st.st_size < (off_t)SEGLOG_INDEX_HEAD &&
					  pwrite(log->index_fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))) {
		close(log->index_fd);
		log->index_fd = -1;
		return -1;
	}
	if (st.st_size < (off_t)SEGLOG_INDEX_HEAD)
		st.st_size = SEGLOG_INDEX_HEAD;
	log->index_at = SEGLOG_INDEX_HEAD + ((uint64_t)st.st_size - SEGLOG_INDEX_HEAD) / SEGLOG_ENTRY_BYTES * SEGLOG_ENTRY_BYTES;
	return 0;
}

int seglog_open(struct seglog *log, const char *dir, uint64_t segment_bytes, struct rv_err *err)
{
	memset(log, 0, sizeof(*log));
	log->dir_fd = log->segment_fd = log->index_fd = -1;
	log->segment_bytes = segment_bytes ? segment_bytes : (uint64_t)64 << 20;
	log->dir = strdup(dir);
	return log->dir ? 0 : rv_fail(err, RV_E_NO_MEMORY, "no memory");
}

int seglog_dir(struct seglog *log)
{
	if (log->dir_fd >= 0)
		return log->dir_fd;
	if (mkdir(log->dir, 0700) && errno != EEXIST)
		return -1;
	log->dir_fd = open(log->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return log->dir_fd;
}

/* Segment and index, at the first output; again after a failure, since a full disk may have room by now. */
static int be_ready(struct seglog *log)
{
	uint32_t segment = 1;

	if (log->segment_fd >= 0 && log->index_fd >= 0)
		return 0;
	if (seglog_dir(log) < 0)
		return -1;
	while (segment < UINT32_MAX && segment_exists(log, segment + 1))
		segment++;
	if (log->segment_fd < 0 && open_segment(log, segment))
		return -1;
	return open_index(log);
}

void seglog_close(struct seglog *log)
{
	int *fds[] = { &log->dir_fd, &log->segment_fd, &log->index_fd };

	for (size_t i = 0; i < RV_ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	free(log->dir);
	log->dir = NULL;
}

void seglog_note(struct seglog *log, struct seglog_attempt *a)
{
	unsigned char bytes[SEGLOG_ENTRY_BYTES];

	if (be_ready(log)) {
		a->entry.flags |= SEGLOG_LOST;
		return;
	}
	if (!a->index_at) {
		if (!a->entry.bytes[0] && !a->entry.bytes[1])
			return;
		a->index_at = log->index_at;
		log->index_at += SEGLOG_ENTRY_BYTES;
	}
	entry_write(bytes, &a->entry);
	/* A full disk loses the entry, and with it the way to the output: the unit does not fail for it. */
	if (pwrite(log->index_fd, bytes, sizeof(bytes), (off_t)a->index_at) != (ssize_t)sizeof(bytes))
		a->entry.flags |= SEGLOG_LOST;
}

/* Chunk, 48 bytes: magic 0, payload bytes 4, run 8, unit 16, attempt 20, stream 24, previous segment 28, previous offset 32,
 * offset in the stream 40. */
static void chunk_head(unsigned char *p, const struct seglog_attempt *a, int stream, uint64_t stream_offset, uint32_t bytes)
{
	memset(p, 0, SEGLOG_CHUNK_BYTES);
	put32(p, SEGLOG_CHUNK_MAGIC);
	put32(p + 4, bytes);
	put64(p + 8, a->entry.id.run);
	put32(p + 16, a->entry.id.unit);
	put32(p + 20, a->entry.id.attempt);
	put32(p + 24, (uint32_t)stream);
	put32(p + 28, a->entry.last_segment);
	put64(p + 32, a->entry.last_offset);
	put64(p + 40, stream_offset);
}

bool seglog_append(struct seglog *log, struct seglog_attempt *a, int stream, uint64_t stream_offset, struct rv_str bytes)
{
	unsigned char head[SEGLOG_CHUNK_BYTES];
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)bytes.at, bytes.bytes } };
	uint64_t whole = SEGLOG_CHUNK_BYTES + bytes.bytes;
	ssize_t n;

	if (a->kept + whole > SEGLOG_INLINE_BYTES || bytes.bytes > SEGLOG_INLINE_BYTES)
		return false;
	if (be_ready(log))
		goto lost;
	if (log->segment_at >= log->segment_bytes && open_segment(log, log->segment + 1))
		goto lost;
	chunk_head(head, a, stream, stream_offset, (uint32_t)bytes.bytes);
	n = pwritev(log->segment_fd, iov, 2, (off_t)log->segment_at);
	if (n != (ssize_t)whole)
		goto lost; /* the torn chunk is written over by the next one */
	a->entry.last_segment = log->segment;
	a->entry.last_offset = log->segment_at;
	if (!a->entry.first_segment) {
		a->entry.first_segment = log->segment;
		a->entry.first_offset = log->segment_at;
	}
	log->segment_at += whole;
	a->kept += whole;
	return true;
lost:
	a->entry.flags |= SEGLOG_LOST;
	return false;
}

/* ---- reading ---- */

int seglog_find(const char *dir, struct warden_log_id id, struct seglog_entry *entry, struct rv_err *err)
{
	enum { PAGE = 1024 };
	char path[4096];
	unsigned char *page;
	struct stat st;
	uint64_t count;
	int fd, found = 0;

	if (snprintf(path, sizeof(path), "%s/index", dir) >= (int)sizeof(path))
		return rv_fail(err, RV_E_LIMIT, "path too long: %s", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : rv_fail_errno(err, errno, "%s", path);
	page = malloc((size_t)PAGE * SEGLOG_ENTRY_BYTES);
	if (!page || fstat(fd, &st)) {
		free(page);
		close(fd);
		return rv_fail(err, RV_E_NO_MEMORY, "%s", path);
	}
	count = st.st_size < (off_t)SEGLOG_INDEX_HEAD ? 0 : ((uint64_t)st.st_size - SEGLOG_INDEX_HEAD) / SEGLOG_ENTRY_BYTES;
	/* From the end: what is asked for is mostly young. */
	while (count && !found) {
		uint64_t n = rv_min_u64(count, PAGE);
		ssize_t got;

		count -= n;
		got = pread(fd, page, n * SEGLOG_ENTRY_BYTES, (off_t)(SEGLOG_INDEX_HEAD + count * SEGLOG_ENTRY_BYTES));
		if (got != (ssize_t)(n * SEGLOG_ENTRY_BYTES))
			break;
		for (uint64_t i = n; i > 0 && !found; i--) {
			entry_read(page + (i - 1) * SEGLOG_ENTRY_BYTES, entry);
			found = same_id(entry->id, id) && (entry->bytes[0] || entry->bytes[1]);
		}
	}
	free(page);
	close(fd);
	return found;
}

int seglog_entry_at(int index, uint64_t number, struct seglog_entry *entry)
{
	unsigned char bytes[SEGLOG_ENTRY_BYTES];
	ssize_t got = pread(index, bytes, sizeof(bytes), (off_t)(SEGLOG_INDEX_HEAD + number * SEGLOG_ENTRY_BYTES));

	if (got < 0)
		return -1;
	if (got != (ssize_t)sizeof(bytes))
		return 0;
	entry_read(bytes, entry);
	return 1;
}

struct chunk {
	uint32_t segment;
	uint32_t bytes;
	uint64_t offset, stream_offset;
	int stream;
};

struct reader {
	const char *dir;
	int fd;            /* of `segment` */
	uint32_t segment;
	struct chunk *chunks; /* from the last to the first */
	uint32_t count, room;
	char *payload;
};

static int reader_open(struct reader *r, uint32_t segment)
{
	char path[4096];

	if (r->fd >= 0 && r->segment == segment)
		return 0;
	if (r->fd >= 0)
		close(r->fd);
	if (snprintf(path, sizeof(path), "%s/%06u.seg", r->dir, segment) >= (int)sizeof(path))
		return -1;
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	r->segment = segment;
	return r->fd < 0 ? -1 : 0;
}

/* Walks the chain of chunks back from the entry's last; bounded by what an attempt may keep inline. */
static int collect(struct reader *r, const struct seglog_entry *e)
{
	uint32_t segment = e->last_segment;
	uint64_t offset = e->last_offset, kept = 0;

	while (segment) {
		unsigned char head[SEGLOG_CHUNK_BYTES];
		struct chunk c;
		struct warden_log_id id;

		if (reader_open(r, segment) || pread(r->fd, head, sizeof(head), (off_t)offset) != (ssize_t)sizeof(head))
			return -1;
		id = (struct warden_log_id){ .run = get64(head + 8), .unit = get32(head + 16), .attempt = get32(head + 20) };
		c = (struct chunk){ .segment = segment, .offset = offset, .bytes = get32(head + 4), .stream = get32(head + 24) & 1,
				    .stream_offset = get64(head + 40) };
		kept += SEGLOG_CHUNK_BYTES + c.bytes;
		if (get32(head) != SEGLOG_CHUNK_MAGIC || !same_id(id, e->id) || kept > SEGLOG_INLINE_BYTES)
			return -1;
		if (r->count == r->room) {
			uint32_t want = r->room ? r->room * 2 : 64;
			struct chunk *grown = realloc(r->chunks, want * sizeof(*grown));

			if (!grown)
				return -1;
			r->chunks = grown;
			r->room = want;
		}
		r->chunks[r->count++] = c;
		segment = get32(head + 28);
		offset = get64(head + 32);
	}
	return 0;
}

/* The part of [offset, offset + bytes) that was not seen yet goes to `piece`. */
static int hand_out(int stream, uint64_t offset, struct rv_str bytes, uint64_t seen[2], seglog_piece_fn *piece, void *arg)
{
	uint64_t skip = rv_sat_sub(seen[stream], offset);
	int ret;

	if (skip >= bytes.bytes)
		return 0;
	ret = piece(arg, stream, offset + skip, rv_str(bytes.at + skip, bytes.bytes - skip));
	seen[stream] = offset + bytes.bytes;
	return ret;
}

static int read_chunks(struct reader *r, uint64_t seen[2], uint64_t inline_end[2], seglog_piece_fn *piece, void *arg)
{
	for (uint32_t i = r->count; i > 0; i--) {
		struct chunk *c = &r->chunks[i - 1];
		int ret;

		if (reader_open(r, c->segment) ||
		    pread(r->fd, r->payload, c->bytes, (off_t)(c->offset + SEGLOG_CHUNK_BYTES)) != (ssize_t)c->bytes)
			return -1;
		inline_end[c->stream] = c->stream_offset + c->bytes;
		ret = hand_out(c->stream, c->stream_offset, rv_str(r->payload, c->bytes), seen, piece, arg);
		if (ret)
			return ret;
	}
	return 0;
}

struct big {
	char *path;
	size_t bytes; /* without a suffix */
};

static int open_big(void *arg, const char *suffix)
{
	struct big *b = arg;

	memcpy(b->path + b->bytes, suffix, strlen(suffix) + 1);
	return open(b->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static int read_big(struct reader *r, struct warden_log_id id, int stream, uint64_t at, uint64_t seen[2],
		    seglog_piece_fn *piece, void *arg)
{
	char path[4096];
	struct big big = { .path = path };
	struct caplog_piece p;
	struct caplog log;
	int ret = 0;

	big.bytes = (size_t)snprintf(path, sizeof(path) - sizeof(CAPLOG_TAIL_SUFFIX), "%s/", r->dir);
	if (big.bytes + SEGLOG_BIG_NAME_BYTES_MAX + sizeof(CAPLOG_TAIL_SUFFIX) >= sizeof(path))
		return -1;
	seglog_big_name(path + big.bytes, SEGLOG_BIG_NAME_BYTES_MAX, id, stream);
	big.bytes += strlen(path + big.bytes);
	errno = 0;
	if (caplog_open(&log, open_big, &big) < 0)
		return errno == ENOENT ? 0 : -1;
	while (!ret && (ret = caplog_next(&log, rv_sat_sub(seen[stream], at), r->payload, SEGLOG_INLINE_BYTES, &p)) > 0) {
		/* what a marker stands for is not its bytes: the stream goes on at `to` */
		ret = piece(arg, stream, at + p.to - p.bytes.bytes, p.bytes);
		seen[stream] = at + p.to;
	}
	caplog_close(&log);
	return ret;
}

int seglog_follow(const char *dir, const struct seglog_entry *entry, uint64_t seen[2], seglog_piece_fn *piece, void *arg,
		  struct rv_err *err)
{
	struct reader r = { .dir = dir, .fd = -1 };
	uint64_t inline_end[2] = { 0, 0 };
	int ret;

	r.payload = malloc(SEGLOG_INLINE_BYTES);
	if (!r.payload)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	ret = collect(&r, entry);
	if (!ret)
		ret = read_chunks(&r, seen, inline_end, piece, arg);
	if (ret == -1)
		rv_fail(err, RV_E_CORRUPT, "output log %s: a chunk is missing or broken", dir);
	for (int s = 0; s < 2 && !ret && (entry->flags & SEGLOG_BIG); s++)
		ret = read_big(&r, entry->id, s, inline_end[s], seen, piece, arg);
	if (r.fd >= 0)
		close(r.fd);
	free(r.chunks);
	free(r.payload);
	return ret;
}

int seglog_read(const char *dir, const struct seglog_entry *entry, seglog_piece_fn *piece, void *arg, struct rv_err *err)
{
	uint64_t seen[2] = { 0, 0 };

	return seglog_follow(dir, entry, seen, piece, arg, err);
}

struct tail {
	int stream;
	size_t bytes_max;
	struct rv_buf *out;
	size_t from; /* where ours begins in `out` */
};

static int tail_piece(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	struct tail *t = arg;
	size_t have;

	(void)offset;
	if (stream != t->stream)
		return 0;
	if (bytes.bytes > t->bytes_max)
		bytes = rv_str(bytes.at + bytes.bytes - t->bytes_max, t->bytes_max);
	have = t->out->bytes - t->from;
	/* Twice the wish is kept before the older half is dropped, so that dropping is rare. */
	if (have + bytes.bytes > 2 * t->bytes_max) {
		size_t drop = have - rv_min_u64(have, t->bytes_max);

		memmove(t->out->at + t->from, t->out->at + t->from + drop, have - drop);
		t->out->bytes -= drop;
	}
	return rv_buf_put_str(t->out, bytes) ? -1 : 0;
}

int seglog_tail(const char *dir, struct warden_log_id id, int stream, size_t bytes_max, struct rv_buf *out, struct rv_err *err)
{
	struct tail t = { .stream = stream, .bytes_max = bytes_max, .out = out, .from = out->bytes };
	struct seglog_entry entry;
	int ret = seglog_find(dir, id, &entry, err);
	size_t have;

	if (ret <= 0)
		return ret;
	if (seglog_read(dir, &entry, tail_piece, &t, err))
		return -1;
	have = out->bytes - t.from;
	if (have > bytes_max) {
		memmove(out->at + t.from, out->at + out->bytes - bytes_max, bytes_max);
		out->bytes = t.from + bytes_max;
		out->at[out->bytes] = 0;
	}
	return 0;
}
