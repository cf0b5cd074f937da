# --on-event: each transition on the stdin of a command, in order; one that hangs, floods, fails or leaves something behind hurts no run.
. "$(dirname "$0")/lib.sh"

alive() { pgrep -f "$1" >/dev/null; }
took() { # SECONDS CMD...: it ends within them
	local most=$1 from=$SECONDS
	shift
	"$@"
	[ $((SECONDS - from)) -le "$most" ] || fail "$((SECONDS - from)) s, not $most: $*"
}

say "every event once and in order, the same as --events"
expect 0 reeve run --events "$T/events" --on-event "cat >>$T/told" -- true ::: a b c
want_eq "$(cat "$T/told")" "$(cat "$T/events")"
cp "$T/told" "$T/told.jsonl"
valid event "$T/told.jsonl"
want_eq "$(grep -c '"type":"unit_finished"' "$T/told")" 3

say "of some types only; its name is in the environment; a shell reads the command"
expect 1 reeve run --on-event 'read -r line; echo "$REEVE_EVENT_TYPE ${#line}" | cut -d" " -f1 >>types' --on-event-type run_finished,unit_finished -- sh -c 'exit $1' sh ::: 0 1
want_eq "$(sort types | tr '\n' ' ')" "run_finished unit_finished unit_finished "
want_eq "$(tail -1 types)" run_finished

say "where the caller is, however its processes are held together"
for level in cgroup pidns subreaper; do
	rm -f where
	REEVE_KILL_LEVEL=$level "$REEVE" run --on-event 'pwd >where' --on-event-type run_finished -- true ::: a >"$T/out" 2>"$T/err" || continue
	want_eq "$(cat where)" "$PWD"
done

say "words that are off"
expect 2 reeve run --on-event cat --on-event-type unit_finsihed -- true ::: a
want_err "did you mean unit_finished?"
expect 2 reeve run --on-event-type run_finished -- true ::: a
want_err "--on-event-type is for --on-event CMD"
expect 2 reeve run --on-event '' -- true ::: a
expect 2 reeve coordinator --state "$T/c" --on-event cat --on-event-type nosuch
want_err 'there is no event "nosuch"'

say "failures are told once and counted, whatever the run says"
expect 0 reeve run --on-event 'echo why >&2; exit 3' --on-event-type unit_finished -- true ::: a b c
want_err "--on-event ended with status 3 at unit_finished: why"
want_err "--on-event failed for 3 of 3 events"
want_eq "$(grep -c 'status 3' "$T/err")" 1
expect 0 reeve run --on-event /nonexistent/program --on-event-type run_finished -- true ::: a
want_err "ended with status 127"
expect 0 reeve run --on-event 'kill -9 $$' --on-event-type run_finished -- true ::: a
want_err "was ended by signal 9"

say "one that ends without reading"
expect 1 reeve run --on-event 'exit 0' -- sh -c 'exit 1' sh ::: a
if grep -q -- '--on-event' "$T/err"; then fail "told of a failure"; fi

say "one that hangs, deaf to TERM, with a child in a session of its own: killed whole after 10 s; the run is done long before"
tag=$((RANDOM + 100000))
start hang "$REEVE" run --on-event "trap '' TERM HUP INT; setsid sleep $tag & sleep $tag.5" --on-event-type unit_finished -- true ::: a
wait_until 5 grep -q "1 of 1 succeeded" "$T/hang.err"
wait_until 5 alive "sleep $tag"
from=$SECONDS
finish hang 0
[ $((SECONDS - from)) -ge 7 ] && [ $((SECONDS - from)) -le 14 ] || fail "$((SECONDS - from)) s"
want_in "$T/hang.err" "--on-event took longer than 10 s and was killed at unit_finished"
want_in "$T/hang.err" "--on-event failed for 1 of 1 events"
alive "sleep $tag" && fail "its tree is left"

say "Ctrl-C ends the waiting"
start impatient "$REEVE" run --on-event "sleep $tag" -- true ::: a b
wait_until 10 grep -q "waiting for --on-event" "$T/impatient.err"
kill -INT "$(pid_of impatient)"
took 3 finish impatient 0
alive "sleep $tag" && fail "it still runs"

say "one that floods"
took 14 expect 0 reeve run --on-event 'timeout 1 yes; timeout 1 yes >&2; true' --on-event-type run_finished -- true ::: a
want_eq "$(du -sm .reeve | cut -f1 | awk '{print $1 < 20}')" 1

say "what it leaves in the background ends with it"
expect 0 reeve run --on-event "sleep $tag & echo done >>left" --on-event-type run_finished -- true ::: a
want_eq "$(cat left)" "done"
alive "sleep $tag" && fail "it still runs"

say "one that hangs at every event, of which the queue does not hold all: the rest is counted, units go on, the end is bounded"
seq 8000 >many
took 20 expect 0 reeve run --on-event "sleep $tag" --agent noop --each many
want_err "8000 of 8000 succeeded"
want_err "waiting for --on-event"
want_err "--on-event falls behind: events are left out"
grep -Eq 'was not told of [0-9]{5} events' "$T/err" || fail "not counted"
alive "sleep $tag" && fail "it still runs"

say "a plan that is refused"
echo '{"version": 1, "units": [{"id": "a"}]}' >bad.json
expect 2 reeve run bad.json --on-event "cat >$T/refused"
want_json 'd["type"] == "plan_rejected" and d["unit"] == "__preflight__" and d["exit"] == 2' "$T/refused"
ls "${TMPDIR:-/tmp}" | grep -q reeve-event- && fail "a directory is left"

say "a killed run leaves none of it"
start killed "$REEVE" run --on-event "sleep $tag" -- sleep ::: 30
wait_until 10 alive "sleep $tag"
kill -KILL "$(pid_of killed)"
dead() { ! alive "$1"; }
wait_until 10 dead "sleep $tag"

say "a coordinator: units by name, counts of the run; TERM tells what waits"
start coord "$REEVE" coordinator --state "$T/s" --on-event "cat >>$T/coord.told"
wait_until 10 grep -q coordinator_serving "$T/coord.err"
start node "$REEVE" node --coordinator "$T/s" --state "$T/n" --name n1
cat >plan.json <<'PLAN'
{"version": 1, "name": "two", "units": [{"id": "one", "command": ["true"]}, {"id": "bad", "command": ["sh", "-c", "exit 4"], "depends_on": ["one"]}]}
PLAN
expect 1 reeve submit plan.json --wait --coordinator "$T/s"
wait_until 10 grep -q run_finished "$T/coord.told"
cp "$T/coord.told" "$T/told.jsonl"
valid event "$T/told.jsonl"
want_json '[(e["unit"], e["state"], e["node"]) for e in d if e["type"] == "unit_finished"] == [("one", "succeeded", "n1"), ("bad", "failed", "n1")]' "$T/coord.told"
want_json '[e.get("error") for e in d if e["type"] == "unit_finished"] == [None, "exit status 4"]' "$T/coord.told"
want_json '[(e["outcome"], e["succeeded"], e["failed"], e["total"]) for e in d if e["type"] == "run_finished"] == [("failed", 1, 1, 2)]' "$T/coord.told"
want_json '[e["node"] for e in d if e["type"] == "node_joined"] == ["n1"]' "$T/coord.told"

say "over a restart nothing is told again; a hook that hangs holds up neither units nor clients"
kill -TERM "$(pid_of coord)"
finish coord 0
before=$(wc -l <"$T/coord.told")
start again "$REEVE" coordinator --state "$T/s" --on-event "cat >>$T/coord.told; test -e $T/once || { touch $T/once; sleep $tag; }" --on-event-type unit_finished
wait_until 10 grep -q coordinator_serving "$T/again.err"
took 5 expect 1 reeve submit plan.json --wait --coordinator "$T/s"
wait_until 20 grep -q "took longer than 10 s" "$T/again.err"
wait_until 10 sh -c "test \$(wc -l <$T/coord.told) -ge $((before + 2))"
kill -TERM "$(pid_of again)"
took 14 finish again 0
want_eq "$(wc -l <"$T/coord.told")" $((before + 2))
alive "sleep $tag" && fail "it still runs"
kill -TERM "$(pid_of node)"
finish node
