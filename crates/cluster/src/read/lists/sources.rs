//! What singles records out: the ids that a condition, or a parent, leaves.
//!
//! A superset of those that are meant, as far as it goes: whoever asks looks at the records. A source that finds too many
//! finds nothing, so what it costs is bounded by how many are wanted.

use muster_model::{
    find::fold,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    time::Micros,
};
use muster_store::lists::{
    Condition, ListQuery,
    index::{Lookup, is_word, lookup},
    values::Value,
};
use postgres::{Row, types::ToSql};
use rustc_hash::FxHashSet;

use crate::{
    fault::Fault,
    fold::{grams, places, write::number},
    read::book::Book,
    sql::values::{At, Id},
};

/// Accounts of an organization whose users are looked for by them.
const ACCOUNTS_MAX: usize = 5_000;
/// How many parents one child may have named for it to be found by them; only then more rows are read than children are wanted.
const PARENTS_OF_ONE: usize = 4;

const WITH_VALUE: &str = "select id from place where workspace = $1 and kind = $2 and field = $3 and value >= $4
    and value <= $5 order by value, id limit $6";
const UPDATED: &str =
    "select id from profile where workspace = $1 and kind = $2 and updated_at <= $3 and updated_at >= $4
    order by updated_at desc, id limit $5";
const NAMED: &str = "select found.id from unnest($2::int2[], $3::uuid[]) as parent (kind, id) cross join lateral (
        select id from child where workspace = $1 and parent_kind = parent.kind and child.parent = parent.id and kind = $4
        order by id limit $5
    ) as found limit $5";
const HOLDING: &str = "select id from searchable where grams @> $1 limit $2";

/// Where ids come from.
#[derive(Debug)]
pub enum Source {
    /// Records with a value of a field.
    Values { field: i64, ranges: Vec<(Value, Value)> },
    /// Records last heard of from the one instant to the other.
    Updated(Micros, Micros),
    /// Records that ever named one of these as a parent.
    Members(Vec<(RecordKind, RecordId)>),
    /// Records with these pieces in their texts, or with those.
    Text([Vec<i64>; 2]),
}

impl Source {
    /// The ids, unless there are more than so many.
    pub fn ids(
        &self,
        book: &Book<'_, '_>,
        kind: RecordKind,
        most: usize,
    ) -> Result<Option<FxHashSet<RecordId>>, Fault> {
        let (workspace, kind, limit) = (book.workspace(), number(kind), most as i64 + 1);
        let mut found = FxHashSet::default();
        let mut take = |sql: &'static str, params: &[&(dyn ToSql + Sync)], limit: i64| {
            let rows = book.transaction().query(sql, params)?;
            found.extend(rows.iter().map(id));
            Ok::<_, Fault>((rows.len() as i64) < limit)
        };
        let whole = match self {
            Source::Values { field, ranges } => {
                let mut whole = true;
                for (from, to) in ranges {
                    let (from, to) = (from.as_slice(), to.as_slice());
                    whole = whole && take(WITH_VALUE, &[&workspace, &kind, field, &from, &to, &limit], limit)?;
                }
                whole
            }
            Source::Updated(from, to) => take(UPDATED, &[&workspace, &kind, &At(*to), &At(*from), &limit], limit)?,
            Source::Members(parents) => {
                let kinds: Vec<i16> = parents.iter().map(|(kind, _)| number(*kind)).collect();
                let ids: Vec<Id> = parents.iter().map(|(_, id)| Id::from(*id)).collect();
                let rows = limit * if parents.len() > 1 { PARENTS_OF_ONE as i64 } else { 1 };
                take(NAMED, &[&workspace, &kinds, &ids, &kind, &rows], rows)?
            }
            Source::Text([pieces, any]) => {
                take(HOLDING, &[pieces, &limit], limit)? && take(HOLDING, &[any, &limit], limit)?
            }
        };
        Ok((whole && found.len() <= most).then_some(found))
    }

    /// Which is asked first: what finds few, and what is certain.
    fn order(&self) -> u8 {
        match self {
            Source::Members(_) => 0,
            Source::Values { ranges, .. } if ranges.iter().all(|(from, to)| from == to) => 1,
            Source::Updated(..) => 2,
            Source::Values { .. } => 3,
            Source::Text(_) => 4,
        }
    }

    /// Whether it may cost much however few ids are wanted: an index of pieces is asked for all records with each of them.
    pub fn is_text(&self) -> bool {
        matches!(self, Source::Text(_))
    }
}

/// What singles out the records of a list, that which probably finds the fewest first.
pub fn of(book: &Book<'_, '_>, workspace: WorkspaceId, query: &ListQuery) -> Result<Vec<Source>, Fault> {
    let mut sources: Vec<Source> =
        query.conditions.iter().filter_map(|condition| source(condition, workspace, query.kind)).collect();
    if let Some(parent) = query.within {
        sources.extend(members(book, parent, query.kind)?);
    }
    sources.sort_by_key(Source::order);
    Ok(sources)
}

fn members(book: &Book<'_, '_>, parent: (RecordKind, RecordId), kind: RecordKind) -> Result<Option<Source>, Fault> {
    let mut parents = vec![parent];
    // Of an organization are also the users of its accounts, and what these answered.
    if parent.0 == RecordKind::Organization && matches!(kind, RecordKind::User | RecordKind::NpsResponse) {
        let accounts = Source::Members(vec![parent]).ids(book, RecordKind::Account, ACCOUNTS_MAX)?;
        let Some(accounts) = accounts else { return Ok(None) };
        parents.extend(accounts.into_iter().map(|id| (RecordKind::Account, id)));
    }
    Ok(Some(Source::Members(parents)))
}

fn source(condition: &Condition, workspace: WorkspaceId, kind: RecordKind) -> Option<Source> {
    if let Some(lookup) = lookup(condition, kind) {
        return Some(match lookup {
            Lookup::Values(field, ranges) => Source::Values { field: places::number(field), ranges },
            Lookup::Updated(from, to) => Source::Updated(from, to),
            Lookup::Instances(object) => Source::Members(vec![(RecordKind::CustomObject, object)]),
        });
    }
    let holding = |text: &str| grams::wanted(workspace, kind, text).map(|(pieces, any)| Source::Text([pieces, any]));
    match condition {
        Condition::TraitIs { key, value } if key == "name" && is_word(value) => holding(&fold(value)),
        Condition::Contains(text) | Condition::Email(text) | Condition::EmailDomain(text) => holding(text),
        _ => None,
    }
}

fn id(row: &Row) -> RecordId {
    row.get::<_, Id>(0).record()
}
