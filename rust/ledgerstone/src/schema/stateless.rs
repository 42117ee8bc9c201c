//! Rules that need nothing but the record: `require`, `conserve`, `window`.

use super::amount::Amount;
use super::columns::Rows;
use super::expr::{Env, Expr};
use super::format::period_bounds;
use super::module::{Primitive, Reason, RecordType, Rule, Severity};
use super::named::Aspect;
use super::scalar::Scalar;
use super::time::DAY_MICROS;

/// Why a row fails a rule that needs nothing but the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatelessFailure<'r> {
    /// The rule's place among those of the type.
    pub rule: usize,
    /// The rule's reason.
    pub reason: &'r Reason,
    /// The fields that the rule looks at, as errors name them: `legs[1].amount`; `None` where it looks at none.
    pub field: Option<String>,
    /// What failed: the condition, or the sum.
    pub detail: String,
}

/// Where in a row a rule fails.
pub(crate) struct RuleFailure {
    /// The place in the list of the item that fails it; `None` where the record does, or the list as a whole.
    pub(crate) item: Option<usize>,
    /// What failed.
    detail: String,
}

/// The first stateless rule that rejects, in declared order, that a row fails.
///
/// An overflow in a rule's arithmetic, `when` included, fails the rule.
pub fn stateless_failure<'r>(rt: &'r RecordType, rows: &Rows<'r>, row: usize) -> Option<StatelessFailure<'r>> {
    rt.rules.iter().enumerate().find_map(|(index, rule)| {
        if !rule.is_stateless() || rule.severity != Severity::Reject {
            return None;
        }
        let RuleFailure { item, detail } = rule_failure(rule, rows, row, &Env::NONE)?;
        let field = rt.named(rule, Aspect::Demand, item);
        Some(StatelessFailure { rule: index, reason: &rule.reason, field, detail })
    })
}

/// Where a rule that [`is_of_record`](Rule::is_of_record) fails, it says which part of the record did.
pub(crate) fn rule_failure<'a>(rule: &'a Rule, rows: &Rows<'a>, row: usize, env: &Env<'a>) -> Option<RuleFailure> {
    let whole = |detail| RuleFailure { item: None, detail };
    let Some(list) = rule.each else {
        return item_failure(rule, rows, row, None, env).map(whole);
    };
    let items = rows.list_range(list, row);
    if let Primitive::Conserve { .. } = &rule.primitive {
        return conserve_failure(rule, rows, row, items, env).map(whole);
    }
    let first = items.start;
    items.into_iter().find_map(|item| {
        let detail = item_failure(rule, rows, row, Some(item), env)?;
        let place = item - first;
        let detail = format!("{}[{place}]: {detail}", rows.record_type().fields[list].name);
        Some(RuleFailure { item: Some(place), detail })
    })
}

fn item_failure<'a>(rule: &'a Rule, rows: &Rows<'a>, row: usize, item: Option<usize>, env: &Env<'a>) -> Option<String> {
    match rule.applies(rows, row, item, env) {
        Some(false) => return None,
        Some(true) => {}
        None => return rule.when.as_ref().map(no_value),
    }
    match &rule.primitive {
        Primitive::Require(condition) if !condition.is_true(rows, row, item, env) => {
            Some(condition.source().to_owned())
        }
        Primitive::Window { field, within, not_before, not_after } => {
            let value_of = |expr| Expr::eval(expr, rows, row, item, env);
            let inside = is_inside(field, within.as_ref(), not_before.as_ref(), not_after.as_ref(), value_of);
            (!inside).then(|| field.source().to_owned())
        }
        _ => None,
    }
}

/// What is said where arithmetic leaves its bounds, or divides by zero.
fn no_value(expr: &Expr) -> String {
    format!("{} has no value: it overflows, or divides by zero", expr.source())
}

/// A bound whose operand is absent does not hold, as any comparison with an absent value.
fn is_inside<'a>(
    field: &'a Expr,
    within: Option<&'a Expr>,
    not_before: Option<&'a Expr>,
    not_after: Option<&'a Expr>,
    value_of: impl Fn(&'a Expr) -> Scalar<'a>,
) -> bool {
    let value = value_of(field);
    let falls_in = |period: &'a Expr| match (value_of(period), day_of(&value)) {
        (Scalar::Text(text), Some(day)) => {
            period_bounds(text).is_some_and(|(first, last)| (first..=last).contains(&day))
        }
        _ => false,
    };
    within.is_none_or(falls_in)
        && not_before.is_none_or(|bound| value.compare(&value_of(bound)).is_some_and(|order| order.is_ge()))
        && not_after.is_none_or(|bound| value.compare(&value_of(bound)).is_some_and(|order| order.is_le()))
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
    sum: Amount,
}

/// Sums per group, groups in the order of their first item; an absent summand counts as nothing. No items, no group: nothing fails.
fn conserve_failure(
    rule: &Rule,
    rows: &Rows<'_>,
    row: usize,
    items: std::ops::Range<usize>,
    env: &Env<'_>,
) -> Option<String> {
    let Primitive::Conserve { sum, by, low, high, .. } = &rule.primitive else {
        return None;
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for item in items {
        match rule.applies(rows, row, Some(item), env) {
            Some(true) => {}
            Some(false) => continue,
            None => return rule.when.as_ref().map(no_value),
        }
        let Some(summand) = Amount::of(&sum.eval(rows, row, Some(item), env)) else {
            if sum.overflows(rows, row, Some(item), env) {
                return Some(no_value(sum));
            }
            continue;
        };
        let same = |group: &Group<'_>| {
            by.iter().zip(&group.key).all(|(key, value)| key.eval(rows, row, Some(item), env) == *value)
        };
        match groups.iter().position(same) {
            Some(place) => match groups[place].sum.plus(summand) {
                Some(total) => groups[place].sum = total,
                None => return Some(format!("{} overflows", sum.source())),
            },
            None => groups
                .push(Group { key: by.iter().map(|key| key.eval(rows, row, Some(item), env)).collect(), sum: summand }),
        }
    }
    let outside = |group: &&Group<'_>| group.sum.is_within(*low, *high) != Some(true);
    groups.iter().find(outside).map(|group| described(group, sum))
}

/// `item.amount sums to 12.5 for "EUR"`.
fn described(group: &Group<'_>, sum: &Expr) -> String {
    let mut text = format!("{} sums to {}", sum.source(), group.sum);
    for (index, value) in group.key.iter().enumerate() {
        let mut key = Vec::new();
        value.write_json(&mut key);
        text.push_str(if index == 0 { " for " } else { ", " });
        text.push_str(&String::from_utf8_lossy(&key));
    }
    text
}
