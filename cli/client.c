/* client.c - asking a coordinator */
#include "cli/client.h"

#include "cli/login.h"
#include "common/net/link.h"
#include "common/net/loop.h"
#include "common/os/clock.h"
#include "common/os/keys.h"
#include "common/os/signals.h"
#include "proto/codec.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_NAME "sock"
#define RECONNECT_MS 50u
#define RECONNECT_MS_MAX 1000u
#define LOOK_US 200000u
#define REFUSED_US 1000000u /* a refused link is made anew after this */

/* Of the call that is under way. */
struct calling {
	struct proto_msg *answer;
	uint64_t request;
	bool answered, failed;
	uint64_t sent_us;       /* RV_NEVER: not on this connection yet */
	uint64_t answer_by_us;  /* counted while connected */
	struct rv_err *err;
};

struct turning;

struct cli_client {
	struct cli_place place;
	bool has_place;
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1];
	char shown[sizeof(((struct cli_place *)0)->shown)];
	bool has_keys;
	uint8_t server_key[NET_KEY_BYTES];
	struct net_keypair own;
	struct net_bus *bus;
	struct net_dealer *dealer; /* NULL between two attempts */
	struct net_loop *loop;
	struct rv_signals signals;
	bool catching, interrupted;
	struct cli_client_patience patience;
	bool connected, was_connected;
	uint64_t lost_us;          /* since when there is no connection */
	uint64_t again_us;         /* when a refused link is made anew; RV_NEVER: none is to be */
	bool refused;              /* its last end was a refusal */
	bool unknown;              /* for sure: the list of keys is whole before a coordinator listens */
	uint64_t requests;
	struct proto_frame_writer writer;
	struct proto_frame_reader *reader;
	struct rv_buf frame;       /* the request */
	struct rv_buf answer;      /* what `calling.answer` borrows from */
	struct calling calling;
	struct turning *turning;   /* of the call that is under way */
	cli_client_beside_fn *beside; /* NULL: nothing goes on beside a call */
	void *beside_arg;
	int beside_fds[2];
	bool given_up;             /* the call that is under way */
};

/* --- the link ---------------------------------------------------------------------------------------------------------- */

static int link_up(struct cli_client *c, struct rv_err *err)
{
	struct net_dealer_config cfg;

	net_dealer_config_init(&cfg);
	cfg.endpoint = c->endpoint;
	cfg.reconnect_ms = RECONNECT_MS;
	cfg.reconnect_max_ms = RECONNECT_MS_MAX;
	if (c->has_keys) {
		cfg.own = &c->own;
		cfg.server_key = c->server_key;
	}
	c->again_us = RV_NEVER;
	if (net_dealer_open(&c->dealer, c->bus, &cfg, err))
		return -1;
	return net_dealer_watch(c->dealer, c->loop, err);
}

static void link_down(struct cli_client *c)
{
	if (c->dealer)
		net_dealer_unwatch(c->dealer, c->loop);
	net_dealer_destroy(&c->dealer);
}

static void lost(struct cli_client *c, uint64_t now)
{
	if (c->connected)
		c->lost_us = now;
	c->connected = false;
	c->calling.sent_us = RV_NEVER;
}

static void take_events(struct cli_client *c, uint64_t now)
{
	for (;;) {
		enum net_dealer_event e = c->dealer ? net_dealer_next_event(c->dealer) : NET_DEALER_NONE;

		switch (e) {
		case NET_DEALER_NONE:
			return;
		case NET_DEALER_CONNECTED:
			c->connected = c->was_connected = true;
			c->refused = c->unknown = false;
			c->calling.sent_us = RV_NEVER;
			c->calling.answer_by_us = RV_NEVER;
			break;
		case NET_DEALER_LOST:
			lost(c, now);
			break;
		case NET_DEALER_REFUSED:
		case NET_DEALER_MISMATCH: /* it never tries again by itself */
			lost(c, now);
			c->refused = true;
			c->unknown = e == NET_DEALER_REFUSED;
			link_down(c);
			c->again_us = now + REFUSED_US;
			break;
		}
	}
}

/* --- frames -------------------------------------------------------------------------------------------------------------- */

static void on_answer(struct cli_client *c, const struct proto_msg *m)
{
	struct calling *k = &c->calling;

	if (k->answered || m->ask.request != k->request) /* of a call before, or twice */
		return;
	*k->answer = *m;
	k->answered = true;
}

static void take_frames(struct cli_client *c)
{
	struct rv_str frame;

	while (!c->calling.answered && c->dealer && net_dealer_receive(c->dealer, &frame) == 1) {
		struct proto_msg m;

		/* what is handed out borrows from the frame, which ends with the next one */
		rv_buf_reset(&c->answer);
		if (rv_buf_put_str(&c->answer, frame)) {
			(void)rv_fail(c->calling.err, RV_E_NO_MEMORY, "no memory for an answer of %zu bytes", frame.bytes);
			c->calling.failed = true;
			return;
		}
		if (proto_frame_open(c->reader, rv_buf_str(&c->answer), PROTO_TO_CLIENT, c->calling.err)) {
			c->calling.failed = true;
			return;
		}
		while (!c->calling.answered) {
			int rc = proto_frame_next(c->reader, &m, c->calling.err);

			if (rc < 0)
				c->calling.failed = true;
			if (rc <= 0)
				break;
			on_answer(c, &m);
		}
		if (c->calling.failed)
			return;
	}
}

/* --- a turn of the loop ------------------------------------------------------------------------------------------------------ */

/* A coordinator comes back; a `run` that has ended does not. */
static bool gone_for_good(const struct cli_client *c)
{
	return c->has_place && c->place.kind == CLI_PLACE_RUN && !cli_place_lives(&c->place);
}

static int unreachable(struct cli_client *c, struct rv_err *err)
{
	if (!c->connected && gone_for_good(c)) {
		(void)rv_fail(err, RV_E_UNREACHABLE, "%s has ended meanwhile", c->shown);
		return rv_hint(err, "`reeve status` reads it from disk");
	}
	if (c->refused) {
		(void)rv_fail(err, RV_E_DENIED, "%s does not know this key", c->shown);
		return rv_hint(err, "the key may have been revoked; `reeve login` with a new token makes another");
	}
	if (c->connected) {
		(void)rv_fail(err, RV_E_UNREACHABLE, "%s gives no answer", c->shown);
		return rv_hint(err, "it may be stopped, or very busy; what was asked may still be done");
	}
	(void)rv_fail(err, RV_E_UNREACHABLE, c->was_connected ? "%s went away and has not come back" : "%s cannot be reached", c->shown);
	if (c->has_keys)
		return rv_hint(err, "is it running (on its machine: `reeve coordinator --listen 'tcp://*:PORT'`), and is its port open from here? --coordinator ADDR asks another, --state DIR reads"
				    " runs of `run`");
	return rv_hint(err, "is it running? `reeve status --state DIR` reads a state directory without it");
}

static bool give_up(struct cli_client *c, uint64_t now)
{
	uint64_t patience = c->was_connected ? c->patience.reconnect_us : c->patience.connect_us;

	if (c->connected)
		return now >= c->calling.answer_by_us;
	if (c->unknown)
		return true;
	return now >= rv_sat_add(c->lost_us, patience) || gone_for_good(c);
}

static uint64_t next_deadline(const struct cli_client *c)
{
	uint64_t patience = c->was_connected ? c->patience.reconnect_us : c->patience.connect_us;
	uint64_t next = rv_min_u64(c->again_us, c->connected ? c->calling.answer_by_us : rv_sat_add(c->lost_us, patience));

	if (!c->connected && c->has_place && c->place.kind == CLI_PLACE_RUN)
		next = rv_min_u64(next, rv_clock_boottime_us() + LOOK_US); /* does it live? */
	return next;
}

struct turning {
	struct cli_client *client;
	uint64_t resend_us, patience_us; /* of the call */
};

static void take_signals(struct cli_client *c)
{
	struct rv_signal s;

	while (c->catching && rv_signals_next(&c->signals, &s) == 1)
		c->interrupted = true;
}

static void send_when_due(struct turning *t, uint64_t now)
{
	struct cli_client *c = t->client;
	struct calling *k = &c->calling;

	if (!c->connected || (k->sent_us != RV_NEVER && now < rv_sat_add(k->sent_us, t->resend_us)))
		return;
	if (net_dealer_send(c->dealer, rv_buf_str(&c->frame)))
		return; /* no connection after all: its event comes */
	k->sent_us = now;
	if (k->answer_by_us == RV_NEVER)
		k->answer_by_us = rv_sat_add(now, t->patience_us);
}

static uint64_t turn(void *arg)
{
	struct turning *t = arg;
	struct cli_client *c = t->client;
	struct calling *k = &c->calling;
	uint64_t now = rv_clock_boottime_us(), beside = c->beside ? c->beside(c->beside_arg) : RV_NEVER;

	take_signals(c);
	if (c->given_up) {
		(void)rv_fail(k->err, RV_E_BUSY, "given up");
		k->failed = true;
	}
	if (c->interrupted) {
		(void)rv_fail(k->err, RV_E_BUSY, "interrupted");
		k->failed = true;
	}
	if (!k->failed && !c->dealer && now >= c->again_us && link_up(c, k->err))
		k->failed = true;
	if (!k->failed) {
		take_events(c, now);
		take_frames(c);
	}
	if (!k->failed && !k->answered && give_up(c, now)) {
		(void)unreachable(c, k->err);
		k->failed = true;
	}
	if (k->failed || k->answered) {
		net_loop_stop(c->loop);
		return 0;
	}
	send_when_due(t, now);
	if (k->sent_us == RV_NEVER)
		return rv_min_u64(beside, c->connected ? rv_min_u64(next_deadline(c), now + 10000) : next_deadline(c)); /* its queue was full */
	return rv_min_u64(beside, rv_min_u64(next_deadline(c), rv_sat_add(k->sent_us, t->resend_us)));
}

/* --- life ----------------------------------------------------------------------------------------------------------------------- */

static int open_link(struct cli_client **out, struct cli_client *c, struct rv_err *err);

static struct cli_client *client_new(struct rv_err *err)
{
	struct cli_client *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory to ask a coordinator");
		return NULL;
	}
	c->signals.fd = -1;
	c->patience = (struct cli_client_patience){ CLI_CLIENT_CONNECT_US, CLI_CLIENT_RECONNECT_US, CLI_CLIENT_ANSWER_US, CLI_CLIENT_RESEND_US };
	c->again_us = RV_NEVER;
	c->calling.sent_us = RV_NEVER;
	proto_frame_writer_init(&c->writer);
	rv_buf_init(&c->frame, 0);
	rv_buf_init(&c->answer, 0);
	return c;
}

int cli_client_open(struct cli_client **out, const struct cli_place *place, struct rv_err *err)
{
	struct cli_client *c = client_new(err);

	if (!c)
		return -1;
	c->place = *place;
	c->has_place = true;
	memcpy(c->shown, place->shown, sizeof(c->shown));
	if (place->kind == CLI_PLACE_TCP) {
		struct cli_login login;

		if (cli_login_find(place->endpoint, &login, err)) {
			if (err && err->code == RV_E_NOT_FOUND)
				err->code = RV_E_DENIED;
			cli_client_close(&c);
			return -1;
		}
		memcpy(c->endpoint, place->endpoint, sizeof(place->endpoint));
		memcpy(c->server_key, login.server_key, sizeof(c->server_key));
		c->own = login.own;
		c->has_keys = true;
		net_wipe(&login, sizeof(login));
	}
	return open_link(out, c, err);
}

int cli_client_open_keys(struct cli_client **out, const char *endpoint, const uint8_t server_key[NET_KEY_BYTES], const struct net_keypair *own,
			 struct rv_err *err)
{
	struct cli_client *c;

	if (net_endpoint_check(rv_str_of(endpoint), NET_ENDPOINT_CONNECT, err))
		return -1;
	c = client_new(err);
	if (!c)
		return -1;
	(void)snprintf(c->endpoint, sizeof(c->endpoint), "%s", endpoint);
	(void)snprintf(c->shown, sizeof(c->shown), "the coordinator at %s", endpoint);
	memcpy(c->server_key, server_key, sizeof(c->server_key));
	c->own = *own;
	c->has_keys = true;
	return open_link(out, c, err);
}

static uint64_t turn_of_call(void *arg);

static int open_link(struct cli_client **out, struct cli_client *c, struct rv_err *err)
{
	c->reader = proto_frame_reader_create();
	if (!c->reader) {
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory to ask a coordinator");
		goto fail;
	}
	if (net_bus_create(&c->bus, NET_BUS_NETWORK, err) || net_loop_create(&c->loop, turn_of_call, c, err))
		goto fail;
	if (!c->has_keys && net_bus_ipc_endpoint(c->bus, c->place.dir, SOCKET_NAME, c->endpoint, sizeof(c->endpoint), err))
		goto fail;
	if (link_up(c, err))
		goto fail;
	c->lost_us = rv_clock_boottime_us();
	*out = c;
	return 0;
fail:
	cli_client_close(&c);
	return -1;
}

void cli_client_close(struct cli_client **cp)
{
	struct cli_client *c = *cp;

	if (!c)
		return;
	net_loop_destroy(&c->loop);
	net_dealer_destroy(&c->dealer);
	net_bus_destroy(&c->bus);
	if (c->catching)
		rv_signals_close(&c->signals);
	proto_frame_reader_destroy(&c->reader);
	proto_frame_writer_release(&c->writer);
	rv_buf_release(&c->frame);
	rv_buf_release(&c->answer);
	net_wipe(&c->own, sizeof(c->own));
	free(c);
	*cp = NULL;
}

void cli_client_set_patience(struct cli_client *c, const struct cli_client_patience *p)
{
	c->patience = *p;
}

int cli_client_catch_signals(struct cli_client *c, struct rv_err *err)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };

	if (c->catching)
		return 0;
	if (rv_signals_open(&c->signals, numbers, RV_ARRAY_LEN(numbers), err))
		return -1;
	c->catching = true;
	return net_loop_watch(c->loop, c->signals.fd, NET_READ, err);
}

int cli_client_beside(struct cli_client *c, const int fds[2], cli_client_beside_fn *fn, void *arg, struct rv_err *err)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (c->beside && c->beside_fds[i] >= 0)
			(void)net_loop_watch(c->loop, c->beside_fds[i], 0, NULL);
		c->beside_fds[i] = fn ? fds[i] : -1;
	}
	c->beside = fn;
	c->beside_arg = arg;
	for (i = 0; i < 2; i++)
		if (c->beside_fds[i] >= 0 && net_loop_watch(c->loop, c->beside_fds[i], NET_READ, err))
			return -1;
	return 0;
}

void cli_client_give_up(struct cli_client *c)
{
	c->given_up = true;
}

bool cli_client_interrupted(const struct cli_client *c)
{
	return c->interrupted;
}

bool cli_client_connected(const struct cli_client *c)
{
	return c->connected;
}

const char *cli_client_shown(const struct cli_client *c)
{
	return c->shown;
}

const struct cli_place *cli_client_place(const struct cli_client *c)
{
	return c->has_place ? &c->place : NULL;
}

uint64_t cli_client_new_id(void)
{
	uint64_t id = 0;

	while (id == 0)
		rv_random(&id, sizeof(id));
	return id;
}

/* --- a call ------------------------------------------------------------------------------------------------------------------------ */

/* How long the coordinator may keep this one on purpose. */
static uint64_t own_wait_us(const struct proto_msg *request)
{
	switch (request->kind) {
	case PROTO_FACTS:
		return request->facts.wait_ms * UINT64_C(1000);
	case PROTO_LOG:
		return request->log.wait_ms * UINT64_C(1000);
	default:
		return 0;
	}
}

static uint64_t turn_of_call(void *arg)
{
	struct cli_client *c = arg;

	return turn(c->turning);
}

static int as_refused(const struct proto_refused *r, struct rv_err *err)
{
	enum rv_code code = r->code >= RV_E_USAGE && r->code <= RV_E_INTERNAL ? (enum rv_code)r->code : RV_E_INTERNAL;

	(void)rv_fail(err, code, "%.*s", RV_STR_ARGS(r->message));
	return r->hint.bytes ? rv_hint(err, "%.*s", RV_STR_ARGS(r->hint)) : -1;
}

int cli_client_call(struct cli_client *c, struct proto_msg *request, enum proto_msg_kind want, struct proto_msg *answer, struct rv_err *err)
{
	struct rv_err unheard = { 0 };
	struct turning t = { .client = c };
	int rc;

	if (!err)
		err = &unheard;
	request->ask.request = ++c->requests; /* the first field of each */
	if (proto_frame_add(&c->writer, request, err))
		return -1;
	if (proto_frame_finish(&c->writer, &c->frame))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a request");
	c->calling = (struct calling){ .answer = answer, .request = c->requests, .sent_us = RV_NEVER, .answer_by_us = RV_NEVER, .err = err };
	t.resend_us = own_wait_us(request) + c->patience.resend_us;
	t.patience_us = own_wait_us(request) + (request->kind == PROTO_SUBMIT_COMMIT ? CLI_CLIENT_COMMIT_US : c->patience.answer_us);
	c->turning = &t;
	c->given_up = false;
	rc = net_loop_run(c->loop, err);
	c->turning = NULL;
	if (rc || c->calling.failed)
		return -1;
	if (answer->kind == PROTO_REFUSED)
		return as_refused(&answer->refused, err);
	if (answer->kind != want)
		return rv_fail(err, RV_E_CORRUPT, "%s answers %s to %s", c->shown, proto_msg_name(answer->kind), proto_msg_name(request->kind));
	return 0;
}

void cli_client_post(struct cli_client *c, struct proto_msg *request)
{
	request->ask.request = ++c->requests;
	if (!c->connected || proto_frame_add(&c->writer, request, NULL) || proto_frame_finish(&c->writer, &c->frame))
		return;
	(void)net_dealer_send(c->dealer, rv_buf_str(&c->frame)); /* what does not leave now is asked for again */
}

/* --- blobs -------------------------------------------------------------------------------------------------------------------------- */

int cli_client_blob_pieces(struct cli_client *c, const uint8_t digest[PROTO_DIGEST_BYTES], cli_client_piece_fn *each, void *arg, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_BLOB_GET }, answer;
	uint8_t have[PROTO_DIGEST_BYTES];
	struct rv_digest_state hash;
	uint64_t offset = 0, size = 0;

	memcpy(request.blob_get.digest, digest, PROTO_DIGEST_BYTES);
	rv_digest_begin(&hash);
	do {
		const struct proto_blob_piece *p = &answer.blob;

		request.blob_get.offset = offset;
		if (cli_client_call(c, &request, PROTO_BLOB_BYTES, &answer, err))
			return -1;
		if (p->size == UINT64_MAX)
			return rv_fail(err, RV_E_NOT_FOUND, "%s does not have these bytes any more", c->shown);
		if (p->offset != offset || (offset && p->size != size) || p->bytes.bytes > p->size - offset ||
		    (p->bytes.bytes == 0 && p->size != offset))
			return rv_fail(err, RV_E_CORRUPT, "%s sends a piece that was not asked for", c->shown);
		size = p->size;
		offset += p->bytes.bytes;
		rv_digest_add(&hash, p->bytes);
		if (each(arg, p->bytes, err))
			return -1;
	} while (offset < size);
	rv_digest_end(&hash, have);
	if (memcmp(have, digest, sizeof(have)) != 0)
		return rv_fail(err, RV_E_CORRUPT, "%s sends other bytes than were asked for", c->shown);
	return 0;
}

struct whole {
	struct rv_buf *out;
	size_t bytes_max, got;
};

static int add_piece(void *arg, struct rv_str bytes, struct rv_err *err)
{
	struct whole *w = arg;

	w->got += bytes.bytes;
	if (w->got > w->bytes_max)
		return rv_fail(err, RV_E_LIMIT, "a blob of more than %zu bytes", w->bytes_max);
	return rv_buf_put_str(w->out, bytes) ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a blob of %zu bytes", w->got) : 0;
}

int cli_client_blob(struct cli_client *c, const uint8_t digest[PROTO_DIGEST_BYTES], size_t bytes_max, struct rv_buf *out, struct rv_err *err)
{
	struct whole w = { .out = out, .bytes_max = bytes_max };

	return cli_client_blob_pieces(c, digest, add_piece, &w, err);
}
