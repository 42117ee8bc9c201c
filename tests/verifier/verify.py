"""A second verifier for ledger files and receipts, written from docs/FORMAT.md alone.

    verify.py LEDGER [--checkpoint NOTE]
    verify.py --receipt FILE --trust VKEY [--trust VKEY]

It checks hashes, signatures, outcomes and structure. It does not replay rules: whether a record deserved to be accepted, and whether a
cell's value follows from its records, it takes from the log. Section numbers are those of the page. Exit: 0 verified, 1 not.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import struct
import sys
import tomllib
from collections.abc import Iterable
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from primitives import (
    MAX_INT,
    Chunk,
    Object,
    RefusedError,
    Tree,
    UnverifiableVersionError,
    VerifierKey,
    base64_of,
    canonical,
    check_signature,
    chunk_records,
    integer,
    jcs,
    matches,
    members,
    need,
    open_checkpoint,
    open_chunk,
    parse,
    public_key,
    unbase64,
    verifier_key,
)
from receipts import (
    CELLS,
    EMITTED,
    EXCEPTIONS,
    RECORDS,
    TAGS,
    exception_entry,
    open_envelope,
    salts,
    verify_receipt,
)

BUILT_IN = Path(__file__).resolve().parents[2] / "schemas" / "ledger.toml"


# Sections 6, 9, 11 and 12: the file

NUMBERED = ["envelopes", "chunks", "exceptions", "rejections", "emitted", "cell_runs", "record_nodes", "log_nodes"]
NAMED = ["meta", "segments", "cell_history", "cells", "unique_keys", "postings", "idempotency"]
ROW = 1 << 24  # a row id is index * ROW + position


def stored_list(data: bytes) -> list[bytes]:
    """Section 11."""
    found, at = [], 4
    for _ in range(int.from_bytes(data[:4], "little")):
        need(at + 4 <= len(data), "a stored list ends early")
        size = int.from_bytes(data[at : at + 4], "little")
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    need(at == len(data), "a stored list has another length")
    return found


def siphash(key: bytes, data: bytes) -> int:
    """SipHash-2-4."""
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<2Q", key)
    a, b, c, d = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573

    def rounds(count: int) -> None:
        nonlocal a, b, c, d
        for _ in range(count):
            a, c = a + b & mask, c + d & mask
            b, d = (b << 13 | b >> 51) & mask ^ a, (d << 16 | d >> 48) & mask ^ c
            a, c = (a << 32 | a >> 32) & mask, c + b & mask
            a, b = a + d & mask, (b << 17 | b >> 47) & mask ^ c
            d, c = (d << 21 | d >> 43) & mask ^ a, (c << 32 | c >> 32) & mask

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", padded):
        d ^= word
        rounds(2)
        a ^= word
    c ^= 255
    rounds(4)
    return int(a ^ b ^ c ^ d)


def list_root(which: int, secret: bytes, entries: Iterable[bytes]) -> Tree:
    """The tree over the entries of a list."""
    tree = Tree()
    listed = list(entries)
    for salt, data in zip(salts(secret, which, len(listed)), listed, strict=False):
        tree.append(tree.leaf(TAGS[which] + salt + data))
    return tree


def check_root(tree: Tree, listed: Object, what: str) -> None:
    """The tree is the one that the envelope names."""
    count = len(tree.levels[0])
    need(count == listed["count"], f"{count} {what} instead of {listed['count']}")
    need(count == 0 or base64_of(tree.root(count)) == listed["root"], f"the root of the {what} differs")


class Ledger:
    """One file, read from the first envelope to the last."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        need(self.value("PRAGMA application_id") == 0x4C656467, "not a ledger file")
        version = self.value("PRAGMA user_version")
        if version != 1:
            raise UnverifiableVersionError(f"file format {version}")
        self.check_tables()
        self.meta = self.table("meta")
        need(self.meta.keys() == {b"origin", b"file_secret", b"checkpoint"}, f"meta holds {sorted(self.meta)}")
        self.origin = self.meta[b"origin"].decode()
        self.logs = [Tree("sha256"), Tree("sha3_256")]
        self.log_keys: list[tuple[int, list[VerifierKey]]] = []  # since which index: the keys of the two trees
        self.genesis = b""
        self.keeps_rejections = False
        self.time = ""
        self.types: dict[tuple[str, int], Object] = {}
        self.keys: dict[str, list[Any]] = {}  # key: member, revoked or not
        self.count = dict.fromkeys(("records", "exceptions", "cells", "chunks"), 0)
        self.derived: dict[str, dict[Any, bytes]] = {name: {} for name in NUMBERED[6:] + NAMED[1:6]}
        self.named_ids: dict[int, tuple[str, bytes, str]] = {}  # index: author, secret, idempotency
        self.held: dict[int, tuple[str, Object]] = {}  # row id: type, record
        self.in_force: dict[str, Object] = {}  # type: its newest declaration
        self.standing: dict[str, dict[int, Object]] = {}  # type: row id, record
        self.load_module(BUILT_IN.read_text(encoding="utf-8"))

    def value(self, sql: str, *given: Any) -> Any:
        row = self.db.execute(sql, given).fetchone()
        return row[0] if row else None

    def table(self, name: str) -> dict[Any, bytes]:
        return dict(self.db.execute(f"SELECT key, value FROM {name}"))

    def check_tables(self) -> None:
        """Section 9: these tables, with a key and a value each."""
        found = dict(self.db.execute("SELECT name, sql FROM sqlite_master"))
        wanted = {name: f"CREATE TABLE {name} (key INTEGER PRIMARY KEY, value BLOB NOT NULL)" for name in NUMBERED}
        wanted |= {
            name: f"CREATE TABLE {name} (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID" for name in NAMED
        }
        need(found == wanted, f"the tables are not those of the format: {found}")

    def load_module(self, source: str) -> None:
        """The types of a schema file."""
        module = tomllib.loads(source)
        name, version = module["module"]["name"], module["module"]["version"]
        for type_name, declared in module["types"].items():
            full = f"{name}.{type_name}"
            self.types[full, version] = self.in_force[full] = declared
            for row, record in self.standing.get(full, {}).items():
                self.unique_keys(full, record, row)

    def verify(self) -> None:
        """The whole file."""
        at = -1
        for at, (index, value) in enumerate(self.db.execute("SELECT key, value FROM envelopes ORDER BY key")):
            try:
                need(index == at, "an envelope is missing before it")
                self.transaction(index, value[:32], value[32:])
            except UnverifiableVersionError as error:
                raise UnverifiableVersionError(f"envelope {index}: {error}") from None
            except (RefusedError, KeyError, ValueError, OverflowError, struct.error) as error:
                raise RefusedError(f"envelope {index}: {error}") from None
        need(at >= 0, "there is no envelope")
        for name, count in (
            ("chunks", "chunks"),
            ("exceptions", "exception_lists"),
            ("rejections", "rejections"),
            ("emitted", "emitted_lists"),
            ("cell_runs", "cell_lists"),
        ):
            need(
                self.value(f"SELECT count(*) FROM {name}") == self.count.get(count, 0), f"{name} belong to no envelope"
            )
        self.derived["log_nodes"] = {
            level << 56 | place: node + self.logs[1].levels[level][place]
            for level, place, node in self.logs[0].nodes_from_level_6()
        }
        for name, wanted in self.derived.items():
            stored = self.table(name)
            if name == "cell_history":
                # Rows without places say that records moved a cell back to what it was: only a replay of rules can tell.
                stored = {key: places for key, places in stored.items() if places}
            need(stored == wanted, f"table {name} is not what follows from the records")
        self.check_idempotency()
        self.check_stored_checkpoint()

    def transaction(self, index: int, secret: bytes, text: bytes) -> None:
        """One envelope with its records and lists."""
        envelope = open_envelope(text)
        intent = envelope["intent"]
        need(envelope["index"] == index and len(secret) == 32, "the envelope stands at another index")
        need(envelope["time"] >= self.time, "the ledger time runs backwards")
        need(unbase64(envelope["prev"], 32) == self.logs[1].root(index), "prev is not the root of the log before")
        if index:
            need(unbase64(intent["genesis"], 32) == self.genesis, "the intent is for another ledger")
            seen = intent["seen"]
            need(
                unbase64(seen["root"], 32) == self.logs[0].root(seen["size"]),
                "what the author has seen is not this log",
            )
        exceptions = self.exceptions(envelope, index, secret)
        records = self.records(envelope, index, secret, exceptions)
        self.cell_run(envelope["cells"], index, secret)
        if index == 0:
            self.check_genesis(intent, list(records.values()))
        for one in envelope["signatures"]:
            need(
                self.keys.get(one["key"]) == [one["member"], False],
                f"the key of member {one['member']} is not in force",
            )
        for position, record in records.items():
            outcome = exceptions[position]["outcome"] if position in exceptions else "accepted"
            if outcome != "held":
                self.authority(record, index)
        if "idempotency" in intent:
            self.named_ids[index] = (intent["author"], secret, intent["idempotency"])
        for tree in self.logs:
            tree.append(tree.leaf(b"ledgerstone/envelope/v1\n" + text))
        self.genesis = self.genesis or self.logs[1].levels[0][0]
        self.time = envelope["time"]

    def exceptions(self, envelope: Object, index: int, secret: bytes) -> dict[int, Object]:
        """Every exception, by position."""
        stored = self.value("SELECT value FROM exceptions WHERE key = ?", index)
        entries = stored_list(stored) if stored is not None else []
        need(stored is None or entries, "an empty list is stored")
        check_root(list_root(EXCEPTIONS, secret, entries), envelope["exceptions"], "exceptions")
        opened = [exception_entry(data) for data in entries]
        positions = [one["position"] for one in opened]
        need(positions == sorted(set(positions)), "the exceptions are not sorted")
        need(not positions or positions[-1] < envelope["intent"]["count"], "an exception of no record")
        atomic = envelope["intent"]["mode"] == "atomic"
        need(
            not atomic or all(one["outcome"] != "rejected" for one in opened),
            "a rejected record in an atomic transaction",
        )
        self.count["exceptions"] += len(entries)
        self.count["exception_lists"] = self.count.get("exception_lists", 0) + bool(entries)
        return {one["position"]: one for one in opened}

    def records(self, envelope: Object, index: int, secret: bytes, exceptions: dict[int, Object]) -> dict[int, Object]:
        """The records that stand in chunks; with the leaves of those that do not they make the root that the author signed."""
        intent, found = envelope["intent"], dict[int, bytes]()
        rejected = {at for at, one in exceptions.items() if one["outcome"] == "rejected"}
        held = {at for at, one in exceptions.items() if one["outcome"] == "held"}
        runs: dict[str, list[list[int]]] = {}
        counts: dict[str, int] = {}
        postings: dict[bytes, set[tuple[int, int]]] = {}
        last_type = ""
        chunks = self.db.execute(
            "SELECT key, value FROM chunks WHERE key >= ? AND key < ? ORDER BY key", (index * ROW, (index + 1) * ROW)
        )
        for row_id, data in chunks.fetchall():
            chunk = open_chunk(data)
            need(row_id == index * ROW + chunk.positions[-1], "a chunk stands at another row")
            need(not found or max(found) < chunk.positions[0], "chunks overlap")
            gaps = set(range(chunk.positions[0], chunk.positions[-1])) - set(chunk.positions)
            need(gaps <= rejected, "a chunk leaves out more than rejected records")
            declared = self.types[chunk.type, chunk.version]
            records = chunk_records(chunk, declared["fields"])
            found |= zip(chunk.positions, records, strict=True)
            if chunk.type != last_type:
                runs.setdefault(chunk.type, []).append([chunk.positions[0], 0])
            runs[chunk.type][-1][1] = chunk.positions[-1] + 1
            counts[chunk.type] = counts.get(chunk.type, 0) + len(records)
            self.derive(chunk, row_id, declared, [parse(one) for one in records], held, postings)
            last_type = chunk.type
            if chunk.type == "ledger.module":
                for record in records:
                    source = parse(record)["data"]
                    need(
                        hashlib.sha3_256(source["source"].encode()).digest() == unbase64(source["hash"]),
                        "a module's hash differs",
                    )
                    self.load_module(source["source"])
        for type_name, named in runs.items():
            value = struct.pack("<I", counts[type_name]) + b"".join(struct.pack("<2I", *run) for run in named)
            self.derived["segments"][type_name.encode() + struct.pack(">xQ", index)] = value
        for prefix, pairs in postings.items():
            self.post(prefix, index, sorted(pairs))
        need(found.keys().isdisjoint(rejected), "a rejected record stands in a chunk")
        count, emitted = intent["count"], envelope["emitted"]["count"]
        need(found.keys() | rejected == set(range(count + emitted)), "records are missing or too many")
        tree, kept = Tree(), self.rejections(index)
        need(
            kept.keys() == (rejected if self.keeps_rejections else set()), "the kept records are not the rejected ones"
        )
        for at, salt in zip(range(count), salts(secret, RECORDS, count), strict=False):
            record = found.get(at) or kept.get(at)
            leaf = tree.leaf(TAGS[RECORDS] + salt + record) if record is not None else b""
            told = unbase64(exceptions[at]["leaf"], 32) if at in exceptions else leaf
            need(told == leaf or not leaf, f"the exception at {at} is of another record")
            tree.append(told)
        check_root(tree, intent, "records")
        nodes = b"".join(node for _, _, node in tree.nodes_from_level_6())
        if nodes:
            self.derived["record_nodes"][index] = nodes
        self.emitted(envelope, index, secret, [found[at] for at in range(count, count + emitted)])
        self.count["records"] += len(found)
        return {at: parse(found[at]) for at in sorted(found)}

    def rejections(self, index: int) -> dict[int, bytes]:
        """The records that are kept of the rejected ones, by position."""
        stored = "SELECT key, value FROM rejections WHERE key >= ? AND key < ?"
        kept = {row % ROW: record for row, record in self.db.execute(stored, (index * ROW, (index + 1) * ROW))}
        self.count["rejections"] = self.count.get("rejections", 0) + len(kept)
        return kept

    def emitted(self, envelope: Object, index: int, secret: bytes, records: list[bytes]) -> None:
        """The records that rules made, each behind the position of its cause."""
        first = index * ROW + envelope["intent"]["count"]
        stored = self.value("SELECT value FROM emitted WHERE key = ?", first) or b""
        need(len(stored) == 4 * len(records), "the causes are not those of the emitted records")
        causes = [cause for (cause,) in struct.iter_unpack("<I", stored)]
        need(all(cause < envelope["intent"]["count"] for cause in causes), "a cause is no signed record")
        entries = [b'{"cause":%d,"record":%b}' % one for one in zip(causes, records, strict=True)]
        check_root(list_root(EMITTED, secret, entries), envelope["emitted"], "emitted records")
        self.count["emitted_lists"] = self.count.get("emitted_lists", 0) + bool(entries)

    def derive(
        self,
        chunk: Chunk,
        row_id: int,
        declared: Object,
        records: list[Object],
        held: set[int],
        postings: dict[bytes, set[tuple[int, int]]],
    ) -> None:
        """What unique keys and postings hold for a chunk (section 12)."""
        secret, type_name = self.meta[b"file_secret"], chunk.type.encode()
        self.count["chunks"] += 1
        for position, record in zip(chunk.positions, records, strict=True):
            row = row_id // ROW * ROW + position
            if position in held:
                self.held[row] = (chunk.type, record)
                continue
            self.unique_keys(chunk.type, record, row)
            if chunk.type == "ledger.release":
                released = record["data"]["index"] * ROW + record["data"]["position"]
                need(released in self.held, "a release names a record that is not held")
                self.unique_keys(*self.held.pop(released), released)
        for name in (name for name, field in declared["fields"].items() if field.get("index")):
            known: dict[bytes, int] = {}
            for position, record in zip(chunk.positions, records, strict=True):
                if name in record["data"]:
                    value = jcs(record["data"][name])
                    if value not in known:
                        known[value] = siphash(secret, value) & 0xFFFFFFFF
                    prefix = type_name + b"\0" + name.encode() + b"\0"
                    postings.setdefault(prefix, set()).add((known[value], position))

    def post(self, prefix: bytes, index: int, pairs: list[tuple[int, int]]) -> None:
        """The rows of one field of one transaction (section 12): a row a hash where they are few, buckets where they are many."""
        table = self.derived["postings"]
        places = {hashed: [at for one, at in pairs if one == hashed] for hashed, _ in pairs} if len(pairs) < 64 else {}
        for hashed, listed in places.items():
            key = prefix + b"\0" + struct.pack(">IQ", hashed, index)
            table[key] = b"".join(struct.pack("<I", at)[:3] for at in listed)
        if len(pairs) < 64:
            return
        bits = min((-(-len(pairs) // 128) - 1).bit_length(), 16)
        for bucket, group in groupby(pairs, lambda pair: pair[0] >> (32 - bits)):
            held = list(group)
            hashes = sorted({hashed for hashed, _ in held})
            counts = [sum(one == hashed for one, _ in held) for hashed in hashes]
            value = struct.pack(f"<I{len(hashes)}I{len(hashes)}I", len(hashes), *hashes, *counts)
            value += b"".join(struct.pack("<I", at)[:3] for _, at in held)
            table[prefix + b"\1" + struct.pack(">QBH", index, bits, bucket)] = value

    def unique_keys(self, type_name: str, record: Object, row: int) -> None:
        """The keys of one record that stands, by the version in force; a held one has none before its release."""
        self.standing.setdefault(type_name, {})[row] = record
        uniques = [rule["unique"] for rule in self.in_force[type_name].get("rules", []) if "unique" in rule]
        for place, names in enumerate(uniques):
            values = [record["data"].get(name) for name in names]
            hashed = siphash(self.meta[b"file_secret"], jcs([type_name, place, values]))
            if None not in values:
                self.derived["unique_keys"][struct.pack(">2Q", hashed, row)] = b""

    def cell_run(self, listed: Object, index: int, secret: bytes) -> None:
        """The cells that a transaction changed; the last change of each is what table `cells` holds."""
        stored = self.db.execute(
            "SELECT key, value FROM cell_runs WHERE key >= ? AND key < ? ORDER BY key", (index * ROW, (index + 1) * ROW)
        ).fetchall()
        need([key for key, _ in stored] == [index * ROW + at for at in range(len(stored))], "a run of cells is missing")
        runs = [stored_list(run) for _, run in stored]
        need(all(len(run) == 64 for run in runs[:-1]) and all(runs), "a run of cells is cut elsewhere")
        need(not runs or len(runs[-1]) <= 64, "a run of cells is too long")
        entries = list(chain.from_iterable(runs))
        check_root(list_root(CELLS, secret, entries), listed, "cells")
        names: list[bytes] = []
        for place, data in enumerate(entries):
            entry = members(canonical(data, "a cell"), "cell value")
            cell, value = entry["cell"], entry["value"]
            need(
                isinstance(cell, list) and [type(one) for one in cell] == [str, str, list, list], f"cell name {cell!r}"
            )
            need(value is None or isinstance(value, dict), "a cell's value is an object or null")
            names.append(jcs(cell))
            self.derived["cells"][names[-1]] = struct.pack(">Q", index) + jcs(value)
            hashed = struct.pack(">2Q", siphash(self.meta[b"file_secret"], names[-1]), index)
            history = self.derived["cell_history"]
            history[hashed] = history.get(hashed, b"") + struct.pack("<I", place)
        need(names == sorted(set(names)), "the cells are not sorted")
        self.count["cells"] += len(entries)
        self.count["cell_lists"] = self.count.get("cell_lists", 0) + len(stored)

    def check_genesis(self, intent: Object, records: list[Object]) -> None:
        """Section 6."""
        need(
            intent["mode"] == "atomic" and intent["count"] == 1 and len(records) == 1,
            "envelope 0 is not one atomic record",
        )
        need(records[0]["type"] == "ledger.genesis", "the first record is not the genesis")
        data = members(records[0]["data"], "format semantics origin log_keys member key options random")
        need((data["format"], data["semantics"]) == (1, 0), "format and semantics of the genesis")
        matches(r"[!-*,-~]{1,128}(?<!/sha3-256)", data["origin"], "origin")
        need(data["origin"] == self.origin, "meta names another origin")
        named = [verifier_key(text) for text in data["log_keys"]]
        wanted = [self.origin, f"{self.origin}/sha3-256"]
        need([key.name for key in named] == wanted, "the log keys are not those of the origin")
        need(named[0].key == named[1].key, "the log keys are two")
        self.log_keys = [(0, named)]
        need((data["member"], data["key"]) == (intent["author"], intent["key"]), "the first member did not sign")
        options = members(data["options"], "max_clock_step record_rejections")
        integer(options["max_clock_step"], 1, MAX_INT, "max_clock_step")
        need(type(options["record_rejections"]) is bool, "record_rejections is neither true nor false")
        self.keeps_rejections = options["record_rejections"]
        unbase64(data["random"], 32)
        self.keys[data["key"]] = [data["member"], False]

    def authority(self, record: Object, index: int) -> None:
        """Keys that a record admits or ends, and the log key."""
        data = record["data"]
        if record["type"] in ("ledger.member", "ledger.key"):
            need(data["key"] not in self.keys, "a key is admitted twice")
            self.keys[data["key"]] = [data["member"], False]
            if "replaces" in data:
                need(
                    self.keys[data["replaces"]] == [data["member"], False],
                    "a key replaces one that is not the member's",
                )
                self.keys[data["replaces"]][1] = True
        elif record["type"] == "ledger.revoke":
            need(not self.keys[data["key"]][1], "a key is revoked twice")
            self.keys[data["key"]][1] = True
        elif record["type"] == "ledger.log_key":
            self.rotate(data, index)

    def rotate(self, data: Object, index: int) -> None:
        """Section 6: a log key takes the place of the one in force, and both sign for it."""
        old, new = (unbase64(data[name], 32) for name in ("old", "new"))
        need(self.log_keys[-1][1][0].key == old, "a log key replaces another than the one in force")
        need(all(keys[0].key != new for _, keys in self.log_keys), "a log key is used again")
        public_key(new)
        signed = {"genesis": base64_of(self.genesis), "new": data["new"], "old": data["old"]}
        message = b"ledgerstone/log-key/v1\n" + jcs(signed)
        for key, name in ((old, "old_signature"), (new, "new_signature")):
            check_signature(key, unbase64(data[name], 64), message, f"the log key's {name}")
        ids = [
            (key.name, hashlib.sha256(key.name.encode() + b"\n\x01" + new).digest()[:4]) for key in self.log_keys[0][1]
        ]
        self.log_keys.append((index, [VerifierKey(name, key_id, new) for name, key_id in ids]))

    def signers(self, size: int, place: int) -> list[VerifierKey]:
        """Section 6: the log keys that sign for a size, in one of the two trees."""
        ends = [since + 1 for since, _ in self.log_keys[1:]] + [size]
        return [keys[place] for (since, keys), end in zip(self.log_keys, ends, strict=True) if since < size <= end]

    def check_idempotency(self) -> None:
        """Every idempotency member has its row, and every row its member."""
        rows = self.table("idempotency")
        named = {int.from_bytes(value, "big"): key for key, value in rows.items()}
        need(
            named.keys() == self.named_ids.keys() and len(named) == len(rows), "table idempotency names other envelopes"
        )
        for index, (author, secret, digest) in self.named_ids.items():
            key = named[index]
            computed = hashlib.sha3_256(b"ledgerstone/idempotency/v1\n" + secret + key[16:]).digest()
            need(
                key[:16].hex() == author and base64_of(computed) == digest,
                f"the idempotency of envelope {index} differs",
            )

    def check_stored_checkpoint(self) -> None:
        """The two newest notes are of the whole log."""
        stored = self.meta[b"checkpoint"]
        size = int.from_bytes(stored[:4], "little")
        for note in (stored[4 : 4 + size], stored[4 + size :]):
            size, signed = self.check_checkpoint(note)
            need(size == len(self.logs[0].levels[0]), "the stored checkpoint is not of the whole log")
            need(signed, "the stored checkpoint is not signed by every log key that should")
        need(
            stored[4:].decode().startswith(f"{self.origin}\n"), "the first stored note is not that of the SHA-256 tree"
        )

    def check_checkpoint(self, note: bytes) -> tuple[int, bool]:
        """The size of a checkpoint of this log, and whether every key that signs for this size has signed it."""
        text = note.decode()
        for place, tree in enumerate(self.logs):
            if text.startswith(f"{self.log_keys[0][1][place].name}\n"):
                size, root, signed = open_checkpoint(text, *(keys[place] for _, keys in self.log_keys))
                need(size <= len(tree.levels[0]), f"the checkpoint is of {size} envelopes, the log has fewer")
                need(root == tree.root(size), f"the log is not the one of the checkpoint at {size}")
                wanted = set(self.signers(size, place))
                need(signed <= wanted, "the checkpoint is signed by a log key that was not in force")
                return size, signed == wanted
        raise RefusedError("the checkpoint is of another log")


def verify_ledger(path: Path, checkpoint: bytes | None = None) -> Ledger:
    """Check a file; refuses with a reason."""
    try:
        ledger = Ledger(path)
        ledger.verify()
        if checkpoint is not None:
            ledger.check_checkpoint(checkpoint)
    except (sqlite3.Error, ValueError, KeyError, struct.error) as error:
        raise RefusedError(f"{type(error).__name__}: {error}") from None
    return ledger


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Checks a ledger file or a receipt; does not replay rules.")
    parser.add_argument("ledger", nargs="?", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="a note the ledger must agree with")
    parser.add_argument("--receipt", type=Path)
    parser.add_argument("--trust", action="append", default=[], help="verifier key of the origin")
    given = parser.parse_args(arguments)
    if (given.ledger is None) == (given.receipt is None):
        parser.error("give a ledger or a receipt")
    try:
        if given.receipt is not None:
            found = verify_receipt(given.receipt.read_bytes(), [verifier_key(text) for text in given.trust])
            outcome = found.outcome + (f" ({found.code})" if found.code else "")
            print(
                f"{outcome}: record {found.position} of envelope {found.index}, in {' and '.join(found.trees)}\n{found.record}"
            )
            return 0
        ledger = verify_ledger(given.ledger, given.checkpoint.read_bytes() if given.checkpoint else None)
    except UnverifiableVersionError as error:
        print(f"UNVERIFIABLE VERSION: {error}")
        return 1
    except (RefusedError, OSError) as error:
        print(f"REFUSED: {error}")
        return 1
    numbers = {"envelopes": len(ledger.logs[0].levels[0]), **ledger.count}
    print(
        f"{ledger.origin}: "
        + ", ".join(f"{numbers[name]} {name}" for name in ("envelopes", "records", "exceptions", "cells"))
    )
    print("verified: hashes, signatures, outcomes and structure; rules were not replayed")
    if not given.checkpoint:
        print(
            "measured against the file's own checkpoint only: a shortened or rewritten file would pass; give --checkpoint"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
