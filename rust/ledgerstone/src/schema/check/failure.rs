//! Collecting the first reason of each row, in the order of declared fields.

use std::collections::BTreeMap;

use crate::schema::error::RowFailure;

/// A fault of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Fault { code, message: message.into() }
    }
}

/// The place of a value in a record.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Positions of fields and list items from the outside in: the order of reasons.
    pub(super) order: Vec<usize>,
    /// `legs[2].amount`.
    pub(super) path: String,
}

impl Place {
    /// The place of a field in this one.
    pub(super) fn field(&self, position: usize, name: &str) -> Place {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        self.at(position, path)
    }

    /// The place of an item of this list.
    pub(super) fn item(&self, index: usize) -> Place {
        self.at(index, format!("{}[{index}]", self.path))
    }

    fn at(&self, position: usize, path: String) -> Place {
        let mut order = self.order.clone();
        order.push(position);
        Place { order, path }
    }
}

/// Failures by row: the least place stays, and at one place the first noted.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<usize, (Vec<usize>, RowFailure)>);

impl Failures {
    pub(super) fn note(&mut self, row: usize, place: Place, fault: Fault) {
        if self.0.get(&row).is_some_and(|(order, _)| *order <= place.order) {
            return;
        }
        let failure = RowFailure { row, field: place.path, code: fault.code, message: fault.message };
        self.0.insert(row, (place.order, failure));
    }

    pub(super) fn sorted(self) -> Vec<RowFailure> {
        self.0.into_values().map(|(_, failure)| failure).collect()
    }
}
