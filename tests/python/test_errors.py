"""What goes wrong says so: the class, the fields, and what to do."""

import pickle
from collections.abc import Callable
from pathlib import Path

import ledgerstone as ls
import pyarrow as pa
import pytest
from books import transfer


def test_the_tree() -> None:
    assert issubclass(ls.ForbiddenError, ls.RejectedError)
    direct = [ls.RejectedError, ls.SchemaError, ls.VerificationError, ls.StoreError, ls.LimitError, ls.FaultError]
    assert all(error.__base__ is ls.LedgerError for error in direct)
    assert ls.LedgerError.__base__ is Exception


def test_an_overdraft_names_code_and_cell(ledger: ls.Ledger) -> None:
    with pytest.raises(ls.RejectedError, match="below the account's floor") as caught:
        ledger.append("finance.transfer", transfer("t1") | {"debit": "sales", "credit": "cash"})
    error = caught.value
    assert (error.code, error.type, error.row) == ("finance.insufficient_funds", "finance.transfer", 0)
    assert error.cell == '["finance.account","balance",["cash"],["EUR"]]'
    assert error.message.startswith("the balance")
    assert ledger.size == 3


def test_an_unknown_field_is_named(ledger: ls.Ledger) -> None:
    with pytest.raises(ls.RejectedError) as caught:
        ledger.append("finance.transfer", transfer("t1") | {"narative": "x"})
    assert (caught.value.code, caught.value.field) == ("ledger.unknown_field", "narative")
    assert 'did you mean "narrative"?' in caught.value.message
    table = pa.Table.from_pylist([transfer("t1") | {"narative": "x"}])
    with pytest.raises(ls.SchemaError, match='no field "narative", did you mean "narrative"'):
        ledger.append_many("finance.transfer", table)


def test_a_float_is_no_money(ledger: ls.Ledger) -> None:
    with pytest.raises(ls.RejectedError, match=r"decimal.Decimal or a string\), never a float") as caught:
        ledger.append("finance.transfer", transfer("t1", 12.5))
    assert caught.value.field == "amount"


def test_a_column_of_the_wrong_type_says_what_fits(ledger: ls.Ledger) -> None:
    table = pa.Table.from_pylist([transfer("t1", 12.5)])
    with pytest.raises(
        ls.SchemaError, match='column "amount" is Float64; a decimal field takes no floating point: cast'
    ):
        ledger.append_many("finance.transfer", table)
    table = pa.Table.from_pylist([transfer("t1") | {"debit": 5}])
    with pytest.raises(ls.SchemaError, match='column "debit" is Int64; a text field takes strings'):
        ledger.append_many("finance.transfer", table)
    with pytest.raises(ls.SchemaError, match="no table"):
        ledger.append_many("finance.transfer", pa.array([1, 2]))


def test_what_is_no_record_is_a_type_error(ledger: ls.Ledger) -> None:
    with pytest.raises(TypeError, match="a record is a dict of named values, not str"):
        ledger.append("finance.transfer", "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not str") as caught:
        ledger.append_many("finance.transfer", ["t1"])  # type: ignore[list-item]
    assert caught.value.__notes__ == ["in row 0"]
    with pytest.raises(TypeError, match="names of a record are strings"):
        ledger.append("finance.transfer", {1: 2})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        ledger.append_many("finance.transfer", 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mode is"):
        ledger.append_many("finance.transfer", [], mode="all")  # type: ignore[arg-type]


def test_paths_say_create_or_open(path: Path, me: ls.Key, ledger: ls.Ledger, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.ledger"
    with pytest.raises(ls.StoreError, match="no such ledger; `create` makes a new one") as caught:
        ls.open(missing)
    assert caught.value.path == str(missing)
    assert not missing.exists()
    with pytest.raises(ls.StoreError, match="exists, and nothing is overwritten") as caught:
        ls.create(path, origin="acme.example/books", key=me)
    assert caught.value.path == str(path)
    text = tmp_path / "text.ledger"
    text.write_text("no ledger" * 1_000)
    with pytest.raises(ls.StoreError, match="is not a ledger"):
        ls.open(text, readonly=True)


def test_names_that_are_none(path: Path, me: ls.Key, ledger: ls.Ledger, tmp_path: Path) -> None:
    with pytest.raises(ls.SchemaError, match='no shipped module "finanse", only finance'):
        ledger.load_module("finanse")
    with pytest.raises(ls.StoreError, match="No such file") as caught:
        ledger.load_module(tmp_path / "none.toml")
    assert caught.value.path == str(tmp_path / "none.toml")
    with pytest.raises(ls.SchemaError, match=r"no module in force declares the record type finance.transfers"):
        ledger.append("finance.transfers", {})
    with pytest.raises(ls.SchemaError, match="has no field amuont"):
        ledger.query("finance.transfer", where={"amuont": 1})
    with pytest.raises(ls.SchemaError, match='no operator "~"'):
        ledger.query("finance.transfer", where={"amount": {"~": 1}})
    with pytest.raises(ls.SchemaError, match="take a list"):
        ledger.query("finance.transfer", where={"amount": {"in": 1}})
    with pytest.raises(ls.SchemaError, match="takes 2 value"):
        ledger.query("finance.transfer", where={"amount": {"between": [1]}})
    with pytest.raises(ls.SchemaError, match="the origin"):
        ls.create(tmp_path / "other.ledger", origin="two words", key=me)


def test_a_schema_file_lists_every_fault(ledger: ls.Ledger, tmp_path: Path) -> None:
    schema = tmp_path / "bad.toml"
    schema.write_text('[module]\nname = "bad"\nversion = "1"\ntitle = "Bad"\n[types.x]\ndoc = 5\n')
    with pytest.raises(ls.SchemaError) as caught:
        ledger.load_module(schema)
    assert f"{schema}:3:" in str(caught.value)
    assert f"{schema}:6:" in str(caught.value)


def test_appending_needs_a_key(path: Path, ledger: ls.Ledger) -> None:
    ledger.close()
    with ls.open(path) as keyless, pytest.raises(ls.ForbiddenError, match="key=") as caught:
        keyless.append("finance.transfer", transfer("t1"))
    assert caught.value.code == "ledger.no_key"
    stranger = ls.Key.generate("stranger")
    with (
        ls.open(path, key=stranger) as strange,
        pytest.raises(ls.ForbiddenError, match="not that of a member") as caught,
    ):
        strange.append("finance.transfer", transfer("t1"))
    assert caught.value.code == "ledger.not_admitted"
    with ls.open(path, readonly=True) as reader, pytest.raises(ls.ForbiddenError, match="readonly") as caught:
        reader.append("finance.transfer", transfer("t1"))
    # The call is refused, not its first row; and what to do is said.
    assert str(caught.value).startswith("ledger.read_only: ")
    assert (caught.value.type, caught.value.remedy) == ("", "open it for writing, with its log key")


def test_a_damaged_file_is_named_and_a_modules_own_code_has_no_remedy(ledger: ls.Ledger, path: Path) -> None:
    with pytest.raises(ls.RejectedError) as refused:
        ledger.append("finance.transfer", transfer("t1") | {"debit": "nobody"})
    assert (refused.value.code, refused.value.remedy) == ("finance.account_not_open", None)
    ledger.close()
    path.write_bytes(path.read_bytes()[:8192])
    with pytest.raises(ls.StoreError, match="the file is damaged") as damaged:
        ls.open(path, readonly=True)
    assert (damaged.value.code, damaged.value.path) == ("ledger.storage_damaged", str(path))
    assert str(path) in str(damaged.value)


def test_roles_are_granted_and_withdrawn(path: Path, ledger: ls.Ledger, me: ls.Key) -> None:
    clerk = ls.Key.generate("clerk")
    member = ledger.admit(clerk.public)
    ledger.close()
    with ls.open(path, key=clerk) as ledger, pytest.raises(ls.ForbiddenError, match=r"finance.bookkeeper") as caught:
        ledger.append("finance.transfer", transfer("t1"))
    assert (caught.value.code, member in str(caught.value)) == ("ledger.forbidden", True)
    with ls.open(path, key=me) as ledger:
        ledger.grant(member, "finance.bookkeeper")
        found = {one.id: one for one in ledger.members()}[member]
        assert (found.keys, found.revoked, found.roles) == ([clerk.public], [], ["finance.bookkeeper"])
    with ls.open(path, key=clerk) as ledger:
        assert ledger.append("finance.transfer", transfer("t1")).is_new
    with ls.open(path, key=me) as ledger:
        ledger.withdraw(member, "finance.bookkeeper")
        with pytest.raises(ls.RejectedError, match="32 bytes"):
            ledger.append("ledger.member", {"member": "0" * 32, "key": b"short"})
        with pytest.raises(ls.RejectedError, match="32 bytes, this one 5"):
            ledger.admit(b"short")


def test_limits_are_named(ledger: ls.Ledger) -> None:
    with pytest.raises(ls.LimitError) as caught:
        ledger.append("finance.transfer", transfer("t1"), id="x" * 65)
    assert (caught.value.limit, caught.value.value, caught.value.bound) == ("ID_BYTES", 65, 64)


CLOSED: list[Callable[[ls.Ledger], object]] = [
    lambda ledger: ledger.append("finance.transfer", {}),
    lambda ledger: ledger.append_many("finance.transfer", []),
    lambda ledger: ledger.load_module("finance"),
    lambda ledger: ledger.query("finance.transfer"),
    lambda ledger: ledger.get("finance.transfer", "t1"),
    lambda ledger: ledger.balance("finance.account", "cash"),
    lambda ledger: ledger.checkpoint(),
    lambda ledger: ledger.receipt((0, 0)),
    lambda ledger: ledger.audit(),
    lambda ledger: ledger.export("x.parquet"),
    lambda ledger: ledger.members(),
    lambda ledger: ledger.modules(),
    lambda ledger: ledger.admit(b"0" * 32),
    lambda ledger: ledger.grant("", ""),
    lambda ledger: ledger.withdraw("", ""),
    lambda ledger: ledger.verifier_keys,
    lambda ledger: ledger.size,
]


def test_a_closed_ledger_says_so(ledger: ls.Ledger) -> None:
    query = ledger.query("finance.transfer")
    tx = ledger.transaction().__enter__()
    tx.append("finance.transfer", {})
    ledger.close()
    for call in [*CLOSED, lambda _: query.to_dicts(), lambda _: tx.__exit__(None, None, None)]:
        with pytest.raises(ls.StoreError, match="the ledger is closed"):
            call(ledger)
    assert repr(ledger).endswith('"acme.example/books", closed, path="' + str(ledger.path) + '")')
    assert ledger.origin == "acme.example/books"


def test_errors_can_be_pickled(ledger: ls.Ledger, tmp_path: Path) -> None:
    def failures() -> list[Callable[[], object]]:
        return [
            lambda: ledger.append("finance.transfer", {"id": 5}),
            lambda: ledger.append("nothing", {}),
            lambda: ls.open(tmp_path / "nothing"),
            lambda: ledger.append("finance.transfer", {}, id="x" * 65),
            lambda: ls.verify_checkpoint("x", ledger.verifier_keys),
            lambda: ls.open(ledger.path, readonly=True).append("finance.transfer", {}),
        ]

    for failure in failures():
        with pytest.raises(ls.LedgerError) as caught:
            failure()
        copy = pickle.loads(pickle.dumps(caught.value))
        assert (type(copy), str(copy), vars(copy)) == (type(caught.value), str(caught.value), vars(caught.value))
