//! Which pages of other origins may ask: all, and what they may send and see.
//!
//! A write key is public where a page holds it, and nothing here looks at cookies, so that any origin may be let in. Its
//! own name is answered rather than `*`, which browsers do not take for requests that a page sends as it is closed.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
            ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
        },
    },
    response::Response,
};

/// Headers that libraries of these families send.
const SENT: [&str; 12] = [
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Accept",
    "AnonymousId",
    "SentAt",
    "X-Retry-Count",
    "Retry-Attempt",
    "Retried-After",
    "Retry-Reason",
    "X-Requested-With",
    "Cache-Control",
];
/// Headers of answers that a page may read.
const SEEN: HeaderValue =
    HeaderValue::from_static("Retry-After, Muster-Refused, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset");
/// Headers that a preflight may ask for besides.
const ASKED_MAX: usize = 32;
/// A day; browsers have lower bounds of their own.
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("86400");
const PRIVATE_NETWORK_ASKED: &str = "access-control-request-private-network";
const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The origin that asks, if a page does.
pub(super) fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(ORIGIN).cloned()
}

/// Lets the asking page see an answer.
pub(super) fn allow(mut response: Response, origin: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, SEEN);
    match origin {
        Some(origin) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        None => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        }
    }
    response
}

/// Answers a preflight of a path that takes this method.
pub(super) fn preflight(headers: &HeaderMap, method: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let allowed = response.headers_mut();
    allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(method));
    allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, sent(headers));
    allowed.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
    if headers.contains_key(PRIVATE_NETWORK_ASKED) {
        allowed.insert(PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    allow(response, origin(headers))
}

/// The headers above and those that the preflight asks for, each once.
fn sent(headers: &HeaderMap) -> HeaderValue {
    let mut names: Vec<String> = SENT.map(str::to_owned).to_vec();
    let asked = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS).into_iter().filter_map(|value| value.to_str().ok());
    for name in asked.flat_map(|names| names.split(',')).map(str::trim).take(ASKED_MAX) {
        let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok();
        if is_name && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_ascii_lowercase());
        }
    }
    HeaderValue::try_from(names.join(", ")).expect("names of headers and commas make a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_added_once() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCESS_CONTROL_REQUEST_HEADERS, HeaderValue::from_static("authorization, x-new,X-NEW, b\"ad, "));
        let expected = format!("{}, x-new", SENT.join(", "));
        assert_eq!(sent(&headers), expected);
    }
}
