#include "cli/live.h"

#include "cli/agentlog.h"
#include "cli/cli.h"
#include "cli/events.h"
#include "cli/hook.h"
#include "cli/joblog.h"
#include "cli/statusline.h"
#include "cli/text.h"
#include "common/check.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TAIL_LINES_SHOWN = 20,       /* of a failed unit's output, with --show failed */
	HELD_BYTES_MAX = 1 << 20,    /* of the event file before it is written, if durable */
};

struct cli_live {
	struct cli_live_config cfg;
	struct rv_blobs *blobs;      /* NULL: not known yet */
	struct cli_tally tally;
	uint64_t began_us;           /* boot time of the run's start; 0: not seen */
	bool tally_ready;
	int events_fd;               /* -1: none */
	struct rv_buf events;        /* lines of rows up to events_position */
	struct rv_buf units;         /* -o jsonl lines */
	int joblog_fd;               /* -1: none */
	struct cli_joblog joblog;
	struct rv_buf jobs;          /* its lines */
	uint64_t position;           /* of the newest line held */
	struct cli_out out;          /* stdout: jsonl */
	struct cli_statusline line;
	bool line_ready;
	struct cli_ordered *ordered; /* NULL but with CLI_SHOW_IN_ORDER */
	int shown_fd;                /* where units' output goes: stdout for people, stderr when stdout is for programs */
	struct rv_buf lines;         /* on their way there */
	struct cli_agentlog agents;  /* what agents print, on its way to lines */
	struct rv_buf readable;
	struct rv_err failed;
	bool has_failed;
};

static void fail(struct cli_live *l, const struct rv_err *err)
{
	if (l->has_failed)
		return;
	l->has_failed = true;
	l->failed = *err;
}

/* summary.json of a run that is not large has everything, too. */
static bool keeps_all(const struct cli_live_config *cfg, bool for_programs)
{
	return for_programs || coord_graph_unit_count(cfg->graph) <= CLI_SUMMARY_UNITS_MAX ||
	       (cfg->show == CLI_SHOW_IN_ORDER && cfg->order.what == CLI_ORDERED_VALUES);
}

static int open_joblog(struct cli_live *l, struct rv_err *err)
{
	struct stat st;

	l->joblog_fd = open(l->cfg.joblog_path, O_WRONLY | O_CREAT | O_CLOEXEC | (l->cfg.joblog_goes_on ? O_APPEND : O_TRUNC), 0666);
	if (l->joblog_fd < 0)
		return rv_fail_errno(err, errno, "cannot write the job log %s", l->cfg.joblog_path);
	if (!l->cfg.joblog_goes_on || (fstat(l->joblog_fd, &st) == 0 && st.st_size == 0))
		cli_joblog_head(&l->jobs);
	return 0;
}

int cli_live_create(const struct cli_live_config *cfg, struct cli_live **out, struct rv_err *err)
{
	struct cli_live *l = calloc(1, sizeof *l);
	bool for_programs = cfg->format == CLI_JSON || cfg->format == CLI_JSONL || cfg->format == CLI_NAME;

	if (!l)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to watch a run");
	l->cfg = *cfg;
	l->events_fd = l->joblog_fd = -1;
	cli_joblog_init(&l->joblog);
	rv_buf_init(&l->jobs, 0);
	rv_buf_init(&l->events, 0);
	rv_buf_init(&l->units, 0);
	cli_out_init(&l->out, STDOUT_FILENO);
	l->shown_fd = for_programs ? STDERR_FILENO : STDOUT_FILENO;
	rv_buf_init(&l->lines, 0);
	rv_buf_init(&l->readable, 0);
	if (cli_tally_init(&l->tally, cfg->graph, keeps_all(cfg, for_programs) ? CLI_KEEP_ALL : CLI_KEEP_FAILURES, err) < 0)
		goto failed;
	l->tally_ready = true;
	if (cli_statusline_init(&l->line, for_programs ? CLI_LINE_OFF : CLI_LINE_LIVE, STDERR_FILENO, &l->tally, rv_clock_boottime_us(),
				rv_clock_realtime_us(), err) < 0)
		goto failed;
	l->line_ready = true;
	if (cfg->show == CLI_SHOW_IN_ORDER && cli_ordered_create(&cfg->order, &l->tally, &l->line, &l->ordered, err) < 0)
		goto failed;
	if (cfg->events_path) {
		l->events_fd = open(cfg->events_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (l->events_fd < 0) {
			rv_fail_errno(err, errno, "cannot write events to %s", cfg->events_path);
			goto failed;
		}
	}
	if (cfg->joblog_path && open_joblog(l, err) < 0)
		goto failed;
	*out = l;
	return 0;
failed:
	cli_live_destroy(&l);
	return -1;
}

void cli_live_set_blobs(struct cli_live *l, struct rv_blobs *blobs)
{
	l->blobs = blobs;
}

void cli_live_destroy(struct cli_live **lp)
{
	struct cli_live *l = *lp;

	if (!l)
		return;
	cli_ordered_destroy(&l->ordered);
	if (l->line_ready)
		cli_statusline_end(&l->line);
	if (l->tally_ready)
		cli_tally_release(&l->tally);
	if (l->events_fd >= 0)
		close(l->events_fd);
	if (l->joblog_fd >= 0)
		close(l->joblog_fd);
	cli_joblog_release(&l->joblog);
	rv_buf_release(&l->jobs);
	rv_buf_release(&l->events);
	rv_buf_release(&l->units);
	rv_buf_release(&l->out.buf);
	rv_buf_release(&l->lines);
	rv_buf_release(&l->readable);
	cli_agentlog_release(&l->agents);
	free(l);
	*lp = NULL;
}

/* --- what units print ------------------------------------------------------------------------------------------------ */

static void show_lines(struct cli_live *l, uint32_t unit, struct rv_str text)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(&l->tally, unit, room);
	struct rv_buf safe;

	rv_buf_init(&safe, 0);
	while (text.bytes) {
		const char *end = memchr(text.at, '\n', text.bytes);
		size_t bytes = end ? (size_t)(end - text.at) : text.bytes;

		rv_buf_reset(&safe);
		cli_text_safe(CLI_TEXT_CELL, rv_str(text.at, bytes), &safe);
		(void)rv_buf_printf(&l->lines, "[%.*s] %.*s\n", RV_STR_ARGS(id), RV_STR_ARGS(rv_buf_str(&safe)));
		bytes += end != NULL;
		text = rv_str(text.at + bytes, text.bytes - bytes);
	}
	rv_buf_release(&safe);
	if (l->lines.bytes)
		cli_statusline_print(&l->line, l->shown_fd, rv_buf_str(&l->lines));
	rv_buf_reset(&l->lines);
}

static struct rv_str last_lines(struct rv_str text, uint32_t lines)
{
	size_t at = text.bytes;

	if (at && text.at[at - 1] == '\n')
		at--;
	while (at > 0) {
		if (text.at[at - 1] == '\n' && --lines == 0)
			break;
		at--;
	}
	return rv_str(text.at + at, text.bytes - at);
}

static void show_failure(struct cli_live *l, const struct coord_transition *t)
{
	const struct proto_value *tail = &t->result->tail;
	struct rv_buf bytes;

	if (t->reason == PROTO_REASON_LOGIN && t->result->error.bytes) { /* says all of it; what was printed says it over and over */
		show_lines(l, t->unit, cli_error_without_unit(&l->tally, t->unit, t->result->error));
		return;
	}
	rv_buf_init(&bytes, 0);
	if (tail->kind == PROTO_VALUE_INLINE)
		(void)rv_buf_put_str(&bytes, tail->inline_bytes);
	else if (tail->kind == PROTO_VALUE_BLOB && l->blobs)
		(void)rv_blobs_get_all(l->blobs, tail->digest, RV_LOG_TAIL_BYTES, &bytes, NULL); /* gone: nothing to show */
	rv_buf_reset(&l->readable);
	if (cli_writes_transcript(l->cfg.graph, t->unit))
		cli_transcript_tail(rv_buf_str(&bytes), bytes.bytes >= RV_LOG_TAIL_BYTES, &l->readable);
	else
		(void)rv_buf_put_str(&l->readable, rv_buf_str(&bytes));
	show_lines(l, t->unit, last_lines(rv_buf_str(&l->readable), TAIL_LINES_SHOWN));
	rv_buf_release(&bytes);
}

void cli_live_output(struct cli_live *l, struct proto_attempt_key key, int stream, struct rv_str bytes)
{
	if (key.run != l->cfg.run)
		return;
	rv_buf_reset(&l->readable);
	cli_agentlog_feed(&l->agents, l->cfg.graph, key, stream, bytes, &l->readable);
	show_lines(l, key.unit, rv_buf_str(&l->readable));
}

static void end_output(struct cli_live *l, uint32_t unit)
{
	rv_buf_reset(&l->readable);
	cli_agentlog_end(&l->agents, unit, &l->readable);
	show_lines(l, unit, rv_buf_str(&l->readable));
}

/* A gate stands still until a person does something: what, is said at once. */
static void say_held(struct cli_live *l, uint32_t unit)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_run_id id = rv_run_id_of(l->cfg.run);
	struct rv_buf text;

	rv_buf_init(&text, 0);
	(void)rv_buf_puts(&text, "reeve: unit ");
	cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(&l->tally, unit, room), &text);
	(void)rv_buf_printf(&text, " is held until a person lets it go on: reeve release %s/", id.text);
	cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(&l->tally, unit, room), &text);
	(void)rv_buf_puts(&text, " [--note TEXT]\n");
	cli_statusline_print(&l->line, STDERR_FILENO, rv_buf_str(&text));
	rv_buf_release(&text);
}

void cli_live_used(struct cli_live *l, uint64_t tokens, uint64_t cost_microusd)
{
	if (l->tally.running_tokens != tokens || l->tally.running_cost_microusd != cost_microusd)
		l->line.changed = true;
	l->tally.running_tokens = tokens;
	l->tally.running_cost_microusd = cost_microusd;
}

/* --- transitions -------------------------------------------------------------------------------------------------------- */

/* A run that another process began has no start on a clock of ours. */
static void time_run(struct cli_live *l, enum coord_transition_kind kind)
{
	if (kind == COORD_T_RUN_STARTED && !l->began_us)
		l->began_us = rv_clock_boottime_us();
	if (kind == COORD_T_RUN_FINISHED && l->began_us)
		l->tally.took_us = rv_max_u64(rv_clock_boottime_us() - l->began_us, 1);
}

void cli_live_transition(struct cli_live *l, const struct coord_transition *t, const struct coord *core, uint64_t position,
			 uint32_t index, bool replayed)
{
	bool ended = t->kind == COORD_T_UNIT_FINISHED && t->run == l->cfg.run;

	cli_tally_feed(&l->tally, t, core);
	if (t->run == l->cfg.run)
		cli_statusline_feed(&l->line, t);
	if (replayed)
		return;
	if (t->run == l->cfg.run)
		time_run(l, t->kind);
	l->position = position;
	if (l->events_fd >= 0)
		cli_event_json(t, &l->tally, core, position, index, &l->events);
	if (l->joblog_fd >= 0 && t->run == l->cfg.run)
		(void)cli_joblog_line(&l->joblog, &l->tally, t, &l->jobs);
	if (l->cfg.hook && cli_hook_wants(l->cfg.hook, t->kind)) {
		rv_buf_reset(&l->lines);
		cli_event_json(t, &l->tally, core, position, index, &l->lines);
		cli_hook_add(l->cfg.hook, coord_transition_name(t->kind), rv_buf_str(&l->lines), position);
		rv_buf_reset(&l->lines);
	}
	if (ended && l->cfg.format == CLI_JSONL) {
		struct cli_result_scope scope = { .tally = &l->tally, .blobs = { .store = l->blobs }, .state_option = l->cfg.state_option };

		cli_result_unit_json(&scope, t->unit, &l->units);
		(void)rv_buf_putc(&l->units, '\n');
	}
	if (t->kind == COORD_T_UNIT_HELD && t->run == l->cfg.run)
		say_held(l, t->unit);
	if (ended && l->ordered)
		cli_ordered_finished(l->ordered, t->unit);
	if (ended && l->agents.entries)
		end_output(l, t->unit);
	if (ended && l->cfg.show == CLI_SHOW_FAILED && t->state == COORD_UNIT_FAILED && t->result)
		show_failure(l, t);
}

/* Lines that are durable by now, into a file of the user's. */
static void write_lines(struct cli_live *l, int fd, const char *path, struct rv_buf *lines)
{
	struct rv_err err;

	if (lines->bytes && cli_write_all(fd, lines->at, lines->bytes) < 0) {
		(void)rv_fail_errno(&err, errno, "cannot write to %s", path);
		fail(l, &err);
	}
	rv_buf_reset(lines);
}

void cli_live_durable(struct cli_live *l, uint64_t position)
{
	if (l->cfg.hook)
		cli_hook_durable(l->cfg.hook, position);
	if (position < l->position)
		return; /* something held depends on a later row; all of it waits, in order */
	if (l->ordered)
		cli_ordered_durable(l->ordered);
	if (l->events_fd >= 0)
		write_lines(l, l->events_fd, l->cfg.events_path, &l->events);
	if (l->joblog_fd >= 0)
		write_lines(l, l->joblog_fd, l->cfg.joblog_path, &l->jobs);
	if (l->units.bytes) {
		cli_out_put(&l->out, rv_buf_str(&l->units));
		rv_buf_reset(&l->units);
		(void)cli_out_flush(&l->out); /* the failure is kept and told at the end */
	}
}

uint64_t cli_live_tick(struct cli_live *l, uint64_t now_us)
{
	uint64_t next = l->ordered ? cli_ordered_turn(l->ordered, l->blobs, now_us) : RV_NEVER;

	cli_statusline_tick(&l->line, now_us);
	return rv_min_u64(next, cli_statusline_next(&l->line));
}

int cli_live_end(struct cli_live *l, struct rv_err *err)
{
	struct rv_err why;
	int shown = 0;

	cli_live_durable(l, RV_NEVER);
	if (l->ordered)
		shown = cli_ordered_end(l->ordered, l->blobs, &why);
	if (shown < 0)
		fail(l, &why);
	if (l->line_ready)
		cli_statusline_end(&l->line);
	l->line_ready = false;
	if (l->out.failed) {
		struct rv_err out;

		(void)rv_fail_errno(&out, l->out.failed, "cannot write to standard output");
		fail(l, &out);
	}
	if (!l->has_failed)
		return shown;
	if (err)
		*err = l->failed;
	return -1;
}

struct cli_tally *cli_live_tally(struct cli_live *l)
{
	return &l->tally;
}

void cli_live_plan_rejected(const char *events_path, struct rv_str why)
{
	struct rv_buf line;
	int fd;

	if (!events_path)
		return;
	fd = open(events_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0) {
		cli_say("cannot write events to %s", events_path);
		return;
	}
	rv_buf_init(&line, 0);
	cli_event_plan_rejected(why, rv_clock_realtime_us(), &line);
	if (cli_write_all(fd, line.at, line.bytes) < 0)
		cli_say("cannot write events to %s", events_path);
	rv_buf_release(&line);
	close(fd);
}
