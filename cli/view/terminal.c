#include "cli/view/terminal.h"

#include "cli/render.h"
#include "common/os/signals.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#undef columns /* <term.h> gives common words to capabilities */
#undef lines

#define ESCAPE_MS 25 /* an escape sequence comes at once; the key Esc is alone */

static struct {
	bool open;
	SCREEN *screen;
	bool colours;
	struct rv_signals resize;
	struct termios before;
	char leave[256]; /* what brings the screen back, for a process that dies */
	size_t leave_bytes;
} term = { .resize = { .fd = -1 } };

/* --- dying ------------------------------------------------------------------------------------------------------------- */

static const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGSYS };

/* Only what may be done in a handler; the default action of the signal comes after it (SA_RESETHAND). */
static void on_death(int number)
{
	int saved = errno;

	if (term.open) {
		if (write(STDOUT_FILENO, term.leave, term.leave_bytes) < 0)
			saved = errno; /* nobody sees it */
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &term.before);
	}
	errno = saved;
	(void)raise(number);
}

static void watch_deaths(void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = (int)SA_RESETHAND | SA_NODEFER };

	(void)sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < RV_ARRAY_LEN(deadly); i++)
		(void)sigaction(deadly[i], &sa, NULL);
}

static void remember(const char *name)
{
	const char *s = tigetstr(name);
	size_t n;

	if (!s || s == (const char *)-1)
		return;
	n = strlen(s);
	if (term.leave_bytes + n > sizeof(term.leave))
		return;
	memcpy(term.leave + term.leave_bytes, s, n);
	term.leave_bytes += n;
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

bool view_terminal_possible(void)
{
	return cli_may_animate(STDOUT_FILENO) && cli_is_tty(STDIN_FILENO);
}

/* Text here is UTF-8, whatever the locale says of others'. */
static void speak_utf8(void)
{
	if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static void make_colours(void)
{
	static const struct {
		short style, colour;
	} pairs[] = { { VIEW_GOOD, COLOR_GREEN }, { VIEW_BAD, COLOR_RED }, { VIEW_WARN, COLOR_YELLOW }, { VIEW_INFO, COLOR_CYAN } };

	term.colours = cli_may_colour(STDOUT_FILENO) && has_colors() && start_color() == OK && use_default_colors() == OK;
	for (size_t i = 0; term.colours && i < RV_ARRAY_LEN(pairs); i++)
		(void)init_pair(pairs[i].style, pairs[i].colour, -1);
}

int view_terminal_open(struct rv_err *err)
{
	static const int resized[] = { SIGWINCH };

	if (tcgetattr(STDIN_FILENO, &term.before))
		return rv_fail_errno(err, errno, "cannot ask the terminal");
	speak_utf8();
	term.screen = newterm(NULL, stdout, stdin);
	if (!term.screen) {
		const char *name = getenv("TERM");

		return rv_fail(err, RV_E_UNSUPPORTED, "a terminal of type \"%.40s\" is not known", name ? name : "");
	}
	if (rv_signals_open(&term.resize, resized, RV_ARRAY_LEN(resized), err)) {
		(void)endwin();
		delscreen(term.screen);
		return -1;
	}
	term.leave_bytes = 0;
	remember("sgr0");
	remember("cnorm");
	remember("rmkx");
	remember("rmcup");
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)set_escdelay(ESCAPE_MS);
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	(void)leaveok(stdscr, TRUE);
	(void)curs_set(0);
	make_colours();
	term.open = true;
	watch_deaths(on_death);
	return 0;
}

void view_terminal_close(void)
{
	if (!term.open)
		return;
	(void)curs_set(1);
	(void)endwin();
	term.open = false;
	watch_deaths(SIG_DFL);
	delscreen(term.screen);
	term.screen = NULL;
	rv_signals_close(&term.resize);
}

/* --- drawing ----------------------------------------------------------------------------------------------------------------- */

void view_terminal_size(uint32_t *columns, uint32_t *rows)
{
	*columns = (uint32_t)rv_max_u64((uint64_t)COLS, 1);
	*rows = (uint32_t)rv_max_u64((uint64_t)LINES, 1);
}

static attr_t attributes_of(enum view_style style)
{
	attr_t how = 0;

	switch (style) {
	case VIEW_DIM:
		how = A_DIM;
		break;
	case VIEW_BOLD:
	case VIEW_TITLE:
	case VIEW_BAD:
		how = A_BOLD;
		break;
	default:
		break;
	}
	return term.colours && style >= VIEW_GOOD ? how | (attr_t)COLOR_PAIR((int)style) : how;
}

static void show_line(const struct view_canvas *c, uint32_t row)
{
	const struct view_line *l = &c->lines[row];
	attr_t more = l->selected ? A_REVERSE : 0;
	size_t from = 0;

	(void)move((int)row, 0);
	for (uint32_t i = 0; i < l->span_count; i++) {
		(void)attrset((int)(attributes_of(l->spans[i].style) | more));
		(void)addnstr(l->text.at + from, (int)(l->spans[i].end - from));
		from = l->spans[i].end;
	}
	(void)attrset((int)more);
	for (uint32_t at = l->width; l->selected && at < c->columns; at++)
		(void)addch(' ');
	(void)attrset(A_NORMAL);
	if (l->width < c->columns && !l->selected)
		(void)clrtoeol();
}

void view_terminal_show(const struct view_canvas *c)
{
	for (uint32_t row = 0; row < c->rows; row++)
		show_line(c, row);
	(void)refresh();
}

/* --- keys ----------------------------------------------------------------------------------------------------------------------- */

static bool take_resize(void)
{
	struct rv_signal s;
	struct winsize size;
	bool any = false;

	while (rv_signals_next(&term.resize, &s) == 1)
		any = true;
	if (any && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
		(void)resizeterm(size.ws_row, size.ws_col);
		(void)clearok(stdscr, TRUE);
	}
	return any;
}

static struct view_key of_code(wint_t code)
{
	static const struct {
		wint_t code;
		enum view_key_kind kind;
	} keys[] = {
		{ KEY_UP, VIEW_KEY_UP },         { KEY_DOWN, VIEW_KEY_DOWN },   { KEY_PPAGE, VIEW_KEY_PAGE_UP },    { KEY_NPAGE, VIEW_KEY_PAGE_DOWN },
		{ KEY_HOME, VIEW_KEY_HOME },     { KEY_END, VIEW_KEY_END },     { KEY_ENTER, VIEW_KEY_ENTER },      { KEY_BACKSPACE, VIEW_KEY_BACKSPACE },
		{ KEY_RESIZE, VIEW_KEY_RESIZED },
	};

	for (size_t i = 0; i < RV_ARRAY_LEN(keys); i++)
		if (keys[i].code == code)
			return (struct view_key){ .kind = keys[i].kind };
	return (struct view_key){ .kind = VIEW_KEY_CHAR }; /* of no meaning here */
}

static struct view_key of_char(wint_t c)
{
	switch (c) {
	case '\r':
	case '\n':
		return (struct view_key){ .kind = VIEW_KEY_ENTER };
	case 0x1b:
		return (struct view_key){ .kind = VIEW_KEY_ESCAPE };
	case '\t':
		return (struct view_key){ .kind = VIEW_KEY_TAB };
	case 0x08:
	case 0x7f:
		return (struct view_key){ .kind = VIEW_KEY_BACKSPACE };
	case 0x0c:
		(void)clearok(stdscr, TRUE);
		return (struct view_key){ .kind = VIEW_KEY_REDRAW };
	default:
		return (struct view_key){ .kind = VIEW_KEY_CHAR, .cp = c < 0x20 ? 0 : (uint32_t)c };
	}
}

struct view_key view_terminal_key(void)
{
	wint_t c;
	int rc;

	if (take_resize())
		return (struct view_key){ .kind = VIEW_KEY_RESIZED };
	rc = get_wch(&c);
	if (rc == KEY_CODE_YES)
		return of_code(c);
	return rc == OK ? of_char(c) : (struct view_key){ .kind = VIEW_KEY_NONE };
}

int view_terminal_fd(void)
{
	return STDIN_FILENO;
}

int view_terminal_resize_fd(void)
{
	return term.resize.fd;
}

bool view_terminal_gone(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR | POLLNVAL);
}
