"""Members and permission: keys and their files, grants in time, endorsement, proposals, log keys."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ledgerstone as ls
import pytest

VAULT = """
[module]
name = "vault"
version = 1
title = "Payments under four eyes"
[roles.clerk]
doc = "Pays"
[roles.officer]
doc = "Approves"
[types.payment]
authorise = ["clerk"]
[types.payment.fields]
id = { type = "text", max = 32, required = true }
amount = { type = "decimal", precision = 18, scale = 2, required = true }
[[types.payment.rules]]
unique = ["id"]
[[types.payment.endorse]]
when = "amount > 1000"
roles = ["officer"]
"""


@pytest.fixture
def me() -> ls.Key:
    return ls.Key.generate("me")


@pytest.fixture
def vault(tmp_path: Path, me: ls.Key) -> ls.Ledger:
    schema = tmp_path / "vault.toml"
    schema.write_text(VAULT, encoding="utf-8")
    return ls.create(tmp_path / "vault.ledger", origin="acme.example/vault", key=me, modules=[schema])


@pytest.fixture
def anna(vault: ls.Ledger) -> tuple[str, ls.Key]:
    key = ls.Key.generate("anna")
    member = vault.admit(key.public)
    vault.grant(member, "vault.officer")
    return member, key


def payment(name: str, amount: str) -> tuple[str, dict[str, str]]:
    return "vault.payment", {"id": name, "amount": amount}


def test_a_protected_key_file_opens_with_its_passphrase(tmp_path: Path, me: ls.Key) -> None:
    path = tmp_path / "me.pem"
    me.save(path, passphrase="correct horse")
    assert ls.Key.load(path, passphrase="correct horse").public == me.public
    with pytest.raises(ls.StoreError, match="protected by a passphrase") as caught:
        ls.Key.load(path)
    assert (caught.value.code, caught.value.path) == ("ledger.needs_passphrase", str(path))
    with pytest.raises(ls.StoreError, match="passphrase is wrong") as caught:
        ls.Key.load(path, passphrase="battery staple")
    assert caught.value.code == "ledger.wrong_passphrase"
    with pytest.raises(ls.StoreError) as caught:
        me.save(tmp_path / "other.pem", passphrase="")
    assert caught.value.code == "ledger.bad_passphrase"
    ls.Key.change_passphrase(path, old="correct horse", new="battery staple")
    assert ls.Key.load(path, passphrase="battery staple").label == "me"


@pytest.mark.skipif(shutil.which("openssl") is None and "CI" not in os.environ, reason="there is no openssl")
def test_openssl_reads_a_protected_key_file(tmp_path: Path, me: ls.Key) -> None:
    path = tmp_path / "me.pem"
    me.save(path, passphrase="correct horse")
    asked = ["openssl", "pkey", "-in", str(path), "-passin", "pass:correct horse", "-pubout", "-outform", "DER"]
    assert subprocess.run(asked, capture_output=True, check=True).stdout.endswith(me.public)


def test_keys_rotate_and_end_with_their_history(vault: ls.Ledger, me: ls.Key) -> None:
    new = ls.Key.generate("me again")
    rotated = vault.rotate_key(new)
    spare = ls.Key.generate("spare")
    added = vault.add_key(spare.public)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    revoked = vault.revoke(spare.public, reason="lost", suspected_since=since)
    member = vault.members()[0]
    assert (member.keys, member.revoked) == ([new.public], [me.public, spare.public])
    assert [(key.public, key.revoked) for key in member.history][:2] == [
        (me.public, rotated.index),
        (new.public, None),
    ]
    assert member.history[2] == ls.MemberKey(spare.public, added.index, revoked.index, "lost", since, 0)
    with ls.open(vault.path, readonly=True, key=me) as reader, pytest.raises(ls.ForbiddenError) as caught:
        reader.propose([payment("p1", "5")])
    assert caught.value.code == "ledger.revoked_key"
    assert vault.audit().ok


def test_what_a_suspect_key_signed_is_doubtful(vault: ls.Ledger, anna: tuple[str, ls.Key]) -> None:
    member, key = anna
    with vault.transaction(endorsers=[key]) as tx:
        tx.append(*payment("p1", "5000"))
    assert tx.result is not None
    receipt = vault.receipt(tx.result)
    assert vault.verify(receipt).doubts == []
    since = datetime(2026, 1, 1, tzinfo=UTC)
    end = vault.revoke(key.public, reason="stolen", suspected_since=since)
    assert vault.verify(receipt).doubts == [ls.Doubt(member, key.public, since, end.index)]
    assert ls.verify(receipt, trust=vault.verifier_keys).doubts is None
    report = vault.audit()
    assert report.ok
    assert (report.doubtful_transactions, report.doubtful_records) == (1, 1)
    assert report.first_doubtful == tx.result.index
    assert "doubtful, not invalid" in report.text
    [other] = [one for one in vault.members() if one.id == member]
    assert other.history[0].doubtful == 1


def test_grants_have_limits_in_time(vault: ls.Ledger) -> None:
    member = vault.admit(ls.Key.generate("clerk").public)
    until = datetime(2001, 1, 1, tzinfo=UTC)
    vault.grant(member, "vault.clerk", until=until)
    [clerk] = [one for one in vault.members() if one.id == member]
    assert (clerk.roles, [(grant.role, grant.until) for grant in clerk.grants]) == ([], [("vault.clerk", until)])
    vault.grant(member, "vault.clerk", since=until)
    [clerk] = [one for one in vault.members() if one.id == member]
    assert clerk.roles == ["vault.clerk"]
    with pytest.raises(ls.RejectedError) as caught:
        vault.grant(member, "vault.officer", since=until, until=until)
    assert caught.value.code == "ledger.empty_grant"
    with pytest.raises(TypeError, match="a time is a datetime"):
        vault.grant(member, "vault.officer", until="2026-01-01")  # type: ignore[arg-type]


def test_an_endorsement_is_missed_by_name(vault: ls.Ledger, anna: tuple[str, ls.Key]) -> None:
    with pytest.raises(ls.RejectedError, match=r"1 more endorsement by holders of vault\.officer") as caught:
        vault.append(*payment("p1", "5000"))
    assert caught.value.code == "vault.needs_endorsement"
    with vault.transaction(endorsers=[anna[1]], meaning="reviewed") as tx:
        tx.append(*payment("p1", "5000"))
    appended = vault.append(*payment("p2", "5000"), endorsers=[anna[1]], meaning="seen by anna")
    assert "seen by anna" in vault.receipt(appended).to_json()
    assert vault.audit().ok


def test_a_proposal_travels(vault: ls.Ledger, anna: tuple[str, ls.Key], tmp_path: Path) -> None:
    member, key = anna
    path = tmp_path / "p1.proposal"
    proposal = vault.propose([payment("p1", "5000")], path, lifetime=timedelta(days=7))
    assert proposal.expires - proposal.time == timedelta(days=7)
    assert ls.Proposal.load(path) == proposal == pickle.loads(pickle.dumps(proposal))
    assert proposal.records == [{"type": "vault.payment", "version": 1, "data": {"id": "p1", "amount": "5000"}}]
    assert "<td>5000</td>" in proposal._repr_html_()
    assert repr(proposal).startswith('Proposal("acme.example/vault", 1 record(s), endorsed by 0, id="proposal-')
    endorsed = ls.Proposal.load(path).endorse(key, member=member, meaning="approved by phone")
    [word] = endorsed.endorsements
    assert (word.member, word.key, word.meaning) == (member, key.public, "approved by phone")
    assert proposal.merge(endorsed) == endorsed
    endorsed.save(path)
    first, again = vault.append_proposal(path), vault.append_proposal(endorsed)
    assert (first.index, first.is_new, again.index, again.is_new) == (again.index, True, first.index, False)
    with pytest.raises(ls.VerificationError):
        ls.Proposal(endorsed.to_json().replace("5000", "9000"))
    with pytest.raises(ls.ForbiddenError) as caught:
        endorsed.endorse(key, member=member)
    assert caught.value.code == "ledger.endorsed_twice"


def test_the_log_key_rotates(vault: ls.Ledger, me: ls.Key) -> None:
    old = vault.receipt(vault.append(*payment("p1", "5")))
    old_keys = vault.verifier_keys
    rotated = vault.rotate_log_key()
    new = vault.receipt(vault.append(*payment("p2", "5")))
    keys = vault.verifier_keys
    assert keys[2:] == old_keys
    assert ls.verify(old, trust=keys).outcome == ls.verify(old, trust=old_keys).outcome == "accepted"
    with pytest.raises(ls.VerificationError):
        ls.verify(new, trust=old_keys)
    assert vault.log_keys() == [ls.LogKey(old_keys, 0, rotated.index), ls.LogKey(keys[:2], rotated.index, None)]
    vault.close()
    with ls.open(vault.path, key=me) as ledger:
        ledger.append(*payment("p3", "5"))
        assert ledger.audit().ok


def test_a_load_is_endorsed(vault: ls.Ledger, anna: tuple[str, ls.Key]) -> None:
    kind, large = payment("p1", "5000")
    rows = [large, payment("p2", "6000")[1]]
    refused = vault.append_many(kind, rows)
    assert [one["code"] for one in refused.rejections] == ["vault.needs_endorsement"] * 2
    loaded = vault.append_many(kind, rows, id="large", endorsers=[anna[1]], meaning="seen by anna")
    assert loaded.accepted == 2
    assert loaded.first is not None
    assert "seen by anna" in vault.receipt(loaded.first).to_json()
    # The same call again is the same transaction, and so it is without the key that endorsed it.
    assert vault.append_many(kind, rows, id="large").first == loaded.first
    with pytest.raises(ls.ForbiddenError) as caught:
        vault.append_many(kind, [payment("p3", "7000")[1]], endorsers=[ls.Key.generate("stranger")])
    assert caught.value.code == "ledger.not_admitted"
    assert vault.audit().ok
