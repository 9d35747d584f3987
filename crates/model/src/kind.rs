//! The kinds of message and the kinds of record.
//!
//! Numbers given to kinds are part of the stored formats and never change meaning.

/// What a message states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    Organization = 1,
    Account = 2,
    User = 3,
    Track = 4,
    Unlink = 5,
    CustomObjectInstance = 6,
    /// What a custom object is; made by writing the record, not by senders.
    CustomObject = 7,
    /// What a user answered to an NPS survey; made by writing the record.
    NpsResponse = 8,
    /// The end of a membership in an organization, or of an instance in its parent; made by writing the record.
    Leave = 9,
}

impl Kind {
    /// The kinds that senders may send, in the order of the contract's table.
    pub const SENT: [Kind; 6] =
        [Kind::Organization, Kind::Account, Kind::User, Kind::Track, Kind::Unlink, Kind::CustomObjectInstance];
    /// Every kind, those included that only come from writing a record.
    pub const ALL: [Kind; 9] = [
        Kind::Organization,
        Kind::Account,
        Kind::User,
        Kind::Track,
        Kind::Unlink,
        Kind::CustomObjectInstance,
        Kind::CustomObject,
        Kind::NpsResponse,
        Kind::Leave,
    ];

    /// The `type` of a message in a batch, and the last segment of its own path.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Organization => "organization",
            Kind::Account => "account",
            Kind::User => "user",
            Kind::Track => "track",
            Kind::Unlink => "unlink",
            Kind::CustomObjectInstance => "customobjectinstance",
            Kind::CustomObject => "customobject",
            Kind::NpsResponse => "npsresponse",
            Kind::Leave => "leave",
        }
    }

    /// The kind that a `type` names, of those that senders may send; letters' case is of no account.
    #[must_use]
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::SENT.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
    }

    /// The kind that a stored name means: what [`Kind::as_str`] gave, of any kind.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind that a stored number means.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RecordKind {
    Organization = 1,
    Account = 2,
    User = 3,
    Instance = 4,
    CustomObject = 5,
    NpsResponse = 6,
    /// Someone who did something and whose user is not known, or was not at first. Never shown as a record of its own.
    Anonymous = 7,
}

impl RecordKind {
    /// The kinds that are shown and listed.
    pub const SHOWN: [RecordKind; 6] = [
        RecordKind::Organization,
        RecordKind::Account,
        RecordKind::User,
        RecordKind::Instance,
        RecordKind::CustomObject,
        RecordKind::NpsResponse,
    ];
    /// Every kind of record, that of anonymous ids included.
    pub const ALL: [RecordKind; 7] = [
        RecordKind::Organization,
        RecordKind::Account,
        RecordKind::User,
        RecordKind::Instance,
        RecordKind::CustomObject,
        RecordKind::NpsResponse,
        RecordKind::Anonymous,
    ];

    /// One record of this kind, in a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Organization => "organization",
            RecordKind::Account => "account",
            RecordKind::User => "user",
            RecordKind::Instance => "custom object instance",
            RecordKind::CustomObject => "custom object",
            RecordKind::NpsResponse => "NPS response",
            RecordKind::Anonymous => "anonymous id",
        }
    }

    /// The kind that a stored number means.
    #[must_use]
    pub fn from_number(number: u8) -> Option<RecordKind> {
        RecordKind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}
