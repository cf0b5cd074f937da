# A run in other tools' formats: from a state directory, from a live run, from a coordinator; hostile output shows harmless in all of them.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

formats="joblog chrome-trace junit dot mermaid report"
# exported FORMAT [OPTION...]: strictly read; its summary in $T/out
exported() {
	local format=$1
	shift
	expect 0 reeve export "$format" "$@"
	want_empty "$T/err"
	mv "$T/out" "$T/$format.out"
	python3 "$top/tests/lib/exports.py" "$format" "$T/$format.out" >"$T/out" || fail "$format: $(cat "$T/out")"
}

cat >print.sh <<'END'
printf 'line one\n\033]0;pwned\007\033[2J\033[31mred\033[m \302\233m \342\200\256evil \357\277\276 \377\r\n'
printf '%s\n' '</pre><script>alert(1)</script><img src=x onerror=alert(2)>' ']]>' '-->' "\"quotes' & %0A"
exit 3
END
python3 - "$PWD" >plan.json <<'END'
import json, sys
here = sys.argv[1]
nasty = "\u202e\x1b]0;x\x07\t\r\n</script>]]>'\"\\--> \u009b"
unit = lambda id, script, deps=(), **more: {"id": id, "command": ["sh", "-c", script], "depends_on": list(deps), **more}
print(json.dumps({"version": 1, "name": "nasty-run", "units": [
    unit("first", "echo done", description=nasty),
    unit("bad", f"sh {here}/print.sh", ["first"]),
    unit("again", f"test -e {here}/marker || {{ touch {here}/marker; exit 7; }}", ["first"], retry={"max": 1, "base_s": 0.05}),
    {"id": "missing", "command": ["/no/such" + nasty.replace("\r\n", "")], "depends_on": ["first"]},
    {"id": "each", "command": ["echo", "{item}", "{{item}}", nasty], "for_each": [nasty, "plain"], "depends_on": ["first"]},
    unit("last", "true", ["bad", "again"]),
    unit("behind", "true", ["last"]),
]}, ensure_ascii=False))
END

# checks [OPTION...]: each format of the ended run
checks() {
	exported joblog "$@"
	want_json '[r["seq"] for r in d["rows"]][0] == 1 and sorted(r["seq"] for r in d["rows"]) == [1, 2, 3, 4, 5, 6]'
	want_json '{r["seq"]: r["exit"] for r in d["rows"]} == {1: 0, 2: 3, 3: 0, 4: -1, 5: 0, 6: 0} and all(r["signal"] == 0 for r in d["rows"])'
	want_json 'd["rows"][0]["command"] == "sh -c '"'echo done'"'" and "echo plain plain " in " ".join(r["command"] for r in d["rows"])'
	want_json 'all(r["host"] == "'"$host"'" and r["start"] > 1.7e9 and r["time"] < 60 for r in d["rows"])'
	exported chrome-trace "$@"
	want_json 'd["nodes"] == ["'"$host"'"] and sorted((s["unit"], s["attempt"]) for s in d["slices"] if s["unit"] != "missing") == [("again", 1), ("again", 2), ("bad", 1), ("each-0001", 1), ("each-0002", 1), ("first", 1)]'
	want_json '{(s["unit"], s["attempt"]): s["state"] for s in d["slices"]}[("again", 1)] == "retried" and {s["unit"]: s.get("exit") for s in d["slices"]}["bad"] == 3'
	want_json 'd["flows"] >= 4 and d["threads"] <= 2'
	exported junit "$@"
	want_json '{n: c["kind"] for n, c in d["cases"].items()} == {"first": "passed", "bad": "failure", "again": "passed", "missing": "failure", "each-0001": "passed", "each-0002": "passed", "last": "skipped", "behind": "skipped"}'
	want_json 'd["cases"]["bad"]["message"] == "exit status 3" and d["cases"]["last"]["message"] == "blocked by failed dependencies: bad"'
	want_json 'd["cases"]["bad"]["tail"].startswith("line one\n^[]0;pwned^G^[[2Jred") and "<script>alert(1)</script>" in d["cases"]["bad"]["tail"] and "]]>\n-->\n" in d["cases"]["bad"]["tail"]'
	exported dot "$@"
	want_json 'd["edges"] == 9 - 1 and {n: v["state"] for n, v in d["nodes"].items()}["bad"] == "failed" and d["nodes"]["bad"]["colour"] != d["nodes"]["first"]["colour"] == d["nodes"]["again"]["colour"]'
	want_json '"/no/such" in d["nodes"]["missing"]["tip"]'
	exported mermaid "$@"
	want_json 'd["edges"] == 8 and d["nodes"]["bad"] == "failed" and d["nodes"]["last"] == "skipped" and len(d["nodes"]) == 8'
	exported report "$@"
	want_json 'd["failures"] == 2 and all(x in d["text"] for x in ["nasty-run", "exit status 3", "line one", "<script>alert(1)</script>", "Slowest units", "Not run because of them"])'
}

say "from a state directory"
expect 1 reeve run plan.json -j 2 --show none
run=$(run_id)
expect 0 reeve status -o json "$run"
host=$(json 'units["first"]["node"]')
cp -r .reeve before
checks
diff -r before .reeve >/dev/null || fail "an export wrote into the state directory"
expect 2 reeve export junit "$run/bad"
want_err "takes a run, not a unit"
expect 2 reeve export jnuit
want_err "did you mean junit?"
expect 2 reeve export
want_err "chrome-trace|junit"
expect 4 reeve export report zzzz
want_empty "$T/out"
for f in $formats; do
	"$REEVE" export $f >/dev/full 2>"$T/err"
	want_eq $? 3
done

say "of a live run"
mkdir live && cd live
printf '{"version":1,"units":[{"id":"a","command":["true"]},{"id":"b","command":["sh","-c","echo begun; until test -e go; do sleep 0.05; done"],"depends_on":["a"]},{"id":"c","command":["true"],"depends_on":["b"]}]}' >plan.json
start live "$REEVE" run plan.json --show none
wait_until 20 sh -c '"$REEVE" logs b 2>/dev/null | grep -q begun'
exported joblog
want_json '[r["seq"] for r in d["rows"]] == [1]'
exported chrome-trace
want_json '[(s["unit"], s["state"]) for s in d["slices"]] == [("a", "succeeded"), ("b", "running")]'
exported junit
want_json 'd["cases"]["b"]["message"] == "has not ended: active" and d["cases"]["c"]["kind"] == "skipped"'
exported mermaid
want_json 'd["nodes"] == {"a": "succeeded", "b": "active", "c": "pending"}'
exported dot
exported report
want_json '"not ended" in d["text"] and "running" in d["text"]'
touch go
finish live 0
exported junit
want_json 'all(c["kind"] == "passed" for c in d["cases"].values())'
cd ..

say "a run of no units, and one that was never begun"
echo '{"version":1,"units":[]}' >empty.json
expect 0 reeve run empty.json --state empty
for f in $formats; do exported $f --state empty; done

say "of units that take no time"
echo '{"version":1,"agents":{"n":{"profile":"noop"}},"defaults":{"agent":"n"},"units":[{"id":"u","for_each":{"count":50}},{"id":"v","for_each":{"same_as":"u"}}]}' >noop.json
expect 0 reeve run noop.json -j 2 --show none --state noop
exported chrome-trace --state noop
want_json 'len(d["slices"]) == 100 and d["threads"] <= 2 and sorted(d["arrows"]) == [[f"u-{i:04}", f"v-{i:04}"] for i in range(1, 51)]'

say "from a coordinator"
rm -f marker
coordinator
node n1 --slots 2
wait_until 20 joined n1
submit plan.json
wait_until 30 run_ended
host=n1
checks "$run" --coordinator "$CO"

say "of nodes of which one went, a unit that was tried again and one that was cancelled"
node n2 --slots 2
wait_until 20 joined n2
cat >ends.json <<P
{"version": 1, "name": "ends", "workspace": {"mode": "none"}, "lost_after_s": 60, "units": [
 {"id": "u", "for_each": {"count": 4}, "command": ["sh", "-c", "echo \$REEVE_NODE >>$PWD/begun; [ \$REEVE_NODE = n2 ] && exec sleep 300.$$; until test -e $PWD/go; do sleep 0.05; done"]},
 {"id": "again", "command": ["sh", "-c", "test \$REEVE_ATTEMPT = 2"], "retry": {"max": 1, "base_s": 0.05}, "depends_on": ["u"]},
 {"id": "stopped", "command": ["sh", "-c", "touch $PWD/stopped; exec sleep 300.$$"], "depends_on": ["again"]}
]}
P
submit ends.json
wait_until 20 sh -c '[ "$(sort begun | tr "\n" " ")" = "n1 n1 n2 n2 " ]'
expect 0 reeve remove --coordinator "$CO" n2
touch go
wait_until 20 test -e stopped
expect 0 reeve cancel --coordinator "$CO" "$run"
wait_until 20 run_ended
exported chrome-trace "$run" --coordinator "$CO"
want_json 'd["nodes"] == ["n1", "n2"] and d["threads"] == 4'
want_json 'sorted((s["unit"][0], s["state"]) for s in d["slices"]) == [("a", "retried"), ("a", "succeeded"), ("s", "cancelled")] + 2 * [("u", "lost")] + 4 * [("u", "succeeded")]'
