/* cmd_token.c - `reeve token` and `reeve key`: who may join, and who has joined */
#include "cli/cli.h"
#include "cli/client.h"
#include "common/id.h"
#include "common/limits.h"
#include "common/os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

enum { HASH_SHOWN_CHARS = 16 };

struct asking {
	const char *coordinator, *format_option, *role, *ttl, *out;
	struct rv_opt_list endpoints;
	uint64_t uses;
	bool help;
	enum cli_format format;
	struct cli_client *client;
	struct cli_place place;
};

#define OPT_COORDINATOR(into) { "coordinator", 0, RV_OPT_STRING, (into), "ADDR", "tcp://HOST:PORT or a state directory (default: the nearest one)", 0, 0 }

/* --- what token and key have in common ------------------------------------------------------------------------------------- */

static int connect_to(struct asking *a, struct rv_err *err)
{
	if (cli_place_find(a->coordinator, CLI_PLACE_NO_RUNS, RV_STR(""), &a->place, err) < 0)
		return -1;
	return cli_client_open(&a->client, &a->place, err);
}

static int parse(struct asking *a, const struct rv_opt *table, int argc, char **argv, int *words, struct rv_err *err)
{
	if (rv_opts_parse(table, argc, argv, words, NULL, err) < 0)
		return -1;
	return cli_format_parse(a->format_option, &a->format, err);
}

/* 1: it could not be written, which was said. */
static int answer_revoked(enum proto_revoke_what what, const char *name, bool changed)
{
	struct rv_buf out;
	int rc;

	rv_buf_init(&out, 0);
	(void)rv_buf_puts(&out, "{\"schema\":\"reeve.revoke/1\"");
	cli_json_str(&out, "what", what == PROTO_REVOKE_TOKEN ? RV_STR("token") : RV_STR("key"));
	cli_json_str(&out, "name", rv_str_of(name));
	cli_json_uint(&out, "changed", changed);
	(void)rv_buf_puts(&out, "}\n");
	rc = cli_answer(rv_buf_str(&out), CLI_OK) == CLI_OK ? 0 : 1;
	rv_buf_release(&out);
	return rc;
}

static int revoke_one(struct asking *a, enum proto_revoke_what what, const char *name, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_REVOKE }, answer;

	request.revoke = (struct proto_revoke){ .id = cli_client_new_id(), .what = what, .name = rv_str_of(name) };
	if (connect_to(a, err) < 0 || cli_client_call(a->client, &request, PROTO_DONE, &answer, err) < 0)
		return -1;
	if (a->format == CLI_JSON || a->format == CLI_JSONL)
		return answer_revoked(what, name, answer.done.changed > 0);
	cli_say("%s %s %s", what == PROTO_REVOKE_TOKEN ? "token" : "key", name, answer.done.changed ? "is revoked" : "was revoked before");
	return 0;
}

/* --- lists ------------------------------------------------------------------------------------------------------------------- */

/* How one list is shown: the columns of the table, and what a row's JSON has. */
struct listing {
	enum proto_ask_what what;
	const char *schema, *plural, *name_key;
	const struct cli_column *columns;
	uint32_t column_count;
	void (*cells)(struct cli_table *t, const json_t *row);
	const char *const *texts;  /* keys in JSON, in order, ended by NULL: texts, whole numbers, times (in rows as KEY_us, here as KEY_at) */
	const char *const *numbers;
	const char *const *times;
};

struct shown {
	const struct listing *list;
	enum cli_format format;
	struct cli_table table;
	struct rv_buf out;
};

static struct rv_str text_of(const json_t *row, const char *key)
{
	const json_t *v = json_object_get(row, key);

	return json_is_string(v) ? rv_str(json_string_value(v), json_string_length(v)) : RV_STR("");
}

static uint64_t number_of(const json_t *row, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(row, key));

	return v > 0 ? (uint64_t)v : 0;
}

static void cell_text(struct cli_table *t, const json_t *row, const char *key)
{
	cli_table_cell(t, text_of(row, key));
}

/* To the second. */
static void cell_time(struct cli_table *t, const json_t *row, const char *key)
{
	uint64_t us = number_of(row, key);
	struct rv_buf b;

	rv_buf_init(&b, 0);
	if (us)
		cli_put_time(&b, us);
	cli_table_cell(t, rv_str(b.at, rv_min_u64(b.bytes, 19)));
	rv_buf_release(&b);
}

static void put_json(struct shown *s, const json_t *row)
{
	char from[32], to[32];

	(void)rv_buf_putc(&s->out, '{');
	for (const char *const *k = s->list->texts; *k; k++)
		cli_json_str_or_null(&s->out, *k, text_of(row, *k));
	for (const char *const *k = s->list->numbers; *k; k++)
		cli_json_uint(&s->out, *k, number_of(row, *k));
	for (const char *const *k = s->list->times; *k; k++) {
		(void)snprintf(from, sizeof from, "%s_us", *k);
		(void)snprintf(to, sizeof to, "%s_at", *k);
		cli_json_time(&s->out, to, number_of(row, from));
	}
	(void)rv_buf_putc(&s->out, '}');
}

static void show_row(struct shown *s, const json_t *row)
{
	switch (s->format) {
	case CLI_JSON:
		cli_json_comma(&s->out);
		put_json(s, row);
		break;
	case CLI_JSONL:
		put_json(s, row);
		(void)rv_buf_putc(&s->out, '\n');
		break;
	case CLI_NAME:
		(void)rv_buf_put_str(&s->out, text_of(row, s->list->name_key));
		(void)rv_buf_putc(&s->out, '\n');
		break;
	default:
		s->list->cells(&s->table, row);
		break;
	}
}

static int show_page(struct shown *s, const struct proto_rows *rows, struct rv_err *err)
{
	for (uint32_t i = 0; i < rows->row_count; i++) {
		json_t *row = json_loadb(rows->rows[i].at, rows->rows[i].bytes, JSON_REJECT_DUPLICATES, NULL);

		if (!json_is_object(row)) {
			json_decref(row);
			return rv_fail(err, RV_E_CORRUPT, "the coordinator's list has a row that is no JSON object");
		}
		show_row(s, row);
		json_decref(row);
	}
	return 0;
}

static int show_list(struct asking *a, struct shown *s, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_ASK }, answer;
	uint64_t cursor = 0;

	if (connect_to(a, err) < 0)
		return -1;
	do {
		request.ask = (struct proto_ask){ .what = s->list->what, .cursor = cursor, .limit = PROTO_ROWS_MAX };
		if (cli_client_call(a->client, &request, PROTO_ROWS, &answer, err) < 0 || show_page(s, &answer.rows, err) < 0)
			return -1;
		if (answer.rows.next && answer.rows.next <= cursor)
			return rv_fail(err, RV_E_CORRUPT, "the coordinator's list goes round in circles");
		cursor = answer.rows.next;
	} while (cursor);
	return 0;
}

static int list(struct asking *a, const struct listing *l, struct rv_err *err)
{
	struct shown s = { .list = l, .format = a->format };
	int rc;

	cli_table_init(&s.table, l->columns, l->column_count, a->format);
	rv_buf_init(&s.out, 0);
	if (a->format == CLI_JSON)
		(void)rv_buf_printf(&s.out, "{\"schema\":\"%s\",\"%s\":[", l->schema, l->plural);
	rc = show_list(a, &s, err);
	if (rc == 0) {
		if (a->format == CLI_JSON)
			(void)rv_buf_puts(&s.out, "]}\n");
		else if (a->format == CLI_TABLE || a->format == CLI_WIDE)
			cli_table_print(&s.table, &s.out);
		rc = cli_answer(rv_buf_str(&s.out), CLI_OK) == CLI_OK ? 0 : 1; /* it said why itself */
	}
	cli_table_release(&s.table);
	rv_buf_release(&s.out);
	return rc;
}

static const struct cli_column token_columns[] = {
	{ "TOKEN", CLI_LEFT, false },  { "ROLE", CLI_LEFT, false },    { "STATE", CLI_LEFT, false }, { "LEFT", CLI_RIGHT, false },
	{ "USES", CLI_RIGHT, false },  { "EXPIRES", CLI_LEFT, false }, { "MADE", CLI_LEFT, true },
};

static void token_cells(struct cli_table *t, const json_t *row)
{
	cell_text(t, row, "id");
	cell_text(t, row, "role");
	cell_text(t, row, "state");
	cli_table_cellf(t, "%llu", (unsigned long long)number_of(row, "uses_left"));
	cli_table_cellf(t, "%llu", (unsigned long long)number_of(row, "uses"));
	cell_time(t, row, "expires_us");
	cell_time(t, row, "made_us");
}

static const struct listing tokens = {
	.what = PROTO_ASK_TOKENS,
	.schema = "reeve.tokens/1",
	.plural = "tokens",
	.name_key = "id",
	.columns = token_columns,
	.column_count = RV_ARRAY_LEN(token_columns),
	.cells = token_cells,
	.texts = (const char *const[]){ "id", "role", "state", NULL },
	.numbers = (const char *const[]){ "uses", "uses_left", NULL },
	.times = (const char *const[]){ "made", "expires", NULL },
};

static const struct cli_column key_columns[] = {
	{ "NAME", CLI_LEFT, false },  { "ROLE", CLI_LEFT, false }, { "STATE", CLI_LEFT, false },
	{ "KEY", CLI_LEFT, false },   { "SINCE", CLI_LEFT, false }, { "TOKEN", CLI_LEFT, true },
};

static void key_cells(struct cli_table *t, const json_t *row)
{
	struct rv_str hash = text_of(row, "hash");

	cell_text(t, row, "name");
	cell_text(t, row, "role");
	cell_text(t, row, "state");
	cli_table_cell(t, rv_str(hash.at, t->format == CLI_WIDE ? hash.bytes : rv_min_u64(hash.bytes, HASH_SHOWN_CHARS)));
	cell_time(t, row, number_of(row, "revoked_us") ? "revoked_us" : "admitted_us");
	cell_text(t, row, "token");
}

static const struct listing keys = {
	.what = PROTO_ASK_KEYS,
	.schema = "reeve.keys/1",
	.plural = "keys",
	.name_key = "name",
	.columns = key_columns,
	.column_count = RV_ARRAY_LEN(key_columns),
	.cells = key_cells,
	.texts = (const char *const[]){ "name", "role", "state", "hash", "token", NULL },
	.numbers = (const char *const[]){ NULL },
	.times = (const char *const[]){ "admitted", "revoked", NULL },
};

/* --- token create ------------------------------------------------------------------------------------------------------------------ */

static int add_endpoint(struct net_token *t, struct rv_str endpoint, struct rv_err *err)
{
	if (net_endpoint_check(endpoint, NET_ENDPOINT_CONNECT, err) < 0)
		return -1;
	for (uint32_t i = 0; i < t->endpoint_count; i++)
		if (rv_str_equal(rv_str_of(t->endpoints[i]), endpoint))
			return 0;
	if (t->endpoint_count < NET_TOKEN_ENDPOINTS_MAX)
		(void)snprintf(t->endpoints[t->endpoint_count++], sizeof t->endpoints[0], "%.*s", RV_STR_ARGS(endpoint));
	return 0;
}

/* Those given with --endpoint; else the one that was used just now, which works from here, then the coordinator's own. */
static int name_endpoints(const struct asking *a, const struct proto_token_created *created, struct net_token *t, struct rv_err *err)
{
	for (uint32_t i = 0; i < a->endpoints.count; i++)
		if (add_endpoint(t, rv_str_of(a->endpoints.item[i]), err) < 0)
			return -1;
	if (a->endpoints.count)
		return 0;
	if (a->place.kind == CLI_PLACE_TCP && add_endpoint(t, rv_str_of(a->place.endpoint), err) < 0)
		return -1;
	for (uint32_t i = 0; i < created->endpoint_count; i++)
		if (add_endpoint(t, created->endpoints[i], err) < 0)
			return -1;
	return t->endpoint_count ? 0 : rv_fail(err, RV_E_CONFLICT, "the coordinator names no tcp address");
}

static int check_create(const struct asking *a, uint32_t *role, uint64_t *ttl_us, struct rv_err *err)
{
	if (strcmp(a->role, "node") == 0)
		*role = PROTO_ROLE_NODE;
	else if (strcmp(a->role, "operator") == 0)
		*role = PROTO_ROLE_OPERATOR;
	else
		return rv_fail(err, RV_E_USAGE, "--role is node or operator, not \"%.64s\"", a->role);
	if (rv_parse_duration(a->ttl, ttl_us, err) < 0)
		return -1;
	if (*ttl_us < RV_TOKEN_TTL_US_MIN || *ttl_us > RV_TOKEN_TTL_US_MAX)
		return rv_fail(err, RV_E_USAGE, "--ttl is 1s to 366d, not %.64s", a->ttl);
	for (uint32_t i = 0; i < a->endpoints.count; i++)
		if (net_endpoint_check(rv_str_of(a->endpoints.item[i]), NET_ENDPOINT_CONNECT, err) < 0)
			return -1;
	return a->endpoints.count <= NET_TOKEN_ENDPOINTS_MAX ? 0 : rv_fail(err, RV_E_LIMIT, "a token names at most %u endpoints", NET_TOKEN_ENDPOINTS_MAX);
}

/* A file that only its owner may read, as those who take a token ask for. */
static int write_token(const char *path, struct rv_str line, struct rv_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), rc;

	if (fd < 0) {
		(void)rv_fail_errno(err, errno, "cannot make %s", path);
		return errno == EEXIST ? rv_hint(err, "--out makes a new file; nothing is overwritten") : -1;
	}
	rc = cli_write_all(fd, line.at, line.bytes) < 0 || cli_write_all(fd, "\n", 1) < 0 ? rv_fail_errno(err, errno, "cannot write %s", path) : 0;
	if (close(fd) < 0 && rc == 0)
		rc = rv_fail_errno(err, errno, "cannot write %s", path);
	return rc;
}

static int answer_token(const struct asking *a, const struct net_token *t, uint64_t ttl_us, struct rv_buf *out, struct rv_err *err)
{
	bool json = a->format == CLI_JSON || a->format == CLI_JSONL;
	struct rv_buf line;
	int rc;

	rv_buf_init(&line, 0);
	(void)rv_buf_reserve(&line, NET_TOKEN_LINE_BYTES_MAX); /* so that growing leaves no copy of the secret */
	rc = net_token_format(t, &line, err);
	if (rc == 0 && a->out)
		rc = write_token(a->out, rv_buf_str(&line), err);
	if (json) {
		(void)rv_buf_puts(out, "{\"schema\":\"reeve.token/1\"");
		cli_json_str(out, "id", rv_str_of(t->id));
		cli_json_str(out, "role", rv_str_of(a->role));
		cli_json_uint(out, "uses", a->uses);
		cli_json_time(out, "expires_at", rv_clock_realtime_us() + ttl_us);
		cli_json_str(out, a->out ? "file" : "token", a->out ? rv_str_of(a->out) : rv_buf_str(&line));
		(void)rv_buf_putc(out, '}');
	} else if (!a->out) {
		(void)rv_buf_put_str(out, rv_buf_str(&line));
	}
	if (json || !a->out)
		(void)rv_buf_putc(out, '\n');
	net_wipe(line.at, line.capacity);
	rv_buf_release(&line);
	return rc;
}

static int create_token(struct asking *a, struct net_token *t, struct rv_buf *out, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_TOKEN_CREATE }, answer;
	struct net_keypair enrolling;
	uint32_t role = 0;
	uint64_t ttl_us = 0;

	if (check_create(a, &role, &ttl_us, err) < 0 || connect_to(a, err) < 0)
		return -1;
	net_token_generate(t);
	net_token_keypair(t, &enrolling);
	request.token_create = (struct proto_token_create){ .id = rv_str_of(t->id), .role = role, .ttl_us = ttl_us, .uses = (uint32_t)a->uses };
	memcpy(request.token_create.key, enrolling.public_key, PROTO_KEY_BYTES);
	net_wipe(&enrolling, sizeof enrolling);
	if (cli_client_call(a->client, &request, PROTO_TOKEN_CREATED, &answer, err) < 0)
		return -1;
	memcpy(t->server_key, answer.token_created.server_key, NET_KEY_BYTES);
	if (name_endpoints(a, &answer.token_created, t, err) < 0)
		return -1;
	return answer_token(a, t, ttl_us, out, err);
}

/* 1: the answer could not be written, which was said. */
static int create(struct asking *a, struct rv_err *err)
{
	struct net_token t;
	struct rv_buf out;
	int rc;

	rv_buf_init(&out, 0);
	(void)rv_buf_reserve(&out, 2 * NET_TOKEN_LINE_BYTES_MAX);
	rc = create_token(a, &t, &out, err);
	if (rc == 0)
		rc = out.bytes && cli_write_all(1, out.at, out.bytes) < 0 ? rv_fail(err, RV_E_IO, "the token could not be written; `reeve token revoke %s` ends it", t.id) : 0;
	net_wipe(&t, sizeof t);
	net_wipe(out.at, out.capacity);
	rv_buf_release(&out);
	return rc;
}

/* --- the verbs -------------------------------------------------------------------------------------------------------------------- */

static int finish(struct asking *a, int rc, const struct rv_err *err)
{
	cli_client_close(&a->client);
	return rc < 0 ? cli_fail(err) : rc > 0 ? CLI_INTERNAL : CLI_OK;
}

static int usage(const char *verb, const char *what, const char *acts)
{
	struct rv_err err;

	(void)rv_fail(&err, RV_E_USAGE, "`reeve %s` needs to know what to do: %s", verb, acts);
	(void)rv_hint(&err, "`reeve help %s`%s", verb, what);
	return cli_fail(&err);
}

/* "list", "revoke NAME", or what only one of the verbs has. */
static bool is_act(char **argv, int words, const char *act, int count)
{
	return words == count && strcmp(argv[0], act) == 0;
}

int cli_cmd_token(int argc, char **argv)
{
	struct asking a = { .role = "node", .ttl = "15m", .uses = 1 };
	const struct rv_opt table[] = {
		OPT_COORDINATOR(&a.coordinator),
		{ "role", 0, RV_OPT_STRING, &a.role, "ROLE", "create: what it lets in, node or operator (default node)", 0, 0 },
		{ "ttl", 0, RV_OPT_STRING, &a.ttl, "TIME", "create: how long it may be used (default 15m)", 0, 0 },
		{ "uses", 0, RV_OPT_UINT, &a.uses, "N", "create: how many keys it may admit (default 1)", 1, RV_TOKEN_USES_MAX },
		{ "out", 0, RV_OPT_STRING, &a.out, "FILE", "create: the token goes into this new file (0600), not to stdout", 0, 0 },
		{ "endpoint", 0, RV_OPT_LIST, &a.endpoints, "ADDR", "create: tcp://HOST:PORT that it names (default: the coordinator's own addresses)", 0, 0 },
		CLI_OPT_FORMAT(&a.format_option),
		CLI_OPT_HELP(&a.help),
		CLI_OPT_END,
	};
	struct rv_err err;
	int words = 0, rc;

	if (parse(&a, table, argc, argv, &words, &err) < 0)
		return cli_fail(&err);
	if (a.help)
		return cli_usage("token", "create | list | revoke ID",
				 "Who may join, and with which role. `create` prints one line, a secret, that `reeve node --token-file` or `reeve login\n"
				 "--token-file` takes; the coordinator keeps nothing that could be used in its place.",
				 table);
	if (is_act(argv, words, "create", 1))
		rc = create(&a, &err);
	else if (is_act(argv, words, "list", 1))
		rc = list(&a, &tokens, &err);
	else if (is_act(argv, words, "revoke", 2))
		rc = revoke_one(&a, PROTO_REVOKE_TOKEN, argv[1], &err);
	else
		return usage("token", "", "create, list, or revoke ID");
	return finish(&a, rc, &err);
}

int cli_cmd_key(int argc, char **argv)
{
	struct asking a = { .coordinator = NULL };
	const struct rv_opt table[] = {
		OPT_COORDINATOR(&a.coordinator),
		CLI_OPT_FORMAT(&a.format_option),
		CLI_OPT_HELP(&a.help),
		CLI_OPT_END,
	};
	struct rv_err err;
	int words = 0, rc;

	if (parse(&a, table, argc, argv, &words, &err) < 0)
		return cli_fail(&err);
	if (a.help)
		return cli_usage("key", "list | revoke NAME",
				 "Whom tokens have let in. `revoke` takes a name, or the first 8 digits or more of a key's hash; whoever has that key is\n"
				 "refused from then on, a connection that stands included.",
				 table);
	if (is_act(argv, words, "list", 1))
		rc = list(&a, &keys, &err);
	else if (is_act(argv, words, "revoke", 2))
		rc = revoke_one(&a, PROTO_REVOKE_KEY, argv[1], &err);
	else
		return usage("key", "", "list, or revoke NAME");
	return finish(&a, rc, &err);
}
