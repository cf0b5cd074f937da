#include "node/logread.h"

#include "common/limits.h"
#include "common/os/file.h"
#include "node/warden/caplog.h"
#include "node/warden/seglog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of each stream that were given; of both, stdout's stand in the upper half of the number. A stream that is longer than half a number
 * can say ends for those who read both; what is left of it is read as one stream. */
#define HALF_BITS 32u
#define BOTH_BYTES_MAX (UINT32_MAX - 1) /* so that no position is UINT64_MAX, which asks for the last bytes */
#define BOTH_OVER "\n[reeve: more than 4 GiB in one stream: the rest stays on its node]\n"

struct reading {
	uint64_t seen[2];
	bool wanted[2];
	size_t left;
	struct rv_buf *room;
	bool cut;      /* there is more than `left` allowed */
	uint64_t most; /* no position of a stream is behind this one */
	bool over;     /* there is more than that */
};

static void seen_from(const struct proto_log_wanted *w, struct reading *r)
{
	if (w->stream == 3) {
		r->seen[0] = w->offset >> HALF_BITS;
		r->seen[1] = w->offset & UINT32_MAX;
	} else {
		r->seen[w->stream - 1] = w->offset;
	}
}

static uint64_t position(const struct proto_log_wanted *w, const struct reading *r)
{
	if (w->stream != 3)
		return r->seen[w->stream - 1];
	return rv_min_u64(r->seen[0], BOTH_BYTES_MAX) << HALF_BITS | rv_min_u64(r->seen[1], BOTH_BYTES_MAX);
}

/* The last bytes: of both streams each has half, or what the other does not need. */
static void seen_last(const struct proto_log_wanted *w, const uint64_t bytes[2], struct reading *r)
{
	uint64_t most[2] = { w->bytes_max, w->bytes_max };

	if (w->stream == 3) {
		uint64_t half = w->bytes_max / 2;

		most[0] = rv_max_u64(half, rv_sat_sub(w->bytes_max, bytes[1]));
		most[1] = w->bytes_max - rv_min_u64(most[0], bytes[0]);
	}
	for (int i = 0; i < 2; i++)
		r->seen[i] = rv_sat_sub(bytes[i], most[i]);
}

/* Takes what fits; not 0 once nothing more does. The stream goes on at `to`; a marker, which stands for more or fewer bytes than it has, is
 * taken whole, or what fits of it where nothing else came. */
static int take(struct reading *r, int stream, struct rv_str bytes, uint64_t to)
{
	bool marker = to - bytes.bytes != r->seen[stream];
	size_t n;

	if (to > r->most) {
		bytes.bytes = marker ? 0 : (size_t)rv_sat_sub(r->most, r->seen[stream]);
		to = r->most;
		r->over = true;
	}
	n = (size_t)rv_min_u64(bytes.bytes, r->left);
	r->cut |= n < bytes.bytes;
	if (marker && n < bytes.bytes && r->room->bytes)
		return r->cut;
	(void)rv_buf_put(r->room, bytes.at, n);
	r->seen[stream] = marker ? to : r->seen[stream] + n;
	r->left -= n;
	return r->cut || r->over;
}

/* --- the shared log ------------------------------------------------------------------------------------------------------- */

static int piece(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	struct reading *r = arg;

	return r->wanted[stream] ? take(r, stream, bytes, offset + bytes.bytes) : 0;
}

static int read_shared(const char *log_dir, const struct proto_log_wanted *w, struct reading *r, bool *there, struct rv_err *err)
{
	struct warden_log_id id = { .run = w->run, .unit = w->unit, .attempt = w->attempt };
	struct seglog_entry entry;
	uint64_t seen[2];
	int found;

	if (!log_dir[0] || access(log_dir, F_OK) < 0)
		return 0;
	found = seglog_find(log_dir, id, &entry, err);
	if (found <= 0)
		return found;
	*there = true;
	if (w->offset == UINT64_MAX)
		seen_last(w, entry.bytes, r);
	memcpy(seen, r->seen, sizeof(seen));
	for (int i = 0; i < 2; i++)
		if (!r->wanted[i])
			seen[i] = INT64_MAX / 2; /* past the end of any */
	return seglog_follow(log_dir, &entry, seen, piece, r, err) < 0 ? -1 : 0;
}

/* --- a namespace's ---------------------------------------------------------------------------------------------------------- */

struct place {
	int dir;
	const char *name;
};

/* The unit may write there: what is no plain file is none, and a FIFO must not hold us up. */
static int open_log(void *arg, const char *suffix)
{
	const struct place *p = arg;
	char name[64];
	struct stat st;
	int fd;

	(void)snprintf(name, sizeof(name), "%s%s", p->name, suffix);
	if (rv_file_open_at(p->dir, name, O_RDONLY | O_NONBLOCK, 0, &fd, NULL) < 0)
		return -1;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int read_file(struct caplog *log, int stream, struct reading *r, struct rv_err *err)
{
	struct caplog_piece p;
	char bytes[16384];
	int rc;

	while ((rc = caplog_next(log, r->seen[stream], bytes, sizeof(bytes), &p)) > 0)
		if (take(r, stream, p.bytes, p.to))
			return 0;
	return rc < 0 ? rv_fail_errno(err, errno, "cannot read the log of an attempt") : 0;
}

static int read_files(int dir, const struct proto_log_wanted *w, struct reading *r, bool *there, struct rv_err *err)
{
	static const char *const names[2] = { NODE_DIR_LOGS "/stdout.log", NODE_DIR_LOGS "/stderr.log" };
	uint64_t bytes[2] = { 0, 0 };
	struct caplog logs[2];
	int rc = 0;

	for (int i = 0; i < 2; i++) {
		if (caplog_open(&logs[i], open_log, &(struct place){ dir, names[i] }) < 0)
			continue;
		bytes[i] = logs[i].end;
		*there = true;
	}
	if (w->offset == UINT64_MAX)
		seen_last(w, bytes, r);
	for (int i = 0; i < 2; i++) {
		if (logs[i].fd >= 0 && r->wanted[i] && rc == 0 && !r->cut)
			rc = read_file(&logs[i], i, r, err);
		caplog_close(&logs[i]);
	}
	return rc;
}

static int read_namespaces(struct node_places *p, const struct proto_log_wanted *w, struct reading *r, bool *there, struct rv_err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i <= p->count && rc == 0 && !*there; i++) {
		struct node_place *place = i < p->count ? p->items[i] : &p->own;
		int fd;

		if (!place->namespaces.root.bytes || node_namespace_open(&place->namespaces, w->run, w->unit_id, w->attempt, &fd, NULL) < 0)
			continue;
		rc = read_files(fd, w, r, there, err);
		close(fd);
	}
	return rc;
}

/* --- both --------------------------------------------------------------------------------------------------------------------- */

int node_log_read(const char *log_dir, struct node_places *places, const struct proto_log_wanted *w, bool runs, struct rv_buf *room,
		  struct proto_log_piece *out, struct rv_err *err)
{
	struct reading r = { .left = rv_min_u64(w->bytes_max, PROTO_PIECE_BYTES_MAX), .room = room, .most = RV_NEVER };
	bool there = false;

	*out = (struct proto_log_piece){ .request = w->request, .attempt = w->attempt };
	rv_buf_reset(room);
	r.wanted[0] = w->stream & 1;
	r.wanted[1] = w->stream & 2;
	if (w->offset != UINT64_MAX)
		seen_from(w, &r);
	if (w->offset != UINT64_MAX && w->stream == 3)
		r.most = BOTH_BYTES_MAX;
	if (read_shared(log_dir, w, &r, &there, err) < 0 || (!there && read_namespaces(places, w, &r, &there, err) < 0))
		return -1;
	if (room->failed)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a log");
	out->known = there || runs;
	r.over &= !r.cut; /* what there is room for in a number is read first */
	if (r.over && r.left >= strlen(BOTH_OVER))
		(void)rv_buf_puts(room, BOTH_OVER);
	out->ended = (!runs || r.over) && !r.cut;
	out->bytes = rv_buf_str(room);
	out->next = there ? position(w, &r) : w->offset == UINT64_MAX ? 0 : w->offset;
	/* of the last bytes of both streams together there is no single offset of the first one */
	if (w->offset != UINT64_MAX)
		out->offset = w->offset;
	else
		out->offset = w->stream == 3 ? out->next : rv_sat_sub(out->next, room->bytes);
	return 0;
}
