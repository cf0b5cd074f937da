#!/usr/bin/env bash
# agents-install.sh DIR - the agents of scripts/agents-versions from npm, in DIR: DIR/node_modules/.bin/claude and codex
#
# Does nothing if they are there in these versions. About 800 MB. Needs npm and a registry that it reaches.
set -euo pipefail

[ $# = 1 ] || { echo "usage: agents-install.sh DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
versions=$(cd "$(dirname "$0")" && pwd)/agents-versions
exec 9>"$dir/lock"
flock 9
if ! cmp -s "$versions" "$dir/installed"; then
	command -v npm >/dev/null || { echo "agents-install: npm is missing" >&2; exit 1; }
	packages=$(sed -n 's/^\([^# ]*\) \(.*\)$/\1@\2/p' "$versions")
	# shellcheck disable=SC2086 # one word a package
	npm install --prefix "$dir" --no-audit --no-fund --loglevel error $packages
	cp "$versions" "$dir/installed"
fi
for agent in claude codex; do
	"$dir/node_modules/.bin/$agent" --version </dev/null
done
