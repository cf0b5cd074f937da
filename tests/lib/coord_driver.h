/* coord_driver.h - the coordinator's core under a test: feed events, match effects as lines of text, expect nothing more
 *
 *	struct driver d;
 *	driver_init(&d, NULL);
 *	driver_serve(&d);
 *	driver_join(&d, "n1", 2, 0);              a node with 2 slots; its peer number is its number + 1
 *	driver_submit(&d, &plan);                 as run 1
 *	driver_turn(&d);
 *	expect(&d, "> n1 DISPATCH a#1 try=1");
 *	driver_succeed(&d, "a");
 *	expect(&d, "> n1 ACK a#1 accepted");
 *	expect_nothing(&d);
 *
 * Lines: "> NODE MESSAGE ..." a send, "T KIND ..." a transition, "F KIND ..." a fact, "! ..." to the shell. driver_show() says which
 * kinds are collected; sends and shell by default. A second run's units are called RUN/UNIT. Every fact is kept, encoded, so
 * that driver_check_replay() can fold them into a second core and compare digests.
 */
#ifndef TESTS_LIB_COORD_DRIVER_H
#define TESTS_LIB_COORD_DRIVER_H

#include "common/buf.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "tests/lib/plan_build.h"

enum driver_show { SHOW_SENDS = 1, SHOW_TELLS = 2, SHOW_FACTS = 4, SHOW_SHELL = 8 };

#define DRIVER_EFFECTS 8192u
#define DRIVER_RUNS 8u
#define DRIVER_SLICES 64u

struct driver {
	struct coord *c;
	struct coord_config cfg;
	struct coord_effect *items;
	uint32_t room;            /* of effects given to a step; tests of slicing make it small */
	uint64_t now_us, real_us;
	unsigned show;
	bool audit;               /* after every step */
	struct rv_buf lines;      /* NUL-separated, what has not been expected yet */
	struct rv_buf facts;
	uint32_t node_count;
	uint64_t incarnation;     /* of nodes that say HELLO; 1 */
	bool holds_nothing_behind; /* nodes that say HELLO are of a program that cannot */
	const char *agent;        /* whose program they have, too; NULL: none */
	uint64_t session[64];
	uint64_t left_peer;       /* that nothing more is sent to, since its node left it; the newest */
	struct plan_build *plans[DRIVER_RUNS];
	uint32_t cuts[DRIVER_RUNS][DRIVER_SLICES]; /* of an open run: where each slice of its plan ends */
	uint32_t cut_count[DRIVER_RUNS];
	uint32_t run_count;
	/* called for each effect, before it is turned to text; may be NULL */
	void (*hook)(struct driver *d, const struct coord_effect *e);
	void *hook_arg;
};

void driver_init(struct driver *d, const struct coord_config *cfg);
void driver_release(struct driver *d);
void driver_show(struct driver *d, unsigned show);

void driver_step(struct driver *d, struct coord_event *ev); /* with all its AGAINs */
void driver_serve(struct driver *d);
uint32_t driver_join(struct driver *d, const char *name, uint64_t slots, uint64_t agent_slots);
/* HELLO of a node that holds these attempts; `boot` names its boot. */
void driver_hello(struct driver *d, uint32_t node, const char *name, uint8_t boot, uint64_t slots, uint64_t agent_slots,
		  const struct proto_held *held, uint32_t held_count);
void driver_gone(struct driver *d, uint32_t node);
void driver_submit(struct driver *d, struct plan_build *b); /* runs are numbered from 1; turns */
/* An open run of the first `count` units of the plan; then the next `count` of it are added: 1, 0 there was nothing new, -1 refused. They
 * may be cut there (plan_slice_may). */
void driver_submit_open(struct driver *d, struct plan_build *b, uint32_t count);
int driver_add(struct driver *d, uint64_t run, uint32_t count);
/* The slice from unit `from` on once more. */
int driver_add_again(struct driver *d, uint64_t run, uint32_t from, uint32_t to);
void driver_turn(struct driver *d);
void driver_wait(struct driver *d, uint64_t us); /* time passes, then a turn */
/* Steps to each deadline until `us` have passed, nodes beating all the while. */
void driver_live(struct driver *d, uint64_t us);
void driver_beat(struct driver *d, uint32_t node);

/* The newest attempt of unit "a" or "RUN/a", of the node that has it; each turns after the event. */
struct proto_attempt_key driver_key(struct driver *d, const char *unit);
void driver_started(struct driver *d, const char *unit);
void driver_taken(struct driver *d, const char *unit);
void driver_succeed(struct driver *d, const char *unit);
void driver_fail(struct driver *d, const char *unit, enum proto_class class, enum proto_reason reason);
void driver_cancelled(struct driver *d, const char *unit);
void driver_result(struct driver *d, uint32_t node, const struct proto_result *res);
/* What the unit's attempt has used so far: output tokens, and millionths of a dollar. */
void driver_used(struct driver *d, const char *unit, uint64_t tokens, uint64_t cost_microusd);
void driver_reject(struct driver *d, const char *unit, enum proto_reject_why why);
void driver_not_here(struct driver *d, const char *unit);
void driver_retracted(struct driver *d, const char *unit);
/* Gives the number of changed things; -1: refused. */
int driver_act(struct driver *d, enum proto_mutation what, const char *unit, int64_t value);
/* The unit once more, by this agent of its plan. 0; -1: refused. */
int driver_retry_by(struct driver *d, const char *unit, const char *agent);
int driver_act_node(struct driver *d, enum proto_mutation what, uint32_t node);
int driver_drain(struct driver *d, enum proto_mutation what, uint32_t node, int64_t within_us);
void driver_stop(struct driver *d, uint64_t run, enum proto_reason reason);

void expect_at(struct driver *d, const char *line, const char *file, int at);
#define expect(d, line) expect_at(d, line, __FILE__, __LINE__)
void expect_nothing_at(struct driver *d, const char *file, int at);
#define expect_nothing(d) expect_nothing_at(d, __FILE__, __LINE__)
void driver_forget_lines(struct driver *d);
/* "succeeded", "skipped blocked a", ... */
void expect_unit_at(struct driver *d, const char *unit, const char *state, const char *file, int at);
#define expect_unit(d, unit, state) expect_unit_at(d, unit, state, __FILE__, __LINE__)

/* Folds the facts so far into a second core: its digest must be the live one's. */
void driver_check_replay(struct driver *d);
/* The same, and the second core takes the place of the first, serving; nodes are away. */
void driver_restart(struct driver *d);

#endif
