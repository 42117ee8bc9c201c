"""Builds the documentation's site: site.py TARGET. Pages as they stand in the repository, the Python reference, and rustdoc.

The pages are put side by side as in the repository, so that a link works in both places; a link to nothing stops the build.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs", "schemas", "examples"]
LEFT_OUT = shutil.ignore_patterns("*.rs", "Cargo.toml", "__pycache__")


def main(target: Path) -> None:
    """Build under the target folder, from nothing."""
    site = target / "site"
    shutil.rmtree(site, ignore_errors=True)
    pages = site / "pages"
    pages.mkdir(parents=True)
    for name in PAGES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, pages / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, pages / name)
    reference = [sys.executable, str(ROOT / ".ci/reference.py"), str(ROOT / "python/ledgerstone")]
    made = subprocess.run(reference, check=True, capture_output=True, text=True)
    (pages / "docs/PYTHON.md").write_text(made.stdout, encoding="utf-8")
    shutil.copy(ROOT / "zensical.toml", site)
    zensical = [str(Path(sys.executable).with_name("zensical")), "build", "--strict"]
    subprocess.run([*zensical, "--config-file", str(site / "zensical.toml")], check=True, cwd=site)
    # The search of rustdoc needs all of its files; they are the larger part of the site.
    shutil.copytree(target / "doc", site / "html/rust")
    print(f"the site is in {site / 'html'}: open index.html, and rust/ledgerstone/index.html for Rust")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
