#!/usr/bin/env bash
# screenshots.sh [REEVE] - docs/img/watch.svg and top.svg: the live views of a small cluster at work, in colours
#
# A coordinator, three nodes and three plans of mock agents in a scratch directory; tmux is the terminal. Takes about twenty seconds.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
reeve=$(realpath "${1:-$top/build/reeve}")
dir=/tmp/reeve-demo # it is seen in the pictures
mkdir "$dir"
pids= tmux=
ends() {
	[ -z "$tmux" ] || $tmux kill-server 2>/dev/null || true
	for pid in $pids; do kill "$pid" 2>/dev/null || true; done
	wait
	rm -rf "$dir"
}
trap ends EXIT
unset CI NO_COLOR
export LC_ALL=C.UTF-8 REEVE_COORDINATOR=$dir/co
cd "$dir"

# plan NAME UNITS PER_UNIT_MS: agents in two stages, a person between, and one that fails
plan() {
	python3 - "$@" <<'PY'
import json, sys
name, units, ms = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
words = ['parser', 'api', 'store', 'search', 'mail', 'login', 'billing', 'report', 'export', 'admin', 'docs', 'cache', 'queue', 'hooks', 'audit', 'theme']
agents = {f'coder-{k}': {'profile': 'mock', 'mock': {'delay_s': ms * k / 1000, 'tokens': 61000}} for k in (1, 2, 5)}
agents['writer'] = {'profile': 'mock', 'mock': {'delay_s': 0.2, 'tokens': 9000}}
out = [{'id': 'design', 'agent': 'writer', 'prompt': 'design it'},
       {'id': 'approve', 'command': ['true'], 'hold': True}]
for i in range(units):
    word = words[i % len(words)] + ('' if i < len(words) else f'-{i // len(words) + 1}')
    out.append({'id': f'build-{word}', 'agent': f'coder-{(1, 1, 2, 5)[i % 4]}', 'prompt': 'build it', 'depends_on': ['design']})
    test = f'sleep {ms / 2500}; [ {i % 5} != 4 ] || {{ echo "tests/{word}_test.c:{41 + i}: expected 200, got 500"; exit 1; }}'
    out.append({'id': f'test-{word}', 'command': ['sh', '-c', test], 'depends_on': [f'build-{word}']})
json.dump({'version': 1, 'name': name, 'agents': agents, 'units': out}, open(f'{name}.json', 'w'))
PY
}

"$reeve" coordinator --state co 2>co.log &
pids="$pids $!"
until grep -q event=coordinator_serving co.log; do sleep 0.1; done
for i in 1 2 3; do
	"$reeve" node --coordinator co --state n$i --name build-$i --slots 4 --agent-slots 3 2>/dev/null &
	pids="$pids $!"
done
until [ "$("$reeve" nodes -o name | wc -l)" = 3 ]; do sleep 0.1; done
plan nightly 24 2500
plan release-2.4 12 1500
plan docs 4 200
"$reeve" submit docs.json >/dev/null
run=$("$reeve" submit nightly.json)
"$reeve" submit release-2.4.json >/dev/null

# shot NAME SECONDS HEIGHT COMMAND...
shot() {
	tmux="tmux -L reeve-$1-$$ -f /dev/null"
	$tmux new-session -d -x 116 -y "$3" "${*:4}"
	sleep "$2" # the scene is one of so long after the start
	$tmux capture-pane -p -e -N |
		python3 "$top/scripts/screen-to-svg.py" --title "reeve $1" >"$top/docs/img/$1.svg"
	$tmux kill-server
}
shot top 9 16 "$reeve top"
shot watch 6 24 "$reeve watch $run"
