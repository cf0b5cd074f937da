#include "proto/transfer.h"

#include "common/buf.h"
#include "common/check.h"
#include "common/list.h"

#include <stdlib.h>

/* A blob that is wanted is in one of three places:
 *
 *   small, large   waiting, in the order they were wanted (small: its size is known and fits one piece)
 *   open           large ones of which pieces are asked for; a file of each is being written
 *   none           small ones that are asked for: a flight names them
 *
 * What is asked for and did not come in time goes back to the front of its queue, or to where its file stands. */

#define PIECE ((uint64_t)PROTO_PIECE_BYTES_MAX)
#define FLIGHTS_MAX 128u
#define UNKNOWN UINT64_MAX

struct chain {
	struct chain *next;
	uint64_t key;
};

struct table {
	struct chain **slots;
	uint32_t mask, count;
};

struct want {
	struct chain chain;      /* by the first bytes of its digest; first member */
	struct rv_list queue;
	struct rv_list members;
	uint8_t digest[PROTO_DIGEST_BYTES];
	uint64_t bytes;          /* UNKNOWN until the first piece */
	uint64_t got, asked;     /* without a gap; the next offset to ask for */
	uint32_t flights;
	bool open;
	struct rv_blob_writer writer; /* fd -1: no piece has come */
};

struct member {
	struct rv_list of_want;
	struct want *want;       /* NULL: it is there */
	struct set *set;
};

struct set {
	struct chain chain;      /* by tag; first member */
	struct rv_list ended;    /* a ring of its own: it is not over */
	struct rv_err err;
	uint32_t left, count;
	struct member members[];
};

struct flight {
	uint64_t request, offset, bytes;
	struct want *want;       /* NULL: given up meanwhile */
};

struct proto_transfer {
	struct proto_transfer_config cfg;
	struct table wants, sets;
	struct rv_list small, large, open, ended;
	uint32_t open_count;
	bool large_next;         /* small and large ones take turns */
	struct flight flights[FLIGHTS_MAX];
	uint32_t flight_count;
	uint64_t flight_bytes, window;
	uint64_t heard_us;       /* the last piece, or the first request after none was out */
	uint32_t silences;       /* in a row */
	uint64_t request;
	struct proto_transfer_stats stats;
};

/* --- tables ------------------------------------------------------------------------------------------------------------- */

static struct chain **slot_of(const struct table *t, uint64_t key)
{
	return &t->slots[rv_hash_u64(1, key) & t->mask];
}

static int table_grow(struct table *t)
{
	uint32_t slots = t->slots ? 2 * (t->mask + 1) : 16;
	struct table bigger = { .slots = calloc(slots, sizeof(*bigger.slots)), .mask = slots - 1, .count = t->count };

	if (!bigger.slots)
		return -1;
	for (uint32_t i = 0; t->slots && i <= t->mask; i++)
		for (struct chain *c = t->slots[i], *next; c; c = next) {
			struct chain **at = slot_of(&bigger, c->key);

			next = c->next;
			c->next = *at;
			*at = c;
		}
	free(t->slots);
	*t = bigger;
	return 0;
}

static int table_add(struct table *t, struct chain *c)
{
	struct chain **at;

	if ((!t->slots || t->count > t->mask) && table_grow(t) < 0)
		return -1;
	at = slot_of(t, c->key);
	c->next = *at;
	*at = c;
	t->count++;
	return 0;
}

static void table_remove(struct table *t, struct chain *c)
{
	struct chain **at = slot_of(t, c->key);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	t->count--;
}

static struct want *find_want(const struct proto_transfer *t, const uint8_t *digest)
{
	uint64_t key;

	memcpy(&key, digest, sizeof(key));
	for (struct chain *c = t->wants.slots ? *slot_of(&t->wants, key) : NULL; c; c = c->next) {
		struct want *w = RV_CONTAINER_OF(c, struct want, chain);

		if (memcmp(w->digest, digest, sizeof(w->digest)) == 0)
			return w;
	}
	return NULL;
}

static struct set *find_set(const struct proto_transfer *t, uint64_t tag)
{
	for (struct chain *c = t->sets.slots ? *slot_of(&t->sets, tag) : NULL; c; c = c->next)
		if (c->key == tag)
			return RV_CONTAINER_OF(c, struct set, chain);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

void proto_transfer_config_init(struct proto_transfer_config *cfg, struct rv_blobs *blobs)
{
	*cfg = (struct proto_transfer_config){ .blobs = blobs, .blobs_max = PROTO_TRANSFER_BLOBS_MAX, .blob_bytes_max = INT64_MAX,
					       .resend_us = PROTO_TRANSFER_RESEND_US };
}

struct proto_transfer *proto_transfer_create(const struct proto_transfer_config *cfg)
{
	struct proto_transfer *t = calloc(1, sizeof(*t));

	rv_check(cfg->blobs);
	rv_check(cfg->blobs_max);
	rv_check(cfg->resend_us);
	if (!t)
		return NULL;
	t->cfg = *cfg;
	t->window = PIECE;
	rv_list_init(&t->small);
	rv_list_init(&t->large);
	rv_list_init(&t->open);
	rv_list_init(&t->ended);
	return t;
}

static void close_want(struct proto_transfer *t, struct want *w)
{
	if (!w->open)
		return;
	rv_blob_drop(&w->writer);
	w->open = false;
	t->open_count--;
}

static void want_destroy(struct proto_transfer *t, struct want *w)
{
	close_want(t, w);
	for (uint32_t i = 0; w->flights && i < t->flight_count; i++)
		if (t->flights[i].want == w)
			t->flights[i].want = NULL;
	rv_list_remove(&w->queue);
	table_remove(&t->wants, &w->chain);
	free(w);
}

static void set_destroy(struct proto_transfer *t, struct set *s)
{
	rv_list_remove(&s->ended);
	table_remove(&t->sets, &s->chain);
	free(s);
}

/* What it still waits for does not concern it any more. */
static void set_leave(struct proto_transfer *t, struct set *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		struct want *w = s->members[i].want;

		if (!w)
			continue;
		rv_list_remove(&s->members[i].of_want);
		s->members[i].want = NULL;
		if (rv_list_empty(&w->members))
			want_destroy(t, w);
	}
	s->left = 0;
}

void proto_transfer_destroy(struct proto_transfer **tp)
{
	struct proto_transfer *t = *tp;

	if (!t)
		return;
	*tp = NULL;
	for (uint32_t i = 0; t->sets.slots && i <= t->sets.mask; i++)
		while (t->sets.slots[i]) {
			struct set *s = RV_CONTAINER_OF(t->sets.slots[i], struct set, chain);

			set_leave(t, s);
			set_destroy(t, s);
		}
	rv_check(t->wants.count == 0);
	free(t->wants.slots);
	free(t->sets.slots);
	free(t);
}

/* --- wanting ---------------------------------------------------------------------------------------------------------------- */

/* 1: in the store. */
static int have(struct proto_transfer *t, const struct proto_blob_ref *ref, struct rv_err *err)
{
	if (ref->bytes == UNKNOWN)
		return rv_blobs_find(t->cfg.blobs, ref->digest, NULL, err);
	return rv_blobs_hold(t->cfg.blobs, ref->digest, ref->bytes, err);
}

static void enqueue(struct proto_transfer *t, struct want *w)
{
	rv_list_remove(&w->queue);
	rv_list_append(w->bytes <= PIECE ? &t->small : &t->large, &w->queue);
}

/* To the front: it was asked for before those that wait. */
static void requeue(struct proto_transfer *t, struct want *w)
{
	rv_list_remove(&w->queue);
	rv_list_append(t->small.next, &w->queue);
}

static struct want *want_get(struct proto_transfer *t, const struct proto_blob_ref *ref)
{
	struct want *w = find_want(t, ref->digest);

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	rv_list_init(&w->queue);
	rv_list_init(&w->members);
	memcpy(w->digest, ref->digest, sizeof(w->digest));
	memcpy(&w->chain.key, ref->digest, sizeof(w->chain.key));
	w->bytes = ref->bytes;
	w->writer.fd = -1;
	if (table_add(&t->wants, &w->chain) < 0) {
		free(w);
		return NULL;
	}
	enqueue(t, w);
	return w;
}

/* Counts what is missing and refuses what cannot be pulled; `missing[i]` says which. */
static int look(struct proto_transfer *t, const struct proto_blob_ref *refs, uint32_t count, bool *missing, uint32_t *left, struct rv_err *err)
{
	uint32_t added = 0;

	for (uint32_t i = 0; i < count; i++) {
		int there = have(t, &refs[i], err);

		if (there < 0)
			return -1;
		missing[i] = !there;
		if (there)
			continue;
		if (refs[i].bytes != UNKNOWN && refs[i].bytes > t->cfg.blob_bytes_max)
			return rv_fail(err, RV_E_LIMIT, "a blob has %llu bytes; the limit is %llu", (unsigned long long)refs[i].bytes,
				       (unsigned long long)t->cfg.blob_bytes_max);
		(*left)++;
		added += !find_want(t, refs[i].digest);
	}
	if (added > t->cfg.blobs_max - t->wants.count)
		return rv_fail(err, RV_E_LIMIT, "%u blobs are being fetched; %u more would be over the limit of %u", t->wants.count, added,
			       t->cfg.blobs_max);
	return 0;
}

static int add_set(struct proto_transfer *t, uint64_t tag, const struct proto_blob_ref *refs, uint32_t count, const bool *missing, uint32_t left)
{
	struct set *s = calloc(1, sizeof(*s) + left * sizeof(s->members[0]));

	if (!s)
		return -1;
	s->chain.key = tag;
	rv_list_init(&s->ended);
	if (table_add(&t->sets, &s->chain) < 0) {
		free(s);
		return -1;
	}
	for (uint32_t i = 0; i < count; i++) {
		struct want *w;
		struct member *m;

		if (!missing[i])
			continue;
		w = want_get(t, &refs[i]);
		if (!w) {
			set_leave(t, s);
			set_destroy(t, s);
			return -1;
		}
		m = &s->members[s->count++];
		*m = (struct member){ .want = w, .set = s };
		rv_list_append(&w->members, &m->of_want);
		s->left++;
	}
	return 0;
}

int proto_transfer_want(struct proto_transfer *t, uint64_t tag, const struct proto_blob_ref *refs, uint32_t count, struct rv_err *err)
{
	bool *missing;
	uint32_t left = 0;
	int rc;

	rv_check(!find_set(t, tag));
	if (!count)
		return 0;
	missing = malloc(count * sizeof(*missing));
	if (!missing)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to fetch %u blobs", count);
	rc = look(t, refs, count, missing, &left, err);
	if (rc == 0 && left) {
		rc = 1;
		if (add_set(t, tag, refs, count, missing, left) < 0)
			rc = rv_fail(err, RV_E_NO_MEMORY, "no memory to fetch %u blobs", left);
	}
	free(missing);
	return rc;
}

bool proto_transfer_drop(struct proto_transfer *t, uint64_t tag)
{
	struct set *s = find_set(t, tag);

	if (!s)
		return false;
	set_leave(t, s);
	set_destroy(t, s);
	return true;
}

/* --- asking --------------------------------------------------------------------------------------------------------------------- */

/* Nothing that is out counts any more. */
static void forget_flights(struct proto_transfer *t, uint64_t now_us)
{
	while (t->flight_count) {
		struct want *w = t->flights[--t->flight_count].want;

		t->stats.repeated++;
		if (!w)
			continue;
		w->flights = 0;
		w->asked = w->got;
		if (!w->open)
			requeue(t, w);
	}
	t->flight_bytes = 0;
	t->window = PIECE;
	t->heard_us = now_us;
}

/* When to ask again if nothing is heard. */
static uint64_t silent_at(const struct proto_transfer *t)
{
	uint64_t wait = t->cfg.resend_us;

	for (uint32_t i = 0; i < t->silences && wait < PROTO_TRANSFER_RESEND_US_MAX; i++)
		wait *= 2;
	return rv_sat_add(t->heard_us, rv_min_u64(wait, rv_max_u64(PROTO_TRANSFER_RESEND_US_MAX, t->cfg.resend_us)));
}

static uint64_t next_bytes(const struct want *w)
{
	return w->bytes == UNKNOWN ? PIECE : rv_min_u64(w->bytes - w->asked, PIECE);
}

/* More of it may be asked for: of one whose size is not known the first piece tells it. */
static bool askable(const struct want *w)
{
	if (w->bytes == UNKNOWN)
		return w->flights == 0;
	return w->asked < w->bytes;
}

static struct want *next_large(struct proto_transfer *t)
{
	for (struct rv_list *l = t->open.next; l != &t->open; l = l->next) {
		struct want *w = RV_CONTAINER_OF(l, struct want, queue);

		if (!w->flights)
			w->asked = w->got; /* a piece of it was lost before others that came */
		if (askable(w))
			return w;
	}
	if (t->open_count < PROTO_TRANSFER_OPEN_MAX && !rv_list_empty(&t->large)) {
		struct want *w = RV_CONTAINER_OF(t->large.next, struct want, queue);

		rv_list_remove(&w->queue);
		rv_list_append(&t->open, &w->queue);
		w->open = true;
		t->open_count++;
		return w;
	}
	return NULL;
}

static struct want *next_small(struct proto_transfer *t)
{
	return rv_list_empty(&t->small) ? NULL : RV_CONTAINER_OF(t->small.next, struct want, queue);
}

static struct want *next_want(struct proto_transfer *t)
{
	struct want *w = t->large_next ? next_large(t) : next_small(t);

	if (!w)
		w = t->large_next ? next_small(t) : next_large(t);
	t->large_next = !t->large_next;
	return w;
}

int proto_transfer_ask(struct proto_transfer *t, uint64_t now_us, struct proto_blob_get *get)
{
	struct want *w;
	uint64_t bytes;

	if (t->flight_count && now_us >= silent_at(t)) {
		t->silences++;
		forget_flights(t, now_us);
	}
	if (t->flight_count == FLIGHTS_MAX || t->flight_bytes >= t->window)
		return 0;
	w = next_want(t);
	if (!w)
		return 0;
	if (!w->open)
		rv_list_remove(&w->queue);
	if (!t->flight_count)
		t->heard_us = now_us;
	bytes = next_bytes(w);
	*get = (struct proto_blob_get){ .request = ++t->request, .offset = w->asked };
	memcpy(get->digest, w->digest, sizeof(get->digest));
	t->flights[t->flight_count++] = (struct flight){ .request = t->request, .offset = w->asked, .bytes = bytes, .want = w };
	t->flight_bytes += bytes;
	w->asked += bytes;
	w->flights++;
	t->stats.asked++;
	return 1;
}

/* --- pieces --------------------------------------------------------------------------------------------------------------------- */

static void set_end(struct proto_transfer *t, struct set *s, const struct rv_err *err)
{
	if (err)
		s->err = *err;
	set_leave(t, s);
	rv_list_append(&t->ended, &s->ended);
}

/* It is there. */
static void complete(struct proto_transfer *t, struct want *w)
{
	while (!rv_list_empty(&w->members)) {
		struct member *m = RV_CONTAINER_OF(w->members.next, struct member, of_want);

		rv_list_remove(&m->of_want);
		m->want = NULL;
		if (--m->set->left == 0)
			set_end(t, m->set, NULL);
	}
	t->stats.blobs++;
	t->stats.bytes += w->bytes;
	want_destroy(t, w);
}

/* It will not come: every set that wants it is over. The last of them takes it along. */
static void give_up(struct proto_transfer *t, struct want *w, const struct rv_err *err)
{
	bool last;

	do {
		struct member *m = RV_CONTAINER_OF(w->members.next, struct member, of_want);

		last = true;
		for (struct rv_list *l = w->members.next; last && l != &w->members; l = l->next)
			last = RV_CONTAINER_OF(l, struct member, of_want)->set == m->set;
		set_end(t, m->set, err);
	} while (!last);
}

/* Whole in one piece: no file is opened before its bytes are known to be right. */
static int put_whole(struct proto_transfer *t, struct want *w, struct rv_str bytes, struct rv_err *err)
{
	uint8_t digest[PROTO_DIGEST_BYTES];

	rv_digest(bytes, digest);
	if (memcmp(digest, w->digest, sizeof(digest)) != 0)
		return rv_fail(err, RV_E_CORRUPT, "the peer sent other bytes than the blob's digest names");
	return rv_blobs_put(t->cfg.blobs, bytes, digest, err);
}

static int put_piece(struct proto_transfer *t, struct want *w, struct rv_str bytes, struct rv_err *err)
{
	uint8_t digest[PROTO_DIGEST_BYTES];

	if (w->got == 0 && bytes.bytes == w->bytes) {
		if (put_whole(t, w, bytes, err) < 0)
			return -1;
		w->got = w->bytes;
		return 0;
	}
	if (w->writer.fd < 0 && rv_blob_begin(&w->writer, t->cfg.blobs, err) < 0)
		return -1;
	if (rv_blob_add(&w->writer, bytes, err) < 0)
		return -1;
	w->got += bytes.bytes;
	return w->got == w->bytes ? rv_blob_end(&w->writer, w->digest, digest, err) : 0;
}

/* -1: the blob cannot be had from this peer. */
static int check_piece(struct proto_transfer *t, struct want *w, const struct proto_blob_piece *p, struct rv_err *err)
{
	if (p->size == UNKNOWN)
		return rv_fail(err, RV_E_NOT_FOUND, "the peer does not have a blob that it named");
	if (w->bytes == UNKNOWN) {
		if (p->size > t->cfg.blob_bytes_max)
			return rv_fail(err, RV_E_LIMIT, "a blob has %llu bytes; the limit is %llu", (unsigned long long)p->size,
				       (unsigned long long)t->cfg.blob_bytes_max);
		w->bytes = p->size;
		w->asked = rv_min_u64(w->asked, w->bytes);
	}
	if (p->size != w->bytes)
		return rv_fail(err, RV_E_CORRUPT, "the peer says that a blob has %llu bytes, but it was named with %llu",
			       (unsigned long long)p->size, (unsigned long long)w->bytes);
	if (p->bytes.bytes != rv_min_u64(w->bytes - p->offset, PIECE))
		return rv_fail(err, RV_E_CORRUPT, "the peer sent %zu bytes of a blob of %llu from %llu on", p->bytes.bytes,
			       (unsigned long long)w->bytes, (unsigned long long)p->offset);
	return 0;
}

static void take_piece(struct proto_transfer *t, struct want *w, const struct proto_blob_piece *p)
{
	struct rv_err err;

	if (check_piece(t, w, p, &err) < 0) {
		give_up(t, w, &err);
		return;
	}
	if (p->offset != w->got)
		return; /* one before it was lost; asked again once no more are out */
	if (put_piece(t, w, p->bytes, &err) < 0)
		give_up(t, w, &err);
	else if (w->got == w->bytes)
		complete(t, w);
}

bool proto_transfer_on_piece(struct proto_transfer *t, const struct proto_blob_piece *piece, uint64_t now_us)
{
	struct want *w;
	uint32_t i = 0;

	while (i < t->flight_count && t->flights[i].request != piece->request)
		i++;
	w = i < t->flight_count ? t->flights[i].want : NULL;
	if (i == t->flight_count || t->flights[i].offset != piece->offset || (w && memcmp(w->digest, piece->digest, sizeof(w->digest)) != 0)) {
		t->stats.unasked++;
		return false;
	}
	t->flight_bytes -= t->flights[i].bytes;
	t->flights[i] = t->flights[--t->flight_count];
	t->heard_us = now_us;
	t->silences = 0;
	t->window = rv_min_u64(2 * t->window, PROTO_TRANSFER_WINDOW_BYTES);
	if (w) {
		w->flights--;
		take_piece(t, w, piece);
	}
	return true;
}

void proto_transfer_relinked(struct proto_transfer *t, uint64_t now_us)
{
	t->silences = 0;
	forget_flights(t, now_us);
}

/* --- asking the transfer ------------------------------------------------------------------------------------------------------------ */

int proto_transfer_ended(struct proto_transfer *t, struct proto_transfer_end *end)
{
	struct set *s;

	if (rv_list_empty(&t->ended))
		return 0;
	s = RV_CONTAINER_OF(t->ended.next, struct set, ended);
	*end = (struct proto_transfer_end){ .tag = s->chain.key, .err = s->err };
	set_destroy(t, s);
	return 1;
}

uint64_t proto_transfer_next_deadline(const struct proto_transfer *t)
{
	return t->flight_count ? silent_at(t) : RV_NEVER;
}

void proto_transfer_stats(const struct proto_transfer *t, struct proto_transfer_stats *out)
{
	*out = t->stats;
	out->wanted = t->wants.count;
	out->sets = t->sets.count;
}

/* --- what messages name -------------------------------------------------------------------------------------------------------------- */

static int add_ref(struct rv_buf *refs, const uint8_t *digest, uint64_t bytes)
{
	struct proto_blob_ref ref = { .bytes = bytes };

	memcpy(ref.digest, digest, sizeof(ref.digest));
	return rv_buf_put(refs, &ref, sizeof(ref));
}

static int add_value(struct rv_buf *refs, const struct proto_value *v)
{
	return v->kind == PROTO_VALUE_BLOB ? add_ref(refs, v->digest, v->blob_bytes) : 0;
}

int proto_result_blobs(const struct proto_result *r, struct rv_buf *refs)
{
	(void)add_value(refs, &r->output);
	(void)add_value(refs, &r->tail);
	for (uint32_t i = 0; i < r->artifact_count; i++)
		if (!rv_digest_is_zero(r->artifacts[i].digest))
			(void)add_ref(refs, r->artifacts[i].digest, r->artifacts[i].bytes);
	return refs->failed ? -1 : 0;
}

int proto_deps_blobs(const struct proto_dep *deps, uint32_t count, struct rv_buf *refs)
{
	for (uint32_t i = 0; i < count; i++)
		(void)add_value(refs, &deps[i].output);
	return refs->failed ? -1 : 0;
}

int proto_dispatch_blobs(const struct proto_dispatch *d, struct rv_buf *refs)
{
	(void)add_value(refs, &d->spec_blob);
	(void)add_value(refs, &d->deps_blob);
	return proto_deps_blobs(d->deps, d->dep_count, refs);
}

/* --- serving ------------------------------------------------------------------------------------------------------------------------- */

int proto_blob_serve(struct rv_blobs *blobs, const struct proto_blob_get *get, char *room, struct proto_blob_piece *piece, struct rv_err *err)
{
	size_t got = 0;
	int there;

	*piece = (struct proto_blob_piece){ .request = get->request, .size = UNKNOWN, .offset = get->offset };
	memcpy(piece->digest, get->digest, sizeof(piece->digest));
	there = rv_blobs_find(blobs, get->digest, &piece->size, err);
	if (there <= 0) {
		piece->size = UNKNOWN;
		return there;
	}
	if (rv_blobs_get(blobs, get->digest, get->offset, room, PIECE, &got, err) < 0)
		return -1;
	piece->bytes = rv_str(room, got);
	return 0;
}
