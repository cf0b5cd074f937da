/* transcript_codex.c - the events of `codex exec --json`
 *
 *	thread.started      a session begins: its id
 *	turn.started        a prompt is worked on
 *	item.*              what was said and done: agent_message, command_execution, file_change, mcp_tool_call, ...
 *	error               the provider refused; "Reconnecting... 2/5" while the agent asks again
 *	turn.completed      the end, with the usage of the turn; `turn.failed` with the error
 *
 * `input_tokens` contain those from the cache, `output_tokens` those of reasoning. Neither cost, model nor version is told.
 */
#include "node/agents/transcript_events.h"
#include "node/agents/transcript_line.h"
#include "node/agents/transcript_trouble.h"

static void begin(struct transcript *t, const json_t *e)
{
	transcript_session_set(t, transcript_text_of(e, "thread_id"));
	transcript_progress(t);
	t->last_word = TRANSCRIPT_OPEN;
}

static void item_completed(struct transcript *t, const json_t *item)
{
	if (transcript_is(item, "type", "error"))
		return; /* a warning; what ends a turn comes as an event of its own */
	transcript_progress(t);
	if (transcript_is(item, "type", "agent_message"))
		transcript_message_set(t, transcript_text_of(item, "text"));
}

static void error(struct transcript *t, struct rv_str text)
{
	struct transcript_told told = { .text = text, .otherwise = TRANSCRIPT_AGENT_ERROR };

	t->trouble.times++;
	transcript_trouble_read(&told, &t->trouble);
}

static void turn_completed(struct transcript *t, const json_t *e)
{
	const json_t *usage = json_object_get(e, "usage");
	uint64_t input = transcript_count_of(usage, "input_tokens");
	struct transcript_usage u = { .output_tokens = transcript_count_of(usage, "output_tokens"),
				      .cache_read_tokens = transcript_count_of(usage, "cached_input_tokens"),
				      .cache_write_tokens = transcript_count_of(usage, "cache_write_input_tokens"),
				      .cost_microusd = -1 };

	u.input_tokens = rv_sat_sub(input, u.cache_read_tokens + u.cache_write_tokens);
	transcript_usage_add(&t->told, &u);
	transcript_usage_add(&t->usage, &u);
	t->turns++;
	transcript_progress(t);
	t->last_word = TRANSCRIPT_ENDED_WELL;
}

bool transcript_codex_event(struct transcript *t, const json_t *event)
{
	if (transcript_is(event, "type", "thread.started")) {
		begin(t, event);
	} else if (transcript_is(event, "type", "turn.started")) {
		t->last_word = TRANSCRIPT_OPEN;
	} else if (transcript_is(event, "type", "item.completed")) {
		item_completed(t, json_object_get(event, "item"));
	} else if (transcript_is(event, "type", "item.started") || transcript_is(event, "type", "item.updated")) {
		transcript_progress(t);
	} else if (transcript_is(event, "type", "error")) {
		error(t, transcript_text_of(event, "message"));
	} else if (transcript_is(event, "type", "turn.completed")) {
		turn_completed(t, event);
	} else if (transcript_is(event, "type", "turn.failed")) {
		error(t, transcript_text_of(json_object_get(event, "error"), "message"));
		t->trouble.times -= t->trouble.times > 1;
		t->last_word = TRANSCRIPT_ENDED_BADLY;
	} else {
		return false;
	}
	return true;
}
