/* fuzz_scan.c - any bytes: the scan decides, the cursor agrees with it and stays inside */
#include "common/check.h"
#include "proto/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every reader, on a copy: right or wrong for the value there, none may step outside. */
static void read_all_ways(struct proto_cursor at)
{
	struct proto_cursor c = at;
	uint8_t room[16];

	(void)proto_read_uint(&c);
	c = at;
	(void)proto_read_int(&c);
	c = at;
	(void)proto_read_bool(&c);
	c = at;
	(void)proto_take_nil(&c);
	c = at;
	(void)proto_read_str(&c);
	c = at;
	(void)proto_read_bin(&c);
	c = at;
	proto_read_fixed(&c, room, sizeof(room));
	c = at;
	(void)proto_skip(&c);
}

/* Into containers, over everything else. */
static void step(struct proto_cursor *c)
{
	struct proto_cursor in = *c;

	(void)proto_read_array(&in);
	if (in.failed) {
		in = *c;
		(void)proto_read_map(&in);
	}
	if (in.failed)
		(void)proto_skip(c);
	else
		*c = in;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_scan_limits limits = PROTO_SCAN_FRAME;
	struct rv_str bytes = rv_str((const char *)data, size);
	struct proto_cursor c = proto_cursor(bytes);
	struct rv_err err;
	int ok = proto_scan(bytes, &limits, &err) == 0;

	while (!c.failed && c.at < c.end) {
		read_all_ways(c);
		step(&c);
	}
	if (ok) {
		rv_check(proto_cursor_done(&c));
		c = proto_cursor(bytes);
		rv_check(proto_skip(&c).bytes == size);
	}
	return 0;
}
