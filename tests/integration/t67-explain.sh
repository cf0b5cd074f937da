# Why a unit does not run, obstacle by obstacle: what each node lacks, the workspace and its cure, who holds a directory or a lock, who is
# silent; and status says what no node can ever take.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

export REEVE_COORDINATOR=$CO
explains() { "$REEVE" explain "$run/$1" >"$T/out" 2>"$T/err" && grep -qF -- "$2" "$T/out"; }
says() { "$REEVE" status "$run" >"$T/out" 2>"$T/err" && grep -qF -- "$1" "$T/out"; }

coordinator
cat >plan.json <<'P'
{"version": 1, "name": "wants", "workspace": {"mode": "none"}, "units": [
 {"id": "gpu", "for_each": [1, 2, 3], "command": ["echo", "{item}"], "labels": {"gpu": "yes"}},
 {"id": "big", "command": ["true"], "resources": {"cpus": 8, "licence": 2}},
 {"id": "after", "command": ["true"], "depends_on": ["big"]}]}
P

say "no node; then nodes that lack something"
submit plan.json
expect 0 reeve status "$run"
want_out "nothing of this run can move: 3 ready units: no node has joined"
node n1 --slots 2 --label zone=a
node n2 --slots 4 --resource licence=1
wait_until 20 joined n1
wait_until 20 joined n2
expect 0 reeve explain "$run/gpu-0001"
want_eq "$(grep -c "it lacks gpu=yes" "$T/out")" 2
expect 0 reeve explain "$run/big"
grep -q "n1 .*it lacks 8 cpus (has 2), licence 2 (has 0)" "$T/out" || fail "what n1 lacks"
grep -q "n2 .*it lacks 8 cpus (has 4), licence 2 (has 1)" "$T/out" || fail "what n2 lacks"
expect 0 reeve explain "$run/big" -o json
valid explain
want_json '{r["node"]: r["lacks"] for r in d["reasons"] if r["what"] == "node"}["n2"] == "8 cpus (has 4), licence 2 (has 1)"'
expect 0 reeve explain "$run/after"
want_out "waits for big, which is ready"
expect 0 reeve status "$run"
want_out "nothing of this run can move: 3 ready units: no node can take it: needs gpu=yes; 1 ready unit: no node can take it: needs 8 cpus, licence 2"
want_eq "$(grep -c "^gpu-.*ready.* no node can take it: needs gpu=yes" "$T/out")" 3
want_out "waits for big"
expect 0 reeve status "$run/big"
want_out "ready: no node can take it: needs 8 cpus, licence 2"
expect 0 reeve status "$run" -o json
valid result
want_json 'units["gpu-0002"]["error"] == "no node can take it: needs gpu=yes"'

say "what came to move says so no more"
node n3 --slots 8 --resource licence=2
wait_until 20 says "after     succeeded"
expect 0 reeve status "$run"
want_out "nothing of this run can move: 3 ready units: no node can take it: needs gpu=yes"
expect 0 reeve cancel "$run"

say "draining, away"
expect 0 reeve drain n1
expect 0 reeve explain "$run/gpu-0001"
sed 's/"gpu": "yes"/"zone": "a"/' plan.json >zone.json
submit zone.json
wait_until 20 explains gpu-0001 "is being drained"
want_out "it lacks zone=a"
wait_until 20 says "a node that could take it is not to be had now: n1"
kill -TERM "$(pid_of n1)"
finish n1 0
wait_until 20 explains gpu-0001 "is away; last heard"
expect 0 reeve cancel "$run"

say "who is silent"
daemon=$(pgrep -P "$(pid_of n2)" -o)
kill -STOP "$daemon"
cat >small.json <<P
{"version": 1, "name": "holders", "workspace": {"mode": "none"}, "units": [
 {"id": "fill", "for_each": [1, 2, 3, 4, 5, 6, 7, 8], "command": ["sh", "-c", "echo {item}; while [ ! -e $T/gate ]; do sleep 0.05; done"], "priority": 1},
 {"id": "last", "command": ["true"], "resources": {"memory_mb": 1}}]}
P
suspect() { [ "$(node_row n2 state)" = suspect ]; }
wait_until 30 suspect
submit small.json
wait_until 20 explains last "has not been heard for a while; last heard"
wait_until 20 explains last "has no slot free: 8 of 8 in use"
wait_until 20 says "waits for room on a node"
kill -CONT "$daemon"
: >"$T/gate"
wait_until 30 run_ended
rm "$T/gate"

say "who holds a lock, who holds a directory"
mkdir -p tree/src/lib
cat >tree/plan.json <<P
{"version": 1, "name": "holders", "workspace": {"overlap": "serialize"}, "locks": {"gate": 2}, "units": [
 {"id": "l", "for_each": ["a", "b"], "command": ["sh", "-c", "echo {item}; while [ ! -e $T/gate ]; do sleep 0.05; done"], "locks": ["gate"], "priority": 1},
 {"id": "locked", "command": ["true"], "locks": ["gate"]},
 {"id": "d", "command": ["sh", "-c", "while [ ! -e $T/gate ]; do sleep 0.05; done"], "allowed_directories": ["src"], "priority": 1},
 {"id": "inside", "command": ["true"], "allowed_directories": ["src/lib"]}]}
P
cd tree
submit plan.json
cd ..
wait_until 20 explains locked "lock gate: 2 of 2 in use, by l-0002"
want_out "lock gate: 2 of 2 in use, by l-0001"
wait_until 20 explains inside "workspace: one of its directories is held by d"
wait_until 20 says "waits for lock gate"
wait_until 20 says "waits for a directory in which another unit works"
first=$run
cd tree
submit plan.json
cd ..
wait_until 20 explains d "held by $first/d"
expect 0 reeve set "$run" max_workers=1
expect 0 reeve hold "$run/inside"
expect 0 reeve explain "$run/inside"
want_out "held; \`reeve release\` lets it go"
expect 0 reeve pause "$run"
wait_until 20 says "the run is paused"
: >"$T/gate"
expect 0 reeve unpause "$run"
expect 0 reeve release "$run/inside"
wait_until 30 run_ended
want_eq "$(run_state)" succeeded

say "a workspace that no node has: which, and the cure"
expect 0 reeve drain n2
expect 0 reeve drain n3
mkdir far
sed 's/while [^;]*; do sleep 0.05; done/:/' tree/plan.json >far/plan.json
cd far
submit plan.json
cd ..
wait_until 20 explains d "is being drained"
mv far moved
expect 0 reeve undrain n2
expect 0 reeve undrain n3
wait_until 20 says "a node that could take it is not to be had now: n1; others lack workspace $T/work/far"
expect 0 reeve remove n1
wait_until 20 says "no node can take it: needs workspace $T/work/far"
wait_until 20 explains d "does not have the workspace $T/work/far; where it is there says \`reeve node --map $T/work/far=PATH\`"
node n4 --slots 4 --map "$T/work/far=$T/work/moved"
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
