# `retry` of an ended run: one unit, or all that did not succeed; from elsewhere; with the capacity it had.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "again", "context": {"who": "me"}, "units": [
 {"id": "good", "command": ["sh", "-c", "echo good >>good.log; echo out-of-good"]},
 {"id": "bad", "command": ["sh", "-c", "echo bad >>bad.log; test -e fixed"], "depends_on": ["good"]},
 {"id": "after", "command": ["sh", "-c", "echo $WHO {prompt} >after.log"], "env": {"WHO": "{{who}}-{{_dep_good}}"}, "description": "text", "depends_on": ["bad", "good"]},
 {"id": "other", "command": ["sh", "-c", "echo other >>other.log; test -e fixed2"]},
 {"id": "wants", "command": ["true"], "labels": {"zone": "x"}, "resources": {"chips": 2}}
]}
PLAN
expect 1 reeve run plan.json -j 3 --label zone=x --resource chips=2.5 --durability power
run=$(run_id)
expect 0 reeve status $run -o json
want_json 'd["settings"]["slots"] == 3 and d["settings"]["labels"] == {"zone": "x"} and d["settings"]["durability"] == "power"'
want_json 'd["settings"]["kill_level"] in ("cgroup", "pidns", "subreaper")'

expect 2 reeve retry
expect 2 reeve retry $run/good
want_err "--force"
expect 4 reeve retry $run/none
expect 2 reeve retry $run/bad --failed
expect 2 reeve retry $run
want_err "a unit is missing"
expect 2 reeve logs $run
expect 2 reeve output $run
expect 2 reeve retry $run/bad --note x --note-file y
want_err "one of them"
expect 2 reeve retry $run/bad --agent mock
want_err "no agent runs it"

say "in vain"
expect 1 reeve retry $run/bad
want_eq "$(cat bad.log | tr '\n' ' ')" "bad bad "
want_err "2 of 5 succeeded"

say "with the cause gone: it and what was skipped because of it, nothing else"
touch fixed
mkdir elsewhere && cd elsewhere || exit 1
expect 1 reeve retry $run/bad -o json
cd .. || exit 1
valid result
want_json 'd["run"] == "'$run'" and d["succeeded"] == 4 and d["failed"] == 1'
want_json 'units["bad"]["attempts"] == 3 and units["other"]["attempts"] == 1 and units["good"]["attempts"] == 1'
want_eq "$(wc -l <bad.log)" 3
want_eq "$(wc -l <good.log)" 1
want_eq "$(wc -l <other.log)" 1
want_eq "$(cat after.log)" "me-out-of-good text"

say "all that did not succeed"
touch fixed2
expect 0 reeve retry $run --failed
want_err "5 of 5 succeeded"
want_eq "$(wc -l <other.log)" 2
expect 2 reeve retry $run --failed
want_err "every unit of run $run succeeded"
expect 0 reeve status $run/bad -o json
want_json '[a["outcome"] for a in d["attempts"]] == ["failed", "failed", "succeeded"]'

say "a unit that succeeded, by force"
expect 0 reeve retry $run/good --force
want_eq "$(wc -l <good.log)" 2
expect 0 reeve events $run -o jsonl
want_json 'sum(e["type"] == "run_finished" for e in d) == 5 and sum(e["type"] == "run_resumed" for e in d) == 4'
want_eq "$(ls .reeve/runs)" "$run"
