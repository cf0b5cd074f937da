# Every verb of a client, on a coordinator with two nodes over ipc.
. "$(dirname "$0")/lib.sh"

start coordinator "$REEVE" coordinator
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
expect 0 reeve nodes -o name
want_empty "$T/out"
expect 4 reeve status x
want_err "has no runs"

cat >plan.json <<'PLAN'
{"version": 1, "name": "tour", "workspace": {"mode": "none"}, "units": [
 {"id": "a", "command": ["sh", "-c", "echo to-stdout; echo value >$REEVE_OUTPUT_FILE; echo art >$REEVE_ARTIFACTS/f.txt; head -c 20000 /dev/zero | tr '\\0' x >$REEVE_ARTIFACTS/big"], "namespace": "always"},
 {"id": "b", "command": ["sh", "-c", "echo begun; while [ ! -e GATE ]; do sleep 0.05; done; echo over"], "depends_on": ["a"]},
 {"id": "c", "command": ["sh", "-c", "echo broken; exit 3"]}]}
PLAN
sed -i "s#GATE#$T/work/gate#" plan.json

say "submit: the id alone; what no node takes is explained"
expect 0 reeve submit plan.json
run=$(cat "$T/out")
[[ $run =~ ^[0-9a-z]{10}$ ]] || fail "\"$run\" is no run id"
expect 0 reeve explain $run/c
want_out "no node has joined"
expect 0 reeve explain $run/b -o json
valid explain
want_json 'any(r["what"] == "dependency" and r["unit"] == "a" for r in d["reasons"])'
expect 0 reeve status
want_out "$run"
want_out "serving"
expect 0 reeve status -o json
valid status
want_json 'd["runs"][0]["run"] == "'$run'" and d["coordinator"]["nodes"] == 0'

for n in n1 n2; do
	start $n "$REEVE" node --coordinator .reeve --name $n --slots 2
done
both() { [ "$("$REEVE" nodes | grep -c joined)" = 2 ]; }
wait_until 20 both
expect 0 reeve nodes -o json
valid nodes
want_json 'sorted(n["name"] for n in d["nodes"]) == ["n1", "n2"]'
expect 0 reeve nodes -o wide
want_out "KEY"

say "following: logs, watch, events, wait, all while it runs"
start logs "$REEVE" logs -f $run/b
start watch "$REEVE" watch $run --exit-status
start events "$REEVE" events -f $run -o jsonl
start wait "$REEVE" wait $run -o json
start wide "$REEVE" status -w $run
wait_until 20 grep -q begun "$T/logs.out"
wait_until 20 grep -q "unit_assigned.*b" "$T/events.out"
expect 0 reeve explain $run/b
want_out "runs"

say "what runs is seen to run, though no fact says that it began"
begun() { "$REEVE" explain $run/b -o json | grep -q '"started":true'; }
wait_until 20 begun
expect 0 reeve status $run
grep -Eq "^b +active +1 " "$T/out" || fail "b is not in its first try"
expect 0 reeve status $run -o json
valid result
want_json '[(u["state"], u["tries"], u["started_at"] > "2", u["duration_ms"]) for u in d["units"] if u["id"] == "b"] == [("active", 1, True, None)]'
expect 0 reeve status $run/b -o json
valid unit
want_json '[(a["try"], a["outcome"], a["started_at"] > "2", a["duration_ms"]) for a in d["attempts"]] == [(1, "active", True, None)]'
expect 0 reeve status $run/b
grep -Eq "^ *1 +1 +n[12] +active .*[0-9]T[0-9]" "$T/out" || fail "the attempt does not show its start"
start detached "$REEVE" watch $run
listens() { [ $((0x$(sed -n 's/^SigBlk:\t//p' "/proc/$(pid_of detached)/status") & 2)) != 0 ]; } # INT comes by a descriptor
wait_until 20 listens
sent() { kill -INT "$(pid_of detached)" 2>/dev/null; gone "$(pid_of detached)"; }
wait_until 10 sent
finish detached 130
want_in "$T/detached.err" "reeve watch $run"
touch gate
finish logs 0
finish watch 1
finish events 0
finish wait 1
finish wide 0
want_in "$T/logs.out" over
want_in "$T/watch.out" "run_finished"
valid result "$T/wait.out"
want_json 'd["succeeded"] == 2 and d["failed"] == 1' "$T/wait.out"
mv "$T/events.out" "$T/events.jsonl"
valid event "$T/events.jsonl"
[ "$(grep -c '"run_finished"' "$T/events.jsonl")" = 1 ] || fail "run_finished was told more than once, or never"

say "looking at it when it has ended"
expect 0 reeve status $run
want_out "exit status 3"
expect 0 reeve status $run -o json
valid result
cp "$T/out" "$T/status.json"
expect 1 reeve wait $run -o json
cmp -s "$T/out" "$T/status.json" || fail "wait and status differ"
expect 0 reeve status ${run:0:9}/a -o json
valid unit
expect 0 reeve logs $run/b
want_eq "$(cat "$T/out")" "$(printf 'begun\nover')"
expect 0 reeve logs $run/b --tail 1
want_eq "$(cat "$T/out")" over
expect 0 reeve logs $run --failed
want_out broken
expect 0 reeve output $run/a
want_eq "$(cat "$T/out")" value
expect 0 reeve artifacts $run --copy copies
want_eq "$(cat copies/a/f.txt)" art
want_eq "$(wc -c <copies/a/big)" 20000
expect 0 reeve events $run -o json
valid events
expect 0 reeve export events $run
cp "$T/out" "$T/exported.jsonl"
valid event "$T/exported.jsonl"
expect 0 reeve export schedule $run
expect 4 reeve status zzzzzzzzzz
expect 4 reeve logs $run/bb
want_err "did you mean"

say "retry, acts, and that they are done once"
expect 2 reeve retry $run/a
want_err "--force"
expect 0 reeve retry $run/c -o json
valid act
want_json 'd["changed"] == 1 and d["unit"] == "c"'
expect 1 reeve wait $run
want_out "try 2"
expect 0 reeve retry $run --failed
expect 1 reeve wait $run
rm gate
sed 's#^ {"id": "c"# {"id": "d", "command": ["true"], "depends_on": ["b"]},&#' plan.json >acts.json
expect 0 reeve submit acts.json -o json --priority 7
valid submit
run=$(json 'd["run"]')
expect 0 reeve pause $run
want_out "1 changed"
expect 0 reeve pause $run
want_out "nothing changed: the run is paused already"
expect 0 reeve explain $run/d
want_out "paused"
expect 0 reeve unpause $run
expect 0 reeve hold $run/d
expect 0 reeve explain $run/d
want_out "held"
expect 0 reeve release $run/d
expect 0 reeve set $run max_workers=1
expect 0 reeve set $run priority=-3
expect 2 reeve set $run max_worker=1
want_err "did you mean max_workers?"
expect 2 reeve set $run max_workers=many
expect 2 reeve set $run limits.cpu_seconds=3
want_err "waits for: "
running() { "$REEVE" status $run | grep -q "b .*active"; }
wait_until 20 running
expect 0 reeve cancel $run/b --grace 1
expect 1 reeve wait $run -o json
want_json 'units["b"]["state"] == "cancelled"'
run=$("$REEVE" submit plan.json)
wait_until 20 running
expect 0 reeve skip $run/c
expect 0 reeve cancel $run --grace 0.5
expect 0 reeve cancel $run
want_out "nothing changed: the run "
expect 1 reeve wait $run
expect 4 reeve cancel $run/nothing
expect 2 reeve pause $run/b
expect 2 reeve hold $run

say "nodes: drained, taken back, removed; who follows a run is told, with names"
rm -f gate
run=$("$REEVE" submit plan.json)
wait_until 20 running
start told "$REEVE" events -f $run
wait_until 20 grep -q "unit_assigned" "$T/told.out"
expect 0 reeve drain n1 -o json
valid act
expect 0 reeve nodes
want_out "draining"
expect 0 reeve undrain n1
expect 4 reeve drain n3
want_err "did you mean n"
expect 0 reeve remove n2
expect 0 reeve nodes
want_no_out "n2"
want_err "1 node that was removed: \`reeve nodes -o wide\` shows it"
expect 0 reeve nodes -o wide
want_out "removed"
wait_until 20 grep -q "node_left *n2\$" "$T/told.out"
want_in "$T/told.out" "node_drained    n1"
touch gate
finish told
want_eq "$(grep -c "node_left" "$T/told.out")" 1
expect 4 reeve remove n2
want_err "node n2 was removed before"
want_err "a new token and a new key"

say "submit --wait and --watch exit as the run does; JSON lines; a coordinator that is named"
touch gate
expect 1 reeve submit plan.json --wait -o json
valid result
expect 1 reeve submit plan.json --watch
want_out "unit_finished"
lines() {
	echo '{"version":1,"name":"lines","workspace":{"mode":"none"},"agents":{"n":{"profile":"noop"}},"defaults":{"agent":"n"}}'
	for i in $(seq 2000); do echo "{\"id\":\"u$i\",\"description\":\"x\"}"; done
}
lines >lines.jsonl
(cd / && REEVE_COORDINATOR="$T/work/.reeve" timeout 60 "$REEVE" submit - --wait -o json <"$T/work/lines.jsonl" >"$T/out" 2>"$T/err") || fail "JSON lines"
want_json 'd["succeeded"] == 2000'
(cd / && "$REEVE" status --coordinator "$T/work/.reeve" >"$T/out" 2>"$T/err") || fail "status from elsewhere"
want_out lines
expect 4 reeve submit nothing.json
expect 2 reeve submit plan.json --priority 5000

say "a plan of a shared workspace gives it an id, once"
echo '{"version":1,"name":"shared","workspace":{"mode":"shared"},"units":[{"id":"a","command":["true"]}]}' >shared.json
expect 0 reeve submit shared.json --wait
id=$(cat .reeve/workspace-id)
[[ $id =~ ^[0-9a-f]{32}$ ]] || fail "\"$id\" is no id"
expect 0 reeve submit shared.json --wait
want_eq "$(cat .reeve/workspace-id)" "$id"

say "it goes on through a restart of the coordinator, and is told when nobody is there"
rm gate
run=$("$REEVE" submit plan.json)
wait_until 20 running
start over "$REEVE" wait $run
start lines "$REEVE" watch $run
following() { "$REEVE" status -o json | python3 -c 'import json,sys; sys.exit(json.load(sys.stdin)["coordinator"]["requests_waiting"] < 2)'; }
wait_until 20 following
kill -KILL "$(pid_of coordinator)"
finish coordinator
expect 5 reeve cancel $run --coordinator .reeve
want_err "is not running"
start again "$REEVE" coordinator
wait_until 20 grep -q coordinator_serving "$T/again.err"
touch gate
finish over 1
finish lines 0
want_in "$T/lines.out" "run_finished"
kill -TERM "$(pid_of again)"
finish again 0
expect 5 reeve nodes
want_err "is not running"
expect 5 reeve status
expect 5 reeve status $run
want_err "reeve coordinator --state"
