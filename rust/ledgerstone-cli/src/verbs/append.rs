//! `append`: records of one type, from JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone::model::Value;
use ledgerstone::{Error, LoadOptions, LoadReport, codes};
use ledgerstone_verify::{Json, Mode};

use crate::failure::{Failure, REFUSED};
use crate::open::Writing;
use crate::output::Output;
use crate::progress::Progress;
use crate::values::from_json;

/// Lines read before they are handed over together.
const PIECE_LINES: usize = 8_192;
/// Bytes of a line: more than any record may have.
const LINE_BYTES: u64 = 4 << 20;
/// Refusals that are told one by one.
const SHOWN: usize = 20;

/// Append records of one type, one JSON object a line
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone append books.ledger finance.transfer sales.jsonl --key me.pem --id sales-2026-03
  echo '{\"id\":\"cash\",\"kind\":\"asset\",\"currency\":\"EUR\"}' |
      ledgerstone append books.ledger finance.account --key me.pem

Every record stands or falls alone unless --atomic is given. Held and flagged records are in the ledger. Amounts are strings (\"12.50\"), never floating point.
With --id the same call can be made again after a crash: it goes on where it stopped.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Writing,
    /// The record type, like finance.transfer
    record_type: String,
    /// The file of JSON lines; - or nothing: standard input
    file: Option<PathBuf>,
    /// All records or none, in one transaction
    #[arg(long)]
    atomic: bool,
    /// A name for this load, which makes it repeatable (at most 64 bytes, no /)
    #[arg(long)]
    id: Option<String>,
    /// Private fields may hold values, which are stored in the clear
    #[arg(long)]
    plain: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let ledger = self.ledger.open()?;
        let mut pieces = self.lines()?;
        let progress = Progress::new("records", None);
        let mut tell = |done: ledgerstone::LoadProgress| {
            progress.set(done.rows);
            Ok(())
        };
        let mode = if self.atomic { Mode::Atomic } else { Mode::Each };
        let options = LoadOptions { id: self.id.as_deref(), mode, plain: self.plain, progress: &mut tell };
        let report = ledger.append_values(&self.record_type, &mut pieces, options)?;
        drop(progress);
        self.tell(out, &report)?;
        Ok(if report.rejections.is_empty() { 0 } else { REFUSED })
    }

    fn lines(&self) -> Result<JsonLines, Failure> {
        match self.file.as_deref().filter(|path| *path != Path::new("-")) {
            None => Ok(JsonLines::new(Box::new(BufReader::new(std::io::stdin())), "standard input".to_owned())),
            Some(path) => {
                let file = File::open(path).map_err(|error| Failure::file(path, error))?;
                Ok(JsonLines::new(Box::new(BufReader::new(file)), path.display().to_string()))
            }
        }
    }

    fn tell(&self, out: &mut Output, report: &LoadReport) -> Result<(), Failure> {
        let exceptions = report.exceptions();
        for (outcome, why) in exceptions.iter().take(SHOWN) {
            eprintln!("{}: {why}", outcome.name());
        }
        if exceptions.len() > SHOWN {
            eprintln!("{} more were not plainly accepted", exceptions.len() - SHOWN);
        }
        if report.flagged.iter().any(|why| why.code == codes::PLAIN_PRIVATE) {
            eprintln!("warning: private fields are stored in the clear, for as long as the ledger lives");
        }
        let transactions: Vec<u64> = report.transactions().collect();
        let first = report.first().map(|row| row.to_string());
        if self.json {
            let (flagged, held, rejected) = (report.flagged.len(), report.held.len(), report.rejections.len());
            let first = first.map_or_else(|| "null".to_owned(), |first| format!("\"{first}\""));
            out.line(format!(
                "{{\"rows\":{},\"accepted\":{},\"flagged\":{flagged},\"held\":{held},\"rejected\":{rejected},\"transactions\":{transactions:?},\"first\":{first}}}",
                report.rows, report.accepted
            ))?;
        } else {
            let place = first.map_or_else(String::new, |first| format!("; the first is {first}"));
            let mut marked = String::new();
            for (count, word) in [(report.flagged.len(), "flagged"), (report.held.len(), "held")] {
                if count > 0 {
                    marked.push_str(&format!(", {count} {word}"));
                }
            }
            out.line(format!("{} of {} records accepted{marked}{place}", report.accepted, report.rows))?;
        }
        Ok(())
    }
}

/// JSON lines, a piece at a time. Empty lines are passed over.
struct JsonLines {
    reader: Box<dyn BufRead>,
    name: String,
    line: u64,
    ended: bool,
}

impl JsonLines {
    fn new(reader: Box<dyn BufRead>, name: String) -> Self {
        JsonLines { reader, name, line: 0, ended: false }
    }

    fn next_line(&mut self) -> Result<Option<Value>, Error> {
        loop {
            let mut line = Vec::new();
            self.line += 1;
            let read = self.reader.by_ref().take(LINE_BYTES + 1).read_until(b'\n', &mut line);
            let wrong = |what: String| {
                Error::schema(codes::INPUT_MALFORMED, format!("{}, line {}: {what}", self.name, self.line))
            };
            let read = read.map_err(|error| wrong(error.to_string()))?;
            if read == 0 {
                return Ok(None);
            }
            if line.len() as u64 > LINE_BYTES {
                return Err(wrong(format!("longer than {LINE_BYTES} bytes")));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            let json = Json::parse(line.trim_ascii()).map_err(|error| wrong(format!("no JSON, {error}")))?;
            if !matches!(json, Json::Object(_)) {
                return Err(wrong("a record is a JSON object, {\"field\": value, …}".to_owned()));
            }
            return Ok(Some(from_json(json)));
        }
    }
}

impl Iterator for JsonLines {
    type Item = Result<Vec<Value>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = Vec::new();
        while !self.ended && piece.len() < PIECE_LINES {
            match self.next_line() {
                Ok(Some(value)) => piece.push(value),
                Ok(None) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        (!piece.is_empty()).then_some(Ok(piece))
    }
}
