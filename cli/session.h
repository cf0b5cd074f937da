/* session.h - one `run` in this process, from an accepted plan to its result
 *
 * Makes or finds the run's directory, joins both shells (host.h), watches (live.h), answers and gives the exit status. `run`, `run
 * --resume` and `retry` on an ended run come here.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/live.h"
#include "cli/settings.h"
#include "common/id.h"
#include "common/plan/plan.h"
#include "node/agents/found.h"
#include "node/daemon.h"
#include "node/warden/client.h"

struct cli_hook;

/* An output that a unit is to be found with although it does not run here (--only). */
struct cli_given_output {
	uint32_t unit; /* in the graph */
	struct rv_str bytes;
	bool is_json;
};

struct cli_session_config {
	const char *state;               /* --state; NULL: .reeve here */
	const char *agents_mocked;       /* the plan as it was named, where --mock=agents was said; else NULL */
	enum cli_format format;
	enum cli_show show;
	const char *events, *joblog;     /* files, or NULL */
	struct cli_settings settings;
	struct plan *plan;               /* taken */
	const struct rv_run_id *go_on;   /* an earlier run to go on with; NULL: a new one */
	uint32_t retry_unit;             /* go_on: one more try for this unit; COORD_NONE: everything that did not succeed */
	struct rv_str retry_note, retry_prompt, retry_agent; /* that go with it; "" = none */
	const struct cli_given_output *given;
	uint32_t given_count;
	struct cli_hook *hook;           /* --on-event, or NULL; borrowed, created; ended by the session */
	struct warden_client *warden;    /* borrowed, connected; closed by the session once nothing runs */
};

int cli_session_run(struct cli_session_config *cfg);

/* This machine as a node, from settings; texts are borrowed from them. */
struct cli_machine {
	struct node_daemon_config node;
	struct proto_label labels[CLI_SETTINGS_PAIRS_MAX];
	struct proto_named_amount resources[CLI_SETTINGS_PAIRS_MAX];
	struct rv_str resource_names[CLI_SETTINGS_PAIRS_MAX];
	const char *pass_env[CLI_SETTINGS_PAIRS_MAX];
	char name[65];
	struct node_found_all found;
};

void cli_machine_init(struct cli_machine *m, const struct cli_settings *s);

#endif
