/* namespace.h - an attempt's own directory: ROOT/runs/RUN/units/UNIT/ATTEMPT/{artifacts,tmp,logs,handoffs}
 *
 * Made below descriptors with openat2 rules (common/os/file.h): nobody who may write in the workspace can lead us out of
 * it by a link. Directories are 0700. A namespace that is there already is of an attempt whose fate was lost with the
 * journal's tail: it is made anew, since an artifact of an earlier attempt is no evidence. ROOT gets a .gitignore of `*`.
 */
#ifndef NODE_NAMESPACE_H
#define NODE_NAMESPACE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/msg.h"

#define NODE_NAMESPACE_RUNS 8u /* runs whose directories are held open */

/* Files of a namespace, by these names in it. */
#define NODE_FILE_PROMPT "prompt.txt"
#define NODE_FILE_CONTEXT "context.json"
#define NODE_FILE_MANIFEST "manifest.json"
#define NODE_FILE_OUTPUT "output"
#define NODE_DIR_ARTIFACTS "artifacts"
#define NODE_DIR_TMP "tmp"
#define NODE_DIR_LOGS "logs"
#define NODE_DIR_HANDOFFS "handoffs"
#define NODE_DIR_DEPS "deps"
#define NODE_DIR_HANDED "handed" /* of a run, not of a namespace */

struct node_namespaces {
	struct rv_str root;  /* absolute, borrowed; "" = there is nowhere to put them */
	int fd;              /* of root, -1: not opened yet */
	struct {
		uint64_t run;
		int fd;      /* of runs/RUN/units */
	} runs[NODE_NAMESPACE_RUNS];
	uint32_t run_count, next;
	uint64_t made;
};

void node_namespaces_init(struct node_namespaces *n, struct rv_str root);
void node_namespaces_release(struct node_namespaces *n);

/* ROOT/runs/RUN/units/UNIT/ATTEMPT appended to `out`. */
int node_namespace_path(const struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_buf *out);

/* Makes it; the descriptor of its directory is the caller's to close. */
int node_namespace_make(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, int *fd, struct rv_err *err);
/* Opens what was made before. RV_E_NOT_FOUND. */
int node_namespace_open(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, int *fd, struct rv_err *err);

/* Where the artifacts of another attempt of the run are: in its namespace, if it ran here, or in ROOT/runs/RUN/handed/UNIT/ATTEMPT, where they
 * are put when it ran elsewhere (node/handed.h). */
enum node_dep_place { NODE_DEP_NOWHERE, NODE_DEP_RAN_HERE, NODE_DEP_HANDED };
enum node_dep_place node_namespace_find_dep(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt);

/* A link NAME in `deps` of the namespace `fd` to them: 1; 0: they are nowhere here. */
int node_namespace_link_dep(struct node_namespaces *n, int fd, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_err *err);

/* A directory for what is to be HANDED, not under its name yet: nobody finds half of it. */
struct node_handed_dir {
	int parent, fd;      /* -1: none is open */
	char temp[48], name[16];
};

/* It is there, and empty; `mark` (at most 16 characters) keeps daemons that share ROOT apart. What an earlier one left half done goes. */
int node_namespace_hand_begin(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, const char *mark,
			      struct node_handed_dir *d, struct rv_err *err);
/* It gets its name. Where another daemon was quicker, that one's stays. */
int node_namespace_hand_end(struct node_handed_dir *d, struct rv_err *err);
void node_namespace_hand_drop(struct node_handed_dir *d); /* after end: nothing to do */

/* The file ROOT/runs/RUN/handoffs/HEX holds these bytes (made once); its path is appended to `path`. */
int node_namespace_handoff(struct node_namespaces *n, uint64_t run, struct rv_str hex, struct rv_str bytes, struct rv_buf *path, struct rv_err *err);
/* Whether that file is there; its path is appended to `path` in any case. */
bool node_namespace_has_handoff(struct node_namespaces *n, uint64_t run, struct rv_str hex, struct rv_buf *path);

/* ROOT/runs/RUN/cwd, made: where units of mode none run on a node; appended to `path`. */
int node_namespace_run_dir(struct node_namespaces *n, uint64_t run, struct rv_buf *path, struct rv_err *err);

#endif
