#include "node/output.h"

#include "node/jsontext.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static struct rv_str trim(struct rv_str s)
{
	while (s.bytes && blank(s.at[s.bytes - 1]))
		s.bytes--;
	while (s.bytes && blank(s.at[0])) {
		s.at++;
		s.bytes--;
	}
	return s;
}

struct rv_str node_last_line(struct rv_str text)
{
	size_t from;

	while (text.bytes && blank(text.at[text.bytes - 1]))
		text.bytes--;
	for (from = text.bytes; from && text.at[from - 1] != '\n'; from--)
		;
	return rv_str(text.at + from, text.bytes - from);
}

/* The inside of the fenced block that the text ends with: ```json ... ```. Empty: it ends otherwise. */
static struct rv_str fenced(struct rv_str text)
{
	struct rv_str last, inside, line;
	size_t at;

	text = trim(text);
	last = node_last_line(text);
	if (!rv_str_equal(trim(last), RV_STR("```")))
		return rv_str(NULL, 0);
	inside = rv_str(text.at, (size_t)(last.at - text.at));
	for (at = inside.bytes; at; at = (size_t)(line.at - inside.at)) {
		line = node_last_line(rv_str(inside.at, at));
		if (!line.bytes)
			break;
		if (trim(line).bytes >= 3 && memcmp(trim(line).at, "```", 3) == 0) {
			const char *from = line.at + line.bytes;

			return rv_str(from, (size_t)(inside.at + inside.bytes - from));
		}
	}
	return rv_str(NULL, 0);
}

static int json(struct rv_str text, struct rv_buf *out, struct rv_err *err)
{
	struct rv_str block = fenced(text);

	if (node_json_compact(text, out, err) == 0)
		return 0;
	return block.bytes ? node_json_compact(block, out, err) : -1;
}

int node_output_of_file(struct rv_str content, enum proto_output_mode mode, struct rv_buf *out, bool *is_json, struct rv_err *err)
{
	struct rv_str text = content;

	*is_json = true;
	if (mode == PROTO_OUTPUT_JSON)
		return json(content, out, err);
	if (node_json_compact(content, out, NULL) == 0)
		return 0;
	*is_json = false;
	while (text.bytes && (text.at[text.bytes - 1] == '\n' || text.at[text.bytes - 1] == '\r'))
		text.bytes--;
	return node_text_clean(text, out);
}

int node_output_of_stdout(struct rv_str printed, enum proto_output_mode mode, struct rv_buf *out, bool *is_json, struct rv_err *err)
{
	if (mode == PROTO_OUTPUT_JSON) {
		*is_json = true;
		if (json(printed, out, err) == 0)
			return 0;
		return node_json_compact(node_last_line(printed), out, NULL);
	}
	*is_json = false;
	return node_text_clean(node_last_line(printed), out);
}
