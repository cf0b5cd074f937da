/* msg.c - the names of things that travel */
#include "proto/msg.h"

#include "proto/codec.h"
#include "proto/record.h"

static const char *const class_names[PROTO_CLASS_COUNT] = {
	[PROTO_CLASS_NONE] = "none",
	[PROTO_CLASS_AGENT] = "agent",
	[PROTO_CLASS_TIMEOUT] = "timeout",
	[PROTO_CLASS_ENVIRONMENT] = "environment",
	[PROTO_CLASS_RATE_LIMITED] = "rate_limited",
	[PROTO_CLASS_EVIDENCE] = "evidence",
	[PROTO_CLASS_SCOPE] = "scope",
	[PROTO_CLASS_BUDGET] = "budget",
	[PROTO_CLASS_CONFIG] = "config",
	[PROTO_CLASS_NODE_LOST] = "node_lost",
};

static const char *const reason_names[PROTO_REASON_COUNT] = {
	[PROTO_REASON_NONE] = "none",
	[PROTO_REASON_EXIT] = "exit",
	[PROTO_REASON_SIGNAL] = "signal",
	[PROTO_REASON_TIMEOUT] = "timeout",
	[PROTO_REASON_IDLE_TIMEOUT] = "idle_timeout",
	[PROTO_REASON_START_TIMEOUT] = "start_timeout",
	[PROTO_REASON_QUEUE_TIMEOUT] = "queue_timeout",
	[PROTO_REASON_SPAWN] = "spawn",
	[PROTO_REASON_NOT_FOUND] = "not_found",
	[PROTO_REASON_WORKSPACE] = "workspace",
	[PROTO_REASON_NO_SPACE] = "no_space",
	[PROTO_REASON_NO_ARTIFACT] = "no_artifact",
	[PROTO_REASON_OUTPUT_NOT_JSON] = "output_not_json",
	[PROTO_REASON_RATE_LIMIT] = "rate_limit",
	[PROTO_REASON_UNKILLABLE] = "unkillable",
	[PROTO_REASON_TEMPLATE] = "template",
	[PROTO_REASON_CONTEXT_TOO_LARGE] = "context_too_large",
	[PROTO_REASON_MOCK] = "mock",
	[PROTO_REASON_CANCELLED] = "cancelled",
	[PROTO_REASON_FAIL_FAST] = "fail_fast",
	[PROTO_REASON_NOT_STARTED] = "not_started",
	[PROTO_REASON_RUN_TIMEOUT] = "run_timeout",
	[PROTO_REASON_BLOCKED] = "blocked",
	[PROTO_REASON_SKIPPED] = "skipped",
	[PROTO_REASON_SATISFIED] = "satisfied",
	[PROTO_REASON_POISONED] = "poisoned",
	[PROTO_REASON_LOST] = "lost",
	[PROTO_REASON_WARDEN_LOST] = "warden_lost",
	[PROTO_REASON_INTERRUPTED] = "interrupted",
	[PROTO_REASON_RETRACTED] = "retracted",
	[PROTO_REASON_REJECTED] = "rejected",
	[PROTO_REASON_VERIFY] = "verify",
	[PROTO_REASON_BUDGET_TOKENS] = "budget:tokens",
	[PROTO_REASON_BUDGET_COST] = "budget:cost",
	[PROTO_REASON_BUDGET_AGENT] = "budget:agent",
	[PROTO_REASON_ACCEPT] = "accept",
	[PROTO_REASON_AGENT_ERROR] = "agent_error",
	[PROTO_REASON_LOGIN] = "login",
	[PROTO_REASON_NO_CREDIT] = "no_credit",
	[PROTO_REASON_REMOVED] = "removed",
	[PROTO_REASON_NETWORK] = "network",
	[PROTO_REASON_SETUP] = "setup",
	[PROTO_REASON_REQUEST] = "request",
};

static const char *const fact_names[] = {
	[PROTO_FACT_EPOCH] = "epoch",
	[PROTO_FACT_RUN_ACCEPTED] = "run_accepted",
	[PROTO_FACT_UNITS_ADDED] = "units_added",
	[PROTO_FACT_ASSIGNED] = "assigned",
	[PROTO_FACT_ENDED] = "ended",
	[PROTO_FACT_ATTEMPT_ENDED] = "attempt_ended",
	[PROTO_FACT_RUN_STOPPED] = "run_stopped",
	[PROTO_FACT_RUN_FINISHED] = "run_finished",
	[PROTO_FACT_MUTATION] = "mutation",
	[PROTO_FACT_NODE] = "node",
	[PROTO_FACT_KEY] = "key",
	[PROTO_FACT_TOKEN] = "token",
};

const char *proto_class_name(enum proto_class c)
{
	return (unsigned)c < PROTO_CLASS_COUNT ? class_names[c] : "?";
}

const char *proto_reason_name(enum proto_reason r)
{
	return (unsigned)r < PROTO_REASON_COUNT ? reason_names[r] : "?";
}

int proto_class_of(struct rv_str name)
{
	int i;

	for (i = 0; i < PROTO_CLASS_COUNT; i++)
		if (rv_str_equal(name, rv_str_of(class_names[i])))
			return i;
	return -1;
}

const char *proto_fact_name(enum proto_fact_kind kind)
{
	if ((unsigned)kind < RV_ARRAY_LEN(fact_names) && fact_names[kind])
		return fact_names[kind];
	return "?";
}

const char *proto_msg_name(enum proto_msg_kind kind)
{
	switch (kind) {
#define X(number, name, direction, role, since)                                                    \
	case PROTO_##name:                                                                         \
		return #name;
		PROTO_MSGS(X)
#undef X
	default:
		return "?";
	}
}

enum proto_direction proto_msg_direction(enum proto_msg_kind kind)
{
	switch (kind) {
#define X(number, name, direction, role, since)                                                    \
	case PROTO_##name:                                                                         \
		return PROTO_##direction;
		PROTO_MSGS(X)
#undef X
	default:
		return PROTO_TO_COORD;
	}
}

uint32_t proto_msg_roles(enum proto_msg_kind kind)
{
	switch (kind) {
#define X(number, name, direction, role, since)                                                    \
	case PROTO_##name:                                                                         \
		return PROTO_ROLE_##role;
		PROTO_MSGS(X)
#undef X
	default:
		return 0;
	}
}
