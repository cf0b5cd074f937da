"""What hostile peers try on a coordinator over tcp, and what it has to answer (t61-attack.sh).

    attack.py ENDPOINT TOKEN_OF_NODES TOKEN_OF_ANOTHER PID REEVE STATE

Each check says what it looked for; the first that fails ends the program with 1. After an attack the attacker's own link is asked something
that is answered (read_all), since one link is read in order: what came before has been read, and whatever it led to has come back. An
honest node is heard all the while.
"""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

import msgpack

import peer
from peer import Keys, Peer, Token

MIB = 1 << 20
RSS_GROWTH_MAX = 24 * MIB


def fail(what):
    print('FAILED:', what)
    sys.exit(1)


def check(ok, what):
    if not ok:
        fail(what)


def say(what):
    print('#', what, flush=True)


class Stage:
    def __init__(self, endpoint, token, other_token, pid, reeve, state):
        self.endpoint, self.pid, self.reeve, self.state = endpoint, pid, reeve, state
        self.token, self.other_token = Token(open(token).read()), Token(open(other_token).read())
        self.server = self.token.server
        self.n = 0

    def connect(self, keys, server=None):
        return Peer(self.endpoint, server or self.server, keys)

    def join(self, name, token=None):
        """An enrolled node's connection."""
        keys = Keys()
        door = self.connect((token or self.token).keys()).connected()
        answer = door.enrol(keys, name)
        check(answer and answer[0] == peer.ENROLLED and answer[3] == name, f'{name} is enrolled: {answer}')
        door.close()
        return self.connect(keys).connected()

    def cli(self, *words, status=0):
        done = subprocess.run([self.reeve, *words, '--coordinator', self.state], capture_output=True, text=True, timeout=60)
        check(done.returncode == status, f'{words}: exit {done.returncode}: {done.stderr}')
        return done.stdout

    def memory(self):
        with open(f'/proc/{self.pid}/status') as f:
            return next(int(line.split()[1]) * 1024 for line in f if line.startswith('VmRSS'))

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.pid}/fd'))

    def alive(self, node, name='honest'):
        """The coordinator serves: a node's HELLO begins a session."""
        self.n += 1
        welcome = node.ask(node.hello(name, n=self.n, labels=[['who', name]]), (peer.WELCOME, peer.GOAWAY))
        check(welcome and welcome[0] == peer.WELCOME, f'an honest HELLO is welcomed: {welcome}')
        return welcome

    def read_all(self, link, what):
        """All that this link has sent was read, and none of it has had an answer that an honest peer would have got. A client's request of
        somebody who is none is refused: that is the answer waited for."""
        self.n += 1
        link.send([peer.ASK, 10**6 + self.n, 1, 0, '', 0, 1])
        while True:
            got = link.receive((peer.REFUSED, *HONEST_ANSWERS))
            check(got and got[0] == peer.REFUSED, f'{what}: {got}')
            if got[1] == 10**6 + self.n:
                return


HONEST_ANSWERS = (peer.WELCOME, peer.HB_ACK, peer.RESULT_ACK, peer.ENROLLED, peer.ROWS, peer.DONE)


def derivation():
    """The test vector of PROTOCOL.md, computed here from what its text says."""
    say('the enrolling key is what PROTOCOL.md says')
    with open(os.path.join(os.path.dirname(__file__), '../../proto/PROTOCOL.md'), encoding='utf-8') as f:
        text = f.read()
    want = dict(re.findall(r'^\| (ID|SECRET|secret key|public key|its hash) \| `(\w+)` \|$', text, re.M))
    check(len(want) == 5, f'a test vector: {want}')
    token = Token(f"reeve-token-1 tcp://h:1 {'0' * 64} {want['ID']} {want['SECRET']}")
    keys = token.keys()
    check((keys.secret.hex(), keys.public.hex(), keys.hash.hex()) == (want['secret key'], want['public key'], want['its hash']),
          'the test vector')


# --- handshakes -----------------------------------------------------------------------------------------------------------

def handshakes(s):
    say('handshakes: no CURVE, PLAIN, another server key, an unknown key, a public key without its secret')
    link = Peer(s.endpoint)
    check(link.handshake() in (peer.NO_CURVE, peer.CUT_OFF), 'without CURVE')
    link.close()
    link = Peer(s.endpoint, plain=(b'node', b'secret'))
    check(link.handshake() in (peer.NO_CURVE, peer.CUT_OFF), 'PLAIN')
    link.close()
    link = s.connect(Keys(), server=Keys().public)
    check(link.handshake() == peer.CUT_OFF, 'another server key')
    link.close()
    link = s.connect(Keys())
    check(link.handshake() == peer.REFUSED_KEY, 'an unknown key')
    link.close()
    stolen = Keys()
    stolen.public = s.token.keys().public
    link = s.connect(stolen)
    check(link.handshake() in (peer.CUT_OFF, None), 'a public key without its secret half')
    link.close()
    link = s.connect(Keys(secret=s.other_token.secret))
    check(link.handshake() == peer.REFUSED_KEY, "a token's secret is not its key")
    link.close()


def address(s):
    host, port = s.endpoint[len('tcp://'):].rsplit(':', 1)
    return host, int(port)


def raw_bytes(s):
    say('bytes that are no CURVE: HTTP, old ZMTP, NULL, garbage behind a greeting')
    greeting = b'\xff' + bytes(7) + b'\x01\x7f\x03\x00'
    for what in (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', b'\x01\x00', b'\xff' + bytes(7) + b'\x01\x7f\x01\x05\x00\x00',
                 greeting + b'NULL'.ljust(20, b'\0') + bytes(32), greeting + b'PLAIN'.ljust(20, b'\0') + bytes(32),
                 greeting + b'CURVE'.ljust(20, b'\0') + bytes(32) + b'\x04\xff' * 100,
                 greeting + b'CURVE'.ljust(20, b'\0') + bytes(32) + b'\x06' + struct.pack('>Q', 1 << 62),
                 os.urandom(4096)):
        with socket.create_connection(address(s)) as c:
            c.settimeout(20)
            try:
                c.sendall(what)
                while c.recv(4096):
                    pass
            except ConnectionError:
                pass  # cut off as well
            except socket.timeout:
                fail(f'{what[:20]} is not cut off')


def silent_connections(s, node, count):
    say(f'{count} connections that say nothing')
    before = s.descriptors()
    open_ones = [socket.create_connection(address(s)) for _ in range(count)]
    s.alive(node)
    s.cli('key', 'list')
    for c in open_ones:
        c.close()
    until = time.monotonic() + 60
    while s.descriptors() > before + 4:
        check(time.monotonic() < until, f'descriptors come back: {s.descriptors()}, before {before}')
        s.alive(node)


# --- frames ----------------------------------------------------------------------------------------------------------------

def pack(*messages):
    return msgpack.packb([1, *messages])


def hostile_frames():
    """Refused by the scan or the codec: none has any effect, and none costs more than its own bytes."""
    yield 'nothing', b''
    yield 'array32 of 2^29', b'\xdd\x20\x00\x00\x00'
    yield 'map32 of 2^28', b'\xdf\x10\x00\x00\x00'
    yield 'array32 of 2^29 in a message', b'\x92\x01\xdd\x20\x00\x00\x00'
    yield 'str32 of 4 GiB with one byte', b'\xdb\xff\xff\xff\xffx'
    yield 'bin32 of 4 GiB with one byte', b'\xc6\xff\xff\xff\xffx'
    yield 'ext32 of 4 GiB', b'\xc9\xff\xff\xff\xff\x01x'
    yield '1 MiB of nested arrays', b'\x91' * MIB
    yield '1 MiB of nil in one array', b'\xdd' + struct.pack('>I', MIB - 5) + b'\xc0' * (MIB - 5)
    yield 'nested maps', b'\x81\x01' * 1000
    yield 'a map for an array', msgpack.packb({1: 2, 'a': 3})
    yield 'the reserved byte', b'\xc1'
    yield 'another version', msgpack.packb([99, [peer.BYE]])
    yield 'version 0', msgpack.packb([0, [peer.BYE]])
    yield 'a float for the version', msgpack.packb([1.0, [peer.BYE]])
    yield 'no version', msgpack.packb([])
    yield 'text for a message', msgpack.packb([1, 'x'])
    yield 'an empty message', msgpack.packb([1, []])
    yield 'a message that is not there', pack([31])
    yield 'number -1', pack([-1])
    yield 'number 2^64-1', pack([2**64 - 1])
    yield 'a missing field', pack([peer.HEARTBEAT, 1, 1, 0, 0, 0])
    yield 'a surplus field', pack([peer.HEARTBEAT, 1, 1, 0, 0, 0, 0, 0])
    yield 'a float for a number', pack([peer.HEARTBEAT, 1, 1.5, 0, 0, 0, 0])
    yield 'text for a number', pack([peer.HEARTBEAT, 'x', 1, 0, 0, 0, 0])
    yield 'a negative number', pack([peer.HEARTBEAT, -1, 1, 0, 0, 0, 0])
    yield 'nil for a number', pack([peer.HEARTBEAT, None, 1, 0, 0, 0, 0])
    yield 'an extension', pack([peer.HEARTBEAT, msgpack.ExtType(5, b'x'), 1, 0, 0, 0, 0])
    yield 'bytes behind the end', pack([peer.BYE]) + b'\x00'
    yield 'two frames in one', pack([peer.BYE]) * 2
    yield 'text that is not UTF-8', b'\x92\x01\x94\x0e\x07\xc4\x20' + bytes(32) + b'\xa2\xff\xfe'
    yield 'a name with NUL', pack([peer.ENROL, 7, bytes(32), 'a\0b', 1])
    yield 'a short key', pack([peer.ENROL, 7, bytes(31), 'a', 1])
    yield 'a long key', pack([peer.ENROL, 7, bytes(33), 'a', 1])
    yield 'a name of 1 MiB', pack([peer.ENROL, 7, bytes(32), 'a' * (MIB - 100), 1])
    yield 'a cut frame', pack([peer.HEARTBEAT, 1, 1, 0, 0, 0, 0])[:-1]
    yield 'a batch of 2^31', b'\x92\x01\x93\x06\x01\xdd\x80\x00\x00\x00'
    yield 'more values than a frame may have', msgpack.packb([1, [peer.RESULT, 1, [0] * 300000]])
    yield 'more depth than a frame may have', msgpack.packb([1, [peer.RESULT, 1, [[[[[[[[[0]]]]]]]]]]])


def frames(s, link, role):
    say(f'hostile frames of a peer with role {role}')
    for what, frame in hostile_frames():
        link.send_raw(frame)
        s.read_all(link, what)
    say('hostile shapes: parts, an empty part, a byte too many')
    bye = pack([peer.BYE])
    for what, parts in (('17 parts', [bye] * 17), ('an empty part before', [b'', bye]), ('an empty part behind', [bye, b'']),
                        ('three empty parts', [b''] * 3), ('one byte over the limit', [b'\x91' * (MIB + 1)])):
        link.send_raw(*parts)
        s.read_all(link, what)


def too_large(s, node, keys):
    say('frames far over the limit end their connection, and it alone')
    link = s.connect(keys).connected()
    link.send_raw(b'\x91' * (MIB + 4096))
    check(link.lost(), 'a frame far over the limit ends its connection')
    link.close()
    s.alive(node)
    say('a message of 512 MiB in parts that are each within the limit ends its connection before it is whole')
    before = s.memory()
    link = s.connect(keys).connected()
    link.send_raw(*[b'\x91' * MIB] * 512)
    check(link.lost(60), 'a message that does not end ends its connection')
    link.close()
    s.alive(node)
    print('memory in KiB, before and after:', before >> 10, s.memory() >> 10)
    check(s.memory() - before < 256 * MIB, 'it is not kept')


# --- roles -------------------------------------------------------------------------------------------------------------------

def client_requests():
    yield [peer.ASK, 1, 1, 0, '', 0, 10]
    yield [peer.ASK, 2, 5, 0, '', 0, 10]
    yield [65, 3, 0, 0, 0, 2**64 - 1, 1000, 0]
    yield [peer.ACT, 4, 77, 1, 1, '', '', 0, b'', b'', '']
    yield [67, 5, 99, 10, 0, '', 0, False]
    yield [68, 6, 99, 0, b'x']
    yield [69, 7, 99, bytes(32)]
    yield [70, 8, 1, 'a', 0, 3, 0, 100, 0]
    yield [peer.TOKEN_CREATE, 9, 'mine000000', 4, Keys().public, 60 * 10**6, 1]
    yield [peer.REVOKE, 10, 78, 1, 'honest']


def node_messages(key_hash):
    yield [peer.HELLO, ['n', key_hash, b'b' * 16, 1, 4, 1, 1 << 30, [], [], 'tree', []], 1, 0, True, []]
    yield [peer.HEARTBEAT, 1, 1, 0, 0, 0, 0]
    yield [peer.BYE]
    yield [11, 1, bytes(32), 0]


def wrong_roles(s, node, intruder):
    say('a node may not act as a client: each request is refused, none is done')
    before = s.cli('token', 'list', '-o', 'json'), s.cli('key', 'list', '-o', 'json')
    for request in client_requests():
        answer = intruder.ask(request, (peer.REFUSED, peer.ROWS, peer.DONE, 97, 100, 101, 103))
        check(answer and answer[0] == peer.REFUSED and answer[1] == request[1] and answer[2] == 8, f'{request[0]} of a node: {answer}')
    say('the key of a token may ENROL and nothing else')
    door = s.connect(s.token.keys()).connected()
    for request in client_requests():
        answer = door.ask(request, (peer.REFUSED, peer.ROWS, peer.DONE, 97, 100, 101, 103))
        check(answer and answer[0] == peer.REFUSED and answer[2] == 8, f'{request[0]} of an enroller: {answer}')
    for message in node_messages(s.token.keys().hash):
        door.send(message)
        s.read_all(door, f"{message[0]} of an enroller")
    door.close()
    say("the coordinator's own messages are refused from anybody")
    for kind in list(range(32, 44)) + list(range(96, 105)):
        intruder.send([kind, 1, 1, 1, b'', []])
        intruder.send([kind, 1, [[0, 1]]])
        s.read_all(intruder, f"the coordinator's own message {kind} of a node")
    check((s.cli('token', 'list', '-o', 'json'), s.cli('key', 'list', '-o', 'json')) == before, 'tokens and keys are as before')


# --- other people's identity and work ------------------------------------------------------------------------------------------------

def identities(s, node, intruder):
    say("HELLO with another node's key hash, or with another node's frames said again")
    intruder.send(intruder.hello('honest', key_hash=node.keys.hash, n=10**6, incarnation=2))
    intruder.send(intruder.hello('other', key_hash=Keys().hash))
    intruder.send(intruder.hello('other', key_hash=bytes(32)))
    intruder.send_raw(pack(node.hello('honest', n=s.n)))
    s.read_all(intruder, "a HELLO in another's name")
    s.alive(node)
    say('a name that nobody has yet, but that it was not let in with')
    goaway = intruder.ask(intruder.hello('gpu-box', n=2), (peer.WELCOME, peer.GOAWAY))
    check(goaway and goaway[0] == peer.GOAWAY and goaway[1] == 4, f'another name is not the intruder\'s: {goaway}')
    nodes = [row['name'] for row in json.loads(s.cli('nodes', '-o', 'json'))['nodes']]
    check('gpu-box' not in nodes, f'no node has it: {nodes}')
    names = [row['name'] for row in json.loads(s.cli('key', 'list', '-o', 'json'))['keys']]
    check(names.count('honest') == 1, f'one honest node: {names}')


def result(epoch, unit, attempt, outcome=1, flags=1):
    return [unit, attempt, epoch, outcome, 0, 0, flags, 0, 0, 10**15, 5, 5, 0, 0]


def others_results(s, node, intruder):
    say("results of another node's unit, of attempts that never were, of units that are not there")
    s.alive(node)
    person = Peer(f'ipc://{s.state}/sock').connected()
    run = person.submit('{"version": 1, "name": "prey"}', '{"id": "a", "command": ["true"], "labels": {"who": "honest"}}')
    dispatch = node.receive((peer.DISPATCH,), 30)
    check(dispatch and dispatch[1] == run, f'the honest node is given the unit: {dispatch}')
    unit, attempt, epoch = dispatch[4][0][:3]
    check((unit, attempt) == (0, 1), f'unit 0, attempt 1: {dispatch[4]}')
    welcome = intruder.ask(intruder.hello('intruder'), (peer.WELCOME, peer.GOAWAY))
    check(welcome and welcome[0] == peer.WELCOME, f'the intruder is an ordinary node: {welcome}')
    session = welcome[2]
    acks, sent = [], 0
    for number in (run, run + 1, 0, 2**64 - 1):
        for u, a in ((0, 1), (1, 1), (0, 0), (0, 2), (0, 2**32 - 1), (2**32 - 1, 1), (10**6, 1)):
            for e in (epoch, epoch - 1, epoch + 1, 0, 2**64 - 1):
                intruder.send([peer.RESULT, number, [result(e, u, a)]])
                sent += 1
    for kind in (3, 7, 8, 9):  # TAKEN, NOT_HERE, RETRACTED, ALREADY_STARTED
        intruder.send([kind, run, [[0, 1]]])
    intruder.send([4, run, [[0, 1, 1]]])
    intruder.send([5, run, [[0, 1, 10**15]]])
    say('heartbeats of other sessions, with counters from nowhere; answers that nobody asked for')
    for said in (session + 1, 0, 2**64 - 1):
        intruder.send([peer.HEARTBEAT, said, 1, 0, 0, 0, 0])
    for n in (0, 2**64 - 1):
        intruder.send([peer.HEARTBEAT, session, n, 2**64 - 1, 2**64 - 1, 2**64 - 1, 2**32 - 1])
    intruder.send([12, 1, bytes(32), 10, 0, b'x' * 10])
    intruder.send([13, 1, 1, 0, 10, True, True, False, b'x' * 10])
    while len(acks) < sent:  # each is answered, so that whoever asks in error stops
        got = intruder.receive((peer.RESULT_ACK,))
        check(got, f'{sent} results are answered: {len(acks)}')
        acks += [item[2] for item in got[2]]
    check(1 not in acks, f'no result of the intruder is accepted: {acks}')
    say('the honest result is the one that counts, once')
    mine = [peer.RESULT, run, [result(epoch, unit, attempt)]]
    ack = node.ask(mine, (peer.RESULT_ACK,))
    check(ack and ack[2][0][2] == 1, f'the honest result is accepted: {ack}')
    ack = node.ask(mine, (peer.RESULT_ACK,))
    check(ack and ack[2][0][2] != 1, f'a copy of it is not: {ack}')
    ack = intruder.ask(mine, (peer.RESULT_ACK,))
    check(ack and ack[2][0][2] != 1, f"nor is another node's copy: {ack}")
    rows = person.ask([peer.ASK, 5, 2, run, '', 0, 10], (peer.ROWS, peer.REFUSED))
    row = json.loads(rows[3][0])
    check((row['state'], row['succeeded'], row['failed']) == ('succeeded', 1, 0), f'the run succeeded: {row}')
    person.close()


# --- revoked ------------------------------------------------------------------------------------------------------------------------

def revoked(s, node):
    say('revoked while connected: it is told so; at the next thing that it says its link ends, and nothing that it says counts')
    link = s.join('leaver')
    welcome = link.ask(link.hello('leaver'), (peer.WELCOME,))
    check(welcome, 'the leaver is welcomed')
    session = welcome[2]
    check(link.ask([peer.HEARTBEAT, session, 1, 0, 0, 0, 0], (peer.HB_ACK,)), 'and heard')
    s.cli('key', 'revoke', 'leaver')
    goaway = link.receive((peer.GOAWAY,))
    check(goaway and goaway[1] == 2, f'it is told that it was revoked: {goaway}')
    link.send([peer.HEARTBEAT, session, 2, 0, 0, 0, 0], link.hello('leaver', n=2), [peer.ASK, 1, 1, 0, '', 0, 10],
              [peer.BLOB_GET, 1, bytes(32), 0], link.hello('leaver', n=3))
    check(link.lost(), 'its link ends')
    check(link.handshake() == peer.REFUSED_KEY, 'and is not made again')
    check(link.receive(range(200), 0) is None, 'a revoked node is told nothing')
    s.alive(node)
    again = s.connect(link.keys)
    check(again.handshake() == peer.REFUSED_KEY, 'no new connection either')
    again.close()
    link.close()


def flood(s, node, intruder):
    say('20,000 hostile frames: memory is flat')
    samples = []
    frames_now = [f for _, f in hostile_frames() if len(f) < 5000]
    for i in range(20):
        for j in range(1000):
            intruder.send_raw(frames_now[(i + j) % len(frames_now)])
            s.alive(node)
        samples.append(s.memory())
    for _ in range(100):
        intruder.send_raw(b'\x91' * MIB)
    s.read_all(intruder, 'a flood')
    s.alive(node)
    samples.append(s.memory())
    return samples


def main():
    s = Stage(*sys.argv[1:4], int(sys.argv[4]), *sys.argv[5:7])
    derivation()
    handshakes(s)
    raw_bytes(s)
    node = s.join('honest')
    s.alive(node)
    intruder = s.join('intruder', s.token)
    start = s.memory()
    door = s.connect(s.token.keys()).connected()
    frames(s, door, 'enroller')
    door.close()
    frames(s, intruder, 'node')
    check(s.memory() - start < 3 * RSS_GROWTH_MAX, 'hostile frames leave memory as it was')
    too_large(s, node, intruder.keys)
    start = s.memory()  # of a message that does not end, malloc may keep what was given back: too_large() has bounded that
    wrong_roles(s, node, intruder)
    identities(s, node, intruder)
    others_results(s, node, intruder)
    revoked(s, node)
    silent_connections(s, node, int(os.environ.get('SILENT', '1000')))
    samples = flood(s, node, intruder)
    print('memory in KiB:', start >> 10, [x >> 10 for x in samples])
    check(samples[-1] - samples[0] < RSS_GROWTH_MAX and samples[-1] - start < 3 * RSS_GROWTH_MAX, 'memory is flat')
    s.alive(node)
    node.send([peer.BYE])
    print('ok')


if __name__ == '__main__':
    main()
