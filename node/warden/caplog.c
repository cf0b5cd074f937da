#include "caplog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARKER_BEFORE "\n[reeve: "
#define MARKER_AFTER " bytes left out here]\n"
#define DIGITS_MAX 20u
/* A reader that is overtaken so often while it reads is given the marker, and comes again. */
#define OVERTAKEN_MAX 8

size_t caplog_marker(char room[CAPLOG_MARKER_BYTES_MAX], uint64_t missing)
{
	return (size_t)snprintf(room, CAPLOG_MARKER_BYTES_MAX, MARKER_BEFORE "%llu" MARKER_AFTER, (unsigned long long)missing);
}

static ssize_t read_at(int fd, void *room, size_t bytes, uint64_t at)
{
	ssize_t n;

	do
		n = at > INT64_MAX ? 0 : pread(fd, room, bytes, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

/* 0: it is no ring, or not yet. */
static bool read_head(int fd, struct caplog_head *h)
{
	return read_at(fd, h, sizeof(*h), 0) == (ssize_t)sizeof(*h) && !memcmp(h->magic, CAPLOG_MAGIC, sizeof(h->magic)) && h->half &&
	       h->half <= INT64_MAX / 4 && h->done >= h->half && h->begun >= h->done && h->begun <= INT64_MAX;
}

/* --- a file that is finished ------------------------------------------------------------------------------------------------ */

/* The marker stands between two halves that are equally long: at one of few places. */
static void find_marker(struct caplog *l, uint64_t file_bytes)
{
	for (unsigned digits = 1; digits <= DIGITS_MAX; digits++) {
		size_t bytes = strlen(MARKER_BEFORE) + digits + strlen(MARKER_AFTER);
		char text[CAPLOG_MARKER_BYTES_MAX], same[CAPLOG_MARKER_BYTES_MAX];
		uint64_t half, missing;

		if (file_bytes < bytes + 2 || (file_bytes - bytes) % 2)
			continue;
		half = (file_bytes - bytes) / 2;
		if (read_at(l->fd, text, bytes, half) != (ssize_t)bytes || memcmp(text, MARKER_BEFORE, strlen(MARKER_BEFORE)))
			continue;
		text[bytes] = '\0';
		missing = strtoull(text + strlen(MARKER_BEFORE), NULL, 10);
		if (!missing || missing > INT64_MAX / 2 || caplog_marker(same, missing) != bytes || memcmp(text, same, bytes))
			continue;
		l->half = half;
		l->tail_from = half + missing;
		l->tail_at = half + bytes;
		l->end = l->tail_from + half;
		return;
	}
}

static int open_finished(struct caplog *l)
{
	struct stat st;

	if (fstat(l->fd, &st))
		return -1;
	l->half = l->tail_from = l->tail_at = l->end = (uint64_t)st.st_size;
	find_marker(l, (uint64_t)st.st_size);
	return 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------------------ */

/* The ring first: it goes only after the file is whole. Looked for again behind the file's size, as it may have come in between. */
int caplog_open(struct caplog *l, caplog_open_fn *open, void *arg)
{
	struct caplog_head h;

	*l = (struct caplog){ .fd = -1, .ring_fd = -1 };
	for (int look = 0; look < 2; look++) {
		if (l->ring_fd < 0)
			l->ring_fd = open(arg, CAPLOG_TAIL_SUFFIX);
		if (l->ring_fd >= 0 && !read_head(l->ring_fd, &h)) {
			close(l->ring_fd);
			l->ring_fd = -1;
		}
		if (l->fd < 0)
			l->fd = open(arg, "");
		if (l->fd < 0 || (l->ring_fd < 0 && open_finished(l))) {
			caplog_close(l);
			return -1;
		}
		if (l->ring_fd >= 0) {
			l->half = h.half;
			l->end = h.done;
			return 0;
		}
	}
	return 0;
}

void caplog_close(struct caplog *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->ring_fd >= 0)
		close(l->ring_fd);
	l->fd = l->ring_fd = -1;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

static int give_marker(uint64_t from, uint64_t to, char *room, struct caplog_piece *out)
{
	*out = (struct caplog_piece){ .bytes = rv_str(room, caplog_marker(room, to - from)), .from = from, .to = to, .marker = true };
	return 1;
}

static int give(int fd, uint64_t file_at, uint64_t at, char *room, size_t bytes, struct caplog_piece *out)
{
	ssize_t n = read_at(fd, room, bytes, file_at);

	if (n <= 0)
		return (int)n;
	*out = (struct caplog_piece){ .bytes = rv_str(room, (size_t)n), .from = at, .to = at + (uint64_t)n };
	return 1;
}

static int next_of_ring(struct caplog *l, uint64_t at, char *room, size_t room_bytes, struct caplog_piece *out)
{
	struct caplog_head h;
	uint64_t oldest = 0;

	for (int i = 0; i < OVERTAKEN_MAX; i++) {
		uint64_t place;
		int rc;

		if (!read_head(l->ring_fd, &h) || h.half != l->half || at >= h.done)
			return 0;
		oldest = rv_max_u64(l->half, h.begun - l->half);
		if (at < oldest)
			break;
		place = (at - l->half) % l->half;
		rc = give(l->ring_fd, sizeof(h) + place, at, room,
			  rv_min_u64(rv_min_u64(room_bytes, h.done - at), l->half - place), out);
		if (rc <= 0)
			return rc;
		if (!read_head(l->ring_fd, &h))
			return 0;
		oldest = rv_max_u64(l->half, h.begun - l->half);
		if (at >= oldest)
			return 1; /* nothing of it was overwritten meanwhile */
	}
	return give_marker(at, oldest, room, out);
}

int caplog_next(struct caplog *l, uint64_t at, char *room, size_t room_bytes, struct caplog_piece *out)
{
	if (at < l->half)
		return give(l->fd, at, at, room, rv_min_u64(room_bytes, l->half - at), out);
	if (l->ring_fd >= 0)
		return next_of_ring(l, at, room, room_bytes, out);
	if (at < l->tail_from)
		return give_marker(at, l->tail_from, room, out);
	return give(l->fd, l->tail_at + (at - l->tail_from), at, room, room_bytes, out);
}
