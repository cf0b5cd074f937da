#include "node/handed.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/os/file.h"
#include "node/evidence.h"
#include "proto/codec.h"
#include "proto/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define NAME_BYTES_MAX 4095u
#define PART_BYTES_MAX 255u
#define CHUNK_BYTES ((size_t)64 << 10)
#define FILE_COSTS ((uint64_t)32 << 10) /* making one, in bytes copied */

/* --- what is listed --------------------------------------------------------------------------------------------------- */

/* a/b/c: parts of 1 to 255 bytes, none of them "." or "..", no NUL. */
static bool name_holds(struct rv_str name)
{
	uint32_t dirs = 0;

	if (!name.bytes || name.bytes > NAME_BYTES_MAX || memchr(name.at, '\0', name.bytes))
		return false;
	for (struct rv_str left = name;; dirs++) {
		const char *sep = memchr(left.at, '/', left.bytes);
		size_t n = sep ? (size_t)(sep - left.at) : left.bytes;

		if (n == 0 || n > PART_BYTES_MAX || (n == 1 && left.at[0] == '.') || (n == 2 && left.at[0] == '.' && left.at[1] == '.'))
			return false;
		if (!sep)
			break;
		left = rv_str(sep + 1, left.bytes - n - 1);
		if (!left.bytes)
			return false;
	}
	return dirs <= NODE_ARTIFACT_DEPTH_MAX;
}

bool node_handed_lacks(struct node_namespaces *n, uint64_t run, const struct proto_dep *dep)
{
	return (dep->artifact_count || dep->artifacts_cut) && node_namespace_find_dep(n, run, dep->unit_id, dep->attempt) == NODE_DEP_NOWHERE;
}

struct sum {
	uint64_t files, bytes;
	size_t lists;
};

static int too_many(const struct proto_dep *dep, struct rv_err *err)
{
	if (dep->artifacts_cut && dep->artifact_count)
		return rv_fail(err, RV_E_LIMIT, "unit \"%.*s\" left more artifacts than are listed (%u): they cannot be handed to another node; pack them into one file",
			       RV_STR_ARGS(dep->unit_id), NODE_ARTIFACTS_MAX);
	return rv_fail(err, RV_E_LIMIT, "the artifacts of its dependencies on other nodes are more files than an attempt is handed; the limit is %u: pack them",
		       RV_HANDED_FILES_MAX);
}

static int check_item(const struct proto_dep *dep, const struct proto_artifact *a, struct sum *sum, struct rv_err *err)
{
	sum->bytes = rv_sat_add(sum->bytes, a->bytes);
	if (sum->bytes > RV_HANDED_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "the artifacts of its dependencies on other nodes have more bytes than an attempt is handed; the limit is %llu MiB",
			       (unsigned long long)(RV_HANDED_BYTES_MAX >> 20));
	if (!name_holds(a->name))
		return rv_fail(err, RV_E_CORRUPT, "an artifact of unit \"%.*s\" has a name that cannot be a file's", RV_STR_ARGS(dep->unit_id));
	if (rv_digest_is_zero(a->digest))
		return rv_fail(err, RV_E_NOT_FOUND, "artifact \"%.*s\" of unit \"%.*s\", attempt %u, was not kept by its node", RV_STR_ARGS(a->name),
			       RV_STR_ARGS(dep->unit_id), dep->attempt);
	return 0;
}

static int check_dep(const struct proto_dep *dep, struct sum *sum, struct rv_buf *refs, struct rv_err *err)
{
	const struct proto_artifact *items;
	struct rv_arena arena;
	uint32_t count;
	int rc;

	sum->files += dep->artifact_count;
	sum->lists += dep->artifacts.bytes;
	if (dep->artifacts_cut || sum->files > RV_HANDED_FILES_MAX || sum->lists > RV_HANDED_LISTS_BYTES_MAX)
		return too_many(dep, err);
	rv_arena_init(&arena, 0);
	rc = proto_artifacts_decode(dep->artifacts, &arena, &items, &count, err);
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct proto_blob_ref ref = { .bytes = items[i].bytes };

		rc = check_item(dep, &items[i], sum, err);
		memcpy(ref.digest, items[i].digest, sizeof(ref.digest));
		if (rc == 0 && rv_buf_put(refs, &ref, sizeof(ref)) < 0)
			rc = rv_fail(err, RV_E_NO_MEMORY, "no memory to fetch the artifacts of unit \"%.*s\"", RV_STR_ARGS(dep->unit_id));
	}
	rv_arena_release(&arena);
	return rc;
}

int node_handed_lacking(struct node_namespaces *n, uint64_t run, const struct proto_dep *deps, uint32_t count, struct rv_buf *refs, struct rv_err *err)
{
	size_t before = refs->bytes;
	struct sum sum = { .files = 0 };
	int lacks = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!node_handed_lacks(n, run, &deps[i]))
			continue;
		lacks = 1;
		if (check_dep(&deps[i], &sum, refs, err) < 0) {
			refs->bytes = before;
			return -1;
		}
	}
	return lacks;
}

/* --- why not ------------------------------------------------------------------------------------------------------------ */

static int name_missing(const struct proto_dep *dep, struct rv_blobs *blobs, struct rv_err *err)
{
	const struct proto_artifact *items = NULL;
	struct rv_arena arena;
	uint32_t count = 0;

	rv_arena_init(&arena, 0);
	(void)proto_artifacts_decode(dep->artifacts, &arena, &items, &count, NULL); /* it was read before */
	(void)rv_fail(err, RV_E_NOT_FOUND, "the artifacts of unit \"%.*s\", attempt %u, could not be made files on this node", RV_STR_ARGS(dep->unit_id),
		      dep->attempt);
	for (uint32_t i = 0; i < count; i++) {
		if (blobs && rv_blobs_hold(blobs, items[i].digest, items[i].bytes, NULL) == 1)
			continue;
		(void)rv_fail(err, RV_E_NOT_FOUND, "artifact \"%.*s\" of unit \"%.*s\", attempt %u, is not here, and the coordinator did not send it",
			      RV_STR_ARGS(items[i].name), RV_STR_ARGS(dep->unit_id), dep->attempt);
		break;
	}
	rv_arena_release(&arena);
	return -1;
}

int node_handed_refusal(struct node_namespaces *n, uint64_t run, const struct proto_dep *deps, uint32_t count, struct rv_blobs *blobs, struct rv_err *err)
{
	struct rv_buf refs;
	int rc;

	rv_buf_init(&refs, 0);
	rc = node_handed_lacking(n, run, deps, count, &refs, err);
	rv_buf_release(&refs);
	for (uint32_t i = 0; rc == 1 && i < count; i++)
		if (node_handed_lacks(n, run, &deps[i]))
			return name_missing(&deps[i], blobs, err);
	return rc < 0 ? -1 : rv_fail(err, RV_E_NOT_FOUND, "the artifacts of its dependencies were not here in time");
}

/* --- copying -------------------------------------------------------------------------------------------------------------- */

void node_handing_init(struct node_handing *h, struct rv_blobs *blobs, const char *mark)
{
	memset(h, 0, sizeof(*h));
	h->blobs = blobs;
	h->from = h->to = h->dir.fd = h->dir.parent = -1;
	memcpy(h->mark, mark, rv_min_u64(strlen(mark), sizeof(h->mark) - 1));
	rv_arena_init(&h->arena, 0);
}

static void close_files(struct node_handing *h)
{
	if (h->from >= 0)
		close(h->from);
	if (h->to >= 0)
		close(h->to);
	h->from = h->to = -1;
}

static void forget_list(struct node_handing *h)
{
	rv_arena_release(&h->arena);
	rv_arena_init(&h->arena, 0);
	h->items = NULL;
	h->count = h->at = 0;
}

void node_handing_drop(struct node_handing *h)
{
	close_files(h);
	node_namespace_hand_drop(&h->dir);
	forget_list(h);
}

int node_handing_begin(struct node_handing *h, struct node_namespaces *n, uint64_t run, const struct proto_dep *dep, struct rv_err *err)
{
	rv_check(h->dir.fd < 0);
	h->unit_id = dep->unit_id;
	h->attempt = dep->attempt;
	if (proto_artifacts_decode(dep->artifacts, &h->arena, &h->items, &h->count, err) == 0 &&
	    node_namespace_hand_begin(n, run, dep->unit_id, dep->attempt, h->mark, &h->dir, err) == 0)
		return 0;
	node_handing_drop(h);
	return -1;
}

static int open_files(struct node_handing *h, struct rv_err *err)
{
	const struct proto_artifact *a = &h->items[h->at];
	char path[NAME_BYTES_MAX + 1], *slash;

	if (!name_holds(a->name))
		return rv_fail(err, RV_E_CORRUPT, "an artifact of unit \"%.*s\" has a name that cannot be a file's", RV_STR_ARGS(h->unit_id));
	memcpy(path, a->name.at, a->name.bytes);
	path[a->name.bytes] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
		if (rv_dir_make_at(h->dir.fd, path, 0700, err) < 0)
			return -1;
		*slash = '/';
	}
	h->left = a->bytes;
	if (rv_blobs_open_blob(h->blobs, a->digest, &h->from, err) < 0)
		return -1;
	return rv_file_open_at(h->dir.fd, path, O_WRONLY | O_CREAT | O_EXCL, a->executable ? 0700 : 0600, &h->to, err);
}

/* Bytes copied; 0: the end; -1. The kernel copies by itself, or shares the blocks, where the file system can. */
static ssize_t copy_some(struct node_handing *h, size_t count, struct rv_err *err)
{
	char chunk[CHUNK_BYTES];
	ssize_t n;

	do {
		n = copy_file_range(h->from, NULL, h->to, NULL, count, 0);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP && errno != EPERM)
		return rv_fail_errno(err, errno, "cannot copy an artifact of unit \"%.*s\"", RV_STR_ARGS(h->unit_id));
	do {
		n = read(h->from, chunk, rv_min_u64(count, sizeof(chunk)));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return rv_fail_errno(err, errno, "cannot read an artifact of unit \"%.*s\"", RV_STR_ARGS(h->unit_id));
	return rv_file_put(h->to, "an artifact", rv_str(chunk, (size_t)n), err) < 0 ? -1 : n;
}

static int copy_items(struct node_handing *h, uint64_t *bytes, struct rv_err *err)
{
	while (h->at < h->count) {
		ssize_t n;

		if (!*bytes)
			return 1;
		if (h->to < 0 && open_files(h, err) < 0)
			return -1;
		if (!h->left) {
			close_files(h);
			h->at++;
			*bytes = rv_sat_sub(*bytes, FILE_COSTS);
			continue;
		}
		n = copy_some(h, (size_t)rv_min_u64(h->left, *bytes), err);
		if (n < 0)
			return -1;
		if (n == 0)
			return rv_fail(err, RV_E_CORRUPT, "the store holds not all of an artifact of unit \"%.*s\"", RV_STR_ARGS(h->unit_id));
		h->left -= (uint64_t)n;
		*bytes -= (uint64_t)n;
	}
	return 0;
}

int node_handing_step(struct node_handing *h, uint64_t *bytes, struct rv_err *err)
{
	int rc = copy_items(h, bytes, err);

	if (rc == 1)
		return 1;
	if (rc == 0)
		rc = node_namespace_hand_end(&h->dir, err);
	node_handing_drop(h);
	return rc;
}
