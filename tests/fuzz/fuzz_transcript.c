/* fuzz_transcript.c - whatever an agent prints is judged and shown, the same whole or in pieces, and within bounds */
#include "common/check.h"
#include "node/agents/transcript.h"
#include "node/agents/transcript_show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_in(enum transcript_format format, struct rv_str text, size_t piece, struct transcript *t, struct transcript_verdict *v)
{
	size_t at;

	transcript_init(t, format);
	for (at = 0; at < text.bytes; at += piece) {
		struct rv_str bytes = rv_str(text.at + at, rv_min_u64(piece, text.bytes - at));

		transcript_feed(t, TRANSCRIPT_STDOUT, bytes);
		transcript_feed(t, TRANSCRIPT_STDERR, bytes);
	}
	transcript_end(t, text.bytes % 2, 0, 0, v);
	rv_check(v->succeeded == (v->trouble.reason == TRANSCRIPT_OK));
	rv_check(v->succeeded == (v->trouble.class == PROTO_CLASS_NONE));
	rv_check(v->succeeded || v->trouble.sentence[0]);
	rv_check(memchr(v->trouble.sentence, 0, sizeof(v->trouble.sentence)));
	rv_check(t->line.capacity <= (TRANSCRIPT_LINE_BYTES_MAX + 1) * 2);
	rv_check(transcript_tokens(&t->usage) >= t->usage.input_tokens);
}

static void judge(enum transcript_format format, struct rv_str text, size_t piece)
{
	struct transcript whole, parts;
	struct transcript_verdict a, b;

	read_in(format, text, text.bytes + 1, &whole, &a);
	read_in(format, text, piece, &parts, &b);
	rv_check(a.trouble.reason == b.trouble.reason);
	rv_check(transcript_tokens(&whole.usage) == transcript_tokens(&parts.usage));
	rv_check(rv_str_equal(rv_buf_str(&whole.message), rv_buf_str(&parts.message)));
	rv_check(whole.events == parts.events);
	rv_check(whole.turns == parts.turns);
	transcript_release(&whole);
	transcript_release(&parts);
}

static void show(struct rv_str text, size_t piece)
{
	struct rv_buf out[2];
	size_t i, at;

	for (i = 0; i < 2; i++) {
		size_t step = i ? piece : text.bytes + 1;
		struct transcript_show s;

		rv_buf_init(&out[i], 0);
		transcript_show_init(&s);
		for (at = 0; at < text.bytes; at += step)
			transcript_show_feed(&s, rv_str(text.at + at, rv_min_u64(step, text.bytes - at)), &out[i]);
		transcript_show_end(&s, &out[i]);
		transcript_show_release(&s);
	}
	rv_check(rv_str_equal(rv_buf_str(&out[0]), rv_buf_str(&out[1])));
	rv_buf_release(&out[0]);
	rv_buf_release(&out[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_str text = rv_str((const char *)data, size);
	size_t piece = size ? 1 + data[size / 2] % 40 : 1;

	judge(TRANSCRIPT_CLAUDE, text, piece);
	judge(TRANSCRIPT_CODEX, text, piece);
	judge(TRANSCRIPT_NONE, text, piece);
	show(text, piece);
	return 0;
}
