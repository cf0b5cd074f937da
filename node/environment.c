#include "node/environment.h"

#include "common/map.h"
#include "common/plan/plan.h"

static bool starts(struct rv_str s, const char *with)
{
	size_t n = strlen(with);

	return s.bytes >= n && memcmp(s.at, with, n) == 0;
}

static bool ends(struct rv_str s, const char *with)
{
	size_t n = strlen(with);

	return s.bytes >= n && memcmp(s.at + s.bytes - n, with, n) == 0;
}

/* GITHUB_TOKEN, OPENAI_API_KEY_2 */
static bool is_secret(struct rv_str name)
{
	size_t n = name.bytes;

	while (n && name.at[n - 1] >= '0' && name.at[n - 1] <= '9')
		n--;
	if (n && n < name.bytes && name.at[n - 1] == '_')
		name.bytes = n - 1;
	return ends(name, "_KEY") || ends(name, "_TOKEN") || ends(name, "_SECRET") || ends(name, "_PASSWORD");
}

bool node_env_is_ours(struct rv_str name)
{
	static const char *const names[] = {
		"REEVE_RUN_ID", "REEVE_UNIT_ID", "REEVE_ATTEMPT", "REEVE_TRY", "REEVE_SESSION_ID", "REEVE_NODE",
		"REEVE_WORKSPACE", "REEVE_NAMESPACE", "REEVE_ARTIFACTS", "REEVE_HANDOFFS", "REEVE_PROMPT_FILE",
		"REEVE_CONTEXT_FILE", "REEVE_OUTPUT_FILE", "REEVE_MANIFEST", "REEVE_ALLOWED_DIRS", "REEVE_DEADLINE",
		"REEVE_DEPS", "REEVE_KILL_LEVEL",
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++)
		if (rv_str_equal(name, rv_str_of(names[i])))
			return true;
	return starts(name, "REEVE_RESOURCE_") || starts(name, "REEVE_MCP_") || plan_env_is_ralph(name);
}

static bool node_default(enum node_env_base base, struct rv_str name)
{
	static const char *const names[] = { "PATH", "LANG", "TZ", "USER", "SHELL" };

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++)
		if (rv_str_equal(name, rv_str_of(names[i])))
			return true;
	return starts(name, "LC_") || (base == NODE_ENV_COMMAND && rv_str_equal(name, RV_STR("HOME")));
}

bool node_env_inherits(const struct node_daemon_config *cfg, enum node_env_base base, struct rv_str name)
{
	if (node_env_is_ours(name))
		return false;
	for (uint32_t i = 0; i < cfg->pass_env_count; i++)
		if (rv_str_equal(name, rv_str_of(cfg->pass_env[i])))
			return true;
	if (cfg->mode == NODE_MODE_NODE)
		return node_default(base, name);
	return base == NODE_ENV_COMMAND || !is_secret(name);
}

static bool hands_out_gpus(const struct node_daemon_config *cfg)
{
	for (uint32_t i = 0; i < cfg->resource_count; i++)
		if (rv_str_equal(cfg->resources[i].name, RV_STR("gpus")))
			return true;
	return false;
}

static bool is_gpu_list(struct rv_str name)
{
	return rv_str_equal(name, RV_STR("CUDA_VISIBLE_DEVICES")) || rv_str_equal(name, RV_STR("ROCR_VISIBLE_DEVICES"));
}

int node_env_base(const struct node_daemon_config *cfg, enum node_env_base base, struct rv_buf *out, uint32_t *count)
{
	bool gpus = hands_out_gpus(cfg);
	struct rv_strmap seen;
	int rc = 0;

	rv_strmap_init(&seen, cfg->seed);
	for (size_t i = 0; cfg->env && cfg->env[i] && rc == 0; i++) {
		const char *sep = strchr(cfg->env[i], '=');
		struct rv_str name = rv_str(cfg->env[i], sep ? (size_t)(sep - cfg->env[i]) : 0);
		uint32_t first;

		if (!name.bytes || !node_env_inherits(cfg, base, name) || (gpus && is_gpu_list(name)))
			continue;
		first = rv_strmap_add(&seen, name, (uint32_t)i);
		if (first == RV_MAP_NONE)
			rc = -1;
		if (first != i)
			continue;
		rc = rv_buf_put(out, cfg->env[i], strlen(cfg->env[i]) + 1);
		++*count;
	}
	rv_strmap_release(&seen);
	if (gpus) { /* shows none to a unit that asked for none */
		rv_buf_put(out, "CUDA_VISIBLE_DEVICES=\0ROCR_VISIBLE_DEVICES=", sizeof("CUDA_VISIBLE_DEVICES=\0ROCR_VISIBLE_DEVICES="));
		*count += 2;
	}
	if (cfg->name.bytes) {
		rv_buf_puts(out, "REEVE_NODE=");
		rv_buf_put_str(out, cfg->name);
		rv_buf_putc(out, '\0');
		++*count;
	}
	return rc < 0 || out->failed ? -1 : 0;
}
