#!/bin/bash
# t66-open-runs: units are added to an open run while kill -9 strikes its coordinator again and again: none is lost, none runs twice, numbers go on;
# what is there already is harmless, another unit of the same id is refused by its name; the run ends once it is closed
#
# ADDS and UNITS (of each) say how many: 40 of 20 here; 1,000 of 100 is what docs/testing.md reports.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

adds=${ADDS:-40} units=${UNITS:-20}
export REEVE_COORDINATOR=$CO
co() { # the coordinator, as cn
	: >"$T/$1.err"
	start "$1" "$REEVE" coordinator --state "$CO"
	wait_until 60 grep -q event=coordinator_serving "$T/$1.err"
}
lines() { printf "%s\n" "$@" >"$T/lines.jsonl" && echo "$T/lines.jsonl"; }
state() { "$REEVE" status "$run" -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["state"])'; }
succeeded() { [ "$("$REEVE" status "$run" -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["succeeded"])')" -ge "$1" ]; }

co c0
node n1 --slots 4
wait_until 20 joined n1

say "an open run without units waits; one that is not open takes none"
cat >base.yaml <<P
version: 1
name: opened
workspace: {mode: none}
context: {greeting: hello}
units:
  - {id: first, command: [echo, one]}
  - {id: many, for_each: {count: 3}, command: [echo, "{item}"]}
verify: {command: ["sh", "-c", "echo verified >>$T/verified"]}
P
expect 0 "$REEVE" submit --open base.yaml
run=$(cat "$T/out")
wait_until 30 succeeded 4
want_eq "$(state)" running
expect 0 "$REEVE" status "$run" -o json
valid result
want_json "d['open'] is True"
expect 0 "$REEVE" status "$run"
want_out "running, open"
expect 0 "$REEVE" submit base.yaml --wait
shut=$(head -1 "$T/out")
expect 2 "$REEVE" add "$shut" base.yaml
want_err "takes no more units"
rm -f "$T/verified"

say "what is added may depend on what is there, ended or not, one or many, and on each other"
cat >more.yaml <<P
defaults: {timeout_s: 60}
units:
  - {id: joined, depends_on: [first, many], command: [echo, "{{greeting}} {{_dep_first}} {{_dep_many}}"]}
  - {id: held, hold: true, command: [echo, held]}
  - {id: after, depends_on: [held], command: [echo, after]}
  - {id: each, for_each: {count: 3}, depends_on: [joined], command: [echo, "{item}"]}
  - {id: pair, for_each: {same_as: each}, command: [echo, "{item}"]}
P
expect 0 "$REEVE" add "$run" more.yaml -o json
want_json "d['schema'] == 'reeve.add/1' and d['added'] == 9 and d['there_already'] == 0"
valid add
wait_until 30 succeeded 11
expect 0 "$REEVE" output "$run/joined"
want_out 'hello one ["1","2","3"]'
expect 0 "$REEVE" add "$run" "$(lines '{"id":"later","depends_on":["after","pair"],"command":["echo","later"]}')"
want_out "1 unit added"
expect 0 "$REEVE" release "$run/held"
wait_until 30 succeeded 14

say "there already, another one, unknown"
expect 0 "$REEVE" add "$run" more.yaml
want_out "0 units added, 9 were there already"
for wrong in '{"id":"joined","command":["echo","else"]}' '{"id":"each-0002","command":["true"]}' '{"id":"first","for_each":{"count":2},"command":["true"]}'; do
	expect 2 "$REEVE" add "$run" "$(lines "$wrong")"
	want_err "E_ID_DUPLICATE"
done
expect 2 "$REEVE" add "$run" "$(lines '{"id":"x","depends_on":["frist"],"command":["true"]}')"
want_err '"frist", which no unit of the run is called'
expect 2 "$REEVE" add "$run" "$(lines '{"id":"x","depends_on":["y"],"command":["true"]}' '{"id":"y","depends_on":["x"],"command":["true"]}')"
want_err "E_CYCLE"
expect 2 "$REEVE" add "$run" "$(lines '{"id":"x","comand":["true"]}')"
want_err "E_UNKNOWN_KEY"
expect 2 sh -c 'echo "units: []" | "$REEVE" add "$0" -' "$run"
want_err '`-` reads JSON, a line each; '
printf 'max_workers: 3\nunits: [{id: x, command: ["true"]}]\n' >wrong.yaml
expect 2 "$REEVE" add "$run" wrong.yaml
want_err "belongs to the run's own plan"
expect 4 "$REEVE" add 0000000000 more.yaml
expect 2 "$REEVE" run --open base.yaml
want_err "reeve submit --open"

say "the run's defaults are for what is added, too, under those of the addition"
cat >given.yaml <<'P'
version: 1
workspace: {mode: none}
defaults: {env: {WHO: run, ONLY: run}, timeout_s: 50}
units:
  - {id: own, command: [sh, -c, 'echo "$WHO $ONLY ${REEVE_DEADLINE:+soon}"']}
P
expect 0 "$REEVE" submit --open given.yaml --set defaults.env.SET=set
given=$(cat "$T/out")
unit='"command":["sh","-c","echo \"$WHO $ONLY $SET ${REEVE_DEADLINE:+soon}\""]'
expect 0 "$REEVE" add "$given" "$(lines "{\"id\":\"plain\",$unit}" "{\"id\":\"unhurried\",\"timeout_s\":0,$unit}")"
printf 'defaults: {env: {WHO: addition}}\nunits: [{id: over, %s}]\n' "$unit" >over.yaml
expect 0 "$REEVE" add "$given" over.yaml
expect 0 "$REEVE" add "$given" over.yaml
want_out "0 units added, 1 was there already"
printf 'units:\n%s\n' "$(grep 'id: own' given.yaml)" >own.yaml
expect 0 "$REEVE" add "$given" own.yaml
want_out "0 units added, 1 was there already"
expect 0 "$REEVE" close "$given"
expect 0 "$REEVE" wait "$given" -o json
want_json '{i: u["output"].strip() for i, u in units.items()} == {"own": "run run soon", "plain": "run run set soon", "unhurried": "run run set", "over": "addition run set soon"}'

say "$adds times $units units, the coordinator killed in between"
mkdir "$T/ran"
one_add() { # a JSON line a unit; every tenth depends on the first of the addition before
	python3 - "$T" "$1" "$units" <<'P'
import json, sys
root, n, units = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for i in range(units):
    u = {"id": f"u{n}-{i}", "command": ["sh", "-c", f"echo {n}-{i} >>{root}/ran/{n}"]}
    if n and i % 10 == 0:
        u["depends_on"] = [f"u{n - 1}-0"]
    print(json.dumps(u))
P
}
began=$(date +%s.%N) kills=0
for ((n = 0; n < adds; n++)); do
	one_add $n >add.jsonl
	if ((n % (adds / 4) == adds / 8)); then # in the middle of it, so that nobody knows whether it was taken
		"$REEVE" add "$run" add.jsonl >"$T/add.out" 2>&1 &
		adding=$!
		kill -KILL "$(pid_of c$kills)"
		wait "$(pid_of c$kills)" 2>/dev/null
		kills=$((kills + 1))
		co c$kills
		wait $adding
	fi
	until "$REEVE" add "$run" - <add.jsonl >"$T/add.out" 2>"$T/add.err"; do
		grep -q "unreachable\|no coordinator\|does not answer\|busy" "$T/add.err" || fail "add $n: $(cat "$T/add.err")"
	done
done
say "added in $(python3 -c "import sys, time; print(round(time.time() - float(sys.argv[1]), 1))" "$began") s over $kills kills"
[ "$kills" = 4 ] || fail "killed $kills times"

say "closed, it ends, and its verify step has seen all"
expect 0 "$REEVE" close "$run"
want_out "1 changed"
expect 0 "$REEVE" close "$run"
want_out "nothing changed"
expect 2 "$REEVE" add "$run" "$(lines '{"id":"late","command":["true"]}')"
want_err "takes no more units"
expect 0 "$REEVE" wait "$run" -o json
all=$((14 + adds * units))
want_json "d['state'] == 'succeeded' and d['total'] == $all and d['succeeded'] == $all and d['retries'] == 0 and d['node_lost'] == 0"
want_eq "$(cat "$T/verified")" verified
want_eq "$(cat "$T"/ran/* | wc -l)" $((adds * units))
want_eq "$(cat "$T"/ran/* | sort -u | wc -l)" $((adds * units))

say "each was added once and accepted once; the journal, folded anew, says the same"
expect 0 "$REEVE" export events "$run"
python3 - "$T/out" $all $((adds + 2)) <<'P' || fail "the events do not add up"
import collections, json, sys
seen, units, additions, total = collections.Counter(), 0, 0, 0
for line in open(sys.argv[1]):
    e = json.loads(line)
    if e["type"] == "unit_finished" and e["unit"] != "__verify__":
        seen[e["unit"]] += 1
    elif e["type"] == "units_added":
        additions, units, total = additions + 1, units + e["units"], e["total"]
assert len(seen) == int(sys.argv[2]) and set(seen.values()) == {1}, (len(seen), seen.most_common(3))
assert additions == int(sys.argv[3]) and units + 4 == total == int(sys.argv[2]), (additions, units, total)
P
kill -KILL "$(pid_of c$kills)"
co c9
expect 0 "$REEVE" wait "$run" -o json
want_json "d['state'] == 'succeeded' and d['total'] == $all and d['succeeded'] == $all"
