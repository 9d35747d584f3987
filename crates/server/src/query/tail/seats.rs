//! Who reads which tail at the moment, and when it was last asked for.
//!
//! A tail has one reader. Whoever asks for it anew takes the seat of the one before, whose connection is most likely gone; that
//! one is told to end and is waited for. Times are counted while the server runs.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_query::Stop;
use muster_store::{Store, follow::FollowerId};
use parking_lot::{Condvar, Mutex};

use super::kept;
use crate::state::AppState;

/// How long the reader before may take to end.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The seats of all tails.
#[derive(Default)]
pub(crate) struct Seats(Mutex<HashMap<FollowerId, Desk>>);

struct Desk {
    asked_at: Instant,
    /// Ends whoever reads, or waits to.
    reader: Option<Stop>,
    seat: Arc<Seat>,
}

#[derive(Default)]
struct Seat {
    taken: Mutex<bool>,
    freed: Condvar,
}

/// A seat that is taken; free again when this is dropped.
pub(super) struct Seated(Arc<Seat>);

impl Drop for Seated {
    fn drop(&mut self) {
        *self.0.taken.lock() = false;
        self.0.freed.notify_one();
    }
}

impl Desk {
    fn new() -> Desk {
        Desk { asked_at: Instant::now(), reader: None, seat: Arc::default() }
    }
}

impl Seats {
    /// Takes a tail's seat; `None` when the reader before does not end, or another one came after this one. Waits.
    pub(super) fn sit(&self, store: &dyn Store, id: FollowerId, stop: &Stop) -> Option<Seated> {
        let seat = {
            let mut desks = self.0.lock();
            let desk = desks.entry(id).or_insert_with(Desk::new);
            desk.asked_at = Instant::now();
            if let Some(before) = desk.reader.replace(stop.clone()) {
                before.cancel();
            }
            Arc::clone(&desk.seat)
        };
        store.wake_follower(id);
        let until = Instant::now() + WAIT_MAX;
        let mut taken = seat.taken.lock();
        while *taken {
            if seat.freed.wait_until(&mut taken, until).timed_out() {
                return None;
            }
        }
        if stop.reason().is_some() {
            // One more is waiting.
            seat.freed.notify_one();
            return None;
        }
        *taken = true;
        drop(taken);
        Some(Seated(seat))
    }

    /// How long nobody has asked for a tail, counted from the first look at it on.
    pub(super) fn idle(&self, id: FollowerId) -> Duration {
        let mut desks = self.0.lock();
        let desk = desks.entry(id).or_insert_with(Desk::new);
        let read = *desk.seat.taken.lock();
        if read {
            desk.asked_at = Instant::now();
        }
        desk.asked_at.elapsed()
    }

    /// Ends whoever reads a tail that is no more.
    pub(super) fn clear(&self, store: &dyn Store, id: FollowerId) {
        if let Some(reader) = self.0.lock().remove(&id).and_then(|desk| desk.reader) {
            reader.cancel();
        }
        store.wake_follower(id);
    }
}

/// Removes the tails that nobody has asked for in the time that they are kept.
pub(crate) async fn sweep(state: &AppState) {
    for follower in state.store.followers() {
        let Some(kept_for) = kept::kept_for(&follower.settings) else { continue };
        if state.seats.idle(follower.id) < kept_for {
            continue;
        }
        tracing::info!(tail = follower.name, "nobody has asked for what follows an export; it is not kept any longer");
        if let Err(error) = state.store.remove_follower(follower.id).await {
            tracing::error!(%error, "what is kept for the followers of an export could not be removed; this is tried again");
            continue;
        }
        state.seats.clear(&*state.store, follower.id);
    }
}

#[cfg(test)]
mod tests {
    use muster_store::memory::MemoryStore;

    use super::*;

    #[test]
    fn the_one_who_comes_last_has_the_seat() {
        let (seats, store, id) = (Seats::default(), MemoryStore::new(), FollowerId(1));
        let stop = || Stop::after(Duration::from_secs(60));
        let (first, second) = (stop(), stop());
        let seated = seats.sit(&store, id, &first).expect("nobody sits there");
        assert!(seats.idle(id) < Duration::from_secs(1));
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| seats.sit(&store, id, &second).is_some());
            while first.reason().is_none() {
                std::thread::yield_now();
            }
            drop(seated);
            assert!(waits.join().unwrap());
        });
        seats.clear(&store, id);
        assert!(second.reason().is_some());
        second.cancel();
        assert!(seats.sit(&store, id, &second).is_none(), "it was told to end while it waited");
    }
}
