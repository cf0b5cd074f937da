#!/usr/bin/env python3
"""light_nodes.py REEVE [--nodes 10,1000] [--slots 2000] [--units 100000] [--rounds 3] - what a unit costs the coordinator by the number of nodes

A coordinator (ipc, process durability) and light nodes, which are sockets of this one program: each takes what it is sent and answers with a
RESULT at once. The nodes share the same number of slots however many they are, so what is in flight is the same. Printed is the coordinator's
own CPU time a unit, from the plan's submission to the run's end. Needs python3-zmq and python3-msgpack."""
import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

import msgpack
import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
import peer  # noqa: E402

HEARTBEAT_S = 2


def cpu_s(pid):
    """Of all its threads."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as f:
            total += int(f.read().split()[0])
    return total / 1e9


class Node:
    def __init__(self, context, endpoint, number, slots):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        key = number.to_bytes(4, "big") * 8
        node = [f"n{number}", key, b"b" * 16, 1, slots, 1, 1 << 30, [], [], "none", []]
        self.socket.send(msgpack.packb([1, [peer.HELLO, node, 1, 0, True, []]]))
        self.sent = self.received = self.beats = 0
        self.session = None

    def take(self):
        """Answers everything that has come; gives how many results are settled by it."""
        units = 0
        while True:
            try:
                frame = msgpack.unpackb(self.socket.recv(zmq.NOBLOCK), raw=False, strict_map_key=False)
            except zmq.Again:
                return units
            for message in frame[1:]:
                units += self.one(message)

    def one(self, m):
        if m[0] == peer.WELCOME:
            self.session, self.sent, self.received = m[2], 0, 0
        elif m[0] == peer.DISPATCH:
            now = int(time.time() * 1e6)
            results = [[unit, attempt, epoch, 1, 0, 0, 1, 0, 0, now, 0, 0, 0, 0] for unit, attempt, epoch, *_ in m[4]]
            self.received += len(results)
            self.sent += len(results)
            self.socket.send(msgpack.packb([1, [peer.RESULT, m[1], results]]))
        elif m[0] == peer.RESULT_ACK:
            self.received += len(m[2])
            return len(m[2])
        elif m[0] == peer.GOAWAY:
            sys.exit(f"a node was sent away: {m}")
        return 0

    def beat(self):
        if self.session is not None:
            self.beats += 1
            self.socket.send(msgpack.packb([1, [peer.HEARTBEAT, self.session, self.beats, self.sent, self.received, 0, 0]]))


def measure(reeve, count, slots, units):
    with tempfile.TemporaryDirectory() as work:
        state = os.path.join(work, "co")
        log = open(os.path.join(work, "log"), "w")
        co = subprocess.Popen([reeve, "coordinator", "--state", state, "--durability", "process"], stderr=log)
        try:
            while subprocess.run([reeve, "nodes", "--coordinator", state], capture_output=True).returncode:
                time.sleep(0.1)
            endpoint = "ipc://" + os.path.join(state, "sock")
            context = zmq.Context.instance()
            context.max_sockets = max(context.max_sockets, count + 16)
            nodes = [Node(context, endpoint, i + 1, slots // count) for i in range(count)]
            poller = zmq.Poller()
            by_socket = {}
            for n in nodes:
                poller.register(n.socket, zmq.POLLIN)
                by_socket[n.socket] = n
            while any(n.session is None for n in nodes):
                for s, _ in poller.poll(1000):
                    by_socket[s].take()
            plan = os.path.join(work, "plan.yaml")
            with open(plan, "w") as f:
                f.write(f"version: 1\nunits:\n  - {{id: u, command: [\"true\"], for_each: {{count: {units}}}}}\n")
            before, t0 = cpu_s(co.pid), time.monotonic()
            subprocess.run([reeve, "submit", "--coordinator", state, plan], check=True, capture_output=True)
            done, beat = 0, time.monotonic()
            while done < units:
                for s, _ in poller.poll(1000):
                    done += by_socket[s].take()
                if time.monotonic() - beat > HEARTBEAT_S:
                    beat = time.monotonic()
                    for n in nodes:
                        n.beat()
                if time.monotonic() - t0 > 300:
                    sys.exit(f"{done} of {units} after 300 s")
            return (cpu_s(co.pid) - before) / units * 1e6, units / (time.monotonic() - t0)
        finally:
            for n in locals().get("nodes", []):
                n.socket.close()
            co.terminate()
            co.wait()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("reeve")
    p.add_argument("--nodes", default="10,1000")
    p.add_argument("--slots", type=int, default=2000)
    p.add_argument("--units", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=3)
    a = p.parse_args()
    counts = [int(x) for x in a.nodes.split(",")]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8 * max(counts) + 256)), hard))
    got = {c: [] for c in counts}
    for _ in range(a.rounds):
        for c in counts:
            got[c].append(measure(os.path.abspath(a.reeve), c, a.slots, a.units))
    print(f"{a.units} units, {a.slots} slots in all, {a.rounds} rounds; load average {os.getloadavg()[0]:.1f}")
    print("| nodes | coordinator CPU us a unit, best (all) | units/s, best |\n|---|---|---|")
    for c in counts:
        cpu = sorted(x for x, _ in got[c])
        print("| %d | %.1f (%s) | %.0f |" % (c, cpu[0], ", ".join("%.1f" % x for x in cpu), max(r for _, r in got[c])))


if __name__ == "__main__":
    main()
