/* test_node_arrivals.c - dispatches that wait for blobs: order, cancels, new sessions, bounds */
#include "tests/lib/test.h"

#include "node/arrivals.h"
#include "tests/lib/scratch.h"

struct lab {
	struct rv_blobs here, there;
	struct node_arrivals a;
	struct proto_frame_reader *reader;
	char *room;
};

static struct lab *lab_open(void)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct rv_err err;

	assert_non_null(l);
	if (rv_blobs_open(&l->here, scratch("here"), RV_BLOBS_NOSYNC, 0, &err) || rv_blobs_open(&l->there, scratch("there"), RV_BLOBS_NOSYNC, 0, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(node_arrivals_init(&l->a, &l->here, true), 0);
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
