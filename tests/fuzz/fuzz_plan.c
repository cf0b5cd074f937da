/* fuzz_plan.c - any bytes as a plan, in each format: refused with a place, or a plan in which the promises of plan.h hold */
#include "common/check.h"
#include "common/limits.h"
#include "common/plan/diag.h"
#include "common/plan/levels.h"
#include "common/plan/plan.h"
#include "common/plan/template.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 does not give back what it grew to put a quoted scalar of many pieces together (fy_atom_iter_grow_chunk): 4 KiB a time. That we
 * give back all that it gives us is for the unit tests under the same sanitizer. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so\n";
}

struct memory {
	const uint8_t *at;
	size_t left;
};

static long read_memory(void *arg, void *to, size_t room)
{
	struct memory *m = arg;
	size_t n = m->left < room ? m->left : room;

	memcpy(to, m->at, n);
	m->at += n;
	m->left -= n;
	return (long)n;
}

static void check_unit(const struct plan *p, const struct plan_unit *u)
{
	char id[RV_UNIT_ID_BYTES_MAX + 1], number[24];
	uint32_t i, count = plan_unit_instances(u);

	rv_check(u->settings && u->settings->index < p->settings_count);
	rv_check(p->settings[u->settings->index] == u->settings);
	rv_check(u->settings->agent == PLAN_NONE || u->settings->agent < p->agent_count);
	rv_check(!!u->command == (u->settings->profile == PLAN_PROFILE_COMMAND));
	rv_check(u->settings->agent_unit || u->settings->slots >= 1);
	for (i = 0; i < u->dep_count; i++)
		rv_check(u->deps[i] < p->unit_count && &p->units[u->deps[i]] != u);
	for (i = 0; i < count && i < 50; i++) {
		rv_check(plan_instance_id(u, i, id) > 0);
		(void)plan_instance_item(u, i, number);
	}
	for (i = 0; i < u->settings->lock_count; i++)
		rv_check(u->settings->locks[i] < p->lock_count);
	rv_check(u->id.at[u->id.bytes] == '\0' && u->prompt.at && u->context.at && u->extra.at);
}

static void check_plan(const struct plan *p)
{
	struct plan_levels v;
	uint32_t i;

	rv_check(p->instance_count <= RV_UNITS_MAX);
	rv_check(p->edge_count <= RV_EDGES_MAX);
	for (i = 0; i < p->unit_count; i++)
		check_unit(p, &p->units[i]);
	if (plan_levels_init(&v, p, NULL) == 0)
		plan_levels_release(&v);
}

static void look(struct plan_diags *d, struct plan *p, int rc)
{
	struct rv_buf b;
	uint32_t i;

	rv_check((rc == 0) == (p != NULL));
	rv_check(rc == 0 || d->error_count > 0);
	for (i = 0; i < d->error_count; i++)
		rv_check(d->error[i].code < PLAN_FIRST_WARNING && d->error[i].message);
	rv_buf_init(&b, 0);
	(void)plan_diags_text(d, &b);
	(void)plan_diags_json(d, &b);
	rv_buf_release(&b);
	if (p)
		check_plan(p);
	plan_destroy(&p);
	plan_diags_release(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plan_load_options opt = { .dir = "/nonexistent" };
	struct plan_diags d;
	struct plan *p = NULL;
	struct rv_err err;
	enum plan_format format;
	struct memory m;
	struct rv_buf b;
	int rc;

	for (format = PLAN_FORMAT_AUTO; format <= PLAN_FORMAT_YAML; format++) {
		plan_diags_init(&d);
		opt.mock = size % 7 == 0 ? PLAN_MOCK_ALL : PLAN_MOCK_OFF;
		rc = plan_load_bytes(rv_str((const char *)data, size), format, &opt, &p, &d, &err);
		look(&d, p, rc);
		p = NULL;
	}
	m = (struct memory){ data, size };
	plan_diags_init(&d);
	rc = plan_load_lines(read_memory, &m, &opt, &p, &d, &err);
	look(&d, p, rc);

	if (size > 2) {
		size_t half = data[0] % size;
		struct plan_scope scope = { .layer = { rv_str((const char *)data, half) }, .item = rv_str((const char *)data + half, size - half) };

		rv_buf_init(&b, 1 << 20);
		(void)plan_template_fill(rv_str((const char *)data + half, size - half), &scope, NULL, &b, &err);
		rv_buf_release(&b);
	}
	return 0;
}
