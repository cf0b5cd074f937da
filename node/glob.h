/* glob.h - does a path match a pattern of `evidence.required`
 *
 * `*` and `?` stay within a path segment, `**` crosses them ("**" alone matches all; a leading "**" and slash matches the top too), [abc], [a-z], [!a]
 * are sets, a backslash takes the next character as it is. Time is bounded by pattern x path. Pure.
 */
#ifndef NODE_GLOB_H
#define NODE_GLOB_H

#include "common/base.h"

#define NODE_GLOB_BYTES_MAX 1024u /* of a pattern; longer ones match nothing */

bool node_glob_match(struct rv_str pattern, struct rv_str path);

#endif
