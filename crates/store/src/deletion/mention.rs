//! Whether a message set aside names a deleted record.
//!
//! What is set aside broke a rule, so its parts need not be where they belong, nor need it be JSON. Every string in it,
//! every word outside strings, and every number that stands under a key ending in `id` is taken for an id. A name that
//! is found where none was meant costs one message set aside; one that is missed would break a promise.

use muster_model::{
    deletion::Subject,
    id::{IdSpace, RecordId},
    json,
    kind::RecordKind,
};

/// Kinds whose external ids stand alone.
const PLAIN: [RecordKind; 5] =
    [RecordKind::Organization, RecordKind::Account, RecordKind::User, RecordKind::NpsResponse, RecordKind::Anonymous];

/// Whether `body` names a record that `deleted` says is one.
#[must_use]
pub fn mentions(body: &[u8], ids: IdSpace, deleted: impl Fn(RecordId) -> bool) -> bool {
    let is_one = |key: &str, word: &Word| {
        let may_be = !word.is_number || key.ends_with("id");
        may_be && PLAIN.iter().any(|kind| deleted(ids.record(*kind, word.text.trim())))
    };
    any_value(body, is_one, |object, external_id| deleted(ids.instance(object, external_id)))
}

/// Whether `body` names this record where the ids of its kind stand: whether it was about it, as far as that can be told.
/// What [`mentions`] takes for a name may be any word, which is no reason to believe that there is somebody of that name.
#[must_use]
pub fn names(body: &[u8], ids: IdSpace, (kind, id): Subject) -> bool {
    let is_it = |key: &str, word: &Word| holds_id_of(key, kind) && ids.record(kind, word.text.trim()) == id;
    any_value(body, is_it, |object, external_id| {
        kind == RecordKind::Instance && ids.instance(object, external_id) == id
    })
}

/// Whether any value of a body is one that is looked for, by its key in small letters and digits alone; or else what would be
/// the ids of an instance are, its object's first.
fn any_value(body: &[u8], is_one: impl Fn(&str, &Word) -> bool, is_instance: impl FnOnce(&str, &str) -> bool) -> bool {
    let text = String::from_utf8_lossy(body);
    let mut words = Words { text: &text, at: 0 };
    let (mut key, mut external_id, mut object) = (String::new(), String::new(), String::new());
    while let Some(word) = words.next() {
        if words.is_key() {
            key = word.text.to_lowercase();
            key.retain(char::is_alphanumeric);
            continue;
        }
        if is_one(&key, &word) {
            return true;
        }
        match key.as_str() {
            "externalid" => word.text.trim().clone_into(&mut external_id),
            "customobjectid" => word.text.trim().clone_into(&mut object),
            _ => {}
        }
    }
    is_instance(&object, &external_id)
}

/// Whether an id of this kind is what stands under a key. A key that ends as ids do and is nobody's may be anybody's.
fn holds_id_of(key: &str, kind: RecordKind) -> bool {
    use RecordKind::{Account, CustomObject, NpsResponse, Organization, User};
    let stems: [(&str, &[RecordKind]); 10] = [
        ("message", &[]),
        ("user", &[User]),
        ("anonymous", &[User]),
        ("previous", &[User]),
        ("account", &[Account]),
        ("company", &[Account]),
        ("group", &[Account, Organization]),
        ("organization", &[Organization]),
        ("external", &[NpsResponse]),
        ("customobject", &[CustomObject]),
    ];
    let of = stems.iter().find(|(stem, _)| key.contains(stem));
    key.ends_with("id") && kind != RecordKind::Instance && of.is_none_or(|(_, kinds)| kinds.contains(&kind))
}

struct Word {
    text: String,
    is_number: bool,
}

/// Strings, and runs of what ids are made of.
struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl Words<'_> {
    /// Whether a colon follows what came last.
    fn is_key(&self) -> bool {
        self.text[self.at..].trim_start().starts_with(':')
    }

    fn next(&mut self) -> Option<Word> {
        let rest = &self.text[self.at..];
        let begins = |c: char| c == '"' || is_plain(c);
        let start = rest.find(begins)?;
        let word = &rest[start..];
        if !word.starts_with('"') {
            let end = word.find(|c| !is_plain(c)).unwrap_or(word.len());
            self.at += start + end;
            let digits = word[..end].strip_prefix('-').unwrap_or(&word[..end]);
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            return Some(Word { text: word[..end].to_owned(), is_number });
        }
        let end = string_end(word);
        self.at += start + end;
        let quoted = &word[..end];
        let text = match json::string_value(quoted) {
            Some(Ok(text)) => text.into_owned(),
            Some(Err(mended)) => mended,
            None => quoted.trim_matches('"').to_owned(),
        };
        Some(Word { text, is_number: false })
    }
}

/// Where a string that starts with its quote ends, its closing quote included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: bool) {
        let ids = IdSpace::new("default");
        let deleted = [
            ids.record(RecordKind::User, "u-1"),
            ids.record(RecordKind::Account, "32"),
            ids.record(RecordKind::NpsResponse, "n-1"),
            ids.instance("deal", "x"),
        ];
        assert_eq!(mentions(body.as_bytes(), ids, |id| deleted.contains(&id)), expected, "{body}");
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        check(r#"{"type":"user","userId":"u-1"}"#, true);
        check(r#"{"type":"user","user_id":" \u0075-1 "}"#, true);
        check(r#"{"type":"user","traits":{"a":["u-1"]}}"#, true);
        check(r#"{"accountId":32}"#, true);
        check(r#"{"Account-Id": 32 }"#, true);
        check(r#"{"count":32,"u-1":true}"#, false);
        check(r#"{"userId":"u-12"}"#, false);
        check("userId: u-1", true);
        check(r#"{"userId":"u-1"#, true);
        check(r#"{"type":"customobjectinstance","customObjectId":"deal","externalId":"x"}"#, true);
        check(r#"{"type":"customobjectinstance","customObjectId":"deal","externalId":"y"}"#, false);
        check(r#"{"type":"npsresponse","externalId":"n-1","traits":{"feedback":"said"}}"#, true);
        check("\"", false);
        check("", false);
    }

    #[track_caller]
    fn check_named(body: &str, kind: RecordKind, name: &str, expected: bool) {
        let ids = IdSpace::new("default");
        assert_eq!(names(body.as_bytes(), ids, (kind, ids.record(kind, name))), expected, "{body}: {kind:?} {name}");
    }

    #[test]
    fn whoever_a_message_was_about_stands_where_ids_do() {
        use RecordKind::{Account, NpsResponse, Organization, User};
        let body =
            r#"{"type":"user","userId":"u-1","account_id":32,"messageId":"m","uid":"x","traits":{"plan":"pro"}}"#;
        check_named(body, User, "u-1", true);
        check_named(body, Account, "u-1", false);
        check_named(body, Account, "32", true);
        check_named(body, User, "x", true);
        for word in ["user", "m", "pro", "u-12", "u-1\"", ""] {
            check_named(body, User, word, false);
        }
        check_named(r#"{"groupId":"g"}"#, Organization, "g", true);
        check_named(r#"{"externalId":"n"}"#, NpsResponse, "n", true);
        check_named(r#"{"externalId":"n"}"#, User, "n", false);
        check_named("userId: u-1", User, "u-1", true);
        let ids = IdSpace::new("default");
        let body = br#"{"customObjectId":"deal","externalId":"x"}"#;
        assert!(names(body, ids, (RecordKind::Instance, ids.instance("deal", "x"))));
        assert!(!names(body, ids, (RecordKind::Instance, ids.instance("deal", "y"))));
    }
}
