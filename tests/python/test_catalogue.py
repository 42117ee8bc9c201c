"""The codes that only the Python face raises, each provoked once; and the catalogue as Python shows it."""

import multiprocessing
import pickle
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pyarrow as pa
import pytest
from books import transfer


def damage(path: Path, sql: str) -> ls.AuditReport:
    """The audit of a closed ledger after somebody has changed its file."""
    with sqlite3.connect(path) as file:
        file.execute(sql)
    file.close()
    with ls.open(path, readonly=True) as ledger:
        return ledger.audit()


def storage_corrupt(ledger: ls.Ledger, path: Path) -> None:
    ledger.append_many("finance.transfer", [transfer(f"t{number}") for number in range(500)])
    ledger.close()
    with sqlite3.connect(path) as file:
        (page,) = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'cells'").fetchone()
    file.close()
    content = bytearray(path.read_bytes())
    start = (page - 1) * 4096
    content[start : start + 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    with ls.open(path, readonly=True) as damaged:
        damaged.audit().check()


def truncated(ledger: ls.Ledger, path: Path) -> None:
    ledger.close()
    copy = path.with_name("copy.ledger")
    shutil.copy(path, copy)
    with ls.open(path, key=ls.Key.load(path.with_name("me.pem"))) as ledger:
        ledger.append("finance.transfer", transfer("t1"))
        note = ledger.checkpoint().note
    with ls.open(copy, readonly=True) as older:
        older.audit(against=note).check()


def state_differs(ledger: ls.Ledger, path: Path) -> None:
    ledger.append("finance.transfer", transfer("t1"))
    ledger.close()
    damage(path, "DELETE FROM unique_keys WHERE key = (SELECT max(key) FROM unique_keys)").check()


def append_to_closed(ledger: ls.Ledger, path: Path) -> None:
    ledger.close()
    ledger.append("finance.transfer", transfer("t1"))


def append_within_load(ledger: ls.Ledger, path: Path) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        ledger.append("finance.transfer", transfer("within"))
        yield transfer("t1")

    ledger.append_many("finance.transfer", rows())


def failing_reader(ledger: ls.Ledger, path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([transfer("t1")])
        raise OSError("the network is gone")

    schema = pa.RecordBatch.from_pylist([transfer("t1")]).schema
    stream = pa.RecordBatchReader.from_batches(schema, batches())

    class Stream:
        """Only the capsule protocol: an error arrives as a C message."""

        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            return stream.__arrow_c_stream__(requested_schema)

    ledger.append_many("finance.transfer", Stream())


def fork(ledger: ls.Ledger, path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("there is no fork")
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        try:
            _ = ledger.size
        except ls.LedgerError as error:
            theirs.send_bytes(pickle.dumps(error))

    process = context.Process(target=child)
    process.start()
    process.join(20)
    raise pickle.loads(ours.recv_bytes())


PROVOCATIONS: dict[str, Callable[[ls.Ledger, Path], object]] = {
    "storage_corrupt": storage_corrupt,
    "truncated_or_rolled_back": truncated,
    "state_differs_from_replay": state_differs,
    "ledger.bad_value": lambda ledger, path: ledger.append("finance.transfer", transfer("t1", Decimal("NaN"))),
    "ledger.not_a_table": lambda ledger, path: ledger.append_many("finance.transfer", pa.array([1, 2])),
    "ledger.input_failed": failing_reader,
    "ledger.unknown_module": lambda ledger, path: ledger.load_module("finanse"),
    "ledger.closed": append_to_closed,
    "ledger.busy": append_within_load,
    "ledger.forked": fork,
}


@pytest.mark.parametrize("code", PROVOCATIONS)
def test_a_code_is_provoked(code: str, ledger: ls.Ledger, path: Path, me: ls.Key) -> None:
    me.save(path.with_name("me.pem"))
    with pytest.raises(ls.LedgerError) as caught:
        PROVOCATIONS[code](ledger, path)
    assert caught.value.code == code, str(caught.value)
    (entry,) = [entry for entry in ls.errors() if entry.code == code]
    assert type(caught.value).__name__ == entry.error
    assert caught.value.remedy == entry.remedy
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.code, str(again)) == (code, str(caught.value))


def test_the_catalogue_names_exceptions_that_exist() -> None:
    entries = ls.errors()
    assert len({entry.code for entry in entries}) == len(entries) > 80
    for entry in entries:
        assert issubclass(getattr(ls, entry.error), ls.LedgerError)
        assert entry.summary
        assert entry.remedy


def test_an_error_has_the_fields_that_there_are(ledger: ls.Ledger, tmp_path: Path) -> None:
    table = pa.Table.from_pylist([transfer("t1", 12.5)])
    with pytest.raises(ls.SchemaError) as column:
        ledger.append_many("finance.transfer", table)
    assert (column.value.code, column.value.field) == ("ledger.wrong_column_type", "amount")
    schema = tmp_path / "bad.toml"
    schema.write_text('[module]\nname = "bad"\nversion = \n')
    with pytest.raises(ls.SchemaError) as file:
        ledger.load_module(schema)
    assert (file.value.code, file.value.file, file.value.line) == ("ledger.schema_file", str(schema), 3)
    with pytest.raises(ls.LimitError) as limit:
        ledger.append("finance.transfer", transfer("t1"), id="i" * 65)
    assert (limit.value.code, limit.value.limit, limit.value.value) == ("ledger.id_bytes", "ID_BYTES", 65)
    junk = tmp_path / "junk"
    junk.write_text("junk")
    for read in [ls.Receipt.load, ls.Proposal.load, lambda path: ls.verify(path, trust=ledger.verifier_keys)]:
        with pytest.raises(ls.VerificationError, match=f"{junk}: malformed") as evidence:
            read(junk)
        assert (evidence.value.code, evidence.value.file) == ("malformed", str(junk))
    receipt = ledger.receipt((3, 0) if ledger.size > 3 else (2, 0))
    junk.write_text(receipt.to_json().replace("asset", "equity", 1))
    with pytest.raises(ls.VerificationError, match=f"{junk}: content changed") as evidence:
        ls.verify(junk, trust=ledger.verifier_keys)
    assert evidence.value.file == str(junk)
    with pytest.raises(ls.StoreError) as store:
        ls.open(tmp_path / "none.ledger")
    assert (store.value.code, store.value.path) == ("ledger.no_ledger", str(tmp_path / "none.ledger"))
