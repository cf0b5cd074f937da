/* places.h - where attempts of this node live: its own directory, and the shared workspaces that are found here
 *
 * A run of mode shared names its workspace by an id and by the path that its author sees. Here it is at that path, or where a rule FROM=TO
 * says (FROM a directory above it or itself; the longest counts), if the file .reeve/workspace-id there holds the id: a directory that only
 * has the same name is none. Each place has the namespaces of its attempts below NAMESPACE_ROOT, which the plan may name.
 *
 * What a place is is kept in STATE/places, a path a line, before anything is started there: attempts of an earlier daemon are collected, and
 * logs read, where they lie. A workspace that takes another's path takes its place; when all are taken, those whose directory is gone are
 * given to others. In `reeve run` there is one place, its own.
 */
#ifndef NODE_PLACES_H
#define NODE_PLACES_H

#include "common/base.h"
#include "common/err.h"
#include "node/workspace/namespace.h"
#include "proto/msg.h"

#define NODE_PLACES_MAX 64u
#define NODE_PLACES_FILE "places"
#define NODE_WORKSPACE_ID_FILE ".reeve/workspace-id"
#define NODE_WORKSPACE_ID_BYTES_MAX 128u

struct node_map_rule {
	struct rv_str from, to; /* absolute, without a slash at the end (but "/") */
};

struct node_place {
	uint64_t key;             /* of its namespace root, for cookies; 0: our own */
	char *id, *asked;         /* of the workspace and its root as asked for; NULL: our own, or only remembered */
	char *root_text;          /* what `namespaces` borrows; NULL: our own */
	char *workspace_text;
	struct rv_str workspace;  /* here; "" = none */
	struct node_namespaces namespaces;
	uint64_t checked_us;      /* when the id was seen last */
};

struct node_places {
	struct node_place own;
	struct node_place *items[NODE_PLACES_MAX];
	uint32_t count;
	const struct node_map_rule *rules; /* borrowed */
	uint32_t rule_count;
	struct rv_str state_dir;           /* borrowed; "" = nothing is kept */
};

/* `workspace` and `namespace_root` of our own place, borrowed. Reads STATE/places. */
void node_places_init(struct node_places *p, struct rv_str workspace, struct rv_str namespace_root, struct rv_str state_dir);
void node_places_release(struct node_places *p);

/* The place of this workspace, valid until the next call; NULL: it is not here (RV_E_NOT_FOUND: `err` says what was looked for), or there are too many (RV_E_LIMIT). */
struct node_place *node_places_find(struct node_places *p, const struct proto_workspace *w, uint64_t now_us, struct rv_err *err);
/* By a cookie's key; our own where it is not known. */
struct node_place *node_places_by_key(struct node_places *p, uint64_t key);

/* "FROM=TO" of --map. */
int node_map_rule_parse(const char *text, struct node_map_rule *out, struct rv_err *err);

#endif
