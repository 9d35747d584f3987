//! A page: which records belong on it, and in which order.
//!
//! Where first or last tracks are asked for, records whose rows do not tell them are left out of the way through the order and put
//! in from memory, with what their tracks say; so the page is exact, as long as they are few.

use std::{collections::VecDeque, sync::Arc};

use muster_model::{
    deletion::Subject,
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
    profile::{Profile, Span},
};
use muster_store::lists::{Condition, ListCursor, ListPage, ListQuery, belongs, kept_seen};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    sources::{self, Source},
    walk::Walk,
};
use crate::{
    fault::Fault,
    fold::write::number,
    read::{book::Book, seen},
    sql::values::Id,
};

/// Records that are read and sorted for one page.
const FEW: usize = 2_000;
/// Ids that are gathered for one page.
const SET_MAX: usize = 50_000;
/// What one page may cost: a row looked at costs one, a record read some of them.
const COST_MAX: usize = 50_000;
const READ_COST: usize = 8;
/// Records read for each one of a page before it is asked which are worth reading.
const TRIAL_READS: usize = 5;
/// Records and rows that are fetched at once.
const READ_AT_ONCE: usize = 1_000;
const STEPS_AT_ONCE: usize = 5_000;
const STEPS_FIRST: usize = 64;
/// Records whose tracks are looked through for one page.
const COUNTED_MAX: usize = 100;

const STALE: &str = "select id from profile where workspace = $1 and kind = $2 and stale order by id limit $3";

/// What became of a page.
pub enum Outcome {
    /// It is there; `counted` if tracks were looked through for it.
    Page { page: ListPage, counted: bool },
    /// The first or last tracks of too many records are uncertain.
    Uncertain,
}

/// Why there is no page.
enum Stop {
    Uncertain,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

/// Reads a page.
pub fn read(book: &Book<'_, '_>, query: &ListQuery) -> Result<Outcome, Fault> {
    let asks_seen = query.order.asks_seen() || query.conditions.iter().any(Condition::asks_seen);
    let mut pager = Pager { book, query, asks_seen, spans: FxHashMap::default(), parents: FxHashMap::default() };
    match pager.page() {
        Ok(page) => Ok(Outcome::Page { page, counted: !pager.spans.is_empty() }),
        Err(Stop::Uncertain) => Ok(Outcome::Uncertain),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

/// A record and where it stands.
type Found = (ListCursor, Arc<Profile>);

/// One page in the making.
struct Pager<'b, 't, 'c> {
    book: &'b Book<'t, 'c>,
    query: &'b ListQuery,
    asks_seen: bool,
    /// First and last tracks that were looked for.
    spans: FxHashMap<RecordId, Span>,
    /// Users and accounts through which records belong to others.
    parents: FxHashMap<Subject, Option<Arc<Profile>>>,
}

impl Pager<'_, '_, '_> {
    fn page(&mut self) -> Result<ListPage, Stop> {
        if self.query.kind == RecordKind::Anonymous {
            return Ok(ListPage { profiles: Vec::new(), next: None });
        }
        let workspace = WorkspaceId(self.book.workspace() as u32);
        let sources = sources::of(self.book, workspace, self.query)?;
        let (texts, others): (Vec<&Source>, Vec<&Source>) = sources.iter().partition(|source| source.is_text());
        for source in others {
            if let Some(ids) = self.ids(source, FEW)? {
                return self.sorted(ids);
            }
        }
        let limit = self.query.limit.max(1);
        if sources.is_empty() {
            return self.walk(self.query.from, limit, None, COST_MAX);
        }
        // Of many, a short way through the order meets enough; if it does not, it is worth knowing whom to look for.
        let trial = (READ_COST * TRIAL_READS * limit).min(COST_MAX);
        let mut page = self.walk(self.query.from, limit, None, trial)?;
        if page.next.is_none() || page.profiles.len() == limit {
            return Ok(page);
        }
        let mut among: Option<FxHashSet<RecordId>> = None;
        for source in texts.into_iter().chain(sources.iter().filter(|source| !source.is_text())) {
            let Some(ids) = self.ids(source, SET_MAX)? else { continue };
            let both = match &among {
                Some(among) => among.intersection(&ids).copied().collect(),
                None => ids,
            };
            if both.len() <= FEW {
                return self.sorted(both);
            }
            among = Some(both);
        }
        let rest = self.walk(page.next, limit - page.profiles.len(), among.as_ref(), COST_MAX - trial)?;
        page.profiles.extend(rest.profiles);
        Ok(ListPage { profiles: page.profiles, next: rest.next })
    }

    /// The ids that a source finds; with those whose rows do not tell what it goes by.
    fn ids(&self, source: &Source, most: usize) -> Result<Option<FxHashSet<RecordId>>, Stop> {
        let Some(mut ids) = source.ids(self.book, self.query.kind, most)? else { return Ok(None) };
        if self.asks_seen && matches!(source, Source::Values { .. }) {
            ids.extend(self.stale()?);
        }
        Ok(Some(ids))
    }

    /// Records whose first and last track are uncertain.
    fn stale(&self) -> Result<Vec<RecordId>, Stop> {
        let (workspace, kind, limit) = (self.book.workspace(), number(self.query.kind), COUNTED_MAX as i64 + 1);
        let rows = self.book.transaction().query(STALE, &[&workspace, &kind, &limit]).map_err(Stop::Fault)?;
        if rows.len() > COUNTED_MAX {
            return Err(Stop::Uncertain);
        }
        Ok(rows.iter().map(|row| row.get::<_, Id>(0).record()).collect())
    }

    /// A page of a few candidates, all of which are read.
    fn sorted(&mut self, ids: FxHashSet<RecordId>) -> Result<ListPage, Stop> {
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let ascending = self.query.ascending;
        let mut found = Vec::new();
        for some in ids.chunks(READ_AT_ONCE) {
            let profiles = self.read(some)?;
            self.prepare(&profiles)?;
            for profile in profiles {
                let Some(cursor) = self.place(&profile)? else { continue };
                if self.query.from.is_none_or(|from| cursor.order(&from, ascending).is_gt()) {
                    found.push((cursor, profile));
                }
            }
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.order(other, ascending));
        let limit = self.query.limit.max(1);
        let next = (found.len() > limit).then(|| found[limit - 1].0);
        let profiles = found.into_iter().take(limit).map(|(_, profile)| profile).collect();
        Ok(ListPage { profiles, next })
    }

    /// A page along the order from behind a place, as far as a bound on its cost allows; only of these ids, if they are known.
    fn walk(
        &mut self,
        from: Option<ListCursor>,
        limit: usize,
        among: Option<&FxHashSet<RecordId>>,
        mut left: usize,
    ) -> Result<ListPage, Stop> {
        let (aside, memory) = self.aside(from)?;
        let mut page = Making::new(self.query, from, limit, memory);
        let mut walk = Walk::new(self.book, self.query, from, among);
        let chooses = self.query.within.is_some() || !self.query.conditions.is_empty();
        let mut count = if chooses { STEPS_FIRST.max(limit.min(READ_AT_ONCE)) } else { limit.saturating_add(1) };
        while left > 0 {
            let cost = if among.is_some() { 1 } else { 1 + READ_COST };
            let steps = walk.next(count.min(left.div_ceil(cost)).min(STEPS_AT_ONCE))?;
            if steps.is_empty() {
                return Ok(page.finish());
            }
            left = left.saturating_sub(steps.len());
            let wanted = |id: &RecordId| !aside.contains(id) && among.is_none_or(|among| among.contains(id));
            // As many as there is room for at a time: a page that is full reads no more.
            let mut steps = steps.as_slice();
            while !steps.is_empty() {
                let (now, later) = portion(steps, wanted, READ_AT_ONCE.min(2 * (limit + 1)));
                steps = later;
                let ids: Vec<RecordId> = now.iter().map(|step| step.id).filter(wanted).collect();
                left = left.saturating_sub(READ_COST * ids.len());
                if self.take(&mut page, now, &ids)? {
                    return Ok(page.so_far());
                }
                if left == 0 {
                    return Ok(page.so_far());
                }
            }
            count = count.saturating_mul(2);
        }
        Ok(page.so_far())
    }

    /// Goes through steps, of which records with these ids are read; whether the page is full.
    fn take(&mut self, page: &mut Making, steps: &[ListCursor], ids: &[RecordId]) -> Result<bool, Stop> {
        let profiles = self.read(ids)?;
        self.prepare(&profiles)?;
        let profiles: FxHashMap<RecordId, Arc<Profile>> =
            profiles.into_iter().map(|profile| (profile.id, profile)).collect();
        for step in steps {
            if page.reach(step) {
                return Ok(true);
            }
            // A record stands where it says itself: hashes of fields may meet.
            if let Some(profile) = profiles.get(&step.id)
                && self.place(profile)? == Some(*step)
                && !page.push(*step, Arc::clone(profile))
            {
                return Ok(true);
            }
            page.next = Some(*step);
        }
        Ok(false)
    }

    /// Records whose rows do not tell where they stand, with those of them that belong on the page behind a place.
    fn aside(&mut self, from: Option<ListCursor>) -> Result<(FxHashSet<RecordId>, VecDeque<Found>), Stop> {
        if !self.asks_seen {
            return Ok((FxHashSet::default(), VecDeque::new()));
        }
        let stale = self.stale()?;
        let profiles = self.read(&stale)?;
        self.prepare(&profiles)?;
        let mut found = Vec::new();
        for profile in profiles {
            let place = self.place(&profile)?;
            found.extend(place.map(|cursor| (cursor, profile)));
        }
        let ascending = self.query.ascending;
        found.retain(|(cursor, _)| from.is_none_or(|from| cursor.order(&from, ascending).is_gt()));
        found.sort_unstable_by(|(one, _), (other, _)| one.order(other, ascending));
        Ok((stale.into_iter().collect(), found.into()))
    }

    /// Where a record stands in the list, if it is in it.
    fn place(&mut self, profile: &Profile) -> Result<Option<ListCursor>, Stop> {
        let holds = |condition: &Condition, seen| condition.holds(profile, seen);
        // What costs nothing to know is asked first.
        let mut plain = self.query.conditions.iter().filter(|condition| !condition.asks_seen());
        if !plain.all(|condition| holds(condition, Span::default())) || !self.is_within(profile)? {
            return Ok(None);
        }
        let seen = if self.asks_seen { self.seen(profile)? } else { Span::default() };
        let fits = self.query.conditions.iter().filter(|condition| condition.asks_seen()).all(|one| holds(one, seen));
        Ok(fits.then(|| self.query.order.place(profile, seen)))
    }

    /// First and last track of a record, from its tracks if need be.
    fn seen(&mut self, profile: &Profile) -> Result<Span, Stop> {
        let (kept, is_certain) = kept_seen(profile);
        if is_certain {
            return Ok(kept);
        }
        if let Some(known) = self.spans.get(&profile.id) {
            return Ok(*known);
        }
        if self.spans.len() == COUNTED_MAX {
            return Err(Stop::Uncertain);
        }
        let seen = seen::of(self.book, profile)?;
        self.spans.insert(profile.id, seen);
        Ok(seen)
    }

    fn is_within(&mut self, profile: &Profile) -> Result<bool, Stop> {
        let Some(parent) = self.query.within else { return Ok(true) };
        let (book, parents) = (self.book, &mut self.parents);
        let mut look = |kind, id| {
            if let Some(known) = parents.get(&(kind, id)) {
                return Ok(known.clone());
            }
            let found = book.profile_of((kind, id))?;
            parents.insert((kind, id), found.clone());
            Ok::<_, Fault>(found)
        };
        Ok(belongs(profile, parent, &mut look)?)
    }

    /// Fetches the users and accounts through which records may belong to the list's parent, all of them at once.
    fn prepare(&mut self, profiles: &[Arc<Profile>]) -> Result<(), Stop> {
        let Some((of, _)) = self.query.within else { return Ok(()) };
        let users = profiles.iter().filter_map(|profile| match &profile.body {
            muster_model::profile::Body::NpsResponse(response) => Some(response.user.as_ref()?.value().id),
            _ => None,
        });
        let users: Vec<Subject> = users.map(|id| (RecordKind::User, id)).collect();
        if of != RecordKind::User {
            self.fetch(&users)?;
        }
        if of != RecordKind::Organization {
            return Ok(());
        }
        let fetched = users.iter().filter_map(|user| self.parents.get(user)?.as_ref());
        let links = profiles.iter().chain(fetched).filter_map(|profile| profile.as_user());
        let links = links.flat_map(|user| user.accounts.links()).filter(|link| link.stands());
        let accounts: Vec<Subject> = links.map(|link| (RecordKind::Account, link.parent)).collect();
        self.fetch(&accounts)
    }

    fn fetch(&mut self, subjects: &[Subject]) -> Result<(), Stop> {
        let wanted: FxHashSet<Subject> =
            subjects.iter().filter(|subject| !self.parents.contains_key(subject)).copied().collect();
        let wanted: Vec<Subject> = wanted.into_iter().collect();
        for some in wanted.chunks(READ_AT_ONCE) {
            self.parents.extend(some.iter().map(|subject| (*subject, None)));
            for profile in self.book.profiles(some)? {
                self.parents.insert((profile.kind(), profile.id), Some(profile));
            }
        }
        Ok(())
    }

    fn read(&self, ids: &[RecordId]) -> Result<Vec<Arc<Profile>>, Stop> {
        let subjects: Vec<Subject> = ids.iter().map(|id| (self.query.kind, *id)).collect();
        Ok(self.book.profiles(&subjects)?)
    }
}

/// The first steps, up to so many wanted ones, and the others.
fn portion(steps: &[ListCursor], wanted: impl Fn(&RecordId) -> bool, most: usize) -> (&[ListCursor], &[ListCursor]) {
    let beyond = steps.iter().enumerate().filter(|(_, step)| wanted(&step.id)).map(|(at, _)| at).nth(most);
    steps.split_at(beyond.unwrap_or(steps.len()))
}

/// Records of a page as they are found, those from memory put in between.
struct Making {
    limit: usize,
    ascending: bool,
    profiles: Vec<Arc<Profile>>,
    /// How far it has come.
    next: Option<ListCursor>,
    memory: VecDeque<Found>,
}

impl Making {
    fn new(query: &ListQuery, from: Option<ListCursor>, limit: usize, memory: VecDeque<Found>) -> Making {
        Making { limit, ascending: query.ascending, profiles: Vec::new(), next: from, memory }
    }

    /// Adds a record, if there is room.
    fn push(&mut self, cursor: ListCursor, profile: Arc<Profile>) -> bool {
        let has_room = self.profiles.len() < self.limit;
        if has_room {
            self.profiles.push(profile);
            self.next = Some(cursor);
        }
        has_room
    }

    /// Adds what comes before a place from memory; whether the page is full and more would come.
    fn reach(&mut self, step: &ListCursor) -> bool {
        while let Some((cursor, profile)) = self.memory.pop_front() {
            if cursor.order(step, self.ascending).is_gt() {
                self.memory.push_front((cursor, profile));
                return false;
            }
            if !self.push(cursor, profile) {
                return true;
            }
        }
        false
    }

    /// The page at the end of the list.
    fn finish(mut self) -> ListPage {
        while let Some((cursor, profile)) = self.memory.pop_front() {
            if !self.push(cursor, profile) {
                return self.so_far();
            }
        }
        ListPage { profiles: self.profiles, next: None }
    }

    /// The page where more may follow.
    fn so_far(self) -> ListPage {
        ListPage { profiles: self.profiles, next: self.next }
    }
}
