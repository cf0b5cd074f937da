# A human gate: the example runs with mock agents until a person releases it, turns it down, or was told to run through.
. "$(dirname "$0")/lib.sh"

cp "$top/examples/gate.yaml" gate.yaml
held() { "$REEVE" status -o json >"$T/status.out" 2>/dev/null && run=$("$REEVE" status -o name 2>/dev/null) && "$REEVE" status "$run" | grep -q "approve .*held"; }

say "it waits, says what for, and the note is what the coders are told"
start run "$REEVE" run gate.yaml --mock=agents -o json
wait_until 20 held
run=$("$REEVE" status -o name)
want_in "$T/run.err" "unit approve is held until a person lets it go on: reeve release $run/approve"
expect 0 reeve explain $run/approve
want_out held
expect 0 reeve explain $run/server
want_out "waits for approve"
expect 0 reeve release $run/approve --note "REST, no websockets"
finish run 0
valid result "$T/run.out"
want_json 'd["state"] == "succeeded"' "$T/run.out"
want_json 'units["approve"]["output"] == "REST, no websockets"' "$T/run.out"
want_json '"REST, no websockets" in open(sorted(__import__("glob").glob(".reeve/runs/*/units/server/1/context.json") + __import__("glob").glob(".reeve/runs/*/units/server/1/*context*"))[0]).read()' "$T/run.out"

say "turned down: nothing behind it runs"
start run "$REEVE" run gate.yaml --mock=agents -o json
unset run
held_again() { run=$("$REEVE" status -o json | python3 -c 'import json,sys; print([r["run"] for r in json.load(sys.stdin)["runs"] if r["owned"]][0])' 2>/dev/null) && "$REEVE" status $run | grep -q "approve .*held"; }
wait_until 20 held_again
expect 0 reeve skip $run/approve
finish run 1
want_json 'units["approve"]["state"] == "skipped" and units["approve"]["reason"] == "skipped"' "$T/run.out"
want_json 'all(units[u]["state"] == "skipped" and units[u]["reason"] == "blocked" for u in ("server", "client", "review"))' "$T/run.out"

say "--no-hold runs through"
expect 0 reeve run gate.yaml --mock=agents --no-hold -o json
want_json 'd["state"] == "succeeded" and d["by_agent"]["coder"]["succeeded"] == 3'

say "a hint for the next try: note, prompt and agent"
cat >hint.yaml <<'PLAN'
version: 1
name: hint
workspace: {mode: none}
agents:
  bad: {profile: mock, mock: {fail: 9, tokens: 100, delay_s: 0}}
  good: {profile: mock, mock: {tokens: 70, delay_s: 0}}
  shell: {command: ["true"]}
units:
  - {id: a, agent: bad, retry: 0, prompt: first}
  - {id: b, command: ["true"]}
PLAN
expect 1 reeve run hint.yaml -o json
want_json 'units["a"]["usage"]["tokens"] == 100 and d["usage"]["tokens"] == 100 and d["by_agent"]["bad"]["usage"]["output_tokens"] == 100'
run=$(json 'd["run"]')
expect 2 reeve retry $run/a --note x --note-file y
expect 2 reeve retry $run --failed --note x
expect 4 reeve retry $run/a --agent nobody
want_err nobody
expect 2 reeve retry $run/a --agent shell
want_err "takes other slots"
expect 2 reeve retry $run/b --force --note x # it would be heard by nobody
want_err 'unit "b" has no namespace'
want_err "namespace: always"
printf 'second, in other words' >prompt.txt
expect 2 reeve retry $run/b --force --prompt-file prompt.txt # nor this
want_err 'unit "b" is a command that reads no prompt'
want_err "namespace: always"
expect 0 reeve retry $run/a --note "try it in other words" --prompt-file prompt.txt --agent good -o json
valid result
want_json 'units["a"]["state"] == "succeeded" and units["a"]["tries"] == 2 and units["a"]["usage"]["tokens"] == 170'
want_json '"second, in other words" in units["a"]["output"]'
want_json 'json.load(open(".reeve/runs/%s/units/a/2/context.json" % d["run"]))["_note"] == "try it in other words"'

say "a limit of tokens ends the run with 7"
cat >limit.yaml <<'PLAN'
version: 1
name: limit
workspace: {mode: none}
max_workers: 1
limits: {tokens: 250}
agents: {m: {profile: mock, mock: {tokens: 100, delay_s: 0}}}
units:
  - {id: u, agent: m, for_each: {count: 9}, prompt: "{{item}}"}
PLAN
expect 7 reeve run limit.yaml -o json
valid result
want_json 'd["state"] == "failed" and d["reason"] == "budget:tokens" and d["succeeded"] == 3 and d["cancelled"] == 6 and d["usage"]["tokens"] == 300'
expect 7 reeve run limit.yaml
want_err "budget:tokens"
want_err "300 tok"

say "an agent's limit ends its units alone"
sed 's/limits: {tokens: 250}/x-none: 1/; s/{profile: mock,/{profile: mock, limits: {tokens: 250},/' limit.yaml >agent.yaml
echo '  - {id: other, agent: noop}' >>agent.yaml
expect 7 reeve run agent.yaml -o json
want_json 'd["succeeded"] == 4 and d["failed"] == 6 and d["reason"] == "budget:agent" and units["other"]["ok"]'
want_json 'units["u-0009"]["class"] == "budget" and units["u-0009"]["reason"] == "budget:agent" and "limits of its agent" in units["u-0009"]["error"]'
