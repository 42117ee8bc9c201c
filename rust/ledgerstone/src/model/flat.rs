//! Many rows of named values, kept flat: no allocation for a row, and one for the texts of a thousand.

use std::sync::Arc;

use super::value::{Value, ValueRef};

/// Where one value is.
#[derive(Clone, Copy, Debug)]
enum Slot {
    Null,
    Bool(bool),
    Int(i64),
    /// Start and length in the texts.
    Text(u32, u32),
    /// Place among the values.
    Value(u32),
}

/// Rows of one shape as a caller hands them over, not yet checked: for each row one value of each name, in the order of the names.
/// Rows that have another shape stand among them as they are.
///
/// It says the same as a `Vec<Value>` of objects, and costs a tenth of it.
#[derive(Clone, Debug)]
pub struct FlatRows {
    names: Arc<[String]>,
    slots: Vec<Slot>,
    texts: String,
    values: Vec<Value>,
    /// Rows of another shape, ascending: their slots are null.
    odd: Vec<(usize, Value)>,
    rows: usize,
}

impl FlatRows {
    /// No rows yet, of values with these names.
    pub fn new(names: Arc<[String]>) -> Self {
        FlatRows { names, slots: Vec::new(), texts: String::new(), values: Vec::new(), odd: Vec::new(), rows: 0 }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of whole rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The next value of the row: absent.
    pub fn push_null(&mut self) {
        self.slots.push(Slot::Null);
    }

    /// The next value of the row: a truth value.
    pub fn push_bool(&mut self, value: bool) {
        self.slots.push(Slot::Bool(value));
    }

    /// The next value of the row: an integer.
    pub fn push_int(&mut self, value: i64) {
        self.slots.push(Slot::Int(value));
    }

    /// The next value of the row: text.
    pub fn push_text(&mut self, text: &str) {
        match (u32::try_from(self.texts.len()), u32::try_from(text.len())) {
            (Ok(start), Ok(length)) => {
                self.texts.push_str(text);
                self.slots.push(Slot::Text(start, length));
            }
            _ => self.push_value(Value::Text(text.to_owned())),
        }
    }

    /// The next value of the row: any.
    pub fn push_value(&mut self, value: Value) {
        self.slots.push(Slot::Value(self.values.len() as u32));
        self.values.push(value);
    }

    /// Ends the row. Values that were not pushed are absent, what was pushed beyond the names is dropped.
    pub fn end_row(&mut self) {
        self.rows += 1;
        self.slots.resize(self.rows * self.names.len(), Slot::Null);
    }

    /// Ends the row as this value, in place of what was pushed of it.
    pub fn end_row_as(&mut self, row: Value) {
        self.slots.truncate(self.rows * self.names.len());
        self.odd.push((self.rows, row));
        self.end_row();
    }

    /// A row of another shape; `None` where the row has the shape of the names.
    pub fn odd(&self, row: usize) -> Option<&Value> {
        let place = self.odd.binary_search_by_key(&row, |(at, _)| *at).ok()?;
        Some(&self.odd[place].1)
    }

    /// A row as an object of named values, or what stands in its place.
    pub fn to_value(&self, row: usize) -> Value {
        if let Some(odd) = self.odd(row) {
            return odd.clone();
        }
        let value = |place: usize| match self.slots[row * self.names.len() + place] {
            Slot::Null => None,
            Slot::Bool(value) => Some(Value::Bool(value)),
            Slot::Int(value) => Some(Value::Int(value)),
            Slot::Text(start, length) => {
                Some(Value::Text(self.texts[start as usize..start as usize + length as usize].to_owned()))
            }
            Slot::Value(place) => Some(self.values[place as usize].clone()),
        };
        let named = self.names.iter().enumerate();
        Value::Object(named.filter_map(|(place, name)| Some((name.clone(), value(place)?))).collect())
    }

    /// Bytes of the texts and bytes of a row that has the shape of the names.
    pub fn row_bytes(&self, row: usize) -> usize {
        let slots = &self.slots[row * self.names.len()..(row + 1) * self.names.len()];
        let bytes = |slot: &Slot| match slot {
            Slot::Text(_, length) => *length as usize,
            Slot::Value(place) => self.values[*place as usize].bytes(),
            _ => 0,
        };
        slots.iter().map(bytes).sum()
    }

    /// The value of a row at the place of a name.
    pub fn value(&self, row: usize, place: usize) -> ValueRef<'_> {
        match self.slots[row * self.names.len() + place] {
            Slot::Null => ValueRef::Null,
            Slot::Bool(value) => ValueRef::Bool(value),
            Slot::Int(value) => ValueRef::Int(value),
            Slot::Text(start, length) => ValueRef::Text(&self.texts[start as usize..start as usize + length as usize]),
            Slot::Value(place) => ValueRef::from(&self.values[place as usize]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_pushed() {
        let mut rows = FlatRows::new(["a", "b"].map(str::to_owned).into());
        rows.push_text("é");
        rows.push_int(7);
        rows.end_row();
        rows.push_text("dropped");
        rows.end_row_as(Value::Bool(true));
        rows.push_value(Value::Date(3));
        rows.end_row();
        assert_eq!(rows.len(), 3);
        assert_eq!([rows.value(0, 0), rows.value(0, 1)], [ValueRef::Text("é"), ValueRef::Int(7)]);
        assert_eq!((rows.odd(0), rows.odd(1)), (None, Some(&Value::Bool(true))));
        assert_eq!([rows.value(2, 0), rows.value(2, 1)], [ValueRef::Date(3), ValueRef::Null]);
        let object = |members: &[(&str, Value)]| {
            Value::Object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
        };
        let first = object(&[("a", Value::Text("é".to_owned())), ("b", Value::Int(7))]);
        let whole = [first, Value::Bool(true), object(&[("a", Value::Date(3))])];
        assert_eq!([0, 1, 2].map(|row| rows.to_value(row)), whole);
    }
}
