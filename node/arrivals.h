/* arrivals.h - dispatches on their way to the core that wait for blobs they name
 *
 * A unit's spec, the outputs of its dependencies, may be blobs that are not here yet. Its DISPATCH then waits, outside the core, until they
 * have been pulled from the coordinator (proto/transfer.h); to the core it is a message that took its time. So do artifacts of dependencies that ran
 * elsewhere, which are then made files, a slice a turn, one attempt's after another's (handed.h). Others that lack nothing pass it,
 * but of one unit's dispatches the order is kept. CANCEL and RETRACT of what waits go to the core at once, which does not know the
 * attempt, says so and raises its fence; the dispatch follows and is refused there.
 *
 * A new session makes void what waits from before: HELLO did not tell of it, so the coordinator sends it again if it still wants it. What
 * is being pulled for it goes on: most likely it will be named again.
 *
 * Bounds: NODE_ARRIVALS_MAX dispatches of NODE_ARRIVALS_BYTES_MAX together; what is more is refused as full. A blob that cannot be had does
 * not keep its dispatch: preparing the attempt says what is missing.
 */
#ifndef NODE_ARRIVALS_H
#define NODE_ARRIVALS_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/list.h"
#include "common/map.h"
#include "node/handed.h"
#include "proto/codec.h"
#include "proto/transfer.h"

#define NODE_ARRIVALS_MAX 4096u
#define NODE_ARRIVALS_BYTES_MAX ((size_t)64 << 20)
#define NODE_ARRIVALS_BLOBS_MAX (16 * RV_HANDED_FILES_MAX) /* pulled at a time */

/* Where an attempt's namespace will be, valid until the next call of anything; NULL: nowhere on this node. */
typedef struct node_namespaces *node_arrivals_namespaces_fn(void *arg, const struct proto_dispatch *d);

struct node_arrivals {
	struct rv_blobs *blobs;          /* borrowed */
	struct proto_transfer *transfer; /* NULL: nothing is ever missing (one store for both sides) */
	struct rv_list waiting;          /* in order of arrival */
	struct rv_list gone;             /* the one handed out last; freed at the next call */
	uint32_t count;                  /* all of them, void ones too */
	size_t bytes;
	uint32_t ready;                  /* may be handed out now */
	uint64_t next_tag;
	struct rv_intmap by_tag, units;  /* places in `items`; how many wait of a unit */
	struct rv_intmap_slot *slots;    /* of both */
	struct node_arrival **items;
	struct proto_frame_writer writer;
	struct rv_buf refs, deps;
	struct rv_arena arena;
	/* artifacts of dependencies */
	node_arrivals_namespaces_fn *namespaces; /* NULL: none are handed over */
	void *arg;
	uint32_t copying;                /* dispatches whose blobs are here and whose files are not */
	struct node_arrival *current;    /* the one that is at it; NULL: none */
	struct proto_frame_reader *reader, *peek; /* of its frame; of others' meanwhile */
	struct proto_msg current_msg;
	const struct proto_dep *current_deps;
	uint32_t current_count, current_at;
	struct rv_buf current_bytes;     /* of dependencies that came as a blob */
	struct rv_arena current_arena;
	struct node_handing handing;
};

enum node_arrival_answer { NODE_ARRIVAL_GOES_ON, NODE_ARRIVAL_WAITS, NODE_ARRIVAL_FULL };

/* `pull`: whether blobs have to be fetched at all. -1: no memory. */
int node_arrivals_init(struct node_arrivals *a, struct rv_blobs *blobs, bool pull);
void node_arrivals_release(struct node_arrivals *a);

/* Artifacts of dependencies are handed over from now on, where `pull` was said. `mark`: node_namespace_hand_begin(). -1: no memory. */
int node_arrivals_hand_over(struct node_arrivals *a, node_arrivals_namespaces_fn *namespaces, void *arg, const char *mark);

/* A DISPATCH came. WAITS: node_arrivals_next() will give it; FULL: it is to be refused. */
enum node_arrival_answer node_arrivals_take(struct node_arrivals *a, const struct proto_dispatch *d);
/* A CANCEL or RETRACT went to the core: what waits of that unit up to this attempt follows it at once. */
void node_arrivals_void_unit(struct node_arrivals *a, struct proto_attempt_key key);
/* A new session: nothing that waits will be handed out. */
void node_arrivals_void(struct node_arrivals *a, uint64_t now_us);

/* Makes files of about `bytes` of what is to be handed over. -1: those of one dispatch could not be made, `err` says why; it goes on without them, and
 * preparing the attempt says what is missing. */
int node_arrivals_hand(struct node_arrivals *a, uint64_t bytes, struct rv_err *err);
bool node_arrivals_handing(const struct node_arrivals *a); /* there is something left to do for node_arrivals_hand() */

/* 1: the frame of one DISPATCH whose wait is over, borrowed until the next call of any of these; 0: none. */
int node_arrivals_next(struct node_arrivals *a, struct rv_str *frame);

/* What the transfer asks and gets. */
int node_arrivals_ask(struct node_arrivals *a, uint64_t now_us, struct proto_blob_get *get);
void node_arrivals_on_piece(struct node_arrivals *a, const struct proto_blob_piece *piece, uint64_t now_us);
uint64_t node_arrivals_next_deadline(const struct node_arrivals *a);

#endif
