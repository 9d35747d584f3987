//! Views of tables and queries in SQL that a workspace keeps, each under a name, for everybody in it.
//!
//! What is kept is a question and never an answer: parameters of a table's address, or a statement. Who may keep, rename
//! and remove one is decided at the edge; here it is noted who did.

use muster_model::{id::WorkspaceId, time::Micros};

use crate::{Answer, error::AdminError};

/// What one workspace may keep, and how much of it one holder.
pub const SAVED_MAX: usize = 1_000;
pub const SAVED_BY_ONE_MAX: usize = 200;
/// Bytes of a name.
pub const NAME_BYTES_MAX: usize = 200;
/// Bytes of the parameters of a table, and of a statement.
pub const VIEW_BYTES_MAX: usize = 8 * 1024;
pub const QUERY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of all names and texts of a workspace together: all of them are held in memory.
pub const SAVED_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(NAME_BYTES_MAX + VIEW_BYTES_MAX < QUERY_BYTES_MAX && QUERY_BYTES_MAX < SAVED_BYTES_MAX);

/// What is kept. The numbers are part of stored forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SavedKind {
    Accounts = 1,
    Users = 2,
    Organizations = 3,
    Query = 4,
}

impl SavedKind {
    /// All of them.
    pub const ALL: [SavedKind; 4] = [SavedKind::Accounts, SavedKind::Users, SavedKind::Organizations, SavedKind::Query];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SavedKind::Accounts => "accounts",
            SavedKind::Users => "users",
            SavedKind::Organizations => "organizations",
            SavedKind::Query => "query",
        }
    }

    /// The kind that a word names.
    #[must_use]
    pub fn parse(word: &str) -> Option<SavedKind> {
        SavedKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// From the number in which a store kept it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<SavedKind> {
        SavedKind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Bytes that the text of one may have.
    #[must_use]
    pub fn bytes_max(self) -> usize {
        match self {
            SavedKind::Accounts | SavedKind::Users | SavedKind::Organizations => VIEW_BYTES_MAX,
            SavedKind::Query => QUERY_BYTES_MAX,
        }
    }
}

/// A view or a query under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Counted from 1 in each workspace, and never given twice.
    pub id: u64,
    pub kind: SavedKind,
    pub name: String,
    /// Parameters as they stand in an address, or a statement.
    pub text: String,
    /// The number of whoever saved it first, as [`crate::team::number`] and keys have them.
    pub saved_by: u64,
    pub saved_at: Micros,
}

/// What is to be kept.
#[derive(Clone, Debug)]
pub struct NewSaved {
    pub kind: SavedKind,
    pub name: String,
    pub text: String,
    pub saved_by: u64,
    pub saved_at: Micros,
}

/// What becomes of one; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct SavedChange {
    pub name: Option<String>,
    pub text: Option<String>,
}

/// What all workspaces keep. Changes are durable when answered and count for every later call.
pub trait SavedViews: Send + Sync {
    /// What a workspace keeps, by kind and then as [`in_order`] has it. Must not touch a disk.
    fn saved(&self, workspace: WorkspaceId) -> Vec<Saved>;

    /// Keeps one more. A workspace that does not exist is [`AdminError::NotFound`]; a name that another one of its kind
    /// has is [`AdminError::Exists`]; what breaks a bound is [`AdminError::Invalid`].
    fn save(&self, workspace: WorkspaceId, new: NewSaved) -> Answer<'_, Saved, AdminError>;

    /// Gives one another name or text, under the same rules.
    fn change_saved(&self, workspace: WorkspaceId, id: u64, change: SavedChange) -> Answer<'_, Saved, AdminError>;

    /// Keeps one no longer.
    fn remove_saved(&self, workspace: WorkspaceId, id: u64) -> Answer<'_, Saved, AdminError>;
}

/// What is kept, by kind, then by name without regard to case, then by number.
#[must_use]
pub fn in_order(mut saved: Vec<Saved>) -> Vec<Saved> {
    saved.sort_by_cached_key(|one| (one.kind, one.name.to_lowercase(), one.id));
    saved
}

/// Checks what is to be kept beside all that the workspace keeps.
pub fn check_new(known: &[Saved], new: &NewSaved) -> Result<(), AdminError> {
    if known.len() >= SAVED_MAX {
        return invalid(format!("a workspace keeps at most {SAVED_MAX} views and queries; remove one first"));
    }
    if known.iter().filter(|one| one.saved_by == new.saved_by).count() >= SAVED_BY_ONE_MAX {
        return invalid(format!(
            "one key or member keeps at most {SAVED_BY_ONE_MAX} views and queries; remove one first"
        ));
    }
    check(known, None, new.kind, &new.name, &new.text)
}

/// One as it is after a change, if it may be so beside all the others.
pub fn changed(known: &[Saved], id: u64, change: SavedChange) -> Result<Saved, AdminError> {
    let old = known.iter().find(|one| one.id == id).ok_or_else(unknown)?.clone();
    let new = Saved { name: change.name.unwrap_or(old.name), text: change.text.unwrap_or(old.text), ..old };
    check(known, Some(id), new.kind, &new.name, &new.text)?;
    Ok(new)
}

fn check(known: &[Saved], own: Option<u64>, kind: SavedKind, name: &str, text: &str) -> Result<(), AdminError> {
    if name.trim().is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return invalid(format!("a name is one line of 1 to {NAME_BYTES_MAX} bytes"));
    }
    if text.len() > kind.bytes_max() {
        return invalid(format!("this is longer than the {} bytes that are kept of one", kind.bytes_max()));
    }
    let others = || known.iter().filter(|one| Some(one.id) != own);
    if others().any(|one| one.kind == kind && one.name == name) {
        return Err(AdminError::Exists("there is one of this name already; choose another name".to_owned()));
    }
    let bytes: usize = others().map(|one| one.name.len() + one.text.len()).sum();
    if bytes + name.len() + text.len() > SAVED_BYTES_MAX {
        return invalid(format!(
            "a workspace keeps at most {SAVED_BYTES_MAX} bytes of views and queries; remove one first"
        ));
    }
    Ok(())
}

fn invalid<T>(says: String) -> Result<T, AdminError> {
    Err(AdminError::Invalid(says))
}

/// One that is not kept.
#[must_use]
pub fn unknown() -> AdminError {
    AdminError::NotFound("there is no such view or query in this workspace".to_owned())
}
