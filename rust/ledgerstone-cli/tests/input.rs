//! Records from files of every format, and what is said of files that are not what they should be. What is wrong loses nothing: the size
//! of the ledger is looked at after each.

#[allow(dead_code, reason = "each test file uses its part")]
mod common;

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use common::Folder;
use ledgerstone::codes;
use parquet::arrow::ArrowWriter;
use serde_json::Value;

const HEADER: &str = "id,debit,credit,currency,amount\n";

/// A table of transfers.
fn table(ids: &[&str]) -> RecordBatch {
    let texts = |of: &dyn Fn(&str) -> String| -> ArrayRef {
        Arc::new(ids.iter().map(|id| Some(of(id))).collect::<StringArray>())
    };
    RecordBatch::try_from_iter([
        ("id", texts(&|id| id.to_owned())),
        ("debit", texts(&|_| "cash".to_owned())),
        ("credit", texts(&|_| "sales".to_owned())),
        ("currency", texts(&|_| "EUR".to_owned())),
        ("amount", texts(&|_| "2.50".to_owned())),
    ])
    .unwrap()
}

fn arrow_file(table: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
    writer.write(table).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_stream(table: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &table.schema()).unwrap();
    writer.write(table).unwrap();
    writer.into_inner().unwrap()
}

fn parquet(table: &RecordBatch) -> Vec<u8> {
    let mut writer = ArrowWriter::try_new(Vec::new(), table.schema(), None).unwrap();
    writer.write(table).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn every_format_gives_the_same_records() {
    let folder = Folder::with_books();
    let rows = table(&["a", "b"]);
    let lines = |id: &str| {
        format!(
            "{{\"id\":\"{id}\",\"debit\":\"cash\",\"credit\":\"sales\",\"currency\":\"EUR\",\"amount\":\"2.50\"}}\n"
        )
    };
    let csv = format!("\u{feff}{HEADER}a,cash,sales,EUR,2.50\r\n\"b\",\"cash\",sales,EUR,\"2.50\"\r\n");
    for (file, content) in [
        ("t.jsonl", [lines("a"), "\n".to_owned(), lines("b")].concat().into_bytes()),
        ("t.csv", csv.into_bytes()),
        ("t.parquet", parquet(&rows)),
        ("t.arrow", arrow_file(&rows)),
        ("t.arrows", arrow_stream(&rows)),
    ] {
        let folder = Folder::with_books();
        folder.write(file, &content);
        let report = &folder.json(&format!("append books.ledger finance.transfer {file} --key me.pem --json"), 0)[0];
        assert_eq!((&report["rows"], &report["accepted"]), (&2.into(), &2.into()), "{file}");
        let found = folder.json("query books.ledger finance.transfer --json --where id~in~a,b --columns id,amount", 0);
        let wanted = ["a", "b"].map(|id| serde_json::json!({"id": id, "amount": "2.5"}));
        assert_eq!(found, wanted, "{file}");
    }
    for (format, content) in [
        ("csv", b"id;debit;credit;currency;amount\nc;cash;sales;EUR;1\n".to_vec()),
        ("arrow", arrow_stream(&table(&["d"]))),
    ] {
        let line =
            format!("append books.ledger finance.transfer - --format {format} --delimiter ; --key me.pem --json");
        let run = folder.run_with_bytes(&line, &content);
        assert_eq!(run.code, 0, "{format}: {}", run.err);
        assert!(run.out.contains("\"accepted\":1"), "{format}: {}", run.out);
    }
}

#[test]
fn csv_has_structs_lists_and_absent_cells() {
    let folder = Folder::with_books();
    folder.write(
        "shapes.toml",
        b"[module]\nname = \"shapes\"\nversion = 1\ntitle = \"Shapes\"\n[roles.writer]\ndoc = \"Writes\"\n[types.shape]\n\
        doc = \"A shape\"\nauthorise = [\"writer\"]\n[types.shape.fields]\nname = { type = \"text\", required = true }\n\
        corners = { type = \"int\" }\nopen = { type = \"bool\" }\nraw = { type = \"bytes\" }\n\
        centre = { type = \"struct\", fields = { x = { type = \"decimal\", precision = 8, scale = 2 }, y = { type = \"decimal\", precision = 8, scale = 2 } } }\n\
        tags = { type = \"list\", item = { type = \"text\", required = true } }\n",
    );
    assert_eq!(folder.run("load books.ledger shapes.toml --key me.pem").code, 0);
    let rows = "name,corners,open,raw,centre.x,centre.y,tags\n\
        square,4,false,AAEC,1.5,-2,\"[\"\"a\"\",\"\"b\"\"]\"\npoint,,,,,,\n\"a \"\"line\"\"\nof two\",x,,,,,\ndot,,,,,1,not a list\n";
    folder.write("shapes.csv", rows.as_bytes());
    let run = folder.run("append books.ledger shapes.shape shapes.csv --key me.pem --rejections refused.jsonl");
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(
        run.err.contains("shapes.csv, line 4: shapes.shape row 2, field corners: ledger.wrong_type"),
        "{}",
        run.err
    );
    let found = folder.json("query books.ledger shapes.shape --json", 0);
    let wanted = [
        serde_json::json!({"name": "square", "corners": 4, "open": false, "raw": "AAEC", "centre": {"x": "1.5", "y": "-2"}, "tags": ["a", "b"]}),
        serde_json::json!({"name": "point"}),
    ];
    assert_eq!(found, wanted);
    let refused: Vec<Value> =
        folder.read("refused.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<(u64, u64, &str, &str)> = refused
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap();
            (row["row"].as_u64().unwrap(), row["line"].as_u64().unwrap(), text("code"), text("field"))
        })
        .collect();
    assert_eq!(told, [(2, 4, codes::WRONG_TYPE, "corners"), (3, 6, codes::WRONG_TYPE, "tags")]);
}

/// Appends a file and expects this code, these words, and a ledger as it was.
fn refused(folder: &Folder, file: &str, content: &[u8], more: &str, code: &str, words: &str) {
    folder.write(file, content);
    let size = || folder.json("stats books.ledger --json", 0)[0]["transactions"].clone();
    let before = size();
    let run = folder.run(&format!("append books.ledger finance.transfer {file} --key me.pem --json {more}"));
    assert_ne!(run.code, 0, "{file}: {}", run.out);
    let error: Value = serde_json::from_str(run.err.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], code, "{file}: {}", run.err);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains(words), "{file}: {words:?} is not in {message:?}");
    assert_eq!(size(), before, "{file}: nothing of the call is kept");
}

#[test]
fn files_that_are_not_what_they_should_be_are_named_with_the_line() {
    let folder = Folder::with_books();
    let good = "a,cash,sales,EUR,1\n";
    let csv = |text: &str| format!("{HEADER}{text}").into_bytes();
    for (content, code, words) in [
        (Vec::new(), codes::INPUT_MALFORMED, "t.csv, line 1: the file is empty; its first line names the fields"),
        (
            good.into(),
            codes::UNKNOWN_COLUMN,
            "line 1: the first line names the columns, and finance.transfer has no field \"a\"",
        ),
        (b"id;debit;amount\n1;2;3\n".to_vec(), codes::UNKNOWN_COLUMN, "name the --delimiter"),
        (
            b"id,debit,credit,amount\n".to_vec(),
            codes::MISSING_COLUMN,
            "the required column(s) currency of finance.transfer are missing",
        ),
        (b"id,id,debit,credit,currency,amount\n".to_vec(), codes::DUPLICATE_COLUMN, "two columns \"id\""),
        (csv("a,cash,sales\n"), codes::INPUT_MALFORMED, "line 2: 3 cells, where the first line names 5 columns"),
        (
            [csv(good), b"b,c\xff,sales,EUR,1\n".to_vec()].concat(),
            codes::INPUT_MALFORMED,
            "line 3: column 2: not UTF-8 text",
        ),
        (csv(&format!("a,\"{}", "x".repeat(9 << 20))), codes::LINE_BYTES_LIMIT, "t.csv, line 2: its length in bytes"),
    ] {
        refused(&folder, "t.csv", &content, "", code, words);
    }
    for (content, words) in [
        ("{\"id\":\n", "t.jsonl, line 1: no JSON"),
        ("\n\n[1]\n", "line 3: a record is a JSON object"),
        ("{\"id\":\"x\",\"id\":\"y\"}", "two keys \"id\""),
        ("{\"id\":\"\\ud800\"}", "a lone surrogate"),
        ("{\"id\":1e999}", "a number too large"),
    ] {
        refused(&folder, "t.jsonl", content.as_bytes(), "", codes::INPUT_MALFORMED, words);
    }
    let giant = format!("{{\"id\":\"{}\"}}", "x".repeat(9 << 20));
    refused(&folder, "t.jsonl", giant.as_bytes(), "", codes::LINE_BYTES_LIMIT, "t.jsonl, line 1: its length in bytes");
    let whole = parquet(&table(&["a"]));
    refused(&folder, "t.parquet", &whole[..whole.len() / 2], "", codes::INPUT_MALFORMED, "t.parquet: ");
    refused(&folder, "t.parquet", b"", "", codes::INPUT_MALFORMED, "t.parquet: ");
    refused(&folder, "t.arrow", b"ARROW1 and nothing else", "", codes::INPUT_MALFORMED, "t.arrow: ");
    refused(&folder, "t.arrow", b"hello", "", codes::INPUT_MALFORMED, "t.arrow: ");
    refused(&folder, "t.xlsx", b"x", "", codes::UNKNOWN_FILE_FORMAT, "otherwise name the --format");
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![2.5]));
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    let whole = table(&["a"]);
    for (place, name) in ["id", "debit", "credit", "currency"].into_iter().enumerate() {
        columns.push((name, Arc::clone(whole.column(place))));
    }
    columns.push(("amount", floats));
    let money = parquet(&RecordBatch::try_from_iter(columns).unwrap());
    let words = "t.parquet: column \"amount\" is Float64; a decimal field takes no floating point";
    refused(&folder, "t.parquet", &money, "", codes::WRONG_COLUMN_TYPE, words);
}

#[test]
fn a_value_that_is_two_gigabytes_long_is_refused_as_it_comes() {
    let folder = Folder::with_books();
    for (format, start, filler) in [("jsonl", "{\"id\":\"", b'x'), ("csv", "id,debit,credit,currency,amount\n\"", b'y')]
    {
        let line = format!("append books.ledger finance.transfer - --format {format} --key me.pem --json");
        let mut child = folder.spawn(&line).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(start.as_bytes()).unwrap();
        let piece = vec![filler; 1 << 20];
        // It would be 2 GiB: the command goes away long before.
        let written = (0..2_048).take_while(|_| input.write_all(&piece).is_ok()).count();
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(written < 64, "{format}: {written} MiB were read");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(codes::LINE_BYTES_LIMIT), "{format}: {told}");
    }
}

#[test]
fn what_was_committed_before_a_file_went_wrong_is_said_and_goes_on() {
    let folder = Folder::with_books();
    let mut lines = HEADER.to_owned();
    for row in 0..270_000 {
        lines.push_str(&format!("r{row},cash,sales,EUR,1\n"));
    }
    folder.write("t.csv", format!("{lines}broken\n").as_bytes());
    let call = "append books.ledger finance.transfer t.csv --key me.pem --id year --json";
    let run = folder.run(call);
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(
        run.err.contains("line 270002: 1 cells")
            && run.err.contains("262144 rows before that are done, in 1 transactions"),
        "{}",
        run.err
    );
    folder.write("t.csv", lines.as_bytes());
    let report = &folder.json(call, 0)[0];
    assert_eq!((&report["accepted"], &report["transactions"]), (&270_000.into(), &serde_json::json!([4, 5])));
}

#[test]
fn refused_rows_go_to_a_file_of_each_form() {
    let folder = Folder::with_books();
    let mut rows = HEADER.to_owned();
    for row in 0..100 {
        rows.push_str(&format!("r{row},{},sales,EUR,1\n", if row % 2 == 0 { "cash" } else { "nobody" }));
    }
    folder.write("t.csv", rows.as_bytes());
    for file in ["refused.csv", "refused.jsonl", "refused.parquet"] {
        let folder = Folder::with_books();
        folder.write("t.csv", rows.as_bytes());
        let run = folder.run(&format!("append books.ledger finance.transfer t.csv --key me.pem --rejections {file}"));
        assert_eq!((run.code, run.out.as_str()), (1, "50 of 100 records accepted; the first is 4:0\n"), "{}", run.err);
        assert_eq!(run.err.lines().filter(|line| line.starts_with("rejected: t.csv, line ")).count(), 20);
        assert!(run.err.ends_with("30 more were not plainly accepted\n"), "{}", run.err);
        let bytes = std::fs::read(folder.path().join(file)).unwrap();
        match file {
            "refused.parquet" => assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")),
            _ => {
                let text = String::from_utf8(bytes).unwrap();
                let heads = usize::from(file == "refused.csv");
                assert_eq!(text.lines().count(), 50 + heads);
                assert!(text.contains("finance.account_not_open"), "{text}");
            }
        }
        assert!(!folder.path().join(format!("{file}.partial")).exists());
    }
    let run = folder.run("append books.ledger finance.transfer t.csv --key me.pem --rejections refused.txt --json");
    assert!(run.err.contains(codes::UNKNOWN_FILE_FORMAT), "{}", run.err);
}

#[test]
fn a_backup_is_whole_and_a_restore_is_refused() {
    let folder = Folder::with_books();
    let made = &folder.json("backup books.ledger copy.ledger --json", 0)[0];
    assert_eq!((&made["size"], &made["audited"]), (&4.into(), &true.into()));
    let again = folder.run("backup books.ledger copy.ledger --json");
    assert_eq!(again.code, 3);
    assert!(again.err.contains(codes::FILE_EXISTS), "{}", again.err);
    assert_eq!(folder.run("audit copy.ledger").code, 0);
    assert_eq!(
        folder.run("query copy.ledger finance.transfer --json").out,
        folder.run("query books.ledger finance.transfer --json").out
    );
    assert!(!folder.path().join("copy.ledger.logkey.pem").exists(), "the log key is not copied");
    let restored = folder.run("restore copy.ledger again.ledger");
    assert_eq!(restored.code, 1);
    assert!(restored.err.contains(codes::RESTORE_REFUSED), "{}", restored.err);
    assert!(!folder.path().join("again.ledger").exists());
}

#[test]
fn errors_and_completions_are_printed() {
    let folder = Folder::new();
    let listed = folder.json("errors --json", 0);
    assert_eq!(listed.len(), codes::CATALOGUE.len());
    let full = &folder.json("errors disk_full --json", 0)[0];
    assert_eq!((&full["code"], &full["error"]), (&codes::DISK_FULL.into(), &"StoreError".into()));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = folder.run(&format!("completion {shell}"));
        assert_eq!(script.code, 0);
        assert!(script.out.contains("ledgerstone") && script.out.contains("backup"), "{shell}");
    }
}

#[test]
fn what_other_programs_write_is_read() {
    let folder = Folder::with_books();
    let cells = |id: &str, by: &str| [id, "cash", "sales", "EUR", "1"].join(by);
    let head = |by: &str| HEADER.trim_end().replace(',', by);
    for (file, content, options) in [
        ("mark.jsonl", format!("\u{feff}{}", common::transfer("a", "cash", "sales", "1")), ""),
        ("tabs.tsv", format!("{}\n{}\n", head("\t"), cells("b", "\t")), ""),
        ("tabs.csv", format!("{}\r\n{}\r\n", head("\t"), cells("c", "\t")), "--delimiter \\t"),
        ("semi.tsv", format!("{}\n{}\n", head(";"), cells("d", ";")), "--delimiter ;"),
    ] {
        folder.write(file, content.as_bytes());
        let run = folder.run(&format!("append books.ledger finance.transfer {file} --key me.pem {options}"));
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{file}: {}", run.out);
    }
    // A mark belongs to the beginning of a text.
    let two = [common::transfer("e", "cash", "sales", "1"), "\u{feff}{}\n".to_owned()].concat();
    refused(&folder, "late.jsonl", two.as_bytes(), "", codes::INPUT_MALFORMED, "late.jsonl, line 2: no JSON");
    refused(&folder, "list.jsonl", b"[{}]\n", "", codes::INPUT_MALFORMED, "alone on its line");
    std::fs::create_dir(folder.path().join("folder.csv")).unwrap();
    let run = folder.run("append books.ledger finance.transfer folder.csv --key me.pem");
    assert!(run.code == 3 && run.err.contains("[ledger.file_failed]"), "{}", run.err);
    let run = folder.run("append books.ledger finance.transfer mark.jsonl --key me.pem --delimiter ab");
    assert!(run.code == 2 && run.err.contains("one ASCII character"), "{}", run.err);
}
