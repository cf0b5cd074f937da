/* channel.h - what the node daemon and the warden say to each other
 *
 * A SOCK_STREAM socketpair carries frames both ways: u32 length of what follows, u8 type, payload; all integers little
 * endian. Frames may follow each other in one write: that is the whole of batching. The channel is trusted (both ends
 * are ours), yet each side bounds and checks what it reads: a bad frame ends the channel, never the process.
 *
 * The daemon speaks first (CONFIG); the warden answers HELLO with its version and what it can do. Then any order:
 *
 *   daemon -> warden                                  answered by
 *   CONFIG     slots, state directory, limits         HELLO, then one EXITED per record nobody has forgotten yet
 *   ENV_BASE   id, environment shared by many units   -
 *   SPAWN      key, cookie, argv ...                  (STARTED,) EXITED; a known key: STARTED or EXITED again, if so
 *   RETRACT    key, if it has not started             RETRACTED | ALREADY_STARTED | UNKNOWN_KEY
 *   KILL       key, grace (0: KILL now; RV_NEVER: the unit's own; again with less: less)   EXITED | UNKNOWN_KEY
 *   KILL_ALL   grace as for KILL; queued ones as well EXITED each
 *   FREEZE, THAW  key                                 FROZEN, THAWED | UNKNOWN_KEY
 *   OUTPUT_CREDIT  key, bytes more that may be shown  OUTPUT ...
 *   TABLE      -                                      TABLE_ENTRY each that has not ended, TABLE_END
 *   FORGET     keys whose EXITED is safe elsewhere    - (their records are reused)
 *   SLOTS      slots, agent slots                     -
 *   SHUTDOWN   grace: kill all, then end              EXITED each, end of file
 *
 * The warden keeps the queue: SPAWN is not an order to start now but "when there is room", first come first served; a
 * smaller one may overtake a wide one that does not fit yet, a bounded number of times. EXITED frames gather while the
 * queue is not empty (at most WARDEN_BATCH_US) and leave at once when it is. A unit that ended before its STARTED left
 * has only an EXITED (all of STARTED's fields are in it).
 *
 * CONFIG may come again, as it does from every daemon that takes over from another: slots and limits are then the new ones,
 * state directory, kill level and label stay. A HELLO with `trouble` refuses one that asks for another state directory or level, or comes
 * while the warden ends: nothing has changed then.
 *
 * The first CONFIG ends what an earlier warden left in the state directory, and that warden if it still lives (client.h, warden_reap_orphans());
 * if that fails, HELLO says so and nothing starts.
 *
 * End of file from the daemon: what has ended is reaped and recorded, then everything is killed (TERM, grace, KILL),
 * recorded as killed, and the warden ends.
 */
#ifndef WARDEN_CHANNEL_H
#define WARDEN_CHANNEL_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

#define WARDEN_VERSION 2u /* 2: HELLO has a label, CONFIG may come again */
#define WARDEN_FRAME_BYTES_MAX ((size_t)4 << 20) /* argv 1.5 MiB + environment 2 MiB */
#define WARDEN_FRAME_HEAD_BYTES 5u
#define WARDEN_COOKIE_BYTES_MAX 1024u
#define WARDEN_LABEL_BYTES_MAX 96u
#define WARDEN_TAIL_BYTES_MAX 4096u   /* of stdout and stderr that travel inside EXITED */
#define WARDEN_BATCH_US 2000u
#define WARDEN_UNKILLABLE_US 30000000u
#define WARDEN_ENV_BASES_MAX 64u
#define WARDEN_KEEP UINT32_MAX        /* uid, gid, umask: as the warden's own */

enum warden_msg {
	WARDEN_NONE = 0,
	/* daemon -> warden */
	WARDEN_CONFIG,
	WARDEN_ENV_BASE,
	WARDEN_SPAWN,
	WARDEN_RETRACT,
	WARDEN_KILL,
	WARDEN_KILL_ALL,
	WARDEN_FREEZE,
	WARDEN_THAW,
	WARDEN_OUTPUT_CREDIT,
	WARDEN_TABLE,
	WARDEN_FORGET,
	WARDEN_SLOTS,
	WARDEN_SHUTDOWN,
	/* warden -> daemon */
	WARDEN_HELLO = 64,
	WARDEN_STARTED,
	WARDEN_EXITED,
	WARDEN_RETRACTED,
	WARDEN_ALREADY_STARTED,
	WARDEN_UNKNOWN_KEY,
	WARDEN_FROZEN,
	WARDEN_THAWED,
	WARDEN_OUTPUT,
	WARDEN_TABLE_ENTRY,
	WARDEN_TABLE_END,
	WARDEN_TREE_GONE, /* the tree of an `unkillable` attempt is empty at last; its slot is free again */
};

/* How the processes of a unit are held together, strongest first. */
enum warden_level {
	WARDEN_LEVEL_NONE = 0,  /* CONFIG: let the warden choose the strongest there is */
	WARDEN_LEVEL_CGROUP,    /* a cgroup of the v2 hierarchy per running unit */
	WARDEN_LEVEL_PIDNS,     /* a PID namespace with an init of ours per running unit */
	WARDEN_LEVEL_SUBREAPER, /* strays found by ancestry, session and REEVE_SESSION_ID */
};

/* "cgroup", "pidns", "subreaper", "none"; and back (WARDEN_LEVEL_NONE: no such word). */
const char *warden_level_name(enum warden_level level);
enum warden_level warden_level_of(const char *name);

/* Strings one after another, each with its NUL; `count` of them. */
struct warden_strv {
	uint32_t count;
	struct rv_str bytes;
};

/* Appends one string (without NULs inside; -1 if it has one) and its NUL to `bytes`, counting it. */
int warden_strv_add(struct rv_buf *bytes, uint32_t *count, struct rv_str s);
/* Walks: `*at` starts at 0; the next string (NUL-terminated), or NULL at the end. */
const char *warden_strv_next(const struct warden_strv *v, size_t *at);

struct warden_config {
	uint32_t version;              /* filled by the encoder */
	uint32_t slots;                /* 1.. */
	uint32_t agent_slots;
	enum warden_level level;       /* NONE: strongest (pidns only with the right to it); REEVE_KILL_LEVEL in the warden's environment overrides NONE */
	struct rv_str state_dir;       /* absolute, exists; records, output log and traces of trees live in it. Empty: no
	                                * exit records, no shared log (tests) */
	struct rv_str label_prefix;    /* random; a unit's REEVE_SESSION_ID begins with it */
	uint64_t segment_bytes;        /* of the shared output log; 0: 64 MiB */
	uint32_t queue_max;            /* SPAWNs held; 0: 65536 */
	uint64_t queue_bytes_max;      /* bytes of held SPAWNs; 0: 256 MiB */
	uint64_t default_grace_us;     /* for end of file; 0: RV_GRACE_US_DEFAULT */
};

struct warden_env_base {
	uint32_t id;                   /* 0..WARDEN_ENV_BASES_MAX-1; sending it again replaces it for later SPAWNs */
	struct warden_strv env;        /* "NAME=value" */
};

/* Names an attempt in the shared output log; means nothing to the warden. */
struct warden_log_id {
	uint64_t run;
	uint32_t unit;
	uint32_t attempt;
};

enum warden_output_kind {
	WARDEN_OUTPUT_LOG = 0,  /* the segmented log all units share (seglog.h) */
	WARDEN_OUTPUT_FILES,    /* stdout.log and stderr.log in logs_dir (which exists), made by the warden */
	WARDEN_OUTPUT_DISCARD,  /* kept nowhere; tail and OUTPUT frames only */
};

struct warden_spawn {
	uint64_t key;                  /* chosen by the daemon, never used twice in one state directory */
	struct rv_str cookie;          /* opaque; comes back in EXITED, TABLE_ENTRY and exit records */
	struct warden_log_id log_id;
	uint32_t slots;                /* that it takes while it runs (more than there are: as many as there are) */
	uint32_t agent_slots;
	struct warden_strv argv;       /* argv[0] with a slash: as it is; else looked up in the unit's PATH */
	uint32_t env_base;             /* id of an ENV_BASE sent before */
	struct warden_strv env_set;    /* "NAME=value" over the base */
	struct warden_strv env_unset;  /* names taken out of the base */
	struct rv_str cwd;             /* absolute; empty: the warden's */
	struct rv_str label;           /* REEVE_SESSION_ID, which the warden sets; empty: prefix-key */
	enum warden_output_kind output;
	struct rv_str logs_dir;        /* for WARDEN_OUTPUT_FILES, absolute */
	uint64_t log_bytes_max;        /* of each stream: head and tail with a marker between; 0: 50 MiB */
	uint64_t output_credit;        /* bytes of live OUTPUT wanted from the start, 0: none */
	uint64_t wall_us, idle_us, start_us; /* timeouts; 0: none. Frozen time does not count */
	uint64_t grace_us;             /* TERM to KILL; 0 is a KILL at once */
	uint64_t memory_bytes_max;     /* of the tree, polled; 0: none */
	uint64_t cpu_us_max;           /* of the tree, polled; 0: none */
	uint64_t nofile, fsize, core;  /* rlimits; 0: as they are (core: 0 stays 0 only with WARDEN_SPAWN_NO_CORE) */
	uint32_t uid, gid, umask;      /* WARDEN_KEEP: as they are. Supplementary groups go when uid is set */
	uint32_t flags;
};

#define WARDEN_SPAWN_NO_CORE 1u        /* RLIMIT_CORE 0 */
#define WARDEN_SPAWN_NO_NEW_PRIVS 2u

enum warden_why {
	WARDEN_WHY_NONE = 0,
	WARDEN_WHY_EXITED,        /* by itself, exit code or a signal not ours */
	WARDEN_WHY_TIMEOUT,       /* wall */
	WARDEN_WHY_IDLE,
	WARDEN_WHY_START,         /* no output at all within start_us */
	WARDEN_WHY_KILLED,        /* by KILL, KILL_ALL, SHUTDOWN or end of file */
	WARDEN_WHY_MEMORY,        /* over memory_bytes_max */
	WARDEN_WHY_CPU,           /* over cpu_us_max */
	WARDEN_WHY_SPAWN_FAILED,  /* never ran: see fault and sys */
	WARDEN_WHY_UNKILLABLE,    /* tree not empty 30 s after KILL: pids in detail; its slot stays taken until TREE_GONE */
};

/* Why a spawn failed: whose mistake it is decides the class (config: the first three, else environment). */
enum warden_fault {
	WARDEN_FAULT_NONE = 0,
	WARDEN_FAULT_NOT_FOUND,      /* program */
	WARDEN_FAULT_NOT_EXECUTABLE, /* EACCES, ENOEXEC, a directory, missing interpreter */
	WARDEN_FAULT_TOO_BIG,        /* argv and environment: E2BIG */
	WARDEN_FAULT_CWD,            /* working directory missing or closed to it */
	WARDEN_FAULT_OUTPUT,         /* logs_dir cannot be written, no pipe */
	WARDEN_FAULT_RESOURCES,      /* EAGAIN, ENOMEM, no descriptors */
	WARDEN_FAULT_FULL,           /* queue_max, queue_bytes_max or no room for exit records */
	WARDEN_FAULT_REQUEST,        /* SPAWN that makes no sense: no argv, unknown base, text too long */
	WARDEN_FAULT_SETUP,          /* setuid, rlimit, cgroup, namespace: detail says which step */
};

const char *warden_why_name(enum warden_why why);       /* "exited", "timeout", "idle", ... */
const char *warden_fault_name(enum warden_fault fault); /* "not_found", ... */

/* Where an attempt's output is. For LOG, seglog.h reads it by (segment, offset); for FILES it is in logs_dir. */
struct warden_output_place {
	enum warden_output_kind kind;
	uint8_t truncated;      /* 1: a marker stands for what the cap left out; 2: the disk was full */
	uint32_t segment;       /* LOG: where the first chunk is */
	uint64_t offset;
	uint64_t stdout_bytes;  /* that the unit wrote, kept or not */
	uint64_t stderr_bytes;
};

struct warden_started {
	uint64_t key;
	uint32_t pid;
	uint64_t mono_us, real_us; /* at spawn: CLOCK_MONOTONIC and CLOCK_REALTIME */
};

struct warden_exited {
	uint64_t key;
	struct rv_str cookie;
	struct warden_log_id log_id;
	enum warden_why why;
	enum warden_fault fault;     /* SPAWN_FAILED only */
	uint32_t sys;                /* errno of it */
	int32_t code;                /* exit code of the main process, -1 when a signal ended it or it never ran */
	int32_t signal;              /* else 0 */
	enum warden_level level;
	uint8_t stray_pids;          /* processes that outlived the main one and had to be ended, at most 255 */
	uint32_t pid;
	uint64_t start_mono_us, end_mono_us, start_real_us, end_real_us;
	uint64_t frozen_us;
	uint64_t cpu_us;             /* user + system of the main process and what it waited for */
	uint64_t maxrss_bytes;
	struct warden_output_place place;
	struct rv_str stdout_tail;   /* last <= WARDEN_TAIL_BYTES_MAX of stdout: whole when stdout_bytes says so */
	struct rv_str stderr_tail;   /* the same of stderr, only when it did not succeed */
	struct rv_str detail;        /* a short sentence for spawn failures and unkillable; else empty */
	uint8_t recovered;           /* read from an exit record of an earlier daemon: tails are empty */
};

enum warden_state {
	WARDEN_STATE_QUEUED = 1,
	WARDEN_STATE_RUNNING,
	WARDEN_STATE_FROZEN,
	WARDEN_STATE_STOPPING,
};

struct warden_table_entry {
	uint64_t key;
	struct rv_str cookie;
	enum warden_state state;
	uint32_t pid;
	uint64_t mono_us, real_us;
	uint64_t stdout_bytes, stderr_bytes;
};

struct warden_hello {
	uint32_t version;
	uint32_t pid;
	enum warden_level level;
	uint32_t records;         /* EXITED frames (recovered) that follow */
	uint32_t orphans;         /* processes of an earlier warden that were ended at start */
	struct rv_str trouble;    /* empty, or why it cannot work as asked: state directory unusable, ... */
	struct rv_str label;      /* label_prefix in force, that of the first CONFIG: what is found by it later must begin with it */
};

struct warden_output {
	uint64_t key;
	uint8_t stream;           /* 1 stdout, 2 stderr */
	uint64_t offset;          /* in that stream */
	struct rv_str bytes;
};

/* A decoded frame; strings borrow from the bytes it was read from. */
struct warden_frame {
	enum warden_msg type;
	union {
		struct warden_config config;
		struct warden_env_base env_base;
		struct warden_spawn spawn;
		struct { uint64_t key; uint64_t grace_us; } kill; /* KILL; KILL_ALL and SHUTDOWN without key; RETRACT,
		                                                   * FREEZE, THAW, RETRACTED ... TREE_GONE without grace */
		struct { uint64_t key; uint64_t bytes; } credit;
		struct { uint32_t count; const char *at; } forget; /* u64 little endian each: warden_forget_key() */
		struct { uint32_t slots; uint32_t agent_slots; } slots;
		struct warden_hello hello;
		struct warden_started started;
		struct warden_exited exited;
		struct warden_output output;
		struct warden_table_entry entry;
	};
};

/* Encoders append one frame to `out`; -1 when the frame is too big or out of bounds (out is then unchanged). */
int warden_put_config(struct rv_buf *out, const struct warden_config *m);
int warden_put_env_base(struct rv_buf *out, const struct warden_env_base *m);
int warden_put_spawn(struct rv_buf *out, const struct warden_spawn *m);
int warden_put_key(struct rv_buf *out, enum warden_msg type, uint64_t key); /* RETRACT, FREEZE, THAW, RETRACTED,
                                               * ALREADY_STARTED, UNKNOWN_KEY, FROZEN, THAWED, TREE_GONE */
int warden_put_kill(struct rv_buf *out, uint64_t key, uint64_t grace_us);
int warden_put_grace(struct rv_buf *out, enum warden_msg type, uint64_t grace_us); /* KILL_ALL, SHUTDOWN */
int warden_put_credit(struct rv_buf *out, uint64_t key, uint64_t bytes);
int warden_put_empty(struct rv_buf *out, enum warden_msg type); /* TABLE, TABLE_END */
int warden_put_forget(struct rv_buf *out, const uint64_t *keys, uint32_t count);
int warden_put_slots(struct rv_buf *out, uint32_t slots, uint32_t agent_slots);
int warden_put_hello(struct rv_buf *out, const struct warden_hello *m);
int warden_put_started(struct rv_buf *out, const struct warden_started *m);
int warden_put_exited(struct rv_buf *out, const struct warden_exited *m);
int warden_put_output(struct rv_buf *out, const struct warden_output *m);
int warden_put_table_entry(struct rv_buf *out, const struct warden_table_entry *m);

uint64_t warden_forget_key(const struct warden_frame *f, uint32_t i);

/* Reads the first frame of `bytes`. 1: `*frame` is set, `*used` bytes belong to it. 0: it is not all there yet.
 * -1: no frame of ours (too long, truncated inside, unknown type). */
int warden_frame_read(struct rv_str bytes, struct warden_frame *frame, size_t *used, struct rv_err *err);

#endif
