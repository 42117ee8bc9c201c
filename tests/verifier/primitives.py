"""What the verifier stands on: values, trees, the signature rule, checkpoints and chunks, from docs/FORMAT.md alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_INT = 2**53 - 1
MAX_CHUNK = 8192

Object = dict[str, Any]


class RefusedError(Exception):
    """What was given does not verify; the message says why."""


class UnverifiableVersionError(RefusedError):
    """The format or the semantics are not known here."""


def need(condition: object, message: str) -> None:
    """Refuse unless the condition holds."""
    if not condition:
        raise RefusedError(message)


# Section 2 and conventions: JSON, base64, values


def parse(data: bytes) -> Any:
    """JSON without floats and without duplicate members."""

    def refuse(text: str) -> None:
        raise RefusedError(f"{text} is not a number of the format")

    def pairs(members: list[tuple[str, Any]]) -> Object:
        need(len({name for name, _ in members}) == len(members), "a member stands twice")
        return dict(members)

    try:
        return json.loads(data.decode(), parse_float=refuse, parse_constant=refuse, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"not JSON: {error}") from None


def jcs(value: Any) -> bytes:
    """RFC 8785, for values without floats; member names are ASCII by the page, so code points sort as UTF-16 does."""
    return utf8(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def canonical(data: bytes, what: str) -> Any:
    """The value of a canonical JSON text."""
    value = parse(data)
    need(jcs(value) == data, f"{what} is not canonical")
    return value


def members(value: Any, names: str, optional: str = "") -> Object:
    """An object with exactly these members."""
    need(isinstance(value, dict), "an object is missing")
    wanted, possible = set(names.split()), set(optional.split())
    need(wanted <= value.keys() <= wanted | possible, f"members {sorted(value)} instead of {sorted(wanted | possible)}")
    found: Object = value
    return found


def integer(value: Any, least: int, most: int, what: str) -> int:
    """A JSON number within bounds."""
    need(type(value) is int and least <= value <= most, f"{what}: {value!r} is not a number from {least} to {most}")
    return int(value)


def unbase64(text: Any, size: int | None = None) -> bytes:
    """Canonical standard base64."""
    need(isinstance(text, str), "base64 is missing")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise RefusedError(f"{text[:80]!r} is not base64") from None
    need(base64.b64encode(data).decode() == text, f"{text[:80]!r} is not canonical base64")
    need(size is None or len(data) == size, f"{text[:80]!r} is not of {size} bytes")
    return data


def utf8(text: Any) -> bytes:
    """The bytes of a text."""
    need(isinstance(text, str), "a text is missing")
    try:
        return bytes(text.encode())
    except UnicodeEncodeError:
        raise RefusedError("a lone surrogate") from None


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def matches(pattern: str, value: Any, what: str) -> str:
    need(isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII), f"{value!r} is not a {what}")
    return str(value)


def timestamp(value: Any) -> str:
    """A timestamp; these compare as their texts do."""
    matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value, "timestamp")
    try:
        datetime.fromisoformat(value[:-1])
    except ValueError:
        raise RefusedError(f"{value!r} is not a timestamp") from None
    return str(value)


def check_value(field: Object, value: Any) -> None:
    """A value of a record is written as section 2 says."""
    kind = field["type"]
    if kind == "bool":
        need(isinstance(value, bool), f"{value!r} is not a bool")
    elif kind == "int":
        integer(value, -MAX_INT, MAX_INT, "int")
    elif kind == "decimal":
        matches(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", value, "decimal")
        need(value != "-0" and len(re.sub(r"^-?[0.]*|\.", "", value)) <= 28, f"{value} is not a decimal")
    elif kind == "date":
        timestamp(f"{value}T00:00:00.000000Z")
    elif kind == "timestamp":
        timestamp(value)
    elif kind == "bytes":
        unbase64(value)
    elif kind == "uuid":
        matches(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value, "uuid")
    elif kind == "list":
        need(isinstance(value, list), "a list is missing")
        for item in value:
            check_value(field["item"], item)
    elif kind == "struct":
        need(
            isinstance(value, dict) and value.keys() <= field["fields"].keys(),
            f"{value!r} is not the struct of the schema",
        )
        for name, item in value.items():
            check_value(field["fields"][name], item)
    else:
        need(isinstance(value, str) and "\0" not in value, f"{value!r} is not a text")


# Section 3: trees


class Tree:
    """A Merkle tree of RFC 9162 that grows; `levels` holds the complete nodes of each level."""

    def __init__(self, name: str = "sha3_256") -> None:
        self.name = name
        self.levels: list[list[bytes]] = [[]]

    def hash(self, data: bytes) -> bytes:
        return hashlib.new(self.name, data).digest()

    def leaf(self, data: bytes) -> bytes:
        return self.hash(b"\0" + data)

    def node(self, left: bytes, right: bytes) -> bytes:
        return self.hash(b"\1" + left + right)

    def append(self, node: bytes) -> None:
        """Take the hash of one more leaf."""
        for level in range(len(self.levels) + 1):
            if level == len(self.levels):
                self.levels.append([])
            nodes = self.levels[level]
            nodes.append(node)
            if len(nodes) % 2:
                return
            node = self.node(nodes[-2], nodes[-1])

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        root = None
        for level in range(size.bit_length()):
            if size >> level & 1:
                left = self.levels[level][(size >> level) - 1]
                root = left if root is None else self.node(left, root)
        return self.hash(b"") if root is None else root

    def nodes_from_level_6(self) -> Iterator[tuple[int, int, bytes]]:
        for level, nodes in enumerate(self.levels[6:], 6):
            for place, node in enumerate(nodes):
                yield level, place, node

    def check_inclusion(self, leaf: bytes, place: int, size: int, path: Any, root: bytes) -> None:
        """RFC 9162 section 2.1.3.2."""
        need(isinstance(path, list) and len(path) <= 63, "a path is a list of at most 63 hashes")
        need(place < size, f"place {place} is not in a tree of {size}")
        at, last, node = place, size - 1, leaf
        for step in path:
            need(last, "the path is too long")
            other = unbase64(step, 32)
            if at & 1 or at == last:
                node = self.node(other, node)
                while not at & 1 and at:
                    at, last = at >> 1, last >> 1
            else:
                node = self.node(node, other)
            at, last = at >> 1, last >> 1
        need(last == 0, "the path is too short")
        need(node == root, "the path does not lead to the root")


# The signature rule (section 5)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T


def decode_point(data: bytes) -> Point:
    """A point from its canonical encoding."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    need(len(data) == 32 and y < P, "not the canonical encoding of a point")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((v * x * x - u) % P == 0, "not a point of the curve")
    need(x or not sign, "not the canonical encoding of a point")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]), (p[1] + p[0]) * (q[1] + q[0])
    c, d = 2 * p[3] * q[3] * D, 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def is_killed_by(p: Point, factor: int) -> bool:
    """Whether factor times p is the identity."""
    total = (0, 1, 1, 0)
    for bit in f"{factor:b}":
        total = add(total, total)
        if bit == "1":
            total = add(total, p)
    return total[0] == 0 and total[1] == total[2]


@lru_cache(maxsize=4096)
def public_key(data: bytes) -> Ed25519PublicKey:
    """A key that may be admitted: of the prime-order subgroup, not the identity."""
    point = decode_point(data)
    need(not is_killed_by(point, 1) and is_killed_by(point, L), "the public key is not of prime order")
    return Ed25519PublicKey.from_public_bytes(data)


def check_signature(key: bytes, signature: bytes, message: bytes, whose: str) -> None:
    """OpenSSL compares the encoding of [S]B - [k]A with R, without cofactor; the rest of the rule is checked here."""
    try:
        need(len(signature) == 64 and int.from_bytes(signature[32:], "little") < L, "S is not below L")
        need(not is_killed_by(decode_point(signature[:32]), 8), "R is of low order")
        public_key(key).verify(signature, message)
    except InvalidSignature:
        raise RefusedError(f"{whose} signature does not hold") from None
    except RefusedError as error:
        raise RefusedError(f"{whose} signature: {error}") from None


# Section 7: checkpoints


@dataclass(frozen=True)
class VerifierKey:
    name: str
    key_id: bytes
    key: bytes


def verifier_key(text: Any) -> VerifierKey:
    """`<name>+<key id>+<base64(0x01, public key)>`."""
    matches(r"[!-*,-~]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", text, "verifier key")
    name, key_id, encoded = text.split("+", 2)
    data = unbase64(encoded, 33)
    need(data[0] == 1, "a verifier key of another algorithm")
    computed = hashlib.sha256(name.encode() + b"\n\x01" + data[1:]).digest()[:4]
    need(key_id == computed.hex(), "the key id is not that of the key")
    public_key(data[1:])
    return VerifierKey(name, computed, data[1:])


def open_checkpoint(note: Any, *trusted: VerifierKey) -> tuple[int, bytes, set[VerifierKey]]:
    """Size and root of a checkpoint, and which of the trusted keys signed it: at least one."""
    need(isinstance(note, str), "a checkpoint is a text")
    found = re.fullmatch(r"(([^\n]+)\n(0|[1-9][0-9]{0,18})\n([^\n]+)\n)\n((?:\u2014 [^ +\n]+ [^ \n]+\n){1,64})", note)
    if found is None:
        raise RefusedError("not a checkpoint")
    text, origin, size, root, lines = found.groups()
    need(all(key.name == origin for key in trusted), f"the checkpoint is of {origin!r}, not of the trusted log")
    signed: set[VerifierKey] = set()
    for line in lines.splitlines():
        _, name, encoded = line.split(" ")
        data = unbase64(encoded)
        need(len(data) > 4, "a signature line is too short")
        for key in trusted:
            if (name, data[:4]) == (key.name, key.key_id):
                check_signature(key.key, data[4:], text.encode(), "the checkpoint's")
                signed.add(key)
    need(len(signed) > 0, f"the checkpoint has no signature of {origin}")
    return int(size), unbase64(root, 32), signed


# Section 10: chunks


class Reader:
    """Bytes, taken from the front."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        need(0 <= size <= len(self.data) - self.at, "the bytes end early")
        self.at += size
        return self.data[self.at - size : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u32(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.take(4 * count))

    def end(self) -> None:
        need(self.at == len(self.data), "bytes are left over")

    def bits(self, count: int) -> list[bool]:
        data = self.take((count + 7) // 8)
        return [bool(data[at // 8] >> at % 8 & 1) for at in range(count)]

    def integers(self, count: int) -> list[int]:
        base, width = int.from_bytes(self.take(16), "little", signed=True), self.u8()
        need(width in (0, 1, 2, 4, 8, 16), f"width {width}")
        data = self.take(count * width)
        return [base + int.from_bytes(data[at * width : (at + 1) * width], "little") for at in range(count)]

    def lengths(self, count: int) -> list[int]:
        found = self.integers(count)
        need(all(0 <= one <= 1 << 24 for one in found) and sum(found) <= 1 << 28, "lengths out of bounds")
        return found

    def strings(self, count: int, form: int | None = None) -> list[bytes]:
        form = self.u8() if form is None else form
        if form == 0:
            return [self.take(size) for size in self.lengths(count)]
        if form == 1:
            distinct = self.strings(self.u32(1)[0], 0)
            places = self.integers(count)
            need(all(0 <= place < len(distinct) for place in places), "an index outside the distinct values")
            return [distinct[place] for place in places]
        need(form == 2, f"form {form} of strings")
        return [str(uuid.UUID(bytes=self.take(16))).encode() for _ in range(count)]

    def column(self, field: Object, count: int) -> list[Any]:
        """One column; None where a row has no value."""
        presence = self.u8()
        need(presence <= 2, f"presence {presence}")
        if presence == 2:
            return [None] * count
        present = self.bits(count) if presence else [True] * count
        values = iter(self.values(field, sum(present)))
        return [next(values) if one else None for one in present]

    def values(self, field: Object, count: int) -> Iterable[Any]:
        kind = field["type"]
        if kind == "bool":
            return self.bits(count)
        if kind in ("int", "date", "timestamp", "decimal"):
            return [number_text(field, one) for one in self.integers(count)]
        if kind == "list":
            sizes = self.lengths(count)
            items = iter(self.column(field["item"], sum(sizes)))
            return [[next(items) for _ in range(size)] for size in sizes]
        if kind == "struct":
            return self.objects(field["fields"], count)
        found = self.strings(count)
        return [base64_of(one) for one in found] if kind == "bytes" else [one.decode() for one in found]

    def objects(self, fields: Object, count: int) -> list[Object]:
        columns = {name: self.column(field, count) for name, field in fields.items()}
        return [{name: one[row] for name, one in columns.items() if one[row] is not None} for row in range(count)]


def number_text(field: Object, number: int) -> Any:
    """A value of section 2 from its integer."""
    if field["type"] == "int":
        return number
    if field["type"] == "date":
        return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
    if field["type"] == "timestamp":
        return (datetime(1970, 1, 1) + timedelta(microseconds=number)).isoformat(timespec="microseconds") + "Z"
    scale = field.get("scale", 0)
    whole, part = divmod(abs(number), 10**scale)
    digits = f"{part:0{scale}d}".rstrip("0") if part else ""
    return ("-" if number < 0 else "") + str(whole) + ("." + digits if digits else "")


@dataclass(frozen=True)
class Chunk:
    type: str
    version: int
    positions: list[int]
    body: Reader
    columns: bool


def open_chunk(data: bytes) -> Chunk:
    reader = Reader(data)
    encoding = reader.u8()
    name = reader.take(reader.u8()).decode()
    version, rows, runs = reader.u32(3)
    need(1 <= rows <= MAX_CHUNK and 1 <= runs <= rows, f"a chunk of {rows} rows in {runs} runs")
    need(encoding == (rows >= 64), f"encoding {encoding} with {rows} rows")
    spans = [reader.u32(2) for _ in range(runs)]
    need(sum(many for _, many in spans) == rows, "the runs are not the rows")
    positions = [first + at for first, many in spans for at in range(many)]
    need(positions == sorted(set(positions)), "the runs are not in order")
    return Chunk(name, version, positions, reader, encoding == 1)


def chunk_records(chunk: Chunk, fields: Object) -> list[bytes]:
    """The record bytes of a chunk."""
    rows = len(chunk.positions)
    if chunk.columns:
        found = chunk.body.objects(fields, rows)
        records = [jcs({"data": one, "type": chunk.type, "version": chunk.version}) for one in found]
    else:
        ends = [0, *chunk.body.u32(rows)]
        records = [chunk.body.take(end - start) for start, end in pairwise(ends)]
    chunk.body.end()
    for record in records:
        value = members(canonical(record, "a record"), "data type version")
        integer(value["version"], 0, 2**32 - 1, "version")
        need(
            (value["type"], value["version"]) == (chunk.type, chunk.version), "a record of another type than its chunk"
        )
        check_value({"type": "struct", "fields": fields}, value["data"])
    return records
