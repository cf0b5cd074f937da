#!/usr/bin/env python3
"""The docs name tests, scripts, make targets and audits that exist, every audit is named in docs/invariants.md, and every verb in docs/testing.md."""

import glob
import re
import sys


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def verbs():
    """The table of docs/testing.md has each verb of cli/commands.c once, schemas that exist, and tests that use the verb."""
    path = 'docs/testing.md'
    wrong = []
    section = read(path).split('## Verbs\n')[1].split('\n## ')[0]
    rows = re.findall(r'^\| `([a-z]+)` \| (.*) \| .* \| (.*) \|$', section, re.M)
    listed = [verb for verb, _, _ in rows]
    known = re.findall(r'^\t\{ "([a-z]+)",', read('cli/commands.c'), re.M)
    wrong += [f'{path}: no row for the verb {v}' for v in known if listed.count(v) != 1]
    wrong += [f'{path}: there is no verb {v}' for v in listed if v not in known]
    for verb, schemas, tests in rows:
        wrong += [f'{path}: there is no schema {s}' for s in re.findall(r'`([\w-]+\.json)`', schemas) if not glob.glob(f'docs/schemas/{s}')]
        for test in tests.split():
            found = glob.glob(f'tests/integration/{test}.sh')
            if not found or not re.search(rf'\b{verb}\b', read(found[0])):
                wrong.append(f'{path}: {test} is no test of {verb}')
    for test in re.findall(r'\bt[0-9][0-9a-z]-[a-z-]+', section):
        if not glob.glob(f'tests/integration/{test}.sh'):
            wrong.append(f'{path}: there is no test {test}')
    return wrong


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
    wrong += verbs()
    for line in wrong:
        print(line)
    print(f'check-docs: {len(docs)} documents, {len(audits)} audits, {len(wrong)} wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
