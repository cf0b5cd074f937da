#include "channel.h"


/* Bounds on what a frame may hold beyond its own length: checked by the decoder, so that the warden may trust counts. */
#define STRV_COUNT_MAX 65536u

static const char *const level_names[] = {
	[WARDEN_LEVEL_NONE] = "none",
	[WARDEN_LEVEL_CGROUP] = "cgroup",
	[WARDEN_LEVEL_PIDNS] = "pidns",
	[WARDEN_LEVEL_SUBREAPER] = "subreaper",
};

static const char *const why_names[] = {
	[WARDEN_WHY_NONE] = "none",
	[WARDEN_WHY_EXITED] = "exited",
	[WARDEN_WHY_TIMEOUT] = "timeout",
	[WARDEN_WHY_IDLE] = "idle",
	[WARDEN_WHY_START] = "start_timeout",
	[WARDEN_WHY_KILLED] = "killed",
	[WARDEN_WHY_MEMORY] = "memory",
	[WARDEN_WHY_CPU] = "cpu",
	[WARDEN_WHY_SPAWN_FAILED] = "spawn_failed",
	[WARDEN_WHY_UNKILLABLE] = "unkillable",
};

static const char *const fault_names[] = {
	[WARDEN_FAULT_NONE] = "none",
	[WARDEN_FAULT_NOT_FOUND] = "not_found",
	[WARDEN_FAULT_NOT_EXECUTABLE] = "not_executable",
	[WARDEN_FAULT_TOO_BIG] = "too_big",
	[WARDEN_FAULT_CWD] = "cwd",
	[WARDEN_FAULT_OUTPUT] = "output",
	[WARDEN_FAULT_RESOURCES] = "resources",
	[WARDEN_FAULT_FULL] = "full",
	[WARDEN_FAULT_REQUEST] = "request",
	[WARDEN_FAULT_SETUP] = "setup",
};

const char *warden_level_name(enum warden_level level)
{
	return (size_t)level < RV_ARRAY_LEN(level_names) ? level_names[level] : "none";
}

enum warden_level warden_level_of(const char *name)
{
	for (size_t i = 1; name && i < RV_ARRAY_LEN(level_names); i++)
		if (!strcmp(name, level_names[i]))
			return (enum warden_level)i;
	return WARDEN_LEVEL_NONE;
}

const char *warden_why_name(enum warden_why why)
{
	return (size_t)why < RV_ARRAY_LEN(why_names) ? why_names[why] : "none";
}

const char *warden_fault_name(enum warden_fault fault)
{
	return (size_t)fault < RV_ARRAY_LEN(fault_names) ? fault_names[fault] : "none";
}

int warden_strv_add(struct rv_buf *bytes, uint32_t *count, struct rv_str s)
{
	if (s.bytes && memchr(s.at, 0, s.bytes))
		return -1;
	if (rv_buf_put(bytes, s.at, s.bytes) || rv_buf_putc(bytes, 0))
		return -1;
	++*count;
	return 0;
}

const char *warden_strv_next(const struct warden_strv *v, size_t *at)
{
	const char *s, *nul;

	if (*at >= v->bytes.bytes)
		return NULL;
	s = v->bytes.at + *at;
	nul = memchr(s, 0, v->bytes.bytes - *at);
	if (!nul)
		return NULL;
	*at += (size_t)(nul - s) + 1;
	return s;
}

/* Frames: begin() notes where the length goes, end() fills it in or takes everything back. */

static size_t begin(struct rv_buf *out, enum warden_msg type)
{
	size_t at = out->bytes;

	rv_buf_put_u32(out, 0);
	rv_buf_put_u8(out, (uint8_t)type);
	return at;
}

static int end(struct rv_buf *out, size_t at)
{
	size_t n = out->bytes - at;

	if (out->failed || n > WARDEN_FRAME_BYTES_MAX) {
		out->failed = false;
		out->bytes = at;
		out->at[at] = 0;
		return -1;
	}
	n -= 4;
	for (int i = 0; i < 4; i++)
		out->at[at + (size_t)i] = (char)(n >> (8 * i));
	return 0;
}

static void put_strv(struct rv_buf *out, const struct warden_strv *v)
{
	rv_buf_put_u32(out, v->count);
	rv_buf_put_lv(out, v->bytes);
}

/* Counts the strings anew: a `count` that is not the number of NULs, or a last string without one, is no frame. */
static struct warden_strv read_strv(struct rv_reader *r)
{
	struct warden_strv v = { .count = rv_read_u32(r) };
	size_t at = 0;
	uint32_t n = 0;

	v.bytes = rv_read_lv(r);
	while (n <= STRV_COUNT_MAX && warden_strv_next(&v, &at))
		n++;
	if (n != v.count || at != v.bytes.bytes || n > STRV_COUNT_MAX)
		r->failed = true;
	return v;
}

/* A C string inside a frame: its NUL travels along, so that the warden can use it where it lies. */
static void put_cstr(struct rv_buf *out, struct rv_str s)
{
	rv_buf_put_u32(out, (uint32_t)s.bytes);
	rv_buf_put(out, s.at, s.bytes);
	rv_buf_putc(out, 0);
}

static struct rv_str read_cstr(struct rv_reader *r)
{
	uint32_t n = rv_read_u32(r);
	struct rv_str s = { 0 };

	if (r->failed || (size_t)(r->end - r->at) < (size_t)n + 1 || r->at[n] != 0 || memchr(r->at, 0, n)) {
		r->failed = true;
		return s;
	}
	s = rv_str(r->at, n);
	r->at += (size_t)n + 1;
	return s;
}

int warden_put_config(struct rv_buf *out, const struct warden_config *m)
{
	size_t at = begin(out, WARDEN_CONFIG);

	rv_buf_put_u32(out, WARDEN_VERSION);
	rv_buf_put_u32(out, m->slots);
	rv_buf_put_u32(out, m->agent_slots);
	rv_buf_put_u8(out, (uint8_t)m->level);
	put_cstr(out, m->state_dir);
	put_cstr(out, m->label_prefix);
	rv_buf_put_u64(out, m->segment_bytes);
	rv_buf_put_u32(out, m->queue_max);
	rv_buf_put_u64(out, m->queue_bytes_max);
	rv_buf_put_u64(out, m->default_grace_us);
	return end(out, at);
}

static void read_config(struct rv_reader *r, struct warden_config *m)
{
	m->version = rv_read_u32(r);
	m->slots = rv_read_u32(r);
	m->agent_slots = rv_read_u32(r);
	m->level = rv_read_u8(r);
	m->state_dir = read_cstr(r);
	m->label_prefix = read_cstr(r);
	m->segment_bytes = rv_read_u64(r);
	m->queue_max = rv_read_u32(r);
	m->queue_bytes_max = rv_read_u64(r);
	m->default_grace_us = rv_read_u64(r);
}

int warden_put_env_base(struct rv_buf *out, const struct warden_env_base *m)
{
	size_t at = begin(out, WARDEN_ENV_BASE);

	rv_buf_put_u32(out, m->id);
	put_strv(out, &m->env);
	return end(out, at);
}

int warden_put_spawn(struct rv_buf *out, const struct warden_spawn *m)
{
	size_t at = begin(out, WARDEN_SPAWN);

	rv_buf_put_u64(out, m->key);
	rv_buf_put_u64(out, m->log_id.run);
	rv_buf_put_u32(out, m->log_id.unit);
	rv_buf_put_u32(out, m->log_id.attempt);
	rv_buf_put_u32(out, m->slots);
	rv_buf_put_u32(out, m->agent_slots);
	rv_buf_put_u32(out, m->env_base);
	rv_buf_put_u8(out, (uint8_t)m->output);
	rv_buf_put_u64(out, m->log_bytes_max);
	rv_buf_put_u64(out, m->output_credit);
	rv_buf_put_u64(out, m->wall_us);
	rv_buf_put_u64(out, m->idle_us);
	rv_buf_put_u64(out, m->start_us);
	rv_buf_put_u64(out, m->grace_us);
	rv_buf_put_u64(out, m->memory_bytes_max);
	rv_buf_put_u64(out, m->cpu_us_max);
	rv_buf_put_u64(out, m->nofile);
	rv_buf_put_u64(out, m->fsize);
	rv_buf_put_u64(out, m->core);
	rv_buf_put_u32(out, m->uid);
	rv_buf_put_u32(out, m->gid);
	rv_buf_put_u32(out, m->umask);
	rv_buf_put_u32(out, m->flags);
	put_strv(out, &m->argv);
	put_strv(out, &m->env_set);
	put_strv(out, &m->env_unset);
	put_cstr(out, m->cwd);
	put_cstr(out, m->label);
	put_cstr(out, m->logs_dir);
	rv_buf_put_lv(out, m->cookie);
	return end(out, at);
}

static void read_spawn(struct rv_reader *r, struct warden_spawn *m)
{
	m->key = rv_read_u64(r);
	m->log_id.run = rv_read_u64(r);
	m->log_id.unit = rv_read_u32(r);
	m->log_id.attempt = rv_read_u32(r);
	m->slots = rv_read_u32(r);
	m->agent_slots = rv_read_u32(r);
	m->env_base = rv_read_u32(r);
	m->output = rv_read_u8(r);
	m->log_bytes_max = rv_read_u64(r);
	m->output_credit = rv_read_u64(r);
	m->wall_us = rv_read_u64(r);
	m->idle_us = rv_read_u64(r);
	m->start_us = rv_read_u64(r);
	m->grace_us = rv_read_u64(r);
	m->memory_bytes_max = rv_read_u64(r);
	m->cpu_us_max = rv_read_u64(r);
	m->nofile = rv_read_u64(r);
	m->fsize = rv_read_u64(r);
	m->core = rv_read_u64(r);
	m->uid = rv_read_u32(r);
	m->gid = rv_read_u32(r);
	m->umask = rv_read_u32(r);
	m->flags = rv_read_u32(r);
	m->argv = read_strv(r);
	m->env_set = read_strv(r);
	m->env_unset = read_strv(r);
	m->cwd = read_cstr(r);
	m->label = read_cstr(r);
	m->logs_dir = read_cstr(r);
	m->cookie = rv_read_lv(r);
}

int warden_put_key(struct rv_buf *out, enum warden_msg type, uint64_t key)
{
	size_t at = begin(out, type);

	rv_buf_put_u64(out, key);
	return end(out, at);
}

int warden_put_kill(struct rv_buf *out, uint64_t key, uint64_t grace_us)
{
	size_t at = begin(out, WARDEN_KILL);

	rv_buf_put_u64(out, key);
	rv_buf_put_u64(out, grace_us);
	return end(out, at);
}

int warden_put_grace(struct rv_buf *out, enum warden_msg type, uint64_t grace_us)
{
	size_t at = begin(out, type);

	rv_buf_put_u64(out, grace_us);
	return end(out, at);
}

int warden_put_credit(struct rv_buf *out, uint64_t key, uint64_t bytes)
{
	size_t at = begin(out, WARDEN_OUTPUT_CREDIT);

	rv_buf_put_u64(out, key);
	rv_buf_put_u64(out, bytes);
	return end(out, at);
}

int warden_put_empty(struct rv_buf *out, enum warden_msg type)
{
	return end(out, begin(out, type));
}

int warden_put_forget(struct rv_buf *out, const uint64_t *keys, uint32_t count)
{
	size_t at = begin(out, WARDEN_FORGET);

	rv_buf_put_u32(out, count);
	for (uint32_t i = 0; i < count; i++)
		rv_buf_put_u64(out, keys[i]);
	return end(out, at);
}

uint64_t warden_forget_key(const struct warden_frame *f, uint32_t i)
{
	struct rv_reader r;

	rv_reader_init(&r, rv_str(f->forget.at + (size_t)i * 8, 8));
	return rv_read_u64(&r);
}

int warden_put_slots(struct rv_buf *out, uint32_t slots, uint32_t agent_slots)
{
	size_t at = begin(out, WARDEN_SLOTS);

	rv_buf_put_u32(out, slots);
	rv_buf_put_u32(out, agent_slots);
	return end(out, at);
}

int warden_put_hello(struct rv_buf *out, const struct warden_hello *m)
{
	size_t at = begin(out, WARDEN_HELLO);

	rv_buf_put_u32(out, m->version);
	rv_buf_put_u32(out, m->pid);
	rv_buf_put_u8(out, (uint8_t)m->level);
	rv_buf_put_u32(out, m->records);
	rv_buf_put_u32(out, m->orphans);
	rv_buf_put_lv(out, m->trouble);
	rv_buf_put_lv(out, m->label);
	return end(out, at);
}

int warden_put_started(struct rv_buf *out, const struct warden_started *m)
{
	size_t at = begin(out, WARDEN_STARTED);

	rv_buf_put_u64(out, m->key);
	rv_buf_put_u32(out, m->pid);
	rv_buf_put_u64(out, m->mono_us);
	rv_buf_put_u64(out, m->real_us);
	return end(out, at);
}

int warden_put_exited(struct rv_buf *out, const struct warden_exited *m)
{
	size_t at = begin(out, WARDEN_EXITED);

	rv_buf_put_u64(out, m->key);
	rv_buf_put_u64(out, m->log_id.run);
	rv_buf_put_u32(out, m->log_id.unit);
	rv_buf_put_u32(out, m->log_id.attempt);
	rv_buf_put_u8(out, (uint8_t)m->why);
	rv_buf_put_u8(out, (uint8_t)m->fault);
	rv_buf_put_u8(out, (uint8_t)m->level);
	rv_buf_put_u8(out, m->stray_pids);
	rv_buf_put_u8(out, m->recovered);
	rv_buf_put_u8(out, (uint8_t)m->place.kind);
	rv_buf_put_u8(out, m->place.truncated);
	rv_buf_put_u32(out, m->sys);
	rv_buf_put_u32(out, (uint32_t)m->code);
	rv_buf_put_u32(out, (uint32_t)m->signal);
	rv_buf_put_u32(out, m->pid);
	rv_buf_put_u64(out, m->start_mono_us);
	rv_buf_put_u64(out, m->end_mono_us);
	rv_buf_put_u64(out, m->start_real_us);
	rv_buf_put_u64(out, m->end_real_us);
	rv_buf_put_u64(out, m->frozen_us);
	rv_buf_put_u64(out, m->cpu_us);
	rv_buf_put_u64(out, m->maxrss_bytes);
	rv_buf_put_u32(out, m->place.segment);
	rv_buf_put_u64(out, m->place.offset);
	rv_buf_put_u64(out, m->place.stdout_bytes);
	rv_buf_put_u64(out, m->place.stderr_bytes);
	rv_buf_put_lv(out, m->cookie);
	rv_buf_put_lv(out, m->stdout_tail);
	rv_buf_put_lv(out, m->stderr_tail);
	rv_buf_put_lv(out, m->detail);
	return end(out, at);
}

static void read_exited(struct rv_reader *r, struct warden_exited *m)
{
	m->key = rv_read_u64(r);
	m->log_id.run = rv_read_u64(r);
	m->log_id.unit = rv_read_u32(r);
	m->log_id.attempt = rv_read_u32(r);
	m->why = rv_read_u8(r);
	m->fault = rv_read_u8(r);
	m->level = rv_read_u8(r);
	m->stray_pids = rv_read_u8(r);
	m->recovered = rv_read_u8(r);
	m->place.kind = rv_read_u8(r);
	m->place.truncated = rv_read_u8(r);
	m->sys = rv_read_u32(r);
	m->code = (int32_t)rv_read_u32(r);
	m->signal = (int32_t)rv_read_u32(r);
	m->pid = rv_read_u32(r);
	m->start_mono_us = rv_read_u64(r);
	m->end_mono_us = rv_read_u64(r);
	m->start_real_us = rv_read_u64(r);
	m->end_real_us = rv_read_u64(r);
	m->frozen_us = rv_read_u64(r);
	m->cpu_us = rv_read_u64(r);
	m->maxrss_bytes = rv_read_u64(r);
	m->place.segment = rv_read_u32(r);
	m->place.offset = rv_read_u64(r);
	m->place.stdout_bytes = rv_read_u64(r);
	m->place.stderr_bytes = rv_read_u64(r);
	m->cookie = rv_read_lv(r);
	m->stdout_tail = rv_read_lv(r);
	m->stderr_tail = rv_read_lv(r);
	m->detail = rv_read_lv(r);
}

int warden_put_output(struct rv_buf *out, const struct warden_output *m)
{
	size_t at = begin(out, WARDEN_OUTPUT);

	rv_buf_put_u64(out, m->key);
	rv_buf_put_u8(out, m->stream);
	rv_buf_put_u64(out, m->offset);
	rv_buf_put_lv(out, m->bytes);
	return end(out, at);
}

int warden_put_table_entry(struct rv_buf *out, const struct warden_table_entry *m)
{
	size_t at = begin(out, WARDEN_TABLE_ENTRY);

	rv_buf_put_u64(out, m->key);
	rv_buf_put_u8(out, (uint8_t)m->state);
	rv_buf_put_u32(out, m->pid);
	rv_buf_put_u64(out, m->mono_us);
	rv_buf_put_u64(out, m->real_us);
	rv_buf_put_u64(out, m->stdout_bytes);
	rv_buf_put_u64(out, m->stderr_bytes);
	rv_buf_put_lv(out, m->cookie);
	return end(out, at);
}

/* Fills the union of one type; -1: no such type. */
static int read_payload(struct rv_reader *r, struct warden_frame *f)
{
	switch (f->type) {
	case WARDEN_CONFIG:
		read_config(r, &f->config);
		return 0;
	case WARDEN_ENV_BASE:
		f->env_base.id = rv_read_u32(r);
		f->env_base.env = read_strv(r);
		return 0;
	case WARDEN_SPAWN:
		read_spawn(r, &f->spawn);
		return 0;
	case WARDEN_KILL:
		f->kill.key = rv_read_u64(r);
		f->kill.grace_us = rv_read_u64(r);
		return 0;
	case WARDEN_KILL_ALL:
	case WARDEN_SHUTDOWN:
		f->kill.key = 0;
		f->kill.grace_us = rv_read_u64(r);
		return 0;
	case WARDEN_RETRACT:
	case WARDEN_FREEZE:
	case WARDEN_THAW:
	case WARDEN_RETRACTED:
	case WARDEN_ALREADY_STARTED:
	case WARDEN_UNKNOWN_KEY:
	case WARDEN_FROZEN:
	case WARDEN_THAWED:
	case WARDEN_TREE_GONE:
		f->kill.key = rv_read_u64(r);
		f->kill.grace_us = 0;
		return 0;
	case WARDEN_OUTPUT_CREDIT:
		f->credit.key = rv_read_u64(r);
		f->credit.bytes = rv_read_u64(r);
		return 0;
	case WARDEN_TABLE:
	case WARDEN_TABLE_END:
		return 0;
	case WARDEN_FORGET:
		f->forget.count = rv_read_u32(r);
		f->forget.at = r->at;
		if ((size_t)(r->end - r->at) != (size_t)f->forget.count * 8)
			r->failed = true;
		else
			r->at = r->end;
		return 0;
	case WARDEN_SLOTS:
		f->slots.slots = rv_read_u32(r);
		f->slots.agent_slots = rv_read_u32(r);
		return 0;
	case WARDEN_HELLO:
		f->hello.version = rv_read_u32(r);
		f->hello.pid = rv_read_u32(r);
		f->hello.level = rv_read_u8(r);
		f->hello.records = rv_read_u32(r);
		f->hello.orphans = rv_read_u32(r);
		f->hello.trouble = rv_read_lv(r);
		f->hello.label = rv_read_lv(r);
		return 0;
	case WARDEN_STARTED:
		f->started.key = rv_read_u64(r);
		f->started.pid = rv_read_u32(r);
		f->started.mono_us = rv_read_u64(r);
		f->started.real_us = rv_read_u64(r);
		return 0;
	case WARDEN_EXITED:
		read_exited(r, &f->exited);
		return 0;
	case WARDEN_OUTPUT:
		f->output.key = rv_read_u64(r);
		f->output.stream = rv_read_u8(r);
		f->output.offset = rv_read_u64(r);
		f->output.bytes = rv_read_lv(r);
		return 0;
	case WARDEN_TABLE_ENTRY:
		f->entry.key = rv_read_u64(r);
		f->entry.state = rv_read_u8(r);
		f->entry.pid = rv_read_u32(r);
		f->entry.mono_us = rv_read_u64(r);
		f->entry.real_us = rv_read_u64(r);
		f->entry.stdout_bytes = rv_read_u64(r);
		f->entry.stderr_bytes = rv_read_u64(r);
		f->entry.cookie = rv_read_lv(r);
		return 0;
	case WARDEN_NONE:
		break;
	}
	return -1;
}

int warden_frame_read(struct rv_str bytes, struct warden_frame *frame, size_t *used, struct rv_err *err)
{
	struct rv_reader r;
	uint32_t n;

	if (bytes.bytes < 4)
		return 0;
	rv_reader_init(&r, bytes);
	n = rv_read_u32(&r);
	if (n < 1 || n > WARDEN_FRAME_BYTES_MAX)
		return rv_fail(err, RV_E_CORRUPT, "warden channel: frame of %u bytes", n);
	if (bytes.bytes - 4 < n)
		return 0;
	rv_reader_init(&r, rv_str(bytes.at + 4, n));
	frame->type = rv_read_u8(&r);
	if (read_payload(&r, frame))
		return rv_fail(err, RV_E_CORRUPT, "warden channel: unknown message %d", (int)frame->type);
	if (r.failed || r.at != r.end)
		return rv_fail(err, RV_E_CORRUPT, "warden channel: malformed message %d", (int)frame->type);
	*used = (size_t)n + 4;
	return 1;
}
