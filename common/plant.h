/* plant.h - rules that the simulator takes out, one at a time, to see that it notices
 *
 * In the profile `planted` (make sim-planted) RV_PLANT(NAME) is true while that bug is planted; everywhere else it is the
 * constant 0 and leaves nothing behind.
 */
#ifndef RV_PLANT_H
#define RV_PLANT_H

#define RV_PLANTS(X)                                                                                                \
	X(NO_FENCE, "the result of an older attempt is taken for the newest one's")                                 \
	X(ACK_BEFORE_COMMIT, "a result is acknowledged before its row is durable")                                  \
	X(SEND_BEFORE_COMMIT, "everything leaves before the row that it rests on is durable")                       \
	X(NO_DEDUP, "a result that comes again is accepted again")                                                  \
	X(IN_DEGREE_TWICE, "the success of a dependency counts twice")                                              \
	X(SKIP_NOT_TRANSITIVE, "what depends on a skipped unit is not skipped")                                     \
	X(FAIL_FAST_LOSES_SUCCESS, "a success that comes once the run is stopped is thrown away")                   \
	X(LOCK_ONE_MORE, "a lock is given to one more than it may be")                                              \
	X(RETRACT_RACE, "an attempt is said to be given back before the warden has")                                \
	X(RELEASE_AFTER_RETRY, "what waits for its retry keeps its place among the run's workers")                   \
	X(NO_BACKOFF_CAP, "resends wait twice as long each time, without an end")                                   \
	X(LEASE_FROM_RECEIPT, "a lease counts from when the ack was received, not from when its message was sent")  \
	X(KEEP_LOST, "a node may keep what was given to another")                                                   \
	X(CANCEL_AS_FLAG, "a cancel of what runs is remembered, and nothing is killed")                             \
	X(CANCEL_UNPREPARED, "a cancel of what is being prepared is forgotten")                                    \
	X(NEVER_FULL, "a node takes what is beyond its limit of what is sent ahead")                               \
	X(FORGED_HEARD, "a node may give back what another holds")                                                 \
	X(STALL_IS_SILENCE, "a coordinator that stood still takes that for the silence of its nodes")               \
	X(REPLAY_FORGETS_TRIES, "a replay does not count tries")                                                    \
	X(LATE_HELLO, "a HELLO is believed however old it is")                                                      \
	X(ONCE_AGAIN, "an at_most_once unit whose attempt was lost is tried again")                                 \
	X(DENIED_IS_LOST, "an at_most_once attempt that never reached its node counts as lost when they meet again")   \
	X(ANOTHER_DAEMON, "what the daemon before was sent is sent to its successor under the same number")            \
	X(ONCE_RESUMED, "going on with a run starts again what is to start once")                                   \
	X(REUSED_ATTEMPT, "a dispatch does not wait for its row: a tail that is lost gives its number again")       \
	X(TRY_AS_ATTEMPT, "an attempt that was given back or lost leaves its number to the next")                   \
	X(OLD_EPOCH, "a node obeys a coordinator of the past")                                                      \
	X(REQUEST_TWICE, "a request that is said again is carried out again")                                       \
	X(DEADLINES_FIRST, "deadlines are looked at before the messages that wait")                                 \
	X(BEHIND_ANYWAY, "what waits at its node behind another attempt begins however that one ends")             \
	X(BEHIND_FIRST, "the result of what was handed over behind another attempt counts before that one's")       \
	X(REVOKED_HEARD, "what a node sends counts although its key is revoked")                                     \
	X(REVOKED_TOLD, "what waits to be sent to a node leaves although its key has been revoked since")           \
	X(REVOKED_KEPT, "a node whose key is revoked stays among those that are given work")

enum rv_plant {
	RV_PLANT_NONE,
#define X(name, what) RV_PLANT_##name,
	RV_PLANTS(X)
#undef X
	RV_PLANT_COUNT
};

#ifdef RV_PLANTED
extern enum rv_plant rv_planted;
#define RV_PLANT(name) (rv_planted == RV_PLANT_##name)
#else
#define RV_PLANT(name) 0
#endif

#endif
