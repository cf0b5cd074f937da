# The three failure policies, what is skipped and why, trigger rules, limits.failed, and the exit status of each.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
name: failures
units:
  - {id: ok, command: [sh, -c, 'sleep 0.2; echo fine']}
  - {id: bad, command: [sh, -c, 'echo about to fail; exit 3']}
  - {id: worse, command: [sh, -c, 'exit 4']}
  - {id: after, depends_on: [ok], command: [echo, after]}
  - {id: blocked, depends_on: [ok, worse, bad], command: [echo, never]}
  - {id: deeper, depends_on: [blocked], command: [echo, never]}
  - {id: cleanup, depends_on: [deeper, bad], trigger_rule: all_done, command: [sh, -c, 'echo cleaned >cleaned']}
  - {id: one, depends_on: [ok, bad], trigger_rule: all_done_min_one_success, command: [sh, -c, 'echo one >one']}
  - {id: none, depends_on: [bad, worse], trigger_rule: all_done_min_one_success, command: [echo, never]}
Y

# isolate: everything that can run does
expect 1 reeve run -j 4 -o json plan.yaml
valid result
want_json 'd["state"] == "failed"'
want_json '(d["succeeded"], d["failed"], d["skipped"], d["cancelled"]) == (4, 2, 3, 0)'
want_json 'd["succeeded"] + d["failed"] + d["skipped"] + d["cancelled"] == d["total"] == 9'
want_json 'units["bad"]["state"] == "failed" and units["bad"]["exit"] == 3 and units["bad"]["class"] == "agent"'
want_json 'units["blocked"]["state"] == "skipped"'
want_json 'units["blocked"]["error"] == "blocked by failed dependencies: bad, worse"'
want_json 'units["blocked"]["blocked_by"] == ["bad", "worse"]'
want_json 'units["deeper"]["blocked_by"] == ["blocked"] and units["deeper"]["root_cause"] in ("bad", "worse")'
want_json 'units["none"]["state"] == "skipped" and units["cleanup"]["ok"] and units["one"]["ok"]'
[ -f cleaned ] && [ -f one ] || fail "trigger rules"

# The summary for people names the failed ones, their reason, last line and what shows more.
expect 1 reeve run -j 4 plan.yaml
want_err "bad"
want_err "about to fail"
want_err "reeve logs"
want_err "blocked by failed dependencies: bad, worse"

# fail_fast: what runs is cancelled, nothing new starts
cat >fast.yaml <<'Y'
version: 1
on_failure: fail_fast
units:
  - {id: long, command: [sleep, '60']}
  - {id: bad, command: [sh, -c, 'sleep 0.3; exit 7']}
  - {id: later, depends_on: [long], command: [echo, never]}
  - {id: dep, depends_on: [bad], command: [echo, never]}
Y
begin=$SECONDS
expect 1 reeve run -j 4 -o json fast.yaml
[ $((SECONDS - begin)) -lt 20 ] || fail "fail_fast waited for the long one"
want_json 'units["long"]["state"] == "cancelled" and "because another unit failed" in units["long"]["error"]'
want_json '"bad" in units["long"]["error"] or units["long"]["root_cause"] == "bad"'
want_json 'units["dep"]["state"] == "skipped" and units["later"]["state"] in ("cancelled", "skipped")'
want_json 'd["state"] == "failed" and d["failed"] == 1'

# finish: what runs ends, nothing new starts
cat >finish.yaml <<'Y'
version: 1
on_failure: finish
max_workers: 2
units:
  - {id: long, priority: high, command: [sh, -c, 'sleep 0.8; echo done >long']}
  - {id: bad, priority: high, command: [sh, -c, 'exit 7']}
  - {id: idle, command: [sh, -c, 'echo never >idle']}
  - {id: dep, depends_on: [bad], command: [echo, never]}
  - {id: after, depends_on: [long], command: [echo, never]}
Y
expect 1 reeve run -j 4 -o json finish.yaml
[ -f long ] || fail "the running unit did not end by itself"
[ ! -f idle ] || fail "a new unit was started"
want_json 'units["long"]["ok"] and units["idle"]["state"] == "cancelled" and units["idle"]["reason"] == "not_started"'
want_json 'units["after"]["state"] == "cancelled" and units["dep"]["state"] == "skipped"'

# limits.failed: after N failures as finish
cat >limit.yaml <<'Y'
version: 1
max_workers: 1
limits: {failed: 3}
units:
  - {id: u, for_each: {count: 20}, command: [sh, -c, 'exit 1']}
Y
expect 1 reeve run -j 1 -o json limit.yaml
want_json 'd["failed"] == 3 and d["cancelled"] == 17'
expect 1 reeve run -j 1 --set limits.failed=5 -o json limit.yaml
want_json 'd["failed"] == 5 and d["cancelled"] == 15'

# A run of nothing succeeds, with a warning.
echo '{"version":1,"units":[]}' >empty.json
expect 0 reeve run empty.json
want_err W_EMPTY_PLAN
