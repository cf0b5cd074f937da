#!/usr/bin/env python3
"""Reads every include and says which ones go the wrong way (docs/architecture.md, "Folders and floors").

A file includes its own folder by "x.h" and lower floors by path from the root. On top of the floors: the cores know
no operating system, floor 0 knows only libc, the warden knows little, and each library is met in one place.
"""

import os
import re
import sys

FLOORS = {
    'common': 0,
    'common/os': 1, 'common/net': 1, 'common/http': 1, 'common/plan': 1, 'proto': 1,
    'coordinator/core': 2, 'node/core': 2, 'node/warden': 2, 'coordinator/journal': 2,
    'coordinator': 3, 'node': 3,
    'cli': 4,
    'tests': 5,
}
# Folders that count as part of another.
PARTS = {'coordinator/clients': 'coordinator', 'node/workspace': 'node', 'node/agents': 'node', 'cli/static': 'cli',
         'cli/export': 'cli', 'cli/view': 'cli'}
# Of the same floor, yet allowed.
SIDEWAYS = {('common/net', 'common/os'), ('common/http', 'common/os'), ('common/plan', 'common/os'),
            ('proto', 'common/os')}
# Below, yet not allowed: a folder and the beginnings of what it must not include.
FORBIDDEN = {
    'coordinator/core': ['common/os', 'common/net', 'common/http'],
    'node/core': ['common/os', 'common/net', 'common/http'],
    'node/warden': ['common/net', 'common/http', 'common/plan', 'proto'],
    'coordinator/journal': ['common/net', 'common/http'],
    'coordinator': ['node'],
    'node': ['coordinator'],
}
# System headers: all that a pure folder may use.
PURE = {'stdbool.h', 'stddef.h', 'stdint.h', 'string.h', 'inttypes.h', 'limits.h', 'stdalign.h', 'stdarg.h'}
SYSTEM_ONLY = {
    'coordinator/core': PURE,
    'node/core': PURE,
    'common': PURE | {'errno.h', 'stdio.h', 'stdlib.h', 'unistd.h'},
}
# What a run's tables are built with, outside the cores' steps, and what makes and destroys a core.
BUILDERS = [
    (re.compile(r'^coordinator/core/graph(_\w+)?\.c$'), {'stdio.h', 'stdlib.h'}),
    (re.compile(r'^(coordinator|node)/core/core\.c$'), {'stdlib.h'}),
]
# Libraries, and the folders or files that may meet them (tests may meet all).
LIBRARIES = [
    (re.compile(r'^(zmq|czmq)'), ['common/net']),
    (re.compile(r'^msgpack'), ['proto']),
    (re.compile(r'^sqlite3'), ['coordinator/journal']),
    (re.compile(r'^libfyaml'), ['common/plan']),
    (re.compile(r'^(ncursesw?/)?(n?curses|term|panel)\.h'), ['cli/view/terminal.c']),
    (re.compile(r'^sodium'), ['common/os', 'common/net']),
    (re.compile(r'^pthread'), ['common/os', 'common/net', 'common/http', 'coordinator', 'coordinator/journal', 'node',
                               'cli']),
]
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')


def folder_of(path):
    folder = os.path.dirname(path)
    if folder == 'tests' or folder.startswith('tests/'):
        return 'tests'
    return PARTS.get(folder, folder)


def check_own(path, folder, target):
    if '/' not in target:
        if folder != 'tests' and not os.path.exists(os.path.join(os.path.dirname(path), target)):
            return f'"{target}" is not in {os.path.dirname(path)}/; lower floors are named by path from the root'
        return None
    if not os.path.exists(target):
        return None if folder == 'tests' else f'"{target}" does not exist'
    other = folder_of(target)
    if other not in FLOORS:
        return f'"{target}": {other}/ has no floor; add it to scripts/check-floors.py'
    if other == folder or folder == 'tests':
        return None
    if FLOORS[other] > FLOORS[folder]:
        return f'"{target}" is a floor above ({FLOORS[other]} > {FLOORS[folder]})'
    if FLOORS[other] == FLOORS[folder] and (folder, other) not in SIDEWAYS:
        return f'"{target}" is sideways: {folder}/ and {other}/ must not know each other'
    for forbidden in FORBIDDEN.get(folder, []):
        if other == forbidden or other.startswith(forbidden + '/'):
            return f'"{target}": {folder}/ must not know {forbidden}/'
    return None


def check_system(path, folder, target):
    if folder == 'tests' or any(p.match(path) and target in more for p, more in BUILDERS):
        return None
    if folder in SYSTEM_ONLY and target not in SYSTEM_ONLY[folder]:
        return f'<{target}>: {folder}/ may use only {" ".join(sorted(SYSTEM_ONLY[folder]))}'
    for pattern, homes in LIBRARIES:
        if pattern.match(target) and folder not in homes and path not in homes:
            return f'<{target}> is met only in {", ".join(homes)}'
    return None


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else '.'
    os.chdir(root)
    files = []
    for top in ('common', 'proto', 'coordinator', 'node', 'cli', 'tests'):
        for where, _, names in os.walk(top):
            files += [os.path.join(where, n) for n in sorted(names) if n.endswith(('.c', '.h'))]
    wrong = 0
    for path in sorted(files):
        folder = folder_of(path)
        if folder not in FLOORS:
            print(f'{path}: {folder}/ has no floor; add it to scripts/check-floors.py')
            wrong += 1
            continue
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                m = INCLUDE.match(line)
                if not m:
                    continue
                why = check_own(path, folder, m.group(1)) if m.group(1) else check_system(path, folder, m.group(2))
                if why:
                    print(f'{path}:{number}: {why}')
                    wrong += 1
    print(f'check-floors: {len(files)} files, {wrong} wrong includes')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
