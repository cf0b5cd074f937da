/* test_cli_login.c - the coordinators that a person has logged in to */
#include "tests/lib/test.h"

#include "cli/login.h"
#include "common/net/curve.h"
#include "tests/lib/scratch.h"

#include <sys/stat.h>

static int home(void **state)
{
	if (scratch_make(state))
		return -1;
	(void)setenv("HOME", scratch_path(), 1);
	(void)unsetenv("XDG_CONFIG_HOME");
	return 0;
}

static struct net_token token_of(uint8_t server, const char *first, const char *second)
{
	struct net_token t;

	net_token_generate(&t);
	memset(t.server_key, server, sizeof t.server_key);
	t.endpoint_count = second ? 2 : 1;
	(void)snprintf(t.endpoints[0], sizeof t.endpoints[0], "%s", first);
	if (second)
		(void)snprintf(t.endpoints[1], sizeof t.endpoints[1], "%s", second);
	return t;
}

static void nothing_is_found_where_nobody_logged_in(void **state)
{
	struct cli_login l;
	struct rv_err err;

	(void)state;
	assert_int_equal(cli_login_find(NULL, &l, &err), -1);
	assert_int_equal(err.code, RV_E_NOT_FOUND);
	assert_true(err.hint[0]);
	assert_int_equal(cli_login_find("tcp://h:1", &l, &err), -1);
	assert_non_null(strstr(err.msg, "tcp://h:1"));
	assert_false(scratch_has(".config")); /* asking makes nothing */
}

static void a_login_is_found_by_each_of_its_endpoints_and_as_the_last_one(void **state)
{
	struct net_token a = token_of(1, "tcp://a:1", "tcp://b:1"), c = token_of(2, "tcp://c:1", NULL);
	struct net_keypair own_a, own_c, again;
	struct cli_login l;
	struct stat st;

	(void)state;
	assert_int_equal(cli_login_key(a.server_key, &own_a, NULL), 0);
	assert_int_equal(cli_login_key(c.server_key, &own_c, NULL), 0);
	assert_memory_not_equal(&own_a, &own_c, sizeof own_a);
	assert_int_equal(cli_login_key(a.server_key, &again, NULL), 0);
	assert_memory_equal(&own_a, &again, sizeof again);
	assert_int_equal(cli_login_find("tcp://a:1", &l, NULL), -1); /* not admitted yet */

	assert_int_equal(cli_login_store(&a, "tcp://b:1", "ann", NULL), 0);
	assert_int_equal(cli_login_find(NULL, &l, NULL), 0);
	assert_string_equal(l.endpoint, "tcp://b:1"); /* the one that answered */
	assert_memory_equal(&l.own, &own_a, sizeof own_a);
	assert_memory_equal(l.server_key, a.server_key, NET_KEY_BYTES);
	assert_int_equal(cli_login_find("tcp://a:1", &l, NULL), 0);
	assert_string_equal(l.endpoint, "tcp://a:1");

	assert_int_equal(cli_login_store(&c, "tcp://c:1", "ann", NULL), 0);
	assert_int_equal(cli_login_find(NULL, &l, NULL), 0);
	assert_string_equal(l.endpoint, "tcp://c:1");
	assert_memory_equal(&l.own, &own_c, sizeof own_c);
	assert_int_equal(cli_login_find("tcp://a:1", &l, NULL), 0);
	assert_memory_equal(&l.own, &own_a, sizeof own_a);
	assert_int_equal(cli_login_find("tcp://a:2", &l, NULL), -1);

	assert_int_equal(stat(scratch(".config/reeve"), &st), 0);
	assert_int_equal(st.st_mode & 077, 0);
}

/* A coordinator that was set up anew at the same address has another server key: the old login is no use there. */
static void a_new_coordinator_at_an_old_endpoint_takes_its_place(void **state)
{
	struct net_token old = token_of(1, "tcp://a:1", NULL), new = token_of(2, "tcp://a:1", NULL);
	struct net_keypair k;
	struct cli_login l;

	(void)state;
	assert_int_equal(cli_login_key(old.server_key, &k, NULL), 0);
	assert_int_equal(cli_login_store(&old, "tcp://a:1", "ann", NULL), 0);
	assert_int_equal(cli_login_key(new.server_key, &k, NULL), 0);
	assert_int_equal(cli_login_store(&new, "tcp://a:1", "ann", NULL), 0);
	assert_int_equal(cli_login_find("tcp://a:1", &l, NULL), 0);
	assert_memory_equal(l.server_key, new.server_key, NET_KEY_BYTES);
	assert_memory_equal(&l.own, &k, sizeof k);
}

static void a_key_that_others_may_read_is_refused(void **state)
{
	struct net_token t = token_of(1, "tcp://a:1", NULL);
	struct net_keypair k;
	struct cli_login l;
	struct rv_err err;
	char command[512];

	(void)state;
	(void)setenv("XDG_CONFIG_HOME", scratch("xdg"), 1);
	assert_int_equal(cli_login_key(t.server_key, &k, NULL), 0);
	assert_int_equal(cli_login_store(&t, "tcp://a:1", "ann", NULL), 0);
	assert_true(scratch_has("xdg/reeve/current"));
	assert_int_equal(cli_login_find(NULL, &l, NULL), 0);
	(void)snprintf(command, sizeof command, "chmod 644 %s/reeve/*.key", scratch("xdg"));
	assert_int_equal(system(command), 0);
	assert_int_equal(cli_login_find(NULL, &l, &err), -1);
	assert_int_equal(err.code, RV_E_DENIED);
	(void)unsetenv("XDG_CONFIG_HOME");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_found_where_nobody_logged_in, home, scratch_drop),
		cmocka_unit_test_setup_teardown(a_login_is_found_by_each_of_its_endpoints_and_as_the_last_one, home, scratch_drop),
		cmocka_unit_test_setup_teardown(a_new_coordinator_at_an_old_endpoint_takes_its_place, home, scratch_drop),
		cmocka_unit_test_setup_teardown(a_key_that_others_may_read_is_refused, home, scratch_drop),
	};

	return RUN(tests);
}
