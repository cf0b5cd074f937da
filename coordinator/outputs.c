#include "coordinator/outputs.h"

#include "common/map.h"

#include <stdlib.h>

struct entry {
	uint64_t run;
	uint32_t unit;
	struct coord_output output;
};

struct coord_outputs {
	struct entry *entries;
	uint32_t count, capacity;
	struct rv_intmap index; /* hash of (run, unit) -> entry; rebuilt as it grows */
	struct rv_intmap_slot *slots;
	size_t bytes;
};

/* Two units never share a key within one coordinator: a run number has 50 bits, so (run * prime) ^ unit would collide only
 * by chance; the chain below makes even that harmless. */
static uint64_t key_of(uint64_t run, uint32_t unit, uint32_t probe)
{
	return rv_hash_u64(rv_hash_u64(run, unit), probe);
}

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
		entry_release(*o, &(*o)->entries[i]);
	free((*o)->entries);
	free((*o)->slots);
	free(*o);
	*o = NULL;
}

static uint32_t find(const struct coord_outputs *o, uint64_t run, uint32_t unit, uint64_t *key)
{
	for (uint32_t probe = 0;; probe++) {
		uint32_t i;

		*key = key_of(run, unit, probe);
		i = o->slots ? rv_intmap_get(&o->index, *key) : RV_MAP_NONE;
		if (i == RV_MAP_NONE || (o->entries[i].run == run && o->entries[i].unit == unit))
			return i;
	}
}

static int reindex(struct coord_outputs *o, uint32_t capacity)
{
	uint32_t slot_count = rv_intmap_slots(capacity);
	struct rv_intmap_slot *slots = calloc(slot_count, sizeof *slots);

	if (!slots)
		return -1;
	free(o->slots);
	o->slots = slots;
	rv_intmap_init(&o->index, slots, slot_count);
	for (uint32_t i = 0; i < o->count; i++) {
		uint64_t key;

		(void)find(o, o->entries[i].run, o->entries[i].unit, &key);
		rv_intmap_put(&o->index, key, i);
	}
	return 0;
}

static int grow(struct coord_outputs *o)
{
	uint32_t capacity = o->capacity ? o->capacity * 2 : 64;
	struct entry *entries = realloc(o->entries, capacity * sizeof *entries);

	if (!entries)
		return -1;
	o->entries = entries;
	if (reindex(o, capacity) < 0)
		return -1;
	o->capacity = capacity;
	return 0;
}

int coord_outputs_set(struct coord_outputs *o, uint64_t run, uint32_t unit, const struct coord_output *output, struct rv_err *err)
{
	struct coord_output copy = *output;
	uint64_t key;
	uint32_t i;

	if (o->count == o->capacity && grow(o) < 0)
		return rv_fail(err, RV_E_NO_MEMORY, "no memory for the outputs of %u units", o->count);
	if (copy_of(output->artifacts, &copy.artifacts, err) < 0)
		return -1;
	if (copy_of(output->value.kind == PROTO_VALUE_INLINE ? output->value.inline_bytes : rv_str(NULL, 0), &copy.value.inline_bytes, err) < 0) {
		free((void *)(uintptr_t)copy.artifacts.at);
		return -1;
	}
	i = find(o, run, unit, &key);
	if (i != RV_MAP_NONE) {
		entry_release(o, &o->entries[i]);
	} else {
		i = o->count++;
		o->entries[i].run = run;
		o->entries[i].unit = unit;
		rv_intmap_put(&o->index, key, i);
	}
	o->entries[i].output = copy;
	o->bytes += copy.value.inline_bytes.bytes + copy.artifacts.bytes;
	return 0;
}

const struct coord_output *coord_outputs_get(const struct coord_outputs *o, uint64_t run, uint32_t unit)
{
	uint64_t key;
	uint32_t i = find(o, run, unit, &key);

	return i == RV_MAP_NONE ? NULL : &o->entries[i].output;
}

void coord_outputs_drop_run(struct coord_outputs *o, uint64_t run)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < o->count; i++) {
		if (o->entries[i].run == run)
			entry_release(o, &o->entries[i]);
		else
			o->entries[kept++] = o->entries[i];
	}
	if (kept == o->count)
		return;
	o->count = kept;
	/* The index shrinks in place: it had room for more. */
	memset(o->slots, 0, rv_intmap_slots(o->capacity) * sizeof *o->slots);
	rv_intmap_init(&o->index, o->slots, rv_intmap_slots(o->capacity));
	for (uint32_t i = 0; i < o->count; i++) {
		uint64_t key;

		(void)find(o, o->entries[i].run, o->entries[i].unit, &key);
		rv_intmap_put(&o->index, key, i);
	}
}

size_t coord_outputs_bytes(const struct coord_outputs *o)
{
	return o->bytes;
}
