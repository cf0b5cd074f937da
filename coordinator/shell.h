/* shell.h - the coordinator around its core: frames in, journal, frames out
 *
 * Owns the core, the journal, the outbox and the outputs that dependents want. It opens no socket and has no loop; the driver
 * (`reeve run`, later `reeve coordinator`) moves frames:
 *
 *   coord_shell_open()             journal opened, epoch claimed, facts folded, serving
 *   loop: coord_shell_on_frame()   for every frame of every peer, until the sockets are drained
 *         coord_shell_turn()       once after that, and at coord_shell_next_deadline(): decides, commits, releases sends
 *   coord_shell_close()
 *
 * Nothing leaves before coord_shell_turn(), and nothing that depends on a fact leaves before its row is durable.
 */
#ifndef COORD_SHELL_H
#define COORD_SHELL_H

#include "common/log.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "coordinator/journal/journal.h"
#include "coordinator/outbox.h"
#include "coordinator/runlist.h"

struct coord_shell;
struct plan;
struct rv_blobs;

/* Who sent a frame, as far as its link can tell. */
struct coord_peer_identity {
	uint32_t roles;               /* bits of enum proto_role */
	bool trusted;                 /* came over inproc or ipc: a node states its key's hash itself */
	uint8_t key[PROTO_KEY_BYTES]; /* CURVE public key that the handshake proved; zeros where trusted */
	struct rv_str name;           /* under which that key was let in; "" where trusted, or of a token's key */
};

/* All but `send` may be NULL. Everything is borrowed until the op returns. */
struct coord_shell_ops {
	coord_send_fn *send;
	/* A message that is not the core's (clients, joining, blobs, logs), of a peer that may send it. NULL: refused. */
	void (*message)(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m);
	/* Any message that its sender's roles do not cover; it was counted and has had no effect. */
	void (*denied)(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m);
	/* A RESULT that names blobs, from a peer with a store of its own. true: kept until they are here, coord_shell_result() follows or
	 * it is dropped and comes again; false: step it now. NULL: node and coordinator share one store. */
	bool (*result)(void *arg, uint64_t peer, const struct proto_msg *m);
	/* Every fact, in order, live and in replay, before what follows from it is told. */
	void (*fact)(void *arg, const struct proto_fact *f, uint64_t real_us, bool replayed);
	/* What happened, at once, in order; (position, index) and t->part number it. Live and in replay. */
	void (*transition)(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed);
	/* Rows up to `position` are durable: what was told of them may be shown. */
	void (*durable)(void *arg, uint64_t position);
	void (*reply)(void *arg, uint64_t client, bool done_before, uint32_t changed);
	void (*run_finished)(void *arg, uint64_t run, enum coord_run_state state, enum proto_reason reason);
	/* It ended long ago and is not in the core any more; its facts are in the journal. */
	void (*run_gone)(void *arg, uint64_t run);
};

struct coord_shell_config {
	const char *state_dir;        /* the journal's; exists or its last part is made */
	const char *what;             /* who we are, for those who find the directory taken; NULL: "reeve" */
	uint32_t runs_ended_max;      /* ended runs that the core keeps (and units of theirs: RV_UNITS_ENDED_KEPT); 0: all */
	enum journal_durability durability;
	struct coord_config core;
	struct rv_blobs *blobs;       /* borrowed */
	const char *estimates_dir;    /* learned estimates lie there; NULL: none are read or kept */
	const struct rv_log *log;     /* may be NULL */
	struct coord_shell_ops ops;   /* send must be set */
	void *arg;
};

void coord_shell_config_init(struct coord_shell_config *cfg);
int coord_shell_open(const struct coord_shell_config *cfg, uint64_t now_us, uint64_t real_us, struct coord_shell **out, struct rv_err *err);
/* Waits until what was decided is durable. NULL is fine. */
void coord_shell_close(struct coord_shell **s);

/* Accepts a checked plan as run `run`: saves it as a blob, builds its graph, tells the core. Takes effect with the next turn. */
int coord_shell_submit(struct coord_shell *s, const struct plan *plan, uint64_t run, uint64_t now_us, uint64_t real_us, struct rv_err *err);
/* The same in two steps, the first of which takes long for a large plan and may be another thread's: it has its own `blobs` and reads
 * estimates from `estimates_dir` (may be NULL). `fact` gets what RUN_ACCEPTED says; its name borrows from the graph. */
int coord_shell_prepare(struct rv_blobs *blobs, const char *estimates_dir, const struct plan *plan, uint64_t run, struct coord_graph **graph,
			struct proto_fact *fact, struct rv_err *err);
/* Takes the graph on success. */
int coord_shell_accept(struct coord_shell *s, struct coord_graph **graph, const struct proto_fact *fact, uint64_t now_us, uint64_t real_us,
		       struct rv_err *err);
/* The same for units that are added to an open run: `plan` is its head with the units (plan_load_options.head), `open` set. */
int coord_shell_prepare_units(struct rv_blobs *blobs, const struct plan *plan, uint64_t run, struct coord_graph **part, struct proto_fact *fact,
			      struct rv_err *err);
/* Takes effect with the next turn; fact->units_added.units gets how many were not there yet; where nothing is new, nothing is done. */
int coord_shell_add_units(struct coord_shell *s, struct coord_graph *part, struct proto_fact *fact, uint64_t now_us, uint64_t real_us, struct rv_err *err);
/* An output that dependents of this unit find although it did not run here (a `satisfied` unit). Not journaled: the giver knows it. */
int coord_shell_give_output(struct coord_shell *s, uint64_t run, uint32_t unit, struct rv_str bytes, bool is_json, struct rv_err *err);
/* A person's act: a MUTATION fact, checked here. `client` 0: no reply. */
int coord_shell_mutate(struct coord_shell *s, const struct proto_fact *mutation, uint64_t client, uint64_t now_us, uint64_t real_us, struct rv_err *err);
/* Nothing new of the run starts; what runs is cancelled. */
void coord_shell_stop_run(struct coord_shell *s, uint64_t run, enum proto_reason reason, uint64_t grace_us, uint64_t now_us, uint64_t real_us);

/* Notes a fact that is no matter of the core (KEY, TOKEN): it becomes part of this turn's row. */
void coord_shell_record(struct coord_shell *s, const struct proto_fact *fact, uint64_t real_us);

/* One frame of a peer. -1: malformed; what came before the fault in it counts, the rest is dropped. A message that `who` may not send is
 * counted and has no effect; so is a HELLO that claims another key than the link's. */
int coord_shell_on_frame(struct coord_shell *s, uint64_t peer, const struct coord_peer_identity *who, struct rv_str frame, uint64_t now_us,
			 uint64_t real_us, struct rv_err *err);
/* A RESULT that ops.result kept. */
void coord_shell_result(struct coord_shell *s, uint64_t peer, const struct proto_msg *m, uint64_t now_us, uint64_t real_us);

/* A message to a peer. NOW: it rests on nothing and leaves with the next turn. AFTER_FACTS: it leaves when all that has been decided so
 * far is durable. -1: it does not fit a frame, and is not said. */
enum coord_say { COORD_SAY_NOW, COORD_SAY_AFTER_FACTS };
int coord_shell_say(struct coord_shell *s, uint64_t peer, const struct proto_msg *m, enum coord_say when);
void coord_shell_peer_gone(struct coord_shell *s, uint64_t peer, uint64_t now_us, uint64_t real_us);

/* 0, or -1: the journal has failed, stop: what is on disk counts. */
int coord_shell_turn(struct coord_shell *s, uint64_t now_us, uint64_t real_us, struct rv_err *err);
uint64_t coord_shell_next_deadline(const struct coord_shell *s);
int coord_shell_journal_fd(const struct coord_shell *s);                  /* -1: commits are inline */
int coord_shell_journal_poll(struct coord_shell *s, struct rv_err *err);  /* when it is readable */

const struct coord *coord_shell_core(const struct coord_shell *s);
struct journal *coord_shell_journal(struct coord_shell *s); /* to read from */
/* The position of the newest fact, appended or still of this turn: what runs and the core say rests on facts as far as it. */
uint64_t coord_shell_decided(const struct coord_shell *s);
/* The lines of all runs there ever were here, ended ones included; borrowed until the next step. That they are there and when they ended is
 * always so; their states and counts are, after coord_shell_fill_runs(). */
const struct coord_runlist *coord_shell_runs(const struct coord_shell *s);
void coord_shell_fill_runs(struct coord_shell *s);
uint64_t coord_shell_epoch(const struct coord_shell *s);
struct rv_str coord_shell_cluster(const struct coord_shell *s); /* its id, as hex */
/* Of an accepted run; zeros where there is no such run. */
const uint8_t *coord_shell_plan_digest(const struct coord_shell *s, uint64_t run);

struct coord_shell_stats {
	uint64_t frames_in, frames_bad, frames_dropped, messages_refused;
	uint64_t rows, facts;
	uint64_t commit_us;      /* moving mean of a commit, inline only */
};

void coord_shell_stats(const struct coord_shell *s, struct coord_shell_stats *out);

#endif
