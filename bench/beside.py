#!/usr/bin/env python3
"""beside.py KIND-N ROUNDS NAME=PROGRAM,HOW... - reeve's programs beside each other, on a machine that is never quiet

HOW is `power` or `process`, a coordinator of that durability with two nodes over tcp and CURVE (cluster.sh), or `run`.
All clusters are up at once; each round runs raw (limits/rawdag) and then every program's chain-N or noop-N in turn, the
order turned round each time. Microseconds a unit above the median of raw: median, first quartile.
"""
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SLOTS = "2"


def write_plan(work, kind, n):
    units, plan = f"{work}/units.tsv", f"{work}/plan.json"
    with open(units, "w") as f:
        for i in range(n):
            f.write(f"{i}\t{i - 1 if i and kind == 'chain' else '-'}\t/bin/true {i}\n")
    with open(plan, "w") as f:
        subprocess.run([sys.executable, f"{HERE}/peers/plan.py", units, kind], stdout=f, check=True)
    return units, plan


def timed(command, n):
    start = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, start_new_session=True)  # a scheduling group each, as the clusters
    return (time.monotonic() - start) * 1e6 / n


def start_cluster(work, name, program, how):
    with open(f"{work}/{name}.log", "w") as log:
        up = subprocess.Popen([f"{HERE}/cluster.sh", program, f"{work}/{name}", SLOTS, "tcp", how], stdout=log, stderr=log, start_new_session=True)
    until = time.monotonic() + 60
    while not os.path.exists(f"{work}/{name}/up"):
        if up.poll() is not None or time.monotonic() > until:
            os.killpg(up.pid, signal.SIGTERM)
            with open(f"{work}/{name}.log") as log:
                sys.exit(f"{name} did not come up: {log.read()}")
        time.sleep(0.1)
    return up


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    kind, n = sys.argv[1].split("-")
    n, rounds = int(n), int(sys.argv[2])
    programs = [(name, *spec.rsplit(",", 1)) for name, spec in (a.split("=", 1) for a in sys.argv[3:])]
    took, ups = {p[0]: [] for p in programs}, []
    raw = []
    with tempfile.TemporaryDirectory(prefix="beside-") as work:
        units, plan = write_plan(work, kind, n)
        try:
            for name, program, how in programs:
                if how != "run":
                    ups.append(start_cluster(work, name, program, how))
            for r in range(rounds):
                raw.append(timed([f"{HERE}/limits/build/rawdag", units, SLOTS], n))
                for name, program, how in programs[:: 1 if r % 2 else -1]:
                    if how == "run":
                        command = [program, "run", "-j", SLOTS, "--state", f"{work}/{name}{r}", "--show", "none", plan]
                    else:
                        command = [program, "submit", "--wait", "--coordinator", f"{work}/{name}/co", plan]
                    took[name].append(timed(command, n))
        finally:
            for up in ups:
                os.killpg(up.pid, signal.SIGTERM)
            for up in ups:
                up.wait()
    base = statistics.median(raw)
    print(f"raw {base:.0f} us a unit, {rounds} rounds")
    for name, us in took.items():
        us.sort()
        print(f"{name}: {statistics.median(us) - base:.0f} above raw, first quartile {us[len(us) // 4] - base:.0f}")


main()
