/* host.h - what this machine is and how much of it is ours
 *
 * CPUs and memory are those that the process may use: affinity, and the quotas of the cgroups it is in (v2 or v1).
 */
#ifndef RV_OS_HOST_H
#define RV_OS_HOST_H

#include "common/base.h"
#include "common/err.h"

#include <sys/types.h>

#define RV_BOOT_ID_BYTES 16
#define RV_HOST_NAME_MAX 64

/* Fresh at each boot; all zeros where the kernel does not tell (then nothing may be concluded from equality). */
void rv_host_boot_id(uint8_t out[RV_BOOT_ID_BYTES]);
/* Never empty: "localhost" where there is none. */
void rv_host_name(char out[RV_HOST_NAME_MAX + 1]);

/* How ps shows this process: `name` (at most 15 characters) as its command, and over the first two words of its command line where the second is
 * `verb` and the name fits. */
void rv_process_title(const char *name, const char *verb);

struct rv_host_share {
	uint32_t cpus;         /* by affinity and quota, a part of one counting whole; >= 1 */
	uint64_t memory_bytes; /* of the machine or of our cgroups, whichever is less; 0: unknown */
};

/* Reads a dozen files below /proc and /sys: ask once. */
void rv_host_share(struct rv_host_share *out);

/* When the process started, in clock ticks since boot: with its pid and the boot id it names a process for good.
 * 1: found; 0: there is no such process; -1: there is one and we may not look. */
int rv_host_process_start(pid_t pid, uint64_t *ticks);

/* --- parts, for tests: what they read, given as text ----------------------------------------------------------- */

/* "max 100000" or "50000 100000" of cpu.max: CPUs, rounded up; 0: no limit (or no sense). */
uint32_t rv_host_parse_cpu_max(struct rv_str text);
/* A number of bytes, "max" or nonsense: UINT64_MAX. */
uint64_t rv_host_parse_bytes(struct rv_str text);
/* Field 22 of /proc/PID/stat, whose name field may hold spaces and parentheses; 0: not found. */
uint64_t rv_host_parse_start(struct rv_str stat);

#endif
