"""Every example in the help of the command runs, as it stands on the page of the command, in a folder with the files that it names."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import ledgerstone as ls
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from books import transfer
from pages import ROOT

EXAMPLES = sorted(set(re.findall(r"^  (ledgerstone .*)$", (ROOT / "docs" / "CLI.md").read_text("utf-8"), re.MULTILINE)))
KEY = "--key me.pem"
# What has to have been done before.
BEFORE = {
    "--withdraw": f"ledgerstone grant books.ledger MEMBER finance.bookkeeper {KEY}",
    "ledgerstone resume": f"ledgerstone suspend books.ledger finance {KEY}",
    "ledgerstone keys rotate ": "ledgerstone keys generate new.pem",
    "--remove": "ledgerstone keys passwd me.pem --new-passphrase-file words.txt",
    "ledgerstone create": "rm books.ledger* me.pem; ledgerstone keys generate me.pem",
    "ledgerstone load books.ledger finance": f"rm books.ledger*; ledgerstone create books.ledger --origin a.example/b {KEY}",
    "ledgerstone keys generate me.pem": "rm me.pem",
}
CLAIMS = """
[module]
name = "claims"
version = 1
title = "Claims"
[roles.clerk]
[types.claim]
authorise = ["clerk"]
release = ["clerk"]
[types.claim.fields]
id     = { type = "text", max = 16, required = true }
amount = { type = "decimal", precision = 12, scale = 2, required = true }
[[types.claim.rules]]
unique = ["id"]
[[types.claim.rules]]
require = "amount <= 100"
severity = "hold"
code = "large"
message = "somebody looks at large claims"
"""
LOANS = """
[module]
name = "loans"
version = 1
title = "Loans"
[roles.clerk]
[types.loan]
authorise = ["clerk"]
[types.loan.fields]
id      = { type = "text", max = 16, required = true }
account = { type = "text", max = 128, required = true }
[[types.loan.rules]]
unique = ["id"]
[[types.loan.rules]]
ref = "finance.account"
at = ["account"]
"""

REPAYMENTS = """
[module]
name = "repayments"
version = 1
title = "Repayments of loans"
[roles.clerk]
[types.repayment]
authorise = ["clerk"]
[types.repayment.fields]
loan = { type = "text", max = 16, required = true }
[[types.repayment.rules]]
ref = "loans.loan"
at = ["loan"]
"""


class Prepared(NamedTuple):
    """The folder, and what stands for the ids and keys of the examples."""

    folder: Path
    member: str
    public: str
    fresh: str


def fill(ledger: ls.Ledger) -> None:
    """Records at the places that the examples name: 7:0 is a transfer, 17:0 is held."""
    with ledger.transaction() as tx:
        tx.append("finance.account", {"id": "cash", "kind": "asset", "currency": "EUR", "name": "Till"})
        tx.append("finance.account", {"id": "sales", "kind": "income", "currency": "EUR"})
    hold = {"id": "h1", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "5"}
    ledger.append("finance.hold", hold)
    ledger.load_module("claims.toml")
    while ledger.size < 17:
        ledger.append("finance.transfer", transfer(f"t{ledger.size - 6}"))
    held = ledger.append("claims.claim", {"id": "c1", "amount": "900"})
    assert held.index == 17


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    before = Path.cwd()
    os.chdir(folder)
    try:
        return prepare(folder)
    finally:
        os.chdir(before)


def prepare(folder: Path) -> Prepared:
    me, other, fresh = (ls.Key.generate(name) for name in ("me", "other", "fresh"))
    me.save("me.pem")
    other.save("other.pem")
    Path("claims.toml").write_text(CLAIMS, "utf-8")
    Path("loans.toml").write_text(LOANS, "utf-8")
    Path("repayments.toml").write_text(REPAYMENTS, "utf-8")
    Path("words.txt").write_text("three plain words\n", "utf-8")
    finance = (ROOT / "schemas" / "finance.toml").read_text("utf-8")
    Path("finance-2.toml").write_text(finance.replace("\nversion = 1\n", "\nversion = 2\n", 1), "utf-8")
    account = '{"type": "finance.account", "data": {"id": "cash", "kind": "asset", "currency": "EUR"}}\n'
    loan = '{"type": "loans.loan", "data": {"id": "l1", "account": "cash"}}\n'
    Path("examples.jsonl").write_text(account + loan, "utf-8")
    Path("sales.csv").write_text("id,debit,credit,currency,amount\ns1,cash,sales,EUR,12.50\n", "utf-8")
    Path("payment.jsonl").write_text(
        '{"id": "p1", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "7.00"}\n', "utf-8"
    )
    with ls.create("books.ledger", origin="acme.example/books", key=me, modules=["finance"]) as ledger:
        member = ledger.admit(other.public)
        fill(ledger)
        ledger.export("sales.parquet", type="finance.transfer")
        proposal = ledger.propose([("finance.transfer", transfer("p2"))], "payment.proposal")
        for name in ("anna", "ben"):
            proposal.save(f"from-{name}.proposal")
        ledger.receipt((7, 0)).save("t1.receipt")
        Path("acme.keys").write_text("\n".join(ledger.verifier_keys) + "\n", "utf-8")
        for name in ("books-2026-10-31", "newest"):
            Path(f"{name}.checkpoint").write_text(ledger.checkpoint().note, "utf-8")
        ledger.backup("books-2026-10-31.ledger")
    sales = {"id": "s2", "debit": "cash", "credit": "sales", "currency": "EUR", "amount": "1.00"}
    write_parquet(Path("sales.parquet"), sales)
    return Prepared(folder, member, base64_of(other.public), base64_of(fresh.public))


def base64_of(public: bytes) -> str:
    return base64.b64encode(public).decode()


def write_parquet(path: Path, row: dict[str, str]) -> None:
    path.unlink(missing_ok=True)
    pq.write_table(pa.Table.from_pylist([row]), path)


def test_the_help_has_examples() -> None:
    assert len(EXAMPLES) > 60


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example: str, prepared: Prepared, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(prepared.folder, folder)
    (folder / "backup").mkdir()
    commands = [command for words, command in BEFORE.items() if words in example]
    script = "\n".join(["set -e", *commands, example])
    key = prepared.public if "revoke" in example else prepared.fresh
    script = script.replace("qf3…=", key).replace("/mnt/backup", "backup").replace("~/", "")
    # The ledger is of today.
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    script = script.replace("--as-of 2026-06-30", f"--as-of {tomorrow}").replace("--on 2026-06-30", f"--on {tomorrow}")
    script = re.sub("6f1c0d6a5f0e4b7a9c3d2e1f0a9b8c7d|MEMBER", prepared.member, script)
    for written in re.findall(r"> (\S+/)\S+$", example):
        (folder / written.removeprefix("~/")).mkdir(parents=True, exist_ok=True)
    bin = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
