# kill -9 of run in the middle of 2,000 units, then run --resume: each accepted once, none whose exit was recorded runs again.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
name: resume
units:
  - id: u
    for_each: {count: 2000}
    command: [sh, -c, 'echo "$REEVE_UNIT_ID $REEVE_ATTEMPT" >>witness']
  - id: last
    depends_on: [u]
    command: [sh, -c, 'echo last >>done']
Y
some() { [ "$(wc -l <witness 2>/dev/null || echo 0)" -ge "$1" ]; }
start run "$REEVE" run -j 4 plan.yaml
wait_until 60 some 400
kill -KILL "$(pid_of run)"
finish run 137
run=$(run_id)
before=$(wc -l <witness)
[ "$before" -lt 2000 ] || fail "it was over before it could be killed"

expect 0 reeve run -j 4 --resume -o json plan.yaml
want_eq "$(run_id)" "$run"
want_json 'd["state"] == "succeeded" and d["succeeded"] == 2001 and d["total"] == 2001'
# when it was dead is no running time of it
valid result
cp "$T/out" resumed.json
between='(lambda t: (t(d["finished_at"]) - t(d["started_at"])).total_seconds() * 1000)(__import__("datetime").datetime.fromisoformat)'
want_json "0 < d['stopped_ms'] and abs(d['duration_ms'] + d['stopped_ms'] - $between) < 2"
expect 0 reeve status "$run" -o json
want_eq "$(json 'd["stopped_ms"]')" "$(json 'd["stopped_ms"]' resumed.json)"
want_eq "$(cat done)" last
python3 - <<'PY' || fail "see above"
from collections import Counter
ran = Counter(line.split()[0] for line in open("witness"))
assert len(ran) == 2000, len(ran)
again = {u: n for u, n in ran.items() if n > 1}
# what was running at the kill may have written its line and not ended: at most the slots
assert len(again) <= 4 and all(n == 2 for n in again.values()), again
PY
# accepted exactly once
expect 0 reeve events "$run" -o jsonl
python3 - "$T/out" <<'PY' || fail "see above"
import json, sys
from collections import Counter
ok = Counter(e["unit"] for e in map(json.loads, open(sys.argv[1])) if e["type"] == "unit_finished" and e["state"] == "succeeded")
assert len(ok) == 2001 and set(ok.values()) == {1}, ok.most_common(3)
PY

# Nothing is left to resume; a changed plan is refused by name.
expect 0 reeve run -j 4 --resume plan.yaml
want_err "nothing to resume"
sed 's/echo last/echo changed/' plan.yaml >changed.yaml
expect 2 reeve run --resume="$run" changed.yaml
want_err "another plan"

# A failed run goes on where it failed: what succeeded is not run again.
rm -rf .reeve witness done
cat >fail.yaml <<'Y'
version: 1
units:
  - {id: a, command: [sh, -c, 'echo a >>ran; echo value']}
  - {id: b, depends_on: [a], env: {A: "{{_dep_a}}"}, command: [sh, -c, 'echo "b $A" >>ran; [ -f fixed ]']}
  - {id: c, depends_on: [b], command: [sh, -c, 'echo c >>ran']}
Y
expect 1 reeve run fail.yaml
touch fixed
expect 0 reeve run --resume fail.yaml
want_eq "$(tr '\n' , <ran)" "a,b value,b value,c,"

# Its process died after the last fact and before a word of it: the result is told, and nothing runs again, the verify step neither. (No
# instant between two system calls can be aimed at, so the summary, which comes before the answer, is taken away.)
rm -rf .reeve ran
cat >told.yaml <<'Y'
version: 1
name: told
units: [{id: a, command: [sh, -c, 'echo a >>ran']}]
verify: {command: [sh, -c, 'echo verify >>ran']}
Y
expect 0 reeve run told.yaml
run=$(run_id)
rm ".reeve/runs/$run/summary.json"
expect 0 reeve run --resume -o json told.yaml
want_json 'd["state"] == "succeeded" and d["succeeded"] == 1'
want_eq "$(json 'd["run"]')" "$run"
want_eq "$(tr '\n' , <ran)" "a,verify,"
[ -e ".reeve/runs/$run/summary.json" ] || fail "still no summary"
expect 0 reeve run --resume told.yaml
want_err "nothing to resume"
want_eq "$(tr '\n' , <ran)" "a,verify,a,verify,"

# A plan that changed since a run of it failed is refused, with that run and what to do; not where there is nothing to go on with.
rm -rf .reeve fixed ran
expect 1 reeve run fail.yaml
run=$(run_id)
sed 's/echo value/echo other/' fail.yaml >new.yaml
sed -i '1a name: fail.yaml' new.yaml
name=$("$REEVE" status -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["runs"][0]["name"])')
sed -i "s/^name: .*/name: $name/" new.yaml
expect 2 reeve run --resume new.yaml
want_err "run $run was of another plan: what its units run has changed since (digest "
want_err "without --resume the plan starts anew"
want_eq "$(wc -l <ran)" 2
want_eq "$("$REEVE" status -o name | wc -l)" 1
expect 0 reeve run --only a new.yaml # a run of one unit is no run of the plan
expect 2 reeve run --resume new.yaml
touch fixed
expect 0 reeve run new.yaml
want_eq "$("$REEVE" status -o name | wc -l)" 3
expect 0 reeve run --resume new.yaml
want_err "nothing to resume"
expect 0 reeve run --resume fail.yaml # the change undone: the run that failed goes on
want_eq "$("$REEVE" status -o name | wc -l)" 4

# Runs of the same second: the later one is the newest.
rm -rf .reeve fixed ran
for i in 1 2 3 4; do
	expect 1 reeve run fail.yaml
	runs="${runs:-} $("$REEVE" status -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["runs"][-1]["run"])')"
done
touch fixed
expect 0 reeve run --resume -o json fail.yaml
want_eq "$(json 'd["run"]')" "${runs##* }"
