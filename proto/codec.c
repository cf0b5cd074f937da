/* codec.c - frames: the writer that gathers messages, the reader that hands them out
 *
 * A batched message is [kind, run, [item...]], DISPATCH is [DISPATCH, run, workspace, [spec...], [item...]]; every other message is
 * [kind, field...]. The fields themselves are in items.c, singles.c and clients.c, their layout stands in PROTOCOL.md.
 */
#include "proto/codec.h"

#include "common/check.h"
#include "proto/fields.h"

#include <stdlib.h>

#define FRAME_HEAD_BYTES 16u   /* array of 2^32, version */
#define MESSAGE_HEAD_BYTES 48u /* array, kind, run, array of specs, array of items; the workspace is counted apart */
#define MESSAGE_HEAD_VALUES 12u
#define WORKSPACE_VALUES 4u    /* at most */

static bool batched(enum proto_msg_kind kind)
{
	switch (kind) {
	case PROTO_TAKEN:
	case PROTO_REJECTED:
	case PROTO_STARTED:
	case PROTO_RESULT:
	case PROTO_NOT_HERE:
	case PROTO_RETRACTED:
	case PROTO_ALREADY_STARTED:
	case PROTO_USAGE:
	case PROTO_DISPATCH:
	case PROTO_CANCEL:
	case PROTO_RESULT_ACK:
	case PROTO_RETRACT:
		return true;
	default:
		return false;
	}
}

/* --- the writer ---------------------------------------------------------------------------------------------------------- */

void proto_frame_writer_init(struct proto_frame_writer *w)
{
	memset(w, 0, sizeof(*w));
	/* room past a frame's end: what is one item too long is written first, and taken back */
	rv_buf_init(&w->body, 2 * RV_FRAME_BYTES_MAX);
	rv_buf_init(&w->items, 2 * RV_FRAME_BYTES_MAX);
	rv_buf_init(&w->specs, 2 * RV_FRAME_BYTES_MAX);
	rv_buf_init(&w->workspace, PROTO_WORKSPACE_BYTES_MAX + MESSAGE_HEAD_BYTES);
	rv_buf_init(&w->workspace_room, PROTO_WORKSPACE_BYTES_MAX + MESSAGE_HEAD_BYTES);
}

void proto_frame_writer_release(struct proto_frame_writer *w)
{
	rv_buf_release(&w->body);
	rv_buf_release(&w->items);
	rv_buf_release(&w->specs);
	rv_buf_release(&w->workspace);
	rv_buf_release(&w->workspace_room);
	memset(w, 0, sizeof(*w));
}

bool proto_frame_empty(const struct proto_frame_writer *w)
{
	return w->message_count == 0 && w->open == PROTO_NONE;
}

static void reset_open(struct proto_frame_writer *w)
{
	rv_buf_reset(&w->items);
	rv_buf_reset(&w->specs);
	rv_buf_reset(&w->workspace);
	memset(w->seen, 0, sizeof(w->seen));
	w->item_count = w->spec_count = 0;
	w->open = PROTO_NONE;
	w->open_run = 0;
}

static void reset(struct proto_frame_writer *w)
{
	reset_open(w);
	rv_buf_reset(&w->body);
	w->message_count = w->value_count = 0;
}

/* The batched message that collects items becomes one of the body. */
static void close_open(struct proto_frame_writer *w)
{
	struct proto_pack p;

	if (w->open == PROTO_NONE)
		return;
	proto_pack_init(&p, &w->body);
	proto_pack_array(&p, w->open == PROTO_DISPATCH ? 5 : 3);
	proto_pack_uint(&p, w->open);
	proto_pack_uint(&p, w->open_run);
	if (w->open == PROTO_DISPATCH) {
		(void)rv_buf_put_str(&w->body, rv_buf_str(&w->workspace));
		p.values += WORKSPACE_VALUES;
		proto_pack_array(&p, w->spec_count);
		(void)rv_buf_put_str(&w->body, rv_buf_str(&w->specs)); /* a failure stays in body.failed */
	}
	proto_pack_array(&p, w->item_count);
	(void)rv_buf_put_str(&w->body, rv_buf_str(&w->items));
	w->value_count += p.values;
	w->message_count++;
	reset_open(w);
}

static bool fits(const struct proto_frame_writer *w, uint32_t more_values)
{
	size_t bytes = FRAME_HEAD_BYTES + w->body.bytes;
	uint64_t values = 2 + (uint64_t)w->value_count + more_values;

	if (w->open != PROTO_NONE) {
		bytes += MESSAGE_HEAD_BYTES + w->workspace.bytes + w->specs.bytes + w->items.bytes;
		values += MESSAGE_HEAD_VALUES;
	}
	return bytes <= RV_FRAME_BYTES_MAX && values <= RV_FRAME_VALUES_MAX;
}

static int fail_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for a message");
}

static int fail_large(enum proto_msg_kind kind, struct rv_err *err)
{
	return rv_fail(err, RV_E_LIMIT, "a %s does not fit a frame of %zu bytes", proto_msg_name(kind),
		       RV_FRAME_BYTES_MAX);
}

static int add_single(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err)
{
	struct proto_pack p;
	size_t before;
	int rc;

	close_open(w);
	if (w->body.failed)
		return fail_memory(err);
	before = w->body.bytes;
	proto_pack_init(&p, &w->body);
	rc = proto_single_pack(&p, m, err);
	if (rc == 0 && !w->body.failed && fits(w, p.values)) {
		w->value_count += p.values;
		w->message_count++;
		return 0;
	}
	w->body.bytes = before;
	w->body.failed = false;
	if (rc)
		return -1;
	return before ? 1 : fail_large(m->kind, err);
}

/* By a few of its bytes, never by its address: the same words make the same frame, in whatever memory they lie. */
static size_t seen_slot(struct rv_str spec)
{
	uint64_t h = spec.bytes, piece = 0;

	for (unsigned i = 0; i < 5 && spec.bytes >= sizeof piece; i++) {
		memcpy(&piece, spec.at + (spec.bytes - sizeof piece) * i / 4, sizeof piece);
		h = (h ^ piece) * 0x9e3779b97f4a7c15u;
	}
	return (h ^ h >> 32) % RV_ARRAY_LEN(((struct proto_frame_writer *)0)->seen);
}

/* The place of the spec in the open message's table; it is added if it is new. The writer's own copy is compared. */
static uint32_t spec_place(struct proto_frame_writer *w, struct rv_str spec, uint32_t *values)
{
	size_t slot = seen_slot(spec);
	struct proto_pack p;

	if (w->seen[slot].used && w->seen[slot].bytes == spec.bytes && memcmp(w->specs.at + w->seen[slot].offset, spec.at, spec.bytes) == 0)
		return w->seen[slot].place;
	proto_pack_init(&p, &w->specs);
	proto_pack_bin(&p, spec.at, spec.bytes);
	*values += p.values;
	w->seen[slot].used = true;
	w->seen[slot].bytes = (uint32_t)spec.bytes;
	w->seen[slot].offset = (uint32_t)(w->specs.bytes - spec.bytes);
	w->seen[slot].place = w->spec_count;
	return w->spec_count++;
}

/* Into workspace_room, as the message will have it. */
static int encode_workspace(struct proto_frame_writer *w, const struct proto_workspace *s, struct rv_err *err)
{
	struct proto_pack p;

	rv_buf_reset(&w->workspace_room);
	proto_pack_init(&p, &w->workspace_room);
	if (!s->id.bytes) {
		proto_pack_nil(&p);
	} else {
		if (s->id.bytes + s->root.bytes + s->namespace_root.bytes > PROTO_WORKSPACE_BYTES_MAX)
			return rv_fail(err, RV_E_LIMIT, "the paths of a workspace have more than %zu bytes", PROTO_WORKSPACE_BYTES_MAX);
		proto_pack_array(&p, 3);
		proto_pack_str(&p, s->id);
		proto_pack_str(&p, s->root);
		proto_pack_str(&p, s->namespace_root);
	}
	return w->workspace_room.failed ? fail_memory(err) : 0;
}

static int check_dispatch(const struct proto_dispatch *d, struct rv_err *err)
{
	if (d->spec.bytes > PROTO_SPEC_INLINE_BYTES)
		return rv_fail(err, RV_E_LIMIT, "a spec of %zu bytes inside a message; the limit is %zu",
			       d->spec.bytes, PROTO_SPEC_INLINE_BYTES);
	rv_check(d->spec_blob.kind != PROTO_VALUE_INLINE);
	rv_check(d->deps_blob.kind != PROTO_VALUE_INLINE);
	rv_check(d->dep_count == 0 || d->deps_blob.kind == PROTO_VALUE_NONE);
	return 0;
}

static int add_item(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err)
{
	size_t items_before, specs_before;
	uint32_t specs_count, place = 0, values = 0;
	struct proto_pack p;
	int rc;

	bool dispatch = m->kind == PROTO_DISPATCH;

	if (dispatch && (check_dispatch(&m->dispatch, err) || encode_workspace(w, &m->dispatch.workspace, err)))
		return -1;
	if (w->open != m->kind || w->open_run != m->taken.run ||
	    (dispatch && !rv_str_equal(rv_buf_str(&w->workspace), rv_buf_str(&w->workspace_room)))) {
		close_open(w);
		if (w->body.failed)
			return fail_memory(err);
		w->open = m->kind;
		w->open_run = m->taken.run;
		if (dispatch && rv_buf_put_str(&w->workspace, rv_buf_str(&w->workspace_room)) < 0)
			return fail_memory(err);
	}
	items_before = w->items.bytes;
	specs_before = w->specs.bytes;
	specs_count = w->spec_count;
	if (dispatch && m->dispatch.spec.bytes)
		place = spec_place(w, m->dispatch.spec, &values);
	proto_pack_init(&p, &w->items);
	rc = proto_item_pack(&p, m, place, err);
	values += p.values;
	if (rc == 0 && !w->items.failed && !w->specs.failed && fits(w, values)) {
		w->value_count += values;
		w->item_count++;
		return 0;
	}
	if (rc == 0)
		rc = w->body.bytes || items_before ? 1 : fail_large(m->kind, err);
	/* as if it had never been tried */
	w->items.bytes = items_before;
	w->specs.bytes = specs_before;
	w->items.failed = w->specs.failed = false;
	if (w->spec_count != specs_count)
		memset(w->seen, 0, sizeof(w->seen));
	w->spec_count = specs_count;
	if (w->item_count == 0)
		reset_open(w);
	return rc;
}

int proto_frame_add(struct proto_frame_writer *w, const struct proto_msg *m, struct rv_err *err)
{
	return batched(m->kind) ? add_item(w, m, err) : add_single(w, m, err);
}

int proto_frame_finish(struct proto_frame_writer *w, struct rv_buf *out)
{
	struct proto_pack p;
	int rc;

	close_open(w);
	rv_buf_reset(out);
	if (w->body.failed) {
		reset(w);
		return -1;
	}
	proto_pack_init(&p, out);
	proto_pack_array(&p, 1 + w->message_count);
	proto_pack_uint(&p, PROTO_VERSION);
	rc = rv_buf_put_str(out, rv_buf_str(&w->body));
	reset(w);
	return rc;
}

/* --- the reader ------------------------------------------------------------------------------------------------------------ */

struct proto_frame_reader {
	struct proto_cursor c;
	enum proto_direction direction;
	uint32_t messages; /* still to come */
	/* the batched message being read */
	enum proto_msg_kind kind;
	uint64_t run;
	struct proto_workspace workspace;
	uint32_t items; /* still to come */
	struct rv_str *specs;
	uint32_t spec_count, spec_room;
	struct rv_arena arena; /* arrays of the item that was handed out last */
};

struct proto_frame_reader *proto_frame_reader_create(void)
{
	struct proto_frame_reader *r = calloc(1, sizeof(*r));

	if (r)
		rv_arena_init(&r->arena, 0);
	return r;
}

void proto_frame_reader_destroy(struct proto_frame_reader **r)
{
	if (!*r)
		return;
	rv_arena_release(&(*r)->arena);
	free((*r)->specs);
	free(*r);
	*r = NULL;
}

int proto_frame_open(struct proto_frame_reader *r, struct rv_str frame, enum proto_direction direction,
		     struct rv_err *err)
{
	struct proto_scan_limits limits = PROTO_SCAN_FRAME;
	uint64_t version;

	r->messages = r->items = 0;
	r->c = (struct proto_cursor){ .failed = true };
	if (proto_scan(frame, &limits, err))
		return -1;
	r->c = proto_cursor(frame);
	r->direction = direction;
	r->messages = proto_read_array(&r->c);
	version = proto_read_uint(&r->c);
	if (r->c.failed || r->messages == 0) {
		r->c.failed = true;
		return rv_fail(err, RV_E_CORRUPT, "not a frame");
	}
	if (version != PROTO_VERSION) {
		r->c.failed = true;
		return rv_fail(err, RV_E_VERSION, "a frame of protocol version %llu; this side speaks %u",
			       (unsigned long long)version, PROTO_VERSION);
	}
	r->messages--;
	return 0;
}

static bool known(uint64_t kind)
{
	switch (kind) {
#define X(number, name, direction, role, since) case number:
		PROTO_MSGS(X)
#undef X
		return true;
	default:
		return false;
	}
}

static void read_workspace(struct proto_frame_reader *r)
{
	struct proto_workspace *w = &r->workspace;

	*w = (struct proto_workspace){ .id = { NULL, 0 } };
	if (proto_take_nil(&r->c))
		return;
	if (proto_read_array(&r->c) != 3)
		r->c.failed = true;
	w->id = proto_read_str(&r->c);
	w->root = proto_read_str(&r->c);
	w->namespace_root = proto_read_str(&r->c);
	if (w->id.bytes == 0 || w->id.bytes + w->root.bytes + w->namespace_root.bytes > PROTO_WORKSPACE_BYTES_MAX)
		r->c.failed = true;
}

static int read_specs(struct proto_frame_reader *r)
{
	uint32_t i, n = proto_part_count(&r->c, RV_FRAME_VALUES_MAX, 2);

	if (n > r->spec_room) {
		struct rv_str *more = realloc(r->specs, n * sizeof(*more));

		if (!more)
			return -1;
		r->specs = more;
		r->spec_room = n;
	}
	for (i = 0; i < n; i++) {
		r->specs[i] = proto_read_bin(&r->c);
		if (r->specs[i].bytes == 0 || r->specs[i].bytes > PROTO_SPEC_INLINE_BYTES)
			r->c.failed = true;
	}
	r->spec_count = n;
	return 0;
}

static int fail_malformed(struct proto_frame_reader *r, enum proto_msg_kind kind, struct rv_err *err)
{
	r->c.failed = true;
	r->messages = r->items = 0;
	return rv_fail(err, RV_E_CORRUPT, "malformed %s", proto_msg_name(kind));
}

/* Opens the next message: kind, and for a batched one what comes before its items. */
static int next_message(struct proto_frame_reader *r, uint32_t *fields, struct rv_err *err)
{
	uint64_t kind;

	r->messages--;
	*fields = proto_read_array(&r->c);
	kind = proto_read_uint(&r->c);
	if (r->c.failed || *fields == 0)
		return fail_malformed(r, PROTO_NONE, err);
	--*fields;
	if (!known(kind) || proto_msg_direction((enum proto_msg_kind)kind) != r->direction) {
		r->c.failed = true;
		return rv_fail(err, RV_E_CORRUPT, "message %llu is not one that this side takes",
			       (unsigned long long)kind);
	}
	r->kind = (enum proto_msg_kind)kind;
	if (!batched(r->kind))
		return 0;
	r->run = proto_read_uint(&r->c);
	r->spec_count = 0;
	if (*fields != (r->kind == PROTO_DISPATCH ? 4u : 2u))
		return fail_malformed(r, r->kind, err);
	if (r->kind == PROTO_DISPATCH) {
		read_workspace(r);
		if (read_specs(r)) {
			r->c.failed = true;
			return fail_memory(err);
		}
	}
	r->items = proto_read_array(&r->c);
	if (r->c.failed)
		return fail_malformed(r, r->kind, err);
	return 0;
}

int proto_frame_next(struct proto_frame_reader *r, struct proto_msg *m, struct rv_err *err)
{
	struct proto_reading reading = { .c = &r->c, .arena = &r->arena };
	uint32_t fields = 0;
	bool single = false;

	rv_arena_release(&r->arena);
	if (r->c.failed)
		return rv_fail(err, RV_E_CORRUPT, "malformed frame");
	while (r->items == 0) {
		if (r->messages == 0) {
			if (proto_cursor_done(&r->c))
				return 0;
			return fail_malformed(r, PROTO_NONE, err);
		}
		if (next_message(r, &fields, err))
			return -1;
		single = !batched(r->kind);
		if (single)
			break;
	}
	memset(m, 0, sizeof(*m));
	m->kind = r->kind;
	if (single) {
		proto_single_read(&reading, fields, m);
	} else {
		reading.specs = r->specs;
		reading.spec_count = r->spec_count;
		r->items--;
		proto_item_read(&reading, r->run, m);
		if (m->kind == PROTO_DISPATCH)
			m->dispatch.workspace = r->workspace;
	}
	if (r->c.failed)
		return fail_malformed(r, m->kind, err);
	return 1;
}
