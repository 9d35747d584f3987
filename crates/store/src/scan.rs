//! Reading much of a workspace, as of one moment.
//!
//! A list or a timeline answers one page; a query looks at everything that it needs, and all of it has to belong
//! together. [`crate::scan::Scans::moment`] takes hold of what is true at one instant, and whatever is read through the
//! [`crate::scan::Moment`] is as of that instant, however much is written meanwhile. Nothing here is asynchronous:
//! these calls may wait for a disk and belong on threads that may wait. Work is handed out in pieces, so that whoever
//! asks can stop between any two.

use std::{collections::BTreeSet, sync::Arc};

use muster_model::{
    id::{RecordId, WorkspaceId},
    kind::{Kind, RecordKind},
    profile::{Profile, Span},
    time::Micros,
};

use crate::{
    error::ReadError,
    profiles::Children,
    rows::{Column, RowBatch},
};

/// Rows that one call of [`Scan::next`] looks at, at the most, give or take a store's own unit of reading.
pub const SCAN_ROWS_MAX: usize = 8 * 1024;

/// About how much a workspace holds; good enough to plan by, never to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub messages: u64,
    /// Records of each kind, in the order of [`RecordKind::SHOWN`].
    pub records: [u64; RecordKind::SHOWN.len()],
}

/// What was looked at through a moment so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Messages whose members were compared or copied.
    pub rows: u64,
    /// Messages that were passed over unread, because what is known of the place they lie in ruled them out.
    pub rows_skipped: u64,
    /// Profiles read.
    pub profiles: u64,
}

/// Names of which a message must have one; `None` asks for nothing. A message without the name has none of them.
pub type Names = Option<BTreeSet<Box<str>>>;

/// Which messages to scan, and what of them to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Kinds of message. With `attributed` only tracks come, whatever stands here.
    pub kinds: Vec<Kind>,
    /// Whether user, account and organization are those a track belongs to, as a timeline has it, instead of those it names.
    /// The conditions on them are then conditions on where it belongs.
    pub attributed: bool,
    /// Whether with `attributed` the columns of user, account and organization still are what a track names, so that only
    /// the conditions are on where it belongs.
    pub shown_as_named: bool,
    pub organizations: Names,
    pub accounts: Names,
    pub users: Names,
    pub events: Names,
    /// The first and the last instant of `timestamp`, both included.
    pub first: Option<Micros>,
    pub last: Option<Micros>,
    /// The columns to read; others are empty in what comes.
    pub columns: Vec<Column>,
}

impl Wanted {
    /// Every message, and nothing of it but what every row has.
    #[must_use]
    pub fn everything() -> Wanted {
        Wanted {
            kinds: Kind::ALL.to_vec(),
            attributed: false,
            shown_as_named: false,
            organizations: None,
            accounts: None,
            users: None,
            events: None,
            first: None,
            last: None,
            columns: Vec::new(),
        }
    }

    /// Every track with the account and the organization it belongs to, and nothing else of it.
    #[must_use]
    pub fn events() -> Wanted {
        Wanted { kinds: vec![Kind::Track], attributed: true, ..Wanted::everything() }
    }

    /// Whether an instant is within the bounds.
    #[must_use]
    pub fn in_time(&self, at: Micros) -> bool {
        self.first.is_none_or(|first| first <= at) && self.last.is_none_or(|last| at <= last)
    }

    /// Whether a message of these names is among those wanted, by the names alone.
    #[must_use]
    pub fn named(
        &self,
        organization: Option<&str>,
        account: Option<&str>,
        user: Option<&str>,
        event: Option<&str>,
    ) -> bool {
        among(&self.organizations, organization)
            && among(&self.accounts, account)
            && among(&self.users, user)
            && among(&self.events, event)
    }
}

/// Whether a name is one of those wanted.
#[must_use]
pub fn among(names: &Names, name: Option<&str>) -> bool {
    names.as_ref().is_none_or(|names| name.is_some_and(|name| names.contains(name)))
}

/// Stores that can be scanned.
pub trait Scans: Send + Sync {
    /// About how much there is. Does not wait for a disk.
    fn extent(&self, workspace: WorkspaceId) -> Extent;

    /// Takes hold of what is true of a workspace now. A call that starts after an acknowledgement sees what was
    /// acknowledged. Holding a moment costs memory and keeps replaced files in place: let go of it soon.
    fn moment(&self, workspace: WorkspaceId) -> Result<Arc<dyn Moment>, ReadError>;
}

/// A workspace at one instant.
pub trait Moment: Send + Sync {
    /// One record.
    fn profile(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError>;

    /// The next records of a kind in the order of their ids, at least one and at most `limit` while there are any.
    fn profiles(&self, kind: RecordKind, after: Option<RecordId>, limit: usize)
    -> Result<Vec<Arc<Profile>>, ReadError>;

    /// The next accounts of an organization, users of an account or an organization: those that ever named it, each once, maybe
    /// others too; at most `limit`, and fewer only when these are the last. Whether they still belong to it is in their
    /// profiles.
    fn children(&self, children: Children, limit: usize) -> Result<Vec<RecordId>, ReadError>;

    /// First and last track of an account or a user, exact also where [`muster_model::profile::Account::seen`] or
    /// [`muster_model::profile::User::seen`] is stale. `go_on` is asked now and then whether anybody still waits; after
    /// `false` the answer is an error.
    fn seen(&self, profile: &Profile, go_on: &dyn Fn() -> bool) -> Result<Span, ReadError>;

    /// Begins to read messages, in no particular order; each message once.
    fn scan(self: Arc<Self>, wanted: Wanted) -> Result<Box<dyn Scan>, ReadError>;

    /// Where a follower goes on that has had everything of this moment and nothing else; see
    /// [`Following::go_to`](crate::follow::Following::go_to).
    fn place(&self) -> Vec<u8>;

    /// What was looked at so far, by all scans together.
    fn work(&self) -> Work;
}

/// Messages being read.
pub trait Scan: Send {
    /// Puts the next rows into `batch`, in place of what it held. `false` once there are no more; a batch may be empty
    /// and others still follow.
    fn next(&mut self, batch: &mut RowBatch) -> Result<bool, ReadError>;
}
