"""Backups while the ledger is in use, and numbers about it."""

import threading
from pathlib import Path

import ledgerstone as ls
import pytest
from books import transfer, transfers


def test_a_backup_is_the_ledger_of_one_moment(ledger: ls.Ledger, path: Path, tmp_path: Path) -> None:
    ledger.append_many("finance.transfer", transfers(1_000))
    told: list[dict[str, int]] = []
    copy = tmp_path / "copy.ledger"
    made = ledger.backup(copy, progress=told.append)
    assert (made.size, made.bytes) == (ledger.size, copy.stat().st_size)
    assert made.checkpoint == ledger.checkpoint().note
    assert any("pages" in step for step in told)
    assert any("transactions" in step for step in told)
    ledger.append("finance.transfer", transfer("later"))
    with ls.open(copy, readonly=True) as older:
        assert older.get("finance.transfer", "later") is None
        assert older.audit(against=made.checkpoint).verdict == "ok"
    assert not (tmp_path / "copy.ledger.logkey.pem").exists()


def test_a_backup_overwrites_nothing(ledger: ls.Ledger, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(ls.StoreError, match="exists") as caught:
        ledger.backup(there)
    assert (caught.value.code, caught.value.path) == ("ledger.file_exists", str(there))
    assert there.read_text() == "mine"


def test_a_backup_that_is_stopped_leaves_nothing(ledger: ls.Ledger, tmp_path: Path) -> None:
    def stop(_step: dict[str, int]) -> None:
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        ledger.backup(tmp_path / "copy.ledger", progress=stop)
    assert sorted(tmp_path.iterdir()) == before


def test_backups_while_somebody_appends(ledger: ls.Ledger, tmp_path: Path) -> None:
    done = threading.Event()

    def append() -> None:
        number = 0
        while not done.is_set():
            ledger.append("finance.transfer", transfer(f"t{number}"))
            number += 1

    writer = threading.Thread(target=append)
    writer.start()
    try:
        copies = [tmp_path / f"copy{number}.ledger" for number in range(5)]
        sizes = [ledger.backup(copy).size for copy in copies]
    finally:
        done.set()
        writer.join()
    assert sizes == sorted(sizes)
    for copy, size in zip(copies, sizes, strict=True):
        with ls.open(copy, readonly=True) as older:
            assert older.size == size
            assert older.audit().ok


def test_numbers(ledger: ls.Ledger, path: Path) -> None:
    ledger.append_many("finance.transfer", transfers(100))
    stats = ledger.stats()
    assert stats["transactions"] == ledger.size == 4
    assert stats["records"]["finance.transfer"] == 100
    assert stats["records"]["finance.account"] == 2
    assert (stats["members"], stats["modules"]["finance"]) == (1, 1)
    assert stats["checkpoint"] == ledger.checkpoint().note
    assert stats["bytes"]["chunks"] > 0
    assert (stats["semantics"], "iso4217@2026-01" in stats["code_tables"]) == (0, True)
    assert stats["time"].endswith("Z")
