#!/usr/bin/python3
"""peer.py - a node and a client that share no line with reeve: they were written from proto/PROTOCOL.md alone

    peer.py enrol  DIR --token FILE --name N [--role operator]  makes DIR/key, admits it, saves where the coordinator is
    peer.py node   DIR --name N [--slots 2] [--trouble]         runs units until TERM or DRAIN; what happens as JSON lines on stdout
    peer.py submit DIR PLAN.jsonl [--piece BYTES] [--twice]     prints the run
    peer.py rows   DIR WHAT [RUN] [UNIT]           a JSON array
    peer.py follow DIR RUN                         waits for the end; the account of the run, folded from its facts
    peer.py output DIR RUN UNIT                    the bytes of an output
    peer.py log    DIR RUN UNIT                    what it printed
    peer.py act    DIR WHAT [RUN] [--unit U] [--node N]         twice, as one whose answer was lost would
    peer.py vector PROTOCOL.md                     the test vector of tokens that stands in it

DIR holds what `enrol` saved. `--ipc PATH` instead reaches a coordinator's socket on this machine, without keys. Exit 0: done, 1: refused or failed.
"""

import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import zmq  # noqa: E402

from client import Client, Refused, Unreachable  # noqa: E402
from frames import ENROL, ENROLLED, Keys, Malformed, Token, byte_string, digest_of, enrolling_key, run_number, run_text, save  # noqa: E402
from node import Node  # noqa: E402


ROLES = {"node": 1, "operator": 4}


def tell(**what):
    print(json.dumps(what), flush=True)


def enrol(args):
    os.makedirs(args.dir, mode=0o700, exist_ok=True)
    with open(args.token, encoding="ascii") as f:
        token = Token(f.read())
    key_path = os.path.join(args.dir, "key")
    if not os.path.exists(key_path):  # saved before the coordinator hears of it: whoever dies in between asks with the same key again
        save(key_path, Keys.fresh().secret)
    with open(key_path, "rb") as f:
        keys = Keys(byte_string(f.read(), 32))
    client = Client(args.endpoint or token.endpoints[0], token.server_key, token.keys, args.patience)
    try:
        role, name, cluster = client.ask(ENROL, keys.public, args.name, ROLES[args.role], answer=ENROLLED)
    finally:
        client.close()
    where = {"endpoint": args.endpoint or token.endpoints[0], "server_key": token.server_key.hex(), "role": role, "name": name, "cluster": cluster.hex()}
    save(os.path.join(args.dir, "where"), json.dumps(where).encode())
    tell(role=role, name=name, public=keys.public.hex())


def reach(args):
    """Endpoint, server key and own keys."""
    if args.ipc:
        return "ipc://" + args.ipc, None, None
    with open(os.path.join(args.dir, "where"), encoding="utf-8") as f:
        where = json.load(f)
    with open(os.path.join(args.dir, "key"), "rb") as f:
        keys = Keys(byte_string(f.read(), 32))
    return args.endpoint or where["endpoint"], bytes.fromhex(where["server_key"]), keys


def node(args):
    endpoint, server_key, keys = reach(args)
    counts = Node(args.dir, args.name, endpoint, args.slots, server_key, keys, tell, args.trouble).run()
    tell(event="over", **counts)


def vector(args):
    with open(args.dir, encoding="utf-8") as f:
        rows = dict(re.findall(r"^\| ([A-Za-z0-9 ]+) \| `([0-9a-z]+)` \|$", f.read(), re.M))
    keys = enrolling_key(rows["ID"], bytes.fromhex(rows["SECRET"]))
    got = {"secret key": keys.secret, "public key": keys.public, "its hash": digest_of(keys.public)}
    for name, value in got.items():
        if value.hex() != rows[name]:
            raise Malformed("%s: %s, the text says %s" % (name, value.hex(), rows[name]))


def plain(value):
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def ask(args):
    client = Client(*reach(args), args.patience)
    try:
        answer(args, client)
    finally:
        client.close()


def answer(args, client):
    if args.verb == "submit":
        with open(args.plan, "rb") as f:
            plan = f.read()
        submission, run = client.submit(plan, piece=args.piece)
        if args.twice and client.submit(plan, submission=submission)[1] != run:
            raise Malformed("the same submission gave another run")
        print(run_text(run))
    elif args.verb == "rows":
        print(json.dumps(client.rows(args.what, run_number(args.run) if args.run else 0, args.unit, args.at_once)))
    elif args.verb == "follow":
        print(json.dumps(client.account(run_number(args.run)), default=plain))
    elif args.verb == "output":
        unit = client.account(run_number(args.run))["units"][args.unit]
        sys.stdout.buffer.write(unit["output"] or b"")
    elif args.verb == "log":
        data = client.log(run_number(args.run), args.unit, most=args.piece)
        if data is None:
            raise Malformed("there is no such log")
        sys.stdout.buffer.write(data)
    elif args.verb == "act":
        act_id, before, changed = client.act(args.what, run_number(args.run) if args.run else 0, args.unit, args.node, args.value)
        _, again, _ = client.act(args.what, run_number(args.run) if args.run else 0, args.unit, args.node, args.value, act_id=act_id)
        tell(before=before, changed=changed, again=again)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ipc", default="")
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--patience", type=float, default=30)
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name, call, *words):
        v = verbs.add_parser(name)
        v.set_defaults(call=call)
        v.add_argument("dir")
        for word in words:
            v.add_argument(word.rstrip("?"), **({"nargs": "?", "default": ""} if word.endswith("?") else {}))
        return v

    v = verb("enrol", enrol)
    v.add_argument("--token", required=True)
    v.add_argument("--name", required=True)
    v.add_argument("--role", choices=ROLES, default="node")
    v = verb("node", node)
    v.add_argument("--name", required=True)
    v.add_argument("--slots", type=int, default=2)
    v.add_argument("--trouble", action="store_true", help="the first TAKEN and STARTED of each attempt are lost, each result said twice")
    v = verb("submit", ask, "plan")
    v.add_argument("--piece", type=int, default=262144)
    v.add_argument("--twice", action="store_true")
    v = verb("rows", ask, "what", "run?", "unit?")
    v.add_argument("--at-once", type=int, default=100)
    verb("vector", vector)
    verb("follow", ask, "run")
    verb("output", ask, "run", "unit")
    verb("log", ask, "run", "unit").add_argument("--piece", type=int, default=262144)
    v = verb("act", ask, "what", "run?")
    v.add_argument("--unit", default="")
    v.add_argument("--node", default="")
    v.add_argument("--value", type=int, default=0)
    args = parser.parse_args()
    try:
        args.call(args)
    except (Refused, Unreachable, Malformed, zmq.ZMQError, OSError) as e:
        print("peer: %s" % e, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
