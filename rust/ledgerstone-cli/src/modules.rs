//! Modules: shipped with the command, in a file, or loaded into a ledger; and the record types they declare.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use ledgerstone::schema::{Module, RecordType, parse_builtin, parse_with};
use ledgerstone::{Error, Ledger, ModuleLoaded, codes, read_module};
use ledgerstone_schemas::{LEDGER, SHIPPED};

use crate::failure::Failure;
use crate::open::read_text;

/// The text of a module, and the name that errors show: a shipped one by its bare name, any other by its file.
pub(crate) fn source_of(name: &str) -> Result<(String, String), Failure> {
    if let Some((name, source)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(((*source).to_owned(), format!("{name}.toml")));
    }
    if name == "ledger" {
        return Ok((LEDGER.to_owned(), "ledger.toml".to_owned()));
    }
    let path = Path::new(name);
    if path.extension().is_some_and(|suffix| suffix == "toml") || path.exists() {
        return Ok((read_text(path)?, name.to_owned()));
    }
    let shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    Err(Failure::new(
        codes::UNKNOWN_MODULE,
        format!(
            "no module {name:?}: shipped with ledgerstone are {}; a module of your own is named by its file, books.toml",
            shipped.join(", ")
        ),
    ))
}

/// Other modules that a schema file refers to.
#[derive(Args, Debug)]
pub(crate) struct Others {
    /// Another module that it refers to, by its file (may be repeated); shipped ones are known
    #[arg(long = "module", value_name = "FILE")]
    modules: Vec<String>,
}

impl Others {
    /// Whether there are some.
    pub(crate) fn are_named(&self) -> bool {
        !self.modules.is_empty()
    }

    /// Reads a module that is not loaded anywhere, shipped or in a file, and the name of its file.
    pub(crate) fn read(&self, name: &str) -> Result<(Module, String), Failure> {
        let others = self.modules.iter().map(|other| source_of(other)).collect::<Result<Vec<_>, _>>()?;
        let (source, file) = source_of(name)?;
        Ok((read_module(&source, &file, &others)?, file))
    }
}

/// Every version of every module that the ledger has loaded, in order, parsed.
pub(crate) fn loaded(ledger: &Arc<Ledger>) -> Result<Vec<(ModuleLoaded, Module)>, Failure> {
    let mut modules: Vec<(ModuleLoaded, Module)> = Vec::new();
    for loaded in ledger.module_history()? {
        let known = |wanted: &str| modules.iter().rev().find_map(|(_, module)| module.record_type(wanted)).cloned();
        let parsed = parse_with(&loaded.source, &format!("{}.toml", loaded.name), &known).map_err(Error::from)?;
        modules.push((loaded, parsed));
    }
    Ok(modules)
}

/// The record type of that name, as the ledger's newest module declares it.
pub(crate) fn record_type(ledger: &Arc<Ledger>, name: &str) -> Result<Arc<RecordType>, Failure> {
    let (module, _) = name.split_once('.').ok_or_else(|| {
        let message = format!("{name:?} is no record type; one is named <module>.<type>, like finance.transfer");
        Failure::new(codes::UNKNOWN_TYPE, message)
    })?;
    let mut types: Vec<Arc<RecordType>> = parse_builtin(LEDGER).map_err(Error::from)?.types;
    if module != "ledger" {
        types.extend(loaded(ledger)?.into_iter().flat_map(|(_, module)| module.types));
    }
    types.iter().rev().find(|known| known.name == name).cloned().ok_or_else(|| {
        let mut known: Vec<&str> = types.iter().map(|known| known.name.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        Failure::new(codes::UNKNOWN_TYPE, format!("the ledger has no record type {name}; it has {}", known.join(", ")))
    })
}
