/* test_node_handed.c - artifacts of other nodes made files here: names, bounds, slices, what is missing */
#include "tests/lib/test.h"

#include "common/id.h"
#include "common/limits.h"
#include "node/evidence.h"
#include "node/handed.h"
#include "proto/codec.h"
#include "proto/transfer.h"
#include "tests/lib/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define THE_RUN 5u

struct lab {
	struct rv_blobs blobs;
	struct node_namespaces n;
	struct node_handing h;
	struct rv_buf list, refs;
	char root[256], run[16];
	struct rv_err err;
};

static struct lab *lab_open(void)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct rv_run_id id = rv_run_id_of(THE_RUN);

	assert_non_null(l);
	memcpy(l->run, id.text, sizeof(id.text));
	(void)snprintf(l->root, sizeof(l->root), "%s", scratch("root"));
	assert_int_equal(rv_blobs_open(&l->blobs, scratch("blobs"), RV_BLOBS_NOSYNC, 0, &l->err), 0);
	node_namespaces_init(&l->n, rv_str_of(l->root));
	node_handing_init(&l->h, &l->blobs, "0011223344556677");
	rv_buf_init(&l->list, 0);
	rv_buf_init(&l->refs, 0);
	return l;
}

static void lab_close(struct lab *l)
{
	node_handing_drop(&l->h);
	node_namespaces_release(&l->n);
	rv_blobs_close(&l->blobs);
	rv_buf_release(&l->list);
	rv_buf_release(&l->refs);
	free(l);
}

static struct proto_artifact stored(struct lab *l, const char *name, const char *bytes)
{
	struct proto_artifact a = { .name = rv_str_of(name), .bytes = strlen(bytes) };

	assert_int_equal(rv_blobs_put(&l->blobs, rv_str_of(bytes), a.digest, NULL), 0);
	return a;
}

/* The list lies in the lab: one at a time. */
static struct proto_dep dep_of(struct lab *l, const struct proto_artifact *items, uint32_t count)
{
	rv_buf_reset(&l->list);
	assert_int_equal(proto_artifacts_encode(items, count, &l->list), 0);
	return (struct proto_dep){ .id = RV_STR("a"), .unit_id = RV_STR("a"), .index = RV_MAP_NONE, .succeeded = true, .attempt = 3,
				   .artifacts = rv_buf_str(&l->list), .artifact_count = count };
}

static int lacking(struct lab *l, const struct proto_dep *deps, uint32_t count)
{
	return node_handed_lacking(&l->n, THE_RUN, deps, count, &l->refs, &l->err);
}

static bool handed(struct lab *l, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "root/runs/%s/handed/a/%s", l->run, name);
	return scratch_has(path);
}

static off_t size_of(struct lab *l, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "root/runs/%s/handed/a/3/%s", l->run, name);
	return scratch_size(path);
}

static int copy_all(struct lab *l, const struct proto_dep *dep)
{
	uint64_t bytes = UINT64_MAX;

	return node_handing_begin(&l->h, &l->n, THE_RUN, dep, &l->err) < 0 ? -1 : node_handing_step(&l->h, &bytes, &l->err);
}

static void what_lies_here_is_not_lacking(void **state)
{
	struct lab *l = lab_open();
	struct proto_artifact one = stored(l, "f", "bytes");
	struct proto_dep dep = dep_of(l, &one, 1), nothing = { .unit_id = RV_STR("a"), .attempt = 3 };
	int fd;

	(void)state;
	assert_int_equal(lacking(l, &nothing, 1), 0);
	assert_int_equal(lacking(l, &dep, 1), 1);
	assert_int_equal(l->refs.bytes, sizeof(struct proto_blob_ref));
	assert_int_equal(node_namespace_make(&l->n, THE_RUN, RV_STR("a"), 2, &fd, NULL), 0); /* of another attempt */
	close(fd);
	assert_int_equal(lacking(l, &dep, 1), 1);
	assert_int_equal(node_namespace_make(&l->n, THE_RUN, RV_STR("a"), 3, &fd, NULL), 0);
	close(fd);
	assert_int_equal(lacking(l, &dep, 1), 0);
	assert_int_equal(node_namespace_find_dep(&l->n, THE_RUN, RV_STR("a"), 3), NODE_DEP_RAN_HERE);
	dep.artifacts_cut = true; /* no matter then */
	assert_int_equal(lacking(l, &dep, 1), 0);
	lab_close(l);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = { "", "/etc/passwd", "..", "../x", "a/..", "a/../../x", ".", "./a", "a//b", "a/", "/", "a/./b" };
	static const char *const good[] = { "...", "..a", "a/b/c", "-rf", ".hidden", "a\nb" };
	struct lab *l = lab_open();
	char deep[2 * NODE_ARTIFACT_DEPTH_MAX + 6], longest[400];
	struct proto_artifact one = stored(l, "x", "bytes");
	struct proto_dep dep;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(bad); i++) {
		one.name = rv_str_of(bad[i]);
		dep = dep_of(l, &one, 1);
		assert_int_equal(lacking(l, &dep, 1), -1);
		assert_int_equal(l->err.code, RV_E_CORRUPT);
		assert_int_equal(copy_all(l, &dep), -1);
	}
	one.name = RV_STR("a\0b");
	dep = dep_of(l, &one, 1);
	assert_int_equal(lacking(l, &dep, 1), -1);
	memset(longest, 'x', sizeof(longest));
	one.name = rv_str(longest, 256);
	dep = dep_of(l, &one, 1);
	assert_int_equal(lacking(l, &dep, 1), -1);
	for (size_t i = 0; i + 1 < sizeof(deep); i += 2)
		memcpy(deep + i, "d/", 2);
	one.name = rv_str(deep, 2 * NODE_ARTIFACT_DEPTH_MAX + 3); /* d/d/.../d, in one directory too many */
	dep = dep_of(l, &one, 1);
	assert_int_equal(lacking(l, &dep, 1), -1);
	one.name.bytes -= 2;
	dep = dep_of(l, &one, 1);
	assert_int_equal(lacking(l, &dep, 1), 1);
	assert_int_equal(l->refs.bytes, sizeof(struct proto_blob_ref)); /* of those refused none was left */
	for (size_t i = 0; i < RV_ARRAY_LEN(good); i++) {
		one.name = rv_str_of(good[i]);
		dep = dep_of(l, &one, 1);
		assert_int_equal(lacking(l, &dep, 1), 1);
	}
	lab_close(l);
}

static void an_attempt_is_handed_so_many_files_and_bytes(void **state)
{
	struct lab *l = lab_open();
	struct proto_artifact *many = calloc(4096, sizeof(*many));
	struct proto_artifact one = stored(l, "f", "bytes");
	struct proto_dep deps[5], dep;
	char (*names)[8] = calloc(4096, sizeof(*names));

	(void)state;
	for (uint32_t i = 0; i < 4096; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%u", i);
		many[i] = stored(l, names[i], "");
	}
	for (uint32_t i = 0; i < 5; i++)
		deps[i] = i ? deps[0] : dep_of(l, many, 4096);
	assert_int_equal(lacking(l, deps, 4), 1); /* RV_HANDED_FILES_MAX */
	assert_int_equal(l->refs.bytes, RV_HANDED_FILES_MAX * sizeof(struct proto_blob_ref));
	assert_int_equal(lacking(l, deps, 5), -1);
	assert_int_equal(l->err.code, RV_E_LIMIT);
	assert_non_null(strstr(l->err.msg, "16384"));
	deps[0].artifacts_cut = true;
	assert_int_equal(lacking(l, deps, 1), -1);
	assert_int_equal(l->err.code, RV_E_LIMIT);
	assert_non_null(strstr(l->err.msg, "more artifacts than are listed (4096)"));
	deps[0].artifacts = RV_STR(""); /* the coordinator found that all are too many */
	deps[0].artifact_count = 0;
	assert_int_equal(lacking(l, deps, 1), -1);
	assert_non_null(strstr(l->err.msg, "the limit is 16384"));
	one.bytes = RV_HANDED_BYTES_MAX;
	dep = dep_of(l, &one, 1);
	assert_int_equal(lacking(l, &dep, 1), 1);
	one.bytes++;
	dep = dep_of(l, &one, 1);
	assert_int_equal(lacking(l, &dep, 1), -1);
	assert_int_equal(l->err.code, RV_E_LIMIT);
	assert_non_null(strstr(l->err.msg, "the limit is 1024 MiB"));
	one.bytes = UINT64_MAX; /* two of these are no small number */
	dep = dep_of(l, (struct proto_artifact[]){ one, one }, 2);
	assert_int_equal(lacking(l, &dep, 1), -1);
	dep.artifacts = rv_str(dep.artifacts.at, dep.artifacts.bytes - 1);
	assert_int_equal(lacking(l, &dep, 1), -1);
	assert_int_equal(l->err.code, RV_E_CORRUPT);
	free(names);
	free(many);
	lab_close(l);
}

static void lists_have_so_many_bytes(void **state)
{
	struct lab *l = lab_open();
	static char name[3001];
	struct proto_artifact *many = calloc(300, sizeof(*many)), one = stored(l, "f", "");
	uint32_t count;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	for (size_t i = 200; i < sizeof(name) - 1; i += 200)
		name[i] = '/';
	for (uint32_t i = 0; i < 300; i++) {
		many[i] = one;
		many[i].name = rv_str_of(name);
	}
	{
		struct proto_dep dep = dep_of(l, many, 300), deps[32];

		count = (uint32_t)(RV_HANDED_LISTS_BYTES_MAX / dep.artifacts.bytes);
		assert_true(count < 32);
		for (uint32_t i = 0; i <= count; i++)
			deps[i] = dep;
		assert_int_equal(lacking(l, deps, count), 1);
		assert_int_equal(lacking(l, deps, count + 1), -1);
		assert_int_equal(l->err.code, RV_E_LIMIT);
	}
	free(many);
	lab_close(l);
}

static void files_come_in_slices_and_are_seen_all_at_once(void **state)
{
	struct lab *l = lab_open();
	static char large[300001];
	struct proto_artifact items[5];
	struct proto_dep dep;
	uint64_t bytes;
	uint32_t slices = 0;
	char path[512];
	struct stat st;
	int fd, rc;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	items[0] = stored(l, "top", "bytes");
	items[1] = stored(l, "sub/deeper/large", large);
	items[2] = stored(l, "sub/deeper/same", large);
	items[3] = stored(l, "sub/empty", "");
	items[4] = stored(l, "sub/other", "other");
	items[3].executable = true;
	dep = dep_of(l, items, 5);
	assert_int_equal(node_handing_begin(&l->h, &l->n, THE_RUN, &dep, &l->err), 0);
	do {
		bytes = 50000;
		rc = node_handing_step(&l->h, &bytes, &l->err);
		assert_true(rc >= 0);
		assert_int_equal(handed(l, "3"), rc == 0);
		assert_int_equal(handed(l, ".3-0011223344556677"), rc == 1);
		slices++;
	} while (rc);
	assert_in_range(slices, 12, 30);
	assert_int_equal(size_of(l, "top"), 5);
	assert_int_equal(size_of(l, "sub/deeper/large"), 300000);
	assert_int_equal(size_of(l, "sub/deeper/same"), 300000);
	assert_int_equal(size_of(l, "sub/empty"), 0);
	(void)snprintf(path, sizeof(path), "%s/runs/%s/handed/a/3/sub/other", l->root, l->run);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	(void)snprintf(path, sizeof(path), "%s/runs/%s/handed/a/3/sub/empty", l->root, l->run);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "%s/runs/%s/handed/a/3/sub/other", l->root, l->run);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_nlink, 1); /* the store's own bytes cannot be written through it */
	assert_int_equal(lacking(l, &dep, 1), 0);
	assert_int_equal(node_namespace_make(&l->n, THE_RUN, RV_STR("b"), 1, &fd, NULL), 0);
	assert_int_equal(node_namespace_link_dep(&l->n, fd, THE_RUN, RV_STR("a"), 3, NULL), 1);
	assert_int_equal(faccessat(fd, "deps/a/sub/deeper/large", R_OK, 0), 0);
	assert_int_equal(node_namespace_link_dep(&l->n, fd, THE_RUN, RV_STR("a"), 4, NULL), 0);
	close(fd);
	lab_close(l);
}

static void what_is_there_already_stays(void **state)
{
	struct lab *l = lab_open();
	struct proto_artifact one = stored(l, "f", "first"), two = stored(l, "f", "the second");
	struct proto_dep dep = dep_of(l, &one, 1);

	(void)state;
	assert_int_equal(copy_all(l, &dep), 0);
	dep = dep_of(l, &two, 1); /* another daemon's, which came later */
	assert_int_equal(copy_all(l, &dep), 0);
	assert_int_equal(size_of(l, "f"), 5);
	assert_false(handed(l, ".3-0011223344556677"));
	lab_close(l);
}

static void half_of_it_is_dropped_and_begun_anew(void **state)
{
	struct lab *l = lab_open();
	struct proto_artifact items[2] = { stored(l, "a", "one"), stored(l, "b", "two") };
	struct proto_dep dep = dep_of(l, items, 2);
	uint64_t bytes = 1;

	(void)state;
	assert_int_equal(node_handing_begin(&l->h, &l->n, THE_RUN, &dep, &l->err), 0);
	assert_int_equal(node_handing_step(&l->h, &bytes, &l->err), 1);
	node_handing_drop(&l->h);
	assert_false(handed(l, ".3-0011223344556677"));
	/* a daemon that died left it */
	assert_int_equal(node_handing_begin(&l->h, &l->n, THE_RUN, &dep, &l->err), 0);
	bytes = 1;
	assert_int_equal(node_handing_step(&l->h, &bytes, &l->err), 1);
	l->h.dir.parent = l->h.dir.fd = -1;
	node_handing_drop(&l->h);
	assert_true(handed(l, ".3-0011223344556677"));
	assert_int_equal(copy_all(l, &dep), 0);
	assert_false(handed(l, ".3-0011223344556677"));
	assert_int_equal(size_of(l, "b"), 3);
	lab_close(l);
}

static void what_is_missing_is_named(void **state)
{
	struct lab *l = lab_open();
	struct proto_artifact items[2] = { stored(l, "a", "one"), stored(l, "b/c", "two") };
	struct proto_dep dep = dep_of(l, items, 2);

	(void)state;
	assert_int_equal(rv_blobs_remove(&l->blobs, items[1].digest, NULL), 0);
	assert_int_equal(copy_all(l, &dep), -1);
	assert_false(handed(l, "3"));
	assert_int_equal(node_handed_refusal(&l->n, THE_RUN, &dep, 1, &l->blobs, &l->err), -1);
	assert_int_equal(l->err.code, RV_E_NOT_FOUND);
	assert_non_null(strstr(l->err.msg, "artifact \"b/c\" of unit \"a\", attempt 3, is not here"));
	items[1] = stored(l, "a/c", "two"); /* of a file no directory can be made */
	dep = dep_of(l, items, 2);
	assert_int_equal(copy_all(l, &dep), -1);
	assert_int_equal(node_handed_refusal(&l->n, THE_RUN, &dep, 1, &l->blobs, &l->err), -1);
	assert_non_null(strstr(l->err.msg, "could not be made files"));
	memset(items[1].digest, 0, sizeof(items[1].digest));
	dep = dep_of(l, items, 2);
	assert_int_equal(lacking(l, &dep, 1), -1);
	assert_int_equal(l->err.code, RV_E_NOT_FOUND);
	assert_non_null(strstr(l->err.msg, "was not kept by its node"));
	dep.artifacts_cut = true;
	assert_int_equal(node_handed_refusal(&l->n, THE_RUN, &dep, 1, &l->blobs, &l->err), -1);
	assert_int_equal(l->err.code, RV_E_LIMIT);
	lab_close(l);
}

static void links_in_the_way_are_not_followed(void **state)
{
	struct lab *l = lab_open();
	struct proto_artifact one = stored(l, "f", "bytes");
	struct proto_dep dep = dep_of(l, &one, 1);
	char path[512];

	(void)state;
	scratch_write("elsewhere", "");
	assert_int_equal(lacking(l, &dep, 1), 1); /* the run's directory is there now */
	(void)snprintf(path, sizeof(path), "%s/runs/%s/handed", l->root, l->run);
	assert_int_equal(symlink(scratch_path(), path), 0);
	assert_int_equal(copy_all(l, &dep), -1);
	assert_false(scratch_has("a"));
	lab_close(l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_lies_here_is_not_lacking),
		T(names_that_lead_elsewhere_are_refused),
		T(an_attempt_is_handed_so_many_files_and_bytes),
		T(lists_have_so_many_bytes),
		T(files_come_in_slices_and_are_seen_all_at_once),
		T(what_is_there_already_stays),
		T(half_of_it_is_dropped_and_begun_anew),
		T(what_is_missing_is_named),
		T(links_in_the_way_are_not_followed),
	};

	return RUN(tests);
}
