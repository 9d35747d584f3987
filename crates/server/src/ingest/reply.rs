//! Saying what became of each message.
//!
//! The common case, everything stored and nothing more asked, is one constant answer. Everything else is written
//! straight into a buffer, in the order in which the messages were sent.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use muster_model::{id::Identity, rejection::Code};
use muster_store::{receipt::Outcome, refused::RefusedId};

use super::{
    admit::Wants,
    check::{Fate, Refusal},
    journal::Journaled,
};
use crate::{observe::Notes, resources::answer::json, state::AppState, wire::object::Object};

const SUCCESS: &[u8] = br#"{"message":"Success."}"#;

/// The answer to a request whose messages are stored or set aside.
pub(crate) fn reply(state: &AppState, journaled: &Journaled) -> Response {
    let Journaled { checked, receipt, accepted } = journaled;
    let refused_whole = checked.is_refused_whole();
    let stored = receipt.count(Outcome::Stored);
    let duplicates = receipt.count(Outcome::Duplicate);
    let conflicts = receipt.count(Outcome::Conflict);
    let deleted = receipt.count(Outcome::Deleted);
    state.metrics.count_messages([stored, duplicates, conflicts, deleted, *accepted], &checked.refusals);
    let mut response = if checked.order.replaces.is_some() && conflicts > 0 {
        still_conflicting()
    } else if checked.refusals.is_empty() {
        success(journaled)
    } else {
        let stored = if refused_whole { 0 } else { stored + duplicates };
        let (shown, total) = (&checked.refusals, checked.total);
        json(StatusCode::BAD_REQUEST, |object| {
            object.object("error", |error| refusals(error, shown, total, stored, checked.order.shape.is_list()));
            tell(object, journaled);
        })
    };
    if let Some(applied) = checked.order.wants.applied() {
        response.headers_mut().insert("preference-applied", HeaderValue::from_static(applied));
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
    if journaled.checked.order.wants == Wants::Success {
        return plain_success();
    }
    json(StatusCode::OK, |object| {
        object.text("message", "Success.");
        tell(object, journaled);
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

/// What the sender wants to know of its messages. When a request is refused as a whole, no message of it has an id: none
/// was kept.
fn tell(object: &mut Object<'_>, journaled: &Journaled) {
    let Journaled { checked, receipt, .. } = journaled;
    let wants = checked.order.wants;
    if wants == Wants::Success {
        return;
    }
    let mut outcomes = receipt.outcomes.iter().copied();
    let mut duplicates = 0;
    object.list("results", |list| {
        for (index, fate) in checked.fates.iter().enumerate() {
            let (status, id) = match fate {
                _ if checked.is_refused_whole() => (Status::Refused, Known::Nothing),
                Fate::Refused(id) => (Status::Refused, Known::Refused(*id)),
                Fate::Messages { identity, content, count } => match Status::of(outcomes.by_ref().take(*count)) {
                    status @ Status::Conflict => (status, Known::Refused(RefusedId::of_conflict(*identity, *content))),
                    status => (status, Known::Message(*identity)),
                },
            };
            duplicates += u64::from(status == Status::Duplicate);
            // Of what was refused the errors tell.
            if wants == Wants::Each || matches!(status, Status::Conflict | Status::Deleted) {
                list.object(|one| {
                    one.number("index", index as u64);
                    one.text("status", status.word());
                    one.text_or_null("id", id.text().as_deref());
                });
            }
        }
    });
    if wants == Wants::Exceptions {
        object.number("duplicates", duplicates);
    }
}

/// What became of an element, which may be several messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Stored,
    Duplicate,
    Conflict,
    Deleted,
    Refused,
}

impl Status {
    fn of(outcomes: impl Iterator<Item = Outcome>) -> Status {
        let all = outcomes.map(|outcome| match outcome {
            Outcome::Conflict => (3, Status::Conflict),
            Outcome::Stored => (2, Status::Stored),
            Outcome::Duplicate => (1, Status::Duplicate),
            Outcome::Deleted => (0, Status::Deleted),
        });
        all.max_by_key(|(weight, _)| *weight).map_or(Status::Stored, |(_, status)| status)
    }

    fn word(self) -> &'static str {
        match self {
            Status::Stored => "stored",
            Status::Duplicate => "duplicate",
            Status::Conflict => "conflict",
            Status::Deleted => "deleted",
            Status::Refused => "refused",
        }
    }
}

/// By what an element can be found; it becomes text only where it is told.
enum Known {
    Message(Identity),
    Refused(RefusedId),
    Nothing,
}

impl Known {
    fn text(&self) -> Option<String> {
        match self {
            Known::Message(identity) => Some(identity.to_string()),
            Known::Refused(id) => Some(id.to_string()),
            Known::Nothing => None,
        }
    }
}
