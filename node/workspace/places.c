#include "node/workspace/places.h"

#include "common/map.h"
#include "common/os/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PLACES_FILE_BYTES_MAX ((size_t)NODE_PLACES_MAX * 8192)
#define TRUST_US 1000000u /* a workspace that was seen is believed so long: it may be unmounted */

static uint64_t key_of(struct rv_str namespace_root)
{
	uint64_t key = rv_hash(0x706c616365u, namespace_root);

	return key ? key : 1;
}

static char *copy(struct rv_str s)
{
	char *out = malloc(s.bytes + 1);

	if (!out)
		return NULL;
	if (s.bytes)
		memcpy(out, s.at, s.bytes);
	out[s.bytes] = '\0';
	return out;
}

static void place_destroy(struct node_place *place)
{
	node_namespaces_release(&place->namespaces);
	free(place->id);
	free(place->asked);
	free(place->root_text);
	free(place->workspace_text);
	free(place);
}

/* Where there is no directory any more nothing can be collected or read: another may have the place. One that is only not to be had now (its
 * file system is away) keeps it. */
static void give_back(struct node_places *p)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < p->count; i++) {
		struct rv_err why = { 0 };
		int fd = -1;

		if (rv_dir_open(p->items[i]->root_text, &fd, &why) < 0 && why.code == RV_E_NOT_FOUND) {
			place_destroy(p->items[i]);
			continue;
		}
		if (fd >= 0)
			close(fd);
		p->items[kept++] = p->items[i];
	}
	p->count = kept;
}

static struct node_place *add(struct node_places *p, struct rv_str namespace_root, struct rv_err *err)
{
	struct node_place *place;

	if (p->count == NODE_PLACES_MAX)
		give_back(p);
	if (p->count == NODE_PLACES_MAX) {
		(void)rv_fail(err, RV_E_LIMIT, "this node works in %u workspaces already, all of which are still there", NODE_PLACES_MAX);
		return NULL;
	}
	place = calloc(1, sizeof(*place));
	if (place)
		place->root_text = copy(namespace_root);
	if (!place || !place->root_text) {
		free(place);
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for a workspace");
		return NULL;
	}
	place->key = key_of(namespace_root);
	node_namespaces_init(&place->namespaces, rv_str_of(place->root_text));
	p->items[p->count++] = place;
	return place;
}

/* --- what is kept ------------------------------------------------------------------------------------------------------ */

static int state_path(const struct node_places *p, char out[4200])
{
	int n = snprintf(out, 4200, "%.*s/" NODE_PLACES_FILE, RV_STR_ARGS(p->state_dir));

	return p->state_dir.bytes && n < 4200 ? 0 : -1;
}

static void load(struct node_places *p)
{
	struct rv_buf text;
	char path[4200];

	if (state_path(p, path) < 0)
		return;
	rv_buf_init(&text, 0);
	if (rv_file_read(path, PLACES_FILE_BYTES_MAX, &text, NULL) == 0)
		for (char *at = text.at, *end; (end = strchr(at, '\n')) && p->count < NODE_PLACES_MAX; at = end + 1)
			if (end > at && *at == '/')
				(void)add(p, rv_str(at, (size_t)(end - at)), NULL);
	rv_buf_release(&text);
}

static int save(const struct node_places *p, struct rv_err *err)
{
	struct rv_buf text;
	char path[4200];
	int rc;

	if (state_path(p, path) < 0)
		return 0;
	rv_buf_init(&text, 0);
	for (uint32_t i = 0; i < p->count; i++)
		(void)rv_buf_printf(&text, "%s\n", p->items[i]->root_text);
	rc = text.failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a workspace")
			 : rv_file_write(path, rv_buf_str(&text), 0600, RV_FILE_NOSYNC, err);
	rv_buf_release(&text);
	return rc;
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

void node_places_init(struct node_places *p, struct rv_str workspace, struct rv_str namespace_root, struct rv_str state_dir)
{
	memset(p, 0, sizeof(*p));
	p->own.workspace = workspace;
	node_namespaces_init(&p->own.namespaces, namespace_root);
	p->state_dir = state_dir;
	load(p);
}

void node_places_release(struct node_places *p)
{
	node_namespaces_release(&p->own.namespaces);
	for (uint32_t i = 0; i < p->count; i++)
		place_destroy(p->items[i]);
	p->count = 0;
}

struct node_place *node_places_by_key(struct node_places *p, uint64_t key)
{
	for (uint32_t i = 0; key && i < p->count; i++)
		if (p->items[i]->key == key)
			return p->items[i];
	return &p->own;
}

/* --- finding one ------------------------------------------------------------------------------------------------------------ */

static bool below(struct rv_str path, struct rv_str dir)
{
	if (rv_str_equal(dir, RV_STR("/")))
		return path.bytes && path.at[0] == '/';
	return path.bytes >= dir.bytes && memcmp(path.at, dir.at, dir.bytes) == 0 && (path.bytes == dir.bytes || path.at[dir.bytes] == '/');
}

/* Appends where `path` is here. */
static void map_path(const struct node_places *p, struct rv_str path, struct rv_buf *out)
{
	const struct node_map_rule *best = NULL;
	struct rv_str rest = path;

	for (uint32_t i = 0; i < p->rule_count; i++)
		if (below(path, p->rules[i].from) && (!best || p->rules[i].from.bytes > best->from.bytes))
			best = &p->rules[i];
	if (best) {
		bool root = rv_str_equal(best->from, RV_STR("/"));

		rest = root ? path : rv_str(path.at + best->from.bytes, path.bytes - best->from.bytes);
		if (!rv_str_equal(best->to, RV_STR("/")))
			rv_buf_put_str(out, best->to);
	}
	rv_buf_put_str(out, rest);
	if (!out->bytes)
		rv_buf_putc(out, '/');
}

/* One that can be opened, and kept as a line. */
static bool is_path(const struct rv_buf *b)
{
	return !b->failed && b->bytes < PATH_MAX && !memchr(b->at, '\n', b->bytes) && !memchr(b->at, '\0', b->bytes);
}

static bool has_id(const char *workspace, struct rv_str id, struct rv_err *err)
{
	struct rv_buf text;
	struct rv_str got;
	int fd;
	bool same = false;

	if (rv_dir_open(workspace, &fd, err) < 0)
		return false;
	rv_buf_init(&text, 0);
	if (rv_file_read_at(fd, NODE_WORKSPACE_ID_FILE, NODE_WORKSPACE_ID_BYTES_MAX, &text, err) == 0) {
		got = rv_buf_str(&text);
		while (got.bytes && (got.at[got.bytes - 1] == '\n' || got.at[got.bytes - 1] == '\r' || got.at[got.bytes - 1] == ' '))
			got.bytes--;
		same = rv_str_equal(got, id);
		if (!same)
			(void)rv_fail(err, RV_E_NOT_FOUND, "%s is another workspace: its " NODE_WORKSPACE_ID_FILE " differs", workspace);
	}
	rv_buf_release(&text);
	close(fd);
	return same;
}

static struct node_place *known(struct node_places *p, const struct proto_workspace *w, struct rv_str namespace_root)
{
	for (uint32_t i = 0; i < p->count; i++) {
		struct node_place *place = p->items[i];

		if (place->id && rv_str_equal(w->id, rv_str_of(place->id)) && rv_str_equal(w->root, rv_str_of(place->asked)) &&
		    rv_str_equal(namespace_root, rv_str_of(place->root_text)))
			return place;
	}
	return NULL;
}

/* Only remembered, or at the same path: what is there now is another workspace than was there before, which is gone. */
static bool may_become(const struct node_place *place, struct rv_str workspace, struct rv_str namespace_root)
{
	return rv_str_equal(rv_str_of(place->root_text), namespace_root) && (!place->id || rv_str_equal(place->workspace, workspace));
}

/* One that was only remembered, or whose path it has taken over, or a new one. */
static struct node_place *settle(struct node_places *p, const struct proto_workspace *w, struct rv_str workspace, struct rv_str namespace_root,
				 struct rv_err *err)
{
	struct node_place *place = NULL;

	for (uint32_t i = 0; i < p->count && !place; i++)
		if (may_become(p->items[i], workspace, namespace_root))
			place = p->items[i];
	if (!place) {
		place = add(p, namespace_root, err);
		if (!place)
			return NULL;
		if (save(p, err) < 0) {
			place_destroy(place);
			p->items[--p->count] = NULL;
			return NULL;
		}
	}
	if (place->id) { /* what was opened below its root is the directory that is gone */
		node_namespaces_release(&place->namespaces);
		node_namespaces_init(&place->namespaces, rv_str_of(place->root_text));
	}
	free(place->asked);
	free(place->workspace_text);
	free(place->id);
	place->asked = copy(w->root);
	place->workspace_text = copy(workspace);
	place->id = place->asked && place->workspace_text ? copy(w->id) : NULL;
	if (!place->id) {
		(void)rv_fail(err, RV_E_NO_MEMORY, "no memory for a workspace");
		free(place->asked);
		free(place->workspace_text);
		place->asked = place->workspace_text = NULL;
		place->workspace = rv_str(NULL, 0);
		return NULL;
	}
	place->workspace = rv_str_of(place->workspace_text);
	return place;
}

struct node_place *node_places_find(struct node_places *p, const struct proto_workspace *w, uint64_t now_us, struct rv_err *err)
{
	struct node_place *place = NULL;
	struct rv_buf root, namespaces;

	if (!w->id.bytes || !w->root.bytes || w->root.at[0] != '/') {
		(void)rv_fail(err, RV_E_NOT_FOUND, "the run names no workspace");
		return NULL;
	}
	rv_buf_init(&root, 0);
	rv_buf_init(&namespaces, 0);
	map_path(p, w->root, &root);
	if (w->namespace_root.bytes && w->namespace_root.at[0] == '/') {
		map_path(p, w->namespace_root, &namespaces);
	} else {
		rv_buf_put_str(&namespaces, rv_buf_str(&root));
		rv_buf_puts(&namespaces, "/.reeve");
	}
	if (!is_path(&root) || !is_path(&namespaces)) {
		(void)rv_fail(err, RV_E_NOT_FOUND, "no path of a workspace");
		goto out;
	}
	place = known(p, w, rv_buf_str(&namespaces));
	if (place && rv_sat_sub(now_us, place->checked_us) < TRUST_US)
		goto out;
	if (!has_id(root.at, w->id, err)) {
		place = NULL;
		goto out;
	}
	if (!place)
		place = settle(p, w, rv_buf_str(&root), rv_buf_str(&namespaces), err);
	if (place)
		place->checked_us = now_us;
out:
	rv_buf_release(&root);
	rv_buf_release(&namespaces);
	return place;
}

/* --- rules -------------------------------------------------------------------------------------------------------------------- */

static struct rv_str trim(struct rv_str path)
{
	while (path.bytes > 1 && path.at[path.bytes - 1] == '/')
		path.bytes--;
	return path;
}

int node_map_rule_parse(const char *text, struct node_map_rule *out, struct rv_err *err)
{
	const char *eq = strchr(text, '=');

	if (!eq || text[0] != '/' || eq[1] != '/') {
		(void)rv_fail(err, RV_E_USAGE, "--map takes FROM=TO, two absolute paths, not \"%.200s\"", text);
		return rv_hint(err, "--map /home/ann/project=/srv/project");
	}
	out->from = trim(rv_str(text, (size_t)(eq - text)));
	out->to = trim(rv_str_of(eq + 1));
	return 0;
}
