//! The fields of the record that an expression looks at: what an error names where a rule fails.

use std::collections::BTreeMap;

use super::{Expr, ListPath, Node};
use crate::schema::columns::FieldPath;
use crate::schema::module::{Field, FieldKind, RecordType};

/// The fields found so far, in the order of the record. Of a list, `legs[1].amount` where it is known which item failed, else
/// `legs.amount`.
pub(crate) struct Fields<'t> {
    record_type: &'t RecordType,
    /// The item at which the rule failed: its list, and its place in that.
    item: Option<(usize, usize)>,
    /// By positions of fields, from the outside in.
    found: BTreeMap<Vec<usize>, String>,
}

/// A place in a record.
#[derive(Clone)]
struct Spot<'t> {
    order: Vec<usize>,
    path: String,
    /// What stands there.
    field: &'t Field,
}

impl<'t> Fields<'t> {
    /// Those of a rule that failed; `item` is the list that it runs over, and which of its items it is.
    pub(crate) fn new(record_type: &'t RecordType, item: Option<(usize, usize)>) -> Self {
        Fields { record_type, item, found: BTreeMap::new() }
    }

    /// Adds those that an expression looks at.
    pub(crate) fn add(&mut self, expr: &Expr) {
        self.node(&expr.node, None);
    }

    /// Adds a field of the record.
    pub(crate) fn add_field(&mut self, position: usize) {
        if let Some(field) = self.record_type.fields.get(position) {
            self.found.insert(vec![position], field.name.clone());
        }
    }

    /// Their names, in the order of the record; a list or struct is not named beside fields of its own.
    pub(crate) fn names(mut self) -> impl Iterator<Item = String> {
        let orders: Vec<Vec<usize>> = self.found.keys().cloned().collect();
        // What is inside of a place comes next after it.
        for pair in orders.windows(2).filter(|pair| pair[1].starts_with(&pair[0])) {
            self.found.remove(&pair[0]);
        }
        self.found.into_values()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `bound`: the list that the innermost aggregate runs over.
    fn node(&mut self, node: &Node, bound: Option<&Spot<'t>>) {
        match node {
            Node::Literal(_) | Node::Input(_) => {}
            Node::Field(path) | Node::HasField(path) => self.path(path, None),
            Node::Bound(path) | Node::HasBound(path) => self.path(path, bound),
            Node::SizeOfList(list) => self.list(list, bound),
            Node::Found { lookup, list, .. } => self.lookup(*lookup, list.is_some_and(|(_, is_bound)| is_bound)),
            Node::Conditional(all) => all.iter().for_each(|node| self.node(node, bound)),
            Node::Not(inner) | Node::Negate(inner) | Node::Decimal(inner) | Node::Has(inner) => self.node(inner, bound),
            Node::And(left, right)
            | Node::Or(left, right)
            | Node::Compare(_, left, right)
            | Node::Arithmetic(_, left, right) => {
                self.node(left, bound);
                self.node(right, bound);
            }
            Node::In(value, all) => {
                self.node(value, bound);
                all.iter().for_each(|node| self.node(node, bound));
            }
            Node::InList(value, place) => {
                self.node(value, bound);
                let (list, path) = &**place;
                let list = self.spot(&list.path, bound.filter(|_| list.bound));
                self.path(path, list.as_ref());
            }
            Node::Coalesce(all) | Node::Call(_, all) => all.iter().for_each(|node| self.node(node, bound)),
            Node::Aggregate(aggregate) => {
                let list = self.spot(&aggregate.list.path, bound.filter(|_| aggregate.list.bound));
                let before = self.found.len();
                self.node(&aggregate.value, list.as_ref());
                aggregate.condition.iter().for_each(|node| self.node(node, list.as_ref()));
                if self.found.len() == before {
                    self.list(&aggregate.list, bound);
                }
            }
            Node::Apportion(apportion) => {
                self.node(&apportion.total, bound);
                // The weights of all items are looked at.
                let item = self.item.take();
                self.node(&apportion.weight, bound);
                self.item = item;
            }
        }
    }

    fn list(&mut self, list: &ListPath, bound: Option<&Spot<'t>>) {
        self.path(&list.path, bound.filter(|_| list.bound));
    }

    /// A lookup stands for what it looks for. `all`: for every item of its list.
    fn lookup(&mut self, lookup: usize, all: bool) {
        let Some(lookup) = self.record_type.lookups.get(lookup) else { return };
        let item = self.item;
        self.item = item.filter(|_| !all);
        lookup.candidates.iter().flat_map(|tried| tried.at.iter().chain(&tried.by)).for_each(|key| self.add(key));
        self.item = item;
    }

    fn path(&mut self, path: &FieldPath, from: Option<&Spot<'t>>) {
        if let Some(Spot { order, path, .. }) = self.spot(path, from) {
            self.found.entry(order).or_insert(path);
        }
    }

    /// Where a path leads, from the record, from an item of the rule's list, or from an item of the list at `from`.
    fn spot(&self, path: &FieldPath, from: Option<&Spot<'t>>) -> Option<Spot<'t>> {
        let fields: &'t [Field] = &self.record_type.fields;
        let top = |position: usize| {
            let field = fields.get(position)?;
            Some(Spot { order: vec![position], path: field.name.clone(), field })
        };
        let mut spot = from.cloned();
        if let Some(list) = path.list {
            let mut item = top(list)?;
            if let Some((_, place)) = self.item.filter(|(of, _)| *of == list) {
                item.path.push_str(&format!("[{place}]"));
            }
            spot = Some(item);
        }
        for &position in &path.steps {
            spot = match spot {
                None => Some(top(position)?),
                Some(outer) => Some(outer.inner(position)?),
            };
        }
        spot
    }
}

impl<'t> Spot<'t> {
    /// A field of the struct, or of the items of the list, that stands here.
    fn inner(mut self, position: usize) -> Option<Spot<'t>> {
        let kind = match &self.field.kind {
            FieldKind::List { item, .. } => &item.kind,
            kind => kind,
        };
        let FieldKind::Struct(inner) = kind else { return None };
        self.field = inner.get(position)?;
        self.order.push(position);
        self.path.push('.');
        self.path.push_str(&self.field.name);
        Some(self)
    }
}
