//! Balances by effective date: what the records say about when they count, not when they were appended.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::Ledger;
use super::effects::{Batch, Target, moved_cell};
use super::moment::Moment;
use super::movement::Movements;
use super::read::{Balance, balance_cell, by_values, key_json};
use super::statement::{effective_day, effective_path, moved_parts};
use super::view::{View, damage};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::Action;
use crate::model::{Decimal, Parts, RowId, Value};
use crate::schema::{BalanceType, CellKind, CellType, Primitive};

impl Ledger {
    /// The balances of the record with this key by effective date: the openings of its cells, and the movements of all records whose
    /// effective date is not after `day` (days since 1970-01-01), of those appended up to a moment (`None`: now). Only parts that can be
    /// summed so are given: those that no rule assigns, that nothing but records of types with an effective date add to, by what they
    /// themselves say, and that a closing record finds at zero. A version that replaces another takes its movements back on the day of
    /// that one; a held record counts once it is released. An error where there is no such part.
    pub fn balances_on(
        &self,
        type_name: &str,
        key: &[Value],
        day: i32,
        as_of: Option<Moment>,
    ) -> Result<BTreeMap<Vec<String>, Balance>> {
        let view = self.view()?;
        let end = view.size_at(as_of)?;
        let record_type = view.record_type(type_name)?;
        let cell = Arc::clone(balance_cell(&record_type)?);
        let CellKind::Balance(balance) = &cell.kind else {
            return Err(Error::Fault("a balance cell is of another kind".to_owned()));
        };
        let parts = dated_parts(&view, &cell, balance)?;
        let key = key_json(&record_type, key)?;
        view.check_known(&record_type, &key)?;
        let names = view.cell_names(&cell, &key, end)?;
        let untouched = balance.opening();
        let mut sums: Vec<Option<Parts>> = vec![untouched; names.len()];
        let kinds = vec![Arc::clone(&cell); names.len()];
        let mut movements = Movements::new(&view, Target { key, names, kinds, end }, 0)?;
        while let Some(window) = movements.next(self, &view)? {
            let views = window.views()?;
            let paths: Vec<_> = views.iter().map(|view| effective_path(view.record_type())).collect();
            let mut times = BTreeMap::new();
            for &(number, place) in &window.order {
                let batch = &window.batches[number];
                let mut time = |index: u64| -> Result<i64> {
                    match times.entry(index) {
                        Entry::Occupied(known) => Ok(*known.get()),
                        Entry::Vacant(entry) => Ok(*entry.insert(view.fact(index)?.0)),
                    }
                };
                if let Some(back) = batch.taken_back(place)
                    && earlier_day(&view, back.row, end, &mut time)? <= day
                {
                    apply(&mut sums, batch, back.effects(), &parts)?;
                }
                let (rows, path) = (&views[number], &paths[number]);
                let is_due = effective_day(rows, path.as_ref(), place, time(batch.happened_at(place).index)?) <= day;
                let counts = |(_, action): &(usize, Action)| is_due || matches!(action, Action::Open { .. });
                apply(&mut sums, batch, batch.own_effects(place).filter(counts), &parts)?;
            }
        }
        let balance = |sum: Parts| -> Balance {
            let part = |(place, name): &(usize, String)| {
                Some((name.clone(), Decimal::new(sum.part(*place)?, balance.scale).normalised()))
            };
            parts.iter().filter_map(part).collect()
        };
        let names = movements.target().names.iter().zip(sums);
        Ok(names.filter_map(|(name, sum)| Some((by_values(name)?, balance(sum?)))).collect())
    }
}

/// The day on which the movements counted that a later version took back.
fn earlier_day(view: &View, row: RowId, end: u64, time: &mut dyn FnMut(u64) -> Result<i64>) -> Result<i32> {
    let time = time(view.released_at(row, end)?.unwrap_or(row.index))?;
    view.with_row(row, |chunk, place| {
        let path = effective_path(&chunk.record_type);
        Ok(effective_day(&chunk.view(row).map_err(damage)?, path.as_ref(), place, time))
    })
}

/// Adds what a record opened and added. An opening counts whatever its date: it says that the balance exists. One after a closing adds
/// to what was before.
fn apply(
    sums: &mut [Option<Parts>],
    batch: &Batch,
    effects: impl Iterator<Item = (usize, Action)>,
    parts: &[(usize, String)],
) -> Result<()> {
    for (cell, action) in effects {
        let sum = sums[cell].get_or_insert(Parts::EMPTY);
        match action {
            Action::Open { parts: opened, .. } => {
                let opened = batch.ops.opened[opened as usize];
                for (part, _) in parts {
                    if let Some(value) = opened.part(*part) {
                        add(sum, *part, value)?;
                    }
                }
            }
            Action::Add { part, delta, .. } => add(sum, usize::from(part), delta)?,
            _ => {}
        }
    }
    Ok(())
}

fn add(sum: &mut Parts, part: usize, delta: i128) -> Result<()> {
    let too_many = || Error::damaged("a balance has too many digits: audit the ledger".to_owned());
    sum.add(part, delta).ok_or_else(too_many)
}

/// The parts that can be summed by effective date.
fn dated_parts(view: &View, cell: &CellType, balance: &BalanceType) -> Result<Vec<(usize, String)>> {
    let mut undated: BTreeMap<usize, String> = BTreeMap::new();
    for record_type in view.authority.all_versions() {
        for rule in &record_type.rules {
            if moved_cell(&rule.primitive).is_none_or(|moved| !moved.cell.is_same(cell)) {
                continue;
            }
            let name = &record_type.name;
            let mut leave_out = |parts: &mut dyn Iterator<Item = usize>, why: &str| {
                undated.extend(parts.map(|part| (part, format!("{name} {why}"))));
            };
            match &rule.primitive {
                Primitive::Balance { add, set, .. } => {
                    let mut added = add.iter().map(|(part, _, _)| *part);
                    if rule.is_dynamic() {
                        leave_out(&mut added, "moves it by what it looks up");
                    } else if record_type.effective.is_none() {
                        leave_out(&mut added, "has no effective date");
                    }
                    leave_out(&mut set.iter().map(|(part, _)| *part), "assigns it");
                }
                Primitive::Open { set, .. } if rule.is_dynamic() => {
                    leave_out(&mut set.iter().map(|(part, _)| *part), "opens it by what it looks up");
                }
                Primitive::Close { zero, .. } => {
                    leave_out(
                        &mut (0..balance.parts.len()).filter(|part| !zero.contains(part)),
                        "ends it whatever it is",
                    );
                }
                _ => {}
            }
        }
    }
    let moved = moved_parts(view, cell, balance);
    let dated: Vec<(usize, String)> = moved.iter().filter(|(part, _)| !undated.contains_key(part)).cloned().collect();
    if dated.is_empty() {
        let reasons = moved.iter().filter_map(|(part, name)| Some(format!("{name}: {}", undated.get(part)?)));
        return Err(Error::schema(
            codes::NO_EFFECTIVE_DATE,
            format!(
                "{} has no part that can be summed by effective date ({}); as_of gives it by ledger time",
                cell.owner,
                reasons.collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    Ok(dated)
}
