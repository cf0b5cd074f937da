# What a mock can rehearse: a rate limit, a hang under each time limit, failures behind them, tokens and cost against budgets.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
workspace: {require_directories: false}
agents:
  m: {profile: mock, mock: {delay_s: 0, tokens: 10, cost_usd: 0.002}}
defaults: {agent: m, retry: {max: 0, base_s: 0.01}}
units:
  - {id: plain}
  - {id: limited, mock: {rate_limited: 2, retry_after_s: 0.05}}
  - {id: each, retry: {max: 2, base_s: 0.01}, mock: {rate_limited: 1, retry_after_s: 0.05, hang: 1, fail: 1}, timeout_s: 0.2}
  - {id: start, mock: {hang: 1}, start_timeout_s: 0.1}
  - {id: idle, mock: {hang: 1}, idle_timeout_s: 0.1, start_timeout_s: 0}
  - {id: wall, mock: {hang: 1}, timeout_s: 0.1}
  - {id: slow, mock: {delay_s: 300}, timeout_s: 0.1}
  - {id: alive, mock: {delay_s: 0.3}, idle_timeout_s: 0.05, start_timeout_s: 0.05}
Y
expect 1 reeve run plan.yaml -o json
valid result
for u in plain limited each alive; do want_json "units['$u']['state'] == 'succeeded'"; done
ended() { want_json "[units['$1'][k] for k in ('state', 'class', 'reason', 'tries', 'signal')] == ['failed', 'timeout', '$2', 1, 15]"; }
ended start start_timeout
ended idle idle_timeout
ended wall timeout
ended slow timeout
want_json '"no output at all within start_timeout_s (0.1)" in units["start"]["error"]'
# three tries that were not its own fault cost nothing and spend no retry; what was tried counts
want_json 'units["limited"]["tries"] == 3 and units["each"]["tries"] == 4 and d["retries"] == 2'
want_json 'units["limited"]["usage"]["tokens"] == 10 and units["limited"]["usage"]["cost_usd"] == 0.002'
want_json 'units["each"]["usage"]["tokens"] == 20 and "tokens" not in units["wall"]["usage"]'
want_json 'd["usage"]["cost_usd"] == 0.010'
run=$(run_id)
expect 0 reeve events "$run/each" -o jsonl
want_json '[e.get("class") for e in d if e["type"] == "unit_retry_wait"] == ["rate_limited", "timeout", "agent"]'

# One that waits is shown as one of a real agent; its own wait where it is told none; Ctrl-C ends what hangs without a limit.
cat >wait.yaml <<'Y'
version: 1
workspace: {require_directories: false}
defaults: {agent: mock, start_timeout_s: 0, idle_timeout_s: 0, timeout_s: 0}
units:
  - {id: limited, mock: {delay_s: 0, rate_limited: 1, retry_after_s: 0}}
  - {id: hangs, mock: {hang: 1}}
Y
start wait "$REEVE" run wait.yaml --state wait
waits() { "$REEVE" status --state wait "$("$REEVE" status --state wait -o name)" >"$T/out" && grep -qE '^limited .* rate limited, asks again in (5|1m)' "$T/out" && grep -qE '^hangs +active' "$T/out"; }
wait_until 20 waits
kill -INT "$(pid_of wait)"
finish wait 130

# Budgets, of a plan for real agents as well: the run's, the agent's, a unit's.
cat >budget.yaml <<'Y'
version: 1
workspace: {require_directories: false}
limits: {cost_usd: 1}
agents: {coder: {profile: claude, mock: {delay_s: 0, cost_usd: 0.40}}}
max_workers: 1
units: [{id: u, for_each: {count: 5}, agent: coder, prompt: x}]
Y
expect 7 reeve run budget.yaml --mock -o json
want_json 'd["reason"] == "budget:cost" and d["succeeded"] == 3 and d["usage"]["cost_usd"] == 1.2'
expect 7 reeve run budget.yaml --mock
want_err ": failed (budget:cost) in "
want_err ", \$1.20"
want_err ", nothing is real (--mock), "
want_err ": 5 units, 1 at once, "
want_err "\`reeve run --resume budget.yaml --mock --set limits.cost_usd=X\` goes on"
# One more try mends nothing, and says what would; a higher limit does, and what was used stays used.
expect 0 reeve explain u-0005
want_out "--set limits.cost_usd=X\` goes on"
expect 7 reeve retry u-0005
want_err ", nothing is real (--mock), "
expect 7 reeve run --resume budget.yaml --mock --set limits.cost_usd=1.1
expect 0 reeve run --resume budget.yaml --mock --set limits.cost_usd=3 --set max_workers=2 -o json
want_json 'd["succeeded"] == 5 and d["usage"]["cost_usd"] == 2'
expect 7 reeve run budget.yaml --mock --set limits.cost_usd=0 --set agents.coder.limits.cost_usd=0.80 -o json
want_json 'd["succeeded"] == 2 and units["u-0005"]["reason"] == "budget:agent"'
sed 's/^limits: .*/defaults: {retry: {max: 5, base_s: 0.01}}/; s/prompt: x/prompt: x, mock: {fail: 9}, resources: {cost_usd: 0.50}/' budget.yaml >unit.yaml
expect 7 reeve run unit.yaml --mock -o json
want_json 'all(u["reason"] == "budget:cost" and u["tries"] == 2 for u in units.values())'
# a saved plan says the same: a run that goes on, a cluster
expect 7 reeve run --resume --mock unit.yaml -o json
want_json 'all(u["reason"] == "budget:cost" for u in units.values())'
