#include "node/enrol.h"

#include "common/id.h"
#include "common/net/loop.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "node/uplink.h"
#include "proto/codec.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_WORD "reeve-coordinator-1"
#define FILE_BYTES_MAX ((size_t)NET_TOKEN_ENDPOINTS_MAX * (NET_ENDPOINT_BYTES_MAX + 1) + 512)
#define ANSWER_US 5000000u /* no answer on a connection that stands: another one */
#define REQUEST 1u
#define MISMATCHES_MAX 3u /* handshakes in a row that somebody else ended: the token's coordinator is not there */

/* --- what is kept --------------------------------------------------------------------------------------------------------- */

static struct rv_str next_word(struct rv_str *rest, char end)
{
	const char *at = memchr(rest->at, end, rest->bytes);
	struct rv_str word = rv_str(rest->at, at ? (size_t)(at - rest->at) : rest->bytes);

	*rest = at ? rv_str(at + 1, rest->bytes - word.bytes - 1) : rv_str(rest->at + rest->bytes, 0);
	return word;
}

static int parse(struct rv_str text, struct node_membership *out)
{
	struct rv_str endpoints, key, cluster, name;

	memset(out, 0, sizeof(*out));
	if (!rv_str_equal(next_word(&text, ' '), RV_STR(FILE_WORD)))
		return -1;
	endpoints = next_word(&text, ' ');
	key = next_word(&text, ' ');
	cluster = next_word(&text, ' ');
	name = next_word(&text, '\n');
	while (endpoints.bytes) {
		struct rv_str e = next_word(&endpoints, ',');

		if (out->endpoint_count == NET_TOKEN_ENDPOINTS_MAX || net_endpoint_check(e, NET_ENDPOINT_CONNECT, NULL) < 0)
			return -1;
		(void)snprintf(out->endpoints[out->endpoint_count++], sizeof(out->endpoints[0]), "%.*s", RV_STR_ARGS(e));
	}
	if (!out->endpoint_count || rv_unhex(out->server_key, NET_KEY_BYTES, key) < 0 ||
	    cluster.bytes > NODE_CLUSTER_BYTES_MAX || !rv_name_valid(name))
		return -1;
	(void)snprintf(out->cluster, sizeof(out->cluster), "%.*s", RV_STR_ARGS(cluster));
	(void)snprintf(out->name, sizeof(out->name), "%.*s", RV_STR_ARGS(name));
	return 0;
}

int node_membership_load(int dir, struct node_membership *out, struct rv_err *err)
{
	struct rv_buf text;
	int rc;

	rv_buf_init(&text, 0);
	rc = rv_file_read_at(dir, NODE_MEMBERSHIP_FILE, FILE_BYTES_MAX, &text, err);
	if (rc == 0 && parse(rv_buf_str(&text), out) < 0) {
		rc = rv_fail(err, RV_E_CORRUPT, "the file " NODE_MEMBERSHIP_FILE " in the node's state directory does not say where its coordinator is");
		(void)rv_hint(err, "remove it and join anew with a token");
	}
	rv_buf_release(&text);
	return rc;
}

int node_membership_save(int dir, const struct node_membership *m, struct rv_err *err)
{
	char key[NET_KEY_HEX_CHARS + 1];
	struct rv_buf text;
	int rc;

	rv_buf_init(&text, FILE_BYTES_MAX);
	rv_hex(key, m->server_key, NET_KEY_BYTES);
	(void)rv_buf_puts(&text, FILE_WORD " ");
	for (uint32_t i = 0; i < m->endpoint_count; i++)
		(void)rv_buf_printf(&text, "%s%s", i ? "," : "", m->endpoints[i]);
	(void)rv_buf_printf(&text, " %s %s %s\n", key, m->cluster, m->name);
	rc = text.failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a file")
			 : rv_file_write_at(dir, NODE_MEMBERSHIP_FILE, rv_buf_str(&text), 0600, RV_FILE_SYNC, err);
	rv_buf_release(&text);
	return rc;
}

/* --- joining ------------------------------------------------------------------------------------------------------------------ */

struct enrolment {
	const struct node_enrol_config *cfg;
	struct node_membership *out;
	struct net_loop *loop;
	struct node_uplink *link;
	struct net_keypair key;        /* of the token */
	const char *endpoints[NET_TOKEN_ENDPOINTS_MAX];
	uint32_t endpoint_count;
	struct proto_frame_writer writer;
	struct proto_frame_reader *reader;
	struct rv_buf frame;
	uint64_t answer_by_us;         /* RV_NEVER: nothing was asked */
	bool over;
	struct rv_err err;             /* over, and not well: code */
};

static int send_enrol(struct enrolment *e)
{
	struct proto_msg m = { .kind = PROTO_ENROL, .enrol = { .request = REQUEST, .name = e->cfg->name, .role = PROTO_ROLE_NODE } };

	memcpy(m.enrol.key, e->cfg->own->public_key, sizeof(m.enrol.key));
	if (proto_frame_add(&e->writer, &m, &e->err) < 0 || proto_frame_finish(&e->writer, &e->frame) < 0)
		return -1;
	return node_uplink_send(e->link, rv_buf_str(&e->frame));
}

static void refused(struct enrolment *e, const struct proto_refused *r)
{
	/* of a token in the coordinator's own words, which are the same for each reason */
	(void)rv_fail(&e->err, RV_E_DENIED, r->code == RV_E_DENIED ? "%.*s" : "the coordinator does not let this node in: %.*s", RV_STR_ARGS(r->message));
	if (r->hint.bytes)
		(void)rv_hint(&e->err, "%.*s", RV_STR_ARGS(r->hint));
	e->over = true;
}

static void on_frame(struct enrolment *e, struct rv_str frame)
{
	struct proto_msg m;
	struct rv_err err;

	if (proto_frame_open(e->reader, frame, PROTO_TO_CLIENT, &err) < 0)
		return; /* nothing of it is ours */
	while (!e->over && proto_frame_next(e->reader, &m, &err) == 1) {
		if (m.kind == PROTO_REFUSED && m.refused.request == REQUEST)
			refused(e, &m.refused);
		if (m.kind == PROTO_ENROLLED && m.enrolled.request == REQUEST) {
			(void)snprintf(e->out->cluster, sizeof(e->out->cluster), "%.*s", RV_STR_ARGS(m.enrolled.cluster));
			(void)snprintf(e->out->name, sizeof(e->out->name), "%.*s", RV_STR_ARGS(m.enrolled.name));
			e->over = true;
		}
	}
}

static uint64_t turn(void *arg)
{
	struct enrolment *e = arg;
	enum node_uplink_news news;
	uint64_t now = rv_clock_boottime_us();
	struct rv_str frame;

	if (e->cfg->stop_fd >= 0 && net_loop_ready(e->loop, e->cfg->stop_fd)) {
		(void)rv_fail(&e->err, RV_E_UNREACHABLE, "ended before the coordinator let this node in");
		e->over = true;
	}
	while ((news = node_uplink_next(e->link, now)) != NODE_UPLINK_NOTHING) {
		e->answer_by_us = RV_NEVER;
		if (news == NODE_UPLINK_CONNECTED && send_enrol(e) == 0)
			e->answer_by_us = now + ANSWER_US;
	}
	if (node_uplink_refused(e->link) || node_uplink_mismatches(e->link) >= MISMATCHES_MAX) {
		(void)rv_fail(&e->err, RV_E_DENIED, "%s", NET_TOKEN_REFUSED);
		(void)rv_hint(&e->err, "reeve token create makes another");
		e->over = true;
	}
	while (!e->over && node_uplink_receive(e->link, &frame) == 1)
		on_frame(e, frame);
	if (e->over) {
		net_loop_stop(e->loop);
		return 0;
	}
	if (now >= e->answer_by_us) {
		e->answer_by_us = RV_NEVER;
		node_uplink_renew(e->link, "the coordinator does not answer", now);
	}
	return rv_min_u64(e->answer_by_us, node_uplink_next_deadline(e->link));
}

static int open_all(struct enrolment *e, struct rv_err *err)
{
	struct node_uplink_config link = { .bus = e->cfg->bus, .endpoints = e->endpoints, .endpoint_count = e->endpoint_count, .own = &e->key,
					   .server_key = e->cfg->token->server_key, .log = e->cfg->log, .seed = e->cfg->seed };

	e->reader = proto_frame_reader_create();
	if (!e->reader)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to join");
	if (net_loop_create(&e->loop, turn, e, err) < 0)
		return -1;
	if (e->cfg->stop_fd >= 0 && net_loop_watch(e->loop, e->cfg->stop_fd, NET_READ, err) < 0)
		return -1;
	link.loop = e->loop;
	return node_uplink_create(&link, rv_clock_boottime_us(), &e->link, err);
}

/* The endpoint that was typed comes first: it is how the coordinator is reached from here. */
static void set_membership(struct enrolment *e)
{
	struct node_membership *m = e->out;
	const struct net_token *t = e->cfg->token;

	memset(m, 0, sizeof(*m));
	memcpy(m->server_key, t->server_key, sizeof(m->server_key));
	if (e->cfg->endpoint)
		(void)snprintf(m->endpoints[m->endpoint_count++], sizeof(m->endpoints[0]), "%s", e->cfg->endpoint);
	for (uint32_t i = 0; i < t->endpoint_count && m->endpoint_count < NET_TOKEN_ENDPOINTS_MAX; i++)
		if (!e->cfg->endpoint || strcmp(e->cfg->endpoint, t->endpoints[i]) != 0)
			(void)snprintf(m->endpoints[m->endpoint_count++], sizeof(m->endpoints[0]), "%s", t->endpoints[i]);
	for (uint32_t i = 0; i < m->endpoint_count; i++)
		e->endpoints[i] = m->endpoints[i];
	e->endpoint_count = m->endpoint_count;
}

int node_enrol(const struct node_enrol_config *cfg, struct node_membership *out, struct rv_err *err)
{
	struct enrolment *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to join");
	e->cfg = cfg;
	e->out = out;
	e->answer_by_us = RV_NEVER;
	set_membership(e);
	net_token_keypair(cfg->token, &e->key);
	proto_frame_writer_init(&e->writer);
	rv_buf_init(&e->frame, 0);
	rc = !e->endpoint_count ? rv_fail(err, RV_E_USAGE, "the token names no endpoint of its coordinator") : open_all(e, err);
	if (rc == 0)
		rc = net_loop_run(e->loop, err);
	if (rc == 0 && e->err.code) {
		*err = e->err;
		rc = -1;
	}
	node_uplink_destroy(&e->link);
	net_loop_destroy(&e->loop);
	proto_frame_reader_destroy(&e->reader);
	proto_frame_writer_release(&e->writer);
	rv_buf_release(&e->frame);
	net_wipe(&e->key, sizeof(e->key));
	free(e);
	return rc;
}
