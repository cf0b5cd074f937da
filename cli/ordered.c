#include "cli/ordered.h"

#include "cli/error.h"
#include "cli/logs.h"
#include "cli/out.h"
#include "cli/render.h"
#include "cli/text.h"
#include "common/limits.h"
#include "common/os/signals.h"
#include "node/warden/caplog.h"
#include "node/warden/seglog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LOOK_US = 100000,         /* between looks into the log of a head that runs */
	RETRY_US_MIN = 1000,      /* a reader that takes nothing is asked again, less and less often */
	RETRY_US_MAX = 50000,
	PIPE_WRITE_BYTES = 4096,  /* PIPE_BUF: what poll() says a pipe takes without waiting */
	HELD_BYTES_MAX = 1 << 16, /* gathered before it is written */
	TURN_UNITS_MAX = 4096,    /* shown in one turn of the loop */
	END_WAIT_MS = 100,
};

enum mark {
	TOLD = 1, /* ended, not durable yet */
	OWED = 2, /* ended, to be shown */
};

/* stdout or stderr. */
struct sink {
	int fd;
	int failed;          /* errno of the first write that failed: no more is written */
	bool plain;          /* a file: writing does not wait */
	bool terminal;
	struct cli_text text;
	struct rv_buf held;  /* on its way */
	bool inside;         /* of a line: the last byte was no newline */
};

struct cli_ordered {
	struct cli_ordered_config cfg;
	const struct cli_tally *tally;
	struct cli_statusline *line;
	struct sink sink[2];
	uint8_t *mark;           /* by unit */
	struct rv_buf told;      /* u32 units with TOLD */
	uint32_t head;
	uint32_t owed_before;    /* units before the head that are OWED: tried again after their turn */
	uint64_t look_us;        /* the running head's log is not looked at before */
	uint32_t seen_unit, seen_attempt; /* whose bytes `seen` counts */
	uint64_t seen[2];
	uint64_t retry_us;       /* how long the next wait for a slow reader is */
	bool settling;           /* what is shown now is the rest of a unit that is over */
	uint32_t cut, lost;      /* units whose output is not whole: by log_max_mb; because it could not be kept or read */
	int index_fd;            /* of the shared log; -1: not there yet */
	uint64_t index_read;     /* entries of it that `place` knows */
	uint32_t *place;         /* by unit: number of its newest entry + 1; 0: none. NULL until there is an index */
};

/* --- life ------------------------------------------------------------------------------------------------------------- */

static void sink_init(struct sink *s, int fd)
{
	struct stat st;

	*s = (struct sink){ .fd = fd };
	s->terminal = cli_is_tty(fd);
	s->plain = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	rv_buf_init(&s->held, 0);
	cli_text_init(&s->text, CLI_TEXT_LINES);
}

int cli_ordered_create(const struct cli_ordered_config *cfg, const struct cli_tally *tally, struct cli_statusline *line, struct cli_ordered **out,
		       struct rv_err *err)
{
	struct cli_ordered *o = calloc(1, sizeof *o);

	if (o) {
		o->mark = calloc(tally->count + 1u, 1);
		o->cfg = *cfg;
		o->tally = tally;
		o->line = line;
		o->index_fd = -1;
		o->seen_unit = COORD_NONE;
		o->retry_us = RETRY_US_MIN;
		sink_init(&o->sink[0], STDOUT_FILENO);
		sink_init(&o->sink[1], STDERR_FILENO);
		rv_buf_init(&o->told, 0);
	}
	if (!o || !o->mark) {
		cli_ordered_destroy(&o);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the order of %u units", tally->count);
	}
	*out = o;
	return 0;
}

void cli_ordered_destroy(struct cli_ordered **op)
{
	struct cli_ordered *o = *op;

	if (!o)
		return;
	if (o->index_fd >= 0)
		(void)close(o->index_fd);
	for (int i = 0; i < 2; i++)
		rv_buf_release(&o->sink[i].held);
	rv_buf_release(&o->told);
	free(o->mark);
	free(o->place);
	free(o);
	*op = NULL;
}

/* --- writing ------------------------------------------------------------------------------------------------------------ */

/* Of a terminal only whole lines leave, so that the status line stands between them. */
static size_t ready_bytes(const struct sink *s)
{
	const char *last;

	if (!s->terminal)
		return s->held.bytes;
	last = memrchr(s->held.at, '\n', s->held.bytes);
	if (last)
		return (size_t)(last - s->held.at) + 1;
	return s->held.bytes >= HELD_BYTES_MAX ? s->held.bytes : 0;
}

static bool takes_more(const struct sink *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	return s->plain || (poll(&p, 1, 0) == 1 && p.revents);
}

/* Writes what the reader takes now. false: some is left. */
static bool sink_drain(struct cli_ordered *o, struct sink *s)
{
	size_t ready = s->failed ? 0 : ready_bytes(s), done = 0;

	if (s->failed)
		rv_buf_reset(&s->held);
	if (s->terminal && ready) {
		cli_statusline_print(o->line, s->fd, rv_str(s->held.at, ready));
		done = ready;
	}
	while (done < ready && takes_more(s)) {
		size_t bytes = s->plain ? ready - done : rv_min_u64(ready - done, PIPE_WRITE_BYTES);
		ssize_t n = write(s->fd, s->held.at + done, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			s->failed = errno;
			rv_buf_reset(&s->held);
			return true;
		}
		done += (size_t)n;
	}
	if (done)
		o->retry_us = RETRY_US_MIN;
	rv_buf_consume(&s->held, done);
	return done == ready;
}

static bool drain_both(struct cli_ordered *o)
{
	bool out = sink_drain(o, &o->sink[0]);

	return sink_drain(o, &o->sink[1]) && out;
}

/* What a unit said. 1: no more for now, the reader is slow. */
static int show(struct cli_ordered *o, int stream, struct rv_str bytes)
{
	struct sink *s = &o->sink[stream], *other = &o->sink[!stream];

	if (!bytes.bytes)
		return 0;
	if (other->held.bytes)
		(void)sink_drain(o, other); /* both may be the same pipe: what came first leaves first */
	if (s->failed)
		return 0;
	s->inside = bytes.at[bytes.bytes - 1] != '\n';
	if (s->terminal)
		cli_text_feed(&s->text, bytes, &s->held);
	else
		(void)rv_buf_put_str(&s->held, bytes);
	if (s->held.failed)
		s->failed = ENOMEM;
	return s->held.bytes >= HELD_BYTES_MAX && !sink_drain(o, s);
}

/* A unit is over: on a terminal the next one begins a line of its own. */
static void end_unit(struct cli_ordered *o)
{
	for (int i = 0; i < 2; i++) {
		struct sink *s = &o->sink[i];

		if (s->terminal)
			cli_text_end(&s->text, &s->held);
		if (s->terminal && s->inside)
			(void)rv_buf_putc(&s->held, '\n');
		s->inside = false;
	}
}

/* --- where it lies -------------------------------------------------------------------------------------------------------- */

/* Takes up what the index has new. */
static void read_index(struct cli_ordered *o)
{
	struct seglog_entry e;
	char path[PATH_MAX];

	if (o->index_fd < 0 && (size_t)snprintf(path, sizeof path, "%s/index", o->cfg.log_dir) < sizeof path)
		o->index_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (o->index_fd < 0)
		return;
	if (!o->place)
		o->place = calloc(o->tally->count + 1u, sizeof *o->place);
	while (o->place && seglog_entry_at(o->index_fd, o->index_read, &e) == 1) {
		o->index_read++;
		if (e.id.run == o->tally->run && e.id.unit < o->tally->count && o->index_read <= UINT32_MAX)
			o->place[e.id.unit] = (uint32_t)o->index_read;
	}
}

static int shared_piece(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	(void)offset;
	return show(arg, stream, bytes);
}

/* Was all of it kept? While a unit runs nobody can tell. */
static void count_missing(struct cli_ordered *o, uint32_t flags)
{
	if (!o->settling)
		return;
	o->lost += (flags & SEGLOG_LOST) != 0;
	o->cut += (flags & SEGLOG_TRUNCATED) && !(flags & SEGLOG_LOST);
}

/* 1: there is more than the reader takes now; 0: all that is there; -1: nothing there. */
static int show_shared(struct cli_ordered *o, uint32_t unit, uint32_t attempt)
{
	struct seglog_entry e;
	int rc;

	read_index(o);
	if (!o->place || !o->place[unit] || seglog_entry_at(o->index_fd, o->place[unit] - 1u, &e) != 1 || e.id.attempt != attempt)
		return -1;
	rc = seglog_follow(o->cfg.log_dir, &e, o->seen, shared_piece, o, NULL);
	if (rc != 1)
		count_missing(o, rc < 0 ? SEGLOG_LOST : e.flags);
	return rc == 1;
}

static int show_file(struct cli_ordered *o, uint32_t unit, uint32_t attempt, int stream)
{
	static const char *const names[] = { "stdout.log", "stderr.log" };
	char room[COORD_UNIT_ID_BYTES], path[PATH_MAX], bytes[4096];
	struct rv_str id = cli_tally_unit_id(o->tally, unit, room);
	struct caplog_piece p = { .marker = false };
	struct caplog log;
	int stop = 0, rc = 1;

	if ((size_t)snprintf(path, sizeof path, "%s/%.*s/%u/logs/%s", o->cfg.namespaces, RV_STR_ARGS(id), attempt, names[stream]) >= sizeof path ||
	    caplog_open(&log, cli_logs_open_plain, path) < 0)
		return 0;
	while (!stop && (rc = caplog_next(&log, o->seen[stream], bytes, sizeof bytes, &p)) > 0) {
		o->seen[stream] = p.to;
		o->cut += p.marker;
		stop = show(o, stream, p.bytes);
	}
	o->lost += o->settling && rc < 0;
	caplog_close(&log);
	return stop;
}

/* What an attempt has printed and was not shown yet. 1: there is more than the reader takes now. */
static int show_printed(struct cli_ordered *o, uint32_t unit, uint32_t attempt)
{
	int rc;

	if (!attempt)
		return 0;
	if (o->seen_unit != unit || o->seen_attempt != attempt) {
		o->seen_unit = unit;
		o->seen_attempt = attempt;
		o->seen[0] = o->seen[1] = 0;
	}
	rc = show_shared(o, unit, attempt);
	if (rc < 0 && o->cfg.namespaces)
		rc = show_file(o, unit, attempt, 0) || show_file(o, unit, attempt, 1);
	return rc > 0;
}

static void show_value(struct cli_ordered *o, uint32_t unit, struct rv_blobs *blobs)
{
	struct cli_details d;
	struct rv_buf b;

	cli_tally_details(o->tally, unit, &d);
	rv_buf_init(&b, 0);
	if (d.output.kind == PROTO_VALUE_INLINE)
		(void)rv_buf_put_str(&b, d.output.inline_bytes);
	else if (d.output.kind == PROTO_VALUE_BLOB && blobs)
		(void)rv_blobs_get_all(blobs, d.output.digest, (size_t)d.output.blob_bytes, &b, NULL); /* gone: nothing to show */
	if (b.bytes && b.at[b.bytes - 1] != '\n')
		(void)rv_buf_putc(&b, '\n');
	(void)show(o, 0, rv_buf_str(&b));
	rv_buf_release(&b);
}

/* --- whose turn it is --------------------------------------------------------------------------------------------------------- */

void cli_ordered_finished(struct cli_ordered *o, uint32_t unit)
{
	if (unit >= o->tally->count || o->mark[unit] & TOLD)
		return;
	o->mark[unit] |= TOLD;
	if (rv_buf_put(&o->told, &unit, sizeof unit))
		o->sink[0].failed = ENOMEM;
}

void cli_ordered_durable(struct cli_ordered *o)
{
	for (size_t at = 0; at < o->told.bytes; at += sizeof(uint32_t)) {
		uint32_t unit;

		memcpy(&unit, o->told.at + at, sizeof unit);
		if (unit < o->head && !(o->mark[unit] & OWED))
			o->owed_before++;
		o->mark[unit] = OWED;
	}
	rv_buf_reset(&o->told);
}

/* The rest of a unit that has ended; false: the reader has to take some first. */
static bool settle(struct cli_ordered *o, uint32_t unit, struct rv_blobs *blobs)
{
	bool slow = false;

	o->settling = true;
	if (o->cfg.what == CLI_ORDERED_VALUES)
		show_value(o, unit, blobs);
	else
		slow = show_printed(o, unit, o->tally->units[unit].attempt);
	o->settling = false;
	if (slow)
		return false;
	end_unit(o);
	o->mark[unit] &= (uint8_t)~OWED;
	return true;
}

/* Shows the head and goes on to the next while it can. true: the reader is slow. */
static bool advance(struct cli_ordered *o, struct rv_blobs *blobs, uint64_t now_us)
{
	for (int shown = 0; o->head < o->tally->count && shown < TURN_UNITS_MAX; shown++) {
		const struct cli_unit *u = &o->tally->units[o->head];

		if (o->mark[o->head] & OWED) {
			if (!settle(o, o->head, blobs))
				return true;
		} else if (!cli_unit_ended(u) || o->mark[o->head] & TOLD) {
			break;
		}
		o->head++;
		o->look_us = now_us + LOOK_US;
		if (o->sink[0].held.bytes >= HELD_BYTES_MAX && !drain_both(o))
			return true;
	}
	return false;
}

/* The head runs: what it has printed so far. */
static bool look(struct cli_ordered *o, uint64_t now_us)
{
	const struct cli_unit *u = &o->tally->units[o->head];

	if (o->cfg.settled_only || o->cfg.what == CLI_ORDERED_VALUES || now_us < o->look_us || u->state != COORD_UNIT_ACTIVE)
		return false;
	o->look_us = now_us + LOOK_US;
	return show_printed(o, o->head, u->attempt) != 0;
}

static uint64_t wait_for_reader(struct cli_ordered *o, uint64_t now_us)
{
	uint64_t until = now_us + o->retry_us;

	o->retry_us = rv_min_u64(2 * o->retry_us, RETRY_US_MAX);
	return until;
}

uint64_t cli_ordered_turn(struct cli_ordered *o, struct rv_blobs *blobs, uint64_t now_us)
{
	bool slow = !drain_both(o);

	if (!slow)
		slow = advance(o, blobs, now_us);
	if (!slow && o->head < o->tally->count)
		slow = look(o, now_us);
	if (!drain_both(o) || slow) {
		o->look_us = now_us;
		return wait_for_reader(o, now_us);
	}
	if (o->head == o->tally->count || o->cfg.settled_only || o->cfg.what == CLI_ORDERED_VALUES)
		return RV_NEVER;
	if (o->mark[o->head] & OWED)
		return now_us; /* more of them than one turn shows */
	return o->tally->units[o->head].state == COORD_UNIT_ACTIVE ? o->look_us : RV_NEVER;
}

/* --- the end ------------------------------------------------------------------------------------------------------------------- */

/* Waits for the readers of what is held. */
static void wait_for_both(const struct cli_ordered *o)
{
	struct pollfd p[2];
	nfds_t count = 0;

	for (int i = 0; i < 2; i++)
		if (ready_bytes(&o->sink[i]))
			p[count++] = (struct pollfd){ .fd = o->sink[i].fd, .events = POLLOUT };
	if (count)
		(void)poll(p, count, END_WAIT_MS);
}

/* One that was tried again after its turn: after all others. false: the reader is slow. */
static bool show_owed_before(struct cli_ordered *o, struct rv_blobs *blobs)
{
	for (uint32_t unit = 0; o->owed_before && unit < o->head; unit++) {
		if (!(o->mark[unit] & OWED))
			continue;
		if (!settle(o, unit, blobs))
			return false;
		o->owed_before--;
	}
	return true;
}

int cli_ordered_end(struct cli_ordered *o, struct rv_blobs *blobs, struct rv_err *err)
{
	bool done = false;

	cli_ordered_durable(o);
	while (!done) {
		uint32_t before = o->head;
		bool slow = !drain_both(o) || advance(o, blobs, 0);

		done = !slow && o->head == before && show_owed_before(o, blobs) && drain_both(o);
		if (done)
			break;
		if (rv_signals_waiting())
			return 1;
		if (slow || o->head == before)
			wait_for_both(o);
	}
	if (o->sink[0].failed)
		return rv_fail_errno(err, o->sink[0].failed, "cannot write to standard output");
	if (o->cut)
		cli_say("log_max_mb left out some of what %u unit%s printed; a line says where", o->cut, cli_s(o->cut));
	if (o->lost)
		return rv_fail(err, RV_E_IO, "what %u unit%s printed is not whole: it could not be kept (a full disk?), or read", o->lost, cli_s(o->lost));
	return 0;
}
