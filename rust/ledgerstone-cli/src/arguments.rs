//! The command line: which verbs there are, and the way from arguments to an exit code.

use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;
use crate::open::be_verbose;
use crate::output::Output;
use crate::verbs;

/// A tamper-evident, typed, permissioned ledger in one file.
#[derive(Debug, Parser)]
#[command(name = "ledgerstone", version, after_help = AFTER, max_term_width = 110, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Tell on standard error what is notable: a module in force, a clock that is behind, a slow commit
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print JSON, one object a line: results on standard output, an error on standard error
    #[arg(long, global = true)]
    json: bool,
}

const AFTER: &str = "\
Exit codes: 0 done, 1 refused or not there, 2 wrong command line, 3 other errors;
damage and evidence: 10 storage corrupt, 11 content changed, 12 link broken, 13 truncated or rolled back,
14 state differs from replay, 15 unverifiable version (not an alarm), 16 incomplete.

Start:
  ledgerstone keys generate me.pem --label controller
  ledgerstone create books.ledger --origin acme.example/books --key me.pem --module finance";

#[derive(Debug, Subcommand)]
enum Verb {
    Create(verbs::create::Arguments),
    Load(verbs::load::Arguments),
    Append(verbs::append::Arguments),
    Propose(verbs::propose::Arguments),
    Endorse(verbs::endorse::Arguments),
    AppendProposal(verbs::append_proposal::Arguments),
    Query(verbs::query::Arguments),
    Get(verbs::get::Arguments),
    Balance(verbs::balance::Arguments),
    State(verbs::state::Arguments),
    History(verbs::history::Arguments),
    Statement(verbs::statement::Arguments),
    Held(verbs::held::Arguments),
    Release(verbs::release::Arguments),
    Members(verbs::members::Arguments),
    Grant(verbs::grant::Arguments),
    #[command(subcommand)]
    Keys(verbs::keys::Verb),
    Checkpoint(verbs::checkpoint::Arguments),
    Receipt(verbs::receipt::Arguments),
    Verify(verbs::verify::Arguments),
    Audit(verbs::audit::Arguments),
    Export(verbs::export::Arguments),
    #[command(subcommand)]
    Schema(verbs::schema::Verb),
    Suspend(verbs::suspend::Suspend),
    Resume(verbs::suspend::Resume),
    Info(verbs::info::Arguments),
    Stats(verbs::stats::Arguments),
    Backup(verbs::backup::Arguments),
    Restore(verbs::restore::Arguments),
    Errors(verbs::errors::Arguments),
    Completion(verbs::completion::Arguments),
}

/// The command line, for completion and reference.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command; `arguments[0]` is the name of the program. Gives the exit code.
pub fn main(arguments: &[String]) -> i32 {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            if error.use_stderr() && arguments.iter().any(|argument| argument == "--json") {
                let words = error.to_string();
                return Failure::usage(words.strip_prefix("error: ").unwrap_or(&words).trim_end()).report(true);
            }
            // Help and version are "errors" that go to standard output and end well.
            let _ = error.print();
            return error.exit_code();
        }
    };
    if parsed.verbose {
        be_verbose();
    }
    let mut out = Output::standard(parsed.json);
    let ended = parsed.verb.run(&mut out).and_then(|code| out.finish().map(|()| code));
    match ended {
        Ok(code) => code,
        Err(failure) => {
            // What was written before the failure is shown before it.
            let _ = out.finish();
            failure.report(parsed.json)
        }
    }
}

impl Verb {
    fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        match self {
            Verb::Create(arguments) => arguments.run(out),
            Verb::Load(arguments) => arguments.run(out),
            Verb::Append(arguments) => arguments.run(out),
            Verb::Propose(arguments) => arguments.run(out),
            Verb::Endorse(arguments) => arguments.run(out),
            Verb::AppendProposal(arguments) => arguments.run(out),
            Verb::Query(arguments) => arguments.run(out),
            Verb::Get(arguments) => arguments.run(out),
            Verb::Balance(arguments) => arguments.run(out),
            Verb::State(arguments) => arguments.run(out),
            Verb::History(arguments) => arguments.run(out),
            Verb::Statement(arguments) => arguments.run(out),
            Verb::Held(arguments) => arguments.run(out),
            Verb::Release(arguments) => arguments.run(out),
            Verb::Members(arguments) => arguments.run(out),
            Verb::Grant(arguments) => arguments.run(out),
            Verb::Keys(verb) => verb.run(out),
            Verb::Checkpoint(arguments) => arguments.run(out),
            Verb::Receipt(arguments) => arguments.run(out),
            Verb::Verify(arguments) => arguments.run(out),
            Verb::Audit(arguments) => arguments.run(out),
            Verb::Export(arguments) => arguments.run(out),
            Verb::Schema(verb) => verb.run(out),
            Verb::Suspend(arguments) => arguments.run(out),
            Verb::Resume(arguments) => arguments.run(out),
            Verb::Info(arguments) => arguments.run(out),
            Verb::Stats(arguments) => arguments.run(out),
            Verb::Backup(arguments) => arguments.run(out),
            Verb::Restore(arguments) => arguments.run(out),
            Verb::Errors(arguments) => arguments.run(out),
            Verb::Completion(arguments) => arguments.run(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_every_verb_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        let mut seen = 0;
        for verb in command.get_subcommands() {
            let leaves: Vec<_> = if verb.has_subcommands() { verb.get_subcommands().collect() } else { vec![verb] };
            for leaf in leaves {
                let help = leaf.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("ledgerstone "), "{} has no example", leaf.get_name());
                seen += 1;
            }
        }
        assert!(seen >= 20, "{seen} verbs");
    }
}
