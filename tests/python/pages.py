"""What stands in the pages of the documentation: blocks of code, and tables of records with what becomes of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(
    r"(?:<!-- (?P<note>[^>]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_TABLE = re.compile(r"^\|(?P<head>[^\n]*\| outcome \|)\n\|[ |:-]+\|\n(?P<rows>(?:\|[^\n]*\|\n)+)", re.MULTILINE)


class Block(NamedTuple):
    """A piece of a page that a test can try."""

    line: int
    language: str
    """Of the fence; `tries` for a table."""
    text: str
    note: str
    """A comment in front of the fence, unseen by readers: what the test has to do with the block."""


def blocks(page: Path) -> list[Block]:
    """Every fenced block and every table of tries, in the order of the page."""
    text = page.read_text(encoding="utf-8")
    found = [(match.start(), match["language"], match["text"], match["note"] or "") for match in _FENCE.finditer(text)]
    found += [(match.start(), "tries", match[0], "") for match in _TABLE.finditer(text)]
    return [Block(text.count("\n", 0, start) + 1, *rest) for start, *rest in sorted(found)]


def rows(table: str) -> Iterator[dict[str, str]]:
    """The rows of a Markdown table, by column."""
    head, _, *lines = table.strip().splitlines()
    columns = _cells(head)
    for line in lines:
        yield dict(zip(columns, _cells(line), strict=True))


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]
