/* cookie.h - what COLLECT needs of an attempt, as the opaque bytes that the warden keeps for us
 *
 * It comes back with EXITED, in the warden's table and in exit records, so an attempt can be collected by a daemon that
 * never saw its dispatch. Little-endian, versioned; a spec whose part is too large for WARDEN_COOKIE_BYTES_MAX stands as
 * the digest of a blob that holds that part.
 */
#ifndef NODE_COOKIE_H
#define NODE_COOKIE_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "node/specs.h"
#include "proto/msg.h"

struct rv_blobs;

struct node_cookie {
	struct proto_attempt_key key;
	uint64_t epoch;
	uint32_t try_number;
	uint32_t flags;          /* proto_spec_flag */
	uint64_t lease_us;       /* that it was dispatched with; 0: not known */
	uint64_t cpus;
	uint64_t place;          /* key of where its namespace is (workspace/places.h) */
	struct rv_str unit_id;
	/* of the spec */
	enum proto_output_mode output_mode;
	enum proto_evidence_mode evidence_mode;
	enum proto_keep_logs keep_logs;
	enum proto_agent_kind agent_kind;
	bool has_steps;          /* agents/steps.h: there is a report of what each came to */
	uint64_t memory_bytes;   /* asked for; 0 none */
	uint64_t timeout_us, idle_timeout_us, start_timeout_us; /* for the sentence that names them */
	const struct rv_str *globs;
	uint32_t glob_count;
	const int32_t *rate_codes;
	uint32_t rate_code_count;
	const struct rv_str *rate_patterns;
	uint32_t rate_pattern_count;
};

/* Appends the cookie of one attempt of this spec. `blobs` may be NULL: then globs and patterns that do not fit are an error. */
int node_cookie_write(struct node_spec *spec, const struct proto_dispatch *dispatch, uint64_t place, struct rv_blobs *blobs,
		      struct rv_buf *out, struct rv_err *err);

/* Texts borrow from `bytes` or lie in `arena`, arrays in `arena` (nothing is allocated where there are none). RV_E_CORRUPT, RV_E_VERSION. */
int node_cookie_read(struct rv_str bytes, struct rv_blobs *blobs, struct rv_arena *arena, struct node_cookie *out,
		     struct rv_err *err);

/* The cookie of a unit that has no process: borrows from spec and dispatch. */
void node_cookie_of(const struct proto_spec *spec, const struct proto_dispatch *dispatch, struct node_cookie *out);

#endif
