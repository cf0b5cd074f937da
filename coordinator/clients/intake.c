/* intake.c - plans that clients hand over (clients.h)
 *
 *	BEGIN --> STATE/uploads/ID.part   DATA appends, at its end only   COMMIT: size and digest hold
 *	      --> the thread: load, check, build the graph, save the plan as a blob     (loader.c)
 *	      --> RUN_ACCEPTED with the submission's id, answered once it is durable
 *
 * An upload is known by the id that the client made. The same id begun again goes on where it stood; committed again, it gives the same
 * run, before and after a restart, since the fact carries the id. Half an upload does not outlive the coordinator: the client begins anew.
 */
#include "loader.h"
#include "private.h"

#include "common/check.h"
#include "common/map.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UPLOADS "uploads"

enum upload_state {
	UPLOAD_FREE,
	UPLOAD_OPEN,   /* bytes arrive */
	UPLOAD_QUEUED, /* all is there; waits for the thread */
	UPLOAD_LOADING,
};

struct upload {
	enum upload_state state;
	uint64_t submission, bytes, arrived;
	int32_t priority;
	uint64_t add_to;       /* an open run; 0: it is a plan */
	bool open;
	char workspace_id[RV_NAME_BYTES_MAX + 1];
	int fd;
	struct rv_digest_state hash;
	uint64_t touched_us;
	uint64_t order;        /* of its commit */
	struct asker asker;    /* of the newest COMMIT; peer 0: nobody */
};

/* Of a plan that was taken before. */
struct taken {
	uint64_t submission, run;
	uint32_t units;
};

struct intake {
	struct coord_clients *c;
	int dir;
	struct loader *loader;
	struct upload uploads[RV_UPLOADS_MAX];
	struct upload *loading;   /* NULL: the thread is idle */
	uint64_t commits;
	uint64_t now_us;          /* of the last turn */
	struct taken *taken;
	uint32_t taken_count, taken_room;
	struct rv_intmap by_submission;
	struct rv_intmap_slot *slots;
	bool no_memory;           /* a fact could not be remembered: told at serve */
};

static void upload_path(uint64_t submission, char out[64])
{
	(void)snprintf(out, 64, UPLOADS "/%016llx.part", (unsigned long long)submission);
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

int intake_create(struct coord_clients *c, struct intake **out, struct rv_err *err)
{
	struct intake *in = calloc(1, sizeof *in);

	if (!in)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for taking plans");
	in->c = c;
	in->dir = -1;
	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++)
		in->uploads[i].fd = -1;
	*out = in;
	return 0;
}

int intake_serve(struct intake *in, uint64_t now_us, struct rv_err *err)
{
	(void)now_us;
	if (in->no_memory)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the ids of %u submissions", in->taken_count);
	if (rv_dir_open(in->c->cfg.state_dir, &in->dir, err) < 0 || rv_tree_remove_at(in->dir, UPLOADS, err) < 0 ||
	    rv_dir_make_at(in->dir, UPLOADS, 0700, err) < 0)
		return -1;
	return loader_create(&in->loader, in->c->cfg.state_dir, in->c->cfg.estimates_dir, in->c->cfg.blobs->sync, err);
}

static void drop(struct intake *in, struct upload *u)
{
	char path[64];

	if (u->fd >= 0)
		(void)close(u->fd); /* what it holds is not wanted */
	upload_path(u->submission, path);
	if (in->dir >= 0)
		(void)unlinkat(in->dir, path, 0); /* else the next start removes it */
	*u = (struct upload){ .fd = -1 };
}

void intake_destroy(struct intake **inp)
{
	struct intake *in = *inp;

	if (!in)
		return;
	loader_destroy(&in->loader);
	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++)
		if (in->uploads[i].state != UPLOAD_FREE)
			drop(in, &in->uploads[i]);
	if (in->dir >= 0)
		(void)close(in->dir); /* read only */
	free(in->taken);
	free(in->slots);
	free(in);
	*inp = NULL;
}

/* --- what was taken before ------------------------------------------------------------------------------------------------------ */

/* NULL: it was not. */
static const struct taken *taken_before(const struct intake *in, uint64_t submission)
{
	uint32_t i = in->slots ? rv_intmap_get(&in->by_submission, submission) : RV_MAP_NONE;

	return i == RV_MAP_NONE ? NULL : &in->taken[i];
}

static int grow(struct intake *in)
{
	uint32_t room = in->taken_room ? in->taken_room * 2 : 64, slots = rv_intmap_slots(room);
	struct taken *taken = realloc(in->taken, room * sizeof *taken);
	struct rv_intmap_slot *at;

	if (!taken)
		return -1;
	in->taken = taken;
	at = calloc(slots, sizeof *at);
	if (!at)
		return -1;
	free(in->slots);
	in->slots = at;
	in->taken_room = room;
	rv_intmap_init(&in->by_submission, at, slots);
	for (uint32_t i = 0; i < in->taken_count; i++)
		rv_intmap_put(&in->by_submission, taken[i].submission, i);
	return 0;
}

void intake_on_fact(struct intake *in, const struct proto_fact *f)
{
	struct taken t = { 0 };

	if (f->kind == PROTO_FACT_RUN_ACCEPTED)
		t = (struct taken){ f->run_accepted.submission, f->run_accepted.run, f->run_accepted.units };
	else if (f->kind == PROTO_FACT_UNITS_ADDED)
		t = (struct taken){ f->units_added.submission, f->units_added.run, f->units_added.units };
	if (!t.submission || taken_before(in, t.submission))
		return;
	if (in->taken_count == in->taken_room && grow(in) < 0) {
		in->no_memory = true;
		return;
	}
	in->taken[in->taken_count] = t;
	rv_intmap_put(&in->by_submission, t.submission, in->taken_count++);
}

/* --- answers ------------------------------------------------------------------------------------------------------------------------ */

/* `t` NULL: not committed yet. */
static void submitted(struct intake *in, struct asker to, uint64_t submission, uint64_t offset, const struct taken *t)
{
	struct proto_msg m = { .kind = PROTO_SUBMITTED };

	m.submitted = (struct proto_submitted){ .request = to.request, .submission = submission, .offset = offset, .run = t ? t->run : 0,
						.units = t ? t->units : 0 };
	/* a run's number rests on its fact */
	(void)coord_shell_say(in->c->shell, to.peer, &m, t ? COORD_SAY_AFTER_FACTS : COORD_SAY_NOW);
}

static struct upload *find(struct intake *in, uint64_t submission)
{
	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++)
		if (in->uploads[i].state != UPLOAD_FREE && in->uploads[i].submission == submission)
			return &in->uploads[i];
	return NULL;
}

static void unknown(struct intake *in, struct asker to)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_NOT_FOUND, "there is no such submission: it took too long, or the coordinator began anew");
	(void)rv_hint(&err, "begin it again under the same id");
	clients_refuse(in->c, to, &err);
}

/* --- the three requests --------------------------------------------------------------------------------------------------------------- */

/* The place of whoever has not sent anything for longest: as a rule he is gone, and if not he begins anew. NULL: all are at it. */
static struct upload *take_stalled(struct intake *in, uint64_t now_us)
{
	struct upload *oldest = NULL;

	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++) {
		struct upload *u = &in->uploads[i];

		if (u->state == UPLOAD_OPEN && (!oldest || u->touched_us < oldest->touched_us))
			oldest = u;
	}
	if (!oldest || rv_max_u64(now_us, in->now_us) < oldest->touched_us + RV_UPLOAD_STALLED_US)
		return NULL;
	in->c->stats.uploads_expired++;
	drop(in, oldest);
	return oldest;
}

static int open_upload(struct intake *in, const struct proto_submit_begin *m, uint64_t now_us, struct upload **out, struct rv_err *err)
{
	struct upload *u = NULL;
	char path[64];

	if (m->bytes > RV_UPLOAD_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "a plan of %llu bytes; the limit is %llu", (unsigned long long)m->bytes,
			       (unsigned long long)RV_UPLOAD_BYTES_MAX);
	for (uint32_t i = 0; i < RV_UPLOADS_MAX && !u; i++)
		if (in->uploads[i].state == UPLOAD_FREE)
			u = &in->uploads[i];
	if (!u)
		u = take_stalled(in, now_us);
	if (!u) {
		(void)rv_fail(err, RV_E_BUSY, "%u plans are being handed over; that is the limit", RV_UPLOADS_MAX);
		return rv_hint(err, "try again");
	}
	upload_path(m->submission, path);
	if (rv_file_open_at(in->dir, path, O_RDWR | O_CREAT | O_TRUNC, 0600, &u->fd, err) < 0)
		return -1;
	u->state = UPLOAD_OPEN;
	u->submission = m->submission;
	u->bytes = m->bytes;
	u->priority = m->priority;
	u->add_to = m->add_to;
	u->open = m->open;
	u->touched_us = now_us;
	(void)snprintf(u->workspace_id, sizeof u->workspace_id, "%.*s", RV_STR_ARGS(m->workspace_id));
	rv_digest_begin(&u->hash);
	in->c->stats.uploads_begun++;
	*out = u;
	return 0;
}

static int check_add(struct intake *in, const struct proto_submit_begin *m, struct rv_err *err)
{
	const struct coord *core = coord_shell_core(in->c->shell);
	const struct coord_graph *g = coord_run_graph(core, m->add_to);

	if (!g && coord_runlist_find(coord_shell_runs(in->c->shell), m->add_to))
		return rv_fail(err, RV_E_CONFLICT, "run %s has ended: it takes no more units", rv_run_id_of(m->add_to).text);
	if (!g)
		return rv_fail(err, RV_E_NOT_FOUND, "there is no run %s", rv_run_id_of(m->add_to).text);
	if (coord_run_is_open(core, m->add_to))
		return 0;
	(void)rv_fail(err, RV_E_CONFLICT, "run %s is not open: it takes no more units", rv_run_id_of(m->add_to).text);
	return rv_hint(err, "`reeve submit --open` makes a run that does, until `reeve close`");
}

static int check_begin(struct intake *in, const struct proto_submit_begin *m, struct rv_err *err)
{
	if (m->add_to)
		return check_add(in, m, err);
	if (m->priority < -1000 || m->priority > 1000)
		return rv_fail(err, RV_E_USAGE, "priority is -1000 to 1000");
	if (m->workspace_id.bytes && !rv_name_valid(m->workspace_id))
		return rv_fail(err, RV_E_USAGE, "a workspace id has 1 to %u of letters, digits, '.', '_' and '-'", RV_NAME_BYTES_MAX);
	return 0;
}

void intake_begin(struct intake *in, uint64_t peer, const struct proto_submit_begin *m, uint64_t now_us)
{
	struct asker from = { peer, m->request };
	struct upload *u = find(in, m->submission);
	const struct taken *t = taken_before(in, m->submission);
	struct rv_err err = { 0 };

	if (t) {
		submitted(in, from, m->submission, m->bytes, t);
		return;
	}
	if (check_begin(in, m, &err) < 0 || (!u && open_upload(in, m, now_us, &u, &err) < 0)) {
		clients_refuse(in->c, from, &err);
		return;
	}
	if (u->bytes != m->bytes || u->add_to != m->add_to) {
		(void)rv_fail(&err, RV_E_CONFLICT, "this submission was begun with %llu bytes%s", (unsigned long long)u->bytes, u->add_to ? " for a run" : "");
		clients_refuse(in->c, from, &err);
		return;
	}
	u->touched_us = now_us;
	submitted(in, from, m->submission, u->arrived, NULL);
}

void intake_data(struct intake *in, uint64_t peer, const struct proto_submit_data *m, uint64_t now_us)
{
	struct asker from = { peer, m->request };
	struct upload *u = find(in, m->submission);
	const struct taken *t = taken_before(in, m->submission);
	struct rv_err err = { 0 };

	if (t) {
		submitted(in, from, m->submission, m->offset, t);
		return;
	}
	if (!u) {
		unknown(in, from);
		return;
	}
	u->touched_us = now_us;
	if (u->state == UPLOAD_OPEN && m->offset == u->arrived) {
		if (m->bytes.bytes > u->bytes - u->arrived) {
			(void)rv_fail(&err, RV_E_USAGE, "more bytes than the %llu that were announced", (unsigned long long)u->bytes);
			clients_refuse(in->c, from, &err);
			return;
		}
		if (rv_file_put(u->fd, "the upload", m->bytes, &err) < 0) {
			clients_refuse(in->c, from, &err);
			drop(in, u); /* half a piece may have been written */
			return;
		}
		rv_digest_add(&u->hash, m->bytes);
		u->arrived += m->bytes.bytes;
	}
	submitted(in, from, m->submission, u->arrived, NULL);
}

void intake_commit(struct intake *in, uint64_t peer, const struct proto_submit_commit *m, uint64_t now_us)
{
	struct asker from = { peer, m->request };
	struct upload *u = find(in, m->submission);
	const struct taken *t = taken_before(in, m->submission);
	uint8_t digest[RV_DIGEST_BYTES];
	struct rv_err err;

	if (t) {
		submitted(in, from, m->submission, 0, t);
		return;
	}
	if (!u) {
		unknown(in, from);
		return;
	}
	u->touched_us = now_us;
	if (u->state != UPLOAD_OPEN) { /* asked again while it is loaded: the newest asker hears of it */
		u->asker = from;
		return;
	}
	if (u->arrived != u->bytes) {
		submitted(in, from, m->submission, u->arrived, NULL);
		return;
	}
	rv_digest_end(&u->hash, digest);
	if (memcmp(digest, m->digest, sizeof digest) != 0) {
		(void)rv_fail(&err, RV_E_CORRUPT, "what arrived is not what was sent: the digests differ");
		clients_refuse(in->c, from, &err);
		drop(in, u);
		return;
	}
	u->asker = from;
	u->state = UPLOAD_QUEUED;
	u->order = in->commits++;
}

/* --- the thread's end -------------------------------------------------------------------------------------------------------------------- */

/* A number that no run ever had. */
static uint64_t new_run(struct intake *in, uint64_t real_us)
{
	char room[RV_RUN_ID_CHARS + 1];
	uint32_t random = 0;
	uint64_t run;

	do {
		struct rv_run_id id;

		rv_random(&random, sizeof random);
		id = rv_run_id_make(real_us, random);
		memcpy(room, id.text, sizeof room);
		run = rv_run_id_number(rv_str_of(room));
	} while (coord_runlist_knows(coord_shell_runs(in->c->shell), run));
	return run;
}

/* false: the next in line has been refused, and another may be started. */
static bool start_next(struct intake *in, uint64_t real_us)
{
	struct upload *next = NULL;
	struct loader_job job;
	struct rv_err err;

	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++)
		if (in->uploads[i].state == UPLOAD_QUEUED && (!next || in->uploads[i].order < next->order))
			next = &in->uploads[i];
	if (!next)
		return true;
	job = (struct loader_job){ .workspace_id = next->workspace_id, .open = next->open };
	if (next->add_to) {
		const struct coord_graph *g = coord_run_graph(coord_shell_core(in->c->shell), next->add_to);

		if (!g || !coord_graph_open(g)) { /* it has gone meanwhile */
			(void)rv_fail(&err, RV_E_CONFLICT, "run %s takes no more units", rv_run_id_of(next->add_to).text);
			if (next->asker.peer)
				clients_refuse(in->c, next->asker, &err);
			drop(in, next);
			return false;
		}
		job.run = next->add_to;
		job.head = coord_graph_head(g);
	} else {
		job.run = new_run(in, real_us);
	}
	next->state = UPLOAD_LOADING;
	in->loading = next;
	loader_start(in->loader, next->fd, &job);
	next->fd = -1; /* the thread's, which closes it */
	return true;
}

static void refuse(struct intake *in, const struct upload *u, const struct loaded *l)
{
	if (!u->asker.peer)
		return;
	if (l->diags.bytes)
		clients_refuse_text(in->c, u->asker, l->err.code, rv_buf_str(&l->diags), RV_STR(""));
	else
		clients_refuse(in->c, u->asker, &l->err);
}

static void finished(struct intake *in, struct loaded *l, uint64_t now_us, uint64_t real_us)
{
	struct upload *u = in->loading;
	struct proto_fact fact = l->fact;
	struct taken t = { .submission = u->submission };

	in->loading = NULL;
	if (!l->failed && u->add_to) {
		fact.units_added.submission = u->submission;
		l->failed = coord_shell_add_units(in->c->shell, l->graph, &fact, now_us, real_us, &l->err) < 0;
		t.run = u->add_to;
		t.units = fact.units_added.units;
	} else if (!l->failed) {
		fact.run_accepted.priority = u->priority;
		fact.run_accepted.submission = u->submission;
		fact.run_accepted.workspace_id = rv_str_of(u->workspace_id);
		l->failed = coord_shell_accept(in->c->shell, &l->graph, &fact, now_us, real_us, &l->err) < 0;
		t.run = fact.run_accepted.run;
		t.units = fact.run_accepted.units;
	}
	if (l->failed) {
		refuse(in, u, l);
		rv_log(in->c->cfg.log, RV_LOG_WARN, "plan_refused", "error", l->err.msg, NULL);
	} else {
		in->c->stats.uploads_taken++;
		if (u->asker.peer)
			submitted(in, u->asker, u->submission, u->bytes, &t);
	}
	loader_release(in->loader);
	drop(in, u);
}

void intake_turn(struct intake *in, uint64_t now_us, uint64_t real_us)
{
	struct loaded *l = in->loading ? loader_result(in->loader) : NULL;

	in->now_us = now_us;
	if (l)
		finished(in, l, now_us, real_us);
	while (!in->loading && !start_next(in, real_us))
		;
	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++) {
		struct upload *u = &in->uploads[i];

		if (u->state == UPLOAD_OPEN && now_us >= u->touched_us + RV_UPLOAD_IDLE_US) {
			in->c->stats.uploads_expired++;
			drop(in, u);
		}
	}
}

uint64_t intake_next_deadline(const struct intake *in)
{
	uint64_t next = RV_NEVER;

	for (uint32_t i = 0; i < RV_UPLOADS_MAX; i++)
		if (in->uploads[i].state == UPLOAD_OPEN)
			next = rv_min_u64(next, in->uploads[i].touched_us + RV_UPLOAD_IDLE_US);
	return next;
}

int intake_fd(const struct intake *in)
{
	return in->loader ? loader_fd(in->loader) : -1;
}
