/* login.c - the coordinators that `reeve login` stored (login.h) */
#include "cli/login.h"

#include "common/id.h"
#include "common/limits.h"
#include "common/os/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ID_CHARS = 16, FILE_BYTES_MAX = 4096 };

static const char file_word[] = "reeve-login-1";
static const char suffix[] = ".login";

struct stored {
	char id[ID_CHARS + 1];
	struct rv_buf text;        /* the file; the rest borrows from it */
	struct rv_str endpoints;   /* with commas between */
	uint8_t server_key[NET_KEY_BYTES];
};

/* --- the directory ---------------------------------------------------------------------------------------------------------- */

static int config_path(char out[PATH_MAX], struct rv_err *err)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (xdg && *xdg == '/')
		n = snprintf(out, PATH_MAX, "%s/reeve", xdg);
	else if (home && *home == '/')
		n = snprintf(out, PATH_MAX, "%s/.config/reeve", home);
	else {
		(void)rv_fail(err, RV_E_NOT_FOUND, "there is no place for logins: neither XDG_CONFIG_HOME nor HOME is set");
		return rv_hint(err, "set HOME, or name a coordinator's state directory on this host with --coordinator");
	}
	return n < PATH_MAX ? 0 : rv_fail(err, RV_E_LIMIT, "the path of the configuration directory is too long");
}

static int open_config(int *dir, struct rv_err *err)
{
	char path[PATH_MAX];

	return config_path(path, err) < 0 ? -1 : rv_dir_open(path, dir, err);
}

static int make_config(int *dir, struct rv_err *err)
{
	char path[PATH_MAX];

	if (config_path(path, err) < 0 || rv_dir_make(path, 0700, err) < 0)
		return -1;
	return rv_dir_open(path, dir, err);
}

static void id_of(const uint8_t server_key[NET_KEY_BYTES], char out[ID_CHARS + 1])
{
	uint8_t hash[NET_KEY_BYTES];

	net_key_hash(server_key, hash);
	rv_hex(out, hash, ID_CHARS / 2);
}

static void name_file(const char *id, const char *end, char out[32])
{
	(void)snprintf(out, 32, "%.*s%s", ID_CHARS, id, end);
}

/* --- one login ---------------------------------------------------------------------------------------------------------------- */

static struct rv_str take_word(struct rv_str *line)
{
	size_t n = 0;
	struct rv_str word;

	while (n < line->bytes && line->at[n] != ' ' && line->at[n] != '\n')
		n++;
	word = rv_str(line->at, n);
	n += n < line->bytes;
	*line = rv_str(line->at + n, line->bytes - n);
	return word;
}

static int read_stored(int dir, const char *id, struct stored *s, struct rv_err *err)
{
	struct rv_str rest, word, key;
	char file[32];

	(void)snprintf(s->id, sizeof s->id, "%.*s", ID_CHARS, id);
	rv_buf_init(&s->text, 0);
	name_file(id, suffix, file);
	if (rv_file_read_at(dir, file, FILE_BYTES_MAX, &s->text, err) < 0)
		return -1;
	rest = rv_buf_str(&s->text);
	word = take_word(&rest);
	s->endpoints = take_word(&rest);
	key = take_word(&rest);
	if (rv_str_equal(word, rv_str_of(file_word)) && s->endpoints.bytes && rv_unhex(s->server_key, NET_KEY_BYTES, key) == 0)
		return 0;
	(void)rv_fail(err, RV_E_CORRUPT, "the login %s is damaged", file);
	return rv_hint(err, "`reeve login` with a new token makes it anew");
}

static struct rv_str take_endpoint(struct rv_str *list)
{
	const char *comma = list->bytes ? memchr(list->at, ',', list->bytes) : NULL;
	struct rv_str one = rv_str(list->at, comma ? (size_t)(comma - list->at) : list->bytes);
	size_t taken = one.bytes + (comma ? 1 : 0);

	*list = rv_str(list->at + taken, list->bytes - taken);
	return one;
}

static bool has_endpoint(const struct stored *s, struct rv_str endpoint)
{
	struct rv_str list = s->endpoints;

	while (list.bytes)
		if (rv_str_equal(take_endpoint(&list), endpoint))
			return true;
	return false;
}

/* --- all logins ---------------------------------------------------------------------------------------------------------------- */

static bool is_login_name(const char *name)
{
	return strlen(name) == ID_CHARS + sizeof suffix - 1 && strcmp(name + ID_CHARS, suffix) == 0;
}

/* Calls `each` for every login that can be read until it gives true. 1: it did; 0: not; -1. */
static int for_each(int dir, bool (*each)(void *arg, int dir, const struct stored *s), void *arg, struct rv_err *err)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *at;

	if (!list) {
		(void)rv_fail_errno(err, errno, "cannot read the logins");
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	while (!found && (at = readdir(list))) {
		struct stored s;

		if (!is_login_name(at->d_name))
			continue;
		if (read_stored(dir, at->d_name, &s, NULL) == 0)
			found = each(arg, dir, &s);
		rv_buf_release(&s.text);
	}
	(void)closedir(list);
	return found;
}

struct search {
	struct rv_str endpoint;
	char id[ID_CHARS + 1];
};

static bool note_if_meant(void *arg, int dir, const struct stored *s)
{
	struct search *search = arg;

	(void)dir;
	if (!has_endpoint(s, search->endpoint))
		return false;
	memcpy(search->id, s->id, sizeof search->id);
	return true;
}

static int no_login(const char *endpoint, struct rv_err *err)
{
	if (endpoint)
		(void)rv_fail(err, RV_E_NOT_FOUND, "there is no key for %s: nobody has logged in there", endpoint);
	else
		(void)rv_fail(err, RV_E_NOT_FOUND, "nobody has logged in to a coordinator");
	return rv_hint(err, "`reeve login --token-file F`, with what `reeve token create --role operator` printed there");
}

static int current_id(int dir, char out[ID_CHARS + 1])
{
	struct rv_buf text;
	int rc = -1;

	rv_buf_init(&text, 0);
	if (rv_file_read_at(dir, "current", 64, &text, NULL) == 0 && text.bytes >= ID_CHARS) {
		memcpy(out, text.at, ID_CHARS);
		out[ID_CHARS] = '\0';
		rc = 0;
	}
	rv_buf_release(&text);
	return rc;
}

static int find_in(int dir, const char *endpoint, struct cli_login *out, struct rv_err *err)
{
	struct search search = { .endpoint = rv_str_of(endpoint) };
	struct rv_str list, first;
	struct stored s;
	char file[32];
	int rc;

	if (endpoint ? for_each(dir, note_if_meant, &search, NULL) != 1 : current_id(dir, search.id) < 0)
		return no_login(endpoint, err);
	rc = read_stored(dir, search.id, &s, err);
	name_file(search.id, ".key", file);
	if (rc == 0)
		rc = net_keypair_load(dir, file, &out->own, err);
	if (rc == 0) {
		list = s.endpoints;
		first = endpoint ? rv_str_of(endpoint) : take_endpoint(&list);
		rc = net_endpoint_check(first, NET_ENDPOINT_CONNECT, err);
		if (rc == 0)
			(void)snprintf(out->endpoint, sizeof out->endpoint, "%.*s", RV_STR_ARGS(first));
		memcpy(out->server_key, s.server_key, NET_KEY_BYTES);
	}
	if (rc < 0)
		net_wipe(&out->own, sizeof out->own);
	rv_buf_release(&s.text);
	return rc;
}

int cli_login_find(const char *endpoint, struct cli_login *out, struct rv_err *err)
{
	struct rv_err why;
	int dir, rc;

	if (open_config(&dir, &why) < 0) {
		if (why.code == RV_E_NOT_FOUND)
			return no_login(endpoint, err);
		if (err)
			*err = why;
		return -1;
	}
	rc = find_in(dir, endpoint, out, err);
	(void)close(dir);
	return rc;
}

/* --- storing ------------------------------------------------------------------------------------------------------------------- */

static int own_key(const uint8_t server_key[NET_KEY_BYTES], bool renew, struct net_keypair *out, struct rv_err *err)
{
	char id[ID_CHARS + 1], file[32];
	int dir, rc;

	if (make_config(&dir, err) < 0)
		return -1;
	id_of(server_key, id);
	name_file(id, ".key", file);
	if (renew && unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		rc = rv_fail_errno(err, errno, "cannot remove the revoked key %s", file);
	else
		rc = net_keypair_keep(dir, file, out, err);
	(void)close(dir);
	return rc;
}

int cli_login_key(const uint8_t server_key[NET_KEY_BYTES], struct net_keypair *out, struct rv_err *err)
{
	return own_key(server_key, false, out, err);
}

int cli_login_new_key(const uint8_t server_key[NET_KEY_BYTES], struct net_keypair *out, struct rv_err *err)
{
	return own_key(server_key, true, out, err);
}

struct replaced {
	const struct net_token *token;
	char id[ID_CHARS + 1];
};

static bool remove_replaced(void *arg, int dir, const struct stored *s)
{
	const struct replaced *r = arg;
	char file[32];

	for (uint32_t i = 0; i < r->token->endpoint_count && strcmp(s->id, r->id) != 0; i++) {
		if (!has_endpoint(s, rv_str_of(r->token->endpoints[i])))
			continue;
		name_file(s->id, suffix, file);
		(void)unlinkat(dir, file, 0); /* left over, it is found second at worst */
		name_file(s->id, ".key", file);
		(void)unlinkat(dir, file, 0);
		break;
	}
	return false;
}

static int write_login(int dir, const struct net_token *token, const char *first, const char *id, const char *name, struct rv_err *err)
{
	char hex[NET_KEY_HEX_CHARS + 1], file[32];
	struct rv_buf text;
	int rc;

	rv_buf_init(&text, 0);
	(void)rv_buf_printf(&text, "%s %s", file_word, first);
	for (uint32_t i = 0; i < token->endpoint_count; i++)
		if (strcmp(token->endpoints[i], first) != 0)
			(void)rv_buf_printf(&text, ",%s", token->endpoints[i]);
	rv_hex(hex, token->server_key, NET_KEY_BYTES);
	(void)rv_buf_printf(&text, " %s %s\n", hex, name);
	name_file(id, suffix, file);
	rc = text.failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a login")
			 : rv_file_write_at(dir, file, rv_buf_str(&text), 0600, RV_FILE_SYNC, err);
	if (rc == 0) {
		rv_buf_reset(&text);
		(void)rv_buf_printf(&text, "%s\n", id);
		rc = rv_file_write_at(dir, "current", rv_buf_str(&text), 0600, RV_FILE_SYNC, err);
	}
	rv_buf_release(&text);
	return rc;
}

int cli_login_store(const struct net_token *token, const char *first, const char *name, struct rv_err *err)
{
	struct replaced r = { .token = token };
	int dir, rc;

	if (make_config(&dir, err) < 0)
		return -1;
	id_of(token->server_key, r.id);
	rc = write_login(dir, token, first, r.id, name, err);
	if (rc == 0)
		(void)for_each(dir, remove_replaced, &r, NULL);
	(void)close(dir);
	return rc;
}
