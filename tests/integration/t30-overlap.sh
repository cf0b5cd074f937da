# Overlap is real: three independent units run at the same time, their dependents only after them, never more at once than -j says.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
name: overlap
defaults:
  env: {W: "witness"}
units:
  - {id: a, command: [sh, -c, 'date +"start a %s.%N" >>$W; sleep 0.5; date +"end a %s.%N" >>$W']}
  - {id: b, command: [sh, -c, 'date +"start b %s.%N" >>$W; sleep 0.5; date +"end b %s.%N" >>$W']}
  - {id: c, command: [sh, -c, 'date +"start c %s.%N" >>$W; sleep 0.5; date +"end c %s.%N" >>$W']}
  - {id: d, depends_on: [a, b], command: [sh, -c, 'date +"start d %s.%N" >>$W; date +"end d %s.%N" >>$W']}
  - {id: e, depends_on: [c, d], command: [sh, -c, 'date +"start e %s.%N" >>$W; date +"end e %s.%N" >>$W']}
Y

# windows: prints what of the witness file breaks a rule; FIRST units overlap pairwise, DEPS hold, at most MAX at once
windows() {
	python3 - "$1" <<'PY'
import sys
most = int(sys.argv[1])
start, end, marks = {}, {}, []
for line in open("witness"):
    what, unit, t = line.split()
    t = float(t)
    (start if what == "start" else end)[unit] = t
    marks.append((t, 1 if what == "start" else -1))
assert set(start) == set(end) == set("abcde"), (start, end)
if most >= 3:
    for x in "abc":
        for y in "abc":
            assert start[x] < end[y], f"{x} and {y} did not overlap"
for unit, deps in (("d", "ab"), ("e", "cd")):
    for dep in deps:
        assert start[unit] >= end[dep], f"{unit} started before {dep} had ended"
now = 0
for t, d in sorted(marks):
    now += d
    assert now <= most, f"{now} at once"
PY
}

expect 0 reeve run -j 4 plan.yaml
windows 4 || fail "see above"

rm witness
expect 0 reeve run -j 1 plan.yaml
windows 1 || fail "one at a time"

rm witness
expect 0 reeve run -j 8 --set max_workers=2 plan.yaml
windows 2 || fail "max_workers"

# The result says the same.
expect 0 reeve run -j 4 -o json plan.yaml
valid result
want_json 'd["state"] == "succeeded" and d["total"] == 5 and d["succeeded"] == 5 and d["failed"] == 0'
want_json 'units["a"]["started_at"] <= units["b"]["finished_at"] and units["b"]["started_at"] <= units["a"]["finished_at"]'
want_json 'units["d"]["started_at"] >= units["a"]["finished_at"] and units["d"]["started_at"] >= units["b"]["finished_at"]'
want_json 'all(u["ok"] and u["attempts"] == 1 and u["exit"] == 0 for u in d["units"])'
