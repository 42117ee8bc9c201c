//! What an operation does to the value of one cell.

use std::cmp::Ordering;
use std::sync::Arc;

use super::ops::{Advance, Failure, lifecycle_state};
use super::working::Working;
use crate::limits::{INT_MAX, PARTS};
use crate::model::{CellValue, Ordinal, Parts};
use crate::schema::{BalanceType, Bound, CellKind, CellType, CountType, SequenceOrder};

/// Who must hold a thing now.
#[derive(Clone, Copy)]
pub(super) enum From<'t> {
    Nobody,
    Anybody,
    This(&'t str),
}

/// Who holds it afterwards.
#[derive(Clone, Copy)]
pub(super) enum To<'t> {
    Same,
    Released,
    This(&'t str),
}

fn balance_type(kind: &CellType) -> Result<&BalanceType, Failure> {
    match &kind.kind {
        CellKind::Balance(balance) => Ok(balance),
        _ => Err(Failure::Missing),
    }
}

pub(super) fn open(working: &mut Working, slot: u32, parts: Parts) -> Result<(), Failure> {
    if working.parts(slot).is_some() {
        return Err(Failure::Rule);
    }
    if !parts.is_within_digits() {
        return Err(Failure::Overflow);
    }
    working.set(slot, Some(CellValue::Parts(parts)));
    check(working, slot)
}

pub(super) fn add(working: &mut Working, slot: u32, part: u8, delta: i128, check: bool) -> Result<(), Failure> {
    let mut parts = working.parts(slot).ok_or(Failure::Missing)?;
    let balance = balance_type(working.kind(slot))?;
    fits_digits(balance, &parts, delta)?;
    parts.add(usize::from(part), delta).ok_or(Failure::Overflow)?;
    let verdict = if check { bounds_hold(&balance.bounds, &parts) } else { Ok(()) };
    working.set(slot, Some(CellValue::Parts(parts)));
    verdict
}

/// Takes an earlier amount back: it fitted then, so only its size is looked at.
pub(super) fn take_back(working: &mut Working, slot: u32, part: u8, delta: i128) -> Result<(), Failure> {
    let mut parts = working.parts(slot).ok_or(Failure::Missing)?;
    let back = delta.checked_neg().ok_or(Failure::Overflow)?;
    parts.add(usize::from(part), back).ok_or(Failure::Overflow)?;
    working.set(slot, Some(CellValue::Parts(parts)));
    Ok(())
}

/// Assigns a part; without a value it has none, or that of the cell's opening.
pub(super) fn assign(working: &mut Working, slot: u32, part: u8, value: Option<i128>) -> Result<(), Failure> {
    let mut parts = working.parts(slot).ok_or(Failure::Missing)?;
    let balance = balance_type(working.kind(slot))?;
    match value.or_else(|| balance.opening()?.part(usize::from(part))) {
        Some(value) => {
            fits_digits(balance, &parts, value)?;
            parts.set(usize::from(part), value);
        }
        None => parts.clear(usize::from(part)),
    }
    if !parts.is_within_digits() {
        return Err(Failure::Overflow);
    }
    working.set(slot, Some(CellValue::Parts(parts)));
    Ok(())
}

/// Whether an amount is above the part that says from where on it needs approval.
pub(super) fn is_above(working: &Working, slot: u32, part: usize, amount: u128) -> bool {
    let limit = working.parts(slot).and_then(|parts| parts.part(part));
    limit.is_some_and(|limit| limit < 0 || amount > limit.unsigned_abs())
}

fn fits_digits(balance: &BalanceType, parts: &Parts, amount: i128) -> Result<(), Failure> {
    let digits = balance.digits.and_then(|digits| parts.part(digits));
    match digits {
        Some(digits) if has_more_digits(amount, balance.scale, digits) => Err(Failure::TooPrecise),
        _ => Ok(()),
    }
}

/// Whether an amount at `scale` needs more digits behind the point than the cell's `digits` part (itself at `scale`) says.
fn has_more_digits(amount: i128, scale: u8, digits: i128) -> bool {
    let unit_of_one = 10i128.pow(u32::from(scale));
    let digits = (digits / unit_of_one).clamp(0, i128::from(scale)) as u32;
    let unit = 10i128.pow(u32::from(scale) - digits);
    match (i64::try_from(amount), i64::try_from(unit)) {
        (Ok(amount), Ok(unit)) => amount % unit != 0,
        _ => amount % unit != 0,
    }
}

pub(super) fn close(working: &mut Working, slot: u32, zero: u8) -> Result<(), Failure> {
    let parts = working.parts(slot).ok_or(Failure::Missing)?;
    let is_zero = |part: usize| zero & (1 << part) == 0 || parts.part(part).unwrap_or(0) == 0;
    if !(0..PARTS).all(is_zero) {
        return Err(Failure::Rule);
    }
    working.set(slot, None);
    Ok(())
}

pub(super) fn step(working: &mut Working, slot: u32, from: u64, to: Option<u8>) -> Result<(), Failure> {
    let CellKind::Lifecycle(lifecycle) = &working.kind(slot).kind else {
        return Err(Failure::Missing);
    };
    let stored = match working.value(slot) {
        Some(CellValue::State(state)) => Some(*state),
        _ => None,
    };
    match lifecycle_state(lifecycle, stored) {
        None if from == 0 => {}
        None => return Err(Failure::Missing),
        Some(state) if from & (1 << state) == 0 => return Err(Failure::Rule),
        Some(_) => {}
    }
    if let Some(to) = to {
        working.set(slot, Some(CellValue::State(to)));
    }
    Ok(())
}

/// Steps a count; a count of nothing has no cell.
pub(super) fn count(working: &mut Working, slot: u32, step: i64, check: bool) -> Result<(), Failure> {
    let CellKind::Count(bounds) = &working.kind(slot).kind else {
        return Err(Failure::Missing);
    };
    let is_int = |now: &i64| (-INT_MAX..=INT_MAX).contains(now);
    let now = counted(working, slot).checked_add(step).filter(is_int).ok_or(Failure::Overflow)?;
    let verdict = if check { is_counted_within(bounds, now) } else { Ok(()) };
    working.set(slot, (now != 0).then_some(CellValue::Count(now)));
    verdict
}

fn counted(working: &Working, slot: u32) -> i64 {
    match working.value(slot) {
        Some(CellValue::Count(count)) => *count,
        _ => 0,
    }
}

fn is_counted_within(bounds: &CountType, count: i64) -> Result<(), Failure> {
    let is_within = count >= bounds.low && bounds.high.is_none_or(|high| count <= high);
    if is_within { Ok(()) } else { Err(Failure::Bound(0)) }
}

/// Looks at who holds a thing, and passes it on.
pub(super) fn hold(working: &mut Working, slot: u32, from: From<'_>, to: To<'_>) -> Result<(), Failure> {
    let holder = match working.value(slot) {
        Some(CellValue::Holder(holder)) => Some(&**holder),
        _ => None,
    };
    match (from, holder) {
        (From::Nobody, Some(_)) => return Err(Failure::Rule),
        (From::Anybody | From::This(_), None) => return Err(Failure::Missing),
        (From::This(expected), Some(holder)) if expected != holder => return Err(Failure::Rule),
        _ => {}
    }
    match to {
        To::Same => {}
        To::Released => working.set(slot, None),
        To::This(holder) => working.set(slot, Some(CellValue::Holder(Arc::from(holder)))),
    }
    Ok(())
}

/// Takes the next value, or interval, of a sequence.
pub(super) fn advance(working: &mut Working, slot: u32, to: Advance) -> Result<(), Failure> {
    let CellKind::Sequence(sequence) = &working.kind(slot).kind else {
        return Err(Failure::Missing);
    };
    let last = match working.value(slot) {
        Some(CellValue::Last(last)) => Some(*last),
        _ => None,
    };
    let next = match last {
        None => Some(Ordinal::Int(sequence.start)),
        Some(Ordinal::Int(last)) => last.checked_add(1).map(Ordinal::Int),
        Some(_) => None,
    };
    let begin = last.unwrap_or(Ordinal::Int(sequence.start));
    let is = |a: Ordinal, b: Ordinal, orders: &[Ordering]| {
        a.scalar().compare(&b.scalar()).is_some_and(|order| orders.contains(&order))
    };
    let not_before = [Ordering::Equal, Ordering::Greater];
    let (follows, now) = match (to, sequence.order) {
        (Advance::Reset(value), _) => (true, value),
        (Advance::Value(value), SequenceOrder::Strict) => {
            (last.is_none_or(|last| is(value, last, &[Ordering::Greater])), value)
        }
        (Advance::Value(value), SequenceOrder::Rising) => (last.is_none_or(|last| is(value, last, &not_before)), value),
        (Advance::Value(value), SequenceOrder::Gapless) => (next == Some(value), value),
        (Advance::Range(from, to), SequenceOrder::Gapless) => (from == begin && is(to, from, &[Ordering::Greater]), to),
        (Advance::Range(from, to), SequenceOrder::Strict | SequenceOrder::Rising) => {
            (last.is_none_or(|last| is(from, last, &not_before)) && is(to, from, &[Ordering::Greater]), to)
        }
    };
    if !follows {
        return Err(Failure::Rule);
    }
    working.set(slot, Some(CellValue::Last(now)));
    Ok(())
}

/// Whether the bounds of a balance or a count hold.
pub(super) fn check(working: &Working, slot: u32) -> Result<(), Failure> {
    match &working.kind(slot).kind {
        CellKind::Count(bounds) => is_counted_within(bounds, counted(working, slot)),
        CellKind::Balance(balance) => bounds_hold(&balance.bounds, &working.parts(slot).ok_or(Failure::Missing)?),
        _ => Err(Failure::Missing),
    }
}

fn bounds_hold(bounds: &[Bound], parts: &Parts) -> Result<(), Failure> {
    for (number, bound) in bounds.iter().enumerate() {
        match bound.holds(parts) {
            None => return Err(Failure::Overflow),
            Some(false) => return Err(Failure::Bound(number as u8)),
            Some(true) => {}
        }
    }
    Ok(())
}
