#include "tree.h"

#include "clock.h"
#include "common/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "pidns.h"

int trees_init(struct trees *t, enum warden_level wanted, struct rv_err *err)
{
	struct rv_err why = { 0 };

	memset(t, 0, sizeof(*t));
	rv_list_init(&t->all);
	rv_list_init(&t->spare);
	procs_init(&t->procs);
	t->base_fd = t->maker_fd = -1;
	t->scratch = calloc(TREE_SCRATCH, sizeof(*t->scratch));
	if (!t->scratch)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory");
	t->level = WARDEN_LEVEL_SUBREAPER;
	if (wanted == WARDEN_LEVEL_SUBREAPER)
		return 0;
	if (wanted != WARDEN_LEVEL_PIDNS) {
		if (!cgroup_level_init(t, &why)) {
			t->level = WARDEN_LEVEL_CGROUP;
			return 0;
		}
		if (wanted == WARDEN_LEVEL_CGROUP)
			return rv_fail(err, why.code, "kill level cgroup does not work here: %s", why.msg);
	}
	if (!pidns_level_init(t, wanted ? PIDNS_MAY_USERNS : PIDNS_NO_USERNS, &why)) {
		t->level = WARDEN_LEVEL_PIDNS;
		return 0;
	}
	if (wanted == WARDEN_LEVEL_PIDNS)
		return rv_fail(err, why.code, "kill level pidns does not work here: %s", why.msg);
	return 0;
}

static void tree_free(struct trees *t, struct tree *tree)
{
	rv_list_remove(&tree->link);
	rv_list_remove(&tree->of_all);
	if (t->level == WARDEN_LEVEL_CGROUP)
		cgroup_tree_release(t, tree);
	else if (t->level == WARDEN_LEVEL_PIDNS)
		pidns_tree_release(t, tree);
	t->count--;
	free(tree);
}

/* Not the kept one, whose status is somebody else's. It may die any time, so its own death is looked at and left. */
static void reap_strays(const struct trees *t)
{
	siginfo_t si = { 0 };

	while (!waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) && si.si_pid > 0 && si.si_pid != t->kept) {
		(void)waitpid(si.si_pid, NULL, WNOHANG);
		si.si_pid = 0;
	}
}

/* Before the warden ends: whatever still descends from it and belongs to no tree, because it hid its session and label,
 * is ours all the same, being our child. Inits die with their trees. */
static void sweep(struct trees *t)
{
	for (int pass = 0, left = 1; left > 0 && pass < 256; pass++) {
		left = proc_children(getpid(), PROC_MAIN_THREAD, t->scratch, TREE_SCRATCH);
		for (int i = 0; i < left && i < TREE_SCRATCH; i++)
			if (t->scratch[i] != t->kept)
				kill(t->scratch[i], SIGKILL);
		left -= t->kept > 0;
		reap_strays(t);
		if (left > 0)
			usleep(200);
	}
}

void trees_release(struct trees *t)
{
	while (!rv_list_empty(&t->all)) {
		struct tree *tree = RV_CONTAINER_OF(t->all.next, struct tree, of_all);

		if (!tree->is_free)
			tree_kill(t, tree);
		tree_free(t, tree);
	}
	if (t->level == WARDEN_LEVEL_CGROUP)
		cgroup_level_release(t);
	if (t->level == WARDEN_LEVEL_PIDNS)
		pidns_level_release(t);
	if (t->scratch)
		sweep(t);
	procs_release(&t->procs);
	free(t->scratch);
	t->scratch = NULL;
}

struct tree *tree_take(struct trees *t)
{
	struct tree *tree;
	int failed = 0;

	if (!rv_list_empty(&t->spare)) {
		tree = RV_CONTAINER_OF(t->spare.prev, struct tree, link);
		rv_list_remove(&tree->link);
		tree->is_free = false;
		t->in_use++;
		return tree;
	}
	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return NULL;
	tree->dir_fd = tree->events_fd = tree->procs_fd = tree->pid_ns_fd = tree->mnt_ns_fd = -1;
	if (t->level == WARDEN_LEVEL_CGROUP)
		failed = cgroup_tree_make(t, tree);
	else if (t->level == WARDEN_LEVEL_PIDNS)
		failed = pidns_tree_make(t, tree);
	if (failed) {
		failed = errno;
		free(tree);
		errno = failed;
		return NULL;
	}
	rv_list_init(&tree->link);
	rv_list_append(&t->all, &tree->of_all);
	t->count++;
	t->in_use++;
	return tree;
}

int tree_place(struct trees *t, struct tree *tree, struct spawn_place *place)
{
	*place = (struct spawn_place){ .cgroup_fd = -1, .procs_fd = -1, .mnt_ns_fd = -1 };
	if (t->level == WARDEN_LEVEL_CGROUP) {
		place->cgroup_fd = t->by_procs ? -1 : tree->dir_fd;
		place->procs_fd = tree->procs_fd;
	} else if (t->level == WARDEN_LEVEL_PIDNS) {
		place->pid_ns = true;
		place->mnt_ns_fd = tree->mnt_ns_fd;
		return pidns_enter(tree);
	}
	return 0;
}

void tree_started(struct trees *t, struct tree *tree, pid_t main, struct rv_str label)
{
	tree->main = tree->session = main;
	snprintf(tree->label, sizeof(tree->label), "%.*s", RV_STR_ARGS(label));
	t->live_mains++;
}

void tree_main_reaped(struct trees *t, struct tree *tree)
{
	if (tree->main)
		t->live_mains--;
	tree->main = 0;
}

void tree_give(struct trees *t, struct tree *tree)
{
	tree->main = tree->session = 0;
	tree->label[0] = 0;
	t->in_use--;
	if (tree->doomed || (t->level == WARDEN_LEVEL_PIDNS && !tree->init)) {
		tree_free(t, tree);
		return;
	}
	tree->is_free = true;
	rv_list_remove(&tree->link);
	rv_list_append(&t->spare, &tree->link);
}

/* ---- level subreaper: orphans are children of ours that are no unit's main process ---- */

/* Is this child of the warden an orphan of `tree`? By session first (one system call), then by label. While only one tree
 * is in use, also what hides both (setsid, `env -i`) can be nobody else's; beside others it is ended with the last. */
static bool orphan_of(const struct trees *t, const struct tree *tree, pid_t pid)
{
	return t->in_use == 1 || getsid(pid) == tree->session || proc_has_label(pid, rv_str_of(tree->label), PROC_LABEL_WHOLE);
}

/* A main process, or the daemon: no orphan. */
static bool is_main(struct trees *t, pid_t pid)
{
	if (pid == t->kept)
		return true;
	for (struct rv_list *l = t->all.next; l != &t->all; l = l->next)
		if (RV_CONTAINER_OF(l, struct tree, of_all)->main == pid)
			return true;
	return false;
}

/* Only we take children out of our list, by reaping, so whatever forks and dies is in it all the time: a child that is a
 * zombie by now may have left another behind it, which the next look will see. */
static bool subreaper_empty(struct trees *t, struct tree *tree)
{
	int n = proc_children(getpid(), PROC_MAIN_THREAD, t->scratch, TREE_SCRATCH);

	if (n < 0)
		return true; /* no such list in this kernel: sessions and labels cannot be looked up by ancestry */
	if ((uint32_t)n == t->live_mains + (t->kept > 0))
		return true;
	for (int i = 0; i < n && i < TREE_SCRATCH; i++) {
		struct proc p;

		if (is_main(t, t->scratch[i]))
			continue;
		if (!proc_read(t->scratch[i], &p) || p.state == 'Z' || orphan_of(t, tree, p.pid))
			return false;
	}
	return true;
}

/* Into t->procs: its main process, its orphans, and all that descends from them. */
static void subreaper_collect(struct trees *t, struct tree *tree)
{
	int n = proc_children(getpid(), PROC_MAIN_THREAD, t->scratch, TREE_SCRATCH);

	for (int i = 0; i < n && i < TREE_SCRATCH; i++)
		if (t->scratch[i] == tree->main || (!is_main(t, t->scratch[i]) && orphan_of(t, tree, t->scratch[i])))
			procs_add_tree(&t->procs, t->scratch[i]);
}

/* What forks and dies again and again is gone before a look through its whole tree is done: here each orphan is signalled
 * the moment it is seen. Those of its first session are met all at once, by the group. */
static void chase(struct trees *t, struct tree *tree, int sig)
{
	if (tree->session)
		kill(-tree->session, sig);
	for (int pass = 0, hit = 1; hit && pass < 64; pass++) {
		int n = proc_children(getpid(), PROC_MAIN_THREAD, t->scratch, TREE_SCRATCH);

		hit = 0;
		for (int i = 0; i < n && i < TREE_SCRATCH; i++)
			if (!is_main(t, t->scratch[i]) && orphan_of(t, tree, t->scratch[i]) && !kill(t->scratch[i], sig))
				hit++;
	}
}

/* ---- what is asked of every level ---- */

bool tree_empty(struct trees *t, struct tree *tree)
{
	if (tree->main)
		return false;
	if (t->level == WARDEN_LEVEL_CGROUP)
		return cgroup_tree_empty(tree);
	if (t->level == WARDEN_LEVEL_PIDNS)
		return pidns_tree_empty(tree);
	return subreaper_empty(t, tree);
}

int tree_pids(struct trees *t, struct tree *tree, pid_t *out, int room)
{
	int n = 0;

	if (t->level == WARDEN_LEVEL_CGROUP)
		return cgroup_tree_pids(tree, out, room);
	t->procs.count = 0;
	if (t->level == WARDEN_LEVEL_PIDNS)
		pidns_collect(t, tree);
	else
		subreaper_collect(t, tree);
	for (uint32_t i = 0; i < t->procs.count; i++) {
		if (t->procs.at[i].pid == tree->init)
			continue;
		if (n < room)
			out[n] = t->procs.at[i].pid;
		n++;
	}
	return n;
}

/* One pass: `sig` to each that lives now. */
static int signal_each(struct trees *t, struct tree *tree, int sig)
{
	pid_t *pids = t->scratch;
	int n = tree_pids(t, tree, pids, TREE_SCRATCH);
	int sent = 0;

	for (int i = 0; i < n && i < TREE_SCRATCH; i++)
		if (pids[i] > 1 && !kill(pids[i], sig))
			sent++;
	return sent;
}

/* STOP until a pass finds nobody new: then nothing of it can fork. Bounded, since it may outrun us. */
static void stand_still(struct trees *t, struct tree *tree)
{
	int last = -1;

	for (int pass = 0; pass < 8; pass++) {
		int n = signal_each(t, tree, SIGSTOP);

		if (n == last)
			return;
		last = n;
	}
}

void tree_term(struct trees *t, struct tree *tree)
{
	if (t->level == WARDEN_LEVEL_PIDNS && tree->init)
		kill(tree->init, SIGTERM);
	else
		signal_each(t, tree, SIGTERM);
	tree_thaw(t, tree);
}

void tree_kill(struct trees *t, struct tree *tree)
{
	if (t->level == WARDEN_LEVEL_CGROUP && !cgroup_tree_kill(t, tree))
		return;
	if (t->level == WARDEN_LEVEL_PIDNS) {
		/* Its death is the death of all in it, and only of them. */
		if (tree->init)
			kill(tree->init, SIGKILL);
		tree->doomed = true;
		return;
	}
	stand_still(t, tree);
	signal_each(t, tree, SIGKILL);
	if (t->level == WARDEN_LEVEL_SUBREAPER && !tree->main)
		chase(t, tree, SIGKILL);
}

void tree_freeze(struct trees *t, struct tree *tree)
{
	if (t->level == WARDEN_LEVEL_CGROUP && !cgroup_tree_freeze(tree, "1"))
		return;
	stand_still(t, tree);
}

void tree_thaw(struct trees *t, struct tree *tree)
{
	if (t->level == WARDEN_LEVEL_CGROUP)
		(void)cgroup_tree_freeze(tree, "0"); /* not frozen, or gone: nothing to do */
	signal_each(t, tree, SIGCONT);
}

void tree_usage(struct trees *t, struct tree *tree, uint64_t *cpu_us, uint64_t *rss_bytes)
{
	pid_t *pids = t->scratch;
	int n = tree_pids(t, tree, pids, TREE_SCRATCH);

	*cpu_us = *rss_bytes = 0;
	for (int i = 0; i < n && i < TREE_SCRATCH; i++) {
		struct proc p;

		if (!proc_read(pids[i], &p))
			continue;
		*cpu_us += p.cpu_us;
		*rss_bytes += p.rss_bytes;
	}
	if (t->level == WARDEN_LEVEL_CGROUP)
		cgroup_tree_cpu(tree, cpu_us);
}

bool trees_reaped(struct trees *t, pid_t pid)
{
	if (t->level == WARDEN_LEVEL_PIDNS)
		for (struct rv_list *l = t->all.next; l != &t->all; l = l->next) {
			struct tree *tree = RV_CONTAINER_OF(l, struct tree, of_all);

			if (tree->init != pid)
				continue;
			tree->init = 0;
			if (tree->is_free)
				tree_free(t, tree);
			return true;
		}
	return false;
}
