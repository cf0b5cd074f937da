# A node that cannot end whole trees as it was told to (REEVE_KILL_LEVEL) says so and does not start.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || exit 0 # who is not root may have a cgroup of its own, or not
start coordinator "$REEVE" coordinator --state "$T/work/coordinator"
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
# a view of the machine in which no cgroup can be made
expect 3 unshare -m sh -c 'umount -R -l /sys/fs/cgroup; REEVE_KILL_LEVEL=cgroup exec "$@"' - \
	timeout 20 "$REEVE" node --coordinator "$T/work/coordinator" --state "$T/work/node" --name n1
want_err "kill level cgroup does not work here"
