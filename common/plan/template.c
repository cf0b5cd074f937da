/* template.c - filling {{key}} and {place} in a unit's texts; finding values in JSON texts */
#include "template.h"

#define ITEM_KEY RV_STR("item")

const char *plan_place_name(enum plan_place p)
{
	static const char *const name[PLAN_PLACES] = {
		[PLAN_PLACE_PROMPT] = "prompt",       [PLAN_PLACE_PROMPT_FILE] = "prompt_file",
		[PLAN_PLACE_CONTEXT_FILE] = "context_file", [PLAN_PLACE_MANIFEST] = "manifest",
		[PLAN_PLACE_UNIT_ID] = "unit_id",     [PLAN_PLACE_NAMESPACE] = "namespace",
		[PLAN_PLACE_MODEL] = "model",         [PLAN_PLACE_WORKSPACE] = "workspace",
		[PLAN_PLACE_ITEM] = "item",
	};

	return name[p];
}

/* ---- JSON texts ---- */

static size_t skip_blanks(struct rv_str s, size_t at)
{
	while (at < s.bytes && (s.at[at] == ' ' || s.at[at] == '\n' || s.at[at] == '\t' || s.at[at] == '\r'))
		at++;
	return at;
}

/* Behind the closing quote of the string that opens at `at`; 0: none. */
static size_t skip_string(struct rv_str s, size_t at)
{
	for (at++; at < s.bytes; at++) {
		if (s.at[at] == '\\')
			at++;
		else if (s.at[at] == '"')
			return at + 1;
	}
	return 0;
}

/* Behind the value that begins at `at`; 0: the text ends inside it, or nothing stands here. */
static size_t skip_value(struct rv_str s, size_t at)
{
	size_t depth = 0, from = at;

	while (at < s.bytes) {
		char c = s.at[at];

		if (c == '"') {
			at = skip_string(s, at);
			if (!at)
				return 0;
		} else if (c == '{' || c == '[') {
			depth++;
			at++;
		} else if (c == '}' || c == ']') {
			if (!depth)
				return at > from ? at : 0;
			depth--;
			at++;
		} else if (c == ',' && !depth) {
			return at > from ? at : 0;
		} else if (!depth && (c == ' ' || c == '\n' || c == '\t' || c == '\r')) {
			return at > from ? at : 0;
		} else {
			at++;
			continue;
		}
		if (!depth)
			return at;
	}
	return depth || at == from ? 0 : at;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

static int read_hex4(struct rv_str s, size_t at, uint32_t *out)
{
	uint32_t v = 0;
	size_t i;

	if (s.bytes - at < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		if (hex_digit(s.at[at + i]) < 0)
			return -1;
		v = v * 16 + (uint32_t)hex_digit(s.at[at + i]);
	}
	*out = v;
	return 0;
}

static int put_utf8(struct rv_buf *b, uint32_t c)
{
	char u[4];
	size_t n = 0;

	if (c < 0x80) {
		u[n++] = (char)c;
	} else if (c < 0x800) {
		u[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		u[n++] = (char)(0xe0 | c >> 12);
		u[n++] = (char)(0x80 | (c >> 6 & 63));
	} else {
		u[n++] = (char)(0xf0 | c >> 18);
		u[n++] = (char)(0x80 | (c >> 12 & 63));
		u[n++] = (char)(0x80 | (c >> 6 & 63));
	}
	if (c >= 0x80)
		u[n++] = (char)(0x80 | (c & 63));
	return rv_buf_put(b, u, n);
}

/* Appends the characters of a string of JSON, `s` with its quotes. */
static int put_decoded(struct rv_str s, struct rv_buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t i = 1, stop = s.bytes - 1;
	const char *known;
	uint32_t c, low;

	while (i < stop) {
		size_t run = i;

		while (run < stop && s.at[run] != '\\')
			run++;
		if (rv_buf_put(out, s.at + i, run - i))
			return -1;
		i = run;
		if (i >= stop)
			break;
		if (++i >= stop)
			return -1;
		if (s.at[i] != 'u') {
			known = strchr(from, s.at[i]);
			if (!known || !s.at[i] || rv_buf_putc(out, to[known - from]))
				return -1;
			i++;
			continue;
		}
		if (read_hex4(rv_str(s.at, stop), i + 1, &c))
			return -1;
		i += 5;
		if (c >= 0xd800 && c < 0xdc00 && i + 6 <= stop && s.at[i] == '\\' && s.at[i + 1] == 'u' &&
		    read_hex4(rv_str(s.at, stop), i + 2, &low) == 0 && low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			i += 6;
		}
		if (put_utf8(out, c))
			return -1;
	}
	return 0;
}

static struct rv_str trimmed(struct rv_str s)
{
	size_t at = skip_blanks(s, 0), end = s.bytes;

	while (end > at && (s.at[end - 1] == ' ' || s.at[end - 1] == '\n' || s.at[end - 1] == '\t' || s.at[end - 1] == '\r'))
		end--;
	return rv_str(s.at + at, end - at);
}

int plan_json_text(struct rv_str json, struct rv_buf *out)
{
	struct rv_str s = trimmed(json);

	if (s.bytes && s.at[0] == '"')
		return skip_string(s, 0) == s.bytes ? put_decoded(s, out) : -1;
	if (!s.bytes || skip_value(s, 0) != s.bytes)
		return -1;
	return rv_buf_put_str(out, s);
}

/* Is the key (with its quotes) `key`? */
static bool key_is(struct rv_str quoted, struct rv_str key)
{
	struct rv_buf b;
	bool same;

	if (!memchr(quoted.at, '\\', quoted.bytes))
		return rv_str_equal(rv_str(quoted.at + 1, quoted.bytes - 2), key);
	rv_buf_init(&b, 0);
	same = put_decoded(quoted, &b) == 0 && rv_str_equal(rv_buf_str(&b), key);
	rv_buf_release(&b);
	return same;
}

int plan_json_member(struct rv_str object, struct rv_str key, struct rv_str *value)
{
	size_t at = skip_blanks(object, 0), end;
	struct rv_str name;
	int found = 0;

	if (at >= object.bytes || object.at[at] != '{')
		return 0;
	at++;
	for (;;) {
		at = skip_blanks(object, at);
		if (at >= object.bytes || object.at[at] != '"')
			return found;
		end = skip_string(object, at);
		if (!end)
			return 0;
		name = rv_str(object.at + at, end - at);
		at = skip_blanks(object, end);
		if (at >= object.bytes || object.at[at] != ':')
			return 0;
		at = skip_blanks(object, at + 1);
		end = skip_value(object, at);
		if (!end)
			return 0;
		if (key_is(name, key)) {
			*value = rv_str(object.at + at, end - at);
			found = 1;
		}
		at = skip_blanks(object, end);
		if (at >= object.bytes || object.at[at] != ',')
			return found;
		at++;
	}
}

int plan_json_element(struct rv_str array, uint64_t n, struct rv_str *value)
{
	size_t at = skip_blanks(array, 0), end;

	if (at >= array.bytes || array.at[at] != '[')
		return 0;
	for (at++;; n--) {
		at = skip_blanks(array, at);
		end = skip_value(array, at);
		if (!end)
			return 0;
		if (n == 0) {
			*value = rv_str(array.at + at, end - at);
			return 1;
		}
		at = skip_blanks(array, end);
		if (at >= array.bytes || array.at[at] != ',')
			return 0;
		at++;
	}
}

/* ---- keys ---- */

static int step_into(struct rv_str json, struct rv_str part, struct rv_str *value)
{
	uint64_t n = 0;
	size_t i;

	if (!json.bytes || !part.bytes)
		return 0;
	if (json.at[0] == '{')
		return plan_json_member(json, part, value);
	if (json.at[0] != '[' || part.bytes > 9)
		return 0;
	for (i = 0; i < part.bytes; i++) {
		if (part.at[i] < '0' || part.at[i] > '9')
			return 0;
		n = n * 10 + (uint64_t)(part.at[i] - '0');
	}
	return plan_json_element(json, n, value);
}

/* Follows .a.0 from `json`; `rest` is empty or begins with a point. */
static int reach(struct rv_str json, struct rv_str rest, struct rv_str *value)
{
	while (rest.bytes) {
		const char *stop = memchr(rest.at + 1, '.', rest.bytes - 1);
		size_t n = stop ? (size_t)(stop - rest.at) : rest.bytes;

		if (!step_into(json, rv_str(rest.at + 1, n - 1), &json))
			return 0;
		rest = rv_str(rest.at + n, rest.bytes - n);
	}
	*value = json;
	return 1;
}

static int find_root(const struct plan_scope *scope, struct rv_str key, struct rv_str *json)
{
	int i;

	if (scope->item.at && rv_str_equal(key, ITEM_KEY)) {
		*json = trimmed(scope->item);
		return 1;
	}
	for (i = PLAN_SCOPE_LAYERS - 1; i >= 0; i--) {
		if (scope->layer[i].bytes && plan_json_member(scope->layer[i], key, json))
			return 1;
	}
	return 0;
}

int plan_scope_find(const struct plan_scope *scope, struct rv_str key, struct rv_str *json)
{
	struct rv_str root = key, value;

	for (;;) {
		if (find_root(scope, root, &value))
			return reach(value, rv_str(key.at + root.bytes, key.bytes - root.bytes), json);
		while (root.bytes && root.at[root.bytes - 1] != '.')
			root.bytes--;
		if (!root.bytes)
			return 0;
		root.bytes--;
	}
}

/* ---- texts ---- */

static int place_at(struct rv_str text, size_t at, struct plan_slot *slot)
{
	int p;

	for (p = 0; p < PLAN_PLACES; p++) {
		struct rv_str name = rv_str_of(plan_place_name((enum plan_place)p));

		if (text.bytes - at < name.bytes + 2 || memcmp(text.at + at + 1, name.at, name.bytes) != 0 ||
		    text.at[at + 1 + name.bytes] != '}')
			continue;
		*slot = (struct plan_slot){
			.is_place = true,
			.place = (enum plan_place)p,
			.at = at,
			.bytes = name.bytes + 2,
		};
		return 1;
	}
	return 0;
}

static bool opens(struct rv_str text, size_t at)
{
	return at + 1 < text.bytes && text.at[at] == '{' && text.at[at + 1] == '{';
}

static int key_at(struct rv_str text, size_t at, struct plan_slot *slot)
{
	size_t close = at + 2;

	*slot = (struct plan_slot){ .at = at, .bytes = 2 };
	while (close + 1 < text.bytes && !(text.at[close] == '}' && text.at[close + 1] == '}')) {
		if (text.at[close] == '\n' || text.at[close] == '{')
			return -1;
		close++;
	}
	if (close + 1 >= text.bytes)
		return -1;
	slot->key = trimmed(rv_str(text.at + at + 2, close - at - 2));
	slot->bytes = close + 2 - at;
	return slot->key.bytes ? 1 : -1;
}

int plan_template_next(struct rv_str text, bool places, size_t *from, struct plan_slot *slot)
{
	size_t at = *from;
	const char *brace;
	int rc;

	while (at < text.bytes && (brace = memchr(text.at + at, '{', text.bytes - at))) {
		at = (size_t)(brace - text.at);
		if (opens(text, at) && opens(text, at + 2)) {
			at += 4;
			continue;
		}
		rc = 0;
		if (opens(text, at))
			rc = key_at(text, at, slot);
		else if (places)
			rc = place_at(text, at, slot);
		if (rc) {
			*from = at + slot->bytes;
			return rc;
		}
		at++;
	}
	*from = text.bytes;
	return 0;
}

bool plan_template_has_keys(struct rv_str text)
{
	return text.bytes >= 2 && memmem(text.at, text.bytes, "{{", 2) != NULL;
}

/* Text between slots: each {{{{ becomes {{. */
static void put_literal(struct rv_str s, struct rv_buf *out)
{
	const char *four;
	size_t n;

	while (s.bytes && (four = memmem(s.at, s.bytes, "{{{{", 4))) {
		n = (size_t)(four - s.at) + 2;
		(void)rv_buf_put(out, s.at, n);
		s = rv_str(s.at + n + 2, s.bytes - n - 2);
	}
	(void)rv_buf_put_str(out, s);
}

static int put_key(const struct plan_scope *scope, const struct plan_slot *slot, struct rv_buf *out,
		   struct rv_err *err)
{
	struct rv_str json;

	if (!plan_scope_find(scope, slot->key, &json))
		return rv_fail(err, RV_E_PLAN, "nothing in the context is called \"%.*s\"",
			       slot->key.bytes > 200 ? 200 : (int)slot->key.bytes, slot->key.at);
	if (plan_json_text(json, out))
		return rv_fail(err, out->failed ? RV_E_LIMIT : RV_E_PLAN, "the value of \"%.*s\" cannot be filled in",
			       slot->key.bytes > 200 ? 200 : (int)slot->key.bytes, slot->key.at);
	return 0;
}

/* With scope NULL keys stay as they are: only places are looked for, and not inside {{item}}. */
static int next_place(struct rv_str text, size_t *from, struct plan_slot *slot)
{
	const char *brace;
	size_t at = *from;

	while (at < text.bytes && (brace = memchr(text.at + at, '{', text.bytes - at))) {
		at = (size_t)(brace - text.at);
		if (!(at && text.at[at - 1] == '{') && place_at(text, at, slot)) {
			*from = at + slot->bytes;
			return 1;
		}
		at++;
	}
	*from = text.bytes;
	return 0;
}

int plan_template_fill(struct rv_str text, const struct plan_scope *scope, const struct plan_places *places,
		       struct rv_buf *out, struct rv_err *err)
{
	struct plan_slot slot;
	size_t done = 0, from = 0;
	int rc;

	for (;;) {
		if (scope)
			rc = plan_template_next(text, places != NULL, &from, &slot);
		else
			rc = places ? next_place(text, &from, &slot) : 0;
		if (rc < 0)
			return rv_fail(err, RV_E_PLAN, "{{ without a key and }}; a literal {{ is written {{{{");
		if (!rc)
			break;
		if (scope)
			put_literal(rv_str(text.at + done, slot.at - done), out);
		else
			(void)rv_buf_put(out, text.at + done, slot.at - done);
		if (!slot.is_place && put_key(scope, &slot, out, err))
			return -1;
		if (slot.is_place && places->value[slot.place].at)
			(void)rv_buf_put_str(out, places->value[slot.place]);
		else if (slot.is_place)
			(void)rv_buf_put(out, text.at + slot.at, slot.bytes);
		done = slot.at + slot.bytes;
	}
	if (scope)
		put_literal(rv_str(text.at + done, text.bytes - done), out);
	else
		(void)rv_buf_put(out, text.at + done, text.bytes - done);
	if (out->failed)
		return rv_fail(err, RV_E_LIMIT, "the filled text is larger than its limit");
	return 0;
}
