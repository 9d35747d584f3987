//! A page: what is in memory and what is on disk, merged in the order of the list.

use std::{cmp::Ordering, sync::Arc};

use fjall::UserValue;
use muster_model::{
    id::{RecordId, WorkspaceId},
    profile::{Profile, Span},
};
use muster_store::{
    error::ReadError,
    lists::{Condition, ListCursor, ListPage, ListQuery, belongs, kept_seen},
};
use rustc_hash::FxHashMap;

use super::{
    glance::{Fault, Glance},
    sets::Answer,
    sources::Source,
    texts::Search,
};
use crate::{codec, engine::Reader, error::damaged, keys::ProfileKey, views};

/// What a record read counts as, where an entry looked at counts as one.
const READ_COST: usize = 8;
/// Records read for each one of a page before it is asked which are worth reading.
const TRIAL_READS: usize = 5;
/// The part of a page that these are to have found, or it is asked.
const TRIAL_ENOUGH: usize = 4;
/// Uncertain accounts in memory whose first and last track are read from history for one page.
const UNCERTAIN_MAX: usize = 1_000;
/// How often a list begins anew when checkpoints overtake it.
const BEGINNINGS_MAX: usize = 5;

/// A record of the list, and where it stands.
type Found = (ListCursor, Arc<Profile>);

impl Reader {
    /// A page of records.
    pub fn list(&self, workspace: WorkspaceId, query: &ListQuery) -> Result<ListPage, ReadError> {
        for _ in 0..BEGINNINGS_MAX {
            let glance = Glance::take(&self.views);
            let page = Pager { reader: self, workspace, query: query.clone(), glance, seen: FxHashMap::default() };
            match page.read() {
                Ok(page) => return Ok(page),
                Err(Fault::Read(error)) => return Err(error),
                Err(Fault::Passed) => {}
            }
        }
        Err(ReadError::Failed { what: "checkpoints overtook a list again and again".to_owned() })
    }
}

/// One page in the making.
struct Pager<'r> {
    reader: &'r Reader,
    workspace: WorkspaceId,
    query: ListQuery,
    glance: Glance,
    /// First and last track of accounts in memory that were uncertain.
    seen: FxHashMap<RecordId, Span>,
}

impl Pager<'_> {
    fn read(mut self) -> Result<ListPage, Fault> {
        let of = (self.workspace, self.query.kind);
        let sources = self.reader.found_by(&self.glance, self.workspace, &self.query)?;
        if let Some(ids) = self.reader.few(&self.glance, of, &sources)? {
            let memory = self.in_memory()?;
            return self.few(memory, ids);
        }
        let memory = self.in_memory()?;
        let whole = self.reader.options.scan_max;
        let searches = || {
            sources.iter().filter_map(|source| if let Source::Text(search) = source { Some(&**search) } else { None })
        };
        let mut among = Among { set: None, searches: searches().collect() };
        if sources.is_empty() {
            return self.merge(memory, &among, whole);
        }
        let known = self.reader.set(&self.glance, of, &sources, false)?;
        if known.is_some() || !among.searches.is_empty() {
            among.set = known.flatten();
            return self.merge(memory, &among, whole);
        }
        // Of many, a short way through the order meets enough; if it does not, it is worth knowing whom to look for.
        let limit = self.query.limit.max(1);
        let mut page = self.merge(memory.clone(), &among, (READ_COST * TRIAL_READS * limit).min(whole))?;
        if page.next.is_none() || page.profiles.len() == limit {
            return Ok(page);
        }
        (self.query.from, self.query.limit) = (page.next, limit - page.profiles.len());
        if page.profiles.len() < limit.div_ceil(TRIAL_ENOUGH) {
            among.set = self.reader.set(&self.glance, of, &sources, true)?.flatten();
        }
        let memory = memory.into_iter().filter(|(cursor, _)| is_after(cursor, &self.query)).collect();
        let rest = self.merge(memory, &among, whole)?;
        page.profiles.extend(rest.profiles);
        Ok(ListPage { profiles: page.profiles, next: rest.next })
    }

    /// Records in memory that may be on this page or a later one, in the order of the list.
    fn in_memory(&mut self) -> Result<Vec<Found>, Fault> {
        let query = &self.query;
        let (now, later): (Vec<&Condition>, Vec<&Condition>) =
            query.conditions.iter().partition(|condition| !matches!(condition, Condition::Contains(_)));
        let asks_seen = query.order.asks_seen() || now.iter().any(|condition| condition.asks_seen());
        // When all that there is to check is checked here, no more than a page is kept.
        let keep = if later.is_empty() && query.within.is_none() { query.limit.max(1) + 1 } else { usize::MAX };
        let (mut found, mut uncertain): (Vec<Found>, Vec<Arc<Profile>>) = Default::default();
        self.glance.each(&self.reader.views, (self.workspace, query.kind), |profile| {
            let (seen, certain) = kept_seen(profile);
            if asks_seen && !certain && uncertain.len() < UNCERTAIN_MAX {
                uncertain.push(Arc::clone(profile));
                return;
            }
            let cursor = query.order.place(profile, seen);
            if is_after(&cursor, query) && now.iter().all(|condition| condition.holds(profile, seen)) {
                found.push((cursor, Arc::clone(profile)));
                if found.len() / 4 > keep {
                    found.select_nth_unstable_by(keep, |(one, _), (other, _)| one.order(other, query.ascending));
                    found.truncate(keep);
                }
            }
        })?;
        for profile in uncertain {
            let seen = self.reader.seen(self.workspace, (profile.kind(), profile.id))?;
            self.seen.insert(profile.id, seen);
            let cursor = query.order.place(&profile, seen);
            if is_after(&cursor, query) && now.iter().all(|condition| condition.holds(&profile, seen)) {
                found.push((cursor, profile));
            }
        }
        found.retain(|(_, profile)| later.iter().all(|condition| condition.holds(profile, Span::default())));
        found.sort_unstable_by(|(one, _), (other, _)| one.order(other, query.ascending));
        Ok(found)
    }

    /// Whether a record belongs into the list.
    fn fits(&self, profile: &Profile) -> Result<bool, ReadError> {
        let seen = self.seen_of(profile);
        if !self.query.conditions.iter().all(|condition| condition.holds(profile, seen)) {
            return Ok(false);
        }
        let Some(parent) = self.query.within else { return Ok(true) };
        belongs(profile, parent, &mut |kind, id| self.reader.views.profile(&ProfileKey::new(self.workspace, kind, id)))
    }

    fn seen_of(&self, profile: &Profile) -> Span {
        self.seen.get(&profile.id).copied().unwrap_or_else(|| kept_seen(profile).0)
    }

    /// The record on disk, unless memory knows it better.
    fn on_disk(&self, id: RecordId) -> Result<Option<Arc<Profile>>, Fault> {
        let key = ProfileKey::new(self.workspace, self.query.kind, id);
        if self.glance.hides(&self.reader.views, &key)? {
            return Ok(None);
        }
        Ok(views::read_profile(&self.glance.below.snapshot, &self.reader.views.state, &key)?.map(Arc::new))
    }

    /// A page of few records: all of them are read and sorted.
    fn few(&self, memory: Vec<Found>, ids: Vec<RecordId>) -> Result<ListPage, Fault> {
        let mut all = Vec::new();
        let on_disk = ids.into_iter().filter_map(|id| self.on_disk(id).transpose());
        for profile in on_disk.chain(memory.into_iter().map(|(_, profile)| Ok(profile))) {
            let profile = profile?;
            let cursor = self.query.order.place(&profile, self.seen_of(&profile));
            if is_after(&cursor, &self.query) && self.fits(&profile)? {
                all.push((cursor, profile));
            }
        }
        all.sort_unstable_by(|(one, _), (other, _)| one.order(other, self.query.ascending));
        let limit = self.query.limit.max(1);
        let next = (all.len() > limit).then(|| all[limit - 1].0);
        Ok(ListPage { profiles: all.into_iter().take(limit).map(|(_, profile)| profile).collect(), next })
    }

    /// A page along the order, as far as a bound on what is looked at allows.
    fn merge(&self, memory: Vec<Found>, among: &Among<'_>, mut left: usize) -> Result<ListPage, Fault> {
        let limit = self.query.limit.max(1);
        let steps = self.reader.walk(&self.glance, self.workspace, &self.query, among.set.clone());
        let (mut memory, mut steps) = (memory.into_iter().peekable(), steps.peekable());
        let mut page = ListPage { profiles: Vec::with_capacity(limit), next: self.query.from };
        while left > 0 {
            let memory_first = match (memory.peek(), steps.peek()) {
                (None, None) => return Ok(ListPage { next: None, ..page }),
                (Some(_), None) => true,
                (None, Some(_)) | (Some(_), Some(Err(_))) => false,
                (Some((cursor, _)), Some(Ok((step, _)))) => {
                    cursor.order(step, self.query.ascending) != Ordering::Greater
                }
            };
            let (cursor, profile) = if memory_first {
                let Some((cursor, profile)) = memory.next() else { continue };
                left -= 1;
                (cursor, Some(profile))
            } else {
                let Some(step) = steps.next() else { continue };
                let (cursor, met) = step?;
                let wanted = among.has(cursor.id);
                // To look at a text is about what the step there was.
                let cost = if wanted { READ_COST } else { 1 + among.searches.len() };
                left -= cost.min(left);
                (cursor, if wanted { self.met(cursor, met)? } else { None })
            };
            if let Some(profile) = profile
                && self.fits(&profile)?
            {
                if page.profiles.len() == limit {
                    return Ok(page);
                }
                page.profiles.push(profile);
            }
            page.next = Some(cursor);
        }
        Ok(page)
    }

    /// The record that a step on disk came upon, if it stands there.
    fn met(&self, cursor: ListCursor, met: Option<UserValue>) -> Result<Option<Arc<Profile>>, Fault> {
        let profile = match met {
            Some(stored) => {
                let key = ProfileKey::new(self.workspace, self.query.kind, cursor.id);
                let read = || codec::profile::decode(&stored).map_err(|_| damaged("a profile"));
                if self.glance.hides(&self.reader.views, &key)? { None } else { Some(Arc::new(read()?)) }
            }
            None => self.on_disk(cursor.id)?,
        };
        Ok(profile.filter(|profile| self.query.order.place(profile, kept_seen(profile).0) == cursor))
    }
}

/// What is known of the records of a list before they are read: those on disk that are none of these are not.
struct Among<'s> {
    set: Answer,
    searches: Vec<&'s Search>,
}

impl Among<'_> {
    fn has(&self, id: RecordId) -> bool {
        self.set.as_ref().is_none_or(|set| set.contains(&id)) && self.searches.iter().all(|search| search.finds(id))
    }
}

fn is_after(cursor: &ListCursor, query: &ListQuery) -> bool {
    query.from.is_none_or(|from| cursor.order(&from, query.ascending) == Ordering::Greater)
}
