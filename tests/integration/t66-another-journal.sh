# A coordinator whose journal goes, begins anew or was put back to an older copy: it ends where it could keep nothing; a node serves the next
# one, and obeys nothing of the past and says why.
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

say "the state directory is removed while it serves: it ends, since it can keep nothing, and says so"
rm -r "$CO"
finish co 3
want_in "$T/co.err" "was removed or replaced while it was in use"

say "another one there: another cluster, whose first epoch is none of the past"
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

say "and one whose directory was moved away ends, too"
mv "$CO" "$T/moved"
finish co 3
kill -TERM "$(pid_of one)"
finish one 0
