#include "node/printed.h"

#include "common/os/file.h"
#include "node/warden/seglog.h"
#include "node/workspace/namespace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool whole(struct rv_str tail, uint64_t bytes)
{
	return tail.bytes >= bytes;
}

static void put_last(struct rv_buf *out, struct rv_str s, size_t bytes)
{
	if (s.bytes > bytes)
		s = rv_str(s.at + (s.bytes - bytes), bytes);
	rv_buf_put_str(out, s);
}

/* The last `bytes` of a log file of the namespace. */
static bool file_tail(int fd, const char *name, size_t bytes, struct rv_buf *out)
{
	struct stat st;
	off_t at;
	char *room;
	ssize_t n;
	int file;

	if (fd < 0 || rv_file_open_at(fd, name, O_RDONLY, 0, &file, NULL) < 0)
		return false;
	if (fstat(file, &st) < 0) {
		close(file);
		return false;
	}
	at = (uint64_t)st.st_size > bytes ? st.st_size - (off_t)bytes : 0;
	if ((size_t)(st.st_size - at) < bytes)
		bytes = (size_t)(st.st_size - at);
	room = rv_buf_reserve(out, bytes);
	n = room ? pread(file, room, bytes, at) : -1;
	if (n > 0)
		rv_buf_added(out, (size_t)n);
	close(file);
	return n >= 0;
}

static bool read_stdout(const struct node_printed *p, size_t bytes, struct rv_buf *out)
{
	const struct warden_exited *e = p->exited;

	if (e->place.kind == WARDEN_OUTPUT_FILES)
		return file_tail(p->namespace_fd, NODE_DIR_LOGS "/stdout.log", bytes, out);
	return e->place.kind == WARDEN_OUTPUT_LOG && *p->log_dir && seglog_tail(p->log_dir, e->log_id, 0, bytes, out, NULL) == 0;
}

void node_printed_stdout(const struct node_printed *p, enum node_printed_want want, size_t bytes, struct rv_buf *out)
{
	const struct warden_exited *e = p->exited;
	size_t before = out->bytes;
	bool enough = whole(e->stdout_tail, e->place.stdout_bytes);

	if (!enough && want == NODE_PRINTED_LAST_LINE && e->stdout_tail.bytes > 1)
		enough = memchr(e->stdout_tail.at, '\n', e->stdout_tail.bytes - 1); /* its last line is whole */
	if (enough || !read_stdout(p, bytes, out) || out->bytes == before)
		put_last(out, e->stdout_tail, bytes);
}

/* --- both streams ------------------------------------------------------------------------------------------------- */

struct gather {
	struct rv_buf *out;
	size_t before, bytes;
};

/* Keeps twice the bytes at most, so that moving them down costs little. */
static int gather_piece(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	struct gather *g = arg;

	(void)stream, (void)offset;
	put_last(g->out, bytes, g->bytes);
	if (g->out->bytes - g->before > 2 * g->bytes) {
		size_t drop = g->out->bytes - g->before - g->bytes;

		memmove(g->out->at + g->before, g->out->at + g->before + drop, g->bytes);
		g->out->bytes = g->before + g->bytes;
		g->out->at[g->out->bytes] = '\0';
	}
	return 0;
}

static void cut_to(struct rv_buf *out, size_t before, size_t bytes)
{
	size_t drop;

	if (out->bytes - before <= bytes)
		return;
	drop = out->bytes - before - bytes;
	memmove(out->at + before, out->at + before + drop, bytes);
	out->bytes = before + bytes;
	out->at[out->bytes] = '\0';
}

static bool log_tail(const struct node_printed *p, size_t bytes, struct rv_buf *out)
{
	struct gather g = { .out = out, .before = out->bytes, .bytes = bytes };
	struct seglog_entry entry;

	if (!*p->log_dir || seglog_find(p->log_dir, p->exited->log_id, &entry, NULL) != 1)
		return false;
	(void)seglog_read(p->log_dir, &entry, gather_piece, &g, NULL); /* what could be read counts */
	cut_to(out, g.before, bytes);
	return true;
}

void node_printed_tail(const struct node_printed *p, size_t bytes, struct rv_buf *out)
{
	const struct warden_exited *e = p->exited;
	size_t before = out->bytes;
	bool both = whole(e->stdout_tail, e->place.stdout_bytes) && whole(e->stderr_tail, e->place.stderr_bytes);

	if (!both && e->place.kind == WARDEN_OUTPUT_LOG && log_tail(p, bytes, out) && out->bytes > before)
		return;
	if (!both && e->place.kind == WARDEN_OUTPUT_FILES) {
		bool any = file_tail(p->namespace_fd, NODE_DIR_LOGS "/stdout.log", bytes, out);

		any |= file_tail(p->namespace_fd, NODE_DIR_LOGS "/stderr.log", bytes / 2, out);
		cut_to(out, before, bytes);
		if (any && out->bytes > before)
			return;
	}
	put_last(out, e->stdout_tail, bytes);
	put_last(out, e->stderr_tail, bytes);
	cut_to(out, before, bytes);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool node_contains_word(struct rv_str text, struct rv_str pattern)
{
	for (size_t at = 0; pattern.bytes && at + pattern.bytes <= text.bytes; at++) {
		size_t i = 0;

		while (i < pattern.bytes && lower(text.at[at + i]) == lower(pattern.at[i]))
			i++;
		if (i == pattern.bytes)
			return true;
	}
	return false;
}
