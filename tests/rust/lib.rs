//! Helpers of the tests that stand across the crates: values, records of the finance module, repeatable sources.

use std::sync::{Arc, Mutex};

use ledgerstone::model::Value;
use ledgerstone::{
    AuditOptions, AuditReport, Create, Error, Key, Ledger, LoadOptions, LoadReport, Proposal, Sources, Verdict,
};
use ledgerstone_verify::Mode;

/// The seed of the first member's key.
pub const SEED: [u8; 32] = [7; 32];
/// The origin of test ledgers.
pub const ORIGIN: &str = "acme.example/books";
/// 2026-01-01T00:00:00Z in microseconds: where the fixed clock starts.
pub const START_MICROS: i64 = 1_767_225_600_000_000;

/// A text value.
pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// An object of named values.
pub fn object(members: &[(&str, Value)]) -> Value {
    Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// An object of named texts; a member `""` is left out.
pub fn texts(members: &[(&str, &str)]) -> Value {
    let given = members.iter().filter(|(_, value)| !value.is_empty());
    Value::Object(given.map(|(name, value)| ((*name).to_owned(), text(value))).collect())
}

/// A JSON value as one that is handed over; panics on a number that is no integer.
pub fn value(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Int(value.as_i64().expect("an integer")),
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(name, member)| (name.clone(), value(member))).collect())
        }
    }
}

/// A record: type name and data.
pub fn record(type_name: &str, members: &[(&str, &str)]) -> (String, Value) {
    (type_name.to_owned(), texts(members))
}

/// An account in euro; `floor` may be empty.
pub fn account(id: &str, floor: &str) -> (String, Value) {
    record("finance.account", &[("id", id), ("kind", "asset"), ("currency", "EUR"), ("floor", floor)])
}

/// A transfer in euro.
pub fn transfer(id: &str, debit: &str, credit: &str, amount: &str) -> (String, Value) {
    let members = [("id", id), ("debit", debit), ("credit", credit), ("currency", "EUR"), ("amount", amount)];
    record("finance.transfer", &members)
}

/// The key of the first member.
pub fn key() -> Key {
    Key::from_seed(SEED, "me")
}

/// A ledger to be made, with the finance module.
pub fn books() -> Create {
    Create::new(ORIGIN, key()).module(ledgerstone_schemas::FINANCE, "finance.toml")
}

/// Loads one piece of values, without progress.
pub fn load(
    ledger: &Ledger,
    type_name: &str,
    values: Vec<Value>,
    id: Option<&str>,
    mode: Mode,
) -> Result<LoadReport, Error> {
    let options = LoadOptions { id, mode, ..LoadOptions::default() };
    ledger.append_values(type_name, &mut std::iter::once(Ok(values)), options)
}

/// The code of a refusal; panics where the error is another.
pub fn code_of(error: &Error) -> &str {
    match error {
        Error::Rejected(rejected) | Error::Forbidden(rejected) => &rejected.code,
        other => panic!("not a refusal: {other}"),
    }
}

/// Audits a ledger that has to be sound.
pub fn audited(ledger: &Ledger) -> AuditReport {
    let report = ledger.audit(AuditOptions { against: None, progress: &mut |_, _| Ok(()) }).unwrap();
    assert_eq!(report.verdict, Verdict::OkUpToSize, "{report}");
    report
}

/// The proposal of an author, the holder of [`SEED`], who signs what he likes.
pub fn signed_elsewhere(like: &Proposal, records: &[&str]) -> Proposal {
    use ed25519_dalek::{Signer, SigningKey};
    use ledgerstone_verify::hash::Sha3_256;
    use ledgerstone_verify::{EntryList, Salts, Signature, entry_leaf, idempotency_digest, merkle};
    let (secret, id) = ([9; 32], like.id().to_owned());
    let mut salts = Salts::new(secret, EntryList::Records);
    let leaf = |(place, record): (u64, &&str)| entry_leaf(EntryList::Records, &salts.salt(place), record.as_bytes());
    let leaves: Vec<_> = (0u64..).zip(records).map(leaf).collect();
    let intent = ledgerstone_verify::Intent {
        count: records.len() as u64,
        root: merkle::root::<Sha3_256>(&leaves),
        idempotency: Some(idempotency_digest(&secret, &id)),
        ..like.intent().clone()
    };
    let sig = SigningKey::from_bytes(&SEED).sign(&intent.message()).to_bytes();
    let author = Signature { member: intent.author.clone(), key: intent.key, sig, endorsement: None };
    let made = ledgerstone_verify::Proposal {
        origin: like.origin().to_owned(),
        id,
        secret,
        intent,
        records: records.iter().map(|record| (*record).to_owned()).collect(),
        signatures: vec![author],
    };
    Proposal::parse(made.to_json().as_bytes()).unwrap()
}

/// What the fixed sources gave out, in order.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Readings of the clock.
    pub times: Arc<Mutex<Vec<i64>>>,
    /// Random bytes.
    pub draws: Arc<Mutex<Vec<[u8; 32]>>>,
}

impl Tape {
    /// A clock that steps a millisecond per reading, and random bytes that count; both are written down.
    pub fn sources(&self) -> Sources {
        let (times, draws) = (Arc::clone(&self.times), Arc::clone(&self.draws));
        let now = move || {
            let mut times = times.lock().unwrap();
            let now = START_MICROS + 1_000 * times.len() as i64;
            times.push(now);
            now
        };
        let random = move || {
            let mut draws = draws.lock().unwrap();
            let bytes = counted_bytes(draws.len() as u64);
            draws.push(bytes);
            bytes
        };
        Sources::fixed(now, random)
    }

    /// The newest random bytes.
    pub fn last_draw(&self) -> [u8; 32] {
        *self.draws.lock().unwrap().last().expect("something was drawn")
    }

    /// The two newest readings of the clock, the older first.
    pub fn last_times(&self) -> (i64, i64) {
        let times = self.times.lock().unwrap();
        (times[times.len() - 2], times[times.len() - 1])
    }
}

/// Bytes that differ for every number and look like nothing in particular.
fn counted_bytes(number: u64) -> [u8; 32] {
    let mut rng = Rng::new(number);
    let mut bytes = [0; 32];
    for part in bytes.chunks_exact_mut(8) {
        part.copy_from_slice(&rng.next().to_le_bytes());
    }
    bytes
}

/// A small generator of pseudo-random numbers (splitmix64): the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Rng(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
