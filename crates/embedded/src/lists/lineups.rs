//! Where few records stand that a list is made of, in their order, kept while the disk does not change.
//!
//! When all records of a list are read and sorted for a page, the next page asks for the same ones. What is kept is of the
//! disk alone and belongs to one state of it, told by the number of its last change; whoever uses it still looks at what is in
//! memory and at the records on the page. Holds at most 64 lists of as many places as are sorted for one page.

use std::{collections::VecDeque, sync::Arc};

use fjall::Snapshot;
use muster_model::id::WorkspaceId;
use muster_store::lists::{ListCursor, ListQuery};
use parking_lot::Mutex;

/// Lists that are kept.
const LINEUPS_MAX: usize = 64;

/// A list without the page: of which workspace, and which records in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    workspace: WorkspaceId,
    query: ListQuery,
}

impl Question {
    pub fn new(workspace: WorkspaceId, query: &ListQuery) -> Question {
        Question { workspace, query: ListQuery { from: None, limit: 0, ..query.clone() } }
    }
}

/// Every list there is, the one asked for last at the end.
#[derive(Debug, Default)]
pub struct Lineups(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    change: u64,
    question: Question,
    places: Arc<[ListCursor]>,
}

impl Lineups {
    /// The places that were kept of this state of the disk.
    pub fn get(&self, snapshot: &Snapshot, question: &Question) -> Option<Arc<[ListCursor]>> {
        self.at(snapshot.seqno(), question)
    }

    /// Keeps places.
    pub fn keep(&self, snapshot: &Snapshot, question: Question, places: Arc<[ListCursor]>) {
        self.put(Kept { change: snapshot.seqno(), question, places });
    }

    fn at(&self, change: u64, question: &Question) -> Option<Arc<[ListCursor]>> {
        let mut lineups = self.0.lock();
        let at = lineups.iter().position(|kept| kept.change == change && kept.question == *question)?;
        let kept = lineups.remove(at)?;
        let places = Arc::clone(&kept.places);
        lineups.push_back(kept);
        Some(places)
    }

    fn put(&self, new: Kept) {
        let mut lineups = self.0.lock();
        // What is older than another state of the disk is of no use to anybody who begins now.
        lineups.retain(|kept| kept.change >= new.change);
        lineups.push_back(new);
        if lineups.len() > LINEUPS_MAX {
            lineups.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{id::RecordId, kind::RecordKind};
    use muster_store::lists::{Condition, ListOrder, Place};

    use super::*;

    fn question(needle: &str) -> Question {
        let conditions = vec![Condition::Contains(needle.to_owned())];
        let query = ListQuery { conditions, ..ListQuery::new(RecordKind::User, ListOrder::CreatedAt) };
        let later = ListQuery { from: Some(place(1)), limit: 7, ..query.clone() };
        assert_eq!(Question::new(WorkspaceId(1), &query), Question::new(WorkspaceId(1), &later), "pages of one list");
        Question::new(WorkspaceId(1), &query)
    }

    fn place(id: u128) -> ListCursor {
        ListCursor { place: Place::Unranked, id: RecordId(id) }
    }

    #[test]
    fn places_count_for_their_state_of_the_disk() {
        let lineups = Lineups::default();
        let put = |change, needle: &str, id| {
            lineups.put(Kept { change, question: question(needle), places: [place(id)].into() });
        };
        let at = |change, needle: &str| lineups.at(change, &question(needle)).map(|places| places[0].id.0);
        put(5, "a", 1);
        put(5, "b", 2);
        assert_eq!((at(5, "a"), at(5, "b"), at(5, "c"), at(6, "a"), at(4, "a")), (Some(1), Some(2), None, None, None));
        put(6, "b", 3);
        assert_eq!((at(5, "a"), at(6, "b")), (None, Some(3)));
        for number in 0..LINEUPS_MAX {
            assert_eq!(at(6, "b"), Some(3), "the one asked for last stays");
            put(6, &number.to_string(), 9);
        }
        assert_eq!((at(6, "0"), lineups.0.lock().len()), (None, LINEUPS_MAX));
    }
}
