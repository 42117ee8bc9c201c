//! The reference page of the command, made from the command itself, and the test that it is not stale.

use clap::Command;

/// `docs/CLI.md`: what `--help` says of each verb, with the page's own words on output and exit codes.
pub(crate) fn page(command: &Command) -> String {
    let mut page = String::from(HEAD);
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help") {
        let inner: Vec<&Command> = verb.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
        if inner.is_empty() {
            section(&mut page, &["ledgerstone", verb.get_name()], verb);
        }
        for leaf in inner {
            section(&mut page, &["ledgerstone", verb.get_name(), leaf.get_name()], leaf);
        }
    }
    page
}

fn section(page: &mut String, words: &[&str], verb: &Command) {
    let name = words.join(" ");
    let help = verb.clone().bin_name(&name).term_width(100).render_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
}

const HEAD: &str = "\
# The command

<!-- Made from the command itself: LEDGERSTONE_BLESS=1 cargo test -p ledgerstone-cli reference -->

Results go to standard output, everything else to standard error. A progress line is shown where standard error is a terminal.

**`--json`.** Every verb takes it. A verb that lists (`query`, `members`, `errors`) prints one object a line and item; a verb with one result prints one object
on one line. Decimals, dates and instants are text, as in record bytes; bytes are base64; an absent field is left out. An error is then one
object on standard error, `{\"error\":{\"code\":\"ledger.no_ledger\",\"message\":\"…\",\"help\":\"…\",\"exit\":3}}`, with `file`, `line`, `row` and
`field` where it names them. Rows that `append` does not plainly accept are told there as well, the first of them, one object a row.

**Exit codes.**

| code | meaning |
| --: | --- |
| 0 | done; for `audit` also \"ok up to size n\" (no checkpoint from outside was given) |
| 1 | refused: a record was rejected, its author may not do this, a schema file has errors, or what was asked for is not there |
| 2 | the command line is wrong: a word of it, or a type, module, condition or format that does not exist |
| 3 | anything else: a file that is missing or in use, no space, input that is not in its form |
| 10 | storage corrupt |
| 11 | content changed |
| 12 | link broken: a root or a signature does not follow |
| 13 | truncated or rolled back, against a checkpoint that left the file |
| 14 | state differs from replay |
| 15 | unverifiable version: not an alarm, a newer build is needed |
| 16 | incomplete: something was not read |

**Files of records** (`append`). By the file's ending, or `--format`: CSV, JSON lines, Parquet, Arrow IPC as a file or a stream. Standard input
takes CSV, JSON lines and the Arrow stream. An Arrow file is read from its beginning, as a stream is: one whose dictionaries stand behind the
batches that use them, which the file format allows, is refused. Files of any size are read as they are needed. A line or row
over 8 MiB is refused without reading it whole. The error codes are listed by `ledgerstone errors`, and in [ERRORS.md](ERRORS.md).
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_that_of_this_command() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CLI.md");
        let page = page(&crate::arguments::command());
        if std::env::var_os("LEDGERSTONE_BLESS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == page, "docs/CLI.md is stale: LEDGERSTONE_BLESS=1 cargo test -p ledgerstone-cli reference");
    }
}
