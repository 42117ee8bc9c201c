//! What records did to cells, as far as they themselves tell it: their own operations, what a version that replaces took back of the one
//! before it, and that a held record did nothing before its release, and all of it there.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Ledger;
use super::outcomes::Causes;
use super::view::{View, damage};
use crate::error::{Error, Result};
use crate::execute::{Action, Advance, HeldBy, OpChunk, Scope, lower, lower_effects};
use crate::model::{CellValue, Parts, RowId};
use crate::query::{Gathered, Wanted};
use crate::schema::module::HolderTo;
use crate::schema::{CellKind, CellType, Env, Expr, Needs, Primitive, RecordType, Rows, Rule};

/// The cells of one record whose movers are looked for.
pub(crate) struct Target {
    /// The key of the record, JSON values.
    pub(crate) key: Vec<Vec<u8>>,
    /// Their names.
    pub(crate) names: Vec<Vec<u8>>,
    /// What each is.
    pub(crate) kinds: Vec<Arc<CellType>>,
    /// The ledger as it was when it held so many transactions.
    pub(crate) end: u64,
}

/// The cell that a rule moves, and the values of its name.
#[derive(Clone, Copy)]
pub(crate) struct MovedCell<'r> {
    pub(crate) cell: &'r Arc<CellType>,
    pub(crate) at: &'r [Expr],
    pub(crate) by: &'r [Expr],
}

/// Records of one type and version, and what they did.
pub(crate) struct Batch {
    pub(crate) record_type: Arc<RecordType>,
    pub(crate) gathered: Gathered,
    pub(crate) ops: OpChunk,
    /// For each cell that the records name, which of the target's it is.
    slots: Vec<Option<usize>>,
    /// For each row, what it is beside its own operations.
    besides: Vec<Beside>,
}

/// What is known of a record beside its own operations.
#[derive(Clone, Default)]
struct Beside {
    /// It was held where it stands: nothing happened there.
    is_held: bool,
    /// The release at which its effects happened, of one that was held.
    release: Option<RowId>,
    taken_back: Option<TakenBack>,
    /// Cells of the target that it may have moved by what it looked up.
    open: Vec<usize>,
}

/// What a version took back of the one before it.
#[derive(Clone)]
pub(crate) struct TakenBack {
    /// The version before it.
    pub(crate) row: RowId,
    /// Which of the target's cells, and how.
    effects: Vec<(usize, Action)>,
}

/// The order in which records take effect: by transaction, then by position, those that follow another right after it.
pub(crate) type Turn = (u64, u32, Option<u32>);

/// The versions of the key that was asked for last, with their numbers.
pub(crate) type KnownVersions = RefCell<Option<(Vec<u8>, Vec<(Option<i64>, RowId)>)>>;

/// The turns of records, which ascend by transaction.
pub(crate) struct Turns<'v> {
    view: &'v View,
    causes: Option<Causes>,
    /// Types whose records can be emitted.
    emitted: BTreeSet<&'v str>,
}

/// The cell that a rule moves; `None` where it only looks.
pub(crate) fn moved_cell(primitive: &Primitive) -> Option<MovedCell<'_>> {
    match primitive {
        Primitive::Open { cell, at, by, .. }
        | Primitive::Balance { cell, at, by, .. }
        | Primitive::Close { cell, at, by, .. }
        | Primitive::Count { cell, at, by, .. }
        | Primitive::Sequence { cell, at, by, .. } => Some(MovedCell { cell, at, by }),
        Primitive::Lifecycle { cell, at, to, .. } => to.map(|_| MovedCell { cell, at, by: &[] }),
        Primitive::Holder { cell, at, by, to, .. } => {
            let is_moved = !matches!(to, HolderTo::Same);
            is_moved.then_some(MovedCell { cell, at, by })
        }
        Primitive::Require(_)
        | Primitive::Conserve { .. }
        | Primitive::Window { .. }
        | Primitive::Unique { .. }
        | Primitive::Ref { .. }
        | Primitive::Match { .. }
        | Primitive::Acyclic { .. }
        | Primitive::Emit { .. }
        | Primitive::Tally(_) => None,
    }
}

impl Target {
    /// Whether a cell is of a kind of the target's.
    pub(crate) fn has(&self, cell: &CellType) -> bool {
        self.kinds.iter().any(|known| known.is_same(cell))
    }

    /// Whether a record type, in this version, moves such cells.
    pub(crate) fn is_moved_by(&self, record_type: &RecordType) -> bool {
        record_type.rules.iter().any(|rule| moved_cell(&rule.primitive).is_some_and(|moved| self.has(moved.cell)))
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

impl Batch {
    /// Records where they stand.
    pub(crate) fn new(
        view: &View,
        known: &KnownVersions,
        record_type: &Arc<RecordType>,
        gathered: Gathered,
        target: &Target,
    ) -> Result<Self> {
        let mut besides = vec![Beside::default(); gathered.rows.len()];
        if record_type.can_be_held() {
            for (beside, is_held) in besides.iter_mut().zip(view.were_held(&gathered.rows)?) {
                beside.is_held = is_held;
            }
        }
        Self::with(view, known, record_type, gathered, target, besides)
    }

    fn with(
        view: &View,
        known: &KnownVersions,
        record_type: &Arc<RecordType>,
        gathered: Gathered,
        target: &Target,
        mut besides: Vec<Beside>,
    ) -> Result<Self> {
        let rows = Rows::new(record_type, &gathered.batch).map_err(|error| Error::Fault(error.to_string()))?;
        let ops = lower(&rows, record_type, &|_| 0);
        for (place, beside) in besides.iter_mut().enumerate().filter(|(_, beside)| !beside.is_held) {
            for op in ops.of_row(place) {
                let rule = &record_type.rules[usize::from(op.rule)];
                match op.action {
                    Action::TakeBack { key } => {
                        let Primitive::Unique { versioned: Some(versioned), .. } = &rule.primitive else { continue };
                        let number = rows.int(versioned.version, place);
                        beside.taken_back = taken_back(view, known, (ops.key(key), number), target)?;
                    }
                    Action::Evaluate => open_cells(rule, &rows, place, target, &mut beside.open),
                    _ => {}
                }
            }
        }
        let slots = (0..ops.cells.len() as u32).map(|cell| target.place(ops.name(cell))).collect();
        Ok(Batch { record_type: Arc::clone(record_type), gathered, ops, slots, besides })
    }

    /// Only those that may have moved one of the target's cells; `None` where there are none.
    pub(crate) fn movers(self, target: &Target) -> Result<Option<Self>> {
        let moving: Vec<bool> = (0..self.gathered.rows.len()).map(|place| self.moves(place)).collect();
        if !moving.contains(&true) {
            return Ok(None);
        }
        if !moving.contains(&false) {
            return Ok(Some(self));
        }
        let Batch { record_type, gathered, besides, .. } = self;
        let gathered = gathered.retain(&moving).map_err(|error| Error::Fault(error.to_string()))?;
        let besides = besides.into_iter().zip(&moving).filter(|(_, moves)| **moves).map(|(beside, _)| beside).collect();
        let rows = Rows::new(&record_type, &gathered.batch).map_err(|error| Error::Fault(error.to_string()))?;
        let ops = lower(&rows, &record_type, &|_| 0);
        let slots = (0..ops.cells.len() as u32).map(|cell| target.place(ops.name(cell))).collect();
        Ok(Some(Batch { record_type, gathered, ops, slots, besides }))
    }

    /// Whether a record may have moved one of the target's cells.
    pub(crate) fn moves(&self, place: usize) -> bool {
        let beside = &self.besides[place];
        !beside.is_held && (!beside.open.is_empty() || self.effects(place).next().is_some())
    }

    /// Whether what a record did to a cell of the target was decided by what it looked up.
    pub(crate) fn is_open(&self, place: usize, cell: usize) -> bool {
        self.besides[place].open.contains(&cell)
    }

    /// What a record did to the target's cells by itself: which of them, and how.
    pub(crate) fn effects(&self, place: usize) -> impl Iterator<Item = (usize, Action)> {
        let back = self.taken_back(place).into_iter().flat_map(|back| back.effects.iter().copied());
        back.chain(self.own_effects(place))
    }

    /// The same, without what it took back.
    pub(crate) fn own_effects(&self, place: usize) -> impl Iterator<Item = (usize, Action)> {
        self.ops.of_row(place).iter().filter_map(|op| {
            let cell = op.action.cell().filter(|_| op.action.is_effect())?;
            Some((self.slots[cell as usize]?, op.action))
        })
    }

    /// What a record took back of the version before it.
    pub(crate) fn taken_back(&self, place: usize) -> Option<&TakenBack> {
        self.besides[place].taken_back.as_ref()
    }

    /// Where the effects of a record happened: where it stands, or at its release.
    pub(crate) fn happened_at(&self, place: usize) -> RowId {
        self.besides[place].release.unwrap_or(self.gathered.rows[place])
    }

    /// Where a record stands that was held, and took effect elsewhere.
    pub(crate) fn held_at(&self, place: usize) -> Option<RowId> {
        self.besides[place].release.map(|_| self.gathered.rows[place])
    }
}

impl TakenBack {
    /// Which of the target's cells, and how.
    pub(crate) fn effects(&self) -> impl Iterator<Item = (usize, Action)> {
        self.effects.iter().copied()
    }
}

impl<'v> Turns<'v> {
    pub(crate) fn new(view: &'v View) -> Self {
        let rules = view.authority.all_versions().flat_map(|record_type| &record_type.rules);
        let emitted = rules.filter_map(|rule| match &rule.primitive {
            Primitive::Emit { target, .. } => Some(target.as_str()),
            _ => None,
        });
        Turns { view, causes: None, emitted: emitted.collect() }
    }

    /// The turn of what happened at a place, of a record of this type.
    pub(crate) fn of(&mut self, type_name: &str, at: RowId) -> Result<Turn> {
        let alone = (at.index, at.position, None);
        if !self.emitted.contains(type_name) {
            return Ok(alone);
        }
        if self.causes.as_ref().is_none_or(|causes| causes.index != at.index) {
            self.causes = Some(self.view.causes(at.index)?);
        }
        let cause = self.causes.as_ref().map(|causes| causes.of(at.position)).transpose()?.flatten();
        Ok(cause.map_or(alone, |cause| (at.index, cause, Some(at.position))))
    }
}

/// The held records that a transaction released, as far as they may have moved the target's cells.
pub(crate) fn released(
    ledger: &Ledger,
    view: &View,
    known: &KnownVersions,
    index: u64,
    target: &Target,
) -> Result<Vec<Batch>> {
    let mut by_type: BTreeMap<(String, u64), BTreeMap<RowId, RowId>> = BTreeMap::new();
    for (row, release) in view.releases_in(index)? {
        let record_type = view.with_row(row, |chunk, _| Ok(Arc::clone(&chunk.record_type)))?;
        by_type.entry((record_type.name.clone(), record_type.version)).or_default().insert(row, release);
    }
    let mut batches = Vec::new();
    for ((name, version), releases) in by_type {
        let Some(record_type) = view.authority.version(&name, version).filter(|known| target.is_moved_by(known)) else {
            continue;
        };
        let rows: Vec<RowId> = releases.keys().copied().collect();
        let gathered = ledger.records(view, &rows, &Wanted::all(record_type))?;
        let besides = releases.into_values().map(|release| Beside { release: Some(release), ..Beside::default() });
        let batch = Batch::with(view, known, record_type, gathered, target, besides.collect())?;
        batches.extend(batch.movers(target)?);
    }
    Ok(batches)
}

/// What a version with this key and number took back: the effects of the one before it.
fn taken_back(
    view: &View,
    known: &KnownVersions,
    (key, number): (&[u8], Option<i64>),
    target: &Target,
) -> Result<Option<TakenBack>> {
    let Some(before) = number.and_then(|number| number.checked_sub(1)) else { return Ok(None) };
    let mut known = known.borrow_mut();
    if known.as_ref().is_none_or(|(known, _)| known != key) {
        *known = Some((key.to_vec(), view.numbered_versions(key, target.end)?));
    }
    let (_, versions) = known.get_or_insert_default();
    let Ok(place) = versions.binary_search_by_key(&Some(before), |(number, _)| *number) else { return Ok(None) };
    let (_, row) = versions[place];
    view.with_row(row, |chunk, place| {
        let ops = lower_effects(&chunk.view(row).map_err(damage)?, place, &|_| 0);
        let effects = ops.ops.iter().filter_map(|op| {
            let undone = op.action.undone()?;
            Some((target.place(ops.name(op.action.cell()?))?, undone))
        });
        Ok(Some(TakenBack { row, effects: effects.collect() }))
    })
}

/// Adds the cells of the target that a rule may have moved by what it looked up.
fn open_cells(rule: &Rule, rows: &Rows<'_>, row: usize, target: &Target, open: &mut Vec<usize>) {
    let Some(moved) = moved_cell(&rule.primitive).filter(|moved| target.has(moved.cell)) else { return };
    let is_told = |expression: &Expr| expression.needs() == Needs::default();
    let is_named = moved.at.iter().chain(moved.by).all(is_told);
    let items = rule.each.map_or_else(|| vec![None], |list| rows.list_range(list, row).map(Some).collect());
    for item in items {
        let scope = Scope { rows, row, item, env: &Env::NONE };
        let when = rule.when.as_ref().filter(|when| is_told(when));
        if when.is_some_and(|when| !when.is_true(rows, row, item, &Env::NONE)) {
            continue;
        }
        let mut name = Vec::new();
        if is_named {
            let (at, by) = (moved.at.iter(), moved.by.iter());
            moved.cell.write_name(at.map(|value| scope.value(value)), by.map(|value| scope.value(value)), &mut name);
        }
        let may_be = |place: &usize| match is_named {
            true => target.names[*place] == name,
            false => target.kinds[*place].is_same(moved.cell),
        };
        open.extend((0..target.names.len()).filter(may_be));
    }
    open.sort_unstable();
    open.dedup();
}

/// A cell's value after an effect on it.
pub(crate) fn moved(
    value: Option<CellValue>,
    action: Action,
    ops: &OpChunk,
    kind: &CellType,
) -> Result<Option<CellValue>> {
    let opening = || match &kind.kind {
        CellKind::Balance(balance) => balance.opening(),
        _ => None,
    };
    let with = |value: Option<CellValue>, change: &dyn Fn(&mut Parts) -> Option<()>| -> Result<Option<CellValue>> {
        let mut parts = match value {
            Some(CellValue::Parts(parts)) => parts,
            _ => opening().unwrap_or(Parts::EMPTY),
        };
        change(&mut parts).ok_or_else(|| Error::damaged("a balance has too many digits: audit the ledger"))?;
        Ok(Some(CellValue::Parts(parts)))
    };
    Ok(match action {
        Action::Open { parts, .. } => Some(CellValue::Parts(ops.opened[parts as usize])),
        Action::Add { part, delta, .. } => with(value, &|parts| parts.add(usize::from(part), delta))?,
        Action::Assign { part, value: assigned, .. } => with(value, &|parts| {
            parts.set(usize::from(part), assigned);
            Some(())
        })?,
        Action::Clear { part, .. } => {
            let part = usize::from(part);
            with(value, &|parts| {
                match opening().and_then(|opening| opening.part(part)) {
                    Some(initial) => parts.set(part, initial),
                    None => parts.clear(part),
                }
                Some(())
            })?
        }
        Action::Close { .. } => None,
        Action::Step { to, .. } => to.map(CellValue::State).or(value),
        Action::Count { step, .. } => {
            let before = if let Some(CellValue::Count(count)) = value { count } else { 0 };
            Some(before.saturating_add(step)).filter(|count| *count != 0).map(CellValue::Count)
        }
        Action::Hold { to, .. } => match to {
            HeldBy::Nobody => None,
            HeldBy::Whoever => value,
            HeldBy::This(text) => Some(CellValue::Holder(Arc::from(ops.text(text)))),
        },
        Action::Advance { to, .. } => match ops.advances[to as usize] {
            Advance::Value(last) | Advance::Range(_, last) | Advance::Reset(last) => Some(CellValue::Last(last)),
        },
        _ => value,
    })
}
