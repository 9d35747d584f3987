//! A set of a file's chunks, and the rows in them.

use std::ops::Range;

/// Some of the chunks of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    bits: Vec<u64>,
    count: usize,
    shift: u8,
    rows: u64,
}

impl Chunks {
    /// None of `count` chunks of `1 << shift` rows each, the last one of which may have fewer.
    pub fn none(count: usize, shift: u8, rows: u64) -> Self {
        Chunks { bits: vec![0; count.div_ceil(64)], count, shift, rows }
    }

    /// Adds a chunk. One that the file does not have is left out.
    pub fn add(&mut self, chunk: usize) {
        if chunk < self.count {
            self.bits[chunk / 64] |= 1 << (chunk % 64);
        }
    }

    /// Adds every chunk.
    pub fn add_all(&mut self) {
        (0..self.count).for_each(|chunk| self.add(chunk));
    }

    /// Keeps those that are in `other`, too.
    pub fn keep(&mut self, other: &Chunks) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(mine, other)| *mine &= other);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|bits| *bits == 0)
    }

    /// The chunks' numbers.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.count).filter(|chunk| self.bits[chunk / 64] >> (chunk % 64) & 1 == 1)
    }

    /// Runs of neighbouring chunks.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for chunk in self.iter() {
            match runs.last_mut() {
                Some(last) if last.end == chunk => last.end = chunk + 1,
                _ => runs.push(chunk..chunk + 1),
            }
        }
        runs
    }

    /// The rows in the chunks, neighbours joined.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let rows =
            |run: Range<usize>| (run.start as u64) << self.shift..((run.end as u64) << self.shift).min(self.rows);
        self.runs().into_iter().map(rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_neighbouring_chunks_are_joined() {
        let mut chunks = Chunks::none(100, 2, 398);
        assert!(chunks.is_empty());
        [3, 4, 9, 64, 99, 100, 7_000].into_iter().for_each(|chunk| chunks.add(chunk));
        assert_eq!(chunks.iter().collect::<Vec<_>>(), [3, 4, 9, 64, 99]);
        assert_eq!(chunks.runs(), [3..5, 9..10, 64..65, 99..100]);
        assert_eq!(chunks.ranges(), [12..20, 36..40, 256..260, 396..398]);
        let mut others = Chunks::none(100, 2, 398);
        others.add_all();
        chunks.keep(&others);
        assert_eq!(chunks.iter().count(), 5);
        assert_eq!(others.ranges().first(), Some(&(0..398)));
    }
}
