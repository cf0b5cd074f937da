/* upload.c - a plan, or units for an open run, handed to a coordinator */
#include "cli/upload.h"

#include "common/os/keys.h"

#define WINDOW 8u       /* pieces of an upload that are on their way together */
#define BEGINS_MAX 100u /* times an upload is taken up again before something must be wrong */

static int begin(struct cli_client *c, const struct cli_upload *u, struct proto_msg *answer, struct rv_err *err)
{
	struct proto_msg m = { .kind = PROTO_SUBMIT_BEGIN };

	m.submit_begin = (struct proto_submit_begin){ .submission = u->submission, .bytes = u->bytes.bytes, .priority = u->priority,
						      .workspace_id = u->workspace_id, .add_to = u->add_to, .open = u->open };
	return cli_client_call(c, &m, PROTO_SUBMITTED, answer, err);
}

static int commit(struct cli_client *c, const struct cli_upload *u, struct proto_msg *answer, struct rv_err *err)
{
	struct proto_msg m = { .kind = PROTO_SUBMIT_COMMIT, .submit_commit = { .submission = u->submission } };

	rv_digest(u->bytes, m.submit_commit.digest);
	return cli_client_call(c, &m, PROTO_SUBMITTED, answer, err);
}

static struct proto_msg piece_at(const struct cli_upload *u, uint64_t offset)
{
	return (struct proto_msg){ .kind = PROTO_SUBMIT_DATA,
				   .submit_data = { .submission = u->submission, .offset = offset,
						    .bytes = rv_str(u->bytes.at + offset, rv_min_u64(u->bytes.bytes - offset, PROTO_PIECE_BYTES_MAX)) } };
}

/* Sends from `offset` on, WINDOW pieces a round trip: only the last one's answer is waited for, which says how much has arrived. 0: all has. */
static int send_pieces(struct cli_client *c, const struct cli_upload *u, uint64_t offset, struct proto_msg *answer, struct rv_err *err)
{
	while (offset < u->bytes.bytes) {
		struct proto_msg m = piece_at(u, offset);

		for (uint32_t i = 1; i < WINDOW && offset + PROTO_PIECE_BYTES_MAX < u->bytes.bytes; i++) {
			cli_client_post(c, &m);
			offset += PROTO_PIECE_BYTES_MAX;
			m = piece_at(u, offset);
		}
		if (cli_client_call(c, &m, PROTO_SUBMITTED, answer, err))
			return -1;
		if (answer->submitted.run)
			return 0;
		if (answer->submitted.offset > u->bytes.bytes)
			return rv_fail(err, RV_E_CORRUPT, "%s has more than was sent", cli_client_shown(c));
		offset = answer->submitted.offset; /* also where it lost some: it says what it wants */
	}
	return 0;
}

int cli_upload(struct cli_client *c, struct cli_upload *u, struct rv_err *err)
{
	struct proto_msg answer;
	uint32_t tries;

	u->submission = cli_client_new_id();
	for (tries = 0; tries < BEGINS_MAX; tries++) {
		int rc = begin(c, u, &answer, err);

		if (rc)
			return -1;
		if (!answer.submitted.run)
			rc = send_pieces(c, u, answer.submitted.offset, &answer, err);
		if (rc == 0 && !answer.submitted.run)
			rc = commit(c, u, &answer, err);
		if (rc && err->code != RV_E_NOT_FOUND) /* what a coordinator lost with its restart is begun again */
			return -1;
		if (rc == 0 && answer.submitted.run) {
			u->run = answer.submitted.run;
			u->units = answer.submitted.units;
			return 0;
		}
	}
	return rv_fail(err, RV_E_INTERNAL, "%s has lost what was sent %u times", cli_client_shown(c), BEGINS_MAX);
}
