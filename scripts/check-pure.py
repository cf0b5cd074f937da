#!/usr/bin/env python3
"""check-pure.py BUILD: what the cores may reach, and that nothing below cli/ keeps a mutable global.

Follows undefined symbols from the objects of both cores through the libraries they may use. Whatever ends at libc
must be on a short list: no clock, no socket, no file, no allocator. Two kinds of object may allocate, since that happens
outside the cores' steps: floor 0 (arenas, buffers, name tables) and those that make a core or build a run's tables from its plan,
which therefore are not followed into common/plan. A test with an allocator that aborts watches the steps themselves.
"""

import collections
import os
import re
import subprocess
import sys

CORES = ['coordinator-core', 'node-core']
MAY_USE = ['common', 'proto', 'common-plan']
BELOW_CLI = ['common', 'common-os', 'common-net', 'common-http', 'common-plan', 'proto', 'coordinator-core',
             'coordinator-journal', 'coordinator', 'node-core', 'node-warden', 'node']

PURE = re.compile(r'^(mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn)|abort|v?snprintf)$')
# What compilers and their instrumentation add.
COMPILER = re.compile(r'^(__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|sanitizer|sancov|gcov)_.*|'
                      r'__(mem|str)\w+_chk|__start___\w+|__stop___\w+|__tls_get_addr)$')
FLOOR_0 = re.compile(r'^(malloc|calloc|realloc|free|v?snprintf|__v?snprintf_chk|strerror_r|__errno_location|'
                     r'__xpg_strerror_r)$')
BUILDERS = re.compile(r'^lib(coordinator|node)-core\.a:(core|graph(_\w+)?)\.o$')
BUILDING = re.compile(r'^(malloc|calloc|realloc|free|qsort)$')
# (object, symbol): exceptions, each with its reason.
ALLOWED = {
    ('libcommon.a:check.o', 'write'): 'the last words of a program that met its own bug',
}
PROTO = re.compile(r'^msgpack_')
# (object, symbol) of mutable data below cli/, each with its reason.
GLOBALS = {
}

Object = collections.namedtuple('Object', 'name library defined undefined mutable')


def read(build, library):
    path = os.path.join(build, f'lib{library}.a')
    if not os.path.exists(path):
        return []
    out = subprocess.run(['nm', '--format=sysv', path], check=True, capture_output=True, text=True).stdout
    objects = []
    for line in out.splitlines():
        m = re.match(r'^(?:Symbols|Undefined symbols) from .*\[(.*)\]:$', line)
        if m:
            objects.append(Object(f'lib{library}.a:{m.group(1)}', library, set(), set(), set()))
            continue
        fields = [f.strip() for f in line.split('|')]
        if len(fields) != 7 or not objects or fields[0] == 'Name':
            continue
        name, _, kind, _, _, _, section = fields
        o = objects[-1]
        if kind == 'U':
            o.undefined.add(name)
            continue
        if kind.isupper() or kind in 'uvw':
            o.defined.add(name)
        writable = re.match(r'^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)', section)
        if writable and not section.startswith('.data.rel.ro') and kind.lower() in 'bdgsc':
            o.mutable.add(name)
    return objects


def is_fine(o, symbol):
    if PURE.match(symbol) or COMPILER.match(symbol) or (o.name, symbol) in ALLOWED:
        return True
    if BUILDERS.match(o.name) and BUILDING.match(symbol):
        return True
    if o.library == 'common':
        return bool(FLOOR_0.match(symbol))
    if o.library == 'proto':
        return bool(PROTO.match(symbol))
    return False


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else 'build/debug'
    cores = [o for library in CORES for o in read(build, library)]
    lower = [o for library in MAY_USE for o in read(build, library)]
    home = {symbol: o for o in lower + cores for symbol in o.defined}
    wrong = []

    seen, todo, via = set(), list(cores), {}
    while todo:
        o = todo.pop()
        if o.name in seen:
            continue
        seen.add(o.name)
        for symbol in sorted(o.undefined):
            if symbol in home:
                if BUILDERS.match(o.name) and home[symbol].library == 'common-plan':
                    continue
                if home[symbol].name not in seen:
                    via.setdefault(home[symbol].name, f'{o.name} ({symbol})')
                    todo.append(home[symbol])
            elif not is_fine(o, symbol):
                way = f', reached from {via[o.name]}' if o.name in via else ''
                wrong.append(f'{o.name}: needs {symbol}{way}')

    # Floor 0 as a whole, also what no core uses yet.
    for o in lower:
        if o.library == 'common' and o.name not in seen:
            wrong += [f'{o.name}: needs {s}' for s in sorted(o.undefined) if s not in home and not is_fine(o, s)]

    below = [o for library in BELOW_CLI for o in read(build, library)]
    for o in below:
        for symbol in sorted(o.mutable):
            # Function-local statics are numbered by the compiler: name.123
            plain = re.sub(r'\.\d+$', '', symbol)
            if (o.name, plain) not in GLOBALS and not re.match(r'^(__gcov|__llvm|\.LPBX|__asan|\.L)', plain):
                wrong.append(f'{o.name}: {plain} is a mutable global')

    for line in sorted(wrong):
        print(line)
    print(f'check-pure: {len(cores)} objects of the cores, {len(below)} below cli/, {len(wrong)} wrong')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
