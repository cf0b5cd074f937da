/* spec.c - a spec as a msgpack map from field numbers to what differs from the default
 *
 * One table drives both directions. Field numbers are never reused. Texts travel as bytes: an argument or a path need
 * not be UTF-8.
 */
#include "proto/spec.h"

#include "common/arena.h"
#include "common/check.h"
#include "common/limits.h"
#include "proto/parts.h"

#define SPEC_FLAGS_ALL ((uint64_t)(PROTO_SPEC_RALPH_ENV << 1) - 1)

enum field_kind {
	FIELD_U32 = 1, /* also enums: up to .max */
	FIELD_U64,
	FIELD_TEXT,
	FIELD_TEXTS,  /* array at .offset, its count at .count */
	FIELD_PAIRS,
	FIELD_NUMBERS, /* of int32_t */
};

struct field {
	enum field_kind kind;
	uint64_t max; /* U32, U64 */
	size_t offset;
	size_t count;
};

#define AT(member) .offset = offsetof(struct proto_spec, member)
#define COUNT(member) .count = offsetof(struct proto_spec, member)
#define ENUM_FIELD(member, last) { .kind = FIELD_U32, .max = (last), AT(member) }
#define U64_FIELD(member) { .kind = FIELD_U64, .max = UINT64_MAX, AT(member) }
#define TEXT_FIELD(member) { .kind = FIELD_TEXT, AT(member) }

static const struct field fields[] = {
	[1] = ENUM_FIELD(agent_kind, PROTO_AGENT_CODEX),
	[2] = { .kind = FIELD_U32, .max = SPEC_FLAGS_ALL, AT(flags) },
	[3] = TEXT_FIELD(agent),
	[4] = TEXT_FIELD(model),
	[5] = { .kind = FIELD_TEXTS, AT(argv), COUNT(argc) },
	[6] = { .kind = FIELD_PAIRS, AT(env), COUNT(env_count) },
	[7] = TEXT_FIELD(description),
	[8] = TEXT_FIELD(prompt),
	[9] = TEXT_FIELD(context),
	[10] = TEXT_FIELD(x_keys),
	[11] = TEXT_FIELD(cwd),
	[12] = { .kind = FIELD_TEXTS, AT(dirs), COUNT(dir_count) },
	[13] = ENUM_FIELD(output_mode, PROTO_OUTPUT_JSON),
	[14] = ENUM_FIELD(evidence_mode, PROTO_EVIDENCE_ARTIFACT_AND_EXIT),
	[15] = { .kind = FIELD_TEXTS, AT(evidence_globs), COUNT(evidence_glob_count) },
	[16] = ENUM_FIELD(keep_logs, PROTO_LOGS_ALL),
	[17] = U64_FIELD(grace_us),
	[18] = U64_FIELD(log_max_bytes),
	[19] = U64_FIELD(timeout_us),
	[20] = U64_FIELD(idle_timeout_us),
	[21] = U64_FIELD(start_timeout_us),
	[22] = U64_FIELD(cpus),
	[23] = U64_FIELD(memory_bytes),
	[24] = { .kind = FIELD_NUMBERS, AT(rate_limit_exit_codes), COUNT(rate_limit_exit_code_count) },
	[25] = { .kind = FIELD_TEXTS, AT(rate_limit_patterns), COUNT(rate_limit_pattern_count) },
	[26] = U64_FIELD(mock_delay_us),
	[27] = { .kind = FIELD_U32, .max = UINT32_MAX, AT(mock_fail) },
	[28] = TEXT_FIELD(mock_output),
	[29] = { .kind = FIELD_PAIRS, AT(resources), COUNT(resource_count) },
	[30] = { .kind = FIELD_TEXTS, AT(accept), COUNT(accept_count) },
	[31] = { .kind = FIELD_TEXTS, AT(unless), COUNT(unless_count) },
	[32] = ENUM_FIELD(home, PROTO_HOME_SHARED),
	[33] = ENUM_FIELD(preamble, PROTO_PREAMBLE_TEXT),
	[34] = TEXT_FIELD(preamble_text),
	[35] = U64_FIELD(mock_tokens),
	[36] = { .kind = FIELD_U32, .max = UINT32_MAX, AT(mock_rate_limited) },
	[37] = { .kind = FIELD_U32, .max = UINT32_MAX, AT(mock_hang) },
	[38] = U64_FIELD(mock_retry_after_us),
	[39] = U64_FIELD(mock_cost_microusd),
};

_Static_assert(sizeof(enum proto_agent_kind) == sizeof(uint32_t), "enums are read and written as u32");

void proto_spec_init(struct proto_spec *s)
{
	*s = (struct proto_spec){
		.grace_us = RV_GRACE_US_DEFAULT,
		.log_max_bytes = (uint64_t)RV_LOG_MAX_MB_DEFAULT << 20,
		.cpus = 1,
		.mock_delay_us = 100000,
		.mock_retry_after_us = RV_US_PER_S,
	};
}

/* --- members by offset -------------------------------------------------------------------------------------------- */

static uint32_t get_u32(const struct proto_spec *s, size_t offset)
{
	uint32_t v;

	memcpy(&v, (const char *)s + offset, sizeof(v));
	return v;
}

static uint64_t get_u64(const struct proto_spec *s, size_t offset)
{
	uint64_t v;

	memcpy(&v, (const char *)s + offset, sizeof(v));
	return v;
}

static struct rv_str get_text(const struct proto_spec *s, size_t offset)
{
	struct rv_str v;

	memcpy(&v, (const char *)s + offset, sizeof(v));
	return v;
}

static const void *get_array(const struct proto_spec *s, size_t offset)
{
	const void *v;

	memcpy(&v, (const char *)s + offset, sizeof(v));
	return v;
}

static void set(struct proto_spec *s, size_t offset, const void *value, size_t bytes)
{
	memcpy((char *)s + offset, value, bytes);
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

static bool differs(const struct field *f, const struct proto_spec *s, const struct proto_spec *init)
{
	switch (f->kind) {
	case FIELD_U32:
		return get_u32(s, f->offset) != get_u32(init, f->offset);
	case FIELD_U64:
		return get_u64(s, f->offset) != get_u64(init, f->offset);
	case FIELD_TEXT:
		return get_text(s, f->offset).bytes != 0;
	default:
		return get_u32(s, f->count) != 0;
	}
}

static void pack_text(struct proto_pack *p, struct rv_str s)
{
	proto_pack_bin(p, s.at, s.bytes);
}

static void pack_array(struct proto_pack *p, const struct field *f, const struct proto_spec *s)
{
	uint32_t i, n = get_u32(s, f->count);
	const void *at = get_array(s, f->offset);

	proto_pack_array(p, f->kind == FIELD_PAIRS ? 2 * n : n);
	for (i = 0; i < n; i++) {
		if (f->kind == FIELD_TEXTS) {
			pack_text(p, ((const struct rv_str *)at)[i]);
		} else if (f->kind == FIELD_NUMBERS) {
			proto_pack_int(p, ((const int32_t *)at)[i]);
		} else {
			pack_text(p, ((const struct proto_pair *)at)[i].key);
			pack_text(p, ((const struct proto_pair *)at)[i].value);
		}
	}
}

int proto_spec_encode(const struct proto_spec *s, struct rv_buf *out)
{
	struct proto_spec init;
	struct proto_pack p;
	uint32_t i, count = 0;

	proto_spec_init(&init);
	for (i = 1; i < RV_ARRAY_LEN(fields); i++)
		count += differs(&fields[i], s, &init);
	proto_pack_init(&p, out);
	proto_pack_map(&p, count);
	for (i = 1; i < RV_ARRAY_LEN(fields); i++) {
		const struct field *f = &fields[i];

		if (!differs(f, s, &init))
			continue;
		proto_pack_uint(&p, i);
		if (f->kind == FIELD_U32)
			proto_pack_uint(&p, get_u32(s, f->offset));
		else if (f->kind == FIELD_U64)
			proto_pack_uint(&p, get_u64(s, f->offset));
		else if (f->kind == FIELD_TEXT)
			pack_text(&p, get_text(s, f->offset));
		else
			pack_array(&p, f, s);
	}
	return out->failed ? -1 : 0;
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static void read_array(struct proto_cursor *c, const struct field *f, struct rv_arena *arena, struct proto_spec *s)
{
	uint32_t i, n = proto_read_array(c);
	const void *at = NULL;

	if (f->kind == FIELD_PAIRS) {
		struct proto_pair *pairs;

		if (n % 2) {
			c->failed = true;
			return;
		}
		n /= 2;
		pairs = proto_part_room(c, arena, n, sizeof(*pairs));
		for (i = 0; i < n && !c->failed; i++) {
			pairs[i].key = proto_read_bin(c);
			pairs[i].value = proto_read_bin(c);
		}
		at = pairs;
	} else if (f->kind == FIELD_TEXTS) {
		struct rv_str *texts = proto_part_room(c, arena, n, sizeof(*texts));

		for (i = 0; i < n && !c->failed; i++)
			texts[i] = proto_read_bin(c);
		at = texts;
	} else {
		int32_t *numbers = proto_part_room(c, arena, n, sizeof(*numbers));

		for (i = 0; i < n && !c->failed; i++)
			numbers[i] = proto_read_i32(c);
		at = numbers;
	}
	set(s, f->offset, &at, sizeof(at));
	set(s, f->count, &n, sizeof(n));
}

static void read_field(struct proto_cursor *c, const struct field *f, struct rv_arena *arena, struct proto_spec *s)
{
	uint64_t wide;
	uint32_t narrow;
	struct rv_str text;

	switch (f->kind) {
	case FIELD_U32:
		narrow = (uint32_t)proto_read_uint_to(c, f->max);
		set(s, f->offset, &narrow, sizeof(narrow));
		return;
	case FIELD_U64:
		wide = proto_read_uint_to(c, f->max);
		set(s, f->offset, &wide, sizeof(wide));
		return;
	case FIELD_TEXT:
		text = proto_read_bin(c);
		set(s, f->offset, &text, sizeof(text));
		return;
	default:
		read_array(c, f, arena, s);
	}
}

int proto_spec_decode(struct rv_str bytes, struct rv_arena *arena, struct proto_spec *out, struct rv_err *err)
{
	struct proto_scan_limits limits = { RV_CONTEXT_BYTES_MAX + ((size_t)8 << 20), RV_FRAME_DEPTH_MAX, UINT32_MAX };
	struct proto_cursor c = proto_cursor(bytes);
	struct proto_spec s;
	uint32_t i, n;
	uint64_t last = 0;

	if (proto_scan(bytes, &limits, err))
		return -1;
	proto_spec_init(&s);
	n = proto_read_map(&c);
	for (i = 0; i < n && !c.failed; i++) {
		uint64_t number = proto_read_uint(&c);

		if (c.failed)
			break;
		if (number >= RV_ARRAY_LEN(fields))
			return rv_fail(err, RV_E_VERSION, "a spec has field %llu, which this version does not know",
				       (unsigned long long)number);
		if (number <= last) /* each once, in order, as they are written */
			return rv_fail(err, RV_E_CORRUPT, "a spec has field %llu after field %llu",
				       (unsigned long long)number, (unsigned long long)last);
		last = number;
		read_field(&c, &fields[number], arena, &s);
	}
	if (!proto_cursor_done(&c))
		return rv_fail(err, RV_E_CORRUPT, "malformed spec: field %llu", (unsigned long long)last);
	*out = s;
	return 0;
}
