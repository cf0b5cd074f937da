# Evidence: what a unit must show besides its exit status; artifacts of an earlier attempt are none.
. "$(dirname "$0")/lib.sh"

cat >plan.yaml <<'Y'
version: 1
units:
  - {id: lazy, evidence: artifact_and_exit, command: [sh, -c, 'exit 0']}
  - {id: good, evidence: artifact_and_exit, command: [sh, -c, 'echo data >"$REEVE_ARTIFACTS/report.txt"']}
  - {id: liar, evidence: artifact_and_exit, command: [sh, -c, 'echo data >"$REEVE_ARTIFACTS/report.txt"; exit 1']}
  - {id: only, evidence: artifact, command: [sh, -c, 'echo data >"$REEVE_ARTIFACTS/x"; exit 5']}
  - id: wants
    evidence: {type: artifact_and_exit, required: ["*.json", "sub/*.txt"]}
    command: [sh, -c, 'cd "$REEVE_ARTIFACTS"; echo 1 >a.json']
  - id: has
    evidence: {type: artifact_and_exit, required: ["*.json", "sub/*.txt"]}
    command: [sh, -c, 'cd "$REEVE_ARTIFACTS"; mkdir sub; echo 1 >a.json; echo 2 >sub/b.txt']
  - id: stale
    evidence: artifact_and_exit
    retry: {max: 1, base_s: 0.05}
    command: [sh, -c, '[ $REEVE_ATTEMPT = 2 ] || { echo old >"$REEVE_ARTIFACTS/x"; exit 1; }']
Y
expect 1 reeve run -j 4 -o json plan.yaml
want_json 'units["lazy"]["state"] == "failed" and units["lazy"]["class"] == "evidence" and units["lazy"]["exit"] == 0'
want_json '"no artifact" in units["lazy"]["error"] and "evidence: exit" in units["lazy"]["error"]'
want_json 'units["good"]["ok"] and units["good"]["artifacts"][0]["name"] == "report.txt" and units["good"]["artifacts"][0]["bytes"] == 5'
want_json 'units["liar"]["state"] == "failed" and units["liar"]["class"] == "agent"'
want_json 'units["only"]["ok"]'
want_json 'units["wants"]["class"] == "evidence" and "sub/*.txt" in units["wants"]["error"]'
want_json 'units["has"]["ok"] and sorted(a["name"] for a in units["has"]["artifacts"]) == ["a.json", "sub/b.txt"]'
want_json 'units["stale"]["state"] == "failed" and units["stale"]["class"] == "evidence"'
run=$(run_id)

# They can be listed and fetched, with digests that tell the truth.
expect 0 reeve artifacts "$run/has" -o json
want_json 'len(d["artifacts"]) == 2'
expect 0 reeve artifacts "$run" --copy got
want_eq "$(cat got/has/sub/b.txt 2>/dev/null || find got -name b.txt -exec cat {} +)" 2

# Nothing outside the namespace is picked up, nothing special is followed.
mkdir secret && echo secret >secret/key
cat >hostile.yaml <<'Y'
version: 1
units:
  - id: h
    evidence: artifact
    command: [sh, -c, 'cd "$REEVE_ARTIFACTS"; ln -s "$OLDPWD/secret/key" link; ln -s "$OLDPWD/secret" dir; mkfifo fifo; truncate -s 1T sparse; echo fine >real']
Y
expect 0 reeve run -o json hostile.yaml
want_json '"real" in [a["name"] for a in units["h"]["artifacts"]]'
want_json 'not [a for a in units["h"]["artifacts"] if a["name"].startswith(("link", "dir", "fifo"))]'
