//! What the tables are asked: as much of what is wanted as they can tell.
//!
//! Names are compared by the ids that follow from them. A condition on where tracks belong becomes one on what they may
//! name: more than is wanted, never less.

use std::collections::BTreeSet;

use muster_model::{
    id::RecordId,
    kind::{Kind, RecordKind},
};
use muster_store::{
    candidates::Candidates,
    profiles::Children,
    rows::Column,
    scan::{Names, Wanted},
};
use postgres::types::ToSql;

use crate::{
    fault::Fault,
    read::{
        book::Book,
        candidates,
        cursor::{Cursor, RECORDS},
        profiles,
    },
    sql::values::{At, Id},
};

/// Names that the tables are asked for; when there are more, all messages come and are looked at.
const NAMES_MAX: usize = 1_000;
/// Names of places that the tables are asked for; each of them is looked up first.
const PLACES_MAX: usize = 64;
/// Records whose tracks are asked for in the place of a name; when there are more, all tracks come.
const CANDIDATES_MAX: usize = 10_000;

/// What is still to be done with the rows that come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing: every row is wanted, and all of it that is wanted is in columns of the table.
    Nothing,
    /// Messages are decoded; every condition that the tables were not asked is looked at.
    Names,
    /// The same with where tracks belong.
    Places,
}

/// A question as it is put together.
#[derive(Default)]
struct Question {
    conditions: String,
    params: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Question {
    /// Adds a condition that holds `$` where the number of its parameter goes.
    fn and(&mut self, condition: &str, param: impl ToSql + Sync + Send + 'static) {
        self.params.push(Box::new(param));
        let number = format!("${}", self.params.len());
        let joint = if self.conditions.is_empty() { "" } else { " and " };
        self.conditions.push_str(joint);
        self.conditions.push_str(&condition.replace('$', &number));
    }
}

/// Asks for what is wanted; nothing when that is nothing for certain.
pub fn ask(book: &Book<'_, '_>, name: &str, wanted: &Wanted) -> Result<Option<(Cursor, Left)>, Fault> {
    let all_names = [&wanted.organizations, &wanted.accounts, &wanted.users, &wanted.events];
    if all_names.into_iter().flatten().any(BTreeSet::is_empty) {
        return Ok(None);
    }
    let mut question = Question::default();
    question.and("workspace = $", book.workspace());
    let kinds = if wanted.attributed { &[Kind::Track][..] } else { &wanted.kinds };
    let kinds: BTreeSet<i16> = kinds.iter().map(|kind| i16::from(*kind as u8)).collect();
    if kinds.len() < Kind::ALL.len() {
        question.and("kind = any($)", kinds.into_iter().collect::<Vec<i16>>());
    }
    if let Some(first) = wanted.first {
        question.and("sent_at >= $", At(first));
    }
    if let Some(last) = wanted.last {
        question.and("sent_at <= $", At(last));
    }
    let mut all = true;
    if let Some(events) = few(&wanted.events, NAMES_MAX, &mut all) {
        question.and("event = any($)", events.map(|event| event.as_bytes().to_vec()).collect::<Vec<_>>());
    }
    match wanted.attributed {
        true => belongs(book, wanted, &mut question)?,
        false => names(book, wanted, &mut question, &mut all)?,
    }
    let left = left(wanted, all);
    let columns = if left == Left::Nothing { "arrived, kind, sent_at, received_at, event" } else { RECORDS };
    let sql = format!("select {columns} from message where {}", question.conditions);
    let params: Vec<&(dyn ToSql + Sync)> = question.params.iter().map(|param| &**param as _).collect();
    let cursor = Cursor::open(&mut book.transaction(), name, &sql, &params)?;
    Ok(Some((cursor, left)))
}

/// What is left when the tables were asked every condition on names, or not.
fn left(wanted: &Wanted, all_asked: bool) -> Left {
    let of_place = |column: &Column| matches!(column, Column::Organization | Column::Account | Column::User);
    let by_place = [&wanted.organizations, &wanted.accounts, &wanted.users].into_iter().any(Option::is_some);
    let shows_place = !wanted.shown_as_named && wanted.columns.iter().any(of_place);
    if wanted.attributed && (by_place || shows_place) {
        return Left::Places;
    }
    match all_asked && wanted.columns.iter().all(|column| *column == Column::Event) {
        true => Left::Nothing,
        false => Left::Names,
    }
}

/// Names that the tables can be asked for; `all` says whether there were never too many.
fn few<'n>(names: &'n Names, max: usize, all: &mut bool) -> Option<impl Iterator<Item = &'n Box<str>> + use<'n>> {
    let names = names.as_ref()?;
    let is_few = names.len() <= max;
    *all &= is_few;
    is_few.then(|| names.iter())
}

/// Conditions on what messages name.
fn names(book: &Book<'_, '_>, wanted: &Wanted, question: &mut Question, all: &mut bool) -> Result<(), Fault> {
    let conditions = [
        ("organization = any($)", RecordKind::Organization, &wanted.organizations),
        ("account = any($)", RecordKind::Account, &wanted.accounts),
        ("user_id = any($)", RecordKind::User, &wanted.users),
    ];
    let ids = book.ids()?;
    for (condition, kind, names) in conditions {
        if let Some(names) = few(names, NAMES_MAX, all) {
            question.and(condition, names.map(|name| Id::from(ids.record(kind, name))).collect::<Vec<Id>>());
        }
    }
    Ok(())
}

/// A condition that every track meets which belongs where it is wanted to.
fn belongs(book: &Book<'_, '_>, wanted: &Wanted, question: &mut Question) -> Result<(), Fault> {
    let conditions = [
        (RecordKind::User, &wanted.users),
        (RecordKind::Account, &wanted.accounts),
        (RecordKind::Organization, &wanted.organizations),
    ];
    // The narrowest is enough; the others are looked at with each track.
    for (kind, names) in conditions {
        let Some(names) = few(names, PLACES_MAX, &mut true) else { continue };
        let ids = book.ids()?;
        let records: Vec<RecordId> = names.map(|name| ids.record(kind, name)).collect();
        let Some(candidates) = candidates(book, kind, &records)? else { continue };
        let mut ways = String::new();
        for (by, ids) in candidates::ways(&candidates) {
            question.params.push(Box::new(ids));
            let or = if ways.is_empty() { "" } else { " or " };
            ways.push_str(&format!("{or}(message.{} = any(${}){})", by.column, question.params.len(), by.only));
        }
        question.conditions.push_str(&format!(" and ({ways})"));
        return Ok(());
    }
    Ok(())
}

/// Whose tracks may belong to some records, unless they are too many.
fn candidates(book: &Book<'_, '_>, kind: RecordKind, records: &[RecordId]) -> Result<Option<Candidates>, Fault> {
    let (mut all, mut room) = (Candidates::default(), CANDIDATES_MAX);
    for id in records {
        let mut parents = vec![(kind, *id)];
        while let Some(parent) = parents.pop() {
            for of in [RecordKind::Account, RecordKind::User, RecordKind::Anonymous] {
                let mut transaction = book.transaction();
                let found = profiles::children(&mut transaction, book.of(), Children::of(parent, of), room + 1)?;
                if found.len() > room {
                    return Ok(None);
                }
                room -= found.len();
                if of == RecordKind::Account && parent.0 == RecordKind::Organization {
                    parents.extend(found.into_iter().map(|account| (of, account)));
                }
            }
        }
        candidates::add(&mut all, candidates::of(book, (kind, *id))?);
    }
    Ok(Some(all))
}
