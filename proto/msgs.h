/* msgs.h - the one list of messages: number, name, direction, role, since which protocol version
 *
 * Tables, names and role checks come from this list; a message without a handler does not compile. Numbers are never
 * reused. What each means, every possible reply and what a late or repeated one means stands in proto/PROTOCOL.md.
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
	/* coordinator -> node */                                                                  \
	X(32, WELCOME, TO_NODE, COORD, 1)                                                          \
	X(33, HB_ACK, TO_NODE, COORD, 1)                                                           \
	X(34, DISPATCH, TO_NODE, COORD, 1)                                                         \
	X(35, CANCEL, TO_NODE, COORD, 1)                                                           \
	X(36, RESULT_ACK, TO_NODE, COORD, 1)                                                       \
	X(37, RETRACT, TO_NODE, COORD, 1)                                                          \
	X(38, CHECKPOINT, TO_NODE, COORD, 1)                                                       \
	X(39, DRAIN, TO_NODE, COORD, 1)                                                            \
	X(40, GOAWAY, TO_NODE, COORD, 1)

enum proto_direction { PROTO_TO_COORD, PROTO_TO_NODE };
enum proto_role { PROTO_ROLE_NODE, PROTO_ROLE_COORD, PROTO_ROLE_OPERATOR };

enum proto_msg_kind {
	PROTO_NONE = 0,
#define X(number, name, direction, role, since) PROTO_##name = (number),
	PROTO_MSGS(X)
#undef X
};

#endif
