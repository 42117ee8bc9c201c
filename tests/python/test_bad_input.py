"""Bad input from Python: a clear error, nothing lost, and memory that stays bounded."""

import mmap
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pyarrow as pa
import pytest
from books import transfer, transfers


def test_a_text_with_a_lone_surrogate(ledger: ls.Ledger) -> None:
    with pytest.raises((ls.LedgerError, UnicodeEncodeError)):
        ledger.append("finance.transfer", transfer("\ud800"))
    assert ledger.size == 3


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
