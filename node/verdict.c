#include "node/verdict.h"

#include "common/os/file.h"
#include "node/warden/caplog.h"
#include "node/workspace/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIECE_BYTES 65536u
#define STDOUT_LOG NODE_DIR_LOGS "/stdout.log"
#define STDERR_LOG NODE_DIR_LOGS "/stderr.log"

void node_verdict_steps(int fd, int exit, int signal, struct rv_buf *text, struct node_steps_report *report)
{
	struct rv_err err;

	rv_buf_reset(text);
	if (fd >= 0 && rv_file_read_at(fd, NODE_FILE_STEPS, NODE_STEPS_REPORT_BYTES_MAX, text, &err) == 0 &&
	    node_steps_read(rv_buf_str(text), report, &err) == 0)
		return;
	memset(report, 0, sizeof(*report));
	report->end[NODE_STEP_WORK].how = signal ? NODE_STEP_SIGNALLED : NODE_STEP_EXITED;
	report->end[NODE_STEP_WORK].value = signal ? signal : exit;
}

enum whence { FROM_START, FROM_END };

/* The first or last `bytes` of a log. The attempt may have made more of the file than was written for it, without taking disk. */
static void read_log(int dir, const char *path, enum whence whence, uint64_t bytes, enum transcript_stream stream, struct transcript *t)
{
	char piece[PIECE_BYTES];
	struct rv_err err;
	ssize_t n = 1;
	off_t end;
	int fd;

	if (rv_file_open_at(dir, path, O_RDONLY, 0, &fd, &err) < 0)
		return;
	end = lseek(fd, 0, SEEK_END);
	(void)lseek(fd, whence == FROM_END && end > (off_t)bytes ? end - (off_t)bytes : 0, SEEK_SET);
	while (bytes && n) {
		n = read(fd, piece, rv_min_u64(bytes, sizeof(piece)));
		if (n < 0 && errno != EINTR)
			break;
		if (n > 0) {
			transcript_feed(t, stream, rv_str(piece, (size_t)n));
			bytes -= (uint64_t)n;
		}
	}
	(void)close(fd);
}

void node_verdict_read_logs(int fd, uint64_t stdout_bytes, struct transcript *t)
{
	if (fd < 0)
		return;
	read_log(fd, STDOUT_LOG, FROM_START, rv_sat_add(stdout_bytes, CAPLOG_MARKER_BYTES_MAX), TRANSCRIPT_STDOUT, t);
	read_log(fd, STDERR_LOG, FROM_END, TRANSCRIPT_STDERR_BYTES, TRANSCRIPT_STDERR, t);
}

enum proto_reason node_verdict_reason(enum transcript_reason reason)
{
	switch (reason) {
	case TRANSCRIPT_OK:
		return PROTO_REASON_NONE;
	case TRANSCRIPT_EXIT:
	case TRANSCRIPT_NO_RESULT:
		return PROTO_REASON_EXIT;
	case TRANSCRIPT_SIGNAL:
		return PROTO_REASON_SIGNAL;
	case TRANSCRIPT_RATE_LIMIT:
	case TRANSCRIPT_OVERLOADED:
		return PROTO_REASON_RATE_LIMIT;
	case TRANSCRIPT_NO_CREDIT:
		return PROTO_REASON_NO_CREDIT;
	case TRANSCRIPT_AUTH:
		return PROTO_REASON_LOGIN;
	case TRANSCRIPT_BUDGET:
		return PROTO_REASON_BUDGET_COST;
	case TRANSCRIPT_REQUEST:
		return PROTO_REASON_REQUEST;
	case TRANSCRIPT_NETWORK:
		return PROTO_REASON_NETWORK;
	case TRANSCRIPT_SETUP:
		return PROTO_REASON_SETUP;
	case TRANSCRIPT_AGENT_ERROR:
	case TRANSCRIPT_MAX_TURNS:
	case TRANSCRIPT_REASON_COUNT:
		break;
	}
	return PROTO_REASON_AGENT_ERROR;
}
