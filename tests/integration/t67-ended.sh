# A local run that has ended is no dead end: explain reads from disk why a unit stands as it does, acts say that it has ended.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'P'
{"version": 1, "name": "ended", "workspace": {"mode": "none"}, "units": [
 {"id": "nofile", "command": ["sh", "-c", "exit 3"]},
 {"id": "after", "command": ["true"], "depends_on": ["nofile"]},
 {"id": "fine", "command": ["true"]}]}
P
expect 1 reeve run plan.json
run=$(run_id)

say "explain: the reason, and what to do about it"
for word in nofile nof "$run/nofile"; do
	expect 0 reeve explain $word
	want_out "failed (exit): exit status 3; \`reeve logs $run/nofile\` has what it printed"
	want_out "run $run has ended: failed; \`reeve status $run\` tells all"
	want_out "\`reeve retry $run/nofile\` gives it one more try"
done
expect 0 reeve explain after
want_out "skipped (blocked): blocked by failed dependencies: nofile"
want_out "\`reeve retry $run --failed\` tries all that did not succeed"
want_no_out "reeve logs"
expect 0 reeve explain fine
want_out "succeeded; \`reeve logs"
want_no_out retry
expect 0 reeve explain nofile -o json
valid explain
want_json '[r["what"] for r in d["reasons"]] == ["ended", "run_ended", "go_on"]'
want_json 'd["reasons"][0]["state"] == "failed" and d["reasons"][0]["reason"] == "exit" and d["reasons"][0]["says"] == "exit status 3"'
expect 4 reeve explain nofiel
want_err 'there is no unit "nofiel" in run '
want_err "did you mean nofile?"
expect 4 reeve explain "$run/nofiel"

say "acts: it has ended, also where a unit is typed alone"
for act in "cancel $run" "pause $run" "set $run max_workers=1"; do
	expect 5 reeve $act
	want_err "run $run has ended: failed"
	want_err "\`reeve status $run\` tells how it went"
done
for act in "cancel fine" "cancel $run/fine" "hold $run/fine"; do
	expect 5 reeve $act
	want_err "unit fine has ended: succeeded; so has run $run: failed"
done
expect 5 reeve cancel nofile
want_err "\`reeve retry $run/nofile\` gives it one more try"
expect 5 reeve cancel nobody
want_err "no coordinator and no live run is near"

say "a run whose process was killed: what it was at"
echo '{"version":1,"name":"killed","workspace":{"mode":"none"},"units":[{"id":"slow","command":["sleep","60"]},{"id":"then","command":["true"],"depends_on":["slow"]}]}' >slow.json
start killed "$REEVE" run slow.json
runs() { "$REEVE" explain slow | grep -q 'is there and runs'; }
wait_until 20 runs
kill -KILL "$(pid_of killed)"
finish killed
run=$(run_id)
expect 0 reeve explain then
want_out "pending: waits for slow"
want_out "run $run has no process any more"
want_out "\`reeve retry $run --failed\` goes on with it"
expect 5 reeve cancel slow
want_err "run $run has no process any more"
