/* preamble.h - what an agent is told before its prompt: reeve's rules in a few lines
 *
 * What it may write, what units before it handed over and where that lies, how it hands in files and its output, which command it has to
 * satisfy, what earlier tries left. Pure text; `reeve check --show-prompt` prints it, too, with names in place of paths.
 */
#ifndef NODE_PREAMBLE_H
#define NODE_PREAMBLE_H

#include "common/buf.h"
#include "proto/spec.h"

struct node_preamble {
	struct rv_str unit_id, description;
	struct rv_str dirs;             /* joined by ":"; "": none */
	bool has_dirs;                  /* allowed_directories is there, maybe empty */
	const struct rv_str *deps;      /* ids of the units before it that handed something over */
	uint32_t dep_count;
	struct rv_str context_file, artifacts, deps_dir; /* paths; deps_dir "": no dependency has left files */
	bool wants_artifact;            /* its evidence asks for one */
	const struct rv_str *globs;     /* that each must match one */
	uint32_t glob_count;
	bool wants_json;                /* output: json */
	const struct rv_str *accept;    /* filled; count 0: none */
	uint32_t accept_count;
	uint32_t try_number;
	bool has_prev;                  /* an earlier try left word in the context file */
	struct rv_str note;             /* of a person; "" = none */
};

#define NODE_PREAMBLE_DEPS_SHOWN 20u

int node_preamble_put(const struct node_preamble *p, struct rv_buf *out);

#endif
