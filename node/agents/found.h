/* found.h - which agents with a profile are on this machine, in which version, logged in or not
 *
 * A node says so when it joins, and gets only units whose agents it has; `run` refuses a plan before anything starts; `doctor` tells people.
 */
#ifndef NODE_FOUND_H
#define NODE_FOUND_H

#include "node/agents/profile.h"
#include "node/daemon.h"

#include <limits.h>

#define NODE_FOUND_MAX 8u
#define NODE_FOUND_WAIT_US 5000000u   /* for all programs to say their version */
#define NODE_FOUND_VERSION_BYTES 48u

struct node_found {
	const struct node_profile *profile;
	char path[PATH_MAX];
	char version[NODE_FOUND_VERSION_BYTES]; /* "" = not asked, or it did not say */
};

struct node_found_all {
	uint32_t count;
	struct node_found item[NODE_FOUND_MAX];
	struct proto_label label[NODE_FOUND_MAX]; /* for node_daemon_config.found; borrows from `item` */
};

/* Where the profile's program is: where `cfg` says, else in the PATH of its environment. False: nowhere, or it cannot be executed. */
bool node_found_program(const struct node_daemon_config *cfg, const struct node_profile *p, char path[PATH_MAX]);

/* Finds all of them. */
void node_found_look(const struct node_daemon_config *cfg, struct node_found_all *all);
/* Asks each for its version, side by side; waits NODE_FOUND_WAIT_US at most and ends what has not answered. Forks: not with threads. */
void node_found_ask(struct node_found_all *all);

enum node_login { NODE_LOGIN_NONE, NODE_LOGIN_KEY, NODE_LOGIN_FILE };
/* Whether the agent could log in by what is there: a key in the environment (*by: its name), or the file that a login leaves (*by: below which
 * home). Whether the key is any good only its provider knows. */
enum node_login node_found_login(const struct node_daemon_config *cfg, const struct node_profile *p, char by[PATH_MAX]);

#endif
