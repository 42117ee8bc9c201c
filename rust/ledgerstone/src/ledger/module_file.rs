//! Schema files that no ledger has loaded: read together with those that they refer to, and held against the version that they are to
//! follow.

use std::sync::{Arc, LazyLock};

use ledgerstone_schemas::{LEDGER, SHIPPED};

use crate::codes;
use crate::error::{Error, Rejected, Result};
use crate::schema::{Compatibility, Demand, Module, RecordType, SchemaErrors, compat, parse_builtin, parse_with};

/// Reads a module from the text of its schema file; `file` is its name in errors. It may refer to shipped modules, and to `others`: texts
/// and names of files, in any order, which may refer to each other.
///
/// # Errors
/// [`codes::SCHEMA_FILE`], with every fault of the first file that does not read.
pub fn read_module(source: &str, file: &str, others: &[(String, String)]) -> Result<Module> {
    if source == LEDGER {
        return Ok(parse_builtin(source)?);
    }
    let mut read: Vec<Module> = Vec::new();
    let mut left: Vec<&(String, String)> = others.iter().collect();
    // Each round reads those files whose references have been read.
    loop {
        let mut first_fault = None;
        let before = left.len();
        left.retain(|(source, file)| match parse_among(source, file, &read) {
            Ok(module) => {
                read.push(module);
                false
            }
            Err(fault) => {
                first_fault.get_or_insert(fault);
                true
            }
        });
        match first_fault {
            None => break,
            Some(fault) if left.len() == before => return Err(fault.into()),
            Some(_) => {}
        }
    }
    Ok(parse_among(source, file, &read)?)
}

fn parse_among(source: &str, file: &str, read: &[Module]) -> std::result::Result<Module, SchemaErrors> {
    let known = |wanted: &str| {
        let own = read.iter().find_map(|module| module.record_type(wanted)).cloned();
        own.or_else(|| shipped_type(wanted))
    };
    parse_with(source, file, &known)
}

/// The record type of a shipped module, by its full name.
fn shipped_type(wanted: &str) -> Option<Arc<RecordType>> {
    static TYPES: LazyLock<Vec<Arc<RecordType>>> = LazyLock::new(|| {
        let shipped = SHIPPED.iter().filter_map(|(name, source)| parse_with(source, name, &|_| None).ok());
        shipped.flat_map(|module| module.types).collect()
    });
    TYPES.iter().find(|known| known.name == wanted).cloned()
}

/// What a ledger is asked before `new` may follow `old`: what has to hold of what it stores.
///
/// # Errors
/// [`codes::MODULE_UPGRADE`], with every reason why it may not, whatever is stored.
pub fn may_follow(old: &Module, new: &Module) -> Result<Vec<Demand>> {
    let Compatibility { reasons, demands } = compat(old, new);
    if reasons.is_empty() {
        return Ok(demands);
    }
    let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    Err(Error::Rejected(Box::new(Rejected {
        code: codes::MODULE_UPGRADE.to_owned(),
        message: reasons.join("\n"),
        record_type: String::new(),
        row: 0,
        field: None,
        cell: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, refers: &str) -> (String, String) {
        let rule = match refers {
            "" => String::new(),
            target => format!("[[types.t.rules]]\nref = \"{target}\"\nat = [\"id\"]\n"),
        };
        let source = format!(
            "[module]\nname = \"{name}\"\nversion = 1\n[roles.r]\n[types.t]\nauthorise = [\"r\"]\n[types.t.fields]\n\
             id = {{ type = \"text\", max = 8, required = true }}\n[[types.t.rules]]\nunique = [\"id\"]\n{rule}"
        );
        (source, format!("{name}.toml"))
    }

    #[test]
    fn files_that_refer_to_each_other_are_read_in_any_order() {
        let (base, middle, (top, file)) = (module("base", ""), module("middle", "base.t"), module("top", "middle.t"));
        for others in [[base.clone(), middle.clone()], [middle.clone(), base.clone()]] {
            assert_eq!(read_module(&top, &file, &others).unwrap().name, "top");
        }
        // Alone, it names what it does not know; and of the others the file that does not read is named.
        let alone = read_module(&top, &file, &[]).unwrap_err();
        assert!(alone.to_string().starts_with("top.toml:") && alone.to_string().contains("middle.t"), "{alone}");
        let broken = read_module(&top, &file, &[middle, module("base", "nobody.t")]).unwrap_err();
        assert_eq!(broken.subject().file.as_deref(), Some("middle.toml"));
        assert!(read_module(&module("mine", "finance.account").0, "mine.toml", &[]).is_ok());
    }
}
