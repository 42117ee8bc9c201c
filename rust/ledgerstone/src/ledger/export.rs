//! Exporting the audit trail.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, SchemaRef};
use ledgerstone_verify::entry::{Emitted, EntryList, Exception, ExceptionOutcome, Salts, entry_leaf};
use ledgerstone_verify::hash::Hash;
use rayon::prelude::*;

use super::append::stored_exceptions;
use super::view::{StoredEnvelope, View, damage};
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::RecordBytes;
use crate::export::{ExportFormat, Sink, TrailRow, TransactionFacts, trail_batch, trail_schema};
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::query::{ChunkRows, Filter, Gathered, Scan, Segments, Source, Wanted};
use crate::schema::{RecordType, Rows, arrow_schema, named_type};
use crate::store::{StoreError, Table, number_key};

/// What to export, and how.
pub struct ExportOptions<'a> {
    /// One record type, its fields as columns; `None`: every record, its fields as one JSON text in the column `data`.
    pub record_type: Option<&'a str>,
    /// The file format; `None`: by the file name's ending.
    pub format: Option<ExportFormat>,
    /// Whether a file of that name is replaced, once the new one is whole.
    pub overwrite: bool,
    /// Told the rows written so far; an error stops the export and leaves no file.
    pub progress: &'a mut dyn FnMut(u64) -> Result<()>,
}

/// An export under way.
struct Export<'a, 'o> {
    ledger: &'a Ledger,
    view: View,
    schema: SchemaRef,
    sink: Sink,
    /// Transactions, as far as the rows at hand need them.
    known: Known,
    rows: u64,
    progress: &'o mut dyn FnMut(u64) -> Result<()>,
}

impl Ledger {
    /// Writes the audit trail to a file: streaming, one consistent view. Gives the number of rows. A file that exists is left alone unless
    /// [`ExportOptions::overwrite`] says otherwise.
    pub fn export(&self, path: &Path, options: ExportOptions<'_>) -> Result<u64> {
        let format = options.format.or_else(|| ExportFormat::of_path(path)).ok_or_else(|| {
            let message = "an export ends in .parquet or .arrow, or names its format";
            Error::schema(codes::UNKNOWN_FILE_FORMAT, message).in_file(path)
        })?;
        let view = self.view()?;
        let record_type = options.record_type.map(|name| view.record_type(name)).transpose()?;
        let schema = match &record_type {
            Some(record_type) => trail_schema(arrow_schema(record_type).fields()),
            None => trail_schema(&[Arc::new(Field::new("data", DataType::Utf8, true))]),
        };
        if self.path.as_deref().is_some_and(|own| std::path::absolute(own).ok() == std::path::absolute(path).ok()) {
            return Err(Error::schema(codes::OWN_FILE, "this is the ledger itself").in_file(path));
        }
        if !options.overwrite && path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists(path.to_owned()).into());
        }
        let sink = Sink::create(path, format, &schema)?;
        let progress = options.progress;
        let mut export = Export { ledger: self, view, schema, sink, known: BTreeMap::new(), rows: 0, progress };
        match &record_type {
            Some(record_type) => export.records_of(record_type)?,
            None => export.all_records()?,
        }
        export.sink.finish()?;
        Ok(export.rows)
    }
}

impl Export<'_, '_> {
    fn records_of(&mut self, record_type: &Arc<RecordType>) -> Result<()> {
        let filter = Filter::new(record_type, &[]).map_err(|why| Error::schema(codes::BAD_CONDITION, why))?;
        let segments = Segments::new(&record_type.name, 0, self.view.size);
        let mut scan = Scan::new(Source::All(segments), Wanted::all(record_type), filter);
        while let Some(wave) = scan.read_wave(&*self.view.snapshot).map_err(damage)? {
            let authority = Arc::clone(&self.view.authority);
            let types = |name: &str, version: u64| authority.version(name, version).cloned();
            let pages = self.ledger.pool.each(&wave, |page| scan.decode(page, &types).map_err(damage))?;
            for page in &pages {
                self.look_up(page.rows.iter().map(|row| row.index))?;
            }
            let (known, schema) = (&self.known, &self.schema);
            let batches = self.ledger.pool.run(|| {
                pages.par_iter().map(|page| typed_page(record_type, page, known, schema)).collect::<Result<Vec<_>>>()
            })??;
            for batch in batches {
                self.write(&batch)?;
            }
            self.known.clear();
        }
        Ok(())
    }

    fn all_records(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        let mut data = Vec::new();
        for index in 0..self.view.size {
            self.look_up(std::iter::once(index))?;
            let chunks = self.view.read(|reader| reader.transaction(index))?;
            let known = &self.known[&index];
            let texts = self
                .ledger
                .pool
                .run(|| chunks.par_iter().map(|chunk| chunk_trail(chunk, known)).collect::<Result<Vec<_>>>())??;
            let mut trail: Vec<(TrailRow, Option<String>)> = texts.into_iter().flatten().collect();
            for exception in known.rejected() {
                trail.push(rejected_trail(&self.view, index, exception)?);
            }
            trail.sort_by_key(|(row, _)| row.row);
            for (row, text) in trail {
                rows.push(row);
                data.push(text);
                if rows.len() == CHUNK_ROWS {
                    self.flush(&mut rows, &mut data)?;
                }
            }
        }
        if rows.is_empty() { Ok(()) } else { self.flush(&mut rows, &mut data) }
    }

    fn flush(&mut self, rows: &mut Vec<TrailRow>, data: &mut Vec<Option<String>>) -> Result<()> {
        let texts: ArrayRef = Arc::new(StringArray::from(std::mem::take(data)));
        let rows = std::mem::take(rows);
        let batch = batch(&self.schema, &self.known, &rows, vec![texts])?;
        let last = rows.last().map_or(0, |row| row.row.index);
        self.known = self.known.split_off(&last);
        self.write(&batch)
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.sink.write(batch)?;
        self.rows += batch.num_rows() as u64;
        (self.progress)(self.rows)
    }

    fn look_up(&mut self, indexes: impl Iterator<Item = u64>) -> Result<()> {
        for index in indexes {
            if !self.known.contains_key(&index) {
                self.known.insert(index, Transaction::read(&self.view, index)?);
            }
        }
        Ok(())
    }
}

type Known = BTreeMap<u64, Transaction>;

/// What the trail says of a transaction's rows.
struct Transaction {
    facts: TransactionFacts,
    secret: [u8; 32],
    /// Number of its signed records.
    count: u32,
    exceptions: BTreeMap<u32, Exception>,
    /// Causes of its emitted records.
    causes: Vec<u32>,
}

impl Transaction {
    fn read(view: &View, index: u64) -> Result<Self> {
        let StoredEnvelope { secret, envelope, .. } = view.envelope(index)?;
        let facts = TransactionFacts {
            author: envelope.intent.author,
            time: clock::parse(&envelope.time)?,
            signed: clock::parse(&envelope.intent.time)?,
        };
        let exceptions = if envelope.exceptions.count > 0 { stored_exceptions(view, index)? } else { Vec::new() };
        let exceptions = exceptions.into_iter().map(|exception| (exception.position as u32, exception)).collect();
        let count = envelope.intent.count as u32;
        let emitted = (count..).take(envelope.emitted.count as usize);
        let causes = emitted.map(|position| Ok(view.cause(RowId::new(index, position))?.unwrap_or_default()));
        Ok(Transaction { facts, secret, count, exceptions, causes: causes.collect::<Result<_>>()? })
    }

    fn rejected(&self) -> impl Iterator<Item = &Exception> {
        self.exceptions.values().filter(|exception| exception.outcome == ExceptionOutcome::Rejected)
    }

    /// The trail's row of a stored record, given its bytes.
    fn row(&self, row: RowId, record_type: &Arc<RecordType>, leaves: &mut Leaves, bytes: &[u8]) -> TrailRow {
        let record_type = Some(Arc::clone(record_type));
        if let Some(place) = row.position.checked_sub(self.count) {
            let cause = self.causes.get(place as usize).copied();
            let entry = Emitted::write(u64::from(cause.unwrap_or_default()), bytes);
            let salt = Salts::new(self.secret, EntryList::Emitted).salt(u64::from(place));
            let leaf = entry_leaf(EntryList::Emitted, &salt, &entry);
            return TrailRow { row, record_type, leaf, outcome: "accepted", code: None, cause };
        }
        let exception = self.exceptions.get(&row.position);
        TrailRow {
            row,
            record_type,
            leaf: leaves.leaf(row, self.secret, bytes),
            outcome: exception.map_or("accepted", |exception| exception.outcome.name()),
            code: exception.map(|exception| exception.code.clone()),
            cause: None,
        }
    }
}

fn typed_page(
    record_type: &Arc<RecordType>,
    page: &Gathered,
    known: &Known,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let view = Rows::new(record_type, &page.batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    let leaves = Leaves::default();
    let rows: Vec<TrailRow> = page
        .rows
        .iter()
        .enumerate()
        .scan(leaves, |leaves, (place, row)| Some(known[&row.index].row(*row, record_type, leaves, bytes.row(place))))
        .collect();
    batch(schema, known, &rows, page.batch.columns().to_vec())
}

/// Leaf hashes of rows, whose salts neighbours share.
#[derive(Default)]
struct Leaves {
    salts: Option<(u64, Salts)>,
}

impl Leaves {
    fn leaf(&mut self, row: RowId, secret: [u8; 32], bytes: &[u8]) -> Hash {
        let salts = match &mut self.salts {
            Some((index, salts)) if *index == row.index => salts,
            other => &mut other.insert((row.index, Salts::new(secret, EntryList::Records))).1,
        };
        entry_leaf(EntryList::Records, &salts.salt(u64::from(row.position)), bytes)
    }
}

/// The trail of one chunk: rows, and their data as JSON.
fn chunk_trail(chunk: &ChunkRows, known: &Transaction) -> Result<Vec<(TrailRow, Option<String>)>> {
    let view = Rows::new(&chunk.record_type, &chunk.batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    let mut leaves = Leaves::default();
    Ok(chunk
        .rows
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let record = bytes.row(place);
            let trail = known.row(*row, &chunk.record_type, &mut leaves, record);
            (trail, data_text(&chunk.record_type, record))
        })
        .collect())
}

/// The `data` object within record bytes, whose other members are known.
fn data_text(record_type: &RecordType, record: &[u8]) -> Option<String> {
    let end = format!(",\"type\":\"{}\",\"version\":{}}}", record_type.name, record_type.version);
    let data = record.strip_prefix(b"{\"data\":")?.strip_suffix(end.as_bytes())?;
    Some(String::from_utf8_lossy(data).into_owned())
}

/// The trail of a rejected record: with its data, where its bytes are kept.
fn rejected_trail(view: &View, index: u64, exception: &Exception) -> Result<(TrailRow, Option<String>)> {
    let row = RowId::new(index, exception.position as u32);
    let kept = view.snapshot.get(Table::Rejections, &number_key(row.number()))?;
    let known = kept.and_then(|record| {
        let (name, version) = named_type(&record)?;
        Some((Arc::clone(view.authority.version(&name, version)?), record))
    });
    let data = known.as_ref().and_then(|(record_type, record)| data_text(record_type, record));
    let trail = TrailRow {
        row,
        record_type: known.map(|(record_type, _)| record_type),
        leaf: exception.leaf,
        outcome: exception.outcome.name(),
        code: Some(exception.code.clone()),
        cause: None,
    };
    Ok((trail, data))
}

fn batch(schema: &SchemaRef, known: &Known, rows: &[TrailRow], fields: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fact = |row: &TrailRow| &known[&row.row.index].facts;
    trail_batch(schema, rows, &fact, fields).map_err(|error| Error::Fault(error.to_string()))
}
