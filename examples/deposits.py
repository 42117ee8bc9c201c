"""A domain of one's own, from the schema file to the audit: deposits of tenancies.

    python examples/deposits.py [FOLDER]

The rules are in deposits.toml, which was written from docs/SCHEMA.md. Five people sign: an agent of the deposit scheme, a landlord, a
tenant, an adjudicator, and the one who made the ledger.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ledgerstone as ls

MODULE = Path(__file__).with_name("deposits.toml")
ROLES = {"ann": "agent", "lou": "landlord", "tim": "tenant", "ada": "adjudicator"}


class Scheme:
    """The scheme's ledger, and the people who sign in it."""

    def __init__(self, folder: Path) -> None:
        """Make the ledger, admit the people, give each a role."""
        self.path = folder / "deposits.ledger"
        self.keys = {name: ls.Key.generate(name) for name in ["maker", *ROLES]}
        self.members: dict[str, str] = {}
        with ls.create(self.path, origin="scheme.example/deposits", key=self.keys["maker"], modules=[MODULE]) as ledger:
            for name, role in ROLES.items():
                self.members[name] = ledger.admit(self.keys[name].public)
                ledger.grant(self.members[name], f"deposits.{role}")

    def append(self, who: str, type: str, record: Mapping[str, Any], endorser: str | None = None) -> ls.RowId | None:
        """Append a record in somebody's name, and print what becomes of it."""
        with ls.open(self.path, key=self.keys[who]) as ledger:
            transaction = ledger.transaction(endorsers=[self.keys[endorser]] if endorser else ())
            signers = f"{who} + {endorser}" if endorser else who
            try:
                with transaction as tx:
                    tx.append(f"deposits.{type}", record)
            except ls.RejectedError as error:
                print(f"  {signers:10} {type:9} refused: {error.code}: {error.message}")
                return None
            row = transaction.result.row()
            proven = ls.verify(ledger.receipt(row), trust=ledger.verifier_keys)
            print(f"  {signers:10} {type:9} {proven.outcome}{f': {proven.code}' if proven.code else ''}")
            return row


def play(folder: Path) -> None:
    """Let a tenancy run its course."""
    scheme = Scheme(folder)
    lou, tim = scheme.members["lou"], scheme.members["tim"]
    tenancy = {"id": "T1", "landlord": lou, "tenant": tim, "rent": "1200", "start": "2026-01-01"}

    print("A deposit is at most five weeks' rent, and is protected within thirty days")
    scheme.append("ann", "tenancy", {**tenancy, "deposit": "1500"})
    scheme.append("ann", "tenancy", {**tenancy, "deposit": "1200"})
    scheme.append("ann", "deposit", {"tenancy": "T1", "amount": "1000", "received": "2026-01-10"})
    scheme.append("ann", "deposit", {"tenancy": "T1", "amount": "1200", "received": "2026-02-10"})

    print("The landlord claims, the tenant answers, the adjudicator decides")
    photo = {"digest": bytes(32), "size": 48_211, "media_type": "image/jpeg", "name": "wall.jpg"}
    scheme.append("lou", "claim", {"id": "C1", "tenancy": "T1", "what": "Wall", "amount": "300", "evidence": photo})
    scheme.append("lou", "claim", {"id": "C2", "tenancy": "T1", "what": "Lost key", "amount": "40"})
    scheme.append("lou", "claim", {"id": "C3", "tenancy": "T1", "what": "Everything", "amount": "900"})
    scheme.append("lou", "answer", {"claim": "C1", "tenancy": "T1", "agrees": True})
    scheme.append("tim", "answer", {"claim": "C2", "tenancy": "T1", "agrees": True})
    scheme.append("tim", "answer", {"claim": "C1", "tenancy": "T1", "agrees": False})
    payout = {"tenancy": "T1", "to_landlord": "140", "to_tenant": "1060"}
    scheme.append("ann", "payout", payout, endorser="tim")
    decision = {"claim": "C1", "tenancy": "T1", "claimed": "300", "awarded": "100", "reasons": "Wear and tear, in part"}
    scheme.append("ada", "decision", decision)

    print("All of it is paid out, by two signatures")
    scheme.append("ann", "payout", payout)
    scheme.append("ann", "payout", {**payout, "to_tenant": "1000"}, endorser="tim")
    paid = scheme.append("ann", "payout", payout, endorser="tim")

    with ls.open(scheme.path, readonly=True) as ledger:
        ledger.receipt(paid).save(folder / "payout.receipt")
        proven = ls.verify(folder / "payout.receipt", trust=ledger.verifier_keys)
        print(f"The tenant keeps the receipt: {proven.data['to_tenant']} to him, {proven.outcome}")
        print("Claims:", *(f"{row['id']} {row['what']}" for row in ledger.query("deposits.claim")), sep="\n  ")
        report = ledger.audit().check()
        print(f"Audit: {report.verdict}, {report.records} records read again and decided again")


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
