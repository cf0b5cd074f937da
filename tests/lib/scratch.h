/* scratch.h - a directory of its own for a test, as cmocka fixtures
 *
 *	cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
 *
 * One at a time in a program; below TMPDIR, else /tmp.
 */
#ifndef TESTS_LIB_SCRATCH_H
#define TESTS_LIB_SCRATCH_H

#include <stdbool.h>
#include <sys/types.h>

int scratch_make(void **state);
int scratch_drop(void **state);

const char *scratch_path(void);            /* absolute */
int scratch_dir(void);                     /* a descriptor of it, borrowed */
const char *scratch(const char *name);     /* PATH/name; four at a time */
void scratch_write(const char *name, const char *text);
bool scratch_has(const char *name);        /* links are not followed */
off_t scratch_size(const char *name);      /* -1: not there */

#endif
