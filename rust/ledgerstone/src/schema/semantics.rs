//! The semantics that this build executes: one table, in one place.
//!
//! A semantics is the numbered, frozen meaning of formats, dated code tables, expressions, limits and the built-in module. A ledger is
//! made under one, and a signed record raises it. What changes any of these is a new entry here; an entry that was released stays.

use std::borrow::Cow;

/// A semantics.
#[derive(Debug)]
pub struct Semantics {
    /// Its number.
    pub number: u64,
    /// Its code tables, `<table>@<year>-<month>`, by name.
    pub code_tables: &'static [&'static str],
    /// The text of the built-in module, whose version is the number.
    pub(crate) builtin: fn() -> Cow<'static, str>,
}

/// What this build executes, by number.
const EXECUTED: &[Semantics] = &[
    Semantics {
        number: 0,
        code_tables: &["iban@2026-01", "iso3166@2026-01", "iso4217@2026-01"],
        builtin: || Cow::Borrowed(ledgerstone_schemas::LEDGER),
    },
    #[cfg(test)]
    injected::ONE,
    #[cfg(test)]
    injected::TWO,
];

/// The semantics of ledgers that this build makes.
pub(crate) const OF_NEW_LEDGERS: u64 = 0;

impl Semantics {
    /// The semantics of a number; `None` where this build does not execute it.
    pub fn of(number: u64) -> Option<&'static Semantics> {
        Self::executed().find(|semantics| semantics.number == number)
    }

    /// What this build executes, by number.
    pub fn executed() -> impl Iterator<Item = &'static Semantics> {
        let executed = EXECUTED.iter();
        #[cfg(test)]
        let executed = executed.filter(|semantics| injected::is_known(semantics.number));
        executed
    }

    /// Whether this build executes a number.
    pub(crate) fn is_executed(number: u64) -> bool {
        Self::of(number).is_some()
    }

    /// The numbers that this build executes, in words.
    pub(crate) fn executed_in_words() -> String {
        Self::executed().map(|semantics| semantics.number.to_string()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_executed_is_what_the_verifier_knows() {
        let released: Vec<u64> =
            EXECUTED.iter().map(|semantics| semantics.number).filter(|number| *number < 1).collect();
        assert_eq!(released, ledgerstone_verify::envelope::KNOWN_SEMANTICS);
        for semantics in Semantics::executed() {
            let module = crate::schema::parse_builtin(&(semantics.builtin)()).unwrap();
            assert_eq!(module.version, semantics.number);
            assert!(semantics.code_tables.is_sorted());
        }
        assert!(Semantics::is_executed(OF_NEW_LEDGERS));
        // The page lists them all.
        let page = include_str!("../../../../docs/FORMAT.md");
        for semantics in EXECUTED.iter().filter(|semantics| released.contains(&semantics.number)) {
            let tables = semantics.code_tables.iter().map(|table| format!("`{table}`")).collect::<Vec<_>>().join(", ");
            let is_row = |line: &str| {
                line.starts_with(&format!("| {}", semantics.number)) && line.ends_with(&format!("| {tables} |"))
            };
            assert!(page.lines().any(is_row), "{}", semantics.number);
        }
    }
}

/// Semantics for the tests of a raise, which no build has.
#[cfg(test)]
pub(crate) mod injected {
    use std::borrow::Cow;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::Semantics;

    pub(super) const ONE: Semantics = Semantics {
        number: 1,
        code_tables: &["iban@2026-01", "iso3166@2026-01", "iso4217@2027-01"],
        builtin: || Cow::Owned(ledgerstone_schemas::LEDGER.replacen("version = 0", "version = 1", 1)),
    };
    pub(super) const TWO: Semantics = Semantics {
        number: 2,
        builtin: || Cow::Owned(ledgerstone_schemas::LEDGER.replacen("version = 0", "version = 2", 1)),
        ..ONE
    };

    /// Whether this build executes semantics 2: one test's business.
    pub(crate) static KNOWS_TWO: AtomicBool = AtomicBool::new(false);

    pub(super) fn is_known(number: u64) -> bool {
        number < 2 || KNOWS_TWO.load(Ordering::SeqCst)
    }
}
