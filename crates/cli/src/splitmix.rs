//! Numbers that look random and can be made again: the two halves of splitmix64.
//!
//! A counter moves by [`STEP`](crate::splitmix::STEP); [`finish`](crate::splitmix::finish) makes of each of its states a number in which every bit depends on every bit.
//! Good for invented data that has to be the same each time, and for nothing that anybody must not guess.

/// How far the counter moves.
pub const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of a state.
pub fn finish(state: u64) -> u64 {
    let mut bits = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_are_published() {
        // The first three of the seed 1234567.
        let states = (1..=3_u64).map(|step| 1_234_567_u64.wrapping_add(STEP.wrapping_mul(step)));
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(states.map(finish).collect::<Vec<u64>>(), expected);
    }
}
