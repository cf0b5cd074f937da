#!/bin/bash
# t60-coordinator: a coordinator and a node on this host: a plan is handed over, runs, is looked at; a second coordinator is refused; what was
# done stays done over a restart; a plan that is not right is refused with all that is wrong
. "$(dirname "$0")/lib.sh"

serve() { start "$1" "$REEVE" coordinator --state "$T/c" "${@:2}"; wait_until 20 grep -q coordinator_serving "$T/$1.err"; }
join() { start "$1" "$REEVE" node --coordinator "$T/c" --state "$T/$1" --name "$1" --slots 2; wait_until 20 grep -q "event=joined" "$T/$1.err"; }
at() { "$REEVE" "$1" --coordinator "$T/c" "${@:2}"; }
rows() { at nodes -o json >"$T/nodes"; }

say "it opens with one line, and a second one on its directory is refused by name"
serve one
want_in "$T/one.err" "durability=power"
want_in "$T/one.err" "epoch=1"
expect 3 "$REEVE" coordinator --state "$T/c"
want_err "reeve coordinator"
want_err "$(pid_of one)"

say "with no node a run waits, and explain says why"
cat >plan.json <<'J'
{"version":1,"name":"first","units":[
 {"id":"a","command":["sh","-c","echo one"]},
 {"id":"b","command":["sh","-c","seq 1 3000; exit 3"],"depends_on":["a"]},
 {"id":"c","command":["true"],"depends_on":["b"]},
 {"id":"d","command":["true"],"labels":{"gpu":"yes"},"depends_on":["a"]}]}
J
expect 0 at submit plan.json
run=$(cat "$T/out")
expect 0 at explain "$run/a"
want_out "no node has joined"
expect 0 at explain "$run/c"
want_out "waits for b, which is pending"

say "a node comes: it runs, and what failed leaves its last words with the coordinator"
join n1
finished() { at status "$run" -o json >"$T/st" && [ "$(json "units['c']['state']" "$T/st")" = skipped ]; }
wait_until 30 finished
expect 0 at explain "$run/d"
want_out "it lacks gpu=yes"
expect 0 at explain "$run/c"
want_out "it has ended: skipped"

say "acts: repeated they change nothing, and what is not there is told"
expect 0 at cancel "$run/d"
over() { at status "$run" -o json >"$T/st" && [ "$(json "d['state']" "$T/st")" = failed ]; }
wait_until 20 over
expect 4 at cancel "$run/nobody"
want_err "nobody"
expect 4 at drain nobody
expect 0 at drain n1
expect 0 at explain "$run/a"
expect 0 at nodes
want_out draining
expect 0 at undrain n1

say "the node goes: the tail is still there"
kill -TERM "$(pid_of n1)"
finish n1
gone_node() { at nodes -o json >"$T/nodes" && [ "$(json "d['nodes'][0]['state']" "$T/nodes")" = away ]; }
wait_until 20 gone_node
expect 0 at logs "$run/b"
want_out "3000"

say "it ends at TERM with 0; the next goes on: the same run, the same epoch and one more"
kill -TERM "$(pid_of one)"
finish one 0
want_in "$T/one.err" "event=coordinator_ending"
serve two
want_in "$T/two.err" "epoch=2"
expect 0 at status "$run" -o json
want_json "d['state'] == 'failed' and d['total'] == 4 and d['succeeded'] == 1"
expect 0 at events "$run" -o jsonl
grep -c '"run_finished"' "$T/out" >"$T/n"
want_eq "$(cat "$T/n")" 1

say "--durability process, --log-format json; words that are wrong"
kill -TERM "$(pid_of two)"
finish two 0
serve three --durability process --log-format json
python3 -c 'import json,sys; [json.loads(l) for l in open(sys.argv[1])]' "$T/three.err" || fail "a log line is no JSON"
expect 2 "$REEVE" coordinator --state "$T/c2" --durability often
want_err "power or process"
expect 2 "$REEVE" coordinator here
expect 2 "$REEVE" coordinator --state "$T/c2" --listen nonsense
