# What a unit sees: context and its precedence, outputs of dependencies, templates, for_each, the environment contract.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
name: ctx
context: {repo: shop, style: plan, deep: {list: [10, 20, {x: "y z"}]}}
units:
  - id: a
    output: json
    context: {style: unit}
    env: {STYLE: "{{style}}", REPO: "{{repo}}", DEEP: "{{deep.list.2.x}}", LIST: "{{deep.list}}", BRACES: "{{{{x}}"}
    command: [sh, -c, 'printf "{\"style\":\"%s\",\"repo\":\"%s\",\"deep\":\"%s\"}\n" "$STYLE" "$REPO" "$DEEP"; echo "$LIST" >list; echo "$BRACES" >braces']
  - id: b.c
    command: [sh, -c, 'echo first; echo; echo "last line"']
  - id: lost
    command: [sh, -c, 'echo gone; exit 1']
  - id: read
    namespace: always
    depends_on: [a, b.c, lost]
    trigger_rule: all_done
    env: {A: "{{_dep_a.style}}", B: "{{_dep_b.c}}", L: "{{_dep_lost}}"}
    command: [sh, -c, 'echo "$A|$B|$L" >seen; cp "$REEVE_CONTEXT_FILE" context.json; cp "$REEVE_MANIFEST" manifest.json; ls -l "$REEVE_DEPS" >deps; env >env; stat -c %a "$REEVE_MANIFEST" >mode; echo "own output" >"$REEVE_OUTPUT_FILE"; echo "not this"']
  - id: each
    for_each: [{name: x, n: 1}, {name: "y y", n: 2}, {name: z, n: 3}]
    command: [sh, -c, 'echo "$1-$2" >>each.$2; echo "got $1"', sh, "{{item.name}}", "{{item.n}}"]
  - id: count
    for_each: {count: 3}
    command: [sh, -c, 'echo "item {item}"']
  - id: pair
    for_each: {same_as: each}
    env: {P: "{{_dep_each}}"}
    command: [sh, -c, 'echo "pair of $P"']
  - id: fix-{{item}}
    for_each: [red, blue]
    command: [echo, "{unit_id}"]
  - id: join
    depends_on: [each, "fix-{{item}}"]
    env: {ALL: "{{_dep_each}}", SECOND: "{{_dep_each.1}}"}
    command: [sh, -c, 'echo "$ALL" >all; echo "$SECOND" >second']
Y
expect 1 reeve run -j 4 -o json plan.yaml
want_json 'units["a"]["output"] == {"style": "unit", "repo": "shop", "deep": "y z"}'
want_eq "$(cat list)" '[10,20,{"x":"y z"}]'
want_eq "$(cat braces)" '{{x}}'
want_json 'units["b.c"]["output"] == "last line"'
want_eq "$(cat seen)" 'unit|last line|null'
want_json 'd["repo"] == "shop" and d["style"] == "plan" and d["_dep_a"]["repo"] == "shop" and d["_dep_b.c"] == "last line" and d["_dep_lost"] is None' context.json
want_json 'd["unit"] == "read" and d["attempt"] == 1' manifest.json
want_eq "$(cat mode)" 600
want_json 'units["read"]["output"] == "own output"'
for v in REEVE_RUN_ID REEVE_UNIT_ID=read REEVE_ATTEMPT=1 REEVE_TRY=1 REEVE_SESSION_ID REEVE_NODE REEVE_NAMESPACE REEVE_ARTIFACTS REEVE_HANDOFFS \
	REEVE_CONTEXT_FILE REEVE_OUTPUT_FILE REEVE_MANIFEST REEVE_DEPS TMPDIR; do
	grep -q "^$v" env || fail "$v is not in the environment"
done
want_json 'units["each-0001"]["output"] == "got x" and units["each-0002"]["output"] == "got y y"'
want_json 'units["count-0003"]["output"] == "item 3"'
want_json 'units["pair-0002"]["output"] == "pair of got y y"'
want_json 'units["fix-red"]["output"] == "fix-red"'
want_eq "$(cat all)" '["got x","got y y","got z"]'
want_eq "$(cat second)" 'got y y'

# A plain command costs no namespace and sees no variables of one; it gets the caller's environment.
cat >plain.yaml <<'Y'
version: 1
units:
  - {id: p, env: {MINE: "1"}, command: [sh, -c, 'env >plain']}
Y
FROM_CALLER=yes SOME_API_KEY=visible-to-plain-commands expect 0 reeve run plain.yaml
grep -q '^FROM_CALLER=yes' plain && grep -q '^MINE=1' plain && grep -q '^SOME_API_KEY' plain || fail "environment of a plain command"
grep -q '^REEVE_UNIT_ID=p' plain || fail "REEVE_UNIT_ID"
! grep -q '^REEVE_NAMESPACE\|^REEVE_CONTEXT_FILE\|^REEVE_MANIFEST' plain || fail "a plain command has a namespace"

# --context over the plan's, --set over a scalar
echo '{"repo": "other"}' >over.json
cat >over.yaml <<'Y'
version: 1
context: {repo: shop, style: plan}
units: [{id: u, command: [echo, "{{repo}} {{style}}"]}]
Y
expect 0 reeve run --context over.json -o json over.yaml
want_json 'units["u"]["output"] == "other plan"'

# Output that should be JSON and is not; a code fence around it is taken off.
cat >json.yaml <<'Y'
version: 1
units:
  - {id: fenced, output: json, namespace: always, command: [sh, -c, 'printf "\140\140\140json\n{\"a\": 1}\n\140\140\140\n" >$REEVE_OUTPUT_FILE']}
  - {id: broken, output: json, command: [echo, "{not json"]}
Y
expect 1 reeve run -o json json.yaml
want_json 'units["fenced"]["output"] == {"a": 1}'
want_json 'units["broken"]["class"] == "evidence"'

# Large outputs travel whole; still larger ones by name.
cat >large.yaml <<'Y'
version: 1
units:
  - {id: big, namespace: always, command: [sh, -c, 'head -c 200000 /dev/zero | tr "\0" x >$REEVE_OUTPUT_FILE']}
  - {id: huge, namespace: always, command: [sh, -c, 'head -c 600000 /dev/zero | tr "\0" y >$REEVE_OUTPUT_FILE']}
  - id: r
    namespace: always
    depends_on: [big, huge]
    command: [sh, -c, 'cp $REEVE_CONTEXT_FILE large.json']
Y
expect 0 reeve run large.yaml
want_json 'd["_dep_big"] == "x" * 200000' large.json
want_json 'sorted(d["_dep_huge"]) == ["$artifact", "blake2b"] and len(open(d["_dep_huge"]["$artifact"]).read()) == 600000' large.json
