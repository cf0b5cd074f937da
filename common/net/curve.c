/* curve.c - key pairs and their files (curve.h) */
#include "common/net/curve.h"

#include "common/id.h"
#include "common/os/file.h"
#include "common/os/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

_Static_assert(NET_KEY_BYTES == crypto_scalarmult_BYTES && NET_KEY_BYTES == crypto_scalarmult_SCALARBYTES, "Curve25519");
_Static_assert(NET_KEY_BYTES == RV_DIGEST_BYTES, "a key's hash is a digest");

/* "reeve-key-1 PUBLIC SECRET\n" */
static const char file_word[] = "reeve-key-1";

enum { KEY_FILE_BYTES = sizeof file_word - 1 + 2 * (1 + NET_KEY_HEX_CHARS) + 1 };

void net_wipe(void *secret, size_t bytes)
{
	sodium_memzero(secret, bytes);
}

void net_keypair_of_secret(const uint8_t secret[NET_KEY_BYTES], struct net_keypair *out)
{
	memmove(out->secret_key, secret, NET_KEY_BYTES);
	out->secret_key[0] &= 248;
	out->secret_key[31] &= 127;
	out->secret_key[31] |= 64;
	(void)crypto_scalarmult_base(out->public_key, out->secret_key); /* cannot fail for a clamped scalar */
}

void net_keypair_generate(struct net_keypair *out)
{
	uint8_t secret[NET_KEY_BYTES];

	rv_random(secret, sizeof secret);
	net_keypair_of_secret(secret, out);
	net_wipe(secret, sizeof secret);
}

void net_key_hash(const uint8_t public_key[NET_KEY_BYTES], uint8_t out[NET_KEY_BYTES])
{
	rv_digest(rv_str((const char *)public_key, NET_KEY_BYTES), out);
}

/* --- files ----------------------------------------------------------------------------------------------------------------- */

static void write_text(const struct net_keypair *k, char text[KEY_FILE_BYTES + 1])
{
	char *at = text;

	memcpy(at, file_word, sizeof file_word - 1);
	at += sizeof file_word - 1;
	*at++ = ' ';
	rv_hex(at, k->public_key, NET_KEY_BYTES);
	at += NET_KEY_HEX_CHARS;
	*at++ = ' ';
	rv_hex(at, k->secret_key, NET_KEY_BYTES);
	at += NET_KEY_HEX_CHARS;
	*at++ = '\n';
	*at = '\0';
}

/* The pair, if the text is one and its halves belong together. */
static int read_text(struct rv_str text, struct net_keypair *out)
{
	const size_t word = sizeof file_word - 1;
	struct net_keypair found;
	const char *at = text.at;
	int rc = -1;

	if (text.bytes != KEY_FILE_BYTES || memcmp(at, file_word, word) != 0 || at[word] != ' ' || at[word + 1 + NET_KEY_HEX_CHARS] != ' ' ||
	    at[text.bytes - 1] != '\n')
		return -1;
	if (rv_unhex(found.secret_key, NET_KEY_BYTES, rv_str(at + word + 2 + NET_KEY_HEX_CHARS, NET_KEY_HEX_CHARS)) == 0) {
		uint8_t public_key[NET_KEY_BYTES];

		net_keypair_of_secret(found.secret_key, &found);
		if (rv_unhex(public_key, NET_KEY_BYTES, rv_str(at + word + 1, NET_KEY_HEX_CHARS)) == 0 &&
		    memcmp(public_key, found.public_key, NET_KEY_BYTES) == 0) {
			*out = found;
			rc = 0;
		}
	}
	net_wipe(&found, sizeof found);
	return rc;
}

int net_keypair_save(int dir, const char *name, const struct net_keypair *k, struct rv_err *err)
{
	char text[KEY_FILE_BYTES + 1], temporary[64];
	uint64_t salt;
	int fd, rc;

	rv_random(&salt, sizeof salt);
	(void)snprintf(temporary, sizeof temporary, ".key-%016llx.tmp", (unsigned long long)salt);
	if (rv_file_open_at(dir, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err) < 0)
		return -1;
	write_text(k, text);
	rc = rv_file_put(fd, name, rv_str(text, KEY_FILE_BYTES), err);
	net_wipe(text, sizeof text);
	if (rc == 0 && fsync(fd) < 0)
		rc = rv_fail_errno(err, errno, "cannot write key file %s", name);
	if (close(fd) < 0 && rc == 0)
		rc = rv_fail_errno(err, errno, "cannot write key file %s", name);
	/* a link, not a rename: a key that is there already stays */
	if (rc == 0 && linkat(dir, temporary, dir, name, 0) < 0)
		rc = rv_fail_errno(err, errno, "cannot write key file %s", name);
	if (unlinkat(dir, temporary, 0) < 0 && rc == 0)
		rc = rv_fail_errno(err, errno, "cannot remove %s", temporary);
	if (rc == 0 && fsync(dir) < 0)
		rc = rv_fail_errno(err, errno, "cannot write key file %s", name);
	return rc;
}

/* Secrets of containers are mounted so: their mode is not ours to change, and nobody else is in there. */
static bool on_read_only_mount(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY);
}

int net_secret_file_check(int fd, const char *name, struct rv_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return rv_fail_errno(err, errno, "cannot read %s", name);
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		(void)rv_fail(err, RV_E_DENIED, "%s holds a secret and belongs to somebody else (uid %u)", name, st.st_uid);
		return rv_hint(err, "chown it to uid %u", geteuid());
	}
	if (S_ISREG(st.st_mode) && (st.st_mode & 077) && !on_read_only_mount(fd)) {
		(void)rv_fail(err, RV_E_DENIED, "%s holds a secret and is open to others (mode %04o)", name, st.st_mode & 07777);
		return rv_hint(err, "`chmod 600 %s`", name);
	}
	return 0;
}

int net_keypair_load(int dir, const char *name, struct net_keypair *out, struct rv_err *err)
{
	struct rv_buf text;
	int fd, rc;

	if (rv_file_open_at(dir, name, O_RDONLY, 0, &fd, err) < 0)
		return -1;
	rv_buf_init(&text, 0);
	rc = net_secret_file_check(fd, name, err);
	if (rc == 0)
		rc = rv_file_read_fd(fd, name, 4096, &text, err);
	if (rc == 0 && read_text(rv_buf_str(&text), out) < 0)
		rc = rv_fail(err, RV_E_CORRUPT, "%s is not a key file of reeve", name);
	net_wipe(text.at, text.capacity);
	rv_buf_release(&text);
	(void)close(fd);
	return rc;
}

int net_keypair_keep(int dir, const char *name, struct net_keypair *out, struct rv_err *err)
{
	struct rv_err why;

	if (net_keypair_load(dir, name, out, &why) == 0)
		return 0;
	if (why.code != RV_E_NOT_FOUND) {
		if (err)
			*err = why;
		return -1;
	}
	net_keypair_generate(out);
	if (net_keypair_save(dir, name, out, &why) == 0)
		return 0;
	if (why.code == RV_E_EXISTS) /* somebody was quicker: his counts */
		return net_keypair_load(dir, name, out, err);
	net_wipe(out, sizeof *out);
	if (err)
		*err = why;
	return -1;
}
