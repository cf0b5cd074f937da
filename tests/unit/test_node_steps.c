/* test_node_steps.c - several commands in one process: which ones run, how it ends, what the report says */
#include "tests/lib/scratch.h"
#include "tests/lib/test.h"

#include "common/os/file.h"
#include "node/agents/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rv_buf report_text;

static struct node_step_argv shell(struct rv_buf *room, const char *script)
{
	rv_buf_reset(room);
	if (!script)
		return (struct node_step_argv){ .count = 0 };
	(void)rv_buf_put(room, "sh\0-c\0", 6);
	(void)rv_buf_put(room, script, strlen(script) + 1);
	return (struct node_step_argv){ .bytes = rv_buf_str(room), .count = 3 };
}

static char **words_of(const struct rv_buf *bytes, uint32_t count)
{
	char **argv = calloc(count + 1u, sizeof(*argv)), *at = bytes->at;

	assert_non_null(argv);
	for (uint32_t i = 0; i < count; i++, at += strlen(at) + 1)
		argv[i] = at;
	return argv;
}

/* The process as the warden makes it, its stdout and stderr in files; gives its pid. */
static pid_t start(struct rv_str prompt, const struct node_step_argv step[NODE_STEPS])
{
	struct rv_buf bytes;
	uint32_t count = 0;
	char **argv;
	pid_t pid;

	rv_buf_init(&bytes, 0);
	assert_int_equal(node_steps_argv(RV_STR("/reeve"), rv_str_of(scratch("report")), prompt, step, &bytes, &count), 0);
	argv = words_of(&bytes, count);
	assert_string_equal(argv[0], "/reeve");
	assert_string_equal(argv[1], NODE_STEPS_VERB);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int out = open(scratch("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600), err = open(scratch("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);

		(void)chdir(scratch_path());
		(void)dup2(out, 1);
		(void)dup2(err, 2);
		_exit(node_steps_main((int)count - 1, argv + 1));
	}
	free(argv);
	rv_buf_release(&bytes);
	return pid;
}

static int run(const char *unless, const char *work, const char *accept, struct node_steps_report *report)
{
	struct rv_buf room[NODE_STEPS];
	struct node_step_argv step[NODE_STEPS];
	const char *scripts[NODE_STEPS] = { unless, work, accept };
	int status;

	for (int i = 0; i < NODE_STEPS; i++) {
		rv_buf_init(&room[i], 0);
		step[i] = shell(&room[i], scripts[i]);
	}
	assert_true(waitpid(start(RV_STR(""), step), &status, 0) > 0);
	for (int i = 0; i < NODE_STEPS; i++)
		rv_buf_release(&room[i]);
	rv_buf_reset(&report_text);
	assert_int_equal(rv_file_read_at(scratch_dir(), "report", NODE_STEPS_REPORT_BYTES_MAX, &report_text, NULL), 0);
	assert_int_equal(node_steps_read(rv_buf_str(&report_text), report, NULL), 0);
	return status;
}

static void assert_end(struct node_step_end end, int how, int value)
{
	assert_int_equal(end.how, how);
	assert_int_equal(end.value, value);
}

static bool holds(const char *name, const char *text)
{
	struct rv_buf b;
	bool yes;

	rv_buf_init(&b, 0);
	assert_int_equal(rv_file_read_at(scratch_dir(), name, 1 << 20, &b, NULL), 0);
	yes = b.bytes && memmem(b.at, b.bytes, text, strlen(text));
	rv_buf_release(&b);
	return yes;
}

static void the_work_alone(void **state)
{
	struct node_steps_report r;

	(void)state;
	assert_int_equal(WEXITSTATUS(run(NULL, "echo out; echo err >&2; exit 7", NULL, &r)), 7);
	assert_end(r.end[NODE_STEP_UNLESS], NODE_STEP_NOT_RUN, 0);
	assert_end(r.end[NODE_STEP_WORK], NODE_STEP_EXITED, 7);
	assert_end(r.end[NODE_STEP_ACCEPT], NODE_STEP_NOT_RUN, 0);
	assert_true(holds("out", "out\n"));
	assert_true(holds("err", "err\n"));
}

static void what_is_satisfied_does_not_work(void **state)
{
	struct node_steps_report r;

	(void)state;
	assert_int_equal(run("echo fresh", "touch worked", "touch accepted", &r), 0);
	assert_end(r.end[NODE_STEP_UNLESS], NODE_STEP_EXITED, 0);
	assert_end(r.end[NODE_STEP_WORK], NODE_STEP_NOT_RUN, 0);
	assert_false(scratch_has("worked"));
	assert_false(scratch_has("accepted"));
	assert_true(holds("err", "fresh\n"));
	assert_false(holds("out", "fresh"));
	assert_int_equal(run("exit 3", "touch worked", NULL, &r), 0);
	assert_end(r.end[NODE_STEP_UNLESS], NODE_STEP_EXITED, 3);
	assert_true(scratch_has("worked"));
}

static void accept_has_the_last_word(void **state)
{
	struct node_steps_report r;

	(void)state;
	assert_int_equal(run(NULL, "echo done", "echo fine", &r), 0);
	assert_end(r.end[NODE_STEP_ACCEPT], NODE_STEP_EXITED, 0);
	assert_int_equal(WEXITSTATUS(run(NULL, "true", "echo first; echo not good >&2; exit 2", &r)), 2);
	assert_end(r.end[NODE_STEP_WORK], NODE_STEP_EXITED, 0);
	assert_end(r.end[NODE_STEP_ACCEPT], NODE_STEP_EXITED, 2);
	assert_true(r.tail.bytes == strlen("first\nnot good\n") && memcmp(r.tail.at, "first\nnot good\n", r.tail.bytes) == 0);
	assert_int_equal(WEXITSTATUS(run(NULL, "exit 9", "touch accepted", &r)), 9); /* nothing to accept */
	assert_end(r.end[NODE_STEP_ACCEPT], NODE_STEP_NOT_RUN, 0);
	assert_false(scratch_has("accepted"));
}

static void of_much_the_end_is_kept(void **state)
{
	struct node_steps_report r;

	(void)state;
	assert_int_equal(WEXITSTATUS(run(NULL, "true", "yes 0123456789 | head -c 5000000; echo END; exit 1", &r)), 1);
	assert_int_equal(r.tail.bytes, NODE_STEPS_TAIL_BYTES);
	assert_memory_equal(r.tail.at + r.tail.bytes - 4, "END\n", 4);
	assert_true(scratch_size("err") == 5000004);
}

static void it_ends_by_the_same_signal(void **state)
{
	struct node_steps_report r;
	int status;

	(void)state;
	status = run(NULL, "kill -SEGV $$", "touch accepted", &r);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	assert_end(r.end[NODE_STEP_WORK], NODE_STEP_SIGNALLED, SIGSEGV);
	status = run(NULL, "kill -KILL $$", NULL, &r);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	status = run("kill -TERM $$", "touch worked", NULL, &r); /* a check that dies says nothing */
	assert_int_equal(status, 0);
	assert_true(scratch_has("worked"));
}

static void what_cannot_be_started_is_named(void **state)
{
	const struct node_step_argv step[NODE_STEPS] = { [NODE_STEP_WORK] = { .bytes = RV_STR("no-such-program\0"), .count = 1 } };
	struct node_steps_report r;
	int status;

	(void)state;
	assert_true(waitpid(start(RV_STR(""), step), &status, 0) > 0);
	assert_int_equal(WEXITSTATUS(status), 127);
	rv_buf_reset(&report_text);
	assert_int_equal(rv_file_read_at(scratch_dir(), "report", NODE_STEPS_REPORT_BYTES_MAX, &report_text, NULL), 0);
	assert_int_equal(node_steps_read(rv_buf_str(&report_text), &r, NULL), 0);
	assert_end(r.end[NODE_STEP_WORK], NODE_STEP_NOT_STARTED, ENOENT);
	assert_memory_equal(r.tail.at, "no-such-program", r.tail.bytes);
}

/* A check that cannot be made says neither yes nor no. */
static void without_its_check_nothing_is_done(void **state)
{
	const struct node_step_argv step[NODE_STEPS] = { [NODE_STEP_UNLESS] = { .bytes = RV_STR("no-such-program\0"), .count = 1 },
							 [NODE_STEP_WORK] = { .bytes = RV_STR("touch\0worked\0"), .count = 2 } };
	struct node_steps_report r;
	int status;

	(void)state;
	assert_true(waitpid(start(RV_STR(""), step), &status, 0) > 0);
	assert_int_equal(WEXITSTATUS(status), 127);
	assert_false(scratch_has("worked"));
	rv_buf_reset(&report_text);
	assert_int_equal(rv_file_read_at(scratch_dir(), "report", NODE_STEPS_REPORT_BYTES_MAX, &report_text, NULL), 0);
	assert_int_equal(node_steps_read(rv_buf_str(&report_text), &r, NULL), 0);
	assert_end(r.end[NODE_STEP_UNLESS], NODE_STEP_NOT_STARTED, ENOENT);
}

/* What the unit put at the name in its stead is not waited for: the exit status alone counts. */
static void a_pipe_at_the_reports_name_is_no_report(void **state)
{
	struct rv_buf room;
	struct node_step_argv step[NODE_STEPS] = { { .count = 0 } };
	int status;

	(void)state;
	rv_buf_init(&room, 0);
	step[NODE_STEP_WORK] = shell(&room, "mkfifo report; exit 3");
	assert_true(waitpid(start(RV_STR(""), step), &status, 0) > 0);
	rv_buf_release(&room);
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(rv_file_read_at(scratch_dir(), "report", NODE_STEPS_REPORT_BYTES_MAX, &report_text, NULL), -1);
}

static void the_prompt_is_on_stdin(void **state)
{
	struct rv_buf room;
	struct node_step_argv step[NODE_STEPS] = { { .count = 0 } };
	int status;

	(void)state;
	rv_buf_init(&room, 0);
	scratch_write("prompt", "do it\n");
	step[NODE_STEP_WORK] = shell(&room, "cat");
	assert_true(waitpid(start(rv_str_of(scratch("prompt")), step), &status, 0) > 0);
	assert_int_equal(status, 0);
	assert_true(holds("out", "do it\n"));
	rv_buf_release(&room);
}

/* TERM goes to every process of the tree: the step ends, no other one is started. */
static void told_to_end_it_starts_nothing_more(void **state)
{
	struct rv_buf room[2];
	struct node_step_argv step[NODE_STEPS] = { { .count = 0 } };
	int status;
	pid_t pid;

	(void)state;
	rv_buf_init(&room[0], 0);
	rv_buf_init(&room[1], 0);
	step[NODE_STEP_UNLESS] = shell(&room[0], "mkfifo gate; touch waits; read x <gate; exit 1");
	step[NODE_STEP_WORK] = shell(&room[1], "touch worked");
	pid = start(RV_STR(""), step);
	while (!scratch_has("waits"))
		usleep(1000);
	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* it waits for its step */
	assert_true(close(open(scratch("gate"), O_WRONLY)) == 0);
	assert_true(waitpid(pid, &status, 0) > 0);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_false(scratch_has("worked"));
	rv_buf_release(&room[0]);
	rv_buf_release(&room[1]);
}

static void what_is_no_report_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "work exit 0", "work exit 0\n", "work exit 256\n\n", "work exit -1\n\n", "work exit 0 \n\n", "play exit 0\n\n", "work done 0\n\n",
		"work exit 0\nwork exit 0\n\n", "work exit\n\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\n",
	};
	struct node_steps_report r;
	struct rv_err err;

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(texts); i++) {
		assert_int_equal(node_steps_read(rv_str_of(texts[i]), &r, &err), -1);
		assert_int_equal(err.code, RV_E_CORRUPT);
	}
	assert_int_equal(node_steps_read(RV_STR("\n"), &r, &err), 0);
	assert_int_equal(node_steps_read(RV_STR("work signal 11\n\nwork exit 0\n"), &r, &err), 0);
	assert_end(r.end[NODE_STEP_WORK], NODE_STEP_SIGNALLED, 11);
}

static void words_that_make_no_sense_start_nothing(void **state)
{
	char verb[] = NODE_STEPS_VERB, report[] = "/dev/null", none[] = "", zero[] = "0", one[] = "1", many[] = "99", text[] = "1x";
	char *cases[][7] = {
		{ verb, NULL },
		{ verb, report, none, zero, zero, zero, NULL }, /* no work */
		{ verb, report, none, zero, many, zero, NULL },
		{ verb, report, none, zero, text, zero, NULL },
		{ verb, report, none, zero, one, NULL },
	};

	(void)state;
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		int argc = 0;

		while (cases[i][argc])
			argc++;
		assert_int_equal(node_steps_main(argc, cases[i]), 127);
	}
}

#define IN_SCRATCH(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(the_work_alone),
		IN_SCRATCH(what_is_satisfied_does_not_work),
		IN_SCRATCH(accept_has_the_last_word),
		IN_SCRATCH(of_much_the_end_is_kept),
		IN_SCRATCH(it_ends_by_the_same_signal),
		IN_SCRATCH(what_cannot_be_started_is_named),
		IN_SCRATCH(without_its_check_nothing_is_done),
		IN_SCRATCH(a_pipe_at_the_reports_name_is_no_report),
		IN_SCRATCH(the_prompt_is_on_stdin),
		IN_SCRATCH(told_to_end_it_starts_nothing_more),
		cmocka_unit_test(what_is_no_report_is_refused),
		cmocka_unit_test(words_that_make_no_sense_start_nothing),
	};
	int failed;

	rv_buf_init(&report_text, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rv_buf_release(&report_text);
	return failed;
}
