# Acts say what they changed, or why nothing; they take beginnings of ids; ended runs are removed for good; a drain has a deadline.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

cd "$T/work"
export REEVE_COORDINATOR=$CO
coordinator
node n1 --slots 2
wait_until 20 joined n1
cat >plan.json <<PLAN
{"version": 1, "name": "acts", "workspace": {"mode": "none"}, "units": [
 {"id": "busy", "command": ["sh", "-c", "while [ ! -e $T/gate ]; do sleep 0.05; done"]},
 {"id": "later", "command": ["true"], "depends_on": ["busy"]},
 {"id": "latest", "command": ["true"], "depends_on": ["busy"]},
 {"id": "done", "command": ["true"]},
 {"id": "wrong", "command": ["false"]}]}
PLAN
unit_is() { "$REEVE" status $run | grep -qE "^$1 +$2"; }

say "nothing changed: why, of each act"
submit plan.json
wait_until 20 unit_is busy active
wait_until 20 unit_is done succeeded
wait_until 20 unit_is wrong failed
expect 0 reeve unpause $run
want_out "nothing changed: the run is not paused"
expect 0 reeve hold $run/later
want_out "hold $run/later: 1 changed"
expect 0 reeve hold $run/later
want_out "nothing changed: it is held already"
expect 0 reeve hold $run/later -o json
valid act
want_json 'd["why"] == "it is held already" and d["changed"] == 0'
expect 0 reeve release $run/later -o json
valid act
want_json 'd["why"] is None and d["changed"] == 1'
expect 0 reeve release $run/later
want_out "nothing changed: it is not held"
expect 0 reeve cancel $run/done
want_out "nothing changed: it has ended: succeeded"
expect 2 reeve skip $run/busy
want_err "unit \"busy\" is running: cancel it"
want_err "\`reeve cancel $run/busy\`"
expect 0 reeve set $run priority=0
want_out "nothing changed: it has that value already"
expect 0 reeve undrain n1
want_out "nothing changed: it is not being drained"

say "a beginning of an id will do, and the whole id is said; a name is not an id"
expect 0 reeve hold $run/latest
expect 2 reeve hold $run/late
want_err "could be more than one unit"
expect 0 reeve release ${run:0:9}/lates
want_out "release $run/latest: 1 changed"
expect 4 reeve cancel acts
want_err "a run is meant by its id: did you mean $run, the newest of that name?"
expect 4 reeve status acts
want_err "did you mean $run"
expect 4 reeve cancel $run/nothing

say "set takes several; a limit that is reached lets nothing new start"
expect 0 reeve set $run max_workers=2 priority=5
want_eq "$(grep -c "1 changed" "$T/out")" 2
expect 2 reeve set $run max_workers=1 nonsense=2
want_err "cannot be set"
expect 2 reeve set $run limits.failed=-1
expect 2 reeve set $run limits.fail=1
expect 0 reeve hold $run/later
expect 0 reeve set $run limits.failed=2
expect 0 reeve set $run limits.failed=1
expect 0 reeve explain $run/later
want_out "nothing new of the run starts"
touch "$T/gate"
expect 1 reeve wait $run -o json
want_json 'units["busy"]["state"] == "succeeded" and units["later"]["reason"] == "not_started" and units["latest"]["reason"] == "not_started"'
ended=$run

say "a unit whose id begins with a dash"
sed 's/"later"/"-dash"/' plan.json >dash.json
rm "$T/gate"
submit dash.json
wait_until 20 unit_is busy active
expect 0 reeve hold $run/-dash
want_out "hold $run/-dash: 1 changed"
expect 0 reeve release -- -dash
want_out "release"
expect 0 reeve hold -- -dash
want_out "/-dash: 1 changed"
expect 0 reeve explain -- -dash
want_out held

say "rm: an ended run is not told of any more, by this coordinator and the next; one that goes on is refused"
expect 2 reeve rm $run
want_err "has not ended"
want_err "reeve cancel $run"
expect 0 reeve rm $ended -o json
valid rm
want_json 'd["run"] == "'$ended'"'
for verb in "status $ended" "events $ended" "cancel $ended" "rm $ended" "retry $ended --failed" "logs $ended/done" "output $ended/done" "explain $ended/done"; do
	expect 4 reeve $verb
	want_err "there is no run"
done
expect 0 reeve status -o json
want_json '[r["run"] for r in d["runs"]] == ["'$run'"] and d["coordinator"]["runs"] == 1'
kill -KILL "$(pid_of co)"
finish co
coordinator
expect 0 reeve status -o json
want_json '[r["run"] for r in d["runs"]] == ["'$run'"]'
expect 4 reeve status $ended
expect 0 reeve cancel $run --grace 0.1
expect 1 reeve wait $run
expect 0 reeve rm ${run:0:9} -o name
want_eq "$(cat "$T/out")" $run
expect 0 reeve status -o name
want_empty "$T/out"
kill -TERM "$(pid_of co)"
finish co
coordinator
expect 0 reeve status -o name
want_empty "$T/out"

say "drain --deadline: what runs is ended and runs elsewhere, without a try being spent; what may start once goes on"
wait_until 20 joined n1
cat >drain.json <<PLAN
{"version": 1, "name": "drain", "workspace": {"mode": "none"}, "units": [
 {"id": "moves", "command": ["sh", "-c", "$(witness "while [ ! -e $T/gate ]; do sleep 0.05; done")"], "grace_s": 1},
 {"id": "once", "at_most_once": true, "command": ["sh", "-c", "$(witness "while [ ! -e $T/gate ]; do sleep 0.05; done")"]}]}
PLAN
submit drain.json
began() { [ "$(count "^start $1 .* $2")" = 1 ]; }
wait_until 20 began moves n1
wait_until 20 began once n1
node n2 --slots 2
wait_until 20 joined n2
expect 2 reeve drain n1 --deadline soon
expect 2 reeve drain n1 --deadline 31d
want_err "30 days"
expect 0 reeve drain n1 --deadline 1h
want_out "1 changed"
expect 0 reeve drain n1 --deadline 1h
want_out "nothing changed: it is being drained already"
expect 0 reeve drain n1 --deadline 0.3
want_out "1 changed"
wait_until 20 began moves n2
idle_but_one() { [ "$(node_row n1 attempts)" = 1 ]; }
wait_until 20 idle_but_one
touch "$T/gate"
expect 0 reeve wait $run -o json
want_json 'units["moves"]["state"] == "succeeded" and units["moves"]["node"] == "n2" and units["once"]["node"] == "n1" and d["retries"] == 0 and d["node_lost"] == 0'
want_eq "$(count "^start once")" 1
expect 0 reeve events $run -o jsonl
want_out '"unit_retracted"'

say "a deadline outlives the coordinator: it counts anew"
rm "$T/gate"
expect 0 reeve undrain n1
expect 0 reeve drain n2
sed -i 's/, *$/,/; /"once"/d; s/"grace_s": 1},/"grace_s": 1}]}/' drain.json
: >"$W"
submit drain.json
wait_until 20 began moves n1
expect 0 reeve undrain n2
expect 0 reeve drain n1 --deadline 2s
kill -KILL "$(pid_of co)"
finish co
coordinator
wait_until 30 began moves n2
touch "$T/gate"
expect 0 reeve wait $run

say "a plan that is not accepted: with -o json one error, and nothing on stdout"
echo '{"version":1,"name":"b","units":[{"id":"a"},{"id":"b"}]}' >broken.json
expect 2 reeve submit broken.json -o json
want_empty "$T/out"
valid error "$T/err"
want_json 'd["error"]["code"] == "E_PLAN" and "broken.json" in d["error"]["message"]' "$T/err"

say "the newest run is the one that was submitted last, also of those of one second"
echo '{"version": 1, "name": "again", "workspace": {"mode": "none"}, "units": [{"id": "held", "hold": true, "command": ["true"]}]}' >again.json
for i in 1 2 3 4 5 6 7 8; do
	submit again.json
	expect 0 reeve skip held
	want_out "skip $run/held"
done
