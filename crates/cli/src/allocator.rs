//! What memory is taken from, and when it is given back.
//!
//! Checkpoints free on one thread what the writer took on another, piece by piece; the system's allocator keeps most of that
//! from the operating system. Never decides how much is taken: the settings bound that.

#![expect(unsafe_code, reason = "the allocator's settings are C functions")]

use libmimalloc_sys as mi;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Milliseconds that pages stay after they were freed; ten times as long where whole segments were. By its own default of
/// 10 the allocator gives back what a checkpoint let go of just before the next overlay wants it, and the operating system
/// clears each page in between.
const KEPT_MILLIS: i64 = 1_000;
/// `mi_option_purge_delay`, which the bindings have no name for.
const PURGE_DELAY: mi::mi_option_t = 15;

/// Has freed memory kept for as long as intake takes from one checkpoint to the next.
pub fn keep_for_the_next_checkpoint() {
    // SAFETY: it sets a number of the allocator's own, which may change at any time.
    unsafe { mi::mi_option_set(PURGE_DELAY, KEPT_MILLIS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A later version of the allocator may number its options otherwise.
    #[test]
    fn the_number_is_that_of_the_delay() {
        const MILLIS_BY_DEFAULT: i64 = 10;
        // SAFETY: it reads a number of the allocator's own.
        let delay = || unsafe { mi::mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), MILLIS_BY_DEFAULT);
        keep_for_the_next_checkpoint();
        assert_eq!(delay(), KEPT_MILLIS);
    }
}
