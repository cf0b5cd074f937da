"""node.py - a node of reeve, written from proto/PROTOCOL.md alone

One loop over one DEALER, the pipes and pidfds of its units, and its timers. It runs commands, no-ops and mocks, keeps results and their blobs until they
are acknowledged (also over its own restart), and refuses what it cannot do: no shared workspaces, no idle timeout, no containment beyond a process group.
"""

import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import msgpack
import zmq

from frames import *  # noqa: F403
from frames import Blobs, Link, Malformed, Pull, Spec  # what a reader looks for

FULL, NO_WORKSPACE, NO_SPACE, STALE, DRAINING, BAD_SPEC = 1, 2, 3, 4, 5, 6
KEEP, KILL, RESEND, FORGET = 0, 1, 2, 3
GOAWAYS = "- duplicate revoked version name_taken full shutdown silent".split()
QUEUED, RUNNING, FROZEN, FINISHED = 0, 1, 2, 3
BEGAN, IS_JSON, LOG_CUT, LATE, MORE_ARTIFACTS = 1, 2, 4, 8, 16
TAIL_BYTES = 65536
OUTPUT_LINE_BYTES = 262144
ARTIFACTS_MAX = 4096
HELD_MAX = 100000
GREETING_S = 5  # without a WELCOME, after which the link is taken for dead
SILENT_INTERVALS = 5  # heartbeats without an answer, after which the link is taken for dead
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Log:
    """What an attempt printed: its head and its tail, in order, each piece with its stream (1 stdout, 2 stderr)."""

    def __init__(self, most):
        self.half = max(most // 2, 1)
        self.head, self.tail = [], []
        self.head_bytes = self.tail_bytes = self.dropped = 0
        self.ended = False

    def add(self, stream, data):
        room = self.half - self.head_bytes
        if room > 0:
            self.head.append((stream, data[:room]))
            self.head_bytes += len(data[:room])
            data = data[room:]
        if data:
            self.tail.append((stream, data))
            self.tail_bytes += len(data)
            while self.tail_bytes - len(self.tail[0][1]) >= self.half:
                gone = self.tail.pop(0)[1]
                self.tail_bytes -= len(gone)
                self.dropped += len(gone)

    def bytes(self, streams=3):
        pick = lambda pieces: b"".join(d for s, d in pieces if streams & s)  # noqa: E731
        if not self.dropped:
            return pick(self.head + self.tail)
        return pick(self.head) + b"\n[%d bytes left out]\n" % self.dropped + pick(self.tail)


class Attempt:
    def __init__(self, run, unit, number, epoch):
        self.key = (run, unit, number)
        self.epoch = epoch
        self.state = QUEUED
        self.spec, self.unit_id, self.lease_us, self.tries = None, "", 0, 0
        self.waits_for = set()  # blobs that are still on their way
        self.process = self.mock_at = None
        self.result = None  # the fields of RESULT behind the key
        self.resend_at = self.resend_s = self.result_n = None
        self.ending = None  # (outcome, class, reason) that this node decided by ending it
        self.kill_at = None
        self.silent = False  # end it and answer nothing
        self.taken_said = False
        self.log = Log(1)


class Node:
    def __init__(self, directory, name, endpoint, slots, server_key=None, keys=None, tell=lambda **what: None, trouble=False):
        self.dir, self.name, self.endpoint, self.slots = os.path.abspath(directory), name, endpoint, slots
        self.server_key, self.keys, self.tell, self.trouble = server_key, keys, tell, trouble
        self.blobs = Blobs(os.path.join(self.dir, "blobs"))
        self.context = zmq.Context()
        self.poller = zmq.Poller()
        self.link = None
        self.key_hash = digest_of(keys.public) if keys else self._own_hash()
        self.held = {}  # key -> Attempt
        self.fence = {}  # (run, unit) -> the newest attempt that will not be taken here any more, and what to say of it
        self.epoch = 0
        self.session = None
        self.heard_of = 0  # when the last message was sent that the coordinator has acknowledged: leases run from then
        self.cluster = None
        self.hellos = 0
        self.fetching = {}  # request -> (Pull, set of Attempts that wait for it)
        self.requests = 0
        self.fds = {}  # fd -> function to call when it is readable
        self.retry_s = 0.1
        self.leaving = self.over = False
        self.beats = 0
        self.counts = dict(frames=0, stale=0, dispatch_again=0, malformed=0, sessions=0, pieces=0, table_wanted=0)
        self.out = []
        self.logs = {}
        self.troubled, self.doubled = set(), set()
        self._load()

    # ------------------------------------------------------------ what survives a restart

    def _own_hash(self):
        path = os.path.join(self.dir, "hash")
        os.makedirs(self.dir, exist_ok=True)
        if not os.path.exists(path):
            save(path, os.urandom(32))
        with open(path, "rb") as f:
            return byte_string(f.read(), 32)

    def _load(self):
        self.incarnation = 1
        path = os.path.join(self.dir, "kept")
        if os.path.exists(path):
            with open(path, "rb") as f:
                incarnation, self.epoch, results = msgpack.unpackb(f.read(), raw=False)
            self.incarnation = incarnation + 1
            for key, epoch, result in results:
                a = Attempt(*key, epoch)
                a.state, a.result = FINISHED, result
                self.held[a.key] = a
                self.fence[a.key[:2]] = a.key[2], STALE
        self._keep()

    def _keep(self):
        kept = [[list(a.key), a.epoch, a.result] for a in self.held.values() if a.state == FINISHED]
        save(os.path.join(self.dir, "kept"), msgpack.packb([self.incarnation, self.epoch, kept], use_bin_type=True))

    # ------------------------------------------------------------ the loop

    def run(self):
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.leave())
        self._watch(wake_read, lambda: os.read(wake_read, 64))
        self.connect_at = time.monotonic()
        while not self.over:
            now = time.monotonic()
            if self.link is None and now >= self.connect_at:
                self._connect()
            self._timers(now)
            self._flush()
            if self.leaving and not self.held and self.session:
                self._bye()
                break
            ready = dict(self.poller.poll(max(0, (self._next(time.monotonic()) - time.monotonic()) * 1000)))
            for fd in [f for f in ready if f in self.fds]:
                if fd in self.fds:
                    self.fds[fd]()
            if self.link:
                for message in self.link.frames():
                    self._receive(message)
                self.counts["malformed"] += self.link.malformed
                self.link.malformed = 0
                if self.link and self.link.watch():
                    self._lose(self.link.lost)
        self._end_all()
        if self.link:
            self.link.close()
        self.context.term()
        return self.counts

    def leave(self):
        if self.leaving:
            for a in list(self.held.values()):
                self._stop(a, 0, (CANCELLED, 0, REASONS.index("interrupted")))
            self.over = self.session is None
        self.leaving = True

    def _end_all(self):
        for a in self.held.values():
            if a.process:
                self._signal(a, signal.SIGKILL)

    def _watch(self, what, call):
        self.fds[what] = call
        self.poller.register(what, zmq.POLLIN)

    def _unwatch(self, fd):
        if self.fds.pop(fd, None):
            self.poller.unregister(fd)

    def _next(self, now):
        times = [now + 30]
        if self.link is None:
            times.append(self.connect_at)
        elif self.session:
            times.append(self.beat_at)
        else:
            times.append(self.hello_at)
        for a in self.held.values():
            times += [t for t in (a.resend_at, a.kill_at, a.mock_at, *self._limits(a), self._lease_end(a)) if t]
        return min(times)

    def _timers(self, now):
        if self.link and self.session and now >= self.beat_at:
            if len(self.unanswered) >= SILENT_INTERVALS:
                self._lose("silence")
            else:
                self._beat(now)
        elif self.link and not self.session and now >= self.hello_at:
            self._lose("no WELCOME")
        for a in list(self.held.values()):
            if a.resend_at and now >= a.resend_at and self.session:
                self._say_result(a)
            if a.kill_at and now >= a.kill_at:
                a.kill_at = None
                self._signal(a, signal.SIGKILL)
            if a.state == RUNNING and a.spec and a.ending is None:
                whole, start = self._limits(a)
                for at, reason in ((whole, "timeout"), (start, "start_timeout")):
                    if at and now >= at:
                        self._stop(a, a.spec.grace_us / 1e6, (FAILED, CLASSES.index("timeout"), REASONS.index(reason)))
                        break
                if a.mock_at and now >= a.mock_at:
                    self._mock_ends(a)
            lease = self._lease_end(a)
            if lease and now >= lease:
                a.state = FROZEN
                self._signal(a, signal.SIGSTOP)
                self.tell(event="frozen", unit=a.unit_id)

    def _limits(self, a):
        """When the attempt's whole time, and its time without any output, are over."""
        if a.state != RUNNING or a.spec is None or a.ending:
            return None, None
        whole = a.started + a.spec.timeout_us / 1e6 if a.spec.timeout_us else None
        start = a.started + a.spec.start_us / 1e6 if a.process and a.spec.start_us and not a.log.head_bytes else None
        return whole, start

    def _lease_end(self, a):
        if a.state != RUNNING or a.spec is None or not a.spec.flags & SPEC_COULD_HURT or not 0 < a.lease_us < U64:
            return None
        return self.heard_of + a.lease_us / 1e6

    def _beat_for(self, a):
        """What has a short lease is spoken of often enough to keep it."""
        if 0 < a.lease_us < U64 and a.state != FINISHED and self.session:
            self.interval = min(self.interval, a.lease_us / 9e6)
            self.beat_at = min(self.beat_at, self.heard_of + self.interval)

    # ------------------------------------------------------------ link and session

    def _connect(self):
        self.link = Link(self.context, self.endpoint, self.server_key, self.keys)
        self.poller.register(self.link.socket, zmq.POLLIN)
        self.poller.register(self.link.monitor, zmq.POLLIN)
        self._hello()

    def _lose(self, why):
        if not self.link:
            return
        self.tell(event="link_lost", why=why)
        self.poller.unregister(self.link.socket)
        self.poller.unregister(self.link.monitor)
        self.link.close()
        self.link = self.session = None
        self.out = []
        for a in self.held.values():
            a.resend_at = None
        self.fetching_again = list(self.fetching.values())
        self.connect_at = time.monotonic() + self.retry_s * random.uniform(0.8, 1.2)
        self.retry_s = min(self.retry_s * 2, 5)

    def _hello(self):
        self.session = None
        self.hellos += 1
        self.sent = self.received = self.results = self.checkpoint = 0
        self.out = []
        with open("/proc/sys/kernel/random/boot_id") as f:
            boot = bytes.fromhex(f.read().strip().replace("-", ""))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        node = [self.name, self.key_hash, boot, self.incarnation, self.slots, self.slots, memory, [["foreign", "yes"]], [], "none", []]
        states = [[*a.key, a.epoch, a.state] for a in sorted(self.held.values(), key=lambda a: a.key)]
        pages = [states[i : i + 1000] for i in range(0, len(states), 1000)] or [[]]
        for n, page in enumerate(pages):
            self.link.send([HELLO, node, self.hellos, n, n == len(pages) - 1, page])
        self.hello_sent = time.monotonic()
        self.hello_at = self.hello_sent + GREETING_S

    def _beat(self, now):
        self.beats += 1
        self.unanswered[self.beats] = now
        used = sum(a.spec.slots for a in self.held.values() if a.state in (RUNNING, FROZEN) and a.spec)
        self._flush()
        self.link.send([HEARTBEAT, self.session, self.beats, self.sent, self.received, table_digest(self.held), used])
        self.beat_at = now + self.interval

    def _bye(self):
        self._flush()
        self.link.send([BYE])
        self.tell(event="bye")
        self.over = True

    # ------------------------------------------------------------ sending

    def _say(self, kind, key, *fields):
        """Queues an item of a batched kind; items of one kind and run that follow each other share a message."""
        run, unit, number = key
        if self.trouble and kind in (TAKEN, STARTED) and (kind, key) not in self.troubled:
            self.troubled.add((kind, key))
            return
        if self.trouble and kind == RESULT and key not in self.doubled:
            self.doubled.add(key)
            self._say(kind, key, *fields)
        item = [unit, number, *fields]
        if self.out and self.out[-1][:2] == [kind, run] and len(self.out[-1][2]) < 500:
            self.out[-1][2].append(item)
        else:
            self.out.append([kind, run, [item]])

    def _flush(self):
        if not self.link or not self.session:
            self.out = []
            return
        for message in self.out:
            if self.link.send(message):
                self.sent += len(message[2])
        self.out = []

    def _say_state(self, a):
        if a.state == FINISHED:
            self._say_result(a)
        elif a.state == QUEUED:
            if not a.waits_for:
                self._say(TAKEN, a.key)
        else:
            self._say(STARTED, a.key, a.start_real)

    def _say_result(self, a):
        self._say(RESULT, a.key, *a.result)
        self.results += 1
        a.result_n = self.results
        a.resend_s = min((a.resend_s or 0.5) * 2, 30)
        a.resend_at = time.monotonic() + a.resend_s * random.uniform(0.8, 1.2)

    def _request(self):
        self.requests += 1
        return self.requests

    # ------------------------------------------------------------ receiving

    def _receive(self, message):
        if not self.link:
            return
        self.counts["frames"] += 1
        kind, fields = message[0], message[1:]
        handler = getattr(self, "_on_" + NAMES.get(kind, "?").lower(), None)
        try:
            need(handler, "kind %r" % kind)
            if kind == DISPATCH:
                run, workspace, specs, items = fields
                for item in a_list(items):
                    self.received += 1
                    handler(uint(run), workspace, a_list(specs), a_list(item, 7, 14))
            elif kind in BATCHED:
                run, items = fields
                for item in a_list(items):
                    self.received += 1
                    item = a_list(item, 2)
                    handler((uint(run), uint(item[0]), uint(item[1])), *item[2:])
            else:
                if kind in (CHECKPOINT, DRAIN):
                    self.received += 1
                handler(*fields)
        except (Malformed, TypeError, ValueError) as e:
            self.counts["malformed"] += 1
            self.tell(event="malformed", kind=NAMES.get(kind, kind), why=str(e))

    def _on_welcome(self, epoch, session, interval_us, cluster, verdicts):
        if uint(epoch) < self.epoch:
            return self._lose("epoch %d is older than %d" % (epoch, self.epoch))
        self.heard_of = max(self.heard_of, self.hello_sent)
        self.received = 0
        if self.session is None:
            self.session = uint(session)
            self.unanswered = {}
            self.retry_s = 0.1
            self.counts["sessions"] += 1
            self.beat_at = time.monotonic()
            self.tell(event="welcome", epoch=epoch, session=session)
        if epoch != self.epoch:
            self.epoch = epoch
            self._keep()
        self.interval, self.cluster = uint(interval_us) / 1e6, byte_string(cluster)
        for run, unit, number, verdict, lease_us in a_list(verdicts):
            a = self.held.get((run, unit, number))
            if not a:
                self.counts["stale"] += 1
            elif verdict == KEEP:
                a.lease_us = uint(lease_us)
                if a.state == FROZEN:
                    a.state = RUNNING
                    self._signal(a, signal.SIGCONT)
                elif a.state == FINISHED:
                    self._say_result(a)
                self._beat_for(a)
            elif verdict == KILL:
                self._drop(a)
            elif verdict == RESEND and a.state == FINISHED:
                a.resend_s = None
                self._say_result(a)
            elif verdict == FORGET:
                self._drop(a)
        again, self.fetching = list(self.fetching.values()), {}
        for pull, waiting in again:
            self._fetch(pull, waiting)

    def _on_hb_ack(self, session, n, received, interval_us, want_table):
        sent_at = self.unanswered.get(n) if session == self.session else None
        if sent_at is None:
            self.counts["stale"] += 1
            return
        self.unanswered = {k: v for k, v in self.unanswered.items() if k > n}
        self.heard_of = max(self.heard_of, sent_at)
        self.interval = uint(interval_us) / 1e6
        for a in self.held.values():
            self._beat_for(a)
        self.beat_at = min(self.beat_at, sent_at + self.interval)
        if n >= 2 and self.held and not want_table:
            self.tell(event="tables_agree", held=len(self.held))
        if want_table:
            self.counts["table_wanted"] += 1
            self.tell(event="table_wanted", n=n, held=[[*h.key[1:], h.state] for h in self.held.values()], sent=self.sent, received=self.received)
            self._hello()

    def _on_dispatch(self, run, workspace, specs, item):
        unit, number, epoch, tries, lease_us, unit_id, spec, *rest = item
        key = uint(run), uint(unit), uint(number)
        if not self.session or uint(epoch) != self.epoch:
            self.counts["stale"] += 1
            return
        if key in self.held:
            self.counts["dispatch_again"] += 1
            self.tell(event="dispatch_again", unit=text(unit_id))
            return self._say_state(self.held[key])
        newest, why = self.fence.get(key[:2], (0, STALE))
        if newest >= number:
            return self._say(REJECTED, key, why if newest == number else STALE)
        why = DRAINING if self.leaving else FULL if len(self.held) >= HELD_MAX else 0
        self.fence[key[:2]] = number, why or STALE
        if why:
            return self._say(REJECTED, key, why)
        a = Attempt(*key, epoch)
        a.tries, a.lease_us, a.unit_id = uint(tries), uint(lease_us), text(unit_id)
        a.item, a.deps, a.deps_blob = (rest + [None] * 3)[:3]
        a.item = a.item or None
        a.workspace = workspace
        if type(spec) is int:
            a.spec_data = byte_string(specs[spec])
        else:
            a.spec_data = None
            a.spec_ref = blob_ref(spec)
            self._want(a, *a.spec_ref)
        if a.deps_blob:
            self._want(a, *blob_ref(a.deps_blob))
        self._want_outputs(a, a.deps or [])
        self.held[key] = a
        self._beat_for(a)
        for old in [o for o in self.held.values() if o.key[:2] == key[:2] and o.key[2] < number]:
            self._stop(old, 0, (CANCELLED, 0, REASONS.index("lost")))
        self._ready(a)

    def _on_cancel(self, key, epoch, grace_us, reason):
        mine = [a for a in self.held.values() if a.key[:2] == key[:2] and a.key[2] <= key[2]]
        if uint(epoch) < self.epoch:
            self.counts["stale"] += 1
            return
        if not any(a.key == key for a in mine):
            self._never(key)
            self._say(NOT_HERE, key)
        for a in mine:
            if a.state == FINISHED:
                self._say_result(a)
            else:
                grace = a.spec.grace_us if grace_us is None and a.spec else grace_us or 0
                self._stop(a, grace / 1e6, (CANCELLED, 0, uint(reason)))

    def _on_result_ack(self, key, how):
        need(how in (1, 2, 3), "RESULT_ACK %r" % how)
        self.tell(event="settled", unit=key[1], attempt=key[2], how=how)
        a = self.held.get(key)
        if not a or a.state != FINISHED:
            self.counts["stale"] += 1
            return
        self._drop(a)

    def _on_retract(self, key):
        a = self.held.get(key)
        if not a:
            self._never(key)
            self._say(NOT_HERE, key)
        elif a.state == FINISHED:
            self._say_result(a)
        elif a.state == QUEUED:
            self._drop(a)
            self._say(RETRACTED, key)
            self.tell(event="retracted", unit=key[1], attempt=key[2])
        else:
            self._say(ALREADY_STARTED, key)

    def _on_checkpoint(self, n):
        if uint(n) > self.checkpoint:
            self.checkpoint = n
            for a in [a for a in self.held.values() if a.state == FINISHED and a.result_n and a.result_n <= n]:
                self._drop(a)

    def _on_drain(self):
        self.tell(event="drain")  # nothing new will come; whether this node leaves then is its own choice, and it stays

    def _never(self, key):
        """A DISPATCH of this attempt that is still on its way comes too late."""
        if self.fence.get(key[:2], (0, 0))[0] < key[2]:
            self.fence[key[:2]] = key[2], STALE

    def _on_goaway(self, why, holder):
        self.retry_s = max(self.retry_s, 0.5)
        self._lose("goaway: %s %s" % (GOAWAYS[uint(why, len(GOAWAYS) - 1)], byte_string(holder, 32).hex()))

    def _on_blob_wanted(self, request, digest, offset):
        size = self.blobs.size(byte_string(digest, 32))
        if size is None:
            return self.link.send([BLOB_CHUNK, request, digest, NOTHING, 0, b""])
        self.counts["pieces"] += 1
        data = self.blobs.read(digest, uint(offset, size), PIECE_BYTES)
        self.link.send([BLOB_CHUNK, uint(request), digest, size, offset, data])

    def _on_blob_data(self, request, digest, size, offset, data):
        pull, waiting = self.fetching.get(request, (None, None))
        if not pull:
            self.counts["stale"] += 1
            return
        try:
            whole = pull.piece(byte_string(digest, 32), uint(size), uint(offset), byte_string(data))
        except Malformed as e:
            del self.fetching[request]
            self.tell(event="blob", why=str(e))
            for a in waiting:
                self._refuse(a, NO_SPACE)
            return
        if not whole:
            self.link.send([BLOB_GET, request, pull.digest, len(pull.data)])
            return
        del self.fetching[request]
        self.blobs.put(bytes(pull.data))
        for a in waiting:
            a.waits_for.discard(digest)
            self._ready(a)

    def _on_log_wanted(self, request, run, unit, number, unit_id, stream, offset, most):
        a = self.held.get((run, unit, number))
        log = a.log if a else self.logs.get((run, unit, number))
        if log is None:
            self.link.send([LOG_CHUNK, request, number, 0, 0, True, False, False, b""])
            return
        data = log.bytes(uint(stream, 3))
        start = max(0, len(data) - uint(most)) if offset == U64 else min(uint(offset), len(data))
        piece = data[start : start + min(most, PIECE_BYTES)]
        ended = log.ended and start + len(piece) == len(data)
        self.link.send([LOG_CHUNK, request, number, start, start + len(piece), ended, True, False, piece])

    # ------------------------------------------------------------ blobs of a DISPATCH

    def _want(self, a, size, digest):
        if self.blobs.size(digest) is not None or digest in a.waits_for:
            return
        a.waits_for.add(digest)
        for pull, waiting in self.fetching.values():
            if pull.digest == digest:
                waiting.add(a)
                return
        self._fetch(Pull(size, digest), {a})

    def _fetch(self, pull, waiting):
        request = self._request()
        self.fetching[request] = (pull, waiting)
        self.link.send([BLOB_GET, request, pull.digest, len(pull.data)])

    def _want_outputs(self, a, deps):
        for dep in a_list(deps):
            need(len(a_list(dep)) in (6, 7), "a dep of %d fields" % len(dep))
            if type(dep[3]) is list:
                self._want(a, *blob_ref(dep[3]))

    def _ready(self, a):
        """Called when something came that the attempt waited for: TAKEN once all is there."""
        if a.waits_for or a.key not in self.held:
            return
        try:
            if a.deps_blob:
                a.deps = msgpack.unpackb(self.blobs.read(blob_ref(a.deps_blob)[1]), raw=False)
                a.deps_blob = None
                self._want_outputs(a, a.deps)
                if a.waits_for:
                    return
            a.spec = Spec(a.spec_data if a.spec_data is not None else self.blobs.read(a.spec_ref[1]))
            a.spec_data = b""
        except Malformed as e:
            self.tell(event="spec", unit=a.unit_id, why=str(e))
            return self._refuse(a, BAD_SPEC)
        a.log = Log(a.spec.log_bytes)
        if a.spec.idle_us and a.spec.kind == 0 or a.spec.slots > self.slots:
            return self._refuse(a, BAD_SPEC)
        if not a.spec.flags & SPEC_NO_WORKSPACE and not self._workspace(a):
            return self._refuse(a, NO_WORKSPACE)
        self._say(TAKEN, a.key)
        self._start_some()

    def _workspace(self, a):
        """Whether the tree of a unit of mode shared is here, under the path and with the id that DISPATCH told."""
        if a.workspace is None:
            return False
        name, a.root, a.namespaces = (text(t) for t in a_list(a.workspace, 3, 3))
        try:
            with open(os.path.join(a.root, ".reeve", "workspace-id"), encoding="ascii") as f:
                return f.read().strip() == name
        except (OSError, ValueError):
            return False

    def _refuse(self, a, why):
        self.held.pop(a.key, None)
        self.fence[a.key[:2]] = a.key[2], why
        self._say(REJECTED, a.key, why)
        self.tell(event="rejected", unit=a.unit_id, why=why)

    # ------------------------------------------------------------ units

    def _start_some(self):
        used = sum(a.spec.slots for a in self.held.values() if a.state in (RUNNING, FROZEN) and a.spec)
        for a in [a for a in self.held.values() if a.state == QUEUED and a.spec and not a.waits_for]:
            older = any(o.key[:2] == a.key[:2] and o.key[2] < a.key[2] and o.state != FINISHED for o in self.held.values())
            if older or used + a.spec.slots > self.slots:
                continue
            used += a.spec.slots
            self._start(a)
            if a.state == FINISHED:
                used -= a.spec.slots

    def _start(self, a):
        a.state, a.started, a.start_real = RUNNING, time.monotonic(), real_us()
        a.session_id = os.urandom(12).hex()
        if a.spec.kind == 1:
            return self._finish(a, SUCCEEDED, 0, 0)
        try:
            self._render(a)
            if a.spec.kind == 2:
                a.mock_at = a.started + a.spec.delay_us / 1e6
                self._say(STARTED, a.key, a.start_real)
                return None
            process = subprocess.Popen(a.argv, cwd=a.cwd, env=a.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       start_new_session=True, preexec_fn=die_with_parent)  # fmt: skip
        except LookupError as e:
            return self._finish(a, FAILED, CLASSES.index("config"), REASONS.index("template"), error=str(e))
        except (FileNotFoundError, PermissionError) as e:
            config = CLASSES.index("config"), REASONS.index("not_found")
            return self._finish(a, FAILED, *config, error="%s: %s" % (a.argv[0], os.strerror(e.errno)))
        except OSError as e:
            return self._finish(a, FAILED, CLASSES.index("environment"), REASONS.index("spawn"), error=str(e))
        a.process, a.pidfd, a.open = process, os.pidfd_open(process.pid), 2
        for stream, pipe in ((1, process.stdout), (2, process.stderr)):
            os.set_blocking(pipe.fileno(), False)
            self._watch(pipe.fileno(), lambda stream=stream, pipe=pipe: self._read(a, stream, pipe))
        self._watch(a.pidfd, lambda: self._exited(a))
        self._say(STARTED, a.key, a.start_real)
        self.tell(event="started", unit=a.unit_id, attempt=a.key[2])
        return None

    def _read(self, a, stream, pipe):
        while True:
            try:
                data = os.read(pipe.fileno(), 65536)
            except BlockingIOError:
                return
            if not data:
                self._unwatch(pipe.fileno())
                pipe.close()
                return
            a.log.add(stream, data)

    def _exited(self, a):
        """The unit's first process is gone: end what is left of its group, take the last bytes, and judge."""
        self._unwatch(a.pidfd)
        os.close(a.pidfd)
        self._signal(a, signal.SIGKILL)
        _, status, usage = os.wait4(a.process.pid, 0)
        a.process.returncode = os.waitstatus_to_exitcode(status)
        for stream, pipe in ((1, a.process.stdout), (2, a.process.stderr)):
            if not pipe.closed:
                self._read(a, stream, pipe)
            if not pipe.closed:
                self._unwatch(pipe.fileno())
                pipe.close()
        a.exit = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        a.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        a.cpu_us = int((usage.ru_utime + usage.ru_stime) * 1e6)
        a.rss = usage.ru_maxrss * 1024
        a.process = None
        self._judge(a)

    def _judge(self, a):
        printed = a.log.bytes(1)
        output, is_json = self._output(a, printed)
        artifacts = self._artifacts(a)
        if a.ending:
            return self._finish(a, *a.ending)
        if a.signal:
            return self._finish(a, FAILED, CLASSES.index("agent"), REASONS.index("signal"))
        if a.exit and a.spec.evidence != 1:
            kind = "agent", "exit"
            if a.exit in a.spec.rate_exits or any(t.lower() in a.log.bytes()[-TAIL_BYTES:].lower() for t in a.spec.rate_texts):
                kind = "rate_limited", "rate_limit"
            return self._finish(a, FAILED, CLASSES.index(kind[0]), REASONS.index(kind[1]))
        if a.spec.evidence and not artifacts or a.spec.required:
            missing = [g for g in a.spec.required if not any(_glob(g, name) for name, _, _ in artifacts)]
            if missing or not artifacts:
                why = "no artifact matches %s" % b", ".join(missing).decode() if missing else "no artifact"
                return self._finish(a, FAILED, CLASSES.index("evidence"), REASONS.index("no_artifact"), error=why, artifacts=artifacts)
        if a.spec.output == 1 and not is_json:
            return self._finish(a, FAILED, CLASSES.index("evidence"), REASONS.index("output_not_json"), artifacts=artifacts)
        return self._finish(a, SUCCEEDED, 0, 0, output=output, flags=IS_JSON if is_json else 0, artifacts=artifacts)

    def _output(self, a, printed):
        written = self._path(a, "output")
        if written and os.path.exists(written):
            with open(written, "rb") as f:
                data = f.read()
            return data, _is_json(data)
        if a.spec.output == 1:
            whole = printed.strip()
            fenced = re.search(rb"```(?:json)?\n(.*?)\n```\s*\Z", whole, re.S)
            for data in filter(None, (whole, fenced and fenced.group(1), whole.split(b"\n")[-1])):
                if _is_json(data):
                    return data, True
            return None, False
        lines = [line for line in printed.split(b"\n") if line.strip()]
        if not lines:
            return None, False
        return lines[-1].rstrip(b"\r")[-OUTPUT_LINE_BYTES:].decode("utf-8", "replace").encode(), False

    def _artifacts(self, a):
        found = []
        top = self._path(a, "artifacts")
        for folder, _, names in os.walk(top) if top else []:
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as f:
                        digest = self.blobs.put(f.read())
                    found.append([os.path.relpath(path, top).encode(), os.path.getsize(path), digest])
        return sorted(found)[:ARTIFACTS_MAX]

    def _mock_ends(self, a):
        a.mock_at = None
        if a.tries <= a.spec.fails:
            return self._finish(a, FAILED, CLASSES.index("agent"), REASONS.index("mock"))
        output = a.spec.mock_output or b"[AGENT] processed: " + a.prompt.encode()[:80]
        return self._finish(a, SUCCEEDED, 0, 0, output=output, flags=IS_JSON if a.spec.output == 1 else 0)

    def _finish(self, a, outcome, kind, reason, output=None, flags=0, error="", artifacts=()):
        ran = hasattr(a, "exit") or a.spec and a.spec.kind == 2 and a.state != QUEUED or outcome == SUCCEEDED
        duration = int((time.monotonic() - a.started) * 1e6) if ran else 0
        tail = a.log.bytes()[-TAIL_BYTES:] if outcome == FAILED and a.spec and a.spec.keep_logs != 1 else b""
        start = a.start_real if ran else 0
        a.result = [a.epoch, outcome, kind, reason, flags | (BEGAN if ran else 0) | (LOG_CUT if a.log.dropped else 0),
                    getattr(a, "exit", -1), getattr(a, "signal", 0), start, real_us() - start if ran else 0, duration,
                    getattr(a, "cpu_us", 0), getattr(a, "rss", 0), value_of(self.blobs, output), value_of(self.blobs, tail or None),
                    error.encode()[:1024], "", "none", [list(x) for x in artifacts]]  # fmt: skip
        a.log.ended = True
        a.state, a.kill_at = FINISHED, None
        self.logs[a.key] = a.log
        if a.silent:
            return self._drop(a)
        self._keep()
        self.tell(event="finished", unit=a.unit_id, attempt=a.key[2], outcome=outcome)
        if self.session:
            self._say_result(a)
        self._start_some()
        return None

    def _stop(self, a, grace_s, ending):
        if a.state == FINISHED:
            return
        a.ending = a.ending or ending
        a.mock_at = None
        if not a.process:
            self._finish(a, *a.ending)
            return
        self._signal(a, signal.SIGTERM if grace_s else signal.SIGKILL)
        if a.state == FROZEN:
            self._signal(a, signal.SIGCONT)
        at = time.monotonic() + grace_s
        a.kill_at = min(a.kill_at or at, at)

    def _signal(self, a, number):
        if a.process:
            try:
                os.killpg(a.process.pid, number)
            except ProcessLookupError:
                pass

    def _drop(self, a):
        """Forgets an attempt; one that still runs is ended first and then nothing is said of it."""
        if a.process:
            a.silent = True
            self._stop(a, 0, (CANCELLED, 0, 0))
            return
        self.held.pop(a.key, None)
        if a.state == FINISHED:
            self._keep()
        if getattr(a, "namespace", None):
            shutil.rmtree(a.namespace, ignore_errors=True)
        self._start_some()

    # ------------------------------------------------------------ what a unit sees

    def _path(self, a, name):
        return os.path.join(a.namespace, name) if getattr(a, "namespace", None) else None

    def _render(self, a):
        spec, run = a.spec, run_text(a.key[0])
        a.namespace = None
        values = json.loads(spec.context or b"{}")
        for name, index, flags, output, unit_id, attempt, *artifacts in a.deps or []:
            value = None
            if flags & 1 and output is not None:
                raw = self.blobs.read(blob_ref(output)[1]) if type(output) is list else output
                value = json.loads(raw) if flags & 2 else raw.decode()
            if index == 2**32 - 1:
                values["_dep_" + name] = value
            else:
                values.setdefault("_dep_" + name, []).append(value)
        if a.item is not None:
            values["item"] = json.loads(a.item)
        work = os.path.join(self.dir, "runs", run)
        os.makedirs(work, exist_ok=True)
        shared = not spec.flags & SPEC_NO_WORKSPACE
        own = {"REEVE_RUN_ID": run, "REEVE_UNIT_ID": a.unit_id, "REEVE_NODE": self.name, "REEVE_ATTEMPT": str(a.key[2]), "REEVE_TRY": str(a.tries),
               "REEVE_SESSION_ID": a.session_id}  # fmt: skip
        template = lambda s: fill(s.decode(), values) if spec.flags & SPEC_TEMPLATE else s.decode()  # noqa: E731
        prompt = spec.prompt or spec.description
        a.prompt = fill(prompt.decode(), values) if spec.flags & SPEC_PROMPT_TEMPLATE else prompt.decode()
        if spec.flags & SPEC_NAMESPACE:
            top = os.path.join(a.namespaces or os.path.join(a.root, ".reeve"), "runs", run) if shared else work
            a.namespace = os.path.join(top, "units", a.unit_id, str(a.key[2]))
            for name in ("artifacts", "tmp", "logs", "handoffs"):
                os.makedirs(self._path(a, name), mode=0o700)
            save(self._path(a, "context.json"), json.dumps(values).encode())
            save(self._path(a, "prompt.txt"), a.prompt.encode())
            own.update(REEVE_NAMESPACE=a.namespace, REEVE_ARTIFACTS=self._path(a, "artifacts"), REEVE_OUTPUT_FILE=self._path(a, "output"),
                       REEVE_CONTEXT_FILE=self._path(a, "context.json"), REEVE_PROMPT_FILE=self._path(a, "prompt.txt"),
                       REEVE_HANDOFFS=self._path(a, "handoffs"), TMPDIR=self._path(a, "tmp"))  # fmt: skip
        places = {"unit_id": a.unit_id, "model": spec.model.decode(), "prompt": a.prompt}
        if a.item is not None:
            places["item"] = _as_text(values["item"])
        if a.namespace:
            places.update(namespace=a.namespace, context_file=own["REEVE_CONTEXT_FILE"], prompt_file=own["REEVE_PROMPT_FILE"])
        known = re.compile(r"\{(%s)\}" % "|".join(places))
        a.argv = [known.sub(lambda m: places[m.group(1)], template(word)) for word in spec.argv]
        a.env = {k: os.environ[k] for k in ("PATH", "LANG", "TZ", "USER", "SHELL", "HOME") if k in os.environ}
        a.env.update({n.decode(): template(v) for n, v in zip(spec.env[::2], spec.env[1::2])})
        a.env.update(own)
        if shared:
            a.env["REEVE_WORKSPACE"] = a.root
        a.cwd = os.path.join(a.root if shared else a.namespace or work, template(spec.cwd))



def _as_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fill(string, values):
    def one(match):
        if match.group(0) == "{{{{":
            return "{{"
        parts = match.group(1).strip().split(".")
        for n in range(len(parts), 0, -1):  # the longest name wins: an id may have points in it
            if ".".join(parts[:n]) in values:
                value = values[".".join(parts[:n])]
                for part in parts[n:]:
                    value = value[int(part)] if isinstance(value, list) else value[part]
                return _as_text(value)
        raise LookupError("there is no value %s" % match.group(1))

    return re.sub(r"\{\{\{\{|\{\{([^{}]+)\}\}", one, string)


def _is_json(data):
    try:
        json.loads(data)
        return True
    except ValueError:
        return False


def _glob(pattern, name):
    parts = re.split(rb"(\*\*/?|\*|\?)", pattern)
    known = {b"**": b".*", b"**/": b"(?:.*/)?", b"*": b"[^/]*", b"?": b"[^/]"}
    return re.fullmatch(b"".join(known.get(p, re.escape(p)) for p in parts), name, re.S)
