/* transcript.h - what an agent's own words say of an attempt: usage, final message, success or why not
 *
 * Agents print what they do as JSON lines. Neither an exit status nor a field of theirs called "success" can be believed alone
 * (docs/agents.md), so an attempt succeeded only if its exit status and the last word of its transcript agree.
 *
 * Bytes come as they are read, in pieces of any size; a line is judged when it is whole. Pure: no clock, no file. Memory is bounded
 * by TRANSCRIPT_LINE_BYTES_MAX: a longer line is passed over and counted. What is unknown, or no JSON, is passed over and counted,
 * too: formats drift, and a line more is never an error. Hostile lines cost no more than other lines (transcript_line.h).
 */
#ifndef NODE_AGENTS_TRANSCRIPT_H
#define NODE_AGENTS_TRANSCRIPT_H

#include "common/base.h"
#include "common/buf.h"
#include "proto/msg.h"

#define TRANSCRIPT_LINE_BYTES_MAX ((size_t)4 << 20)
#define TRANSCRIPT_NAME_BYTES 128u    /* of a session id, model, version, with its NUL; longer ones are cut */
#define TRANSCRIPT_SENTENCE_BYTES 512u
#define TRANSCRIPT_STDERR_BYTES 4096u /* the end of stderr that is looked at */
#define TRANSCRIPT_RECENT 64u         /* messages whose usage may still grow */

enum transcript_format {
	TRANSCRIPT_NONE,   /* no transcript: the exit status alone counts */
	TRANSCRIPT_CLAUDE, /* claude -p --output-format stream-json --verbose */
	TRANSCRIPT_CODEX,  /* codex exec --json */
	TRANSCRIPT_FORMAT_COUNT
};

enum transcript_stream { TRANSCRIPT_STDOUT, TRANSCRIPT_STDERR };

/* Tokens that were used; each is in exactly one of the four. */
struct transcript_usage {
	uint64_t input_tokens;       /* neither from nor to a cache */
	uint64_t output_tokens;      /* reasoning included */
	uint64_t cache_read_tokens;
	uint64_t cache_write_tokens;
	int64_t cost_microusd;       /* -1: the agent does not say (yet) */
};

/* Why an attempt did not succeed. The word is in results, logs and `explain`; docs/agents.md has the table. */
enum transcript_reason {
	TRANSCRIPT_OK,
	TRANSCRIPT_EXIT,          /* the exit status says failed, the transcript not why */
	TRANSCRIPT_SIGNAL,        /* killed, and nothing before says why */
	TRANSCRIPT_NO_RESULT,     /* exit 0, but the transcript does not say that it came to an end */
	TRANSCRIPT_AGENT_ERROR,   /* the agent says that it failed */
	TRANSCRIPT_MAX_TURNS,     /* its own limit of turns */
	TRANSCRIPT_BUDGET,        /* its own limit of cost */
	TRANSCRIPT_RATE_LIMIT,    /* 429, or a subscription's usage limit */
	TRANSCRIPT_OVERLOADED,    /* 529 and 5xx: the provider cannot now */
	TRANSCRIPT_NO_CREDIT,     /* 402, balance or quota used up */
	TRANSCRIPT_AUTH,          /* 401, 403, not logged in */
	TRANSCRIPT_REQUEST,       /* the provider refuses the request itself (400, 404, 413) */
	TRANSCRIPT_NETWORK,       /* the provider cannot be reached from here */
	TRANSCRIPT_SETUP,         /* the agent refuses to start as it was started */
	TRANSCRIPT_REASON_COUNT
};

/* What stands in an attempt's way, or stood when it ended. */
struct transcript_trouble {
	enum transcript_reason reason; /* OK: nothing */
	enum proto_class class;        /* of an attempt that ends with it; NONE: nothing */
	uint32_t status;               /* HTTP status, 0: not told */
	uint32_t times;                /* in a row: the agent tries again by itself */
	uint64_t retry_after_us;       /* 0: not told */
	uint64_t retry_at_s;           /* seconds since 1970 that the agent names; 0: not told */
	char sentence[TRANSCRIPT_SENTENCE_BYTES]; /* clean UTF-8 in one line, e.g. "401: invalid x-api-key" */
};

struct transcript_recent; /* one message's share of the usage */

struct transcript {
	enum transcript_format format;
	struct rv_buf line;                /* the beginning of one that is not whole */
	bool skipping;                     /* within a line that is too long */
	bool failed;                       /* no memory: the verdict says so */

	struct transcript_usage usage;     /* of all that is known; read it at any time */
	struct transcript_usage earlier;   /* sessions before this one */
	struct transcript_usage told;      /* what this session said it used in all */
	struct transcript_usage passed;    /* messages since then that `recent` had no more room for */
	struct transcript_recent *recent;  /* ring of TRANSCRIPT_RECENT, made when first needed */
	uint32_t recent_next;

	struct transcript_trouble trouble; /* what stands in its way now; progress clears it */
	enum { TRANSCRIPT_OPEN, TRANSCRIPT_ENDED_WELL, TRANSCRIPT_ENDED_BADLY } last_word;
	struct rv_buf message;             /* the final message so far: clean UTF-8, at most a line long */
	char session[TRANSCRIPT_NAME_BYTES], model[TRANSCRIPT_NAME_BYTES], version[TRANSCRIPT_NAME_BYTES]; /* "" = not told */
	uint32_t turns;                    /* claude: answers of the model; codex: prompts it worked off */
	uint64_t steps;                    /* grows when the agent gets on: to say again what failed is no sign of life */

	uint64_t events;                   /* lines understood */
	uint64_t lines_long, lines_foreign; /* lines passed over: too long; no JSON object or an event that is not known */
	struct rv_buf err_tail;            /* the end of stderr */
};

/* What it came to. */
struct transcript_verdict {
	bool succeeded;
	struct transcript_trouble trouble; /* reason OK and class NONE when it succeeded */
};

void transcript_init(struct transcript *t, enum transcript_format format);
void transcript_release(struct transcript *t);

/* The next bytes that the agent printed. */
void transcript_feed(struct transcript *t, enum transcript_stream stream, struct rv_str bytes);

/* All has been fed and the process is gone: a last line without an end is taken, then judged. `signal` 0: it exited with `exit`.
 * `real_us`: time of the day, against which a time that the agent named becomes retry_after_us.
 * An attempt that reeve itself had killed (timeout, cancel) is the caller's to judge; the trouble then says what the agent was at. */
void transcript_end(struct transcript *t, int exit, int signal, uint64_t real_us, struct transcript_verdict *verdict);

/* "rate_limit" and so on. */
const char *transcript_reason_word(enum transcript_reason reason);

/* "claude", "codex", "none"; by name -1: no such format. */
const char *transcript_format_name(enum transcript_format format);
int transcript_format_by_name(struct rv_str name, enum transcript_format *format);

/* All four kinds together, saturating: what a limit of tokens is held against. */
uint64_t transcript_tokens(const struct transcript_usage *u);

#endif
