# What a run says of itself when it ends is what its journal says of it later.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "same", "on_failure": "isolate", "agents": {"m": {"profile": "mock", "mock": {"delay_s": 0.05, "fail": 1}}}, "units": [
 {"id": "ok", "command": ["echo", "out"]},
 {"id": "json", "output": "json", "command": ["echo", "[1, {\"a\": \"\\u00e9\"}]"]},
 {"id": "bad", "command": ["sh", "-c", "echo why; exit 4"]},
 {"id": "killed", "command": ["sh", "-c", "kill -KILL $$"]},
 {"id": "slow", "command": ["sleep", "30"], "timeout_s": 0.3, "grace_s": 0.1},
 {"id": "gone", "command": ["/no/such/program"]},
 {"id": "mocked", "agent": "m", "description": "say it", "retry": {"max": 2, "base_s": 0.01}, "allowed_directories": []},
 {"id": "skipped", "command": ["true"], "depends_on": ["bad", "ok", "killed"]},
 {"id": "deeper", "command": ["true"], "depends_on": ["skipped"]},
 {"id": "always", "command": ["sh", "-c", "echo report"], "depends_on": ["bad", "ok"], "trigger_rule": "all_done"},
 {"id": "each", "command": ["echo", "{item}"], "for_each": ["x", "y"]},
 {"id": "big", "command": ["sh", "-c", "head -c 20000 /dev/zero | tr '\\0' B >$REEVE_OUTPUT_FILE"], "namespace": "always"}
], "verify": {"command": ["true"]}}
PLAN

same() { # ended, as json in $T/live
	expect 0 reeve status "$(run_id)" -o json
	valid result
	python3 - "$T/live" "$T/out" <<-'PY' || fail "the live result and the replayed one differ"
	import json, sys
	live, told = (json.load(open(p)) for p in sys.argv[1:])
	# How long a live run took is of the monotonic clock, what its journal says of two times of day: microseconds apart.
	if abs(live["duration_ms"] - told["duration_ms"]) < 50:
	    told["duration_ms"] = live["duration_ms"]
	bad = [k for k in sorted(live.keys() | told.keys()) if k != "units" and live.get(k) != told.get(k)]
	for k in bad:
	    print(k, live.get(k), told.get(k))
	for a, b in zip(live["units"], told["units"]):
	    for k in sorted(a.keys() | b.keys()):
	        if a.get(k) != b.get(k):
	            bad.append(k); print(a["id"], k, a.get(k), b.get(k))
	sys.exit(bool(bad) or len(live["units"]) != len(told["units"]))
	PY
}

expect 1 reeve run plan.json -o json
valid result
cp "$T/out" "$T/live"
want_json 'units["killed"]["signal"] == 9 and units["killed"]["exit"] is None and units["killed"]["reason"] == "signal"'
want_json 'units["slow"]["class"] == "timeout" and units["slow"]["reason"] == "timeout" and units["slow"]["duration_ms"] < 2000'
want_json 'units["gone"]["class"] == "config" and units["gone"]["reason"] == "not_found" and "/no/such/program" in units["gone"]["error"]'
want_json 'units["skipped"]["blocked_by"] == ["bad", "killed"] and units["deeper"]["root_cause"] in ("bad", "killed")'
want_json 'units["skipped"]["error"] == "blocked by failed dependencies: bad, killed"'
want_json 'units["mocked"]["tries"] == 2 and units["mocked"]["agent"] == "m" and d["by_agent"]["m"]["succeeded"] == 1'
want_json 'units["json"]["output"] == [1, {"a": "é"}] and units["big"]["output"]["bytes"] == 20000'
want_json 'd["verify"]["state"] == "pending" and d["success_rate"] < 1 and len(d["errors"]) == 4'
same

say "-o jsonl: units as they end, the run last"
expect 1 reeve run plan.json -o jsonl
valid result-line
want_json '"schema" in d[-1] and all("id" in u for u in d[:-1]) and len(d) == 14 and d[-1]["total"] == 13'
want_json 'd[-2]["id"] == "slow"'
expect 1 reeve run plan.json -o name
want_eq "$(cat "$T/out")" "$(run_id)"

say "verified"
echo '{"version": 1, "units": [{"id": "a", "command": ["true"]}], "verify": {"command": ["sh", "-c", "echo not good; exit 1"]}}' >verify.json
expect 1 reeve run verify.json
want_err "verify failed"
want_err "__verify__: exit status 1"
expect 1 reeve run verify.json -o json
cp "$T/out" "$T/live"
want_json 'd["state"] == "failed" and d["reason"] == "verify" and d["succeeded"] == 1 and d["verify"]["state"] == "failed" and d["verify"]["exit"] == 1'
same
expect 0 reeve logs __verify__
want_out "not good"
expect 0 reeve status "$(run_id)/__verify__"

say "interrupted, timed out"
echo '{"version": 1, "units": [{"id": "a", "grace_s": 0.2, "command": ["sleep", "30"]}, {"id": "b", "command": ["true"], "depends_on": ["a"]}]}' >long.json
start int "$REEVE" run long.json -o json
wait_until 10 sh -c '"$REEVE" status -o json | grep -q "\"owned\":true"'
wait_until 10 sh -c '"$REEVE" events -o jsonl | grep -q unit_assigned'
kill -INT $(pid_of int)
finish int 130
cp "$T/int.out" "$T/live"
want_json 'd["state"] == "cancelled" and d["reason"] == "interrupted" and units["a"]["state"] == "cancelled" and units["b"]["state"] == "skipped"' "$T/live"
same
sed 's/"version": 1,/"version": 1, "timeout_s": 0.4,/' long.json >timed.json
expect 124 reeve run timed.json -o json
cp "$T/out" "$T/live"
want_json 'd["reason"] == "run_timeout" and d["succeeded"] + d["failed"] + d["skipped"] + d["cancelled"] == 2'
same
