/* profile.h - the agents that reeve knows how to start: what each is called, how it is launched, how its words are read
 *
 * Data, not code: a new agent is a row here, a transcript format (transcript.h) and a line in docs/agents.md.
 */
#ifndef NODE_PROFILE_H
#define NODE_PROFILE_H

#include "node/agents/transcript.h"
#include "proto/spec.h"

#define NODE_PROFILE_ARGS_MAX 16u
#define NODE_PROFILE_NAMES_MAX 24u

/* Stands in an argument list for a value of the unit; the argument before it goes, too, where there is none. */
#define NODE_ARG_MODEL "{model}"
#define NODE_ARG_BUDGET_USD "{budget_usd}"     /* what limits of cost leave, in dollars */
#define NODE_ARG_WRITABLE "{writable_roots}"   /* TOML list of its namespace and allowed_directories */

struct node_profile {
	const char *name;                            /* in plans; also of the program, unless `--agent NAME=PATH` says otherwise */
	enum proto_agent_kind kind;
	enum transcript_format format;
	bool tells_cost;
	const char *args[NODE_PROFILE_ARGS_MAX];     /* behind the program; the prompt comes on stdin. NULL at the end */
	const char *set[4];                          /* "NAME=value" for its environment, unless it is there; NULL at the end */
	const char *root_set;                        /* the same, when run as root; NULL: none */
	const char *pass[NODE_PROFILE_NAMES_MAX];    /* names of our environment that it needs besides what agent units get; NULL at the end */
	const char *keys[6];                         /* names of it that hold keys: they pass, with one warning; NULL at the end */
	const char *login_dir, *login_file;          /* HOME/DIR/FILE is there once somebody has logged in */
	const char *config_home;                     /* variable that stands for HOME/DIR; NULL: none */
	const char *version_arg;                     /* prints its version */
	const char *login_hint;                      /* how one logs in */
	const char *install_hint;
};

/* NULL: the kind has no profile (command, mock, noop). */
const struct node_profile *node_profile_of(enum proto_agent_kind kind);
const struct node_profile *node_profile_named(struct rv_str name);
/* All of them, NULL behind the last. */
const struct node_profile *node_profile_at(uint32_t i);

struct node_daemon_config;
/* What is started: the path that the node was given for it, else its name. */
struct rv_str node_profile_program(const struct node_daemon_config *cfg, const struct node_profile *p);

#endif
