/* holdings.h - which of a node's countable things an attempt holds: GPU 0 and 3, licence 1
 *
 * A resource that a node declares as a whole number up to NODE_HOLDINGS_MAX, or as a list of names, is handed out piece by piece; memory_mb
 * and disk_mb are amounts and are not. First ones go first, and come back when the attempt's tree is empty. Pure.
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

/* `resources` as in proto_node_info (thousandths); `names` of each, "a,b,c" or "" for numbers from 0 (NULL: all so). Both are borrowed.
 * -1: no memory. */
int node_holdings_init(struct node_holdings *h, const struct proto_named_amount *resources, const struct rv_str *names, uint32_t count);
void node_holdings_release(struct node_holdings *h);

enum node_holdings_took {
	NODE_HOLDINGS_TAKEN,
	NODE_HOLDINGS_AMOUNT,    /* the node hands this out as an amount, or has none: there is nothing to take */
	NODE_HOLDINGS_NOT_WHOLE, /* no whole number is wanted of what goes out piece by piece */
	NODE_HOLDINGS_HELD,      /* fewer are free: attempts that could not be ended hold them */
};

/* Gives `amount` (decimal text) of it to `owner` (not 0) and appends the names, "0,3". Otherwise nothing is taken. */
enum node_holdings_took node_holdings_take(struct node_holdings *h, struct rv_str name, struct rv_str amount, uint64_t owner, struct rv_buf *out);
/* All that `owner` holds is free again. */
void node_holdings_give_back(struct node_holdings *h, uint64_t owner);

#endif
