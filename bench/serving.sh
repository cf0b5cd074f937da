#!/usr/bin/env bash
# serving.sh [REEVE] - how long a coordinator that was killed takes until it serves again, with 100,000 live units
#
# One run of 102,000 units: 2,000 run on a node of this machine, 100,000 ask for a label that no node has. Then kill -9 and start, five times.
set -eu
reeve=$(realpath "${1:-build/reeve}")
dir=$(mktemp -d)
trap 'kill $coordinator $node 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
cd "$dir"
coordinator= node=

start() {
	: >log
	local began=$EPOCHREALTIME
	"$reeve" coordinator --state "$dir/state" >log 2>&1 &
	coordinator=$!
	until grep -q coordinator_serving log; do kill -0 $coordinator && sleep 0.002; done
	awk -v a="$began" -v b="$EPOCHREALTIME" -v p="$(cat /proc/$coordinator/stat)" \
		'BEGIN { split(p, s, " "); printf "serving after %.2f s, %.2f s of CPU\n", b - a, (s[14] + s[15]) / 100 }'
}

start
"$reeve" node --state "$dir/node" --coordinator "$dir/state" --name n >node.log 2>&1 &
node=$!
python3 -c '
import json, random
random.seed(1)
print(json.dumps({"version": 1, "name": "many", "workspace": {"mode": "none"}}))
for i in range(102000):
    unit = {"id": f"u{i}", "command": ["true"]}
    if i >= 2000:
        unit |= {"depends_on": [f"u{random.randrange(max(0, i - 5000), i)}"], "labels": {"zone": "nowhere"}}
    print(json.dumps(unit))' >plan.jsonl
run=$("$reeve" submit --coordinator "$dir/state" - <plan.jsonl)
until "$reeve" status "$run" --coordinator "$dir/state" -o json | grep -q '"succeeded": *2000\b'; do sleep 0.5; done
for _ in 1 2 3 4 5; do
	kill -9 $coordinator
	wait $coordinator 2>/dev/null || :
	start
done
