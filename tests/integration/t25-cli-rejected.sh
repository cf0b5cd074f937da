# A plan that is refused: exit 2, one result, one event, nothing started, nothing left behind.
. "$(dirname "$0")/lib.sh"

cat >bad.json <<'PLAN'
{"version": 1, "name": "bad", "units": [
 {"id": "a", "command": ["touch", "ran"], "depends_on": ["c"]},
 {"id": "b", "command": ["touch", "ran"], "depends_on": ["a"]},
 {"id": "c", "command": ["touch", "ran"], "depends_on": ["b"]},
 {"id": "d", "command": ["touch", "ran"], "timout_s": 3}
]}
PLAN
expect 2 reeve run bad.json --events "$T/events.jsonl"
want_err "error[E_CYCLE]"
want_err "error[E_UNKNOWN_KEY]"
want_empty "$T/out"
valid event "$T/events.jsonl"
want_json 'd["type"] == "plan_rejected" and d["unit"] == "__preflight__" and d["exit"] == 2 and d["error"].startswith("plan rejected: ")' "$T/events.jsonl"
[ ! -e .reeve ] || fail "a refused plan left a state directory"

expect 2 reeve run bad.json -o json
valid result
want_json 'd["state"] == "rejected" and {e["code"] for e in d["errors"]} == {"E_CYCLE", "E_UNKNOWN_KEY"} and d["run"] is None'
expect 2 reeve run bad.json -o jsonl
valid result

say "refused by what this machine has"
echo '{"version": 1, "units": [{"id": "a", "command": ["touch", "ran"], "labels": {"gpu": "yes"}}]}' >far.json
expect 2 reeve run far.json --events "$T/far.jsonl"
want_err gpu
valid event "$T/far.jsonl"
expect 2 reeve run far.json -o json
valid result
want_json 'd["state"] == "rejected"'

say "no such plan, no such directory, words that make no sense"
expect 4 reeve run none.json
expect 4 reeve run none.json -o json
expect 2 reeve run
expect 2 reeve run bad.json far.json
expect 2 reeve run bad.json --slots 3
expect 2 reeve run bad.json -j 0
expect 2 reeve run bad.json -j -1
expect 2 reeve run bad.json -j 1e99
expect 2 reeve run bad.json -j nan
expect 2 reeve run bad.json --show everything
want_err all
expect 2 reeve run bad.json --http x
want_err "waits for: "
expect 2 reeve run bad.json --label nonsense
expect 2 reeve run -- echo
want_err "a fan-out needs inputs"

say "a state directory that cannot be written"
echo '{"version": 1, "units": [{"id": "a", "command": ["touch", "ran"]}]}' >good.json
: >file
expect 3 reeve run good.json --state file/x
mkdir ro && chmod 500 ro
if [ "$(id -u)" != 0 ]; then
	expect 6 reeve run good.json --state ro/x
fi
[ ! -e ran ] || fail "something ran"
expect 0 reeve run good.json
[ -e ran ] || fail "nothing ran"
