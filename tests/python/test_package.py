"""The package: what importing costs, what it exports, how things show themselves, the command."""

import base64
import copy
import inspect
import io
import pickle
import re
import subprocess
import sys
import types
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ledgerstone as ls
import ledgerstone._show as show
import pytest
from books import transfer, transfers
from ledgerstone import _core, exceptions

ROOT = Path(__file__).parents[2]


def test_importing_loads_no_other_package() -> None:
    code = (
        "import sys; before = set(sys.modules); import ledgerstone;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ledgerstone"]


def test_all_names_what_there_is() -> None:
    names = {
        name for name, value in vars(ls).items() if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert names | {"__version__"} == set(ls.__all__)
    assert sorted(ls.__all__) == list(ls.__all__)
    assert set(exceptions.__all__) <= set(ls.__all__)
    assert set(_core.__all__) - {"cli_main"} <= set(ls.__all__)


# Public names that need no example, and why.
WITHOUT_EXAMPLE = {
    "ForbiddenError": "raised as any RejectedError is",
    "FaultError": "what must not happen cannot be shown",
    "PlainPrivateWarning": "given, never made",
}


def test_everything_is_documented_with_an_example() -> None:
    undocumented, unshown = [], []
    for name in set(ls.__all__) - {"__version__"}:
        thing = getattr(ls, name)
        members = vars(thing).items() if inspect.isclass(thing) else []
        public = [(f"{name}.{member}", value) for member, value in members if not member.startswith("_")]
        # Plain values of classes are defaults of what instances have.
        plain = (types.MemberDescriptorType, str, type(None))
        public = [(at, value) for at, value in public if not isinstance(value, plain)]
        documented = [(name, thing), *public]
        undocumented += [at for at, value in documented if not (value.__doc__ or "").strip()]
        # What is called has an example of its own, or one of its class that calls it.
        of_class = thing.__doc__ or ""
        called = [(name, thing), *((at, value) for at, value in public if inspect.isroutine(value))]
        unshown += [
            at
            for at, value in called
            if ">>>" not in (value.__doc__ or "") and f"{at.rpartition('.')[2]}(" not in of_class.replace("``", "")
        ]
    assert undocumented == []
    assert sorted(set(unshown)) == sorted(WITHOUT_EXAMPLE), "an example is missing, or a reason is not needed any more"


def test_every_native_class_is_frozen() -> None:
    sources = sorted((ROOT / "rust/ledgerstone-python/src").glob("*.rs"))
    classes = [found for source in sources for found in re.findall(r"#\[pyclass\(([^]]*)\)\]", source.read_text())]
    assert len(classes) >= 7
    assert [found for found in classes if not found.startswith("frozen")] == []


def test_unsafe_code_stands_in_one_file() -> None:
    sources = {source.name: source.read_text() for source in (ROOT / "rust/ledgerstone-python/src").glob("*.rs")}
    code = {name: re.sub(r"//.*", "", text) for name, text in sources.items()}
    assert [name for name, text in code.items() if re.search(r"\bunsafe\b *[{(]|\bunsafe (fn|impl)", text)] == [
        "arrow.rs"
    ]


def test_things_show_themselves(ledger: ls.Ledger) -> None:
    assert repr(ledger) == f'Ledger("acme.example/books", size=3, path="{ledger.path}")'
    assert "acme.example/books" in ledger._repr_html_()
    with ledger.transaction() as tx:
        tx.append("finance.transfer", transfer("t1"))
        assert repr(tx) == "Transaction(open, 1 records)"
    assert repr(tx) == "Transaction(Appended(index=3, count=1, is_new=True))"
    result = ledger.append_many("finance.transfer", [transfer("t1")])
    assert repr(result.rejections).startswith(
        "Rejections(1 rows, the first: finance.transfer row 0, field id: finance.duplicate"
    )
    assert repr(ledger.append_many("finance.transfer", []).rejections) == "Rejections(0 rows)"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_line_where_somebody_looks(ledger: ls.Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    for looks, patience, shown in [(Terminal(), 0, True), (Terminal(), 60, False), (io.StringIO(), 0, False)]:
        monkeypatch.setattr(show, "_PATIENCE_SECONDS", patience)
        monkeypatch.setattr(sys, "stderr", looks)
        ledger.append_many("finance.transfer", [*transfers(10, f"{patience}{shown}"), transfer("x", 1.5)])
        ledger.audit()
        text = looks.getvalue()
        assert ("finance.transfer: 11 rows" in text, "1 rejected" in text, text.endswith("\n")) == (shown,) * 3
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    ledger.audit(progress=False)
    assert terminal.getvalue() == ""


def test_a_notebook_gets_html(ledger: ls.Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    notebook: Any = types.ModuleType("IPython")
    notebook.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
    notebook.display = types.ModuleType("IPython.display")
    notebook.display.HTML = str
    notebook.display.display = lambda html, display_id: types.SimpleNamespace(update=shown.append)
    monkeypatch.setattr(show, "_PATIENCE_SECONDS", 0)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", notebook.display)
    ledger.audit()
    assert shown[-1].startswith("<pre>audit: 3 transactions")


def test_tables_are_escaped_and_short() -> None:
    html = show.table("<b>", [{"a": "<i>", "b": None}, {"a": "x" * 100}])
    assert "<b>" not in html
    assert "&lt;i&gt;" in html
    assert "…" in html


def test_the_command_is_installed(path: Path, ledger: ls.Ledger) -> None:
    done = subprocess.run([sys.executable, "-m", "ledgerstone", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "audit" in done.stdout
    command = Path(sys.executable).with_name("ledgerstone")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout.split()[-1] == ls.__version__
    done = subprocess.run([command, "no-such-verb"], capture_output=True, text=True, check=False)
    assert done.returncode == 2


def test_what_is_known_travels(ledger: ls.Ledger) -> None:
    """Receipts, results, facts and errors are pickled and copied; what is open is not, and says what to do."""
    result = ledger.append_many("finance.transfer", [transfer("t1"), transfer("t1"), transfer("t2", 1.5)])
    receipt = ledger.receipt(result.first)
    record = ledger.get("finance.transfer", "t1")
    for known in (receipt, result, record, ledger.checkpoint(), ledger.audit(), ledger.members(), result.first):
        for again in (pickle.loads(pickle.dumps(known)), copy.copy(known), copy.deepcopy(known)):
            assert again == known
            assert repr(again) == repr(known)
    again = pickle.loads(pickle.dumps(result))
    assert [again.row(row) for row in range(4)] == [result.row(row) for row in range(4)]
    assert list(pickle.loads(pickle.dumps(result.rejections))) == list(result.rejections)
    for open_thing, words in [
        (ledger, "open it there by its path"),
        (ls.Key.generate("me"), "save it to a file"),
        (ledger.query("finance.transfer"), "send the rows"),
    ]:
        with pytest.raises(TypeError, match=words):
            pickle.dumps(open_thing)


NASTY = "<script>"


def everything(ledger: ls.Ledger, me: ls.Key, tmp_path: Path) -> list[Any]:
    """One of each class that can be had, with a text in it that HTML must not run."""
    ledger.append("finance.commodity", {"code": "AAPL", "exponent": 0, "name": NASTY})
    result = ledger.append_many(
        "finance.commodity", [{"code": "MSFT", "exponent": NASTY}, {"code": NASTY * 8, "exponent": 0}]
    )
    trial = ls.try_module("finance", [("finance.commodity", {"code": NASTY, "exponent": NASTY})])
    accounts = [{"id": NASTY, "currency": "EUR", "kind": "asset"}]
    state = ls.try_module("finance", {"finance.account": accounts}).cells
    schema = tmp_path / "nasty.toml"
    schema.write_text(
        f"[module]\nname = 'nasty'\nversion = 1\ntitle = '{NASTY}'\n[roles.r]\n[types.t]\ndoc = '{NASTY}'\n"
        "authorise = ['r']\n[types.t.fields]\nid = { type = 'text' }\n"
    )
    record = ledger.get("finance.commodity", "AAPL")
    receipt = ledger.receipt(record)
    proposal = ledger.propose([("finance.commodity", {"code": "GOOG", "exponent": 0, "name": NASTY})])
    clerk = ls.Key.generate(NASTY)
    endorsed = proposal.endorse(clerk, member=ledger.admit(clerk.public), meaning=NASTY)
    member = ledger.members()[0]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    doubt = ls.Doubt(NASTY, bytes(32), now, revoked=9)
    finding = ls.Finding("content changed", "chunks", 3, None, NASTY)
    assert record is not None
    return [
        *(me, clerk, ledger, result, result.rejections, trial, *trial.records, *state, record, record.row, receipt),
        *(receipt.verify(ledger.verifier_keys), ledger.query("finance.commodity"), ledger.schema("finance.commodity")),
        *(ledger.history("finance.account", "cash"), ledger.statement("finance.account", "cash"), ledger.audit()),
        *(ledger.transaction(), proposal, endorsed, *endorsed.endorsements, member, *member.history, *member.grants),
        *(ledger.modules()[0], ledger.module_history()[0], ledger.log_keys()[0], ledger.checkpoint(), ls.errors()[0]),
        *(ledger.backup(tmp_path / "copy.ledger"), ledger.append("finance.commodity", {"code": "IBM", "exponent": 0})),
        ls.check_module(schema),
        *(ls.Outcome("held", "orders.large", NASTY), ls.Grant(NASTY, 7, None, now), doubt, finding),
    ]


def test_everything_shows_itself_escaped(ledger: ls.Ledger, me: ls.Key, tmp_path: Path) -> None:
    things = everything(ledger, me, tmp_path)
    public = [getattr(ls, name) for name in ls.__all__ if name != "__version__"]
    classes = {one for one in public if inspect.isclass(one) and not issubclass(one, (Exception, Mapping))}
    # What a query, a statement and a history are has no things of its own.
    assert {type(thing) for thing in things} >= classes - {ls.Reading}
    for thing in things:
        assert type(thing).__name__ in repr(thing)
        html = thing._repr_html_()
        assert html.startswith("<table>")
        assert NASTY not in html


def test_a_closed_ledger_shows_itself(ledger: ls.Ledger) -> None:
    ledger.close()
    assert "<td>closed</td>" in ledger._repr_html_()


def test_a_key_shows_nothing_of_its_private_half(me: ls.Key, tmp_path: Path) -> None:
    me.save(tmp_path / "me.pem")
    lines = (tmp_path / "me.pem").read_text().splitlines()
    body = base64.b64decode("".join(line for line in lines if ":" not in line and "-" not in line))
    # PKCS #8 of Ed25519 (RFC 8410): the seed follows two octet string headers.
    seed = body[body.index(b"\x04\x22\x04\x20") + 4 :][:32]
    assert len(seed) == 32
    for shown in (repr(me), me._repr_html_()):
        assert base64.b64encode(me.public).decode() in shown
        for secret in (seed.hex(), base64.b64encode(seed).decode().rstrip("="), repr(seed)):
            assert secret not in shown
