#include "node/prev.h"

#include "common/os/file.h"
#include "node/jsontext.h"

#include <unistd.h>

#define RESULT_BYTES_MAX ((size_t)64 << 10)

void node_prev_write(int fd, const struct proto_result *r, uint32_t try_number, struct rv_str artifacts, struct rv_str printed)
{
	struct rv_buf out;

	if (printed.bytes > NODE_PREV_OUTPUT_BYTES)
		printed = rv_str(printed.at + (printed.bytes - NODE_PREV_OUTPUT_BYTES), NODE_PREV_OUTPUT_BYTES);
	rv_buf_init(&out, 0);
	(void)rv_buf_printf(&out, "{\"attempt\":%u,\"try\":%u,\"class\":\"%s\",\"reason\":\"%s\",\"exit\":%d,\"error\":", r->key.attempt, try_number,
			    proto_class_name(r->class), proto_reason_name(r->reason), r->exit);
	rv_buf_put_json(&out, r->error);
	rv_buf_puts(&out, ",\"output\":");
	rv_buf_put_json(&out, printed);
	rv_buf_puts(&out, ",\"artifacts\":");
	rv_buf_put_json(&out, artifacts);
	if (rv_buf_puts(&out, "}\n") == 0)
		(void)rv_file_write_at(fd, NODE_FILE_RESULT, rv_buf_str(&out), 0600, RV_FILE_NOSYNC, NULL);
	rv_buf_release(&out);
}

/* The compact object of one attempt; empty: it left none. */
static void read_one(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_buf *out)
{
	struct rv_buf text;
	int fd;

	if (node_namespace_open(n, run, unit_id, attempt, &fd, NULL) < 0)
		return;
	rv_buf_init(&text, 0);
	if (rv_file_read_at(fd, NODE_FILE_RESULT, RESULT_BYTES_MAX, &text, NULL) == 0 && text.at[0] == '{')
		(void)node_json_compact(rv_buf_str(&text), out, NULL);
	rv_buf_release(&text);
	close(fd);
}

int node_prev_read(struct node_namespaces *n, uint64_t run, struct rv_str unit_id, uint32_t attempt, struct rv_buf *out)
{
	uint32_t first = attempt > NODE_PREV_ENTRIES_MAX ? attempt - NODE_PREV_ENTRIES_MAX : 1;
	bool any = false;
	struct rv_buf one;

	rv_buf_init(&one, 0);
	for (uint32_t k = first; k < attempt; k++) {
		rv_buf_reset(&one);
		read_one(n, run, unit_id, k, &one);
		if (!one.bytes)
			continue;
		rv_buf_puts(out, any ? "," : "{\"_prev\":[");
		rv_buf_put_str(out, rv_buf_str(&one));
		any = true;
	}
	rv_buf_release(&one);
	return any ? rv_buf_puts(out, "]}") : 0;
}

int node_prev_note(struct rv_str note, struct rv_buf *out)
{
	struct rv_buf clean;
	int rc;

	if (!note.bytes)
		return 0;
	rv_buf_init(&clean, 0);
	rc = node_text_clean(note, &clean);
	if (out->bytes)
		out->at[out->bytes - 1] = ',';
	else
		(void)rv_buf_putc(out, '{');
	(void)rv_buf_puts(out, "\"_note\":");
	(void)rv_buf_put_json(out, rv_buf_str(&clean));
	rc |= rv_buf_putc(out, '}');
	rv_buf_release(&clean);
	return rc ? -1 : 0;
}
