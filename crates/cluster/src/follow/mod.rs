//! Following what is accepted.
//!
//! A place is how many messages of the workspace had arrived. Messages get these numbers one after the other, and are seen in
//! that order, as whoever folds them in holds the workspace; so what comes after a place is what is numbered after it, and the
//! history is all that followers need. What deletions hide is not in it any more.
//!
//! Of all nodes one at a time hands out a follower's messages: the one that holds its lock in PostgreSQL. When that one goes, so
//! does its connection, and another takes over from the place that is in the table.

/// Followers through the seam.
mod seam;

/// A follower at its place.
mod following;

/// What comes after a place.
mod page;

/// The same of files.
pub mod filed;

/// Messages that followers could do nothing with.
pub mod letters;

use std::sync::Arc;

use muster_store::follow::FollowerId;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tokio::sync::Notify;

pub use letters::erase;

/// A place as those see it who keep it.
pub fn place(arrived: i64) -> Vec<u8> {
    arrived.to_be_bytes().to_vec()
}

/// Reads that back.
fn arrived(place: &[u8]) -> Option<i64> {
    place.try_into().ok().map(i64::from_be_bytes).filter(|arrived| *arrived >= 0)
}

/// What ends the waits of followers of this node.
#[derive(Default)]
pub struct Bells(Mutex<FxHashMap<FollowerId, Arc<Notify>>>);

impl Bells {
    /// Ends a follower's wait, now or the next one.
    pub fn ring(&self, id: FollowerId) {
        self.of(id).notify_one();
    }

    /// The same if anybody follows it here.
    pub fn ring_if_there(&self, id: FollowerId) {
        if let Some(bell) = self.0.lock().get(&id) {
            bell.notify_one();
        }
    }

    fn of(&self, id: FollowerId) -> Arc<Notify> {
        Arc::clone(self.0.lock().entry(id).or_default())
    }

    /// Forgets those that are no more.
    fn retain(&self, is_there: impl Fn(FollowerId) -> bool) {
        self.0.lock().retain(|id, _| is_there(*id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_and_others_are_refused() {
        for there in [0, 7, i64::MAX] {
            assert_eq!(arrived(&place(there)), Some(there));
        }
        for wrong in [&b""[..], &[0xff; 8], &[0; 9]] {
            assert_eq!(arrived(wrong), None);
        }
    }
}
