/* transcript_verdict.c FORMAT STDOUT STDERR EXIT - what the reader says of a transcript, as one JSON object on stdout */
#include "node/agents/transcript.h"

#include <stdio.h>
#include <stdlib.h>

static void feed(struct transcript *t, enum transcript_stream stream, const char *path)
{
	char room[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	while (f && (n = fread(room, 1, sizeof(room), f)) > 0)
		transcript_feed(t, stream, rv_str(room, n));
	if (f)
		(void)fclose(f);
}

int main(int argc, char **argv)
{
	enum transcript_format format;
	struct transcript_verdict v;
	struct transcript t;
	struct rv_buf out;

	if (argc != 5 || transcript_format_by_name(rv_str_of(argv[1]), &format)) {
		(void)fprintf(stderr, "usage: transcript_verdict FORMAT STDOUT STDERR EXIT\n");
		return 2;
	}
	transcript_init(&t, format);
	feed(&t, TRANSCRIPT_STDOUT, argv[2]);
	feed(&t, TRANSCRIPT_STDERR, argv[3]);
	transcript_end(&t, atoi(argv[4]), 0, 0, &v);
	rv_buf_init(&out, 0);
	(void)rv_buf_printf(&out, "{\"reason\":\"%s\",\"class\":\"%s\",\"sentence\":", transcript_reason_word(v.trouble.reason),
			    proto_class_name(v.trouble.class));
	(void)rv_buf_put_json(&out, rv_str_of(v.trouble.sentence));
	(void)rv_buf_puts(&out, ",\"message\":");
	(void)rv_buf_put_json(&out, rv_buf_str(&t.message));
	(void)rv_buf_printf(&out, ",\"turns\":%u,\"tokens\":%llu,\"cost_microusd\":%lld,\"foreign\":%llu,\"retry_after_ms\":%llu}\n", t.turns,
			    (unsigned long long)transcript_tokens(&t.usage), (long long)t.usage.cost_microusd, (unsigned long long)t.lines_foreign,
			    (unsigned long long)(v.trouble.retry_after_us / 1000));
	(void)fwrite(out.at, 1, out.bytes, stdout);
	rv_buf_release(&out);
	transcript_release(&t);
	return 0;
}
