/* fuzz_node_texts.c - what units and records hand to the daemon: outputs, globs, cookies, manifests of hostile bytes */
#include "common/check.h"
#include "node/cookie.h"
#include "node/glob.h"
#include "node/jsontext.h"
#include "node/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is taken again, unchanged. */
static void json(struct rv_str text)
{
	struct rv_buf once, twice;

	rv_buf_init(&once, 0);
	rv_buf_init(&twice, 0);
	if (node_json_compact(text, &once, NULL) == 0) {
		rv_check(node_json_compact(rv_buf_str(&once), &twice, NULL) == 0);
		rv_check(rv_str_equal(rv_buf_str(&once), rv_buf_str(&twice)));
	} else {
		rv_check(once.bytes == 0);
	}
	rv_buf_release(&once);
	rv_buf_release(&twice);
}

/* Whatever was printed, its output is valid: UTF-8 text, or JSON. */
static void output(struct rv_str printed, enum proto_output_mode mode)
{
	struct rv_buf out, again;
	struct rv_err err;
	bool is_json;

	rv_buf_init(&out, 0);
	rv_buf_init(&again, 0);
	if (node_output_of_stdout(printed, mode, &out, &is_json, &err) == 0) {
		if (is_json) {
			rv_check(node_json_compact(rv_buf_str(&out), &again, NULL) == 0);
		} else {
			rv_check(node_text_clean(rv_buf_str(&out), &again) == 0);
			rv_check(rv_str_equal(rv_buf_str(&out), rv_buf_str(&again)));
		}
	}
	rv_buf_reset(&out);
	(void)node_output_of_file(printed, mode, &out, &is_json, &err);
	rv_buf_release(&out);
	rv_buf_release(&again);
}

static void glob(struct rv_str bytes)
{
	const char *sep = bytes.bytes ? memchr(bytes.at, '\n', bytes.bytes) : NULL;
	size_t n = sep ? (size_t)(sep - bytes.at) : 0;

	if (sep && bytes.bytes < 4096)
		(void)node_glob_match(rv_str(bytes.at, n), rv_str(sep + 1, bytes.bytes - n - 1));
}

static void cookie(struct rv_str bytes)
{
	struct node_cookie c;
	struct rv_arena arena;
	struct rv_err err;

	rv_arena_init(&arena, 1 << 24);
	if (node_cookie_read(bytes, NULL, &arena, &c, &err) == 0)
		for (uint32_t i = 0; i < c.glob_count; i++)
			rv_check(c.globs[i].bytes <= bytes.bytes);
	rv_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_str rest = rv_str((const char *)data + 1, size ? size - 1 : 0);

	if (!size)
		return 0;
	switch (data[0] % 5) {
	case 0:
		json(rest);
		break;
	case 1:
		output(rest, PROTO_OUTPUT_TEXT);
		break;
	case 2:
		output(rest, PROTO_OUTPUT_JSON);
		break;
	case 3:
		glob(rest);
		break;
	default:
		cookie(rest);
	}
	return 0;
}
