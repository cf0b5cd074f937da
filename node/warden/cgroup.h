/* cgroup.h - kill level cgroup: a directory per running unit in the v2 hierarchy, wherever that is mounted */
#ifndef WARDEN_CGROUP_H
#define WARDEN_CGROUP_H

#include "tree.h"

int cgroup_level_init(struct trees *t, struct rv_err *err);
void cgroup_level_release(struct trees *t);
int cgroup_tree_make(struct trees *t, struct tree *tree); /* errno */
void cgroup_tree_release(struct trees *t, struct tree *tree);
bool cgroup_tree_empty(struct tree *tree);
int cgroup_tree_pids(struct tree *tree, pid_t *out, int room);
int cgroup_tree_kill(struct trees *t, struct tree *tree);
int cgroup_tree_freeze(struct tree *tree, const char *value);
void cgroup_tree_cpu(struct tree *tree, uint64_t *cpu_us);

#endif
