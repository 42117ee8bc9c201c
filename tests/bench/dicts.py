"""Dicts into a ledger, beside what a careful programmer writes by hand: dicts.py FIGURES.json [ROWS].

The hand-written one is as fast as it can be made with the standard library: a chain of SHA3-256 over canonical JSON, rows by
``executemany`` out of a generator, one durable commit for each 262,144 rows, as the ledger does. It checks nothing: no types, no
balances, no signatures, no proofs. Both take the same list of dicts, in turn, in one process.
"""

import hashlib
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ledgerstone as ls

RUNS = 5
ACCOUNTS = 10_000
ROWS_A_COMMIT = 262_144
Rows = list[dict[str, Any]]


def transfers(rows: int, seed: int) -> Rows:
    """Transfers with random UUIDs over the accounts: 5 fields."""
    draw = random.Random(seed)
    made = []
    for _ in range(rows):
        debit = draw.randrange(ACCOUNTS)
        credit = (debit + draw.randrange(1, ACCOUNTS)) % ACCOUNTS
        made.append(
            {
                "id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
                "debit": f"account-{debit:05}",
                "credit": f"account-{credit:05}",
                "currency": "EUR",
                "amount": f"{draw.randrange(1, 100_000) / 100:.2f}",
            }
        )
    return made


def orders(rows: int, seed: int) -> Rows:
    """Orders: 10 fields, all of them values that JSON has, so that the hand-written chain need not convert any."""
    draw = random.Random(seed)
    return [
        {
            "id": str(uuid.UUID(int=draw.getrandbits(128), version=4)),
            "customer": f"customer-{draw.randrange(ACCOUNTS):05}",
            "product": f"product-{draw.randrange(500):03}",
            "quantity": draw.randrange(1, 100),
            "price": f"{draw.randrange(1, 100_000) / 100:.2f}",
            "currency": "EUR",
            "placed": f"2026-03-{draw.randrange(1, 29):02}T10:{draw.randrange(60):02}:00Z",
            "due": f"2026-04-{draw.randrange(1, 29):02}",
            "paid": draw.random() < 0.5,
            "note": "as agreed by telephone",
        }
        for _ in range(rows)
    ]


def chain(path: Path, data: Rows) -> float:
    """The hand-written chain; gives the seconds."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE records (id TEXT PRIMARY KEY, record TEXT NOT NULL, hash BLOB NOT NULL);"
    )
    last = bytes(32)

    def hashed(rows: Rows) -> Iterator[tuple[str, str, bytes]]:
        nonlocal last
        encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
        for row in rows:
            text = encode(row)
            last = hashlib.sha3_256(last + text.encode()).digest()
            yield row["id"], text, last

    start = time.perf_counter()
    for first in range(0, len(data), ROWS_A_COMMIT):
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO records VALUES (?, ?, ?)", hashed(data[first : first + ROWS_A_COMMIT]))
        connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def ledger(path: Path) -> ls.Ledger:
    """A ledger with the accounts opened."""
    modules = ["finance", Path(__file__).with_name("orders.toml")]
    made = ls.create(path, origin="bench.example/dicts", key=ls.Key.generate("bench"), modules=modules)
    accounts = [{"id": f"account-{number:05}", "kind": "asset", "currency": "EUR"} for number in range(ACCOUNTS)]
    assert made.append_many("finance.account", accounts).accepted == ACCOUNTS
    return made


def append(path: Path, type_name: str, data: Rows) -> float:
    """The ledger; gives the seconds."""
    with ledger(path) as made:
        start = time.perf_counter()
        result = made.append_many(type_name, data, progress=False)
        seconds = time.perf_counter() - start
        assert result.accepted == len(data)
    return seconds


def compare(type_name: str, make: Callable[[int, int], Rows], rows: int) -> dict[str, float]:
    """Medians of both, and of the ratio of each run."""
    by_hand, ours = [], []
    for run in range(RUNS):
        data = make(rows, run)
        with tempfile.TemporaryDirectory() as folder:
            by_hand.append(chain(Path(folder) / "chain.sqlite", data))
            ours.append(append(Path(folder) / "dicts.ledger", type_name, data))
        print(f"{type_name}, run {run}: by hand {by_hand[-1]:.2f} s, ledger {ours[-1]:.2f} s", file=sys.stderr)
    return {
        "rows_per_s": rows / statistics.median(ours),
        "by_hand_rows_per_s": rows / statistics.median(by_hand),
        "to_by_hand": statistics.median(hand / own for hand, own in zip(by_hand, ours, strict=True)),
    }


def main(figures_path: str, rows: str = "1000000") -> None:
    """Measure both shapes, and add them to the figures."""
    path = Path(figures_path)
    figures = json.loads(path.read_text()) if path.exists() else {}
    figures["dict_rows"] = int(rows)
    figures["dicts_5"] = compare("finance.transfer", transfers, int(rows))
    figures["dicts_10"] = compare("orders.order", orders, int(rows))
    path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
