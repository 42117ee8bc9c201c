//! The tables that hold state, compared with what the replay arrived at.

use std::collections::BTreeMap;

use super::replay::{Finished, readable};
use super::report::{Counts, Finding, Findings, Verdict};
use crate::error::Result;
use crate::ledger::View;
use crate::model::RowId;
use crate::store::{StoreError, Table};

/// Rows of `meta`. The checkpoint is verified by the replay, the secret by the hashes made with it.
const META_ROWS: [&str; 3] = ["checkpoint", "file_secret", "origin"];

/// Compares `cells` and `unique_keys` row by row, and the number of rows of every other table.
pub(super) fn state_tables(
    view: &View,
    origin: &str,
    finished: Finished<'_>,
    findings: &mut Findings,
) -> Result<Counts> {
    let mut counts = finished.counts;
    let rows = finished.rows;
    for (table, expected) in [
        (Table::Envelopes, view.size),
        (Table::Chunks, rows.chunks),
        (Table::Segments, rows.segments),
        (Table::Exceptions, rows.exceptions),
        (Table::Rejections, rows.rejections),
        (Table::Emitted, rows.emitted),
        (Table::CellRuns, rows.cell_runs),
        (Table::CellHistory, rows.cell_history),
        (Table::RecordNodes, rows.record_nodes),
        (Table::LogNodes, rows.log_nodes),
        (Table::Postings, rows.postings),
        (Table::Idempotency, rows.idempotency),
    ] {
        // What a transaction that was not read accounts for is not known.
        if finished.is_whole || table == Table::Envelopes {
            row_count(view, table, expected, findings)?;
        }
    }
    meta(view, origin, findings)?;
    if finished.is_whole {
        counts.cells = cells(view, &finished.state.cells, findings)?;
        counts.unique_keys = unique_keys(view, finished.state.keys.into_sorted(), findings)?;
    }
    Ok(counts)
}

/// Compares the table `meta` with the genesis.
fn meta(view: &View, origin: &str, findings: &mut Findings) -> Result<()> {
    let mut names = Vec::new();
    let mut stored_origin = Vec::new();
    let mut stored_secret = Vec::new();
    view.snapshot.scan(Table::Meta, &[], None, &mut |name, value| {
        names.push(readable(name));
        match name {
            b"origin" => stored_origin = value.to_vec(),
            b"file_secret" => stored_secret = value.to_vec(),
            _ => {}
        }
        true
    })?;
    if names != META_ROWS {
        let message = format!("it has the rows {}, not {}", names.join(", "), META_ROWS.join(", "));
        findings.add(Finding::of(Verdict::StateDiffers, Table::Meta.name(), message));
    }
    if stored_secret != view.secret.0 {
        let message = "its file secret is not the one that keys and postings are hashed with";
        findings.add(Finding::of(Verdict::StateDiffers, Table::Meta.name(), message));
    }
    if stored_origin != origin.as_bytes() {
        let message = format!("its origin is {}, the genesis says {origin}", readable(&stored_origin));
        findings.add(Finding::of(Verdict::StateDiffers, Table::Meta.name(), message));
    }
    Ok(())
}

/// Compares the table `cells`.
fn cells(view: &View, expected: &BTreeMap<Vec<u8>, (u64, Vec<u8>)>, findings: &mut Findings) -> Result<u64> {
    let mut expected = expected.iter().peekable();
    let mut read = 0;
    let differs = |name: &[u8], message: &str| {
        Finding::of(Verdict::StateDiffers, Table::Cells.name(), format!("{}: {message}", readable(name)))
    };
    view.snapshot.scan(Table::Cells, &[], None, &mut |name, stored| {
        read += 1;
        while let Some((missing, _)) = expected.next_if(|(expected, _)| expected.as_slice() < name) {
            findings.add(differs(missing, "the replay has this cell, the table does not"));
        }
        match expected.next_if(|(expected, _)| expected.as_slice() == name) {
            None => findings.add(differs(name, "the table has this cell, the replay does not")),
            Some((_, (index, value))) => {
                if stored != [index.to_be_bytes().as_slice(), value].concat() {
                    let value = String::from_utf8_lossy(value);
                    findings
                        .add(differs(name, &format!("the replay has {value}, last changed by transaction {index}")));
                }
            }
        }
        true
    })?;
    for (missing, _) in expected {
        findings.add(differs(missing, "the replay has this cell, the table does not"));
    }
    Ok(read)
}

/// Compares the table `unique_keys`.
fn unique_keys(view: &View, expected: Vec<(u64, u64)>, findings: &mut Findings) -> Result<u64> {
    let mut expected = expected.into_iter().peekable();
    let mut read = 0;
    let differs = |row: u64, message: &str| {
        let row = RowId::from_number(row);
        Finding::at(Verdict::StateDiffers, Table::UniqueKeys.name(), row.index, message)
            .among(row.position, row.position)
    };
    view.snapshot.scan(Table::UniqueKeys, &[], None, &mut |key, value| {
        read += 1;
        let Some(found) = split(key).filter(|_| value.is_empty()) else {
            let message = format!("{} is no key and row without a value", readable(key));
            findings.add(Finding::of(Verdict::StateDiffers, Table::UniqueKeys.name(), message));
            return true;
        };
        while let Some((_, row)) = expected.next_if(|expected| *expected < found) {
            findings.add(differs(row, "the key of this record is not in the table"));
        }
        if expected.next_if_eq(&found).is_none() {
            findings.add(differs(found.1, "the table holds a key that this record does not have"));
        }
        true
    })?;
    for (_, row) in expected {
        findings.add(differs(row, "the key of this record is not in the table"));
    }
    Ok(read)
}

fn split(key: &[u8]) -> Option<(u64, u64)> {
    let (hash, row) = key.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*hash), u64::from_be_bytes(row.try_into().ok()?)))
}

/// A table holds no row that no transaction accounts for.
fn row_count(view: &View, table: Table, expected: u64, findings: &mut Findings) -> Result<()> {
    let mut found = 0;
    let scanned = view.snapshot.scan(table, &[], None, &mut |_, _| {
        found += 1;
        true
    });
    match scanned {
        Ok(()) => {}
        Err(StoreError::Engine(why) | StoreError::Damaged { why, .. }) => {
            findings.add(Finding::of(Verdict::StorageCorrupt, table.name(), why));
            return Ok(());
        }
        Err(other) => return Err(other.into()),
    }
    if found != expected {
        let message = format!("it has {found} rows, the transactions account for {expected}");
        findings.add(Finding::of(Verdict::StateDiffers, table.name(), message));
    }
    Ok(())
}
