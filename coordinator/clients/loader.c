#include "loader.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/plan/diag.h"
#include "common/plan/plan.h"
#include "coordinator/shell.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum job { IDLE, WANTED, RUNNING, DONE, ENDING };

struct loader {
	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	enum job job;           /* under the mutex */
	int event_fd;
	int fd;
	uint64_t run;
	struct rv_blobs blobs;
	bool blobs_open;
	const char *estimates_dir;
	char workspace_id[RV_NAME_BYTES_MAX + 1];
	bool open;
	struct rv_buf head;
	struct loaded loaded;
};

/* --- in the thread ------------------------------------------------------------------------------------------------------------ */

static long read_fd(void *arg, void *to, size_t room)
{
	const int *fd = arg;
	ssize_t n;

	do {
		n = read(*fd, to, room);
	} while (n < 0 && errno == EINTR);
	return n;
}

static void load(struct loader *l)
{
	struct plan_load_options opt = { .shown_name = "the plan", .line_bytes_max = RV_UPLOAD_LINE_BYTES_MAX, .names_no_files = true };
	struct plan_diags *diags = malloc(sizeof *diags);
	struct loaded *out = &l->loaded;
	struct plan *plan = NULL;

	if (l->head.bytes) {
		opt.head = rv_buf_str(&l->head);
		opt.outer = true;
		opt.shown_name = "the units";
	}
	out->failed = true;
	if (!diags) {
		(void)rv_fail(&out->err, RV_E_NO_MEMORY, "no memory to read a plan");
		return;
	}
	plan_diags_init(diags);
	if (lseek(l->fd, 0, SEEK_SET) < 0) {
		(void)rv_fail_errno(&out->err, errno, "cannot read the upload");
	} else if (plan_load_lines(read_fd, &l->fd, &opt, &plan, diags, &out->err) < 0) {
		if (diags->errors_found)
			(void)plan_diags_text(diags, &out->diags);
	} else if (!(plan->workspace.id = rv_arena_str(&plan->arena, rv_str_of(l->workspace_id))).at) {
		(void)rv_fail(&out->err, RV_E_NO_MEMORY, "no memory for a plan");
	} else if ((plan->open = l->open || l->head.bytes) && l->head.bytes) {
		out->failed = coord_shell_prepare_units(&l->blobs, plan, l->run, &out->graph, &out->fact, &out->err) < 0;
	} else {
		out->failed = coord_shell_prepare(&l->blobs, l->estimates_dir, plan, l->run, &out->graph, &out->fact, &out->err) < 0;
	}
	plan_destroy(&plan);
	plan_diags_release(diags);
	free(diags);
}

static void *serve(void *arg)
{
	struct loader *l = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&l->mutex);
	while (l->job != ENDING) {
		if (l->job != WANTED) {
			pthread_cond_wait(&l->changed, &l->mutex);
			continue;
		}
		l->job = RUNNING;
		pthread_mutex_unlock(&l->mutex);
		load(l);
		(void)close(l->fd); /* read only */
		pthread_mutex_lock(&l->mutex);
		if (l->job != ENDING)
			l->job = DONE;
		if (write(l->event_fd, &one, sizeof one) < 0)
			rv_check(!"an eventfd takes a number below its maximum");
	}
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

/* --- in the loop ---------------------------------------------------------------------------------------------------------------- */

static int start_thread(struct loader *l, struct rv_err *err)
{
	sigset_t all, old;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&l->thread, NULL, serve, l);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc)
		return rv_fail_errno(err, rc, "cannot make the thread that loads plans");
	l->thread_runs = true;
	return 0;
}

int loader_create(struct loader **out, const char *state_dir, const char *estimates_dir, enum rv_blobs_sync sync, struct rv_err *err)
{
	struct loader *l = calloc(1, sizeof *l);
	char path[4096];

	if (!l)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to load plans");
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->changed, NULL);
	rv_buf_init(&l->loaded.diags, 0);
	rv_buf_init(&l->head, 0);
	l->estimates_dir = estimates_dir;
	l->fd = -1;
	l->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->event_fd < 0) {
		(void)rv_fail_errno(err, errno, "cannot make an eventfd");
		goto failed;
	}
	if ((size_t)snprintf(path, sizeof path, "%s/blobs", state_dir) >= sizeof path) {
		(void)rv_fail(err, RV_E_LIMIT, "the path %s is too long", state_dir);
		goto failed;
	}
	if (rv_blobs_open(&l->blobs, path, sync, 0, err) < 0)
		goto failed;
	l->blobs_open = true;
	if (start_thread(l, err) < 0)
		goto failed;
	*out = l;
	return 0;
failed:
	loader_destroy(&l);
	return -1;
}

void loader_destroy(struct loader **lp)
{
	struct loader *l = *lp;

	if (!l)
		return;
	if (l->thread_runs) {
		pthread_mutex_lock(&l->mutex);
		if (l->job == WANTED)
			(void)close(l->fd); /* nobody will read it */
		l->job = ENDING;
		pthread_cond_signal(&l->changed);
		pthread_mutex_unlock(&l->mutex);
		pthread_join(l->thread, NULL);
	}
	coord_graph_destroy(&l->loaded.graph);
	rv_buf_release(&l->loaded.diags);
	rv_buf_release(&l->head);
	if (l->blobs_open)
		rv_blobs_close(&l->blobs);
	if (l->event_fd >= 0)
		(void)close(l->event_fd); /* holds nothing */
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mutex);
	free(l);
	*lp = NULL;
}

void loader_start(struct loader *l, int fd, const struct loader_job *job)
{
	pthread_mutex_lock(&l->mutex);
	rv_check(l->job == IDLE);
	l->fd = fd;
	l->run = job->run;
	l->open = job->open;
	(void)snprintf(l->workspace_id, sizeof l->workspace_id, "%s", job->workspace_id);
	rv_buf_reset(&l->head);
	(void)rv_buf_put_str(&l->head, job->head);
	l->job = WANTED;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}

int loader_fd(const struct loader *l)
{
	return l->event_fd;
}

struct loaded *loader_result(struct loader *l)
{
	uint64_t n;
	bool done;

	if (read(l->event_fd, &n, sizeof n) < 0 && errno != EAGAIN && errno != EINTR)
		rv_check(!"an eventfd can be read");
	pthread_mutex_lock(&l->mutex);
	done = l->job == DONE;
	pthread_mutex_unlock(&l->mutex);
	return done ? &l->loaded : NULL;
}

void loader_release(struct loader *l)
{
	pthread_mutex_lock(&l->mutex);
	rv_check(l->job == DONE);
	l->job = IDLE;
	coord_graph_destroy(&l->loaded.graph);
	rv_buf_reset(&l->loaded.diags);
	l->loaded.failed = false;
	pthread_mutex_unlock(&l->mutex);
}
