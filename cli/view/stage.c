#include "cli/view/stage.h"

#include "cli/view/terminal.h"
#include "common/os/clock.h"

#include <poll.h>

static void take_keys(struct view_stage *s)
{
	struct view_key key;

	while (!s->wanted && (key = view_terminal_key()).kind != VIEW_KEY_NONE) {
		s->pressed = true;
		if (key.kind != VIEW_KEY_RESIZED && key.kind != VIEW_KEY_REDRAW && s->key(s->arg, key))
			s->wanted = true;
	}
	if (view_terminal_gone())
		s->gone = true;
}

static uint64_t due_us(const struct view_stage *s)
{
	return s->drawn_us + (s->pressed ? VIEW_KEY_DRAW_US : s->changed ? VIEW_DRAW_US : VIEW_TICK_US);
}

static void draw_when_due(struct view_stage *s)
{
	uint64_t now = rv_clock_boottime_us();
	uint32_t columns, rows;

	if (now < due_us(s))
		return;
	view_terminal_size(&columns, &rows);
	view_canvas_begin(&s->canvas, columns, rows);
	s->draw(s->arg, &s->canvas);
	view_terminal_show(&s->canvas);
	s->drawn_us = now;
	s->changed = s->pressed = false;
}

static uint64_t beside(void *arg)
{
	struct view_stage *s = arg;

	take_keys(s);
	draw_when_due(s);
	if ((s->wanted && !s->keep_call) || s->gone)
		cli_client_give_up(s->client);
	return due_us(s);
}

int view_stage_enter(struct view_stage *s, struct rv_err *err)
{
	const int fds[2] = { view_terminal_fd(), view_terminal_resize_fd() };

	s->pressed = true;
	s->drawn_us = 0;
	return cli_client_beside(s->client, fds, beside, s, err);
}

int view_stage_init(struct view_stage *s, struct cli_client *client, struct rv_err *err)
{
	s->client = client;
	if (view_canvas_init(&s->canvas))
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for a screen");
	return view_stage_enter(s, err);
}

void view_stage_release(struct view_stage *s)
{
	static const int none[2] = { -1, -1 };

	if (s->client)
		(void)cli_client_beside(s->client, none, NULL, NULL, NULL);
	view_canvas_release(&s->canvas);
}

void view_stage_idle(struct view_stage *s, uint64_t until_us)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = view_terminal_fd(), .events = POLLIN }, { .fd = view_terminal_resize_fd(), .events = POLLIN } };
		uint64_t now, next;

		take_keys(s);
		draw_when_due(s);
		now = rv_clock_boottime_us();
		if (s->wanted || s->gone || now >= until_us)
			return;
		next = rv_min_u64(until_us, due_us(s));
		(void)poll(fds, 2, (int)((rv_sat_sub(next, now) + 999) / 1000)); /* cut short: we look earlier */
	}
}
