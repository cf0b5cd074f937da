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
expect 3 env REEVE_COORDINATOR=/nowhere "$REEVE" run --resume=$run plan.yaml --state .reeve
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
say "a word that is no run where one goes on: the run is named, and its unit"
expect 4 reeve cancel b
want_err 'there is no run "b"'
want_err "\`reeve cancel $run/b\`"
expect 4 reeve pause b
want_err "run $run goes on here: \`reeve pause $run\`"
touch gate
finish run 0

say "a run that ended: which, and what of it"
expect 4 reeve logs nix
want_err "there is no unit \"nix\" in run $run"
want_err "\`reeve status $run -o name\`"
expect 2 reeve retry --failed
want_err "the newest is $run: \`reeve retry $run --failed\`"
expect 2 reeve retry
want_err "UNIT of the newest run, RUN/UNIT, or RUN --failed"
expect 0 reeve gc --older 0s --keep 0
want_out "the same with --yes removes them"
cat >mend.yaml <<'Y'
version: 1
units:
  - {id: a, command: [sh, -c, 'exit 3']}
Y
expect 1 reeve run mend.yaml
expect 1 reeve retry a
! grep -q "has changed" "$T/err" || fail "a plan that was not changed is said to be"
sed -i 's/exit 3/exit 0/' mend.yaml
expect 1 reeve retry a
want_err "mend.yaml has changed since run"
want_err "\`reeve run mend.yaml\` all, from the beginning"

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
mistake '  - {id: a, command: [echo, {{item}}], for_each: [x]}\n' 'in quotes braces are text: "{{item}}"'
mistake '  - {id: a, command: [echo], hold: yes}\n' 'hold: true; other words'
mistake '  - {id: a, command: [echo], hold: Off}\n' 'hold: false; other words'
mistake '  - {id: a, command: [sleep, 1]}\n' 'in quotes it is text: "1"'
mistake '  - {id: a, command: true}\n' 'as an array of text: command: ["true"]'
mistake '  - id: a\n    command: echo hi\n' 'command: [echo, hi]; with a shell: command: [sh, -c, "echo hi"]'
mistake '  - id: a\n    command: sleep 1\n' 'command: [sleep, "1"]; with a shell'
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
mistake '  - {id: a, command: [x], profile: mock}\n' 'agent has such a key, unit has not'
mistake '  - {id: a, command: [x], colour: red}\n' '`reeve help plan` lists the keys of unit'
cat >wrong.yaml <<'Y'
version: 1
agents: {a: {profile: mock, mock: {price: 1}}, b: {profile: codexx}}
units: [{id: u, agent: a, prompt: p}]
Y
expect 2 reeve check wrong.yaml
want_err 'its keys are delay_s, '
want_err 'did you mean "codex"?'
: >wrong.yaml
expect 2 reeve check wrong.yaml
want_err '`reeve init --file -`'
expect 2 reeve run plan.yaml --set max_worker=3
want_err " --> --set max_worker=3"
want_err 'did you mean "max_workers"?'

say "units that never began, or printed nothing: the end of the run says what helps, and sends nobody to an empty log"
mkdir ends
cd ends
touch notes
cat >plan.yaml <<'Y'
version: 1
units:
  - {id: program, command: [no-such-program]}
  - {id: words, command: [echo hi]}
  - {id: path, command: [./no-such-script]}
  - {id: line, command: ["echo hi | wc"]}
  - {id: mode, command: [./notes]}
  - {id: place, command: ["true"], cwd: nowhere, retry: {max: 0}}
  - {id: silent, command: ["false"]}
  - {id: loud, command: [sh, -c, 'echo no; exit 4']}
  - {id: fine, command: ["true"]}
Y
expect 1 reeve run plan.yaml
run=$(run_id)
want_err "install it, or give its path in \`command\` (./no-such-program)"
want_err "command: [echo, hi]"
want_err 'with a shell: command: [sh, -c, "echo hi | wc"]'
want_err "a path in \`command\` begins where the unit does"
want_err "\`chmod +x ./notes\`"
want_err "\`mkdir -p $PWD/nowhere\`"
want_err "it printed nothing"
[ "$(grep -c 'reeve logs' "$T/err")" = 1 ] || fail "somebody is sent to an empty log"
want_err "reeve logs $run/loud"
for unit in program words line path mode place; do
	expect 0 reeve logs $unit
	want_empty "$T/out"
	want_err "unit \"$unit\" never ran: cannot be started:"
done
for unit in silent fine; do
	expect 0 reeve logs $unit
	want_empty "$T/out"
	want_err "unit \"$unit\" printed nothing"
done
expect 0 reeve logs loud
want_empty "$T/err"

say "--state is said again only where it is needed"
expect 1 reeve retry $run/loud
! grep -q -- --state "$T/err" || fail "a needless --state"
expect 1 reeve run plan.yaml --state .reeve
! grep -q -- --state "$T/err" || fail "a needless --state"
expect 1 reeve run plan.yaml --state ../other
want_err "/loud --state ../other"
expect 1 reeve wait --state ../other
want_out "/loud --state ../other"
expect 1 env REEVE_COORDINATOR=/nowhere "$REEVE" run plan.yaml --state .reeve
want_err "/loud --state .reeve"

say "mocks, files and words that are nearly right"
expect 0 reeve init agents --file agents.yaml
expect 1 reeve run agents.yaml --mock=agents
want_err "\`reeve run agents.yaml --mock\` plays commands, too"
expect 0 reeve run agents.yaml --mock
expect 2 reeve run agents.yaml --mock=agent
want_err "--mock=agents everything but agents"
expect 2 reeve run agents.yaml --mock agents
want_err "did you mean --mock=agents?"
for name in plan plan.yml plam.yaml; do
	expect 4 reeve run $name
	want_err "did you mean plan.yaml?"
done
expect 4 reeve check ../ends/plan.yml
want_err "did you mean ../ends/plan.yaml?"
expect 4 reeve run nothing-like-it
want_err "\`reeve init\` writes a plan"
expect 2 reeve run
want_err "\`reeve init\` writes a plan"
expect 2 reeve help mock
want_err "\`reeve run PLAN --mock\`"
want_err "\`profile: mock\`"
expect 2 reeve help agents
want_err "\`reeve init agents\`"
expect 2 reeve help cwd
want_err "\`reeve help plan | grep -A2 '^  cwd '\`"
expect 2 reeve help units
! grep -q "did you mean" "$T/err" || fail "a guess that makes no sense"
expect 2 reeve help mpc
! grep -q "did you mean" "$T/err" || fail "what is not built is offered"
expect 2 reeve staus
want_err "did you mean status?"
expect 2 reeve plan.yaml
want_err "\`reeve run plan.yaml\`"

say "verbs without their words, an output that is not there, a coordinator that does not answer"
expect 2 reeve export
want_err "\`reeve export report >report.html\`"
expect 2 reeve import
want_err "\`reeve import dag|wfformat|ralph|agentos FILE >plan.yaml\`"
expect 2 reeve check agents.yaml --mock=agent
want_err "--mock=agents everything but agents"
cat >skips.yaml <<'Y'
version: 1
units:
  - {id: first, command: ["false"]}
  - {id: second, command: ["true"], depends_on: [first]}
Y
expect 1 reeve run skips.yaml --state ../other
run=$(reeve status --state ../other -o name | tail -1)
expect 4 reeve output second --state ../other
want_err "\`reeve status $run/second --state ../other\` says why"
expect 4 reeve output first --state ../other
want_err "\`reeve logs $run/first --state ../other\`"
mkdir ../joined
cd ../joined
export XDG_CONFIG_HOME="$T/config"
start coordinator "$REEVE" coordinator --listen "tcp://127.0.0.1:$port"
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
expect 0 reeve token create --role operator --out token
mkdir "$T/elsewhere"
cd "$T/elsewhere"
expect 0 reeve login --token-file "$OLDPWD/token"
expect 0 reeve submit "$T/work/ends/plan.yaml"
run=$(cat "$T/out")
expect 0 reeve explain $run/loud
want_out "no node has joined; \`reeve help node\` says how one does"
expect 4 reeve output $run/loud
want_err "\`reeve wait $run\`"
kill "$(pid_of coordinator)"
finish coordinator 0
for verb in status "submit $T/work/ends/plan.yaml" wait; do
	expect 5 reeve $verb
	want_err "\`reeve coordinator --listen 'tcp://*:PORT'\`"
done

say "words that are nearly right"
printf 'units: {a: {prompt: x}}\n' >old.yaml
expect 2 reeve check old.yaml
want_err "a plan begins with the line: version: 1"
want_err "one of the plan's agents, claude or codex"
"$REEVE" init agents --file - >piped.yaml
expect 2 sh -c '"$REEVE" check - <piped.yaml'
want_err "\`-\` reads JSON, a line each, first the plan, then its units; a plan in YAML"
cat >told.yaml <<'Y'
version: 1
agents: {coder: {profile: mock}}
units:
  build: {command: [make]}
  review: {agent: coder, prompt: Look at it.}
Y
expect 2 reeve check told.yaml --show-prompt build
want_err "is a command: no agent is told anything"
expect 4 reeve check told.yaml --show-prompt reviw
want_err "did you mean review?"
expect 2 reeve run --dry told.yaml
want_err "did you mean --dry-run?"
expect 2 reeve run --each told.yaml
want_err "what is to run for each line of told.yaml"
expect 2 reeve run --each - echo {}
want_err "reeve run --each FILE -- CMD {}"
