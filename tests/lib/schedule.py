"""Holds an executed schedule (reeve export schedule) against its graph: schedule.py DAG.json SCHEDULE.jsonl SLOTS

Every task ran once and succeeded; none started before what it depends on had ended; never more slots in use than there are;
the slots are the graph's. Prints the makespan beside the longest path and the work a slot, both of the times that were measured.
"""
import json
import sys


def longest(tasks, took):
    ends = {}

    def end(name):
        stack = [name]
        while stack:
            n = stack[-1]
            missing = [d for d in tasks[n]["deps"] if d not in ends]
            if missing:
                stack.extend(missing)
                continue
            ends[n] = took[n] + max((ends[d] for d in tasks[n]["deps"]), default=0)
            stack.pop()
        return ends[name]

    return max(end(n) for n in tasks)


def main():
    tasks = {t["id"]: t for t in json.load(open(sys.argv[1], encoding="utf-8"))["tasks"]}
    slots = int(sys.argv[3])
    ran, bad = {}, []
    for line in open(sys.argv[2], encoding="utf-8"):
        e = json.loads(line)
        if e["unit"] not in tasks:
            bad.append("%s is no task" % e["unit"])
        elif e["unit"] in ran or e["status"] != "ok":
            bad.append("%s ran twice or failed" % e["unit"])
        else:
            ran[e["unit"]] = e
            if e["slots"] != min(tasks[e["unit"]]["cores"], slots):
                bad.append("%s held %d slots" % (e["unit"], e["slots"]))
    bad += ["%s did not run" % n for n in tasks if n not in ran]
    if not bad:
        for n, t in tasks.items():
            bad += ["%s started before %s had ended" % (n, d) for d in t["deps"] if ran[n]["start"] < ran[d]["end"]]
        used = 0
        for _, change in sorted([(e["end"], -e["slots"]) for e in ran.values() if e["end"] > e["start"]] +
                                [(e["start"], e["slots"]) for e in ran.values() if e["end"] > e["start"]]):
            used += change
            if used > slots:
                bad.append("%d slots in use, there are %d" % (used, slots))
                break
    if bad:
        sys.exit("\n".join(bad[:20]))
    took = {n: e["end"] - e["start"] for n, e in ran.items()}
    span = max(e["end"] for e in ran.values()) - min(e["start"] for e in ran.values())
    bound = max(longest(tasks, took), sum(took[n] * e["slots"] for n, e in ran.items()) / slots)
    print("%d tasks, makespan %.3f s, lower bound %.3f s, ratio %.3f" % (len(ran), span, bound, span / bound))


main()
