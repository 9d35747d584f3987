//! Chance that can be repeated: the same seed and the same question always fall the same way.
//!
//! Every thing in the story has dice of its own, made of the seed and of what it is, so that one more account changes
//! nothing about the others. Never asks the system for randomness.

use crate::splitmix::{STEP, finish};

/// Numbers that look random; each draw is a step of a counter that is mixed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for one thing: what is asked about it, and the numbers that say which it is.
    pub fn new(seed: u64, about: &str, which: &[u64]) -> Dice {
        let named = about.bytes().fold(finish(seed), |state, byte| finish(state ^ u64::from(byte)));
        Dice(which.iter().fold(named, |state, number| finish(state ^ finish(*number))))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        finish(self.0)
    }

    /// From 0 to below 1.
    pub fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to below `count`; 0 when that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.share() * count as f64) as usize
    }

    /// From one number to another, both of them possible.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        low + (self.share() * f64::from(high - low + 1)) as i32
    }

    /// Whether something with this probability happens.
    pub fn falls(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// How long to wait for something that happens once in `mean`: mostly less, sometimes much more.
    pub fn wait(&mut self, mean: f64) -> f64 {
        -(1.0 - self.share()).ln() * mean
    }

    /// One of several; there must be some.
    pub fn pick<'a, T>(&mut self, several: &'a [T]) -> &'a T {
        &several[self.below(several.len())]
    }

    /// One of several texts; there must be some.
    pub fn word(&mut self, several: &[&'static str]) -> &'static str {
        several[self.below(several.len())]
    }

    /// The place of one of several weights, heavy ones more often.
    pub fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.share() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (place, weight) in weights.enumerate().filter(|(_, weight)| *weight > 0.0) {
            last = place;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }

    /// An id as programs make them: 32 hexadecimal digits in five groups.
    pub fn id(&mut self) -> String {
        let (one, two) = (self.bits(), self.bits());
        let (a, b, c) = (one >> 32, (one >> 16) & 0xffff, one & 0xffff);
        format!("{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", two >> 48, two & 0xffff_ffff_ffff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_falls_the_same_way_and_no_other_does() {
        let draw = |seed, about, which: &[u64]| Dice::new(seed, about, which).bits();
        assert_eq!(draw(1, "user", &[7, 2]), draw(1, "user", &[7, 2]));
        let others = [draw(2, "user", &[7, 2]), draw(1, "account", &[7, 2]), draw(1, "user", &[2, 7])];
        assert!(others.iter().all(|other| *other != draw(1, "user", &[7, 2])), "{others:?}");
    }

    #[test]
    fn draws_stay_within_their_bounds_and_reach_them() {
        let mut dice = Dice::new(1, "bounds", &[]);
        let drawn: Vec<i32> = (0..1_000).map(|_| dice.between(-1, 2)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-1), Some(&2)));
        let places: Vec<usize> = (0..1_000).map(|_| dice.weighted([0.0, 1.0, 3.0, 0.0].into_iter())).collect();
        let ones = places.iter().filter(|place| **place == 1).count();
        assert!(places.iter().all(|place| matches!(place, 1 | 2)) && (180..320).contains(&ones), "{ones}");
        let mean = (0..10_000).map(|_| dice.wait(20.0)).sum::<f64>() / 10_000.0;
        assert!((18.0..22.0).contains(&mean), "{mean}");
        assert_eq!(dice.below(0), 0);
    }
}
