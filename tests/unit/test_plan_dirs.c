/* test_plan_dirs.c - overlapping directories: against a slow and simple check over random plans, and at size */
#include "tests/lib/plan_case.h"

#include "common/buf.h"
#include "common/prng.h"

#define UNITS_MAX 24

struct world {
	int units, instances[UNITS_MAX];       /* 0: no template */
	int same_as[UNITS_MAX];                /* -1: none */
	bool dep[UNITS_MAX][UNITS_MAX];        /* [a][b]: a depends on b, as a join */
	const char *dir[UNITS_MAX];            /* NULL: none */
	bool own[UNITS_MAX];                   /* a template's directory has the item behind it */
};

static const char *const dirs[] = { "a", "a/b", "a/b/c", "ab", "b", ".", "b/c", "c", "d", "e", "f/g", "h" };

/* Does every instance of a come before... reach[a][b]: some way from a to b with a join; pair[a][b]: counterparts only. */
static bool reach[UNITS_MAX][UNITS_MAX], pair[UNITS_MAX][UNITS_MAX];

static void close_over(const struct world *w)
{
	int a, b, k;

	memset(reach, 0, sizeof(reach));
	memset(pair, 0, sizeof(pair));
	for (a = 0; a < w->units; a++) {
		for (b = 0; b < w->units; b++) {
			reach[b][a] |= w->dep[a][b];
			pair[b][a] |= w->same_as[a] == b;
		}
	}
	for (k = 0; k < w->units; k++) {
		for (a = 0; a < w->units; a++) {
			for (b = 0; b < w->units; b++) {
				reach[a][b] |= (reach[a][k] && (reach[k][b] || pair[k][b])) || (pair[a][k] && reach[k][b]);
				pair[a][b] |= pair[a][k] && pair[k][b];
			}
		}
	}
}

static bool before(int a, int ka, int b, int kb)
{
	return reach[a][b] || (pair[a][b] && ka == kb);
}

static void path_of(const struct world *w, int u, int k, char out[64])
{
	if (w->own[u])
		snprintf(out, 64, "%s/%d", w->dir[u], k + 1);
	else
		snprintf(out, 64, "%s", w->dir[u]);
}

static bool overlap(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	if (strcmp(a, ".") == 0 || strcmp(b, ".") == 0)
		return true;
	if (n > m)
		return overlap(b, a);
	return strncmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == '/');
}

/* The rule as the text has it: two units that could run together. */
static bool expected(const struct world *w, bool strict)
{
	int a, b, ka, kb;

	for (a = 0; a < w->units; a++) {
		for (b = a; b < w->units; b++) {
			for (ka = 0; w->dir[a] && w->dir[b] && ka < (w->instances[a] ? w->instances[a] : 1); ka++) {
				for (kb = 0; kb < (w->instances[b] ? w->instances[b] : 1); kb++) {
					char pa[64], pb[64];

					if (a == b && ka == kb)
						continue;
					path_of(w, a, ka, pa);
					path_of(w, b, kb, pb);
					if (overlap(pa, pb) && (strict || (!before(a, ka, b, kb) && !before(b, kb, a, ka))))
						return true;
				}
			}
		}
	}
	return false;
}

static void make(struct rv_prng *p, struct world *w)
{
	int a, b, density = 1 + (int)rv_prng_below(p, 5), spread = 2 + (int)rv_prng_below(p, 10);

	*w = (struct world){ .units = 2 + (int)rv_prng_below(p, UNITS_MAX - 2) };
	for (a = 0; a < w->units; a++) {
		w->same_as[a] = -1;
		w->instances[a] = rv_prng_below(p, 4) ? 0 : 1 + (int)rv_prng_below(p, 3);
		if (w->instances[a] && a && rv_prng_below(p, 2)) {
			b = (int)rv_prng_below(p, (uint64_t)a);
			if (w->instances[b]) {
				w->same_as[a] = b;
				w->instances[a] = w->instances[b];
			}
		}
		for (b = 0; b < a; b++)
			w->dep[a][b] = b != w->same_as[a] && rv_prng_below(p, (uint64_t)a + 4) < (uint64_t)density;
		if (rv_prng_below(p, 3)) {
			w->dir[a] = dirs[rv_prng_below(p, (uint64_t)spread)];
			w->own[a] = w->instances[a] && strcmp(w->dir[a], ".") != 0 && rv_prng_below(p, 2);
		}
	}
}

static void write_plan(struct rv_prng *p, const struct world *w, bool strict, struct rv_buf *out)
{
	int i, a, b, order[UNITS_MAX];

	for (i = 0; i < w->units; i++)
		order[i] = i;
	for (i = w->units - 1; i > 0; i--) {
		int k = (int)rv_prng_below(p, (uint64_t)i + 1), swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	(void)rv_buf_printf(out, "{\"version\":1,\"workspace\":{\"overlap\":\"%s\"},\"units\":[", strict ? "strict" : "ordered");
	for (i = 0; i < w->units; i++) {
		a = order[i];
		(void)rv_buf_printf(out, "%s{\"id\":\"u%d\",\"command\":[\"x\",\"{item}\"],\"depends_on\":[", i ? "," : "", a);
		for (b = 0; b < w->units; b++) {
			if (w->dep[a][b])
				(void)rv_buf_printf(out, "%s\"u%d\"", out->at[out->bytes - 1] == '[' ? "" : ",", b);
		}
		(void)rv_buf_puts(out, "]");
		if (w->same_as[a] >= 0)
			(void)rv_buf_printf(out, ",\"for_each\":{\"same_as\":\"u%d\"}", w->same_as[a]);
		else if (w->instances[a])
			(void)rv_buf_printf(out, ",\"for_each\":{\"count\":%d}", w->instances[a]);
		if (w->dir[a])
			(void)rv_buf_printf(out, ",\"allowed_directories\":[\"%s%s\"]", w->dir[a], w->own[a] ? "/{{item}}" : "");
		(void)rv_buf_puts(out, "}");
	}
	(void)rv_buf_puts(out, "]}");
}

static void it_agrees_with_the_plain_rule(void **state)
{
	struct rv_prng p;
	int i, refused = 0, rounds = 6000;

	(void)state;
	rv_prng_seed(&p, 9);
	for (i = 0; i < rounds; i++) {
		struct plan_case c = { 0 };
		bool strict = rv_prng_below(&p, 8) == 0;
		struct world w;
		struct rv_buf b;
		int rc;

		make(&p, &w);
		close_over(&w);
		rv_buf_init(&b, 0);
		write_plan(&p, &w, strict, &b);
		rc = plan_case_load(&c, b.at, PLAN_FORMAT_JSON);
		if ((rc != 0) != expected(&w, strict) || (rc && c.diags.error[0].code != PLAN_E_DIR_OVERLAP)) {
			print_error("round %d: %s\n", i, b.at);
			plan_case_show(&c);
			fail();
		}
		refused += rc != 0;
		plan_case_release(&c);
		rv_buf_release(&b);
	}
	/* Both answers have to occur often for this to mean anything. */
	assert_in_range(refused, rounds / 10, rounds * 95 / 100);
}

static void serialize_and_allow_ask_nothing(void **state)
{
	static const char *const words[] = { "serialize", "allow" };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct plan_case c = { 0 };
		char text[256];

		snprintf(text, sizeof(text), "version: 1\nworkspace: {overlap: %s}\nunits: [{id: a, command: [x], allowed_directories: [s]}, "
			 "{id: b, command: [x], allowed_directories: [s]}]\n", words[i]);
		plan_case_fine(&c, text);
		plan_case_release(&c);
	}
}

static void reading_only_and_unconfined_units_exclude_nobody(void **state)
{
	struct plan_case c = { 0 };

	(void)state;
	plan_case_fine(&c, "version: 1\nunits: [{id: a, command: [x], allowed_directories: [.]}, {id: b, command: [x]}, "
			   "{id: c, command: [x], allowed_directories: []}]\n");
	plan_case_release(&c);
}

/* Counterparts are ordered one by one: the second of one template and the first of the other are not. */
static void counterparts_are_ordered_only_with_each_other(void **state)
{
	static const struct {
		const char *items, *between;
		bool fine;
	} cases[] = {
		{ "[{p: 1, q: 1}, {p: 2, q: 2}]", "", true },
		{ "[{p: 1, q: 2}, {p: 2, q: 1}]", "", false },
		{ "[{p: 1, q: 1}, {p: 2, q: 2}]", "b", true },
		{ "[{p: 1, q: 2}, {p: 2, q: 1}]", "b", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct plan_case c = { 0 };
		char text[600];
		int rc;

		snprintf(text, sizeof(text),
			 "version: 1\nunits:\n  - {id: a, command: [x], allowed_directories: ['s/{{item.p}}'], for_each: %s}\n"
			 "  - {id: b, command: [x, '{item}'], for_each: {same_as: a}}\n"
			 "  - {id: c, command: [x], allowed_directories: ['s/{{item.q}}'], for_each: {same_as: %s}}\n",
			 cases[i].items, *cases[i].between ? cases[i].between : "a");
		rc = plan_case_load(&c, text, PLAN_FORMAT_YAML);
		if ((rc == 0) != cases[i].fine) {
			plan_case_show(&c);
			fail_msg("%s", text);
		}
		plan_case_release(&c);
	}
}

/* 100,000 units of one directory, in a ladder whose order no single dependency shows: quadratic would take hours. */
static void a_hundred_thousand_units_of_one_directory(void **state)
{
	struct plan_case c = { 0 };
	struct rv_buf b;
	int i;

	(void)state;
	rv_buf_init(&b, 0);
	(void)rv_buf_puts(&b, "{\"version\":1,\"units\":[");
	for (i = 0; i < 100000; i++) {
		(void)rv_buf_printf(&b, "%s{\"id\":\"u%d\",\"command\":[\"x\"],\"allowed_directories\":[\"src\"]", i ? "," : "", i);
		if (i)
			(void)rv_buf_printf(&b, ",\"depends_on\":[\"h%d\"]", i - 1);
		(void)rv_buf_printf(&b, "},{\"id\":\"h%d\",\"command\":[\"x\"],\"depends_on\":[\"u%d\"]}", i, i);
	}
	(void)rv_buf_puts(&b, "]}");
	assert_int_equal(plan_case_load(&c, b.at, PLAN_FORMAT_JSON), 0);
	assert_int_equal(c.plan->unit_count, 200000);
	plan_case_release(&c);
	rv_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_the_plain_rule),
		cmocka_unit_test(serialize_and_allow_ask_nothing),
		cmocka_unit_test(reading_only_and_unconfined_units_exclude_nobody),
		cmocka_unit_test(counterparts_are_ordered_only_with_each_other),
		cmocka_unit_test(a_hundred_thousand_units_of_one_directory),
	};

	return RUN(tests);
}
