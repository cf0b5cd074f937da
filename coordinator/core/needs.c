#include "coordinator/core/needs.h"

#include "coordinator/core/explain.h"

_Static_assert(COORD_NEEDS_BYTES <= COORD_WAIT_LACKS_BYTES, "a wait holds any text of needs");

/* The needs of a shape in one row: pin, labels, slots, agent slots, the agent's program, resources, workspace. */
static uint32_t need_count(const struct coord_shape *sh)
{
	return 1 + sh->label_count + 3 + sh->resource_count + 1;
}

static void add(struct coord_needs_text *t, struct rv_str piece)
{
	if (t->cut)
		return;
	if (t->bytes + piece.bytes > sizeof(t->at) - 3) {
		memcpy(t->at + t->bytes, "...", 3);
		t->bytes += 3;
		t->cut = true;
		return;
	}
	if (piece.bytes)
		memcpy(t->at + t->bytes, piece.at, piece.bytes);
	t->bytes += piece.bytes;
}

static void add_number(struct coord_needs_text *t, uint64_t value)
{
	char digits[24];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	add(t, rv_str(digits + at, sizeof(digits) - at));
}

/* 2500 as 2.5 */
static void add_milli(struct coord_needs_text *t, uint64_t milli)
{
	char digits[4] = { '.', (char)('0' + milli / 100 % 10), (char)('0' + milli / 10 % 10), (char)('0' + milli % 10) };
	size_t bytes = sizeof(digits);

	add_number(t, milli / 1000);
	while (bytes > 1 && digits[bytes - 1] == '0')
		bytes--;
	if (bytes > 1)
		add(t, rv_str(digits, bytes));
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
	else if (i == sh->label_count + 3)
		one.profile = sh->profile;
	else if (i < need_count(sh) - 1)
		one.resource_first = sh->resource_first + i - sh->label_count - 4, one.resource_count = 1;
	else
		return r->no_workspace[node / 64] >> (node % 64) & 1;
	return !coord_node_fits(n, r->g, &one);
}

/* `n` NULL: without what it has. */
static void put(const struct coord_run *r, const struct coord_shape *sh, const struct coord_node *n, uint32_t i, struct coord_needs_text *out)
{
	if (out->bytes)
		add(out, RV_STR(", "));
	if (i == 0) {
		add(out, RV_STR("node "));
		add(out, sh->node);
	} else if (i <= sh->label_count) {
		const struct coord_label *l = &r->g->labels[sh->label_first + i - 1];

		add(out, l->must_not ? RV_STR("not ") : RV_STR(""));
		add(out, l->key);
		add(out, RV_STR("="));
		add(out, l->value);
	} else if (i == sh->label_count + 1) {
		add_number(out, sh->slots);
		add(out, sh->slots == 1 ? RV_STR(" cpu") : RV_STR(" cpus"));
		if (n) {
			add(out, RV_STR(" (has "));
			add_number(out, n->slots);
			add(out, RV_STR(")"));
		}
	} else if (i == sh->label_count + 2) {
		add(out, RV_STR("a place for an agent"));
	} else if (i == sh->label_count + 3) {
		add(out, RV_STR("the program "));
		add(out, coord_profile_name(sh->profile));
	} else if (i < need_count(sh) - 1) {
		const struct coord_resource *need = &r->g->resources[sh->resource_first + i - sh->label_count - 4];

		add(out, need->name_text);
		add(out, RV_STR(" "));
		add_milli(out, need->milli);
		if (n) {
			add(out, RV_STR(" (has "));
			add_milli(out, resource_of(n, need));
			add(out, RV_STR(")"));
		}
	} else {
		add(out, RV_STR("workspace "));
		add(out, r->g->shared.root);
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
