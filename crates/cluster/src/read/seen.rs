//! First and last track of accounts and users, from the tracks themselves where a profile cannot tell.
//!
//! Of few tracks that may belong to a record all are looked at. Of many they are looked at from both ends of time until one
//! belongs; only those whose sender's clock ran ahead stand elsewhere than they say, and these few have an index of their own.

use std::{cell::RefCell, sync::Arc};

use muster_history::wanted::{Wanted, heads};
use muster_model::{
    association::Statement,
    deletion::Subject,
    id::{Identity, RecordId},
    kind::{Kind, RecordKind},
    message::Message,
    profile::{Profile, Span},
    time::Micros,
};
use muster_store::{
    attribution::{self, Attributor},
    candidates::Candidates,
    error::ReadError,
    lists::kept_seen,
    record,
    records::Records,
};
use postgres::{Row, types::ToSql};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    book::Book,
    candidates::{self, By},
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
    let candidates = candidates::of(book, record)?;
    let known = Known { book, profiles: RefCell::default() };
    let attributor = Attributor::new(&known, book.ids()?);
    let mut looking = Looking { book, record, known: &known, attributor, seen: Span::default(), go_on };
    for (by, wanted) in candidates::ways(&candidates) {
        if !looking.all_of_few(by, &wanted)? {
            looking.until_one_from(by, &wanted, &FIRST)?;
            looking.until_one_from(by, &wanted, &LAST)?;
            looking.ahead(by, &wanted)?;
        }
    }
    looking.files(candidates)?;
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

/// The records by which it is decided where tracks belong: of some tracks those that they name are fetched at once.
struct Known<'b, 't, 'c> {
    book: &'b Book<'t, 'c>,
    profiles: RefCell<FxHashMap<Subject, Option<Arc<Profile>>>>,
}

impl Known<'_, '_, '_> {
    fn fetch(&self, messages: &[Message<'_>]) -> Result<(), Fault> {
        let mut profiles = self.profiles.borrow_mut();
        let named = |message: &Message<'_>| {
            let of = [(RecordKind::User, &message.user), (RecordKind::Account, &message.account)];
            let anonymous = (RecordKind::Anonymous, &message.anonymous);
            let named = of.into_iter().chain([anonymous]).filter_map(|(kind, named)| Some((kind, named.as_ref()?.id)));
            named.collect::<Vec<Subject>>()
        };
        let wanted: FxHashSet<Subject> =
            messages.iter().flat_map(named).filter(|subject| !profiles.contains_key(subject)).collect();
        let wanted: Vec<Subject> = wanted.into_iter().collect();
        let found = self.book.profiles(&wanted)?;
        profiles.extend(wanted.into_iter().map(|subject| (subject, None)));
        profiles.extend(found.into_iter().map(|profile| ((profile.kind(), profile.id), Some(profile))));
        Ok(())
    }
}

impl Records for Known<'_, '_, '_> {
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError> {
        // Whoever asks keeps it, so what was not fetched before is not kept here as well.
        let known = self.profiles.borrow().get(&(kind, id)).cloned();
        known.map_or_else(|| Records::profile(self.book, kind, id), Ok)
    }

    fn children(&self, parent: Subject, kind: RecordKind) -> Result<Vec<RecordId>, ReadError> {
        Records::children(self.book, parent, kind)
    }

    fn statements(&self, about: RecordId, parents: RecordKind) -> Result<Vec<Statement>, ReadError> {
        Records::statements(self.book, about, parents)
    }
}

struct Looking<'b, 't, 'c> {
    book: &'b Book<'t, 'c>,
    record: Subject,
    known: &'b Known<'b, 't, 'c>,
    attributor: Attributor<&'b Known<'b, 't, 'c>>,
    seen: Span,
    /// Whether anybody still waits.
    go_on: &'b dyn Fn() -> bool,
}

impl Looking<'_, '_, '_> {
    /// Takes in those of some tracks that are the record's, up to the first one if no others are wanted; whether any is.
    fn take(&mut self, rows: &[Row], first: bool) -> Result<bool, Fault> {
        let messages = rows.iter().map(|row| record::decode(row.get(0))).collect::<Result<Vec<Message<'_>>, _>>()?;
        self.known.fetch(&messages)?;
        let mut any = false;
        for message in &messages {
            if self.attributor.place(attribution::Subject::of(message))?.belongs_to(self.record) {
                self.seen.take_in(message.ordered_at());
                any = true;
                if first {
                    break;
                }
            }
        }
        Ok(any)
    }

    /// Looks at all tracks in files.
    fn files(&mut self, candidates: Candidates) -> Result<(), Fault> {
        let wanted = Wanted { candidates, ..Wanted::default() };
        let (filter, ids) = (wanted.filter(), self.book.ids()?);
        for segment in self.book.segments()? {
            self.go_on()?;
            let footer = self.book.archive().footers().of(&segment)?;
            let (attributor, seen, record) = (&mut self.attributor, &mut self.seen, self.record);
            heads(&footer, ids, (&wanted, &filter), |_, head| {
                let track = head.subject();
                if attributor.place(track)?.belongs_to(record) {
                    seen.take_in(track.at);
                }
                Ok(())
            })?;
        }
        Ok(())
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
        self.take(&rows, false)?;
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
            if self.take(&rows, true)? {
                return Ok(());
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
            self.take(&rows, false)?;
            self.go_on()?;
        }
    }
}
