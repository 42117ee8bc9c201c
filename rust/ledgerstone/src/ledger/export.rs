//! Exporting the audit trail.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, SchemaRef};
use ledgerstone_verify::entry::{EntryList, Exception, Salts, entry_leaf};
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
use crate::query::{ChunkRows, Filter, Page, Scan, segments};
use crate::schema::{RecordType, Rows, arrow_schema};

/// What to export, and how.
pub struct ExportOptions<'a> {
    /// One record type, its fields as columns; `None`: every record, its fields as one JSON text in the column `data`.
    pub record_type: Option<&'a str>,
    /// The file format; `None`: by the file name's ending.
    pub format: Option<ExportFormat>,
    /// Told the rows written so far; an error stops the export and leaves no file.
    pub progress: &'a mut dyn FnMut(u64) -> Result<()>,
}

/// An export under way.
struct Export<'a, 'o> {
    ledger: &'a Ledger,
    view: View,
    schema: SchemaRef,
    sink: Sink,
    /// Facts and secrets of transactions, as far as the rows at hand need them.
    known: BTreeMap<u64, (TransactionFacts, [u8; 32])>,
    rows: u64,
    progress: &'o mut dyn FnMut(u64) -> Result<()>,
}

impl Ledger {
    /// Writes the audit trail to a file: streaming, one consistent view. Gives the number of rows. A file of that name is replaced when
    /// the new one is whole.
    pub fn export(&self, path: &Path, options: ExportOptions<'_>) -> Result<u64> {
        let format = options.format.or_else(|| ExportFormat::of_path(path)).ok_or_else(|| {
            Error::schema(
                codes::UNKNOWN_FILE_FORMAT,
                format!("{}: an export ends in .parquet or .arrow, or names its format", path.display()),
            )
        })?;
        let view = self.view()?;
        let record_type = options.record_type.map(|name| view.record_type(name)).transpose()?;
        let schema = match &record_type {
            Some(record_type) => trail_schema(arrow_schema(record_type).fields()),
            None => trail_schema(&[Arc::new(Field::new("data", DataType::Utf8, true))]),
        };
        if self.path.as_deref().is_some_and(|own| std::path::absolute(own).ok() == std::path::absolute(path).ok()) {
            return Err(Error::schema(codes::OWN_FILE, format!("{} is the ledger itself", path.display())));
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
        let chunks = segments(&*self.view.snapshot, &record_type.name, RowId::new(0, 0))?;
        let mut scan = Scan::new(chunks, filter);
        while let Some(wave) = scan.read_wave(&*self.view.snapshot).map_err(damage)? {
            let authority = Arc::clone(&self.view.authority);
            let types = |name: &str, version: u64| authority.version(name, version).cloned();
            let pages = self.ledger.pool.run(|| wave.decode(&types, scan.filter()))?.map_err(damage)?;
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
            let exceptions = stored_exceptions(&self.view, index)?;
            let chunks = self.view.read(|reader| reader.transaction(index))?;
            let (_, secret) = self.known[&index];
            let texts = self
                .ledger
                .pool
                .run(|| chunks.par_iter().map(|chunk| chunk_trail(chunk, secret)).collect::<Result<Vec<_>>>())??;
            let mut trail: Vec<(TrailRow, Option<String>)> = texts.into_iter().flatten().collect();
            trail.extend(exceptions.into_iter().map(|exception| (rejected_row(index, exception), None)));
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
                let StoredEnvelope { secret, envelope, .. } = self.view.envelope(index)?;
                let facts = TransactionFacts {
                    author: envelope.intent.author,
                    time: clock::parse(&envelope.time)?,
                    signed: clock::parse(&envelope.intent.time)?,
                };
                self.known.insert(index, (facts, secret));
            }
        }
        Ok(())
    }
}

type Known = BTreeMap<u64, (TransactionFacts, [u8; 32])>;

fn typed_page(record_type: &Arc<RecordType>, page: &Page, known: &Known, schema: &SchemaRef) -> Result<RecordBatch> {
    let view = Rows::new(record_type, &page.batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    let leaves = Leaves::default();
    let rows: Vec<TrailRow> = page
        .rows
        .iter()
        .enumerate()
        .scan(leaves, |leaves, (place, row)| {
            let leaf = leaves.leaf(*row, known[&row.index].1, bytes.row(place));
            Some(accepted_row(*row, record_type, leaf))
        })
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
fn chunk_trail(chunk: &ChunkRows, secret: [u8; 32]) -> Result<Vec<(TrailRow, Option<String>)>> {
    let view = Rows::new(&chunk.record_type, &chunk.batch).map_err(|error| Error::Fault(error.to_string()))?;
    let bytes = RecordBytes::write(&view);
    let mut leaves = Leaves::default();
    Ok(chunk
        .rows
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let record = bytes.row(place);
            let leaf = leaves.leaf(*row, secret, record);
            (accepted_row(*row, &chunk.record_type, leaf), data_text(&chunk.record_type, record))
        })
        .collect())
}

/// The `data` object within record bytes, whose other members are known.
fn data_text(record_type: &RecordType, record: &[u8]) -> Option<String> {
    let end = format!(",\"type\":\"{}\",\"version\":{}}}", record_type.name, record_type.version);
    let data = record.strip_prefix(b"{\"data\":")?.strip_suffix(end.as_bytes())?;
    Some(String::from_utf8_lossy(data).into_owned())
}

fn accepted_row(row: RowId, record_type: &Arc<RecordType>, leaf: Hash) -> TrailRow {
    TrailRow { row, record_type: Some(Arc::clone(record_type)), leaf, outcome: "accepted", code: None }
}

fn rejected_row(index: u64, exception: Exception) -> TrailRow {
    TrailRow {
        row: RowId::new(index, exception.position as u32),
        record_type: None,
        leaf: exception.leaf,
        outcome: exception.outcome.name(),
        code: Some(exception.code),
    }
}

fn batch(schema: &SchemaRef, known: &Known, rows: &[TrailRow], fields: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fact = |row: &TrailRow| &known[&row.row.index].0;
    trail_batch(schema, rows, &fact, fields).map_err(|error| Error::Fault(error.to_string()))
}
