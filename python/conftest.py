"""What the examples in docstrings start from."""

from collections.abc import Iterator
from pathlib import Path

import ledgerstone as ls
import pytest


@pytest.fixture
def books(tmp_path: Path) -> Iterator[ls.Ledger]:
    """A ledger with the accounts `cash` and `sales`, and one sale."""
    key = ls.Key.generate("controller")
    with ls.create(tmp_path / "books.ledger", origin="acme.example/books", key=key, modules=["finance"]) as ledger:
        with ledger.transaction() as tx:
            tx.append("finance.account", {"id": "cash", "kind": "asset", "currency": "EUR", "floor": "0"})
            tx.append("finance.account", {"id": "sales", "kind": "income", "currency": "EUR"})
        sale = {"id": "t1", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "12.50"}
        ledger.append("finance.transfer", sale)
        yield ledger
