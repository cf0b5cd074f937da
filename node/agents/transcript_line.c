#include "node/agents/transcript_line.h"

#include "node/jsontext.h"

#include <string.h>

#define COUNT_MAX ((uint64_t)1 << 53)

static int hex4(const char *at)
{
	int v = 0, i;

	for (i = 0; i < 4; i++) {
		char c = at[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/* At `\u`: mends what stands for no character; gives how many bytes to pass. */
static size_t mend_escape(char *at, const char *end)
{
	int high, low;

	if (end - at < 6 || at[1] != 'u')
		return end - at < 2 ? 1 : 2;
	high = hex4(at + 2);
	if (high >= 0xd800 && high < 0xdc00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u') {
		low = hex4(at + 8);
		if (low >= 0xdc00 && low < 0xe000)
			return 12;
	}
	if (high == 0 || (high >= 0xd800 && high < 0xe000))
		memcpy(at + 2, "fffd", 4);
	return 6;
}

/* From behind the opening quote to behind the closing one. */
static char *mend_string(char *at, const char *end)
{
	while (at < end && *at != '"') {
		if (*at == '\\') {
			at += mend_escape(at, end);
		} else if ((unsigned char)*at < 0x20) {
			*at++ = ' ';
		} else {
			size_t n = node_utf8_at(at, end);

			if (!n)
				*at = '?';
			at += n ? n : 1;
		}
	}
	return at < end ? at + 1 : at;
}

/* Mends, and says whether the line may be built. */
static bool mend(char *at, const char *end)
{
	uint32_t depth = 0, values = 0;

	while (at < end) {
		char c = *at++;

		if (c == '"') {
			at = mend_string(at, end);
		} else if (c == '{' || c == '[') {
			if (++depth > TRANSCRIPT_DEPTH_MAX || ++values > TRANSCRIPT_VALUES_MAX)
				return false;
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
		} else if (c == ',' && ++values > TRANSCRIPT_VALUES_MAX) {
			return false;
		}
	}
	return true;
}

json_t *transcript_line_read(char *line, size_t bytes)
{
	json_t *root;

	while (bytes && (*line == ' ' || *line == '\t'))
		line++, bytes--;
	if (!bytes || *line != '{' || !mend(line, line + bytes))
		return NULL;
	root = json_loadb(line, bytes, 0, NULL);
	if (!root) /* an integer of more than 64 bits, perhaps: that is no reason to miss the rest */
		root = json_loadb(line, bytes, JSON_DECODE_INT_AS_REAL, NULL);
	return root;
}

struct rv_str transcript_text_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_string(v) ? rv_str(json_string_value(v), json_string_length(v)) : rv_str("", 0);
}

uint64_t transcript_count_of(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	double d;

	if (json_is_integer(v)) {
		json_int_t i = json_integer_value(v);

		return i < 0 ? 0 : rv_min_u64((uint64_t)i, COUNT_MAX);
	}
	d = json_is_real(v) ? json_real_value(v) : 0;
	return d > 0 ? (d < (double)COUNT_MAX ? (uint64_t)d : COUNT_MAX) : 0;
}

bool transcript_is(const json_t *object, const char *key, const char *text)
{
	return rv_str_equal(transcript_text_of(object, key), rv_str_of(text));
}
