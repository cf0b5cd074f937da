/* base.h - the few words every file of reeve shares
 *
 * Slices, array length, saturating time arithmetic and compiler attributes. Nothing here allocates,
 * reads a clock or has state.
 */
#ifndef RV_BASE_H
#define RV_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RV_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define RV_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define RV_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

/* "Never": a deadline that does not come. */
#define RV_NEVER UINT64_MAX

#define RV_US_PER_MS 1000u
#define RV_US_PER_S 1000000u

/* Borrowed bytes. `at` may be NULL only when `bytes` is 0; not NUL-terminated unless said so. */
struct rv_str {
	const char *at;
	size_t bytes;
};

#define RV_STR(literal) ((struct rv_str){ .at = (literal), .bytes = sizeof(literal) - 1 })
/* For printf("%.*s", RV_STR_ARGS(s)). */
#define RV_STR_ARGS(s) (int)(s).bytes, (s).at ? (s).at : ""

static inline struct rv_str rv_str(const char *at, size_t bytes)
{
	return (struct rv_str){ .at = at, .bytes = bytes };
}

static inline struct rv_str rv_str_of(const char *cstr)
{
	return (struct rv_str){ .at = cstr, .bytes = cstr ? strlen(cstr) : 0 };
}

static inline bool rv_str_equal(struct rv_str a, struct rv_str b)
{
	return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.at, b.at, a.bytes) == 0);
}

/* Byte order, shorter first on a common prefix; <0, 0, >0. */
static inline int rv_str_compare(struct rv_str a, struct rv_str b)
{
	size_t n = a.bytes < b.bytes ? a.bytes : b.bytes;
	int c = n ? memcmp(a.at, b.at, n) : 0;

	return c ? c : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* a + b, or UINT64_MAX where that would overflow: RV_NEVER stays never. */
static inline uint64_t rv_sat_add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* a - b, or 0 where that would be negative. */
static inline uint64_t rv_sat_sub(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static inline uint64_t rv_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t rv_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
