/* clock.h - the three clocks, in microseconds; only shells read them, cores get the time with the event */
#ifndef RV_OS_CLOCK_H
#define RV_OS_CLOCK_H

#include "common/base.h"

/* For unit timeouts: stands still while the machine sleeps. */
uint64_t rv_clock_monotonic_us(void);
/* For leases: goes on while the machine sleeps. */
uint64_t rv_clock_boottime_us(void);
/* Since 1970, for display only: it jumps. */
uint64_t rv_clock_realtime_us(void);

#endif
