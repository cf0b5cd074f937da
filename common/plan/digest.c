/* digest.c - what units run, as a number: equal digests, and `--resume` may go on
 *
 * Covered: prompt, command, accept, unless, agent, its preamble, model, environment and compat_env, context, directories, dependencies, items, working directory and
 * the files named. Not covered: limits, timeouts, retries, priority, placement, resources, labels.
 */
#include "loader.h"

#include "common/os/keys.h"

_Static_assert(PLAN_DIGEST_BYTES == RV_DIGEST_BYTES, "one kind of digest");

static void put_str(struct rv_buf *b, struct rv_str s)
{
	(void)rv_buf_put_lv(b, s);
}

static void put_argv(struct rv_buf *b, const struct plan_argv *a)
{
	uint32_t i;

	(void)rv_buf_put_u32(b, a ? a->count : 0);
	for (i = 0; a && i < a->count; i++)
		put_str(b, rv_str_of(a->arg[i]));
}

static void put_agent(struct rv_buf *b, const struct plan *p, const struct plan_settings *s)
{
	const struct plan_agent *a = s->agent == PLAN_NONE ? NULL : &p->agents[s->agent];

	put_str(b, a ? a->name : RV_STR(""));
	put_str(b, a ? a->model : RV_STR(""));
	(void)rv_buf_put_u8(b, (uint8_t)s->profile);
	if (!a || s->profile != PLAN_PROFILE_MOCK)
		return;
	put_str(b, s->mock.output);
}

/* Added later: what is not there changes no digest. */
static void put_optional(struct rv_buf *b, const struct plan *p, const struct plan_settings *s)
{
	const struct plan_agent *a = s->agent == PLAN_NONE ? NULL : &p->agents[s->agent];

	if (s->accept) {
		(void)rv_buf_put_u8(b, 'a');
		put_argv(b, s->accept);
	}
	if (s->unless) {
		(void)rv_buf_put_u8(b, 'u');
		put_argv(b, s->unless);
	}
	if (p->compat_ralph)
		(void)rv_buf_put_u8(b, 'r');
	if (a && a->preamble != PLAN_PREAMBLE_BUILT_IN) {
		(void)rv_buf_put_u8(b, 'p');
		put_str(b, a->preamble_text);
	}
}

static void put_settings(struct rv_buf *b, const struct plan *p, const struct plan_settings *s)
{
	uint32_t i;

	put_agent(b, p, s);
	(void)rv_buf_put_u8(b, (uint8_t)s->template_mode);
	(void)rv_buf_put_u8(b, (uint8_t)s->output);
	put_str(b, s->cwd);
	(void)rv_buf_put_u32(b, s->env_count);
	for (i = 0; i < s->env_count; i++) {
		put_str(b, s->env[i].name);
		put_str(b, s->env[i].value);
	}
	put_optional(b, p, s);
}

static void put_items(struct rv_buf *b, const struct plan *p, const struct plan_for_each *f)
{
	uint32_t i;

	(void)rv_buf_put_u8(b, f != NULL);
	if (!f)
		return;
	(void)rv_buf_put_u32(b, f->count);
	put_str(b, f->same_as == PLAN_NONE ? RV_STR("") : p->units[f->same_as].id);
	for (i = 0; f->items && f->same_as == PLAN_NONE && i < f->count; i++)
		put_str(b, f->items[i]);
}

/* Within the digest of a whole plan a dependency is its number: its id is covered where that unit is, and a million random
 * looks are spared. */
enum named_by { BY_NUMBER, BY_ID };

static void put_unit(struct rv_buf *b, const struct plan *p, const struct plan_unit *u, enum named_by how)
{
	uint32_t i;

	put_str(b, u->id);
	put_str(b, u->prompt);
	(void)rv_buf_put_u32(b, u->flags & PLAN_UNIT_FILL_PROMPT);
	put_argv(b, u->command);
	put_settings(b, p, u->settings);
	put_str(b, u->context);
	(void)rv_buf_put_u8(b, u->dirs != NULL);
	(void)rv_buf_put_u32(b, u->dirs ? u->dirs->count : 0);
	for (i = 0; u->dirs && i < u->dirs->count; i++)
		put_str(b, u->dirs->path[i]);
	put_items(b, p, u->for_each);
	(void)rv_buf_put_u32(b, u->dep_count);
	for (i = 0; i < u->dep_count; i++) {
		if (how == BY_ID)
			put_str(b, p->units[u->deps[i]].id);
		else
			(void)rv_buf_put_u32(b, u->deps[i]);
	}
}

void plan_unit_digest(const struct plan *p, const struct plan_unit *u, uint8_t out[PLAN_DIGEST_BYTES])
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	put_str(&b, p->context);
	put_unit(&b, p, u, BY_ID);
	rv_digest(rv_buf_str(&b), out);
	rv_buf_release(&b);
}

int plan_digest(struct plan_loader *l)
{
	const struct plan *p = l->plan;
	struct rv_digest_state state;
	struct rv_buf b;
	uint32_t i;

	rv_buf_init(&b, 0);
	rv_digest_begin(&state);
	put_str(&b, p->context);
	for (i = 0; i < p->unit_count; i++) {
		put_unit(&b, p, &p->units[i], BY_NUMBER);
		if (b.failed)
			break;
		if (b.bytes < 16384 && i + 1 < p->unit_count)
			continue;
		rv_digest_add(&state, rv_buf_str(&b));
		rv_buf_reset(&b);
	}
	if (p->verify)
		put_unit(&b, p, p->verify, BY_NUMBER);
	rv_digest_add(&state, rv_buf_str(&b));
	rv_digest_end(&state, l->plan->digest);
	i = b.failed;
	rv_buf_release(&b);
	return i ? plan_no_memory(l) : 0;
}
