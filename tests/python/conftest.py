"""A ledger for each test."""

from collections.abc import Iterator
from pathlib import Path

import ledgerstone as ls
import pytest


@pytest.fixture
def me() -> ls.Key:
    return ls.Key.generate("controller")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.ledger"


@pytest.fixture
def ledger(path: Path, me: ls.Key) -> Iterator[ls.Ledger]:
    """Finance, with an account `cash` that cannot be overdrawn, and one `sales` that can."""
    with ls.create(path, origin="acme.example/books", key=me, modules=["finance"]) as ledger:
        with ledger.transaction() as tx:
            tx.append("finance.account", {"id": "cash", "currency": "EUR", "kind": "asset", "floor": "0"})
            tx.append("finance.account", {"id": "sales", "currency": "EUR", "kind": "income"})
        yield ledger
