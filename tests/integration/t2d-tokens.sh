# Tokens and keys at the command line: made, used, used up, revoked; answers fit their schemas; secrets show up nowhere.
. "$(dirname "$0")/lib.sh"

export HOME=$T/home XDG_CONFIG_HOME=
mkdir "$HOME"
state=$T/work/state
start coordinator "$REEVE" coordinator --state "$state" --listen 'tcp://127.0.0.1:*'
wait_until 20 grep -q coordinator_serving "$T/coordinator.err"
endpoint=$(grep -o 'listen=tcp://[0-9.:]*' "$T/coordinator.err" | cut -d= -f2)
at="--coordinator $state"

say "nobody yet"
expect 0 reeve token list $at -o json
valid tokens
want_json 'd["tokens"] == []'
expect 0 reeve key list $at -o json
valid keys
want_json 'd["keys"] == []'

say "a token is one line, and a secret"
umask 077
expect 0 reeve token create $at --role operator --ttl 10m --uses 2
cp "$T/out" token
want_eq "$(wc -l <token)" 1
grep -qE "^reeve-token-1 $endpoint [0-9a-f]{64} [0-9a-z]{10} [0-9a-f]{64}\$" token || fail "not a token: $(cat token)"
want_empty "$T/err"
read -r _ _ server id secret <token
expect 0 reeve token create $at -o json --endpoint tcp://elsewhere:7700
valid token
want_json 'd["role"] == "node" and d["uses"] == 1 and " tcp://elsewhere:7700 " in d["token"]'
secret2=$(json 'd["token"].split()[4]')

say "words are checked before anything is asked"
expect 2 reeve token create $at --role admin
want_err "node or operator"
expect 2 reeve token create $at --ttl 400d
expect 2 reeve token create $at --uses 0
expect 2 reeve token create $at --endpoint somewhere
want_err "tcp://HOST:PORT"
expect 2 reeve token
expect 2 reeve token revoke
expect 4 reeve token revoke $at nonesuch
expect 4 reeve key revoke $at nonesuch

say "a person logs in, twice the same, and asks over tcp"
expect 5 reeve key list
expect 0 reeve login --token-file token --name ann
want_err "logged in to $endpoint as ann"
expect 0 reeve login --token-file token --name ann
expect 0 reeve token list $at -o json
want_json '[t["uses_left"] for t in d["tokens"] if t["id"] == "'$id'"] == [1]'
expect 0 reeve key list -o json
valid keys
want_json 'd["keys"][0]["name"] == "ann" and d["keys"][0]["role"] == "operator" and d["keys"][0]["state"] == "admitted" and d["keys"][0]["token"] == "'$id'"'
expect 0 reeve key list --coordinator "$endpoint" -o name
want_eq "$(cat "$T/out")" ann
expect 0 env REEVE_COORDINATOR="$endpoint" "$REEVE" key list
want_out ann
find "$HOME" -type f -printf '%m %f\n' | grep -v '^600 ' && fail "a file of the login is open to others"

say "a name has one holder; a token's uses end"
expect 2 env HOME="$T/other" "$REEVE" login --token-file token --name ann
want_err "is held by the key"
expect 0 env HOME="$T/other" "$REEVE" login --token-file token --name bob
expect 6 env HOME="$T/third" "$REEVE" login --token-file token --name carol
refusal=$(cat "$T/err")

say "changed by a bit, revoked, expired, of another cluster: the same words"
flip() { # the last hex digit of field $1
	python3 - "$1" <<-'PY'
	import sys
	words = open('token').read().split()
	at = int(sys.argv[1])
	words[at] = words[at][:-1] + format(int(words[at][-1], 16) ^ 1, 'x')
	print(*words)
	PY
}
flip 4 >changed
expect 6 reeve login --token-file changed --name dave
want_eq "$(cat "$T/err")" "$refusal"
expect 0 reeve token create $at --role operator --ttl 10m
cp "$T/out" revoked
expect 0 reeve token revoke $at "$(cut -d' ' -f4 revoked)"
want_err "is revoked"
expect 0 reeve token revoke $at "$(cut -d' ' -f4 revoked)" -o json
valid revoke
want_json 'd["what"] == "token" and d["changed"] == 0'
want_empty "$T/err"
expect 0 reeve token revoke $at "$(cut -d' ' -f4 revoked)"
want_err "was revoked before"
expect 6 env HOME="$T/other" "$REEVE" login --token-file revoked --name dave
want_eq "$(cat "$T/err")" "$refusal"
expect 0 reeve token create $at --role operator --ttl 1s
cp "$T/out" expired
is_expired() { "$REEVE" token list $at -o jsonl | grep "$(cut -d' ' -f4 expired)" | grep -q '"expired"'; }
wait_until 20 is_expired
expect 6 env HOME="$T/other" "$REEVE" login --token-file expired --name dave
want_eq "$(cat "$T/err")" "$refusal"
start second "$REEVE" coordinator --state "$T/work/second" --listen 'tcp://127.0.0.1:*'
wait_until 20 grep -q coordinator_serving "$T/second.err"
expect 0 reeve token create --coordinator "$T/work/second" --role operator --endpoint "$endpoint"
cp "$T/out" foreign
expect 6 env HOME="$T/other" "$REEVE" login --token-file foreign --name dave
want_eq "$(cat "$T/err")" "$refusal"

say "a token for a node lets no operator in"
expect 0 reeve token create $at --role node --uses 1
cp "$T/out" nodes
expect 2 env HOME="$T/other" "$REEVE" login --token-file nodes --name erin
want_err "lets a node in, not an operator"
want_err "--role operator"
expect 0 reeve token list $at -o json
want_json '[t["uses_left"] for t in d["tokens"] if t["id"] == "'"$(cut -d' ' -f4 nodes)"'"] == [1]'
expect 0 reeve key list $at -o json
want_json 'not [k for k in d["keys"] if k["name"] == "erin"]'

say "a token in a file of its own: only its owner may read it, whatever the umask; nothing is overwritten"
(umask 022 && "$REEVE" token create $at --out made >"$T/out" 2>"$T/err") || fail "token create --out"
want_empty "$T/out"
want_eq "$(stat -c %a made)" 600
grep -q "^reeve-token-1 $endpoint " made || fail "no token in the file"
want_eq "$(wc -l <made)" 1
expect 2 reeve token create $at --out made
want_err "nothing is overwritten"
expect 0 reeve token create $at --out made2 -o json
valid token
want_json 'd["file"] == "made2" and "token" not in d'

say "files that others may read are refused; standard input is read"
chmod 644 nodes
expect 6 reeve login --token-file nodes
want_err "\`chmod 600 nodes\`"
chmod 600 nodes
"$REEVE" token create $at --role operator >piped
"$REEVE" login --token-file - --name ann <piped 2>"$T/err" || fail "a token on standard input is refused"
expect 2 env HOME="$T/other" "$REEVE" login --token-file /dev/null
want_err "there is none"
expect 2 reeve login
want_err "--token-file"

say "revoked: refused at once, over the link that stands as over a new one; what it waits for does not reach it"
echo '{"version": 1, "name": "waits", "workspace": {"mode": "none"}, "units": [{"id": "a", "command": ["true"]}]}' >waits.json
expect 0 reeve submit $at waits.json
run=$(cat "$T/out")
start follow env HOME="$T/other" "$REEVE" events -f $run -o jsonl
wait_until 20 grep -q run_accepted "$T/follow.out"
waits() { "$REEVE" status $at -o json | grep -Eq '"requests_waiting": ?1'; }
wait_until 20 waits
expect 0 reeve key revoke $at bob
want_err "key bob is revoked"
expect 0 reeve pause $at $run
finish follow 6
grep -q run_paused "$T/follow.out" && fail "a revoked operator was told of what happened since"
expect 0 reeve cancel $at $run
expect 6 env HOME="$T/other" "$REEVE" key list
expect 0 reeve key revoke $at bob
want_err "was revoked before"
expect 0 reeve key list $at -o json
want_json '{k["name"]: k["state"] for k in d["keys"]}["bob"] == "revoked"'
expect 0 reeve key list $at -o wide

say "who was revoked comes back with another key, by another token"
expect 0 reeve token create $at --role operator
cp "$T/out" back
expect 0 env HOME="$T/other" "$REEVE" login --token-file back --name bob
expect 0 env HOME="$T/other" "$REEVE" key list -o json
want_json 'sorted(k["state"] for k in d["keys"] if k["name"] == "bob") == ["admitted", "revoked"]'
expect 0 env HOME="$T/other" "$REEVE" key revoke bob
want_err "key bob is revoked"

say "all of it is in the journal: the next coordinator knows the same"
expect 0 reeve key list $at -o json
cp "$T/out" before
kill -KILL "$(pid_of coordinator)"
finish coordinator
start again "$REEVE" coordinator --state "$state" --listen "$endpoint"
wait_until 20 grep -q coordinator_serving "$T/again.err"
expect 0 reeve key list $at -o json
cmp -s "$T/out" before || fail "the list is another one after a restart"
expect 0 reeve key list
expect 6 env HOME="$T/other" "$REEVE" key list

say "no secret anywhere but in the token and key files"
enrolling() { python3 -c "
import hashlib
h = bytearray(hashlib.blake2b(b'$id', digest_size=32, key=bytes.fromhex('$secret'), person=b'reeve-enrol-v1').digest())
h[0] &= 248; h[31] = h[31] & 127 | 64
print(h.hex())"; }
{
	echo "$secret"
	echo "$secret2"
	enrolling
	cut -d' ' -f3 "$HOME"/.config/reeve/*.key
	cut -d' ' -f3 "$state/keys/server.key"
} >secrets
want_eq "$(wc -l <secrets)" 5
python3 - "$state" "$T" <<'PY' || fail "a secret is where it should not be"
import os, sys
secrets = [bytes.fromhex(l.strip()) for l in open('secrets')]
wrong = []
def look(path):
    data = open(path, 'rb').read()
    for s in secrets:
        if s in data or s.hex().encode() in data.lower():
            wrong.append(path)
for dir, _, names in os.walk(sys.argv[1]):
    for n in names:
        path = os.path.join(dir, n)
        if n != 'server.key' and os.path.isfile(path):
            look(path)
for n in os.listdir(sys.argv[2]):
    if n.endswith('.err') or n == 'err':
        look(os.path.join(sys.argv[2], n))
for pid in os.listdir('/proc'):
    if pid.isdigit():
        for n in ('cmdline', 'environ'):
            try:
                look(f'/proc/{pid}/{n}')
            except OSError:
                pass
print(wrong)
sys.exit(1 if wrong else 0)
PY
[ "$(stat -c %a "$state" "$state/keys" "$state/keys/server.key" "$state/sock" | tr '\n' ' ')" = "700 700 600 600 " ] || fail "modes: $(stat -c '%a %n' "$state" "$state/keys" "$state/keys/server.key" "$state/sock")"
