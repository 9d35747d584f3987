//! Following what is stored: an export that goes on, `/export/tails`.
//!
//! A tail is a follower of the store whose reader keeps its place itself. Each answer is streamed for a while and then ends; the
//! next request brings the place with it and so says what the reader has for good, which is when older journal files may
//! go. A tail that nobody asks for is removed after a time.

/// What a tail is, and finding it.
mod kept;

/// Who reads which tail at the moment, and when it was last asked for.
mod seats;

/// Making, listing and ending tails.
mod manage;

/// One answer: what comes after a place, for a while.
mod stream;

/// The routes of this part, with their words in the API document.
pub(super) mod routes;

pub(crate) use kept::is_tail;
pub(super) use kept::{find, position_line};
pub(crate) use seats::{Seats, sweep};
