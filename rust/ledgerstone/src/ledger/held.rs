//! Held records, their release, and the suspension of modules.

use arrow_array::RecordBatch;

use super::outcomes::Standing;
use super::records::object;
use super::view::{View, damage};
use super::{Appended, Ledger};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::authority::RELEASE;
use crate::model::{RowId, Value};
use crate::query::Segments;

/// A record that waits for its release.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldRecord {
    /// Where it stands.
    pub row: RowId,
    /// Full name of its type.
    pub record_type: String,
    /// Version of the module that checked it.
    pub version: u64,
    /// The stable name of the reason.
    pub code: String,
    /// Its data, in the type's Arrow schema: one row.
    pub batch: RecordBatch,
}

impl Ledger {
    /// Records that are held and not released, of one type or of all, in the order of types and of the ledger. At most `limit`.
    pub fn held(&self, type_name: Option<&str>, limit: usize) -> Result<Vec<HeldRecord>> {
        let view = self.view()?;
        let types: Vec<String> = match type_name {
            Some(name) => vec![view.record_type(name)?.name.clone()],
            None => view
                .authority
                .modules()
                .flat_map(|module| module.types.iter().map(|declared| declared.name.clone()))
                .collect(),
        };
        let mut held = Vec::new();
        for name in types {
            if view.can_be_held(&name) {
                held_of(&view, &name, limit, &mut held)?;
            }
        }
        Ok(held)
    }

    /// Releases a held record: its rules run again, those that hold excepted, and its effects happen now. Rejected where a rule rejects it
    /// by now. The author holds one of the roles that the type names for it (`release`).
    pub fn release(&self, row: RowId, reason: Option<&str>) -> Result<Appended> {
        let index = i64::try_from(row.index)
            .map_err(|_| Error::schema(codes::NO_RECORD, format!("there is no transaction {}", row.index)))?;
        let mut members = vec![("index", Value::Int(index)), ("position", Value::Int(i64::from(row.position)))];
        members.extend(reason.map(|reason| ("reason", Value::Text(reason.to_owned()))));
        self.append("ledger.release", object(members), None)
    }

    /// Suspends a module: its records are rejected until it is resumed.
    pub fn suspend(&self, module: &str, reason: Option<&str>) -> Result<Appended> {
        self.append("ledger.suspend", suspension(module, reason), None)
    }

    /// Resumes a suspended module.
    pub fn resume(&self, module: &str, reason: Option<&str>) -> Result<Appended> {
        self.append("ledger.resume", suspension(module, reason), None)
    }
}

fn suspension(module: &str, reason: Option<&str>) -> Value {
    let mut members = vec![("module", Value::Text(module.to_owned()))];
    members.extend(reason.map(|reason| ("reason", Value::Text(reason.to_owned()))));
    object(members)
}

impl View {
    /// The held records that a transaction released: where each stands, and its release.
    pub(crate) fn releases_in(&self, index: u64) -> Result<Vec<(RowId, RowId)>> {
        let mut releases = Vec::new();
        for run in Segments::new(RELEASE, index, index + 1).all(&*self.snapshot)? {
            for chunk in self.read(|reader| reader.run(RELEASE, run))? {
                let field = |name: &str| chunk.record_type.fields.iter().position(|field| field.name == name);
                let (Some(index), Some(position)) = (field("index"), field("position")) else { continue };
                for (place, release) in chunk.rows.iter().enumerate() {
                    let view = chunk.view(*release).map_err(damage)?;
                    let number = |field: usize| view.int(field, place).map(i64::unsigned_abs);
                    let row = number(index).zip(number(position));
                    let row = row.and_then(|(index, position)| Some(RowId::new(index, u32::try_from(position).ok()?)));
                    releases.extend(row.map(|row| (row, *release)));
                }
            }
        }
        Ok(releases)
    }

    /// Where the effects of a stored row happened when the ledger held `end` transactions: at its release, if it was held.
    pub(crate) fn took_effect_at(&self, row: RowId, end: u64) -> Result<RowId> {
        let Some(index) = self.released_at(row, end)? else { return Ok(row) };
        let release = self.releases_in(index)?.into_iter().find(|(released, _)| *released == row);
        let missing = || Error::damaged(format!("table cells: record {row} was released at {index}, and is not there"));
        release.map(|(_, release)| release).ok_or_else(missing)
    }
}

/// Adds the held records of a type: only transactions that have exceptions are looked at.
fn held_of(view: &View, name: &str, limit: usize, held: &mut Vec<HeldRecord>) -> Result<()> {
    let mut segments = Segments::new(name, 0, view.size);
    while let Some(run) = segments.next(&*view.snapshot)? {
        for chunk in view.read(|reader| reader.run(name, run))? {
            for (place, (row, standing)) in chunk.rows.iter().zip(view.standings(&chunk.rows, view.size)?).enumerate() {
                if held.len() == limit {
                    return Ok(());
                }
                if let Standing::Held(code) = standing {
                    held.push(HeldRecord {
                        row: *row,
                        record_type: name.to_owned(),
                        version: chunk.record_type.version,
                        code,
                        batch: chunk.batch.slice(place, 1),
                    });
                }
            }
        }
    }
    Ok(())
}
