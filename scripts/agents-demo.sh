#!/usr/bin/env bash
# agents-demo.sh REEVE AGENTS - three real agents edit three directories of one repository, side by side (`make agents-demo`)
#
# AGENTS is the directory that scripts/agents-install.sh filled. The agents talk to tests/lib/provider.py on loopback, which answers by a script:
# no model, no key, no cost. All that it makes lies in a directory below TMPDIR and goes when it ends, which it does by itself.
set -euo pipefail

[ $# = 2 ] || { echo "usage: agents-demo.sh REEVE AGENTS" >&2; exit 2; }
reeve=$(realpath "$1")
bin=$(realpath "$2")/node_modules/.bin
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$top/tests/lib/agents-home.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/reeve-agents-demo-XXXXXX")
provider=

end() {
	status=$?
	trap - EXIT
	[ -z "$provider" ] || kill "$provider" 2>/dev/null || true
	wait
	chmod -R u+rwX "$dir"
	rm -rf "$dir"
	exit $status
}
trap end EXIT
trap 'exit 130' INT TERM HUP

# What the "model" says: who is asked is found by the unit's name in the rules before its prompt. Each waits until the others are at work, too.
mkdir "$dir/shop"
python3 - >"$dir/scenario.json" <<'PY'
import json

def unit(name):
    meet = f'touch {name}/.here; n=0; until [ -e lexer/.here ] && [ -e parser/.here ] && [ -e printer/.here ]; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done'
    change = f'sed -i "s/old/new/" {name}/code.txt && echo "tests of the {name}" >{name}/tests.txt'
    usage = {"input": 900, "output": 60}
    return {"match": f'the unit "{name}"', "turns": [
        {"say": f"I look at the {name}.", "tool": "shell", "command": f"cat {name}/code.txt", "usage": usage},
        {"say": "The others are at it, too.", "tool": "shell", "command": meet, "usage": usage},
        {"tool": "shell", "command": change, "usage": usage},
        {"say": f"The {name} is new, and tested.", "usage": usage}]}

print(json.dumps({"scripts": [unit(name) for name in ("lexer", "parser", "printer")]}))
PY
python3 "$top/tests/lib/provider.py" "$dir/scenario.json" >"$dir/address" &
provider=$!
for ((i = 0; i < 200; i++)); do
	[ ! -s "$dir/address" ] || break
	kill -0 "$provider" 2>/dev/null || { echo "agents-demo: the provider did not start" >&2; exit 1; }
	sleep 0.05
done
url=$(cat "$dir/address")
agents_home "$dir/home" "$url"

show() {
	echo
	echo "\$ $*"
	TMPDIR=$dir in_agents_home "$dir/home" "$url" "$(dirname "$reeve"):$bin" "$@"
}

cd "$dir/shop"
for name in lexer parser printer; do
	mkdir $name
	echo "$name, old" >$name/code.txt
done
printf '%s\n' .reeve .here >.gitignore
cat >plan.yaml <<'Y'
version: 1
name: three
agents:
  one: {profile: claude, home: shared}
  two: {profile: codex, home: shared}
defaults: {timeout_s: 180, retry: {max: 0}}
units:
  - {id: lexer, agent: one, prompt: Renew the lexer., allowed_directories: [lexer]}
  - {id: parser, agent: two, prompt: Renew the parser., allowed_directories: [parser]}
  - {id: printer, agent: one, prompt: Renew the printer., allowed_directories: [printer]}
Y
git init -q .
git add -A
git -c user.name=demo -c user.email=demo@localhost commit -qm start

show cat plan.yaml
failed=0
show reeve run plan.yaml --show all || failed=$?
show reeve usage || true
show git status --short
show git --no-pager diff --stat
exit $failed
