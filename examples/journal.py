"""Takes plain-text books (the common subset of ledger and hledger journals) into a ledger, and compares the balances.

    python examples/journal.py BOOKS.journal BOOKS.ledger

Every entry becomes a balanced ``finance.journal_entry``; every account is opened first. Entries that the books themselves do not
balance (virtual postings, automated transactions) are refused with file, line and reason, and nothing is taken in.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import ledgerstone as ls

ENTRY = re.compile(r"^(\d{4})[/-](\d{1,2})[/-](\d{1,2})(?:=\S+)?\s*(?:[*!]\s+)?(?:\([^)]*\)\s*)?(.*)$")
AMOUNT = re.compile(
    r"^(?P<sign>-?)\s*(?P<dollar>\$?)\s*(?P<inner>-?)\s*(?P<number>[\d,]+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)$"
)
WITHOUT_EFFECT = {"N", "apply", "end"}  # a default unit, and tags: no posting changes by them
KINDS = {"Assets": "asset", "Liabilities": "liability", "Equity": "equity", "Income": "income", "Expenses": "expense"}


class JournalError(Exception):
    """A journal that cannot be taken in: file, line, and why."""


@dataclass
class Entry:
    """One journal entry: its line, its day, and its legs (account, unit, amount)."""

    line: int
    day: date
    payee: str
    legs: list[tuple[str, str, Decimal]] = field(default_factory=list)
    open_leg: str | None = None


def read(path: Path) -> list[Entry]:
    """Reads a journal; raises `JournalError` where it holds what a balanced book cannot."""
    entries: list[Entry] = []
    current: Entry | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.split(";")[0].rstrip()
        if not text.strip():
            current = None if not line.strip() else current
            continue
        if match := ENTRY.match(text):
            year, month, day, payee = match.groups()
            current = Entry(number, date(int(year), int(month), int(day)), payee.strip())
            entries.append(current)
        elif text[0].isspace():
            if current is None:
                raise JournalError(f"{path.name}:{number}: a posting outside an entry")
            posting(path, number, text.strip(), current)
        elif text[0] in "=~":
            kind = "an automated transaction" if text[0] == "=" else "a periodic transaction"
            raise JournalError(f"{path.name}:{number}: {kind} makes virtual postings, which do not balance")
        elif text.split()[0] not in WITHOUT_EFFECT:
            raise JournalError(f"{path.name}:{number}: the directive {text.split()[0]!r} is not of the common subset")
    for entry in entries:
        balance(path, entry)
    return entries


def posting(path: Path, number: int, text: str, entry: Entry) -> None:
    """One leg of an entry: an account, and behind two spaces an amount, or none."""
    account, _, rest = text.removeprefix("* ").removeprefix("! ").partition("  ")
    if account[0] in "([":
        raise JournalError(f"{path.name}:{number}: {account} is a virtual posting, which does not balance")
    if not rest.strip():
        if entry.open_leg is not None:
            raise JournalError(f"{path.name}:{number}: a second posting without an amount")
        entry.open_leg = account
        return
    match = AMOUNT.match(rest.strip())
    if match is None:
        raise JournalError(f"{path.name}:{number}: {rest.strip()!r} is not an amount of one unit")
    amount = Decimal(match["number"].replace(",", ""))
    negative = (match["sign"] == "-") != (match["inner"] == "-")
    unit = "USD" if match["dollar"] else match["unit"]
    entry.legs.append((account, unit, -amount if negative else amount))


def balance(path: Path, entry: Entry) -> None:
    """Gives the posting without an amount what the others leave over."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for _, unit, amount in entry.legs:
        sums[unit] += amount
    if entry.open_leg is not None:
        for unit, total in sums.items():
            entry.legs.append((entry.open_leg, unit, -total))
    elif any(sums.values()):
        raise JournalError(f"{path.name}:{entry.line}: the entry does not balance: {dict(sums)}")


def load(path: Path, ledger: ls.Ledger, book: str) -> int:
    """Opens the accounts of a journal and appends its entries; how many."""
    entries = read(path)
    units: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for account, unit, _ in entry.legs:
            units[account].add(unit)
    declared = sorted({unit for used in units.values() for unit in used} - {"USD"})
    accounts = [
        {
            "id": account,
            "kind": KINDS.get(account.split(":")[0], "asset"),
            "units": [{"currency": unit} | ({"exponent": 0} if unit in declared else {}) for unit in sorted(used)],
        }
        for account, used in sorted(units.items())
    ]
    with ledger.transaction() as tx:
        for unit in declared:
            tx.append("finance.commodity", {"code": unit, "exponent": 0})
        for account in accounts:
            tx.append("finance.account", account)
    result = ledger.append_many("finance.journal_entry", (record(entry, book) for entry in entries), id=book)
    for refused in result.rejections:
        raise JournalError(f"{path.name}:{entries[refused['row']].line}: {refused['code']}: {refused['message']}")
    return result.accepted


def record(entry: Entry, book: str) -> dict:
    """An entry as a record of the module finance."""
    return {
        "id": f"{book}:{entry.line}",
        "book": book,
        "period": f"{entry.day:%Y-%m}",
        "date": entry.day,
        "payee": entry.payee,
        "legs": [{"account": account, "currency": unit, "amount": amount} for account, unit, amount in entry.legs],
    }


def balances(ledger: ls.Ledger) -> dict[tuple[str, str], Decimal]:
    """What stands posted on each account in each unit."""
    found = {}
    for account in ledger.query("finance.account", columns=["id"]):
        for unit, parts in ledger.balance("finance.account", account["id"]).items():
            found[account["id"], unit] = parts["posted"]
    return found


def main() -> None:
    """Take the books in, and print what stands on each account."""
    journal, path = Path(sys.argv[1]), Path(sys.argv[2])
    key = ls.Key.generate("bookkeeper")
    with ls.create(path, origin=f"journal.example/{journal.stem}", key=key, modules=["finance"]) as ledger:
        key.save(path.with_suffix(".key.pem"))
        print(f"{load(journal, ledger, journal.stem)} entries")
        for (account, unit), amount in sorted(balances(ledger).items()):
            print(f"{amount:>16} {unit:<6} {account}")
        print(ledger.audit())


if __name__ == "__main__":
    main()
