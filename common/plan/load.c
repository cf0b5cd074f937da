/* load.c - from bytes to a checked plan: formats, JSON lines, the order in which things are checked */
#include "loader.h"

#include "common/check.h"
#include "common/limits.h"
#include "common/os/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

/* ---- the loader's life ---- */

static void intern_all(struct plan_loader *l, void (*each)(struct plan_intern *, uint64_t))
{
	each(&l->settings, l->seed);
	each(&l->argvs, l->seed);
	each(&l->dirs, l->seed);
	each(&l->texts, l->seed);
}

static void release_intern(struct plan_intern *in, uint64_t seed)
{
	(void)seed;
	plan_intern_release(in);
}

static int loader_init(struct plan_loader *l, const struct plan_load_options *opt, struct plan_diags *diags)
{
	int map;

	*l = (struct plan_loader){ .diags = diags, .default_agent = PLAN_NONE, .more_defaults = PLAN_NONE };
	l->opt = opt ? opt : &l->no_options;
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) != sizeof(l->seed))
		l->seed = (uint64_t)(uintptr_t)l ^ 0x9e3779b97f4a7c15u; /* early boot: nobody attacks yet */
	rv_arena_init(&l->scratch, 0);
	rv_buf_init(&l->text, (size_t)1 << 30);
	plan_tree_init(&l->first, l->seed);
	plan_tree_init(&l->line_tree, l->seed);
	plan_tree_init(&l->set_tree, l->seed);
	intern_all(l, plan_intern_init);
	rv_strmap_init(&l->agent_names, l->seed);
	rv_strmap_init(&l->lock_names, l->seed);
	rv_strmap_init(&l->unit_names, l->seed);
	rv_strmap_init(&l->pending_names, l->seed);
	for (map = PLAN_MAP_PLAN; map < PLAN_MAPS; map++)
		plan_map_index((enum plan_map_id)map, &l->index[map]);
	plan_draft_init(&l->defaults);
	l->verify_timeout_us = 600 * (uint64_t)RV_US_PER_S;
	l->plan = calloc(1, sizeof(*l->plan));
	if (!l->plan)
		return plan_no_memory(l);
	rv_arena_init(&l->plan->arena, 0);
	l->plan->limits = (struct plan_limits){ .node_lost = 3, .environment = 3, .rate_limited = 20 };
	l->plan->context = RV_STR("{}");
	l->plan->workspace.namespace_root = l->plan->name = RV_STR("");
	l->plan->locks = RV_ARENA_ARRAY(&l->scratch, struct plan_lock, RV_LOCKS_MAX);
	return l->plan->locks ? 0 : plan_no_memory(l);
}

static void base_release(struct plan_base *b)
{
	if (b)
		plan_draft_release(&b->draft);
}

static void loader_release(struct plan_loader *l)
{
	uint32_t i;

	intern_all(l, release_intern);
	plan_draft_release(&l->defaults);
	plan_draft_release(&l->work);
	base_release(&l->none);
	for (i = 0; i < l->bases.count; i++) {
		base_release(PLAN_VEC_AT(&l->bases, struct plan_base *, i));
		free(PLAN_VEC_AT(&l->bases, struct plan_base *, i));
	}
	plan_vec_release(&l->bases);
	plan_vec_release(&l->agents);
	plan_vec_release(&l->agents_more);
	plan_vec_release(&l->context);
	plan_vec_release(&l->unit_nodes);
	plan_vec_release(&l->pending);
	plan_vec_release(&l->same_as);
	rv_strmap_release(&l->agent_names);
	rv_strmap_release(&l->lock_names);
	rv_strmap_release(&l->unit_names);
	rv_strmap_release(&l->pending_names);
	plan_tree_release(&l->first);
	plan_tree_release(&l->line_tree);
	plan_tree_release(&l->set_tree);
	rv_arena_release(&l->scratch);
	rv_buf_release(&l->text);
	free(l->topo);
	free(l->topo_place);
	plan_destroy(&l->plan);
}

/* ---- reading ---- */

static struct rv_str without_mark(struct rv_str s)
{
	return s.bytes >= 3 && memcmp(s.at, "\xef\xbb\xbf", 3) == 0 ? rv_str(s.at + 3, s.bytes - 3) : s;
}

static void tell_fault(struct plan_loader *l, const struct plan_fault *f)
{
	struct plan_spot spot = { .kind = PLAN_SPOT_SOURCE, .at = f->at, .span = f->span };

	struct plan_diag *g;

	if (f->code == PLAN_CODES) {
		(void)plan_no_memory(l);
		return;
	}
	g = plan_diag_add(l->diags, f->code, spot, "%s", f->message);
	if (f->hint[0])
		plan_diag_hint(g, "%s", f->hint);
}

static enum plan_format format_of(const struct plan_loader *l, const char *path, struct rv_str s)
{
	size_t n = path ? strlen(path) : 0, i = 0;

	(void)l;
	if (n > 5 && strcmp(path + n - 5, ".json") == 0)
		return PLAN_FORMAT_JSON;
	while (i < s.bytes && strchr(" \t\r\n", s.at[i]) && s.at[i])
		i++;
	/* A brace begins JSON, or YAML in flow style: JSON is tried first where the name says YAML. */
	if (i < s.bytes && s.at[i] == '{')
		return n > 4 && (strcmp(path + n - 4, ".yml") == 0 || strcmp(path + n - 5, ".yaml") == 0) ?
			       PLAN_FORMAT_AUTO :
			       PLAN_FORMAT_JSON;
	return PLAN_FORMAT_YAML;
}

static int read_tree(struct plan_tree *t, struct rv_str s, enum plan_format format, struct plan_fault *fault)
{
	if (plan_utf8_check(s, fault))
		return -1;
	if (format == PLAN_FORMAT_YAML)
		return plan_yaml_read(t, s, fault);
	if (plan_json_read(t, s, fault) == 0)
		return 0;
	if (format == PLAN_FORMAT_JSON || fault->code != PLAN_E_SYNTAX)
		return -1;
	plan_tree_reset(t);
	return plan_yaml_read(t, s, fault);
}

int plan_read_context_file(struct plan_loader *l)
{
	const char *path = l->opt->context_file;
	struct plan_tree *was = l->tree, t;
	struct plan_fault fault;
	struct rv_buf b;
	int rc = -1;

	if (!path)
		return 0;
	plan_tree_init(&t, l->seed);
	rv_buf_init(&b, RV_PLAN_FILE_BYTES_MAX + 1);
	if (rv_file_read(path, RV_PLAN_FILE_BYTES_MAX, &b, l->err) == 0) {
		struct rv_str s = without_mark(rv_buf_str(&b));

		if (read_tree(&t, s, format_of(l, path, s), &fault)) {
			struct plan_cursor c = { 0 };

			plan_cursor_move(&c, s, fault.at);
			rv_fail(l->err, RV_E_USAGE, "--context %s:%u:%u: %s", path, c.line, c.col, fault.message);
		} else if (t.nodes[0].kind != PLAN_MAP) {
			rv_fail(l->err, RV_E_USAGE, "--context %s: a map is expected, not %s", path,
				plan_kind_name((enum plan_kind)t.nodes[0].kind));
		} else {
			l->tree = &t;
			rc = plan_put_context(l, 0);
			l->tree = was;
		}
	}
	rv_buf_release(&b);
	plan_tree_release(&t);
	return rc;
}

/* ---- names and places ---- */

static void set_dir(struct plan_loader *l, const char *path)
{
	char dir[PATH_MAX], real[PATH_MAX];
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (l->opt->dir)
		snprintf(dir, sizeof(dir), "%s", l->opt->dir);
	else if (slash)
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	else
		snprintf(dir, sizeof(dir), ".");
	l->plan->dir = realpath(dir, real) ? rv_arena_str(&l->plan->arena, rv_str_of(real)) : RV_STR("");
	l->plan->workspace.root = l->plan->dir;
}

static void set_name(struct plan_loader *l, const char *path)
{
	const char *base = l->opt->default_name;
	char name[RV_NAME_BYTES_MAX + 1];
	size_t i, n;

	if (l->plan->name.bytes)
		return;
	if (!base && path) {
		base = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
		n = strcspn(base, ".");
		if (n == 0)
			n = strlen(base);
	} else {
		base = base ? base : "plan";
		n = strlen(base);
	}
	for (i = 0; i < n && i < RV_NAME_BYTES_MAX; i++) {
		char c = base[i];
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-", c);

		name[i] = fine ? c : '-';
	}
	l->plan->name = i ? rv_arena_str(&l->plan->arena, rv_str(name, i)) : RV_STR("plan");
}

/* ---- the end ---- */

static void *arena_copy(struct plan_loader *l, const void *from, size_t bytes, size_t align)
{
	void *to = rv_arena_alloc(&l->plan->arena, bytes ? bytes : 1, align);

	if (!to)
		(void)plan_no_memory(l);
	else if (bytes)
		memcpy(to, from, bytes);
	return to;
}

/* Tables that grew while loading move into the plan. */
static int hand_over(struct plan_loader *l)
{
	struct plan *p = l->plan;
	struct plan_unit *units;

	p->settings = arena_copy(l, l->settings.values.at, l->settings.values.count * sizeof(void *), _Alignof(void *));
	p->settings_count = l->settings.values.count;
	p->agents = arena_copy(l, l->agents.at, l->agents.count * sizeof(struct plan_agent), _Alignof(struct plan_agent));
	p->agent_count = l->agents.count;
	p->locks = arena_copy(l, p->locks, p->lock_count * sizeof(struct plan_lock), _Alignof(struct plan_lock));
	units = realloc(p->units, (p->unit_count + 1) * sizeof(*units));
	if (units)
		p->units = units;
	return l->no_memory ? -1 : 0;
}

static int check_all(struct plan_loader *l)
{
	if (plan_resolve(l))
		return -1;
	/* With cycles or units without an id the numbers below mean nothing. */
	if (!l->cyclic && plan_check_instances(l))
		return -1;
	if (hand_over(l))
		return -1;
	plan_check_budgets(l);
	if (plan_check_texts(l) || (!l->cyclic && plan_check_dirs(l)) || plan_check_tree(l))
		return -1;
	if (!l->plan->unit_count && !l->diags->errors_found)
		plan_diag_add(l->diags, PLAN_W_EMPTY_PLAN, (struct plan_spot){ .kind = PLAN_SPOT_NONE },
			      "this plan has no units: it succeeds at once");
	return l->diags->errors_found ? 0 : plan_digest(l);
}

static int refused(const struct plan_loader *l, struct rv_err *err)
{
	const struct plan_diag *g = &l->diags->error[0];
	unsigned long long more = (unsigned long long)l->diags->errors_found - 1;

	if (more)
		return rv_fail(err, RV_E_PLAN, "%s: %s (and %llu more errors)", plan_code_name(g->code),
			       g->message ? g->message : "", more);
	return rv_fail(err, RV_E_PLAN, "%s: %s", plan_code_name(g->code), g->message ? g->message : "");
}

/* Gives the plan out, or says why not. `rc` is how loading went. */
static int finish(struct plan_loader *l, int rc, struct plan **out, struct rv_err *err)
{
	plan_diags_source(l->diags, (struct rv_str){ 0 }, 0);
	if (l->no_memory)
		rc = rv_fail(err, RV_E_NO_MEMORY, "no memory for this plan");
	else if (l->diags->errors_found)
		rc = refused(l, err);
	if (rc == 0) {
		*out = l->plan;
		l->plan = NULL;
	}
	loader_release(l);
	return rc;
}

static int start(struct plan_loader *l, const char *path, const char *shown, const struct plan_load_options *opt,
		 struct plan_diags *diags, struct rv_err *err)
{
	if (loader_init(l, opt, diags))
		return -1;
	l->err = err;
	if (opt && opt->shown_name)
		shown = opt->shown_name;
	free(diags->file);
	diags->file = strdup(shown);
	if (!diags->file)
		return plan_no_memory(l);
	set_dir(l, path);
	return plan_read_sets(l, err);
}

/* ---- whole files ---- */

/* The plan that the units to come belong to (opt->head). 1: it does not parse (told). */
static int read_head(struct plan_loader *l)
{
	struct rv_str copy = rv_arena_str(&l->scratch, l->opt->head);
	struct plan_fault fault;
	uint32_t units;

	if (!copy.at)
		return plan_no_memory(l);
	l->tree = &l->first;
	if (read_tree(&l->first, copy, PLAN_FORMAT_JSON, &fault)) {
		tell_fault(l, &fault);
		return 1;
	}
	return plan_read_document(l, &units);
}

/* A plan file of which only `units` and `defaults` count; other keys have no place where a run exists already. */
static int load_units(struct plan_loader *l, const char *path)
{
	static const char *const keys[] = { "units", "defaults", "version", "name" };
	const struct plan_tree *t = &l->line_tree;
	uint32_t units, n;
	char q[PLAN_QUOTED];
	int rc;

	l->tree = &l->line_tree;
	if (t->nodes[0].kind != PLAN_MAP || (units = plan_map_get(t, 0, RV_STR("units"))) == PLAN_NONE) {
		plan_error_at(l, PLAN_E_TYPE, 0, "a map with the key `units` is expected: the units that are added");
		return 0;
	}
	for (n = plan_first(0); n < plan_end(t, 0); n = plan_next(t, n + 1)) {
		struct rv_str key = plan_node_text(t, n);
		bool fine = key.bytes > 2 && memcmp(key.at, "x-", 2) == 0;

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			fine |= rv_str_equal(key, rv_str_of(keys[i]));
		if (!fine)
			plan_diag_hint(plan_error_at(l, PLAN_E_CONFLICT, n, "%s belongs to the run's own plan", plan_quote(key, q)),
				       "a file of units to add has `units`, and perhaps `defaults` for them");
	}
	n = plan_map_get(t, 0, RV_STR("defaults"));
	if (n != PLAN_NONE && t->nodes[n].kind == PLAN_MAP)
		l->more_defaults = n;
	if (t->nodes[units].kind != PLAN_MAP && t->nodes[units].kind != PLAN_ARRAY) {
		plan_error_at(l, PLAN_E_TYPE, units, "`units` is an array, or a map by id");
		return 0;
	}
	l->lines = true; /* the head alone needs no units */
	rc = read_head(l);
	l->lines = false;
	l->tree = &l->line_tree;
	if (rc || plan_read_units(l, units))
		return rc > 0 ? 0 : -1;
	set_name(l, path);
	return check_all(l);
}

static int load_whole(struct plan_loader *l, struct rv_str s, enum plan_format format, const char *path)
{
	struct plan_fault fault;
	uint32_t units;

	s = without_mark(s);
	plan_diags_source(l->diags, s, 1);
	if (format == PLAN_FORMAT_AUTO)
		format = format_of(l, path, s);
	l->tree = &l->first;
	if (s.bytes > RV_PLAN_FILE_BYTES_MAX) {
		(void)plan_fault_set(&fault, PLAN_E_LIMIT, 0, 1, "a file of %zu bytes; the limit is %zu", s.bytes,
				     RV_PLAN_FILE_BYTES_MAX);
		tell_fault(l, &fault);
		return 0;
	}
	if (read_tree(l->opt->head.at ? &l->line_tree : &l->first, s, format, &fault)) {
		tell_fault(l, &fault);
		return 0;
	}
	if (l->opt->head.at)
		return load_units(l, path);
	if (plan_read_document(l, &units) || (units != PLAN_NONE && plan_read_units(l, units)))
		return -1;
	set_name(l, path);
	return check_all(l);
}

int plan_load_bytes(struct rv_str bytes, enum plan_format format, const struct plan_load_options *opt,
		    struct plan **out, struct plan_diags *diags, struct rv_err *err)
{
	struct plan_loader l;
	int rc = start(&l, NULL, "plan", opt, diags, err);
	struct rv_str copy;

	/* The readers want a NUL behind it, which a slice need not have. */
	copy = rc == 0 ? rv_arena_str(&l.scratch, bytes) : (struct rv_str){ 0 };
	if (rc == 0)
		rc = copy.at ? load_whole(&l, copy, format, NULL) : plan_no_memory(&l);
	return finish(&l, rc, out, err);
}

/* ---- JSON lines ---- */

struct lines {
	plan_read_fn *read;
	void *arg;
	struct rv_buf held; /* what was read and not used yet */
	size_t used;        /* of it */
	bool end;
	size_t line_bytes_max;
};

/* The next line without its end, valid until the next call: 1 there is one, 0 the end, -1 fault set. The byte behind it is
 * made NUL. */
static int next_line(struct lines *in, struct rv_str *line, struct plan_fault *fault)
{
	size_t seen = in->used;

	for (;;) {
		char *stop = in->held.bytes > seen ? memchr(in->held.at + seen, '\n', in->held.bytes - seen) : NULL;
		long got;
		char *to;

		if (stop || (in->end && in->held.bytes > in->used)) {
			size_t at = in->used, n = stop ? (size_t)(stop - in->held.at) - at : in->held.bytes - at;

			in->used = at + n + (stop != NULL);
			in->held.at[at + n] = '\0';
			*line = rv_str(in->held.at + at, n);
			return 1;
		}
		if (in->end)
			return 0;
		if (in->held.bytes - in->used > in->line_bytes_max)
			return plan_fault_set(fault, PLAN_E_LIMIT, 0, 1, "a line of more than %zu bytes", in->line_bytes_max);
		rv_buf_consume(&in->held, in->used);
		in->used = 0;
		seen = in->held.bytes;
		to = rv_buf_reserve(&in->held, 65536);
		if (!to)
			return plan_fault_set(fault, PLAN_CODES, 0, 1, "out of memory");
		got = in->read(in->arg, to, 65536);
		if (got < 0)
			return plan_fault_set(fault, PLAN_E_SYNTAX, 0, 1, "the plan cannot be read: %s", strerror(errno));
		in->end = got == 0;
		rv_buf_added(&in->held, (size_t)got);
	}
}

static bool blank(struct rv_str s)
{
	return strspn(s.at, " \t\r") == s.bytes;
}

/* A plan file that was piped in breaks at its first line. */
static void tell_line_fault(struct plan_loader *l, struct plan_fault *fault, bool first)
{
	if (first && fault->code == PLAN_E_SYNTAX && !fault->hint[0])
		(void)snprintf(fault->hint, sizeof(fault->hint), "`-` reads JSON, a line each%s; a plan in YAML or of several lines is a file's",
			       l->opt->head.at ? "" : ", first the plan, then its units");
	tell_fault(l, fault);
}

static int read_first(struct plan_loader *l, struct rv_str line)
{
	struct plan_fault fault;
	struct rv_str copy = rv_arena_str(&l->scratch, line);
	uint32_t units;

	if (!copy.at)
		return plan_no_memory(l);
	plan_diags_source(l->diags, copy, l->line);
	l->tree = &l->first;
	if (read_tree(&l->first, copy, PLAN_FORMAT_JSON, &fault)) {
		tell_line_fault(l, &fault, true);
		return 1;
	}
	if (plan_read_document(l, &units))
		return -1;
	if (units != PLAN_NONE)
		return plan_read_units(l, units);
	return 0;
}

static int read_next(struct plan_loader *l, struct rv_str line)
{
	struct plan_fault fault;

	plan_diags_source(l->diags, line, l->line);
	plan_tree_reset(&l->line_tree);
	l->tree = &l->line_tree;
	if (read_tree(&l->line_tree, line, PLAN_FORMAT_JSON, &fault)) {
		tell_line_fault(l, &fault, l->opt->head.at && l->line == 1);
		return l->no_memory ? -1 : 0;
	}
	if (l->plan->unit_count == RV_UNITS_MAX) {
		plan_error_at(l, PLAN_E_LIMIT, 0, "more than %u units", RV_UNITS_MAX);
		return 1;
	}
	if (l->edges_written > RV_EDGES_MAX) {
		plan_error_at(l, PLAN_E_LIMIT, 0, "more than %u dependencies", RV_EDGES_MAX);
		return 1;
	}
	return plan_read_unit(l, 0, PLAN_NONE);
}

static int load_lines(struct plan_loader *l, struct lines *in)
{
	struct plan_fault fault;
	struct rv_str line;
	bool first = true;
	int rc = 0, more;

	l->lines = true;
	if (l->opt->head.at) {
		rc = read_head(l);
		first = false;
	}
	while (rc == 0 && (more = next_line(in, &line, &fault)) != 0) {
		l->line++;
		if (more < 0) {
			plan_diags_source(l->diags, RV_STR(""), l->line);
			tell_fault(l, &fault);
			return l->no_memory ? -1 : 0;
		}
		if (l->line == 1)
			line = without_mark(line);
		if (blank(line))
			continue;
		rc = first ? read_first(l, line) : read_next(l, line);
		plan_diags_source(l->diags, (struct rv_str){ 0 }, 0); /* the line goes away */
		first = false;
	}
	if (rc == 0 && first) {
		plan_diags_source(l->diags, RV_STR(""), 1);
		(void)plan_fault_set(&fault, PLAN_E_SYNTAX, 0, 1, "there is no plan: the first line holds it, the next its units");
		tell_fault(l, &fault);
	}
	if (rc < 0 || l->no_memory)
		return -1;
	set_name(l, NULL);
	return rc > 0 || first ? 0 : check_all(l);
}

int plan_load_lines(plan_read_fn *read, void *arg, const struct plan_load_options *opt, struct plan **out,
		    struct plan_diags *diags, struct rv_err *err)
{
	struct plan_loader l;
	struct lines in = { .read = read, .arg = arg };
	int rc = start(&l, NULL, "plan", opt, diags, err);

	in.line_bytes_max = opt && opt->line_bytes_max ? opt->line_bytes_max : RV_PLAN_LINE_BYTES_MAX;
	rv_buf_init(&in.held, 2 * in.line_bytes_max);
	if (rc == 0)
		rc = load_lines(&l, &in);
	rv_buf_release(&in.held);
	return finish(&l, rc, out, err);
}

/* ---- by name ---- */

static long read_descriptor(void *arg, void *to, size_t room)
{
	long got;

	do {
		got = read(*(int *)arg, to, room);
	} while (got < 0 && errno == EINTR);
	return got;
}

int plan_load_file(const char *path, const struct plan_load_options *opt, struct plan **out,
		   struct plan_diags *diags, struct rv_err *err)
{
	struct plan_load_options with_name = opt ? *opt : (struct plan_load_options){ 0 };
	struct plan_loader l;
	struct rv_buf b;
	int rc, fd = 0;

	if (strcmp(path, "-") == 0) {
		if (!with_name.shown_name)
			with_name.shown_name = "stdin";
		return plan_load_lines(read_descriptor, &fd, &with_name, out, diags, err);
	}
	rv_buf_init(&b, RV_PLAN_FILE_BYTES_MAX + 4096);
	rc = rv_file_read(path, RV_PLAN_FILE_BYTES_MAX, &b, err);
	if (rc == 0) {
		rc = start(&l, path, path, opt, diags, err);
		if (rc == 0)
			rc = load_whole(&l, rv_buf_str(&b), PLAN_FORMAT_AUTO, path);
		rc = finish(&l, rc, out, err);
	}
	rv_buf_release(&b);
	return rc;
}
