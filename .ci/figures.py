"""Puts measured figures into the table of README.md, between its markers: figures.py FIGURES.json README.md."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
IMPORTS = 21
BY_HAND = "`json`, `hashlib.sha3_256`, `executemany`"


def import_seconds(statement: str) -> float:
    """Measure a fresh interpreter that runs the statement: the median."""
    times = []
    for _ in range(IMPORTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", statement], check=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def import_ratio() -> float:
    """Measure `import ledgerstone` in parts of `import sqlite3, json, decimal`, without the interpreter's start."""
    start = import_seconds("pass")
    ours, theirs = import_seconds("import ledgerstone"), import_seconds("import sqlite3, json, decimal")
    return (ours - start) / (theirs - start)


def cpu() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def table(figures: dict) -> str:
    """Write the figures as a table."""
    million = f"{figures['rows']:,}"
    rows = [
        (
            f"append {million} transfers from an Arrow table, {figures['accounts']:,} accounts",
            f"{figures['append_rows_per_s']:,.0f} rows/s",
            f"{figures['append_to_plain']:.2f} of a plain insert of them ({figures['plain_rows_per_s']:,.0f} rows/s)",
        ),
        *(
            (
                f"append {figures['dict_rows']:,} dicts of {fields} fields from Python",
                f"{figures[name]['rows_per_s']:,.0f} rows/s",
                f"{figures[name]['to_by_hand']:.2f} times a hash chain by hand, {BY_HAND} "
                f"({figures[name]['by_hand_rows_per_s']:,.0f} rows/s)",
            )
            for name, fields in (("dicts_5", 5), ("dicts_10", 10))
            if name in figures
        ),
        (
            f"query {million} records to Arrow",
            f"{figures['query_rows_per_s']:,.0f} rows/s",
            f"{figures['query_to_append']:.1f} times the append rate",
        ),
        (
            "audit: re-read, re-hash, replay",
            f"{figures['audit_rows_per_s']:,.0f} rows/s",
            f"{figures['audit_to_append']:.1f} times the append rate",
        ),
        (
            "one durable transfer",
            f"{figures['single_us']:,.0f} µs, {figures['single_wal_bytes'] / 1024:,.0f} KiB of WAL",
            f"{figures['single_to_plain']:.1f} times a plain one-row commit ({figures['plain_single_us']:,.0f} µs)",
        ),
        (
            f"statement of one account in {figures['reading_rows']:,} transfers",
            f"{figures['statement_us']:,.0f} µs",
            f"{figures['statement_to_plain']:.2f} of an indexed SQLite table ({figures['plain_statement_us']:,.0f} µs)",
        ),
        (
            "query by an indexed value, as many transfers",
            f"{figures['by_value_us']:,.0f} µs",
            f"{figures['by_value_to_plain']:.2f} of an indexed SQLite table ({figures['plain_by_value_us']:,.0f} µs)",
        ),
        ("history of one account, as many transfers", f"{figures['history_us']:,.0f} µs", ""),
        (
            f"open a ledger of {figures['open_rows']:,} transfers",
            f"{figures['open_us']:,.0f} µs",
            f"{figures['open_to_small']:.1f} times one of {figures['accounts']:,} records",
        ),
        ("file", f"{figures['bytes_per_transfer']:,.0f} bytes a transfer", "everything included"),
        (
            f"peak memory, {figures['memory_rows']:,} rows from a reader",
            f"{figures['memory_peak_mib']:,.0f} MiB",
            "",
        ),
        (
            "`import ledgerstone`",
            f"{figures['import_to_standard']:.2f}",
            "times `import sqlite3, json, decimal`",
        ),
    ]
    lines = ["| what | measured | beside it |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [
        "",
        f"Medians of {figures['runs']} runs on {cpu()}, {os.cpu_count()} cores; the plain insert is SQLite in the same "
        "process, `synchronous=FULL`, 10,000 rows a commit, `id TEXT PRIMARY KEY`, no hashing. Repeat: `make bench`.",
    ]
    return "\n".join(lines)


def main(figures_path: str, readme_path: str) -> None:
    """Measure what is Python's, and rewrite the table."""
    figures = json.loads(Path(figures_path).read_text())
    figures["import_to_standard"] = import_ratio()
    Path(figures_path).write_text(json.dumps(figures, indent=2) + "\n")
    readme = Path(readme_path).read_text()
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{readme_path}: the markers {BEGIN} and {END} are not there")
    Path(readme_path).write_text(f"{head}{begin}\n{table(figures)}\n{end}{tail}")
    print(table(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
