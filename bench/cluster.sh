#!/usr/bin/env bash
# cluster.sh REEVE DIR SLOTS ipc|tcp power|process - a coordinator and two nodes in the foreground, for REEVE_UP of run-peers.sh
#
# SLOTS are shared by the two nodes. Over tcp they join by a token, CURVE as ever; DIR/co is the coordinator's state directory, by which a client
# on this host asks it either way (DIR/login, an operator's XDG_CONFIG_HOME, over tcp). DIR/up is there once both nodes have joined.
set -eu
reeve=$1 dir=$2 slots=$3 link=$4 durability=$5
mkdir -p "$dir"
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT TERM INT
listen=()
if [ "$link" = tcp ]; then
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	listen=(--listen "tcp://127.0.0.1:$port")
fi
"$reeve" coordinator --state "$dir/co" --durability "$durability" "${listen[@]}" &
until "$reeve" nodes --coordinator "$dir/co" >/dev/null 2>&1; do sleep 0.1; done
for n in 1 2; do
	share=$(((slots + n - 1) / 2))
	if [ "$link" = tcp ]; then
		(umask 077 && "$reeve" token create --coordinator "$dir/co" >"$dir/token$n")
		"$reeve" node --coordinator "tcp://127.0.0.1:$port" --token-file "$dir/token$n" --state "$dir/n$n" --name "n$n" --slots "$share" &
	else
		"$reeve" node --coordinator "$dir/co" --state "$dir/n$n" --name "n$n" --slots "$share" &
	fi
done
if [ "$link" = tcp ]; then
	(umask 077 && "$reeve" token create --coordinator "$dir/co" --role operator >"$dir/token")
	XDG_CONFIG_HOME=$dir/login "$reeve" login --token-file "$dir/token"
	echo "tcp://127.0.0.1:$port" >"$dir/address"
else
	echo "$dir/co" >"$dir/address"
fi
until [ "$("$reeve" nodes --coordinator "$dir/co" -o json | grep -o '"state":"joined"' | wc -l)" = 2 ]; do sleep 0.1; done
touch "$dir/up"
wait
