/* coord_fixture.h - a serving core with plans to build, for each test anew; at its end what was written is replayed and has to come to the same */
#ifndef TESTS_CORE_COORD_FIXTURE_H
#define TESTS_CORE_COORD_FIXTURE_H

#include "tests/lib/coord_driver.h"
#include "tests/lib/test.h"

struct fixture {
	struct driver d;
	struct plan_build b, b2, b3;
};

/* `cfg`: NULL, as the driver has it: nothing is sent ahead. */
static inline int fixture_setup(void **state, const struct coord_config *cfg)
{
	struct fixture *f = calloc(1, sizeof(*f));

	driver_init(&f->d, cfg);
	plan_build_init(&f->b);
	plan_build_init(&f->b2);
	plan_build_init(&f->b3);
	driver_serve(&f->d);
	*state = f;
	return 0;
}

static inline int setup(void **state)
{
	return fixture_setup(state, NULL);
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	driver_check_replay(&f->d);
	driver_release(&f->d);
	plan_build_release(&f->b);
	plan_build_release(&f->b2);
	plan_build_release(&f->b3);
	free(f);
	return 0;
}

#endif
