/* logs.c - what an attempt printed, wherever it lies */
#include "cli/logs.h"

#include "cli/layout.h"
#include "common/os/file.h"
#include "node/warden/caplog.h"
#include "node/warden/seglog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)

int cli_logs_init(struct cli_logs *l, struct cli_runview *view, uint32_t unit, uint32_t attempt, struct rv_err *err)
{
	static const char *const names[] = { "stdout.log", "stderr.log" };
	char room[COORD_UNIT_ID_BYTES], space[PATH_MAX];
	int i;

	*l = (struct cli_logs){ .view = view, .unit = unit, .attempt = attempt };
	if (cli_runview_remote(view))
		return 0;
	if (cli_runview_namespace(view, cli_tally_unit_id(&view->tally, unit, room), attempt, space, err))
		return -1;
	for (i = 0; i < 2; i++)
		if ((size_t)snprintf(l->files[i], sizeof(l->files[i]), "%s/logs/%s", space, names[i]) >= sizeof(l->files[i]))
			return rv_fail(err, RV_E_LIMIT, "the path %s is too long", space);
	if ((size_t)snprintf(l->log_dir, sizeof(l->log_dir), "%s/%s/log", view->dir, CLI_DIR_NODE) >= sizeof(l->log_dir))
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", view->dir);
	return 0;
}

/* --- files of a namespace ---------------------------------------------------------------------------------------------- */

int cli_logs_open_plain(void *arg, const char *suffix)
{
	char path[PATH_MAX + sizeof(CAPLOG_TAIL_SUFFIX)];
	char *name, *logs = NULL;
	int dir, fd = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", (const char *)arg, suffix) >= sizeof(path))
		return -1;
	name = strrchr(path, '/');
	if (name) {
		*name = '\0';
		logs = strrchr(path, '/');
		*name = '/';
	}
	if (!logs)
		return -1;
	*logs = '\0';
	if (rv_dir_open(path, &dir, NULL))
		return -1;
	if (rv_file_open_at(dir, logs + 1, O_RDONLY, 0, &fd, NULL))
		fd = -1;
	(void)close(dir);
	return fd;
}

static int read_file(struct cli_logs *l, int stream, bool *there, struct rv_err *err)
{
	char room[READ_BYTES];
	struct caplog_piece p;
	struct caplog log;
	int any = 0, rc;

	if (caplog_open(&log, cli_logs_open_plain, l->files[stream]) < 0)
		return 0;
	*there = true;
	while ((rc = caplog_next(&log, l->seen[stream], room, sizeof(room), &p)) > 0) {
		l->piece(l->arg, stream, p.bytes);
		l->seen[stream] = p.to;
		any = 1;
	}
	if (rc < 0)
		any = rv_fail_errno(err, errno, "cannot read %s", l->files[stream]);
	caplog_close(&log);
	return any;
}

static int read_files(struct cli_logs *l, bool *there, struct rv_err *err)
{
	int out = read_file(l, 0, there, err), more = out < 0 ? -1 : read_file(l, 1, there, err);

	return more < 0 ? -1 : out | more;
}

/* --- the shared log ------------------------------------------------------------------------------------------------------ */

struct passing {
	struct cli_logs *logs;
	int any;
};

static int pass(void *arg, int stream, uint64_t offset, struct rv_str bytes)
{
	struct passing *p = arg;

	(void)offset;
	p->logs->piece(p->logs->arg, stream, bytes);
	p->any = 1;
	return 0;
}

static int read_shared(struct cli_logs *l, bool *there, struct rv_err *err)
{
	struct warden_log_id id = { .run = l->view->tally.run, .unit = l->unit, .attempt = l->attempt };
	struct passing p = { .logs = l };
	struct seglog_entry entry;
	int found;

	if (access(l->log_dir, F_OK))
		return 0;
	found = seglog_find(l->log_dir, id, &entry, err);
	if (found <= 0)
		return found;
	*there = true;
	return seglog_follow(l->log_dir, &entry, l->seen, pass, &p, err) < 0 ? -1 : p.any;
}

/* --- the journal's tail ---------------------------------------------------------------------------------------------------- */

static int read_tail(struct cli_logs *l, struct rv_err *err)
{
	const struct cli_unit *u = &l->view->tally.units[l->unit];
	struct cli_details d;
	struct rv_buf b;
	int rc = 0;

	cli_tally_details(&l->view->tally, l->unit, &d);
	if (l->seen[0] || u->attempt != l->attempt || d.tail.kind == PROTO_VALUE_NONE)
		return 0;
	rv_buf_init(&b, 0);
	if (d.tail.kind == PROTO_VALUE_INLINE)
		(void)rv_buf_put_str(&b, d.tail.inline_bytes);
	else
		rc = rv_blobs_get_all(&l->view->blobs, d.tail.digest, RV_LOG_TAIL_BYTES, &b, err);
	if (rc == 0 && b.bytes) {
		l->piece(l->arg, 0, rv_buf_str(&b));
		l->seen[0] = b.bytes;
		rc = 1;
	}
	rv_buf_release(&b);
	return rc;
}

/* --- a coordinator ---------------------------------------------------------------------------------------------------------- */

/* Once if it may wait, else until it has nothing new. */
static int read_remote(struct cli_logs *l, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_LOG }, answer;
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(&l->view->tally, l->unit, room);
	int any = 0;

	do {
		const struct proto_log_piece *p = &answer.log_piece;

		request.log = (struct proto_log){ .run = l->view->tally.run, .unit = id, .attempt = l->attempt, .stream = 3, .offset = l->seen[0],
						  .bytes_max = PROTO_PIECE_BYTES_MAX, .wait_ms = l->wait_ms };
		if (cli_client_call(l->view->remote.client, &request, PROTO_LOG_BYTES, &answer, err))
			return -1;
		if (!p->known) {
			(void)rv_fail(err, RV_E_NOT_FOUND, "what attempt %u of unit \"%.*s\" printed cannot be had", l->attempt, RV_STR_ARGS(id));
			return rv_hint(err, "its node, which keeps it, is away or does not answer; of a failed attempt it would have left the last 64 KiB");
		}
		if (p->next < l->seen[0] || (p->next == l->seen[0] && p->bytes.bytes && !p->ended))
			return rv_fail(err, RV_E_CORRUPT, "the log of unit \"%.*s\" does not go on", RV_STR_ARGS(id));
		l->ended = p->ended;
		l->tail_only |= p->tail_only && p->bytes.bytes;
		l->seen[0] = p->next;
		if (!p->bytes.bytes)
			break;
		any = 1;
		l->piece(l->arg, 0, p->bytes);
	} while (!l->ended && !l->wait_ms);
	return any;
}

int cli_logs_read(struct cli_logs *l, struct rv_err *err)
{
	bool there = false;
	int rc;

	if (cli_runview_remote(l->view))
		return read_remote(l, err);
	rc = read_files(l, &there, err);

	if (!there && rc == 0)
		rc = read_shared(l, &there, err);
	if (!there && rc == 0)
		rc = read_tail(l, err);
	return rc;
}
