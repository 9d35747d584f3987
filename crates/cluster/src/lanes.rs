//! How far each lane is folded in, as this node knows.

use std::time::{Duration, Instant};

use futures_util::future::select_all;
use tokio::{sync::watch, time::timeout};

/// Every lane's position.
pub struct Lanes(Vec<watch::Sender<u64>>);

impl Lanes {
    /// So many lanes, of whose positions nothing is known.
    pub fn new(count: u32) -> Lanes {
        Lanes((0..count).map(|_| watch::Sender::new(0)).collect())
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }

    /// A lane is folded in up to here, if not further.
    pub fn note(&self, lane: u32, sequence: u64) {
        if let Some(position) = self.0.get(lane as usize) {
            position.send_if_modified(|known| {
                let is_news = *known < sequence;
                *known = sequence.max(*known);
                is_news
            });
        }
    }

    /// Waits until a lane is folded in up to a sequence number; `false` when the time is over first.
    pub async fn reaches(&self, lane: u32, sequence: u64, until: Instant) -> bool {
        let Some(position) = self.0.get(lane as usize) else { return true };
        let mut position = position.subscribe();
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_micros(1));
        timeout(left, position.wait_for(|known| *known >= sequence)).await.is_ok_and(|reached| reached.is_ok())
    }
    /// Waits until any lane moves on from where it is at the call.
    pub fn any_moves(&self) -> impl Future<Output = ()> + Send + 'static {
        let positions: Vec<watch::Receiver<u64>> = self.0.iter().map(watch::Sender::subscribe).collect();
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
        let moves = lanes.any_moves();
        lanes.note(0, 1);
        moves.await;
        assert!(timeout(Duration::from_millis(5), lanes.any_moves()).await.is_err());
    }
}
