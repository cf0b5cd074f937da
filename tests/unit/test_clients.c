/* test_clients.c - what a coordinator answers to clients, and to nodes about blobs and logs: frames in, frames out, a real journal */
#include "tests/lib/scratch.h"
#include "tests/lib/test.h"

#include "common/limits.h"
#include "common/os/blobs.h"
#include "common/os/clock.h"
#include "common/os/keys.h"
#include "coordinator/clients/clients.h"
#include "proto/transfer.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <string.h>

#define ANNE 0x100000001u
#define BOB 0x100000002u
#define NODE 0x100000009u

static const struct coord_peer_identity operator_ = { .roles = PROTO_ROLE_OPERATOR, .trusted = true };
static const struct coord_peer_identity node_ = { .roles = PROTO_ROLE_NODE, .trusted = true };

enum { FRAMES = 4096 };

struct desk {
	struct rv_blobs blobs;
	struct coord_clients *clients;
	struct coord_shell *shell;
	struct proto_frame_writer writer;
	struct proto_frame_reader *reader;
	struct {
		uint64_t peer;
		struct rv_buf frame;
		uint64_t given; /* bits of its messages that were */
	} sent[FRAMES];
	uint32_t sent_count;
	uint64_t now_us;
	enum coord_clients_duty duty;
	uint32_t runs_ended_max;
	enum journal_durability durability; /* 0: JOURNAL_PROCESS */
};

/* --- the shell's ops --- */

static int send_frame(void *arg, uint64_t peer, struct rv_str frame)
{
	struct desk *d = arg;

	assert_true(d->sent_count < FRAMES);
	d->sent[d->sent_count].peer = peer;
	d->sent[d->sent_count].given = 0;
	rv_buf_init(&d->sent[d->sent_count].frame, 0);
	assert_int_equal(rv_buf_put_str(&d->sent[d->sent_count].frame, frame), 0);
	d->sent_count++;
	return 0;
}

static void on_message(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	coord_clients_on_message(((struct desk *)arg)->clients, peer, who, m);
}

static void on_denied(void *arg, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	coord_clients_on_denied(((struct desk *)arg)->clients, peer, who, m);
}

static bool on_result(void *arg, uint64_t peer, const struct proto_msg *m)
{
	return coord_clients_on_result(((struct desk *)arg)->clients, peer, m);
}

static void on_fact(void *arg, const struct proto_fact *f, uint64_t real_us, bool replayed)
{
	coord_clients_on_fact(((struct desk *)arg)->clients, f, real_us, replayed);
}

static void on_transition(void *arg, const struct coord *core, const struct coord_transition *t, uint64_t position, uint32_t index, bool replayed)
{
	(void)core;
	(void)index;
	coord_clients_on_transition(((struct desk *)arg)->clients, t, position, replayed);
}

static void on_durable(void *arg, uint64_t position)
{
	coord_clients_durable(((struct desk *)arg)->clients, position);
}

static void on_reply(void *arg, uint64_t client, bool done_before, uint32_t changed)
{
	coord_clients_on_reply(((struct desk *)arg)->clients, client, done_before, changed);
}

static void on_run_gone(void *arg, uint64_t run)
{
	coord_clients_on_run_gone(((struct desk *)arg)->clients, run);
}

/* --- a desk --- */

static void turn(struct desk *d)
{
	struct rv_err err;

	coord_clients_turn(d->clients, d->now_us, rv_clock_realtime_us());
	assert_int_equal(coord_shell_turn(d->shell, d->now_us, rv_clock_realtime_us(), &err), 0);
}

static void desk_open(struct desk *d)
{
	struct coord_clients_config clients = { .state_dir = scratch("c"), .duty = d->duty, .blobs = &d->blobs, .version = "0", .what = "coordinator" };
	struct coord_shell_config cfg;

	d->now_us = rv_clock_boottime_us();
	(void)mkdir(scratch("c"), 0700);
	assert_int_equal(rv_blobs_open(&d->blobs, scratch("c/blobs"), RV_BLOBS_NOSYNC, 0, NULL), 0);
	assert_int_equal(coord_clients_create(&d->clients, &clients, NULL), 0);
	coord_shell_config_init(&cfg);
	cfg.state_dir = scratch("c");
	cfg.blobs = &d->blobs;
	cfg.runs_ended_max = d->runs_ended_max;
	if (d->durability)
		cfg.durability = d->durability;
	cfg.core.prefetch_us = 0;
	cfg.ops = (struct coord_shell_ops){ .send = send_frame, .message = on_message, .denied = on_denied, .result = on_result, .fact = on_fact,
					    .transition = on_transition, .durable = on_durable, .reply = on_reply, .run_gone = on_run_gone };
	cfg.arg = d;
	assert_int_equal(coord_shell_open(&cfg, d->now_us, rv_clock_realtime_us(), &d->shell, NULL), 0);
	assert_int_equal(coord_clients_serve(d->clients, d->shell, d->now_us, NULL), 0);
	proto_frame_writer_init(&d->writer);
	d->reader = proto_frame_reader_create();
	turn(d);
}

static void desk_close(struct desk *d)
{
	coord_clients_destroy(&d->clients);
	coord_shell_close(&d->shell);
	rv_blobs_close(&d->blobs);
	proto_frame_writer_release(&d->writer);
	proto_frame_reader_destroy(&d->reader);
	for (uint32_t i = 0; i < d->sent_count; i++)
		rv_buf_release(&d->sent[i].frame);
	d->sent_count = 0;
}

/* A peer says something, in the middle of a turn. */
static void put(struct desk *d, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	struct rv_buf frame;
	struct rv_err err = { 0 };

	rv_buf_init(&frame, 0);
	assert_int_equal(proto_frame_add(&d->writer, m, &err), 0);
	assert_int_equal(proto_frame_finish(&d->writer, &frame), 0);
	assert_int_equal(coord_shell_on_frame(d->shell, peer, who, rv_buf_str(&frame), d->now_us, rv_clock_realtime_us(), &err), 0);
	rv_buf_release(&frame);
}

/* The same; the coordinator takes a turn. */
static void say(struct desk *d, uint64_t peer, const struct coord_peer_identity *who, const struct proto_msg *m)
{
	put(d, peer, who, m);
	turn(d);
}

/* The first message of that kind to the peer that was not given before; false: there is none. */
static bool heard(struct desk *d, uint64_t peer, enum proto_msg_kind kind, struct proto_msg *m)
{
	for (uint32_t i = 0; i < d->sent_count; i++) {
		struct rv_err err;

		if (d->sent[i].peer != peer)
			continue;
		assert_int_equal(proto_frame_open(d->reader, rv_buf_str(&d->sent[i].frame), proto_msg_direction(kind), &err), 0);
		for (uint32_t k = 0; proto_frame_next(d->reader, m, &err) == 1; k++) {
			if (m->kind != kind || d->sent[i].given >> k & 1)
				continue;
			assert_true(k < 64);
			d->sent[i].given |= (uint64_t)1 << k;
			return true;
		}
	}
	return false;
}

#define want(d, peer, kind, m) assert_true(heard(d, peer, kind, m))

static void want_refused(struct desk *d, uint64_t peer, enum rv_code code, const char *part)
{
	struct proto_msg m;

	want(d, peer, PROTO_REFUSED, &m);
	assert_int_equal(m.refused.code, code);
	assert_non_null(memmem(m.refused.message.at, m.refused.message.bytes, part, strlen(part)));
}

/* --- uploads --- */

static void begin(struct desk *d, uint64_t peer, uint64_t submission, size_t bytes)
{
	struct proto_msg m = { .kind = PROTO_SUBMIT_BEGIN };

	m.submit_begin = (struct proto_submit_begin){ .request = 1, .submission = submission, .bytes = bytes, .workspace_id = RV_STR("") };
	say(d, peer, &operator_, &m);
}

/* An open run's plan, or units for a run. */
static void begin_for(struct desk *d, uint64_t submission, size_t bytes, uint64_t add_to, bool open)
{
	struct proto_msg m = { .kind = PROTO_SUBMIT_BEGIN };

	m.submit_begin = (struct proto_submit_begin){ .request = 1, .submission = submission, .bytes = bytes, .add_to = add_to, .open = open };
	say(d, ANNE, &operator_, &m);
}

static void data(struct desk *d, uint64_t peer, uint64_t submission, uint64_t offset, struct rv_str bytes)
{
	struct proto_msg m = { .kind = PROTO_SUBMIT_DATA };

	m.submit_data = (struct proto_submit_data){ .request = 2, .submission = submission, .offset = offset, .bytes = bytes };
	say(d, peer, &operator_, &m);
}

static void commit(struct desk *d, uint64_t peer, uint64_t submission, struct rv_str bytes)
{
	struct proto_msg m = { .kind = PROTO_SUBMIT_COMMIT };

	m.submit_commit = (struct proto_submit_commit){ .request = 3, .submission = submission };
	rv_digest(bytes, m.submit_commit.digest);
	say(d, peer, &operator_, &m);
}

/* Until the thread has done what it was given. */
static void wait_for_the_thread(struct desk *d)
{
	struct pollfd p = { .fd = coord_clients_fd(d->clients), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 20000), 1);
	turn(d);
}

/* Where commits are not inline. */
static void turn_when_durable(struct desk *d)
{
	struct pollfd p = { .fd = coord_shell_journal_fd(d->shell), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_int_equal(coord_shell_journal_poll(d->shell, NULL), 0);
	turn(d);
}

static uint64_t submit(struct desk *d, uint64_t peer, uint64_t submission, const char *plan)
{
	struct rv_str bytes = rv_str_of(plan);
	struct proto_msg m;

	begin(d, peer, submission, bytes.bytes);
	want(d, peer, PROTO_SUBMITTED, &m);
	data(d, peer, submission, 0, bytes);
	want(d, peer, PROTO_SUBMITTED, &m);
	assert_int_equal(m.submitted.offset, bytes.bytes);
	assert_int_equal(m.submitted.run, 0);
	commit(d, peer, submission, bytes);
	wait_for_the_thread(d);
	while (!heard(d, peer, PROTO_SUBMITTED, &m))
		turn_when_durable(d);
	assert_true(m.submitted.run != 0);
	return m.submitted.run;
}

static uint64_t submit_open(struct desk *d, uint64_t submission, const char *plan)
{
	struct rv_str bytes = rv_str_of(plan);
	struct proto_msg m;

	begin_for(d, submission, bytes.bytes, 0, true);
	data(d, ANNE, submission, 0, bytes);
	commit(d, ANNE, submission, bytes);
	wait_for_the_thread(d);
	do
		want(d, ANNE, PROTO_SUBMITTED, &m);
	while (!m.submitted.run);
	return m.submitted.run;
}

#define PLAN_ONE "{\"version\":1,\"name\":\"one\"}\n{\"id\":\"a\",\"command\":[\"true\"]}\n{\"id\":\"b\",\"command\":[\"true\"],\"depends_on\":[\"a\"]}\n"

static void a_plan_in_pieces_becomes_a_run_once_whoever_hands_it_over_again(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct rv_str plan = RV_STR(PLAN_ONE);
	struct proto_msg m;
	uint64_t run;

	(void)state;
	desk_open(d);
	begin(d, ANNE, 77, plan.bytes);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	assert_int_equal(m.submitted.offset, 0);
	data(d, ANNE, 77, 0, rv_str(plan.at, 10));
	data(d, ANNE, 77, 0, rv_str(plan.at, 10)); /* again: had already */
	data(d, ANNE, 77, 20, rv_str(plan.at + 20, 5)); /* from further on */
	for (int i = 0; i < 3; i++) {
		want(d, ANNE, PROTO_SUBMITTED, &m);
		assert_int_equal(m.submitted.offset, 10);
	}
	begin(d, BOB, 77, plan.bytes); /* its link broke: it goes on */
	want(d, BOB, PROTO_SUBMITTED, &m);
	assert_int_equal(m.submitted.offset, 10);
	commit(d, BOB, 77, plan); /* not all is there */
	want(d, BOB, PROTO_SUBMITTED, &m);
	assert_int_equal(m.submitted.offset, 10);
	assert_int_equal(m.submitted.run, 0);
	data(d, BOB, 77, 10, rv_str(plan.at + 10, plan.bytes - 10));
	want(d, BOB, PROTO_SUBMITTED, &m);
	commit(d, BOB, 77, plan);
	wait_for_the_thread(d);
	want(d, BOB, PROTO_SUBMITTED, &m);
	run = m.submitted.run;
	assert_true(run != 0);

	commit(d, ANNE, 77, plan);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	assert_true(m.submitted.run == run);
	desk_close(d);
	desk_open(d); /* and after a restart */
	begin(d, ANNE, 77, plan.bytes);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	assert_true(m.submitted.run == run);
	commit(d, ANNE, 77, plan);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	assert_true(m.submitted.run == run);
	assert_int_equal(coord_shell_runs(d->shell)->count, 1);
	desk_close(d);
	free(d);
}

static void a_plan_that_is_not_right_is_refused_with_all_that_is_wrong(void **state)
{
	static const char bad[] = "{\"version\":1,\"name\":\"bad\"}\n{\"id\":\"a\",\"command\":[\"true\"],\"depends_on\":[\"nobody\"]}\n"
				  "{\"id\":\"b\",\"command\":[]}\n{\"id\":\"c\",\"prompt_file\":\"/etc/passwd\",\"agent\":\"mock\"}\n";
	struct desk *d = calloc(1, sizeof *d);
	struct rv_str plan = rv_str_of(bad);
	struct proto_msg m;

	(void)state;
	desk_open(d);
	begin(d, ANNE, 5, plan.bytes);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	data(d, ANNE, 5, 0, plan);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	commit(d, ANNE, 5, plan);
	wait_for_the_thread(d);
	want(d, ANNE, PROTO_REFUSED, &m);
	assert_int_equal(m.refused.code, RV_E_PLAN);
	assert_non_null(memmem(m.refused.message.at, m.refused.message.bytes, "E_DEP_UNKNOWN", 13));
	assert_non_null(memmem(m.refused.message.at, m.refused.message.bytes, "E_COMMAND_EMPTY", 15));
	assert_non_null(memmem(m.refused.message.at, m.refused.message.bytes, "names no files", 14));
	assert_int_equal(coord_shell_runs(d->shell)->count, 0);
	submit(d, ANNE, 5, PLAN_ONE); /* the id is free again */
	desk_close(d);
	free(d);
}

static void uploads_are_bounded_checked_and_do_not_stay(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct coord_clients_stats stats;
	struct proto_msg m;

	(void)state;
	desk_open(d);
	begin(d, ANNE, 1, RV_UPLOAD_BYTES_MAX + 1);
	want_refused(d, ANNE, RV_E_LIMIT, "limit");
	data(d, ANNE, 99, 0, RV_STR("x"));
	want_refused(d, ANNE, RV_E_NOT_FOUND, "no such submission");
	begin(d, ANNE, 1, 4);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	data(d, ANNE, 1, 0, RV_STR("12345"));
	want_refused(d, ANNE, RV_E_USAGE, "announced");
	begin(d, ANNE, 1, 5);
	want_refused(d, ANNE, RV_E_CONFLICT, "4 bytes");
	data(d, ANNE, 1, 0, RV_STR("1234"));
	want(d, ANNE, PROTO_SUBMITTED, &m);
	commit(d, ANNE, 1, RV_STR("4321"));
	want_refused(d, ANNE, RV_E_CORRUPT, "digests differ");
	for (uint64_t i = 0; i < RV_UPLOADS_MAX; i++) {
		begin(d, ANNE, 100 + i, 10);
		want(d, ANNE, PROTO_SUBMITTED, &m);
	}
	begin(d, ANNE, 500, 10);
	want_refused(d, ANNE, RV_E_BUSY, "16 plans");
	/* whoever has sent nothing for a while gives way, the one who is at it longest first; the others go on */
	d->now_us = rv_clock_boottime_us() + RV_UPLOAD_STALLED_US + 1;
	turn(d);
	begin(d, ANNE, 500, 10);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	data(d, ANNE, 100, 0, RV_STR("x"));
	want_refused(d, ANNE, RV_E_NOT_FOUND, "no such submission");
	data(d, ANNE, 101, 0, RV_STR("x"));
	want(d, ANNE, PROTO_SUBMITTED, &m);
	assert_int_equal(m.submitted.offset, 1);
	assert_true(coord_clients_next_deadline(d->clients) <= rv_clock_boottime_us() + RV_UPLOAD_IDLE_US);
	d->now_us = rv_clock_boottime_us() + RV_UPLOAD_IDLE_US + 1;
	turn(d);
	coord_clients_stats(d->clients, &stats);
	assert_int_equal(stats.uploads_expired, 1 + RV_UPLOADS_MAX);
	begin(d, ANNE, 501, 10);
	want(d, ANNE, PROTO_SUBMITTED, &m);
	desk_close(d);
	free(d);
}

/* --- acts --- */

static struct proto_msg act_of(uint64_t id, enum proto_mutation what, uint64_t run, const char *unit, const char *node)
{
	struct proto_msg m = { .kind = PROTO_ACT };

	m.act = (struct proto_act){ .request = 9, .id = id, .what = (uint32_t)what, .run = run, .unit = rv_str_of(unit), .node = rv_str_of(node),
				    .value = -1, .note = RV_STR("") };
	return m;
}

static void act(struct desk *d, uint64_t peer, const struct coord_peer_identity *who, uint64_t id, enum proto_mutation what, uint64_t run, const char *unit,
		const char *node)
{
	struct proto_msg m = act_of(id, what, run, unit, node);

	say(d, peer, who, &m);
}

static void an_act_is_done_once_and_stays_done(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m;
	uint64_t run;

	(void)state;
	desk_open(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	act(d, ANNE, &operator_, 11, PROTO_MUT_PAUSE, run, "", "");
	want(d, ANNE, PROTO_DONE, &m);
	assert_false(m.done.done_before);
	assert_int_equal(m.done.changed, 1);
	act(d, BOB, &operator_, 11, PROTO_MUT_PAUSE, run, "", "");
	want(d, BOB, PROTO_DONE, &m);
	assert_true(m.done.done_before);
	act(d, ANNE, &operator_, 12, PROTO_MUT_HOLD, run, "nobody", "");
	want_refused(d, ANNE, RV_E_NOT_FOUND, "nobody");
	act(d, ANNE, &operator_, 12, PROTO_MUT_HOLD, run, "", "");
	want_refused(d, ANNE, RV_E_USAGE, "unit is missing");
	act(d, ANNE, &operator_, 12, PROTO_MUT_DRAIN, 0, "", "n1");
	want_refused(d, ANNE, RV_E_NOT_FOUND, "n1");
	act(d, ANNE, &operator_, 13, PROTO_MUT_CANCEL, 12345, "", "");
	want_refused(d, ANNE, RV_E_NOT_FOUND, "no run");
	act(d, ANNE, &node_, 14, PROTO_MUT_CANCEL, run, "", "");
	want_refused(d, ANNE, RV_E_DENIED, "role");
	act(d, ANNE, &operator_, 15, PROTO_MUT_CANCEL, run, "", "");
	want(d, ANNE, PROTO_DONE, &m);
	assert_false(m.done.done_before);
	assert_int_equal(coord_run_state(coord_shell_core(d->shell), run, NULL), COORD_RUN_CANCELLED);
	desk_close(d);
	desk_open(d);
	act(d, ANNE, &operator_, 15, PROTO_MUT_CANCEL, run, "", "");
	want(d, ANNE, PROTO_DONE, &m);
	assert_true(m.done.done_before);
	desk_close(d);
	free(d);
}

/* --- facts --- */

static void facts(struct desk *d, uint64_t peer, uint64_t run, uint64_t from, uint32_t index, uint32_t bytes_max, uint32_t wait_ms)
{
	struct proto_msg m = { .kind = PROTO_FACTS };

	m.facts = (struct proto_facts){ .request = 4, .run = run, .from = from, .from_index = index, .notes_from = UINT64_MAX, .bytes_max = bytes_max,
					.wait_ms = wait_ms };
	say(d, peer, &operator_, &m);
}

/* Everything a run's reader gets, a record a request. */
static void facts_come_of_one_run_whole_and_once_however_small_the_pieces(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	uint64_t one, two, position = 0;
	uint32_t index = 0, accepted = 0, mutations = 0, epochs = 0, others = 0, rounds = 0;
	bool ended = false;
	struct proto_msg m;

	(void)state;
	desk_open(d);
	one = submit(d, ANNE, 1, PLAN_ONE);
	two = submit(d, ANNE, 2, PLAN_ONE);
	act(d, ANNE, &operator_, 20, PROTO_MUT_PAUSE, one, "", "");
	act(d, ANNE, &operator_, 21, PROTO_MUT_PAUSE, two, "", "");
	act(d, ANNE, &operator_, 22, PROTO_MUT_CANCEL, one, "", "");
	while (!ended && rounds++ < 100) {
		facts(d, BOB, one, position, index, 1, 0);
		want(d, BOB, PROTO_FACT_ROWS, &m);
		for (uint32_t i = 0; i < m.fact_rows.piece_count; i++) {
			struct rv_str at = m.fact_rows.pieces[i].records;
			struct proto_fact_head head;

			while (proto_fact_peek(&at, &head, NULL) == 1) {
				accepted += head.kind == PROTO_FACT_RUN_ACCEPTED;
				mutations += head.kind == PROTO_FACT_MUTATION;
				epochs += head.kind == PROTO_FACT_EPOCH;
				others += head.run && head.run != one;
			}
		}
		assert_true(m.fact_rows.next > position || m.fact_rows.next_index > index);
		position = m.fact_rows.next;
		index = m.fact_rows.next_index;
		ended = m.fact_rows.ended;
	}
	assert_true(ended);
	assert_int_equal(accepted, 1);
	assert_int_equal(mutations, 2);
	assert_int_equal(epochs, 1); /* one a start */
	assert_int_equal(others, 0);
	facts(d, BOB, 999, 0, 0, 1000, 0);
	want_refused(d, BOB, RV_E_NOT_FOUND, "no run");
	desk_close(d);
	free(d);
}

/* In one frame, as many as it holds: the loop must come to its other work. */
static void of_one_peer_a_bounded_number_of_requests_is_done_in_a_turn(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct coord_clients_stats stats;
	struct proto_msg m = { .kind = PROTO_FACTS };
	struct rv_buf frame;

	(void)state;
	desk_open(d);
	rv_buf_init(&frame, 0);
	m.facts = (struct proto_facts){ .request = 4, .from = 1u << 30, .notes_from = UINT64_MAX, .bytes_max = 1000 };
	for (int i = 0; i < 1000; i++)
		assert_int_equal(proto_frame_add(&d->writer, &m, NULL), 0);
	assert_int_equal(proto_frame_finish(&d->writer, &frame), 0);
	assert_int_equal(coord_shell_on_frame(d->shell, BOB, &operator_, rv_buf_str(&frame), d->now_us, rv_clock_realtime_us(), NULL), 0);
	rv_buf_release(&frame);
	coord_clients_stats(d->clients, &stats);
	assert_int_equal(stats.requests, 1000);
	assert_true(stats.refused >= 1000 - RV_CLIENT_ANSWER_BYTES / 65536);
	facts(d, ANNE, 0, 0, 0, 1000, 0);
	want(d, ANNE, PROTO_FACT_ROWS, &m); /* others are not the worse for it */
	turn(d);
	facts(d, BOB, 0, 0, 0, 1000, 0);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	desk_close(d);
	free(d);
}

/* Whoever asks for units that are not there has every unit of the run looked at. */
static void of_one_peer_a_bounded_number_of_units_is_looked_for_in_a_turn(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m = { .kind = PROTO_ASK };
	struct rv_buf plan, frame;
	uint32_t busy = 0, unknown = 0;

	(void)state;
	desk_open(d);
	rv_buf_init(&plan, 0);
	assert_int_equal(rv_buf_puts(&plan, "{\"version\":1,\"name\":\"many\"}\n{\"id\":\"m\",\"command\":[\"true\"],\"for_each\":{\"count\":1000000}}\n"), 0);
	m.ask = (struct proto_ask){ .request = 4, .what = PROTO_ASK_EXPLAIN, .unit = RV_STR("nobody"), .limit = 1 };
	m.ask.run = submit(d, ANNE, 1, plan.at);
	rv_buf_release(&plan);
	rv_buf_init(&frame, 0);
	for (int i = 0; i < 60; i++)
		assert_int_equal(proto_frame_add(&d->writer, &m, NULL), 0);
	assert_int_equal(proto_frame_finish(&d->writer, &frame), 0);
	assert_int_equal(coord_shell_on_frame(d->shell, BOB, &operator_, rv_buf_str(&frame), d->now_us, rv_clock_realtime_us(), NULL), 0);
	rv_buf_release(&frame);
	turn(d);
	while (heard(d, BOB, PROTO_REFUSED, &m)) {
		busy += m.refused.code == RV_E_BUSY;
		unknown += m.refused.code == RV_E_NOT_FOUND;
	}
	assert_in_range(unknown, 1, 2);
	assert_int_equal(unknown + busy, 60);
	desk_close(d);
	free(d);
}

static void who_waits_is_answered_when_something_happens_or_the_time_is_over(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct coord_clients_stats stats;
	struct proto_msg m;
	uint64_t run, next, now_us;

	(void)state;
	desk_open(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	facts(d, BOB, run, 0, 0, 100000, 0);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	next = m.fact_rows.next;
	facts(d, BOB, run, next, 0, 100000, 30000);
	assert_false(heard(d, BOB, PROTO_FACT_ROWS, &m));
	coord_clients_stats(d->clients, &stats);
	assert_int_equal(stats.waiting, 1);
	act(d, ANNE, &operator_, 30, PROTO_MUT_PAUSE, run, "", "");
	turn(d);
	assert_false(heard(d, BOB, PROTO_FACT_ROWS, &m)); /* not before a few milliseconds have passed */
	d->now_us = rv_clock_boottime_us() + 30000;
	turn(d);
	turn(d);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	assert_int_equal(m.fact_rows.piece_count, 1);
	next = m.fact_rows.next;
	facts(d, BOB, run, next, 0, 100000, 1000);
	assert_false(heard(d, BOB, PROTO_FACT_ROWS, &m));
	d->now_us = rv_clock_boottime_us() + 2000000;
	turn(d);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	assert_int_equal(m.fact_rows.piece_count, 0);
	assert_false(m.fact_rows.ended);
	now_us = rv_clock_boottime_us();
	for (uint32_t i = 0; i < RV_CLIENT_WAITING_PEER_MAX; i++)
		facts(d, BOB, run, next, 0, 100000, 30000);
	assert_false(heard(d, BOB, PROTO_REFUSED, &m));
	facts(d, BOB, run, next, 0, 100000, 30000);
	want_refused(d, BOB, RV_E_BUSY, "too many");
	d->now_us = now_us;
	act(d, ANNE, &operator_, 31, PROTO_MUT_CANCEL, run, "", "");
	assert_int_equal(coord_clients_next_deadline(d->clients), 0);
	turn(d);
	want(d, BOB, PROTO_FACT_ROWS, &m); /* the run's end at once */
	assert_true(m.fact_rows.ended);
	desk_close(d);
	free(d);
}

/* Between the fact and its row: a client that asks then would never hear how it ended. */
static void a_run_is_not_told_over_before_the_row_that_says_so(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m;
	uint64_t run, next;

	(void)state;
	desk_open(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	facts(d, BOB, run, 0, 0, 100000, 0);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	next = m.fact_rows.next;
	m = act_of(31, PROTO_MUT_CANCEL, run, "", "");
	put(d, ANNE, &operator_, &m);
	facts(d, BOB, run, next, 0, 100000, 0);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	assert_false(m.fact_rows.ended);
	facts(d, BOB, run, m.fact_rows.next, 0, 100000, 0);
	want(d, BOB, PROTO_FACT_ROWS, &m);
	assert_true(m.fact_rows.ended);
	assert_true(m.fact_rows.piece_count > 0);
	desk_close(d);
	free(d);
}

/* --- ended runs --- */

static void ended_runs_leave_memory_and_stay_readable(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m;
	uint64_t run[4];

	(void)state;
	d->runs_ended_max = 2;
	desk_open(d);
	for (uint64_t i = 0; i < 4; i++) {
		run[i] = submit(d, ANNE, 1 + i, PLAN_ONE);
		act(d, ANNE, &operator_, 40 + i, PROTO_MUT_CANCEL, run[i], "", "");
		turn(d);
	}
	for (int again = 0; again < 2; again++) {
		assert_null(coord_run_graph(coord_shell_core(d->shell), run[0]));
		assert_null(coord_run_graph(coord_shell_core(d->shell), run[1]));
		assert_non_null(coord_run_graph(coord_shell_core(d->shell), run[2]));
		assert_non_null(coord_run_graph(coord_shell_core(d->shell), run[3]));
		assert_int_equal(coord_shell_runs(d->shell)->count, 4);
		assert_str(coord_runlist_find(coord_shell_runs(d->shell), run[0])->state, "cancelled");
		facts(d, BOB, run[0], 0, 0, 100000, 0);
		want(d, BOB, PROTO_FACT_ROWS, &m);
		assert_true(m.fact_rows.ended);
		act(d, ANNE, &operator_, 60, PROTO_MUT_PAUSE, run[0], "", "");
		want_refused(d, ANNE, RV_E_CONFLICT, "ended long ago");
		act(d, BOB, &operator_, 40, PROTO_MUT_CANCEL, run[0], "", ""); /* its id is known still */
		want(d, BOB, PROTO_DONE, &m);
		assert_true(m.done.done_before);
		begin(d, BOB, 1, 10);
		want(d, BOB, PROTO_SUBMITTED, &m);
		assert_true(m.submitted.run == run[0]);
		desk_close(d);
		desk_open(d);
	}
	desk_close(d);
	free(d);
}

/* --- blobs of a result --- */

static void join(struct desk *d)
{
	struct proto_msg m = { .kind = PROTO_HELLO };

	m.hello.node.name = RV_STR("n1");
	m.hello.node.key[0] = 1;
	m.hello.node.boot_id[0] = 1;
	m.hello.node.incarnation = 1;
	m.hello.node.slots = 1;
	m.hello.node.kill_level = RV_STR("cgroup");
	m.hello.n = 1;
	m.hello.last = true;
	say(d, NODE, &node_, &m);
	want(d, NODE, PROTO_WELCOME, &m);
}

/* A list says what was decided: nobody is told that it is so before it is written. */
static void a_list_is_told_once_what_it_says_is_durable(void **state)
{
	struct proto_msg m[2] = { { .kind = PROTO_ACT }, { .kind = PROTO_ASK } };
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg answer;
	struct rv_buf frame;
	uint64_t run;

	(void)state;
	d->durability = JOURNAL_POWER;
	desk_open(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	for (int i = 0; i < 6; i++) {
		m[0].act = (struct proto_act){ .request = 1, .id = 100u + (uint64_t)i, .what = i % 2 ? PROTO_MUT_UNPAUSE : PROTO_MUT_PAUSE, .run = run, .value = -1 };
		m[1].ask = (struct proto_ask){ .request = 2, .what = PROTO_ASK_RUNS, .run = run, .limit = 1 };
		rv_buf_init(&frame, 0);
		for (uint32_t k = 0; k < RV_ARRAY_LEN(m); k++)
			assert_int_equal(proto_frame_add(&d->writer, &m[k], NULL), 0);
		assert_int_equal(proto_frame_finish(&d->writer, &frame), 0);
		assert_int_equal(coord_shell_on_frame(d->shell, BOB, &operator_, rv_buf_str(&frame), d->now_us, rv_clock_realtime_us(), NULL), 0);
		rv_buf_release(&frame);
		turn(d);
		while (!heard(d, BOB, PROTO_ROWS, &answer))
			turn_when_durable(d);
		assert_non_null(memmem(answer.rows.rows[0].at, answer.rows.rows[0].bytes, i % 2 ? "\"running\"" : "\"paused\"", 8));
		want(d, BOB, PROTO_DONE, &answer);
	}
	desk_close(d);
	free(d);
}

/* Units for a run that goes while they wait for the thread; whoever waits behind them does not wait for something else to happen. */
static void an_upload_whose_run_is_gone_holds_up_nobody(void **state)
{
	static const char unit[] = "{\"id\":\"a\",\"command\":[\"true\"]}\n";
	struct proto_msg m[4] = { { .kind = PROTO_SUBMIT_COMMIT }, { .kind = PROTO_SUBMIT_COMMIT }, { .kind = PROTO_ACT }, { .kind = PROTO_ACT } };
	struct rv_str plan = RV_STR(PLAN_ONE), units = rv_str_of(unit);
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg answer;
	struct rv_buf frame;
	uint64_t run;

	(void)state;
	desk_open(d);
	run = submit_open(d, 1, PLAN_ONE);
	begin_for(d, 2, units.bytes, run, false);
	data(d, ANNE, 2, 0, units);
	begin(d, ANNE, 3, plan.bytes);
	data(d, ANNE, 3, 0, plan);
	m[0].submit_commit = (struct proto_submit_commit){ .request = 20, .submission = 2 };
	rv_digest(units, m[0].submit_commit.digest);
	m[1].submit_commit = (struct proto_submit_commit){ .request = 30, .submission = 3 };
	rv_digest(plan, m[1].submit_commit.digest);
	m[2].act = (struct proto_act){ .request = 40, .id = 40, .what = PROTO_MUT_CANCEL, .run = run, .value = -1 };
	m[3].act = (struct proto_act){ .request = 50, .id = 50, .what = PROTO_MUT_RM, .run = run, .value = -1 };
	rv_buf_init(&frame, 0);
	for (uint32_t i = 0; i < RV_ARRAY_LEN(m); i++)
		assert_int_equal(proto_frame_add(&d->writer, &m[i], NULL), 0);
	assert_int_equal(proto_frame_finish(&d->writer, &frame), 0);
	assert_int_equal(coord_shell_on_frame(d->shell, ANNE, &operator_, rv_buf_str(&frame), d->now_us, rv_clock_realtime_us(), NULL), 0);
	rv_buf_release(&frame);
	turn(d);
	want_refused(d, ANNE, RV_E_CONFLICT, "takes no more units");
	wait_for_the_thread(d);
	do
		want(d, ANNE, PROTO_SUBMITTED, &answer);
	while (!answer.submitted.run || answer.submitted.run == run);
	assert_int_equal(answer.submitted.submission, 3);
	desk_close(d);
	free(d);
}

static void an_act_that_names_what_it_is_not_for_changes_nothing(void **state)
{
	static const enum proto_mutation runs[] = { PROTO_MUT_PAUSE, PROTO_MUT_UNPAUSE, PROTO_MUT_RESUME, PROTO_MUT_SET_PRIORITY, PROTO_MUT_CLOSE, PROTO_MUT_RM };
	static const enum proto_mutation nodes[] = { PROTO_MUT_DRAIN, PROTO_MUT_UNDRAIN, PROTO_MUT_REMOVE };
	struct desk *d = calloc(1, sizeof *d);
	struct coord_run_counts n;
	uint64_t run;

	(void)state;
	desk_open(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	join(d);
	for (uint32_t i = 0; i < RV_ARRAY_LEN(nodes); i++) {
		act(d, ANNE, &operator_, 60 + i, nodes[i], 0, "b", "n1");
		want_refused(d, ANNE, RV_E_USAGE, "unit");
	}
	for (uint32_t i = 0; i < RV_ARRAY_LEN(runs); i++) {
		act(d, ANNE, &operator_, 50 + i, runs[i], run, "b", "");
		want_refused(d, ANNE, RV_E_USAGE, "as a whole");
	}
	coord_run_counts(coord_shell_core(d->shell), run, &n);
	assert_int_equal(n.active, 1);
	assert_int_equal(coord_run_state(coord_shell_core(d->shell), run, NULL), COORD_RUN_RUNNING);
	desk_close(d);
	free(d);
}

static struct proto_attempt_key dispatched(struct desk *d, uint64_t *epoch)
{
	struct proto_msg m;

	turn(d);
	want(d, NODE, PROTO_DISPATCH, &m);
	*epoch = m.dispatch.epoch;
	return m.dispatch.key;
}

static void result_with_output(struct desk *d, struct proto_attempt_key key, uint64_t epoch, struct rv_str output)
{
	struct proto_msg m = { .kind = PROTO_RESULT };

	m.result = (struct proto_result){ .key = key, .epoch = epoch, .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
	m.result.output = (struct proto_value){ .kind = PROTO_VALUE_BLOB, .blob_bytes = output.bytes };
	rv_digest(output, m.result.output.digest);
	m.result.error = m.result.enforcement = m.result.limits = RV_STR("");
	say(d, NODE, &node_, &m);
}

/* It is answered at once, as what it is: whatever it names may be large. */
static void blobs_of_a_result_that_cannot_count_are_not_asked_for(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct rv_str output = RV_STR("what nobody has");
	struct proto_attempt_key key, other;
	struct proto_msg m;
	uint64_t epoch;

	(void)state;
	desk_open(d);
	join(d);
	(void)submit(d, ANNE, 1, PLAN_ONE);
	key = dispatched(d, &epoch);
	for (int i = 0; i < 4; i++) {
		other = key;
		other.run += i == 0;
		other.unit += i == 1 ? 1 : i == 2 ? 7 : 0;
		other.attempt += i == 3;
		result_with_output(d, other, epoch, output);
		want(d, NODE, PROTO_RESULT_ACK, &m);
		assert_int_equal(m.result_ack.ack, PROTO_ACK_DUPLICATE);
	}
	turn(d);
	assert_false(heard(d, NODE, PROTO_BLOB_WANTED, &m));
	result_with_output(d, key, epoch, output);
	turn(d);
	want(d, NODE, PROTO_BLOB_WANTED, &m);
	desk_close(d);
	free(d);
}

static void a_result_counts_once_its_blobs_are_here(void **state)
{
	static char bytes[600000];
	struct desk *d = calloc(1, sizeof *d);
	struct rv_str output = rv_str(bytes, sizeof bytes);
	struct coord_clients_stats stats;
	struct proto_attempt_key key;
	struct proto_msg m, piece = { .kind = PROTO_BLOB_CHUNK };
	uint64_t run, epoch;
	int pieces = 0;

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	desk_open(d);
	join(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	key = dispatched(d, &epoch);
	result_with_output(d, key, epoch, output);
	result_with_output(d, key, epoch, output); /* again while it waits: once */
	assert_false(heard(d, NODE, PROTO_RESULT_ACK, &m));
	coord_clients_stats(d->clients, &stats);
	assert_int_equal(stats.results_kept, 1);
	while (heard(d, NODE, PROTO_BLOB_WANTED, &m)) {
		struct proto_blob_get get = m.blob_get;

		assert_false(heard(d, NODE, PROTO_RESULT_ACK, &m));
		piece.blob = (struct proto_blob_piece){ .request = get.request, .size = sizeof bytes, .offset = get.offset };
		memcpy(piece.blob.digest, get.digest, sizeof get.digest);
		piece.blob.bytes = rv_str(bytes + get.offset, rv_min_u64(PROTO_PIECE_BYTES_MAX, sizeof bytes - get.offset));
		say(d, NODE, &node_, &piece);
		turn(d);
		pieces++;
	}
	assert_int_equal(pieces, 3);
	want(d, NODE, PROTO_RESULT_ACK, &m);
	assert_int_equal(m.result_ack.ack, PROTO_ACK_ACCEPTED);
	assert_true(key.run == run);

	say(d, ANNE, &operator_, &(struct proto_msg){ .kind = PROTO_BLOB_GET, .blob_get = { .request = 8, .offset = sizeof bytes - 5,
							.digest = { piece.blob.digest[0] } } }); /* no such blob */
	want(d, ANNE, PROTO_BLOB_BYTES, &m);
	assert_true(m.blob.size == UINT64_MAX);
	m = (struct proto_msg){ .kind = PROTO_BLOB_GET, .blob_get = { .request = 8, .offset = sizeof bytes - 5 } };
	memcpy(m.blob_get.digest, piece.blob.digest, sizeof piece.blob.digest);
	say(d, ANNE, &operator_, &m);
	want(d, ANNE, PROTO_BLOB_BYTES, &m);
	assert_int_equal(m.blob.size, sizeof bytes);
	assert_str(m.blob.bytes, "xxxxx");
	desk_close(d);
	free(d);
}

/* --- artifacts of dependencies --- */

/* `count` artifacts, all of the same bytes, which are in the store. */
static void result_with_artifacts(struct desk *d, struct proto_attempt_key key, uint64_t epoch, enum proto_outcome outcome, uint32_t count, uint32_t flags)
{
	struct proto_artifact *items = calloc(count, sizeof *items);
	char (*names)[16] = calloc(count, sizeof *names);
	struct proto_msg m = { .kind = PROTO_RESULT };

	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof names[i], "f%u", i);
		items[i] = (struct proto_artifact){ .name = rv_str_of(names[i]), .bytes = 5 };
		assert_int_equal(rv_blobs_put(&d->blobs, RV_STR("bytes"), items[i].digest, NULL), 0);
	}
	m.result = (struct proto_result){ .key = key, .epoch = epoch, .outcome = outcome, .flags = PROTO_RESULT_STARTED | flags, .exit = outcome == PROTO_FAILED,
					  .artifacts = items, .artifact_count = count };
	m.result.class = outcome == PROTO_FAILED ? PROTO_CLASS_AGENT : PROTO_CLASS_NONE;
	m.result.error = m.result.enforcement = m.result.limits = RV_STR("");
	say(d, NODE, &node_, &m);
	free(names);
	free(items);
}

/* The next DISPATCH, of this unit. */
static struct proto_attempt_key dispatch_of(struct desk *d, const char *unit, struct proto_msg *m)
{
	turn(d);
	want(d, NODE, PROTO_DISPATCH, m);
	assert_str(m->dispatch.unit_id, unit);
	return m->dispatch.key;
}

static void a_dependent_with_a_namespace_is_told_of_artifacts(void **state)
{
	static const char plan[] = "{\"version\":1,\"name\":\"two\"}\n"
				   "{\"id\":\"a\",\"command\":[\"true\"],\"namespace\":\"always\",\"priority\":9}\n"
				   "{\"id\":\"bad\",\"command\":[\"true\"],\"namespace\":\"always\",\"priority\":8}\n"
				   "{\"id\":\"b\",\"command\":[\"true\"],\"namespace\":\"always\",\"priority\":7,\"depends_on\":[\"a\",\"bad\"],\"trigger_rule\":\"all_done\"}\n"
				   "{\"id\":\"c\",\"command\":[\"echo\",\"{{_dep_a}}\"],\"depends_on\":[\"a\"]}\n";
	struct desk *d = calloc(1, sizeof *d);
	const struct proto_artifact *items;
	struct proto_attempt_key key;
	struct rv_arena arena;
	struct proto_msg m;
	uint32_t count;

	(void)state;
	desk_open(d);
	join(d);
	(void)submit(d, ANNE, 1, plan);
	key = dispatch_of(d, "a", &m);
	result_with_artifacts(d, key, m.dispatch.epoch, PROTO_SUCCEEDED, 3, 0);
	key = dispatch_of(d, "bad", &m);
	result_with_artifacts(d, key, m.dispatch.epoch, PROTO_FAILED, 1, PROTO_RESULT_ARTIFACTS_CUT);
	for (int again = 0; again < 2; again++) {
		key = dispatch_of(d, "b", &m);
		assert_int_equal(m.dispatch.dep_count, 2);
		assert_int_equal(m.dispatch.deps[0].artifact_count, 3);
		assert_int_equal(m.dispatch.deps[0].attempt, 1);
		assert_false(m.dispatch.deps[0].artifacts_cut);
		assert_int_equal(m.dispatch.deps[1].artifact_count, 1); /* of one that failed, too */
		assert_false(m.dispatch.deps[1].succeeded);
		assert_int_equal(m.dispatch.deps[1].output.kind, PROTO_VALUE_NONE);
		assert_true(m.dispatch.deps[1].artifacts_cut);
		rv_arena_init(&arena, 0);
		assert_int_equal(proto_artifacts_decode(m.dispatch.deps[0].artifacts, &arena, &items, &count, NULL), 0);
		assert_int_equal(count, 3);
		assert_str(items[2].name, "f2");
		assert_int_equal(items[2].bytes, 5);
		rv_arena_release(&arena);
		if (again)
			break;
		desk_close(d); /* a coordinator that starts again finds them in its journal */
		desk_open(d);
		join(d);
	}
	result_with_artifacts(d, key, m.dispatch.epoch, PROTO_SUCCEEDED, 1, 0);
	(void)dispatch_of(d, "c", &m); /* it has nowhere to show them */
	assert_int_equal(m.dispatch.dep_count, 1);
	assert_int_equal(m.dispatch.deps[0].artifact_count, 0);
	desk_close(d);
	free(d);
}

static void more_artifacts_than_an_attempt_is_handed_are_not_listed(void **state)
{
	static const char plan[] = "{\"version\":1,\"name\":\"many\"}\n"
				   "{\"id\":\"t\",\"for_each\":{\"count\":6},\"command\":[\"true\"],\"namespace\":\"always\"}\n"
				   "{\"id\":\"b\",\"command\":[\"true\"],\"namespace\":\"always\",\"depends_on\":[\"t\"]}\n";
	struct desk *d = calloc(1, sizeof *d);
	const struct proto_dep *deps;
	struct rv_arena arena;
	struct rv_buf bytes;
	struct proto_msg m;
	uint32_t count;

	(void)state;
	rv_buf_init(&bytes, 0);
	rv_arena_init(&arena, 0);
	desk_open(d);
	join(d);
	(void)submit(d, ANNE, 1, plan);
	for (int i = 0; i < 6; i++) {
		struct proto_attempt_key key;

		turn(d);
		want(d, NODE, PROTO_DISPATCH, &m);
		key = m.dispatch.key;
		result_with_artifacts(d, key, m.dispatch.epoch, PROTO_SUCCEEDED, 4096, 0);
	}
	(void)dispatch_of(d, "b", &m);
	assert_int_equal(m.dispatch.deps_blob.kind, PROTO_VALUE_BLOB); /* few dependencies, and too large for a frame */
	assert_int_equal(rv_blobs_get_all(&d->blobs, m.dispatch.deps_blob.digest, RV_CONTEXT_BYTES_MAX, &bytes, NULL), 0);
	assert_int_equal(proto_deps_decode(rv_buf_str(&bytes), &arena, &deps, &count, NULL), 0);
	assert_int_equal(count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		assert_int_equal(deps[i].artifact_count, i < 5 ? 4096 : 0); /* the one that is too many is told: the node sees it */
		assert_int_equal(deps[i].artifacts_cut, i == 5);
	}
	rv_arena_release(&arena);
	rv_buf_release(&bytes);
	desk_close(d);
	free(d);
}

/* How many pieces the node was sent in answer to `asks` requests of one frame. */
static uint32_t answered(struct desk *d, const uint8_t *digest, uint32_t asks)
{
	struct proto_msg m = { .kind = PROTO_BLOB_GET };
	uint32_t from = d->sent_count, n = 0;
	struct rv_buf frame;

	rv_buf_init(&frame, 0);
	memcpy(m.blob_get.digest, digest, PROTO_DIGEST_BYTES);
	for (uint32_t i = 0; i < asks; i++) {
		m.blob_get.request = i + 1;
		assert_int_equal(proto_frame_add(&d->writer, &m, NULL), 0);
	}
	assert_int_equal(proto_frame_finish(&d->writer, &frame), 0);
	assert_int_equal(coord_shell_on_frame(d->shell, NODE, &node_, rv_buf_str(&frame), d->now_us, rv_clock_realtime_us(), NULL), 0);
	rv_buf_release(&frame);
	turn(d);
	for (; from < d->sent_count; from++) {
		assert_int_equal(proto_frame_open(d->reader, rv_buf_str(&d->sent[from].frame), PROTO_TO_NODE, NULL), 0);
		while (proto_frame_next(d->reader, &m, NULL) == 1)
			n += m.kind == PROTO_BLOB_DATA;
	}
	return n;
}

/* What a transfer has out at once is answered in one turn: else it waits for nothing until it asks again. */
static void as_many_small_blobs_as_a_node_asks_for_come_in_a_turn(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	uint8_t small[PROTO_DIGEST_BYTES], large[PROTO_DIGEST_BYTES];
	static char bytes[PROTO_PIECE_BYTES_MAX];

	(void)state;
	desk_open(d);
	join(d);
	assert_int_equal(rv_blobs_put(&d->blobs, RV_STR("small"), small, NULL), 0);
	assert_int_equal(rv_blobs_put(&d->blobs, rv_str(bytes, sizeof bytes), large, NULL), 0);
	assert_int_equal(answered(d, small, 128), 128);
	assert_in_range(answered(d, small, 10000), 1, RV_CLIENT_ANSWER_BYTES / 4096);
	assert_in_range(answered(d, large, 100), PROTO_TRANSFER_WINDOW_BYTES / PROTO_PIECE_BYTES_MAX, RV_CLIENT_ANSWER_BYTES / PROTO_PIECE_BYTES_MAX);
	desk_close(d);
	free(d);
}

static void a_result_whose_node_goes_is_not_waited_for(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct coord_clients_stats stats;
	struct proto_attempt_key key;
	struct proto_msg m;
	uint64_t epoch;

	(void)state;
	desk_open(d);
	join(d);
	(void)submit(d, ANNE, 1, PLAN_ONE);
	key = dispatched(d, &epoch);
	result_with_output(d, key, epoch, RV_STR("some output that is nowhere"));
	want(d, NODE, PROTO_BLOB_WANTED, &m);
	coord_shell_peer_gone(d->shell, NODE, d->now_us, rv_clock_realtime_us());
	turn(d);
	coord_clients_stats(d->clients, &stats);
	assert_int_equal(stats.results_dropped, 1);
	assert_true(coord_clients_next_deadline(d->clients) == RV_NEVER);
	desk_close(d);
	free(d);
}

/* --- logs --- */

static void a_log_is_asked_of_its_node_and_nobody_else_answers(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m = { .kind = PROTO_LOG }, chunk = { .kind = PROTO_LOG_CHUNK };
	struct proto_attempt_key key;
	uint64_t run, epoch;

	(void)state;
	desk_open(d);
	join(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	key = dispatched(d, &epoch);
	m.log = (struct proto_log){ .request = 6, .run = run, .unit = RV_STR("a"), .stream = 3, .bytes_max = 1000 };
	say(d, ANNE, &operator_, &m);
	want(d, NODE, PROTO_LOG_WANTED, &m);
	assert_int_equal(m.log_wanted.attempt, key.attempt);
	chunk.log_piece = (struct proto_log_piece){ .request = m.log_wanted.request, .attempt = 1, .next = 5, .known = true, .bytes = RV_STR("hello") };
	say(d, BOB, &node_, &chunk); /* a node that was not asked */
	assert_false(heard(d, ANNE, PROTO_LOG_BYTES, &m));
	say(d, NODE, &node_, &chunk);
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_str(m.log_piece.bytes, "hello");
	assert_int_equal(m.log_piece.request, 6);
	say(d, NODE, &node_, &chunk); /* late: nobody waits */
	assert_false(heard(d, ANNE, PROTO_LOG_BYTES, &m));

	m = (struct proto_msg){ .kind = PROTO_LOG };
	m.log = (struct proto_log){ .request = 7, .run = run, .unit = RV_STR("b"), .stream = 3, .bytes_max = 1000 };
	say(d, ANNE, &operator_, &m); /* it has not begun */
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_false(m.log_piece.known);
	assert_false(m.log_piece.ended);
	desk_close(d);
	free(d);
}

/* Only what prints has a log: a node that is here and has none says that nothing was printed, not that it is away. */
static void what_printed_nothing_has_an_empty_log_while_its_node_is_here(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m, ask = { .kind = PROTO_LOG }, chunk = { .kind = PROTO_LOG_CHUNK }, result = { .kind = PROTO_RESULT };
	uint64_t run, epoch;

	(void)state;
	desk_open(d);
	join(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	result.result = (struct proto_result){ .key = dispatched(d, &epoch), .outcome = PROTO_SUCCEEDED, .flags = PROTO_RESULT_STARTED };
	result.result.epoch = epoch;
	result.result.error = result.result.enforcement = result.result.limits = RV_STR("");
	ask.log = (struct proto_log){ .request = 6, .run = run, .unit = RV_STR("a"), .stream = 3, .bytes_max = 1000 };
	say(d, ANNE, &operator_, &ask); /* its DISPATCH is on its way */
	want(d, NODE, PROTO_LOG_WANTED, &m);
	chunk.log_piece = (struct proto_log_piece){ .request = m.log_wanted.request, .attempt = 1, .known = false, .ended = true };
	say(d, NODE, &node_, &chunk);
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_true(m.log_piece.known);
	assert_false(m.log_piece.ended);
	say(d, NODE, &node_, &result);
	want(d, NODE, PROTO_RESULT_ACK, &m);
	say(d, ANNE, &operator_, &ask);
	want(d, NODE, PROTO_LOG_WANTED, &m);
	chunk.log_piece.request = m.log_wanted.request;
	say(d, NODE, &node_, &chunk);
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_true(m.log_piece.known);
	assert_true(m.log_piece.ended);
	assert_int_equal(m.log_piece.bytes.bytes, 0);
	coord_shell_peer_gone(d->shell, NODE, d->now_us, rv_clock_realtime_us());
	say(d, ANNE, &operator_, &ask); /* away: nobody can tell */
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_false(m.log_piece.known);
	desk_close(d);
	free(d);
}

/* Positions of a node's log and of the last bytes that are left of it have nothing in common: who read further on the node is not sent back. */
static void the_last_bytes_of_a_node_that_is_gone_never_lead_back(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m, ask = { .kind = PROTO_LOG }, result = { .kind = PROTO_RESULT };
	uint64_t run, epoch;

	(void)state;
	desk_open(d);
	join(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	result.result = (struct proto_result){ .key = dispatched(d, &epoch), .outcome = PROTO_FAILED, .class = PROTO_CLASS_AGENT, .reason = PROTO_REASON_EXIT,
					       .exit = 3, .flags = PROTO_RESULT_STARTED };
	result.result.epoch = epoch;
	result.result.error = result.result.enforcement = result.result.limits = RV_STR("");
	result.result.tail = (struct proto_value){ .kind = PROTO_VALUE_INLINE, .inline_bytes = RV_STR("last words") };
	say(d, NODE, &node_, &result);
	want(d, NODE, PROTO_RESULT_ACK, &m);
	coord_shell_peer_gone(d->shell, NODE, d->now_us, rv_clock_realtime_us());
	ask.log = (struct proto_log){ .request = 6, .run = run, .unit = RV_STR("a"), .stream = 3, .bytes_max = 1000 };
	say(d, ANNE, &operator_, &ask);
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_str(m.log_piece.bytes, "last words");
	assert_true(m.log_piece.tail_only);
	ask.log.request = 7;
	ask.log.offset = (uint64_t)500 << 32 | 20; /* both streams' in one number */
	say(d, ANNE, &operator_, &ask);
	want(d, ANNE, PROTO_LOG_BYTES, &m);
	assert_true(m.log_piece.known);
	assert_true(m.log_piece.ended);
	assert_int_equal(m.log_piece.bytes.bytes, 0);
	assert_true(m.log_piece.next == ask.log.offset);
	desk_close(d);
	free(d);
}

static void what_is_active_tells_which_has_begun(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m = { .kind = PROTO_ASK }, started = { .kind = PROTO_STARTED };
	uint64_t run, epoch;

	(void)state;
	desk_open(d);
	run = submit(d, ANNE, 1, PLAN_ONE);
	m.ask = (struct proto_ask){ .request = 1, .what = PROTO_ASK_ACTIVE, .run = run, .unit = RV_STR(""), .limit = 10 };
	say(d, ANNE, &operator_, &m);
	want(d, ANNE, PROTO_ROWS, &m);
	assert_int_equal(m.rows.row_count, 0);
	join(d);
	started.started = (struct proto_started){ .key = dispatched(d, &epoch), .start_us = 1700000000000000 };
	m = (struct proto_msg){ .kind = PROTO_ASK };
	m.ask = (struct proto_ask){ .request = 2, .what = PROTO_ASK_ACTIVE, .run = run, .unit = RV_STR(""), .limit = 10 };
	say(d, ANNE, &operator_, &m);
	want(d, ANNE, PROTO_ROWS, &m);
	assert_int_equal(m.rows.row_count, 1);
	assert_str(m.rows.rows[0], "{\"unit\":0,\"attempt\":1,\"try\":1,\"node\":0,\"started\":false,\"start_us\":0}");
	say(d, NODE, &node_, &started);
	m = (struct proto_msg){ .kind = PROTO_ASK };
	m.ask = (struct proto_ask){ .request = 3, .what = PROTO_ASK_ACTIVE, .run = run, .unit = RV_STR(""), .limit = 10 };
	say(d, ANNE, &operator_, &m);
	want(d, ANNE, PROTO_ROWS, &m);
	assert_int_equal(m.rows.row_count, 1);
	assert_str(m.rows.rows[0], "{\"unit\":0,\"attempt\":1,\"try\":1,\"node\":0,\"started\":true,\"start_us\":1700000000000000}");
	m = (struct proto_msg){ .kind = PROTO_ASK };
	m.ask = (struct proto_ask){ .request = 4, .what = PROTO_ASK_ACTIVE, .run = 999, .unit = RV_STR(""), .limit = 10 };
	say(d, ANNE, &operator_, &m);
	want_refused(d, ANNE, RV_E_NOT_FOUND, "no run");
	desk_close(d);
	free(d);
}

static void a_live_run_takes_no_plans_and_lets_nobody_in(void **state)
{
	struct desk *d = calloc(1, sizeof *d);
	struct proto_msg m;

	(void)state;
	d->duty = COORD_SERVES_ONE_RUN;
	desk_open(d);
	begin(d, ANNE, 1, 10);
	want_refused(d, ANNE, RV_E_UNSUPPORTED, "reeve run");
	m = (struct proto_msg){ .kind = PROTO_ASK, .ask = { .request = 1, .what = PROTO_ASK_ABOUT, .unit = RV_STR(""), .limit = 1 } };
	say(d, ANNE, &operator_, &m);
	want(d, ANNE, PROTO_ROWS, &m);
	assert_int_equal(m.rows.row_count, 1);
	desk_close(d);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, scratch_make, scratch_drop)
		TEST(a_plan_in_pieces_becomes_a_run_once_whoever_hands_it_over_again),
		TEST(a_plan_that_is_not_right_is_refused_with_all_that_is_wrong),
		TEST(uploads_are_bounded_checked_and_do_not_stay),
		TEST(a_list_is_told_once_what_it_says_is_durable),
		TEST(an_upload_whose_run_is_gone_holds_up_nobody),
		TEST(an_act_is_done_once_and_stays_done),
		TEST(an_act_that_names_what_it_is_not_for_changes_nothing),
		TEST(facts_come_of_one_run_whole_and_once_however_small_the_pieces),
		TEST(of_one_peer_a_bounded_number_of_requests_is_done_in_a_turn),
		TEST(of_one_peer_a_bounded_number_of_units_is_looked_for_in_a_turn),
		TEST(who_waits_is_answered_when_something_happens_or_the_time_is_over),
		TEST(a_run_is_not_told_over_before_the_row_that_says_so),
		TEST(ended_runs_leave_memory_and_stay_readable),
		TEST(blobs_of_a_result_that_cannot_count_are_not_asked_for),
		TEST(a_result_counts_once_its_blobs_are_here),
		TEST(a_dependent_with_a_namespace_is_told_of_artifacts),
		TEST(more_artifacts_than_an_attempt_is_handed_are_not_listed),
		TEST(as_many_small_blobs_as_a_node_asks_for_come_in_a_turn),
		TEST(a_result_whose_node_goes_is_not_waited_for),
		TEST(a_log_is_asked_of_its_node_and_nobody_else_answers),
		TEST(what_printed_nothing_has_an_empty_log_while_its_node_is_here),
		TEST(the_last_bytes_of_a_node_that_is_gone_never_lead_back),
		TEST(what_is_active_tells_which_has_begun),
		TEST(a_live_run_takes_no_plans_and_lets_nobody_in),
	};

	return RUN(tests);
}
