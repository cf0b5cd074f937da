#include "cli/settings.h"

#include "cli/layout.h"
#include "cli/render.h"
#include "common/os/file.h"

#include <jansson.h>
#include <stdio.h>

#define SETTINGS_BYTES_MAX ((size_t)1 << 20)

void cli_settings_json(const struct cli_settings *s, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	cli_json_str(out, "plan", rv_str_of(s->plan));
	cli_json_str(out, "plan_dir", rv_str_of(s->plan_dir));
	cli_json_str(out, "workspace", rv_str_of(s->workspace));
	cli_json_str(out, "namespace_root", rv_str_of(s->namespace_root));
	cli_json_str(out, "mode", rv_str_of(s->mode));
	cli_json_str(out, "durability", rv_str_of(s->durability));
	if (s->only[0])
		cli_json_str(out, "only", rv_str_of(s->only));
	if (s->mock[0])
		cli_json_str(out, "mock", rv_str_of(s->mock));
	if (s->kill_level[0])
		cli_json_str(out, "kill_level", rv_str_of(s->kill_level));
	/* what units declare of directories and memory is kept track of, and nothing yet holds them to it */
	cli_json_str(out, "enforcement", RV_STR("none"));
	cli_json_str(out, "limits", RV_STR("none"));
	cli_json_uint(out, "slots", s->slots);
	cli_json_uint(out, "agent_slots", s->agent_slots);
	cli_json_key(out, "pass_env");
	(void)rv_buf_putc(out, '[');
	for (uint32_t i = 0; i < s->pass_env_count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, rv_str_of(s->pass_env[i]));
	}
	(void)rv_buf_putc(out, ']');
	cli_json_key(out, "labels");
	(void)rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < s->label_count; i++)
		cli_json_str(out, s->labels[i].key, rv_str_of(s->labels[i].value));
	(void)rv_buf_putc(out, '}');
	cli_json_key(out, "resources_milli");
	(void)rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < s->resource_count; i++)
		cli_json_uint(out, s->resources[i].key, s->resources[i].amount);
	(void)rv_buf_putc(out, '}');
	cli_json_key(out, "resource_names");
	(void)rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < s->resource_count; i++)
		if (s->resource_names[i][0])
			cli_json_str(out, s->resources[i].key, rv_str_of(s->resource_names[i]));
	(void)rv_buf_puts(out, "}}");
}

int cli_settings_write(const struct cli_settings *s, const char *run_dir, struct rv_err *err)
{
	char path[PATH_MAX];
	struct rv_buf text;
	int rc;

	if ((size_t)snprintf(path, sizeof path, "%s/" CLI_FILE_SETTINGS, run_dir) >= sizeof path)
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", run_dir);
	rv_buf_init(&text, SETTINGS_BYTES_MAX);
	cli_settings_json(s, &text);
	(void)rv_buf_putc(&text, '\n');
	rc = rv_file_write(path, rv_buf_str(&text), 0600, RV_FILE_NOSYNC, err);
	rv_buf_release(&text);
	return rc;
}

static void read_text(json_t *object, const char *key, char *out, size_t room)
{
	const char *text = json_string_value(json_object_get(object, key));

	(void)snprintf(out, room, "%s", text ? text : "");
}

static uint32_t read_pairs(json_t *object, struct cli_settings_pair *pairs)
{
	uint32_t count = 0;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (count == CLI_SETTINGS_PAIRS_MAX)
			break;
		(void)snprintf(pairs[count].key, sizeof pairs[count].key, "%s", key);
		(void)snprintf(pairs[count].value, sizeof pairs[count].value, "%s", json_is_string(value) ? json_string_value(value) : "");
		pairs[count++].amount = json_is_integer(value) ? (uint64_t)json_integer_value(value) : 0;
	}
	return count;
}

static void read_names(json_t *array, struct cli_settings *s)
{
	json_t *value;
	size_t i;

	json_array_foreach(array, i, value)
	{
		if (json_is_string(value) && s->pass_env_count < CLI_SETTINGS_PAIRS_MAX)
			(void)snprintf(s->pass_env[s->pass_env_count++], sizeof s->pass_env[0], "%s", json_string_value(value));
	}
}

int cli_settings_read(struct cli_settings *s, const char *run_dir, struct rv_err *err)
{
	char path[PATH_MAX];
	struct rv_buf text;
	json_t *o = NULL;
	int rc = -1;

	memset(s, 0, sizeof *s);
	rv_buf_init(&text, SETTINGS_BYTES_MAX);
	if ((size_t)snprintf(path, sizeof path, "%s/" CLI_FILE_SETTINGS, run_dir) >= sizeof path) {
		rv_fail(err, RV_E_LIMIT, "the path %s is too long", run_dir);
		goto out;
	}
	if (rv_file_read(path, SETTINGS_BYTES_MAX, &text, err) < 0)
		goto out;
	o = json_loadb(text.at, text.bytes, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o)) {
		rv_fail(err, RV_E_CORRUPT, "%s is no JSON object", path);
		goto out;
	}
	read_text(o, "plan", s->plan, sizeof s->plan);
	read_text(o, "plan_dir", s->plan_dir, sizeof s->plan_dir);
	read_text(o, "workspace", s->workspace, sizeof s->workspace);
	read_text(o, "namespace_root", s->namespace_root, sizeof s->namespace_root);
	read_text(o, "mode", s->mode, sizeof s->mode);
	read_text(o, "durability", s->durability, sizeof s->durability);
	read_text(o, "kill_level", s->kill_level, sizeof s->kill_level);
	read_text(o, "only", s->only, sizeof s->only);
	read_text(o, "mock", s->mock, sizeof s->mock);
	s->slots = (uint64_t)json_integer_value(json_object_get(o, "slots"));
	s->agent_slots = (uint64_t)json_integer_value(json_object_get(o, "agent_slots"));
	read_names(json_object_get(o, "pass_env"), s);
	s->label_count = read_pairs(json_object_get(o, "labels"), s->labels);
	s->resource_count = read_pairs(json_object_get(o, "resources_milli"), s->resources);
	s->resource_count = (uint32_t)rv_min_u64(s->resource_count, RV_RESOURCES_MAX);
	for (uint32_t i = 0; i < s->resource_count; i++)
		read_text(json_object_get(o, "resource_names"), s->resources[i].key, s->resource_names[i], sizeof s->resource_names[i]);
	rc = !s->slots || !s->workspace[0] ? rv_fail(err, RV_E_CORRUPT, "%s lacks what a run needs", path) : 0;
out:
	json_decref(o);
	rv_buf_release(&text);
	return rc;
}
