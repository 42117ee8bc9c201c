//! Typed access to the rows of a record type: paths resolved once, columns downcast once.

use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};

use super::check::arrow_schema;
use super::error::TableError;
use super::module::{Field, FieldKind, RecordType};
use super::scalar::{Scalar, ScalarKind};
use crate::codes;
use crate::model::Fraction;

/// The place of a value in a record or in an item of a list, as positions of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// The list whose item the path starts from; `None`: it starts from the record.
    pub(crate) list: Option<usize>,
    /// Positions of fields, from the outside in. Empty: the item itself.
    pub(crate) steps: Vec<usize>,
    /// The type of the scalar there; `None` where it is a list or a struct.
    pub(crate) kind: Option<ScalarKind>,
    /// As written: `amount`, `item.amount`, `options.max_clock_step`.
    pub(crate) text: String,
}

impl FieldPath {
    /// As written in the schema.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The type of the value; `None` where it is a list or a struct.
    pub fn kind(&self) -> Option<ScalarKind> {
        self.kind
    }

    /// Position of the top-level field that holds it: of the list, for a path from an item.
    pub fn field(&self) -> usize {
        self.list.or_else(|| self.steps.first().copied()).unwrap_or_default()
    }

    /// Whether the path starts from the item of an `each` rule.
    pub fn is_item(&self) -> bool {
        self.list.is_some()
    }
}

/// The kind of scalar that a field holds; `None` for lists and structs.
pub(crate) fn scalar_kind(kind: &FieldKind) -> Option<ScalarKind> {
    Some(match kind {
        FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid => ScalarKind::Text,
        FieldKind::Fraction => ScalarKind::Fraction,
        FieldKind::Bool => ScalarKind::Bool,
        FieldKind::Int { .. } => ScalarKind::Int,
        FieldKind::Decimal { .. } => ScalarKind::Decimal,
        FieldKind::Date => ScalarKind::Date,
        FieldKind::Timestamp => ScalarKind::Timestamp,
        FieldKind::Bytes { .. } => ScalarKind::Bytes,
        FieldKind::List { .. } | FieldKind::Struct(_) => return None,
    })
}

/// The field at a dotted path of names through structs, and its positions.
pub(crate) fn resolve<'f>(fields: &'f [Field], names: &[&str]) -> Option<(&'f Field, Vec<usize>)> {
    let (first, rest) = names.split_first()?;
    let position = fields.iter().position(|field| field.name == *first)?;
    let field = &fields[position];
    if rest.is_empty() {
        return Some((field, vec![position]));
    }
    let FieldKind::Struct(inner) = &field.kind else {
        return None;
    };
    let (found, mut steps) = resolve(inner, rest)?;
    steps.insert(0, position);
    Some((found, steps))
}

/// The field at a dotted path of names through structs: `address.city`.
pub fn field_at<'f>(fields: &'f [Field], dotted: &str) -> Option<&'f Field> {
    let names: Vec<&str> = dotted.split('.').collect();
    resolve(fields, &names).map(|(field, _)| field)
}

/// Resolves a dotted path that may lead through one top-level list (`legs.amount`), as `match` writes them.
pub fn lookup_path(rt: &RecordType, dotted: &str) -> Option<FieldPath> {
    lookup_field(&rt.fields, dotted).map(|(path, _)| path)
}

/// The same over bare fields, with the field found.
pub(crate) fn lookup_field<'f>(fields: &'f [Field], dotted: &str) -> Option<(FieldPath, &'f Field)> {
    let names: Vec<&str> = dotted.split('.').collect();
    let text = dotted.to_owned();
    if let Some((field, steps)) = resolve(fields, &names) {
        return Some((FieldPath { list: None, steps, kind: scalar_kind(&field.kind), text }, field));
    }
    let position = fields.iter().position(|field| field.name == names[0])?;
    let FieldKind::List { item, .. } = &fields[position].kind else {
        return None;
    };
    let FieldKind::Struct(inner) = &item.kind else {
        return None;
    };
    let (field, steps) = resolve(inner, &names[1..])?;
    Some((FieldPath { list: Some(position), steps, kind: scalar_kind(&field.kind), text }, field))
}

/// The values at a dotted path of one row: one value, or one per item where the path leads through a list.
pub fn path_values<'a>(rows: &Rows<'a>, dotted: &str, row: usize) -> Result<Vec<Scalar<'a>>, TableError> {
    let path = lookup_path(rows.record_type(), dotted).ok_or_else(|| {
        TableError::new(codes::UNKNOWN_COLUMN, dotted, format!("{} has no field `{dotted}`", rows.record_type().name))
    })?;
    Ok(match path.list {
        None => match rows.list_at(&path, row, None) {
            Some((items, range)) if path.kind.is_none() => range.map(|index| items.scalar(index)).collect(),
            _ => vec![rows.scalar(&path, row, None)],
        },
        Some(list) => rows.list_range(list, row).map(|item| rows.scalar(&path, row, Some(item))).collect(),
    })
}

/// One typed column.
#[derive(Debug)]
pub(crate) enum Column<'a> {
    Text(&'a StringArray),
    /// Canonical texts.
    Fraction(&'a StringArray),
    Bool(&'a BooleanArray),
    Int(&'a Int64Array),
    Decimal(&'a Decimal128Array, u8),
    Date(&'a Date32Array),
    Timestamp(&'a TimestampMicrosecondArray),
    Bytes(&'a BinaryArray),
    List(&'a ListArray, Box<Column<'a>>),
    Struct(&'a StructArray, Members<'a>),
}

/// The columns of a record or struct, in declared order, and the order in which record bytes name them.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    pub(crate) columns: Vec<Column<'a>>,
    /// (position, `"name":`), sorted by name.
    pub(crate) sorted: Vec<(usize, Box<[u8]>)>,
}

impl<'a> Members<'a> {
    fn new(fields: &[Field], arrays: &'a [ArrayRef]) -> Option<Self> {
        let columns =
            fields.iter().zip(arrays).map(|(field, array)| Column::new(field, array)).collect::<Option<Vec<_>>>()?;
        let mut order: Vec<usize> = (0..fields.len()).collect();
        order.sort_by(|&a, &b| fields[a].name.cmp(&fields[b].name));
        let sorted = order
            .into_iter()
            .map(|position| (position, format!("\"{}\":", fields[position].name).into_bytes().into_boxed_slice()))
            .collect();
        Some(Members { columns, sorted })
    }
}

impl<'a> Column<'a> {
    fn new(field: &Field, array: &'a ArrayRef) -> Option<Self> {
        let any = array.as_ref();
        Some(match &field.kind {
            FieldKind::Text { .. } | FieldKind::Enum(_) | FieldKind::Uuid => Column::Text(any.as_string_opt::<i32>()?),
            FieldKind::Fraction => Column::Fraction(any.as_string_opt::<i32>()?),
            FieldKind::Bool => Column::Bool(any.as_boolean_opt()?),
            FieldKind::Int { .. } => Column::Int(any.as_primitive_opt::<Int64Type>()?),
            FieldKind::Decimal { scale, .. } => Column::Decimal(any.as_primitive_opt::<Decimal128Type>()?, *scale),
            FieldKind::Date => Column::Date(any.as_primitive_opt::<Date32Type>()?),
            FieldKind::Timestamp => Column::Timestamp(any.as_primitive_opt::<TimestampMicrosecondType>()?),
            FieldKind::Bytes { .. } => Column::Bytes(any.as_binary_opt::<i32>()?),
            FieldKind::List { item, .. } => {
                let list = any.as_list_opt::<i32>()?;
                Column::List(list, Box::new(Column::new(item, list.values())?))
            }
            FieldKind::Struct(inner) => {
                let members = any.as_struct_opt()?;
                Column::Struct(members, Members::new(inner, members.columns())?)
            }
        })
    }

    fn array(&self) -> &dyn Array {
        match self {
            Column::Text(array) | Column::Fraction(array) => *array,
            Column::Bool(array) => *array,
            Column::Int(array) => *array,
            Column::Decimal(array, _) => *array,
            Column::Date(array) => *array,
            Column::Timestamp(array) => *array,
            Column::Bytes(array) => *array,
            Column::List(array, _) => *array,
            Column::Struct(array, _) => *array,
        }
    }

    /// The column at these steps through structs; `None` behind an absent struct.
    pub(crate) fn inside(&self, steps: &[usize], index: usize) -> Option<&Column<'a>> {
        let mut column = self;
        for &step in steps {
            let Column::Struct(array, members) = column else {
                return None;
            };
            if array.is_null(index) {
                return None;
            }
            column = members.columns.get(step)?;
        }
        Some(column)
    }

    /// The items of a present list.
    pub(crate) fn items(&self, index: usize) -> Option<(&Column<'a>, Range<usize>)> {
        match self {
            Column::List(list, items) if list.is_valid(index) => Some((items, list_items(list, index))),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn is_absent(&self, index: usize) -> bool {
        self.array().is_null(index)
    }

    /// The value; absent for lists and structs.
    #[inline]
    pub(crate) fn scalar(&self, index: usize) -> Scalar<'a> {
        match self {
            Column::Text(array) if array.is_valid(index) => Scalar::Text(array.value(index)),
            Column::Decimal(array, scale) if array.is_valid(index) => Scalar::Decimal(array.value(index), *scale),
            Column::Int(array) if array.is_valid(index) => Scalar::Int(array.value(index)),
            Column::Bool(array) if array.is_valid(index) => Scalar::Bool(array.value(index)),
            Column::Date(array) if array.is_valid(index) => Scalar::Date(array.value(index)),
            Column::Timestamp(array) if array.is_valid(index) => Scalar::Timestamp(array.value(index)),
            Column::Bytes(array) if array.is_valid(index) => Scalar::Bytes(array.value(index)),
            Column::Fraction(array) if array.is_valid(index) => {
                Fraction::parse(array.value(index)).map_or(Scalar::Absent, Scalar::Fraction)
            }
            _ => Scalar::Absent,
        }
    }
}

/// The values of a column of typed rows; absent for lists and structs.
pub(crate) fn column_scalars<'a>(field: &Field, array: &'a ArrayRef) -> Vec<Scalar<'a>> {
    match Column::new(field, array) {
        Some(column) => (0..array.len()).map(|row| column.scalar(row)).collect(),
        None => vec![Scalar::Absent; array.len()],
    }
}

/// The child indices of one list.
pub(crate) fn list_items(list: &ListArray, index: usize) -> Range<usize> {
    if list.is_null(index) {
        return 0..0;
    }
    let offsets = list.value_offsets();
    offsets[index] as usize..offsets[index + 1] as usize
}

/// Rows of one record type over a batch of its typed columns.
#[derive(Debug)]
pub struct Rows<'a> {
    record_type: &'a RecordType,
    pub(crate) members: Members<'a>,
    /// `},"type":"…","version":n}`.
    pub(crate) tail: Vec<u8>,
    len: usize,
}

impl<'a> Rows<'a> {
    /// Rows over a batch that has the columns of [`arrow_schema()`], in that order; an error otherwise.
    pub fn new(rt: &'a RecordType, batch: &'a RecordBatch) -> Result<Self, TableError> {
        let expected = arrow_schema(rt);
        let given = batch.schema_ref();
        let mut pairs = expected.fields().iter().zip(given.fields());
        let fits = expected.fields().len() == given.fields().len()
            && pairs.all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
        let members = if fits { Members::new(&rt.fields, batch.columns()) } else { None };
        let members = members.ok_or_else(|| {
            TableError::new(
                codes::WRONG_COLUMN_TYPE,
                "",
                format!("the columns are not the typed columns of {}", rt.name),
            )
        })?;
        let tail = format!("}},\"type\":\"{}\",\"version\":{}}}", rt.name, rt.version).into_bytes();
        Ok(Rows { record_type: rt, members, tail, len: batch.num_rows() })
    }

    /// The type of the rows.
    pub fn record_type(&self) -> &'a RecordType {
        self.record_type
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value at a path of a row; for a path from an item, of the item at that absolute child index.
    /// Absent where the path names a list or a struct, or leads through an absent struct, or no item is given.
    #[inline]
    pub fn scalar(&self, path: &FieldPath, row: usize, item: Option<usize>) -> Scalar<'a> {
        match self.locate(path, row, item) {
            Some((column, index)) => column.scalar(index),
            None => Scalar::Absent,
        }
    }

    /// The value of a top-level int field; `None` where it is absent, or no int.
    pub(crate) fn int(&self, field_index: usize, row: usize) -> Option<i64> {
        match self.members.columns.get(field_index)?.scalar(row) {
            Scalar::Int(value) => Some(value),
            _ => None,
        }
    }

    /// Absolute child indices of the items of a top-level list; empty where it is absent (or no list).
    pub fn list_range(&self, field_index: usize, row: usize) -> Range<usize> {
        match self.members.columns.get(field_index) {
            Some(Column::List(list, _)) => list_items(list, row),
            _ => 0..0,
        }
    }

    /// Whether a top-level field has no value in a row.
    pub fn is_absent(&self, field_index: usize, row: usize) -> bool {
        self.members.columns.get(field_index).is_none_or(|column| column.is_absent(row))
    }

    /// Whether anything, scalar or not, stands at a path.
    pub(crate) fn has(&self, path: &FieldPath, row: usize, item: Option<usize>) -> bool {
        self.locate(path, row, item).is_some_and(|(column, index)| !column.is_absent(index))
    }

    /// The items of a present list at a path.
    pub(crate) fn list_at(
        &self,
        path: &FieldPath,
        row: usize,
        item: Option<usize>,
    ) -> Option<(&Column<'a>, Range<usize>)> {
        let (column, index) = self.locate(path, row, item)?;
        column.items(index)
    }

    /// The column of a path and the index in it; `None` behind an absent struct.
    #[inline]
    fn locate(&self, path: &FieldPath, row: usize, item: Option<usize>) -> Option<(&Column<'a>, usize)> {
        let (column, index, rest) = match path.list {
            None => {
                let (first, rest) = path.steps.split_first()?;
                (self.members.columns.get(*first)?, row, rest)
            }
            Some(list) => match self.members.columns.get(list)? {
                Column::List(_, items) => (items.as_ref(), item?, path.steps.as_slice()),
                _ => return None,
            },
        };
        Some((column.inside(rest, index)?, index))
    }
}
