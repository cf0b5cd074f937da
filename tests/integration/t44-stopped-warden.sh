# A warden that stands still (SIGSTOP): a second Ctrl-C ends all the same, the next run and --resume end what it holds before they start.
. "$(dirname "$0")/lib.sh"

count() { pgrep -fc -- "$1" || true; }
none_of() { [ "$(count "$1")" = 0 ]; }
plan() { # plan MARK: two units that run until killed, one of them with an orphan in its own session
	cat >plan.json <<-J
	{"version":1,"name":"$1","units":[
	 {"id":"a","command":["bash","-c","echo x >>tries-a; touch up-a; exec -a $1-a sleep 300"]},
	 {"id":"b","command":["bash","-c","setsid bash -c 'exec -a $1-b sleep 300' & touch up-b; wait"]}]}
	J
	rm -f up-a up-b tries-a
}
up() { [ -f up-a ] && [ -f up-b ] && [ "$(count "$1-")" -ge 2 ]; }
warden_of() { pgrep -P "$1" | head -1; }
stands() { grep -q '^State:.*T' "/proc/$1/status"; }
stop() { kill -STOP "$1" && wait_until 10 stands "$1"; }
said() { grep -qF -- "$2" "$T/$1.err"; }

# Ctrl-C twice
mark=sw-$$-int
plan $mark
start run "$REEVE" run -j 4 -o json plan.json
wait_until 20 up $mark
warden=$(warden_of "$(pid_of run)")
stop "$warden"
kill -INT "$(pid_of run)"
wait_until 10 said run "once more kills at once"
kill -INT "$(pid_of run)"
finish run 130
want_in "$T/run.err" "the warden does not answer"
none_of $mark || fail "$(count $mark) processes after the end"
gone "$warden" || fail "the warden lives"

# run is killed: the next run in that state directory
mark=sw-$$-next
plan $mark
start run "$REEVE" run -j 4 plan.json
wait_until 20 up $mark
warden=$(warden_of "$(pid_of run)")
stop "$warden"
kill -KILL "$(pid_of run)"
finish run 137
cat >next.json <<J
{"version":1,"units":[{"id":"x","command":["sh","-c","pgrep -fc '[s]w-$$-next-' >left; true"]}]}
J
expect 0 reeve run next.json
want_eq "$(cat left)" 0
none_of $mark || fail "$(count $mark) processes of a dead run live on"
wait_until 10 gone "$warden"

# run is killed: --resume
mark=sw-$$-resume
plan $mark
start run "$REEVE" run -j 4 plan.json
wait_until 20 up $mark
warden=$(warden_of "$(pid_of run)")
stop "$warden"
kill -KILL "$(pid_of run)"
finish run 137
rm -f up-a up-b
start again "$REEVE" run -j 4 --resume plan.json
wait_until 20 up $mark
wait_until 10 gone "$warden"
want_eq "$(count "^$mark-a")" 1
want_eq "$(count "^$mark-b")" 1
kill -INT "$(pid_of again)"
finish again 130
none_of $mark || fail "$(count $mark) processes after the end"
