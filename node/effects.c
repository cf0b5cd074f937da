#include "node/daemon_state.h"

#include "common/check.h"
#include "node/agents/command.h"
#include "node/agents/mock.h"
#include "node/agents/noop.h"
#include "node/agents/profile.h"

#include <stdio.h>
#include <stdlib.h>

/* --- prepare -------------------------------------------------------------------------------------------------------- */

static void set_failure(struct node_daemon *d, struct node_record *rec, enum proto_class class, enum proto_reason reason, const char *why)
{
	char text[640];
	struct proto_result r = {
		.key = rec->key,
		.epoch = rec->epoch,
		.outcome = PROTO_FAILED,
		.class = class,
		.reason = reason,
		.exit = -1,
		.end_us = d->real_us,
	};
	int n = snprintf(text, sizeof(text), "unit \"%.*s\": %s", RV_STR_ARGS(d->dispatch->unit_id), why);

	r.error = rv_str(text, rv_min_u64((uint64_t)n, sizeof(text) - 1));
	node_record_set_result(rec, &r);
}

static void give_back(struct node_daemon *d, const struct node_record *rec)
{
	if (rec->holds_resources)
		node_holdings_give_back(&d->preparer.holdings, rec->warden_key);
}

/* What an agent with a profile prints is read from the first byte on. */
static void watch(struct node_daemon *d, const struct node_record *rec)
{
	const struct proto_spec *spec = &d->spec->spec;
	const struct node_profile *profile = node_profile_of(spec->agent_kind);

	if (profile)
		node_watch_begin(&d->watches, rec->warden_key, rec->key, profile->format, spec->idle_timeout_us);
}

static int make_spawn(struct node_daemon *d, struct node_record *rec, struct node_failure *why)
{
	struct warden_spawn spawn;
	struct node_scene scene;
	int rc;

	rec->warden_key = d->next_key++;
	if (node_scene_set(&d->preparer, d->spec, d->dispatch, rec->warden_key, d->real_us, &scene, why) < 0)
		return -1;
	rc = node_command_spawn(&d->preparer, &scene, &spawn, why);
	node_scene_end(&scene);
	if (rc < 0)
		return -1;
	rv_buf_reset(&d->cookie);
	if (node_cookie_write(d->spec, d->dispatch, d->preparer.place->key, d->cookies, &d->cookie, &why->err) < 0)
		return node_failure_of(why, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	spawn.key = rec->warden_key;
	spawn.cookie = rv_buf_str(&d->cookie);
	spawn.output_credit = d->cfg.ops.output || node_profile_of(d->spec->spec.agent_kind) ? DAEMON_OUTPUT_CREDIT : 0;
	rv_buf_reset(&d->scratch);
	if (warden_put_spawn(&d->scratch, &spawn) < 0) {
		(void)rv_fail(&why->err, RV_E_USAGE, "its command and environment are too large");
		return node_failure_of(why, PROTO_CLASS_CONFIG, PROTO_REASON_SPAWN);
	}
	if (node_record_keep_bytes(rec, rv_buf_str(&d->scratch)) < 0) {
		(void)rv_fail(&why->err, RV_E_NO_MEMORY, "no memory to start a unit");
		return node_failure_of(why, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_SPAWN);
	}
	return 0;
}

static void prepare(struct node_daemon *d, uint32_t slot)
{
	struct node_failure why;
	struct node_record *rec;

	rv_check(d->dispatch);
	rec = node_record_begin(&d->records, slot, d->dispatch->key, d->dispatch->epoch);
	if (!d->spec) {
		daemon_log_attempt(d, RV_LOG_WARN, "not_prepared", d->spec_fault.msg);
		set_failure(d, rec, PROTO_CLASS_ENVIRONMENT, PROTO_REASON_WORKSPACE, d->spec_fault.msg);
		daemon_answer(d, NODE_EV_PREPARE_FAILED, slot);
		return;
	}
	rec->agent_kind = (uint8_t)d->spec->spec.agent_kind;
	rec->holds_resources = d->spec->spec.resource_count > 0;
	if (make_spawn(d, rec, &why) < 0) {
		daemon_log_attempt(d, RV_LOG_WARN, "not_prepared", why.err.msg);
		give_back(d, rec);
		rec->warden_key = 0;
		set_failure(d, rec, why.class, why.reason, why.err.msg);
		daemon_answer(d, NODE_EV_PREPARE_FAILED, slot);
		return;
	}
	watch(d, rec);
	daemon_answer(d, NODE_EV_PREPARED, slot);
}

void daemon_prepare_mock(struct node_daemon *d, uint32_t slot)
{
	struct node_record *rec = node_record_begin(&d->records, slot, d->dispatch->key, d->dispatch->epoch);
	struct rv_err err = { 0 };

	rec->agent_kind = PROTO_AGENT_MOCK;
	rec->start_us = d->real_us;
	rv_buf_reset(&d->scratch);
	if (node_mock_prepare(&d->preparer, d->spec, d->dispatch, d->cookies, d->next_key++, d->real_us, &d->scratch, &err) < 0 ||
	    node_record_keep_bytes(rec, rv_buf_str(&d->scratch)) < 0)
		daemon_log(d, RV_LOG_ERROR, "mock_not_prepared", err.msg); /* it has nothing to hold: it fails when it is due */
}

/* --- collect ---------------------------------------------------------------------------------------------------------- */

static void store(struct node_record *rec, struct node_collect *c)
{
	node_record_set_result(rec, node_collect_result(c, NULL));
}

/* Its artifacts are large: they are digested a slice a turn. */
static bool park(struct node_daemon *d, uint32_t slot, struct node_record *rec, struct node_collect *c)
{
	struct node_collect *kept;

	if (d->parked_count == d->parked_capacity) {
		uint32_t capacity = d->parked_capacity ? 2 * d->parked_capacity : 16;
		uint32_t *parked = realloc(d->parked, capacity * sizeof(*parked));

		if (!parked)
			return false;
		d->parked = parked;
		d->parked_capacity = capacity;
	}
	kept = malloc(sizeof(*kept));
	if (!kept || node_collect_keep(c) < 0) {
		free(kept);
		return false;
	}
	*kept = *c;
	node_record_drop_held(rec);
	rec->held = kept;
	rec->holds = NODE_HOLDS_COLLECT;
	d->parked[d->parked_count++] = slot;
	return true;
}

/* NULL: they were not all heard. */
static struct transcript *words_of(const struct node_daemon *d, const struct node_record *rec)
{
	struct node_watch *w = node_watch_of(&d->watches, rec->warden_key);
	const struct warden_output_place *all = &d->exited->place;

	return w && !w->gap && w->next[0] == all->stdout_bytes ? &w->transcript : NULL;
}

static void collect_exit(struct node_daemon *d, uint32_t slot, struct node_record *rec)
{
	struct node_cookie cookie;
	struct node_collect c;
	struct rv_arena arena;
	struct rv_err err;

	rv_check(d->exited);
	rv_check(d->exited_slot == slot);
	if (d->exited->why == WARDEN_WHY_UNKILLABLE)
		rec->holds_resources = 0; /* TREE_GONE gives them back */
	give_back(d, rec);
	rv_arena_init(&arena, 0);
	if (node_cookie_read(d->exited->cookie, d->cookies, &arena, &cookie, &err) < 0) {
		struct proto_result r = { .key = rec->key, .epoch = rec->epoch, .outcome = PROTO_FAILED, .class = PROTO_CLASS_ENVIRONMENT,
					  .reason = PROTO_REASON_WORKSPACE, .exit = -1, .error = rv_str_of(err.msg) };

		node_record_set_result(rec, &r);
		daemon_answer(d, NODE_EV_COLLECTED, slot);
	} else if (node_collect_begin(&c, &d->collector, &cookie, d->exited, rec->kill_reason, words_of(d, rec)) || !park(d, slot, rec, &c)) {
		while (!node_collect_step(&c, UINT64_MAX))
			;
		store(rec, &c);
		node_collect_end(&c);
		daemon_answer(d, NODE_EV_COLLECTED, slot);
	}
	node_watch_end(&d->watches, rec->warden_key);
	rv_arena_release(&arena);
}

void daemon_collect_some(struct node_daemon *d, uint64_t bytes)
{
	for (uint32_t i = 0; i < d->parked_count;) {
		uint32_t slot = d->parked[i];
		struct node_record *rec = &d->records.items[slot];
		struct node_collect *c = rec->held;

		rv_check(rec->holds == NODE_HOLDS_COLLECT);
		if (!node_collect_step(c, rv_max_u64(bytes / d->parked_count, 1))) {
			i++;
			continue;
		}
		d->parked[i] = d->parked[--d->parked_count];
		rec->held = NULL; /* the result is copied out of it first */
		rec->holds = NODE_HOLDS_NOTHING;
		store(rec, c);
		node_collect_end(c);
		free(c);
		daemon_answer(d, NODE_EV_COLLECTED, slot);
	}
}

static void collect_mock(struct node_daemon *d, struct node_record *rec)
{
	struct node_collect c;

	if (rec->holds != NODE_HOLDS_BYTES) {
		rec->outcome = PROTO_FAILED;
		rec->class = PROTO_CLASS_ENVIRONMENT;
		rec->reason = PROTO_REASON_SPAWN;
		rec->end_us = d->real_us;
		return;
	}
	node_record_set_result(rec, node_mock_result(rv_str(rec->held, rec->held_bytes), &d->collector, d->real_us, &c));
	node_collect_end(&c);
}

static void collect(struct node_daemon *d, const struct node_effect *fx)
{
	struct node_record *rec = &d->records.items[fx->slot];

	if (rec->key.run == 0) { /* a no-op has no record before its end */
		rv_check(d->dispatch);
		rec = node_record_begin(&d->records, fx->slot, fx->key, d->dispatch->epoch);
		node_noop_result(rec, d->real_us);
		return;
	}
	if (rec->agent_kind == PROTO_AGENT_MOCK)
		collect_mock(d, rec);
	else
		collect_exit(d, fx->slot, rec);
}

/* --- the rest ------------------------------------------------------------------------------------------------------------ */

static void result_of(struct node_daemon *d, const struct node_effect *fx)
{
	struct node_record *rec = &d->records.items[fx->slot];

	rv_check(rec->key.run != 0);
	node_record_drop_held(rec);
	node_watch_end(&d->watches, rec->warden_key);
	rec->outcome = (uint8_t)fx->result_of.outcome;
	rec->class = (uint8_t)fx->result_of.class;
	rec->reason = (uint8_t)fx->result_of.reason;
	rec->flags = fx->result_of.started ? PROTO_RESULT_STARTED : 0;
	rec->exit = -1;
	rec->end_us = d->real_us;
}

static void spawn(struct node_daemon *d, const struct node_effect *fx)
{
	struct node_record *rec = &d->records.items[fx->slot];

	rv_check(rec->holds == NODE_HOLDS_BYTES);
	rv_check(d->warden_state != DAEMON_WARDEN_NONE);
	rv_intmap_put(&d->by_key, rec->warden_key, fx->slot);
	rv_buf_put(&d->cfg.warden->out, rec->held, rec->held_bytes);
	d->stats.spawned++;
}

static void kill_tree(struct node_daemon *d, const struct node_effect *fx)
{
	struct node_record *rec = &d->records.items[fx->slot];

	rec->kill_reason = (uint8_t)fx->kill.reason;
	rec->asked = 1;
	if (d->warden_state != DAEMON_WARDEN_NONE)
		(void)warden_put_kill(&d->cfg.warden->out, rec->warden_key, fx->kill.grace_us);
}

static void tell_key(struct node_daemon *d, const struct node_effect *fx, enum warden_msg type)
{
	struct node_record *rec = &d->records.items[fx->slot];

	rec->asked |= type == WARDEN_RETRACT;
	if (d->warden_state != DAEMON_WARDEN_NONE)
		(void)warden_put_key(&d->cfg.warden->out, type, rec->warden_key);
}

static void freeze(struct node_daemon *d, const struct node_effect *fx, bool frozen)
{
	struct node_watch *w = node_watch_of(&d->watches, d->records.items[fx->slot].warden_key);

	if (w)
		node_watch_freeze(w, frozen, d->now_us);
	tell_key(d, fx, frozen ? WARDEN_FREEZE : WARDEN_THAW);
}

void daemon_end_stuck(struct node_daemon *d)
{
	const struct node_watch *w;

	while (d->warden_state != DAEMON_WARDEN_NONE && (w = node_watch_stuck(&d->watches, d->now_us))) {
		uint32_t slot = node_core_find(d->core, w->key);

		if (slot == NODE_NONE || d->records.items[slot].warden_key != w->warden_key)
			continue;
		d->records.items[slot].kill_reason = PROTO_REASON_IDLE_TIMEOUT; /* a KILL of the core's after this has the last word */
		(void)warden_put_kill(&d->cfg.warden->out, w->warden_key, RV_NEVER);
	}
}

static void forget(struct node_daemon *d, const struct node_effect *fx)
{
	struct node_record *rec = &d->records.items[fx->slot];

	rv_check(rec->key.run != 0);
	rv_check(rec->holds != NODE_HOLDS_COLLECT);
	give_back(d, rec);
	if (rec->warden_key) {
		node_watch_end(&d->watches, rec->warden_key);
		daemon_warden_forget(d, rec->warden_key);
	}
	node_record_end(&d->records, fx->slot);
}

static void send(struct node_daemon *d, const struct node_effect *fx)
{
	struct proto_result *result = NULL;
	struct rv_err err;
	struct node_record *rec = fx->slot == NODE_NONE ? NULL : &d->records.items[fx->slot];

	if (fx->kind == NODE_FX_STARTED && rec && rec->agent_kind == PROTO_AGENT_MOCK)
		rec->start_us = d->real_us; /* it may have waited for a slot */
	if (fx->kind == NODE_FX_RESULT) {
		rv_check(rec);
		rv_check(rec->outcome);
		result = &d->wire.message.result;
		node_record_result(rec, result);
		d->stats.results++;
	}
	if (node_wire_put(&d->wire, fx, result, rec ? rec->start_us : 0, &err) < 0)
		daemon_log(d, RV_LOG_ERROR, "message_too_large", err.msg);
}

void daemon_perform(struct node_daemon *d, const struct node_effect *fx)
{
	switch (fx->kind) {
	case NODE_FX_HELLO:
	case NODE_FX_HELD:
	case NODE_FX_HEARTBEAT:
	case NODE_FX_TAKEN:
	case NODE_FX_REJECTED:
	case NODE_FX_STARTED:
	case NODE_FX_RESULT:
	case NODE_FX_NOT_HERE:
	case NODE_FX_RETRACTED:
	case NODE_FX_ALREADY_STARTED:
	case NODE_FX_BYE:
		send(d, fx);
		break;
	case NODE_FX_PREPARE:
		prepare(d, fx->slot);
		break;
	case NODE_FX_SPAWN:
		spawn(d, fx);
		break;
	case NODE_FX_WARDEN_RETRACT:
		tell_key(d, fx, WARDEN_RETRACT);
		break;
	case NODE_FX_KILL:
		kill_tree(d, fx);
		break;
	case NODE_FX_FREEZE:
		freeze(d, fx, true);
		break;
	case NODE_FX_THAW:
		freeze(d, fx, false);
		break;
	case NODE_FX_COLLECT:
		collect(d, fx);
		break;
	case NODE_FX_RESULT_OF:
		result_of(d, fx);
		break;
	case NODE_FX_FORGET:
		forget(d, fx);
		break;
	case NODE_FX_RECONNECT:
		if (d->cfg.ops.reconnect)
			d->cfg.ops.reconnect(d->cfg.arg);
		else /* a link inside the process is never down */
			daemon_answer(d, NODE_EV_CONNECTED, NODE_NONE);
		break;
	case NODE_FX_STOPPED:
		if (node_core_attempts(d->core)) /* results that nobody has acknowledged: the next daemon finds their records */
			daemon_note_end(d);
		d->stopped = true;
		break;
	}
}
