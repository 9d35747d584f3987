//! Who is asking, what they may do, and how often.
//!
//! A token leads to a key, a key to one workspace and its scopes. Nothing here keeps or logs a token: it is hashed as
//! soon as it is read, and looked up by its hash.

/// The spellings in which a token may stand in a request.
mod spelling;

/// Tokens: made once, shown once, kept as a hash.
mod token;

/// How many requests a key may make.
mod limiter;

/// Refusals at a bounded rate.
mod pace;

/// When each key was last used.
mod last_used;

/// Passwords of team members.
pub(crate) mod password;

/// The gate before every route that needs a key.
mod gate;

pub use token::Token;

pub(crate) use gate::{Caller, Gate, pass, turn_away, unread};
pub(crate) use last_used::LastUsed;
pub(crate) use limiter::{Allowance, Limiter};
pub(crate) use pace::Pace;
pub(crate) use spelling::candidates;
