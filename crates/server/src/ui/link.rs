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
    let own = is_step(external_id);
    let segment = if own { id.to_string() } else { encoded(external_id) };
    format!("{}/{segment}", list(kind))
}

/// The page of a name of events. Names of nothing but dots, which browsers take for steps, stand in a parameter.
pub(super) fn event(name: &str) -> String {
    if is_step(name) { with("/events", &[("name", name)]) } else { format!("/events/{}", encoded(name)) }
}

/// The page of what was said of a trait of a record, whose own page this is.
pub(super) fn trait_history(record: &str, key: &str) -> String {
    if is_step(key) {
        with(&format!("{record}/traits"), &[("key", key)])
    } else {
        format!("{record}/traits/{}", encoded(key))
    }
}

/// Whether browsers, or we ourselves, take a segment for something else than a name.
fn is_step(name: &str) -> bool {
    matches!(name, "." | ".." | "")
}

/// A path with parameters; empty ones are left out.
pub(crate) fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let filled = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = filled.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// An address that may have parameters, with more of them.
pub(super) fn and(address: &str, parameters: &[(&str, &str)]) -> String {
    if address.contains('?') {
        with("", parameters).replacen('?', &format!("{address}&"), 1)
    } else {
        with(address, parameters)
    }
}

/// The page that an address belongs to which only a form leads to: what such a form was on, or where it leads back to. An address that is a page
/// by itself is its own.
pub(super) fn page_of(path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts[..] {
        ["first-key" | "theme" | "signout" | "saved", ..] => "/".to_owned(),
        ["refused", "group", _] => "/refused".to_owned(),
        ["refused", id, "resend" | "drop"] => format!("/refused/{id}"),
        [kind @ ("accounts" | "users" | "organizations"), id, "delete"] => format!("/{kind}/{id}"),
        ["admin", part @ ("keys" | "team"), _, _] => format!("/admin/{part}"),
        ["admin", part @ ("deletions" | "destinations"), id, _] => format!("/admin/{part}/{id}"),
        _ => path.to_owned(),
    }
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
    fn names_that_are_steps_stand_in_a_parameter() {
        assert_eq!((event("a/b"), event("..")), ("/events/a%2Fb".to_owned(), "/events?name=..".to_owned()));
        assert_eq!(trait_history("/users/7", "."), "/users/7/traits?key=.");
        assert_eq!(trait_history("/users/7", ""), "/users/7/traits");
        assert_eq!(trait_history("/users/7", "a b"), "/users/7/traits/a%20b");
    }

    #[test]
    fn what_only_forms_lead_to_belongs_to_a_page() {
        for (path, page) in [
            ("/first-key", "/"),
            ("/saved/7/remove", "/"),
            ("/refused/group/drop", "/refused"),
            ("/refused/x/resend", "/refused/x"),
            ("/users/a%2Fb/delete", "/users/a%2Fb"),
            ("/admin/team/x/password", "/admin/team"),
            ("/admin/destinations/hooks/drop", "/admin/destinations/hooks"),
            ("/admin/imports/1/undo", "/admin/imports/1/undo"),
            ("/sql", "/sql"),
        ] {
            assert_eq!(page_of(path), page);
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
