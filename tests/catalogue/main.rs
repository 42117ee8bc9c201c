//! The catalogue of errors is true: every code in it is provoked by a test, every code that the sources raise is in it, and nothing in it
//! is dead. Most are provoked here; what only another face or an inner test can reach is named with the file that does.

mod evidence;
mod members;
mod outcomes;
mod page;
mod proposals;
mod records;
mod requests;
mod storage;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ledgerstone::codes::{self, CATALOGUE, ErrorClass};
use ledgerstone::{Error, Subject};

/// What a provocation gives.
struct Provoked {
    code: String,
    class: ErrorClass,
    message: String,
    remedy: Option<&'static str>,
    subject: Subject,
}

impl From<Error> for Provoked {
    fn from(error: Error) -> Self {
        Provoked {
            code: error.code().to_owned(),
            class: error.class(),
            message: error.to_string(),
            remedy: error.remedy(),
            subject: error.subject(),
        }
    }
}

impl Provoked {
    /// What the error names for programs, the file without its folder; its words must name the same.
    fn names(&self) -> String {
        let Subject { file, line, row, field } = &self.subject;
        let said =
            [file.clone(), line.map(|line| line.to_string()), row.map(|row| format!("row {row}")), field.clone()];
        for word in said.into_iter().flatten() {
            assert!(self.message.contains(&word), "{}: {:?} does not name {word}", self.code, self.message);
        }
        let name = |file: &String| format!("file {}", Path::new(file).file_name().unwrap().display());
        let names = [
            file.as_ref().map(name),
            line.map(|line| format!("line {line}")),
            row.map(|row| format!("row {row}")),
            field.as_ref().map(|field| format!("field {field}")),
        ];
        names.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// A code, what its error names, and the call that provokes it.
type Provocation = (&'static str, &'static str, fn() -> Provoked);

/// Codes that are provoked elsewhere, and the file that does: it must name the constant or the code.
const ELSEWHERE: &[(&str, &str)] = &[
    // The command reads files and words.
    (codes::INPUT_MALFORMED, "rust/ledgerstone-cli/tests/input.rs"),
    (codes::LINE_BYTES_LIMIT, "rust/ledgerstone-cli/tests/input.rs"),
    (codes::RESTORE_REFUSED, "rust/ledgerstone-cli/tests/input.rs"),
    (codes::BAD_ARGUMENT, "rust/ledgerstone-cli/tests/failures.rs"),
    (codes::INPUT_HEAD_BYTES_LIMIT, "rust/ledgerstone-cli/tests/hostile.rs"),
    (codes::INPUT_COLUMNS_LIMIT, "rust/ledgerstone-cli/tests/hostile.rs"),
    (codes::INPUT_DEPTH_LIMIT, "rust/ledgerstone-cli/tests/hostile.rs"),
    (codes::INPUT_BATCH_BYTES_LIMIT, "rust/ledgerstone-cli/tests/hostile.rs"),
    // A process of its own, whose disk is full.
    (codes::DISK_FULL, "tests/full_disk.rs"),
    // A hundred thousand votes, and a load during which a module goes on, stand beside what else is asked of them.
    (codes::TOO_MANY_VOTES, "tests/rules.rs"),
    (codes::TYPE_CHANGED, "tests/upgrade/retries.rs"),
    // More than half a gigabyte would have to be stored first.
    (codes::ORDERED_BYTES_LIMIT, "rust/ledgerstone/src/ledger/query.rs"),
    // Values, readers, names and processes of Python.
    (codes::BAD_VALUE, "tests/python/test_catalogue.py"),
    (codes::NOT_A_TABLE, "tests/python/test_catalogue.py"),
    (codes::INPUT_FAILED, "tests/python/test_catalogue.py"),
    (codes::UNKNOWN_MODULE, "tests/python/test_catalogue.py"),
    (codes::CLOSED, "tests/python/test_catalogue.py"),
    (codes::BUSY, "tests/python/test_catalogue.py"),
    (codes::FORKED, "tests/python/test_catalogue.py"),
];

fn provocations() -> Vec<Provocation> {
    let all = [records::ALL, members::ALL, proposals::ALL, outcomes::ALL, requests::ALL, storage::ALL, evidence::ALL];
    all.concat()
}

#[test]
fn every_code_is_provoked_and_its_error_names_class_place_and_remedy() {
    let mut others = Vec::new();
    for (code, names, provoke) in provocations() {
        let provoked = provoke();
        assert_eq!(provoked.code, code, "{}", provoked.message);
        let entry = codes::entry(code).unwrap_or_else(|| panic!("{code} is not in the catalogue"));
        assert_eq!(provoked.class, entry.class, "{code}: {}", provoked.message);
        assert_eq!(provoked.remedy, Some(entry.remedy), "{code}");
        if provoked.names() != names {
            others.push(format!("{code} names {:?}, not {names:?}: {}", provoked.names(), provoked.message));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

#[test]
fn no_code_is_without_a_test_that_provokes_it() {
    let here: BTreeSet<&str> = provocations().iter().map(|(code, ..)| *code).collect();
    let mut elsewhere = BTreeSet::new();
    for (code, file) in ELSEWHERE {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mark = if file.ends_with(".py") { "#" } else { "//" };
        let is_code = |line: &&str| !line.trim_start().starts_with(mark);
        let constant = format!("codes::{}", constant_of(code));
        let names = |line: &str| line.contains(&constant) || line.contains(&format!("\"{code}\""));
        assert!(text.lines().filter(is_code).any(names), "{file} provokes no {code}");
        assert!(elsewhere.insert(*code) && !here.contains(code), "{code} is provoked twice");
    }
    let listed: BTreeSet<&str> = CATALOGUE.iter().map(|entry| entry.code).collect();
    let provoked: BTreeSet<&str> = here.union(&elsewhere).copied().collect();
    assert_eq!(provoked, listed);
}

#[test]
fn the_page_of_errors_is_that_of_the_catalogue() {
    let path = root().join("docs/ERRORS.md");
    if std::env::var_os("LEDGERSTONE_BLESS").is_some() {
        std::fs::write(&path, page::page()).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    let how = "LEDGERSTONE_BLESS=1 cargo test -p ledgerstone-tests --test catalogue page";
    assert!(stored == page::page(), "docs/ERRORS.md is stale: {how}");
}

/// Words of the module `ledger` that are no codes: its record types, its role, its file.
const NO_CODES: &[&str] = &["admin", "toml"];

#[test]
fn sources_raise_codes_by_their_constants_alone() {
    let ledger = ledgerstone::schema::parse_builtin(ledgerstone_schemas::LEDGER).unwrap();
    let is_type = |name: &str| ledger.types.iter().any(|declared| declared.name == name);
    let (mut files, mut used) = (0, BTreeSet::new());
    for path in sources(&root().join("rust")) {
        let text = std::fs::read_to_string(&path).unwrap();
        if path.ends_with("src/codes.rs") {
            continue;
        }
        files += 1;
        for entry in CATALOGUE {
            let constant = constant_of(entry.code);
            if text.contains(&format!("codes::{constant}")) || names_in_group(&text, &constant) {
                used.insert(entry.code);
            }
        }
        for (at, _) in text.match_indices("\"ledger.") {
            let name: String =
                text[at + 1..].chars().take_while(|c| c.is_ascii_lowercase() || "._".contains(*c)).collect();
            let is_whole = text[at + 1 + name.len()..].starts_with('"');
            let word = name.strip_prefix("ledger.").unwrap();
            let line = text[..at].rsplit('\n').next().unwrap().trim_start();
            if line.starts_with("//") {
                continue;
            }
            if is_whole && !word.is_empty() && !NO_CODES.contains(&word) && !is_type(&name) {
                panic!("{}: {name} is raised as text; give it a line in codes.rs", path.display());
            }
        }
        for (at, _) in text.match_indices("limit: \"") {
            let limit = text[at + 8..].split('"').next().unwrap();
            let code = format!("ledger.{}", limit.to_ascii_lowercase());
            let entry = codes::entry(&code).unwrap_or_else(|| panic!("{}: {code} is missing", path.display()));
            assert_eq!(entry.class, ErrorClass::Limit, "{code}");
            used.insert(entry.code);
        }
    }
    assert!(files > 80, "{files} files seen");
    // Those that the built-in module's own rules raise, and those whose names are of the verify crate and the audit.
    let declared = |code: &str| {
        let name = code.strip_prefix("ledger.").unwrap_or(code);
        ledgerstone_schemas::LEDGER.contains(&format!("code = \"{name}\""))
    };
    for entry in CATALOGUE.iter().filter(|entry| entry.class != ErrorClass::Verification) {
        assert!(used.contains(entry.code) || declared(entry.code), "nothing raises {}", entry.code);
    }
    for line in ledgerstone_schemas::LEDGER.lines().filter_map(|line| line.split_once("code = \"")) {
        let code = format!("ledger.{}", line.1.split('"').next().unwrap());
        assert!(codes::entry(&code).is_some(), "schemas/ledger.toml raises {code}, which is not in codes.rs");
    }
}

/// Whether a source imports the constant: `pub use crate::codes::{A, B}`.
fn names_in_group(text: &str, constant: &str) -> bool {
    let groups = text.match_indices("codes::{").map(|(at, _)| text[at..].split('}').next().unwrap_or_default());
    groups
        .into_iter()
        .any(|group| group.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == constant))
}

/// The name of a code's constant, out of the table.
fn constant_of(code: &str) -> String {
    let table = std::fs::read_to_string(root().join("rust/ledgerstone/src/codes.rs")).unwrap();
    let line =
        table.lines().find(|line| line.contains(&format!(" = \"{code}\", "))).unwrap_or_else(|| panic!("{code}"));
    line.trim().split(' ').next().unwrap().to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Rust sources below a folder, without tests and the verify crate, which has no codes of the engine.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["tests", "ledgerstone-verify", "target"].contains(&name.as_str()) {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}
