# A command and its inputs instead of a plan: placeholders, lists, hostile inputs, order, streams, what is refused.
. "$(dirname "$0")/lib.sh"

lines() { want_eq "$(cat "$T/out")" "$(printf '%b' "$1")"; }

say "the forms of an input, as GNU parallel has them"
expect 0 reeve run -- echo '{}|{.}|{/}|{//}|{/.}|{#}' ::: d/a.b.txt a /x/y.z/q .hid d/ ../up.c a//b d/a. a.b/c ''
lines 'd/a.b.txt|d/a.b|a.b.txt|d|a.b|1\na|a|a|.|a|2\n/x/y.z/q|/x/y.z/q|q|/x/y.z|q|3\n.hid||.hid|.||4\nd/|d/||.||5\n../up.c|../up|up.c|..|up|6
a//b|a//b|b|a|b|7\nd/a.|d/a.|a.|d|a.|8\na.b/c|a.b/c|c|a.b|c|9\n|||.||10\n'
want_err "10 of 10 succeeded"
expect 0 reeve run -- echo ::: a 'b c'
lines 'a\nb c\n'
expect 0 reeve run -- echo x{}y {{item}} ::: 1
lines 'x1y 1\n'

say "braces that mean nothing stay"
expect 0 reeve run -- echo '{{}}' '{{x}}' '{{{}' '{{{{' '{%}' '{0}' '}{' ::: a
lines '{a} {{x}} {{a {{{{ {%} {0} }{\n'

say "several lists, each with each, the last turns fastest"
expect 0 reeve run -- echo ::: a b ::: 1 2
lines 'a 1\na 2\nb 1\nb 2\n'
expect 0 reeve run -- echo '{2}-{1} <{}>' '{1/}' ::: d/a b ::: 1 2
lines '1-d/a <d/a 1> a\n2-d/a <d/a 2> a\n1-b <b 1> b\n2-b <b 2> b\n'
printf 'p\nq\n' >list
expect 0 reeve run --each list -- echo {2} {1} ::: 1 2
lines '1 p\n2 p\n1 q\n2 q\n'

say "inputs are arguments: blanks, shell characters, dashes, empty lines, no end of line"
printf '$HOME `id`; rm -rf x\n-n\n--help\n\n  two  \nlast' >hostile
expect 0 reeve run --each hostile -- printf '<%s>\n'
lines '<$HOME `id`; rm -rf x>\n<-n>\n<--help>\n<>\n<  two  >\n<last>\n'
printf 'one\ntwo\0\303\274 \033[31m\0-- \0' >nul
expect 0 reeve run -0 --each nul -- printf '<%s>\n'
lines '<one\ntwo>\n<\303\274 \033[31m>\n<-- >\n'
"$REEVE" run --each - -- echo got <hostile >"$T/out" 2>"$T/err" || fail "standard input"
want_in "$T/out" "got \$HOME"
want_eq "$(find . -name '*.nosuch' -print0 | "$REEVE" run -0 --each - -- echo 2>"$T/err")" ""
want_in "$T/err" "0 of 0 succeeded"
expect 0 reeve run -- echo :::
lines ''

say "what is no text is refused by its place, before anything runs"
rm -f ran
printf 'ok\nx\377y\n' >bytes
expect 2 reeve run --each bytes -- touch ran
want_err "bytes: line 2 is not UTF-8: byte 0xff at place 2"
printf 'ok\na\0b\n' >nulled
expect 2 reeve run --each nulled -- touch ran
want_err "nulled: line 2 has a NUL byte"
want_err "-0 takes inputs that end with NUL"
expect 2 reeve run -- touch ran ::: "$(printf 'a\377')"
head -c 131072 /dev/zero | tr '\0' x >long
expect 2 reeve run --each long -- touch ran
want_err "line 1 has 131072 bytes or more; the limit is 131071"
seq 1000001 >many
expect 2 reeve run --each many -- touch ran
want_err "many: more than 1000000 inputs"
seq 1001 >thousand
expect 2 reeve run --each thousand -- touch ran ::: $(seq 1000)
want_err "the lists combined give more than 1000000 units"
head -1000000 many >million
expect 2 reeve run --each million -- echo {} {.} {/} {//} {#}
want_err "more than 5000000 values"
expect 4 reeve run --each nosuch -- touch ran
[ ! -e ran ] || fail "something ran"

say "a head that prints more than one argument can hold, and the longest input there is"
head -c 131071 /dev/zero | tr '\0' x >longest
expect 0 reeve run --each longest -- sh -c 'echo ${#1}' sh
lines '131071\n'

say "words that are off"
expect 2 reeve run -- 'echo {} | wc' ::: a
want_err '"echo {} | wc" is no program: no shell reads the command'
want_err "sh -c"
printf '#!/bin/sh\necho ran "$1"\n' >'my program'
chmod +x 'my program'
expect 0 reeve run -- './my program' ::: a
lines 'ran a\n'
expect 2 reeve run echo ::: a
want_err '"echo": a command with its inputs stands behind `--`'
expect 2 reeve run -- ::: a
want_err 'a command is missing before `:::`'
expect 2 reeve run -- echo
want_err "a fan-out needs inputs"
expect 2 reeve run -- echo {3} ::: a ::: b
want_err "{3} names a list of inputs that is not there"
expect 2 reeve run -- echo :::: list
want_err '`::::` is not built'
expect 2 reeve run -- echo :::+ list
expect 2 reeve run -0 -- echo ::: a
expect 2 reeve run --prompt x -- echo ::: a
want_err "--prompt is for --agent NAME"
expect 2 reeve run --only echo-0001 -- echo ::: a
expect 0 reeve run -- sh -c 'echo {}' ::: 'a; echo b'
want_err "inputs are filled into a shell's program"
lines 'a\nb\n'

say "in the order of the inputs, whatever ends first; streams apart; exit status as run"
expect 1 reeve run -j 4 -- sh -c 'test $1 != 1 || until test -e last; do sleep 0.02; done; echo out $1; echo err $1 >&2; test $1 != 8 || touch last; test $1 != 3' sh ::: 1 2 3 4 5 6 7 8
lines "$(printf 'out %s\\n' 1 2 3 4 5 6 7 8)"
want_eq "$(grep '^err' "$T/err")" "$(printf 'err %s\n' 1 2 3 4 5 6 7 8)"
want_err "failed    sh-0003: exit status 1"
expect 0 reeve run -j 3 -- sh -c 'yes "$1" | head -c 3000000' sh ::: a b c
want_eq "$(cksum <"$T/out")" "$(for c in a b c; do yes $c | head -c 3000000; done | cksum)"

say "more than the logs of a plan keep: all of it"
expect 0 reeve run -- sh -c 'head -c 60000000 /dev/zero | tr "\0" $1' sh ::: x y
want_eq "$(cksum <"$T/out")" "$(for c in x y; do head -c 60000000 /dev/zero | tr '\0' $c; done | cksum)"
rm -rf .reeve
expect 0 reeve run --set defaults.log_max_mb=1 -- sh -c 'head -c 3000000 /dev/zero | tr "\0" $1' sh ::: x y
want_err "log_max_mb left out some of what 2 units printed"
expect 0 reeve run --set defaults.log_max_mb=1 -- sh -c 'head -c 3000000 /dev/zero | tr "\0" $1' sh {} {namespace} ::: x
want_err "log_max_mb left out some of what 1 unit printed"

say "output that is gone before its turn is not passed over in silence"
expect 3 reeve run -j 2 --state "$T/gone" -- sh -c 'if [ $1 = 2 ]; then echo lost; else until rm "$2"/runs/*/node/log/*.seg 2>/dev/null; do sleep 0.05; done; fi' sh ::: 1 2 ::: "$T/gone"
want_err "what 1 unit printed is not whole"
want_err "2 of 2 succeeded"

say "the first one that runs is seen as it prints"
mkfifo go
start live "$REEVE" run -j 2 -- sh -c 'echo begun $1; test $1 != 1 || read x <go; echo over $1' sh ::: 1 2
wait_until 10 grep -q '^begun 1' "$T/live.out"
want_eq "$(cat "$T/live.out")" "begun 1"
echo >go
finish live 0
want_eq "$(cat "$T/live.out")" "$(printf '%s\n' 'begun 1' 'over 1' 'begun 2' 'over 2')"

say "with retries what the last try printed, once"
expect 0 reeve run --set defaults.retry.max=3 --set defaults.retry.base_s=0.01 -- sh -c 'echo try $REEVE_TRY of $1; test $REEVE_TRY = 2' sh ::: a b
lines 'try 2 of a\ntry 2 of b\n'
expect 1 reeve run -j 1 --set limits.failed=2 -- sh -c 'sleep 0.3; exit 1' sh ::: 1 2 3 4 5 6 7 8
grep -Eq ' (2 failed, 6|3 failed, 5) cancelled' "$T/err" || fail "the limit" # the one behind the second may have started
expect 1 reeve run --set defaults.timeout_s=0.2 -- sleep ::: 30

say "--resume: what had succeeded is not shown again"
job='echo $1; test -e ok || test $1 = a'
expect 1 reeve run -- sh -c "$job" sh ::: a b c
run=$(run_id)
touch ok
expect 0 reeve run --resume -- sh -c "$job" sh ::: a b c
lines 'b\nc\n'
want_err "run $run"
want_eq "$(run_id)" "$run"
rm ok
expect 1 reeve run -- sh -c "$job" sh ::: a b c
expect 2 reeve run --resume -- sh -c "$job" sh ::: a b d
want_err "was of another plan"

say "a directory of its own by {namespace}; cwd is the caller's; a program's own output stays in its files"
mkdir sub
(cd sub && expect 0 reeve run --state "$T/s" -- sh -c 'pwd; echo $2; echo e >&2; test -d "$2"' sh {} {namespace} ::: a b) || exit 1
want_eq "$(sed -n 1p "$T/out")" "$PWD/sub"
want_in "$T/out" "/units/sh-0001/1"
want_eq "$(wc -l <"$T/out")" 4

say "for programs stdout is the result alone"
expect 0 reeve run -o json -- echo ::: a b
valid result
want_json 'd["total"] == 2 and units["echo-0002"]["output"] == "b" and d["settings"]["plan"] == "fan-out"'
expect 0 reeve run --show all -- echo ::: a
want_out "[echo-0001] a"
expect 0 reeve run --show none -- echo ::: a
lines ''

say "a reader that goes away, and one that takes nothing"
"$REEVE" run -- seq ::: 100000 100001 2>"$T/err" | head -1 >"$T/out"
want_eq "${PIPESTATUS[0]} $(cat "$T/out")" "3 1"
want_in "$T/err" "cannot write to standard output"
cat >slow.py <<'PY'
import os, signal, subprocess, sys
p = subprocess.Popen([sys.argv[1], "run", "--", "sh", "-c", "yes $1 | head -c 1000000; touch done.$1", "sh", ":::", "a", "b", "c"],
                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
while not all(os.path.exists("done." + c) for c in "abc"):  # nobody reads, and all of them end
    assert p.poll() is None
os.kill(p.pid, signal.SIGINT)  # it may come while the last one is being recorded: then it cancels, and the next one ends it
while True:
    try:
        print(p.wait(0.5))
        break
    except subprocess.TimeoutExpired:
        os.kill(p.pid, signal.SIGINT)
print(p.stderr.read())
PY
expect 0 python3 slow.py "$REEVE"
want_eq "$(head -1 "$T/out")" 130
want_out "interrupted"

say "agents: their answers in the order of the lines, blank lines are none"
printf 'first\n\n   \nsecond\n' >prompts
expect 0 reeve run --agent mock --each prompts
lines '[mock] processed: first\n[mock] processed: second\n'
expect 0 reeve run --agent mock --prompt 'look at {{item}}, {{ item }}' ::: x y
lines '[mock] processed: look at x, x\n[mock] processed: look at y, y\n'
echo 'from a file: {{item}}' >prompt.txt
expect 0 reeve run --agent mock --prompt-file prompt.txt --each prompts --model m
lines '[mock] processed: from a file: first\n[mock] processed: from a file: second\n'
expect 2 reeve run --agent mock --prompt 'no item' ::: x
want_err "the prompt has no {{item}}"
expect 2 reeve run --agent mock --prompt '{{item}} {{nosuch}}' ::: x
expect 2 reeve run --agent nosuch ::: x
want_err 'no agent is called "nosuch"'
expect 2 reeve run --agent mock -- echo ::: x
want_err "--agent runs an agent"
printf 'caf\351 {{item}}\n' >latin1.txt
expect 2 reeve run --agent mock --prompt-file latin1.txt ::: x
want_err "the prompt in latin1.txt is not UTF-8"
expect 2 reeve run --agent mock --prompt a --prompt-file prompt.txt ::: x
expect 0 reeve run --mock -- false ::: a
expect 0 reeve run --dry-run -- echo {} ::: a b
want_out "2 units would be started"

say "on a terminal: whole lines, harmless"
export TERM=xterm
expect 0 python3 "$top/tests/lib/terminal.py" "$REEVE" run -- printf 'a{}\033]0;t\007' ::: 1 2
want_out 'a1^[]0;t'
