/* parent.h - the warden as the first process of `reeve node`, and the node daemon as its child
 *
 * warden_parent_main() makes the calling process the warden and runs `daemon.main` in a forked child, which has the other end
 * of the channel (channel.h) and speaks first, CONFIG, as every daemon does. For as long as it lives the warden
 *
 *   passes on   TERM, INT and HUP, which the daemon understands as it likes (drain, stop); none of them ends a unit by itself
 *   reaps       whatever becomes its child: as PID 1 of a container everybody's orphans, else those of its units
 *
 * The daemon ends in one of two ways. It says SHUTDOWN, waits for end of file, and exits: the warden's status is then its own. Or
 * it just dies: whatever it had said is still done, then every unit is ended (TERM, its grace, KILL) and recorded, and the
 * warden ends as well, with the daemon's status, or 128 + the number of the signal that killed it. If the warden dies first, the daemon
 * sees end of file, ends the trees by warden_reap_orphans() and has to exit.
 *
 * Not yet: to start a daemon that died again while the units go on. The channel is ready for that (a second CONFIG is an
 * update, TABLE tells what runs); on_daemon_end() in parent.c is the place. At kill level pidns the warden's later children are born in
 * a unit's namespace, so a second daemon has to come from the maker (pidns.c).
 */
#ifndef WARDEN_PARENT_H
#define WARDEN_PARENT_H

#include "client.h"

#include "common/log.h"

/* After the warden has ended its units and closed the channel a daemon that does not exit is killed. */
#define WARDEN_DAEMON_END_US 10000000u

struct warden_daemon {
	/* In the child: `client` is connected and the callee's to close; its pid is 0, since the warden is the parent. Standard
	 * descriptors, signal mask and dispositions are the caller's; the session is the child's own, so that a terminal's
	 * Ctrl-C comes once, through the warden. Gives the exit status. */
	int (*main)(void *arg, struct warden_client *client);
	void *arg;
	const struct rv_log *log; /* the warden's own lines: daemon_died, daemon_stuck; NULL: none */
};

/* Gives the exit status of the process once everything has ended; -1 with `err`: nothing was started. The caller has one thread and
 * nothing open that it wants to keep: all descriptors above 2 are closed in it, 0 and 1 are the null device from now on. `options`
 * may be NULL. */
int warden_parent_main(const struct warden_daemon *daemon, const struct warden_options *options, struct rv_err *err);

#endif
