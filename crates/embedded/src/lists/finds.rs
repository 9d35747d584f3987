//! What searches found in texts, kept until one of the texts changes.
//!
//! One page of a list after the other searches for the same; to look through all texts again would take longer than all the rest
//! of a page. An answer belongs to one state of the texts, told by the number of their last change, and counts for no other. Holds
//! at most half a million of them; never looks into a text itself.

use std::collections::VecDeque;

use muster_model::{id::WorkspaceId, kind::RecordKind};
use parking_lot::Mutex;

use super::folded::Finding;

/// A kind of record of a workspace.
pub type Of = (WorkspaceId, RecordKind);

/// What is searched for in texts as they are at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub of: Of,
    /// The number of the last change of these texts or of their rows; no two tables ever have the same.
    pub change: u64,
    pub needle: Box<str>,
}

/// Ids that all answers together have.
const IDS_MAX: usize = 500_000;
/// Answers that are kept, those included of which too many were found.
const ANSWERS_MAX: usize = 64;

/// Every answer there is, the one asked for last at the end.
#[derive(Debug, Default)]
pub struct Finds(Mutex<VecDeque<(Question, Finding)>>);

impl Finds {
    pub fn get(&self, question: &Question) -> Option<Finding> {
        let mut finds = self.0.lock();
        let at = finds.iter().position(|(known, _)| known == question)?;
        let kept = finds.remove(at)?;
        let answer = kept.1.clone();
        finds.push_back(kept);
        Some(answer)
    }

    /// Keeps an answer. One to texts that have changed meanwhile is in nobody's way: it goes when others come.
    pub fn keep(&self, question: Question, answer: Finding) {
        let mut finds = self.0.lock();
        finds.retain(|(known, _)| *known != question);
        finds.push_back((question, answer));
        let ids = |finds: &VecDeque<(Question, Finding)>| -> usize {
            finds.iter().map(|(_, answer)| answer.as_ref().map_or(0, |found| found.count())).sum()
        };
        while finds.len() > ANSWERS_MAX || ids(&finds) > IDS_MAX {
            finds.pop_front();
        }
    }

    /// Lets go of what was found in the texts of a kind of record.
    pub fn forget(&self, of: Of) {
        self.0.lock().retain(|(known, _)| known.of != of);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::folded::Found, *};

    fn question(change: u64, needle: &str) -> Question {
        Question { of: (WorkspaceId(1), RecordKind::User), change, needle: needle.into() }
    }

    #[test]
    fn what_was_found_counts_until_a_text_changes() {
        let finds = Finds::default();
        let ids = |count: usize| Some(Arc::new(Found::of_rows(0..count as u32)));
        let found =
            |change, needle: &str| finds.get(&question(change, needle)).map(|answer| answer.map(|found| found.count()));
        finds.keep(question(5, "a"), ids(3));
        finds.keep(question(5, "b"), None);
        assert_eq!((found(5, "a"), found(5, "b")), (Some(Some(3)), Some(None)));
        assert_eq!((found(5, "c"), found(6, "a")), (None, None));
        finds.keep(question(6, "c"), ids(IDS_MAX));
        assert_eq!((found(5, "a"), found(6, "c")), (None, Some(Some(IDS_MAX))));
        finds.forget((WorkspaceId(2), RecordKind::User));
        assert!(found(6, "c").is_some());
        finds.forget((WorkspaceId(1), RecordKind::User));
        assert!(finds.0.lock().is_empty());
        (0..2 * ANSWERS_MAX).for_each(|number| finds.keep(question(7, &number.to_string()), ids(1)));
        assert_eq!(finds.0.lock().len(), ANSWERS_MAX);
    }
}
