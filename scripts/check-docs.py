#!/usr/bin/env python3
"""The docs name tests, scripts, make targets and audits that exist, and every audit is named in docs/invariants.md."""

import glob
import re
import sys


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def main():
    wrong = []
    docs = ['README.md'] + sorted(glob.glob('docs/*.md'))
    tests = {re.sub(r'.*/|\.c$', '', p) for p in glob.glob('tests/*/*_*.c')}
    targets = set(re.findall(r'^([a-z-]+):', read('Makefile'), re.M))
    for path in docs:
        text = read(path)
        for name in re.findall(r'`((?:test|fuzz)_\w+)`', text):
            if name not in tests:
                wrong.append(f'{path}: there is no test {name}')
        for name in re.findall(r'`((?:common|proto|coordinator|node|cli|tests|scripts|docs|bench|examples|\.ci)/[\w./-]*\w)`', text):
            if re.search(r'[*]|NN|MODULE', name) or glob.glob(name) or glob.glob(name + '.*'):
                continue
            wrong.append(f'{path}: there is no {name}')
        for name in re.findall(r'`make (?:[A-Z]+=\S+ )*([a-z-]+)', text):
            if name not in targets:
                wrong.append(f'{path}: there is no target {name}')
    text = read('docs/invariants.md')
    named = set(re.findall(r'^\| ([ANK]\d+) \|', text, re.M))
    audits = set()
    for path, letter in (('coordinator/core/audit.c', 'A'), ('node/core/audit.c', 'N'), ('coordinator/access.h', 'K')):
        audits |= set(re.findall(rf'\b({letter}\d+):', read(path)))
    for name in sorted(named - audits):
        wrong.append(f'docs/invariants.md: no audit is called {name}')
    for name in sorted(audits - named):
        wrong.append(f'docs/invariants.md: audit {name} is not listed')
    for line in wrong:
        print(line)
    print(f'check-docs: {len(docs)} documents, {len(audits)} audits, {len(wrong)} wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
