//! Calls of the Segment spec in, from the libraries that everybody has.
//!
//! A call is translated into messages of ours and goes the way of every other message from there: the same checks, the
//! same journal, the same list of what was set aside. What is different is at the edges: where the key stands, what a
//! body looks like, and that an answer is one of few, because the libraries on the other side do one thing with each.

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;

/// Which pages of other origins may ask: all, and what they may send and see.
mod cors;

/// Finding the key, wherever it stands.
mod key;

/// A body: one call or a batch of them, with what is said about all.
mod envelope;

/// Bytes that are no UTF-8, kept through text and back.
mod bytes;

/// Numbers that are none.
mod numbers;

/// The members of one call, before any meaning is given to them.
mod call;

/// When a call happened, by whose clock.
mod clock;

/// What a call becomes: one or two messages of ours.
mod meaning;

/// The JSON of a message of ours, made from a call.
mod statement;

/// Translating and checking all calls of a body, into groups of bounded size.
mod tally;

/// Calls that were received before, by this server or another.
mod past;

/// From a request to its answer.
mod receive;

/// The answers, and how each error is told.
mod answer;

/// What libraries ask for before they start.
mod library;

pub(crate) use past::check_past;
pub(crate) use receive::resend;
