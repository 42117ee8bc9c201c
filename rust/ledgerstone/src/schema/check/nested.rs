//! Lists and structs of tables, and the way from a value inside them back to its row.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StructArray, UInt64Array, new_null_array};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType, Field as ArrowField};
use arrow_select::take::take;

use super::arrow::{convert, convert_fields, misfit};
use super::builder::Builder;
use super::failure::{Failures, Fault, Place};
use super::scalars::too_long;
use super::{arrow_fields, arrow_type, item_field};
use crate::codes;
use crate::schema::error::{TableError, suggestion};
use crate::schema::module::{Field, FieldKind};

/// Where the slots of an array stand in the table.
pub(super) struct Scope<'p> {
    parent: Parent<'p>,
    position: usize,
    name: &'p str,
    len: usize,
    /// Slots whose enclosing struct is absent are null here: nothing in them counts.
    live: Option<NullBuffer>,
}

enum Parent<'p> {
    /// Slots are rows.
    Table,
    /// Slots are those of the enclosing array.
    Struct(&'p Scope<'p>),
    /// Slots are items of the lists between these offsets.
    List(&'p Scope<'p>, &'p OffsetBuffer<i32>),
}

impl<'p> Scope<'p> {
    pub(super) fn top(len: usize) -> Scope<'static> {
        Scope { parent: Parent::Table, position: 0, name: "", len, live: None }
    }

    /// The scope of a field of this one.
    pub(super) fn field<'s>(&'s self, position: usize, name: &'s str) -> Scope<'s> {
        Scope { parent: Parent::Struct(self), position, name, len: self.len, live: self.live.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Dotted path of the column, without indices.
    pub(super) fn path(&self) -> String {
        let above = match &self.parent {
            Parent::Table => return String::new(),
            Parent::Struct(above) => above.path(),
            Parent::List(above, _) => return above.path(),
        };
        if above.is_empty() { self.name.to_owned() } else { format!("{above}.{}", self.name) }
    }

    /// The row of a slot, and its place in it.
    fn locate(&self, index: usize) -> (usize, Place) {
        match &self.parent {
            Parent::Table => (index, Place::default()),
            Parent::Struct(above) => {
                let (row, place) = above.locate(index);
                (row, place.field(self.position, self.name))
            }
            Parent::List(above, offsets) => {
                // The last list that starts at or before the slot: empty lists before it start there too.
                let list = offsets.partition_point(|start| *start as usize <= index) - 1;
                let (row, place) = above.locate(list);
                (row, place.item(index - offsets[list] as usize))
            }
        }
    }

    /// This scope, with other live slots.
    fn with_live(&self, live: Option<NullBuffer>) -> Scope<'p> {
        let parent = match &self.parent {
            Parent::Table => Parent::Table,
            Parent::Struct(above) => Parent::Struct(above),
            Parent::List(above, offsets) => Parent::List(above, offsets),
        };
        Scope { parent, position: self.position, name: self.name, len: self.len, live }
    }

    fn is_live(&self, index: usize) -> bool {
        self.live.as_ref().is_none_or(|live| live.is_valid(index))
    }

    pub(super) fn note(&self, index: usize, fault: Fault, failures: &mut Failures) {
        if self.is_live(index) {
            let (row, place) = self.locate(index);
            failures.note(row, place, fault);
        }
    }

    pub(super) fn note_all(&self, which: impl Fn(usize) -> bool, fault: impl Fn() -> Fault, failures: &mut Failures) {
        (0..self.len).filter(|index| which(*index)).for_each(|index| self.note(index, fault(), failures));
    }

    /// Notes what is wrong with each present value.
    pub(super) fn check_each(
        &self,
        array: &dyn Array,
        check: impl Fn(usize) -> Option<Fault>,
        failures: &mut Failures,
    ) {
        super::decimal::each(array, check, &mut |index, fault| self.note(index, fault, failures));
    }

    /// A value per slot; the default where it is null or does not fit.
    pub(super) fn build<T: Default>(
        &self,
        array: &dyn Array,
        failures: &mut Failures,
        value: impl Fn(usize) -> Result<T, Fault>,
    ) -> Vec<T> {
        let slot = |index: usize| {
            if array.is_null(index) {
                return T::default();
            }
            value(index).unwrap_or_else(|fault| {
                self.note(index, fault, failures);
                T::default()
            })
        };
        (0..array.len()).map(slot).collect()
    }
}

/// A column of placeholders, for a required field without any value.
pub(super) fn placeholders(kind: &FieldKind, len: usize) -> ArrayRef {
    let mut builder = Builder::new(kind);
    (0..len).for_each(|_| builder.absent(true));
    builder.finish(true)
}

/// A column of an optional field without any value. The members of an absent struct are no nulls where they are required.
pub(super) fn absent(kind: &FieldKind, len: usize) -> ArrayRef {
    if !matches!(kind, FieldKind::Struct(_)) {
        return new_null_array(&arrow_type(kind), len);
    }
    let mut builder = Builder::new(kind);
    (0..len).for_each(|_| builder.absent(false));
    builder.finish(false)
}

/// A typed list column: compact, its items checked.
pub(super) fn list(
    field: &Field,
    item: &Field,
    max: usize,
    array: &ArrayRef,
    here: &Scope<'_>,
    failures: &mut Failures,
) -> Result<ArrayRef, TableError> {
    let inner: Arc<ArrowField> = match array.data_type() {
        DataType::List(inner)
        | DataType::LargeList(inner)
        | DataType::ListView(inner)
        | DataType::LargeListView(inner)
        | DataType::FixedSizeList(inner, _) => Arc::clone(inner),
        other => return Err(misfit(field, other, here, "")),
    };
    let narrow = cast(array, &DataType::List(inner))
        .map_err(|error| misfit(field, array.data_type(), here, &error.to_string()))?;
    let lists = narrow.as_list_opt::<i32>().ok_or_else(|| misfit(field, array.data_type(), here, ""))?;
    here.check_each(
        lists,
        |index| {
            Some(lists.value_length(index) as usize)
                .filter(|length| length > &max)
                .map(|length| too_long("list", length, "items", max))
        },
        failures,
    );
    let valid = NullBuffer::union(lists.nulls(), here.live.as_ref());
    let (offsets, items) =
        compact(lists, valid.as_ref()).map_err(|error| misfit(field, array.data_type(), here, &error))?;
    let scope = Scope { parent: Parent::List(here, &offsets), position: 0, name: "", len: items.len(), live: None };
    let typed = convert(&Field { required: true, ..item.clone() }, &items, &scope, failures)?;
    let nulls = if field.required { None } else { lists.nulls().cloned() };
    let built = ListArray::try_new(item_field(item), offsets.clone(), typed, nulls);
    built
        .map(|list| Arc::new(list) as ArrayRef)
        .map_err(|error| misfit(field, array.data_type(), here, &error.to_string()))
}

/// Offsets from zero and just the items that the valid lists hold.
fn compact(lists: &ListArray, valid: Option<&NullBuffer>) -> Result<(OffsetBuffer<i32>, ArrayRef), String> {
    let offsets = lists.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[lists.len()] as usize);
    let gap = valid.is_some_and(|valid| {
        (0..lists.len()).any(|index| valid.is_null(index) && offsets[index] != offsets[index + 1])
    });
    if !gap {
        let moved: Vec<i32> = offsets.iter().map(|offset| offset - offsets[0]).collect();
        return Ok((OffsetBuffer::new(ScalarBuffer::from(moved)), lists.values().slice(first, last - first)));
    }
    let mut kept: Vec<u64> = Vec::new();
    let mut moved = vec![0i32];
    for index in 0..lists.len() {
        if valid.is_none_or(|valid| valid.is_valid(index)) {
            kept.extend(offsets[index] as u64..offsets[index + 1] as u64);
        }
        moved.push(kept.len() as i32);
    }
    let items = take(lists.values(), &UInt64Array::from(kept), None).map_err(|error| error.to_string())?;
    Ok((OffsetBuffer::new(ScalarBuffer::from(moved)), items))
}

/// A typed struct column, its members by name.
pub(super) fn structure(
    field: &Field,
    fields: &[Field],
    array: &ArrayRef,
    here: &Scope<'_>,
    failures: &mut Failures,
) -> Result<ArrayRef, TableError> {
    let given: &StructArray = array.as_struct_opt().ok_or_else(|| misfit(field, array.data_type(), here, ""))?;
    for name in given.column_names() {
        if fields.iter().all(|field| field.name != name) {
            let near = suggestion(name, fields.iter().map(|field| field.name.as_str()));
            let path = if here.path().is_empty() { name.to_owned() } else { format!("{}.{name}", here.path()) };
            return Err(TableError::new(
                codes::UNKNOWN_COLUMN,
                path,
                format!("the struct \"{}\" has no field \"{name}\"{near}", here.path()),
            ));
        }
    }
    let live = NullBuffer::union(given.nulls(), here.live.as_ref());
    // A required struct that is missing is noted already: what is missing inside it is not noted again.
    let scope = here.with_live(live);
    let members = convert_fields(fields, &|name| given.column_by_name(name), &scope, failures)?;
    let nulls = if field.required { None } else { given.nulls().cloned() };
    let built = StructArray::try_new_with_length(arrow_fields(fields), members, nulls, array.len());
    built
        .map(|members| Arc::new(members) as ArrayRef)
        .map_err(|error| misfit(field, array.data_type(), here, &error.to_string()))
}
