# Every -o json answer about plans fits its schema; every schema is used by some test.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "s", "agents": {"m": {"profile": "mock"}}, "units": [
 {"id": "a", "command": ["true"]},
 {"id": "b", "agent": "m", "description": "b", "depends_on": ["a"]},
 {"id": "c", "command": ["echo", "{item}"], "for_each": {"count": 3}, "depends_on": ["a"], "estimate_s": 2.5}
]}
PLAN
echo '{"version": 1, "units": [{"id": "a", "foo": 1, "command": []}, {"id": "a"}]}' >bad.json

expect 0 reeve check plan.json -o json
valid check
want_json 'd["ok"] is True and d["units"] == 5'
expect 2 reeve check bad.json -o json
valid check
want_json 'd["ok"] is False and d["errors_found"] >= 3'
expect 0 reeve graph plan.json -o json
valid graph
expect 0 reeve run plan.json --dry-run -o json
valid dryrun
want_json 'd["total"] == 5 and len(d["units"]) == 5'
[ ! -e .reeve ] || fail "check, graph or --dry-run left a state directory"

for schema in "$top"/docs/schemas/*.json; do
	name=$(basename "$schema" .json)
	grep -qE "valid $name( |\$)" "$here"/t[26]*.sh || grep -q "\"$name.json\"" "$top"/docs/schemas/*.json ||
		fail "no test checks an answer against $name.json"
done
