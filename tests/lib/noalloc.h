/* noalloc.h - a stretch of code in which nothing may be allocated: the cores' steps
 *
 * Test programs are linked so that reeve's own calls of malloc, calloc and realloc come through here (the Makefile's WRAPPED);
 * between begin and end each of them aborts. Calls inside shared libraries are not seen.
 */
#ifndef TESTS_LIB_NOALLOC_H
#define TESTS_LIB_NOALLOC_H

#include <stdbool.h>
#include <stdint.h>

void noalloc_begin(void);
void noalloc_end(void);

/* Memory runs out: of this thread's next allocations the n-th (1, 2, ...) fails, once. 0: none. True: it came to that. */
void noalloc_fail(uint32_t n);
bool noalloc_failed(void);

#endif
