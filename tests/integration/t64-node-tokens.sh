# A node and its token: in by one, never by one that was used up, changed or another cluster's; out with its key; back by another.
. "$(dirname "$0")/lib.sh"

state=$T/work/state
umask 077
start coordinator "$REEVE" coordinator --state "$state" --listen 'tcp://127.0.0.1:*'
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
endpoint=$(grep -o 'listen=tcp://[0-9.:]*' "$T/coordinator.err" | cut -d= -f2)
token() { "$REEVE" token create --coordinator "$state" "$@"; }
node() { timeout 60 "$REEVE" node --token-file "$1" --name "$2" --state "$T/$2"; }
joined() { [ "$(grep -c 'event=node_joined' "$T/coordinator.err")" -ge "$1" ]; }
change() { # the last hex digit of field $1, counted from 0
	python3 -c "
import sys
w = open('token').read().split()
w[$1] = w[$1][:-1] + format(int(w[$1][-1], 16) ^ 1, 'x')
print(*w)"
}

say "in by a token, which names its coordinator; a restart needs none"
token >token
start n1 "$REEVE" node --token-file token --name n1 --state "$T/n1"
wait_until 20 joined 1
kill -TERM "$(pid_of n1)"
finish n1
start n1 "$REEVE" node --coordinator "$endpoint" --name n1 --state "$T/n1"
wait_until 20 joined 2

say "used up, changed by a bit, another cluster's: the same words"
expect 6 node token n2
cp "$T/err" refusal
want_in refusal "does not accept this token"
change 4 >changed
expect 6 node changed n2
grep '^reeve:' "$T/err" | cmp -s - <(grep '^reeve:' refusal) || fail "other words for a changed secret"
change 2 >foreign
expect 6 node foreign n2
grep '^reeve:' "$T/err" | cmp -s - <(grep '^reeve:' refusal) || fail "other words for another cluster"
secret=$(cut -d' ' -f5 token)
! grep -rqF "$secret" "$T"/*.err "$T/n1" "$state" refusal || fail "the secret is somewhere"
[ "$(stat -c %a "$T/n1/node.key")" = 600 ] || fail "the node's key is open to others"

say "an operator's token is not spent on a node"
token --role operator >operator
expect 6 node operator n2
want_err "lets an operator in, not a node"
! grep -q daemon_died "$T/err" || fail "one that says why it ends has died"
want_err "\`reeve token create\` makes one for a node"
export HOME=$T/home
expect 0 reeve login --token-file operator --name ann

say "revoked while it is connected: sent away at once, and for good"
expect 0 reeve key revoke --coordinator "$state" n1
finish n1 6
want_in "$T/n1.err" "key revoked"
token >again
mv "$T/n1/coordinator" "$T/n1/coordinator.was"
expect 6 node again n1
want_err "this key was revoked"

say "started again it says so, and ends"
mv "$T/n1/coordinator.was" "$T/n1/coordinator"
expect 6 timeout 30 "$REEVE" node --coordinator "$endpoint" --name n1 --state "$T/n1"
want_err "does not know this node's key: it was revoked"
want_err "a new token"
rm "$T/n1/coordinator"

say "the machine comes back with another key"
rm "$T/n1/node.key"
start n1 "$REEVE" node --token-file again --name n1 --state "$T/n1"
wait_until 20 joined 3
expect 0 reeve key list --coordinator "$state" -o json
want_json 'sorted(k["state"] for k in d["keys"] if k["name"] == "n1") == ["admitted", "revoked"]'
kill -TERM "$(pid_of n1)"
finish n1 0
