# An ended run, looked at with every verb and in every format.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "look", "units": [
 {"id": "hello", "command": ["sh", "-c", "echo one; echo two >&2; echo three"]},
 {"id": "noise", "command": ["sh", "-c", "printf 'a\\033]52;c;eA==\\007b\\033[31mred\\033[0m\\nreal\\rforged\\n'; exit 3"]},
 {"id": "data", "output": "json", "command": ["sh", "-c", "printf '{\"x\": [1, 2],\\n \"y\": \"z\"}' >$REEVE_OUTPUT_FILE"], "namespace": "always"},
 {"id": "files", "namespace": "always", "command": ["sh", "-c", "mkdir -p $REEVE_ARTIFACTS/d; echo A >$REEVE_ARTIFACTS/a.txt; echo B >$REEVE_ARTIFACTS/d/b.txt; echo made"]},
 {"id": "after", "command": ["true"], "depends_on": ["noise", "hello"]},
 {"id": "last", "command": ["true"], "depends_on": ["after"]},
 {"id": "again", "command": ["sh", "-c", "echo try $REEVE_TRY; test $REEVE_TRY = 2"], "retry": {"max": 2, "base_s": 0.01}},
 {"id": "many", "command": ["echo", "{item}"], "for_each": {"count": 3}}
]}
PLAN
expect 1 reeve run plan.json --events "$T/events.jsonl"
run=$(run_id)
want_out '[noise] real\rforged'
want_err "run $run look: failed"
want_err "7 of 10 succeeded, 1 failed, 2 skipped, 1 retry"
want_err "noise: exit status 3"
want_err '| real\rforged'
want_err "reeve logs $run/noise"
want_err "skipped   after: blocked by failed dependencies: noise"
grep -q "$(printf '\033')" "$T/out" "$T/err" && fail "an escape came through"

say "the list of runs"
expect 0 reeve status
want_out "RUN "
want_out "$run  look  failed"
expect 0 reeve status -o wide
expect 0 reeve status -o name
want_eq "$(cat "$T/out")" "$run"
expect 0 reeve status -o json
valid status
want_json 'd["runs"][0]["run"] == "'$run'" and d["runs"][0]["total"] == 10 and d["runs"][0]["owned"] is False'
expect 0 reeve status -o jsonl
want_json 'd["state"] == "failed"'
expect 0 env REEVE_FORMAT=json "$REEVE" status
valid status

say "one run"
for word in $run ${run:0:9} $(echo "$run" | tr a-z A-Z); do
	expect 0 reeve status "$word"
	want_out "run $run look: failed"
done
want_out "UNIT"
grep -Eq '^noise +failed +1 .*exit status 3' "$T/out" || fail "noise"
grep -Eq '^after +skipped .*blocked by failed dependencies: noise$' "$T/out" || fail "after"
grep -Eq '^again +succeeded +2' "$T/out" || fail "again"
expect 0 reeve status $run -o wide
want_out AGENT
expect 0 reeve status $run -o name
want_eq "$(head -1 "$T/out")" hello
want_out many-0003
expect 0 reeve status $run -o json
valid result
want_json 'd["state"] == "failed" and d["total"] == 10 and d["succeeded"] == 7 and d["retries"] == 1'
want_json 'd["succeeded"] + d["failed"] + d["skipped"] + d["cancelled"] == d["total"] == len(d["units"])'
want_json 'units["after"]["blocked_by"] == ["noise"] and units["last"]["root_cause"] == "noise" and units["last"]["blocked_by"] == ["after"]'
want_json 'units["data"]["output"] == {"x": [1, 2], "y": "z"} and units["hello"]["output"] == "three"'
want_json 'units["noise"]["exit"] == 3 and units["noise"]["class"] == "agent" and units["noise"]["ok"] is False'
want_json '[a["name"] for a in units["files"]["artifacts"]] == ["a.txt", "d/b.txt"]'
want_json 'units["again"]["tries"] == 2'
expect 0 reeve status $run -o jsonl
valid result-line
valid result .reeve/runs/$run/summary.json
want_in .reeve/runs/$run/summary.md "| noise | failed | exit status 3 |"

say "one unit"
expect 0 reeve status $run/again
want_out ATTEMPT
want_out unit_retry_wait
expect 0 reeve status $run/again -o json
valid unit
want_json '[(a["attempt"], a["outcome"]) for a in d["attempts"]] == [(1, "failed"), (2, "succeeded")]'
expect 0 reeve status $run/after -o json
want_json 'd["depends_on"] == [{"id": "noise", "state": "failed"}, {"id": "hello", "state": "succeeded"}] and d["attempts"] == []'
expect 4 reeve status $run/agian
want_err "did you mean again?"
expect 4 reeve status zzz
want_err "the newest is $run"
expect 2 reeve status $run/many
want_err "stands for 3 units, many-0001 to many-0003"

say "output"
expect 0 reeve output $run/hello
want_eq "$(cat "$T/out")" three
expect 0 reeve output data
want_json 'd == {"x": [1, 2], "y": "z"}'
expect 0 reeve output data -o json
valid output
want_json 'd["output"]["x"] == [1, 2] and d["attempt"] == 1'
expect 4 reeve output last
want_err "it is skipped"
expect 4 reeve output last -o json
valid error "$T/err"

say "artifacts"
expect 0 reeve artifacts
want_out a.txt
expect 0 reeve artifacts $run/files -o json
valid artifacts
want_json 'sorted((a["name"], a["bytes"], a["attempt"]) for a in d["artifacts"]) == [("a.txt", 2, 1), ("d/b.txt", 2, 1)]'
expect 0 reeve artifacts -o name
want_eq "$(tr '\n' ' ' <"$T/out")" "files/a.txt files/d/b.txt "
expect 0 reeve artifacts --copy "$T/copy"
want_eq "$(cat "$T/copy/files/d/b.txt")" B
rm -r "$T/copy/files/d" && ln -s /etc "$T/copy/files/d"
expect 3 reeve artifacts --copy "$T/copy"
[ ! -e /etc/b.txt ] || fail "wrote through a link"

say "events"
expect 0 reeve events
want_out "run_finished"
want_out "noise attempt 1 failed: exit status 3"
expect 0 reeve events -o jsonl
valid event
cp "$T/out" "$T/told.jsonl"
want_json 'd[0]["type"] == "run_accepted" and sum(e["type"] == "run_finished" for e in d) == 1 and d[-1]["type"] == "run_finished"' "$T/told.jsonl"
want_json '[(e["position"], e["index"], e["part"]) for e in d] == sorted({(e["position"], e["index"], e["part"]) for e in d})' "$T/told.jsonl"
want_json 'max(e["part"] for e in d if e["type"] in ("run_started", "unit_assigned")) == 1 and any(e["part"] for e in d if e.get("state") == "skipped")' "$T/told.jsonl"
expect 0 reeve events -o json
valid events
expect 0 reeve events $run/noise -o jsonl
want_json 'all(e["unit"] == "noise" for e in d) and d[-1]["exit"] == 3'
expect 0 reeve export events $run
cmp -s "$T/out" "$T/told.jsonl" || fail "export events differs from events"
valid event "$T/events.jsonl"
python3 - "$T/events.jsonl" "$T/told.jsonl" <<'PY' || fail "run --events and events differ"
import json, sys
once = ("unit_ready", "unit_started", "result_fenced", "node_joined", "node_suspect", "node_lost", "node_left")
live, told = ([json.loads(l) for l in open(p)] for p in sys.argv[1:])
if any(("part" in e) != (e["type"] not in once) for e in live):
    sys.exit("an event without its part")
live = [e for e in live if e["type"] not in once]
told = [e for e in told if e["type"] not in once]
for a, b in zip(live, told):
    if a != b:
        print("live:", a); print("told:", b); sys.exit(1)
sys.exit(len(live) != len(told))
PY

say "schedule"
expect 0 reeve export schedule
valid schedule-line
want_json 'sum(l["status"] == "ok" for l in d) == 7 and sum(l["status"] == "failed" for l in d) == 2 and all(l["end"] >= l["start"] for l in d)'
expect 0 reeve export junit
expect 2 reeve export schedul
want_err "did you mean schedule?"

say "logs"
expect 0 reeve logs $run/hello
want_eq "$(sort "$T/out" | tr '\n' ' ')" "one three two "
expect 0 reeve logs hello --tail 1
want_eq "$(wc -l <"$T/out")" 1
expect 0 reeve logs hello -n 0
want_empty "$T/out"
expect 0 reeve logs noise
want_out 'a^[]52;c;eA==^Gbred'
want_out 'real\rforged'
expect 0 reeve logs noise --raw
grep -q "$(printf '\033]52')" "$T/out" || fail "--raw is not raw"
expect 0 reeve logs again --attempt 1
want_out "try 1"
expect 0 reeve logs again
want_out "try 2"
expect 0 reeve logs files
want_out made
expect 0 reeve logs $run --failed
want_out "==> noise (attempt 1): exit status 3 <=="
expect 4 reeve logs again --attempt 9
want_err "its newest is 2"
expect 4 reeve logs after
want_err "has not run: it is skipped"
expect 0 reeve logs hello -f

say "answers that cannot be written"
"$REEVE" status $run >/dev/full 2>"$T/err"
want_eq $? 3
"$REEVE" status $run -o json >&- 2>"$T/err"
want_eq $? 3

say "from below, and from elsewhere"
mkdir -p deep/er && cd deep/er || exit 1
expect 0 reeve status -o name
want_eq "$(cat "$T/out")" "$run"
cd / || exit 1
expect 0 reeve status --state "$T/work/.reeve" $run
expect 0 reeve logs --state "$T/work/.reeve" hello
cd "$T/work" || exit 1

say "rm"
expect 2 reeve rm
expect 4 reeve rm zzz
expect 2 reeve rm $run/hello
expect 0 reeve rm $run -o json
valid rm
[ ! -e .reeve/runs/$run ] || fail "something is left"
expect 4 reeve status $run
