//! Transfers with random UUIDs over a number of accounts, the same for every run (seeded).

use std::sync::Arc;

use arrow_array::{Decimal128Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

/// Accounts of the benchmark.
pub(crate) const ACCOUNTS: u64 = 10_000;

/// A small generator of pseudo-random numbers (splitmix64): the seed is the data.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The name of an account.
pub(crate) fn account(number: u64) -> String {
    format!("account-{number:05}")
}

/// A random UUID (version 4), as text.
pub(crate) fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.next(), random.next());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | low >> 48 & 0x3fff,
        low & 0xffff_ffff_ffff,
    )
}

/// `rows` transfers: id, debit, credit, currency, amount.
pub(crate) fn transfers(random: &mut Random, rows: usize) -> RecordBatch {
    let ids: StringArray = (0..rows).map(|_| Some(uuid(random))).collect();
    let mut debits = Vec::with_capacity(rows);
    let mut credits = Vec::with_capacity(rows);
    let mut amounts = Vec::with_capacity(rows);
    for _ in 0..rows {
        let debit = random.next() % ACCOUNTS;
        let credit = (debit + 1 + random.next() % (ACCOUNTS - 1)) % ACCOUNTS;
        debits.push(account(debit));
        credits.push(account(credit));
        amounts.push(i128::from(1 + random.next() % 100_000));
    }
    let schema = Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("debit", DataType::Utf8, false),
        Field::new("credit", DataType::Utf8, false),
        Field::new("currency", DataType::Utf8, false),
        Field::new("amount", DataType::Decimal128(18, 2), false),
    ]);
    let amounts = Decimal128Array::from(amounts).with_precision_and_scale(18, 2).expect("18 digits hold the amounts");
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(ids),
            Arc::new(StringArray::from(debits)),
            Arc::new(StringArray::from(credits)),
            Arc::new(StringArray::from(vec!["EUR"; rows])),
            Arc::new(amounts),
        ],
    )
    .expect("columns of one length")
}
