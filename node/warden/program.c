#include "program.h"

#include "common/map.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool executable(const char *path, int *sys)
{
	struct stat st;

	if (stat(path, &st))
		return false; /* a directory of PATH that is closed to us holds nothing for us */
	if (S_ISREG(st.st_mode) && (st.st_mode & 0111))
		return true;
	*sys = EACCES;
	return false;
}

/* Walks PATH as execvp does; relative entries are relative to the unit's cwd. NULL: *sys says why. */
static char *search(const char *name, const char *path, const char *cwd, int *sys)
{
	struct rv_buf b;
	const char *dir = path ? path : "/usr/local/bin:/usr/bin:/bin";
	char *found = NULL;

	*sys = ENOENT;
	rv_buf_init(&b, 1 << 20);
	for (;;) {
		size_t n = strcspn(dir, ":");

		rv_buf_reset(&b);
		if (dir[0] != '/' || n == 0) {
			rv_buf_puts(&b, cwd ? cwd : ".");
			if (n)
				rv_buf_putc(&b, '/');
		}
		rv_buf_put(&b, dir, n);
		rv_buf_putc(&b, '/');
		rv_buf_puts(&b, name);
		if (!b.failed && executable(b.at, sys)) {
			found = strdup(b.at);
			break;
		}
		if (!dir[n])
			break;
		dir += n + 1;
	}
	rv_buf_release(&b);
	return found;
}

static struct program_path *path_slot(struct program_cache *cache, const char *name, const char *path, uint64_t *hash)
{
	*hash = rv_hash(rv_hash(1, rv_str_of(path ? path : "")), rv_str_of(name)) | 1;
	return &cache->at[*hash >> 8 & (PROGRAM_PATHS_MAX - 1)];
}

const char *program_find(struct program_cache *cache, const char *name, const char *path, const char *cwd, int *sys)
{
	struct program_path *slot;
	uint64_t hash;
	char *found;

	if (strchr(name, '/'))
		return name;
	if (!name[0] || strlen(name) > 4096) {
		*sys = ENOENT;
		return NULL;
	}
	slot = path_slot(cache, name, path, &hash);
	if (slot->hash == hash && slot->path)
		return slot->path;
	found = search(name, path, cwd, sys);
	if (!found)
		return NULL;
	/* What lies in a relative directory depends on the cwd and is looked up each time. */
	free(slot->path);
	slot->path = found;
	slot->hash = found[0] == '/' && !(cwd && !strncmp(found, cwd, strlen(cwd))) ? hash : 0;
	return slot->path;
}

bool program_forget(struct program_cache *cache, const char *name, const char *path)
{
	uint64_t hash;
	struct program_path *slot;

	if (strchr(name, '/'))
		return false;
	slot = path_slot(cache, name, path, &hash);
	slot->hash = 0;
	return true;
}

void program_cache_release(struct program_cache *cache)
{
	for (uint32_t i = 0; i < PROGRAM_PATHS_MAX; i++) {
		free(cache->at[i].path);
		cache->at[i] = (struct program_path){ 0 };
	}
}

enum warden_fault program_fault(int sys, const char *path)
{
	struct stat st;

	switch (sys) {
	case ENOENT:
	case ENOTDIR:
		return path[0] == '/' && !stat(path, &st) ? WARDEN_FAULT_NOT_EXECUTABLE : WARDEN_FAULT_NOT_FOUND;
	case EACCES:
	case EPERM:
	case ENOEXEC:
	case EISDIR:
	case ELIBBAD:
	case ELOOP:
	case ENAMETOOLONG:
		return WARDEN_FAULT_NOT_EXECUTABLE;
	case E2BIG:
		return WARDEN_FAULT_TOO_BIG;
	default:
		return WARDEN_FAULT_RESOURCES;
	}
}
