//! Figures of destinations, as of the moment they are read.
//!
//! Labelled with workspace and name, which whoever operates the server chose.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use super::{
    control::Phase,
    office::{Office, Shown},
};

/// Shows the figures of an office.
pub(crate) struct Figures(pub Arc<Office>);

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

type Figure = (&'static str, &'static str, fn(&Shown) -> u64);

const GAUGES: [Figure; 4] = [
    ("forward_pending", "Messages that a destination has not had", |shown| shown.pending),
    ("forward_lag_seconds", "Age of the oldest message that a destination has not had", |shown| shown.lag_seconds),
    ("forward_dead_letters", "Dead letters of a destination", |shown| shown.letters),
    ("forward_delivering", "Whether a destination takes messages", |shown| {
        u64::from(shown.said.phase == Phase::Delivering)
    }),
];

const COUNTERS: [Figure; 5] = [
    ("forward_sent", "Messages that a destination took", |shown| shown.tally.sent.load(Relaxed)),
    ("forward_refused", "Messages that became dead letters", |shown| shown.tally.refused.load(Relaxed)),
    ("forward_filtered", "Messages that a destination's filters left out", |shown| shown.tally.filtered.load(Relaxed)),
    ("forward_skipped", "Messages that a destination's form has no words for", |shown| {
        shown.tally.wordless.load(Relaxed)
    }),
    ("forward_failures", "Requests that brought nothing", |shown| shown.tally.failures.load(Relaxed)),
];

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let names = self.0.workspace_names();
        let all = self.0.all();
        if all.is_empty() {
            return Ok(());
        }
        let labels = |shown: &Shown| {
            let workspace = names.get(&shown.follower.workspace).cloned().unwrap_or_default();
            [("workspace", workspace), ("destination", shown.follower.name.clone())]
        };
        for (name, help, value) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for shown in &all {
                ConstGauge::new(value(shown)).encode(family.encode_family(&labels(shown))?)?;
            }
        }
        for (name, help, value) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for shown in &all {
                ConstCounter::new(value(shown)).encode(family.encode_family(&labels(shown))?)?;
            }
        }
        Ok(())
    }
}
