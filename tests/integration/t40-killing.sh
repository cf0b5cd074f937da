# Killing is whole: whatever a unit makes of itself, after Ctrl-C or a timeout nothing of it lives, at each level this machine has.
. "$(dirname "$0")/lib.sh"

cat >nasty.sh <<'S'
# double fork and setsid, a process that ignores TERM, a small fork bomb: every process carries the mark
mark=$1
sh -c 'exec -a "$0-main" sleep 300' "$mark" &
setsid sh -c 'setsid sh -c "exec -a \"$0-orphan\" sleep 300" "$0" & exit 0' "$mark" &
bash -c 'trap "" TERM; exec -a "$0-deaf" bash -c "trap \"\" TERM; while :; do sleep 1; done"' "$mark" &
bash -c 'for i in $(seq 30); do (exec -a "$0-bomb" sleep 300) & done; wait' "$mark" &
touch "up-$mark"
trap '' TERM
wait
sleep 300
S
count() { pgrep -fc -- "$1" || true; }
none_of() { [ "$(count "$1")" = 0 ]; }

levels="pidns subreaper"
[ "$(id -u)" = 0 ] && levels="cgroup $levels"
for level in $levels; do
	export REEVE_KILL_LEVEL=$level

	mark=mark-$$-$level-int
	cat >plan.json <<-J
	{"version":1,"units":[{"id":"n","grace_s":0.5,"command":["bash","$PWD/nasty.sh","$mark"]}]}
	J
	start run "$REEVE" run plan.json
	wait_until 20 test -f "up-$mark"
	kill -INT "$(pid_of run)"
	finish run 130
	none_of "$mark" || fail "$level: $(count "$mark") processes after Ctrl-C"

	mark=mark-$$-$level-time
	cat >plan.json <<-J
	{"version":1,"units":[{"id":"n","timeout_s":0.7,"grace_s":0.5,"command":["bash","$PWD/nasty.sh","$mark"]}]}
	J
	expect 1 reeve run plan.json
	none_of "$mark" || fail "$level: $(count "$mark") processes after a timeout"

	# one that leaves a child behind and succeeds
	mark=mark-$$-$level-leave
	cat >plan.json <<-J
	{"version":1,"units":[{"id":"n","grace_s":0.3,"command":["bash","-c","(setsid bash -c 'exec -a $mark sleep 300' &) ; exit 0"]}]}
	J
	expect 0 reeve run plan.json
	none_of "$mark" || fail "$level: a child outlived its unit"

	# a second Ctrl-C kills at once, whatever the grace
	mark=mark-$$-$level-twice
	cat >plan.json <<-J
	{"version":1,"units":[{"id":"n","grace_s":60,"command":["bash","$PWD/nasty.sh","$mark"]}]}
	J
	start run "$REEVE" run plan.json
	wait_until 20 test -f "up-$mark"
	kill -INT "$(pid_of run)"
	wait_until 20 grep -q "once more kills at once" "$T/run.err"
	kill -INT "$(pid_of run)"
	wait_until 15 gone "$(pid_of run)"
	finish run 130
	none_of "$mark" || fail "$level: $(count "$mark") processes after a second Ctrl-C"
done
