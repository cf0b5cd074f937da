# What daemons write to their logs: when, what, and whose; a daemon's death is a line of its warden; ps tells the two apart.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

export REEVE_COORDINATOR=$CO
logged() { grep -qE -- "$1" "$T/$2.err" || fail "no line like $1 in $2's log: $(cat "$T/$2.err")"; }
stamp='time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'

coordinator --listen "tcp://127.0.0.1:$(free_port)" --log-level debug
expect 0 reeve token create --role node --uses 1
mv "$T/out" "$T/token"
chmod 600 "$T/token"
node near --slots 1
wait_until 20 joined near
TO="--token-file $T/token" IN="env -u REEVE_COORDINATOR"
node far --slots 1 --label far=yes --log-format json
wait_until 20 joined far

say "ps"
daemon=$(pgrep -P "$(pid_of far)" -o)
want_eq "$(cat /proc/"$(pid_of far)"/comm)" reeve-warden
want_eq "$(cat /proc/"$daemon"/comm)" reeve-node
tr '\0' ' ' <"/proc/$daemon/cmdline" | grep -q "^reeve-node .*--name far" || fail "the daemon's command line"

say "a run"
cat >plan.json <<'P'
{"version": 1, "name": "lines", "workspace": {"mode": "none"}, "units": [
 {"id": "ok", "command": ["true"]},
 {"id": "bad", "command": ["sh", "-c", "exit 3"], "retry": {"max": 1, "base_s": 0.1}},
 {"id": "long", "command": ["sleep", "1000"], "labels": {"far": "yes"}}]}
P
submit plan.json
state_of() { "$REEVE" status "$run" -o json >"$T/st" && [ "$(json "units['$1']['state']" "$T/st")" = "$2" ]; }
wait_until 20 state_of bad failed
wait_until 20 state_of long active
wait_until 20 grep -q "event=unit_started.*unit=long" "$T/co.err"

say "a daemon dies under its units: its warden says so, and how"
kill -KILL "$daemon"
finish far 137
want_eq "$(json 'd[-1]["event"]' "$T/far.err")" daemon_died
want_json 'd[-1]["signal"] == "9" and d[-1]["node"] == "far" and int(d[-1]["units_ended"]) >= 1 and d[-1]["level"] == "error"' "$T/far.err"
want_json 'all(l["node"] == "far" and l["time"].endswith("Z") for l in d)' "$T/far.err"

say "nodes and keys go, the run ends"
expect 0 reeve cancel "$run/long"
expect 0 reeve drain near
expect 0 reeve undrain near
expect 0 reeve key revoke far
expect 1 reeve wait "$run"
wait_until 20 grep -q "event=run_finished" "$T/co.err"
kill -TERM "$(pid_of near)"
finish near 0
logged "^$stamp level=info event=joined node=near coordinator=ipc:" near
logged "^$stamp level=info event=ending node=near signal=TERM" near
for line in "info event=coordinator_serving .*epoch=1" "info event=token_created token=[^ ]+ uses_left=1" "info event=key_admitted name=far token=" \
	"info event=node_joined node=near" "info event=node_joined node=far" "info event=run_accepted run=$run name=lines units=3" \
	"debug event=unit_assigned run=$run unit=long attempt=1 node=far" "debug event=unit_finished run=$run unit=ok attempt=1 node=(near|far) state=succeeded exit=0" \
	"info event=unit_retry_wait run=$run unit=bad attempt=1 node=(near|far) reason=exit exit=3 delay_ms=" \
	"info event=unit_finished run=$run unit=bad attempt=2 node=(near|far) state=failed reason=exit exit=3" \
	"info event=node_left node=far" "info event=node_drained node=near" "info event=node_undrained node=near" "info event=node_removed node=far" \
	"info event=key_revoked name=far" "info event=run_finished run=$run state=failed reason=[a-z_]+ succeeded=1 failed=1 skipped=0 cancelled=1"; do
	logged "^$stamp level=$line" co
done
want_eq "$(grep -vcE "^$stamp level=[a-z]+ event=[a-z_]+( [a-z_]+=[^ ]+)*$" "$T/co.err")" 0

say "--log-level; words that are wrong"
kill -TERM "$(pid_of co)"
finish co 0
start quiet "$REEVE" coordinator --state "$CO" --log-level error
answers() { "$REEVE" nodes -o name; }
wait_until 20 answers
kill -TERM "$(pid_of quiet)"
finish quiet 0
want_empty "$T/quiet.err"
expect 2 reeve node --log-level loud --name x
want_err "--log-level is error, warn, info or debug, not \"loud\""
expect 2 reeve coordinator --log-format xml
want_err "--log-format is text or json"
