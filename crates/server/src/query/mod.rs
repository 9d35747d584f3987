//! SQL in, rows out: `POST /query`.
//!
//! A query runs on a thread of its own and hands its answer to the connection in pieces; a client that takes them slowly
//! slows it down, and one that goes away ends it. So many run at one time; further ones are told to come back.

/// From a request to what is asked.
mod ask;

/// From the thread that answers to the connection.
mod answer;

/// The route of this part, with its words in the API document.
pub(crate) mod routes;

/// What a failed query is answered with.
pub(crate) mod refusal;
