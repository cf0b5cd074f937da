/* template.h - filling {{key}} and {place} in a unit's texts
 *
 * Pure: no I/O. Used by the validator to find keys, and by the node to fill them. What is filled in is never scanned
 * again, so a value that looks like a template stays as it is.
 *
 * {{KEY}}        a value of the context; {{_dep_ID}} a dependency's output; {{item}} the item of a for_each unit.
 * {{KEY.a.0}}    reaches into objects by name and into arrays by number. The longest key that exists wins, so that
 *                {{_dep_a.b}} is the output of unit "a.b" where there is one, else key b of the output of "a".
 * {{{{           a literal {{. Blanks inside the braces are ignored.
 * {prompt} ...   places: in a command's arguments only; any other {...} stays as it is.
 * A string is filled in as it is, anything else as compact JSON.
 */
#ifndef PLAN_TEMPLATE_H
#define PLAN_TEMPLATE_H

#include "common/base.h"
#include "common/buf.h"
#include "common/err.h"

enum plan_place {
	PLAN_PLACE_PROMPT,
	PLAN_PLACE_PROMPT_FILE,
	PLAN_PLACE_CONTEXT_FILE,
	PLAN_PLACE_MANIFEST,
	PLAN_PLACE_UNIT_ID,
	PLAN_PLACE_NAMESPACE,
	PLAN_PLACE_MODEL,
	PLAN_PLACE_WORKSPACE,
	PLAN_PLACE_ITEM,
	PLAN_PLACES
};

const char *plan_place_name(enum plan_place p); /* "prompt_file" */

#define PLAN_SCOPE_LAYERS 4

/* Where keys are looked up. All are borrowed. A later layer wins over an earlier one, `item` over all. */
struct plan_scope {
	struct rv_str layer[PLAN_SCOPE_LAYERS]; /* JSON objects (blanks allowed); .bytes 0 = none */
	struct rv_str item;                     /* JSON value; .at NULL: no item */
};

/* Values for places; .at NULL: unknown, the place stays as it is. */
struct plan_places {
	struct rv_str value[PLAN_PLACES];
};

/* Appends `text` with its keys filled. An unknown key or an open {{ fails (RV_E_PLAN, naming it). `places` NULL: only
 * keys. `scope` NULL: keys stay as written (template: off). */
int plan_template_fill(struct rv_str text, const struct plan_scope *scope, const struct plan_places *places,
		       struct rv_buf *out, struct rv_err *err);

/* One {{...}} or {place} found in a text. */
struct plan_slot {
	bool is_place;
	enum plan_place place;  /* is_place */
	struct rv_str key;      /* else: what stands between the braces, trimmed */
	size_t at, bytes;       /* where it stands in the text, braces included */
};

/* The next slot at or after *from, which moves behind it: 1 found, 0 none left, -1 an open {{ or an empty key at
 * slot->at. Places are found only if `places`; {{{{ is skipped. */
int plan_template_next(struct rv_str text, bool places, size_t *from, struct plan_slot *slot);

/* Whether the text holds a {{...}} at all (a {{{{ counts: it has to be filled too). */
bool plan_template_has_keys(struct rv_str text);

/* The value of `key` (KEY.a.0) in the scope as JSON text: 1 found, 0 not. */
int plan_scope_find(const struct plan_scope *scope, struct rv_str key, struct rv_str *json);

/* Appends a JSON value as text: a string's characters, else the compact JSON. -1: not JSON. */
int plan_json_text(struct rv_str json, struct rv_buf *out);

/* The value of one key of a JSON object text, or of index `n` of an array text: 1 found, 0 not (or not JSON). The last one
 * wins where a key is repeated. */
int plan_json_member(struct rv_str object, struct rv_str key, struct rv_str *value);
int plan_json_element(struct rv_str array, uint64_t n, struct rv_str *value);

#endif
