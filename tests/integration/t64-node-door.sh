# How a node begins and ends: words it refuses, a directory in use, a token that is not taken, signals.
. "$(dirname "$0")/lib.sh"
. "$here/cluster.sh"

say "words"
expect 2 reeve node
want_err "node needs to know its coordinator"
expect 5 reeve node --coordinator "$T/nowhere"
expect 2 reeve node --coordinator http://x:1
expect 2 reeve node --coordinator tcp://x
expect 2 reeve node --coordinator "$T" --map relative=/x
want_err "two absolute paths"
expect 2 reeve node --coordinator "$T" --name 'a b'
expect 2 reeve node --coordinator "$T" --run-as somebody
want_err "waits for"
expect 2 reeve node --coordinator "$T" --slots 0
expect 6 reeve node --coordinator tcp://127.0.0.1:1 --state "$T/member"
want_err "not a member of any cluster yet"

say "a directory in use is refused with the name of who has it"
coordinator --listen "tcp://127.0.0.1:*"
node one --slots 2
wait_until 10 joined one
expect 3 reeve node --coordinator "$CO" --state "$T/one" --name other
want_err "reeve node one"

say "a name in use, and a token that is none"
expect 6 reeve node --coordinator "$CO" --state "$T/other" --name one
want_err "another node has this node's name"
grep -q "it is held by the key [0-9a-f]\{16\}: give" "$T/err" || fail "the holder of the name is not named"
expect 0 reeve token create --coordinator "$CO" --role node
sed 's/.\(...\)$/0\1/; t; s/$/0/' "$T/out" >"$T/bad"
cmp -s "$T/out" "$T/bad" && sed -i 's/0\(...\)$/1\1/' "$T/bad"
mv "$T/out" "$T/good"
chmod 600 "$T/bad" "$T/good"
expect 6 reeve node --token-file "$T/bad" --state "$T/new" --name new
want_err "does not accept this token"
chmod 644 "$T/good"
expect 6 reeve node --token-file "$T/good" --state "$T/new" --name new
chmod 600 "$T/good"
TO="--token-file $T/good"
node new
wait_until 10 joined new
secret=$(awk '{print $NF}' "$T/good")
! grep -rqF "$secret" "$T/new" "$T/new.err" "$CO" || fail "the token's secret was written down"
kill -TERM "$(pid_of new)"
finish new 0
rm "$T/good"
TO=
node new
wait_until 10 joined new
kill -INT "$(pid_of new)"
finish new 0

say "the first TERM lets units end in their own time, the second does not"
cat >stubborn.json <<P
{"version": 1, "name": "stubborn", "workspace": {"mode": "none"}, "units": [
 {"id": "u", "grace_s": 200, "command": ["sh", "-c", "trap 'echo asked >>$W' TERM; echo start >>$W; while :; do sleep 0.05; done"]}
]}
P
submit stubborn.json
wait_until 10 grep -q start "$W"
kill -TERM "$(pid_of one)"
wait_until 10 grep -q asked "$W"
kill -0 "$(pid_of one)" || fail "it ended although its unit had time left"
kill -HUP "$(pid_of one)"
kill -TERM "$(pid_of one)"
finish one 0
kill -TERM "$(pid_of co)"
finish co 0
