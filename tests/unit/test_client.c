/* test_client.c - asking a coordinator, against a fake one: answers, refusals, silence, restarts, blobs, finding it */
#include "tests/lib/test.h"

#include "cli/client.h"
#include "common/os/keys.h"
#include "tests/lib/fake_coordinator.h"
#include "tests/lib/scratch.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORT ((struct cli_client_patience){ 300000, 3000000, 300000, 100000 })

/* Changed by the test, read by the thread of the fake coordinator: under its lock. */
struct script {
	pthread_mutex_t lock;    /* all zeros: PTHREAD_MUTEX_INITIALIZER */
	_Atomic uint32_t heard;
	uint32_t silent;         /* so many requests get no answer */
	bool wrong_kind, stale_first;
	struct rv_str blob;
};

static void answer_done(struct proto_msg *answer, uint32_t changed)
{
	answer->kind = PROTO_DONE;
	answer->done.changed = changed;
}

/* Sets one field while the coordinator may be reading it. */
#define SCRIPT_SET(script, field, value)                                                           \
	do {                                                                                       \
		(void)pthread_mutex_lock(&(script)->lock);                                         \
		(script)->field = (value);                                                         \
		(void)pthread_mutex_unlock(&(script)->lock);                                       \
	} while (0)

static bool answer_by(struct script *s, const struct proto_msg *request, struct proto_msg *answer)
{
	uint32_t n = atomic_fetch_add(&s->heard, 1);

	if (n < s->silent)
		return false;
	switch (request->kind) {
	case PROTO_ACT:
		if (s->wrong_kind) {
			answer->kind = PROTO_ROWS;
			return true;
		}
		answer_done(answer, (uint32_t)request->act.run);
		return true;
	case PROTO_BLOB_GET:
		answer->kind = PROTO_BLOB_BYTES;
		memcpy(answer->blob.digest, request->blob_get.digest, PROTO_DIGEST_BYTES);
		answer->blob.size = s->blob.at ? s->blob.bytes : UINT64_MAX;
		answer->blob.offset = request->blob_get.offset;
		if (s->blob.at) {
			size_t left = s->blob.bytes - request->blob_get.offset;

			answer->blob.bytes = rv_str(s->blob.at + request->blob_get.offset, left < PROTO_PIECE_BYTES_MAX ? left : PROTO_PIECE_BYTES_MAX);
		}
		return true;
	default:
		answer->kind = PROTO_REFUSED;
		answer->refused.code = RV_E_NOT_FOUND;
		answer->refused.message = RV_STR("there is no run \"x\"");
		answer->refused.hint = RV_STR("look at status");
		return true;
	}
}

static bool on_message(void *arg, const struct proto_msg *request, struct proto_msg *answer)
{
	struct script *s = arg;
	bool said;

	(void)pthread_mutex_lock(&s->lock);
	said = answer_by(s, request, answer);
	(void)pthread_mutex_unlock(&s->lock);
	return said;
}

struct rig {
	char dir[512];
	struct script script;
	struct fake_coordinator *fake;
	struct cli_client *client;
	struct cli_place place;
};

static void rig_open(struct rig *g)
{
	struct rv_err err = { 0 };

	memset(g, 0, sizeof(*g));
	(void)snprintf(g->dir, sizeof(g->dir), "%s", scratch_path());
	g->fake = fake_coordinator_start(g->dir, on_message, &g->script);
	if (cli_place_find(g->dir, CLI_PLACE_NO_RUNS, RV_STR(""), &g->place, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(g->place.kind, CLI_PLACE_COORDINATOR);
	assert_int_equal(cli_client_open(&g->client, &g->place, &err), 0);
}

static void rig_close(struct rig *g)
{
	cli_client_close(&g->client);
	cli_client_close(&g->client);
	if (g->fake)
		fake_coordinator_stop(&g->fake);
}

static int act(struct rig *g, uint64_t run, struct proto_msg *answer, struct rv_err *err)
{
	struct proto_msg m = { .kind = PROTO_ACT, .act = { .id = cli_client_new_id(), .what = 1, .run = run } };

	return cli_client_call(g->client, &m, PROTO_DONE, answer, err);
}

static void a_question_gets_its_answer(void **state)
{
	struct proto_msg answer;
	struct rv_err err = { 0 };
	struct rig g;
	uint32_t i;

	(void)state;
	rig_open(&g);
	for (i = 1; i <= 50; i++) {
		if (act(&g, i, &answer, &err))
			fail_msg("%s", err.msg);
		assert_int_equal(answer.done.changed, i);
	}
	assert_int_equal(g.script.heard, 50);
	rig_close(&g);
}

static void a_refusal_is_an_error_of_its_code(void **state)
{
	struct proto_msg m = { .kind = PROTO_ASK, .ask = { .what = PROTO_ASK_RUNS, .limit = 1 } }, answer;
	struct rv_err err = { 0 };
	struct rig g;

	(void)state;
	rig_open(&g);
	assert_int_equal(cli_client_call(g.client, &m, PROTO_ROWS, &answer, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_string_equal(err.msg, "there is no run \"x\"");
	assert_string_equal(err.hint, "look at status");
	SCRIPT_SET(&g.script, wrong_kind, true);
	assert_int_equal(act(&g, 1, &answer, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	assert_non_null(strstr(err.msg, "ROWS"));
	rig_close(&g);
}

static void an_unanswered_question_is_asked_again(void **state)
{
	struct cli_client_patience patience = SHORT;
	struct proto_msg answer;
	struct rv_err err = { 0 };
	struct rig g;

	(void)state;
	rig_open(&g);
	SCRIPT_SET(&g.script, silent, 1);
	patience.answer_us = 10000000;
	cli_client_set_patience(g.client, &patience);
	assert_int_equal(act(&g, 7, &answer, &err), 0);
	assert_int_equal(answer.done.changed, 7);
	assert_true(g.script.heard >= 2);
	rig_close(&g);
}

static void silence_ends(void **state)
{
	struct cli_client_patience patience = SHORT;
	struct proto_msg answer;
	struct rv_err err = { 0 };
	struct rig g;

	(void)state;
	rig_open(&g);
	SCRIPT_SET(&g.script, silent, UINT32_MAX);
	cli_client_set_patience(g.client, &patience);
	assert_int_equal(act(&g, 7, &answer, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	assert_int_equal(rv_code_exit(err.code), 5);
	assert_non_null(strstr(err.msg, "gives no answer"));
	rig_close(&g);
}

static void it_goes_on_after_a_restart(void **state)
{
	struct proto_msg answer;
	struct rv_err err = { 0 };
	struct rig g;
	uint32_t i;

	(void)state;
	rig_open(&g);
	for (i = 0; i < 3; i++) {
		assert_int_equal(act(&g, 5, &answer, &err), 0);
		fake_coordinator_stop(&g.fake);
		g.fake = fake_coordinator_start(g.dir, on_message, &g.script);
	}
	if (act(&g, 6, &answer, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(answer.done.changed, 6);
	rig_close(&g);
}

static void who_is_not_there_is_unreachable(void **state)
{
	struct cli_client_patience patience = SHORT;
	struct proto_msg answer;
	struct rv_err err = { 0 };
	struct cli_place place;
	struct rig g;

	(void)state;
	rig_open(&g);
	patience.reconnect_us = 200000;
	cli_client_set_patience(g.client, &patience);
	assert_int_equal(act(&g, 5, &answer, &err), 0);
	fake_coordinator_stop(&g.fake);
	assert_int_equal(act(&g, 5, &answer, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	assert_non_null(strstr(err.msg, "has not come back"));
	cli_client_close(&g.client);
	assert_int_equal(cli_client_open(&g.client, &g.place, &err), 0);
	cli_client_set_patience(g.client, &patience);
	assert_int_equal(act(&g, 5, &answer, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	assert_non_null(strstr(err.msg, "cannot be reached"));
	assert_non_null(strstr(err.msg, g.dir));
	/* and its lock says so without asking */
	assert_int_equal(cli_place_find(g.dir, CLI_PLACE_NO_RUNS, RV_STR(""), &place, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	rig_close(&g);
}

static void a_run_that_has_ended_is_not_waited_for(void **state)
{
	struct proto_msg answer;
	struct rv_err err = { 0 };
	char runs[600], dir[700];
	struct rig g;

	(void)state;
	memset(&g, 0, sizeof(g));
	(void)snprintf(runs, sizeof(runs), "%s/runs", scratch_path());
	(void)snprintf(dir, sizeof(dir), "%s/6c0aaaaaaa", runs);
	assert_int_equal(mkdir(runs, 0700), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	g.fake = fake_coordinator_start(dir, on_message, &g.script);
	assert_int_equal(cli_place_find(dir, CLI_PLACE_NO_RUNS, RV_STR(""), &g.place, &err), 0);
	assert_int_equal(g.place.kind, CLI_PLACE_RUN);
	assert_int_equal(cli_client_open(&g.client, &g.place, &err), 0);
	assert_int_equal(act(&g, 5, &answer, &err), 0);
	fake_coordinator_stop(&g.fake);
	assert_int_equal(act(&g, 5, &answer, &err), -1); /* with the patience of a minute */
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	assert_non_null(strstr(err.msg, "has ended meanwhile"));
	rig_close(&g);
}

static void an_interrupt_ends_a_call(void **state)
{
	struct proto_msg answer;
	struct rv_err err = { 0 };
	struct rig g;

	(void)state;
	rig_open(&g);
	SCRIPT_SET(&g.script, silent, UINT32_MAX);
	assert_int_equal(cli_client_catch_signals(g.client, &err), 0);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(act(&g, 5, &answer, &err), -1);
	assert_true(cli_client_interrupted(g.client));
	rig_close(&g);
}

static void a_blob_comes_in_pieces_and_is_checked(void **state)
{
	size_t bytes = 2 * PROTO_PIECE_BYTES_MAX + 17;
	char *big = malloc(bytes);
	uint8_t digest[RV_DIGEST_BYTES];
	struct rv_err err = { 0 };
	struct rv_buf out;
	struct rig g;

	(void)state;
	rig_open(&g);
	rv_buf_init(&out, 0);
	memset(big, 'b', bytes);
	SCRIPT_SET(&g.script, blob, rv_str(big, bytes));
	rv_digest(g.script.blob, digest);
	if (cli_client_blob(g.client, digest, bytes, &out, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(out.bytes, bytes);
	assert_memory_equal(out.at, big, bytes);
	assert_int_equal(g.script.heard, 3);
	assert_int_equal(cli_client_blob(g.client, digest, bytes - 1, &out, &err), -1);
	assert_int_equal(err.code, RV_E_LIMIT);
	digest[0] ^= 1;
	rv_buf_reset(&out);
	assert_int_equal(cli_client_blob(g.client, digest, bytes, &out, &err), -1);
	assert_int_equal(err.code, RV_E_CORRUPT);
	SCRIPT_SET(&g.script, blob, rv_str(big, 0));
	rv_digest(g.script.blob, digest);
	rv_buf_reset(&out);
	assert_int_equal(cli_client_blob(g.client, digest, bytes, &out, &err), 0);
	assert_int_equal(out.bytes, 0);
	SCRIPT_SET(&g.script, blob, rv_str(NULL, 0));
	assert_int_equal(cli_client_blob(g.client, digest, bytes, &out, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	rv_buf_release(&out);
	rig_close(&g);
	free(big);
}

static void what_is_near_is_found(void **state)
{
	char home[512], deep[1024], dir[1100], was[4096];
	struct fake_coordinator *fake, *second;
	struct script script = { 0 };
	struct rv_err err = { 0 };
	struct cli_place place;
	enum cli_where where;
	char found[PATH_MAX];

	(void)state;
	assert_non_null(getcwd(was, sizeof(was)));
	(void)snprintf(home, sizeof(home), "%s", scratch_path());
	(void)snprintf(deep, sizeof(deep), "%s/a", home);
	assert_int_equal(mkdir(deep, 0700), 0);
	(void)snprintf(dir, sizeof(dir), "%s/.reeve", home);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chdir(deep), 0);
	assert_int_equal(setenv("XDG_CONFIG_HOME", home, 1), 0);
	assert_int_equal(cli_place_look(NULL, RV_STR(""), &where, &place, found, &err), 0);
	assert_int_equal(where, CLI_IN_DIRECTORY);
	assert_string_equal(found, "");
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	/* a live run */
	(void)snprintf(dir, sizeof(dir), "%s/.reeve/runs", home);
	assert_int_equal(mkdir(dir, 0700), 0);
	(void)snprintf(dir, sizeof(dir), "%s/.reeve/runs/6c0aaaaaaa", home);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR("6c0aaaaaaa"), &place, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	assert_non_null(strstr(err.msg, "no process any more"));
	fake = fake_coordinator_start(dir, on_message, &script);
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, &err), 0);
	assert_int_equal(place.kind, CLI_PLACE_RUN);
	assert_string_equal(place.run.text, "6c0aaaaaaa");
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_NO_RUNS, RV_STR(""), &place, &err), -1);
	/* two of them: one has to be named */
	(void)snprintf(dir, sizeof(dir), "%s/.reeve/runs/6c0bbbbbbb", home);
	assert_int_equal(mkdir(dir, 0700), 0);
	second = fake_coordinator_start(dir, on_message, &script);
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, &err), -1);
	assert_int_equal(err.code, RV_E_CONFLICT);
	assert_non_null(strstr(err.msg, "6c0aaaaaaa, 6c0bbbbbbb"));
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR("6C0B"), &place, &err), 0);
	assert_string_equal(place.run.text, "6c0bbbbbbb");
	/* its own directory names it, too */
	assert_int_equal(cli_place_find(dir, CLI_PLACE_NO_RUNS, RV_STR(""), &place, &err), 0);
	assert_int_equal(place.kind, CLI_PLACE_RUN);
	fake_coordinator_stop(&second);
	fake_coordinator_stop(&fake);
	/* a coordinator goes before runs */
	(void)snprintf(dir, sizeof(dir), "%s/.reeve", home);
	fake = fake_coordinator_start(dir, on_message, &script);
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, &err), 0);
	assert_int_equal(place.kind, CLI_PLACE_COORDINATOR);
	assert_int_equal(cli_place_look(NULL, RV_STR(""), &where, &place, found, &err), 0);
	assert_int_equal(where, CLI_AT_COORDINATOR);
	assert_string_equal(place.dir, dir);
	/* but for a run that is named and lies beside it */
	assert_int_equal(cli_place_look(NULL, RV_STR("6c0a"), &where, &place, found, &err), 0);
	assert_int_equal(where, CLI_IN_DIRECTORY);
	assert_string_equal(found, dir);
	/* what is named goes before what is near */
	assert_int_equal(setenv("REEVE_COORDINATOR", "tcp://127.0.0.1:7700", 1), 0);
	assert_int_equal(cli_place_find(NULL, CLI_PLACE_RUNS, RV_STR(""), &place, &err), 0);
	assert_int_equal(place.kind, CLI_PLACE_TCP);
	assert_int_equal(cli_place_find("/no/such/place", CLI_PLACE_RUNS, RV_STR(""), &place, &err), -1);
	assert_int_equal(err.code, RV_E_UNREACHABLE);
	assert_int_equal(cli_place_find("http://x", CLI_PLACE_RUNS, RV_STR(""), &place, &err), -1);
	assert_int_equal(err.code, RV_E_USAGE);
	assert_int_equal(unsetenv("REEVE_COORDINATOR"), 0);
	fake_coordinator_stop(&fake);
	assert_int_equal(chdir(was), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_question_gets_its_answer, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_refusal_is_an_error_of_its_code, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(an_unanswered_question_is_asked_again, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(silence_ends, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(it_goes_on_after_a_restart, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(who_is_not_there_is_unreachable, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_run_that_has_ended_is_not_waited_for, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(an_interrupt_ends_a_call, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_blob_comes_in_pieces_and_is_checked, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(what_is_near_is_found, scratch_make, scratch_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
