/* admit.c - tokens, enrolment, revocation: decided by coordinator/access, journaled, answered once durable (clients.h) */
#include "private.h"

#include "coordinator/access.h"

static bool has_access(struct coord_clients *c, struct asker from)
{
	struct rv_err err;

	if (c->cfg.access && c->server_key)
		return true;
	(void)rv_fail(&err, RV_E_CONFLICT, "this coordinator listens on no tcp address, so nobody needs a key");
	(void)rv_hint(&err, "start it with --listen tcp://...");
	clients_refuse(c, from, &err);
	return false;
}

void clients_record(struct coord_clients *c, const struct coord_access_verdict *v, uint64_t real_us)
{
	for (uint32_t i = 0; i < v->fact_count; i++)
		coord_shell_record(c->shell, &v->facts[i], real_us);
}

void admit_token_create(struct coord_clients *c, uint64_t peer, const struct proto_token_create *m, uint64_t real_us)
{
	struct asker from = { peer, m->request };
	struct proto_msg answer = { .kind = PROTO_TOKEN_CREATED };
	struct rv_str endpoints[PROTO_ENDPOINTS_MAX];
	struct coord_access_verdict v;
	struct rv_err err = { 0 };

	if (!has_access(c, from))
		return;
	if (coord_access_token_create(c->cfg.access, m, real_us, &v, &err) < 0) {
		clients_refuse(c, from, &err);
		return;
	}
	clients_record(c, &v, real_us);
	answer.token_created.request = m->request;
	memcpy(answer.token_created.server_key, c->server_key, PROTO_KEY_BYTES);
	answer.token_created.cluster = coord_shell_cluster(c->shell);
	answer.token_created.endpoints = endpoints;
	for (uint32_t i = 0; i < c->endpoint_count && i < PROTO_ENDPOINTS_MAX; i++)
		endpoints[answer.token_created.endpoint_count++] = rv_str_of(c->endpoints[i]);
	coord_shell_say(c->shell, peer, &answer, COORD_SAY_AFTER_FACTS);
}

void admit_revoke(struct coord_clients *c, uint64_t peer, const struct proto_revoke *m, uint64_t real_us)
{
	struct asker from = { peer, m->request };
	struct proto_msg answer = { .kind = PROTO_DONE };
	struct coord_access_verdict v;
	struct rv_err err = { 0 };

	if (!has_access(c, from))
		return;
	if (coord_access_revoke(c->cfg.access, m, &v, &err) < 0) {
		clients_refuse(c, from, &err);
		return;
	}
	clients_record(c, &v, real_us);
	answer.done = (struct proto_done){ .request = m->request, .done_before = v.fact_count == 0, .changed = v.fact_count > 0 };
	coord_shell_say(c->shell, peer, &answer, COORD_SAY_AFTER_FACTS);
}

void admit_enrol(struct coord_clients *c, uint64_t peer, const struct coord_peer_identity *who, const struct proto_enrol *m, uint64_t real_us)
{
	struct asker from = { peer, m->request };
	struct proto_msg answer = { .kind = PROTO_ENROLLED };
	struct coord_access_verdict v;
	struct rv_err err = { 0 };

	if (!has_access(c, from))
		return;
	if (coord_access_enrol(c->cfg.access, who->key, m, real_us, &v, &answer.enrolled, &err) < 0) {
		clients_refuse(c, from, &err);
		return;
	}
	clients_record(c, &v, real_us);
	answer.enrolled.request = m->request;
	answer.enrolled.cluster = coord_shell_cluster(c->shell);
	coord_shell_say(c->shell, peer, &answer, COORD_SAY_AFTER_FACTS);
}
