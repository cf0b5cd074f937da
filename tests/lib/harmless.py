#!/usr/bin/env python3
"""Does text hold a character that a terminal, a browser or a reader's eye could be misled by? harmless.py FILE...: exit 1 where one does.

Line ends and tabs may be there; C0, DEL, C1, what is no UTF-8, and what hides or reorders text may not.
"""

import sys

HIDDEN = {0xad, 0x61c, 0x180e, 0x200b, 0x200c, 0x200e, 0x200f, *range(0x2028, 0x202f), *range(0x2060, 0x2070), 0xfeff, 0xfffe, 0xffff}


def first_harm(text):
    """None, or what is wrong and where."""
    for i, c in enumerate(text):
        n = ord(c)
        if not (c in '\n\t' or (n >= 0x20 and not 0x7f <= n < 0xa0 and n not in HIDDEN)):
            return f'character {n:#x} at {i}: {text[max(0, i - 40):i + 20]!r}'
    return None


def main():
    bad = 0
    for path in sys.argv[1:]:
        with open(path, 'rb') as f:
            data = f.read()
        try:
            harm = first_harm(data.decode())
        except UnicodeDecodeError as e:
            harm = f'no UTF-8 at {e.start}: {data[max(0, e.start - 40):e.start + 20]!r}'
        if harm:
            print(f'{path}: {harm}')
            bad = 1
    return bad


if __name__ == '__main__':
    sys.exit(main())
