/* noalloc.c - an allocator that aborts while a step runs */
#include "noalloc.h"

#include "common/check.h"

#include <stddef.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);

static _Thread_local int depth;

void noalloc_begin(void)
{
	depth++;
}

void noalloc_end(void)
{
	rv_check(depth > 0);
	depth--;
}

void *__wrap_malloc(size_t bytes)
{
	rv_check(depth == 0); /* nothing allocates here */
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	rv_check(depth == 0);
	return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
	rv_check(depth == 0);
	return __real_realloc(at, bytes);
}
