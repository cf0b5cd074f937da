#!/bin/bash
# t61-chains: chains of short commands on two nodes, each handed over behind the one before it, and the coordinator killed in their middle, three
# times: each unit runs once, after the one it needs; behind one that fails nothing begins
. "$(dirname "$0")/lib.sh"

length=400
serve() { start "$1" "$REEVE" coordinator --state "$T/c"; wait_until 30 grep -q coordinator_serving "$T/$1.err"; }
at() { "$REEVE" "$1" --coordinator "$T/c" "${@:2}"; }

serve c0
for n in n1 n2; do
	start $n "$REEVE" node --coordinator "$T/c" --state "$T/$n" --name $n --slots 1
	wait_until 30 grep -q "event=joined" "$T/$n.err"
done

# Two that run to their end, and one whose 100th fails.
python3 - "$T" $length <<'P' >plan.json
import json, sys
log, length = sys.argv[1] + "/log", int(sys.argv[2])
def unit(chain, i):
    end = "exit 3" if (chain, i) == ("x", 100) else f"echo end {chain}{i} >>{log}"
    u = {"id": f"{chain}{i}", "command": ["sh", "-c", f"echo begin {chain}{i} >>{log}; {end}"]}
    return u | ({"depends_on": [f"{chain}{i - 1}"]} if i else {})
print(json.dumps({"version": 1, "name": "chains", "units": [unit(c, i) for c in "abx" for i in range(length)]}))
P
expect 0 at submit plan.json
run=$(cat "$T/out")
start wait "$REEVE" wait --coordinator "$T/c" "$run" -o json

say "killed three times while they run"
more_than() { [ "$(wc -l <"$T/log" 2>/dev/null || echo 0)" -gt "$1" ]; }
for i in 1 2 3; do
	wait_until 60 more_than $((i * 300))
	kill -KILL "$(pid_of c$((i - 1)))"
	wait "$(pid_of c$((i - 1)))" 2>/dev/null
	serve c$i
done
finish wait 1

say "in order, each once, nothing behind the one that failed"
python3 - "$T/log" $length <<'P' || fail "not as the chains say"
import sys
lines, length = [l.split() for l in open(sys.argv[1])], int(sys.argv[2])
for chain in "abx":
    mine = [(what, int(name[1:])) for what, name in lines if name[0] == chain]
    last = 100 if chain == "x" else length - 1
    want = [(what, i) for i in range(last + 1) for what in ("begin", "end")]
    assert mine == (want[:-1] if chain == "x" else want), (chain, len(mine), len(want))
P
expect 0 at status "$run" -o json
want_json "d['state'] == 'failed' and d['succeeded'] == 2 * $length + 100 and d['failed'] == 1 and d['skipped'] == $length - 101 and d['node_lost'] == 0"

# How many there are depends on how short they are here: told, not demanded.
python3 - "$T/c/journal.db" <<'P'
import sqlite3, sys
behind = all_ = 0
for row, in sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("SELECT row FROM log"):
    at = 24  # checksum, epoch, time
    while at < len(row):
        length = shift = 0
        while True:
            byte = row[at]
            length |= (byte & 0x7f) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        if row[at + 1] == 3:  # "assigned"
            all_ += 1
            behind += row[at] == 0x97  # with the two fields of what it comes after
        at += length
print(f"{behind} of {all_} assignments were behind another attempt")
P
