# Plans through the real program: check, graph, import dag; refusals start nothing and exit 2.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'END'
version: 1
name: small
context: {who: world}
units:
  - {id: a, command: [echo, "hello {{who}}"], estimate_s: 2}
  - {id: b, command: ["true"], depends_on: [a]}
  - {id: c, command: [echo, "{item}"], depends_on: [a], for_each: [x, y, z]}
  - {id: d, command: ["true"], depends_on: [b, c], prompt: "say {{who}} {{_dep_b}}"}
verify: {command: ["true"]}
END

expect 0 reeve check plan.yaml
want_out 'plan.yaml: plan "small" is fine: 6 units, 8 dependencies, 3 levels, at most 4 side by side, critical path 4.0s, then verify'
want_empty "$T/err"
expect 0 reeve check plan.yaml -o json
want_json 'd["schema"] == "reeve.check/1" and d["ok"] and d["units"] == 6 and d["dependencies"] == 8 and d["levels"] == 3'
want_json 'd["critical_path_ms"] == 4000 and d["work_ms"] == 7000 and d["diagnostics"] == [] and len(d["digest"]) == 64'
digest=$(json 'd["digest"]')
expect 0 reeve check plan.yaml --set max_workers=3 --set defaults.retry.max=2 -o json
want_json "d['digest'] == '$digest'"
echo 'who: moon' >ctx.yaml
expect 0 reeve check plan.yaml --context ctx.yaml -o json
want_json "d['digest'] != '$digest'"
expect 0 reeve check --show-prompt d plan.yaml
want_out 'say world {{_dep_b}}'
expect 4 reeve check --show-prompt nope plan.yaml
expect 0 reeve check plan.yaml -o name
want_out small

# A plan file in place of JSON lines: it is said what is read there.
for text in 'version: 1\nunits: []\n' '{"version": 1,\n"units": []}\n'; do
	printf "$text" >piped
	expect 2 sh -c '"$REEVE" check - <piped'
	want_err '`-` reads JSON, a line each, first the plan'
done
printf '{"version": 1, "units": [{"id": "a", "command": ["true"]}]}\n{"id": \n' >piped
expect 2 sh -c '"$REEVE" check - <piped'
want_err "E_SYNTAX"
! grep -q 'reads JSON, a line each' "$T/err" || fail "a wrong line is no plan file"

# The same plan as JSON and as JSON lines has the same digest.
python3 - plan.yaml <<'END'
import json
units = [
    {"id": "a", "command": ["echo", "hello {{who}}"], "estimate_s": 2},
    {"id": "b", "command": ["true"], "depends_on": ["a"]},
    {"id": "c", "command": ["echo", "{item}"], "depends_on": ["a"], "for_each": ["x", "y", "z"]},
    {"id": "d", "command": ["true"], "depends_on": ["b", "c"], "prompt": "say {{who}} {{_dep_b}}"},
]
plan = {"version": 1, "name": "small", "context": {"who": "world"}, "verify": {"command": ["true"]}}
with open("plan.jsonl", "w") as f:
    f.write(json.dumps(plan) + "\n" + "".join(json.dumps(u) + "\n" for u in units))
plan["units"] = units
with open("plan.json", "w") as f:
    json.dump(plan, f)
END
expect 0 reeve check plan.json -o json
want_json "d['digest'] == '$digest'"
expect 0 sh -c '"$REEVE" check - -o json <plan.jsonl'
want_json "d['digest'] == '$digest' and d['file'] == 'stdin'"

# ---- graph ----

expect 0 reeve graph plan.yaml
want_out 'level 1: 1 unit'
want_out '  * a (2.0s)'
want_out '    c x 3 <- a'
want_out 'critical path (*), 4.0s of 7.0s work: a -> b -> d'
expect 0 reeve graph --dot plan.yaml
want_out '"a" -> "b" [color=red, penwidth=2];'
want_out '"c" [label="c x 3"];'
expect 0 reeve graph --mermaid plan.yaml
want_out 'flowchart LR'
want_out 'u0 --> u1'
expect 0 reeve graph -o json plan.yaml
want_json '[u["level"] for u in d["units"]] == [0, 1, 1, 2] and [u["critical"] for u in d["units"]] == [True, True, False, True]'
expect 2 reeve graph --dot --mermaid plan.yaml

# A long plan is shortened, unless all of it is asked for.
python3 -c '
print("{\"version\":1}")
for i in range(300): print("{\"id\":\"u%d\",\"command\":[\"true\"],\"depends_on\":[%s]}" % (i, "\"u%d\"" % (i - 1) if i else ""))' >chain.jsonl
expect 0 sh -c '"$REEVE" graph - <chain.jsonl'
want_out '... 200 more levels ...'
want_no_out 'level 100:'
want_out 'level 300: 1 unit'
want_out 'u11 -> ... 276 more ... -> u288'
expect 0 sh -c '"$REEVE" graph --all - <chain.jsonl'
want_out 'level 100: 1 unit'

# ---- refusals: place, code, exit 2, nothing made ----

cat >bad.yaml <<'END'
version: 1
units:
  - {id: contract, command: ["true"]}
  - {id: server, command: ["true"], depends_on: [contrct]}
END
for verb in check graph run; do
	expect 2 reeve $verb bad.yaml
	want_err 'error[E_DEP_UNKNOWN]: unit "server" depends on "contrct", which no unit is called'
	want_err ' --> bad.yaml:4:50'
	want_err '  |                                                  ^^^^^^^'
	want_err '= help: did you mean "contract" (bad.yaml:3:10)?'
done
expect 2 reeve check bad.yaml -o json
want_json 'not d["ok"] and d["diagnostics"][0]["code"] == "E_DEP_UNKNOWN" and d["diagnostics"][0]["line"] == 4'
[ ! -e .reeve ] || fail "a refused plan left .reeve behind"
expect 4 reeve check nothing.yaml
expect 2 reeve check
expect 2 reeve check a b
expect 2 reeve check plan.yaml --mock=all
expect 0 reeve check plan.yaml --mock

# ---- import dag ----

cat >dag.json <<'END'
{"name":"toy dag","source":"x","tasks":[
{"id":"b/1","runtime_s":1.5,"cores":4,"deps":["a","a+b"],"in_bytes":0},
{"id":"a","runtime_s":0,"cores":1,"deps":[]},
{"id":"b_1","runtime_s":2,"cores":1,"deps":["b/1"]},
{"id":"a+b","runtime_s":0.25,"cores":1,"deps":[]}
]}
END
expect 0 reeve import dag dag.json --scale 0.5 --max-cores 2
cp "$T/out" toy.json
want_json 'd["name"] == "toy-dag" and [u["id"] for u in d["units"]] == ["b_1", "a", "b_1-2", "a_b"]'
want_json 'd["units"][0] == {"id":"b_1","command":["sleep","0.75"],"estimate_s":0.75,"resources":{"cpus":2},"depends_on":["a","a_b"],"x-id":"b/1"}'
want_json 'd["units"][1]["command"] == ["sleep","0"] and "depends_on" not in d["units"][1] and d["units"][2]["depends_on"] == ["b_1"]'
expect 0 reeve check toy.json
want_out '4 units, 3 dependencies'
expect 0 sh -c '"$REEVE" import dag - <dag.json'
sed 's/"a+b"\]/"a-b"]/' dag.json >dag2.json
expect 2 reeve import dag dag2.json
want_err 'dag2.json:2:'
gzip -k dag.json
expect 2 reeve import dag dag.json.gz
want_err 'gunzip -c FILE | reeve import dag -'
expect 2 reeve import dagg dag.json
want_err 'did you mean dag?'
expect 2 reeve import taskmaster dag.json
want_err 'not built yet'
expect 2 reeve import dag dag.json --scale nan
expect 2 reeve import dag dag.json --scale -1

# ---- memory: 16 times the file, or 160 bytes a value if that is more (keys are values); not with a sanitizer's own memory ----

if ! grep -q __asan_init "$REEVE"; then
	python3 - "$REEVE" <<'END' || fail "memory"
import os, sys

def peak(argv):
    pid = os.spawnv(os.P_NOWAIT, argv[0], argv)
    _, status, usage = os.wait4(pid, 0)
    return status, usage.ru_maxrss * 1024

os.dup2(os.open('/dev/null', os.O_WRONLY), 1)
start = peak([sys.argv[1], 'version'])[1]
n = 200000
files = {
    'ids.json': ('{"version":1,"agents":{"a":{"profile":"noop"}},"units":[' + ','.join('{"id":"%x"}' % i for i in range(n)) + ']}', 3 * n),
    'map.json': ('{"version":1,"agents":{"a":{"profile":"noop"}},"units":{' + ','.join('"%x":{}' % i for i in range(n)) + '}}', 2 * n),
    'map.yaml': ('version: 1\nagents: {a: {profile: noop}}\nunits:\n' + ''.join(' u%x: {}\n' % i for i in range(n)), 2 * n),
    'empty.json': ('{"version":1,"units":[],"x-a":[' + ','.join(['{}'] * 1000000) + ']}', 1000000),
    'text.json': ('{"version":1,"units":[],"x-a":[' + ','.join(['"\\n"'] * 1000000) + ']}', 1000000),
    'flow.yaml': ('version: 1\nunits: []\nx-a: [' + ',\n '.join(','.join(['a'] * 10000) for i in range(100)) + ']\n', 1000000),
}
for name, (text, values) in files.items():
    with open(name, 'w') as f:
        f.write(text)
    status, used = peak([sys.argv[1], 'check', name])
    bound = max(16 * len(text), 160 * values) + start + (16 << 20 if name.endswith('yaml') else 0)
    if status or used > bound:
        sys.stderr.write('%s: status %d, %d bytes of %d\n' % (name, status, used, bound))
        sys.exit(1)
END
fi
