/* walk.c - checks maps by the table of keys: names, kinds, ranges, words, what is not executed yet */
#include "loader.h"

#include "common/id.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 80 }; /* bytes of a value that a hint says again */

/* ---- faults ---- */

int plan_no_memory(struct plan_loader *l)
{
	l->no_memory = true;
	return -1;
}

/* Of --set as it was typed: "[1].limits.failed" of the tree is the second one. */
static void put_path(const struct plan_loader *l, struct plan_diag *g, const char *path)
{
	unsigned long set = path[0] == '[' ? strtoul(path + 1, NULL, 10) : 0;

	if (l->tree != &l->set_tree)
		plan_diag_path(g, "%s", path);
	else if (set < l->opt->set_count)
		plan_diag_path(g, "--set %.100s", l->opt->sets[set]);
}

static struct plan_diag *add(struct plan_loader *l, enum plan_code code, struct plan_spot spot, uint32_t node,
			     const char *fmt, va_list ap)
{
	char message[1024];
	struct plan_diag *g;

	vsnprintf(message, sizeof(message), fmt, ap);
	g = plan_diag_add(l->diags, code, spot, "%s", message);
	if (g && node != PLAN_NONE) {
		struct rv_buf b;

		rv_buf_init(&b, 4096);
		if (l->tree == &l->line_tree)
			(void)rv_buf_printf(&b, "units[%u]", l->plan->unit_count);
		if (node && l->tree == &l->line_tree)
			(void)rv_buf_putc(&b, '.');
		if (plan_node_path(l->tree, node, &b) == 0 && b.bytes)
			put_path(l, g, b.at);
		rv_buf_release(&b);
	}
	return g;
}

struct plan_diag *plan_error_at(struct plan_loader *l, enum plan_code code, uint32_t node, const char *fmt, ...)
{
	const struct plan_node *n = plan_node(l->tree, node);
	struct plan_spot spot = { .kind = PLAN_SPOT_SOURCE, .at = n->at, .span = n->span };
	struct plan_diag *g;
	va_list ap;

	if (l->tree == &l->set_tree)
		spot.kind = PLAN_SPOT_NONE;
	va_start(ap, fmt);
	g = add(l, code, spot, node, fmt, ap);
	va_end(ap);
	return g;
}

static uint32_t string_in(const struct plan_tree *t, uint32_t array, struct rv_str part)
{
	uint32_t n;

	if (t->nodes[array].kind != PLAN_ARRAY)
		return PLAN_NONE;
	for (n = plan_first(array); n < plan_end(t, array); n = plan_next(t, n)) {
		if (t->nodes[n].kind == PLAN_STRING && rv_str_equal(plan_node_text(t, n), part))
			return n;
	}
	return PLAN_NONE;
}

struct plan_diag *plan_error_unit(struct plan_loader *l, enum plan_code code, uint32_t unit, struct rv_str key,
				  struct rv_str part, const char *fmt, ...)
{
	struct plan_spot spot = { .kind = PLAN_SPOT_LINE };
	uint32_t node = PLAN_NONE, value, string;
	struct plan_diag *g;
	va_list ap;

	if (l->lines) {
		spot.line = l->plan->units[unit].pos.line;
	} else {
		node = PLAN_VEC_AT(&l->unit_nodes, uint32_t, unit);
		value = key.at ? plan_map_get(l->tree, node, key) : PLAN_NONE;
		if (value == PLAN_NONE && key.at && rv_str_equal(key, RV_STR("depends_on")))
			value = plan_map_get(l->tree, node, RV_STR("dependencies"));
		if (value != PLAN_NONE) {
			node = value;
			string = part.at ? string_in(l->tree, value, part) : PLAN_NONE;
			if (string != PLAN_NONE)
				node = string;
		}
		spot = (struct plan_spot){
			.kind = PLAN_SPOT_SOURCE,
			.at = l->tree->nodes[node].at,
			.span = l->tree->nodes[node].span,
		};
	}
	va_start(ap, fmt);
	g = add(l, code, spot, node, fmt, ap);
	va_end(ap);
	if (l->lines)
		plan_diag_path(g, "units[%u]%s%.*s", unit, key.at ? "." : "", RV_STR_ARGS(key));
	return g;
}

/* ---- values ---- */

double plan_node_number(const struct plan_loader *l, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);

	return n->kind == PLAN_REAL ? n->real : (double)n->integer;
}

int64_t plan_node_int(const struct plan_loader *l, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);

	return n->kind == PLAN_REAL ? (int64_t)n->real : n->integer;
}

static bool kind_holds(const struct plan_node *n, unsigned kinds)
{
	if (kinds & 1u << n->kind)
		return true;
	/* 3.0 and 1e3 are whole numbers, as JSON Schema has it. */
	return n->kind == PLAN_REAL && (kinds & PLAN_IS_INT) && n->real == floor(n->real);
}

static uint32_t chars_in(struct rv_str s)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < s.bytes; i++)
		n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
	return n;
}

static bool env_name_holds(struct rv_str s)
{
	static const char *const ours[] = { "BASH_ENV", "IFS" };
	size_t i;

	if (!s.bytes || memchr(s.at, '=', s.bytes) || memchr(s.at, 0, s.bytes))
		return false;
	if ((s.bytes >= 6 && memcmp(s.at, "REEVE_", 6) == 0) || (s.bytes >= 3 && memcmp(s.at, "LD_", 3) == 0))
		return false;
	for (i = 0; i < RV_ARRAY_LEN(ours); i++) {
		if (rv_str_equal(s, rv_str_of(ours[i])))
			return false;
	}
	return true;
}

static bool context_key_holds(struct rv_str s)
{
	return !(s.bytes >= 5 && memcmp(s.at, "_dep_", 5) == 0) && !rv_str_equal(s, RV_STR("_prev")) &&
	       !rv_str_equal(s, RV_STR("_note")) && !rv_str_equal(s, RV_STR("item"));
}

static bool rule_holds(const struct plan_loader *l, enum plan_rule rule, struct rv_str s)
{
	switch (rule) {
	case PLAN_RULE_NAME:
		return rv_name_valid(s);
	case PLAN_RULE_TEXT:
		return s.bytes > 0;
	case PLAN_RULE_ENV:
		return env_name_holds(s) && !(l->plan->compat_ralph && plan_env_is_ralph(s));
	case PLAN_RULE_CONTEXT:
		return context_key_holds(s);
	case PLAN_RULE_NONE:
	case PLAN_RULE_UNIT:
		break;
	}
	return true;
}

static void tell_rule(struct plan_loader *l, const char *key, enum plan_rule rule, uint32_t node)
{
	struct rv_str s = plan_node_text(l->tree, node);
	char q[PLAN_QUOTED];
	struct plan_diag *g;

	plan_quote(s, q);
	switch (rule) {
	case PLAN_RULE_ENV:
		g = plan_error_at(l, PLAN_E_ENV, node, "\"%s\" cannot set %s", key, q);
		if (env_name_holds(s)) {
			plan_diag_hint(g, "with compat_env: [ralph] reeve sets it");
			return;
		}
		plan_diag_hint(g, "names starting REEVE_ or LD_, BASH_ENV, IFS, empty names and names with = are refused");
		return;
	case PLAN_RULE_CONTEXT:
		g = plan_error_at(l, PLAN_E_CONTEXT_KEY, node, "a context cannot have the key %s", q);
		plan_diag_hint(g, "_dep_..., _prev, _note and item are reeve's own");
		return;
	case PLAN_RULE_TEXT:
		plan_error_at(l, PLAN_E_RANGE, node, "\"%s\" is empty", key);
		return;
	default:
		plan_error_at(l, PLAN_E_ID_FORMAT, node, "%s is no name for \"%s\": 1 to 64 of A-Z a-z 0-9 . _ -", q,
			      key);
	}
}

static void tell_words(struct plan_loader *l, const char *key, const char *words, uint32_t node)
{
	struct rv_str s = plan_node_text(l->tree, node);
	const char *list[16], *w = words;
	char copy[256], q[PLAN_QUOTED];
	size_t count = 0, used = 0;
	struct plan_diag *g;
	int near;

	while (*w && count < RV_ARRAY_LEN(list)) {
		size_t n = strcspn(w, " ");

		memcpy(copy + used, w, n);
		copy[used + n] = '\0';
		list[count++] = copy + used;
		used += n + 1;
		w += n + (w[n] == ' ');
	}
	g = plan_error_at(l, PLAN_E_RANGE, node, "\"%s\" is %s; it may be: %s", key, plan_quote(s, q), words);
	near = rv_nearest(s, list, count);
	if (near >= 0)
		plan_diag_hint(g, "did you mean \"%s\"?", list[near]);
}

static void number_text(double v, char out[32])
{
	snprintf(out, 32, v == floor(v) && fabs(v) < 1e15 ? "%.0f" : "%g", v);
}

static void tell_range(struct plan_loader *l, const char *key, double min, double max, uint32_t node)
{
	struct rv_str s = plan_node_source(l->tree, node);
	char a[32], z[32];

	number_text(min, a);
	number_text(max, z);
	if (min == max)
		plan_error_at(l, PLAN_E_RANGE, node, "\"%s\" is %.*s; it must be %s", key, s.bytes > 40 ? 40 : (int)s.bytes, s.at, a);
	else
		plan_error_at(l, PLAN_E_RANGE, node, "\"%s\" is %.*s; it may be %s to %s", key, s.bytes > 40 ? 40 : (int)s.bytes, s.at, a, z);
}

/* A string or number of a key, or of an array under it. */
static int check_scalar(struct plan_loader *l, const char *key, uint32_t node, enum plan_rule rule,
			const char *words, double min, double max, bool quiet)
{
	const struct plan_node *n = plan_node(l->tree, node);

	if (n->kind == PLAN_INT || n->kind == PLAN_REAL) {
		double v = plan_node_number(l, node);

		if ((min == 0 && max == 0) || (v >= min && v <= max))
			return 0;
		if (!quiet)
			tell_range(l, key, min, max, node);
		return -1;
	}
	if (n->kind != PLAN_STRING)
		return 0;
	if (words && plan_word_index(words, plan_node_text(l->tree, node)) < 0) {
		if (!quiet)
			tell_words(l, key, words, node);
		return -1;
	}
	if (!rule_holds(l, rule, plan_node_text(l->tree, node))) {
		if (!quiet)
			tell_rule(l, key, rule, node);
		return -1;
	}
	return 0;
}

static int check_length(struct plan_loader *l, const struct plan_key *key, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);

	if (n->kind == PLAN_STRING && key->kinds == PLAN_IS_STRING && key->max > 0 &&
	    chars_in(plan_node_text(l->tree, node)) > (uint32_t)key->max) {
		plan_error_at(l, PLAN_E_LIMIT, node, "\"%s\" has %u characters; the limit is %u", key->name,
			      chars_in(plan_node_text(l->tree, node)), (uint32_t)key->max);
		return -1;
	}
	if ((n->kind == PLAN_ARRAY || n->kind == PLAN_MAP) && key->parts_max && n->count > key->parts_max) {
		plan_error_at(l, PLAN_E_LIMIT, node - 1, "\"%s\" has %u entries; the limit is %u", key->name, n->count,
			      key->parts_max);
		return -1;
	}
	return 0;
}

/* A scalar as it stands in the file, where it is short and in sight. */
static struct rv_str written(const struct plan_loader *l, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);
	struct rv_str source = l->diags->source;

	if (l->tree == &l->set_tree || n->kind == PLAN_MAP || n->kind == PLAN_ARRAY || n->span > SHOWN_MAX || n->at > source.bytes || n->span > source.bytes - n->at)
		return rv_str(NULL, 0);
	return rv_str(source.at + n->at, n->span);
}

static bool plain(struct rv_str s)
{
	for (size_t i = 0; i < s.bytes; i++)
		if ((unsigned char)s.at[i] < ' ' || strchr("\"\\'", s.at[i]))
			return false;
	return s.bytes > 0;
}

/* "echo hi" for an argv: its words, or, with what only a shell reads, a shell. */
static void hint_of_command(struct plan_diag *g, const char *key, struct rv_str text)
{
	struct rv_buf b;

	rv_buf_init(&b, 1024);
	if (!plan_line_needs_shell(text)) {
		(void)rv_buf_printf(&b, "%s: ", key);
		plan_put_words(text, &b);
		(void)rv_buf_puts(&b, "; ");
	}
	(void)rv_buf_printf(&b, "with a shell: %s: ", key);
	plan_put_shell(text, &b);
	plan_diag_hint(g, "%s", b.at);
	rv_buf_release(&b);
}

static bool is_number(struct rv_str s)
{
	for (size_t i = 0; i < s.bytes; i++)
		if (!strchr("0123456789.", s.at[i]))
			return false;
	return s.bytes > 0;
}

/* What YAML 1.1 took for a truth value; NULL: none. */
static const char *meant_bool(struct rv_str s)
{
	static const char *const words[] = { "yes", "true", "no", "false", "on", "true", "off", "false", "y", "true", "n", "false" };

	for (size_t i = 0; i < RV_ARRAY_LEN(words); i += 2)
		if (strlen(words[i]) == s.bytes && strncasecmp(words[i], s.at, s.bytes) == 0)
			return words[i + 1];
	return NULL;
}

static bool is_argv(const struct plan_key *key)
{
	return strcmp(key->name, "command") == 0 || strcmp(key->name, "accept") == 0 || strcmp(key->name, "unless") == 0;
}

/* The right form of a value that is of the wrong kind, where it can be guessed. */
static void hint_of_kind(const struct plan_loader *l, struct plan_diag *g, const struct plan_key *key, uint32_t node)
{
	struct rv_str text = written(l, node);
	bool string = plan_node(l->tree, node)->kind == PLAN_STRING;
	bool array = key->kinds & PLAN_IS_ARRAY && key->part_kinds & PLAN_IS_STRING;

	if (string)
		text = plan_node_text(l->tree, node);
	if (l->tree == &l->set_tree)
		return;
	if (array && is_argv(key) && string && plain(text) && text.bytes <= SHOWN_MAX)
		hint_of_command(g, key->name, text);
	else if (array && is_argv(key) && (!plain(text) || string))
		plan_diag_hint(g, "%s: [PROGRAM, ARGUMENT]; with a shell: %s: [sh, -c, \"SCRIPT\"]", key->name, key->name);
	else if (array && plain(text) && text.bytes <= SHOWN_MAX)
		plan_diag_hint(g, string ? "as an array: %s: [%.*s]" : "as an array of text: %s: [\"%.*s\"]", key->name, RV_STR_ARGS(text));
	else if (!string && key->kinds & PLAN_IS_STRING && plain(text))
		plan_diag_hint(g, "in quotes it is text: \"%.*s\"", RV_STR_ARGS(text));
	else if (string && key->kinds & (PLAN_IS_NUMBER | PLAN_IS_BOOL) && plain(text) && text.bytes <= SHOWN_MAX && is_number(text))
		plan_diag_hint(g, "without quotes: %.*s", RV_STR_ARGS(text));
	else if (string && key->kinds & PLAN_IS_BOOL && meant_bool(text))
		plan_diag_hint(g, "%s: %s; other words, such as yes and on, are text", key->name, meant_bool(text));
}

static int check_part(struct plan_loader *l, const struct plan_key *key, uint32_t node, bool quiet)
{
	char expected[128], named[160];
	struct plan_key part = { .kinds = key->part_kinds };

	if (!kind_holds(plan_node(l->tree, node), key->part_kinds)) {
		if (!quiet) {
			snprintf(named, sizeof(named), "each value of \"%s\"", key->name);
			hint_of_kind(l,
				     plan_error_at(l, PLAN_E_TYPE, node, "%s must be %s, not %s", named, plan_key_expected(&part, expected),
						   plan_kind_name((enum plan_kind)plan_node(l->tree, node)->kind)),
				     &part, node);
		}
		return -1;
	}
	return check_scalar(l, key->name, node, key->free_keys ? PLAN_RULE_NONE : (enum plan_rule)key->part_rule,
			    key->part_words, key->part_min, key->part_max, quiet);
}

bool plan_value_holds(const struct plan_loader *l, const struct plan_key *key, uint32_t value)
{
	/* Quiet checks add nothing, so the loader is not changed. */
	return (!key->free_keys || rule_holds(l, (enum plan_rule)key->part_rule, plan_node_text(l->tree, value - 1))) &&
	       check_part((struct plan_loader *)(uintptr_t)l, key, value, true) == 0;
}

/* Arrays and maps with free keys: every entry. Wrong entries are told; the rest can be used. */
static int check_parts(struct plan_loader *l, const struct plan_key *key, uint32_t node)
{
	const struct plan_tree *t = l->tree;
	bool map = t->nodes[node].kind == PLAN_MAP;
	uint32_t n, value;
	int rc = 0;

	if ((map && !key->free_keys) || key->part_rule == PLAN_RULE_UNIT)
		return 0;
	for (n = plan_first(node); n < plan_end(t, node); n = plan_next(t, value)) {
		value = map ? n + 1 : n;
		if (map && !rule_holds(l, (enum plan_rule)key->part_rule, plan_node_text(t, n))) {
			tell_rule(l, key->name, (enum plan_rule)key->part_rule, n);
			rc = -1;
		}
		if (check_part(l, key, value, false))
			rc = -1;
	}
	return rc;
}

static int check_inner(struct plan_loader *l, const struct plan_key *key, uint32_t node)
{
	const struct plan_tree *t = l->tree;
	uint32_t found[PLAN_KEYS_MAX], n;
	int rc = 0;

	/* Others are walked by whoever uses them. */
	if (!(key->flags & PLAN_KEY_LATER) || t->nodes[node].kind != PLAN_MAP || !key->inner)
		return 0;
	if (!key->free_keys)
		return plan_walk(l, node, (enum plan_map_id)key->inner, found);
	for (n = plan_first(node); n < plan_end(t, node); n = plan_next(t, n + 1)) {
		if (t->nodes[n + 1].kind != PLAN_MAP)
			continue;
		rc |= plan_walk(l, n + 1, (enum plan_map_id)key->inner, found);
		if (key->inner == PLAN_MAP_CREDENTIAL && found[PLAN_C_limits] != PLAN_NONE) {
			uint32_t limits[PLAN_KEYS_MAX];

			rc |= plan_walk(l, found[PLAN_C_limits], PLAN_MAP_BUDGETS, limits);
		}
	}
	return rc;
}

static bool says_nothing(const struct plan_loader *l, const struct plan_key *key, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);

	if (n->kind == PLAN_BOOL)
		return !n->integer;
	if (n->kind == PLAN_ARRAY || n->kind == PLAN_MAP)
		return n->count == 0;
	if (n->kind == PLAN_INT)
		return n->integer == 0 && key->standard && strcmp(key->standard, "0") == 0;
	return n->kind == PLAN_STRING && key->now && plan_word_index(key->now, plan_node_text(l->tree, node)) >= 0;
}

static bool mocked(const struct plan_loader *l, const struct plan_key *key)
{
	return l->opt->mock != PLAN_MOCK_OFF && (key->flags & PLAN_KEY_MOCKED);
}

static int check_later(struct plan_loader *l, const struct plan_key *key, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);
	struct plan_diag *g;
	char q[PLAN_QUOTED];

	if (!(key->flags & PLAN_KEY_LATER) || says_nothing(l, key, node) || mocked(l, key))
		return 0;
	if (key->now) {
		g = plan_error_at(l, PLAN_E_UNSUPPORTED, node, "\"%s\" with the value %s is not executed by this version yet",
				  key->name, plan_quote(plan_node_text(l->tree, node), q));
		plan_diag_hint(g, "it executes: %s%s", key->now,
			       key->flags & PLAN_KEY_MOCKED ? "; --mock runs the plan without agents" : "");
		return -1;
	}
	g = plan_error_at(l, PLAN_E_UNSUPPORTED, n->kind == PLAN_STRING ? node : node - 1,
			  "\"%s\" is not executed by this version yet", key->name);
	if (key->flags & PLAN_KEY_MOCKED)
		plan_diag_hint(g, "--mock runs the plan without it");
	return -1;
}

static int check_value(struct plan_loader *l, const struct plan_key *key, uint32_t node)
{
	const struct plan_node *n = plan_node(l->tree, node);
	char expected[128];

	if (!kind_holds(n, key->kinds)) {
		hint_of_kind(l,
			     plan_error_at(l, PLAN_E_TYPE, node, "\"%s\" must be %s, not %s", key->name, plan_key_expected(key, expected),
					   plan_kind_name((enum plan_kind)n->kind)),
			     key, node);
		return -1;
	}
	if (check_scalar(l, key->name, node, (enum plan_rule)key->rule, key->words,
			 key->kinds & PLAN_IS_NUMBER ? key->min : 0, key->kinds & PLAN_IS_NUMBER ? key->max : 0, false) ||
	    check_length(l, key, node))
		return -1;
	if ((n->kind == PLAN_ARRAY || n->kind == PLAN_MAP) && check_parts(l, key, node)) {
		/* An array with a wrong element is not used at all; a map keeps its other entries. */
		if (n->kind == PLAN_ARRAY)
			return -1;
	}
	if (check_inner(l, key, node))
		return -1;
	return check_later(l, key, node);
}

/* ---- maps ---- */

/* What other tools call it. */
static const struct {
	const char *word, *key;
} elsewhere[] = {
	{ "unit_id", "id" },          { "task_id", "id" },      { "working_directory", "cwd" }, { "workdir", "cwd" },     { "directory", "cwd" },
	{ "dir", "cwd" },             { "needs", "depends_on" }, { "after", "depends_on" },      { "requires", "depends_on" }, { "cmd", "command" },
	{ "run", "command" },         { "script", "command" },  { "shell", "command" },         { "environment", "env" }, { "timeout", "timeout_s" },
	{ "retries", "retry" },       { "tasks", "units" },     { "steps", "units" },           { "jobs", "units" },      { "parallel", "max_workers" },
	{ "concurrency", "max_workers" },
};

/* The map that has such a key, other than `id`; PLAN_MAP_NONE. */
static enum plan_map_id map_with(const struct plan_loader *l, enum plan_map_id id, struct rv_str name)
{
	for (int m = PLAN_MAP_PLAN; m < PLAN_MAPS; m++)
		if (m != (int)id && plan_key_find(&l->index[m], name))
			return (enum plan_map_id)m;
	return PLAN_MAP_NONE;
}

enum { KEYS_LISTED_MAX = 12 };

static void hint_of_keys(struct plan_diag *g, enum plan_map_id id, const char *const *known, uint32_t count)
{
	struct rv_buf b;

	if (count > KEYS_LISTED_MAX) {
		plan_diag_hint(g, "`reeve help plan` lists the keys of %s; keys of your own start with x-", plan_map_name(id));
		return;
	}
	rv_buf_init(&b, 1024);
	for (uint32_t i = 0; i < count; i++)
		(void)rv_buf_printf(&b, "%s%s", i ? ", " : "", known[i]);
	plan_diag_hint(g, "its keys are %s; keys of your own start with x-", b.at ? b.at : "");
	rv_buf_release(&b);
}

static void tell_unknown(struct plan_loader *l, enum plan_map_id id, uint32_t key)
{
	const struct plan_map_index *index = &l->index[id];
	struct rv_str name = plan_node_text(l->tree, key);
	const char *known[PLAN_KEYS_MAX];
	enum plan_map_id other;
	char q[PLAN_QUOTED];
	struct plan_diag *g;
	uint32_t i;
	bool few;
	int near;

	for (i = 0; i < index->count; i++)
		known[i] = index->key[i]->name;
	g = plan_error_at(l, PLAN_E_UNKNOWN_KEY, key, "%s has no key %s", plan_map_name(id), plan_quote(name, q));
	for (i = 0; i < RV_ARRAY_LEN(elsewhere); i++)
		if (rv_str_equal(name, rv_str_of(elsewhere[i].word)) && plan_key_find(index, rv_str_of(elsewhere[i].key))) {
			plan_diag_hint(g, "did you mean \"%s\"?", elsewhere[i].key);
			return;
		}
	other = map_with(l, id, name);
	near = rv_nearest(name, known, index->count);
	few = index->count <= KEYS_LISTED_MAX;
	if (near >= 0 && (few || !other || strncmp(known[near], name.at, rv_min_u64(name.bytes, strlen(known[near]))) == 0))
		plan_diag_hint(g, "did you mean \"%s\"?", known[near]);
	else if (other && !few)
		plan_diag_hint(g, "%s has such a key, %s has not; `reeve help plan` lists all", plan_map_name(other), plan_map_name(id));
	else
		hint_of_keys(g, id, known, index->count);
}

static int check_required(struct plan_loader *l, uint32_t map, enum plan_map_id id, const uint32_t *found,
			  uint64_t present)
{
	const struct plan_map_index *index = &l->index[id];
	struct plan_diag *g;
	uint32_t i;
	int rc = 0;

	(void)found;
	for (i = 0; i < index->count; i++) {
		const struct plan_key *key = index->key[i];

		if (!(key->flags & PLAN_KEY_REQUIRED) || present & (uint64_t)1 << key->id)
			continue;
		/* A map of units gives the id as its key (units.c); in JSON lines the units follow. */
		if (id == PLAN_MAP_UNIT || (l->lines && id == PLAN_MAP_PLAN && key->id == PLAN_P_units))
			continue;
		g = plan_error_at(l, PLAN_E_TYPE, map, "%s needs the key \"%s\"", plan_map_name(id), key->name);
		if (g && l->tree->nodes[map].span > 1)
			g->span = 1;
		if (id == PLAN_MAP_PLAN && key->id == PLAN_P_version)
			plan_diag_hint(g, "a plan begins with the line: version: 1");
		rc = -1;
	}
	return rc;
}

int plan_walk(struct plan_loader *l, uint32_t map, enum plan_map_id id, uint32_t *found)
{
	const struct plan_tree *t = l->tree;
	uint64_t present = 0;
	uint32_t k;
	int rc = 0;

	memset(found, 0xff, sizeof(*found) * PLAN_KEYS_MAX);
	for (k = plan_first(map); k < plan_end(t, map); k = plan_next(t, k + 1)) {
		struct rv_str name = plan_node_text(t, k);
		const struct plan_key *key = plan_key_find(&l->index[id], name);

		if (!key && name.bytes >= 2 && name.at[0] == 'x' && name.at[1] == '-')
			continue;
		if (!key) {
			tell_unknown(l, id, k);
			rc = -1;
			continue;
		}
		present |= (uint64_t)1 << key->id;
		if (check_value(l, key, k + 1))
			rc = -1;
		else
			found[key->id] = k + 1;
	}
	/* A tree of --set holds only what is overridden. */
	return l->tree == &l->set_tree || check_required(l, map, id, found, present) == 0 ? rc : -1;
}
