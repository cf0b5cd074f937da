/* test_node_environment.c - which variables a unit inherits */
#include "tests/lib/test.h"

#include "node/environment.h"
#include "node/holdings.h"

static struct rv_buf out;
static uint32_t count;

static const char *value_of(const char *name)
{
	size_t n = strlen(name);

	for (size_t at = 0; at < out.bytes; at += strlen(out.at + at) + 1)
		if (strncmp(out.at + at, name, n) == 0 && out.at[at + n] == '=')
			return out.at + at + n + 1;
	return NULL;
}

static void make(const struct node_daemon_config *cfg, enum node_env_base base)
{
	rv_buf_release(&out);
	rv_buf_init(&out, 0);
	count = 0;
	assert_int_equal(node_env_base(cfg, base, &out, &count), 0);
}

static const char *const caller[] = {
	"PATH=/bin", "HOME=/home/a", "LANG=C", "LC_ALL=C", "TZ=UTC", "USER=a", "SHELL=/bin/sh", "EDITOR=vi", "OPENAI_API_KEY=sk", "OPENAI_API_KEY_2=sk2",
	"GITHUB_TOKEN=t", "DB_PASSWORD=p", "X_SECRET_11=s", "KEYBOARD=de", "TOKEN=plain", "MONKEY=1", "A_KEY_X=1", "EMPTY=", "novalue", "=odd", "EDITOR=second",
	"REEVE_RUN_ID=outer", "REEVE_RESOURCE_gpus=0", "REEVE_MCP_TOKEN=x", "REEVE_FORMAT=json", "RALPH_WORKER_ID=outer", "RALPH_OTHER=1", NULL,
};

static void plain_command_of_run_gets_the_callers(void **state)
{
	struct node_daemon_config cfg;

	(void)state;
	node_daemon_config_init(&cfg);
	cfg.env = caller;
	cfg.name = RV_STR("n1");
	make(&cfg, NODE_ENV_COMMAND);
	assert_string_equal(value_of("PATH"), "/bin");
	assert_string_equal(value_of("OPENAI_API_KEY"), "sk");
	assert_string_equal(value_of("EDITOR"), "vi"); /* the first, as getenv() finds it */
	assert_string_equal(value_of("EMPTY"), "");
	assert_string_equal(value_of("REEVE_FORMAT"), "json");
	assert_string_equal(value_of("REEVE_NODE"), "n1");
	assert_null(value_of("REEVE_RUN_ID"));
	assert_null(value_of("REEVE_RESOURCE_gpus"));
	assert_null(value_of("REEVE_MCP_TOKEN"));
	assert_null(value_of("RALPH_WORKER_ID"));
	assert_string_equal(value_of("RALPH_OTHER"), "1");
	assert_int_equal(count, 21);
}

static void agent_unit_of_run_gets_no_keys(void **state)
{
	const char *pass[] = { "GITHUB_TOKEN" };
	struct node_daemon_config cfg;

	(void)state;
	node_daemon_config_init(&cfg);
	cfg.env = caller;
	make(&cfg, NODE_ENV_AGENT);
	assert_null(value_of("OPENAI_API_KEY"));
	assert_null(value_of("OPENAI_API_KEY_2"));
	assert_null(value_of("GITHUB_TOKEN"));
	assert_null(value_of("DB_PASSWORD"));
	assert_null(value_of("X_SECRET_11"));
	assert_string_equal(value_of("KEYBOARD"), "de");
	assert_string_equal(value_of("TOKEN"), "plain"); /* it ends in TOKEN, not in _TOKEN */
	assert_string_equal(value_of("MONKEY"), "1");
	assert_string_equal(value_of("A_KEY_X"), "1");
	assert_string_equal(value_of("HOME"), "/home/a");
	assert_null(value_of("REEVE_NODE")); /* unset rather than empty */
	cfg.pass_env = pass;
	cfg.pass_env_count = 1;
	make(&cfg, NODE_ENV_AGENT);
	assert_string_equal(value_of("GITHUB_TOKEN"), "t");
	assert_null(value_of("DB_PASSWORD"));
}

static void node_hands_on_little(void **state)
{
	const char *pass[] = { "EDITOR", "REEVE_RUN_ID" };
	struct node_daemon_config cfg;

	(void)state;
	node_daemon_config_init(&cfg);
	cfg.mode = NODE_MODE_NODE;
	cfg.env = caller;
	make(&cfg, NODE_ENV_COMMAND);
	assert_int_equal(count, 7);
	assert_string_equal(value_of("HOME"), "/home/a");
	assert_string_equal(value_of("LC_ALL"), "C");
	assert_null(value_of("EDITOR"));
	make(&cfg, NODE_ENV_AGENT);
	assert_int_equal(count, 6);
	assert_null(value_of("HOME"));
	cfg.pass_env = pass;
	cfg.pass_env_count = 2;
	make(&cfg, NODE_ENV_AGENT);
	assert_string_equal(value_of("EDITOR"), "vi");
	assert_null(value_of("REEVE_RUN_ID")); /* never another attempt's */
}

static void gpus_are_hidden_where_they_are_handed_out(void **state)
{
	const char *const env[] = { "CUDA_VISIBLE_DEVICES=0,1", "A=1", NULL };
	const struct proto_named_amount gpus = { .name = RV_STR("gpus"), .amount = 2000 };
	struct node_daemon_config cfg;

	(void)state;
	node_daemon_config_init(&cfg);
	cfg.env = env;
	make(&cfg, NODE_ENV_COMMAND);
	assert_string_equal(value_of("CUDA_VISIBLE_DEVICES"), "0,1");
	cfg.resources = &gpus;
	cfg.resource_count = 1;
	make(&cfg, NODE_ENV_COMMAND);
	assert_string_equal(value_of("CUDA_VISIBLE_DEVICES"), "");
	assert_string_equal(value_of("ROCR_VISIBLE_DEVICES"), "");
	assert_int_equal(count, 3);
}

static void holdings_go_out_and_come_back(void **state)
{
	const struct proto_named_amount resources[] = {
		{ RV_STR("gpus"), 3000 }, { RV_STR("memory_mb"), 8000000 }, { RV_STR("half"), 500 }, { RV_STR("many"), 2000000 },
	};
	struct node_holdings h;

	(void)state;
	rv_buf_reset(&out);
	assert_int_equal(node_holdings_init(&h, resources, NULL, 4), 0);
	assert_int_equal(node_holdings_take(&h, RV_STR("memory_mb"), RV_STR("100"), 7, &out), NODE_HOLDINGS_AMOUNT);
	assert_int_equal(node_holdings_take(&h, RV_STR("half"), RV_STR("1"), 7, &out), NODE_HOLDINGS_AMOUNT);
	assert_int_equal(node_holdings_take(&h, RV_STR("many"), RV_STR("1"), 7, &out), NODE_HOLDINGS_AMOUNT);
	assert_int_equal(node_holdings_take(&h, RV_STR("none"), RV_STR("1"), 7, &out), NODE_HOLDINGS_AMOUNT);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("2"), 7, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "0,1");
	rv_buf_reset(&out);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("2"), 8, &out), NODE_HOLDINGS_HELD);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("0.5"), 8, &out), NODE_HOLDINGS_NOT_WHOLE);
	assert_str(rv_buf_str(&out), "");
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("1"), 8, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "2");
	node_holdings_give_back(&h, 7);
	rv_buf_reset(&out);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("1"), 9, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "0");
	node_holdings_release(&h);
}

static void holdings_go_by_their_names(void **state)
{
	const struct proto_named_amount resources[] = { { RV_STR("gpus"), 3000 }, { RV_STR("seats"), 1000 } };
	const struct rv_str names[] = { RV_STR("3,GPU-5a,7"), RV_STR("corner") };
	struct node_holdings h;

	(void)state;
	rv_buf_reset(&out);
	assert_int_equal(node_holdings_init(&h, resources, names, 2), 0);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("2"), 7, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "3,GPU-5a");
	rv_buf_reset(&out);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("1"), 8, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "7");
	rv_buf_reset(&out);
	node_holdings_give_back(&h, 7);
	assert_int_equal(node_holdings_take(&h, RV_STR("gpus"), RV_STR("1"), 9, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "3");
	rv_buf_reset(&out);
	assert_int_equal(node_holdings_take(&h, RV_STR("seats"), RV_STR("1"), 9, &out), NODE_HOLDINGS_TAKEN);
	assert_str(rv_buf_str(&out), "corner");
	node_holdings_release(&h);
}

static void no_environment_at_all(void **state)
{
	struct node_daemon_config cfg;

	(void)state;
	node_daemon_config_init(&cfg);
	make(&cfg, NODE_ENV_COMMAND);
	assert_int_equal(count, 0);
	rv_buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_command_of_run_gets_the_callers),
		cmocka_unit_test(agent_unit_of_run_gets_no_keys),
		cmocka_unit_test(node_hands_on_little),
		cmocka_unit_test(gpus_are_hidden_where_they_are_handed_out),
		cmocka_unit_test(holdings_go_out_and_come_back),
		cmocka_unit_test(holdings_go_by_their_names),
		cmocka_unit_test(no_environment_at_all),
	};

	rv_buf_init(&out, 0);
	return RUN(tests);
}
