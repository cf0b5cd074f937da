"""Reads what `reeve export` wrote, as strictly as the tools it is for: python3 exports.py FORMAT FILE; prints a JSON summary, exit 1 with a reason.

Every format must hold no character that a terminal, a browser or a parser could act on, whatever units printed.
"""

import html.parser
import json
import re
import sys
import xml.dom.minidom

from harmless import first_harm

class Bad(Exception):
    pass


def want(condition, why):
    if not condition:
        raise Bad(why)


def joblog(text):
    head, *lines = text.split('\n')
    want(head == 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand', f'head {head!r}')
    want(lines[-1] == '', 'the last line is cut')
    rows = []
    for line in lines[:-1]:
        f = line.split('\t')
        want(len(f) == 9, f'{len(f)} columns: {line!r}')
        rows.append({'seq': int(f[0]), 'host': f[1], 'start': float(f[2]), 'time': float(f[3]), 'exit': int(f[6]), 'signal': int(f[7]), 'command': f[8]})
        want(f[4] == f[5] == '0', 'bytes sent')
    want(len({r['seq'] for r in rows}) == len(rows), 'a job twice')
    return {'rows': rows}


def chrome_trace(text):
    d = json.loads(text)
    events = d['traceEvents']
    slices = [e for e in events if e['ph'] == 'X']
    processes = {e['pid']: e['args']['name'] for e in events if e['name'] == 'process_name'}
    threads = {(e['pid'], e['tid']): e['args']['name'] for e in events if e['name'] == 'thread_name'}
    # Perfetto takes a thread that has its process' number for the main one and puts it first, and orders processes by how much they did unless told
    want(all(pid and tid and pid not in {t for _, t in threads} for pid, tid in {(e['pid'], e['tid']) for e in events}), 'a number that means something else to Perfetto')
    order = {e['pid']: e['args']['sort_index'] for e in events if e['name'] == 'process_sort_index'}
    want(set(order) == set(processes) and len(set(order.values())) == len(order), f'processes in no order: {order}')
    ns = lambda us: round(us * 1000)  # what Perfetto keeps
    busy = {}
    for e in sorted(slices, key=lambda e: (ns(e['ts']), e['dur'])):
        place = (e['pid'], e['tid'])
        want(place in threads and e['pid'] in processes, f'no name for {place}')
        want(ns(e['ts']) >= busy.get(place, 0), f'{e["name"]} overlaps in {place}')
        want(ns(e['dur']) > 0, f'{e["name"]} takes no time: the next would lie on top of it')
        busy[place] = ns(e['ts']) + ns(e['dur'])
    flows = {}
    for e in events:
        if e['ph'] in 'sf':
            under = [s['name'] for s in slices if s['pid'] == e['pid'] and s['tid'] == e['tid'] and ns(s['ts']) <= ns(e['ts']) < ns(s['ts']) + ns(s['dur'])]
            want(len(under) == 1, f'a flow that is bound to {under}')
            flows.setdefault(e['id'], {})[e['ph']] = (e, under[0])
    for f in flows.values():
        want(set(f) == {'s', 'f'} and f['s'][0]['ts'] <= f['f'][0]['ts'] and f['f'][0]['bp'] == 'e', 'half a flow')
    return {'run': d['otherData']['run'], 'slices': [e['args'] for e in slices], 'nodes': sorted(processes.values()), 'threads': len(threads),
            'flows': len(flows), 'arrows': [[f['s'][1], f['f'][1]] for f in flows.values()]}


def junit(text):
    dom = xml.dom.minidom.parseString(text.encode())
    suites = dom.documentElement
    suite, = suites.getElementsByTagName('testsuite')
    cases = suite.getElementsByTagName('testcase')
    out = {}
    for c in cases:
        kinds = [k.tagName for k in c.childNodes if k.nodeType == k.ELEMENT_NODE]
        want(kinds in ([], ['failure'], ['error'], ['skipped'], ['failure', 'system-out'], ['error', 'system-out']), f'{kinds}')
        tail = c.getElementsByTagName('system-out')
        out[c.getAttribute('name')] = {'kind': kinds[0] if kinds else 'passed', 'time': float(c.getAttribute('time')),
                                       'message': c.getElementsByTagName(kinds[0])[0].getAttribute('message') if kinds else '',
                                       'tail': tail[0].firstChild.data if tail else ''}
    for e in suites, suite:
        for attribute, kind in (('failures', 'failure'), ('errors', 'error'), ('skipped', 'skipped')):
            want(int(e.getAttribute(attribute)) == sum(c['kind'] == kind for c in out.values()), f'{attribute} miscounted')
        want(int(e.getAttribute('tests')) == len(cases), 'tests miscounted')
    return {'name': suite.getAttribute('name'), 'cases': out}


def dot(text):
    quoted = r'"(?:[^"\\\n]|\\.)*"'
    lines = text.split('\n')
    want(re.fullmatch(rf'digraph {quoted} {{', lines[0]) and lines[-2:] == ['}', ''], 'frame')
    nodes, edges = {}, 0
    for line in lines[4:-2]:
        node = re.fullmatch(rf'  (u\d+) \[label=({quoted}), fillcolor="(#\w+)", color="#\w+", tooltip=({quoted})\];', line)
        want(node or re.fullmatch(r'  u\d+ -> u\d+;', line), f'line {line!r}')
        if node:
            label, colour, tip = node.group(2, 3, 4)
            nodes[label[1:-1].split('\\n')[0]] = {'state': label[1:-1].split('\\n')[1].split()[0], 'colour': colour, 'tip': tip}
        else:
            edges += 1
    return {'nodes': nodes, 'edges': edges}


def mermaid(text):
    lines = text.split('\n')
    want(lines[0] == 'flowchart LR' and lines[-1] == '', 'frame')
    nodes, edges = {}, 0
    for line in lines[2:-1]:
        node = re.fullmatch(r'  u\d+\["([A-Za-z0-9 ._,:/+-]|#\d+;)*<br>(\w+)[^"]*"\]:::(\w+)', line)
        want(node or re.fullmatch(r'  (u\d+ --> u\d+|classDef \w+ fill:#\w+,stroke:#\w+,color:#\w+)', line), f'line {line!r}')
        if node:
            nodes[line.split('"')[1].split('<br>')[0]] = node.group(3)
        edges += '-->' in line
    return {'nodes': nodes, 'edges': edges}


class Page(html.parser.HTMLParser):
    ALLOWED = set('html head meta link title style body main header footer section h1 h2 p div span b code pre time svg rect path line text figure figcaption ul li '
                  'table tr th td details summary'.split())

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.stack = [], [], []

    def handle_starttag(self, tag, attrs):
        want(tag in self.ALLOWED, f'element <{tag}>')
        for name, value in attrs:
            want(not name.startswith('on') and name not in ('style', 'src'), f'<{tag} {name}>')
            want(name != 'href' or value == 'data:,', f'href {value}')
        self.tags.append((tag, dict(attrs)))
        self.stack.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise Bad('a comment')


def report(text):
    page = Page()
    page.feed(text)
    policy = [a['content'] for t, a in page.tags if t == 'meta' and a.get('http-equiv') == 'Content-Security-Policy']
    want(len(policy) == 1 and policy[0].startswith("default-src 'none'; style-src 'sha256-") and 'unsafe' not in policy[0], f'policy {policy}')
    import base64
    import hashlib
    style = re.search(r'<style>(.*?)</style>', text, re.S).group(1)
    want(base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy[0], 'cli_report_style_digest is not the style\'s')
    want('url(' not in style and '@import' not in style, 'the style asks for something')
    want(text.count('</html>') == 1 and text.endswith('</html>\n'), 'the end is cut')
    return {'text': ''.join(page.text), 'bars': sum(t == 'rect' for t, _ in page.tags), 'failures': sum(t == 'details' for t, _ in page.tags)}


def main():
    kind, path = sys.argv[1:]
    with open(path, encoding='utf-8', newline='') as f:
        text = f.read()
    try:
        harm = first_harm(text)
        want(not harm, harm)
        print(json.dumps(globals()[kind.replace('-', '_')](text)))
    except Bad as e:
        print(f'{kind}: {e}')
        sys.exit(1)


main()
