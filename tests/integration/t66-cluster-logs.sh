# What a unit printed, asked of a coordinator: before it begins, while it says nothing, when it said nothing at all, after its node has gone; by
# ipc and by tcp.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

coordinator --listen "tcp://127.0.0.1:$(free_port)"
export REEVE_COORDINATOR=$CO
expect 0 reeve token create --role node --uses 1
mv "$T/out" "$T/token"
chmod 600 "$T/token"

active() { "$REEVE" status "$run" -o json >"$T/st" && [ "$(json "units['$1']['state']" "$T/st")" = active ]; }
started() { "$REEVE" explain "$run/$1" -o json >"$T/st" && [ "$(json "d['reasons'][0].get('started', False)" "$T/st")" = true ]; }

# logs_of NODE: the whole matrix on a node of that name, which is the only one
logs_of() {
	local n=$1
	rm -f gate
	cat >plan.json <<-J
	{"version": 1, "name": "logs", "workspace": {"mode": "none"}, "units": [
	 {"id": "quiet", "command": ["sh", "-c", "while [ ! -e $T/work/gate ]; do sleep 0.05; done; echo over"]},
	 {"id": "noisy", "command": ["sh", "-c", "echo begun; while [ ! -e $T/work/gate ]; do sleep 0.05; done"]},
	 {"id": "queued", "command": ["true"]},
	 {"id": "later", "command": ["true"], "depends_on": ["quiet"]},
	 {"id": "again", "command": ["sh", "-c", "echo try \$REEVE_TRY; [ \$REEVE_TRY = 2 ]"], "retry": {"max": 1, "backoff": "none"}, "depends_on": ["quiet"]},
	 {"id": "broken", "command": ["sh", "-c", "yes x | head -c 100000; echo last words; exit 3"], "depends_on": ["quiet"]},
	 {"id": "fine", "command": ["echo", "well"], "depends_on": ["quiet"]}]}
	J
	submit plan.json
	wait_until 20 started quiet
	wait_until 20 started noisy

	say "$n: while it runs"
	expect 0 reeve logs "$run/quiet"
	want_empty "$T/out"
	want_empty "$T/err"
	expect 0 reeve logs "$run/noisy"
	want_eq "$(cat "$T/out")" begun
	expect 4 reeve logs "$run/later"
	want_err "has not run: it is pending"
	wait_until 20 active queued
	expect 0 reeve logs "$run/queued"
	want_empty "$T/out"
	want_err "has not started"
	for u in quiet queued later; do
		start "follow_$u" "$REEVE" logs -f "$run/$u"
	done
	expect 124 timeout 1.5 "$REEVE" logs -f "$run/quiet" # one that begins as they do is still there
	: >gate
	for u in quiet queued later; do
		finish "follow_$u" 0
		want_empty "$T/follow_$u.err"
	done
	want_eq "$(cat "$T/follow_quiet.out")" over
	want_empty "$T/follow_queued.out"

	say "$n: when it has ended"
	expect 1 reeve wait "$run"
	for u in queued later; do
		expect 0 reeve logs "$run/$u"
		want_empty "$T/out"
		want_err "unit \"$u\" printed nothing"
	done
	expect 0 reeve logs "$run/again"
	want_eq "$(cat "$T/out")" "try 2"
	expect 0 reeve logs "$run/again" --attempt 1
	want_eq "$(cat "$T/out")" "try 1"
	expect 4 reeve logs "$run/again" --attempt 3
	want_err "has no attempt 3"
	expect 0 reeve logs "$run/broken"
	want_eq "$(wc -c <"$T/out" | tr -d ' ')" 100011

	say "$n: when its node has gone"
	kill -TERM "$(pid_of "$n")"
	finish "$n" 0
	expect 0 reeve logs "$run/broken"
	want_eq "$(wc -c <"$T/out" | tr -d ' ')" 65536
	want_eq "$(tail -1 "$T/out")" "last words"
	want_err "the node is gone"
	expect 4 reeve logs "$run/fine"
	want_err "away"
	expect 0 reeve logs "$run/again" --attempt 1
	want_eq "$(cat "$T/out")" "try 1"
	expect 4 reeve logs "$run/again"
	want_err "away"
}

node near --slots 2
wait_until 20 joined near
logs_of near
TO="--token-file $T/token" IN="env -u REEVE_COORDINATOR"
node far --slots 2
wait_until 20 joined far
grep -q "coordinator=tcp://" "$T/far/session" || fail "far has not come by tcp"
logs_of far

say "a node that does not answer for a while is waited for"
rm -f gate
TO="--coordinator $CO" IN=
node back --slots 2
wait_until 20 joined back
submit plan.json
wait_until 20 started noisy
start follow "$REEVE" logs -f "$run/noisy"
wait_until 20 grep -q begun "$T/follow.out"
daemon=$(pgrep -P "$(pid_of back)" -o)
kill -STOP "$daemon"
wait_until 30 grep -q "waiting for it" "$T/follow.err"
kill -CONT "$daemon"
: >gate
finish follow 0
want_eq "$(cat "$T/follow.out")" begun
want_eq "$(wc -l <"$T/follow.err" | tr -d ' ')" 1
