#!/bin/bash
# t62-coordinator-nodes: nodes come and go while a run goes on: what a removed or killed one had runs elsewhere, once; a name is one node's
. "$(dirname "$0")/lib.sh"

at() { "$REEVE" "$1" --coordinator "$T/c" "${@:2}"; }
join() { start "$1" "$REEVE" node --coordinator "$T/c" --state "$T/$1" --name "${2:-$1}" --slots 2; wait_until 20 grep -q "event=joined" "$T/$1.err"; }
node_of() { at status "$run" -o json >"$T/st" && json "units['$1'].get('node') or ''" "$T/st"; }
runs_on() { [ "$(node_of "$1")" = "$2" ]; }
state_is() { at status "$run" -o json >"$T/st" && [ "$(json "units['$1']['state']" "$T/st")" = "$2" ]; }
begun() { [ -e "$T/begun.$1" ]; }

start c "$REEVE" coordinator --state "$T/c"
wait_until 20 grep -q coordinator_serving "$T/c.err"
join n1

say "a unit of a node that is removed runs elsewhere at once"
cat >plan.json <<J
{"version":1,"name":"gone","units":[{"id":"a","command":["sh","-c","echo x >>$T/tries; : >$T/begun.\$REEVE_ATTEMPT; while [ ! -e $T/go ]; do sleep 0.05; done"]}]}
J
expect 0 at submit plan.json
run=$(cat "$T/out")
wait_until 20 begun 1
join n2
expect 0 at remove n1
wait_until 20 begun 2
wait_until 20 runs_on a n2
expect 0 at nodes -o json
want_json "{n['name']: n['state'] for n in d['nodes']}['n1'] == 'removed'"
wait_until 20 gone "$(pid_of n1)"

say "a second node of that name is told whose it is"
start n3 "$REEVE" node --coordinator "$T/c" --state "$T/n3" --name n2 --slots 2
wait_until 20 grep -q "name" "$T/n3.err"
expect 0 at nodes -o json
want_json "len([n for n in d['nodes'] if n['name'] == 'n2']) == 1"

: >"$T/go"
wait_until 20 state_is a succeeded
want_eq "$(wc -l <"$T/tries" | tr -d ' ')" 2
want_json "d['state'] == 'succeeded' and d['node_lost'] == 1" "$T/st"
