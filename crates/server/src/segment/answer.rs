//! The answers, and how each error is told.
//!
//! Libraries do one of three things: go on, send again, or give up. Success is one constant; what waiting can help is
//! 429, 500 or 503, the first and the last with the seconds to wait; everything else is 400, because there are libraries
//! that send again on any other status from 400 to 499.

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::Response,
};

use super::envelope::BATCH_CALLS_MAX;
use crate::{
    error::{ApiError, malformed_code},
    resources::answer::json,
};

const SUCCESS: &[u8] = br#"{"success":true}"#;
/// How many calls of a request were set aside.
pub(super) const REFUSED: HeaderName = HeaderName::from_static("muster-refused");
/// Seconds after which to send again what did not arrive whole.
const RESEND_SECONDS: u64 = 1;

/// Everything that a request can be answered with besides success.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No key was found anywhere.
    NoKey,
    /// A key was found that is not known here.
    UnknownKey,
    /// The body is JSON, but no object.
    NotAnObject,
    /// The body has no list of calls.
    NoBatch,
    /// The batch has more calls than one may have.
    TooMany { count: usize },
    /// What any path may be answered with.
    Api(ApiError),
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Trouble {
        Trouble::Api(error)
    }
}

/// Everything is stored or set aside.
pub(super) fn success(refused: usize) -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(SUCCESS)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(REFUSED, HeaderValue::from(refused));
    response
}

impl Trouble {
    /// The answer.
    pub(super) fn into_response(self) -> Response {
        if let Trouble::Api(error) = &self {
            error.log();
        }
        let says = self.says();
        let mut response = json(self.status(), |object| {
            object.text("code", self.code());
            object.text("message", &says);
            object.text("error", &says);
        });
        if let Some(seconds) = self.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// The status of the answer.
    fn status(&self) -> StatusCode {
        let status = match self {
            Trouble::NoKey
            | Trouble::UnknownKey
            | Trouble::NotAnObject
            | Trouble::NoBatch
            | Trouble::TooMany { .. } => return StatusCode::BAD_REQUEST,
            Trouble::Api(ApiError::BodyTimeout | ApiError::BodyCutShort) => return StatusCode::SERVICE_UNAVAILABLE,
            Trouble::Api(error) => error.status(),
        };
        let helps = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        if helps { status } else { StatusCode::BAD_REQUEST }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Trouble::NoKey
            | Trouble::UnknownKey
            | Trouble::NotAnObject
            | Trouble::NoBatch
            | Trouble::TooMany { .. } => None,
            Trouble::Api(ApiError::BodyTimeout | ApiError::BodyCutShort) => Some(RESEND_SECONDS),
            Trouble::Api(error) => error.retry_after_seconds(),
        }
    }

    /// The code by which a program tells what is wrong. By the status that other paths would answer with, where a code of
    /// its own would tell nothing more.
    fn code(&self) -> &'static str {
        match self {
            Trouble::NoKey => "no_write_key",
            Trouble::UnknownKey => "invalid_write_key",
            Trouble::NotAnObject => "not_an_object",
            Trouble::NoBatch => "no_batch",
            Trouble::TooMany { .. } => "too_many_messages",
            Trouble::Api(ApiError::Malformed(malformed)) => malformed_code(malformed),
            Trouble::Api(error) => match error.status() {
                StatusCode::FORBIDDEN => "missing_scope",
                StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
                StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_encoding",
                StatusCode::TOO_MANY_REQUESTS => "rate_limited",
                StatusCode::REQUEST_TIMEOUT => "body_timeout",
                StatusCode::SERVICE_UNAVAILABLE => "unavailable",
                status if status.is_server_error() => "internal",
                _ => "invalid_body",
            },
        }
    }

    /// The sentence for the client.
    fn says(&self) -> String {
        match self {
            Trouble::NoKey => "no write key was found; send it as the user name of Basic authorization, as a Bearer \
                               token, as writeKey in the body, or as ?writeKey="
                .to_owned(),
            Trouble::UnknownKey => "the write key is not known here, or was revoked; use the token of a key of this \
                                    server with the scope write"
                .to_owned(),
            Trouble::NotAnObject => {
                "the body must be a JSON object: {\"batch\":[…]} on the paths for batches, one call \
                                     on the others"
                    .to_owned()
            }
            Trouble::NoBatch => {
                "the body has no batch; send {\"batch\":[{…}, {…}]}, or send a single call to the path \
                                 of its type"
                    .to_owned()
            }
            Trouble::TooMany { count } => format!(
                "the batch has {count} calls, at most {BATCH_CALLS_MAX} are accepted; split it into several requests"
            ),
            Trouble::Api(error) => error.says(),
        }
    }
}
