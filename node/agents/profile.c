#include "node/agents/profile.h"

#include "node/daemon.h"

#define HOME_NAMES "HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"
#define NETWORK_NAMES                                                                                                                       \
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"

static const struct node_profile profiles[] = {
	{
		.name = "claude",
		.kind = PROTO_AGENT_CLAUDE,
		.format = TRANSCRIPT_CLAUDE,
		.tells_cost = true,
		.args = { "-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "bypassPermissions", "--model", NODE_ARG_MODEL,
			  "--max-budget-usd", NODE_ARG_BUDGET_USD },
		.set = { "DISABLE_AUTOUPDATER=1" },
		.root_set = "IS_SANDBOX=1", /* or it refuses bypassPermissions */
		.pass = { HOME_NAMES, NETWORK_NAMES, "CLAUDE_CONFIG_DIR", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL" },
		.keys = { "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN" },
		.login_dir = ".claude",
		.login_file = ".credentials.json",
		.config_home = "CLAUDE_CONFIG_DIR",
		.version_arg = "--version",
		.login_hint = "start `claude` once and log in, or set ANTHROPIC_API_KEY",
		.install_hint = "npm install -g @anthropic-ai/claude-code",
	},
	{
		.name = "codex",
		.kind = PROTO_AGENT_CODEX,
		.format = TRANSCRIPT_CODEX,
		.args = { "exec", "--json", "--ephemeral", "--skip-git-repo-check", "-s", "workspace-write", "-c", NODE_ARG_WRITABLE, "-m", NODE_ARG_MODEL,
			  "-" },
		.pass = { HOME_NAMES, NETWORK_NAMES, "CODEX_HOME", "OPENAI_BASE_URL" },
		.keys = { "OPENAI_API_KEY", "CODEX_API_KEY" },
		.login_dir = ".codex",
		.login_file = "auth.json",
		.config_home = "CODEX_HOME",
		.version_arg = "--version",
		.login_hint = "`codex login`, or set OPENAI_API_KEY",
		.install_hint = "npm install -g @openai/codex",
	},
};

const struct node_profile *node_profile_at(uint32_t i)
{
	return i < RV_ARRAY_LEN(profiles) ? &profiles[i] : NULL;
}

const struct node_profile *node_profile_of(enum proto_agent_kind kind)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(profiles); i++)
		if (profiles[i].kind == kind)
			return &profiles[i];
	return NULL;
}

const struct node_profile *node_profile_named(struct rv_str name)
{
	for (size_t i = 0; i < RV_ARRAY_LEN(profiles); i++)
		if (rv_str_equal(rv_str_of(profiles[i].name), name))
			return &profiles[i];
	return NULL;
}

struct rv_str node_profile_program(const struct node_daemon_config *cfg, const struct node_profile *p)
{
	for (uint32_t i = 0; i < cfg->agent_count; i++)
		if (rv_str_equal(cfg->agents[i].key, rv_str_of(p->name)))
			return cfg->agents[i].value;
	return rv_str_of(p->name);
}
