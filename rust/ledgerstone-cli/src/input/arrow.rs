//! Arrow IPC, in bounded memory whatever a stream says: a message is looked at before it is unpacked. A file is a stream between its first
//! bytes and its index, and is read as one.

use std::collections::HashMap;
use std::io::Read;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{MessageHeader, RecordBatch as Batch, root_as_message};
use ledgerstone::Error;
use ledgerstone::limits::{INPUT_BATCH_BYTES, INPUT_HEAD_BYTES};

use super::tables::careful;
use super::{batch_too_large, head_too_long, malformed};

/// What the length of a message begins with; older streams leave it out.
const CONTINUED: [u8; 4] = [0xff; 4];
/// What a stream may end with: a message of no bytes.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// The tables of a stream, one after another.
pub(super) struct Tables {
    name: String,
    reader: Box<dyn Read>,
    decoder: StreamDecoder,
    /// What the decoder has not taken: a batch without a body comes with the message behind it.
    rest: Buffer,
    is_at_end: bool,
    /// Bytes of the dictionaries that are kept, by their ids.
    dictionaries: HashMap<i64, u64>,
    message: u64,
}

impl Tables {
    pub(super) fn new(name: &str, reader: Box<dyn Read>) -> Self {
        let (name, decoder) = (name.to_owned(), StreamDecoder::new());
        let rest = Buffer::default();
        Tables { name, reader, decoder, rest, is_at_end: false, dictionaries: HashMap::new(), message: 0 }
    }

    /// The next table; `None` at the end.
    pub(super) fn next_table(&mut self) -> Result<Option<RecordBatch>, Error> {
        loop {
            while !self.rest.is_empty() {
                let (decoder, rest) = (&mut self.decoder, &mut self.rest);
                if let Some(table) = careful(&self.name, || decoder.decode(rest))? {
                    return Ok(Some(table));
                }
            }
            if self.is_at_end {
                break;
            }
            let message = self.next_message()?;
            self.is_at_end = message.is_none();
            self.rest = Buffer::from_vec(message.unwrap_or_else(|| END.to_vec()));
        }
        if self.decoder.schema().is_none() {
            return Err(malformed(&self.name, None, "no Arrow data"));
        }
        Ok(None)
    }

    /// The bytes of the next message, whose claims hold; `None` at the end.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.message += 1;
        let mut message = self.read(4)?;
        if message.is_empty() {
            return Ok(None);
        }
        let is_new = message == CONTINUED;
        if is_new {
            message.extend(self.read(4)?);
        }
        let Some((_, length)) = message.split_last_chunk::<4>() else { return Err(self.cut_off()) };
        let length = u64::from(u32::from_le_bytes(*length));
        if length == 0 {
            return Ok(None);
        }
        if !is_new && self.message == 1 && length > INPUT_HEAD_BYTES {
            return Err(malformed(&self.name, None, "no Arrow data"));
        }
        if length > INPUT_HEAD_BYTES {
            return Err(head_too_long(self.shown("the size of its head in bytes"), length));
        }
        let head = self.whole(length)?;
        let (name, number) = (self.name.clone(), self.message);
        let damaged =
            |what: &dyn std::fmt::Display| malformed(&name, None, format!("message {number} is damaged: {what}"));
        let parsed = root_as_message(&head).map_err(|error| damaged(&error))?;
        let length = u64::try_from(parsed.bodyLength()).map_err(|_| damaged(&"a length below zero"))?;
        self.within("its size in bytes", length)?;
        let body = self.whole(length)?;
        let (batch, dictionary) = match parsed.header_type() {
            MessageHeader::RecordBatch => (parsed.header_as_record_batch(), None),
            MessageHeader::DictionaryBatch => {
                let dictionary = parsed.header_as_dictionary_batch();
                (dictionary.and_then(|known| known.data()), dictionary.map(|known| (known.id(), known.isDelta())))
            }
            _ => (None, None),
        };
        let bytes = batch.map_or(Some(0), |batch| unpacked(&batch, &body));
        let bytes = bytes.ok_or_else(|| damaged(&"it ends before its buffers do"))?;
        self.count(bytes, dictionary)?;
        message.extend(head);
        message.extend(body);
        Ok(Some(message))
    }

    /// Counts a batch with the dictionaries that it may name, or one dictionary more.
    fn count(&mut self, bytes: u64, dictionary: Option<(i64, bool)>) -> Result<(), Error> {
        let mut batch = bytes;
        if let Some((id, is_more)) = dictionary {
            let kept = self.dictionaries.entry(id).or_default();
            *kept = if is_more { kept.saturating_add(bytes) } else { bytes };
            batch = 0;
        }
        let kept = self.dictionaries.values().fold(batch, |sum, bytes| sum.saturating_add(*bytes));
        self.within("the bytes that it and its dictionaries unpack to", kept)
    }

    fn within(&self, what: &str, value: u64) -> Result<(), Error> {
        if value <= INPUT_BATCH_BYTES { Ok(()) } else { Err(batch_too_large(self.shown(what), value)) }
    }

    fn shown(&self, what: &str) -> String {
        format!("{}, message {}: {what}", self.name, self.message)
    }

    /// So many bytes.
    fn whole(&mut self, length: u64) -> Result<Vec<u8>, Error> {
        let bytes = self.read(length)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(self.cut_off()) }
    }

    /// So many bytes, or as many as there are: what was claimed is not reserved before it has come.
    fn read(&mut self, length: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes);
        read.map_err(|error| malformed(&self.name, None, error))?;
        Ok(bytes)
    }

    fn cut_off(&self) -> Error {
        malformed(&self.name, None, format!("message {} is cut off", self.message))
    }
}

/// Bytes that the buffers of a batch unpack to: a packed one begins with how many it does; and one for each row at least, as columns of
/// nulls have no buffers. `None` where a buffer is said to lie outside.
fn unpacked(batch: &Batch<'_>, body: &[u8]) -> Option<u64> {
    let is_packed = batch.compression().is_some();
    let rows = u64::try_from(batch.length()).ok()?;
    let buffers = batch.buffers().into_iter().flatten().try_fold(0u64, |sum, buffer| {
        let (start, length) = (usize::try_from(buffer.offset()).ok()?, usize::try_from(buffer.length()).ok()?);
        let bytes = body.get(start..start.checked_add(length)?)?;
        let claimed = bytes.first_chunk().filter(|_| is_packed).map(|bytes| i64::from_le_bytes(*bytes));
        // Below zero: it stands there as it is.
        let claimed = claimed.and_then(|claimed| u64::try_from(claimed).ok());
        Some(sum.saturating_add(claimed.unwrap_or(length as u64)))
    })?;
    Some(buffers.max(rows))
}
