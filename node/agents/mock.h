/* mock.h - the agent that pretends: any plan runs without agents, keys or cost, and what may go wrong can be rehearsed
 *
 * Answers "[AGENT] processed: FIRST 80 CHARACTERS OF THE PROMPT" (or mock.output) after mock.delay_s, writes one artifact. Its
 * first mock.rate_limited tries are turned away, the mock.hang after those say nothing until a time limit ends them, the
 * mock.fail after those fail. It sees what a real one would: its texts are filled, its namespace and files are
 * made when it is dispatched, its evidence and output are judged like any other's.
 */
#ifndef NODE_MOCK_H
#define NODE_MOCK_H

#include "node/collect.h"
#include "node/prepare.h"

#define NODE_MOCK_ARTIFACT "answer.txt"
#define NODE_MOCK_PROMPT_CHARS 80u

/* What becomes of a try. One that works is taken to give signs of life, so that only timeout_s may end it before its time, and that only where
 * its delay is more than the standard one: a plan that is merely mocked meets no time limit. */
enum node_mock_end { NODE_MOCK_ANSWERS, NODE_MOCK_TURNED_AWAY, NODE_MOCK_TIMED_OUT, NODE_MOCK_FAILS };
struct node_mock_fate {
	enum node_mock_end end;
	enum warden_why why;  /* TIMED_OUT: by which limit */
	uint64_t after_us;    /* RV_NEVER: it hangs, and there is no limit */
};
struct node_mock_fate node_mock_fate(const struct proto_spec *spec, uint32_t try_number);

/* Makes the scene and appends to `out` what the attempt will need when its time has come: all of it, as bytes. A unit
 * that cannot be prepared has bytes, too: it fails then. -1: no memory. */
int node_mock_prepare(struct node_preparer *p, struct node_spec *spec, const struct proto_dispatch *dispatch, struct rv_blobs *blobs,
		      uint64_t session_key, uint64_t real_us, struct rv_buf *out, struct rv_err *err);

/* Its time has come: the result, borrowed from `c` until node_collect_end(). */
const struct proto_result *node_mock_result(struct rv_str bytes, struct node_collector *with, uint64_t real_us, struct node_collect *c);

#endif
