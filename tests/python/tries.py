"""Runs the tables of tries: records that are appended one after the other, and what is said to become of each.

A whole module in a page is loaded into a new ledger; the tables below it are tried there. The columns of a table are

    record     code spans, each a type and its fields as JSON: `tool {"number": "7"}`. Several are one transaction
    outcome    accepted, a code in backticks (rejected), or flagged or held and a code
               `plain=True` beside a record: its private fields may hold values
    who        where it is there: who appends, and who endorses. `ada (clerk) + bob (manager)`; a person gets the roles in
               parentheses when first named; without a name it is the one who loaded the module

`{ada}` in a record stands for the member's id.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pytest
from pages import Block, rows

PLAIN = "plain=True"
_PERSON = re.compile(r"(?P<name>\w+)(?: \((?P<roles>[\w., ]+)\))?")
_OUTCOME = re.compile(r"(?P<outcome>accepted|flagged|held)?\s*(?:`(?P<code>[\w.]+)`)?(?: – .*)?")


class Bench:
    """A ledger with the modules of a page, and the people of its tables."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys = {"loader": ls.Key.generate("loader")}
        self._members: dict[str, str] = {}
        self._author = "loader"
        self._ledger: ls.Ledger | None = None
        self._module = ""

    @property
    def ledger(self) -> ls.Ledger:
        """The ledger, open for the loader."""
        return self._as("loader")

    def load(self, block: Block) -> None:
        """Load a module into this ledger, making it first where it is not there."""
        found = re.search(r'^name = "(\w+)"', block.text, re.MULTILINE)
        assert found, f"line {block.line}: no module"
        path = self._folder / f"{found[1]}-{block.line}.toml"
        path.write_text(block.text, encoding="utf-8")
        refused = block.note.partition("refused: ")[2]
        if refused:
            with pytest.raises(ls.LedgerError, match=re.escape(refused)):
                self._load(path)
            return
        self._load(path)
        self._module = found[1]

    def _load(self, path: Path) -> None:
        if self._ledger is None:
            key = self._keys["loader"]
            self._ledger = ls.create(self._folder / "bench.ledger", origin="guide.example", key=key, modules=[path])
        else:
            self.ledger.load_module(path)

    def tries(self, block: Block) -> int:
        """Append the records of a table, and compare what became of them; gives their number."""
        count = 0
        for count, row in enumerate(rows(block.text), 1):
            people = [self._person(name) for name in row.get("who", "loader").split("+")]
            spans = re.findall(r"`([^`]+)`", row["record"])
            records = [self._record(span) for span in spans if span != PLAIN]
            assert records, f"line {block.line}, row {count}: no record in {row['record']}"
            expected = _OUTCOME.fullmatch(row["outcome"])
            assert expected, f"line {block.line}, row {count}: {row['outcome']} is no outcome"
            wanted = (expected["outcome"] or "rejected", self._full(expected["code"]))
            found, words = self._try(people, records, plain=PLAIN in spans)
            assert found == wanted, f"line {block.line}, row {count}: {row['record']}: {found} {words}, not {wanted}"
        return count

    def _try(
        self, people: list[str], records: list[tuple[str, Any]], *, plain: bool
    ) -> tuple[tuple[str, str | None], str]:
        author, *endorsers = people
        ledger = self._as(author)
        try:
            signing: dict[str, Any] = {"endorsers": [self._keys[name] for name in endorsers]} if endorsers else {}
            if plain:
                signing["plain"] = True
            warned = pytest.warns(ls.PlainPrivateWarning) if plain else contextlib.nullcontext()
            with warned, ledger.transaction(**signing) as transaction:
                for record in records:
                    transaction.append(*record)
            appended = transaction.result
        except ls.RejectedError as error:
            return ("rejected", error.code), error.message
        assert appended
        verified = [ls.verify(ledger.receipt(appended.row(n)), trust=ledger.verifier_keys) for n in range(len(records))]
        worst = next((one for one in verified if one.outcome != "accepted"), verified[0])
        return (worst.outcome, worst.code), worst.record

    def _full(self, code: str | None) -> str | None:
        return code if code is None or "." in code else f"{self._module}.{code}"

    def _record(self, span: str) -> tuple[str, Any]:
        type, _, data = span.partition(" ")
        for name, member in self._members.items():
            data = data.replace(f"{{{name}}}", member)
        return type if "." in type else f"{self._module}.{type}", json.loads(data)

    def _person(self, text: str) -> str:
        found = _PERSON.fullmatch(text.strip())
        assert found, f"{text} is nobody"
        name = found["name"]
        if name not in self._keys:
            self._keys[name] = ls.Key.generate(name)
            ledger = self._as("loader")
            self._members[name] = ledger.admit(self._keys[name].public)
            for role in (found["roles"] or "").replace(" ", "").split(","):
                if role:
                    ledger.grant(self._members[name], role if "." in role else f"{self._module}.{role}")
        return name

    def _as(self, author: str) -> ls.Ledger:
        assert self._ledger
        if author != self._author:
            path = self._ledger.path
            self._ledger.close()
            self._ledger = ls.open(path, key=self._keys[author])
            self._author = author
        return self._ledger

    def close(self) -> None:
        """Audit what was made, and close it."""
        if self._ledger:
            self.ledger.audit().check()
            self._ledger.close()
