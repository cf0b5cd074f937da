/* test_transcript.c - what a reader says of real transcripts agrees with what happened, however they come */
#include "node/agents/transcript.h"
#include "tests/lib/test.h"

#define DIR "tests/data/agents/"

struct truth {
	const char *name;
	enum transcript_format format;
	bool succeeded;
	enum transcript_reason reason;
	enum proto_class class;
	uint32_t status, turns;
	struct transcript_usage usage;
	const char *sentence, *message;
};

#define CLAUDE_HELLO { .input_tokens = 123, .output_tokens = 42, .cache_read_tokens = 5, .cache_write_tokens = 7, .cost_microusd = 1711 }
#define CODEX_HELLO { .input_tokens = 118, .output_tokens = 42, .cache_read_tokens = 5, .cost_microusd = -1 }
#define UNTOLD { .cost_microusd = -1 }
#define FREE { .cost_microusd = 0 }

static const struct truth truths[] = {
	{ "claude-ok", TRANSCRIPT_CLAUDE, true, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CLAUDE_HELLO, "", "hello from mock" },
	{ "claude-mcp", TRANSCRIPT_CLAUDE, true, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CLAUDE_HELLO, "", "hello from mock" },
	{ "claude-429x2", TRANSCRIPT_CLAUDE, true, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CLAUDE_HELLO, "", "hello from mock" },
	{ "claude-401", TRANSCRIPT_CLAUDE, false, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 401, 0, UNTOLD, "401: authentication_failed", "" },
	{ "claude-quota", TRANSCRIPT_CLAUDE, false, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 400, 1, FREE,
	  "400: Credit balance is too low", "" },
	{ "claude-529", TRANSCRIPT_CLAUDE, false, TRANSCRIPT_OVERLOADED, PROTO_CLASS_RATE_LIMITED, 529, 1, FREE,
	  "API Error: Repeated 529 Overloaded errors. The API is at capacity \xe2\x80\x94 this is usually temporary. Try again in a moment. If it "
	  "persists, check your inference gateway (127.0.0.1:18080).", "" },
	{ "codex-ok", TRANSCRIPT_CODEX, true, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CODEX_HELLO, "", "hello from mock" },
	{ "codex-mcp", TRANSCRIPT_CODEX, true, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CODEX_HELLO, "", "hello from mock" },
	{ "codex-429x2", TRANSCRIPT_CODEX, true, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CODEX_HELLO, "", "hello from mock" },
	{ "codex-401", TRANSCRIPT_CODEX, false, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 401, 0, UNTOLD, "401: invalid x-api-key", "" },
	{ "codex-quota", TRANSCRIPT_CODEX, false, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 0, 0, UNTOLD,
	  "Quota exceeded. Check your plan and billing details.", "" },
};

static void read_all(const char *name, const char *suffix, struct rv_buf *out)
{
	char path[256], room[4096];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), DIR "%s%s", name, suffix);
	rv_buf_init(out, 0);
	f = fopen(path, "r");
	if (!f)
		return;
	while ((n = fread(room, 1, sizeof(room), f)) > 0)
		assert_int_equal(rv_buf_put(out, room, n), 0);
	(void)fclose(f);
}

/* Of the table that the runs left. */
static int exit_of(const char *name)
{
	char line[128], found[64];
	FILE *f = fopen(DIR "exit-status.txt", "r");
	int status, exit = -1;

	assert_non_null(f); /* the tests run at the root of the tree */
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %d", found, &status) == 2 && strcmp(found, name) == 0)
			exit = status;
	(void)fclose(f);
	assert_true(exit >= 0);
	return exit;
}

static void expect(const struct truth *want, const struct transcript *t, const struct transcript_verdict *v)
{
	assert_int_equal(v->succeeded, want->succeeded);
	assert_string_equal(transcript_reason_word(v->trouble.reason), transcript_reason_word(want->reason));
	assert_int_equal(v->trouble.class, want->class);
	assert_int_equal(v->trouble.status, want->status);
	assert_string_equal(v->trouble.sentence, want->sentence);
	assert_string_equal(t->message.at, want->message);
	assert_int_equal(t->turns, want->turns);
	assert_int_equal(t->usage.input_tokens, want->usage.input_tokens);
	assert_int_equal(t->usage.output_tokens, want->usage.output_tokens);
	assert_int_equal(t->usage.cache_read_tokens, want->usage.cache_read_tokens);
	assert_int_equal(t->usage.cache_write_tokens, want->usage.cache_write_tokens);
	assert_int_equal(t->usage.cost_microusd, want->usage.cost_microusd);
}

static void each_real_transcript_is_what_happened(void **state)
{
	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(truths); i++) {
		struct transcript t;
		struct transcript_verdict v;
		struct rv_buf out, err;

		print_message("%s\n", truths[i].name);
		read_all(truths[i].name, ".out", &out);
		read_all(truths[i].name, ".err", &err);
		assert_true(out.bytes > 0);
		transcript_init(&t, truths[i].format);
		transcript_feed(&t, TRANSCRIPT_STDOUT, rv_buf_str(&out));
		transcript_feed(&t, TRANSCRIPT_STDERR, rv_buf_str(&err));
		transcript_end(&t, exit_of(truths[i].name), 0, 0, &v);
		expect(&truths[i], &t, &v);
		transcript_release(&t);
		rv_buf_release(&out);
		rv_buf_release(&err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_real_transcript_is_what_happened),
	};

	return RUN(tests);
}
