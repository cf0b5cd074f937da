/* settings.h - what a run was started with: RUN/settings.json
 *
 * Shown in results, and enough to go on with an ended run (`retry`) without its command line: the node's capacity, labels
 * and resources, and where units run.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "common/buf.h"
#include "common/err.h"
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

#endif
