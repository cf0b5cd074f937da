# Every verb: what it says to people, its JSON by its schema, and how it refuses: status, message and next step, as text and as JSON.
# docs/testing.md lists what is seen here; a verb that is not, or not as listed there, fails.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
export HOME=$T/home XDG_CONFIG_HOME=
mkdir "$HOME" "$T/answers"
: >"$T/seen"
at=0

# told VERB TEXT STATUS WORDS...: without -o
told() {
	local verb=$1 text=$2 status=$3
	shift 3
	expect "$status" reeve "$verb" "$@"
	cat "$T/out" "$T/err" >"$T/both"
	want_in "$T/both" "$text"
	echo "$verb told" >>"$T/seen"
}
# json_of VERB SCHEMA STATUS WORDS...: with -o json; fits it
json_of() {
	local verb=$1 schema=$2 status=$3
	shift 3
	expect "$status" reeve "$verb" -o json "$@"
	at=$((at + 1))
	cp "$T/out" "$T/answers/$schema.$at.$verb"
	echo "$verb $schema" >>"$T/seen"
}
# no_json VERB WORDS...: -o is refused, and said why; nobody is told of it
no_json() {
	local verb=$1 o
	for o in "-o json" "-ojson" "--format=jsonl"; do
		expect 2 reeve "$@" $o
		want_empty "$T/out"
		want_err '"code":"E_USAGE","message":"--format is not taken here: '
	done
	expect 0 reeve help "$verb"
	want_no_out "--format "
	echo "$verb -" >>"$T/seen"
}
# refused VERB STATUS CODE TEXT WORDS...: TEXT is in the message or the next step; nothing on stdout, and nothing else on stderr
refused() {
	local verb=$1 status=$2 code=$3 text=$4
	shift 4
	expect "$status" reeve "$verb" "$@"
	want_empty "$T/out"
	want_err "$text"
	want_eq "$(grep -c '^reeve: ' "$T/err") $(grep -c '^  help: ' "$T/err")" "1 1"
	expect "$status" env REEVE_FORMAT=json "$REEVE" "$verb" "$@"
	[ "$verb" = run ] || want_empty "$T/out"
	want_err "{\"error\":{\"code\":\"$code\",\"message\":"
	grep -q '"hint":"' "$T/err" || fail "no next step"
	cat "$T/err" >>"$T/errors.jsonl"
	echo "$verb $status" >>"$T/seen"
}

cat >plan.json <<'PLAN'
{"version": 1, "name": "verbs", "units": [
 {"id": "good", "command": ["sh", "-c", "echo one; echo A >$REEVE_ARTIFACTS/a.txt"], "namespace": "always"},
 {"id": "bad", "command": ["sh", "-c", "echo broken; exit 3"]},
 {"id": "after", "command": ["true"], "depends_on": ["bad"]}]}
PLAN
echo '{"version": 1, "units": [{"id": "a", "command": ["true"]}, {"id": "a", "command": ["true"]}]}' >wrong.json

say "plans"
told init "reeve run first.yaml" 0 --file first.yaml
told init "agents" 0 --list
json_of init init 0 --file second.yaml
json_of init starters 0 --list
refused init 2 E_CONFLICT "--file OTHER" --file first.yaml
told check "3 units, 1 dependency" 0 plan.json
json_of check check 0 plan.json
json_of check check 2 wrong.json
refused check 4 E_NOT_FOUND "reeve init" nothing.json
told graph "level 1: 2 units" 0 plan.json
json_of graph graph 0 plan.json
refused graph 4 E_NOT_FOUND "reeve init" nothing.json
echo '{"one": {"agent": "a", "prompt": "x"}}' >agentos.json
told import '"prompt"' 0 agentos agentos.json
no_json import agentos agentos.json
refused import 2 E_USAGE "did you mean agentos?" agento agentos.json

say "run"
told run "3 units would be started" 0 --dry-run plan.json
json_of run dryrun 0 --dry-run plan.json
told run "1 of 3 succeeded, 1 failed, 1 skipped" 1 plan.json
json_of run result 1 plan.json
json_of run result 2 wrong.json
json_of run result 4 nothing.json
want_json 'd["state"] == "rejected" and [(e["code"], e["hint"] != None) for e in d["errors"]] == [("E_NOT_FOUND", True)]'
refused run 4 E_NOT_FOUND "reeve init" nothing.json
refused run 2 E_USAGE "reeve help run" plan.json --resume=x --only a --no-such

say "an ended run"
run=$(run_id)
told status "$run  verbs  failed" 0
told status "exit status 3" 0 $run
told status ATTEMPT 0 $run/bad
json_of status status 0
json_of status result 0 $run
json_of status unit 0 $run/bad
refused status 4 E_NOT_FOUND "the newest is $run" zzz
refused status 4 E_NOT_FOUND "did you mean good?" $run/goof
told logs broken 0 $run/bad
no_json logs $run/bad
refused logs 4 E_NOT_FOUND "did you mean good?" $run/goof
told output one 0 $run/good
json_of output output 0 $run/good
refused output 4 E_NOT_FOUND "lists its units" $run/nothing-like-it
told artifacts a.txt 0 $run
json_of artifacts artifacts 0 $run
refused artifacts 4 E_NOT_FOUND "the newest is $run" zzz
told events run_finished 0 $run
json_of events events 0 $run
refused events 4 E_NOT_FOUND "the newest is $run" zzz
told export "<testsuite" 0 junit $run
no_json export junit $run
refused export 2 E_USAGE "did you mean junit?" jnuit
told usage command 0 $run
json_of usage usage 0 $run
refused usage 4 E_NOT_FOUND "the newest is $run" zzz
told wait "1 of 3 succeeded" 1 $run
json_of wait result 1 $run
refused wait 4 E_NOT_FOUND "the newest is $run" zzz
told watch "1 of 3 succeeded" 0 $run
json_of watch result 0 $run
refused watch 4 E_NOT_FOUND "the newest is $run" zzz
told retry "(try 2)" 1 $run/bad
json_of retry result 1 $run --failed
refused retry 2 E_CONFLICT "--force" $run/good

say "this machine"
told df "$run" 0
json_of df df 0
refused df 4 E_NOT_FOUND "--state names the directory" --state none
told gc "one of the newest 10" 0
json_of gc gc 0
refused gc 4 E_NOT_FOUND "--state names the directory" --state none
told doctor "locks" 0 --locks # the others are the machine's: t2h-host
json_of doctor doctor 0 --locks
refused doctor 2 E_USAGE "reeve help doctor" word
told completion "complete -" 0 bash
no_json completion bash
refused completion 2 E_USAGE "reeve help completion" tcsh
told help "reeve run PLAN" 0
no_json help
refused help 2 E_USAGE "did you mean status?" stauts
told version "reeve 0." 0
json_of version version 0
refused version 2 E_USAGE "reeve help version" word
told rm "removed run $run" 0 $run
expect 0 reeve run plan.json --set max_workers=1 --only good
run=$(run_id)
json_of rm rm 0 $run
refused rm 2 E_USAGE "reeve help rm"

say "what is not built"
for verb in credentials mcp; do
	refused $verb 2 E_UNSUPPORTED "waits for: "
	json=$("$REEVE" $verb -o json 2>&1) && fail "$verb"
	want_eq "$json" "$(tail -1 "$T/errors.jsonl")"
	echo "$verb told
$verb -" >>"$T/seen"
done

say "nobody near"
for verb in top nodes; do
	refused $verb 5 E_UNREACHABLE "--coordinator ADDR"
done
refused submit 5 E_UNREACHABLE "--coordinator ADDR" plan.json

say "a cluster"
no_json coordinator
refused coordinator 2 E_USAGE "reeve help coordinator" word
coordinator --listen 'tcp://127.0.0.1:*'
export REEVE_COORDINATOR=$CO
echo "coordinator told" >>"$T/seen"
no_json node
refused node 2 E_USAGE "reeve help node" word
node n1 --slots 4
wait_until 20 joined n1
echo "node told" >>"$T/seen"
told nodes n1 0
json_of nodes nodes 0
sed -i "s#echo one;#until [ -e $PWD/gate ]; do sleep 0.05; done; echo one;#" plan.json
sed -i 's#"name": "verbs"#&, "workspace": {"mode": "none"}#' plan.json
submit plan.json
first=$run
json_of submit submit 0 plan.json --open --priority 3
run=$(json 'd["run"]')
want_json "d['run'] != '$first'"
echo "submit told" >>"$T/seen"
refused submit 2 E_USAGE "reeve help submit" plan.json --priority 5000
is() { "$REEVE" status $run | grep -qE "^$1 +$2"; }
wait_until 20 is bad failed
told top "nodes 1/1" 0 -n 1
json_of top top 0
refused top 2 E_USAGE "reeve help top" word
told explain "runs" 0 $run/good
json_of explain explain 0 $run/good
refused explain 4 E_NOT_FOUND "reeve status $run -o name" $run/nothing
echo '{"id": "more", "command": ["true"], "depends_on": ["good"]}' >more.jsonl
told add "1 unit added" 0 $run more.jsonl
json_of add add 0 $run more.jsonl
refused add 4 E_NOT_FOUND "the newest is " zzz more.jsonl
for act in pause unpause; do
	told $act "1 changed" 0 $run
	json_of $act act 0 $run
	refused $act 4 E_NOT_FOUND "the newest is " zzz
done
for act in hold release skip; do
	told $act "1 changed" 0 $run/more
	json_of $act act 0 $run/more
	refused $act 4 E_NOT_FOUND "reeve status $run -o name" $run/nothing
done
told set "1 changed" 0 $run priority=4
json_of set act 0 $run priority=5
refused set 2 E_USAGE "max_workers" $run colour=red
told retry "2 changed" 0 $run/bad
wait_until 20 is bad failed
json_of retry act 0 $run/bad
told close "1 changed" 0 $run
json_of close act 0 $run
refused close 4 E_NOT_FOUND "the newest is " zzz
told cancel "1 changed" 0 $run/good
json_of cancel act 0 $run
refused cancel 4 E_NOT_FOUND "the newest is " zzz
for act in drain undrain; do
	told $act "1 changed" 0 n1
	json_of $act act 0 n1
	refused $act 4 E_NOT_FOUND "did you mean n1?" n2
done

say "who may join"
told token "reeve-token" 0 create --role operator --uses 9
cp "$T/out" token
chmod 600 token
json_of token token 0 create
told token operator 0 list
json_of token tokens 0 list
refused token 4 E_NOT_FOUND "token list" revoke nothing
told login "logged in to" 0 --token-file token --name ann
no_json login --token-file token
refused login 2 E_USAGE "reeve token create" --name bob
told key ann 0 list
json_of key keys 0 list
json_of key revoke 0 revoke ann
refused key 4 E_NOT_FOUND "key list" revoke nobody
touch gate
told remove "1 changed" 0 n1
refused remove 4 E_NOT_FOUND "did you mean n1?" n2
node n2
wait_until 20 joined n2
json_of remove act 0 n2

say "all of it fits the schemas, and is what docs/testing.md lists"

valid error "$T/errors.jsonl"
for schema in "$T"/answers/*; do
	name=$(basename "$schema")
	valid "${name%%.*}" "$schema"
done
sort -u "$T/seen" >"$T/all"
python3 - "$T/all" "$top/docs/testing.md" "$("$REEVE" help --man | sed -n 's/^\.Cm \([a-z]*\)$/\1/p' | sort -u | xargs)" <<'PY' || fail "verbs, what was seen of them, and docs/testing.md differ"
import re, sys
seen = {}
for line in open(sys.argv[1]):
    verb, what = line.split()
    seen.setdefault(verb, set()).add(what)
rows = dict(re.findall(r'^\| `([a-z]+)` \| ([^|]*?) \| [^|]*? \|.*$', open(sys.argv[2]).read().split('## Verbs')[1].split('\n## ')[0], re.M))
bad = set(sys.argv[3].split()) - set(seen)
for verb, what in seen.items():
    schemas = {w for w in what if w.isalpha() and w != 'told'}
    listed = set(re.findall(r'`([a-z]+)\.json`', rows.get(verb, '')))
    if 'told' not in what or not any(w.isdigit() for w in what) or bool(schemas) == ('-' in what) or not schemas <= listed or verb not in rows:
        bad.add(verb)
        print(verb, sorted(what), sorted(listed))
sys.exit(f'{sorted(bad)}' if bad else 0)
PY
