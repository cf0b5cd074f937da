# A live `run` is acted on like a cluster: it answers in its own directory. What looks at it reads the disk.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<PLAN
{"version": 1, "name": "live", "units": [
 {"id": "a", "command": ["sh", "-c", "echo begun; while [ ! -e gate ]; do sleep 0.05; done"]},
 {"id": "b", "command": ["sleep", "0.5"], "depends_on": ["a"]},
 {"id": "c", "command": ["true"], "depends_on": ["a"]},
 {"id": "d", "command": ["false"]}]}
PLAN
expect 5 reeve cancel 0000000000
want_err "no coordinator"

start run "$REEVE" run plan.json --show none
has_run() { [ -n "$(ls .reeve/runs 2>/dev/null)" ] && "$REEVE" status -o name | grep -q .; }
wait_until 20 has_run
run=$("$REEVE" status -o name)
failed() { "$REEVE" status $run | grep -q "d .*failed"; }
wait_until 20 failed

say "asking it"
expect 0 reeve explain $run/b
want_out "waits for a"
expect 0 reeve nodes -o json
valid nodes
want_json 'len(d["nodes"]) == 1 and d["nodes"][0]["attempts"] == 1'
expect 2 reeve hold $run
want_err "a unit is missing"
expect 4 reeve hold nobody
expect 0 reeve hold b
want_out "hold $run/b: 1 changed"
expect 0 reeve hold $run/b
expect 0 reeve hold $run/b
want_out "nothing changed"
expect 0 reeve skip c
expect 0 reeve set $run max_workers=1
expect 0 reeve pause $run
expect 0 reeve explain $run/b
want_out paused
expect 0 reeve unpause $run
expect 0 reeve retry $run/d
want_out "1 changed"
expect 0 reeve nodes --coordinator .reeve/runs/$run
expect 2 reeve submit plan.json --coordinator .reeve/runs/$run
want_err "run"

say "looking while it lives, on the same words"
expect 0 reeve status $run -o json
valid result
want_json '[(u["state"], u["tries"], u["started_at"] > "2") for u in d["units"] if u["id"] == "a"] == [("active", 1, True)]'
expect 0 reeve status $run/a -o json
want_json 'd["attempts"][0]["try"] == 1 and d["attempts"][0]["started_at"] > "2"'
start wait "$REEVE" wait $run -o json
start watch "$REEVE" watch
start logs "$REEVE" logs -f $run/a
wait_until 20 grep -q begun "$T/logs.out"
touch gate
a_over() { "$REEVE" status $run | grep -q "a .*succeeded"; }
wait_until 20 a_over
expect 0 reeve release b
want_out "release $run/b: 1 changed"
finish wait 1
finish watch 0
finish logs 0
finish run 1
valid result "$T/wait.out"
want_json 'units["b"]["state"] == "succeeded" and units["c"]["state"] == "skipped" and units["d"]["tries"] == 2' "$T/wait.out"

say "two live runs: one has to be named; cancel ends a run as Ctrl-C does"
rm gate
start one "$REEVE" run plan.json --show none
start two "$REEVE" run plan.json --show none
live() { "$REEVE" status -o json | python3 -c 'import json,sys; sys.exit(sum(r["owned"] for r in json.load(sys.stdin)["runs"]) != 2)'; }
wait_until 20 live
expect 2 reeve nodes
want_err "2 runs are live here"
for id in $("$REEVE" status -o json | python3 -c 'import json,sys; [print(r["run"]) for r in json.load(sys.stdin)["runs"] if r["owned"]]'); do
	expect 0 reeve cancel $id --grace 1
done
finish one
finish two
expect 0 reeve status
want_out cancelled
expect 5 reeve cancel $run
want_err "run $run has ended: "

say "an act that ends the run at once: done, although the run is gone before it could answer"
echo '{"version":1,"name":"short","units":[{"id":"a","command":["sleep","60"]},{"id":"b","command":["true"],"depends_on":["a"]}]}' >short.json
for i in 1 2 3 4 5; do
	rm -rf again
	start short "$REEVE" run short.json --show none --state again
	has_unit() { "$REEVE" status --state again -o json 2>/dev/null | grep -q running && "$REEVE" explain --coordinator again/runs/$(ls again/runs) $(ls again/runs)/a | grep -q "runs"; }
	wait_until 20 has_unit
	run=$(ls again/runs)
	expect 0 reeve cancel $run --grace 0 --coordinator again/runs/$run -o json
	valid act
	want_json 'd["changed"] == 1'
	finish short 1
	expect 1 reeve wait --state again $run -o json
	want_json 'd["state"] == "cancelled"'
done
