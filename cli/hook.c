#include "cli/hook.h"

#include "cli/events.h"
#include "common/id.h"
#include "common/os/clock.h"
#include "common/os/file.h"
#include "common/os/keys.h"
#include "common/os/signals.h"
#include "node/environment.h"
#include "node/warden/client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

enum {
	KINDS_MAX = 64,          /* of transitions: a bit each */
	SIGNAL_LOOK_US = 200000, /* while it waits at the end */
};

#define REJECTED "plan_rejected"

enum state {
	IDLE,     /* the warden has not been spoken to */
	GREETING, /* it has not answered */
	FREE,
	BUSY,     /* CMD runs */
	OVER,     /* the warden is gone: nobody is told any more */
};

struct event {
	uint64_t position;
	uint32_t bytes;      /* of its line */
	char type[32];
};

struct cli_hook {
	struct cli_hook_config cfg;
	uint64_t kinds;          /* a bit a transition kind */
	struct warden_client warden;
	enum state state;
	char cwd[PATH_MAX];      /* where CMD runs: here */
	char file[PATH_MAX];     /* holds the event that is being told */
	char label[RV_RUN_ID_CHARS + 8];
	uint64_t key;            /* of the newest attempt */
	/* the queue: heads and lines, oldest first; those up to `durable` may be told */
	struct rv_buf heads, lines;
	size_t heads_at, lines_at; /* told already */
	uint32_t waiting;
	uint64_t durable;
	char type[32];           /* of the event that is being told */
	struct rv_buf argv, env;
	uint64_t told, failed, dropped;
};

/* --- life ------------------------------------------------------------------------------------------------------------- */

/* Number 0 is no transition: a plan that was refused. */
static const char *kind_name(int kind)
{
	const char *name = kind ? coord_transition_name((enum coord_transition_kind)kind) : REJECTED;

	return name[0] == '?' ? NULL : name;
}

static int no_such_type(struct rv_str word, struct rv_err *err)
{
	const char *names[KINDS_MAX];
	size_t count = 0;
	int near;

	for (int k = 0; k < KINDS_MAX; k++)
		if (kind_name(k))
			names[count++] = kind_name(k);
	near = rv_nearest(word, names, count);
	(void)rv_fail(err, RV_E_USAGE, "--on-event-type: there is no event \"%.*s\"", (int)rv_min_u64(word.bytes, 64), word.at);
	return near >= 0 ? rv_hint(err, "did you mean %s?", names[near]) : rv_hint(err, "such as unit_finished, run_finished, node_lost");
}

static int read_types(const char *types, uint64_t *kinds, struct rv_err *err)
{
	*kinds = types ? 0 : UINT64_MAX;
	while (types && *types) {
		struct rv_str word = rv_str(types, strcspn(types, ","));
		uint64_t bit = 0;

		for (int k = 0; k < KINDS_MAX; k++)
			if (kind_name(k) && rv_str_equal(word, rv_str_of(kind_name(k))))
				bit = (uint64_t)1 << k;
		if (!bit)
			return no_such_type(word, err);
		*kinds |= bit;
		types += word.bytes + (types[word.bytes] == ',');
	}
	return *kinds ? 0 : rv_fail(err, RV_E_USAGE, "--on-event-type names no event");
}

int cli_hook_create(const struct cli_hook_config *cfg, struct cli_hook **out, struct rv_err *err)
{
	struct warden_options options = { .level = WARDEN_LEVEL_NONE };
	struct cli_hook *h;
	uint64_t kinds, random;

	if (!cfg->command || !cfg->command[0])
		return rv_fail(err, RV_E_USAGE, cfg->types ? "--on-event-type is for --on-event CMD" : "--on-event: the command is empty");
	if (read_types(cfg->types, &kinds, err) < 0)
		return -1;
	h = calloc(1, sizeof *h);
	if (!h)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for --on-event");
	h->cfg = *cfg;
	h->kinds = kinds;
	h->warden.fd = -1;
	rv_random(&random, sizeof random);
	(void)snprintf(h->label, sizeof h->label, "h%llx", (unsigned long long)(random & 0xffffffffffu));
	h->key = rv_clock_realtime_us(); /* never used twice in one directory */
	rv_buf_init(&h->heads, 0);
	rv_buf_init(&h->lines, 0);
	rv_buf_init(&h->argv, 0);
	rv_buf_init(&h->env, 0);
	if (!getcwd(h->cwd, sizeof h->cwd)) { /* said, since a mount namespace would begin elsewhere */
		(void)rv_fail_errno(err, errno, "cannot tell the current directory");
		cli_hook_destroy(&h);
		return -1;
	}
	if (warden_start(&h->warden, &options, err) < 0) {
		cli_hook_destroy(&h);
		return -1;
	}
	*out = h;
	return 0;
}

void cli_hook_destroy(struct cli_hook **hp)
{
	struct cli_hook *h = *hp;

	if (!h)
		return;
	warden_client_close(&h->warden, WARDEN_CLOSE_WAIT);
	rv_buf_release(&h->heads);
	rv_buf_release(&h->lines);
	rv_buf_release(&h->argv);
	rv_buf_release(&h->env);
	free(h);
	*hp = NULL;
}

/* CMD sees what a command of the run would see. */
static int put_environment(struct cli_hook *h, struct rv_err *err)
{
	struct warden_env_base base = { .id = 0 };

	rv_buf_reset(&h->env);
	for (char **e = environ; *e; e++)
		if (strchr(*e, '=') && !node_env_is_ours(rv_str(*e, strcspn(*e, "="))))
			(void)warden_strv_add(&h->env, &base.env.count, rv_str_of(*e));
	base.env.bytes = rv_buf_str(&h->env);
	return warden_put_env_base(&h->warden.out, &base) < 0 ? rv_fail(err, RV_E_LIMIT, "the environment is too large to be handed on") : 0;
}

int cli_hook_start(struct cli_hook *h, const char *dir, struct rv_err *err)
{
	struct warden_config config = { .slots = 1, .agent_slots = 1, .state_dir = rv_str_of(dir), .label_prefix = rv_str_of(h->label) };

	if ((size_t)snprintf(h->file, sizeof h->file, "%s/event", dir) >= sizeof h->file)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", dir);
	if (rv_dir_make(dir, 0700, err) < 0)
		return -1;
	if (warden_put_config(&h->warden.out, &config) < 0)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", dir);
	if (put_environment(h, err) < 0)
		return -1;
	h->state = GREETING;
	return warden_client_flush(&h->warden, err);
}

/* --- the queue ------------------------------------------------------------------------------------------------------------ */

bool cli_hook_wants(const struct cli_hook *h, enum coord_transition_kind kind)
{
	return h->kinds >> kind & 1;
}

void cli_hook_add(struct cli_hook *h, const char *type, struct rv_str line, uint64_t position)
{
	struct event e = { .position = position, .bytes = (uint32_t)line.bytes };

	if (h->state == OVER || h->waiting == CLI_HOOK_QUEUE_MAX || h->lines.bytes - h->lines_at + line.bytes > CLI_HOOK_QUEUE_BYTES_MAX) {
		if (h->dropped++ == 0 && h->state != OVER)
			h->cfg.warn(h->cfg.arg, "--on-event falls behind: events are left out");
		return;
	}
	if (!h->waiting || h->lines_at > CLI_HOOK_QUEUE_BYTES_MAX / 4) { /* what was told makes room */
		rv_buf_consume(&h->lines, h->lines_at);
		rv_buf_consume(&h->heads, h->heads_at);
		h->lines_at = h->heads_at = 0;
	}
	(void)snprintf(e.type, sizeof e.type, "%s", type);
	if (rv_buf_put(&h->heads, &e, sizeof e) == 0 && rv_buf_put_str(&h->lines, line) == 0)
		h->waiting++;
}

void cli_hook_durable(struct cli_hook *h, uint64_t position)
{
	h->durable = rv_max_u64(h->durable, position);
}

/* --- the command ---------------------------------------------------------------------------------------------------------- */

static void over(struct cli_hook *h, const char *why)
{
	char text[512];

	if (h->state == OVER)
		return;
	(void)snprintf(text, sizeof text, "--on-event: nobody is told any more: %.400s", why);
	h->cfg.warn(h->cfg.arg, text);
	h->dropped += h->waiting + (h->state == BUSY);
	h->waiting = 0;
	h->state = OVER;
}

/* The next event that may be told; false: none. Takes it from the queue. */
static bool take_event(struct cli_hook *h, struct rv_str *line)
{
	struct event e;

	if (!h->waiting)
		return false;
	memcpy(&e, h->heads.at + h->heads_at, sizeof e);
	if (e.position > h->durable)
		return false;
	memcpy(h->type, e.type, sizeof h->type);
	*line = rv_str(h->lines.at + h->lines_at, e.bytes);
	h->heads_at += sizeof e;
	h->lines_at += e.bytes;
	h->waiting--;
	return true;
}

static int spawn(struct cli_hook *h, struct rv_err *err)
{
	/* The file becomes its stdin here, since the warden gives units none. */
	static const char program[] = "exec <\"$1\" && exec /bin/sh -c \"$2\"";
	const char *words[] = { "/bin/sh", "-c", program, "on-event", h->file, h->cfg.command };
	struct warden_spawn m = {
		.key = ++h->key,
		.log_id = { .run = 1, .attempt = 1 },
		.slots = 1,
		.cwd = rv_str_of(h->cwd),
		.output = WARDEN_OUTPUT_DISCARD,
		.wall_us = CLI_HOOK_TIME_US,
		.uid = WARDEN_KEEP,
		.gid = WARDEN_KEEP,
		.umask = WARDEN_KEEP,
	};
	char type[64];

	rv_buf_reset(&h->argv);
	rv_buf_reset(&h->env);
	for (size_t i = 0; i < RV_ARRAY_LEN(words); i++)
		(void)warden_strv_add(&h->argv, &m.argv.count, rv_str_of(words[i]));
	(void)snprintf(type, sizeof type, "REEVE_EVENT_TYPE=%s", h->type);
	(void)warden_strv_add(&h->env, &m.env_set.count, rv_str_of(type));
	m.argv.bytes = rv_buf_str(&h->argv);
	m.env_set.bytes = rv_buf_str(&h->env);
	if (h->argv.failed || warden_put_spawn(&h->warden.out, &m) < 0)
		return rv_fail(err, RV_E_LIMIT, "the command is too long");
	return warden_client_flush(&h->warden, err);
}

static void tell_next(struct cli_hook *h)
{
	struct rv_str line;
	struct rv_err err;

	if (h->state != FREE || !take_event(h, &line))
		return;
	h->state = BUSY;
	if (rv_file_write(h->file, line, 0600, RV_FILE_NOSYNC, &err) < 0 || spawn(h, &err) < 0)
		over(h, err.msg);
}

static struct rv_str last_line(struct rv_str s)
{
	const char *start;

	while (s.bytes && (s.at[s.bytes - 1] == '\n' || s.at[s.bytes - 1] == '\r'))
		s.bytes--;
	start = s.bytes ? memrchr(s.at, '\n', s.bytes) : NULL;
	return start ? rv_str(start + 1, (size_t)(s.at + s.bytes - start - 1)) : s;
}

static void count_failure(struct cli_hook *h, const struct warden_exited *e)
{
	struct rv_str said = last_line(e->stderr_tail);
	char text[512], how[64];

	if (h->failed++)
		return;
	if (e->why == WARDEN_WHY_TIMEOUT)
		(void)snprintf(how, sizeof how, "took longer than %u s and was killed", CLI_HOOK_TIME_US / RV_US_PER_S);
	else if (e->why == WARDEN_WHY_EXITED && e->signal)
		(void)snprintf(how, sizeof how, "was ended by signal %d", e->signal);
	else if (e->why == WARDEN_WHY_EXITED)
		(void)snprintf(how, sizeof how, "ended with status %d", e->code);
	else
		(void)snprintf(how, sizeof how, "failed (%s)", warden_why_name(e->why));
	(void)snprintf(text, sizeof text, "--on-event %s at %s%s%.*s (said once; how often it failed is said at the end)", how, h->type, said.bytes ? ": " : "",
		       (int)rv_min_u64(said.bytes, 200), said.at ? said.at : "");
	h->cfg.warn(h->cfg.arg, text);
}

static void on_exited(struct cli_hook *h, const struct warden_exited *e)
{
	uint64_t key = e->key;

	(void)warden_put_forget(&h->warden.out, &key, 1);
	if (e->recovered || h->state != BUSY || e->key != h->key)
		return; /* what an earlier program left */
	h->told++;
	if (e->why != WARDEN_WHY_EXITED || e->code != 0)
		count_failure(h, e);
	h->state = FREE;
}

static void on_frame(struct cli_hook *h, const struct warden_frame *f)
{
	switch (f->type) {
	case WARDEN_HELLO:
		if (f->hello.trouble.bytes) {
			char why[256];

			(void)snprintf(why, sizeof why, "%.*s", (int)rv_min_u64(f->hello.trouble.bytes, 250), f->hello.trouble.at);
			over(h, why);
		} else if (h->state == GREETING) {
			h->state = FREE;
		}
		break;
	case WARDEN_EXITED:
		on_exited(h, &f->exited);
		break;
	default:
		break;
	}
}

int cli_hook_fd(const struct cli_hook *h)
{
	return h->state == OVER ? -1 : h->warden.fd;
}

bool cli_hook_wants_write(const struct cli_hook *h)
{
	return warden_client_pending(&h->warden);
}

/* What the warden has said. -1: it is gone. */
static int read_frames(struct cli_hook *h, struct rv_err *err)
{
	struct warden_frame f;
	int got = warden_client_read(&h->warden, err), rc = 0;

	while (h->state != OVER && (rc = warden_client_next(&h->warden, &f, err)) == 1)
		on_frame(h, &f);
	return h->state != OVER && (got < 0 || rc < 0) ? -1 : 0;
}

void cli_hook_turn(struct cli_hook *h)
{
	struct rv_err err;

	if (h->state == OVER || h->state == IDLE)
		return;
	if (read_frames(h, &err) < 0) {
		over(h, err.msg);
		return;
	}
	tell_next(h);
	if (h->state != OVER && warden_client_flush(&h->warden, &err) < 0)
		over(h, err.msg);
}

/* --- the end ------------------------------------------------------------------------------------------------------------------ */

static void say_counts(struct cli_hook *h)
{
	char text[256];

	if (h->failed) {
		(void)snprintf(text, sizeof text, "--on-event failed for %llu of %llu events", (unsigned long long)h->failed, (unsigned long long)h->told);
		h->cfg.warn(h->cfg.arg, text);
	}
	if (h->dropped) {
		(void)snprintf(text, sizeof text, "--on-event was not told of %llu event%s", (unsigned long long)h->dropped, h->dropped == 1 ? "" : "s");
		h->cfg.warn(h->cfg.arg, text);
	}
}

/* Nobody should wonder why the program does not end. */
static void say_waiting(struct cli_hook *h)
{
	char text[160];

	(void)snprintf(text, sizeof text, "waiting for --on-event, which has %u event%s to take, at most %u s; Ctrl-C ends that", h->waiting + (h->state == BUSY),
		       h->waiting + (h->state == BUSY) == 1 ? "" : "s", CLI_HOOK_END_US / RV_US_PER_S);
	h->cfg.warn(h->cfg.arg, text);
}

void cli_hook_end(struct cli_hook *h)
{
	uint64_t now = rv_clock_boottime_us(), until = now + CLI_HOOK_END_US, say_at = now + RV_US_PER_S;
	struct warden_frame f;
	struct rv_err err;

	h->durable = RV_NEVER;
	while (h->state != OVER && h->state != IDLE) {
		int rc;

		tell_next(h);
		now = rv_clock_boottime_us();
		if ((h->state == FREE && !h->waiting) || now >= until || rv_signals_waiting())
			break;
		if (now >= say_at) {
			say_waiting(h);
			say_at = RV_NEVER;
		}
		rc = warden_client_wait(&h->warden, &f, rv_min_u64(until - now, SIGNAL_LOOK_US), &err);
		if (rc < 0)
			over(h, err.msg);
		else if (rc > 0)
			on_frame(h, &f);
	}
	if (h->state != OVER)
		h->dropped += h->waiting + (h->state == BUSY);
	h->waiting = 0;
	say_counts(h);
	if (h->state != OVER && h->warden.fd >= 0) {
		(void)warden_put_grace(&h->warden.out, WARDEN_SHUTDOWN, 0);
		(void)warden_client_flush(&h->warden, NULL); /* one that is gone has ended what it ran */
	}
	warden_client_close(&h->warden, WARDEN_CLOSE_WAIT);
	h->state = OVER;
}

void cli_hook_tell_rejected(struct cli_hook *h, struct rv_str why)
{
	const char *tmp = getenv("TMPDIR");
	struct rv_buf line;
	struct rv_err err;
	char dir[PATH_MAX];
	int parent;

	if (!(h->kinds & 1))
		return;
	if ((size_t)snprintf(dir, sizeof dir, "%s/reeve-event-XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp") >= sizeof dir || !mkdtemp(dir)) {
		over(h, "there is no directory for temporary files");
		return;
	}
	rv_buf_init(&line, 0);
	cli_event_plan_rejected(why, rv_clock_realtime_us(), &line);
	if (cli_hook_start(h, dir, &err) < 0)
		over(h, err.msg);
	cli_hook_add(h, REJECTED, rv_buf_str(&line), 0);
	cli_hook_end(h);
	rv_buf_release(&line);
	*strrchr(dir, '/') = '\0';
	if (rv_dir_open(dir, &parent, NULL) == 0) { /* one that stays is in the way of nobody */
		(void)rv_tree_remove_at(parent, dir + strlen(dir) + 1, NULL);
		(void)close(parent);
	}
}
