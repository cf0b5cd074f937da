/* planload.c - the options that every verb taking a plan has, and the plan they give */
#include "cli/planload.h"

#include "cli/error.h"
#include "cli/out.h"
#include "common/id.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_planload(struct cli_planload *p, const char *path, struct rv_err *err)
{
	struct plan_load_options opt = {
		.sets = p->sets.item,
		.set_count = p->sets.count,
		.context_file = p->context,
		.check_tree = true,
	};

	plan_diags_init(&p->diags);
	if (cli_format_parse(p->format_word, &p->format, err) < 0)
		return -1;
	if (p->mock && strcmp(p->mock, "agents") == 0)
		opt.mock = PLAN_MOCK_AGENTS;
	else if (p->mock && !*p->mock)
		opt.mock = PLAN_MOCK_ALL;
	else if (p->mock) {
		(void)rv_fail(err, RV_E_USAGE, "--mock takes nothing or =agents, not \"%s\"", p->mock);
		return rv_hint(err, "--mock runs nothing at all, --mock=agents everything but agents");
	}
	if (plan_load_file(path, &opt, &p->plan, &p->diags, err) == 0)
		return 0;
	cli_plan_hint(path, err);
	return -1;
}

enum { FILES_MAX = 64 };

static bool is_plan_file(const char *name)
{
	static const char *const ends[] = { ".yaml", ".yml", ".json", ".jsonl" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < RV_ARRAY_LEN(ends); i++)
		if (strcmp(dot, ends[i]) == 0)
			return name[0] != '.';
	return false;
}

static size_t without_end(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot != name ? (size_t)(dot - name) : strlen(name);
}

/* "plan" and "plan.yml" are nearer to plan.yaml than counting letters says. */
static int nearest_file(const char *name, char *const *files, int count)
{
	const char *known[FILES_MAX];

	for (int i = 0; i < count; i++) {
		known[i] = files[i];
		if (without_end(files[i]) == without_end(name) && strncmp(files[i], name, without_end(name)) == 0)
			return i;
	}
	return rv_nearest(rv_str_of(name), known, (size_t)count);
}

/* A plan beside the one that is not there, whose name is nearly that. */
static bool hint_of_file(const char *path, struct rv_err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char at[PATH_MAX], *files[FILES_MAX];
	int count = 0, near;
	struct dirent *e;
	DIR *d;

	if ((size_t)snprintf(at, sizeof at, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") >= sizeof at)
		return false;
	d = opendir(at);
	while (d && count < FILES_MAX && (e = readdir(d)))
		if (is_plan_file(e->d_name) && (files[count] = strdup(e->d_name)))
			count++;
	if (d)
		(void)closedir(d);
	near = nearest_file(name, files, count);
	if (near >= 0)
		(void)rv_hint(err, "did you mean %.*s%s?", slash ? (int)(slash - path) + 1 : 0, path, files[near]);
	while (count)
		free(files[--count]);
	return near >= 0;
}

void cli_plan_hint(const char *path, struct rv_err *err)
{
	if (err->code == RV_E_NOT_FOUND && !err->hint[0] && access(path, F_OK) && !hint_of_file(path, err)) /* not a --context */
		(void)rv_hint(err, "`reeve init` writes a plan to begin with");
}

void cli_planload_release(struct cli_planload *p)
{
	plan_destroy(&p->plan);
	plan_diags_release(&p->diags);
}

static void put_diags(const struct plan_diags *d)
{
	struct rv_buf text;

	rv_buf_init(&text, 0);
	(void)plan_diags_text(d, &text);
	(void)cli_write_all(2, text.at, text.bytes);
	rv_buf_release(&text);
}

/* All that fits one error: the first mistake with its place, and how many more there are. */
static void as_one_error(const struct plan_diags *d, struct rv_err *out)
{
	const struct plan_diag *first = &d->error[0];
	char place[32] = "", more[48] = "";

	if (first->line)
		(void)snprintf(place, sizeof place, first->col ? ":%u:%u" : ":%u%.0u", first->line, first->col);
	if (d->errors_found > 1)
		(void)snprintf(more, sizeof more, " (and %llu more)", (unsigned long long)(d->errors_found - 1));
	(void)rv_fail(out, RV_E_PLAN, "%s%s: %s%s", d->file ? d->file : "the plan", place, first->message, more);
	if (d->errors_found > 1)
		(void)rv_hint(out, "`reeve check -o json` lists all mistakes");
	else if (first->hint)
		(void)rv_hint(out, "%s", first->hint);
}

int cli_planload_fail(struct cli_planload *p, const struct rv_err *err)
{
	struct rv_err first;

	if (err->code != RV_E_PLAN || !p->diags.error_count)
		return cli_fail(err);
	if (cli_error_is_json()) {
		as_one_error(&p->diags, &first);
		return cli_fail(&first);
	}
	put_diags(&p->diags);
	return CLI_USAGE;
}

void cli_planload_warn(const struct cli_planload *p)
{
	if (p->diags.warning_count)
		put_diags(&p->diags);
}
