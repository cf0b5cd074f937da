<<<<<<< HEAD
/* settings.h - what a run was started with: RUN/settings.json
 *
 * Shown in results, and enough to go on with an ended run (`retry`) without its command line: the node's capacity, labels
 * and resources, and where units run.
=======
/* settings.h - what a run was started with, kept beside its journal: settings.json
 *
 * Shown in results, and read again by `retry` on an ended run, which goes on in the same places with the same room. Secrets are no
 * settings: the environment is the caller's of the moment.
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "common/buf.h"
#include "common/err.h"
<<<<<<< HEAD
#include "node/daemon.h"

#include <limits.h>

struct plan;

/* A JSON object. */
void cli_settings_json(const struct plan *p, const struct node_daemon_config *n, const char *durability, struct rv_buf *out);
/* Adds what is known only later: how the processes of a unit are held together. */
void cli_settings_add_level(struct rv_buf *json, struct rv_str kill_level);
int cli_settings_write(const char *run_dir, struct rv_str json, struct rv_err *err);

/* Read back. Texts borrow from `room`, a parsed document that cli_settings_release() gives back. */
struct cli_settings {
	void *room;
	char workspace[PATH_MAX], plan_dir[PATH_MAX], namespace_root[PATH_MAX];
	const char *durability;
	uint64_t slots, agent_slots;
	struct proto_label labels[RV_LABELS_MAX];
	uint32_t label_count;
	struct proto_named_amount resources[RV_RESOURCES_MAX]; /* thousandths */
	uint32_t resource_count;
	const char *pass_env[RV_LABELS_MAX];
	uint32_t pass_env_count;
};

int cli_settings_read(struct rv_str json, struct cli_settings *out, struct rv_err *err);
void cli_settings_release(struct cli_settings *s);
=======

#include <limits.h>

#define CLI_SETTINGS_PAIRS_MAX 64u

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
	uint64_t slots, agent_slots;
	struct cli_settings_pair labels[CLI_SETTINGS_PAIRS_MAX], resources[CLI_SETTINGS_PAIRS_MAX];
	uint32_t label_count, resource_count;
};

void cli_settings_json(const struct cli_settings *s, struct rv_buf *out);
int cli_settings_write(const struct cli_settings *s, const char *run_dir, struct rv_err *err);
/* RV_E_NOT_FOUND: the run died before it wrote them; RV_E_CORRUPT. */
int cli_settings_read(struct cli_settings *s, const char *run_dir, struct rv_err *err);
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)

#endif
