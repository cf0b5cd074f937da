# A coordinator and two nodes, each a host of its own (network namespaces): CURVE, tokens, partitions short and long, what a wire shows.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
nap=300.$$
need_root_and tcpdump

hosts co one two
at co
coordinator --listen "tcp://$(address co):7700"
start tcpdump $IN tcpdump -i eth -U -s 0 -w "$T/wire.pcap" tcp port 7700
wait_until 10 grep -q "listening on" "$T/tcpdump.err"

say "two nodes join with one token"
expect 0 reeve token create --coordinator "$CO" --role node --uses 2
mv "$T/out" "$T/token"
chmod 600 "$T/token"
TO="--token-file $T/token"
at one
node one --slots 2
at two
node two --slots 2
wait_until 10 joined one
wait_until 10 joined two
want_in "$T/one.err" event=enrolled

say "what they are told and what they answer is not to be read on the wire; blobs go both ways"
cat >words.json <<'P'
{"version": 1, "name": "plaintext-of-the-plan", "workspace": {"mode": "none"}, "units": [
 {"id": "plaintext-first", "for_each": {"count": 4}, "namespace": "always", "command": ["sh", "-c", "echo plaintext-printed; yes plaintext-output | head -c 600000 >$REEVE_OUTPUT_FILE; while [ ! -e DIR/go ]; do sleep 0.02; done"]},
 {"id": "second", "depends_on": ["plaintext-first"], "namespace": "always", "command": ["sh", "-c", "wc -c <$(ls $REEVE_HANDOFFS/../../../../handoffs/* | head -1)"]}
]}
P
sed -i "s|DIR|$T|" words.json
submit words.json
wait_until 20 sh -c '[ "$("$REEVE" status --coordinator "$1" -o json "$2" | grep -o "\"state\":\"active\"" | wc -l)" = 4 ]' - "$CO" "$run"
touch "$T/go"
wait_until 20 run_ended
want_eq "$(run_state)" succeeded
expect 0 reeve output --coordinator "$CO" "$run/second"
want_out 600000
wait_until 10 sh -c '[ "$(stat -c %s "$T/wire.pcap")" -gt 600000 ]'
! grep -qa plaintext "$T/wire.pcap" || fail "the wire shows the plan"
grep -qa CURVE "$T/wire.pcap" || fail "what was captured is no CURVE link"

say "a partition shorter than lost_after reruns nothing"
: >"$W"
cat >short.json <<P
{"version": 1, "name": "short", "workspace": {"mode": "none"}, "lost_after_s": 20, "units": [
 {"id": "u", "for_each": {"count": 4}, "command": ["sh", "-c", "$(witness "while [ ! -e $T/short ]; do sleep 0.02; done")"]}
]}
P
submit short.json
wait_until 10 sh -c '[ "$(grep -c ^start "$W")" = 4 ]'
cut_off one
suspected() { [ "$(node_row one state)" = suspect ]; }
wait_until 15 suspected
touch "$T/short"
wait_until 10 sh -c '[ "$(grep -c "^end .* one$" "$W")" = 2 ]'
mend one
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(count ^start) $(count ^end)" "4 4"
expect 0 reeve status --coordinator "$CO" -o json "$run"
want_json 'd["node_lost"] == 0'

say "a longer one reruns once, and the late ones are not taken"
: >"$W"
cat >long.json <<P
{"version": 1, "name": "long", "workspace": {"mode": "none"}, "lost_after_s": 2, "units": [
 {"id": "u", "for_each": {"count": 4}, "command": ["sh", "-c", "$(witness "[ \$REEVE_ATTEMPT = 1 ] && [ \$REEVE_NODE = one ] && sleep $nap; [ -e $T/long ] || sleep 0.5")"]}
]}
P
wait_until 30 joined one
submit long.json
wait_until 10 sh -c '[ "$(grep -c ^start "$W")" = 4 ]'
had=$(count '^start .* one$')
[ "$had" -ge 1 ] || fail "nothing ran on one"
cut_off one
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(count '^end .* two$')" 4
want_eq "$(count ^start)" $((4 + had))
mend one
wait_until 40 joined one
nothing_left() { ! pgrep -f "sleep $nap" >/dev/null; }
wait_until 10 nothing_left
want_eq "$(count '^end .* one$')" 0

say "a node whose key is revoked gets nothing more"
expect 0 reeve key revoke --coordinator "$CO" two
finish two 6
at two
node two
finish two 6
want_in "$T/two.err" "does not know this node"
want_eq "$(node_row two state | grep -c joined)" 0
kill -TERM "$(pid_of one)" "$(pid_of co)"
finish one 0
finish co 0
