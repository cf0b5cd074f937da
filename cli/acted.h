/* acted.h - what an act came to: sent, judged, and said (reeve.act/1)
 *
 * Each act is one ACT under a random id, sent until it is answered, so it is done once whatever happens to the link. Where nothing changed
 * the coordinator is asked how things stand, which says why. A live `run` that the act ended may be gone before it has answered: then its
 * journal says whether the act was done.
 */
#ifndef CLI_ACTED_H
#define CLI_ACTED_H

#include "cli/client.h"
#include "cli/render.h"
#include "proto/record.h"

struct cli_act_wish {
	enum proto_mutation what;
	uint64_t run;
	struct rv_str unit, node;
	int64_t value;
	struct rv_str note, prompt, agent;
};

struct cli_act_done {
	const char *act; /* the verb */
	struct rv_str run, node;
	char unit[RV_UNIT_ID_BYTES_MAX + 1]; /* its whole id; "" = the run */
	uint32_t changed;
	bool done_before;
	char why[160];   /* nothing changed: a sentence without a full stop; "" = not known */
};

/* Fills all but `act`, `run` and `node`. */
int cli_act_do(struct cli_client *c, const struct cli_act_wish *w, struct cli_act_done *done, struct rv_err *err);
/* Prints it; the exit status. */
int cli_act_answer(const struct cli_act_done *d, enum cli_format format);

#endif
