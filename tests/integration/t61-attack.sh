# What hostile peers try over tcp, in another language: every attack is answered as promised, and memory stays flat.
. "$(dirname "$0")/lib.sh"

for py in /usr/bin/python3 python3 none; do
	[ $py = none ] && skip "no Python with zmq and msgpack (Debian: python3-zmq, python3-msgpack)"
	$py -c 'import zmq, msgpack' 2>/dev/null && break
done

# The coordinator takes what the hard limit allows; so does its attacker.
hard=$(ulimit -Hn)
[ "$hard" = unlimited ] || [ "$hard" -ge 4096 ] || export SILENT=$((hard / 4))
state=$T/work/state
start coordinator sh -c 'ulimit -Sn 256; exec "$@"' sh "$REEVE" coordinator --state "$state" --listen 'tcp://127.0.0.1:*'
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
endpoint=$(grep -o 'listen=tcp://[0-9.:]*' "$T/coordinator.err" | cut -d= -f2)
umask 077
expect 0 reeve token create --coordinator "$state" --uses 10
cp "$T/out" token
expect 0 reeve token create --coordinator "$state" --uses 1
cp "$T/out" other

ulimit -Sn "$hard"
$py "$top/tests/lib/attack.py" "$endpoint" token other "$(pid_of coordinator)" "$REEVE" "$state" >"$T/out" 2>"$T/err" || fail "an attack had an effect"
cat "$T/out"
gone "$(pid_of coordinator)" && fail "the coordinator has ended"
lines=$(wc -l <"$T/coordinator.err")
[ "$lines" -lt 200 ] || fail "hostile frames fill the log: $lines lines"
kill -TERM "$(pid_of coordinator)"
finish coordinator 0
