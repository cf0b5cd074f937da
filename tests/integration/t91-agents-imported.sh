# Real agents against a provider of our own: imported plans of other tools run with them, and three of them edit directories of one
# repository at the same time. `make agents-check`.
. "$(dirname "$0")/lib.sh"
. "$here/agents.sh"

# What each unit is answered, found by its name in the rules before its prompt. `meet` waits until all three units are at work.
python3 - >"$T/scenario.json" <<'PY'
import json

def unit(name, *turns):
    return {"match": 'the unit "%s"' % name, "turns": list(turns)}

def say(text):
    return {"say": text, "usage": {"input": 300, "output": 20}}

def shell(command):
    return {"tool": "shell", "command": command, "usage": {"input": 300, "output": 30}}

def makes(name, directory):
    return unit(name, shell('mkdir -p %s && echo "%s" >%s/made.txt && echo "%s" >"$REEVE_ARTIFACTS/report.txt"' % (directory, name, directory, name)),
                say("%s is made." % name))

def meets(name):
    meet = 'touch %s/here; n=0; until [ -e lexer/here ] && [ -e parser/here ] && [ -e printer/here ]; do n=$((n + 1)); [ $n -lt 600 ] || exit 1; sleep 0.1; done' % name
    return unit(name, shell(meet + '; echo "%s, new" >>%s/code.txt' % (name, name)), say("%s is changed." % name))

print(json.dumps({"scripts": [
    unit("translate", say("Bienen finden heim.")),
    unit("review", say("Every claim is carried.")),
    unit("draft", say("Bees find home.")),
    unit("research", say("Five facts.")),
    makes("schema", "db"), makes("api", "server/api"), makes("worker", "server/worker"), makes("web", "web"), makes("handbook", "docs"),
    meets("lexer"), meets("parser"), meets("printer"),
]}))
PY
provider "$T/scenario.json"

# ---- agentos: as it is imported, one agent real; then all of them ----

mkdir agentos
reeve import agentos "$top/examples/agentos.json" --agent default=claude >agentos/plan.json 2>"$T/err" || fail "import agentos"
expect 0 with_home "$REEVE" run agentos/plan.json --state s-one -o json
valid result
want_json 'd["state"] == "succeeded" and all(u["state"] == "succeeded" and u["attempts"] == 1 for u in d["units"])'
want_json 'units["translate"]["output"] == "Bienen finden heim." and units["draft"]["output"].startswith("[writer] processed: ")'
reeve import agentos "$top/examples/agentos.json" --agent default=claude --agent researcher=claude --agent writer=codex --agent reviewer=claude \
	>agentos/real.json 2>"$T/err" || fail "import agentos"
expect 0 with_home "$REEVE" run agentos/real.json --state s-all -o json
valid result
want_json 'all(u["state"] == "succeeded" and u["attempts"] == 1 for u in d["units"])'
want_json '{i: u["output"] for i, u in units.items()} == {"research": "Five facts.", "draft": "Bees find home.", "review": "Every claim is carried.", "translate": "Bienen finden heim."}'
want_json 'units["research"]["finished_at"] <= units["draft"]["started_at"] <= units["draft"]["finished_at"] <= min(units["review"]["started_at"], units["translate"]["started_at"])'
json '"agentos, four real agents: %d ms" % d["duration_ms"]'
for unit in draft review translate; do # each was told what the one before it said
	want_in s-all/runs/*/units/$unit/1/prompt.txt "$([ $unit = draft ] && echo "Five facts." || echo "Bees find home.")"
done

# ---- ralph: five units with directories, each with an artifact as evidence ----

mkdir -p ralph
git init -q ralph
reeve import ralph "$top/examples/ralph.json" --agent default=claude >ralph/plan.json 2>"$T/err" || fail "import ralph"
expect 0 with_home "$REEVE" run ralph/plan.json --state s-ralph -o json
valid result
want_json 'd["state"] == "succeeded" and len(units) == 5 and all(u["state"] == "succeeded" and u["attempts"] == 1 for u in d["units"])'
want_json 'all([a["name"] for a in u["artifacts"]] == ["report.txt"] for u in d["units"])'
want_json 'all(units[a]["finished_at"] <= units[b]["started_at"] for a, b in (("schema", "api"), ("schema", "worker"), ("api", "web"), ("api", "handbook"), ("worker", "handbook")))'
want_eq "$(cd ralph && cat db/made.txt server/api/made.txt server/worker/made.txt web/made.txt docs/made.txt | xargs)" "schema api worker web handbook"
json '"ralph, five real agents: %d ms" % d["duration_ms"]'

# ---- three side by side in one repository ----

git init -q repo
cd repo || exit 1
mkdir lexer parser printer
for d in lexer parser printer; do echo "$d, old" >$d/code.txt; done
cat >plan.yaml <<'Y'
version: 1
agents: {claude: {profile: claude}, codex: {profile: codex}}
defaults: {agent: claude, retry: {max: 0}}
units:
  - {id: lexer, prompt: Change the lexer., allowed_directories: [lexer]}
  - {id: parser, prompt: Change the parser., allowed_directories: [parser]}
  - {id: printer, agent: codex, prompt: Change the printer., allowed_directories: [printer]}
Y
git add -A
git -c user.name=t -c user.email=t@localhost commit -qm start
expect 0 with_home "$REEVE" run plan.yaml -o json
valid result
want_json 'all(u["state"] == "succeeded" and u["attempts"] == 1 for u in d["units"])'
want_json 'max(u["started_at"] for u in d["units"]) < min(u["finished_at"] for u in d["units"])'
json '"three side by side: %d ms" % d["duration_ms"]'
want_eq "$(git status --porcelain -uall | xargs)" "M lexer/code.txt M parser/code.txt M printer/code.txt ?? lexer/here ?? parser/here ?? printer/here"
want_eq "$(cat ./*/code.txt | xargs)" "lexer, old lexer, new parser, old parser, new printer, old printer, new"

# So says the journal: all three were at work before the first one ended.
expect 0 reeve events "$(run_id)" -o json
want_json '[e["type"] for e in d["events"]].count("unit_assigned") == 3 and (lambda ends: len(ends) == 3 and max(e["started_at"] for e in ends) < min(e["finished_at"] for e in ends))([e for e in d["events"] if e["type"] == "unit_finished"])'
