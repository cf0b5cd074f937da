#!/usr/bin/env python3
"""Runs test programs and scripts, a few at a time, and counts.

  run.py [-j N] [--timeout S] [--simulation "CMD"] [--fuzz-seconds S] FILE...

FILE is a cmocka program (its TAP output is read), an integration script (*.sh: exit 0 passed, 77 skipped, else
failed) or, with --fuzz-seconds, a libFuzzer program. A line for each, the output of what failed, and the last line
is `N passed, N failed`. A program that dies fails the tests it did not get to. A skip is a failure when CI is set.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

TAP_PLAN = re.compile(r'^\s*1\.\.(\d+)')
TAP_LINE = re.compile(r'^(ok|not ok) \d+ (?:- (.*)|# SKIP ?(.*))?')


# A refused allocation is something reeve answers, so sanitizers must let it be refused.
SANITIZERS = {
    'ASAN_OPTIONS': 'allocator_may_return_null=1:detect_stack_use_after_return=1',
    'UBSAN_OPTIONS': 'print_stacktrace=1',
    'TSAN_OPTIONS': 'allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1:'
                    f'suppressions={os.path.join(os.path.dirname(os.path.abspath(__file__)), "tsan.supp")}',
}


class Outcome:
    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.notes = []
        self.output = ''
        self.seconds = 0.0


def run(argv, timeout, env):
    """Status (negative: signal, None: timed out) and everything it printed. Ends its whole process group."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env=env, start_new_session=True)
    status = None
    try:
        out, _ = child.communicate(timeout=timeout)
        status = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, _ = child.communicate()
    else:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    return status, out.decode('utf-8', 'replace')


def how_it_ended(status, timeout):
    if status is None:
        return f'no end after {timeout} s'
    if status < 0:
        return f'killed by {signal.Signals(-status).name}'
    return f'exit {status}'


def test_cmocka(path, args):
    o = Outcome(os.path.relpath(path, 'build').split('/tests/')[-1])
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT='TAP')
    status, o.output = run([os.path.abspath(path)], args.timeout, env)
    planned = 0
    for line in o.output.splitlines():
        plan = TAP_PLAN.match(line)
        if plan:
            planned += int(plan.group(1))
            continue
        m = TAP_LINE.match(line)
        if not m:
            continue
        if m.group(1) == 'not ok':
            o.failed += 1
            o.notes.append(m.group(2) or line)
        elif m.group(3) is not None:
            o.skipped += 1
            o.notes.append('skipped: ' + m.group(3))
        else:
            o.passed += 1
    missing = planned - o.passed - o.failed - o.skipped
    if missing > 0:
        o.failed += missing
        o.notes.append(f'{missing} not reached: {how_it_ended(status, args.timeout)}')
    elif status != 0 and o.failed == 0:
        o.failed += 1
        o.notes.append(how_it_ended(status, args.timeout))
    elif planned == 0:
        o.failed += 1
        o.notes.append('ran no test')
    return o


def test_script(path, args):
    o = Outcome(os.path.relpath(path, 'tests'))
    status, o.output = run(['bash', path], args.timeout, dict(os.environ))
    if status == 0:
        o.passed = 1
    elif status == 77:
        o.skipped = 1
        lines = o.output.strip().splitlines()
        o.notes.append('skipped: ' + (lines[-1] if lines else 'no reason given'))
    else:
        o.failed = 1
        o.notes.append(how_it_ended(status, args.timeout))
    return o


def test_simulation(command, args):
    o = Outcome('sim: ' + ' '.join(command.split()[1:]))
    status, o.output = run(command.split(), args.timeout * 10, dict(os.environ))
    if status == 0:
        o.passed = 1
    else:
        o.failed = 1
        o.notes.append(how_it_ended(status, args.timeout * 10))
    return o


def test_fuzzer(path, args):
    name = os.path.basename(path)
    o = Outcome('fuzz/' + name)
    found = os.path.join(os.path.dirname(path), name + '.found', '')
    corpus = os.path.join('tests/fuzz/corpus', name[len('fuzz_'):])
    grown = os.path.join(os.path.dirname(path), name + '.corpus')
    os.makedirs(found, exist_ok=True)
    os.makedirs(grown, exist_ok=True)
    argv = [path, f'-max_total_time={args.fuzz_seconds}', '-timeout=10', '-rss_limit_mb=2048',
            f'-artifact_prefix={found}', '-print_final_stats=1', grown]
    if os.path.isdir(corpus):
        argv.append(corpus)
    status, o.output = run(argv, args.fuzz_seconds + 120, dict(os.environ))
    if status == 0:
        o.passed = 1
        m = re.search(r'number_of_executed_units:\s*(\d+)', o.output)
        if m:
            o.notes.append(f'{m.group(1)} executions')
    else:
        o.failed = 1
        o.notes.append(how_it_ended(status, args.fuzz_seconds + 120) + f'; input below {found}')
    return o


def others_may_enter(path):
    """Whether somebody who is not root could execute a file of this folder."""
    while True:
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        if path == '/':
            return True
        path = os.path.dirname(path)


def move_to_open_ground(files):
    """Run by root below /root, tests that turn into another user find nothing there: they run in a copy below /tmp."""
    ground = tempfile.mkdtemp(prefix='reeve-tests-')
    os.chmod(ground, 0o755)
    top = os.getcwd()
    for name in os.listdir(top):
        if name in ('build', '.git', '.reeve'):
            continue
        if os.path.isdir(name):
            shutil.copytree(name, os.path.join(ground, name), symlinks=True)
        else:
            shutil.copy2(name, ground)
    program, helpers = os.environ.get('REEVE', ''), os.environ.get('HELPERS', '')
    program = program if os.path.exists(program) else ''
    wanted = [f for f in files if not f.endswith('.sh')] + ([os.path.relpath(program)] if program else [])
    for path in wanted:
        to = os.path.join(ground, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy2(path, to)
    if program:
        os.environ['REEVE'] = os.path.join(ground, os.path.relpath(program))
    if helpers and os.path.isdir(helpers):
        os.environ['HELPERS'] = os.path.join(ground, os.path.relpath(helpers))
        shutil.copytree(helpers, os.environ['HELPERS'])
    os.chdir(ground)
    return ground


def report(o, in_ci):
    bad = o.failed or (o.skipped and in_ci)
    counts = f'{o.passed}' + (f', {o.failed} failed' if o.failed else '') + (
        f', {o.skipped} skipped' if o.skipped else '')
    print(f"{'FAIL' if bad else 'ok  '} {o.name:<44} {counts:<16} {o.seconds:5.1f} s", flush=True)
    for note in o.notes:
        print(f'       {note}')
    if o.failed:
        lines = o.output.rstrip().splitlines()
        for line in lines[-60:]:
            print('     | ' + line)
    sys.stdout.flush()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('-j', type=int, default=2)
    ap.add_argument('--timeout', type=int, default=120)
    ap.add_argument('--simulation', default='')
    ap.add_argument('--fuzz-seconds', type=int, default=0)
    ap.add_argument('files', nargs='*')
    args = ap.parse_args()
    in_ci = bool(os.environ.get('CI'))
    for name, value in SANITIZERS.items():
        os.environ.setdefault(name, value)

    def timed(test, what):
        start = time.monotonic()
        o = test(what, args)
        o.seconds = time.monotonic() - start
        return o

    top = os.getcwd()
    jobs = []
    if args.simulation:
        jobs.append((test_simulation, args.simulation))
    for path in args.files:
        if args.fuzz_seconds:
            jobs.append((test_fuzzer, path))
        elif path.endswith('.sh'):
            jobs.append((test_script, path))
        else:
            jobs.append((test_cmocka, path))

    passed = failed = skipped = 0
    start = time.monotonic()
    ground = None
    if os.getuid() == 0 and not args.fuzz_seconds and os.path.exists('tests/run.py') and not others_may_enter(os.getcwd()):
        ground = move_to_open_ground(args.files)
        args.simulation = args.simulation and os.path.join(top, args.simulation)
        jobs = [(test, args.simulation if test is test_simulation else what) for test, what in jobs]
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, args.j)) as pool:
        for o in pool.map(lambda job: timed(*job), jobs):
            report(o, in_ci)
            passed += o.passed
            failed += o.failed
            skipped += o.skipped
    if ground:
        os.chdir(top)
        shutil.rmtree(ground, ignore_errors=True)
    print(f'{len(jobs)} programs in {time.monotonic() - start:.1f} s' + (f', {skipped} skipped' if skipped else ''))
    if in_ci:
        failed += skipped
    print(f'{passed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
