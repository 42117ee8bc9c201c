"""What becomes of records: held, flagged, released, followed by others; suspended modules; private fields in the clear."""

from __future__ import annotations

from pathlib import Path

import ledgerstone as ls
import pyarrow as pa
import pytest

ORDERS = Path(__file__).parents[1] / "outcomes.toml"


@pytest.fixture
def orders(tmp_path: Path) -> ls.Ledger:
    ledger = ls.create(
        tmp_path / "orders.ledger", origin="acme.example/orders", key=ls.Key.generate("clerk"), modules=[ORDERS]
    )
    ledger.append("orders.customer", {"id": "ann"})
    return ledger


def order(name: str, pieces: int, **more: object) -> dict[str, object]:
    return {"id": name, "customer": "ann", "pieces": pieces, **more}


def test_a_held_record_waits_for_its_release(orders: ls.Ledger) -> None:
    held = orders.append("orders.order", order("large", 200), id="large")
    assert (held.outcome, held.code) == ("held", "orders.large")
    assert held.outcomes[0].message == "a manager looks at large orders"
    again = orders.append("orders.order", order("large", 200), id="large")
    assert (again.is_new, again.outcome, again.code) == (False, "held", "orders.large")
    assert orders.get("orders.order", "large") is None
    assert orders.query("orders.order").to_dicts() == []
    [shown] = orders.query("orders.order", columns=["id", "_outcome", "_code"], held=True)
    assert shown == {"id": "large", "_outcome": "held", "_code": "orders.large"}
    [waiting] = orders.held()
    assert (waiting.row, waiting.outcome, waiting["pieces"]) == (held.row(), "held", 200)
    assert ls.verify(orders.receipt(held), trust=orders.verifier_keys).outcome == "held"
    released = orders.release(waiting, "the boss called")
    assert orders.held("orders.order") == []
    record = orders.get("orders.order", "large")
    assert record is not None
    assert (record.outcome, record.code) == ("released", "orders.large")
    [delivery] = orders.query("orders.delivery", columns=["id", "_index", "_cause"])
    assert delivery == {"id": "d-large", "_index": released.index, "_cause": 0}
    proven = ls.verify(orders.receipt((released.index, 1)), trust=orders.verifier_keys)
    assert (proven.cause, proven.data["id"]) == (0, "d-large")
    with pytest.raises(ls.RejectedError) as caught:
        orders.release(held)
    assert caught.value.code == "ledger.already_released"
    assert orders.audit().ok


def test_a_load_tells_its_outcomes_apart(orders: ls.Ledger, tmp_path: Path) -> None:
    rows = [order("a", 1), order("b", 13), order("c", 150), order("d", 0), order("e", 60)]
    result = orders.append_many("orders.order", rows)
    assert (result.rows, result.accepted, result.flagged, result.held, len(result.rejections)) == (5, 1, 1, 1, 2)
    told = [(one["row"], one["outcome"], one["code"]) for one in result.exceptions]
    assert told == [
        (1, "flagged", "orders.unlucky"),
        (2, "held", "orders.large"),
        (3, "rejected", "orders.no_pieces"),
        (4, "rejected", "orders.no_truck"),
    ]
    assert pa.table(result.exceptions).column("outcome").to_pylist() == [outcome for _, outcome, _ in told]
    assert "held=1" in repr(result)
    orders.export(tmp_path / "trail.arrow")
    trail = pa.ipc.open_file(tmp_path / "trail.arrow").read_all().to_pylist()
    loaded = [one for one in trail if one["_index"] == result.transactions[0]]
    assert [one["_outcome"] for one in loaded] == ["accepted", "flagged", "held", "rejected", "accepted", "accepted"]
    assert [one["_cause"] for one in loaded] == [None, None, None, None, 0, 1]


def test_transactions_tell_theirs(orders: ls.Ledger) -> None:
    with orders.transaction() as tx:
        tx.append("orders.order", order("a", 1))
        tx.append("orders.order", order("b", 500))
    assert tx.result is not None
    assert [outcome.name for outcome in tx.result.outcomes] == ["accepted", "held"]


def test_private_fields_are_refused_or_stored_in_the_clear(orders: ls.Ledger) -> None:
    bob = {"id": "bob", "email": "bob@acme.example"}
    with pytest.raises(ls.RejectedError) as caught:
        orders.append("orders.customer", bob)
    assert (caught.value.code, caught.value.field) == ("ledger.private_field", "email")
    with pytest.warns(ls.PlainPrivateWarning, match="in the clear"):
        appended = orders.append("orders.customer", bob, plain=True)
    assert (appended.outcome, appended.code) == ("flagged", "ledger.plain_private")
    with pytest.warns(ls.PlainPrivateWarning, match="2 record"):
        result = orders.append_many(
            "orders.customer", [{"id": name, "email": "x"} for name in "cd"] + [{"id": "e"}], plain=True
        )
    assert (result.accepted, result.flagged) == (1, 2)


def test_a_suspended_module_takes_no_records(orders: ls.Ledger) -> None:
    orders.suspend("orders", "a wrong price")
    assert {module.name: module.state for module in orders.modules()}["orders"] == "suspended"
    with pytest.raises(ls.RejectedError) as caught:
        orders.append("orders.order", order("a", 1))
    assert caught.value.code == "ledger.module_suspended"
    orders.resume("orders")
    assert orders.append("orders.order", order("a", 1)).outcome == "accepted"
    assert orders.audit().ok
