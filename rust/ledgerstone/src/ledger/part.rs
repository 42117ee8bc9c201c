//! One transaction of a load: its rows, from the first that is read to the durable commit.

use std::sync::Arc;

use ledgerstone_verify::entry::ExceptionOutcome;
use ledgerstone_verify::envelope::Mode;
use rayon::prelude::*;

use super::append::{Attempt, Committed, Draft};
use super::cut::cut_rows;
use super::earlier::{same_as, type_for};
use super::endorse::Signing;
use super::faults::Faults;
use super::load::{Endorsed, LoadPart};
use super::outcomes::RecordException;
use super::pool::{Pool, Started};
use super::records::author_of;
use super::screen::{Input, Screened, first_refusal, screen_chunk};
use super::{Ledger, Writer};
use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::limits::CHUNK_ROWS;
use crate::schema::RecordType;

/// The rows of one transaction. Whole chunks are screened as soon as they are read.
pub(super) struct Part {
    /// The first row handed over.
    first: u64,
    /// How many.
    pub(super) rows: usize,
    /// For which the rows are prepared.
    record_type: Arc<RecordType>,
    mode: Mode,
    /// Whether private fields may hold values.
    plain: bool,
    id: Option<String>,
    chunks: Vec<Started<Chunk>>,
    /// What is not a whole chunk yet.
    open: Vec<Input>,
    open_rows: usize,
}

/// What became of the rows of one transaction.
pub(super) struct Done {
    pub(super) part: Option<LoadPart>,
    pub(super) rows: u64,
    /// Rows that were not plainly accepted, in order, counted from the start of the load.
    pub(super) exceptions: Vec<RecordException>,
}

/// A chunk, screened.
struct Chunk {
    screened: Screened,
    /// The first of its rows, counted from the start of the transaction.
    start: u32,
    /// What it can be screened from again. Where no row was refused, the typed columns say all that was handed over, and what that was
    /// can go; so a load does not keep its input.
    source: Vec<Input>,
}

impl Part {
    /// No rows yet.
    pub(super) fn new(first: u64, record_type: Arc<RecordType>, mode: Mode, plain: bool, id: Option<String>) -> Self {
        let (chunks, open) = (Vec::new(), Vec::new());
        Part { first, rows: 0, record_type, mode, plain, id, chunks, open, open_rows: 0 }
    }

    /// Rows that the chunk under way has room for.
    pub(super) fn room(&self) -> usize {
        CHUNK_ROWS - self.open_rows
    }

    /// Adds rows, no more than there is room for.
    pub(super) fn push(&mut self, input: Input, (pool, faults): (&Pool, &Faults)) -> Result<()> {
        self.rows += input.len();
        self.open_rows += input.len();
        self.open.push(input);
        if self.open_rows == CHUNK_ROWS {
            let (record_type, source) = (Arc::clone(&self.record_type), std::mem::take(&mut self.open));
            let (faults, plain, start) = (faults.clone(), self.plain, (self.rows - CHUNK_ROWS) as u32);
            self.open_rows = 0;
            self.chunks.push(pool.start(move || Chunk::screen(&faults, &record_type, source, start, plain))?);
        }
        Ok(())
    }

    /// Every chunk, screened.
    fn screened(&mut self, faults: &Faults) -> Result<Vec<Chunk>> {
        let mut chunks = self.chunks.drain(..).map(Started::wait).collect::<Result<Vec<_>>>()?;
        if self.open_rows > 0 {
            let (source, start) = (std::mem::take(&mut self.open), (self.rows - self.open_rows) as u32);
            chunks.push(Chunk::screen(faults, &self.record_type, source, start, self.plain)?);
        }
        Ok(chunks)
    }
}

impl Chunk {
    fn screen(
        faults: &Faults,
        record_type: &Arc<RecordType>,
        source: Vec<Input>,
        start: u32,
        plain: bool,
    ) -> Result<Self> {
        let screened = screen_chunk(faults, record_type, &source, start, plain)?;
        let source = if screened.refused.is_empty() { vec![Input::Table(screened.batch.clone())] } else { source };
        Ok(Chunk { screened, start, source })
    }

    /// The chunk for the version of its type that counts: what was screened for another one is screened again.
    fn for_version(self, faults: &Faults, record_type: &Arc<RecordType>, plain: bool) -> Result<Screened> {
        if self.screened.record_type.version != record_type.version {
            return screen_chunk(faults, record_type, &self.source, self.start, plain);
        }
        // Types are declared anew where a module that they refer to is upgraded; their records are the same.
        Ok(Screened { record_type: Arc::clone(record_type), ..self.screened })
    }
}

impl Ledger {
    /// Decides and commits one transaction of a load.
    pub(super) fn append_part(&self, mut part: Part, endorsed: Option<Endorsed<'_>>) -> Result<Done> {
        let chunks = part.screened(&self.faults)?;
        let mut writer = self.lock_writer()?;
        let (attempt, rejections) = self.append_chunks(&mut writer, &part, endorsed, chunks)?;
        drop(writer);
        let (first, rows) = (part.first, part.rows as u64);
        let unsigned = rejections.iter().map(|rejected| rejected.row as u32).collect();
        let (stored, decided) = match attempt {
            Attempt::Committed(Committed { index, exceptions, .. }) => {
                (Some(LoadPart { index, first, rows, unsigned }), exceptions)
            }
            Attempt::Empty(exceptions) => (None, exceptions),
        };
        let refused = |reason| RecordException { outcome: ExceptionOutcome::Rejected, reason };
        let decided = decided.into_iter().map(|(_, exception)| exception);
        let mut exceptions: Vec<RecordException> = rejections.into_iter().map(refused).chain(decided).collect();
        exceptions.sort_by_key(|exception| exception.reason.row);
        for exception in &mut exceptions {
            exception.reason.row += first;
        }
        Ok(Done { part: stored, rows, exceptions })
    }

    /// What became of the rows, and those that were refused before signing. While the writer is locked no module is loaded: what is
    /// prepared again here is prepared once.
    fn append_chunks(
        &self,
        writer: &mut Writer,
        part: &Part,
        endorsed: Option<Endorsed<'_>>,
        chunks: Vec<Chunk>,
    ) -> Result<(Attempt, Vec<Rejected>)> {
        let (mode, name) = (part.mode, &part.record_type.name);
        let key = self.author_key()?;
        let author = author_of(&writer.authority, &key);
        let earlier = self.earlier(writer, &author, part.id.as_deref())?;
        let endorsed = endorsed.unwrap_or(Endorsed { by: &[], meaning: "" });
        let endorsers = self.endorsers(&writer.authority, &author, endorsed, earlier.as_ref())?;
        let record_type = type_for(&writer.authority, earlier.as_ref(), name)?;
        if mode == Mode::Each && cut_rows(&record_type) != cut_rows(&part.record_type) {
            return Err(changed(name));
        }
        let records = self.for_version(chunks, &record_type, part.plain)?;
        let refused = || records.iter().flat_map(|screened| &screened.refused);
        if mode == Mode::Atomic
            && let Some(rejected) = first_refusal(refused())
        {
            return same_as(earlier.as_ref(), Err(Error::Rejected(Box::new(rejected.clone()))));
        }
        let rejections: Vec<Rejected> = refused().map(|refused| refused.reason.clone()).collect();
        if rejections.len() == part.rows && earlier.is_none() {
            return Ok((Attempt::Empty(Vec::new()), rejections));
        }
        let signing = Signing::Keys { author: &key, endorsers };
        let draft = Draft { mode, records, id: part.id.clone(), earlier, author, signing, new_log_key: None };
        Ok((self.transact(writer, &draft)?, rejections))
    }

    fn for_version(&self, chunks: Vec<Chunk>, record_type: &Arc<RecordType>, plain: bool) -> Result<Vec<Screened>> {
        let is_other = |chunk: &Chunk| chunk.screened.record_type.version != record_type.version;
        if !chunks.iter().any(is_other) {
            return chunks.into_iter().map(|chunk| chunk.for_version(&self.faults, record_type, plain)).collect();
        }
        self.pool
            .run(|| chunks.into_par_iter().map(|chunk| chunk.for_version(&self.faults, record_type, plain)).collect())?
    }
}

/// Transactions of the type are cut at other places than when the rows were read.
fn changed(name: &str) -> Error {
    let message =
        format!("another version of {name} was loaded meanwhile, of which fewer or more rows make a transaction");
    Error::schema(codes::TYPE_CHANGED, format!("{message}: repeat the call"))
}
