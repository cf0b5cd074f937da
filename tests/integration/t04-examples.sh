#!/usr/bin/env bash
# Every file of examples/ does what it says: none is left out, and agents are mocks.
. "$(dirname "$0")/lib.sh"

cp -r "$top/examples" .
seen=()
of() { # FILE: the next expectations are about it
	say "$1"
	seen+=("$1")
	rm -rf .reeve
	mkdir .reeve # nothing that lies above is looked at
}

of hello.yaml
expect 0 reeve check examples/hello.yaml
expect 0 reeve run examples/hello.yaml
expect 0 reeve output farewell
want_out "Hello! It was heard in the kitchen first."

of fails.yaml
expect 0 reeve check examples/fails.yaml
expect 1 reeve run examples/fails.yaml -o json
want_json 'units["build"]["state"] == "failed" and units["test"]["blocked_by"] == ["build"]'
touch examples/Makefile
expect 0 reeve retry build
rm examples/Makefile

of broken.yaml
expect 2 reeve check examples/broken.yaml -o json
want_json '[x["code"] for x in d["diagnostics"]] == ["E_AGENT_UNKNOWN", "E_UNKNOWN_KEY", "E_DEP_UNKNOWN"]'

of gate.yaml
expect 0 reeve check examples/gate.yaml
expect 0 reeve run examples/gate.yaml --mock=agents --no-hold -o json
want_json 'd["succeeded"] == 5 and d["by_agent"]["coder"]["succeeded"] == 3'

of review.yaml
seen+=(files.txt)
printf 'one.c\ntwo.c\n' >examples/files.txt
expect 0 reeve check examples/review.yaml
expect 0 reeve run examples/review.yaml --mock -o json
want_json 'd["total"] == 3 and d["by_agent"]["reviewer"]["succeeded"] == 3'
want_json '"Review two.c" in units["file-0002"]["output"]'

of pair.yaml
expect 0 reeve check examples/pair.yaml
expect 0 reeve check examples/pair.yaml --show-prompt code
want_out "run it yourself first: python3 -m unittest discover -s src"
expect 0 reeve run examples/pair.yaml --mock -o json
want_json 'd["succeeded"] == 3 and units["review"]["output"] == {"ok": True, "findings": []}'

of budget.yaml
expect 7 reeve run examples/budget.yaml -o json
want_json 'd["reason"] == "budget:tokens" and d["succeeded"] == 3 and d["usage"]["tokens"] == 300'

of rehearse.yaml
expect 0 reeve check examples/rehearse.yaml
expect 7 reeve run examples/rehearse.yaml --mock -o json
want_json '[u["tries"] for u in d["units"]] == [2, 2, 1, 0] and d["reason"] == "budget:cost" and d["usage"]["cost_usd"] == 0.6'

of cluster.yaml
expect 0 reeve check examples/cluster.yaml
printf 'a,1\nb,2\n' >examples/data.csv
expect 0 reeve run examples/cluster.yaml --label gpu=yes
expect 0 reeve output report
want_out "report on 2 data.csv"

of agentos.json
reeve import agentos examples/agentos.json >agentos.yaml || fail "import"
expect 0 reeve run agentos.yaml -o json
want_json 'd["succeeded"] == 4 and "draft" in units'

of ralph.json
reeve import ralph examples/ralph.json >ralph.yaml || fail "import"
expect 0 reeve run ralph.yaml --mock -o json
want_json 'd["state"] == "succeeded" and d["total"] == 5'

want_eq "$(printf '%s\n' "${seen[@]}" | sort)" "$(ls "$top/examples")"
