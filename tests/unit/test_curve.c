/* test_curve.c - keys, their files, tokens */
#include "tests/lib/test.h"

#include "common/id.h"
#include "common/net/curve.h"
#include "common/os/file.h"
#include "tests/lib/scratch.h"

#include <fcntl.h>
#include <sys/stat.h>

static void a_pair_is_made_of_its_secret(void **state)
{
	/* RFC 7748, 6.1: Alice's */
	static const char secret_hex[] = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
	struct net_keypair a, b;
	uint8_t secret[NET_KEY_BYTES];
	char hex[NET_KEY_HEX_CHARS + 1];

	(void)state;
	assert_int_equal(rv_unhex(secret, sizeof secret, rv_str_of(secret_hex)), 0);
	net_keypair_of_secret(secret, &a);
	rv_hex(hex, a.public_key, NET_KEY_BYTES);
	assert_string_equal(hex, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
	net_keypair_of_secret(a.secret_key, &b); /* clamped: stays */
	assert_memory_equal(&a, &b, sizeof a);
	assert_int_equal(a.secret_key[0] & 7, 0);
	assert_int_equal(a.secret_key[31] & 0xc0, 0x40);
	net_keypair_generate(&a);
	net_keypair_generate(&b);
	assert_memory_not_equal(a.secret_key, b.secret_key, NET_KEY_BYTES);
	net_wipe(&a, sizeof a);
	for (size_t i = 0; i < sizeof a; i++)
		assert_int_equal(((uint8_t *)&a)[i], 0);
}

/* proto/PROTOCOL.md has this one; tests/lib/attack.py computes it with Python's hashlib. */
static void the_enrolling_key_is_derived_as_written_down(void **state)
{
	struct net_token t = { .id = "0123456789" };
	struct net_keypair k;
	uint8_t hash[NET_KEY_BYTES];
	char hex[NET_KEY_HEX_CHARS + 1];

	(void)state;
	for (int i = 0; i < NET_TOKEN_SECRET_BYTES; i++)
		t.secret[i] = (uint8_t)(i + 1);
	net_token_keypair(&t, &k);
	rv_hex(hex, k.secret_key, NET_KEY_BYTES);
	assert_string_equal(hex, "a04401ae7c9994f9d0c1a1bb2d41e96675d4a3e123c381c3399ba89435678159");
	rv_hex(hex, k.public_key, NET_KEY_BYTES);
	assert_string_equal(hex, "d66f5d9512116117c5cde15c2307657e5f6c5185529f8ac38162f20b58914f29");
	net_key_hash(k.public_key, hash);
	rv_hex(hex, hash, sizeof hash);
	assert_string_equal(hex, "d437b74aa6bf98b6a0c9795dc3f45d8c569453bdb12d91ba4652a1e85934acae");
}

static void one_bit_of_secret_or_id_makes_another_key(void **state)
{
	struct net_token t, u;
	struct net_keypair a, b;

	(void)state;
	net_token_generate(&t);
	net_token_generate(&u);
	assert_string_not_equal(t.id, u.id);
	assert_memory_not_equal(t.secret, u.secret, sizeof t.secret);
	net_token_keypair(&t, &a);
	u = t;
	u.secret[31] ^= 1;
	net_token_keypair(&u, &b);
	assert_memory_not_equal(a.public_key, b.public_key, NET_KEY_BYTES);
	u = t;
	u.id[0] = u.id[0] == '0' ? '1' : '0';
	net_token_keypair(&u, &b);
	assert_memory_not_equal(a.public_key, b.public_key, NET_KEY_BYTES);
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

static void a_key_file_is_made_once_and_for_its_owner_alone(void **state)
{
	struct net_keypair a, b, c;
	struct rv_err err;
	struct stat st;

	(void)state;
	(void)umask(0);
	assert_int_equal(net_keypair_load(scratch_dir(), "key", &a, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_int_equal(net_keypair_keep(scratch_dir(), "key", &a, NULL), 0);
	assert_int_equal(stat(scratch("key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(net_keypair_keep(scratch_dir(), "key", &b, NULL), 0);
	assert_memory_equal(&a, &b, sizeof a);

	net_keypair_generate(&c);
	assert_int_equal(net_keypair_save(scratch_dir(), "key", &c, &err), -1);
	assert_int_equal(err.code, RV_E_EXISTS);
	assert_int_equal(net_keypair_load(scratch_dir(), "key", &b, NULL), 0);
	assert_memory_equal(&a, &b, sizeof a);
}

static void a_key_file_that_others_may_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0610, 0666 };
	struct net_keypair a;
	struct rv_err err;

	(void)state;
	assert_int_equal(net_keypair_keep(scratch_dir(), "key", &a, NULL), 0);
	for (size_t i = 0; i < RV_ARRAY_LEN(modes); i++) {
		assert_int_equal(chmod(scratch("key"), modes[i]), 0);
		assert_int_equal(net_keypair_load(scratch_dir(), "key", &a, &err), -1);
		assert_int_equal(err.code, RV_E_DENIED);
		assert_int_equal(net_keypair_keep(scratch_dir(), "key", &a, &err), -1);
	}
	assert_int_equal(chmod(scratch("key"), 0400), 0);
	assert_int_equal(net_keypair_load(scratch_dir(), "key", &a, NULL), 0);
}

/* Any byte changed, cut off or added: refused, and no byte of it in the error. */
static void a_damaged_key_file_is_refused_without_being_quoted(void **state)
{
	struct net_keypair a;
	struct rv_err err;
	struct rv_buf text, bad;
	char secret[NET_KEY_HEX_CHARS + 1];

	(void)state;
	rv_buf_init(&text, 0);
	rv_buf_init(&bad, 0);
	assert_int_equal(net_keypair_keep(scratch_dir(), "key", &a, NULL), 0);
	rv_hex(secret, a.secret_key, NET_KEY_BYTES);
	assert_int_equal(rv_file_read_at(scratch_dir(), "key", 4096, &text, NULL), 0);
	for (size_t i = 0; i < text.bytes + 2; i++) {
		struct net_keypair b;

		rv_buf_reset(&bad);
		(void)rv_buf_put(&bad, text.at, text.bytes);
		if (i < text.bytes)
			bad.at[i] = bad.at[i] == '0' ? '1' : '0';
		else if (i == text.bytes)
			bad.bytes--;
		else
			(void)rv_buf_putc(&bad, 'x');
		assert_int_equal(rv_file_write_at(scratch_dir(), "bad", rv_buf_str(&bad), 0600, RV_FILE_NOSYNC, NULL), 0);
		/* the three bits that clamping sets are no part of the secret */
		if (net_keypair_load(scratch_dir(), "bad", &b, &err) == 0) {
			assert_memory_equal(&a, &b, sizeof a);
			continue;
		}
		assert_int_equal(err.code, RV_E_CORRUPT);
		assert_null(strstr(err.msg, secret));
		assert_null(strstr(err.hint, secret));
	}
	rv_buf_release(&text);
	rv_buf_release(&bad);
}

static void a_link_is_no_key_file(void **state)
{
	struct net_keypair a;
	struct rv_err err;

	(void)state;
	assert_int_equal(net_keypair_keep(scratch_dir(), "key", &a, NULL), 0);
	assert_int_equal(symlink("key", scratch("link")), 0);
	assert_int_equal(net_keypair_load(scratch_dir(), "link", &a, &err), -1);
	assert_int_not_equal(err.code, RV_E_NOT_FOUND); /* else keep() would go on to make one */
}

/* --- tokens ---------------------------------------------------------------------------------------------------------------- */

#define KEY64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SECRET64 "c0ffee0000000000000000000000000000000000000000000000000000c0ffee"

static void a_token_is_one_line_there_and_back(void **state)
{
	struct net_token t, u;
	struct rv_buf line;

	(void)state;
	rv_buf_init(&line, 0);
	net_token_generate(&t);
	t.endpoint_count = 2;
	(void)snprintf(t.endpoints[0], sizeof t.endpoints[0], "tcp://10.0.0.1:7700");
	(void)snprintf(t.endpoints[1], sizeof t.endpoints[1], "tcp://[fe80::1]:7700");
	memset(t.server_key, 7, sizeof t.server_key);
	assert_int_equal(net_token_format(&t, &line, NULL), 0);
	assert_null(strchr(line.at, '\n'));
	assert_int_equal(net_token_parse(rv_buf_str(&line), &u, NULL), 0);
	assert_memory_equal(&t, &u, sizeof t);

	(void)rv_buf_puts(&line, " \r\n\n");
	assert_int_equal(net_token_parse(rv_buf_str(&line), &u, NULL), 0);
	rv_buf_release(&line);
}

static void each_wrong_field_is_named_and_never_quoted(void **state)
{
	static const struct {
		const char *line, *says;
		enum rv_code code;
	} cases[] = {
		{ "", "there is none", RV_E_USAGE },
		{ " \n", "there is none", RV_E_USAGE },
		{ SECRET64, "does not begin", RV_E_USAGE },
		{ "reeve-token-2 tcp://h:1 " KEY64 " 0123456789 " SECRET64, "version", RV_E_VERSION },
		{ "reeve-token-1", "missing", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 " KEY64 " 0123456789", "missing", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 " KEY64 " 0123456789 " SECRET64 " x", "behind", RV_E_USAGE },
		{ "reeve-token-1 h:1 " KEY64 " 0123456789 " SECRET64, "endpoint", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1, " KEY64 " 0123456789 " SECRET64, "endpoint", RV_E_USAGE },
		{ "reeve-token-1 ,tcp://h:1 " KEY64 " 0123456789 " SECRET64, "endpoint", RV_E_USAGE },
		{ "reeve-token-1 tcp://*:1 " KEY64 " 0123456789 " SECRET64, "endpoint", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 0" KEY64 " 0123456789 " SECRET64, "server key", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 x123 0123456789 " SECRET64, "server key", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 " KEY64 " 012345678 " SECRET64, "the id", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 " KEY64 " 012345678L " SECRET64, "the id", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 " KEY64 " 0123456789 " SECRET64 "0", "the secret", RV_E_USAGE },
		{ "reeve-token-1 tcp://h:1 " KEY64 " 0123456789 c0ffee", "the secret", RV_E_USAGE },
		{ "reeve-token-1 tcp://a:1,tcp://a:1,tcp://a:1,tcp://a:1,tcp://a:1,tcp://a:1,tcp://a:1,tcp://a:1,tcp://a:1 " KEY64 " 0123456789 " SECRET64,
		  "more endpoints", RV_E_USAGE },
	};
	struct net_token t, before;

	(void)state;
	memset(&t, 0x5a, sizeof t);
	before = t;
	for (size_t i = 0; i < RV_ARRAY_LEN(cases); i++) {
		struct rv_err err;

		assert_int_equal(net_token_parse(rv_str_of(cases[i].line), &t, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.msg, cases[i].says);
		assert_null(strstr(err.msg, "c0ffee"));
		assert_null(strstr(err.hint, "c0ffee"));
		assert_memory_equal(&t, &before, sizeof t);
	}
}

static void a_line_that_is_too_long_or_holds_nul_is_refused(void **state)
{
	static char line[NET_TOKEN_LINE_BYTES_MAX + 2];
	static const char nul[] = "reeve-token-1 tcp://h:1 " KEY64 " 012345\000789 " SECRET64;
	struct net_token t;

	(void)state;
	memset(line, ' ', sizeof line);
	assert_int_equal(net_token_parse(rv_str(line, sizeof line), &t, NULL), -1);
	assert_int_equal(net_token_parse(rv_str(nul, sizeof nul - 1), &t, NULL), -1);
}

static void a_token_file_that_others_may_read_is_refused(void **state)
{
	struct net_token t;
	struct rv_err err;

	(void)state;
	scratch_write("token", "reeve-token-1 tcp://h:1 " KEY64 " 0123456789 " SECRET64 "\n");
	assert_int_equal(chmod(scratch("token"), 0600), 0);
	assert_int_equal(net_token_read(scratch("token"), &t, NULL), 0);
	assert_string_equal(t.id, "0123456789");
	assert_int_equal(chmod(scratch("token"), 0644), 0);
	assert_int_equal(net_token_read(scratch("token"), &t, &err), -1);
	assert_int_equal(err.code, RV_E_DENIED);
	assert_int_equal(net_token_read(scratch("none"), &t, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_made_of_its_secret),
		cmocka_unit_test(the_enrolling_key_is_derived_as_written_down),
		cmocka_unit_test(one_bit_of_secret_or_id_makes_another_key),
		cmocka_unit_test_setup_teardown(a_key_file_is_made_once_and_for_its_owner_alone, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_key_file_that_others_may_read_is_refused, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_damaged_key_file_is_refused_without_being_quoted, scratch_make, scratch_drop),
		cmocka_unit_test_setup_teardown(a_link_is_no_key_file, scratch_make, scratch_drop),
		cmocka_unit_test(a_token_is_one_line_there_and_back),
		cmocka_unit_test(each_wrong_field_is_named_and_never_quoted),
		cmocka_unit_test(a_line_that_is_too_long_or_holds_nul_is_refused),
		cmocka_unit_test_setup_teardown(a_token_file_that_others_may_read_is_refused, scratch_make, scratch_drop),
	};

	return RUN(tests);
}
