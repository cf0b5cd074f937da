/* reach.c - which units come before which: many questions at once */
#include "reach.h"

#include "common/check.h"

#include <stdlib.h>

#define WORDS_MAX 8u
#define SWEEP_WORDS ((size_t)2 << 20) /* 16 MiB of bits for each of the two kinds */
#define DEPS_LOOKED_AT 64u

static const struct plan_unit *unit_at(const struct plan_loader *l, uint32_t place)
{
	return &l->plan->units[l->topo[place]];
}

static uint32_t counterpart(const struct plan_unit *u)
{
	return u->for_each ? u->for_each->same_as : PLAN_NONE;
}

/* The dependency that comes latest: the forest's chains are long that way. */
static uint32_t parent_of(const struct plan_loader *l, uint32_t place)
{
	const struct plan_unit *u = unit_at(l, place);
	uint32_t best = PLAN_NONE, i;

	for (i = 0; i < u->dep_count; i++) {
		uint32_t at = l->topo_place[u->deps[i]];

		if (best == PLAN_NONE || at > best)
			best = at;
	}
	return best;
}

int plan_reach_init(struct plan_reach *r, struct plan_loader *l)
{
	uint32_t n = l->plan->unit_count, i, *parent = malloc((n + 1) * sizeof(*parent));
	uint32_t *next = malloc((n + 1) * sizeof(*next)), root = 0;

	*r = (struct plan_reach){ .l = l };
	r->first = malloc((n + 1) * sizeof(*r->first));
	r->size = malloc((n + 1) * sizeof(*r->size));
	if (!parent || !next || !r->first || !r->size) {
		free(parent);
		free(next);
		plan_reach_release(r);
		return plan_no_memory(l);
	}
	for (i = 0; i < n; i++) {
		parent[i] = parent_of(l, i);
		r->size[i] = 1;
	}
	for (i = n; i-- > 0;) {
		if (parent[i] != PLAN_NONE)
			r->size[parent[i]] += r->size[i];
	}
	for (i = 0; i < n; i++) {
		uint32_t *cursor = parent[i] == PLAN_NONE ? &root : &next[parent[i]];

		r->first[i] = *cursor;
		*cursor += r->size[i];
		next[i] = r->first[i] + 1;
	}
	free(parent);
	free(next);
	return 0;
}

void plan_reach_release(struct plan_reach *r)
{
	free(r->first);
	free(r->size);
	r->first = r->size = NULL;
}

bool plan_reach_quick(const struct plan_reach *r, const struct plan_question *q)
{
	const struct plan_loader *l = r->l;
	const struct plan_unit *u = unit_at(l, q->to);
	uint32_t i;

	if (r->first[q->from] <= r->first[q->to] && r->first[q->to] < r->first[q->from] + r->size[q->from])
		return q->from != q->to;
	if (counterpart(u) == l->topo[q->from] && q->from_k == q->to_k)
		return true;
	for (i = 0; u->dep_count <= DEPS_LOOKED_AT && i < u->dep_count; i++) {
		if (u->deps[i] == l->topo[q->from])
			return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct plan_question *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->to > y->to) - (x->to < y->to);
}

/* Bits of a sweep: `all` reached whole, `one` reached in the one counterpart only. */
struct sweep {
	uint64_t *all, *one;
	uint32_t low, words;
};

static void take(uint64_t *to, const uint64_t *from, uint32_t words)
{
	uint32_t i;

	for (i = 0; i < words; i++)
		to[i] |= from[i];
}

static void sweep_unit(const struct plan_loader *l, const struct sweep *s, uint32_t place)
{
	const struct plan_unit *u = unit_at(l, place);
	size_t at = (size_t)(place - s->low) * s->words, from;
	uint32_t i, dep = counterpart(u);

	for (i = 0; i < u->dep_count; i++) {
		if (l->topo_place[u->deps[i]] < s->low)
			continue;
		from = (size_t)(l->topo_place[u->deps[i]] - s->low) * s->words;
		take(s->all + at, s->all + from, s->words);
		take(s->all + at, s->one + from, s->words);
	}
	if (dep == PLAN_NONE || l->topo_place[dep] < s->low)
		return;
	from = (size_t)(l->topo_place[dep] - s->low) * s->words;
	take(s->all + at, s->all + from, s->words);
	take(s->one + at, s->one + from, s->words);
}

static bool bit(const uint64_t *words, uint32_t i)
{
	return words[i / 64] >> (i % 64) & 1;
}

static int sweep_chunk(struct plan_loader *l, struct plan_question *q, uint32_t count, uint32_t words, uint32_t high)
{
	struct sweep s = { .low = q[0].from, .words = words };
	size_t range = (size_t)(high - s.low) + 1;
	uint32_t i;

	s.all = calloc(range * words, sizeof(*s.all));
	s.one = calloc(range * words, sizeof(*s.one));
	if (!s.all || !s.one) {
		free(s.all);
		free(s.one);
		return plan_no_memory(l);
	}
	for (i = 0; i < count; i++)
		s.one[(size_t)(q[i].from - s.low) * words + i / 64] |= (uint64_t)1 << (i % 64);
	for (i = s.low + 1; i <= high; i++)
		sweep_unit(l, &s, i);
	for (i = 0; i < count; i++) {
		size_t at = (size_t)(q[i].to - s.low) * words;

		q[i].yes = bit(s.all + at, i) || (bit(s.one + at, i) && q[i].from_k == q[i].to_k);
	}
	free(s.all);
	free(s.one);
	return 0;
}

/* As many of the questions as fit one sweep; their count, and the last place it has to see. */
static uint32_t chunk(const struct plan_question *q, uint32_t count, uint32_t *words, uint32_t *high)
{
	uint32_t taken = 0, top = q[0].to;

	*words = 1;
	while (taken < count && taken < WORDS_MAX * 64) {
		uint32_t up = q[taken].to > top ? q[taken].to : top;
		uint32_t need = taken / 64 + 1;

		if (need > 1 && (size_t)(up - q[0].from + 1) * need > SWEEP_WORDS)
			break;
		*words = need;
		top = up;
		taken++;
	}
	*high = top;
	return taken;
}

int plan_reach_answer(struct plan_reach *r, struct plan_question *q, uint32_t count)
{
	uint32_t at = 0, n, words, high;

	qsort(q, count, sizeof(*q), compare);
	while (at < count) {
		rv_check(q[at].from < q[at].to);
		n = chunk(q + at, count - at, &words, &high);
		if (sweep_chunk(r->l, q + at, n, words, high))
			return -1;
		at += n;
	}
	return 0;
}
