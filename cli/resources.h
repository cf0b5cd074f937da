/* resources.h - --resource of `run` and `node`: how much of a thing, or which ones
 *
 *	memory_mb=8000      an amount
 *	licences=3          three, known as 0, 1, 2
 *	gpus=[0,2,GPU-5a]   these three
 *
 * Units hold countable ones by name (node/holdings.h). Without it NVIDIA GPUs are found, and memory_mb is what the machine has.
 */
#ifndef CLI_RESOURCES_H
#define CLI_RESOURCES_H

#include "cli/settings.h"
#include "common/opts.h"

/* Fills s->resources and s->resource_names. RV_E_USAGE, RV_E_LIMIT, RV_E_CONFLICT (more
 * GPUs than CUDA_VISIBLE_DEVICES shows). */
int cli_resources_set(const struct rv_opt_list *words, uint64_t memory_bytes, struct cli_settings *s, struct rv_err *err);

/* "KEY=VALUE" of --`option`; -1: no "=", or no name before it. */
int cli_split_pair(const char *option, const char *text, struct rv_str *key, struct rv_str *value, struct rv_err *err);

#endif
