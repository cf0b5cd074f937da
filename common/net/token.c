/* token.c - tokens: their line, their key (curve.h) */
#include "common/net/bus.h"
#include "common/net/curve.h"

#include "common/id.h"
#include "common/os/file.h"
#include "common/os/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

/* 16 bytes of BLAKE2b's personalisation: what this hash is for. */
static const uint8_t person[crypto_generichash_blake2b_PERSONALBYTES] = "reeve-enrol-v1";

_Static_assert(sizeof person == 16 && crypto_generichash_blake2b_SALTBYTES == 16, "BLAKE2b parameters");
_Static_assert(NET_TOKEN_SECRET_BYTES <= crypto_generichash_blake2b_KEYBYTES_MAX, "BLAKE2b key");

static const char line_word[] = "reeve-token-1";
static const char line_form[] = "a token is one line: reeve-token-1 ENDPOINT[,ENDPOINT...] SERVERKEY ID SECRET, as `reeve token create` prints it";

/* Crockford's base 32, as run ids: no letter that could be taken for another. */
static const char id_chars[] = "0123456789abcdefghjkmnpqrstvwxyz";

void net_token_generate(struct net_token *out)
{
	uint8_t random[NET_TOKEN_ID_CHARS];

	memset(out, 0, sizeof *out);
	rv_random(random, sizeof random);
	for (int i = 0; i < NET_TOKEN_ID_CHARS; i++)
		out->id[i] = id_chars[random[i] % 32];
	rv_random(out->secret, sizeof out->secret);
}

void net_token_keypair(const struct net_token *t, struct net_keypair *out)
{
	static const uint8_t salt[crypto_generichash_blake2b_SALTBYTES];
	uint8_t secret[NET_KEY_BYTES];

	/* fails only for lengths it does not know */
	(void)crypto_generichash_blake2b_salt_personal(secret, sizeof secret, (const uint8_t *)t->id, strlen(t->id), t->secret, sizeof t->secret, salt,
						       person);
	net_keypair_of_secret(secret, out);
	net_wipe(secret, sizeof secret);
}

int net_token_format(const struct net_token *t, struct rv_buf *out, struct rv_err *err)
{
	char hex[NET_KEY_HEX_CHARS + 1];

	(void)rv_buf_puts(out, line_word);
	for (uint32_t i = 0; i < t->endpoint_count; i++) {
		(void)rv_buf_putc(out, i ? ',' : ' ');
		(void)rv_buf_puts(out, t->endpoints[i]);
	}
	rv_hex(hex, t->server_key, NET_KEY_BYTES);
	(void)rv_buf_printf(out, " %s %s ", hex, t->id);
	rv_hex(hex, t->secret, NET_TOKEN_SECRET_BYTES);
	(void)rv_buf_puts(out, hex);
	net_wipe(hex, sizeof hex);
	return out->failed ? rv_fail(err, RV_E_NO_MEMORY, "no memory for a token's line") : 0;
}

/* --- reading ---------------------------------------------------------------------------------------------------------------- */

static int refuse(struct rv_err *err, const char *what)
{
	(void)rv_fail(err, RV_E_USAGE, "the token is not valid: %s", what);
	return rv_hint(err, "%s", line_form);
}

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word; "" at the end. */
static struct rv_str take_word(struct rv_str *line)
{
	struct rv_str word;

	while (line->bytes > 0 && blank(*line->at)) {
		line->at++;
		line->bytes--;
	}
	word = rv_str(line->at, 0);
	while (line->bytes > 0 && !blank(*line->at)) {
		line->at++;
		line->bytes--;
		word.bytes++;
	}
	return word;
}

/* Endpoints are no secret: their error may quote them, but only once the whole line has the form of a token. */
static int take_endpoints(struct rv_str list, struct net_token *t, struct rv_err *err)
{
	while (list.bytes > 0 || t->endpoint_count == 0) {
		const char *comma = list.bytes ? memchr(list.at, ',', list.bytes) : NULL;
		struct rv_str one = rv_str(list.at, comma ? (size_t)(comma - list.at) : list.bytes);

		if (t->endpoint_count == NET_TOKEN_ENDPOINTS_MAX)
			return refuse(err, "more endpoints than 8");
		if (net_endpoint_check(one, NET_ENDPOINT_CONNECT, NULL) < 0)
			return refuse(err, "an endpoint is not tcp://HOST:PORT");
		memcpy(t->endpoints[t->endpoint_count], one.at, one.bytes);
		t->endpoints[t->endpoint_count++][one.bytes] = '\0';
		list.at += one.bytes + (comma ? 1 : 0);
		list.bytes -= one.bytes + (comma ? 1 : 0);
		if (comma && !list.bytes)
			return refuse(err, "an endpoint is not tcp://HOST:PORT");
	}
	return 0;
}

static bool id_valid(struct rv_str id)
{
	for (size_t i = 0; i < id.bytes; i++)
		if (!id.at[i] || !strchr(id_chars, id.at[i]))
			return false;
	return id.bytes == NET_TOKEN_ID_CHARS;
}

int net_token_parse(struct rv_str line, struct net_token *out, struct rv_err *err)
{
	struct rv_str word, endpoints, server, id, secret;
	struct net_token t = { .endpoint_count = 0 };
	int rc;

	if (line.bytes > NET_TOKEN_LINE_BYTES_MAX)
		return refuse(err, "it is longer than 4096 bytes");
	word = take_word(&line);
	endpoints = take_word(&line);
	server = take_word(&line);
	id = take_word(&line);
	secret = take_word(&line);
	if (!word.bytes)
		return refuse(err, "there is none");
	if (!rv_str_equal(word, RV_STR("reeve-token-1"))) {
		if (word.bytes > 12 && memcmp(word.at, line_word, 12) == 0)
			return rv_fail(err, RV_E_VERSION, "the token is of a version that this reeve does not know");
		return refuse(err, "it does not begin with reeve-token-1");
	}
	if (!secret.bytes)
		return refuse(err, "fields are missing");
	if (take_word(&line).bytes)
		return refuse(err, "there is something behind its five fields");
	if (rv_unhex(t.server_key, NET_KEY_BYTES, server) < 0)
		return refuse(err, "the third field, the server key, is not 64 hex digits");
	if (!id_valid(id))
		return refuse(err, "the fourth field, the id, is not 10 characters of base 32");
	memcpy(t.id, id.at, id.bytes);
	if (rv_unhex(t.secret, NET_TOKEN_SECRET_BYTES, secret) < 0)
		return refuse(err, "the fifth field, the secret, is not 64 hex digits");
	rc = take_endpoints(endpoints, &t, err);
	if (rc == 0)
		*out = t;
	net_wipe(&t, sizeof t);
	return rc;
}

int net_token_read(const char *path, struct net_token *out, struct rv_err *err)
{
	bool standard = strcmp(path, "-") == 0;
	const char *name = standard ? "standard input" : path;
	struct rv_buf line;
	int fd = 0, rc = 0;

	if (!standard) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return rv_fail_errno(err, errno, "cannot read token file %s", path);
		rc = net_secret_file_check(fd, path, err);
	}
	rv_buf_init(&line, 0);
	if (rc == 0)
		rc = rv_file_read_fd(fd, name, NET_TOKEN_LINE_BYTES_MAX, &line, err);
	if (rc == 0)
		rc = net_token_parse(rv_buf_str(&line), out, err);
	net_wipe(line.at, line.capacity);
	rv_buf_release(&line);
	if (!standard)
		(void)close(fd);
	return rc;
}
