# agents.sh - real agents from npm, for tests that have them:  . "$(dirname "$0")/lib.sh"; . "$here/agents.sh"
#
#   AGENTS                       the directory that scripts/agents-install.sh filled; without it the test is skipped
#   provider SCENARIO            tests/lib/provider.py in the background, told by $T/requests.jsonl; its address is $url
#   with_home CMD...             CMD as a person has it who uses that provider: a home, both programs, a key for each, nothing else

. "$top/tests/lib/agents-home.sh"
[ -x "${AGENTS:-}/node_modules/.bin/claude" ] || skip "no agents: make agents-check installs them"
bin=$AGENTS/node_modules/.bin home=$T/home

provider() {
	start provider python3 "$top/tests/lib/provider.py" "$1" --record "$T/requests.jsonl"
	wait_until 10 test -s "$T/provider.out"
	url=$(cat "$T/provider.out")
	agents_home "$home" "$url"
}

with_home() {
	in_agents_home "$home" "$url" "$bin:$(dirname "$REEVE")" "$@"
}
