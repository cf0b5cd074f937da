# Two nodes and a coordinator on one host: work is shared, nodes come and go, what a dead one had runs elsewhere once.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"
nap=300.$$

coordinator
node one --slots 2
node two --slots 2
wait_until 10 joined one
wait_until 10 joined two

# A command that notes when it begins, and of which unit and attempt, in a file of its node's.
noting() { printf '%s' "echo \$(date +%s%N) \$REEVE_UNIT_ID \$REEVE_ATTEMPT >>$T/at.\$REEVE_NODE; $1"; }

say "units of one plan overlap across nodes"
cat >overlap.json <<P
{"version": 1, "name": "overlap", "workspace": {"mode": "none"}, "units": [
 {"id": "u", "for_each": {"count": 4}, "command": ["sh", "-c", "$(witness "while [ \$(grep -c start $W) -lt 4 ]; do sleep 0.02; done")"]}
]}
P
submit overlap.json
wait_until 20 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(count '^start .* one$') $(count '^start .* two$')" "2 2"

say "one that joins in mid-run has work within a second"
: >"$W"
cat >join.json <<P
{"version": 1, "name": "join", "workspace": {"mode": "none"}, "units": [
 {"id": "u", "for_each": {"count": 400}, "command": ["sh", "-c", "$(witness "$(noting 'sleep 0.1')")"]}
]}
P
submit join.json
wait_until 10 grep -q '^end' "$W"
before=$(date +%s%N)
node three --slots 2
wait_until 10 grep -q . "$T/at.three"
took=$((($(head -n1 "$T/at.three" | cut -d' ' -f1) - before) / 1000000))
say "from the start of its process to that of its first unit: $took ms"
[ $took -lt 5000 ] || fail "the third node had no work for $took ms"
wait_until 10 joined three
# four units a node and 0.1 s: before the other two have done ten each, the third has begun
before=$(count '^start')
wait_until 10 grep -q '^start .* three$' "$W"
[ $(($(count '^start') - before)) -lt 40 ] || fail "the third node waited for $(($(count '^start') - before)) units of others"

say "a drained one gets nothing new, and what it has goes on"
expect 0 reeve drain --coordinator "$CO" three
wait_until 10 idle three
had=$(count '^start .* three$')
ends=$(count '^end')
wait_until 10 sh -c '[ "$(grep -c ^end "$W")" -ge $(($1 + 20)) ]' - "$ends"
want_eq "$(count '^start .* three$')" "$had"
expect 0 reeve undrain --coordinator "$CO" three
wait_until 10 sh -c '[ "$(grep -c "^start .* three$" "$W")" -gt "$1" ]' - "$had"

wait_until 60 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(sed -n 's/^end \([^ ]*\) .*/\1/p' "$W" | sort -u | wc -l)" 400

say "what is removed has its units run elsewhere at once, long before it would count as lost"
rm -f "$T"/at.*
cat >gone.json <<P
{"version": 1, "name": "gone", "workspace": {"mode": "none"}, "lost_after_s": 60, "units": [
 {"id": "u", "for_each": {"count": 12}, "command": ["sh", "-c", "$(noting "[ \$REEVE_NODE = three ] && sleep $nap || sleep 0.05")"]}
]}
P
submit gone.json
wait_until 10 sh -c '[ "$(wc -l <"$1")" = 2 ]' - "$T/at.three"
before=$(date +%s%N)
expect 0 reeve remove --coordinator "$CO" three
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
while read -r _ unit _; do
	again=$(cat "$T/at.one" "$T/at.two" | awk -v u="$unit" '$2 == u && $3 > 1 { print $1 }')
	[ -n "$again" ] || fail "$unit did not run again"
	took=$(((again - before) / 1000000))
	say "from remove to the next start of $unit: $took ms"
	[ $took -lt 5000 ] || fail "$unit waited for $took ms"
done <"$T/at.three"
finish three 6
want_in "$T/three.err" "removed, or its key revoked"

say "a node that is ended in good order gives its units back"
: >"$W"
cat >leave.json <<P
{"version": 1, "name": "leave", "workspace": {"mode": "none"}, "lost_after_s": 60, "units": [
 {"id": "u", "for_each": {"count": 6}, "command": ["sh", "-c", "$(witness "[ \$REEVE_NODE = one ] || sleep $nap")"]}
]}
P
kill -TERM "$(pid_of one)"
finish one 0
submit leave.json
wait_until 10 sh -c '[ "$(grep -c "^start .* two$" "$W")" = 2 ]'
node one --slots 2
wait_until 10 joined one
kill -TERM "$(pid_of two)"
finish two 0
wait_until 20 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(count '^end .* one$')" 6
want_eq "$(pgrep -f "sleep $nap" | wc -l)" 0

say "the units of a node that dies run elsewhere, once"
: >"$W"
node two --slots 2
wait_until 10 joined two
cat >die.json <<P
{"version": 1, "name": "die", "workspace": {"mode": "none"}, "lost_after_s": 2, "units": [
 {"id": "u", "for_each": {"count": 8}, "command": ["sh", "-c", "$(witness "[ \$REEVE_NODE = one ] && sleep 0.3 || sleep $nap")"]}
]}
P
submit die.json
wait_until 10 sh -c '[ "$(grep -c "^start .* two$" "$W")" = 2 ]'
kill_node two
wait_until 30 run_ended
want_eq "$(run_state)" succeeded
want_eq "$(count '^end .* one$')" 8
want_eq "$(sed -n 's/^end \([^ ]*\) .*/\1/p' "$W" | sort -u | wc -l)" 8
expect 0 reeve status --coordinator "$CO" -o json "$run"
want_eq "$(count '^start ')" 10 # the two that ran there began again, nothing else did; what was only sent ahead was lost unseen
want_json 'all(u["node"] == "one" and u["attempts"] <= 2 for u in d["units"]) and sum(u["attempts"] - 1 for u in d["units"]) == d["node_lost"] >= 2'
say "and what was left of them is ended by the next node that starts there"
node two --slots 2
wait_until 10 joined two
want_eq "$(pgrep -f "sleep $nap" | wc -l)" 0
kill -TERM "$(pid_of one)" "$(pid_of two)"
finish one 0
finish two 0
kill -TERM "$(pid_of co)"
finish co 0
