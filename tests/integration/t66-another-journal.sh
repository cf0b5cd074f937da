# A coordinator whose journal is gone, or was put back to an older copy: a node serves the first, and obeys nothing of the second and says why.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

stop_coordinator() {
	kill -KILL "$(pid_of co)"
	wait "$(pid_of co)" 2>/dev/null
}

coordinator
node one --slots 1
wait_until 10 joined one
stop_coordinator
coordinator
wait_until 10 joined one

say "the state directory was removed: another cluster, whose first epoch is none of the past"
stop_coordinator
rm -r "$CO"
coordinator
wait_until 20 joined one
cat >plan.json <<P
{"version": 1, "name": "anew", "workspace": {"mode": "none"}, "units": [{"id": "a", "command": ["true"]}]}
P
submit plan.json
wait_until 20 run_ended
want_eq "$(run_state)" succeeded

say "it was put back to an older copy: nothing of it is obeyed, and the node says so"
stop_coordinator
cp -a "$CO" "$T/copy"
coordinator
wait_until 20 joined one
stop_coordinator
coordinator
wait_until 20 joined one
stop_coordinator
rm -r "$CO"
mv "$T/copy" "$CO"
coordinator
wait_until 30 grep -q event=coordinator_of_the_past "$T/one.err"
want_in "$T/one.err" "obeyed epoch 3 of the same journal"

say "until it is started anew"
kill -TERM "$(pid_of one)"
finish one 0
node one --slots 1
wait_until 20 joined one
submit plan.json
wait_until 20 run_ended
want_eq "$(run_state)" succeeded
kill -TERM "$(pid_of one)"
finish one 0
