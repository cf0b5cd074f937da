#include "node/daemon_state.h"

#include "common/check.h"
#include "node/environment.h"

#include <stdio.h>

/* --- greeting --------------------------------------------------------------------------------------------------------- */

static int put_bases(struct node_daemon *d, struct rv_err *err)
{
	for (uint32_t base = 0; base < NODE_ENV_BASES; base++) {
		struct warden_env_base m = { .id = base };

		rv_buf_reset(&d->scratch);
		if (node_env_base(&d->cfg, base, &d->scratch, &m.env.count) < 0)
			return rv_fail(err, RV_E_NO_MEMORY, "no memory for the environment of units");
		m.env.bytes = rv_buf_str(&d->scratch);
		if (warden_put_env_base(&d->cfg.warden->out, &m) < 0)
			return rv_fail(err, RV_E_LIMIT, "the environment is too large to be handed on (%zu bytes)", d->scratch.bytes);
	}
	return 0;
}

/* Says who we are and asks what it holds; the answers come through daemon_warden_frames(). */
int daemon_warden_greet(struct node_daemon *d, struct rv_err *err)
{
	struct warden_config config = {
		.slots = (uint32_t)d->cfg.slots,
		.agent_slots = (uint32_t)d->cfg.agent_slots,
		.state_dir = d->cfg.state_dir,
		.label_prefix = rv_str_of(d->label),
	};

	d->warden_state = DAEMON_WARDEN_GREETING;
	if (warden_put_config(&d->cfg.warden->out, &config) < 0)
		return rv_fail(err, RV_E_LIMIT, "the state directory's path is too long");
	if (put_bases(d, err) < 0)
		return -1;
	(void)warden_put_empty(&d->cfg.warden->out, WARDEN_TABLE);
	return warden_client_flush(d->cfg.warden, err);
}

/* --- attempts of an earlier daemon --------------------------------------------------------------------------------------- */

static enum proto_held_state held_state(enum warden_state s)
{
	switch (s) {
	case WARDEN_STATE_QUEUED:
		return PROTO_HELD_QUEUED;
	case WARDEN_STATE_FROZEN:
		return PROTO_HELD_FROZEN;
	case WARDEN_STATE_RUNNING:
	case WARDEN_STATE_STOPPING:
		break;
	}
	return PROTO_HELD_RUNNING;
}

/* One that the core does not know: from its cookie. Records that say nothing are dropped. */
static void recover(struct node_daemon *d, uint64_t key, struct rv_str cookie_bytes, enum proto_held_state state, uint64_t start_us)
{
	struct node_event ev = { .kind = NODE_EV_RECOVERED, .slot = NODE_NONE };
	struct node_cookie cookie;
	struct rv_arena arena;
	struct rv_err err = { 0 };

	rv_arena_init(&arena, 0);
	if (node_cookie_read(cookie_bytes, d->cookies, &arena, &cookie, &err) < 0) {
		daemon_log(d, RV_LOG_WARN, "unknown_attempt", err.msg);
		if (state == PROTO_HELD_FINISHED)
			daemon_warden_forget(d, key);
		else
			(void)warden_put_kill(&d->cfg.warden->out, key, 0);
		rv_arena_release(&arena);
		return;
	}
	ev.recovered.key = cookie.key;
	ev.recovered.epoch = cookie.epoch;
	ev.recovered.state = state;
	ev.recovered.flags = cookie.flags;
	ev.recovered.cpus = cookie.cpus;
	ev.recovered.lease_us = cookie.lease_us;
	d->recovering = (struct daemon_recovering){ .key = key, .start_us = start_us, .epoch = cookie.epoch };
	daemon_step(d, &ev);
	rv_arena_release(&arena);
}

/* --- its reports ------------------------------------------------------------------------------------------------------------ */

static uint32_t slot_of(const struct node_daemon *d, uint64_t key)
{
	uint32_t slot = rv_intmap_get(&d->by_key, key);

	return slot == RV_MAP_NONE ? NODE_NONE : slot;
}

static void step_slot(struct node_daemon *d, enum node_event_kind kind, uint32_t slot)
{
	struct node_event ev = { .kind = kind, .slot = slot };

	daemon_step(d, &ev);
}

static void on_started(struct node_daemon *d, const struct warden_started *s)
{
	uint32_t slot = slot_of(d, s->key);

	if (slot == NODE_NONE)
		return;
	d->records.items[slot].start_us = s->real_us;
	if (d->records.items[slot].holds == NODE_HOLDS_BYTES)
		node_record_drop_held(&d->records.items[slot]); /* no spawn will be said again */
	step_slot(d, NODE_EV_STARTED, slot);
}

static void on_exited(struct node_daemon *d, const struct warden_exited *e)
{
	uint32_t slot = slot_of(d, e->key);

	d->exited = e;
	d->stats.exited++;
	if (slot != NODE_NONE) {
		d->exited_slot = slot;
		d->records.items[slot].asked = 0; /* whatever is still answered to a KILL or RETRACT is about nothing */
		step_slot(d, NODE_EV_EXITED, slot);
	} else if (e->recovered || d->warden_state == DAEMON_WARDEN_GREETING) {
		recover(d, e->key, e->cookie, PROTO_HELD_FINISHED, e->start_real_us);
	} else {
		daemon_warden_forget(d, e->key);
	}
	d->exited = NULL;
}

/* In answer to RETRACT it never was in the queue, or no longer is. */
static void on_not_started(struct node_daemon *d, uint64_t key)
{
	uint32_t slot = slot_of(d, key);

	if (slot == NODE_NONE || !d->records.items[slot].asked)
		return;
	d->records.items[slot].asked = 0;
	step_slot(d, NODE_EV_NOT_STARTED, slot);
}

static void on_entry(struct node_daemon *d, const struct warden_table_entry *t)
{
	if (slot_of(d, t->key) == NODE_NONE)
		recover(d, t->key, t->cookie, held_state(t->state), t->real_us);
}

static void on_output(struct node_daemon *d, const struct warden_output *o)
{
	struct node_watch *watch = node_watch_of(&d->watches, o->key);
	uint32_t slot = slot_of(d, o->key);

	if (watch)
		node_watch_feed(watch, o->stream, o->offset, o->bytes, d->now_us);
	if (slot == NODE_NONE || (!watch && !d->cfg.ops.output))
		return;
	if (d->cfg.ops.output)
		d->cfg.ops.output(d->cfg.arg, d->records.items[slot].key, o->stream, o->offset, o->bytes);
	(void)warden_put_credit(&d->cfg.warden->out, o->key, o->bytes.bytes);
}

static int on_hello(struct node_daemon *d, const struct warden_hello *h, struct rv_err *err)
{
	if (h->version != WARDEN_VERSION)
		return rv_fail(err, RV_E_VERSION, "the warden speaks version %u, this daemon %u", h->version, WARDEN_VERSION);
	if (h->trouble.bytes)
		return rv_fail(err, RV_E_IO, "the warden cannot work: %.*s", RV_STR_ARGS(h->trouble));
	if (h->label.bytes >= sizeof(d->label))
		return rv_fail(err, RV_E_VERSION, "the warden's label has %zu bytes; %zu are the most", h->label.bytes, sizeof(d->label) - 1);
	/* One that served another daemon before us keeps its label: by that it finds what escapes. */
	(void)snprintf(d->label, sizeof(d->label), "%.*s", RV_STR_ARGS(h->label));
	(void)snprintf(d->preparer.label, sizeof(d->preparer.label), "%s", d->label);
	d->info.kill_level = rv_str_of(warden_level_name(h->level));
	d->stats.level = d->info.kill_level;
	return 0;
}

static void up(struct node_daemon *d)
{
	if (d->warden_state != DAEMON_WARDEN_GREETING)
		return;
	d->warden_state = DAEMON_WARDEN_UP;
	if (d->connect_waits) {
		struct node_event ev = { .kind = NODE_EV_CONNECTED, .slot = NODE_NONE };

		d->connect_waits = false;
		daemon_step(d, &ev);
	}
}

static int on_frame(struct node_daemon *d, const struct warden_frame *f, struct rv_err *err)
{
	switch (f->type) {
	case WARDEN_HELLO:
		return on_hello(d, &f->hello, err);
	case WARDEN_STARTED:
		on_started(d, &f->started);
		break;
	case WARDEN_EXITED:
		on_exited(d, &f->exited);
		break;
	case WARDEN_RETRACTED:
	case WARDEN_UNKNOWN_KEY:
		on_not_started(d, f->kill.key);
		break;
	case WARDEN_OUTPUT:
		on_output(d, &f->output);
		break;
	case WARDEN_TABLE_ENTRY:
		on_entry(d, &f->entry);
		break;
	case WARDEN_TABLE_END:
		up(d);
		break;
	case WARDEN_TREE_GONE:
		node_holdings_give_back(&d->preparer.holdings, f->kill.key);
		break;
	default: /* ALREADY_STARTED: its STARTED says so; FROZEN, THAWED: nothing to do */
		break;
	}
	return 0;
}

int daemon_warden_frames(struct node_daemon *d, struct rv_err *err)
{
	struct warden_frame f;
	int gone, rc;

	gone = warden_client_read(d->cfg.warden, err);
	while ((rc = warden_client_next(d->cfg.warden, &f, err)) == 1)
		if (on_frame(d, &f, err) < 0)
			return -1;
	return rc < 0 || gone < 0 ? -1 : 0;
}

void daemon_warden_lost(struct node_daemon *d)
{
	struct node_event ev = { .kind = NODE_EV_WARDEN_LOST, .slot = NODE_NONE };
	char dir[4096];

	d->warden_state = DAEMON_WARDEN_NONE;
	d->forget_count = 0;
	if (d->cfg.state_dir.bytes && d->cfg.state_dir.bytes < sizeof(dir)) {
		struct rv_err err = { 0 };

		memcpy(dir, d->cfg.state_dir.at, d->cfg.state_dir.bytes);
		dir[d->cfg.state_dir.bytes] = '\0';
		if (d->cfg.warden && warden_reap_orphans(dir, &err) < 0)
			daemon_log(d, RV_LOG_ERROR, "orphans_not_ended", err.msg);
	}
	d->cfg.warden = NULL;
	daemon_step(d, &ev);
	if (d->connect_waits) {
		ev = (struct node_event){ .kind = NODE_EV_CONNECTED, .slot = NODE_NONE };
		d->connect_waits = false;
		daemon_step(d, &ev);
	}
}

/* --- forgetting --------------------------------------------------------------------------------------------------------------- */

static void put_forget(struct node_daemon *d)
{
	if (d->forget_count && d->cfg.warden)
		(void)warden_put_forget(&d->cfg.warden->out, d->forget, d->forget_count);
	d->forget_count = 0;
}

void daemon_warden_forget(struct node_daemon *d, uint64_t key)
{
	(void)rv_intmap_remove(&d->by_key, key);
	if (d->warden_state == DAEMON_WARDEN_NONE)
		return;
	if (d->forget_count == DAEMON_FORGET_MAX)
		put_forget(d);
	d->forget[d->forget_count++] = key;
}

void daemon_warden_flush(struct node_daemon *d)
{
	if (d->warden_state == DAEMON_WARDEN_NONE)
		return;
	put_forget(d);
	(void)warden_client_flush(d->cfg.warden, NULL); /* a dead warden shows when it is read */
}
