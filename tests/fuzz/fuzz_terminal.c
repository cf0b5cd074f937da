/* fuzz_terminal.c - whatever an agent prints, what is shown holds nothing that acts on a terminal */
#include "cli/text.h"
#include "common/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void audit(struct rv_str shown, enum cli_text_mode mode)
{
	while (shown.bytes) {
		uint32_t cp = 0, n = cli_utf8_next(shown, &cp);

		rv_check(n > 0);
		rv_check(cp >= 0x20 || (mode == CLI_TEXT_LINES && (cp == '\n' || cp == '\t')));
		rv_check(cp < 0x7f || cp > 0x9f);
		rv_check(cp < 0x202a || cp > 0x202e);
		rv_check(cp < 0x2066 || cp > 0x2069);
		shown = rv_str(shown.at + n, shown.bytes - n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_str in = { (const char *)data, size };
	struct rv_buf whole, parts, cell;
	struct cli_text t;
	size_t at, step = size ? 1 + data[0] % 40 : 1;

	rv_buf_init(&whole, 0);
	rv_buf_init(&parts, 0);
	rv_buf_init(&cell, 0);
	cli_text_safe(CLI_TEXT_LINES, in, &whole);
	cli_text_safe(CLI_TEXT_CELL, in, &cell);
	cli_text_init(&t, CLI_TEXT_LINES);
	for (at = 0; at < size; at += step)
		cli_text_feed(&t, rv_str(in.at + at, step < size - at ? step : size - at), &parts);
	cli_text_end(&t, &parts);
	audit(rv_buf_str(&whole), CLI_TEXT_LINES);
	audit(rv_buf_str(&cell), CLI_TEXT_CELL);
	rv_check(rv_str_equal(rv_buf_str(&whole), rv_buf_str(&parts)));
	rv_check(cli_text_cut(rv_buf_str(&cell), 10) <= cell.bytes);
	rv_buf_release(&whole);
	rv_buf_release(&parts);
	rv_buf_release(&cell);
	return 0;
}
