"""Double-entry books in one file: append, query, be refused, prove, audit, export.

    python examples/quickstart.py [FOLDER]

Everything is made here, in FOLDER (which must not exist yet) or in a temporary one. Nothing but ledgerstone is
needed; where polars or pyarrow is installed, the transfers are loaded from an Arrow table.
"""

import random
import sys
import tempfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import ledgerstone as ls

ACCOUNTS = [
    {"id": "cash", "kind": "asset", "currency": "EUR", "floor": "0"},  # no overdraft
    {"id": "bank", "kind": "asset", "currency": "EUR"},
    {"id": "sales", "kind": "income", "currency": "EUR"},
    {"id": "rent", "kind": "expense", "currency": "EUR"},
]


def transfers(count: int) -> list[dict[str, str]]:
    """Make transfers: three of four are sales, the rest is rent paid from the bank."""
    draw = random.Random(7)
    made = []
    for number in range(count):
        debit, credit = ("rent", "bank") if number % 4 == 3 else (draw.choice(["cash", "bank"]), "sales")
        amount = f"{draw.randrange(100, 50_000) / 100:.2f}"
        made.append({"id": f"t{number:04}", "debit": debit, "credit": credit, "currency": "EUR", "amount": amount})
    return made


def arrow_if_possible(rows: list[dict[str, str]]) -> object:
    """Turn rows into an Arrow table of whatever library is there; otherwise keep them."""
    try:
        import polars

        return polars.DataFrame(rows)
    except ImportError:
        pass
    try:
        import pyarrow

        return pyarrow.Table.from_pylist(rows)
    except ImportError:
        return rows


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, numbers to the right."""
    cells = [[f"{cell:,.2f}" if isinstance(cell, Decimal) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    is_number = [bool(cells) and column[0][:1].strip("-").isdigit() for column in zip(*cells, strict=True)] or [
        False
    ] * len(columns)
    print(f"\n{title}")
    for line in [list(columns), ["-" * width for width in widths], *cells]:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        )
        print("  " + "  ".join(padded).rstrip())


def run(folder: Path) -> None:
    """Take the whole tour."""
    me = ls.Key.generate("controller")
    me.save(folder / "controller.pem")
    path = folder / "books.ledger"
    ledger = ls.create(path, origin="acme.example/books", key=me, modules=["finance"])
    print(f"made {path.name}: {ledger.origin}, {ledger.size} transactions (genesis, and the module finance)")

    with ledger.transaction() as tx:  # all or none
        for account in ACCOUNTS:
            tx.append("finance.account", account)
    data = arrow_if_possible(transfers(1_000))
    result = ledger.append_many("finance.transfer", data, id="opening")
    print(f"appended {result.accepted} transfers from a {type(data).__name__}, {len(result.rejections)} refused")

    sales = ledger.query("finance.transfer", where={"debit": "cash", "amount": {">=": 400}}, limit=5)
    columns = ["id", "credit", "amount", "currency"]
    show(
        "cash sales of 400 or more (the first five)",
        columns,
        [[row[name] for name in columns] for row in sales.to_dicts()],
    )
    balances = [
        (account["id"], ledger.balance("finance.account", account["id"])["EUR"]["posted"]) for account in ACCOUNTS
    ]
    show("balances in EUR (debits above zero)", ["account", "posted"], balances)
    print(f"  they sum to {sum(amount for _, amount in balances)}")

    overdraft = {"id": "too-much", "debit": "rent", "credit": "cash", "currency": "EUR", "amount": "1000000"}
    try:
        ledger.append("finance.transfer", overdraft)
    except ls.RejectedError as error:
        print(f"\nan overdraft is refused\n  code  {error.code}\n  cell  {error.cell}\n  {error.message}")

    receipt = folder / "first.receipt"
    ledger.receipt(result.first).save(receipt)
    proven = ls.verify(receipt, trust=ledger.verifier_keys)  # offline: needs no ledger, only its public keys
    print(f"\n{receipt.name} verifies: {proven.outcome}, transaction {proven.index} of {proven.size}")
    print(f"  {proven.record}")
    forged = folder / "forged.receipt"
    forged.write_text(receipt.read_text().replace("sales", "salse"))
    try:
        ls.verify(forged, trust=ledger.verifier_keys)
    except ls.VerificationError as error:
        print(f"a forged copy does not: {error.code}")

    report = ledger.audit()  # re-reads every stored byte, and replays every decision
    print("\naudit\n  " + str(report).strip().replace("\n", "\n  "))
    exported = folder / "audit.parquet"
    ledger.export(exported, type="finance.transfer")
    ledger.close()
    print(f"\nexported {exported.name}: {exported.stat().st_size:,} bytes; the ledger has {path.stat().st_size:,}")


def main() -> None:
    """Run in the folder named, or in a temporary one."""
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True)
        run(folder)
        print(f"\nEverything is in {folder}/. Look around:  ledgerstone info {folder}/books.ledger")
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(Path(folder))


if __name__ == "__main__":
    main()
