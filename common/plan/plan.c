/* plan.c - the plan handed out: words of its enums, finding units, giving it back */
#include "plan.h"

#include <stdlib.h>

#define NAMES(function, type, ...)                                                                 \
	const char *function(enum type v)                                                          \
	{                                                                                          \
		static const char *const name[] = { __VA_ARGS__ };                                 \
		return (size_t)v < RV_ARRAY_LEN(name) ? name[v] : "?";                             \
	}

NAMES(plan_on_failure_name, plan_on_failure, [PLAN_ISOLATE] = "isolate", [PLAN_FAIL_FAST] = "fail_fast",
      [PLAN_FINISH] = "finish")
NAMES(plan_order_name, plan_order, [PLAN_ORDER_CRITICAL_PATH] = "critical_path", [PLAN_ORDER_ID] = "id")
NAMES(plan_placement_name, plan_placement, [PLAN_LEAST_BUSY] = "least_busy", [PLAN_ROUND_ROBIN] = "round_robin",
      [PLAN_PACK] = "pack")
NAMES(plan_keep_logs_name, plan_keep_logs, [PLAN_LOGS_FAILED] = "failed", [PLAN_LOGS_NODE] = "node",
      [PLAN_LOGS_ALL] = "all")
NAMES(plan_mode_name, plan_mode, [PLAN_MODE_NONE] = "none", [PLAN_MODE_SHARED] = "shared")
NAMES(plan_overlap_name, plan_overlap, [PLAN_OVERLAP_ORDERED] = "ordered", [PLAN_OVERLAP_STRICT] = "strict",
      [PLAN_OVERLAP_SERIALIZE] = "serialize", [PLAN_OVERLAP_ALLOW] = "allow")
NAMES(plan_profile_name, plan_profile, [PLAN_PROFILE_COMMAND] = "command", [PLAN_PROFILE_MOCK] = "mock",
      [PLAN_PROFILE_NOOP] = "noop", [PLAN_PROFILE_CLAUDE] = "claude", [PLAN_PROFILE_CODEX] = "codex")
NAMES(plan_trigger_name, plan_trigger, [PLAN_ALL_SUCCESS] = "all_success", [PLAN_ALL_DONE] = "all_done",
      [PLAN_ALL_DONE_MIN_ONE_SUCCESS] = "all_done_min_one_success")
NAMES(plan_evidence_name, plan_evidence, [PLAN_EVIDENCE_EXIT] = "exit",
      [PLAN_EVIDENCE_ARTIFACT_AND_EXIT] = "artifact_and_exit", [PLAN_EVIDENCE_ARTIFACT] = "artifact")

bool plan_env_is_ralph(struct rv_str name)
{
	static const char *const names[] = {
		"RALPH_MCP_ENDPOINT", "RALPH_WORKER_ID", "RALPH_WORKER_NAMESPACE", "RALPH_WORKER_ARTIFACT_DIR", "RALPH_PARALLEL_WORKER_MANIFEST",
		"RALPH_AGENT_LABEL_SCOPE",
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(names); i++)
		if (rv_str_equal(name, rv_str_of(names[i])))
			return true;
	return false;
}

uint32_t plan_find_unit(const struct plan *p, struct rv_str id)
{
	uint32_t i;

	for (i = 0; i < p->unit_count; i++) {
		if (rv_str_equal(p->units[i].id, id))
			return i;
	}
	return PLAN_NONE;
}

void plan_destroy(struct plan **plan)
{
	struct plan *p = *plan;

	if (!p)
		return;
	rv_arena_release(&p->arena);
	free(p->units);
	free(p);
	*plan = NULL;
}
