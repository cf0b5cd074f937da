# `run` and the verbs that look, with an outside that fails: descriptors, disks, readers, limits, a second instance.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "door", "units": [
 {"id": "a", "command": ["sh", "-c", "echo x >>ran; echo printed"]},
 {"id": "b", "command": ["sh", "-c", "echo x >>ran"], "depends_on": ["a"]}
]}
PLAN
ran() { [ "$(wc -l <ran 2>/dev/null || echo 0)" = "$1" ] || fail "ran $(wc -l <ran) units, not $1"; rm -f ran; }

say "descriptors 0-2 closed"
"$REEVE" run plan.json <&- >&- 2>&-
want_eq $? 0
ran 2
expect 0 reeve status $(run_id)
want_out "2 of 2 succeeded"
"$REEVE" run plan.json -o json >&- 2>"$T/err"
want_eq $? 3
want_err "Bad file descriptor"
ran 2

say "a full disk on stdout, on stderr"
"$REEVE" run plan.json -o json >/dev/full 2>"$T/err"
want_eq $? 3
want_err "No space left"
ran 2
"$REEVE" run plan.json -o jsonl >/dev/full 2>"$T/err"
want_eq $? 3
ran 2
"$REEVE" run plan.json 2>/dev/full
want_eq $? 0
ran 2
expect 3 reeve run plan.json --events /dev/full
ran 2

say "a reader that went away"
{ "$REEVE" run plan.json --show all 2>"$T/err"; echo $? >"$T/status"; } | true
wait_until 10 test -s "$T/status"
case $(cat "$T/status") in 0 | 3) ;; *) fail "exit $(cat "$T/status")" ;; esac
ran 2

say "16 descriptors: it works or says why, and leaves nothing running"
bash -c 'ulimit -n 16; exec "$REEVE" run plan.json' >"$T/out" 2>"$T/err" </dev/null
case $? in
0) ran 2 ;;
3) want_err "reeve: " ;;
*) fail "neither works nor says why" ;;
esac
rm -f ran

say "a second instance on one run"
cat >wait.json <<'PLAN'
{"version": 1, "name": "two", "units": [{"id": "w", "command": ["sh", "-c", "while [ ! -e go ]; do sleep 0.05; done"]}]}
PLAN
start first "$REEVE" run wait.json
wait_until 10 sh -c '"$REEVE" status -o json | grep -q "\"name\":\"two\""'
run=$("$REEVE" status -o name | tail -1)
expect 3 reeve run wait.json --resume=$run
want_err "$(pid_of first)"
touch go
finish first 0

say "what was in a run's directory is not what it should be"
expect 0 reeve run plan.json
run=$(run_id)
cp -r .reeve/runs/$run "$T/copy"
truncate -s 5000 .reeve/runs/$run/journal.db
rm -f .reeve/runs/$run/journal.db-*
expect 3 reeve status $run
want_err "reeve: "
expect 3 reeve status
want_err "run $run: "
want_out door
expect 3 reeve logs $run/a
rm -r .reeve/runs/$run && cp -r "$T/copy" .reeve/runs/$run
rm -r .reeve/runs/$run/blobs
expect 4 reeve status $run
rm -r .reeve/runs/$run && cp -r "$T/copy" .reeve/runs/$run
rm -r .reeve/runs/$run/node
expect 0 reeve logs $run/a
rm -r .reeve/runs/$run && mkdir .reeve/runs/$run
expect 4 reeve status $run
expect 0 reeve rm $run
[ ! -e .reeve/runs/$run ] || fail "left"
