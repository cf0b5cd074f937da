#include "coordinator/hints.h"

#include "common/map.h"

#include <stdlib.h>

struct entry {
	uint64_t run;
	uint32_t unit;
	struct coord_hint hint; /* texts are our own */
};

struct coord_hints {
	struct entry *entries;
	uint32_t count, capacity;
};

struct coord_hints *coord_hints_create(void)
{
	return calloc(1, sizeof(struct coord_hints));
}

static void clear(struct rv_str *s)
{
	free((void *)(uintptr_t)s->at);
	*s = rv_str(NULL, 0);
}

static void entry_release(struct entry *e)
{
	clear(&e->hint.note);
	clear(&e->hint.prompt);
	clear(&e->hint.release);
}

void coord_hints_destroy(struct coord_hints **hp)
{
	struct coord_hints *h = *hp;

	if (!h)
		return;
	for (uint32_t i = 0; i < h->count; i++)
		entry_release(&h->entries[i]);
	free(h->entries);
	free(h);
	*hp = NULL;
}

static int no_memory(struct rv_err *err)
{
	return rv_fail(err, RV_E_NO_MEMORY, "no memory for what a person sent along");
}

static struct entry *find(const struct coord_hints *h, uint64_t run, uint32_t unit)
{
	for (uint32_t i = 0; i < h->count; i++)
		if (h->entries[i].run == run && h->entries[i].unit == unit)
			return &h->entries[i];
	return NULL;
}

static struct entry *add(struct coord_hints *h, uint64_t run, uint32_t unit)
{
	struct entry *e = find(h, run, unit);

	if (e)
		return e;
	if (h->count == h->capacity) {
		uint32_t capacity = h->capacity ? h->capacity * 2 : 16;
		struct entry *more = realloc(h->entries, capacity * sizeof(*more));

		if (!more)
			return NULL;
		h->entries = more;
		h->capacity = capacity;
	}
	e = &h->entries[h->count++];
	*e = (struct entry){ .run = run, .unit = unit };
	return e;
}

static int set(struct rv_str *to, struct rv_str from, struct rv_err *err)
{
	char *at = from.bytes ? malloc(from.bytes) : NULL;

	if (from.bytes && !at)
		return no_memory(err);
	if (from.bytes)
		memcpy(at, from.at, from.bytes);
	clear(to);
	*to = rv_str(at, from.bytes);
	return 0;
}

int coord_hints_note(struct coord_hints *h, const struct proto_fact *f, struct rv_err *err)
{
	bool retry = f->mutation.what == PROTO_MUT_RETRY, release = f->mutation.what == PROTO_MUT_RELEASE;
	struct entry *e;

	if ((!retry && !release) || f->mutation.unit == RV_MAP_NONE)
		return 0;
	e = find(h, f->mutation.run, f->mutation.unit);
	if (!e && !f->mutation.note.bytes && !f->mutation.prompt.bytes)
		return 0;
	e = add(h, f->mutation.run, f->mutation.unit);
	if (!e)
		return no_memory(err);
	if (release)
		return set(&e->hint.release, f->mutation.note, err);
	if (set(&e->hint.note, f->mutation.note, err) < 0)
		return -1;
	return f->mutation.prompt.bytes ? set(&e->hint.prompt, f->mutation.prompt, err) : 0;
}

const struct coord_hint *coord_hints_get(const struct coord_hints *h, uint64_t run, uint32_t unit)
{
	const struct entry *e = h->count ? find(h, run, unit) : NULL;

	return e ? &e->hint : NULL;
}

void coord_hints_drop_run(struct coord_hints *h, uint64_t run)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->count; i++) {
		if (h->entries[i].run == run)
			entry_release(&h->entries[i]);
		else
			h->entries[kept++] = h->entries[i];
	}
	h->count = kept;
}
