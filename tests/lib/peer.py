"""A peer of the coordinator in Python, for tests: CURVE over tcp, frames as proto/PROTOCOL.md has them.

Needs pyzmq and msgpack (Debian: python3-zmq, python3-msgpack). Nothing here waits for a length of time: receive() has a deadline and gives
None when it is over.
"""

import hashlib
import os
import time

import msgpack
import zmq
import zmq.utils.monitor
import zmq.utils.z85

HELLO, HEARTBEAT, RESULT, BYE, ENROL = 1, 2, 6, 10, 14
WELCOME, HB_ACK, DISPATCH, RESULT_ACK, GOAWAY = 32, 33, 34, 36, 40
BLOB_GET, BLOB_DATA = 11, 42
ASK, ACT, SUBMIT_BEGIN, SUBMIT_DATA, SUBMIT_COMMIT, TOKEN_CREATE, REVOKE = 64, 66, 67, 68, 69, 71, 72
ROWS, DONE, REFUSED, SUBMITTED, ENROLLED = 96, 98, 99, 100, 104

CONNECTED = zmq.EVENT_HANDSHAKE_SUCCEEDED
REFUSED_KEY = zmq.EVENT_HANDSHAKE_FAILED_AUTH
CUT_OFF = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
NO_CURVE = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL


def z85(key):
    return zmq.utils.z85.encode(key)


class Keys:
    def __init__(self, secret=None):
        if secret is None:
            public, secret = zmq.curve_keypair()
            self.public, self.secret = zmq.utils.z85.decode(public), zmq.utils.z85.decode(secret)
        else:
            self.secret = bytes(secret)
            self.public = zmq.utils.z85.decode(zmq.curve_public(z85(self.secret)))

    @property
    def hash(self):
        return hashlib.blake2b(self.public, digest_size=32).digest()


class Token:
    """The line that `reeve token create` prints."""

    def __init__(self, line):
        word, endpoints, server, self.id, secret = line.split()
        assert word == 'reeve-token-1', word
        self.endpoints = endpoints.split(',')
        self.server = bytes.fromhex(server)
        self.secret = bytes.fromhex(secret)

    def keys(self):
        raw = bytearray(hashlib.blake2b(self.id.encode(), digest_size=32, key=self.secret, person=b'reeve-enrol-v1').digest())
        raw[0] &= 248
        raw[31] = raw[31] & 127 | 64
        return Keys(raw)


class Peer:
    """One DEALER. `keys` None: without CURVE."""

    context = zmq.Context.instance()

    def __init__(self, endpoint, server=None, keys=None, plain=None):
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.immediate = 1
        if keys:
            self.socket.curve_serverkey = z85(server)
            self.socket.curve_publickey = z85(keys.public)
            self.socket.curve_secretkey = z85(keys.secret)
        if plain:
            self.socket.plain_username, self.socket.plain_password = plain
        self.keys = keys
        self.waiting = []
        self.monitor = self.socket.get_monitor_socket()
        self.socket.connect(endpoint)

    def close(self):
        self.socket.disable_monitor()
        self.socket.close()

    def handshake(self, seconds=20):
        """How it went: one of CONNECTED, REFUSED_KEY, CUT_OFF, NO_CURVE; None: not at all."""
        until = time.monotonic() + seconds
        while self.monitor.poll(max(0, int((until - time.monotonic()) * 1000))):
            event = zmq.utils.monitor.recv_monitor_message(self.monitor)['event']
            if event in (CONNECTED, REFUSED_KEY, CUT_OFF, NO_CURVE):
                self.socket.getsockopt(zmq.EVENTS)
                return event
        return None

    def connected(self):
        how = self.handshake()
        assert how == CONNECTED, f'the handshake went {how}'
        return self

    def lost(self, seconds=20):
        until = time.monotonic() + seconds
        while self.monitor.poll(max(0, int((until - time.monotonic()) * 1000))):
            if zmq.utils.monitor.recv_monitor_message(self.monitor)['event'] == zmq.EVENT_DISCONNECTED:
                return True
        return False

    def send_raw(self, *parts):
        """Blocks no longer than 20 s; a link that the coordinator ended takes nothing."""
        self.socket.sndtimeo = 20000
        self.socket.send_multipart(parts)

    def send(self, *messages):
        self.send_raw(msgpack.packb([1, *messages]))

    def receive(self, kinds, seconds=20):
        """The next message of one of these kinds; others are passed over. A frame may hold several."""
        until = time.monotonic() + seconds
        while True:
            while self.waiting:
                message = self.waiting.pop(0)
                if message[0] in kinds:
                    return message
            if not self.socket.poll(max(0, int((until - time.monotonic()) * 1000))):
                return None
            frame = msgpack.unpackb(self.socket.recv(), raw=False, strict_map_key=False)
            assert frame[0] == 1
            self.waiting = frame[1:]

    def ask(self, message, kinds, seconds=20):
        self.send(message)
        return self.receive(kinds, seconds)

    def enrol(self, keys, name, role=1):
        return self.ask([ENROL, 7, keys.public, name, role], (ENROLLED, REFUSED))

    def hello(self, name='n', n=1, incarnation=1, key_hash=None, page=0, last=True, held=(), slots=1, labels=()):
        node = [name, key_hash or self.keys.hash, b'b' * 16, incarnation, slots, 1, 1 << 30, list(labels), [], 'tree', []]
        return [HELLO, node, n, page, last, list(held)]

    def submit(self, *lines):
        """A plan as JSON lines, by an operator; gives its run."""
        plan = ''.join(line + '\n' for line in lines).encode()
        submission = int.from_bytes(os.urandom(7), 'big') | 1
        kinds = (SUBMITTED, REFUSED)
        for message in ([SUBMIT_BEGIN, 1, submission, len(plan), 0, '', 0, False], [SUBMIT_DATA, 2, submission, 0, plan],
                        [SUBMIT_COMMIT, 3, submission, hashlib.blake2b(plan, digest_size=32).digest()]):
            answer = self.ask(message, kinds)
            assert answer and answer[0] == SUBMITTED, answer
        return answer[4]
