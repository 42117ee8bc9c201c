//! The rules that hold a record within bounds: windows of time, sums that are conserved.

use super::rules::Draft;
use super::table::Text;
use crate::limits;
use crate::model::Decimal;
use crate::schema::columns::lookup_field;
use crate::schema::expr::Expr;
use crate::schema::format::Format;
use crate::schema::module::{FieldKind, Primitive};
use crate::schema::scalar::ScalarKind;

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
        if self.each.is_none() {
            self.table.fault_at("conserve", "`conserve` sums over a list: it needs \"each\"");
        }
        let sum = self.expr(&text, &[ScalarKind::Int, ScalarKind::Decimal]);
        let by = if self.table.has("by") { self.exprs("by") } else { Some(Vec::new()) };
        let (low, high) = (self.decimal("low"), self.decimal("high"));
        let scale = low.scale.max(high.scale);
        if low.rescaled(scale) > high.rescaled(scale) {
            self.table.fault_at("high", format!("high {high} is below low {low}"));
        }
        Some(Primitive::Conserve { group: None, sum: sum?, by: by?, low, high })
    }

    /// A decimal in quotes; zero where it is left out.
    fn decimal(&self, key: &str) -> Decimal {
        let Some(text) = self.table.text(key) else {
            return Decimal::new(0, 0);
        };
        let parsed = Decimal::parse(&text.value).filter(|decimal| {
            decimal.digits() <= u32::from(limits::DECIMAL_DIGITS) && decimal.scale <= limits::DECIMAL_DIGITS
        });
        parsed.unwrap_or_else(|| {
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
