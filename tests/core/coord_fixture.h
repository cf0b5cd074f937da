/* coord_fixture.h - a serving core with a plan to build, for each test anew; at its end what was written is replayed and has to come to the same */
#ifndef TESTS_CORE_COORD_FIXTURE_H
#define TESTS_CORE_COORD_FIXTURE_H

#include "tests/lib/coord_driver.h"
#include "tests/lib/test.h"

struct fixture {
	struct driver d;
	struct plan_build b;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	driver_init(&f->d, NULL);
	plan_build_init(&f->b);
	driver_serve(&f->d);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_check_replay(&f->d);
	driver_release(&f->d);
	plan_build_release(&f->b);
	free(f);
	return 0;
}

#endif
