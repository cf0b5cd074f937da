/* schema_json.c - the table of keys as a JSON Schema
 *
 * It says what one file can show by itself: names, kinds, ranges, words, forms. What needs the whole plan (dependencies,
 * cycles, overlaps, templates, agents) only the loader knows. Keys that this version does not execute yet are part of
 * the format and so of the schema.
 */
#include "keys.h"

#include <math.h>
#include <stdio.h>

struct writer {
	struct rv_buf *out;
	int depth;
	bool first; /* nothing written yet in the innermost braces */
};

static void line(struct writer *w)
{
	int i;

	if (!w->first)
		(void)rv_buf_putc(w->out, ',');
	(void)rv_buf_putc(w->out, '\n');
	for (i = 0; i < w->depth; i++)
		(void)rv_buf_putc(w->out, '\t');
	w->first = false;
}

static void name(struct writer *w, const char *key)
{
	line(w);
	if (key) {
		(void)rv_buf_put_json(w->out, rv_str_of(key));
		(void)rv_buf_puts(w->out, ": ");
	}
}

static void open(struct writer *w, const char *key, char brace)
{
	name(w, key);
	(void)rv_buf_putc(w->out, brace);
	w->depth++;
	w->first = true;
}

static void close(struct writer *w, char brace)
{
	w->depth--;
	if (!w->first) {
		w->first = true;
		line(w);
	}
	(void)rv_buf_putc(w->out, brace);
	w->first = false;
}

static void string(struct writer *w, const char *key, const char *value)
{
	name(w, key);
	(void)rv_buf_put_json(w->out, rv_str_of(value));
}

static void number(struct writer *w, const char *key, double v)
{
	name(w, key);
	(void)rv_buf_printf(w->out, v == floor(v) && fabs(v) < 1e15 ? "%.0f" : "%g", v);
}

static void words(struct writer *w, const char *list)
{
	open(w, "enum", '[');
	while (*list) {
		size_t n = strcspn(list, " ");

		name(w, NULL);
		(void)rv_buf_put_json(w->out, rv_str(list, n));
		list += n + (list[n] == ' ');
	}
	close(w, ']');
}

static void not_pattern(struct writer *w, const char *pattern)
{
	open(w, "not", '{');
	string(w, "pattern", pattern);
	close(w, '}');
}

static void rule(struct writer *w, enum plan_rule r)
{
	switch (r) {
	case PLAN_RULE_NAME:
		string(w, "pattern", "^[A-Za-z0-9._-]{1,64}$");
		break;
	case PLAN_RULE_TEXT:
		number(w, "minLength", 1);
		break;
	case PLAN_RULE_ENV:
		string(w, "pattern", "^[^=]+$");
		not_pattern(w, "^(REEVE_|LD_|BASH_ENV$|IFS$)");
		break;
	case PLAN_RULE_CONTEXT:
		not_pattern(w, "^(_dep_|_prev$|_note$|item$)");
		break;
	case PLAN_RULE_UNIT:
		/* A template's may hold {{item}}: then only the loader can tell. */
		string(w, "pattern", "(^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$)|[{][{]");
		not_pattern(w, "^__[A-Za-z0-9._-]*$");
		break;
	case PLAN_RULE_NONE:
		break;
	}
}

static void kind(struct writer *w, const char *type)
{
	string(w, "type", type);
}

static void one_number(struct writer *w, unsigned kinds, double min, double max)
{
	open(w, NULL, '{');
	kind(w, kinds & 1u << PLAN_REAL ? "number" : "integer");
	if (min != 0 || max != 0) {
		number(w, "minimum", min);
		number(w, "maximum", max);
	}
	close(w, '}');
}

static void one_string(struct writer *w, enum plan_rule r, const char *list, double max)
{
	open(w, NULL, '{');
	kind(w, "string");
	if (list)
		words(w, list);
	rule(w, r);
	if (max > 0)
		number(w, "maxLength", max);
	close(w, '}');
}

static const char *ref_of(enum plan_map_id map, char out[64])
{
	snprintf(out, 64, "#/$defs/%s%s", plan_map_name(map), map == PLAN_MAP_BUDGETS ? "_budget" : "");
	return out;
}

static void ref(struct writer *w, enum plan_map_id map)
{
	char text[64];

	string(w, "$ref", ref_of(map, text));
}

/* Elements of an array, or values under free keys. */
static void parts(struct writer *w, const char *where, const struct plan_key *k)
{
	enum plan_rule r = k->free_keys ? PLAN_RULE_NONE : (enum plan_rule)k->part_rule;

	if (k->part_kinds == PLAN_IS_ANY)
		return;
	open(w, where, '{');
	if (k->part_kinds == PLAN_IS_MAP) {
		ref(w, (enum plan_map_id)k->inner);
		if (k->inner == PLAN_MAP_UNIT && strcmp(where, "items") == 0) {
			open(w, "required", '[');
			string(w, NULL, "id");
			close(w, ']');
		}
		close(w, '}');
		return;
	}
	open(w, "anyOf", '[');
	if (k->part_kinds & PLAN_IS_BOOL) {
		open(w, NULL, '{');
		kind(w, "boolean");
		close(w, '}');
	}
	if (k->part_kinds & PLAN_IS_NUMBER)
		one_number(w, k->part_kinds, k->part_min, k->part_max);
	if (k->part_kinds & PLAN_IS_STRING)
		one_string(w, r, k->part_words, 0);
	close(w, ']');
	close(w, '}');
}

static void one_array(struct writer *w, const struct plan_key *k)
{
	open(w, NULL, '{');
	kind(w, "array");
	if (strcmp(k->name, "command") == 0)
		number(w, "minItems", 1);
	if (strcmp(k->name, "command") == 0 || strcmp(k->name, "accept") == 0 || strcmp(k->name, "unless") == 0) {
		open(w, "prefixItems", '[');
		one_string(w, PLAN_RULE_TEXT, NULL, 0);
		close(w, ']');
	}
	parts(w, "items", k);
	if (k->parts_max)
		number(w, "maxItems", k->parts_max);
	close(w, '}');
}

static void one_map(struct writer *w, const struct plan_key *k)
{
	open(w, NULL, '{');
	if (!k->free_keys) {
		ref(w, (enum plan_map_id)k->inner);
		close(w, '}');
		return;
	}
	kind(w, "object");
	if (k->part_rule && k->part_rule != PLAN_RULE_NONE) {
		open(w, "propertyNames", '{');
		rule(w, (enum plan_rule)k->part_rule);
		close(w, '}');
	}
	if (strcmp(k->name, "resources") == 0) {
		open(w, "properties", '{');
		open(w, "cpus", '{');
		kind(w, "number");
		number(w, "maximum", RV_SLOTS_MAX);
		close(w, '}');
		open(w, "cost_usd", '{');
		kind(w, "number");
		number(w, "maximum", PLAN_COST_USD_MAX);
		close(w, '}');
		close(w, '}');
	}
	parts(w, "additionalProperties", k);
	if (k->parts_max)
		number(w, "maxProperties", k->parts_max);
	close(w, '}');
}

static void property(struct writer *w, const struct plan_key *k)
{
	char text[512];

	open(w, k->name, '{');
	(void)snprintf(text, sizeof(text), "%s%s%s%s", plan_key_text(k), k->standard ? " (default: " : "", k->standard ? k->standard : "",
		       k->standard ? ")" : "");
	string(w, "description", text);
	if (k->kinds != PLAN_IS_ANY) {
		open(w, "anyOf", '[');
		if (k->kinds & PLAN_IS_BOOL) {
			open(w, NULL, '{');
			kind(w, "boolean");
			close(w, '}');
		}
		if (k->kinds & PLAN_IS_NUMBER)
			one_number(w, k->kinds, k->min, k->max);
		if (k->kinds & PLAN_IS_STRING)
			one_string(w, (enum plan_rule)k->rule, k->words, k->kinds == PLAN_IS_STRING ? k->max : 0);
		if (k->kinds & PLAN_IS_ARRAY)
			one_array(w, k);
		if (k->kinds & PLAN_IS_MAP)
			one_map(w, k);
		close(w, ']');
	}
	close(w, '}');
}

static void required(struct writer *w, const struct plan_map_index *index, enum plan_map_id map)
{
	bool any = false;
	uint32_t i;

	if (map == PLAN_MAP_UNIT)
		return; /* its id may be the key of a map of units: said where units are */
	for (i = 0; i < index->count; i++) {
		if (!(index->key[i]->flags & PLAN_KEY_REQUIRED))
			continue;
		if (!any)
			open(w, "required", '[');
		any = true;
		string(w, NULL, index->key[i]->name);
	}
	if (any)
		close(w, ']');
}

static void one_of_three(struct writer *w)
{
	static const char *const keys[] = { "file", "count", "same_as" };
	size_t i;

	open(w, "oneOf", '[');
	for (i = 0; i < RV_ARRAY_LEN(keys); i++) {
		open(w, NULL, '{');
		open(w, "required", '[');
		string(w, NULL, keys[i]);
		close(w, ']');
		close(w, '}');
	}
	close(w, ']');
}

static void map(struct writer *w, enum plan_map_id id)
{
	struct plan_map_index index;
	uint32_t i;

	plan_map_index(id, &index);
	kind(w, "object");
	open(w, "properties", '{');
	for (i = 0; i < index.count; i++)
		property(w, index.key[i]);
	close(w, '}');
	open(w, "patternProperties", '{');
	open(w, "^x-", '{');
	close(w, '}');
	close(w, '}');
	name(w, "additionalProperties");
	(void)rv_buf_puts(w->out, "false");
	required(w, &index, id);
	if (id == PLAN_MAP_FOR_EACH)
		one_of_three(w);
}

int plan_schema_json(struct rv_buf *out)
{
	struct writer w = { .out = out, .depth = 1, .first = true };
	char text[64];
	int id;

	(void)rv_buf_putc(out, '{');
	string(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	string(&w, "title", "a plan of reeve, version 1");
	map(&w, PLAN_MAP_PLAN);
	open(&w, "$defs", '{');
	for (id = PLAN_MAP_UNIT; id < PLAN_MAPS; id++) {
		open(&w, ref_of((enum plan_map_id)id, text) + strlen("#/$defs/"), '{');
		map(&w, (enum plan_map_id)id);
		close(&w, '}');
	}
	close(&w, '}');
	close(&w, '}');
	return rv_buf_putc(out, '\n');
}
