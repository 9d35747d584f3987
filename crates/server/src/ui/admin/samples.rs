//! Samples of how the server does, a minute apart, for a day.
//!
//! Kept in memory and begun anew with the process: whoever wants them for longer reads `/metrics`.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use muster_model::time::Micros;
use muster_store::status::Figures;

use crate::{query::tail::sweep, spawn::spawn, state::AppState};

/// Samples that are kept: a day.
const SAMPLES_MAX: usize = 24 * 60;
const BETWEEN: Duration = Duration::from_secs(60);

/// How the server did at one instant. Counts are since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    pub at: Micros,
    pub figures: Figures,
    pub requests: u64,
    pub failures: u64,
    pub request_micros: u64,
}

impl Sample {
    /// How it does now.
    pub(super) fn now(state: &AppState) -> Sample {
        let answered = state.metrics.answered();
        Sample {
            at: state.clock.now(),
            figures: state.store.figures(),
            requests: answered.requests,
            failures: answered.failures,
            request_micros: answered.micros,
        }
    }
}

/// The samples of the last day, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<VecDeque<Sample>>);

impl Samples {
    pub(super) fn add(&self, sample: Sample) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= SAMPLES_MAX {
            kept.pop_front();
        }
        kept.push_back(sample);
    }

    pub(super) fn all(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// Takes a sample each minute, for as long as the server runs, and looks for tails that nobody follows.
pub(crate) fn start(state: &AppState) {
    let kept = state.clone();
    spawn("samples", &state.metrics, async move {
        let mut ticks = tokio::time::interval(BETWEEN);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !kept.is_draining() {
            ticks.tick().await;
            kept.samples.add(Sample::now(&kept));
            sweep(&kept).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_kept() {
        let samples = Samples::default();
        for minute in 0..SAMPLES_MAX + 2 {
            samples.add(Sample { requests: minute as u64, ..Sample::default() });
        }
        let all = samples.all();
        assert_eq!((all.len(), all[0].requests), (SAMPLES_MAX, 2));
    }
}
