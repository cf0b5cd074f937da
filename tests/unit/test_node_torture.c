/* test_node_torture.c - dispatches, cancels, retracts, repeats and reconnects at random, with real processes
 *
 * Nothing is expected of single units; what has to hold: no move that cannot be, every attempt that was taken ends in a
 * result, a retraction or a rejection, and nothing is left at the end.
 */
#include "tests/lib/test.h"

#include "common/os/clock.h"
#include "common/prng.h"
#include "tests/lib/node_rig.h"

#define UNITS 120u

static struct rv_str room[8];

static void random_spec(struct rv_prng *p, struct proto_spec *s)
{
	static const char *const scripts[] = {
		"true", "exit 1", "echo some output; sleep 0.01", "trap '' TERM; sleep 0.05; exit 2", "echo x > ${REEVE_ARTIFACTS-/dev/null}/a; echo y",
		"head -c 20000000 /dev/zero > ${REEVE_ARTIFACTS-/tmp/none}/big 2>/dev/null", "sleep 0.03 & exit 0", "kill -9 $$",
	};
	const char *argv[] = { "/bin/sh", "-c", scripts[rv_prng_below(p, RV_ARRAY_LEN(scripts))], NULL };
	uint64_t kind = rv_prng_below(p, 10);

	*s = rig_command(room, argv);
	s->grace_us = rv_prng_below(p, 3) * 20000;
	s->cpus = rv_prng_below(p, 3);
	if (kind < 2)
		s->agent_kind = PROTO_AGENT_NOOP;
	else if (kind < 4)
		s->agent_kind = PROTO_AGENT_MOCK;
	s->mock_delay_us = rv_prng_below(p, 3) * 10000;
	if (rv_prng_below(p, 2))
		s->flags = PROTO_SPEC_NAMESPACE;
	if (rv_prng_below(p, 4) == 0)
		s->flags |= PROTO_SPEC_AGENT_UNIT;
	if (rv_prng_below(p, 8) == 0)
		s->timeout_us = 10000;
}

static void random_act(struct rig *r, struct rv_prng *p, uint32_t *attempts)
{
	uint32_t unit = (uint32_t)rv_prng_below(p, UNITS), attempt = attempts[unit];
	struct proto_msg m = { 0 };
	struct proto_spec s;

	switch (rv_prng_below(p, 10)) {
	case 0:
	case 1:
		m.kind = PROTO_CANCEL;
		m.cancel = (struct proto_cancel){ .key = rig_key(unit, attempt ? attempt : 1), .epoch = RIG_EPOCH, .grace_us = rv_prng_below(p, 2) ? RV_NEVER : 0,
						  .reason = PROTO_REASON_CANCELLED };
		rig_message(r, &m);
		break;
	case 2:
		m.kind = PROTO_RETRACT;
		m.retract = rig_key(unit, attempt ? attempt : 1);
		rig_message(r, &m);
		break;
	case 3: /* said again, or an older one */
		if (attempt) {
			random_spec(p, &s);
			rig_dispatch(r, unit, attempt - (uint32_t)rv_prng_below(p, 2) * (attempt > 1), &s, NULL);
		}
		break;
	case 4:
		if (rv_prng_below(p, 8) == 0) {
			node_daemon_disconnected(r->d, rv_clock_boottime_us());
			node_daemon_connected(r->d, rv_clock_boottime_us());
		}
		break;
	default:
		random_spec(p, &s);
		rig_dispatch(r, unit, ++attempts[unit], &s, NULL);
	}
}

static void nothing_is_left(struct rig *r, const uint32_t *attempts)
{
	struct node_daemon_stats stats;

	for (uint32_t unit = 0; unit < UNITS; unit++) {
		struct proto_msg m = { .kind = PROTO_CANCEL };

		m.cancel = (struct proto_cancel){ .key = rig_key(unit, attempts[unit] + 1), .epoch = RIG_EPOCH, .grace_us = 0, .reason = PROTO_REASON_CANCELLED };
		rig_message(r, &m);
	}
	r->deadline_us = rv_clock_monotonic_us() + 30 * RV_US_PER_S;
	do {
		rig_turn(r, 20000);
		node_daemon_stats(r->d, &stats);
	} while (stats.attempts);
}

static void torture(uint64_t seed, uint32_t acts)
{
	uint32_t attempts[UNITS] = { 0 };
	struct rv_prng p;
	struct rig r;

	rv_prng_seed(&p, seed);
	rig_start(&r, &(struct rig_options){ .slots = 3, .agent_slots = 2, .output = seed % 2 });
	r.verdicts_at_random = &p;
	for (uint32_t i = 0; i < acts; i++) {
		random_act(&r, &p, attempts);
		r.deadline_us = rv_clock_monotonic_us() + 30 * RV_US_PER_S;
		if (rv_prng_below(&p, 3) == 0)
			rig_turn(&r, rv_prng_below(&p, 3) * 2000);
	}
	nothing_is_left(&r, attempts);
	rig_stop(&r, RIG_REMOVE);
}

static void at_random_1(void **state)
{
	(void)state;
	torture(1, 400);
}

static void at_random_2(void **state)
{
	(void)state;
	torture(2, 400);
}

static void at_random_3(void **state)
{
	(void)state;
	torture(getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 3, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_random_1),
		cmocka_unit_test(at_random_2),
		cmocka_unit_test(at_random_3),
	};

	return RUN(tests);
}
