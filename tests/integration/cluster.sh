# cluster.sh - a coordinator and nodes, for tests of many machines:  . "$(dirname "$0")/lib.sh"; . "$here/cluster.sh"
#
#   coordinator [OPTION...]      $CO, in the background as `co`; returns once it serves
#   node NAME [OPTION...]        in the background; its state is $T/NAME; over ipc, or as $TO says
#   IN=COMMAND                   what both are started with (nsenter ...); empty: as they are
#   joined NAME, idle NAME       true while the coordinator has it as joined, without attempts; node_row NAME KEY prints a value
#   submit PLAN                  $run
#   run_ended                    true once $run has ended
#   kill_node NAME               -9 to its warden and its daemon, as when the machine dies
#   witness COMMAND              a shell command that writes `start UNIT ATTEMPT NODE` and `end ...` to $W around COMMAND
#   count PATTERN                lines of $W that match

CO=$T/co W=$T/witness IN= TO="--coordinator $T/co"
: >"$W"
export W

coordinator() {
	: >"$T/co.err"
	start co $IN "$REEVE" coordinator --state "$CO" "$@"
	wait_until 20 grep -q event=coordinator_serving "$T/co.err"
}

node() {
	local name=$1
	shift
	start "$name" $IN "$REEVE" node $TO --state "$T/$name" --name "$name" "$@"
}

node_row() {
	"$REEVE" nodes --coordinator "$CO" -o json | python3 -c '
import json, sys
d = json.load(sys.stdin)
print("".join(str(n[sys.argv[2]]) for n in d["nodes"] if n["name"] == sys.argv[1]))' "$1" "$2"
}

joined() { [ "$(node_row "$1" state)" = joined ]; }
idle() { [ "$(node_row "$1" attempts)" = 0 ]; }

submit() {
	run=$("$REEVE" submit --coordinator "$CO" "$@" 2>"$T/err") || fail "submit $*"
	say "run $run"
}

run_state() { "$REEVE" status --coordinator "$CO" -o json "$run" | python3 -c 'import json, sys; print(json.load(sys.stdin)["state"])'; }
run_ended() { case $(run_state) in succeeded | failed | cancelled) ;; *) return 1 ;; esac; }

kill_node() {
	local warden daemon
	warden=$(pid_of "$1")
	daemon=$(pgrep -P "$warden" -o)
	kill -STOP "$daemon" "$warden"
	kill -KILL "$warden" "$daemon"
}

witness() { printf '%s' "echo start \$REEVE_UNIT_ID \$REEVE_ATTEMPT \$REEVE_NODE >>$W; $1; echo end \$REEVE_UNIT_ID \$REEVE_ATTEMPT \$REEVE_NODE >>$W"; }
count() { grep -cE -- "$1" "$W"; }

# --- hosts: network namespaces joined by a bridge, for tests that are root ------------------------------------------------------
#
#   hosts NAME...                a namespace each, 10.77.0.1, .2 ... in order; removed at the end of the test
#   at NAME                      sets IN: what is started next lives there
#   address NAME                 its address
#   cut_off NAME, mend NAME      its cable

LAB=rv$$

need_root_and() {
	local tool
	[ "$(id -u)" = 0 ] || skip "network namespaces take root"
	for tool in ip nsenter "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

hosts() {
	local name n=0
	trap 'hosts_gone; end_test' EXIT
	ip netns add "$LAB-sw" || fail "cannot make network namespaces"
	ip -n "$LAB-sw" link add name hub type bridge
	ip -n "$LAB-sw" link set hub up
	for name; do
		n=$((n + 1))
		ip netns add "$LAB-$name"
		ip -n "$LAB-$name" link add eth type veth peer name "p-$name" netns "$LAB-sw"
		ip -n "$LAB-sw" link set "p-$name" master hub up
		ip -n "$LAB-$name" addr add "10.77.0.$n/24" dev eth
		ip -n "$LAB-$name" link set lo up
		ip -n "$LAB-$name" link set eth up
		printf -v "address_$name" %s "10.77.0.$n"
	done
	host_names=$*
}

hosts_gone() {
	local status=$? name
	for pid in ${started[@]+"${started[@]}"}; do
		kill -KILL -- "-$pid" 2>/dev/null
	done
	for name in $host_names sw; do
		ip netns del "$LAB-$name" 2>/dev/null
	done
	return $status
}

at() { IN="nsenter --net=/run/netns/$LAB-$1"; }
address() {
	local v=address_$1
	echo "${!v}"
}
cut_off() { ip -n "$LAB-sw" link set "p-$1" down; }
mend() { ip -n "$LAB-sw" link set "p-$1" up; }
