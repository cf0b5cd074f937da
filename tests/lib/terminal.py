#!/usr/bin/env python3
"""Runs a command on a terminal of its own and prints what it drew.

  terminal.py [--columns N] [--stdout FILE] CMD...

stdin, stdout and stderr are the terminal (stdout goes to FILE instead, if given). Exit status: the command's.
"""

import fcntl
import os
import pty
import struct
import sys
import termios


def main():
    args = sys.argv[1:]
    columns, out = 80, None
    while args and args[0].startswith('--'):
        if args[0] == '--columns':
            columns = int(args[1])
        elif args[0] == '--stdout':
            out = args[1]
        args = args[2:]
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        if out:
            os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
        os.environ.setdefault('TERM', 'xterm')
        os.environ.pop('CI', None)
        os.execvp(args[0], args)
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status) & 255)


if __name__ == '__main__':
    main()
