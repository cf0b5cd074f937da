/* test_node_arrivals.c - dispatches that wait for blobs: order, cancels, new sessions, bounds */
#include "tests/lib/test.h"

#include "common/id.h"
#include "node/arrivals.h"
#include "tests/lib/scratch.h"

#include <stdio.h>

struct lab {
	struct rv_blobs here, there;
	struct node_arrivals a;
	struct proto_frame_reader *reader;
	char *room;
	/* artifacts of dependencies */
	struct node_namespaces n;
	char root[256];
	struct rv_buf list;
};

static struct node_namespaces *namespaces(void *arg, const struct proto_dispatch *d)
{
	struct lab *l = arg;

	assert_int_equal(d->key.run, 5);
	return rv_str_equal(d->workspace.id, RV_STR("nowhere")) ? NULL : &l->n;
}

static struct lab *lab_open(void)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct rv_err err;

	assert_non_null(l);
	if (rv_blobs_open(&l->here, scratch("here"), RV_BLOBS_NOSYNC, 0, &err) || rv_blobs_open(&l->there, scratch("there"), RV_BLOBS_NOSYNC, 0, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(node_arrivals_init(&l->a, &l->here, true), 0);
	(void)snprintf(l->root, sizeof(l->root), "%s", scratch("root"));
	node_namespaces_init(&l->n, rv_str_of(l->root));
	rv_buf_init(&l->list, 0);
	assert_int_equal(node_arrivals_hand_over(&l->a, namespaces, l, "mark"), 0);
	l->reader = proto_frame_reader_create();
	l->room = malloc(PROTO_PIECE_BYTES_MAX);
	assert_non_null(l->reader);
	assert_non_null(l->room);
	return l;
}

static void lab_close(struct lab *l)
{
	node_arrivals_release(&l->a);
	proto_frame_reader_destroy(&l->reader);
	rv_blobs_close(&l->here);
	rv_blobs_close(&l->there);
	free(l->room);
	node_namespaces_release(&l->n);
	rv_buf_release(&l->list);
	free(l);
}

static struct proto_value blob(struct lab *l, const char *text)
{
	struct proto_value v = { .kind = PROTO_VALUE_BLOB, .blob_bytes = strlen(text) };
	struct rv_err err;

	if (rv_blobs_put(&l->there, rv_str_of(text), v.digest, &err))
		fail_msg("%s", err.msg);
	return v;
}

static struct proto_dispatch plain(uint32_t unit, uint32_t attempt)
{
	return (struct proto_dispatch){ .key = { 5, unit, attempt }, .epoch = 1, .try_number = 1, .lease_us = 9, .unit_id = RV_STR("u"),
					.spec = RV_STR("spec") };
}

static struct proto_dispatch with_spec(struct lab *l, uint32_t unit, uint32_t attempt, const char *text)
{
	struct proto_dispatch d = plain(unit, attempt);

	d.spec = rv_str(NULL, 0);
	d.spec_blob = blob(l, text);
	return d;
}

static void takes(struct lab *l, struct proto_dispatch d, enum node_arrival_answer answer)
{
	assert_int_equal(node_arrivals_take(&l->a, &d), answer);
}

/* Answers everything that is asked; gives how many requests there were. */
static uint32_t pump(struct lab *l)
{
	struct proto_blob_piece piece;
	struct proto_blob_get get;
	uint32_t n = 0;

	while (node_arrivals_ask(&l->a, 1000, &get)) {
		assert_int_equal(proto_blob_serve(&l->there, &get, l->room, &piece, NULL), 0);
		node_arrivals_on_piece(&l->a, &piece, 1000);
		n++;
	}
	return n;
}

static void gives(struct lab *l, uint32_t unit, uint32_t attempt)
{
	struct rv_str frame;
	struct proto_msg m;
	struct rv_err err;

	assert_int_equal(node_arrivals_next(&l->a, &frame), 1);
	if (proto_frame_open(l->reader, frame, PROTO_TO_NODE, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(proto_frame_next(l->reader, &m, NULL), 1);
	assert_int_equal(m.kind, PROTO_DISPATCH);
	assert_int_equal(m.dispatch.key.unit, unit);
	assert_int_equal(m.dispatch.key.attempt, attempt);
	assert_int_equal(m.dispatch.lease_us, 9);
	assert_int_equal(proto_frame_next(l->reader, &m, NULL), 0);
}

static void gives_none(struct lab *l)
{
	struct rv_str frame;

	assert_int_equal(node_arrivals_next(&l->a, &frame), 0);
}

static void what_lacks_nothing_goes_on(void **state)
{
	struct lab *l = lab_open();
	struct node_arrivals shared;

	(void)state;
	takes(l, plain(1, 1), NODE_ARRIVAL_GOES_ON);
	gives_none(l);
	assert_int_equal(node_arrivals_next_deadline(&l->a), RV_NEVER);
	assert_int_equal(node_arrivals_init(&shared, NULL, false), 0); /* in `run` nothing is ever missing */
	assert_int_equal(node_arrivals_take(&shared, &(struct proto_dispatch){ .spec_blob = blob(l, "x") }), NODE_ARRIVAL_GOES_ON);
	node_arrivals_release(&shared);
	lab_close(l);
}

static void it_waits_until_all_is_here(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep deps[2] = { { .id = RV_STR("a"), .unit_id = RV_STR("a"), .output = blob(l, "output of a") },
				     { .id = RV_STR("b"), .unit_id = RV_STR("b"), .output = blob(l, "output of b") } };
	struct proto_dispatch d = with_spec(l, 1, 1, "a large spec");

	(void)state;
	d.deps = deps;
	d.dep_count = 2;
	takes(l, d, NODE_ARRIVAL_WAITS);
	gives_none(l);
	takes(l, plain(2, 1), NODE_ARRIVAL_GOES_ON); /* others pass */
	assert_int_equal(pump(l), 3);
	gives(l, 1, 1);
	gives_none(l);
	assert_int_equal(rv_blobs_find(&l->here, deps[1].output.digest, NULL, NULL), 1);
	takes(l, d, NODE_ARRIVAL_GOES_ON); /* all is here now */
	lab_close(l);
}

static void what_a_blob_of_dependencies_names_is_fetched_too(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep dep = { .id = RV_STR("a"), .unit_id = RV_STR("a"), .output = blob(l, "output of a") };
	struct proto_dispatch d = plain(1, 1);
	struct rv_buf bytes;

	(void)state;
	rv_buf_init(&bytes, 0);
	assert_int_equal(proto_deps_encode(&dep, 1, &bytes), 0);
	d.deps_blob = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .blob_bytes = bytes.bytes };
	assert_int_equal(rv_blobs_put(&l->there, rv_buf_str(&bytes), d.deps_blob.digest, NULL), 0);
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 2);
	gives(l, 1, 1);
	/* the blob of dependencies is here, the output it names is not any more */
	assert_int_equal(rv_blobs_remove(&l->here, dep.output.digest, NULL), 0);
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 1);
	gives(l, 1, 1);
	/* it makes no sense: preparing the attempt will say so */
	d.deps_blob = blob(l, "no array of dependencies");
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 1);
	gives(l, 1, 1);
	rv_buf_release(&bytes);
	lab_close(l);
}

/* A dependency on unit `unit_id`, which left `count` files elsewhere, each with the bytes of its name. */
static struct proto_dep left(struct lab *l, const char *unit_id, uint32_t count)
{
	struct proto_artifact items[64];
	char names[64][80];

	assert_true(count <= RV_ARRAY_LEN(items));
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "dir/%s-%u", unit_id, i);
		items[i] = (struct proto_artifact){ .name = rv_str_of(names[i]), .bytes = strlen(names[i]) };
		memcpy(items[i].digest, blob(l, names[i]).digest, sizeof(items[i].digest));
	}
	rv_buf_reset(&l->list);
	assert_int_equal(proto_artifacts_encode(items, count, &l->list), 0);
	return (struct proto_dep){ .id = rv_str_of(unit_id), .index = RV_MAP_NONE, .unit_id = rv_str_of(unit_id), .succeeded = true, .attempt = 1,
				   .artifacts = rv_buf_str(&l->list), .artifact_count = count };
}

static bool is_handed(const char *unit_id, const char *file)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "root/runs/%s/handed/%s/%s", rv_run_id_of(5).text, unit_id, file);
	return scratch_has(path);
}

static void hands(struct lab *l, uint64_t bytes)
{
	struct rv_err err;

	if (node_arrivals_hand(&l->a, bytes, &err) < 0)
		fail_msg("%s", err.msg);
}

static void what_dependencies_left_elsewhere_is_made_files_first(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep dep = left(l, "a", 3);
	struct proto_dispatch d = with_spec(l, 1, 1, "a large spec");

	(void)state;
	d.deps = &dep;
	d.dep_count = 1;
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_false(node_arrivals_handing(&l->a));
	assert_int_equal(pump(l), 4);
	gives_none(l);
	assert_true(node_arrivals_handing(&l->a));
	takes(l, plain(1, 2), NODE_ARRIVAL_WAITS); /* of this unit the order is kept */
	takes(l, plain(2, 1), NODE_ARRIVAL_GOES_ON);
	hands(l, 1);
	gives_none(l);
	hands(l, UINT64_MAX);
	assert_false(node_arrivals_handing(&l->a));
	assert_true(is_handed("a", "1/dir/a-2"));
	gives(l, 1, 1);
	gives(l, 1, 2);
	gives_none(l);
	d.key.unit = 3; /* it is there for others */
	takes(l, d, NODE_ARRIVAL_GOES_ON);
	lab_close(l);
}

static void two_that_want_the_same_have_it_made_once(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep dep = left(l, "a", 3);
	struct proto_dispatch d = plain(1, 1);

	(void)state;
	d.deps = &dep;
	d.dep_count = 1;
	takes(l, d, NODE_ARRIVAL_WAITS);
	d.key.unit = 2;
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 3);
	hands(l, 1);
	hands(l, UINT64_MAX);
	gives(l, 1, 1);
	gives(l, 2, 1);
	/* all blobs are here and no files: of another dependency with the same bytes */
	dep.unit_id = RV_STR("twin");
	d.key.unit = 3;
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 0);
	hands(l, UINT64_MAX);
	assert_true(is_handed("twin", "1/dir/a-0"));
	gives(l, 3, 1);
	lab_close(l);
}

static void artifacts_that_a_blob_of_dependencies_names_come_too(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep dep = left(l, "a", 40);
	struct proto_dispatch d = plain(1, 1);
	struct rv_buf bytes;

	(void)state;
	rv_buf_init(&bytes, 0);
	assert_int_equal(proto_deps_encode(&dep, 1, &bytes), 0);
	d.deps_blob = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .blob_bytes = bytes.bytes };
	assert_int_equal(rv_blobs_put(&l->there, rv_buf_str(&bytes), d.deps_blob.digest, NULL), 0);
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 41);
	hands(l, UINT64_MAX);
	assert_true(is_handed("a", "1/dir/a-39"));
	gives(l, 1, 1);
	d.key.unit = 2;
	d.workspace = (struct proto_workspace){ .id = RV_STR("nowhere"), .root = RV_STR("/w") };
	takes(l, d, NODE_ARRIVAL_GOES_ON);
	rv_buf_release(&bytes);
	lab_close(l);
}

static void a_cancel_and_a_new_session_drop_what_is_half_made(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep dep = left(l, "a", 10), again;
	struct proto_dispatch d = plain(1, 1);

	(void)state;
	d.deps = &dep;
	d.dep_count = 1;
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 10);
	hands(l, 1);
	assert_true(is_handed("a", ".1-mark"));
	node_arrivals_void_unit(&l->a, d.key);
	assert_false(node_arrivals_handing(&l->a));
	assert_false(is_handed("a", ".1-mark"));
	gives(l, 1, 1); /* it is refused by the core, which was told */
	takes(l, d, NODE_ARRIVAL_WAITS);
	hands(l, 1);
	node_arrivals_void(&l->a, 9);
	assert_false(node_arrivals_handing(&l->a));
	gives_none(l);
	assert_false(is_handed("a", "1"));
	takes(l, d, NODE_ARRIVAL_WAITS); /* in the new session */
	d.key.unit = 2;
	again = left(l, "b", 2);
	d.deps = &again;
	takes(l, d, NODE_ARRIVAL_WAITS);
	hands(l, UINT64_MAX);
	gives(l, 1, 1);
	assert_int_equal(pump(l), 2);
	hands(l, UINT64_MAX);
	gives(l, 2, 1);
	assert_true(is_handed("b", "1/dir/b-1"));
	takes(l, d, NODE_ARRIVAL_GOES_ON);
	lab_close(l);
}

static void what_cannot_be_handed_over_does_not_keep_its_dispatch(void **state)
{
	struct lab *l = lab_open();
	struct proto_dep dep = left(l, "a", 2);
	struct proto_dispatch d = plain(1, 1);
	struct rv_err err;

	(void)state;
	d.deps = &dep;
	d.dep_count = 1;
	dep.artifacts_cut = true; /* not fetched at all: preparing the attempt says so */
	takes(l, d, NODE_ARRIVAL_GOES_ON);
	dep.artifacts_cut = false;
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(rv_blobs_remove(&l->there, blob(l, "dir/a-1").digest, NULL), 0);
	assert_int_equal(pump(l), 2);
	assert_int_equal(node_arrivals_hand(&l->a, UINT64_MAX, &err), -1);
	assert_false(node_arrivals_handing(&l->a));
	assert_false(is_handed("a", "1"));
	assert_false(is_handed("a", ".1-mark"));
	gives(l, 1, 1);
	lab_close(l);
}

static void of_one_unit_the_order_is_kept(void **state)
{
	struct lab *l = lab_open();

	(void)state;
	takes(l, with_spec(l, 1, 1, "one"), NODE_ARRIVAL_WAITS);
	takes(l, plain(1, 1), NODE_ARRIVAL_WAITS);  /* sent again */
	takes(l, plain(1, 2), NODE_ARRIVAL_WAITS);
	takes(l, with_spec(l, 1, 3, "three"), NODE_ARRIVAL_WAITS);
	takes(l, plain(2, 1), NODE_ARRIVAL_GOES_ON);
	gives_none(l);
	assert_int_equal(pump(l), 2);
	gives(l, 1, 1);
	gives(l, 1, 1);
	gives(l, 1, 2);
	gives(l, 1, 3);
	gives_none(l);
	takes(l, plain(1, 4), NODE_ARRIVAL_GOES_ON);
	lab_close(l);
}

static void a_later_one_that_is_ready_first_waits_its_turn(void **state)
{
	struct lab *l = lab_open();
	struct proto_blob_get get[2];
	struct proto_blob_piece piece;

	(void)state;
	takes(l, with_spec(l, 1, 1, "one"), NODE_ARRIVAL_WAITS);
	takes(l, with_spec(l, 1, 2, "two"), NODE_ARRIVAL_WAITS);
	assert_int_equal(node_arrivals_ask(&l->a, 1, &get[0]), 1);
	assert_int_equal(node_arrivals_ask(&l->a, 1, &get[1]), 1);
	for (int i = 1; i >= 0; i--) {
		gives_none(l);
		assert_int_equal(proto_blob_serve(&l->there, &get[i], l->room, &piece, NULL), 0);
		node_arrivals_on_piece(&l->a, &piece, 2);
	}
	gives(l, 1, 1);
	gives(l, 1, 2);
	lab_close(l);
}

static void a_cancelled_one_follows_its_cancel_at_once(void **state)
{
	struct lab *l = lab_open();

	(void)state;
	takes(l, with_spec(l, 1, 1, "one"), NODE_ARRIVAL_WAITS);
	takes(l, with_spec(l, 1, 2, "two"), NODE_ARRIVAL_WAITS);
	takes(l, with_spec(l, 2, 1, "other"), NODE_ARRIVAL_WAITS);
	node_arrivals_void_unit(&l->a, (struct proto_attempt_key){ 6, 1, 9 }); /* of another run */
	gives_none(l);
	node_arrivals_void_unit(&l->a, (struct proto_attempt_key){ 5, 1, 1 });
	gives(l, 1, 1);
	gives_none(l);
	assert_int_equal(pump(l), 2); /* what only the cancelled one wanted is not fetched */
	gives(l, 1, 2);
	gives(l, 2, 1);
	lab_close(l);
}

static void a_new_session_voids_what_waits_but_not_what_is_fetched(void **state)
{
	struct lab *l = lab_open();
	struct proto_blob_get get;
	struct proto_blob_piece piece;

	(void)state;
	takes(l, with_spec(l, 1, 1, "one"), NODE_ARRIVAL_WAITS);
	takes(l, plain(1, 2), NODE_ARRIVAL_WAITS);
	takes(l, with_spec(l, 3, 1, "three"), NODE_ARRIVAL_WAITS);
	assert_int_equal(node_arrivals_ask(&l->a, 1, &get), 1);
	assert_int_equal(proto_blob_serve(&l->there, &get, l->room, &piece, NULL), 0);
	node_arrivals_on_piece(&l->a, &piece, 2); /* ready, and not taken yet */
	node_arrivals_void(&l->a, 3);
	gives_none(l);
	takes(l, plain(1, 3), NODE_ARRIVAL_GOES_ON); /* nothing of the old session holds it up */
	takes(l, with_spec(l, 3, 1, "three"), NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 1); /* once, for both */
	gives(l, 3, 1);
	gives_none(l);
	lab_close(l);
}

static void what_the_coordinator_lacks_does_not_keep_its_dispatch(void **state)
{
	struct lab *l = lab_open();
	struct proto_dispatch d = with_spec(l, 1, 1, "one");

	(void)state;
	d.spec_blob.digest[0] ^= 1;
	takes(l, d, NODE_ARRIVAL_WAITS);
	assert_int_equal(pump(l), 1);
	gives(l, 1, 1);
	lab_close(l);
}

static void more_than_the_bound_is_full(void **state)
{
	struct lab *l = lab_open();
	struct proto_dispatch d = with_spec(l, 0, 1, "spec");

	(void)state;
	for (uint32_t i = 0; i < NODE_ARRIVALS_MAX; i++) {
		d.key.unit = i;
		takes(l, d, NODE_ARRIVAL_WAITS);
	}
	d.key.unit = NODE_ARRIVALS_MAX;
	takes(l, d, NODE_ARRIVAL_FULL);
	takes(l, plain(NODE_ARRIVALS_MAX, 1), NODE_ARRIVAL_GOES_ON);
	assert_int_equal(pump(l), 1);
	for (uint32_t i = 0; i < NODE_ARRIVALS_MAX; i++)
		gives(l, i, 1);
	gives_none(l);
	takes(l, d, NODE_ARRIVAL_GOES_ON);
	lab_close(l);
}

static void bytes_are_bounded_too(void **state)
{
	struct lab *l = lab_open();
	struct proto_dispatch d = with_spec(l, 0, 1, "spec");
	uint32_t taken = 0;
	char *item = calloc(1, 900000);

	(void)state;
	memset(item, 'x', 900000);
	d.item = rv_str(item, 900000);
	for (; node_arrivals_take(&l->a, &d) == NODE_ARRIVAL_WAITS; taken++)
		d.key.unit++;
	assert_int_equal(taken, NODE_ARRIVALS_BYTES_MAX / 900000);
	assert_int_equal(pump(l), 1);
	for (uint32_t i = 0; i < taken; i++)
		gives(l, i, 1);
	free(item);
	lab_close(l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_lacks_nothing_goes_on),
		T(it_waits_until_all_is_here),
		T(what_a_blob_of_dependencies_names_is_fetched_too),
		T(what_dependencies_left_elsewhere_is_made_files_first),
		T(two_that_want_the_same_have_it_made_once),
		T(artifacts_that_a_blob_of_dependencies_names_come_too),
		T(a_cancel_and_a_new_session_drop_what_is_half_made),
		T(what_cannot_be_handed_over_does_not_keep_its_dispatch),
		T(of_one_unit_the_order_is_kept),
		T(a_later_one_that_is_ready_first_waits_its_turn),
		T(a_cancelled_one_follows_its_cancel_at_once),
		T(a_new_session_voids_what_waits_but_not_what_is_fetched),
		T(what_the_coordinator_lacks_does_not_keep_its_dispatch),
		T(more_than_the_bound_is_full),
		T(bytes_are_bounded_too),
	};

	return RUN(tests);
}
