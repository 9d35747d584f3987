//! The places of an order, one after the other.
//!
//! Lists by times of receipt have indexes of their own. A list by a field has first the records with a value, then the others
//! by id, among which every record of the kind is named: whoever reads it finds out whether it has a value. Places come in
//! portions, each by one statement or two.

use muster_model::{id::RecordId, rank::Rank, time::Micros};
use muster_store::lists::{
    ListCursor, ListOrder, ListQuery, Place,
    index::{Field, extent, times},
    values::{self, Value},
};
use postgres::Row;
use rustc_hash::FxHashSet;

use crate::{
    fault::Fault,
    fold::{places, write::number},
    read::book::Book,
    sql::values::{At, Id},
};

/// What of a table's column is read in one direction, and in the other: those at the instant of a place and behind it by their ids,
/// and those behind the instant.
struct Times {
    ties: [&'static str; 2],
    rest: [&'static str; 2],
}

macro_rules! times {
    ($column:literal) => {
        Times {
            ties: [
                concat!(
                    "select ",
                    $column,
                    ", id from profile where workspace = $1 and kind = $2 and ",
                    $column,
                    " = $3 and id > $4 order by id limit $5"
                ),
                concat!(
                    "select ",
                    $column,
                    ", id from profile where workspace = $1 and kind = $2 and ",
                    $column,
                    " = $3 and id < $4 order by id desc limit $5"
                ),
            ],
            rest: [
                concat!(
                    "select ",
                    $column,
                    ", id from profile where workspace = $1 and kind = $2 and ",
                    $column,
                    " <= $3 and ",
                    $column,
                    " >= $4 order by ",
                    $column,
                    " desc, id limit $5"
                ),
                concat!(
                    "select ",
                    $column,
                    ", id from profile where workspace = $1 and kind = $2 and ",
                    $column,
                    " >= $3 and ",
                    $column,
                    " <= $4 order by ",
                    $column,
                    ", id desc limit $5"
                ),
            ],
        }
    };
}

const UPDATED: Times = times!("updated_at");
const CREATED: Times = times!("created_at");
const RANKED: [&str; 2] = [
    "select value, id from place where workspace = $1 and kind = $2 and field = $3 and (value, id) >= ($4, $5)
        and value <= $6 order by value, id limit $7",
    "select value, id from place where workspace = $1 and kind = $2 and field = $3 and (value, id) <= ($4, $5)
        and value >= $6 order by value desc, id desc limit $7",
];
const UNRANKED: [&str; 2] = [
    "select id from profile where workspace = $1 and kind = $2 and id >= $3 order by id limit $4",
    "select id from profile where workspace = $1 and kind = $2 and id <= $3 order by id desc limit $4",
];

/// Which places are next.
enum Part {
    /// By a time of receipt, up to an instant.
    Times {
        column: &'static Times,
        next: Micros,
        last: Micros,
    },
    /// With a value, up to one of them.
    Ranked {
        field: i64,
        next: Value,
        last: Value,
    },
    /// Without one.
    Unranked,
    End,
}

/// A way along an order.
pub struct Walk<'b, 't, 'c> {
    book: &'b Book<'t, 'c>,
    kind: i16,
    ascending: bool,
    part: Part,
    /// Whether records without a value may be in the list.
    unranked: bool,
    /// The last place that was handed out.
    after: Option<ListCursor>,
    /// The only records that are wanted, if they are known: those without a value are taken from among them.
    among: Option<&'b FxHashSet<RecordId>>,
    /// The same in the order of the list, once it comes to them.
    lined_up: Vec<RecordId>,
}

impl<'b, 't, 'c> Walk<'b, 't, 'c> {
    /// From behind a place on; from the beginning if there is none. Those of other records than `among` may be left out.
    pub fn new(
        book: &'b Book<'t, 'c>,
        query: &ListQuery,
        after: Option<ListCursor>,
        among: Option<&'b FxHashSet<RecordId>>,
    ) -> Walk<'b, 't, 'c> {
        let (part, unranked) = match Field::of(&query.order).map(places::number) {
            None => (by_time(query, after), false),
            Some(field) => by_field(query, field, after),
        };
        let (kind, ascending, lined_up) = (number(query.kind), query.ascending, Vec::new());
        Walk { book, kind, ascending, part, unranked, after, among, lined_up }
    }

    /// The next places, at most so many; none at the end.
    pub fn next(&mut self, count: usize) -> Result<Vec<ListCursor>, Fault> {
        let count = count.max(1);
        loop {
            let (found, is_over) = match self.part {
                Part::End => return Ok(Vec::new()),
                Part::Times { column, next, last } => self.times(column, (next, last), count)?,
                Part::Ranked { field, next, last } => self.ranked(field, (next, last), count)?,
                Part::Unranked => self.unranked(count)?,
            };
            self.after = found.last().copied().or(self.after);
            if is_over {
                self.part = match self.part {
                    Part::Ranked { .. } if self.unranked => Part::Unranked,
                    _ => Part::End,
                };
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }

    fn way(&self) -> usize {
        usize::from(self.ascending)
    }

    fn times(
        &mut self,
        column: &'static Times,
        (next, last): (Micros, Micros),
        count: usize,
    ) -> Result<(Vec<ListCursor>, bool), Fault> {
        let (workspace, way) = (self.book.workspace(), self.way());
        let mut found = Vec::new();
        let mut next = Some(next);
        if let Some(ListCursor { place: Place::Ranked(Rank::Time(at)), id }) = self.after {
            let limit = count as i64;
            let rows = self
                .book
                .transaction()
                .query(column.ties[way], &[&workspace, &self.kind, &At(at), &Id::from(id), &limit])?;
            found.extend(rows.iter().map(timed));
            let behind = if self.ascending { at.0.checked_add(1) } else { at.0.checked_sub(1) };
            next = behind.map(Micros);
        }
        let Some(next) = next else { return Ok((found, true)) };
        if found.len() < count {
            let limit = (count - found.len()) as i64;
            let rows = self
                .book
                .transaction()
                .query(column.rest[way], &[&workspace, &self.kind, &At(next), &At(last), &limit])?;
            found.extend(rows.iter().map(timed));
        }
        let is_over = found.len() < count;
        Ok((found, is_over))
    }

    fn ranked(
        &mut self,
        field: i64,
        (next, last): (Value, Value),
        count: usize,
    ) -> Result<(Vec<ListCursor>, bool), Fault> {
        let (next, id) = match self.after {
            Some(ListCursor { place: Place::Ranked(rank), id }) => (values::ranked(rank), Id::from(id)),
            _ => (next, self.first_id()),
        };
        let (workspace, limit) = (self.book.workspace(), count as i64 + 1);
        let params: [&(dyn postgres::types::ToSql + Sync); 7] =
            [&workspace, &self.kind, &field, &next.as_slice(), &id, &last.as_slice(), &limit];
        let rows = self.book.transaction().query(RANKED[self.way()], &params)?;
        let cursor = |row: &Row| {
            let rank = values::rank(places::value(row)?).ok_or_else(places::damaged)?;
            Ok(ListCursor { place: Place::Ranked(rank), id: row.get::<_, Id>(1).record() })
        };
        let found = rows.iter().map(cursor).collect::<Result<Vec<ListCursor>, Fault>>()?;
        Ok(self.behind(found, count))
    }

    fn unranked(&mut self, count: usize) -> Result<(Vec<ListCursor>, bool), Fault> {
        let id = match self.after {
            Some(ListCursor { place: Place::Unranked, id }) => Id::from(id),
            _ => self.first_id(),
        };
        if let Some(among) = self.among {
            let found = self.line_up(among, id.record(), count + 1);
            return Ok(self.behind(found, count));
        }
        let (workspace, limit) = (self.book.workspace(), count as i64 + 1);
        let rows = self.book.transaction().query(UNRANKED[self.way()], &[&workspace, &self.kind, &id, &limit])?;
        let found = rows.iter().map(|row| ListCursor { place: Place::Unranked, id: row.get::<_, Id>(0).record() });
        Ok(self.behind(found.collect(), count))
    }

    /// Records from an id on, in the order of the list.
    fn line_up(&mut self, among: &FxHashSet<RecordId>, from: RecordId, most: usize) -> Vec<ListCursor> {
        let ascending = self.ascending;
        if self.lined_up.is_empty() {
            self.lined_up = among.iter().copied().collect();
            self.lined_up.sort_unstable();
            if ascending {
                self.lined_up.reverse();
            }
        }
        let first = self.lined_up.partition_point(|id| if ascending { *id > from } else { *id < from });
        let found = self.lined_up[first..].iter().take(most);
        found.map(|id| ListCursor { place: Place::Unranked, id: *id }).collect()
    }

    /// The id before all others.
    fn first_id(&self) -> Id {
        Id(if self.ascending { u128::MAX } else { 0 })
    }

    /// What was read less the place that it began with; one more than asked for was read.
    fn behind(&self, mut found: Vec<ListCursor>, count: usize) -> (Vec<ListCursor>, bool) {
        let is_over = found.len() <= count;
        found.retain(|cursor| Some(*cursor) != self.after);
        found.truncate(count);
        (found, is_over)
    }
}

fn timed(row: &Row) -> ListCursor {
    let place = Place::Ranked(Rank::Time(row.get::<_, At>(0).0));
    ListCursor { place, id: row.get::<_, Id>(1).record() }
}

fn by_time(query: &ListQuery, after: Option<ListCursor>) -> Part {
    let column = if query.order == ListOrder::CreatedAt { &CREATED } else { &UPDATED };
    let (from, to) = times(query);
    let (next, last) = if query.ascending { (from, to) } else { (to, from) };
    match after.map(|after| after.place) {
        // Instants come behind all numbers upwards, and before them downwards.
        Some(Place::Unranked) => Part::End,
        Some(Place::Ranked(Rank::Number(_))) if !query.ascending => Part::End,
        _ => Part::Times { column, next, last },
    }
}

fn by_field(query: &ListQuery, field: i64, after: Option<ListCursor>) -> (Part, bool) {
    let ((from, to), unranked) = extent(query);
    let (next, last) = if query.ascending { (to, from) } else { (from, to) };
    let part = match after.map(|after| after.place) {
        Some(Place::Unranked) if unranked => Part::Unranked,
        Some(Place::Unranked) => Part::End,
        _ if from > to => Part::End,
        _ => Part::Ranked { field, next, last },
    };
    (part, unranked)
}
