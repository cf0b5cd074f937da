# A watcher over tcp that stops reading while runs are busy: it misses no transition, and the coordinator keeps nothing for it.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
export XDG_CONFIG_HOME=$T/config
units=20000

port=$(free_port)
coordinator --durability process --listen "tcp://127.0.0.1:$port"
node one --slots 8
wait_until 20 joined one
expect 0 reeve token create --coordinator "$CO" --role operator --out "$T/operator"
expect 0 reeve login --token-file "$T/operator" --name ann

memory_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid_of co)/status"; }
finished() { grep -c '"type":"unit_finished"' "$1"; }
stopped() { grep -q '^State:.T' "/proc/$1/status"; }

say "a first run, so that the coordinator has the size that such a run gives it"
cat >wide.json <<P
{"version": 1, "name": "wide", "workspace": {"mode": "none"}, "units": [
 {"id": "gate", "command": ["sh", "-c", "while [ ! -e GATE ]; do sleep 0.02; done"]},
 {"id": "u", "depends_on": ["gate"], "for_each": {"count": $units}, "agent": "noop"}]}
P
sed "s|GATE|$T/first|" wide.json >first.json
touch "$T/first"
submit first.json
wait_until 60 run_ended

say "two that follow: one reads on, one is stopped behind its first transitions"
sed "s|GATE|$T/go|" wide.json >second.json
submit second.json
start slow "$REEVE" events -f "$run" -o jsonl --coordinator "tcp://127.0.0.1:$port"
start brisk "$REEVE" events -f "$run" -o jsonl --coordinator "tcp://127.0.0.1:$port"
for name in slow brisk; do
	wait_until 20 grep -q '"type":"unit_assigned"' "$T/$name.out"
done
kill -STOP "$(pid_of slow)"
wait_until 10 stopped "$(pid_of slow)"
before=$(memory_kib)
touch "$T/go"
wait_until 60 run_ended
finish brisk 0
want_eq "$(finished "$T/brisk.out")" $((units + 1))
[ "$(finished "$T/slow.out")" = 0 ] || fail "the stopped watcher has read on"

say "a run more, which it has nothing to do with"
watched=$run
submit first.json
wait_until 60 run_ended
after=$(memory_kib)
say "coordinator: $before KiB when it was stopped, $after KiB two runs later"

say "it goes on: each transition once, in order"
kill -CONT "$(pid_of slow)"
finish slow 0
python3 - "$T/slow.out" "$T/brisk.out" $units "$watched" <<'PY' || fail "the slow watcher's transitions are not those of the brisk one"
import json, sys
def read(path):
    return [json.loads(line) for line in open(path)]
slow, brisk, units, run = read(sys.argv[1]), read(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
def told(events):
    return [(e["position"], e["type"], e.get("unit"), e.get("attempt")) for e in events]
def facts(events):  # what is told live only has no part (docs/schemas/event.json)
    return [(e["position"], e["index"], e["part"]) for e in events if "part" in e]
positions = [e["position"] for e in slow]
assert positions == sorted(positions)
assert told(slow) == told(brisk)
assert facts(slow) == sorted(facts(slow)) and len(set(facts(slow))) == len(facts(slow))
ended = [e["unit"] for e in slow if e["type"] == "unit_finished"]
assert len(ended) == units + 1 and len(set(ended)) == units + 1, len(ended)
assert slow[-1]["type"] == "run_finished"
assert all(e.get("run") in (run, None) for e in slow)
PY
[ $((after - before)) -lt $((48 * 1024)) ] || fail "the coordinator grew from $before to $after KiB while a watcher was stopped"
