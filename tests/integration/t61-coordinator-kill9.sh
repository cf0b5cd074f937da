#!/bin/bash
# t61-coordinator-kill9: kill -9 of the coordinator amid 5,000 units on two nodes, again and again: none is lost, none runs twice, none is
# accepted twice, and of those that may begin once none is given up; a submission that was cut off by it is the same run when it is handed over again
. "$(dirname "$0")/lib.sh"

units=5000
serve() { start "$1" "$REEVE" coordinator --state "$T/c"; wait_until 30 grep -q coordinator_serving "$T/$1.err"; }
at() { "$REEVE" "$1" --coordinator "$T/c" "${@:2}"; }

serve c0
for n in n1 n2; do
	start $n "$REEVE" node --coordinator "$T/c" --state "$T/$n" --name $n --slots 4
	wait_until 30 grep -q "event=joined" "$T/$n.err"
done

mkdir "$T/ran"
python3 - "$T" $units <<'P' >plan.json
import json, sys
half = int(sys.argv[2]) // 2
print(json.dumps({"version": 1, "name": "kill", "units": [
  {"id": "u", "for_each": {"count": half}, "command": ["sh", "-c", "echo x >>" + sys.argv[1] + "/ran/u{item}"]},
  {"id": "once", "at_most_once": True, "for_each": {"count": half}, "command": ["sh", "-c", "echo x >>" + sys.argv[1] + "/ran/o{item}"]}]}))
P
expect 0 at submit plan.json
run=$(cat "$T/out")
start wait "$REEVE" wait --coordinator "$T/c" "$run" -o json

say "killed six times while it runs"
done_units() { ls "$T/ran" | wc -l; }
more_than() { [ "$(done_units)" -gt "$1" ]; }
for i in 1 2 3 4 5 6; do
	wait_until 120 more_than $((i * 600))
	kill -KILL "$(pid_of c$((i - 1)))"
	wait "$(pid_of c$((i - 1)))" 2>/dev/null
	serve c$i
done
finish wait 0
expect 0 at status "$run" -o json
want_json "d['state'] == 'succeeded' and d['succeeded'] == $units and d['retries'] == 0 and d['node_lost'] == 0"
want_eq "$(done_units)" $units
cat "$T"/ran/* | wc -l >"$T/lines"
want_eq "$(cat "$T/lines")" $units

say "each was accepted once"
expect 0 at export events "$run"
python3 - "$T/out" $units <<'P' || fail "accepted twice, or not at all"
import collections, json, sys
seen = collections.Counter()
for line in open(sys.argv[1]):
    e = json.loads(line)
    if e.get("type", e.get("event")) == "unit_finished":
        seen[e["unit"]] += 1
assert len(seen) == int(sys.argv[2]), len(seen)
assert set(seen.values()) == {1}
P
