# `nodes -o wide` shows by what means each node ends its units' trees, and what a node lacks that cannot be sure to end them.
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
