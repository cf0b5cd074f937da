# run --only: one unit, with the outputs that its dependencies left in the newest run; run --dry-run; retry of an ended run.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
name: only
units:
  - {id: a, command: [sh, -c, 'echo ran >>a; echo "out of a"']}
  - {id: t, for_each: [x, y], command: [sh, -c, 'echo "{item}" >>t; echo "t {item}"']}
  - {id: b, depends_on: [a, t], env: {A: "{{_dep_a}}", T: "{{_dep_t}}"}, command: [sh, -c, 'echo "$A $T" >>b; [ -f fixed ]']}
  - {id: c, depends_on: [b], command: [sh, -c, 'echo c >>c']}
verify: {command: [sh, -c, 'echo verified >>v']}
Y

# --dry-run shows the order and runs nothing
expect 0 reeve run --dry-run -j 2 plan.yaml
want_out "nothing was run"
expect 0 reeve run --dry-run -j 2 -o json plan.yaml
want_json '[u["id"] for u in d["units"]][-2:] == ["c", "__verify__"] and len(d["units"]) == 6'
[ ! -e a ] && [ ! -d .reeve/runs ] || fail "a dry run ran something"

# what this machine cannot run can be looked at
cat >far.yaml <<'Y'
version: 1
units: [{id: a, command: ["true"], labels: {zone: far}}]
Y
expect 2 reeve run far.yaml
expect 0 reeve run --dry-run far.yaml
want_err "it would not run here: "
want_err "--label zone=far"
want_out "nothing was run"

# nothing to take the outputs from
expect 2 reeve run --only b plan.yaml
want_err "run the whole plan, or --only a first"

expect 1 reeve run plan.yaml
first=$(run_id)
want_eq "$(cat b)" 'out of a ["t x","t y"]'

# the unit alone, again: its dependencies are found, not run
expect 1 reeve run --only b -o json plan.yaml
want_eq "$(wc -l <a) $(wc -l <t) $(wc -l <b)" "1 2 2"
want_eq "$(tail -1 b)" 'out of a ["t x","t y"]'
want_json 'units["b"]["state"] == "failed" and units["a"]["ok"] and d["total"] == 4'
touch fixed
expect 0 reeve run --only b plan.yaml
expect 0 reeve run --only t-0002 -o json plan.yaml
want_eq "$(tail -1 t)" y
want_json 'd["total"] == 1 and d["units"][0]["id"] == "t-0002"'
[ ! -e c ] && [ ! -e v ] || fail "more than one unit ran"
expect 4 reeve run --only bb plan.yaml
want_err 'did you mean "b"?'

# retry of the ended run: goes on where it failed, and resets what was skipped because of it
expect 0 reeve retry "$first/b" -o json
want_json 'd["run"] == "'$first'" and d["state"] == "succeeded" and d["succeeded"] == 5'
want_eq "$(wc -l <a) $(cat c) $(cat v)" "1 c verified"
