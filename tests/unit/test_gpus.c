/* test_gpus.c - which GPUs a machine has, and which of them a mask leaves */
#include "tests/lib/test.h"
#include "tests/lib/scratch.h"

#include "common/os/gpus.h"

static struct rv_buf out;

static uint32_t of_mask(const char *mask)
{
	rv_buf_reset(&out);
	return rv_gpus_of_mask(mask, &out);
}

static void a_mask_counts_up_to_what_names_nothing(void **state)
{
	static const struct {
		const char *mask;
		uint32_t count;
		const char *names;
	} cases[] = {
		{ "", 0, "" },
		{ "0", 1, "0" },
		{ "3,1", 2, "3,1" },
		{ " 3 , 1 ", 2, "3,1" },
		{ "0,-1,1", 1, "0" },
		{ "-1", 0, "" },
		{ "NoDevFiles", 0, "" },
		{ "none", 0, "" },
		{ "0,,1", 1, "0" },
		{ "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,MIG-GPU-5a/1/0", 2, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6,MIG-GPU-5a/1/0" },
		{ "MIG-8932f937-d72c", 1, "MIG-8932f937-d72c" },
		{ "0;reboot", 0, "" },
		{ "99999", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		assert_int_equal(of_mask(cases[i].mask), cases[i].count);
		assert_int_equal(out.bytes, strlen(cases[i].names));
		if (out.bytes)
			assert_memory_equal(out.at, cases[i].names, out.bytes);
	}
}

static void devices_are_counted_and_the_mask_is_kept(void **state)
{
	static const char *const files[] = { "nvidia0", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia", "nvidia1x", "null" };
	const char *dir = scratch_path();

	(void)state;
	rv_buf_reset(&out);
	assert_int_equal(rv_gpus_find(dir, "0,1", &out), 0); /* a mask alone makes no GPU */
	for (size_t i = 0; i < RV_ARRAY_LEN(files); i++)
		scratch_write(files[i], "");
	assert_int_equal(rv_gpus_find(dir, NULL, &out), 2);
	assert_memory_equal(out.at, "0,1", 3);
	rv_buf_reset(&out);
	assert_int_equal(rv_gpus_find(dir, "1", &out), 1);
	assert_memory_equal(out.at, "1", 1);
	rv_buf_reset(&out);
	assert_int_equal(rv_gpus_find(dir, "", &out), 0);
	assert_int_equal(rv_gpus_find("/no/such/dir", NULL, &out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mask_counts_up_to_what_names_nothing),
		cmocka_unit_test_setup_teardown(devices_are_counted_and_the_mask_is_kept, scratch_make, scratch_drop),
	};
	int failed;

	rv_buf_init(&out, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rv_buf_release(&out);
	return failed;
}
