/* upload.h - a plan, or units for an open run, handed to a coordinator
 *
 * In pieces, under one random submission id: a link that breaks in the middle, or a coordinator that starts anew, costs what was not acknowledged,
 * and the same submission is never taken twice.
 */
#ifndef CLI_UPLOAD_H
#define CLI_UPLOAD_H

#include "cli/client.h"

struct cli_upload {
	struct rv_str bytes;        /* as plan_save() writes them; borrowed */
	struct rv_str workspace_id; /* "" = mode none */
	int32_t priority;
	bool open;
	uint64_t add_to;            /* an open run: `bytes` are lines of units; 0: a plan */
	/* answers */
	uint64_t submission, run;
	uint32_t units;             /* of the plan; that were new */
};

int cli_upload(struct cli_client *c, struct cli_upload *u, struct rv_err *err);

#endif
