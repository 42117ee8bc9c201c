//! Balances by effective date: what the records say about when they count, not when they were appended.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Ledger;
use super::moment::Moment;
use super::movement::{Movements, Target, check_summable};
use super::read::{Balance, balance_cell, by_values, key_json};
use super::statement::{effective_day, moved_parts};
use super::view::View;
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::Action;
use crate::model::{Decimal, Parts, Value};
use crate::schema::{BalanceType, CellKind, CellType, Primitive};

impl Ledger {
    /// The balances of the record with this key by effective date: the openings of its cells, and the movements of all records whose
    /// effective date is not after `day` (days since 1970-01-01), of those appended up to a moment (`None`: now). Only parts that can be
    /// summed so are given: those that nothing but records of types with an effective date add to, and that a closing record finds at
    /// zero. An error where there is no such part.
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
        check_summable(&view, &cell)?;
        let parts = dated_parts(&view, &cell, balance)?;
        let key = key_json(&record_type, key)?;
        let names = view.cell_names(&cell, &key)?;
        let mut sums: Vec<Option<Parts>> = vec![None; names.len()];
        let target = Target { cells: vec![Arc::clone(&cell)], key, names };
        let mut movements = Movements::new(&view, target, 0, end)?;
        while let Some(window) = movements.next(self, &view)? {
            let views = window.views()?;
            let mut times = BTreeMap::new();
            for &(number, place) in &window.order {
                let batch = &window.batches[number];
                let index = batch.gathered.rows[place].index;
                let time = match times.get(&index) {
                    Some(time) => *time,
                    None => *times.entry(index).or_insert(view.fact(index)?.0),
                };
                let counts = effective_day(&views[number], place, time) <= day;
                for (cell, action) in batch.effects(place) {
                    match action {
                        Action::Open { parts: opened, .. } => {
                            open(&mut sums[cell], batch.ops.opened[opened as usize], &parts)?
                        }
                        Action::Add { part, delta, .. } if counts => {
                            add(sums[cell].get_or_insert(Parts::EMPTY), usize::from(part), delta)?;
                        }
                        _ => {}
                    }
                }
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

/// An opening counts whatever its date: it says that the balance exists. One after a closing adds to what was before.
fn open(sum: &mut Option<Parts>, opened: Parts, parts: &[(usize, String)]) -> Result<()> {
    let sum = sum.get_or_insert(Parts::EMPTY);
    for (part, _) in parts {
        if let Some(value) = opened.part(*part) {
            add(sum, *part, value)?;
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
            match &rule.primitive {
                Primitive::Balance { cell: own, add, .. } if own.is_same(cell) && record_type.effective.is_none() => {
                    let parts =
                        add.iter().map(|(part, _, _)| (*part, format!("{} has no effective date", record_type.name)));
                    undated.extend(parts);
                }
                Primitive::Close { cell: own, zero, .. } if own.is_same(cell) => {
                    let left = (0..balance.parts.len()).filter(|part| !zero.contains(part));
                    undated.extend(left.map(|part| (part, format!("{} ends it whatever it is", record_type.name))));
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
