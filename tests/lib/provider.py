#!/usr/bin/env python3
"""A model provider on loopback that answers by a script, so that real agents run without a model, a key or cost.

    provider.py SCENARIO.json [--port 0] [--record FILE]

It speaks the Anthropic Messages API (POST /v1/messages, streamed or not, /v1/messages/count_tokens, HEAD /) and the OpenAI Responses
API (POST /v1/responses, streamed or not). The first line on stdout is its address, `http://127.0.0.1:PORT`. It ends by TERM or INT.

The scenario is {"scripts": [SCRIPT, ...]}. The first script whose `match` occurs in the words of the user answers:

    match     a text; without it the script answers everything
    refuse    [{"status": 429, "times": 2, "retry_after_s": 1, "message": "...", "kind": "rate_limit_error"}, ...]: how its first requests
              are refused, in this order; times -1: for ever
    turns     [TURN, ...]: which one is told by the conversation itself, by how many answers of tools it holds, so a request that is
              sent again gets the same answer, and agents beside each other do not mix; the last turn answers all that come after it

    say       a text
    tool      "shell" (`command`) or "write" (`path`, `content`), in the words of whichever agent asks; or {"name": N, "input": {...}} as it is
    usage     {"input": 100, "output": 20, "cache_read": 0, "cache_write": 0}; input is what comes from no cache
    pause_s   before each piece of a streamed answer
    hang      true: the answer begins and never ends
    cut       true: the connection ends in the middle of a streamed answer

A request without tools is an agent's own side question (a title, a summary): it gets "ok" and counts as `side`.

Requests are recorded as JSON lines in FILE, and told by GET /requests: number, path, model, stream, script, turn, status, how many tools were
offered, their names, the SHA-256 (16 digits) of the key that came, never the key.
"""

import argparse
import hashlib
import http.server
import json
import shlex
import signal
import sys
import threading
import time

USAGE = {'input': 100, 'output': 20, 'cache_read': 0, 'cache_write': 0}
PIECE_CHARS = 40
KINDS = {400: 'invalid_request_error', 401: 'authentication_error', 402: 'billing_error', 403: 'permission_error', 404: 'not_found_error',
         413: 'request_too_large', 429: 'rate_limit_error', 500: 'api_error', 529: 'overloaded_error'}
MESSAGES = {401: 'invalid x-api-key', 429: 'rate limited', 529: 'Overloaded'}


def texts(value):
    """All texts below a value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from texts(part)
    elif isinstance(value, dict):
        for key in ('text', 'content'):
            if key in value:
                yield from texts(value[key])


class Scenario:
    def __init__(self, document):
        self.scripts = document['scripts']
        self.lock = threading.Lock()
        self.refused = [0] * len(self.scripts)

    def script_of(self, words):
        for number, script in enumerate(self.scripts):
            if script.get('match', '') in words:
                return number
        return None

    def refusal(self, number):
        """The refusal that is next, or None."""
        with self.lock:
            at = self.refused[number]
            for refusal in self.scripts[number].get('refuse', []):
                times = refusal.get('times', 1)
                if times < 0 or at < times:
                    self.refused[number] += 1
                    return refusal
                at -= times
        return None

    def turn(self, number, answers):
        turns = self.scripts[number]['turns']
        at = min(answers, len(turns) - 1)
        return at, turns[at]


class Records:
    def __init__(self, path):
        self.lock = threading.Lock()
        self.all = []
        self.file = open(path, 'w', encoding='utf-8') if path else None

    def add(self, record):
        with self.lock:
            record['number'] = len(self.all)
            self.all.append(record)
            if self.file:
                self.file.write(json.dumps(record) + '\n')
                self.file.flush()


class Refused(Exception):
    def __init__(self, status, message, kind=None, retry_after_s=None):
        super().__init__(message)
        self.status, self.message, self.retry_after_s = status, message, retry_after_s
        self.kind = kind or KINDS.get(status, 'api_error')


class Anthropic:
    """The Messages API: what a request says, and what an answer looks like."""

    path = '/v1/messages'

    def __init__(self, body):
        self.body = body
        self.tools = [t.get('name', t.get('type', '')) for t in body.get('tools', [])]

    def words(self):
        return '\n'.join(t for m in self.body.get('messages', []) if m.get('role') == 'user' for t in texts(m.get('content')))

    def answers(self):
        return sum(1 for m in self.body.get('messages', []) if isinstance(m.get('content'), list)
                   for part in m['content'] if part.get('type') == 'tool_result')

    def call(self, tool):
        if isinstance(tool.get('tool'), dict):
            return tool['tool']['name'], tool['tool']['input']
        if tool['tool'] == 'shell':
            return 'Bash', {'command': tool['command'], 'description': 'as the scenario says'}
        return 'Write', {'file_path': tool['path'], 'content': tool['content']}

    def blocks(self, turn, number):
        blocks = []
        if 'say' in turn:
            blocks.append({'type': 'text', 'text': turn['say']})
        if 'tool' in turn:
            name, tool_input = self.call(turn)
            blocks.append({'type': 'tool_use', 'id': f'toolu_{number:06}', 'name': name, 'input': tool_input})
        return blocks

    def message(self, turn, number, blocks, usage):
        return {'id': f'msg_{number:06}', 'type': 'message', 'role': 'assistant', 'model': self.body.get('model', 'mock'), 'content': blocks,
                'stop_reason': 'tool_use' if 'tool' in turn else 'end_turn', 'stop_sequence': None, 'usage': usage}

    def usage(self, turn, output=None):
        u = {**USAGE, **turn.get('usage', {})}
        return {'input_tokens': u['input'], 'cache_creation_input_tokens': u['cache_write'], 'cache_read_input_tokens': u['cache_read'],
                'output_tokens': u['output'] if output is None else output}

    def whole(self, turn, number):
        return self.message(turn, number, self.blocks(turn, number), self.usage(turn))

    def events(self, turn, number):
        start = self.message(turn, number, [], self.usage(turn, 1))
        start['stop_reason'] = None
        yield {'type': 'message_start', 'message': start}
        for index, block in enumerate(self.blocks(turn, number)):
            if block['type'] == 'text':
                empty, kind, key, text = {**block, 'text': ''}, 'text_delta', 'text', block['text']
            else:
                empty, kind, key, text = {**block, 'input': {}}, 'input_json_delta', 'partial_json', json.dumps(block['input'])
            yield {'type': 'content_block_start', 'index': index, 'content_block': empty}
            for at in range(0, len(text), PIECE_CHARS):
                yield {'type': 'content_block_delta', 'index': index, 'delta': {'type': kind, key: text[at:at + PIECE_CHARS]}}
            yield {'type': 'content_block_stop', 'index': index}
        yield {'type': 'message_delta', 'delta': {'stop_reason': 'tool_use' if 'tool' in turn else 'end_turn', 'stop_sequence': None},
               'usage': self.usage(turn)}
        yield {'type': 'message_stop'}

    @staticmethod
    def error(refused):
        return {'type': 'error', 'error': {'type': refused.kind, 'message': refused.message}}


class OpenAI:
    """The Responses API."""

    path = '/v1/responses'

    def __init__(self, body):
        self.body = body
        offered = list(body.get('tools', [])) + [t for i in self.items() if i.get('type') == 'additional_tools' for t in i.get('tools', [])]
        self.tools = [t.get('name', t['type']) for o in offered for t in (o['tools'] if o['type'] == 'namespace' else [o])]

    def items(self):
        given = self.body.get('input', [])
        return given if isinstance(given, list) else [{'type': 'message', 'role': 'user', 'content': given}]

    def words(self):
        return '\n'.join(t for i in self.items() if i.get('role') == 'user' for t in texts(i.get('content')))

    def answers(self):
        return sum(1 for i in self.items() if i.get('type') in ('function_call_output', 'custom_tool_call_output', 'local_shell_call_output'))

    def call(self, turn):
        if isinstance(turn.get('tool'), dict):
            return turn['tool']['name'], turn['tool']['input']
        command = turn['command'] if turn['tool'] == 'shell' else \
            f"mkdir -p \"$(dirname {shlex.quote(turn['path'])})\" && printf %s {shlex.quote(turn['content'])} >{shlex.quote(turn['path'])}"
        if 'exec' in self.tools: # newer models write JavaScript that calls tools
            return 'exec', f'const r = await tools.exec_command({{cmd: {json.dumps(command)}}});\ntext(r.output);\n'
        if 'exec_command' in self.tools:
            return 'exec_command', {'cmd': command}
        if 'shell_command' in self.tools:
            return 'shell_command', {'command': command}
        return 'shell', {'command': ['bash', '-c', command]}

    def output(self, turn, number):
        items = []
        if 'say' in turn:
            items.append({'type': 'message', 'id': f'msg_{number:06}', 'status': 'completed', 'role': 'assistant',
                          'content': [{'type': 'output_text', 'text': turn['say'], 'annotations': []}]})
        if 'tool' in turn:
            name, given = self.call(turn)
            call = {'call_id': f'call_{number:06}', 'status': 'completed', 'name': name}
            if isinstance(given, str):
                items.append({'type': 'custom_tool_call', 'id': f'ctc_{number:06}', **call, 'input': given})
            else:
                items.append({'type': 'function_call', 'id': f'fc_{number:06}', **call, 'arguments': json.dumps(given)})
        return items

    def usage(self, turn):
        u = {**USAGE, **turn.get('usage', {})}
        told = u['input'] + u['cache_read'] + u['cache_write']
        return {'input_tokens': told, 'input_tokens_details': {'cached_tokens': u['cache_read']}, 'output_tokens': u['output'],
                'output_tokens_details': {'reasoning_tokens': 0}, 'total_tokens': told + u['output']}

    def response(self, number, status, output, usage):
        return {'id': f'resp_{number:06}', 'object': 'response', 'created_at': 0, 'model': self.body.get('model', 'mock'), 'status': status,
                'output': output, 'usage': usage, 'error': None}

    def whole(self, turn, number):
        return self.response(number, 'completed', self.output(turn, number), self.usage(turn))

    def events(self, turn, number):
        output = self.output(turn, number)
        events = [{'type': 'response.created', 'response': self.response(number, 'in_progress', [], None)}]
        for index, item in enumerate(output):
            if item['type'] == 'message':
                text = item['content'][0]['text']
                empty = {**item, 'status': 'in_progress', 'content': []}
                place = {'item_id': item['id'], 'output_index': index, 'content_index': 0}
                events.append({'type': 'response.output_item.added', 'output_index': index, 'item': empty})
                events.append({'type': 'response.content_part.added', **place, 'part': {'type': 'output_text', 'text': '', 'annotations': []}})
                for at in range(0, len(text), PIECE_CHARS):
                    events.append({'type': 'response.output_text.delta', **place, 'delta': text[at:at + PIECE_CHARS]})
                events.append({'type': 'response.output_text.done', **place, 'text': text})
            else:
                key, kind = ('input', 'custom_tool_call_input') if 'input' in item else ('arguments', 'function_call_arguments')
                events.append({'type': 'response.output_item.added', 'output_index': index, 'item': {**item, 'status': 'in_progress', key: ''}})
                events.append({'type': f'response.{kind}.done', 'item_id': item['id'], 'output_index': index, key: item[key]})
            events.append({'type': 'response.output_item.done', 'output_index': index, 'item': item})
        events.append({'type': 'response.completed', 'response': self.response(number, 'completed', output, self.usage(turn))})
        for sequence, event in enumerate(events):
            yield {**event, 'sequence_number': sequence}

    @staticmethod
    def error(refused):
        return {'error': {'type': refused.kind, 'code': refused.kind, 'message': refused.message, 'param': None}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version = 'provider'

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def do_GET(self):
        if self.path == '/requests':
            self.send_json(200, self.server.records.all)
        elif self.path.split('?')[0] == '/v1/models':
            self.send_json(200, {'object': 'list', 'data': [], 'models': []})
        else:
            self.send_json(404, {'error': {'type': 'not_found_error', 'message': f'no {self.path}'}})

    def do_POST(self):
        path = self.path.split('?')[0]
        length = int(self.headers.get('Content-Length') or 0)
        raw = self.rfile.read(length)
        try:
            body = json.loads(raw)
        except ValueError:
            self.send_json(400, {'error': {'type': 'invalid_request_error', 'message': 'the body is no JSON'}})
            return
        if path == '/v1/messages/count_tokens':
            self.send_json(200, {'input_tokens': len(raw) // 4})
            return
        api = {Anthropic.path: Anthropic, OpenAI.path: OpenAI}.get(path)
        if not api:
            self.send_json(404, {'error': {'type': 'not_found_error', 'message': f'no {path}'}})
            return
        self.answer(api(body), path)

    def answer(self, ask, path):
        scenario = self.server.scenario
        key = self.headers.get('x-api-key') or self.headers.get('authorization') or ''
        record = {'path': path, 'model': ask.body.get('model'), 'stream': bool(ask.body.get('stream')), 'tools': len(ask.tools),
                  'tool_names': ask.tools, 'key': hashlib.sha256(key.removeprefix('Bearer ').encode()).hexdigest()[:16], 'status': 200,
                  'script': None, 'turn': None, 'side': not ask.tools}
        try:
            turn = self.choose(scenario, ask, record)
        except Refused as refused:
            record['status'] = refused.status
            self.server.records.add(record)
            self.send_json(refused.status, ask.error(refused), refused.retry_after_s)
            return
        self.server.records.add(record)
        if ask.body.get('stream'):
            self.stream(ask, turn, record['number'])
        elif turn.get('hang'):
            self.server.ending.wait()
        else:
            self.send_json(200, ask.whole(turn, record['number']))

    @staticmethod
    def choose(scenario, ask, record):
        number = scenario.script_of(ask.words())
        if number is None:
            if record['side']:
                return {'say': 'ok', 'usage': {'input': 1, 'output': 1}}
            raise Refused(400, 'no script of the scenario matches this request')
        record['script'] = number
        refusal = scenario.refusal(number)
        if refusal:
            status = refusal['status']
            raise Refused(status, refusal.get('message', MESSAGES.get(status, 'refused')), refusal.get('kind'), refusal.get('retry_after_s'))
        if record['side']:
            return {'say': 'ok', 'usage': {'input': 1, 'output': 1}}
        record['turn'], turn = scenario.turn(number, ask.answers())
        return turn

    def send_json(self, status, document, retry_after_s=None):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        if retry_after_s is not None:
            self.send_header('Retry-After', str(retry_after_s))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, ask, turn, number):
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Cache-Control', 'no-cache')
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        events = list(ask.events(turn, number))
        for at, event in enumerate(events):
            if turn.get('hang') and at == len(events) // 2:
                self.server.ending.wait()
            if turn.get('cut') and at == len(events) // 2:
                self.close_connection = True
                return
            if turn.get('pause_s'):
                time.sleep(turn['pause_s'])
            data = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b'%x\r\n%s\r\n' % (len(data), data))
            self.wfile.flush()
        self.wfile.write(b'0\r\n\r\n')


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that hangs up is no error of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('scenario')
    parser.add_argument('--port', type=int, default=0)
    parser.add_argument('--record')
    given = parser.parse_args()
    with open(given.scenario, encoding='utf-8') as f:
        scenario = Scenario(json.load(f))
    server = Server(('127.0.0.1', given.port), Handler)
    server.scenario, server.records, server.ending = scenario, Records(given.record), threading.Event()

    def end(*_):
        server.ending.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(f'http://127.0.0.1:{server.server_address[1]}', flush=True)
    server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == '__main__':
    sys.exit(main())
