//! Which records moved a cell, in the order in which they took effect.
//!
//! The schema says which types may move a cell, and by which of their fields its name is made. Where such a field is the key of its type
//! or is indexed, the records are found by it; otherwise every record of the type is looked at in those transactions that moved the
//! cell, which the table `cell_history` knows.

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::Ledger;
use super::effects::{Batch, KnownVersions, Target, Turn, Turns, moved_cell, released};
use super::read::{is_indexed, is_key, unique_key_of};
use super::view::{View, damage};
use crate::codes;
use crate::error::{Error, Result};
use crate::execute::authority::RELEASE;
use crate::limits::CHUNK_ROWS;
use crate::model::RowId;
use crate::query::{
    Filter, Gathering, Lookup, Positions, ReadError, Scan, Segments, Source, Wanted, has_segments, moving_transactions,
    posting_prefix, read_head, read_rows, record_type_of,
};
use crate::schema::{Expr, RecordType, Rows};

/// Records that are read together, about.
const WINDOW_ROWS: usize = 1_024;
/// Indexes of `cell_history` read at a time.
const HISTORY_PAGE: usize = 1_024;

/// The movers of some cells, window by window.
pub(crate) struct Movements {
    target: Target,
    sources: Vec<TypeSource>,
    versions: KnownVersions,
    can_be_held: bool,
}

/// Some records that moved a target cell.
pub(crate) struct Window {
    pub(crate) batches: Vec<Batch>,
    /// In the order in which they took effect: number of the batch, and place in it.
    pub(crate) order: Vec<(usize, usize)>,
    /// The turn of each.
    pub(crate) turns: Vec<Turn>,
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

impl Movements {
    /// The movers among the transactions from `first` on and below the end of the target.
    pub(crate) fn new(view: &View, target: Target, first: u64) -> Result<Self> {
        let mut rules: BTreeMap<&str, Vec<(&RecordType, &[Expr])>> = BTreeMap::new();
        for record_type in view.authority.all_versions() {
            for rule in &record_type.rules {
                if let Some(moved) = moved_cell(&rule.primitive).filter(|moved| target.has(moved.cell)) {
                    rules.entry(&record_type.name).or_default().push((&**record_type, moved.at));
                }
            }
        }
        let can_be_held = rules.keys().any(|name| view.can_be_held(name));
        let mut sources = Vec::with_capacity(rules.len() + usize::from(can_be_held));
        for (name, rules) in rules {
            if !has_records(view, name, first, target.end)? {
                continue;
            }
            let finders = finders(view, &rules, &target, first)?;
            sources.push(TypeSource::new(name, finders));
        }
        if can_be_held {
            // What a held record does happens in the transaction that releases it.
            let transactions = Finder::Transactions(Transactions::of(view, &target, first));
            sources.push(TypeSource::new(RELEASE, vec![transactions]));
        }
        Ok(Movements { target, sources, versions: RefCell::default(), can_be_held })
    }

    /// The next movers; `None` at the end.
    pub(crate) fn next(&mut self, ledger: &Ledger, view: &View) -> Result<Option<Window>> {
        let mut gatherings: BTreeMap<String, BTreeMap<u32, Gathering>> = BTreeMap::new();
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
                        let whole = match source.name.as_str() {
                            RELEASE => released(ledger, view, &self.versions, index, &self.target)?,
                            name => whole_transaction(ledger, view, &self.versions, (name, index), &self.target)?,
                        };
                        rows += whole.iter().map(|batch| batch.gathered.rows.len()).sum::<usize>();
                        batches.extend(whole);
                    }
                    Some(positions) => {
                        rows += positions.positions.len();
                        let gatherings = gatherings.entry(source.name.clone()).or_default();
                        read_rows(&*view.snapshot, positions, usize::MAX, |last, bytes, positions| {
                            gather(view, &source.name, gatherings, (last, bytes), positions)
                        })
                        .map_err(damage)?;
                    }
                }
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        for gathering in gatherings.into_values().flat_map(BTreeMap::into_values) {
            let record_type = Arc::clone(gathering.record_type());
            let gathered = gathering.finish().map_err(damage)?;
            batches.push(Batch::new(view, &self.versions, &record_type, gathered, &self.target)?);
        }
        Window::new(view, batches).map(Some)
    }

    /// Whether records that move the cells can be held, and so may have moved them at their release.
    pub(crate) fn can_be_held(&self) -> bool {
        self.can_be_held
    }

    /// The cells.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }
}

impl Window {
    fn new(view: &View, batches: Vec<Batch>) -> Result<Self> {
        let mut turns = Turns::new(view);
        let mut order = Vec::new();
        for (number, batch) in batches.iter().enumerate() {
            for place in (0..batch.gathered.rows.len()).filter(|place| batch.moves(*place)) {
                order.push((turns.of(&batch.record_type.name, batch.happened_at(place))?, number, place));
            }
        }
        order.sort_unstable();
        let turns = order.iter().map(|(turn, _, _)| *turn).collect();
        let order = order.into_iter().map(|(_, number, place)| (number, place)).collect();
        Ok(Window { batches, order, turns })
    }

    /// The movers of one transaction after the other: ranges of `order`.
    pub(crate) fn transactions(&self) -> impl Iterator<Item = (u64, Range<usize>)> {
        let mut start = 0;
        self.turns.chunk_by(|left, right| left.0 == right.0).map(move |same| {
            let range = start..start + same.len();
            start = range.end;
            (same[0].0, range)
        })
    }

    /// Typed access to the rows of each batch.
    pub(crate) fn views(&self) -> Result<Vec<Rows<'_>>> {
        let views = self.batches.iter().map(|batch| Rows::new(&batch.record_type, &batch.gathered.batch));
        views.collect::<std::result::Result<_, _>>().map_err(|error| Error::Fault(error.to_string()))
    }
}

/// Gathers these rows of a chunk among others of its version.
fn gather(
    view: &View,
    name: &str,
    gatherings: &mut BTreeMap<u32, Gathering>,
    (last, bytes): (RowId, &[u8]),
    positions: &[u32],
) -> std::result::Result<(), ReadError> {
    let chunk = read_head(last, bytes)?;
    let gathering = match gatherings.entry(chunk.version) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => {
            let authority = &*view.authority;
            let types = |_: &str, version: u64| authority.version(name, version).cloned();
            place.insert(Gathering::new(Wanted::all(&record_type_of(last, &chunk, &types)?)))
        }
    };
    gathering.push(last, &chunk, Some(positions), &|_, _| None)
}

/// The movers of one type in one transaction, found by looking at every record of the type.
fn whole_transaction(
    ledger: &Ledger,
    view: &View,
    known: &KnownVersions,
    (name, index): (&str, u64),
    target: &Target,
) -> Result<Vec<Batch>> {
    let authority = &*view.authority;
    let types = |name: &str, version: u64| authority.version(name, version).cloned();
    let mut batches = Vec::new();
    if !has_records(view, name, index, index + 1)? {
        return Ok(batches);
    }
    for record_type in authority.versions_of(name) {
        let filter = Filter::new(record_type, &[]).map_err(|why| Error::schema(codes::BAD_CONDITION, why))?;
        let source = Source::All(Segments::new(name, index, index + 1));
        let mut scan = Scan::new(source, Wanted::all(record_type), filter);
        while let Some(wave) = scan.read_wave(&*view.snapshot).map_err(damage)? {
            for page in ledger.pool.each(&wave, |page| scan.decode(page, &types).map_err(damage))? {
                // A transaction holds records of one version of a type.
                if page.versions.first() != Some(&(record_type.version as u32)) {
                    continue;
                }
                batches.extend(Batch::new(view, known, record_type, page, target)?.movers(target)?);
            }
        }
    }
    Ok(batches)
}

/// Whether there are records of a type in some transactions.
fn has_records(view: &View, name: &str, first: u64, end: u64) -> Result<bool> {
    has_segments(&*view.snapshot, name, first, end).map_err(|error| damage(error.into()))
}

/// How the movers of one type are found: `rules` are, in all its versions, the key values of the cells that it moves.
fn finders(view: &View, rules: &[(&RecordType, &[Expr])], target: &Target, first: u64) -> Result<Vec<Finder>> {
    let end = target.end;
    // A version that takes back what the one before did need not name the cell itself.
    let takes_back = |record_type: &RecordType| view.authority.versions_of(&record_type.name).any(|one| one.replaces());
    let takes_back = rules.first().is_some_and(|(record_type, _)| takes_back(record_type));
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
            Some(found) if !takes_back => {
                indexed.insert(found);
            }
            _ => return Ok(vec![Finder::Transactions(Transactions::of(view, target, first))]),
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
    fn new(name: &str, finders: Vec<Finder>) -> Self {
        TypeSource { name: name.to_owned(), finders: finders.into_iter().map(|one| (one, None)).collect() }
    }

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
    fn of(view: &View, target: &Target, first: u64) -> Self {
        let hashes = target.names.iter().map(|name| view.secret.hash(name)).collect();
        Transactions { hashes, page: VecDeque::new(), next: first, end: target.end }
    }

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
