#!/usr/bin/env python3
"""One command over many inputs: reeve run -- CMD, GNU parallel, xargs, side by side.

  fanout.py [--units 1000] [--rounds 5] [--jobs 2] [--command true]

Each round runs each of them once, in turn. Time is from start to exit, CPU that of the whole tree; all of them write to a pipe that is read.
A contender that is not installed is left out.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REEVE = os.environ.get('REEVE', os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'build', 'reeve'))


def contenders(a, inputs):
    command = a.command.split()
    jobs = str(a.jobs)
    yield 'reeve run', [REEVE, 'run', '-j', jobs, '--each', inputs, '--'] + command
    yield 'parallel -k', ['parallel', '-k', '-j', jobs, '-a', inputs] + command
    yield 'xargs -n1', ['xargs', '-P', jobs, '-n1', '-a', inputs] + command


def once(argv, where):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=where, check=False)
    took = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if p.returncode:
        sys.exit(f'{argv[0]}: exit {p.returncode}\n{p.stderr.decode(errors="replace")}')
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, p.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--units', type=int, default=1000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--command', default='true')
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as where:
        os.makedirs(os.path.join(where, '.parallel'))
        open(os.path.join(where, '.parallel', 'will-cite'), 'w', encoding='ascii').close()
        os.environ['HOME'] = where
        inputs = os.path.join(where, 'inputs')
        with open(inputs, 'w', encoding='ascii') as f:
            f.writelines(f'{i}\n' for i in range(a.units))
        all_of_them = [(n, v) for n, v in contenders(a, inputs) if shutil.which(v[0])]
        rows = {name: [] for name, _ in all_of_them}
        said = {}
        for _ in range(a.rounds):
            for name, argv in all_of_them:
                took, cpu, out = once(argv, where)
                rows[name].append((took, cpu))
                said[name] = out
        for name in ('parallel -k', ):
            if name in said and said[name] != said['reeve run']:
                sys.exit(f'{name} and reeve did not print the same')
    print(f'{a.units} x {a.command}, {a.jobs} at once, median of {a.rounds} (lowest to highest)\n')
    print('|  | s | us a unit | CPU us a unit |\n|---|---|---|---|')
    for name, row in rows.items():
        took = sorted(t for t, _ in row)
        cpu = statistics.median(c for _, c in row)
        print(f'| {name} | {statistics.median(took):.3f} ({took[0]:.3f} to {took[-1]:.3f}) | {statistics.median(took) / a.units * 1e6:.0f} | {cpu / a.units * 1e6:.0f} |')


if __name__ == '__main__':
    main()
