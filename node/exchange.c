/* exchange.c - what the daemon and the coordinator exchange beside the core's messages: blobs both ways, logs */
#include "node/daemon_state.h"

#include "common/os/blobs.h"
#include "node/logread.h"
#include "proto/transfer.h"

#include <stdio.h>
#include <stdlib.h>

static void say(struct node_daemon *d, const struct proto_msg *m)
{
	struct rv_err err;

	if (node_wire_say(&d->wire, m, &err) < 0)
		daemon_log(d, RV_LOG_ERROR, "message_too_large", err.msg);
}

/* A piece of what a RESULT of ours named. */
static void serve_blob(struct node_daemon *d, const struct proto_blob_get *get)
{
	struct proto_msg m = { .kind = PROTO_BLOB_CHUNK };
	struct rv_err err;

	if (!d->piece_room)
		d->piece_room = malloc(PROTO_PIECE_BYTES_MAX);
	if (!d->piece_room || !d->cfg.blobs)
		return; /* asked again */
	if (proto_blob_serve(d->cfg.blobs, get, d->piece_room, &m.blob, &err) < 0) {
		daemon_log(d, RV_LOG_ERROR, "blob_not_served", err.msg);
		return;
	}
	say(d, &m);
}

static bool still_runs(const struct node_daemon *d, const struct proto_log_wanted *w)
{
	struct proto_attempt_key key = { .run = w->run, .unit = w->unit, .attempt = w->attempt };
	uint32_t slot = node_core_find(d->core, key);

	return slot != NODE_NONE && d->records.items[slot].outcome == 0;
}

static void serve_log(struct node_daemon *d, const struct proto_log_wanted *w)
{
	struct proto_msg m = { .kind = PROTO_LOG_CHUNK };
	struct rv_err err;

	if (node_log_read(d->collector.log_dir, &d->preparer.places, w, still_runs(d, w), &d->scratch, &m.log_piece, &err) < 0) {
		daemon_log(d, RV_LOG_ERROR, "log_not_read", err.msg);
		m.log_piece = (struct proto_log_piece){ .request = w->request, .attempt = w->attempt, .next = w->offset, .ended = true };
	}
	say(d, &m);
}

bool daemon_exchange(struct node_daemon *d, const struct proto_msg *m)
{
	switch (m->kind) {
	case PROTO_BLOB_DATA:
		node_arrivals_on_piece(&d->arrivals, &m->blob, d->now_us);
		return true;
	case PROTO_BLOB_WANTED:
		serve_blob(d, &m->blob_get);
		return true;
	case PROTO_LOG_WANTED:
		serve_log(d, &m->log_wanted);
		return true;
	default:
		return false;
	}
}

void daemon_exchange_ask(struct node_daemon *d)
{
	struct proto_msg m = { .kind = PROTO_BLOB_GET };

	if (!node_core_welcomed(d->core))
		return;
	while (node_arrivals_ask(&d->arrivals, d->now_us, &m.blob_get))
		say(d, &m);
}

/* Blobs of results that wait for their ack. */
static int pin_results(struct node_daemon *d, struct rv_buf *refs)
{
	struct proto_result r;

	for (uint32_t i = 0; i < d->records.used; i++) {
		const struct node_record *rec = &d->records.items[i];

		if (rec->key.run == 0 || rec->holds != NODE_HOLDS_RESULT)
			continue;
		node_record_result(rec, &r);
		if (proto_result_blobs(&r, refs) < 0)
			return -1;
	}
	return 0;
}

static void prune(struct node_daemon *d, struct rv_blobs *store, uint64_t bytes_max, struct rv_buf *pinned)
{
	struct node_stock_stats stats;
	struct rv_err err;
	char bytes[24];

	if (node_stock_prune(store, bytes_max, d->real_us, pinned, &stats, &err) < 0) {
		daemon_log(d, RV_LOG_ERROR, "blobs_not_pruned", err.msg);
	} else if (stats.removed) {
		(void)snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)stats.bytes_removed);
		rv_log(d->cfg.log, RV_LOG_INFO, "blobs_pruned", "bytes", bytes, NULL);
	}
}

void daemon_exchange_prune(struct node_daemon *d)
{
	struct proto_transfer_stats moved;
	struct rv_buf pinned;

	if (d->cookies != &d->parts || d->now_us < d->look_us)
		return;
	proto_transfer_stats(d->arrivals.transfer, &moved);
	d->look_us = d->now_us + NODE_STOCK_LOOK_US;
	if (d->looked_results == d->stats.results && d->looked_bytes == moved.bytes && d->looked_results)
		return; /* nothing was added */
	d->looked_results = d->stats.results;
	d->looked_bytes = moved.bytes;
	rv_buf_init(&pinned, 0);
	if (pin_results(d, &pinned) == 0)
		prune(d, d->cfg.blobs, NODE_STOCK_BYTES_MAX, &pinned);
	rv_buf_reset(&pinned);
	if (node_core_attempts(d->core) == 0)
		prune(d, &d->parts, NODE_STOCK_PARTS_BYTES_MAX, &pinned);
	rv_buf_release(&pinned);
}

uint64_t daemon_exchange_deadline(const struct node_daemon *d)
{
	return node_core_welcomed(d->core) ? node_arrivals_next_deadline(&d->arrivals) : RV_NEVER;
}
