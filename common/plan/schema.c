/* schema.c - asking the table of keys */
#include "schema.h"

#include "common/check.h"
#include "keys.h"

#include <stdio.h>

static bool belongs(const struct plan_key *key, enum plan_map_id map)
{
	if (key->map == map)
		return true;
	if (key->map != PLAN_MAP_UNIT)
		return false;
	if (map == PLAN_MAP_DEFAULTS)
		return !(key->flags & PLAN_KEY_UNIT_ONLY);
	if (map == PLAN_MAP_AGENT)
		return !(key->flags & (PLAN_KEY_UNIT_ONLY | PLAN_KEY_NOT_AGENT));
	return false;
}

void plan_map_index(enum plan_map_id map, struct plan_map_index *out)
{
	uint32_t i;

	out->count = 0;
	for (i = 0; i < plan_all_keys_count; i++) {
		if (!belongs(&plan_all_keys[i], map))
			continue;
		rv_check(out->count < PLAN_KEYS_MAX);
		out->key[out->count++] = &plan_all_keys[i];
	}
}

const char *plan_map_name(enum plan_map_id map)
{
	static const char *const name[PLAN_MAPS] = {
		[PLAN_MAP_NONE] = "map",           [PLAN_MAP_PLAN] = "plan",
		[PLAN_MAP_UNIT] = "unit",          [PLAN_MAP_DEFAULTS] = "defaults",
		[PLAN_MAP_AGENT] = "agent",        [PLAN_MAP_LIMITS] = "limits",
		[PLAN_MAP_BUDGETS] = "limits",     [PLAN_MAP_WORKSPACE] = "workspace",
		[PLAN_MAP_RETRY] = "retry",        [PLAN_MAP_MOCK] = "mock",
		[PLAN_MAP_VERIFY] = "verify",      [PLAN_MAP_FOR_EACH] = "for_each",
		[PLAN_MAP_PREAMBLE] = "preamble",  [PLAN_MAP_EVIDENCE] = "evidence",  [PLAN_MAP_CREDENTIAL] = "credentials",
	};

	return name[map];
}

const struct plan_key *plan_key_find(const struct plan_map_index *index, struct rv_str name)
{
	uint32_t i;

	for (i = 0; name.bytes && i < index->count; i++) {
		const char *known = index->key[i]->name;

		if (known[0] == name.at[0] && strncmp(known, name.at, name.bytes) == 0 && !known[name.bytes])
			return index->key[i];
	}
	return NULL;
}

int plan_word_index(const char *words, struct rv_str word)
{
	int i = 0;

	if (!words || !word.bytes)
		return -1;
	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == word.bytes && memcmp(words, word.at, n) == 0)
			return i;
		words += n + (words[n] == ' ');
		i++;
	}
	return -1;
}

static const char *plural(unsigned kinds)
{
	if (kinds == PLAN_IS_STRING)
		return "strings";
	if (kinds == PLAN_IS_INT)
		return "whole numbers";
	if (kinds == PLAN_IS_NUMBER)
		return "numbers";
	if (kinds == PLAN_IS_MAP)
		return "maps";
	if (kinds == PLAN_IS_SCALAR)
		return "strings or numbers";
	return NULL;
}

static void add(char out[128], const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, 128 - used, "%s%s", used ? " or " : "", text);
}

const char *plan_key_expected(const struct plan_key *key, char out[128])
{
	const char *parts = plural(key->part_kinds);
	char text[64];

	out[0] = '\0';
	if (key->kinds & PLAN_IS_BOOL)
		add(out, "true or false");
	if ((key->kinds & PLAN_IS_NUMBER) == PLAN_IS_NUMBER)
		add(out, "a number");
	else if (key->kinds & PLAN_IS_INT)
		add(out, "a whole number");
	if (key->kinds & PLAN_IS_STRING)
		add(out, "a string");
	if (key->kinds & PLAN_IS_ARRAY) {
		snprintf(text, sizeof(text), "an array%s%s", parts ? " of " : "", parts ? parts : "");
		add(out, text);
	}
	if (key->kinds & PLAN_IS_MAP) {
		snprintf(text, sizeof(text), "a map%s%s", key->free_keys && parts ? " of " : "",
			 key->free_keys && parts ? parts : "");
		add(out, text);
	}
	return out;
}
