# run --joblog: GNU parallel's columns, a line a unit the moment it has ended, of fan-outs and of plans.
. "$(dirname "$0")/lib.sh"

head=$(printf 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand')
columns() { cut -f"$1" "$T/log" | tail -n +2 | sort -n | tr '\n\t' ' ,'; }

say "columns"
before=$(date +%s)
expect 1 reeve run --joblog "$T/log" -- sh -c 'test $1 != 9 || kill -9 $$; sleep 0.1; exit $1' sh ::: 0 3 9
want_eq "$(head -1 "$T/log")" "$head"
want_eq "$(columns 1,7,8)" "1,0,0 2,3,0 3,0,9 "
want_eq "$(tail -n +2 "$T/log" | sort -n | head -1 | cut -f9)" "sh -c 'test \$1 "'!'"= 9 || kill -9 \$\$; sleep 0.1; exit \$1' sh 0"
python3 - "$T/log" "$before" <<'PY' || fail "times"
import re, sys
for line in open(sys.argv[1]).read().splitlines()[1:]:
    seq, host, start, took, send, receive, code, signal, command = line.split('\t')
    assert re.fullmatch(r'\d+\.\d{3}', start) and re.fullmatch(r' *\d+\.\d{3}', took) and len(took) == 10, line
    assert int(sys.argv[2]) <= float(start) < int(sys.argv[2]) + 60 and host and send == receive == '0', line
    assert signal == '9' or 0.1 <= float(took) < 30, line
PY

say "hostile inputs take one line each"
printf 'a\nb\0c\td\0e\033]0;x\007\0' >nul
expect 0 reeve run --joblog "$T/log" -0 --each nul -- true {}
want_eq "$(wc -l <"$T/log")" 4
grep -q "$(printf '\033')" "$T/log" && fail "an escape"
want_eq "$(awk -F'\t' '{print NF}' "$T/log" | sort -u)" 9

say "as units end, not at the end"
mkfifo go; rm "$T/log"
start live "$REEVE" run -j 2 --joblog "$T/log" -- sh -c 'test $1 = 2 || read x <go' sh ::: 1 2
wait_until 10 sh -c "cut -f1 '$T/log' | grep -qx 2"
want_eq "$(columns 1)" "2 "
echo >go
finish live 0
want_eq "$(columns 1)" "1 2 "

say "the last try counts; --resume goes on with the file, a new run begins anew"
job='test -e ok || test $1 = a'
expect 1 reeve run --joblog "$T/log" --set defaults.retry.max=2 --set defaults.retry.base_s=0.01 -- sh -c "$job" sh ::: a b
want_eq "$(columns 1,7)" "1,0 2,1 "
touch ok
expect 0 reeve run --joblog "$T/log" --resume -- sh -c "$job" sh ::: a b
want_eq "$(columns 1,7)" "1,0 2,0 2,1 "
want_eq "$(grep -c ^Seq "$T/log")" 1
expect 0 reeve run --joblog "$T/log" -- true ::: x
want_eq "$(columns 1,9)" "1,true x "

say "a plan: what was skipped never ran"
echo '{"version": 1, "units": [{"id": "a", "command": ["false"]}, {"id": "b", "command": ["true"], "depends_on": ["a"]}, {"id": "c", "command": ["echo", "it'"'"'s"]}]}' >plan.json
expect 1 reeve run plan.json --joblog "$T/log"
want_eq "$(columns 1,7)" "1,1 3,0 "
want_in "$T/log" "echo 'it'\\''s'"

say "a file that cannot be written is told before anything runs"
expect 4 reeve run --joblog "$T/no/such" -- touch ran ::: a
want_err "cannot write the job log"
[ ! -e ran ] || fail "it ran"
if [ -c /dev/full ]; then
	expect 3 reeve run --joblog /dev/full -- true ::: a
	want_err "cannot write to /dev/full"
fi
