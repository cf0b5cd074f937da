# A Ctrl-C is obeyed at once, not when the next second of the status line is over.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "units": [{"id": "s", "command": ["sh", "-c", "touch up; exec sleep 60"]}]}
PLAN

# The quickest of four tries: a busy machine may be late, a program that waits for a timer is late each time. The signal comes right
# behind the start, when nearly all of that second is still to come.
best=1000000
for i in 1 2 3 4; do
	rm -f up
	start run "$REEVE" run plan.json
	wait_until 20 test -f up
	before=$(date +%s%N)
	kill -INT "$PID"
	finish run 130
	took=$((($(date +%s%N) - before) / 1000000))
	[ $took -ge $best ] || best=$took
done
[ $best -lt 500 ] || fail "$best ms from the signal to the end of a unit that obeys TERM"
