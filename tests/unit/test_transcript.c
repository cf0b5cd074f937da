/* test_transcript.c - what a reader says of real transcripts agrees with what happened, however they come */
#include "node/agents/transcript.h"
#include "node/verdict.h"
#include "tests/lib/scratch.h"
#include "tests/lib/test.h"

#include <sys/stat.h>
#include <unistd.h>

#define DIR "tests/data/agents/"

struct truth {
	const char *name;
	enum transcript_format format;
	enum transcript_reason reason; /* OK: it succeeded */
	enum proto_class class;
	uint32_t status, turns;
	struct transcript_usage usage;
	const char *sentence, *message;
};

/* input, output, read from a cache, written to one, cost */
#define CLAUDE_HELLO { 123, 42, 5, 7, 1711 }
#define CODEX_HELLO { 118, 42, 5, 0, -1 }
#define UNTOLD { .cost_microusd = -1 }
#define FREE { .cost_microusd = 0 }

static const struct truth truths[] = {
	{ "claude-ok", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CLAUDE_HELLO,
	  "", "hello from mock" },
	{ "claude-mcp", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CLAUDE_HELLO,
	  "", "hello from mock" },
	{ "claude-429x2", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CLAUDE_HELLO,
	  "", "hello from mock" },
	{ "claude-401", TRANSCRIPT_CLAUDE, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 401, 0, UNTOLD,
	  "401: authentication_failed", "" },
	{ "claude-quota", TRANSCRIPT_CLAUDE, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 400, 0, FREE,
	  "400: Credit balance is too low", "" },
	{ "claude-529", TRANSCRIPT_CLAUDE, TRANSCRIPT_OVERLOADED, PROTO_CLASS_RATE_LIMITED, 529, 0, FREE,
	  "API Error: Repeated 529 Overloaded errors. The API is at capacity \xe2\x80\x94 this is usually temporary. Try "
	  "again in a moment. If it persists, check your inference gateway (127.0.0.1:18080).", "" },
	{ "claude-2.1.332-tools", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 3, { 230, 71, 550, 50, 2700 },
	  "", "It is made." },
	{ "claude-2.1.332-429", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, { 100, 20, 0, 0, 800 },
	  "", "let in" },
	{ "claude-2.1.332-cut", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, { 100, 20, 0, 0, 800 },
	  "", "This text is cut in the middle of it, which is a pity, it really is, since it was so long." },
	{ "claude-2.1.332-failtool", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 2, { 200, 40, 0, 0, 1600 },
	  "", "it failed, I go on" },
	{ "claude-2.1.332-sub", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 2, { 3030, 330, 0, 0, 18720 },
	  "", "delegated" },
	{ "claude-2.1.332-background", TRANSCRIPT_CLAUDE, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 3, { 50, 50, 0, 0, 1200 },
	  "", "started" },
	{ "claude-2.1.332-401", TRANSCRIPT_CLAUDE, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 401, 0, FREE,
	  "401: Invalid API key \xc2\xb7 Fix external API key", "" },
	{ "claude-2.1.332-nologin", TRANSCRIPT_CLAUDE, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 0, 0, FREE,
	  "Not logged in \xc2\xb7 Please run /login", "" },
	{ "claude-2.1.332-credit", TRANSCRIPT_CLAUDE, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 400, 0, FREE,
	  "400: Credit balance is too low", "" },
	{ "claude-2.1.332-broken", TRANSCRIPT_CLAUDE, TRANSCRIPT_OVERLOADED, PROTO_CLASS_RATE_LIMITED, 500, 0, FREE,
	  "API Error: 500 Internal server error. This is a server-side issue, usually temporary \xe2\x80\x94 try again "
	  "in a moment. If it persists, check your inference gateway (127.0.0.1:36415).", "" },
	{ "claude-2.1.332-notfound", TRANSCRIPT_CLAUDE, TRANSCRIPT_REQUEST, PROTO_CLASS_CONFIG, 404, 0, FREE,
	  "404: There's an issue with the selected model (claude-opus-5-5). It may not exist or you may not have access "
	  "to it. Run --model to pick a different model.", "" },
	{ "claude-2.1.332-toolong", TRANSCRIPT_CLAUDE, TRANSCRIPT_REQUEST, PROTO_CLASS_AGENT, 400, 0, FREE,
	  "400: Prompt is too long \xc2\xb7 the request is ~250000 tokens (limit 200000) but this conversation is only "
	  "~2635 tokens \xe2\x80\x94 the rest is system prompt, tool definitions, and attachment content. A "
	  "single-exchange conversation cannot be compacted; reduce attached files/tools or start with less context.", "" },
	{ "claude-2.1.332-refused", TRANSCRIPT_CLAUDE, TRANSCRIPT_NETWORK, PROTO_CLASS_ENVIRONMENT, 0, 0, FREE,
	  "API Error: Connection refused \xe2\x80\x94 a firewall or proxy may be blocking it (ECONNREFUSED)", "" },
	{ "claude-2.1.332-maxturns", TRANSCRIPT_CLAUDE, TRANSCRIPT_MAX_TURNS, PROTO_CLASS_AGENT, 0, 2, { 200, 40, 0, 0, 1600 },
	  "Reached maximum number of turns (2)", "" },
	{ "claude-2.1.332-maxbudget", TRANSCRIPT_CLAUDE, TRANSCRIPT_BUDGET, PROTO_CLASS_BUDGET, 0, 3, { 300, 60, 0, 0, 2400 },
	  "Reached maximum budget ($0.002)", "" },
	{ "claude-2.1.332-hang", TRANSCRIPT_CLAUDE, TRANSCRIPT_EXIT, PROTO_CLASS_AGENT, 0, 0, UNTOLD,
	  "exit 143, and its transcript breaks off", "" },
	{ "claude-2.1.332-root", TRANSCRIPT_CLAUDE, TRANSCRIPT_SETUP, PROTO_CLASS_CONFIG, 0, 0, UNTOLD,
	  "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons", "" },
	{ "claude-2.1.332-badopt", TRANSCRIPT_CLAUDE, TRANSCRIPT_SETUP, PROTO_CLASS_CONFIG, 0, 0, UNTOLD,
	  "error: unknown option '--no-such-option'", "" },
	{ "codex-ok", TRANSCRIPT_CODEX, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CODEX_HELLO,
	  "", "hello from mock" },
	{ "codex-mcp", TRANSCRIPT_CODEX, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CODEX_HELLO,
	  "", "hello from mock" },
	{ "codex-429x2", TRANSCRIPT_CODEX, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, CODEX_HELLO,
	  "", "hello from mock" },
	{ "codex-401", TRANSCRIPT_CODEX, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 401, 0, UNTOLD,
	  "401: invalid x-api-key", "" },
	{ "codex-quota", TRANSCRIPT_CODEX, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 0, 0, UNTOLD,
	  "Quota exceeded. Check your plan and billing details.", "" },
	{ "codex-0.171.0-tools", TRANSCRIPT_CODEX, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, { 280, 71, 550, 0, -1 },
	  "", "It is made." },
	{ "codex-0.171.0-429", TRANSCRIPT_CODEX, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, { 100, 20, 0, 0, -1 },
	  "", "let in" },
	{ "codex-0.171.0-failtool", TRANSCRIPT_CODEX, TRANSCRIPT_OK, PROTO_CLASS_NONE, 0, 1, { 200, 40, 0, 0, -1 },
	  "", "it failed, I go on" },
	{ "codex-0.171.0-401", TRANSCRIPT_CODEX, TRANSCRIPT_AUTH, PROTO_CLASS_CONFIG, 401, 0, UNTOLD,
	  "401: invalid x-api-key", "" },
	{ "codex-0.171.0-credit", TRANSCRIPT_CODEX, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 0, 0, UNTOLD,
	  "Your credit balance is too low to access the Anthropic API.", "" },
	{ "codex-0.171.0-quota", TRANSCRIPT_CODEX, TRANSCRIPT_NO_CREDIT, PROTO_CLASS_RATE_LIMITED, 0, 0, UNTOLD,
	  "Quota exceeded. Check your plan and billing details.", "" },
	{ "codex-0.171.0-overload", TRANSCRIPT_CODEX, TRANSCRIPT_OVERLOADED, PROTO_CLASS_RATE_LIMITED, 529, 0, UNTOLD,
	  "529: Overloaded", "" },
	{ "codex-0.171.0-broken", TRANSCRIPT_CODEX, TRANSCRIPT_OVERLOADED, PROTO_CLASS_RATE_LIMITED, 0, 0, UNTOLD,
	  "We\xe2\x80\x99re currently experiencing high demand, which may cause temporary errors.", "" },
	{ "codex-0.171.0-notfound", TRANSCRIPT_CODEX, TRANSCRIPT_REQUEST, PROTO_CLASS_CONFIG, 404, 0, UNTOLD,
	  "404: model: mock", "" },
	{ "codex-0.171.0-toolong", TRANSCRIPT_CODEX, TRANSCRIPT_REQUEST, PROTO_CLASS_AGENT, 0, 0, UNTOLD,
	  "prompt is too long: 250000 tokens > 200000 maximum", "" },
	{ "codex-0.171.0-refused", TRANSCRIPT_CODEX, TRANSCRIPT_NETWORK, PROTO_CLASS_ENVIRONMENT, 0, 0, UNTOLD,
	  "Reconnecting... waiting for network (Connection failed: error sending request)", "" },
	{ "codex-0.171.0-cut", TRANSCRIPT_CODEX, TRANSCRIPT_NETWORK, PROTO_CLASS_ENVIRONMENT, 0, 0, UNTOLD,
	  "stream disconnected before completion: Transport error: network error: error decoding response body", "" },
	{ "codex-0.171.0-badurl", TRANSCRIPT_CODEX, TRANSCRIPT_SETUP, PROTO_CLASS_CONFIG, 0, 0, UNTOLD,
	  "stream disconnected before completion: builder error", "" },
	{ "codex-0.171.0-badopt", TRANSCRIPT_CODEX, TRANSCRIPT_SETUP, PROTO_CLASS_CONFIG, 0, 0, UNTOLD,
	  "error: unexpected argument '--no-such-option' found", "" },
	{ "codex-0.171.0-hang", TRANSCRIPT_CODEX, TRANSCRIPT_EXIT, PROTO_CLASS_AGENT, 0, 0, UNTOLD,
	  "exit 143, and its transcript breaks off", "" },
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
	assert_int_equal(v->succeeded, want->reason == TRANSCRIPT_OK);
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

/* Reads the case in pieces of `piece` bytes; 0: all at once. */
static void read_case(const struct truth *want, struct rv_str out, struct rv_str err, size_t piece)
{
	struct transcript t;
	struct transcript_verdict v;
	size_t at, step = piece ? piece : out.bytes + 1;

	transcript_init(&t, want->format);
	for (at = 0; at < out.bytes; at += step)
		transcript_feed(&t, TRANSCRIPT_STDOUT, rv_str(out.at + at, rv_min_u64(step, out.bytes - at)));
	for (at = 0; at < err.bytes; at += step)
		transcript_feed(&t, TRANSCRIPT_STDERR, rv_str(err.at + at, rv_min_u64(step, err.bytes - at)));
	transcript_end(&t, exit_of(want->name), 0, 0, &v);
	expect(want, &t, &v);
	transcript_release(&t);
}

static void each_real_transcript_is_what_happened(void **state)
{
	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(truths); i++) {
		static const size_t pieces[] = { 0, 1, 7, 4096 };
		struct rv_buf out, err;

		print_message("%s\n", truths[i].name);
		read_all(truths[i].name, ".out", &out);
		read_all(truths[i].name, ".err", &err);
		assert_true(out.bytes + err.bytes > 0);
		for (size_t p = 0; p < RV_ARRAY_LEN(pieces); p++)
			read_case(&truths[i], rv_buf_str(&out), rv_buf_str(&err), pieces[p]);
		rv_buf_release(&out);
		rv_buf_release(&err);
	}
}

/* Every file that is there is in the table. */
static void no_transcript_is_left_out(void **state)
{
	char line[128], found[64];
	FILE *f = fopen(DIR "exit-status.txt", "r");
	size_t count = 0, i;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%63s", found), 1);
		for (i = 0; i < RV_ARRAY_LEN(truths) && strcmp(truths[i].name, found); i++)
			;
		if (i == RV_ARRAY_LEN(truths))
			print_error("%s is not in the table\n", found);
		assert_true(i < RV_ARRAY_LEN(truths));
		count++;
	}
	(void)fclose(f);
	assert_int_equal(count, RV_ARRAY_LEN(truths));
}

/* --- what a transcript that is not whole says ------------------------------------------------------------------------------ */

static void end_of(enum transcript_format format, struct rv_str out, int exit, int signal, struct transcript *t, struct transcript_verdict *v)
{
	transcript_init(t, format);
	transcript_feed(t, TRANSCRIPT_STDOUT, out);
	transcript_end(t, exit, signal, 0, v);
}

/* Wherever it breaks off before its last line is whole, it is no success, and what it used never shrinks. */
static void a_transcript_cut_anywhere_is_no_success(void **state)
{
	static const char *const names[] = { "claude-2.1.332-tools", "codex-0.171.0-tools" };

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++) {
		enum transcript_format format = i ? TRANSCRIPT_CODEX : TRANSCRIPT_CLAUDE;
		struct transcript_verdict v;
		struct transcript t;
		uint64_t used = 0;
		struct rv_buf out;

		read_all(names[i], ".out", &out);
		for (size_t n = 0; n < out.bytes - 1; n++) {
			end_of(format, rv_str(out.at, n), 0, 0, &t, &v);
			assert_false(v.succeeded);
			assert_int_equal(v.trouble.reason, TRANSCRIPT_NO_RESULT);
			assert_int_equal(v.trouble.class, PROTO_CLASS_AGENT);
			assert_true(transcript_tokens(&t.usage) >= used);
			used = transcript_tokens(&t.usage);
			transcript_release(&t);
		}
		end_of(format, rv_str(out.at, out.bytes - 1), 0, 0, &t, &v); /* only the newline is missing */
		assert_true(v.succeeded);
		transcript_release(&t);
		rv_buf_release(&out);
	}
}

static void a_killed_agent_says_what_it_was_at(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;

	(void)state;
	read_all("claude-401", ".out", &out);
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 0, 15, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_AUTH);
	assert_int_equal(v.trouble.times, 7);
	transcript_release(&t);
	rv_buf_release(&out);

	read_all("claude-2.1.332-hang", ".out", &out);
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 0, 9, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_SIGNAL);
	assert_string_equal(v.trouble.sentence, "killed by signal 9");
	transcript_release(&t);
	rv_buf_release(&out);
}

static void exit_and_transcript_have_to_agree(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;

	(void)state;
	read_all("claude-ok", ".out", &out);
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 3, 0, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_EXIT);
	assert_string_equal(v.trouble.sentence, "exit 3, although its transcript says that it succeeded");
	transcript_release(&t);
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 0, 11, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_SIGNAL);
	transcript_release(&t);
	rv_buf_release(&out);

	read_all("claude-2.1.332-maxturns", ".out", &out);
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 0, 0, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_MAX_TURNS);
	assert_false(v.succeeded);
	transcript_release(&t);
	rv_buf_release(&out);

	end_of(TRANSCRIPT_CLAUDE, RV_STR(""), 0, 0, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_NO_RESULT);
	assert_string_equal(v.trouble.sentence, "exit 0, but it printed no transcript");
	transcript_release(&t);
	end_of(TRANSCRIPT_NONE, RV_STR("whatever\n"), 0, 0, &t, &v);
	assert_true(v.succeeded);
	transcript_release(&t);
	end_of(TRANSCRIPT_NONE, RV_STR("whatever\n"), 1, 0, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_EXIT);
	assert_string_equal(v.trouble.sentence, "exit 1");
	transcript_release(&t);
}

/* --- usage ------------------------------------------------------------------------------------------------------------------- */

static void sessions_one_after_the_other_add_up(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf all, one;

	(void)state;
	read_all("claude-2.1.332-background", ".out", &all);
	read_all("claude-2.1.332-tools", ".out", &one);
	assert_int_equal(rv_buf_put_str(&all, rv_buf_str(&one)), 0);
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&all), 0, 0, &t, &v);
	assert_true(v.succeeded);
	assert_string_equal(t.message.at, "It is made.");
	assert_int_equal(t.turns, 6);
	assert_int_equal(t.usage.input_tokens, 50 + 230);
	assert_int_equal(t.usage.output_tokens, 50 + 71);
	assert_int_equal(t.usage.cache_read_tokens, 550);
	assert_int_equal(t.usage.cost_microusd, 1200 + 2700);
	transcript_release(&t);
	rv_buf_release(&all);
	rv_buf_release(&one);

	read_all("codex-0.171.0-401", ".out", &all);
	read_all("codex-ok", ".out", &one);
	assert_int_equal(rv_buf_put_str(&all, rv_buf_str(&one)), 0);
	assert_int_equal(rv_buf_put_str(&all, rv_buf_str(&one)), 0);
	end_of(TRANSCRIPT_CODEX, rv_buf_str(&all), 0, 0, &t, &v);
	assert_true(v.succeeded);
	assert_int_equal(t.usage.input_tokens, 2 * 118);
	assert_int_equal(t.usage.output_tokens, 2 * 42);
	transcript_release(&t);
	rv_buf_release(&all);
	rv_buf_release(&one);
}

/* An answer comes block by block, each with the usage of the answer so far; helpers answer in between. */
static void an_answer_is_counted_once(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;
	unsigned i, block;

	(void)state;
	rv_buf_init(&out, 0);
	(void)rv_buf_puts(&out, "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s\"}\n");
	for (i = 0; i < 1000; i++)
		for (block = 1; block <= 3; block++) {
			(void)rv_buf_printf(&out, "{\"type\":\"assistant\",\"message\":{\"id\":\"m%u\",\"usage\":{\"input_tokens\":10,\"output_tokens\":%u}}}\n",
					    i, block);
			(void)rv_buf_printf(&out, "{\"type\":\"assistant\",\"parent_tool_use_id\":\"t\",\"message\":{\"id\":\"h%u\",\"usage\":{\"input_tokens\":1}}}\n",
					    i);
		}
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 0, 15, &t, &v);
	assert_int_equal(t.usage.input_tokens, 11000);
	assert_int_equal(t.usage.output_tokens, 3000);
	assert_int_equal(t.turns, 1000);
	transcript_release(&t);

	/* What the session tells at its end takes the place of all of it, and a late block of an old answer adds nothing. */
	(void)rv_buf_puts(&out, "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"s\",\"usage\":{\"input_tokens\":9}}\n"
				"{\"type\":\"assistant\",\"message\":{\"id\":\"m999\",\"usage\":{\"input_tokens\":10}}}\n");
	end_of(TRANSCRIPT_CLAUDE, rv_buf_str(&out), 0, 0, &t, &v);
	assert_int_equal(t.usage.input_tokens, 9);
	assert_false(v.succeeded); /* it went on after its result */
	transcript_release(&t);
	rv_buf_release(&out);
}

static void figures_saturate(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;
	unsigned i;

	(void)state;
	rv_buf_init(&out, 0);
	for (i = 0; i < 3000; i++)
		(void)rv_buf_puts(&out, "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":18446744073709551616,\"cached_input_tokens\":-5,"
					"\"output_tokens\":1e300}}\n");
	end_of(TRANSCRIPT_CODEX, rv_buf_str(&out), 0, 0, &t, &v);
	assert_true(v.succeeded);
	assert_true(t.usage.input_tokens == UINT64_MAX);
	assert_true(t.usage.output_tokens == UINT64_MAX);
	assert_int_equal(t.usage.cache_read_tokens, 0);
	assert_true(transcript_tokens(&t.usage) == UINT64_MAX);
	transcript_release(&t);
	rv_buf_release(&out);
}

/* --- how long to wait ---------------------------------------------------------------------------------------------------------- */

static void what_the_agent_says_of_waiting_is_heard(void **state)
{
	static const struct {
		enum transcript_format format;
		const char *out;
		uint64_t real_s, after_ms;
	} cases[] = {
		{ TRANSCRIPT_CODEX, "{\"type\":\"turn.failed\",\"error\":{\"message\":\"You've hit your usage limit. Upgrade or try again in 1 day 2 hours 3 minutes.\"}}",
		  0, ((86400 + 2 * 3600 + 3 * 60) * 1000ull) },
		{ TRANSCRIPT_CODEX, "{\"type\":\"turn.failed\",\"error\":{\"message\":\"Rate limit reached. Please try again in 1.25s.\"}}", 0, 1250 },
		{ TRANSCRIPT_CODEX, "{\"type\":\"turn.failed\",\"error\":{\"message\":\"Rate limit reached. Please try again in 20ms.\"}}", 0, 20 },
		{ TRANSCRIPT_CODEX, "{\"type\":\"turn.failed\",\"error\":{\"message\":\"Rate limit reached. Please try again in a while.\"}}", 0, 0 },
		{ TRANSCRIPT_CLAUDE, "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":true,\"result\":\"Claude AI usage limit reached|1749924000\"}",
		  1749920400, 3600000 },
		{ TRANSCRIPT_CLAUDE, "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\",\"resetsAt\":1749924000}}", 1749923000, 1000000 },
		{ TRANSCRIPT_CLAUDE, "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\",\"resetsAt\":1749924000}}", 1749925000, 0 },
		{ TRANSCRIPT_CLAUDE, "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\",\"resetsAt\":9007199254740992}}", 0, 18446744073709000 },
		{ TRANSCRIPT_CLAUDE, "{\"type\":\"system\",\"subtype\":\"api_retry\",\"error_status\":429,\"error\":\"rate_limit\",\"retry_delay_ms\":2000}", 0, 2000 },
	};

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct transcript_verdict v;
		struct transcript t;

		transcript_init(&t, cases[i].format);
		transcript_feed(&t, TRANSCRIPT_STDOUT, rv_str_of(cases[i].out));
		transcript_end(&t, 1, 0, cases[i].real_s * RV_US_PER_S, &v);
		assert_string_equal(transcript_reason_word(v.trouble.reason), "rate_limit");
		assert_int_equal(v.trouble.class, PROTO_CLASS_RATE_LIMITED);
		assert_int_equal(v.trouble.retry_after_us, cases[i].after_ms * 1000);
		transcript_release(&t);
	}
}

/* --- hostile lines --------------------------------------------------------------------------------------------------------------- */

#define GOOD "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":1}}\n"

static void repeat(struct rv_buf *b, const char *text, size_t times)
{
	while (times--)
		assert_int_equal(rv_buf_puts(b, text), 0);
}

/* The line before a good one neither hurts nor hides it. */
static void harmless(struct rv_buf *line, uint64_t lines_long)
{
	struct transcript_verdict v;
	struct transcript t;

	(void)rv_buf_puts(line, "\n" GOOD);
	end_of(TRANSCRIPT_CODEX, rv_buf_str(line), 0, 0, &t, &v);
	assert_true(v.succeeded);
	assert_int_equal(t.usage.input_tokens, 1);
	assert_int_equal(t.events, 1);
	assert_int_equal(t.lines_long, lines_long);
	assert_true(t.line.capacity <= (64 << 10));
	transcript_release(&t);
	rv_buf_reset(line);
}

static void hostile_lines_are_passed_over(void **state)
{
	struct rv_buf line;

	(void)state;
	rv_buf_init(&line, 0);
	repeat(&line, "[", 1000000);
	harmless(&line, 0);
	repeat(&line, "{\"type\":", 400000);
	harmless(&line, 0);
	(void)rv_buf_puts(&line, "{\"type\":[");
	repeat(&line, "{},", 1000000);
	harmless(&line, 0);
	(void)rv_buf_puts(&line, "{\"type\":");
	repeat(&line, "9", 1000000);
	(void)rv_buf_puts(&line, "}");
	harmless(&line, 0);
	(void)rv_buf_puts(&line, "{\"type\":1e999999}");
	harmless(&line, 0);
	(void)rv_buf_put(&line, "\0\0\0\xff\xfe{}", 7);
	harmless(&line, 0);
	(void)rv_buf_puts(&line, "{\"type\":\"turn.completed\"");
	harmless(&line, 0);
	repeat(&line, "x", TRANSCRIPT_LINE_BYTES_MAX + 1);
	harmless(&line, 1);
	(void)rv_buf_puts(&line, "{\"type\":7,\"usage\":\"a\"}\n{\"type\":null}\n[]\n{}\n\"turn.failed\"\n{\"type\":\"thread.renamed\"}");
	harmless(&line, 0);
	rv_buf_release(&line);
}

/* What real agents write into texts and numbers is mended, not missed. */
static void nearly_json_is_read(void **state)
{
	static const char *const texts[][2] = {
		{ "half a pair \\ud83d", "half a pair \xef\xbf\xbd" },
		{ "\\ude00 the other half", "\xef\xbf\xbd the other half" },
		{ "a pair \\ud83d\\ude00", "a pair \xf0\x9f\x98\x80" },
		{ "half \\ud83d\\u0041", "half \xef\xbf\xbd" "A" },
		{ "nul \\u0000.", "nul \xef\xbf\xbd." },
		{ "bytes \xff\xc3.", "bytes ??." },
		{ "a raw \x01 and \t tab", "a raw   and   tab" },
	};
	struct transcript_verdict v;
	struct transcript t;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++) {
		struct rv_buf out;

		rv_buf_init(&out, 0);
		(void)rv_buf_printf(&out, "{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"n\":123456789012345678901234567890,\"text\":\"%s\"}}\n" GOOD,
				    texts[i][0]);
		end_of(TRANSCRIPT_CODEX, rv_buf_str(&out), 0, 0, &t, &v);
		assert_true(v.succeeded);
		assert_string_equal(t.message.at, texts[i][1]);
		transcript_release(&t);
		rv_buf_release(&out);
	}
}

static void a_last_line_that_is_too_long_is_told(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	(void)rv_buf_puts(&out, "{\"type\":\"turn.started\"}\n{\"type\":\"turn.completed\",\"x\":\"");
	repeat(&out, "y", TRANSCRIPT_LINE_BYTES_MAX);
	(void)rv_buf_puts(&out, "\"}\n");
	end_of(TRANSCRIPT_CODEX, rv_buf_str(&out), 0, 0, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_NO_RESULT);
	assert_string_equal(v.trouble.sentence, "exit 0, but its transcript breaks off; lines longer than 4 MiB were not read: 1");
	transcript_release(&t);
	rv_buf_release(&out);
}

/* A sentence is one line of UTF-8, whatever an agent or a provider wrote. */
static void sentences_are_clean(void **state)
{
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;

	(void)state;
	rv_buf_init(&out, 0);
	(void)rv_buf_puts(&out, "{\"type\":\"turn.failed\",\"error\":{\"message\":\"\\u001b[31mred\\u0007 \\r");
	repeat(&out, "\xc3\xa9", 1000);
	(void)rv_buf_puts(&out, "\"}}");
	end_of(TRANSCRIPT_CODEX, rv_buf_str(&out), 1, 0, &t, &v);
	assert_int_equal(v.trouble.reason, TRANSCRIPT_AGENT_ERROR);
	assert_int_equal(strncmp(v.trouble.sentence, " [31mred   \xc3\xa9", 13), 0);
	assert_true(strlen(v.trouble.sentence) < TRANSCRIPT_SENTENCE_BYTES);
	transcript_release(&t);
	rv_buf_release(&out);
}

/* An attempt can make its own log as large as it likes without taking disk. */
static void only_what_was_written_is_read_of_a_log(void **state)
{
	static const char said[] = "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":2,\"output_tokens\":3}}\n";
	struct transcript t;

	(void)state;
	assert_int_equal(mkdirat(scratch_dir(), "logs", 0700), 0);
	scratch_write("logs/stdout.log", said);
	assert_int_equal(truncate(scratch("logs/stdout.log"), (off_t)1 << 40), 0);
	transcript_init(&t, TRANSCRIPT_CODEX);
	node_verdict_read_logs(scratch_dir(), strlen(said), &t);
	assert_int_equal(t.usage.output_tokens, 3);
	assert_int_equal(t.lines_long, 0);
	transcript_release(&t);
}

static void formats_and_reasons_have_names(void **state)
{
	enum transcript_format f;

	(void)state;
	for (unsigned i = 0; i < TRANSCRIPT_FORMAT_COUNT; i++) {
		assert_int_equal(transcript_format_by_name(rv_str_of(transcript_format_name((enum transcript_format)i)), &f), 0);
		assert_int_equal(f, i);
	}
	assert_int_equal(transcript_format_by_name(RV_STR("gemini"), &f), -1);
	for (unsigned i = 0; i < TRANSCRIPT_REASON_COUNT; i++)
		assert_non_null(transcript_reason_word((enum transcript_reason)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_real_transcript_is_what_happened),
		cmocka_unit_test(no_transcript_is_left_out),
		cmocka_unit_test(a_transcript_cut_anywhere_is_no_success),
		cmocka_unit_test(a_killed_agent_says_what_it_was_at),
		cmocka_unit_test(exit_and_transcript_have_to_agree),
		cmocka_unit_test(sessions_one_after_the_other_add_up),
		cmocka_unit_test(an_answer_is_counted_once),
		cmocka_unit_test(figures_saturate),
		cmocka_unit_test(what_the_agent_says_of_waiting_is_heard),
		cmocka_unit_test(hostile_lines_are_passed_over),
		cmocka_unit_test(nearly_json_is_read),
		cmocka_unit_test(a_last_line_that_is_too_long_is_told),
		cmocka_unit_test(sentences_are_clean),
		cmocka_unit_test_setup_teardown(only_what_was_written_is_read_of_a_log, scratch_make, scratch_drop),
		cmocka_unit_test(formats_and_reasons_have_names),
	};

	return RUN(tests);
}
