//! Whether a new version of a module fits what the old one let in. Records stay as they were checked, keys and cells go on under the
//! new rules: what an old record or cell could not be under the new version is refused when the module is loaded.

use super::module::{BalanceType, CellKind, CellType, Field, FieldKind, Module, Primitive, RecordType, Rule};

/// Why a new version of a module does not fit the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    /// The type, field, cell or role: `finance.transfer.amount`.
    pub place: String,
    /// What is wrong, and what would fit.
    pub reason: String,
}

impl std::fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// Every reason why `new` is no next version of `old`, in the order of the old file; none where it is one.
pub fn compat(old: &Module, new: &Module) -> Vec<Incompatibility> {
    let mut found = Found(Vec::new());
    if new.name != old.name {
        found.note(&old.name, format!("the new file declares another module, {}", new.name));
        return found.0;
    }
    if new.version <= old.version {
        found.note(&old.name, format!("version {} is not above version {}", new.version, old.version));
    }
    for role in &old.roles {
        if new.roles.iter().all(|other| other.name != role.name) {
            found.note(&role.name, "the role is gone; members hold it");
        }
    }
    for declared in &old.types {
        match new.record_type(&declared.name) {
            None => found.note(&declared.name, "the type is gone; its records stay"),
            Some(now) => found.record_type(declared, now),
        }
    }
    found.0
}

struct Found(Vec<Incompatibility>);

impl Found {
    fn note(&mut self, place: &str, reason: impl Into<String>) {
        self.0.push(Incompatibility { place: place.to_owned(), reason: reason.into() });
    }

    fn record_type(&mut self, old: &RecordType, new: &RecordType) {
        self.fields(&old.name, &old.fields, &new.fields);
        self.keys(old, new);
        for cell in &old.cells {
            let place = format!("{}.{}", old.name, cell.name);
            match new.cells.iter().find(|other| other.name == cell.name) {
                None => self.note(&place, "the cell is gone; its values stay"),
                Some(now) => self.cell(&place, cell, now),
            }
        }
    }

    fn fields(&mut self, prefix: &str, old: &[Field], new: &[Field]) {
        for field in old {
            let place = format!("{prefix}.{}", field.name);
            match new.iter().find(|other| other.name == field.name) {
                None => self.note(&place, "the field is gone; make it optional instead and leave it out"),
                Some(now) => {
                    if now.required && !field.required {
                        self.note(&place, "the field is required now; older records may lack it");
                    }
                    self.kind(&place, &field.kind, &now.kind);
                }
            }
        }
        for field in new.iter().filter(|field| field.required) {
            if old.iter().all(|other| other.name != field.name) {
                self.note(&format!("{prefix}.{}", field.name), "a new field is optional: older records lack it");
            }
        }
    }

    fn kind(&mut self, place: &str, old: &FieldKind, new: &FieldKind) {
        let narrowed = |what: &str, from: &dyn std::fmt::Display, to: &dyn std::fmt::Display| {
            format!("{what} is narrowed from {from} to {to}; older records may lie outside")
        };
        let reason = match (old, new) {
            (FieldKind::Text { max: a, .. }, FieldKind::Text { max: b, .. }) if b < a => narrowed("max", a, b),
            (FieldKind::Text { format: a, .. }, FieldKind::Text { format: Some(b), .. })
                if a.as_ref().is_none_or(|a| !a.is_same(b)) =>
            {
                "the format is added or changed; older records may not have it".to_owned()
            }
            (FieldKind::Enum(a), FieldKind::Enum(b)) => match a.iter().find(|word| !b.contains(word)) {
                Some(word) => format!("the value \"{word}\" is gone"),
                None => return,
            },
            (FieldKind::Int { min: a, .. }, FieldKind::Int { min: b, .. }) if b > a => narrowed("min", a, b),
            (FieldKind::Int { max: a, .. }, FieldKind::Int { max: b, .. }) if b < a => narrowed("max", a, b),
            (FieldKind::Decimal { scale: a, .. }, FieldKind::Decimal { scale: b, .. }) if b < a => {
                narrowed("scale", a, b)
            }
            (FieldKind::Decimal { precision: p, scale: a }, FieldKind::Decimal { precision: q, scale: b })
                if q - b < p - a =>
            {
                narrowed("the number of digits before the point", &(p - a), &(q - b))
            }
            (FieldKind::Bytes { max: a }, FieldKind::Bytes { max: b }) if b < a => narrowed("max", a, b),
            (FieldKind::List { max: a, .. }, FieldKind::List { max: b, .. }) if b < a => narrowed("max", a, b),
            (FieldKind::List { item: a, .. }, FieldKind::List { item: b, .. }) => {
                return self.kind(&format!("{place}.item"), &a.kind, &b.kind);
            }
            (FieldKind::Struct(a), FieldKind::Struct(b)) => return self.fields(place, a, b),
            (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => "the type is another one".to_owned(),
            _ => return,
        };
        self.note(place, reason);
    }

    /// Keys are known by their number among the keys of the type, so the list of them stays as it is.
    fn keys(&mut self, old: &RecordType, new: &RecordType) {
        let keys = |declared: &RecordType| declared.rules.iter().filter_map(key_text).collect::<Vec<_>>();
        let (before, now) = (keys(old), keys(new));
        for (number, key) in before.iter().enumerate() {
            if now.get(number) != Some(key) {
                self.note(&old.name, format!("the unique rule {key} is changed, moved or gone; keys are found by it"));
                return;
            }
        }
        if let Some(added) = now.get(before.len()) {
            self.note(
                &old.name,
                format!("the unique rule {added} is new; the records that are there have no such key"),
            );
        }
    }

    fn cell(&mut self, place: &str, old: &CellType, new: &CellType) {
        if let (Some(a), Some(b)) = (old.key(), new.key())
            && a != b
        {
            self.note(place, "the cell is named by values of other kinds");
        }
        match (&old.kind, &new.kind) {
            (CellKind::Balance(a), CellKind::Balance(b)) => self.balance(place, a, b),
            (CellKind::Count(a), CellKind::Count(b)) => {
                if b.low > a.low || b.high.is_some_and(|high| a.high.is_none_or(|before| high < before)) {
                    self.note(place, "the bounds of the count are narrowed; counts may lie outside");
                }
            }
            (CellKind::Lifecycle(a), CellKind::Lifecycle(b)) => {
                if let Some(state) = a.states.iter().find(|state| !b.states.contains(state)) {
                    self.note(place, format!("the state \"{state}\" is gone"));
                }
                let initial = |states: &[String], initial: Option<u8>| {
                    initial.and_then(|state| states.get(usize::from(state)).cloned())
                };
                if initial(&a.states, a.initial) != initial(&b.states, b.initial) {
                    self.note(place, "the initial state is another one; cells that nothing touched are in it");
                }
            }
            (CellKind::Holder(_), CellKind::Holder(_)) => {}
            (CellKind::Sequence(a), CellKind::Sequence(b)) => {
                if a.order != b.order || a.kind != b.kind {
                    self.note(place, "the sequence has another order or other values");
                }
            }
            (a, b) => self.note(place, format!("a {} became a {}", a.name(), b.name())),
        }
    }

    fn balance(&mut self, place: &str, old: &BalanceType, new: &BalanceType) {
        if let Some(part) = old.parts.iter().find(|part| !new.parts.contains(part)) {
            return self.note(place, format!("the part \"{part}\" is gone"));
        }
        if old.scale != new.scale {
            self.note(place, format!("the scale is {} instead of {}", new.scale, old.scale));
        }
        let opening = |balance: &BalanceType| {
            let named = |(part, amount): &(usize, i128)| (balance.parts[*part].clone(), *amount);
            let mut parts = balance.opening.as_ref().map(|opening| opening.iter().map(named).collect::<Vec<_>>());
            if let Some(parts) = &mut parts {
                parts.sort();
            }
            parts
        };
        if opening(old) != opening(new) {
            self.note(place, "the opening is another one; cells that nothing touched have it");
        }
        let terms = |balance: &BalanceType| -> Vec<Vec<(String, i64)>> {
            let named = |(part, times): &(usize, i64)| (balance.parts[*part].clone(), *times);
            let mut bounds: Vec<Vec<(String, i64)>> =
                balance.bounds.iter().map(|bound| bound.terms.iter().map(named).collect()).collect();
            bounds.iter_mut().for_each(|bound| bound.sort());
            bounds
        };
        let before = terms(old);
        for (bound, now) in new.bounds.iter().zip(terms(new)) {
            // A bound over a part that no cell has yet holds for every one of them.
            let is_old = now.iter().all(|(part, _)| old.parts.contains(part));
            if is_old && !before.contains(&now) {
                self.note(place, format!("the bound {} is new; balances may break it", bound.reason.code));
            }
        }
    }
}

/// What makes two unique rules the same.
fn key_text(rule: &Rule) -> Option<String> {
    let Primitive::Unique { values, versioned } = &rule.primitive else { return None };
    let values = values.iter().map(|value| value.source()).collect::<Vec<_>>().join(", ");
    let when = rule.when.as_ref().map_or_else(String::new, |when| format!(" when {}", when.source()));
    let versions = match versioned {
        None => "",
        Some(versioned) if versioned.replace => " versioned by replacing",
        Some(_) => " versioned by appending",
    };
    Some(format!("({values}){when}{versions}"))
}

#[cfg(test)]
mod tests;
