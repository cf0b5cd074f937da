/* ondisk.c - allowed_directories against the tree that is there
 *
 * What is not there yet is fine: it is made when a unit runs. What leads out of the workspace by a link, or is a FIFO, a
 * device or a socket, is told now and not an hour into the run. The node looks again; this is for people.
 */
#include "loader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATHS_MAX 20000u /* distinct ones; a look costs some microseconds */

static bool inside(const char *path, const char *root)
{
	size_t n = strlen(root);

	return strcmp(root, "/") == 0 || (strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

/* What is wrong with root/path; NULL: nothing. */
static const char *look(const char *root, struct rv_str path)
{
	char full[PATH_MAX], real[PATH_MAX], *slash;
	struct stat st;

	if (snprintf(full, sizeof(full), "%s/%.*s", root, RV_STR_ARGS(path)) >= (int)sizeof(full))
		return NULL; /* the node will say so */
	while (!realpath(full, real)) {
		slash = strrchr(full, '/');
		if ((errno != ENOENT && errno != ENOTDIR) || !slash || slash == full || strlen(full) <= strlen(root))
			return NULL;
		*slash = '\0';
	}
	if (!inside(real, root))
		return "it leads out of the workspace by a symbolic link";
	if (stat(real, &st) == 0 && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return "it is neither a directory nor a file";
	return NULL;
}

int plan_check_tree(struct plan_loader *l)
{
	const struct plan *p = l->plan;
	struct rv_strmap seen;
	char root[PATH_MAX], q[PLAN_QUOTED];
	uint32_t i, d;
	int rc = 0;

	if (!l->opt->check_tree || p->workspace.mode == PLAN_MODE_NONE || !p->workspace.root.bytes ||
	    !realpath(p->workspace.root.at, root))
		return 0;
	rv_strmap_init(&seen, l->seed);
	for (i = 0; rc == 0 && i < p->unit_count && seen.count < PATHS_MAX; i++) {
		const struct plan_dirs *dirs = p->units[i].dirs;

		for (d = 0; rc == 0 && dirs && d < dirs->count - dirs->filled; d++) {
			uint32_t before = seen.count;
			const char *why;

			if (rv_strmap_add(&seen, dirs->path[d], i) == RV_MAP_NONE)
				rc = plan_no_memory(l);
			if (seen.count == before)
				continue;
			why = look(root, dirs->path[d]);
			if (why)
				plan_error_unit(l, PLAN_E_DIR_FORM, i, RV_STR("allowed_directories"), dirs->path[d],
						"the directory %s is not allowed: %s", plan_quote(dirs->path[d], q), why);
		}
	}
	rv_strmap_release(&seen);
	return rc;
}
