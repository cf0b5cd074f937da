/* buf.h - growing bytes with a bound
 *
 * `at` is never NULL and always NUL-terminated one past `bytes`, so a buffer can be used as a C string.
 * Growth past `limit` (0: RV_BUF_LIMIT_DEFAULT) or a failed allocation sets `failed`; every later append is a no-op
 * that returns -1, so that a row of appends needs one check at its end.
 */
#ifndef RV_BUF_H
#define RV_BUF_H

#include "base.h"

#include <stdarg.h>

#define RV_BUF_LIMIT_DEFAULT ((size_t)1 << 31)

struct rv_buf {
	char *at;
	size_t bytes;
	size_t capacity;
	size_t limit;
	bool failed;
};

void rv_buf_init(struct rv_buf *b, size_t limit);
void rv_buf_release(struct rv_buf *b);
/* Empties it, keeps the memory, clears `failed`. */
void rv_buf_reset(struct rv_buf *b);

int rv_buf_put(struct rv_buf *b, const void *bytes, size_t count);
int rv_buf_putc(struct rv_buf *b, char c);
int rv_buf_puts(struct rv_buf *b, const char *cstr);
int rv_buf_put_str(struct rv_buf *b, struct rv_str s);
int rv_buf_put_decimal(struct rv_buf *b, uint64_t v, uint32_t digits_min); /* with leading zeros; a tenth of what printf takes */
int rv_buf_printf(struct rv_buf *b, const char *fmt, ...) RV_PRINTF(2, 3);
int rv_buf_vprintf(struct rv_buf *b, const char *fmt, va_list ap) RV_PRINTF(2, 0);
/* Does the character, beyond ASCII, move, hide or reorder text? C1 controls, bidi marks, zero width, tags. */
bool rv_char_misleads(uint32_t cp);
/* Appends s as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. What a terminal would act on is escaped, too. */
int rv_buf_put_json(struct rv_buf *b, struct rv_str s);
/* Appends one character as an escape of a JSON string. */
void rv_buf_put_json_escape(struct rv_buf *b, uint32_t cp);
/* Room for `count` more bytes: a pointer to write at, NULL on failure. Follow with rv_buf_added(). */
char *rv_buf_reserve(struct rv_buf *b, size_t count);
void rv_buf_added(struct rv_buf *b, size_t count);
/* Drops the first `count` bytes (moves the rest down). */
void rv_buf_consume(struct rv_buf *b, size_t count);

static inline struct rv_str rv_buf_str(const struct rv_buf *b)
{
	return rv_str(b->at, b->bytes);
}

/* Fixed little-endian integers, for our own binary formats (warden channel, log index). */
int rv_buf_put_u8(struct rv_buf *b, uint8_t v);
int rv_buf_put_u16(struct rv_buf *b, uint16_t v);
int rv_buf_put_u32(struct rv_buf *b, uint32_t v);
int rv_buf_put_u64(struct rv_buf *b, uint64_t v);
/* u32 length, then the bytes. */
int rv_buf_put_lv(struct rv_buf *b, struct rv_str s);

/* Reading them back. A read past the end sets `failed` and gives 0 / an empty slice: one check at the end. */
struct rv_reader {
	const char *at;
	const char *end;
	bool failed;
};

void rv_reader_init(struct rv_reader *r, struct rv_str bytes);
uint8_t rv_read_u8(struct rv_reader *r);
uint16_t rv_read_u16(struct rv_reader *r);
uint32_t rv_read_u32(struct rv_reader *r);
uint64_t rv_read_u64(struct rv_reader *r);
struct rv_str rv_read_lv(struct rv_reader *r); /* borrows from the bytes read */

#endif
