#include "node/agents/transcript_show.h"

#include "node/agents/transcript.h"
#include "node/agents/transcript_line.h"

#include <stdlib.h>

#define HELPER "| "

/* --- pieces ----------------------------------------------------------------------------------------------------------------- */

/* At most `bytes` of a text, not within a character. */
static struct rv_str cut(struct rv_str s, size_t bytes)
{
	if (s.bytes <= bytes)
		return s;
	while (bytes && ((unsigned char)s.at[bytes] & 0xc0) == 0x80)
		bytes--;
	return rv_str(s.at, bytes);
}

static struct rv_str first_line(struct rv_str s)
{
	const char *end = s.bytes ? memchr(s.at, '\n', s.bytes) : NULL;

	return end ? rv_str(s.at, (size_t)(end - s.at)) : s;
}

static struct rv_str trim_end(struct rv_str s)
{
	while (s.bytes && (s.at[s.bytes - 1] == '\n' || s.at[s.bytes - 1] == ' '))
		s.bytes--;
	return s;
}

/* The text in one line, cut: what is left out shows as "...". */
static void put_brief(struct rv_buf *out, struct rv_str text)
{
	struct rv_str line;

	text = trim_end(text);
	line = cut(first_line(text), TRANSCRIPT_SHOWN_BYTES);
	(void)rv_buf_put_str(out, line);
	if (line.bytes < text.bytes)
		(void)rv_buf_puts(out, " ...");
}

/* All lines of a text, each behind `indent`. */
static void put_text(struct rv_buf *out, const char *indent, struct rv_str text)
{
	text = trim_end(text);
	while (text.bytes) {
		struct rv_str line = first_line(text);

		(void)rv_buf_puts(out, indent);
		(void)rv_buf_put_str(out, line);
		(void)rv_buf_putc(out, '\n');
		if (line.bytes == text.bytes)
			break;
		text = rv_str(text.at + line.bytes + 1, text.bytes - line.bytes - 1);
	}
}

/* What a tool answered: its first lines, and how many more. */
static void put_answer(struct rv_buf *out, const char *indent, struct rv_str text)
{
	uint64_t lines = 0;

	text = trim_end(text);
	while (text.bytes) {
		struct rv_str line = first_line(text), shown = cut(line, TRANSCRIPT_SHOWN_BYTES);

		if (++lines <= TRANSCRIPT_SHOWN_LINES) {
			(void)rv_buf_printf(out, "%s  ", indent);
			(void)rv_buf_put_str(out, shown);
			(void)rv_buf_puts(out, shown.bytes < line.bytes ? " ...\n" : "\n");
		}
		if (line.bytes == text.bytes)
			break;
		text = rv_str(text.at + line.bytes + 1, text.bytes - line.bytes - 1);
	}
	if (lines > TRANSCRIPT_SHOWN_LINES)
		(void)rv_buf_printf(out, "%s  ... %llu more lines\n", indent, (unsigned long long)(lines - TRANSCRIPT_SHOWN_LINES));
}

/* FNV-1a: enough to know that a result repeats what was said. */
static uint64_t hash_of(struct rv_str s)
{
	uint64_t h = 14695981039346656037ull;
	size_t i;

	for (i = 0; i < s.bytes; i++)
		h = (h ^ (unsigned char)s.at[i]) * 1099511628211ull;
	return h;
}

static void put_said(struct transcript_show *s, struct rv_buf *out, const char *indent, struct rv_str text)
{
	put_text(out, indent, text);
	s->said = hash_of(text);
	s->said_bytes = text.bytes;
}

static void put_result_text(struct transcript_show *s, struct rv_buf *out, struct rv_str text)
{
	if (text.bytes != s->said_bytes || hash_of(text) != s->said)
		put_text(out, "", text);
}

/* What a call is about: the one argument that people know it by, else all of them. */
static void put_arguments(struct rv_buf *out, const json_t *arguments)
{
	static const char *const telling[] = { "command", "cmd", "file_path", "path", "notebook_path", "pattern", "query", "url", "description", "prompt", "skill" };
	char *all;
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(telling); i++)
		if (transcript_text_of(arguments, telling[i]).bytes) {
			put_brief(out, transcript_text_of(arguments, telling[i]));
			return;
		}
	if (json_is_string(arguments)) {
		put_brief(out, rv_str(json_string_value(arguments), json_string_length(arguments)));
	} else if (json_object_size(arguments) && (all = json_dumps(arguments, JSON_COMPACT))) {
		put_brief(out, rv_str_of(all));
		free(all);
	}
}

/* --- claude --------------------------------------------------------------------------------------------------------------------- */

static void show_block(struct transcript_show *s, const json_t *block, const char *indent, struct rv_buf *out)
{
	if (transcript_is(block, "type", "text")) {
		put_said(s, out, indent, transcript_text_of(block, "text"));
	} else if (transcript_is(block, "type", "thinking")) {
		(void)rv_buf_printf(out, "%s~ ", indent);
		put_brief(out, transcript_text_of(block, "thinking"));
		(void)rv_buf_putc(out, '\n');
	} else if (transcript_is(block, "type", "tool_use") || transcript_is(block, "type", "server_tool_use")) {
		(void)rv_buf_printf(out, "%s> %.*s: ", indent, RV_STR_ARGS(cut(transcript_text_of(block, "name"), TRANSCRIPT_NAME_BYTES)));
		put_arguments(out, json_object_get(block, "input"));
		(void)rv_buf_putc(out, '\n');
	}
}

static void show_tool_result(const json_t *block, const char *indent, struct rv_buf *out)
{
	const json_t *content = json_object_get(block, "content"), *part;
	size_t i;

	if (json_is_true(json_object_get(block, "is_error")))
		(void)rv_buf_printf(out, "%s! the tool failed\n", indent);
	if (json_is_string(content))
		put_answer(out, indent, transcript_text_of(block, "content"));
	json_array_foreach(content, i, part) {
		if (transcript_is(part, "type", "text"))
			put_answer(out, indent, transcript_text_of(part, "text"));
		else
			(void)rv_buf_printf(out, "%s  (%.*s)\n", indent, RV_STR_ARGS(cut(transcript_text_of(part, "type"), TRANSCRIPT_NAME_BYTES)));
	}
}

static void show_message(struct transcript_show *s, const json_t *e, struct rv_buf *out)
{
	const json_t *content = json_object_get(json_object_get(e, "message"), "content"), *block;
	const char *indent = transcript_text_of(e, "parent_tool_use_id").bytes ? HELPER : "";
	bool of_tools = transcript_is(e, "type", "user");
	size_t i;

	json_array_foreach(content, i, block) {
		if (!of_tools)
			show_block(s, block, indent, out);
		else if (transcript_is(block, "type", "tool_result"))
			show_tool_result(block, indent, out);
	}
}

static void show_retry(const json_t *e, struct rv_buf *out)
{
	uint64_t status = transcript_count_of(e, "error_status"), ms = transcript_count_of(e, "retry_delay_ms");
	struct rv_str error = transcript_text_of(e, "error");

	(void)rv_buf_puts(out, "! ");
	if (status)
		(void)rv_buf_printf(out, "%llu ", (unsigned long long)status);
	if (!status && (!error.bytes || rv_str_equal(error, RV_STR("unknown")))) /* no answer came that could have had a status */
		error = RV_STR("the provider cannot be reached");
	(void)rv_buf_put_str(out, cut(error, TRANSCRIPT_NAME_BYTES));
	(void)rv_buf_printf(out, ": asks again in %llu.%llu s (%llu of %llu)\n", (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000 / 100),
			    (unsigned long long)transcript_count_of(e, "attempt"), (unsigned long long)transcript_count_of(e, "max_retries"));
}

static void show_begin(struct rv_buf *out, struct rv_str model, struct rv_str version, struct rv_str session)
{
	(void)rv_buf_puts(out, "* ");
	if (model.bytes)
		(void)rv_buf_printf(out, "%.*s, ", RV_STR_ARGS(cut(model, TRANSCRIPT_NAME_BYTES)));
	if (version.bytes)
		(void)rv_buf_printf(out, "Claude Code %.*s, ", RV_STR_ARGS(cut(version, TRANSCRIPT_NAME_BYTES)));
	(void)rv_buf_printf(out, "session %.*s\n", RV_STR_ARGS(cut(session, TRANSCRIPT_NAME_BYTES)));
}

/* Of the whole session, helpers included, where that is told. */
static uint64_t tokens_of(const json_t *e)
{
	static const char *const kinds[] = { "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
					     "inputTokens",  "outputTokens",  "cacheCreationInputTokens",    "cacheReadInputTokens" };
	const json_t *models = json_object_get(e, "modelUsage");
	json_t *m;
	uint64_t part = 0, all = 0;
	const char *name;
	size_t i;

	for (i = 0; i < 4; i++)
		part += transcript_count_of(json_object_get(e, "usage"), kinds[i]);
	json_object_foreach((json_t *)models, name, m)
		for (i = 4; i < 8; i++)
			all = rv_sat_add(all, transcript_count_of(m, kinds[i]));
	return rv_max_u64(part, all);
}

static void show_result(struct transcript_show *s, const json_t *e, struct rv_buf *out)
{
	const json_t *first = json_array_get(json_object_get(e, "errors"), 0), *cost = json_object_get(e, "total_cost_usd");
	bool well = transcript_is(e, "subtype", "success") && json_is_false(json_object_get(e, "is_error"));

	put_result_text(s, out, transcript_text_of(e, "result"));
	if (json_is_string(first))
		put_text(out, "! ", rv_str(json_string_value(first), json_string_length(first)));
	(void)rv_buf_printf(out, "= %s: ", well ? "succeeded" : "failed");
	if (!well && !transcript_is(e, "subtype", "success"))
		(void)rv_buf_printf(out, "%.*s, ", RV_STR_ARGS(cut(transcript_text_of(e, "subtype"), TRANSCRIPT_NAME_BYTES)));
	(void)rv_buf_printf(out, "%llu tokens", (unsigned long long)tokens_of(e));
	if (json_is_number(cost))
		(void)rv_buf_printf(out, ", $%.4f", json_number_value(cost));
	(void)rv_buf_putc(out, '\n');
}

/* true: it was an event of claude. */
static bool show_claude(struct transcript_show *s, const json_t *e, struct rv_str type, struct rv_buf *out)
{
	if (rv_str_equal(type, RV_STR("system"))) {
		if (transcript_is(e, "subtype", "init"))
			show_begin(out, transcript_text_of(e, "model"), transcript_text_of(e, "claude_code_version"), transcript_text_of(e, "session_id"));
		else if (transcript_is(e, "subtype", "api_retry"))
			show_retry(e, out);
	} else if (rv_str_equal(type, RV_STR("assistant")) || rv_str_equal(type, RV_STR("user"))) {
		show_message(s, e, out);
	} else if (rv_str_equal(type, RV_STR("result"))) {
		show_result(s, e, out);
	} else if (rv_str_equal(type, RV_STR("rate_limit_event"))) {
		if (transcript_is(json_object_get(e, "rate_limit_info"), "status", "rejected"))
			(void)rv_buf_puts(out, "! the usage limit of the subscription is reached\n");
	} else {
		return false;
	}
	return true;
}

/* --- codex ------------------------------------------------------------------------------------------------------------------------ */

static void show_changes(const json_t *item, struct rv_buf *out)
{
	const json_t *changes = json_object_get(item, "changes"), *one;
	size_t i;

	json_array_foreach(changes, i, one) {
		(void)rv_buf_printf(out, "> %.*s: ", RV_STR_ARGS(cut(transcript_text_of(one, "kind"), TRANSCRIPT_NAME_BYTES)));
		put_brief(out, transcript_text_of(one, "path"));
		(void)rv_buf_putc(out, '\n');
	}
}

static void show_command(const json_t *item, bool done, struct rv_buf *out)
{
	const json_t *status = json_object_get(item, "exit_code");

	if (!done) {
		(void)rv_buf_puts(out, "> ");
		put_brief(out, transcript_text_of(item, "command"));
		(void)rv_buf_putc(out, '\n');
		return;
	}
	put_answer(out, "", transcript_text_of(item, "aggregated_output"));
	if (json_is_integer(status) && json_integer_value(status))
		(void)rv_buf_printf(out, "! exit %lld\n", (long long)json_integer_value(status));
}

static void show_mcp(const json_t *item, bool done, struct rv_buf *out)
{
	const json_t *content = json_object_get(json_object_get(item, "result"), "content"), *part;
	struct rv_str error = transcript_text_of(json_object_get(item, "error"), "message");
	size_t i;

	if (!done) {
		(void)rv_buf_printf(out, "> %.*s.%.*s: ", RV_STR_ARGS(cut(transcript_text_of(item, "server"), TRANSCRIPT_NAME_BYTES)),
				    RV_STR_ARGS(cut(transcript_text_of(item, "tool"), TRANSCRIPT_NAME_BYTES)));
		put_arguments(out, json_object_get(item, "arguments"));
		(void)rv_buf_putc(out, '\n');
		return;
	}
	json_array_foreach(content, i, part)
		put_answer(out, "", transcript_text_of(part, "text"));
	put_text(out, "! ", error);
}

static void show_item(struct transcript_show *s, const json_t *item, bool done, struct rv_buf *out)
{
	struct rv_str type = transcript_text_of(item, "type");

	if (rv_str_equal(type, RV_STR("command_execution"))) {
		show_command(item, done, out);
	} else if (rv_str_equal(type, RV_STR("mcp_tool_call"))) {
		show_mcp(item, done, out);
	} else if (!done) {
		return;
	} else if (rv_str_equal(type, RV_STR("agent_message"))) {
		put_said(s, out, "", transcript_text_of(item, "text"));
	} else if (rv_str_equal(type, RV_STR("reasoning"))) {
		(void)rv_buf_puts(out, "~ ");
		put_brief(out, transcript_text_of(item, "text"));
		(void)rv_buf_putc(out, '\n');
	} else if (rv_str_equal(type, RV_STR("file_change"))) {
		show_changes(item, out);
	} else if (rv_str_equal(type, RV_STR("web_search"))) {
		(void)rv_buf_puts(out, "> web_search: ");
		put_brief(out, transcript_text_of(item, "query"));
		(void)rv_buf_putc(out, '\n');
	} else if (rv_str_equal(type, RV_STR("error"))) {
		put_text(out, "! ", transcript_text_of(item, "message"));
	}
}

static bool begins(struct rv_str s, const char *with)
{
	return s.bytes >= strlen(with) && memcmp(s.at, with, strlen(with)) == 0;
}

/* true: it was an event of codex. */
static bool show_codex(struct transcript_show *s, const json_t *e, struct rv_str type, struct rv_buf *out)
{
	if (rv_str_equal(type, RV_STR("thread.started"))) {
		show_begin(out, rv_str("", 0), rv_str("", 0), transcript_text_of(e, "thread_id"));
	} else if (rv_str_equal(type, RV_STR("item.started"))) {
		show_item(s, json_object_get(e, "item"), false, out);
	} else if (rv_str_equal(type, RV_STR("item.completed"))) {
		show_item(s, json_object_get(e, "item"), true, out);
	} else if (rv_str_equal(type, RV_STR("error"))) {
		put_text(out, "! ", transcript_text_of(e, "message"));
	} else if (rv_str_equal(type, RV_STR("turn.failed"))) {
		put_text(out, "= failed: ", first_line(transcript_text_of(json_object_get(e, "error"), "message")));
	} else if (rv_str_equal(type, RV_STR("turn.completed"))) {
		const json_t *usage = json_object_get(e, "usage");

		(void)rv_buf_printf(out, "= succeeded: %llu tokens\n",
				    (unsigned long long)(transcript_count_of(usage, "input_tokens") + transcript_count_of(usage, "output_tokens")));
	} else {
		return begins(type, "thread.") || begins(type, "turn.") || begins(type, "item.");
	}
	return true;
}

/* --- lines -------------------------------------------------------------------------------------------------------------------------- */

void transcript_show_init(struct transcript_show *s)
{
	*s = (struct transcript_show){ .said_bytes = SIZE_MAX };
	rv_buf_init(&s->line, TRANSCRIPT_LINE_BYTES_MAX + 1);
}

void transcript_show_release(struct transcript_show *s)
{
	rv_buf_release(&s->line);
}

static void show_line(struct transcript_show *s, bool ends, struct rv_buf *out)
{
	json_t *event = transcript_line_read(s->line.at, s->line.bytes);
	struct rv_str type = transcript_text_of(event, "type");

	if (!type.bytes) { /* no event at all, or half of one */
		if (ends || event || s->line.at[0] != '{')
			(void)rv_buf_put_str(out, rv_buf_str(&s->line));
		if (ends)
			(void)rv_buf_putc(out, '\n');
	} else if (!show_claude(s, event, type, out)) {
		(void)show_codex(s, event, type, out);
	}
	json_decref(event);
	rv_buf_reset(&s->line);
}

static void take_piece(struct transcript_show *s, struct rv_str piece, bool ends, struct rv_buf *out)
{
	if (s->passed || s->line.bytes + piece.bytes > TRANSCRIPT_LINE_BYTES_MAX || rv_buf_put_str(&s->line, piece)) {
		s->passed += s->line.bytes + piece.bytes;
		rv_buf_reset(&s->line);
	}
	if (!ends)
		return;
	if (s->passed)
		(void)rv_buf_printf(out, "... a line of %llu bytes is not shown; logs --raw has it\n", (unsigned long long)s->passed);
	else
		show_line(s, true, out);
	s->passed = 0;
}

void transcript_show_feed(struct transcript_show *s, struct rv_str bytes, struct rv_buf *out)
{
	while (bytes.bytes) {
		const char *end = memchr(bytes.at, '\n', bytes.bytes);
		size_t n = end ? (size_t)(end - bytes.at) : bytes.bytes;

		take_piece(s, rv_str(bytes.at, n), end != NULL, out);
		n += end != NULL;
		bytes = rv_str(bytes.at + n, bytes.bytes - n);
	}
}

void transcript_show_end(struct transcript_show *s, struct rv_buf *out)
{
	if (s->passed)
		take_piece(s, rv_str("", 0), true, out);
	else if (s->line.bytes)
		show_line(s, false, out);
	s->passed = 0;
}
