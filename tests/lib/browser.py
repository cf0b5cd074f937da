"""Opens a page in headless Chromium: python3 browser.py PAGE [PNG]; prints JSON: what it said on its console, and what it asked for.

The page is served on loopback, so that every request for anything beside it is seen here; what a page asks of elsewhere is in Chromium's own
network log, with the page as its initiator (Chromium's own requests have none), and no name but loopback is resolved.
"""

import functools
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading


class Handler(http.server.SimpleHTTPRequestHandler):
    asked = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()


def urls_of(netlog, origin):
    with open(netlog, encoding='utf-8') as f:
        text = f.read()
    log = json.loads(text if text.rstrip().endswith('}') else text.rstrip().rstrip(',') + ']}')
    kind = log['constants']['logEventTypes']['URL_REQUEST_START_JOB']
    return sorted({e['params']['url'] for e in log['events'] if e['type'] == kind and e.get('params', {}).get('initiator', '').startswith(origin)})


def main():
    page = os.path.abspath(sys.argv[1])
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Handler, directory=os.path.dirname(page)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    origin = f'http://127.0.0.1:{server.server_port}'
    url = f'{origin}/{os.path.basename(page)}'
    with tempfile.TemporaryDirectory() as home:
        netlog = os.path.join(home, 'net.json')
        command = ['chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
                   '--disable-component-update', '--disable-sync', '--disable-extensions', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
                   f'--user-data-dir={home}/user', '--window-size=1200,1600',
                   '--enable-logging=stderr', f'--log-net-log={netlog}', f'--screenshot={sys.argv[2] if len(sys.argv) > 2 else home + "/shot.png"}', url]
        done = subprocess.run(command, env=dict(os.environ, HOME=home, XDG_CONFIG_HOME=home, XDG_CACHE_HOME=home), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        console = re.findall(r':CONSOLE[:(]\d+[)\]]\s*(.*)', done.stderr)
        print(json.dumps({'status': done.returncode, 'shot': 'bytes written' in done.stderr, 'console': console, 'asked': Handler.asked,
                          'by_page': urls_of(netlog, origin)}))


main()
