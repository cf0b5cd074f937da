/* manual.h - reeve(1) and reeve-plan(5), and the keys of a plan as text, from the tables the program itself works by */
#ifndef CLI_MANUAL_H
#define CLI_MANUAL_H

#include "common/buf.h"

enum cli_page { CLI_PAGE_REEVE, CLI_PAGE_PLAN };

/* "reeve" or "reeve-plan"; -1: neither. */
int cli_page_find(const char *name, enum cli_page *out);

/* As mdoc(7). */
void cli_put_page(enum cli_page page, struct rv_buf *out);

/* Every key of a plan: its kind, default and what it is for. */
void cli_put_plan_keys(struct rv_buf *out);

#endif
