//! `schema`: checks and shows schema files.

use std::path::PathBuf;

use clap::Subcommand;
use ledgerstone::schema::{CellKind, Field, FieldKind, LookupSource, Module, Reason, RecordType, Severity};
use ledgerstone::{codes, may_follow};
use ledgerstone_verify::Json;

use crate::failure::Failure;
use crate::modules::{Others, loaded};
use crate::open::Reading;
use crate::output::Output;
use crate::table::{Table, json_line, number, text};
use crate::values::to_json;

/// Check and show schema files
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check a schema file; every fault is shown with its line and column
    #[command(after_help = "\
Example:
  ledgerstone schema check loans.toml
  ledgerstone schema check repayments.toml --module loans.toml")]
    Check {
        /// The schema file, or the name of a module shipped with ledgerstone
        module: String,
        #[command(flatten)]
        others: Others,
    },
    Try(super::try_module::Arguments),
    /// Show what a module declares
    #[command(after_help = "\
Example:
  ledgerstone schema show finance
  ledgerstone schema show finance --ledger books.ledger --version 1 --source")]
    Show {
        /// The schema file, or the name of a module shipped with ledgerstone
        module: String,
        /// The module as this ledger has loaded it
        #[arg(long, value_name = "LEDGER")]
        ledger: Option<PathBuf>,
        /// That version of it; the newest where it is left out
        #[arg(long, value_name = "N", requires = "ledger")]
        version: Option<u64>,
        /// The text of the file instead
        #[arg(long)]
        source: bool,
        #[command(flatten)]
        others: Others,
    },
    /// Show which version of which module was loaded where, and by whom
    #[command(after_help = "Example:\n  ledgerstone schema history books.ledger")]
    History(Reading),
    /// Tell whether a new version of a module may follow an old one; every reason why not is shown
    #[command(after_help = "Example:\n  ledgerstone schema diff finance finance-2.toml")]
    Diff {
        /// The schema file that is loaded, or the name of a module shipped with ledgerstone
        old: String,
        /// The schema file that is to follow it
        new: String,
        #[command(flatten)]
        others: Others,
    },
    /// Print the JSON Schema of schema files, which editors complete and check by
    #[command(after_help = "Example:\n  ledgerstone schema json > module.schema.json")]
    Json,
}

impl Verb {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        match self {
            Verb::Check { module, others } => {
                let (module, file) = others.read(module)?;
                let (name, version, types) = (&module.name, module.version, module.types.len());
                if out.is_json() {
                    let types = number(types as u64);
                    out.object([("module", text(name)), ("version", number(version)), ("types", types)])?;
                } else {
                    out.line(format!("{file}: module {name}, version {version}: ok, {types} types"))?;
                }
            }
            Verb::Try(arguments) => return arguments.run(out),
            Verb::Show { module, ledger, version, source, others } => {
                let shown = match ledger {
                    None => others.read(module)?.0,
                    Some(_) if others.are_named() => {
                        return Err(Failure::usage(
                            "--module goes with a file: a ledger has the modules that it has loaded",
                        ));
                    }
                    Some(path) => loaded_module(path, module, *version)?,
                };
                if out.is_json() {
                    show_json(out, &shown, *source)?;
                } else if *source {
                    out.text(&shown.source)?;
                } else {
                    show(out, &shown)?;
                }
            }
            Verb::History(reading) => history(reading, out)?,
            Verb::Diff { old, new, others } => {
                let (old, new) = (others.read(old)?.0, others.read(new)?.0);
                let demands = may_follow(&old, &new)?;
                let (name, old, new) = (&new.name, old.version, new.version);
                if out.is_json() {
                    let demands = Json::List(demands.iter().map(text).collect());
                    let (old, new) = (number(old), number(new));
                    out.object([("module", text(name)), ("old", old), ("new", new), ("demands", demands)])?;
                    return Ok(0);
                }
                let may = format!("version {new} of {name} may follow version {old}");
                out.line(if demands.is_empty() { may } else { format!("{may} where the ledger lets it:") })?;
                for demand in demands {
                    out.line(demand.to_string())?;
                }
            }
            Verb::Json => out.text(ledgerstone_schemas::MODULE_SCHEMA)?,
        }
        Ok(0)
    }
}

fn history(reading: &Reading, out: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(["module", "version", "index", "loaded by"]).whole();
    for loaded in reading.open()?.module_history()? {
        if out.is_json() {
            out.object([
                ("module", text(loaded.name)),
                ("version", number(loaded.version)),
                ("index", number(loaded.row.index)),
                ("author", text(loaded.author)),
            ])?;
            continue;
        }
        table.push(vec![loaded.name, loaded.version.to_string(), loaded.row.index.to_string(), loaded.author]);
    }
    if !out.is_json() {
        out.text(&table.render())?;
    }
    Ok(())
}

fn loaded_module(path: &std::path::Path, name: &str, version: Option<u64>) -> Result<Module, Failure> {
    let ledger = Reading { ledger: path.to_owned() }.open()?;
    let fits = |module: &Module| module.name == name && version.is_none_or(|version| module.version == version);
    let found = loaded(&ledger)?.into_iter().rev().map(|(_, module)| module).find(fits);
    let which = version.map_or_else(String::new, |version| format!(" version {version}"));
    let message = || format!("{} has no module {name}{which}", path.display());
    found.ok_or_else(|| Failure::new(codes::MODULE_NOT_LOADED, message()))
}

/// The module's source as a member of an object, or an object for each of its types.
fn show_json(out: &mut Output, module: &Module, source: bool) -> Result<(), Failure> {
    if source {
        let members =
            [("module", text(&module.name)), ("version", number(module.version)), ("source", text(&module.source))];
        return Ok(out.object(members)?);
    }
    for record_type in &module.types {
        out.line(json_line(&to_json(&record_type.describe())))?;
    }
    Ok(())
}

fn show(out: &mut Output, module: &Module) -> Result<(), Failure> {
    out.line(format!("module {}, version {}: {}", module.name, module.version, module.title))?;
    for role in &module.roles {
        out.line(format!("role {}: {}", role.name, role.doc))?;
    }
    for (name, value) in &module.constants {
        let mut json = Vec::new();
        value.as_scalar().write_json(&mut json);
        out.line(format!("const.{name} = {}", String::from_utf8_lossy(&json)))?;
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
    for (what, names) in
        [("read by", &record_type.read), ("released by", &record_type.release), ("made by", &record_type.accepts)]
    {
        if !names.is_empty() && *names != record_type.authorise {
            out.line(format!("{what} {}", names.join(" or ")))?;
        }
    }
    let mut table = Table::new(["field", "type", "", "meaning"]).whole();
    for field in &record_type.fields {
        push_field(&mut table, "", field);
    }
    out.text(&table.render())?;
    for cell in &record_type.cells {
        out.line(format!("cell {}: {}", cell.name, cell_words(&cell.kind)))?;
    }
    for lookup in &record_type.lookups {
        let source = match &lookup.source {
            LookupSource::Record(name) => name.clone(),
            LookupSource::Cell(cell) => format!("{}.{}", cell.owner, cell.name),
        };
        out.line(format!("lookup {}: {source}, by {} key(s)", lookup.name, lookup.candidates.len()))?;
    }
    show_rules(out, record_type)?;
    // What a cell says itself.
    let mut told: Vec<&Reason> = Vec::new();
    for reason in record_type.cells.iter().flat_map(|cell| cell_reasons(&cell.kind)) {
        if !told.contains(&reason) {
            out.line(format!("refused with {}: {}", reason.code, reason.message))?;
            told.push(reason);
        }
    }
    Ok(())
}

fn show_rules(out: &mut Output, record_type: &RecordType) -> Result<(), Failure> {
    let mut table = Table::new(["rule", "reach", "cost", "a failure", "code", "meaning"]).whole();
    for rule in &record_type.rules {
        let reach = match (rule.is_stateless(), rule.is_local()) {
            (true, _) => "record",
            (false, true) => "local",
            (false, false) => "general",
        };
        let failure = match rule.severity {
            Severity::Reject => "rejects",
            Severity::Hold => "holds",
            Severity::Flag => "flags",
        };
        table.push(vec![
            rule.primitive.name().to_owned(),
            reach.to_owned(),
            record_type.cost(rule).to_string(),
            failure.to_owned(),
            rule.reason.code.clone(),
            rule.reason.message.clone(),
        ]);
    }
    out.text(&table.render())?;
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
