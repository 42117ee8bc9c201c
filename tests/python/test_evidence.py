"""Keys, receipts, checkpoints, audit and export: what leaves the ledger."""

import json
import pickle
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path

import ledgerstone as ls
import polars as pl
import pyarrow as pa
import pytest
from books import transfer, transfers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def test_key_files_are_those_of_openssl(tmp_path: Path, me: ls.Key) -> None:
    path = tmp_path / "me.pem"
    me.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    public = load_pem_private_key(path.read_bytes(), None).public_key()
    assert public.public_bytes(Encoding.Raw, PublicFormat.Raw) == me.public
    shown = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"], capture_output=True, check=True)
    assert b"ED25519" in shown.stdout.upper()
    loaded = ls.Key.load(str(path))
    assert (loaded.public, loaded.label) == (me.public, "controller")
    with pytest.raises(ls.StoreError, match="never overwritten"):
        me.save(path)


def test_openssl_keys_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "theirs.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    key = ls.Key.load(path)
    ledger = ls.create(tmp_path / "books.ledger", origin="acme.example/books", key=key)
    assert ledger.members()[0].keys == [key.public]
    path.write_text("no key")
    with pytest.raises(ls.StoreError, match=r"no PKCS#8 PEM private key") as caught:
        ls.Key.load(path)
    assert caught.value.path == str(path)
    with pytest.raises(ls.StoreError, match="no such key file"):
        ls.Key.load(tmp_path / "none.pem")


def test_a_key_says_nothing_secret(me: ls.Key) -> None:
    assert repr(me).startswith('Key("controller", public=')
    with pytest.raises(TypeError):
        pickle.dumps(me)


def test_a_receipt_is_saved_loaded_and_verified(ledger: ls.Ledger, tmp_path: Path) -> None:
    result = ledger.append_many("finance.transfer", [*transfers(100), transfer("t1"), *transfers(50, "u")])
    assert result.first is not None
    keys = ledger.verifier_keys
    path = tmp_path / "sale.receipt"
    for row in (0, 99, 100, 149):
        if (place := result.row(row)) is None:
            continue
        if row == 100:
            with pytest.raises(ls.SchemaError, match="keeps its hash, not its bytes"):
                ledger.receipt(place)
            continue
        ledger.receipt(place).save(path)
        proven = ls.verify(path, trust=keys)
        assert (proven.outcome, proven.code, proven.index, proven.position) == ("accepted", None, 3, place.position)
        assert (proven.origin, proven.size, proven.checked_sha3) == (ledger.origin, ledger.size, True)
        assert proven.data["amount"] == "1.25"
        assert json.loads(proven.record)["type"] == "finance.transfer"
        assert proven.time.tzinfo is not None
    receipt = ls.Receipt.load(path)
    assert pickle.loads(pickle.dumps(receipt)) == receipt == ls.Receipt(receipt.to_json())
    assert receipt.verify(keys[0]).checked_sha3 is False
    assert "not verified" in repr(receipt)
    assert "not verified" in receipt._repr_html_()
    assert "accepted" in receipt.verify(keys)._repr_html_()


def test_receipts_are_asked_for_in_many_ways(ledger: ls.Ledger) -> None:
    appended = ledger.append("finance.transfer", transfer("t1"))
    record = ledger.get("finance.transfer", "t1")
    assert record is not None
    receipts = [ledger.receipt(at) for at in (appended, record, appended.row(), (3, 0))]
    assert all(receipt == receipts[0] for receipt in receipts)
    with pytest.raises(TypeError, match="a record is named by"):
        ledger.receipt("t1")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a record is named by"):
        ledger.receipt(None)  # type: ignore[arg-type]
    with pytest.raises(ls.SchemaError, match="there is no transaction 99"):
        ledger.receipt((99, 0))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('\\"amount\\":\\"12.5\\"', '\\"amount\\":\\"99.5\\"', "content_changed"),
        ('\\"mode\\":\\"atomic\\"', '\\"mode\\":\\"each\\"', "link_broken"),
        ("acme.example/books\\n4", "acme.example/books\\n5", "link_broken"),
        ("receipt/v1", "receipt/v2", "unverifiable_version"),
        ('"path"', '"pfad"', "malformed"),
    ],
)
def test_a_changed_receipt_does_not_verify(ledger: ls.Ledger, tmp_path: Path, old: str, new: str, code: str) -> None:
    text = ledger.receipt(ledger.append("finance.transfer", transfer("t1"))).to_json()
    assert old in text
    path = tmp_path / "changed.receipt"
    path.write_text(text.replace(old, new))
    with pytest.raises(ls.VerificationError) as caught:
        ls.verify(path, trust=ledger.verifier_keys)
    assert caught.value.code == code


def test_trust_is_the_callers(ledger: ls.Ledger, tmp_path: Path, me: ls.Key) -> None:
    receipt = ledger.receipt((0, 0))
    other = ls.create(tmp_path / "other.ledger", origin="acme.example/books", key=me)
    for trust in ([], other.verifier_keys):
        with pytest.raises(ls.VerificationError) as caught:
            ls.verify(receipt, trust=trust)
        assert caught.value.code == "not_trusted"
    with pytest.raises(ls.VerificationError, match="not a verifier key"):
        ls.verify(receipt, trust="nonsense")
    with pytest.raises(TypeError):
        ls.verify(receipt)  # type: ignore[call-arg]
    with pytest.raises(ls.StoreError, match="No such file"):
        ls.verify(tmp_path / "none.receipt", trust=ledger.verifier_keys)


def test_checkpoints(ledger: ls.Ledger) -> None:
    newest = ledger.checkpoint()
    assert (newest.size, newest.origin) == (3, "acme.example/books")
    proven = ls.verify_checkpoint(newest.note, ledger.verifier_keys)
    assert (proven.size, proven.root, proven.note_sha3) == (3, newest.root, None)
    assert newest.note_sha3 is not None
    assert ls.verify_checkpoint(newest.note_sha3, ledger.verifier_keys[1]).origin == "acme.example/books/sha3-256"
    for note, code in [(newest.note.replace("\n3\n", "\n4\n"), "link_broken"), ("nothing", "malformed")]:
        with pytest.raises(ls.VerificationError) as caught:
            ls.verify_checkpoint(note, ledger.verifier_keys)
        assert caught.value.code == code
    with pytest.raises(ls.VerificationError) as caught:
        ls.verify_checkpoint(newest.note, ledger.verifier_keys[1])
    assert caught.value.code == "not_trusted"


def test_an_audit_reads_everything(ledger: ls.Ledger) -> None:
    note = ledger.checkpoint().note
    ledger.append_many("finance.transfer", [*transfers(100), transfer("t1")])
    told: list[dict[str, int]] = []
    report = ledger.audit(progress=told.append)
    assert told[-1] == {"transactions": 4, "of": 4}
    assert (report.ok, report.verdict, report.size) == (True, "ok up to size", 4)
    assert (report.transactions, report.claimed_rejections) == (4, 1)
    assert report.records > 100
    assert report.check() is report
    assert "ok up to size 4" in str(report)
    assert "<table>" in report._repr_html_()
    assert ledger.audit(against=note).verdict == "ok"


def test_kept_rejections_are_proved_and_decided_again(path: Path) -> None:
    kept = path.with_name("kept.ledger")
    key = ls.Key.generate("me")
    ledger = ls.create(kept, origin="acme.example/kept", key=key, modules=["finance"], record_rejections=True)
    ledger.append("finance.account", {"id": "cash", "kind": "asset", "currency": "EUR"})
    ledger.append("finance.account", {"id": "sales", "kind": "income", "currency": "EUR"})
    load = ledger.append_many("finance.transfer", [transfer("t1"), transfer("t1")])
    assert (load.accepted, load.rejected, load.first) == (1, 1, ls.RowId(4, 0))
    found = ls.verify(ledger.receipt(ls.RowId(4, 1)), trust=ledger.verifier_keys)
    assert (found.outcome, found.code) == ("rejected", "finance.duplicate")
    assert ledger.audit().claimed_rejections == 0
    ledger.export(path.with_name("trail.arrow"))
    trail = pl.read_ipc(path.with_name("trail.arrow")).filter(pl.col("_outcome") == "rejected")
    assert trail["_type"].to_list() == ["finance.transfer"]
    assert json.loads(trail["data"][0])["id"] == "t1"


def test_an_audit_finds_what_was_changed(ledger: ls.Ledger, path: Path) -> None:
    ledger.append("finance.transfer", transfer("t1"))
    note = ledger.checkpoint().note
    ledger.close()
    with sqlite3.connect(path) as file:
        key, stored = file.execute("select key, value from chunks order by key desc limit 1").fetchone()
        changed = stored.replace(b"12.5", b"99.5")
        assert changed != stored
        file.execute("update chunks set value = ? where key = ?", (changed, key))
    file.close()
    with ls.open(path, readonly=True) as ledger:
        report = ledger.audit(against=note, progress=False)
        assert (report.ok, report.verdict, report.findings[0].index) == (False, "content changed", 3)
        with pytest.raises(ls.VerificationError, match="content changed") as caught:
            report.check()
        assert caught.value.code == "content_changed"
        assert "content changed" in report._repr_html_()


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_an_export_is_the_audit_trail(ledger: ls.Ledger, tmp_path: Path, suffix: str) -> None:
    ledger.append_many("finance.transfer", transfers(1_000))
    path = tmp_path / f"trail.{suffix}"
    told: list[dict[str, int]] = []
    assert ledger.export(path, type="finance.transfer", progress=told.append) == 1_000
    assert told[-1] == {"rows": 1_000}
    trail = pl.read_parquet(path) if suffix == "parquet" else pl.read_ipc(path)
    assert trail["amount"].sum() == Decimal(1_250)
    assert ledger.export(tmp_path / f"all.{suffix}") > 1_000
    with pytest.raises(ls.StoreError, match="nothing is overwritten") as caught:
        ledger.export(path)
    assert (caught.value.code, caught.value.path) == ("ledger.file_exists", str(path))
    assert ledger.export(path, overwrite=True) > 1_000
    with pytest.raises(ls.SchemaError, match="ends in"):
        ledger.export(tmp_path / "trail.csv")


def test_an_interrupted_export_leaves_no_file(ledger: ls.Ledger, tmp_path: Path) -> None:
    def stop(progress: dict[str, int]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.export(tmp_path / "trail.parquet", progress=stop)
    assert [file.name for file in tmp_path.iterdir() if "trail" in file.name] == []


def test_streams_outlive_close(ledger: ls.Ledger) -> None:
    ledger.append_many("finance.transfer", transfers(10))
    reader = pa.RecordBatchReader.from_stream(ledger.query("finance.transfer"))
    ledger.close()
    assert reader.read_all().num_rows == 10
