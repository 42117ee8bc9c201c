//! Parquet files as nobody's library writes them: a footer and pages, field by field.

/// A value of Thrift's compact protocol.
pub(crate) enum T {
    I32(i64),
    I64(i64),
    Text(Vec<u8>),
    Struct(Vec<u8>),
    /// The type of its items, how many it says they are, and their bytes.
    List(u8, u64, Vec<u8>),
}

pub(crate) const I32: u8 = 5;
pub(crate) const BINARY: u8 = 8;
pub(crate) const STRUCT: u8 = 12;

/// A struct of fields with ascending ids.
pub(crate) fn structure(fields: &[(i16, T)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut last = 0;
    for (id, value) in fields {
        let kind = match value {
            T::I32(_) => I32,
            T::I64(_) => 6,
            T::Text(_) => BINARY,
            T::List(..) => 9,
            T::Struct(_) => STRUCT,
        };
        out.push(((id - last) as u8) << 4 | kind);
        last = *id;
        match value {
            T::I32(number) | T::I64(number) => varint(&mut out, (number << 1 ^ number >> 63) as u64),
            T::Text(text) => {
                varint(&mut out, text.len() as u64);
                out.extend(text);
            }
            T::Struct(inner) => out.extend(inner),
            T::List(kind, count, items) => {
                out.push(0xf0 | kind);
                varint(&mut out, *count);
                out.extend(items);
            }
        }
    }
    out.push(0);
    out
}

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Kinds of pages, encodings, codecs.
pub(crate) const DATA: i64 = 0;
pub(crate) const DICTIONARY: i64 = 2;
pub(crate) const PLAIN: i64 = 0;
pub(crate) const DELTA_LENGTH: i64 = 6;
pub(crate) const DELTA_TEXTS: i64 = 7;
pub(crate) const RLE_DICTIONARY: i64 = 8;
pub(crate) const NONE: i64 = 0;
pub(crate) const SNAPPY: i64 = 1;
pub(crate) const ZSTD: i64 = 6;
pub(crate) const LZ4_RAW: i64 = 7;

/// A page: what its header says of it, and its bytes.
pub(crate) struct Page {
    pub(crate) kind: i64,
    pub(crate) values: i64,
    pub(crate) encoding: i64,
    pub(crate) unpacked: i64,
    pub(crate) packed: i64,
    pub(crate) bytes: Vec<u8>,
}

impl Page {
    /// A page that says what is true.
    pub(crate) fn plain(kind: i64, values: i64, encoding: i64, bytes: Vec<u8>) -> Self {
        let length = bytes.len() as i64;
        Page { kind, values, encoding, unpacked: length, packed: length, bytes }
    }

    pub(crate) fn packed(values: i64, unpacked: i64, bytes: Vec<u8>) -> Self {
        Page { unpacked, ..Page::plain(DATA, values, PLAIN, bytes) }
    }

    fn written(&self) -> Vec<u8> {
        let of_kind = [(1, T::I32(self.values)), (2, T::I32(self.encoding))];
        let kind = if self.kind == DATA {
            let [values, encoding] = of_kind;
            (5, T::Struct(structure(&[values, encoding, (3, T::I32(3)), (4, T::I32(3))])))
        } else {
            (7, T::Struct(structure(&of_kind)))
        };
        let sizes = [(1, T::I32(self.kind)), (2, T::I32(self.unpacked)), (3, T::I32(self.packed))];
        let [a, b, c] = sizes;
        let mut out = structure(&[a, b, c, kind]);
        out.extend(&self.bytes);
        out
    }
}

/// A file of one column `id` and one row group.
pub(crate) struct File {
    /// Physical type.
    pub(crate) physical: i64,
    /// Elements of the schema, the root aside.
    pub(crate) schema: Vec<Vec<u8>>,
    pub(crate) path: Vec<&'static str>,
    pub(crate) codec: i64,
    pub(crate) rows: i64,
    /// Where the pages are said to be, where not where they are.
    pub(crate) at: Option<i64>,
    pub(crate) pages: Vec<Page>,
}

pub(crate) const BYTE_ARRAY: i64 = 6;
pub(crate) const FIXED: i64 = 7;

pub(crate) fn element(name: &str, mut fields: Vec<(i16, T)>) -> Vec<u8> {
    let place = fields.iter().position(|(id, _)| *id > 4).unwrap_or(fields.len());
    fields.insert(place, (4, T::Text(name.as_bytes().to_vec())));
    structure(&fields)
}

impl File {
    /// Texts, one a row.
    pub(crate) fn texts(codec: i64, rows: i64, pages: Vec<Page>) -> Self {
        let schema = vec![element("id", vec![(1, T::I32(BYTE_ARRAY)), (3, T::I32(0)), (6, T::I32(0))])];
        File { physical: BYTE_ARRAY, schema, path: vec!["id"], codec, rows, at: None, pages }
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        let mut out = b"PAR1".to_vec();
        let start = out.len() as i64;
        for page in &self.pages {
            out.extend(page.written());
        }
        let length = out.len() as i64 - start;
        let has_dictionary = self.pages.first().is_some_and(|page| page.kind == DICTIONARY);
        let first = self.at.unwrap_or(start);
        let data = if has_dictionary { first + self.pages[0].written().len() as i64 } else { first };
        let path: Vec<u8> = self.path.iter().flat_map(|name| [&[name.len() as u8], name.as_bytes()].concat()).collect();
        let values = self.pages.iter().filter(|page| page.kind == DATA).map(|page| page.values).sum();
        let mut meta = vec![
            (1, T::I32(self.physical)),
            (2, T::List(I32, 1, vec![0])),
            (3, T::List(BINARY, self.path.len() as u64, path)),
            (4, T::I32(self.codec)),
            (5, T::I64(values)),
            (6, T::I64(length)),
            (7, T::I64(length)),
            (9, T::I64(data)),
        ];
        if has_dictionary {
            meta.push((11, T::I64(first)));
        }
        let chunk = structure(&[(2, T::I64(0)), (3, T::Struct(structure(&meta)))]);
        let group = structure(&[(1, T::List(STRUCT, 1, chunk)), (2, T::I64(length)), (3, T::I64(self.rows))]);
        let root = element("schema", vec![(5, T::I32(1))]);
        let schema = [vec![root], self.schema.clone()].concat();
        let footer = structure(&[
            (1, T::I32(1)),
            (2, T::List(STRUCT, schema.len() as u64, schema.concat())),
            (3, T::I64(self.rows)),
            (4, T::List(STRUCT, 1, group)),
        ]);
        ended(out, &footer)
    }
}

/// A file that ends with this footer.
pub(crate) fn ended(mut file: Vec<u8>, footer: &[u8]) -> Vec<u8> {
    file.extend(footer);
    file.extend((footer.len() as u32).to_le_bytes());
    file.extend(b"PAR1");
    file
}

/// A text as a page holds it.
pub(crate) fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes(), bytes].concat()
}

/// A list of equal numbers 0, packed as differences: blocks of 128 in one part, of no width.
pub(crate) fn zeros(count: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for number in [128, 1, count, 0] {
        varint(&mut out, number);
    }
    // Never more blocks than it takes for the lie to be seen.
    (0..count.div_ceil(128).min(64)).for_each(|_| out.extend([0, 0]));
    out
}

/// A zstd frame of so many equal bytes, in a few thousandths of them.
pub(crate) fn zstd(length: u32, byte: u8) -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0b1010_0000];
    out.extend(length.to_le_bytes());
    let mut left = length;
    while left > 0 {
        let size = left.min(BLOCK);
        left -= size;
        let head = size << 3 | 1 << 1 | u32::from(left == 0);
        out.extend(&head.to_le_bytes()[..3]);
        out.push(byte);
    }
    out
}

/// Snappy bytes of so many equal ones: one, and copies of 64.
pub(crate) fn snappy(length: u64, byte: u8) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, length);
    out.extend([0, byte]);
    let mut left = length - 1;
    while left > 0 {
        let size = left.min(64);
        left -= size;
        out.extend([((size - 1) as u8) << 2 | 2, 1, 0]);
    }
    out
}

/// An LZ4 block of so many equal bytes, about: one, and a copy of all others.
pub(crate) fn lz4(length: usize, byte: u8) -> Vec<u8> {
    let mut out = vec![0x1f, byte, 1, 0];
    let mut left = length - 1 - 4 - 15 - 5;
    while left >= 255 {
        out.push(255);
        left -= 255;
    }
    out.push(left as u8);
    out.push(0x50);
    out.extend([byte; 5]);
    out
}

impl File {
    /// Bytes of its pages.
    pub(crate) fn length_of_pages(&self) -> i64 {
        self.pages.iter().map(|page| page.written().len() as i64).sum()
    }
}
