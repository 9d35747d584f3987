//! A page: what is in memory and what is on disk, merged in the order of the list.

use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

use fjall::UserValue;
use muster_model::{
    id::{RecordId, WorkspaceId},
    profile::Profile,
    rank::Rank,
    time::Micros,
};
use muster_store::{
    codec,
    error::ReadError,
    lists::{ListCursor, ListPage, ListQuery, Place, index::times, kept_seen},
};
use rustc_hash::FxHashMap;

use super::{
    folded::Search,
    glance::{Fault, Glance, LOOK_RECORDS},
    lineups::Question,
    memory::Memory,
    pager::{Pager, is_after},
    sets::Answer,
    sources::{FEW, SET_MAX, Source},
    walk::Steps,
};
use crate::{engine::Reader, error::damaged, keys::ProfileKey, views};

/// What a record read counts as, where an entry looked at counts as one.
const READ_COST: usize = 8;
/// Records read for each one of a page before it is asked which are worth reading.
const TRIAL_READS: usize = 5;
/// The part of a page that these are to have found, or it is asked.
const TRIAL_ENOUGH: usize = 4;
/// How often a list begins anew when checkpoints overtake it.
const BEGINNINGS_MAX: usize = 5;

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

impl Pager<'_> {
    fn read(mut self) -> Result<ListPage, Fault> {
        let of = (self.workspace, self.query.kind);
        let sources = self.reader.found_by(&self.glance, self.workspace, &self.query)?;
        let standing = self.standing(&sources);
        let lineup = if standing.is_none() { self.lineup(&sources)? } else { None };
        let named = match self.glance.records() {
            // So few are looked at one by one.
            0..=LOOK_RECORDS => None,
            _ => self.reader.named(&self.glance, of, &sources)?,
        };
        let mut memory = Memory::of(&mut self, named)?;
        if let Some(places) = lineup {
            return self.merge(&mut memory, behind(places, &self.query), &Among::default(), usize::MAX);
        }
        let whole = self.reader.options.scan_max;
        if let Some((steps, found)) = standing {
            let bound = if found <= FEW { usize::MAX } else { whole };
            return self.merge(&mut memory, steps, &Among::default(), bound);
        }
        let searches = || {
            sources.iter().filter_map(|source| if let Source::Text(search) = source { Some(&**search) } else { None })
        };
        let texts = searches().filter(|search| search.found().is_none()).count();
        let mut among = Among { set: None, searches: searches().collect(), texts };
        if sources.is_empty() {
            return self.merge(&mut memory, self.steps(&among), &among, whole);
        }
        let known = self.reader.set(&self.glance, of, &sources, false)?;
        if known.is_some() || !among.searches.is_empty() {
            let found = || searches().find_map(|search| search.ids().cloned());
            among.set = known.flatten().or_else(found);
            return self.merge(&mut memory, self.steps(&among), &among, whole);
        }
        // Of many, a short way through the order meets enough; if it does not, it is worth knowing whom to look for.
        let limit = self.query.limit.max(1);
        let trial = (READ_COST * TRIAL_READS * limit).min(whole);
        let mut page = self.merge(&mut memory, self.steps(&among), &among, trial)?;
        if page.next.is_none() || page.profiles.len() == limit {
            return Ok(page);
        }
        (self.query.from, self.query.limit) = (page.next, limit - page.profiles.len());
        let mut left = whole - trial;
        if page.profiles.len() < limit.div_ceil(TRIAL_ENOUGH) {
            among.set = self.reader.set(&self.glance, of, &sources, true)?.flatten();
            // Each id was a step, and the next page finds them gathered.
            left = left.saturating_sub(among.set.as_ref().map_or(SET_MAX, |set| set.len()));
        }
        let rest = self.merge(&mut memory, self.steps(&among), &among, left)?;
        page.profiles.extend(rest.profiles);
        Ok(ListPage { profiles: page.profiles, next: rest.next })
    }

    /// Steps over what a search found, and how many that are, where nothing else is asked of the index and the list goes by a
    /// time that is known of each without reading it.
    fn standing(&self, sources: &[Source]) -> Option<(Steps, usize)> {
        let [Source::Text(search)] = sources else { return None };
        let found = search.standing(&self.query.order)?;
        let (count, ascending, (first, last)) = (found.len(), self.query.ascending, times(&self.query));
        // What is greatest comes first, and it is its own reverse.
        let turn = move |(at, id): (i64, u128)| if ascending { (!at, id) } else { (at, !id) };
        let cursor = |at, id| ListCursor { place: Place::Ranked(Rank::Time(at)), id };
        let is_next =
            |(at, id): &(Micros, RecordId)| first <= *at && *at <= last && is_after(&cursor(*at, *id), &self.query);
        // A page takes few of them, so they are not sorted.
        let mut heap: BinaryHeap<(i64, u128)> =
            found.into_iter().filter(is_next).map(|(at, id)| turn((at.0, id.0))).collect();
        let next = move || heap.pop().map(turn).map(|(at, id)| Ok((cursor(Micros(at), RecordId(id)), None)));
        Some((Box::new(std::iter::from_fn(next)), count))
    }

    /// Where the records on disk stand that a source singles out, if they are few: all of them are read and sorted, once.
    fn lineup(&self, sources: &[Source]) -> Result<Option<Arc<[ListCursor]>>, Fault> {
        let (reader, below) = (self.reader, &self.glance.below);
        let of = (self.workspace, self.query.kind);
        let question = Question::new(self.workspace, &self.query);
        // What memory adds to it is not the disk's, and changes.
        let of_disk = reader.adds_nothing(&self.glance, of, self.query.within, sources)?;
        if of_disk && let Some(known) = reader.views.lineups.get(&below.snapshot, &question) {
            return Ok(Some(known));
        }
        let Some(ids) = reader.few(&self.glance, of, sources)? else { return Ok(None) };
        let mut places = Vec::with_capacity(ids.len());
        for id in ids {
            let key = ProfileKey::new(self.workspace, self.query.kind, id);
            let Some(profile) = views::read_profile(&below.snapshot, &reader.views.state, &key)? else { continue };
            let (seen, _) = kept_seen(&profile);
            if self.query.conditions.iter().all(|condition| condition.holds(&profile, seen)) {
                places.push(self.query.order.place(&profile, seen));
            }
        }
        places.sort_unstable_by(|one, other| one.order(other, self.query.ascending));
        let places: Arc<[ListCursor]> = places.into();
        // While a checkpoint comes into place, the texts of its records may not be known yet.
        if of_disk && below.frozen.is_none() {
            reader.views.lineups.keep(&below.snapshot, question, Arc::clone(&places));
        }
        Ok(Some(places))
    }

    /// Steps along the order, from where the page begins.
    fn steps(&self, among: &Among<'_>) -> Steps {
        self.reader.walk(&self.glance, self.workspace, &self.query, among.set.clone())
    }

    /// A page along the order, as far as a bound on what is looked at allows.
    fn merge(&self, memory: &mut Memory, steps: Steps, among: &Among<'_>, mut left: usize) -> Result<ListPage, Fault> {
        let limit = self.query.limit.max(1);
        let mut steps = steps.peekable();
        let mut page = ListPage { profiles: Vec::with_capacity(limit), next: self.query.from };
        while left > 0 {
            let memory_first = match (memory.peek(self)?, steps.peek()) {
                (None, None) => return Ok(ListPage { next: None, ..page }),
                (Some(_), None) => true,
                (None, Some(_)) | (Some(_), Some(Err(_))) => false,
                (Some(cursor), Some(Ok((step, _)))) => cursor.order(step, self.query.ascending) != Ordering::Greater,
            };
            let (cursor, profile) = if memory_first {
                let Some((cursor, profile)) = memory.take() else { continue };
                left -= 1;
                (cursor, Some(profile))
            } else {
                let Some(step) = steps.next() else { continue };
                let (cursor, met) = step?;
                let wanted = among.has(cursor.id);
                // To look at a text is about what the step there was; to look into a set is next to nothing.
                let cost = if wanted { READ_COST } else { 1 + among.texts };
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
#[derive(Default)]
struct Among<'s> {
    set: Answer,
    searches: Vec<&'s Search>,
    /// Of how many searches the text of each record is looked at, since they find too many for a set.
    texts: usize,
}

impl Among<'_> {
    fn has(&self, id: RecordId) -> bool {
        self.set.as_ref().is_none_or(|set| set.contains(&id)) && self.searches.iter().all(|search| search.finds(id))
    }
}

/// Steps over sorted places, from where the page begins.
fn behind(places: Arc<[ListCursor]>, query: &ListQuery) -> Steps {
    let first = places.partition_point(|place| !is_after(place, query));
    Box::new((first..places.len()).map(move |at| Ok((places[at], None))))
}
