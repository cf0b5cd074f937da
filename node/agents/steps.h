/* steps.h - a unit of several commands in a row, in one process tree: `unless`, the work, `accept`
 *
 * The warden starts one process an attempt. For a unit with `unless` or `accept`, or one that reads its prompt on stdin, that process is this
 * program under a hidden name: it starts each command in turn, waits for it, and ends as the work ended. So timeouts, kills, the log
 * and the exit record are those of any unit. What each step came to is in a report, a file in the attempt's namespace:
 *
 *	unless exit 1
 *	work exit 0
 *	accept exit 2
 *	<empty line, then the last bytes that `accept` printed; of a step that could not be started ("errno 2") its program's name>
 *
 * `unless` that succeeds, or cannot be started, is the only step. `accept` runs if the work ended with 0. What `unless` and `accept` print goes to stderr, so that
 * stdout is the work's own. A TERM (INT, HUP) that reaches the tree ends the step that runs, and no other one is started.
 *
 * The report lies where the unit can write, too, but it is made at the end and believed only as far as the exit status agrees: nothing that a
 * unit writes makes a failed step a success.
 */
#ifndef NODE_STEPS_H
#define NODE_STEPS_H

#include "common/buf.h"
#include "common/err.h"

#define NODE_STEPS_VERB "unit-steps"   /* hidden subcommand of the program */
#define NODE_FILE_STEPS "steps"        /* in the namespace */
#define NODE_STEPS_TAIL_BYTES 4096u    /* of what `accept` printed */
#define NODE_STEPS_REPORT_BYTES_MAX (NODE_STEPS_TAIL_BYTES + 512u)

enum node_step { NODE_STEP_UNLESS, NODE_STEP_WORK, NODE_STEP_ACCEPT, NODE_STEPS };

struct node_step_end {
	enum { NODE_STEP_NOT_RUN, NODE_STEP_EXITED, NODE_STEP_SIGNALLED, NODE_STEP_NOT_STARTED } how;
	int value; /* status, signal, errno */
};

struct node_steps_report {
	struct node_step_end end[NODE_STEPS];
	struct rv_str tail; /* borrows from what was read */
};

/* Appends the arguments of the process, each with its NUL, the program's own path first; *count grows by how many. `argv` of each step: strings with
 * their NULs, count 0: there is no such step (the work has to be one). `report`: absolute path; `prompt`: file on the work's stdin, "": /dev/null. */
struct node_step_argv {
	struct rv_str bytes;
	uint32_t count;
};

int node_steps_argv(struct rv_str program, struct rv_str report, struct rv_str prompt, const struct node_step_argv step[NODE_STEPS], struct rv_buf *out,
		    uint32_t *count);

/* Runs as that process: argv as node_steps_argv() made it, from the verb on. Gives the exit status, if it does not end by the signal that
 * ended the work. */
int node_steps_main(int argc, char **argv);

/* What a report says; steps it does not name have not run. -1: it is none (RV_E_CORRUPT). */
int node_steps_read(struct rv_str text, struct node_steps_report *out, struct rv_err *err);

#endif
