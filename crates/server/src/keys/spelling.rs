//! The spellings in which a token may stand in a request.
//!
//! `Basic <token>` as it stands, `Basic` with base64 of the token, a colon and anything, and `Bearer <token>`. A text
//! that can be read in two ways is tried in both; which one was meant shows when a key answers to it.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use muster_store::credentials::TokenHash;

use super::token::hash;

/// Takes padding or its absence, as senders do both.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The hashes of everything in the request that may be meant as a token, likeliest first; `None` when the request
/// names no credentials at all.
pub(crate) fn candidates(headers: &HeaderMap) -> Option<impl Iterator<Item = TokenHash>> {
    let header = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, rest) = match header.iter().position(|byte| *byte == b' ') {
        Some(at) => (&header[..at], header[at..].trim_ascii()),
        None => (header, &b""[..]),
    };
    let basic = scheme.eq_ignore_ascii_case(b"basic");
    let named = (basic || scheme.eq_ignore_ascii_case(b"bearer")) && !rest.is_empty();
    let as_it_stands = named.then(|| hash(rest));
    let decoded = (named && basic).then(|| LENIENT.decode(rest).ok()).flatten();
    let user_name = decoded.map(|bytes| {
        let end = bytes.iter().position(|byte| *byte == b':').unwrap_or(bytes.len());
        hash(&bytes[..end])
    });
    Some([as_it_stands, user_name].into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(header: Option<&str>, expected: Option<&[&str]>) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        }
        let found: Option<Vec<TokenHash>> = candidates(&headers).map(Iterator::collect);
        let expected: Option<Vec<TokenHash>> =
            expected.map(|tokens| tokens.iter().map(|token| hash(token.as_bytes())).collect());
        assert_eq!(found, expected, "{header:?}");
    }

    #[test]
    fn every_spelling_is_read() {
        check(None, None);
        check(Some(""), Some(&[]));
        check(Some("Basic"), Some(&[]));
        check(Some("Digest abc"), Some(&[]));
        check(Some("Basic mk_a-b"), Some(&["mk_a-b"]));
        check(Some("bearer  abcd "), Some(&["abcd"]));
        // Raw text may happen to be base64 as well.
        check(Some("Basic bWtfYTo="), Some(&["bWtfYTo=", "mk_a"]));
        check(Some("BASIC bWtfYTpwYXNz"), Some(&["bWtfYTpwYXNz", "mk_a"]));
        check(Some("Basic bWtfYTo"), Some(&["bWtfYTo", "mk_a"]));
        check(Some("Basic bWtfYQ=="), Some(&["bWtfYQ==", "mk_a"]));
        check(Some("Bearer bWtfYTo="), Some(&["bWtfYTo="]));
    }
}
