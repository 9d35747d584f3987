//! Reading one field of a draft into a value that cannot be wrong.
//!
//! Whatever a field's text does not say in the form in which Muster would write it again is kept verbatim in
//! [`Message::rest`], so that a message can always be shown as it was sent.

use std::borrow::Cow;

use crate::{
    decimal,
    draft::Draft,
    id::{Identity, IdentityParts, RecordId},
    json::{self, Walk, member_digest},
    kind::{Kind, RecordKind},
    limits::{EVENT_BYTES_MAX, ID_BYTES_MAX},
    message::{Message, Named, Trait, known_content},
    rejection::{Code, Rejection},
    time::Micros,
};

use super::Context;

/// An identifier's field: not there, there without a value, or a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    Missing,
    Empty,
    Text(Cow<'a, str>),
}

impl<'a> Given<'a> {
    /// The text, if there is one.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Given::Text(text) => Some(text),
            Given::Missing | Given::Empty => None,
        }
    }

    /// The text, or a rejection that names the field.
    pub fn required(self, field: &str, kind: Kind) -> Result<Cow<'a, str>, Rejection> {
        self.text().ok_or_else(|| {
            let message = format!(
                "{field} is required in a message of type {}: send a non-empty string or an integer",
                kind.as_str()
            );
            Rejection::new(Code::MissingField, format!("/{field}"), message)
        })
    }
}

/// Which identifiers have a meaning in a kind of message.
#[derive(Clone, Copy)]
struct Known {
    organization: bool,
    account: bool,
    user: bool,
    external: bool,
    custom_object: bool,
}

impl Known {
    fn of(kind: Kind) -> Known {
        let none = Known { organization: false, account: false, user: false, external: false, custom_object: false };
        let parents = Known { organization: true, account: true, ..none };
        match kind {
            Kind::Organization => Known { organization: true, ..none },
            Kind::Account => parents,
            Kind::User | Kind::Track => Known { user: true, ..parents },
            Kind::Unlink => Known { account: true, user: true, ..none },
            Kind::CustomObjectInstance => Known { external: true, custom_object: true, ..parents },
            Kind::CustomObject => Known { custom_object: true, ..none },
            Kind::NpsResponse => Known { user: true, external: true, ..none },
            Kind::Leave => Known { user: true, external: true, custom_object: true, ..parents },
        }
    }
}

/// The fields that every kind may carry, read and bounded, before the rules of one kind.
#[derive(Debug)]
pub struct Fields<'d, 'a> {
    pub kind: Kind,
    pub context: &'d Context,
    pub draft: &'d Draft<'a>,
    pub organization_id: Given<'a>,
    pub account_id: Given<'a>,
    pub user_id: Given<'a>,
    pub external_id: Given<'a>,
    pub custom_object_id: Given<'a>,
    pub message_id: Option<Cow<'a, str>>,
    pub timestamp: Option<Micros>,
    /// Identifiers that this kind does not know; to it they are content like any other.
    foreign: Vec<(&'static str, &'a str)>,
    rest: Rest<'a>,
}

impl<'d, 'a> Fields<'d, 'a> {
    /// Reads what all kinds share. Identifiers that a kind does not know are unknown members to it.
    pub fn read(kind: Kind, draft: &'d Draft<'a>, context: &'d Context) -> Result<Self, Rejection> {
        let mut rest = Rest { members: draft.unknown.clone() };
        let mut foreign = Vec::new();
        let knows = Known::of(kind);
        let mut id_of = |field: &'static str, raw: Option<&'a str>, known: bool| {
            if known {
                return id(field, raw, &mut rest);
            }
            rest.keep(field, raw);
            foreign.extend(raw.filter(|raw| !matches!(*raw, "null" | "\"\"")).map(|raw| (field, raw)));
            Ok(Given::Missing)
        };
        let organization_id = id_of("organizationId", draft.organization_id, knows.organization)?;
        let account_id = id_of("accountId", draft.account_id, knows.account)?;
        let user_id = id_of("userId", draft.user_id, knows.user)?;
        let external_id = id_of("externalId", draft.external_id, knows.external)?;
        let custom_object_id = id_of("customObjectId", draft.custom_object_id, knows.custom_object)?;
        let message_id = message_id(draft.message_id, &mut rest)?.text();
        let timestamp = timestamp(draft.timestamp, &mut rest)?;
        if message_id.is_none() && timestamp.is_none() {
            return Err(Rejection::new(
                Code::NeedsMessageIdOrTimestamp,
                "",
                "the message carries neither messageId nor timestamp, so it could not be told from another like it; \
                 send at least one of them, both is best",
            ));
        }
        Ok(Fields {
            kind,
            context,
            draft,
            organization_id,
            account_id,
            user_id,
            external_id,
            custom_object_id,
            message_id,
            timestamp,
            foreign,
            rest,
        })
    }

    /// Takes an identifier's field out to see that it has a text; put it back when it has.
    pub fn require(
        &mut self,
        field: impl FnOnce(&mut Self) -> &mut Given<'a>,
        name: &str,
    ) -> Result<Given<'a>, Rejection> {
        let kind = self.kind;
        let given = std::mem::replace(field(self), Given::Missing);
        given.required(name, kind).map(Given::Text)
    }

    /// Whether any record is named that something can belong to.
    #[must_use]
    pub fn names_subject(&self) -> bool {
        [&self.user_id, &self.account_id, &self.organization_id].iter().any(|given| matches!(given, Given::Text(_)))
    }

    /// Whether someone is named whose user is not known yet.
    #[must_use]
    pub fn names_anonymous(&self) -> bool {
        let draft = self.draft;
        let named_before = || draft.taken_before && draft.unknown.iter().any(|(key, _)| *key == "anonymousId");
        draft.origin.is_some_and(|origin| origin.anonymous) || named_before()
    }

    /// Whether a custom object instance is named, in full or in part.
    #[must_use]
    pub fn names_instance(&self) -> bool {
        [&self.external_id, &self.custom_object_id].iter().any(|given| matches!(given, Given::Text(_)))
    }

    /// Whether a user or an account is named.
    #[must_use]
    pub fn names_member(&self) -> bool {
        [&self.user_id, &self.account_id].iter().any(|given| matches!(given, Given::Text(_)))
    }

    /// The message that these fields make, with the event's or the instance's name and the kind's own data.
    pub fn into_message(mut self, name: Option<Cow<'a, str>>) -> Result<Message<'a>, Rejection> {
        let tracks = self.kind == Kind::Track;
        let data = data(self.draft, self.kind, &mut self.rest)?;
        self.rest.keep("traits", self.draft.traits.filter(|_| tracks));
        self.rest.keep("properties", self.draft.properties.filter(|_| !tracks));
        let instance = self.kind == Kind::CustomObjectInstance;
        // A name that is no Unicode text is mended; what was sent is kept beside it.
        let mended = |raw: &&str| json::mend_surrogates(raw) != **raw;
        self.rest.keep("event", self.draft.event.filter(|raw| !tracks || mended(raw)));
        self.rest.keep("name", self.draft.name.filter(|raw| !instance || mended(raw)));
        let traits = if tracks || data.is_empty() { Vec::new() } else { traits(&self.draft.trait_members) };
        let content = self.content();
        let identity = self.identity(content);
        let ids = self.context.ids;
        let anonymous = anonymous(&self)
            .map(|external_id| Named { id: ids.record(RecordKind::Anonymous, &external_id), external_id });
        let named = |kind, given: Given<'a>| {
            given.text().map(|external_id| Named { id: ids.record(kind, &external_id), external_id })
        };
        let (mut instance, mut response, mut custom_object) = (None, None, None);
        match (self.external_id.text(), self.custom_object_id.text()) {
            (Some(external_id), Some(object)) => {
                instance = Some(Named { id: ids.instance(&object, &external_id), external_id });
                custom_object = Some(Named { id: ids.custom_object(&object), external_id: object });
            }
            (Some(external_id), None) => {
                response = Some(Named { id: ids.record(RecordKind::NpsResponse, &external_id), external_id });
            }
            (None, Some(object)) => {
                custom_object = Some(Named { id: ids.custom_object(&object), external_id: object });
            }
            (None, None) => {}
        }
        Ok(Message {
            kind: self.kind,
            identity,
            content: known_content(content),
            timestamp: self.timestamp.unwrap_or(self.context.received_at),
            timestamp_given: self.timestamp.is_some(),
            received_at: self.context.received_at,
            organization: named(RecordKind::Organization, self.organization_id),
            account: named(RecordKind::Account, self.account_id),
            user: named(RecordKind::User, self.user_id),
            custom_object,
            instance,
            response,
            anonymous,
            message_id: self.message_id,
            name,
            data,
            traits,
            rest: self.rest.into_json(),
        })
    }

    /// Everything that is not part of the identity, whatever its spelling.
    fn content(&self) -> u128 {
        if let Some(origin) = self.draft.origin {
            return origin.content;
        }
        let timestamp = self.timestamp.map_or(0, |at| member_digest("timestamp", at.0 as u128));
        let digest = |raw| json::Walk::new(raw, self.context.limits.message_depth_max).value(1).1;
        let foreign = self.foreign.iter().map(|(field, raw)| member_digest(field, digest(raw)));
        foreign.fold(self.draft.content.wrapping_add(timestamp), u128::wrapping_add)
    }

    fn identity(&self, content: u128) -> Identity {
        fn text<'g>(given: &'g Given<'_>) -> Option<&'g str> {
            match given {
                Given::Text(text) => Some(text),
                Given::Missing | Given::Empty => None,
            }
        }
        let parts = IdentityParts {
            kind: self.kind,
            organization_id: text(&self.organization_id),
            account_id: text(&self.account_id),
            user_id: text(&self.user_id),
            external_id: text(&self.external_id),
            custom_object_id: text(&self.custom_object_id),
            message_id: self.message_id.as_deref(),
            content,
        };
        match self.draft.origin {
            None => parts.identity(),
            Some(origin) => parts.of_call(origin.call).identity(),
        }
    }
}

/// The anonymous id that a call is about, or that it says a user is; what was made from another form alone has one. One
/// that is no id as others are is content like any other.
fn anonymous<'a>(fields: &Fields<'_, 'a>) -> Option<Cow<'a, str>> {
    let draft = fields.draft;
    let member = |name: &str| draft.unknown.iter().rev().find(|(key, _)| *key == name).map(|(_, raw)| *raw);
    let call = match draft.origin {
        Some(origin) => origin.call,
        None if draft.taken_before => draft.told_origin()?.call,
        None => return None,
    };
    let given = |name| {
        let raw: &'a str = member(name)?;
        id("anonymousId", Some(raw), &mut Rest { members: Vec::new() }).ok()?.text()
    };
    match (fields.kind, &fields.user_id, call) {
        (Kind::User, Given::Text(_), "alias") => given("previousId").or_else(|| given("anonymousId")),
        (Kind::User, _, "identify") => given("anonymousId"),
        (Kind::Track, Given::Missing | Given::Empty, _) => given("anonymousId"),
        _ => None,
    }
}

/// The kind that a batch's element states.
pub fn kind(raw: Option<&str>) -> Result<Kind, Rejection> {
    let names = || Kind::SENT.map(Kind::as_str).join(", ");
    let Some(raw) = raw else {
        let message = format!("a message in a batch needs a type: one of {}", names());
        return Err(Rejection::new(Code::MissingType, "/type", message));
    };
    let named = json::string_value(raw).and_then(Result::ok);
    named.and_then(|text| Kind::parse(text.trim())).ok_or_else(|| {
        let message = format!("the type is not known; send one of {}", names());
        Rejection::new(Code::UnknownType, "/type", message)
    })
}

/// The name of an event or of an instance: a string with something in it.
pub fn name<'a>(field: &str, raw: &'a str, code: Code) -> Result<Option<Cow<'a, str>>, Rejection> {
    if raw == "null" {
        return Ok(None);
    }
    let refuse = |message: String| Err(Rejection::new(code, format!("/{field}"), message));
    let text = match json::string_value(raw) {
        None => return refuse(format!("{field} must be a string")),
        Some(Ok(text)) => text,
        Some(Err(mended)) => Cow::Owned(mended),
    };
    if text.len() > EVENT_BYTES_MAX {
        return refuse(format!("{field} has {} bytes, at most {EVENT_BYTES_MAX} are accepted", text.len()));
    }
    if text.chars().any(char::is_control) {
        return refuse(format!("{field} holds a control character; send plain text"));
    }
    Ok((!text.trim().is_empty()).then_some(text))
}

fn id<'a>(field: &'static str, raw: Option<&'a str>, rest: &mut Rest<'a>) -> Result<Given<'a>, Rejection> {
    let Some(raw) = raw else { return Ok(Given::Missing) };
    let refuse = |message: String| Err(Rejection::new(Code::InvalidId, format!("/{field}"), message));
    if raw == "null" || raw == "\"\"" {
        rest.keep(field, Some(raw));
        return Ok(Given::Empty);
    }
    let Some(text) = json::string_value(raw) else {
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) || raw.len() > ID_BYTES_MAX {
            return refuse(format!("{field} must be a string or an integer"));
        }
        rest.keep(field, Some(raw));
        return Ok(Given::Text(Cow::Borrowed(raw)));
    };
    let Ok(text) = text else {
        return refuse(format!("{field} is not valid Unicode: it holds half of a surrogate pair"));
    };
    let trimmed = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    if trimmed.len() > ID_BYTES_MAX {
        return refuse(format!("{field} has {} bytes, at most {ID_BYTES_MAX} are accepted", trimmed.len()));
    }
    if trimmed.chars().any(char::is_control) {
        return refuse(format!("{field} holds a control character; send an id without it"));
    }
    if trimmed.len() + 2 != raw.len() {
        rest.keep(field, Some(raw));
    }
    Ok(if trimmed.is_empty() { Given::Empty } else { Given::Text(trimmed) })
}

/// A `messageId` may be any number, and is the same however the number is written.
fn message_id<'a>(raw: Option<&'a str>, rest: &mut Rest<'a>) -> Result<Given<'a>, Rejection> {
    let is_number = |raw: &&str| raw.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let Some(number) = raw.filter(is_number) else { return id("messageId", raw, rest) };
    let Some(digits) = decimal::plain(number, ID_BYTES_MAX) else {
        let message =
            format!("messageId has more than {ID_BYTES_MAX} digits when it is written out; send a shorter one");
        return Err(Rejection::new(Code::InvalidId, "/messageId", message));
    };
    rest.keep("messageId", Some(number));
    Ok(Given::Text(digits))
}

fn timestamp<'a>(raw: Option<&'a str>, rest: &mut Rest<'a>) -> Result<Option<Micros>, Rejection> {
    let Some(raw) = raw else { return Ok(None) };
    if raw == "null" {
        rest.keep("timestamp", Some(raw));
        return Ok(None);
    }
    let text = json::string_value(raw).and_then(Result::ok);
    let Some(at) = text.as_deref().and_then(Micros::parse) else {
        let message = "timestamp must be ISO 8601 text, such as 2018-05-15T12:31:12.123Z; \
                       leave it out to have the time of receipt";
        return Err(Rejection::new(Code::InvalidTimestamp, "/timestamp", message));
    };
    if !is_canonical_timestamp(raw) {
        rest.keep("timestamp", Some(raw));
    }
    Ok(Some(at))
}

/// Whether text that was read as an instant is in the form in which instants are written: `"2018-05-15T12:31:12.123Z"`.
fn is_canonical_timestamp(raw: &str) -> bool {
    const SHAPE: &[u8] = b"\"dddd-dd-ddTdd:dd:dd.dddZ\"";
    let fits = |(byte, shape): (u8, &u8)| if *shape == b'd' { byte.is_ascii_digit() } else { byte == *shape };
    raw.len() == SHAPE.len() && raw.bytes().zip(SHAPE).all(fits) && raw.get(18..20) != Some("60")
}

/// `traits` or `properties`: an object; `null`, and the empty array that some languages write for an empty object, are
/// the same as none.
fn data<'a>(draft: &Draft<'a>, kind: Kind, rest: &mut Rest<'a>) -> Result<&'a str, Rejection> {
    let (field, raw, code) = match kind {
        Kind::Track => ("properties", draft.properties, Code::InvalidProperties),
        _ => ("traits", draft.traits, Code::InvalidTraits),
    };
    let Some(raw) = raw else { return Ok("") };
    if raw.starts_with('{') {
        return Ok(raw);
    }
    if raw == "null" || (raw.starts_with('[') && raw[1..].trim_start() == "]") {
        rest.keep(field, Some(raw));
        return Ok("");
    }
    let message = format!("{field} must be a JSON object, such as {{\"plan\":\"pro\"}}");
    Err(Rejection::new(code, format!("/{field}"), message))
}

/// The traits in an object as it was sent, for stores that kept the text alone. Empty text has none.
#[must_use]
pub fn traits_of(data: &str) -> Vec<Trait<'_>> {
    let mut members = Vec::new();
    if !data.is_empty() {
        Walk::new(data, 0).members(0, |_, member| members.push((member.raw_key, member.value)));
    }
    traits(&members)
}

/// Sorted by key, each key once: of keys given twice the last one counts.
fn traits<'a>(members: &[(&'a str, &'a str)]) -> Vec<Trait<'a>> {
    let mut traits: Vec<Trait<'a>> = Vec::with_capacity(members.len());
    for (raw_key, value) in members {
        let key = json::unescape(raw_key).unwrap_or_else(Cow::Owned);
        traits.push(Trait { key, value });
    }
    // A stable sort of the reversed list puts the last one given first among equals.
    traits.reverse();
    traits.sort_by(|one, other| one.key.cmp(&other.key));
    traits.dedup_by(|later, kept| later.key == kept.key);
    traits
}

/// Members that no column of the history renders exactly as sent.
#[derive(Debug)]
struct Rest<'a> {
    members: Vec<(&'a str, &'a str)>,
}

impl<'a> Rest<'a> {
    fn keep(&mut self, field: &'static str, raw: Option<&'a str>) {
        if let Some(raw) = raw {
            self.members.push((field, raw));
        }
    }

    fn into_json(self) -> Cow<'a, str> {
        if self.members.is_empty() {
            return Cow::Borrowed("");
        }
        let mut text = String::with_capacity(64);
        for (key, value) in self.members {
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push('"');
            text.push_str(key);
            text.push_str("\":");
            text.push_str(value);
        }
        text.push('}');
        Cow::Owned(text)
    }
}

/// Every record that a message names, with its kind.
pub fn named<'m, 'a>(message: &'m Message<'a>) -> impl Iterator<Item = (RecordKind, RecordId, &'m str)> + use<'m, 'a> {
    let record =
        |kind, named: &'m Option<Named<'a>>| named.as_ref().map(|named| (kind, named.id, named.external_id.as_ref()));
    [
        record(RecordKind::Organization, &message.organization),
        record(RecordKind::Account, &message.account),
        record(RecordKind::User, &message.user),
        record(RecordKind::CustomObject, &message.custom_object),
        record(RecordKind::Instance, &message.instance),
        record(RecordKind::NpsResponse, &message.response),
        record(RecordKind::Anonymous, &message.anonymous),
    ]
    .into_iter()
    .flatten()
}
