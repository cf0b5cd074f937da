/* limits.h - every bound of reeve, named once
 *
 * What does not fit is refused with a reason, before anything has changed. A test walks each of these.
 */
#ifndef RV_LIMITS_H
#define RV_LIMITS_H

#include <stdint.h>

/* Plan files (docs/plan.md). */
#define RV_PLAN_FILE_BYTES_MAX ((size_t)64 << 20)
#define RV_PLAN_DEPTH_MAX 32u
#define RV_PLAN_VALUES_MAX 5000000u
#define RV_PLAN_DIAGS_MAX 20u
#define RV_PLAN_LINE_BYTES_MAX ((size_t)8 << 20) /* one line of JSON lines that a person gives */
#define RV_DESCRIPTION_CHARS_MAX 4096u
#define RV_PROMPT_BYTES_MAX ((size_t)1 << 20)
#define RV_PREAMBLE_BYTES_MAX ((size_t)64 << 10)
#define RV_CONTEXT_BYTES_MAX ((size_t)64 << 20)
#define RV_ARGV_BYTES_MAX ((size_t)1536 << 10) /* of one command, NULs included: below the kernel's 2 MiB with room for env */
#define RV_ARG_BYTES_MAX ((size_t)128 << 10)   /* one argument or variable: the kernel's MAX_ARG_STRLEN */
#define RV_FOR_EACH_ITEMS_MAX 1000000u
#define RV_FOR_EACH_COUNT_MAX 1000000u

/* Runs. */
#define RV_UNITS_MAX 1000000u
#define RV_EDGES_MAX 10000000u
#define RV_RUNS_LIVE_MAX 1024u
#define RV_WORKERS_MAX 65536u
#define RV_CLASSES_MAX 65536u  /* placement classes of a run */
#define RV_AGENTS_MAX 256u     /* of a plan */
#define RV_LOCKS_MAX 1024u     /* named locks of a plan */
#define RV_LABELS_MAX 64u      /* of a unit or a node */
#define RV_NODE_AGENTS_MAX 16u /* programs of agents that a node says it has */
#define RV_RESOURCES_MAX 16u   /* kinds of resource a plan or node names */
#define RV_DIRS_MAX 64u        /* allowed_directories of a unit */
#define RV_RETRY_MAX 1000u
#define RV_UNIT_ID_BYTES_MAX 128u
#define RV_NAME_BYTES_MAX 64u

/* Nodes. */
#define RV_NODES_MAX 16384u
#define RV_SLOTS_MAX 65536u    /* of one node */
#define RV_PREFETCH_MAX 4096u
#define RV_ATTEMPTS_LIVE_MAX 262144u

/* Messages. */
#define RV_FRAME_BYTES_MAX ((size_t)1 << 20)
#define RV_FRAME_DEPTH_MAX 8u
#define RV_FRAME_VALUES_MAX 262144u
#define RV_HELLO_HELD_MAX 1024u    /* attempts that one page of HELLO lists */
#define RV_INLINE_BYTES_MAX 4096u          /* larger values travel as blobs */
#define RV_BLOB_CHUNK_BYTES ((size_t)256 << 10)

/* Links and keys. */
#define RV_LINK_FRAMES_MAX 256u        /* queued a peer and direction */
#define RV_LINK_UNFINISHED_BYTES_MAX ((uint64_t)32 << 20) /* that may come by a tcp connection without one whole message */
#define RV_LINK_HANDSHAKE_MS 10000u    /* a connection that has not shaken hands by then is closed */
#define RV_LINK_CONNECT_MS 5000u       /* an attempt to connect that has no answer by then is made anew */
#define RV_LINK_BACKLOG 512            /* connections that the kernel holds ready */
#define RV_LINK_BEAT_MS 10000u         /* libzmq's own pings: a dead peer's connection goes after RV_LINK_SILENT_MS */
#define RV_LINK_SILENT_MS 30000u
#define RV_LINK_DESCRIPTORS_KEPT 1024u /* of RLIMIT_NOFILE: never taken by connections */
#define RV_KEYS_MAX 20000u             /* admitted: nodes and operators */
#define RV_KEYS_REVOKED_MAX 1024u      /* kept to be shown; the oldest go first */
#define RV_TOKENS_MAX 1024u            /* not yet ended */
#define RV_TOKENS_ENDED_MAX 256u       /* kept to be shown */
#define RV_TOKEN_TTL_US_MIN 1000000u
#define RV_TOKEN_USES_MAX 20000u
#define RV_TOKEN_TTL_US_MAX (366ull * 86400u * 1000000u)

/* Clients of a coordinator. */
#define RV_RUNS_ENDED_KEPT 64u               /* ended runs that stay in the coordinator's memory; the others are in the journal */
#define RV_UNITS_ENDED_KEPT 1000000u         /* ... and their units, but for the newest's */
#define RV_UPLOADS_MAX 16u                   /* plans that are being handed over at once */
#define RV_UPLOAD_BYTES_MAX ((uint64_t)4 << 30)
#define RV_UPLOAD_LINE_BYTES_MAX ((size_t)128 << 20) /* a line of a plan as a client writes it: a context, resolved */
#define RV_UPLOAD_IDLE_US 600000000u         /* nothing came for so long: the upload is dropped */
#define RV_UPLOAD_STALLED_US 10000000u       /* ... or, once nothing came for so long, where another wants its place */
#define RV_CLIENT_WAITING_MAX 4096u          /* requests that are kept until there is something */
#define RV_CLIENT_WAITING_PEER_MAX 16u       /* ... of one peer */
#define RV_REMOTE_OPERATORS 4096u            /* connections of operators whose key is looked up before something is sent */
#define RV_CLIENT_NOTES_KEPT 65536u          /* live notes that can still be asked for */
#define RV_CLIENT_SCAN_BYTES ((size_t)1 << 20) /* of journal rows that one FACTS looks through */
#define RV_CLIENT_ANSWER_BYTES ((size_t)8 << 20) /* to one peer in one turn of the loop */
#define RV_CLIENT_LOGS_MAX 256u              /* pieces of logs asked of nodes at once */
#define RV_CLIENT_LOG_US 10000000u           /* a node that has not answered by then has no log */
#define RV_RESULTS_WAITING_MAX 4096u         /* results that wait for their blobs, of one node */
#define RV_RESULTS_WAITING_BYTES ((size_t)64 << 20) /* ... of all nodes; what is more comes again */

/* Output. */
#define RV_OUTPUT_DEP_BYTES_MAX ((size_t)256 << 10) /* of an output that travels as _dep_ID */
#define RV_HANDED_FILES_MAX 16384u                 /* artifacts of dependencies that an attempt is handed from other nodes */
#define RV_HANDED_BYTES_MAX ((uint64_t)1 << 30)    /* ... together */
#define RV_HANDED_LISTS_BYTES_MAX ((size_t)16 << 20) /* ... their names, sizes and digests, encoded */
#define RV_LOG_TAIL_BYTES ((size_t)64 << 10)
#define RV_LOG_MAX_MB_DEFAULT 50u

/* Time, in microseconds. */
#define RV_GRACE_US_DEFAULT 2000000u
#define RV_GRACE_US_MAX 300000000u
#define RV_DRAIN_US_MAX (UINT64_C(30) * 86400 * 1000000) /* a drained node's deadline */
/* So long may a result that nothing waits for wait for company at a node that has more to do (node/core/outbox.c); as much more is sent
 * ahead. Longer gains nothing that can be measured: at a millisecond a unit ten results share what it takes to settle one. */
#define RV_GATHER_US 10000u
#define RV_LOST_AFTER_US_COMMAND 60000000u
#define RV_LOST_AFTER_US_AGENT 600000000u

#endif
