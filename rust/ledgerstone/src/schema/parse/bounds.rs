//! The rules that hold a record within bounds: windows of time, sums that are conserved.

use super::check_name;
use super::constants::decimal_constant;
use super::links::listed;
use super::rules::Draft;
use super::table::Text;
use crate::model::Decimal;
use crate::schema::columns::lookup_field;
use crate::schema::expr::Expr;
use crate::schema::format::Format;
use crate::schema::module::{FieldKind, Primitive};
use crate::schema::scalar::ScalarKind;

/// What the rules that add to one sum over the transaction agree on.
pub(super) struct SumGroup {
    is_of_fractions: bool,
    by: Vec<ScalarKind>,
    low: Decimal,
    high: Decimal,
    severity: String,
}

impl Draft<'_, '_> {
    pub(super) fn window(&self) -> Option<Primitive> {
        let text = self.table.text("window")?;
        let field = self.expr(&text, &[ScalarKind::Date, ScalarKind::Timestamp]);
        let within = self.table.text("within");
        let period = within.as_ref().and_then(|text| self.period(text));
        let kinds: Vec<ScalarKind> = field.iter().map(Expr::kind).collect();
        let bound = |key: &str| {
            self.table.text(key).map(|text| {
                self.expr(&text, if kinds.is_empty() { &[ScalarKind::Date, ScalarKind::Timestamp] } else { &kinds })
            })
        };
        let (not_before, not_after) = (bound("not_before"), bound("not_after"));
        if within.is_none() && not_before.is_none() && not_after.is_none() {
            self.table.fault_at("window", "a window needs \"within\", \"not_before\" or \"not_after\"");
        }
        Some(Primitive::Window {
            field: field?,
            within: period,
            not_before: not_before.flatten(),
            not_after: not_after.flatten(),
        })
    }

    /// A field whose format is `period`.
    fn period(&self, text: &Text) -> Option<Expr> {
        let expr = self.expr(text, &[ScalarKind::Text])?;
        let fields = &self.shape.fields;
        let field = expr.as_field().filter(|path| !path.is_item()).and_then(|path| lookup_field(fields, path.as_str()));
        let item = expr.as_field().filter(|path| path.is_item()).and_then(|path| self.item_field(path.as_str()));
        let kind = field.map(|(_, field)| &field.kind).or(item);
        if !matches!(kind, Some(FieldKind::Text { format: Some(Format::Period), .. })) {
            self.reader.source.fault(
                text.span.start,
                "a window is within a field of format period",
                format!("\"{}\"", text.value),
                "",
            );
        }
        Some(expr)
    }

    /// The type of the field that `item.…` names.
    fn item_field(&self, dotted: &str) -> Option<&FieldKind> {
        let list = self.shape.fields.get(self.each?)?;
        match dotted.strip_prefix("item.") {
            None => match &list.kind {
                FieldKind::List { item, .. } => Some(&item.kind),
                _ => None,
            },
            Some(rest) => {
                let (_, field) = lookup_field(&self.shape.fields, &format!("{}.{rest}", list.name))?;
                Some(&field.kind)
            }
        }
    }

    pub(super) fn conserve(&self) -> Option<Primitive> {
        let text = self.table.text("conserve")?;
        let group = self.group();
        if group.is_none() && self.each.is_none() {
            self.table
                .fault_at("conserve", "`conserve` sums over a list: it needs \"each\", or over = \"transaction\"");
        }
        let sum = self.expr(&text, &[ScalarKind::Int, ScalarKind::Decimal, ScalarKind::Fraction]);
        let by = if self.table.has("by") { self.exprs("by") } else { Some(Vec::new()) };
        let (low, high) = (self.decimal("low"), self.decimal("high"));
        let scale = low.scale.max(high.scale);
        if low.rescaled(scale) > high.rescaled(scale) {
            self.table.fault_at("high", format!("high {high} is below low {low}"));
        }
        let (sum, by) = (sum?, by?);
        if let Some(group) = &group {
            self.agree_with_group(group, &sum, &by, (low, high));
        }
        Some(Primitive::Conserve { group, sum, by, low, high })
    }

    /// The name of the group of a sum over the transaction.
    fn group(&self) -> Option<String> {
        let over = self.table.text("over");
        let group = self.table.text("group");
        match (over, group) {
            (None, None) => None,
            (Some(over), group) => {
                if over.value != "transaction" {
                    let found = format!("\"{}\"", over.value);
                    self.reader.source.fault(over.span.start, "\"over\" takes one word", found, "\"transaction\"");
                }
                let group = group.unwrap_or_else(|| {
                    self.table.fault(
                        "a sum over the transaction needs \"group\": its name, shared by the rules that add to it",
                    );
                    over
                });
                check_name(self.reader.source, "a group", &group.value, group.span.start);
                Some(group.value)
            }
            (None, Some(group)) => {
                let message = "\"group\" names a sum over = \"transaction\"";
                self.reader.source.fault(group.span.start, message, "", "over = \"transaction\"");
                None
            }
        }
    }

    /// The rules of a group are about one sum: they sum numbers of one kind by values of the same kinds, within the same bounds, and what
    /// happens where it is outside of them does not depend on which record stands first. Only the reason is that of the first.
    fn agree_with_group(&self, group: &str, sum: &Expr, by: &[Expr], (low, high): (Decimal, Decimal)) {
        let severity = self.table.texts_quietly("severity").pop().unwrap_or_else(|| "reject".to_owned());
        if severity == "hold" {
            let message = "a sum over the transaction is looked at when its records have had their effects: nothing is held any more";
            let place = self.table.place("severity");
            self.reader.source.fault(place, message, "\"hold\"", "\"reject\" or \"flag\"");
        }
        let this = SumGroup {
            is_of_fractions: sum.kind() == ScalarKind::Fraction,
            by: by.iter().map(Expr::kind).collect(),
            low: low.normalised(),
            high: high.normalised(),
            severity,
        };
        let mut groups = self.reader.groups.borrow_mut();
        let Some(known) = groups.get(group) else {
            groups.insert(group.to_owned(), this);
            return;
        };
        if known.is_of_fractions != this.is_of_fractions {
            self.table.fault_at("conserve", format!("the group \"{group}\" sums fractions and other numbers"));
        }
        if known.by != this.by {
            let message = format!("the group \"{group}\" has sums by other values in an earlier rule");
            self.reader.source.fault(self.table.place("by"), message, listed(&this.by), listed(&known.by));
        }
        for (key, found, expected) in [
            ("low", this.low.to_string(), known.low.to_string()),
            ("high", this.high.to_string(), known.high.to_string()),
            ("severity", this.severity, known.severity.clone()),
        ] {
            if found != expected {
                let message =
                    format!("the group \"{group}\" has another \"{key}\" in an earlier rule: its sum has one");
                let quoted = |text: &str| format!("\"{text}\"");
                self.reader.source.fault(self.table.place(key), message, quoted(&found), quoted(&expected));
            }
        }
    }

    /// A decimal in quotes; zero where it is left out.
    fn decimal(&self, key: &str) -> Decimal {
        let Some(text) = self.table.text(key) else {
            return Decimal::new(0, 0);
        };
        decimal_constant(&text.value).unwrap_or_else(|| {
            self.reader.source.fault(
                text.span.start,
                format!("\"{key}\" takes a decimal in quotes"),
                format!("\"{}\"", text.value),
                "a decimal",
            );
            Decimal::new(0, 0)
        })
    }
}
