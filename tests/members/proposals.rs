//! Proposals: written to a file, endorsed offline, appended later or refused.

use ledgerstone::{Create, Error, Key, Open, Proposal, ProposeOptions};
use ledgerstone_tests::{ORIGIN, account, audited, key, signed_elsewhere, transfer};
use ledgerstone_verify::{Json, VerifyErrorKind};

use super::{HOUR, VAULT, Vault, payment, refused};

#[test]
fn a_proposal_is_endorsed_offline_and_appended_once() {
    let vault = Vault::new();
    let proposal = vault.propose("p1", "2000");
    refused(vault.ledger.append_proposal(&proposal), "vault.needs_endorsement");
    // Two copies, endorsed side by side from their text alone.
    let copy = || Proposal::parse(proposal.to_json().as_bytes()).unwrap();
    let by_anna = copy().endorse(&vault.anna.1, &vault.anna.0, "approved").unwrap();
    let by_ben = copy().endorse(&vault.ben.1, &vault.ben.0, "seen & approved").unwrap();
    let both = by_anna.merge(&by_ben).unwrap();
    assert_eq!(both.merge(&by_anna).unwrap(), both);
    let both = Proposal::parse(both.to_json().as_bytes()).unwrap();
    vault.wait(HOUR);
    vault.pay("between", "5").unwrap();
    let appended = vault.ledger.append_proposal(&both).unwrap();
    assert!(appended.is_new);
    let again = vault.ledger.append_proposal(&both).unwrap();
    assert_eq!((again.index, again.is_new), (appended.index, false));
    let receipt = vault.ledger.receipt(appended.row(0)).unwrap();
    let verified = receipt.verify(&vault.ledger.verifier_keys().unwrap()).unwrap();
    let said = |by: &ledgerstone_verify::Signature| by.endorsement.as_ref().unwrap().meaning.clone();
    let mut meanings: Vec<String> = verified.endorsements.iter().map(said).collect();
    meanings.sort();
    assert_eq!(meanings, ["approved", "seen & approved"]);
    audited(&vault.ledger);
}

#[test]
fn a_reading_copy_proposes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let books = ledgerstone_tests::books().at(&path).unwrap();
    books.append_all(vec![account("cash", ""), account("sales", "")], None).unwrap();
    let reader = Open::default().key(key()).readonly(true).at(&path).unwrap();
    let options = ProposeOptions { id: Some("invoice-7"), lifetime: None };
    let proposal = reader.propose(vec![transfer("t1", "cash", "sales", "5")], options).unwrap();
    let file = folder.path().join("t1.proposal");
    proposal.save(&file).unwrap();
    let appended = books.append_proposal(&Proposal::load(&file).unwrap()).unwrap();
    assert_eq!(appended.index, 3);
    // The id is the author's: the same record under it, appended here, is the same transaction.
    let again = books.append_all(vec![transfer("t1", "cash", "sales", "5")], Some("invoice-7")).unwrap();
    assert_eq!((again.index, again.is_new), (3, false));
    refused(books.append_all(vec![transfer("t2", "cash", "sales", "5")], Some("invoice-7")), "ledger.id_reused");
    let stranger = Open::default().key(Key::from_seed([60; 32], "x")).readonly(true).at(&path).unwrap();
    let refusal = stranger.propose(vec![transfer("t3", "cash", "sales", "5")], ProposeOptions::default());
    refused(refusal, "ledger.not_admitted");
}

#[test]
fn a_proposal_out_of_its_time_or_place_is_refused() {
    let vault = Vault::new();
    let options = ProposeOptions { id: None, lifetime: Some(HOUR) };
    let late = vault.ledger.propose(vec![payment("late", "5")], options).unwrap();
    vault.wait(HOUR);
    let message = refused(vault.ledger.append_proposal(&late), "ledger.intent_expired");
    assert!(message.contains("expired at 2026-01-01T01:00:00"), "{message}");

    // Another ledger of the same origin, with the same members' keys.
    let proposal = vault.propose("p1", "5");
    let other = Create::new(ORIGIN, key()).module(VAULT, "vault.toml").in_memory().unwrap();
    refused(other.append_proposal(&proposal), "ledger.other_ledger");

    // A key that has ended meanwhile.
    let endorsed = proposal.endorse(&vault.anna.1, &vault.anna.0, "approved").unwrap();
    vault.ledger.revoke(vault.anna.1.public(), None, None).unwrap();
    let message = refused(vault.ledger.append_proposal(&endorsed), "ledger.revoked_key");
    assert!(message.contains("was revoked by transaction"), "{message}");
    // Somebody else's key under a member's name.
    let forged = proposal.endorse(&Key::from_seed([61; 32], "x"), &vault.ben.0, "approved").unwrap();
    refused(vault.ledger.append_proposal(&forged), "ledger.not_admitted");
    vault.ledger.append_proposal(&proposal).unwrap();
}

#[test]
fn a_proposal_from_a_history_that_was_rolled_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, backup) = (folder.path().join("books.ledger"), folder.path().join("backup.ledger"));
    let ledger = Create::new(ORIGIN, key()).module(VAULT, "vault.toml").at(&path).unwrap();
    drop(ledger);
    std::fs::copy(&path, &backup).unwrap();
    let ledger = Open::default().key(key()).at(&path).unwrap();
    ledger.append_all(vec![payment("p1", "5")], None).unwrap();
    let proposal = ledger.propose(vec![payment("p2", "5")], ProposeOptions::default()).unwrap();
    drop(ledger);
    std::fs::copy(&backup, &path).unwrap();
    let ledger = Open::default().key(key()).at(&path).unwrap();
    refused(ledger.append_proposal(&proposal), "ledger.unknown_past");
    ledger.append_all(vec![payment("p3", "5")], None).unwrap();
    refused(ledger.append_proposal(&proposal), "ledger.unknown_past");
}

#[test]
fn what_was_signed_elsewhere_is_what_its_type_writes() {
    let vault = Vault::new();
    let proposal = vault.propose("p1", "5");
    let text = proposal.to_json();
    // Any change of what was signed is seen before a ledger is asked.
    for (from, to, kind) in [
        (r#"\"amount\":\"5\""#, r#"\"amount\":\"6\""#, VerifyErrorKind::ContentChanged),
        (r#"\"mode\":\"atomic\""#, r#"\"mode\":\"each\""#, VerifyErrorKind::Malformed),
        (r#"\"count\":1"#, r#"\"count\":2"#, VerifyErrorKind::Malformed),
        ("proposal/v1", "proposal/v2", VerifyErrorKind::UnverifiableVersion),
        ("ledgerstone/proposal/v1", "ledgerstone/receipt/v1", VerifyErrorKind::Malformed),
        ("\"id\":\"proposal-", "\"id\":\"another-", VerifyErrorKind::Malformed),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert_eq!(Proposal::parse(changed.as_bytes()).unwrap_err().kind(), kind, "{from}");
    }
    // What its author signed and no type of the ledger writes, is refused with the position.
    for (record, code) in [
        (r#"{"data":{"amount":"5.50","id":"p1"},"type":"vault.payment","version":1}"#, "ledger.not_canonical"),
        (r#"{"data":{"id":"p1"},"type":"vault.payment","version":1}"#, "ledger.not_canonical"),
        (r#"{"data":{"amount":"-5","id":"p1"},"type":"vault.payment","version":1}"#, "vault.not_positive"),
        (r#"{"data":{"amount":"5","id":"p1"},"type":"vault.payment","version":2}"#, "ledger.module_version"),
    ] {
        let signed = signed_elsewhere(&proposal, &[&proposal.records()[0], record]);
        let Error::Rejected(rejected) = vault.ledger.append_proposal(&signed).unwrap_err() else { panic!("{record}") };
        assert_eq!((rejected.code.as_str(), rejected.row), (code, 1), "{rejected}");
    }
    vault.ledger.append_proposal(&proposal).unwrap();
}

#[test]
fn nobody_endorses_twice_or_his_own() {
    let vault = Vault::new();
    let proposal = vault.propose("p1", "2000");
    let me = vault.ledger.own_member().unwrap().unwrap();
    refused(proposal.endorse(&key(), &me, "approved"), "ledger.self_endorsement");
    let endorsed = proposal.endorse(&vault.anna.1, &vault.anna.0, "approved").unwrap();
    refused(endorsed.endorse(&vault.anna.1, &vault.anna.0, "again"), "ledger.endorsed_twice");
    assert!(matches!(proposal.endorse(&vault.anna.1, "anna", "approved"), Err(Error::Schema(_))));
    let other = vault.propose("p2", "2000");
    assert!(matches!(other.merge(&endorsed), Err(Error::Verification { .. })));
    // The meaning is in the signed bytes.
    let text = endorsed.to_json().replacen("\"meaning\":\"approved\"", "\"meaning\":\"rejected\"", 1);
    assert_eq!(Proposal::parse(text.as_bytes()).unwrap_err().kind(), VerifyErrorKind::LinkBroken);
}

#[test]
fn a_record_of_a_receipt_says_who_proposed_it() {
    let vault = Vault::new();
    let appended = vault.ledger.append_proposal(&vault.propose("p1", "5")).unwrap();
    let receipt = vault.ledger.receipt(appended.row(0)).unwrap();
    let verified = receipt.verify(&vault.ledger.verifier_keys().unwrap()).unwrap();
    assert_eq!(verified.author, vault.ledger.own_member().unwrap().unwrap());
    let record = Json::parse(verified.record.as_bytes()).unwrap();
    assert_eq!(record.get("data").and_then(|data| data.get("id")).and_then(Json::as_text), Some("p1"));
}
