/* act.h - one act of a person on a run, a unit or a node, asked of a coordinator */
#ifndef CLI_ACT_H
#define CLI_ACT_H

#include "cli/client.h"
#include "cli/render.h"
#include "proto/record.h"

struct cli_act_wish {
	enum proto_mutation what;
	uint64_t run;
	struct rv_str unit, node;
	int64_t value;
	struct rv_str note;
};

struct cli_act_done {
	const char *act; /* the verb */
	struct rv_str run, unit, node;
	uint32_t changed;
	bool done_before;
};

/* Fills `changed` and `done_before`. */
int cli_act_do(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *done, struct rv_err *err);
/* Prints it (reeve.act/1); the exit status. */
int cli_act_answer(const struct cli_act_done *d, enum cli_format format);

#endif
