//! `append`: records of one type, from CSV, JSON lines, Parquet or Arrow.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use ledgerstone::{Error, LoadOptions, LoadProgress, LoadReport, RecordException, codes};
use ledgerstone_verify::{Json, Mode};

use crate::failure::{Failure, REFUSED};
use crate::input::{Format, Input, Lines, Records};
use crate::modules::record_type;
use crate::open::Writing;
use crate::output::Output;
use crate::progress::Progress;
use crate::rejections::{RejectionsFile, as_json};
use crate::table::{json_line, number};

/// Rows that are told one by one.
const SHOWN: u64 = 20;

/// Append records of one type from CSV, JSON lines, Parquet or Arrow
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone append books.ledger finance.transfer sales.csv --key me.pem --id sales-2026-03
  ledgerstone append books.ledger finance.transfer sales.parquet --key me.pem --rejections refused.csv
  echo '{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\"}' |
      ledgerstone append books.ledger finance.account --key me.pem

Every record stands or falls alone unless --atomic is given. Held and flagged records are in the ledger. Amounts are decimal text (\"12.50\"), never floating point.
CSV: the first line names the fields (address.city for a member of a struct), an empty cell is an absent field, a list is JSON.
With --id the same call can be made again after a crash: it goes on where it stopped.
Exit code 1: some records were refused; the others are in the ledger.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Writing,
    /// The record type, like finance.transfer
    record_type: String,
    /// The file of records; - or nothing: standard input
    file: Option<PathBuf>,
    /// The file's format [default: by its ending; jsonl for standard input]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What separates the cells of CSV, \t being a tab [default: a comma, in a .tsv file a tab]
    #[arg(long, value_name = "CHARACTER", value_parser = parse_delimiter)]
    delimiter: Option<char>,
    /// All records or none, in one transaction
    #[arg(long)]
    atomic: bool,
    /// A name for this load, which makes it repeatable (at most 64 bytes, no /)
    #[arg(long)]
    id: Option<String>,
    /// Write every row that was not plainly accepted to this file (.csv, .jsonl or .parquet), with its line, outcome, code and message
    #[arg(long, value_name = "FILE")]
    rejections: Option<PathBuf>,
    /// Private fields may hold values, which are stored in the clear
    #[arg(long)]
    plain: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let record_type = record_type(&ledger, &self.record_type)?;
        let input = Input::open(self.file.as_deref(), self.format, self.delimiter, &record_type)?;
        let Input { name, records, lines } = input;
        let mut file = self.rejections.as_deref().map(RejectionsFile::create).transpose()?;
        let progress = Progress::new("records", None);
        let mut tell = |done: LoadProgress| {
            progress.set(done.rows);
            lines.forget(done.rows);
            Ok(())
        };
        let as_json = out.is_json();
        let mut told = Told { name: &name, lines: &lines, file: &mut file, as_json, count: 0, codes: BTreeSet::new() };
        let mut exceptions = |exception: &RecordException| told.tell(exception);
        let mode = if self.atomic { Mode::Atomic } else { Mode::Each };
        let options = LoadOptions {
            id: self.id.as_deref(),
            mode,
            plain: self.plain,
            progress: Some(&mut tell),
            exceptions: Some(&mut exceptions),
            ..LoadOptions::default()
        };
        let loaded = match records {
            Records::Values(mut pieces) => ledger.append_values(&self.record_type, &mut *pieces, options),
            Records::Tables(mut tables) => ledger.append_tables(&self.record_type, &mut *tables, options),
        };
        drop(progress);
        let (count, plain) = (told.count, told.codes.contains(codes::PLAIN_PRIVATE));
        // What was refused before a load stopped is worth as much.
        file.map_or(Ok(()), RejectionsFile::finish)?;
        let report = loaded.map_err(|error| at_file(error, &name, &lines))?;
        if count > SHOWN && !as_json {
            let hint = if self.rejections.is_some() { "" } else { "; --rejections FILE writes them all" };
            eprintln!("{} more were not plainly accepted{hint}", count - SHOWN);
        }
        if plain && !as_json {
            eprintln!("warning: private fields are stored in the clear, for as long as the ledger lives");
        }
        self.report(out, &report)?;
        Ok(if report.rejections_total == 0 { 0 } else { REFUSED })
    }

    fn report(&self, out: &mut Output, report: &LoadReport) -> Result<(), Failure> {
        let first = report.first.map(|row| row.to_string());
        if !out.is_json() {
            let place = first.map_or_else(String::new, |first| format!("; the first is {first}"));
            let mut marked = String::new();
            for (count, word) in [(report.flagged_total, "flagged"), (report.held_total, "held")] {
                if count > 0 {
                    marked.push_str(&format!(", {count} {word}"));
                }
            }
            out.line(format!("{} of {} records accepted{marked}{place}", report.accepted, report.rows))?;
            return Ok(());
        }
        out.object([
            ("rows", number(report.rows)),
            ("accepted", number(report.accepted)),
            ("flagged", number(report.flagged_total)),
            ("held", number(report.held_total)),
            ("rejected", number(report.rejections_total)),
            ("transactions", Json::List(report.transactions().map(number).collect())),
            ("first", first.map_or(Json::Null, Json::Text)),
        ])?;
        Ok(())
    }
}

fn parse_delimiter(word: &str) -> Result<char, String> {
    let mut characters = word.chars();
    match (characters.next(), characters.next()) {
        _ if word == "\\t" => Ok('\t'),
        (Some(only), None) if only.is_ascii() => Ok(only),
        _ => Err("a delimiter is one ASCII character, or \\t for a tab".to_owned()),
    }
}

/// Who is told of rows that were not plainly accepted: the terminal of the first, the file of all.
struct Told<'a> {
    name: &'a str,
    lines: &'a Lines,
    file: &'a mut Option<RejectionsFile>,
    as_json: bool,
    count: u64,
    /// The codes so far: what to do about each is said once.
    codes: BTreeSet<String>,
}

impl Told<'_> {
    fn tell(&mut self, exception: &RecordException) -> Result<(), Error> {
        let (outcome, why, line) = (exception.outcome.name(), &exception.reason, self.lines.of(exception.reason.row));
        self.count += 1;
        let is_first = !self.codes.contains(&why.code) && self.codes.insert(why.code.clone());
        if self.count <= SHOWN && self.as_json {
            eprintln!("{}", json_line(&as_json(exception, line)));
        } else if self.count <= SHOWN {
            eprintln!("{outcome}: {}: {why}", Input::place(self.name, self.lines, why.row));
            if let Some(entry) = codes::entry(&why.code).filter(|_| is_first) {
                eprintln!("help: {}", entry.remedy);
            }
        }
        match self.file {
            Some(file) => file.write(exception, line),
            None => Ok(()),
        }
    }
}

/// An error of the engine, with the file and line that it is about.
fn at_file(error: Error, name: &str, lines: &Lines) -> Error {
    match error {
        Error::Schema(mut misfit) if misfit.file.is_none() && misfit.field.is_some() => {
            misfit.message = format!("{name}: {}", misfit.message);
            misfit.file = Some(name.to_owned());
            Error::Schema(misfit)
        }
        Error::Rejected(mut rejected) => {
            if let Some(line) = lines.of(rejected.row) {
                rejected.message = format!("{} ({name}, line {line})", rejected.message);
            }
            Error::Rejected(rejected)
        }
        Error::Stopped { source, rows, transactions } => {
            Error::Stopped { source: Box::new(at_file(*source, name, lines)), rows, transactions }
        }
        other => other,
    }
}
