//! Pages of columns, each looked at and counted before it is unpacked.

use std::fs::File;
use std::iter;
use std::sync::Arc;

use ledgerstone::limits::PAGE_HEADER_BYTES;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Type;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::deltas;
use super::meter::Meter;
use super::thrift::{self, Found, Unread};

/// Bytes of a page's header that are read at first.
const FIRST_BYTES: u64 = 256;
/// What each value of a list takes at most, beside texts: two levels, a number of 16 bytes, a place.
const VALUE_BYTES: u64 = 28;

/// Kinds of pages and encodings of values, as Parquet numbers them.
const INDEX_PAGE: i64 = 1;
const PLAIN_DICTIONARY: i64 = 2;
const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
const DELTA_BYTE_ARRAY: i64 = 7;
const RLE_DICTIONARY: i64 = 8;

/// One row group, whose pages are counted.
pub(super) struct RowGroup<'m> {
    file: Arc<File>,
    metadata: &'m ParquetMetaData,
    group: usize,
    meter: Arc<Meter>,
}

impl<'m> RowGroup<'m> {
    pub(super) fn new(file: &Arc<File>, metadata: &'m ParquetMetaData, group: usize, meter: &Arc<Meter>) -> Self {
        RowGroup { file: Arc::clone(file), metadata, group, meter: Arc::clone(meter) }
    }

    fn group(&self) -> &RowGroupMetaData {
        self.metadata.row_group(self.group)
    }

    fn rows(&self) -> usize {
        usize::try_from(self.group().num_rows()).unwrap_or(0)
    }
}

impl RowGroups for RowGroup<'_> {
    fn num_rows(&self) -> usize {
        self.rows()
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.group().column(column);
        let pages = Pages::new(&self.file, chunk, self.rows(), &self.meter)?;
        Ok(Box::new(Once(Some(pages))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(iter::once(self.group()))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The pages of the one row group.
struct Once(Option<Pages>);

impl Iterator for Once {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(Ok(Box::new(self.0.take()?)))
    }
}

impl PageIterator for Once {}

/// The pages of a column in a row group.
struct Pages {
    inner: SerializedPageReader<File>,
    headers: Headers,
    meter: Arc<Meter>,
    /// The column, for messages.
    path: String,
    page: u64,
    /// Whether a row has one value at most.
    is_flat: bool,
    /// How many lists of levels a page begins with.
    levels: u8,
    physical: Type,
    /// Bytes of the largest value that a page can name by its number, and of its dictionary.
    longest: u64,
    dictionary: u64,
    /// What the page at hand counts.
    counted: u64,
}

impl Pages {
    fn new(file: &Arc<File>, chunk: &ColumnChunkMetaData, rows: usize, meter: &Arc<Meter>) -> Result<Self> {
        let column = chunk.column_descr();
        let headers = Headers::new(file, chunk)?;
        let longest = match column.physical_type() {
            Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).unwrap_or(0),
            _ => 0,
        };
        Ok(Pages {
            inner: SerializedPageReader::new(Arc::clone(file), chunk, rows, None)?,
            headers,
            meter: Arc::clone(meter),
            path: column.path().string(),
            page: 0,
            is_flat: column.max_rep_level() == 0,
            levels: u8::from(column.max_rep_level() > 0) + u8::from(column.max_def_level() > 0),
            physical: column.physical_type(),
            longest,
            dictionary: 0,
            counted: 0,
        })
    }

    /// What a page counts: itself, packed, unpacked, and as rows; and what its values take that stand in it once, or as parts of others.
    fn bytes_of(&self, header: &Header) -> u64 {
        let values = if self.is_flat { header.values.min(self.meter.rows) } else { header.values };
        let each = match header.encoding {
            DELTA_BYTE_ARRAY => header.unpacked.max(self.longest),
            PLAIN_DICTIONARY | RLE_DICTIONARY => self.longest,
            // Absent values of a fixed length take it, too.
            _ if self.physical == Type::FIXED_LEN_BYTE_ARRAY => self.longest,
            _ => 0,
        };
        let levels = if self.is_flat { 0 } else { VALUE_BYTES };
        values.saturating_mul(each + levels).saturating_add(header.packed + 2 * header.unpacked)
    }

    /// The values of a page of data, after its levels.
    fn values<'p>(&self, page: &'p Page) -> &'p [u8] {
        match page {
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                buf.get(levels as usize..).unwrap_or_default()
            }
            page => (0..self.levels).fold(page.buffer(), |bytes, _| match bytes.split_first_chunk() {
                Some((length, rest)) => rest.get(u32::from_le_bytes(*length) as usize..).unwrap_or_default(),
                None => &[],
            }),
        }
    }

    /// Goes on to the next page.
    fn turn(&mut self) -> Result<Option<Header>> {
        let Some(header) = self.headers.next()? else { return Ok(None) };
        self.page += 1;
        let to = self.dictionary.saturating_add(self.bytes_of(&header));
        self.meter.turn(&self.path, self.page, self.counted, to)?;
        self.counted = to;
        Ok(Some(header))
    }

    fn note_dictionary(&mut self, bytes: &[u8]) {
        self.dictionary = bytes.len() as u64;
        if self.physical == Type::BYTE_ARRAY {
            self.longest = longest(bytes);
        }
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(header) = self.turn()? else { return Ok(None) };
        let page = self.inner.get_next_page()?;
        match &page {
            Some(Page::DictionaryPage { buf, .. }) => self.note_dictionary(buf),
            Some(page) if matches!(header.encoding, DELTA_LENGTH_BYTE_ARRAY | DELTA_BYTE_ARRAY) => {
                let lists = 1 + usize::from(header.encoding == DELTA_BYTE_ARRAY);
                if !deltas::hold(self.values(page), lists, header.values) {
                    return Err(ParquetError::General(format!("page {} of {} is damaged", self.page, self.path)));
                }
            }
            _ => {}
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.turn()?;
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Bytes of the longest of the values of a dictionary of texts or bytes: each is its length, and so many bytes.
fn longest(mut values: &[u8]) -> u64 {
    let mut longest = 0;
    while let Some((length, rest)) = values.split_first_chunk() {
        let length = u32::from_le_bytes(*length);
        longest = longest.max(u64::from(length));
        values = rest.get(length as usize..).unwrap_or_default();
    }
    longest
}

/// What the header of a page claims.
struct Header {
    kind: i64,
    packed: u64,
    unpacked: u64,
    values: u64,
    encoding: i64,
}

/// The headers of the pages of a column chunk, one after another.
struct Headers {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Headers {
    fn new(file: &Arc<File>, chunk: &ColumnChunkMetaData) -> Result<Self> {
        let start = chunk.dictionary_page_offset().filter(|start| *start > 0).unwrap_or(chunk.data_page_offset());
        let place = u64::try_from(start).ok().zip(u64::try_from(chunk.compressed_size()).ok());
        let end = place.and_then(|(at, length)| at.checked_add(length)).filter(|end| *end <= file.len());
        let (Some((at, _)), Some(end)) = (place, end) else {
            let column = chunk.column_path().string();
            return Err(ParquetError::General(format!("the pages of {column} are said to lie outside of the file")));
        };
        Ok(Headers { file: Arc::clone(file), at, end })
    }

    /// The next header but those of indexes, which nobody reads.
    fn next(&mut self) -> Result<Option<Header>> {
        while self.at < self.end {
            let (header, length) = self.read()?;
            let next = self.at.saturating_add(length).saturating_add(header.packed);
            if next > self.end {
                return Err(damaged());
            }
            self.at = next;
            if header.kind != INDEX_PAGE {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    fn read(&self) -> Result<(Header, u64)> {
        let most = (self.end - self.at).min(PAGE_HEADER_BYTES);
        let mut length = FIRST_BYTES.min(most);
        loop {
            let bytes = self.file.get_bytes(self.at, length as usize)?;
            let mut fields = [0i64; 5];
            let read = thrift::read(&bytes, &mut |path, found| {
                let place = match path {
                    [1] => 0,
                    [2] => 1,
                    [3] => 2,
                    [5 | 7 | 8, 1] => 3,
                    [5 | 7, 2] | [8, 4] => 4,
                    _ => return,
                };
                if let Found::Number(number) = found {
                    fields[place] = number;
                }
            });
            match read {
                Ok(length) => {
                    let [kind, unpacked, packed, values, encoding] = fields;
                    let size = |claimed: i64| u64::try_from(claimed).map_err(|_| damaged());
                    let (packed, unpacked, values) = (size(packed)?, size(unpacked)?, size(values)?);
                    return Ok((Header { kind, packed, unpacked, values, encoding }, length as u64));
                }
                Err(Unread::Short) if length < most => length = length.saturating_mul(8).min(most),
                Err(_) => return Err(damaged()),
            }
        }
    }
}

fn damaged() -> ParquetError {
    ParquetError::General("the header of a page is damaged".to_owned())
}
