# Every key of a plan that the other tests do not run: each is seen to have its effect.
. "$(dirname "$0")/lib.sh"

# --- plan level: name, units as a map, order, verify, keep_logs, lost_after_s, limits ---
cat >map.yaml <<'Y'
version: 1
name: by-name
order: id
keep_logs: all
lost_after_s: 30
placement: pack
limits: {node_lost: 2, environment: 2, rate_limited: 3}
max_workers: 1
units:
  one: {command: [sh, -c, 'echo one >>order']}
  two: {command: [sh, -c, 'echo two >>order'], estimate_s: 100}
  three: {command: [sh, -c, 'echo three >>order'], dependencies: [one]}
verify: {command: [sh, -c, 'echo verified; cat order'], timeout_s: 5}
Y
expect 0 reeve run -o json map.yaml
want_json 'd["name"] == "by-name" and d["total"] == 3 and d["verify"]["state"] == "succeeded"'
want_eq "$(tr '\n' ' ' <order)" "one two three "
rm order
sed 's/^order: id/order: critical_path/' map.yaml >cp.yaml
expect 0 reeve run cp.yaml
want_eq "$(tr '\n' ' ' <order)" "two one three " # the longest first
sed 's/cat order/exit 4/' map.yaml >unverified.yaml
expect 1 reeve run -o json unverified.yaml
want_json 'd["state"] == "failed" and d["succeeded"] == 3 and d["reason"] == "verify"'

# --- priority goes before length ---
rm order
cat >priority.yaml <<'Y'
version: 1
max_workers: 1
units:
  - {id: low, priority: low, estimate_s: 99, command: [sh, -c, 'echo low >>order']}
  - {id: n, priority: 5, command: [sh, -c, 'echo n >>order']}
  - {id: crit, priority: critical, command: [sh, -c, 'echo crit >>order']}
Y
expect 0 reeve run priority.yaml
want_eq "$(tr '\n' ' ' <order)" "crit n low "

# --- agents: command with placeholders, model, env, max_concurrent; mock and noop ---
mkdir -p bin
cat >agents.yaml <<'Y'
version: 1
name: agents
agents:
  tool: {command: [sh, -c, 'printf "%s|%s|%s|%s|%s\n" "$1" "$2" "$3" "$E" "$(cat "$4")" >"$5.out"', sh, "{unit_id}", "{model}", "{prompt}", "{prompt_file}", "{unit_id}"], model: m1, env: {E: from-agent}, timeout_s: 20}
  few: {command: [sh, -c, 'mkdir busy || exit 9; sleep 0.1; rmdir busy'], max_concurrent: 1}
  fake: {profile: mock, mock: {delay_s: 0.05, fail: 1, output: canned}}
  plain: {profile: mock}
units:
  - {id: t, agent: tool, prompt: "do this"}
  - {id: f, agent: few, for_each: {count: 4}}
  - {id: k, agent: fake, prompt: x, retry: {max: 1, base_s: 0.05}}
  - {id: p, agent: plain, description: "Say it in a sentence"}
  - {id: z, agent: noop}
Y
expect 0 reeve run -j 8 -o json agents.yaml
want_eq "$(cat t.out)" "t|m1|do this|from-agent|do this"
want_json 'all(units["f-000%d" % i]["ok"] for i in range(1, 5))'
want_json 'units["k"]["output"] == "canned" and units["k"]["attempts"] == 2'
want_json 'units["p"]["output"] == "[plain] processed: Say it in a sentence" and len(units["p"]["artifacts"]) == 1'
want_json 'units["z"]["ok"] and units["z"]["output"] is None'

# rate limits: wait, and spend no retry
cat >limited.yaml <<'Y'
version: 1
limits: {rate_limited: 2}
agents:
  busy: {command: [sh, -c, 'echo x >>busy; exit 75'], rate_limit_exit_codes: [75]}
  said: {command: [sh, -c, 'echo x >>said; echo "Error: Too Many requests, slow down"; exit 1'], rate_limit_patterns: ["too many requests"]}
units:
  - {id: b, agent: busy}
  - {id: s, agent: said}
Y
start limited "$REEVE" run -j 4 --events ev limited.yaml
wait_until 20 sh -c '[ $(grep -c unit_retry_wait ev) -ge 2 ]'
kill -INT "$(pid_of limited)"
finish limited 130
want_json 'all(e["class"] == "rate_limited" for e in d if e["type"] == "unit_retry_wait")' ev

# --- locks, locks of count 2, resources ---
cat >locks.yaml <<'Y'
version: 1
locks: {db: 1, two: 2}
units:
  - {id: a, for_each: {count: 3}, locks: [db], command: [sh, -c, 'mkdir held || exit 9; sleep 0.1; rmdir held']}
  - {id: b, for_each: {count: 4}, locks: [two], command: [sh, -c, 'echo + >>two; sleep 0.15; echo - >>two']}
  - {id: c, for_each: {count: 3}, resources: {chip: 2}, command: [sh, -c, 'mkdir chip || exit 9; sleep 0.1; rmdir chip']}
  - {id: w, for_each: {count: 2}, resources: {cpus: 5}, command: [sh, -c, 'mkdir wide || exit 9; sleep 0.1; rmdir wide']}
Y
expect 0 reeve run -j 8 --resource chip=3 locks.yaml
python3 - <<'PY' || fail "two at once"
n = most = 0
for line in open("two"):
    n += 1 if line[0] == "+" else -1
    most = max(most, n)
assert most <= 2, most
PY
expect 2 reeve run -j 8 locks.yaml
want_err "needs chip"
want_err "--resource chip=2"
expect 2 reeve run -j 4 --resource chip=3 locks.yaml
want_err "needs 5 slots"
cat >mem.yaml <<'Y'
version: 1
units: [{id: m, for_each: {count: 2}, resources: {memory_mb: 600}, command: [sh, -c, 'mkdir mem || exit 9; sleep 0.1; rmdir mem']}]
Y
expect 0 reeve run -j 4 --resource memory_mb=1000 -o json mem.yaml
want_json 'all(u["limits"] == "none" for u in d["units"])'

# --- labels and pins ---
cat >labels.yaml <<'Y'
version: 1
units:
  - {id: gpu, labels: {gpu: "yes"}, command: ["true"]}
  - {id: not, labels: {slow: "!yes"}, command: ["true"]}
Y
expect 0 reeve run --label gpu=yes labels.yaml
expect 2 reeve run labels.yaml
want_err "label gpu=yes"
expect 2 reeve run --label gpu=yes --label slow=yes labels.yaml
want_err "without the label slow=yes"
echo '{"version":1,"units":[{"id":"p","node":"elsewhere","command":["true"]}]}' >pin.json
expect 2 reeve run pin.json
want_err 'pinned to node "elsewhere"'
expect 0 reeve run --mock pin.json
sed "s/elsewhere/$(hostname)/" pin.json >here.json
expect 0 reeve run here.json

# --- prompt_file, template, cwd, workspace.root, namespace never, namespace_root ---
mkdir -p ws/sub
echo 'file {{who}} {{item}}' >prompt.txt
echo 'file of {{who}}' >mine.txt
cat >texts.yaml <<'Y'
version: 1
context: {who: me}
workspace: {mode: shared, root: ws, namespace_root: spaces, require_directories: false}
agents: {a: {command: [sh, -c, 'cp "$REEVE_PROMPT_FILE" "../$REEVE_UNIT_ID.prompt" 2>/dev/null || cp "$REEVE_PROMPT_FILE" "$REEVE_UNIT_ID.prompt"']}}
units:
  - {id: raw, agent: a, prompt_file: prompt.txt, namespace: always}
  - {id: on, agent: a, prompt_file: mine.txt, template: on, namespace: always, context: {who: you}}
  - {id: off, namespace: always, template: off, command: [sh, -c, 'printf %s "$1" >off', sh, "{{who}}"]}
  - {id: each, agent: a, prompt_file: prompt.txt, for_each: [x], namespace: always}
  - {id: cwd, cwd: sub, command: [sh, -c, 'pwd >where']}
  - {id: never, namespace: never, evidence: exit, command: [sh, -c, 'env >never']}
Y
expect 0 reeve run -j 4 texts.yaml
want_eq "$(cat ws/raw.prompt raw.prompt 2>/dev/null)" 'file {{who}} {{item}}'
want_eq "$(cat ws/on.prompt on.prompt 2>/dev/null)" 'file of you'
want_eq "$(cat ws/each-0001.prompt each-0001.prompt 2>/dev/null)" 'file me x'
want_eq "$(cat ws/off)" '{{who}}'
want_eq "$(cat ws/sub/where)" "$PWD/ws/sub"
! grep -q REEVE_NAMESPACE ws/never || fail "namespace: never"
[ -d spaces/runs ] || [ -d ws/spaces/runs ] || fail "namespace_root"

# --- for_each from files ---
echo '[{"n":1},{"n":2}]' >items.json
printf '{"n":3}\n{"n":4}\n{"n":5}\n' >items.jsonl
printf 'first line\nsecond line\n' >items.txt
cat >files.yaml <<'Y'
version: 1
units:
  - {id: j, for_each: {file: items.json}, command: [echo, "{{item.n}}"]}
  - {id: l, for_each: {file: items.jsonl}, command: [echo, "{{item.n}}"]}
  - {id: t, for_each: {file: items.txt}, command: [echo, "{item}"]}
Y
expect 0 reeve run -o json files.yaml
want_json '[u["output"] for u in d["units"]] == ["1", "2", "3", "4", "5", "first line", "second line"]'

# --- at_most_once, satisfied, grace_s, log_max_mb ---
cat >rest.yaml <<'Y'
version: 1
units:
  - {id: done, satisfied: true, command: [sh, -c, 'touch must-not-run']}
  - {id: once, depends_on: [done], at_most_once: true, command: [sh, -c, 'echo once >>once; exit 1']}
  - {id: slow, timeout_s: 0.3, grace_s: 5, command: [sh, -c, 'trap "sleep 0.4; echo cleaned >cleaned; exit 0" TERM; while :; do sleep 0.1; done']}
  - {id: loud, log_max_mb: 1, command: [sh, -c, 'echo HEAD; head -c 3000000 /dev/zero | tr "\0" "x"; echo; echo TAIL']}
Y
expect 1 reeve run -j 4 -o json rest.yaml
want_json 'units["done"]["ok"] and units["done"]["reason"] == "satisfied" and units["done"]["attempts"] == 0'
want_json 'units["once"]["state"] == "failed" and units["once"]["attempts"] == 1'
[ ! -e must-not-run ] && [ "$(cat once)" = once ] && [ -f cleaned ] || fail "satisfied, at_most_once or grace"
expect 0 reeve logs "$(run_id)/loud" --raw
[ "$(wc -c <"$T/out")" -lt 1500000 ] || fail "log_max_mb"
head -c 4 "$T/out" | grep -q HEAD && tail -c 6 "$T/out" | grep -q TAIL || fail "head and tail are kept"
expect 2 reeve run --set defaults.at_most_once=true --set defaults.retry.max=1 rest.yaml
want_err E_CONFLICT
