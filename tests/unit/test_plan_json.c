/* test_plan_json.c - our JSON reader says what jansson says, over thousands of mutated documents; YAML reads JSON alike */
#include "tests/lib/test.h"

#include "common/plan/tree.h"
#include "common/prng.h"

#include <jansson.h>

static const char *const seeds[] = {
	"{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\",\"y z\"],\"retry\":{\"max\":3,\"jitter\":0.25}},{\"id\":\"b\"}]}",
	"[1,-2,3.5,1e3,-0,0.0,1E-2,123456789012345678,true,false,null,\"\"]",
	"{\"esc\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\ud83d\\ude00\",\"utf\":\"\xc3\xa9\xf0\x9f\x98\x80\"}",
	" { \"a\" : [ [ ] , { } , [ { \"b\" : { } } ] ] } ",
	"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
};

/* The same value in both? */
static bool same(const struct plan_tree *t, uint32_t n, const json_t *j)
{
	const struct plan_node *v = plan_node(t, n);
	uint32_t c;
	size_t i = 0;

	switch (json_typeof(j)) {
	case JSON_NULL:
		return v->kind == PLAN_NULL;
	case JSON_TRUE:
	case JSON_FALSE:
		return v->kind == PLAN_BOOL && v->integer == json_is_true(j);
	case JSON_INTEGER:
		return (v->kind == PLAN_INT && v->integer == json_integer_value(j)) ||
		       (v->kind == PLAN_REAL && v->real == (double)json_integer_value(j));
	case JSON_REAL:
		return v->kind == PLAN_REAL && v->real == json_real_value(j);
	case JSON_STRING:
		return v->kind == PLAN_STRING &&
		       rv_str_equal(plan_node_text(t, n), rv_str(json_string_value(j), json_string_length(j)));
	case JSON_ARRAY:
		if (v->kind != PLAN_ARRAY || v->count != json_array_size(j))
			return false;
		for (c = plan_first(n); c < plan_end(t, n); c = plan_next(t, c)) {
			if (!same(t, c, json_array_get(j, i++)))
				return false;
		}
		return true;
	case JSON_OBJECT:
		if (v->kind != PLAN_MAP || v->count != json_object_size(j))
			return false;
		for (c = plan_first(n); c < plan_end(t, n); c = plan_next(t, c + 1)) {
			struct rv_str key = plan_node_text(t, c);
			const json_t *value = json_object_getn(j, key.at, key.bytes);

			if (!value || !same(t, c + 1, value))
				return false;
		}
		return true;
	}
	return false;
}

static uint32_t depth_of(struct rv_str s)
{
	uint32_t depth = 0, most = 0;
	bool in = false;
	size_t i;

	for (i = 0; i < s.bytes; i++) {
		if (in && s.at[i] == '\\')
			i++;
		else if (s.at[i] == '"')
			in = !in;
		else if (!in && (s.at[i] == '[' || s.at[i] == '{'))
			most = ++depth > most ? depth : most;
		else if (!in && (s.at[i] == ']' || s.at[i] == '}'))
			depth--;
	}
	return most;
}

/* Where we are stricter or more lenient on purpose. */
static bool differs_on_purpose(const struct plan_fault *f, const json_error_t *e, struct rv_str s)
{
	if (f->code == PLAN_E_LIMIT)
		return depth_of(s) > RV_PLAN_DEPTH_MAX;
	/* jansson refuses integers and reals out of range; here they become doubles. */
	return e && (json_error_code(e) == json_error_numeric_overflow);
}

static int compare(struct rv_str s)
{
	struct plan_fault f = { 0 };
	struct plan_tree t;
	json_error_t e;
	json_t *j;
	int ours, ok = 1;

	plan_tree_init(&t, 7);
	ours = plan_utf8_check(s, &f) || plan_json_read(&t, s, &f) ? -1 : 0;
	j = json_loadb(s.at, s.bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (ours == 0 && j)
		ok = same(&t, 0, j);
	else if (ours == 0 || j)
		ok = differs_on_purpose(&f, j ? NULL : &e, s);
	if (ours < 0 && (f.at > s.bytes || !f.message[0]))
		ok = 0;
	if (!ok)
		print_error("%.*s\nours %d (%s at %u), jansson %s\n", RV_STR_ARGS(s), ours, f.message, f.at, j ? "reads it" : e.text);
	json_decref(j);
	plan_tree_release(&t);
	return ok;
}

static size_t mutate(struct rv_prng *p, char *text, size_t bytes)
{
	static const char pieces[] = "{}[]\",:0123456789-+.eEtfn \\u\n\x01\xff\xc3\xa9";
	uint64_t edits = 1 + rv_prng_below(p, 3);

	while (edits-- && bytes > 1) {
		size_t at = rv_prng_below(p, bytes);

		switch (rv_prng_below(p, 4)) {
		case 0:
			text[at] = pieces[rv_prng_below(p, sizeof(pieces) - 1)];
			break;
		case 1:
			memmove(text + at, text + at + 1, --bytes - at);
			break;
		case 2:
			memmove(text + at + 1, text + at, bytes++ - at);
			text[at] = pieces[rv_prng_below(p, sizeof(pieces) - 1)];
			break;
		default:
			bytes = rv_prng_below(p, 8) ? bytes : at + 1;
		}
	}
	text[bytes] = '\0';
	return bytes;
}

static void it_agrees_with_jansson(void **state)
{
	struct rv_prng p;
	int i, agreed = 0, read = 0;

	(void)state;
	rv_prng_seed(&p, 20261125);
	for (i = 0; i < 40000; i++) {
		const char *seed = seeds[i % RV_ARRAY_LEN(seeds)];
		/* On the heap and exactly as large as it may become, for the sanitizer. */
		size_t bytes = strlen(seed);
		char *text = malloc(bytes + 8), *exact;

		memcpy(text, seed, bytes + 1);
		if (i >= (int)RV_ARRAY_LEN(seeds))
			bytes = mutate(&p, text, bytes);
		exact = malloc(bytes + 1);
		memcpy(exact, text, bytes + 1);
		agreed += compare(rv_str(exact, bytes));
		free(text);
		free(exact);
		read++;
	}
	assert_int_equal(agreed, read);
}

/* What both formats can say must come out the same. */
static void yaml_reads_json_alike(void **state)
{
	struct plan_fault f;
	struct plan_tree json, yaml;
	struct rv_buf a, b;
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(seeds); i++) {
		plan_tree_init(&json, 1);
		plan_tree_init(&yaml, 1);
		rv_buf_init(&a, 0);
		rv_buf_init(&b, 0);
		assert_int_equal(plan_json_read(&json, rv_str_of(seeds[i]), &f), 0);
		if (plan_yaml_read(&yaml, rv_str_of(seeds[i]), &f) != 0)
			fail_msg("%s: %s", seeds[i], f.message);
		assert_int_equal(plan_node_json(&json, 0, &a), 0);
		assert_int_equal(plan_node_json(&yaml, 0, &b), 0);
		assert_string_equal(a.at, b.at);
		rv_buf_release(&a);
		rv_buf_release(&b);
		plan_tree_release(&json);
		plan_tree_release(&yaml);
	}
}

static void yaml_scalars_are_what_they_look_like(void **state)
{
	static const char text[] =
		"[yes, no, on, off, true, False, null, ~, '', 1, +1, -1, 007, 0x1f, 0o17, 1.50, .5, 1., 1e3, .inf, .nan, 1_000, 12:30, \"1\", x: y, - ]";
	static const char block[] = "a: |\n  one\n  two\nb: >-\n  three\n  four\nc: 'it''s'\nd: \"\\x41\\n\"\ne:\n";
	struct plan_fault f;
	struct plan_tree t;
	struct rv_buf b;

	(void)state;
	plan_tree_init(&t, 1);
	rv_buf_init(&b, 0);
	assert_int_equal(plan_yaml_read(&t, rv_str(text, sizeof(text) - 6), &f), -1);
	plan_tree_reset(&t);
	assert_int_equal(plan_yaml_read(&t, RV_STR("[yes, no, on, off, true, False, null, ~, '', 1, +1, -1, 007, 0x1f, 0o17, 1.50, .5, 1., "
						   "1e3, .inf, .nan, 1_000, 12:30, \"1\"]"), &f), 0);
	assert_int_equal(plan_node_json(&t, 0, &b), 0);
	assert_string_equal(b.at, "[\"yes\",\"no\",\"on\",\"off\",true,false,null,null,\"\",1,1,-1,\"007\",31,15,1.50,\".5\",\"1.\",1e3,"
				  "\".inf\",\".nan\",\"1_000\",\"12:30\",\"1\"]");
	plan_tree_reset(&t);
	rv_buf_reset(&b);
	assert_int_equal(plan_yaml_read(&t, rv_str_of(block), &f), 0);
	assert_int_equal(plan_node_json(&t, 0, &b), 0);
	assert_string_equal(b.at, "{\"a\":\"one\\ntwo\\n\",\"b\":\"three four\",\"c\":\"it's\",\"d\":\"A\\n\",\"e\":null}");
	plan_tree_release(&t);
	rv_buf_release(&b);
}

static void paths_lead_to_nodes(void **state)
{
	struct plan_fault f;
	struct plan_tree t;
	struct rv_buf b;
	uint32_t n;

	(void)state;
	plan_tree_init(&t, 1);
	rv_buf_init(&b, 0);
	assert_int_equal(plan_json_read(&t, RV_STR("{\"a\":[1,{\"b\":[[],[2]]}],\"c\":3}"), &f), 0);
	for (n = 0; n < t.count; n++) {
		assert_int_equal(plan_node_path(&t, n, &b), 0);
		(void)rv_buf_putc(&b, ' ');
	}
	assert_string_equal(b.at, " a a a[0] a[1] a[1].b a[1].b a[1].b[0] a[1].b[1] a[1].b[1][0] c c ");
	plan_tree_release(&t);
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_jansson),
		cmocka_unit_test(yaml_reads_json_alike),
		cmocka_unit_test(yaml_scalars_are_what_they_look_like),
		cmocka_unit_test(paths_lead_to_nodes),
	};

	return RUN(tests);
}
