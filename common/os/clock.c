#include "common/os/clock.h"

#include "common/check.h"

#include <time.h>

static uint64_t clock_us(clockid_t id)
{
	struct timespec ts;

	rv_check(clock_gettime(id, &ts) == 0); /* fails only for a clock that does not exist */
	if (ts.tv_sec < 0)
		return 0; /* a wall clock before 1970 */
	return (uint64_t)ts.tv_sec * RV_US_PER_S + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t rv_clock_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

uint64_t rv_clock_boottime_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

uint64_t rv_clock_realtime_us(void)
{
	return clock_us(CLOCK_REALTIME);
}
