/* test_node_stock.c - a node's blob store below its bound: the oldest go, what is needed stays */
#include "tests/lib/test.h"

#include "common/id.h"
#include "node/stock.h"
#include "proto/transfer.h"
#include "tests/lib/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>

#define NOW ((uint64_t)2000000000 * RV_US_PER_S)

static struct rv_blobs store;

static struct proto_blob_ref put(uint32_t number, uint32_t age_s)
{
	struct proto_blob_ref ref = { .bytes = 1000 };
	char text[1000], hex[RV_DIGEST_HEX_CHARS + 1], name[100];
	struct timespec times[2] = { { .tv_sec = (time_t)(NOW / RV_US_PER_S) - age_s } };

	memset(text, 'x', sizeof(text));
	(void)snprintf(text, sizeof(text), "%u", number);
	assert_int_equal(rv_blobs_put(&store, rv_str(text, sizeof(text)), ref.digest, NULL), 0);
	rv_hex(hex, ref.digest, RV_DIGEST_BYTES);
	(void)snprintf(name, sizeof(name), "blobs/%.2s/%s", hex, hex + 2);
	times[1] = times[0];
	assert_int_equal(utimensat(AT_FDCWD, scratch(name), times, 0), 0);
	return ref;
}

static bool there(const struct proto_blob_ref *ref)
{
	return rv_blobs_find(&store, ref->digest, NULL, NULL) == 1;
}

static void the_oldest_go_and_what_is_needed_stays(void **state)
{
	struct proto_blob_ref refs[20];
	struct node_stock_stats stats;
	struct rv_buf pinned;

	(void)state;
	assert_int_equal(rv_blobs_open(&store, scratch("blobs"), RV_BLOBS_NOSYNC, 0, NULL), 0);
	rv_buf_init(&pinned, 0);
	for (uint32_t i = 0; i < 20; i++)
		refs[i] = put(i, 100000 - i); /* the first are the oldest */
	scratch_write("blobs/new-1", "half written");
	assert_int_equal(node_stock_prune(&store, 20000, NOW, &pinned, &stats, NULL), 0);
	assert_int_equal(stats.files, 20);
	assert_int_equal(stats.bytes_before, 20000);
	assert_int_equal(stats.removed, 0);
	rv_buf_put(&pinned, &refs[3], sizeof(refs[3]));
	rv_buf_put(&pinned, &refs[1], sizeof(refs[1]));
	assert_int_equal(node_stock_prune(&store, 19999, NOW, &pinned, &stats, NULL), 0);
	assert_int_equal(stats.removed, 6); /* to three quarters */
	assert_int_equal(stats.kept, 2);
	assert_int_equal(stats.bytes_removed, 6000);
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(there(&refs[i]), i == 1 || i == 3 || i >= 8);
	assert_true(scratch_has("blobs/new-1"));
	rv_buf_release(&pinned);
	rv_blobs_close(&store);
}

static void what_is_young_is_kept_whatever_the_bound(void **state)
{
	struct node_stock_stats stats;
	struct proto_blob_ref old, young;
	struct rv_buf pinned;

	(void)state;
	assert_int_equal(rv_blobs_open(&store, scratch("blobs"), RV_BLOBS_NOSYNC, 0, NULL), 0);
	rv_buf_init(&pinned, 0);
	young = put(1, 599);
	old = put(2, 601);
	assert_int_equal(node_stock_prune(&store, 10, NOW, &pinned, &stats, NULL), 0);
	assert_true(there(&young));
	assert_false(there(&old));
	assert_int_equal(stats.kept, 1);
	rv_buf_release(&pinned);
	rv_blobs_close(&store);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_oldest_go_and_what_is_needed_stays),
		T(what_is_young_is_kept_whatever_the_bound),
	};

	return RUN(tests);
}
