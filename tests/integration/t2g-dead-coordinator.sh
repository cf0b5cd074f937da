# A coordinator that is not running is said to be so: nobody reads or asks something else in its place.
. "$(dirname "$0")/lib.sh"

export HOME=$T/home XDG_CONFIG_HOME=
mkdir "$HOME"
umask 077
echo '{"version":1,"name":"local","workspace":{"mode":"none"},"units":[{"id":"a","command":["true"]}]}' >plan.json
expect 0 reeve run plan.json -o json
local=$(json 'd["run"]')

serve() {
	: >"$T/coordinator.err"
	start coordinator "$REEVE" coordinator --listen 'tcp://127.0.0.1:*'
	wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
}
serve
endpoint=$(grep -o 'listen=tcp://[0-9.:]*' "$T/coordinator.err" | cut -d= -f2)
start n1 "$REEVE" node --coordinator .reeve --name n1 --slots 2
expect 0 reeve submit plan.json --wait
expect 0 reeve status -o name
run=$(cat "$T/out")
[ "$run" != "$local" ] || fail "the coordinator lists a run that is not its own"

say "beside a live coordinator: status says that there are more, a run that is named is read"
expect 0 reeve status
want_err "1 run of \`reeve run\` lies in $PWD/.reeve, too: \`reeve status --state $PWD/.reeve\`"
expect 0 reeve status -o json
valid status
want_json 'd["runs_beside"] == 1 and len(d["runs"]) == 1'
expect 0 reeve status $local
expect 0 reeve status --state .reeve -o name
want_eq "$(cat "$T/out")" $local

say "an operator is logged in at another one, which lives"
start other "$REEVE" coordinator --state "$T/other" --listen 'tcp://127.0.0.1:*'
wait_until 20 grep -q coordinator_serving "$T/other.err"
"$REEVE" token create --coordinator "$T/other" --role operator >"$T/token"
expect 0 reeve login --token-file "$T/token"

say "dead: exit 5 for each verb, naming it, since when, and how it is started again"
kill -KILL "$(pid_of coordinator)"
finish coordinator
for verb in status "status $run" wait "wait $run" watch "events $run" "logs $run/a" "output $run/a" "artifacts $run" "export events" "export schedule" nodes \
	"explain $run/a" "cancel $run" "pause $run" "retry $run --failed" "drain n1" "token list" "key list" "submit plan.json"; do
	expect 5 reeve $verb
	want_empty "$T/out"
	want_err "the coordinator in $PWD/.reeve is not running; it last wrote at 2"
	want_err "\`reeve coordinator --state $PWD/.reeve\`, with the --listen that it had, starts it again"
	want_err "by --state with that directory, or a run's id ($local is the newest), what \`run\` left there is read"
done
expect 5 reeve status -o json
valid error "$T/err"
want_empty "$T/out"
expect 5 reeve status --coordinator .reeve
want_err "is not running; it last wrote at"
expect 5 env REEVE_COORDINATOR=.reeve "$REEVE" wait
want_err "is not running; it last wrote at"
mkdir -p below/here
(cd below/here && "$REEVE" status >"$T/out" 2>"$T/err")
want_eq $? 5

say "what is named by --state, or is a run of that directory by its id, is still read"
expect 0 reeve status --state .reeve -o name
want_eq "$(cat "$T/out")" $local
expect 0 reeve wait $local
expect 0 reeve events $local
(cd / && "$REEVE" status --coordinator "$T/other" >"$T/out" 2>"$T/err") || fail "another coordinator, which is named"

say "nearer than it, runs of their own"
(cd below/here && "$REEVE" run ../../plan.json --state .reeve >/dev/null 2>&1 && "$REEVE" status -o name >"$T/out" 2>"$T/err") || fail "runs that are nearer"
want_eq "$(wc -l <"$T/out")" 1

say "of a coordinator that is asked over tcp no more is known than its address"
(cd / && REEVE_COORDINATOR="$endpoint" "$REEVE" status >"$T/out" 2>"$T/err")
want_eq $? 6
kill -TERM "$(pid_of other)"
finish other
(cd / && "$REEVE" status >"$T/out" 2>"$T/err")
want_eq $? 5
want_err "cannot be reached"

say "started again it is asked as before"
serve
expect 0 reeve status $run
