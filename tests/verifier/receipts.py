"""What leaves the file: entries, envelopes, receipts and proposals (sections 4, 5, 8 and 13 of docs/FORMAT.md)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from primitives import (
    MAX_INT,
    Object,
    Tree,
    UnverifiableVersionError,
    VerifierKey,
    base64_of,
    canonical,
    check_signature,
    integer,
    jcs,
    matches,
    members,
    need,
    open_checkpoint,
    parse,
    timestamp,
    unbase64,
    utf8,
)

KNOWN_SEMANTICS = {0}
MAX_RECORDS = 2**20
MAX_EMITTED = 2**16


# Sections 4 and 5: entries, intents, envelopes

TAGS = [f"ledgerstone/{name}/v1\n".encode() for name in ("record", "exception", "emitted", "cell")]
RECORDS, EXCEPTIONS, EMITTED, CELLS = range(4)
SHA3 = Tree()


def salts(secret: bytes, which: int, count: int) -> Iterator[bytes]:
    """The salts of one list."""
    for block in range((count + 7) // 8):
        data = hashlib.shake_256(b"ledgerstone/salt/v1\n" + secret + bytes([which]) + struct.pack(">Q", block)).digest(
            128
        )
        yield from (data[at : at + 16] for at in range(0, 128, 16))


def exception_entry(data: bytes) -> Object:
    """One entry of the exceptions list."""
    entry = members(canonical(data, "an exception"), "code leaf outcome position")
    matches(r"(?=.{1,128}$)[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", entry["code"], "code")
    need(entry["outcome"] in ("rejected", "held", "flagged"), f"outcome {entry['outcome']!r}")
    integer(entry["position"], 0, MAX_RECORDS - 1, "position")
    unbase64(entry["leaf"], 32)
    return entry


def check_list(value: Any, what: str) -> None:
    """`{"count":n,"root":…}`, or `{"count":0}`."""
    listed = members(value, "count", "root")
    integer(listed["count"], 0, MAX_INT, what)
    need((listed["count"] > 0) == ("root" in listed), f"{what}: a list has a root where it has entries")
    if "root" in listed:
        unbase64(listed["root"], 32)


def open_envelope(text: bytes) -> Object:
    """An envelope of a known version, canonical, with every member as section 5 says; its signatures hold."""
    loose = parse(text)
    need(
        isinstance(loose, dict) and type(loose.get("format")) is type(loose.get("semantics")) is int,
        "the envelope names no version",
    )
    if loose["format"] != 1 or loose["semantics"] not in KNOWN_SEMANTICS:
        raise UnverifiableVersionError(f"format {loose['format']}, semantics {loose['semantics']}")
    need(len(text) <= 65535 - len(b"ledgerstone/envelope/v1\n"), "the envelope is too long")
    envelope = members(
        canonical(text, "the envelope"), "cells emitted exceptions format index intent prev semantics signatures time"
    )
    index = integer(envelope["index"], 0, MAX_INT, "index")
    intent = check_intent(envelope["intent"], later=index > 0)
    need(timestamp(envelope["time"]) < timestamp(intent["expires"]), "the intent had expired")
    if index:
        integer(intent["seen"]["size"], 1, index, "seen.size")
    unbase64(envelope["prev"], 32)
    for name in ("exceptions", "emitted", "cells"):
        check_list(envelope[name], name)
    need(envelope["exceptions"]["count"] <= intent["count"], "more exceptions than records")
    need(envelope["emitted"]["count"] <= MAX_EMITTED, "more than 2^16 emitted records")
    check_signatures(envelope["signatures"], intent)
    return envelope


def check_intent(intent: Any, later: bool) -> Object:
    """The form of an intent; `later` than envelope 0 it names the ledger."""
    intent = members(
        intent, "author count expires format key mode root time" + (" genesis seen" if later else ""), "idempotency"
    )
    integer(intent["format"], 1, 1, "the intent's format")
    matches(r"[0-9a-f]{32}", intent["author"], "member")
    integer(intent["count"], 1, MAX_RECORDS, "count")
    need(intent["mode"] in ("atomic", "each"), f"mode {intent['mode']!r}")
    for name in {"root", "genesis", "idempotency"} & intent.keys():
        unbase64(intent[name], 32)
    timestamp(intent["time"])
    timestamp(intent["expires"])
    if later:
        unbase64(members(intent["seen"], "root size")["root"], 32)
    return intent


def check_signatures(signatures: Any, intent: Object) -> None:
    """The author's, then at most 16 endorsers', sorted by member."""
    need(isinstance(signatures, list) and 1 <= len(signatures) <= 17, "from 1 to 17 signatures")
    message = b"ledgerstone/intent/v1\n" + jcs(intent)
    digest = base64_of(hashlib.sha3_256(message).digest())
    for place, one in enumerate(signatures):
        members(one, "alg key member sig" if place == 0 else "alg key meaning member sig time")
        need(one["alg"] == "Ed25519", f"algorithm {one['alg']!r}")
        matches(r"[0-9a-f]{32}", one["member"], "member")
        if place:
            need(isinstance(one["meaning"], str), "an endorsement has no meaning")
            timestamp(one["time"])
            endorsed = {"intent": digest, **{name: one[name] for name in ("key", "meaning", "member", "time")}}
            message = b"ledgerstone/endorsement/v1\n" + jcs(endorsed)
        else:
            need(
                (one["member"], one["key"]) == (intent["author"], intent["key"]),
                "the first signature is not the author's",
            )
        check_signature(
            unbase64(one["key"], 32),
            unbase64(one["sig"], 64),
            message,
            "the author's" if place == 0 else "an endorser's",
        )
    endorsers = [one["member"] for one in signatures[1:]]
    need(
        endorsers == sorted(set(endorsers) - {intent["author"]}),
        "endorsers are not sorted, distinct and other than the author",
    )


# Section 8: receipts


@dataclass(frozen=True)
class Verified:
    outcome: str
    code: str | None
    index: int
    position: int
    record: str
    trees: list[str]
    cause: int | None = None


def entry_leaf(part: Any, which: int, bound: int = MAX_RECORDS) -> tuple[Object, bytes]:
    """An entry of a receipt with its leaf hash."""
    members(part, "bytes path position salt")
    integer(part["position"], 0, bound - 1, "position")
    return part, SHA3.leaf(TAGS[which] + unbase64(part["salt"], 16) + utf8(part["bytes"]))


def emitted_entry(data: bytes) -> Object:
    """One entry of the emitted list."""
    entry = members(canonical(data, "an emitted record"), "cause record")
    integer(entry["cause"], 0, MAX_RECORDS - 1, "cause")
    check_record(jcs(entry["record"]))
    return entry


def check_record(data: bytes) -> None:
    """The form of record bytes, section 2."""
    record = members(canonical(data, "the record"), "data type version")
    need(isinstance(record["data"], dict), "a record's data is an object")
    need(isinstance(record["type"], str), "a record's type is a string")
    integer(record["version"], 0, MAX_INT, "version")


def receipt_outcome(receipt: Object, envelope: Object, position: int, record_leaf: bytes) -> tuple[str, str | None]:
    """Step 5."""
    listed, intent = envelope["exceptions"], envelope["intent"]
    if listed["count"] == 0:
        need("exceptions" not in receipt, "exceptions are given where there are none")
        return "accepted", None
    given = receipt.get("exceptions")
    need(isinstance(given, list) and len(given) in (1, 2), "one or two exceptions are needed")
    found: list[tuple[int, Object]] = []
    for one in given or []:
        part, leaf = entry_leaf(one, EXCEPTIONS)
        SHA3.check_inclusion(leaf, part["position"], listed["count"], part["path"], unbase64(listed["root"], 32))
        entry = exception_entry(part["bytes"].encode())
        need(entry["position"] < intent["count"], "an exception names a record that the transaction does not have")
        need(
            intent["mode"] != "atomic" or entry["outcome"] != "rejected", "an atomic transaction has a rejected record"
        )
        found.append((part["position"], entry))
    (place, entry), (last_place, last) = found[0], found[-1]
    if entry["position"] == position:
        need(len(found) == 1, "the record's own exception stands alone")
        need(unbase64(entry["leaf"], 32) == record_leaf, "the exception is of another record")
        return entry["outcome"], entry["code"]
    if len(found) == 2:
        need(last_place == place + 1, "the exceptions are not neighbours")
        need(entry["position"] < position < last["position"], "the exceptions do not enclose the position")
    elif position < entry["position"]:
        need(place == 0, "the exception is not the first")
    else:
        need(place == listed["count"] - 1, "the exception is not the last")
    return "accepted", None


def verify_receipt(data: bytes, trust: list[VerifierKey]) -> Verified:
    """The five steps; an unknown version is reported before anything else."""
    need(len(data) <= 4 << 20, "a receipt is at most 4 MiB")
    receipt = members(parse(data), "type envelope sha256", "record emitted exceptions sha3-256")
    need(("record" in receipt) != ("emitted" in receipt), "a receipt is of a signed record or of an emitted one")
    need(receipt["type"] == "ledgerstone/receipt/v1", f"type {receipt['type']!r}")
    text = utf8(receipt["envelope"])
    envelope = open_envelope(text)  # steps 2 (without the tree) and 3
    trees: list[str] = []
    for name, tree, suffix in (("sha256", Tree("sha256"), False), ("sha3-256", SHA3, True)):
        if name not in receipt:
            continue
        part = members(receipt[name], "checkpoint path")
        trusted = {key for key in trust if key.name.endswith("/sha3-256") == suffix}
        if trusted:
            size, root, _ = open_checkpoint(part["checkpoint"], *trusted)
            tree.check_inclusion(
                tree.leaf(b"ledgerstone/envelope/v1\n" + text), envelope["index"], size, part["path"], root
            )
        trees += [name] if trusted else []
    need("sha256" in trees, "no trusted key is that of the SHA-256 log tree")
    intent = envelope["intent"]
    if "emitted" in receipt:
        return verify_emitted(receipt, envelope, trees)
    record, leaf = entry_leaf(receipt["record"], RECORDS)
    SHA3.check_inclusion(leaf, record["position"], intent["count"], record["path"], unbase64(intent["root"], 32))
    check_record(record["bytes"].encode())
    outcome, code = receipt_outcome(receipt, envelope, record["position"], leaf)
    return Verified(outcome, code, envelope["index"], record["position"], record["bytes"], trees)


def verify_emitted(receipt: Object, envelope: Object, trees: list[str]) -> Verified:
    """Steps 4 and 5 of a record that a rule made: what stands in the list was accepted."""
    need("exceptions" not in receipt, "an emitted record is in no exception")
    record, leaf = entry_leaf(receipt["emitted"], EMITTED, MAX_EMITTED)
    listed, count = envelope["emitted"], envelope["intent"]["count"]
    need("root" in listed, "the envelope holds no emitted records")
    SHA3.check_inclusion(leaf, record["position"], listed["count"], record["path"], unbase64(listed["root"], 32))
    entry = emitted_entry(record["bytes"].encode())
    need(entry["cause"] < count, "the cause is a record that the transaction does not have")
    text = jcs(entry["record"]).decode()
    return Verified("accepted", None, envelope["index"], count + record["position"], text, trees, entry["cause"])


# Section 13: proposals


def verify_proposal(data: bytes) -> Object:
    """What can be said of a proposal without the ledger."""
    need(len(data) <= 64 << 20, "a proposal is at most 64 MiB")
    proposal = members(parse(data), "type origin id intent secret records signatures")
    need(proposal["type"] == "ledgerstone/proposal/v1", f"type {proposal['type']!r}")
    intent = check_intent(canonical(utf8(proposal["intent"]), "the intent"), later=True)
    need(intent["mode"] == "atomic", "a proposal is atomic")
    integer(intent["seen"]["size"], 1, MAX_INT, "seen.size")
    secret, records = unbase64(proposal["secret"], 32), proposal["records"]
    named = hashlib.sha3_256(b"ledgerstone/idempotency/v1\n" + secret + utf8(proposal["id"])).digest()
    need(intent.get("idempotency") == base64_of(named), "the id is not the one that was signed")
    need(isinstance(records, list) and len(records) == intent["count"], "the number of records differs")
    tree = Tree()
    for record, salt in zip(records, salts(secret, RECORDS, len(records)), strict=False):
        check_record(utf8(record))
        tree.append(tree.leaf(TAGS[RECORDS] + salt + utf8(record)))
    need(tree.root(len(records)) == unbase64(intent["root"], 32), "the records are not those that were signed")
    check_signatures(proposal["signatures"], intent)
    return proposal
