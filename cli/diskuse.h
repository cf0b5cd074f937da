/* diskuse.h - how much of a disk a directory takes */
#ifndef CLI_DISKUSE_H
#define CLI_DISKUSE_H

#include "common/base.h"
#include "common/err.h"

struct cli_diskuse {
	uint64_t bytes; /* as allocated, not as long as the files are */
	uint64_t files; /* of any kind, directories too */
	uint64_t unread; /* directories that could not be looked into */
};

/* Adds what lies at and below `path`, following no link and staying on its file system. What is not there takes nothing. RV_E_IO. */
int cli_diskuse_add(struct cli_diskuse *d, const char *path, struct rv_err *err);
/* The same of DIR/NAME; RV_E_LIMIT: that is too long for a path. */
int cli_diskuse_add_in(struct cli_diskuse *d, const char *dir, const char *name, struct rv_err *err);

#endif
