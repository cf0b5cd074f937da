#!/usr/bin/env python3
"""What a live view costs while 100,000 units run (docs/performance.md, "Live views").

  bench/views.py [--reeve build/reeve] [--units 100000] [--per-second 400] [--seconds 120]

One `reeve run` of mock agents in a scratch directory; `watch` and `top` on it, one after the other, each on a terminal of 120 x 40 that nobody
but this reads. Said of each, from five seconds after it has drawn first (before, it reads the plan and what has been): CPU time as a share of a core, bytes drawn a
second, memory; and what `run` itself took meanwhile, with and without somebody watching.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import time

TICKS = os.sysconf('SC_CLK_TCK')


def cpu_s(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mib(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return next(int(line.split()[1]) for line in f if line.startswith('VmHWM')) / 1024


def drain(fd, until):
    """Bytes that were drawn until then."""
    count = 0
    while (left := until - time.monotonic()) > 0:
        if select.select([fd], [], [], left)[0]:
            try:
                count += len(os.read(fd, 65536))
            except OSError:
                raise SystemExit('the view has ended')
    return count


def measure(reeve, verb, run_pid, seconds):
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 120, 0, 0))
        os.environ.update(TERM='xterm-256color')
        os.environ.pop('CI', None)
        os.execvp(reeve, [reeve, verb])
    first = time.monotonic()
    while drain(fd, time.monotonic() + 0.2) < 1000:
        if time.monotonic() > first + 120:
            raise SystemExit('nothing is drawn')
    drain(fd, time.monotonic() + 5)
    began, cpu, run_cpu = time.monotonic(), cpu_s(pid), cpu_s(run_pid)
    drawn = drain(fd, began + seconds)
    took = time.monotonic() - began
    print(f'{verb}: {100 * (cpu_s(pid) - cpu) / took:.2f} % of a core, {drawn / took / 1024:.1f} KiB drawn a second, {peak_mib(pid):.0f} MiB; '
          f'run meanwhile {100 * (cpu_s(run_pid) - run_cpu) / took:.1f} %', flush=True)
    os.write(fd, b'q')
    time.sleep(1)
    os.close(fd)
    os.waitpid(pid, 0)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--reeve', default='build/reeve')
    p.add_argument('--units', type=int, default=100000)
    p.add_argument('--per-second', type=int, default=400)
    p.add_argument('--seconds', type=float, default=60)
    a = p.parse_args()
    reeve, scratch = os.path.abspath(a.reeve), tempfile.mkdtemp(prefix='reeve-views-')
    os.chdir(scratch)
    slots = max(1, a.per_second // 10)
    with open('plan.jsonl', 'w', encoding='ascii') as f:
        f.write(json.dumps({'version': 1, 'name': 'views', 'agents': {'m': {'profile': 'mock', 'mock': {'delay_s': 0.1, 'tokens': 10}},
                                                                      'bad': {'profile': 'mock', 'mock': {'delay_s': 0.1, 'fail': 9}}}}) + '\n')
        for i in range(a.units):
            f.write(json.dumps({'id': f'unit-{i:06}', 'agent': 'bad' if i % 50 == 7 else 'm', 'prompt': 'x'}) + '\n')
    with open('plan.jsonl', 'rb') as plan:
        run = subprocess.Popen([reeve, 'run', '-', '--agent-slots', str(slots), '--show', 'none'], stdin=plan, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        time.sleep(15)  # the plan is read, units end at an even pace
        before, cpu = time.monotonic(), cpu_s(run.pid)
        time.sleep(15)
        print(f'run alone: {100 * (cpu_s(run.pid) - cpu) / (time.monotonic() - before):.1f} %', flush=True)
        for verb in ('watch', 'top'):
            measure(reeve, verb, run.pid, a.seconds)
        left = subprocess.run([reeve, 'top', '-o', 'json'], capture_output=True, text=True, check=True)
        r = json.loads(left.stdout)['runs'][0]
        print(f'{r["succeeded"] + r["failed"]} of {r["total"]} units had ended, {r["failed"]} failed')
    finally:
        run.kill()
        run.wait()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == '__main__':
    main()
