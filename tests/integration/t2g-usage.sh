# reeve usage: what a run used, by agent, model and unit, as its journal says.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'PLAN'
version: 1
name: used
workspace: {mode: none}
agents:
  a: {profile: mock, model: small, mock: {tokens: 100, delay_s: 0}}
  b: {profile: mock, model: large, mock: {tokens: 7, fail: 1, delay_s: 0}}
units:
  - {id: u, agent: a, for_each: {count: 3}, prompt: "{{item}}"}
  - {id: v, agent: b, prompt: x, retry: {max: 1, backoff: none}}
  - {id: w, command: ["true"]}
PLAN
expect 0 reeve run plan.yaml
want_err "314 tok"
expect 0 reeve usage -o json
valid usage
want_json 'd["total"]["tokens"] == 314 and d["total"]["units"] == 5'
want_json 'd["by_agent"]["a"]["tokens"] == 300 and d["by_agent"]["b"]["output_tokens"] == 14 and d["by_agent"]["command"]["units"] == 1'
want_json 'd["by_model"]["small"]["tokens"] == 300 and d["by_model"]["large"]["units"] == 1'
want_json '{u["id"]: u.get("tokens") for u in d["units"]}["v"] == 14 and d["total"]["cost_usd"] == 0'
expect 0 reeve usage
want_out "model  large"
want_out "TOKENS"
# What a try used is told under the agent that ran it; a unit is of the one that ran it last.
sed 's/max: 1, backoff/max: 1, agent: a, backoff/' plan.yaml >other.yaml
expect 0 reeve run other.yaml -o json
want_json 'units["v"]["agent"] == "a" and units["v"]["usage"]["tokens"] == 107 and d["by_agent"]["a"]["usage"]["tokens"] == 400 and d["by_agent"]["a"]["units"] == 4'
want_json 'd["by_agent"]["b"]["usage"]["tokens"] == 7 and d["by_agent"]["b"]["units"] == 0'
expect 0 reeve usage -o json
valid usage
want_json 'd["by_agent"]["a"]["tokens"] == 400 and d["by_agent"]["a"]["units"] == 4 and d["by_agent"]["b"]["tokens"] == 7 and d["by_agent"]["b"]["units"] == 0'
want_json 'd["by_model"]["small"]["tokens"] == 400 and d["by_model"]["large"]["tokens"] == 7'
want_json '[(u["agent"], u["model"]) for u in d["units"] if u["id"] == "v"] == [("a", "small")]'
expect 2 reeve usage x/y
expect 4 reeve usage nosuchrun
