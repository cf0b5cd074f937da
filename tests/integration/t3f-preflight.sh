# What this machine cannot run: `check` says all of it as warnings, `run` refuses with all of it at once and starts nothing.
. "$(dirname "$0")/lib.sh"
unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN OPENAI_API_KEY CODEX_API_KEY CLAUDE_CONFIG_DIR CODEX_HOME
mkdir "$T/bin" "$T/home"
for tool in sh cat; do ln -s "$(command -v $tool)" "$T/bin/$tool"; done
export HOME=$T/home
here() { PATH=$T/bin "$REEVE" "$@"; }

cat >far.yaml <<'Y'
version: 1
workspace: {require_directories: false}
units:
  - {id: gpu, command: ["true"], labels: {zone: far}, resources: {fpga: 2}, allowed_directories: []}
  - {id: again, command: ["true"], labels: {zone: far}, resources: {cpus: 4000}, allowed_directories: []}
  - {id: many, for_each: {count: 7}, command: [echo, "{item}"], labels: {zone: far}, allowed_directories: []}
  - {id: pinned, command: ["true"], node: elsewhere, allowed_directories: []}
  - {id: agent, agent: codex, prompt: x}
  - {id: last, agent: mock, prompt: x, retry: {max: 1, agent: claude}}
  - {id: done, satisfied: true, command: ["true"], labels: {zone: gone}, allowed_directories: []}
  - {id: off, command: ["true"], cwd: nowhere/at/all, allowed_directories: []}
  - {id: later, command: ["true"], cwd: nowhere/at/all, depends_on: [off], allowed_directories: []}
  - {id: fine, command: ["true"], allowed_directories: []}
Y
all='unit "gpu" (and 8 more) wants a node with the label zone=far, and this machine is not given it
unit "gpu" needs fpga 2, and this machine has 0
unit "again" needs 4000 slots (resources.cpus), and this machine gives
unit "pinned" is pinned to node "elsewhere", and this machine is called
unit "agent" wants the agent codex, and there is no program `codex` in PATH on this machine
unit "last" wants the agent claude in its last try, and there is no program `claude` in PATH on this machine'
cwd='unit "off" starts in "nowhere/at/all", which is not there on this machine, and waits for nothing that could make it'

expect 0 here check far.yaml
want_out 'far.yaml: plan "far" is fine, but `run` would refuse it on this machine: 16 units'
while read -r line; do want_err "warning[W_UNPLACEABLE]: $line"; done <<<"$all"
want_err "warning[W_UNPLACEABLE]: $cwd"
want_err " --> far.yaml:4:10"
want_err "= help: run with --label zone=far if it has that"
want_eq "$(grep -c W_ "$T/err")" 7
expect 0 here check far.yaml -o json
valid check
want_json 'd["ok"] and not d["runs_here"] and d["warnings_found"] == 7 and d["errors_found"] == 0'
expect 0 here check far.yaml --mock -o json # cpus stay
want_json 'not d["runs_here"] and [x["code"] for x in d["diagnostics"]] == ["W_UNPLACEABLE"]'

expect 2 here run far.yaml
while read -r line; do want_err "error[E_CONFLICT]: $line"; done <<<"$all"
want_err "warning[W_UNPLACEABLE]: $cwd"
want_eq "$(grep -c E_CONFLICT "$T/err")" 6
[ ! -d .reeve/runs ] || [ -z "$(ls .reeve/runs)" ] || fail "a refused plan made a run"
expect 2 here run far.yaml -o json
valid result
want_json 'd["state"] == "rejected" and [e["code"] for e in d["errors"] if e["severity"] == "error"] == 6 * ["E_CONFLICT"]'
expect 0 here run --dry-run far.yaml
want_eq "$(grep -c 'it would not run here: ' "$T/err")" 6
expect 0 here run --mock -j 4000 far.yaml

# More than are shown are counted; JSON lines have lines alone.
python3 - >many.jsonl <<'PY'
import json
print(json.dumps({"version": 1}))
for i in range(30):
    print(json.dumps({"id": "u%d" % i, "command": ["true"], "labels": {"n": str(i)}}))
PY
expect 2 sh -c 'PATH=$T/bin "$REEVE" run - <many.jsonl'
want_err "and 10 more errors"
want_err '"u19"'

# A workspace that is not there; what is mended is run.
cat >place.yaml <<'Y'
version: 1
workspace: {mode: shared, root: tree}
units: [{id: a, command: [sh, -c, 'cat /dev/null >made'], cwd: sub, allowed_directories: []}]
Y
expect 0 here check place.yaml
want_err 'the workspace "'
expect 2 here run place.yaml
want_err 'error[E_CONFLICT]: the workspace "'
want_err 'tree" is not there on this machine'
mkdir -p tree/sub
expect 0 here check place.yaml
want_empty "$T/err"
expect 0 here run place.yaml
[ -e tree/sub/made ] || fail "it did not run there"

# An agent that is here, and nobody logged in: it may be by the time it runs, or have a key of its own.
printf '#!/bin/sh\ncat >/dev/null; cat "%s"\n' "$top/tests/data/agents/claude-ok.out" >"$T/bin/claude"
chmod +x "$T/bin/claude"
cat >login.yaml <<'Y'
version: 1
workspace: {require_directories: false}
units:
  - {id: a, agent: claude, prompt: x}
  - {id: b, agent: claude, prompt: y}
Y
none='warning[W_UNPLACEABLE]: unit "a" (and 1 more) is run by claude, and nobody is logged in to it on this machine'
expect 0 here check login.yaml
want_err "$none"
want_err "= help: start \`claude\` once and log in, or set ANTHROPIC_API_KEY"
want_out 'plan "login" is fine: 2 units'
expect 0 here run login.yaml
want_err "$none"
ANTHROPIC_API_KEY=k expect 0 here check login.yaml
want_empty "$T/err"
expect 0 here check login.yaml --set defaults.env.ANTHROPIC_API_KEY=k
want_empty "$T/err"

# A command and its inputs has no place to point at.
expect 2 here run --agent codex --prompt 'x {{item}}' ::: 1 2
want_err 'reeve: unit "codex" (and 1 more) wants the agent codex'
