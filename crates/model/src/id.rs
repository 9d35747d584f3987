//! External identifiers, record ids (UUIDs) and message identities.
//!
//! All three are derived from what the sender wrote, by 128-bit xxh3, so that every replay of the same data on any
//! machine gives the same ids. Why that hash is enough: `docs/decisions/0004-identity-hash.md`.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::kind::{Kind, RecordKind};

/// The number of a workspace within one installation; it prefixes every stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(pub u32);

/// The id of a record: an RFC 9562 version 8 UUID derived from workspace name, kind and external id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub u128);

/// What makes two messages the same message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub u128);

/// Derives the ids of one workspace's records; made once per workspace from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSpace {
    seed: u64,
}

impl IdSpace {
    /// The id space of the workspace with this name.
    #[must_use]
    pub fn new(workspace_name: &str) -> Self {
        IdSpace { seed: xxhash_rust::xxh3::xxh3_64(workspace_name.as_bytes()) }
    }

    /// The id of an organization, account or user.
    #[must_use]
    pub fn record(self, kind: RecordKind, external_id: &str) -> RecordId {
        RecordId::from_hash(xxh3_128_with_seed(external_id.as_bytes(), self.seed.wrapping_add(kind as u64)))
    }

    /// The id of a custom object instance, whose external id is unique within its custom object only.
    #[must_use]
    pub fn instance(self, custom_object_id: &str, external_id: &str) -> RecordId {
        let mut hasher = IdentityHasher::new(self.seed.wrapping_add(RecordKind::Instance as u64));
        hasher.number(self.custom_object(custom_object_id).0);
        hasher.text(external_id);
        RecordId::from_hash(hasher.finish().0)
    }

    /// The id of a member of the workspace's team, whatever the case of letters in the address.
    #[must_use]
    pub fn team_member(self, email: &str) -> RecordId {
        let mut hasher = IdentityHasher::new(self.seed);
        hasher.text("team");
        hasher.text(&email.to_lowercase());
        RecordId::from_hash(hasher.finish().0)
    }

    /// The id of a custom object, which senders name by a name of their own or by its UUID: a UUID is the id itself.
    #[must_use]
    pub fn custom_object(self, custom_object_id: &str) -> RecordId {
        let named = || self.record(RecordKind::CustomObject, custom_object_id);
        RecordId::parse_hyphenated(custom_object_id).unwrap_or_else(named)
    }
}

impl RecordId {
    fn from_hash(hash: u128) -> Self {
        const VERSION: u128 = 0x8 << 76;
        const VARIANT: u128 = 0b10 << 62;
        let kept = hash & !(0xf << 76) & !(0b11 << 62);
        RecordId(kept | VERSION | VARIANT)
    }

    /// Reads the hyphenated form alone, in either case of letters.
    #[must_use]
    pub fn parse_hyphenated(text: &str) -> Option<RecordId> {
        RecordId::parse(text).filter(|_| text.len() == 36)
    }

    /// Reads the hyphenated or plain hexadecimal form, in either case of letters. Any UUID is accepted, also one that
    /// names no record here.
    #[must_use]
    pub fn parse(text: &str) -> Option<RecordId> {
        let plain = text.len() == 32;
        if !plain && text.len() != 36 {
            return None;
        }
        let mut value = 0u128;
        for (at, byte) in text.bytes().enumerate() {
            if !plain && matches!(at, 8 | 13 | 18 | 23) {
                if byte != b'-' {
                    return None;
                }
                continue;
            }
            value = value << 4 | u128::from(char::from(byte).to_digit(16)?);
        }
        Some(RecordId(value))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (v >> 96) as u32,
            (v >> 80) as u16,
            (v >> 64) as u16,
            (v >> 48) as u16,
            v & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An import of a workspace, by its number there; numbers begin at 1 and are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(pub u32);

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes a sequence of texts so that no two different sequences are the same bytes.
pub(crate) struct IdentityHasher {
    buffer: Vec<u8>,
    seed: u64,
}

impl IdentityHasher {
    pub(crate) fn new(seed: u64) -> Self {
        IdentityHasher { buffer: Vec::with_capacity(192), seed }
    }

    /// A text that was given, with its length before it.
    pub(crate) fn text(&mut self, text: &str) {
        self.buffer.extend_from_slice(&(text.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// A text that may not have been given; different from an empty one.
    pub(crate) fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.buffer.extend_from_slice(&u32::MAX.to_le_bytes()),
        }
    }

    pub(crate) fn number(&mut self, number: u128) {
        self.buffer.extend_from_slice(&number.to_le_bytes());
    }

    pub(crate) fn finish(&self) -> Identity {
        Identity(xxh3_128_with_seed(&self.buffer, self.seed))
    }
}

/// What of a message decides whether another one is the same: its kind, every identifier in it, and its `messageId`
/// or, when it has none, a digest of everything else.
#[derive(Clone, Copy, Debug)]
pub struct IdentityParts<'a> {
    pub kind: Kind,
    pub organization_id: Option<&'a str>,
    pub account_id: Option<&'a str>,
    pub user_id: Option<&'a str>,
    pub external_id: Option<&'a str>,
    pub custom_object_id: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub content: u128,
}

impl<'a> IdentityParts<'a> {
    /// The parts of a message that was made from a call of another form: what it is called there stands in place of all
    /// identifiers. No message of our own form has such parts.
    #[must_use]
    pub fn of_call(self, call: &'a str) -> Self {
        let none = None;
        let named = IdentityParts { organization_id: none, account_id: none, user_id: none, ..self };
        IdentityParts { external_id: none, custom_object_id: Some(call), ..named }
    }

    /// The identity of a message made of these parts.
    #[must_use]
    pub fn identity(&self) -> Identity {
        let mut hasher = IdentityHasher::new(self.kind as u64);
        hasher.optional(self.organization_id);
        hasher.optional(self.account_id);
        hasher.optional(self.user_id);
        hasher.optional(self.external_id);
        hasher.optional(self.custom_object_id);
        hasher.optional(self.message_id);
        if self.message_id.is_none() {
            hasher.number(self.content);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_ids_are_version_8_uuids_and_read_back() {
        let id = IdSpace::new("default").record(RecordKind::User, "32");
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "8");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"));
        assert_eq!(RecordId::parse(&text), Some(id));
        assert_eq!(RecordId::parse(&text.to_uppercase()), Some(id));
        assert_eq!(RecordId::parse("32"), None);
        assert_eq!(RecordId::parse("x"), None);
    }

    #[test]
    fn kinds_and_workspaces_do_not_share_ids() {
        let one = IdSpace::new("one");
        assert_ne!(one.record(RecordKind::User, "1"), one.record(RecordKind::Account, "1"));
        assert_ne!(one.record(RecordKind::User, "1"), IdSpace::new("two").record(RecordKind::User, "1"));
        assert_ne!(one.instance("a", "bc"), one.instance("ab", "c"));
    }

    #[test]
    fn a_missing_id_is_not_an_empty_one() {
        let parts = IdentityParts {
            kind: Kind::Track,
            organization_id: None,
            account_id: Some("a"),
            user_id: None,
            external_id: None,
            custom_object_id: None,
            message_id: Some("m"),
            content: 0,
        };
        let moved = IdentityParts { account_id: None, user_id: Some("a"), ..parts };
        assert_ne!(parts.identity(), moved.identity());
        assert_eq!(parts.identity(), IdentityParts { content: 9, ..parts }.identity());
        let hashed = IdentityParts { message_id: None, ..parts };
        assert_ne!(hashed.identity(), IdentityParts { content: 9, ..hashed }.identity());
    }
}
