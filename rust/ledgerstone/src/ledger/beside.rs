//! What is known of records beside their own fields, where a condition or an order looks at it: where they stand, when and by whom they were
//! appended, what became of them, and fields of the records that they name. It is put behind the columns that are read, page by page;
//! nothing is looked up that nobody asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};

use super::join::Joined;
use super::outcomes::Standing;
use super::query::{Column, column, fault};
use super::view::View;
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Result};
use crate::limits::{FIELD_BYTES, INT_MAX};
use crate::model::Value;
use crate::query::{Comparison, Gathered, Predicate, Wanted, located};
use crate::schema::{Field, FieldKind, RecordType};

/// Columns beside those of the records themselves.
pub(crate) struct Beside {
    columns: Vec<Column>,
    /// The type, with a field for each of the columns behind its own.
    pub(crate) record_type: Arc<RecordType>,
}

/// Where the columns come from.
pub(crate) struct Sight<'q> {
    pub(crate) ledger: &'q Ledger,
    pub(crate) view: &'q View,
    pub(crate) joins: &'q [Joined],
    /// Transactions that are looked at.
    pub(crate) end: u64,
}

/// Whether a name is that of a field of the type itself.
pub(crate) fn is_own(record_type: &RecordType, name: &str) -> bool {
    !name.starts_with('_') && located(record_type, name).is_some()
}

impl Beside {
    /// Those of these names that are no fields of the type itself.
    pub(crate) fn new<'n>(
        record_type: &Arc<RecordType>,
        joins: &[Joined],
        names: impl Iterator<Item = &'n str>,
    ) -> Result<Self> {
        let (mut columns, mut fields): (Vec<Column>, Vec<Field>) = (Vec::new(), Vec::new());
        for name in names {
            if is_own(record_type, name) || fields.iter().any(|field| field.name == name) {
                continue;
            }
            let (_, found) = column(record_type, joins, name).map_err(as_condition)?;
            fields.push(Field {
                name: name.to_owned(),
                kind: kind_of(&found, joins),
                required: false,
                index: false,
                doc: String::new(),
                private: None,
            });
            columns.push(found);
        }
        if columns.is_empty() {
            return Ok(Beside { columns, record_type: Arc::clone(record_type) });
        }
        let fields = record_type.fields.iter().cloned().chain(fields).collect();
        let whole = RecordType::of_fields(&record_type.name, record_type.version, fields);
        Ok(Beside { columns, record_type: Arc::new(whole) })
    }

    /// The columns that are read, with these behind them.
    pub(crate) fn wanted(&self, read: &Wanted) -> Wanted {
        let all = self.record_type.fields.len();
        let fields = read.fields.iter().copied().chain(all - self.columns.len()..all).collect();
        Wanted::of(&self.record_type, fields)
    }

    /// A page, in the order of the ledger, with these columns behind those that were read.
    pub(crate) fn extend(&self, page: Gathered, wanted: &Wanted, sight: &Sight<'_>) -> Result<Gathered> {
        if self.columns.is_empty() {
            return Ok(page);
        }
        let asks = |of: fn(&Column) -> bool| self.columns.iter().any(of);
        let facts = match asks(|column| matches!(column, Column::Time | Column::Author)) {
            true => sight.view.facts(&page)?,
            false => BTreeMap::new(),
        };
        let standings = match asks(|column| matches!(column, Column::Outcome | Column::Code)) {
            true => sight.view.standings_of(&self.record_type.name, &page.rows, sight.end)?,
            false => Vec::new(),
        };
        let mut columns = page.batch.columns().to_vec();
        for column in &self.columns {
            columns.push(array(column, &page, wanted, sight, (&facts, &standings))?);
        }
        let batch = RecordBatch::try_new(Arc::clone(&wanted.schema), columns).map_err(fault)?;
        Ok(Gathered { batch, ..page })
    }
}

/// One column of a page.
fn array(
    column: &Column,
    page: &Gathered,
    wanted: &Wanted,
    sight: &Sight<'_>,
    (facts, standings): (&BTreeMap<u64, (i64, String)>, &[Standing]),
) -> Result<ArrayRef> {
    let rows = page.rows.iter();
    Ok(match column {
        Column::Index => Arc::new(rows.map(|row| Some(row.index as i64)).collect::<Int64Array>()),
        Column::Position => Arc::new(rows.map(|row| Some(i64::from(row.position))).collect::<Int64Array>()),
        Column::Version => {
            Arc::new(page.versions.iter().map(|&version| Some(i64::from(version))).collect::<Int64Array>())
        }
        Column::Time => {
            let times = TimestampMicrosecondArray::from_iter_values(rows.map(|row| facts[&row.index].0));
            Arc::new(times.with_timezone("UTC"))
        }
        Column::Author => Arc::new(StringArray::from_iter_values(rows.map(|row| &facts[&row.index].1))),
        Column::Outcome => Arc::new(StringArray::from_iter_values(standings.iter().map(Standing::name))),
        Column::Code => Arc::new(standings.iter().map(Standing::code).collect::<StringArray>()),
        Column::Cause => {
            let causes = rows.map(|row| Ok(sight.view.cause(*row)?.map(i64::from)));
            Arc::new(causes.collect::<Result<Int64Array>>()?)
        }
        Column::Joined(join, place) => {
            let joined = sight.joins[*join].columns(sight.ledger, sight.view, page, wanted, sight.end)?;
            Arc::clone(joined.column(*place))
        }
        Column::Field(_) => return Err(Error::Fault("a field of its own stands beside a record".to_owned())),
    })
}

/// What such a column holds.
fn kind_of(column: &Column, joins: &[Joined]) -> FieldKind {
    match column {
        Column::Index | Column::Position | Column::Version | Column::Cause => {
            FieldKind::Int { min: -INT_MAX, max: INT_MAX }
        }
        Column::Time => FieldKind::Timestamp,
        Column::Joined(join, place) => joins[*join].target.record_type.fields[*place].kind.clone(),
        Column::Author | Column::Outcome | Column::Code | Column::Field(_) => {
            FieldKind::Text { max: FIELD_BYTES, format: None }
        }
    }
}

/// What no column is called, no condition and no order can look at either.
fn as_condition(error: Error) -> Error {
    match error {
        Error::Schema(mut misfit) => {
            misfit.code = codes::BAD_CONDITION;
            Error::Schema(misfit)
        }
        other => other,
    }
}

/// The transactions in which conditions on `_index` and `_time` can hold, of those from one index on and below another. The conditions are
/// known to fit.
pub(crate) fn narrowed(view: &View, predicates: &[Predicate], (first, end): (u64, u64)) -> Result<(u64, u64)> {
    let (mut first, mut end) = (first, end);
    for predicate in predicates {
        let Some((least, greatest)) = bounds(predicate) else { continue };
        match predicate.field.as_str() {
            "_index" => {
                first = first.max(u64::try_from(least).unwrap_or(0));
                end = end.min(u64::try_from(greatest.saturating_add(1)).unwrap_or(0));
            }
            // Ledger time never decreases.
            "_time" => {
                first = first.max(view.first_after(least.saturating_sub(1))?);
                end = end.min(view.first_after(greatest)?);
            }
            _ => {}
        }
    }
    Ok((first.min(end), end))
}

/// The least and the greatest number for which a comparison can hold.
fn bounds(predicate: &Predicate) -> Option<(i64, i64)> {
    let number = |value: &Value| match value {
        Value::Int(number) | Value::Timestamp(number) => Some(*number),
        Value::Text(text) => clock::parse(text).ok(),
        _ => None,
    };
    let values: Vec<i64> = predicate.values.iter().map(number).collect::<Option<_>>()?;
    let (least, greatest) = (*values.iter().min()?, *values.iter().max()?);
    Some(match predicate.comparison {
        Comparison::Equal | Comparison::In => (least, greatest),
        Comparison::Less => (i64::MIN, greatest.saturating_sub(1)),
        Comparison::AtMost => (i64::MIN, greatest),
        Comparison::More => (least.saturating_add(1), i64::MAX),
        Comparison::AtLeast => (least, i64::MAX),
        Comparison::Between => (values[0], *values.get(1)?),
        Comparison::NotEqual | Comparison::StartsWith => return None,
    })
}
