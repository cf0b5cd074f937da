#!/usr/bin/env python3
"""Makes a picture (SVG) of a terminal screen, always the same one of the same screen.

  tmux capture-pane -p -e | scripts/screen-to-svg.py [--title TEXT] >screen.svg

Reads lines with SGR sequences (colours, bold, dim, reverse), as tmux gives them. Each run of cells of one style is a text of its own at its
column's place, with its width given, so the picture does not depend on how wide a reader's fonts are.
"""

import re
import sys
import unicodedata
from xml.sax.saxutils import escape

CELL_W, CELL_H, PAD, BAR = 8.4, 18, 14, 30
BACK, FORE, FRAME = '#16181d', '#d6d9de', '#2a2e37'
COLOURS = {30: '#3b4048', 31: '#f0717a', 32: '#8fcf7f', 33: '#e5c06f', 34: '#6fb0f5', 35: '#cf8be0', 36: '#5fc4cf', 37: FORE}
SGR = re.compile(r'\x1b\[([0-9;]*)m')
OTHER = re.compile(r'\x1b[()][A-Z0-9]|[\x0e\x0f]')


def width(ch):
    if unicodedata.combining(ch):
        return 0
    return 2 if unicodedata.east_asian_width(ch) in 'WF' else 1


def apply(style, codes):
    for code in [int(c or 0) for c in codes.split(';')]:
        if code == 0:
            style = {}
        elif code in (1, 2, 7):
            style = dict(style, **{{1: 'bold', 2: 'dim', 7: 'reverse'}[code]: True})
        elif code == 22:
            style = {k: v for k, v in style.items() if k not in ('bold', 'dim')}
        elif code == 27:
            style = {k: v for k, v in style.items() if k != 'reverse'}
        elif code in COLOURS:
            style = dict(style, colour=COLOURS[code])
        elif code - 60 in COLOURS:
            style = dict(style, colour=COLOURS[code - 60])
        elif code == 39:
            style = {k: v for k, v in style.items() if k != 'colour'}
    return style


def spans(line, style):
    """(column, cells, text, style) of a line, and the style at its end."""
    out, column = [], 0
    for i, part in enumerate(SGR.split(OTHER.sub('', line))):
        if i % 2:
            style = apply(style, part)
            continue
        cells = sum(width(c) for c in part)
        if part:
            out.append((column, cells, part, style))
        column += cells
    return out, style, column


def draw(column, row, cells, text, style):
    x, y = PAD + column * CELL_W, BAR + PAD + row * CELL_H
    fore, out = style.get('colour', FORE), []
    if style.get('reverse'):
        out.append(f'<rect x="{x:.1f}" y="{y}" width="{cells * CELL_W + 0.3:.1f}" height="{CELL_H}" fill="{fore}"/>')
        fore = BACK
    if text.strip():
        weight = ' font-weight="bold"' if style.get('bold') else ''
        dim = ' opacity="0.6"' if style.get('dim') else ''
        out.append(f'<text x="{x:.1f}" y="{y + 13.5}" textLength="{cells * CELL_W:.1f}" fill="{fore}"{weight}{dim} xml:space="preserve">{escape(text)}</text>')
    return out


def main():
    title = sys.argv[2] if sys.argv[1:2] == ['--title'] else ''
    lines = sys.stdin.read().split('\n')
    while lines and not SGR.sub('', lines[-1]).strip():
        lines.pop()
    body, style, columns = [], {}, 80
    for row, line in enumerate(lines):
        found, style, used = spans(line, style)
        columns = max(columns, used)
        for column, cells, text, s in found:
            body += draw(column, row, cells, text, s)
    w, h = 2 * PAD + columns * CELL_W, BAR + 2 * PAD + len(lines) * CELL_H
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h}" viewBox="0 0 {w:.0f} {h}" role="img" aria-label="{escape(title)}"\n'
          f' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">')
    print(f'<rect width="{w:.0f}" height="{h}" rx="8" fill="{BACK}"/>\n<rect width="{w:.0f}" height="{BAR}" rx="8" fill="{FRAME}"/>')
    for i, colour in enumerate(('#f0717a', '#e5c06f', '#8fcf7f')):
        print(f'<circle cx="{18 + 18 * i}" cy="15" r="5" fill="{colour}"/>')
    print(f'<text x="{w / 2:.0f}" y="20" text-anchor="middle" fill="{FORE}" opacity="0.8">{escape(title)}</text>')
    print('\n'.join(body))
    print('</svg>')


if __name__ == '__main__':
    main()
