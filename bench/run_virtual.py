#!/usr/bin/env python3
"""run_virtual.py REEVE COORD_VIRTUAL DAGS [SLOTS...] - makespans of the real core in virtual time beside bounds.json

For each graph of the folder DAGS: `reeve import dag`, coord_virtual at each number of slots (8, 32, 128), and a line of a table:
makespan / LB+ of ours and of CP-first, and ours / CP-first, which is to be at most 1.01. Fails if one is above.
"""
import gzip, json, os, subprocess, sys, tempfile


def main():
    reeve, virtual, dags = sys.argv[1:4]
    slots = sys.argv[4:] or ["8", "32", "128"]
    bounds = json.load(open(os.path.join(dags, "bounds.json")))
    worst = 0
    print("| graph | units | P | makespan s | / LB+ | CP-first / LB+ | / CP-first | / CP-first, no prefetch |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in sorted(bounds, key=lambda n: bounds[n]["metrics"]["tasks"]):
        with tempfile.NamedTemporaryFile(suffix=".json") as plan:
            graph = gzip.open(os.path.join(dags, name + ".json.gz")).read()
            plan.write(subprocess.run([reeve, "import", "dag", "-"], input=graph, stdout=subprocess.PIPE, check=True).stdout)
            plan.flush()
            for p in slots:
                b = bounds[name]["P"][p]
                s = float(subprocess.run([virtual, plan.name, p], stdout=subprocess.PIPE, check=True).stdout)
                bare = float(subprocess.run([virtual, plan.name, p, "bare"], stdout=subprocess.PIPE, check=True).stdout)
                ours = s / b["ms"]["cp"]
                worst = max(worst, ours)
                print("| %s | %d | %s | %.3f | %.3f | %.3f | %.4f | %.4f |" % (
                    name, bounds[name]["metrics"]["tasks"], p, s, s / b["lb_plus"], b["ms"]["cp"] / b["lb_plus"], ours,
                    bare / b["ms"]["cp"]), flush=True)
    print("worst: %.4f x CP-first" % worst, file=sys.stderr)
    return 0 if worst <= 1.01 else 1


sys.exit(main())
