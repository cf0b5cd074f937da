# The live line on a terminal, and its absence everywhere else.
. "$(dirname "$0")/lib.sh"
tty() { python3 "$top/tests/lib/terminal.py" "$@"; }
esc=$(printf '\033')
unset CI
export TERM=xterm

cat >plan.json <<'PLAN'
{"version": 1, "name": "tty", "units": [
 {"id": "slow-one", "command": ["sleep", "2.6"]},
 {"id": "quick", "command": ["true"]},
 {"id": "bad", "command": ["sh", "-c", "printf 'x\\033]0;title\\007\\n'; exit 1"]}
]}
PLAN

expect 1 tty --columns 100 "$REEVE" run plan.json
want_out "$(printf '\r')"
grep -Eq '\[ [0-9]/3 ok [0-9] fail [0-9] run [0-9] wait \] [0-9.m]+s' "$T/out" || fail "no live line"
want_out "| slowest: slow-one 2."
grep -q '| slowest: slow-one 2[.0-9]*s @' "$T/out" || fail "the slowest has no node"
want_out "run $(run_id) tty: failed"
want_no_out "$esc]0;"

sed -i 's/"2.6"/"0.5"/' plan.json
say "a narrow terminal gets a shorter line"
expect 1 tty --columns 24 "$REEVE" run plan.json
tr '\r' '\n' <"$T/out" | sed "s/$esc\[K//g" | grep '^\[ ' | while IFS= read -r line; do
	[ ${#line} -lt 24 ] || { echo "$line"; exit 1; }
done || fail "a line longer than the terminal"

say "no terminal, NO_COLOR, TERM=dumb, CI: nothing is drawn over"
for how in "env TERM=dumb" "env CI=1"; do
	expect 1 tty $how "$REEVE" run plan.json
	grep -q "$esc" "$T/out" && fail "an escape with $how"
done
expect 1 reeve run plan.json
grep -q "$esc" "$T/out" "$T/err" && fail "an escape without a terminal"
tty --stdout "$T/answer" "$REEVE" run plan.json -o json >"$T/out" 2>&1
want_eq $? 1
valid result "$T/answer"

say "queries on a terminal show agents' text harmless"
expect 0 tty "$REEVE" logs bad
want_out '^[]0;title^G'
expect 0 tty "$REEVE" output bad
want_no_out "$esc]0;"

say "a job in the background does not draw over the prompt; brought to the front it draws"
cat >jobs.json <<'PLAN'
{"version": 1, "name": "jobs", "units": [{"id": "job", "command": ["sh", "-c", "until [ -e go ]; do sleep 0.05; done; sleep 0.6"]}]}
PLAN
rm -f go
expect 0 tty --columns 100 bash -mc '"$REEVE" run jobs.json & touch go; wait $!'
want_out "run $(run_id) jobs: succeeded"
want_no_out "$esc[K"
rm -f go
expect 0 tty --columns 100 bash -mc '"$REEVE" run jobs.json & p=$!
	(while [ "$(ps -o tpgid= -p $p)" -ne $p ]; do sleep 0.05; done; touch go) & fg %1 >/dev/null'
want_out "run $(run_id) jobs: succeeded"
want_out "$(printf '\r')$esc[K[ 0/1 ok"
