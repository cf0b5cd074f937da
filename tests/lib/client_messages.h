/* client_messages.h - random messages of proto/client_msg.h, and whether two are the same, field by field */
#ifndef TESTS_LIB_CLIENT_MESSAGES_H
#define TESTS_LIB_CLIENT_MESSAGES_H

#include "proto/msg.h"
#include "tests/lib/proto_maker.h"

bool client_message_is(enum proto_msg_kind kind);
/* `out` is zeroed but for its kind. Kinds that are not of client_msg.h fail the test. */
void client_message_make(struct maker *m, enum proto_msg_kind kind, struct proto_msg *out);
void client_message_same(const struct proto_msg *a, const struct proto_msg *b);

#endif
