"""The second verifier against records that were held, flagged, released and emitted."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pytest
from primitives import RefusedError, verifier_key
from receipts import Verified, verify_receipt
from verify import main

Receipt = dict[str, Any]
MODULE = Path(__file__).parent.parent / "outcomes.toml"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> ls.Ledger:
    path = tmp_path_factory.mktemp("orders") / "orders.ledger"
    key = ls.Key.generate("clerk")
    ledger = ls.create(path, origin="acme.example/orders", key=key, modules=[MODULE], record_rejections=True)
    ledger.append("orders.customer", {"id": "ann"})
    return ledger


def order(name: str, pieces: int) -> Receipt:
    return {"id": name, "customer": "ann", "pieces": pieces}


def verified(ledger: ls.Ledger, receipt: Receipt) -> Verified:
    text = json.dumps(receipt, ensure_ascii=False).encode()
    return verify_receipt(text, [verifier_key(key) for key in ledger.verifier_keys])


def receipt_of(ledger: ls.Ledger, at: ls.RowId) -> Receipt:
    found: Receipt = json.loads(ledger.receipt(at).to_json())
    return found


def test_receipts_say_what_became_of_records(orders: ls.Ledger) -> None:
    rows = [order("a1", 1), order("a2", 13), order("a3", 200), order("a1", 2), order("a4", 2)]
    load = orders.append_many("orders.order", rows)
    assert (load.accepted, load.flagged, load.held, load.rejected) == (2, 1, 1, 1)
    expected = {
        0: ("accepted", None),
        1: ("flagged", "orders.unlucky"),
        2: ("held", "orders.large"),
        4: ("accepted", None),
    }
    receipts = {}
    for row, outcome in expected.items():
        place = load.row(row)
        assert place is not None
        receipts[row] = receipt_of(orders, place)
        found = verified(orders, receipts[row])
        assert (found.outcome, found.code, found.position) == (*outcome, row)
        theirs = ls.verify(orders.receipt(place), trust=orders.verifier_keys)
        assert (theirs.outcome, theirs.code) == outcome
    # No exception but its own, or those beside it, says what became of a record; and none is accepted without one.
    for row, receipt in receipts.items():
        for other in receipts:
            if other != row and receipts[other]["exceptions"] != receipt["exceptions"]:
                with pytest.raises(RefusedError):
                    verified(orders, receipt | {"exceptions": receipts[other]["exceptions"]})
        with pytest.raises(RefusedError):
            verified(orders, {name: part for name, part in receipt.items() if name != "exceptions"})
    for before, after in (("held", "flagged"), ("orders.large", "orders.small")):
        changed = json.loads(json.dumps(receipts[2]).replace(before, after))
        assert changed != receipts[2]
        with pytest.raises(RefusedError):
            verified(orders, changed)

    # Its release leaves the receipt of the held record as it is, and is a record of its own.
    held = load.row(2)
    assert held is not None
    released = orders.release(held, "the boss called")
    assert verified(orders, receipt_of(orders, held)).outcome == "held"
    assert verified(orders, receipt_of(orders, released.row())).outcome == "accepted"
    assert main([str(orders.path)]) == 0


def test_kept_rejections_are_those_of_the_log(orders: ls.Ledger, tmp_path: Path) -> None:
    load = orders.append_many("orders.order", [order("r1", 1), order("r1", 2)])
    assert load.first is not None
    rejected = ls.RowId(load.first.index, 1)
    found = verified(orders, receipt_of(orders, rejected))
    assert (found.outcome, found.code) == ("rejected", "orders.order_exists")
    assert orders.audit().claimed_rejections == 0
    for number, change in enumerate(
        (
            "DELETE FROM rejections",
            "UPDATE rejections SET key = key - 1",
            "UPDATE rejections SET value = CAST(replace(value, 'r1', 'r2') AS BLOB)",
        )
    ):
        path = tmp_path / f"{number}.ledger"
        orders.backup(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as file:
            assert file.execute(f"{change} WHERE key = ?", (rejected.index << 24 | 1,)).rowcount == 1
        assert main([str(path)]) == 1


def test_receipts_of_emitted_records_name_their_cause(orders: ls.Ledger) -> None:
    appended = orders.append("orders.order", order("b1", 5) | {"express": True})
    first, second = ls.RowId(appended.index, 1), ls.RowId(appended.index, 2)
    receipts = [receipt_of(orders, first), receipt_of(orders, second)]
    for receipt, name in zip(receipts, ("orders.delivery", "orders.slip"), strict=True):
        assert ("record" in receipt, "exceptions" in receipt) == (False, False)
        found = verified(orders, receipt)
        assert (found.outcome, found.code) == ("accepted", None)
        assert json.loads(receipt["emitted"]["bytes"])["record"]["type"] == name
        for before, after in (("x-b1", "x-b2"), ('\\"cause\\":0', '\\"cause\\":1')):
            changed = json.loads(json.dumps(receipt).replace(before, after))
            assert changed != receipt
            with pytest.raises(RefusedError):
                verified(orders, changed)
    with pytest.raises(RefusedError):
        verified(orders, receipts[0] | {"emitted": receipts[1]["emitted"] | {"position": 0}})
    # An emitted record cannot be passed off as a signed one.
    rest = {name: part for name, part in receipts[0].items() if name != "emitted"}
    with pytest.raises(RefusedError):
        verified(orders, rest | {"record": receipts[0]["emitted"]})
    assert main([str(orders.path)]) == 0


NOTES = """
[module]
name = "notes"
version = 1
[roles.clerk]
[types.note]
authorise = ["clerk"]
[types.note.fields]
id = { type = "text", max = 8 }
number = { type = "int", required = true }
[[types.note.rules]]
require = "number < 10"
severity = "hold"
code = "large"
"""


def test_keys_that_a_later_version_adds_are_those_of_stored_records(tmp_path: Path) -> None:
    (tmp_path / "notes.toml").write_text(NOTES, encoding="utf-8")
    path = tmp_path / "notes.ledger"
    key = ls.Key.generate("clerk")
    ledger = ls.create(path, origin="acme.example/notes", key=key, modules=[tmp_path / "notes.toml"])
    rows = [{"id": f"n{number}", "number": number} for number in range(12)] + [{"number": 1}, {"number": 1}]
    load = ledger.append_many("notes.note", rows)
    assert (load.accepted, load.held) == (12, 2)
    later = NOTES.replace("version = 1", "version = 2") + '[[types.note.rules]]\nunique = ["id"]\n'
    (tmp_path / "notes.toml").write_text(later, encoding="utf-8")
    ledger.load_module(tmp_path / "notes.toml")
    held = load.row(11)
    assert held is not None
    ledger.release(held, "fine")
    with pytest.raises(ls.RejectedError, match="id"):
        ledger.append("notes.note", {"id": "n11", "number": 2})
    ledger.append("notes.note", {"id": "n10", "number": 2})
    assert ledger.audit().verdict == "ok up to size"
    assert main([str(path)]) == 0
