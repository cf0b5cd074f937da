#!/usr/bin/env bash
# The tour in README.md, typed anew: each `$ command` must print what the text shows. Run ids, times, places and the number of CPUs
# differ and are written RUN, TIME, DIR and CPUS there.
. "$(dirname "$0")/lib.sh"

cp -r "$top/examples" .
mkdir bin
ln -s "$REEVE" bin/reeve
PATH=$PWD/bin:$PATH
python3 - "$top/README.md" <<'PY'
import os
import re
import subprocess
import sys

with open(sys.argv[1], encoding='utf-8') as f:
    text = f.read()
text = text[text.index('## Five minutes'):text.index('## Where to read on')]
steps = []
for line in text.splitlines():
    if line.startswith('    $ '):
        steps.append([line[6:], []])
    elif line.startswith('    ') and steps:
        steps[-1][1].append(line[4:])
    elif not line.strip() and steps and steps[-1][1]:
        steps[-1][1].append('')


bad = len(steps) < 8
for command, want in steps:
    done = subprocess.run(['bash', '-c', command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    got = done.stdout.rstrip('\n').split('\n') if done.stdout else []
    want = '\n'.join(want).rstrip('\n')
    shown = []
    for line in got:
        line = line.replace(os.getcwd(), 'DIR')
        line = re.sub(r'\b0[0-9a-hjkmnp-tv-z]{9}\b', 'RUN', line)
        line = re.sub(r'\bin (\d+(\.\d+)?(ms|s|m))+(?=:)', 'in TIME', line)
        if 'CPUS' in want:
            line = re.sub(r'units, \d+ at once', 'units, CPUS at once', line)
        shown.append(line)
    # Units that run side by side may end in any order.
    if sorted(shown) != sorted(want.split('\n') if want else []):
        bad = True
        print(f'$ {command}\n--- README.md\n{want}\n--- now\n' + '\n'.join(shown))
sys.exit(bad)
PY
