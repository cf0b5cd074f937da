#include "cli/only.h"

#include "cli/find.h"
#include "cli/runview.h"
#include "common/limits.h"
#include "common/os/blobs.h"

#include <stdlib.h>

/* Instances of the dependencies: units 0.. of the graph that will be built, in plan order. */
static uint32_t given_count(const struct plan *p)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i + 1 < p->unit_count; i++)
		count += plan_unit_instances(&p->units[i]);
	return count;
}

static int read_output(struct cli_only *o, struct cli_runview *v, uint32_t unit, struct cli_given_output *g, struct rv_err *err)
{
	struct cli_details d;
	size_t before = o->bytes.bytes;

	cli_tally_details(&v->tally, unit, &d);
	g->is_json = d.output_json;
	if (d.output.kind == PROTO_VALUE_INLINE)
		(void)rv_buf_put_str(&o->bytes, d.output.inline_bytes);
	else if (d.output.kind == PROTO_VALUE_BLOB && rv_blobs_get_all(&v->blobs, d.output.digest, RV_CONTEXT_BYTES_MAX, &o->bytes, err) < 0)
		return -1;
	if (o->bytes.failed)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the outputs of dependencies");
	/* places now, addresses when all are read: the buffer moves as it grows */
	g->bytes = rv_str((const char *)(uintptr_t)before, o->bytes.bytes - before);
	return 0;
}

/* 1: every dependency succeeded in this run and was read; 0: not this one, `missing` says which unit; -1. */
static int take_from(struct cli_only *o, const struct plan *p, struct cli_runview *v, struct rv_str *missing, struct rv_err *err)
{
	char name[RV_UNIT_ID_BYTES_MAX + 1];
	uint32_t at = 0;

	rv_buf_reset(&o->bytes);
	for (uint32_t i = 0; i + 1 < p->unit_count; i++) {
		for (uint32_t k = 0; k < plan_unit_instances(&p->units[i]); k++, at++) {
			size_t bytes = plan_instance_id(&p->units[i], k, name);
			uint32_t unit, count;

			*missing = p->units[i].id;
			unit = coord_graph_find(v->graph, rv_str(name, bytes), &count);
			if (unit == COORD_NONE || v->tally.units[unit].state != COORD_UNIT_SUCCEEDED)
				return 0;
			o->given[at].unit = at;
			if (read_output(o, v, unit, &o->given[at], err) < 0)
				return -1;
		}
	}
	for (uint32_t i = 0; i < o->count; i++)
		o->given[i].bytes.at = o->bytes.at + (uintptr_t)o->given[i].bytes.at;
	return 1;
}

static int look(struct cli_only *o, const struct plan *p, const char *state, struct rv_run_id id, struct rv_str *missing, struct rv_err *err)
{
	struct cli_runview_options opt = { .state = state, .run = rv_str_of(id.text), .keep = CLI_KEEP_ALL };
	struct cli_runview v;
	int rc = 0;

	if (cli_runview_open(&v, &opt, NULL) == 0 && v.graph && rv_str_equal(coord_graph_name(v.graph), p->name))
		rc = take_from(o, p, &v, missing, err);
	cli_runview_close(&v);
	return rc;
}

int cli_only_find(struct cli_only *o, const struct plan *p, const char *state, struct rv_err *err)
{
	struct rv_str missing = p->unit_count > 1 ? p->units[0].id : RV_STR("");
	struct rv_run_id *ids = NULL;
	char path[PATH_MAX];
	uint32_t runs = 0;
	int rc = 0;

	memset(o, 0, sizeof *o);
	rv_buf_init(&o->bytes, RV_CONTEXT_BYTES_MAX);
	o->count = given_count(p);
	if (o->count == 0)
		return 0;
	o->given = calloc(o->count, sizeof *o->given);
	if (!o->given)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the outputs of %u units", o->count);
	if (cli_find_state(state, path, NULL) == 0 && cli_list_runs(path, &ids, &runs, err) < 0)
		return -1;
	for (uint32_t i = runs; rc == 0 && i-- > 0;)
		rc = look(o, p, path, ids[i], &missing, err);
	free(ids);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rv_fail(err, RV_E_CONFLICT, "unit \"%.*s\" depends on \"%.*s\", which has succeeded in no run of \"%.*s\" here",
		RV_STR_ARGS(p->units[p->unit_count - 1].id), RV_STR_ARGS(missing), RV_STR_ARGS(p->name));
	return rv_hint(err, "run the whole plan, or --only %.*s first", RV_STR_ARGS(missing));
}

void cli_only_release(struct cli_only *o)
{
	free(o->given);
	rv_buf_release(&o->bytes);
	memset(o, 0, sizeof *o);
}
