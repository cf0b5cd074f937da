# A unit that is to begin once at most: neither going on with its run nor a retry of all that failed starts it again.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "units": [
 {"id": "once", "at_most_once": true, "command": ["sh", "-c", "echo x >>begun; exit 1"]},
 {"id": "again", "command": ["test", "-e", "mended"]},
 {"id": "after", "command": ["true"], "depends_on": ["once"]}
]}
PLAN
begun() { want_eq "$(wc -l <begun)" "$1"; }
expect 1 reeve run plan.json
run=$(run_id)
begun 1
touch mended
expect 1 reeve run --resume plan.json
want_err "1 of 3 succeeded, 1 failed, 1 skipped"
expect 1 reeve retry $run --failed
begun 1
expect 2 reeve retry $run/once
want_err "--force"
begun 1
expect 1 reeve retry $run/once --force
begun 2

# run is killed under them: what had begun is lost, what had not runs
cat >many.json <<'PLAN'
{"version": 1, "units": [{"id": "n", "for_each": {"count": 12}, "at_most_once": true, "env": {"N": "{{item}}"},
 "command": ["sh", "-c", "echo $N >>many; exec sleep 0.3"]}]}
PLAN
start run "$REEVE" run -j 3 many.json
wait_until 20 sh -c '[ "$(wc -l <many)" -ge 5 ]'
kill -KILL "$(pid_of run)"
finish run 137
for i in 1 2 3; do
	"$REEVE" run --resume -j 3 many.json >"$T/out" 2>"$T/err" </dev/null
done
want_eq "$(sort many | uniq -d)" ""
want_eq "$(sort -u many | wc -l)" 12
