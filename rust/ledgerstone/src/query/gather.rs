//! Rows of stored chunks gathered into one batch, in the columns of one version of their type.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;

use super::read::{ReadError, Types, check_place, damaged, record_type_of};
use crate::model::RowId;
use crate::schema::codec::{self, CodecError, Encoding, StoredChunk};
use crate::schema::{RecordType, arrow_schema, from_record_bytes, widened};

/// Rows, and where they stand.
#[derive(Clone, Debug)]
pub(crate) struct Gathered {
    /// The wanted columns.
    pub(crate) batch: RecordBatch,
    pub(crate) rows: Vec<RowId>,
    /// The version of the module that checked each row.
    pub(crate) versions: Vec<u32>,
}

/// The columns that are wanted of records of one type, in whichever version they were written.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) record_type: Arc<RecordType>,
    /// Positions among its fields.
    pub(crate) fields: Vec<usize>,
    pub(crate) schema: SchemaRef,
}

impl Wanted {
    /// Every field.
    pub(crate) fn all(record_type: &Arc<RecordType>) -> Self {
        Self::of(record_type, (0..record_type.fields.len()).collect())
    }

    /// These fields.
    pub(crate) fn of(record_type: &Arc<RecordType>, fields: Vec<usize>) -> Self {
        let whole = arrow_schema(record_type);
        let schema =
            Arc::new(Schema::new(fields.iter().map(|&field| Arc::clone(&whole.fields()[field])).collect::<Vec<_>>()));
        Wanted { record_type: Arc::clone(record_type), fields, schema }
    }

    /// Where a field of the type stands among the wanted ones.
    pub(crate) fn place(&self, field: usize) -> Option<usize> {
        self.fields.iter().position(|wanted| *wanted == field)
    }
}

/// Rows gathered while their chunks are read, in that order.
pub(crate) struct Gathering {
    wanted: Wanted,
    /// The chunks of one kind that are being gathered.
    kind: Option<Kind>,
    batches: Vec<RecordBatch>,
    rows: Vec<RowId>,
    versions: Vec<u32>,
    /// Positions and places of the rows of the chunk at hand.
    found: (Vec<u32>, Vec<u32>),
}

/// Chunks of one encoding and one version.
struct Kind {
    record_type: Arc<RecordType>,
    /// The last row of the chunk that came last.
    last: RowId,
    body: Body,
}

enum Body {
    Columns(codec::Gather),
    /// The bytes of records, and where each ends.
    Plain(Vec<u8>, Vec<usize>),
}

impl Gathering {
    /// Nothing yet.
    pub(crate) fn new(wanted: Wanted) -> Self {
        Gathering {
            wanted,
            kind: None,
            batches: Vec::new(),
            rows: Vec::new(),
            versions: Vec::new(),
            found: Default::default(),
        }
    }

    /// The type of the rows.
    pub(crate) fn record_type(&self) -> &Arc<RecordType> {
        &self.wanted.record_type
    }

    /// Adds a chunk's rows: all, or those it has of these positions, which ascend.
    pub(crate) fn push(
        &mut self,
        last: RowId,
        chunk: &StoredChunk<'_>,
        positions: Option<&[u32]>,
        types: Types<'_>,
    ) -> Result<(), ReadError> {
        let wanted = &self.wanted.record_type;
        if chunk.type_name != wanted.name {
            return Err(damaged(last, &format!("it holds {}, not {}", chunk.type_name, wanted.name)));
        }
        check_place(last, chunk)?;
        let (found, places) = &mut self.found;
        found.clear();
        places.clear();
        let places = match positions {
            None => {
                found.extend(chunk.positions());
                None
            }
            Some(positions) => {
                chunk.find(positions, found, places);
                Some(places.as_slice())
            }
        };
        let kind = match &mut self.kind {
            Some(kind) if kind.is_of(chunk) => kind,
            _ => {
                finish(self.kind.take(), &self.wanted, &mut self.batches)?;
                self.kind.insert(Kind::new(last, chunk, &self.wanted, types)?)
            }
        };
        kind.last = last;
        kind.append(chunk, places).map_err(|error| damaged(last, &error.to_string()))?;
        self.rows.extend(found.iter().map(|&position| RowId::new(last.index, position)));
        self.versions.resize(self.rows.len(), chunk.version);
        Ok(())
    }

    /// The rows.
    pub(crate) fn finish(mut self) -> Result<Gathered, ReadError> {
        let row = self.kind.as_ref().map_or(RowId::new(0, 0), |kind| kind.last);
        finish(self.kind.take(), &self.wanted, &mut self.batches)?;
        let batch = match self.batches.as_slice() {
            [] => RecordBatch::new_empty(Arc::clone(&self.wanted.schema)),
            [only] => only.clone(),
            _ => {
                concat_batches(&self.wanted.schema, &self.batches).map_err(|error| damaged(row, &error.to_string()))?
            }
        };
        Ok(Gathered { batch, rows: self.rows, versions: self.versions })
    }
}

/// Adds the batch of what was gathered of one kind.
fn finish(kind: Option<Kind>, wanted: &Wanted, batches: &mut Vec<RecordBatch>) -> Result<(), ReadError> {
    let Some(kind) = kind else { return Ok(()) };
    let last = kind.last;
    batches.push(kind.finish(wanted).map_err(|error| damaged(last, &error.to_string()))?);
    Ok(())
}

impl Kind {
    fn new(last: RowId, chunk: &StoredChunk<'_>, wanted: &Wanted, types: Types<'_>) -> Result<Self, ReadError> {
        let is_same = u64::from(chunk.version) == wanted.record_type.version;
        let record_type = if is_same { Arc::clone(&wanted.record_type) } else { record_type_of(last, chunk, types)? };
        let body = match chunk.encoding {
            Encoding::Columns => {
                // Rows of another version are read whole, and then in the columns of the one that is wanted.
                let projection = is_same.then_some(wanted.fields.as_slice());
                let gather = codec::Gather::new(&record_type.fields, projection);
                Body::Columns(gather.map_err(|error| damaged(last, &error.to_string()))?)
            }
            Encoding::Plain => Body::Plain(Vec::new(), Vec::new()),
        };
        Ok(Kind { record_type, last, body })
    }

    fn is_of(&self, chunk: &StoredChunk<'_>) -> bool {
        let encoding = match self.body {
            Body::Columns(_) => Encoding::Columns,
            Body::Plain(..) => Encoding::Plain,
        };
        chunk.encoding == encoding && u64::from(chunk.version) == self.record_type.version
    }

    fn append(&mut self, chunk: &StoredChunk<'_>, places: Option<&[u32]>) -> Result<(), CodecError> {
        match &mut self.body {
            Body::Columns(gather) => gather.append(&self.record_type.fields, chunk, places),
            Body::Plain(bytes, ends) => {
                let records = codec::decode_plain(chunk)?;
                let mut add = |record: &[u8]| {
                    bytes.extend_from_slice(record);
                    ends.push(bytes.len());
                };
                match places {
                    None => records.iter().for_each(|record| add(record)),
                    Some(places) => places.iter().for_each(|place| add(records[*place as usize])),
                }
                Ok(())
            }
        }
    }

    fn finish(self, wanted: &Wanted) -> Result<RecordBatch, Box<dyn std::error::Error>> {
        let record_type = &self.record_type;
        let is_same = record_type.version == wanted.record_type.version;
        let batch = match self.body {
            Body::Columns(gather) => {
                let batch = gather.finish(&record_type.fields)?;
                if is_same {
                    return Ok(batch);
                }
                batch
            }
            Body::Plain(bytes, ends) => {
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let records: Vec<&[u8]> = starts.zip(&ends).map(|(start, &end)| &bytes[start..end]).collect();
                from_record_bytes(record_type, &records)?
            }
        };
        let batch = if is_same { batch } else { widened(&batch, record_type, &wanted.record_type)? };
        Ok(batch.project(&wanted.fields)?)
    }
}
