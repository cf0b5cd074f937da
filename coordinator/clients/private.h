/* private.h - what the files of coordinator/clients/ share */
#ifndef COORD_CLIENTS_PRIVATE_H
#define COORD_CLIENTS_PRIVATE_H

#include "clients.h"
#include "common/buf.h"
#include "common/limits.h"

/* Who asked, and under which number. */
struct asker {
	uint64_t peer, request;
};

struct intake;
struct facts;
struct pieces;
struct logs;

struct coord_clients {
	struct coord_clients_config cfg;
	struct coord_shell *shell;
	const uint8_t *server_key;     /* NULL: there is no tcp side */
	const char *const *endpoints;  /* that a token names */
	uint32_t endpoint_count;
	struct coord_clients_stats stats;
	struct intake *intake; /* NULL: no plans are taken */
	struct facts *facts;
	struct pieces *pieces;
	struct logs *logs;
	struct asker acting;   /* of the mutation that is being stepped */
	struct rv_str acting_unit; /* its unit's whole id; "": none */
	struct rv_buf text;    /* of an answer */
};

/* --- clients.c: answers --- */
void clients_refuse(struct coord_clients *c, struct asker to, const struct rv_err *err);
/* The same with a long message (diagnostics of a plan). */
void clients_refuse_text(struct coord_clients *c, struct asker to, enum rv_code code, struct rv_str message, struct rv_str hint);
/* The graph of a run that is in memory and a unit of it, the verify step included; NULL: there is no such run or unit, or its id stands for
 * several, or `peer` has had too many looked for in this turn. The beginning of an id will do where no other unit has it. An empty id gives the graph
 * alone. */
const struct coord_graph *clients_find_unit(struct coord_clients *c, uint64_t peer, uint64_t run, struct rv_str id, uint32_t *unit, struct rv_err *err);
/* May this much more be said to the peer in this turn? Else the request is refused as too many at once, or dropped. */
bool clients_may_say(struct coord_clients *c, uint64_t peer, size_t bytes);

/* --- intake.c --- */
int intake_create(struct coord_clients *c, struct intake **out, struct rv_err *err);
int intake_serve(struct intake *in, uint64_t now_us, struct rv_err *err);
void intake_destroy(struct intake **in);
void intake_on_fact(struct intake *in, const struct proto_fact *f);
void intake_begin(struct intake *in, uint64_t peer, const struct proto_submit_begin *m, uint64_t now_us);
void intake_data(struct intake *in, uint64_t peer, const struct proto_submit_data *m, uint64_t now_us);
void intake_commit(struct intake *in, uint64_t peer, const struct proto_submit_commit *m, uint64_t now_us);
void intake_turn(struct intake *in, uint64_t now_us, uint64_t real_us);
uint64_t intake_next_deadline(const struct intake *in);
int intake_fd(const struct intake *in);

/* --- facts.c --- */
int facts_create(struct coord_clients *c, struct facts **out, struct rv_err *err);
void facts_destroy(struct facts **f);
void facts_note(struct facts *f, const struct coord_transition *t, uint64_t position);
void facts_ask(struct facts *f, uint64_t peer, const struct proto_facts *m, uint64_t now_us);
void facts_durable(struct facts *f, uint64_t position);
void facts_turn(struct facts *f, uint64_t now_us);
uint64_t facts_next_deadline(const struct facts *f);
uint32_t facts_waiting(const struct facts *f);

/* --- rows.c --- */
void rows_ask(struct coord_clients *c, uint64_t peer, const struct proto_ask *m, uint64_t real_us);

/* --- act.c --- */
void act_do(struct coord_clients *c, uint64_t peer, const struct proto_act *m, uint64_t now_us, uint64_t real_us);
void act_replied(struct coord_clients *c, bool done_before, uint32_t changed);

/* --- admit.c --- */
struct coord_access_verdict;
void clients_record(struct coord_clients *c, const struct coord_access_verdict *v, uint64_t real_us);
void admit_token_create(struct coord_clients *c, uint64_t peer, const struct proto_token_create *m, uint64_t real_us);
void admit_revoke(struct coord_clients *c, uint64_t peer, const struct proto_revoke *m, uint64_t now_us, uint64_t real_us);
void admit_enrol(struct coord_clients *c, uint64_t peer, const struct coord_peer_identity *who, const struct proto_enrol *m, uint64_t real_us);

/* --- pieces.c: blobs --- */
int pieces_create(struct coord_clients *c, struct pieces **out, struct rv_err *err);
void pieces_destroy(struct pieces **p);
void pieces_get(struct pieces *p, uint64_t peer, const struct coord_peer_identity *who, const struct proto_blob_get *m);
void pieces_chunk(struct pieces *p, uint64_t peer, const struct proto_blob_piece *m, uint64_t now_us);
bool pieces_result(struct pieces *p, uint64_t peer, const struct proto_msg *m, uint64_t now_us);
void pieces_nodes_changed(struct pieces *p);
void pieces_turn(struct pieces *p, uint64_t now_us, uint64_t real_us);
uint64_t pieces_next_deadline(const struct pieces *p);

/* --- logs.c --- */
int logs_create(struct coord_clients *c, struct logs **out, struct rv_err *err);
void logs_destroy(struct logs **l);
void logs_on_fact(struct logs *l, const struct proto_fact *f);
void logs_run_gone(struct logs *l, uint64_t run);
void logs_ask(struct logs *l, uint64_t peer, const struct proto_log *m, uint64_t now_us);
void logs_chunk(struct logs *l, uint64_t peer, const struct proto_log_piece *m, uint64_t now_us);
void logs_turn(struct logs *l, uint64_t now_us);
uint64_t logs_next_deadline(const struct logs *l);

#endif
