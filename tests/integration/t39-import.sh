# Other tools' files become plans that pass check and run: the examples with --mock, a WfFormat instance with real processes.
. "$(dirname "$0")/lib.sh"

# ---- the examples ----

mkdir agentos ralph
expect 0 reeve import agentos "$top/examples/agentos.json"
want_err "4 agents with the profile mock"
cp "$T/out" agentos/plan.json
want_json 'd["name"] == "agentos" and d["defaults"] == {"timeout_s": 300, "retry": {"max": 1, "backoff": "linear", "base_s": 0.5}}'
want_json 'd["agents"] == {a: {"profile": "mock"} for a in ("researcher", "writer", "reviewer", "default")}'
want_json '{i: u.get("depends_on", []) for i, u in units.items()} == {"research": [], "draft": ["research"], "review": ["draft"], "translate": ["draft"]}'
want_json 'units["translate"]["agent"] == "default" and units["draft"]["context"]["tone"] == "plain"'
expect 0 reeve check agentos/plan.json
expect 0 reeve run --mock agentos/plan.json --state s-agentos -o json
want_json 'd["state"] == "succeeded" and d["succeeded"] == 4'
want_json 'units["research"]["finished_at"] <= units["draft"]["started_at"] <= units["draft"]["finished_at"] <= min(units["review"]["started_at"], units["translate"]["started_at"])'
expect 0 reeve import agentos "$top/examples/agentos.json" --agent default=claude --agent writer=codex
want_json 'd["agents"]["default"] == {"profile": "claude"} and d["agents"]["writer"] == {"profile": "codex"} and d["agents"]["reviewer"] == {"profile": "mock"}'
cp "$T/out" agentos/real.json
expect 0 reeve run --mock agentos/real.json --state s-agentos

expect 0 reeve import ralph "$top/examples/ralph.json" --agent default=noop
want_empty "$T/err"
expect 0 reeve import ralph "$top/examples/ralph.json"
cp "$T/out" ralph/plan.json
want_json 'd["max_workers"] == 8 and d["defaults"] == {"evidence": "artifact_and_exit"} and "compat_env" not in d'
want_json 'units["api"] == {"id": "api", "description": units["api"]["description"], "allowed_directories": ["server/api", "server/tests"], "depends_on": ["schema"], "x-step-ids": ["2.1", "2.2", "2.3"]}'
expect 0 reeve check ralph/plan.json
want_out "5 units, 5 dependencies"
expect 0 reeve run --mock ralph/plan.json -o json
want_json 'd["state"] == "succeeded" and d["succeeded"] == 5 and len(units) == 5'
expect 0 reeve import ralph "$top/examples/ralph.json" --compat-env
want_json 'd["compat_env"] == ["ralph"]'
cp "$T/out" ralph/compat.json
expect 0 reeve run --mock ralph/compat.json

# With real commands as its agent: a worker of that tool finds its own names, whatever its caller is told, and a user's may not stand in their way.
cat >ralph/worker.sh <<'END'
#!/bin/sh
set -eu
[ "$RALPH_WORKER_ID" = "$REEVE_UNIT_ID" ]
[ "$RALPH_WORKER_NAMESPACE" = "$REEVE_NAMESPACE" ]
[ "$RALPH_AGENT_LABEL_SCOPE" = "$REEVE_SESSION_ID" ]
[ -z "${RALPH_MCP_ENDPOINT-}" ]
grep -q "\"$RALPH_WORKER_ID\"" "$RALPH_PARALLEL_WORKER_MANIFEST"
cd "$RALPH_WORKER_NAMESPACE"
echo "$RALPH_WORKER_ID was here" >"$RALPH_WORKER_ARTIFACT_DIR/report.txt"
echo "$RALPH_WORKER_ID: $OTHER"
END
chmod +x ralph/worker.sh
export RALPH_MCP_ENDPOINT=http://outer RALPH_WORKER_ID=outer
python3 - "$PWD/ralph/worker.sh" <<'END'
import json, sys
d = json.load(open("ralph/compat.json"))
d["agents"]["default"] = {"command": [sys.argv[1]], "env": {"OTHER": "kept"}}
json.dump(d, open("ralph/real.json", "w"))
d["agents"]["default"]["env"]["RALPH_WORKER_ID"] = "mine"
json.dump(d, open("ralph/collides.json", "w"))
del d["compat_env"]
d["agents"]["default"]["command"] = ["sh", "-c", 'echo x >"$REEVE_ARTIFACTS/x"; env | grep ^RALPH_']
json.dump(d, open("ralph/own.json", "w"))
END
expect 0 reeve run ralph/real.json --state s-real -o json
want_json 'd["state"] == "succeeded" and len(units) == 5 and all(u["output"] == i + ": kept" and [a["name"] for a in u["artifacts"]] == ["report.txt"] for i, u in units.items())'
expect 2 reeve check ralph/collides.json
want_err '"env" cannot set "RALPH_WORKER_ID"'
want_err 'compat_env'
expect 0 reeve run ralph/own.json --state s-own -o json
want_json 'all(u["output"] == "RALPH_WORKER_ID=mine" for u in d["units"])'
unset RALPH_MCP_ENDPOINT RALPH_WORKER_ID

# ---- WfFormat: two tasks of one program each, and the same as sleeps ----

cat >wf.json <<'END'
{"name":"wf","schemaVersion":"1.5","workflow":{
 "specification":{"tasks":[
  {"name":"say","id":"ID:1","parents":[],"children":["ID:2"]},
  {"name":"count","id":"ID:2","parents":["ID:1"],"children":[]}]},
 "execution":{"makespanInSeconds":40,"executedAt":"2026-01-01T00:00:00Z","tasks":[
  {"id":"ID:1","runtimeInSeconds":10,"command":{"program":"sh","arguments":["-c","echo {{braces}} >said; echo done"]}},
  {"id":"ID:2","runtimeInSeconds":30,"command":{"program":"wc","arguments":["-c","said"]},"coreCount":2}]}}}
END
expect 0 sh -c '"$REEVE" import wfformat - <wf.json'
cp "$T/out" wf-plan.json
expect 0 python3 -c "import os, socket, subprocess, sys
near, far = socket.socketpair() # as programs of some languages hand over a standard input
child = subprocess.Popen([os.environ['REEVE'], 'import', 'agentos', '-'], stdin=far)
near.sendall(b'{\"a\": {\"prompt\": \"x\"}}')
near.close()
far.close()
sys.exit(child.wait())"
expect 0 reeve check wf-plan.json -o json
want_json 'd["critical_path_ms"] == 40000'
expect 0 reeve run wf-plan.json -j 2 -o json
want_json 'units["ID_2"]["output"] == "11 said"'
expect 0 reeve run --mock wf-plan.json -j 2
expect 0 reeve import wfformat wf.json --scale 0.001 --max-cores 1
cp "$T/out" wf-sleeps.json
want_json 'd["units"][1]["command"] == ["sleep", "0.03"] and d["units"][1]["resources"] == {"cpus": 1}'
expect 0 reeve run wf-sleeps.json -j 1
expect 0 reeve export schedule
want_json '[l["unit"] for l in d] == ["ID:1", "ID:2"]'

# ---- refusals: with their place, nothing on stdout ----

sed 's/"draft"\]/"drafd"]/' "$top/examples/agentos.json" >typo.json
expect 2 reeve import agentos typo.json
want_empty "$T/out"
want_err 'typo.json:16:20: nothing here has the id "drafd"'
want_err 'did you mean "draft"?'
expect 2 reeve import agentos typo.json -o json
expect 2 reeve import agentos "$top/examples/agentos.json" --agent drafter=claude
want_err 'for an agent "drafter"'
expect 2 reeve import agentos "$top/examples/agentos.json" --agent writer=cloude
want_err 'mock noop claude codex'
expect 2 reeve import agentos "$top/examples/agentos.json" --agent writer
expect 2 reeve import agentos "$top/examples/agentos.json" --agent writer=mock --agent writer=noop
expect 2 reeve import agentos "$top/examples/agentos.json" --scale 2
want_err '--scale is of dag and wfformat'
expect 2 reeve import wfformat wf.json --agent a=mock
expect 2 reeve import agentos "$top/examples/agentos.json" --compat-env
expect 2 reeve import wfformat "$top/examples/ralph.json"
want_err 'schemaVersion'
expect 2 reeve import ralph wf.json
want_err 'wf.json:1:1'
for f in taskmaster dagman; do
	expect 2 reeve import $f wf.json
	want_err "\`reeve import $f\` is not built yet"
done
expect 4 reeve import ralph nothing.json
