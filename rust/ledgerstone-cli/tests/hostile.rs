//! Files that lie, and small ones that unpack to gigabytes: each is refused with words that say where and over which bound, in bounded
//! memory (the command has a gigabyte and a half of addresses, all told), and the ledger is as it was.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "each test file uses its part")]
mod common;
#[path = "hostile/parquet.rs"]
mod parquet;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, NullArray, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use common::{Folder, Run};
use ledgerstone::codes;
use parquet::{
    BYTE_ARRAY, DATA, DELTA_LENGTH, DELTA_TEXTS, DICTIONARY, FIXED, File, LZ4_RAW, NONE, PLAIN, Page, RLE_DICTIONARY,
    SNAPPY, STRUCT, T, ZSTD, element, ended, lz4, snappy, structure, text, varint, zeros, zstd,
};

/// Kilobytes of addresses that the command has.
const ADDRESSES: &str = "1500000";

const MODULE: &str = "[module]\nname = \"notes\"\nversion = 1\n[roles.writer]\n[types.note]\nauthorise = [\"writer\"]\n\
    [types.note.fields]\nid = { type = \"text\", max = 64, required = true }\n\
    [types.count]\nauthorise = [\"writer\"]\n[types.count.fields]\nid = { type = \"int\", required = true }\n\
    [types.many]\nauthorise = [\"writer\"]\n[types.many.fields]\n\
    id = { type = \"list\", max = 8, required = true, item = { type = \"text\", max = 64, required = true } }\n";

struct Bench(Folder);

impl Bench {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("notes.toml", MODULE.as_bytes());
        let run = folder.run("create books.ledger --origin acme.example/books --key me.pem --module notes.toml");
        assert_eq!(run.code, 0, "{}", run.err);
        Bench(folder)
    }

    /// Appends a file in bounded memory.
    fn append(&self, record_type: &str, file: &str) -> Run {
        let line = self.0.spawn(&format!("append books.ledger notes.{record_type} {file} --key me.pem"));
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -v {ADDRESSES} && exec \"$0\" \"$@\"")).arg(line.get_program());
        command.args(line.get_args()).current_dir(self.0.path()).env_remove("LEDGERSTONE_KEY").stdin(Stdio::null());
        let output = command.arg0("sh").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("{file}: {}: {said}", output.status));
        assert!(!said.contains("panicked") && code != 101, "{file}: {said}");
        Run { code, out: String::from_utf8(output.stdout).unwrap(), err: said }
    }

    /// A file that is refused with these words, and nothing of it kept.
    fn refuses(&self, record_type: &str, file: &str, words: &[&str]) {
        let before = self.0.run("info books.ledger --json").out;
        let run = self.append(record_type, file);
        assert!(run.code > 1, "{file}: {} {} {}", run.code, run.out, run.err);
        for word in words.iter().chain([&file]) {
            assert!(run.err.contains(word), "{file}: {word:?} is not in {}", run.err);
        }
        assert_eq!(self.0.run("info books.ledger --json").out, before, "{file}");
    }

    fn refuses_bytes(&self, record_type: &str, file: &str, bytes: &[u8], words: &[&str]) {
        self.0.write(file, bytes);
        self.refuses(record_type, file, words);
    }

    fn end(self) {
        let audit = self.0.run("audit books.ledger");
        assert_eq!(audit.code, 0, "{}{}", audit.out, audit.err);
    }
}

const GIGABYTE: i64 = 1 << 30;
const BATCH: &[&str] = &["column id", codes::INPUT_BATCH_BYTES_LIMIT];

#[test]
fn pages_are_no_larger_than_their_bound() {
    let bench = Bench::new();
    let lie = |codec| {
        let page = Page { unpacked: i64::from(i32::MAX), ..Page::plain(DATA, 1, PLAIN, vec![0; 40]) };
        File::texts(codec, 1, vec![page]).written()
    };
    for (name, bytes) in [
        ("claim-snappy.parquet", lie(SNAPPY)),
        ("claim-zstd.parquet", lie(ZSTD)),
        (
            "bomb-zstd.parquet",
            File::texts(ZSTD, 1, vec![Page::packed(1, GIGABYTE, zstd(GIGABYTE as u32, 0))]).written(),
        ),
        ("bomb-snappy.parquet", {
            let bytes = snappy(257 << 20, 0);
            File::texts(SNAPPY, 1, vec![Page::packed(1, 257 << 20, bytes)]).written()
        }),
        ("bomb-lz4.parquet", File::texts(LZ4_RAW, 1, vec![Page::packed(1, 257 << 20, lz4(257 << 20, 0))]).written()),
        ("bomb-dictionary.parquet", {
            let dictionary = Page { kind: DICTIONARY, ..Page::packed(1, GIGABYTE, zstd(GIGABYTE as u32, 0)) };
            let data = Page::packed(1, 3, zstd(3, 0));
            File::texts(ZSTD, 1, vec![dictionary, data]).written()
        }),
    ] {
        bench.refuses_bytes("note", name, &bytes, BATCH);
    }
    // Many pages of which each is small enough: fewer rows are read together.
    let many = (0..40).map(|_| Page::packed(1, 16 << 20, zstd(16 << 20, 0))).collect();
    bench.0.write("pages.parquet", &File::texts(ZSTD, 40, many).written());
    let run = bench.append("note", "pages.parquet");
    assert!(run.code == 0 && run.out.contains("40 of 40"), "{}{}", run.out, run.err);
    bench.end();
}

#[test]
fn a_text_of_two_gigabytes_is_not_read() {
    let bench = Bench::new();
    let length = i64::from(i32::MAX);
    let page = Page { unpacked: length, packed: length, ..Page::plain(DATA, 1, PLAIN, Vec::new()) };
    // The bytes are a hole in the file.
    let file = File::texts(NONE, 1, vec![page]).written();
    let (head, footer) = file.split_at(file.len() - footer_bytes(&file));
    let path = bench.0.path().join("long.parquet");
    std::fs::write(&path, head).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let end = head.len() as u64 + length as u64;
    file.set_len(end).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &larger_chunk(footer, length), end).unwrap();
    bench.refuses("note", "long.parquet", BATCH);
    bench.end();
}

/// Bytes of the footer with its length and the magic.
fn footer_bytes(file: &[u8]) -> usize {
    let (_, tail) = file.split_at(file.len() - 8);
    8 + u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize
}

/// The footer of a file whose only page has so many bytes more.
fn larger_chunk(footer: &[u8], more: i64) -> Vec<u8> {
    let page = Page { unpacked: more, packed: more, ..Page::plain(DATA, 1, PLAIN, Vec::new()) };
    let before = File::texts(NONE, 1, vec![page]);
    let small = before.length_of_pages();
    let (mut old, mut new) = (vec![0x16], vec![0x16]);
    varint(&mut old, (small as u64) << 1);
    varint(&mut new, ((small + more) as u64) << 1);
    let mut out = Vec::new();
    let mut at = 0;
    let end = footer.len() - 8;
    while at < end {
        if footer[at..end].starts_with(&old) {
            out.extend(&new);
            at += old.len();
        } else {
            out.push(footer[at]);
            at += 1;
        }
    }
    ended(Vec::new(), &out)
}

#[test]
fn what_a_dictionary_or_a_prefix_stands_for_is_read_in_pieces() {
    let bench = Bench::new();
    // A text of 4 MiB, and a short one: the first is named 300 times, the second once.
    let dictionary = [text(&vec![b'x'; 4 << 20]), text(b"short")].concat();
    let mut indexes = vec![1];
    varint(&mut indexes, 300 << 1);
    indexes.push(0);
    varint(&mut indexes, 1 << 1);
    indexes.push(1);
    let pages = vec![Page::plain(DICTIONARY, 2, PLAIN, dictionary), Page::plain(DATA, 301, RLE_DICTIONARY, indexes)];
    bench.0.write("named.parquet", &File::texts(NONE, 301, pages).written());
    let run = bench.append("note", "named.parquet");
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("ledger.too_long") && run.out.contains("1 of 301"), "{}{}", run.out, run.err);

    // Each text begins with all of the one before: the first has 4 MiB, the others add nothing.
    let first = 4 << 20;
    let (count, mut values) = (200u64, Vec::new());
    for number in [128, 1, count, 0] {
        varint(&mut values, number);
    }
    prefixes(&mut values, count, first);
    for number in [128, 1, count, (first as u64) << 1] {
        varint(&mut values, number);
    }
    suffixes(&mut values, count, first);
    values.extend(vec![b'y'; first]);
    bench
        .0
        .write("prefix.parquet", &File::texts(NONE, 200, vec![Page::plain(DATA, 200, DELTA_TEXTS, values)]).written());
    let run = bench.append("note", "prefix.parquet");
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("ledger.too_long") && run.out.contains("0 of 200"), "{}{}", run.out, run.err);
    bench.end();
}

/// 0, then so many times the same number: blocks whose first difference is the number, all others 0.
fn prefixes(out: &mut Vec<u8>, count: u64, number: usize) {
    blocks(out, count, number as i64);
}

fn suffixes(out: &mut Vec<u8>, count: u64, number: usize) {
    blocks(out, count, -(number as i64));
}

/// Differences: one, then 0 for all others, in blocks of 128 with one part: of 32 bits where the first is in it, of none otherwise.
fn blocks(out: &mut Vec<u8>, count: u64, first: i64) {
    let mut left = count - 1;
    let mut is_first = true;
    while left > 0 {
        let least = if is_first { first.min(0) } else { 0 };
        varint(out, (least << 1 ^ least >> 63) as u64);
        if is_first {
            out.push(32);
            for place in 0..128 {
                let difference = if place == 0 { first } else { 0 };
                out.extend(((difference - least) as u32).to_le_bytes());
            }
        } else {
            out.push(0);
        }
        is_first = false;
        left = left.saturating_sub(128);
    }
}

#[test]
fn runs_and_counts_that_lie_are_seen() {
    let bench = Bench::new();
    let dictionary = || Page::plain(DICTIONARY, 1, PLAIN, text(b"a"));
    let run = |of: u64| {
        let mut bytes = vec![0];
        varint(&mut bytes, of << 1);
        bytes
    };
    let most = i64::from(i32::MAX);
    // One dictionary index, two thousand million times, in a row group of five rows; and the other way around.
    for (name, values, rows, words) in [
        ("run.parquet", most, 5, ["is said to have 5 rows", "at least 8192"]),
        ("few.parquet", 3, 5, ["is said to have 5 rows", "only 3"]),
    ] {
        let pages = vec![dictionary(), Page::plain(DATA, values, RLE_DICTIONARY, run(values as u64))];
        bench.refuses_bytes("note", name, &File::texts(NONE, rows, pages).written(), &words);
    }
    // One list of two thousand million items.
    let levels = |level: u8, of: u64| {
        let mut bytes = Vec::new();
        varint(&mut bytes, of << 1);
        bytes.push(level);
        [&(bytes.len() as u32).to_le_bytes(), bytes.as_slice()].concat()
    };
    let page = [levels(1, most as u64), levels(1, most as u64), run(most as u64)].concat();
    let schema = vec![
        element("id", vec![(3, T::I32(0)), (5, T::I32(1)), (6, T::I32(3))]),
        element("list", vec![(3, T::I32(2)), (5, T::I32(1))]),
        element("element", vec![(1, T::I32(BYTE_ARRAY)), (3, T::I32(0)), (6, T::I32(0))]),
    ];
    let pages = vec![dictionary(), Page::plain(DATA, most, RLE_DICTIONARY, page)];
    let file = File { schema, path: vec!["id", "list", "element"], ..File::texts(NONE, 1, pages) };
    bench.refuses_bytes(
        "many",
        "list.parquet",
        &file.written(),
        &["column id.list.element", codes::INPUT_BATCH_BYTES_LIMIT, "one row"],
    );
    // As many lengths of texts, all 0.
    let page = Page::plain(DATA, 1, DELTA_LENGTH, zeros(most as u64));
    bench.refuses_bytes(
        "note",
        "lengths.parquet",
        &File::texts(NONE, 1, vec![page]).written(),
        &["page 1 of id is damaged"],
    );
    // Values of a fixed length of a gigabyte.
    let schema = vec![element("id", vec![(1, T::I32(FIXED)), (2, T::I32(1 << 30)), (3, T::I32(1))])];
    let page = Page::plain(DATA, 1, PLAIN, vec![2, 0, 0, 0, 2, 0]);
    let file = File { schema, physical: FIXED, ..File::texts(NONE, 1, vec![page]) };
    bench.refuses_bytes("note", "fixed.parquet", &file.written(), BATCH);
    // Pages that lie elsewhere.
    for (name, at) in [("outside.parquet", 1 << 40), ("below.parquet", -4)] {
        let file = File { at: Some(at), ..File::texts(NONE, 1, vec![Page::plain(DATA, 1, PLAIN, text(b"a"))]) };
        bench.refuses_bytes("note", name, &file.written(), &[]);
    }
    bench.end();
}

#[test]
fn footers_that_lie_are_not_believed() {
    let bench = Bench::new();
    let good = File::texts(NONE, 1, vec![Page::plain(DATA, 1, PLAIN, text(b"a"))]).written();
    let end = good.len();
    let lying = |length: u32| [&good[..end - 8], &length.to_le_bytes(), b"PAR1"].concat();
    bench.refuses_bytes("note", "longer.parquet", &lying(u32::MAX), &["the footer is said to have"]);
    bench.refuses_bytes("note", "shorter.parquet", &lying(3), &[]);
    let path = bench.0.path().join("hole.parquet");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(1 << 32).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[&[0, 0, 0, 0x7f], b"PAR1".as_slice()].concat(), 1 << 32).unwrap();
    bench.refuses("note", "hole.parquet", &[codes::INPUT_HEAD_BYTES_LIMIT]);

    let footer = |schema: &[Vec<u8>], groups: T| {
        let schema = T::List(STRUCT, schema.len() as u64, schema.concat());
        ended(b"PAR1".to_vec(), &structure(&[(1, T::I32(1)), (2, schema), (3, T::I64(0)), (4, groups)]))
    };
    let none = || T::List(STRUCT, 0, Vec::new());
    let deep: Vec<Vec<u8>> = (0..100_000).map(|_| element("a", vec![(5, T::I32(1))])).collect();
    bench.refuses_bytes("note", "deep.parquet", &footer(&deep, none()), &[codes::INPUT_DEPTH_LIMIT]);
    let column = element("a", vec![(1, T::I32(1)), (3, T::I32(0))]);
    let wide = [vec![element("schema", vec![(5, T::I32(100_000))])], vec![column.clone(); 100_000]].concat();
    bench.refuses_bytes("note", "wide.parquet", &footer(&wide, none()), &[codes::INPUT_COLUMNS_LIMIT, "100000"]);
    let one = [element("schema", vec![(5, T::I32(1))]), column];
    let lie = T::List(STRUCT, i32::MAX as u64, Vec::new());
    bench.refuses_bytes("note", "groups.parquet", &footer(&one, lie), &["damaged"]);
    bench.end();
}

fn table(column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("id", column)]).unwrap()
}

/// The bytes, one number in them another.
fn patched(mut bytes: Vec<u8>, old: i64, new: i64) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == old.to_le_bytes()).collect();
    assert!(!places.is_empty(), "{old} is nowhere");
    for place in places {
        bytes[place..place + 8].copy_from_slice(&new.to_le_bytes());
    }
    bytes
}

#[test]
fn arrow_messages_are_no_larger_than_their_bound() {
    let bench = Bench::new();
    let texts = |count: usize| table(Arc::new((0..count).map(|n| Some(format!("{n:05}"))).collect::<StringArray>()));
    let stream = |table: &RecordBatch, codec| {
        let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &table.schema(), options).unwrap();
        writer.write(table).unwrap();
        writer.into_inner().unwrap()
    };
    let file = |table: &RecordBatch| {
        let mut writer = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
        writer.write(table).unwrap();
        writer.into_inner().unwrap()
    };
    // 1,003 texts of five characters.
    let bytes = 1_003 * 5;
    for (name, codec) in [("zstd.arrows", CompressionType::ZSTD), ("lz4.arrows", CompressionType::LZ4_FRAME)] {
        let packed = stream(&texts(1_003), Some(codec));
        bench.refuses_bytes(
            "note",
            name,
            &patched(packed, bytes, 1 << 40),
            &["message 2", codes::INPUT_BATCH_BYTES_LIMIT],
        );
    }
    let plain = stream(&texts(1_003), None);
    let body = (1_004 * 4 + 63) / 64 * 64 + (bytes + 63) / 64 * 64;
    bench.refuses_bytes(
        "note",
        "body.arrows",
        &patched(plain.clone(), body, 1 << 60),
        &["message 2", codes::INPUT_BATCH_BYTES_LIMIT],
    );
    let cut = [plain.as_slice(), &patched(plain.clone(), body, 400 << 20)].concat();
    let cut = [&plain[..plain.len() - 8], &cut[plain.len()..]].concat();
    bench.refuses_bytes("note", "cut.arrows", &cut, &[]);
    // Columns of nulls have no bytes, however many rows there are said to be.
    let nulls = stream(&table(Arc::new(NullArray::new(1_234_567))), None);
    let nulls = patched(nulls, 1_234_567, 100_000_000_000);
    bench.refuses_bytes("note", "nulls.arrows", &nulls, &["message 2", codes::INPUT_BATCH_BYTES_LIMIT]);
    let head = [&[0xff; 4], i32::MAX.to_le_bytes().as_slice(), &[0; 100]].concat();
    bench.refuses_bytes("note", "head.arrows", &head, &["message 1", codes::INPUT_HEAD_BYTES_LIMIT]);
    let mut lying = file(&texts(3));
    let place = lying.len() - 10;
    lying[place..place + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    bench.refuses_bytes("note", "index.arrow", &lying, &["ends without its index"]);
    // A text of 1 MiB that is named 300 times: it is the engine that reads it in pieces.
    let long = "x".repeat(1 << 20);
    let named: DictionaryArray<Int32Type> = std::iter::repeat_n(long.as_str(), 300).chain(["short"]).collect();
    bench.0.write("named.arrow", &file(&table(Arc::new(named))));
    let run = bench.append("note", "named.arrow");
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("ledger.too_long") && run.out.contains("1 of 301"), "{}{}", run.out, run.err);
    bench.end();
}

#[test]
fn a_batch_without_a_body_hides_nothing() {
    let bench = Bench::new();
    let numbers = |count: usize| table(Arc::new((0..count as i64).collect::<Int64Array>()));
    for counts in [&[2, 0, 3, 1][..], &[0, 0, 4], &[3, 0], &[0, 1]] {
        let mut writer = StreamWriter::try_new(Vec::new(), &numbers(0).schema()).unwrap();
        counts.iter().for_each(|count| writer.write(&numbers(*count)).unwrap());
        bench.0.write("gaps.arrows", &writer.into_inner().unwrap());
        let run = bench.append("count", "gaps.arrows");
        let all: usize = counts.iter().sum();
        assert!(run.out.contains(&format!("{all} of {all}")), "{counts:?}: {}{}", run.out, run.err);
    }
    bench.end();
}

#[test]
fn lines_have_an_end() {
    let bench = Bench::new();
    let endless = |name: &str, start: &[u8]| {
        let path = bench.0.path().join(name);
        std::fs::write(&path, start).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 32).unwrap();
        bench.refuses("note", name, &["LINE_BYTES"]);
    };
    endless("line.csv", b"id\nabc");
    endless("header.csv", b"id");
    endless("quoted.csv", b"id\n\"abc");
    endless("text.jsonl", b"{\"id\":\"abc");
    endless("blank.jsonl", b"");
    let deep = |open: &str| [b"{\"id\":", open.repeat(1 << 20).as_bytes()].concat();
    bench.refuses_bytes("note", "deep.jsonl", &deep("["), &["line 1"]);
    bench.refuses_bytes("note", "objects.jsonl", &deep("{\"a\":"), &["line 1"]);
    bench.end();
}
