/* verdict.h - what an agent's own words and the steps around it say of an attempt, beside its exit status
 *
 * Part of collecting (collect.h). Exit status, transcript, acceptance command: an attempt succeeded only if all agree.
 */
#ifndef NODE_VERDICT_H
#define NODE_VERDICT_H

#include "node/agents/steps.h"
#include "node/agents/transcript.h"
#include "proto/msg.h"

/* What became of each step, from the report in the namespace `fd`. `text` is emptied and gets the bytes that report->tail borrows. Without a report
 * all of it is told by the exit status: it is then as if the work alone had been run. */
void node_verdict_steps(int fd, int exit, int signal, struct rv_buf *text, struct node_steps_report *report);

/* Reads an attempt's whole stdout, of which it wrote so many bytes, and the end of its stderr from the logs in its namespace. */
void node_verdict_read_logs(int fd, uint64_t stdout_bytes, struct transcript *t);

/* The reason that a result has for what stood in an agent's way. */
enum proto_reason node_verdict_reason(enum transcript_reason reason);

#endif
