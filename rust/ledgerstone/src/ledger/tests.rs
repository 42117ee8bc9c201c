//! What a writer that skips the checks can log, and what the audit says of it.

mod log_key;
mod semantics;
mod wal;

use std::sync::Arc;

use ledgerstone_verify::Json;
use ledgerstone_verify::envelope::Mode;

use super::append::{Attempt, Draft, check_length};
use super::endorse::Signing;
use super::records::{author_of, object};
use super::screen::Screened;
use crate::execute::RecordBytes;
use crate::execute::authority::Authority;
use crate::model::{Decimal, Value};
use crate::schema::{Rows, from_values};
use crate::{AuditOptions, AuditReport, Create, Key, Ledger, Verdict, codes};

fn books() -> Ledger {
    let ledger = Create::new("test.example/books", Key::from_seed([3; 32], "me"))
        .module(ledgerstone_schemas::FINANCE, "finance.toml")
        .in_memory()
        .unwrap();
    for id in ["cash", "sales"] {
        ledger.append("finance.account", account(id), None).unwrap();
    }
    ledger
}

fn account(id: &str) -> Value {
    object(vec![("id", text(id)), ("kind", text("asset")), ("currency", text("EUR"))])
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn transfer(amount: i128, reference: &str) -> Value {
    object(vec![
        ("id", text("t1")),
        ("debit", text("cash")),
        ("credit", text("sales")),
        ("currency", text("EUR")),
        ("amount", Value::Decimal(Decimal::new(amount, 0))),
        ("reference", text(reference)),
    ])
}

/// Logs a record as a writer would that screens nothing.
fn log_unscreened(ledger: &Ledger, record: Value) {
    log_all_unscreened(ledger, Mode::Atomic, vec![("finance.transfer", record)]);
}

fn log_all_unscreened(ledger: &Ledger, mode: Mode, records: Vec<(&str, Value)>) {
    let mut writer = ledger.lock_writer().unwrap();
    let screened = |(record_type, record): (&str, Value)| {
        let record_type = writer.record_type(record_type).unwrap();
        let batch = from_values(&record_type, &[record]).rows;
        let bytes = RecordBytes::write(&Rows::new(&record_type, &batch).unwrap());
        Screened { record_type, batch, bytes: Arc::new(bytes), inputs: vec![0], refused: Vec::new() }
    };
    let records = records.into_iter().map(screened).collect();
    let key = ledger.author_key().unwrap();
    let author = author_of(&writer.authority, &key);
    let signing = Signing::Keys { author: &key, endorsers: Vec::new() };
    let draft = Draft { mode, records, id: None, earlier: None, author, signing, new_log_key: None };
    assert!(matches!(ledger.transact(&mut writer, &draft), Ok(Attempt::Committed(_))));
}

fn audit(ledger: &Ledger) -> AuditReport {
    ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).unwrap()
}

#[test]
fn a_logged_record_that_a_stateless_rule_refuses_is_found() {
    let ledger = books();
    log_unscreened(&ledger, transfer(-5, "x"));
    let report = audit(&ledger);
    assert_eq!(report.verdict, Verdict::ContentChanged, "{report}");
    assert!(report.findings[0].message.contains("finance.amount_not_positive"), "{report}");
}

#[test]
fn a_record_that_passes_every_check_is_no_finding() {
    let ledger = books();
    log_unscreened(&ledger, transfer(5, "x"));
    let report = audit(&ledger);
    assert_eq!(report.verdict, Verdict::OkUpToSize, "{report}");
}

#[test]
fn an_envelope_over_its_bound_is_not_logged() {
    assert!(check_length(65_535).is_ok());
    let error = check_length(65_536).unwrap_err();
    assert_eq!(error.code(), codes::ENVELOPE_BYTES_LIMIT, "{error}");
}

/// A `ledger.module` record's data for the next version of the finance module.
fn next_version() -> (String, Json) {
    let source = ledgerstone_schemas::FINANCE.replacen("version = 1", "version = 2", 1);
    let members = [("name", "finance"), ("source", source.as_str())];
    let members = members.map(|(name, text)| (name.to_owned(), Json::Text(text.to_owned())));
    (source, Json::Object(members.to_vec()))
}

/// Logs a record as a writer would that takes another authority for the one in force.
fn log_under(ledger: &Ledger, authority: Arc<Authority>) {
    let in_force = std::mem::replace(&mut ledger.lock_writer().unwrap().authority, authority);
    log_unscreened(ledger, transfer(5, "x"));
    ledger.lock_writer().unwrap().authority = in_force;
    // Nobody else believes it: the authority is read from the records again.
    *ledger.known.write().unwrap() = (0, Arc::new(Authority::new()));
}

fn is_found_to_be_of_another_version(ledger: &Ledger, index: u64) {
    let report = audit(ledger);
    assert_eq!(report.verdict, Verdict::StateDiffers, "{report}");
    let finding = &report.findings[0];
    assert_eq!(finding.index, Some(index), "{report}");
    assert!(finding.message.contains("the replay says rejected (ledger.module_version)"), "{report}");
}

#[test]
fn a_record_of_the_version_before_is_found() {
    let ledger = books();
    let before = Arc::clone(&ledger.lock_writer().unwrap().authority);
    ledger.load_module(&next_version().0, "finance.toml", false).unwrap();
    log_under(&ledger, before);
    is_found_to_be_of_another_version(&ledger, 5);
}

#[test]
fn a_record_of_a_version_to_come_is_found() {
    let ledger = books();
    let (source, data) = next_version();
    let mut to_come = Authority::clone(&ledger.lock_writer().unwrap().authority);
    to_come.apply("ledger.module", &data, 9);
    log_under(&ledger, Arc::new(to_come));
    ledger.load_module(&source, "finance.toml", false).unwrap();
    is_found_to_be_of_another_version(&ledger, 4);
}

/// Of a rejection whose record is kept nobody's word is taken: one that the rules do not give is found.
#[test]
fn a_rejection_that_the_rules_do_not_give_is_found_where_it_can_be_replayed() {
    for keeps in [true, false] {
        let create = Create::new("test.example/books", Key::from_seed([3; 32], "me")).record_rejections(keeps);
        let ledger = create.module(ledgerstone_schemas::FINANCE, "finance.toml").in_memory().unwrap();
        for id in ["cash", "sales"] {
            ledger.append("finance.account", account(id), None).unwrap();
        }
        let mut suspended = Authority::clone(&ledger.lock_writer().unwrap().authority);
        let finance = Json::Object(vec![("module".to_owned(), Json::Text("finance".to_owned()))]);
        suspended.apply("ledger.suspend", &finance, 9);
        let in_force = std::mem::replace(&mut ledger.lock_writer().unwrap().authority, Arc::new(suspended));
        let member = object(vec![
            ("member", text(&"ab".repeat(16))),
            ("key", Value::Bytes(Key::from_seed([9; 32], "x").public().to_vec())),
        ]);
        log_all_unscreened(
            &ledger,
            Mode::Each,
            vec![("finance.transfer", transfer(5, "x")), ("ledger.member", member)],
        );
        ledger.lock_writer().unwrap().authority = in_force;
        *ledger.known.write().unwrap() = (0, Arc::new(Authority::new()));
        let report = audit(&ledger);
        if keeps {
            assert_eq!((report.verdict, report.counts.claimed_rejections), (Verdict::StateDiffers, 0), "{report}");
            let message = "the log says rejected (ledger.module_suspended), the replay says accepted";
            assert_eq!(report.findings[0].message, message, "{report}");
        } else {
            assert_eq!((report.verdict, report.counts.claimed_rejections), (Verdict::OkUpToSize, 1), "{report}");
        }
    }
}
