/* locks.c - named locks, and directories that exclude each other; cluster-wide
 *
 * A lock is a count; classes that need one that is used up are parked at it.
 *
 * Directories: a path that is held has an entry `held`, and each of its ancestors counts it `below`. A path is free if nothing is
 * held at it or above it, and nothing below it. A unit whose path is not free waits at the entry that blocks it, in a heap by rank,
 * and costs nothing there. When the entry is free again, waiters are woken one at a time: the next once the one before has
 * been tried, and only while the entry is still free. So 100,000 units that wait for one directory cost one wake-up each.
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
		while (l->waiting != UINT64_MAX) {
			struct coord_run *w = &c->runs[l->waiting >> 32];
			uint32_t waiting = (uint32_t)l->waiting;

			l->waiting = w->g->classes[waiting].next_waiting;
			coord_ready_unpark_class(c, w, waiting);
		}
	}
}

/* --- heaps of waiting units: skew heaps by rank, linked through the units --- */

static struct coord_unit *vertex_unit(struct coord *c, uint32_t v)
{
	return &c->runs[coord_vertex_run(v)].g->units[coord_vertex_index(v)];
}

static bool before(struct coord *c, uint32_t a, uint32_t b)
{
	uint32_t ra = vertex_unit(c, a)->rank, rb = vertex_unit(c, b)->rank;

	return ra != rb ? ra < rb : a < b;
}

/* Top-down, without recursion: a path of 100,000 is as good as any. */
static uint32_t meld(struct coord *c, uint32_t a, uint32_t b)
{
	uint32_t root = COORD_NONE, *hook = &root;

	while (a != COORD_NONE && b != COORD_NONE) {
		struct coord_unit *u;
		uint32_t right;

		if (before(c, b, a)) {
			uint32_t t = a;

			a = b;
			b = t;
		}
		u = vertex_unit(c, a);
		right = u->right;
		u->right = u->left;
		*hook = a;
		hook = &u->left;
		a = right;
	}
	*hook = a != COORD_NONE ? a : b;
	return root;
}

static uint32_t pop(struct coord *c, uint32_t *heap)
{
	uint32_t v = *heap;
	struct coord_unit *u = vertex_unit(c, v);

	*heap = meld(c, u->left, u->right);
	u->left = u->right = COORD_NONE;
	return v;
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
	if (p->held || p->below || p->waking || p->above_waiters != COORD_NONE || p->self_waiters != COORD_NONE)
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

/* The first of a heap that still waits. */
static uint32_t pop_waiter(struct coord *c, uint32_t *heap)
{
	while (*heap != COORD_NONE) {
		uint32_t v = pop(c, heap);

		if (vertex_unit(c, v)->flags & COORD_U_DIR_WAIT)
			return v;
	}
	return COORD_NONE;
}

/* Wakes the first waiter that may go now; the next follows once that one was tried. */
static void wake(struct coord *c, struct coord_path *p)
{
	uint32_t v = COORD_NONE;
	struct coord_run *r;
	struct coord_unit *u;

	if (!p->waking && !p->held) {
		v = pop_waiter(c, &p->above_waiters);
		if (v == COORD_NONE && !p->below)
			v = pop_waiter(c, &p->self_waiters);
	}
	if (v == COORD_NONE) {
		path_forget(c, p);
		return;
	}
	r = &c->runs[coord_vertex_run(v)];
	u = vertex_unit(c, v);
	u->flags &= (uint8_t)~COORD_U_DIR_WAIT;
	u->flags |= COORD_U_WOKEN;
	u->left = (uint32_t)(p - c->paths); /* where it was woken */
	p->waking = true;
	coord_ready_add(c, r, coord_vertex_index(v));
}

/* A unit that was woken has been tried, or will not be: the next one. */
static void woken_done(struct coord *c, struct coord_unit *u)
{
	struct coord_path *p;

	if (!(u->flags & COORD_U_WOKEN))
		return;
	u->flags &= (uint8_t)~COORD_U_WOKEN;
	p = &c->paths[u->left];
	u->left = COORD_NONE;
	p->waking = false;
	wake(c, p);
}

static void wait_at(struct coord *c, struct coord_run *r, uint32_t unit, struct coord_path *p, bool above)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	uint32_t *heap = above ? &p->above_waiters : &p->self_waiters;
	uint32_t from = u->flags & COORD_U_WOKEN ? u->left : COORD_NONE;

	coord_ready_remove(c, r, unit);
	u->flags &= (uint8_t)~COORD_U_WOKEN;
	u->flags |= COORD_U_DIR_WAIT;
	u->slot = (uint32_t)(p - c->paths);
	u->left = u->right = COORD_NONE;
	*heap = meld(c, *heap, coord_vertex(COORD_V_UNIT, coord_run_slot(c, r), unit));
	if (from != COORD_NONE) { /* it was woken somewhere, and has been tried */
		c->paths[from].waking = false;
		wake(c, &c->paths[from]);
	}
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

	for (uint32_t i = 0; i < set->dir_count; i++) {
		const struct coord_dir *d = &r->g->dirs[set->dir_first + i];

		for (uint32_t k = 0; k + 1 < d->prefix_count; k++)
			path_make(c, r->g->prefixes[d->prefix_first + k])->below++;
		path_make(c, r->g->prefixes[d->prefix_first + d->prefix_count - 1])->held++;
	}
	woken_done(c, coord_unit_at(r, unit));
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

/* Takes one unit out of the middle of a heap, and those that have ended meanwhile: the heap is made anew. */
static void heap_remove(struct coord *c, uint32_t *heap, uint32_t v)
{
	uint32_t kept = COORD_NONE, todo = *heap;

	while (todo != COORD_NONE) {
		uint32_t first = pop(c, &todo);

		if (first != v && vertex_unit(c, first)->flags & COORD_U_DIR_WAIT)
			kept = meld(c, kept, first);
	}
	*heap = kept;
}

/* A unit that ends stays in its heap as a corpse, stepped over when its turn comes: a whole run may end at once. */
void coord_dirs_leave(struct coord *c, struct coord_run *r, uint32_t unit, enum coord_leave why)
{
	struct coord_unit *u = coord_unit_at(r, unit);
	struct coord_path *p;

	if (u->flags & COORD_U_WOKEN)
		woken_done(c, u);
	if (!(u->flags & COORD_U_DIR_WAIT))
		return;
	p = &c->paths[u->slot];
	u->slot = COORD_NONE;
	u->flags &= (uint8_t)~COORD_U_DIR_WAIT;
	if (why == COORD_LEAVE_FOR_GOOD) {
		c->corpses++;
		return;
	}
	heap_remove(c, &p->above_waiters, coord_vertex(COORD_V_UNIT, coord_run_slot(c, r), unit));
	heap_remove(c, &p->self_waiters, coord_vertex(COORD_V_UNIT, coord_run_slot(c, r), unit));
	path_forget(c, p);
}

/* No corpse may be left when a unit is reset or its run goes. */
void coord_dirs_bury(struct coord *c)
{
	for (uint32_t i = 0; i < c->path_fresh && c->corpses; i++) {
		struct coord_path *p = &c->paths[i];

		if (p->above_waiters != COORD_NONE)
			heap_remove(c, &p->above_waiters, COORD_NONE);
		if (p->self_waiters != COORD_NONE)
			heap_remove(c, &p->self_waiters, COORD_NONE);
	}
	c->corpses = 0;
}
