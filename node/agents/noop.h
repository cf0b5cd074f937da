/* noop.h - the agent that does nothing: succeeds at once, for measuring
 *
 * No scene, no namespace, no output, no evidence. Its result is a few fields of its record: hundreds of thousands a
 * second go through here, and none allocates.
 */
#ifndef NODE_NOOP_H
#define NODE_NOOP_H

#include "node/records.h"

static inline void node_noop_result(struct node_record *rec, uint64_t real_us)
{
	rec->outcome = PROTO_SUCCEEDED;
	rec->flags = PROTO_RESULT_STARTED;
	rec->exit = 0;
	rec->start_us = rec->end_us = real_us;
}

#endif
