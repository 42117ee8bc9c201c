//! Rules that need nothing but the record: `require`, `conserve`, `window`.

use super::columns::Rows;
use super::decimal_text::write_decimal;
use super::expr::Expr;
use super::format::period_bounds;
use super::module::{Primitive, Reason, RecordType, Rule};
use super::scalar::Scalar;
use super::time::DAY_MICROS;
use crate::model::Decimal;

/// The first stateless rule, in declared order, that a row fails: its index, its reason, and the field or detail that failed.
///
/// An overflow in a rule's arithmetic, `when` included, fails the rule.
pub fn stateless_failure<'r>(rt: &'r RecordType, rows: &Rows<'_>, row: usize) -> Option<(usize, &'r Reason, String)> {
    rt.rules.iter().enumerate().find_map(|(index, rule)| {
        if !rule.primitive.is_stateless() {
            return None;
        }
        rule_failure(rule, rows, row).map(|detail| (index, &rule.reason, detail))
    })
}

/// Where a rule fails, it says which part of the record did.
fn rule_failure(rule: &Rule, rows: &Rows<'_>, row: usize) -> Option<String> {
    let Some(list) = rule.each else {
        return item_failure(rule, rows, row, None);
    };
    let items = rows.list_range(list, row);
    if let Primitive::Conserve { .. } = &rule.primitive {
        return conserve_failure(rule, rows, row, items);
    }
    let first = items.start;
    items.into_iter().find_map(|item| {
        item_failure(rule, rows, row, Some(item))
            .map(|detail| format!("{}[{}]: {detail}", rows.record_type().fields[list].name, item - first))
    })
}

fn item_failure(rule: &Rule, rows: &Rows<'_>, row: usize, item: Option<usize>) -> Option<String> {
    match applies(rule.when.as_ref(), rows, row, item) {
        Some(false) => return None,
        Some(true) => {}
        None => {
            return rule.when.as_ref().map(|when| format!("{} overflows", when.source()));
        }
    }
    match &rule.primitive {
        Primitive::Require(condition) if !condition.is_true(rows, row, item) => Some(condition.source().to_owned()),
        Primitive::Window { field, within, not_before, not_after } => {
            let inside = is_inside(field, within.as_ref(), not_before.as_ref(), not_after.as_ref(), rows, row, item);
            (!inside).then(|| field.source().to_owned())
        }
        _ => None,
    }
}

/// Whether a rule's `when` is true; `None` where it overflows.
fn applies(when: Option<&Expr>, rows: &Rows<'_>, row: usize, item: Option<usize>) -> Option<bool> {
    let Some(when) = when else { return Some(true) };
    if when.is_true(rows, row, item) {
        return Some(true);
    }
    (!when.overflows(rows, row, item)).then_some(false)
}

/// A bound whose operand is absent does not hold, as any comparison with an absent value.
fn is_inside(
    field: &Expr,
    within: Option<&Expr>,
    not_before: Option<&Expr>,
    not_after: Option<&Expr>,
    rows: &Rows<'_>,
    row: usize,
    item: Option<usize>,
) -> bool {
    let value = field.eval(rows, row, item);
    let falls_in = |period: &Expr| match (period.eval(rows, row, item), day_of(&value)) {
        (Scalar::Text(text), Some(day)) => {
            period_bounds(text).is_some_and(|(first, last)| (first..=last).contains(&day))
        }
        _ => false,
    };
    within.is_none_or(falls_in)
        && not_before.is_none_or(|bound| value.compare(&bound.eval(rows, row, item)).is_some_and(|order| order.is_ge()))
        && not_after.is_none_or(|bound| value.compare(&bound.eval(rows, row, item)).is_some_and(|order| order.is_le()))
}

/// The day, in UTC, of a date or an instant.
fn day_of(value: &Scalar<'_>) -> Option<i32> {
    match *value {
        Scalar::Date(day) => Some(day),
        Scalar::Timestamp(micros) => i32::try_from(micros.div_euclid(DAY_MICROS)).ok(),
        _ => None,
    }
}

/// The sum of one group of items.
struct Group<'a> {
    key: Vec<Scalar<'a>>,
    sum: Decimal,
}

/// Sums per group, groups in the order of their first item; an absent summand counts as nothing.
fn conserve_failure(rule: &Rule, rows: &Rows<'_>, row: usize, items: std::ops::Range<usize>) -> Option<String> {
    let Primitive::Conserve { sum, by, low, high } = &rule.primitive else {
        return None;
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for item in items {
        match applies(rule.when.as_ref(), rows, row, Some(item)) {
            Some(true) => {}
            Some(false) => continue,
            None => return Some(format!("{} overflows", sum.source())),
        }
        let Some(summand) = sum.eval(rows, row, Some(item)).as_decimal() else {
            if sum.overflows(rows, row, Some(item)) {
                return Some(format!("{} overflows", sum.source()));
            }
            continue;
        };
        let same =
            |group: &Group<'_>| by.iter().zip(&group.key).all(|(key, value)| key.eval(rows, row, Some(item)) == *value);
        let place = groups.iter().position(same).unwrap_or_else(|| {
            groups.push(Group {
                key: by.iter().map(|key| key.eval(rows, row, Some(item))).collect(),
                sum: Decimal::new(0, 0),
            });
            groups.len() - 1
        });
        match added(groups[place].sum, summand) {
            Some(total) => groups[place].sum = total,
            None => return Some(format!("{} overflows", sum.source())),
        }
    }
    let outside = |group: &&Group<'_>| {
        let total = Scalar::Decimal(group.sum.mantissa, group.sum.scale);
        let (low, high) = (Scalar::Decimal(low.mantissa, low.scale), Scalar::Decimal(high.mantissa, high.scale));
        total.compare(&low).is_some_and(|order| order.is_lt())
            || total.compare(&high).is_some_and(|order| order.is_gt())
    };
    groups.iter().find(outside).map(|group| described(group, sum))
}

fn added(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale.max(b.scale);
    Some(Decimal::new(a.rescaled(scale)?.checked_add(b.rescaled(scale)?)?, scale))
}

/// `item.amount sums to 12.5 for "EUR"`.
fn described(group: &Group<'_>, sum: &Expr) -> String {
    let mut total = Vec::new();
    write_decimal(group.sum.mantissa, group.sum.scale, &mut total);
    let mut text = format!("{} sums to {}", sum.source(), String::from_utf8_lossy(&total));
    for (index, value) in group.key.iter().enumerate() {
        let mut key = Vec::new();
        value.write_json(&mut key);
        text.push_str(if index == 0 { " for " } else { ", " });
        text.push_str(&String::from_utf8_lossy(&key));
    }
    text
}
