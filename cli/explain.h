/* explain.h - a row of ASK explain in words */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "common/buf.h"

/* A line, harmless, its newline included: "n1: cannot take it; it lacks gpu=yes". */
void cli_explain_put_line(struct rv_buf *out, struct rv_str row);

#endif
