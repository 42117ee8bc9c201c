"""How things show themselves: a line of progress in a terminal or a notebook, and tables. Imported when first needed."""

import html
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_CELL_CHARS = 60
_REFRESH_SECONDS = 0.1
_PATIENCE_SECONDS = 0.5


def reporter(
    what: str, choice: Callable[[dict[str, int]], object] | bool | None
) -> Callable[[dict[str, int]], object] | None:
    """Who is told of progress: whom the caller named; nobody; or, left open, whoever looks at a terminal or a notebook."""
    if callable(choice):
        return choice
    if choice not in (None, True, False):
        raise TypeError("progress is a callable, True, False or None")
    if choice is False:
        return None
    display = _notebook_display()
    if display is not None:
        return Line(what, display)
    if sys.stderr is not None and sys.stderr.isatty():
        return Line(what, _Terminal())
    return None


def finish(told: object) -> None:
    """Ends the line, where it is ours."""
    if isinstance(told, Line):
        told.close()


class Line:
    """One line that is written over while work goes on: what is done, and how fast. Short work shows none."""

    def __init__(self, what: str, show: Callable[[str, bool], None]) -> None:
        self._what = what
        self._show = show
        self._started = time.monotonic()
        self._shown = 0.0
        self._text = ""

    def __call__(self, progress: Mapping[str, int]) -> None:
        self._text = self._line(progress)
        now = time.monotonic()
        if now - self._started >= _PATIENCE_SECONDS and now - self._shown >= _REFRESH_SECONDS:
            self._shown = now
            self._show(self._text, False)

    def close(self) -> None:
        """Leaves the last state to be read, where any was shown."""
        if self._shown:
            self._show(self._text, True)

    def _line(self, progress: Mapping[str, int]) -> str:
        unit, done = next(iter(progress.items()))
        seconds = max(time.monotonic() - self._started, 1e-6)
        line = f"{self._what}: {done:,} {unit}, {done / seconds:,.0f}/s"
        if progress.get("of"):
            line += f", {done / progress['of']:.0%}"
        if progress.get("rejected"):
            line += f", {progress['rejected']:,} rejected"
        return line


class _Terminal:
    def __call__(self, line: str, last: bool) -> None:
        sys.stderr.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
        sys.stderr.flush()


def _notebook_display() -> Callable[[str, bool], None] | None:
    """Shows in a Jupyter cell, where this runs in one. IPython is never imported: a notebook has done so."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or "IPKernelApp" not in getattr(shell, "config", {}):
        return None
    from IPython.display import HTML, display  # type: ignore[import-not-found,unused-ignore]

    handle = display(HTML(""), display_id=True)
    return lambda line, _last: handle.update(HTML(f"<pre>{html.escape(line)}</pre>"))


def table(caption: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as an HTML table; everything in it is escaped."""
    rows = list(rows)
    if columns is None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in columns) + "</tr>" for row in rows)
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return html.escape(text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…")
