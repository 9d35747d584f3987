//! Counting what belongs to one record, by day, name and user.

use std::collections::BTreeMap;

use muster_model::{
    day::Day,
    id::{IdSpace, RecordId},
    kind::{Kind, RecordKind},
    message::Message,
};
use muster_store::{
    activity::{DayActivity, EventActivity},
    attribution::{self, Attributor, Steady},
    error::ReadError,
    records::Records,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    daily::{Cell, UserKey},
    footers::Footer,
    messages,
    scan::{self, Filter},
    veiled,
    wanted::{Wanted, heads},
};

/// Entries of users that one answer may count at the most.
const USERS_MAX: usize = 4_000_000;

/// Rows that are held at a time while they are counted one by one.
const ROWS_READ: usize = 4_096;

/// The record that is counted for, and who may have done something there.
pub struct Subject {
    record: (RecordKind, RecordId),
    wanted: Wanted,
    filter: Filter,
    users: FxHashMap<UserKey, RecordId>,
}

impl Subject {
    pub fn new(record: (RecordKind, RecordId), wanted: Wanted) -> Self {
        let users = wanted.candidates.users.iter().chain(&wanted.candidates.loose_users);
        let users = users.map(|id| (UserKey::of(*id), *id)).collect();
        Subject { record, filter: wanted.filter(), wanted, users }
    }
}

/// What was counted so far.
pub struct Counted {
    subject: Subject,
    days: (Day, Day),
    ids: IdSpace,
    names: FxHashMap<Box<str>, u32>,
    tallies: BTreeMap<Day, DayTally>,
    users: usize,
}

#[derive(Default)]
struct DayTally {
    events: u64,
    users: FxHashSet<UserKey>,
    by_event: FxHashMap<u32, (u64, FxHashSet<UserKey>)>,
}

/// Whether a cell belongs to the record.
enum Belongs {
    /// It does, and its user is this one.
    Yes(Option<UserKey>),
    No,
    /// Where its user belonged changed within the day, or who its anonymous id was.
    CountRows((RecordKind, RecordId)),
}

impl Counted {
    pub fn new(subject: Subject, days: (Day, Day), ids: IdSpace) -> Self {
        Counted { subject, days, ids, names: FxHashMap::default(), tallies: BTreeMap::new(), users: 0 }
    }

    /// Counts a message in memory, if it belongs.
    pub fn row<R: Records>(&mut self, message: &Message<'_>, attributor: &mut Attributor<R>) -> Result<(), ReadError> {
        let day = Day::of(message.ordered_at());
        if message.kind != Kind::Track || !self.in_days(day) || !self.subject.wanted.matches(message) {
            return Ok(());
        }
        let place = attributor.place(attribution::Subject::of(message))?;
        if place.belongs_to(self.subject.record) {
            let name = self.name(message.name.as_deref().unwrap_or_default());
            self.add(day, name, place.user.map(|user| UserKey::of(user.id)), 1)?;
        }
        Ok(())
    }

    /// Counts what a file has.
    pub fn file<R: Records>(&mut self, footer: &Footer, attributor: &mut Attributor<R>) -> Result<(), ReadError> {
        let index = footer.daily()?;
        let Some((first, last)) = index.seen().bounds() else { return Ok(()) };
        if Day::of(last) < self.days.0 || Day::of(first) > self.days.1 {
            return Ok(());
        }
        let chunks = scan::chunks(footer, &self.subject.filter);
        if veiled::is_concerned(footer, &self.subject.wanted.veil) {
            return self.all_rows(footer, attributor);
        }
        let mut names: Vec<Option<u32>> = vec![None; index.events.len()];
        let mut by_row: FxHashSet<((RecordKind, RecordId), Day)> = FxHashSet::default();
        let mut failed = Ok(());
        footer.cells(&chunks, |cell, count| {
            if failed.is_err() || !self.in_days(cell.day) {
                return;
            }
            failed = self.cell(cell, attributor).and_then(|found| match found {
                Belongs::Yes(user) => {
                    let Some((name, _)) = index.events.get(cell.event as usize) else { return Ok(()) };
                    let name = *names[cell.event as usize].get_or_insert_with(|| self.name(name));
                    self.add(cell.day, name, user, count)
                }
                Belongs::No => Ok(()),
                Belongs::CountRows(whose) => {
                    by_row.insert((whose, cell.day));
                    Ok(())
                }
            });
        })?;
        failed?;
        by_row.into_iter().try_for_each(|(whose, day)| self.rows_of(footer, whose, day, attributor))
    }

    /// Counts the rows of a file one by one, whose cells count what was deleted.
    fn all_rows<R: Records>(&mut self, footer: &Footer, attributor: &mut Attributor<R>) -> Result<(), ReadError> {
        let mut numbers = Vec::new();
        heads(footer, self.ids, (&self.subject.wanted, &self.subject.filter), |number, head| {
            numbers.extend(self.in_days(Day::of(head.ordered_at())).then_some(number));
            Ok(())
        })?;
        for numbers in numbers.chunks(ROWS_READ) {
            for stored in messages::read(footer, numbers, messages::OF_TRACKS)? {
                self.row(&stored.message(self.ids), attributor)?;
            }
        }
        Ok(())
    }

    fn cell<R: Records>(&self, cell: &Cell, attributor: &mut Attributor<R>) -> Result<Belongs, ReadError> {
        let (kind, id) = self.subject.record;
        let known = || self.subject.users.get(&cell.user?).copied();
        let user = known().or_else(|| Some(cell.user?.whole(cell.user_rest?)));
        let (user, key, whose) = match cell.anonymous {
            None => (user, cell.user, user.map(|user| (RecordKind::User, user))),
            Some(anonymous) => match attributor.steady(anonymous, RecordKind::User, cell.day)? {
                Steady::Is(user) => (user, user.map(UserKey::of), Some((RecordKind::Anonymous, anonymous))),
                Steady::Changes => return Ok(Belongs::CountRows((RecordKind::Anonymous, anonymous))),
            },
        };
        let when = |is: bool| if is { Belongs::Yes(key) } else { Belongs::No };
        let changes = || whose.map_or(Belongs::No, Belongs::CountRows);
        if kind == RecordKind::User {
            return Ok(when(key == Some(UserKey::of(id))));
        }
        if kind == RecordKind::Account && cell.named {
            return Ok(when(cell.account == Some(id)));
        }
        let account = match (cell.named, user) {
            (true, _) => cell.account,
            (false, None) => None,
            (false, Some(user)) => match attributor.steady(user, RecordKind::Account, cell.day)? {
                Steady::Is(account) => account,
                Steady::Changes => return Ok(changes()),
            },
        };
        if kind == RecordKind::Account {
            return Ok(when(account == Some(id)));
        }
        let joined = match account {
            Some(account) => attributor.organization_of(account)?,
            None => None,
        };
        if let Some(organization) = joined.or(cell.organization) {
            return Ok(when(organization == id));
        }
        let Some(user) = user else { return Ok(Belongs::No) };
        match attributor.steady(user, RecordKind::Organization, cell.day)? {
            Steady::Is(organization) => Ok(when(organization == Some(id))),
            Steady::Changes => Ok(changes()),
        }
    }

    /// Counts the rows of a user or an anonymous id on a day whose cells could not tell: exactly those that
    /// [`Counted::cell`] left out.
    fn rows_of<R: Records>(
        &mut self,
        footer: &Footer,
        whose: (RecordKind, RecordId),
        day: Day,
        attributor: &mut Attributor<R>,
    ) -> Result<(), ReadError> {
        let mut wanted = Wanted { first: Some(day.start()), ..Wanted::default() };
        let names = &mut wanted.candidates;
        let of_whom = if whose.0 == RecordKind::Anonymous { &mut names.anonymous } else { &mut names.users };
        of_whom.insert(whose.1);
        let mut numbers = Vec::new();
        heads(footer, self.ids, (&wanted, &wanted.filter()), |number, head| {
            numbers.extend((Day::of(head.ordered_at()) == day).then_some(number));
            Ok(())
        })?;
        for stored in messages::read(footer, &numbers, messages::OF_TRACKS)? {
            let message = stored.message(self.ids);
            let cell = Cell {
                account: message.account.as_ref().map(|account| account.id),
                named: message.account.is_some(),
                organization: message.organization.as_ref().map(|organization| organization.id),
                user: message.user.as_ref().map(|user| UserKey::of(user.id)),
                user_rest: message.user.as_ref().map(|user| user.id.0 as u64),
                anonymous: message.anonymous.as_ref().map(|anonymous| anonymous.id),
                day,
                event: 0,
            };
            if !matches!(self.cell(&cell, attributor)?, Belongs::CountRows(_)) {
                continue;
            }
            let place = attributor.place(attribution::Subject::of(&message))?;
            if place.belongs_to(self.subject.record) {
                let name = self.name(message.name.as_deref().unwrap_or_default());
                self.add(day, name, place.user.map(|user| UserKey::of(user.id)), 1)?;
            }
        }
        Ok(())
    }

    fn in_days(&self, day: Day) -> bool {
        self.days.0 <= day && day <= self.days.1
    }

    fn name(&mut self, name: &str) -> u32 {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let number = self.names.len() as u32;
        self.names.insert(name.into(), number);
        number
    }

    fn add(&mut self, day: Day, name: u32, user: Option<UserKey>, count: u64) -> Result<(), ReadError> {
        let tally = self.tallies.entry(day).or_default();
        let (events, users) = tally.by_event.entry(name).or_default();
        tally.events += count;
        *events += count;
        if let Some(user) = user {
            self.users += usize::from(users.insert(user)) + usize::from(tally.users.insert(user));
        }
        if self.users > USERS_MAX {
            let what = "more users were active on these days than one answer may count; ask for fewer days".to_owned();
            return Err(ReadError::TooLarge { what });
        }
        Ok(())
    }

    /// What was counted, day by day.
    pub fn finish(self) -> Vec<DayActivity> {
        let mut names: Vec<(u32, Box<str>)> = self.names.into_iter().map(|(name, number)| (number, name)).collect();
        names.sort_unstable();
        let of_day = |(day, tally): (Day, DayTally)| {
            let of_event = |(name, (events, users)): (u32, (u64, FxHashSet<UserKey>))| EventActivity {
                name: names[name as usize].1.to_string(),
                events,
                users: users.len() as u64,
            };
            let mut by_event: Vec<EventActivity> = tally.by_event.into_iter().map(of_event).collect();
            by_event.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            DayActivity { day, events: tally.events, users: tally.users.len() as u64, by_event }
        };
        self.tallies.into_iter().map(of_day).collect()
    }
}
