/* transcript_claude.c - the events of `claude -p --output-format stream-json --verbose`
 *
 *	system/init         a session begins: its id, model and version
 *	system/api_retry    the provider refused; the agent waits and asks again
 *	assistant           one block of an answer, with the usage of the answer so far; several share one message id
 *	user                what tools said
 *	rate_limit_event    what is left of a subscription
 *	result              the end: the final text, usage and cost of the session
 *
 * An answer of model "<synthetic>" is the agent's own, mostly an error told as if the model had said it; field `error` names it.
 */
#include "node/agents/transcript_events.h"
#include "node/agents/transcript_line.h"
#include "node/agents/transcript_trouble.h"

static void read_usage(const json_t *usage, struct transcript_usage *u)
{
	*u = (struct transcript_usage){ .input_tokens = transcript_count_of(usage, "input_tokens"),
					.output_tokens = transcript_count_of(usage, "output_tokens"),
					.cache_read_tokens = transcript_count_of(usage, "cache_read_input_tokens"),
					.cache_write_tokens = transcript_count_of(usage, "cache_creation_input_tokens"),
					.cost_microusd = -1 };
}

static uint32_t status_of(const json_t *e, const char *key)
{
	uint64_t v = transcript_count_of(e, key);

	return v < 1000 ? (uint32_t)v : 0;
}

static void init(struct transcript *t, const json_t *e)
{
	transcript_session_set(t, transcript_text_of(e, "session_id"));
	transcript_name_set(t->model, transcript_text_of(e, "model"));
	transcript_name_set(t->version, transcript_text_of(e, "claude_code_version"));
	transcript_progress(t);
	t->last_word = TRANSCRIPT_OPEN;
}

static void api_retry(struct transcript *t, const json_t *e)
{
	struct transcript_told told = { .status = status_of(e, "error_status"),
					.kind = transcript_text_of(e, "error"),
					.otherwise = TRANSCRIPT_NETWORK }; /* no answer at all has no status */

	t->trouble.times++;
	transcript_trouble_read(&told, &t->trouble);
	if (t->trouble.class == PROTO_CLASS_RATE_LIMITED)
		t->trouble.retry_after_us = transcript_count_of(e, "retry_delay_ms") * 1000;
}

/* The texts of a message, one below the other. Gives false if there is none. */
static bool texts_of(const json_t *message, struct rv_buf *out)
{
	const json_t *content = json_object_get(message, "content"), *block;
	size_t i;

	json_array_foreach(content, i, block) {
		if (!transcript_is(block, "type", "text"))
			continue;
		if (out->bytes)
			(void)rv_buf_putc(out, '\n');
		(void)rv_buf_put_str(out, transcript_text_of(block, "text"));
	}
	return out->bytes > 0;
}

static void failed_answer(struct transcript *t, const json_t *e, struct rv_str text)
{
	struct transcript_told told = { .status = status_of(e, "api_error_status"),
					.kind = transcript_text_of(e, "error"),
					.text = text,
					.otherwise = TRANSCRIPT_AGENT_ERROR };

	if (!told.status) /* that of the requests before, which it gives up */
		told.status = t->trouble.status;
	if (t->trouble.reason == TRANSCRIPT_NETWORK)
		told.otherwise = TRANSCRIPT_NETWORK;
	transcript_trouble_read(&told, &t->trouble);
}

static void assistant(struct transcript *t, const json_t *e)
{
	const json_t *message = json_object_get(e, "message");
	bool synthetic = transcript_is(message, "model", "<synthetic>");
	struct transcript_usage u;
	struct rv_buf text;

	rv_buf_init(&text, TRANSCRIPT_LINE_BYTES_MAX);
	(void)texts_of(message, &text);
	t->failed |= text.failed;
	t->last_word = TRANSCRIPT_OPEN;
	if (transcript_text_of(e, "error").bytes) {
		failed_answer(t, e, rv_buf_str(&text));
	} else if (!synthetic) {
		transcript_progress(t);
		read_usage(json_object_get(message, "usage"), &u);
		if (transcript_message_usage(t, transcript_text_of(message, "id"), &u) && !transcript_text_of(e, "parent_tool_use_id").bytes)
			t->turns++;
		if (text.bytes && !transcript_text_of(e, "parent_tool_use_id").bytes)
			transcript_message_set(t, rv_buf_str(&text));
	}
	rv_buf_release(&text);
}

static void rate_limit(struct transcript *t, const json_t *e)
{
	const json_t *info = json_object_get(e, "rate_limit_info");

	if (!transcript_is(info, "status", "rejected"))
		return;
	t->trouble = (struct transcript_trouble){ .retry_at_s = transcript_count_of(info, "resetsAt") };
	transcript_trouble_set(&t->trouble, TRANSCRIPT_RATE_LIMIT, RV_STR("the usage limit of the subscription is reached"));
}

/* What each model was used for since the session began, by helpers and in the background, too. */
static void add_models(const json_t *models, struct transcript_usage *u)
{
	const char *name;
	json_t *m;

	json_object_foreach((json_t *)models, name, m) {
		struct transcript_usage one = { .input_tokens = transcript_count_of(m, "inputTokens"),
						.output_tokens = transcript_count_of(m, "outputTokens"),
						.cache_read_tokens = transcript_count_of(m, "cacheReadInputTokens"),
						.cache_write_tokens = transcript_count_of(m, "cacheCreationInputTokens"),
						.cost_microusd = -1 };

		transcript_usage_add(u, &one);
	}
}

/* A session that is woken by what it left in the background ends more than once: cost and modelUsage are of all of it, `usage`
 * is of the last part and leaves out helpers. */
static void session_usage(struct transcript *t, const json_t *e)
{
	struct transcript_usage part, all = { .cost_microusd = -1 };
	const json_t *cost = json_object_get(e, "total_cost_usd");

	read_usage(json_object_get(e, "usage"), &part);
	add_models(json_object_get(e, "modelUsage"), &all);
	if (transcript_tokens(&all) < transcript_tokens(&part)) {
		all = t->told;
		transcript_usage_add(&all, &part);
	}
	all.cost_microusd = t->told.cost_microusd;
	if (json_is_number(cost)) {
		double micro = json_number_value(cost) * 1e6;

		if (micro >= 0 && micro < 9e15)
			all.cost_microusd = (int64_t)(micro + 0.5);
	}
	transcript_session_usage(t, &all);
}

static void failed_result(struct transcript *t, const json_t *e)
{
	const json_t *errors = json_object_get(e, "errors"), *first = json_array_get(errors, 0);
	struct rv_str subtype = transcript_text_of(e, "subtype");
	struct transcript_told told = { .status = status_of(e, "api_error_status"),
					.text = transcript_text_of(e, "result"),
					.otherwise = TRANSCRIPT_AGENT_ERROR };

	if (!told.text.bytes && json_is_string(first))
		told.text = rv_str(json_string_value(first), json_string_length(first));
	if (rv_str_equal(subtype, RV_STR("error_max_turns"))) {
		t->trouble = (struct transcript_trouble){ .reason = TRANSCRIPT_OK };
		transcript_trouble_set(&t->trouble, TRANSCRIPT_MAX_TURNS, told.text.bytes ? told.text : RV_STR("its limit of turns is reached"));
	} else if (rv_str_equal(subtype, RV_STR("error_max_budget_usd"))) {
		t->trouble = (struct transcript_trouble){ .reason = TRANSCRIPT_OK };
		transcript_trouble_set(&t->trouble, TRANSCRIPT_BUDGET, told.text.bytes ? told.text : RV_STR("its limit of cost is reached"));
	} else if (!t->trouble.reason || t->trouble.reason == TRANSCRIPT_AGENT_ERROR || told.status) {
		if (!told.text.bytes)
			told.kind = subtype;
		transcript_trouble_read(&told, &t->trouble);
	}
}

static void result(struct transcript *t, const json_t *e)
{
	bool well = transcript_is(e, "subtype", "success") && json_is_false(json_object_get(e, "is_error"));

	transcript_session_set(t, transcript_text_of(e, "session_id"));
	session_usage(t, e);
	t->last_word = well ? TRANSCRIPT_ENDED_WELL : TRANSCRIPT_ENDED_BADLY;
	if (well) {
		transcript_progress(t);
		transcript_message_set(t, transcript_text_of(e, "result"));
	} else {
		failed_result(t, e);
	}
}

bool transcript_claude_event(struct transcript *t, const json_t *event)
{
	if (transcript_is(event, "type", "system")) {
		if (transcript_is(event, "subtype", "init"))
			init(t, event);
		else if (transcript_is(event, "subtype", "api_retry"))
			api_retry(t, event);
		else
			return false;
	} else if (transcript_is(event, "type", "assistant")) {
		assistant(t, event);
	} else if (transcript_is(event, "type", "user")) {
		transcript_progress(t);
	} else if (transcript_is(event, "type", "rate_limit_event")) {
		rate_limit(t, event);
	} else if (transcript_is(event, "type", "result")) {
		result(t, event);
	} else {
		return false;
	}
	return true;
}
