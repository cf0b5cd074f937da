/* key.h - what a person presses, free of any terminal's ways */
#ifndef CLI_VIEW_KEY_H
#define CLI_VIEW_KEY_H

#include <stdint.h>

enum view_key_kind {
	VIEW_KEY_NONE,
	VIEW_KEY_CHAR,
	VIEW_KEY_UP,
	VIEW_KEY_DOWN,
	VIEW_KEY_PAGE_UP,
	VIEW_KEY_PAGE_DOWN,
	VIEW_KEY_HOME,
	VIEW_KEY_END,
	VIEW_KEY_ENTER,
	VIEW_KEY_ESCAPE,
	VIEW_KEY_BACKSPACE,
	VIEW_KEY_TAB,
	VIEW_KEY_RESIZED, /* the terminal has another size now */
	VIEW_KEY_REDRAW,  /* Ctrl-L */
};

struct view_key {
	enum view_key_kind kind;
	uint32_t cp; /* of a CHAR */
};

#endif
