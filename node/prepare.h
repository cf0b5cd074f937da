/* prepare.h - from a dispatched unit to what its attempt sees: texts filled, namespace, files
 *
 * A scene is the common part for every agent that runs here: the dependencies as context, the prompt filled, the
 * namespace made with its prompt, context and manifest files. agents/ makes a spawn or an answer out of it. All buffers
 * belong to the preparer and are used again, so a scene lives until the next one; a plain command without namespace,
 * templates and dependencies costs no file and no allocation.
 */
#ifndef NODE_PREPARE_H
#define NODE_PREPARE_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/plan/template.h"
#include "node/agents/steps.h"
#include "node/daemon.h"
#include "node/holdings.h"
#include "node/specs.h"
#include "node/workspace/places.h"
#include "proto/msg.h"

#define NODE_SESSION_BYTES 64

/* Why an attempt could not be prepared. */
struct node_failure {
	enum proto_class class;
	enum proto_reason reason;
	struct rv_err err;
};

struct node_preparer {
	const struct node_daemon_config *cfg; /* borrowed */
	struct node_places places;
	struct node_place *place;   /* of what is being prepared; set by the caller before node_scene_set() */
	struct node_holdings holdings;
	char label[40];             /* prefix of session ids */
	struct rv_buf deps, prev, prompt, namespace, text, argv, env, dirs, cwd, path, file, deps_bytes, spec_bytes;
	struct rv_buf step[NODE_STEPS]; /* arguments of each, where a unit has several */
	struct rv_arena arena;      /* of decoded deps that came as a blob */
};

struct node_scene {
	struct node_spec *spec;
	struct proto_dispatch dispatch; /* its dependencies in place, wherever they came from */
	char run_id[16];
	uint64_t owner;             /* what it is known by to `holdings` */
	char session[NODE_SESSION_BYTES]; /* "" where nothing but the process is told it: the warden makes it */
	struct plan_scope scope;    /* for texts of the unit */
	bool fills;                 /* TEMPLATED: `scope` is to be used */
	struct rv_str prompt;       /* filled */
	struct rv_str namespace;    /* absolute path, "" = none */
	bool has_prompt_file, has_deps_dir;
	bool has_prev;              /* an earlier try left word */
	int fd;                     /* of the namespace, -1 = none */
	struct rv_str cwd;          /* absolute */
	struct rv_str dirs;         /* allowed directories, joined by ":" */
	uint64_t deadline_s;        /* Unix seconds by which it will have been ended, if it started now; 0 = none */
};

/* `label` 1..39 characters of a session prefix. -1: no memory. */
int node_preparer_init(struct node_preparer *p, const struct node_daemon_config *cfg, const char *label);
void node_preparer_release(struct node_preparer *p);

/* Sets the scene; node_scene_end() after use. `session_key` makes its session id. -1: `why` says it all, nothing is left open. */
int node_scene_set(struct node_preparer *p, struct node_spec *spec, const struct proto_dispatch *dispatch, uint64_t session_key,
		   uint64_t real_us, struct node_scene *scene, struct node_failure *why);
void node_scene_end(struct node_scene *scene);

/* Appends one of the unit's texts, filled if the spec says so. */
int node_scene_fill(const struct node_scene *scene, struct rv_str text, const struct plan_places *places, struct rv_buf *out,
		    struct node_failure *why);

/* -1, with class and reason from the error's code: no space, a template, too large, else the workspace. */
int node_failure_of(struct node_failure *why, enum proto_class class, enum proto_reason reason);

#endif
