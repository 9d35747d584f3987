//! Messages set aside: refused ones and conflicts.
//!
//! Set aside is not lost: the bytes are kept as they came, with the reason, the key and the time, until someone
//! corrects and resends or drops them, or their bounded retention ends.

use std::borrow::Cow;

use muster_model::{
    id::{Identity, WorkspaceId},
    kind::Kind,
    message::Message,
    rejection::{Code, Rejection},
    time::Micros,
};
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use crate::{Answer, error::ReadError};

/// The id of a message set aside. The same bytes refused again have the same id and are kept once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefusedId(pub u128);

impl RefusedId {
    /// The id of bytes that were refused, having come this way.
    #[must_use]
    pub fn of_body(way: Way, body: &[u8]) -> Self {
        RefusedId(xxh3_128_with_seed(body, u64::from(way.number())))
    }

    /// The id of a conflict: a message of a known identity with other content.
    #[must_use]
    pub fn of_conflict(identity: Identity, content: u64) -> Self {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&identity.0.to_le_bytes());
        bytes[16..].copy_from_slice(&content.to_le_bytes());
        RefusedId(xxh3_128(&bytes))
    }

    /// Reads the 32 hexadecimal digits that [`std::fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(RefusedId)).flatten()
    }
}

impl std::fmt::Display for RefusedId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The way a message came, which says how its bytes are to be read when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In a batch; it states its own type.
    Batch,
    /// By the path of its kind.
    Kind(Kind),
    /// As a call of the Segment spec; it states its own type.
    Segment,
}

impl Way {
    const SEGMENT_NUMBER: u8 = 255;

    /// The number that stores keep.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Way::Batch => 0,
            Way::Kind(kind) => kind as u8,
            Way::Segment => Way::SEGMENT_NUMBER,
        }
    }

    /// The way that a stored number means.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Way> {
        match number {
            0 => Some(Way::Batch),
            Way::SEGMENT_NUMBER => Some(Way::Segment),
            number => Kind::from_number(number).map(Way::Kind),
        }
    }
}

/// One message set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<'a> {
    pub id: RefusedId,
    pub received_at: Micros,
    pub code: Code,
    /// JSON pointer below the message.
    pub pointer: Cow<'a, str>,
    /// The sentence its sender was given.
    pub reason: Cow<'a, str>,
    pub way: Way,
    /// The id of the key that sent it.
    pub key_id: u64,
    /// The message as it came; not necessarily UTF-8.
    pub body: Cow<'a, [u8]>,
}

impl<'a> Refused<'a> {
    /// A message that broke a rule.
    #[must_use]
    pub fn new(rejection: &'a Rejection, way: Way, key_id: u64, at: Micros, body: &'a [u8]) -> Self {
        Refused {
            id: RefusedId::of_body(way, body),
            received_at: at,
            code: rejection.code,
            pointer: Cow::Borrowed(&rejection.pointer),
            reason: Cow::Borrowed(&rejection.message),
            way,
            key_id,
            body: Cow::Borrowed(body),
        }
    }

    /// A message whose identity is known with other content.
    #[must_use]
    pub fn conflict(message: &Message<'_>, key_id: u64) -> Refused<'static> {
        Refused {
            id: RefusedId::of_conflict(message.identity, message.content),
            received_at: message.received_at,
            code: Code::Conflict,
            pointer: Cow::Borrowed("/messageId"),
            reason: Cow::Borrowed(
                "another message with this type, these identifiers and this messageId was stored first and stands; \
                 send this one with a messageId of its own if it states something new",
            ),
            way: Way::Batch,
            key_id,
            body: Cow::Owned(message.as_sent().into_bytes()),
        }
    }

    /// The same, owning its text.
    #[must_use]
    pub fn into_owned(self) -> Refused<'static> {
        Refused {
            id: self.id,
            received_at: self.received_at,
            code: self.code,
            pointer: Cow::Owned(self.pointer.into_owned()),
            reason: Cow::Owned(self.reason.into_owned()),
            way: self.way,
            key_id: self.key_id,
            body: Cow::Owned(self.body.into_owned()),
        }
    }
}

/// A place in the list of messages set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedCursor {
    pub received_at: Micros,
    pub id: RefusedId,
}

/// A page of messages set aside, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPage {
    pub refused: Vec<Refused<'static>>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<RefusedCursor>,
}

/// Bytes of a message that a sketch of it holds.
pub const SKETCH_BYTES_MAX: usize = 160;

/// A message set aside without most of its body: as much as it takes to sort it and to count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    pub id: RefusedId,
    pub received_at: Micros,
    pub code: Code,
    pub pointer: String,
    pub reason: String,
    pub key_id: u64,
    /// The beginning of the body.
    pub start: Vec<u8>,
}

impl Sketch {
    /// The sketch of a message.
    #[must_use]
    pub fn of(refused: &Refused<'_>) -> Sketch {
        Sketch {
            id: refused.id,
            received_at: refused.received_at,
            code: refused.code,
            pointer: refused.pointer.to_string(),
            reason: refused.reason.to_string(),
            key_id: refused.key_id,
            start: refused.body[..refused.body.len().min(SKETCH_BYTES_MAX)].to_vec(),
        }
    }
}

/// A page of sketches, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SketchPage {
    pub sketches: Vec<Sketch>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<RefusedCursor>,
}

/// Reading messages set aside. They get there and leave through the journal, like everything else.
pub trait Refusals: Send + Sync {
    /// At most `limit` messages after `from`, newest first.
    fn refused(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, RefusedPage, ReadError>;

    /// The same as sketches, for whoever looks at many: the same messages in the same pages.
    fn refused_sketches(
        &self,
        workspace: WorkspaceId,
        from: Option<RefusedCursor>,
        limit: usize,
    ) -> Answer<'_, SketchPage, ReadError>;

    /// One message set aside, if it is still there.
    fn refused_message(&self, workspace: WorkspaceId, id: RefusedId)
    -> Answer<'_, Option<Refused<'static>>, ReadError>;
}
