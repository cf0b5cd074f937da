# kill -9 of the warden, of run, of both, of a unit, of a unit's parent shell: each ends as documented and nothing survives.
. "$(dirname "$0")/lib.sh"

count() { pgrep -fc -- "$1" || true; }
none_of() { [ "$(count "$1")" = 0 ]; }
plan() { # plan MARK: two units that run until killed, one of them with an orphan in its own session
	cat >plan.json <<-J
	{"version":1,"name":"$1","units":[
	 {"id":"a","command":["bash","-c","touch up-a; exec -a $1-a sleep 300"]},
	 {"id":"b","command":["bash","-c","setsid bash -c 'exec -a $1-b sleep 300' & touch up-b; wait"]}]}
	J
	rm -f up-a up-b
}
up() { [ -f up-a ] && [ -f up-b ] && [ "$(count "$1-")" -ge 2 ]; }
warden_of() { pgrep -P "$1" | head -1; }

# run: the warden sees end of file and kills every unit
mark=k9-$$-run
plan $mark
start run "$REEVE" run -j 4 plan.json
wait_until 20 up $mark
warden=$(warden_of "$(pid_of run)")
kill -KILL "$(pid_of run)"
finish run 137
wait_until 15 none_of $mark
wait_until 15 gone "$warden"

# the warden: its units are ended and come back as failures of the environment, tried again under a new one
mark=k9-$$-warden
plan $mark
start run "$REEVE" run -j 4 -o json plan.json
wait_until 20 up $mark
rm -f up-a up-b
kill -KILL "$(warden_of "$(pid_of run)")"
wait_until 20 up $mark
kill -INT "$(pid_of run)"
finish run 130
none_of $mark || fail "$(count $mark) processes after the end"

# both at once: nothing once the next run there has started
mark=k9-$$-both
plan $mark
start run "$REEVE" run -j 4 plan.json
wait_until 20 up $mark
kill -KILL "$(pid_of run)" "$(warden_of "$(pid_of run)")"
finish run 137
echo '{"version":1,"units":[{"id":"x","command":["true"]}]}' >next.json
expect 0 reeve run next.json
none_of $mark || fail "$(count $mark) processes of a dead run live on"

# one unit, and a unit's parent shell: a failure by signal, nothing left
mark=k9-$$-unit
cat >unit.json <<J
{"version":1,"units":[
 {"id":"a","command":["bash","-c","touch up-a; exec -a $mark-a sleep 300"]},
 {"id":"b","command":["bash","-c","bash -c 'exec -a $mark-b sleep 300' & exec -a $mark-shell bash -c 'touch up-b; while :; do sleep 1; done'"]}]}
J
rm -f up-a up-b
start run "$REEVE" run -j 4 -o json unit.json
wait_until 20 up $mark
pkill -KILL -f -- "$mark-a"
pkill -KILL -f -- "$mark-shell"
finish run 1
none_of $mark || fail "$(count $mark) processes of killed units live on"
cp "$T/run.out" "$T/out"
want_json 'units["a"]["state"] == "failed" and units["a"]["reason"] == "signal" and units["a"]["class"] == "agent"'
want_json 'units["b"]["state"] == "failed"'
