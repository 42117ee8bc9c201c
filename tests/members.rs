//! Members and permission: keys that rotate and end, grants with limits in time, endorsement, log keys that rotate; proposals are apart.

#[path = "members/log_keys.rs"]
mod log_keys;
#[path = "members/proposals.rs"]
mod proposals;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ledgerstone::model::{RowId, Value};
use ledgerstone::{
    AuditOptions, Create, Endorsed, Error, Key, Ledger, LoadOptions, Open, Proposal, ProposeOptions, Sources, Verdict,
};
use ledgerstone_tests::{ORIGIN, START_MICROS, audited, code_of, key, load, object, text, texts};
use ledgerstone_verify::checkpoint::log_key_message;
use ledgerstone_verify::{Mode, VerifyErrorKind};

const HOUR: i64 = 3_600_000_000;

/// Payments, of which those above 1000 need two officers, and those to abroad one of either role.
const VAULT: &str = r#"
[module]
name = "vault"
version = 1
title = "Payments under four and six eyes"

[roles.clerk]
doc = "Pays"
[roles.officer]
doc = "Approves payments"

[types.payment]
authorise = ["clerk"]
[types.payment.fields]
id     = { type = "text", max = 32, required = true }
amount = { type = "decimal", precision = 18, scale = 2, required = true }
abroad = { type = "bool" }
[[types.payment.rules]]
unique = ["id"]
[[types.payment.rules]]
require = "amount > 0"
code = "not_positive"
[[types.payment.endorse]]
when = "amount > 1000"
roles = ["officer"]
count = 2
message = "a payment above 1000 needs two officers"
[[types.payment.endorse]]
when = "abroad"
roles = ["officer", "clerk"]
code = "abroad_needs_endorsement"
"#;

/// A ledger with a clock that is set by hand: the author may do everything, Anna and Ben are officers.
struct Vault {
    ledger: Ledger,
    clock: Arc<AtomicI64>,
    anna: (String, Arc<Key>),
    ben: (String, Arc<Key>),
}

impl Vault {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(START_MICROS));
        let ledger =
            Create::new(ORIGIN, key()).module(VAULT, "vault.toml").sources(sources(&clock)).in_memory().unwrap();
        let admitted = |seed: u8, name: &str| {
            let key = Key::from_seed([seed; 32], name);
            let member = ledger.admit_member(key.public()).unwrap();
            ledger.grant(&member, "vault.officer", None, None).unwrap();
            (member, Arc::new(key))
        };
        let (anna, ben) = (admitted(20, "anna"), admitted(21, "ben"));
        Vault { ledger, clock, anna, ben }
    }

    fn wait(&self, micros: i64) {
        self.clock.fetch_add(micros, Ordering::Relaxed);
    }

    fn pay(&self, id: &str, amount: &str) -> Result<(), Error> {
        self.ledger.append_all(vec![payment(id, amount)], None).map(drop)
    }

    fn endorsed(&self, id: &str, amount: &str, endorsers: &[Arc<Key>]) -> Result<u64, Error> {
        let appended = self.ledger.append_endorsed(vec![payment(id, amount)], None, false, endorsers, "approved");
        appended.map(|appended| appended.index)
    }

    fn propose(&self, id: &str, amount: &str) -> Proposal {
        self.ledger.propose(vec![payment(id, amount)], ProposeOptions::default()).unwrap()
    }
}

fn sources(clock: &Arc<AtomicI64>) -> Sources {
    let (clock, drawn) = (Arc::clone(clock), AtomicU64::new(0));
    let random = move || {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        bytes
    };
    Sources::fixed(move || clock.load(Ordering::Relaxed), random)
}

fn payment(id: &str, amount: &str) -> (String, Value) {
    ("vault.payment".to_owned(), texts(&[("id", id), ("amount", amount)]))
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: &str) -> String {
    let error = result.unwrap_err();
    assert_eq!(code_of(&error), code, "{error}");
    error.to_string()
}

#[test]
fn a_payment_above_the_limit_needs_two_other_officers() {
    let vault = Vault::new();
    let (anna, ben) = (Arc::clone(&vault.anna.1), Arc::clone(&vault.ben.1));
    vault.pay("p1", "1000").unwrap();
    // The author is an officer, and does not count.
    let message = refused(vault.pay("p2", "1000.01"), "vault.needs_endorsement");
    assert!(message.contains("2 more endorsements by holders of vault.officer"), "{message}");
    let message = refused(vault.endorsed("p2", "1000.01", &[Arc::clone(&anna)]), "vault.needs_endorsement");
    assert!(message.contains("1 more endorsement by holders of vault.officer"), "{message}");
    let index = vault.endorsed("p2", "1000.01", &[Arc::clone(&ben), Arc::clone(&anna)]).unwrap();
    let receipt = vault.ledger.receipt(RowId::new(index, 0)).unwrap();
    let verified = receipt.verify(&vault.ledger.verifier_keys().unwrap()).unwrap();
    let mut members: Vec<&String> = verified.endorsements.iter().map(|by| &by.member).collect();
    assert!(members.is_sorted());
    members.sort();
    assert_eq!(members.len(), 2);
    // Endorsements that no policy asks for do no harm.
    vault.endorsed("p3", "1", &[anna]).unwrap();
    audited(&vault.ledger);
}

/// The same id and records are the same transaction, whatever became of the keys that endorsed it.
#[test]
fn a_retry_finds_its_transaction_after_a_key_that_endorsed_it_was_revoked() {
    let vault = Vault::new();
    let by = [Arc::clone(&vault.anna.1), Arc::clone(&vault.ben.1)];
    let append = |id: &str, amount: &str| {
        vault.ledger.append_endorsed(vec![payment("p1", amount)], Some(id), false, &by, "approved")
    };
    let load = |id: &str| {
        let endorsed = Some(Endorsed { by: &by, meaning: "approved" });
        let progress = &mut |_| Ok(());
        let options = LoadOptions { id: Some(id), endorsed, progress: Some(progress), ..LoadOptions::default() };
        vault.ledger.append_values("vault.payment", &mut std::iter::once(Ok(vec![payment("p2", "2000").1])), options)
    };
    let (first, loaded) = (append("one", "2000").unwrap(), load("many").unwrap());
    vault.ledger.revoke(by[0].public(), None, None).unwrap();
    let again = append("one", "2000").unwrap();
    assert_eq!((again.index, again.is_new), (first.index, false));
    assert_eq!(load("many").unwrap(), loaded);
    // Other records are refused as such, and a new transaction needs keys that are active.
    refused(append("one", "3000"), "ledger.id_reused");
    refused(append("two", "2000"), "ledger.revoked_key");
    refused(load("more"), "ledger.revoked_key");
    audited(&vault.ledger);
}

#[test]
fn who_endorses_is_another_member_once_with_an_active_key() {
    let vault = Vault::new();
    let me = Arc::new(key());
    refused(vault.endorsed("p1", "5", &[me]), "ledger.self_endorsement");
    let second = Arc::new(Key::from_seed([30; 32], "anna's second"));
    vault.ledger.add_key(second.public(), Some(&vault.anna.0)).unwrap();
    let both = [Arc::clone(&vault.anna.1), Arc::clone(&second)];
    refused(vault.endorsed("p1", "5", &both), "ledger.endorsed_twice");
    refused(vault.endorsed("p1", "5", &[Arc::new(Key::from_seed([31; 32], "x"))]), "ledger.not_admitted");
    vault.ledger.revoke(second.public(), None, None).unwrap();
    let message = refused(vault.endorsed("p1", "5", &[second]), "ledger.revoked_key");
    assert!(message.contains("was revoked by transaction"), "{message}");
    let many = vec![Arc::clone(&vault.anna.1); 17];
    assert!(matches!(vault.endorsed("p1", "5", &many), Err(Error::Limit { limit: "ENDORSERS", .. })));
    let said = vault.ledger.append_endorsed(vec![payment("p1", "5")], None, false, &[Arc::clone(&vault.anna.1)], " ");
    assert!(matches!(said, Err(Error::Schema(_))));
}

#[test]
fn in_a_load_every_record_that_lacks_endorsement_is_refused_alone() {
    let vault = Vault::new();
    let rows = ["1", "2000", "3"].iter().enumerate();
    let rows = rows.map(|(place, amount)| texts(&[("id", &format!("p{place}")), ("amount", amount)])).collect();
    let report = load(&vault.ledger, "vault.payment", rows, None, Mode::Each).unwrap();
    assert_eq!((report.accepted, report.rejections.len()), (2, 1));
    assert_eq!((report.rejections[0].row, report.rejections[0].code.as_str()), (1, "vault.needs_endorsement"));
    audited(&vault.ledger);
}

#[test]
fn policies_have_their_own_conditions_and_codes() {
    let vault = Vault::new();
    let abroad = |id: &str, amount: &str| {
        let members = [("id", text(id)), ("amount", text(amount)), ("abroad", Value::Bool(true))];
        vec![("vault.payment".to_owned(), object(&members))]
    };
    refused(vault.ledger.append_all(abroad("p1", "5"), None), "vault.abroad_needs_endorsement");
    // Both apply: the first declared is told.
    refused(vault.ledger.append_all(abroad("p1", "5000"), None), "vault.needs_endorsement");
    vault.ledger.append_endorsed(abroad("p1", "5"), None, false, &[Arc::clone(&vault.ben.1)], "seen").unwrap();
    // One endorser serves several policies.
    let both = [Arc::clone(&vault.anna.1), Arc::clone(&vault.ben.1)];
    vault.ledger.append_endorsed(abroad("p2", "5000"), None, false, &both, "seen").unwrap();
}

#[test]
fn a_lack_of_endorsement_comes_before_any_reason_of_state() {
    let vault = Vault::new();
    vault.pay("p1", "5").unwrap();
    let records = vec![payment("p1", "5"), payment("p2", "2000")];
    refused(vault.ledger.append_all(records, None), "vault.needs_endorsement");
}

#[test]
fn an_endorser_whose_role_is_withdrawn_or_over_counts_no_more() {
    let vault = Vault::new();
    let both = [Arc::clone(&vault.anna.1), Arc::clone(&vault.ben.1)];
    vault.endorsed("p1", "2000", &both).unwrap();
    vault.ledger.withdraw(&vault.ben.0, "vault.officer").unwrap();
    refused(vault.endorsed("p2", "2000", &both), "vault.needs_endorsement");
    vault.ledger.grant(&vault.ben.0, "vault.officer", None, Some(START_MICROS + HOUR)).unwrap();
    vault.endorsed("p2", "2000", &both).unwrap();
    vault.wait(HOUR);
    refused(vault.endorsed("p3", "2000", &both), "vault.needs_endorsement");
    audited(&vault.ledger);
}

#[test]
fn a_grant_holds_within_its_limits_of_ledger_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.ledger");
    let clock = Arc::new(AtomicI64::new(START_MICROS));
    let ledger = Create::new(ORIGIN, key()).module(VAULT, "vault.toml").sources(sources(&clock)).at(&path).unwrap();
    let clerk = Key::from_seed([40; 32], "clerk");
    let member = ledger.admit_member(clerk.public()).unwrap();
    let (from, until) = (START_MICROS + HOUR, START_MICROS + 2 * HOUR);
    ledger.grant(&member, "vault.clerk", Some(from), Some(until)).unwrap();
    drop(ledger);
    let ledger = Open::default().key(clerk).sources(sources(&clock)).at(&path).unwrap();
    let pay = |id: &str| ledger.append_all(vec![payment(id, "5")], None);
    let message = refused(pay("p1"), "ledger.forbidden");
    assert!(message.contains("the grant of vault.clerk begins at 2026-01-01T01:00:00.000000Z"), "{message}");
    clock.store(from, Ordering::Relaxed);
    pay("p1").unwrap();
    assert_eq!(ledger.members().unwrap().iter().find(|one| one.id == member).unwrap().roles, ["vault.clerk"]);
    clock.store(until - 1, Ordering::Relaxed);
    pay("p2").unwrap();
    clock.store(until, Ordering::Relaxed);
    let message = refused(pay("p3"), "ledger.forbidden");
    assert!(message.contains("ended at 2026-01-01T02:00:00.000000Z, and ledger time is"), "{message}");
    audited(&ledger);
}

#[test]
fn other_limits_are_a_withdrawal_and_a_grant_in_one_transaction() {
    let vault = Vault::new();
    let (member, _) = &vault.anna;
    refused(vault.ledger.grant(member, "vault.officer", None, None), "ledger.already_granted");
    let until = Some(START_MICROS + HOUR);
    let appended = vault.ledger.grant(member, "vault.officer", None, until).unwrap();
    assert_eq!(appended.count, 2);
    let anna = vault.ledger.members().unwrap().into_iter().find(|one| one.id == *member).unwrap();
    assert_eq!((anna.grants.len(), anna.grants[0].until, anna.grants[0].index), (1, until, appended.index));
    audited(&vault.ledger);
}

#[test]
fn a_member_rotates_his_own_key_without_a_role() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let ledger = Create::new(ORIGIN, key()).at(&path).unwrap();
    let old = Key::from_seed([50; 32], "old");
    let member = ledger.admit_member(old.public()).unwrap();
    let other = ledger.admit_member(Key::from_seed([51; 32], "other").public()).unwrap();
    drop(ledger);

    let ledger = Open::default().key(old.clone()).at(&path).unwrap();
    let new = Key::from_seed([52; 32], "new");
    let rotated = ledger.rotate_key(new.clone()).unwrap();
    // The same ledger signs with the new one from here on, and the old one is good for nothing.
    ledger.add_key([53; 32].map(|_| 0x58), None).unwrap_err();
    let spare = Key::from_seed([54; 32], "spare");
    ledger.add_key(spare.public(), None).unwrap();
    refused(ledger.add_key(Key::from_seed([55; 32], "x").public(), Some(&other)), "ledger.forbidden");
    refused(ledger.revoke(Key::from_seed([51; 32], "other").public(), None, None), "ledger.forbidden");
    ledger.revoke(spare.public(), Some("lost"), None).unwrap();
    let theirs = object(&[
        ("member", text(&member)),
        ("key", Value::Bytes(Key::from_seed([56; 32], "y").public().to_vec())),
        ("replaces", Value::Bytes(Key::from_seed([51; 32], "other").public().to_vec())),
    ]);
    refused(ledger.append("ledger.key", theirs, None), "ledger.foreign_key");
    let keys = ledger.members().unwrap().into_iter().find(|one| one.id == member).unwrap().keys;
    let shown: Vec<_> = keys.iter().map(|key| (key.public, key.revoked.as_ref().map(|end| end.index))).collect();
    assert_eq!(shown[0], (old.public(), Some(rotated.index)));
    assert_eq!(shown[1], (new.public(), None));
    assert_eq!((keys[2].public, keys[2].revoked.as_ref().unwrap().reason.as_deref()), (spare.public(), Some("lost")));
    audited(&ledger);
    drop(ledger);

    let ledger = Open::default().key(old).at(&path).unwrap();
    let message = refused(ledger.add_key(Key::from_seed([57; 32], "z").public(), None), "ledger.revoked_key");
    assert!(message.contains("was revoked by transaction"), "{message}");
}

#[test]
fn the_last_administrator_stays() {
    let vault = Vault::new();
    refused(vault.ledger.revoke(key().public(), None, None), "ledger.last_admin");
    let me = vault.ledger.own_member().unwrap().unwrap();
    refused(vault.ledger.withdraw(&me, "ledger.admin"), "ledger.last_admin");
    // One whose grant ends does not do.
    vault.ledger.grant(&vault.anna.0, "ledger.admin", None, Some(START_MICROS + HOUR)).unwrap();
    refused(vault.ledger.withdraw(&me, "ledger.admin"), "ledger.last_admin");
    // Nor does one whose grant has yet to begin.
    let later = START_MICROS + HOUR;
    vault.ledger.grant(&vault.ben.0, "ledger.admin", Some(later), None).unwrap();
    refused(vault.ledger.withdraw(&me, "ledger.admin"), "ledger.last_admin");
    refused(vault.ledger.revoke(key().public(), None, None), "ledger.last_admin");
    refused(vault.ledger.grant(&me, "ledger.admin", Some(later), None), "ledger.last_admin");
    vault.wait(HOUR);
    vault.ledger.withdraw(&me, "ledger.admin").unwrap();
    audited(&vault.ledger);
}

#[test]
fn what_a_suspect_key_signed_is_doubtful_and_not_invalid() {
    let vault = Vault::new();
    let before = vault.endorsed("p1", "5", &[Arc::clone(&vault.anna.1)]).unwrap();
    vault.wait(HOUR);
    let since = START_MICROS + HOUR;
    let after = vault.endorsed("p2", "5", &[Arc::clone(&vault.anna.1)]).unwrap();
    vault.pay("p3", "5").unwrap();
    assert_eq!(audited(&vault.ledger).counts.doubtful_transactions, 0);
    let revoked = vault.ledger.revoke(vault.anna.1.public(), Some("stolen"), Some(since)).unwrap();
    let report = audited(&vault.ledger);
    let counts = report.counts;
    assert_eq!((counts.doubtful_transactions, counts.doubtful_records, counts.first_doubtful), (1, 1, Some(after)));
    assert!(report.to_string().contains("doubtful, not invalid: 1 transactions with 1 records"), "{report}");

    let keys = vault.ledger.verifier_keys().unwrap();
    let doubts = |index| {
        let receipt = vault.ledger.receipt(RowId::new(index, 0)).unwrap();
        receipt.verify(&keys).unwrap();
        vault.ledger.doubts(&receipt).unwrap()
    };
    assert_eq!(doubts(before), []);
    let doubt = &doubts(after)[0];
    assert_eq!((&doubt.member, doubt.suspected_since, doubt.revoked), (&vault.anna.0, since, revoked.index));
    let anna = vault.ledger.members().unwrap().into_iter().find(|one| one.id == vault.anna.0).unwrap();
    let end = anna.keys[0].revoked.as_ref().unwrap();
    assert_eq!((end.doubtful, end.suspected_since, end.reason.as_deref()), (1, Some(since), Some("stolen")));
    let foreign = Vault::new();
    foreign.pay("other", "7").unwrap();
    let receipt = foreign.ledger.receipt(RowId::new(before, 0)).unwrap();
    assert!(matches!(vault.ledger.doubts(&receipt), Err(Error::Verification { .. })));
}

#[test]
fn the_log_key_rotates_and_old_evidence_stays_good() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("books.ledger");
    let key_file = folder.path().join("books.ledger.logkey.pem");
    let ledger = Create::new(ORIGIN, key()).module(VAULT, "vault.toml").at(&path).unwrap();
    let first = ledger.append_all(vec![payment("p1", "5")], None).unwrap();
    let old_keys = ledger.verifier_keys().unwrap();
    let old_receipt = ledger.receipt(first.row(0)).unwrap();
    let old_checkpoint = ledger.checkpoint().unwrap().note;
    let old_file = std::fs::read_to_string(&key_file).unwrap();

    let rotated = ledger.rotate_log_key().unwrap();
    let both = ledger.checkpoint().unwrap();
    assert_eq!(both.size, rotated.index + 1);
    let new_keys = ledger.verifier_keys().unwrap();
    assert_eq!((new_keys.len(), &new_keys[2..]), (4, old_keys.as_slice()));
    for keys in [&new_keys[..2], &old_keys] {
        ledgerstone_verify::verify_checkpoint(&both.note, &keys[0]).unwrap();
        ledgerstone_verify::verify_checkpoint(&both.note_sha3, &keys[1]).unwrap();
    }
    audited(&ledger);
    let second = ledger.append_all(vec![payment("p2", "5")], None).unwrap();
    let newest = ledger.checkpoint().unwrap().note;
    assert!(ledgerstone_verify::verify_checkpoint(&newest, &old_keys[0]).is_err());
    ledgerstone_verify::verify_checkpoint(&newest, &new_keys[0]).unwrap();
    old_receipt.verify(&old_keys).unwrap();
    old_receipt.verify(&new_keys).unwrap();
    let receipt = ledger.receipt(second.row(0)).unwrap();
    assert_eq!(receipt.verify(&old_keys).unwrap_err().kind(), VerifyErrorKind::NotTrusted);
    receipt.verify(&new_keys[..2]).unwrap();
    let against = AuditOptions { against: Some(&old_checkpoint), progress: &mut |_, _| Ok(()) };
    assert_eq!(ledger.audit(against).unwrap().verdict, Verdict::Ok);
    let periods = ledger.log_keys().unwrap();
    let spans: Vec<_> = periods.iter().map(|period| (period.since, period.until)).collect();
    assert_eq!(spans, [(0, Some(rotated.index)), (rotated.index, None)]);
    drop(ledger);

    // The new key's file is in the place of the old one.
    assert!(!folder.path().join("books.ledger.logkey.pem.next").exists());
    let ledger = Open::default().key(key()).at(&path).unwrap();
    ledger.append_all(vec![payment("p3", "5")], None).unwrap();
    audited(&ledger);
    drop(ledger);
    let new_file = std::fs::read_to_string(&key_file).unwrap();
    std::fs::write(&key_file, &old_file).unwrap();
    let error = Open::default().key(key()).at(&path).unwrap_err().to_string();
    assert!(error.contains("was replaced by transaction"), "{error}");
    // A rotation that ended before its key was in its place is finished by the next opening.
    std::fs::write(folder.path().join("books.ledger.logkey.pem.next"), new_file).unwrap();
    let ledger = Open::default().key(key()).at(&path).unwrap();
    ledger.append_all(vec![payment("p4", "5")], None).unwrap();
    assert!(!folder.path().join("books.ledger.logkey.pem.next").exists());
}

#[test]
fn a_checkpoint_by_a_replaced_log_key_is_found() {
    use ed25519_dalek::{Signer, SigningKey};
    use ledgerstone_verify::{Checkpoint, SignedNote, key_id};
    let vault = Vault::new();
    let old = vault.ledger.verifier_keys().unwrap().remove(0);
    let rotated = vault.ledger.rotate_log_key().unwrap();
    vault.pay("p1", "5").unwrap();
    let newest = vault.ledger.checkpoint().unwrap();
    // The key of a ledger in memory is its first random bytes.
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&0u64.to_le_bytes());
    let stolen = SigningKey::from_bytes(&seed);
    assert_eq!(stolen.verifying_key().to_bytes(), *old.key().as_bytes());
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: newest.size, root: newest.root }.to_text();
    let sig = stolen.sign(checkpoint.as_bytes()).to_bytes();
    let note = SignedNote::unsigned(checkpoint).unwrap().with_signature(ORIGIN, key_id(ORIGIN, old.key()), &sig);
    let note = note.unwrap().to_string();
    let options = AuditOptions { against: Some(&note), progress: &mut |_, _| Ok(()) };
    let report = vault.ledger.audit(options).unwrap();
    assert_eq!(report.verdict, Verdict::LinkBroken, "{report}");
    assert!(report.to_string().contains(&format!("transaction {} replaced", rotated.index)), "{report}");
}

#[test]
fn a_log_key_takes_the_place_of_the_one_in_force_with_both_signatures() {
    use ed25519_dalek::{Signer, SigningKey};
    let vault = Vault::new();
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&0u64.to_le_bytes());
    let (old, new) = (SigningKey::from_bytes(&seed), SigningKey::from_bytes(&[77; 32]));
    let public = |key: &SigningKey| key.verifying_key().to_bytes();
    let receipt = vault.ledger.receipt(RowId::new(1, 0)).unwrap();
    let genesis = receipt.verify(&vault.ledger.verifier_keys().unwrap()).unwrap().genesis.unwrap();
    let message = log_key_message(&genesis, &public(&old), &public(&new));
    let record = |old_key: [u8; 32], old_sig: Vec<u8>, new_sig: Vec<u8>| {
        object(&[
            ("old", Value::Bytes(old_key.to_vec())),
            ("new", Value::Bytes(public(&new).to_vec())),
            ("old_signature", Value::Bytes(old_sig)),
            ("new_signature", Value::Bytes(new_sig)),
        ])
    };
    let sign = |key: &SigningKey| key.sign(&message).to_bytes().to_vec();
    let append = |record| vault.ledger.append("ledger.log_key", record, None);
    refused(append(record(public(&new), sign(&old), sign(&new))), "ledger.log_key_mismatch");
    refused(append(record(public(&old), sign(&new), sign(&new))), "ledger.log_key_signature");
    refused(append(record(public(&old), sign(&old), sign(&old))), "ledger.log_key_signature");
    // Rightly signed, but the ledger could not sign its next checkpoint.
    assert!(matches!(append(record(public(&old), sign(&old), sign(&new))), Err(Error::Schema(_))));
    vault.pay("p1", "5").unwrap();
    audited(&vault.ledger);
}
