//! Medians, percentiles and sizes.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use serde::Serialize;

/// The middle of some figures; of an even number of them, the mean of the two in the middle. Zero when there are none.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    pub requests: usize,
    pub p50_micros: u64,
    pub p99_micros: u64,
    pub max_micros: u64,
}

impl Latency {
    /// `None` when nothing was measured.
    pub fn of(micros: &[u64]) -> Option<Latency> {
        let mut sorted = micros.to_vec();
        sorted.sort_unstable();
        // The smallest figure that so many percent do not exceed.
        let percentile = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)];
        let max_micros = *sorted.last()?;
        Some(Latency { requests: sorted.len(), p50_micros: percentile(50), p99_micros: percentile(99), max_micros })
    }
}

/// Bytes below a data directory, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Disk {
    pub journal_bytes: u64,
    pub history_bytes: u64,
    pub state_bytes: u64,
    pub other_bytes: u64,
    /// All of it, divided by the messages stored.
    pub bytes_per_message: f64,
    pub history_bytes_per_message: f64,
}

impl Disk {
    /// Walks a data directory that nobody writes to.
    pub fn of(data_dir: &Path, messages: u64) -> Disk {
        let bytes = |part: &str| bytes_below(&data_dir.join(part));
        let mut disk = Disk {
            journal_bytes: bytes("journal"),
            history_bytes: bytes("history"),
            state_bytes: bytes("state"),
            ..Disk::default()
        };
        let all = bytes_below(data_dir);
        disk.other_bytes = all - disk.journal_bytes - disk.history_bytes - disk.state_bytes;
        if messages > 0 {
            disk.bytes_per_message = all as f64 / messages as f64;
            disk.history_bytes_per_message = disk.history_bytes as f64 / messages as f64;
        }
        disk
    }
}

fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_below(&entry.path()),
            // Space that a file reserved and never wrote takes no room on the disk.
            Ok(about) => about.len().min(about.blocks() * 512),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        let micros: Vec<u64> = (1..=200).rev().collect();
        let latency = Latency::of(&micros).unwrap();
        assert_eq!((latency.p50_micros, latency.p99_micros, latency.max_micros), (100, 198, 200));
        assert_eq!(Latency::of(&[7]).unwrap().p99_micros, 7);
        assert_eq!(Latency::of(&[]), None);
    }

    #[test]
    fn bytes_are_counted_by_part() {
        let dir = std::env::temp_dir().join(format!("muster-figures-{}", std::process::id()));
        fs::create_dir_all(dir.join("history/2026")).unwrap();
        fs::create_dir_all(dir.join("journal")).unwrap();
        fs::write(dir.join("history/2026/a.parquet"), [0; 30]).unwrap();
        fs::write(dir.join("journal/1.log"), [0; 8]).unwrap();
        fs::write(dir.join("lock"), [0; 2]).unwrap();
        let disk = Disk::of(&dir, 10);
        assert_eq!((disk.journal_bytes, disk.history_bytes, disk.state_bytes, disk.other_bytes), (8, 30, 0, 2));
        assert_eq!((disk.bytes_per_message, disk.history_bytes_per_message), (4.0, 3.0));
        fs::remove_dir_all(&dir).unwrap();
    }
}
