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
