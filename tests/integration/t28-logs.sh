# Logs that are large, capped, without newlines, interleaved, of namespaces, of several attempts.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "logs", "units": [
 {"id": "long", "command": ["seq", "1", "400000"]},
 {"id": "capped", "log_max_mb": 1, "command": ["seq", "1", "600000"]},
 {"id": "one-line", "command": ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' A; echo; echo last"]},
 {"id": "empty-lines", "command": ["sh", "-c", "yes '' | head -n 500000; echo end"]},
 {"id": "no-newline", "command": ["printf", "no newline"]},
 {"id": "silent", "command": ["true"]},
 {"id": "mixed", "command": ["sh", "-c", "for i in 1 2 3 4 5; do echo out $i; sleep 0.02; echo err $i >&2; sleep 0.02; done"]},
 {"id": "space", "namespace": "always", "command": ["sh", "-c", "echo out; echo err >&2; seq 1 200000"]},
 {"id": "swapped", "namespace": "always", "command": ["sh", "-c", "mkdir aside; echo not its log >aside/stdout.log; mv \"$REEVE_NAMESPACE/logs\" was; ln -s \"$PWD/aside\" \"$REEVE_NAMESPACE/logs\"; echo said"]},
 {"id": "binary", "command": ["sh", "-c", "head -c 200000 /dev/urandom"]},
 {"id": "tries", "retry": {"max": 2, "base_s": 0.01}, "command": ["sh", "-c", "echo this is try $REEVE_TRY; test $REEVE_TRY = 3"]},
 {"id": "dead", "command": ["sh", "-c", "seq 1 50000; exit 9"]}
]}
PLAN
expect 1 reeve run plan.json
want_err "11 of 12 succeeded"
want_err "| 50000"
want_out "[dead] 50000"

expect 0 reeve logs long
want_eq "$(wc -l <"$T/out")" 400000
want_eq "$(sort -nu "$T/out" | wc -l)" 400000
expect 0 reeve logs long --tail 3
want_eq "$(tr '\n' ' ' <"$T/out")" "399998 399999 400000 "
expect 0 reeve logs long --tail 300000
want_eq "$(head -1 "$T/out")" 100001
want_eq "$(wc -l <"$T/out")" 300000

say "capped"
expect 0 reeve logs capped
want_eq "$(head -1 "$T/out")" 1
want_eq "$(tail -1 "$T/out")" 600000
[ "$(stat -c %s "$T/out")" -lt 1320000 ] || fail "more than the cap and what lies in the shared log"
grep -qvE '^[0-9]+$' "$T/out" || fail "no marker where something was left out"
expect 0 reeve status -o json
expect 0 reeve status "$(run_id)" -o json
want_json 'units["capped"].get("log_truncated") is True and "log_truncated" not in units["long"]'

say "odd lines"
expect 0 reeve logs one-line
want_eq "$(tail -1 "$T/out")" last
[ "$(stat -c %s "$T/out")" = 3000006 ] || fail "$(stat -c %s "$T/out") bytes"
expect 0 reeve logs one-line --tail 1
want_eq "$(cat "$T/out")" last
expect 0 reeve logs empty-lines
want_eq "$(wc -l <"$T/out")" 500001
expect 0 reeve logs no-newline
want_eq "$(cat "$T/out"; echo .)" "$(printf 'no newline\n.')"
expect 0 reeve logs no-newline --raw
want_eq "$(stat -c %s "$T/out")" 10
expect 0 reeve logs silent
want_empty "$T/out"
expect 0 reeve logs mixed
want_eq "$(tr '\n' ' ' <"$T/out")" "out 1 err 1 out 2 err 2 out 3 err 3 out 4 err 4 out 5 err 5 "
expect 0 reeve logs binary
LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$T/out" && fail "a control character came through"
expect 0 reeve logs binary --raw
want_eq "$(stat -c %s "$T/out")" 200000

say "namespaces and attempts"
expect 0 reeve logs space
want_eq "$(wc -l <"$T/out")" 200002
want_out err
# it put a link in the place of its logs: what that leads to is not read
reeve logs swapped >"$T/out" 2>&1 || true
want_no_out "not its log"
expect 0 reeve logs tries --attempt 2
want_eq "$(cat "$T/out")" "this is try 2"
expect 0 reeve logs tries
want_eq "$(cat "$T/out")" "this is try 3"

say "the node's files are gone: the last of a failed unit is still there"
rm -r ".reeve/runs/$(run_id)/node"
expect 0 reeve logs dead
want_eq "$(tail -1 "$T/out")" 50000
[ "$(stat -c %s "$T/out")" -gt 60000 ] || fail "not 64 KiB"
expect 0 reeve logs long
want_empty "$T/out"
