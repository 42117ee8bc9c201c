//! A consistent view: a snapshot of the store and the authority that holds at it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

use arrow_array::BooleanArray;
use arrow_select::filter::filter_record_batch;
use ledgerstone_verify::canon::{Json, parse_canonical};
use ledgerstone_verify::entry::{Exception, ExceptionOutcome};
use ledgerstone_verify::envelope::Envelope;
use ledgerstone_verify::error::VerifyErrorKind;
use siphasher::sip::SipHasher24;

use super::append::stored_exceptions;
use super::outcomes::Standing;
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::authority::{Authority, SEMANTICS};
use crate::execute::keys_under;
use crate::limits::CHUNK_ROWS;
use crate::model::{CellVisitor, RecordsVisitor, RowId, State, UniqueKey};
use crate::query::{ChunkRows, Lookup, ReadError, Reader, Segments, posting_prefix};
use crate::schema::error::suggestion_or_all;
use crate::schema::{AddedKey, OF_NEW_LEDGERS, RecordType, Rows, Semantics, lookup_path, widened};
use crate::store::{Snapshot, Table, number_key};

/// Record types of the built-in module, whose records make the authority.
const AUTHORITY_TYPES: [&str; 10] = [
    "ledger.genesis",
    "ledger.member",
    "ledger.key",
    "ledger.revoke",
    "ledger.grant",
    "ledger.module",
    "ledger.log_key",
    "ledger.suspend",
    "ledger.resume",
    SEMANTICS,
];

/// The secret of a file, by which unique keys and postings are hashed.
#[derive(Clone, Copy)]
pub(crate) struct FileSecret(pub(crate) [u8; 16]);

impl FileSecret {
    /// SipHash-2-4 of bytes.
    pub(crate) fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// A view of a ledger at one size.
pub(crate) struct View {
    pub(crate) snapshot: Box<dyn Snapshot>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) size: u64,
    pub(crate) secret: FileSecret,
    /// The chunk read last: neighbours are often asked for next.
    last: RefCell<Option<ChunkRows>>,
}

impl View {
    /// A view of a snapshot. `known` is an authority and the size at which it held.
    pub(crate) fn new(snapshot: Box<dyn Snapshot>, secret: FileSecret, known: (u64, Arc<Authority>)) -> Result<Self> {
        let size = snapshot.size()?;
        let (from, mut authority) = known;
        if from == 0 && size > 0 {
            authority = Arc::new(Authority::of(first_semantics(&*snapshot)?));
        }
        let mut view = View { snapshot, authority, size, secret, last: RefCell::new(None) };
        if from < size {
            view.catch_up(from)?;
        }
        Ok(view)
    }

    /// Applies the records of the module `ledger` from index `from` on.
    fn catch_up(&mut self, from: u64) -> Result<()> {
        let mut runs = Vec::new();
        for name in AUTHORITY_TYPES {
            let own = Segments::new(name, from, self.size).all(&*self.snapshot)?;
            runs.extend(own.into_iter().map(|run| (run.first, name, run)));
        }
        runs.sort_unstable_by_key(|(first, _, _)| *first);
        for (_, name, run) in runs {
            // What was written under a semantics that this build does not execute says nothing to it.
            if !Semantics::is_executed(self.authority.semantics()) {
                break;
            }
            let authority = Arc::clone(&self.authority);
            let types = |name: &str, version: u64| authority.version(name, version).cloned();
            for chunk in (Reader { snapshot: &*self.snapshot, types: &types }).run(name, run).map_err(damage)? {
                self.apply(&chunk)?;
            }
        }
        Ok(())
    }

    /// Applies records of the module `ledger`.
    fn apply(&mut self, chunk: &ChunkRows) -> Result<()> {
        let Some(first) = chunk.rows.first() else { return Ok(()) };
        let view = chunk.view(*first).map_err(damage)?;
        // An envelope that does not read is for the audit to report, which has to get that far.
        let stored = (chunk.record_type.name == "ledger.module").then(|| self.envelope(first.index));
        let author = stored.and_then(Result::ok).map(|stored| stored.envelope.intent.author);
        let mut bytes = Vec::new();
        for place in 0..chunk.rows.len() {
            bytes.clear();
            view.write_record(place, &mut bytes);
            if let Ok(record) = Json::parse(&bytes)
                && let Some(data) = record.get("data")
            {
                let authority = Arc::make_mut(&mut self.authority);
                authority.apply(&chunk.record_type.name, data, first.index);
                if let (Some(author), Some(name)) = (&author, data.get("name").and_then(Json::as_text)) {
                    authority.claim(name, author);
                }
            }
        }
        Ok(())
    }

    /// Fails where this build does not execute the semantics in force.
    pub(crate) fn check_semantics(&self) -> Result<()> {
        let semantics = self.authority.semantics();
        if Semantics::is_executed(semantics) { Ok(()) } else { Err(Error::of_later_semantics(semantics)) }
    }

    /// Runs `read` with a reader of stored rows.
    pub(crate) fn read<T>(&self, read: impl FnOnce(Reader<'_>) -> std::result::Result<T, ReadError>) -> Result<T> {
        let authority = &*self.authority;
        let types = |name: &str, version: u64| authority.version(name, version).cloned();
        read(Reader { snapshot: &*self.snapshot, types: &types }).map_err(damage)
    }

    /// Runs `look` on the chunk that holds a row; an error where the row is not stored.
    pub(crate) fn with_row<T>(&self, row: RowId, look: impl FnOnce(&ChunkRows, usize) -> Result<T>) -> Result<T> {
        let mut last = self.last.borrow_mut();
        if let Some(chunk) = &*last
            && let Ok(place) = chunk.rows.binary_search(&row)
        {
            return look(chunk, place);
        }
        let found = self.read(|reader| reader.locate(row))?;
        let (chunk, place) = found.ok_or_else(|| Error::damaged(format!("table chunks: row {row} is not there")))?;
        let result = look(&chunk, place);
        if chunk.rows.len() <= CHUNK_ROWS {
            *last = Some(chunk);
        }
        result
    }

    /// Record bytes of a row.
    pub(crate) fn record_bytes(&self, row: RowId) -> Result<Vec<u8>> {
        self.with_row(row, |chunk, place| {
            let mut bytes = Vec::new();
            chunk.view(row).map_err(damage)?.write_record(place, &mut bytes);
            Ok(bytes)
        })
    }

    /// Fails unless the index is one of this view's transactions.
    pub(crate) fn check_index(&self, index: u64) -> Result<()> {
        if index < self.size {
            return Ok(());
        }
        Err(Error::schema(
            codes::NO_RECORD,
            format!("there is no transaction {index}: the ledger holds {}, from 0", self.size),
        ))
    }

    /// Secret and envelope of a transaction, and the envelope's text.
    pub(crate) fn envelope(&self, index: u64) -> Result<StoredEnvelope> {
        let stored = self.snapshot.get(Table::Envelopes, &number_key(index))?;
        let stored = stored.ok_or_else(|| missing(index))?;
        StoredEnvelope::parse(index, &stored)
    }

    /// The record type of that name, in the version in force.
    pub(crate) fn record_type(&self, name: &str) -> Result<Arc<RecordType>> {
        record_type_of(&self.authority, name)
    }

    /// A stored cell: index of its last change, and JCS bytes, `null` where it was removed.
    pub(crate) fn cell_with_index(&self, name: &[u8]) -> Result<Option<(u64, Vec<u8>)>> {
        let Some(stored) = self.snapshot.get(Table::Cells, name)? else { return Ok(None) };
        let Some((index, value)) = stored.split_first_chunk::<8>() else {
            return Err(too_short(name));
        };
        Ok(Some((u64::from_be_bytes(*index), value.to_vec())))
    }

    /// Whether a transaction below an index holds a record of a type.
    pub(crate) fn has_records_below(&self, type_name: &str, end: u64) -> Result<bool> {
        Ok(Segments::new(type_name, 0, end).next(&*self.snapshot)?.is_some())
    }

    /// Visits the records of a type below an index, but those that are held.
    pub(crate) fn records_below(
        &self,
        type_name: &str,
        end: u64,
        are_held: &mut dyn FnMut(&[RowId]) -> Result<Vec<bool>>,
        visit: &mut RecordsVisitor<'_>,
    ) -> Result<()> {
        let mut segments = Segments::new(type_name, 0, end);
        while let Some(run) = segments.next(&*self.snapshot)? {
            for ChunkRows { record_type, mut batch, mut rows } in self.read(|reader| reader.run(type_name, run))? {
                let held = are_held(&rows)?;
                if held.contains(&true) {
                    let kept = held.iter().map(|held| !held).collect::<Vec<_>>();
                    batch = filter_record_batch(&batch, &BooleanArray::from(kept))
                        .map_err(|error| Error::Fault(error.to_string()))?;
                    rows = rows.into_iter().zip(held).filter(|(_, held)| !held).map(|(row, _)| row).collect();
                }
                visit(record_type.version, &batch, &rows);
            }
        }
        Ok(())
    }

    /// The value of a cell, JCS bytes.
    fn cell(&self, name: &[u8]) -> Result<Option<Vec<u8>>> {
        // A removed cell keeps its row, so that its name can be found in its past.
        Ok(self.cell_with_index(name)?.map(|(_, value)| value).filter(|value| value != b"null"))
    }
}

impl State for View {
    type Error = Error;

    fn cells(&self, names: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>> {
        // In the order of the table, so that neighbours share pages.
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_unstable_by_key(|&place| names[place]);
        let mut values = vec![None; names.len()];
        for place in order {
            values[place] = self.cell(names[place])?;
        }
        Ok(values)
    }

    fn cells_from(&self, prefix: &[u8], visit: &mut CellVisitor<'_>) -> Result<()> {
        let end = [prefix, &[0xff]].concat();
        let mut damaged = None;
        self.snapshot.scan(Table::Cells, prefix, Some(&end), &mut |name, stored| {
            let Some((_, value)) = stored.split_first_chunk::<8>() else {
                damaged = Some(too_short(name));
                return false;
            };
            visit(name, (value != b"null").then_some(value))
        })?;
        damaged.map_or(Ok(()), Err)
    }

    fn has_records(&self, type_name: &str) -> Result<bool> {
        self.has_records_below(type_name, self.size)
    }

    fn records_of(&self, type_name: &str, visit: &mut RecordsVisitor<'_>) -> Result<()> {
        let mut are_held = |rows: &[RowId]| {
            let standings = self.standings_of(type_name, rows, self.size)?;
            Ok(standings.iter().map(|standing| matches!(standing, Standing::Held(_))).collect())
        };
        self.records_below(type_name, self.size, &mut are_held, visit)
    }

    fn rows_by_key_hash(&self, hashes: &[u64], visit: &mut dyn FnMut(u64, RowId)) -> Result<()> {
        let prefixes: Vec<[u8; 8]> = hashes.iter().map(|hash| hash.to_be_bytes()).collect();
        self.snapshot.probe(Table::UniqueKeys, &prefixes, &mut |key| {
            if let Some((hash, rest)) = key.split_first_chunk::<8>()
                && let Ok(row) = rest.try_into()
            {
                visit(u64::from_be_bytes(*hash), RowId::from_number(u64::from_be_bytes(row)));
            }
        })?;
        Ok(())
    }

    fn record(&self, row: RowId) -> Result<Vec<u8>> {
        self.record_bytes(row)
    }

    fn unique_keys(&self, row: RowId) -> Result<Vec<UniqueKey>> {
        self.with_row(row, |chunk, place| {
            let mut keys = Vec::new();
            let mut take = |key: &[u8], version| keys.push(UniqueKey { bytes: key.to_vec(), version });
            let (view, record_type) = (chunk.view(row).map_err(damage)?, &chunk.record_type);
            record_type.unique_rules().for_each(|rule| keys_under(&view, place, rule, &mut take));
            for AddedKey { record_type: later, rule } in self.authority.added_keys(record_type) {
                let unread = |why: &dyn std::fmt::Display| Error::damaged(format!("table chunks, row {row}: {why}"));
                let batch =
                    widened(&chunk.batch.slice(place, 1), record_type, &later).map_err(|error| unread(&error))?;
                let rows = Rows::new(&later, &batch).map_err(|error| unread(&error))?;
                keys_under(&rows, 0, rule, &mut take);
            }
            Ok(keys)
        })
    }

    fn rows_with(
        &self,
        type_name: &str,
        field: &str,
        value: &[u8],
        visit: &mut dyn FnMut(RowId) -> bool,
    ) -> Result<()> {
        let term = (posting_prefix(type_name, field), vec![self.secret.hash(value)]);
        let mut found = Lookup::new(vec![term], 0, self.size);
        while let Some(found) = found.next(&*self.snapshot).map_err(damage)? {
            for row in Vec::<RowId>::from(found) {
                // A hash is no proof.
                let is_equal = self.with_row(row, |chunk, place| holds(chunk, place, field, value))?;
                if is_equal && !visit(row) {
                    return Ok(());
                }
            }
        }
        // A version that did not index the field has left no postings: its records are looked at one by one.
        let is_bare = |declared: &RecordType| declared.field(field).is_some_and(|field| !field.index);
        if !self.authority.versions_of(type_name).any(|declared| is_bare(declared)) {
            return Ok(());
        }
        let mut segments = Segments::new(type_name, 0, self.size);
        while let Some(run) = segments.next(&*self.snapshot)? {
            for chunk in self.read(|reader| reader.run(type_name, run))? {
                for (place, row) in chunk.rows.iter().enumerate().filter(|_| is_bare(&chunk.record_type)) {
                    if holds(&chunk, place, field, value)? && !visit(*row) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn is_held(&self, row: RowId) -> Result<bool> {
        let is_held = |exception: &Exception| {
            exception.position == u64::from(row.position) && exception.outcome == ExceptionOutcome::Held
        };
        Ok(row.index < self.size && stored_exceptions(self, row.index)?.iter().any(is_held))
    }

    fn key_hash(&self, key: &[u8]) -> u64 {
        self.secret.hash(key)
    }
}

/// A row of the table `envelopes`.
pub(crate) struct StoredEnvelope {
    pub(crate) secret: [u8; 32],
    pub(crate) text: Vec<u8>,
    pub(crate) envelope: Envelope,
}

impl StoredEnvelope {
    /// Reads a stored value.
    pub(crate) fn parse(index: u64, stored: &[u8]) -> Result<Self> {
        let (secret, text) = stored.split_first_chunk::<32>().ok_or_else(|| missing(index))?;
        let envelope = Envelope::parse_under(text, &Semantics::is_executed).map_err(|error| {
            let code = match error.kind() {
                VerifyErrorKind::UnverifiableVersion => codes::UNVERIFIABLE_VERSION,
                _ => codes::CONTENT_CHANGED,
            };
            Error::verification(code, format!("table envelopes, index {index}: {error}"))
        })?;
        Ok(StoredEnvelope { secret: *secret, text: text.to_vec(), envelope })
    }
}

/// The semantics under which a ledger was made. An envelope that does not read is for the audit to report, which has to get that far.
pub(crate) fn first_semantics(snapshot: &dyn Snapshot) -> Result<u64> {
    let stored = snapshot.get(Table::Envelopes, &number_key(0))?.ok_or_else(|| missing(0));
    match stored.and_then(|stored| StoredEnvelope::parse(0, &stored)) {
        Ok(stored) => Ok(stored.envelope.semantics),
        Err(error) if error.code() == codes::UNVERIFIABLE_VERSION => Err(error),
        Err(_) => Ok(OF_NEW_LEDGERS),
    }
}

/// The data of the genesis record.
pub(crate) fn genesis_data(view: &View) -> Result<Json> {
    let record = view.record_bytes(RowId::new(0, 0))?;
    let record = parse_canonical(&record).map_err(|error| Error::damaged(error.to_string()))?;
    match record {
        Json::Object(members) => members
            .into_iter()
            .collect::<BTreeMap<_, _>>()
            .remove("data")
            .ok_or_else(|| Error::damaged("table chunks, transaction 0: the first record holds no data".to_owned())),
        _ => Err(Error::damaged("table chunks, transaction 0: the first record is no object".to_owned())),
    }
}

/// A read error as the engine's.
pub(crate) fn damage(error: ReadError) -> Error {
    match error {
        ReadError::Store(error) => Error::Store(error),
        damaged @ ReadError::Damaged { .. } => Error::damaged(damaged.to_string()),
    }
}

/// Whether a field of a row has a value, as JSON.
fn holds(chunk: &ChunkRows, place: usize, field: &str, value: &[u8]) -> Result<bool> {
    let Some(path) = lookup_path(&chunk.record_type, field) else { return Ok(false) };
    let view = chunk.view(chunk.rows[place]).map_err(damage)?;
    let mut json = Vec::new();
    view.scalar(&path, place, None).write_json(&mut json);
    Ok(json == value)
}

fn too_short(cell: &[u8]) -> Error {
    Error::damaged(format!("table cells: {} is too short", String::from_utf8_lossy(cell)))
}

fn missing(index: u64) -> Error {
    Error::damaged(format!("table envelopes: index {index} is not there"))
}

/// The record type of that name, in the version in force.
pub(crate) fn record_type_of(authority: &Authority, name: &str) -> Result<Arc<RecordType>> {
    authority.record_type(name).cloned().ok_or_else(|| unknown_type(authority, name))
}

/// The error where no module in force declares a type.
fn unknown_type(authority: &Authority, name: &str) -> Error {
    let mut known: Vec<&str> =
        authority.modules().flat_map(|module| module.types.iter().map(|declared| declared.name.as_str())).collect();
    known.sort_unstable();
    Error::schema(
        codes::UNKNOWN_TYPE,
        format!("no module in force declares the record type {name}{}", suggestion_or_all(name, &known)),
    )
}
