#!/usr/bin/env python3
"""A cluster whose parts are killed and stopped at random; afterwards its journal is held against what the units saw.

  kills.py [--seconds 150] [--seed N] [--units 2000] [--link tcp|ipc] [--nodes 3] [--slots 8] [--settle 240] [--keep]

Coordinator and nodes run on this machine (tcp: 127.0.0.1 alone) in a directory of their own. For --seconds, every 0.1 to 2 s one of them gets KILL
(coordinator; daemon, warden, or both at once), TERM or STOP, and is started or continued at once or later. Then everybody gets well, and the run has
--settle seconds to end. Each unit, a fifth of them at_most_once, appends "start UNIT ATTEMPT NODE" and "end ..." to a witness file. Wrong is:

  lost            a unit did not end, or succeeded in an attempt that the witness did not see end, or an ordinary one failed after fewer starts than its limits allow
  accepted twice  the journal has more than one end of a unit
  started twice   the witness has two starts of one attempt, or of one at_most_once unit

Exit 0: nothing of it; 1: something, and the directory stays. The same seed gives the same kills, though not at the same instants of the run.
"""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REEVE = os.environ.get('REEVE', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'build', 'reeve'))
LIMIT = 3  # of node_lost and environment, the default: an ordinary unit may fail once it began so often
SHOWN = 10


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Cluster:
    def __init__(self, a):
        self.dir = tempfile.mkdtemp(prefix='reeve-chaos-')
        self.state = os.path.join(self.dir, 'co')
        self.witness = os.path.join(self.dir, 'witness')
        self.slots = str(a.slots)
        self.starts = collections.Counter()
        self.nodes, self.stopped, self.away = {}, {}, {}  # by name: the process; until when, and whom; until when
        self.coordinator = None
        self.listen, self.reach = [], ['--coordinator', self.state]
        if a.link == 'tcp':
            with socket.socket() as s:
                s.bind(('127.0.0.1', 0))
                self.listen = ['--listen', f'tcp://127.0.0.1:{s.getsockname()[1]}']
        self.start_coordinator()
        if a.link == 'tcp':
            token = self.ask('token', 'create', '--coordinator', self.state, '--uses', str(a.nodes)).stdout
            self.reach = ['--token-file', os.path.join(self.dir, 'token')]
            with open(self.reach[1], 'w', encoding='ascii') as f:
                f.write(token)
        for i in range(a.nodes):
            self.start_node(f'n{i + 1}')

    def start(self, name, argv):
        self.starts[name] += 1
        path = os.path.join(self.dir, f'{name}.{self.starts[name]}.log')
        with open(path, 'w', encoding='ascii') as log:
            return subprocess.Popen([REEVE] + argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True), path

    def start_coordinator(self):
        self.coordinator, path = self.start('co', ['coordinator', '--state', self.state] + self.listen)
        until = time.monotonic() + 30
        while True:
            with open(path, encoding='utf-8', errors='replace') as f:
                said = f.read()
            if 'coordinator_serving' in said:
                return
            if self.coordinator.poll() is not None or time.monotonic() > until:
                sys.exit(f'the coordinator does not serve: {said}')
            time.sleep(0.02)

    def start_node(self, name):
        self.nodes[name], _ = self.start(name, ['node', '--state', os.path.join(self.dir, name), '--name', name, '--slots', self.slots] + self.reach)

    def daemon(self, name):
        """The warden is the first process, the daemon its first child."""
        pid = self.nodes[name].pid
        try:
            with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
                return [int(p) for p in f.read().split()[:1]]
        except OSError:
            return []

    def ask(self, *argv):
        done = subprocess.run([REEVE, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode and argv[0] != 'status':
            sys.exit(f'{argv[0]}: exit {done.returncode}\n{done.stderr}')
        return done

    def fault(self, rng, now):
        what = rng.choice(['co', 'co', 'co-and-node', 'co-stop', 'node', 'daemon', 'warden', 'stop', 'stop-short', 'term'])
        name = rng.choice(sorted(self.nodes))
        long, back, silent = rng.uniform(5, 9), rng.choice([0, 1, 6]), rng.choice([0, 0, 0.5, 3, 6])
        if name in self.away or name in self.stopped:
            return None
        pids = [self.nodes[name].pid] + self.daemon(name)
        if what in ('node', 'co-and-node'):
            for number in (signal.SIGSTOP, signal.SIGKILL):  # at once, as far as that goes
                for pid in pids:
                    send(pid, number)
        elif what in ('daemon', 'warden'):
            send(pids[what == 'daemon' and len(pids) > 1], signal.SIGKILL)
        elif what == 'term':
            send(pids[0], signal.SIGTERM)
        elif what in ('stop', 'stop-short'):
            for pid in pids:
                send(pid, signal.SIGSTOP)
            self.stopped[name] = (now + (long if what == 'stop' else long / 6), pids)
        if what in ('node', 'co-and-node', 'daemon', 'warden', 'term'):
            self.nodes[name].wait(40)
            self.away[name] = now + back
        if what in ('co', 'co-and-node'):
            self.coordinator.kill()
            self.coordinator.wait()
            time.sleep(silent)
            self.start_coordinator()
        elif what == 'co-stop':
            send(self.coordinator.pid, signal.SIGSTOP)
            time.sleep(silent)
            send(self.coordinator.pid, signal.SIGCONT)
        return what

    def get_well(self, now):
        """Starts and continues those whose time it is; nodes that ended by themselves, too: returns how many."""
        by_themselves = 0
        for name in [n for n, (at, _) in self.stopped.items() if now >= at]:
            for pid in self.stopped.pop(name)[1]:
                send(pid, signal.SIGCONT)
        for name in [n for n, at in self.away.items() if now >= at]:
            del self.away[name]
            self.start_node(name)
        for name, process in self.nodes.items():
            if name not in self.away and process.poll() is not None:
                by_themselves += 1
                self.start_node(name)
        return by_themselves

    def end(self):
        """TERM to all of them, KILL to who is left: says who did not end by itself."""
        processes = list(self.nodes.items()) + [('coordinator', self.coordinator)]
        stay = []
        self.get_well(float('inf'))
        for _, process in processes:
            send(process.pid, signal.SIGCONT)
            process.terminate()
        for name, process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                stay.append(name)
                process.kill()
                process.wait()
        return stay


def plan(a, witness):
    say = f'echo %s $REEVE_UNIT_ID $REEVE_ATTEMPT $REEVE_NODE >>{witness}'
    command = ['sh', '-c', f'{say % "start"}; sleep 0.$(($$ % 9))5; {say % "end"}']
    once = a.units // 5
    return {'version': 1, 'name': 'chaos', 'workspace': {'mode': 'none'}, 'lost_after_s': 4,
            'limits': {'node_lost': LIMIT, 'environment': LIMIT}, 'units': [
                {'id': 'any', 'for_each': {'count': a.units - once}, 'command': command},
                {'id': 'once', 'for_each': {'count': once}, 'at_most_once': True, 'command': command}]}


def hold_against(a, ends, witness):
    """ends: unit -> its ends in the journal; witness: lines. Returns (kind, text) of all that is wrong, and counts."""
    wrong, counts = [], collections.Counter()
    starts, done = collections.defaultdict(list), collections.defaultdict(set)
    for line in witness:
        what, unit, attempt = line.split()[:3]
        if what == 'start':
            starts[unit].append(int(attempt))
        else:
            done[unit].add(int(attempt))
    for unit, numbers in starts.items():
        twice = [n for n, c in collections.Counter(numbers).items() if c > 1]
        if twice:
            wrong.append(('started twice', f'{unit}: attempts {twice}; all starts {numbers}'))
        if unit.startswith('once') and len(numbers) > 1:
            wrong.append(('started twice', f'{unit}, at_most_once: {numbers}'))
        counts['starts'] += len(numbers)
    if len(ends) != a.units:
        wrong.append(('lost', f'{len(ends)} of {a.units} units have an end'))
    for unit, how in sorted(ends.items()):
        if len(how) > 1:
            wrong.append(('accepted twice', f'{unit}: {how}'))
        end = how[0]
        state, reason = end.get('state'), end.get('reason')
        began = len(starts[unit])
        counts[f'{unit.split("-")[0]} {state}' + (f' {reason}' if reason else '')] += 1
        if state == 'succeeded':
            if end['attempt'] not in done[unit]:
                wrong.append(('lost', f'{unit}: attempt {end["attempt"]} succeeded, and did not end; starts {starts[unit]}'))
        elif unit.startswith('once'):
            counts['once failed, never started'] += not began
        elif began < LIMIT:
            wrong.append(('lost', f'{unit}: {state} {reason} after starts {starts[unit]}'))
    return wrong, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=150)
    parser.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(3), 'big'))
    parser.add_argument('--units', type=int, default=2000)
    parser.add_argument('--link', choices=('tcp', 'ipc'), default='tcp')
    parser.add_argument('--nodes', type=int, default=3)
    parser.add_argument('--slots', type=int, default=8)
    parser.add_argument('--settle', type=float, default=240)
    parser.add_argument('--keep', action='store_true')
    a = parser.parse_args()
    rng, faults, wrong = random.Random(a.seed), collections.Counter(), []
    os.umask(0o077)
    c = Cluster(a)
    print(f'seed {a.seed}, {a.link}, {a.units} units, {a.seconds:g} s in {c.dir}', flush=True)
    try:
        path = os.path.join(c.dir, 'plan.json')
        with open(path, 'w', encoding='ascii') as f:
            json.dump(plan(a, c.witness), f)
        run = c.ask('submit', '--coordinator', c.state, path).stdout.strip()
        until = time.monotonic() + a.seconds
        while time.monotonic() < until:
            time.sleep(rng.uniform(0.1, 2))
            faults['ended by itself'] += c.get_well(time.monotonic())
            faults[c.fault(rng, time.monotonic()) or 'spared'] += 1
        print('faults', json.dumps(dict(sorted(faults.items()))), flush=True)
        c.get_well(float('inf'))
        until, status = time.monotonic() + a.settle, {}
        while time.monotonic() < until and status.get('state') not in ('succeeded', 'failed', 'cancelled'):
            time.sleep(0.5)
            c.get_well(float('inf'))
            status = json.loads(c.ask('status', '--coordinator', c.state, run, '-o', 'json').stdout or '{}')
        if status.get('state') not in ('succeeded', 'failed'):
            wrong.append(('lost', f'the run is {status.get("state")} {a.settle:g} s after the last fault'))
        ends = collections.defaultdict(list)
        for line in c.ask('export', '--coordinator', c.state, 'events', run).stdout.splitlines():
            event = json.loads(line)
            if event.get('type', event.get('event')) == 'unit_finished':
                ends[event['unit']].append(event)
        with open(c.witness, encoding='ascii') as f:
            more, counts = hold_against(a, ends, f)
        wrong += more
        print('units', json.dumps(dict(sorted(counts.items()))), flush=True)
    finally:
        wrong += [('lost', f'{name} does not end at TERM') for name in c.end()]
    for kind, text in wrong[:SHOWN]:
        print(f'WRONG {kind}: {text}')
    kinds = collections.Counter(kind for kind, _ in wrong)
    print(', '.join(f'{kinds[k]} {k}' for k in ('lost', 'accepted twice', 'started twice')), flush=True)
    if not wrong and not a.keep:
        shutil.rmtree(c.dir)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
