#!/usr/bin/env python3
"""coverage.py BUILD [PREFIX...]: line and branch coverage a file, from what PROFILE=cov left behind.

With a PREFIX (coordinator/core, common/map.c) only those files, and their uncovered lines. Lines that only rv_check() can reach
are not counted as branches: gcov's `throw` and calls of noreturn functions are left out.
"""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile


def main():
    build = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/cov')
    prefixes = sys.argv[2:]
    root = os.getcwd()
    notes = []
    for where, _, names in os.walk(build):
        notes += [os.path.join(where, n) for n in names if n.endswith('.gcda')]
    if not notes:
        print(f'nothing ran below {build}: make PROFILE=cov unit core')
        return 1
    lines, branches = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for at in range(0, len(notes), 50):
            subprocess.run(['gcov', '--json-format', '--branch-probabilities', *notes[at:at + 50]], cwd=scratch, check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for name in os.listdir(scratch):
                with gzip.open(os.path.join(scratch, name), 'rt') as f:
                    data = json.load(f)
                os.unlink(os.path.join(scratch, name))
                for entry in data['files']:
                    path = os.path.relpath(os.path.join(data['current_working_directory'], entry['file']), root)
                    if path.startswith(('..', '/', 'tests/')):
                        continue
                    hits, ways = lines.setdefault(path, {}), branches.setdefault(path, {})
                    for line in entry['lines']:
                        n = line['line_number']
                        hits[n] = hits.get(n, 0) + line['count']
                        for i, b in enumerate(line.get('branches', [])):
                            if not b['throw']:
                                ways[n, i] = ways.get((n, i), 0) + b['count']
    total = covered = 0
    print(f'{"file":<44} {"lines":>6} {"%":>6} {"branches %":>11}')
    for path in sorted(lines):
        if prefixes and not any(path.startswith(p) for p in prefixes):
            continue
        with open(path, encoding='utf-8') as f:
            source = f.read().splitlines()
        hits = lines[path]
        ways = {k: v for k, v in branches[path].items()
                if k[0] <= len(source) and not re.search(r'\brv_check\(', source[k[0] - 1])}
        good = sum(1 for v in hits.values() if v)
        taken = sum(1 for v in ways.values() if v)
        total += len(hits)
        covered += good
        print(f'{path:<44} {len(hits):>6} {100 * good / max(1, len(hits)):>6.1f} '
              f'{100 * taken / max(1, len(ways)):>11.1f}')
        if prefixes:
            for n in sorted(n for n, v in hits.items() if not v):
                print(f'    {n:>5}: {source[n - 1].strip()}')
    print(f'{"all":<44} {total:>6} {100 * covered / max(1, total):>6.1f}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
