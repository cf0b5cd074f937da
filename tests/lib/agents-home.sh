# agents-home.sh - real agents as a person has them who uses tests/lib/provider.py: a home, both programs, a key for each, nothing else
#
#   agents_home DIR URL              makes the home DIR, told of the provider at URL
#   in_agents_home DIR URL PATH CMD...   CMD with that home, PATH before the PATH that is

agents_home() {
	mkdir -p "$1/.codex"
	cat >"$1/.codex/config.toml" <<-TOML
	model_provider = "local"
	[model_providers.local]
	name = "local"
	base_url = "$2/v1"
	env_key = "OPENAI_API_KEY"
	wire_api = "responses"
	TOML
}

in_agents_home() {
	env -i PATH="$3:$PATH" HOME="$1" CLAUDE_CONFIG_DIR="$1/.claude" CODEX_HOME="$1/.codex" TERM="${TERM:-dumb}" ${TMPDIR:+TMPDIR="$TMPDIR"} \
		ANTHROPIC_BASE_URL="$2" ANTHROPIC_API_KEY=sk-one OPENAI_API_KEY=sk-two CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 LC_ALL=C.UTF-8 "${@:4}"
}
