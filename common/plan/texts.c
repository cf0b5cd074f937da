/* texts.c - checks the {{keys}} of every unit's texts before anything runs
 *
 * What can be known now: the plan's and the unit's context, the items of a template, which dependencies there are. What
 * a dependency will hand over is known only then: {{_dep_ID.key}} is taken on trust behind its id.
 */
#include "loader.h"

#include "common/limits.h"
#include "template.h"

#include <stdarg.h>
#include <stdio.h>

struct check {
	struct plan_loader *l;
	uint32_t unit;
	const struct plan_unit *u;
	bool names_item; /* some text does, or the unit can read its context file */
};

/* Where a text comes from, for faults. */
struct origin {
	struct rv_str key;  /* "command" */
	struct rv_str part; /* the argument */
};

static struct plan_diag *tell(struct check *c, const struct origin *from, const char *fmt, ...) RV_PRINTF(3, 4);

static struct plan_diag *tell(struct check *c, const struct origin *from, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return plan_error_unit(c->l, PLAN_E_TEMPLATE, c->unit, from->key, from->part, "%s", text);
}

/* ---- keys ---- */

/* The key up to its point number `points` from behind; false: none left. */
static bool shorten(struct rv_str *key)
{
	size_t n = key->bytes;

	while (n && key->at[n - 1] != '.')
		n--;
	if (n < 2)
		return false;
	key->bytes = n - 1;
	return true;
}

static bool is_dep(const struct check *c, uint32_t unit)
{
	uint32_t i;

	if (c->u->for_each && c->u->for_each->same_as == unit)
		return true;
	for (i = 0; i < c->u->dep_count; i++) {
		if (c->u->deps[i] == unit)
			return true;
	}
	return false;
}

/* A template's id is named as written; where its units bear the name of an item, too. */
static void check_dep_key(struct check *c, const struct origin *from, struct rv_str key)
{
	struct rv_str id = rv_str(key.at + 5, key.bytes - 5);
	uint32_t other = PLAN_NONE, unit;
	char q[PLAN_QUOTED];
	struct plan_diag *g;

	do {
		unit = rv_strmap_get(&c->l->unit_names, id);
		if (unit != RV_MAP_NONE && is_dep(c, unit))
			return;
		if (unit != RV_MAP_NONE && other == PLAN_NONE)
			other = unit;
	} while (shorten(&id));
	g = tell(c, from, "{{%.*s}}: no dependency of this unit is called so", RV_STR_ARGS(key));
	if (other != PLAN_NONE)
		plan_diag_hint(g, "add %s to its depends_on", plan_quote(c->l->plan->units[other].id, q));
	else
		plan_diag_hint(g, "{{_dep_ID}} is the output of the unit ID, which stands in depends_on");
}

static void check_item_key(struct check *c, const struct origin *from, struct rv_str key)
{
	struct rv_str value;
	char number[24];
	uint32_t k, count;

	c->names_item = true;
	if (!c->u->for_each) {
		plan_diag_hint(tell(c, from, "{{%.*s}}: only a unit with for_each has an item", RV_STR_ARGS(key)),
			       "a literal {{ is written {{{{; template: off leaves this unit's texts as they are");
		return;
	}
	/* Numbers reach nowhere, so the first stands for all. */
	count = c->u->for_each->items || key.bytes > 4 ? c->u->for_each->count : 0;
	for (k = 0; k < count; k++) {
		struct plan_scope scope = { .item = plan_instance_item(c->u, k, number) };

		if (plan_scope_find(&scope, key, &value))
			continue;
		tell(c, from, "{{%.*s}}: item %u has nothing there", RV_STR_ARGS(key), k + 1);
		return;
	}
}

static bool starts(struct rv_str s, const char *with)
{
	size_t n = strlen(with);

	return s.bytes >= n && memcmp(s.at, with, n) == 0;
}

/* `key` itself, or a part of it: key.0 */
static bool is_or_in(struct rv_str s, const char *key)
{
	size_t n = strlen(key);

	return starts(s, key) && (s.bytes == n || s.at[n] == '.');
}

static void check_key(struct check *c, const struct origin *from, struct rv_str key)
{
	struct plan_scope scope = { .layer = { c->l->plan->context, c->u->context } };
	struct rv_str value;

	if (is_or_in(key, "item")) {
		check_item_key(c, from, key);
	} else if (starts(key, "_dep_")) {
		check_dep_key(c, from, key);
	} else if (is_or_in(key, "_prev") || is_or_in(key, "_note")) {
		plan_diag_hint(tell(c, from, "{{%.*s}}: a first try has no such key", RV_STR_ARGS(key)),
			       "an agent reads it from its context file");
	} else if (!plan_scope_find(&scope, key, &value)) {
		plan_diag_hint(tell(c, from, "{{%.*s}}: the context has nothing of this name",
				    key.bytes > 200 ? 200 : (int)key.bytes, key.at),
			       "a literal {{ is written {{{{; template: off leaves this unit's texts as they are");
	}
}

static void check_text(struct check *c, const struct origin *from, struct rv_str text)
{
	struct plan_slot slot;
	size_t at = 0;
	int rc;

	while ((rc = plan_template_next(text, false, &at, &slot)) != 0) {
		if (rc > 0) {
			check_key(c, from, slot.key);
			continue;
		}
		plan_diag_hint(tell(c, from, "{{ without a key and }} behind it"),
			       "a literal {{ is written {{{{; template: off leaves this unit's texts as they are");
		return;
	}
}

/* ---- commands ---- */

static bool is_shell(const char *program)
{
	static const char *const shells[] = { "sh", "bash", "dash", "zsh", "ksh", "ash", "busybox", "fish" };
	const char *slash = strrchr(program, '/');
	size_t i;

	program = slash ? slash + 1 : program;
	for (i = 0; i < RV_ARRAY_LEN(shells); i++) {
		if (strcmp(program, shells[i]) == 0)
			return true;
	}
	return false;
}

/* -c, -lc, -ec: what follows is a program text. */
static bool is_dash_c(const char *arg)
{
	size_t n = strlen(arg);

	return n >= 2 && n <= 6 && arg[0] == '-' && arg[1] != '-' && arg[n - 1] == 'c';
}

static bool fills_text(struct check *c, struct rv_str arg, bool keys)
{
	struct plan_slot slot;
	size_t at = 0;
	int rc;

	while ((rc = plan_template_next(arg, true, &at, &slot)) != 0) {
		if (rc < 0)
			continue;
		if (slot.is_place && (slot.place == PLAN_PLACE_CONTEXT_FILE || slot.place == PLAN_PLACE_MANIFEST))
			c->names_item = true;
		if (slot.is_place && slot.place == PLAN_PLACE_ITEM) {
			c->names_item = true;
			return true;
		}
		if (slot.is_place ? slot.place == PLAN_PLACE_PROMPT : keys)
			return true;
	}
	return false;
}

static void check_command(struct check *c, const struct plan_argv *a, struct rv_str key, bool keys)
{
	struct origin from = { .key = key };
	bool shell, in_program = false, told = false;
	uint32_t i;

	if (!a || !(a->fills_keys || a->fills_places))
		return;
	shell = is_shell(a->arg[0]);
	for (i = 0; i < a->count; i++) {
		from.part = rv_str_of(a->arg[i]);
		if (keys)
			check_text(c, &from, from.part);
		if (fills_text(c, from.part, keys) && in_program && !told) {
			told = true;
			plan_diag_hint(plan_error_unit(c->l, PLAN_W_SHELL, c->unit, from.key, from.part,
						       "a value is filled into a shell's program text, which runs it"),
				       "hand it over by `env` and write \"$NAME\" here");
		}
		in_program = shell && is_dash_c(a->arg[i]);
	}
}

/* ---- units ---- */

static void check_settings(struct check *c)
{
	const struct plan_settings *s = c->u->settings;
	struct origin from = { .key = RV_STR("env") };
	uint32_t i;

	for (i = 0; i < s->env_count; i++)
		check_text(c, &from, s->env[i].value);
	if (s->retry.agent != PLAN_NONE) {
		const struct plan_agent *last = &c->l->plan->agents[s->retry.agent];

		for (i = 0; i < last->env_count; i++)
			check_text(c, &from, last->env[i].value);
	}
	from.key = RV_STR("cwd");
	check_text(c, &from, s->cwd);
	from.key = RV_STR("allowed_directories");
	for (i = 0; c->u->dirs && i < c->u->dirs->count; i++) {
		from.part = c->u->dirs->path[i];
		check_text(c, &from, from.part);
	}
}

static void check_unit(struct plan_loader *l, uint32_t unit)
{
	struct check c = { .l = l, .unit = unit, .u = &l->plan->units[unit] };
	bool keys = c.u->settings->template_mode != PLAN_TEMPLATE_OFF;
	struct origin from = { .key = RV_STR("prompt") };

	if (keys && (c.u->flags & PLAN_UNIT_FILL_PROMPT)) {
		if (c.u->prompt.at == c.u->description.at)
			from.key = RV_STR("description");
		else if (c.u->flags & PLAN_UNIT_PROMPT_FILE)
			from.key = RV_STR("prompt_file");
		check_text(&c, &from, c.u->prompt);
	}
	check_command(&c, c.u->command, RV_STR("command"), keys);
	check_command(&c, c.u->settings->accept, RV_STR("accept"), keys);
	check_command(&c, c.u->settings->unless, RV_STR("unless"), keys);
	if (keys && (c.u->flags & PLAN_UNIT_FILL))
		check_settings(&c);
	if (c.u->for_each && c.u->for_each->id_template.bytes)
		c.names_item = true;
	/* With --mock the command that would have named it is gone. */
	if (c.u->for_each && c.u->for_each->count && !c.names_item && l->opt->mock == PLAN_MOCK_OFF)
		plan_diag_hint(plan_error_unit(l, PLAN_W_ITEM_UNUSED, unit, RV_STR("for_each"), (struct rv_str){ 0 },
					       "no text of this unit names its item"),
			       "{{item}} in its texts, {item} in its command");
	if (l->plan->context.bytes + c.u->context.bytes > RV_CONTEXT_BYTES_MAX)
		plan_error_unit(l, PLAN_E_LIMIT, unit, RV_STR("context"), (struct rv_str){ 0 },
				"the context of this unit has %zu bytes; the limit is %zu",
				l->plan->context.bytes + c.u->context.bytes, RV_CONTEXT_BYTES_MAX);
}

int plan_check_texts(struct plan_loader *l)
{
	uint32_t i;

	for (i = 0; i < l->plan->unit_count; i++)
		check_unit(l, i);
	return l->no_memory ? -1 : 0;
}
