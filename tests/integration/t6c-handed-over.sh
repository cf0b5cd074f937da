# What a unit leaves in its artifacts is seen by its dependents on another node: below REEVE_DEPS, as if it had run there.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

coordinator --durability process
node one --slots 2 --label at=one
node two --slots 2 --label at=two
wait_until 20 joined one
wait_until 20 joined two

# a leaves artifacts on node one; b and c on node two look for them
plan() { # NAME WORKSPACE COMMAND-OF-A COMMAND-OF-B
	python3 - "$@" <<'P' >"$1.json"
import json, sys
name, workspace, a, b = sys.argv[1:]
print(json.dumps({"version": 1, "name": name, "workspace": json.loads(workspace), "units": [
    {"id": "a", "namespace": "always", "labels": {"at": "one"}, "command": ["sh", "-c", a]},
    {"id": "b", "namespace": "always", "labels": {"at": "two"}, "depends_on": ["a"], "command": ["sh", "-c", b], "retry": 0},
    {"id": "c", "namespace": "always", "labels": {"at": "two"}, "depends_on": ["a", "b"], "command": ["sh", "-c", b], "retry": 0}]}))
P
}
hold_b() { # PLAN: b waits until it is released
	python3 - "$1" <<'P'
import json, sys
d = json.load(open(sys.argv[1]))
d["units"][1]["hold"] = True
json.dump(d, open(sys.argv[1], "w"))
P
}
leaves='cd $REEVE_ARTIFACTS && mkdir -p sub/deeper && echo top >top && echo below >sub/deeper/file && : >empty && head -c 1500000 /dev/urandom >sub/large && printf odd >"sub/with space
and line" && sha256sum sub/large >'"$T"'/sum && chmod +x top'
finds='cd $REEVE_DEPS/a/ && [ -x top ] && [ ! -x empty ] && [ "$(cat top)$(cat sub/deeper/file)" = topbelow ] && [ -f empty ] && [ ! -s empty ] && sha256sum -c --quiet '"$T"'/sum && [ "$(cat "sub/with space
and line")" = odd ] && [ "$(find . -type f -printf x)" = xxxxx ] && echo more >>top && echo top >top && find . -type f >$REEVE_ARTIFACTS/found'

say "without a workspace: files in directories, empty, large and odd ones; its own to write"
plan none '{"mode": "none"}' "$leaves" "$finds"
submit none.json
wait_until 30 run_ended
expect 0 reeve status --coordinator "$CO" -o json "$run"
want_json 'd["state"] == "succeeded"'
want_json 'units["a"]["node"] == "one" and units["b"]["node"] == "two" and units["c"]["node"] == "two"'
want_eq "$(cat "$T/two/runs/$run/units/b/1/artifacts/found" | wc -l)" 6
want_eq "$(readlink "$T/two/runs/$run/units/b/1/deps/a")" "../../../../handed/a/1"
# where a dependency ran is no matter: c finds b's beside it, and a's are there once
want_eq "$(readlink "$T/two/runs/$run/units/c/1/deps/b")" "../../../b/1/artifacts"
want_eq "$(ls -A "$T/two/runs/$run/handed/a")" 1
want_eq "$(stat -c %a "$T/two/runs/$run/handed/a/1")" 700

say "a tree that is another copy on the other node"
mkdir tree "$T/copy"
plan shared "{\"mode\": \"shared\", \"root\": \"$PWD/tree\"}" "$leaves" "$finds"
kill -TERM "$(pid_of two)"
finish two 0
run=
start sub "$REEVE" submit --coordinator "$CO" shared.json
finish sub 0
run=$(cat "$T/sub.out")
mkdir "$T/copy/.reeve"
cp tree/.reeve/workspace-id "$T/copy/.reeve/"
node two --slots 2 --label at=two --map "$PWD/tree=$T/copy"
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
[ -f "$T/copy/.reeve/runs/$run/handed/a/1/sub/deeper/file" ] || fail "not handed over in the other copy"

say "a tree that is the same on both: nothing is copied"
kill -TERM "$(pid_of two)"
finish two 0
node two --slots 2 --label at=two
submit shared.json
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
[ ! -e "tree/.reeve/runs/$run/handed" ] || fail "copied what lies here"

say "the node that has them is away: the coordinator has what a unit handed over"
mkfifo gate
plan away '{"mode": "none"}' "$leaves" "$finds"
hold_b away.json
submit away.json
a_done() { "$REEVE" status --coordinator "$CO" -o json "$run" | python3 -c 'import json, sys; sys.exit(not any(u["id"] == "a" and u["state"] == "succeeded" for u in json.load(sys.stdin)["units"]))'; }
wait_until 20 a_done
kill_node one
expect 0 reeve release --coordinator "$CO" "$run/b"
wait_until 30 run_ended
want_eq "$(run_state)" succeeded

say "the receiving node is killed while it fetches: it begins again, and finishes"
node one --slots 2 --label at=one
wait_until 20 joined one
plan killed '{"mode": "none"}' 'cd $REEVE_ARTIFACTS && head -c 60000000 /dev/zero | tee large | sha256sum >'"$T"'/zeros; i=0; while [ $i -lt 2000 ]; do echo $i >f$i; i=$((i + 1)); done' \
	'cd $REEVE_DEPS/a/ && [ "$(find . -type f | wc -l)" = 2001 ] && [ "$(sha256sum <large)" = "$(cat '"$T"'/zeros)" ]'
submit killed.json
fetching() { [ -n "$(find "$T/two/blobs" -newer killed.json -type f 2>/dev/null | head -1)" ]; }
wait_until 60 fetching
kill_node two
wait "$(pid_of two)" 2>/dev/null
[ ! -e "$T/two/runs/$run/handed/a/1" ] || fail "all was there before the node was killed"
say "$(find "$T/two/blobs" -newer killed.json -type f | wc -l) of 2001 blobs were there"
node two --slots 2 --label at=two
wait_until 60 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(ls -A "$T/two/runs/$run/handed/a")" 1

say "what is more than can be handed over fails before it starts, and says so"
plan many '{"mode": "none"}' 'cd $REEVE_ARTIFACTS && i=0; while [ $i -lt 4100 ]; do : >f$i; i=$((i + 1)); done' 'exit 7'
submit many.json
wait_until 30 run_ended
expect 0 reeve status --coordinator "$CO" -o json "$run"
want_json 'units["b"]["state"] == "failed" and units["b"]["class"] == "config" and units["b"]["exit"] in (None, -1)'
want_out 'left more artifacts than are listed'

say "and what has been lost is named"
plan lost '{"mode": "none"}' 'echo only one >$REEVE_ARTIFACTS/one' 'exit 7'
hold_b lost.json
submit lost.json
wait_until 20 a_done
expect 0 reeve artifacts --coordinator "$CO" -o json "$run"
digest=$(json 'd["artifacts"][0]["blake2b"]')
rm "$CO/blobs/${digest:0:2}/${digest:2}"
expect 0 reeve release --coordinator "$CO" "$run/b"
wait_until 60 run_ended
expect 0 reeve status --coordinator "$CO" -o json "$run"
want_json 'units["b"]["state"] == "failed" and units["b"]["class"] == "environment"'
want_out 'artifact \"one\" of unit \"a\"'

kill -TERM "$(pid_of one)" "$(pid_of two)" "$(pid_of co)"
finish one 0
finish two 0
finish co 0
