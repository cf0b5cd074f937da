"""frames.py - frames, digests, facts and keys of reeve's protocol, written from proto/PROTOCOL.md alone

Nothing here was taken from reeve's own sources: where this file and reeve disagree, PROTOCOL.md says which of them is wrong. Bytes from outside
are checked before they are used; what does not fit raises Malformed, and the caller drops the rest of that frame, as the protocol asks.
"""

import hashlib
import os
import time

import msgpack
import zmq
import zmq.utils.z85
from zmq.utils.monitor import recv_monitor_message

VERSION = 1
FRAME_BYTES_MAX = 1 << 20
PIECE_BYTES = 256 * 1024
INLINE_BYTES_MAX = 4096
VALUES_MAX = 262144
RECORD_BYTES_MAX = 4 << 20
U64 = (1 << 64) - 1
NOTHING = U64  # the size that means: there is no such blob

# Node to coordinator.
HELLO, HEARTBEAT, TAKEN, REJECTED, STARTED, RESULT, NOT_HERE, RETRACTED, ALREADY_STARTED, BYE, BLOB_GET, BLOB_CHUNK, LOG_CHUNK, ENROL, USAGE = range(1, 16)
# Coordinator to node.
WELCOME, HB_ACK, DISPATCH, CANCEL, RESULT_ACK, RETRACT, CHECKPOINT, DRAIN, GOAWAY, BLOB_WANTED, BLOB_DATA, LOG_WANTED = range(32, 44)
# Client to coordinator, coordinator to client.
ASK, FACTS, ACT, SUBMIT_BEGIN, SUBMIT_DATA, SUBMIT_COMMIT, LOG, TOKEN_CREATE, REVOKE = range(64, 73)
ROWS, FACT_ROWS, DONE, REFUSED, SUBMITTED, LOG_BYTES, BLOB_BYTES, TOKEN_CREATED, ENROLLED = range(96, 105)

NAMES = {v: k for k, v in list(globals().items()) if k.isupper() and isinstance(v, int) and (v < 16 or 32 <= v < 44 or 64 <= v < 73 or 96 <= v < 105)}

BATCHED = {TAKEN, REJECTED, STARTED, RESULT, NOT_HERE, RETRACTED, ALREADY_STARTED, DISPATCH, CANCEL, RESULT_ACK, RETRACT, USAGE}
COUNTED_UP = {TAKEN, REJECTED, STARTED, RESULT, NOT_HERE, RETRACTED, ALREADY_STARTED}

SUCCEEDED, FAILED, CANCELLED = 1, 2, 3
CLASSES = "none agent timeout environment rate_limited evidence scope budget config node_lost".split()
REASONS = (
    "none exit signal timeout idle_timeout start_timeout queue_timeout spawn not_found workspace no_space no_artifact output_not_json rate_limit "
    "unkillable template context_too_large mock cancelled fail_fast not_started run_timeout blocked skipped satisfied poisoned lost warden_lost "
    "interrupted retracted rejected verify budget:tokens budget:cost budget:agent accept agent_error login no_credit removed network setup request"
).split()
UNIT_STATES = {1: "succeeded", 2: "failed", 3: "skipped", 4: "cancelled"}
REFUSALS = (
    "- E_USAGE E_PLAN E_LIMIT E_NOT_FOUND E_EXISTS E_BUSY E_UNREACHABLE E_DENIED E_CORRUPT E_VERSION E_STALE E_NO_SPACE E_NO_MEMORY E_IO "
    "E_UNSUPPORTED E_CONFLICT E_INTERNAL"
).split()


class Malformed(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Malformed(what)


# ---------------------------------------------------------------- frames


def encode(messages):
    data = msgpack.packb([VERSION] + list(messages), use_bin_type=True)
    need(len(data) <= FRAME_BYTES_MAX, "frame of %d bytes" % len(data))
    return data


def decode(data):
    """Gives the messages of a frame; raises Malformed for what is no frame of this version."""
    need(len(data) <= FRAME_BYTES_MAX, "frame of %d bytes" % len(data))
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=False, max_array_len=VALUES_MAX, max_map_len=VALUES_MAX, max_ext_len=0)
    except (ValueError, msgpack.UnpackException) as e:
        raise Malformed("no msgpack: %s" % e) from None
    need(isinstance(value, list) and value, "no frame")
    need(type(value[0]) is int and value[0] == VERSION, "version %r" % (value[0],))
    for message in value[1:]:
        need(isinstance(message, list) and message and type(message[0]) is int, "no message")
    return value[1:]


def uint(value, most=U64):
    need(type(value) is int and 0 <= value <= most, "no number: %r" % (value,))
    return value


def byte_string(value, size=None):
    need(type(value) is bytes and (size is None or len(value) == size), "no bytes")
    return value


def text(value):
    need(type(value) is str, "no text")
    return value


def a_list(value, least=0, most=VALUES_MAX):
    need(type(value) is list and least <= len(value) <= most, "no list, or one of a wrong length")
    return value


# ---------------------------------------------------------------- digests and numbers


def digest_of(data):
    return hashlib.blake2b(data, digest_size=32).digest()


RUN_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def run_text(run):
    return "".join(RUN_DIGITS[run >> shift & 31] for shift in range(45, -1, -5))


def run_number(name):
    number = 0
    for c in name:
        number = number << 5 | RUN_DIGITS.index(c)
    return number


def _h(seed, v):
    v ^= seed * 0xFF51AFD7ED558CCD & U64
    v ^= v >> 32
    v = v * 0x9E3779B97F4A7C15 & U64
    v ^= v >> 29
    v = v * 0xD6E8FEB86659FD93 & U64
    return v ^ v >> 32


def table_digest(keys):
    return sum(_h(_h(run, unit), attempt) for run, unit, attempt in keys) & U64


# ---------------------------------------------------------------- values, specs, facts


def value_of(store, data):
    """The wire form of an output: nil, the bytes themselves, or the blob that holds them, which `store` then keeps."""
    if data is None:
        return None
    if len(data) <= INLINE_BYTES_MAX:
        return data
    return [len(data), store.put(data)]


def blob_ref(value):
    value = a_list(value, 2, 2)
    return uint(value[0]), byte_string(value[1], 32)


SPEC_FIELDS = {
    1: ("kind", 0), 2: ("flags", 0), 3: ("agent", b""), 4: ("model", b""), 5: ("argv", []), 6: ("env", []), 7: ("description", b""),
    8: ("prompt", b""), 9: ("context", b""), 10: ("x", b""), 11: ("cwd", b""), 12: ("allowed_directories", []), 13: ("output", 0),
    14: ("evidence", 0), 15: ("required", []), 16: ("keep_logs", 0), 17: ("grace_us", 2000000), 18: ("log_bytes", 52428800),
    19: ("timeout_us", 0), 20: ("idle_us", 0), 21: ("start_us", 0), 22: ("slots", 1), 23: ("memory", 0), 24: ("rate_exits", []),
    25: ("rate_texts", []), 26: ("delay_us", 100000), 27: ("fails", 0), 28: ("mock_output", b""), 29: ("resources", []),
}  # fmt: skip

SPEC_AGENT, SPEC_TEMPLATE, SPEC_PROMPT_TEMPLATE, SPEC_NAMESPACE, SPEC_AT_MOST_ONCE, SPEC_COULD_HURT, SPEC_DIRECTORIES, SPEC_NO_WORKSPACE, SPEC_WITH_DEPS = (
    1, 2, 4, 8, 16, 32, 64, 128, 256)  # fmt: skip


class Spec:
    def __init__(self, data):
        try:
            fields = msgpack.unpackb(data, raw=False, strict_map_key=False)
        except (ValueError, msgpack.UnpackException) as e:
            raise Malformed("spec: %s" % e) from None
        need(type(fields) is dict, "a spec is a map")
        last = 0
        for number, value in fields.items():
            need(number in SPEC_FIELDS, "spec field %r" % (number,))
            need(number > last, "spec fields in rising order")
            last = number
        for number, (name, default) in SPEC_FIELDS.items():
            value = fields.get(number, default)
            need(type(value) is type(default), "spec field %d" % number)
            setattr(self, name, value)


def records(data):
    """The facts of a row's bytes: each a length in 7 bits a byte, lowest first, and a msgpack array."""
    at = 0
    while at < len(data):
        length = shift = 0
        for _ in range(5):
            need(at < len(data), "a length that ends early")
            byte = data[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        else:
            raise Malformed("a length of more than 5 bytes")
        need(0 < length <= RECORD_BYTES_MAX and at + length <= len(data), "a record of %d bytes" % length)
        yield a_list(msgpack.unpackb(data[at : at + length], raw=False), 1)
        at += length


# ---------------------------------------------------------------- blobs


class Blobs:
    """Blobs in a directory, by the hex digits of their digest. What is put is durable under its name or not there."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path, exist_ok=True)

    def _name(self, digest):
        return os.path.join(self.path, digest.hex())

    def put(self, data):
        digest = digest_of(data)
        if not os.path.exists(self._name(digest)):
            save(self._name(digest), data)
        return digest

    def size(self, digest):
        try:
            return os.path.getsize(self._name(digest))
        except FileNotFoundError:
            return None

    def read(self, digest, offset=0, most=-1):
        with open(self._name(digest), "rb") as f:
            f.seek(offset)
            return f.read(most)


def save(path, data, mode=0o600):
    fresh = path + ".new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    os.rename(fresh, path)


class Pull:
    """A blob on its way here, piece by piece, from offset 0 on."""

    def __init__(self, size, digest):
        self.size, self.digest, self.data = size, digest, bytearray()

    def piece(self, digest, size, offset, data):
        """Gives True when it is whole and right, False when more is wanted (from len(self.data) on)."""
        need(digest == self.digest, "a piece of another blob")
        need(size != NOTHING, "blob %s: there is no such one" % digest.hex())
        need(self.size is None or size == self.size, "blob %s has %d bytes, not %s" % (digest.hex(), size, self.size))
        self.size = size
        if offset != len(self.data):
            return False  # a copy of a piece that came already
        need(data or size == 0, "an empty piece")
        self.data += data
        need(len(self.data) <= size, "more bytes than the blob has")
        if len(self.data) < size:
            return False
        need(digest_of(bytes(self.data)) == digest, "blob %s: these are other bytes" % digest.hex())
        return True


# ---------------------------------------------------------------- keys and the link


class Keys:
    """A CURVE key pair, raw bytes."""

    def __init__(self, secret):
        self.secret = secret
        self.public = zmq.utils.z85.decode(zmq.curve_public(zmq.utils.z85.encode(secret)))

    @classmethod
    def fresh(cls):
        return cls(zmq.utils.z85.decode(zmq.curve_keypair()[1]))


class Token:
    """A token's line: where the coordinator is, its key, and the enrolling key that the secret gives."""

    def __init__(self, line):
        fields = line.rstrip("\n").split(" ")
        need(len(fields) == 5 and fields[0] == "reeve-token-1", "this is no token")
        self.endpoints = fields[1].split(",")
        need(1 <= len(self.endpoints) <= 8 and all(e.startswith("tcp://") for e in self.endpoints), "endpoints of the token")
        need(len(fields[2]) == len(fields[4]) == 64 and len(fields[3]) == 10, "fields of the token")
        self.server_key, self.id = bytes.fromhex(fields[2]), fields[3]
        self.keys = enrolling_key(self.id, bytes.fromhex(fields[4]))


def enrolling_key(token_id, secret):
    key = bytearray(hashlib.blake2b(token_id.encode("ascii"), digest_size=32, key=secret, person=b"reeve-enrol-v1").digest())
    key[0] &= 248
    key[31] = key[31] & 127 | 64
    return Keys(bytes(key))


LOST = {zmq.EVENT_DISCONNECTED, zmq.EVENT_CLOSED, zmq.EVENT_HANDSHAKE_FAILED_AUTH, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL,
        zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL}  # fmt: skip


class Link:
    """One DEALER and its life; a lost link is never taken up again, whoever owns it makes another."""

    def __init__(self, context, endpoint, server_key=None, keys=None):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 1000
        self.socket.sndhwm = self.socket.rcvhwm = 10000
        self.socket.maxmsgsize = FRAME_BYTES_MAX
        if server_key is not None:
            self.socket.curve_serverkey = zmq.utils.z85.encode(server_key)
            self.socket.curve_publickey = zmq.utils.z85.encode(keys.public)
            self.socket.curve_secretkey = zmq.utils.z85.encode(keys.secret)
        self.monitor = self.socket.get_monitor_socket()
        self.lost = None
        self.malformed = 0
        self.socket.connect(endpoint)

    def send(self, *messages):
        try:
            self.socket.send(encode(messages), zmq.NOBLOCK)
            return True
        except zmq.Again:
            return False  # the queue is full: what matters is sent again

    def frames(self):
        """All messages that have come, in order; what is no frame is counted and dropped."""
        while True:
            try:
                parts = self.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                need(len(parts) == 1, "a frame of %d parts" % len(parts))
                yield from decode(parts[0])
            except Malformed:
                self.malformed += 1

    def watch(self):
        """Reads what libzmq tells of the connection; True once the link is lost."""
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)
            if event["event"] in LOST:
                self.lost = self.lost or zmq.Event(event["event"]).name
        return self.lost is not None

    def close(self):
        self.socket.disable_monitor()
        self.monitor.close(0)
        self.socket.close()


def now_us():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def real_us():
    return time.time_ns() // 1000
