# Retries and their classes, backoff, each timeout, at_most_once, rate limits, evidence.
. "$(dirname "$0")/lib.sh"

# Fails twice, then succeeds: three tries, and what each saw.
cat >retry.yaml <<'Y'
version: 1
units:
  - id: flaky
    retry: {max: 3, base_s: 0.1, backoff: none, jitter: 0}
    command: [sh, -c, 'echo "$REEVE_ATTEMPT $REEVE_TRY" >>tries; [ $(wc -l <tries) -ge 3 ]']
  - {id: never, command: [sh, -c, 'echo x >>never; exit 1']}
Y
expect 1 reeve run -j 2 -o json --events ev.jsonl retry.yaml
want_json 'units["flaky"]["ok"] and units["flaky"]["attempts"] == 3 and d["retries"] == 2'
want_eq "$(cat tries | tr '\n' ,)" "1 1,2 2,3 3,"
want_eq "$(wc -l <never)" 1
want_json 'sum(e["type"] == "unit_retry_wait" for e in d) == 2' ev.jsonl
valid event ev.jsonl

# Backoff is real time: linear 0.2, 0.4.
rm -f tries
cat >linear.yaml <<'Y'
version: 1
units:
  - id: f
    retry: {max: 2, base_s: 0.2, backoff: linear, jitter: 0}
    command: [sh, -c, 'date +%s.%N >>tries; exit 1']
Y
expect 1 reeve run -o json linear.yaml
python3 - <<'PY' || fail "backoff"
t = [float(x) for x in open("tries")]
assert len(t) == 3, t
assert t[1] - t[0] >= 0.2 and t[2] - t[1] >= 0.4, t
assert t[2] - t[0] < 10, t
PY

# A class that is not in retry.on earns no retry.
cat >on.yaml <<'Y'
version: 1
units:
  - {id: t, timeout_s: 0.3, retry: {max: 2, on: [agent], base_s: 0.05}, command: [sleep, '60']}
  - {id: a, retry: {max: 1, on: [timeout], base_s: 0.05}, command: [sh, -c, 'echo x >>a; exit 1']}
Y
expect 1 reeve run -j 2 -o json on.yaml
want_json 'units["t"]["attempts"] == 1 and units["t"]["class"] == "timeout" and units["t"]["reason"] == "timeout"'
want_json 'units["a"]["attempts"] == 1'

# Timeouts: wall, idle, start; a timed-out attempt is dead before its retry starts.
cat >time.yaml <<'Y'
version: 1
units:
  - id: wall
    timeout_s: 0.4
    grace_s: 0.2
    retry: {max: 1, base_s: 0.05, jitter: 0}
    command: [sh, -c, 'echo "start $$" >>wall; trap "" TERM; sleep 30 & wait; sleep 30']
  - {id: idle, idle_timeout_s: 0.5, command: [sh, -c, 'echo said something; sleep 60']}
  - {id: start, start_timeout_s: 0.5, command: [sleep, '60']}
  - {id: busy, idle_timeout_s: 0.5, command: [sh, -c, 'i=0; while [ $i -lt 6 ]; do echo alive; sleep 0.2; i=$((i+1)); done']}
Y
expect 1 reeve run -j 4 -o json time.yaml
want_json 'units["wall"]["reason"] == "timeout" and units["wall"]["attempts"] == 2'
want_json 'units["idle"]["reason"] == "idle_timeout" and units["idle"]["class"] == "timeout"'
want_json 'units["start"]["reason"] == "start_timeout"'
want_json 'units["busy"]["ok"]'
for pid in $(awk '{print $2}' wall); do gone "$pid" || fail "pid $pid of a timed-out attempt lives"; done

# The whole run's time limit: exit 124.
cat >run.yaml <<'Y'
version: 1
timeout_s: 0.5
units:
  - {id: long, command: [sleep, '60']}
  - {id: later, depends_on: [long], command: [echo, never]}
Y
expect 124 reeve run -o json run.yaml
want_json 'units["long"]["state"] == "cancelled" and units["later"]["state"] in ("cancelled", "skipped")'

# queue_timeout: failed, never retried.
cat >queue.yaml <<'Y'
version: 1
max_workers: 1
units:
  - {id: first, priority: 10, command: [sleep, '1.5']}
  - {id: waits, queue_timeout_s: 0.3, retry: {max: 5}, command: [echo, never]}
Y
expect 1 reeve run -o json queue.yaml
want_json 'units["waits"]["state"] == "failed" and units["waits"]["reason"] == "queue_timeout" and units["waits"]["attempts"] == 0'

# A program that is not there is the unit's mistake, said so, not tried again and again.
cat >missing.yaml <<'Y'
version: 1
units:
  - {id: m, retry: {max: 3}, command: [no-such-program-here, x]}
  - {id: d, retry: {max: 3}, command: [/etc/passwd]}
Y
expect 1 reeve run -o json missing.yaml
want_json 'units["m"]["class"] == "config" and "no-such-program-here" in units["m"]["error"] and units["m"]["attempts"] == 1'
want_json 'units["d"]["class"] == "config"'

# Who is turned away says so, and when it asks again.
cat >limited.yaml <<'Y'
version: 1
agents: {busy: {command: [sh, -c, 'exit 75'], rate_limit_exit_codes: [75]}}
units:
  - {id: parser, agent: busy}
  - {id: flaky, command: ["false"], retry: {max: 1, base_s: 300, jitter: 0}}
Y
start limited "$REEVE" run limited.yaml
waits() { "$REEVE" status "$(run_id)" >"$T/out" 2>"$T/err" && [ "$(grep -c retry_wait "$T/out")" = 2 ]; }
wait_until 5 waits
grep -qE '^parser .* rate limited, asks again in [0-9.ms]+: exit status 75' "$T/out" || fail "parser"
grep -qE '^flaky .* next try in [0-9.ms]+ after: exit status 1' "$T/out" || fail "flaky"
expect 0 reeve cancel "$(run_id)"
finish limited
