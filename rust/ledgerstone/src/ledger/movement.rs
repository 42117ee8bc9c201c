//! Which records moved a cell, and by how much, in the order of the ledger.
//!
//! The schema says which types may move a cell, and by which of their fields its name is made. Where such a field is the key of its type
//! or is indexed, the records are found by it; otherwise every record of the type is looked at in those transactions that moved the
//! cell, which the table `cell_history` knows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Ledger;
use super::read::{is_indexed, is_key, unique_key_of};
use super::view::{View, damage};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::{Action, Advance, HeldBy, OpChunk, lower};
use crate::limits::CHUNK_ROWS;
use crate::model::{CellValue, Parts, RowId};
use crate::query::{
    Filter, Gathered, Lookup, Piece, Positions, Scan, Segments, Source, Wanted, gather, moving_transactions,
    posting_prefix, read_rows,
};
use crate::schema::codec::decode_header;
use crate::schema::module::HolderTo;
use crate::schema::{CellKind, CellType, Expr, Primitive, RecordType, Rows, Rule};

/// Records that are read together, about.
const WINDOW_ROWS: usize = 1_024;
/// Indexes of `cell_history` read at a time.
const HISTORY_PAGE: usize = 1_024;

/// The cells of one record whose movers are looked for.
pub(crate) struct Target {
    pub(crate) cells: Vec<Arc<CellType>>,
    /// The key of the record, JSON values.
    pub(crate) key: Vec<Vec<u8>>,
    /// Their names.
    pub(crate) names: Vec<Vec<u8>>,
}

/// The movers of some cells, window by window.
pub(crate) struct Movements {
    target: Target,
    sources: Vec<TypeSource>,
}

/// Records of one type and version, and what they do.
pub(crate) struct Batch {
    pub(crate) record_type: Arc<RecordType>,
    pub(crate) gathered: Gathered,
    pub(crate) ops: OpChunk,
    /// For each cell that the records name, which of the target's it is.
    slots: Vec<Option<usize>>,
    /// The kinds of the target's cells.
    cells: Vec<Arc<CellType>>,
}

/// Some records that moved a target cell.
pub(crate) struct Window {
    pub(crate) batches: Vec<Batch>,
    /// In the order of the ledger: number of the batch, and place in it.
    pub(crate) order: Vec<(usize, usize)>,
}

/// Where the movers of one type stand.
struct TypeSource {
    name: String,
    finders: Vec<(Finder, Option<Positions>)>,
}

enum Finder {
    Postings(Lookup),
    Rows(VecDeque<RowId>),
    /// All records of the type, in the transactions that moved one of the cells.
    Transactions(Transactions),
}

/// The transactions that moved one of some cells, page by page.
struct Transactions {
    hashes: Vec<u64>,
    page: VecDeque<u64>,
    next: u64,
    end: u64,
}

/// The cell that a rule moves, and its key values; `None` where it only looks.
pub(crate) fn moved_cell(primitive: &Primitive) -> Option<(&Arc<CellType>, &[Expr])> {
    match primitive {
        Primitive::Open { cell, at, .. }
        | Primitive::Balance { cell, at, .. }
        | Primitive::Close { cell, at, .. }
        | Primitive::Count { cell, at, .. }
        | Primitive::Sequence { cell, at, .. } => Some((cell, at)),
        Primitive::Lifecycle { cell, at, to, .. } => to.map(|_| (cell, at.as_slice())),
        Primitive::Holder { cell, at, to, .. } => {
            let is_moved = !matches!(to, HolderTo::Same);
            is_moved.then_some((cell, at.as_slice()))
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

impl Movements {
    /// The movers among the transactions from `first` on and below `end`.
    pub(crate) fn new(view: &View, target: Target, first: u64, end: u64) -> Result<Self> {
        let is_target = |cell: &CellType| target.cells.iter().any(|known| known.is_same(cell));
        let mut rules: BTreeMap<&str, Vec<(&RecordType, &[Expr])>> = BTreeMap::new();
        for record_type in view.authority.all_versions() {
            for rule in &record_type.rules {
                if let Some((_, at)) = moved_cell(&rule.primitive).filter(|(cell, _)| is_target(cell)) {
                    rules.entry(&record_type.name).or_default().push((&**record_type, at));
                }
            }
        }
        let sources = rules
            .into_iter()
            .map(|(name, rules)| {
                let finders = finders(view, &rules, &target, first, end)?;
                Ok(TypeSource { name: name.to_owned(), finders: finders.into_iter().map(|one| (one, None)).collect() })
            })
            .collect::<Result<_>>()?;
        Ok(Movements { target, sources })
    }

    /// The next movers; `None` at the end.
    pub(crate) fn next(&mut self, ledger: &Ledger, view: &View) -> Result<Option<Window>> {
        let mut pieces: BTreeMap<(String, u32), Vec<Piece>> = BTreeMap::new();
        let mut batches = Vec::new();
        let mut rows = 0;
        while rows < WINDOW_ROWS {
            let mut next = None;
            for source in &mut self.sources {
                next = next.into_iter().chain(source.peek(view)?).min();
            }
            let Some(index) = next else { break };
            for source in &mut self.sources {
                match source.take(index) {
                    None => {}
                    Some(positions) if positions.positions.is_empty() => {
                        let whole = whole_transaction(ledger, view, &source.name, index, &self.target)?;
                        rows += whole.iter().map(|batch| batch.gathered.rows.len()).sum::<usize>();
                        batches.extend(whole);
                    }
                    Some(positions) => {
                        rows += positions.positions.len();
                        let (read, _) = read_rows(&*view.snapshot, positions, usize::MAX).map_err(damage)?;
                        for piece in read {
                            let version = decode_header(&piece.bytes).map_or(0, |(_, header, _)| header.version);
                            pieces.entry((source.name.clone(), version)).or_default().push(piece);
                        }
                    }
                }
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        for ((name, version), pieces) in pieces {
            let unknown = || Error::damaged(format!("no module declared {name} version {version}"));
            let record_type = view.authority.version(&name, u64::from(version)).ok_or_else(unknown)?;
            let wanted = Wanted::all(record_type);
            let gathered = gather(&pieces, &wanted, &|_, _| None).map_err(damage)?;
            batches.push(Batch::new(record_type, gathered, &self.target)?);
        }
        let mut order: Vec<(RowId, usize, usize)> = Vec::with_capacity(rows);
        for (number, batch) in batches.iter().enumerate() {
            let moving = (0..batch.gathered.rows.len()).filter(|place| batch.moves(*place));
            order.extend(moving.map(|place| (batch.gathered.rows[place], number, place)));
        }
        order.sort_unstable();
        let order = order.into_iter().map(|(_, number, place)| (number, place)).collect();
        Ok(Some(Window { batches, order }))
    }

    /// The cells.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
}

impl Batch {
    fn new(record_type: &Arc<RecordType>, gathered: Gathered, target: &Target) -> Result<Self> {
        let rows = Rows::new(record_type, &gathered.batch).map_err(|error| Error::Fault(error.to_string()))?;
        let ops = lower(&rows, record_type, &|_| 0);
        let slots = (0..ops.cells.len() as u32).map(|cell| target.names.iter().position(|name| name == ops.name(cell)));
        let slots = slots.collect();
        Ok(Batch { record_type: Arc::clone(record_type), gathered, ops, slots, cells: target.cells.clone() })
    }

    /// Whether what the record at a place does to the target's cells was decided by other state too: it looks things up, takes back what
    /// the version before it did, or may be held.
    pub(crate) fn is_open(&self, place: usize) -> bool {
        self.record_type.can_be_held()
            || self.ops.of_row(place).iter().any(|op| {
                let rule = &self.record_type.rules[usize::from(op.rule)];
                match op.action {
                    Action::Evaluate => moved_cell(&rule.primitive).is_some_and(|(cell, _)| self.is_target(cell)),
                    Action::TakeBack { .. } => true,
                    _ => false,
                }
            })
    }

    /// Whether it may have moved one of the target's cells.
    fn moves(&self, place: usize) -> bool {
        self.effects(place).next().is_some() || self.is_open(place)
    }

    fn is_target(&self, cell: &CellType) -> bool {
        self.cells.iter().any(|known| known.is_same(cell))
    }

    /// What the record at a place does to the target's cells: which of them, and how.
    pub(crate) fn effects(&self, place: usize) -> impl Iterator<Item = (usize, Action)> {
        self.ops.of_row(place).iter().filter_map(|op| {
            let cell = op.action.cell().filter(|_| op.action.is_effect())?;
            Some((self.slots[cell as usize]?, op.action))
        })
    }
}

/// A cell's value after an effect on it.
pub(crate) fn moved(
    value: Option<CellValue>,
    action: Action,
    batch: &Batch,
    kind: &CellType,
) -> Result<Option<CellValue>> {
    let parts = |value: Option<CellValue>| match (value, &kind.kind) {
        (Some(CellValue::Parts(parts)), _) => parts,
        (_, CellKind::Balance(balance)) => balance.opening().unwrap_or(Parts::EMPTY),
        _ => Parts::EMPTY,
    };
    let with = |value: Option<CellValue>, change: &dyn Fn(&mut Parts)| {
        let mut parts = parts(value);
        change(&mut parts);
        Some(CellValue::Parts(parts))
    };
    Ok(match action {
        Action::Open { parts, .. } => Some(CellValue::Parts(batch.ops.opened[parts as usize])),
        Action::Add { part, delta, .. } => {
            let mut parts = parts(value);
            let added = parts.add(usize::from(part), delta);
            added.ok_or_else(|| Error::damaged("a balance has too many digits: audit the ledger"))?;
            Some(CellValue::Parts(parts))
        }
        Action::Assign { part, value: assigned, .. } => with(value, &|parts| parts.set(usize::from(part), assigned)),
        Action::Clear { part, .. } => with(value, &|parts| parts.clear(usize::from(part))),
        Action::Close { .. } => None,
        Action::Step { to, .. } => to.map(CellValue::State).or(value),
        Action::Count { step, .. } => {
            let before = if let Some(CellValue::Count(count)) = value { count } else { 0 };
            Some(before.saturating_add(step)).filter(|count| *count != 0).map(CellValue::Count)
        }
        Action::Hold { to, .. } => match to {
            HeldBy::Nobody => None,
            HeldBy::Whoever => value,
            HeldBy::This(text) => Some(CellValue::Holder(Arc::from(batch.ops.text(text)))),
        },
        Action::Advance { to, .. } => match batch.ops.advances[to as usize] {
            Advance::Value(last) | Advance::Range(_, last) | Advance::Reset(last) => Some(CellValue::Last(last)),
        },
        _ => value,
    })
}

/// Refuses to sum what the records of a cell alone do not say.
pub(crate) fn check_summable(view: &View, cell: &CellType) -> Result<()> {
    for record_type in view.authority.all_versions() {
        let mut moving = record_type
            .rules
            .iter()
            .filter(|rule| moved_cell(&rule.primitive).is_some_and(|(moved, _)| moved.is_same(cell)));
        let replaces = |rule: &Rule| matches!(&rule.primitive, Primitive::Unique { versioned: Some(versioned), .. } if versioned.replace);
        let Some(first) = moving.next() else { continue };
        let is_open = first.is_dynamic() || moving.any(Rule::is_dynamic) || record_type.can_be_held();
        if is_open || record_type.rules.iter().any(replaces) {
            return Err(Error::schema(
                codes::NOT_SUMMABLE,
                format!(
                    "{} moves {} by what it looks up, takes back or holds, which its records alone do not say; as_of gives the balance at any moment",
                    record_type.name, cell.owner
                ),
            ));
        }
    }
    Ok(())
}

impl Window {
    /// Typed access to the rows of each batch.
    pub(crate) fn views(&self) -> Result<Vec<Rows<'_>>> {
        let views = self.batches.iter().map(|batch| Rows::new(&batch.record_type, &batch.gathered.batch));
        views.collect::<std::result::Result<_, _>>().map_err(|error| Error::Fault(error.to_string()))
    }
}

/// The movers in one transaction, found by looking at every record of the type.
fn whole_transaction(ledger: &Ledger, view: &View, name: &str, index: u64, target: &Target) -> Result<Vec<Batch>> {
    let authority = &*view.authority;
    let types = |name: &str, version: u64| authority.version(name, version).cloned();
    let mut batches = Vec::new();
    for record_type in authority.versions_of(name) {
        let filter = Filter::new(record_type, &[]).map_err(|why| Error::schema(codes::BAD_CONDITION, why))?;
        let source = Source::All(Segments::new(name, index, index + 1));
        let mut scan = Scan::new(source, Wanted::all(record_type), filter);
        while let Some(wave) = scan.read_wave(&*view.snapshot).map_err(damage)? {
            for page in ledger.pool.run(|| scan.decode(wave, &types))?.map_err(damage)? {
                // A transaction holds records of one version of a type.
                if page.versions.first() != Some(&(record_type.version as u32)) {
                    continue;
                }
                let whole = Batch::new(record_type, page, target)?;
                let moving: Vec<bool> = (0..whole.gathered.rows.len()).map(|place| whole.moves(place)).collect();
                let kept = whole.gathered.retain(&moving).map_err(|error| Error::Fault(error.to_string()))?;
                if !kept.rows.is_empty() {
                    batches.push(Batch::new(record_type, kept, target)?);
                }
            }
        }
    }
    Ok(batches)
}

/// How the movers of one type are found: `rules` are, in all its versions, the key values of the cells that it moves.
fn finders(
    view: &View,
    rules: &[(&RecordType, &[Expr])],
    target: &Target,
    first: u64,
    end: u64,
) -> Result<Vec<Finder>> {
    let mut indexed: BTreeSet<(String, usize)> = BTreeSet::new();
    let mut by_key = false;
    for (record_type, at) in rules {
        let field = |expression: &Expr| {
            let path = expression.as_field()?;
            (!path.is_item() && !path.as_str().contains('.')).then(|| path.as_str().to_owned())
        };
        let fields: Vec<Option<String>> = at.iter().map(field).collect();
        let is_key = matches!(fields.as_slice(), [Some(only)] if is_key(record_type, only));
        let found = fields.iter().enumerate().find_map(|(place, field)| {
            let field = field.as_ref().filter(|field| is_indexed(view, record_type, field))?;
            Some((field.clone(), place))
        });
        match found {
            _ if is_key => by_key = true,
            Some(found) => {
                indexed.insert(found);
            }
            None => {
                let hashes = target.names.iter().map(|name| view.secret.hash(name)).collect();
                let transactions = Transactions { hashes, page: VecDeque::new(), next: first, end };
                return Ok(vec![Finder::Transactions(transactions)]);
            }
        }
    }
    let Some((record_type, _)) = rules.first() else { return Ok(Vec::new()) };
    let mut finders = Vec::new();
    if by_key {
        let mut rows = view.versions_of_key(&unique_key_of(record_type, &target.key), end)?;
        rows.retain(|row| row.index >= first);
        rows.sort_unstable();
        finders.push(Finder::Rows(rows.into()));
    }
    finders.extend(indexed.into_iter().map(|(field, place)| {
        let term = (posting_prefix(&record_type.name, &field), vec![view.secret.hash(&target.key[place])]);
        Finder::Postings(Lookup::new(vec![term], first, end))
    }));
    Ok(finders)
}

impl TypeSource {
    /// Index of the next transaction with movers.
    fn peek(&mut self, view: &View) -> Result<Option<u64>> {
        let mut next = None;
        for (finder, head) in &mut self.finders {
            if head.is_none() {
                *head = finder.next(view)?;
            }
            next = next.into_iter().chain(head.as_ref().map(|head| head.index)).min();
        }
        Ok(next)
    }

    /// The movers of a transaction, if it has any; no positions: every record has to be looked at.
    fn take(&mut self, index: u64) -> Option<Positions> {
        let mut taken: Option<Positions> = None;
        for (_, head) in &mut self.finders {
            let Some(found) = head.take_if(|head| head.index == index) else { continue };
            match &mut taken {
                None => taken = Some(found),
                Some(known) => known.positions.extend(found.positions),
            }
        }
        let mut taken = taken?;
        taken.positions.sort_unstable();
        taken.positions.dedup();
        Some(taken)
    }
}

impl Finder {
    fn next(&mut self, view: &View) -> Result<Option<Positions>> {
        match self {
            Finder::Postings(lookup) => lookup.next(&*view.snapshot).map_err(damage),
            Finder::Rows(rows) => {
                Ok(rows.pop_front().map(|row| Positions { index: row.index, positions: vec![row.position] }))
            }
            Finder::Transactions(transactions) => {
                Ok(transactions.next(view)?.map(|index| Positions { index, positions: Vec::new() }))
            }
        }
    }
}

impl Transactions {
    fn next(&mut self, view: &View) -> Result<Option<u64>> {
        if self.page.is_empty() && self.next < self.end {
            let mut found = BTreeSet::new();
            // Of several cells, only what lies below the end of every full page is known to be whole.
            let mut known = self.end;
            for hash in &self.hashes {
                let page = moving_transactions(&*view.snapshot, *hash, self.next, self.end, HISTORY_PAGE)?;
                if page.len() == HISTORY_PAGE {
                    known = known.min(page.last().map_or(self.end, |last| last + 1));
                }
                found.extend(page);
            }
            self.page.extend(found.range(..known));
            self.next = known;
        }
        Ok(self.page.pop_front())
    }
}

const _: () = assert!(WINDOW_ROWS <= CHUNK_ROWS);
