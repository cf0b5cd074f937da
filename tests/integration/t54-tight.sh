# Too few descriptors, too long a path: said, whatever the number.
. "$(dirname "$0")/lib.sh"

echo '{"version": 1, "units": [{"id": "a", "command": ["true"]}]}' >plan.json
for n in 5 6 7 8 9 10 12 16 20 24 31; do
	bash -c "ulimit -n $n; exec \"\$REEVE\" run plan.json" >"$T/out" 2>"$T/err" </dev/null
	status=$?
	# below this not even the loader finds its libraries
	[ $status = 127 ] && continue
	case $status in 3) want_err "files" ;; *) fail "exit $status with $n descriptors" ;; esac
done
bash -c 'ulimit -n 32; exec "$REEVE" run plan.json' >"$T/out" 2>"$T/err" </dev/null
want_eq $? 0

deep=$PWD/$(printf 'd%.0s' {1..200})/$(printf 'e%.0s' {1..200})/$(printf 'f%.0s' {1..200})
mkdir -p "$deep"
cp plan.json "$deep"
cd "$deep" || exit 1
"$REEVE" run plan.json >"$T/out" 2>"$T/err" </dev/null && fail "a path of ${#deep} bytes was taken"
want_err "the journal's path has"
want_err "--state"
expect 0 reeve run plan.json --state "$T/short"
