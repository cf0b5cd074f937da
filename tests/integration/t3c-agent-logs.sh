# Logs of agents: what was said and done, from a run that goes on, that has ended, and from a cluster; --raw the bytes; nothing acts on a terminal.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
data=$top/tests/data/agents
mkdir "$T/bin"

# A stand-in that prints what a real one printed. GATE: it waits in the middle of a line until the file is there.
cat >"$T/bin/claude" <<'SH'
#!/bin/sh
cat >/dev/null
[ "${1-}" != --version ] || { echo "2.1.332 (Claude Code)"; exit; }
[ "${GATE-}" = "" ] || {
	head -c 9000 "@DATA@/$CASE.out"
	while [ ! -e "$GATE" ]; do sleep 0.05; done
	tail -c +9001 "@DATA@/$CASE.out"
	exit 0
}
echo "a word on stderr" >&2
case $CASE in
hostile) printf '%s\n' '{"type":"system","subtype":"init","session_id":"s\u001b[2J"}' \
	'{"type":"assistant","message":{"id":"m","content":[{"type":"text","text":"clear \u001b[2J clip \u001b]52;c;eA==\u0007 bidi \u202e c1 \u009b over\rwritten"},{"type":"tool_use","name":"Ba\u001bsh","input":{"command":"\u001b[31mred\u001b[0m"}}]}}' \
	'{"type":"result","subtype":"success","is_error":false,"session_id":"s","result":"done\u0007"}' ;;
*) cat "@DATA@/$CASE.out" ;;
esac
exit ${STATUS-0}
SH
sed -i "s#@DATA@#$data#" "$T/bin/claude"
chmod +x "$T/bin/claude"
export PATH=$T/bin:$PATH

cat >plan.yaml <<'Y'
version: 1
agents: {coder: {profile: claude}}
defaults: {agent: coder, retry: {max: 0}}
units:
  - {id: made, prompt: x, allowed_directories: [a], env: {CASE: claude-2.1.332-tools}}
  - {id: helped, prompt: x, allowed_directories: [b], env: {CASE: claude-2.1.332-sub}}
  - {id: limited, prompt: x, allowed_directories: [c], env: {CASE: claude-429x2}}
  - {id: broken, prompt: x, allowed_directories: [d], env: {CASE: claude-2.1.332-maxturns, STATUS: 1}}
  - {id: hostile, prompt: x, allowed_directories: [e], env: {CASE: hostile}}
  - {id: plain, command: [cat, DATA/claude-ok.out]}
Y
sed -i "s#DATA#$data#" plan.yaml

# shown UNIT CASE [WHERE...]: its log is what the fixture shows, and what it wrote to stderr
shown() {
	local unit=$1 case=$2
	shift 2
	expect 0 reeve logs "$@" "$unit"
	grep -vxF "a word on stderr" "$T/out" >"$T/got"
	cmp -s "$T/got" "$data/$case.shown" || { diff "$T/got" "$data/$case.shown" >"$T/err"; fail "the log of $unit is not $case.shown"; }
	want_out "a word on stderr"
}

# looks WHERE...: all of the above, in a run or on a cluster
looks() {
	shown made claude-2.1.332-tools "$@"
	shown helped claude-2.1.332-sub "$@"
	shown limited claude-429x2 "$@"
	shown broken claude-2.1.332-maxturns "$@"
	expect 0 reeve logs "$@" made --tail 2
	want_out "= succeeded: 901 tokens, \$0.0027"
	want_eq "$(wc -l <"$T/out")" 2
	expect 0 reeve logs "$@" made --raw
	grep -vxF "a word on stderr" "$T/out" | cmp - "$data/claude-2.1.332-tools.out" || fail "--raw is not what was printed"
	expect 0 reeve logs "$@" hostile
	LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$T/out" && fail "something that acts on a terminal came through"
	want_out 'clear '
	want_out 'over\rwritten'
	want_out '> Ba^[sh: red'
	want_out 'done'
	expect 0 reeve logs "$@" plain # a command's output is not read as anything
	cmp "$T/out" "$data/claude-ok.out" || fail "a command's output was changed"
}

say "a run"
expect 1 reeve run plan.yaml
want_err "            | = failed: error_max_turns, 240 tokens, \$0.0016"
looks
expect 1 reeve run --show failed plan.yaml
want_out "[broken] = failed: error_max_turns, 240 tokens, \$0.0016"
want_no_out '"type"'
expect 0 reeve logs --failed
want_out "= failed: error_max_turns"
expect 1 reeve run --show all plan.yaml
want_out "[made] > Write: out/a.txt"
want_out "[helped] | > Bash: echo sub"
want_out "[plain] {\"type\":\"system\""

say "one that goes on: half a line is held back until it is whole"
cat >slow.yaml <<Y
version: 1
agents: {coder: {profile: claude}}
units: [{id: slow, agent: coder, prompt: x, allowed_directories: [a], env: {CASE: claude-2.1.332-tools, GATE: $T/gate}}]
Y
start slow "$REEVE" run slow.yaml --state slow
begun() { "$REEVE" logs --state slow slow >"$T/out" 2>"$T/err" && grep -qF "It is made." "$T/out"; }
wait_until 20 begun
want_no_out "= succeeded"
want_no_out "duration_api_ms"
start follow "$REEVE" logs --state slow slow -f
wait_until 20 grep -qF "It is made." "$T/follow.out"
touch "$T/gate"
finish slow 0
finish follow 0
cmp "$T/follow.out" "$data/claude-2.1.332-tools.shown" || fail "following shows something else"

say "a cluster"
coordinator
node n1
wait_until 20 joined n1
submit plan.yaml
wait_until 30 run_ended
looks --coordinator "$CO"
