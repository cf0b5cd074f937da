# The live views, driven by keys in a terminal: `watch` and `top` of a live run and of a cluster.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
command -v tmux >/dev/null || { [ -z "${CI:-}" ] && skip "no tmux"; fail "no tmux in CI"; }
unset CI NO_COLOR
esc=$(printf '\033')

tmux="tmux -L reeve-$$ -f /dev/null"
ends() { $tmux kill-server 2>/dev/null; end_test; }
trap ends EXIT
screen() { $tmux capture-pane -p; }
shows() { screen | grep -qE -- "$1"; }
shows_not() { ! shows "$1"; }
see() { wait_until 20 shows "$1" || { screen; exit 1; }; }
press() { $tmux send-keys "$@"; }
# wait_until fails the test without the screen: print it on the way out.
eval "$(declare -f fail | sed '1s/fail/fail_plainly/')"
fail() { echo "--- screen"; screen; fail_plainly "$@"; }

cat >plan.json <<'PLAN'
{"version": 1, "name": "nightly", "units": [
 {"id": "build-api", "command": ["sh", "-c", "n=0; while [ ! -e go ]; do n=$((n+1)); echo step $n; sleep 0.1; done"], "retry": {"max": 0}},
 {"id": "build-web", "command": ["sh", "-c", "until [ -e go ]; do sleep 0.1; done"]},
 {"id": "bad", "command": ["sh", "-c", "echo compiling; printf 'x\\033]0;owned\\007\\033[2J\\302\\2332J\\2332J\\rassertion \\342\\200\\256failed \\346\\227\\245\\346\\234\\254\\n'; exit 3"]},
 {"id": "gate", "hold": true, "command": ["true"]},
 {"id": "after", "depends_on": ["build-api"], "command": ["true"]}]}
PLAN
$tmux new-session -d -x 110 -y 30 "env PS1='ready> ' TERM=screen-256color bash --norc"
see '^ready>'

say "a live run: progress, what runs, a failure with its last line"
start run "$REEVE" run plan.json -j 3 --show none
has_run() { [ -n "$("$REEVE" status -o name 2>/dev/null)" ]; }
wait_until 20 has_run
run=$("$REEVE" status -o name)
both_run() { for u in api web; do "$REEVE" explain $run/build-$u | grep -q 'is there and runs' || return; done; }
wait_until 20 both_run
expect 0 reeve set $run priority=1 priority=0 # facts behind their beginning
press "echo before; $REEVE watch" Enter
see "reeve watch  run $run  nightly +running"
see '^\[!+>+\.+\]$'
see '0/5 ok  1 fail  2 run  2 wait'
see 'gate +held .*waits for a release'
see 'build-api +running +[0-9.]+'
see 'build-api +running +[0-9.ms]+ +[^ ]+ +1( |$)' # its try, although it began before anybody watched
see 'build-web +running +[0-9.ms]+ +[^ ]+ +1( |$)'
see 'bad +failed +.* exit status 3: x\^\[\]0;owned\^G\^\[\[2J\\u\{9b\}2J\\x9b2J\\rassertion'
$tmux display-message -p '#{pane_title}' | grep -q owned && fail "a unit named the terminal"
shows '^before' && fail "the view is not on a screen of its own"
press G l
see 'log of bad +attempt 1, failed'
see '^x\^\[\]0;owned\^G\^\[\[2J\\u\{9b\}2J\\x9b2J\\rassertion \\u\{202e\}failed 日本'
press q g

say "its log, followed, read from the start, left"
press j
see '^> build-api'
press l
see 'log of build-api +attempt 1, running'
follows() { shows "step $1\$"; }
last=$(screen | grep -oE 'step [0-9]+' | tail -1 | cut -d' ' -f2)
wait_until 20 follows $((${last:-0} + 5))
wait_until 20 follows 40
press Home
see '^step 1$'
shows '^step 40$' && fail "the log did not go back to its start"
press End
wait_until 20 shows 'at the end'
press q
see '^> build-api'

say "explain, help"
press e
see 'why build-api is active'
see 'attempt 1 is there and runs'
press Escape
see '^> build-api'
press '?'
see 'reeve watch: keys'
press q

say "cancel asks first"
press c
see 'cancel build-api\? y or n'
press n
wait_until 20 shows_not 'y or n'
"$REEVE" status $run | grep -q 'build-api .*active' || fail "cancelled without a yes"
press c
press y
see 'build-api +cancelled'
see 'cancel build-api: done'
see '1 cancelled'
"$REEVE" status $run | grep -q 'build-api .*cancelled' || fail "it shows cancelled what is not"

say "retry: the chosen unit is still chosen"
press r
see '^> build-api +running'
see 'retry build-api: done'
press l
see 'log of build-api +attempt 2, running'
press q

say "filter, all units"
press / W E B
see 'build-web'
wait_until 20 shows_not 'build-api'
press Enter
press Escape
see 'build-api'
press a
see 'after +pending +.* waits for build-api'
press a

say "pause and go on; release what is held"
press p
see 'paused: nothing new starts'
press p
wait_until 20 shows_not 'paused: nothing new starts'
press g
see '^> gate'
press h
see '1/5 ok'

say "another size"
$tmux resize-window -x 70 -y 12
narrow() { screen | awk 'length($0) > 70 { bad = 1 } END { exit bad }' && shows '^\[#+.*\]$' && [ "$(screen | sed -n 2p | wc -m)" -le 71 ]; }
wait_until 20 narrow
see '^q quit'
$tmux resize-window -x 110 -y 30
see 'e explain  a all  / filter$'

say "quit gives the screen back"
press q
see '^before'
see "detached; run $run goes on"
press 'stty -a | grep -c " echo "' Enter
see '^1$'

say "Ctrl-C and TERM do, too"
press "clear; echo second; $REEVE watch; echo status \$?" Enter
see 'reeve watch  run'
press C-c
see '^status 130'
see '^second'
press "clear; $REEVE watch; echo status \$?" Enter
see 'reeve watch  run'
strike() { kill -"$1" "$(pgrep -P "$($tmux display-message -p '#{pane_pid}')")"; }
strike TERM
see '^status 130'
press "clear; $REEVE watch; echo status \$?" Enter
see 'reeve watch  run'
strike ABRT
see '^status 134'
press 'stty -a | grep -c " icanon "' Enter
see '^1$'

say "the end of the run ends the view with what came of it"
press "clear; $REEVE watch --exit-status; echo status \$?" Enter
see 'reeve watch  run'
touch go
see "^run $run nightly: failed"
see 'status 1'
finish run 1
rm go

say "no terminal, or one that may not be drawn on: lines"
start run "$REEVE" run plan.json -j 3 --show none
wait_until 20 eval '[ "$("$REEVE" status -o name | wc -l)" = 2 ]'
run=$("$REEVE" status -o name | sort | tail -1)
start lines "$REEVE" watch $run
wait_until 20 eval '[ -n "$(pid_of lines)" ]'
tty() { python3 "$top/tests/lib/terminal.py" "$@"; }
tty env TERM=dumb "$REEVE" watch $run >"$T/dumb.tty" 2>&1 &
pids=$!
tty env CI=1 "$REEVE" watch $run >"$T/ci.tty" 2>&1 &
pids="$pids $!"
tty "$REEVE" watch --lines $run >"$T/lines.tty" 2>&1 &
pids="$pids $!"
press "clear; NO_COLOR=1 $REEVE watch $run" Enter
see 'build-api +running'
$tmux capture-pane -p -e | grep -E "$esc\[[0-9;]*3[0-7]m" && fail "a colour with NO_COLOR"
press q
press "clear; $REEVE watch $run" Enter
see 'build-api +running'
$tmux capture-pane -p -e | grep -qE "$esc\[[0-9;]*3[0-7]m" || fail "no colours at all"
press q
watched() { # who watches is told of what happens from then on: something happens until all have said so
	"$REEVE" pause $run && "$REEVE" unpause $run && [ -s "$T/lines.out" ] && [ -s "$T/dumb.tty" ] && [ -s "$T/ci.tty" ] && [ -s "$T/lines.tty" ]
}
wait_until 20 watched
expect 0 reeve release $run/gate
gate_over() { "$REEVE" status $run | grep -q 'gate .*succeeded'; }
wait_until 20 gate_over
touch go
finish run 1
finish lines 0
wait $pids
want_in "$T/lines.out" "nightly: failed"
for how in dumb ci lines; do
	want_in "$T/$how.tty" "gate"
	grep -q "$esc" "$T/$how.tty" && fail "an escape with $how"
done
rm go

say "what was handed over ahead of its turn, and before anybody watched, is not said to run"
mkdir "$T/work/ahead" && cd "$T/work/ahead"
cat >plan.json <<'PLAN'
{"version": 1, "units": [{"id": "turn", "for_each": {"count": 4}, "command": ["sh", "-c", "until [ -e go ]; do sleep 0.1; done"]}]}
PLAN
start run "$REEVE" run plan.json -j 1 --show none
wait_until 20 has_run
both_there() { "$REEVE" explain turn-0001 | grep -q 'is there and runs' && "$REEVE" explain turn-0002 | grep -q 'is there and has not started'; }
wait_until 20 both_there
expect 0 reeve set "$("$REEVE" status -o name)" priority=1 priority=0 # facts behind what was handed over
press "clear; cd $T/work/ahead; $REEVE watch" Enter
see 'turn-0001 +running'
see 'turn-0002 +assigned'
press q
touch go
finish run 0

say "a cluster: top, a run from there and back, nodes, the coordinator's death"
cd "$T/work" && mkdir -p cluster && cd cluster
cp ../plan.json .
coordinator
node n1 --slots 3
wait_until 20 joined n1
submit plan.json
press "clear; echo third; $REEVE top --coordinator $CO; echo status \$?" Enter
see 'reeve top  the coordinator in'
see 'nodes 1/1   slots [0-9]/3'
see "^> $run +nightly +running +\[.*\] [0-9]/5"
see 'n1 +joined +good +\[#+\.*\] slots 2/3'
press Enter
see "reeve watch  run $run"
see 'build-api +running'
press j l
see '^step [0-9]+'
press q q
see 'reeve top  the coordinator'
press p
see "nightly +paused"
press p
see "nightly +running"
expect 0 reeve top --coordinator "$CO" -o json
valid top
want_json 'd["totals"]["nodes_joined"] == 1 and d["totals"]["slots_used"] == 2 and len(d["runs"]) == 1 and d["runs"][0]["failed"] == 1'
expect 0 reeve top --coordinator "$CO" -n 2 --every 0.2s
want_eq "$(grep -c 'nodes 1/1 slots 2/3 ' "$T/out")" 2
expect 0 reeve top --coordinator "$CO" -o jsonl -n 2 --every 0.2s
valid top
expect 0 reeve top --coordinator "$CO" -o name
want_eq "$(cat "$T/out")" "$run"
expect 2 reeve top --every 1ms --coordinator "$CO"
want_err "at least 0.1s"
expect 5 reeve top --coordinator "$T/nobody" -o json
want_err '"error"'
press c y
see "$run +nightly +cancelled"
press q
see '^third'
see '^status 0'

say "the coordinator dies: the view waits for it, and leaves the screen whole"
submit plan.json
press "clear; echo fourth; $REEVE watch $run --coordinator $CO; echo status \$?" Enter
see 'build-api +running'
kill -9 "$(pid_of co)"
see 'the coordinator is not to be reached'
press C-c
see '^fourth'
see '^status 130'

say "what an agent said last is shown, JSON though it is"
mkdir "$T/bin" "$T/work/words" && cd "$T/work/words"
cat >"$T/bin/claude" <<'AGENT'
#!/bin/sh
[ "${1-}" != --version ] || { echo "2.1.332 (Claude Code)"; exit; }
cat >/dev/null
printf '%s\n' '{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"{\"type\":\"verdict\",\"ok\":false}"}]}}'
exit 3
AGENT
chmod +x "$T/bin/claude"
cat >plan.json <<'PLAN'
{"version": 1, "agents": {"coder": {"profile": "claude"}}, "units": [
 {"id": "said", "agent": "coder", "prompt": "x", "allowed_directories": ["a"], "retry": {"max": 0}},
 {"id": "waits", "command": ["sh", "-c", "until [ -e go ]; do sleep 0.1; done"]}]}
PLAN
start run env PATH="$T/bin:$PATH" "$REEVE" run plan.json --show none
wait_until 20 has_run
press "clear; cd $T/work/words; $REEVE watch" Enter
see 'said +failed .*\{"type":"verdict","ok":false\}'
touch go
finish run 1
