//! Which tracks may belong to a record, and where a file has them.

use std::ops::Range;

use muster_model::{
    deletion::{Fate, reach},
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    limits::FUTURE_MICROS_MAX,
    message::{Message, Named},
    time::Micros,
};
use muster_store::error::ReadError;
use rustc_hash::FxHashSet;

use super::{
    directory::{By, Key},
    footers::Footer,
    manifest::unreadable,
    scan::{self, Filter, Texts, times},
    schema,
};
use crate::erase::tombstones::Veil;

/// What a track must have to be looked at: one of these records, this name, a time in these bounds (both included).
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Tracks of these users, whatever account they name.
    pub users: FxHashSet<RecordId>,
    /// Tracks of these users that name no account.
    pub loose_users: FxHashSet<RecordId>,
    /// Tracks that name these accounts.
    pub accounts: FxHashSet<RecordId>,
    /// Tracks that name these organizations.
    pub organizations: FxHashSet<RecordId>,
    pub event: Option<Box<str>>,
    pub first: Option<Micros>,
    pub last: Option<Micros>,
    /// What was deleted and is not wanted.
    pub veil: Veil,
}

/// What of a track decides whether it is wanted, and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct TrackHead<'a> {
    pub timestamp: Micros,
    pub received_at: Micros,
    pub user: Option<&'a str>,
    pub account: Option<&'a str>,
    pub organization: Option<&'a str>,
}

impl TrackHead<'_> {
    /// The instant in the order of statements.
    pub fn ordered_at(&self) -> Micros {
        self.timestamp.min(self.received_at.plus_micros(FUTURE_MICROS_MAX))
    }
}

impl Wanted {
    /// Whether a track that names these records may be wanted.
    pub fn names(&self, user: Option<RecordId>, account: Option<RecordId>, organization: Option<RecordId>) -> bool {
        let among = |ids: &FxHashSet<RecordId>, id: Option<RecordId>| id.is_some_and(|id| ids.contains(&id));
        among(&self.users, user)
            || among(&self.accounts, account)
            || among(&self.organizations, organization)
            || (account.is_none() && among(&self.loose_users, user))
    }

    /// Whether an instant lies within the bounds.
    pub fn in_time(&self, at: Micros) -> bool {
        self.first.is_none_or(|first| first <= at) && self.last.is_none_or(|last| at <= last)
    }

    /// Whether a message may be wanted.
    pub fn matches(&self, message: &Message<'_>) -> bool {
        let id = |named: &Option<Named<'_>>| named.as_ref().map(|named| named.id);
        message.kind == Kind::Track
            && self.in_time(message.timestamp)
            && (self.event.is_none() || self.event.as_deref() == message.name.as_deref())
            && self.names(id(&message.user), id(&message.account), id(&message.organization))
            && self.veil.fate(message) != Fate::Drop
    }

    /// Whether a track was deleted and only its bytes are left.
    fn hides(
        &self,
        (user, account, organization): (Option<RecordId>, Option<RecordId>, Option<RecordId>),
        head: &TrackHead<'_>,
    ) -> bool {
        if self.veil.is_empty() {
            return false;
        }
        let names =
            [(RecordKind::Organization, organization), (RecordKind::Account, account), (RecordKind::User, user)];
        let names = names.into_iter().filter_map(|(kind, id)| Some((kind, id?)));
        self.veil.hides_track(names, reach(head.timestamp, head.received_at))
    }

    /// Every record that a wanted track may name, with the way it is found in a file.
    pub fn records(&self) -> impl Iterator<Item = (By, RecordId)> {
        let of = [
            (By::User, &self.users),
            (By::User, &self.loose_users),
            (By::Account, &self.accounts),
            (By::Organization, &self.organizations),
        ];
        of.into_iter().flat_map(|(by, ids)| ids.iter().map(move |id| (by, *id)))
    }

    /// The same as a filter on files.
    pub fn filter(&self) -> Filter {
        Filter {
            any: Some(self.records().map(|(by, id)| (by, Key::of_record(id))).collect()),
            event: self.event.clone(),
            first: self.first,
            last: self.last,
        }
    }
}

/// Calls `visit` with the number and the head of every track in the file that may be wanted. Returns how many rows were
/// looked at.
pub fn heads(
    footer: &Footer,
    ids: IdSpace,
    (wanted, filter): (&Wanted, &Filter),
    mut visit: impl FnMut(u64, TrackHead<'_>) -> Result<(), ReadError>,
) -> Result<u64, ReadError> {
    let mut columns = vec![
        schema::KIND,
        schema::TIMESTAMP,
        schema::RECEIVED_AT,
        schema::ORGANIZATION_ID,
        schema::ACCOUNT_ID,
        schema::USER_ID,
    ];
    columns.extend(wanted.event.is_some().then_some(schema::EVENT));
    let rows: Vec<Range<u64>> = scan::chunks(footer, filter).ranges();
    scan::read(footer, &rows, &columns, |numbers, batch| {
        let unexpected = || unreadable(&footer.segment, &"unexpected columns");
        let tracks = scan::of_kind(batch, Kind::Track).ok_or_else(unexpected)?;
        let text = |column: usize| Texts::of(batch, column).ok_or_else(unexpected);
        let (users, accounts) = (text(schema::USER_ID)?, text(schema::ACCOUNT_ID)?);
        let organizations = text(schema::ORGANIZATION_ID)?;
        let timestamps = times(batch, schema::TIMESTAMP).ok_or_else(unexpected)?;
        let receipts = times(batch, schema::RECEIVED_AT).ok_or_else(unexpected)?;
        let user_ids = users.ids(ids, RecordKind::User);
        let account_ids = accounts.ids(ids, RecordKind::Account);
        let organization_ids = organizations.ids(ids, RecordKind::Organization);
        let of_event = match &wanted.event {
            Some(event) => text(schema::EVENT)?.map(false, |name| name == event.as_ref()),
            None => vec![true; numbers.len()],
        };
        for (row, number) in numbers.iter().enumerate() {
            let at = Micros(timestamps.value(row));
            let named = (user_ids[row], account_ids[row], organization_ids[row]);
            let names = || wanted.names(named.0, named.1, named.2);
            if tracks[row] && of_event[row] && wanted.in_time(at) && names() {
                let head = TrackHead {
                    timestamp: at,
                    received_at: Micros(receipts.value(row)),
                    user: users.get(row),
                    account: accounts.get(row),
                    organization: organizations.get(row),
                };
                if !wanted.hides(named, &head) {
                    visit(*number, head)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(rows.iter().map(|range| range.end - range.start).sum())
}
