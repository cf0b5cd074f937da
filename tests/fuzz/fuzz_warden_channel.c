/* fuzz_warden_channel.c - any bytes on the warden's channel: frames are whole, refused or awaited, and their texts lie inside */
#include "common/check.h"
#include "node/warden/channel.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(struct rv_str all, struct rv_str s)
{
	if (!s.bytes)
		return;
	rv_check(s.at >= all.at);
	rv_check(s.at + s.bytes <= all.at + all.bytes);
}

/* As many strings as it says, each with its NUL. */
static void strings(struct rv_str all, const struct warden_strv *v)
{
	size_t at = 0;
	uint32_t n = 0;

	inside(all, v->bytes);
	while (warden_strv_next(v, &at))
		n++;
	rv_check(n == v->count);
	rv_check(at == v->bytes.bytes);
}

static void examine(struct rv_str all, const struct warden_frame *f)
{
	switch (f->type) {
	case WARDEN_CONFIG:
		inside(all, f->config.state_dir);
		inside(all, f->config.label_prefix);
		break;
	case WARDEN_ENV_BASE:
		strings(all, &f->env_base.env);
		break;
	case WARDEN_SPAWN:
		strings(all, &f->spawn.argv);
		strings(all, &f->spawn.env_set);
		strings(all, &f->spawn.env_unset);
		inside(all, f->spawn.cwd);
		inside(all, f->spawn.label);
		inside(all, f->spawn.logs_dir);
		inside(all, f->spawn.cookie);
		rv_check(!f->spawn.cwd.bytes || strlen(f->spawn.cwd.at) == f->spawn.cwd.bytes);
		break;
	case WARDEN_FORGET:
		for (uint32_t i = 0; i < f->forget.count; i++)
			(void)warden_forget_key(f, i);
		break;
	case WARDEN_EXITED:
		inside(all, f->exited.cookie);
		inside(all, f->exited.stdout_tail);
		inside(all, f->exited.stderr_tail);
		inside(all, f->exited.detail);
		break;
	case WARDEN_OUTPUT:
		inside(all, f->output.bytes);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_str all = rv_str((const char *)data, size);
	size_t at = 0, used;
	struct warden_frame f;

	while (warden_frame_read(rv_str(all.at + at, all.bytes - at), &f, &used, NULL) == 1) {
		rv_check(used <= all.bytes - at);
		examine(rv_str(all.at + at, used), &f);
		at += used;
	}
	return 0;
}
