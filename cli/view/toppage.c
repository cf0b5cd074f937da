#include "cli/view/toppage.h"

#include "cli/text.h"
#include "cli/used.h"

#include <stdlib.h>
#include <string.h>

#define BAR_CELLS 20u

void view_top_init(struct view_top_page *p, const char *where)
{
	*p = (struct view_top_page){ .where = where };
	cli_rows_init(&p->runs);
	cli_rows_init(&p->nodes);
	rv_buf_init(&p->message, 0);
}

void view_top_release(struct view_top_page *p)
{
	cli_rows_release(&p->runs);
	cli_rows_release(&p->nodes);
	rv_buf_release(&p->message);
	free(p->list);
	p->list = NULL;
}

void view_top_say(struct view_top_page *p, bool bad, struct rv_str message)
{
	rv_buf_reset(&p->message);
	(void)rv_buf_put_str(&p->message, message);
	p->message_bad = bad;
}

/* --- taking ------------------------------------------------------------------------------------------------------------- */

static bool is_word(struct rv_str row, const char *key, struct rv_str word)
{
	struct rv_buf room;
	bool is;

	rv_buf_init(&room, 0);
	is = rv_str_equal(cli_row_text(row, key, &room), word);
	rv_buf_release(&room);
	return is;
}

static bool read_run(struct view_top_run *r, struct rv_str row, uint32_t place)
{
	struct rv_buf room;
	struct rv_str id;

	rv_buf_init(&room, 0);
	id = cli_row_text(row, "run", &room);
	*r = (struct view_top_run){ .row = place,
				    .paused = is_word(row, "state", RV_STR("paused")),
				    .created_us = cli_row_uint(row, "created_us"),
				    .finished_us = cli_row_uint(row, "finished_us"),
				    .total = cli_row_uint(row, "total"),
				    .succeeded = cli_row_uint(row, "succeeded"),
				    .failed = cli_row_uint(row, "failed"),
				    .skipped = cli_row_uint(row, "skipped"),
				    .cancelled = cli_row_uint(row, "cancelled"),
				    .active = cli_row_uint(row, "active"),
				    .tokens = cli_row_uint(row, "tokens"),
				    .cost_microusd = cli_row_uint(row, "cost_microusd") };
	r->live = !r->finished_us;
	r->waiting = r->live ? rv_sat_sub(r->total, r->succeeded + r->failed + r->skipped + r->cancelled + r->active) : 0;
	if (rv_run_id_valid(id))
		memcpy(r->id, id.at, RV_RUN_ID_CHARS);
	rv_buf_release(&room);
	return r->id[0] != '\0';
}

static uint64_t ended(const struct view_top_run *r)
{
	return r->succeeded + r->failed + r->skipped + r->cancelled;
}

static int by_life(const void *a, const void *b)
{
	const struct view_top_run *x = a, *y = b;

	if (x->live != y->live)
		return x->live ? -1 : 1;
	return strcmp(y->id, x->id); /* ids sort by time */
}

/* As it was in the answer before; an ended one only if it ended since. */
static const struct view_top_run *before(const struct view_top_page *p, const struct view_top_run *now)
{
	for (uint32_t i = 0; i < p->count && (now->live || p->list[i].live); i++)
		if (strcmp(p->list[i].id, now->id) == 0)
			return &p->list[i];
	return NULL;
}

/* By how much all runs have gone on since the answer before. */
static uint64_t gone_on(const struct view_top_page *p, const struct view_top_run *now, uint32_t count)
{
	uint64_t more = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct view_top_run *old = before(p, &now[i]);

		if (old || now[i].live)
			more += rv_sat_sub(ended(&now[i]), old ? ended(old) : 0);
	}
	return more;
}

static void sum_up(struct view_top_page *p)
{
	struct view_top_sums *s = &p->sums;

	*s = (struct view_top_sums){ .runs = p->count };
	for (uint32_t i = 0; i < p->count; i++) {
		const struct view_top_run *r = &p->list[i];

		s->runs_live += r->live;
		s->active += r->active;
		s->waiting += r->waiting;
		s->tokens += r->live ? r->tokens : 0;
		s->cost_microusd += r->live ? r->cost_microusd : 0;
	}
	for (uint32_t i = 0; i < p->nodes.count; i++) {
		struct rv_str row = cli_row(&p->nodes, i);

		if (is_word(row, "state", RV_STR("removed")))
			continue;
		s->nodes++;
		if (!is_word(row, "state", RV_STR("joined")))
			continue;
		s->joined++;
		s->slots += cli_row_uint(row, "slots");
		s->slots_used += rv_min_u64(cli_row_uint(row, "slots_used"), cli_row_uint(row, "slots"));
		s->agents += cli_row_uint(row, "agent_slots");
		s->agents_used += rv_min_u64(cli_row_uint(row, "agent_slots_used"), cli_row_uint(row, "agent_slots"));
	}
}

static void take_sample(struct view_top_page *p, uint64_t now_us)
{
	uint32_t at = p->sample_count % VIEW_TOP_SAMPLES, oldest;

	p->samples[at].us = now_us;
	p->samples[at].ended = p->ended_seen;
	p->sample_count++;
	oldest = p->sample_count > VIEW_TOP_SAMPLES ? p->sample_count % VIEW_TOP_SAMPLES : 0;
	if (p->samples[at].us > p->samples[oldest].us)
		p->sums.per_s = (double)(p->samples[at].ended - p->samples[oldest].ended) * RV_US_PER_S / (double)(p->samples[at].us - p->samples[oldest].us);
}

int view_top_take(struct view_top_page *p, struct cli_rows *runs, struct cli_rows *nodes, uint64_t now_us)
{
	struct view_top_run *list = calloc(runs->count ? runs->count : 1, sizeof(*list));
	uint32_t count = 0;

	if (!list)
		return -1;
	for (uint32_t i = 0; i < runs->count; i++)
		count += read_run(&list[count], cli_row(runs, i), i);
	qsort(list, count, sizeof(*list), by_life);
	if (p->sample_count)
		p->ended_seen += gone_on(p, list, count);
	free(p->list);
	p->list = list;
	p->count = count;
	cli_rows_release(&p->runs);
	cli_rows_release(&p->nodes);
	p->runs = *runs;
	p->nodes = *nodes;
	cli_rows_init(runs);
	cli_rows_init(nodes);
	sum_up(p);
	take_sample(p, now_us);
	return 0;
}

/* --- keys ---------------------------------------------------------------------------------------------------------------- */

static void settle(struct view_top_page *p)
{
	for (uint32_t i = 0; p->selected[0] && i < p->count; i++)
		if (strcmp(p->list[i].id, p->selected) == 0)
			p->row = i;
	if (p->row >= p->count)
		p->row = p->count ? p->count - 1 : 0;
}

static void move_by(struct view_top_page *p, int64_t rows)
{
	if (!p->count)
		return;
	p->row = rows < 0 ? (uint32_t)rv_sat_sub(p->row, (uint64_t)-rows) : (uint32_t)rv_min_u64(p->row + (uint64_t)rows, p->count - 1);
	memcpy(p->selected, p->list[p->row].id, sizeof(p->selected));
}

static enum view_top_act of_run(struct view_top_page *p, enum view_top_act act)
{
	if (!p->count)
		return VIEW_TOP_NONE;
	memcpy(p->selected, p->list[p->row].id, sizeof(p->selected));
	return act;
}

static enum view_top_act letter(struct view_top_page *p, uint32_t cp)
{
	switch (cp) {
	case 'q':
		return VIEW_TOP_QUIT;
	case '?':
		return VIEW_TOP_HELP;
	case 'j':
		move_by(p, 1);
		break;
	case 'k':
		move_by(p, -1);
		break;
	case 'w':
		return of_run(p, VIEW_TOP_OPEN);
	case 'p':
		return of_run(p, p->count && p->list[p->row].paused ? VIEW_TOP_UNPAUSE : VIEW_TOP_PAUSE);
	case 'C':
	case 'c':
		p->asked = of_run(p, VIEW_TOP_CANCEL);
		break;
	default:
		break;
	}
	return VIEW_TOP_NONE;
}

enum view_top_act view_top_key(struct view_top_page *p, struct view_key key)
{
	enum view_top_act asked = p->asked;

	settle(p);
	p->asked = VIEW_TOP_NONE;
	if (asked != VIEW_TOP_NONE)
		return key.kind == VIEW_KEY_CHAR && (key.cp == 'y' || key.cp == 'Y') ? asked : VIEW_TOP_NONE;
	if (key.kind == VIEW_KEY_CHAR || key.kind == VIEW_KEY_ESCAPE)
		rv_buf_reset(&p->message);
	switch (key.kind) {
	case VIEW_KEY_UP:
		move_by(p, -1);
		break;
	case VIEW_KEY_DOWN:
		move_by(p, 1);
		break;
	case VIEW_KEY_PAGE_UP:
		move_by(p, -10);
		break;
	case VIEW_KEY_PAGE_DOWN:
		move_by(p, 10);
		break;
	case VIEW_KEY_HOME:
		move_by(p, -(int64_t)UINT32_MAX);
		break;
	case VIEW_KEY_END:
		move_by(p, UINT32_MAX);
		break;
	case VIEW_KEY_ENTER:
		return of_run(p, VIEW_TOP_OPEN);
	case VIEW_KEY_CHAR:
		return letter(p, key.cp);
	default:
		break;
	}
	return VIEW_TOP_NONE;
}

/* --- drawing ---------------------------------------------------------------------------------------------------------------- */

static void put_used(struct view_canvas *c, uint32_t row, const char *before, uint64_t tokens, uint64_t cost)
{
	struct rv_buf b;

	if (!tokens && !cost)
		return;
	rv_buf_init(&b, 0);
	(void)rv_buf_puts(&b, before);
	cli_put_used(&b, tokens, cost);
	view_put(c, row, VIEW_BOLD, rv_buf_str(&b));
	rv_buf_release(&b);
}

static enum view_style load_style(uint64_t used, uint64_t all)
{
	return all && used * 10 >= all * 9 ? VIEW_WARN : VIEW_GOOD;
}

static void draw_head(const struct view_top_page *p, struct view_canvas *c, uint64_t real_us)
{
	const struct view_top_sums *s = &p->sums;
	struct rv_buf b;

	view_put(c, 0, VIEW_TITLE, RV_STR("reeve top"));
	view_put(c, 0, VIEW_PLAIN, RV_STR("  "));
	view_put_text(c, 0, VIEW_PLAIN, rv_str_of(p->where));
	rv_buf_init(&b, 0);
	cli_put_time(&b, real_us);
	if (b.bytes > 19)
		view_put_right(c, 0, VIEW_DIM, rv_str(b.at + 11, 8)); /* the time of day, UTC */
	rv_buf_release(&b);
	view_putf(c, 1, s->joined < s->nodes ? VIEW_WARN : VIEW_PLAIN, "nodes %llu/%llu", (unsigned long long)s->joined, (unsigned long long)s->nodes);
	view_putf(c, 1, load_style(s->slots_used, s->slots), "   slots %llu/%llu", (unsigned long long)s->slots_used, (unsigned long long)s->slots);
	view_putf(c, 1, load_style(s->agents_used, s->agents), "   agents %llu/%llu", (unsigned long long)s->agents_used, (unsigned long long)s->agents);
	view_putf(c, 1, VIEW_INFO, "   %llu run", (unsigned long long)s->active);
	view_putf(c, 1, VIEW_PLAIN, "   %llu wait", (unsigned long long)s->waiting);
	view_putf(c, 1, VIEW_PLAIN, s->per_s < 10 ? "   %.1f units/s" : "   %.0f units/s", s->per_s);
	put_used(c, 1, "   ", s->tokens, s->cost_microusd);
	if (p->lost)
		view_put(c, 2, VIEW_BAD, RV_STR("it is not to be reached: it is waited for, and what is shown may be old"));
}

static void put_cell(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str s, uint32_t end)
{
	uint32_t at = row < c->rows ? c->lines[row].width : 0;
	struct rv_buf safe;

	rv_buf_init(&safe, 0);
	cli_text_safe(CLI_TEXT_CELL, s, &safe);
	view_put(c, row, style, rv_str(safe.at, cli_text_cut(rv_buf_str(&safe), end > at + 1 ? end - at - 1 : 0)));
	rv_buf_release(&safe);
	view_tab(c, row, end);
}

static void put_bar(struct view_canvas *c, uint32_t row, const uint64_t *parts, const char *cells, const enum view_style *styles, size_t count, uint64_t all)
{
	uint64_t before = 0;
	uint32_t used = 0;
	char room[BAR_CELLS];

	view_put(c, row, VIEW_PLAIN, RV_STR("["));
	for (size_t i = 0; all && i < count; i++) {
		uint64_t after = rv_min_u64(before + parts[i], all);
		uint32_t n = (uint32_t)(after * BAR_CELLS / all - before * BAR_CELLS / all);

		memset(room, cells[i], n);
		view_put(c, row, styles[i], rv_str(room, n));
		before = after;
		used += n;
	}
	memset(room, '.', BAR_CELLS - used);
	view_put(c, row, VIEW_DIM, rv_str(room, BAR_CELLS - used));
	view_put(c, row, VIEW_PLAIN, RV_STR("] "));
}

static enum view_style state_style(struct rv_str state)
{
	if (rv_str_equal(state, RV_STR("succeeded")) || rv_str_equal(state, RV_STR("joined")) || rv_str_equal(state, RV_STR("good")))
		return VIEW_GOOD;
	if (rv_str_equal(state, RV_STR("running")))
		return VIEW_INFO;
	if (rv_str_equal(state, RV_STR("failed")) || rv_str_equal(state, RV_STR("cancelled")))
		return VIEW_BAD;
	return VIEW_WARN;
}

enum { NAME_AT = 2 + RV_RUN_ID_CHARS + 2, STATE_AT = NAME_AT + 18, BAR_AT = STATE_AT + 11 };

static uint32_t digits(uint64_t n)
{
	uint32_t count = 1;

	while (n /= 10)
		count++;
	return count;
}

/* `done`: columns of the widest ended/total. */
static void draw_run(const struct view_top_page *p, struct view_canvas *c, uint32_t row, uint32_t i, uint32_t done, uint64_t real_us)
{
	static const enum view_style styles[] = { VIEW_GOOD, VIEW_BAD, VIEW_DIM, VIEW_INFO };
	const struct view_top_run *r = &p->list[i];
	const uint64_t parts[] = { r->succeeded, r->failed + r->cancelled, r->skipped, r->active };
	struct rv_str json = cli_row(&p->runs, r->row), state;
	struct rv_buf room;

	rv_buf_init(&room, 0);
	view_put(c, row, VIEW_PLAIN, i == p->row ? RV_STR("> ") : RV_STR("  "));
	put_cell(c, row, VIEW_PLAIN, rv_str_of(r->id), NAME_AT);
	put_cell(c, row, VIEW_PLAIN, cli_row_text(json, "name", &room), STATE_AT);
	state = cli_row_text(json, "state", &room);
	put_cell(c, row, state_style(state), state, BAR_AT);
	put_bar(c, row, parts, "#!->", styles, RV_ARRAY_LEN(parts), r->total);
	view_putf(c, row, VIEW_PLAIN, "%*llu/%llu", (int)(done - 1 - digits(r->total)), (unsigned long long)ended(r), (unsigned long long)r->total);
	if (r->failed)
		view_putf(c, row, VIEW_BAD, "  %llu fail", (unsigned long long)r->failed);
	if (r->live)
		view_putf(c, row, VIEW_PLAIN, "  %llu run  %llu wait", (unsigned long long)r->active, (unsigned long long)r->waiting);
	rv_buf_reset(&room);
	(void)rv_buf_puts(&room, "  ");
	cli_put_duration(&room, rv_sat_sub(r->live ? real_us : r->finished_us, r->created_us));
	view_put(c, row, VIEW_PLAIN, rv_buf_str(&room));
	put_used(c, row, "  ", r->tokens, r->cost_microusd);
	if (i == p->row)
		view_select(c, row);
	rv_buf_release(&room);
}

static uint32_t name_columns(const struct cli_rows *nodes)
{
	struct rv_buf room;
	uint32_t most = 8;

	rv_buf_init(&room, 0);
	for (uint32_t i = 0; i < nodes->count; i++)
		most = (uint32_t)rv_max_u64(most, cli_text_width(cli_row_text(cli_row(nodes, i), "name", &room)));
	rv_buf_release(&room);
	return (uint32_t)rv_min_u64(most, 24);
}

static void draw_node(struct view_canvas *c, uint32_t row, struct rv_str json, uint32_t name)
{
	static const enum view_style styles[] = { VIEW_GOOD };
	uint64_t slots = cli_row_uint(json, "slots"), used = rv_min_u64(cli_row_uint(json, "slots_used"), slots);
	struct rv_buf room;
	struct rv_str s;

	rv_buf_init(&room, 0);
	view_put(c, row, VIEW_PLAIN, RV_STR("  "));
	put_cell(c, row, VIEW_PLAIN, cli_row_text(json, "name", &room), 2 + name + 2);
	s = cli_row_true(json, "draining") ? RV_STR("draining") : cli_row_text(json, "state", &room);
	put_cell(c, row, state_style(s), s, 2 + name + 2 + 10);
	s = cli_row_text(json, "health", &room);
	put_cell(c, row, state_style(s), s, 2 + name + 2 + 10 + 13);
	put_bar(c, row, &used, "#", styles, 1, slots);
	view_putf(c, row, VIEW_PLAIN, "slots %llu/%llu  agents %llu/%llu  %llu unit%s", (unsigned long long)used, (unsigned long long)slots,
		  (unsigned long long)rv_min_u64(cli_row_uint(json, "agent_slots_used"), cli_row_uint(json, "agent_slots")),
		  (unsigned long long)cli_row_uint(json, "agent_slots"), (unsigned long long)cli_row_uint(json, "attempts"),
		  cli_s(cli_row_uint(json, "attempts")));
	if (cli_row_uint(json, "heard_ago_us") >= 2 * RV_US_PER_S) {
		rv_buf_reset(&room);
		cli_put_duration(&room, cli_row_uint(json, "heard_ago_us"));
		view_putf(c, row, VIEW_DIM, "  heard %s ago", room.at);
	}
	rv_buf_release(&room);
}

/* Nodes get what they need up to a third of the rows, runs the rest. */
static void share_rows(const struct view_top_page *p, uint32_t rows, uint32_t *runs, uint32_t *nodes)
{
	*nodes = (uint32_t)rv_min_u64(p->sums.nodes, rows / 3 + (p->count < rows - rows / 3 ? rows - rows / 3 - p->count : 0));
	*runs = rows - *nodes;
}

void view_top_draw(struct view_top_page *p, struct view_canvas *c, uint64_t real_us)
{
	uint32_t rows = c->rows > 8 ? c->rows - 8 : 2, run_rows, node_rows, row = 4, shown = 0, last = c->rows ? c->rows - 1 : 0;
	uint32_t name = name_columns(&p->nodes), done = 0;

	settle(p);
	share_rows(p, rows, &run_rows, &node_rows);
	draw_head(p, c, real_us);
	if (p->row < p->top)
		p->top = p->row;
	if (p->row >= p->top + run_rows)
		p->top = p->row - run_rows + 1;
	if (p->count <= run_rows)
		p->top = 0;
	view_putf(c, 3, VIEW_DIM, "  %-*s%-18s%-11s%s", RV_RUN_ID_CHARS + 2, "RUN", "NAME", "STATE", "PROGRESS");
	for (uint32_t i = p->top; i < p->count && i < p->top + run_rows; i++)
		done = (uint32_t)rv_max_u64(done, digits(ended(&p->list[i])) + 1 + digits(p->list[i].total));
	for (uint32_t i = p->top; i < p->count && i < p->top + run_rows && row < last; i++)
		draw_run(p, c, row++, i, done, real_us);
	if (!p->count)
		view_put(c, row++, VIEW_DIM, RV_STR("  no runs"));
	row++;
	view_putf(c, row++, VIEW_DIM, "  %-*s%-10s%-13s%s", (int)name + 2, "NODE", "STATE", "HEALTH", "IN USE");
	for (uint32_t i = 0; i < p->nodes.count && shown < node_rows && row + 1 < last; i++) {
		if (is_word(cli_row(&p->nodes, i), "state", RV_STR("removed")))
			continue;
		draw_node(c, row++, cli_row(&p->nodes, i), name);
		shown++;
	}
	if (shown < p->sums.nodes && row < last)
		view_putf(c, row, VIEW_DIM, "  and %llu more: `reeve nodes`", (unsigned long long)(p->sums.nodes - shown));
	if (last < 2)
		return;
	if (p->asked == VIEW_TOP_CANCEL)
		view_putf(c, last - 1, VIEW_WARN, "cancel run %s? y or n", p->selected);
	else if (p->message.bytes)
		view_put(c, last - 1, p->message_bad ? VIEW_BAD : VIEW_GOOD, rv_buf_str(&p->message));
	view_put(c, last, VIEW_DIM, RV_STR("q quit  ? help  Up Down select  Enter watch  p pause  c cancel"));
}

void view_top_line(const struct view_top_page *p, struct rv_buf *out)
{
	const struct view_top_sums *s = &p->sums;

	(void)rv_buf_printf(out, "nodes %llu/%llu slots %llu/%llu agents %llu/%llu runs %llu run %llu wait %llu %.1f units/s", (unsigned long long)s->joined,
			    (unsigned long long)s->nodes, (unsigned long long)s->slots_used, (unsigned long long)s->slots, (unsigned long long)s->agents_used,
			    (unsigned long long)s->agents, (unsigned long long)s->runs_live, (unsigned long long)s->active, (unsigned long long)s->waiting, s->per_s);
	if (s->tokens || s->cost_microusd) {
		(void)rv_buf_putc(out, ' ');
		cli_put_used(out, s->tokens, s->cost_microusd);
	}
}
