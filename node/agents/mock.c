#include "node/agents/mock.h"

#include "common/os/file.h"
#include "node/jsontext.h"

#include <unistd.h>

#define MOCK_PID UINT32_MAX /* no process, yet it ran */

enum mock_flag { MOCK_PREPARED = 1, MOCK_FAILS = 2 };

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

/* flags, delay, tokens, failure, cookie, answer */
int node_mock_prepare(struct node_preparer *p, struct node_spec *spec, const struct proto_dispatch *d, struct rv_blobs *blobs,
		      uint64_t session_key, uint64_t real_us, struct rv_buf *out, struct rv_err *err)
{
	struct node_failure why = { 0 };
	struct node_scene scene;
	struct rv_buf cookie;
	uint8_t flags = 0;
	int rc;

	rv_buf_init(&cookie, 0);
	rc = node_cookie_write(spec, d, p->place->key, blobs, &cookie, err);
	if (rc == 0) {
		if (node_scene_set(p, spec, d, session_key, real_us, &scene, &why) == 0)
			flags |= MOCK_PREPARED;
		if (d->try_number <= spec->spec.mock_fail)
			flags |= MOCK_FAILS;
		rv_buf_put_u8(out, flags);
		rv_buf_put_u64(out, spec->spec.mock_delay_us);
		rv_buf_put_u64(out, spec->spec.mock_tokens);
		put_failure(&why, out);
		rv_buf_put_lv(out, rv_buf_str(&cookie));
		if (flags & MOCK_PREPARED) {
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

const struct proto_result *node_mock_result(struct rv_str bytes, struct node_collector *with, uint64_t real_us, struct node_collect *c)
{
	struct warden_exited e = { .why = WARDEN_WHY_EXITED, .pid = MOCK_PID, .place.kind = WARDEN_OUTPUT_DISCARD };
	struct node_cookie cookie = { 0 };
	struct rv_arena arena;
	struct rv_str message, answer;
	const struct proto_result *r;
	enum proto_class class;
	enum proto_reason reason;
	uint64_t tokens;
	struct rv_reader in;
	uint8_t flags;

	rv_reader_init(&in, bytes);
	flags = rv_read_u8(&in);
	e.end_mono_us = rv_read_u64(&in); /* it took its delay, whenever it may have been dispatched */
	e.end_real_us = real_us;
	e.start_real_us = rv_sat_sub(real_us, e.end_mono_us);
	tokens = rv_read_u64(&in);
	class = rv_read_u8(&in);
	reason = rv_read_u8(&in);
	message = rv_read_lv(&in);
	e.cookie = rv_read_lv(&in);
	answer = rv_str(in.at, (size_t)(in.end - in.at));
	rv_arena_init(&arena, 0);
	(void)node_cookie_read(e.cookie, with->cookies, &arena, &cookie, NULL); /* ours, just written */
	if ((flags & (MOCK_PREPARED | MOCK_FAILS)) == MOCK_PREPARED)
		write_artifact(&node_places_by_key(with->places, cookie.place)->namespaces, &cookie, answer);
	e.code = flags & MOCK_FAILS ? 1 : 0;
	while (!node_collect_begin(c, with, &cookie, &e, PROTO_REASON_NONE, NULL) && !node_collect_step(c, UINT64_MAX))
		;
	if (!(flags & MOCK_PREPARED))
		node_collect_fail(c, class, reason, message);
	else if (flags & MOCK_FAILS)
		node_collect_fail(c, PROTO_CLASS_AGENT, PROTO_REASON_MOCK, RV_STR("mock.fail: this try was to fail"));
	if (flags & MOCK_PREPARED)
		c->result.usage = (struct proto_usage){ .output_tokens = tokens };
	r = node_collect_result(c, flags & MOCK_PREPARED ? &answer : NULL);
	c->arena = arena; /* the cookie's texts live as long as the result */
	return r;
}
