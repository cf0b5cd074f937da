# STATE/session tells whoever watches over a node whether the coordinator has it for present, and that its loop turns.
. "$(dirname "$0")/lib.sh"

there() { [ -e node/session ]; }
gone_again() { [ ! -e node/session ]; }

start first "$REEVE" coordinator --state "$T/work/coordinator"
wait_until 20 grep -q coordinator_serving "$T/first.err"
mkdir node && echo stale >node/session # of a node that was killed
kill -STOP "$(pid_of first)"
start node "$REEVE" node --coordinator "$T/work/coordinator" --state "$T/work/node" --name n1
wait_until 20 gone_again
kill -CONT "$(pid_of first)"
wait_until 20 there
want_in node/session "coordinator=ipc://"
want_eq "$(stat -c %a node/session)" 600

say "it is touched while the loop turns"
touch -d '1 hour ago' node/session
touched() { [ -n "$(find node/session -newermt '-1 minute')" ]; }
wait_until 20 touched

say "no coordinator, no session; another one, another session"
kill -TERM "$(pid_of first)"
finish first 0
wait_until 40 gone_again
start second "$REEVE" coordinator --state "$T/work/coordinator"
wait_until 40 there

say "a node that ends takes it along"
kill -TERM "$(pid_of node)"
finish node 0
gone_again || fail "the session outlives the node"
