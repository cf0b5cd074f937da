# Before any verb does its work: help, unknown words, what is not built, and a hostile start.
. "$(dirname "$0")/lib.sh"

expect 0 reeve help
want_out "reeve run PLAN"
for verb in run check graph import status logs output artifacts events export retry rm; do
	expect 0 reeve help $verb
	want_out "reeve $verb"
	want_out "--help"
	expect 0 reeve $verb --help
done
for verb in $("$REEVE" help | sed -n 's/^  \([a-z]*\)  .*/\1/p'); do
	grep -q "\`$verb" "$top/docs/cli.md" || [ $verb = help ] || [ $verb = version ] || fail "docs/cli.md does not name $verb"
done

expect 2 reeve
want_err "a command is missing"
expect 2 reeve stauts
want_err "did you mean status?"
expect 2 reeve stauts -o json
valid error "$T/err"
want_empty "$T/out"

# Every verb of the whole program is known: what is not built says what it waits for.
for verb in credentials mcp; do
	expect 2 reeve $verb
	want_err "waits for: "
	expect 2 reeve $verb -o json
	want_err '"code":"E_UNSUPPORTED"'
	cat "$T/err" >>"$T/errors.jsonl"
done
valid error "$T/errors.jsonl"
expect 5 reeve status --coordinator x
want_err "there is no coordinator in x"
expect 5 env REEVE_COORDINATOR=x "$REEVE" status
want_err "there is no coordinator in x"
expect 2 reeve status --coordinator x --state y
want_err "give one of them"
expect 2 reeve add
want_err "needs a run and a file of units"
expect 2 reeve drain n --deadline soon
want_err '"soon" is not a duration'
expect 2 reeve drain n --deadline 1000d
want_err "--deadline is at most"
expect 5 reeve drain n --deadline 5m
want_err "no coordinator and no live run is near"
expect 2 reeve status --no-such-thing
want_err "there is no option --no-such-thing"
expect 2 reeve status --formt json
want_err "did you mean --format?"
expect 2 reeve status -o tabel
want_err "did you mean table?"
expect 2 env REEVE_FORMAT=nonsense "$REEVE" status
want_err "REEVE_FORMAT"
expect 2 reeve logs x --tail=-1
expect 2 reeve logs x --tail=1e99
expect 2 reeve logs x --tail=nan
expect 2 reeve logs x --tail=99999999999999999999999
expect 2 reeve logs x --attempt=0
expect 2 reeve status a b
want_err "at most 1 word"
big=$(head -c 65536 /dev/zero | tr '\0' A)
expect 2 reeve "$big"
[ $(wc -c <"$T/err") -lt 1000 ] || fail "64 KB came back"
expect 2 reeve status "--$big"
[ $(wc -c <"$T/err") -lt 1000 ] || fail "64 KB came back"

# Words with control characters come back harmless.
expect 2 reeve "$(printf 'a\033]52;c;x\007\nreeve: forged')"
grep -q "$(printf '\033')" "$T/err" && fail "an escape came through"
[ "$(grep -c '^reeve: ' "$T/err")" = 1 ] || fail "a forged line"

# No state directory.
expect 4 reeve status
want_err "there are no runs"
expect 4 reeve status -o json
valid error "$T/err"
expect 4 reeve status --state "$T/none"
expect 4 reeve logs x

# stdout full, closed, or a reader that went away.
"$REEVE" help >/dev/full 2>"$T/err"
want_eq $? 3
want_err "No space left"
"$REEVE" help >&- 2>"$T/err"
want_eq $? 3
"$REEVE" help <&- >&- 2>&-
want_eq $? 3
"$REEVE" nonsense <&- >&- 2>&-
want_eq $? 2
"$REEVE" version 2>&- >"$T/out"
want_eq $? 0
want_out reeve
{ "$REEVE" help; echo $? >"$T/status"; } 2>"$T/err" | true
wait_until 5 test -s "$T/status"
case $(cat "$T/status") in 0 | 141) ;; *) fail "help into a closed pipe: $(cat "$T/status")" ;; esac
want_empty "$T/err"

# Few descriptors.
expect 0 bash -c 'ulimit -n 16; exec "$REEVE" help'

expect 0 reeve version -o json
valid version
