/* test_plan_memory.c - each allocation of a load refused once: an error, no crash, nothing kept
 *
 * The program's own malloc() stands in front of libc's. Sanitizers bring theirs, so there the test only loads the plans.
 */
#include "tests/lib/plan_case.h"

#include "common/plan/levels.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

static bool armed;
static uint64_t asked, refuse_at;
static int64_t live;

#if OWN_MALLOC
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t each);
extern void *__libc_realloc(void *at, size_t n);
extern void __libc_free(void *at);

static bool refused(void)
{
	return armed && ++asked == refuse_at;
}

void *malloc(size_t n)
{
	void *at = refused() ? NULL : __libc_malloc(n);

	live += armed && at;
	return at;
}

void *calloc(size_t n, size_t each)
{
	void *at = refused() ? NULL : __libc_calloc(n, each);

	live += armed && at;
	return at;
}

void *realloc(void *old, size_t n)
{
	void *at = refused() ? NULL : __libc_realloc(old, n);

	live += armed && at && !old;
	return at;
}

void free(void *at)
{
	live -= armed && at;
	__libc_free(at);
}
#endif

static const char json[] =
	"{\"version\":1,\"context\":{\"k\":[1,2]},\"agents\":{\"m\":{\"profile\":\"mock\",\"mock\":{\"output\":{\"a\":1}},\"rate_limit_exit_codes\":[3],"
	"\"rate_limit_patterns\":[\"p\"]},\"c\":{\"command\":[\"x\",\"{prompt}\"],\"env\":{\"A\":\"b\"},\"context\":{\"z\":1}}},\"locks\":{\"db\":1},"
	"\"defaults\":{\"env\":{\"P\":\"q\"},\"labels\":{\"a\":\"b\"},\"resources\":{\"gpus\":1},\"locks\":[\"db\"],\"agent\":\"c\",\"x-a\":1},"
	"\"verify\":{\"command\":[\"v\",\"{{k.0}}\"]},\"units\":["
	"{\"id\":\"a\",\"description\":\"d\",\"allowed_directories\":[\"s\",\"t\"],\"depends_on\":[\"b\",\"n\"],\"x-u\":[1],\"evidence\":{\"required\":[\"*\"]}},"
	"{\"id\":\"b\",\"command\":[\"x\",\"\\u0041{{k.0}}\"],\"env\":{\"E\":\"f\"},\"context\":{\"y\":2},\"retry\":{\"max\":2},\"allowed_directories\":[\"S\"]},"
	"{\"id\":\"n\",\"command\":[\"x\",\"{item}\"],\"for_each\":[1,\"two\",{\"c\":3}],\"depends_on\":[\"b\"],\"allowed_directories\":[\"o/{{item}}\"]},"
	"{\"id\":\"i-{{item}}\",\"command\":[\"x\"],\"for_each\":{\"count\":3}},"
	"{\"id\":\"w\",\"agent\":\"m\",\"for_each\":{\"same_as\":\"n\"},\"prompt\":\"{{item}}\",\"allowed_directories\":[]},"
	"{\"id\":\"y\",\"command\":[\"x\"],\"allowed_directories\":[\"s\"],\"depends_on\":[\"z\"]},{\"id\":\"z\",\"command\":[\"x\"],\"depends_on\":[\"a\"]}]}";

static const char lines[] = "{\"version\":1,\"defaults\":{\"timeout_s\":3}}\n{\"id\":\"b\",\"command\":[\"x\"],\"depends_on\":[\"a\"]}\n"
			    "{\"id\":\"a\",\"command\":[\"x\"],\"depends_on\":[]}\n";

static const char wrong[] = "{\"version\":1,\"units\":[{\"id\":\"a\",\"command\":[\"x\"],\"depends_on\":[\"b\",\"c\",\"c\"],\"bad\":1},"
			    "{\"id\":\"b\",\"command\":[\"x\"],\"depends_on\":[\"a\"],\"allowed_directories\":[\"..\"]}]}";

static int load_json(struct plan_case *c)
{
	c->sets[0] = "defaults.retry.max=3";
	c->opt.set_count = 1;
	return plan_case_load(c, json, PLAN_FORMAT_JSON);
}

static int load_lines(struct plan_case *c)
{
	return plan_case_lines(c, lines);
}

static int load_wrong(struct plan_case *c)
{
	return plan_case_load(c, wrong, PLAN_FORMAT_JSON);
}

static void refuse_each(int (*load)(struct plan_case *), bool right)
{
	struct plan_case c = { 0 };
	uint64_t count, n;
	int rc;

	asked = refuse_at = 0;
	live = 0;
	armed = true;
	rc = load(&c);
	armed = false;
	count = asked;
	armed = true;
	plan_case_release(&c);
	armed = false;
	assert_int_equal(rc, right ? 0 : -1);
	assert_int_equal(live, 0);
	for (n = 1; n <= count; n++) {
		struct plan_levels v = { 0 };
		struct rv_buf b;

		asked = 0;
		refuse_at = n;
		armed = true;
		rc = load(&c);
		rv_buf_init(&b, 0);
		(void)plan_diags_text(&c.diags, &b);
		rv_buf_release(&b);
		if (rc == 0 && plan_levels_init(&v, c.plan, NULL) == 0)
			plan_levels_release(&v);
		plan_case_release(&c);
		armed = false;
		/* A right plan is refused for memory only; a text of a diagnostic may be missing. */
		if (right && rc && c.err.code != RV_E_NO_MEMORY)
			fail_msg("allocation %llu of %llu: %s", (unsigned long long)n, (unsigned long long)count, c.err.msg);
		if (live != 0)
			fail_msg("allocation %llu of %llu: %lld kept", (unsigned long long)n, (unsigned long long)count, (long long)live);
	}
	assert_true(count > 10 || !OWN_MALLOC);
}

static void of_a_whole_plan(void **state)
{
	(void)state;
	refuse_each(load_json, true);
}

static void of_json_lines(void **state)
{
	(void)state;
	refuse_each(load_lines, true);
}

static void of_a_plan_full_of_mistakes(void **state)
{
	(void)state;
	refuse_each(load_wrong, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_whole_plan),
		cmocka_unit_test(of_json_lines),
		cmocka_unit_test(of_a_plan_full_of_mistakes),
	};

	return RUN(tests);
}
