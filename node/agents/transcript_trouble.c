#include "node/agents/transcript_trouble.h"

#include "node/jsontext.h"
#include "node/output.h"
#include "node/printed.h"

#include <jansson.h>
#include <stdio.h>

#define LOOKED_AT_BYTES 4096u /* of a text: what names an error stands at its beginning */

struct word {
	const char *text;
	enum transcript_reason reason;
};

/* A used-up balance is told as 400, 402, 403 or 429, so it comes before any status. */
static const struct word credit_words[] = {
	{ "credit balance", TRANSCRIPT_NO_CREDIT },
	{ "insufficient_quota", TRANSCRIPT_NO_CREDIT },
	{ "quota exceeded", TRANSCRIPT_NO_CREDIT },
	{ "exceeded your current quota", TRANSCRIPT_NO_CREDIT },
	{ "billing_error", TRANSCRIPT_NO_CREDIT },
	{ "billing_hard_limit", TRANSCRIPT_NO_CREDIT },
	{ "spend_limit", TRANSCRIPT_NO_CREDIT },
	{ "spend limit", TRANSCRIPT_NO_CREDIT },
	{ "out of credits", TRANSCRIPT_NO_CREDIT },
	{ "payment required", TRANSCRIPT_NO_CREDIT },
};

static const struct word words[] = {
	{ "builder error", TRANSCRIPT_SETUP }, /* no URL */
	{ "authentication_failed", TRANSCRIPT_AUTH },
	{ "authentication_error", TRANSCRIPT_AUTH },
	{ "oauth_org_not_allowed", TRANSCRIPT_AUTH },
	{ "permission_error", TRANSCRIPT_AUTH },
	{ "invalid api key", TRANSCRIPT_AUTH },
	{ "invalid x-api-key", TRANSCRIPT_AUTH },
	{ "incorrect api key", TRANSCRIPT_AUTH },
	{ "run /login", TRANSCRIPT_AUTH },
	{ "not logged in", TRANSCRIPT_AUTH },
	{ "codex login", TRANSCRIPT_AUTH },
	{ "missing environment variable", TRANSCRIPT_AUTH },
	{ "token has expired", TRANSCRIPT_AUTH },
	{ "refresh token", TRANSCRIPT_AUTH },
	{ "unauthorized", TRANSCRIPT_AUTH },
	{ "rate_limit", TRANSCRIPT_RATE_LIMIT },
	{ "rate limit", TRANSCRIPT_RATE_LIMIT },
	{ "too many requests", TRANSCRIPT_RATE_LIMIT },
	{ "usage limit", TRANSCRIPT_RATE_LIMIT },
	{ "session limit", TRANSCRIPT_RATE_LIMIT },
	{ "weekly limit", TRANSCRIPT_RATE_LIMIT },
	{ "hit your limit", TRANSCRIPT_RATE_LIMIT },
	{ "overloaded", TRANSCRIPT_OVERLOADED },
	{ "at capacity", TRANSCRIPT_OVERLOADED },
	{ "high demand", TRANSCRIPT_OVERLOADED },
	{ "server_error", TRANSCRIPT_OVERLOADED },
	{ "internal server error", TRANSCRIPT_OVERLOADED },
	{ "service unavailable", TRANSCRIPT_OVERLOADED },
	{ "bad gateway", TRANSCRIPT_OVERLOADED },
	{ "prompt is too long", TRANSCRIPT_REQUEST },
	{ "context_length_exceeded", TRANSCRIPT_REQUEST },
	{ "context window", TRANSCRIPT_REQUEST },
	{ "model_not_found", TRANSCRIPT_REQUEST },
	{ "invalid_request", TRANSCRIPT_REQUEST },
	{ "connection error", TRANSCRIPT_NETWORK },
	{ "connection failed", TRANSCRIPT_NETWORK },
	{ "connection refused", TRANSCRIPT_NETWORK },
	{ "connectionrefused", TRANSCRIPT_NETWORK },
	{ "unable to connect", TRANSCRIPT_NETWORK },
	{ "econnrefused", TRANSCRIPT_NETWORK },
	{ "econnreset", TRANSCRIPT_NETWORK },
	{ "enotfound", TRANSCRIPT_NETWORK },
	{ "etimedout", TRANSCRIPT_NETWORK },
	{ "fetch failed", TRANSCRIPT_NETWORK },
	{ "request timed out", TRANSCRIPT_NETWORK },
	{ "error sending request", TRANSCRIPT_NETWORK },
	{ "stream disconnected", TRANSCRIPT_NETWORK },
	{ "error decoding response", TRANSCRIPT_NETWORK },
};

/* Only on stderr, of an agent that never began. */
static const struct word setup_words[] = {
	{ "cannot be used with root", TRANSCRIPT_SETUP },
	{ "unknown option", TRANSCRIPT_SETUP },
	{ "unexpected argument", TRANSCRIPT_SETUP },
	{ "unrecognized subcommand", TRANSCRIPT_SETUP },
	{ "invalid value", TRANSCRIPT_SETUP },
	{ "error loading config", TRANSCRIPT_SETUP },
	{ "not inside a trusted directory", TRANSCRIPT_SETUP },
	{ "invalid mcp configuration", TRANSCRIPT_SETUP },
	{ "mcp config file not found", TRANSCRIPT_SETUP },
};

static const enum proto_class classes[TRANSCRIPT_REASON_COUNT] = {
	[TRANSCRIPT_OK] = PROTO_CLASS_NONE,
	[TRANSCRIPT_EXIT] = PROTO_CLASS_AGENT,
	[TRANSCRIPT_SIGNAL] = PROTO_CLASS_AGENT,
	[TRANSCRIPT_NO_RESULT] = PROTO_CLASS_AGENT,
	[TRANSCRIPT_AGENT_ERROR] = PROTO_CLASS_AGENT,
	[TRANSCRIPT_MAX_TURNS] = PROTO_CLASS_AGENT,
	[TRANSCRIPT_BUDGET] = PROTO_CLASS_BUDGET,
	[TRANSCRIPT_RATE_LIMIT] = PROTO_CLASS_RATE_LIMITED,
	[TRANSCRIPT_OVERLOADED] = PROTO_CLASS_RATE_LIMITED,
	[TRANSCRIPT_NO_CREDIT] = PROTO_CLASS_RATE_LIMITED,
	[TRANSCRIPT_AUTH] = PROTO_CLASS_CONFIG,
	[TRANSCRIPT_REQUEST] = PROTO_CLASS_AGENT,
	[TRANSCRIPT_NETWORK] = PROTO_CLASS_ENVIRONMENT,
	[TRANSCRIPT_SETUP] = PROTO_CLASS_CONFIG,
};

/* The first of its words that the text holds. */
static enum transcript_reason find_word(struct rv_str text, const struct word *table, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (node_contains_word(text, rv_str_of(table[i].text)))
			return table[i].reason;
	return TRANSCRIPT_OK;
}

static enum transcript_reason of_status(uint32_t status)
{
	switch (status) {
	case 401:
	case 403:
		return TRANSCRIPT_AUTH;
	case 402:
		return TRANSCRIPT_NO_CREDIT;
	case 408:
		return TRANSCRIPT_NETWORK;
	case 429:
		return TRANSCRIPT_RATE_LIMIT;
	default:
		return status >= 500 && status < 600 ? TRANSCRIPT_OVERLOADED : status >= 400 && status < 500 ? TRANSCRIPT_REQUEST : TRANSCRIPT_OK;
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Three digits at `at` that stand alone and are a status of failure; else 0. */
static uint32_t status_at(struct rv_str s, size_t at)
{
	uint32_t v;

	if (at + 3 > s.bytes || !is_digit(s.at[at]) || !is_digit(s.at[at + 1]) || !is_digit(s.at[at + 2]) ||
	    (at + 3 < s.bytes && (is_digit(s.at[at + 3]) || s.at[at + 3] == '.')))
		return 0;
	v = (uint32_t)(s.at[at] - '0') * 100 + (uint32_t)(s.at[at + 1] - '0') * 10 + (uint32_t)(s.at[at + 2] - '0');
	return v >= 400 && v < 600 ? v : 0;
}

/* A number in a text is a status only behind a word that says so. */
static uint32_t status_in(struct rv_str s)
{
	static const char *const before[] = { "status ", "status: ", "API Error: ", "API Error (", "Repeated ", "HTTP ", "status code " };
	size_t at, i;

	for (at = 0; at < s.bytes; at++)
		for (i = 0; i < RV_ARRAY_LEN(before); i++) {
			struct rv_str b = rv_str_of(before[i]);

			if (at + b.bytes <= s.bytes && memcmp(s.at + at, b.at, b.bytes) == 0 && status_at(s, at + b.bytes))
				return status_at(s, at + b.bytes);
		}
	return 0;
}

static bool find(struct rv_str s, const char *what, size_t *at)
{
	const char *found = s.bytes ? memmem(s.at, s.bytes, what, strlen(what)) : NULL;

	if (found)
		*at = (size_t)(found - s.at);
	return found != NULL;
}

/* "try again in 1 hour 5 minutes", "in 1.5s", "in 20ms": microseconds, 0: it is not said. */
static uint64_t wait_in(struct rv_str s)
{
	static const struct {
		const char *unit;
		uint64_t us;
	} units[] = { { "ms", 1000 }, { "day", 86400ull * 1000000 }, { "d", 86400ull * 1000000 }, { "h", 3600ull * 1000000 },
		      { "m", 60ull * 1000000 }, { "s", 1000000 } };
	uint64_t sum = 0;
	size_t at, i;

	if (!find(s, "try again in ", &at))
		return 0;
	at += strlen("try again in ");
	while (at < s.bytes && is_digit(s.at[at])) {
		uint64_t whole = 0, thousandths = 0, place = 100;

		for (; at < s.bytes && is_digit(s.at[at]); at++)
			whole = rv_min_u64(whole * 10 + (uint64_t)(s.at[at] - '0'), 1000000);
		if (at < s.bytes && s.at[at] == '.')
			for (at++; at < s.bytes && is_digit(s.at[at]); at++, place /= 10)
				thousandths += place * (uint64_t)(s.at[at] - '0');
		while (at < s.bytes && s.at[at] == ' ')
			at++;
		for (i = 0; i < RV_ARRAY_LEN(units); i++)
			if (s.bytes - at >= strlen(units[i].unit) && memcmp(s.at + at, units[i].unit, strlen(units[i].unit)) == 0)
				break;
		if (i == RV_ARRAY_LEN(units))
			break;
		sum = rv_sat_add(sum, whole * units[i].us + thousandths * (units[i].us / 1000));
		while (at < s.bytes && ((s.at[at] | 0x20) >= 'a' && (s.at[at] | 0x20) <= 'z'))
			at++;
		while (at < s.bytes && (s.at[at] == ' ' || s.at[at] == ','))
			at++;
	}
	return sum;
}

/* "usage limit reached|1749924000": seconds since 1970, 0: it is not said. */
static uint64_t time_in(struct rv_str s)
{
	uint64_t v = 0;
	size_t at;

	if (!find(s, "|", &at))
		return 0;
	for (at++; at < s.bytes && is_digit(s.at[at]) && v < 1000000000000ull; at++)
		v = v * 10 + (uint64_t)(s.at[at] - '0');
	return v > 1000000000ull && v < 100000000000ull ? v : 0;
}

void transcript_trouble_set(struct transcript_trouble *trouble, enum transcript_reason reason, struct rv_str sentence)
{
	struct rv_buf clean;
	size_t n, i;

	trouble->reason = reason;
	trouble->class = classes[reason];
	if (sentence.bytes > TRANSCRIPT_SENTENCE_BYTES)
		sentence.bytes = TRANSCRIPT_SENTENCE_BYTES;
	rv_buf_init(&clean, 0);
	(void)node_text_clean(sentence, &clean);
	n = clean.failed ? 0 : clean.bytes;
	if (n >= sizeof(trouble->sentence)) {
		n = sizeof(trouble->sentence) - 1;
		while (n && ((unsigned char)clean.at[n] & 0xc0) == 0x80)
			n--;
	}
	while (n && (clean.at[n - 1] == ' ' || clean.at[n - 1] == '\n'))
		n--;
	memcpy(trouble->sentence, clean.at, n);
	trouble->sentence[n] = 0;
	for (i = 0; i < n; i++)
		if ((unsigned char)trouble->sentence[i] < 0x20 || trouble->sentence[i] == 0x7f)
			trouble->sentence[i] = ' ';
	rv_buf_release(&clean);
}

/* What of the text is worth a sentence: the provider's message without the agent's wrapping and without addresses. */
static struct rv_str kernel(struct rv_str text, json_t **body)
{
	static const char *const ends[] = { ", url: ", ", cf-ray: ", ", request id: ", "\n" };
	size_t at, i;

	*body = NULL;
	if (find(text, "{", &at)) {
		const json_t *error;

		*body = json_loadb(text.at + at, text.bytes - at, JSON_DISABLE_EOF_CHECK, NULL);
		error = json_object_get(*body, "error");
		if (!json_is_object(error))
			error = *body;
		if (json_is_string(json_object_get(error, "message"))) {
			const json_t *m = json_object_get(error, "message");

			return rv_str(json_string_value(m), json_string_length(m));
		}
	}
	if (find(text, "unexpected status ", &at) && find(rv_str(text.at + at, text.bytes - at), ": ", &i))
		text = rv_str(text.at + at + i + 2, text.bytes - at - i - 2);
	for (i = 0; i < RV_ARRAY_LEN(ends); i++)
		if (find(text, ends[i], &at) && at)
			text.bytes = at;
	return text;
}

static void set_sentence(struct transcript_trouble *trouble, enum transcript_reason reason, const struct transcript_told *told)
{
	json_t *body = NULL;
	struct rv_str k = kernel(told->text, &body);
	char number[16], sentence[TRANSCRIPT_SENTENCE_BYTES];
	int cut;

	if (!k.bytes)
		k = told->kind.bytes ? told->kind : rv_str_of(transcript_reason_word(reason));
	cut = (int)rv_min_u64(k.bytes, sizeof(sentence) - 8);
	(void)snprintf(number, sizeof(number), "%u", trouble->status);
	if (trouble->status && !node_contains_word(rv_str(k.at, (size_t)cut), rv_str_of(number)))
		(void)snprintf(sentence, sizeof(sentence), "%s: %.*s", number, cut, k.at);
	else
		(void)snprintf(sentence, sizeof(sentence), "%.*s", cut, k.at);
	transcript_trouble_set(trouble, reason, rv_str_of(sentence));
	json_decref(body);
}

void transcript_trouble_read(const struct transcript_told *told, struct transcript_trouble *trouble)
{
	struct transcript_told t = *told;
	enum transcript_reason reason;

	t.text.bytes = (size_t)rv_min_u64(t.text.bytes, LOOKED_AT_BYTES);
	*trouble = (struct transcript_trouble){ .status = t.status ? t.status : status_in(t.text), .retry_after_us = wait_in(t.text),
						.retry_at_s = time_in(t.text), .times = trouble->times };
	reason = find_word(t.kind, credit_words, RV_ARRAY_LEN(credit_words));
	if (!reason)
		reason = find_word(t.text, credit_words, RV_ARRAY_LEN(credit_words));
	if (!reason)
		reason = of_status(trouble->status);
	if (!reason)
		reason = find_word(t.text, words, RV_ARRAY_LEN(words));
	if (!reason)
		reason = find_word(t.kind, words, RV_ARRAY_LEN(words));
	if (!reason)
		reason = t.otherwise;
	set_sentence(trouble, reason, &t);
	if (reason == TRANSCRIPT_REQUEST && (trouble->status == 404 || node_contains_word(t.kind, RV_STR("model_not_found"))))
		trouble->class = PROTO_CLASS_CONFIG; /* no such model or address: trying again finds none either */
}

bool transcript_trouble_of_stderr(struct rv_str tail, struct transcript_trouble *trouble)
{
	struct transcript_told told = { .otherwise = TRANSCRIPT_OK };
	struct rv_str rest, line = { NULL, 0 };

	for (rest = tail; rest.bytes; rest.bytes = (size_t)(line.at - rest.at)) {
		enum transcript_reason reason;

		line = node_last_line(rest);
		reason = find_word(line, setup_words, RV_ARRAY_LEN(setup_words));
		if (reason) {
			*trouble = (struct transcript_trouble){ .reason = reason };
			transcript_trouble_set(trouble, reason, line);
			return true;
		}
		if (!line.bytes)
			break;
	}
	told.text = node_last_line(tail);
	transcript_trouble_read(&told, trouble);
	return trouble->reason != TRANSCRIPT_OK;
}
