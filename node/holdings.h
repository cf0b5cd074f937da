/* holdings.h - which of a node's countable things an attempt holds: GPU 0 and 3, licence 1
 *
 * A resource that a node declares as a whole number up to NODE_HOLDINGS_MAX is handed out by number; memory_mb and
 * disk_mb are amounts and are not. Numbers go lowest first and come back when the attempt's tree is empty. Pure.
 */
#ifndef NODE_HOLDINGS_H
#define NODE_HOLDINGS_H

#include "common/base.h"
#include "common/buf.h"
#include "proto/msg.h"

#define NODE_HOLDINGS_MAX 1024u /* of one resource */

struct node_holding;

struct node_holdings {
	struct node_holding *items;
	uint32_t count;
};

/* `resources` as in proto_node_info (thousandths); names are borrowed. -1: no memory. */
int node_holdings_init(struct node_holdings *h, const struct proto_named_amount *resources, uint32_t count);
void node_holdings_release(struct node_holdings *h);

/* Whether the node hands this out by number. */
bool node_holdings_knows(const struct node_holdings *h, struct rv_str name);
/* Gives `amount` (decimal text) of it to `owner` (not 0) and appends the numbers, "0,3". -1: no such resource, not a whole
 * number, or not so many free: nothing is taken. */
int node_holdings_take(struct node_holdings *h, struct rv_str name, struct rv_str amount, uint64_t owner, struct rv_buf *out);
/* All that `owner` holds is free again. */
void node_holdings_give_back(struct node_holdings *h, uint64_t owner);

#endif
