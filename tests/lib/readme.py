"""Runs the console blocks of README.md in the current directory and compares what comes out.

usage: readme.py README.md

A ```yaml block whose first line is `# NAME` is written to NAME. In a ```console block, lines that start with `$ ` are
commands, the lines below one are what it prints, stderr included. What differs from run to run is made equal on both sides:
run ids, durations, this directory, the number of slots, blanks between columns.
"""
import os
import re
import subprocess
import sys


def blocks(text, kind):
    return re.findall(r"^```%s\n(.*?)^```" % kind, text, re.S | re.M)


def plain(text, run):
    text = text.replace(os.getcwd(), "DIR").replace("/home/me", "DIR")
    text = re.sub(r"\b%s\b" % run if run else r"$^", "RUN", text)
    text = re.sub(r"\b\d+(\.\d+)?(ms|s)\b", "TIME", text)
    text = re.sub(r"\b\d+ at once", "N at once", text)
    return [re.sub(r" +", " ", line).rstrip() for line in text.splitlines()]


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    for block in blocks(text, "yaml"):
        name = re.match(r"# (\S+)\n", block)
        if name:
            open(name.group(1), "w", encoding="utf-8").write(block)
    shown = real = None
    count = 0
    for block in blocks(text, "console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, want = part.partition("\n")
            if shown is None:
                m = re.search(r"run ([0-9a-z]{10}):", want)
                shown = m and m.group(1)
            if real is None and os.path.isdir(".reeve/runs"):
                real = os.listdir(".reeve/runs")[0]
            if shown and real:
                command = command.replace(shown, real)
            got = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False).stdout
            if real is None and os.path.isdir(".reeve/runs"):
                real = os.listdir(".reeve/runs")[0]
            a, b = sorted(plain(want, shown)), sorted(plain(got, real))
            if a != b:
                sys.exit("README says of `%s`:\n%s\n--- it prints:\n%s" % (command, want, got))
            count += 1
    if not count:
        sys.exit("README has no console blocks")
    print("%d commands" % count)


main()
