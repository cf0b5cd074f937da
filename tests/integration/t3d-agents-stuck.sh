# An agent that its provider turns away prints a line each time it asks again: no sign of life for idle_timeout_s, and what turned it away is
# why it failed, whichever timeout ended it.
. "$(dirname "$0")/lib.sh"
data=$top/tests/data/agents
mkdir "$T/bin"
export DATA=$data PATH=$T/bin:$PATH

# Begins as the real one does, then asks again and again (SAY: the line); with GO it gets on in between and comes to its end.
cat >"$T/bin/claude" <<'SH'
#!/bin/bash
[ "$1" = --version ] && exec echo "2.1.999 (Claude Code)"
cat >/dev/null
head -1 "$DATA/claude-2.1.332-tools.out"
again() { printf '{"type":"system","subtype":"api_retry","attempt":1,"max_retries":10,"retry_delay_ms":50,"error_status":%s,"error":"%s"}\n' $SAY; }
end=$((SECONDS + ${FOR:-600}))
while [ $SECONDS -lt $end ]; do
	again
	read -rt 0.2 <>"$FIFO"
	[ -z "$GO" ] || echo '{"type":"user","message":{"role":"user","content":[]}}'
done
exec cat "$DATA/claude-ok.out"
SH
chmod +x "$T/bin/claude"
mkfifo "$T/fifo"
export FIFO=$T/fifo

cat >plan.yaml <<'Y'
version: 1
agents: {coder: {profile: claude}}
limits: {environment: 1}
defaults: {agent: coder, prompt: x, retry: {max: 3, base_s: 0.01, on: [agent, timeout, evidence]}, idle_timeout_s: 1}
units:
  - {id: key, allowed_directories: [a], env: {SAY: "401 authentication_failed"}}
  - {id: late, allowed_directories: [b], env: {SAY: "401 authentication_failed"}, idle_timeout_s: 0, timeout_s: 1.5}
  - {id: away, allowed_directories: [c], env: {SAY: "null unknown"}}
  - {id: works, allowed_directories: [d], env: {SAY: "529 overloaded", GO: "1", FOR: "3"}}
  - {id: quiet, allowed_directories: [e], env: {SAY: "529 overloaded"}, command: [sleep, "600"], retry: {max: 0}}
Y
expect 1 reeve run plan.yaml -o json
valid result
failed() { want_json "(units['$1']['state'], units['$1']['class'], units['$1']['reason'], units['$1']['attempts']) == ('failed', '$2', '$3', 1)"; }
failed key config login
failed late config login
failed away environment network
failed quiet timeout idle_timeout
want_json '"401" in units["key"]["error"]'
want_json 'units["works"]["state"] == "succeeded" and units["works"]["duration_ms"] > 2000'
want_json 'all(900 < units[u]["duration_ms"] < 10000 for u in ("key", "late", "away"))'
