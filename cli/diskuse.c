/* diskuse.c */
#include "cli/diskuse.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 512u /* of st_blocks, whatever the file system's are: stat(2) */

int cli_diskuse_add(struct cli_diskuse *d, const char *path, struct rv_err *err)
{
	char *paths[] = { (char *)path, NULL };
	FTSENT *e;
	FTS *fts;
	int rc;

	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!fts)
		return rv_fail_errno(err, errno, "cannot look into %.512s", path);
	errno = 0;
	while ((e = fts_read(fts))) {
		if (e->fts_info == FTS_DNR)
			d->unread++;
		if (e->fts_info == FTS_DP || e->fts_info == FTS_DNR || e->fts_info == FTS_NS || e->fts_info == FTS_ERR)
			continue; /* a directory's second time; something that went meanwhile */
		d->files++;
		d->bytes += (uint64_t)e->fts_statp->st_blocks * BLOCK_BYTES;
	}
	rc = errno && errno != ENOENT ? rv_fail_errno(err, errno, "cannot look into %.512s", path) : 0;
	(void)fts_close(fts);
	return rc;
}

int cli_diskuse_add_in(struct cli_diskuse *d, const char *dir, const char *name, struct rv_err *err)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path)) {
		(void)rv_fail(err, RV_E_LIMIT, "the path %.200s.../%.64s is too long", dir, name);
		return rv_hint(err, "move the directory to where its path is shorter");
	}
	return cli_diskuse_add(d, path, err);
}
