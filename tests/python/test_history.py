"""The ledger as it was: moments, effective dates, statements, histories, pages."""

import datetime as dt
import inspect
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ledgerstone as ls
import polars as pl
import pyarrow as pa
import pytest
from books import transfer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ACCOUNT, TRANSFER = "finance.account", "finance.transfer"


@pytest.fixture
def moved(ledger: ls.Ledger) -> ls.Ledger:
    for n in range(1, 6):
        day = dt.date(2026, 3, n)
        ledger.append(TRANSFER, transfer(f"t{n}", Decimal(n), book="b", period="2026-03", date=day))
    return ledger


def posted(ledger: ls.Ledger, **options: Any) -> Decimal | None:
    balance = ledger.balance(ACCOUNT, "cash", by="EUR", **options)
    return balance and balance["posted"]


def test_balances_as_of_an_index_and_a_time(moved: ls.Ledger) -> None:
    last = moved.size - 1
    assert [posted(moved, as_of=last - n) for n in range(6)] == [15, 10, 6, 3, 1, 0]
    assert posted(moved, as_of=0) is None
    assert moved.balance(ACCOUNT, "cash", as_of=0) == {}
    first = next(iter(moved.query(TRANSFER, columns=["_time"])))["_time"]
    assert posted(moved, as_of=first) == posted(moved, as_of=first.isoformat()) == 1
    assert posted(moved, as_of=dt.datetime.now(dt.UTC).date()) == posted(moved) == 15
    assert posted(moved, as_of="2020-01-01") is None


def test_balances_by_effective_date(moved: ls.Ledger) -> None:
    days = [posted(moved, on=f"2026-03-{day:02}") for day in (1, 3, 5)]
    assert days == [1, 6, 15]
    assert posted(moved, on=dt.date(2026, 3, 4), as_of=moved.size - 3) == 6
    assert moved.balance(ACCOUNT, "cash", on="2026-02-01") == {"EUR": {"posted": 0}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"as_of": 99}, "there is no transaction 99"),
        ({"as_of": "soon"}, "2026-06-30"),
        ({"as_of": -1}, "a moment is"),
        ({"as_of": dt.datetime(2026, 1, 1)}, "time zone"),
        ({"on": "March"}, "2026-06-30"),
        ({"on": 3}, "an effective date is"),
    ],
)
def test_moments_that_are_none(moved: ls.Ledger, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ls.SchemaError, match=said):
        moved.balance(ACCOUNT, "cash", **options)


def test_queries_and_records_as_of_an_index(moved: ls.Ledger) -> None:
    last = moved.size - 1
    assert [row["id"] for row in moved.query(TRANSFER, as_of=last - 2)] == ["t1", "t2", "t3"]
    assert [row["id"] for row in moved.query(TRANSFER, where={"debit": "cash"}, as_of=last - 3)] == ["t1", "t2"]
    assert moved.get(TRANSFER, "t5", as_of=last - 1) is None
    assert moved.get(TRANSFER, "t5", as_of=last) == moved.get(TRANSFER, "t5")


def test_state_holds_every_cell(moved: ls.Ledger) -> None:
    hold = {"id": "h", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "2"}
    at = moved.append("finance.hold", hold).index
    moved.append("finance.hold_void", {"hold": "h"} | {name: hold[name] for name in hold if name != "id"})
    assert moved.state("finance.hold", "h") == {"status": {"state": "voided"}}
    assert moved.state("finance.hold", "h", as_of=at) == {"status": {"state": "pending"}}
    assert moved.state("finance.hold", "h", as_of=at - 1) == {}
    assert moved.state(ACCOUNT, "cash", as_of=at)["balance"]["EUR"]["pending_in"] == 2


def test_a_statement_adds_up(moved: ls.Ledger) -> None:
    statement = moved.statement(ACCOUNT, "cash", columns=["id", "credit"])
    lines = statement.to_dicts()
    assert [line["id"] for line in lines] == ["cash", "t1", "t2", "t3", "t4", "t5"]
    assert [line["posted_change"] for line in lines] == [0, 1, 2, 3, 4, 5]
    assert [line["posted_balance"] for line in lines] == [0, 1, 3, 6, 10, 15]
    assert lines[1]["_date"] == dt.date(2026, 3, 1)
    assert lines[1]["credit"] == "sales"
    assert statement.opening == {}
    assert statement.closing == {"posted": 15, "pending_in": 0, "pending_out": 0, "floor": 0}
    part = moved.statement(ACCOUNT, "cash", by="EUR", start=moved.size - 2, end=moved.size - 1)
    assert (part.opening["posted"], part.closing["posted"], len(part.to_dicts())) == (6, 15, 2)
    frame = pl.DataFrame(statement)
    assert frame["posted_balance"].to_list()[-1] == 15
    assert pa.table(statement).num_rows == 6
    assert repr(statement).startswith('Statement("finance.account", "cash", columns=[_index')
    assert "statement of" in statement._repr_html_()


def test_a_history_says_what_changed(moved: ls.Ledger) -> None:
    told = moved.history(ACCOUNT, "cash").to_dicts()
    assert [row["_type"] for row in told] == [ACCOUNT] + [TRANSFER] * 5
    assert {"field": "balance[EUR].posted", "before": "1", "after": "3"} in told[2]["changes"]
    assert {"field": "kind", "before": None, "after": "asset"} in told[0]["changes"]
    assert told[0]["_author"] == moved.members()[0].id
    assert len(moved.history(ACCOUNT, "cash", as_of=told[2]["_index"]).to_dicts()) == 3
    assert "history of" in moved.history(ACCOUNT, "cash")._repr_html_()


def test_a_key_that_nothing_has_is_an_error_in_every_verb(moved: ls.Ledger) -> None:
    asked: list[Callable[..., object]] = [moved.balance, moved.state, moved.history, moved.statement]
    for ask in asked:
        for more in ({}, {"by": "EUR"}, {"on": "2026-06-30"}, {"as_of": 0}):
            if set(more) <= set(inspect.signature(ask).parameters):
                with pytest.raises(
                    ls.SchemaError, match=r'no record of finance\.account with the key "chas"'
                ) as caught:
                    ask(ACCOUNT, "chas", **more)
                assert caught.value.code == "ledger.no_record"
    # What came to be later had nothing then.
    assert moved.balance(ACCOUNT, "cash", as_of=0) == moved.state(ACCOUNT, "cash", as_of=0) == {}
    assert moved.history(ACCOUNT, "cash", as_of=0).to_dicts() == []
    assert moved.statement(ACCOUNT, "cash", end=0).to_dicts() == []
    assert moved.balance(ACCOUNT, "cash", by="USD") is None


def test_order_pages_and_joins(moved: ls.Ledger) -> None:
    def page(**options: Any) -> list[str]:
        return [row["id"] for row in moved.query(TRANSFER, columns=["id"], **options)]

    assert page(order_by="-amount", limit=2) == ["t5", "t4"]
    assert page(order_by=["-amount"], limit=2, after=moved.get(TRANSFER, "t4")) == ["t3", "t2"]
    assert page(offset=3) == ["t4", "t5"]
    joined = moved.query(TRANSFER, join={"debit": ACCOUNT}, columns=["id", "debit.kind"], limit=1).to_dicts()
    assert joined == [{"id": "t1", "debit.kind": "asset"}]
    with pytest.raises(ls.SchemaError, match="no field nothing"):
        moved.query(TRANSFER, order_by="nothing")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(st.integers(1, 10**6), min_size=1, max_size=80),
    size=st.integers(1, 9),
    order=st.sampled_from([None, "amount", "-amount", ["debit", "-amount"]]),
)
def test_pages_of_any_size_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, amounts: list[int], size: int, order: Any
) -> None:
    path: Path = tmp_path_factory.mktemp("pages") / "books.ledger"
    with ls.create(path, origin="acme.example/books", key=ls.Key.generate("me"), modules=["finance"]) as ledger:
        for account in ("cash", "sales"):
            ledger.append(ACCOUNT, {"id": account, "currency": "EUR", "kind": "asset"})
        rows = [transfer(f"t{n}", amount) for n, amount in enumerate(amounts)]
        ledger.append_many(TRANSFER, rows[: len(rows) // 2])
        for row in rows[len(rows) // 2 :]:
            ledger.append(TRANSFER, row)
        columns = ["id", "_index", "_position"]
        whole = ledger.query(TRANSFER, columns=columns, order_by=order).to_dicts()
        paged: list[dict[str, Any]] = []
        while page := ledger.query(
            TRANSFER,
            columns=columns,
            order_by=order,
            limit=size,
            after=(paged[-1]["_index"], paged[-1]["_position"]) if paged else None,
        ).to_dicts():
            paged += page
        assert paged == whole
        assert len(whole) == len(amounts)
        total = sum(amounts)
        assert ledger.statement(ACCOUNT, "cash").to_dicts()[-1]["posted_balance"] == total
        assert ledger.statement(ACCOUNT, "sales").closing["posted"] == -total
