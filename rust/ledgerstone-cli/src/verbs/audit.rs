//! `audit`: re-reads and re-computes everything.

use std::path::PathBuf;

use clap::Args;
use ledgerstone::{AuditOptions, AuditReport, Verdict};
use ledgerstone_verify::Json;

use crate::failure::{
    CONTENT_CHANGED, Failure, INCOMPLETE, LINK_BROKEN, STATE_DIFFERS, STORAGE_CORRUPT, TRUNCATED, UNVERIFIABLE_VERSION,
};
use crate::open::{Reading, read_text};
use crate::output::Output;
use crate::progress::Progress;
use crate::table::json_line;

/// Re-read every stored row, replay from the first transaction, rebuild and compare
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone audit books.ledger --checkpoint books-2026-10-31.checkpoint

Exit codes: 0 ok, or ok up to size n (no checkpoint from outside was given), 10 storage corrupt, 11 content changed,
12 link broken, 13 truncated or rolled back, 14 state differs from replay, 15 unverifiable version (not an alarm),
16 incomplete. Without --checkpoint nobody can say whether more transactions were there.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    ledger: Reading,
    /// A checkpoint that was kept outside the ledger
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let checkpoint = self.checkpoint.as_deref().map(read_text).transpose()?;
        // A ledger so damaged that it does not open is a verdict too: errors end with the exit codes of verdicts.
        let ledger = self.ledger.open()?;
        let progress = Progress::new("transactions", Some(ledger.size()?));
        let mut tell = |done, _all| {
            progress.set(done);
            Ok(())
        };
        let report = ledger.audit(AuditOptions { against: checkpoint.as_deref(), progress: &mut tell })?;
        drop(progress);
        if out.is_json() {
            out.line(json_line(&json(&report)))?;
        } else {
            out.text(&report.to_string())?;
        }
        Ok(exit_code(report.verdict))
    }
}

fn exit_code(verdict: Verdict) -> i32 {
    match verdict {
        Verdict::StorageCorrupt => STORAGE_CORRUPT,
        Verdict::ContentChanged => CONTENT_CHANGED,
        Verdict::LinkBroken => LINK_BROKEN,
        Verdict::Truncated => TRUNCATED,
        Verdict::StateDiffers => STATE_DIFFERS,
        Verdict::UnverifiableVersion => UNVERIFIABLE_VERSION,
        Verdict::Incomplete => INCOMPLETE,
        Verdict::OkUpToSize | Verdict::Ok => 0,
    }
}

fn json(report: &AuditReport) -> Json {
    let text = |text: &str| Json::Text(text.to_owned());
    let number = |number: u64| Json::Int(number as i64);
    let object = |members: Vec<(&str, Json)>| {
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let counts = &report.counts;
    let findings = report.findings.iter().map(|finding| {
        let mut members = vec![("verdict", text(finding.verdict.name())), ("table", text(finding.table))];
        members.extend(finding.index.map(|index| ("index", number(index))));
        if let Some((first, last)) = finding.positions {
            let ends = [first, last].map(|position| number(u64::from(position)));
            members.push(("positions", Json::List(ends.to_vec())));
        }
        members.push(("message", text(&finding.message)));
        object(members)
    });
    object(vec![
        ("origin", text(&report.origin)),
        ("size", number(report.size)),
        ("verdict", text(report.verdict.name())),
        ("integrity", text(report.integrity.name())),
        ("completeness", text(report.completeness.name())),
        (
            "read",
            object(vec![
                ("transactions", number(counts.transactions)),
                ("records", number(counts.records)),
                ("signatures", number(counts.signatures)),
                ("cells", number(counts.cells)),
                ("unique_keys", number(counts.unique_keys)),
                ("postings", number(counts.postings)),
                ("nodes", number(counts.nodes)),
                ("bytes", number(counts.bytes)),
            ]),
        ),
        ("claimed_rejections", number(counts.claimed_rejections)),
        ("doubtful_transactions", number(counts.doubtful_transactions)),
        ("doubtful_records", number(counts.doubtful_records)),
        ("findings", Json::List(findings.collect())),
        ("findings_total", number(report.findings_total)),
    ])
}
