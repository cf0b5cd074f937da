/* doctor.h - is this machine fit to run plans, and what would help
 *
 * A check looks at one thing, changes nothing and adds a finding or more. Nothing here waits longer than DOCTOR_WAIT_US for anything.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "common/base.h"

#define DOCTOR_FINDINGS_MAX 64
#define DOCTOR_TEXT_MAX 240
#define DOCTOR_WAIT_US 5000000u

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_ABSENT, /* what not everybody wants is not here */
	DOCTOR_WARN,
	DOCTOR_FAIL,
};

struct doctor_finding {
	const char *check;            /* "clock" */
	enum doctor_verdict verdict;
	char is[DOCTOR_TEXT_MAX];     /* what was found */
	char fix[DOCTOR_TEXT_MAX];    /* "": nothing to do */
};

struct doctor {
	const char *state;            /* the state directory; "" where there is none yet */
	bool clean;                   /* stale locks are removed */
	uint32_t count;
	struct doctor_finding finding[DOCTOR_FINDINGS_MAX];
};

/* Both texts are cut; `fix` NULL: nothing to do. Findings past the limit are dropped. */
void doctor_add(struct doctor *d, const char *check, enum doctor_verdict verdict, const char *fix, const char *is, ...) RV_PRINTF(5, 6);

void doctor_clock(struct doctor *d);
void doctor_disk(struct doctor *d);
void doctor_processors(struct doctor *d);
void doctor_descriptors(struct doctor *d);
void doctor_processes(struct doctor *d);
/* By what means processes of units are held together, as a warden started now finds it. Forks: call it before there are threads. */
void doctor_kill_level(struct doctor *d);
/* By what means a unit is held to what it asked for. */
void doctor_limit_level(struct doctor *d);
void doctor_port(struct doctor *d);
/* Which agents are here, and whether they could log in. Forks. */
void doctor_agents(struct doctor *d);
/* Of runs that are gone: lock files, directory lists and marks. Removed with d->clean. */
void doctor_locks(struct doctor *d);

#endif
