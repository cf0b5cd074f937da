/* transfer.h - pulling blobs from a peer, piece by piece, into a blob store
 *
 * Both sides name bytes by digest and pull what they lack: the coordinator what a RESULT names (BLOB_WANTED, answered by
 * BLOB_CHUNK), a node what a DISPATCH names (BLOB_GET, answered by BLOB_DATA). A struct proto_transfer is the pulling side of
 * one peer. It opens no socket and reads no clock: it says which requests are to be sent, is told which pieces came, and says
 * which sets of blobs are complete. proto_blob_serve() is the other side: a piece for a request.
 *
 *   proto_transfer_want()      a set of blobs, under a tag of the caller's; 0: all are there already
 *   proto_transfer_ask()       until it gives 0: send each request it gives
 *   proto_transfer_on_piece()  for every piece that came
 *   proto_transfer_ended()     until it gives 0: sets that are complete, or will not be
 *   proto_transfer_relinked()  the link was lost and is up again: what was asked is asked anew, from where it stood
 *
 * Ask and ended are worth calling after any of the others, and at proto_transfer_next_deadline(). Blobs are pulled in the order they
 * were wanted, several at a time; one that several sets want is pulled once. A blob is in the store under its digest only when its bytes
 * have that digest, and (with RV_BLOBS_SYNC) are on the disk.
 *
 * Bounds: blobs_max wanted at a time, blob_bytes_max each, PROTO_TRANSFER_WINDOW_BYTES asked for and not arrived (from one piece after
 * silence, doubling as pieces come, so that a slow link is not flooded with repeats), PROTO_TRANSFER_OPEN_MAX files. A piece that was not
 * asked for, or whose size, place or bytes are not what they should be, changes nothing or fails its blob; it never ends the process.
 *
 * Ownership: the store is borrowed for the struct's life. A struct belongs to one thread.
 */
#ifndef PROTO_TRANSFER_H
#define PROTO_TRANSFER_H

#include "common/err.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "proto/client_msg.h"
#include "proto/msg.h"

#define PROTO_TRANSFER_WINDOW_BYTES ((uint64_t)2 << 20)
#define PROTO_TRANSFER_OPEN_MAX 4u         /* blobs of more than one piece that are written at a time */
#define PROTO_TRANSFER_BLOBS_MAX 65536u    /* default of blobs_max */
#define PROTO_TRANSFER_RESEND_US 5000000u  /* nothing heard for so long: ask again; doubles up to ... */
#define PROTO_TRANSFER_RESEND_US_MAX 60000000u

struct proto_transfer;

struct proto_transfer_config {
	struct rv_blobs *blobs;
	uint32_t blobs_max;
	uint64_t blob_bytes_max;     /* larger ones are refused: RV_E_LIMIT */
	uint64_t resend_us;
};

struct proto_blob_ref {
	uint8_t digest[PROTO_DIGEST_BYTES];
	uint64_t bytes;              /* UINT64_MAX: not known */
};

void proto_transfer_config_init(struct proto_transfer_config *cfg, struct rv_blobs *blobs);
struct proto_transfer *proto_transfer_create(const struct proto_transfer_config *cfg); /* NULL: no memory */
void proto_transfer_destroy(struct proto_transfer **t); /* what was half pulled is dropped; nothing is told */

/* 0: all are in the store, the tag is not used; 1: pulling, proto_transfer_ended() will name the tag; -1: refused (RV_E_LIMIT: a blob too large,
 * or too many wanted; RV_E_IO...: the store) and nothing has changed. `tag` is in no other set that is not over. */
int proto_transfer_want(struct proto_transfer *t, uint64_t tag, const struct proto_blob_ref *refs, uint32_t count, struct rv_err *err);
/* The set is not wanted any more: it will not be named. Blobs that no set wants are given up. false: there is no such set. */
bool proto_transfer_drop(struct proto_transfer *t, uint64_t tag);

/* 1: send this (get->request is the transfer's own count); 0: nothing now. */
int proto_transfer_ask(struct proto_transfer *t, uint64_t now_us, struct proto_blob_get *get);
/* false: nobody asked for it (late, repeated): counted. */
bool proto_transfer_on_piece(struct proto_transfer *t, const struct proto_blob_piece *piece, uint64_t now_us);
void proto_transfer_relinked(struct proto_transfer *t, uint64_t now_us);

struct proto_transfer_end {
	uint64_t tag;
	struct rv_err err;           /* err.code RV_OK: all of it is in the store; RV_E_NOT_FOUND: the peer has it not; RV_E_CORRUPT, RV_E_NO_SPACE... */
};

int proto_transfer_ended(struct proto_transfer *t, struct proto_transfer_end *end);
uint64_t proto_transfer_next_deadline(const struct proto_transfer *t); /* RV_NEVER: nothing is waited for */

struct proto_transfer_stats {
	uint64_t blobs, bytes;       /* pulled */
	uint64_t asked, repeated;    /* requests; those of them that had to be made again */
	uint64_t unasked;            /* pieces that nobody waited for */
	uint32_t wanted;             /* blobs that are not there yet */
	uint32_t sets;
};

void proto_transfer_stats(const struct proto_transfer *t, struct proto_transfer_stats *out);

/* What messages name, appended to `refs`, a buffer of struct proto_blob_ref. A result: output, tail, artifacts (but those whose digest is zeros:
 * nobody has their bytes); a dispatch: spec, deps, and the
 * outputs of deps that it holds itself. -1: no memory. */
int proto_result_blobs(const struct proto_result *r, struct rv_buf *refs);
int proto_dispatch_blobs(const struct proto_dispatch *d, struct rv_buf *refs);
int proto_deps_blobs(const struct proto_dep *deps, uint32_t count, struct rv_buf *refs);

/* The answer to a request: PROTO_PIECE_BYTES_MAX bytes from get->offset, fewer only at the end; size UINT64_MAX where there is no such blob.
 * `room` holds PROTO_PIECE_BYTES_MAX bytes; piece->bytes borrows from it. -1: the store cannot be read. */
int proto_blob_serve(struct rv_blobs *blobs, const struct proto_blob_get *get, char *room, struct proto_blob_piece *piece, struct rv_err *err);

#endif
