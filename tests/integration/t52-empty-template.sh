# A template without items is joined: its dependents get an empty list.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "context": {"a": 1}, "units": [
 {"id": "none", "command": ["echo", "{item}"], "for_each": []},
 {"id": "nil", "command": ["echo", "{item}"], "for_each": []},
 {"id": "one", "command": ["echo", "got {item}"], "for_each": ["x"]},
 {"id": "said", "command": ["echo", "{{_dep_none}}"], "depends_on": ["none"]},
 {"id": "read", "namespace": "always", "context": {"b": 2}, "command": ["sh", "-c", "cat $REEVE_CONTEXT_FILE"], "depends_on": ["none", "one", "nil"]}
]}
PLAN
expect 0 reeve run plan.json
run=$(run_id)
expect 0 reeve output $run/said
want_eq "$(cat "$T/out")" "[]"
expect 0 reeve output $run/read
want_json 'd == {"a": 1, "b": 2, "_dep_none": [], "_dep_nil": [], "_dep_one": ["got x"]}'
