# `nodes -o wide` shows by what means each node ends its units' trees, and what a node lacks that cannot be sure to end them; pidns needs nobody of ours to live.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

coordinator
start weak env REEVE_KILL_LEVEL=subreaper "$REEVE" node --coordinator "$CO" --state "$T/weak" --name weak
start strong env REEVE_KILL_LEVEL=pidns "$REEVE" node --coordinator "$CO" --state "$T/strong" --name strong
wait_until 20 joined weak
wait_until 20 joined strong
expect 0 reeve nodes --coordinator "$CO" -o wide
want_out subreaper
want_out pidns
want_err "weak cannot be sure to end all that a unit started"
! grep -q '^strong' "$T/err" || fail "the strong one lacks nothing"
expect 0 reeve nodes --coordinator "$CO"
want_empty "$T/err"

say "warden and daemon killed at once: of a unit in a pid namespace nothing is left, though nobody of ours lives who could end it"
nap=$((400000 + $$))
cat >plan.json <<P
{"version": 1, "name": "both", "workspace": {"mode": "none"}, "lost_after_s": 600, "units": [
 {"id": "u", "node": "strong", "command": ["sh", "-c", "setsid sleep $nap & exec sleep $nap"]}]}
P
submit plan.json
both_sleep() { [ "$(pgrep -fx "sleep $nap" | wc -l)" = 2 ]; }
none_sleeps() { ! pgrep -fx "sleep $nap"; }
wait_until 20 both_sleep
kill_node strong
wait_until 10 none_sleeps
