//! `docs/ERRORS.md`, made from the catalogue.

use ledgerstone::codes::{CATALOGUE, ErrorClass};

/// The classes, in the order of the page, and what each means to a caller.
const CLASSES: [(ErrorClass, &str); 7] = [
    (
        ErrorClass::Rejected,
        "A record or transaction was refused by a rule: an expected outcome. Nothing of it is in the ledger.",
    ),
    (ErrorClass::Forbidden, "The author may not do this. In Python a `RejectedError` too."),
    (ErrorClass::Schema, "A schema file, or data or a request that does not have the shape that is asked for."),
    (ErrorClass::Verification, "Evidence or stored bytes do not verify."),
    (ErrorClass::Store, "A file or the storage failed, or is not what the call needs."),
    (ErrorClass::Limit, "A value over a bound; the error names the bound, its value and what was found."),
    (ErrorClass::Fault, "Something that must not happen, and work that was stopped. Nothing was logged."),
];

const HEAD: &str = "\
# Errors

<!-- Made from the catalogue: LEDGERSTONE_BLESS=1 cargo test -p ledgerstone-tests --test catalogue page -->

Every error has a stable code. In Python it is `error.code`, on the command line it stands in the message or in brackets behind it, in Rust
it is `Error::code()`. What to do is `error.remedy`, the line `help: …`, and `Error::remedy()`. Messages name the file, row and field where
there is one, and may change; codes do not. A rule that fails names the field it is about, `error.field`: that of the key where something
is not there, the amount where a bound does not hold, `legs[1].amount` where it is that of one item, `legs.amount` where it may be any
item's. A rule about several fields names them in the order of the record, at most four, with commas between; what is refused because of a
record that would follow names none, as that record has other fields. A command ends with one exit code for one error code. `ledgerstone errors` and
`ledgerstone.errors()` list what this page lists. Codes of modules, `finance.insufficient_funds`, are declared in their schema files:
`ledgerstone schema show finance`.
";

/// The page.
pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    for (class, words) in CLASSES {
        page.push_str(&format!(
            "\n## {}\n\n{words}\n\n| code | meaning | what to do |\n| --- | --- | --- |\n",
            class.name()
        ));
        for entry in CATALOGUE.iter().filter(|entry| entry.class == class) {
            page.push_str(&format!("| `{}` | {} | {} |\n", entry.code, entry.summary, entry.remedy));
        }
    }
    page
}
