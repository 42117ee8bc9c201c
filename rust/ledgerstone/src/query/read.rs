//! Stored chunks, decoded.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::pieces::read_head;
use super::segments::Run;
use crate::model::RowId;
use crate::schema::codec::{self, Encoding, StoredChunk};
use crate::schema::{RecordType, Rows, from_record_bytes};
use crate::store::{Snapshot, StoreError, Table, number_key};

/// Finds the record type of a name and version that was in force at some time.
pub(crate) type Types<'a> = &'a (dyn Fn(&str, u64) -> Option<Arc<RecordType>> + Sync);

/// Why stored rows could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The store failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// Stored bytes are not what the format says.
    #[error("table {table}, row {row}: {why}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The row of the table.
        row: RowId,
        /// What is wrong.
        why: String,
    },
}

/// The rows of a chunk.
#[derive(Clone, Debug)]
pub(crate) struct ChunkRows {
    pub(crate) record_type: Arc<RecordType>,
    /// In the type's Arrow schema.
    pub(crate) batch: RecordBatch,
    /// Where each row stands.
    pub(crate) rows: Vec<RowId>,
}

/// Reads chunks out of a snapshot.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) snapshot: &'a dyn Snapshot,
    pub(crate) types: Types<'a>,
}

impl<'a> Reader<'a> {
    /// The chunk that holds a row, and the row's place in it; `None` where no stored row has this id.
    pub(crate) fn locate(&self, row: RowId) -> Result<Option<(ChunkRows, usize)>, ReadError> {
        let mut chunk = Ok(None);
        // Chunks are found by their last rows, which saves a page: the tree leads to the first key at or behind a row.
        self.snapshot.hop(Table::Chunks, &number_key(row.number()), &mut |key, bytes| {
            chunk = row_key(key)
                .and_then(|last| (last.index == row.index).then(|| decode(last, bytes, self.types)).transpose());
            None
        })?;
        Ok(chunk?.and_then(|chunk| chunk.rows.binary_search(&row).ok().map(|place| (chunk, place))))
    }

    /// The chunks of a run of one type, in order of positions.
    pub(crate) fn run(&self, type_name: &str, run: Run) -> Result<Vec<ChunkRows>, ReadError> {
        let (from, to) = (number_key(run.first.number()), number_key(run.end.number()));
        let mut is_of_type = true;
        self.snapshot.scan(Table::Chunks, &from, Some(&to), &mut |_, bytes| {
            is_of_type = StoredChunk::read(bytes).is_ok_and(|chunk| chunk.type_name == type_name);
            is_of_type
        })?;
        if !is_of_type {
            return Err(not_as_named(run.first));
        }
        let chunks = self.chunks(run.first, run.end)?;
        let first = chunks.first().and_then(|chunk| chunk.rows.first());
        let last = chunks.last().and_then(|chunk| chunk.rows.last());
        let is_whole = first == Some(&run.first) && last.is_some_and(|last| last.number() + 1 == run.end.number());
        if is_whole { Ok(chunks) } else { Err(not_as_named(run.first)) }
    }

    /// The chunks of one transaction, in order of positions.
    pub(crate) fn transaction(&self, index: u64) -> Result<Vec<ChunkRows>, ReadError> {
        self.chunks(RowId::new(index, 0), RowId::new(index + 1, 0))
    }

    /// The types of the chunks that end in a range of rows, one each.
    pub(crate) fn types_among(&self, rows: Range<RowId>) -> Result<Vec<Arc<RecordType>>, ReadError> {
        let (from, to) = (number_key(rows.start.number()), number_key(rows.end.number()));
        let mut found = Vec::new();
        self.snapshot.scan(Table::Chunks, &from, Some(&to), &mut |key, bytes| {
            found.push(row_key(key).and_then(|last| record_type_of(last, &read_head(last, bytes)?, self.types)));
            true
        })?;
        found.into_iter().collect()
    }

    fn chunks(&self, first: RowId, end: RowId) -> Result<Vec<ChunkRows>, ReadError> {
        let (from, to) = (number_key(first.number()), number_key(end.number()));
        let mut chunks = Vec::new();
        let mut failed = None;
        self.snapshot.scan(Table::Chunks, &from, Some(&to), &mut |key, bytes| {
            match row_key(key).and_then(|last| decode(last, bytes, self.types)) {
                Ok(chunk) => chunks.push(chunk),
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(chunks), Err)
    }
}

impl ChunkRows {
    /// Typed access to the rows. `row` is named where it fails.
    pub(crate) fn view(&self, row: RowId) -> Result<Rows<'_>, ReadError> {
        Rows::new(&self.record_type, &self.batch).map_err(|error| damaged(row, &error.to_string()))
    }
}

/// The row id that a key of the tables `chunks` and `emitted` is.
pub(crate) fn row_key(key: &[u8]) -> Result<RowId, ReadError> {
    let number = <[u8; 8]>::try_from(key).map_err(|_| damaged(RowId::new(0, 0), "a key is not a number"))?;
    Ok(RowId::from_number(u64::from_be_bytes(number)))
}

/// Decodes a chunk.
pub(crate) fn decode(last: RowId, bytes: &[u8], types: Types<'_>) -> Result<ChunkRows, ReadError> {
    let wrong = |why: &dyn std::fmt::Display| damaged(last, &why.to_string());
    let chunk = read_head(last, bytes)?;
    let record_type = record_type_of(last, &chunk, types)?;
    let batch = match chunk.encoding {
        Encoding::Columns => codec::decode_columns(&chunk, &record_type.fields, None).map_err(|error| wrong(&error))?,
        Encoding::Plain => {
            let records = codec::decode_plain(&chunk).map_err(|error| wrong(&error))?;
            from_record_bytes(&record_type, &records).map_err(|error| wrong(&error))?
        }
    };
    check_place(last, &chunk)?;
    let rows: Vec<RowId> = chunk.positions().map(|position| RowId::new(last.index, position)).collect();
    if rows.len() != batch.num_rows() {
        return Err(wrong(&"its positions are not those of its rows"));
    }
    Ok(ChunkRows { record_type, batch, rows })
}

/// The type of a chunk's rows.
pub(crate) fn record_type_of(
    last: RowId,
    chunk: &StoredChunk<'_>,
    types: Types<'_>,
) -> Result<Arc<RecordType>, ReadError> {
    let (name, version) = (chunk.type_name, u64::from(chunk.version));
    types(name, version)
        .ok_or_else(|| damaged(last, &format!("it holds {name} version {version}, which no module declared")))
}

/// Refuses a chunk that stands elsewhere than its rows say.
pub(crate) fn check_place(last: RowId, chunk: &StoredChunk<'_>) -> Result<(), ReadError> {
    match chunk.last_position() == last.position {
        true => Ok(()),
        false => Err(damaged(last, "its positions are not those of its rows")),
    }
}

/// The chunks that a segment names are not there.
pub(crate) fn not_as_named(row: RowId) -> ReadError {
    damaged(row, "a segment names it, and it is not there")
}

pub(crate) fn damaged(row: RowId, why: &str) -> ReadError {
    ReadError::Damaged { table: Table::Chunks.name(), row, why: why.to_owned() }
}
