//! Why a message was refused, in words for its sender and a code for its program.
//!
//! Codes are contract: few, stable, documented in `docs/api.md`. The sentence names what is wrong and what to send
//! instead; it never quotes more of a message than a field's name.

/// A stable, machine-readable reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    NotAnObject,
    MissingType,
    UnknownType,
    MissingField,
    InvalidId,
    InvalidEvent,
    InvalidName,
    InvalidTimestamp,
    InvalidTraits,
    InvalidProperties,
    InvalidUtf8,
    NeedsMessageIdOrTimestamp,
    UserNeedsParent,
    TrackNeedsSubject,
    InstanceNeedsParent,
    MessageTooLarge,
    TooManyKeys,
    TooDeep,
    Conflict,
}

impl Code {
    /// All codes, for documentation and for reading them back.
    pub const ALL: [Code; 19] = [
        Code::NotAnObject,
        Code::MissingType,
        Code::UnknownType,
        Code::MissingField,
        Code::InvalidId,
        Code::InvalidEvent,
        Code::InvalidName,
        Code::InvalidTimestamp,
        Code::InvalidTraits,
        Code::InvalidProperties,
        Code::InvalidUtf8,
        Code::NeedsMessageIdOrTimestamp,
        Code::UserNeedsParent,
        Code::TrackNeedsSubject,
        Code::InstanceNeedsParent,
        Code::MessageTooLarge,
        Code::TooManyKeys,
        Code::TooDeep,
        Code::Conflict,
    ];

    /// The code as it stands in answers and on disk.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::NotAnObject => "not_an_object",
            Code::MissingType => "missing_type",
            Code::UnknownType => "unknown_type",
            Code::MissingField => "missing_field",
            Code::InvalidId => "invalid_id",
            Code::InvalidEvent => "invalid_event",
            Code::InvalidName => "invalid_name",
            Code::InvalidTimestamp => "invalid_timestamp",
            Code::InvalidTraits => "invalid_traits",
            Code::InvalidProperties => "invalid_properties",
            Code::InvalidUtf8 => "invalid_utf8",
            Code::NeedsMessageIdOrTimestamp => "needs_message_id_or_timestamp",
            Code::UserNeedsParent => "user_needs_parent",
            Code::TrackNeedsSubject => "track_needs_subject",
            Code::InstanceNeedsParent => "instance_needs_parent",
            Code::MessageTooLarge => "message_too_large",
            Code::TooManyKeys => "too_many_keys",
            Code::TooDeep => "too_deep",
            Code::Conflict => "conflict",
        }
    }

    /// The code that `text` spells, if any.
    #[must_use]
    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// One refused message: the reason, where in the message it lies, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason a program can act on.
    pub code: Code,
    /// JSON pointer below the message, such as `/accountId`; empty for the message as a whole.
    pub pointer: String,
    /// A sentence for the sender: what is wrong, and what to send instead.
    pub message: String,
}

impl Rejection {
    /// A rejection at `pointer` (empty, or `/` and a field's name).
    #[must_use]
    pub fn new(code: Code, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let pointer = pointer.into();
        debug_assert!(pointer.is_empty() || pointer.starts_with('/'));
        Rejection { code, pointer, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn codes_read_back() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(code));
        }
        assert_eq!(Code::parse("nonsense"), None);
    }
}
