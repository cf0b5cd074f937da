#!/usr/bin/env python3
"""Does a JSON document fit a schema? The part of JSON Schema that docs/schemas uses, and nothing beyond it.

  schema.py SCHEMA.json DOCUMENT      a document of several lines that is no JSON as a whole is read line by line

Known: $ref (#/$defs/NAME, or FILE.json beside the schema), type, enum, const, required, properties, patternProperties,
additionalProperties, items, oneOf, anyOf, minimum, maximum, minLength, pattern, format (date-time).
An unknown keyword is an error, so that nothing is silently not checked.
"""

import json
import os
import re
import sys

KNOWN = {'$schema', '$id', '$defs', '$ref', 'title', 'description', 'type', 'enum', 'const', 'required', 'properties',
         'patternProperties', 'additionalProperties', 'items', 'oneOf', 'anyOf', 'minimum', 'maximum', 'minLength',
         'pattern', 'format'}
TYPES = {
    'object': lambda v: isinstance(v, dict),
    'array': lambda v: isinstance(v, list),
    'string': lambda v: isinstance(v, str),
    'boolean': lambda v: isinstance(v, bool),
    'null': lambda v: v is None,
    'integer': lambda v: isinstance(v, int) and not isinstance(v, bool),
    'number': lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}
DATE_TIME = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$')


class Checker:
    def __init__(self, path):
        self.dir = os.path.dirname(os.path.abspath(path))
        self.files = {}
        self.root = self.load(os.path.basename(path))

    def load(self, name):
        if name not in self.files:
            with open(os.path.join(self.dir, name), encoding='utf-8') as f:
                self.files[name] = json.load(f)
        return self.files[name]

    def resolve(self, ref, root):
        file, _, inside = ref.partition('#')
        if file:
            root = self.load(file)
        node = root
        for part in inside.strip('/').split('/') if inside else []:
            node = node[part]
        return node, root

    def errors(self, v, s, root, at):
        if s is True or s == {}:
            return []
        if s is False:
            return [f'{at}: nothing may stand here']
        unknown = set(s) - KNOWN
        if unknown:
            raise SystemExit(f'schema.py: cannot check {sorted(unknown)} at {at}')
        if '$ref' in s:
            target, its_root = self.resolve(s['$ref'], root)
            return self.errors(v, target, its_root, at)
        found = []
        if 'type' in s:
            types = s['type'] if isinstance(s['type'], list) else [s['type']]
            if not any(TYPES[t](v) for t in types):
                return [f'{at}: {json.dumps(v)[:60]} is no {" or ".join(types)}']
        if 'enum' in s and v not in s['enum']:
            found.append(f'{at}: {json.dumps(v)[:60]} is none of {s["enum"]}')
        if 'const' in s and v != s['const']:
            found.append(f'{at}: {json.dumps(v)[:60]} is not {s["const"]!r}')
        if isinstance(v, (int, float)) and not isinstance(v, bool):
            if v < s.get('minimum', v) or v > s.get('maximum', v):
                found.append(f'{at}: {v} is out of bounds')
        if isinstance(v, str):
            if len(v) < s.get('minLength', 0):
                found.append(f'{at}: too short')
            if 'pattern' in s and not re.search(s['pattern'], v):
                found.append(f'{at}: {v[:60]!r} does not match {s["pattern"]}')
            if s.get('format') == 'date-time' and not DATE_TIME.match(v):
                found.append(f'{at}: {v[:60]!r} is no time')
        if isinstance(v, dict):
            found += self.object_errors(v, s, root, at)
        if isinstance(v, list) and 'items' in s:
            for i, item in enumerate(v):
                found += self.errors(item, s['items'], root, f'{at}[{i}]')
        for word in ('oneOf', 'anyOf'):
            if word in s:
                tries = [self.errors(v, alt, root, at) for alt in s[word]]
                good = sum(not t for t in tries)
                if good == 0 or (word == 'oneOf' and good > 1):
                    found.append(f'{at}: fits {good} of {word}; ' + '; '.join(min(tries, key=len)[:2]))
        return found

    def object_errors(self, v, s, root, at):
        found = [f'{at}: {k} is missing' for k in s.get('required', []) if k not in v]
        for k, item in v.items():
            rules = [s['properties'][k]] if k in s.get('properties', {}) else []
            rules += [r for p, r in s.get('patternProperties', {}).items() if re.search(p, k)]
            if not rules and 'additionalProperties' in s:
                rules = [s['additionalProperties']]
            for r in rules:
                found += self.errors(item, r, root, f'{at}.{k}')
        return found


def documents(path):
    with open(path, encoding='utf-8') as f:
        text = f.read()
    try:
        return [json.loads(text)]
    except ValueError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def main():
    checker = Checker(sys.argv[1])
    docs = documents(sys.argv[2])
    if not docs:
        raise SystemExit(f'{sys.argv[2]}: no document')
    bad = []
    for n, d in enumerate(docs, 1):
        bad += [f'document {n}: {e}' for e in checker.errors(d, checker.root, checker.root, '$')]
    for e in bad[:10]:
        print(e)
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
