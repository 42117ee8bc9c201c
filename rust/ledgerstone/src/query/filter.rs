//! Predicates over the fields of a record type, on columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Datum, RecordBatch, Scalar, make_array};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_ord::cmp;
use arrow_schema::ArrowError;

use super::gather::Wanted;
use crate::limits::FIELD_BYTES;
use crate::model::Value;
use crate::schema::{Field, FieldKind, RecordType, Rows, from_values, lookup_path, resolve};

/// How a field is compared with the values given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal to the one value; `Null`: absent.
    Equal,
    /// Not equal to the one value, absent values among them; `Null`: present.
    NotEqual,
    /// Less than the one value.
    Less,
    /// At most the one value.
    AtMost,
    /// More than the one value.
    More,
    /// At least the one value.
    AtLeast,
    /// Equal to one of the values.
    In,
    /// At least the first and at most the second value.
    Between,
    /// Text that begins with the one value.
    StartsWith,
}

/// A condition on one field of a record type.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicate {
    /// Name of a field, dotted where it stands in a struct: `options.max_clock_step`; or another column of a query: `_time`, `debit.kind`.
    pub field: String,
    /// How.
    pub comparison: Comparison,
    /// With what.
    pub values: Vec<Value>,
}

/// Predicates, checked against a record type.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    /// Positions of fields, from the outside in.
    steps: Vec<usize>,
    comparison: Comparison,
    /// Typed as the field, one slot per value.
    operands: ArrayRef,
}

impl Filter {
    /// Checks predicates; the message says what does not fit.
    pub(crate) fn new(record_type: &RecordType, predicates: &[Predicate]) -> Result<Self, String> {
        let terms = predicates.iter().map(|predicate| Term::new(record_type, predicate)).collect::<Result<_, _>>()?;
        Ok(Filter { terms })
    }

    /// Whether it lets everything pass.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Positions of the fields that it looks at.
    pub(crate) fn fields(&self) -> impl Iterator<Item = usize> {
        self.terms.iter().filter_map(|term| term.steps.first().copied())
    }

    /// For each row, whether every predicate holds. The columns that it looks at are among the wanted ones.
    pub(crate) fn mask(&self, batch: &RecordBatch, wanted: &Wanted) -> Result<BooleanArray, ArrowError> {
        let mut mask = BooleanBuffer::new_set(batch.num_rows());
        for term in &self.terms {
            mask = &mask & &term.mask(&column_at(batch, wanted, &term.steps)?)?;
        }
        Ok(BooleanArray::new(mask, None))
    }
}

impl Term {
    fn new(record_type: &RecordType, predicate: &Predicate) -> Result<Self, String> {
        let Predicate { field: name, comparison, values } = predicate;
        let (field, steps) = located(record_type, name).ok_or_else(|| unknown_field(record_type, name))?;
        let kind = comparable(field, *comparison)?;
        let wanted = match comparison {
            Comparison::In => values.len(),
            Comparison::Between => 2,
            _ => 1,
        };
        if values.len() != wanted {
            return Err(format!("the comparison of {name} takes {wanted} value(s), {} given", values.len()));
        }
        let operands = operands(name, kind, values)?;
        let has_null = operands.null_count() > 0;
        if has_null && !is_equality(*comparison) {
            return Err(format!("{name} can be compared with an absent value by equality only"));
        }
        Ok(Term { steps, comparison: *comparison, operands })
    }

    fn mask(&self, column: &ArrayRef) -> Result<BooleanBuffer, ArrowError> {
        let operand = |nth: usize| Scalar::new(self.operands.slice(nth, 1));
        let compare = |kernel: fn(&dyn Datum, &dyn Datum) -> Result<BooleanArray, ArrowError>, nth: usize| {
            kernel(column, &operand(nth)).map(|mask| true_only(&mask))
        };
        Ok(match self.comparison {
            Comparison::Equal => compare(cmp::not_distinct, 0)?,
            Comparison::NotEqual => compare(cmp::distinct, 0)?,
            Comparison::Less => compare(cmp::lt, 0)?,
            Comparison::AtMost => compare(cmp::lt_eq, 0)?,
            Comparison::More => compare(cmp::gt, 0)?,
            Comparison::AtLeast => compare(cmp::gt_eq, 0)?,
            Comparison::Between => &compare(cmp::gt_eq, 0)? & &compare(cmp::lt_eq, 1)?,
            Comparison::In => {
                let mut any = BooleanBuffer::new_unset(column.len());
                for nth in 0..self.operands.len() {
                    any = &any | &compare(cmp::not_distinct, nth)?;
                }
                any
            }
            Comparison::StartsWith => {
                let prefix = self.operands.as_string::<i32>().value(0);
                let texts = column.as_string::<i32>();
                BooleanBuffer::collect_bool(texts.len(), |row| {
                    texts.is_valid(row) && texts.value(row).starts_with(prefix)
                })
            }
        })
    }
}

/// The field of that name, which can have dots in it where it stands beside a record, or at that path; with positions from the outside in.
pub(crate) fn located<'f>(record_type: &'f RecordType, name: &str) -> Option<(&'f Field, Vec<usize>)> {
    let fields = &record_type.fields;
    match fields.iter().position(|field| field.name == name) {
        Some(place) => Some((&fields[place], vec![place])),
        None => resolve(fields, &name.split('.').collect::<Vec<_>>()),
    }
}

/// What to say where a type has no such field.
pub(crate) fn unknown_field(record_type: &RecordType, name: &str) -> String {
    let known: Vec<&str> = record_type.fields.iter().map(|field| field.name.as_str()).collect();
    format!("{} has no field {name}; its fields are {}", record_type.name, known.join(", "))
}

/// The column at a path through structs; absent where a struct on the way is.
pub(crate) fn column_at(batch: &RecordBatch, wanted: &Wanted, steps: &[usize]) -> Result<ArrayRef, ArrowError> {
    let missing = || ArrowError::SchemaError("a column is not among those that were read".to_owned());
    let (field, rest) = steps.split_first().ok_or_else(missing)?;
    let mut column = Arc::clone(batch.column(wanted.place(*field).ok_or_else(missing)?));
    for &step in rest {
        let outer = column.as_struct_opt().ok_or_else(missing)?;
        let inner = outer.column(step).to_data();
        let nulls = NullBuffer::union(outer.nulls(), inner.nulls());
        column = make_array(inner.into_builder().nulls(nulls).build()?);
    }
    Ok(column)
}

/// Whether a comparison needs no order.
fn is_equality(comparison: Comparison) -> bool {
    matches!(comparison, Comparison::Equal | Comparison::NotEqual | Comparison::In)
}

/// The kind that operands are read as: a text is compared as text whatever its format.
fn comparable(field: &Field, comparison: Comparison) -> Result<FieldKind, String> {
    let text = FieldKind::Text { max: FIELD_BYTES, format: None };
    match (&field.kind, comparison) {
        (FieldKind::List { .. } | FieldKind::Struct(_), _) => {
            Err(format!("{} is a list or struct and cannot be compared", field.name))
        }
        (FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid, _) => Ok(text),
        (_, Comparison::StartsWith) => Err(format!("{} is no text and begins with nothing", field.name)),
        (FieldKind::Fraction, comparison) if !is_equality(comparison) => {
            Err(format!("{} is a fraction and is compared for equality only", field.name))
        }
        (FieldKind::Decimal { scale, .. }, _) => Ok(FieldKind::Decimal { precision: 28, scale: *scale }),
        (FieldKind::Int { .. }, _) => Ok(FieldKind::Int { min: -crate::limits::INT_MAX, max: crate::limits::INT_MAX }),
        (kind, _) => Ok(kind.clone()),
    }
}

/// The canonical JSON of a value of a field; the message says why it is none.
pub(crate) fn value_json(field: &Field, value: &Value) -> Result<Vec<u8>, String> {
    let record_type = one_field(&field.name, comparable(field, Comparison::Equal)?);
    let rows = typed(&record_type, std::slice::from_ref(value))?;
    let rows = Rows::new(&record_type, &rows).map_err(|error| error.to_string())?;
    let mut json = Vec::new();
    let path = lookup_path(&record_type, &field.name).ok_or("no such field")?;
    rows.scalar(&path, 0, None).write_json(&mut json);
    Ok(json)
}

fn operands(name: &str, kind: FieldKind, values: &[Value]) -> Result<ArrayRef, String> {
    Ok(Arc::clone(typed(&one_field(name, kind), values)?.column(0)))
}

/// A record type of one optional field, by which single values are read as the field reads them.
fn one_field(name: &str, kind: FieldKind) -> RecordType {
    let field = Field { name: name.to_owned(), kind, required: false, index: false, doc: String::new(), private: None };
    RecordType::of_fields("value", 0, vec![field])
}

fn typed(record_type: &RecordType, values: &[Value]) -> Result<RecordBatch, String> {
    let name = &record_type.fields[0].name;
    let rows: Vec<Value> = values.iter().map(|value| Value::Object(vec![(name.clone(), value.clone())])).collect();
    let checked = from_values(record_type, &rows);
    match checked.failures.first() {
        Some(failure) => Err(format!("{name}: {}", failure.message)),
        None => Ok(checked.rows),
    }
}

fn true_only(mask: &BooleanArray) -> BooleanBuffer {
    match mask.nulls() {
        None => mask.values().clone(),
        Some(nulls) => mask.values() & nulls.inner(),
    }
}
