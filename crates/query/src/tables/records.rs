//! `organizations`, `accounts` and `users`.

use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

use muster_model::{id::RecordId, kind::RecordKind, profile::Profile, time::Micros};
use muster_store::profiles::Children;

use super::{
    Table,
    column::{Column, Kind},
    found::Record,
    json,
    plan::Lookup,
    session::Session,
    source::{Cell, Opened, Source},
};
use crate::error::QueryError;

/// Records read at a time.
const PAGE_RECORDS: usize = 256;
/// Ids of children that are held at a time, of all parents together; of a very great many parents, a few of each.
const IDS_MAX: usize = 100_000;
const IDS_MIN: usize = 8;

/// Columns of `organizations`.
pub const ORGANIZATIONS: &[Column] = &[
    Column::key("organization_id"),
    Column::plain("uuid", Kind::Text),
    Column::plain("name", Kind::Text),
    Column::plain("mrr", Kind::Real),
    Column::plain("next_renewal_date", Kind::Instant),
    Column::plain("churned_at", Kind::Instant),
    Column::plain("trial_end_date", Kind::Instant),
    Column::plain("traits", Kind::Json),
    Column::plain("accounts_count", Kind::Integer),
    Column::plain("first_known_at", Kind::Instant),
    Column::plain("created_at", Kind::Instant),
    Column::plain("updated_at", Kind::Instant),
    Column::plain("implied", Kind::Integer),
];

/// Columns of `accounts`.
pub const ACCOUNTS: &[Column] = &[
    Column::key("account_id"),
    Column::plain("uuid", Kind::Text),
    Column::names("organization_id", 20),
    Column::plain("name", Kind::Text),
    Column::plain("mrr", Kind::Real),
    Column::plain("next_renewal_date", Kind::Instant),
    Column::plain("churned_at", Kind::Instant),
    Column::plain("trial_end_date", Kind::Instant),
    Column::plain("traits", Kind::Json),
    Column::plain("users_count", Kind::Integer),
    Column::plain("first_seen_at", Kind::Instant),
    Column::plain("last_seen_at", Kind::Instant),
    Column::plain("first_known_at", Kind::Instant),
    Column::plain("created_at", Kind::Instant),
    Column::plain("updated_at", Kind::Instant),
    Column::plain("implied", Kind::Integer),
];

/// Columns of `users`.
pub const USERS: &[Column] = &[
    Column::key("user_id"),
    Column::plain("uuid", Kind::Text),
    Column::plain("name", Kind::Text),
    Column::plain("email", Kind::Text),
    Column::plain("avatar", Kind::Text),
    Column::plain("joined_at", Kind::Instant),
    Column::plain("traits", Kind::Json),
    Column::plain("accounts_count", Kind::Integer),
    Column::plain("first_seen_at", Kind::Instant),
    Column::plain("last_seen_at", Kind::Instant),
    Column::plain("first_known_at", Kind::Instant),
    Column::plain("created_at", Kind::Instant),
    Column::plain("updated_at", Kind::Instant),
    Column::plain("implied", Kind::Integer),
];

/// The records that a lookup leaves.
pub fn open(table: Table, session: &Arc<Session>, lookup: Lookup) -> Opened {
    let (kind, key) = match table {
        Table::Accounts => (RecordKind::Account, "account_id"),
        Table::Users => (RecordKind::User, "user_id"),
        _ => (RecordKind::Organization, "organization_id"),
    };
    let mut walk = Walk::everything(session, kind);
    if let Some(names) = lookup.names_of(table, key) {
        walk = Walk::named(session, kind, names.iter().map(|name| session.ids.record(kind, name)));
    } else if let Some(names) = lookup.names_of(table, "organization_id") {
        let parents = names.iter().map(|name| session.ids.record(RecordKind::Organization, name));
        walk = Walk::children(session, RecordKind::Organization, parents, kind)?;
    }
    let position = |name: &str| table.columns().iter().position(|column| column.name == name);
    let seen = kind != RecordKind::Organization
        && ["first_seen_at", "last_seen_at"].iter().filter_map(|name| position(name)).any(|at| lookup.uses(at));
    Ok(Box::new(Records { table, session: Arc::clone(session), walk, asks_seen: seen }))
}

/// Records, one after the other.
pub struct Walk {
    session: Arc<Session>,
    kind: RecordKind,
    /// Those already read.
    ready: VecDeque<Arc<Profile>>,
    /// Those to be looked up one by one.
    named: VecDeque<RecordId>,
    /// The only one, when only one is to be looked up.
    only: Option<RecordId>,
    /// Those that are looked up as they are told to be children of others.
    children: Option<Lines>,
    /// Where to read on, when all are walked through.
    after: Option<Option<RecordId>>,
    current: Option<Arc<Record>>,
}

impl Walk {
    fn new(session: &Arc<Session>, kind: RecordKind) -> Walk {
        let (ready, named) = (VecDeque::new(), VecDeque::new());
        Walk {
            session: Arc::clone(session),
            kind,
            ready,
            named,
            children: None,
            only: None,
            after: None,
            current: None,
        }
    }

    /// All of a kind.
    pub fn everything(session: &Arc<Session>, kind: RecordKind) -> Walk {
        Walk { after: Some(None), ..Walk::new(session, kind) }
    }

    /// Those with these ids.
    pub fn named(session: &Arc<Session>, kind: RecordKind, ids: impl Iterator<Item = RecordId>) -> Walk {
        let named: VecDeque<RecordId> = ids.collect();
        let only = named.front().copied().filter(|_| named.len() == 1);
        Walk { named, only, ..Walk::new(session, kind) }
    }

    /// Those that may belong to these parents, each once.
    pub fn children(
        session: &Arc<Session>,
        parents: RecordKind,
        ids: impl Iterator<Item = RecordId>,
        kind: RecordKind,
    ) -> Result<Walk, QueryError> {
        let mut ids: Vec<RecordId> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let at_once = (IDS_MAX / ids.len().max(1)).clamp(IDS_MIN, PAGE_RECORDS);
        let mut lines = Lines { lines: BinaryHeap::with_capacity(ids.len()), at_once };
        for id in ids {
            session.stop.check()?;
            lines.add(session, VecDeque::new(), Some(Children::of((parents, id), kind)))?;
        }
        Ok(Walk { children: Some(lines), ..Walk::new(session, kind) })
    }

    /// Goes to the next record; `false` when there is none.
    pub fn advance(&mut self) -> Result<bool, QueryError> {
        self.current = None;
        while self.current.is_none() {
            if let Some(ready) = self.ready.pop_front() {
                self.current = Some(Arc::new(Record::new(ready)));
            } else if let Some(id) = self.named.pop_front() {
                self.session.stop.check()?;
                self.current = self.session.record(self.kind, id)?;
            } else if let Some(children) = &mut self.children {
                match children.next(&self.session)? {
                    Some(id) => self.named.push_back(id),
                    None => self.children = None,
                }
            } else if let Some(after) = self.after {
                self.session.stop.check()?;
                let page = self.session.moment()?.profiles(self.kind, after, PAGE_RECORDS)?;
                self.after = page.last().map(|last| Some(last.id));
                self.ready = page.into();
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The record it stands at.
    pub fn record(&self) -> Option<&Record> {
        self.current.as_deref()
    }

    /// Goes back to before the first record, if there is only one.
    pub fn rewind(&mut self) -> bool {
        self.named.clear();
        self.named.extend(self.only);
        self.only.is_some()
    }
}

/// The children of several records, in the order of their ids. Of each record only a few are held at a time.
struct Lines {
    /// By the first child of each, the least one first.
    lines: BinaryHeap<Reverse<Line>>,
    /// Ids that are read at once.
    at_once: usize,
}

/// Children of one record: those already read, and where the next ones begin. Has always a first one.
struct Line {
    ready: VecDeque<RecordId>,
    next: Option<Children>,
}

impl Ord for Line {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ready.front().cmp(&other.ready.front())
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Line {}

impl PartialOrd for Line {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Lines {
    /// Puts a line in its place, unless it is at its end.
    fn add(
        &mut self,
        session: &Session,
        mut ready: VecDeque<RecordId>,
        mut next: Option<Children>,
    ) -> Result<(), QueryError> {
        if let Some(children) = next.filter(|_| ready.is_empty()) {
            let page = session.moment()?.children(children, self.at_once)?;
            next = children.behind(&page, self.at_once);
            ready = page.into();
        }
        if !ready.is_empty() {
            self.lines.push(Reverse(Line { ready, next }));
        }
        Ok(())
    }

    /// The next child, of whichever of them.
    fn next(&mut self, session: &Session) -> Result<Option<RecordId>, QueryError> {
        let Some(first) = self.lines.peek().and_then(|Reverse(line)| line.ready.front().copied()) else {
            return Ok(None);
        };
        // One that belongs to several stands first in each of these.
        while self.lines.peek().is_some_and(|Reverse(line)| line.ready.front() == Some(&first)) {
            let Some(Reverse(Line { mut ready, next })) = self.lines.pop() else { break };
            ready.pop_front();
            self.add(session, ready, next)?;
        }
        Ok(Some(first))
    }
}

/// A number for a record, from its id.
pub fn number_of(id: RecordId) -> i64 {
    ((id.0 >> 64) as u64 ^ (id.0 as u64).rotate_left(17)) as i64
}

/// Rows of one of the three tables.
struct Records {
    table: Table,
    session: Arc<Session>,
    walk: Walk,
    /// Whether first and last tracks are asked for.
    asks_seen: bool,
}

impl Source for Records {
    fn advance(&mut self) -> Result<bool, QueryError> {
        let more = self.walk.advance()?;
        if let Some(record) = self.walk.record().filter(|_| self.asks_seen) {
            record.look_for_tracks(self.session.moment()?.as_ref(), &self.session.stop)?;
        }
        Ok(more)
    }

    fn cell(&self, column: usize) -> Cell<'_> {
        let (Some(record), Some(column)) = (self.walk.record(), self.table.columns().get(column)) else {
            return Cell::Null;
        };
        self.value(record, column.name)
    }

    fn row_number(&self) -> i64 {
        self.walk.record().map_or(0, |record| number_of(record.profile.id))
    }

    fn rewind(&mut self) -> bool {
        self.walk.rewind()
    }
}

impl Records {
    fn value<'r>(&self, record: &'r Record, column: &str) -> Cell<'r> {
        let profile = &record.profile;
        let (traits, names) = (&profile.traits, &self.session.names);
        let own_key = self.table.columns()[0].name;
        let user = profile.as_user();
        match column {
            key if key == own_key => Cell::Text(Cow::Borrowed(&*profile.external_id)),
            "uuid" => Cell::Text(profile.id.to_string().into()),
            "organization_id" => {
                let organization = profile.as_account().and_then(|account| account.parent());
                Cell::text(organization.map(|organization| &*organization.external_id))
            }
            "name" | "email" | "avatar" => Cell::text(json::text_of(traits, column)),
            "mrr" => json::number_of(traits, &names.mrr).map_or(Cell::Null, Cell::Real),
            "next_renewal_date" => Cell::instant(json::instant_of(traits, &names.next_renewal_date)),
            "churned_at" => Cell::instant(json::instant_of(traits, &names.churned_at)),
            "trial_end_date" => Cell::instant(json::instant_of(traits, &names.trial_end_date)),
            "joined_at" => Cell::instant(json::instant_of(traits, "createdAt")),
            "traits" => Cell::text(Some(record.traits())),
            "users_count" => Cell::Integer(profile.as_account().map_or(0, |account| i64::from(account.users_count))),
            "accounts_count" => Cell::Integer(match profile.as_organization() {
                Some(organization) => i64::from(organization.accounts_count),
                None => user.map_or(0, |user| user.accounts.standing().len() as i64),
            }),
            "first_seen_at" => Cell::instant(record.seen().first()),
            "last_seen_at" => Cell::instant(record.seen().last()),
            "first_known_at" => Cell::instant(Some(profile.first_known).filter(|at| *at != Micros::MAX)),
            "created_at" => Cell::Instant(profile.created_at),
            "updated_at" => Cell::Instant(profile.updated_at),
            "implied" => Cell::Integer(i64::from(!profile.stated)),
            _ => Cell::Null,
        }
    }
}
