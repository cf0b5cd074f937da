#include "node/evidence.h"

#include "common/buf.h"
#include "common/check.h"
#include "common/os/file.h"
#include "node/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 << 10)

void node_artifacts_init(struct node_artifacts *a)
{
	memset(a, 0, offsetof(struct node_artifacts, digest));
	a->fd = a->file = -1;
	a->digest_left = NODE_ARTIFACT_DIGEST_BYTES_MAX;
	a->store = NULL;
	a->copy.fd = -1;
	rv_arena_init(&a->arena, 0);
}

void node_artifacts_release(struct node_artifacts *a)
{
	if (a->fd >= 0)
		close(a->fd);
	if (a->file >= 0)
		close(a->file);
	rv_blob_drop(&a->copy);
	free(a->items);
	rv_arena_release(&a->arena);
	node_artifacts_init(a);
}

/* --- listing ------------------------------------------------------------------------------------------------------- */

static int grow(struct node_artifacts *a)
{
	uint32_t capacity = a->capacity ? 4 * a->capacity : 16;
	void *items = realloc(a->items, capacity * sizeof(a->items[0]));

	if (!items)
		return -1;
	a->items = items;
	a->capacity = capacity;
	return 0;
}

int node_artifacts_want(struct node_artifacts *a, const struct rv_str *globs, uint32_t count, struct rv_err *err)
{
	rv_check(!a->met);
	if (count == 0)
		return 0;
	a->met = rv_arena_zalloc(&a->arena, count * sizeof(*a->met), _Alignof(bool));
	if (!a->met)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for %u patterns of artifacts", count);
	a->globs = globs;
	a->glob_count = count;
	return 0;
}

static int add(struct node_artifacts *a, struct rv_str path, uint64_t bytes)
{
	struct rv_str name;

	a->matched++;
	for (uint32_t i = 0; i < a->glob_count; i++)
		a->met[i] = a->met[i] || node_glob_match(a->globs[i], path);
	if (a->count == NODE_ARTIFACTS_MAX || a->names_bytes + path.bytes > NODE_ARTIFACT_NAMES_BYTES_MAX) {
		a->truncated = true;
		return 0;
	}
	if (a->count == a->capacity && grow(a) < 0)
		return -1;
	name = rv_arena_str(&a->arena, path);
	if (!name.at)
		return -1;
	a->items[a->count++] = (struct proto_artifact){ .name = name, .bytes = bytes };
	a->names_bytes += name.bytes;
	return 0;
}

/* A directory that is being read: its entries come before those of the directories found in it, which wait as paths. */
struct walk {
	struct node_artifacts *a;
	uid_t owner;
	const char **dirs; /* still to be read, relative paths */
	uint32_t count, capacity;
};

static uint32_t depth_of(const char *path)
{
	uint32_t depth = 1;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

static int push_dir(struct walk *w, const char *path)
{
	if (depth_of(path) > NODE_ARTIFACT_DEPTH_MAX) {
		w->a->truncated = true;
		return 0;
	}
	if (w->count == w->capacity) {
		uint32_t capacity = w->capacity ? 2 * w->capacity : 16;
		void *dirs = realloc(w->dirs, capacity * sizeof(w->dirs[0]));

		if (!dirs)
			return -1;
		w->dirs = dirs;
		w->capacity = capacity;
	}
	w->dirs[w->count] = rv_arena_copy(&w->a->arena, rv_str_of(path));
	return w->dirs[w->count++] ? 0 : -1;
}

static int entry(struct walk *w, int fd, const char *dir, const char *name)
{
	struct rv_buf path;
	struct stat st;
	int rc = 0;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0; /* gone meanwhile */
	rv_buf_init(&path, 0);
	if (*dir) {
		rv_buf_puts(&path, dir);
		rv_buf_putc(&path, '/');
	}
	if (rv_buf_puts(&path, name) < 0)
		rc = -1;
	else if (S_ISDIR(st.st_mode))
		rc = push_dir(w, path.at);
	else if (S_ISREG(st.st_mode) && st.st_uid == w->owner)
		rc = add(w->a, rv_buf_str(&path), (uint64_t)st.st_size);
	else
		w->a->skipped++;
	rv_buf_release(&path);
	return rc;
}

static int read_dir(struct walk *w, int fd, const char *dir)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int rc = 0;

	if (!d) {
		close(fd);
		return -1;
	}
	while (rc == 0 && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (w->a->entries++ == NODE_ARTIFACT_ENTRIES_MAX) {
			w->a->entries--;
			w->a->truncated = true;
			break;
		}
		rc = entry(w, dirfd(d), dir, e->d_name);
	}
	closedir(d);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return rv_str_compare(((const struct proto_artifact *)a)->name, ((const struct proto_artifact *)b)->name);
}

int node_artifacts_list(struct node_artifacts *a, int fd, struct rv_err *err)
{
	struct walk w = { .a = a };
	struct stat st;
	int rc, top;

	rv_check(a->fd < 0);
	a->fd = fd;
	top = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (top < 0 || fstat(fd, &st) < 0) {
		if (top >= 0)
			close(top);
		return rv_fail_errno(err, errno, "cannot read the artifacts");
	}
	w.owner = st.st_uid;
	rc = read_dir(&w, top, "");
	while (rc == 0 && w.count) {
		const char *dir = w.dirs[--w.count];
		int below;

		if (a->entries >= NODE_ARTIFACT_ENTRIES_MAX)
			break;
		if (rv_dir_open_at(fd, dir, &below, NULL) < 0)
			a->skipped++; /* became a link, or is closed to us */
		else
			rc = read_dir(&w, below, dir);
	}
	free(w.dirs);
	if (a->count > 1)
		qsort(a->items, a->count, sizeof(a->items[0]), by_name); /* no two names are equal */
	return rc == 0 ? 0 : rv_fail(err, RV_E_NO_MEMORY, "no memory to list the artifacts");
}

/* --- digesting --------------------------------------------------------------------------------------------------------- */

/* Opens the next item that is to be digested; those beyond the bound keep their zeros. false: none is left. */
static bool open_next(struct node_artifacts *a)
{
	for (; a->at < a->count; a->at++) {
		struct proto_artifact *item = &a->items[a->at];
		struct stat st;

		if (item->bytes > a->digest_left)
			continue;
		if (rv_file_open_at(a->fd, item->name.at, O_RDONLY | O_NONBLOCK, 0, &a->file, NULL) < 0)
			continue; /* gone, or no longer a file of ours */
		if (fstat(a->file, &st) < 0 || (uint64_t)st.st_size != item->bytes) {
			close(a->file);
			a->file = -1;
			continue;
		}
		item->executable = st.st_mode & S_IXUSR;
		a->file_left = item->bytes;
		a->digest_left -= item->bytes;
		rv_digest_begin(&a->digest);
		if (a->store)
			(void)rv_blob_begin(&a->copy, a->store, NULL); /* not begun: no digest */
		return true;
	}
	return false;
}

static void close_file(struct node_artifacts *a)
{
	uint8_t *digest = a->items[a->at].digest;

	if (a->store && a->copy.fd < 0) /* the store took not all of it */
		a->file_left = UINT64_MAX;
	if (a->file_left == 0 && !a->store)
		rv_digest_end(&a->digest, digest);
	else if (a->file_left == 0)
		(void)rv_blob_end(&a->copy, NULL, digest, NULL); /* failed: the zeros stay */
	else if (a->store)
		rv_blob_drop(&a->copy);
	close(a->file);
	a->file = -1;
	a->at++;
}

bool node_artifacts_digest(struct node_artifacts *a, uint64_t bytes)
{
	char chunk[CHUNK_BYTES];

	for (uint64_t done = 0;;) {
		ssize_t n;

		if (a->file < 0 && !open_next(a))
			return false;
		if (!a->file_left) {
			close_file(a);
			continue;
		}
		if (done >= bytes)
			return true;
		n = read(a->file, chunk, (size_t)rv_min_u64(a->file_left, sizeof(chunk)));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) { /* shorter than it was: no digest */
			close_file(a);
			continue;
		}
		if (!a->store)
			rv_digest_add(&a->digest, rv_str(chunk, (size_t)n));
		else if (a->copy.fd >= 0)
			(void)rv_blob_add(&a->copy, rv_str(chunk, (size_t)n), NULL); /* a failure drops it */
		a->file_left -= (uint64_t)n;
		done += (uint64_t)n;
	}
}

/* --- the verdict --------------------------------------------------------------------------------------------------------- */

int node_evidence_check(const struct node_cookie *c, const struct node_artifacts *a, struct rv_str dir, struct rv_err *err)
{
	const char *exit = c->evidence_mode == PROTO_EVIDENCE_ARTIFACT ? "it ended" : "exit 0";

	if (c->evidence_mode != PROTO_EVIDENCE_EXIT && !a->matched) {
		if (!dir.bytes)
			return rv_fail(err, RV_E_NOT_FOUND, "unit \"%.*s\": %s but it has no namespace for an artifact; set namespace: always, or evidence: exit",
				       RV_STR_ARGS(c->unit_id), exit);
		return rv_fail(err, RV_E_NOT_FOUND, "unit \"%.*s\": %s but no artifact in %.*s; have it write one there, or set evidence: exit",
			       RV_STR_ARGS(c->unit_id), exit, RV_STR_ARGS(dir));
	}
	for (uint32_t i = 0; i < c->glob_count; i++)
		if (!a->met || !a->met[i])
			return rv_fail(err, RV_E_NOT_FOUND, "unit \"%.*s\": %s but no artifact in %.*s matches \"%.*s\"%s; have it write one there, or change evidence.required",
				       RV_STR_ARGS(c->unit_id), exit, RV_STR_ARGS(dir), RV_STR_ARGS(c->globs[i]),
				       a->entries == NODE_ARTIFACT_ENTRIES_MAX ? " among the 65536 that were looked at" : "");
	return 0;
}
