/* transcript.c - lines, usage and the verdict; what events mean is each agent's own file */
#include "node/agents/transcript.h"

#include "node/agents/transcript_events.h"
#include "node/agents/transcript_line.h"
#include "node/agents/transcript_trouble.h"
#include "node/jsontext.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_KEPT_BYTES ((size_t)64 << 10) /* a buffer that grew beyond this for one line is given back */

static const struct transcript_usage NOTHING = { .cost_microusd = -1 };

struct transcript_recent {
	char id[TRANSCRIPT_NAME_BYTES];
	bool told;                     /* in what its session said it used: no more is counted of it */
	struct transcript_usage usage;
};

static const char *const formats[TRANSCRIPT_FORMAT_COUNT] = {
	[TRANSCRIPT_NONE] = "none",
	[TRANSCRIPT_CLAUDE] = "claude",
	[TRANSCRIPT_CODEX] = "codex",
};

static const char *const reasons[TRANSCRIPT_REASON_COUNT] = {
	[TRANSCRIPT_OK] = "ok",
	[TRANSCRIPT_EXIT] = "exit",
	[TRANSCRIPT_SIGNAL] = "signal",
	[TRANSCRIPT_NO_RESULT] = "no_result",
	[TRANSCRIPT_AGENT_ERROR] = "agent_error",
	[TRANSCRIPT_MAX_TURNS] = "max_turns",
	[TRANSCRIPT_BUDGET] = "budget",
	[TRANSCRIPT_RATE_LIMIT] = "rate_limit",
	[TRANSCRIPT_OVERLOADED] = "overloaded",
	[TRANSCRIPT_NO_CREDIT] = "no_credit",
	[TRANSCRIPT_AUTH] = "auth",
	[TRANSCRIPT_REQUEST] = "request",
	[TRANSCRIPT_NETWORK] = "network",
	[TRANSCRIPT_SETUP] = "setup",
};

const char *transcript_format_name(enum transcript_format format)
{
	return formats[format];
}

int transcript_format_by_name(struct rv_str name, enum transcript_format *format)
{
	for (unsigned i = 0; i < TRANSCRIPT_FORMAT_COUNT; i++)
		if (rv_str_equal(name, rv_str_of(formats[i]))) {
			*format = (enum transcript_format)i;
			return 0;
		}
	return -1;
}

const char *transcript_reason_word(enum transcript_reason reason)
{
	return reasons[reason];
}

void transcript_init(struct transcript *t, enum transcript_format format)
{
	*t = (struct transcript){ .format = format, .usage = NOTHING, .earlier = NOTHING, .told = NOTHING, .passed = NOTHING };
	rv_buf_init(&t->line, TRANSCRIPT_LINE_BYTES_MAX + 1);
	rv_buf_init(&t->message, TRANSCRIPT_LINE_BYTES_MAX * 3); /* a byte that is no UTF-8 becomes three */
	rv_buf_init(&t->err_tail, 2 * TRANSCRIPT_STDERR_BYTES);
}

void transcript_release(struct transcript *t)
{
	rv_buf_release(&t->line);
	rv_buf_release(&t->message);
	rv_buf_release(&t->err_tail);
	free(t->recent);
	t->recent = NULL;
}

/* --- what events share --------------------------------------------------------------------------------------------------- */

void transcript_name_set(char name[TRANSCRIPT_NAME_BYTES], struct rv_str value)
{
	size_t n = (size_t)rv_min_u64(value.bytes, TRANSCRIPT_NAME_BYTES - 1), i;

	while (n < value.bytes && n && ((unsigned char)value.at[n] & 0xc0) == 0x80)
		n--;
	if (n)
		memcpy(name, value.at, n);
	name[n] = 0;
	for (i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			name[i] = ' ';
}

void transcript_message_set(struct transcript *t, struct rv_str text)
{
	rv_buf_reset(&t->message);
	(void)node_text_clean(text, &t->message);
	t->failed |= t->message.failed;
}

void transcript_progress(struct transcript *t)
{
	t->trouble = (struct transcript_trouble){ .reason = TRANSCRIPT_OK };
	t->steps++;
}

static void add(uint64_t *to, uint64_t more)
{
	*to = rv_sat_add(*to, more);
}

void transcript_usage_add(struct transcript_usage *to, const struct transcript_usage *more)
{
	add(&to->input_tokens, more->input_tokens);
	add(&to->output_tokens, more->output_tokens);
	add(&to->cache_read_tokens, more->cache_read_tokens);
	add(&to->cache_write_tokens, more->cache_write_tokens);
	if (more->cost_microusd >= 0)
		to->cost_microusd = to->cost_microusd < 0 ? more->cost_microusd :
				    to->cost_microusd > INT64_MAX - more->cost_microusd ? INT64_MAX :
				    to->cost_microusd + more->cost_microusd;
}

static void larger(uint64_t *to, uint64_t other)
{
	*to = rv_max_u64(*to, other);
}

static void count_again(struct transcript *t)
{
	uint32_t i;

	t->usage = t->earlier;
	transcript_usage_add(&t->usage, &t->told);
	transcript_usage_add(&t->usage, &t->passed);
	for (i = 0; t->recent && i < TRANSCRIPT_RECENT; i++)
		transcript_usage_add(&t->usage, &t->recent[i].usage);
}

/* What they said is counted elsewhere from now on. */
static void forget_recent(struct transcript *t)
{
	uint32_t i;

	for (i = 0; t->recent && i < TRANSCRIPT_RECENT; i++) {
		t->recent[i].usage = NOTHING;
		t->recent[i].told = true;
	}
}

static struct transcript_recent *recent_of(struct transcript *t, struct rv_str id, bool *is_new)
{
	struct transcript_recent *r;
	char name[TRANSCRIPT_NAME_BYTES];
	uint32_t i;

	if (!t->recent) {
		t->recent = calloc(TRANSCRIPT_RECENT, sizeof(*t->recent));
		if (!t->recent) {
			t->failed = true;
			return NULL;
		}
		for (i = 0; i < TRANSCRIPT_RECENT; i++)
			t->recent[i].usage = NOTHING;
	}
	transcript_name_set(name, id);
	for (i = 0; i < TRANSCRIPT_RECENT; i++)
		if (strcmp(t->recent[i].id, name) == 0)
			return &t->recent[i];
	r = &t->recent[t->recent_next];
	t->recent_next = (t->recent_next + 1) % TRANSCRIPT_RECENT;
	transcript_usage_add(&t->passed, &r->usage);
	*r = (struct transcript_recent){ .usage = NOTHING };
	memcpy(r->id, name, sizeof(name));
	*is_new = true;
	return r;
}

bool transcript_message_usage(struct transcript *t, struct rv_str id, const struct transcript_usage *u)
{
	bool is_new = false;
	struct transcript_recent *r = id.bytes ? recent_of(t, id, &is_new) : NULL;

	if (!r || r->told)
		return false;
	larger(&r->usage.input_tokens, u->input_tokens);
	larger(&r->usage.output_tokens, u->output_tokens);
	larger(&r->usage.cache_read_tokens, u->cache_read_tokens);
	larger(&r->usage.cache_write_tokens, u->cache_write_tokens);
	count_again(t);
	return is_new;
}

void transcript_session_set(struct transcript *t, struct rv_str id)
{
	char name[TRANSCRIPT_NAME_BYTES];

	transcript_name_set(name, id);
	if (!*name || strcmp(name, t->session) == 0)
		return;
	memcpy(t->session, name, sizeof(name));
	count_again(t);
	t->earlier = t->usage;
	t->told = t->passed = NOTHING;
	forget_recent(t);
}

void transcript_session_usage(struct transcript *t, const struct transcript_usage *u)
{
	t->told = *u;
	t->passed = NOTHING;
	forget_recent(t);
	count_again(t);
}

/* --- lines ----------------------------------------------------------------------------------------------------------------- */

static void take_line(struct transcript *t)
{
	json_t *event = transcript_line_read(t->line.at, t->line.bytes);
	bool known = false;

	if (event && t->format == TRANSCRIPT_CLAUDE)
		known = transcript_claude_event(t, event);
	else if (event && t->format == TRANSCRIPT_CODEX)
		known = transcript_codex_event(t, event);
	json_decref(event);
	if (known)
		t->events++;
	else
		t->lines_foreign++;
	if (t->line.capacity > LINE_KEPT_BYTES) {
		rv_buf_release(&t->line);
		rv_buf_init(&t->line, TRANSCRIPT_LINE_BYTES_MAX + 1);
	} else {
		rv_buf_reset(&t->line);
	}
}

/* A piece of a line, which ends with it or not. */
static void take_piece(struct transcript *t, struct rv_str piece, bool ends)
{
	if (!t->skipping && t->line.bytes + piece.bytes > TRANSCRIPT_LINE_BYTES_MAX) {
		t->skipping = true;
		t->lines_long++;
		rv_buf_release(&t->line);
		rv_buf_init(&t->line, TRANSCRIPT_LINE_BYTES_MAX + 1);
	}
	if (!t->skipping && rv_buf_put_str(&t->line, piece))
		t->failed = t->skipping = true;
	if (!ends)
		return;
	if (t->skipping)
		rv_buf_reset(&t->line);
	else if (t->line.bytes)
		take_line(t);
	t->skipping = false;
}

static void feed_err(struct transcript *t, struct rv_str bytes)
{
	if (bytes.bytes > TRANSCRIPT_STDERR_BYTES)
		bytes = rv_str(bytes.at + bytes.bytes - TRANSCRIPT_STDERR_BYTES, TRANSCRIPT_STDERR_BYTES);
	if (rv_buf_put_str(&t->err_tail, bytes))
		rv_buf_reset(&t->err_tail); /* it knows less then, no more */
	if (t->err_tail.bytes > TRANSCRIPT_STDERR_BYTES)
		rv_buf_consume(&t->err_tail, t->err_tail.bytes - TRANSCRIPT_STDERR_BYTES);
}

void transcript_feed(struct transcript *t, enum transcript_stream stream, struct rv_str bytes)
{
	if (stream == TRANSCRIPT_STDERR) {
		feed_err(t, bytes);
		return;
	}
	while (t->format != TRANSCRIPT_NONE && bytes.bytes) {
		const char *end = memchr(bytes.at, '\n', bytes.bytes);
		size_t n = end ? (size_t)(end - bytes.at) : bytes.bytes;

		take_piece(t, rv_str(bytes.at, n), end != NULL);
		n += end != NULL;
		bytes = rv_str(bytes.at + n, bytes.bytes - n);
	}
}

/* --- the verdict ------------------------------------------------------------------------------------------------------------ */

static void because(struct transcript_trouble *trouble, enum transcript_reason reason, const char *fmt, ...) RV_PRINTF(3, 4);

static void because(struct transcript_trouble *trouble, enum transcript_reason reason, const char *fmt, ...)
{
	char sentence[TRANSCRIPT_SENTENCE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	transcript_trouble_set(trouble, reason, rv_str_of(sentence));
}

static void judge(const struct transcript *t, int exit, int signal, struct transcript_trouble *trouble)
{
	bool spoke = t->events > 0;

	*trouble = t->trouble;
	if (t->failed) {
		because(trouble, TRANSCRIPT_NO_RESULT, "no memory to read the transcript with");
		trouble->class = PROTO_CLASS_ENVIRONMENT;
	} else if (trouble->reason && t->last_word != TRANSCRIPT_ENDED_WELL) {
		return; /* the agent says itself what it is */
	} else if (t->format != TRANSCRIPT_NONE && !spoke && (exit || signal) && transcript_trouble_of_stderr(rv_buf_str(&t->err_tail), trouble)) {
		return;
	} else if (signal) {
		because(trouble, TRANSCRIPT_SIGNAL, "killed by signal %d%s", signal,
			t->last_word == TRANSCRIPT_ENDED_WELL ? ", although its transcript says that it succeeded" : "");
	} else if (exit) {
		because(trouble, TRANSCRIPT_EXIT, "exit %d%s", exit,
			t->format == TRANSCRIPT_NONE ? "" :
			t->last_word == TRANSCRIPT_ENDED_WELL ? ", although its transcript says that it succeeded" :
			spoke ? ", and its transcript breaks off" : ", and no transcript");
	} else if (t->format == TRANSCRIPT_NONE || t->last_word == TRANSCRIPT_ENDED_WELL) {
		*trouble = (struct transcript_trouble){ .reason = TRANSCRIPT_OK };
	} else if (t->last_word == TRANSCRIPT_ENDED_BADLY) {
		because(trouble, TRANSCRIPT_AGENT_ERROR, "exit 0, but its transcript says that it failed");
	} else if (t->lines_long) {
		because(trouble, TRANSCRIPT_NO_RESULT, "exit 0, but its transcript breaks off; lines longer than %zu MiB were not read: %llu",
			TRANSCRIPT_LINE_BYTES_MAX >> 20, (unsigned long long)t->lines_long);
	} else {
		because(trouble, TRANSCRIPT_NO_RESULT, "exit 0, but %s", spoke ? "its transcript breaks off" : "it printed no transcript");
	}
}

void transcript_end(struct transcript *t, int exit, int signal, uint64_t real_us, struct transcript_verdict *verdict)
{
	struct transcript_trouble *trouble = &verdict->trouble;

	if (t->format != TRANSCRIPT_NONE)
		take_piece(t, rv_str("", 0), true);
	judge(t, exit, signal, trouble);
	verdict->succeeded = trouble->reason == TRANSCRIPT_OK;
	if (trouble->retry_at_s && !trouble->retry_after_us)
		trouble->retry_after_us = rv_sat_sub(rv_min_u64(trouble->retry_at_s, UINT64_MAX / RV_US_PER_S) * RV_US_PER_S, real_us);
}

uint64_t transcript_tokens(const struct transcript_usage *u)
{
	return rv_sat_add(rv_sat_add(u->input_tokens, u->output_tokens), rv_sat_add(u->cache_read_tokens, u->cache_write_tokens));
}
