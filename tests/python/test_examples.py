"""The examples run as they stand, and what they print is what the rules say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pages import ROOT

DEPOSITS = """
refused: deposits.deposit_too_high
accepted
refused: deposits.other_amount
flagged: deposits.protected_late
accepted
flagged: deposits.without_evidence
refused: deposits.over_deposit
refused: ledger.forbidden
accepted
accepted
refused: deposits.claims_open
accepted
refused: deposits.second_signature
refused: deposits.wrong_split
accepted
"""

TREASURY = """
held, finance.control_sum_differs
refused, finance.file_not_accepted
accepted
accepted
refused, finance.approval_needed
accepted
accepted
accepted
45,800 EUR
accepted
refused, finance.trade_not_affirmed
refused, finance.trade_unmatched
accepted
accepted
accepted
40 US0378331005 and 38,800 EUR
accepted
refused, finance.number_missing
refused, finance.number_gap
accepted
held, finance.statement_does_not_add_up
accepted
refused, finance.approval_needed
accepted
"""


@pytest.mark.parametrize(("name", "expected"), [("deposits.py", DEPOSITS), ("treasury.py", TREASURY)])
def test_an_example_prints_what_the_rules_say(name: str, expected: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", ROOT / "examples" / name, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *steps, audit = done.stdout.splitlines()
    steps = [line for line in steps if line.startswith("  ")][: len(expected.split("\n")) - 2]
    for step, outcome in zip(steps, expected.strip().splitlines(), strict=True):
        assert outcome in step, done.stdout
    assert audit.startswith("Audit: ok")
