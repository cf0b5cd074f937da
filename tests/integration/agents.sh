# agents.sh - real agents from npm, for tests that have them:  . "$(dirname "$0")/lib.sh"; . "$here/agents.sh"
#
#   AGENTS                       the directory that scripts/agents-install.sh filled; without it the test is skipped
#   provider SCENARIO            tests/lib/provider.py in the background, told by $T/requests.jsonl; its address is $url
#   with_home CMD...             CMD as a person has it who uses that provider: a home, both programs, a key for each, nothing else

[ -x "${AGENTS:-}/node_modules/.bin/claude" ] || skip "no agents: make agents-check installs them"
bin=$AGENTS/node_modules/.bin home=$T/home

provider() {
	start provider python3 "$top/tests/lib/provider.py" "$1" --record "$T/requests.jsonl"
	wait_until 10 test -s "$T/provider.out"
	url=$(cat "$T/provider.out")
	mkdir -p "$home/.codex"
	cat >"$home/.codex/config.toml" <<-TOML
	model_provider = "local"
	[model_providers.local]
	name = "local"
	base_url = "$url/v1"
	env_key = "OPENAI_API_KEY"
	wire_api = "responses"
	TOML
}

with_home() {
	env -i PATH="$bin:$(dirname "$REEVE"):$PATH" HOME="$home" CLAUDE_CONFIG_DIR="$home/.claude" CODEX_HOME="$home/.codex" \
		ANTHROPIC_BASE_URL="$url" ANTHROPIC_API_KEY=sk-one OPENAI_API_KEY=sk-two CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 LC_ALL=C.UTF-8 "$@"
}
