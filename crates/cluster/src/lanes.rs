//! How far each lane is folded in, as this node knows.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use futures_util::future::select_all;
use muster_model::id::WorkspaceId;
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};

/// What was sent less than this after something else is noted together with it.
const NOTED_EVERY: Duration = Duration::from_millis(100);
/// A lane that moved within this is being folded in.
const MOVES_WITHIN: Duration = Duration::from_secs(2);

/// Every lane's position.
pub struct Lanes(Vec<Lane>);

struct Lane {
    position: watch::Sender<u64>,
    sent: Mutex<Sent>,
}

/// What this node sent to a lane and is not folded in yet, now and then one of them, and when the lane moved last.
#[derive(Default)]
struct Sent {
    waiting: VecDeque<(u64, Instant)>,
    moved_at: Option<Instant>,
}

impl Lanes {
    /// So many lanes, of whose positions nothing is known.
    pub fn new(count: u32) -> Lanes {
        Lanes((0..count).map(|_| Lane { position: watch::Sender::new(0), sent: Mutex::default() }).collect())
    }

    /// The lane of a workspace. It has one, so that what is sent first is decided first.
    pub fn of(&self, workspace: WorkspaceId) -> u32 {
        let mixed = u64::from(workspace.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 32) % u64::from(self.count())) as u32
    }

    /// This node sent something to a lane.
    pub fn sent(&self, lane: u32, sequence: u64) {
        let Some(lane) = self.0.get(lane as usize) else { return };
        let mut sent = lane.sent.lock();
        if sent.waiting.back().is_none_or(|(last, at)| *last < sequence && at.elapsed() >= NOTED_EVERY) {
            sent.waiting.push_back((sequence, Instant::now()));
        }
    }

    /// Whether a lane is folded in, and what was sent so long ago waits still: more comes in than is folded in. Of a lane that
    /// does not move at all, because PostgreSQL is away, nothing is said: the stream keeps what comes.
    pub fn lags(&self, lane: u32, longer_than: Duration) -> bool {
        let Some(lane) = self.0.get(lane as usize) else { return false };
        let position = *lane.position.borrow();
        let mut sent = lane.sent.lock();
        while sent.waiting.front().is_some_and(|(sequence, _)| *sequence <= position) {
            sent.waiting.pop_front();
        }
        let moves = sent.moved_at.is_some_and(|at| at.elapsed() < MOVES_WITHIN);
        moves && sent.waiting.front().is_some_and(|(_, at)| at.elapsed() > longer_than)
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }

    /// A lane is folded in up to here, if not further.
    pub fn note(&self, lane: u32, sequence: u64) {
        let Some(lane) = self.0.get(lane as usize) else { return };
        let moved = lane.position.send_if_modified(|known| {
            let is_news = *known < sequence;
            *known = sequence.max(*known);
            is_news
        });
        if moved {
            lane.sent.lock().moved_at = Some(Instant::now());
        }
    }

    /// A lane is folded in up to here and no further, whatever was known: PostgreSQL has gone back.
    pub fn put_back(&self, lane: u32, sequence: u64) {
        if let Some(lane) = self.0.get(lane as usize) {
            lane.position.send_replace(sequence);
        }
    }

    /// How far each of them is.
    pub fn all(&self) -> Vec<u64> {
        self.0.iter().map(|lane| *lane.position.borrow()).collect()
    }

    /// Waits until a lane is folded in up to a sequence number; `false` when the time is over first.
    pub async fn reaches(&self, lane: u32, sequence: u64, until: Instant) -> bool {
        let Some(lane) = self.0.get(lane as usize) else { return true };
        let mut position = lane.position.subscribe();
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_micros(1));
        timeout(left, position.wait_for(|known| *known >= sequence)).await.is_ok_and(|reached| reached.is_ok())
    }

    /// Waits until any lane moves on from where it is at the call.
    pub fn any_moves(&self) -> impl Future<Output = ()> + Send + 'static {
        let positions: Vec<watch::Receiver<u64>> = self.0.iter().map(|lane| lane.position.subscribe()).collect();
        async move {
            // A lane that ends moves nowhere any more, which whoever waits is told as well.
            let moves = |mut position: watch::Receiver<u64>| Box::pin(async move { drop(position.changed().await) });
            select_all(positions.into_iter().map(moves)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_wait_ends_when_a_lane_is_there_or_the_time_is_over() {
        let lanes = Lanes::new(2);
        let soon = || Instant::now() + Duration::from_millis(5);
        assert!(lanes.reaches(1, 0, soon()).await);
        assert!(!lanes.reaches(1, 3, soon()).await);
        lanes.note(1, 5);
        lanes.note(1, 2);
        assert!(lanes.reaches(1, 5, soon()).await);
        assert!(!lanes.reaches(0, 1, soon()).await);
        lanes.put_back(1, 4);
        assert_eq!(lanes.all(), [0, 4]);
        let moves = lanes.any_moves();
        lanes.note(0, 1);
        moves.await;
        assert!(timeout(Duration::from_millis(5), lanes.any_moves()).await.is_err());
    }

    #[test]
    fn a_lane_lags_that_moves_and_is_behind() {
        let lanes = Lanes::new(1);
        lanes.sent(0, 5);
        assert!(!lanes.lags(0, Duration::ZERO), "it does not move");
        lanes.note(0, 4);
        std::thread::sleep(Duration::from_millis(1));
        assert!(lanes.lags(0, Duration::ZERO) && !lanes.lags(0, Duration::from_secs(9)));
        lanes.note(0, 5);
        assert!(!lanes.lags(0, Duration::ZERO));
    }
}
