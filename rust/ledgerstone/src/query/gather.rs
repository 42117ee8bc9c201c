//! Rows of stored chunks gathered into one batch, in the columns of one version of their type.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;

use super::read::{ReadError, Types, damaged, positions, record_type_of};
use crate::model::RowId;
use crate::schema::codec::{self, ChunkHeader, CodecError, Encoding};
use crate::schema::{RecordType, arrow_schema, from_record_bytes, widened};

/// A stored chunk of which no more than the head is decoded, and which of its rows are wanted.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Its last row.
    pub(crate) last: RowId,
    pub(crate) encoding: Encoding,
    pub(crate) header: ChunkHeader,
    /// Where its bytes lie among those of the pieces that it was read with.
    bytes: Range<usize>,
    /// Positions in the transaction, ascending; `None`: all that the chunk has.
    pub(crate) wanted: Option<Vec<u32>>,
}

/// Pieces that are read together. Their bytes lie one after another: of a place of its own for each of thousands, making and giving back
/// would be a good part of reading it.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

/// Pieces that follow each other.
#[derive(Clone, Copy)]
pub(crate) struct PieceSlice<'p> {
    pieces: &'p [Piece],
    bytes: &'p [u8],
}

impl Pieces {
    /// Adds a chunk, of which all rows are wanted as yet.
    pub(crate) fn push(&mut self, last: RowId, bytes: &[u8]) -> Result<&mut Piece, ReadError> {
        let (encoding, header, _) = codec::decode_header(bytes).map_err(|error| damaged(last, &error.to_string()))?;
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.pieces.push(Piece { last, encoding, header, bytes: start..self.bytes.len(), wanted: None });
        let last = self.pieces.len() - 1;
        Ok(&mut self.pieces[last])
    }

    /// The pieces.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// All of them.
    pub(crate) fn all(&self) -> PieceSlice<'_> {
        PieceSlice { pieces: &self.pieces, bytes: &self.bytes }
    }

    /// Those that follow each other in one version, and the version.
    pub(crate) fn by_version(&self) -> impl Iterator<Item = (u32, PieceSlice<'_>)> {
        let same = self.pieces.chunk_by(|left, right| left.header.version == right.header.version);
        same.map(|pieces| (pieces[0].header.version, PieceSlice { pieces, bytes: &self.bytes }))
    }
}

impl PieceSlice<'_> {
    fn bytes(&self, piece: &Piece) -> &[u8] {
        &self.bytes[piece.bytes.clone()]
    }
}

impl Piece {
    /// Its first row.
    pub(crate) fn first(&self) -> RowId {
        first_of(self.last, &self.header)
    }
}

/// The first row of a chunk, by its last.
pub(crate) fn first_row(last: RowId, bytes: &[u8]) -> Result<RowId, ReadError> {
    let (_, header, _) = codec::decode_header(bytes).map_err(|error| damaged(last, &error.to_string()))?;
    Ok(first_of(last, &header))
}

fn first_of(last: RowId, header: &ChunkHeader) -> RowId {
    RowId::new(last.index, header.runs.first().map_or(0, |(start, _)| *start))
}

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

/// Gathers rows, in the order of the pieces.
pub(crate) fn gather(slice: PieceSlice<'_>, wanted: &Wanted, types: Types<'_>) -> Result<Gathered, ReadError> {
    let pieces = slice.pieces;
    let mut batches = Vec::new();
    let mut rows = Vec::new();
    let mut versions = Vec::new();
    let heads = pieces.iter().map(|piece| head(piece, wanted, types)).collect::<Result<Vec<_>, _>>()?;
    let alike = |left: &Head, right: &Head| {
        left.encoding == right.encoding && Arc::ptr_eq(&left.record_type, &right.record_type)
    };
    let mut start = 0;
    for heads in heads.chunk_by(alike) {
        let pieces = PieceSlice { pieces: &pieces[start..start + heads.len()], ..slice };
        start += heads.len();
        batches.push(same_kind(pieces, heads, wanted)?);
        for head in heads {
            versions.resize(versions.len() + head.rows.len(), head.record_type.version as u32);
            rows.extend(&head.rows);
        }
    }
    let batch = match batches.as_slice() {
        [only] => only.clone(),
        _ => concat_batches(&wanted.schema, &batches).map_err(|error| {
            damaged(pieces.first().map_or(RowId::new(0, 0), |piece| piece.last), &error.to_string())
        })?,
    };
    Ok(Gathered { batch, rows, versions })
}

/// What is known of a piece before it is decoded.
struct Head {
    encoding: Encoding,
    record_type: Arc<RecordType>,
    /// The rows that are taken.
    rows: Vec<RowId>,
    /// Their places in the chunk; `None`: all.
    places: Option<Vec<u32>>,
}

fn head(piece: &Piece, wanted: &Wanted, types: Types<'_>) -> Result<Head, ReadError> {
    let wrong = |why: &dyn std::fmt::Display| damaged(piece.last, &why.to_string());
    let header = &piece.header;
    if header.type_name != wanted.record_type.name {
        return Err(wrong(&format!("it holds {}, not {}", header.type_name, wanted.record_type.name)));
    }
    let record_type = if u64::from(header.version) == wanted.record_type.version {
        Arc::clone(&wanted.record_type)
    } else {
        record_type_of(piece.last, header, types)?
    };
    let mut rows = positions(piece.last, header)?;
    if rows.last() != Some(&piece.last) {
        return Err(wrong(&"its positions are not those of its rows"));
    }
    let mut places = None;
    if let Some(positions) = &piece.wanted {
        let found = positions.iter().map(|&position| rows.binary_search(&RowId::new(piece.last.index, position)));
        let found: Vec<u32> = found.filter_map(Result::ok).map(|place| place as u32).collect();
        rows = found.iter().map(|&place| rows[place as usize]).collect();
        places = Some(found);
    }
    Ok(Head { encoding: piece.encoding, record_type, rows, places })
}

/// Decodes pieces of one encoding and one version.
fn same_kind(slice: PieceSlice<'_>, heads: &[Head], wanted: &Wanted) -> Result<RecordBatch, ReadError> {
    let pieces = slice.pieces;
    let Some(Head { encoding, record_type, .. }) = heads.first() else {
        return Ok(RecordBatch::new_empty(Arc::clone(&wanted.schema)));
    };
    // Rows of another version are read whole, and then in the columns of the one that is wanted.
    let is_same = record_type.version == wanted.record_type.version;
    let every: Vec<usize> = (0..record_type.fields.len()).collect();
    let mut row = pieces[0].last;
    let decoded = match encoding {
        Encoding::Columns => {
            let projection = if is_same { &wanted.fields } else { &every };
            columns(slice, heads, record_type, projection, &mut row)
                .map_err(|error| damaged(row, &error.to_string()))?
        }
        Encoding::Plain => {
            let mut records = Vec::new();
            for (piece, head) in pieces.iter().zip(heads) {
                let all =
                    codec::decode_plain(slice.bytes(piece)).map_err(|error| damaged(piece.last, &error.to_string()))?;
                match &head.places {
                    None => records.extend(all),
                    Some(places) => records.extend(places.iter().map(|place| all[*place as usize])),
                }
            }
            let batch = from_record_bytes(record_type, &records).map_err(|error| damaged(row, &error.to_string()))?;
            if is_same {
                batch.project(&wanted.fields).map_err(|error| damaged(row, &error.to_string()))?
            } else {
                batch
            }
        }
    };
    if is_same {
        return Ok(decoded);
    }
    let widened = widened(&decoded, record_type, &wanted.record_type).and_then(|batch| batch.project(&wanted.fields));
    widened.map_err(|error| damaged(row, &error.to_string()))
}

fn columns(
    slice: PieceSlice<'_>,
    heads: &[Head],
    record_type: &RecordType,
    projection: &[usize],
    row: &mut RowId,
) -> Result<RecordBatch, CodecError> {
    let mut gather = codec::Gather::new(&record_type.fields, Some(projection))?;
    for (piece, head) in slice.pieces.iter().zip(heads) {
        *row = piece.last;
        gather.append(slice.bytes(piece), head.places.as_deref())?;
    }
    gather.finish()
}
