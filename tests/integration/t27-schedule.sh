# A graph imported, run with real processes and exported: old ids, order of dependencies, slots never exceeded.
. "$(dirname "$0")/lib.sh"

python3 - >dag.json <<'PY'
import json, random
r = random.Random(11)
tasks = []
for i in range(40):
    deps = sorted({f"task {r.randrange(max(0, i - 8), i)}:x" for _ in range(r.randrange(3))}) if i else []
    tasks.append({"id": f"task {i}:x", "runtime_s": r.choice([1, 2, 5]), "cores": r.choice([1, 1, 1, 2, 9]), "deps": deps})
print(json.dumps({"name": "generated", "tasks": tasks}))
PY
expect 0 reeve import dag dag.json --scale 0.02 --max-cores 4
cp "$T/out" plan.json
expect 0 reeve check plan.json
expect 0 reeve run plan.json -j 4
expect 0 reeve export schedule
valid schedule-line
python3 - dag.json "$T/out" <<'PY' || fail "the schedule breaks a rule"
import json, sys
tasks = {t["id"]: t for t in json.load(open(sys.argv[1]))["tasks"]}
lines = [json.loads(l) for l in open(sys.argv[2])]
bad = []
if sorted(l["unit"] for l in lines) != sorted(tasks):
    bad.append("not every task ran exactly once")
end = {l["unit"]: l["end"] for l in lines}
points = []
for l in lines:
    t = tasks[l["unit"]]
    if l["slots"] != min(t["cores"], 4) or l["status"] != "ok" or l["attempt"] != 1:
        bad.append(f"{l}")
    if l["end"] - l["start"] < t["runtime_s"] * 0.02 - 0.001:
        bad.append(f"{l['unit']} ended too early")
    bad += [f"{l['unit']} began before {d} ended" for d in t["deps"] if l["start"] < end[d]]
    points += [(l["start"], 1, l["slots"]), (l["end"], 0, -l["slots"])]
used = most = 0
for _, _, slots in sorted(points):
    used += slots
    most = max(most, used)
if most > 4:
    bad.append(f"{most} slots in use, of 4")
if most < 3:
    bad.append("nothing overlapped")
print("\n".join(bad[:10]))
sys.exit(bool(bad))
PY
