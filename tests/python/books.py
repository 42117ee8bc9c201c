"""The data that most tests append."""

from decimal import Decimal
from typing import Any

import ledgerstone as ls


def transfer(id: str, amount: Any = "12.50", **more: Any) -> dict[str, Any]:
    return {"id": id, "debit": "cash", "credit": "sales", "currency": "EUR", "amount": amount} | more


def transfers(count: int, prefix: str = "t") -> list[dict[str, Any]]:
    return [transfer(f"{prefix}{number}", Decimal("1.25")) for number in range(count)]


def posted(ledger: ls.Ledger, account: str = "cash") -> Decimal:
    balance = ledger.balance("finance.account", account, by="EUR")
    assert balance is not None
    return balance["posted"]
