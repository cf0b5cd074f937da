/* pieces.c - blobs: to nodes and clients in pieces; those of a RESULT from its node, before the result counts (clients.h)
 *
 * A RESULT that names blobs is kept, as the bytes of a frame, until they are in the store, and stepped then: durable before the record that
 * names them. A node whose session is over takes what it had waiting with it; its results come again. So do those for which there is no
 * room, and those whose blobs the node cannot give: it says RESULT again until it is answered.
 */
#include "private.h"

#include "common/check.h"
#include "common/list.h"
#include "common/os/blobs.h"
#include "proto/transfer.h"

#include <stdlib.h>

enum {
	ASKS_A_TURN = 64,    /* of one node */
	ANSWER_BYTES = 4096, /* that an answer counts for, however short it is */
};

struct kept {
	struct rv_list link;
	uint64_t tag;
	struct proto_attempt_key key;
	struct rv_buf frame;
};

/* A node that blobs are pulled from. */
struct source {
	struct rv_list link;
	uint64_t peer;
	struct proto_transfer *transfer;
	struct rv_list results; /* struct kept, as they came */
	uint32_t count;
};

struct pieces {
	struct coord_clients *c;
	struct rv_list sources;
	uint64_t tags;
	uint64_t freed;         /* sources so far: who goes through the list begins anew when it moves */
	size_t bytes;           /* of results that are kept */
	struct proto_frame_writer writer;
	struct proto_frame_reader *reader;
	struct rv_buf refs;
	char room[PROTO_PIECE_BYTES_MAX];
};

/* --- life ---------------------------------------------------------------------------------------------------------------------- */

int pieces_create(struct coord_clients *c, struct pieces **out, struct rv_err *err)
{
	struct pieces *p = calloc(1, sizeof *p);

	if (p) {
		p->c = c;
		rv_list_init(&p->sources);
		proto_frame_writer_init(&p->writer);
		rv_buf_init(&p->refs, 0);
		p->reader = proto_frame_reader_create();
	}
	if (!p || !p->reader) {
		pieces_destroy(&p);
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for moving blobs");
	}
	*out = p;
	return 0;
}

static void free_kept(struct pieces *p, struct source *s, struct kept *k)
{
	p->bytes -= k->frame.bytes;
	s->count--;
	rv_list_remove(&k->link);
	rv_buf_release(&k->frame);
	free(k);
}

static void free_source(struct pieces *p, struct source *s)
{
	while (!rv_list_empty(&s->results))
		free_kept(p, s, RV_CONTAINER_OF(s->results.next, struct kept, link));
	proto_transfer_destroy(&s->transfer);
	rv_list_remove(&s->link);
	free(s);
	p->freed++;
}

void pieces_destroy(struct pieces **pp)
{
	struct pieces *p = *pp;

	if (!p)
		return;
	while (!rv_list_empty(&p->sources))
		free_source(p, RV_CONTAINER_OF(p->sources.next, struct source, link));
	proto_frame_writer_release(&p->writer);
	proto_frame_reader_destroy(&p->reader);
	rv_buf_release(&p->refs);
	free(p);
	*pp = NULL;
}

/* --- giving ------------------------------------------------------------------------------------------------------------------------ */

/* What an answer counts for: its bytes, and the looking, so that many small ones fit a turn and a flood of them does not. */
static size_t answer_bytes(struct pieces *p, const struct proto_blob_get *m)
{
	uint64_t size = 0;

	if (rv_blobs_find(p->c->cfg.blobs, m->digest, &size, NULL) <= 0)
		size = 0; /* it is said that there is none, or why it cannot be read */
	return ANSWER_BYTES + (size_t)rv_min_u64(rv_sat_sub(size, m->offset), PROTO_PIECE_BYTES_MAX);
}

void pieces_get(struct pieces *p, uint64_t peer, const struct coord_peer_identity *who, const struct proto_blob_get *m)
{
	bool node = coord_peer_node(coord_shell_core(p->c->shell), peer) != COORD_NONE;
	struct proto_msg answer = { .kind = node ? PROTO_BLOB_DATA : PROTO_BLOB_BYTES };
	struct asker from = { peer, m->request };
	struct rv_err err;

	if (!node && !(who->roles & PROTO_ROLE_OPERATOR))
		return; /* a node before its HELLO */
	if (!clients_may_say(p->c, peer, answer_bytes(p, m)))
		return; /* it asks again for what did not come */
	if (proto_blob_serve(p->c->cfg.blobs, m, p->room, &answer.blob, &err) < 0) {
		rv_log(p->c->cfg.log, RV_LOG_ERROR, "blob_unreadable", "error", err.msg, NULL);
		if (!node)
			clients_refuse(p->c, from, &err);
		return;
	}
	(void)coord_shell_say(p->c->shell, peer, &answer, COORD_SAY_NOW);
}

/* --- taking ---------------------------------------------------------------------------------------------------------------------------- */

static struct source *find_source(struct pieces *p, uint64_t peer)
{
	for (struct rv_list *l = p->sources.next; l != &p->sources; l = l->next) {
		struct source *s = RV_CONTAINER_OF(l, struct source, link);

		if (s->peer == peer)
			return s;
	}
	return NULL;
}

static struct source *source_of(struct pieces *p, uint64_t peer)
{
	struct source *s = find_source(p, peer);
	struct proto_transfer_config cfg;

	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	proto_transfer_config_init(&cfg, p->c->cfg.blobs);
	s->transfer = proto_transfer_create(&cfg);
	if (!s->transfer) {
		free(s);
		return NULL;
	}
	s->peer = peer;
	rv_list_init(&s->results);
	rv_list_append(&p->sources, &s->link);
	return s;
}

/* The message as bytes, for a message lives no longer than its frame. */
static struct kept *keep(struct pieces *p, struct source *s, const struct proto_msg *m)
{
	struct kept *k = calloc(1, sizeof *k);
	struct rv_err err;

	if (!k)
		return NULL;
	rv_buf_init(&k->frame, 0);
	if (proto_frame_add(&p->writer, m, &err) != 0 || proto_frame_finish(&p->writer, &k->frame) < 0) {
		rv_buf_release(&k->frame);
		free(k);
		return NULL;
	}
	k->tag = ++p->tags;
	k->key = m->result.key;
	p->bytes += k->frame.bytes;
	s->count++;
	rv_list_append(&s->results, &k->link);
	return k;
}

static bool has_it(const struct source *s, struct proto_attempt_key key)
{
	for (struct rv_list *l = s->results.next; l != &s->results; l = l->next) {
		const struct kept *k = RV_CONTAINER_OF(l, struct kept, link);

		if (k->key.run == key.run && k->key.unit == key.unit && k->key.attempt == key.attempt)
			return true;
	}
	return false;
}

/* Of an attempt that is this node's, and not over: what else it says is late, and its blobs are wanted by nobody. */
static bool may_count(const struct coord *core, uint32_t node, struct proto_attempt_key key)
{
	const struct coord_graph *g = coord_run_graph(core, key.run);
	struct coord_unit_view v;

	if (!g || key.unit >= coord_graph_unit_count(g) + (coord_graph_verify_spec(g).bytes > 0))
		return false;
	coord_unit_view(core, key.run, key.unit, &v);
	return v.attempt == key.attempt && v.node == node && v.state < COORD_UNIT_SUCCEEDED;
}

/* true: not now. */
static bool drop_result(struct pieces *p, const struct rv_err *why)
{
	p->c->stats.results_dropped++;
	if (why)
		rv_log(p->c->cfg.log, RV_LOG_WARN, "result_waits", "error", why->msg, NULL);
	return true;
}

bool pieces_result(struct pieces *p, uint64_t peer, const struct proto_msg *m, uint64_t now_us)
{
	const struct coord *core = coord_shell_core(p->c->shell);
	uint32_t node = coord_peer_node(core, peer);
	struct rv_err err = { 0 };
	struct source *s;
	struct kept *k;
	int rc;

	(void)now_us;
	if (node == COORD_NONE || !may_count(core, node, m->result.key))
		return false; /* of nobody's session, or late: the core says what it is */
	s = source_of(p, peer);
	rv_buf_reset(&p->refs);
	if (!s || proto_result_blobs(&m->result, &p->refs) < 0)
		return drop_result(p, NULL);
	if (s->count && has_it(s, m->result.key))
		return true; /* said again while it waits */
	if (s->count >= RV_RESULTS_WAITING_MAX || p->bytes >= RV_RESULTS_WAITING_BYTES)
		return drop_result(p, NULL);
	k = keep(p, s, m);
	if (!k)
		return drop_result(p, NULL);
	rc = proto_transfer_want(s->transfer, k->tag, (const struct proto_blob_ref *)(const void *)p->refs.at,
				 (uint32_t)(p->refs.bytes / sizeof(struct proto_blob_ref)), &err);
	if (rc == 1) {
		p->c->stats.results_kept++;
		return true;
	}
	free_kept(p, s, k);
	return rc == 0 ? false : drop_result(p, &err);
}

void pieces_chunk(struct pieces *p, uint64_t peer, const struct proto_blob_piece *m, uint64_t now_us)
{
	struct source *s = find_source(p, peer);

	if (s)
		(void)proto_transfer_on_piece(s->transfer, m, now_us); /* what nobody asked for is counted there */
}

/* Sessions began or ended: whoever is no node's peer any more will send nothing. */
void pieces_nodes_changed(struct pieces *p)
{
	struct rv_list *l, *next;

	for (l = p->sources.next; l != &p->sources; l = next) {
		struct source *s = RV_CONTAINER_OF(l, struct source, link);

		next = l->next;
		if (coord_peer_node(coord_shell_core(p->c->shell), s->peer) == COORD_NONE) {
			p->c->stats.results_dropped += s->count;
			free_source(p, s);
		}
	}
}

static void deliver(struct pieces *p, struct source *s, const struct proto_transfer_end *end, uint64_t now_us, uint64_t real_us)
{
	struct kept *k = NULL;
	struct proto_msg m;
	struct rv_err err;

	for (struct rv_list *l = s->results.next; l != &s->results && !k; l = l->next)
		if (RV_CONTAINER_OF(l, struct kept, link)->tag == end->tag)
			k = RV_CONTAINER_OF(l, struct kept, link);
	if (!k)
		return;
	/* Out of the list before the core sees it: what it decides may end sessions. */
	rv_list_remove(&k->link);
	rv_list_init(&k->link);
	s->count--;
	p->bytes -= k->frame.bytes;
	if (end->err.code != RV_OK)
		(void)drop_result(p, &end->err);
	else if (proto_frame_open(p->reader, rv_buf_str(&k->frame), PROTO_TO_COORD, &err) == 0 && proto_frame_next(p->reader, &m, &err) == 1)
		coord_shell_result(p->c->shell, s->peer, &m, now_us, real_us);
	else
		rv_check(!"what we wrote can be read");
	rv_buf_release(&k->frame);
	free(k);
}

static void turn_source(struct pieces *p, struct source *s, uint64_t now_us, uint64_t real_us)
{
	struct proto_msg m = { .kind = PROTO_BLOB_WANTED };
	struct proto_transfer_end end;
	uint64_t peer = s->peer;

	for (int i = 0; i < ASKS_A_TURN && proto_transfer_ask(s->transfer, now_us, &m.blob_get); i++)
		(void)coord_shell_say(p->c->shell, s->peer, &m, COORD_SAY_NOW);
	while (s && proto_transfer_ended(s->transfer, &end)) {
		deliver(p, s, &end, now_us, real_us);
		s = find_source(p, peer); /* it may have gone with its session */
	}
}

void pieces_turn(struct pieces *p, uint64_t now_us, uint64_t real_us)
{
	struct rv_list *l = p->sources.next;

	while (l != &p->sources) {
		uint64_t freed = p->freed;

		turn_source(p, RV_CONTAINER_OF(l, struct source, link), now_us, real_us);
		l = p->freed == freed ? l->next : p->sources.next;
	}
}

uint64_t pieces_next_deadline(const struct pieces *p)
{
	uint64_t next = RV_NEVER;

	for (struct rv_list *l = p->sources.next; l != &p->sources; l = l->next)
		next = rv_min_u64(next, proto_transfer_next_deadline(RV_CONTAINER_OF(l, struct source, link)->transfer));
	return next;
}
