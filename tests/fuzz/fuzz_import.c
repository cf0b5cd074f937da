/* fuzz_import.c - any bytes as another tool's file: refused with a place, or a plan that is refused for nothing an importer can know
 *
 * The first byte chooses the format and the options.
 */
#include "common/check.h"
#include "common/plan/diag.h"
#include "common/plan/import.h"
#include "common/plan/plan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What only `check` knows of: whose directories overlap or are reserved, and how deep and large a plan may be. */
static bool is_excused(enum plan_code code)
{
	return code == PLAN_E_DIR_OVERLAP || code == PLAN_E_DIR_RESERVED || code == PLAN_E_LIMIT;
}

static void check_plan(struct rv_str text)
{
	struct plan_load_options opt = { .dir = "/nonexistent" };
	struct plan_diags d;
	struct plan *p = NULL;
	struct rv_err err;
	uint32_t i;

	plan_diags_init(&d);
	if (plan_load_bytes(text, PLAN_FORMAT_JSON, &opt, &p, &d, &err))
		for (i = 0; i < d.error_count; i++)
			rv_check(is_excused(d.error[i].code));
	plan_destroy(&p);
	plan_diags_release(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static plan_import_fn *const formats[] = { plan_import_dag, plan_import_wfformat, plan_import_ralph, plan_import_agentos };
	struct plan_import how = { .name = "file.json", .scale = 1 };
	struct rv_err err = { 0 };
	struct rv_buf out;
	char *text;

	if (!size)
		return 0;
	how.scaled = data[0] & 4;
	how.max_cores = data[0] & 8 ? 3 : 0;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	rv_buf_init(&out, 0);
	if (formats[data[0] & 3](rv_str(text, size - 1), &how, &out, &err) == 0)
		check_plan(rv_buf_str(&out));
	else
		rv_check(err.code == RV_E_LIMIT || (err.code == RV_E_PLAN && strncmp(err.msg, "file.json:", 10) == 0));
	rv_buf_release(&out);
	free(text);
	return 0;
}
