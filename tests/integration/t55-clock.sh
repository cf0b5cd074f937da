# A wall clock that jumps by days many times a second changes what is shown and nothing that is decided: each timeout, backoff and lease
# counts clocks that only go on.
. "$(dirname "$0")/lib.sh"

cat >jumps.c <<'C'
/* CLOCK_REALTIME of whoever loads this: days off, another number of them each tenth of a second. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t)
{
	struct timespec mono;
	long rc = syscall(SYS_clock_gettime, clock, t);

	if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
		return (int)rc;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &mono);
	t->tv_sec += ((mono.tv_sec * 10 + mono.tv_nsec / 100000000) % 7 - 3) * 86400;
	return (int)rc;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
C
"${CC:-cc}" -shared -fPIC -o jumps.so jumps.c || fail "cannot build what makes the clock jump"

cat >plan.yaml <<'Y'
version: 1
timeout_s: 60
units:
  - {id: sleepy, command: [sleep, "1.5"], timeout_s: 30, queue_timeout_s: 30}
  - {id: slow, command: [sleep, "600"], timeout_s: 0.5}
  - {id: idle, command: [sleep, "600"], idle_timeout_s: 0.5}
  - {id: silent, command: [sleep, "600"], start_timeout_s: 0.5}
  - {id: again, command: [sh, -c, '[ -e again ] || { touch again; exit 1; }'], retry: {max: 1, base_s: 0.5, jitter: 0, on: [agent]}}
  - {id: after, depends_on: [sleepy], command: ["true"]}
Y
from=$SECONDS
# (a sanitizer's library wants to be the first that is loaded; here it need not)
LD_PRELOAD=$PWD/jumps.so ASAN_OPTIONS=verify_asan_link_order=0 expect 1 reeve run -j 8 --events events -o json plan.yaml
[ $((SECONDS - from)) -lt 40 ] || fail "took $((SECONDS - from)) s"
want_json 'd["state"] == "failed" and d["reason"] is None and d["succeeded"] == 3 and d["failed"] == 3'
want_json '[units[u]["reason"] for u in ("slow", "idle", "silent")] == ["timeout", "idle_timeout", "start_timeout"]'
want_json 'units["again"]["attempts"] == 2 and d["node_lost"] == 0'
want_json 'all(400 < units[u]["duration_ms"] < 20000 for u in ("sleepy", "slow", "idle", "silent"))'
want_json '1500 <= d["duration_ms"] < 40000'
# it did jump
python3 - <<'PY' || fail "the clock did not jump"
import json
times = [json.loads(line)["time"] for line in open("events")]
assert len({t[:10] for t in times}) > 1, times
assert times != sorted(times) or times[-1][:10] != times[0][:10]
PY
