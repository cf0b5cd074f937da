/* tail.c - the last bytes that a unit printed */
#include "cli/export/tail.h"

#include "cli/agentlog.h"
#include "cli/logs.h"
#include "common/limits.h"
#include "node/agents/transcript_show.h"

#include <stdlib.h>

struct keeping {
	struct rv_buf *out;
	size_t start, bytes_max;
	bool transcript;                /* it is shown as what was said and done */
	struct transcript_show said[2];
	struct rv_buf readable;
};

static void keep(struct keeping *k, struct rv_str bytes)
{
	size_t have;

	(void)rv_buf_put_str(k->out, bytes);
	have = k->out->bytes - k->start;
	if (k->out->failed || have <= k->bytes_max)
		return;
	memmove(k->out->at + k->start, k->out->at + k->out->bytes - k->bytes_max, k->bytes_max);
	k->out->bytes = k->start + k->bytes_max;
	k->out->at[k->out->bytes] = '\0';
}

static void take(void *arg, int stream, struct rv_str bytes)
{
	struct keeping *k = arg;

	if (!k->transcript) {
		keep(k, bytes);
		return;
	}
	rv_buf_reset(&k->readable);
	transcript_show_feed(&k->said[stream], bytes, &k->readable);
	keep(k, rv_buf_str(&k->readable));
}

/* The last line of a transcript may have no end. */
static void end(struct keeping *k)
{
	int i;

	for (i = 0; i < 2; i++) {
		rv_buf_reset(&k->readable);
		if (k->transcript)
			transcript_show_end(&k->said[i], &k->readable);
		keep(k, rv_buf_str(&k->readable));
		transcript_show_release(&k->said[i]);
	}
	rv_buf_release(&k->readable);
}

static void from_log(struct cli_runview *v, uint32_t unit, struct keeping *k)
{
	struct cli_logs logs;

	if (cli_logs_init(&logs, v, unit, v->tally.units[unit].attempt, NULL))
		return;
	logs.piece = take;
	logs.arg = k;
	(void)cli_logs_read(&logs, NULL);
}

/* The last bytes of a log; `cut`: what was before them is not there. */
static void take_end(struct keeping *k, struct rv_str bytes, bool cut)
{
	rv_buf_reset(&k->readable);
	if (k->transcript)
		cli_transcript_tail(bytes, cut, &k->readable);
	keep(k, k->transcript ? rv_buf_str(&k->readable) : bytes);
}

static void from_tail(struct cli_runview *v, const struct proto_value *tail, struct keeping *k)
{
	struct cli_blob_source blobs = cli_runview_blobs(v);
	size_t got = 0, wanted = k->transcript ? RV_LOG_TAIL_BYTES : k->bytes_max; /* what is read of a transcript is shorter */
	char *room;

	if (tail->kind == PROTO_VALUE_INLINE) {
		take_end(k, tail->inline_bytes, tail->inline_bytes.bytes >= RV_LOG_TAIL_BYTES);
		return;
	}
	room = malloc(wanted);
	if (room && cli_blob_tail(&blobs, tail->digest, tail->blob_bytes, room, wanted, &got, NULL) == 0)
		take_end(k, rv_str(room, got), got < tail->blob_bytes || got >= RV_LOG_TAIL_BYTES);
	free(room);
}

/* A line that was cut in two tells little. */
static void drop_half_line(struct keeping *k)
{
	size_t have = k->out->bytes - k->start;
	const char *end = have == k->bytes_max ? memchr(k->out->at + k->start, '\n', have) : NULL;
	size_t cut = end ? (size_t)(end - k->out->at) + 1 - k->start : 0;

	if (!cut || cut >= have)
		return;
	memmove(k->out->at + k->start, k->out->at + k->start + cut, have - cut);
	k->out->bytes -= cut;
	k->out->at[k->out->bytes] = '\0';
}

void cli_tail_put(struct cli_runview *v, uint32_t unit, size_t bytes_max, struct rv_buf *out)
{
	struct keeping k = { .out = out, .start = out->bytes, .bytes_max = bytes_max };
	struct cli_details d;

	if (!v->tally.units[unit].attempt)
		return;
	k.transcript = cli_writes_transcript(v->graph, unit);
	transcript_show_init(&k.said[0]);
	transcript_show_init(&k.said[1]);
	rv_buf_init(&k.readable, 0);
	cli_tally_details(&v->tally, unit, &d);
	if (d.tail.kind != PROTO_VALUE_NONE)
		from_tail(v, &d.tail, &k);
	else if (!cli_runview_remote(v))
		from_log(v, unit, &k);
	end(&k);
	if (!out->failed)
		drop_half_line(&k);
}
