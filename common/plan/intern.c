/* intern.c - equal content, one copy: texts, argv, directories, settings; and growing arrays
 *
 * What is stored is found again by its bytes: of a text or an argv those of its strings, of settings a row of all their
 * values written one after another. Tables live as long as the loader, what they point to as long as the plan.
 */
#include "loader.h"

#include "template.h"

#include <stdlib.h>

/* ---- arrays ---- */

void *plan_vec_add(struct plan_loader *l, struct plan_vec *v, size_t item_bytes)
{
	char *item;

	if (v->count == v->capacity) {
		uint32_t capacity = v->capacity ? v->capacity * 2 : 8;
		void *at = capacity < v->capacity ? NULL : realloc(v->at, (size_t)capacity * item_bytes);

		if (!at) {
			(void)plan_no_memory(l);
			return NULL;
		}
		v->at = at;
		v->capacity = capacity;
	}
	item = (char *)v->at + (size_t)v->count++ * item_bytes;
	memset(item, 0, item_bytes);
	return item;
}

int plan_vec_copy(struct plan_loader *l, struct plan_vec *to, const struct plan_vec *from, size_t item_bytes)
{
	if (to->capacity < from->count) {
		void *at = realloc(to->at, (size_t)from->count * item_bytes);

		if (!at)
			return plan_no_memory(l);
		to->at = at;
		to->capacity = from->count;
	}
	if (from->count)
		memcpy(to->at, from->at, (size_t)from->count * item_bytes);
	to->count = from->count;
	return 0;
}

void plan_vec_release(struct plan_vec *v)
{
	free(v->at);
	*v = (struct plan_vec){ 0 };
}

/* ---- tables ---- */

void plan_intern_init(struct plan_intern *in, uint64_t seed)
{
	*in = (struct plan_intern){ 0 };
	rv_strmap_init(&in->map, seed);
}

void plan_intern_release(struct plan_intern *in)
{
	rv_strmap_release(&in->map);
	plan_vec_release(&in->values);
}

static const void *get(const struct plan_intern *in, struct rv_str key)
{
	uint32_t i = rv_strmap_get(&in->map, key);

	return i == RV_MAP_NONE ? NULL : PLAN_VEC_AT(&in->values, const void *, i);
}

static const void *put(struct plan_loader *l, struct plan_intern *in, struct rv_str key, const void *value)
{
	const void **slot = plan_vec_add(l, &in->values, sizeof(*slot));

	if (!slot)
		return NULL;
	*slot = value;
	if (rv_strmap_add(&in->map, key, in->values.count - 1) == RV_MAP_NONE) {
		(void)plan_no_memory(l);
		return NULL;
	}
	return value;
}

struct rv_str plan_intern_text(struct plan_loader *l, struct rv_str s)
{
	const char *at = get(&l->texts, s);
	struct rv_str copy;

	if (at)
		return rv_str(at, s.bytes);
	copy = rv_arena_str(&l->plan->arena, s);
	if (!copy.at) {
		(void)plan_no_memory(l);
		return copy;
	}
	return put(l, &l->texts, copy, copy.at) ? copy : (struct rv_str){ 0 };
}

/* ---- argv ---- */

static void note_slots(struct plan_argv *a, struct rv_str s)
{
	struct plan_slot slot;
	size_t from = 0;
	int rc;

	if (plan_template_has_keys(s))
		a->fills_keys = 1;
	while ((rc = plan_template_next(s, true, &from, &slot)) != 0) {
		if (rc > 0 && slot.is_place)
			a->fills_places = 1;
	}
}

const struct plan_argv *plan_intern_argv(struct plan_loader *l, const struct rv_str *arg, uint32_t count)
{
	struct rv_buf *b = &l->text;
	struct plan_argv *a;
	const struct plan_argv *had;
	char *text;
	uint32_t i;

	rv_buf_reset(b);
	for (i = 0; i < count; i++) {
		(void)rv_buf_put_str(b, arg[i]);
		(void)rv_buf_putc(b, '\0');
	}
	if (b->failed) {
		(void)plan_no_memory(l);
		return NULL;
	}
	had = get(&l->argvs, rv_buf_str(b));
	if (had)
		return had;
	a = rv_arena_zalloc(&l->plan->arena, sizeof(*a) + (size_t)(count + 1) * sizeof(a->arg[0]), _Alignof(struct plan_argv));
	text = rv_arena_alloc(&l->plan->arena, b->bytes, 1);
	if (!a || !text) {
		(void)plan_no_memory(l);
		return NULL;
	}
	memcpy(text, b->at, b->bytes);
	a->count = count;
	for (i = 0; i < count; i++) {
		a->arg[i] = text;
		note_slots(a, rv_str(text, arg[i].bytes));
		text += arg[i].bytes + 1;
	}
	return put(l, &l->argvs, rv_str(a->arg[0], b->bytes), a);
}

/* ---- directories ---- */

const struct plan_dirs *plan_intern_dirs(struct plan_loader *l, const struct rv_str *path, uint32_t count,
					 uint32_t filled)
{
	struct rv_buf *b = &l->text;
	struct plan_dirs *d;
	const struct plan_dirs *had;
	char *text;
	uint32_t i;

	rv_buf_reset(b);
	for (i = 0; i < count; i++) {
		(void)rv_buf_put_str(b, path[i]);
		(void)rv_buf_putc(b, '\0');
	}
	(void)rv_buf_put_u32(b, filled);
	if (b->failed) {
		(void)plan_no_memory(l);
		return NULL;
	}
	had = get(&l->dirs, rv_buf_str(b));
	if (had)
		return had;
	d = rv_arena_zalloc(&l->plan->arena, sizeof(*d) + (size_t)count * sizeof(d->path[0]), _Alignof(struct plan_dirs));
	text = rv_arena_alloc(&l->plan->arena, b->bytes, 1);
	if (!d || !text) {
		(void)plan_no_memory(l);
		return NULL;
	}
	memcpy(text, b->at, b->bytes);
	d->count = count;
	d->filled = filled;
	for (i = 0; i < count; i++) {
		d->path[i] = rv_str(text, path[i].bytes);
		text += path[i].bytes + 1;
	}
	return put(l, &l->dirs, rv_str(text - (b->bytes - 4), b->bytes), d);
}

/* ---- settings ---- */

static void put_str(struct rv_buf *b, struct rv_str s)
{
	(void)rv_buf_put_u32(b, (uint32_t)s.bytes);
	(void)rv_buf_put_str(b, s);
}

static void put_lists(struct rv_buf *b, const struct plan_draft *d)
{
	uint32_t i;

	(void)rv_buf_put_u32(b, d->env.count);
	for (i = 0; i < d->env.count; i++) {
		put_str(b, PLAN_VEC_AT(&d->env, struct plan_env, i).name);
		put_str(b, PLAN_VEC_AT(&d->env, struct plan_env, i).value);
		(void)rv_buf_put_u8(b, PLAN_VEC_AT(&d->env, struct plan_env, i).own);
	}
	(void)rv_buf_put_u32(b, d->labels.count);
	for (i = 0; i < d->labels.count; i++) {
		const struct plan_label *label = &PLAN_VEC_AT(&d->labels, struct plan_label, i);

		put_str(b, label->name);
		put_str(b, label->value);
		(void)rv_buf_put_u8(b, label->must_not);
	}
	(void)rv_buf_put_u32(b, d->resources.count);
	for (i = 0; i < d->resources.count; i++) {
		put_str(b, PLAN_VEC_AT(&d->resources, struct plan_resource, i).name);
		(void)rv_buf_put_u64(b, PLAN_VEC_AT(&d->resources, struct plan_resource, i).milli);
	}
	(void)rv_buf_put_u32(b, d->locks.count);
	for (i = 0; i < d->locks.count; i++)
		(void)rv_buf_put_u32(b, PLAN_VEC_AT(&d->locks, uint32_t, i));
	(void)rv_buf_put_u32(b, d->required.count);
	for (i = 0; i < d->required.count; i++)
		put_str(b, PLAN_VEC_AT(&d->required, struct rv_str, i));
}

static void put_settings(struct rv_buf *b, const struct plan_draft *d)
{
	const struct plan_settings *s = &d->s;
	const uint64_t numbers[] = {
		s->agent, s->profile, s->agent_unit, s->at_most_once, s->satisfied, s->trigger, s->output, s->evidence,
		s->template_mode, s->namespace_mode, (uint64_t)(int64_t)s->priority, s->slots, s->cpus_milli,
		s->timeout_us, s->idle_timeout_us, s->start_timeout_us, s->queue_timeout_us, s->grace_us,
		s->log_max_bytes, s->retry.max, s->retry.backoff, s->retry.base_us, s->retry.max_us,
		s->retry.jitter_ppm, s->retry.on, s->retry.agent, s->hold, s->budget.tokens, s->budget.cost_microusd,
		(uintptr_t)s->accept, (uintptr_t)s->unless, /* equal ones are one */
		s->mock.delay_us, s->mock.rate_limited, s->mock.retry_after_us, s->mock.hang, s->mock.fail, s->mock.tokens,
		s->mock.cost_microusd,
	};
	size_t i;

	for (i = 0; i < RV_ARRAY_LEN(numbers); i++)
		(void)rv_buf_put_u64(b, numbers[i]);
	put_str(b, s->cwd);
	put_str(b, s->node);
	put_str(b, s->mock.output);
	put_lists(b, d);
}

const struct plan_env *plan_store_env(struct plan_loader *l, const struct plan_draft *d)
{
	struct plan_env *env = RV_ARENA_ARRAY(&l->plan->arena, struct plan_env, d->env.count);

	if (!env)
		(void)plan_no_memory(l);
	for (uint32_t i = 0; env && i < d->env.count; i++) {
		env[i] = PLAN_VEC_AT(&d->env, struct plan_env, i);
		env[i].name = plan_intern_text(l, env[i].name);
		env[i].value = plan_intern_text(l, env[i].value);
	}
	return env;
}

/* Copies a list into the arena and its strings through the table of texts; 0 or -1. */
static int store_lists(struct plan_loader *l, struct plan_settings *s, const struct plan_draft *d)
{
	struct rv_arena *arena = &l->plan->arena;
	const struct plan_env *env = plan_store_env(l, d);
	struct plan_label *labels = RV_ARENA_ARRAY(arena, struct plan_label, d->labels.count);
	struct plan_resource *resources = RV_ARENA_ARRAY(arena, struct plan_resource, d->resources.count);
	uint32_t *locks = RV_ARENA_ARRAY(arena, uint32_t, d->locks.count);
	struct rv_str *required = RV_ARENA_ARRAY(arena, struct rv_str, d->required.count);
	uint32_t i;

	if (!env || !labels || !resources || !locks || !required)
		return plan_no_memory(l);
	for (i = 0; i < d->labels.count; i++) {
		labels[i] = PLAN_VEC_AT(&d->labels, struct plan_label, i);
		labels[i].name = plan_intern_text(l, labels[i].name);
		labels[i].value = plan_intern_text(l, labels[i].value);
	}
	for (i = 0; i < d->resources.count; i++) {
		resources[i] = PLAN_VEC_AT(&d->resources, struct plan_resource, i);
		resources[i].name = plan_intern_text(l, resources[i].name);
	}
	for (i = 0; i < d->locks.count; i++)
		locks[i] = PLAN_VEC_AT(&d->locks, uint32_t, i);
	for (i = 0; i < d->required.count; i++)
		required[i] = plan_intern_text(l, PLAN_VEC_AT(&d->required, struct rv_str, i));
	s->env = env;
	s->env_count = d->env.count;
	s->labels = labels;
	s->label_count = d->labels.count;
	s->resources = resources;
	s->resource_count = d->resources.count;
	s->locks = locks;
	s->lock_count = d->locks.count;
	s->required = required;
	s->required_count = d->required.count;
	return l->no_memory ? -1 : 0;
}

const struct plan_settings *plan_intern_settings(struct plan_loader *l, const struct plan_draft *d)
{
	struct rv_buf *b = &l->text;
	struct plan_settings *s;
	const struct plan_settings *had;
	struct rv_str key;

	rv_buf_reset(b);
	put_settings(b, d);
	if (b->failed) {
		(void)plan_no_memory(l);
		return NULL;
	}
	had = get(&l->settings, rv_buf_str(b));
	if (had)
		return had;
	key = rv_arena_str(&l->scratch, rv_buf_str(b));
	s = rv_arena_alloc(&l->plan->arena, sizeof(*s), _Alignof(struct plan_settings));
	if (!s || !key.at) {
		(void)plan_no_memory(l);
		return NULL;
	}
	*s = d->s;
	s->index = l->settings.values.count;
	s->cwd = plan_intern_text(l, d->s.cwd);
	s->node = plan_intern_text(l, d->s.node);
	if (store_lists(l, s, d))
		return NULL;
	return put(l, &l->settings, key, s);
}
