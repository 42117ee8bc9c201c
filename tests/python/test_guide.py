"""The schema guide: every module in it is loaded, and every table of records is tried, in the order of the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import ROOT, Block, blocks
from tries import Bench

GUIDE = ROOT / "docs" / "SCHEMA.md"


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


LESSONS = [(page, lesson) for page in [GUIDE] for lesson in lessons(page)]


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
