"""The schema guide is true: its modules load, its tables of records come out as they say, its formats, expressions and rules exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ledgerstone as ls
import pytest
from pages import ROOT, Block, blocks, rows
from tries import Bench

GUIDE = ROOT / "docs" / "SCHEMA.md"
MINIATURES = sorted((ROOT / "tests" / "modules").glob("*.md"))


def lessons(page: Path) -> list[list[Block]]:
    """The modules and tables of a page, cut before each module that begins a new ledger."""
    cut: list[list[Block]] = []
    for block in blocks(page):
        is_module = block.language == "toml" and "[module]" in block.text
        if is_module and not block.note.startswith(("same ledger", "refused")):
            cut.append([])
        if is_module or (block.language == "tries" and cut):
            cut[-1].append(block)
    return cut


LESSONS = [(page, lesson) for page in [GUIDE, *MINIATURES] for lesson in lessons(page)]


@pytest.mark.parametrize(("page", "lesson"), LESSONS, ids=[f"{page.stem}-{lesson[0].line}" for page, lesson in LESSONS])
def test_a_lesson_is_true(page: Path, lesson: list[Block], tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    tried = 0
    for block in lesson:
        if block.language == "toml":
            bench.load(block)
        else:
            tried += bench.tries(block)
    assert tried, f"line {lesson[0].line}: a module that nothing is tried in"
    bench.close()


def table(*columns: str) -> list[dict[str, str]]:
    """The rows of every table of the guide that has these columns."""
    head = re.escape("| " + " | ".join(columns) + " |")
    text = GUIDE.read_text(encoding="utf-8")
    found = re.findall(rf"^{head}\n\|[ |:-]+\|\n(?:\|[^\n]*\|\n)+", text, re.MULTILINE)
    assert found, f"no table {columns}"
    return [row for one in found for row in rows(one)]


def code(cell: str) -> str:
    """What stands in the backticks of a cell."""
    (only,) = re.findall("`([^`]+)`", cell)
    return only


def ledger_of(folder: Path, source: str) -> ls.Ledger:
    path = folder / "probe.toml"
    path.write_text(source, encoding="utf-8")
    return ls.create(folder / "probe.ledger", origin="guide.example", key=ls.Key.generate("me"), modules=[path])


HEAD = '[module]\nname = "probe"\nversion = 1\ntitle = "Probe"\n[roles.me]\ndoc = "All"\n'


def test_formats_take_what_the_table_says(tmp_path: Path) -> None:
    formats = table("format", "what it is", "fits", "does not")
    types = [
        f'[types.t{n}]\nauthorise = ["me"]\n[types.t{n}.fields]\nx = {{ type = "text", format = "{code(row["format"])}" }}\n'
        for n, row in enumerate(formats)
    ]
    with ledger_of(tmp_path, HEAD + "".join(types)) as ledger:
        for n, row in enumerate(formats):
            ledger.append(f"probe.t{n}", {"x": code(row["fits"])})
            with pytest.raises(ls.LedgerError) as refused:
                ledger.append(f"probe.t{n}", {"x": code(row["does not"])})
            assert getattr(refused.value, "code", "") == "ledger.bad_format", row["format"]


FIELDS = """day = { type = "date", required = true }
nothing = { type = "text" }
lines = { type = "list", max = 10, item = { type = "struct", required = true, fields = { kind = { type = "text", required = true }, amount = { type = "decimal", precision = 12, scale = 2, required = true } } } }
"""
RECORD = {
    "day": "2028-02-29",
    "lines": [{"kind": "debit", "amount": "70"}, {"kind": "credit", "amount": "30"}],
}


def test_expressions_have_the_values_of_the_table(tmp_path: Path) -> None:
    expressions = table("expression", "value")
    assert len(expressions) >= 40
    types = []
    for n, row in enumerate(expressions):
        for name, operator in [("is", "=="), ("not", "!=")]:
            rule = f'require = "({code(row["expression"])}) {operator} ({code(row["value"])})"'
            head = f'[types.{name}{n}]\nauthorise = ["me"]\n[types.{name}{n}.fields]\n'
            types.append(f"{head}{FIELDS}[[types.{name}{n}.rules]]\n{rule}\n")
    with ledger_of(tmp_path, HEAD + "".join(types)) as ledger:
        wrong = []
        for n, row in enumerate(expressions):
            for name, is_true in [("is", True), ("not", False)]:
                try:
                    ledger.append(f"probe.{name}{n}", RECORD)
                    held = True
                except ls.RejectedError:
                    held = False
                if held != is_true:
                    wrong.append((row["expression"], row["value"], name))
        assert wrong == []


def modules() -> dict[str, Any]:
    """The record types of the shipped finance module and of the miniatures, by full name, and the modules themselves."""
    sources = [(ROOT / "schemas" / "finance.toml").read_text(encoding="utf-8")]
    sources += [block.text for page in MINIATURES for block in blocks(page) if block.language == "toml"]
    found: dict[str, Any] = {}
    for source in sources:
        module = tomllib.loads(source)
        name = module["module"]["name"]
        found[name] = module
        found |= {f"{name}.{type}": declared for type, declared in module["types"].items()}
    return found


def tables_within(value: Any) -> Iterator[dict[str, Any]]:
    """Every table of a TOML value, at any depth."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from tables_within(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from tables_within(inner)


def test_invariants_are_written_as_the_table_says() -> None:
    known = modules()
    invariants = table("invariant", "rule", "in")
    assert len(invariants) >= 60
    missing = []
    for row in invariants:
        for fragment in re.findall("`([^`]+)`", row["rule"]):
            wanted = tomllib.loads(f"x = {{ {fragment} }}")["x"]
            if not any(contains(found, wanted) for found in tables_within(known.get(code(row["in"])))):
                missing.append((code(row["in"]), fragment))
    assert missing == []


def contains(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a table has these entries, among others."""
    return all(name in found and found[name] == value for name, value in wanted.items())
