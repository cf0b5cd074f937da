#include "cli/view/runpage.h"

#include "cli/render.h"
#include "cli/statusline.h"
#include "cli/text.h"
#include "cli/used.h"
#include "common/id.h"

#include <stdlib.h>
#include <string.h>

#define SAMPLE_US RV_US_PER_S
#define LIST_FROM 5u       /* rows above the list: title, bar, counts, a line for what is up, headings */
#define ID_COLUMNS_MIN 12u

int view_run_page_init(struct view_run_page *p, const struct cli_tally *tally, struct rv_err *err)
{
	*p = (struct view_run_page){ .tally = tally, .selected = COORD_NONE, .list_rows = 1 };
	rv_buf_init(&p->message, 0);
	rv_buf_init(&p->stuck, 0);
	p->line_room = tally->count + 1;
	p->last_lines = calloc((size_t)tally->count + 1, sizeof(*p->last_lines));
	if (!p->last_lines)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory to show %u units", tally->count);
	for (uint32_t i = 0; i < tally->count; i++)
		if (cli_unit_ended(&tally->units[i]))
			p->end_us = rv_max_u64(p->end_us, tally->units[i].told_us);
	return view_units_init(&p->units, tally, err);
}

void view_run_page_release(struct view_run_page *p)
{
	for (uint32_t i = 0; p->last_lines && i < p->line_room; i++)
		free(p->last_lines[i]);
	free(p->last_lines);
	p->last_lines = NULL;
	view_units_release(&p->units);
	rv_buf_release(&p->message);
	rv_buf_release(&p->stuck);
}

static void forget_line(struct view_run_page *p, uint32_t unit)
{
	if (unit >= p->line_room)
		return;
	free(p->last_lines[unit]);
	p->last_lines[unit] = NULL;
}

/* Units were added to an open run. Without memory theirs are not shown. */
static void grow_lines(struct view_run_page *p)
{
	uint32_t room = p->tally->count + 1 + p->tally->count / 2;
	char **lines = realloc(p->last_lines, room * sizeof(*lines));

	if (!lines)
		return;
	memset(lines + p->line_room, 0, (room - p->line_room) * sizeof(*lines));
	p->last_lines = lines;
	p->line_room = room;
}

void view_run_page_feed(struct view_run_page *p, const struct coord_transition *t)
{
	view_units_feed(&p->units, t);
	if (t->kind == COORD_T_UNIT_FINISHED)
		p->end_us = rv_max_u64(p->end_us, t->real_us);
	if (p->tally->count + 1 > p->line_room)
		grow_lines(p);
	if (t->run == p->tally->run && t->unit <= p->tally->count && p->tally->units[t->unit].state != COORD_UNIT_FAILED)
		forget_line(p, t->unit);
}

void view_run_page_set_line(struct view_run_page *p, uint32_t unit, struct rv_str line)
{
	forget_line(p, unit);
	if (unit >= p->line_room)
		return;
	p->last_lines[unit] = malloc(line.bytes + 1);
	if (!p->last_lines[unit])
		return;
	if (line.bytes)
		memcpy(p->last_lines[unit], line.at, line.bytes);
	p->last_lines[unit][line.bytes] = '\0';
}

void view_run_page_say(struct view_run_page *p, bool bad, struct rv_str message)
{
	rv_buf_reset(&p->message);
	(void)rv_buf_put_str(&p->message, message);
	p->message_bad = bad;
}

/* --- the selection ------------------------------------------------------------------------------------------------------- */

/* A unit that a person chose is followed; where it has gone out of sight, and where nobody chose, what has come to its row takes its place. */
static void settle_selection(struct view_run_page *p)
{
	uint32_t count, row;

	view_units_settle(&p->units);
	count = view_units_count(&p->units);
	row = p->sticky && p->selected != COORD_NONE ? view_units_row_of(&p->units, p->selected) : COORD_NONE;
	if (row != COORD_NONE)
		p->row = row;
	if (p->row >= count)
		p->row = count ? count - 1 : 0;
	p->selected = view_units_row(&p->units, p->row);
	if (p->row < p->top)
		p->top = p->row;
	if (p->row >= p->top + p->list_rows)
		p->top = p->row - p->list_rows + 1;
	if (count <= p->list_rows)
		p->top = 0;
}

static void move_by(struct view_run_page *p, int64_t rows)
{
	uint32_t count = view_units_count(&p->units);

	if (!count)
		return;
	p->row = rows < 0 ? (uint32_t)rv_sat_sub(p->row, (uint64_t)-rows) : (uint32_t)rv_min_u64(p->row + (uint64_t)rows, count - 1);
	p->selected = view_units_row(&p->units, p->row);
	p->sticky = true;
}

/* --- keys -------------------------------------------------------------------------------------------------------------------- */

static struct view_wish nothing(void)
{
	return (struct view_wish){ .act = VIEW_ACT_NONE, .unit = COORD_NONE };
}

static struct view_wish of_run(enum view_act act)
{
	return (struct view_wish){ .act = act, .unit = COORD_NONE };
}

static struct view_wish of_unit(struct view_run_page *p, enum view_act act)
{
	if (p->selected == COORD_NONE)
		return nothing();
	p->sticky = true; /* what is acted on stays in view */
	return (struct view_wish){ .act = act, .unit = p->selected };
}

static struct view_wish ask_first(struct view_run_page *p, struct view_wish w)
{
	p->asked = w;
	return nothing();
}

static struct view_wish answer_key(struct view_run_page *p, struct view_key key)
{
	struct view_wish w = p->asked;

	p->asked = nothing();
	return key.kind == VIEW_KEY_CHAR && (key.cp == 'y' || key.cp == 'Y') ? w : nothing();
}

static void put_cp(struct rv_buf *b, uint32_t cp)
{
	if (cp < 0x80) {
		(void)rv_buf_putc(b, (char)cp);
	} else if (cp < 0x800) {
		(void)rv_buf_putc(b, (char)(0xc0 | cp >> 6));
		(void)rv_buf_putc(b, (char)(0x80 | (cp & 0x3f)));
	} else if (cp < 0x10000) {
		(void)rv_buf_putc(b, (char)(0xe0 | cp >> 12));
		(void)rv_buf_putc(b, (char)(0x80 | (cp >> 6 & 0x3f)));
		(void)rv_buf_putc(b, (char)(0x80 | (cp & 0x3f)));
	} else {
		(void)rv_buf_putc(b, (char)(0xf0 | cp >> 18));
		(void)rv_buf_putc(b, (char)(0x80 | (cp >> 12 & 0x3f)));
		(void)rv_buf_putc(b, (char)(0x80 | (cp >> 6 & 0x3f)));
		(void)rv_buf_putc(b, (char)(0x80 | (cp & 0x3f)));
	}
}

static void filter_key(struct view_run_page *p, struct view_key key)
{
	struct rv_buf text;

	rv_buf_init(&text, 0);
	(void)rv_buf_put_str(&text, rv_buf_str(&p->units.filter));
	if (key.kind == VIEW_KEY_ESCAPE)
		rv_buf_reset(&text);
	if (key.kind == VIEW_KEY_ESCAPE || key.kind == VIEW_KEY_ENTER)
		p->filtering = false;
	if (key.kind == VIEW_KEY_BACKSPACE)
		while (text.bytes && (text.at[--text.bytes] & 0xc0) == 0x80)
			; /* to the beginning of the character */
	if (key.kind == VIEW_KEY_CHAR && key.cp && text.bytes + 4 <= VIEW_FILTER_BYTES_MAX)
		put_cp(&text, key.cp);
	if (!rv_str_equal(rv_buf_str(&text), rv_buf_str(&p->units.filter))) {
		view_units_filter(&p->units, rv_buf_str(&text));
		p->row = p->top = 0;
		p->sticky = false;
	}
	rv_buf_release(&text);
}

static struct view_wish letter(struct view_run_page *p, uint32_t cp)
{
	const struct cli_unit *u = p->selected == COORD_NONE ? NULL : &p->tally->units[p->selected];

	switch (cp) {
	case 'q':
		return of_run(VIEW_ACT_QUIT);
	case '?':
		return of_run(VIEW_ACT_HELP);
	case 'j':
		move_by(p, 1);
		break;
	case 'k':
		move_by(p, -1);
		break;
	case 'g':
		move_by(p, -(int64_t)UINT32_MAX);
		p->sticky = false;
		break;
	case 'G':
		move_by(p, UINT32_MAX);
		break;
	case '/':
		p->filtering = true;
		break;
	case 'a':
		view_units_show_all(&p->units, !p->units.all);
		p->sticky = true;
		break;
	case 'l':
		return of_unit(p, VIEW_ACT_LOGS);
	case 'e':
		return of_unit(p, VIEW_ACT_EXPLAIN);
	case 'c':
		return ask_first(p, of_unit(p, VIEW_ACT_CANCEL));
	case 'C':
		return ask_first(p, of_run(VIEW_ACT_CANCEL_RUN));
	case 'r':
		return of_unit(p, VIEW_ACT_RETRY);
	case 'R':
		return ask_first(p, of_run(VIEW_ACT_RETRY_FAILED));
	case 'p':
		return of_run(p->tally->state == COORD_RUN_PAUSED ? VIEW_ACT_UNPAUSE : VIEW_ACT_PAUSE);
	case 'h':
		return u && u->state == COORD_UNIT_HELD ? of_unit(p, VIEW_ACT_RELEASE) : of_unit(p, VIEW_ACT_HOLD);
	default:
		break;
	}
	return nothing();
}

struct view_wish view_run_page_key(struct view_run_page *p, struct view_key key)
{
	int64_t page = p->list_rows > 1 ? p->list_rows - 1 : 1;

	settle_selection(p);
	if (p->asked.act != VIEW_ACT_NONE)
		return answer_key(p, key);
	if (p->filtering) {
		filter_key(p, key);
		return nothing();
	}
	if (key.kind == VIEW_KEY_CHAR || key.kind == VIEW_KEY_ESCAPE)
		rv_buf_reset(&p->message); /* it was read */
	switch (key.kind) {
	case VIEW_KEY_UP:
		move_by(p, -1);
		break;
	case VIEW_KEY_DOWN:
		move_by(p, 1);
		break;
	case VIEW_KEY_PAGE_UP:
		move_by(p, -page);
		break;
	case VIEW_KEY_PAGE_DOWN:
		move_by(p, page);
		break;
	case VIEW_KEY_HOME:
		return letter(p, 'g');
	case VIEW_KEY_END:
		return letter(p, 'G');
	case VIEW_KEY_TAB:
		return letter(p, 'a');
	case VIEW_KEY_ENTER:
		return of_unit(p, VIEW_ACT_LOGS);
	case VIEW_KEY_ESCAPE:
		view_units_filter(&p->units, RV_STR(""));
		p->row = p->top = 0;
		p->sticky = false;
		break;
	case VIEW_KEY_CHAR:
		return letter(p, key.cp);
	default:
		break;
	}
	return nothing();
}

/* --- above the list --------------------------------------------------------------------------------------------------------- */

static void put_duration(struct view_canvas *c, uint32_t row, enum view_style style, uint64_t us)
{
	struct rv_buf b;

	rv_buf_init(&b, 0);
	cli_put_duration(&b, us);
	view_put(c, row, style, rv_buf_str(&b));
	rv_buf_release(&b);
}

static void draw_title(const struct view_run_page *p, struct view_canvas *c, uint64_t real_us)
{
	const struct cli_tally *t = p->tally;
	struct rv_buf b;

	view_put(c, 0, VIEW_TITLE, RV_STR("reeve watch"));
	view_putf(c, 0, VIEW_PLAIN, "  run %s  ", rv_run_id_of(t->run).text);
	view_put_text(c, 0, VIEW_PLAIN, coord_graph_name(t->graph));
	rv_buf_init(&b, 0);
	(void)rv_buf_printf(&b, "%s ", coord_run_state_name(t->state));
	cli_put_duration(&b, cli_tally_elapsed_us(t, real_us));
	view_put_right(c, 0, t->state == COORD_RUN_RUNNING ? VIEW_INFO : t->state == COORD_RUN_SUCCEEDED ? VIEW_GOOD : VIEW_WARN, rv_buf_str(&b));
	rv_buf_release(&b);
}

/* Of `width` cells as many as `part` of `all`, counted so that the parts of a whole fill it. */
static uint32_t cells(uint32_t width, uint64_t before, uint64_t part, uint64_t all)
{
	return (uint32_t)((before + part) * width / all - before * width / all);
}

static void draw_bar(const struct cli_tally *t, struct view_canvas *c, uint32_t row)
{
	const struct {
		uint32_t count;
		char cell;
		enum view_style style;
	} parts[] = {
		{ t->in_state[COORD_UNIT_SUCCEEDED], '#', VIEW_GOOD },
		{ t->in_state[COORD_UNIT_FAILED] + t->in_state[COORD_UNIT_CANCELLED], '!', VIEW_BAD },
		{ t->in_state[COORD_UNIT_SKIPPED], '-', VIEW_DIM },
		{ t->in_state[COORD_UNIT_ACTIVE], '>', VIEW_INFO },
	};
	uint32_t width = c->columns > 2 ? c->columns - 2 : 0, used = 0;
	uint64_t before = 0;
	char room[VIEW_COLUMNS_MAX];

	view_put(c, row, VIEW_PLAIN, RV_STR("["));
	for (size_t i = 0; i < RV_ARRAY_LEN(parts) && t->count; i++) {
		uint32_t n = cells(width, before, parts[i].count, t->count);

		memset(room, parts[i].cell, n);
		view_put(c, row, parts[i].style, rv_str(room, n));
		before += parts[i].count;
		used += n;
	}
	memset(room, '.', width - used);
	view_put(c, row, VIEW_DIM, rv_str(room, width - used));
	view_put(c, row, VIEW_PLAIN, RV_STR("]"));
}

static void take_sample(struct view_run_page *p, uint64_t real_us)
{
	uint32_t newest = (p->samples + VIEW_RATE_SAMPLES - 1) % VIEW_RATE_SAMPLES;

	if (p->samples && real_us < p->sample_us[newest] + SAMPLE_US)
		return;
	p->sample_us[p->samples % VIEW_RATE_SAMPLES] = real_us;
	p->sample_ended[p->samples % VIEW_RATE_SAMPLES] = cli_tally_ended(p->tally);
	p->samples++;
}

/* Units a second over the last samples; 0: not known. */
static double rate(const struct view_run_page *p)
{
	uint32_t newest = (p->samples + VIEW_RATE_SAMPLES - 1) % VIEW_RATE_SAMPLES;
	uint32_t oldest = p->samples > VIEW_RATE_SAMPLES ? p->samples % VIEW_RATE_SAMPLES : 0;

	if (p->samples < 2 || p->sample_ended[newest] < p->sample_ended[oldest] || p->sample_us[newest] <= p->sample_us[oldest])
		return 0;
	return (double)(p->sample_ended[newest] - p->sample_ended[oldest]) * RV_US_PER_S / (double)(p->sample_us[newest] - p->sample_us[oldest]);
}

static void draw_counts(const struct view_run_page *p, struct view_canvas *c, uint32_t row, uint64_t real_us)
{
	const struct cli_tally *t = p->tally;
	uint32_t ok = t->in_state[COORD_UNIT_SUCCEEDED], failed = t->in_state[COORD_UNIT_FAILED], run = t->in_state[COORD_UNIT_ACTIVE];
	uint32_t ended = cli_tally_ended(t), left = t->count - ended;
	uint64_t elapsed = cli_tally_elapsed_us(t, real_us), since = rv_min_u64(rv_sat_sub(real_us, p->end_us), elapsed);
	uint64_t eta_us = p->end_us ? cli_eta_us(elapsed - since, since, ended, left) : 0;
	uint64_t tokens = rv_max_u64(p->tokens, proto_usage_tokens(&t->used)), cost = rv_max_u64(p->cost_microusd, proto_usage_cost(&t->used));
	double per_s = rate(p);

	view_putf(c, row, VIEW_GOOD, "%u/%u ok", ok, t->count);
	view_putf(c, row, failed ? VIEW_BAD : VIEW_PLAIN, "  %u fail", failed);
	view_putf(c, row, VIEW_INFO, "  %u run", run);
	view_putf(c, row, VIEW_PLAIN, "  %u wait", left - run);
	if (t->in_state[COORD_UNIT_SKIPPED])
		view_putf(c, row, VIEW_PLAIN, "  %u skipped", t->in_state[COORD_UNIT_SKIPPED]);
	if (t->in_state[COORD_UNIT_CANCELLED])
		view_putf(c, row, VIEW_PLAIN, "  %u cancelled", t->in_state[COORD_UNIT_CANCELLED]);
	if (t->retries)
		view_putf(c, row, VIEW_WARN, "  %u retr%s", t->retries, t->retries == 1 ? "y" : "ies");
	if (per_s > 0)
		view_putf(c, row, VIEW_PLAIN, per_s < 10 ? "  %.1f/s" : "  %.0f/s", per_s);
	if (eta_us) {
		view_put(c, row, VIEW_PLAIN, RV_STR("  eta ~"));
		put_duration(c, row, VIEW_PLAIN, eta_us);
	}
	if (tokens || cost) {
		struct rv_buf b;

		rv_buf_init(&b, 0);
		cli_put_used(&b, tokens, cost);
		view_put(c, row, VIEW_PLAIN, RV_STR("  "));
		view_put(c, row, VIEW_BOLD, rv_buf_str(&b));
		rv_buf_release(&b);
	}
}

static void draw_note(const struct view_run_page *p, struct view_canvas *c, uint32_t row)
{
	const struct cli_tally *t = p->tally;

	if (p->lost)
		view_put(c, row, VIEW_BAD, RV_STR("the coordinator is not to be reached: it is waited for, and what is shown may be old"));
	else if (t->state == COORD_RUN_PAUSED)
		view_put(c, row, VIEW_WARN, RV_STR("paused: nothing new starts; p goes on"));
	else if (p->stuck.bytes)
		view_put_text(c, row, VIEW_WARN, rv_buf_str(&p->stuck));
	else if (t->in_state[COORD_UNIT_HELD])
		view_putf(c, row, VIEW_WARN, "%u unit%s held: select and press h to release", t->in_state[COORD_UNIT_HELD],
			  t->in_state[COORD_UNIT_HELD] == 1 ? " is" : "s are");
}

/* --- the list --------------------------------------------------------------------------------------------------------------------- */

struct columns {
	uint32_t state, time, node, try, text; /* where each begins */
};

static struct columns columns_of(const struct view_run_page *p, const struct view_canvas *c)
{
	uint32_t id = ID_COLUMNS_MIN, node = 4, max = c->columns * 2 / 5;
	char room[COORD_UNIT_ID_BYTES];
	struct columns at;
	struct rv_buf safe;

	rv_buf_init(&safe, 0);
	for (uint32_t i = 0; i < p->list_rows; i++) {
		uint32_t unit = view_units_row(&p->units, p->top + i);

		if (unit == COORD_NONE)
			break;
		rv_buf_reset(&safe);
		cli_text_safe(CLI_TEXT_CELL, cli_tally_unit_id(p->tally, unit, room), &safe);
		id = (uint32_t)rv_max_u64(id, cli_text_width(rv_buf_str(&safe)));
		rv_buf_reset(&safe);
		cli_text_safe(CLI_TEXT_CELL, cli_tally_node_name(p->tally, p->tally->units[unit].node), &safe);
		node = (uint32_t)rv_max_u64(node, cli_text_width(rv_buf_str(&safe)));
	}
	rv_buf_release(&safe);
	id = (uint32_t)rv_min_u64(id, rv_max_u64(max, ID_COLUMNS_MIN));
	node = (uint32_t)rv_min_u64(node, 16);
	at.state = 2 + id + 2;
	at.time = at.state + 11;
	at.node = at.time + 8;
	at.try = at.node + node + 2;
	at.text = at.try + 5;
	return at;
}

/* What does not fit before the next column is cut there. */
static void put_cell(struct view_canvas *c, uint32_t row, enum view_style style, struct rv_str s, uint32_t end)
{
	uint32_t at = row < c->rows ? c->lines[row].width : 0;
	struct rv_buf safe;

	rv_buf_init(&safe, 0);
	cli_text_safe(CLI_TEXT_CELL, s, &safe);
	view_put(c, row, style, rv_str(safe.at, cli_text_cut(rv_buf_str(&safe), end > at + 1 ? end - at - 1 : 0)));
	rv_buf_release(&safe);
	if (row < c->rows && c->lines[row].width < end)
		view_tab(c, row, end);
}

static enum view_style style_of(const struct cli_unit *u)
{
	switch ((enum coord_unit_state)u->state) {
	case COORD_UNIT_SUCCEEDED:
		return VIEW_GOOD;
	case COORD_UNIT_FAILED:
	case COORD_UNIT_CANCELLED:
		return VIEW_BAD;
	case COORD_UNIT_ACTIVE:
		return VIEW_INFO;
	case COORD_UNIT_HELD:
	case COORD_UNIT_RETRY_WAIT:
		return VIEW_WARN;
	default:
		return VIEW_DIM;
	}
}

static const char *state_word(const struct cli_unit *u)
{
	if (u->state == COORD_UNIT_ACTIVE)
		return u->start_us ? "running" : "assigned";
	return coord_unit_state_name((enum coord_unit_state)u->state);
}

/* How long it ran, or has been so. */
static void put_age(const struct cli_unit *u, struct rv_buf *out, uint64_t real_us)
{
	uint64_t since = u->state == COORD_UNIT_ACTIVE && u->start_us ? u->start_us : u->told_us;

	if (cli_unit_ended(u)) {
		if (u->duration_us)
			cli_put_duration(out, u->duration_us);
	} else if (since && u->state != COORD_UNIT_PENDING) {
		cli_put_duration(out, rv_sat_sub(real_us, since));
	}
}

static void put_text(const struct view_run_page *p, struct view_canvas *c, uint32_t row, uint32_t unit)
{
	const char *line = unit < p->line_room ? p->last_lines[unit] : NULL;
	struct rv_buf why;

	rv_buf_init(&why, 0);
	cli_put_reason(p->tally, unit, &why);
	view_put_text(c, row, VIEW_PLAIN, rv_buf_str(&why));
	if (line && *line) {
		view_put(c, row, VIEW_PLAIN, rv_str_of(why.bytes ? ": " : ""));
		view_put(c, row, VIEW_BOLD, rv_str_of(line));
	}
	rv_buf_release(&why);
}

static void draw_unit(const struct view_run_page *p, struct view_canvas *c, uint32_t row, const struct columns *at, uint32_t unit, uint64_t real_us)
{
	const struct cli_unit *u = &p->tally->units[unit];
	char room[COORD_UNIT_ID_BYTES];
	struct rv_buf b;

	rv_buf_init(&b, 0);
	view_put(c, row, VIEW_PLAIN, unit == p->selected ? RV_STR("> ") : RV_STR("  "));
	put_cell(c, row, VIEW_PLAIN, cli_tally_unit_id(p->tally, unit, room), at->state);
	put_cell(c, row, style_of(u), rv_str_of(state_word(u)), at->time);
	put_age(u, &b, real_us);
	put_cell(c, row, VIEW_PLAIN, rv_buf_str(&b), at->node);
	put_cell(c, row, VIEW_PLAIN, cli_tally_node_name(p->tally, u->node), at->try);
	rv_buf_reset(&b);
	if (u->tries)
		(void)rv_buf_printf(&b, "%u", u->tries);
	put_cell(c, row, VIEW_PLAIN, rv_buf_str(&b), at->text);
	put_text(p, c, row, unit);
	if (unit == p->selected)
		view_select(c, row);
	rv_buf_release(&b);
}

static void draw_list(const struct view_run_page *p, struct view_canvas *c, uint64_t real_us)
{
	struct columns at = columns_of(p, c);
	uint32_t count = view_units_count(&p->units);
	struct rv_buf b;

	view_put(c, LIST_FROM - 1, VIEW_DIM, RV_STR("  UNIT"));
	view_tab(c, LIST_FROM - 1, at.state);
	view_put(c, LIST_FROM - 1, VIEW_DIM, RV_STR("STATE"));
	view_tab(c, LIST_FROM - 1, at.time);
	view_put(c, LIST_FROM - 1, VIEW_DIM, RV_STR("TIME"));
	view_tab(c, LIST_FROM - 1, at.node);
	view_put(c, LIST_FROM - 1, VIEW_DIM, RV_STR("NODE"));
	view_tab(c, LIST_FROM - 1, at.try);
	view_put(c, LIST_FROM - 1, VIEW_DIM, RV_STR("TRY"));
	rv_buf_init(&b, 0);
	(void)rv_buf_puts(&b, p->units.all ? "all units" : "held, running, failed");
	if (count > p->list_rows)
		(void)rv_buf_printf(&b, " %u-%u of %u", p->top + 1, (uint32_t)rv_min_u64(p->top + p->list_rows, count), count);
	view_put_right(c, LIST_FROM - 1, VIEW_DIM, rv_buf_str(&b));
	rv_buf_release(&b);
	if (!count)
		view_put(c, LIST_FROM, VIEW_DIM, p->units.filter.bytes ? RV_STR("  no unit here has that in its id") : RV_STR("  nothing runs, nothing has failed"));
	for (uint32_t i = 0; i < p->list_rows && p->top + i < count; i++)
		draw_unit(p, c, LIST_FROM + i, &at, view_units_row(&p->units, p->top + i), real_us);
}

/* --- the last two rows --------------------------------------------------------------------------------------------------------------- */

static void put_id(const struct view_run_page *p, struct view_canvas *c, uint32_t row, uint32_t unit)
{
	char room[COORD_UNIT_ID_BYTES];

	view_put_text(c, row, VIEW_BOLD, cli_tally_unit_id(p->tally, unit, room));
}

static void draw_prompt(const struct view_run_page *p, struct view_canvas *c, uint32_t row)
{
	switch (p->asked.act) {
	case VIEW_ACT_CANCEL:
		view_put(c, row, VIEW_WARN, RV_STR("cancel "));
		put_id(p, c, row, p->asked.unit);
		view_put(c, row, VIEW_WARN, RV_STR("? y or n"));
		return;
	case VIEW_ACT_CANCEL_RUN:
		view_put(c, row, VIEW_WARN, RV_STR("cancel the whole run? y or n"));
		return;
	case VIEW_ACT_RETRY_FAILED:
		view_put(c, row, VIEW_WARN, RV_STR("retry every unit that did not succeed? y or n"));
		return;
	default:
		break;
	}
	if (p->filtering || p->units.filter.bytes) {
		view_put(c, row, VIEW_INFO, RV_STR("/"));
		view_put_text(c, row, VIEW_BOLD, rv_buf_str(&p->units.filter));
		view_put(c, row, VIEW_DIM, p->filtering ? RV_STR("_   Enter keeps it, Esc ends it") : RV_STR("   Esc shows all again"));
		return;
	}
	view_put(c, row, p->message_bad ? VIEW_BAD : VIEW_GOOD, rv_buf_str(&p->message));
}

void view_run_page_draw(struct view_run_page *p, struct view_canvas *c, uint64_t real_us)
{
	p->list_rows = c->rows > LIST_FROM + 2 ? c->rows - LIST_FROM - 2 : 1;
	take_sample(p, real_us);
	settle_selection(p);
	draw_title(p, c, real_us);
	draw_bar(p->tally, c, 1);
	draw_counts(p, c, 2, real_us);
	draw_note(p, c, 3);
	draw_list(p, c, real_us);
	if (c->rows > LIST_FROM + 2) {
		draw_prompt(p, c, c->rows - 2);
		view_put(c, c->rows - 1, VIEW_DIM, RV_STR("q quit  ? help  l logs  c cancel  r retry  h hold/release  p pause  e explain  a all  / filter"));
	}
}

uint32_t view_run_page_wants_line(const struct view_run_page *p)
{
	for (uint32_t i = 0; i < p->list_rows; i++) {
		uint32_t unit = view_units_row(&p->units, p->top + i);

		if (unit == COORD_NONE)
			break;
		if (p->tally->units[unit].state == COORD_UNIT_FAILED && unit < p->line_room && !p->last_lines[unit])
			return unit;
	}
	return COORD_NONE;
}
