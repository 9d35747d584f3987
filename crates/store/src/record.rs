//! The byte form of a checked message, the same in a batch, a log and a queue.
//!
//! Little-endian, no alignment, no padding. What decides about duplicates stands at fixed places, so that it is read
//! without decoding the rest. Decoding borrows from the bytes, never panics, and refuses what `encode` cannot have
//! written. Integrity is the carrier's business: a journal frame or a queue's message has the checksum.
//! The layout is described in `docs/storage-format.md`; changing it needs a new `VERSION`.

use std::borrow::Cow;

use muster_model::{
    deletion::{self, Fate, Reach, Subject},
    id::{Identity, RecordId},
    kind::{Kind, RecordKind},
    message::{Message, Named, Trait, ordered_at},
    time::Micros,
};

use crate::byte_form::{Input, Malformed};

/// The version of this layout, carried by whatever frames records.
pub const VERSION: u16 = 1;

const HAS_ORGANIZATION: u8 = 1;
const HAS_ACCOUNT: u8 = 1 << 1;
const HAS_USER: u8 = 1 << 2;
/// An instance, an NPS response or someone anonymous; the kind says which.
const HAS_EXTERNAL: u8 = 1 << 3;
const HAS_MESSAGE_ID: u8 = 1 << 4;
const HAS_NAME: u8 = 1 << 5;
const HAS_TIMESTAMP: u8 = 1 << 6;
const HAS_CUSTOM_OBJECT: u8 = 1 << 7;

const IDENTITY_AT: usize = 2;
const HEADER_BYTES: usize = IDENTITY_AT + 16 + 8 + 8 + 8;
const _: () = assert!(HEADER_BYTES == 42);

/// The bytes are no record of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message record of version {VERSION}")]
pub struct NotARecord;

/// Appends the byte form of `message` to `out`.
pub fn encode(message: &Message<'_>, out: &mut Vec<u8>) {
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    out.push(message.kind as u8);
    out.push(
        flag(message.organization.is_some(), HAS_ORGANIZATION)
            | flag(message.account.is_some(), HAS_ACCOUNT)
            | flag(message.user.is_some(), HAS_USER)
            | flag(external(message).is_some(), HAS_EXTERNAL)
            | flag(message.message_id.is_some(), HAS_MESSAGE_ID)
            | flag(message.name.is_some(), HAS_NAME)
            | flag(message.timestamp_given, HAS_TIMESTAMP)
            | flag(message.custom_object.is_some(), HAS_CUSTOM_OBJECT),
    );
    out.extend_from_slice(&message.identity.0.to_le_bytes());
    out.extend_from_slice(&message.content.to_le_bytes());
    out.extend_from_slice(&message.timestamp.0.to_le_bytes());
    out.extend_from_slice(&message.received_at.0.to_le_bytes());
    let named = [&message.organization, &message.account, &message.user, external(message), &message.custom_object];
    for named in named.into_iter().flatten() {
        put_named(out, named);
    }
    for text in [&message.message_id, &message.name].into_iter().flatten() {
        put_text(out, text);
    }
    put_text(out, message.data);
    put_text(out, &message.rest);
    put_length(out, message.traits.len());
    for stated in &message.traits {
        put_text(out, &stated.key);
        // A value is part of the data; its place there is enough.
        put_length(out, stated.value.as_ptr() as usize - message.data.as_ptr() as usize);
        put_length(out, stated.value.len());
    }
}

/// What else a message names; the kind says what that is.
fn external<'m, 'a>(message: &'m Message<'a>) -> &'m Option<Named<'a>> {
    match external_kind(message.kind) {
        RecordKind::NpsResponse => &message.response,
        RecordKind::Anonymous => &message.anonymous,
        _ => &message.instance,
    }
}

/// What the name is of that messages of a kind have besides those that have a member of their own: of an NPS response, of
/// someone anonymous, of an instance.
#[must_use]
pub fn external_kind(kind: Kind) -> RecordKind {
    match kind {
        Kind::NpsResponse => RecordKind::NpsResponse,
        Kind::User | Kind::Track => RecordKind::Anonymous,
        Kind::Organization
        | Kind::Account
        | Kind::Unlink
        | Kind::CustomObjectInstance
        | Kind::CustomObject
        | Kind::Leave => RecordKind::Instance,
    }
}

/// What decides whether a record is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub identity: Identity,
    /// Digest of the content.
    pub content: u64,
    pub received_at: Micros,
}

/// Reads the head of a record without decoding the rest.
pub fn peek(record: &[u8]) -> Result<Head, NotARecord> {
    let mut input = Input::new(record.get(IDENTITY_AT..HEADER_BYTES).ok_or(NotARecord)?);
    let (identity, content) = (Identity(input.u128()?), input.u64()?);
    let _timestamp = input.u64()?;
    Ok(Head { identity, content, received_at: input.instant()? })
}

/// What decides whether deletions hide a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    pub kind: Kind,
    pub timestamp: Micros,
    pub received_at: Micros,
    /// Every record that it names.
    pub subjects: [Option<Subject>; 5],
}

impl Names {
    /// What deletions leave of the message; `reach` is its own ([`muster_model::deletion::reach`]) or another instant.
    pub fn fate(&self, reach: Reach, hides: impl Fn(RecordId, Reach) -> bool) -> Fate {
        deletion::fate(self.kind, self.subjects.into_iter().flatten(), reach, hides)
    }

    /// What of the message's times decides whether a deletion covers it.
    #[must_use]
    pub fn reach(&self) -> Reach {
        deletion::reach(self.timestamp, self.received_at)
    }
}

/// Reads the names in a record without decoding the rest.
pub fn names(record: &[u8]) -> Result<Names, NotARecord> {
    let mut input = Input::new(record);
    let kind = Kind::from_number(input.u8()?).ok_or(NotARecord)?;
    let flags = input.u8()?;
    input.take(16 + 8)?;
    let timestamp = input.instant()?;
    let received_at = input.instant()?;
    let mut subjects = [None; 5];
    let members = [
        (HAS_ORGANIZATION, RecordKind::Organization),
        (HAS_ACCOUNT, RecordKind::Account),
        (HAS_USER, RecordKind::User),
        (HAS_EXTERNAL, external_kind(kind)),
        (HAS_CUSTOM_OBJECT, RecordKind::CustomObject),
    ];
    for ((flag, record), subject) in members.into_iter().zip(&mut subjects) {
        if flags & flag != 0 {
            *subject = Some((record, named(&mut input)?.id));
        }
    }
    Ok(Names { kind, timestamp, received_at, subjects })
}

/// The name of a track, and the instant at which it takes its place; of another message nothing. The rest is not decoded.
pub fn event(record: &[u8]) -> Result<Option<(&str, Micros)>, NotARecord> {
    let mut input = Input::new(record);
    if Kind::from_number(input.u8()?).ok_or(NotARecord)? != Kind::Track {
        return Ok(None);
    }
    let flags = input.u8()?;
    input.take(16 + 8)?;
    let (timestamp, received_at) = (input.instant()?, input.instant()?);
    for member in [HAS_ORGANIZATION, HAS_ACCOUNT, HAS_USER, HAS_EXTERNAL, HAS_CUSTOM_OBJECT] {
        if flags & member != 0 {
            named(&mut input)?;
        }
    }
    if flags & HAS_MESSAGE_ID != 0 {
        input.text()?;
    }
    let name = if flags & HAS_NAME != 0 { input.text()? } else { "" };
    Ok(Some((name, ordered_at(timestamp, received_at))))
}

/// The message that `record` is the byte form of.
pub fn decode(record: &[u8]) -> Result<Message<'_>, NotARecord> {
    let mut input = Input::new(record);
    let kind = Kind::from_number(input.u8()?).ok_or(NotARecord)?;
    let flags = input.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let identity = Identity(input.u128()?);
    let content = input.u64()?;
    let timestamp = input.instant()?;
    let received_at = input.instant()?;
    let organization = has(HAS_ORGANIZATION).then(|| named(&mut input)).transpose()?;
    let account = has(HAS_ACCOUNT).then(|| named(&mut input)).transpose()?;
    let user = has(HAS_USER).then(|| named(&mut input)).transpose()?;
    let external = has(HAS_EXTERNAL).then(|| named(&mut input)).transpose()?;
    let (instance, response, anonymous) = match external_kind(kind) {
        RecordKind::NpsResponse => (None, external, None),
        RecordKind::Anonymous => (None, None, external),
        _ => (external, None, None),
    };
    let custom_object = has(HAS_CUSTOM_OBJECT).then(|| named(&mut input)).transpose()?;
    let message_id = has(HAS_MESSAGE_ID).then(|| input.text().map(Cow::Borrowed)).transpose()?;
    let name = has(HAS_NAME).then(|| input.text().map(Cow::Borrowed)).transpose()?;
    let data = input.text()?;
    let rest = Cow::Borrowed(input.text()?);
    let traits = traits(&mut input, data)?;
    input.end()?;
    let timestamp_given = has(HAS_TIMESTAMP);
    Ok(Message {
        kind,
        identity,
        content,
        timestamp,
        timestamp_given,
        received_at,
        organization,
        account,
        user,
        custom_object,
        instance,
        response,
        anonymous,
        message_id,
        name,
        data,
        traits,
        rest,
    })
}

fn put_named(out: &mut Vec<u8>, named: &Named<'_>) {
    out.extend_from_slice(&named.id.0.to_le_bytes());
    put_text(out, &named.external_id);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Lengths fit 32 bits: a message is bounded by [`muster_model::limits::MESSAGE_BYTES_CEILING`].
fn put_length(out: &mut Vec<u8>, length: usize) {
    debug_assert!(u32::try_from(length).is_ok());
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

fn named<'a>(input: &mut Input<'a>) -> Result<Named<'a>, Malformed> {
    Ok(Named { id: RecordId(input.u128()?), external_id: Cow::Borrowed(input.text()?) })
}

fn traits<'a>(input: &mut Input<'a>, data: &'a str) -> Result<Vec<Trait<'a>>, Malformed> {
    // Each trait takes at least three lengths, which bounds the reservation by the bytes at hand.
    let count = input.count(12)?;
    let mut traits = Vec::with_capacity(count);
    for _ in 0..count {
        let key = Cow::Borrowed(input.text()?);
        let (at, length) = (input.u32()? as usize, input.u32()? as usize);
        let end = at.checked_add(length).ok_or(Malformed)?;
        traits.push(Trait { key, value: data.get(at..end).ok_or(Malformed)? });
    }
    Ok(traits)
}

#[cfg(test)]
mod tests {
    use muster_model::{
        draft::Draft,
        id::IdSpace,
        kinds::{Context, check_typed},
        limits::MessageLimits,
    };

    use super::*;

    const SAMPLES: [&str; 5] = [
        r#"{"type":"track","event":"e","userId":"u","messageId":"m","timestamp":"2020-01-01T00:00:00Z","properties":{"a":[1]}}"#,
        r#"{"type":"user","userId":"u","accountId":"a","organizationId":"o","messageId":"m","traits":{"b":{"c":1},"\u0061":"x"},"y":0}"#,
        r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"c","accountId":"a","name":"n","timestamp":"2020-01-01"}"#,
        r#"{"type":"unlink","userId":"u","accountId":"a","messageId":1}"#,
        r#"{"type":"organization","organizationId":"ö","messageId":"m","traits":{"name":"Wörld"}}"#,
    ];

    fn message(text: &str) -> Message<'_> {
        let context = Context { ids: IdSpace::new("w"), received_at: Micros(5), limits: MessageLimits::default() };
        check_typed(&Draft::from_text(text, 64), &context).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        for text in SAMPLES {
            let message = message(text);
            let mut bytes = Vec::new();
            encode(&message, &mut bytes);
            assert_eq!(decode(&bytes), Ok(message.clone()));
            let Message { identity, content, received_at, .. } = message.clone();
            let subjects = names(&bytes).map(|names| names.subjects.into_iter().flatten().collect::<Vec<_>>());
            let mut named: Vec<Subject> =
                muster_model::kinds::fields::named(&message).map(|(k, id, _)| (k, id)).collect();
            let mut read = subjects.expect("names can be read");
            named.sort_unstable();
            read.sort_unstable();
            assert_eq!(read, named);
            let track = (message.kind == Kind::Track)
                .then(|| (message.name.clone().unwrap_or_default().into_owned(), message.ordered_at()));
            assert_eq!(event(&bytes).map(|track| track.map(|(name, at)| (name.to_owned(), at))), Ok(track));
            assert_eq!(peek(&bytes), Ok(Head { identity, content, received_at }));
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_or_read_but_never_panic() {
        for text in SAMPLES {
            let mut bytes = Vec::new();
            encode(&message(text), &mut bytes);
            for end in 0..bytes.len() {
                assert!(decode(&bytes[..end]).is_err(), "cut at {end}");
            }
            for at in 0..bytes.len() {
                for flip in [0x01, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] ^= flip;
                    let _ = decode(&damaged);
                }
            }
        }
    }
}
