"""The code in the pages runs as it stands, page by page, in an empty folder."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pages import PAGES, ROOT, Block, blocks

# The page of the command is made from the command; test_command_examples.py runs its examples.
RUN = [
    page for page in PAGES if page.name != "CLI.md" and any(b.language in {"python", "console"} for b in blocks(page))
]


def test_the_readme_shows_code_on_its_first_screen() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:50]
    assert "```python" in first_screen
    assert any("make demo" in line for line in first_screen)
    assert any("make test" in line for line in first_screen)


def test_there_are_pages_to_run() -> None:
    assert {"README.md", "QUICKSTART.md"} <= {page.name for page in RUN}


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            # Blank lines in front, so that a traceback names the line of the page.
            exec(compile("\n" * block.line + block.text, page, "exec"), names)
        elif block.language == "console":
            run_in_a_shell(block)
        elif block.language == "toml" and (name := re.search(r'^name = "(\w+)"', block.text, re.MULTILINE)):
            Path(f"{name[1]}.toml").write_text(block.text, encoding="utf-8")


def run_in_a_shell(block: Block) -> None:
    """Run each `$ command`; what stands below it has to be what it prints, `...` being anything."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for piece in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, expected = piece.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, f"line {block.line}: {command}: {done.stderr}"
        is_as_expected = doctest.OutputChecker().check_output(
            expected, done.stdout, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        )
        assert is_as_expected, f"line {block.line}: {command}: {done.stdout}"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
