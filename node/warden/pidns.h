/* pidns.h - kill level pidns: a PID namespace per running unit, whose init is ours and does nothing but hold it */
#ifndef WARDEN_PIDNS_H
#define WARDEN_PIDNS_H

#include "tree.h"

/* `userns`: without the right to make one, enter a user namespace that gives it. There is no way back from it, and it shows:
 * files of other users belong to nobody, so that sudo does not work in it and ssh refuses its system-wide settings. So
 * nobody gets it unasked. */
enum pidns_userns { PIDNS_NO_USERNS, PIDNS_MAY_USERNS };
int pidns_level_init(struct trees *t, enum pidns_userns userns, struct rv_err *err);
int pidns_tree_make(struct trees *t, struct tree *tree); /* errno */
void pidns_tree_release(struct trees *t, struct tree *tree);
/* The warden's next child is born in it. */
int pidns_enter(struct tree *tree);
bool pidns_tree_empty(struct tree *tree);
void pidns_collect(struct trees *t, struct tree *tree);
void pidns_level_release(struct trees *t);

#endif
