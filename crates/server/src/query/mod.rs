//! Reading much at once: SQL in and rows out, `POST /query`; messages as a file, `GET /export`, and what follows them.
//!
//! A query runs on a thread of its own and hands its answer to the connection in pieces; a client that takes them slowly
//! slows it down, and one that goes away ends it. So many run at one time; further ones are told to come back.

/// From a request to what is asked.
mod ask;

/// From the thread that answers to the connection.
pub(crate) mod answer;

/// Messages as a file.
mod export;

/// What is stored after an export.
pub(crate) mod tail;

/// The routes of this part, with their words in the API document.
pub(crate) mod routes;

/// What a failed query is answered with.
pub(crate) mod refusal;
