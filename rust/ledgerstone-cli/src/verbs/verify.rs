//! `verify`: checks a receipt, offline, without the ledger.

use std::path::{Path, PathBuf};

use clap::Args;
use ledgerstone::{Error, codes};
use ledgerstone_verify::{Json, Outcome, Receipt, VerifierKey, b64};

use crate::failure::{Failure, REFUSED};
use crate::open::{Reading, read_text};
use crate::output::Output;
use crate::table::{number, text};

/// Verify a receipt offline
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone info books.ledger --verifier-keys > acme.keys
  ledgerstone verify t1.receipt --trust acme.keys

The keys must come by another way than the receipt. Exit code 0 means: the log holds the record, and it was accepted;
1: the log holds it, and says that it was not; 11, 12, 15, 16: the receipt proves nothing.")]
pub(crate) struct Arguments {
    /// The receipt's file
    receipt: PathBuf,
    /// A verifier key of the log, or a file with one a line (may be repeated)
    #[arg(long, required_unless_present = "ledger", value_name = "KEY|FILE")]
    trust: Vec<String>,
    /// The ledger itself: its keys are trusted, and it says which signatures are doubtful
    #[arg(long, value_name = "LEDGER")]
    ledger: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let mut trust = Vec::new();
        for given in &self.trust {
            trust.extend(verifier_keys(given)?);
        }
        let ledger = self.ledger.clone().map(|ledger| Reading { ledger }.open()).transpose()?;
        if let Some(ledger) = &ledger {
            trust.extend(ledger.verifier_keys()?);
        }
        let bytes = std::fs::read(&self.receipt).map_err(|error| Failure::file(&self.receipt, error))?;
        let unverified = |error| Error::evidence(&self.receipt, &error);
        let receipt = Receipt::parse(&bytes).map_err(unverified)?;
        let proven = receipt.verify(&trust).map_err(unverified)?;
        let code = if proven.outcome == Outcome::Accepted { 0 } else { REFUSED };
        if out.is_json() {
            // A record is JSON that verified.
            let record = Json::parse(proven.record.as_bytes()).unwrap_or(Json::Null);
            out.object([
                ("record", record),
                ("outcome", text(&proven.outcome)),
                ("origin", text(&proven.origin)),
                ("place", text(format!("{}:{}", proven.index, proven.position))),
                ("size", number(proven.size)),
                ("time", text(&proven.time)),
                ("author", text(&proven.author)),
                ("key", text(b64(&proven.key))),
                ("sha3_256", Json::Bool(proven.checked_sha3)),
            ])?;
            return Ok(code);
        }
        let trees = if proven.checked_sha3 { "SHA-256 and SHA3-256" } else { "SHA-256" };
        out.line(&proven.record)?;
        out.line(format!("outcome   {}", proven.outcome))?;
        out.line(format!("place     {}:{} of {}, size {}", proven.index, proven.position, proven.origin, proven.size))?;
        out.line(format!("time      {}", proven.time))?;
        out.line(format!("author    {} (that the key is this member's rests on the log)", proven.author))?;
        out.line(format!("key       {}", b64(&proven.key)))?;
        out.line(format!("trees     {trees}"))?;
        for by in &proven.endorsements {
            let word = by.endorsement.as_ref().map_or("", |word| word.meaning.as_str());
            out.line(format!("endorsed  by {}: {word:?}", by.member))?;
        }
        if let Some(ledger) = &ledger {
            for doubt in ledger.doubts(&receipt)? {
                let (member, key) = (&doubt.member, b64(&doubt.key));
                out.line(format!(
                    "doubtful  the key {key} of {member} was revoked as suspect by transaction {}",
                    doubt.revoked
                ))?;
            }
        }
        Ok(code)
    }
}

/// A key as given, or the keys of a file.
fn verifier_keys(given: &str) -> Result<Vec<VerifierKey>, Failure> {
    if let Ok(key) = VerifierKey::parse(given) {
        return Ok(vec![key]);
    }
    let path = Path::new(given);
    if !path.exists() {
        return Err(Failure::usage(format!(
            "--trust {given}: neither a verifier key (name+id+key, as `info --verifier-keys` prints it) nor a file"
        )));
    }
    let text = read_text(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let keys = lines
        .map(|(place, line)| {
            VerifierKey::parse(line.trim()).map_err(|error| {
                Failure::new(codes::EVIDENCE_MALFORMED, format!("{given}, line {}: {error}", place + 1))
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err(Failure::new(codes::EVIDENCE_MALFORMED, format!("{given} holds no verifier key")));
    }
    Ok(keys)
}
