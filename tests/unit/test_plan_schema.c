/* test_plan_schema.c - docs/plan.schema.json is what the table of keys says, docs/plan.md names exactly its keys, and schema
 * and validator agree on 10,000 mutated plans
 *
 * REEVE_UPDATE_DOCS=1 writes docs/plan.schema.json anew. Run from the project's folder.
 */
#include "tests/lib/plan_case.h"

#include "common/limits.h"
#include "common/os/file.h"
#include "common/plan/schema.h"
#include "common/prng.h"

#include <jansson.h>
#include <math.h>
#include <regex.h>

#define SCHEMA "docs/plan.schema.json"
#define DOCS "docs/plan.md"

/* ---- a small checker of the part of JSON Schema that is used ---- */

static json_t *root;

static bool holds(const json_t *schema, json_t *value);

/* Compiling one takes longer than all else here; there are a handful, and they live as long as the schema. */
static struct {
	const char *pattern;
	regex_t re;
} compiled[512]; /* by address: each place in the schema has its own */

static bool matches(const char *pattern, const char *text)
{
	size_t i;

	for (i = 0; compiled[i].pattern && compiled[i].pattern != pattern; i++)
		;
	assert_true(i + 1 < RV_ARRAY_LEN(compiled));
	if (!compiled[i].pattern) {
		assert_int_equal(regcomp(&compiled[i].re, pattern, REG_EXTENDED | REG_NOSUB), 0);
		compiled[i].pattern = pattern;
	}
	return regexec(&compiled[i].re, text, 0, NULL, 0) == 0;
}

static void forget_patterns(void)
{
	size_t i;

	for (i = 0; compiled[i].pattern; i++)
		regfree(&compiled[i].re);
}

static bool is_type(const char *type, const json_t *v)
{
	if (strcmp(type, "object") == 0)
		return json_is_object(v);
	if (strcmp(type, "array") == 0)
		return json_is_array(v);
	if (strcmp(type, "string") == 0)
		return json_is_string(v);
	if (strcmp(type, "boolean") == 0)
		return json_is_boolean(v);
	if (strcmp(type, "number") == 0)
		return json_is_number(v);
	assert_string_equal(type, "integer");
	return json_is_integer(v) || (json_is_real(v) && json_real_value(v) == floor(json_real_value(v)));
}

static size_t chars(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static double limit(const json_t *schema, const char *key, double otherwise)
{
	const json_t *v = json_object_get(schema, key);

	return v ? json_number_value(v) : otherwise;
}

static bool string_holds(const json_t *schema, const json_t *v)
{
	const char *s = json_string_value(v);
	const json_t *pattern = json_object_get(schema, "pattern");

	if (pattern && !matches(json_string_value(pattern), s))
		return false;
	return (double)chars(s) >= limit(schema, "minLength", 0) && (double)chars(s) <= limit(schema, "maxLength", INFINITY);
}

static bool array_holds(const json_t *schema, json_t *v)
{
	const json_t *prefix = json_object_get(schema, "prefixItems"), *items = json_object_get(schema, "items");
	size_t i, n = json_array_size(v);

	if ((double)n < limit(schema, "minItems", 0) || (double)n > limit(schema, "maxItems", INFINITY))
		return false;
	for (i = 0; i < n; i++) {
		const json_t *each = i < json_array_size(prefix) ? json_array_get(prefix, i) : items;

		if (each && !holds(each, json_array_get(v, i)))
			return false;
	}
	return true;
}

static bool member_holds(const json_t *schema, const char *key, json_t *value)
{
	const json_t *known = json_object_get(json_object_get(schema, "properties"), key);
	json_t *patterns = json_object_get(schema, "patternProperties"), *other = json_object_get(schema, "additionalProperties");
	const char *pattern;
	json_t *unused;

	if (known)
		return holds(known, value);
	json_object_foreach(patterns, pattern, unused) {
		if (matches(pattern, key))
			return true;
	}
	return !other || (json_is_boolean(other) ? json_is_true(other) : holds(other, value));
}

static bool object_holds(const json_t *schema, json_t *v)
{
	const json_t *need = json_object_get(schema, "required"), *names = json_object_get(schema, "propertyNames");
	const char *key;
	json_t *value;
	size_t i;

	if ((double)json_object_size(v) > limit(schema, "maxProperties", INFINITY))
		return false;
	for (i = 0; i < json_array_size(need); i++) {
		if (!json_object_get(v, json_string_value(json_array_get(need, i))))
			return false;
	}
	json_object_foreach(v, key, value) {
		json_t *name = json_string(key);
		bool fine = !names || holds(names, name);

		json_decref(name);
		if (!fine || !member_holds(schema, key, value))
			return false;
	}
	return true;
}

static size_t how_many(const json_t *schemas, json_t *v)
{
	size_t i, n = 0;

	for (i = 0; i < json_array_size(schemas); i++)
		n += holds(json_array_get(schemas, i), v);
	return n;
}

static bool holds(const json_t *schema, json_t *v)
{
	const json_t *type = json_object_get(schema, "type"), *ref = json_object_get(schema, "$ref");
	const json_t *any = json_object_get(schema, "anyOf"), *one = json_object_get(schema, "oneOf");
	const json_t *words = json_object_get(schema, "enum"), *not = json_object_get(schema, "not");
	size_t i;

	if (ref && !holds(json_object_get(json_object_get(root, "$defs"), json_string_value(ref) + strlen("#/$defs/")), v))
		return false;
	if (type && !is_type(json_string_value(type), v))
		return false;
	if ((any && !how_many(any, v)) || (one && how_many(one, v) != 1) || (not && holds(not, v)))
		return false;
	for (i = 0; i < json_array_size(words) && !json_equal(json_array_get(words, i), v); i++)
		;
	if (words && i == json_array_size(words))
		return false;
	if (json_is_number(v))
		return json_number_value(v) >= limit(schema, "minimum", -INFINITY) &&
		       json_number_value(v) <= limit(schema, "maximum", INFINITY);
	if (json_is_string(v))
		return string_holds(schema, v);
	if (json_is_array(v))
		return array_holds(schema, v);
	return !json_is_object(v) || object_holds(schema, v);
}

/* ---- plans ---- */

/* Every key that is executed stands here at least once, and most of the others. */
static const char rich[] =
	"{\"version\":1,\"name\":\"n\",\"max_workers\":3,\"on_failure\":\"finish\",\"order\":\"id\",\"placement\":\"pack\","
	"\"context\":{\"a\":1},\"timeout_s\":5,\"lost_after_s\":3,\"keep_logs\":\"all\","
	"\"limits\":{\"failed\":1,\"node_lost\":2,\"environment\":3,\"rate_limited\":4,\"tokens\":5,\"cost_usd\":1.5,\"cpu_seconds\":3},"
	"\"workspace\":{\"mode\":\"shared\",\"root\":\".\",\"overlap\":\"allow\",\"allow_write\":[],\"require_directories\":false,"
	"\"namespace_root\":\"n\",\"enforce\":\"auto\",\"allow_read\":[]},"
	"\"agents\":{\"c\":{\"profile\":\"command\",\"command\":[\"x\"],\"model\":\"m\",\"max_concurrent\":2,\"limits\":{\"tokens\":3},"
	"\"fallback\":[],\"rate_limit_exit_codes\":[3],\"rate_limit_patterns\":[\"p\"],\"env\":{\"A\":\"b\"},\"home\":\"shared\","
	"\"preamble\":\"off\"},\"m\":{\"profile\":\"mock\",\"mock\":{\"delay_s\":0.1,\"fail\":1,\"output\":{\"a\":1},\"tokens\":3}}},"
	"\"credentials\":{\"k\":{\"provider\":\"openai\",\"keys_from_env\":\"K\",\"models\":[\"m\"],\"max_concurrent\":3,\"expose\":\"env\","
	"\"on_exhausted\":\"wait\",\"limits\":{\"tokens\":3}}},"
	"\"locks\":{\"db\":2},\"defaults\":{\"timeout_s\":3,\"retry\":2,\"agent\":\"m\"},\"compat_env\":[\"ralph\"],"
	"\"verify\":{\"command\":[\"v\"],\"timeout_s\":3},\"x-own\":[1],"
	"\"units\":[{\"id\":\"a\",\"description\":\"d\",\"prompt\":\"p\",\"template\":\"auto\",\"command\":[\"x\",\"y\"],"
	"\"trigger_rule\":\"all_done\",\"depends_on\":[\"b\"],\"allowed_directories\":[\"s\"],\"cwd\":\"s\",\"output\":\"json\","
	"\"env\":{\"P\":\"q\",\"N\":1,\"B\":true},\"secrets\":[\"S\"],\"network\":\"full\",\"gateway\":\"auto\",\"credentials\":\"k\","
	"\"accept\":[\"t\"],\"evidence\":\"exit\",\"context\":{\"c\":[1]},\"hold\":false,\"unless\":[],\"priority\":5,\"estimate_s\":1.5,"
	"\"grace_s\":2,\"log_max_mb\":5,\"timeout_s\":1,\"idle_timeout_s\":2,\"start_timeout_s\":3,\"queue_timeout_s\":4,"
	"\"retry\":{\"max\":2,\"backoff\":\"linear\",\"base_s\":1,\"max_s\":2,\"jitter\":0.5,\"on\":[\"agent\"],\"agent\":\"m\"},"
	"\"resources\":{\"cpus\":1.5,\"memory_mb\":100,\"gpus\":1},\"labels\":{\"os\":\"linux\",\"n\":3},\"node\":\"n\",\"locks\":[\"db\"],"
	"\"at_most_once\":false,\"capabilities\":[],\"namespace\":\"auto\",\"satisfied\":false,\"x-u\":{}},"
	"{\"id\":\"b\",\"agent\":\"m\",\"evidence\":{\"type\":\"artifact\",\"required\":[\"*\"]},\"priority\":\"high\",\"dependencies\":[]},"
	"{\"id\":\"c\",\"command\":[\"x\",\"{item}\"],\"for_each\":[1,\"b\",{\"c\":1}]},"
	"{\"id\":\"d\",\"command\":[\"x\",\"{item}\"],\"for_each\":{\"count\":3}},"
	"{\"id\":\"e-{{item}}\",\"command\":[\"x\"],\"for_each\":{\"same_as\":\"c\"},\"agent\":[\"m\",\"c\"]}]}";

static const char *const scalars[] = {
	"null", "true", "false", "0", "1", "-1", "3", "1.0", "2.5", "1e3", "-1000", "1001", "65536", "65537", "1e9", "2e9", "1e16",
	"\"\"", "\"a\"", "\"a b\"", "\"__x\"", "\".x\"", "\"mock\"", "\"auto\"", "\"off\"", "\"exit\"", "\"high\"", "\"shared\"", "\"git\"",
	"\"REEVE_X\"", "\"A=B\"", "\"agent\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
	"[]", "{}", "[1]", "[\"x\"]", "[\"\"]", "[\"a\",1]", "{\"a\":1}", "{\"x-a\":1}", "{\"count\":2}", "{\"max\":1}", "{\"cpus\":70000}",
	"{\"REEVE_A\":\"b\"}", "{\"_dep_x\":1}", "{\"IFS\":\"\"}", "{\"type\":\"exit\"}", "{\"a b\":1}", "{\"tokens\":1,\"file\":\"x\"}",
};

static const char *const names[] = { "x-new", "nope", "id", "retry", "max", "command", "env", "limits", "tokens", "mode", "on", "agent",
				     "REEVE_Z", "LD_X", "item", "_note", "a/b", "count", "file", "prompt", "depends_on" };

static json_t *any_value(struct rv_prng *p)
{
	return json_loads(scalars[rv_prng_below(p, RV_ARRAY_LEN(scalars))], JSON_DECODE_ANY, NULL);
}

/* Changes something somewhere below v: replaces, adds, renames or removes. */
static void mutate(struct rv_prng *p, json_t *v)
{
	size_t n = json_is_object(v) ? json_object_size(v) : json_array_size(v), pick, i = 0;
	const char *key = NULL, *k;
	json_t *child = NULL, *c;

	pick = n ? rv_prng_below(p, n) : 0;
	if (json_is_object(v)) {
		json_object_foreach(v, k, c) {
			if (i++ == pick) {
				key = k;
				child = c;
			}
		}
	} else {
		child = json_array_get(v, pick);
	}
	/* Mostly down, so that the leaves get their share. */
	if ((json_is_object(child) || json_is_array(child)) && rv_prng_below(p, 8)) {
		mutate(p, child);
		return;
	}
	if (json_is_array(v)) {
		if (!n || rv_prng_below(p, 3) == 0)
			(void)json_array_append_new(v, any_value(p));
		else if (rv_prng_below(p, 4) == 0)
			(void)json_array_remove(v, pick);
		else
			(void)json_array_set_new(v, pick, any_value(p));
		return;
	}
	switch (n ? rv_prng_below(p, 5) : 0) {
	case 0:
		(void)json_object_set_new(v, names[rv_prng_below(p, RV_ARRAY_LEN(names))], any_value(p));
		break;
	case 1:
		(void)json_object_del(v, key);
		break;
	default:
		(void)json_object_set_new(v, key, any_value(p));
	}
}

/* What a schema can say: the rest needs the whole plan. */
static bool schema_knows(const struct plan_diag *g)
{
	switch (g->code) {
	case PLAN_E_TYPE:
	case PLAN_E_UNKNOWN_KEY:
	case PLAN_E_RANGE:
	case PLAN_E_CONTEXT_KEY:
	case PLAN_E_ENV:
	case PLAN_E_LIMIT:
		return true;
	case PLAN_E_ID_RESERVED:
	case PLAN_E_ID_FORMAT:
		/* Not: a template's id where there is no for_each, what items make of it. */
		return !strstr(g->message, "{{") && !strstr(g->message, "item ");
	case PLAN_E_COMMAND_EMPTY:
		return strstr(g->message, "names no program") != NULL;
	case PLAN_E_CONFLICT:
		return strstr(g->message, "one of file, count, same_as") != NULL;
	default:
		return false;
	}
}

static bool validator_says(const char *text, struct plan_case *c)
{
	uint32_t i;

	(void)plan_case_load(c, text, PLAN_FORMAT_JSON);
	for (i = 0; i < c->diags.error_count; i++) {
		if (schema_knows(&c->diags.error[i]))
			return false;
	}
	/* More than are kept would hide some. */
	assert_int_equal(c->diags.error_count, c->diags.errors_found);
	return true;
}

static void they_agree_on_mutated_plans(void **state)
{
	struct rv_prng p;
	int i, refused = 0;

	(void)state;
	rv_prng_seed(&p, 10000);
	for (i = 0; i < 10000; i++) {
		json_t *plan = json_loads(rich, 0, NULL);
		int edits = i ? 1 + (int)rv_prng_below(&p, 3) : 0;
		struct plan_case c = { 0 };
		char *text;
		bool schema, validator;

		while (edits--)
			mutate(&p, plan);
		text = json_dumps(plan, JSON_COMPACT);
		schema = holds(root, plan);
		validator = validator_says(text, &c);
		if (schema != validator) {
			print_error("plan %d: the schema says %s, the validator %s\n%s\n", i, schema ? "yes" : "no",
				    validator ? "yes" : "no", text);
			plan_case_show(&c);
			fail();
		}
		refused += !schema;
		plan_case_release(&c);
		free(text);
		json_decref(plan);
	}
	assert_in_range(refused, 2000, 9000);
}

/* ---- documents ---- */

static void read_whole(const char *path, struct rv_buf *out)
{
	struct rv_err err;

	rv_buf_init(out, 0);
	if (rv_file_read(path, 1 << 24, out, &err) != 0)
		fail_msg("%s (tests run in the project's folder)", err.msg);
}

static void the_schema_is_what_the_table_says(void **state)
{
	struct rv_buf want, have;
	struct rv_err err;

	(void)state;
	rv_buf_init(&want, 0);
	assert_int_equal(plan_schema_json(&want), 0);
	if (getenv("REEVE_UPDATE_DOCS"))
		assert_int_equal(rv_file_write(SCHEMA, rv_buf_str(&want), 0644, RV_FILE_NOSYNC, &err), 0);
	read_whole(SCHEMA, &have);
	if (strcmp(want.at, have.at) != 0)
		fail_msg("%s", SCHEMA " is not what the table of keys says: run this test with REEVE_UPDATE_DOCS=1");
	rv_buf_release(&want);
	rv_buf_release(&have);
}

/* Which map the tables below a heading describe. */
static const struct {
	const char *heading;
	enum plan_map_id map;
} sections[] = {
	{ "## The plan", PLAN_MAP_PLAN },          { "### `limits`", PLAN_MAP_LIMITS },
	{ "### `workspace`", PLAN_MAP_WORKSPACE }, { "### `verify`", PLAN_MAP_VERIFY },
	{ "## Agents", PLAN_MAP_AGENT },           { "### `mock`", PLAN_MAP_MOCK },
	{ "### `limits` of an agent", PLAN_MAP_BUDGETS }, { "### `credentials`", PLAN_MAP_CREDENTIAL },
	{ "## Units", PLAN_MAP_UNIT },             { "### `retry`", PLAN_MAP_RETRY },
	{ "### `evidence`", PLAN_MAP_EVIDENCE },   { "### `for_each`", PLAN_MAP_FOR_EACH },
};

/* The keys of a row's first cell: `a`, `b`. */
static int mark_keys(const struct plan_map_index *index, enum plan_map_id map, const char *line, bool *seen)
{
	const char *end = strchr(line + 1, '|'), *at = line;
	int wrong = 0;

	while (end && (at = memchr(at, '`', (size_t)(end - at)))) {
		const char *stop = memchr(at + 1, '`', (size_t)(end - at - 1));
		const struct plan_key *key;

		if (!stop)
			break;
		key = plan_key_find(index, rv_str(at + 1, (size_t)(stop - at - 1)));
		if (!key || key->map != map) {
			print_error(DOCS ": %s has no key %.*s\n", plan_map_name(map), (int)(stop - at - 1), at + 1);
			wrong++;
		} else {
			seen[key->id] = true;
		}
		at = stop + 1;
	}
	return wrong;
}

static void the_docs_name_exactly_the_keys(void **state)
{
	bool seen[PLAN_MAPS][PLAN_KEYS_MAX] = { { false } };
	struct plan_map_index index;
	enum plan_map_id map = PLAN_MAP_NONE;
	struct rv_buf text;
	char *line, *next;
	int wrong = 0;
	uint32_t i;
	size_t k;

	(void)state;
	read_whole(DOCS, &text);
	for (line = text.at; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (line[0] == '#') {
			map = PLAN_MAP_NONE;
			for (k = 0; k < RV_ARRAY_LEN(sections); k++) {
				if (strcmp(line, sections[k].heading) == 0)
					map = sections[k].map;
			}
		}
		if (map == PLAN_MAP_NONE || strncmp(line, "| `", 3) != 0)
			continue;
		plan_map_index(map, &index);
		wrong += mark_keys(&index, map, line, seen[map]);
	}
	for (k = 0; k < RV_ARRAY_LEN(sections); k++) {
		plan_map_index(sections[k].map, &index);
		for (i = 0; i < index.count; i++) {
			if (index.key[i]->map != sections[k].map || seen[sections[k].map][index.key[i]->id])
				continue;
			print_error(DOCS ": \"%s\" does not describe %s\n", sections[k].heading, index.key[i]->name);
			wrong++;
		}
	}
	rv_buf_release(&text);
	assert_int_equal(wrong, 0);
}

static void the_docs_name_every_code(void **state)
{
	struct rv_buf text;
	int code, missing = 0;

	(void)state;
	read_whole(DOCS, &text);
	for (code = 0; code < PLAN_CODES; code++) {
		if (strstr(text.at, plan_code_name((enum plan_code)code)))
			continue;
		print_error(DOCS " does not name %s\n", plan_code_name((enum plan_code)code));
		missing++;
	}
	rv_buf_release(&text);
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_is_what_the_table_says),
		cmocka_unit_test(they_agree_on_mutated_plans),
		cmocka_unit_test(the_docs_name_exactly_the_keys),
		cmocka_unit_test(the_docs_name_every_code),
	};
	struct rv_buf schema;
	int rc;

	rv_buf_init(&schema, 0);
	(void)plan_schema_json(&schema);
	root = json_loads(schema.at, 0, NULL);
	rv_buf_release(&schema);
	if (!root)
		return 1;
	rc = RUN(tests);
	forget_patterns();
	json_decref(root);
	return rc;
}
