"""Bad input from Python: a clear error, nothing lost, and memory that stays bounded."""

import mmap
import resource
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pandas as pd
import pyarrow as pa
import pytest
from books import transfer, transfers

KINDS = """
[module]
name = "kinds"
version = 1
title = "Fields of many types"
[roles.clerk]
doc = "Appends"
[types.thing]
doc = "A thing"
authorise = ["clerk"]
[types.thing.fields]
id = { type = "text", required = true }
number = { type = "int" }
amount = { type = "decimal", precision = 10, scale = 2 }
at = { type = "timestamp" }
share = { type = "fraction" }
manual = { type = "document" }
notes = { type = "list", item = { type = "text", required = true } }
"""


@pytest.fixture
def kinds(ledger: ls.Ledger, tmp_path: Path) -> ls.Ledger:
    schema = tmp_path / "kinds.toml"
    schema.write_text(KINDS)
    ledger.load_module(schema)
    return ledger


def nested(depth: int) -> Any:
    return "x" if depth == 0 else [nested(depth - 1)]


# A field, a value that Python has and no field takes, the place that is named, the code and a word of the message.
UNFIT: list[tuple[str, Any, str, str, str]] = [
    ("id", "a\ud800", "id", "ledger.bad_text", r'"a\\ud800" holds a lone surrogate'),
    ("notes", ["a", "\udfff"], "notes[1]", "ledger.bad_text", "lone surrogate"),
    ("b\ud800", 1, r"b\ud800", "ledger.unknown_field", "no field"),
    ("amount", Decimal("NaN"), "amount", "ledger.bad_value", "NaN is no number"),
    ("amount", Decimal("-Infinity"), "amount", "ledger.bad_value", "-Infinity is no number"),
    ("amount", 10**5000, "amount", "ledger.out_of_range", "an integer of 16610 bits"),
    ("number", {1}, "number", "ledger.bad_value", "no field takes a value of the type set"),
    ("number", 1j, "number", "ledger.bad_value", "type complex; an absent value is None"),
    ("number", pd.NA, "number", "ledger.bad_value", "NAType; an absent value is None"),
    ("number", 1.0, "number", "ledger.wrong_type", "a float"),
    ("at", pd.NaT, "at", "ledger.bad_value", "NaT is no time; an absent value is None"),
    ("at", datetime(2020, 1, 1), "at", "ledger.bad_value", "without a time zone"),
    ("at", pd.Timestamp("2020-01-01"), "at", "ledger.bad_value", "without a time zone"),
    ("at", pd.Timestamp("2020-01-01T00:00:00.000000001Z"), "at", "ledger.not_exact", "finer than a microsecond"),
    ("manual", {"digest": Decimal("sNaN"), "size": 1}, "manual.digest", "ledger.bad_value", "no number"),
    ("manual", {"digest": b"", "size": 1}, "manual.digest", "ledger.out_of_range", "0 bytes, at least 32"),
    ("manual", {"digest": b"1", "size": 1}, "manual.digest", "ledger.out_of_range", "1 bytes, at least 32"),
    ("manual", {"digest": bytes(31), "size": 1}, "manual.digest", "ledger.out_of_range", "31 bytes, at least 32"),
    ("manual", {"digest": bytes(33), "size": 1}, "manual.digest", "ledger.too_long", "33 bytes, at most 32"),
    ("share", Fraction(1, 2**60), "share", "ledger.bad_format", "no fraction"),
]


@pytest.mark.parametrize(
    ("name", "value", "field", "code", "words"), UNFIT, ids=[f"{number} {one[3]}" for number, one in enumerate(UNFIT)]
)
def test_a_value_that_no_field_takes_is_refused_at_its_place(
    kinds: ls.Ledger, name: str, value: Any, field: str, code: str, words: str
) -> None:
    size = kinds.size
    bad = {"id": "bad", name: value}
    with pytest.raises(ls.RejectedError, match=words) as caught:
        kinds.append("kinds.thing", bad)
    assert (caught.value.code, caught.value.field, caught.value.row) == (code, field, 0)
    tx = kinds.transaction().__enter__()
    tx.append("kinds.thing", {"id": "good"})
    tx.append("kinds.thing", bad)
    with pytest.raises(ls.RejectedError) as caught:
        tx.__exit__(None, None, None)
    assert (caught.value.code, caught.value.field, caught.value.row) == (code, field, 1)
    with pytest.raises(ls.RejectedError) as caught:
        kinds.append_many("kinds.thing", [{"id": "good"}, bad], mode="atomic")
    assert (caught.value.code, caught.value.field, caught.value.row) == (code, field, 1)
    assert kinds.size == size
    for rows in (
        [{"id": "one"}, bad, {"id": "two"}],
        [OrderedDict(row) for row in ({"id": "one"}, bad, {"id": "two"})],
    ):
        result = kinds.append_many("kinds.thing", rows)
        refused = [(one["row"], one["field"], one["code"]) for one in result.rejections]
        assert (result.accepted, refused) == (2, [(1, field, code)])


def test_what_is_exact_is_taken(kinds: ls.Ledger) -> None:
    at = pd.Timestamp("2020-01-01T00:00:00.000001Z")
    manual = {"digest": bytes(32), "size": 1, "media_type": None, "name": None}
    kinds.append("kinds.thing", {"id": "a", "at": at, "share": Fraction(2, 6), "manual": manual})
    [row] = kinds.query("kinds.thing").to_dicts()
    assert (row["at"], row["share"], row["manual"]) == (at.to_pydatetime(), "1/3", manual)
    assert Fraction(row["share"]) == Fraction(1, 3)
    assert len(kinds.query("kinds.thing", where={"share": Fraction(1, 3)}).to_dicts()) == 1
    # The audit reads the digest back as the type says.
    assert kinds.audit().ok


def test_what_no_field_takes_is_no_condition_key_or_moment_either(kinds: ls.Ledger) -> None:
    for ask in (
        lambda: kinds.query("kinds.thing", where={"at": pd.NaT}),
        lambda: kinds.query("kinds.thing", where={"id": "\ud800"}),
        lambda: kinds.get("finance.account", "\ud800"),
        lambda: kinds.query("kinds.thing", as_of=pd.NaT),
        lambda: kinds.balance("finance.account", "cash", on=pd.NaT),
        lambda: kinds.grant(kinds.members()[0].id, "finance.bookkeeper", until=datetime(2030, 1, 1)),
    ):
        with pytest.raises(ls.SchemaError, match=r"no time|lone surrogate|without a time zone"):
            ask()


def test_a_value_of_two_gigabytes_is_refused_without_being_read(ledger: ls.Ledger, tmp_path: Path) -> None:
    size = (2 << 30) + 1
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(size)
    with sparse.open("rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as mapped:
        offsets = pa.array([0, size], pa.int64())
        long = pa.Array.from_buffers(pa.large_string(), 1, [None, offsets.buffers()[1], pa.py_buffer(mapped)])
        table = pa.table(pa.Table.from_pylist([transfer("t1")]).to_pydict() | {"id": long})
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = ledger.append_many("finance.transfer", table)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        refusal = result.rejections[0]
        del table, long
    assert (refusal["code"], refusal["field"], refusal["row"]) == ("ledger.too_long", "id", 0)
    assert grown < 256 << 10, f"{grown} KiB more"
    assert ledger.size == 3


def test_a_reader_that_raises_midway_keeps_nothing_of_its_cut(ledger: ls.Ledger) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield from transfers(1_000)
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        ledger.append_many("finance.transfer", rows())
    assert ledger.size == 3


def test_an_empty_table_is_no_rows(ledger: ls.Ledger) -> None:
    table = pa.Table.from_pylist([transfer("t1")])
    result = ledger.append_many("finance.transfer", table.slice(0, 0))
    assert (result.rows, result.accepted, result.rejected, result.transactions) == (0, 0, 0, [])
    with pytest.raises(ls.SchemaError) as caught:
        ledger.append_many("finance.transfer", table.append_column("colour", pa.array(["red"])).slice(0, 0))
    assert caught.value.code == "ledger.unknown_column"
    assert ledger.append_many("finance.transfer", []).rows == 0


def test_the_number_of_refusals_is_told_apart_from_those_kept(ledger: ls.Ledger) -> None:
    result = ledger.append_many("finance.transfer", [{"id": "x"}] * 10)
    assert (result.rejected, len(result.rejections), result.accepted) == (10, 10, 0)
    assert repr(result) == "LoadResult(rows=10, accepted=0, rejections=10, transactions=0)"
