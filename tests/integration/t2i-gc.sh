# gc removes what nobody wants any more and says why it keeps the rest.
. "$(dirname "$0")/lib.sh"

cat >ok.yaml <<'Y'
version: 1
units:
  - {id: a, command: [echo, hi]}
Y
cat >bad.yaml <<'Y'
version: 1
units:
  - {id: a, command: ["false"]}
Y
cat >long.yaml <<'Y'
version: 1
units:
  - {id: a, command: [sh, -c, 'while [ ! -e go ]; do sleep 0.05; done']}
Y
expect 4 reeve gc
expect 0 reeve run ok.yaml
ok=$(run_id)
expect 1 reeve run bad.yaml
bad=$(run_id)
start killed "$REEVE" run long.yaml
wait_until 10 eval '[ "$("$REEVE" status -o json "$(run_id)" 2>/dev/null | grep -c "\"state\":\"active\"")" = 1 ]'
killed=$(run_id)
kill -KILL "$PID"
wait_until 10 gone "$PID"
start live "$REEVE" run long.yaml
wait_until 10 eval '[ "$(run_id)" != $killed ] && [ "$("$REEVE" status -o json "$(run_id)" 2>/dev/null | grep -c "\"state\":\"active\"")" = 1 ]'
live=$(run_id)
broken=0000000000
mkdir .reeve/runs/$broken .reeve/runs/.rm-1111111111
echo x >.reeve/runs/.rm-1111111111/x
echo nonsense >.reeve/runs/$broken/journal.db

why() { json "[r['why'] for r in d['runs'] if r['run'] == '$1'][0]"; }
expect 0 reeve gc -o json
valid gc
want_json 'all("newest 10" in r["why"] or r["run"] in ("'$live'", ".rm-1111111111") for r in d["runs"])'
expect 0 reeve gc --keep 0 -o json
case $(why $ok) in "ended "*" ago") ;; *) fail "$(why $ok)" ;; esac
expect 0 reeve gc --keep 0 --older 0s -o json
valid gc
want_json '{r["run"] for r in d["runs"] if r["goes"]} == {"'$ok'", ".rm-1111111111"}'
case $(why $bad) in "it did not succeed"*) ;; *) fail "$(why $bad)" ;; esac
case $(why $killed) in "killed before it ended"*) ;; *) fail "$(why $killed)" ;; esac
case $(why $live) in "it runs: reeve (pid "*) ;; *) fail "$(why $live)" ;; esac
case $(why $broken) in "it cannot be read"*) ;; *) fail "$(why $broken)" ;; esac
expect 0 reeve gc --keep 0 --older 0s -o name
want_eq "$(sort "$T/out" | xargs)" ".rm-1111111111 $ok"
[ -d .reeve/runs/$ok ] || fail "removed without --yes"
expect 0 reeve gc --keep 0 --older 0s --yes
want_out "removed 2"
[ ! -e .reeve/runs/$ok ] && [ ! -e .reeve/runs/.rm-1111111111 ] || fail "something stayed"
for run in $bad $killed $live $broken; do
	[ -d .reeve/runs/$run ] || fail "$run went"
done
expect 0 reeve gc --keep 0 --older 0s --failed --yes -o json
want_json '[r["run"] for r in d["runs"] if r["removed"]] == ["'$bad'"] and d["freed_bytes"] > 0'
expect 2 reeve gc --older never
expect 2 reeve gc --keep=-1
touch go
finish live 0

# A coordinator's directory: what gc does not look into is said, whether or not there are runs beside it.
start co "$REEVE" coordinator --state co
wait_until 20 test -S co/sock
expect 4 reeve gc --state co
want_err "of a coordinator's blobs are not looked into"
want_err "reeve rm RUN"
kill -TERM "$PID"
wait_until 20 gone "$PID"
mkdir co/runs
expect 0 reeve gc --state co
want_out "of a coordinator's blobs are not looked into"
expect 0 reeve gc
! grep -q "not looked into" "$T/out" || fail "there is no coordinator here"
