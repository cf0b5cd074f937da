# A plan that a file may hold is one that its run can be read back from, however long the lines it is saved in.
. "$(dirname "$0")/lib.sh"

python3 - <<'PY'
import json
units = [
    {"id": "c", "namespace": "always", "context": {"text": "y" * 9000000}, "command": ["sh", "-c", "wc -c <$REEVE_CONTEXT_FILE"]},
    {"id": "e", "for_each": ["%d-%s" % (i, "x" * 200) for i in range(50000)], "agent": "n"},
    {"id": "f", "command": ["test", "-e", "mended"]},
]
json.dump({"version": 1, "agents": {"n": {"profile": "noop"}}, "units": units}, open("large.json", "w"))
PY
expect 1 reeve run large.json
run=$(run_id)
expect 0 reeve status $run
expect 0 reeve output $run/c
want_out 90000
touch mended
expect 0 reeve run --resume large.json
want_err "$run"
expect 0 reeve status $run
want_out "50002 of 50002 succeeded"
