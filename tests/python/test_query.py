"""Reading back: Arrow, dicts, one record, balances."""

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ledgerstone as ls
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from books import transfer, transfers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TYPE = "finance.transfer"


@pytest.fixture
def filled(ledger: ls.Ledger) -> ls.Ledger:
    day = dt.date(2026, 3, 1)
    rows = [
        transfer(f"t{n:03}", Decimal(n + 1), book="b", period="2026-03", date=day + dt.timedelta(days=n % 31))
        for n in range(200)
    ]
    rows.append(transfer("bare", "7"))
    assert ledger.append_many(TYPE, rows).accepted == 201
    return ledger


def ids(ledger: ls.Ledger, **where: Any) -> list[str]:
    return [row["id"] for row in ledger.query(TYPE, where=where)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"amount": {"==": 5}}, ["t004"]),
        ({"amount": "5.00", "book": "b"}, ["t004"]),
        ({"amount": {"<": Decimal(3)}}, ["t000", "t001"]),
        ({"amount": {"<=": "3"}}, ["t000", "t001", "t002"]),
        ({"amount": {">": 199}}, ["t199"]),
        ({"amount": {">=": 199}}, ["t198", "t199"]),
        ({"amount": {">=": 10, "<": 12}}, ["t009", "t010"]),
        ({"id": ["t001", "t003", "none"]}, ["t001", "t003"]),
        ({"id": {"in": ("t001", "t003")}}, ["t001", "t003"]),
        ({"amount": {"between": [4, 6]}}, ["t003", "t004", "t005"]),
        ({"id": {"starts-with": "t19"}}, [f"t{n}" for n in range(190, 200)]),
        ({"book": None}, ["bare"]),
        ({"date": dt.date(2026, 3, 1), "amount": {"<": 40}}, ["t000", "t031"]),
        ({"id": "t007"}, ["t007"]),
        ({"debit": "cash", "id": {"starts-with": "ba"}}, ["bare"]),
        ({"debit": "nobody"}, []),
    ],
)
def test_conditions(filled: ls.Ledger, condition: dict[str, Any], expected: list[str]) -> None:
    if "amount" in condition and condition["amount"] == {"between": [4, 6]}:
        condition = condition | {"book": "b"}
    assert ids(filled, **condition) == expected


def test_arrow_consumers(filled: ls.Ledger) -> None:
    query = filled.query(TYPE, where={"amount": {"<=": 100}}, columns=["id", "amount", "date", "_index"])
    table = pa.table(query)
    assert table.num_rows == 101
    assert table.schema.names == ["id", "amount", "date", "_index"]
    assert pa.schema(query) == table.schema
    assert pl.DataFrame(query)["amount"].sum() == Decimal(5_057)
    assert pd.DataFrame.from_arrow(query)["amount"].sum() == Decimal(5_057)  # type: ignore[attr-defined]
    assert duckdb.sql("select sum(amount), count(*) from query").fetchall() == [(Decimal(5_057), 101)]
    assert pa.RecordBatchReader.from_stream(query).read_all() == table


def test_dicts_and_limits(filled: ls.Ledger) -> None:
    query = filled.query(TYPE, columns=["id", "amount", "date", "_index", "_position"], limit=2)
    first, second = query.to_dicts()
    assert first == {"id": "t000", "amount": 1, "date": dt.date(2026, 3, 1), "_index": 3, "_position": 0}
    assert (type(first["amount"]), second["_position"]) == (Decimal, 1)
    assert list(query) == [first, second]
    assert filled.query(TYPE, limit=0).to_dicts() == []
    assert len(filled.query(TYPE).to_dicts()) == 201


def test_a_query_is_read_anew_each_time(filled: ls.Ledger) -> None:
    query = filled.query(TYPE)
    reader = pa.RecordBatchReader.from_stream(query)
    rows = iter(query)
    next(rows)
    filled.append(TYPE, transfer("later"))
    assert reader.read_all().num_rows == 201
    assert sum(1 for _ in rows) == 200
    assert pa.table(query).num_rows == 202


def test_queries_show_themselves(filled: ls.Ledger) -> None:
    query = filled.query(TYPE, where={"debit": "cash"}, columns=["id"])
    assert repr(query) == 'Query("finance.transfer", 1 conditions, columns=[id])'
    html = query._repr_html_()
    assert html.count("<tr>") == 21
    assert "t019" in html
    escaped = filled.append("finance.transfer", transfer("<script>"))
    record = filled.get("finance.transfer", "<script>")
    assert record is not None
    assert record.row == escaped.row()
    assert "<script>" not in record._repr_html_()


def test_one_record(filled: ls.Ledger) -> None:
    record = filled.get(TYPE, "t004")
    assert record is not None
    assert (record["amount"], record["reference"], record.type, record.version) == (5, None, TYPE, 1)
    assert (record.index, record.position, record.row) == (3, 4, (3, 4))
    assert dict(record) == record.data
    assert "amount" in record
    assert "t004" in repr(record)
    with pytest.raises(KeyError):
        record["nothing"]
    assert filled.get(TYPE, "nothing") is None
    with pytest.raises(TypeError, match="the key is missing"):
        filled.get(TYPE)


def test_balances(filled: ls.Ledger) -> None:
    cash = filled.balance("finance.account", "cash")
    assert cash is not None
    assert list(cash) == ["EUR"]
    assert cash["EUR"]["posted"] == Decimal(20_107)
    assert filled.balance("finance.account", "cash", by="EUR") == cash["EUR"]
    assert filled.balance("finance.account", "cash", by="USD") is None


def test_nested_records_come_back_as_they_went_in(ledger: ls.Ledger) -> None:
    legs = [
        {"account": "cash", "currency": "EUR", "amount": Decimal("80.00")},
        {"account": "sales", "currency": "EUR", "amount": Decimal("-80.00")},
    ]
    entry = {"id": "e1", "book": "main", "period": "2026-03", "date": dt.date(2026, 3, 14), "legs": legs}
    ledger.append("finance.journal_entry", entry)
    stored = ledger.get("finance.journal_entry", "e1")
    assert stored is not None
    assert stored["legs"] == legs
    assert pl.DataFrame(ledger.query("finance.journal_entry"))["legs"].to_list() == [legs]


KINDS = """
[module]
name = "kinds"
version = 1
title = "Every kind of field"
[roles.writer]
doc = "Writes"
[types.all]
doc = "Every kind"
authorise = ["writer"]
[types.all.fields]
text = { type = "text" }
flag = { type = "bool" }
int = { type = "int" }
decimal = { type = "decimal", precision = 28, scale = 6 }
date = { type = "date" }
time = { type = "timestamp" }
bytes = { type = "bytes" }
uuid = { type = "uuid" }
"""


@pytest.fixture
def kinds(path: Path, me: ls.Key, tmp_path: Path) -> ls.Ledger:
    schema = tmp_path / "kinds.toml"
    schema.write_text(KINDS)
    return ls.create(path, origin="acme.example/kinds", key=me, modules=[schema])


decimals = st.decimals(-(10**21), 10**21, places=6)
records = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
        "flag": st.booleans(),
        "int": st.integers(-(2**53) + 1, 2**53 - 1),
        "decimal": decimals,
        "date": st.dates(),
        "time": st.datetimes(timezones=st.just(dt.UTC)),
        "bytes": st.binary(max_size=20),
        "uuid": st.uuids(),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=40))
def test_values_come_back_as_they_went_in(kinds: ls.Ledger, rows: list[dict[str, Any]]) -> None:
    result = kinds.append_many("kinds.all", rows)
    assert list(result.rejections) == []
    assert result.first is not None
    stored = [
        row for row in kinds.query("kinds.all", columns=[*COLUMNS, "_index"]) if row["_index"] == result.first.index
    ]
    expected = [{name: row.get(name) for name in COLUMNS} for row in rows]
    for row in expected:
        row["uuid"] = str(row["uuid"]) if row["uuid"] is not None else None
    assert [{name: row[name] for name in COLUMNS} for row in stored] == expected


COLUMNS = ["text", "flag", "int", "decimal", "date", "time", "bytes", "uuid"]


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        ("decimal", 7, Decimal(7)),
        ("decimal", "7.50", Decimal("7.5")),
        ("decimal", Decimal("1E+3"), Decimal(1000)),
        ("decimal", Decimal("1.5E-5"), Decimal("0.000015")),
        ("decimal", Decimal("-0.000"), Decimal(0)),
        ("date", "2026-03-14", dt.date(2026, 3, 14)),
        ("time", "2026-03-14T12:00:00+01:00", dt.datetime(2026, 3, 14, 11, tzinfo=dt.UTC)),
        (
            "time",
            dt.datetime(2026, 3, 14, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
            dt.datetime(2026, 3, 14, 5, tzinfo=dt.UTC),
        ),
        ("uuid", uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        ("text", None, None),
    ],
)
def test_values_are_taken_in_other_forms(kinds: ls.Ledger, field: str, given: Any, stored: Any) -> None:
    kinds.append("kinds.all", {field: given})
    assert kinds.query("kinds.all").to_dicts()[-1][field] == stored


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("time", dt.datetime(2026, 3, 14), "without a time zone"),
        ("decimal", Decimal("NaN"), "no number"),
        ("decimal", Decimal("-Infinity"), "no number"),
        ("decimal", 1.5, "never a float"),
        ("decimal", Decimal("1E+1000000000"), "decimal"),
        ("decimal", Decimal("0.0000001"), "ledger.too_many_digits"),
        ("int", 2**53, "ledger.out_of_range"),
        ("int", 10**30, "ledger.out_of_range"),
        ("text", 5, "takes text"),
        ("text", {1, 2}, "type set"),
        ("txet", "x", 'did you mean "text"'),
    ],
)
def test_values_that_no_field_takes(kinds: ls.Ledger, field: str, value: Any, words: str) -> None:
    with pytest.raises(ls.RejectedError, match=words) as caught:
        kinds.append("kinds.all", {field: value})
    assert caught.value.field == field


def test_a_list_that_holds_itself_is_refused(kinds: ls.Ledger) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ls.RejectedError, match="this is a list"):
        kinds.append("kinds.all", {"text": endless})


def test_numpy_values_of_a_frame(ledger: ls.Ledger) -> None:
    frame = pd.DataFrame(transfers(3)).assign(amount=[1, 2, 3])
    rows = ({name: row[name] for name in frame.columns} for _, row in frame.iterrows())
    assert ledger.append_many(TYPE, rows).accepted == 3
