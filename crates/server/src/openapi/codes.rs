//! What each code of a refused message means, and what to do about it.
//!
//! Codes are contract. The match is exhaustive, so that a new code cannot be without words.

use muster_model::rejection::Code;

/// Codes of bodies that could not be read at all, with their meaning and remedy.
pub(crate) const OF_BODIES: [(&str, &str, &str); 3] = [
    ("invalid_json", "The body is not JSON, or empty.", "Correct it at the byte that `position` gives."),
    ("not_an_array", "The body of a batch is no array.", "Send an array, or one message to the path of its kind."),
    ("too_many_messages", "The batch has more than 100 messages.", "Split it; `count` says how many there were."),
];

/// What a code means, and what to do about it.
pub(crate) fn meaning(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::NotAnObject => ("The message is no JSON object.", "Send one object per message."),
        Code::MissingType => ("The message in a batch has no `type`.", "Name its kind in `type`."),
        Code::UnknownType => ("The `type` names no kind.", "Use one of the six kinds."),
        Code::MissingField => {
            ("A field that the kind requires is missing or empty.", "Send the field `instancePath` names.")
        }
        Code::InvalidId => (
            "An identifier is no string or integer (a `messageId` no string or number), is longer than 256 bytes, or holds a control character.",
            "Send a shorter string or an integer.",
        ),
        Code::InvalidEvent => {
            ("The event's name is no string, too long, or holds a control character.", "Send plain text.")
        }
        Code::InvalidName => ("The name is no string, too long, or holds a control character.", "Send plain text."),
        Code::InvalidTimestamp => {
            ("The `timestamp` is not ISO 8601.", "Send 2018-05-15T12:31:12.123Z, or leave it out.")
        }
        Code::InvalidTraits => ("`traits` is no object.", "Send an object, or leave it out."),
        Code::InvalidProperties => ("`properties` is no object.", "Send an object, or leave it out."),
        Code::InvalidUtf8 => ("The message holds bytes that are not UTF-8.", "Encode it as UTF-8."),
        Code::NeedsMessageIdOrTimestamp => {
            ("The message has neither `messageId` nor `timestamp`.", "Send at least one of them; both is best.")
        }
        Code::UserNeedsParent => (
            "A user has neither `accountId` nor `organizationId`.",
            "Send one, or `accountId: null` to state that there is none.",
        ),
        Code::TrackNeedsSubject => {
            ("A track has none of `userId`, `accountId`, `organizationId`.", "Send the one it belongs to.")
        }
        Code::InstanceNeedsParent => {
            ("A custom object instance has neither `accountId` nor `organizationId`.", "Send the one it belongs to.")
        }
        Code::MessageTooLarge => ("The message is larger than 1 MiB.", "Send fewer or smaller values."),
        Code::TooManyKeys => ("The message has more than 4096 keys.", "Split it into several messages."),
        Code::TooDeep => {
            ("The message is nested more than 64 levels deep.", "Flatten it, or send the deep part as a string.")
        }
        Code::Conflict => (
            "A message of the same identity with other content is stored; the first one stands.",
            "Give the message a `messageId` of its own.",
        ),
    }
}

/// All codes as a Markdown list.
pub(crate) fn table() -> String {
    let of_messages = Code::ALL.iter().map(|code| {
        let (means, remedy) = meaning(*code);
        (code.as_str(), means, remedy)
    });
    let lines = of_messages.chain(OF_BODIES).map(|(code, means, remedy)| format!("* `{code}`: {means} {remedy}"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_documentation_has_the_same_words() {
        let page = include_str!("../../../../docs/api.md");
        for code in Code::ALL {
            let (means, remedy) = meaning(code);
            let row = format!("| `{}` | {means} | {remedy} |", code.as_str());
            assert!(page.contains(&row), "docs/api.md lacks the row\n{row}");
        }
        for (code, means, remedy) in OF_BODIES {
            let row = format!("| `{code}` | {means} | {remedy} |");
            assert!(page.contains(&row), "docs/api.md lacks the row\n{row}");
        }
    }
}
