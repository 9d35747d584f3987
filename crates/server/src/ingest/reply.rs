//! Saying what became of each message.
//!
//! The common case, everything stored and nothing more asked, is one constant answer. Everything else is written
//! straight into a buffer, in the order in which the messages were sent.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use muster_model::rejection::Code;
use muster_store::{receipt::Outcome, refused::RefusedId};

use super::{
    check::{Fate, Refusal},
    journal::Journaled,
};
use crate::{observe::Notes, resources::answer::json, state::AppState, wire::object::Object};

const SUCCESS: &[u8] = br#"{"message":"Success."}"#;

/// The answer to a request whose messages are stored or set aside.
pub(crate) fn reply(state: &AppState, journaled: &Journaled) -> Response {
    let Journaled { checked, receipt } = journaled;
    let refused_whole = checked.is_refused_whole();
    let stored = receipt.count(Outcome::Stored);
    let duplicates = receipt.count(Outcome::Duplicate);
    let conflicts = receipt.count(Outcome::Conflict);
    let deleted = receipt.count(Outcome::Deleted);
    state.metrics.count_messages([stored, duplicates, conflicts, deleted], &checked.refusals);
    let mut response = if checked.order.replaces.is_some() && conflicts > 0 {
        still_conflicting()
    } else if checked.refusals.is_empty() {
        success(journaled)
    } else {
        let stored = if refused_whole { 0 } else { stored + duplicates };
        let (shown, total) = (&checked.refusals, checked.total);
        json(StatusCode::BAD_REQUEST, |object| {
            object.object("error", |error| refusals(error, shown, total, stored, checked.order.shape.is_list()));
            if checked.order.wants_results {
                results(object, journaled);
            }
        })
    };
    if checked.order.wants_results {
        response.headers_mut().insert("preference-applied", HeaderValue::from_static("return=representation"));
    }
    let notes = response.extensions_mut().get_or_insert_default::<Notes>();
    notes.messages = Some(checked.total as u32);
    notes.refused = checked.refusals.len() as u32;
    response
}

/// The answer when everything was stored.
pub(crate) fn plain_success() -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(SUCCESS)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn success(journaled: &Journaled) -> Response {
    if !journaled.checked.order.wants_results {
        return plain_success();
    }
    json(StatusCode::OK, |object| {
        object.text("message", "Success.");
        results(object, journaled);
    })
}

/// A message that was set aside as a conflict and sent again as it was.
fn still_conflicting() -> Response {
    json(StatusCode::BAD_REQUEST, |object| {
        object.object("error", |error| {
            let message = "a message of this identity with other content was stored before; the first one stands. Give \
                           the message a messageId of its own to store it as another";
            error.text("message", message);
            error.number("stored", 0);
            error.list("errors", |list| {
                list.object(|one| {
                    one.number("index", 0);
                    one.text("code", Code::Conflict.as_str());
                    one.text("instancePath", "/messageId");
                    one.text("message", message);
                });
            });
        });
    })
}

fn refusals(error: &mut Object<'_>, refusals: &[Refusal], total: usize, stored: usize, in_batch: bool) {
    let count = refusals.len();
    let were = if count == 1 { "was" } else { "were" };
    error.text("message", &format!("{count} of {total} messages {were} refused"));
    error.number("stored", stored as u64);
    error.list("errors", |list| {
        for refusal in refusals {
            let Refusal { index, rejection } = refusal;
            list.object(|one| {
                one.number("index", *index as u64);
                one.text("code", rejection.code.as_str());
                if in_batch {
                    one.text("instancePath", &format!("/{index}{}", rejection.pointer));
                } else {
                    one.text("instancePath", &rejection.pointer);
                }
                one.text("message", &rejection.message);
            });
        }
    });
}

/// A result for each message. When a request is refused as a whole, no message of it has an id: none was kept.
fn results(object: &mut Object<'_>, journaled: &Journaled) {
    let Journaled { checked, receipt } = journaled;
    let mut outcomes = receipt.outcomes.iter();
    object.list("results", |list| {
        for (index, fate) in checked.fates.iter().enumerate() {
            let (status, id) = match fate {
                _ if checked.is_refused_whole() => ("refused", None),
                Fate::Refused(id) => ("refused", Some(id.to_string())),
                Fate::Messages { identity, content, count } => {
                    let of_element: Vec<Outcome> = outcomes.by_ref().take(*count).copied().collect();
                    if of_element.contains(&Outcome::Conflict) {
                        ("conflict", Some(RefusedId::of_conflict(*identity, *content).to_string()))
                    } else if of_element.contains(&Outcome::Stored) || of_element.is_empty() {
                        ("stored", Some(identity.to_string()))
                    } else if of_element.contains(&Outcome::Duplicate) {
                        ("duplicate", Some(identity.to_string()))
                    } else {
                        ("deleted", Some(identity.to_string()))
                    }
                }
            };
            list.object(|one| {
                one.number("index", index as u64);
                one.text("status", status);
                one.text_or_null("id", id.as_deref());
            });
        }
    });
}
