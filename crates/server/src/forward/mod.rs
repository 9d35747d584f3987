//! Forwarding: what is accepted goes on to destinations, at least once, whatever they do.
//!
//! Each destination is a follower of the store with a thread of its own, so that one that is slow or away costs nobody
//! else anything; the store never waits for it. What a destination will never take becomes a dead letter with the reason;
//! everything else is tried until it is taken. `docs/forwarding.md` says what receivers may rely on.

/// Keys and secrets of destinations, which print nothing.
mod secret;

/// What a destination is: where, in which form, which messages, how fast.
pub(crate) mod destination;

/// How a message is written for a receiver.
mod form;

/// A message on its way, and those that need not go.
mod parcel;

/// One request to a destination.
mod post;

/// What an answer means for the messages it answers.
mod judge;

/// Messages to be sent, each until its fate is known.
mod deliver;

/// How long to wait: after a failure, and between messages.
mod pause;

/// What a destination's thread is told, and what it tells.
pub(crate) mod control;

/// The thread of one destination.
mod courier;

/// All destinations.
pub(crate) mod office;

/// Their figures.
mod figures;

pub use destination::{Destination, DestinationKind, Origin, Wanted};
pub(crate) use destination::{FILTER_MAX, Fault, RATE_DEFAULT, RATE_MAX, TIMEOUT_DEFAULT, TIMEOUT_MAX, parse_start};
pub(crate) use figures::Figures;
pub(crate) use office::Shown;
pub use office::{Configured, Office};
pub use pause::Retries;
pub use secret::Secret;
