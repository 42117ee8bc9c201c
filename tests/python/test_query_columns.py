"""Conditions and orders over every column that a query can show, beside what Python makes of the rows; and arguments that do not fit."""

import datetime as dt
import operator
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pytest
from books import transfer, transfers

TRANSFER = "finance.transfer"
JOIN = {"debit": "finance.account", "credit": "finance.account"}
OWN = ["id", "amount", "narrative"]
BESIDE = [
    "_index",
    "_position",
    "_time",
    "_author",
    "_version",
    "_outcome",
    "_code",
    "_cause",
    "debit.kind",
    "credit.floor",
]
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@pytest.fixture
def varied(ledger: ls.Ledger, me: ls.Key) -> Iterator[ls.Ledger]:
    """Transfers of two authors, in transactions small and large."""
    clerk = ls.Key.generate("clerk")
    ledger.grant(ledger.admit(clerk.public), "finance.bookkeeper")
    ledger.append_many(TRANSFER, transfers(4, "a"))
    ledger.close()
    with ls.open(ledger.path, key=clerk) as theirs:
        for number in range(3):
            theirs.append(TRANSFER, transfer(f"b{number}", 5 - number, narrative="x" * number or None))
    with ls.open(ledger.path, key=me) as ledger:
        with ledger.transaction() as tx:
            tx.append(TRANSFER, transfer("c0", 9))
            tx.append(TRANSFER, transfer("c1", 1) | {"debit": "sales", "credit": "cash"})
        yield ledger


def rows(ledger: ls.Ledger, **options: Any) -> list[dict[str, Any]]:
    return ledger.query(TRANSFER, join=JOIN, columns=OWN + BESIDE, **options).to_dicts()


def holds(value: Any, sign: str, operand: Any) -> bool:
    if sign in ("==", "!="):
        return OPERATORS[sign](value, operand)
    return value is not None and OPERATORS[sign](value, operand)


@pytest.mark.parametrize("column", OWN + BESIDE)
def test_every_column_can_be_asked_for(varied: ls.Ledger, column: str) -> None:
    whole = rows(varied)
    assert len({row["_author"] for row in whole}) == 2
    operands = {row[column] for row in whole}
    for operand in operands:
        for sign in OPERATORS:
            if operand is None and sign not in ("==", "!="):
                continue
            expected = [row for row in whole if holds(row[column], sign, operand)]
            assert rows(varied, where={column: {sign: operand}}) == expected, (sign, operand)
    known = sorted(operand for operand in operands if operand is not None)
    if known:
        inside = [row for row in whole if row[column] is not None and known[0] <= row[column] <= known[-1]]
        assert rows(varied, where={column: {"between": [known[0], known[-1]]}}) == inside
        assert rows(varied, where={column: known[:2]}) == [row for row in whole if row[column] in known[:2]]


@pytest.mark.parametrize("column", OWN + BESIDE)
def test_every_column_orders_and_pages(varied: ls.Ledger, column: str) -> None:
    whole = rows(varied)
    for sign, falls in (("", False), ("-", True)):
        expected = sorted(whole, key=lambda row: (row[column] is not None, row[column]), reverse=falls)
        order = f"{sign}{column}"
        assert rows(varied, order_by=order) == expected
        assert rows(varied, order_by=order, offset=2, limit=3) == expected[2:5]
        paged: list[dict[str, Any]] = []
        while page := rows(
            varied, order_by=order, limit=2, after=(paged[-1]["_index"], paged[-1]["_position"]) if paged else None
        ):
            paged += page
        assert paged == expected


def test_conditions_narrow_what_is_read(varied: ls.Ledger) -> None:
    """An index or a time that no transaction has gives nothing, and one outside of all numbers no error."""
    for where in (
        {"_index": 10**9},
        {"_index": -1},
        {"_index": {"<": -5}},
        {"_index": {"between": [7, 3]}},
        {"_time": {">": dt.datetime(9000, 1, 1, tzinfo=dt.UTC)}},
        {"_time": {"<": "2001-01-01T00:00:00Z"}},
        {"_index": {">=": 5}, "_time": {"<": "2001-01-01T00:00:00Z"}},
    ):
        assert rows(varied, where=where) == []
    assert rows(varied, where={"_time": {">=": "2001-01-01T00:00:00Z"}}) == rows(varied)
    assert len({row["_author"] for row in rows(varied, where={"debit.kind": "income"})}) == 1


def test_what_no_column_is_called_is_told_with_those_there_are(varied: ls.Ledger) -> None:
    for options in ({"where": {"_when": 1}}, {"order_by": "_when"}, {"where": {"debit.kind": "asset"}, "join": {}}):
        with pytest.raises(ls.SchemaError, match=r"has no field .* _index, _position, _time") as caught:
            varied.query(TRANSFER, **options)  # type: ignore[arg-type]
        assert caught.value.code == "ledger.bad_condition"
    with pytest.raises(ls.SchemaError, match="_index: the field takes an integer; this is text"):
        varied.query(TRANSFER, where={"_index": "seven"})


def test_a_join_goes_where_the_field_points(ledger: ls.Ledger) -> None:
    with pytest.raises(
        ls.SchemaError, match=r"debit of finance.transfer names a finance.account, not a finance.transfer"
    ):
        ledger.query(TRANSFER, join={"debit": TRANSFER})
    # Nothing says what a transfer's id is beside itself: it may be the key of any other type too.
    ledger.append(TRANSFER, transfer("t1"))
    [row] = ledger.query(TRANSFER, join={"id": "finance.hold"}, columns=["id", "id.amount"]).to_dicts()
    assert row == {"id": "t1", "id.amount": None}


def test_columns_are_asked_for_once_and_at_least_one(ledger: ls.Ledger) -> None:
    for ask in (
        lambda: ledger.query(TRANSFER, columns=["id", "amount", "id"]),
        lambda: ledger.statement("finance.account", "cash", columns=["id", "id"]),
    ):
        with pytest.raises(ls.SchemaError, match="the column id is asked for twice") as caught:
            ask()
        assert caught.value.code == "ledger.duplicate_column"
    with pytest.raises(ValueError, match="columns names no column"):
        ledger.query(TRANSFER, columns=[])


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"where": "debit=cash"}, TypeError, r'where is a dict, like {"debit": "cash"}, not str'),
    ({"join": ["debit"]}, TypeError, "join is a dict, like .*, not list"),
    ({"columns": "id"}, TypeError, r'columns is a list of names, like \["id"\], not str'),
    ({"columns": [1]}, TypeError, "columns is a list of names"),
    ({"order_by": 5}, TypeError, "order_by is a list of names, .* not int"),
    ({"limit": -1}, ValueError, "limit is a whole number from 0 on, not -1"),
    ({"limit": 2**70}, ValueError, "limit is a whole number from 0 on"),
    ({"limit": "ten"}, TypeError, "limit is a whole number, like 10, not str"),
    ({"offset": -1}, ValueError, "offset is a whole number from 0 on, not -1"),
    ({"offset": 1.5}, TypeError, "offset is a whole number, like 10, not float"),
]


@pytest.mark.parametrize(("options", "error", "words"), WRONG)
def test_arguments_that_do_not_fit_are_named(
    ledger: ls.Ledger, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        ledger.query(TRANSFER, **options)
    assert not getattr(caught.value, "__notes__", [])


def test_other_arguments_that_do_not_fit(ledger: ls.Ledger, me: ls.Key, tmp_path: Path) -> None:
    records = [(TRANSFER, transfer("t1"))]
    for lifetime in (dt.timedelta(days=-1), dt.timedelta(0)):
        with pytest.raises(ValueError, match="lifetime is a time above zero"):
            ledger.propose(records, lifetime=lifetime)
    with pytest.raises(TypeError, match="lifetime is a timedelta"):
        ledger.propose(records, lifetime=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="columns is a list"):
        ledger.statement("finance.account", "cash", columns="id")
    for threads, error in ((0, ValueError), (-1, ValueError), ("two", TypeError)):
        with pytest.raises(error, match="threads is"):
            ls.open(ledger.path, readonly=True, threads=threads)  # type: ignore[arg-type]
        with pytest.raises(error, match="threads is"):
            ls.create(tmp_path / "no.ledger", origin="a.example/no", key=me, threads=threads)  # type: ignore[arg-type]
    assert not (tmp_path / "no.ledger").exists()
    with pytest.raises(TypeError, match="against is a Checkpoint or its note, not int"):
        ledger.audit(against=5)  # type: ignore[arg-type]
    assert ledger.audit(against=ledger.checkpoint()).verdict == "ok"
