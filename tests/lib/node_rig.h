/* node_rig.h - a node daemon with a real warden and the least of a coordinator around it
 *
 * rig_start() makes a temporary directory with a state directory and a workspace, forks a warden, creates the daemon and
 * welcomes it. rig_dispatch() puts units into the next frame; rig_wait_results() drives the daemon until so many results
 * came (they are acknowledged at once unless `hold_acks`), or fails the test after a deadline.
 */
#ifndef TESTS_LIB_NODE_RIG_H
#define TESTS_LIB_NODE_RIG_H

#include "common/os/blobs.h"
#include "common/prng.h"
#include "node/daemon.h"
#include "node/warden/client.h"
#include "proto/codec.h"
#include "proto/spec.h"

#define RIG_RUN 0x3ffffffffull /* any run */
#define RIG_EPOCH 7u
#define RIG_UNITS 65536u

struct rig_result {
	struct proto_result r;     /* texts are copies, NUL-terminated */
	uint32_t times;            /* how often it came */
};

struct rig_options {
	bool no_warden;
	bool output;               /* want live output */
	enum node_mode mode;
	uint64_t slots, agent_slots;
	const char *const *env;    /* NULL: PATH only */
	bool resend_held;          /* verdict RESEND for what HELLO says is finished; else KEEP for all */
	const char *keep_dir;      /* use this directory instead of a new one (a second daemon) */
	const char *namespace_root, *plan_dir;
	uint64_t gpus;
};

struct rig {
	char dir[128], state[160], workspace[160];
	struct warden_client warden;
	bool has_warden, warden_gone;
	struct node_daemon *d;
	struct rv_blobs blobs;
	struct proto_frame_reader *reader;
	struct proto_frame_writer writer;
	struct rv_buf frame;
	struct rv_arena arena;     /* of copied texts */
	bool hold_acks;
	bool hold_heartbeats;      /* they are not acknowledged */
	bool spec_as_blob;         /* of what is dispatched next */
	uint64_t lease_us;         /* of what is dispatched next; 0: an hour */
	bool welcomed, bye;
	bool resend_held;
	uint32_t held;             /* attempts that HELLO listed */
	uint64_t incarnation;      /* of its HELLO */
	struct rv_prng *verdicts_at_random; /* NULL: as above */
	struct rig_result *results; /* by unit number, RIG_UNITS */
	uint32_t result_count;     /* distinct units */
	uint32_t taken, started, rejected, retracted, already_started, not_here, heartbeats, usages;
	struct proto_usage_report usage; /* the newest */
	struct rv_buf printed;     /* live output, both streams */
	uint64_t deadline_us;
};

void rig_start(struct rig *r, const struct rig_options *options);
/* `remove`: the directory, too. */
enum rig_end { RIG_KEEP, RIG_REMOVE };
void rig_stop(struct rig *r, enum rig_end end);

/* A spec with its defaults, as a plain command of a shared workspace. argv: NULL at the end, borrowed. */
struct proto_spec rig_command(struct rv_str *room, const char *const *argv);
/* Queues a unit called "uN"; the dispatch may be changed by `with` (may be NULL) before it is encoded. */
void rig_dispatch(struct rig *r, uint32_t unit, uint32_t attempt, const struct proto_spec *spec, const struct proto_dispatch *with);
void rig_message(struct rig *r, const struct proto_msg *m);
/* Sends what is queued, drives the daemon once (waits at most wait_us for the warden). */
void rig_turn(struct rig *r, uint64_t wait_us);
/* Until that many distinct units have results. */
void rig_wait_results(struct rig *r, uint32_t count);
/* Until *value is at least this much. */
void rig_wait_count(struct rig *r, const uint32_t *value, uint32_t count);
struct proto_attempt_key rig_key(uint32_t unit, uint32_t attempt);
/* Path below the rig's directory into `room`. */
const char *rig_path(const struct rig *r, const char *below, char room[512]);
/* The output of a result, wherever it is; NUL-terminated copy in the rig's arena. */
const char *rig_output(struct rig *r, uint32_t unit);
const char *rig_tail(struct rig *r, uint32_t unit);

#endif
