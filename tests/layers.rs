//! The layers hold: imports go down only, names on one row do not import each other, `execute` knows no store; files, functions and
//! the binding crate keep their sizes, and `lib.rs` holds docs, modules and re-exports alone. The scanner is tested on made-up sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The parts of the engine, the top row first. A part may import what stands on lower rows. `error` is the errors of all parts.
const ROWS: [&[&str]; 7] = [
    &["ledger", "builder", "audit", "error"],
    &["export"],
    &["execute", "log", "query"],
    &["schema", "store"],
    &["model"],
    &["keys"],
    &["limits", "codes", "files"],
];
/// Joiners may know each other.
const JOINERS: &[&str] = ROWS[0];
/// What the crates under `rust/` may name of each other.
const CRATES: [(&str, &[&str]); 4] = [
    ("ledgerstone-verify", &[]),
    ("ledgerstone", &["ledgerstone_verify", "ledgerstone_schemas"]),
    ("ledgerstone-cli", &["ledgerstone", "ledgerstone_verify", "ledgerstone_schemas"]),
    ("ledgerstone-python", &["ledgerstone", "ledgerstone_cli", "ledgerstone_verify", "ledgerstone_schemas"]),
];
const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
/// Of code: the binding's docstrings are its documentation. Every verb of the engine has its few lines there, so it grows with them.
const BINDING_LINES: usize = 3_000;

/// A source file: its path within `src`, its text, and the text without comments, strings and tests.
struct Source {
    path: PathBuf,
    text: String,
    code: String,
}

impl Source {
    fn new(path: &Path, text: &str) -> Self {
        let text = text.to_owned();
        let code = without_tests(&without_text(&text));
        Source { path: path.to_owned(), text, code }
    }

    /// Names of the modules down to this one.
    fn module(&self) -> Vec<String> {
        let mut parts: Vec<String> =
            self.path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
            parts.pop();
        }
        parts
    }

    /// The top-level modules of its own crate that it names.
    fn parts_named(&self) -> Vec<String> {
        let module = self.module();
        let mut named = Vec::new();
        for (at, _) in self.code.match_indices("crate::") {
            if !is_word_before(&self.code, at) {
                named.extend(names_after(&self.code[at + "crate::".len()..]));
            }
        }
        // A chain of `super::` that reaches the crate's root.
        let mut rest = 0;
        while let Some(found) = self.code[rest..].find("super::") {
            let start = rest + found;
            let mut end = start;
            let mut levels = 0;
            while self.code[end..].starts_with("super::") {
                levels += 1;
                end += "super::".len();
            }
            if levels == module.len() && !is_word_before(&self.code, start) {
                named.extend(names_after(&self.code[end..]));
            }
            rest = end;
        }
        named.sort();
        named.dedup();
        named
    }

    fn names_word(&self, word: &str) -> bool {
        self.code.match_indices(word).any(|(at, _)| {
            let after = self.code[at + word.len()..].chars().next();
            !is_word_before(&self.code, at) && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    }
}

fn is_word_before(code: &str, at: usize) -> bool {
    code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The first names after `crate::`: one, or those of a group in braces.
fn names_after(code: &str) -> Vec<String> {
    let word =
        |text: &str| -> String { text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = code.strip_prefix('{') else { return vec![word(code)] };
    let (mut depth, mut names, mut current) = (1, Vec::new(), String::new());
    for c in group.chars() {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth == 0 || (depth == 1 && c == ',') {
            names.push(word(&std::mem::take(&mut current)));
        } else {
            current.push(c);
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Blanks comments, strings and character literals; lines stay where they are.
fn without_text(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    let blank = |out: &mut String, from: usize, to: usize| {
        out.extend(chars[from..to.min(chars.len())].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => find(&chars, at, |c| c == '\n'),
            '/' if chars.get(at + 1) == Some(&'*') => end_of_comment(&chars, at),
            '"' => end_of_string(&chars, at),
            'r' if raw_hashes(&chars, at).is_some() && !ends_in_word(&out) => end_of_raw(&chars, at),
            '\'' if chars.get(at + 1) == Some(&'\\') => find(&chars, at + 3, |c| c == '\'') + 1,
            '\'' if chars.get(at + 2) == Some(&'\'') => at + 3,
            c => {
                out.push(c);
                at += 1;
                continue;
            }
        };
        blank(&mut out, at, end);
        at = end;
    }
    out
}

fn ends_in_word(out: &str) -> bool {
    out.chars().next_back().is_some_and(|c| (c.is_alphanumeric() || c == '_') && c != 'b')
}

fn find(chars: &[char], from: usize, is: impl Fn(char) -> bool) -> usize {
    (from..chars.len()).find(|&at| is(chars[at])).unwrap_or(chars.len())
}

fn end_of_comment(chars: &[char], from: usize) -> usize {
    (from + 2..chars.len()).find(|&at| chars[at - 1] == '*' && chars[at] == '/').map_or(chars.len(), |at| at + 1)
}

fn end_of_string(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_hashes(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn end_of_raw(chars: &[char], at: usize) -> usize {
    let hashes = raw_hashes(chars, at).unwrap_or(0);
    let is_end = |place: usize| {
        chars[place] == '"' && chars[place + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (at + hashes + 2..chars.len()).find(|&place| is_end(place)).map_or(chars.len(), |place| place + 1 + hashes)
}

/// Leaves out items under `#[cfg(test)]`; lines stay where they are.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let (before, item) = rest.split_at(at);
        out.push_str(before);
        let end = end_of_item(item);
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out + rest
}

/// The end of an item: its closing brace, or the semicolon of one that has none.
fn end_of_item(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Functions that are too long: line and length.
fn long_functions(source: &Source) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = source.code.lines().collect();
    let is_start = |line: &str| {
        let line = line.trim_start();
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words.iter().position(|word| *word == "fn");
        name.is_some_and(|place| {
            words[..place].iter().all(|word| {
                word.starts_with("pub") || ["const", "async", "unsafe", "extern", "crate)", "super)"].contains(word)
            })
        })
    };
    let mut found = Vec::new();
    for (number, _) in lines.iter().enumerate().filter(|(_, line)| is_start(line)) {
        let item = lines[number..].join("\n");
        let length = item[..end_of_item(&item)].lines().count();
        if length > FUNCTION_LINES {
            found.push((number + 1, length));
        }
    }
    found
}

fn row_of(part: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&part))
}

/// What of the layering a file of the engine breaks.
fn violations_of_layers(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(part) = module.first() else { return Vec::new() };
    let path = source.path.display();
    let Some(row) = row_of(part) else { return vec![format!("{path}: the part {part} has no row")] };
    let mut violations: Vec<String> = source
        .parts_named()
        .iter()
        .filter(|named| *named != part && !(JOINERS.contains(&part.as_str()) && JOINERS.contains(&named.as_str())))
        .filter(|named| row_of(named).is_none_or(|other| other <= row))
        // Names that are re-exported at the top: types are not parts.
        .filter(|named| row_of(named).is_some() || !named.starts_with(char::is_uppercase))
        .map(|named| format!("{path}: {part} imports {named}"))
        .collect();
    if source.parts_named().iter().any(|named| named.starts_with(char::is_uppercase)) && row > 0 {
        violations.push(format!("{path}: {part} imports what the top re-exports"));
    }
    if part == "execute" {
        let words = ["rusqlite", "SqliteStore", "MemoryStore", "store"];
        let named = words.iter().filter(|word| source.names_word(word));
        violations.extend(named.map(|word| format!("{path}: execute names {word}")));
    }
    if part != "store" && source.names_word("rusqlite") {
        violations.push(format!("{path}: {part} names rusqlite"));
    }
    violations
}

fn sources_of(krate: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rust").join(krate).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source::new(path.strip_prefix(&root).unwrap(), &text));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn all_sources() -> Vec<(&'static str, Source)> {
    let sources: Vec<_> =
        CRATES.iter().flat_map(|(krate, _)| sources_of(krate).into_iter().map(|source| (*krate, source))).collect();
    assert!(sources.len() > 40, "only {} files were seen", sources.len());
    sources
}

fn none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// Whether a file is tests alone: its declaration stands under `#[cfg(test)]`.
fn is_tests(source: &Source) -> bool {
    let name = source.path.file_stem().unwrap_or_default();
    name == "tests" || source.path.ends_with("store/suite.rs")
}

#[test]
fn imports_go_down_only() {
    let sources = sources_of("ledgerstone");
    assert!(sources.len() > 40, "only {} files were seen", sources.len());
    let engine = sources.iter().filter(|source| !is_tests(source));
    none(&engine.flat_map(violations_of_layers).collect::<Vec<_>>());
}

#[test]
fn crates_name_lower_crates_only() {
    let names = [
        "ledgerstone",
        "ledgerstone_verify",
        "ledgerstone_schemas",
        "ledgerstone_cli",
        "ledgerstone_python",
        "ledgerstone_tests",
    ];
    let mut violations = Vec::new();
    for (krate, source) in all_sources() {
        let allowed = CRATES.iter().find(|(name, _)| *name == krate).map_or(&[][..], |(_, allowed)| allowed);
        let own = krate.replace('-', "_");
        let used = names.iter().filter(|name| {
            source.code.match_indices(&format!("{name}::")).any(|(at, _)| !is_word_before(&source.code, at))
        });
        let wrong = used.filter(|name| **name != own && !allowed.contains(name));
        violations.extend(wrong.map(|name| format!("{krate}/{}: names {name}", source.path.display())));
    }
    none(&violations);
}

#[test]
fn the_verifier_does_no_io_and_the_engine_no_python() {
    let mut violations = Vec::new();
    for (krate, source) in all_sources() {
        let forbidden: &[&str] = match krate {
            "ledgerstone-verify" => {
                &["std::fs", "std::net", "std::thread", "std::process", "std::env", "std::io", "rayon"]
            }
            "ledgerstone" => &["pyo3", "tokio"],
            _ => &[],
        };
        let named = forbidden.iter().filter(|word| source.names_word(word));
        violations.extend(named.map(|word| format!("{krate}/{}: names {word}", source.path.display())));
    }
    none(&violations);
}

#[test]
fn files_and_functions_keep_their_size() {
    let mut violations = Vec::new();
    for (krate, source) in all_sources() {
        let lines = source.text.lines().count();
        let path = source.path.display();
        if lines > FILE_LINES {
            violations.push(format!("{krate}/{path}: {lines} lines"));
        }
        for (line, length) in long_functions(&source) {
            violations.push(format!("{krate}/{path}:{line}: a function of {length} lines"));
        }
    }
    none(&violations);
}

#[test]
fn the_binding_crate_is_thin() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let lines: usize =
        sources_of("ledgerstone-python").iter().map(|source| source.text.lines().filter(is_code).count()).sum();
    assert!(lines <= BINDING_LINES, "{lines} lines");
}

/// Lines of a `lib.rs` that are more than docs, modules and re-exports.
fn beyond_reexports(source: &Source) -> Vec<String> {
    // The version is a constant of the Python module, which is declared where its names are.
    let allowed = ["mod ", "pub mod ", "use ", "pub use ", "#[", "#![", "const __version__", "}"];
    let mut wrong = Vec::new();
    let mut code = source.code.as_str();
    while let Some(start) = code.find(|c: char| !c.is_whitespace()) {
        code = &code[start..];
        let end = match code.starts_with('#') {
            true => code.find(']').map_or(code.len(), |at| at + 1),
            false => code.find(';').map_or(code.len(), |at| at + 1),
        };
        if !allowed.iter().any(|start| code.starts_with(start)) {
            wrong.push(code.lines().next().unwrap_or("").to_owned());
            break;
        }
        code = &code[end..];
    }
    wrong
}

#[test]
fn lib_files_hold_docs_modules_and_reexports() {
    let mut violations = Vec::new();
    for (krate, source) in all_sources().iter().filter(|(_, source)| source.path == Path::new("lib.rs")) {
        violations.extend(beyond_reexports(source).iter().map(|line| format!("{krate}/lib.rs: {line}")));
    }
    none(&violations);
}

#[test]
fn the_scanner_finds_what_is_wrong() {
    let broken = |path: &str, text: &str| violations_of_layers(&Source::new(Path::new(path), text)).len();
    assert_eq!(broken("model/cell.rs", "use crate::store::Table;"), 1, "up");
    assert_eq!(broken("query/scan.rs", "use crate::{limits::X, execute::Op};"), 1, "in a group, on the same row");
    assert_eq!(broken("schema/deep/x.rs", "use super::super::super::execute::Op;"), 1, "by `super`");
    assert_eq!(broken("schema/deep/x.rs", "use super::super::execute::Op;"), 0, "a module of its own");
    assert_eq!(broken("schema/x.rs", "fn f() { super::super::execute::go() }"), 1, "by `super`");
    assert_eq!(broken("execute/serial.rs", "use rusqlite::Connection;"), 2, "execute and SQLite");
    assert_eq!(broken("store/x.rs", "use crate::Ledger;"), 1, "what the top re-exports");
    assert_eq!(broken("unheard_of.rs", ""), 1, "a part without a row");
    assert_eq!(
        broken("execute/x.rs", "use crate::model::State; // crate::store\nconst A: &str = \"crate::store\";"),
        0
    );
    assert_eq!(broken("model/x.rs", "#[cfg(test)]\nmod tests { use crate::ledger::Ledger; }"), 0);
    let long = format!("pub(crate) fn long() {{\n{}}}\n", "    work();\n".repeat(69));
    assert_eq!(long_functions(&Source::new(Path::new("x.rs"), &long)), [(1, 71)]);
    assert_eq!(beyond_reexports(&Source::new(Path::new("lib.rs"), "//! Docs.\npub mod a;\nfn f() {}")), ["fn f() {}"]);
    let fine = "//! Docs.\n#![forbid(unsafe_code)]\nmod a;\npub use a::{B,\n C};";
    assert_eq!(beyond_reexports(&Source::new(Path::new("lib.rs"), fine)), Vec::<String>::new());
}
