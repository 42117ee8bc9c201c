//! Whether a new version of a module fits what the old one let in. Records stay as they were checked, keys and cells go on under the
//! new rules: what an old record or cell could not be under the new version is refused when the module is loaded. Some of it the two
//! files say alone; the rest depends on what is stored.

mod demand;

use std::sync::Arc;

pub use demand::{AddedKey, Demand};

use super::module::{
    BalanceType, CellKind, CellType, CountType, Field, FieldKind, Module, Primitive, RecordType, Rule,
};

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

/// What stands between two versions of a module, in the order of the old file.
#[derive(Debug, Clone, Default)]
pub struct Compatibility {
    /// Why the new file is no next version of the old one, whatever is stored.
    pub reasons: Vec<Incompatibility>,
    /// What has to hold of what is stored.
    pub demands: Vec<Demand>,
}

/// Whether `new` may follow `old`: every reason why it may not, and what it asks of what is stored.
pub fn compat(old: &Module, new: &Module) -> Compatibility {
    let mut found = Compatibility::default();
    if new.name != old.name {
        found.note(&old.name, format!("the new file declares another module, {}", new.name));
        return found;
    }
    if new.version <= old.version {
        found.note(&old.name, format!("version {} is not above version {}", new.version, old.version));
    }
    for role in &old.roles {
        if new.roles.iter().all(|other| other.name != role.name) {
            found.note(&role.name, "the role is gone; members hold it");
        }
    }
    found.constants(old, new);
    for declared in &old.types {
        match new.record_type(&declared.name) {
            None => found.note(&declared.name, "the type is gone; its records stay"),
            Some(now) => found.record_type(declared, now),
        }
    }
    found
}

impl Compatibility {
    fn note(&mut self, place: &str, reason: impl Into<String>) {
        self.reasons.push(Incompatibility { place: place.to_owned(), reason: reason.into() });
    }

    fn record_type(&mut self, old: &RecordType, new: &Arc<RecordType>) {
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
            (FieldKind::Bytes { min: a, .. }, FieldKind::Bytes { min: b, .. }) if b > a => narrowed("min", a, b),
            (FieldKind::Bytes { max: a, .. }, FieldKind::Bytes { max: b, .. }) if b < a => narrowed("max", a, b),
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
    fn keys(&mut self, old: &RecordType, new: &Arc<RecordType>) {
        let keys = |declared: &RecordType| {
            declared.unique_rules().map(|rule| key_text(declared, &declared.rules[rule])).collect::<Vec<_>>()
        };
        let (before, now) = (keys(old), keys(new));
        for (number, key) in before.iter().enumerate() {
            if now.get(number) != Some(key) {
                self.note(&old.name, format!("the unique rule {key} is changed, moved or gone; keys are found by it"));
                return;
            }
        }
        self.demands.extend(AddedKey::between(old, new).into_iter().map(Demand::Keys));
    }

    /// A constant in a `unique` rule is part of it.
    fn constants(&mut self, old: &Module, new: &Module) {
        let value = |module: &Module, name: &str| {
            let (_, value) = module.constants.iter().find(|(known, _)| known == name)?;
            let mut json = Vec::new();
            value.as_scalar().write_json(&mut json);
            Some(json)
        };
        let changed = |name: &str| value(old, name) != value(new, name);
        for declared in &old.types {
            for rule in declared.unique_rules().map(|rule| &declared.rules[rule]) {
                let sources = rule.expressions().flat_map(|expression| words(expression.source()));
                if let Some(name) = sources.filter_map(|word| word.strip_prefix("const.")).find(|name| changed(name)) {
                    let rule = key_text(declared, rule);
                    self.note(
                        &declared.name,
                        format!("const.{name} of the unique rule {rule} is another one; keys are found by it"),
                    );
                }
            }
        }
    }

    fn cell(&mut self, place: &str, old: &CellType, new: &Arc<CellType>) {
        if let (Some(a), Some(b)) = (old.key(), new.key())
            && a != b
        {
            self.note(place, "the cell is named by values of other kinds");
        }
        match (&old.kind, &new.kind) {
            (CellKind::Balance(a), CellKind::Balance(b)) => self.balance(place, a, b, new),
            (CellKind::Count(a), CellKind::Count(b)) => {
                if is_narrower(a, b) {
                    self.demands.push(Demand::Bounds { cell: Arc::clone(new), bounds: Vec::new() });
                }
            }
            (CellKind::Lifecycle(a), CellKind::Lifecycle(b)) => {
                if self.goes_on(place, "state", &a.states, &b.states) && a.initial != b.initial {
                    let reason = "the initial state is another one; what no record touched is in it";
                    self.unused(new, reason);
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

    /// Parts and states are known by their place in all versions, so the old ones stay in front, in their order.
    fn goes_on(&mut self, place: &str, what: &str, old: &[String], new: &[String]) -> bool {
        let Some((_, name)) = old.iter().enumerate().find(|(number, name)| new.get(*number) != Some(name)) else {
            return true;
        };
        let reason = if new.contains(name) {
            format!(
                "the {what} \"{name}\" has another place; the old {what}s stay in front, in their order, and new ones follow"
            )
        } else {
            format!("the {what} \"{name}\" is gone")
        };
        self.note(place, reason);
        false
    }

    fn unused(&mut self, cell: &Arc<CellType>, reason: &str) {
        self.demands.push(Demand::Unused { cell: Arc::clone(cell), reason: reason.to_owned() });
    }

    fn balance(&mut self, place: &str, old: &BalanceType, new: &BalanceType, cell: &Arc<CellType>) {
        if !self.goes_on(place, "part", &old.parts, &new.parts) {
            return;
        }
        if old.scale != new.scale {
            return self.note(place, format!("the scale is {} instead of {}", new.scale, old.scale));
        }
        // A new part has its opening in every cell, old ones included.
        let known = old.parts.len();
        let opening = |balance: &BalanceType| {
            let opening = balance.opening()?;
            Some((0..known).map(|part| opening.part(part)).collect::<Vec<_>>())
        };
        if opening(old) != opening(new) {
            self.unused(cell, "the opening is another one; what no record touched has it");
        }
        let before: Vec<_> = old.bounds.iter().map(|bound| &bound.terms).collect();
        let opening = new.opening();
        // A bound over a part that no cell has yet holds for every one of them.
        let is_there =
            |part: usize| part < known || opening.as_ref().is_some_and(|opening| opening.part(part).is_some());
        let is_new = |number: &usize| {
            let terms = &new.bounds[*number].terms;
            !before.contains(&terms) && terms.iter().all(|(part, _)| is_there(*part))
        };
        let bounds: Vec<usize> = (0..new.bounds.len()).filter(is_new).collect();
        if let Some(broken) = opening.and_then(|opening| new.broken(&bounds, &opening)) {
            self.note(place, format!("the opening breaks {}; what no record touched has it", broken.code));
        } else if !bounds.is_empty() {
            self.demands.push(Demand::Bounds { cell: Arc::clone(cell), bounds });
        }
    }
}

fn is_narrower(old: &CountType, new: &CountType) -> bool {
    new.low > old.low || new.high.is_some_and(|high| old.high.is_none_or(|before| high < before))
}

/// The names in an expression, dotted ones whole.
fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != '.')
}

/// What makes two unique rules the same.
fn key_text(declared: &RecordType, rule: &Rule) -> String {
    let Primitive::Unique { values, versioned } = &rule.primitive else { return String::new() };
    let values = values.iter().map(|value| value.source()).collect::<Vec<_>>().join(", ");
    let field = |place: usize| declared.fields.get(place).map_or("", |field| &field.name);
    let each = rule.each.map_or_else(String::new, |list| format!(" each {}", field(list)));
    let when = rule.when.as_ref().map_or_else(String::new, |when| format!(" when {}", when.source()));
    let versions = versioned.map_or_else(String::new, |versioned| {
        let how = if versioned.replace { "replacing" } else { "appending" };
        format!(" versioned by {} {how}", field(versioned.version))
    });
    format!("({values}){each}{when}{versions}")
}

#[cfg(test)]
mod tests;
