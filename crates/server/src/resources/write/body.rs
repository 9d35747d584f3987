//! Reading the body of a request into its members.
//!
//! The bytes are taken as those of messages are: within a bound, against the budget of all bodies, decompressed with a
//! bound. Members keep the text of their values, so that what is a customer's own passes through as it was sent.

use std::{borrow::Cow, sync::Arc};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use muster_model::json::{Walk, unescape};
use muster_store::credentials::{Key, Scopes};

use crate::{
    error::{ApiError, malformed_says},
    ingest::{self, Reservation, batch},
    keys::{Caller, unread},
    state::AppState,
    violation::Violation,
};

/// A body besides the message it becomes may have so many bytes: white space, fields that are not kept.
const SLACK_BYTES: usize = 64 * 1024;

/// A request that changes records: who sent it, and its body.
pub(crate) struct Write {
    pub key: Arc<Key>,
    bytes: Bytes,
    _reservation: Reservation,
}

impl Write {
    /// Whether whoever writes may read as well.
    pub(crate) fn may_read(&self) -> bool {
        self.key.scopes.contains(Scopes::READ)
    }

    /// The members of the body.
    pub(crate) fn members(&self) -> Result<Members<'_>, ApiError> {
        Members::read(&self.bytes)
    }
}

impl FromRequest<AppState> for Write {
    type Rejection = Response;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Response> {
        let caller = request.extensions().get::<Caller>().cloned();
        let (head, mut body) = request.into_parts();
        let taken = async {
            let Some(Caller::Key(key)) = caller else { return Err(ApiError::OperatorOnlyManagesKeys) };
            let bytes_max = state.settings.body_bytes_max.min(state.settings.message.message_bytes_max + SLACK_BYTES);
            let (bytes, reservation) = ingest::whole(state, &head, &mut body, bytes_max).await?;
            Ok(Write { key, bytes, _reservation: reservation })
        };
        taken.await.map_err(|error: ApiError| unread(body, error.into_response()))
    }
}

/// The members of an object, in the order sent, values as text.
pub(crate) struct Members<'a> {
    members: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Members<'a> {
    /// The members of the object that a body is.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Members<'a>, ApiError> {
        let not_utf8 = |_| ApiError::parameter("the body is not UTF-8 text; send it encoded as UTF-8");
        batch::validate(bytes).map_err(|malformed| ApiError::parameter(malformed_says(&malformed)))?;
        let text = std::str::from_utf8(bytes).map_err(not_utf8)?;
        Members::of(text.strip_prefix('\u{feff}').unwrap_or(text))
            .ok_or_else(|| ApiError::Invalid(vec![Violation::type_of("", "object")]))
    }

    /// The members of the object that `text`, which is JSON, stands for.
    pub(crate) fn of(text: &'a str) -> Option<Members<'a>> {
        let mut walk = Walk::new(text, 0);
        if walk.peek() != b'{' {
            return None;
        }
        let mut members = Vec::new();
        walk.members(0, |_, member| {
            let key = unescape(member.raw_key).unwrap_or_else(Cow::Owned);
            members.push((key, member.value));
        });
        Some(Members { members })
    }

    /// The value of a member: the last one, if it was given several times.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.members.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// All members.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.members.iter().map(|(key, value)| (key.as_ref(), *value))
    }
}
