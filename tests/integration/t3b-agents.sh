# Agents with a profile: launched with the rules before their prompt, judged by exit status, transcript and acceptance command together.
# The programs here print what the real ones printed (tests/data/agents); `make agents-check` runs the real ones.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
data=$top/tests/data/agents
mkdir "$T/bin"
export DATA=$data T

# Of each start: arguments, prompt, environment. CASE names the transcript, STATUS the exit status; DO is done meanwhile.
for agent in claude codex; do
	cat >"$T/bin/$agent" <<-'SH'
	#!/bin/sh
	at=$T/seen-$REEVE_UNIT_ID-$REEVE_ATTEMPT
	printf '%s\n' "$0" "$@" >$at.argv
	cat >$at.prompt
	env >$at.env
	eval "${DO-}"
	[ ! -e "$DATA/${CASE-}.err" ] || cat "$DATA/$CASE.err" >&2
	cat "$DATA/${CASE-${0##*/}-ok}.out"
	exit ${STATUS-0}
	SH
	chmod +x "$T/bin/$agent"
done
export PATH=$T/bin:$PATH
export ANTHROPIC_API_KEY=sk-person OPENAI_API_KEY=sk-other SOME_TOKEN=hidden

cat >plan.yaml <<'Y'
version: 1
agents:
  coder: {profile: claude, model: opus}
  other: {profile: codex}
defaults: {agent: coder, retry: {max: 0}}
units:
  - id: first
    description: Make the API
    prompt: Write api/spec.
    allowed_directories: [api]
    env: {DO: 'mkdir -p api; echo spec >api/spec; echo made >$REEVE_ARTIFACTS/spec'}
    accept: [test, -s, api/spec]
  - {id: second, agent: other, prompt: 'Use {{_dep_first}}.', allowed_directories: [], depends_on: [first]}
  - {id: unfit, prompt: x, allowed_directories: [u], accept: [sh, -c, 'echo checking; echo "2 of 9 failed"; exit 3']}
  - {id: locked, prompt: x, allowed_directories: [k], env: {CASE: claude-401, STATUS: 1}, retry: {max: 5}}
  - {id: fresh, prompt: x, allowed_directories: [f], unless: ["true"]}
  - {id: stale, command: [echo, worked], unless: ["false"]}
  - {id: absent, command: [no-such-program], unless: ["false"]}
  - {id: unchecked, command: [touch, worked], unless: [no-such-check]}
Y
expect 1 reeve run -j 2 --agent-slots 3 plan.yaml -o json
want_err ': 8 units, 2 commands, 3 agents at once, workspace'
valid result
ok() { want_json "units['$1']['state'] == 'succeeded' and units['$1']['reason'] $2"; }
failed() { want_json "(units['$1']['state'], units['$1']['class'], units['$1']['reason'], units['$1']['attempts']) == ('failed', '$2', '$3', 1)"; }
ok first 'is None'
ok second 'is None'
ok fresh '== "satisfied"'
ok stale 'is None'
want_json 'units["first"]["output"] == "hello from mock"'
want_json 'units["stale"]["output"] == "worked" and units["fresh"]["output"] is None'
failed unfit evidence accept
want_json 'units["unfit"]["error"].endswith("(exit status 3): 2 of 9 failed")'
failed locked config login
want_json 'units["locked"]["error"].endswith("claude is not logged in, or its key is refused (401: authentication_failed): start `claude` once and log in, or set ANTHROPIC_API_KEY")'
failed absent config not_found
want_json '"no-such-program" in units["absent"]["error"]'
failed unchecked config not_found
want_json '"no-such-check" in units["unchecked"]["error"]'
[ ! -e worked ] || fail "worked without its check"
[ ! -e "$T/seen-fresh-1.argv" ] || fail "what was satisfied was started"

# How they are started: arguments, the rules before the prompt, the person's own home and keys and no others.
want_eq "$(tail -n +2 "$T/seen-first-1.argv" | xargs)" "-p --output-format stream-json --verbose --permission-mode bypassPermissions --model opus"
want_in "$T/seen-second-1.argv" exec
want_in "$T/seen-second-1.argv" --json
want_in "$T/seen-second-1.argv" "writable_roots=[\""
want_eq "$(tail -1 "$T/seen-second-1.argv")" -
p=$T/seen-first-1.prompt
want_in "$p" 'the unit "first"'
want_in "$p" "Write only below: api "
want_in "$p" "/units/first/1/artifacts"
want_in "$p" "must succeed; run it yourself first: test -s api/spec"
want_eq "$(tail -1 "$p")" "Write api/spec."
p=$T/seen-second-1.prompt
want_in "$p" "write nothing but"
want_in "$p" "keys _dep_first"
want_in "$p" "Files that they handed over lie in "
want_eq "$(tail -1 "$p")" "Use hello from mock."
for e in "$T/seen-first-1.env" "$T/seen-second-1.env"; do
	want_in "$e" "HOME=$HOME"
	! grep -q '^SOME_TOKEN=' "$e" || fail "SOME_TOKEN in $e"
done
want_in "$T/seen-first-1.env" ANTHROPIC_API_KEY=sk-person
! grep -q '^OPENAI_API_KEY=' "$T/seen-first-1.env" || fail "claude has the other's key"
want_in "$T/seen-second-1.env" OPENAI_API_KEY=sk-other
cmp "$T/seen-first-1.prompt" .reeve/runs/*/units/first/1/prompt.txt || fail "REEVE_PROMPT_FILE says something else"

# ---- a text of the plan's in place of the rules, or nothing ----

echo 'Be kind.' >rules.txt
cat >preamble.yaml <<'Y'
version: 1
agents: {own: {profile: claude, preamble: rules.txt}, none: {profile: claude, preamble: "off"}}
units:
  - {id: own, agent: own, prompt: Work., allowed_directories: [a]}
  - {id: none, agent: none, prompt: Work., allowed_directories: [b]}
Y
expect 0 reeve run preamble.yaml
want_eq "$(cat "$T/seen-own-1.prompt" | xargs)" "Be kind. Work."
want_eq "$(cat "$T/seen-none-1.prompt")" "Work."

# ---- the next try knows what the acceptance command said; the one behind it is of another agent ----

cat >again.yaml <<'Y'
version: 1
agents: {coder: {profile: claude, env: {WHO: coder, ONLY: coder, MINE: coder}}, last: {profile: codex, env: {WHO: last, TOLD: 'so {{told}}', MINE: last}}}
defaults: {env: {ALL: "yes", WHO: nobody}}
units:
  - id: again
    agent: coder
    env: {MINE: unit}
    context: {told: it is}
    prompt: Work.
    allowed_directories: [a]
    accept: [sh, -c, 'echo "line 7 is wrong"; [ "$REEVE_TRY" = 2 ]']
    retry: {max: 1, base_s: 0.01, agent: last}
Y
IS_SANDBOX=yes expect 0 reeve run again.yaml
[ "$(id -u)" != 0 ] || want_eq "$(grep IS_SANDBOX= "$T/seen-again-1.env")" IS_SANDBOX=1 # it takes no other value
want_in "$T/seen-again-2.prompt" "This is try 2"
want_json 'd["_prev"][0]["reason"] == "accept" and "line 7 is wrong" in d["_prev"][0]["output"]' "$(ls -d .reeve/runs/*/units/again/2)/context.json"
want_in "$T/seen-again-1.argv" /claude
want_in "$T/seen-again-2.argv" /codex
env_of() { grep -E '^(WHO|ONLY|MINE|TOLD|ALL)=' "$T/seen-again-$1.env" | sort | paste -sd' '; }
want_eq "$(env_of 1)" "ALL=yes MINE=unit ONLY=coder WHO=coder"
want_eq "$(env_of 2)" "ALL=yes MINE=unit TOLD=so it is WHO=last"

# ---- the agent that a person chooses brings its own environment, filled as any ----

cat >chosen.yaml <<'Y'
version: 1
context: {told: it is}
agents: {coder: {profile: claude}, chosen: {profile: codex, env: {TOLD: 'so {{told}}'}}}
defaults: {agent: coder, prompt: Work., accept: [sh, -c, '[ "$REEVE_TRY" = 2 ]'], retry: 0}
units:
  - {id: filled, allowed_directories: [a]}
  - {id: as-it-is, allowed_directories: [b], template: "off"}
Y
expect 1 reeve run chosen.yaml -o json
run=$(json 'd["run"]')
expect 1 reeve retry $run/filled --agent chosen
expect 0 reeve retry $run/as-it-is --agent chosen
want_in "$T/seen-filled-2.env" "TOLD=so it is"
want_in "$T/seen-as-it-is-2.env" "TOLD=so {{told}}"

# ---- limited: it waits and spends no try; output that has to be JSON; one that says nothing; killed with all it started ----

cat >more.yaml <<'Y'
version: 1
agents: {coder: {profile: claude}, other: {profile: codex}}
defaults: {agent: coder, retry: {max: 0}}
units:
  - {id: limited, prompt: x, allowed_directories: [a], env: {CASE: claude-529, STATUS: 1}}
  - {id: liar, prompt: x, allowed_directories: [l], env: {CASE: claude-quota}} # exit 0, "subtype":"success"
  - {id: text, agent: other, prompt: x, allowed_directories: [b], output: json}
  - {id: silent, prompt: x, allowed_directories: [c], env: {DO: 'sleep 600 & sleep 600'}, start_timeout_s: 0.5}
  - {id: cut, prompt: x, allowed_directories: [d], env: {CASE: claude-2.1.332-hang}}
Y
start more "$REEVE" run more.yaml --state more
waits() { "$REEVE" status --state more -o json "$("$REEVE" status --state more -o name)" >"$T/out" && want_json 'all(units[u]["state"] == "retry_wait" for u in ("limited", "liar")) and all(units[u]["state"] == "failed" for u in ("text", "silent", "cut"))'; }
wait_until 20 eval '(waits)'
expect 0 reeve status --state more -o json "$(reeve status --state more -o name)"
want_json '[units[u]["reason"] for u in ("limited", "liar")] == ["rate_limit", "no_credit"]'
want_json 'units["text"]["class"] == "evidence" and units["text"]["reason"] == "output_not_json"'
want_json 'units["silent"]["class"] == "timeout" and units["silent"]["reason"] == "start_timeout"'
want_json 'units["cut"]["state"] == "failed"'
kill -INT "$(pid_of more)"
finish more 130

# ---- nobody is logged in: one line a unit says so and what to type, not what its agent printed meanwhile ----

cat >login.yaml <<'Y'
version: 1
workspace: {require_directories: false}
units:
  - {id: one, agent: claude, prompt: x, env: {CASE: claude-2.1.332-nologin, STATUS: 1}}
  - {id: two, agent: codex, prompt: x, env: {CASE: codex-0.171.0-401, STATUS: 1}}
Y
expect 1 reeve run login.yaml
one='claude is not logged in, or its key is refused (Not logged in · Please run /login): start `claude` once and log in, or set ANTHROPIC_API_KEY'
two='codex is not logged in, or its key is refused (401: invalid x-api-key): `codex login`, or set OPENAI_API_KEY'
want_eq "$(sort "$T/out")" "[one] $one
[two] $two"
want_err "  failed    one: $one"
want_err "  failed    two: $two"
! grep -q 'Reconnecting\|= failed' "$T/err" || fail "what was printed is told again"
want_in ".reeve/runs/$(run_id)/summary.md" "codex login"
expect 0 reeve logs two
want_out "! Reconnecting... 5/5"

# ---- a program that is not there is said before anything runs ----

rm "$T/bin/codex"
hash -r
command -v codex >/dev/null || {
	expect 2 reeve run preamble.yaml --set agents.own.profile=codex --set agents.none.profile=codex
	want_err "codex"
	want_err "PATH"
}
expect 0 reeve run preamble.yaml --mock

# ---- on a cluster: a unit goes where its agent is; where there is none, it is said what is missing ----

printf '#!/bin/sh\n[ "$1" = --version ] && { echo "2.1.999 (Claude Code)"; exit; }\ncat >/dev/null; cat "%s/claude-ok.out"\n' "$data" >"$T/our-claude"
chmod +x "$T/our-claude"
rm "$T/bin/claude"
cat >cluster.yaml <<'Y'
version: 1
workspace: {mode: none}
units:
  - {id: one, agent: claude, prompt: Work.}
  - {id: two, agent: codex, prompt: Work.}
Y
coordinator
node without
wait_until 20 joined without
submit cluster.yaml
expect 0 reeve explain --coordinator "$CO" "$run/one"
want_out "the program claude"
expect 2 reeve node $TO --state "$T/x" --agent claud=/bin/true
want_err "there is no such profile"
expect 4 reeve node $TO --state "$T/x" --agent claude=/no/such
node with --agent claude="$T/our-claude"
wait_until 20 joined with
expect 0 reeve nodes --coordinator "$CO" -o json
valid nodes
want_json '{n["name"]: n["agents"] for n in d["nodes"]} == {"with": {"claude": "2.1.999"}, "without": {}}'
done_there() { "$REEVE" status --coordinator "$CO" -o json "$run" >"$T/out" && want_json 'units["one"]["state"] == "succeeded" and units["one"]["node"] == "with"'; }
wait_until 20 eval '(done_there)'
expect 0 reeve output --coordinator "$CO" "$run/one"
want_out "hello from mock"
expect 0 reeve explain --coordinator "$CO" "$run/two"
want_out "the program codex"

# ---- what will be told, and which keys pass, is said beforehand ----

cat >told.yaml <<'Y'
version: 1
agents: {coder: {profile: claude}, own: {profile: claude, preamble: rules.txt}}
units:
  - {id: one, command: ["true"]}
  - id: two
    agent: coder
    prompt: Go on with {{_dep_one}}.
    allowed_directories: [src, docs]
    depends_on: [one]
    accept: [make, check]
  - {id: three, agent: own, prompt: Work., allowed_directories: []}
Y
expect 0 reeve check told.yaml --show-prompt two
want_out "Write only below: docs, src "
want_out "see the JSON file \$REEVE_CONTEXT_FILE, keys _dep_one"
want_out "run it yourself first: make check"
want_out "Go on with {{_dep_one}}."
expect 0 reeve check told.yaml --show-prompt three
want_eq "$(xargs <"$T/out")" "Be kind. Work."
expect 0 reeve run told.yaml --mock
! grep -q ANTHROPIC "$T/err" || fail "a warning without an agent"
cp "$T/our-claude" "$T/bin/claude"
expect 0 reeve run preamble.yaml
want_err "ANTHROPIC_API_KEY (claude)"
[ "$(grep -c ANTHROPIC_API_KEY "$T/err")" = 1 ] || fail "said more than once"
! grep -rq sk-person .reeve || fail "a key lies in the state directory"
