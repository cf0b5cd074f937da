/* clock.h - the warden's two clocks, in microseconds */
#ifndef WARDEN_CLOCK_H
#define WARDEN_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static inline uint64_t clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static inline uint64_t clock_real_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

#endif
