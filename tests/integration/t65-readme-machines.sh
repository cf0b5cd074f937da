#!/usr/bin/env bash
# README.md, "Several machines": its commands as they stand there, both machines being this one, but for the port.
. "$(dirname "$0")/lib.sh"

cp -r "$top/examples" .
mkdir bin second
ln -s "$REEVE" bin/reeve
PATH=$PWD/bin:$PATH
port=$(free_port)
sed -n '/^## Several machines/,$p' "$top/README.md" | sed -n 's/^    \(first\|second\)\$ /\1 /p' | sed "s/7700/$port/" >commands
[ "$(wc -l <commands)" = 5 ] || fail "five commands were expected: $(cat commands)"

command_of() { sed -n "$1p" commands | cut -d' ' -f2-; }
listens() { reeve status -o name >/dev/null 2>&1; }
joined() { reeve nodes -o json | grep -q '"state": *"joined"'; }

start coordinator bash -c "exec $(command_of 1 | sed 's/ >.*//')"
wait_until 20 listens
bash -c "$(command_of 2)" || fail "no token"
cp -p token second/
start node bash -c "cd second && exec $(command_of 3)"
wait_until 20 joined
expect 0 bash -c "$(command_of 4)"
want_out joined
expect 0 bash -c "$(command_of 5)"
expect 0 reeve output farewell
want_out "Hello! It was heard in the kitchen first."
