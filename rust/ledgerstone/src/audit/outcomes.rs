//! What a transaction says became of its records, compared with what the replay gives.

use ledgerstone_verify::entry::{Exception, ExceptionOutcome};

use super::examine::Content;
use super::report::{Finding, Findings, Verdict};
use crate::execute::{Decision, Exceptional, PreparedChunk};
use crate::ledger::emitted;

/// Compares the outcomes of records, and the records that rules added. Rejected ones were not replayed where their bytes are not kept.
pub(super) fn outcomes(
    index: u64,
    content: &Content,
    keeps_rejections: bool,
    chunks: &[PreparedChunk],
    decision: &Decision,
    findings: &mut Findings,
) {
    let is_replayed = |exception: &&Exception| keeps_rejections || exception.outcome != ExceptionOutcome::Rejected;
    let mut claimed = content.exceptions.iter().filter(is_replayed).peekable();
    let mut differs = |position: u32, claimed: String, replayed: String| {
        let message = format!("the log says {claimed}, the replay says {replayed}");
        findings.add(Finding::at(Verdict::StateDiffers, "", index, message).among(position, position));
    };
    for exceptional in &decision.exceptions {
        let position = chunks[exceptional.chunk].positions[exceptional.row];
        let replayed = said(exceptional.outcome, &exceptional.rejection.reason.code);
        while let Some(lost) = claimed.next_if(|exception| exception.position < u64::from(position)) {
            differs(lost.position as u32, said(lost.outcome, &lost.code), "accepted".to_owned());
        }
        match claimed.next_if(|exception| exception.position == u64::from(position)) {
            None => differs(position, "accepted".to_owned(), replayed),
            Some(exception) if is_same(exception, exceptional) => {}
            Some(exception) => differs(position, said(exception.outcome, &exception.code), replayed),
        }
    }
    for lost in claimed {
        differs(lost.position as u32, said(lost.outcome, &lost.code), "accepted".to_owned());
    }
    let replayed = emitted(decision, chunks).map(|(cause, made)| (cause, made.bytes()));
    if !replayed.eq(content.emitted.iter().map(|(cause, bytes)| (*cause, bytes.as_slice()))) {
        let message = "the records that its rules emit are not those that the replay emits";
        findings.add(Finding::at(Verdict::StateDiffers, "", index, message));
    }
}

fn is_same(exception: &Exception, exceptional: &Exceptional) -> bool {
    exception.outcome == exceptional.outcome && exception.code == exceptional.rejection.reason.code
}

fn said(outcome: ExceptionOutcome, code: &str) -> String {
    format!("{} ({code})", outcome.name())
}
