/* outbox.c - results until their ack: sent, resent at 1, 2, 4 ... 30 s (+-20 %), told again after a new WELCOME
 *
 * Most results are acknowledged within milliseconds, so a result that was just sent only joins a queue by age (`fresh`);
 * one that gets old there, and any that was sent more than once, has a deadline in `due`.
 *
 * Each result wakes the coordinator, its journal and then us: for units of a millisecond that is half of what they cost beside themselves. So a success
 * that nothing waits for is not sent at once, but in company (`gathered`): until the first has waited gather_us, there are gather_max,
 * another result leaves, or all that is here has begun, since then more is wanted soon. What is sent ahead of us covers that time.
 */
#include "state.h"

#include "common/plant.h"

/* delay * 0.8 .. delay * 1.2 */
static uint64_t jittered(const struct node_core *n, const struct node_attempt *a, uint64_t delay)
{
	uint64_t h = rv_hash_u64(n->cfg.seed ^ proto_table_term(a->key), a->resends);

	return delay - delay / 5 + h % (2 * (delay / 5) + 1);
}

static uint64_t delay_of(const struct node_core *n, const struct node_attempt *a)
{
	uint64_t delay = n->cfg.resend_us_min;
	uint32_t i;

	for (i = 0; i < a->resends && (delay < n->cfg.resend_us_max || (RV_PLANT(NO_BACKOFF_CAP) && i < 40)); i++)
		delay *= 2;
	return RV_PLANT(NO_BACKOFF_CAP) ? delay : rv_min_u64(delay, n->cfg.resend_us_max);
}

static bool emit(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	if (!node_say(n, out, NODE_FX_RESULT, node_slot_of(n, a), a->key))
		return false;
	a->sent_us = n->now_us;
	a->result_n = ++n->results_sent;
	return true;
}

static void add(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	if (emit(n, a, out))
		node_queue_append(n, &n->fresh, node_slot_of(n, a));
}

static void leave_queue(struct node_core *n, struct node_attempt *a)
{
	node_queue_remove(n, a->gathered ? &n->gathered : &n->fresh, node_slot_of(n, a));
	a->gathered = false;
}

static void send_gathered(struct node_core *n, struct node_effects *out)
{
	while (n->gathered.count && node_room(out) >= 4) {
		struct node_attempt *a = &n->attempts[n->gathered.first];

		leave_queue(n, a);
		add(n, a, out);
	}
}

void node_outbox_add(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	if (n->session == NODE_SESSION_UP)
		send_gathered(n, out);
	add(n, a, out);
}

/* Is there work here that has not begun and may? More than there are places for, or what waits for one, not for another attempt. */
static bool work_waits(const struct node_core *n)
{
	return n->waiting.count > n->behind || n->warden_slots > n->cfg.slots;
}

static bool gathers(const struct node_core *n)
{
	return n->session == NODE_SESSION_UP && n->gathered.count < n->cfg.gather_max && work_waits(n) && !n->stopping;
}

void node_outbox_add_later(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	if (!n->cfg.gather_us || !gathers(n)) {
		node_outbox_add(n, a, out);
		return;
	}
	if (!n->gathered.count)
		n->gathered_since_us = n->now_us;
	a->gathered = true;
	node_queue_append(n, &n->gathered, node_slot_of(n, a));
}

static uint64_t gathered_until(const struct node_core *n)
{
	return gathers(n) ? rv_sat_add(n->gathered_since_us, n->cfg.gather_us) : n->now_us;
}

bool node_outbox_gather(struct node_core *n, struct node_effects *out)
{
	if (!n->gathered.count || n->session != NODE_SESSION_UP || n->now_us < gathered_until(n))
		return false;
	send_gathered(n, out);
	return n->gathered.count;
}

void node_outbox_send(struct node_core *n, struct node_attempt *a, struct node_effects *out)
{
	uint32_t slot = node_slot_of(n, a);

	leave_queue(n, a);
	if (!emit(n, a, out)) {
		rv_heap_remove(&n->due, slot); /* the next WELCOME schedules it */
		return;
	}
	a->resends++;
	rv_heap_set(&n->due, slot, rv_sat_add(n->now_us, jittered(n, a, delay_of(n, a))), n->sequence++);
}

void node_outbox_remove(struct node_core *n, struct node_attempt *a)
{
	leave_queue(n, a);
}

/* What the HELLO told as finished waits for its verdict, and is sent anyway if none comes; the rest at once. */
void node_outbox_welcomed(struct node_core *n)
{
	uint32_t slot;

	for (slot = 0; slot < n->high; slot++) {
		struct node_attempt *a = &n->attempts[slot];

		if (a->state != NODE_AT_FINISHED)
			continue;
		leave_queue(n, a);
		a->resends = 0;
		a->result_n = 0;
		rv_heap_set(&n->due, slot, a->listed ? rv_sat_add(n->now_us, jittered(n, a, n->cfg.resend_us_min)) : n->now_us, n->sequence++);
		a->listed = false;
	}
}

static uint64_t fresh_until(const struct node_core *n, const struct node_attempt *a)
{
	return rv_sat_add(a->sent_us, n->cfg.resend_us_min - n->cfg.resend_us_min / 5);
}

void node_outbox_age(struct node_core *n)
{
	while (n->fresh.count) {
		uint32_t slot = n->fresh.first;
		struct node_attempt *a = &n->attempts[slot];

		if (n->now_us < fresh_until(n, a))
			return;
		node_queue_remove(n, &n->fresh, slot);
		rv_heap_set(&n->due, slot, rv_sat_add(a->sent_us, jittered(n, a, n->cfg.resend_us_min)), n->sequence++);
	}
}

void node_outbox_checkpoint(struct node_core *n, uint64_t result_n, struct node_effects *out)
{
	uint32_t slot;

	for (slot = 0; slot < n->high && node_room(out) > 4; slot++) {
		struct node_attempt *a = &n->attempts[slot];

		if (a->state == NODE_AT_FINISHED && a->result_n && a->result_n <= result_n)
			node_attempt_forget(n, a, out);
	}
}

uint64_t node_outbox_deadline(const struct node_core *n)
{
	const struct rv_heap_item *first = rv_heap_first(&n->due);
	uint64_t at = first ? first->key : RV_NEVER;

	if (n->gathered.count && n->session == NODE_SESSION_UP)
		at = rv_min_u64(at, gathered_until(n));
	return n->fresh.count ? rv_min_u64(at, fresh_until(n, &n->attempts[n->fresh.first])) : at;
}
