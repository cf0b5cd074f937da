#include "tests/lib/faultfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct file {
	sqlite3_file base;
	sqlite3_file *real; /* behind us in the same piece of memory */
	int watched;
	const char *name; /* SQLite's, as long as the file is open */
};

static struct faultfs orders;
static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;

static sqlite3_file *real(sqlite3_file *f)
{
	return ((struct file *)(void *)f)->real;
}

static int close_file(sqlite3_file *f)
{
	return real(f)->pMethods ? real(f)->pMethods->xClose(real(f)) : SQLITE_OK;
}

static int order(const sqlite3_file *f, _Atomic int64_t *left, int error)
{
	if (!((const struct file *)(const void *)f)->watched || *left < 0)
		return SQLITE_OK;
	if (*left == 0)
		return error;
	--*left;
	return SQLITE_OK;
}

static int read_file(sqlite3_file *f, void *at, int bytes, sqlite3_int64 offset)
{
	int rc = order(f, &orders.reads_left, SQLITE_IOERR_READ);

	return rc ? rc : real(f)->pMethods->xRead(real(f), at, bytes, offset);
}

static int write_file(sqlite3_file *f, const void *at, int bytes, sqlite3_int64 offset)
{
	int rc = order(f, &orders.writes_left, orders.write_error);

	orders.writes++;
	if (!rc && ((struct file *)(void *)f)->watched && orders.bytes_max >= 0 && offset + bytes > orders.bytes_max)
		rc = SQLITE_FULL;
	return rc ? rc : real(f)->pMethods->xWrite(real(f), at, bytes, offset);
}

static int truncate_file(sqlite3_file *f, sqlite3_int64 size)
{
	return real(f)->pMethods->xTruncate(real(f), size);
}

static int sync_file(sqlite3_file *f, int flags)
{
	int rc;

	if (orders.on_sync)
		orders.on_sync();
	rc = order(f, &orders.syncs_left, orders.sync_error);
	orders.syncs++;
	if (!rc)
		rc = real(f)->pMethods->xSync(real(f), flags);
	if (!rc && orders.after_sync)
		orders.after_sync(((struct file *)(void *)f)->name);
	return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return real(f)->pMethods->xFileSize(real(f), size);
}

static int lock_file(sqlite3_file *f, int how)
{
	return real(f)->pMethods->xLock(real(f), how);
}

static int unlock_file(sqlite3_file *f, int how)
{
	return real(f)->pMethods->xUnlock(real(f), how);
}

static int check_lock(sqlite3_file *f, int *out)
{
	return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int control(sqlite3_file *f, int op, void *arg)
{
	return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int sector_size(sqlite3_file *f)
{
	return real(f)->pMethods->xSectorSize(real(f));
}

static int characteristics(sqlite3_file *f)
{
	return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int shm_map(sqlite3_file *f, int page, int bytes, int extend, void volatile **out)
{
	return real(f)->pMethods->xShmMap(real(f), page, bytes, extend, out);
}

static int shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void shm_barrier(sqlite3_file *f)
{
	real(f)->pMethods->xShmBarrier(real(f));
}

static int shm_unmap(sqlite3_file *f, int drop)
{
	return real(f)->pMethods->xShmUnmap(real(f), drop);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = close_file,
	.xRead = read_file,
	.xWrite = write_file,
	.xTruncate = truncate_file,
	.xSync = sync_file,
	.xFileSize = file_size,
	.xLock = lock_file,
	.xUnlock = unlock_file,
	.xCheckReservedLock = check_lock,
	.xFileControl = control,
	.xSectorSize = sector_size,
	.xDeviceCharacteristics = characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap,
};

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
	struct file *file = (struct file *)(void *)f;
	size_t n = orders.suffix ? strlen(orders.suffix) : 0;
	size_t m = name ? strlen(name) : 0;
	int rc;

	(void)v;
	file->real = (sqlite3_file *)(void *)(file + 1);
	file->watched = m >= n && (n == 0 || strcmp(name + m - n, orders.suffix) == 0);
	file->name = name;
	rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
	file->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
	return rc;
}

struct faultfs *faultfs(void)
{
	if (!real_vfs) {
		real_vfs = sqlite3_vfs_find(NULL);
		vfs = *real_vfs; /* all else goes to the real one as it is */
		vfs.zName = FAULTFS;
		vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
		vfs.xOpen = open_file;
		if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
			abort();
	}
	orders.suffix = NULL;
	orders.writes_left = orders.syncs_left = orders.reads_left = orders.bytes_max = -1;
	orders.write_error = SQLITE_IOERR_WRITE;
	orders.sync_error = SQLITE_IOERR_FSYNC;
	orders.writes = orders.syncs = 0;
	orders.on_sync = NULL;
	orders.after_sync = NULL;
	return &orders;
}
