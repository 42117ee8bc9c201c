"""The second verifier against ledgers and receipts that the package wrote, whole and tampered with."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pytest
from primitives import (
    RefusedError,
    Tree,
    UnverifiableVersionError,
    base64_of,
    check_signature,
    decode_point,
    public_key,
    verifier_key,
)
from receipts import (
    EXCEPTIONS,
    RECORDS,
    SHA3,
    TAGS,
    Verified,
    check_record,
    receipt_outcome,
    salts,
    verify_proposal,
    verify_receipt,
)
from verify import main, stored_list, verify_ledger

Receipt = dict[str, Any]
LOAD = 10_000
DUPLICATES = range(996, LOAD, 997)
OVERDRAFTS = [0, *range(500, LOAD, 1000), LOAD - 1]


def account(name: str, **more: object) -> Receipt:
    return {"id": name, "kind": "asset", **more}


def transfer(name: str, amount: str, debit: str = "cash", credit: str = "sales", currency: str = "EUR") -> Receipt:
    return {"id": name, "debit": debit, "credit": credit, "currency": currency, "amount": amount}


def journal_entry(number: int) -> Receipt:
    legs = [
        {"account": "cash", "currency": "EUR", "amount": "10"},
        {"account": "sales", "currency": "EUR", "amount": "-10"},
    ]
    if number % 3 == 0:
        legs += [
            {"account": "vault", "currency": "USD", "amount": "0.25"},
            {"account": "disk", "currency": "USD", "amount": "-0.25"},
        ]
    entry: Receipt = {
        "id": f"j{number}",
        "book": "main",
        "period": "2026-03",
        "date": f"2026-03-{1 + number % 31:02}",
        "legs": legs,
    }
    return entry | ({"payee": 'B\u00e4cker "\U0001f600"\n'} if number % 4 else {})


def loaded(number: int) -> Receipt:
    name = f"m{number - 1 if number in DUPLICATES else number}"
    if number in OVERDRAFTS:
        return transfer(name, "999999999", debit="sales", credit="cash")
    if number % 7 == 3:
        return transfer(name, "3", debit="vault", credit="disk", currency="bytes")
    return transfer(name, f"{number}.{number % 100:02}")


@dataclass
class Books:
    path: Path
    receipts: dict[str, Receipt]
    keys: list[str]
    checkpoint: str
    load_index: int

    def verify(self, receipt: Receipt, keys: list[str] | None = None) -> Verified:
        text = json.dumps(receipt, ensure_ascii=False).encode()
        return verify_receipt(text, [verifier_key(key) for key in keys or self.keys])


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return write_books(tmp_path_factory.mktemp("books"), LOAD)


@pytest.fixture(scope="module")
def small_books(tmp_path_factory: pytest.TempPathFactory) -> Books:
    return write_books(tmp_path_factory.mktemp("small"), 1100)


def write_books(folder: Path, count: int) -> Books:
    path = folder / "books.ledger"
    ledger = ls.create(path, origin="acme.example/books", key=ls.Key.generate("controller"), modules=["finance"])
    ledger.append("finance.commodity", {"code": "bytes", "exponent": 0, "name": "A byte"})
    ledger.append("finance.account", account("cash", currency="EUR", floor="0"))
    ledger.append("finance.account", account("sales", currency="EUR"))
    ledger.append(
        "finance.account", account("vault", units=[{"currency": "USD"}, {"currency": "bytes", "exponent": 0}])
    )
    ledger.append("finance.account", account("disk", units=[{"currency": "USD"}, {"currency": "bytes", "exponent": 0}]))
    receipts: dict[str, Receipt] = {}

    def save(name: str, at: object) -> None:
        ledger.receipt(at).save(folder / name)
        receipts[name] = json.loads((folder / name).read_text(encoding="utf-8"))

    for number in range(150):
        last = ledger.append("finance.transfer", transfer(f"s{number}", "12.50"), id=f"id{number}")
        if number in (0, 70, 149):
            save(f"single{number}", last)
    load = ledger.append_many("finance.transfer", [loaded(number) for number in range(count)], id="load")
    assert load.accepted == count - sum(number in DUPLICATES or number in OVERDRAFTS for number in range(count))
    for number in (number for number in (1, 501, 5000, 9998) if number < count):
        save(f"load{number}", load.row(number))
    entries = ledger.append_many(
        "finance.journal_entry", [journal_entry(number) for number in range(100)], mode="atomic"
    )
    save("journal17", entries.row(17))
    held = {"debit": "vault", "credit": "disk", "currency": "USD", "amount": "5"}
    for name in ("h1", "h2"):
        ledger.append("finance.hold", {"id": name, **held})
    ledger.append("finance.hold_post", {"hold": "h1", **held})
    ledger.append("finance.hold_void", {"hold": "h2", **held})
    ledger.append("finance.account", account("short", currency="EUR"))
    ledger.append("finance.account_close", {"account": "short", "currency": "EUR"})
    ledger.append("finance.period_close", {"book": "main", "period": "2026-03"})
    keys = list(ledger.verifier_keys)
    write_members(folder, ledger)
    found = Books(path, receipts, keys, ledger.checkpoint().note, last.index + 1)
    ledger.close()
    return found


def write_members(folder: Path, ledger: ls.Ledger) -> None:
    """Keys that rotate and end, a grant with an end, endorsements of two kinds, a rotated log key."""
    auditor = ls.Key.generate("auditor")
    member = ledger.admit(auditor.public)
    ledger.grant(member, "finance.bookkeeper", until=datetime(2099, 1, 1, tzinfo=UTC))
    ledger.rotate_key(ls.Key.generate("controller's second"))
    laptop = ls.Key.generate("laptop")
    ledger.add_key(laptop.public)
    ledger.revoke(laptop.public, reason="lost", suspected_since=datetime(2026, 1, 1, tzinfo=UTC))
    with ledger.transaction(endorsers=[auditor], meaning="s\u00e9en") as tx:
        tx.append("finance.transfer", transfer("endorsed", "1"))
    path = folder / "p.proposal"
    ledger.propose([("finance.transfer", transfer("proposed", "1"))], path)
    verify_proposal(path.read_bytes())
    ls.Proposal.load(path).endorse(auditor, member=member).save(path)
    verify_proposal(path.read_bytes())
    ledger.append_proposal(path)
    before = ledger.receipt(ledger.append("finance.transfer", transfer("before", "1")))
    ledger.rotate_log_key()
    keys = [verifier_key(key) for key in ledger.verifier_keys]
    assert verify_receipt(before.to_json().encode(), keys).outcome == "accepted"
    assert verify_receipt(before.to_json().encode(), keys[2:]).outcome == "accepted"
    with pytest.raises(RefusedError, match="no signature"):
        verify_receipt(before.to_json().encode(), keys[:2])
    verify_ledger(folder / "books.ledger")  # its checkpoint has both signatures
    ledger.append("finance.transfer", transfer("after", "1"))


def path_of(leaves: list[bytes], place: int) -> list[str]:
    """An inclusion proof, by the recursive definition of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    near, far = (leaves[:split], leaves[split:]) if place < split else (leaves[split:], leaves[:split])
    tree = Tree()
    for leaf in far:
        tree.append(leaf)
    return [*path_of(near, place if place < split else place - split), base64_of(tree.root(len(far)))]


def rejected_receipt(books: Books, position: int) -> Receipt:
    """The receipt of a rejected record, as its author can make it who kept the record's bytes."""
    receipt: Receipt = json.loads(json.dumps(books.receipts["load5000"]))
    ledger = verify_ledger(books.path)
    secret = ledger.value("SELECT value FROM envelopes WHERE key = ?", books.load_index)[:32]
    entries = stored_list(ledger.value("SELECT value FROM exceptions WHERE key = ?", books.load_index))
    tree = Tree()
    salted = list(zip(salts(secret, EXCEPTIONS, len(entries)), entries, strict=False))
    leaves = [tree.leaf(TAGS[EXCEPTIONS] + salt + one) for salt, one in salted]
    place = [json.loads(one)["position"] for one in entries].index(position)
    salt, entry = salted[place]
    own = {"bytes": entry.decode(), "path": path_of(leaves, place), "position": place, "salt": base64_of(salt)}
    receipt["exceptions"] = [own]
    exceptions = {json.loads(one)["position"]: json.loads(one)["leaf"] for one in entries}
    texts = []
    for number in range(LOAD):
        data = loaded(number)
        data["amount"] = data["amount"].rstrip("0").rstrip(".") if "." in data["amount"] else data["amount"]
        texts.append(
            json.dumps({"data": data, "type": "finance.transfer", "version": 1}, sort_keys=True, separators=(",", ":"))
        )
    all_salts = list(salts(secret, RECORDS, LOAD))
    records = [tree.leaf(TAGS[RECORDS] + salt + text.encode()) for salt, text in zip(all_salts, texts, strict=False)]
    assert all(base64_of(records[at]) == leaf for at, leaf in exceptions.items())
    receipt["record"] = {
        "bytes": texts[position],
        "path": path_of(records, position),
        "position": position,
        "salt": base64_of(all_salts[position]),
    }
    return receipt


def test_the_ledger_is_accepted(books: Books, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = tmp_path / "note"
    note.write_text(books.checkpoint, encoding="utf-8")
    assert main([str(books.path), "--checkpoint", str(note)]) == 0
    assert "rules were not replayed" in capsys.readouterr().out


def test_receipts_are_accepted(books: Books, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, receipt in books.receipts.items():
        found = books.verify(receipt)
        assert (found.outcome, found.code, found.trees) == ("accepted", None, ["sha256", "sha3-256"])
        assert ("exceptions" in receipt) == name.startswith("load")
        path = tmp_path / name
        path.write_text(json.dumps(receipt), encoding="utf-8")
        assert main(["--receipt", str(path), "--trust", books.keys[0]]) == 0
    assert "accepted: record 17" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("position", "code"), [(0, "insufficient_funds"), (996, "duplicate"), (LOAD - 1, "insufficient_funds")]
)
def test_the_receipt_of_a_rejected_record_says_so(books: Books, tmp_path: Path, position: int, code: str) -> None:
    receipt = rejected_receipt(books, position)
    found = books.verify(receipt)
    assert (found.outcome, found.code, found.position) == ("rejected", f"finance.{code}", position)
    path = tmp_path / "rejected"
    path.write_text(json.dumps(receipt), encoding="utf-8")
    theirs = ls.verify(path, trust=books.keys)
    assert (theirs.outcome, theirs.code) == (found.outcome, found.code)
    with pytest.raises(RefusedError):
        books.verify(receipt | {"exceptions": books.receipts["load5000"]["exceptions"]})


# What is flipped: table, which row (by SQL), at which offset (of the value, from its middle where None).
FLIPS = [
    ("envelopes", "key = 0", 0),
    ("envelopes", "key = 0", None),
    ("envelopes", "key = 80", 31),
    ("envelopes", "key = 80", 32),
    ("envelopes", "key = 80", None),
    ("envelopes", "key = 80", -3),
    ("envelopes", "key = 154", None),
    ("chunks", "key = 0", None),
    ("chunks", "key = 80 << 24", 0),
    ("chunks", "key = 80 << 24", None),
    ("chunks", "key = 80 << 24", -1),
    ("chunks", "length(value) = (SELECT max(length(value)) FROM chunks)", 0),
    ("chunks", "length(value) = (SELECT max(length(value)) FROM chunks)", None),
    ("chunks", "length(value) = (SELECT max(length(value)) FROM chunks)", -5),
    ("exceptions", "1", 0),
    ("exceptions", "1", 20),
    ("exceptions", "1", None),
    ("exceptions", "1", -2),
    ("cell_runs", "key = 80 << 24", None),
    ("cell_runs", "key = 80 << 24", 0),
    ("cell_runs", "key = 80 << 24", -3),
    ("cell_history", "length(value) > 0", 0),
    ("log_nodes", "key = 6 << 56", 0),
    ("log_nodes", "key = 6 << 56", -1),
    ("log_nodes", "key = 7 << 56", None),
    ("record_nodes", "1", None),
    ("cells", "1", 7),
    ("cells", "1", None),
    ("segments", "1", 0),
    ("postings", "length(value) > 100", None),
    ("idempotency", "1", -1),
    ("meta", "key = CAST('origin' AS BLOB)", 0),
    ("meta", "key = CAST('file_secret' AS BLOB)", 0),
    ("meta", "key = CAST('checkpoint' AS BLOB)", 30),
    ("meta", "key = CAST('checkpoint' AS BLOB)", None),
    ("meta", "key = CAST('checkpoint' AS BLOB)", -4),
]


@pytest.fixture
def copy(small_books: Books, tmp_path: Path) -> Path:
    for path in small_books.path.parent.glob(f"{small_books.path.name}*"):
        shutil.copy(path, tmp_path / path.name)
    return tmp_path / small_books.path.name


@pytest.mark.parametrize(("table", "where", "offset"), FLIPS)
def test_a_flipped_byte_in_the_file_is_refused(copy: Path, table: str, where: str, offset: int | None) -> None:
    with sqlite3.connect(copy) as db:
        key, value = db.execute(f"SELECT key, value FROM {table} WHERE {where}").fetchone()
        changed = bytearray(value)
        changed[len(value) // 2 if offset is None else offset] ^= 1
        db.execute(f"UPDATE {table} SET value = ? WHERE key = ?", (bytes(changed), key))
    db.close()
    assert main([str(copy)]) == 1


@pytest.mark.parametrize(
    "statement",
    [
        *(
            f"DELETE FROM {table} WHERE key = (SELECT max(key) FROM {table})"
            for table in ("envelopes", "chunks", "exceptions", "cell_runs")
        ),
        *(
            f"DELETE FROM {table} WHERE key = (SELECT min(key) FROM {table})"
            for table in ("envelopes", "log_nodes", "record_nodes")
        ),
        *(
            f"DELETE FROM {table} WHERE key = (SELECT max(key) FROM {table})"
            for table in ("cells", "unique_keys", "postings", "idempotency", "segments")
        ),
        "INSERT INTO chunks SELECT 1 << 40, value FROM chunks WHERE key = 0",
        "INSERT INTO unique_keys VALUES (zeroblob(16), x'')",
        "UPDATE envelopes SET value = (SELECT value FROM envelopes WHERE key = 81) WHERE key = 80",
        "CREATE TABLE more (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 2",
    ],
)
def test_a_changed_table_is_refused(copy: Path, statement: str) -> None:
    with sqlite3.connect(copy) as db:
        db.execute(statement)
    db.close()
    assert main([str(copy)]) == 1


def flipped(text: str, at: int) -> str:
    """The text with one character changed, still of the base64 alphabet."""
    at %= len(text)
    return text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


def change(receipt: Receipt, way: list[Any], edit: Callable[[Any], Any]) -> Receipt:
    changed: Receipt = json.loads(json.dumps(receipt))
    at: Any = changed
    for step in way[:-1]:
        at = at[step]
    at[way[-1]] = edit(at[way[-1]])
    return changed


def without_last(value: list[Any]) -> list[Any]:
    return value[:-1]


CHANGES: list[tuple[list[Any], Callable[[Any], Any]]] = [
    (["record", "bytes"], lambda text: flipped(text, 20)),
    (["record", "position"], lambda number: number + 1),
    (["record", "salt"], lambda text: flipped(text, 5)),
    (["record", "path", 3], lambda text: flipped(text, 9)),
    (["record", "path"], without_last),
    (["record", "path"], lambda path: [*path, path[0]]),
    (["envelope"], lambda text: flipped(text, 25)),
    (["envelope"], lambda text: text.replace('"mode":"each"', '"mode":"atomic"')),
    (["envelope"], lambda text: text.replace('"sig":"', '"sig":"A')),
    (["envelope"], lambda text: text + " "),
    (["exceptions", 0, "bytes"], lambda text: flipped(text, 40)),
    (["exceptions", 0, "salt"], lambda text: flipped(text, 5)),
    (["exceptions", 0, "path", 0], lambda text: flipped(text, 9)),
    (["exceptions", 0, "position"], lambda number: number + 1),
    (["exceptions"], without_last),
    (["exceptions"], lambda both: both[1:]),
    (["exceptions"], lambda both: both[::-1]),
    (["exceptions"], lambda both: []),
    (["sha256", "path", 0], lambda text: flipped(text, 9)),
    (["sha256", "checkpoint"], lambda text: re.sub(r"\n\d+\n", "\n999\n", text)),
    (["sha256", "checkpoint"], lambda text: flipped(text, -10)),
    (["sha256", "checkpoint"], lambda text: flipped(text, text.index("\n\n") - 9)),
    (["sha3-256", "path", 0], lambda text: flipped(text, 9)),
    (["sha3-256", "checkpoint"], lambda text: flipped(text, -10)),
    (["type"], lambda text: text[:-1] + "2"),
]


@pytest.mark.parametrize(("way", "edit"), CHANGES)
def test_a_changed_receipt_is_refused(books: Books, tmp_path: Path, way: list[Any], edit: Callable[[Any], Any]) -> None:
    receipt = books.receipts["load5000"]
    changed = change(receipt, way, edit)
    assert changed != receipt
    with pytest.raises(RefusedError):
        books.verify(changed)
    path = tmp_path / "changed"
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(ls.VerificationError):
        ls.verify(path, trust=books.keys)


def test_exceptions_are_neither_hidden_nor_borrowed(books: Books) -> None:
    load, single = books.receipts["load5000"], books.receipts["single70"]
    with pytest.raises(RefusedError):
        books.verify({name: value for name, value in load.items() if name != "exceptions"})
    with pytest.raises(RefusedError):
        books.verify(single | {"exceptions": load["exceptions"]})
    with pytest.raises(RefusedError):
        books.verify(load | {"exceptions": books.receipts["load501"]["exceptions"]})
    with pytest.raises(RefusedError):
        books.verify(single | {"more": 1})


def test_only_the_trusted_key_counts(books: Books) -> None:
    receipt = books.receipts["single70"]
    other = "other.example+" + books.keys[0].split("+", 1)[1]
    with pytest.raises(RefusedError):
        verifier_key(other)
    with pytest.raises(RefusedError):
        books.verify(receipt, books.keys[1:])
    with pytest.raises(RefusedError):
        books.verify(receipt | {"sha256": receipt["sha3-256"]})


def test_an_unknown_version_is_said_first(books: Books) -> None:
    receipt = change(
        books.receipts["single70"], ["envelope"], lambda text: text.replace('"semantics":0', '"semantics":9')
    )
    with pytest.raises(UnverifiableVersionError):
        books.verify(change(receipt, ["sha256", "checkpoint"], lambda text: "nonsense"))


@pytest.mark.parametrize(
    "key",
    [
        (1).to_bytes(32, "little"),  # the identity
        (0).to_bytes(32, "little"),  # of order 4
        (2**255 - 20).to_bytes(32, "little"),  # of order 2
        (2**255 - 18).to_bytes(32, "little"),  # the identity, not canonical
        (1 + 2**255).to_bytes(32, "little"),  # the identity with a sign
        (2).to_bytes(32, "little"),  # not on the curve
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),  # of order 8
    ],
)
def test_a_key_that_is_not_of_prime_order_is_refused(key: bytes) -> None:
    with pytest.raises(RefusedError):
        public_key(key)


def test_r_of_low_order_is_refused(books: Books) -> None:
    key = verifier_key(books.keys[0]).key
    assert decode_point(key)
    for r in ((1).to_bytes(32, "little"), (0).to_bytes(32, "little")):
        with pytest.raises(RefusedError, match="low order"):
            check_signature(key, r + bytes(32), b"", "a")


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b"not JSON",
        b'{"data":{},"type":"a.b"}',
        b'{"data":{},"more":1,"type":"a.b","version":1}',
        b'{"data":[],"type":"a.b","version":1}',
        b'{"type":"a.b","data":{},"version":1}',
        b'{"data":{"n":0.5},"type":"a.b","version":1}',
    ],
)
def test_what_has_not_the_form_of_a_record_is_refused(record: bytes) -> None:
    with pytest.raises(RefusedError):
        check_record(record)


def test_the_form_of_a_record_is_taken() -> None:
    check_record(b'{"data":{"n":1},"type":"a.b","version":1}')


@pytest.mark.parametrize(("mode", "count", "is_sound"), [("each", 2, True), ("atomic", 2, False), ("each", 1, False)])
def test_an_exception_fits_its_transaction(mode: str, count: int, is_sound: bool) -> None:
    leaf = base64_of(bytes(32))
    text = f'{{"code":"a.b","leaf":"{leaf}","outcome":"rejected","position":1}}'
    part = {"bytes": text, "path": [], "position": 0, "salt": base64_of(bytes(16))}
    root = SHA3.leaf(TAGS[EXCEPTIONS] + bytes(16) + text.encode())
    envelope = {"exceptions": {"count": 1, "root": base64_of(root)}, "intent": {"mode": mode, "count": count}}
    if is_sound:
        assert receipt_outcome({"exceptions": [part]}, envelope, 1, bytes(32)) == ("rejected", "a.b")
    else:
        with pytest.raises(RefusedError, match=r"does not have|atomic"):
            receipt_outcome({"exceptions": [part]}, envelope, 1, bytes(32))


def test_a_proposal_is_what_was_signed(small_books: Books, tmp_path: Path) -> None:
    text = (small_books.path.parent / "p.proposal").read_text(encoding="utf-8")
    for old, new in [
        ("ledgerstone/proposal/v1", "ledgerstone/proposal/v2"),
        (r"\"amount\":\"1\"", r"\"amount\":\"2\""),
        (r"\"mode\":\"atomic\"", r"\"mode\":\"each\""),
        ('"id":"proposal-', '"id":"another-'),
        ('"meaning":"approved"', '"meaning":"rejected"'),
    ]:
        changed = text.replace(old, new, 1)
        assert changed != text, old
        with pytest.raises(RefusedError):
            verify_proposal(changed.encode())
        path = tmp_path / "changed.proposal"
        path.write_text(changed, encoding="utf-8")
        with pytest.raises(ls.VerificationError):
            ls.Proposal.load(path)
