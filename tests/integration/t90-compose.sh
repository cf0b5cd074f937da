# docker/: the image is built, a coordinator and three nodes run as compose.yaml has them and join with one token, a node is stopped
# in the middle of a run, and the run succeeds. Needs root, podman and a base image (scripts/base-image.sh), which CI has beside.
#
# Everything of podman's is in a directory of the test's own, its bridges in a network namespace of the test's own.
. "$(dirname "$0")/lib.sh"

command -v podman >/dev/null || skip "no podman"
for tool in podman-compose runc ip nsenter; do
	command -v $tool >/dev/null || skip "no $tool"
done
[ "$(id -u)" = 0 ] || skip "not root"
: "${CONTAINERS:=$top/build/containers}"
base=$CONTAINERS/base.tar.gz
[ -s "$base" ] || skip "no base image (scripts/base-image.sh $base)"

netns=reeve-$$
store=$CONTAINERS/store-$$
project=reeve-$$
export REEVE_IMAGE=localhost/reeve:test REEVE_TOKEN_FILE=$T/secrets/node-token
export CONTAINERS_CONF=$T/containers.conf CONTAINERS_STORAGE_CONF=$T/storage.conf
export DISABLE_HC_SYSTEMD=true # podman has its timers in systemd, which need not be there: the check is called by the test
umask 022
mkdir -p "$store" "$T/net"
hard=$(ulimit -Hn)
[ "$hard" != unlimited ] && [ "$hard" -lt 20000 ] || hard=20000
cat >"$CONTAINERS_CONF" <<C
[containers]
default_ulimits = ["nofile=$hard:$hard", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "$T/tmp"
[network]
network_config_dir = "$T/net"
C
cat >"$CONTAINERS_STORAGE_CONF" <<C
[storage]
driver = "overlay"
graphroot = "$store"
runroot = "$T/podman"
C

inside() { nsenter "--net=/run/netns/$netns" "$@"; }
compose() { inside podman-compose -p "$project" -f "$top/docker/compose.yaml" "$@"; }
container() { echo "${project}_${1}_1"; }
in_container() { # SERVICE CMD...
	local name
	name=$(container "$1")
	shift
	inside podman exec -i "$name" "$@"
}
co() { in_container coordinator reeve "$@"; }
healthy() { inside podman healthcheck run "$(container "$1")"; }
unhealthy() { ! healthy "$1"; }

clean_up() {
	status=$?
	[ -z "${KEEP:-}" ] || exit $status
	if [ $status != 0 ]; then
		for c in coordinator node1 node2 node3; do
			echo "--- $c"
			inside podman logs --tail 20 "$(container $c)" 2>&1 | cut -c 1-300
		done
	fi
	{
		inside podman rm -af -t 0
		inside podman volume prune -f
		inside podman network prune -f
		ip netns del "$netns"
		umount "$store/overlay"
		rm -rf --one-file-system "$store"
		find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} \;
	} >/dev/null 2>&1 </dev/null
	(exit $status)
	end_test
}
trap clean_up EXIT

say "the image, built without a registry"
podman import "$base" localhost/reeve-base:test >"$T/out" 2>"$T/err" </dev/null || fail "podman import"
podman build --isolation chroot --pull=never --format docker --build-arg BASE=localhost/reeve-base:test -t "$REEVE_IMAGE" \
	-f "$top/docker/Dockerfile" "$top" >"$T/out" 2>"$T/err" </dev/null || fail "podman build"
expect 0 podman inspect --type image -f '{{.User}} {{.Config.StopSignal}} {{.HealthCheck.Test}}' "$REEVE_IMAGE"
want_out "reeve SIGTERM [CMD reeve-health /var/lib/reeve]"

say "a coordinator, and a token of three uses"
expect 0 ip netns add "$netns"
expect 0 ip -n "$netns" link set lo up
mkdir -m 700 "$T/secrets"
expect 0 compose up -d coordinator
wait_until 30 healthy coordinator
co token create --uses 3 --endpoint tcp://coordinator:7700 >"$REEVE_TOKEN_FILE" 2>"$T/err" </dev/null || fail "token create"
chmod 444 "$REEVE_TOKEN_FILE" # the node's user reads it; the directory around keeps others out

say "three nodes"
expect 0 compose up -d
for n in node1 node2 node3; do
	wait_until 60 healthy $n
done
joined() {
	co nodes -o json >"$T/nodes" </dev/null && want=$1 &&
		[ "$(json '" ".join(sorted(n["name"] for n in d["nodes"] if n["state"] == "joined"))' "$T/nodes")" = "$want" ]
}
wait_until 30 joined "node1 node2 node3"
want_json 'all(n["kill_level"] == "pidns" for n in d["nodes"])' "$T/nodes"
expect 0 co token list -o json
want_json '[t["uses_left"] for t in d["tokens"]] == [0]'
expect 0 in_container node1 sh -c 'id -u; tr "\0" " " </proc/1/cmdline'
want_out 10001
want_out "reeve node --name node1"

say "a run; one node is stopped in the middle of it"
in_container coordinator sh -c 'cat >plan.yaml' <<'P'
version: 1
name: compose
workspace: {mode: shared}
units:
  - id: u
    for_each: {count: 60}
    command: [sh, -c, "(setsid sh -c 'setsid sleep 4242 & exit' &); sleep 0.5; echo $REEVE_NODE >>nodes; echo $REEVE_NODE"]
P
co submit plan.yaml >"$T/run" 2>"$T/err" </dev/null || fail "submit"
run=$(cat "$T/run")
on_node2() { co status "$run" -o json </dev/null >"$T/status" && [ "$(json 'any(u.get("node") == "node2" and u["state"] == "succeeded" for u in d["units"])' "$T/status")" = true ]; }
wait_until 30 on_node2
[ "$(json 'd["state"]' "$T/status")" = running ] || fail "the run has ended before the node was stopped"
expect 0 inside podman stop "$(container node2)"
expect 0 inside podman inspect -f '{{.State.ExitCode}}' "$(container node2)"
want_out 0
expect 0 co wait "$run" -o json
want_json 'd["state"] == "succeeded" and d["succeeded"] == 60 and d["failed"] == 0'
want_json '{u["node"] for u in d["units"]} == {"node1", "node2", "node3"}'

expect 0 in_container coordinator sort -u nodes
want_eq "$(tr '\n' ' ' <"$T/out")" "node1 node2 node3 "

say "what the units left is gone"
for n in node1 node3; do
	expect 0 in_container $n sh -c 'for p in /proc/[0-9]*; do [ "$(tr "\0" " " <$p/cmdline)" != "sleep 4242 " ] || exit 1; done'
done

say "the node comes back as the member it is, though the token is used up"
expect 0 inside podman start "$(container node2)"
wait_until 30 joined "node1 node2 node3"
wait_until 30 healthy node2

say "no coordinator, no health"
expect 0 inside podman stop "$(container coordinator)"
wait_until 60 unhealthy node1
expect 0 compose down
