//! Rows of the history that name records: finding them, taking some out, changing others.

use std::{cell::RefCell, collections::BTreeSet};

use muster_model::{
    day::Day,
    deletion::{Fate, Subject},
    id::{Identity, RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    message::Message,
    time::Micros,
};
use muster_store::{
    deletion::{Concerned, Delete, Instants},
    record,
};
use postgres::types::ToSql;
use rustc_hash::FxHashSet;

use super::files::Files;
use crate::{
    fault::Fault,
    fold::{census::Census, rows::named},
    sql::{
        connection::Transaction,
        values::{At, Id},
    },
};

/// Ids that are looked for at a time.
const WANTED_MAX: usize = 1_000;

const NAMING: &str =
    "select arrived, record from message where workspace = $1 and (organization = any($2) or account = any($2)
    or user_id = any($2) or other = any($2) or custom_object = any($2))";

/// Calls `take` with every message that names one of some records, wherever it lies: with its number of arrival and its bytes.
pub fn naming(
    files: &Files<'_, '_>,
    wanted: &FxHashSet<Subject>,
    mut take: impl FnMut(i64, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    in_table(files.transaction, files.workspace, wanted.iter().map(|(_, id)| *id), &mut take)?;
    files.naming(wanted, take)
}

/// The same with every row of the table, each row once.
fn in_table(
    transaction: &RefCell<Transaction<'_>>,
    workspace: WorkspaceId,
    wanted: impl IntoIterator<Item = RecordId>,
    mut take: impl FnMut(i64, &[u8]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let wanted: Vec<Id> = wanted.into_iter().map(Id::from).collect();
    let several = wanted.len() > WANTED_MAX;
    let mut known = BTreeSet::new();
    for wanted in wanted.chunks(WANTED_MAX) {
        let params: [&(dyn ToSql + Sync); 2] = [&(workspace.0 as i32), &wanted];
        let cursor = transaction.borrow_mut().open_cursor(NAMING, &params)?;
        loop {
            let rows = transaction.borrow_mut().fetch(&cursor)?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let arrived = row.get(0);
                if !several || known.insert(arrived) {
                    take(arrived, row.get(1))?;
                }
            }
        }
    }
    Ok(())
}

/// Messages that go, and days of events that are to be counted anew.
#[derive(Default)]
pub struct Gone {
    arrived: Vec<i64>,
    identities: Vec<Id>,
    days: BTreeSet<(Vec<u8>, Day)>,
    /// Messages that lay in files.
    filed: u64,
}

const REMOVE: &str = "delete from message where workspace = $1 and arrived = any($2)";
const FORGET: &str = "delete from identity where workspace = $1 and identity = any($2)";
const REDACT: &str =
    "update message set organization = $3, account = $4, user_id = $5, other = $6, custom_object = $7, record = $8
    where workspace = $1 and arrived = $2";
const NO_DAYS: &str = "delete from event_day using unnest($2::bytea[], $3::int4[]) as gone (event, day)
    where event_day.workspace = $1 and event_day.event = gone.event and event_day.day = gone.day";
const DAYS: &str = "insert into event_day (workspace, event, day, events, first_at, last_at)
    select $1, day.event, day.day, counted.events, counted.first_at, counted.last_at
    from unnest($2::bytea[], $3::int4[], $4::int8[], $5::int8[]) as day (event, day, first_at, before_at)
    cross join lateral (
        select count(*) as events, min(ordered_at) as first_at, max(ordered_at) as last_at from message
        where workspace = $1 and event = day.event and ordered_at >= day.first_at and ordered_at < day.before_at
    ) as counted where counted.events > 0";

impl Gone {
    /// Notes a row that goes.
    pub fn note(&mut self, arrived: i64, message: &Message<'_>) {
        self.arrived.push(arrived);
        self.identities.push(message.identity.into());
        if message.kind == Kind::Track {
            let event = message.name.as_deref().unwrap_or_default();
            self.days.insert((event.as_bytes().to_vec(), Day::of(message.ordered_at())));
        }
    }

    /// Notes a message that a file is written anew without, with its name and its instant if it is a track.
    pub fn note_filed(&mut self, identity: Identity, track: Option<(&str, Micros)>) {
        self.filed += 1;
        self.identities.push(identity.into());
        self.days.extend(track.map(|(event, at)| (event.as_bytes().to_vec(), Day::of(at))));
    }

    /// How many messages they are.
    pub fn count(&self) -> u64 {
        self.arrived.len() as u64 + self.filed
    }

    /// Takes them out of the tables, files being written anew by now. The duplicate check forgets them.
    pub fn remove(&self, files: &Files<'_, '_>, census: &mut Census) -> Result<(), Fault> {
        {
            let mut transaction = files.transaction.borrow_mut();
            transaction.execute(REMOVE, &[&census.workspace, &self.arrived])?;
            transaction.execute(FORGET, &[&census.workspace, &self.identities])?;
        }
        census.messages -= self.count() as i64;
        census.erasures += 1;
        if self.days.is_empty() {
            return Ok(());
        }
        let counted = files.count(&self.days)?;
        let mut transaction = files.transaction.borrow_mut();
        let events: Vec<&[u8]> = self.days.iter().map(|(event, _)| event.as_slice()).collect();
        let days: Vec<i32> = self.days.iter().map(|(_, day)| day.0).collect();
        transaction.execute(NO_DAYS, &[&census.workspace, &events, &days])?;
        let first: Vec<At> = self.days.iter().map(|(_, day)| At(day.start())).collect();
        let before: Vec<At> = self.days.iter().map(|(_, day)| At(day.end())).collect();
        transaction.execute(DAYS, &[&census.workspace, &events, &days, &first, &before])?;
        counted.insert(&mut transaction, files.workspace)
    }
}

/// What a deletion did to rows.
pub struct Erased {
    pub concerned: Concerned,
    pub removed: u64,
    pub redacted: u64,
}

/// Takes out and changes every message that a deletion covers, and notes what they said of others.
pub fn erase(
    files: &Files<'_, '_>,
    (delete, deleted): (&Delete, &Instants),
    census: &mut Census,
) -> Result<Erased, Fault> {
    let (mut concerned, mut gone) = (Concerned::default(), Gone::default());
    let (transaction, mut redacted) = (files.transaction, 0);
    in_table(transaction, files.workspace, deleted.ids(), |arrived, bytes| {
        if !concerned.look(&record::names(bytes)?, deleted) {
            return Ok(());
        }
        let message = record::decode(bytes)?;
        let hides = |id, reach| deleted.hides(id, reach);
        match message.fate(hides) {
            Fate::Keep => {}
            Fate::Drop => gone.note(arrived, &message),
            Fate::Redact => {
                redacted += 1;
                redact(&mut transaction.borrow_mut(), census.workspace, arrived, &message.redacted(hides))?;
            }
        }
        Ok(())
    })?;
    let parts = delete.parts.iter().map(|part| (RecordKind::Anonymous, part.anonymous));
    redacted += files.erase(deleted, delete.subjects.iter().copied().chain(parts), &mut concerned, &mut gone)?;
    gone.remove(files, census)?;
    Ok(Erased { concerned, removed: gone.count(), redacted })
}

fn redact(transaction: &mut Transaction<'_>, workspace: i32, arrived: i64, message: &Message<'_>) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    record::encode(message, &mut bytes);
    let [organization, account, user, other, object] = named(message).map(|id| id.map(Id::from));
    let params: [&(dyn ToSql + Sync); 8] =
        [&workspace, &arrived, &organization, &account, &user, &other, &object, &bytes];
    transaction.execute(REDACT, &params)?;
    Ok(())
}

const BY_IDENTITY: &str = "select arrived, record from message where workspace = $1 and identity = any($2)";

/// The rows of some messages.
pub fn of(
    transaction: &mut Transaction<'_>,
    workspace: WorkspaceId,
    identities: &[Identity],
) -> Result<Vec<(i64, Vec<u8>)>, Fault> {
    let wanted: Vec<Id> = identities.iter().map(|identity| Id::from(*identity)).collect();
    let rows = transaction.query(BY_IDENTITY, &[&(workspace.0 as i32), &wanted])?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
