#include "node/collect.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/os/file.h"
#include "node/jsontext.h"
#include "node/agents/profile.h"
#include "node/output.h"
#include "node/prev.h"
#include "node/printed.h"
#include "node/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIGEST_AT_ONCE_BYTES ((uint64_t)4 << 20)

/* --- what the exit says ---------------------------------------------------------------------------------------------- */

static void fail(struct node_collect *c, enum proto_class class, enum proto_reason reason, const char *fmt, ...) RV_PRINTF(4, 5);

static void fail(struct node_collect *c, enum proto_class class, enum proto_reason reason, const char *fmt, ...)
{
	struct rv_buf text;
	va_list ap;

	c->result.outcome = PROTO_FAILED;
	c->result.class = class;
	c->result.reason = reason;
	rv_buf_init(&text, 0);
	(void)rv_buf_printf(&text, "unit \"%.*s\": ", RV_STR_ARGS(c->cookie.unit_id));
	va_start(ap, fmt);
	(void)rv_buf_vprintf(&text, fmt, ap);
	va_end(ap);
	(void)snprintf(c->error, sizeof(c->error), "%s", text.at);
	rv_buf_release(&text);
}

void node_collect_fail(struct node_collect *c, enum proto_class class, enum proto_reason reason, struct rv_str why)
{
	fail(c, class, reason, "%.*s", RV_STR_ARGS(why));
}

static void ended_by_itself(struct node_collect *c)
{
	const struct warden_exited *e = &c->exited;

	if (e->signal)
		fail(c, PROTO_CLASS_AGENT, PROTO_REASON_SIGNAL, "ended by signal %d (%s)", e->signal, strsignal(e->signal));
	else if (e->code != 0 && c->cookie.evidence_mode != PROTO_EVIDENCE_ARTIFACT)
		fail(c, PROTO_CLASS_AGENT, PROTO_REASON_EXIT, "exit status %d", e->code);
}

/* A step that could not be started has failed as a unit's own command does. */
static void step_not_started(struct node_collect *c, int e)
{
	bool config = e == ENOENT || e == EACCES || e == ENOEXEC || e == ENOTDIR || e == EISDIR || e == E2BIG;

	fail(c, config ? PROTO_CLASS_CONFIG : PROTO_CLASS_ENVIRONMENT, config ? PROTO_REASON_NOT_FOUND : PROTO_REASON_SPAWN, "%.*s cannot be started: %s",
	     (int)rv_min_u64(c->steps.tail.bytes, 256), c->steps.tail.at ? c->steps.tail.at : "", strerror(e));
}

/* What the steps around the work say, of an attempt that ended by itself. The exit status has been judged: it is that of the last step. */
static void judge_steps(struct node_collect *c)
{
	const struct node_step_end *unless = &c->steps.end[NODE_STEP_UNLESS], *work = &c->steps.end[NODE_STEP_WORK],
				   *accept = &c->steps.end[NODE_STEP_ACCEPT];

	if (work->how == NODE_STEP_NOT_STARTED || unless->how == NODE_STEP_NOT_STARTED) {
		step_not_started(c, work->how == NODE_STEP_NOT_STARTED ? work->value : unless->value);
	} else if (work->how == NODE_STEP_NOT_RUN && unless->how == NODE_STEP_EXITED && unless->value == 0 && c->result.outcome == PROTO_SUCCEEDED) {
		c->result.reason = PROTO_REASON_SATISFIED;
	} else if (accept->how == NODE_STEP_NOT_STARTED) {
		step_not_started(c, accept->value);
	} else if (accept->how == NODE_STEP_SIGNALLED || (accept->how == NODE_STEP_EXITED && accept->value != 0)) {
		struct rv_str last = node_last_line(c->steps.tail);

		fail(c, PROTO_CLASS_EVIDENCE, PROTO_REASON_ACCEPT, "its acceptance command failed (%s %d)%s%.*s",
		     accept->how == NODE_STEP_EXITED ? "exit status" : "signal", accept->value, last.bytes ? ": " : "",
		     (int)rv_min_u64(last.bytes, 300), last.at ? last.at : "");
	}
}

static bool by_itself(const struct node_collect *c)
{
	return c->exited.why == WARDEN_WHY_EXITED;
}

/* Why an attempt ran into a timeout where its agent was turned away until then: another try at once would be turned away, too. */
static bool stood_in_its_way(enum proto_class trouble)
{
	return trouble == PROTO_CLASS_RATE_LIMITED || trouble == PROTO_CLASS_CONFIG || trouble == PROTO_CLASS_ENVIRONMENT;
}

/* The one failure that only a person can mend, and in one way: what to type stands beside it. */
static void fail_login(struct node_collect *c, const char *sentence)
{
	const struct node_profile *p = node_profile_of(c->cookie.agent_kind);

	fail(c, PROTO_CLASS_CONFIG, PROTO_REASON_LOGIN, "%s is not logged in, or its key is refused (%s): %s", p->name, sentence, p->login_hint);
}

/* The agent's own word. It has the last one over a success and over a bare exit status, and says what stood in the way of one that came to
 * nothing in time. */
static void judge_words(struct node_collect *c, struct transcript *t)
{
	const struct node_step_end *work = &c->steps.end[NODE_STEP_WORK];
	struct transcript_verdict v;
	bool in_time = by_itself(c);

	transcript_end(t, work->how == NODE_STEP_EXITED ? work->value : 0, work->how == NODE_STEP_SIGNALLED ? work->value : 0, c->exited.end_real_us, &v);
	c->result.usage = node_watch_usage(t);
	if (rv_buf_put_str(&c->message, rv_buf_str(&t->message)) == 0)
		c->has_message = t->message.bytes > 0;
	if (v.succeeded || c->result.class == PROTO_CLASS_CONFIG || c->result.outcome == PROTO_CANCELLED || work->how == NODE_STEP_NOT_RUN ||
	    work->how == NODE_STEP_NOT_STARTED)
		return;
	if (!in_time && !(c->result.class == PROTO_CLASS_TIMEOUT && stood_in_its_way(v.trouble.class)))
		return;
	if (v.trouble.reason == TRANSCRIPT_EXIT || v.trouble.reason == TRANSCRIPT_SIGNAL)
		return; /* it knows no more than the exit status */
	c->result.retry_after_us = v.trouble.retry_after_us;
	if (v.trouble.reason == TRANSCRIPT_AUTH)
		fail_login(c, v.trouble.sentence);
	else
		fail(c, v.trouble.class, node_verdict_reason(v.trouble.reason), "%s", v.trouble.sentence);
}

static void judge_agent(struct node_collect *c, struct transcript *read)
{
	const struct node_profile *profile = node_profile_of(c->cookie.agent_kind);
	struct transcript t;

	if (!profile)
		return;
	if (read) {
		judge_words(c, read);
		return;
	}
	transcript_init(&t, profile->format);
	node_verdict_read_logs(c->fd, c->exited.place.stdout_bytes, &t);
	judge_words(c, &t);
	transcript_release(&t);
}

static void not_spawned(struct node_collect *c)
{
	const struct warden_exited *e = &c->exited;
	struct rv_str detail = e->detail.bytes ? e->detail : rv_str_of(warden_fault_name(e->fault));

	switch (e->fault) {
	case WARDEN_FAULT_NOT_FOUND:
	case WARDEN_FAULT_NOT_EXECUTABLE:
		fail(c, PROTO_CLASS_CONFIG, PROTO_REASON_NOT_FOUND, "cannot be started: %.*s", RV_STR_ARGS(detail));
		break;
	case WARDEN_FAULT_TOO_BIG:
		fail(c, PROTO_CLASS_CONFIG, PROTO_REASON_SPAWN, "its command and environment are too large for the kernel (%.*s)", RV_STR_ARGS(detail));
		break;
	case WARDEN_FAULT_CWD:
	case WARDEN_FAULT_OUTPUT:
		fail(c, PROTO_CLASS_ENVIRONMENT, e->sys == ENOSPC ? PROTO_REASON_NO_SPACE : PROTO_REASON_WORKSPACE, "cannot be started: %.*s", RV_STR_ARGS(detail));
		break;
	default:
		fail(c, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN, "cannot be started: %.*s", RV_STR_ARGS(detail));
	}
}

static void idle(struct node_collect *c)
{
	fail(c, PROTO_CLASS_TIMEOUT, PROTO_REASON_IDLE_TIMEOUT, "no sign of life for idle_timeout_s (%g)", (double)c->cookie.idle_timeout_us / RV_US_PER_S);
}

static void killed(struct node_collect *c)
{
	if (c->kill_reason == PROTO_REASON_NONE) { /* the daemon before us died, and its units with it */
		fail(c, PROTO_CLASS_NODE_LOST, PROTO_REASON_INTERRUPTED, "ended because reeve was");
		return;
	}
	if (c->kill_reason == PROTO_REASON_IDLE_TIMEOUT) {
		idle(c);
		return;
	}
	c->result.outcome = PROTO_CANCELLED;
	c->result.reason = c->kill_reason;
}

static void judge_exit(struct node_collect *c)
{
	const struct node_cookie *k = &c->cookie;

	c->result.outcome = PROTO_SUCCEEDED;
	switch (c->exited.why) {
	case WARDEN_WHY_NONE:
	case WARDEN_WHY_EXITED:
		ended_by_itself(c);
		break;
	case WARDEN_WHY_TIMEOUT:
		fail(c, PROTO_CLASS_TIMEOUT, PROTO_REASON_TIMEOUT, "ran longer than timeout_s (%g)", (double)k->timeout_us / RV_US_PER_S);
		break;
	case WARDEN_WHY_IDLE:
		idle(c);
		break;
	case WARDEN_WHY_START:
		fail(c, PROTO_CLASS_TIMEOUT, PROTO_REASON_START_TIMEOUT, "no output at all within start_timeout_s (%g)", (double)k->start_timeout_us / RV_US_PER_S);
		break;
	case WARDEN_WHY_KILLED:
		killed(c);
		break;
	case WARDEN_WHY_MEMORY:
		fail(c, PROTO_CLASS_AGENT, PROTO_REASON_SIGNAL, "used more memory than its %llu MiB", (unsigned long long)(k->memory_bytes >> 20));
		break;
	case WARDEN_WHY_CPU:
		fail(c, PROTO_CLASS_BUDGET, PROTO_REASON_SIGNAL, "used more CPU time than it may");
		break;
	case WARDEN_WHY_SPAWN_FAILED:
		not_spawned(c);
		break;
	case WARDEN_WHY_UNKILLABLE: /* class config: another try would meet the same processes */
		fail(c, PROTO_CLASS_CONFIG, PROTO_REASON_UNKILLABLE, "some of its processes cannot be ended: %.*s", RV_STR_ARGS(c->exited.detail));
		break;
	}
}

static bool ran(const struct node_collect *c)
{
	return c->exited.why != WARDEN_WHY_SPAWN_FAILED && c->exited.pid;
}

static void set_facts(struct node_collect *c)
{
	const struct warden_exited *e = &c->exited;
	struct proto_result *r = &c->result;

	r->key = c->cookie.key;
	r->epoch = c->cookie.epoch;
	r->exit = e->why == WARDEN_WHY_SPAWN_FAILED ? -1 : e->code;
	r->signal = e->signal;
	r->start_us = e->start_real_us;
	r->end_us = e->end_real_us;
	r->duration_us = rv_sat_sub(rv_sat_sub(e->end_mono_us, e->start_mono_us), e->frozen_us);
	r->cpu_us = e->cpu_us;
	r->rss_bytes = e->maxrss_bytes;
	if (ran(c))
		r->flags |= PROTO_RESULT_STARTED;
	if (e->place.truncated)
		r->flags |= PROTO_RESULT_TRUNCATED;
	if (c->cookie.flags & PROTO_SPEC_HAS_DIRS)
		r->enforcement = RV_STR("none");
	if (c->cookie.memory_bytes)
		r->limits = RV_STR("none");
}

/* --- namespace and artifacts ---------------------------------------------------------------------------------------------- */

static void list_artifacts(struct node_collect *c)
{
	const struct node_cookie *k = &c->cookie;
	struct node_namespaces *in = &node_places_by_key(c->with->places, k->place)->namespaces;
	struct rv_err err;
	int fd;

	if (!(k->flags & PROTO_SPEC_NAMESPACE) || !ran(c) || node_artifacts_want(&c->artifacts, k->globs, k->glob_count, &err) < 0)
		return;
	node_namespace_path(in, k->key.run, k->unit_id, k->key.attempt, &c->path);
	rv_buf_puts(&c->path, "/" NODE_DIR_ARTIFACTS);
	if (node_namespace_open(in, k->key.run, k->unit_id, k->key.attempt, &c->fd, &err) < 0)
		c->fd = -1; /* the unit removed it, or made a link of it: nothing in it counts */
	else if (rv_dir_open_at(c->fd, NODE_DIR_ARTIFACTS, &fd, &err) == 0)
		(void)node_artifacts_list(&c->artifacts, fd, &err); /* what could be listed counts */
	if (c->artifacts.truncated)
		c->result.flags |= PROTO_RESULT_ARTIFACTS_CUT;
}

/* --- what it printed ------------------------------------------------------------------------------------------------------- */

static void where(const struct node_collect *c, struct node_printed *p)
{
	*p = (struct node_printed){
		.log_dir = c->with->log_dir,
		.namespace_fd = c->fd,
		.exited = &c->exited,
	};
}

static bool matches_rate_limit(struct node_collect *c)
{
	const struct node_cookie *k = &c->cookie;

	for (uint32_t i = 0; i < k->rate_code_count; i++)
		if (!c->exited.signal && c->exited.code == k->rate_codes[i])
			return true;
	for (uint32_t i = 0; i < k->rate_pattern_count; i++)
		if (k->rate_patterns[i].bytes && node_contains_word(rv_buf_str(&c->tail), k->rate_patterns[i]))
			return true;
	return false;
}

static void set_value(struct node_collect *c, struct proto_value *v, struct rv_str bytes, bool can_be_cut)
{
	struct rv_err err;

	*v = (struct proto_value){ 0 };
	if (!bytes.bytes)
		return;
	if (bytes.bytes > RV_INLINE_BYTES_MAX && c->with->blobs && rv_blobs_put(c->with->blobs, bytes, v->digest, &err) == 0) {
		v->kind = PROTO_VALUE_BLOB;
		v->blob_bytes = bytes.bytes;
		return;
	}
	if (bytes.bytes > RV_INLINE_BYTES_MAX && !can_be_cut)
		return;
	v->kind = PROTO_VALUE_INLINE;
	if (bytes.bytes > RV_INLINE_BYTES_MAX) /* no store, or it is full: the end is better than nothing */
		bytes = rv_str(bytes.at + (bytes.bytes - RV_INLINE_BYTES_MAX), RV_INLINE_BYTES_MAX);
	v->inline_bytes = bytes;
}

/* 1: it wrote an output file; 0: none; -1: it cannot be the output, `err` says why. */
static int file_output(struct node_collect *c, bool *is_json, struct rv_err *err)
{
	struct rv_buf content;
	int rc;

	if (c->fd < 0)
		return 0;
	rv_buf_init(&content, 0);
	rc = rv_file_read_at(c->fd, NODE_FILE_OUTPUT, NODE_OUTPUT_BYTES_MAX, &content, err);
	if (rc < 0)
		rc = err->code == RV_E_LIMIT ? -1 : 0; /* not there, or no file: as if it had written none */
	else if (content.bytes)
		rc = node_output_of_file(rv_buf_str(&content), c->cookie.output_mode, &c->output, is_json, err) < 0 ? -1 : 1;
	rv_buf_release(&content);
	return rc;
}

static int printed_output(struct node_collect *c, bool *is_json, struct rv_err *err)
{
	size_t bytes = c->cookie.output_mode == PROTO_OUTPUT_JSON ? NODE_PRINTED_JSON_BYTES_MAX : RV_OUTPUT_DEP_BYTES_MAX;
	struct rv_buf text;
	struct node_printed p;
	int rc;

	if (!c->exited.place.stdout_bytes && !c->exited.stdout_tail.bytes && c->cookie.output_mode == PROTO_OUTPUT_TEXT)
		return 0;
	rv_buf_init(&text, 0);
	where(c, &p);
	node_printed_stdout(&p, c->cookie.output_mode == PROTO_OUTPUT_TEXT ? NODE_PRINTED_LAST_LINE : NODE_PRINTED_ALL, bytes, &text);
	rc = node_output_of_stdout(rv_buf_str(&text), c->cookie.output_mode, &c->output, is_json, err);
	rv_buf_release(&text);
	return rc;
}

/* An agent's final message, as if it had printed that alone. */
static int said_output(struct node_collect *c, bool *is_json, struct rv_err *err)
{
	struct rv_str message = rv_buf_str(&c->message);

	if (c->result.reason == PROTO_REASON_SATISFIED || (!c->has_message && c->cookie.output_mode == PROTO_OUTPUT_TEXT))
		return 0;
	if (c->cookie.output_mode == PROTO_OUTPUT_JSON)
		return node_output_of_stdout(message, PROTO_OUTPUT_JSON, &c->output, is_json, err);
	return rv_buf_put_str(&c->output, message);
}

/* Of a failed one, too: people want to see it; only its absence is no further fault then. */
static void set_output(struct node_collect *c, const struct rv_str *given)
{
	struct rv_err err;
	bool is_json = false;
	int rc;

	err.code = RV_OK;
	err.msg[0] = '\0';
	if (given)
		rc = node_output_of_file(*given, c->cookie.output_mode, &c->output, &is_json, &err);
	else if (!ran(c))
		return;
	else if ((rc = file_output(c, &is_json, &err)) == 0)
		rc = node_profile_of(c->cookie.agent_kind) ? said_output(c, &is_json, &err) : printed_output(c, &is_json, &err);
	if (rc < 0) {
		rv_buf_reset(&c->output);
		if (c->result.outcome == PROTO_SUCCEEDED && err.code == RV_E_LIMIT)
			fail(c, PROTO_CLASS_CONFIG, PROTO_REASON_CONTEXT_TOO_LARGE, "its output is larger than %zu MiB", NODE_OUTPUT_BYTES_MAX >> 20);
		else if (c->result.outcome == PROTO_SUCCEEDED)
			fail(c, PROTO_CLASS_EVIDENCE, PROTO_REASON_OUTPUT_NOT_JSON, "exit 0 but its output is %s; print one JSON value or write it to $REEVE_OUTPUT_FILE, or set output: text", err.msg);
		return;
	}
	if (is_json)
		c->result.flags |= PROTO_RESULT_OUTPUT_JSON;
	set_value(c, &c->result.output, rv_buf_str(&c->output), !is_json);
}

/* --- all of it ---------------------------------------------------------------------------------------------------------------- */

bool node_collect_begin(struct node_collect *c, struct node_collector *with, const struct node_cookie *cookie,
			const struct warden_exited *exited, enum proto_reason kill_reason, struct transcript *transcript)
{
	memset(c, 0, offsetof(struct node_collect, artifacts)); /* the large rest is set where it is used */
	c->error[0] = '\0';
	c->with = with;
	c->cookie = *cookie;
	c->exited = *exited;
	c->kill_reason = kill_reason;
	c->fd = -1;
	node_artifacts_init(&c->artifacts);
	c->artifacts.store = with->stores_artifacts ? with->blobs : NULL;
	rv_buf_init(&c->path, 0);
	rv_buf_init(&c->output, 0);
	rv_buf_init(&c->tail, 0);
	rv_buf_init(&c->message, 0);
	rv_buf_init(&c->steps_text, 0);
	rv_arena_init(&c->arena, 0);
	set_facts(c);
	judge_exit(c);
	list_artifacts(c);
	if (c->cookie.has_steps && ran(c)) {
		node_verdict_steps(c->fd, c->exited.code, c->exited.signal, &c->steps_text, &c->steps);
		if (by_itself(c))
			judge_steps(c);
		judge_agent(c, transcript);
	}
	return !node_artifacts_digest(&c->artifacts, DIGEST_AT_ONCE_BYTES);
}

static struct rv_str keep(struct rv_arena *arena, struct rv_str s)
{
	return s.bytes ? rv_arena_str(arena, s) : rv_str(NULL, 0);
}

/* Nothing that the caller lent is used any more. */
int node_collect_keep(struct node_collect *c)
{
	struct warden_exited *e = &c->exited;
	struct node_cookie *k = &c->cookie;
	struct rv_str cookie = keep(&c->arena, e->cookie), id = keep(&c->arena, k->unit_id);
	struct rv_str out = keep(&c->arena, e->stdout_tail), err = keep(&c->arena, e->stderr_tail), detail = keep(&c->arena, e->detail);

	if ((e->cookie.bytes && !cookie.at) || !id.at || (e->stdout_tail.bytes && !out.at) || (e->stderr_tail.bytes && !err.at) ||
	    (e->detail.bytes && !detail.at))
		return -1;
	e->cookie = cookie;
	e->stdout_tail = out;
	e->stderr_tail = err;
	e->detail = detail;
	if (cookie.bytes)
		return node_cookie_read(cookie, c->with->cookies, &c->arena, k, NULL);
	k->unit_id = id;
	return 0;
}

bool node_collect_step(struct node_collect *c, uint64_t bytes)
{
	return !node_artifacts_digest(&c->artifacts, bytes);
}

static void check_evidence(struct node_collect *c)
{
	struct rv_err err;

	if (c->result.reason == PROTO_REASON_SATISFIED)
		return;
	if (c->result.outcome == PROTO_SUCCEEDED && node_evidence_check(&c->cookie, &c->artifacts, rv_buf_str(&c->path), &err) < 0) {
		c->result.outcome = PROTO_FAILED;
		c->result.class = PROTO_CLASS_EVIDENCE;
		c->result.reason = PROTO_REASON_NO_ARTIFACT;
		(void)snprintf(c->error, sizeof(c->error), "%s", err.msg);
	}
}

static void set_tail(struct node_collect *c)
{
	bool failed = c->result.outcome == PROTO_FAILED;
	struct node_printed p;

	if (!ran(c) || (!failed && c->cookie.keep_logs != PROTO_LOGS_ALL))
		return;
	where(c, &p);
	node_printed_tail(&p, RV_LOG_TAIL_BYTES, &c->tail);
	/* what its own exit said, or evidence that is missing, may have been a rate limit; a timeout or a signal is none */
	if (failed && (c->result.class == PROTO_CLASS_EVIDENCE || c->result.reason == PROTO_REASON_EXIT) && matches_rate_limit(c)) {
		c->result.class = PROTO_CLASS_RATE_LIMITED;
		c->result.reason = PROTO_REASON_RATE_LIMIT;
	}
	if (c->cookie.keep_logs != PROTO_LOGS_NODE)
		set_value(c, &c->result.tail, rv_buf_str(&c->tail), true);
}

/* For the next try of an agent. */
static void leave_word(struct node_collect *c)
{
	struct rv_str printed = c->result.reason == PROTO_REASON_ACCEPT ? c->steps.tail
				: c->has_message		       ? rv_buf_str(&c->message)
				: c->tail.bytes			       ? rv_buf_str(&c->tail)
								       : rv_buf_str(&c->output);

	if (c->fd >= 0 && c->result.outcome == PROTO_FAILED && (c->cookie.flags & PROTO_SPEC_AGENT_UNIT))
		node_prev_write(c->fd, &c->result, c->cookie.try_number, rv_buf_str(&c->path), printed);
}

const struct proto_result *node_collect_result(struct node_collect *c, const struct rv_str *output)
{
	struct proto_result *r = &c->result;

	check_evidence(c);
	set_output(c, output);
	set_tail(c);
	r->error = rv_str_of(c->error);
	r->artifacts = c->artifacts.items;
	r->artifact_count = c->artifacts.count;
	leave_word(c);
	return r;
}

void node_collect_end(struct node_collect *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	node_artifacts_release(&c->artifacts);
	rv_buf_release(&c->path);
	rv_buf_release(&c->output);
	rv_buf_release(&c->tail);
	rv_buf_release(&c->message);
	rv_buf_release(&c->steps_text);
	rv_arena_release(&c->arena);
}
