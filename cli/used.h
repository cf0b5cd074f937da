/* used.h - what was used of models, in words and as JSON */
#ifndef CLI_USED_H
#define CLI_USED_H

#include "common/buf.h"
#include "proto/msg.h"

/* "$4.10"; of what is less than a cent, and not nothing, "<$0.01". */
void cli_put_cost(struct rv_buf *out, uint64_t microusd);
/* "1.8M tok $4.10"; nothing where nothing was used. A cost that is not known is left out. */
void cli_put_used(struct rv_buf *out, uint64_t tokens, uint64_t cost_microusd);
/* The members of a `usage` object that tell of models; nothing where nothing was used. */
void cli_json_used(struct rv_buf *out, const struct proto_usage *u);

#endif
