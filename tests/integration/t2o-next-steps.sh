# What goes wrong for somebody new says what, where and what would be right, with a command that can be typed.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
name: two
units:
  - {id: a, command: [sh, -c, 'until [ -e gate ]; do sleep 0.05; done']}
  - {id: b, command: ["true"], depends_on: [a]}
Y
names() { "$REEVE" status "$1" "${@:2}" | grep -qE "^a +active"; }

say "a directory that may not be written"
if [ "$(id -u)" = 0 ]; then
	nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
	chmod 755 "$T"
else
	nobody=
fi
mkdir closed
cp plan.yaml closed
chmod 555 closed
cd closed
for verb in "run plan.yaml" coordinator; do
	expect 6 $nobody "$REEVE" $verb
	want_err "closed/.reeve: Permission denied"
	want_err "\`--state ~/reeve\`"
done
expect 6 $nobody "$REEVE" init --file new.yaml
want_err "\`reeve init --file DIR/plan.yaml\`"
cd ..
expect 3 reeve run plan.yaml --state plan.yaml
want_err "--state DIR names the directory"

say "a run that goes on: gone on with, a unit tried again, a run that is not named"
expect 2 reeve set max_workers=3
want_err "\`reeve set RUN max_workers=3\`; \`reeve status\` lists the runs"
expect 2 reeve hold
want_err "\`reeve hold RUN/UNIT\`"
start run "$REEVE" run plan.yaml
wait_until 20 sh -c '"$REEVE" status -o name | grep -q .'
run=$(run_id)
wait_until 20 names "$run"
expect 3 reeve run --resume plan.yaml
want_err "run $run is still running: reeve (pid $(pid_of run) on "
want_err "\`reeve wait $run\`"
want_err "\`reeve cancel $run\` ends it"
expect 3 reeve run --resume=$run plan.yaml --state .reeve
want_err "\`reeve wait $run --state .reeve\`"
want_err "\`reeve cancel $run --coordinator $PWD/.reeve/runs/$run\`"
expect 2 reeve retry a
want_err "unit \"a\" is running"
want_err "\`reeve cancel $run/a\` ends it"
expect 2 reeve retry b
want_err "unit \"b\" has not ended"
want_err "\`reeve explain $run/b\`"
expect 2 reeve skip a
want_err "\`reeve cancel $run/a\`"
expect 2 reeve set max_workers=3
want_err "run $run goes on here: \`reeve set $run max_workers=3\`"
expect 2 reeve set $run
want_err "\`reeve set $run max_workers=4\`"
expect 2 reeve set max_worker=3
want_err "did you mean max_workers?"
expect 2 reeve set $run max_workers
want_err "as in max_workers=4"
for verb in pause cancel close; do
	expect 2 reeve $verb
	want_err "\`reeve $verb $run\`"
done
touch gate
finish run 0

say "nobody to submit to"
mkdir "$T/alone"
cp plan.yaml "$T/alone"; cd "$T/alone"
expect 5 reeve submit plan.yaml --coordinator ../nowhere
expect 5 env XDG_CONFIG_HOME="$T/none" "$REEVE" cancel 0
want_err "\`reeve run PLAN\` or \`reeve coordinator\` starts one here"
mkdir .reeve
expect 5 env XDG_CONFIG_HOME="$T/none" "$REEVE" submit plan.yaml
want_err "\`reeve coordinator\` starts one here"
cd "$T/work"

say "a coordinator: its directory, its port, its address"
mkdir kept
cd kept
port=$(free_port)
start coordinator "$REEVE" coordinator --listen "tcp://127.0.0.1:$port"
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
expect 3 reeve coordinator
want_err "$PWD/.reeve is in use by reeve coordinator (pid $(pid_of coordinator) on "
want_err "\`kill $(pid_of coordinator)\` ends it"
want_err "\`reeve coordinator --state DIR\`"
expect 3 reeve coordinator --state other --listen "tcp://127.0.0.1:$port"
want_err "another process on this machine has the port $port"
want_err "--listen 'tcp://127.0.0.1:"
expect 3 reeve coordinator --state other --listen "tcp://192.0.2.1:$port"
want_err "192.0.2.1 is no address of this machine; --listen 'tcp://*:$port'"
expect 2 reeve coordinator --state other --listen 127.0.0.1:$port
want_err "did you mean tcp://127.0.0.1:$port?"
for word in $port :$port "*:$port"; do
	expect 2 reeve coordinator --state other --listen "$word"
	want_err "did you mean tcp://*:$port?"
done
for verb in status node; do
	expect 5 reeve $verb --coordinator localhost:$port
	want_err "did you mean tcp://localhost:$port?"
	expect 5 reeve $verb --coordinator .
	want_err "did you mean its state directory, ./.reeve?"
done
expect 2 reeve token create --endpoint localhost:$port
want_err "did you mean tcp://localhost:$port?"
expect 6 reeve node --coordinator tcp://127.0.0.1:$port
want_err "\`reeve node --token-file token\`"
expect 2 reeve node
want_err "\`reeve node --coordinator $PWD/.reeve\` runs units for the one here"
kill "$(pid_of coordinator)"
finish coordinator 0
expect 2 reeve node
want_err "not running: \`reeve coordinator --state $PWD/.reeve\` starts it"
for verb in submit\ ../plan.yaml status wait; do
	expect 5 reeve $verb
	want_err "\`reeve coordinator --state $PWD/.reeve\`"
done
cd "$T/work"

say "plans: commands that are no arrays of text, tabs, names that nobody has"
# mistake TEXT-OF-UNITS HINT...: what check says of it
mistake() {
	printf 'version: 1\nagents: {coder: {profile: mock}}\nunits:\n%b' "$1" >wrong.yaml
	expect 2 reeve check wrong.yaml
	shift
	for hint; do want_err "$hint"; done
}
mistake '  - {id: a, command: [true]}\n' 'in quotes it is text: "true"'
mistake '  - {id: a, command: [sleep, 1]}\n' 'in quotes it is text: "1"'
mistake '  - {id: a, command: true}\n' 'as an array of text: command: ["true"]'
mistake '  - id: a\n    command: echo hi\n' 'command: [echo, hi]; with a shell: command: [sh, -c, "echo hi"]'
mistake '  - id: a\n    command: echo hi | wc\n' 'with a shell: command: [sh, -c, "echo hi | wc"]'
mistake '  - id: a\n    command:\n' 'command: [PROGRAM, ARGUMENT]'
mistake '  - {id: a, command: []}\n' 'command: [PROGRAM, ARGUMENT]'
mistake '  - {id: a, command: [x]}\n  - {id: b, command: [x], depends_on: a}\n' 'as an array: depends_on: [a]'
mistake '  - {id: a, command: [x], description: 3}\n' 'in quotes it is text: "3"'
mistake '  - {id: a, command: [x], timeout_s: "3"}\n' 'without quotes: 3'
mistake '\t- id: a\n' 'a tab is used as indentation' 'wrong.yaml:4:1' 'use spaces'
mistake '  - id: a\n  \tcommand: [x]\n' 'a tab is used as indentation' 'wrong.yaml:5' 'use spaces'
mistake '  - id: a\n   command: [x]\n' 'in the same column'
mistake '  - id: a\n    description: what: this\n' 'stands in quotes'
mistake '  - {id: a, command: [x}\n' 'each [ needs its ]'
mistake '  - {id: a, agent: codexx, prompt: p}\n' 'did you mean "codex"?'
mistake '  - {id: a, agent: someone, prompt: p}\n' '`agents`, or use claude, codex or mock'
mistake '  - {id: a, command: [x], working_directory: x}\n' 'did you mean "cwd"?'
mistake '  - {id: a, command: [x], needs: [b]}\n' 'did you mean "depends_on"?'
mistake '  - {id: a, command: [x], mock: {}}\n' 'agent has such a key, unit has not'
mistake '  - {id: a, command: [x], colour: red}\n' '`reeve help plan` lists the keys of unit'
cat >wrong.yaml <<'Y'
version: 1
agents: {a: {profile: mock, mock: {cost_usd: 1}}, b: {profile: codexx}}
units: [{id: u, agent: a, prompt: p}]
Y
expect 2 reeve check wrong.yaml
want_err 'its keys are delay_s, fail, output, tokens;'
want_err 'did you mean "codex"?'
: >wrong.yaml
expect 2 reeve check wrong.yaml
want_err '`reeve init --file -`'
expect 2 reeve run plan.yaml --set max_worker=3
want_err " --> --set max_worker=3"
want_err 'did you mean "max_workers"?'
