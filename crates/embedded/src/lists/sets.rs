//! Ids that the index answered a condition with, kept while the disk does not change.
//!
//! One page of a list after the other asks the index the same; gathering some ten thousand ids for each of them would take
//! longer than all the rest of a page. An answer belongs to one state of the disk, told by the number of its last
//! change, and counts for no other. Holds at most half a million ids.

use std::{collections::VecDeque, sync::Arc};

use fjall::Snapshot;
use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::RecordKind,
};
use parking_lot::Mutex;
use rustc_hash::FxHashSet;

use super::sources::Lookup;

/// Ids that all sets together have.
const IDS_MAX: usize = 500_000;
/// Sets that are kept, those included that are too large to be one.
const SETS_MAX: usize = 64;

/// What the index is asked of a kind of record.
pub type Question = (WorkspaceId, RecordKind, Lookup);

/// The ids; `None` when they are too many for a set.
pub type Answer = Option<Arc<FxHashSet<RecordId>>>;

/// Every set there is, the one asked for last at the end.
#[derive(Debug, Default)]
pub struct Sets(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    change: u64,
    question: Question,
    answer: Answer,
}

impl Kept {
    fn ids(&self) -> usize {
        self.answer.as_ref().map_or(0, |ids| ids.len())
    }
}

impl Sets {
    /// The answer that was kept of this state of the disk.
    pub fn get(&self, snapshot: &Snapshot, question: &Question) -> Option<Answer> {
        self.at(snapshot.seqno(), question)
    }

    /// Keeps an answer.
    pub fn keep(&self, snapshot: &Snapshot, question: Question, answer: Answer) {
        self.put(Kept { change: snapshot.seqno(), question, answer });
    }

    fn at(&self, change: u64, question: &Question) -> Option<Answer> {
        let mut sets = self.0.lock();
        let at = sets.iter().position(|kept| kept.change == change && kept.question == *question)?;
        let kept = sets.remove(at)?;
        let answer = kept.answer.clone();
        sets.push_back(kept);
        Some(answer)
    }

    fn put(&self, new: Kept) {
        let mut sets = self.0.lock();
        // What is older than another state of the disk is of no use to anybody who begins now.
        sets.retain(|kept| kept.change >= new.change || kept.question != new.question);
        sets.push_back(new);
        while sets.len() > SETS_MAX || sets.iter().map(Kept::ids).sum::<usize>() > IDS_MAX {
            sets.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(sets: &Sets, change: u64, field: u64, ids: Option<usize>) {
        let answer = ids.map(|count| Arc::new((0..count as u128).map(RecordId).collect()));
        sets.put(Kept { change, question: question(field), answer });
    }

    fn question(field: u64) -> Question {
        (WorkspaceId(1), RecordKind::User, Lookup::Values(field, vec![([0; 9], [1; 9])]))
    }

    #[test]
    fn an_answer_counts_for_its_state_of_the_disk() {
        let sets = Sets::default();
        put(&sets, 5, 1, Some(3));
        put(&sets, 5, 2, None);
        assert_eq!(sets.at(5, &question(1)).map(|answer| answer.map(|ids| ids.len())), Some(Some(3)));
        assert_eq!(sets.at(5, &question(2)), Some(None));
        assert!(sets.at(6, &question(1)).is_none() && sets.at(4, &question(1)).is_none());
        put(&sets, 6, 1, Some(4));
        assert!(sets.at(5, &question(1)).is_none() && sets.at(6, &question(1)).is_some());
    }

    #[test]
    fn the_one_asked_for_last_stays() {
        let sets = Sets::default();
        put(&sets, 1, 1, Some(IDS_MAX / 2));
        put(&sets, 1, 2, Some(IDS_MAX / 2));
        assert!(sets.at(1, &question(1)).is_some());
        put(&sets, 1, 3, Some(1));
        assert!(sets.at(1, &question(2)).is_none() && sets.at(1, &question(1)).is_some());
        (10..10 + SETS_MAX as u64).for_each(|field| put(&sets, 1, field, None));
        assert!(sets.at(1, &question(1)).is_none());
        assert_eq!(sets.0.lock().len(), SETS_MAX);
    }
}
