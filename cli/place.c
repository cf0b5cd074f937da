/* place.c - which coordinator a command means */
#include "cli/place.h"

#include "cli/find.h"
#include "cli/layout.h"
#include "cli/login.h"
#include "cli/render.h"
#include "common/os/file.h"
#include "common/os/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_SHOWN 5

/* --- directories ------------------------------------------------------------------------------------------------------- */

/* Does a process own the state directory `dir` now? */
static bool is_live(const char *dir)
{
	struct rv_lock_holder holder;
	int fd, held;

	if (rv_dir_open(dir, &fd, NULL))
		return false;
	held = rv_lock_probe(fd, CLI_FILE_LOCK, &holder, NULL);
	(void)close(fd);
	return held == 1;
}

bool cli_place_lives(const struct cli_place *p)
{
	return p->kind == CLI_PLACE_TCP || is_live(p->dir);
}

static bool join(char out[PATH_MAX], const char *dir, const char *name)
{
	return (size_t)snprintf(out, PATH_MAX, "%s/%s", strcmp(dir, "/") ? dir : "", name) < PATH_MAX;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void set_coordinator(struct cli_place *p)
{
	p->kind = CLI_PLACE_COORDINATOR;
	(void)snprintf(p->shown, sizeof(p->shown), "the coordinator in %s", p->dir);
}

/* A coordinator's directory holds a journal of its own; `run` keeps one in each run's. */
static bool was_coordinator(const char *dir)
{
	char path[PATH_MAX];

	return join(path, dir, CLI_FILE_JOURNAL) && access(path, F_OK) == 0;
}

/* When something was last written in the coordinator's journal; 0: nobody knows. */
static uint64_t last_written_us(const char *dir)
{
	static const char *const files[] = { CLI_FILE_JOURNAL, CLI_FILE_JOURNAL "-wal" };
	uint64_t last = 0;

	for (size_t i = 0; i < RV_ARRAY_LEN(files); i++) {
		char path[PATH_MAX];
		struct stat st;

		if (join(path, dir, files[i]) && stat(path, &st) == 0)
			last = rv_max_u64(last, (uint64_t)st.st_mtim.tv_sec * RV_US_PER_S + (uint64_t)st.st_mtim.tv_nsec / 1000);
	}
	return last;
}

/* The coordinator that `p` means is not running: which, since when, and what can be done. */
static int asleep(const struct cli_place *p, struct rv_err *err)
{
	char keys[PATH_MAX];
	struct rv_run_id *ids = NULL;
	uint32_t count = 0;
	bool listened = join(keys, p->dir, CLI_DIR_KEYS) && is_dir(keys);
	struct rv_buf when;

	rv_buf_init(&when, 0);
	cli_put_time(&when, last_written_us(p->dir));
	(void)rv_fail(err, RV_E_UNREACHABLE, "%s is not running; it last wrote at %.19sZ", p->shown, when.at ? when.at : "?");
	rv_buf_release(&when);
	(void)cli_list_runs(p->dir, &ids, &count, NULL);
	(void)rv_hint(err, "`reeve coordinator --state %s`%s starts it again%s%s%s", p->dir, listened ? ", with the --listen that it had," : "",
		      count ? "; by --state with that directory, or a run's id (" : "", count ? ids[count - 1].text : "",
		      count ? " is the newest), what `run` left there is read" : "");
	free(ids);
	return -1;
}

/* DIR/runs/RUN, where it ends so: a live `run` named by its own directory. */
static bool is_run_dir(const char *dir, struct rv_run_id *run)
{
	const char *slash = strrchr(dir, '/');
	size_t n = strlen("/" CLI_DIR_RUNS);

	if (!slash || !rv_run_id_valid(rv_str_of(slash + 1)) || (size_t)(slash - dir) < n ||
	    memcmp(slash - n, "/" CLI_DIR_RUNS, n) != 0)
		return false;
	memcpy(run->text, slash + 1, sizeof(run->text));
	return true;
}

static void set_run(struct cli_place *p, struct rv_run_id run)
{
	p->kind = CLI_PLACE_RUN;
	p->run = run;
	(void)snprintf(p->shown, sizeof(p->shown), "run %s", run.text);
}

/* --- named ---------------------------------------------------------------------------------------------------------------- */

const char *cli_place_named(const char *option)
{
	const char *env;

	if (option)
		return option;
	env = getenv("REEVE_COORDINATOR");
	return env && *env ? env : NULL;
}

bool cli_place_guess(const char *address, struct rv_err *err)
{
	char nearly[NET_ENDPOINT_BYTES_MAX + 1], state[PATH_MAX];

	if (net_endpoint_nearly(rv_str_of(address), NET_ENDPOINT_CONNECT, nearly))
		(void)rv_hint(err, "did you mean %s?", nearly);
	else if (join(state, address, CLI_DIR_STATE) && was_coordinator(state))
		(void)rv_hint(err, "did you mean its state directory, %s?", state);
	else
		return false;
	return true;
}

static int place_of_dir(const char *dir, struct cli_place *out, struct rv_err *err)
{
	struct rv_run_id run;

	if (!realpath(dir, out->dir)) {
		(void)rv_fail_errno(err, errno, "there is no coordinator in %s", dir);
		err->code = errno == EACCES ? RV_E_DENIED : RV_E_UNREACHABLE;
		if (cli_place_guess(dir, err))
			return -1;
		return rv_hint(err, "an address is tcp://HOST:PORT, or the state directory of a coordinator on this host");
	}
	if (is_run_dir(out->dir, &run))
		set_run(out, run);
	else
		set_coordinator(out);
	if (is_live(out->dir))
		return 0;
	if (out->kind == CLI_PLACE_RUN) {
		(void)rv_fail(err, RV_E_UNREACHABLE, "run %s has no process any more", run.text);
		return rv_hint(err, "`reeve status` reads it from disk; `reeve run PLAN --resume=%s` goes on", run.text);
	}
	if (was_coordinator(out->dir))
		return asleep(out, err);
	(void)rv_fail(err, RV_E_UNREACHABLE, "no coordinator is running in %s", dir);
	if (cli_place_guess(dir, err))
		return -1;
	return rv_hint(err, "`reeve coordinator --state %s` starts one", dir);
}

static int place_named(const char *address, const char *option, struct cli_place *out, struct rv_err *err)
{
	static const char tcp[] = "tcp://";

	if (option)
		(void)snprintf(out->option, sizeof(out->option), " --coordinator %s", option);
	if (!*address)
		return rv_fail(err, RV_E_USAGE, "--coordinator needs an address: tcp://HOST:PORT, or a state directory");
	if (strncmp(address, tcp, sizeof(tcp) - 1) != 0) {
		if (strstr(address, "://"))
			return rv_fail(err, RV_E_USAGE, "\"%.64s\" is no address of a coordinator: it is tcp://HOST:PORT, or a state directory",
				       address);
		return place_of_dir(address, out, err);
	}
	if (net_endpoint_check(rv_str_of(address), NET_ENDPOINT_CONNECT, err))
		return -1;
	out->kind = CLI_PLACE_TCP;
	(void)snprintf(out->endpoint, sizeof(out->endpoint), "%s", address);
	(void)snprintf(out->shown, sizeof(out->shown), "the coordinator at %s", address);
	return 0;
}

/* --- near --------------------------------------------------------------------------------------------------------------------- */

/* Calls `each` for every .reeve from here upwards until it gives other than 0. */
static int each_near(int (*each)(void *arg, const char *state), void *arg)
{
	char here[PATH_MAX], state[PATH_MAX], *slash;
	int rc;

	if (!getcwd(here, sizeof(here)))
		return 0;
	for (;;) {
		if (join(state, here, CLI_DIR_STATE) && is_dir(state)) {
			rc = each(arg, state);
			if (rc)
				return rc;
		}
		slash = strrchr(here, '/');
		if (!slash || !here[1])
			return 0;
		slash[slash == here ? 1 : 0] = '\0';
	}
}

static int live_coordinator(void *arg, const char *state)
{
	struct cli_place *p = arg;

	if (!is_live(state))
		return 0;
	(void)snprintf(p->dir, sizeof(p->dir), "%s", state);
	set_coordinator(p);
	return 1;
}

static int any_coordinator(void *arg, const char *state)
{
	struct cli_place *p = arg;

	if (!is_live(state) && !was_coordinator(state))
		return 0;
	(void)snprintf(p->dir, sizeof(p->dir), "%s", state);
	set_coordinator(p);
	return 1;
}

struct search {
	struct cli_place *out;
	struct rv_str run; /* "" = any */
	enum cli_place_runs runs;
	uint32_t live;
	char names[NAMES_SHOWN * (RV_RUN_ID_CHARS + 2) + 8];
	struct rv_run_id found;
	bool ended;        /* the run that was named is there, and has no process */
	bool asleep;       /* the nearest is a coordinator's, which is not running */
};

static bool begins(const char *text, struct rv_str prefix)
{
	return strlen(text) >= prefix.bytes && strncasecmp(text, prefix.at ? prefix.at : "", prefix.bytes) == 0;
}

static void look_at_run(struct search *s, const char *state, struct rv_run_id id)
{
	char dir[PATH_MAX];

	if (!begins(id.text, s->run) || cli_run_path(state, id, NULL, dir, NULL))
		return;
	if (!is_live(dir)) {
		s->ended |= s->run.bytes > 0;
		s->found = s->live ? s->found : id;
		return;
	}
	if (s->live < NAMES_SHOWN)
		(void)snprintf(s->names + strlen(s->names), sizeof(s->names) - strlen(s->names), "%s%s", s->live ? ", " : "", id.text);
	s->live++;
	s->found = id;
	(void)snprintf(s->out->dir, sizeof(s->out->dir), "%s", dir);
}

/* The nearest .reeve in which there is what was asked for: a coordinator first, then runs. */
static int look_into(void *arg, const char *state)
{
	struct search *s = arg;
	struct rv_run_id *ids = NULL;
	uint32_t i, count = 0;

	if (live_coordinator(s->out, state))
		return 1;
	if (s->runs == CLI_PLACE_RUNS && cli_list_runs(state, &ids, &count, NULL) == 0) {
		for (i = 0; i < count; i++)
			look_at_run(s, state, ids[i]);
		free(ids);
	}
	if (s->live) {
		set_run(s->out, s->found);
		return 1;
	}
	s->asleep = !s->ended && any_coordinator(s->out, state); /* a run that ended there was no coordinator's */
	return s->asleep;
}

static int nowhere(const struct search *s, struct rv_err *err)
{
	if (s->ended) {
		(void)rv_fail(err, RV_E_UNREACHABLE, "run %s has no process any more", s->found.text);
		return rv_hint(err, "`reeve status %s` reads it from disk; `reeve run PLAN --resume=%s` goes on", s->found.text, s->found.text);
	}
	(void)rv_fail(err, RV_E_UNREACHABLE, s->runs == CLI_PLACE_RUNS ? "no coordinator and no live run is near" : "no coordinator is near");
	return rv_hint(err, "%s`reeve coordinator` starts one here; --coordinator ADDR or REEVE_COORDINATOR names one elsewhere: tcp://HOST:PORT, or its state directory",
		       s->runs == CLI_PLACE_RUNS ? "`reeve run PLAN` or " : "");
}

int cli_place_find(const char *option, enum cli_place_runs runs, struct rv_str run, struct cli_place *out, struct rv_err *err)
{
	struct search s = { .out = out, .run = run, .runs = runs };
	const char *named = cli_place_named(option);
	struct cli_login login;

	*out = (struct cli_place){ .kind = CLI_PLACE_NONE };
	if (named)
		return place_named(named, option, out, err);
	if (each_near(look_into, &s)) {
		if (s.asleep)
			return asleep(out, err);
		if (s.live <= 1)
			return 0;
		(void)rv_fail(err, s.run.bytes ? RV_E_USAGE : RV_E_CONFLICT, "%u runs are live here: %s%s", s.live, s.names,
			      s.live > NAMES_SHOWN ? ", ..." : "");
		return rv_hint(err, "name one");
	}
	*out = (struct cli_place){ .kind = CLI_PLACE_NONE };
	if (cli_login_find(NULL, &login, NULL) == 0) {
		out->kind = CLI_PLACE_TCP;
		memcpy(out->endpoint, login.endpoint, sizeof(out->endpoint));
		net_wipe(&login, sizeof(login));
		(void)snprintf(out->shown, sizeof(out->shown), "the coordinator at %s", out->endpoint);
		return 0;
	}
	return nowhere(&s, err);
}

/* --- for those who look ------------------------------------------------------------------------------------------------------------ */

/* The directory of a live `run` that was named like a coordinator is read from disk: it outlives its process. */
static void state_of_run(const struct cli_place *place, char state[PATH_MAX])
{
	(void)snprintf(state, PATH_MAX, "%s", place->dir);
	state[strlen(state) - strlen("/" CLI_DIR_RUNS "/") - RV_RUN_ID_CHARS] = '\0';
}

/* Is the directory of runs nearer than the coordinator's, or the same one and holds the run that is named? Both lie on the way up from here. */
static bool runs_are_meant(const char *state, const struct cli_place *coordinator, struct rv_str run)
{
	struct rv_run_id id;

	if (strlen(state) != strlen(coordinator->dir))
		return strlen(state) > strlen(coordinator->dir);
	return run.bytes && cli_find_run(state, run, &id, NULL) == 0;
}

int cli_place_look(const char *option, struct rv_str run, enum cli_where *where, struct cli_place *out, char state[PATH_MAX], struct rv_err *err)
{
	const char *named = cli_place_named(option);
	bool runs;

	state[0] = '\0';
	*where = CLI_AT_COORDINATOR;
	if (named) {
		if (cli_place_find(option, CLI_PLACE_NO_RUNS, run, out, err))
			return -1;
		if (out->kind == CLI_PLACE_RUN) {
			state_of_run(out, state);
			*where = CLI_IN_DIRECTORY;
		}
		return 0;
	}
	*out = (struct cli_place){ .kind = CLI_PLACE_NONE };
	runs = cli_find_state(NULL, state, NULL) == 0;
	if (each_near(any_coordinator, out)) {
		if (!runs || !runs_are_meant(state, out, run)) {
			state[0] = '\0';
			return is_live(out->dir) ? 0 : asleep(out, err);
		}
	} else if (!runs) {
		state[0] = '\0';
		if (cli_place_find(NULL, CLI_PLACE_NO_RUNS, run, out, NULL) == 0)
			return 0;
	}
	*where = CLI_IN_DIRECTORY;
	return 0;
}
