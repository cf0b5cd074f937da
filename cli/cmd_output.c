/* cmd_output.c - `reeve output` and `reeve artifacts`: what units handed over */
#include "cli/find.h"
#include "cli/query.h"
#include "cli/text.h"
#include "common/os/file.h"
#include "common/plan/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES ((size_t)64 << 10)
#define OUTPUT_BYTES_MAX ((size_t)1 << 30)

/* --- output --------------------------------------------------------------------------------------------------------- */

static int read_output(struct cli_runview *v, const struct cli_details *d, struct rv_buf *out, struct rv_err *err)
{
	struct cli_blob_source blobs = cli_runview_blobs(v);

	if (d->output.kind == PROTO_VALUE_INLINE)
		return rv_buf_put_str(out, d->output.inline_bytes) ? rv_fail(err, RV_E_NO_MEMORY, "no memory for the output") : 0;
	return cli_blob_get_all(&blobs, d->output.digest, OUTPUT_BYTES_MAX, out, err);
}

static int no_output(const struct cli_runview *v, uint32_t unit)
{
	const struct cli_unit *u = &v->tally.units[unit];
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(&v->tally, unit, room);
	struct rv_err err;

	(void)rv_fail(&err, RV_E_NOT_FOUND, "unit \"%.*s\" has no output: it is %s", RV_STR_ARGS(id), coord_unit_state_name(u->state));
	if (!cli_unit_ended(u))
		(void)rv_hint(&err, "`reeve wait %s%s` waits for the run", v->id.text, v->state_option);
	else if (u->attempt)
		(void)rv_hint(&err, "`reeve logs %s/%.*s%s` shows what it printed", v->id.text, RV_STR_ARGS(id), v->state_option);
	else
		(void)rv_hint(&err, "`reeve status %s/%.*s%s` says why", v->id.text, RV_STR_ARGS(id), v->state_option);
	return cli_fail(&err);
}

static int answer_output(struct cli_runview *v, uint32_t unit, enum cli_format format)
{
	char room[COORD_UNIT_ID_BYTES];
	struct cli_details d;
	struct rv_buf value, out;
	struct rv_err err;
	int status;

	cli_tally_details(&v->tally, unit, &d);
	if (d.output.kind == PROTO_VALUE_NONE)
		return no_output(v, unit);
	rv_buf_init(&value, OUTPUT_BYTES_MAX);
	rv_buf_init(&out, 0);
	if (read_output(v, &d, &value, &err)) {
		status = cli_fail(&err);
	} else {
		if (format == CLI_JSON || format == CLI_JSONL) {
			(void)rv_buf_putc(&out, '{');
			cli_json_str(&out, "schema", RV_STR("reeve.output/1"));
			cli_json_str(&out, "run", rv_str_of(v->id.text));
			cli_json_str(&out, "unit", cli_tally_unit_id(&v->tally, unit, room));
			cli_json_uint(&out, "attempt", v->tally.units[unit].attempt);
			cli_json_key(&out, "output");
			if (d.output_json)
				cli_json_compact(&out, rv_buf_str(&value));
			else
				(void)rv_buf_put_json(&out, rv_buf_str(&value));
			(void)rv_buf_puts(&out, "}\n");
		} else if (cli_is_tty(1)) {
			cli_text_safe(CLI_TEXT_LINES, rv_buf_str(&value), &out);
		} else {
			(void)rv_buf_put_str(&out, rv_buf_str(&value)); /* a value for a script: exactly its bytes */
		}
		if (format != CLI_JSON && format != CLI_JSONL && (!out.bytes || out.at[out.bytes - 1] != '\n'))
			(void)rv_buf_putc(&out, '\n');
		status = cli_answer(rv_buf_str(&out), CLI_OK);
	}
	rv_buf_release(&value);
	rv_buf_release(&out);
	return status;
}

int cli_cmd_output(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	const struct rv_opt table[] = {
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .keep = CLI_KEEP_ALL };
	struct cli_target target;
	struct cli_runview v;
	struct rv_err err;
	uint32_t unit;
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("output", "[RUN/]UNIT",
				 "The output value of a unit: what it wrote to REEVE_OUTPUT_FILE, else its last line. JSON or text.",
				 table);
	if (!q.words)
		return cli_failf(RV_E_USAGE, "`reeve output` needs a unit: RUN/UNIT, or UNIT of the newest run");
	target = cli_query_target(argv[0], CLI_WORD_NEEDS_UNIT);
	if (!target.unit.bytes)
		return cli_failf(RV_E_USAGE, "a unit is missing: RUN/UNIT");
	opt.state = q.state;
	opt.coordinator = q.coordinator;
	opt.run = target.run;
	if (cli_runview_open(&v, &opt, &err) || cli_find_unit(v.graph, v.id.text, target.unit, &unit, &err))
		status = cli_fail(&err);
	else
		status = answer_output(&v, unit, q.format);
	cli_runview_close(&v);
	return status;
}

/* --- artifacts --------------------------------------------------------------------------------------------------------- */

struct artifacts {
	struct cli_runview view;
	enum cli_format format;
	const char *copy;      /* --copy DIR */
	int dir;               /* of it */
	struct cli_table table;
	struct rv_buf out;
	uint64_t copied, copied_bytes;
	struct rv_err err;
	bool failed;
};

static const struct cli_column artifact_columns[] = {
	{ "UNIT", CLI_LEFT, false }, { "ARTIFACT", CLI_LEFT, false }, { "SIZE", CLI_RIGHT, false },
	{ "ATTEMPT", CLI_RIGHT, false }, { "NODE", CLI_LEFT, false }, { "BLAKE2B", CLI_LEFT, true },
};

/* Names come from agents: only relative paths without "..", "." or empty parts are written below DIR. */
static bool safe_name(struct rv_str name)
{
	size_t i, start = 0;

	if (!name.bytes || memchr(name.at, '\0', name.bytes))
		return false;
	for (i = 0; i <= name.bytes; i++) {
		size_t part = i - start;

		if (i < name.bytes && name.at[i] != '/')
			continue;
		if (part == 0 || (part == 1 && name.at[start] == '.') ||
		    (part == 2 && name.at[start] == '.' && name.at[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

/* Copies what is open, and checks that it is what the attempt handed over. */
static int copy_bytes(int from, int to, const char *name, const uint8_t *expect, uint64_t *copied, struct rv_err *err)
{
	uint8_t digest[RV_DIGEST_BYTES];
	char room[COPY_BYTES];
	struct rv_digest_state hash;
	ssize_t n;

	rv_digest_begin(&hash);
	while ((n = read(from, room, sizeof(room))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_fail_errno(err, errno, "cannot read %s", name);
		if (rv_file_put(to, name, rv_str(room, (size_t)n), err))
			return -1;
		rv_digest_add(&hash, rv_str(room, (size_t)n));
		*copied += (uint64_t)n;
	}
	rv_digest_end(&hash, digest);
	if (memcmp(digest, expect, sizeof(digest)) != 0)
		return rv_fail(err, RV_E_CORRUPT, "artifact %s has changed since it was handed over", name);
	return 0;
}

/* From the store of blobs or the coordinator; or from the attempt's own directory where it still lies. */
static int open_artifact(struct artifacts *a, struct rv_str unit, uint32_t attempt, const struct proto_artifact *art, int *fd,
			 struct rv_err *err)
{
	char space[PATH_MAX], path[PATH_MAX];
	struct cli_blob_source blobs = cli_runview_blobs(&a->view);
	int dir, rc = cli_blob_open(&blobs, art->digest, fd, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (cli_runview_remote(&a->view)) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "the coordinator does not have artifact \"%.*s\" of unit \"%.*s\"",
			      (int)rv_min_u64(art->name.bytes, 128), art->name.at, RV_STR_ARGS(unit));
		return rv_hint(err, "without it, `reeve artifacts` lists what there is");
	}
	if (cli_runview_namespace(&a->view, unit, attempt, space, err))
		return -1;
	(void)snprintf(path, sizeof(path), "artifacts/%.*s", RV_STR_ARGS(art->name));
	if (rv_dir_open(space, &dir, err))
		return -1;
	rc = rv_file_open_at(dir, path, O_RDONLY, 0, fd, err);
	(void)close(dir);
	return rc;
}

/* DIR/UNIT/NAME; what is there already is replaced, links on the way are refused (rv_file_open_at). */
static int copy_one(struct artifacts *a, struct rv_str unit, uint32_t attempt, const struct proto_artifact *art,
		    struct rv_err *err)
{
	char path[PATH_MAX], *slash;
	int from, to, rc;

	if (!safe_name(art->name) || (size_t)snprintf(path, sizeof(path), "%.*s/%.*s", RV_STR_ARGS(unit), RV_STR_ARGS(art->name)) >=
					     sizeof(path))
		return rv_fail(err, RV_E_DENIED, "artifact \"%.*s\" of unit \"%.*s\" has no name that may be written",
			       (int)rv_min_u64(art->name.bytes, 128), art->name.at, RV_STR_ARGS(unit));
	slash = strrchr(path, '/');
	*slash = '\0';
	rc = rv_dir_make_at(a->dir, path, 0755, err);
	*slash = '/';
	if (rc || open_artifact(a, unit, attempt, art, &from, err))
		return -1;
	rc = rv_file_open_at(a->dir, path, O_WRONLY | O_CREAT | O_TRUNC, art->executable ? 0755 : 0644, &to, err);
	if (rc == 0) {
		rc = copy_bytes(from, to, path, art->digest, &a->copied_bytes, err);
		if (close(to) && rc == 0)
			rc = rv_fail_errno(err, errno, "cannot write %s", path);
	}
	(void)close(from);
	if (rc == 0)
		a->copied++;
	return rc;
}

static void put_artifact(struct artifacts *a, struct rv_str unit, const struct cli_unit *u, const struct proto_artifact *art)
{
	char hex[2 * PROTO_DIGEST_BYTES + 1];
	struct rv_str node = cli_tally_node_name(&a->view.tally, u->node);
	struct rv_buf b;

	rv_hex(hex, art->digest, PROTO_DIGEST_BYTES);
	if (a->format == CLI_NAME) {
		cli_text_safe(CLI_TEXT_CELL, unit, &a->out);
		(void)rv_buf_putc(&a->out, '/');
		cli_text_safe(CLI_TEXT_CELL, art->name, &a->out);
		(void)rv_buf_putc(&a->out, '\n');
		return;
	}
	if (a->format == CLI_JSON || a->format == CLI_JSONL) {
		cli_json_comma(&a->out);
		(void)rv_buf_putc(&a->out, '{');
		cli_json_str(&a->out, "unit", unit);
		cli_json_str(&a->out, "name", art->name);
		cli_json_uint(&a->out, "bytes", art->bytes);
		cli_json_str(&a->out, "blake2b", rv_str_of(hex));
		cli_json_uint(&a->out, "attempt", u->attempt);
		cli_json_str_or_null(&a->out, "node", node);
		(void)rv_buf_puts(&a->out, a->format == CLI_JSON ? "}" : "}\n");
		return;
	}
	rv_buf_init(&b, 0);
	cli_put_bytes(&b, art->bytes);
	cli_table_cell(&a->table, unit);
	cli_table_cell(&a->table, art->name);
	cli_table_cell(&a->table, rv_buf_str(&b));
	cli_table_cellf(&a->table, "%u", u->attempt);
	cli_table_cell(&a->table, node);
	cli_table_cell(&a->table, rv_str_of(hex));
	rv_buf_release(&b);
}

static int each_artifact(struct artifacts *a, uint32_t unit, struct rv_err *err)
{
	char room[COORD_UNIT_ID_BYTES];
	struct rv_str id = cli_tally_unit_id(&a->view.tally, unit, room);
	struct proto_artifact art;
	struct cli_details d;

	cli_tally_details(&a->view.tally, unit, &d);
	if (d.artifacts_cut)
		cli_say("unit %.*s left more files than are listed here", RV_STR_ARGS(id));
	while (cli_details_artifact(&d, &art)) {
		if (a->copy && copy_one(a, id, a->view.tally.units[unit].attempt, &art, err))
			return -1;
		put_artifact(a, id, &a->view.tally.units[unit], &art);
	}
	return 0;
}

static int answer_artifacts(struct artifacts *a, uint32_t first, uint32_t count, struct rv_err *err)
{
	uint32_t i;

	if (a->copy && (rv_dir_make(a->copy, 0755, err) || rv_dir_open(a->copy, &a->dir, err)))
		return -1;
	if (a->format == CLI_JSON) {
		(void)rv_buf_putc(&a->out, '{');
		cli_json_str(&a->out, "schema", RV_STR("reeve.artifacts/1"));
		cli_json_str(&a->out, "run", rv_str_of(a->view.id.text));
		cli_json_key(&a->out, "artifacts");
		(void)rv_buf_putc(&a->out, '[');
	}
	for (i = first; i < first + count; i++)
		if (each_artifact(a, i, err))
			return -1;
	if (a->format == CLI_JSON)
		(void)rv_buf_puts(&a->out, "]}\n");
	else if (a->format == CLI_TABLE || a->format == CLI_WIDE)
		cli_table_print(&a->table, &a->out);
	return 0;
}

static int run_artifacts(struct artifacts *a, const struct cli_query *q, struct cli_target target)
{
	struct cli_runview_options opt = { .where = CLI_VIEW_ANYWHERE, .coordinator = q->coordinator, .state = q->state, .run = target.run, .keep = CLI_KEEP_ALL };
	struct rv_err err;
	uint32_t unit = 0;
	int status;

	rv_buf_init(&a->out, 0);
	cli_table_init(&a->table, artifact_columns, RV_ARRAY_LEN(artifact_columns), q->format);
	if (cli_runview_open(&a->view, &opt, &err) ||
	    (target.unit.bytes && cli_find_unit(a->view.graph, a->view.id.text, target.unit, &unit, &err)) ||
	    answer_artifacts(a, unit, target.unit.bytes ? 1 : a->view.tally.count, &err)) {
		if (!a->view.graph && !target.unit.bytes)
			cli_query_hint_unit(q, "artifacts", target.run, &err);
		status = cli_fail(&err);
	} else {
		status = cli_answer(rv_buf_str(&a->out), CLI_OK);
		if (a->copy)
			cli_say("copied %llu files to %s", (unsigned long long)a->copied, a->copy);
	}
	if (a->dir >= 0)
		(void)close(a->dir);
	cli_runview_close(&a->view);
	cli_table_release(&a->table);
	rv_buf_release(&a->out);
	return status;
}

int cli_cmd_artifacts(int argc, char **argv)
{
	struct cli_query q = { .words_max = 1 };
	struct artifacts a = { .dir = -1 };
	const struct rv_opt table[] = {
		{ "copy", 0, RV_OPT_STRING, &a.copy, "DIR", "fetch them to DIR/UNIT/NAME", 0, 0 },
		CLI_OPT_FORMAT(&q.format_option),
		CLI_OPT_STATE(&q.state),
		CLI_OPT_COORDINATOR(&q.coordinator),
		CLI_OPT_HELP(&q.help),
		CLI_OPT_END,
	};
	struct cli_target none = { { NULL, 0 }, { NULL, 0 } };
	int status;

	if (cli_query_parse(&q, table, argc, argv, &status))
		return status;
	if (q.help)
		return cli_usage("artifacts", "[RUN[/UNIT]]",
				 "Files that the accepted attempts of a run, or of one unit, handed over.", table);
	a.format = q.format;
	return run_artifacts(&a, &q, q.words ? cli_query_target(argv[0], CLI_WORD_RUN_UNIT) : none);
}
