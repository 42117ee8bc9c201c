//! Queries: records of a type as Arrow, under conditions, in an order, as of a moment, with the records that they name.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};

use super::backward::Backward;
use super::beside::{Beside, Sight, is_own, narrowed};
use super::join::{Join, Joined};
use super::moment::Moment;
use super::outcomes::Standing;
use super::read::{is_indexed, is_key, unique_key_of};
use super::view::{View, damage};
use super::{Ledger, clock};
use crate::codes;
use crate::error::{Error, Result};
use crate::limits::{CHUNK_ROWS, ORDERED_BYTES};
use crate::model::{RowId, Value};
use crate::query::{
    Comparison, Filter, Gathered, Lookup, Order, OrderBy, Predicate, Scan, Segments, Sorting, Source, Wanted,
    column_at, posting_prefix, unknown_field, value_json,
};
use crate::schema::check::arrow_field;
use crate::schema::{RecordType, arrow_schema, resolve};

/// What to query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueryRequest {
    /// Full name of the record type.
    pub record_type: String,
    /// Conditions, all of which hold: on fields, and on every other column that can be asked for. Those on `_index` and `_time` narrow what is
    /// read.
    pub predicates: Vec<Predicate>,
    /// Columns, in this order; `None`: every field, then those of the joined records. `_index`, `_position`, `_time`, `_author` and
    /// `_version` say where a record stands, when and by whom it was appended, and which version of its module checked it, `_outcome` and
    /// `_code` what became of it and why, `_cause` the position of the signed record that an emitted one follows; `debit.name` is a field of a struct or of the record that `debit` names, if it is joined.
    pub columns: Option<Vec<String>>,
    /// Records that other fields name.
    pub joins: Vec<Join>,
    /// The order; empty: that of the ledger, which also decides between rows that are equal.
    pub order_by: Vec<OrderBy>,
    /// Only records that come, in this order, after the one at this place: how a page follows the last row of the one before.
    pub after: Option<RowId>,
    /// Whether held records show that are not released: they have had no effect.
    pub held: bool,
    /// Rows left out before the first.
    pub offset: u64,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// The ledger as it was at a moment; `None`: as it is.
    pub as_of: Option<Moment>,
}

/// The rows of a query, page by page: an iterator of record batches over one consistent view.
pub struct QueryRows {
    ledger: Arc<Ledger>,
    view: View,
    /// Transactions of the view that are looked at.
    end: u64,
    scan: Scan,
    /// What conditions and orders look at beside the fields that are read.
    beside: Beside,
    beside_filter: Filter,
    /// The columns of a page: those that are read, and those beside them.
    wanted: Wanted,
    sorting: Option<Sorting>,
    after: Option<RowId>,
    /// What comes when the scan is at its end, where the newest transactions come first.
    backward: Option<Backward>,
    /// Whether records that are held have to be found, and left out.
    hides_held: bool,
    schema: SchemaRef,
    columns: Vec<Column>,
    joins: Vec<Joined>,
    skip: u64,
    left: u64,
    pages: VecDeque<Gathered>,
}

/// A column of the result.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    /// A field, by positions from the outside in.
    Field(Vec<usize>),
    Index,
    Position,
    Time,
    Author,
    Version,
    Outcome,
    Code,
    Cause,
    /// A field of a joined record: which join, and the position.
    Joined(usize, usize),
}

/// The pseudo-columns.
fn pseudo_column(name: &str) -> Option<(Column, DataType)> {
    Some(match name {
        "_index" => (Column::Index, DataType::UInt64),
        "_position" => (Column::Position, DataType::UInt32),
        "_time" => (Column::Time, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        "_author" => (Column::Author, DataType::Utf8),
        "_version" => (Column::Version, DataType::UInt32),
        "_outcome" => (Column::Outcome, DataType::Utf8),
        "_code" => (Column::Code, DataType::Utf8),
        "_cause" => (Column::Cause, DataType::UInt32),
        _ => return None,
    })
}

impl Ledger {
    /// Starts a query.
    pub fn query(self: &Arc<Self>, request: &QueryRequest) -> Result<QueryRows> {
        let view = self.view()?;
        let end = view.size_at(request.as_of)?;
        let record_type = view.record_type(&request.record_type)?;
        let joins = request.joins.iter().map(|join| Joined::new(&view, &record_type, join));
        let joins = joins.collect::<Result<Vec<_>>>()?;
        let order_by = order_of(request);
        let predicates = request.predicates.iter();
        let names = predicates.clone().map(|predicate| &predicate.field).chain(order_by.iter().map(|by| &by.field));
        let beside = Beside::new(&record_type, &joins, names.map(String::as_str))?;
        let (own, others): (Vec<Predicate>, Vec<Predicate>) =
            predicates.cloned().partition(|predicate| is_own(&record_type, &predicate.field));
        let filter = filter_of(&record_type, &own)?;
        let beside_filter = filter_of(&beside.record_type, &others)?;
        let order = Order::new(&beside.record_type, order_by);
        let order = order.map_err(|why| Error::schema(codes::BAD_CONDITION, why))?;
        let (schema, columns) = projection(&record_type, &joins, request.columns.as_deref())?;
        let read = read_fields(&record_type, &columns, &joins, &filter, &order);
        let wanted = beside.wanted(&read);
        let limit = request.limit.unwrap_or(u64::MAX);
        let is_ordered = !order.is_empty();
        let first = request.after.filter(|_| !is_ordered).map_or(0, |row| row.index);
        let can_be_held = view.can_be_held(&record_type.name);
        let range = narrowed(&view, &others, (first, end))?;
        let mut source = source(&view, &record_type, request, range)?;
        let (mut sorting, mut backward) = (None, None);
        if is_ordered {
            let cursor = request.after.map(|row| {
                let sight = Sight { ledger: self, view: &view, joins: &joins, end };
                beside.extend(self.cursor(&view, row, &read)?, &wanted, &sight)
            });
            let cursor = cursor.transpose()?;
            backward = Backward::new(&view, request, &order, cursor.as_ref(), &source, range)?;
            match backward {
                Some(_) => source = Source::Rows(VecDeque::new()),
                None => {
                    sorting = Some(
                        Sorting::new(order, most(limit, request.offset), cursor.as_ref(), &wanted).map_err(fault)?,
                    )
                }
            }
        }
        Ok(QueryRows {
            ledger: Arc::clone(self),
            view,
            end,
            scan: Scan::new(source, read, filter),
            beside,
            beside_filter,
            wanted,
            after: request.after.filter(|_| !is_ordered),
            hides_held: !request.held && can_be_held,
            sorting,
            backward,
            schema,
            columns,
            joins,
            skip: request.offset,
            left: limit,
            pages: VecDeque::new(),
        })
    }

    /// The row after which a page begins.
    fn cursor(&self, view: &View, row: RowId, wanted: &Wanted) -> Result<Gathered> {
        let found = view.check_index(row.index).and_then(|()| self.records(view, &[row], wanted));
        match found {
            Ok(found) if found.rows == [row] => Ok(found),
            Err(Error::Store(error)) => Err(Error::Store(error)),
            _ => Err(Error::schema(
                codes::NO_RECORD,
                format!("there is no record {row} of {} to go on after", wanted.record_type.name),
            )),
        }
    }
}

impl QueryRows {
    /// The Arrow schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_page(&mut self) -> Result<Option<Gathered>> {
        loop {
            if let Some(page) = self.pages.pop_front() {
                return Ok(Some(page));
            }
            let Some(pages) = self.read_wave()? else {
                let Some(sorting) = self.sorting.take() else {
                    if self.go_back()? {
                        continue;
                    }
                    return Ok(None);
                };
                let whole = sorting.finish(&self.wanted).map_err(fault)?;
                let starts = (0..whole.rows.len()).step_by(CHUNK_ROWS);
                self.pages = starts.map(|start| whole.slice(start, CHUNK_ROWS)).collect();
                continue;
            };
            match &mut self.sorting {
                None => self.pages = pages.into(),
                Some(sorting) => {
                    for page in pages {
                        let bytes = sorting.add(page, &self.wanted).map_err(fault)?;
                        check_ordered(bytes)?;
                    }
                }
            }
        }
    }

    /// Goes on with older transactions; false where there are none.
    fn go_back(&mut self) -> Result<bool> {
        let Some(backward) = &mut self.backward else { return Ok(false) };
        let record_type = &self.scan.wanted().record_type;
        let Some(window) = backward.next(&self.view, record_type)? else { return Ok(false) };
        self.scan.go_on(window.source);
        self.after = window.after;
        if !window.is_in_order {
            let (order, cursor) = (backward.order.clone(), backward.cursor.as_ref());
            let sorting = Sorting::new(order, most(self.left, self.skip), cursor, &self.wanted);
            self.sorting = Some(sorting.map_err(fault)?);
        }
        Ok(true)
    }

    fn read_wave(&mut self) -> Result<Option<Vec<Gathered>>> {
        // Reading from the snapshot stays on this thread, decoding goes to the pool.
        let Some(wave) = self.scan.read_wave(&*self.view.snapshot).map_err(damage)? else { return Ok(None) };
        let authority = Arc::clone(&self.view.authority);
        let types = move |name: &str, version: u64| authority.version(name, version).cloned();
        let scan = &self.scan;
        let pages = self.ledger.pool.each(&wave, |page| scan.decode(page, &types).map_err(damage))?;
        pages.into_iter().map(|page| self.visible(page)).collect::<Result<_>>().map(Some)
    }

    /// The rows of a page that come after the row asked for, without those that are held, with what conditions and orders look at beside
    /// them.
    fn visible(&self, page: Gathered) -> Result<Gathered> {
        let page = match self.after {
            None => page,
            Some(after) => {
                let kept: Vec<bool> = page.rows.iter().map(|row| *row > after).collect();
                page.retain(&kept).map_err(fault)?
            }
        };
        let page = match self.hides_held {
            false => page,
            true => {
                let standings = self.view.standings(&page.rows, self.end)?;
                let kept: Vec<bool> = standings.iter().map(|standing| !matches!(standing, Standing::Held(_))).collect();
                page.retain(&kept).map_err(fault)?
            }
        };
        let sight = Sight { ledger: &self.ledger, view: &self.view, joins: &self.joins, end: self.end };
        let page = self.beside.extend(page, &self.wanted, &sight)?;
        if self.beside_filter.is_empty() {
            return Ok(page);
        }
        let mask = self.beside_filter.mask(&page.batch, &self.wanted).map_err(fault)?;
        page.retain(&mask.values().iter().collect::<Vec<bool>>()).map_err(fault)
    }

    fn project(&self, page: &Gathered) -> Result<RecordBatch> {
        let wanted = &self.wanted;
        let joined = self.joins.iter().map(|join| join.columns(&self.ledger, &self.view, page, wanted, self.end));
        let joined = joined.collect::<Result<Vec<_>>>()?;
        let standings = self.standings(page)?;
        let is_fact = |column: &Column| matches!(column, Column::Time | Column::Author);
        let facts = if self.columns.iter().any(is_fact) { self.view.facts(page)? } else { BTreeMap::new() };
        let fact = |row: &RowId| &facts[&row.index];
        let columns = self.columns.iter().map(|column| -> Result<ArrayRef> {
            Ok(match column {
                Column::Field(steps) => column_at(&page.batch, wanted, steps).map_err(fault)?,
                Column::Index => Arc::new(UInt64Array::from_iter_values(page.rows.iter().map(|row| row.index))),
                Column::Position => Arc::new(UInt32Array::from_iter_values(page.rows.iter().map(|row| row.position))),
                Column::Version => Arc::new(UInt32Array::from(page.versions.clone())),
                Column::Time => {
                    let times = page.rows.iter().map(|row| fact(row).0);
                    Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
                }
                Column::Author => Arc::new(StringArray::from_iter_values(page.rows.iter().map(|row| &fact(row).1))),
                Column::Outcome => Arc::new(StringArray::from_iter_values(standings.iter().map(Standing::name))),
                Column::Code => Arc::new(standings.iter().map(Standing::code).collect::<StringArray>()),
                Column::Cause => {
                    let causes = page.rows.iter().map(|row| self.view.cause(*row));
                    Arc::new(causes.collect::<Result<UInt32Array>>()?)
                }
                Column::Joined(join, place) => Arc::clone(joined[*join].column(*place)),
            })
        });
        // Of no columns, still so many rows.
        let options = RecordBatchOptions::new().with_row_count(Some(page.rows.len()));
        RecordBatch::try_new_with_options(self.schema(), columns.collect::<Result<_>>()?, &options).map_err(fault)
    }

    /// What became of the rows of a page, where a column asks for it.
    fn standings(&self, page: &Gathered) -> Result<Vec<Standing>> {
        if !self.columns.iter().any(|column| matches!(column, Column::Outcome | Column::Code)) {
            return Ok(Vec::new());
        }
        // In the order of the ledger, whatever the order of the page.
        let mut order: Vec<usize> = (0..page.rows.len()).collect();
        order.sort_by_key(|place| page.rows[*place]);
        let rows: Vec<RowId> = order.iter().map(|&place| page.rows[place]).collect();
        let found = self.view.standings_of(&self.scan.wanted().record_type.name, &rows, self.end)?;
        let mut standings = vec![Standing::Accepted; rows.len()];
        for (place, standing) in order.into_iter().zip(found) {
            standings[place] = standing;
        }
        Ok(standings)
    }
}

impl View {
    /// Ledger time and author of the transactions of a page.
    pub(crate) fn facts(&self, page: &Gathered) -> Result<BTreeMap<u64, (i64, String)>> {
        let mut facts = BTreeMap::new();
        for row in &page.rows {
            if let Entry::Vacant(vacant) = facts.entry(row.index) {
                vacant.insert(self.fact(row.index)?);
            }
        }
        Ok(facts)
    }

    /// Ledger time and author of a transaction.
    pub(crate) fn fact(&self, index: u64) -> Result<(i64, String)> {
        let envelope = self.envelope(index)?.envelope;
        Ok((clock::parse(&envelope.time)?, envelope.intent.author))
    }
}

impl Iterator for QueryRows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        while self.left > 0 {
            let page = match self.next_page() {
                Ok(Some(page)) => page,
                Ok(None) => return None,
                Err(error) => {
                    self.left = 0;
                    return Some(Err(error));
                }
            };
            let rows = page.rows.len() as u64;
            let skipped = self.skip.min(rows);
            self.skip -= skipped;
            let taken = (rows - skipped).min(self.left);
            if taken > 0 {
                self.left -= taken;
                return Some(self.project(&page.slice(skipped as usize, taken as usize)));
            }
        }
        None
    }
}

/// How many rows are of interest, those that are left out included.
fn most(limit: u64, offset: u64) -> usize {
    usize::try_from(limit.saturating_add(offset)).unwrap_or(usize::MAX)
}

/// Refuses to hold more rows in memory than are put in order there.
fn check_ordered(bytes: usize) -> Result<()> {
    if bytes <= ORDERED_BYTES {
        return Ok(());
    }
    Err(Error::Limit {
        what: "the size of the rows to be ordered, in bytes (ask for fewer columns, or with a limit),".to_owned(),
        value: bytes as u64,
        limit: "ORDERED_BYTES",
        bound: ORDERED_BYTES as u64,
    })
}

pub(crate) fn fault(error: arrow_schema::ArrowError) -> Error {
    Error::Fault(error.to_string())
}

/// The error names the field of the first condition that does not fit.
fn filter_of(record_type: &RecordType, predicates: &[Predicate]) -> Result<Filter> {
    Filter::new(record_type, predicates).map_err(|why| {
        let unfit = |one: &&Predicate| Filter::new(record_type, std::slice::from_ref(*one)).is_err();
        let field = predicates.iter().find(unfit).map_or("", |predicate| &predicate.field);
        Error::schema(codes::BAD_CONDITION, why).about(field)
    })
}

/// The order asked for; none where it is that of the ledger.
fn order_of(request: &QueryRequest) -> &[OrderBy] {
    let rises = |by: &OrderBy, name: &str| !by.is_descending && by.field == name;
    match request.order_by.as_slice() {
        // Ledger time never decreases, and rows that are equal stand as in the ledger.
        [only] if rises(only, "_index") || rises(only, "_time") => &[],
        [index, position] if rises(index, "_index") && rises(position, "_position") => &[],
        order => order,
    }
}

/// The fields that are read: those shown, and those that are looked at.
fn read_fields(
    record_type: &Arc<RecordType>,
    columns: &[Column],
    joins: &[Joined],
    filter: &Filter,
    order: &Order,
) -> Wanted {
    let shown = columns.iter().filter_map(|column| match column {
        Column::Field(steps) => steps.first().copied(),
        _ => None,
    });
    let ordered = order.fields().filter(|field| *field < record_type.fields.len());
    let looked_at = joins.iter().map(|join| join.place).chain(filter.fields()).chain(ordered);
    let mut fields: Vec<usize> = shown.chain(looked_at).collect();
    fields.sort_unstable();
    fields.dedup();
    Wanted::of(record_type, fields)
}

/// Where the records stand for which every predicate can hold, among the transactions from one index on and below another.
pub(super) fn source(
    view: &View,
    record_type: &RecordType,
    request: &QueryRequest,
    range: (u64, u64),
) -> Result<Source> {
    let (first, end) = range;
    let mut terms = Vec::new();
    for predicate in &request.predicates {
        let is_equal = matches!(predicate.comparison, Comparison::Equal | Comparison::In);
        let Some(field) = record_type.field(&predicate.field).filter(|_| is_equal) else { continue };
        if predicate.values.is_empty() || predicate.values.contains(&Value::Null) {
            continue;
        }
        // A held record has no key.
        let is_key = is_key(record_type, &field.name) && !request.held;
        if !is_key && !is_indexed(view, record_type, &field.name) {
            continue;
        }
        let values = predicate
            .values
            .iter()
            .map(|value| value_json(field, value).map_err(|why| Error::schema(codes::BAD_CONDITION, why)));
        let values = values.collect::<Result<Vec<_>>>()?;
        if is_key {
            let mut rows = Vec::new();
            for value in values {
                rows.extend(view.versions_of_key(&unique_key_of(record_type, &[value]), end)?);
            }
            rows.retain(|row| row.index >= first);
            rows.sort_unstable();
            rows.dedup();
            return Ok(Source::Rows(rows.into()));
        }
        let hashes = values.iter().map(|json| view.secret.hash(json)).collect();
        terms.push((posting_prefix(&record_type.name, &field.name), hashes));
    }
    Ok(if terms.is_empty() {
        Source::All(Segments::new(&record_type.name, first, end))
    } else {
        Source::Found(Lookup::new(terms, first, end))
    })
}

fn projection(
    record_type: &RecordType,
    joins: &[Joined],
    columns: Option<&[String]>,
) -> Result<(SchemaRef, Vec<Column>)> {
    let whole = arrow_schema(record_type);
    let mut chosen: Vec<(ArrowField, Column)> = Vec::new();
    match columns {
        None => {
            let own = whole.fields().iter().enumerate();
            chosen.extend(own.map(|(place, field)| (field.as_ref().clone(), Column::Field(vec![place]))));
            for (number, join) in joins.iter().enumerate() {
                let key = join.target.record_type.key().and_then(|key| Some(key.first()?.source().to_owned()));
                let others = join.target.schema.fields().iter().enumerate();
                let others = others.filter(|(_, field)| Some(field.name()) != key.as_ref());
                chosen.extend(others.map(|(place, _)| (join.column(place), Column::Joined(number, place))));
            }
        }
        Some(names) => {
            check_distinct(names)?;
            for name in names {
                chosen.push(column(record_type, joins, name)?);
            }
        }
    }
    let (fields, columns): (Vec<ArrowField>, Vec<Column>) = chosen.into_iter().unzip();
    Ok((Arc::new(Schema::new(fields)), columns))
}

/// Refuses columns of which one is asked for twice: a row by names could hold it once.
pub(crate) fn check_distinct(names: &[String]) -> Result<()> {
    let twice = names.iter().enumerate().find(|(place, name)| names[..*place].contains(name));
    twice.map_or(Ok(()), |(_, name)| {
        Err(Error::schema(codes::DUPLICATE_COLUMN, format!("the column {name} is asked for twice")))
    })
}

/// The column of that name.
pub(crate) fn column(record_type: &RecordType, joins: &[Joined], name: &str) -> Result<(ArrowField, Column)> {
    if let Some((column, kind)) = pseudo_column(name) {
        let is_nullable = matches!(column, Column::Code | Column::Cause);
        return Ok((ArrowField::new(name, kind, is_nullable), column));
    }
    let names: Vec<&str> = name.split('.').collect();
    if let Some((field, steps)) = resolve(&record_type.fields, &names) {
        let own = arrow_field(field);
        return Ok((own.with_name(name).with_nullable(names.len() > 1 || !field.required), Column::Field(steps)));
    }
    if let [field, inner] = names.as_slice()
        && let Some(number) = joins.iter().position(|join| join.field == *field)
    {
        let place = joins[number].target.schema.index_of(inner);
        return place.map(|place| (joins[number].column(place), Column::Joined(number, place))).map_err(|_| {
            Error::schema(codes::UNKNOWN_COLUMN, unknown_field(&joins[number].target.record_type, inner))
        });
    }
    Err(Error::schema(
        codes::UNKNOWN_COLUMN,
        format!(
            "{}, and _index, _position, _time, _author, _version, _outcome, _code and _cause say where a record stands and what became of it",
            unknown_field(record_type, name)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ordered_fits_in_memory() {
        assert!(check_ordered(ORDERED_BYTES).is_ok());
        let refused = check_ordered(ORDERED_BYTES + 1).unwrap_err();
        assert_eq!(refused.code(), codes::ORDERED_BYTES_LIMIT);
    }
}
