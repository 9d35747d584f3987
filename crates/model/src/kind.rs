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
}

impl Kind {
    /// Every kind, in the order of the contract's table.
    pub const ALL: [Kind; 6] =
        [Kind::Organization, Kind::Account, Kind::User, Kind::Track, Kind::Unlink, Kind::CustomObjectInstance];

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
        }
    }

    /// The kind that a `type` names; letters' case is of no account.
    #[must_use]
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text))
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
}

impl RecordKind {
    /// Every kind of record.
    pub const ALL: [RecordKind; 4] =
        [RecordKind::Organization, RecordKind::Account, RecordKind::User, RecordKind::Instance];

    /// One record of this kind, in a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RecordKind::Organization => "organization",
            RecordKind::Account => "account",
            RecordKind::User => "user",
            RecordKind::Instance => "custom object instance",
        }
    }

    /// The kind that a stored number means.
    #[must_use]
    pub fn from_number(number: u8) -> Option<RecordKind> {
        RecordKind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}
