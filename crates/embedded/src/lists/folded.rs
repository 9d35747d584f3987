//! The folded texts of records, one after the other, and searches among them.
//!
//! A search is one pass over all bytes, or a look at the text of one record. What the pass finds is kept.
//! Knows nothing of the disk.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use memchr::memmem;
use muster_model::id::RecordId;
use rustc_hash::FxHashMap;

use super::{
    finds::{Finds, Question},
    sets::Answer,
    sources::SET_MAX,
};

/// Texts that changed since the others were put together.
pub type Recent = FxHashMap<RecordId, Box<str>>;

/// Texts one after the other, each followed by a line break, by id.
#[derive(Debug, Default)]
pub struct Rows {
    ids: Vec<RecordId>,
    ends: Vec<u32>,
    text: Vec<u8>,
}

impl Rows {
    /// Adds a text, of a greater id than those before.
    pub fn push(&mut self, id: RecordId, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
        self.ids.push(id);
        self.ends.push(self.text.len() as u32);
    }

    /// Texts by the numbers that are their ids.
    #[cfg(test)]
    pub fn of_texts<'t>(texts: impl IntoIterator<Item = (u128, &'t str)>) -> Rows {
        let mut rows = Rows::default();
        texts.into_iter().for_each(|(id, text)| rows.push(RecordId(id), text.as_bytes()));
        rows
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ids.len()
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.ids.len() * (size_of::<RecordId>() + size_of::<u32>())
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

    /// Shows the ids of the rows that hold the needle until it is told to stop.
    fn find(&self, needle: &memmem::Finder<'_>, mut show: impl FnMut(RecordId) -> bool) {
        let (mut from, mut row) = (0, 0);
        while let Some(at) = needle.find(&self.text[from..]) {
            // Where much is found, the next row is near.
            let mut ahead = 1;
            while self.ends.get(row + ahead).is_some_and(|end| (*end as usize) <= from + at) {
                ahead *= 2;
            }
            let until = (row + ahead).min(self.ends.len());
            row += self.ends[row..until].partition_point(|end| (*end as usize) <= from + at);
            if !show(self.ids[row]) {
                return;
            }
            from = self.ends[row] as usize;
            row += 1;
        }
    }

    /// These rows with others in place of some and beside them.
    pub fn with(&self, recent: &Recent) -> Rows {
        let mut changed: Vec<(&RecordId, &Box<str>)> = recent.iter().collect();
        changed.sort_unstable_by_key(|(id, _)| **id);
        let count = self.ids.len() + changed.len();
        let text_bytes = self.text.len() + changed.iter().map(|(_, text)| text.len() + 1).sum::<usize>();
        let mut rows = Rows {
            ids: Vec::with_capacity(count),
            ends: Vec::with_capacity(count),
            text: Vec::with_capacity(text_bytes),
        };
        let mut copied = 0;
        for (id, text) in changed {
            let found = self.ids[copied..].binary_search(id);
            let (Ok(ahead) | Err(ahead)) = found;
            rows.extend(self, copied..copied + ahead);
            rows.push(*id, text.as_bytes());
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
        self.ends.extend(others.ends[some].iter().map(|end| end.wrapping_add(shift)));
    }
}

/// A search among texts as they are at one moment.
#[derive(Debug)]
pub struct Search {
    pub rows: Arc<Rows>,
    pub recent: Arc<Recent>,
    finder: memmem::Finder<'static>,
    /// What is searched for in what, as others may have done before.
    pub question: Question,
    finds: Arc<Finds>,
    found: OnceLock<Answer>,
}

impl Search {
    pub fn new(finds: Arc<Finds>, (rows, recent): (Arc<Rows>, Arc<Recent>), question: Question) -> Search {
        let finder = memmem::Finder::new(&*question.needle).into_owned();
        Search { rows, recent, finder, question, finds, found: OnceLock::new() }
    }

    /// The records that are found, unless they are too many for a set.
    pub fn found(&self) -> &Answer {
        self.found.get_or_init(|| {
            if let Some(known) = self.finds.get(&self.question) {
                return known;
            }
            let found = self.look_through(SET_MAX).map(|found| Arc::new(found.into_iter().collect()));
            self.finds.keep(self.question.clone(), found.clone());
            found
        })
    }

    /// The same, in no order, if there are at most so many.
    pub fn look_through(&self, most: usize) -> Option<Vec<RecordId>> {
        let mut found = Vec::new();
        self.rows.find(&self.finder, |id| {
            if !self.recent.contains_key(&id) {
                found.push(id);
            }
            found.len() <= most
        });
        let recent = self.recent.iter().filter(|(_, text)| self.finder.find(text.as_bytes()).is_some());
        let room = (most + 1).saturating_sub(found.len());
        found.extend(recent.map(|(id, _)| *id).take(room));
        (found.len() <= most).then_some(found)
    }

    /// Whether a record is found.
    pub fn finds(&self, id: RecordId) -> bool {
        if let Some(found) = self.found() {
            return found.contains(&id);
        }
        let text = self.recent.get(&id).map(|text| text.as_bytes()).or_else(|| self.rows.of(id));
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
        let recent = recent.iter().map(|(id, text)| (RecordId(*id), Box::from(*text))).collect();
        Search::new(Arc::default(), (Arc::new(rows), Arc::new(recent)), question(1, needle))
    }

    #[track_caller]
    fn check(search: &Search, expected: &[u128]) {
        let mut found = search.look_through(usize::MAX - 1).unwrap();
        found.sort_unstable();
        assert_eq!(found, expected.iter().copied().map(RecordId).collect::<Vec<RecordId>>());
        assert_eq!(search.look_through(expected.len()).map(|found| found.len()), Some(expected.len()));
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
        let mut found = search(far(), &[], "here").look_through(100).unwrap();
        found.sort_unstable();
        assert_eq!(found, [0, 1, 300, 301, 600, 601, 900, 901].map(RecordId));
    }

    #[test]
    fn rows_take_changes_in() {
        let before = Rows::of_texts((0..20_000).map(|id| (id * 2, if id % 3 == 0 { "" } else { "old" })));
        for (step, count) in [(3, 10_000), (1, 7), (40_000, 2), (7, 0)] {
            let changed: Recent = (0..count).map(|id| (RecordId(id * step), "new one".into())).collect();
            let after = before.with(&changed);
            assert!(after.ids.is_sorted_by(|one, other| one < other));
            for id in 0..41_000u128 {
                let expected = match changed.get(&RecordId(id)) {
                    Some(text) => Some(text.as_bytes()),
                    None => before.of(RecordId(id)),
                };
                assert_eq!(after.of(RecordId(id)), expected, "{id}");
            }
        }
    }
}
