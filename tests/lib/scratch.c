#include "tests/lib/scratch.h"

#include "common/os/file.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <sys/stat.h>

static char path[128];
static int dir = -1;

int scratch_make(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/reeve-test-XXXXXX", tmp && strlen(tmp) < 90 ? tmp : "/tmp");
	if (!mkdtemp(path))
		return -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : 0;
}

int scratch_drop(void **state)
{
	char *slash = strrchr(path, '/');
	int above, rc;

	(void)state;
	(void)close(dir);
	dir = -1;
	*slash = '\0';
	above = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = rv_tree_remove_at(above, slash + 1, NULL);
	(void)close(above);
	return rc;
}

const char *scratch_path(void)
{
	return path;
}

int scratch_dir(void)
{
	return dir;
}

const char *scratch(const char *name)
{
	static char full[4][512];
	static unsigned next;
	char *at = full[next++ % 4];

	(void)snprintf(at, sizeof(full[0]), "%s/%s", path, name);
	return at;
}

void scratch_write(const char *name, const char *text)
{
	struct rv_err err;

	if (rv_file_write(scratch(name), rv_str_of(text), 0600, RV_FILE_NOSYNC, &err))
		fail_msg("%s", err.msg);
}

bool scratch_has(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

off_t scratch_size(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : -1;
}
