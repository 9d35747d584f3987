//! Bad messages, hostile bodies, slow connections: clear answers, bounded memory, nothing lost.
//!
//! Each case is sent over a real socket to a real server. A refused message must never take its good neighbours with
//! it, and after every case the server must still take and give.

// All of this is test code, the functions between the tests too.
#![cfg(test)]

mod harness;

/// Good and bad messages in one batch: answers, what is set aside, resending, dropping.
#[path = "abuse/batches.rs"]
mod batches;

/// Bodies as bytes: compression, bombs, sizes, nesting, and what is no JSON.
#[path = "abuse/bodies.rs"]
mod bodies;

/// Text that is legal JSON, or nearly: invalid UTF-8, lone surrogates, NUL, duplicate keys.
#[path = "abuse/texts.rs"]
mod texts;

/// Slow connections by the thousand, half-closed ones, and senders over their rate.
#[path = "abuse/connections.rs"]
mod connections;

/// File handles that are too few for the connections that the settings allow, or used up.
#[path = "abuse/handles.rs"]
mod handles;

use harness::http::{Answer, Client};
use harness::messages::{Collection, track};
use harness::reads::message_ids;
use serde_json::Value;

/// The keys of a JSON object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}")).keys().map(String::as_str).collect()
}

/// Fails unless the server still takes a message and gives it back.
#[track_caller]
fn check_healthy(client: &mut Client, id: &str) {
    client.batch(&[track("healthy", "alive", id)]).unwrap().expect_success();
    let ids = message_ids(client, Collection::Users, "healthy");
    assert!(ids.iter().any(|known| known == id), "{id} was accepted and cannot be read");
}

/// The one sentence of an answer that refuses a request as a whole, whichever of the two contract forms it has.
#[track_caller]
fn refusal(answer: &Answer) -> String {
    let body = answer.json();
    let error = &body["error"];
    let sentence = error.as_str().or(error["message"].as_str());
    let sentence = sentence.unwrap_or_else(|| panic!("no sentence in {}: {body}", answer.status)).to_owned();
    assert!(sentence.len() > 10, "{sentence:?} explains nothing");
    let more = error["errors"].as_array().into_iter().flatten().filter_map(|one| one["message"].as_str());
    more.fold(sentence, |all, one| format!("{all} {one}"))
}
