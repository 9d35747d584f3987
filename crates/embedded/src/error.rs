//! What can go wrong in the engine, by operation.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use muster_store::error::ReadError;

/// Why a data directory could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data directory {dir} is in use by another process")]
    InUse { dir: PathBuf },
    /// It is a directory of something else, or of nothing.
    #[error("{dir} is no data directory of muster: it has no state; check the path, or start a server to make one")]
    NoData { dir: PathBuf },
    /// What it holds is used elsewhere.
    #[error(
        "what {dir} holds was moved into a cluster and is used there; start the server with the cluster's settings, or, to use the \
         directory as it was then all the same, remove the file {note}"
    )]
    Moved { dir: PathBuf, note: PathBuf },
    /// It was written by a version that this one does not know.
    #[error(
        "the data directory has format {found}, this version reads format {known}; use a matching version of muster"
    )]
    Format { found: u64, known: u64 },
    /// What is there contradicts itself; going on would serve or lose data silently.
    #[error("{what}")]
    Damaged { what: String },
    /// The file system or the state store failed.
    #[error("the data directory could not be opened: {what}")]
    Failed { what: String },
}

impl OpenError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        OpenError::Damaged { what: what.into() }
    }

    /// What the system refused, with the file or directory that it was about.
    pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> OpenError + '_ {
        move |error| OpenError::Failed { what: format!("{}: {error}", path.display()) }
    }
}

/// Reads what an earlier process left, for a store that is not open yet.
///
/// The state store's database checks what it reads, but meets some damage with a panic. That is damage like any other:
/// whoever opens or examines a directory is told of it in a sentence.
pub(crate) fn reading<T>(what: &str, read: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let caught = catch_unwind(AssertUnwindSafe(read));
    caught
        .unwrap_or_else(|_| Err(OpenError::damaged(format!("{what} cannot be read: its files contradict themselves"))))
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        OpenError::Failed { what: error.to_string() }
    }
}

impl From<fjall::Error> for OpenError {
    fn from(error: fjall::Error) -> Self {
        OpenError::Failed { what: format!("state store: {error}") }
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged { what } => OpenError::Damaged { what },
            ReadError::Failed { what } | ReadError::TooLarge { what } => OpenError::Failed { what },
        }
    }
}

/// Turns a failure of the state store into what readers are told.
pub(crate) fn state_failed(error: &fjall::Error) -> ReadError {
    match error {
        fjall::Error::Storage(fjall::LsmError::Io(io)) => ReadError::Failed { what: format!("state store: {io}") },
        fjall::Error::Io(io) => ReadError::Failed { what: format!("state store: {io}") },
        other => ReadError::Damaged { what: format!("state store: {other}") },
    }
}

/// What was in the way of writing, without a word about reading where it was not that.
pub(crate) fn cause(fault: ReadError) -> String {
    match fault {
        ReadError::Failed { what } => what,
        other => other.to_string(),
    }
}

/// What readers are told of a value that does not follow its layout.
pub(crate) fn damaged(what: &str) -> ReadError {
    ReadError::Damaged { what: format!("{what} in the state store does not follow its layout") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refused_is_named() {
        let refused = OpenError::at(Path::new("/var/lib/muster"))(io::Error::from_raw_os_error(13));
        assert!(refused.to_string().contains("/var/lib/muster: Permission denied"), "{refused}");
    }
}
