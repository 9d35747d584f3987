//! First and last track of accounts and users, from the tracks themselves where a profile cannot tell.
//!
//! Of few tracks that may belong to a record all are looked at. Of many they are looked at from both ends of time until one
//! belongs; only those whose sender's clock ran ahead stand elsewhere than they say, and these few have an index of their own.

use muster_model::{
    deletion::Subject,
    id::Identity,
    kind::Kind,
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{attribution::Attributor, error::ReadError, lists::kept_seen, record};
use postgres::{Row, types::ToSql};

use super::{
    book::Book,
    candidates::{By, Candidates},
    history::subject,
};
use crate::{
    fault::Fault,
    sql::values::{At, Id},
};

/// Tracks that are all looked at, whichever way they are found.
const FEW: i64 = 64;
/// Tracks that are fetched from an end at first, and at a time.
const FETCHED_FIRST: i64 = 4;
const FETCHED_MAX: i64 = 1_024;

/// First and last track of a record.
pub fn of(book: &Book<'_, '_>, profile: &Profile) -> Result<Span, Fault> {
    while_wanted(book, profile, &|| true)
}

/// The same as long as anybody waits for it, which `go_on` is asked now and then.
pub fn while_wanted(book: &Book<'_, '_>, profile: &Profile, go_on: &dyn Fn() -> bool) -> Result<Span, Fault> {
    match kept_seen(profile) {
        (seen, true) => Ok(seen),
        _ => counted(book, profile, go_on),
    }
}

/// The same by looking at tracks that may belong to it.
fn counted(book: &Book<'_, '_>, profile: &Profile, go_on: &dyn Fn() -> bool) -> Result<Span, Fault> {
    let record = (profile.kind(), profile.id);
    let candidates = Candidates::of(book, record)?;
    let attributor = Attributor::new(*book, book.ids()?);
    let mut looking = Looking { book, record, attributor, seen: Span::default(), go_on };
    for (by, wanted) in candidates.ways() {
        if !looking.all_of_few(by, &wanted)? {
            looking.until_one_from(by, &wanted, &FIRST)?;
            looking.until_one_from(by, &wanted, &LAST)?;
            looking.ahead(by, &wanted)?;
        }
    }
    Ok(looking.seen)
}

/// An end of time, and how one goes on from there.
struct End {
    at: Micros,
    identity: Identity,
    behind: &'static str,
    order: &'static str,
}

const FIRST: End = End { at: Micros::MIN, identity: Identity(0), behind: ">=", order: "asc" };
const LAST: End = End { at: Micros::MAX, identity: Identity(u128::MAX), behind: "<=", order: "desc" };

struct Looking<'b, 't, 'c> {
    book: &'b Book<'t, 'c>,
    record: Subject,
    attributor: Attributor<Book<'t, 'c>>,
    seen: Span,
    /// Whether anybody still waits.
    go_on: &'b dyn Fn() -> bool,
}

impl Looking<'_, '_, '_> {
    /// Takes in a track if it is the record's; whether it is.
    fn take(&mut self, row: &Row) -> Result<bool, Fault> {
        let message = record::decode(row.get(0))?;
        let belongs = self.attributor.place(subject(&message))?.belongs_to(self.record);
        if belongs {
            self.seen.take_in(message.ordered_at());
        }
        Ok(belongs)
    }

    /// Fails once nobody waits any more.
    fn go_on(&self) -> Result<(), Fault> {
        let what = || "a record's first and last track".to_owned();
        (self.go_on)().then_some(()).ok_or_else(|| Fault::Read(ReadError::TooLarge { what: what() }))
    }

    /// Looks at all tracks, unless there are many.
    fn all_of_few(&mut self, By { column, only }: By, wanted: &[Id]) -> Result<bool, Fault> {
        let sql = format!(
            "select record from message where workspace = $1 and message.{column} = any($2) and kind = $3{only} limit $4"
        );
        let (workspace, track) = (self.book.workspace(), i16::from(Kind::Track as u8));
        let params: [&(dyn ToSql + Sync); 4] = [&workspace, &wanted, &track, &(FEW + 1)];
        let rows = self.book.transaction().query_made(&sql, &params)?;
        if rows.len() as i64 > FEW {
            return Ok(false);
        }
        for row in &rows {
            self.take(row)?;
        }
        Ok(true)
    }

    /// Looks from an end on until a track belongs, at those that stand where they say.
    fn until_one_from(&mut self, By { column, only }: By, wanted: &[Id], end: &End) -> Result<(), Fault> {
        let End { behind, order, .. } = end;
        let sql = format!(
            "select found.record, found.sent_at, found.identity from unnest($2::uuid[]) as wanted (id) cross join lateral (
                select record, sent_at, identity from message
                where workspace = $1 and message.{column} = wanted.id and kind = $3 and ordered_at = sent_at
                    and (sent_at, identity) {behind} ($4, $5){only}
                order by sent_at {order}, identity {order} limit $6
            ) as found order by found.sent_at {order}, found.identity {order} limit $6"
        );
        let (workspace, track) = (self.book.workspace(), i16::from(Kind::Track as u8));
        let (mut at, mut identity, mut limit) = (At(end.at), Id::from(end.identity), FETCHED_FIRST);
        loop {
            let params: [&(dyn ToSql + Sync); 6] = [&workspace, &wanted, &track, &at, &identity, &limit];
            let rows = self.book.transaction().query_made(&sql, &params)?;
            for row in &rows {
                if self.take(row)? {
                    return Ok(());
                }
            }
            let Some(last) = rows.last().filter(|_| rows.len() as i64 == limit) else { return Ok(()) };
            // The last one is looked at again; the limit leaves room for others.
            (at, identity) = (last.get(1), last.get(2));
            limit = (limit * 4).min(FETCHED_MAX);
            self.go_on()?;
        }
    }

    /// Looks at all tracks that stand elsewhere than they say.
    fn ahead(&mut self, By { column, only }: By, wanted: &[Id]) -> Result<(), Fault> {
        let sql = format!(
            "select record from message where workspace = $1 and message.{column} = any($2) and kind = $3
                and ordered_at <> sent_at{only}"
        );
        let (workspace, track) = (self.book.workspace(), i16::from(Kind::Track as u8));
        let cursor = self.book.transaction().open_cursor(&sql, &[&workspace, &wanted, &track])?;
        loop {
            let rows = self.book.transaction().fetch(&cursor)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                self.take(row)?;
            }
            self.go_on()?;
        }
    }
}
