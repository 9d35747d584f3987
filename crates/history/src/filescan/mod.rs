//! Reading much of a file, as of one moment: what a scan wants of its rows, and no others.
//!
//! Row groups and rows that cannot hold what is wanted are not read. Where tracks belong is asked of a [`Ground`](crate::filescan::Ground), the workspace as
//! it was at that moment, which each engine has in its own way.

/// Where tracks belong.
pub mod places;

/// Which names rows must carry to be looked at at all.
pub mod candidates;

/// Rows of a file, column by column.
pub mod columns;

/// Which rows of a file may be wanted, by its directory.
mod pruned;

/// What deletions leave of stored rows.
mod fates;

/// Reading one file.
pub mod file;

use std::sync::Arc;

use muster_model::{
    association::Statement,
    id::{IdSpace, RecordId},
    kind::RecordKind,
    profile::Profile,
};
use muster_store::{deletion::Veil, error::ReadError, profiles::Children};

use crate::{footers::Footer, manifest::Segment};

/// Children by their ids, and the names of those that there are.
pub type NamedChildren = (Vec<RecordId>, Vec<Box<str>>);

/// A workspace at one moment.
pub trait Ground {
    /// How it derives the ids of its records.
    fn ids(&self) -> IdSpace;

    /// What was deleted and lies in files still.
    fn veil(&self) -> &Veil;

    /// What a file says of itself.
    fn footer(&self, segment: &Arc<Segment>) -> Result<Arc<Footer>, ReadError>;

    /// A record.
    fn find(&self, kind: RecordKind, id: RecordId) -> Result<Option<Arc<Profile>>, ReadError>;

    /// All statements about a record and parents of one kind. Only asked of those that ever had several.
    fn statements(&self, parents: RecordKind, about: RecordId) -> Result<Vec<Statement>, ReadError>;

    /// The next children of a record, and what senders call those that there are.
    fn named_children(&self, children: Children, limit: usize) -> Result<NamedChildren, ReadError>;

    /// So many rows were looked at, and so many passed over.
    fn looked_at(&self, rows: u64, passed_over: u64);
}
