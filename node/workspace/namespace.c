#include "node/workspace/namespace.h"

#include "common/id.h"
#include "common/limits.h"
#include "common/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_PATH_BYTES 64
#define UNIT_PATH_BYTES (RV_UNIT_ID_BYTES_MAX + 64)

void node_namespaces_init(struct node_namespaces *n, struct rv_str root)
{
	memset(n, 0, sizeof(*n));
	n->root = root;
	n->fd = -1;
}

void node_namespaces_release(struct node_namespaces *n)
{
	for (uint32_t i = 0; i < n->run_count; i++)
		close(n->runs[i].fd);
	if (n->fd >= 0)
		close(n->fd);
	node_namespaces_init(n, rv_str(NULL, 0));
}

static const char *run_path(uint64_t run, const char *below, char out[RUN_PATH_BYTES])
{
	struct rv_run_id id = rv_run_id_of(run);

	(void)snprintf(out, RUN_PATH_BYTES, "runs/%s%s", id.text, below);
	return out;
}

/* UNIT/ATTEMPT, or UNIT for attempt 0. The rule for ids makes every one the name of a directory. */
static int unit_path(struct rv_str unit_id, uint32_t attempt, char out[UNIT_PATH_BYTES], struct rv_err *err)
{
	if (!rv_unit_id_valid(unit_id) && !rv_str_equal(unit_id, RV_STR("__verify__")))
		return rv_fail(err, RV_E_CORRUPT, "a unit id that cannot be a directory");
	if (attempt)
		(void)snprintf(out, UNIT_PATH_BYTES, "%.*s/%u", RV_STR_ARGS(unit_id), attempt);
	else
		(void)snprintf(out, UNIT_PATH_BYTES, "%.*s", RV_STR_ARGS(unit_id));
	return 0;
}

int node_namespace_path(const struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_buf *out)
{
	char room[RUN_PATH_BYTES];

	rv_buf_put_str(out, n->root);
	rv_buf_putc(out, '/');
	rv_buf_puts(out, run_path(run, "/units/", room));
	rv_buf_put_str(out, unit_id);
	return rv_buf_printf(out, "/%u", attempt);
}

/* The root itself comes from the user's words: links in it are followed. */
static int open_root(struct node_namespaces *n, struct rv_err *err)
{
	char path[4096];

	if (n->fd >= 0)
		return 0;
	if (!n->root.bytes)
		return rv_fail(err, RV_E_NOT_FOUND, "there is no directory for namespaces");
	if (n->root.bytes >= sizeof(path))
		return rv_fail(err, RV_E_LIMIT, "the path of the namespaces has %zu bytes", n->root.bytes);
	memcpy(path, n->root.at, n->root.bytes);
	path[n->root.bytes] = '\0';
	if (mkdir(path, 0711) == 0)
		(void)chmod(path, 0711); /* whatever the umask: units of another user pass through */
	else if (errno == ENOENT && rv_dir_make(path, 0711, err) < 0)
		return -1;
	if (rv_dir_open(path, &n->fd, err) < 0)
		return -1;
	if (faccessat(n->fd, ".gitignore", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		(void)rv_file_write_at(n->fd, ".gitignore", RV_STR("*\n"), 0644, RV_FILE_NOSYNC, NULL); /* only a courtesy */
	return 0;
}

static int run_fd(struct node_namespaces *n, uint64_t run, struct rv_err *err)
{
	char path[RUN_PATH_BYTES];
	uint32_t at;
	int fd;

	for (uint32_t i = 0; i < n->run_count; i++)
		if (n->runs[i].run == run)
			return n->runs[i].fd;
	if (open_root(n, err) < 0)
		return -1;
	run_path(run, "/units", path);
	if (rv_dir_make_at(n->fd, path, 0711, err) < 0 || rv_dir_open_at(n->fd, path, &fd, err) < 0)
		return -1;
	at = n->run_count < NODE_NAMESPACE_RUNS ? n->run_count++ : n->next++ % NODE_NAMESPACE_RUNS;
	if (n->runs[at].run)
		close(n->runs[at].fd);
	n->runs[at].run = run;
	n->runs[at].fd = fd;
	return fd;
}

static int make_dirs(int fd, struct rv_err *err)
{
	static const char *const names[] = { NODE_DIR_ARTIFACTS, NODE_DIR_TMP, NODE_DIR_LOGS, NODE_DIR_HANDOFFS };

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++)
		if (mkdirat(fd, names[i], 0700) < 0)
			return rv_fail_errno(err, errno, "cannot make the directory %s of a namespace", names[i]);
	return 0;
}

int node_namespace_make(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, int *fd, struct rv_err *err)
{
	char path[UNIT_PATH_BYTES], unit[UNIT_PATH_BYTES];
	int units = run_fd(n, run, err), made;

	if (units < 0 || unit_path(unit_id, 0, unit, err) < 0 || unit_path(unit_id, attempt, path, err) < 0)
		return -1;
	if (mkdirat(units, unit, 0711) < 0 && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot make the namespace %s", unit);
	/* `unit` may be a link that somebody put there: what is made below it is opened again by the rules */
	if (rv_tree_remove_at(units, path, err) < 0 || rv_dir_make_at(units, path, 0700, err) < 0 ||
	    rv_dir_open_at(units, path, &made, err) < 0)
		return -1;
	if (make_dirs(made, err) < 0) {
		close(made);
		return -1;
	}
	*fd = made;
	n->made++;
	return 0;
}

int node_namespace_open(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, int *fd, struct rv_err *err)
{
	char path[UNIT_PATH_BYTES];
	int units = run_fd(n, run, err);

	if (units < 0 || unit_path(unit_id, attempt, path, err) < 0)
		return -1;
	return rv_dir_open_at(units, path, fd, err);
}

enum node_dep_place node_namespace_find_dep(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt)
{
	char path[UNIT_PATH_BYTES], at[RUN_PATH_BYTES], full[RUN_PATH_BYTES + UNIT_PATH_BYTES];
	int units = run_fd(n, run, NULL), fd;

	if (units < 0 || !attempt || unit_path(unit_id, attempt, path, NULL) < 0)
		return NODE_DEP_NOWHERE;
	(void)snprintf(full, sizeof(full), "%s/" NODE_DIR_ARTIFACTS, path);
	if (rv_dir_open_at(units, full, &fd, NULL) == 0) {
		close(fd);
		return NODE_DEP_RAN_HERE;
	}
	(void)snprintf(full, sizeof(full), "%s/%s", run_path(run, "/" NODE_DIR_HANDED, at), path);
	if (rv_dir_open_at(n->fd, full, &fd, NULL) < 0)
		return NODE_DEP_NOWHERE;
	close(fd);
	return NODE_DEP_HANDED;
}

int node_namespace_link_dep(struct node_namespaces *n, int fd, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_err *err)
{
	char path[UNIT_PATH_BYTES], to[UNIT_PATH_BYTES + 64], link[UNIT_PATH_BYTES + 16];
	enum node_dep_place place;

	if (run_fd(n, run, err) < 0 || unit_path(unit_id, attempt, path, err) < 0)
		return -1;
	place = node_namespace_find_dep(n, run, unit_id, attempt);
	if (place == NODE_DEP_NOWHERE)
		return 0;
	if (mkdirat(fd, NODE_DIR_DEPS, 0700) < 0 && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot make the directory " NODE_DIR_DEPS " of a namespace");
	(void)snprintf(link, sizeof(link), NODE_DIR_DEPS "/%.*s", RV_STR_ARGS(unit_id));
	if (place == NODE_DEP_RAN_HERE)
		(void)snprintf(to, sizeof(to), "../../../%s/" NODE_DIR_ARTIFACTS, path);
	else
		(void)snprintf(to, sizeof(to), "../../../../" NODE_DIR_HANDED "/%s", path);
	if (symlinkat(to, fd, link) < 0 && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot link the artifacts of a dependency");
	return 1;
}

int node_namespace_hand_begin(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, const char *mark,
			      struct node_handed_dir *d, struct rv_err *err)
{
	char unit[UNIT_PATH_BYTES], at[RUN_PATH_BYTES], path[RUN_PATH_BYTES + UNIT_PATH_BYTES];

	d->parent = d->fd = -1;
	if (open_root(n, err) < 0 || unit_path(unit_id, 0, unit, err) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s", run_path(run, "/" NODE_DIR_HANDED, at), unit);
	(void)snprintf(d->name, sizeof(d->name), "%u", attempt);
	(void)snprintf(d->temp, sizeof(d->temp), ".%u-%.16s", attempt, mark);
	if (rv_dir_make_at(n->fd, path, 0711, err) < 0 || rv_dir_open_at(n->fd, path, &d->parent, err) < 0)
		return -1;
	if (rv_tree_remove_at(d->parent, d->temp, err) == 0 && rv_dir_make_at(d->parent, d->temp, 0700, err) == 0 &&
	    rv_dir_open_at(d->parent, d->temp, &d->fd, err) == 0)
		return 0;
	node_namespace_hand_drop(d);
	return -1;
}

static void close_handed(struct node_handed_dir *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->parent >= 0)
		close(d->parent);
	d->parent = d->fd = -1;
}

int node_namespace_hand_end(struct node_handed_dir *d, struct rv_err *err)
{
	if (renameat(d->parent, d->temp, d->parent, d->name) == 0) {
		close_handed(d);
		return 0;
	}
	if (errno != ENOTEMPTY && errno != EEXIST)
		return rv_fail_errno(err, errno, "cannot give the artifacts of a dependency their place");
	node_namespace_hand_drop(d);
	return 0;
}

void node_namespace_hand_drop(struct node_handed_dir *d)
{
	if (d->parent >= 0)
		(void)rv_tree_remove_at(d->parent, d->temp, NULL); /* what stays is nobody's: the next one begins with it */
	close_handed(d);
}

static void handoff_path(struct node_namespaces *n, uint64_t run, struct rv_str hex, struct rv_buf *path, size_t *relative)
{
	char room[RUN_PATH_BYTES];

	rv_buf_put_str(path, n->root);
	rv_buf_putc(path, '/');
	*relative = path->bytes;
	rv_buf_puts(path, run_path(run, "/handoffs/", room));
	rv_buf_put_str(path, hex);
}

bool node_namespace_has_handoff(struct node_namespaces *n, uint64_t run, struct rv_str hex, struct rv_buf *path)
{
	size_t relative;
	int fd;

	handoff_path(n, run, hex, path, &relative);
	if (path->failed || open_root(n, NULL) < 0 || rv_file_open_at(n->fd, path->at + relative, O_RDONLY, 0, &fd, NULL) < 0)
		return false;
	close(fd);
	return true;
}

int node_namespace_handoff(struct node_namespaces *n, uint64_t run, struct rv_str hex, struct rv_str bytes, struct rv_buf *path, struct rv_err *err)
{
	char room[RUN_PATH_BYTES];
	size_t relative;

	handoff_path(n, run, hex, path, &relative);
	if (path->failed)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a path");
	if (open_root(n, err) < 0 || rv_dir_make_at(n->fd, run_path(run, "/handoffs", room), 0711, err) < 0)
		return -1;
	return rv_file_write_at(n->fd, path->at + relative, bytes, 0444, RV_FILE_NOSYNC, err);
}

int node_namespace_run_dir(struct node_namespaces *n, uint64_t run, struct rv_buf *path, struct rv_err *err)
{
	char room[RUN_PATH_BYTES];

	run_path(run, "/cwd", room);
	if (open_root(n, err) < 0 || rv_dir_make_at(n->fd, room, 0711, err) < 0)
		return -1;
	rv_buf_put_str(path, n->root);
	rv_buf_putc(path, '/');
	return rv_buf_puts(path, room);
}
