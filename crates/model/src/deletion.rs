//! What a deletion hides, and what it leaves of a message.
//!
//! A deletion is a statement with an instant, about records. Whether a message is hidden by it follows from the two
//! alone, so that any order of the same messages and deletions leaves the same state:
//!
//! * A message *reaches back* to the earlier of its timestamp and its receipt. A deletion covers the messages that
//!   reach back to its instant or before: all that was received by then, and what arrives later about the time before.
//! * A covered message goes if the record it describes is deleted. A track, a custom object instance and an NPS response
//!   belong to every record they name, and go with any of them; the end of a membership goes with either of the two.
//! * Every other covered message that names a deleted record stays, without the name of the one that is.
//! * An anonymous id is deleted with the only user that it was ever tied to. Of one that was several users', the stretches
//!   are deleted in which it was the one that is ([`crate::deletion::Part`]).

use std::{borrow::Cow, fmt};

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    id::RecordId,
    json::Walk,
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::{Message, ordered_at},
    ties::Stretch,
    time::Micros,
};

/// A record that may be deleted.
pub type Subject = (RecordKind, RecordId);

/// The id of a deletion: when it was asked for, and of what. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeletionId(pub u128);

impl DeletionId {
    /// The id of the deletion of a record that was asked for at an instant.
    #[must_use]
    pub fn of((kind, id): Subject, requested_at: Micros) -> Self {
        let mut bytes = [0; 17];
        bytes[0] = kind as u8;
        bytes[1..].copy_from_slice(&id.0.to_le_bytes());
        let ascending = (requested_at.0 as u64) ^ (1 << 63);
        DeletionId(u128::from(ascending) << 64 | u128::from(xxh3_64(&bytes)))
    }

    /// Reads the 32 hexadecimal digits that [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(DeletionId)).flatten()
    }
}

impl fmt::Display for DeletionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What deletions leave of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of it.
    Keep,
    /// Everything but the names of deleted records.
    Redact,
    /// Nothing.
    Drop,
}

/// The record that messages of a kind describe; `None` when they belong to every record they name.
#[must_use]
pub fn described(kind: Kind) -> Option<RecordKind> {
    match kind {
        Kind::Organization => Some(RecordKind::Organization),
        Kind::Account => Some(RecordKind::Account),
        Kind::User => Some(RecordKind::User),
        Kind::CustomObject => Some(RecordKind::CustomObject),
        Kind::Track | Kind::Unlink | Kind::CustomObjectInstance | Kind::NpsResponse | Kind::Leave => None,
    }
}

/// What of a message's times decides whether a deletion covers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The instant that it reaches back to.
    pub back: Micros,
    /// Its place in the order of statements.
    pub at: Micros,
}

/// What counts of a message of this timestamp and receipt.
#[must_use]
pub fn reach(timestamp: Micros, received_at: Micros) -> Reach {
    Reach { back: timestamp.min(received_at), at: ordered_at(timestamp, received_at) }
}

/// What an anonymous id did while it was a user who is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub anonymous: RecordId,
    pub stretch: Stretch,
}

impl Part {
    /// Whether it holds what an anonymous id did, covered by a deletion at an instant.
    #[must_use]
    pub fn hides(&self, id: RecordId, reach: Reach, deleted_at: Micros) -> bool {
        self.anonymous == id && reach.back <= deleted_at && self.stretch.holds(reach.at)
    }
}

/// What deletions leave of a message of this kind that names these records; `hides` tells whether a record is deleted as
/// far as a message of such a reach is concerned.
#[must_use]
pub fn fate(
    kind: Kind,
    names: impl IntoIterator<Item = Subject>,
    reach: Reach,
    hides: impl Fn(RecordId, Reach) -> bool,
) -> Fate {
    let (mut fate, mut has_user, mut account_goes, mut anonymous_goes) = (Fate::Keep, false, false, false);
    for (named, id) in names {
        has_user |= named == RecordKind::User;
        if hides(id, reach) {
            match (kind, named) {
                (Kind::Leave, RecordKind::Account) => account_goes = true,
                (Kind::User, RecordKind::Anonymous) => anonymous_goes = true,
                _ if is_about(kind, named) => return Fate::Drop,
                _ => fate = Fate::Redact,
            }
        }
    }
    match (account_goes || anonymous_goes, has_user) {
        (false, _) => fate,
        // A user leaves an organization; an account named besides is not part of that. Nor is an anonymous id what is said
        // of a user.
        (true, true) => Fate::Redact,
        (true, false) => Fate::Drop,
    }
}

/// Whether a message goes with a record of this kind that it names.
fn is_about(kind: Kind, named: RecordKind) -> bool {
    described(kind).is_none_or(|own| own == named)
}

impl<'a> Message<'a> {
    /// What of its times decides whether deletions cover it.
    #[must_use]
    pub fn reach(&self) -> Reach {
        reach(self.timestamp, self.received_at)
    }

    /// What deletions leave of it.
    #[must_use]
    pub fn fate(&self, hides: impl Fn(RecordId, Reach) -> bool) -> Fate {
        fate(self.kind, named(self).map(|(kind, id, _)| (kind, id)), self.reach(), hides)
    }

    /// What deletions leave of it, if they leave anything.
    #[must_use]
    pub fn left(self, hides: impl Fn(RecordId, Reach) -> bool) -> Option<Message<'a>> {
        match self.fate(&hides) {
            Fate::Keep => Some(self),
            Fate::Redact => Some(self.redacted(hides)),
            Fate::Drop => None,
        }
    }

    /// The message without the names of the records that are deleted. Its identity stays what it was.
    #[must_use]
    pub fn redacted(mut self, hides: impl Fn(RecordId, Reach) -> bool) -> Message<'a> {
        let reach = self.reach();
        let mut fields: Vec<&str> = Vec::new();
        let named: [(&[&str], _); 3] = [
            (&["organizationId"], &mut self.organization),
            (&["accountId"], &mut self.account),
            (&["anonymousId", "previousId"], &mut self.anonymous),
        ];
        for (members, named) in named {
            if named.as_ref().is_some_and(|named| hides(named.id, reach)) {
                *named = None;
                fields.extend(members);
            }
        }
        self.rest = Cow::Owned(without(&self.rest, &fields));
        self
    }
}

/// A JSON object without these members; empty when nothing is left.
#[must_use]
pub fn without(object: &str, fields: &[&str]) -> String {
    let mut text = String::with_capacity(object.len());
    if !object.is_empty() {
        Walk::new(object, 0).members(0, |_, member| {
            if !fields.contains(&member.raw_key) {
                text.push(if text.is_empty() { '{' } else { ',' });
                text.push_str(&format!("\"{}\":{}", member.raw_key, member.value));
            }
        });
    }
    if !text.is_empty() {
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        draft::Draft,
        id::IdSpace,
        kinds::{Context, check_typed},
        limits::MessageLimits,
    };

    const IDS: &str = "default";

    fn check(text: &str, received_at: i64, deleted: &[(RecordKind, &str, i64)], expected: Fate) -> Option<String> {
        let ids = IdSpace::new(IDS);
        let context = Context { ids, received_at: Micros(received_at), limits: MessageLimits::default() };
        let draft = Draft::from_text(text, 64);
        let message = check_typed(&draft, &context).unwrap();
        let deleted_at =
            |id| deleted.iter().find(|(kind, name, _)| ids.record(*kind, name) == id).map(|(_, _, at)| Micros(*at));
        let hides = |id, reach: Reach| deleted_at(id).is_some_and(|at| reach.back <= at);
        assert_eq!(message.fate(hides), expected, "{text} after {deleted:?}");
        (expected == Fate::Redact).then(|| message.redacted(hides).as_sent())
    }

    #[test]
    fn what_goes_and_what_stays() {
        use RecordKind::{Account, Organization, User};
        let user = r#"{"type":"user","userId":"u","accountId":"a","messageId":"1","traits":{"plan":"pro"}}"#;
        check(user, 5, &[], Fate::Keep);
        check(user, 5, &[(User, "u", 4)], Fate::Keep);
        check(user, 5, &[(User, "u", 5)], Fate::Drop);
        check(user, 5, &[(User, "x", 9), (Account, "u", 9)], Fate::Keep);
        let left = check(user, 5, &[(Account, "a", 5)], Fate::Redact);
        assert_eq!(left.as_deref(), Some(r#"{"type":"user","userId":"u","messageId":"1","traits":{"plan":"pro"}}"#));
        let numeric = r#"{"type":"account","accountId":"a","organizationId":17,"messageId":"1","x":[1]}"#;
        let left = check(numeric, 5, &[(Organization, "17", 5)], Fate::Redact);
        assert_eq!(left.as_deref(), Some(r#"{"type":"account","accountId":"a","messageId":"1","x":[1]}"#));
        let track = r#"{"type":"track","event":"e","userId":"u","accountId":"a","messageId":"1"}"#;
        check(track, 5, &[(Account, "a", 5)], Fate::Drop);
        check(track, 5, &[(User, "u", 5)], Fate::Drop);
        let unlink = r#"{"type":"unlink","userId":"u","accountId":"a","messageId":"1"}"#;
        check(unlink, 5, &[(Account, "a", 5)], Fate::Drop);
        // An unlink knows no organization; what stands in such a member is nobody's name.
        let besides = r#"{"type":"unlink","userId":"u","accountId":"a","organizationId":"o","messageId":"1"}"#;
        check(besides, 5, &[(User, "u", 5), (Organization, "o", 5)], Fate::Drop);
        check(besides, 5, &[(Organization, "o", 5)], Fate::Keep);
    }

    #[test]
    fn what_was_received_by_then_goes_whatever_its_timestamp() {
        let ahead = r#"{"type":"track","event":"e","userId":"u","timestamp":"1970-01-01T00:00:09Z"}"#;
        check(ahead, 5_000_000, &[(RecordKind::User, "u", 5_000_000)], Fate::Drop);
        check(ahead, 6_000_000, &[(RecordKind::User, "u", 5_000_000)], Fate::Keep);
        let late = r#"{"type":"track","event":"e","userId":"u","timestamp":"1970-01-01T00:00:04Z"}"#;
        check(late, 60_000_000, &[(RecordKind::User, "u", 5_000_000)], Fate::Drop);
    }

    #[test]
    fn ids_read_back() {
        let id = DeletionId::of((RecordKind::User, RecordId(7)), Micros(9));
        assert_eq!(DeletionId::parse(&id.to_string()), Some(id));
        assert_ne!(id, DeletionId::of((RecordKind::Account, RecordId(7)), Micros(9)));
        assert!(id > DeletionId::of((RecordKind::User, RecordId(8)), Micros(-9)));
        assert_eq!(DeletionId::parse("7"), None);
    }
}
