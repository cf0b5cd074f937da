#include "node/holdings.h"

#include <stdlib.h>

struct node_holding {
	struct rv_str name;
	struct rv_str names; /* "" = numbers */
	uint64_t *owner; /* 0: free */
	uint32_t count;
};

int node_holdings_init(struct node_holdings *h, const struct proto_named_amount *resources, const struct rv_str *names, uint32_t count)
{
	memset(h, 0, sizeof(*h));
	h->items = calloc((size_t)count + 1, sizeof(h->items[0]));
	if (!h->items)
		return -1;
	for (uint32_t i = 0; i < count; i++) {
		const struct proto_named_amount *r = &resources[i];
		struct node_holding *item = &h->items[h->count];

		if (r->amount % 1000 || r->amount / 1000 > NODE_HOLDINGS_MAX || rv_str_equal(r->name, RV_STR("memory_mb")) ||
		    rv_str_equal(r->name, RV_STR("disk_mb")))
			continue;
		item->name = r->name;
		item->names = names ? names[i] : RV_STR("");
		item->count = (uint32_t)(r->amount / 1000);
		item->owner = calloc((size_t)item->count + 1, sizeof(item->owner[0]));
		if (!item->owner)
			return -1;
		h->count++;
	}
	return 0;
}

void node_holdings_release(struct node_holdings *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		free(h->items[i].owner);
	free(h->items);
	memset(h, 0, sizeof(*h));
}

static struct node_holding *find(const struct node_holdings *h, struct rv_str name)
{
	for (uint32_t i = 0; i < h->count; i++)
		if (rv_str_equal(h->items[i].name, name))
			return &h->items[i];
	return NULL;
}

/* 0: no whole number from 1 on. */
static uint32_t whole(struct rv_str amount)
{
	uint32_t n = 0;

	if (!amount.bytes || amount.bytes > 4)
		return 0;
	for (size_t i = 0; i < amount.bytes; i++) {
		if (amount.at[i] < '0' || amount.at[i] > '9')
			return 0;
		n = 10 * n + (uint32_t)(amount.at[i] - '0');
	}
	return n;
}

static void put_name(const struct node_holding *item, uint32_t number, struct rv_buf *out)
{
	struct rv_str rest = item->names;

	if (!rest.bytes) {
		(void)rv_buf_printf(out, "%u", number);
		return;
	}
	for (;; number--) {
		const char *comma = memchr(rest.at, ',', rest.bytes);
		size_t bytes = comma ? (size_t)(comma - rest.at) : rest.bytes;

		if (number == 0 || !comma) {
			(void)rv_buf_put(out, rest.at, bytes);
			return;
		}
		rest = rv_str(rest.at + bytes + 1, rest.bytes - bytes - 1);
	}
}

enum node_holdings_took node_holdings_take(struct node_holdings *h, struct rv_str name, struct rv_str amount, uint64_t owner, struct rv_buf *out)
{
	struct node_holding *item = find(h, name);
	uint32_t want = whole(amount), free_count = 0;

	if (!item)
		return NODE_HOLDINGS_AMOUNT;
	if (!want)
		return NODE_HOLDINGS_NOT_WHOLE;
	for (uint32_t i = 0; i < item->count; i++)
		free_count += !item->owner[i];
	if (free_count < want)
		return NODE_HOLDINGS_HELD;
	for (uint32_t i = 0, took = 0; took < want; i++) {
		if (item->owner[i])
			continue;
		item->owner[i] = owner;
		if (took++)
			(void)rv_buf_putc(out, ',');
		put_name(item, i, out);
	}
	return NODE_HOLDINGS_TAKEN;
}

void node_holdings_give_back(struct node_holdings *h, uint64_t owner)
{
	for (uint32_t i = 0; i < h->count; i++)
		for (uint32_t k = 0; k < h->items[i].count; k++)
			if (h->items[i].owner[k] == owner)
				h->items[i].owner[k] = 0;
}
