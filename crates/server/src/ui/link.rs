//! Addresses of pages.
//!
//! Ids of customers hold anything; what they become here is one segment of a path, or one value of a parameter.

use muster_model::{id::RecordId, kind::RecordKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text as it stands in a segment or a value.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The path of a list.
pub(super) fn list(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Organization => "/organizations",
        RecordKind::User => "/users",
        RecordKind::Account
        | RecordKind::Instance
        | RecordKind::CustomObject
        | RecordKind::NpsResponse
        | RecordKind::Anonymous => "/accounts",
    }
}

/// The page of a record. Browsers take dots for steps in a path, so such an id is replaced by the record's own.
pub(super) fn record(kind: RecordKind, external_id: &str, id: RecordId) -> String {
    let own = matches!(external_id, "." | ".." | "");
    let segment = if own { id.to_string() } else { encoded(external_id) };
    format!("{}/{segment}", list(kind))
}

/// A path with parameters; empty ones are left out.
pub(crate) fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let filled = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = filled.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A place within this console that a browser may be sent to; anything else is the start.
pub(super) fn within(next: &str) -> &str {
    let inside = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if inside { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment() {
        for (id, path) in [
            ("32", "/users/32"),
            ("a/b?c#d%", "/users/a%2Fb%3Fc%23d%25"),
            ("é <", "/users/%C3%A9%20%3C"),
            ("..", "/users/00000000-0000-0000-0000-000000000007"),
        ] {
            assert_eq!(record(RecordKind::User, id, RecordId(7)), path);
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (next, to) in [
            ("/accounts?x=1", "/accounts?x=1"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("https://evil.example", "/"),
            ("", "/"),
        ] {
            assert_eq!(within(next), to, "{next:?}");
        }
    }

    #[test]
    fn empty_parameters_are_left_out() {
        assert_eq!(with("/x", &[("a", "1 2"), ("b", ""), ("c", "&")]), "/x?a=1%202&c=%26");
        assert_eq!(with("/x", &[("b", "")]), "/x");
    }
}
