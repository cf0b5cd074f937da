# allowed_directories: overlap ordered, strict, serialize, allow; two runs in one workspace.
. "$(dirname "$0")/lib.sh"
mkdir api web

# ordered: units that could run together may not overlap
cat >ordered.yaml <<'Y'
version: 1
units:
  - {id: a, allowed_directories: [api], command: [echo, a]}
  - {id: b, allowed_directories: [api/v1], command: [echo, b]}
Y
expect 2 reeve run ordered.yaml
want_err E_DIR_OVERLAP
[ ! -d .reeve/runs ] || [ -z "$(ls .reeve/runs)" ] || fail "a refused plan made a run"
sed 's/{id: b, /{id: b, depends_on: [a], /' ordered.yaml >chain.yaml
expect 0 reeve run -o json chain.yaml
want_json 'all(u["enforcement"] == "none" for u in d["units"]) if "enforcement" in d["units"][0] else True'
expect 0 reeve run chain.yaml
want_err ", directories not enforced, "

# strict: no two units ever
sed 's/^version: 1/version: 1\nworkspace: {overlap: strict}/' chain.yaml >strict.yaml
expect 2 reeve run strict.yaml
want_err E_DIR_OVERLAP

# serialize: overlap becomes mutual exclusion; what does not overlap goes on beside it
cat >serial.yaml <<'Y'
version: 1
workspace: {overlap: serialize}
units:
  - {id: u, for_each: {count: 4}, allowed_directories: [api], command: [sh, -c, 'mkdir api/lock || exit 9; sleep 0.15; rmdir api/lock']}
  - {id: root, allowed_directories: [.], command: [sh, -c, '[ ! -d api/lock ] || exit 9']}
  - {id: sub, allowed_directories: [api/v1], command: [sh, -c, 'mkdir api/lock || exit 9; sleep 0.1; rmdir api/lock']}
Y
expect 0 reeve run -j 8 -o json serial.yaml
want_json 'd["succeeded"] == 6'

# allow: no exclusion
sed 's/serialize/allow/; s/mkdir api.lock || exit 9; //; s/; rmdir api.lock//; s/\[ ! -d api.lock \] || exit 9/true/' serial.yaml >allow.yaml
expect 0 reeve run -j 8 allow.yaml

# Two runs: overlapping directories wait for each other, others do not.
cat >long.yaml <<'Y'
version: 1
units: [{id: holder, allowed_directories: [api], command: [sh, -c, 'touch held; until [ -f go ]; do sleep 0.05; done']}]
Y
cat >other.yaml <<'Y'
version: 1
units: [{id: waiter, allowed_directories: [api/v1], command: [touch, waited]}]
Y
cat >apart.yaml <<'Y'
version: 1
units: [{id: apart, allowed_directories: [web], command: [touch, apart]}]
Y
start long "$REEVE" run long.yaml
wait_until 20 test -f held
start other "$REEVE" run other.yaml
wait_until 20 grep -q "waiting: workspace" "$T/other.err"
grep -q 'directory "api" is held by reeve run' "$T/other.err" || fail "who holds it is not said"
expect 0 reeve run apart.yaml
[ -f apart ] && [ ! -f waited ] || fail "the wrong one waited"
touch go
finish long 0
finish other 0
[ -f waited ] || fail "the waiting run did not go on"

# A holder that died holds nothing.
rm -f go held
start long "$REEVE" run long.yaml
wait_until 20 test -f held
kill -KILL "$(pid_of long)"
finish long
rm -f waited
expect 0 reeve run other.yaml
[ -f waited ] || fail "a dead run kept its directory"
