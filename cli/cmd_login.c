/* cmd_login.c - `reeve login`: a person's key is admitted by a token, and kept with where the coordinator is */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/login.h"
#include "common/id.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

struct login {
	const char *token_file, *name;
	bool help;
	char name_made[RV_NAME_BYTES_MAX + 1];
	struct net_token token;
	struct net_keypair enrolling, own;
	char endpoint[NET_ENDPOINT_BYTES_MAX + 1]; /* the one that answered */
	char admitted_as[RV_NAME_BYTES_MAX + 1];
};

/* USER-HOST, of what a name may hold. */
static void make_name(struct login *l)
{
	const struct passwd *user = getpwuid(geteuid());
	char host[64] = "", text[160];
	size_t n = 0;

	(void)gethostname(host, sizeof host - 1);
	(void)snprintf(text, sizeof text, "%s-%s", user ? user->pw_name : "user", host);
	for (const char *c = text; *c && n < RV_NAME_BYTES_MAX; c++)
		l->name_made[n++] = rv_name_valid(rv_str(c, 1)) ? *c : '-';
	l->name_made[n] = '\0';
	l->name = l->name_made;
}

/* One endpoint after another until one answers; an answer that says no is the answer. */
static int enrol(struct login *l, struct rv_err *err)
{
	struct proto_msg request = { .kind = PROTO_ENROL }, answer;
	struct cli_client *c = NULL;
	int rc = -1;

	for (uint32_t i = 0; i < l->token.endpoint_count && rc < 0; i++) {
		if (cli_client_open_keys(&c, l->token.endpoints[i], l->token.server_key, &l->enrolling, err) < 0)
			return -1;
		request.enrol.name = rv_str_of(l->name);
		request.enrol.role = PROTO_ROLE_OPERATOR;
		memcpy(request.enrol.key, l->own.public_key, PROTO_KEY_BYTES);
		rc = cli_client_call(c, &request, PROTO_ENROLLED, &answer, err);
		if (rc == 0) {
			(void)snprintf(l->endpoint, sizeof l->endpoint, "%s", l->token.endpoints[i]);
			(void)snprintf(l->admitted_as, sizeof l->admitted_as, "%.*s", RV_STR_ARGS(answer.enrolled.name));
			if (answer.enrolled.role != PROTO_ROLE_OPERATOR)
				rc = rv_fail(err, RV_E_CORRUPT, "the coordinator lets this key in as something else than an operator");
		}
		cli_client_close(&c);
		if (rc < 0 && err->code != RV_E_UNREACHABLE)
			break;
	}
	return rc;
}

/* Whatever the handshake's or ENROL's reason was: whoever tries learns no more than this. */
static int refused(struct rv_err *err)
{
	(void)rv_fail(err, RV_E_DENIED, "%s", NET_TOKEN_REFUSED);
	return rv_hint(err, "`reeve token create --role operator` on the coordinator's host makes another");
}

static int log_in(struct login *l, struct rv_err *err)
{
	int rc;

	if (net_token_read(l->token_file, &l->token, err) < 0)
		return -1;
	net_token_keypair(&l->token, &l->enrolling);
	if (cli_login_key(l->token.server_key, &l->own, err) < 0)
		return -1;
	rc = enrol(l, err);
	if (rc < 0 && err->code == RV_E_STALE) { /* the key from an earlier login was revoked */
		if (cli_login_new_key(l->token.server_key, &l->own, err) < 0)
			return -1;
		rc = enrol(l, err);
	}
	if (rc < 0)
		return err->code == RV_E_DENIED ? refused(err) : -1;
	return cli_login_store(&l->token, l->endpoint, l->admitted_as, err);
}

int cli_cmd_login(int argc, char **argv)
{
	struct login l = { .token_file = NULL };
	const struct rv_opt table[] = {
		{ "token-file", 0, RV_OPT_STRING, &l.token_file, "FILE", "what `reeve token create --role operator` printed; - is standard input", 0, 0 },
		{ "name", 0, RV_OPT_STRING, &l.name, "NAME", "what `reeve key list` calls this key (default USER-HOST)", 0, 0 },
		CLI_OPT_NO_FORMAT("it answers nothing but its exit status"),
		CLI_OPT_HELP(&l.help),
		CLI_OPT_END,
	};
	struct rv_err err;
	int words = 0, rc;

	if (rv_opts_parse(table, argc, argv, &words, NULL, &err))
		return cli_fail(&err);
	if (l.help)
		return cli_usage("login", "--token-file FILE",
				 "Remember a coordinator: makes a key, has the token admit it, and keeps both where later commands find them\n"
				 "($XDG_CONFIG_HOME/reeve, else ~/.config/reeve).",
				 table);
	if (words)
		return cli_failf(RV_E_USAGE, "`reeve login` takes no words, but was given \"%.64s\"", argv[0]);
	if (!l.token_file) {
		(void)rv_fail(&err, RV_E_USAGE, "`reeve login` needs --token-file");
		(void)rv_hint(&err, "`reeve token create --role operator` on the coordinator's host prints a token; --token-file - reads it from standard input");
		return cli_fail(&err);
	}
	if (!l.name)
		make_name(&l);
	else if (!rv_name_valid(rv_str_of(l.name)))
		return cli_failf(RV_E_USAGE, "a name has 1 to %u of letters, digits, '.', '_' and '-'", RV_NAME_BYTES_MAX);
	rc = log_in(&l, &err);
	net_wipe(&l.token, sizeof l.token);
	net_wipe(&l.enrolling, sizeof l.enrolling);
	net_wipe(&l.own, sizeof l.own);
	if (rc < 0)
		return cli_fail(&err);
	cli_say("logged in to %s as %s", l.endpoint, l.admitted_as);
	return CLI_OK;
}
