/* resources.c */
#include "cli/resources.h"

#include "common/id.h"
#include "common/limits.h"
#include "common/os/gpus.h"

#include <stdio.h>
#include <stdlib.h>

#define GPUS "gpus"
#define GPU_MASK "CUDA_VISIBLE_DEVICES"
#define DEVICES "/dev"

int cli_split_pair(const char *option, const char *text, struct rv_str *key, struct rv_str *value, struct rv_err *err)
{
	const char *eq = strchr(text, '=');

	if (!eq || eq == text)
		return rv_fail(err, RV_E_USAGE, "--%s takes KEY=VALUE, not \"%s\"", option, text);
	*key = rv_str(text, (size_t)(eq - text));
	*value = rv_str_of(eq + 1);
	if (!rv_name_valid(*key))
		return rv_fail(err, RV_E_USAGE, "--%s: \"%.*s\" is no name (letters, digits, . _ -)", option, RV_STR_ARGS(*key));
	return 0;
}

/* A decimal amount in thousandths. */
static int parse_amount(struct rv_str key, struct rv_str text, uint64_t *milli, struct rv_err *err)
{
	uint64_t whole = 0, part = 0, scale = 1000;
	size_t i = 0;

	for (; i < text.bytes && text.at[i] >= '0' && text.at[i] <= '9' && whole < UINT64_MAX / 100000; i++)
		whole = whole * 10 + (uint64_t)(text.at[i] - '0');
	if (i && i < text.bytes && text.at[i] == '.')
		for (i++; i < text.bytes && text.at[i] >= '0' && text.at[i] <= '9' && scale > 1; i++)
			part += (uint64_t)(text.at[i] - '0') * (scale /= 10);
	if (!text.bytes || i < text.bytes) {
		(void)rv_fail(err, RV_E_USAGE, "--resource %.*s: \"%.*s\" is no amount", RV_STR_ARGS(key), RV_STR_ARGS(text));
		return rv_hint(err, "how many, or which ones: %.*s=2, %.*s=[0,1]", RV_STR_ARGS(key), RV_STR_ARGS(key));
	}
	*milli = whole * 1000 + part;
	return 0;
}

/* Names of one resource, as they are added. */
struct names {
	struct rv_buf text; /* "0,2" */
	uint32_t count;
};

static bool has_name(const struct names *n, struct rv_str name)
{
	struct rv_str rest = rv_buf_str(&n->text);

	while (rest.bytes) {
		const char *comma = memchr(rest.at, ',', rest.bytes);
		size_t bytes = comma ? (size_t)(comma - rest.at) : rest.bytes;

		if (rv_str_equal(rv_str(rest.at, bytes), name))
			return true;
		bytes += comma != NULL;
		rest = rv_str(rest.at + bytes, rest.bytes - bytes);
	}
	return false;
}

/* "[0, 2,GPU-5a]" */
static int parse_names(struct rv_str key, struct rv_str text, struct names *n, struct rv_err *err)
{
	struct rv_str rest = rv_str(text.at + 1, text.bytes - 1);

	if (!text.bytes || text.at[text.bytes - 1] != ']')
		return rv_fail(err, RV_E_USAGE, "--resource %.*s: the list has no end: [0,1]", RV_STR_ARGS(key));
	rest.bytes--;
	while (rest.bytes) {
		const char *comma = memchr(rest.at, ',', rest.bytes);
		struct rv_str name = rv_str(rest.at, comma ? (size_t)(comma - rest.at) : rest.bytes);
		size_t used = name.bytes + (comma != NULL);

		while (name.bytes && name.at[0] == ' ')
			name = rv_str(name.at + 1, name.bytes - 1);
		while (name.bytes && name.at[name.bytes - 1] == ' ')
			name.bytes--;
		if (!rv_name_valid(name))
			return rv_fail(err, RV_E_USAGE, "--resource %.*s: \"%.*s\" is no name (letters, digits, . _ -)", RV_STR_ARGS(key), RV_STR_ARGS(name));
		if (has_name(n, name))
			return rv_fail(err, RV_E_USAGE, "--resource %.*s: %.*s stands there twice", RV_STR_ARGS(key), RV_STR_ARGS(name));
		if (n->count++)
			(void)rv_buf_putc(&n->text, ',');
		(void)rv_buf_put_str(&n->text, name);
		rest = rv_str(rest.at + used, rest.bytes - used);
	}
	return 0;
}

/* Of the resource that is being added, as all below: the one behind the last. */
static int keep_names(struct cli_settings *s, struct names *n, struct rv_err *err)
{
	struct cli_settings_pair *p = &s->resources[s->resource_count];

	if (n->text.bytes >= CLI_NAMES_BYTES_MAX)
		return rv_fail(err, RV_E_LIMIT, "--resource %s: its names are longer than %u bytes together", p->key, CLI_NAMES_BYTES_MAX - 1);
	(void)snprintf(s->resource_names[s->resource_count], CLI_NAMES_BYTES_MAX, "%.*s", (int)n->text.bytes, n->text.bytes ? n->text.at : "");
	p->amount = (uint64_t)n->count * 1000;
	return 0;
}

/* "gpus=2" below a mask: the first two that it shows. */
static int mask_gpus(struct cli_settings *s, struct rv_err *err)
{
	const struct cli_settings_pair *p = &s->resources[s->resource_count];
	const char *mask = getenv(GPU_MASK);
	struct names shown = { .count = 0 };
	uint64_t want = p->amount / 1000;
	size_t bytes = 0;
	int rc = 0;

	if (!mask || p->amount % 1000)
		return 0;
	rv_buf_init(&shown.text, 0);
	shown.count = rv_gpus_of_mask(mask, &shown.text);
	if (want > shown.count) {
		rc = rv_fail(err, RV_E_CONFLICT, "--resource gpus=%llu: " GPU_MASK " shows %u", (unsigned long long)want, shown.count);
	} else {
		for (uint64_t left = want; left > 0; left--)
			bytes += strcspn(shown.text.at + bytes, ",") + (left > 1);
		shown.text.bytes = bytes;
		shown.count = (uint32_t)want;
		rc = keep_names(s, &shown, err);
	}
	rv_buf_release(&shown.text);
	return rc;
}

static int one_resource(const char *word, struct cli_settings *s, struct rv_err *err)
{
	struct cli_settings_pair *p = &s->resources[s->resource_count];
	struct names names = { .count = 0 };
	struct rv_str key, value;
	int rc;

	if (s->resource_count >= RV_RESOURCES_MAX - 2)
		return rv_fail(err, RV_E_LIMIT, "more than %u resources", RV_RESOURCES_MAX - 2);
	if (cli_split_pair("resource", word, &key, &value, err) < 0)
		return -1;
	for (uint32_t i = 0; i < s->resource_count; i++)
		if (rv_str_equal(rv_str_of(s->resources[i].key), key))
			return rv_fail(err, RV_E_USAGE, "--resource %.*s stands there twice", RV_STR_ARGS(key));
	(void)snprintf(p->key, sizeof(p->key), "%.*s", RV_STR_ARGS(key));
	rv_buf_init(&names.text, 0);
	if (value.bytes && value.at[0] == '[')
		rc = parse_names(key, value, &names, err) < 0 ? -1 : keep_names(s, &names, err);
	else
		rc = parse_amount(key, value, &p->amount, err) < 0 || (rv_str_equal(key, RV_STR(GPUS)) && mask_gpus(s, err) < 0) ? -1 : 0;
	rv_buf_release(&names.text);
	s->resource_count += rc == 0;
	return rc;
}

static bool named(const struct cli_settings *s, const char *key)
{
	for (uint32_t i = 0; i < s->resource_count; i++)
		if (strcmp(s->resources[i].key, key) == 0)
			return true;
	return false;
}

static int find_gpus(struct cli_settings *s, struct rv_err *err)
{
	struct cli_settings_pair *p = &s->resources[s->resource_count];
	struct names found = { .count = 0 };
	int rc = 0;

	rv_buf_init(&found.text, 0);
	found.count = rv_gpus_find(DEVICES, getenv(GPU_MASK), &found.text);
	if (found.count) {
		(void)snprintf(p->key, sizeof(p->key), GPUS);
		rc = keep_names(s, &found, err);
		s->resource_count += rc == 0;
	}
	rv_buf_release(&found.text);
	return rc;
}

int cli_resources_set(const struct rv_opt_list *words, uint64_t memory_bytes, struct cli_settings *s, struct rv_err *err)
{
	for (uint32_t i = 0; i < words->count; i++)
		if (one_resource(words->item[i], s, err) < 0)
			return -1;
	if (!named(s, GPUS) && find_gpus(s, err) < 0)
		return -1;
	if (!named(s, "memory_mb")) {
		(void)snprintf(s->resources[s->resource_count].key, sizeof(s->resources[0].key), "memory_mb");
		s->resources[s->resource_count++].amount = (memory_bytes >> 20) * 1000;
	}
	return 0;
}
