/* tail.c - the last bytes that a unit printed */
#include "cli/export/tail.h"

#include "cli/logs.h"

#include <stdlib.h>

struct keeping {
	struct rv_buf *out;
	size_t start, bytes_max;
};

static void keep(void *arg, int stream, struct rv_str bytes)
{
	struct keeping *k = arg;
	size_t have;

	(void)stream;
	(void)rv_buf_put_str(k->out, bytes);
	have = k->out->bytes - k->start;
	if (k->out->failed || have <= k->bytes_max)
		return;
	memmove(k->out->at + k->start, k->out->at + k->out->bytes - k->bytes_max, k->bytes_max);
	k->out->bytes = k->start + k->bytes_max;
	k->out->at[k->out->bytes] = '\0';
}

static void from_log(struct cli_runview *v, uint32_t unit, struct keeping *k)
{
	struct cli_logs logs;

	if (cli_logs_init(&logs, v, unit, v->tally.units[unit].attempt, NULL))
		return;
	logs.piece = keep;
	logs.arg = k;
	(void)cli_logs_read(&logs, NULL);
}

static void from_tail(struct cli_runview *v, const struct proto_value *tail, struct keeping *k)
{
	struct cli_blob_source blobs = cli_runview_blobs(v);
	char *room;
	size_t got = 0;

	if (tail->kind == PROTO_VALUE_INLINE) {
		keep(k, 0, tail->inline_bytes);
		return;
	}
	room = malloc(k->bytes_max);
	if (room && cli_blob_tail(&blobs, tail->digest, tail->blob_bytes, room, k->bytes_max, &got, NULL) == 0)
		keep(k, 0, rv_str(room, got));
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
	cli_tally_details(&v->tally, unit, &d);
	if (d.tail.kind != PROTO_VALUE_NONE)
		from_tail(v, &d.tail, &k);
	else if (!cli_runview_remote(v))
		from_log(v, unit, &k);
	if (!out->failed)
		drop_half_line(&k);
}
