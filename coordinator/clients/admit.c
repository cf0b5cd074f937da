/* admit.c - tokens, enrolment, revocation: decided by coordinator/access, journaled, answered once durable (clients.h) */
#include "private.h"

#include "common/map.h"
#include "common/os/keys.h"
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
	(void)coord_shell_say(c->shell, peer, &answer, COORD_SAY_AFTER_FACTS);
}

/* A node whose key is gone is removed, so that what it holds runs elsewhere at once. The act is known by the REVOKE's own id. */
static void remove_node(struct coord_clients *c, const struct proto_fact *key, uint64_t id, uint64_t now_us, uint64_t real_us)
{
	const struct coord *core = coord_shell_core(c->shell);
	struct proto_fact f = { .kind = PROTO_FACT_MUTATION };
	uint8_t revoked[RV_DIGEST_BYTES], hash[RV_DIGEST_BYTES];

	rv_digest(rv_str((const char *)key->key.key, sizeof key->key.key), revoked);
	f.mutation.what = PROTO_MUT_REMOVE;
	f.mutation.unit = RV_MAP_NONE;
	f.mutation.request = id;
	for (uint32_t i = 0; i < coord_node_count(core); i++) {
		struct coord_node_view view;

		coord_node_key(core, i, hash);
		coord_node_view(core, i, &view);
		if (memcmp(hash, revoked, sizeof hash) != 0 || view.standing == COORD_NODE_REMOVED)
			continue;
		f.mutation.node = i;
		(void)coord_shell_mutate(c->shell, &f, 0, now_us, real_us, NULL); /* refused only if there is no such node */
		return;
	}
}

void admit_revoke(struct coord_clients *c, uint64_t peer, const struct proto_revoke *m, uint64_t now_us, uint64_t real_us)
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
	if (v.fact_count && v.facts[0].kind == PROTO_FACT_KEY)
		remove_node(c, &v.facts[0], m->id, now_us, real_us);
	clients_record(c, &v, real_us);
	answer.done = (struct proto_done){ .request = m->request, .done_before = v.fact_count == 0, .changed = v.fact_count > 0 };
	(void)coord_shell_say(c->shell, peer, &answer, COORD_SAY_AFTER_FACTS);
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
	(void)coord_shell_say(c->shell, peer, &answer, COORD_SAY_AFTER_FACTS);
}
