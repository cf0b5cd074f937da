#include "coordinator/outputs.h"

#include "common/map.h"

#include <stdlib.h>

struct entry {
	uint32_t unit;
	struct coord_output output;
};

/* One run's: it goes as a whole, whatever the others keep. */
struct part {
	uint64_t run;
	struct entry *entries;
	uint32_t count, capacity;
	struct rv_intmap index; /* unit -> entry; made anew as it grows */
	struct rv_intmap_slot *slots;
};

struct coord_outputs {
	struct part **parts;
	uint32_t count, capacity;
	struct rv_intmap index; /* run -> part; the same */
	struct rv_intmap_slot *slots;
	size_t bytes;
};

struct coord_outputs *coord_outputs_create(void)
{
	return calloc(1, sizeof(struct coord_outputs));
}

static void entry_release(struct coord_outputs *o, struct entry *e)
{
	o->bytes -= e->output.value.inline_bytes.bytes + e->output.artifacts.bytes;
	free((void *)(uintptr_t)e->output.value.inline_bytes.at);
	free((void *)(uintptr_t)e->output.artifacts.at);
	e->output.value.inline_bytes = e->output.artifacts = rv_str(NULL, 0);
}

static void part_destroy(struct coord_outputs *o, struct part *p)
{
	for (uint32_t i = 0; i < p->count; i++)
		entry_release(o, &p->entries[i]);
	free(p->entries);
	free(p->slots);
	free(p);
}

/* -1: no memory. */
static int copy_of(struct rv_str bytes, struct rv_str *out, struct rv_err *err)
{
	char *at = bytes.bytes ? malloc(bytes.bytes) : NULL;

	if (bytes.bytes && !at)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for an output of %zu bytes", bytes.bytes);
	if (at)
		memcpy(at, bytes.at, bytes.bytes);
	*out = rv_str(at, bytes.bytes);
	return 0;
}

void coord_outputs_destroy(struct coord_outputs **o)
{
	if (!*o)
		return;
	for (uint32_t i = 0; i < (*o)->count; i++)
		part_destroy(*o, (*o)->parts[i]);
	free((*o)->parts);
	free((*o)->slots);
	free(*o);
	*o = NULL;
}

/* An empty index with room for so many. -1: no memory, and the old one is as it was. */
static int new_index(struct rv_intmap *index, struct rv_intmap_slot **slots, uint32_t capacity)
{
	uint32_t count = rv_intmap_slots(capacity);
	struct rv_intmap_slot *made = calloc(count, sizeof(*made));

	if (!made)
		return -1;
	free(*slots);
	*slots = made;
	rv_intmap_init(index, made, count);
	return 0;
}

static int part_grow(struct part *p)
{
	uint32_t capacity = p->capacity ? p->capacity * 2 : 16;
	struct entry *entries = realloc(p->entries, capacity * sizeof(*entries));

	if (!entries)
		return -1;
	p->entries = entries;
	if (new_index(&p->index, &p->slots, capacity) < 0)
		return -1;
	p->capacity = capacity;
	for (uint32_t i = 0; i < p->count; i++)
		rv_intmap_put(&p->index, entries[i].unit, i);
	return 0;
}

static int grow(struct coord_outputs *o)
{
	uint32_t capacity = o->capacity ? o->capacity * 2 : 16;
	struct part **parts = realloc(o->parts, capacity * sizeof(struct part *));

	if (!parts)
		return -1;
	o->parts = parts;
	if (new_index(&o->index, &o->slots, capacity) < 0)
		return -1;
	o->capacity = capacity;
	for (uint32_t i = 0; i < o->count; i++)
		rv_intmap_put(&o->index, parts[i]->run, i);
	return 0;
}

static struct part *part_of(const struct coord_outputs *o, uint64_t run)
{
	uint32_t i = o->count ? rv_intmap_get(&o->index, run) : RV_MAP_NONE;

	return i == RV_MAP_NONE ? NULL : o->parts[i];
}

/* That of the run, with room for one more; NULL: no memory. */
static struct part *part_with_room(struct coord_outputs *o, uint64_t run)
{
	struct part *p = part_of(o, run);

	if (!p) {
		if (o->count == o->capacity && grow(o) < 0)
			return NULL;
		p = calloc(1, sizeof(*p));
		if (!p)
			return NULL;
		p->run = run;
		rv_intmap_put(&o->index, run, o->count);
		o->parts[o->count++] = p;
	}
	return p->count == p->capacity && part_grow(p) < 0 ? NULL : p;
}

int coord_outputs_set(struct coord_outputs *o, uint64_t run, uint32_t unit, const struct coord_output *output, struct rv_err *err)
{
	struct part *p = part_with_room(o, run);
	struct coord_output copy = *output;
	uint32_t i;

	if (!p)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the outputs of a run's units");
	if (copy_of(output->artifacts, &copy.artifacts, err) < 0)
		return -1;
	if (copy_of(output->value.kind == PROTO_VALUE_INLINE ? output->value.inline_bytes : rv_str(NULL, 0), &copy.value.inline_bytes, err) < 0) {
		free((void *)(uintptr_t)copy.artifacts.at);
		return -1;
	}
	i = rv_intmap_get(&p->index, unit);
	if (i != RV_MAP_NONE) {
		entry_release(o, &p->entries[i]);
	} else {
		i = p->count++;
		p->entries[i].unit = unit;
		rv_intmap_put(&p->index, unit, i);
	}
	p->entries[i].output = copy;
	o->bytes += copy.value.inline_bytes.bytes + copy.artifacts.bytes;
	return 0;
}

const struct coord_output *coord_outputs_get(const struct coord_outputs *o, uint64_t run, uint32_t unit)
{
	const struct part *p = part_of(o, run);
	uint32_t i = p && p->count ? rv_intmap_get(&p->index, unit) : RV_MAP_NONE;

	return i == RV_MAP_NONE ? NULL : &p->entries[i].output;
}

void coord_outputs_drop_run(struct coord_outputs *o, uint64_t run)
{
	struct part *p = part_of(o, run), *last;
	uint32_t i;

	if (!p)
		return;
	i = rv_intmap_get(&o->index, run);
	(void)rv_intmap_remove(&o->index, run);
	last = o->parts[--o->count];
	if (last != p) {
		o->parts[i] = last;
		rv_intmap_put(&o->index, last->run, i);
	}
	part_destroy(o, p);
}

size_t coord_outputs_bytes(const struct coord_outputs *o)
{
	return o->bytes;
}
