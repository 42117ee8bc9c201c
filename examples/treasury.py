"""A day of a treasury: payments with four eyes, a security against cash, a numbered journal, the bank's statement.

python examples/treasury.py [FOLDER]
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ledgerstone as ls

SHARE = "US0378331005"
BROKER = "5493001KJTIIGC8Y1R12"
BOOKED = {"book": "main", "period": "2026-05", "date": "2026-05-04"}


class Treasury:
    """The books, opened by whoever signs next: the controller, a clerk, and an approver who endorses."""

    def __init__(self, folder: Path) -> None:
        """Make the books and the accounts."""
        self.path = folder / "treasury.ledger"
        self.controller, self.clerk, self.approver = (
            ls.Key.generate(name) for name in ("controller", "clerk", "approver")
        )
        with ls.create(self.path, origin="acme.example/treasury", key=self.controller, modules=["finance"]) as ledger:
            for key, role in [(self.clerk, "bookkeeper"), (self.approver, "approver")]:
                ledger.grant(ledger.admit(key.public), f"finance.{role}")
            with ledger.transaction() as tx:
                tx.append("finance.commodity", {"code": SHARE, "exponent": 0, "name": "Apple Inc."})
                bank = {"id": "bank", "kind": "asset", "currency": "EUR", "floor": "0", "approval": "10000"}
                tx.append("finance.account", bank)
                for name, kind in [("equity", "equity"), ("suppliers", "liability"), ("broker", "liability")]:
                    tx.append("finance.account", {"id": name, "kind": kind, "currency": "EUR"})
                for name in ("depot", "broker-depot"):
                    units = [{"currency": SHARE, "exponent": 0}]
                    tx.append("finance.account", {"id": name, "kind": "asset", "units": units})
                capital = {"id": "capital", "debit": "bank", "credit": "equity", "currency": "EUR", "amount": "50000"}
                tx.append("finance.transfer", capital)

    def append(
        self, *records: tuple[str, Mapping[str, Any]], key: ls.Key | None = None, endorsers: Sequence[ls.Key] = ()
    ) -> str:
        """Append records as the clerk, or with another key; say what became of them."""
        with ls.open(self.path, key=key or self.clerk) as ledger:
            transaction = ledger.transaction(endorsers=endorsers)
            try:
                with transaction as tx:
                    for type, record in records:
                        tx.append(f"finance.{type}", record)
            except ls.RejectedError as error:
                return f"refused, {error.code}"
            proven = ls.verify(ledger.receipt(transaction.result), trust=ledger.verifier_keys)
            return f"{proven.outcome}{f', {proven.code}' if proven.code else ''}"

    def posted(self, account: str, unit: str = "EUR") -> str:
        """The balance of an account."""
        with ls.open(self.path, readonly=True) as ledger:
            return f"{ledger.balance('finance.account', account, by=unit)['posted']:,f} {unit}"


def pay(books: Treasury) -> None:
    """Send payments: a file with its control sum, one payment above the limit."""
    print("Payments")
    lines = [{"end_to_end": "E1", "amount": "4200"}, {"end_to_end": "E2", "amount": "12500"}]
    file = {"message": "M1", "count": 2, "control_sum": "16700", "payments": lines}
    print("  the file, its sum miscounted:", books.append(("payment_file", {**file, "control_sum": "16000"})))
    terms = {"debit": "suppliers", "credit": "bank", "currency": "EUR"}
    names = {"debtor": "Acme", "creditor": "Mill", "message": "M1", "is_filed": True}
    small = {"id": "P1", "end_to_end": "E1", "amount": "4200", **names, **terms}
    large = {"id": "P2", "end_to_end": "E2", "amount": "12500", **names, **terms}
    print("  a payment of that file:      ", books.append(("payment", small)))
    print("  the file again, right:       ", books.append(("payment_file", file)))
    print("  4,200.00:                    ", books.append(("payment", small)))
    print("  12,500.00, by one:           ", books.append(("payment", large)))
    print("  12,500.00, by two:           ", books.append(("payment", large), endorsers=[books.approver]))
    settled = {"payment": "P1", "status": "ACSC", "amount": "4200", **terms, **BOOKED}
    print("  the first is settled:        ", books.append(("payment_status", settled)))
    refused = {"payment": "P2", "status": "RJCT", "amount": "12500", "reason": "AC04 closed account", **terms}
    print("  the second is rejected:      ", books.append(("payment_status", refused)))
    print("  bank:                        ", books.posted("bank"))


def trade(books: Treasury) -> None:
    """Buy a security: both legs change hands in one record."""
    print("A trade, delivery versus payment")
    terms = {"instrument": SHARE, "quantity": "40", "currency": "EUR", "amount": "7000"}
    accounts = {
        "buyer_custody": "depot",
        "seller_custody": "broker-depot",
        "buyer_cash": "bank",
        "seller_cash": "broker",
    }
    dealt = {"id": "T1", "side": "buy", "price": "175", "trade_date": "2026-05-04", "settle_date": "2026-05-06"}
    print(
        "  dealt:                       ",
        books.append(("trade", {**dealt, "counterparty": BROKER, **terms, **accounts})),
    )
    settle = {"trade": "T1", **terms, **accounts}
    print("  settled too early:           ", books.append(("trade_settlement", settle)))
    match = {"trade": "T1", "settle_date": "2026-05-06", **terms}
    print("  the broker says 41:          ", books.append(("trade_match", {**match, "quantity": "41"})))
    print("  the broker says 40:          ", books.append(("trade_match", match)))
    print("  affirmed:                    ", books.append(("trade_affirmation", {"trade": "T1"}), key=books.controller))
    print("  settled:                     ", books.append(("trade_settlement", settle)))
    print("  depot, bank:                 ", books.posted("depot", SHARE), "and", books.posted("bank"))


def close_the_day(books: Treasury) -> None:
    """Number the journal, and compare with the bank's statement."""
    print("Journal and statement")
    print("  the book is numbered:        ", books.append(("book", {"book": "main"}), key=books.controller))
    legs = [
        {"account": name, "currency": "EUR", "amount": amount} for name, amount in [("suppliers", "9"), ("bank", "-9")]
    ]
    entry = {"id": "J1", **BOOKED, "legs": legs}
    print("  without a number:            ", books.append(("journal_entry", entry)))
    print("  number 2:                    ", books.append(("journal_entry", {**entry, "number": 2})))
    print("  number 1:                    ", books.append(("journal_entry", {**entry, "number": 1})))
    moved = [("-4200", "BOOK"), ("-7000", "BOOK"), ("-9", "BOOK"), ("-12500", "PDNG")]
    entries = [{"amount": amount, "status": status} for amount, status in moved]
    day = {"account": "bank", "currency": "EUR", "from": "2026-05-04", "to": "2026-05-04", "opening": "50000"}
    wrong = {"id": "S0", **day, "closing": "38000", "entries": entries}
    print("  a statement that is wrong:   ", books.append(("statement", wrong)))
    right = {"id": "S1", **day, "closing": "38791", "entries": entries}
    print("  the bank's statement:        ", books.append(("statement", right)))
    limit = {"account": "bank", "currency": "EUR", "floor": "0", "approval": "5000", "reason": "new policy"}
    print("  a new limit, by one:         ", books.append(("account_limit", limit), key=books.controller))
    by_two = books.append(("account_limit", limit), key=books.controller, endorsers=[books.approver])
    print("  a new limit, by two:         ", by_two)


def play(folder: Path) -> None:
    """Play the day, and audit it."""
    books = Treasury(folder)
    pay(books)
    trade(books)
    close_the_day(books)
    with ls.open(books.path, readonly=True) as ledger:
        report = ledger.audit().check()
        print(f"Audit: {report.verdict}, {report.records} records")


def main() -> None:
    """Run in the folder named, or in a temporary one."""
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True)
        play(folder)
    else:
        with tempfile.TemporaryDirectory() as made:
            play(Path(made))


if __name__ == "__main__":
    main()
