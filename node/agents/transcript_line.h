/* transcript_line.h - one line of a transcript as JSON, whatever was in it
 *
 * Real agents cut texts in the middle of a character and write numbers of any size, so what is nearly JSON is mended first: bytes that
 * are no UTF-8, halves of surrogate pairs and NULs become a replacement. Then a line is counted before it is built: one that is
 * deeper than TRANSCRIPT_DEPTH_MAX or has more than TRANSCRIPT_VALUES_MAX values is none, so a line of N bytes takes at most N bytes
 * of texts and a fixed number of values. Pure.
 */
#ifndef NODE_AGENTS_TRANSCRIPT_LINE_H
#define NODE_AGENTS_TRANSCRIPT_LINE_H

#include "common/base.h"

#include <jansson.h>

#define TRANSCRIPT_DEPTH_MAX 128u
#define TRANSCRIPT_VALUES_MAX 65536u

/* The object in the line, which is mended in place; NULL: there is none. Gives a reference. */
json_t *transcript_line_read(char *line, size_t bytes);

/* Members of an object (NULL and other kinds have none): a text ("" if it is none), a count (0; no more than 2^53). Borrows. */
struct rv_str transcript_text_of(const json_t *object, const char *key);
uint64_t transcript_count_of(const json_t *object, const char *key);
bool transcript_is(const json_t *object, const char *key, const char *text);

#endif
