#include "node/agents/mock.h"

#include "common/os/file.h"
#include "node/jsontext.h"

#include <signal.h>
#include <unistd.h>

#define MOCK_PID UINT32_MAX /* no process, yet it ran */
#define MOCK_DELAY_STANDARD_US 100000u

struct node_mock_fate node_mock_fate(const struct proto_spec *s, uint32_t try_number)
{
	struct node_mock_fate f = { NODE_MOCK_ANSWERS, WARDEN_WHY_EXITED, s->mock_delay_us };
	uint64_t n = try_number, turned_away = s->mock_rate_limited, hang = turned_away + s->mock_hang;
	bool hangs = n > turned_away && n <= hang;

	if (hangs)
		f = (struct node_mock_fate){ NODE_MOCK_TIMED_OUT, WARDEN_WHY_NONE, RV_NEVER };
	else if (n <= turned_away)
		f.end = NODE_MOCK_TURNED_AWAY;
	else if (n <= hang + s->mock_fail)
		f.end = NODE_MOCK_FAILS;
	if (s->timeout_us && s->timeout_us < f.after_us && (hangs || s->mock_delay_us > MOCK_DELAY_STANDARD_US))
		f = (struct node_mock_fate){ NODE_MOCK_TIMED_OUT, WARDEN_WHY_TIMEOUT, s->timeout_us };
	if (hangs && s->idle_timeout_us && s->idle_timeout_us < f.after_us)
		f = (struct node_mock_fate){ NODE_MOCK_TIMED_OUT, WARDEN_WHY_IDLE, s->idle_timeout_us };
	if (hangs && s->start_timeout_us && s->start_timeout_us < f.after_us)
		f = (struct node_mock_fate){ NODE_MOCK_TIMED_OUT, WARDEN_WHY_START, s->start_timeout_us };
	return f;
}

/* The prompt's first characters, whole ones. */
static struct rv_str first_chars(struct rv_str text, uint32_t chars)
{
	const char *at = text.at, *end = text.at + text.bytes;

	while (at < end && chars--) {
		size_t n = node_utf8_at(at, end);

		at += n ? n : 1;
	}
	return rv_str(text.at, (size_t)(at - text.at));
}

/* `subject` is what it was asked; a unit whose output is JSON answers with a string of it. */
static void put_answer(const struct proto_spec *spec, struct rv_str subject, struct rv_buf *out)
{
	struct rv_buf text;

	if (spec->mock_output.bytes) {
		rv_buf_put_str(out, spec->mock_output);
		return;
	}
	rv_buf_init(&text, 0);
	rv_buf_putc(&text, '[');
	rv_buf_put_str(&text, spec->agent.bytes ? spec->agent : RV_STR("mock"));
	rv_buf_puts(&text, "] processed: ");
	rv_buf_put_str(&text, first_chars(subject, NODE_MOCK_PROMPT_CHARS));
	if (spec->output_mode == PROTO_OUTPUT_JSON)
		rv_buf_put_json(out, rv_buf_str(&text));
	else
		rv_buf_put_str(out, rv_buf_str(&text));
	out->failed |= text.failed;
	rv_buf_release(&text);
}

static void put_failure(const struct node_failure *why, struct rv_buf *out)
{
	rv_buf_put_u8(out, (uint8_t)why->class);
	rv_buf_put_u8(out, (uint8_t)why->reason);
	rv_buf_put_lv(out, rv_str_of(why->err.msg));
}

/* what was prepared, how it ends, when; what it says it used, what it is told; failure, cookie, answer */
int node_mock_prepare(struct node_preparer *p, struct node_spec *spec, const struct proto_dispatch *d, struct rv_blobs *blobs,
		      uint64_t session_key, uint64_t real_us, struct rv_buf *out, struct rv_err *err)
{
	struct node_mock_fate fate = node_mock_fate(&spec->spec, d->try_number);
	struct node_failure why = { 0 };
	struct node_scene scene;
	struct rv_buf cookie;
	bool prepared;
	int rc;

	rv_buf_init(&cookie, 0);
	rc = node_cookie_write(spec, d, p->place->key, blobs, &cookie, err);
	if (rc == 0) {
		prepared = node_scene_set(p, spec, d, session_key, real_us, &scene, &why) == 0;
		rv_buf_put_u8(out, prepared);
		rv_buf_put_u8(out, (uint8_t)fate.end);
		rv_buf_put_u8(out, (uint8_t)fate.why);
		rv_buf_put_u64(out, fate.after_us);
		rv_buf_put_u64(out, spec->spec.mock_tokens);
		rv_buf_put_u64(out, spec->spec.mock_cost_microusd);
		rv_buf_put_u64(out, spec->spec.mock_retry_after_us);
		put_failure(&why, out);
		rv_buf_put_lv(out, rv_buf_str(&cookie));
		if (prepared) {
			put_answer(&spec->spec, scene.prompt, out);
			node_scene_end(&scene);
		}
		rc = out->failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a mock's answer") : 0;
	}
	rv_buf_release(&cookie);
	return rc;
}

/* A failure to write shows as evidence that is missing. */
static void write_artifact(struct node_namespaces *n, const struct node_cookie *k, struct rv_str answer)
{
	int fd;

	if (!(k->flags & PROTO_SPEC_NAMESPACE) || node_namespace_open(n, k->key.run, k->unit_id, k->key.attempt, &fd, NULL) < 0)
		return;
	(void)rv_file_write_at(fd, NODE_DIR_ARTIFACTS "/" NODE_MOCK_ARTIFACT, answer, 0600, RV_FILE_NOSYNC, NULL);
	close(fd);
}

/* What its exit would be. One that a limit ended was killed. */
static void set_exit(enum node_mock_end end, struct warden_exited *e)
{
	if (end == NODE_MOCK_TIMED_OUT) {
		e->code = -1;
		e->signal = SIGTERM;
	} else {
		e->code = end == NODE_MOCK_ANSWERS ? 0 : 1;
	}
}

static void judge(enum node_mock_end end, uint64_t retry_after_us, const struct proto_usage *used, struct node_collect *c)
{
	if (end == NODE_MOCK_TURNED_AWAY) {
		node_collect_fail(c, PROTO_CLASS_RATE_LIMITED, PROTO_REASON_RATE_LIMIT, RV_STR("mock.rate_limited: this try was to be turned away"));
		c->result.retry_after_us = retry_after_us;
	} else if (end == NODE_MOCK_FAILS) {
		node_collect_fail(c, PROTO_CLASS_AGENT, PROTO_REASON_MOCK, RV_STR("mock.fail: this try was to fail"));
	}
	if (end == NODE_MOCK_ANSWERS || end == NODE_MOCK_FAILS)
		c->result.usage = *used;
}

const struct proto_result *node_mock_result(struct rv_str bytes, struct node_collector *with, uint64_t real_us, struct node_collect *c)
{
	struct warden_exited e = { .pid = MOCK_PID, .place.kind = WARDEN_OUTPUT_DISCARD };
	struct node_cookie cookie = { 0 };
	struct proto_usage used = { 0 };
	struct rv_arena arena;
	struct rv_str message, answer;
	const struct proto_result *r;
	enum node_mock_end end;
	enum proto_class class;
	enum proto_reason reason;
	uint64_t retry_after_us;
	struct rv_reader in;
	bool prepared;

	rv_reader_init(&in, bytes);
	prepared = rv_read_u8(&in);
	end = rv_read_u8(&in);
	e.why = rv_read_u8(&in);
	e.end_mono_us = rv_read_u64(&in); /* it took its time, whenever it may have been dispatched */
	e.end_real_us = real_us;
	e.start_real_us = rv_sat_sub(real_us, e.end_mono_us);
	used.output_tokens = rv_min_u64(rv_read_u64(&in), PROTO_USAGE_MAX);
	used.cost_microusd = rv_min_u64(rv_read_u64(&in), PROTO_USAGE_MAX);
	retry_after_us = rv_read_u64(&in);
	class = rv_read_u8(&in);
	reason = rv_read_u8(&in);
	message = rv_read_lv(&in);
	e.cookie = rv_read_lv(&in);
	answer = rv_str(in.at, (size_t)(in.end - in.at));
	rv_arena_init(&arena, 0);
	(void)node_cookie_read(e.cookie, with->cookies, &arena, &cookie, NULL); /* ours, just written */
	if (prepared && end == NODE_MOCK_ANSWERS)
		write_artifact(&node_places_by_key(with->places, cookie.place)->namespaces, &cookie, answer);
	set_exit(end, &e);
	while (!node_collect_begin(c, with, &cookie, &e, PROTO_REASON_NONE, NULL) && !node_collect_step(c, UINT64_MAX))
		;
	if (!prepared)
		node_collect_fail(c, class, reason, message);
	else
		judge(end, retry_after_us, &used, c);
	r = node_collect_result(c, prepared && (end == NODE_MOCK_ANSWERS || end == NODE_MOCK_FAILS) ? &answer : NULL);
	c->arena = arena; /* the cookie's texts live as long as the result */
	return r;
}
