//! Scanning the records of one type, in the order of the ledger.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use arrow_select::filter::filter_record_batch;

use super::filter::Filter;
use super::gather::{Gathered, Wanted};
use super::lookup::{Lookup, Positions};
use super::pieces::{Pieces, read_head};
use super::read::{ReadError, Types, not_as_named, row_key};
use super::segments::{Run, Segments};
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::store::{Snapshot, Table, number_key};

/// Most pages that are decoded side by side. The first wave is one page: whoever wants a few rows does not wait for many.
const WAVE: usize = 8;

/// Which records a scan looks at.
#[derive(Debug)]
pub(crate) enum Source {
    /// All of the type.
    All(Segments),
    /// Those that postings name.
    Found(Lookup),
    /// These.
    Rows(VecDeque<RowId>),
}

/// Chunks that are read and not yet decoded, and make one batch.
pub(crate) struct Page(Pieces);

/// A scan over records of one type, wave by wave. The snapshot is the caller's, so that it can outlive a call.
#[derive(Debug)]
pub(crate) struct Scan {
    source: Source,
    wanted: Wanted,
    filter: Filter,
    /// The run being read, from where it goes on.
    run: Option<Run>,
    /// Positions of the transaction being read.
    positions: Option<Positions>,
    /// Pages of the next wave.
    wave: usize,
}

impl Scan {
    /// Scans records for which the filter holds, of which these columns are wanted: those of the filter are among them.
    pub(crate) fn new(source: Source, wanted: Wanted, filter: Filter) -> Self {
        Scan { source, wanted, filter, run: None, positions: None, wave: 1 }
    }

    /// Goes on with other records, when it is at its end.
    pub(crate) fn go_on(&mut self, source: Source) {
        self.source = source;
    }

    /// Reads the pages of the next wave; `None` at the end.
    pub(crate) fn read_wave(&mut self, snapshot: &dyn Snapshot) -> Result<Option<Vec<Page>>, ReadError> {
        let mut pages = Vec::new();
        while pages.len() < self.wave {
            let page = match self.source {
                Source::All(_) => self.read_runs(snapshot)?,
                Source::Found(_) | Source::Rows(_) => self.read_positions(snapshot)?,
            };
            if page.is_empty() {
                break;
            }
            pages.push(Page(page));
        }
        self.wave = WAVE.min(self.wave * 2);
        Ok((!pages.is_empty()).then_some(pages))
    }

    /// Decodes and filters a page. Those of a wave are independent of each other.
    pub(crate) fn decode(&self, page: &Page, types: Types<'_>) -> Result<Gathered, ReadError> {
        let Page(pieces) = page;
        let gathered = pieces.gather(&self.wanted, types)?;
        if self.filter.is_empty() {
            return Ok(gathered);
        }
        let Gathered { batch, rows, versions } = gathered;
        let failed = |error: arrow_schema::ArrowError| ReadError::Damaged {
            table: Table::Chunks.name(),
            row: rows.first().copied().unwrap_or(RowId::new(0, 0)),
            why: error.to_string(),
        };
        let mask = self.filter.mask(&batch, &self.wanted).map_err(failed)?;
        let batch: RecordBatch = filter_record_batch(&batch, &mask).map_err(failed)?;
        let kept = |place: &usize| mask.values().value(*place);
        let places: Vec<usize> = (0..rows.len()).filter(kept).collect();
        Ok(Gathered {
            batch,
            rows: places.iter().map(|&place| rows[place]).collect(),
            versions: places.iter().map(|&place| versions[place]).collect(),
        })
    }

    /// The columns of a page.
    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Chunks of runs, until a page is full.
    fn read_runs(&mut self, snapshot: &dyn Snapshot) -> Result<Pieces, ReadError> {
        let mut pieces = Pieces::default();
        let mut rows = 0;
        while rows < CHUNK_ROWS {
            let run = match (self.run.take(), &mut self.source) {
                (Some(run), _) => run,
                (None, Source::All(segments)) => match segments.next(snapshot)? {
                    Some(run) => run,
                    None => break,
                },
                _ => break,
            };
            let (from, to) = (number_key(run.first.number()), number_key(run.end.number()));
            let mut is_there = false;
            let mut read = Ok(());
            snapshot.scan(Table::Chunks, &from, Some(&to), &mut |key, bytes| {
                read = row_key(key).and_then(|last| {
                    let chunk = read_head(last, bytes)?;
                    let first = chunk.runs().next().map(|(first, _)| RowId::new(last.index, first));
                    is_there |= first == Some(run.first);
                    if rows < CHUNK_ROWS {
                        rows += chunk.rows as usize;
                        pieces.push(last, bytes, None);
                    } else {
                        self.run = first.map(|first| Run { first, ..run });
                    }
                    Ok(())
                });
                read.is_ok() && self.run.is_none()
            })?;
            read?;
            if !is_there {
                return Err(not_as_named(run.first));
            }
        }
        Ok(pieces)
    }

    /// Chunks that hold wanted rows, until a page is full.
    fn read_positions(&mut self, snapshot: &dyn Snapshot) -> Result<Pieces, ReadError> {
        let mut pieces = Pieces::default();
        let mut rows = 0;
        while rows < CHUNK_ROWS {
            let found = match self.positions.take() {
                Some(found) => found,
                None => match self.source.next(snapshot)? {
                    Some(found) => found,
                    None => break,
                },
            };
            let asked = found.positions.len();
            self.positions = read_rows(snapshot, found, CHUNK_ROWS - rows, |last, bytes, positions| {
                pieces.push(last, bytes, Some(positions));
                Ok(())
            })?;
            rows += asked - self.positions.as_ref().map_or(0, |left| left.positions.len());
        }
        Ok(pieces)
    }
}

impl Source {
    /// The wanted rows of the next transaction.
    fn next(&mut self, snapshot: &dyn Snapshot) -> Result<Option<Positions>, ReadError> {
        match self {
            Source::All(_) => Ok(None),
            Source::Found(lookup) => lookup.next(snapshot),
            Source::Rows(rows) => {
                let Some(index) = rows.front().map(|row| row.index) else { return Ok(None) };
                let mut positions = Vec::new();
                while let Some(row) = rows.front().filter(|row| row.index == index) {
                    positions.push(row.position);
                    rows.pop_front();
                }
                Ok(Some(Positions { index, positions }))
            }
        }
    }
}

/// Looks at the chunks that hold these rows, of about so many: the last row of each, its bytes, and the positions that lie in it; gives
/// back the rows that are left.
pub(crate) fn read_rows(
    snapshot: &dyn Snapshot,
    found: Positions,
    limit: usize,
    mut look: impl FnMut(RowId, &[u8], &[u32]) -> Result<(), ReadError>,
) -> Result<Option<Positions>, ReadError> {
    let Positions { index, positions } = found;
    let wanted = positions.len().min(limit);
    let key = |position: u32| number_key(RowId::new(index, position).number());
    let Some(first) = positions.first() else { return Ok(None) };
    let (mut start, mut looked) = (0, Ok(()));
    snapshot.hop(Table::Chunks, &key(*first), &mut |at, bytes| {
        let here = row_key(at).and_then(|last| {
            let rest = &positions[start..];
            let here = rest.partition_point(|position| RowId::new(index, *position) <= last);
            match last.index == index {
                true => look(last, bytes, &rest[..here]).map(|()| here),
                false => Err(not_there(RowId::new(index, rest[0]))),
            }
        });
        looked = here.map(|here| start += here);
        (looked.is_ok() && start < wanted).then(|| key(positions[start]))
    })?;
    looked?;
    if start < wanted {
        return Err(not_there(RowId::new(index, positions[start])));
    }
    let left = (start < positions.len()).then(|| Positions { index, positions: positions[start..].to_vec() });
    Ok(left)
}

fn not_there(row: RowId) -> ReadError {
    ReadError::Damaged { table: Table::Chunks.name(), row, why: "an index names it, and it is not there".to_owned() }
}
