//! Rules that make records, and rules that count them.

use super::links::Target;
use super::rules::Draft;
use super::table::Text;
use crate::schema::columns::{resolve, scalar_kind};
use crate::schema::error::suggestion;
use crate::schema::expr::Expr;
use crate::schema::module::{EmitField, Field, FieldKind, Primitive, Tally, TallyMethod};
use crate::schema::scalar::ScalarKind;

const METHODS: [(&str, TallyMethod); 6] = [
    ("plurality", TallyMethod::Plurality),
    ("approval", TallyMethod::Approval),
    ("weighted", TallyMethod::Weighted),
    ("quadratic", TallyMethod::Quadratic),
    ("ranked", TallyMethod::Ranked),
    ("copeland", TallyMethod::Copeland),
];

impl Draft<'_, '_> {
    pub(super) fn emit(&self) -> Option<Primitive> {
        let text = self.table.text("emit")?;
        let target = self.target(&text)?;
        let own = self.shapes.iter().any(|shape| shape.name == target.name);
        if !own && !target.accepts.contains(&self.shape.name) {
            let message = format!("{} takes no records made by {}", target.name, self.shape.name);
            self.reader.source.fault(
                text.span.start,
                message,
                "",
                format!("accepts = [\"{}\"] there", self.shape.name),
            );
        }
        self.reader.note_emit(&self.shape.name, &target.name, text.span.start);
        let set = self.emitted_fields(&target);
        self.demand_required(&target.fields, "", &set);
        Some(Primitive::Emit { target: target.name, set })
    }

    fn emitted_fields(&self, target: &Target) -> Vec<EmitField> {
        if !self.table.has("set") {
            self.table.fault("`emit` needs \"set\": the fields of the record that is made");
        }
        let mut set: Vec<EmitField> = Vec::new();
        for entry in self.table.table("set").map_or_else(Vec::new, |table| table.entries()) {
            let words: Vec<&str> = entry.name.split('.').collect();
            let found = resolve(&target.fields, &words).map(|(field, _)| field);
            let Some(kind) = found.and_then(|field| scalar_kind(&field.kind)) else {
                let names = target.fields.iter().map(|field| field.name.as_str());
                let message =
                    format!("{} has no scalar field `{}`{}", target.name, entry.name, suggestion(entry.name, names));
                self.reader.source.fault(entry.at, message, format!("\"{}\"", entry.name), "");
                continue;
            };
            if target.is_private(entry.name) {
                let message = format!("`{}` is private: a rule does not set it", entry.name);
                self.reader.source.fault(
                    entry.at,
                    message,
                    format!("\"{}\"", entry.name),
                    "a field that is not private",
                );
            }
            let (one, many) = entry.text_or_texts(self.reader.source);
            let joined = one.is_none();
            let kinds: &[ScalarKind] = match (joined, kind) {
                (true, _) => &[ScalarKind::Text],
                (false, ScalarKind::Decimal) => &[ScalarKind::Decimal, ScalarKind::Int],
                (false, _) => &[kind],
            };
            if joined && kind != ScalarKind::Text {
                let message = format!("`{}` is a {}: only texts are joined", entry.name, kind.name());
                self.reader.source.fault(entry.value.span().start, message, "", "one expression");
            }
            let texts: Vec<Text> = one.into_iter().chain(many).collect();
            let read: Vec<Option<Expr>> = texts.iter().map(|text| self.expr(text, kinds)).collect();
            if let Some(value) = read.into_iter().collect::<Option<Vec<Expr>>>().filter(|value| !value.is_empty()) {
                set.push(EmitField { field: entry.name.to_owned(), value });
            }
        }
        set
    }

    /// Notes a required field of the target that is not set.
    fn demand_required(&self, fields: &[Field], prefix: &str, set: &[EmitField]) {
        for field in fields.iter().filter(|field| field.required) {
            let name = format!("{prefix}{}", field.name);
            match &field.kind {
                FieldKind::Struct(inner) => self.demand_required(inner, &format!("{name}."), set),
                _ if set.iter().any(|given| given.field == name) => {}
                _ => self.table.fault_at("set", format!("the required field `{name}` is not set")),
            }
        }
    }

    pub(super) fn tally(&self) -> Option<Primitive> {
        let text = self.table.text("tally")?;
        let target = self.target(&text)?;
        if !target.is_keyed {
            let message = format!("{} is counted by its key, and not every record of it has one", target.name);
            let expected = "a type whose first `unique` names required fields, without `when`";
            self.reader.source.fault(text.span.start, message, format!("\"{}\"", text.value), expected);
        }
        let named = self.table.required_text("a `tally` rule", "method")?;
        let Some((_, method)) = METHODS.iter().find(|(name, _)| *name == named.value) else {
            let names = METHODS.map(|(name, _)| name);
            let message = format!("unknown method \"{}\"{}", named.value, suggestion(&named.value, names));
            let found = format!("\"{}\"", named.value);
            self.reader.source.fault(named.span.start, message, found, format!("one of {}", names.join(", ")));
            return None;
        };
        let is_many = matches!(method, TallyMethod::Approval | TallyMethod::Ranked | TallyMethod::Copeland);
        let choice = self.table.required_text("a `tally` rule", "choice")?;
        let wanted = if is_many { "a list of texts" } else { "a text" };
        self.their_field(&target, &choice, wanted, |kind| match kind {
            FieldKind::List { item, .. } => is_many && scalar_kind(&item.kind) == Some(ScalarKind::Text),
            other => !is_many && scalar_kind(other) == Some(ScalarKind::Text),
        });
        let weight = self.table.text("weight");
        if let Some(weight) = &weight {
            let is_number = |kind: &FieldKind| scalar_kind(kind).is_some_and(ScalarKind::is_number);
            self.their_field(&target, weight, "a number", is_number);
        } else if matches!(method, TallyMethod::Weighted | TallyMethod::Quadratic) {
            self.table.fault(format!("the method {} needs \"weight\"", named.value));
        }
        let group = self.tally_group(&target);
        let counts = self.table.required_text("a `tally` rule", "counts");
        let counts = counts.and_then(|name| {
            self.own_field(&name, "a list of struct { choice: text, votes: int or decimal }", is_counts)
        });
        let is_text = |kind: &FieldKind| scalar_kind(kind) == Some(ScalarKind::Text);
        let winner = self.table.text("winner").and_then(|name| self.own_field(&name, "a text", is_text));
        Some(Primitive::Tally(Box::new(Tally {
            target: target.name,
            group,
            choice: choice.value,
            weight: weight.map(|weight| weight.value),
            method: *method,
            counts: counts?,
            winner,
        })))
    }

    /// Their fields, each equal to a value of ours.
    fn tally_group(&self, target: &Target) -> Vec<(String, Expr)> {
        let entries = self.table.table("group").map_or_else(Vec::new, |table| table.entries());
        if entries.is_empty() {
            self.table.fault("`tally` needs \"group\": which records are counted, their field = \"our value\"");
        }
        let mut group = Vec::new();
        for entry in entries {
            let name = Text { value: entry.name.to_owned(), span: entry.at..entry.at };
            let field = target.fields.iter().find(|field| field.name == entry.name);
            let kind = field.filter(|field| field.index).and_then(|field| scalar_kind(&field.kind));
            self.their_field(target, &name, "an indexed field", |_| kind.is_some());
            let Some(kind) = kind else { continue };
            let value = entry.text(self.reader.source).and_then(|text| self.expr(&text, &[kind]));
            group.extend(value.map(|value| (entry.name.to_owned(), value)));
        }
        group
    }

    /// Notes a field of the target that is not there or does not fit.
    fn their_field(&self, target: &Target, name: &Text, wanted: &str, fits: impl Fn(&FieldKind) -> bool) {
        let field = target.fields.iter().find(|field| field.name == name.value);
        if field.is_none_or(|field| !fits(&field.kind)) {
            let names = target.fields.iter().map(|field| field.name.as_str());
            let near = if field.is_some() { String::new() } else { suggestion(&name.value, names) };
            let message = format!("{} has no field `{}` that is {wanted}{near}", target.name, name.value);
            self.reader.source.fault(name.span.start, message, format!("\"{}\"", name.value), wanted);
        } else if target.is_private(&name.value) {
            let message = format!("`{}` is private: a tally does not read it", name.value);
            let expected = "a field that is not private";
            self.reader.source.fault(name.span.start, message, format!("\"{}\"", name.value), expected);
        }
    }

    /// The place of a field of this type that fits.
    fn own_field(&self, name: &Text, wanted: &str, fits: impl Fn(&FieldKind) -> bool) -> Option<usize> {
        let fields = &self.shape.fields;
        let place = fields.iter().position(|field| field.name == name.value && fits(&field.kind));
        if place.is_none() {
            let near = suggestion(&name.value, fields.iter().map(|field| field.name.as_str()));
            let message = format!("`{}` is no field that is {wanted}{near}", name.value);
            self.reader.source.fault(name.span.start, message, format!("\"{}\"", name.value), wanted);
        }
        place
    }
}

fn is_counts(kind: &FieldKind) -> bool {
    let FieldKind::List { item, .. } = kind else { return false };
    let FieldKind::Struct(fields) = &item.kind else { return false };
    let kind_of =
        |name: &str| fields.iter().find(|field| field.name == name).and_then(|field| scalar_kind(&field.kind));
    kind_of("choice") == Some(ScalarKind::Text) && kind_of("votes").is_some_and(ScalarKind::is_number)
}
