#include "records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_MAGIC 0x31455652u /* "RVE1" */
#define ENTRY_HEAD 16u

static uint64_t place_at(uint32_t place)
{
	return RECORD_HEAD_BYTES + (uint64_t)place * RECORD_BYTES;
}

/* Adds places to the file (or to memory) and to the free ones, lowest on top. */
static int grow(struct records *r, uint32_t count)
{
	uint32_t *spare = realloc(r->spare, ((size_t)r->room + count) * sizeof(*spare));
	char **memory;

	if (!spare)
		return -1;
	r->spare = spare;
	if (r->fd < 0) {
		memory = realloc(r->memory, ((size_t)r->room + count) * sizeof(*memory));
		if (!memory)
			return -1;
		memset(memory + r->room, 0, count * sizeof(*memory));
		r->memory = memory;
	} else if (fallocate(r->fd, 0, (off_t)place_at(r->room), (off_t)count * RECORD_BYTES) && errno != EOPNOTSUPP) {
		return -1;
	}
	for (uint32_t i = count; i > 0; i--)
		r->spare[r->spare_count++] = r->room + i - 1;
	r->room += count;
	return 0;
}

/* The payload of a place into r->frame; false: none or broken. */
static bool load(struct records *r, uint32_t place)
{
	char *at;
	struct rv_reader reader;
	uint32_t magic, bytes;
	uint64_t hash;

	rv_buf_reset(&r->frame);
	at = rv_buf_reserve(&r->frame, RECORD_BYTES);
	if (!at)
		return false;
	if (r->fd >= 0) {
		if (pread(r->fd, at, RECORD_BYTES, (off_t)place_at(place)) != RECORD_BYTES)
			return false;
	} else if (r->memory[place]) {
		memcpy(at, r->memory[place], RECORD_BYTES);
	} else {
		return false;
	}
	rv_reader_init(&reader, rv_str(at, ENTRY_HEAD));
	magic = rv_read_u32(&reader);
	bytes = rv_read_u32(&reader);
	hash = rv_read_u64(&reader);
	if (magic != ENTRY_MAGIC || bytes > RECORD_BYTES - ENTRY_HEAD || hash != rv_hash(0, rv_str(at + ENTRY_HEAD, bytes)))
		return false;
	rv_buf_added(&r->frame, ENTRY_HEAD + bytes);
	rv_buf_consume(&r->frame, ENTRY_HEAD);
	return true;
}

static bool decode(struct records *r, uint32_t place, struct warden_frame *f)
{
	size_t used;

	if (!load(r, place) || warden_frame_read(rv_buf_str(&r->frame), f, &used, NULL) != 1 || f->type != WARDEN_EXITED)
		return false;
	f->exited.recovered = 1;
	return true;
}

/* Indexes what is there: places with a whole record are taken, the others free. */
static int index_existing(struct records *r, uint32_t count)
{
	r->spare = calloc((size_t)count + 1, sizeof(*r->spare));
	if (!r->spare)
		return -1;
	r->room = count;
	for (uint32_t i = count; i > 0; i--) {
		struct warden_frame f;
		uint32_t place = i - 1;

		if (!decode(r, place, &f) || keymap_get(&r->by_key, f.exited.key) != RV_MAP_NONE)
			r->spare[r->spare_count++] = place;
		else if (keymap_put(&r->by_key, f.exited.key, place))
			return -1;
	}
	return 0;
}

static int open_file(struct records *r, const char *dir, enum records_mode mode, struct rv_err *err)
{
	char head[RECORD_HEAD_BYTES] = "RVEX\1", *path;
	struct stat st;
	uint64_t count;

	if (asprintf(&r->path, "%s/exits.rec", dir) < 0) {
		r->path = NULL;
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	}
	path = r->path;
	r->fd = open(path, (mode == RECORDS_WRITE ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0 && mode == RECORDS_READ && errno == ENOENT)
		return 0;
	if (r->fd < 0 || fstat(r->fd, &st))
		return rv_fail_errno(err, errno, "%s", path);
	if (mode == RECORDS_READ && st.st_size < (off_t)RECORD_HEAD_BYTES)
		return 0;
	if (st.st_size < (off_t)RECORD_HEAD_BYTES) {
		if (pwrite(r->fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
			return rv_fail_errno(err, errno, "%s", path);
		return 0;
	}
	if (pread(r->fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || memcmp(head, "RVEX\1", 5))
		return rv_fail(err, RV_E_VERSION, "%s is not of this version", path);
	count = ((uint64_t)st.st_size - RECORD_HEAD_BYTES) / RECORD_BYTES;
	if (index_existing(r, (uint32_t)rv_min_u64(count, RECORDS_MAX)))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for %s", path);
	return 0;
}

int records_open(struct records *r, const char *dir, enum records_mode mode, struct rv_err *err)
{
	memset(r, 0, sizeof(*r));
	r->fd = -1;
	rv_buf_init(&r->frame, 0);
	if (keymap_init(&r->by_key, 256))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for exit records");
	if (!dir[0])
		return 0;
	if (open_file(r, dir, mode, err)) {
		records_close(r);
		return -1;
	}
	return 0;
}

void records_close(struct records *r)
{
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	for (uint32_t i = 0; r->memory && i < r->room; i++)
		free(r->memory[i]);
	free(r->memory);
	free(r->spare);
	keymap_release(&r->by_key);
	rv_buf_release(&r->frame);
	memset(r, 0, sizeof(*r));
	r->fd = -1;
	rv_buf_init(&r->frame, 0);
}

uint32_t records_reserve(struct records *r)
{
	uint32_t step = (uint32_t)rv_min_u64(r->room ? r->room : RECORD_STEP, RECORDS_MAX - r->room);

	if (!r->spare_count && (!step || grow(r, step)))
		return RECORD_NONE;
	return r->spare[--r->spare_count];
}

void records_unreserve(struct records *r, uint32_t place)
{
	if (place != RECORD_NONE)
		r->spare[r->spare_count++] = place;
}

int records_write(struct records *r, uint32_t place, const struct warden_exited *exited)
{
	struct warden_exited lean = *exited;
	struct rv_buf *b = &r->frame;
	uint32_t bytes;
	uint64_t hash;

	lean.stdout_tail = lean.stderr_tail = rv_str(NULL, 0);
	rv_buf_reset(b);
	rv_buf_put_u64(b, 0);
	rv_buf_put_u64(b, 0);
	if (warden_put_exited(b, &lean) || b->bytes > RECORD_BYTES)
		return -1;
	bytes = (uint32_t)(b->bytes - ENTRY_HEAD);
	hash = rv_hash(0, rv_str(b->at + ENTRY_HEAD, bytes));
	for (int i = 0; i < 4; i++) {
		b->at[i] = (char)(ENTRY_MAGIC >> (8 * i));
		b->at[4 + i] = (char)(bytes >> (8 * i));
	}
	for (int i = 0; i < 8; i++)
		b->at[8 + i] = (char)(hash >> (8 * i));
	if (keymap_put(&r->by_key, exited->key, place))
		return -1;
	if (r->fd < 0) {
		if (!r->memory[place])
			r->memory[place] = malloc(RECORD_BYTES);
		if (!r->memory[place])
			return -1;
		memcpy(r->memory[place], b->at, b->bytes);
		return 0;
	}
	return pwrite(r->fd, b->at, b->bytes, (off_t)place_at(place)) == (ssize_t)b->bytes ? 0 : -1;
}

int records_tell(struct records *r, uint64_t key, struct rv_buf *out)
{
	uint32_t place = keymap_get(&r->by_key, key);
	struct warden_frame f;

	if (place == RV_MAP_NONE || !decode(r, place, &f))
		return -1;
	return warden_put_exited(out, &f.exited);
}

void records_forget(struct records *r, uint64_t key)
{
	uint32_t place = keymap_get(&r->by_key, key);

	if (place == RV_MAP_NONE)
		return;
	keymap_remove(&r->by_key, key);
	r->spare[r->spare_count++] = place;
}

void records_remove_if_empty(struct records *r)
{
	if (r->fd >= 0 && !r->by_key.map.count)
		(void)unlink(r->path);
}

uint32_t records_count(const struct records *r)
{
	return r->by_key.map.count;
}

int records_tell_all(struct records *r, struct rv_buf *out)
{
	int told = 0;

	for (uint32_t place = 0; place < r->room; place++) {
		struct warden_frame f;

		if (!decode(r, place, &f) || keymap_get(&r->by_key, f.exited.key) != place)
			continue;
		if (!warden_put_exited(out, &f.exited))
			told++;
	}
	return told;
}

int records_read(const char *dir, void (*each)(void *arg, const struct warden_exited *exited), void *arg, struct rv_err *err)
{
	struct records r;
	int told = 0;

	if (records_open(&r, dir, RECORDS_READ, err))
		return -1;
	for (uint32_t place = 0; place < r.room; place++) {
		struct warden_frame f;

		if (!decode(&r, place, &f) || keymap_get(&r.by_key, f.exited.key) != place)
			continue;
		each(arg, &f.exited);
		told++;
	}
	records_close(&r);
	return told;
}
