"""What the engine tells of itself reaches `logging`."""

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pytest
from books import transfer


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int, str]]:
    records: list[Any] = [record for record in caplog.records if record.name == "ledgerstone"]
    return [(record.event, record.levelno, record.ledger) for record in records]


def test_modules_and_missing_log_keys_are_told(
    path: Path, me: ls.Key, ledger: ls.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ledgerstone")
    with ls.create(path.with_name("other.ledger"), origin="acme.example/other", key=me) as other:
        other.load_module("finance")
    assert told(caplog) == [("module_loaded", logging.INFO, "acme.example/other")]
    assert caplog.messages == ["acme.example/other: module finance, version 1, is in force from transaction 1 on"]
    caplog.clear()
    ledger.close()
    path.with_name("books.ledger.logkey.pem").unlink()
    with ls.open(path, key=me) as again:
        assert again.readonly
    assert told(caplog) == [("opened_read_only", logging.WARNING, "acme.example/books")]
    caplog.clear()
    with ls.open(path, readonly=True):
        pass
    assert told(caplog) == []


def test_a_load_that_stops_is_told(ledger: ls.Ledger, caplog: pytest.LogCaptureFixture) -> None:
    def rows() -> Any:
        yield transfer("t1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ledger.append_many("finance.transfer", rows())
    assert told(caplog) == [("load_stopped", logging.WARNING, "acme.example/books")]
    assert "stopped after 0 rows in 0 transaction(s)" in caplog.text


def test_a_handler_may_use_the_ledger(ledger: ls.Ledger) -> None:
    seen: list[int] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(ledger.append("finance.transfer", transfer(f"by-handler-{len(seen)}")).index)

    handler = Handler()
    logger = logging.getLogger("ledgerstone")
    logger.addHandler(handler)
    try:
        with pytest.raises(ZeroDivisionError):
            ledger.append_many("finance.transfer", (1 // 0 for _ in range(1)))
    finally:
        logger.removeHandler(handler)
    assert seen == [3]


def test_a_writer_that_died_is_told(
    path: Path, ledger: ls.Ledger, me: ls.Key, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ledgerstone")
    ledger.close()
    me.save(path.with_name("me.pem"))
    code = (
        "import os, sys, ledgerstone as ls\n"
        "ledger = ls.open(sys.argv[1], key=ls.Key.load(sys.argv[2]))\n"
        "row = {'id': 't1', 'debit': 'cash', 'credit': 'sales', 'currency': 'EUR', 'amount': '1'}\n"
        "ledger.append('finance.transfer', row)\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code, path, path.with_name("me.pem")], check=False)
    with ls.open(path, key=me) as again:
        assert again.get("finance.transfer", "t1") is not None
        assert again.audit().ok
    assert told(caplog) == [("wal_found", logging.INFO, "acme.example/books")]


def test_nobody_listens_nothing_is_said(path: Path) -> None:
    code = (
        "import sys, ledgerstone as ls\n"
        "ls.create(sys.argv[1], origin='acme.example/quiet', key=ls.Key.generate('me'), modules=['finance']).close()\n"
        "assert 'logging' not in sys.modules\n"
        "import logging, os\n"
        "os.remove(sys.argv[1] + '.logkey.pem')\n"
        "ls.open(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
