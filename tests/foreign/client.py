"""client.py - a client of reeve, written from proto/PROTOCOL.md alone: submits, lists, follows, fetches, acts"""

import json
import os
import time

import zmq

from frames import *  # noqa: F403
from frames import Link, Pull, records
from node import fill

ROW_KINDS = {"about": 1, "runs": 2, "nodes": 3, "explain": 4, "keys": 5, "tokens": 6}
ACTS = "- cancel retry resume pause unpause hold release skip max_workers priority drain undrain remove tokens cost failed rm".split()
NO_NOTES = U64
LAST_BYTES = U64
WAIT_MS = 2000


class Refused(Exception):
    def __init__(self, code, message, hint):
        super().__init__("%s: %s%s" % (REFUSALS[code] if code < len(REFUSALS) else code, message, hint and " (%s)" % hint))
        self.code = code


class Unreachable(Exception):
    pass


class Graph:
    """The units that a plan's lines stand for, by their index, and what follows from the end of one for others."""

    def __init__(self, plan):
        self.ids, self.needs, self.rules, named = [], [], [], {}
        for line in [json.loads(text) for text in plan.decode().splitlines()[1:] if text.strip()]:
            first = len(self.ids)
            same = None
            if "for_each" in line:
                each = line["for_each"]
                same = named[each["same_as"]] if "same_as" in each else None
                items = [None] * len(same[0]) if same else each if isinstance(each, list) else range(1, each["count"] + 1)
                items = same[1] if same else items
                if "{{" in line["id"]:
                    self.ids += [fill(line["id"], {"item": item}) for item in items]
                else:
                    self.ids += ["%s-%0*d" % (line["id"], max(4, len(str(len(items)))), n) for n in range(1, len(items) + 1)]
                named[line["id"]] = range(first, len(self.ids)), items
            else:
                self.ids.append(line["id"])
                named[line["id"]] = range(first, first + 1), None
            for i in range(first, len(self.ids)):
                self.needs.append((line.get("depends_on", []), same[0][i - first] if same else None))
                self.rules.append(line.get("trigger_rule", "all_success"))
        self.needs = [[i for name in names for i in named[name][0]] + ([one] if one is not None else []) for names, one in self.needs]

    def verify(self):
        self.needs.append([])
        self.rules.append("all_success")

    def derive(self, units, over, stopped):
        """Skips are no facts: they follow from how dependencies ended. So does what a stopped run never started."""
        live = ("pending", "active", "retry_wait")
        again = True
        while again:
            again = False
            for i, unit in enumerate(units):
                if unit["state"] != "pending":
                    continue
                ends = [units[n]["state"] for n in self.needs[i]]
                bad = sum(e not in (*live, "succeeded") for e in ends)
                all_bad = bool(ends) and bad == len(ends)
                if self.rules[i] == "all_success" and bad or self.rules[i] == "all_done_min_one_success" and all_bad:
                    unit.update(state="skipped", reason="blocked")
                    again = True
        for unit in units:
            if not over or unit["state"] not in live:
                continue
            if stopped in ("fail_fast", "not_started") and unit.get("class", "none") != "none":
                unit.update(state="failed")  # it waited for one more try, which does not come
            else:
                unit.update(state="cancelled", reason="not_started" if stopped in (None, "fail_fast") else stopped)


class Client:
    """Asks one thing at a time. A link that is lost, or an answer that does not come, is asked anew over another link until `patience` is over."""

    def __init__(self, endpoint, server_key=None, keys=None, patience_s=30):
        self.endpoint, self.server_key, self.keys, self.patience_s = endpoint, server_key, keys, patience_s
        self.context = zmq.Context()
        self.link = None
        self.requests = 0
        self.links = 0

    def close(self):
        if self.link:
            self.link.close()
        self.context.term()

    def ask(self, kind, *fields, answer, wait_s=0):
        end = time.monotonic() + self.patience_s + wait_s
        pause = 0.1
        while time.monotonic() < end:
            if not self.link:
                self.link = Link(self.context, self.endpoint, self.server_key, self.keys)
                self.links += 1
            self.requests += 1
            self.link.send([kind, self.requests, *fields])
            try:
                return self._answer(self.requests, answer, min(end, time.monotonic() + wait_s + 5))
            except Unreachable as e:
                self.why = e
                self.link.close()
                self.link = None
            time.sleep(min(pause, max(0, end - time.monotonic())))
            pause = min(pause * 2, 2)
        raise Unreachable("no answer from %s: %s" % (self.endpoint, self.why))

    def _answer(self, request, kind, end):
        while True:
            for message in self.link.frames():
                if len(message) < 2 or message[1] != request:
                    continue  # the answer to something that was given up
                if message[0] == REFUSED:
                    raise Refused(uint(message[2]), text(message[3]), text(message[4]))
                need(message[0] == kind, "%s where %s was asked" % (NAMES.get(message[0]), NAMES[kind]))
                return message[2:]
            if self.link.watch():
                raise Unreachable(self.link.lost)
            left = end - time.monotonic()
            if left <= 0:
                raise Unreachable("silence")
            poller = zmq.Poller()
            poller.register(self.link.socket, zmq.POLLIN)
            poller.register(self.link.monitor, zmq.POLLIN)
            poller.poll(left * 1000)

    # ------------------------------------------------------------ lists

    def rows(self, what, run=0, unit="", at_once=100):
        cursor, all_rows = 0, []
        while True:
            cursor, rows = self.ask(ASK, ROW_KINDS[what], run, unit, cursor, at_once, answer=ROWS)
            all_rows += [json.loads(text(r)) for r in rows]
            if not uint(cursor):
                return all_rows

    # ------------------------------------------------------------ a plan becomes a run

    def submit(self, plan, priority=0, workspace="", piece=PIECE_BYTES, submission=None):
        """`plan`: bytes, JSON lines. Gives (submission, run)."""
        submission = submission or int.from_bytes(os.urandom(8), "little") | 1
        got, offset, run, _ = self.ask(SUBMIT_BEGIN, submission, len(plan), priority, workspace, 0, False, answer=SUBMITTED)
        need(got == submission, "another submission")
        while not run and offset < len(plan):
            _, offset, run, _ = self.ask(SUBMIT_DATA, submission, offset, plan[offset : offset + piece], answer=SUBMITTED)
        if not run:
            _, offset, run, _ = self.ask(SUBMIT_COMMIT, submission, digest_of(plan), answer=SUBMITTED, wait_s=30)
        return submission, uint(run)

    # ------------------------------------------------------------ blobs and logs

    def blob(self, size, digest):
        pull = Pull(size, digest)
        while True:
            got, size, offset, data = self.ask(BLOB_GET, digest, len(pull.data), answer=BLOB_BYTES)
            if pull.piece(byte_string(got, 32), uint(size), uint(offset), byte_string(data)):
                return bytes(pull.data)

    def value(self, value):
        if value is None or type(value) is bytes:
            return value
        size, digest = value
        return self.blob(size, digest)

    def log(self, run, unit, attempt=0, stream=3, most=PIECE_BYTES):
        offset, data = 0, b""
        while True:
            _, start, offset, ended, known, _, piece = self.ask(LOG, run, unit, attempt, stream, offset, most, WAIT_MS, answer=LOG_BYTES, wait_s=WAIT_MS / 1000)
            if not known:
                return None
            need(start == len(data), "a hole in the log")
            data += piece
            if ended:
                return data

    # ------------------------------------------------------------ acts

    def act(self, what, run=0, unit="", node="", value=0, note=b"", prompt=b"", agent="", act_id=None):
        act_id = act_id or int.from_bytes(os.urandom(8), "little") | 1
        before, changed, _ = self.ask(ACT, act_id, ACTS.index(what), run, unit, node, value, note, prompt, agent, answer=DONE)
        return act_id, before, changed

    # ------------------------------------------------------------ a run, followed and folded

    def follow(self, run, on_fact=lambda position, index, record: None):
        """Reads the facts of a run until it is over and all has been told. Gives them as [(position, index, record)]."""
        position = index = note = 0
        facts, told, wait = [], set(), 0
        while True:
            position, index, note, ended, rows, notes = self.ask(FACTS, run, position, index, note, 65536, wait, answer=FACT_ROWS, wait_s=wait / 1000)
            for at, epoch, real, first, data in rows:
                for i, record in enumerate(records(data), first):
                    need((at, i) not in told, "fact %d.%d twice" % (at, i))
                    told.add((at, i))
                    facts.append((at, i, record))
                    on_fact(at, i, record)
            if ended:
                return facts
            wait = WAIT_MS

    def account(self, run):
        """The run as its facts and its plan say: what the coordinator itself would tell."""
        account = {"run": run_text(run), "state": None, "units": {}, "nodes": {}}
        facts = self.follow(run)
        accepted = next(r for _, _, r in facts if r[0] == 2)
        plan = self.value_by_digest(accepted[3])
        account["name"], account["plan"], stopped = accepted[2], plan, None
        graph = Graph(plan)
        units = [{"id": id, "state": "pending", "attempts": 0, "node": None, "output": None} for id in graph.ids]
        for _, _, (kind, *f) in facts:
            if kind == 9:
                account["nodes"][f[0]] = f[2]
            elif kind == 3 and f[1] == len(units):
                units.append({"id": "__verify__", "state": "active"})
                graph.verify()
                units[-1].update(attempts=f[2], node=f[3])
            elif kind == 3:
                units[f[1]].update(state="active", attempts=f[2], node=f[3])
            elif kind == 4:
                self._ended(units[f[1]], f)
            elif kind == 5:
                units[f[1]].update({"state": "retry_wait", "node": f[3], "class": CLASSES[f[7]], "reason": REASONS[f[8]]})
            elif kind == 6:
                stopped = REASONS[f[1]]
            elif kind == 8 and f[0] == ACTS.index("cancel") and f[2] == 2**32 - 1:
                stopped = "cancelled"
            elif kind == 7:
                account.update(state=UNIT_STATES[f[1]], reason=REASONS[f[2]], counts=f[3:7])
        graph.derive(units, account["state"] is not None, stopped)
        states = [u["state"] for u in units]
        if account["state"]:
            counted = [states.count(UNIT_STATES[n]) for n in (1, 2, 3, 4)]
            need(counted == account["counts"], "counted %s, the fact says %s" % (counted, account["counts"]))
        for u in units:
            u["node"] = account["nodes"].get(u["node"])
            account["units"][u["id"]] = u
        return account

    def _ended(self, unit, f):
        _, _, attempt, node, state, *rest = f
        unit.update(state=UNIT_STATES[state])
        if attempt:
            unit.update(attempts=attempt, node=node)
        result = rest
        epoch, outcome, kind, reason, flags, status, number, *_ = result
        unit.update({"class": CLASSES[kind], "reason": REASONS[reason], "exit": status})
        if len(result) > 12 and result[12] is not None:
            unit["output"] = self.value(result[12])

    def value_by_digest(self, digest):
        return self.blob(None, byte_string(digest, 32))
