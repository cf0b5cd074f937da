/* dirs.c - units that could run together must not share directories
 *
 * All (directory, unit) pairs are sorted by path, so that a directory follows those it lies in. Along each way down from
 * the root, the units that have one of its directories must be a chain: each before the next. As "before" is transitive
 * it is enough to ask about neighbours in an order that follows dependencies, so a question or two for each pair
 * instead of one for each two units: 100,000 units that all have "src", one after the other, are 99,999 questions.
 */
#include "loader.h"

#include "common/check.h"
#include "common/limits.h"
#include "reach.h"
#include "template.h"

#include <ctype.h>
#include <stdlib.h>

#define VIOLATIONS_MAX 1000u
#define GROUPS_MAX 4096u /* parts of a path are at most half of 4,095 bytes */

struct entry {
	struct rv_str path; /* "" = the whole workspace */
	uint32_t place;     /* of its unit in topo */
	uint32_t k;         /* instance */
};

struct group {
	uint32_t from, to; /* entries of one path */
};

struct check {
	struct plan_loader *l;
	struct plan_vec entries;   /* struct entry */
	struct plan_vec questions; /* struct plan_question; tag: index of `to`'s entry; `from`'s beside it */
	struct plan_vec asked;     /* uint32_t: entry of `from`, by question number */
	struct group *open;        /* directories around the one at hand */
	uint32_t depth;
	struct plan_reach reach;
	uint32_t violations;
};

static struct entry *entry(const struct check *c, uint32_t i)
{
	return &PLAN_VEC_AT(&c->entries, struct entry, i);
}

/* ---- collecting ---- */

static int add_entry(struct check *c, struct rv_str path, uint32_t unit, uint32_t k)
{
	struct entry *e = plan_vec_add(c->l, &c->entries, sizeof(*e));

	if (!e)
		return -1;
	*e = (struct entry){
		.path = rv_str_equal(path, RV_STR(".")) ? rv_str(path.at, 0) : path,
		.place = c->l->topo_place[unit],
		.k = k,
	};
	return 0;
}

/* A directory with {{...}}, for one instance: 1 when it cannot be known yet, -1 no memory or told. */
static int add_filled(struct check *c, struct rv_str text, uint32_t unit, uint32_t k)
{
	const struct plan_unit *u = &c->l->plan->units[unit];
	struct plan_scope scope = { .layer = { c->l->plan->context, u->context } };
	enum plan_code code;
	char number[24], q[PLAN_QUOTED];
	struct rv_buf filled, path;
	const char *why;
	int rc = 1;

	if (u->for_each)
		scope.item = plan_instance_item(u, k, number);
	rv_buf_init(&filled, 65536);
	rv_buf_init(&path, 65536);
	if (plan_template_fill(text, &scope, NULL, &filled, NULL) == 0) {
		code = plan_dir_normalise(rv_buf_str(&filled), &path, &why);
		if (path.failed) {
			rc = plan_no_memory(c->l);
		} else if (code != PLAN_CODES) {
			plan_error_unit(c->l, code, unit, RV_STR("allowed_directories"), text,
					"the directory %s is not allowed: %s", plan_quote(rv_buf_str(&filled), q), why);
			rc = 1;
		} else {
			struct rv_str copy = rv_arena_str(&c->l->scratch, rv_buf_str(&path));

			rc = copy.at ? add_entry(c, copy, unit, k) : plan_no_memory(c->l);
		}
	} else if (filled.failed) {
		rc = plan_no_memory(c->l); /* or a path of more than 64 KiB, which nobody means */
	}
	rv_buf_release(&filled);
	rv_buf_release(&path);
	return rc;
}

static int collect_unit(struct check *c, uint32_t unit)
{
	const struct plan_unit *u = &c->l->plan->units[unit];
	uint32_t count = plan_unit_instances(u), k, i;

	for (k = 0; k < count; k++) {
		/* Two instances with the same directory are as wrong as all of them. */
		for (i = 0; k < 2 && i < u->dirs->count - u->dirs->filled; i++) {
			if (add_entry(c, u->dirs->path[i], unit, k))
				return -1;
		}
		for (; i < u->dirs->count; i++) {
			if (u->dirs->path[i].bytes && add_filled(c, u->dirs->path[i], unit, k) < 0)
				return -1;
		}
		if (!u->dirs->filled && k)
			break;
	}
	return 0;
}

/* ---- order of paths: a directory before what lies in it, parts compared one by one ---- */

static int compare_path(struct rv_str a, struct rv_str b)
{
	size_t n = a.bytes < b.bytes ? a.bytes : b.bytes, i;

	for (i = 0; i < n && a.at[i] == b.at[i]; i++)
		;
	if (i == n)
		return (a.bytes > b.bytes) - (a.bytes < b.bytes);
	if (a.at[i] == '/' || b.at[i] == '/')
		return a.at[i] == '/' ? -1 : 1;
	return (unsigned char)a.at[i] < (unsigned char)b.at[i] ? -1 : 1;
}

static int compare_unit(const struct entry *a, const struct entry *b)
{
	if (a->place != b->place)
		return a->place < b->place ? -1 : 1;
	return (a->k > b->k) - (a->k < b->k);
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = compare_path(x->path, y->path);

	return c ? c : compare_unit(x, y);
}

static bool lies_in(struct rv_str path, struct rv_str dir)
{
	return !dir.bytes || (path.bytes >= dir.bytes && memcmp(path.at, dir.at, dir.bytes) == 0 &&
			      (path.bytes == dir.bytes || path.at[dir.bytes] == '/'));
}

/* ---- faults ---- */

static struct rv_str shown(struct rv_str path)
{
	return path.bytes ? path : RV_STR(".");
}

static void put_name(const struct check *c, const struct entry *e, char out[RV_UNIT_ID_BYTES_MAX + 1])
{
	plan_instance_id(&c->l->plan->units[c->l->topo[e->place]], e->k, out);
}

static void tell_overlap(struct check *c, const struct entry *a, const struct entry *b)
{
	char na[RV_UNIT_ID_BYTES_MAX + 1], nb[RV_UNIT_ID_BYTES_MAX + 1], qa[PLAN_QUOTED], qb[PLAN_QUOTED];
	uint32_t ua = c->l->topo[a->place], ub = c->l->topo[b->place];
	const struct entry *swap;
	bool strict = c->l->plan->workspace.overlap == PLAN_OVERLAP_STRICT;
	struct plan_diag *g;

	if (ua > ub) {
		swap = a;
		a = b;
		b = swap;
		ub = ua;
	}
	put_name(c, a, na);
	put_name(c, b, nb);
	c->violations++;
	g = plan_error_unit(c->l, PLAN_E_DIR_OVERLAP, ub, RV_STR("allowed_directories"), b->path,
			    "units \"%s\" and \"%s\" %s overlapping directories: %s and %s", na, nb,
			    strict ? "have" : "could run at the same time in", plan_quote(shown(a->path), qa),
			    plan_quote(shown(b->path), qb));
	if (a->place == b->place)
		plan_diag_hint(g, "give each item a directory of its own, as in \"out/{{item}}\", or set workspace.overlap to "
				  "serialize");
	else
		plan_diag_hint(g, strict ? "give them separate directories, or set workspace.overlap to ordered" :
					   "let one depend on the other, give them separate directories, or set "
					   "workspace.overlap to serialize");
}

/* ---- asking ---- */

static int ask(struct check *c, uint32_t from, uint32_t to)
{
	const struct entry *a = entry(c, from), *b = entry(c, to);
	struct plan_question q = {
		.from = a->place, .to = b->place, .from_k = a->k, .to_k = b->k, .tag = c->asked.count,
	};
	struct plan_question *slot;
	uint32_t *pair;

	if (c->violations >= VIOLATIONS_MAX)
		return 0;
	if (a->place == b->place || c->l->plan->workspace.overlap == PLAN_OVERLAP_STRICT) {
		tell_overlap(c, a, b);
		return 0;
	}
	if (plan_reach_quick(&c->reach, &q))
		return 0;
	slot = plan_vec_add(c->l, &c->questions, sizeof(*slot));
	pair = slot ? plan_vec_add(c->l, &c->asked, 2 * sizeof(*pair)) : NULL;
	if (!pair)
		return -1;
	*slot = q;
	pair[0] = from;
	pair[1] = to;
	return 0;
}

/* The entry of the group that comes just before (`after` false) or after the unit of e; PLAN_NONE. */
static uint32_t neighbour(const struct check *c, const struct group *g, const struct entry *e, bool after)
{
	uint32_t lo = g->from, hi = g->to;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int cmp = compare_unit(entry(c, mid), e);

		if (cmp < 0 || (after && cmp == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (after)
		return lo < g->to ? lo : PLAN_NONE;
	return lo > g->from ? lo - 1 : PLAN_NONE;
}

static uint32_t nearer(const struct check *c, uint32_t a, uint32_t b, bool after)
{
	if (a == PLAN_NONE || b == PLAN_NONE)
		return a == PLAN_NONE ? b : a;
	return (compare_unit(entry(c, a), entry(c, b)) < 0) == after ? a : b;
}

static int ask_group(struct check *c, const struct group *g)
{
	uint32_t i, d;

	for (i = g->from; i < g->to; i++) {
		uint32_t before = i > g->from ? i - 1 : PLAN_NONE, after = i + 1 < g->to ? i + 1 : PLAN_NONE, own = after;

		/* A unit that names one directory twice is sorted out when it is read; instances differ. */
		for (d = 0; d < c->depth; d++) {
			before = nearer(c, before, neighbour(c, &c->open[d], entry(c, i), false), false);
			after = nearer(c, neighbour(c, &c->open[d], entry(c, i), true), after, true);
		}
		if (before != PLAN_NONE && compare_unit(entry(c, before), entry(c, i)) != 0 && ask(c, before, i))
			return -1;
		if (after != PLAN_NONE && after != own && ask(c, i, after))
			return -1;
	}
	return 0;
}

static int ask_all(struct check *c)
{
	uint32_t i = 0, count = c->entries.count;

	while (i < count) {
		struct group g = { .from = i };

		while (i < count && rv_str_equal(entry(c, i)->path, entry(c, g.from)->path))
			i++;
		g.to = i;
		while (c->depth && !lies_in(entry(c, g.from)->path, entry(c, c->open[c->depth - 1].from)->path))
			c->depth--;
		if (ask_group(c, &g))
			return -1;
		rv_check(c->depth < GROUPS_MAX);
		c->open[c->depth++] = g;
	}
	return 0;
}

static int answer(struct check *c)
{
	struct plan_question *q = c->questions.at;
	uint32_t i;

	if (!c->questions.count)
		return 0;
	if (plan_reach_answer(&c->reach, q, c->questions.count))
		return -1;
	for (i = 0; i < c->questions.count && c->violations < VIOLATIONS_MAX; i++) {
		const uint32_t *pair = (const uint32_t *)c->asked.at + 2 * (size_t)q[i].tag;

		if (!q[i].yes)
			tell_overlap(c, entry(c, pair[0]), entry(c, pair[1]));
	}
	return 0;
}

/* ---- names that differ by case only ---- */

static int compare_folded(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = compare_path(x->path, y->path);

	return c ? c : compare_unit(x, y);
}

/* Entries with folded paths; k is the number of the entry they come from. */
static int fold(struct check *c, struct plan_vec *folded)
{
	bool any = false;
	uint32_t i;
	size_t b;

	for (i = 0; i < c->entries.count && !any; i++) {
		for (b = 0; b < entry(c, i)->path.bytes; b++)
			any |= isupper((unsigned char)entry(c, i)->path.at[b]) != 0;
	}
	for (i = 0; any && i < c->entries.count; i++) {
		const struct entry *from = entry(c, i);
		struct entry *e;
		char *text;

		if (i && rv_str_equal(from->path, entry(c, i - 1)->path))
			continue;
		e = plan_vec_add(c->l, folded, sizeof(*e));
		text = e ? rv_arena_copy(&c->l->scratch, from->path) : NULL;
		if (!text)
			return plan_no_memory(c->l);
		for (b = 0; b < from->path.bytes; b++)
			text[b] = (char)tolower((unsigned char)text[b]);
		*e = (struct entry){ .path = rv_str(text, from->path.bytes), .place = from->place, .k = i };
	}
	return 0;
}

static void tell_case(struct check *c, const struct entry *a, const struct entry *b)
{
	uint32_t ua = c->l->topo[a->place], ub = c->l->topo[b->place];
	char qa[PLAN_QUOTED], qb[PLAN_QUOTED];
	const struct entry *swap;

	if (ua == ub)
		return;
	if (ua > ub) {
		swap = a;
		a = b;
		b = swap;
		ub = ua;
	}
	plan_error_unit(c->l, PLAN_W_CASE_OVERLAP, ub, RV_STR("allowed_directories"), b->path,
			"%s overlaps %s of unit \"%s\" where case does not count", plan_quote(b->path, qb),
			plan_quote(a->path, qa), c->l->plan->units[c->l->topo[a->place]].id.at);
}

static int check_case(struct check *c)
{
	struct plan_vec folded = { 0 };
	uint32_t i, last = 0, told = 0;
	int rc = fold(c, &folded);

	if (rc == 0 && folded.count > 1) {
		qsort(folded.at, folded.count, sizeof(struct entry), compare_folded);
		for (i = 1; i < folded.count && told < VIOLATIONS_MAX; i++) {
			const struct entry *a = &PLAN_VEC_AT(&folded, struct entry, last);
			const struct entry *b = &PLAN_VEC_AT(&folded, struct entry, i);

			/* `last` is the directory that those behind it may lie in. */
			if (!lies_in(b->path, a->path)) {
				last = i;
				continue;
			}
			if (lies_in(entry(c, b->k)->path, entry(c, a->k)->path))
				continue;
			tell_case(c, entry(c, a->k), entry(c, b->k));
			told++;
		}
	}
	plan_vec_release(&folded);
	return rc;
}

/* ---- all of it ---- */

static void check_missing(struct plan_loader *l)
{
	const struct plan_workspace *w = &l->plan->workspace;
	uint32_t i;
	char q[PLAN_QUOTED];

	for (i = 0; i < l->plan->unit_count; i++) {
		struct plan_unit *u = &l->plan->units[i];

		if ((u->flags & PLAN_UNIT_LACKS_DIRS) && w->require_directories)
			plan_diag_hint(plan_error_unit(l, PLAN_E_DIR_MISSING, i, (struct rv_str){ 0 },
						       (struct rv_str){ 0 }, "the agent unit %s has no allowed_directories",
						       plan_quote(u->id, q)),
				       "[] lets it write nothing, [.] everything; workspace.require_directories: false asks for none");
		if (u->dirs && w->mode == PLAN_MODE_NONE)
			plan_error_unit(l, PLAN_E_CONFLICT, i, RV_STR("allowed_directories"), (struct rv_str){ 0 },
					"unit %s has directories, but workspace.mode is none", plan_quote(u->id, q));
		u->flags &= ~PLAN_UNIT_LACKS_DIRS;
	}
}

int plan_check_dirs(struct plan_loader *l)
{
	struct plan_workspace *w = &l->plan->workspace;
	struct check c = { .l = l };
	uint32_t i;
	int rc = 0;

	if (!l->mode_given)
		w->mode = l->any_dirs ? PLAN_MODE_SHARED : PLAN_MODE_NONE;
	if (!l->require_given)
		w->require_directories = w->mode != PLAN_MODE_NONE;
	check_missing(l);
	if (l->opt->mock == PLAN_MOCK_ALL)
		w->require_directories = false; /* as saved, its commands are agents that need none */
	if (w->mode == PLAN_MODE_NONE || w->overlap == PLAN_OVERLAP_SERIALIZE || w->overlap == PLAN_OVERLAP_ALLOW ||
	    l->cyclic)
		return 0;
	for (i = 0; rc == 0 && i < l->plan->unit_count; i++) {
		if (l->plan->units[i].dirs)
			rc = collect_unit(&c, i);
	}
	c.open = malloc(GROUPS_MAX * sizeof(*c.open));
	if (!c.open)
		rc = plan_no_memory(l);
	if (rc == 0 && c.entries.count > 1) {
		qsort(c.entries.at, c.entries.count, sizeof(struct entry), compare_entries);
		rc = plan_reach_init(&c.reach, l);
		if (rc == 0)
			rc = ask_all(&c) || answer(&c) || check_case(&c) ? -1 : 0;
		plan_reach_release(&c.reach);
	}
	free(c.open);
	plan_vec_release(&c.entries);
	plan_vec_release(&c.questions);
	plan_vec_release(&c.asked);
	return rc;
}
