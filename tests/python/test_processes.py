"""Threads, processes, forks, signals: the ledger stays whole, and nobody waits for ever."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
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


# Threads work that long; `make test` gives them a minute.
HAMMER_SECONDS = float(os.environ.get("LEDGERSTONE_HAMMER_SECONDS", "3"))


# What a reading process does: every view is of one moment, and none is older than the one before.
READER = """
import sys, time
import ledgerstone as ls

path, seconds = sys.argv[1], float(sys.argv[2])
end, rounds, size = time.monotonic() + seconds, 0, 0
while rounds == 0 or time.monotonic() < end:
    with ls.open(path, readonly=True) as ledger:
        assert ledger.size >= size, (ledger.size, size)
        size = ledger.size
        rows = ledger.query("finance.transfer", columns=["amount"], as_of=size - 1).to_dicts()
        balance = ledger.balance("finance.account", "cash", by="EUR", as_of=size - 1)
        assert sum(row["amount"] for row in rows) == balance["posted"], (size, balance)
    rounds += 1
print(rounds)
"""


def test_threads_hammer_one_ledger(ledger: ls.Ledger, tmp_path: Path) -> None:
    failures: list[BaseException] = []
    end = time.monotonic() + HAMMER_SECONDS
    rounds = [0] * 4

    def until_the_end(work: Callable[[], None]) -> None:
        try:
            while time.monotonic() < end and not failures:
                work()
        except BaseException as error:
            failures.append(error)

    def read() -> None:
        count = pa.table(ledger.query("finance.transfer", columns=["id"])).num_rows
        assert sum(1 for _ in ledger.query("finance.transfer", columns=["id"])) >= count
        assert posted(ledger) >= 0
        newest = ledger.size - 1
        ledger.receipt((newest, 0)).verify(ledger.verifier_keys)
        assert ls.verify_checkpoint(ledger.checkpoint().note, trust=ledger.verifier_keys).size > newest

    copies = iter(range(1_000_000))

    def copy() -> None:
        # Each view is of one moment: the books balance in it.
        ledger.export(tmp_path / "trail.parquet", type="finance.transfer", overwrite=True, progress=False)
        size = ledger.size
        assert ledger.audit(progress=False).size >= size
        ledger.query("finance.transfer", where={"id": "a0-0"}).to_dicts()
        target = tmp_path / f"copy-{next(copies)}.ledger"
        made = ledger.backup(target, progress=False)
        with ls.open(target, readonly=True) as copied:
            assert copied.size == made.size >= size
            assert copied.audit(against=made.checkpoint, progress=False).ok
            assert posted(copied) == sum(row["amount"] for row in copied.query("finance.transfer", columns=["amount"]))
        target.unlink()

    def write(thread: int) -> None:
        number = rounds[thread]
        ledger.append("finance.transfer", transfer(f"a{thread}-{number}", "1"))
        ledger.append_many("finance.transfer", transfers(10, f"b{thread}-{number}-"))
        with ledger.transaction() as tx:
            tx.append("finance.transfer", transfer(f"c{thread}-{number}", "1"))
        with pytest.raises(ls.RejectedError):
            ledger.append("finance.transfer", transfer(f"a{thread}-{number}", "1"))
        rounds[thread] += 1

    work = [read, read, copy, *(partial(write, thread) for thread in range(len(rounds)))]
    threads = [threading.Thread(target=until_the_end, args=(one,)) for one in work]
    # Another process reads the file meanwhile.
    reader = [sys.executable, "-c", READER, ledger.path, str(HAMMER_SECONDS)]
    with subprocess.Popen(reader, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HAMMER_SECONDS + PATIENCE_SECONDS)
        said, _ = process.communicate(timeout=HAMMER_SECONDS + PATIENCE_SECONDS)
    assert failures == []
    assert (process.returncode, int(said.split()[-1]) > 0) == (0, True), said
    assert not any(thread.is_alive() for thread in threads)
    assert min(rounds) > 0
    assert posted(ledger) == sum(rounds) * (1 + Decimal("12.5") + 1)
    assert ledger.audit().ok


def test_threads_share_one_iterator(ledger: ls.Ledger) -> None:
    ledger.append_many("finance.transfer", transfers(5_000))
    rows = iter(ledger.query("finance.transfer"))
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda _: [row["id"] for row in rows], range(4))
    assert sorted(id for part in parts for id in part) == sorted(row["id"] for row in transfers(5_000))


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
threaded = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def said_by_a_fork(work: Callable[[], object]) -> str:
    """What work gives in a forked child, as text; the name and words of what it raises."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            said = str(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(write_end, said.encode())
            os._exit(0)
    os.close(write_end)
    os.waitpid(child, 0)
    said = os.read(read_end, 10_000).decode()
    os.close(read_end)
    return said


IN_ANOTHER = "FaultError: the ledger was opened in another process; open it again in this one"


@forks
@threaded
def test_a_forked_child_opens_its_own(ledger: ls.Ledger, path: Path, me: ls.Key) -> None:
    ledger.append_many("finance.transfer", transfers(1_000))  # the engine's threads are running
    query, rows = ledger.query("finance.transfer"), iter(ledger.query("finance.transfer"))
    next(rows)
    for inherited in (
        lambda: ledger.append("finance.transfer", transfer("child")),
        lambda: ledger.append_many("finance.transfer", transfers(3, "child")),
        lambda: ledger.size,
        lambda: ledger.audit(),
        lambda: ledger.close(),
        lambda: query.to_dicts(),
    ):
        assert said_by_a_fork(inherited) == IN_ANOTHER

    def own() -> int:
        with ls.open(path, readonly=True) as own:
            return len(own.query("finance.transfer").to_dicts())

    assert said_by_a_fork(own) == "1000"
    assert said_by_a_fork(lambda: ls.open(path, key=me)).startswith("StoreError: ")
    assert len(list(rows)) == 999
    ledger.append("finance.transfer", transfer("parent"))
    assert ledger.audit().ok


@forks
@threaded
def test_a_fork_in_the_middle_of_a_load_harms_neither(
    ledger: ls.Ledger, path: Path, me: ls.Key, tmp_path: Path
) -> None:
    said = []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(300_000):
            if number == 10_000:  # the engine's threads screen
                said.append(said_by_a_fork(lambda: work_in_a_new_ledger(tmp_path / "child.ledger", me)))
            if (
                number == 290_000
            ):  # one of them commits: a child must not touch SQLite now, and what it inherits does not
                said.append(said_by_a_fork(lambda: ledger.append("finance.transfer", transfer("child"))))
            yield transfer(f"t{number}", "1")

    assert ledger.append_many("finance.transfer", rows()).accepted == 300_000
    assert said == ["20000 True", IN_ANOTHER]
    assert ledger.audit().ok


def work_in_a_new_ledger(path: Path, me: ls.Key) -> str:
    """A ledger of its own, with work for the engine's threads."""
    with ls.create(path, origin="acme.example/child", key=me, modules=["finance"]) as own:
        own.append_many("finance.account", [{"id": id, "kind": "asset", "currency": "EUR"} for id in ("cash", "sales")])
        accepted = own.append_many("finance.transfer", transfers(20_000)).accepted
        return f"{accepted} {own.audit().ok}"


def rows_of(path: Path) -> int:
    with ls.open(path, readonly=True) as own:
        return len(own.query("finance.transfer").to_dicts())


@threaded
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_of_processes_reads(ledger: ls.Ledger, path: Path, method: str) -> None:
    ledger.append_many("finance.transfer", transfers(100))
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(rows_of, [path] * 4) == [100] * 4
    with pytest.raises(TypeError, match="open it there by its path"):
        pickle.dumps(ledger)


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

    # A process that a shell started in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ledger.append_many("finance.transfer", rows())
    finally:
        signal.signal(signal.SIGINT, before)
    assert ledger.size == 3
