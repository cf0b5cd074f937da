/* fuzz_token.c - any bytes as a token's line: refused without a word of them, or a token whose line is read back the same */
#include "common/check.h"
#include "common/net/bus.h"
#include "common/net/curve.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No error holds eight bytes of the input that stand where a secret could: behind the first three words. */
static void quotes_nothing(const struct rv_err *err, struct rv_str line)
{
	size_t words = 0, at = 0;
	char piece[9];

	while (at < line.bytes && words < 3)
		words += line.at[at++] == ' ';
	for (; at + 8 <= line.bytes; at++) {
		memcpy(piece, line.at + at, 8);
		piece[8] = '\0';
		if (strlen(piece) == 8 && strspn(piece, "0123456789abcdef") == 8)
			rv_check(!strstr(err->msg, piece) && !strstr(err->hint, piece));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_str line = rv_str((const char *)data, size);
	struct net_token t, again;
	struct rv_buf text;
	struct rv_err err;

	(void)net_endpoint_check(line, NET_ENDPOINT_CONNECT, NULL);
	(void)net_endpoint_check(line, NET_ENDPOINT_LISTEN, NULL);
	memset(&t, 0, sizeof t);
	if (net_token_parse(line, &t, &err) < 0) {
		quotes_nothing(&err, line);
		return 0;
	}
	rv_check(t.endpoint_count >= 1);
	rv_check(t.endpoint_count <= NET_TOKEN_ENDPOINTS_MAX);
	rv_buf_init(&text, 0);
	rv_check(net_token_format(&t, &text, NULL) == 0);
	memset(&again, 0, sizeof again);
	rv_check(net_token_parse(rv_buf_str(&text), &again, NULL) == 0);
	rv_check(memcmp(&t, &again, sizeof t) == 0);
	rv_buf_release(&text);
	return 0;
}
