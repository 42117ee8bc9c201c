//! Tests of the stored forms. `LEDGERSTONE_REGENERATE=1` writes the golden files anew.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Decimal128Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef};

use crate::schema::check::arrow_fields;
use proptest::prelude::*;

use super::*;
use crate::schema::module::{Field, FieldKind};

fn schema_of(fields: &[Field]) -> SchemaRef {
    Arc::new(Schema::new(arrow_fields(fields)))
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field { name: name.into(), kind, required: false, index: false, doc: String::new(), private: None }
}

fn text() -> FieldKind {
    FieldKind::Text { max: 65_536, format: None }
}

fn int() -> FieldKind {
    FieldKind::Int { min: -crate::limits::INT_MAX, max: crate::limits::INT_MAX }
}

fn item(kind: FieldKind) -> Box<Field> {
    Box::new(Field { required: true, ..field("item", kind) })
}

/// One field of every kind.
fn fields() -> Vec<Field> {
    let inner = vec![field("account", text()), field("part", int())];
    vec![
        field("text", text()),
        field("unique", text()),
        field("choice", FieldKind::Enum(vec!["debit".into(), "credit".into()])),
        field("bool", FieldKind::Bool),
        field("int", int()),
        field("decimal", FieldKind::Decimal { precision: 28, scale: 2 }),
        field("date", FieldKind::Date),
        field("timestamp", FieldKind::Timestamp),
        field("bytes", FieldKind::Bytes { min: 0, max: 100 }),
        field("uuid", FieldKind::Uuid),
        field("list", FieldKind::List { item: item(text()), max: 1024 }),
        field("struct", FieldKind::Struct(inner.clone())),
        field("legs", FieldKind::List { item: item(FieldKind::Struct(inner)), max: 1024 }),
    ]
}

/// Whether row `row` of column `column` has a value: every kind is seen full, with holes and empty.
fn has(row: usize, column: usize, holes: usize) -> bool {
    holes == 0 || (holes != 2 && !(row + column).is_multiple_of(3))
}

fn inner(rows: usize, holes: usize, nulls: Option<NullBuffer>) -> StructArray {
    let FieldKind::Struct(declared) = &fields()[11].kind else { unreachable!() };
    let account = (0..rows).map(|row| has(row, 1, holes).then(|| format!("account {}", row % 7)));
    let part = (0..rows).map(|row| has(row, 2, holes).then_some(row as i64 * 1_000_003));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(account.collect::<StringArray>()), Arc::new(part.collect::<Int64Array>())];
    StructArray::new(arrow_fields(declared), columns, nulls)
}

/// Rows of every kind; `holes` 0: all present, 1: some, 2: none.
fn batch(rows: usize, holes: usize) -> RecordBatch {
    let scalars = scalars(rows, holes);
    let nulls = |column| {
        let valid = (0..rows).map(|row| has(row, column, holes));
        (holes > 0).then(|| valid.collect::<NullBuffer>())
    };
    let structs: ArrayRef = Arc::new(inner(rows, holes.min(1), nulls(11)));
    let lists = [tags(rows, holes), structs, legs(rows, holes, nulls(12))];
    let columns = scalars.into_iter().chain(lists).collect();
    RecordBatch::try_new(schema_of(&fields()), columns).unwrap()
}

/// A column of texts.
fn texts(rows: usize, holes: usize, column: usize, value: impl Fn(usize) -> String) -> ArrayRef {
    let values = (0..rows).map(|row| has(row, column, holes).then(|| value(row)));
    Arc::new(values.collect::<StringArray>())
}

fn scalars(rows: usize, holes: usize) -> Vec<ArrayRef> {
    let each = |column| (0..rows).map(move |row| has(row, column, holes).then_some(row));
    let mut decimals = Decimal128Builder::new().with_data_type(DataType::Decimal128(38, 2));
    let mut bytes = BinaryBuilder::new();
    each(5).for_each(|row| {
        let large = |row| row == 5;
        let amount = |row| {
            if large(row) { 10_i128.pow(28) - 1 } else { row as i128 * 12_345 - 700_000 }
        };
        decimals.append_option(row.map(amount));
    });
    each(8).for_each(|row| bytes.append_option(row.map(|row| vec![row as u8; row % 5])));
    let bools = each(3).map(|row| row.map(|row| row % 5 == 0));
    let ints = each(4).map(|row| row.map(|row| row as i64 - 9));
    let days = each(6).map(|row| row.map(|row| 20_000 + row as i32));
    let micros = each(7).map(|row| row.map(|row| 1_790_000_000_000_000 + row as i64 * 999_983));
    let uuid = |row| format!("6f1c0d6a-5f0e-4b7a-9c3d-{:012x}", row * 0x0123_4567);
    vec![
        texts(rows, holes, 0, |row| ["Ärger", "x"][row % 2].into()),
        texts(rows, holes, 1, |row| format!("t{row}")),
        texts(rows, holes, 2, |row| ["debit", "credit"][row / 3 % 2].into()),
        Arc::new(bools.collect::<BooleanArray>()),
        Arc::new(ints.collect::<Int64Array>()),
        Arc::new(decimals.finish()),
        Arc::new(days.collect::<Date32Array>()),
        Arc::new(micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Arc::new(bytes.finish()),
        texts(rows, holes, 9, uuid),
    ]
}

fn tags(rows: usize, holes: usize) -> ArrayRef {
    let item = ArrowField::new("item", DataType::Utf8, false);
    let mut lists = ListBuilder::new(StringBuilder::new()).with_field(item);
    for row in 0..rows {
        let count = if has(row, 10, holes) { row % 4 } else { 0 };
        (0..count).for_each(|tag| lists.values().append_value(format!("tag {tag}")));
        lists.append(has(row, 10, holes));
    }
    Arc::new(lists.finish())
}

fn legs(rows: usize, holes: usize, nulls: Option<NullBuffer>) -> ArrayRef {
    let length = |row| if has(row, 12, holes) { row % 3 } else { 0 };
    let items = inner((0..rows).map(length).sum(), holes.min(1), None);
    let item = ArrowField::new("item", items.data_type().clone(), false);
    let offsets = OffsetBuffer::from_lengths((0..rows).map(length));
    Arc::new(ListArray::new(Arc::new(item), offsets, Arc::new(items), nulls))
}

fn header(rows: usize) -> ChunkHeader {
    ChunkHeader::new("finance.transfer", 1, (0..rows as u32).map(|row| row + row / 50))
}

/// The header that a stored chunk was written with.
fn header_of(bytes: &[u8]) -> ChunkHeader {
    let chunk = StoredChunk::read(bytes).unwrap();
    ChunkHeader::new(chunk.type_name, chunk.version, chunk.positions())
}

fn columns(bytes: &[u8], fields: &[Field], projection: Option<&[usize]>) -> Result<RecordBatch, CodecError> {
    decode_columns(&StoredChunk::read(bytes)?, fields, projection)
}

fn plain(bytes: &[u8]) -> Result<Vec<&[u8]>, CodecError> {
    decode_plain(&StoredChunk::read(bytes)?)
}

fn encode(rows: &RecordBatch) -> Vec<u8> {
    encode_columns(&header(rows.num_rows()), &fields(), rows)
}

#[test]
fn columns_survive_whole_holed_and_empty() {
    for rows in [1, 7, 8, 64, 100, 1_000] {
        for holes in 0..3 {
            let rows = batch(rows, holes);
            let bytes = encode(&rows);
            let back = columns(&bytes, &fields(), None).unwrap();
            assert_eq!(back, rows);
            assert_eq!(encode(&back), bytes);
        }
    }
}

#[test]
fn a_slice_is_encoded_like_its_copy() {
    for holes in 0..3 {
        let whole = batch(100, holes);
        let slice = whole.slice(13, 70);
        let indices = arrow_array::UInt32Array::from_iter_values(13..83);
        let copies = whole.columns().iter().map(|column| arrow_select::take::take(column, &indices, None).unwrap());
        let copy = RecordBatch::try_new(whole.schema(), copies.collect()).unwrap();
        assert_eq!(encode(&slice), encode(&copy));
        assert_eq!(columns(&encode(&slice), &fields(), None).unwrap(), slice);
    }
}

#[test]
fn a_projection_reads_what_it_names() {
    let rows = batch(100, 1);
    let bytes = encode(&rows);
    for wanted in [vec![], vec![0], vec![12, 3], (0..13).collect()] {
        let read = columns(&bytes, &fields(), Some(&wanted)).unwrap();
        assert_eq!(read, rows.project(&wanted).unwrap());
    }
    assert!(columns(&bytes, &fields(), Some(&[13])).is_err());
}

/// The heart of it: whatever is accepted is exactly what the encoder writes. Every byte of a chunk is changed in turn.
#[test]
fn what_is_accepted_is_canonical() {
    let mut accepted = 0;
    for holes in 0..3 {
        let bytes = encode(&batch(65, holes));
        for place in 0..bytes.len() {
            for change in [1, 2, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[place] ^= change;
                accepted += usize::from(is_canonical(&changed));
            }
            assert!(columns(&bytes[..place], &fields(), None).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(columns(&longer, &fields(), None).is_err());
    }
    assert!(accepted > 1_000, "only {accepted} changes were accepted: the test has lost its point");
}

/// Whether the chunk is accepted; if so, encoding it again gives the same bytes.
fn is_canonical(bytes: &[u8]) -> bool {
    let _ = columns(bytes, &fields(), Some(&[12]));
    let Ok(rows) = columns(bytes, &fields(), None) else {
        return false;
    };
    assert_eq!(encode_columns(&header_of(bytes), &fields(), &rows), bytes);
    true
}

/// A chunk of one text column with this body.
fn text_chunk(rows: usize, body: &[u8]) -> Result<RecordBatch, CodecError> {
    let values = StringArray::from_iter_values((0..rows).map(|_| "a"));
    let declared = [field("text", text())];
    let rows = header(rows);
    let batch = RecordBatch::try_new(schema_of(&declared), vec![Arc::new(values)]).unwrap();
    let mut bytes = encode_columns(&rows, &declared, &batch);
    bytes.truncate(bytes.len() - StoredChunk::read(&bytes).unwrap().body.len());
    bytes.extend_from_slice(body);
    columns(&bytes, &declared, None)
}

fn packed(values: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    integers::put_i64(&mut out, values);
    out
}

#[test]
fn forms_that_are_not_the_chosen_one_are_refused() {
    let plain = |texts: &[&str]| {
        let lengths: Vec<i64> = texts.iter().map(|text| text.len() as i64).collect();
        [&[0, 0][..], &packed(&lengths), texts.concat().as_bytes()].concat()
    };
    let dictionary = |texts: &[&str], indexes: &[i64]| {
        let count = (texts.len() as u32).to_le_bytes();
        [&[0, 1][..], &count, &plain(texts)[2..], &packed(indexes)].concat()
    };
    let (long, uuid) = ["x".repeat(100), "6f1c0d6a-5f0e-4b7a-9c3d-000000000000".to_owned()].into();
    assert!(text_chunk(2, &plain(&["a", "b"])).is_ok());
    assert!(text_chunk(3, &plain(&[&long, &long, &long])).is_err(), "a dictionary is shorter");
    assert!(text_chunk(1, &plain(&[&uuid])).is_err(), "a UUID");
    assert!(text_chunk(2, &dictionary(&["a", "b"], &[0, 1])).is_err(), "plain is shorter");
    assert!(text_chunk(3, &dictionary(&[&long], &[0, 0, 0])).is_ok());
    assert!(text_chunk(3, &dictionary(&[&long, &long], &[0, 1, 1])).is_err(), "repeated");
    assert!(text_chunk(4, &dictionary(&[&long, "b"], &[1, 0, 0, 0])).is_err(), "out of order");
    assert!(text_chunk(4, &dictionary(&[&long, "b"], &[0, 0, 0, 0])).is_err(), "not used");
    assert!(text_chunk(4, &dictionary(&[&long, "b"], &[0, 0, 0, 2])).is_err(), "out of range");
    assert!(text_chunk(2, &[0, 0, 0]).is_err());
    let split = [&[0, 0][..], &packed(&[1, 1]), "é".as_bytes()].concat();
    assert_eq!(text_chunk(2, &split).unwrap_err().to_string(), "column text: text is not UTF-8");
}

#[test]
fn equal_items_cannot_ask_for_any_amount_of_memory() {
    let declared = [field("list", FieldKind::List { item: item(int()), max: usize::MAX })];
    let mut bytes = Vec::new();
    header(8_192).write(Encoding::Columns, &mut bytes);
    bytes.push(0);
    bytes.extend(packed(&[1 << 23; 8_192]));
    bytes.push(0);
    bytes.extend(packed(&[7]));
    let error = columns(&bytes, &declared, None).unwrap_err();
    assert_eq!(error.to_string(), "column list: too many items in one chunk");
    assert!(columns(&bytes, &declared, Some(&[])).is_err());
}

#[test]
fn a_required_value_is_there() {
    let declared = [Field { required: true, ..field("int", int()) }];
    let loose = [field("int", int())];
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let rows = RecordBatch::try_new(schema_of(&loose), vec![values]).unwrap();
    let bytes = encode_columns(&header(2), &loose, &rows);
    assert!(columns(&bytes, &loose, None).is_ok());
    assert!(columns(&bytes, &declared, None).is_err());
}

#[test]
fn values_outside_the_language_are_refused() {
    let out_of_range = |kind, base: i128| {
        let mut bytes = Vec::new();
        header(1).write(Encoding::Columns, &mut bytes);
        bytes.push(0);
        bytes.extend(base.to_le_bytes());
        bytes.push(0);
        columns(&bytes, &[field("x", kind)], None).is_err()
    };
    assert!(!out_of_range(FieldKind::Date, -719_162) && out_of_range(FieldKind::Date, -719_163));
    assert!(!out_of_range(FieldKind::Date, 2_932_896) && out_of_range(FieldKind::Date, 2_932_897));
    let last = 253_402_300_799_999_999;
    assert!(!out_of_range(FieldKind::Timestamp, last) && out_of_range(FieldKind::Timestamp, last + 1));
    let decimal = || FieldKind::Decimal { precision: 3, scale: 1 };
    assert!(!out_of_range(decimal(), -999) && out_of_range(decimal(), 1_000));
    assert!(!out_of_range(int(), (1 << 53) - 1) && out_of_range(int(), 1 << 53));
}

#[test]
fn headers_are_checked() {
    let record: &[u8] = b"{}";
    let good = ChunkHeader { type_name: "a.b".into(), version: 2, rows: 3, runs: vec![(0, 1), (5, 2)] };
    let bytes = encode_plain(&good, &[record; 3]);
    let read = StoredChunk::read(&bytes).unwrap();
    assert_eq!((read.encoding, header_of(&bytes)), (Encoding::Plain, good.clone()));
    assert_eq!((read.positions().collect::<Vec<_>>(), read.last_position()), (vec![0, 5, 6], 6));
    for runs in [vec![(0, 1), (1, 2)], vec![(5, 2), (0, 1)], vec![(0, 3), (9, 0)], vec![(0, 2)], vec![(16_777_214, 3)]]
    {
        assert!(check_head("a.b", 3, runs.into_iter()).is_err());
    }
    assert!(check_head("a.b", 3, [(16_777_213, 3)].into_iter()).is_ok());
    assert!(check_head("a.b", 0, [].into_iter()).is_err());
}

#[test]
fn rows_are_found_by_their_positions() {
    let header = ChunkHeader::new("a.b", 1, [2, 3, 4, 9, 20, 21]);
    let bytes = encode_plain(&header, &[b"{}".as_slice(); 6]);
    let chunk = StoredChunk::read(&bytes).unwrap();
    let find = |positions: &[u32]| {
        let (mut found, mut places) = (Vec::new(), Vec::new());
        chunk.find(positions, &mut found, &mut places);
        (found, places)
    };
    assert_eq!(find(&[]), (vec![], vec![]));
    assert_eq!(find(&[0, 1, 5, 8, 10, 19, 22, u32::MAX]), (vec![], vec![]));
    assert_eq!(find(&[1, 3, 4, 5, 9, 21, 30]), (vec![3, 4, 9, 21], vec![1, 2, 3, 5]));
    assert_eq!(find(&[2, 3, 4, 9, 20, 21]), (vec![2, 3, 4, 9, 20, 21], (0..6).collect()));
}

#[test]
fn plain_chunks_and_lists_survive_and_nothing_else_does() {
    let records: Vec<&[u8]> = vec![b"{\"a\":1}", b"", b"xyz"];
    let chunk = encode_plain(&header(3), &records);
    let list = encode_list(records.iter().copied());
    assert_eq!(plain(&chunk).unwrap(), records);
    assert_eq!(decode_list(&list).unwrap(), records);
    assert_eq!(list[..11], [3, 0, 0, 0, 7, 0, 0, 0, b'{', b'"', b'a']);
    for place in 0..chunk.len() {
        assert!(plain(&chunk[..place]).is_err());
        let mut changed = chunk.clone();
        changed[place] ^= 0x41;
        if let Ok(read) = plain(&changed) {
            assert_eq!(encode_plain(&header_of(&changed), &read), changed);
        }
    }
    for place in 0..list.len() {
        assert!(decode_list(&list[..place]).is_err());
    }
    assert!(decode_list(&[255; 4]).is_err());
    assert!(columns(&chunk, &fields(), None).is_err());
}

#[test]
fn single_rows_are_those_of_the_whole() {
    let declared = fields();
    for holes in 0..3 {
        let rows = batch(100, holes);
        let bytes = encode(&rows);
        let chunk = StoredChunk::read(&bytes).unwrap();
        for places in [vec![], vec![0], vec![99], vec![3, 4, 50, 97], (0..100).collect()] {
            let mut gather = Gather::new(&declared, None).unwrap();
            gather.append(&declared, &chunk, Some(&places)).unwrap();
            gather.append(&declared, &chunk, None).unwrap();
            gather.append(&declared, &chunk, Some(&places)).unwrap();
            let gathered = gather.finish(&declared).unwrap();
            let indices: Vec<u32> = places.iter().copied().chain(0..100).chain(places.iter().copied()).collect();
            let indices = arrow_array::UInt32Array::from(indices);
            let taken = rows.columns().iter().map(|column| arrow_select::take::take(column, &indices, None).unwrap());
            assert_eq!(gathered, RecordBatch::try_new(rows.schema(), taken.collect()).unwrap());
        }
        let mut gather = Gather::new(&declared, None).unwrap();
        assert!(gather.append(&declared, &chunk, Some(&[100])).is_err());
    }
}

#[test]
fn postings_find_every_row_of_a_value() {
    let postings = [(3, 2), (7, 0), (7, 3), (7, 1 << 20), (u32::MAX, 4)];
    let bytes = encode_postings(&postings);
    assert_eq!(bytes.len(), 4 + 3 * 8 + 5 * 3);
    assert_eq!(lookup_postings(&bytes, 7).unwrap(), [0, 3, 1 << 20]);
    assert_eq!(lookup_postings(&bytes, 3).unwrap(), [2]);
    assert_eq!(lookup_postings(&bytes, u32::MAX).unwrap(), [4]);
    assert!(lookup_postings(&bytes, 4).unwrap().is_empty());
    (0..bytes.len()).for_each(|place| assert!(lookup_postings(&bytes[..place], 7).is_err()));
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 0xff;
        let _ = lookup_postings(&changed, 7);
    }
    assert!(read_positions(&[]).is_err() && read_positions(&[1, 0]).is_err());
    assert!(read_positions(&encode_positions([5, 5].into_iter())).is_err());
    assert_eq!(read_positions(&encode_positions([5, 9].into_iter())).unwrap(), [5, 9]);
}

#[test]
fn buckets_grow_with_what_they_hold() {
    assert_eq!(bucket_bits(63), None);
    assert_eq!([64, 128, 129, 262_144, 1 << 30].map(|postings| bucket_bits(postings).unwrap()), [0, 0, 1, 11, 16]);
    assert_eq!([0, 1, 16].map(|bits| bucket_of(0xffff_0001, bits)), [0, 1, 0xffff]);
}

#[test]
fn golden_chunks() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/chunks");
    let mut seen = 0;
    for (holes, name) in [(0, "full"), (1, "holes"), (2, "absent")] {
        let rows = batch(64, holes);
        for (place, declared) in fields().iter().enumerate() {
            let column = rows.project(&[place]).unwrap();
            let bytes = encode_columns(&header(64), std::slice::from_ref(declared), &column);
            golden(&format!("{directory}/{}-{name}.hex", declared.name), &bytes);
            seen += 1;
        }
    }
    let mut postings: Vec<_> = (0..64).filter(|row| row % 5 > 0).map(|row| (0x1234_5678 * (row % 7), row)).collect();
    postings.sort_unstable();
    golden(&format!("{directory}/postings.hex"), &encode_postings(&postings));
    golden(&format!("{directory}/plain.hex"), &encode_plain(&header(2), &[b"{\"a\":1}", b"{}"]));
    assert_eq!(seen, 39);
}

/// Compares with a file of hexadecimal digits, 32 bytes a line.
fn golden(path: &str, bytes: &[u8]) {
    let text: String = bytes.chunks(32).map(|line| hex::encode(line) + "\n").collect();
    if std::env::var_os("LEDGERSTONE_REGENERATE").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "{path}");
}

fn any_column() -> impl Strategy<Value = Vec<Option<String>>> {
    let value = prop_oneof!["[a-c]{0,3}", "[a-z]{1,40}", "[0-9a-f]{8}-0000-0000-0000-000000000000"];
    prop::collection::vec(prop::option::weighted(0.8, value), 1..200)
}

proptest! {
    #[test]
    fn any_texts_survive(values in any_column()) {
        let declared = [field("text", text())];
        let column: ArrayRef = Arc::new(StringArray::from(values));
        let rows = RecordBatch::try_new(schema_of(&declared), vec![column]).unwrap();
        let bytes = encode_columns(&header(rows.num_rows()), &declared, &rows);
        let back = columns(&bytes, &declared, None).unwrap();
        prop_assert_eq!(&back, &rows);
        prop_assert_eq!(encode_columns(&header(rows.num_rows()), &declared, &back), bytes);
    }

    #[test]
    fn any_integers_survive(values in prop::collection::vec(-99_999_i64..99_999, 1..100), shift in 0_u32..36) {
        let declared = [field("int", int()), field("decimal", FieldKind::Decimal { precision: 28, scale: 0 })];
        let values: Vec<i64> = values.iter().map(|value| value << shift).collect();
        let mut decimals = Decimal128Builder::new().with_data_type(DataType::Decimal128(38, 0));
        values.iter().for_each(|value| decimals.append_value(i128::from(*value) * 99_991));
        let mut ints = Int64Builder::new();
        ints.append_slice(&values);
        let arrays: Vec<ArrayRef> = vec![Arc::new(ints.finish()), Arc::new(decimals.finish())];
        let rows = RecordBatch::try_new(schema_of(&declared), arrays).unwrap();
        let bytes = encode_columns(&header(rows.num_rows()), &declared, &rows);
        prop_assert_eq!(columns(&bytes, &declared, None).unwrap(), rows);
    }

    #[test]
    fn any_bytes_are_refused_or_canonical(body in prop::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..200), place in 0_usize..13) {
        let mut bytes = Vec::new();
        header(3).write(Encoding::Columns, &mut bytes);
        bytes.extend(body);
        let declared = &fields()[place..=place];
        let _ = columns(&bytes, declared, Some(&[]));
        if let Ok(rows) = columns(&bytes, declared, None) {
            prop_assert_eq!(encode_columns(&header(3), declared, &rows), &bytes[..]);
        }
        let _ = (plain(&bytes), decode_list(&bytes), lookup_postings(&bytes, 0));
    }
}
