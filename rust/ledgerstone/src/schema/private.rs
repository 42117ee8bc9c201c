//! Private fields: what is another person's business, and not to be stored in the clear unless the caller says so.

use super::columns::Rows;
use super::module::RecordType;

impl RecordType {
    /// Whether a field of it is private.
    pub(crate) fn has_private_fields(&self) -> bool {
        self.fields.iter().any(|field| field.private.is_some())
    }
}

impl Rows<'_> {
    /// The name of the first private field in which a row has a value.
    pub(crate) fn private_value(&self, row: usize) -> Option<&str> {
        let fields = self.record_type().fields.iter().enumerate();
        fields
            .filter(|(_, field)| field.private.is_some())
            .find(|(place, _)| !self.is_absent(*place, row))
            .map(|(_, field)| field.name.as_str())
    }
}
