# A run looked at while it goes on, and after its process was killed.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "live", "units": [
 {"id": "first", "command": ["echo", "first"]},
 {"id": "gate", "command": ["sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.05; done; echo over"], "depends_on": ["first"]},
 {"id": "end", "command": ["echo", "end"], "depends_on": ["gate"]}
]}
PLAN

state_is() { [ "$("$REEVE" status -o json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["runs"][-1]["state"])')" = "$1" ]; }
unit_is() { [ "$("$REEVE" status "$run" -o json 2>/dev/null | python3 -c 'import json, sys; print({u["id"]: u["state"] for u in json.load(sys.stdin)["units"]}["'"$1"'"])')" = "$2" ]; }

start run "$REEVE" run plan.json
wait_until 10 state_is running
run=$(run_id)
wait_until 10 unit_is gate active
expect 0 reeve status $run
want_out "run $run live: running"
want_out "waits for gate"
expect 0 reeve status $run -o json
valid result
want_json 'd["state"] == "running" and d["finished_at"] is None and d["active"] == 1 and d["succeeded"] == 1 and units["end"]["state"] == "pending"'
expect 0 reeve status -o json
want_json 'd["runs"][0]["owned"] is True'
expect 0 reeve status $run/gate -o json
valid unit
want_json 'd["attempts"][0]["outcome"] == "active"'

start logs "$REEVE" logs -f gate
start events "$REEVE" events -f -o jsonl
start later "$REEVE" logs -f end
start watch "$REEVE" status -w $run
start unit "$REEVE" events -f $run/end
wait_until 10 grep -q begun "$T/logs.out"
wait_until 10 grep -q unit_assigned "$T/events.out"
gone $(pid_of logs) && fail "logs -f ended while the unit runs"

expect 2 reeve rm $run
want_err "run $run is still running: reeve (pid $(pid_of run) on "
[ -d .reeve/runs/$run ] || fail "a live run was removed"
expect 2 reeve status -w
expect 2 reeve status -w $run/gate
expect 2 reeve retry $run/first
want_err "--force runs it once more"

touch go
finish run 0
finish logs 0
finish events 0
finish later 0
want_eq "$(cat "$T/later.out")" end
finish watch 0
want_in "$T/watch.out" "run $run live: running"
want_in "$T/watch.out" "run $run live: succeeded"
finish unit 0
want_in "$T/unit.out" "unit_finished   end attempt 1 succeeded"
[ "$(grep -cv ' end ' "$T/unit.out")" = 0 ] || fail "events of other units"
want_in "$T/logs.out" over
want_eq "$(tail -1 "$T/events.out" | python3 -c 'import json, sys; print(json.loads(sys.stdin.read())["type"])')" run_finished
valid event "$T/events.out"

say "killed"
rm go
start killed "$REEVE" run plan.json
wait_until 10 state_is running
run=$(run_id)
wait_until 10 unit_is gate active
start logs2 "$REEVE" logs -f gate
kill -KILL $(pid_of killed)
finish logs2 0
expect 0 reeve status
want_out "its process is gone; run --resume goes on"
expect 0 reeve status $run
want_out "no process owns this run"
expect 2 reeve rm $run
want_err "has not ended"
expect 0 reeve rm $run --force
want_out "removed run $run"
