//! Which tracks may belong to a record, and where a file has them.

use std::ops::Range;

use muster_model::{
    deletion::{Fate, reach},
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    message::{Message, Named, ordered_at},
    time::Micros,
};
use muster_store::{
    attribution::Subject,
    candidates::{Candidates, TrackNames},
    deletion::Veil,
    error::ReadError,
};
use rustc_hash::FxHashSet;

use super::{
    daily::{Cell, UserKey},
    directory::{By, Key},
    footers::Footer,
    manifest::unreadable,
    scan::{self, Filter, Texts, times},
    schema,
};

/// What a track must have to be looked at: one of these records, this name, a time in these bounds (both included).
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The records of which it names one.
    pub candidates: Candidates,
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
    /// The anonymous id, if it names no user.
    pub anonymous: Option<&'a str>,
    pub account: Option<&'a str>,
    pub organization: Option<&'a str>,
}

impl<'a> TrackHead<'a> {
    /// What of a message in memory does.
    pub fn of(message: &'a Message<'_>) -> TrackHead<'a> {
        fn text<'m>(named: &'m Option<Named<'_>>) -> Option<&'m str> {
            named.as_ref().map(|named| named.external_id.as_ref())
        }
        TrackHead {
            timestamp: message.timestamp,
            received_at: message.received_at,
            user: text(&message.user),
            anonymous: text(&message.anonymous),
            account: text(&message.account),
            organization: text(&message.organization),
        }
    }

    /// The same as attribution asks for it.
    pub fn subject(&self) -> Subject<'a> {
        let TrackHead { user, anonymous, account, organization, .. } = *self;
        Subject { user, anonymous, account, organization, at: self.ordered_at() }
    }

    /// The instant in the order of statements.
    pub fn ordered_at(&self) -> Micros {
        ordered_at(self.timestamp, self.received_at)
    }
}

impl Wanted {
    /// Whether an instant lies within the bounds.
    pub fn in_time(&self, at: Micros) -> bool {
        self.first.is_none_or(|first| first <= at) && self.last.is_none_or(|last| at <= last)
    }

    /// Whether a message may be wanted.
    pub fn matches(&self, message: &Message<'_>) -> bool {
        message.kind == Kind::Track
            && self.in_time(message.timestamp)
            && (self.event.is_none() || self.event.as_deref() == message.name.as_deref())
            && self.candidates.has(&TrackNames::of(message))
            && self.veil.fate(message) != Fate::Drop
    }

    /// Whether a track was deleted and only its bytes are left.
    fn hides(&self, named: &TrackNames, head: &TrackHead<'_>) -> bool {
        if self.veil.is_empty() {
            return false;
        }
        self.veil.hides_track(named.subjects(), reach(head.timestamp, head.received_at))
    }

    /// What is wanted as a filter on files.
    pub fn filter(&self) -> Filter {
        Filter {
            any: Some(
                self.candidates.subjects().filter_map(|(kind, id)| Some((By::of(kind)?, Key::of_record(id)))).collect(),
            ),
            event: self.event.clone(),
            first: self.first,
            last: self.last,
        }
    }
}

/// What cells say of tracks that may be wanted.
struct Traces<'w> {
    wanted: &'w Candidates,
    users: FxHashSet<UserKey>,
    loose_users: FxHashSet<UserKey>,
}

impl<'w> Traces<'w> {
    fn of(wanted: &'w Candidates) -> Self {
        let keys = |ids: &FxHashSet<RecordId>| ids.iter().map(|id| UserKey::of(*id)).collect();
        Traces { wanted, users: keys(&wanted.users), loose_users: keys(&wanted.loose_users) }
    }

    /// Whether tracks of a cell may be wanted. A user is known by half of its id, so some that are not are among them.
    fn may_have(&self, cell: &Cell) -> bool {
        let among = |ids: &FxHashSet<RecordId>, id: Option<RecordId>| id.is_some_and(|id| ids.contains(&id));
        let user = |keys: &FxHashSet<UserKey>| cell.user.is_some_and(|user| keys.contains(&user));
        let account = cell.account.filter(|_| cell.named);
        user(&self.users)
            || among(&self.wanted.anonymous, cell.anonymous)
            || among(&self.wanted.accounts, account)
            || among(&self.wanted.organizations, cell.organization)
            || (account.is_none() && (user(&self.loose_users) || among(&self.wanted.loose_anonymous, cell.anonymous)))
    }
}

/// The rows of a file among which all that may be wanted lie. Chunks are found by users and accounts one by one; what a
/// file counted of its tracks says which of those hold a track that names the right ones together.
fn places(footer: &Footer, wanted: &Wanted, filter: &Filter) -> Result<Vec<Range<u64>>, ReadError> {
    let found = scan::chunks(footer, filter);
    if found.is_empty() || filter.any.is_none() {
        return Ok(found.ranges());
    }
    let traces = Traces::of(&wanted.candidates);
    Ok(footer.chunks_with(&found, |cell| traces.may_have(cell))?.ranges())
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
        schema::EXTERNAL_ID,
    ];
    columns.extend(wanted.event.is_some().then_some(schema::EVENT));
    let rows = places(footer, wanted, filter)?;
    scan::read(footer, &rows, &columns, |numbers, batch| {
        let unexpected = || unreadable(&footer.segment, &"unexpected columns");
        let tracks = scan::of_kind(batch, Kind::Track).ok_or_else(unexpected)?;
        let text = |column: usize| Texts::of(batch, column).ok_or_else(unexpected);
        let (users, accounts) = (text(schema::USER_ID)?, text(schema::ACCOUNT_ID)?);
        let organizations = text(schema::ORGANIZATION_ID)?;
        let timestamps = times(batch, schema::TIMESTAMP).ok_or_else(unexpected)?;
        let receipts = times(batch, schema::RECEIVED_AT).ok_or_else(unexpected)?;
        let anonymous = text(schema::EXTERNAL_ID)?;
        let user_ids = users.ids(ids, RecordKind::User);
        let anonymous_ids = anonymous.ids(ids, RecordKind::Anonymous);
        let account_ids = accounts.ids(ids, RecordKind::Account);
        let organization_ids = organizations.ids(ids, RecordKind::Organization);
        let of_event = match &wanted.event {
            Some(event) => text(schema::EVENT)?.map(false, |name| name == event.as_ref()),
            None => vec![true; numbers.len()],
        };
        for (row, number) in numbers.iter().enumerate() {
            let at = Micros(timestamps.value(row));
            let named = TrackNames {
                user: user_ids[row],
                anonymous: anonymous_ids[row],
                account: account_ids[row],
                organization: organization_ids[row],
            };
            let names = || wanted.candidates.has(&named);
            if tracks[row] && of_event[row] && wanted.in_time(at) && names() {
                let head = TrackHead {
                    timestamp: at,
                    received_at: Micros(receipts.value(row)),
                    user: users.get(row),
                    anonymous: anonymous.get(row),
                    account: accounts.get(row),
                    organization: organizations.get(row),
                };
                if !wanted.hides(&named, &head) {
                    visit(*number, head)?;
                }
            }
        }
        Ok(())
    })?;
    Ok(rows.iter().map(|range| range.end - range.start).sum())
}

#[cfg(test)]
mod tests {
    use muster_model::day::Day;

    use super::*;

    fn id(number: Option<u128>) -> Option<RecordId> {
        number.map(|number| RecordId(number << 64 | number))
    }

    /// Every choice of nobody, the first and the second for each of so many places.
    fn choices(places: u32) -> impl Iterator<Item = Vec<Option<u128>>> {
        (0..3u128.pow(places)).map(move |number| {
            (0..places).map(|place| Some(number / 3u128.pow(place) % 3).filter(|which| *which > 0)).collect()
        })
    }

    /// What is wanted is never passed over: whoever a track names, wherever it is filed, and whatever is looked for.
    #[test]
    fn a_cell_may_have_whatever_its_tracks_are_wanted_for() {
        let (mut wanted_at_all, mut passed_over) = (0, 0);
        for looked_for in choices(6) {
            let set = |place: usize| id(looked_for[place]).into_iter().collect::<FxHashSet<RecordId>>();
            let wanted = Candidates {
                users: set(0),
                loose_users: set(1),
                anonymous: set(2),
                loose_anonymous: set(3),
                accounts: set(4),
                organizations: set(5),
            };
            let traces = Traces::of(&wanted);
            for track in choices(5) {
                let (user, filed) = (id(track[0]), id(track[4]));
                let anonymous = id(track[1]).filter(|_| user.is_none());
                let (account, organization) = (id(track[2]), id(track[3]));
                let named = TrackNames { user, anonymous, account, organization };
                let cell = Cell {
                    account: account.or(filed),
                    named: account.is_some(),
                    organization,
                    user: user.map(UserKey::of),
                    user_rest: None,
                    anonymous,
                    day: Day(0),
                    event: 0,
                };
                assert!(!wanted.has(&named) || traces.may_have(&cell), "{wanted:?} {named:?} {cell:?}");
                wanted_at_all += usize::from(wanted.has(&named));
                passed_over += usize::from(!traces.may_have(&cell));
            }
        }
        assert!(wanted_at_all > 1_000 && passed_over > 1_000, "{wanted_at_all} {passed_over}");
    }
}
