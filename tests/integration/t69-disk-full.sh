# A coordinator whose disk is full stops: exit 3, a sentence that says what to free; freed and started again it goes on, and nothing that was
# acknowledged is lost or run again.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

[ "$(id -u)" = 0 ] || skip "a disk of its own takes root"
mkdir "$CO"
mount -t tmpfs -o size=16m,mode=0700 reeve-full "$CO" 2>/dev/null || skip "no tmpfs can be mounted here"
unmount() {
	local status=$? pid
	for pid in ${started[@]+"${started[@]}"}; do
		kill -KILL -- "-$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	umount "$CO" 2>/dev/null || umount -l "$CO"
	return $status
}
trap 'unmount; end_test' EXIT
export REEVE_COORDINATOR=$CO

coordinator
node n1 --slots 2
wait_until 20 joined n1
cat >plan.json <<P
{"version": 1, "name": "full", "workspace": {"mode": "none"}, "units": [
 {"id": "u", "for_each": {"count": 3000}, "command": ["sh", "-c", "echo \$REEVE_UNIT_ID >>$T/ran"]}]}
P
submit plan.json
wait_until 20 test -s "$T/ran"

say "the disk is full"
dd if=/dev/zero of="$CO/filler" bs=64k 2>/dev/null
dd if=/dev/zero of="$CO/filler2" bs=1k 2>/dev/null
finish co 3
want_in "$T/co.err" "event=coordinator_failed"
want_in "$T/co.err" "cannot write the journal $CO/journal.db"
want_in "$T/co.err" "help: free space on the disk of $CO/journal.db, then start again"
[ "$(sort -u "$T/ran" | wc -l)" -lt 3000 ] || fail "all had run before the disk was full: this shows nothing"

say "it does not start before there is space, and says the same"
expect 3 timeout 20 "$REEVE" coordinator --state "$CO"
want_err "free space on the disk"

say "freed, it goes on: its run is whole, and what had run does not run again"
rm "$CO/filler" "$CO/filler2"
coordinator
expect 0 timeout 100 "$REEVE" wait "$run" -o json
want_json 'd["succeeded"] == 3000 and d["node_lost"] == 0'
want_eq "$(sort -u "$T/ran" | wc -l | tr -d ' ')" 3000
want_eq "$(sort "$T/ran" | uniq -d | wc -l | tr -d ' ')" 0
