//! What becomes of a record: the sum of what the failures of its rules do to it.

use ledgerstone_verify::entry::ExceptionOutcome;

use super::ops::Rejection;
use crate::schema::Severity;

/// A record that DECIDE did not plainly accept, as the n-th row of a chunk of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exceptional {
    pub(crate) chunk: usize,
    pub(crate) row: usize,
    pub(crate) outcome: ExceptionOutcome,
    pub(crate) rejection: Rejection,
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its effects apply.
    Accepted,
    /// Its effects apply, and its outcome says why one should look at it.
    Flagged(Rejection),
    /// It is stored, and has no effects.
    Held(Rejection),
    /// It is refused.
    Rejected(Rejection),
}

/// The failures of one record so far: the first of each severity, in the order of its rules.
#[derive(Debug, Default)]
pub(super) struct Failures {
    held: Option<Rejection>,
    flagged: Option<Rejection>,
    /// Whether rules that hold count as passed: the record is released.
    is_released: bool,
}

impl Failures {
    /// Those of a held record that is released.
    pub(super) fn of_released() -> Self {
        Failures { is_released: true, ..Failures::default() }
    }

    /// Takes the failure of a rule. One that rejects ends the record, and is given back.
    pub(super) fn add(&mut self, severity: Severity, rejection: Rejection) -> Option<Rejection> {
        match severity {
            Severity::Reject => return Some(rejection),
            Severity::Hold if self.is_released => {}
            Severity::Hold => drop(self.held.get_or_insert(rejection)),
            Severity::Flag => drop(self.flagged.get_or_insert(rejection)),
        }
        None
    }

    /// The fate of a record of which no rule rejects.
    pub(super) fn fate(self) -> Fate {
        match (self.held, self.flagged) {
            (Some(why), _) => Fate::Held(why),
            (None, Some(why)) => Fate::Flagged(why),
            (None, None) => Fate::Accepted,
        }
    }
}

impl Fate {
    /// What becomes of the record that `other` follows.
    pub(super) fn of_other(self, other: &str) -> Fate {
        match self {
            Fate::Accepted => Fate::Accepted,
            Fate::Flagged(why) => Fate::Flagged(why.of_other(other)),
            Fate::Held(why) => Fate::Held(why.of_other(other)),
            Fate::Rejected(why) => Fate::Rejected(why.of_other(other)),
        }
    }

    /// The outcome that the exceptions list states, and why; `None` of an accepted record.
    pub(super) fn exception(self) -> Option<(ExceptionOutcome, Rejection)> {
        match self {
            Fate::Accepted => None,
            Fate::Flagged(why) => Some((ExceptionOutcome::Flagged, why)),
            Fate::Held(why) => Some((ExceptionOutcome::Held, why)),
            Fate::Rejected(why) => Some((ExceptionOutcome::Rejected, why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Reason;

    fn rejection(code: &str) -> Rejection {
        Rejection::because(Reason { code: code.to_owned(), message: String::new() })
    }

    #[test]
    fn a_hold_outweighs_a_flag_and_the_first_of_each_counts() {
        let mut failures = Failures::default();
        for (severity, code) in [
            (Severity::Flag, "m.flag"),
            (Severity::Hold, "m.hold"),
            (Severity::Flag, "m.second"),
            (Severity::Hold, "m.third"),
        ] {
            assert_eq!(failures.add(severity, rejection(code)), None);
        }
        assert_eq!(failures.add(Severity::Reject, rejection("m.reject")), Some(rejection("m.reject")));
        assert_eq!(failures.fate(), Fate::Held(rejection("m.hold")));
        let mut released = Failures::of_released();
        released.add(Severity::Hold, rejection("m.hold"));
        released.add(Severity::Flag, rejection("m.flag"));
        assert_eq!(released.fate(), Fate::Flagged(rejection("m.flag")));
    }
}
