"""What modules declare, and modules that are tried before they are loaded."""

from decimal import Decimal
from pathlib import Path

import ledgerstone as ls
import pyarrow as pa
import pytest
from books import transfer

ACCOUNTS = [
    {"id": "cash", "kind": "asset", "currency": "EUR", "floor": "0"},
    {"id": "sales", "kind": "income", "currency": "EUR"},
]


def test_types_and_schemas_are_told(ledger: ls.Ledger) -> None:
    types = ledger.types()
    assert "finance.transfer" in types
    assert "ledger.member" in types
    for name in types:
        schema = ledger.schema(name)
        told = schema.to_dict()
        assert (schema.type, schema.version, schema.doc) == (told["type"], told["version"], told["doc"])
        assert schema.fields == told["fields"]
        assert {rule["reach"] for rule in schema.rules} <= {"local", "general"}
        assert told["reach"] == ("general" if any(rule["reach"] == "general" for rule in schema.rules) else "local")
        assert name in repr(schema)
        assert f"<caption>{name}" in schema._repr_html_()
    with pytest.raises(ls.SchemaError, match=r"finance\.transfer"):
        ledger.schema("finance.transfers")


def test_a_schema_is_an_arrow_schema(ledger: ls.Ledger) -> None:
    schema = ledger.schema("finance.transfer")
    columns = pa.schema(schema)
    assert columns == pa.table(ledger.query("finance.transfer")).schema
    assert columns.names == [field["name"] for field in schema.fields if "." not in field["name"]]


def test_records_are_tried_without_a_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    records = [*(("finance.account", account) for account in ACCOUNTS)]
    records += [("finance.transfer", transfer("t1")), ("finance.transfer", transfer("t1"))]
    records += [
        ("finance.transfer", transfer("t2", 1.5)),
        ("finance.transfer", transfer("t3", "99", debit="sales", credit="cash")),
    ]
    trial = ls.try_module("finance", records)
    assert [(tried.outcome, tried.code, tried.field) for tried in trial.records] == [
        ("accepted", None, None),
        ("accepted", None, None),
        ("accepted", None, None),
        ("rejected", "finance.duplicate", "id"),
        ("rejected", "ledger.wrong_type", "amount"),
        ("rejected", "finance.insufficient_funds", "amount"),
    ]
    assert trial.refused == trial.records[3:]
    assert "cash" in (trial.refused[2].cell or "")
    posted = {cell.key: cell.value["posted"] for cell in trial.cells if cell.name == "balance"}
    assert posted == {("cash",): Decimal("12.5"), ("sales",): Decimal("-12.5")}
    assert "finance.insufficient_funds" in trial._repr_html_()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_tried_with_what_it_needs(tmp_path: Path) -> None:
    schema = tmp_path / "notes.toml"
    schema.write_text(
        '[module]\nname = "notes"\nversion = 1\ntitle = "Notes"\n[roles.writer]\ndoc = "Writes"\n'
        '[types.note]\ndoc = "A note"\nauthorise = ["writer"]\n[types.note.fields]\ntext = { type = "text", max = 3 }\n'
    )
    trial = ls.try_module(
        schema, {"notes.note": [{"text": "abc"}, {"text": "abcd"}], "finance.account": ACCOUNTS}, modules=["finance"]
    )
    assert [tried.code for tried in trial.records] == [None, "ledger.too_long", None, None]
    with pytest.raises(ls.SchemaError, match="record 0: "):
        ls.try_module(schema, [("notes.nothing", {})])
    with pytest.raises(TypeError, match="pairs of a type and a dict"):
        ls.try_module(schema, ["notes.note"])  # type: ignore[list-item]
    schema.write_text("[module]\nname = 3\n")
    with pytest.raises(ls.SchemaError, match=r"notes\.toml"):
        ls.try_module(schema, [])


def test_files_that_refer_to_each_other_are_read_together(tmp_path: Path) -> None:
    def module(name: str, version: int, rule: str = "") -> Path:
        path = tmp_path / f"{name}-{version}.toml"
        path.write_text(
            f'[module]\nname = "{name}"\nversion = {version}\ntitle = "Things"\n[roles.clerk]\n[types.thing]\n'
            'doc = "A thing"\nauthorise = ["clerk"]\n[types.thing.fields]\nid = { type = "text", required = true }\n'
            f'[[types.thing.rules]]\nunique = ["id"]\n{rule}'
        )
        return path

    refers = '[[types.thing.rules]]\nref = "loans.thing"\nat = ["id"]\n'
    loans, repay, later = module("loans", 1), module("repay", 1, refers), module("repay", 2, refers)
    with pytest.raises(ls.SchemaError, match=r"loans\.thing") as alone:
        ls.check_module(repay)
    assert alone.value.file == str(repay)
    checked = ls.check_module(later, modules=[loans], follows=repay)
    assert (checked.name, checked.version, checked.demands) == ("repay", 2, [])
    assert [schema.type for schema in checked.schemas] == ["repay.thing"]
    assert checked.roles == {"repay.clerk": ""}
    assert "repay.thing" in checked._repr_html_()
    with pytest.raises(ls.RejectedError, match="repay") as older:
        ls.check_module(repay, modules=[loans], follows=later)
    assert older.value.code == "ledger.module_upgrade"
