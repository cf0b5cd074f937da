# What people read is right in small things, too: one is no many, a wrong word is named, a live run is called live.
. "$(dirname "$0")/lib.sh"

cat >one.yaml <<'Y'
version: 1
units: [{id: alone, command: [sh, -c, 'until [ -e go ]; do sleep 0.05; done']}]
Y
expect 0 reeve graph one.yaml
want_out "one: 1 unit, 0 dependencies, 1 level"
expect 0 reeve run --dry-run one.yaml
want_out "1 unit would be started"

# --pass-env takes a name: a value would be a secret in the list of processes.
expect 2 reeve run --pass-env A=B one.yaml
want_err '--pass-env takes the NAME of a variable, not "A=..."'
expect 2 reeve run --pass-env '' one.yaml
want_err '--pass-env takes the NAME of a variable'
expect 2 reeve run --pass-env REEVE_RUN_ID one.yaml
want_err '--pass-env'

start run "$REEVE" run one.yaml
running() { "$REEVE" status -o json | grep -q '"state":"running"' && "$REEVE" status "$(run_id)" | grep -q active; }
wait_until 20 running
want_in "$T/run.err" ": 1 unit, "
run=$(run_id)
for force in '' --force; do
	expect 2 reeve rm $force "$run"
	want_err "run $run is still running: reeve"
	want_err "(pid $(pid_of run) on "
done
touch go
finish run 0

# A unit where a run is wanted.
expect 4 reeve status alone
want_err 'there is no run "alone"'
want_err "\`reeve status $run/alone\`"
expect 4 reeve events alone
want_err "\`reeve events $run/alone\`"
expect 4 reeve artifacts alone
want_err "\`reeve artifacts $run/alone\`"
expect 4 reeve status nobody
want_err "the newest is $run"
expect 0 reeve rm "$run"

sed 's/version: 1/version: 2/' one.yaml >two.yaml
expect 2 reeve check two.yaml
want_err '"version" is 2; it must be 1'
