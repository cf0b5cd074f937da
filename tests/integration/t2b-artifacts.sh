# Artifacts with names and contents that want to do harm, copied out.
. "$(dirname "$0")/lib.sh"

cat >plan.json <<'PLAN'
{"version": 1, "name": "files", "units": [
 {"id": "names", "namespace": "always", "command": ["sh", "-c", "cd $REEVE_ARTIFACTS && printf 1 >'with space' && printf 2 >\"$(printf 'new\\nline')\" && printf 3 >\"$(printf 'esc\\033]0;x\\007')\" && mkdir -p a/b/c && printf 4 >a/b/c/deep && printf 5 >-rf && ln -s /etc/passwd link && mkfifo fifo"]},
 {"id": "large", "namespace": "always", "command": ["sh", "-c", "head -c 5000000 /dev/zero >$REEVE_ARTIFACTS/zeros"]},
 {"id": "none", "command": ["true"]}
]}
PLAN
expect 0 reeve run plan.json
run=$(run_id)
expect 0 reeve artifacts -o json
valid artifacts
want_json 'sorted(a["name"] for a in d["artifacts"] if a["unit"] == "names") == ["-rf", "a/b/c/deep", "esc\x1b]0;x\x07", "new\nline", "with space"]'
want_json '[a["bytes"] for a in d["artifacts"] if a["unit"] == "large"] == [5000000]'
expect 0 reeve artifacts
grep -q "$(printf '\033')" "$T/out" && fail "an escape came through"
want_out 'new\nline'
want_eq "$(wc -l <"$T/out")" 7
expect 0 reeve artifacts -o name
want_eq "$(wc -l <"$T/out")" 6
expect 0 reeve artifacts $run/none
want_eq "$(wc -l <"$T/out")" 1

expect 0 reeve artifacts $run/names --copy "$T/copy"
want_err "copied 5 files"
want_eq "$(cat "$T/copy/names/a/b/c/deep")$(cat "$T/copy/names/with space")$(cat "$T/copy/names/-rf")" 415
want_eq "$(cat "$T/copy/names/$(printf 'new\nline')")" 2
[ ! -e "$T/copy/large" ] || fail "copied more than was asked for"
expect 0 reeve artifacts --copy "$T/copy"
want_eq "$(stat -c %s "$T/copy/large/zeros")" 5000000

say "changed since, and gone"
printf x >>.reeve/runs/$run/units/large/1/artifacts/zeros
expect 3 reeve artifacts $run/large --copy "$T/changed"
want_err "has changed since it was handed over"
rm .reeve/runs/$run/units/large/1/artifacts/zeros
expect 4 reeve artifacts $run/large --copy "$T/gone"
ln -s /etc/passwd .reeve/runs/$run/units/large/1/artifacts/zeros
reeve artifacts $run/large --copy "$T/link" >"$T/out" 2>"$T/err" && fail "followed a link"
[ ! -s "$T/link/large/zeros" ] || fail "wrote what a link points at"

# More files than a list holds: it says that it was cut, and what is asked for counts though it is not in it.
rm -rf .reeve
cat >many.yaml <<'Y'
version: 1
units:
  - id: many
    evidence: {type: artifact_and_exit, required: ["z/wanted"]}
    command: [python3, -c, "import os; d = os.environ['REEVE_ARTIFACTS'] + '/'; [open(d + 'f%d' % i, 'w').close() for i in range(5000)]; os.mkdir(d + 'z'); open(d + 'z/wanted', 'w').close()"]
  - id: few
    evidence: artifact
    command: [sh, -c, 'echo x >"$REEVE_ARTIFACTS/one"']
Y
expect 0 reeve run -o json many.yaml
valid result
want_json 'units["many"]["artifacts_truncated"] is True and len(units["many"]["artifacts"]) == 4096'
want_json '"artifacts_truncated" not in units["few"]'
expect 0 reeve artifacts -o json
valid artifacts
want_err "unit many left more files than are listed here"
