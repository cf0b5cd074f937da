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
static _Thread_local uint32_t fail_in; /* allocations; 0: never */
static _Thread_local bool has_failed;

void noalloc_fail(uint32_t n)
{
	fail_in = n;
	has_failed = false;
}

bool noalloc_failed(void)
{
	return has_failed;
}

static bool out_of_memory(void)
{
	if (fail_in == 0 || --fail_in > 0)
		return false;
	has_failed = true;
	return true;
}

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
	return out_of_memory() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	rv_check(depth == 0);
	return out_of_memory() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
	rv_check(depth == 0);
	return out_of_memory() ? NULL : __real_realloc(at, bytes);
}
