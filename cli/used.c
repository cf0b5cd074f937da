#include "cli/used.h"

#include "cli/render.h"

static void put_count(struct rv_buf *out, uint64_t n)
{
	static const struct {
		uint64_t from;
		char letter;
	} scale[] = { { 1000000000, 'G' }, { 1000000, 'M' }, { 1000, 'k' } };

	for (size_t i = 0; i < RV_ARRAY_LEN(scale); i++) {
		if (n < scale[i].from)
			continue;
		(void)rv_buf_printf(out, "%llu.%llu%c", (unsigned long long)(n / scale[i].from),
				    (unsigned long long)(n % scale[i].from * 10 / scale[i].from), scale[i].letter);
		return;
	}
	(void)rv_buf_printf(out, "%llu", (unsigned long long)n);
}

void cli_put_cost(struct rv_buf *out, uint64_t microusd)
{
	uint64_t cents = microusd / 10000 + (microusd % 10000 >= 5000);

	if (microusd && microusd < 10000) {
		(void)rv_buf_puts(out, "<$0.01");
		return;
	}
	(void)rv_buf_printf(out, "$%llu.%02llu", (unsigned long long)(cents / 100), (unsigned long long)(cents % 100));
}

void cli_put_used(struct rv_buf *out, uint64_t tokens, uint64_t cost_microusd)
{
	if (cost_microusd == PROTO_COST_UNKNOWN)
		cost_microusd = 0;
	if (tokens) {
		put_count(out, tokens);
		(void)rv_buf_puts(out, " tok");
	}
	if (cost_microusd) {
		(void)rv_buf_puts(out, tokens ? " " : "");
		cli_put_cost(out, cost_microusd);
	}
}

void cli_json_used(struct rv_buf *out, const struct proto_usage *u)
{
	if (proto_usage_is_nothing(u))
		return;
	cli_json_uint(out, "tokens", proto_usage_tokens(u));
	cli_json_uint(out, "input_tokens", u->input_tokens);
	cli_json_uint(out, "output_tokens", u->output_tokens);
	cli_json_uint(out, "cache_read_tokens", u->cache_read_tokens);
	cli_json_uint(out, "cache_write_tokens", u->cache_write_tokens);
	if (u->cost_microusd == PROTO_COST_UNKNOWN) {
		cli_json_null(out, "cost_usd");
		return;
	}
	cli_json_key(out, "cost_usd");
	(void)rv_buf_printf(out, "%llu.%06llu", (unsigned long long)(u->cost_microusd / 1000000), (unsigned long long)(u->cost_microusd % 1000000));
}
