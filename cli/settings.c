<<<<<<< HEAD
/* settings.c - what a run was started with */
=======
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
#include "cli/settings.h"

#include "cli/layout.h"
#include "cli/render.h"
<<<<<<< HEAD
#include "common/check.h"
#include "common/os/file.h"
#include "common/plan/plan.h"
=======
#include "common/os/file.h"
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)

#include <jansson.h>
#include <stdio.h>

<<<<<<< HEAD
/* --- writing --------------------------------------------------------------------------------------------------------- */

static void put_namespace_root(const struct node_daemon_config *n, struct rv_buf *out)
{
	struct rv_buf path;

	rv_buf_init(&path, 0);
	(void)rv_buf_put_str(&path, n->namespace_root.bytes ? n->namespace_root : n->workspace);
	if (!n->namespace_root.bytes)
		(void)rv_buf_puts(&path, "/" CLI_DIR_STATE); /* the node's own default */
	cli_json_str(out, "namespace_root", rv_buf_str(&path));
	rv_buf_release(&path);
}

static void put_capacity(const struct node_daemon_config *n, struct rv_buf *out)
{
	uint32_t i;

	cli_json_str(out, "node", n->name);
	cli_json_uint(out, "slots", n->slots);
	cli_json_uint(out, "agent_slots", n->agent_slots);
	cli_json_key(out, "labels");
	(void)rv_buf_putc(out, '{');
	for (i = 0; i < n->label_count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, n->labels[i].key);
		(void)rv_buf_putc(out, ':');
		(void)rv_buf_put_json(out, n->labels[i].value);
	}
	(void)rv_buf_putc(out, '}');
	cli_json_key(out, "resources_milli");
	(void)rv_buf_putc(out, '{');
	for (i = 0; i < n->resource_count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, n->resources[i].name);
		(void)rv_buf_printf(out, ":%llu", (unsigned long long)n->resources[i].amount);
	}
	(void)rv_buf_putc(out, '}');
	cli_json_key(out, "pass_env"); /* names only: values may be secrets */
	(void)rv_buf_putc(out, '[');
	for (i = 0; i < n->pass_env_count; i++) {
		cli_json_comma(out);
		(void)rv_buf_put_json(out, rv_str_of(n->pass_env[i]));
	}
	(void)rv_buf_putc(out, ']');
}

void cli_settings_json(const struct plan *p, const struct node_daemon_config *n, const char *durability, struct rv_buf *out)
{
	(void)rv_buf_putc(out, '{');
	put_capacity(n, out);
	cli_json_str(out, "durability", rv_str_of(durability));
	cli_json_str(out, "workspace_mode", rv_str_of(plan_mode_name(p->workspace.mode)));
	cli_json_str(out, "workspace", n->workspace);
	cli_json_str(out, "plan_dir", n->plan_dir);
	put_namespace_root(n, out);
	cli_json_str(out, "on_failure", rv_str_of(plan_on_failure_name(p->on_failure)));
	cli_json_str(out, "order", rv_str_of(plan_order_name(p->order)));
	cli_json_str(out, "placement", rv_str_of(plan_placement_name(p->placement)));
	cli_json_uint(out, "max_workers", p->max_workers);
	cli_json_str(out, "enforcement", RV_STR("none"));
	(void)rv_buf_putc(out, '}');
}

void cli_settings_add_level(struct rv_buf *json, struct rv_str kill_level)
{
	rv_check(json->bytes && json->at[json->bytes - 1] == '}');
	json->at[--json->bytes] = '\0';
	cli_json_str(json, "kill_level", kill_level);
	(void)rv_buf_putc(json, '}');
}

int cli_settings_write(const char *run_dir, struct rv_str json, struct rv_err *err)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", run_dir, CLI_FILE_SETTINGS) >= sizeof(path))
		return rv_fail(err, RV_E_LIMIT, "the path %s is too long", run_dir);
	return rv_file_write(path, json, 0600, RV_FILE_NOSYNC, err);
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static bool take_path(json_t *o, const char *key, char out[PATH_MAX])
{
	const char *text = json_string_value(json_object_get(o, key));

	return text && text[0] == '/' && (size_t)snprintf(out, PATH_MAX, "%s", text) < PATH_MAX;
}

static bool take_count(json_t *o, const char *key, uint64_t *out)
{
	json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static bool take_lists(json_t *o, struct cli_settings *s)
{
	json_t *value, *list = json_object_get(o, "pass_env");
	const char *key;
	size_t i;

	json_object_foreach(json_object_get(o, "labels"), key, value) {
		if (!json_is_string(value) || s->label_count == RV_LABELS_MAX)
			return false;
		s->labels[s->label_count++] = (struct proto_label){ rv_str_of(key), rv_str_of(json_string_value(value)) };
	}
	json_object_foreach(json_object_get(o, "resources_milli"), key, value) {
		if (!json_is_integer(value) || s->resource_count == RV_RESOURCES_MAX)
			return false;
		s->resources[s->resource_count++] =
			(struct proto_named_amount){ rv_str_of(key), (uint64_t)json_integer_value(value) };
	}
	json_array_foreach(list, i, value) {
		if (!json_is_string(value) || s->pass_env_count == RV_ARRAY_LEN(s->pass_env))
			return false;
		s->pass_env[s->pass_env_count++] = json_string_value(value);
	}
	return true;
}

int cli_settings_read(struct rv_str json, struct cli_settings *out, struct rv_err *err)
{
	json_t *o = json_loadb(json.at, json.bytes, JSON_REJECT_DUPLICATES, NULL);

	*out = (struct cli_settings){ .room = o };
	out->durability = json_string_value(json_object_get(o, "durability"));
	if (out->durability && take_path(o, "workspace", out->workspace) && take_path(o, "plan_dir", out->plan_dir) &&
	    take_path(o, "namespace_root", out->namespace_root) && take_count(o, "slots", &out->slots) &&
	    take_count(o, "agent_slots", &out->agent_slots) && take_lists(o, out))
		return 0;
	cli_settings_release(out);
	return rv_fail(err, RV_E_CORRUPT, "%s of the run does not say what it was started with", CLI_FILE_SETTINGS);
}

void cli_settings_release(struct cli_settings *s)
{
	json_decref(s->room);
	s->room = NULL;
=======
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
	cli_json_uint(out, "slots", s->slots);
	cli_json_uint(out, "agent_slots", s->agent_slots);
	cli_json_key(out, "labels");
	(void)rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < s->label_count; i++)
		cli_json_str(out, s->labels[i].key, rv_str_of(s->labels[i].value));
	(void)rv_buf_putc(out, '}');
	cli_json_key(out, "resources_milli");
	(void)rv_buf_putc(out, '{');
	for (uint32_t i = 0; i < s->resource_count; i++)
		cli_json_uint(out, s->resources[i].key, s->resources[i].amount);
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
	read_text(o, "only", s->only, sizeof s->only);
	s->slots = (uint64_t)json_integer_value(json_object_get(o, "slots"));
	s->agent_slots = (uint64_t)json_integer_value(json_object_get(o, "agent_slots"));
	s->label_count = read_pairs(json_object_get(o, "labels"), s->labels);
	s->resource_count = read_pairs(json_object_get(o, "resources_milli"), s->resources);
	rc = !s->slots || !s->workspace[0] ? rv_fail(err, RV_E_CORRUPT, "%s lacks what a run needs", path) : 0;
out:
	json_decref(o);
	rv_buf_release(&text);
	return rc;
>>>>>>> e4a15f0 (cli: run --only, and going on with an ended run from what its directory holds)
}
