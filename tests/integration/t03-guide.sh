#!/usr/bin/env bash
# docs/guide.md, typed anew from its first command to its last, in one shell: each must print what the text shows, where `...` stands for
# anything. RUN, TIME, DIR, CPUS and SIZE stand for what differs from run to run. What only looks is asked again until it says so, as a
# reader would: units of the guide take a moment.
. "$(dirname "$0")/lib.sh"

mkdir -p clone/build
cp -r "$top/examples" clone
ln -s "$REEVE" clone/build/reeve
cd clone || exit 1
cat >"$T/type.py" <<'PY'
import os
import re
import subprocess
import sys
import time

# Not repeated: what acts. `token create` is, as its coordinator may not serve yet.
LOOKS = re.compile(r'(reeve (status|nodes|output|explain|logs|token create)|cat)\b')
FAILS = {'reeve run examples/fails.yaml': 1, 'reeve run examples/rehearse.yaml --mock': 7}
WAIT_S = 30


def steps_of(text):
    steps = []
    for line in text.splitlines():
        if line.startswith('    $ '):
            steps.append((line[6:], []))
        elif line.startswith('    ') and steps:
            steps[-1][1].append(line[4:])
    return steps


def normal(text, here):
    text = text.replace(here, 'DIR')
    text = re.sub(r'\b0[0-9a-hjkmnp-tv-z]{9}\b', 'RUN', text)
    text = re.sub(r'\bin (\d+(\.\d+)?(ms|s|m))+(?=[:\n])', 'in TIME', text)
    text = re.sub(r'units, \d+ at once', 'units, CPUS at once', text)
    text = re.sub(r'\b\d+(\.\d+)? (B|KiB|MiB)(?!\w)', 'SIZE', text)
    return [re.sub(r' +', ' ', line).strip() for line in text.splitlines() if line.strip()]


def fits(want, got):
    """Each line of `want` is one of `got`, in order; `...` alone is any lines, in a line anything."""
    if not want:
        return not got
    if want[0] == '...':
        return any(fits(want[1:], got[i:]) for i in range(len(got) + 1))
    pattern = '.*'.join(re.escape(part) for part in re.sub(r' *\.\.\. *', '...', want[0]).split('...'))
    return bool(got) and re.fullmatch(pattern, got[0]) is not None and fits(want[1:], got[1:])


class Shell:
    def __init__(self):
        self.shell = subprocess.Popen(['bash', '--norc'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def type(self, command):
        """What it printed, its exit status, and where the shell is."""
        self.shell.stdin.write(f'{command}\necho "@@ $? $PWD"\n')
        self.shell.stdin.flush()
        out = []
        for line in self.shell.stdout:
            if line.startswith('@@ '):
                status, here = line[3:].rstrip('\n').split(' ', 1)
                return ''.join(out), int(status), here
            out.append(line)
        sys.exit(f'the shell has ended at: {command}\n{"".join(out)}')


with open(sys.argv[1], encoding='utf-8') as f:
    steps = steps_of(f.read())
if len(steps) < 40:
    sys.exit('the guide has too few commands')
shell = Shell()
for command, shown in steps:
    want = normal('\n'.join(shown), '\0')
    end = time.monotonic() + WAIT_S
    while True:
        out, status, here = shell.type(command.replace(':7700', ':' + sys.argv[2]))
        got = normal(out, here)
        if fits(want, got) and status == FAILS.get(command, 0):
            break
        if not LOOKS.match(command) or time.monotonic() > end:
            sys.exit(f'$ {command}\n--- the guide\n' + '\n'.join(want) + f'\n--- now, exit status {status}\n' + '\n'.join(got))
        time.sleep(0.1)
shell.type('kill $(jobs -p)')
shell.type('wait')
print(len(steps), 'commands')
PY
start guide python3 "$T/type.py" "$top/docs/guide.md" "$(free_port)"
finish guide 0
