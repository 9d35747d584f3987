//! Taking a request's bytes: who, how many, in which encoding.
//!
//! Bytes are reserved from a budget that all requests share before they are read, so that any number of senders cost a
//! bounded amount of memory. What comes out is whole; nothing of it has been looked at.

/// The bytes of bodies that may be in memory.
mod budget;

/// Reading a body within its bounds of size and time.
mod body;

/// Compressed bodies.
mod encoding;

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, Uri, request::Parts},
    response::{IntoResponse, Response},
};
use muster_store::credentials::Key;

pub(crate) use budget::{Budget, Reservation};
pub(crate) use encoding::{Encoding, Undecoded, decode};

use crate::{
    error::ApiError,
    keys::{Caller, unread},
    resources::query::Query,
    state::AppState,
};

/// What a request asks for besides its messages.
pub(crate) struct Admitted {
    pub key: Arc<Key>,
    /// Refuse everything when something is refused.
    pub atomic: bool,
    pub wants: Wants,
}

/// What a sender wants to be told of messages, besides what was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wants {
    /// That they are taken.
    #[default]
    Success,
    /// How many were there already, and which ones are not there.
    Exceptions,
    /// What became of each.
    Each,
}

/// The header by which a sender says what it wants to be told, for the API document.
pub(crate) const PREFER: &str = "`return=representation` adds a result for each message to the answer; `return=minimal` adds \
     `duplicates`, how many were there already, and results of those only that conflict or that a deletion hides.";

/// A body as it came, and the room it takes.
pub(crate) struct Raw {
    pub bytes: Bytes,
    pub encoding: Encoding,
    pub reservation: Reservation,
}

/// Takes a request's bytes. The error is a whole answer, because it may have to close the connection.
pub(crate) async fn admit(state: &AppState, caller: Caller, request: Request) -> Result<(Admitted, Raw), Response> {
    let (head, mut body) = request.into_parts();
    let taken = async {
        let Caller::Key(key) = caller else { return Err(ApiError::OperatorOnlyManagesKeys) };
        let atomic = is_atomic(&head.uri)?;
        let raw = take(state, &head, &mut body).await?;
        Ok((Admitted { key, atomic, wants: Wants::of(&head.headers) }, raw))
    };
    let taken = taken.await;
    taken.map_err(|error: ApiError| unread(body, error.into_response()))
}

/// Takes a request's bytes if the local operator sends them, as [`admit`] does otherwise.
pub(crate) async fn from_operator(state: &AppState, caller: &Caller, request: Request) -> Result<Raw, Response> {
    let (head, mut body) = request.into_parts();
    if !matches!(caller, Caller::Operator) {
        return Err(unread(body, ApiError::OperatorOnly.into_response()));
    }
    take(state, &head, &mut body).await.map_err(|error| unread(body, error.into_response()))
}

/// Takes a body's bytes, still compressed.
pub(crate) async fn take(state: &AppState, head: &Parts, body: &mut axum::body::Body) -> Result<Raw, ApiError> {
    let encoding = Encoding::of(&head.headers)?;
    let compressed = encoding != Encoding::Identity;
    let bytes_max = if compressed { state.settings.compressed_bytes_max } else { state.settings.body_bytes_max };
    let (bytes, reservation) = body::read(state, body, bytes_max, compressed).await?;
    state.metrics.body_bytes.inc_by(bytes.len() as u64);
    Ok(Raw { bytes, encoding, reservation })
}

fn is_atomic(uri: &Uri) -> Result<bool, ApiError> {
    match Query::of(uri).get("atomic") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ApiError::parameter("atomic must be true or false")),
    }
}

impl Wants {
    /// What the header `Prefer` says, where `return=…` may stand among other preferences.
    pub(crate) fn of(headers: &HeaderMap) -> Wants {
        let values = headers.get_all("prefer").into_iter().filter_map(|value| value.to_str().ok());
        let mut preferences = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
        let wanted = preferences.find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            let wanted = match value.as_str() {
                "representation" => Some(Wants::Each),
                "minimal" => Some(Wants::Exceptions),
                _ => None,
            };
            wanted.filter(|_| name.trim().eq_ignore_ascii_case("return"))
        });
        wanted.unwrap_or_default()
    }

    /// The preference that was followed.
    pub(crate) fn applied(self) -> Option<&'static str> {
        match self {
            Wants::Success => None,
            Wants::Exceptions => Some("return=minimal"),
            Wants::Each => Some("return=representation"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn preferences_are_read_in_every_spelling() {
        let check = |value: &'static str, expected: Wants| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(value));
            assert_eq!(Wants::of(&headers), expected, "{value}");
        };
        check("return=representation", Wants::Each);
        check("respond-async, Return = \"representation\"; x", Wants::Each);
        check("return=minimal", Wants::Exceptions);
        check("return=none, x=minimal", Wants::Success);
        check("representation", Wants::Success);
        assert_eq!(Wants::of(&HeaderMap::new()), Wants::Success);
    }
}
