# Real agents against a provider of our own: what they print today is what the reader takes it for, and a plan of them runs.
# `make agents-check`; AGENTS is the directory that scripts/agents-install.sh filled. AGENTS_KEEP=DIR keeps the transcripts.
. "$(dirname "$0")/lib.sh"
. "$here/agents.sh"

cat >"$T/scenario.json" <<'JSON'
{"scripts": [
 {"match": "UNIT parser", "turns": [
   {"say": "I write the parser.", "tool": "write", "path": "parser/parser.txt", "content": "parser by claude\n"},
   {"tool": "shell", "command": "cat parser/parser.txt"},
   {"say": "The parser is written.", "usage": {"input": 1000, "output": 50}}]},
 {"match": "UNIT printer", "turns": [
   {"say": "I write the printer.", "tool": "write", "path": "printer/printer.txt", "content": "printer by codex\n"},
   {"say": "The printer is written.", "usage": {"input": 1000, "output": 50}}]},
 {"match": "UNIT join", "refuse": [{"status": 429, "times": 1, "retry_after_s": 1}], "turns": [
   {"tool": "shell", "command": "cat parser/parser.txt printer/printer.txt >joined/all.txt"},
   {"say": "Both are joined."}]},
 {"match": "CASE tools", "turns": [
   {"say": "I write it.", "tool": "write", "path": "a.txt", "content": "alpha\n", "usage": {"input": 200, "output": 30, "cache_write": 50}},
   {"tool": "shell", "command": "cat a.txt; exit 3", "usage": {"input": 20, "output": 30, "cache_read": 250}},
   {"say": "It is made.", "usage": {"input": 10, "output": 11, "cache_read": 300}}]},
 {"match": "CASE limited", "refuse": [{"status": 429, "times": 2, "retry_after_s": 1}], "turns": [{"say": "let in"}]},
 {"match": "CASE key", "refuse": [{"status": 401, "times": -1}], "turns": [{"say": "never"}]},
 {"match": "CASE credit", "refuse": [{"status": 400, "times": -1, "message": "Your credit balance is too low"}], "turns": [{"say": "never"}]},
 {"match": "CASE overload", "refuse": [{"status": 529, "times": -1}], "turns": [{"say": "never"}]},
 {"match": "CASE model", "refuse": [{"status": 404, "times": -1, "message": "model: none"}], "turns": [{"say": "never"}]},
 {"match": "CASE slow", "turns": [{"say": "word by word, each of them late, and yet it comes to its end", "pause_s": 0.05}]},
 {"match": "CASE hang", "turns": [{"say": "it begins and does not end", "hang": true}]}
]}
JSON
provider "$T/scenario.json"

# direct AGENT CASE: runs it as its profile does, in a directory of its own; what the reader says of it in .../verdict
direct() {
	local agent=$1 case=$2 status=0 dir=$T/direct/$1-$2
	mkdir -p "$dir/work"
	cd "$dir/work" || exit 1
	case $agent in
	claude) set -- env DISABLE_AUTOUPDATER=1 IS_SANDBOX=1 CLAUDE_CODE_MAX_RETRIES="$([ "$case" = limited ] && echo 5 || echo 1)" claude -p \
		--output-format stream-json --verbose --permission-mode bypassPermissions ;;
	codex) set -- codex exec --json --ephemeral --skip-git-repo-check -s workspace-write - ;;
	esac
	with_home timeout --preserve-status -k 5 "$([ "$case" = hang ] && echo 5 || echo 100)" "$@" <<<"CASE $case" >"$dir/out" 2>"$dir/err" || status=$?
	cd "$T/work" || exit 1
	if [ -n "${AGENTS_KEEP:-}" ]; then
		mkdir -p "$AGENTS_KEEP"
		cp "$dir/out" "$AGENTS_KEEP/$agent-$case.out"
		cp "$dir/err" "$AGENTS_KEEP/$agent-$case.err"
		echo "$agent-$case $status" >>"$AGENTS_KEEP/exit-status.txt"
	fi
	"$HELPERS/transcript_verdict" "$agent" "$dir/out" "$dir/err" "$status" >"$dir/verdict" || fail "no verdict"
	echo "$agent $case: exit $status, $(cat "$dir/verdict")"
}

# is AGENT CASE REASON CLASS
is() {
	cp "$T/direct/$1-$2/verdict" "$T/out"
	json 'd["reason"] + " " + d["class"]' >"$T/got"
	[ "$(cat "$T/got")" = "$3 $4" ] || { cat "$T/direct/$1-$2/out" >"$T/err"; fail "$1 $2: $(cat "$T/got"), not $3 $4"; }
}

# Two at a time: they mostly wait.
for case in tools limited key credit overload model slow hang; do
	direct claude $case &
	claude=$!
	direct codex $case &
	codex=$!
	wait $claude || fail "claude $case"
	wait $codex || fail "codex $case"
done

for agent in claude codex; do
	is $agent tools ok none
	want_json 'd["message"] == "It is made." and d["tokens"] == 901'
	want_eq "$(cat "$T/direct/$agent-tools/work/a.txt")" alpha
	is $agent limited ok none
	want_json 'd["message"] == "let in"'
	is $agent slow ok none
	is $agent key auth config
	is $agent credit no_credit rate_limited
	is $agent overload overloaded rate_limited
	is $agent model request config
	is $agent hang exit agent
done
cp "$T/direct/claude-tools/verdict" "$T/out"
want_json 'd["turns"] == 3 and d["cost_microusd"] > 0'
cp "$T/direct/codex-tools/verdict" "$T/out"
want_json 'd["cost_microusd"] == -1'

# ---- a plan of three: two write side by side, the third waits for both and is turned away once ----

git init -q repo
mkdir repo/joined
cat >repo/plan.yaml <<'Y'
version: 1
agents:
  claude: {profile: claude}
  codex: {profile: codex}
defaults: {retry: {max: 0}}
units:
  - {id: parser, agent: claude, prompt: UNIT parser, allowed_directories: [parser], accept: [grep, -q, claude, parser/parser.txt]}
  - {id: printer, agent: codex, prompt: UNIT printer, allowed_directories: [printer], accept: [grep, -q, codex, printer/printer.txt]}
  - id: join
    agent: claude
    prompt: "UNIT join: {{_dep_parser}} {{_dep_printer}}"
    allowed_directories: [joined]
    depends_on: [parser, printer]
    accept: [test, -s, joined/all.txt]
Y
cd repo || exit 1
expect 0 with_home "$REEVE" run plan.yaml -o json
valid result
cp "$T/out" "$T/result"
want_json 'all(u["state"] == "succeeded" and u["attempts"] == 1 for u in d["units"])'
want_json 'units["parser"]["output"] == "The parser is written." and units["printer"]["output"] == "The printer is written."'
want_json 'units["join"]["output"] == "Both are joined."'
want_eq "$(cat joined/all.txt | xargs)" "parser by claude printer by codex"
want_json 'units["parser"]["usage"]["output_tokens"] == 90 and units["parser"]["usage"]["cost_usd"] > 0'
want_json 'units["printer"]["usage"]["input_tokens"] == 1100 and units["printer"]["usage"].get("cost_usd") is None'

# The provider heard from each with its own key, and from nobody else.
want_eq "$(python3 -c '
import hashlib, json
keys = {hashlib.sha256(k).hexdigest()[:16] for k in (b"sk-one", b"sk-two")}
asked = [json.loads(l) for l in open("'"$T"'/requests.jsonl")]
print({r["key"] for r in asked} == keys, sorted({(r["script"], r["status"]) for r in asked if r["script"] is not None and r["script"] < 3}))')" \
	"True [(0, 200), (1, 200), (2, 200), (2, 429)]"
grep -rqF -e sk-one -e sk-two .reeve && fail "a key lies in $(grep -rlF -e sk-one -e sk-two .reeve | head -3)"

# The logs read as what was said and done; the bytes are there, too.
expect 0 reeve logs parser
want_out "I write the parser."
want_out "> Write: parser/parser.txt"
want_out "  parser by claude"
want_out "= succeeded: "
want_no_out '"type"'
expect 0 reeve logs parser --raw
want_out '"type":"result"'
expect 0 reeve logs printer
want_out "I write the printer."
want_out "> /bin/bash -lc "
expect 0 reeve logs join
want_out "! 429 rate_limit: asks again"
