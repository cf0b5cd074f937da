#include "node/daemon_state.h"

#include "common/check.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/host.h"
#include "common/os/keys.h"
#include "node/agents/mock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INCARNATION_FILE "incarnation"
#define ENDED_WORD " ended"
#define PARTS_DIR "parts"
#define DIGEST_BYTES_A_TURN ((uint64_t)8 << 20)
#define HANDED_BYTES_A_TURN ((uint64_t)8 << 20)

/* --- life -------------------------------------------------------------------------------------------------------------- */

/* Most short units end before it is told that they were taken: one frame less each. Nobody waits for the word sooner: a DISPATCH is
 * repeated after a second. */
#define TELL_US 20000u

void node_daemon_config_init(struct node_daemon_config *cfg)
{
	*cfg = (struct node_daemon_config){ .mode = NODE_MODE_RUN, .slots = 1, .agent_slots = 8, .prefetch_max = RV_PREFETCH_MAX };
}

static int copy_text(struct rv_arena *a, struct rv_str *s)
{
	if (!s->bytes)
		return 0;
	*s = rv_arena_str(a, *s);
	return s->at ? 0 : -1;
}

/* ROOT of namespaces: as told, else below the workspace, else below our own state. */
static int default_root(struct node_daemon *d)
{
	struct rv_buf path;
	int rc;

	if (d->cfg.namespace_root.bytes)
		return copy_text(&d->arena, &d->cfg.namespace_root);
	if (!d->cfg.workspace.bytes) {
		d->cfg.namespace_root = d->cfg.state_dir;
		return 0;
	}
	rv_buf_init(&path, 0);
	rv_buf_put_str(&path, d->cfg.workspace);
	rc = rv_buf_puts(&path, "/.reeve");
	d->cfg.namespace_root = rv_buf_str(&path);
	if (rc == 0)
		rc = copy_text(&d->arena, &d->cfg.namespace_root);
	rv_buf_release(&path);
	return rc;
}

/* A program that was replaced meanwhile is started in its new version. */
static int find_program(struct node_daemon *d)
{
	static const char gone[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t n;

	if (d->cfg.program.bytes)
		return copy_text(&d->arena, &d->cfg.program);
	n = readlink("/proc/self/exe", path, sizeof(path));
	if (n <= 0 || n == (ssize_t)sizeof(path))
		return 0; /* units that need it say so */
	if ((size_t)n > strlen(gone) && memcmp(path + (size_t)n - strlen(gone), gone, strlen(gone)) == 0)
		n -= (ssize_t)strlen(gone);
	d->cfg.program = rv_str(path, (size_t)n);
	return copy_text(&d->arena, &d->cfg.program);
}

static int copy_config(struct node_daemon *d, const struct node_daemon_config *cfg)
{
	struct proto_label *labels = RV_ARENA_ARRAY(&d->arena, struct proto_label, (size_t)cfg->label_count + 1);
	struct proto_named_amount *resources = RV_ARENA_ARRAY(&d->arena, struct proto_named_amount, (size_t)cfg->resource_count + 1);
	struct rv_str *names = RV_ARENA_ARRAY(&d->arena, struct rv_str, (size_t)cfg->resource_count + 1);
	struct rv_str *texts[] = { &d->cfg.name, &d->cfg.state_dir, &d->cfg.workspace, &d->cfg.plan_dir };
	int rc = labels && resources && names ? 0 : -1;

	d->cfg = *cfg;
	if (!d->cfg.prefetch_max)
		d->cfg.prefetch_max = RV_PREFETCH_MAX;
	for (size_t i = 0; i < RV_ARRAY_LEN(texts) && rc == 0; i++)
		rc = copy_text(&d->arena, texts[i]);
	for (uint32_t i = 0; i < cfg->label_count && rc == 0; i++) {
		labels[i] = cfg->labels[i];
		rc = copy_text(&d->arena, &labels[i].key) | copy_text(&d->arena, &labels[i].value);
	}
	for (uint32_t i = 0; i < cfg->resource_count && rc == 0; i++) {
		resources[i] = cfg->resources[i];
		rc = copy_text(&d->arena, &resources[i].name);
		names[i] = cfg->resource_names ? cfg->resource_names[i] : RV_STR("");
		rc |= copy_text(&d->arena, &names[i]);
	}
	d->cfg.labels = labels;
	d->cfg.resources = resources;
	d->cfg.resource_names = names;
	return rc == 0 && find_program(d) == 0 ? default_root(d) : -1;
}

/* The file's line: the newest incarnation, and whether it ended its units by itself. */
static int write_incarnation(int fd, uint64_t incarnation, bool ended, struct rv_err *err)
{
	char line[40];
	int rc = snprintf(line, sizeof(line), "%llu%s\n", (unsigned long long)incarnation, ended ? ENDED_WORD : "");

	return rv_file_write_at(fd, INCARNATION_FILE, rv_str(line, (size_t)rc), 0600, RV_FILE_NOSYNC, err);
}

/* One more than any daemon of this state directory had, and not less than the seconds since 1970: keys of attempts are
 * made of it, so it must not come again even where the directory was lost. *ended: the one before was told to end, and did. */
static int next_incarnation(const char *dir, uint64_t real_us, uint64_t *out, bool *ended, struct rv_err *err)
{
	uint64_t last = 0, now = real_us / RV_US_PER_S;
	struct rv_buf text;
	int fd, rc;

	if (rv_dir_open(dir, &fd, err) < 0)
		return -1;
	rv_buf_init(&text, 0);
	if (rv_file_read_at(fd, INCARNATION_FILE, 64, &text, NULL) == 0) {
		last = strtoull(text.at, NULL, 10);
		*ended = strstr(text.at, ENDED_WORD) != NULL;
	}
	rv_buf_release(&text);
	*out = rv_max_u64(last + 1, now) & UINT32_MAX;
	rc = write_incarnation(fd, *out, false, err);
	close(fd);
	return rc;
}

/* If it cannot be written, the next daemon takes us for dead: its units were lost then, not interrupted. */
void daemon_note_end(struct node_daemon *d)
{
	int fd;

	if (!d->cfg.state_dir.bytes || rv_dir_open(d->cfg.state_dir.at, &fd, NULL) < 0)
		return;
	(void)write_incarnation(fd, d->info.incarnation, true, NULL);
	close(fd);
}

/* What the driver declares, else what the machine has. */
static uint64_t memory_bytes(const struct node_daemon_config *cfg)
{
	struct rv_host_share host;

	for (uint32_t i = 0; i < cfg->resource_count; i++)
		if (rv_str_equal(cfg->resources[i].name, RV_STR("memory_mb")))
			return (cfg->resources[i].amount / 1000) << 20;
	rv_host_share(&host);
	return host.memory_bytes;
}

static int set_identity(struct node_daemon *d, struct rv_err *err)
{
	struct proto_node_info *info = &d->info;
	uint8_t random[12];
	char dir[4096];

	rv_random(random, sizeof(random));
	rv_hex(d->label, random, sizeof(random));
	info->name = d->cfg.name;
	memcpy(info->key, d->cfg.key, sizeof(info->key));
	rv_host_boot_id(info->boot_id);
	info->slots = d->cfg.slots;
	info->agent_slots = d->cfg.agent_slots;
	info->memory_bytes = memory_bytes(&d->cfg);
	info->abilities = PROTO_NODE_HOLDS_BEHIND;
	info->labels = d->cfg.labels;
	info->label_count = d->cfg.label_count;
	info->resources = d->cfg.resources;
	info->resource_count = d->cfg.resource_count;
	info->agents = d->cfg.found;
	info->agent_count = d->cfg.found_count;
	info->incarnation = d->real_us / RV_US_PER_S;
	if (d->cfg.state_dir.bytes >= sizeof(dir))
		return rv_fail(err, RV_E_LIMIT, "the path of the state directory has %zu bytes", d->cfg.state_dir.bytes);
	if (d->cfg.state_dir.bytes) {
		memcpy(dir, d->cfg.state_dir.at, d->cfg.state_dir.bytes);
		dir[d->cfg.state_dir.bytes] = '\0';
		if (next_incarnation(dir, d->real_us, &info->incarnation, &d->after_end, err) < 0)
			return -1;
		if (snprintf(d->collector.log_dir, sizeof(d->collector.log_dir), "%s/log", dir) >= (int)sizeof(d->collector.log_dir))
			d->collector.log_dir[0] = '\0';
	}
	d->next_key = (info->incarnation << 32) + 1;
	return 0;
}

/* What may live at once, and room for results that wait for their ack. */
static uint32_t attempts_max(const struct node_daemon_config *cfg)
{
	uint64_t slots = cfg->slots + cfg->agent_slots;

	return (uint32_t)rv_min_u64(2 * slots + cfg->prefetch_max + 1024, RV_ATTEMPTS_LIVE_MAX);
}

static int make_tables(struct node_daemon *d)
{
	uint32_t max = attempts_max(&d->cfg), slots = rv_intmap_slots(max);
	struct node_core_config core;

	node_core_config_init(&core);
	core.attempts_max = max;
	core.slots = d->cfg.slots;
	core.agent_slots = d->cfg.agent_slots;
	core.prefetch_max = d->cfg.prefetch_max;
	core.tell_us = TELL_US;
	core.gather_us = d->cfg.mode == NODE_MODE_NODE ? RV_GATHER_US : 0; /* in `run` a result costs no frame */
	core.seed = d->cfg.seed;
	d->core = node_core_create(&core);
	d->fx.items = malloc(DAEMON_EFFECTS * sizeof(d->fx.items[0]));
	d->fx.capacity = DAEMON_EFFECTS;
	d->answer_capacity = 2 * DAEMON_EFFECTS;
	d->answers = malloc(d->answer_capacity * sizeof(d->answers[0]));
	d->reader = proto_frame_reader_create();
	d->by_key_slots = calloc(slots, sizeof(d->by_key_slots[0]));
	d->forget = malloc(DAEMON_FORGET_MAX * sizeof(d->forget[0]));
	if (!d->core || !d->fx.items || !d->answers || !d->reader || !d->by_key_slots || !d->forget)
		return -1;
	rv_intmap_init(&d->by_key, d->by_key_slots, slots);
	return node_records_init(&d->records, max);
}

/* A node prunes its blobs; what the cookies of running attempts name lies apart. In `run` there is one store, which nobody prunes. */
static int open_parts(struct node_daemon *d, struct rv_err *err)
{
	char path[4200];

	d->cookies = d->cfg.blobs;
	if (d->cfg.mode != NODE_MODE_NODE || !d->cfg.blobs || !d->cfg.state_dir.bytes)
		return 0;
	(void)snprintf(path, sizeof(path), "%.*s/" PARTS_DIR, RV_STR_ARGS(d->cfg.state_dir));
	if (rv_blobs_open(&d->parts, path, RV_BLOBS_NOSYNC, 0, err) < 0)
		return -1;
	d->cookies = &d->parts;
	return 0;
}

/* Where namespaces of this dispatch's attempt are, as far as can be told before its spec is here: its workspace, or our own directory. */
static struct node_namespaces *namespaces_of(void *arg, const struct proto_dispatch *dispatch)
{
	struct node_daemon *d = arg;
	struct node_place *place = &d->preparer.places.own;

	if (dispatch->workspace.id.bytes)
		place = node_places_find(&d->preparer.places, &dispatch->workspace, d->now_us, NULL);
	return place ? &place->namespaces : NULL;
}

int node_daemon_create(const struct node_daemon_config *cfg, uint64_t now_us, struct node_daemon **out, struct rv_err *err)
{
	struct node_daemon *d = calloc(1, sizeof(*d));
	char mark[NODE_HANDED_MARK_BYTES];

	rv_check(cfg->ops.send);
	rv_check(cfg->slots > 0);
	rv_check(cfg->slots <= RV_SLOTS_MAX);
	if (!d)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the node daemon");
	d->now_us = now_us;
	d->parts.dir = -1;
	d->real_us = rv_clock_realtime_us();
	rv_arena_init(&d->arena, 0);
	rv_buf_init(&d->scratch, 0);
	rv_buf_init(&d->cookie, 0);
	node_specs_init(&d->specs);
	if (copy_config(d, cfg) < 0 || make_tables(d) < 0 || node_wire_init(&d->wire, &d->info, d->cfg.ops.send, d->cfg.arg) < 0) {
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for the node daemon");
		goto fail;
	}
	if (set_identity(d, err) < 0)
		goto fail;
	if (open_parts(d, err) < 0)
		goto fail;
	d->prepared = true;
	rv_hex(mark, d->cfg.key, sizeof(mark) / 2);
	if (node_preparer_init(&d->preparer, &d->cfg, d->label) < 0 ||
	    node_arrivals_init(&d->arrivals, d->cfg.blobs, d->cfg.mode == NODE_MODE_NODE && d->cfg.blobs) < 0 ||
	    node_arrivals_hand_over(&d->arrivals, namespaces_of, d, mark) < 0) {
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for the node daemon");
		goto fail;
	}
	d->collector.places = &d->preparer.places;
	d->collector.blobs = d->cfg.blobs;
	d->collector.cookies = d->cookies;
	d->collector.stores_artifacts = d->cfg.mode == NODE_MODE_NODE && d->cfg.blobs;
	if (!d->cfg.warden)
		daemon_warden_lost(d);
	else if (daemon_warden_greet(d, err) < 0)
		goto fail;
	*out = d;
	return 0;
fail:
	node_daemon_destroy(&d);
	return -1;
}

void node_daemon_destroy(struct node_daemon **dp)
{
	struct node_daemon *d = *dp;

	if (!d)
		return;
	*dp = NULL;
	node_records_release(&d->records);
	node_watches_release(&d->watches);
	node_specs_release(&d->specs);
	if (d->prepared) {
		node_preparer_release(&d->preparer);
		node_arrivals_release(&d->arrivals);
	}
	free(d->piece_room);
	if (d->parts.dir >= 0)
		rv_blobs_close(&d->parts);
	if (d->wire.send)
		node_wire_release(&d->wire);
	proto_frame_reader_destroy(&d->reader);
	node_core_destroy(&d->core);
	free(d->fx.items);
	free(d->answers);
	free(d->by_key_slots);
	free(d->forget);
	free(d->parked);
	rv_buf_release(&d->scratch);
	rv_buf_release(&d->cookie);
	rv_arena_release(&d->arena);
	free(d);
}

void daemon_log(const struct node_daemon *d, enum rv_log_level level, const char *event, const char *error)
{
	rv_log(d->cfg.log, level, event, "error", error, NULL);
}

void daemon_log_attempt(const struct node_daemon *d, enum rv_log_level level, const char *event, const char *error)
{
	char unit[RV_UNIT_ID_BYTES_MAX + 1], attempt[16];

	(void)snprintf(unit, sizeof(unit), "%.*s", RV_STR_ARGS(d->dispatch->unit_id));
	(void)snprintf(attempt, sizeof(attempt), "%u", d->dispatch->key.attempt);
	rv_log(d->cfg.log, level, event, "run", rv_run_id_of(d->dispatch->key.run).text, "unit", unit, "attempt", attempt, "error", error, NULL);
}

/* --- stepping ----------------------------------------------------------------------------------------------------------- */

void daemon_answer(struct node_daemon *d, enum node_event_kind kind, uint32_t slot)
{
	rv_check(d->answer_count < d->answer_capacity);
	d->answers[(d->answer_at + d->answer_count++) % d->answer_capacity] = (struct daemon_answer){ .kind = kind, .slot = slot };
}

static void step_once(struct node_daemon *d, struct node_event *ev)
{
	ev->now_us = d->now_us;
	d->fx.count = 0;
	node_core_step(d->core, ev, &d->fx);
}

static void perform(struct node_daemon *d)
{
	for (uint32_t i = 0; i < d->fx.count; i++)
		daemon_perform(d, &d->fx.items[i]);
}

static void drain_answers(struct node_daemon *d)
{
	while (d->answer_count) {
		struct daemon_answer a = d->answers[d->answer_at];
		struct node_event ev = { .kind = a.kind, .slot = a.slot };

		d->answer_at = (d->answer_at + 1) % d->answer_capacity;
		d->answer_count--;
		if (a.kind == NODE_EV_COLLECTED)
			ev.succeeded = d->records.items[a.slot].outcome == PROTO_SUCCEEDED;
		step_once(d, &ev);
		perform(d);
	}
}

/* An attempt of an earlier daemon got a slot: its record has to be there before it is collected. */
static void begin_recovered(struct node_daemon *d, struct proto_attempt_key key)
{
	uint32_t slot = node_core_find(d->core, key);
	struct node_record *rec;

	if (slot == NODE_NONE || d->records.items[slot].key.run)
		return;
	rec = node_record_begin(&d->records, slot, key, d->recovering.epoch);
	rec->warden_key = d->recovering.key;
	rec->start_us = d->recovering.start_us;
	if (d->after_end) /* what its record says was killed, that one killed */
		rec->kill_reason = PROTO_REASON_INTERRUPTED;
	rv_intmap_put(&d->by_key, rec->warden_key, slot);
	d->exited_slot = slot;
}

static void begin_mock(struct node_daemon *d, struct proto_attempt_key key)
{
	uint32_t slot = node_core_find(d->core, key);

	if (slot != NODE_NONE && d->records.items[slot].key.run == 0)
		daemon_prepare_mock(d, slot);
}

void daemon_step(struct node_daemon *d, struct node_event *ev)
{
	step_once(d, ev);
	if (ev->kind == NODE_EV_RECOVERED)
		begin_recovered(d, ev->recovered.key);
	perform(d);
	if (ev->kind == NODE_EV_DISPATCH && ev->dispatch.agent_kind == PROTO_AGENT_MOCK)
		begin_mock(d, ev->dispatch.dispatch->key);
	drain_answers(d);
}

static void set_now(struct node_daemon *d, uint64_t now_us)
{
	d->now_us = now_us;
	d->real_us = rv_clock_realtime_us();
}

static void step_plain(struct node_daemon *d, enum node_event_kind kind)
{
	struct node_event ev = { .kind = kind, .slot = NODE_NONE };

	daemon_step(d, &ev);
}

/* --- the link --------------------------------------------------------------------------------------------------------------- */

void node_daemon_connected(struct node_daemon *d, uint64_t now_us)
{
	set_now(d, now_us);
	if (d->warden_state == DAEMON_WARDEN_GREETING)
		d->connect_waits = true; /* HELLO has to tell what the warden holds */
	else
		step_plain(d, NODE_EV_CONNECTED);
}

void node_daemon_disconnected(struct node_daemon *d, uint64_t now_us)
{
	set_now(d, now_us);
	d->connect_waits = false;
	node_arrivals_void(&d->arrivals, now_us);
	step_plain(d, NODE_EV_DISCONNECTED);
}

/* The spec of a dispatch, wherever it came; NULL leaves why in spec_fault. */
static struct node_spec *spec_of(struct node_daemon *d, const struct proto_dispatch *dispatch)
{
	struct rv_buf *bytes = &d->preparer.spec_bytes;
	struct rv_str spec = dispatch->spec;

	if (dispatch->spec_blob.kind == PROTO_VALUE_BLOB) {
		rv_buf_reset(bytes);
		node_specs_new_frame(&d->specs);
		if (!d->cfg.blobs) {
			(void)rv_fail(&d->spec_fault, RV_E_NOT_FOUND, "there is no blob store to read its spec from");
			return NULL;
		}
		if (rv_blobs_get_all(d->cfg.blobs, dispatch->spec_blob.digest, RV_CONTEXT_BYTES_MAX, bytes, &d->spec_fault) < 0)
			return NULL;
		spec = rv_buf_str(bytes);
	}
	return node_specs_get(&d->specs, spec, &d->spec_fault);
}

/* Where the attempt will live. Of a node: a workspace that is found here, or its own directory; of `run`: what it was told. */
static struct node_place *place_of(struct node_daemon *d, const struct proto_dispatch *dispatch, const struct proto_spec *spec)
{
	struct node_place *own = &d->preparer.places.own, *place;
	struct rv_err err;

	if (d->cfg.mode == NODE_MODE_RUN || spec->flags & PROTO_SPEC_NO_WORKSPACE || spec->agent_kind == PROTO_AGENT_NOOP)
		return own;
	place = node_places_find(&d->preparer.places, &dispatch->workspace, d->now_us, &err);
	if (place)
		return place;
	if (spec->agent_kind == PROTO_AGENT_MOCK) /* it touches nothing there */
		return own;
	daemon_log_attempt(d, RV_LOG_WARN, "no_workspace", err.msg);
	return NULL;
}

/* What this node does not know how to do yet is refused, never left out. */
static bool executes(const struct proto_spec *s)
{
	return !node_spec_has_steps(s) || (s->agent_kind != PROTO_AGENT_MOCK && s->agent_kind != PROTO_AGENT_NOOP);
}

static void on_dispatch(struct node_daemon *d, const struct proto_msg *m, enum proto_reject_why refuse)
{
	struct node_wire_spec brief = { .agent_kind = PROTO_AGENT_COMMAND, .cpus = 1, .refuse = refuse };
	struct node_event ev;

	d->dispatch = &m->dispatch;
	d->spec = refuse ? NULL : spec_of(d, &m->dispatch);
	if (d->spec) {
		const struct proto_spec *s = &d->spec->spec;
		struct node_place *place = place_of(d, &m->dispatch, s);

		brief = (struct node_wire_spec){ .agent_kind = s->agent_kind, .flags = s->flags, .cpus = s->cpus,
						 .mock_delay_us = node_mock_fate(s, m->dispatch.try_number).after_us };
		brief.refuse = !executes(s) ? PROTO_REJECT_BAD_SPEC : place ? 0 : PROTO_REJECT_NO_WORKSPACE;
		d->preparer.place = place ? place : &d->preparer.places.own; /* the one before may be gone */
	}
	node_wire_event(m, 0, &brief, d->now_us, &ev);
	daemon_step(d, &ev);
	d->dispatch = NULL;
	d->stats.dispatched++;
}

static void arrived(struct node_daemon *d, const struct proto_msg *m)
{
	switch (node_arrivals_take(&d->arrivals, &m->dispatch)) {
	case NODE_ARRIVAL_GOES_ON:
		on_dispatch(d, m, 0);
		break;
	case NODE_ARRIVAL_FULL:
		on_dispatch(d, m, PROTO_REJECT_FULL);
		break;
	case NODE_ARRIVAL_WAITS:
		break;
	}
}

/* Said before the core, which only leaves such a link. */
static void look_at_epoch(const struct node_daemon *d, const struct proto_welcome *w)
{
	char text[160];

	if (node_core_obeys(d->core, w))
		return;
	(void)snprintf(text, sizeof(text), "the coordinator is at epoch %llu and this node has obeyed epoch %llu of the same journal: it was put back to an older copy",
		       (unsigned long long)w->epoch, (unsigned long long)node_core_epoch(d->core));
	daemon_log(d, RV_LOG_ERROR, "coordinator_of_the_past", text);
}

static void on_message(struct node_daemon *d, const struct proto_msg *m)
{
	uint32_t count = node_wire_event_count(m);
	struct node_event ev;

	if (m->kind == PROTO_DISPATCH) {
		arrived(d, m);
		return;
	}
	if (daemon_exchange(d, m))
		return;
	if (m->kind == PROTO_WELCOME) {
		look_at_epoch(d, &m->welcome);
		node_arrivals_void(&d->arrivals, d->now_us);
		node_watch_tell_anew(&d->watches);
	}
	if (m->kind == PROTO_GOAWAY && d->cfg.ops.goaway)
		d->cfg.ops.goaway(d->cfg.arg, &m->goaway);
	for (uint32_t i = 0; i < count; i++) {
		node_wire_event(m, i, NULL, d->now_us, &ev);
		daemon_step(d, &ev);
	}
	if (m->kind == PROTO_CANCEL)
		node_arrivals_void_unit(&d->arrivals, m->cancel.key);
	if (m->kind == PROTO_RETRACT)
		node_arrivals_void_unit(&d->arrivals, m->retract);
}

/* Dispatches whose wait is over. */
static void release_arrivals(struct node_daemon *d)
{
	struct rv_str frame;
	struct proto_msg m;

	while (node_arrivals_next(&d->arrivals, &frame)) {
		node_specs_new_frame(&d->specs);
		rv_check(proto_frame_open(d->reader, frame, PROTO_TO_NODE, NULL) == 0); /* we wrote it */
		while (proto_frame_next(d->reader, &m, NULL) == 1)
			on_dispatch(d, &m, 0);
	}
}

int node_daemon_on_frame(struct node_daemon *d, struct rv_str frame, uint64_t now_us, struct rv_err *err)
{
	struct proto_msg m;
	int rc;

	set_now(d, now_us);
	d->stats.frames_in++;
	node_specs_new_frame(&d->specs);
	rc = proto_frame_open(d->reader, frame, PROTO_TO_NODE, err);
	if (rc == 0)
		while ((rc = proto_frame_next(d->reader, &m, err)) == 1)
			on_message(d, &m);
	release_arrivals(d);
	d->stats.frames_bad += rc < 0;
	return rc;
}

/* --- the warden --------------------------------------------------------------------------------------------------------------- */

int node_daemon_on_warden(struct node_daemon *d, uint64_t now_us, struct rv_err *err)
{
	set_now(d, now_us);
	if (d->warden_state == DAEMON_WARDEN_NONE)
		return rv_fail(err, RV_E_UNREACHABLE, "there is no warden");
	if (warden_client_flush(d->cfg.warden, err) == 0 && daemon_warden_frames(d, err) == 0)
		return 0;
	(void)daemon_warden_frames(d, NULL); /* what it said before it died counts */
	daemon_warden_lost(d);
	return -1;
}

bool node_daemon_wants_write(const struct node_daemon *d)
{
	return d->warden_state != DAEMON_WARDEN_NONE && warden_client_pending(d->cfg.warden);
}

void node_daemon_set_warden(struct node_daemon *d, struct warden_client *warden, uint64_t now_us)
{
	struct rv_err err = { 0 };

	rv_check(d->warden_state == DAEMON_WARDEN_NONE);
	set_now(d, now_us);
	d->cfg.warden = warden;
	if (daemon_warden_greet(d, &err) < 0) {
		daemon_log(d, RV_LOG_ERROR, "warden_lost", err.msg);
		d->warden_state = DAEMON_WARDEN_NONE;
		d->cfg.warden = NULL;
		return;
	}
	step_plain(d, NODE_EV_WARDEN_UP);
}

/* Files of what dependencies left on other nodes; dispatches that waited for them go on. */
static void hand_over(struct node_daemon *d)
{
	struct rv_err err;

	if (!node_arrivals_handing(&d->arrivals))
		return;
	if (node_arrivals_hand(&d->arrivals, HANDED_BYTES_A_TURN, &err) < 0)
		daemon_log(d, RV_LOG_WARN, "not_handed_over", err.msg);
	release_arrivals(d);
}

/* --- turns --------------------------------------------------------------------------------------------------------------------- */

/* What running agents have used since it was told last. Beside the core: the numbers only grow, and RESULT has the last of them. */
static void tell_usage(struct node_daemon *d)
{
	const struct node_watch *w;
	struct rv_err err;

	while (node_core_welcomed(d->core) && (w = node_watch_tell(&d->watches, d->now_us))) {
		struct proto_msg m = { .kind = PROTO_USAGE, .usage = { .key = w->key, .usage = w->told } };

		if (node_wire_say(&d->wire, &m, &err) < 0)
			daemon_log(d, RV_LOG_ERROR, "message_too_large", err.msg);
	}
}

void node_daemon_turn(struct node_daemon *d, uint64_t now_us)
{
	struct node_event ev = { .kind = NODE_EV_TURN, .slot = NODE_NONE };
	bool again;

	set_now(d, now_us);
	hand_over(d);
	if (d->parked_count) {
		daemon_collect_some(d, DIGEST_BYTES_A_TURN);
		drain_answers(d);
	}
	do {
		step_once(d, &ev);
		again = d->fx.again;
		perform(d);
		drain_answers(d);
	} while (again);
	tell_usage(d);
	daemon_end_stuck(d);
	daemon_exchange_ask(d);
	daemon_exchange_prune(d);
	node_wire_flush(&d->wire);
	daemon_warden_flush(d);
}

uint64_t node_daemon_next_deadline(const struct node_daemon *d)
{
	uint64_t told = node_core_welcomed(d->core) ? node_watch_deadline(&d->watches) : RV_NEVER;

	if (d->warden_state != DAEMON_WARDEN_NONE)
		told = rv_min_u64(told, node_watch_stuck_deadline(&d->watches));
	return d->parked_count || node_arrivals_handing(&d->arrivals) ? d->now_us : rv_min_u64(told, rv_min_u64(node_core_next_deadline(d->core), daemon_exchange_deadline(d)));
}

void node_daemon_stop(struct node_daemon *d, uint64_t grace_us, enum proto_reason reason, uint64_t now_us)
{
	struct node_event ev = { .kind = NODE_EV_STOP, .slot = NODE_NONE, .stop = { .grace_us = grace_us, .reason = reason } };

	set_now(d, now_us);
	daemon_step(d, &ev);
}

bool node_daemon_stopped(const struct node_daemon *d)
{
	return d->stopped;
}

uint64_t node_daemon_patience_us(const struct node_daemon *d)
{
	return node_core_patience_us(d->core);
}

void node_daemon_stats(const struct node_daemon *d, struct node_daemon_stats *out)
{
	*out = d->stats;
	out->frames_out = d->wire.frames;
	out->frames_dropped = d->wire.dropped;
	out->namespaces = d->preparer.places.own.namespaces.made;
	out->attempts = node_core_attempts(d->core);
	out->welcomed = node_core_welcomed(d->core);
}
