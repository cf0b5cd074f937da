/* node_script.h - a node core driven by lines of words: feed an event, match all of its effects as text
 *
 * An effect is "NAME slot" (by slot) or "NAME unit.attempt" (a message), with its detail in brackets; effects are
 * joined by "; ". Every step is followed by the core's audit. What a step emitted and the test did not expect fails it.
 */
#ifndef TESTS_CORE_NODE_SCRIPT_H
#define TESTS_CORE_NODE_SCRIPT_H

#include "tests/lib/noalloc.h"
#include "tests/lib/test.h"

#include "node/core/io.h"

#define RUN_ID 77u
#define SEC ((uint64_t)RV_US_PER_S)

struct script {
	struct node_core *core;
	struct node_core_config cfg;
	struct node_effect items[256];
	struct node_effects out;
	uint64_t now_us;
	uint64_t epoch, session;
	struct rv_str cluster; /* that WELCOME states */
	uint32_t dispatch_flags; /* proto_dispatch_flag, of what is dispatched */
	char said[8192];
};

static inline void script_name(struct script *s, const struct node_effect *fx)
{
	static const char *const names[] = {
		[NODE_FX_HELLO] = "HELLO", [NODE_FX_HELD] = "HELD", [NODE_FX_HEARTBEAT] = "HEARTBEAT", [NODE_FX_TAKEN] = "TAKEN",
		[NODE_FX_REJECTED] = "REJECTED", [NODE_FX_STARTED] = "STARTED", [NODE_FX_RESULT] = "RESULT", [NODE_FX_NOT_HERE] = "NOT_HERE",
		[NODE_FX_RETRACTED] = "RETRACTED", [NODE_FX_ALREADY_STARTED] = "ALREADY_STARTED", [NODE_FX_BYE] = "BYE",
		[NODE_FX_PREPARE] = "prepare", [NODE_FX_SPAWN] = "spawn", [NODE_FX_WARDEN_RETRACT] = "warden_retract", [NODE_FX_KILL] = "kill",
		[NODE_FX_FREEZE] = "freeze", [NODE_FX_THAW] = "thaw", [NODE_FX_COLLECT] = "collect", [NODE_FX_RESULT_OF] = "result_of",
		[NODE_FX_FORGET] = "forget", [NODE_FX_RECONNECT] = "reconnect", [NODE_FX_STOPPED] = "stopped",
	};
	size_t at = strlen(s->said), room = sizeof(s->said) - at;
	char *to = s->said + at;

	if (at) {
		(void)snprintf(to, room, "; ");
		to += 2, room -= 2;
	}
	switch (fx->kind) {
	case NODE_FX_HELLO:
		(void)snprintf(to, room, "HELLO %u%s", fx->hello.held_count, fx->hello.last ? " last" : "");
		break;
	case NODE_FX_HELD:
		(void)snprintf(to, room, "HELD %u.%u[%s]", fx->key.unit, fx->key.attempt,
			       ((const char *const[]){ "queued", "running", "frozen", "finished" })[fx->held.state]);
		break;
	case NODE_FX_HEARTBEAT:
		(void)snprintf(to, room, "HEARTBEAT %llu[sent %llu received %llu load %llu]", (unsigned long long)fx->heartbeat.n,
			       (unsigned long long)fx->heartbeat.sent, (unsigned long long)fx->heartbeat.received, (unsigned long long)fx->heartbeat.load);
		break;
	case NODE_FX_REJECTED:
		(void)snprintf(to, room, "REJECTED %u.%u[%s]", fx->key.unit, fx->key.attempt,
			       ((const char *const[]){ "?", "full", "no_workspace", "no_space", "stale", "draining", "bad_spec" })[fx->why]);
		break;
	case NODE_FX_KILL:
		(void)snprintf(to, room, "kill %u[%s]", fx->slot, fx->kill.grace_us == RV_NEVER ? "own grace" : fx->kill.grace_us == 0 ? "now" : "grace");
		break;
	case NODE_FX_RESULT_OF:
		(void)snprintf(to, room, "result_of %u[%s%s]", fx->slot,
			       fx->result_of.outcome == PROTO_CANCELLED ? "cancelled" :
			       fx->result_of.reason == PROTO_REASON_WARDEN_LOST ? "warden_lost" : "?",
			       fx->result_of.started ? " started" : "");
		break;
	case NODE_FX_BYE:
	case NODE_FX_RECONNECT:
	case NODE_FX_STOPPED:
		(void)snprintf(to, room, "%s", names[fx->kind]);
		break;
	case NODE_FX_PREPARE:
	case NODE_FX_SPAWN:
	case NODE_FX_WARDEN_RETRACT:
	case NODE_FX_FREEZE:
	case NODE_FX_THAW:
	case NODE_FX_COLLECT:
	case NODE_FX_FORGET:
		(void)snprintf(to, room, "%s %u", names[fx->kind], fx->slot);
		break;
	default:
		(void)snprintf(to, room, "%s %u.%u", names[fx->kind], fx->key.unit, fx->key.attempt);
	}
}

/* One step, its effects added to what was said. */
static inline void script_step(struct script *s, struct node_event ev)
{
	uint32_t i;

	ev.now_us = s->now_us;
	s->out.count = 0;
	noalloc_begin();
	node_core_step(s->core, &ev, &s->out);
	noalloc_end();
	node_core_audit(s->core);
	for (i = 0; i < s->out.count; i++)
		script_name(s, &s->out.items[i]);
}

/* The TURN after a batch of events, again as often as the core asks. */
static inline void script_turn(struct script *s)
{
	do {
		script_step(s, (struct node_event){ .kind = NODE_EV_TURN });
	} while (s->out.again);
}

static inline void expect(struct script *s, const char *want)
{
	if (strcmp(s->said, want)) {
		print_error("said \"%s\"\nwant \"%s\"\n", s->said, want);
		fail();
	}
	s->said[0] = '\0';
}

static inline struct proto_attempt_key key_of(uint32_t unit, uint32_t attempt)
{
	return (struct proto_attempt_key){ .run = RUN_ID, .unit = unit, .attempt = attempt };
}

static inline void script_open_gathering(struct script *s, uint64_t slots, uint64_t gather_us)
{
	*s = (struct script){ .now_us = 100 * SEC, .epoch = 1 };
	s->out = (struct node_effects){ .items = s->items, .capacity = RV_ARRAY_LEN(s->items) };
	node_core_config_init(&s->cfg);
	s->cfg.slots = slots;
	s->cfg.agent_slots = 1;
	s->cfg.attempts_max = 64;
	s->cfg.prefetch_max = 8;
	s->cfg.gather_us = gather_us;
	s->cfg.tell_us = gather_us ? SEC : 0; /* TAKEN and STARTED are not what these tests are about */
	s->cfg.gather_max = 3;
	s->core = node_core_create(&s->cfg);
	assert_non_null(s->core);
}

static inline void script_open(struct script *s, uint64_t slots)
{
	script_open_gathering(s, slots, 0);
}

static inline void script_close(struct script *s)
{
	node_core_destroy(&s->core);
	assert_null(s->core);
	node_core_destroy(&s->core);
}

static inline void ev_connected(struct script *s)
{
	script_step(s, (struct node_event){ .kind = NODE_EV_CONNECTED });
	script_turn(s);
}

static inline void ev_welcome(struct script *s)
{
	struct proto_welcome w = { .epoch = s->epoch, .session = ++s->session, .heartbeat_us = 2 * SEC, .cluster = s->cluster };

	script_step(s, (struct node_event){ .kind = NODE_EV_WELCOME, .welcome = &w });
}

static inline void ev_verdict(struct script *s, uint32_t unit, uint32_t attempt, enum proto_verdict verdict)
{
	struct proto_held_verdict v = { .key = key_of(unit, attempt), .verdict = verdict, .lease_us = 54 * SEC };

	script_step(s, (struct node_event){ .kind = NODE_EV_VERDICT, .verdict = &v });
}

/* A core that was welcomed. */
static inline void script_up(struct script *s, uint64_t slots)
{
	script_open(s, slots);
	ev_connected(s);
	expect(s, "HELLO 0 last");
	ev_welcome(s);
	script_turn(s);
	expect(s, "");
}

static inline void dispatch_for(struct script *s, uint32_t unit, uint32_t attempt, enum proto_agent_kind kind, uint32_t flags, uint64_t cpus,
				uint64_t lease_us)
{
	struct proto_dispatch d = { .key = key_of(unit, attempt), .epoch = s->epoch, .try_number = 1, .lease_us = lease_us, .flags = s->dispatch_flags };
	struct node_event ev = { .kind = NODE_EV_DISPATCH };

	ev.dispatch.dispatch = &d;
	ev.dispatch.agent_kind = kind;
	ev.dispatch.flags = flags;
	ev.dispatch.cpus = cpus;
	ev.dispatch.mock_delay_us = SEC;
	script_step(s, ev);
}

static inline void dispatch(struct script *s, uint32_t unit, uint32_t attempt, enum proto_agent_kind kind, uint32_t flags, uint64_t cpus)
{
	dispatch_for(s, unit, attempt, kind, flags, cpus, 54 * SEC);
}

static inline void ev_slot(struct script *s, enum node_event_kind kind, uint32_t slot)
{
	script_step(s, (struct node_event){ .kind = kind, .slot = slot });
}

static inline void ev_cancel(struct script *s, uint32_t unit, uint32_t attempt, uint64_t grace_us)
{
	struct proto_cancel c = { .key = key_of(unit, attempt), .epoch = s->epoch, .grace_us = grace_us, .reason = PROTO_REASON_CANCELLED };

	script_step(s, (struct node_event){ .kind = NODE_EV_CANCEL, .cancel = &c });
}

static inline void ev_retract(struct script *s, uint32_t unit, uint32_t attempt)
{
	script_step(s, (struct node_event){ .kind = NODE_EV_RETRACT, .key = key_of(unit, attempt) });
}

static inline void ev_ack(struct script *s, uint32_t unit, uint32_t attempt, enum proto_ack ack)
{
	struct proto_result_ack a = { .key = key_of(unit, attempt), .ack = ack };

	script_step(s, (struct node_event){ .kind = NODE_EV_RESULT_ACK, .result_ack = &a });
}

static inline void ev_hb_ack(struct script *s, uint64_t n, bool want_table)
{
	struct proto_hb_ack a = { .session = s->session, .n = n, .heartbeat_us = 2 * SEC, .want_table = want_table };

	script_step(s, (struct node_event){ .kind = NODE_EV_HB_ACK, .hb_ack = &a });
}

/* Brings a command attempt into the state RUNNING; its slot. */
static inline uint32_t running(struct script *s, uint32_t unit, uint32_t attempt, uint32_t flags)
{
	uint32_t slot;

	dispatch(s, unit, attempt, PROTO_AGENT_COMMAND, flags, 1);
	slot = node_core_find(s->core, key_of(unit, attempt));
	ev_slot(s, NODE_EV_PREPARED, slot);
	ev_slot(s, NODE_EV_STARTED, slot);
	script_turn(s);
	s->said[0] = '\0';
	return slot;
}

/* Beats and acknowledges until `until_us`, so that the session lives. */
static inline void beat_until(struct script *s, uint64_t until_us)
{
	while (s->now_us < until_us) {
		s->now_us += 2 * SEC;
		script_turn(s);
		if (!strncmp(s->said, "HEARTBEAT ", 10))
			ev_hb_ack(s, strtoull(s->said + 10, NULL, 10), false);
		s->said[0] = '\0';
	}
}

#endif
