//! From SQLite's conditions to what a source is asked for, and what that costs.
//!
//! A condition is taken over only where the rows it leaves are all among those asked for; SQLite compares them once more,
//! so what comes too much does no harm. A number compared with a text is a text when it was written as such in the
//! statement, and may be something else when it comes from another table; then nothing is taken over.

use std::collections::BTreeSet;

use rusqlite::{
    Result,
    fallible_streaming_iterator::FallibleStreamingIterator,
    types::ValueRef,
    vtab::{DistinctMode, Filters, IndexConstraintOp, IndexInfo},
};

use super::{
    Table,
    column::{Column, Lookup as Looked},
    daily,
    instants::{Bounds, Compared},
    sorted::Part,
};

/// What is looked up in a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// For each column the names it may have; `None` when any will do.
    pub names: Vec<Option<BTreeSet<Box<str>>>>,
    pub bounds: Bounds,
    /// No row can meet the conditions.
    pub nothing: bool,
    /// The order in which the rows are to come, if they are to come in one.
    pub order: Vec<Key>,
    /// The columns that the query reads, as bits; the last one stands for all that follow.
    used: u64,
}

impl Lookup {
    /// Whether the query reads a column.
    pub fn uses(&self, column: usize) -> bool {
        self.used & 1 << column.min(63) != 0
    }

    /// The names that a column may have.
    pub fn names_of(&self, table: Table, column: &str) -> Option<&BTreeSet<Box<str>>> {
        let at = table.columns().iter().position(|known| known.name == column)?;
        self.names[at].as_ref()
    }
}

/// A column that rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub column: usize,
    pub descending: bool,
}

/// A condition that is taken over: on which column, which comparison, and whether its value stands in the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    column: usize,
    compared: Compared,
    literal: bool,
    /// All values of an `IN` at once.
    among: bool,
}

const COMPARED: [(Compared, char); 5] = [
    (Compared::Equal, '='),
    (Compared::Less, '<'),
    (Compared::AtMost, 'l'),
    (Compared::More, '>'),
    (Compared::AtLeast, 'g'),
];

fn compared(operator: &IndexConstraintOp) -> Option<Compared> {
    match operator {
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => Some(Compared::Equal),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT => Some(Compared::Less),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE => Some(Compared::AtMost),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT => Some(Compared::More),
        IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE => Some(Compared::AtLeast),
        _ => None,
    }
}

/// Chooses the conditions to take over and says what they cost.
pub fn choose(table: Table, rows: u64, sorts: &dyn Fn(usize) -> bool, info: &mut IndexInfo) -> Result<()> {
    let columns = table.columns();
    let mut chosen: Vec<(usize, Term)> = Vec::new();
    for (at, constraint) in info.constraints().enumerate() {
        let column = usize::try_from(constraint.column()).ok().and_then(|at| Some((at, columns.get(at)?)));
        let (Some((column, known)), Some(compared), true) =
            (column, compared(&constraint.operator()), constraint.is_usable())
        else {
            continue;
        };
        let taken = match known.lookup {
            Looked::None => false,
            Looked::Name { .. } => compared == Compared::Equal,
            Looked::Time | Looked::Day => true,
        };
        if taken && info.collation(at)? == "BINARY" {
            let literal = info.rhs_value(at)?.is_some();
            chosen.push((at, Term { column, compared, literal, among: false }));
        }
    }
    let mut written = format!("{:x}", info.col_used());
    for (argument, (at, term)) in chosen.iter_mut().enumerate() {
        let is_name = matches!(columns[term.column].lookup, Looked::Name { .. });
        term.among = is_name && info.is_in_constraint(*at)? && info.set_in_constraint(*at, true)?;
        info.constraint_usage(*at).set_argv_index(argument as i32 + 1);
        let sign = COMPARED.iter().find(|(known, _)| *known == term.compared).map_or('?', |(_, sign)| *sign);
        let flags = u8::from(term.literal) | u8::from(term.among) << 1;
        written.push_str(&format!(" {},{sign},{flags}", term.column));
    }
    let terms: Vec<Term> = chosen.into_iter().map(|(_, term)| term).collect();
    if let Some(order) = order(table, &terms, sorts, info) {
        for key in order {
            written.push_str(&format!(" {ORDER}{},{}", key.column, u8::from(key.descending)));
        }
        info.set_order_by_consumed(true);
    }
    info.set_idx_str(&written);
    let (cost, left) = estimate(columns, rows, &terms);
    info.set_estimated_cost(cost);
    info.set_estimated_rows(left as i64);
    Ok(())
}

/// What begins a column that rows are sorted by.
const ORDER: char = 'o';

/// The order in which the table hands out its rows, if that is the one that the query groups them by and it can.
fn order(table: Table, terms: &[Term], sorts: &dyn Fn(usize) -> bool, info: &IndexInfo) -> Option<Vec<Key>> {
    let order: Vec<(usize, bool)> = info
        .order_bys()
        .map(|by| (usize::try_from(by.column()).unwrap_or(usize::MAX), by.is_order_by_desc()))
        .collect();
    if order.is_empty() {
        return None;
    }
    let order: Vec<Key> = order.into_iter().map(|(column, descending)| Key { column, descending }).collect();
    let columns = table.columns();
    let can = match table {
        Table::Daily => order.iter().all(|key| key.column < daily::KEYS),
        Table::Events => {
            // Events of one record are few; SQLite sorts them sooner.
            let few = |term: &Term| {
                matches!(columns[term.column].lookup, Looked::Name { .. }) && columns[term.column].name != "event"
            };
            let used = (0..columns.len()).filter(|column| info.col_used() & 1 << column != 0);
            let parts: Option<Vec<Part>> = used.map(|column| Part::of(columns[column].name)).collect();
            // Grouping in an order asks for that order, as sorting alone does, where the first few instants are found sooner
            // by comparing them.
            let groups = info.distinct() != DistinctMode::Ordered;
            let can = |part: Part| groups || part != Part::Timestamp;
            let keyed = |key: &Key| columns.get(key.column).and_then(|column| Part::of(column.name)).is_some_and(can);
            let keyed = order.iter().all(keyed);
            let fits = |parts: Vec<Part>| sorts(parts.into_iter().map(Part::numbers).sum());
            keyed && !terms.iter().any(few) && parts.is_some_and(fits)
        }
        _ => false,
    };
    can.then_some(order)
}

/// What it costs to open a source that reads messages, in rows.
const OPENING_COST: f64 = 200.0;

fn estimate(columns: &[Column], rows: u64, terms: &[Term]) -> (f64, u64) {
    let all = rows.max(10) as f64;
    let mut left = all;
    // Looked up by name, a file is read in part; by time, only its row groups within the bounds.
    let mut looked_at = all;
    for term in terms {
        let several = if term.among { 5.0 } else { 1.0 };
        match columns[term.column].lookup {
            Looked::Name { share: 0 } => {
                let found = several;
                return (10.0 * found, found as u64);
            }
            Looked::Name { share } => {
                left = left / f64::from(share) * several;
                looked_at = looked_at.min(all / f64::from(share).sqrt() * several);
            }
            Looked::Time => {
                left /= if term.compared == Compared::Equal { 1_000.0 } else { 3.0 };
                looked_at /= if term.compared == Compared::Equal { 100.0 } else { 2.0 };
            }
            Looked::Day => {
                left /= if term.compared == Compared::Equal { 200.0 } else { 3.0 };
                looked_at /= if term.compared == Compared::Equal { 100.0 } else { 2.0 };
            }
            Looked::None => {}
        }
    }
    (OPENING_COST + looked_at + left, left.max(1.0) as u64)
}

/// What is looked up, from the choice and the values it is run with.
pub fn lookup(table: Table, written: &str, values: &Filters<'_>) -> Result<Lookup> {
    let mut parts = written.split(' ');
    let used = parts.next().and_then(|used| u64::from_str_radix(used, 16).ok()).unwrap_or(u64::MAX);
    let columns = table.columns();
    let parts: Vec<&str> = parts.collect();
    let order = parts.iter().filter_map(|part| read_key(part)).collect();
    let mut lookup =
        Lookup { names: vec![None; columns.len()], bounds: Bounds::default(), nothing: false, order, used };
    let single: Vec<ValueRef<'_>> = values.iter().collect();
    for (at, term) in parts.iter().filter_map(|part| read_term(part)).enumerate() {
        let is_name = matches!(columns[term.column].lookup, Looked::Name { .. });
        if term.among {
            let mut names = BTreeSet::new();
            let mut complete = true;
            let mut several = values.in_values(at)?;
            while let Some(value) = several.next()? {
                match name(value.get_raw(), false) {
                    Named::Is(text) => drop(names.insert(text)),
                    Named::Never => {}
                    Named::Unknown => complete = false,
                }
            }
            if complete {
                take_names(&mut lookup.names[term.column], names);
            }
            continue;
        }
        let value = single.get(at).copied().unwrap_or(ValueRef::Null);
        if is_name {
            match name(value, term.literal) {
                Named::Is(text) => take_names(&mut lookup.names[term.column], [text].into()),
                Named::Never => lookup.nothing = true,
                Named::Unknown => {}
            }
        } else if let ValueRef::Text(text) = value {
            if let Ok(text) = std::str::from_utf8(text) {
                match columns[term.column].lookup {
                    Looked::Day => lookup.bounds.narrow_days(term.compared, text),
                    Looked::Time | Looked::Name { .. } | Looked::None => lookup.bounds.narrow(term.compared, text),
                }
            }
        } else if value == ValueRef::Null {
            lookup.nothing = true;
        }
    }
    let no_time = matches!((lookup.bounds.first, lookup.bounds.last), (Some(first), Some(last)) if first > last);
    lookup.nothing |= no_time || lookup.names.iter().flatten().any(BTreeSet::is_empty);
    Ok(lookup)
}

/// The text that a value means in a comparison with a column of texts.
enum Named {
    Is(Box<str>),
    /// No text is equal to it.
    Never,
    /// That depends on where the value comes from.
    Unknown,
}

fn name(value: ValueRef<'_>, literal: bool) -> Named {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Named::Never,
        ValueRef::Text(text) => std::str::from_utf8(text).map_or(Named::Unknown, |text| Named::Is(text.into())),
        ValueRef::Integer(integer) if literal => Named::Is(integer.to_string().into()),
        ValueRef::Integer(_) | ValueRef::Real(_) => Named::Unknown,
    }
}

fn take_names(known: &mut Option<BTreeSet<Box<str>>>, names: BTreeSet<Box<str>>) {
    *known = Some(match known.take() {
        None => names,
        Some(known) => known.intersection(&names).cloned().collect(),
    });
}

fn read_key(written: &str) -> Option<Key> {
    let (column, descending) = written.strip_prefix(ORDER)?.split_once(',')?;
    Some(Key { column: column.parse().ok()?, descending: descending == "1" })
}

fn read_term(written: &str) -> Option<Term> {
    let mut parts = written.split(',');
    let column = parts.next()?.parse().ok()?;
    let sign = parts.next()?.chars().next()?;
    let flags: u8 = parts.next()?.parse().ok()?;
    let (compared, _) = COMPARED.iter().find(|(_, known)| *known == sign)?;
    Some(Term { column, compared: *compared, literal: flags & 1 != 0, among: flags & 2 != 0 })
}
