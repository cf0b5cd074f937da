/* test_node_context.c - contexts, cookies, the spec cache, effects as messages */
#include "tests/lib/test.h"

#include "common/limits.h"
#include "common/map.h"
#include "common/os/blobs.h"
#include "common/os/file.h"
#include "common/prng.h"
#include "node/context.h"
#include "node/cookie.h"
#include "node/specs.h"
#include "node/warden/channel.h"
#include "node/wire.h"

static int give(void *arg, const uint8_t digest[PROTO_DIGEST_BYTES], uint64_t bytes, struct rv_buf *out, struct rv_err *err)
{
	(void)arg, (void)bytes;
	if (digest[0] == 9)
		return rv_fail(err, RV_E_NOT_FOUND, "no such blob");
	return rv_buf_puts(out, "{\"big\": true}");
}

static int file(void *arg, const uint8_t digest[PROTO_DIGEST_BYTES], uint64_t bytes, struct rv_buf *path, struct rv_err *err)
{
	(void)arg, (void)digest, (void)bytes, (void)err;
	return rv_buf_puts(path, "/some/where");
}

static const struct node_dep_source source = { .get = give, .file = file };

static void check_deps(const struct proto_dep *deps, uint32_t count, const char *want)
{
	struct rv_err err = { 0 };
	struct rv_buf out;

	rv_buf_init(&out, 0);
	assert_int_equal(node_context_deps(deps, count, &source, &out, &err), want ? 0 : -1);
	if (want)
		assert_str(rv_buf_str(&out), want);
	rv_buf_release(&out);
}

#define TEXT_VALUE(text) { .kind = PROTO_VALUE_INLINE, .inline_bytes = RV_STR(text) }

static void dependencies_become_values_arrays_and_null(void **state)
{
	const struct proto_dep deps[] = {
		{ .id = RV_STR("a"), .index = RV_MAP_NONE, .succeeded = true, .output = TEXT_VALUE("say \"hi\"") },
		{ .id = RV_STR("b.c"), .index = RV_MAP_NONE, .succeeded = true, .is_json = true, .output = TEXT_VALUE(" [1, 2] ") },
		{ .id = RV_STR("t"), .index = 0, .succeeded = true, .is_json = true, .output = TEXT_VALUE("1") },
		{ .id = RV_STR("t"), .index = 1, .succeeded = false, .output = TEXT_VALUE("2") },
		{ .id = RV_STR("t"), .index = 2, .succeeded = true, .output = TEXT_VALUE("3") },
		{ .id = RV_STR("s"), .index = 0, .succeeded = true, .is_json = true, .output = { .kind = PROTO_VALUE_BLOB, .blob_bytes = 13 } },
		{ .id = RV_STR("none"), .index = RV_MAP_NONE, .succeeded = true },
		{ .id = RV_STR("large"), .index = RV_MAP_NONE, .succeeded = true,
		  .output = { .kind = PROTO_VALUE_BLOB, .blob_bytes = RV_OUTPUT_DEP_BYTES_MAX + 1, .digest = { 0xab } } },
	};
	const struct proto_dep missing = { .id = RV_STR("m"), .index = RV_MAP_NONE, .succeeded = true,
					   .output = { .kind = PROTO_VALUE_BLOB, .blob_bytes = 5, .digest = { 9 } } };

	(void)state;
	check_deps(deps, RV_ARRAY_LEN(deps),
		   "{\"_dep_a\":\"say \\\"hi\\\"\",\"_dep_b.c\":[1,2],\"_dep_t\":[1,null,\"3\"],\"_dep_s\":[{\"big\":true}],\"_dep_none\":null,"
		   "\"_dep_large\":{\"$artifact\":\"/some/where\",\"blake2b\":\"ab00000000000000000000000000000000000000000000000000000000000000\"}}");
	check_deps(deps, 0, "{}");
	check_deps(&missing, 1, NULL);
}

static void context_is_bounded(void **state)
{
	static char big[4096];
	struct proto_dep *deps = calloc(20000, sizeof(*deps));
	struct rv_err err = { 0 };
	struct rv_buf out;

	(void)state;
	memset(big, 'x', sizeof(big));
	for (uint32_t i = 0; i < 20000; i++)
		deps[i] = (struct proto_dep){ .id = RV_STR("t"), .index = i, .succeeded = true,
					      .output = { .kind = PROTO_VALUE_INLINE, .inline_bytes = { big, sizeof(big) } } };
	rv_buf_init(&out, 0);
	assert_int_equal(node_context_deps(deps, 20000, &source, &out, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	rv_buf_release(&out);
	free(deps);
}

static void later_layers_win_in_templates(void **state)
{
	struct plan_scope scope;
	struct proto_spec spec;
	struct rv_err err = { 0 };
	struct rv_buf out;

	(void)state;
	proto_spec_init(&spec);
	spec.context = RV_STR("{\"a\":\"plan\",\"n\":{\"k\":[1,{\"z\":5}]}}");
	node_context_scope(&spec, RV_STR("{\"_dep_x\":{\"v\":\"{{a}}\"}}"), RV_STR("{\"_prev\":[{\"exit\":3}]}"), RV_STR("\"it\""), &scope);
	rv_buf_init(&out, 0);
	assert_int_equal(plan_template_fill(RV_STR("{{a}} {{n.k.1.z}} {{_dep_x.v}} {{_prev.0.exit}} {{item}} {{{{"), &scope, NULL, &out, &err), 0);
	assert_str(rv_buf_str(&out), "plan 5 {{a}} 3 it {{");
	rv_buf_release(&out);
}

static void files_hold_all_layers(void **state)
{
	struct rv_err err = { 0 };
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	assert_int_equal(node_context_file(RV_STR(""), RV_STR(""), RV_STR(""), RV_STR(""), &out, &err), 0);
	assert_str(rv_buf_str(&out), "{}\n");
	rv_buf_reset(&out);
	assert_int_equal(node_context_file(RV_STR("{}"), RV_STR("{}"), RV_STR(""), RV_STR("1"), &out, &err), 0);
	assert_str(rv_buf_str(&out), "{\"item\":1}\n");
	rv_buf_reset(&out);
	assert_int_equal(node_context_file(RV_STR("{\"a\":1}"), RV_STR("{\"_dep_b\":2}"), RV_STR("{\"_prev\":[]}"), RV_STR("{\"c\":3}"), &out, &err), 0);
	assert_str(rv_buf_str(&out), "{\"a\":1,\"_dep_b\":2,\"_prev\":[],\"item\":{\"c\":3}}\n");
	rv_buf_release(&out);
}

/* --- cookies ----------------------------------------------------------------------------------------------------------- */

static struct node_spec *make_spec(struct node_specs *specs, uint32_t globs, size_t glob_bytes)
{
	static char text[600];
	static struct rv_str list[64];
	static const int32_t codes[] = { 75, -1 };
	struct rv_err err = { 0 };
	struct proto_spec s;
	struct node_spec *n;
	struct rv_buf bytes;

	memset(text, 'g', sizeof(text));
	for (uint32_t i = 0; i < globs; i++)
		list[i] = rv_str(text, glob_bytes);
	proto_spec_init(&s);
	s.flags = PROTO_SPEC_NAMESPACE | PROTO_SPEC_EXCLUSIVE;
	s.evidence_mode = PROTO_EVIDENCE_ARTIFACT;
	s.output_mode = PROTO_OUTPUT_JSON;
	s.evidence_globs = list;
	s.evidence_glob_count = globs;
	s.rate_limit_exit_codes = codes;
	s.rate_limit_exit_code_count = 2;
	s.cpus = 3;
	s.timeout_us = 5;
	rv_buf_init(&bytes, 0);
	assert_int_equal(proto_spec_encode(&s, &bytes), 0);
	n = node_specs_get(specs, rv_buf_str(&bytes), &err);
	assert_non_null(n);
	rv_buf_release(&bytes);
	return n;
}

static void cookies_come_back(void **state)
{
	const struct proto_dispatch d = { .key = { 5, 6, 7 }, .epoch = 8, .try_number = 2, .lease_us = 540000000, .unit_id = RV_STR("unit-x") };
	const struct { uint32_t globs; size_t bytes; } cases[] = { { 0, 0 }, { 3, 20 }, { 64, 600 } };
	char dir[] = "/tmp/cookie-XXXXXX";
	struct rv_err err = { 0 };
	struct rv_blobs blobs;
	int top;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(rv_blobs_open(&blobs, dir, RV_BLOBS_NOSYNC, 0, &err), 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct node_specs specs;
		struct node_spec *n;
		struct node_cookie c;
		struct rv_arena arena;
		struct rv_buf cookie;

		node_specs_init(&specs);
		rv_arena_init(&arena, 0);
		rv_buf_init(&cookie, 0);
		n = make_spec(&specs, cases[i].globs, cases[i].bytes);
		if (i == 2) {
			assert_int_equal(node_cookie_write(n, &d, 7, NULL, &cookie, &err), -1);
			assert_int_equal(err.code, RV_E_LIMIT);
		}
		for (int twice = 0; twice < 2; twice++) {
			rv_buf_reset(&cookie);
			assert_int_equal(node_cookie_write(n, &d, 7, &blobs, &cookie, &err), 0);
		}
		assert_true(cookie.bytes <= WARDEN_COOKIE_BYTES_MAX);
		assert_int_equal(node_cookie_read(rv_buf_str(&cookie), &blobs, &arena, &c, &err), 0);
		assert_int_equal(c.key.run, 5);
		assert_int_equal(c.key.attempt, 7);
		assert_int_equal(c.epoch, 8);
		assert_int_equal(c.try_number, 2);
		assert_int_equal(c.flags, PROTO_SPEC_NAMESPACE | PROTO_SPEC_EXCLUSIVE);
		assert_str(c.unit_id, "unit-x");
		assert_int_equal(c.lease_us, 540000000);
		assert_int_equal(c.cpus, 3);
		assert_int_equal(c.place, 7);
		assert_int_equal(c.timeout_us, 5);
		assert_int_equal(c.evidence_mode, PROTO_EVIDENCE_ARTIFACT);
		assert_int_equal(c.glob_count, cases[i].globs);
		for (uint32_t k = 0; k < c.glob_count; k++)
			assert_int_equal(c.globs[k].bytes, cases[i].bytes);
		assert_int_equal(c.rate_code_count, 2);
		assert_int_equal(c.rate_codes[1], -1);
		rv_buf_release(&cookie);
		rv_arena_release(&arena);
		node_specs_release(&specs);
	}
	rv_blobs_close(&blobs);
	assert_int_equal(rv_dir_open("/", &top, NULL), 0);
	assert_int_equal(rv_tree_remove_at(top, dir + 1, NULL), 0);
	close(top);
}

/* Exit records outlive an upgrade: version 1 had no lease, version 2 no place, version 3 no kind of agent and no steps; everything else is where
 * it was. */
static void cookies_of_earlier_versions_are_read(void **state)
{
	enum { LEASE_AT = 1 + 8 + 4 + 4 + 8 + 4 + 4, ID_AT = LEASE_AT + 16, KIND_AT = ID_AT + 4 + 6 + 1 + 3 };
	const struct proto_dispatch d = { .key = { 5, 6, 7 }, .epoch = 8, .try_number = 2, .lease_us = 9, .unit_id = RV_STR("unit-x") };
	struct node_specs specs;
	struct rv_arena arena;
	struct rv_buf cookie, old;
	struct node_cookie c;
	struct rv_err err;

	(void)state;
	node_specs_init(&specs);
	rv_arena_init(&arena, 0);
	rv_buf_init(&cookie, 0);
	rv_buf_init(&old, 0);
	assert_int_equal(node_cookie_write(make_spec(&specs, 3, 10), &d, 0, NULL, &cookie, &err), 0);
	rv_buf_put(&old, cookie.at, KIND_AT);
	rv_buf_put(&old, cookie.at + KIND_AT + 2, cookie.bytes - KIND_AT - 2);
	old.at[0] = 3;
	assert_int_equal(node_cookie_read(rv_buf_str(&old), NULL, &arena, &c, &err), 0);
	assert_int_equal(c.agent_kind, PROTO_AGENT_COMMAND);
	assert_int_equal(c.glob_count, 3);
	rv_buf_reset(&cookie); /* of this one the older ones lack more */
	assert_int_equal(rv_buf_put_str(&cookie, rv_buf_str(&old)), 0);
	rv_buf_reset(&old);
	rv_buf_put(&old, cookie.at, LEASE_AT + 8); /* then the place */
	rv_buf_put(&old, cookie.at + ID_AT, cookie.bytes - ID_AT);
	old.at[0] = 2;
	assert_int_equal(node_cookie_read(rv_buf_str(&old), NULL, &arena, &c, &err), 0);
	assert_int_equal(c.lease_us, 9);
	assert_int_equal(c.place, 0);
	assert_int_equal(c.glob_count, 3);
	rv_buf_reset(&old);
	rv_buf_put(&old, cookie.at, LEASE_AT);
	rv_buf_put(&old, cookie.at + ID_AT, cookie.bytes - ID_AT);
	old.at[0] = 1;
	assert_int_equal(node_cookie_read(rv_buf_str(&old), NULL, &arena, &c, &err), 0);
	assert_str(c.unit_id, "unit-x");
	assert_int_equal(c.lease_us, 0);
	assert_int_equal(c.glob_count, 3);
	old.at[0] = 5;
	assert_int_equal(node_cookie_read(rv_buf_str(&old), NULL, &arena, &c, &err), -1);
	assert_int_equal(err.code, RV_E_VERSION);
	rv_buf_release(&old);
	rv_buf_release(&cookie);
	rv_arena_release(&arena);
	node_specs_release(&specs);
}

/* Whatever stands in a record: refused or read, never more than its bytes. */
static void broken_cookies_do_no_harm(void **state)
{
	const struct proto_dispatch d = { .key = { 5, 6, 7 }, .epoch = 8, .try_number = 2, .lease_us = 540000000, .unit_id = RV_STR("unit-x") };
	struct node_specs specs;
	struct rv_buf cookie;
	struct rv_prng prng;
	struct rv_err err;
	uint32_t refused = 0;

	(void)state;
	node_specs_init(&specs);
	rv_buf_init(&cookie, 0);
	assert_int_equal(node_cookie_write(make_spec(&specs, 3, 10), &d, 0, NULL, &cookie, &err), 0);
	rv_prng_seed(&prng, 3);
	for (int round = 0; round < 50000; round++) {
		size_t n = rv_prng_below(&prng, 4) ? cookie.bytes : rv_prng_below(&prng, cookie.bytes + 1);
		char *bytes = malloc(n + 1);
		struct rv_arena arena;
		struct node_cookie c;

		memcpy(bytes, cookie.at, n);
		for (uint64_t k = rv_prng_below(&prng, 4); n && k; k--)
			bytes[rv_prng_below(&prng, n)] = (char)rv_prng_next(&prng);
		rv_arena_init(&arena, 1 << 20);
		if (node_cookie_read(rv_str(bytes, n), NULL, &arena, &c, &err) < 0)
			refused++;
		rv_arena_release(&arena);
		free(bytes);
	}
	assert_in_range(refused, 1000, 49000);
	rv_buf_release(&cookie);
	node_specs_release(&specs);
}

static void specs_are_decoded_once_while_they_keep_coming(void **state)
{
	struct node_specs specs;
	struct node_spec *first;

	(void)state;
	node_specs_init(&specs);
	first = make_spec(&specs, 1, 10);
	for (uint32_t i = 2; i < NODE_SPECS_KEPT; i++)
		make_spec(&specs, i, 10);
	node_specs_new_frame(&specs);
	assert_ptr_equal(make_spec(&specs, 1, 10), first);
	for (uint32_t i = 2; i < 2 * NODE_SPECS_KEPT - 2; i++) {
		make_spec(&specs, i, 10);
		assert_ptr_equal(make_spec(&specs, 1, 10), first); /* in use: others go */
	}
	assert_int_equal(specs.count, NODE_SPECS_KEPT);
	node_specs_release(&specs);
}

/* --- wire ----------------------------------------------------------------------------------------------------------------- */

struct link {
	struct proto_frame_reader *reader;
	uint32_t frames, hellos, held, messages;
	bool last, refuse;
	enum proto_msg_kind kinds[16];
};

static int take(void *arg, struct rv_str frame)
{
	struct link *l = arg;
	struct proto_msg m;
	struct rv_err err = { 0 };

	if (l->refuse)
		return -1;
	l->frames++;
	assert_true(frame.bytes <= RV_FRAME_BYTES_MAX);
	assert_int_equal(proto_frame_open(l->reader, frame, PROTO_TO_COORD, &err), 0);
	while (proto_frame_next(l->reader, &m, &err) == 1) {
		l->kinds[l->messages++ % 16] = m.kind;
		if (m.kind != PROTO_HELLO)
			continue;
		assert_int_equal(m.hello.page, l->hellos++);
		assert_false(l->last);
		l->last = m.hello.last;
		l->held += m.hello.held_count;
	}
	return 0;
}

static void hello_is_paged(void **state)
{
	const uint32_t counts[] = { 0, 1, NODE_WIRE_PAGE, NODE_WIRE_PAGE + 1, 10 * NODE_WIRE_PAGE };
	const struct proto_node_info info = { .name = RV_STR("n1") };
	struct rv_err err = { 0 };
	struct node_wire w;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(counts); i++) {
		struct link l = { .reader = proto_frame_reader_create() };
		struct node_effect fx = { .kind = NODE_FX_HELLO, .hello.held_count = counts[i] };

		assert_int_equal(node_wire_init(&w, &info, take, &l), 0);
		assert_int_equal(node_wire_put(&w, &fx, NULL, 0, &err), 0);
		for (uint32_t k = 0; k < counts[i]; k++) {
			fx = (struct node_effect){ .kind = NODE_FX_HELD, .held = { .key = { UINT64_MAX >> 14, k, UINT32_MAX }, .epoch = UINT64_MAX >> 1 } };
			assert_int_equal(node_wire_put(&w, &fx, NULL, 0, &err), 0);
		}
		node_wire_flush(&w);
		assert_true(l.last);
		assert_int_equal(l.held, counts[i]);
		assert_int_equal(l.hellos, counts[i] ? (counts[i] + NODE_WIRE_PAGE - 1) / NODE_WIRE_PAGE : 1);
		node_wire_release(&w);
		proto_frame_reader_destroy(&l.reader);
	}
}

static void every_message_effect_has_its_message(void **state)
{
	const enum node_effect_kind effects[] = { NODE_FX_HEARTBEAT, NODE_FX_TAKEN, NODE_FX_REJECTED, NODE_FX_STARTED, NODE_FX_RESULT,
						  NODE_FX_NOT_HERE, NODE_FX_RETRACTED, NODE_FX_ALREADY_STARTED, NODE_FX_BYE };
	const enum proto_msg_kind kinds[] = { PROTO_HEARTBEAT, PROTO_TAKEN, PROTO_REJECTED, PROTO_STARTED, PROTO_RESULT,
					      PROTO_NOT_HERE, PROTO_RETRACTED, PROTO_ALREADY_STARTED, PROTO_BYE };
	const struct proto_result result = { .key = { 1, 2, 3 }, .outcome = PROTO_SUCCEEDED };
	const struct proto_node_info info = { .name = RV_STR("n1") };
	struct link l = { .reader = proto_frame_reader_create() };
	struct rv_err err = { 0 };
	struct node_wire w;

	(void)state;
	assert_int_equal(node_wire_init(&w, &info, take, &l), 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(effects); i++) {
		struct node_effect fx = { .kind = effects[i], .key = { 1, 2, 3 }, .why = PROTO_REJECT_FULL };

		if (effects[i] == NODE_FX_HEARTBEAT)
			fx.heartbeat = (struct proto_heartbeat){ .session = 1, .n = 1 };
		assert_true(node_wire_is_message(effects[i]));
		assert_int_equal(node_wire_put(&w, &fx, &result, 5, &err), 0);
	}
	assert_false(node_wire_is_message(NODE_FX_PREPARE));
	assert_int_equal(l.frames, 0);
	node_wire_flush(&w);
	node_wire_flush(&w); /* nothing more to say */
	assert_int_equal(l.frames, 1);
	assert_int_equal(l.messages, RV_ARRAY_LEN(kinds));
	for (size_t i = 0; i < RV_ARRAY_LEN(kinds); i++)
		assert_int_equal(l.kinds[i], kinds[i]);
	l.refuse = true;
	assert_int_equal(node_wire_put(&w, &(struct node_effect){ .kind = NODE_FX_BYE }, NULL, 0, &err), 0);
	node_wire_flush(&w);
	assert_int_equal(w.dropped, 1);
	l.refuse = false;
	node_wire_flush(&w); /* dropped is dropped */
	assert_int_equal(l.frames, 1);
	node_wire_release(&w);
	proto_frame_reader_destroy(&l.reader);
}

static void a_full_frame_leaves_and_the_next_begins(void **state)
{
	static char text[1000];
	const struct proto_node_info info = { .name = RV_STR("n1") };
	struct link l = { .reader = proto_frame_reader_create() };
	struct proto_result result = { .key = { 1, 2, 3 }, .outcome = PROTO_FAILED };
	struct rv_err err = { 0 };
	struct node_wire w;

	(void)state;
	memset(text, 'e', sizeof(text));
	result.error = rv_str(text, sizeof(text));
	assert_int_equal(node_wire_init(&w, &info, take, &l), 0);
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(node_wire_put(&w, &(struct node_effect){ .kind = NODE_FX_RESULT }, &result, 0, &err), 0);
	node_wire_flush(&w);
	assert_int_equal(l.messages, 3000);
	assert_int_equal(l.frames, 3);
	node_wire_release(&w);
	proto_frame_reader_destroy(&l.reader);
}

static void a_welcome_makes_an_event_per_verdict(void **state)
{
	struct proto_held_verdict verdicts[2] = { { .verdict = PROTO_KEEP }, { .verdict = PROTO_KILL } };
	struct proto_msg m = { .kind = PROTO_WELCOME, .verdicts = verdicts, .verdict_count = 2 };
	struct node_event ev;

	(void)state;
	assert_int_equal(node_wire_event_count(&m), 3);
	node_wire_event(&m, 0, NULL, 9, &ev);
	assert_int_equal(ev.kind, NODE_EV_WELCOME);
	assert_ptr_equal(ev.welcome, &m.welcome);
	node_wire_event(&m, 2, NULL, 9, &ev);
	assert_int_equal(ev.kind, NODE_EV_VERDICT);
	assert_int_equal(ev.now_us, 9);
	assert_int_equal(ev.verdict->verdict, PROTO_KILL);
	m.kind = PROTO_RESULT;
	assert_int_equal(node_wire_event_count(&m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dependencies_become_values_arrays_and_null),
		cmocka_unit_test(context_is_bounded),
		cmocka_unit_test(later_layers_win_in_templates),
		cmocka_unit_test(files_hold_all_layers),
		cmocka_unit_test(cookies_come_back),
		cmocka_unit_test(cookies_of_earlier_versions_are_read),
		cmocka_unit_test(broken_cookies_do_no_harm),
		cmocka_unit_test(specs_are_decoded_once_while_they_keep_coming),
		cmocka_unit_test(hello_is_paged),
		cmocka_unit_test(every_message_effect_has_its_message),
		cmocka_unit_test(a_full_frame_leaves_and_the_next_begins),
		cmocka_unit_test(a_welcome_makes_an_event_per_verdict),
	};

	return RUN(tests);
}
