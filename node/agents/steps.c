#include "node/agents/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_STARTED 127
#define ARGUMENTS_FIXED 3 /* verb, report, prompt; then of each step its count and its arguments */

static const char *const step_names[NODE_STEPS] = { "unless", "work", "accept" };
static const char *const how_names[] = { [NODE_STEP_EXITED] = "exit", [NODE_STEP_SIGNALLED] = "signal", [NODE_STEP_NOT_STARTED] = "errno" };

/* --- the arguments ----------------------------------------------------------------------------------------------------- */

static void put_arg(struct rv_buf *out, uint32_t *count, struct rv_str s)
{
	(void)rv_buf_put_str(out, s);
	(void)rv_buf_putc(out, '\0');
	++*count;
}

int node_steps_argv(struct rv_str program, struct rv_str report, struct rv_str prompt, const struct node_step_argv step[NODE_STEPS], struct rv_buf *out,
		    uint32_t *count)
{
	char digits[16];

	put_arg(out, count, program);
	put_arg(out, count, RV_STR(NODE_STEPS_VERB));
	put_arg(out, count, report);
	put_arg(out, count, prompt);
	for (int i = 0; i < NODE_STEPS; i++) {
		(void)snprintf(digits, sizeof(digits), "%u", step[i].count);
		put_arg(out, count, rv_str_of(digits));
		(void)rv_buf_put_str(out, step[i].bytes);
		*count += step[i].count;
	}
	return out->failed ? -1 : 0;
}

/* --- the process ------------------------------------------------------------------------------------------------------- */

struct steps {
	const char *report, *prompt;
	sigset_t mask;                     /* as it was, for the steps */
	char **argv[NODE_STEPS];           /* NULL at the end; NULL: there is no such step */
	struct node_step_end end[NODE_STEPS];
	char tail[2 * NODE_STEPS_TAIL_BYTES]; /* what accept printed, its end */
	size_t tail_bytes;
};

/* TERM, INT and HUP wait: the step that runs gets them, too, and its end is ours. */
static void keep_off_ends(struct steps *s)
{
	sigset_t ends;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)sigaddset(&ends, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &ends, &s->mask);
}

static bool told_to_end(void)
{
	sigset_t waiting;

	return sigpending(&waiting) == 0 && (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGHUP) == 1);
}

static void keep_tail(struct steps *s, const char *bytes, size_t count)
{
	if (count > NODE_STEPS_TAIL_BYTES) {
		bytes += count - NODE_STEPS_TAIL_BYTES;
		count = NODE_STEPS_TAIL_BYTES;
	}
	if (s->tail_bytes + count > sizeof(s->tail)) {
		size_t drop = s->tail_bytes - NODE_STEPS_TAIL_BYTES;

		memmove(s->tail, s->tail + drop, NODE_STEPS_TAIL_BYTES);
		s->tail_bytes = NODE_STEPS_TAIL_BYTES;
	}
	memcpy(s->tail + s->tail_bytes, bytes, count);
	s->tail_bytes += count;
}

static void write_all(int fd, const char *bytes, size_t count)
{
	while (count > 0) {
		ssize_t n = write(fd, bytes, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody reads the log any more: not this step's fault */
		bytes += n;
		count -= (size_t)n;
	}
}

/* In the child, before exec, whose errno goes up `failed`. */
static void become(struct steps *s, enum node_step step, int out, int failed)
{
	const char *in = step == NODE_STEP_WORK && s->prompt[0] ? s->prompt : "/dev/null";
	int fd = open(in, O_RDONLY | O_CLOEXEC), e;

	(void)sigprocmask(SIG_SETMASK, &s->mask, NULL);
	if (fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO && (out < 0 || (dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)))
		(void)execvp(s->argv[step][0], s->argv[step]);
	e = errno;
	write_all(failed, (const char *)&e, sizeof(e));
	_exit(EXIT_NOT_STARTED);
}

/* Shows what the child prints as ours until the child is gone; what its own children print afterwards is theirs. */
static void pass_on(struct steps *s, int from, pid_t child, int *status)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	char bytes[16384];
	bool gone = false;
	ssize_t n;

	while (p.fd >= 0 || !gone) {
		if (!gone && waitpid(child, status, p.fd >= 0 ? WNOHANG : 0) == child)
			gone = true;
		if (p.fd < 0)
			continue;
		if (poll(&p, 1, gone ? 0 : 100) <= 0) {
			if (gone)
				break;
			continue;
		}
		n = read(from, bytes, sizeof(bytes));
		if (n > 0) {
			write_all(STDERR_FILENO, bytes, (size_t)n);
			keep_tail(s, bytes, (size_t)n);
		} else if (n == 0 || errno != EINTR) {
			p.fd = -1;
		}
	}
}

static struct node_step_end ended(int status)
{
	if (WIFSIGNALED(status))
		return (struct node_step_end){ NODE_STEP_SIGNALLED, WTERMSIG(status) };
	return (struct node_step_end){ NODE_STEP_EXITED, WEXITSTATUS(status) };
}

static struct node_step_end not_started(int e)
{
	return (struct node_step_end){ NODE_STEP_NOT_STARTED, e };
}

static struct node_step_end run_step(struct steps *s, enum node_step step)
{
	int failed[2], out[2] = { -1, -1 }, status = 0, e = 0;
	pid_t child;

	s->tail_bytes = 0;
	if (pipe2(failed, O_CLOEXEC))
		return not_started(errno);
	if (step != NODE_STEP_WORK && pipe2(out, O_CLOEXEC)) {
		e = errno;
		(void)close(failed[0]);
		(void)close(failed[1]);
		return not_started(e);
	}
	child = fork();
	if (child == 0)
		become(s, step, out[1], failed[1]);
	e = child < 0 ? errno : 0;
	(void)close(failed[1]);
	if (out[1] >= 0)
		(void)close(out[1]);
	if (child > 0 && read(failed[0], &e, sizeof(e)) != sizeof(e))
		e = 0;
	(void)close(failed[0]);
	if (child > 0 && out[0] >= 0)
		pass_on(s, out[0], child, &status);
	else
		while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	if (out[0] >= 0)
		(void)close(out[0]);
	if (!e)
		return ended(status);
	keep_tail(s, s->argv[step][0], strlen(s->argv[step][0]));
	return not_started(e);
}

static bool well(struct node_step_end end)
{
	return end.how == NODE_STEP_EXITED && end.value == 0;
}

static void write_report(const struct steps *s)
{
	int fd = open(s->report, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600); /* a pipe there holds nobody up */
	struct stat st;
	size_t tail = rv_min_u64(s->tail_bytes, NODE_STEPS_TAIL_BYTES);
	char line[64];

	if (fd < 0)
		return; /* the exit status alone counts then */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return;
	}
	for (int i = 0; i < NODE_STEPS; i++) {
		if (s->end[i].how == NODE_STEP_NOT_RUN)
			continue;
		(void)snprintf(line, sizeof(line), "%s %s %d\n", step_names[i], how_names[s->end[i].how], s->end[i].value);
		write_all(fd, line, strlen(line));
	}
	write_all(fd, "\n", 1);
	write_all(fd, s->tail + (s->tail_bytes - tail), tail);
	(void)close(fd);
}

/* As the step ended: by the same signal, if it was one. */
static int end_as(struct node_step_end end)
{
	const struct rlimit no_core = { 0, 0 };
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t one;

	if (end.how == NODE_STEP_NOT_STARTED)
		return EXIT_NOT_STARTED;
	if (end.how != NODE_STEP_SIGNALLED)
		return end.value;
	(void)setrlimit(RLIMIT_CORE, &no_core); /* the step has left its own */
	(void)sigaction(end.value, &sa, NULL);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, end.value);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	(void)raise(end.value);
	return 128 + end.value;
}

static int run_steps(struct steps *s)
{
	enum node_step last = NODE_STEP_WORK;

	if (s->argv[NODE_STEP_UNLESS]) {
		s->end[NODE_STEP_UNLESS] = run_step(s, NODE_STEP_UNLESS);
		if (well(s->end[NODE_STEP_UNLESS]) || s->end[NODE_STEP_UNLESS].how == NODE_STEP_NOT_STARTED || told_to_end()) {
			write_report(s);
			return end_as(s->end[NODE_STEP_UNLESS]);
		}
	}
	s->end[NODE_STEP_WORK] = run_step(s, NODE_STEP_WORK);
	if (well(s->end[NODE_STEP_WORK]) && s->argv[NODE_STEP_ACCEPT] && !told_to_end()) {
		last = NODE_STEP_ACCEPT;
		s->end[last] = run_step(s, last);
	}
	write_report(s);
	return end_as(s->end[last]);
}

static int read_count(const char *word, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(word, &end, 10);
	*out = (uint32_t)n;
	return *word < '0' || *word > '9' || *end || errno || n > max ? -1 : 0;
}

/* -1: the words are not as node_steps_argv() makes them. */
static int read_words(struct steps *s, int argc, char **argv)
{
	int at = ARGUMENTS_FIXED;

	if (argc < ARGUMENTS_FIXED + NODE_STEPS)
		return -1;
	s->report = argv[1];
	s->prompt = argv[2];
	for (int i = 0; i < NODE_STEPS; i++) {
		uint32_t count;

		if (at >= argc || read_count(argv[at], (uint32_t)(argc - at - 1), &count))
			return -1;
		argv[at++] = NULL; /* ends the list of the step before */
		s->argv[i] = count ? argv + at : NULL;
		at += (int)count;
	}
	return at == argc && s->argv[NODE_STEP_WORK] ? 0 : -1;
}

int node_steps_main(int argc, char **argv)
{
	struct steps s;

	memset(&s, 0, sizeof(s));
	if (read_words(&s, argc, argv))
		return EXIT_NOT_STARTED;
	(void)prctl(PR_SET_NAME, "reeve-steps");
	keep_off_ends(&s);
	return run_steps(&s);
}

/* --- the report -------------------------------------------------------------------------------------------------------- */

static int read_line(struct rv_str line, struct node_steps_report *out)
{
	char step[16], how[16];
	int value, used = 0, s, h;
	char text[64];

	if (line.bytes >= sizeof(text))
		return -1;
	memcpy(text, line.at, line.bytes);
	text[line.bytes] = '\0';
	if (sscanf(text, "%15[a-z] %15[a-z] %d%n", step, how, &value, &used) != 3 || (size_t)used != line.bytes || value < 0 || value > 255)
		return -1;
	for (s = 0; s < NODE_STEPS && strcmp(step, step_names[s]) != 0; s++)
		;
	for (h = NODE_STEP_EXITED; h <= NODE_STEP_NOT_STARTED && strcmp(how, how_names[h]) != 0; h++)
		;
	if (s == NODE_STEPS || h > NODE_STEP_NOT_STARTED || out->end[s].how != NODE_STEP_NOT_RUN)
		return -1;
	out->end[s].how = h;
	out->end[s].value = value;
	return 0;
}

int node_steps_read(struct rv_str text, struct node_steps_report *out, struct rv_err *err)
{
	memset(out, 0, sizeof(*out));
	while (text.bytes) {
		const char *end = memchr(text.at, '\n', text.bytes);
		struct rv_str line = rv_str(text.at, end ? (size_t)(end - text.at) : 0);

		if (!end || (line.bytes && read_line(line, out)))
			break;
		text = rv_str(end + 1, text.bytes - line.bytes - 1);
		if (!line.bytes) {
			out->tail = text;
			return 0;
		}
	}
	return rv_fail(err, RV_E_CORRUPT, "no report of steps");
}
