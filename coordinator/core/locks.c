/* locks.c - named locks, and directories that exclude each other; cluster-wide
 *
 * A lock is a count; classes that need one that is used up are parked at it.
 *
 * Directories: a path that is held has an entry `held`, and each of its ancestors counts it `below`. A path is free if nothing is
 * held at it or above it, and nothing below it. A unit whose path is not free waits at the entry that blocks it, in a heap by rank
 * with the others of its class, and costs nothing there. When the entry is free again, the first of each heap is woken, the next of
 * it once the one before has been tried, and only while the entry is still free. So 100,000 units that wait for one directory cost
 * one wake-up each, and one that was woken and finds no node holds up nobody whom another node would do.
 */
#include "common/plant.h"
#include "coordinator/core/state.h"

/* --- locks --- */

static struct coord_lock *lock_of(struct coord *c, uint64_t hash)
{
	for (uint32_t i = 0; i < c->lock_count; i++)
		if (c->locks[i].hash == hash)
			return &c->locks[i];
	return NULL;
}

bool coord_lock_named(const struct coord *c, uint64_t hash)
{
	for (uint32_t i = 0; i < c->lock_count; i++)
		if (c->locks[i].users && c->locks[i].hash == hash)
			return true;
	return false;
}

static struct coord_lock *class_lock(struct coord *c, const struct coord_run *r, const struct coord_class *cl, uint32_t i)
{
	struct coord_lock *l = &c->locks[r->g->locks[r->g->class_locks[cl->lock_first + i]].place];

	rv_check(l->users);
	return l;
}

static void wake_waiting(struct coord *c, struct coord_lock *l)
{
	while (l->waiting != UINT64_MAX) {
		struct coord_run *w = &c->runs[l->waiting >> 32];
		uint32_t waiting = (uint32_t)l->waiting;

		l->waiting = w->g->classes[waiting].next_waiting;
		coord_ready_unpark_class(c, w, waiting);
	}
}

void coord_locks_name(struct coord *c, struct coord_run *r)
{
	for (uint32_t i = 0; i < r->g->lock_count; i++) {
		struct coord_lock_name *name = &r->g->locks[i];
		struct coord_lock *l = lock_of(c, name->hash);

		for (uint32_t k = 0; !l && k < c->lock_count; k++)
			if (!c->locks[k].users)
				l = &c->locks[k];
		if (!l) {
			rv_check(c->lock_count < COORD_LOCKS_MAX); /* coord_admit_run() has looked */
			l = &c->locks[c->lock_count++];
		}
		if (!l->users)
			*l = (struct coord_lock){ .hash = name->hash, .waiting = UINT64_MAX };
		l->users++;
		l->capacity = name->count; /* the newest run's word counts */
		if (l->used < l->capacity)
			wake_waiting(c, l); /* there may be more of it than there was */
		name->place = (uint32_t)(l - c->locks);
	}
}

static void unlink_waiting(struct coord *c, struct coord_lock *l, uint32_t run)
{
	uint64_t *at = &l->waiting;

	while (*at != UINT64_MAX) {
		struct coord_class *cl = &c->runs[*at >> 32].g->classes[(uint32_t)*at];

		if (*at >> 32 == run)
			*at = cl->next_waiting;
		else
			at = &cl->next_waiting;
	}
}

void coord_locks_unname(struct coord *c, struct coord_run *r)
{
	for (uint32_t i = 0; i < r->g->lock_count; i++) {
		struct coord_lock *l = &c->locks[r->g->locks[i].place];

		unlink_waiting(c, l, coord_run_slot(c, r));
		if (--l->users == 0)
			l->hash = 0;
	}
}

bool coord_locks_free(struct coord *c, struct coord_run *r, uint32_t class, bool park)
{
	struct coord_class *cl = &r->g->classes[class];

	for (uint32_t i = 0; i < cl->lock_count; i++) {
		struct coord_lock *l = class_lock(c, r, cl, i);

		if (l->used < l->capacity + (RV_PLANT(LOCK_ONE_MORE) ? 1 : 0))
			continue;
		if (park) {
			cl->block = COORD_CLASS_AT_LOCK;
			cl->next_waiting = l->waiting;
			l->waiting = (uint64_t)coord_run_slot(c, r) << 32 | class;
			coord_ready_update(c, r, class);
		}
		return false;
	}
	return true;
}

void coord_locks_take(struct coord *c, struct coord_run *r, uint32_t class)
{
	const struct coord_class *cl = &r->g->classes[class];

	for (uint32_t i = 0; i < cl->lock_count; i++)
		class_lock(c, r, cl, i)->used++;
}

void coord_locks_give(struct coord *c, struct coord_run *r, uint32_t class)
{
	const struct coord_class *cl = &r->g->classes[class];

	for (uint32_t i = 0; i < cl->lock_count; i++) {
		struct coord_lock *l = class_lock(c, r, cl, i);

		rv_check(l->used);
		l->used--;
		wake_waiting(c, l);
	}
}

/* --- heaps of waiting units: pairing heaps by rank, linked through the units; one for those placed alike, their roots in a row --- */

static struct coord_unit *vertex_unit(struct coord *c, uint32_t v)
{
	return &c->runs[coord_vertex_run(v)].g->units[coord_vertex_index(v)];
}

static bool before(struct coord *c, uint32_t a, uint32_t b)
{
	uint32_t ra = vertex_unit(c, a)->rank, rb = vertex_unit(c, b)->rank;

	return ra != rb ? ra < rb : a < b;
}

static bool same_class(struct coord *c, uint32_t a, uint32_t b)
{
	return coord_vertex_run(a) == coord_vertex_run(b) && vertex_unit(c, a)->place_class == vertex_unit(c, b)->place_class;
}

/* They are placed alike: none has to keep off a node, or is another agent's, that the other need not. */
static bool alike(struct coord *c, uint32_t a, uint32_t b)
{
	const struct coord_unit *ua = vertex_unit(c, a), *ub = vertex_unit(c, b);
	const struct coord_run *r = &c->runs[coord_vertex_run(a)];

	if (!same_class(c, a, b) || (ua->flags ^ ub->flags) & COORD_U_AVOID)
		return false;
	if (ua->flags & COORD_U_AVOID && ua->node != ub->node)
		return false;
	return !r->g->meters || coord_budget_agent(r, coord_vertex_index(a)) == coord_budget_agent(r, coord_vertex_index(b));
}

/* Of two roots; the right link of the one that comes out is to be set. */
static uint32_t meld(struct coord *c, uint32_t a, uint32_t b)
{
	struct coord_unit *ua;

	if (before(c, b, a)) {
		uint32_t t = a;

		a = b;
		b = t;
	}
	ua = vertex_unit(c, a);
	vertex_unit(c, b)->right = ua->left;
	ua->left = b;
	return a;
}

/* One heap of a root's children, which are a row from `first` on: two by two, then all from the end. Without recursion: a row of 100,000 is
 * as good as any. */
static uint32_t meld_row(struct coord *c, uint32_t first)
{
	uint32_t pairs = COORD_NONE, root = COORD_NONE;

	while (first != COORD_NONE) {
		uint32_t a = first, b = vertex_unit(c, a)->right;

		first = b == COORD_NONE ? COORD_NONE : vertex_unit(c, b)->right;
		a = b == COORD_NONE ? a : meld(c, a, b);
		vertex_unit(c, a)->right = pairs;
		pairs = a;
	}
	while (pairs != COORD_NONE) {
		uint32_t a = pairs;

		pairs = vertex_unit(c, a)->right;
		root = root == COORD_NONE ? a : meld(c, root, a);
		vertex_unit(c, root)->right = COORD_NONE;
	}
	return root;
}

/* The root at this link goes; the next of its heap, if there is one, takes its place in the row. */
static void pop_at(struct coord *c, uint32_t *at)
{
	struct coord_unit *u = vertex_unit(c, *at);
	uint32_t root = meld_row(c, u->left);

	if (root == COORD_NONE) {
		*at = u->right;
	} else {
		vertex_unit(c, root)->right = u->right;
		*at = root;
	}
	u->left = u->right = COORD_NONE;
}

static bool pop_root(struct coord *c, uint32_t *row, uint32_t v)
{
	for (uint32_t *at = row; *at != COORD_NONE; at = &vertex_unit(c, *at)->right) {
		if (*at != v)
			continue;
		pop_at(c, at);
		return true;
	}
	return false;
}

/* One that was woken stays the first of its heap, whoever comes. */
static void push(struct coord *c, uint32_t *row, uint32_t v)
{
	struct coord_unit *u = vertex_unit(c, v), *root;
	uint32_t *at = row;

	while (*at != COORD_NONE && !alike(c, *at, v))
		at = &vertex_unit(c, *at)->right;
	u->left = u->right = COORD_NONE;
	if (*at == COORD_NONE) {
		*at = v;
		return;
	}
	root = vertex_unit(c, *at);
	if (root->flags & COORD_U_WOKEN || !before(c, v, *at)) {
		u->right = root->left;
		root->left = v;
		return;
	}
	u->right = root->right;
	root->right = COORD_NONE;
	u->left = *at;
	*at = v;
}

/* --- paths --- */

static struct coord_path *path_find(struct coord *c, uint64_t hash)
{
	uint32_t i = rv_intmap_get(&c->path_map, hash);

	return i == RV_MAP_NONE ? NULL : &c->paths[i];
}

static struct coord_path *path_make(struct coord *c, uint64_t hash)
{
	struct coord_path *p = path_find(c, hash);
	uint32_t i = c->path_free;

	if (p)
		return p;
	rv_check(c->path_room); /* coord_dirs_free() has looked */
	if (i != COORD_NONE)
		c->path_free = c->paths[i].next_free;
	else
		i = c->path_fresh++;
	p = &c->paths[i];
	c->path_room--;
	*p = (struct coord_path){ .hash = hash, .above_waiters = COORD_NONE, .self_waiters = COORD_NONE };
	rv_intmap_put(&c->path_map, hash, i);
	return p;
}

static void path_forget(struct coord *c, struct coord_path *p)
{
	if (p->held || p->below || p->above_waiters != COORD_NONE || p->self_waiters != COORD_NONE)
		return;
	if (path_find(c, p->hash) != p)
		return; /* forgotten already */
	(void)rv_intmap_remove(&c->path_map, p->hash);
	*p = (struct coord_path){ .above_waiters = COORD_NONE, .self_waiters = COORD_NONE, .next_free = c->path_free };
	c->path_free = (uint32_t)(p - c->paths);
	c->path_room++;
}

static const struct coord_dirset *unit_dirs(const struct coord_run *r, uint32_t unit)
{
	const struct coord_tmpl *t = &r->g->tmpls[coord_unit_at(r, unit)->tmpl];

	return &r->g->dirsets[t->flags & COORD_TMPL_DIRS_EACH ? t->dirs + (unit - t->first) : t->dirs];
}

/* The entry that blocks the unit, *above: held at or above its path; NULL: it is free. */
static struct coord_path *blocked_by(struct coord *c, const struct coord_run *r, uint32_t unit, bool *above)
{
	const struct coord_dirset *set = unit_dirs(r, unit);

	for (uint32_t i = 0; i < set->dir_count; i++) {
		const struct coord_dir *d = &r->g->dirs[set->dir_first + i];
		struct coord_path *p = NULL;

		for (uint32_t k = 0; k < d->prefix_count; k++) {
			p = path_find(c, r->g->prefixes[d->prefix_first + k]);
			if (p && p->held) {
				*above = true;
				return p;
			}
		}
		if (p && p->below) {
			*above = false;
			return p;
		}
	}
	return NULL;
}

/* The first of each heap in the row; the next of it once this one was tried. */
static void wake_row(struct coord *c, uint32_t *row)
{
	uint32_t *at = row;

	while (*at != COORD_NONE) {
		uint32_t v = *at;
		struct coord_unit *u = vertex_unit(c, v);

		if (!(u->flags & (COORD_U_DIR_WAIT | COORD_U_WOKEN))) { /* a corpse */
			pop_at(c, at);
			c->corpses--;
			continue;
		}
		at = &u->right;
		if (u->flags & COORD_U_WOKEN)
			continue;
		u->flags &= (uint8_t)~COORD_U_DIR_WAIT;
		u->flags |= COORD_U_WOKEN;
		coord_ready_add(c, &c->runs[coord_vertex_run(v)], coord_vertex_index(v));
	}
}

/* Who may go now is woken; an entry that nobody needs is forgotten. */
static void wake(struct coord *c, struct coord_path *p)
{
	if (!p->held)
		wake_row(c, &p->above_waiters);
	if (!p->held && !p->below)
		wake_row(c, &p->self_waiters);
	path_forget(c, p);
}

static uint32_t vertex_of(const struct coord *c, const struct coord_run *r, uint32_t unit)
{
	return coord_vertex(COORD_V_UNIT, coord_run_slot(c, r), unit);
}

/* It is no longer the one that was woken there: where that was. */
static struct coord_path *woken_leaves(struct coord *c, const struct coord_run *r, uint32_t unit)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_path *p = &c->paths[u->slot];
	uint32_t v = vertex_of(c, r, unit);

	rv_check(pop_root(c, &p->above_waiters, v) || pop_root(c, &p->self_waiters, v));
	return p;
}

static void wait_at(struct coord *c, struct coord_run *r, uint32_t unit, struct coord_path *p, bool above)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_path *from = u->flags & COORD_U_WOKEN ? woken_leaves(c, r, unit) : NULL;

	coord_ready_remove(c, r, unit);
	u->flags &= (uint8_t)~COORD_U_WOKEN;
	u->flags |= COORD_U_DIR_WAIT;
	u->slot = (uint32_t)(p - c->paths);
	push(c, above ? &p->above_waiters : &p->self_waiters, vertex_of(c, r, unit));
	if (from) /* it was woken there, and has been tried */
		wake(c, from);
}

bool coord_dirs_free(struct coord *c, struct coord_run *r, uint32_t unit, bool wait)
{
	const struct coord_dirset *set = unit_dirs(r, unit);
	bool above = false;
	struct coord_path *p = blocked_by(c, r, unit, &above);
	uint32_t need = 0;

	if (p) {
		if (wait)
			wait_at(c, r, unit, p, above);
		return false;
	}
	for (uint32_t i = 0; i < set->dir_count; i++)
		need += r->g->dirs[set->dir_first + i].prefix_count;
	return need <= c->path_room;
}

void coord_dirs_take(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_dirset *set = unit_dirs(r, unit);
	struct coord_unit *u = coord_unit_at(r, unit);

	for (uint32_t i = 0; i < set->dir_count; i++) {
		const struct coord_dir *d = &r->g->dirs[set->dir_first + i];

		for (uint32_t k = 0; k + 1 < d->prefix_count; k++)
			path_make(c, r->g->prefixes[d->prefix_first + k])->below++;
		path_make(c, r->g->prefixes[d->prefix_first + d->prefix_count - 1])->held++;
	}
	if (!(u->flags & COORD_U_WOKEN))
		return;
	u->flags &= (uint8_t)~COORD_U_WOKEN;
	wake(c, &c->paths[u->left]); /* it has been tried: the next one */
	u->left = COORD_NONE;
}

void coord_dirs_give(struct coord *c, struct coord_run *r, uint32_t unit)
{
	const struct coord_dirset *set = unit_dirs(r, unit);

	for (uint32_t i = 0; i < set->dir_count; i++) {
		const struct coord_dir *d = &r->g->dirs[set->dir_first + i];

		for (uint32_t k = 0; k < d->prefix_count; k++) {
			struct coord_path *p = path_find(c, r->g->prefixes[d->prefix_first + k]);

			rv_check(p != NULL);
			if (k + 1 < d->prefix_count)
				p->below--;
			else
				p->held--;
			wake(c, p);
		}
	}
}

/* A heap made anew without `v` and without those that have ended meanwhile. */
static uint32_t heap_without(struct coord *c, uint32_t root, uint32_t v)
{
	bool woken = vertex_unit(c, root)->flags & COORD_U_WOKEN;
	uint32_t kept = COORD_NONE, todo = woken ? meld_row(c, vertex_unit(c, root)->left) : root;

	while (todo != COORD_NONE) {
		uint32_t first = todo;
		struct coord_unit *u = vertex_unit(c, first);

		todo = meld_row(c, u->left);
		u->left = u->right = COORD_NONE;
		if (!(u->flags & COORD_U_DIR_WAIT) && first != v)
			c->corpses--;
		else if (first != v)
			kept = kept == COORD_NONE ? first : meld(c, kept, first);
	}
	if (!woken)
		return kept;
	vertex_unit(c, root)->left = kept;
	return root;
}

/* The same of all heaps of a row, or of those of `v`'s class: what it was like when it came may have changed. */
static void row_without(struct coord *c, uint32_t *row, uint32_t v)
{
	uint32_t *at = row;

	while (*at != COORD_NONE) {
		uint32_t next = vertex_unit(c, *at)->right;

		if (v == COORD_NONE || same_class(c, *at, v))
			*at = heap_without(c, *at, v);
		if (*at == COORD_NONE) {
			*at = next;
			continue;
		}
		vertex_unit(c, *at)->right = next;
		at = &vertex_unit(c, *at)->right;
	}
}

/* A unit that ends stays in its heap as a corpse, stepped over when its turn comes: a whole run may end at once. */
void coord_dirs_leave(struct coord *c, struct coord_run *r, uint32_t unit, enum coord_leave why)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_path *p = &c->paths[u->slot];

	if (u->flags & COORD_U_WOKEN) {
		(void)woken_leaves(c, r, unit);
		u->left = u->slot;
		u->slot = COORD_NONE;
		if (why == COORD_LEAVE_TO_RUN)
			return; /* it takes its paths first: coord_dirs_take() */
		u->flags &= (uint8_t)~COORD_U_WOKEN;
		u->left = COORD_NONE;
		wake(c, p);
		return;
	}
	u->slot = COORD_NONE;
	u->flags &= (uint8_t)~COORD_U_DIR_WAIT;
	if (why == COORD_LEAVE_FOR_GOOD) {
		c->corpses++;
		return;
	}
	row_without(c, &p->above_waiters, vertex_of(c, r, unit));
	row_without(c, &p->self_waiters, vertex_of(c, r, unit));
	path_forget(c, p);
}

/* No corpse may be left when a unit is reset or its run goes. */
void coord_dirs_bury(struct coord *c)
{
	for (uint32_t i = 0; i < c->path_fresh && c->corpses; i++) {
		row_without(c, &c->paths[i].above_waiters, COORD_NONE);
		row_without(c, &c->paths[i].self_waiters, COORD_NONE);
	}
	rv_check(!c->corpses);
}

/* Does nobody wait at the entry for what is free already? One of each class may, that was woken and finds no node. */
bool coord_path_waits_rightly(const struct coord *c, const struct coord_path *p)
{
	uint32_t rows[2] = { p->above_waiters, p->self_waiters };

	for (int i = 0; i < 2; i++) {
		if (p->held || (i && p->below))
			continue;
		for (uint32_t v = rows[i]; v != COORD_NONE; v = vertex_unit((struct coord *)(uintptr_t)c, v)->right)
			if (!(vertex_unit((struct coord *)(uintptr_t)c, v)->flags & COORD_U_WOKEN))
				return false;
	}
	return true;
}
