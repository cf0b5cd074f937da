/* orphans.c - what a dead warden left: the note it wrote at its start, and how the next one ends its trees by it */
#include "client.h"
#include "clock.h"
#include "procs.h"
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOTE_NAME "warden.state"
#define END_US 5000000u

/* The note: lines of "name value". Written whole under another name and renamed, so it is there or it is not. */
struct note {
	char boot[64], label[WARDEN_LABEL_BYTES_MAX + 1], cgroup[4096];
	int pid;
	unsigned long long start;
};

static void boot_id(char out[64])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = 0;
	if (f && fgets(out, 64, f))
		out[strcspn(out, "\n")] = 0;
	if (f)
		fclose(f);
}

static int note_path(char *out, size_t room, const char *state_dir, const char *suffix)
{
	return snprintf(out, room, "%s/" NOTE_NAME "%s", state_dir, suffix) < (int)room ? 0 : -1;
}

int orphans_note(const char *state_dir, const struct trees *t, const char *label_prefix, struct rv_err *err)
{
	char path[4096], draft[4096], boot[64];
	struct proc self = { 0 };
	int fd, n;

	if (note_path(path, sizeof(path), state_dir, "") || note_path(draft, sizeof(draft), state_dir, ".new"))
		return rv_fail(err, RV_E_LIMIT, "path too long: %s", state_dir);
	boot_id(boot);
	(void)proc_read(getpid(), &self);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return rv_fail_errno(err, errno, "%s", draft);
	n = dprintf(fd, "boot %s\npid %d\nstart %llu\nlabel %s\ncgroup %s\n", boot, (int)getpid(), (unsigned long long)self.start,
		    label_prefix, t->base ? t->base : "-");
	close(fd);
	if (n < 0 || rename(draft, path))
		return rv_fail_errno(err, errno, "%s", path);
	return 0;
}

void orphans_clear(const char *state_dir)
{
	char path[4096];

	if (!note_path(path, sizeof(path), state_dir, ""))
		(void)unlink(path);
}

static bool read_note(const char *state_dir, struct note *note)
{
	char path[4096];
	FILE *f;
	bool whole;

	memset(note, 0, sizeof(*note));
	if (note_path(path, sizeof(path), state_dir, "") || !(f = fopen(path, "re")))
		return false;
	whole = fscanf(f, "boot %63s\npid %d\nstart %llu\nlabel %96s\ncgroup %4095s\n", note->boot, &note->pid, &note->start,
		       note->label, note->cgroup) == 5;
	fclose(f);
	return whole;
}

enum { EMPTY_PASSES = 3 };

/* One pass: KILL to all that carry the label, and to what descends from them. */
static int kill_labelled(struct procs *p, struct rv_str label)
{
	pid_t self = getpid();
	int killed = 0;

	if (procs_scan(p))
		return 0;
	for (uint32_t i = 0; i < p->count; i++)
		p->at[i].in = p->at[i].pid != self && p->at[i].state != 'Z' && proc_has_label(p->at[i].pid, label, PROC_LABEL_PREFIX);
	procs_mark_descendants(p);
	for (uint32_t i = 0; i < p->count; i++)
		if (p->at[i].in && p->at[i].pid != self && p->at[i].state != 'Z' && !kill(p->at[i].pid, SIGKILL))
			killed++;
	return killed;
}

/* Whether the noted warden lives, and in what state; its number alone may be another's by now. */
static bool warden_lives(const struct note *note, struct proc *p)
{
	return note->pid != getpid() && proc_read(note->pid, p) && p->start == note->start && p->state != 'Z' && p->state != 'X';
}

static bool stands_still(char state)
{
	return state == 'T' || state == 't';
}

/* Whoever owns the directory now is not whom it serves, so its channel has ended and it is about to end itself, or it stands still. */
static int end_warden(const struct note *note, const char *state_dir, struct rv_err *err)
{
	uint64_t patience = clock_mono_us() + WARDEN_LAST_US, until = patience + END_US;
	struct proc p;
	bool killed = false;

	while (warden_lives(note, &p)) {
		uint64_t now = clock_mono_us();

		if (now >= until)
			return rv_fail(err, RV_E_BUSY, "warden %d of %s does not end", note->pid, state_dir);
		if (!killed && (now >= patience || stands_still(p.state))) {
			if (kill(note->pid, SIGKILL))
				return rv_fail(err, RV_E_BUSY, "warden %d of %s lives and cannot be killed: %s", note->pid, state_dir,
					       strerror(errno));
			killed = true;
			until = now + END_US;
		}
		usleep(2000);
	}
	return 0;
}

/* A label shorter than that is not ours to judge by. */
#define LABEL_BYTES_MIN 8u

/* Until nobody carries the label. One empty pass proves nothing: a process that was listed may have forked and gone before it was looked
 * at, and its child is in no list yet; the next pass has it. -1: there still are some. */
static int end_labelled(struct rv_str label)
{
	struct procs procs;
	int count = 0, empty = 0;
	uint64_t until = clock_mono_us() + END_US;

	if (label.bytes < LABEL_BYTES_MIN)
		return 0;
	procs_init(&procs);
	while (empty < EMPTY_PASSES && clock_mono_us() < until) {
		int pass = kill_labelled(&procs, label);

		count += pass;
		empty = pass ? 0 : empty + 1;
		usleep(pass ? 2000 : 200);
	}
	procs_release(&procs);
	return empty < EMPTY_PASSES ? -1 : count;
}

int warden_reap_orphans(const char *state_dir, struct rv_err *err)
{
	struct note note;
	char boot[64];
	int in_cgroup = 0, labelled;

	if (!read_note(state_dir, &note))
		return 0;
	boot_id(boot);
	if (strcmp(boot, note.boot)) {
		orphans_clear(state_dir); /* the machine was started anew: nothing of it can live */
		return 0;
	}
	if (end_warden(&note, state_dir, err))
		return -1;
	if (note.cgroup[0] == '/')
		in_cgroup = cgroup_end(note.cgroup, END_US);
	labelled = end_labelled(rv_str_of(note.label));
	if (labelled < 0)
		return rv_fail(err, RV_E_BUSY, "processes that warden %d of %s left live on after KILL", note.pid, state_dir);
	orphans_clear(state_dir);
	return labelled + (in_cgroup > 0 ? in_cgroup : 0);
}
