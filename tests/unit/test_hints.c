/* What people send along with their acts is kept from the facts, by unit. */
#include "coordinator/hints.h"

#include "common/map.h"
#include "tests/lib/test.h"

static struct proto_fact act(enum proto_mutation what, uint64_t run, uint32_t unit, const char *note, const char *prompt)
{
	struct proto_fact f = { .kind = PROTO_FACT_MUTATION };

	f.mutation.what = what;
	f.mutation.run = run;
	f.mutation.unit = unit;
	f.mutation.note = rv_str_of(note);
	f.mutation.prompt = rv_str_of(prompt);
	return f;
}

static void note(struct coord_hints *h, struct proto_fact f)
{
	assert_int_equal(coord_hints_note(h, &f, NULL), 0);
}

static void a_note_is_of_the_newest_retry_and_a_prompt_stays(void **state)
{
	struct coord_hints *h = coord_hints_create();
	const struct coord_hint *hint;

	(void)state;
	note(h, act(PROTO_MUT_RETRY, 1, 5, "", ""));
	assert_null(coord_hints_get(h, 1, 5));
	note(h, act(PROTO_MUT_RETRY, 1, 5, "be brief", "do it"));
	hint = coord_hints_get(h, 1, 5);
	assert_str(hint->note, "be brief");
	assert_str(hint->prompt, "do it");
	note(h, act(PROTO_MUT_RETRY, 1, 5, "", ""));
	hint = coord_hints_get(h, 1, 5);
	assert_int_equal(hint->note.bytes, 0);
	assert_str(hint->prompt, "do it");
	assert_null(coord_hints_get(h, 1, 6));
	assert_null(coord_hints_get(h, 2, 5));
	coord_hints_destroy(&h);
}

static void a_release_s_note_is_another_thing(void **state)
{
	struct coord_hints *h = coord_hints_create();

	(void)state;
	note(h, act(PROTO_MUT_RELEASE, 1, 5, "yes", ""));
	assert_str(coord_hints_get(h, 1, 5)->release, "yes");
	assert_int_equal(coord_hints_get(h, 1, 5)->note.bytes, 0);
	note(h, act(PROTO_MUT_CANCEL, 1, 7, "no", ""));
	assert_null(coord_hints_get(h, 1, 7));
	note(h, act(PROTO_MUT_RETRY, 1, RV_MAP_NONE, "all", ""));
	assert_null(coord_hints_get(h, 1, RV_MAP_NONE));
	coord_hints_destroy(&h);
}

static void a_run_that_is_forgotten_takes_its_hints_along(void **state)
{
	struct coord_hints *h = coord_hints_create();

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		note(h, act(PROTO_MUT_RETRY, 1 + i % 2, i, "x", ""));
	coord_hints_drop_run(h, 1);
	assert_null(coord_hints_get(h, 1, 38));
	assert_str(coord_hints_get(h, 2, 39)->note, "x");
	coord_hints_destroy(&h);
	coord_hints_destroy(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_note_is_of_the_newest_retry_and_a_prompt_stays),
		cmocka_unit_test(a_release_s_note_is_another_thing),
		cmocka_unit_test(a_run_that_is_forgotten_takes_its_hints_along),
	};

	return RUN(tests);
}
