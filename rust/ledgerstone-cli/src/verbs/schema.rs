//! `schema`: checks and shows schema files.

use std::path::PathBuf;

use clap::Subcommand;
use ledgerstone::schema::{CellKind, Field, FieldKind, Module, Reason, RecordType};

use crate::failure::Failure;
use crate::modules::{loaded, parse, source_of};
use crate::open::Reading;
use crate::output::Output;
use crate::table::Table;

/// Check and show schema files
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check a schema file; every fault is shown with its line and column
    #[command(after_help = "Example:\n  ledgerstone schema check loans.toml")]
    Check {
        /// The schema file, or the name of a module shipped with ledgerstone
        module: String,
    },
    Try(super::try_module::Arguments),
    /// Show what a module declares
    #[command(after_help = "\
Example:
  ledgerstone schema show finance
  ledgerstone schema show finance --ledger books.ledger --source")]
    Show {
        /// The schema file, or the name of a module shipped with ledgerstone
        module: String,
        /// The module as this ledger has loaded it
        #[arg(long, value_name = "LEDGER")]
        ledger: Option<PathBuf>,
        /// The text of the file instead
        #[arg(long)]
        source: bool,
    },
}

impl Verb {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        match self {
            Verb::Check { module } => {
                let (source, file) = source_of(module)?;
                let module = parse(&source, &file)?;
                out.line(format!(
                    "{file}: module {}, version {}: ok, {} types",
                    module.name,
                    module.version,
                    module.types.len()
                ))?;
            }
            Verb::Try(arguments) => return arguments.run(out),
            Verb::Show { module, ledger, source } => {
                let (text, file) = match ledger {
                    None => source_of(module)?,
                    Some(path) => loaded_source(path, module)?,
                };
                if *source {
                    out.text(&text)?;
                } else {
                    show(out, &parse(&text, &file)?)?;
                }
            }
        }
        Ok(0)
    }
}

fn loaded_source(path: &std::path::Path, name: &str) -> Result<(String, String), Failure> {
    let ledger = Reading { ledger: path.to_owned() }.open()?;
    let modules = loaded(&ledger)?;
    let newest = modules.iter().rev().find(|module| module.name == name);
    let newest = newest.ok_or_else(|| Failure::other(format!("{} has no module {name}", path.display())))?;
    Ok((newest.source.clone(), format!("{name}.toml")))
}

fn show(out: &mut Output, module: &Module) -> Result<(), Failure> {
    out.line(format!("module {}, version {}: {}", module.name, module.version, module.title))?;
    for role in &module.roles {
        out.line(format!("role {}: {}", role.name, role.doc))?;
    }
    for record_type in &module.types {
        out.line("")?;
        show_type(out, record_type)?;
    }
    Ok(())
}

fn show_type(out: &mut Output, record_type: &RecordType) -> Result<(), Failure> {
    out.line(format!("{}: {}", record_type.name, record_type.doc))?;
    let reach = if record_type.is_local() { "local" } else { "general" };
    out.line(format!("appended by {}; rules {reach}", record_type.authorise.join(" or ")))?;
    for policy in &record_type.endorse {
        let when = policy.when.as_ref().map_or_else(String::new, |when| format!(" when {}", when.source()));
        let (count, roles) = (policy.count, policy.roles.join(" or "));
        out.line(format!("endorsed by {count} holding {roles}{when}, or refused with {}", policy.reason.code))?;
    }
    let mut table = Table::new(["field", "type", "", "meaning"]).whole();
    for field in &record_type.fields {
        push_field(&mut table, "", field);
    }
    out.text(&table.render())?;
    for cell in &record_type.cells {
        out.line(format!("cell {}: {}", cell.name, cell_words(&cell.kind)))?;
    }
    let mut reasons: Vec<&Reason> = record_type.cells.iter().flat_map(|cell| cell_reasons(&cell.kind)).collect();
    reasons.extend(record_type.rules.iter().map(|rule| &rule.reason));
    // Rules that say the same are said once.
    let mut told: Vec<&Reason> = Vec::new();
    for reason in reasons {
        if !told.contains(&reason) {
            out.line(format!("refused with {}: {}", reason.code, reason.message))?;
            told.push(reason);
        }
    }
    Ok(())
}

fn cell_words(kind: &CellKind) -> String {
    match kind {
        CellKind::Balance(balance) => format!("balance of {}", balance.parts.join(", ")),
        CellKind::Count(count) => match count.high {
            None => format!("count of at least {}", count.low),
            Some(high) => format!("count of {} to {high}", count.low),
        },
        CellKind::Lifecycle(lifecycle) => format!("state, one of {}", lifecycle.states.join(", ")),
        CellKind::Holder(_) => "who holds it".to_owned(),
        CellKind::Sequence(sequence) => {
            format!("last {} of a {} sequence", sequence.kind.name(), sequence.order.name())
        }
    }
}

fn cell_reasons(kind: &CellKind) -> Vec<&Reason> {
    match kind {
        CellKind::Balance(balance) => {
            let bounds = balance.bounds.iter().map(|bound| &bound.reason);
            [&balance.missing, &balance.too_precise].into_iter().chain(bounds).collect()
        }
        CellKind::Count(count) => vec![&count.out_of_range],
        CellKind::Lifecycle(lifecycle) => vec![&lifecycle.missing],
        CellKind::Holder(holder) => vec![&holder.missing],
        CellKind::Sequence(_) => Vec::new(),
    }
}

fn push_field(table: &mut Table, prefix: &str, field: &Field) {
    let name = format!("{prefix}{}", field.name);
    let required = if field.required { "required" } else { "" };
    table.push(vec![name.clone(), field.kind.to_string(), required.to_owned(), field.doc.clone()]);
    let inner = match &field.kind {
        FieldKind::Struct(fields) => fields.as_slice(),
        FieldKind::List { item, .. } => match &item.kind {
            FieldKind::Struct(fields) => fields.as_slice(),
            _ => &[],
        },
        _ => &[],
    };
    for field in inner {
        push_field(table, &format!("{name}."), field);
    }
}
