//! Rows of an older version in the columns of a newer one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Fields};

use super::check::{arrow_field, arrow_schema};
use super::module::{Field, FieldKind, RecordType};

/// The rows in the columns of the newest version of their type: fields that were added are null. The versions are those of one module,
/// each of which fits the one before ([`compat`](super::compat)).
pub(crate) fn widened(batch: &RecordBatch, old: &RecordType, new: &RecordType) -> Result<RecordBatch, ArrowError> {
    if old.version == new.version {
        return Ok(batch.clone());
    }
    let columns = fields(&old.fields, batch.columns(), &new.fields, batch.num_rows())?;
    RecordBatch::try_new(arrow_schema(new), columns)
}

fn fields(old: &[Field], columns: &[ArrayRef], new: &[Field], rows: usize) -> Result<Vec<ArrayRef>, ArrowError> {
    new.iter()
        .map(|field| match old.iter().position(|before| before.name == field.name) {
            None => Ok(new_null_array(arrow_field(field).data_type(), rows)),
            Some(place) => column(&old[place], &columns[place], field),
        })
        .collect()
}

fn column(old: &Field, array: &ArrayRef, new: &Field) -> Result<ArrayRef, ArrowError> {
    let wanted = arrow_field(new);
    if array.data_type() == wanted.data_type() {
        return Ok(Arc::clone(array));
    }
    match (&old.kind, &new.kind, wanted.data_type()) {
        (FieldKind::Struct(before), FieldKind::Struct(now), DataType::Struct(inner)) => {
            let array = array.as_struct();
            let columns = fields(before, array.columns(), now, array.len())?;
            let inner: Fields = inner.clone();
            Ok(Arc::new(StructArray::try_new(inner, columns, array.nulls().cloned())?))
        }
        (FieldKind::List { item: before, .. }, FieldKind::List { item: now, .. }, DataType::List(inner)) => {
            let array = array.as_list::<i32>();
            let items = column(before, array.values(), now)?;
            let offsets = array.offsets().clone();
            Ok(Arc::new(ListArray::try_new(Arc::clone(inner), offsets, items, array.nulls().cloned())?))
        }
        // A decimal of more digits.
        (_, _, wanted) => arrow_cast::cast(array, wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::schema::{from_values, parse};

    const OLD: &str = r#"
[module]
name = "m"
version = 1
[roles.r]
[types.t]
authorise = ["r"]
[types.t.fields]
x = { type = "decimal", precision = 6, scale = 2 }
o = { type = "struct", fields = { a = { type = "int" } } }
l = { type = "list", item = { type = "struct", required = true, fields = { a = { type = "int" } } } }
"#;

    #[test]
    fn older_rows_are_those_the_newer_version_would_have() {
        let new = OLD
            .replace("version = 1", "version = 2")
            .replace("precision = 6, scale = 2", "precision = 9, scale = 4")
            .replace("a = { type = \"int\" }", "z = { type = \"text\" }, a = { type = \"int\" }")
            .replace("\no = ", "\nw = { type = \"list\", item = { type = \"int\", required = true } }\no = ");
        let (old, new) = (parse(OLD, "f").unwrap(), parse(&new, "f").unwrap());
        assert_eq!(crate::schema::compat(&old, &new).reasons, []);
        let object = |members: Vec<(&str, Value)>| {
            Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let inner = || object(vec![("a", Value::Int(1))]);
        let rows = [
            object(vec![
                ("x", Value::Text("1.25".to_owned())),
                ("o", inner()),
                ("l", Value::List(vec![inner(), inner()])),
            ]),
            object(vec![]),
        ];
        let (before, now) = (from_values(&old.types[0], &rows), from_values(&new.types[0], &rows));
        let found = widened(&before.rows, &old.types[0], &new.types[0]).unwrap();
        assert_eq!(found, now.rows);
        assert_eq!(widened(&now.rows, &new.types[0], &new.types[0]).unwrap(), now.rows);
    }
}
