#include "coordinator/core/needs.h"

#include "coordinator/core/explain.h"

#include <stdarg.h>
#include <stdio.h>

_Static_assert(COORD_NEEDS_BYTES <= COORD_WAIT_LACKS_BYTES, "a wait holds any text of needs");

/* The needs of a shape in one row: pin, labels, slots, agent slots, resources, workspace. */
static uint32_t need_count(const struct coord_shape *sh)
{
	return 1 + sh->label_count + 2 + sh->resource_count + 1;
}

__attribute__((format(printf, 2, 3))) static void add(struct coord_needs_text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->at) - sizeof("...");
	char piece[COORD_NEEDS_BYTES];
	va_list ap;
	int n;

	if (t->cut)
		return;
	va_start(ap, fmt);
	n = vsnprintf(piece, sizeof(piece), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(piece) || t->bytes + (size_t)n > room) {
		memcpy(t->at + t->bytes, "...", 3);
		t->bytes += 3;
		t->cut = true;
		return;
	}
	memcpy(t->at + t->bytes, piece, (size_t)n);
	t->bytes += (size_t)n;
}

static const char *comma(const struct coord_needs_text *t)
{
	return t->bytes ? ", " : "";
}

/* 2500 as 2.5 */
static const char *amount(uint64_t milli, char room[32])
{
	int n = snprintf(room, 32, "%llu", (unsigned long long)(milli / 1000));

	if (milli % 1000 && n > 0) {
		n += snprintf(room + n, 32 - (size_t)n, ".%03u", (unsigned)(milli % 1000));
		while (n > 0 && room[n - 1] == '0')
			room[--n] = '\0';
	}
	return room;
}

static uint64_t resource_of(const struct coord_node *n, const struct coord_resource *need)
{
	for (uint32_t k = 0; k < n->resource_count; k++)
		if (n->resources[k].name == need->name)
			return n->resources[k].milli;
	return 0;
}

/* Need i of the shape is lacking on the node: says which. Each in turn is asked as a shape of its own, by what placing asks. */
static bool lacks(const struct coord_run *r, const struct coord_shape *sh, const struct coord_node *n, uint32_t node, uint32_t i)
{
	struct coord_shape one = { .node = RV_STR("") };

	if (i == 0)
		one.node = sh->node;
	else if (i <= sh->label_count)
		one.label_first = sh->label_first + i - 1, one.label_count = 1;
	else if (i == sh->label_count + 1)
		one.slots = sh->slots;
	else if (i == sh->label_count + 2)
		one.agent_slots = sh->agent_slots;
	else if (i < need_count(sh) - 1)
		one.resource_first = sh->resource_first + i - sh->label_count - 3, one.resource_count = 1;
	else
		return r->no_workspace[node / 64] >> (node % 64) & 1;
	return !coord_node_fits(n, r->g, &one);
}

/* `n` NULL: without what it has. */
static void put(const struct coord_run *r, const struct coord_shape *sh, const struct coord_node *n, uint32_t i, struct coord_needs_text *out)
{
	char want[32], has[32];

	if (i == 0) {
		add(out, "%snode %.*s", comma(out), RV_STR_ARGS(sh->node));
	} else if (i <= sh->label_count) {
		const struct coord_label *l = &r->g->labels[sh->label_first + i - 1];

		add(out, "%s%s%.*s=%.*s", comma(out), l->must_not ? "not " : "", RV_STR_ARGS(l->key), RV_STR_ARGS(l->value));
	} else if (i == sh->label_count + 1) {
		add(out, "%s%u cpu%s", comma(out), sh->slots, sh->slots == 1 ? "" : "s");
		if (n)
			add(out, " (has %llu)", (unsigned long long)n->slots);
	} else if (i == sh->label_count + 2) {
		add(out, "%sa place for an agent", comma(out));
	} else if (i < need_count(sh) - 1) {
		const struct coord_resource *need = &r->g->resources[sh->resource_first + i - sh->label_count - 3];

		add(out, "%s%.*s %s", comma(out), RV_STR_ARGS(need->name_text), amount(need->milli, want));
		if (n)
			add(out, " (has %s)", amount(resource_of(n, need), has));
	} else {
		add(out, "%sworkspace %.*s", comma(out), RV_STR_ARGS(r->g->shared.root));
	}
}

bool coord_needs_known(const struct coord_node *n)
{
	return n->session != 0;
}

void coord_needs_lacking(const struct coord *c, const struct coord_run *r, const struct coord_shape *sh, uint32_t node, struct coord_needs_text *out)
{
	const struct coord_node *n = &c->nodes[node];

	if (!coord_needs_known(n))
		return;
	for (uint32_t i = 0; i < need_count(sh); i++)
		if (lacks(r, sh, n, node, i))
			put(r, sh, n, i, out);
}

void coord_needs_unmet(const struct coord *c, const struct coord_run *r, const struct coord_shape *sh, struct coord_needs_text *out)
{
	for (uint32_t i = 0; i < need_count(sh); i++) {
		bool lacking = false;

		for (uint32_t node = 0; node < c->node_count && !lacking; node++)
			lacking = !c->nodes[node].removed && coord_needs_known(&c->nodes[node]) && lacks(r, sh, &c->nodes[node], node, i);
		if (lacking)
			put(r, sh, NULL, i, out);
	}
}
