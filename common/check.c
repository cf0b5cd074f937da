/* check.c - the last words of a program that met its own bug */
#include "check.h"

#include "base.h"

#include <stdlib.h>
#include <unistd.h>

static size_t append(char *line, size_t at, size_t room, const char *text)
{
	while (*text && at < room)
		line[at++] = *text++;
	return at;
}

void rv_check_failed(const char *cond, const char *file, int line)
{
	char text[512], digits[12];
	size_t at = 0, d = sizeof(digits) - 1;
	unsigned int n = line > 0 ? (unsigned int)line : 0;
	ssize_t ignored;

	digits[d] = '\0';
	do {
		digits[--d] = (char)('0' + n % 10);
		n /= 10;
	} while (n);

	/* No printf here: the warden's child and signal handlers may come this way. */
	at = append(text, at, sizeof(text) - 1, "reeve: bug: ");
	at = append(text, at, sizeof(text) - 1, cond);
	at = append(text, at, sizeof(text) - 1, " (");
	at = append(text, at, sizeof(text) - 1, file);
	at = append(text, at, sizeof(text) - 1, ":");
	at = append(text, at, sizeof(text) - 1, digits + d);
	at = append(text, at, sizeof(text) - 1, ")");
	text[at++] = '\n';
	ignored = write(2, text, at); /* nowhere left to report a failure to */
	(void)ignored;
	abort();
}
