#include "tests/lib/test.h"

#include "common/buf.h"
#include "common/id.h"
#include "common/os/blobs.h"
#include "tests/lib/scratch.h"

#include <dirent.h>
#include <fcntl.h>

static struct rv_blobs open_store(enum rv_blobs_sync sync, uint64_t max)
{
	struct rv_blobs b;
	struct rv_err err;

	if (rv_blobs_open(&b, scratch("blobs"), sync, max, &err))
		fail_msg("%s", err.msg);
	return b;
}

static void name_of(const uint8_t *digest, char out[80])
{
	char hex[RV_DIGEST_HEX_CHARS + 1];

	rv_hex(hex, digest, RV_DIGEST_BYTES);
	(void)snprintf(out, 80, "blobs/%.2s/%s", hex, hex + 2);
}

/* Temporary files that lie about. */
static uint32_t leftovers(void)
{
	DIR *d = opendir(scratch("blobs"));
	const struct dirent *e;
	uint32_t n = 0;

	while ((e = readdir(d)))
		n += strncmp(e->d_name, "new-", 4) == 0;
	closedir(d);
	return n;
}

static void bytes_come_back_by_their_digest(void **state)
{
	enum rv_blobs_sync sync;

	(void)state;
	for (sync = RV_BLOBS_NOSYNC; sync <= RV_BLOBS_SYNC; sync++) {
		struct rv_blobs b = open_store(sync, 0);
		uint8_t digest[RV_DIGEST_BYTES], again[RV_DIGEST_BYTES], empty[RV_DIGEST_BYTES];
		struct rv_err err;
		struct rv_buf out;
		char part[8];
		uint64_t bytes = 0;
		size_t got = 99;

		rv_buf_init(&out, 0);
		assert_int_equal(rv_blobs_put(&b, RV_STR("hello world"), digest, &err), 0);
		rv_digest(RV_STR("hello world"), again);
		assert_memory_equal(digest, again, sizeof(digest));
		assert_int_equal(rv_blobs_put(&b, RV_STR("hello world"), again, &err), 0);
		assert_int_equal(rv_blobs_find(&b, digest, &bytes, &err), 1);
		assert_int_equal(bytes, 11);
		assert_int_equal(rv_blobs_get(&b, digest, 6, part, 3, &got, &err), 0);
		assert_int_equal(got, 3);
		assert_memory_equal(part, "wor", 3);
		assert_int_equal(rv_blobs_get(&b, digest, 9, part, 8, &got, &err), 0);
		assert_int_equal(got, 2);
		assert_int_equal(rv_blobs_get(&b, digest, 11, part, 8, &got, &err), 0);
		assert_int_equal(got, 0);
		assert_int_equal(rv_blobs_get(&b, digest, UINT64_MAX, part, 8, &got, &err), 0);
		assert_int_equal(got, 0);
		assert_int_equal(rv_blobs_get_all(&b, digest, 11, &out, &err), 0);
		assert_str(rv_buf_str(&out), "hello world");
		assert_int_equal(rv_blobs_get_all(&b, digest, 10, &out, &err), -1);
		assert_int_equal(err.code, RV_E_LIMIT);
		assert_int_equal(rv_blobs_put(&b, RV_STR(""), empty, &err), 0);
		assert_int_equal(rv_blobs_find(&b, empty, &bytes, &err), 1);
		assert_int_equal(bytes, 0);
		assert_int_equal(rv_blobs_remove(&b, digest, &err), 0);
		assert_int_equal(rv_blobs_remove(&b, digest, &err), 0);
		assert_int_equal(rv_blobs_find(&b, digest, &bytes, &err), 0);
		assert_int_equal(rv_blobs_get(&b, digest, 0, part, 1, &got, &err), -1);
		assert_int_equal(err.code, RV_E_NOT_FOUND);
		assert_int_equal(leftovers(), 0);
		rv_blobs_close(&b);
		rv_blobs_close(&b);
		rv_buf_release(&out);
	}
}

static void pieces_and_files_give_the_same_name(void **state)
{
	struct rv_blobs b = open_store(RV_BLOBS_SYNC, 0);
	uint8_t whole[RV_DIGEST_BYTES], pieces[RV_DIGEST_BYTES], file[RV_DIGEST_BYTES];
	struct rv_blob_writer w;
	struct rv_err err;
	uint64_t bytes = 0;
	char *big = malloc(300000);
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < 300000; i++)
		big[i] = (char)(i * 7);
	rv_digest(rv_str(big, 300000), whole);
	assert_int_equal(rv_blob_begin(&w, &b, &err), 0);
	for (i = 0; i < 300000; i += 1000)
		assert_int_equal(rv_blob_add(&w, rv_str(big + i, 1000), &err), 0);
	assert_int_equal(rv_blob_end(&w, whole, pieces, &err), 0);
	assert_memory_equal(pieces, whole, sizeof(whole));
	rv_blob_drop(&w);
	fd = open(scratch("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, big, 300000), 300000);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(rv_blobs_remove(&b, whole, &err), 0);
	assert_int_equal(rv_blobs_put_fd(&b, fd, "file", file, &bytes, &err), 0);
	assert_memory_equal(file, whole, sizeof(whole));
	assert_int_equal(bytes, 300000);
	assert_int_equal(rv_blobs_find(&b, whole, &bytes, &err), 1);
	close(fd);
	assert_int_equal(leftovers(), 0);
	rv_blobs_close(&b);
	free(big);
}

static void what_is_too_large_or_not_what_it_says_leaves_nothing(void **state)
{
	struct rv_blobs b = open_store(RV_BLOBS_NOSYNC, 10);
	uint8_t digest[RV_DIGEST_BYTES], other[RV_DIGEST_BYTES];
	struct rv_blob_writer w;
	struct rv_err err;
	int fd;

	(void)state;
	assert_int_equal(rv_blobs_put(&b, RV_STR("0123456789"), digest, &err), 0);
	assert_int_equal(rv_blobs_put(&b, RV_STR("0123456789a"), digest, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_int_equal(rv_blob_begin(&w, &b, &err), 0);
	assert_int_equal(rv_blob_add(&w, RV_STR("01234567"), &err), 0);
	assert_int_equal(rv_blob_add(&w, RV_STR("890"), &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	assert_int_equal(w.fd, -1);
	scratch_write("file", "more than ten bytes");
	fd = open(scratch("file"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(rv_blobs_put_fd(&b, fd, "file", digest, NULL, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	close(fd);
	rv_digest(RV_STR("expected"), other);
	assert_int_equal(rv_blob_begin(&w, &b, &err), 0);
	assert_int_equal(rv_blob_add(&w, RV_STR("arrived"), &err), 0);
	assert_int_equal(rv_blob_end(&w, other, digest, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	assert_int_equal(rv_blobs_find(&b, other, NULL, &err), 0);
	rv_digest(RV_STR("arrived"), other);
	assert_int_equal(rv_blobs_find(&b, other, NULL, &err), 0);
	assert_int_equal(rv_blob_begin(&w, &b, &err), 0);
	rv_blob_drop(&w);
	assert_int_equal(leftovers(), 0);
	rv_blobs_close(&b);
}

static void damage_is_seen_and_a_torn_file_replaced(void **state)
{
	struct rv_blobs b = open_store(RV_BLOBS_NOSYNC, 0);
	uint8_t digest[RV_DIGEST_BYTES];
	char name[80];
	struct rv_buf out;
	struct rv_err err;
	int fd;

	(void)state;
	rv_buf_init(&out, 0);
	assert_int_equal(rv_blobs_put(&b, RV_STR("some bytes"), digest, &err), 0);
	name_of(digest, name);
	fd = open(scratch(name), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, 3), 1);
	close(fd);
	assert_int_equal(rv_blobs_get_all(&b, digest, 100, &out, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	assert_int_equal(out.bytes, 0);
	assert_int_equal(truncate(scratch(name), 4), 0); /* what a power loss leaves */
	assert_int_equal(rv_blobs_put(&b, RV_STR("some bytes"), digest, &err), 0);
	assert_int_equal(rv_blobs_get_all(&b, digest, 100, &out, &err), 0);
	assert_str(rv_buf_str(&out), "some bytes");
	/* a link in its place is not followed */
	assert_int_equal(unlink(scratch(name)), 0);
	assert_int_equal(symlink("/etc/passwd", scratch(name)), 0);
	assert_int_equal(rv_blobs_find(&b, digest, NULL, &err), -1);
	assert_int_equal(rv_blobs_get_all(&b, digest, 100000, &out, &err), -1);
	assert_int_equal(rv_blobs_put(&b, RV_STR("some bytes"), digest, &err), 0);
	assert_int_equal(rv_blobs_find(&b, digest, NULL, &err), 1);
	rv_buf_release(&out);
	rv_blobs_close(&b);
}

static void a_full_disk_is_told_and_leaves_nothing(void **state)
{
	struct rlimit small = { 1000, 1000 }, old;
	struct rv_blobs b = open_store(RV_BLOBS_NOSYNC, 0);
	uint8_t digest[RV_DIGEST_BYTES];
	struct rv_err err;
	char bytes[5000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(rv_blobs_put(&b, rv_str(bytes, sizeof(bytes)), digest, &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(err.code, RV_E_IO);
	assert_int_equal(leftovers(), 0);
	assert_int_equal(rv_blobs_put(&b, rv_str(bytes, sizeof(bytes)), digest, &err), 0);
	rv_blobs_close(&b);
}

static void two_stores_share_a_directory(void **state)
{
	struct rv_blobs a = open_store(RV_BLOBS_NOSYNC, 0), b;
	uint8_t digest[RV_DIGEST_BYTES];
	struct rv_err err;

	(void)state;
	assert_int_equal(rv_blobs_open_at(&b, scratch_dir(), "blobs", RV_BLOBS_SYNC, 0, &err), 0);
	assert_int_equal(rv_blobs_put(&a, RV_STR("x"), digest, &err), 0);
	assert_int_equal(rv_blobs_find(&b, digest, NULL, &err), 1);
	assert_int_equal(rv_blobs_put(&b, RV_STR("x"), digest, &err), 0);
	rv_blobs_close(&a);
	rv_blobs_close(&b);
	assert_int_equal(rv_blobs_open_at(&b, scratch_dir(), "../blobs", RV_BLOBS_SYNC, 0, &err), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_come_back_by_their_digest),
		TEST(pieces_and_files_give_the_same_name),
		TEST(what_is_too_large_or_not_what_it_says_leaves_nothing),
		TEST(damage_is_seen_and_a_torn_file_replaced),
		TEST(a_full_disk_is_told_and_leaves_nothing),
		TEST(two_stores_share_a_directory),
	};

	return RUN(tests);
}
