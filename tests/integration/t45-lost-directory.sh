# A run whose directory goes, by a unit's hand or because it never began: a clear error, exit 3, and nothing left that misleads.
. "$(dirname "$0")/lib.sh"

cat >rm.json <<'J'
{"version":1,"units":[{"id":"a","command":["sh","-c","rm -rf .reeve"]},{"id":"b","depends_on":["a"],"command":["true"]}]}
J
expect 3 reeve run rm.json
want_err "was removed while it ran"
want_err "2 of 2 units had succeeded"
grep -q ": succeeded in" "$T/err" && fail "it says that it succeeded"
[ -z "$(ls -A .reeve 2>/dev/null)" ] || fail "left: $(ls -AR .reeve)"
expect 3 reeve run -o json rm.json
want_err '"code":"E_IO","message":"the directory of run'
want_empty "$T/out"

# the journal alone
cat >journal.json <<'J'
{"version":1,"units":[{"id":"a","command":["sh","-c","rm .reeve/runs/*/journal.db"]}]}
J
expect 3 reeve run journal.json
want_err "the journal of run"
rm -rf .reeve

# moved away and another put in its place
cat >move.json <<'J'
{"version":1,"units":[{"id":"a","command":["sh","-c","mv .reeve elsewhere; mkdir -p .reeve/runs"]}]}
J
expect 3 reeve run move.json
want_err "was removed while it ran"
rm -rf .reeve elsewhere

# set-up fails, before the journal has taken the run
echo '{"version":1,"units":[{"id":"a","command":["true"]}]}' >plain.json
mkdir .reeve
echo >.reeve/live
expect 3 reeve run plain.json
want_err "live"
[ -z "$(ls -A .reeve/runs)" ] || fail "left: $(ls -A .reeve/runs)"
rm .reeve/live
expect 0 reeve run plain.json
expect 0 reeve status
