# init, df and doctor: a first plan, the disk that runs take, what this machine lacks.
. "$(dirname "$0")/lib.sh"

# ---- init: every starter is a plan, runs without agents, and is never written over a file ----

expect 0 reeve init --list -o name
starters=$(cat "$T/out")
want_eq "$(echo $starters)" "commands agents fan-out"
expect 0 reeve init --list -o json
valid starters
for name in $starters; do
	expect 0 reeve init $name --file $name.yaml
	want_out "reeve run $name.yaml"
	! grep -q '[^-]plan\.yaml' $name.yaml || fail "$name.yaml speaks of plan.yaml"
	expect 0 reeve check $name.yaml --mock
	want_empty "$T/err"
	expect 0 reeve run $name.yaml --mock
done
expect 0 reeve run commands.yaml
expect 0 reeve output package
want_out "packaged: 0 complaints, 12 passed"
expect 0 reeve run fan-out.yaml
expect 0 reeve output greet-0002
want_out "hello Grace"
expect 0 reeve init -o json
valid init
want_json 'd["file"] == "plan.yaml"'
sed 's/commands\.yaml/plan.yaml/' commands.yaml | cmp -s plan.yaml - || fail "commands is not the default"
echo mine >mine.yaml
expect 2 reeve init -f mine.yaml
want_err "is there already"
want_eq "$(cat mine.yaml)" mine
ln -s nowhere.yaml link.yaml
expect 2 reeve init -f link.yaml
[ ! -e nowhere.yaml ] || fail "written through a link"
expect 4 reeve init fanout
want_err "did you mean fan-out?"
expect 4 reeve init -f none/plan.yaml
expect 0 reeve init -f -
cmp -s "$T/out" plan.yaml || fail "--file - prints something else"
"$REEVE" init -f full.yaml >/dev/full 2>"$T/err"
want_eq $? 3

# ---- df: what it says is what there is ----

expect 0 reeve df -o json
valid df
want_json "d['bytes'] == sum(r['bytes'] for r in d['rows'])"
want_json "[r['bytes'] for r in d['rows']] == sorted((r['bytes'] for r in d['rows']), reverse=True)"
for run in $("$REEVE" status -o name); do
	want_eq "$(json "[r['bytes'] for r in d['rows'] if r['name'] == '$run'][0]")" "$(($(du -s --block-size=512 .reeve/runs/$run | cut -f1) * 512))"
done
run=$(run_id)
head -c 3000000 /dev/urandom >.reeve/runs/$run/units-big
mkdir -p .reeve/runs/$run/units/x
head -c 5000000 /dev/urandom >.reeve/runs/$run/units/x/artifact
ln -s / .reeve/runs/$run/units/x/root
expect 0 reeve df -o json
want_json "d['rows'][0]['name'] == '$run' and 5000000 <= d['rows'][0]['namespace_bytes'] < 5100000 and d['rows'][0]['bytes'] > 8000000"
expect 0 reeve df
want_out "gc"
expect 0 reeve df -o wide
want_out "NAMESPACES"
expect 4 reeve df --state "$T/none"
long=$(python3 -c "import os
while len(os.getcwd()) < 3880:
    part = 'd' * min(200, 3889 - len(os.getcwd()))
    os.mkdir(part)
    os.chdir(part)
for name in 'nodes/', 'runs/.rm-':
    os.makedirs(name + 'n' * 240)
print(os.getcwd())")
for verb in df gc; do # what is too long for a path is named
	expect 2 reeve $verb --state "$long"
	want_err "is too long"
done

# ---- doctor ----

expect 0 reeve doctor -o json
valid doctor
want_json '{"kill level", "limit level", "clock", "disk", "processors", "descriptors", "processes", "port", "locks"} <= {c["check"] for c in d["checks"]}'
want_json 'd["fit"]'
expect 0 env PATH=/usr/bin:/bin HOME="$T" "$REEVE" doctor -o json
valid doctor
want_json 'all(c["verdict"] == "absent" for c in d["checks"] if c["found"].startswith("not here"))'
expect 0 env PATH=/usr/bin:/bin HOME="$T" "$REEVE" doctor
grep -E "^ok +(claude|codex) +not here" "$T/out" && fail "an agent that is not here is ok"
expect 1 sh -c 'ulimit -n 100; "$REEVE" doctor -o json'
want_json 'not d["fit"] and [c["fix"] for c in d["checks"] if c["verdict"] == "fail"][0].startswith("`ulimit -n")'
expect 1 sh -c 'ulimit -n 100; "$REEVE" doctor'
want_out "FAIL  descriptors"
want_out "-> \`ulimit -n 65536\`"
expect 0 env REEVE_KILL_LEVEL=subreaper "$REEVE" doctor
want_out "warn  kill level"
start holder python3 -c 'import socket, time; s = socket.socket(); s.bind(("0.0.0.0", 7700)); s.listen(); print("up", flush=True); time.sleep(600)'
wait_until 10 eval 'grep -q . "$T/holder.out" "$T/holder.err"' # or somebody else had it
expect 0 reeve doctor
want_out "7700 is taken"

# Locks: one that lives stays, one whose run is gone goes with --clean alone.
cat >writes.yaml <<'Y'
version: 1
workspace: {mode: shared}
units:
  - {id: w, allowed_directories: [out], command: [sh, -c, 'while [ ! -e go ]; do sleep 0.05; done']}
Y
start run "$REEVE" run writes.yaml
wait_until 10 eval 'ls .reeve/locks/*.lock'
live=$(basename .reeve/locks/*.lock .lock)
touch .reeve/locks/0000000000.lock .reeve/locks/0000000000.dirs .reeve/live/0000000000
expect 0 reeve doctor --locks
want_out "$live.lock: held by reeve run $live"
want_out "0000000000.lock: its run is gone"
[ -e .reeve/locks/0000000000.lock ] || fail "removed without --clean"
expect 0 reeve doctor --locks --clean
[ ! -e .reeve/locks/0000000000.lock ] && [ ! -e .reeve/locks/0000000000.dirs ] && [ ! -e .reeve/live/0000000000 ] || fail "a stale lock stayed"
[ -e .reeve/locks/$live.lock ] && [ -e .reeve/live/$live ] || fail "a live lock went"
touch go
finish run 0
