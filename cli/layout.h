/* layout.h - what lies where in a state directory of `run`
 *
 *	.reeve/                    0711; --state DIR stands in its place
 *	  .gitignore               "*"
 *	  estimates/               learned running times, shared by all runs
 *	  live/RUN                   a mark while that run lives
 *	  nodes/NAME/                of `reeve node` of that name (node/serve.h)
 *	  runs/RUN/                a complete coordinator state directory
 *	    journal.db, lock       the facts, and who owns them       coordinator/journal
 *	    blobs/                 plan, outputs, artifacts, log tails, of coordinator and node alike
 *	    node/                  exit records, segmented output log node/daemon, node/warden
 *	    hook/                  of --on-event: the event that is being told, what its warden keeps
 *	    units/UNIT/ATTEMPT/    namespaces of units that have one
 *	    settings.json          what the run was started with: slots, kill level, durability ...
 *	    summary.json, .md      written when the run ends
 */
#ifndef CLI_LAYOUT_H
#define CLI_LAYOUT_H

#define CLI_DIR_STATE ".reeve"
#define CLI_DIR_RUNS "runs"
#define CLI_DIR_NODES "nodes"
#define CLI_DIR_LIVE "live"
#define CLI_DIR_KEYS "keys" /* of a coordinator that listens */
#define CLI_DIR_BLOBS "blobs"
#define CLI_DIR_NODE "node"
#define CLI_DIR_UNITS "units"
#define CLI_DIR_HOOK "hook"
#define CLI_DIR_ESTIMATES "estimates"
#define CLI_FILE_JOURNAL "journal.db"
#define CLI_FILE_LOCK "lock"
#define CLI_FILE_SETTINGS "settings.json"
#define CLI_FILE_SUMMARY_JSON "summary.json"
#define CLI_FILE_SUMMARY_MD "summary.md"

#endif
