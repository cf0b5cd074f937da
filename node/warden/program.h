/* program.h - which file a command's first word means: PATH look-ups with a cache, and what a failed exec says of it */
#ifndef WARDEN_PROGRAM_H
#define WARDEN_PROGRAM_H

#include "channel.h"

#define PROGRAM_PATHS_MAX 256u

struct program_path {
	uint64_t hash;        /* of program name and PATH; 0: unused */
	char *path;
};

/* One entry a place: a new name takes the place of an old one, so the cache is bounded. */
struct program_cache {
	struct program_path at[PROGRAM_PATHS_MAX];
};

void program_cache_release(struct program_cache *cache);
/* The path of `name`: as it is with a slash, else by `path` (NULL: the usual) as execvp does it; relative entries are relative
 * to `cwd` (NULL: ours). Borrowed until the next call. NULL: *sys says why (ENOENT, EACCES). */
const char *program_find(struct program_cache *cache, const char *name, const char *path, const char *cwd, int *sys);
/* Looks it up anew the next time; false: it does not come from the cache. */
bool program_forget(struct program_cache *cache, const char *name, const char *path);
/* Whose mistake a failed execve() of `path` is. */
enum warden_fault program_fault(int sys, const char *path);

#endif
