/* pidns.h - kill level pidns: a PID namespace per running unit, whose init is ours and does nothing but hold it */
#ifndef WARDEN_PIDNS_H
#define WARDEN_PIDNS_H

#include "tree.h"

int pidns_level_init(struct trees *t, struct rv_err *err);
int pidns_tree_make(struct trees *t, struct tree *tree); /* errno */
void pidns_tree_release(struct trees *t, struct tree *tree);
/* The warden's next child is born in it. */
int pidns_enter(struct tree *tree);
bool pidns_tree_empty(struct tree *tree);
void pidns_collect(struct trees *t, struct tree *tree);
void pidns_level_release(struct trees *t);

#endif
