/* world.h - one simulated cluster: a coordinator and nodes made of the real cores, and everything around them made up
 *
 *	spec.[ch]      what a world is like; faults to come
 *	world.c        virtual time: a heap of events, in order of (time, number); faults as they come due
 *	net.c          links and frames: loss, duplicates, reordering, delay, cuts
 *	disk.c         the journal: rows, commits, what a crash leaves of them
 *	access.c       coordinator/access: who is let in, by keys
 *	coordinator.c  coordinator/core with wire, outbox and records, as the shell drives them
 *	node.c         node/core with its wire, as the daemon drives it
 *	procs.c        a warden: queue, slots, processes, exit records
 *	workload.c     plans, and what attempts do
 *	checker.c      the invariants
 *	members.c      the checker's fold of nodes and keys
 *
 * Nothing here is global: many worlds could live in one process. All chance comes from the spec's seed.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "common/buf.h"
#include "common/map.h"
#include "common/prng.h"
#include "coordinator/access.h"
#include "coordinator/core/graph.h"
#include "coordinator/core/io.h"
#include "coordinator/outbox.h"
#include "node/core/io.h"
#include "node/wire.h"
#include "proto/codec.h"
#include "tests/sim/spec.h"
#include "tests/sim/workload.h"

struct sim_world;

/* --- events of the world -------------------------------------------------------------------------------------------- */

enum sim_event_kind {
	SIM_EV_FAULT = 1,       /* a: index in the spec */
	SIM_EV_FRAME_TO_COORD,  /* a: link, frame */
	SIM_EV_FRAME_TO_NODE,   /* a: link, frame */
	SIM_EV_LINK_GONE,       /* the coordinator notices; a: link */
	SIM_EV_COORD_WAKE,      /* a: number of the alarm */
	SIM_EV_COORD_START,     /* a: life */
	SIM_EV_COMMIT,          /* a: life */
	SIM_EV_NODE_WAKE,       /* node, a: number of the alarm */
	SIM_EV_NODE_START,      /* node, a: life */
	SIM_EV_NODE_CONNECT,    /* node, a: life */
	SIM_EV_NODE_LINK_LOST,  /* node, a: link */
	SIM_EV_NODE_LATER,      /* node: the daemon has done something for a slot */
	SIM_EV_TO_WARDEN,       /* node */
	SIM_EV_FROM_WARDEN,     /* node */
	SIM_EV_PROC_END,        /* node, a: key, b: number of its alarm */
	SIM_EV_WARDEN_UP,       /* node, a: warden life */
	SIM_EV_CLIENT_AGAIN,    /* a: request: its answer never came */
	SIM_EV_NODE_ANEW,       /* node, a: its key's number: it is set up with another */
	SIM_EV_UNPAUSE,         /* node or UINT32_MAX: coordinator */
	SIM_EV_HEAL,
};

/* Between a daemon and its warden, or a daemon and itself. */
struct sim_word {
	uint32_t kind;          /* enum node_effect_kind to the warden; enum node_event_kind back */
	uint32_t slot;
	uint64_t key;           /* of the spawn */
	uint64_t life;          /* of the daemon that it is from or for; to the warden: of the warden that it is for */
	uint64_t grace_us;
};

struct sim_event {
	uint64_t at_us, number;
	enum sim_event_kind kind;
	uint32_t node;
	uint64_t a, b;
	struct sim_word word;
	char *frame;            /* owned */
	size_t frame_bytes;
};

/* --- disk -------------------------------------------------------------------------------------------------------------- */

struct sim_row {
	struct rv_buf records;
	uint64_t epoch, real_us;
	uint64_t digest;        /* of the core after it; 0: not taken */
	uint64_t access_digest; /* of the list of keys */
	uint32_t facts;
};

struct sim_disk {
	struct sim_row *rows;   /* position - 1 */
	uint32_t count, capacity;
	uint64_t durable;       /* told to the coordinator */
	uint64_t epoch;         /* claimed; synced at once */
	bool commit_under_way, fails_next;
};

void sim_disk_release(struct sim_disk *d);
/* Takes the bytes; gives the row's position. */
uint64_t sim_disk_append(struct sim_world *w, struct rv_buf *records, uint32_t facts, uint64_t epoch, uint64_t real_us);
void sim_disk_commit(struct sim_world *w, uint32_t count); /* SIM_EV_COMMIT: of the rows up to this one */
enum sim_crash { SIM_CRASH_KILL, SIM_CRASH_POWER };
void sim_disk_crash(struct sim_world *w, enum sim_crash how);

/* --- processes ---------------------------------------------------------------------------------------------------------- */

enum sim_proc_state { SIM_P_QUEUED, SIM_P_RUNNING, SIM_P_FROZEN, SIM_P_EXITED };

struct sim_proc {
	uint64_t key;
	struct proto_attempt_key attempt;
	uint64_t epoch, cpus, lease_us;
	uint32_t flags, try_number;
	enum sim_proc_state state;
	bool started, killed, cut_short;
	uint64_t start_us, end_us;   /* world time; end_us: when it will end, or did */
	uint64_t left_us;            /* FROZEN: what is left of it */
	uint64_t alarm;              /* number of its PROC_END */
	uint64_t kill_by_us;         /* it was told to end: over by then */
	uint64_t cancel_by_us;       /* its cancel reached the daemon: it may not live longer than this */
	struct proto_after after;    /* its DISPATCH said so */
	struct sim_doing doing;
	uint32_t slot;               /* of the daemon that spawned it; told back so */
};

struct sim_warden {
	struct sim_proc *procs;      /* queue order: oldest first */
	uint32_t count, capacity;
	uint64_t slots, used;
	uint64_t next_key, next_alarm, life;
	uint64_t to_last_us, from_last_us; /* both directions keep their order */
	bool up;
};

void sim_warden_word(struct sim_world *w, uint32_t node, const struct sim_word *word);  /* from the daemon */
void sim_warden_end(struct sim_world *w, uint32_t node, uint64_t key, uint64_t alarm);  /* SIM_EV_PROC_END */
void sim_warden_die(struct sim_world *w, uint32_t node);
void sim_warden_clear(struct sim_world *w, uint32_t node); /* the host went down */
struct sim_proc *sim_warden_find(struct sim_warden *warden, uint64_t key);
/* What it should do by itself has been said to it by words that are still on their way: applied at once (the daemon died). */
void sim_warden_drain(struct sim_world *w, uint32_t node);

/* --- nodes ------------------------------------------------------------------------------------------------------------------ */

/* What a daemon keeps by slot. */
struct sim_attempt {
	bool used, spawned;
	bool cancelled;         /* its cancel came before it was handed to the warden */
	struct proto_attempt_key key;
	uint64_t epoch, proc_key, cpus, lease_us;
	uint32_t flags, try_number, mock_fail;
	struct proto_after after;
	enum proto_agent_kind agent_kind;
	enum proto_reason kill_reason;
	bool has_result;
	uint64_t mock_delay_us, mock_tokens;
	struct proto_result result;
	char output[48];
};

struct sim_inbox_item {
	bool is_word;
	bool late;              /* of a coordinator that is dead */
	uint64_t link;          /* frames of a link that was left are dropped */
	char *frame;            /* owned */
	size_t bytes;
	struct sim_word word;
};

struct sim_inbox {
	struct sim_inbox_item *items;
	uint32_t first, count, capacity;
};

void sim_inbox_put(struct sim_inbox *in, struct sim_inbox_item item);
bool sim_inbox_take(struct sim_inbox *in, struct sim_inbox_item *out);
void sim_inbox_clear(struct sim_inbox *in);
void sim_inbox_release(struct sim_inbox *in);

struct sim_node {
	uint32_t index;
	struct node_core *core;      /* NULL: the daemon is down */
	struct node_wire wire;
	struct proto_node_info info;
	char name[16];
	struct rv_prng prng;
	uint64_t life;               /* of the daemon */
	uint64_t link;               /* 0: none */
	uint64_t alarm, alarm_at_us;
	uint64_t paused_until_us;
	uint64_t unattended_us;      /* the last moment at which no working daemon looked after its units */
	int64_t clock_ppm;
	uint64_t clock_base_us, booted_us;
	uint64_t slots, agent_slots;
	uint64_t epoch_seen;
	uint32_t boundaries_left;    /* effect boundaries until it dies; 0: it does not */
	bool crashed;                /* in the middle of a step: unwind */
	bool linked;                 /* once */
	bool stopping;               /* by SIM_F_NODE_STOP */
	bool greets;                 /* the frame that it writes holds some of a HELLO */
	uint64_t warden_life;        /* of the warden that its channel leads to */
	uint8_t curve_key[PROTO_KEY_BYTES];
	uint64_t keys;               /* number of that key */
	bool removed, revoked;       /* the journal says so: of the node that its key stands for, of the key */
	uint64_t revoked_row;        /* that says so; RV_NEVER: not written yet */
	bool hears_old;              /* what it goes through comes from a coordinator of the past: it obeys nothing of it */
	uint64_t stop_back_us;
	uint64_t cut_to_until_us, cut_from_until_us;
	struct sim_attempt *attempts; /* by slot */
	struct sim_inbox inbox;
	struct sim_warden warden;
};

#define SIM_NODE_ATTEMPTS 512u

void sim_node_init(struct sim_world *w, uint32_t node);
void sim_node_release(struct sim_node *n);
void sim_node_start(struct sim_world *w, uint32_t node);
void sim_node_kill(struct sim_world *w, uint32_t node);   /* the daemon, now */
void sim_node_reboot(struct sim_world *w, uint32_t node, uint64_t for_us);
void sim_node_wake(struct sim_world *w, uint32_t node);
void sim_node_connect(struct sim_world *w, uint32_t node);
void sim_node_link_lost(struct sim_world *w, uint32_t node, uint64_t link);
void sim_node_stop(struct sim_world *w, uint32_t node);
uint32_t sim_node_ahead_max(const struct sim_world *w); /* attempts that a node takes beyond its slots */
bool sim_node_forge(struct sim_world *w, uint32_t node); /* false: it has no session, or nobody holds anything */
void sim_node_anew(struct sim_world *w, uint32_t node, uint64_t key); /* SIM_EV_NODE_ANEW */
void sim_node_word(struct sim_world *w, uint32_t node, const struct sim_word *word); /* from the warden or itself */
uint64_t sim_node_clock(const struct sim_world *w, const struct sim_node *n);
bool sim_node_welcomed(const struct sim_node *n);
uint64_t sim_node_mocks(const struct sim_node *n);

/* --- coordinator ------------------------------------------------------------------------------------------------------------------ */

#define SIM_REQUESTS_MAX 256u /* requests of a world that are remembered; later ones are not said again */

struct sim_request {
	enum proto_mutation what;
	uint64_t run;
	uint32_t unit, node;
	int64_t value;
};

struct sim_coordinator {
	struct coord *core;          /* NULL: down */
	struct coord_access *access; /* NULL: nodes are trusted */
	struct coord_outbox *outbox;
	struct proto_frame_reader *reader;
	struct coord_effects effects;
	struct proto_held_verdict *verdicts;
	struct proto_welcome last_welcome[SIM_NODES_MAX]; /* by node of the link */
	struct rv_buf row;
	uint32_t row_facts;
	bool rests_on_facts;
	uint64_t life, epoch;
	uint64_t alarm, alarm_at_us;
	uint64_t paused_until_us, jumped_us, started_us;
	int64_t clock_ppm;
	uint32_t boundaries_left;
	bool crashed;
	enum sim_crash crash_how;
	struct sim_inbox inbox;
	uint64_t request;            /* of operator acts */
	struct sim_request asked[SIM_REQUESTS_MAX]; /* by request - 1: to say it again */
	uint8_t written[SIM_REQUESTS_MAX];    /* by request - 1: how often the journal has it */
	bool in_replay;
	uint32_t stepping;           /* enum coord_event_kind: the event that it goes through */
	uint32_t replayed_cells[COORD_UNIT_STATE_COUNT * COORD_UNIT_EVENTS];
};

void sim_coord_init(struct sim_world *w);
void sim_coord_release(struct sim_world *w);
void sim_coord_start(struct sim_world *w);
void sim_coord_kill(struct sim_world *w, enum sim_crash how, uint64_t for_us);
void sim_coord_wake(struct sim_world *w);
void sim_coord_released(struct sim_world *w); /* rows became durable */
void sim_coord_again(struct sim_world *w, uint64_t request); /* SIM_EV_CLIENT_AGAIN */
bool sim_coord_act(struct sim_world *w, const struct sim_fault *f);
void sim_coord_record(struct sim_world *w, const struct proto_fact *f); /* one that is not of the core */
uint64_t sim_coord_clock(const struct sim_world *w);
uint64_t sim_coord_real(const struct sim_world *w);
void sim_coord_check_replay(struct sim_world *w); /* I7, in between */

/* --- who is let in (access.c) ------------------------------------------------------------------------------------------------- */

void sim_access_new_key(struct sim_world *w, struct sim_node *n);
void sim_access_create(struct sim_world *w);  /* an empty list, where there is one at all */
void sim_access_destroy(struct sim_world *w);
void sim_access_fact(struct sim_world *w, const struct proto_fact *f, uint64_t real_us); /* folded, live and in replay */
bool sim_access_admits(const struct sim_world *w, const uint8_t key[PROTO_KEY_BYTES]);
bool sim_access_connect(struct sim_world *w, struct sim_node *n); /* false: refused; it has perhaps enrolled */
bool sim_access_revoke(struct sim_world *w, struct sim_node *n);

/* --- network ---------------------------------------------------------------------------------------------------------------------------- */

struct sim_link {
	uint32_t node;
	uint64_t coord_life, node_life; /* who opened it */
	uint8_t key[PROTO_KEY_BYTES];
	bool revoked;                /* its key was, by this coordinator */
	bool gone;                   /* the coordinator has noticed its end */
	bool closed;                 /* the node has left it */
	uint64_t to_last_us, from_last_us;
	uint64_t hello_us;           /* when the last HELLO arrives: no later frame overtakes it */
};

void sim_net_to_coord(struct sim_world *w, uint32_t node, struct rv_str frame);
int sim_net_to_node(struct sim_world *w, uint64_t link, struct rv_str frame);
/* 0: refused (no coordinator, a cut). */
uint64_t sim_net_open(struct sim_world *w, uint32_t node);
void sim_net_close(struct sim_world *w, uint64_t link);      /* by the node */
void sim_net_coord_died(struct sim_world *w);

/* --- checker ------------------------------------------------------------------------------------------------------------------------------- */

struct sim_unit {
	/* the fold of what the journal holds */
	uint32_t assigned, node;
	struct proto_after after;    /* what its newest attempt was handed over behind */
	uint32_t settled;            /* the newest attempt that ended, however */
	uint64_t assigned_at, settled_at; /* rows */
	bool succeeded;              /* once, whatever was asked for since */
	bool active, ended, lost;    /* lost: its newest attempt was given up, and may come back */
	uint8_t state;               /* enum proto_end_state */
	uint32_t may_start;          /* at_most_once: how often so far, 0 = once; one more each time a person names it */
	uint32_t retries, agent;     /* failures that spent a retry; whose place its attempt takes, of the plan's */
	uint64_t used, used_attempt; /* tokens that the journal counts of its newest attempt; which one that is */
	uint32_t begun, begun_attempt; /* attempts that the journal says to have begun, or cannot say; the newest of them */
	/* the world's truth */
	uint32_t starts, live, accepted_starts;
	uint32_t started_attempt;    /* the number of the newest start; 0: none, or its assignment was lost with a tail of the journal */
	uint32_t acked_attempt;      /* the newest whose result a node was told to be safe */
	uint32_t told_attempt;       /* the newest that a node was sent */
	struct {
		uint32_t attempt, node;
	} well[8];                   /* the newest that daemons have made a result of success of, and where: nodes that were given up may go on */
	uint32_t well_count;
};

#define SIM_SLICES_MAX 6u

struct sim_run {
	struct plan *plan;
	uint64_t id;
	struct coord_graph *shape;   /* a graph of our own, to ask names and dependencies */
	uint32_t unit_count;         /* with the verify step */
	struct sim_unit *units;
	uint32_t *template_of;
	bool accepted, finished;     /* in the journal */
	bool submitted;
	uint64_t submit_us;
	uint32_t cuts[SIM_SLICES_MAX], cut_count; /* open: where each slice of the plan ends */
	uint32_t known;              /* units that the journal says to be there */
	uint32_t active, max_workers;
	uint64_t used;               /* tokens, as the journal's results say */
	bool may_go_on;              /* it had finished, or not, when a retry or resume came: it may finish once more */
	bool reopened;               /* a retry or resume: what was terminal may end again */
};

void sim_checker_init(struct sim_world *w);
void sim_checker_release(struct sim_world *w);
void sim_checker_fact(struct sim_world *w, const struct proto_fact *f);        /* appended, in order */
void sim_checker_refold(struct sim_world *w);                                  /* after a crash: what the disk holds now */
void sim_checker_start(struct sim_world *w, uint32_t node, struct sim_proc *p);
void sim_checker_well(struct sim_world *w, uint32_t node, struct proto_attempt_key key); /* it has succeeded there */
void sim_checker_end(struct sim_world *w, uint32_t node, struct sim_proc *p);
void sim_checker_thaw(struct sim_world *w, uint32_t node, struct sim_proc *p);
void sim_checker_dispatched(struct sim_world *w, struct proto_attempt_key key);      /* it has reached a node */
void sim_checker_acked(struct sim_world *w, const struct proto_result_ack *a);
void sim_checker_cancelled(struct sim_world *w, uint32_t node, const struct proto_cancel *c);
void sim_checker_spawn(struct sim_world *w, const struct sim_attempt *a);
void sim_checker_after(struct sim_world *w);                                   /* every event */
void sim_checker_finish(struct sim_world *w);                                  /* at the end */
void sim_checker_explain(const struct sim_world *w);
bool sim_checker_done(const struct sim_world *w);
void sim_members_clear(struct sim_world *w);                                   /* before a fold */
void sim_members_fact(struct sim_world *w, const struct proto_fact *f);
/* A unit is assigned to a node (by the journal's number), or ends by `res`: nothing rests on one that was removed. */
void sim_members_check(struct sim_world *w, uint32_t node, uint32_t unit, const struct proto_result *res);
struct sim_run *sim_run_of(struct sim_world *w, uint64_t id);

/* --- the world --------------------------------------------------------------------------------------------------------------------------------- */

#define SIM_JOURNAL_NODES_MAX (SIM_NODES_MAX + SIM_FAULTS_MAX) /* who comes back with another key is another */

struct sim_counts {
	uint64_t events, frames, lost, duplicated, reordered, slowed, cut, echoes, repeats;
	uint64_t coord_steps, node_steps, starts, results, rows, replays;
	uint64_t faults[SIM_F_COUNT];
	uint64_t node_cells[NODE_CORE_STATES * NODE_CORE_EVENTS];
	uint64_t unit_cells[COORD_UNIT_STATE_COUNT * COORD_UNIT_EVENTS]; /* of coordinators while they served */
	uint64_t virtual_us;
	uint64_t late_joins, rejoins, drain_deadlines; /* daemons that came once others were at work, links after the first */
	uint64_t forged;             /* messages about what another node holds */
	uint64_t denied, enrolled;   /* messages of revoked keys; keys admitted */
	uint64_t behind;             /* handed over behind what they depend on */
	uint64_t fair, unfair;       /* assignments while several runs wanted the same slots (checker.c) */
};

struct sim_world {
	const struct sim_spec *spec;
	struct sim_event *heap;
	uint32_t heap_count, heap_capacity;
	uint64_t number, now_us;
	struct rv_prng net_prng, fault_prng, misc_prng;
	struct sim_node nodes[SIM_NODES_MAX];
	struct sim_coordinator coord;
	struct sim_disk disk;
	struct sim_link *links;      /* link number - 1 */
	uint32_t link_count, link_capacity;
	struct sim_run runs[SIM_RUNS_MAX];
	uint8_t journal_nodes[SIM_JOURNAL_NODES_MAX][PROTO_DIGEST_BYTES]; /* by number: their keys' hashes, as folded by the checker */
	bool journal_removed[SIM_JOURNAL_NODES_MAX];
	uint32_t journal_node_count;
	uint64_t hash;
	bool healed;
	bool harsh;                  /* something happened that may waste work */
	bool broken;
	char what[512];
	bool trace;
	struct sim_counts counts;
	uint64_t next_replay;        /* counts.events at which I7 is looked at */
};

enum sim_end { SIM_FINE, SIM_BROKEN };

struct sim_report {
	char what[512];              /* "" or which invariant broke, and how */
	uint64_t hash;
	struct sim_counts counts;
};

/* Runs a world to its end. The same spec gives the same report. */
enum sim_end sim_run_world(const struct sim_spec *spec, bool trace, struct sim_report *report);

void sim_schedule(struct sim_world *w, struct sim_event ev);
void sim_at(struct sim_world *w, uint64_t at_us, enum sim_event_kind kind, uint32_t node, uint64_t a);
/* The first breach stays; the world ends at the next event. */
void sim_broken(struct sim_world *w, const char *fmt, ...) RV_PRINTF(2, 3);
/* Everything that happens goes into the trace's hash. */
void sim_note(struct sim_world *w, const char *what, uint64_t a, uint64_t b, uint64_t c);

static inline uint64_t sim_below(struct rv_prng *p, uint64_t bound)
{
	return bound ? rv_prng_below(p, bound) : 0;
}

static inline bool sim_chance_ppm(struct rv_prng *p, uint32_t ppm)
{
	return ppm && rv_prng_below(p, 1000000) < ppm;
}

#endif
