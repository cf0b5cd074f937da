/* placeholder.h - {} and its kin in a command, as GNU parallel has them
 *
 *	{}    the input             {/}   without its directory        {#}   number of the unit, from 1
 *	{.}   without .extension    {//}  its directory                {2}, {2.}, {2/}, ...  of the second list of inputs
 *	                            {/.}  without both                 {{item}}  the same as {}
 *
 * Pure. Every other brace stays as it is.
 */
#ifndef CLI_PLACEHOLDER_H
#define CLI_PLACEHOLDER_H

#include "common/base.h"
#include "common/buf.h"

enum cli_form {
	CLI_FORM_WHOLE,
	CLI_FORM_NO_EXTENSION,
	CLI_FORM_NAME,
	CLI_FORM_DIRECTORY,
	CLI_FORM_STEM,
	CLI_FORM_NUMBER,
};

#define CLI_PLACEHOLDER_LISTS_MAX 99u

struct cli_placeholder {
	enum cli_form form;
	uint32_t list;    /* from 1; 0: none was named, all are meant */
	size_t at, bytes; /* where it stands */
};

/* The next one at or after *from, which moves behind it. false: none is left. */
bool cli_placeholder_next(struct rv_str text, size_t *from, struct cli_placeholder *out);

/* Appends what a form makes of an input; `number` is for CLI_FORM_NUMBER. */
void cli_form_put(enum cli_form form, struct rv_str input, uint32_t number, struct rv_buf *out);

#endif
