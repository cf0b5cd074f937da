/* find.c - which state directory, which run, which unit a command line means */
#include "cli/find.h"

#include "cli/layout.h"
#include "cli/place.h"
#include "common/plan/plan.h"
#include "coordinator/journal/journal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_SHOWN 5
#define NAMED_MAX 64     /* runs looked at for a name */
#define NEAREST_MAX 4096 /* units looked at for a "did you mean" */

/* --- the state directory --------------------------------------------------------------------------------------------- */

static int has_runs(const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, CLI_DIR_RUNS) >= sizeof(path))
		return 0;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int no_runs(const char *where, struct rv_err *err)
{
	(void)rv_fail(err, RV_E_NOT_FOUND, "there are no runs in %s", where);
	return rv_hint(err, "`reeve run PLAN` makes one; --state DIR looks elsewhere");
}

static int no_directory(const char *where, struct rv_err *err)
{
	(void)rv_fail_errno(err, errno, "cannot open the state directory %s", where);
	return rv_hint(err, "--state names the directory in which `reeve run` or `reeve coordinator` keeps its runs, `.reeve` where none is named");
}

int cli_find_state(const char *option, char out[PATH_MAX], struct rv_err *err)
{
	char here[PATH_MAX], *slash;

	if (option) {
		if (!realpath(option, out))
			return no_directory(option, err);
		return has_runs(out) ? 0 : no_runs(option, err);
	}
	if (!getcwd(here, sizeof(here)))
		return rv_fail_errno(err, errno, "cannot tell the current directory");
	for (;;) {
		if ((size_t)snprintf(out, PATH_MAX, "%s/%s", strcmp(here, "/") ? here : "", CLI_DIR_STATE) < PATH_MAX &&
		    has_runs(out))
			return 0;
		slash = strrchr(here, '/');
		if (!slash || !here[1])
			return no_runs("a " CLI_DIR_STATE " here or above", err);
		slash[slash == here ? 1 : 0] = '\0';
	}
}

void cli_state_option(const char *option, char *out, size_t size)
{
	char named[PATH_MAX], near[PATH_MAX];

	out[0] = '\0';
	if (!option || (!cli_place_named(NULL) && realpath(option, named) && cli_find_state(NULL, near, NULL) == 0 && strcmp(named, near) == 0))
		return;
	(void)snprintf(out, size, " --state %s", option);
}

int cli_run_path(const char *state, struct rv_run_id run, const char *name, char out[PATH_MAX], struct rv_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/%s/%s%s%s", state, CLI_DIR_RUNS, run.text, name ? "/" : "", name ? name : "");

	return n < PATH_MAX ? 0 : rv_fail(err, RV_E_LIMIT, "the path of run %s is too long", run.text);
}

/* --- runs ------------------------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct rv_run_id *)a)->text, ((const struct rv_run_id *)b)->text);
}

#define TIME_CHARS 7 /* of a run id: seconds; the rest is chance */

static uint64_t born_ns(const char *runs, const char *name)
{
	char path[PATH_MAX];
	struct statx st;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", runs, name) >= sizeof(path) ||
	    statx(AT_FDCWD, path, 0, STATX_BTIME, &st) || !(st.stx_mask & STATX_BTIME))
		return 0;
	return (uint64_t)st.stx_btime.tv_sec * 1000000000u + st.stx_btime.tv_nsec;
}

/* Runs of the same second: as their directories were made, where the file system tells. */
static void order_within_seconds(const char *runs, struct rv_run_id *ids, uint32_t count)
{
	uint32_t i, k;

	for (i = 1; i < count; i++) {
		struct rv_run_id id = ids[i];
		uint64_t born;

		if (memcmp(ids[i - 1].text, id.text, TIME_CHARS) != 0)
			continue;
		born = born_ns(runs, id.text);
		for (k = i; k > 0 && memcmp(ids[k - 1].text, id.text, TIME_CHARS) == 0 && born_ns(runs, ids[k - 1].text) > born; k--)
			ids[k] = ids[k - 1];
		ids[k] = id;
	}
}

int cli_list_runs(const char *state, struct rv_run_id **ids, uint32_t *count, struct rv_err *err)
{
	char path[PATH_MAX];
	struct rv_run_id *list = NULL;
	uint32_t n = 0, room = 0;
	struct dirent *e;
	DIR *d;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", state, CLI_DIR_RUNS) >= sizeof(path))
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", state);
	d = opendir(path);
	if (!d)
		return rv_fail_errno(err, errno, "cannot look into %s", path);
	while ((e = readdir(d))) {
		if (!rv_run_id_valid(rv_str_of(e->d_name)))
			continue;
		if (n == room) {
			struct rv_run_id *more = realloc(list, (room = room ? 2 * room : 64) * sizeof(*list));

			if (!more) {
				free(list);
				(void)closedir(d);
				return rv_fail(err, RV_E_NO_MEMORY, "no memory to list %s", path);
			}
			list = more;
		}
		memcpy(list[n++].text, e->d_name, sizeof(list->text));
	}
	(void)closedir(d);
	if (n)
		qsort(list, n, sizeof(*list), by_text);
	order_within_seconds(path, list, n);
	*ids = list;
	*count = n;
	return 0;
}

static bool has_prefix(const char *text, struct rv_str prefix)
{
	size_t i;

	for (i = 0; i < prefix.bytes; i++) /* a run id is lower case; people's memory is not */
		if (!text[i] || text[i] != tolower((unsigned char)prefix.at[i]))
			return false;
	return true;
}

struct named {
	struct rv_str name;
	bool found;
};

static enum journal_next has_name(void *arg, const struct journal_run *run)
{
	struct named *n = arg;

	n->found |= rv_str_equal(run->name, n->name);
	return JOURNAL_MORE;
}

/* The newest run of this name among the last NAMED_MAX, whose journals are looked into; NULL: none. */
static const struct rv_run_id *newest_named(const char *state, const struct rv_run_id *ids, uint32_t count, struct rv_str name)
{
	struct journal_options options = { .mode = JOURNAL_READ };
	uint32_t i = count;

	while (i > 0 && count - i < NAMED_MAX) {
		struct named n = { .name = name };
		struct journal *j = NULL;
		char dir[PATH_MAX];

		if (cli_run_path(state, ids[--i], NULL, dir, NULL) == 0 && journal_open(&j, dir, &options, NULL) == 0)
			(void)journal_runs(j, has_name, &n, NULL);
		journal_close(&j);
		if (n.found)
			return &ids[i];
	}
	return NULL;
}

static int which_run(const char *state, const struct rv_run_id *ids, uint32_t count, struct rv_str prefix, struct rv_run_id *out,
		     struct rv_err *err)
{
	char names[NAMES_SHOWN * (RV_RUN_ID_CHARS + 2) + 8] = "";
	const struct rv_run_id *named;
	uint32_t i, matches = 0;

	for (i = 0; i < count; i++) {
		if (!has_prefix(ids[i].text, prefix))
			continue;
		if (matches < NAMES_SHOWN)
			(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", matches ? ", " : "",
				       ids[i].text);
		*out = ids[i];
		matches++;
	}
	if (matches == 1)
		return 0;
	if (matches)
		return rv_fail(err, RV_E_USAGE, "\"%.*s\" could be %u runs: %s%s", (int)rv_min_u64(prefix.bytes, 32), prefix.at,
			       matches, names, matches > NAMES_SHOWN ? ", ..." : "");
	(void)rv_fail(err, RV_E_NOT_FOUND, "there is no run \"%.*s\"", (int)rv_min_u64(prefix.bytes, 32), prefix.at);
	named = newest_named(state, ids, count, prefix);
	if (named)
		return rv_hint(err, "a run is meant by its id: did you mean %s, the newest of that name?", named->text);
	return rv_hint(err, "the newest is %s; `reeve status` lists all", ids[count - 1].text);
}

/* One that is just being made, or was never begun, has no journal and is not what people mean. */
static struct rv_run_id newest(const char *state, const struct rv_run_id *ids, uint32_t count)
{
	char path[PATH_MAX];
	uint32_t i = count;

	while (i-- > 0)
		if (cli_run_path(state, ids[i], CLI_FILE_JOURNAL, path, NULL) == 0 && access(path, F_OK) == 0)
			return ids[i];
	return ids[count - 1];
}

int cli_find_run(const char *state, struct rv_str prefix, struct rv_run_id *out, struct rv_err *err)
{
	struct rv_run_id *ids = NULL, found = { 0 };
	uint32_t count = 0;
	int rc;

	if (cli_list_runs(state, &ids, &count, err))
		return -1;
	if (!count) {
		rc = no_runs(state, err);
	} else if (!prefix.bytes) {
		found = newest(state, ids, count);
		rc = 0;
	} else {
		rc = which_run(state, ids, count, prefix, &found, err);
	}
	if (rc == 0)
		*out = found;
	free(ids);
	return rc;
}

/* --- units ------------------------------------------------------------------------------------------------------------- */

void cli_split_word(const char *word, struct rv_str *run, struct rv_str *unit)
{
	const char *slash = strchr(word, '/');

	*run = slash ? rv_str(word, (size_t)(slash - word)) : rv_str_of(word);
	*unit = slash ? rv_str_of(slash + 1) : rv_str(NULL, 0);
}

static int no_such_unit(const struct coord_graph *g, const char *run, struct rv_str word, struct rv_err *err)
{
	uint32_t i, count = (uint32_t)rv_min_u64(coord_graph_unit_count(g), NEAREST_MAX);
	const char **names = calloc(count ? count : 1, sizeof(*names));
	char(*rooms)[COORD_UNIT_ID_BYTES + 1] = calloc(count ? count : 1, sizeof(*rooms));
	int nearest = -1;

	for (i = 0; names && rooms && i < count; i++) {
		char room[COORD_UNIT_ID_BYTES];
		struct rv_str id = coord_graph_unit_id(g, i, room);

		memcpy(rooms[i], id.at, rv_min_u64(id.bytes, COORD_UNIT_ID_BYTES));
		names[i] = rooms[i];
	}
	if (names && rooms)
		nearest = rv_nearest(word, names, count);
	(void)rv_fail(err, RV_E_NOT_FOUND, "there is no unit \"%.*s\" in run %s", (int)rv_min_u64(word.bytes, 128), word.at, run);
	if (nearest >= 0)
		(void)rv_hint(err, "did you mean %s?", names[nearest]);
	else
		(void)rv_hint(err, "`reeve status %s -o name` lists its units", run);
	free(names);
	free(rooms);
	return -1;
}

int cli_find_unit(const struct coord_graph *g, const char *run, struct rv_str word, uint32_t *unit, struct rv_err *err)
{
	uint32_t count = 0, at = coord_graph_find(g, word, &count), i, matches = 0, units = coord_graph_unit_count(g);
	char room[COORD_UNIT_ID_BYTES], last[COORD_UNIT_ID_BYTES];

	if (rv_str_equal(word, RV_STR(PLAN_VERIFY_ID)) && coord_graph_verify_spec(g).bytes) {
		*unit = units;
		return 0;
	}
	if (at != RV_MAP_NONE && count == 1) {
		*unit = at;
		return 0;
	}
	if (at != RV_MAP_NONE && count > 1) {
		struct rv_str a = coord_graph_unit_id(g, at, room), b = coord_graph_unit_id(g, at + count - 1, last);

		return rv_fail(err, RV_E_USAGE, "\"%.*s\" stands for %u units, %.*s to %.*s: name one", RV_STR_ARGS(word), count,
			       RV_STR_ARGS(a), RV_STR_ARGS(b));
	}
	for (i = 0; word.bytes && i < units && matches < 2; i++) {
		struct rv_str id = coord_graph_unit_id(g, i, room);

		if (id.bytes >= word.bytes && memcmp(id.at, word.at, word.bytes) == 0) {
			matches++;
			at = i;
		}
	}
	if (matches > 1)
		return rv_fail(err, RV_E_USAGE, "\"%.*s\" could be more than one unit", RV_STR_ARGS(word));
	if (matches == 0)
		return no_such_unit(g, run, word, err);
	*unit = at;
	return 0;
}
