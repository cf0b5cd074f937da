/* msgs.h - the one list of messages: number, name, direction, role, since which protocol version
 *
 * Tables, names and role checks come from this list; a message without a handler does not compile. Numbers are never
 * reused. What each means, every possible reply and what a late or repeated one means stands in proto/PROTOCOL.md.
 * The role says who may send it to the coordinator; what the coordinator sends has role COORD.
 */
#ifndef PROTO_MSGS_H
#define PROTO_MSGS_H

#define PROTO_VERSION 1u

/* X(number, NAME, direction, role, since) */
#define PROTO_MSGS(X)                                                                              \
	/* node -> coordinator */                                                                  \
	X(1, HELLO, TO_COORD, NODE, 1)                                                             \
	X(2, HEARTBEAT, TO_COORD, NODE, 1)                                                         \
	X(3, TAKEN, TO_COORD, NODE, 1) /* ACCEPTED of the design: the node has the attempt */      \
	X(4, REJECTED, TO_COORD, NODE, 1)                                                          \
	X(5, STARTED, TO_COORD, NODE, 1)                                                           \
	X(6, RESULT, TO_COORD, NODE, 1)                                                            \
	X(7, NOT_HERE, TO_COORD, NODE, 1)                                                          \
	X(8, RETRACTED, TO_COORD, NODE, 1)                                                         \
	X(9, ALREADY_STARTED, TO_COORD, NODE, 1)                                                   \
	X(10, BYE, TO_COORD, NODE, 1)                                                              \
	X(11, BLOB_GET, TO_COORD, NODE | PROTO_ROLE_OPERATOR, 1)                                   \
	X(12, BLOB_CHUNK, TO_COORD, NODE, 1) /* answer to BLOB_WANTED */                           \
	X(13, LOG_CHUNK, TO_COORD, NODE, 1)  /* answer to LOG_WANTED */                            \
	/* whoever holds a token -> coordinator */                                                 \
	X(14, ENROL, TO_COORD, ENROLLER, 1)                                                        \
	/* node -> coordinator */                                                                  \
	X(15, USAGE, TO_COORD, NODE, 1) /* what running attempts have used so far */               \
	/* coordinator -> node */                                                                  \
	X(32, WELCOME, TO_NODE, COORD, 1)                                                          \
	X(33, HB_ACK, TO_NODE, COORD, 1)                                                           \
	X(34, DISPATCH, TO_NODE, COORD, 1)                                                         \
	X(35, CANCEL, TO_NODE, COORD, 1)                                                           \
	X(36, RESULT_ACK, TO_NODE, COORD, 1)                                                       \
	X(37, RETRACT, TO_NODE, COORD, 1)                                                          \
	X(38, CHECKPOINT, TO_NODE, COORD, 1)                                                       \
	X(39, DRAIN, TO_NODE, COORD, 1)                                                            \
	X(40, GOAWAY, TO_NODE, COORD, 1)                                                           \
	X(41, BLOB_WANTED, TO_NODE, COORD, 1)                                                      \
	X(42, BLOB_DATA, TO_NODE, COORD, 1)  /* answer to a node's BLOB_GET */                     \
	X(43, LOG_WANTED, TO_NODE, COORD, 1)                                                       \
	/* client -> coordinator: each carries a request number of the client's, which the answer repeats */ \
	X(64, ASK, TO_COORD, OPERATOR, 1)                                                          \
	X(65, FACTS, TO_COORD, OPERATOR, 1)                                                        \
	X(66, ACT, TO_COORD, OPERATOR, 1)                                                          \
	X(67, SUBMIT_BEGIN, TO_COORD, OPERATOR, 1)                                                 \
	X(68, SUBMIT_DATA, TO_COORD, OPERATOR, 1)                                                  \
	X(69, SUBMIT_COMMIT, TO_COORD, OPERATOR, 1)                                                \
	X(70, LOG, TO_COORD, OPERATOR, 1)                                                          \
	X(71, TOKEN_CREATE, TO_COORD, OPERATOR, 1)                                                 \
	X(72, REVOKE, TO_COORD, OPERATOR, 1)                                                       \
	/* coordinator -> client */                                                                \
	X(96, ROWS, TO_CLIENT, COORD, 1)                                                           \
	X(97, FACT_ROWS, TO_CLIENT, COORD, 1)                                                      \
	X(98, DONE, TO_CLIENT, COORD, 1)                                                           \
	X(99, REFUSED, TO_CLIENT, COORD, 1)                                                        \
	X(100, SUBMITTED, TO_CLIENT, COORD, 1)                                                     \
	X(101, LOG_BYTES, TO_CLIENT, COORD, 1)                                                     \
	X(102, BLOB_BYTES, TO_CLIENT, COORD, 1)                                                    \
	X(103, TOKEN_CREATED, TO_CLIENT, COORD, 1)                                                 \
	X(104, ENROLLED, TO_CLIENT, COORD, 1)

enum proto_direction { PROTO_TO_COORD, PROTO_TO_NODE, PROTO_TO_CLIENT };

/* Bits: a peer may have several, and a message may be for several. */
enum proto_role {
	PROTO_ROLE_NODE = 1u << 0,
	PROTO_ROLE_COORD = 1u << 1,
	PROTO_ROLE_OPERATOR = 1u << 2,
	PROTO_ROLE_ENROLLER = 1u << 3, /* knows a token's key, and may do nothing but ENROL */
};

enum proto_msg_kind {
	PROTO_NONE = 0,
#define X(number, name, direction, role, since) PROTO_##name = (number),
	PROTO_MSGS(X)
#undef X
};

#endif
