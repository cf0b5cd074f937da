/* settings.h - what a run was started with, kept beside its journal: settings.json
 *
 * Shown in results, and read again by `retry` on an ended run, which goes on in the same places with the same room. Secrets are no
 * settings: the environment is the caller's of the moment.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "common/buf.h"
#include "common/err.h"
#include "common/limits.h"

#include <limits.h>

#define CLI_SETTINGS_PAIRS_MAX 64u
#define CLI_NAMES_BYTES_MAX 1024u /* of the pieces of one resource, joined */

struct cli_settings_pair {
	char key[72];
	char value[136];
	uint64_t amount; /* of a resource, thousandths */
};

struct cli_settings {
	char plan[PATH_MAX];       /* the file, as given; "-": standard input */
	char plan_dir[PATH_MAX];
	char workspace[PATH_MAX];
	char namespace_root[PATH_MAX]; /* namespaces lie in NAMESPACE_ROOT/runs/RUN/units/UNIT/ATTEMPT */
	char mode[16];             /* shared, none */
	char durability[16];       /* process, power */
	char only[160];            /* the unit of --only; "" = all */
	char mock[8];              /* --mock: "all" or "agents"; "" = not said */
	char kill_level[16];       /* how processes of a unit are held together; "" until the warden has said so */
	uint64_t slots, agent_slots;
	char pass_env[CLI_SETTINGS_PAIRS_MAX][128];
	uint32_t pass_env_count;
	struct cli_settings_pair labels[CLI_SETTINGS_PAIRS_MAX], resources[CLI_SETTINGS_PAIRS_MAX];
	char resource_names[RV_RESOURCES_MAX][CLI_NAMES_BYTES_MAX]; /* of each resource: "0,2,GPU-5a"; "": by number */
	uint32_t label_count, resource_count;
};

void cli_settings_json(const struct cli_settings *s, struct rv_buf *out);
int cli_settings_write(const struct cli_settings *s, const char *run_dir, struct rv_err *err);
/* RV_E_NOT_FOUND: the run died before it wrote them; RV_E_CORRUPT. */
int cli_settings_read(struct cli_settings *s, const char *run_dir, struct rv_err *err);

#endif
