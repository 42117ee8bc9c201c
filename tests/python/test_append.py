"""Making, opening, appending: one record, atomically, in bulk from whatever holds a table."""

import itertools
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ledgerstone as ls
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from books import posted, transfer, transfers


def test_a_ledger_is_made_closed_and_opened_again(path: Path, me: ls.Key, ledger: ls.Ledger) -> None:
    assert (ledger.origin, ledger.path, ledger.readonly, ledger.size) == ("acme.example/books", path, False, 3)
    ledger.close()
    ledger.close()
    with ls.open(path, key=me) as again:
        again.append("finance.transfer", transfer("t1"))
        assert again.size == 4
    assert path.with_name("books.ledger.logkey.pem").stat().st_mode & 0o777 == 0o600


def test_a_log_key_takes_a_passphrase(path: Path, me: ls.Key) -> None:
    file = Path(f"{path}.logkey.pem")
    ls.create(path, origin="acme.example/books", key=me, log_passphrase="correct horse").close()
    with pytest.raises(
        ls.LedgerError, match=r"logkey\.pem is protected by a passphrase: give log_passphrase="
    ) as needed:
        ls.open(path, key=me)
    with pytest.raises(ls.LedgerError, match=r"logkey\.pem: the passphrase is wrong") as wrong:
        ls.open(path, key=me, log_passphrase="battery staple")
    assert [error.value.code for error in (needed, wrong)] == ["ledger.needs_passphrase", "ledger.wrong_passphrase"]
    with ls.open(path, key=me, log_passphrase="correct horse") as ledger:
        ledger.rotate_log_key()
        # Its passphrase changes while the ledger is open: the rotated key is not written under the old one.
        ls.Key.change_passphrase(file, old="correct horse", new="other words")
        kept = file.read_bytes()
        with pytest.raises(ls.StoreError, match=r"logkey\.pem: the passphrase is wrong"):
            ledger.rotate_log_key()
        assert file.read_bytes() == kept
    with pytest.raises(ls.StoreError, match="give old=, or --passphrase-file to the command"):
        ls.Key.change_passphrase(file, new="no words")
    with ls.open(path, key=me, log_passphrase="other words") as ledger:
        assert ledger.size == 2
    with ls.open(path, readonly=True) as ledger:
        assert ledger.size == 2


def test_the_log_key_can_stand_elsewhere(path: Path, me: ls.Key, tmp_path: Path) -> None:
    log_key = tmp_path / "keys.pem"
    ls.create(path, origin="acme.example/books", key=me, log_key=log_key).close()
    with ls.open(path, key=me) as ledger:
        assert ledger.readonly
    with ls.open(path, key=me, log_key=log_key) as ledger:
        assert not ledger.readonly


def test_a_module_is_named_by_its_path(path: Path, me: ls.Key, tmp_path: Path) -> None:
    schema = tmp_path / "notes.toml"
    schema.write_text(
        '[module]\nname = "notes"\nversion = 1\ntitle = "Notes"\n[roles.writer]\ndoc = "Writes"\n'
        '[types.note]\ndoc = "A note"\nauthorise = ["writer"]\n'
        '[types.note.fields]\ntext = { type = "text", required = true }\nat = { type = "timestamp" }\n'
    )
    with ls.create(path, origin="acme.example/notes", key=me, modules=[schema]) as ledger:
        assert ledger.append("notes.note", {"text": "hello"}).count == 1
        ledger.load_module("finance")
        assert [module.name for module in ledger.modules()] == ["finance", "ledger", "notes"]


def test_append_gives_the_place(ledger: ls.Ledger) -> None:
    appended = ledger.append("finance.transfer", transfer("t1"))
    assert appended == ls.Appended(index=3, count=1, is_new=True)
    assert appended.row() == (3, 0)
    with pytest.raises(IndexError):
        appended.row(1)
    assert posted(ledger) == Decimal("12.50")


def test_an_id_makes_append_repeatable(ledger: ls.Ledger) -> None:
    first = ledger.append("finance.transfer", transfer("t1"), id="one")
    again = ledger.append("finance.transfer", transfer("t1"), id="one")
    assert (again.index, again.is_new) == (first.index, False)
    with pytest.raises(ls.RejectedError) as caught:
        ledger.append("finance.transfer", transfer("t2"), id="one")
    assert caught.value.code == "ledger.id_reused"


def test_a_transaction_is_all_or_nothing(ledger: ls.Ledger) -> None:
    with ledger.transaction(id="both") as tx:
        tx.append("finance.transfer", transfer("t1"))
        tx.append("finance.transfer", transfer("t2"))
        assert tx.result is None
    assert tx.result == ls.Appended(index=3, count=2, is_new=True)
    tx = ledger.transaction().__enter__()
    tx.append("finance.transfer", transfer("t3"))
    tx.append("finance.transfer", transfer("t1"))
    with pytest.raises(ls.RejectedError) as caught:
        tx.__exit__(None, None, None)
    assert (caught.value.code, caught.value.row) == ("finance.duplicate", 1)
    assert tx.result is None
    assert ledger.get("finance.transfer", "t3") is None


def test_a_transaction_takes_records_within_its_block_alone(ledger: ls.Ledger) -> None:
    tx = ledger.transaction()
    with pytest.raises(RuntimeError, match="has not begun"):
        tx.append("finance.transfer", transfer("t1"))
    with pytest.raises(RuntimeError, match="has not begun"):
        tx.__exit__(None, None, None)
    tx = ledger.transaction()
    assert repr(tx) == "Transaction(not begun)"
    with tx:
        tx.append("finance.transfer", transfer("t1"))
        with pytest.raises(RuntimeError, match="begun already"):
            tx.__enter__()
    with pytest.raises(RuntimeError, match="has ended"):
        tx.append("finance.transfer", transfer("t2"))
    with pytest.raises(RuntimeError, match="has ended"), tx:
        pass
    assert [row["id"] for row in ledger.query("finance.transfer")] == ["t1"]


def test_an_exception_ends_a_transaction_without_a_trace(ledger: ls.Ledger) -> None:
    def fail() -> None:
        with tx:
            tx.append("finance.transfer", transfer("t1"))
            raise ZeroDivisionError

    tx = ledger.transaction()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tx.result, ledger.size) == (None, 3)
    with pytest.raises(RuntimeError, match="has ended"):
        tx.append("finance.transfer", transfer("t1"))


def test_an_empty_transaction_appends_nothing(ledger: ls.Ledger) -> None:
    with ledger.transaction() as tx:
        pass
    assert (tx.result, ledger.size) == (None, 3)


TABLE = pa.Table.from_pylist(transfers(1_000))
SOURCES: dict[str, Callable[[], Any]] = {
    "pyarrow table": lambda: TABLE,
    "pyarrow batch": lambda: TABLE.to_batches()[0],
    "pyarrow reader": lambda: pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(max_chunksize=100)),
    "pyarrow struct array": lambda: TABLE.to_struct_array().combine_chunks(),
    "polars": lambda: pl.DataFrame(transfers(1_000)),
    "pandas": lambda: pd.DataFrame(transfers(1_000)),
    "duckdb": lambda: duckdb.from_arrow(TABLE),
    "list of dicts": lambda: transfers(1_000),
    "generator": lambda: (one for one in transfers(1_000)),
    "dictionary encoded": lambda: TABLE.set_column(1, "debit", TABLE["debit"].dictionary_encode()),
}


@pytest.mark.parametrize("source", SOURCES)
def test_append_many_takes_any_table(ledger: ls.Ledger, source: str) -> None:
    result = ledger.append_many("finance.transfer", SOURCES[source]())
    assert (result.rows, result.accepted, len(result.rejections)) == (1_000, 1_000, 0)
    assert (result.transactions, result.first, result.row(999)) == ([3], (3, 0), (3, 999))
    assert posted(ledger) == Decimal(1_250)


def test_every_row_has_its_verdict(ledger: ls.Ledger) -> None:
    rows = [transfer("t1"), transfer("t2", 1.5), transfer("t1"), transfer("t3", "-1"), transfer("t4")]
    result = ledger.append_many("finance.transfer", rows)
    assert (result.rows, result.accepted) == (5, 2)
    verdicts = [(one["row"], one["code"], one["field"]) for one in result.rejections]
    assert verdicts == [
        (1, "ledger.wrong_type", "amount"),
        (2, "finance.duplicate", "id"),
        (3, "finance.amount_not_positive", "amount"),
    ]
    assert [result.row(row) for row in range(6)] == [(3, 0), None, (3, 1), None, (3, 2), None]
    assert result.rejections[-1] == result.rejections[2] == list(result.rejections)[2]
    with pytest.raises(IndexError):
        result.rejections[3]
    for table in (pa.table(result.rejections), pl.DataFrame(result.rejections)):
        assert table["code"].to_pylist() if isinstance(table, pa.Table) else table["code"].to_list()
    assert "finance.duplicate" in result._repr_html_()
    assert "rejections=3" in repr(result)


def test_atomic_mode_is_all_or_nothing(ledger: ls.Ledger) -> None:
    with pytest.raises(ls.RejectedError) as caught:
        ledger.append_many("finance.transfer", [transfer("t1"), transfer("t1")], mode="atomic")
    assert (caught.value.code, caught.value.row, ledger.size) == ("finance.duplicate", 1, 3)
    assert ledger.append_many("finance.transfer", transfers(2), mode="atomic").accepted == 2


def test_a_load_is_repeatable(ledger: ls.Ledger) -> None:
    first = ledger.append_many("finance.transfer", transfers(10), id="sales")
    again = ledger.append_many("finance.transfer", pl.DataFrame(transfers(10)), id="sales")
    assert (first.transactions, first.accepted) == (again.transactions, again.accepted)
    assert ledger.size == 4


def test_nothing_is_a_load_too(ledger: ls.Ledger) -> None:
    result = ledger.append_many("finance.transfer", [])
    assert (result.rows, result.first, result.transactions) == (0, None, [])
    assert ledger.append_many("finance.transfer", TABLE.slice(0, 0)).rows == 0


def test_what_an_iterable_raises_comes_out_with_a_note(ledger: ls.Ledger) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for number in itertools.count():
            if number == 300_000:
                raise ZeroDivisionError("in the data")
            yield transfer(f"t{number}", "1")

    with pytest.raises(ZeroDivisionError, match="in the data") as caught:
        ledger.append_many("finance.transfer", rows(), id="load")
    assert any("262144 rows before that are done" in note for note in caught.value.__notes__)
    assert ledger.size == 4
    assert posted(ledger) == 262_144


def test_a_stream_that_fails_says_so(ledger: ls.Ledger) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from TABLE.to_batches()
        raise ZeroDivisionError("in the stream")

    reader = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(ZeroDivisionError, match="in the stream"):
        ledger.append_many("finance.transfer", reader)

    class Opaque:
        """Offers the stream and nothing else: of an exception only its words cross the C interface."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return pa.RecordBatchReader.from_batches(TABLE.schema, batches()).__arrow_c_stream__()

    with pytest.raises(ls.LedgerError, match="in the stream"):
        ledger.append_many("finance.transfer", Opaque())
    assert ledger.size == 3


def test_a_row_that_is_null_is_refused(ledger: ls.Ledger) -> None:
    array = pa.array([transfer("t1"), None])
    with pytest.raises(ls.SchemaError, match="null as a whole"):
        ledger.append_many("finance.transfer", array)


def test_a_load_cannot_append_to_its_own_ledger(ledger: ls.Ledger) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        ledger.append("finance.transfer", transfer("inner"))
        yield transfer("outer")

    with pytest.raises(ls.StoreError, match="being loaded by this very call"):
        ledger.append_many("finance.transfer", rows())
    # But what it reads may come from there.
    ledger.append("finance.transfer", transfer("t1"))
    copies = ({**row, "id": f"copy of {row['id']}"} for row in ledger.query("finance.transfer"))
    assert ledger.append_many("finance.transfer", copies).accepted == 1


def test_progress_is_told(ledger: ls.Ledger) -> None:
    told: list[dict[str, int]] = []
    ledger.append_many("finance.transfer", transfers(10), progress=told.append)
    assert told == [{"rows": 10, "accepted": 10, "flagged": 0, "held": 0, "rejected": 0}]
    ledger.append_many("finance.transfer", transfers(10, "u"), progress=False)
    with pytest.raises(TypeError, match="progress is a callable"):
        ledger.append_many("finance.transfer", [], progress=3)  # type: ignore[arg-type]

    def stop(progress: dict[str, int]) -> None:
        raise StopAsyncIteration

    with pytest.raises(StopAsyncIteration) as caught:
        ledger.append_many("finance.transfer", transfers(10, "v"), progress=stop)
    assert "10 rows before that are done" in caught.value.__notes__[0]


def test_a_reader_larger_than_what_is_held_streams(ledger: ls.Ledger) -> None:
    most = 0

    def made(piece: int) -> pa.RecordBatch:
        ids = [f"t{piece}-{number}" for number in range(50_000)]
        same = {"debit": "cash", "credit": "sales", "currency": "EUR", "amount": "1"}
        return pa.record_batch({"id": ids} | {name: [value] * len(ids) for name, value in same.items()})

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal most
        for piece in range(22):
            batch = made(piece)
            most = max(most, pa.total_allocated_bytes())
            yield batch

    before = pa.total_allocated_bytes()
    size, schema = made(0).nbytes, made(0).schema
    result = ledger.append_many("finance.transfer", pa.RecordBatchReader.from_batches(schema, batches()))
    assert (result.accepted, result.transactions) == (1_100_000, [3, 4, 5, 6, 7])
    # What two transactions take (262,144 rows, in six batches) is held, one decided, one read; the rest is not.
    assert most - before < 15 * size


@pytest.mark.parametrize(
    ("data", "instead"),
    [
        (transfer("t1"), "append takes it"),
        ("sales.csv", "not the name of a file"),
        (Path("sales.csv"), "not the name of a file"),
        (pl.DataFrame({"id": ["t1"]}).lazy(), r"collect\(\) it first"),
    ],
)
def test_what_is_no_table_says_what_is(ledger: ls.Ledger, data: Any, instead: str) -> None:
    with pytest.raises(TypeError, match=instead):
        ledger.append_many("finance.transfer", data)
    assert ledger.size == 3
