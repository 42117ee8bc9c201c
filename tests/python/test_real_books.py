"""Real books, end to end: every entry balanced, every balance to the cent, proved, audited and exported."""

from __future__ import annotations

import csv
import os
from decimal import Decimal
from pathlib import Path

import journal
import ledgerstone as ls
import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LEDGERSTONE_DATA", ROOT / "../shared/data")) / "finance"
if not DATA.is_dir():
    if os.environ.get("CI"):
        raise RuntimeError(f"{DATA}: the real books are required in CI; set LEDGERSTONE_DATA")
    pytest.skip(f"no real books at {DATA}; set LEDGERSTONE_DATA", allow_module_level=True)

BOOKS = [
    ("hackclub_2015_2016.ledger", "hackclub_2015_2016.ledger", 678),
    ("ledger/demo.ledger", "demo.ledger", 13),
    ("ledger/transfer.dat", "transfer.dat", 55),
]


def expected(name: str) -> dict[str, Decimal]:
    """Balances by an independent program (hledger), account by account."""
    with (DATA / "expected" / f"{name}.hledger-1.25.bal.csv").open() as file:
        rows = list(csv.reader(file))[1:]
    return {
        account: Decimal(text.replace("$", "").removesuffix(" bytes")) for account, text in rows if account != "total"
    }


@pytest.mark.parametrize(("file", "name", "entries"), BOOKS)
def test_the_books_balance_to_the_cent(tmp_path: Path, file: str, name: str, entries: int) -> None:
    path = tmp_path / "books.ledger"
    with ls.create(path, origin="test.example/books", key=ls.Key.generate("test"), modules=["finance"]) as ledger:
        assert journal.load(DATA / file, ledger, "main") == entries
        found = journal.balances(ledger)
        assert {account: amount for (account, _), amount in found.items() if amount} == expected(name)
        report = ledger.audit()
        assert report.ok, report
        assert report.records >= entries

        exported = tmp_path / "trail.parquet"
        ledger.export(exported, type="finance.journal_entry")
        legs = pl.read_parquet(exported).explode("legs").unnest("legs")
        sums = legs.group_by("account").agg(pl.col("amount").sum()).filter(pl.col("amount") != 0)
        assert {account: Decimal(amount) for account, amount in sums.iter_rows()} == expected(name)

        for entry in ledger.query("finance.journal_entry", columns=["id"]).to_dicts()[:: max(1, entries // 20)]:
            record = ledger.get("finance.journal_entry", entry["id"])
            receipt = tmp_path / "entry.receipt"
            ledger.receipt(record).save(receipt)
            assert ls.verify(receipt, trust=ledger.verifier_keys).outcome == "accepted"


@pytest.mark.parametrize("file", ["ledger/sample.dat", "ledger/drewr3.dat"])
def test_books_that_do_not_balance_are_refused_with_the_reason(tmp_path: Path, file: str) -> None:
    path = tmp_path / "books.ledger"
    with ls.create(path, origin="test.example/books", key=ls.Key.generate("test"), modules=["finance"]) as ledger:
        size = ledger.size
        with pytest.raises(journal.JournalError, match=r"virtual postings, which do not balance"):
            journal.load(DATA / file, ledger, "main")
        assert ledger.size == size


def test_an_entry_that_does_not_balance_is_refused_by_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "books.ledger"
    with ls.create(path, origin="test.example/books", key=ls.Key.generate("test"), modules=["finance"]) as ledger:
        ledger.append("finance.account", {"id": "a", "kind": "asset", "currency": "USD"})
        ledger.append("finance.account", {"id": "b", "kind": "income", "currency": "USD"})
        entry = {
            "id": "1",
            "book": "main",
            "period": "2026-01",
            "date": "2026-01-05",
            "legs": [
                {"account": "a", "currency": "USD", "amount": "10.00"},
                {"account": "b", "currency": "USD", "amount": "-9.99"},
            ],
        }
        with pytest.raises(ls.RejectedError) as caught:
            ledger.append("finance.journal_entry", entry)
        assert caught.value.code == "finance.unbalanced"
