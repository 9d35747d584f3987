//! The folded texts of records, one after the other, and searches among them.
//!
//! A search is one pass over all bytes, or a look at the text of one record. What the pass finds is kept. Beside a text stand
//! the times by which lists are mostly ordered, so that of many records found only those of a page are read.
//! Knows nothing of the disk.

use std::{
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use memchr::memmem;
use muster_model::{id::RecordId, profile::Profile, time::Micros};
use muster_store::lists::ListOrder;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    finds::{Finds, Question},
    sources::SET_MAX,
};

/// Rows found by which is told whether there are far too many of them.
const SAMPLE: usize = 4_096;

/// When a record was heard of first and last, as on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub created: Micros,
    pub updated: Micros,
}

impl Times {
    pub fn of(profile: &Profile) -> Times {
        Times { created: profile.created_at, updated: profile.updated_at }
    }
}

/// Texts that changed since the others were put together.
pub type Recent = FxHashMap<RecordId, (Box<str>, Times)>;

/// Texts one after the other, each followed by a line break, by id.
#[derive(Debug, Default)]
pub struct Rows {
    ids: Vec<RecordId>,
    ends: Vec<u32>,
    text: Vec<u8>,
    /// They change while texts stay, also while somebody searches: who reads one too late finds the record elsewhere.
    created: Vec<AtomicI64>,
    updated: Vec<AtomicI64>,
}

impl Rows {
    /// Adds a text, of a greater id than those before.
    pub fn push(&mut self, id: RecordId, text: &[u8], times: Times) {
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
        self.ids.push(id);
        self.ends.push(self.text.len() as u32);
        self.created.push(AtomicI64::new(times.created.0));
        self.updated.push(AtomicI64::new(times.updated.0));
    }

    /// Texts by the numbers that are their ids.
    #[cfg(test)]
    pub fn of_texts<'t>(texts: impl IntoIterator<Item = (u128, &'t str)>) -> Rows {
        let mut rows = Rows::default();
        texts.into_iter().for_each(|(id, text)| rows.push(RecordId(id), text.as_bytes(), Times::default()));
        rows
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.ids.len() * (size_of::<RecordId>() + size_of::<u32>() + 2 * size_of::<i64>())
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.text[self.start(row)..self.ends[row] as usize - 1]
    }

    /// The text of a record.
    pub fn of(&self, id: RecordId) -> Option<&[u8]> {
        self.ids.binary_search(&id).ok().map(|row| self.row(row))
    }

    /// The text of a record that has these times from now on.
    pub fn renew(&self, id: RecordId, times: Times) -> Option<&[u8]> {
        let row = self.ids.binary_search(&id).ok()?;
        self.created[row].store(times.created.0, Ordering::Relaxed);
        self.updated[row].store(times.updated.0, Ordering::Relaxed);
        Some(self.row(row))
    }

    fn times(&self, row: usize) -> Times {
        let time = |column: &[AtomicI64]| Micros(column[row].load(Ordering::Relaxed));
        Times { created: time(&self.created), updated: time(&self.updated) }
    }

    /// Shows which rows hold the needle until it is told to stop.
    fn find(&self, needle: &memmem::Finder<'_>, mut show: impl FnMut(usize) -> bool) {
        let (mut from, mut row) = (0, 0);
        while let Some(at) = needle.find(&self.text[from..]) {
            // Where much is found, the next row is near.
            let mut ahead = 1;
            while self.ends.get(row + ahead).is_some_and(|end| (*end as usize) <= from + at) {
                ahead *= 2;
            }
            let until = (row + ahead).min(self.ends.len());
            row += self.ends[row..until].partition_point(|end| (*end as usize) <= from + at);
            if !show(row) {
                return;
            }
            from = self.ends[row] as usize;
            row += 1;
        }
    }

    /// These rows with others in place of some and beside them.
    pub fn with(&self, recent: &Recent) -> Rows {
        let mut changed: Vec<(&RecordId, &(Box<str>, Times))> = recent.iter().collect();
        changed.sort_unstable_by_key(|(id, _)| **id);
        let count = self.ids.len() + changed.len();
        let text_bytes = self.text.len() + changed.iter().map(|(_, (text, _))| text.len() + 1).sum::<usize>();
        let mut rows = Rows {
            ids: Vec::with_capacity(count),
            ends: Vec::with_capacity(count),
            text: Vec::with_capacity(text_bytes),
            created: Vec::with_capacity(count),
            updated: Vec::with_capacity(count),
        };
        let mut copied = 0;
        for (id, (text, times)) in changed {
            let found = self.ids[copied..].binary_search(id);
            let (Ok(ahead) | Err(ahead)) = found;
            rows.extend(self, copied..copied + ahead);
            rows.push(*id, text.as_bytes(), *times);
            copied += ahead + usize::from(found.is_ok());
        }
        rows.extend(self, copied..self.ids.len());
        rows
    }

    /// Adds some rows of others as they are.
    fn extend(&mut self, others: &Rows, some: Range<usize>) {
        let Some(last) = some.clone().last() else { return };
        let (start, end) = (others.start(some.start), others.ends[last] as usize);
        let shift = (self.text.len() as u32).wrapping_sub(start as u32);
        self.text.extend_from_slice(&others.text[start..end]);
        self.ids.extend_from_slice(&others.ids[some.clone()]);
        self.ends.extend(others.ends[some.clone()].iter().map(|end| end.wrapping_add(shift)));
        for row in some {
            let times = others.times(row);
            self.created.push(AtomicI64::new(times.created.0));
            self.updated.push(AtomicI64::new(times.updated.0));
        }
    }
}

/// What is found in the texts of one state.
#[derive(Debug)]
pub struct Found {
    rows: Vec<u32>,
    /// Those whose text has changed since the rows were put together.
    recent: Vec<RecordId>,
    ids: OnceLock<Arc<FxHashSet<RecordId>>>,
}

impl Found {
    /// These rows and no others.
    #[cfg(test)]
    pub fn of_rows(rows: Range<u32>) -> Found {
        Found { rows: rows.collect(), recent: Vec::new(), ids: OnceLock::new() }
    }

    pub fn count(&self) -> usize {
        self.rows.len() + self.recent.len()
    }
}

/// Unless there are too many.
pub type Finding = Option<Arc<Found>>;

/// A search among texts as they are at one moment.
#[derive(Debug)]
pub struct Search {
    pub rows: Arc<Rows>,
    pub recent: Arc<Recent>,
    finder: memmem::Finder<'static>,
    /// What is searched for in what, as others may have done before.
    pub question: Question,
    finds: Arc<Finds>,
    found: OnceLock<Finding>,
}

impl Search {
    pub fn new(finds: Arc<Finds>, (rows, recent): (Arc<Rows>, Arc<Recent>), question: Question) -> Search {
        let finder = memmem::Finder::new(&*question.needle).into_owned();
        Search { rows, recent, finder, question, finds, found: OnceLock::new() }
    }

    /// What is found, unless it is too much for a set.
    pub fn found(&self) -> &Finding {
        self.found.get_or_init(|| {
            if let Some(known) = self.finds.get(&self.question) {
                return known;
            }
            let found = self.look_through(SET_MAX).map(Arc::new);
            self.finds.keep(self.question.clone(), found.clone());
            found
        })
    }

    /// The records that are found, unless they are too many for a set.
    pub fn ids(&self) -> Option<&Arc<FxHashSet<RecordId>>> {
        let found = self.found().as_ref()?;
        Some(found.ids.get_or_init(|| Arc::new(self.ids_of(found).collect())))
    }

    fn ids_of<'f>(&'f self, found: &'f Found) -> impl Iterator<Item = RecordId> + 'f {
        found.rows.iter().map(|row| self.rows.ids[*row as usize]).chain(found.recent.iter().copied())
    }

    /// Where the records that are found stand in a list, if it goes by one of the times that are kept here and they are not too
    /// many. A record that memory knows better may stand elsewhere.
    pub fn standing(&self, order: &ListOrder) -> Option<Vec<(Micros, RecordId)>> {
        let time: fn(&Times) -> Micros = match order {
            ListOrder::CreatedAt => |times| times.created,
            ListOrder::UpdatedAt => |times| times.updated,
            _ => return None,
        };
        let found = self.found().as_ref()?;
        let rows = found.rows.iter().map(|row| (time(&self.rows.times(*row as usize)), self.rows.ids[*row as usize]));
        let recent = found.recent.iter().filter_map(|id| Some((time(&self.recent.get(id)?.1), *id)));
        Some(rows.chain(recent).collect())
    }

    /// What is found, if there are at most so many. Where the first ones lie so close that there are certainly far more, the
    /// rest is not looked at: ids are hashes, so texts are alike everywhere.
    fn look_through(&self, most: usize) -> Option<Found> {
        let mut rows: Vec<u32> = Vec::new();
        let mut too_many = false;
        // Of these, some may say something else by now.
        let rows_max = most.saturating_add(self.recent.len());
        self.rows.find(&self.finder, |row| {
            rows.push(row as u32);
            let expected = || rows.len() as u64 * self.rows.count() as u64 / (row as u64 + 1);
            too_many = rows.len().is_multiple_of(SAMPLE) && expected() / 2 > rows_max as u64;
            !too_many && rows.len() <= rows_max
        });
        if too_many {
            return None;
        }
        rows.retain(|row| !self.recent.contains_key(&self.rows.ids[*row as usize]));
        let recent = self.recent.iter().filter(|(_, (text, _))| self.finder.find(text.as_bytes()).is_some());
        let room = (most + 1).saturating_sub(rows.len());
        let recent = recent.map(|(id, _)| *id).take(room).collect();
        let found = Found { rows, recent, ids: OnceLock::new() };
        (found.count() <= most).then_some(found)
    }

    /// Whether a record is found.
    pub fn finds(&self, id: RecordId) -> bool {
        if let Some(found) = self.ids() {
            return found.contains(&id);
        }
        let text = self.recent.get(&id).map(|(text, _)| text.as_bytes()).or_else(|| self.rows.of(id));
        text.is_some_and(|text| self.finder.find(text).is_some())
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{id::WorkspaceId, kind::RecordKind};

    use super::*;

    fn question(change: u64, needle: &str) -> Question {
        Question { of: (WorkspaceId(1), RecordKind::User), change, needle: needle.into() }
    }

    fn search(rows: Rows, recent: &[(u128, &str)], needle: &str) -> Search {
        let recent = recent.iter().map(|(id, text)| (RecordId(*id), (Box::from(*text), Times::default()))).collect();
        Search::new(Arc::default(), (Arc::new(rows), Arc::new(recent)), question(1, needle))
    }

    #[track_caller]
    fn check(search: &Search, expected: &[u128]) {
        let mut found: Vec<RecordId> = search.ids_of(&search.look_through(usize::MAX - 1).unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, expected.iter().copied().map(RecordId).collect::<Vec<RecordId>>());
        assert_eq!(search.look_through(expected.len()).map(|found| found.count()), Some(expected.len()));
        assert!(expected.is_empty() || search.look_through(expected.len() - 1).is_none());
        // Once by the set of those that were found, once as if they were too many for one.
        let finds = |search: &Search| -> Vec<u128> { (0..20).filter(|id| search.finds(RecordId(*id))).collect() };
        let expected: Vec<u128> = expected.iter().copied().filter(|id| *id < 20).collect();
        assert_eq!(finds(search), expected);
        let parts = (Arc::clone(&search.rows), Arc::clone(&search.recent));
        let many = Search::new(Arc::default(), parts, search.question.clone());
        many.found.set(None).unwrap();
        assert_eq!(finds(&many), expected);
    }

    #[test]
    fn rows_are_found_by_any_part_of_them() {
        let some = || Rows::of_texts([(1, "cid"), (3, "bea bea"), (7, "ada\nada@example.com\nu-1"), (9, "")]);
        for (needle, expected) in [("a", &[3, 7][..]), ("bea", &[3]), ("u-1", &[7]), ("cid", &[1]), ("dada", &[])] {
            check(&search(some(), &[], needle), expected);
        }
        check(&search(some(), &[(3, "cid"), (4, "a cid"), (7, "")], "cid"), &[1, 3, 4]);
        check(&search(some(), &[(3, "cid"), (4, "a cid"), (7, "")], "a"), &[4]);
        // Near and far from one another.
        let far = || Rows::of_texts((0..1_000).map(|id| (id, if id % 300 < 2 { "here" } else { "nothing" })));
        let search = search(far(), &[], "here");
        let found: Vec<RecordId> = search.ids_of(&search.look_through(100).unwrap()).collect();
        assert_eq!(found, [0, 1, 300, 301, 600, 601, 900, 901].map(RecordId));
    }

    #[test]
    fn so_many_are_found_and_no_more() {
        let every = |part| Rows::of_texts((0..30_000).map(|id| (id, if id % part == 0 { "here" } else { "" })));
        for (part, found) in [(1, 30_000), (2, 15_000), (30_000, 1)] {
            let search = search(every(part), &[], "here");
            for most in [0, 1, 7_000, 14_999, 15_000, 20_000, 30_000, SET_MAX] {
                let expected = (found <= most).then_some(found);
                assert_eq!(search.look_through(most).map(|found| found.count()), expected, "{part} {most}");
            }
        }
        let all_hidden: Vec<(u128, &str)> = (0..30_000).map(|id| (id, "gone")).collect();
        assert_eq!(search(every(1), &all_hidden, "here").look_through(0).map(|found| found.count()), Some(0));
    }

    #[test]
    fn rows_take_changes_in() {
        let before = Rows::of_texts((0..20_000).map(|id| (id * 2, if id % 3 == 0 { "" } else { "old" })));
        for (step, count) in [(3, 10_000), (1, 7), (40_000, 2), (7, 0)] {
            let changed: Recent =
                (0..count).map(|id| (RecordId(id * step), ("new one".into(), Times::default()))).collect();
            let after = before.with(&changed);
            assert!(after.ids.is_sorted_by(|one, other| one < other));
            for id in 0..41_000u128 {
                let expected = match changed.get(&RecordId(id)) {
                    Some((text, _)) => Some(text.as_bytes()),
                    None => before.of(RecordId(id)),
                };
                assert_eq!(after.of(RecordId(id)), expected, "{id}");
            }
        }
    }
}
