# A node and a client that were written from proto/PROTOCOL.md alone (tests/foreign/) beside reeve's own programs: over CURVE, through a coordinator's
# death, lost words, words said twice, a node's death, a cancel and a drain. What the foreign client folds from facts is what reeve tells.
. "$(dirname "$0")/lib.sh"

[ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import msgpack, zmq; assert zmq.has("curve")' 2>/dev/null ||
	skip "no python3-zmq with CURVE, or no python3-msgpack (scripts/setup.sh ci)"

export HOME=$T/home XDG_CONFIG_HOME=
mkdir "$HOME"
umask 077
state=$T/work/state
peer() { timeout 60 /usr/bin/python3 "$top/tests/foreign/peer.py" "$@"; }
serve() { # NAME ADDR
	start "$1" "$REEVE" coordinator --state "$state" --listen "$2"
	wait_until 20 grep -q coordinator_serving "$T/$1.err"
}
join() { # NAME [OPTION...]
	start "$1" /usr/bin/python3 "$top/tests/foreign/peer.py" node "$T/work/node" --name foreign "${@:2}"
	wait_until 20 grep -q '"event": "welcome"' "$T/$1.out"
}
told() { grep -q "\"event\": \"$2\".*${3:-}" "$T/$1.out"; } # NODE EVENT [PATTERN]
account() { # RUN: the foreign account in $T/account, reeve's own in $T/out, the same
	peer follow op "$1" >"$T/account" || fail "follow $1"
	"$REEVE" status "$1" --coordinator "$state" -o json >"$T/out" 2>"$T/err" || fail "status $1"
	valid result
	python3 - "$T/account" "$T/out" <<-'PY' || fail "the two accounts of run $1 differ"
	import json, sys
	ours, reeves = (json.load(open(name)) for name in sys.argv[1:])
	wrong = []
	def same(what, a, b):
	    if a != b:
	        wrong.append("%s: %r, reeve says %r" % (what, a, b))
	same("state", ours["state"], reeves["state"])
	same("counts", ours["counts"], [reeves[k] for k in ("succeeded", "failed", "skipped", "cancelled")])
	theirs = {u["id"]: u for u in reeves["units"]}
	same("units", sorted(u for u in ours["units"] if u != "__verify__"), sorted(theirs))
	for id, u in theirs.items():
	    o = ours["units"][id]
	    same(id + " state", o["state"], u["state"])
	    same(id + " reason", o.get("reason") if o.get("reason") != "none" else None, u["reason"] or None)
	    same(id + " class", o.get("class") if o.get("class") != "none" else None, u["class"] or None)
	print("\n".join(wrong))
	sys.exit(bool(wrong))
	PY
}

say "the vector of the protocol"
peer vector "$top/proto/PROTOCOL.md" || fail "the enrolling key"

say "a token lets its key in, as often as it is asked, and no second one"
serve first 'tcp://127.0.0.1:*'
endpoint=$(grep -o 'listen=tcp://[0-9.:]*' "$T/first.err" | cut -d= -f2)
expect 0 reeve token create --coordinator "$state"
cp "$T/out" node-token
expect 0 reeve token create --coordinator "$state" --role operator
cp "$T/out" op-token
expect 0 peer enrol node --token node-token --name foreign
want_json 'd["role"] == 1 and d["name"] == "foreign"'
expect 0 peer enrol node --token node-token --name foreign
expect 1 peer enrol op --token op-token --name op
want_err E_CONFLICT
expect 0 peer enrol op --token op-token --name op --role operator
want_json 'd["role"] == 4'
expect 1 peer enrol second --token node-token --name second
want_err E_DENIED
expect 1 peer --patience 3 rows node keys
want_err E_DENIED
expect 0 peer rows op keys
want_json 'sorted((k["name"], k["role"]) for k in d) == [("foreign", "node"), ("op", "operator")]'

say "a plan of reeve's runs on the foreign node, in spite of lost and repeated words"
join troubled --slots 3 --trouble
cat >plan.yaml <<'YAML'
version: 1
name: mixed
context: {greeting: "good day"}
units:
  - {id: words, command: [sh, -c, "echo one; echo two >&2; echo three"]}
  - {id: nothing, agent: noop}
  - {id: mocked, agent: mock}
  - {id: large, command: [sh, -c, "head -c 300000 /dev/zero | tr '\\0' x; echo; head -c 200000 /dev/zero | tr '\\0' y"], depends_on: [words]}
  - {id: reads, command: [sh, -c, "wc -c <{context_file}; echo $NAME $REEVE_UNIT_ID $REEVE_TRY"], env: {NAME: "{{greeting}}"}, depends_on: [words, large]}
  - {id: json, command: [echo, '{"a": [1, 2]}'], output: json}
  - {id: each, command: [echo, "{item}/{unit_id}"], for_each: {count: 5}}
  - {id: all, command: [cat, "{context_file}"], depends_on: [each, json, nothing]}
  - {id: slow, command: [sh, -c, "sleep 1.6; echo slept"]}
  - {id: fails, command: [sh, -c, "echo oops; exit 3"], retry: {max: 1, base_s: 0.1}}
  - {id: after, command: ["true"], depends_on: [fails]}
  - {id: behind, command: ["true"], depends_on: [after]}
  - {id: report, command: [echo, "in any case"], depends_on: [behind], trigger_rule: all_done}
  - {id: absent, command: [/no/such/program]}
YAML
expect 1 reeve submit plan.yaml --wait --coordinator "$state" -o json
mixed=$(json 'd["run"]')
want_json '(d["succeeded"], d["failed"], d["skipped"]) == (14, 2, 2)'
account "$mixed"
want_json 'd["units"]["reads"]["output"] == "good day reads 1"' "$T/account"
want_json 'd["units"]["each-0003"]["output"] == "3/each-0003"' "$T/account"
want_json 'json.loads(d["units"]["all"]["output"])["_dep_each"] == ["%d/each-000%d" % (i, i) for i in range(1, 6)]' "$T/account"
want_json 'json.loads(d["units"]["all"]["output"])["_dep_json"] == {"a": [1, 2]}' "$T/account"
for unit in large reads json; do
	peer output op "$mixed" $unit >"$T/foreign-output" || fail "output $unit"
	expect 0 reeve output "$mixed/$unit" --coordinator "$state"
	diff <(cat "$T/foreign-output"; echo) "$T/out" >"$T/err" || cmp -s "$T/foreign-output" "$T/out" || fail "outputs of $unit differ"
done
want_eq "$(peer output op "$mixed" large | wc -c)" 200000
for unit in words large; do
	peer log op "$mixed" $unit --piece 50000 >"$T/foreign-log" || fail "log $unit"
	expect 0 reeve logs "$mixed/$unit" --raw --coordinator "$state"
	cmp "$T/foreign-log" "$T/out" || fail "logs of $unit differ"
done
told troubled dispatch_again '"slow"' || fail "a DISPATCH without an answer was not said again"
told troubled settled '"how": 2' || fail "a result said twice was not answered as a duplicate"

say "a plan of the foreign client, in small pieces and committed twice; the same as reeve run says of it"
cat >plan.jsonl <<'JSONL'
{"version":1,"name":"pieces","on_failure":"finish"}
{"id":"a","command":["sh","-c","echo a; sleep 0.2"]}
{"id":"b","command":["sh","-c","exit 4"],"depends_on":["a"]}
{"id":"c","command":["echo","c"],"depends_on":["b"]}
{"id":"d","command":["echo","d"],"for_each":["x","y"],"depends_on":["a"]}
JSONL
pieces=$(peer submit op plan.jsonl --piece 50 --twice) || fail "submit"
account "$pieces"
want_json 'd["units"]["c"]["state"] == "skipped" and d["units"]["b"]["exit"] == 4' "$T/account"
expect 1 peer submit op plan.yaml
want_err E_PLAN
expect 0 peer --ipc "$state/sock" rows op runs
want_json 'sorted((r["run"], r["state"]) for r in d) == sorted([("'$mixed'", "failed"), ("'$pieces'", "failed")])'
expect 0 peer rows op nodes --at-once 1
want_json '[(n["name"], n["state"], n["slots"]) for n in d] == [("foreign", "joined", 3)]'

say "the coordinator dies, then the node with a result that nobody has acknowledged: it is told after both are back"
cat >gate.jsonl <<'JSONL'
{"version":1,"name":"gate"}
{"id":"held","command":["sh","-c","until [ -e GATE ]; do sleep 0.05; done; echo passed"]}
{"id":"next","command":["echo","on"],"depends_on":["held"]}
JSONL
sed -i "s|GATE|$T/gate|" gate.jsonl
gate=$(peer submit op gate.jsonl) || fail "submit"
wait_until 20 told troubled started '"held"'
peer follow op "$gate" >"$T/followed" 2>"$T/followed.err" &
follower=$!
kill -KILL "$(pid_of first)"
finish first
touch "$T/gate"
wait_until 20 told troubled finished '"held"'
kill -KILL "$(pid_of troubled)"
finish troubled
serve second "$endpoint"
join again --slots 2
wait "$follower" || fail "following over the coordinator's death: $(cat "$T/followed.err" "$T/again.err")"
say "followed: $(head -c 400 "$T/followed")"
want_json 'd["state"] == "succeeded" and d["units"]["held"]["attempts"] == 1 and d["units"]["held"]["output"] == "passed"' "$T/followed"
want_json 'd["epoch"] == 2' <(peer rows op about | sed 's/^\[//; s/\]$//')
account "$gate"

say "a node that dies with what it runs: the unit runs again where it comes back"
rm "$T/gate"
again=$(peer submit op gate.jsonl) || fail "submit"
wait_until 20 told again started '"held"'
kill -KILL "$(pid_of again)"
finish again
touch "$T/gate"
join back --slots 2
account "$again"
want_json 'd["state"] == "succeeded" and d["units"]["held"]["attempts"] == 2' "$T/account"

say "both sides count the same table; a cancel, asked twice, is done once; what ran is ended"
rm "$T/gate"
long=$(peer submit op gate.jsonl) || fail "submit"
wait_until 20 told back started '"held"'
wait_until 20 told back tables_agree '"held": 1'
expect 0 peer act op cancel "$long"
want_json 'd["before"] is False and d["again"] is True'
account "$long"
want_json 'd["state"] == "cancelled" and d["units"]["held"]["reason"] == "cancelled" and d["units"]["next"]["state"] != "succeeded"' "$T/account"

say "a drain is heard, and taken back; TERM: it finishes what it has, says BYE and is gone"
expect 0 peer act op drain --node foreign
wait_until 20 told back drain
waits=$(peer submit op plan.jsonl) || fail "submit"
expect 0 peer rows op runs
want_json '[r["state"] for r in d if r["run"] == "'$waits'"] == ["running"]'
expect 0 peer act op undrain --node foreign
account "$waits"
touch "$T/gate"
last=$(peer submit op gate.jsonl) || fail "submit"
account "$last"
kill -TERM "$(pid_of back)"
finish back 0
told back bye || fail "no BYE"
grep -E '"event": "(malformed|table_wanted|spec|blob|rejected)"' "$T"/*.out && fail "words that one of the two did not understand"
want_json '[(e["malformed"], e["table_wanted"]) for e in d if e["event"] == "over"] == [(0, 0)]' "$T/back.out"
expect 0 peer rows op nodes
want_json '[n["state"] for n in d] == ["away"]'
kill -TERM "$(pid_of second)"
finish second 0
