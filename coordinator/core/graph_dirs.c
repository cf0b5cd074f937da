/* graph_dirs.c - allowed_directories as hashes of path prefixes, so that overlap is a few table look-ups
 *
 * A directory is held by putting its path and counting at each of its ancestors; two overlap if one's path is an ancestor
 * of (or the same as) the other's. Sets are shared by a template's instances unless the paths name the item.
 */
#include "coordinator/core/build.h"
#include "common/plan/template.h"

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for the run's directories");
}

/* Counts or writes the prefixes of one path; gives how many. */
static uint32_t put_prefixes(uint64_t workspace, struct rv_str path, uint64_t *out)
{
	uint64_t h = rv_hash_u64(workspace, 0);
	uint32_t n = 0;
	size_t at = 0;

	if (out)
		out[n] = h;
	n++;
	while (at < path.bytes) {
		size_t end = at;

		while (end < path.bytes && path.at[end] != '/')
			end++;
		if (end > at && !(end == at + 1 && path.at[at] == '.')) {
			h = rv_hash(h, rv_str(path.at + at, end - at));
			if (out)
				out[n] = h;
			n++;
		}
		at = end + 1;
	}
	return n;
}

struct totals {
	uint64_t sets, dirs, prefixes;
};

/* The i-th directory of instance k as text, in b->text where it is filled in. A path that cannot be known yet is the whole
 * workspace: too much is excluded rather than too little. */
static struct rv_str dir_text(struct coord_build *b, const struct plan_unit *u, uint32_t k, uint32_t i)
{
	struct plan_scope scope = { .layer = { b->plan->context, u->context } };
	char room[32];

	if (i < u->dirs->count - u->dirs->filled)
		return u->dirs->path[i];
	if (u->for_each)
		scope.item = plan_instance_item(u, k, room);
	rv_buf_reset(&b->text);
	if (plan_template_fill(u->dirs->path[i], &scope, NULL, &b->text, NULL) < 0)
		return RV_STR(".");
	return rv_buf_str(&b->text);
}

static void walk_unit(struct coord_build *b, uint32_t t, struct totals *n, bool write)
{
	const struct plan_unit *u = coord_build_unit(b, t);
	struct coord_graph *g = b->g;
	struct coord_tmpl *tm = &g->tmpls[t];
	uint32_t sets = u->dirs->filled && u->for_each ? tm->count : 1;

	tm->dirs = (uint32_t)n->sets;
	if (u->dirs->filled && u->for_each)
		tm->flags |= COORD_TMPL_DIRS_EACH;
	for (uint32_t k = 0; k < sets; k++) {
		uint64_t before = n->prefixes;

		if (write)
			g->dirsets[n->sets] = (struct coord_dirset){ (uint32_t)n->dirs, u->dirs->count };
		n->sets++;
		for (uint32_t i = 0; i < u->dirs->count; i++) {
			struct rv_str text = dir_text(b, u, k, i);
			uint32_t count = put_prefixes(g->workspace, text, write ? g->prefixes + n->prefixes : NULL);

			if (write)
				g->dirs[n->dirs] = (struct coord_dir){ (uint32_t)n->prefixes, count };
			n->dirs++;
			n->prefixes += count;
		}
		g->paths_most = (uint32_t)rv_max_u64(g->paths_most, n->prefixes - before);
	}
}

static struct totals walk_all(struct coord_build *b, bool write)
{
	struct totals n = { 0 };

	for (uint32_t t = 0; t < b->g->tmpl_count; t++)
		if (coord_build_has_dirs(b, coord_build_unit(b, t)))
			walk_unit(b, t, &n, write);
	return n;
}

int coord_build_dirs(struct coord_build *b, struct rv_err *err)
{
	struct totals n = walk_all(b, false);
	struct coord_graph *g = b->g;

	if (n.prefixes >= UINT32_MAX)
		return rv_fail(err, RV_E_LIMIT, "the run's allowed_directories are too many");
	g->dirsets = RV_ARENA_ARRAY(&g->arena, struct coord_dirset, n.sets + 1);
	g->dirs = RV_ARENA_ARRAY(&g->arena, struct coord_dir, n.dirs + 1);
	g->prefixes = RV_ARENA_ARRAY(&g->arena, uint64_t, n.prefixes + 1);
	if (!g->dirsets || !g->dirs || !g->prefixes)
		return no_memory(err);
	g->used.dirsets = (uint32_t)n.sets;
	g->used.dirs = (uint32_t)n.dirs;
	g->used.prefixes = (uint32_t)n.prefixes;
	(void)walk_all(b, true); /* the same walk, now with room */
	return 0;
}
