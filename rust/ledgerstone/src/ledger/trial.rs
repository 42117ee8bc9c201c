//! Trying a module before any ledger takes it: records against a ledger in memory, which ends with the trial.

use ledgerstone_verify::canon::Json;
use ledgerstone_verify::entry::ExceptionOutcome;

use super::outcomes::RecordException;
use super::{Ledger, View};
use crate::builder::Create;
use crate::error::{Error, Misfit, Result};
use crate::keys::Key;
use crate::model::{Decimal, Value};
use crate::schema::CellKind;
use crate::store::Table;

/// What became of one record that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Full name of its type.
    pub record_type: String,
    /// What became of it and why; `None`: it was plainly accepted.
    pub exception: Option<RecordException>,
}

/// A cell of the state that is left when every record has been tried.
#[derive(Clone, Debug, PartialEq)]
pub struct CellNow {
    /// Full name of the owning type.
    pub record_type: String,
    /// Name within the type.
    pub name: String,
    /// The values that say whose it is.
    pub key: Vec<Value>,
    /// The values that tell the cells of one owner apart.
    pub by: Vec<Value>,
    /// What it holds: the parts of a balance as decimals, everything else as JSON has it.
    pub value: Vec<(String, Value)>,
}

/// What a module makes of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// For each record handed over, in order.
    pub records: Vec<Tried>,
    /// The state afterwards, by cell name.
    pub cells: Vec<CellNow>,
}

impl Trial {
    /// Tries records, each a transaction of its own, in order, by a member who holds every role of the modules. `modules` are texts of
    /// schema files and the files' names for errors: the one that is tried, and before it those that it needs. A record that is refused
    /// is a result; a record of a type that there is not is an error.
    pub fn run(modules: &[(String, String)], records: Vec<(String, Value)>) -> Result<Trial> {
        let mut create = Create::new("trial.example", Key::generate("trial")?);
        for (source, file) in modules {
            create = create.module(source, file);
        }
        let ledger = create.in_memory()?;
        let tried = records.into_iter().enumerate().map(|(number, (record_type, record))| {
            let mut exception = match ledger.append(&record_type, record, None) {
                Ok(appended) => appended.exceptions.into_iter().next().map(|(_, exception)| exception),
                Err(Error::Rejected(reason) | Error::Forbidden(reason)) => {
                    Some(RecordException { outcome: ExceptionOutcome::Rejected, reason: *reason })
                }
                Err(Error::Schema(misfit)) => {
                    let message = format!("record {number}: {}", misfit.message);
                    return Err(Error::Schema(Box::new(Misfit { message, ..*misfit })));
                }
                Err(error) => return Err(error),
            };
            if let Some(exception) = &mut exception {
                exception.reason.row = number as u64;
            }
            Ok(Tried { record_type, exception })
        });
        Ok(Trial { records: tried.collect::<Result<_>>()?, cells: ledger.cells()? })
    }
}

impl Ledger {
    /// Every cell there is, by name.
    fn cells(&self) -> Result<Vec<CellNow>> {
        let view = self.view()?;
        let mut found = Vec::new();
        view.snapshot.scan(Table::Cells, &[], None, &mut |name, stored| {
            // A removed cell keeps its row.
            if let Some(value) = stored.get(8..).filter(|value| *value != b"null") {
                found.push(cell_now(&view, name, value));
            }
            true
        })?;
        found.into_iter().collect()
    }
}

fn cell_now(view: &View, name: &[u8], value: &[u8]) -> Result<CellNow> {
    let damaged = || Error::Fault(format!("the cell {} is damaged", String::from_utf8_lossy(name)));
    let parse = |bytes: &[u8]| Json::parse(bytes).map_err(|_| damaged());
    let Json::List(parts) = parse(name)? else { return Err(damaged()) };
    let [Json::Text(owner), Json::Text(cell), Json::List(key), Json::List(by)] = parts.as_slice() else {
        return Err(damaged());
    };
    let Json::Object(members) = parse(value)? else { return Err(damaged()) };
    let record_type = view.record_type(owner)?;
    let is_balance =
        record_type.cells.iter().any(|known| known.name == *cell && matches!(known.kind, CellKind::Balance(_)));
    let value = |json: &Json| match json {
        Json::Text(text) if is_balance => Decimal::parse(text).map_or(Value::Null, Value::Decimal),
        other => plain(other),
    };
    Ok(CellNow {
        record_type: owner.clone(),
        name: cell.clone(),
        key: key.iter().map(plain).collect(),
        by: by.iter().map(plain).collect(),
        value: members.iter().map(|(name, part)| (name.clone(), value(part))).collect(),
    })
}

fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Int(value) => Value::Int(*value),
        Json::BigInt(digits) => Value::BigInt(digits.clone()),
        Json::Float(value) => Value::Float(*value),
        Json::Text(text) => Value::Text(text.clone()),
        Json::List(items) => Value::List(items.iter().map(plain).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(name, json)| (name.clone(), plain(json))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::object;

    #[test]
    fn records_are_tried_in_order_and_nothing_is_kept() {
        let text = |text: &str| Value::Text(text.to_owned());
        let account = |id: &str| object(vec![("id", text(id)), ("kind", text("asset")), ("currency", text("EUR"))]);
        let transfer = |id: &str, debit: &str| {
            object(vec![
                ("id", text(id)),
                ("debit", text(debit)),
                ("credit", text("b")),
                ("currency", text("EUR")),
                ("amount", text("1.50")),
            ])
        };
        let finance = [(ledgerstone_schemas::FINANCE.to_owned(), "finance.toml".to_owned())];
        let of = |record_type: &str, value| (format!("finance.{record_type}"), value);
        let records = vec![
            of("account", account("a")),
            of("account", account("b")),
            of("transfer", transfer("1", "a")),
            of("transfer", transfer("2", "nobody")),
        ];
        let trial = Trial::run(&finance, records).unwrap();
        let code = |tried: &Tried| tried.exception.as_ref().map(|exception| exception.reason.code.clone());
        let codes: Vec<Option<String>> = trial.records.iter().map(code).collect();
        assert_eq!(codes, [None, None, None, Some("finance.account_not_open".to_owned())]);
        assert_eq!(trial.records[3].exception.as_ref().map(|exception| exception.reason.row), Some(3));
        let cell = &trial.cells[0];
        assert_eq!(
            (cell.record_type.as_str(), &cell.key[..], &cell.by[..]),
            ("finance.account", &[text("a")][..], &[text("EUR")][..])
        );
        assert!(cell.value.contains(&("posted".to_owned(), Value::Decimal(Decimal::new(15, 1)))));
        let missing = Trial::run(&finance, vec![of("nothing", Value::Null)]);
        assert!(matches!(missing, Err(Error::Schema(misfit)) if misfit.message.starts_with("record 0: ")));
    }
}
