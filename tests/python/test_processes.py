"""Threads, processes, forks, signals: the ledger stays whole, and nobody waits for ever."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pyarrow as pa
import pytest
from books import posted, transfer, transfers

PATIENCE_SECONDS = 60


def python(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Runs code in another Python process."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes, **options)


def test_a_second_writer_is_told_who_holds_it(ledger: ls.Ledger, path: Path) -> None:
    code = """
        import sys
        import ledgerstone as ls
        try:
            ls.open(sys.argv[1])
        except ls.StoreError as error:
            print(error)
        print(ls.open(sys.argv[1], readonly=True).size)
    """
    out, error = python(code, path).communicate(timeout=PATIENCE_SECONDS)
    assert f"is open for writing by process {os.getpid()}" in out, error
    assert "open it read-only" in out
    assert out.endswith("\n3\n")


def test_a_reading_process_sees_whole_transactions(ledger: ls.Ledger, path: Path) -> None:
    code = """
        import sys
        import ledgerstone as ls
        ledger = ls.open(sys.argv[1], readonly=True)
        seen = set()
        print("ready", flush=True)
        while len(seen) < 5:
            rows = ledger.query("finance.transfer", columns=["_index"]).to_dicts()
            assert len(rows) % 100 == 0, len(rows)
            posted = ledger.balance("finance.account", "cash", by="EUR")["posted"]
            assert posted >= len(rows)  # the balance is asked for later
            assert posted % 100 == 0, posted
            seen.add(len(rows))
        print("seen", flush=True)
    """
    reader = python(code, path)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    number = 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while reader.poll() is None and time.monotonic() < deadline:
        rows = [transfer(f"t{number}-{place}", "1") for place in range(100)]
        ledger.append_many("finance.transfer", rows, mode="atomic")
        number += 1
    out, error = reader.communicate(timeout=PATIENCE_SECONDS)
    assert out == "seen\n", error


def test_threads_hammer_one_ledger(ledger: ls.Ledger) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                count = pa.table(ledger.query("finance.transfer")).num_rows
                assert len(ledger.query("finance.transfer").to_dicts()) >= count
                assert posted(ledger) >= 0
                ledger.receipt((0, 0)).verify(ledger.verifier_keys)
        except BaseException as error:
            failures.append(error)

    def write(thread: int) -> None:
        for number in range(10):
            ledger.append("finance.transfer", transfer(f"a{thread}-{number}", "1"))
            ledger.append_many("finance.transfer", transfers(10, f"b{thread}-{number}-"))
            with ledger.transaction() as tx:
                tx.append("finance.transfer", transfer(f"c{thread}-{number}", "1"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    stop.set()
    for reader in readers:
        reader.join(PATIENCE_SECONDS)
    assert failures == []
    assert posted(ledger) == 4 * 10 * (1 + Decimal("12.5") + 1)
    assert ledger.audit().ok


def test_threads_share_one_iterator(ledger: ls.Ledger) -> None:
    ledger.append_many("finance.transfer", transfers(5_000))
    rows = iter(ledger.query("finance.transfer"))
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda _: [row["id"] for row in rows], range(4))
    assert sorted(id for part in parts for id in part) == sorted(row["id"] for row in transfers(5_000))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_opens_its_own(ledger: ls.Ledger, path: Path) -> None:
    ledger.append_many("finance.transfer", transfers(1_000))  # the engine's threads are running
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"nothing"
        try:
            try:
                ledger.append("finance.transfer", transfer("child"))
            except ls.FaultError as error:
                said = str(error).encode()
            with ls.open(path, readonly=True) as own:
                said += f", {len(own.query('finance.transfer').to_dicts())} rows".encode()
        finally:
            os.write(write_end, said)
            os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    said = os.read(read_end, 1_000).decode()
    os.close(read_end)
    assert said == "the ledger was opened in another process; open it again in this one, 1000 rows"
    ledger.append("finance.transfer", transfer("parent"))
    assert ledger.audit().ok


def test_ctrl_c_ends_a_load_and_leaves_the_ledger_whole(path: Path, me: ls.Key, tmp_path: Path) -> None:
    key = tmp_path / "me.pem"
    me.save(key)
    code = """
        import itertools, sys
        import ledgerstone as ls
        import pyarrow as pa
        path, key = sys.argv[1:]
        ledger = ls.create(path, origin="acme.example/books", key=ls.Key.load(key), modules=["finance"])
        for account in ("cash", "sales"):
            ledger.append("finance.account", {"id": account, "currency": "EUR", "kind": "asset"})
        def table(piece):
            ids = [f"t{piece}-{number}" for number in range(20_000)]
            same = lambda value: [value] * len(ids)
            return pa.record_batch({"id": ids, "debit": same("cash"), "credit": same("sales"), "currency": same("EUR"), "amount": same("1")})
        def batches():
            for piece in itertools.count():
                print(piece, flush=True)
                yield table(piece)
        reader = pa.RecordBatchReader.from_batches(table(0).schema, batches())
        try:
            ledger.append_many("finance.transfer", reader, id="load")
        except KeyboardInterrupt as stopped:
            print("stopped", *getattr(stopped, "__notes__", []), flush=True)
        assert ledger.append("finance.transfer", {"id": "after", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "1"}).is_new
    """
    loader = python(code, path, key)
    assert loader.stdout is not None
    for line in loader.stdout:
        if line == "15\n":  # one transaction is committed, the next is being gathered
            break
    sent = time.monotonic()
    loader.send_signal(signal.SIGINT)
    out, error = loader.communicate(timeout=PATIENCE_SECONDS)
    assert "stopped 262144 rows before that are done" in out, error
    assert time.monotonic() - sent < PATIENCE_SECONDS / 2
    with ls.open(path, key=me) as ledger:
        assert posted(ledger) == 262_145
        assert ledger.audit().ok


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers on this system")
def test_signal_handlers_run_while_the_engine_works(ledger: ls.Ledger) -> None:
    def handler(number: int, frame: object) -> None:
        raise TimeoutError

    table = pa.Table.from_pylist(transfers(20_000))
    pieces = [table.set_column(0, "id", pa.array([f"{piece}-{row}" for row in range(20_000)])) for piece in range(40)]
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeoutError):
            ledger.append_many("finance.transfer", pa.concat_tables(pieces), progress=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ledger.size < 3 + 4
    assert ledger.append("finance.transfer", transfer("after")).is_new


def test_ctrl_c_reaches_an_iterable(ledger: ls.Ledger) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        for number in range(10**9):
            if number == 20_000:
                signal.raise_signal(signal.SIGINT)
            yield transfer(f"t{number}")

    with pytest.raises(KeyboardInterrupt):
        ledger.append_many("finance.transfer", rows())
    assert ledger.size == 3
